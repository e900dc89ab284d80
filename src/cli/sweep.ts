/** `revmap sweep FILE`: many limits, on one machine or many; the curves, the advice, the report. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import pc from 'picocolors';
import { refaults } from '../lab/advice.ts';
import { drawCurve } from '../lab/curve.ts';
import { configurationsOf, type GridResult, KERNEL_POLICY, nameOf } from '../lab/grid.ts';
import { formatSize } from '../lab/options.ts';
import { reportHtml } from '../lab/report.ts';
import type { RunResult, SweepResult } from '../lab/result.ts';
import { rowsOf } from '../lab/store/columns.ts';
import { csvOf } from '../lab/store/csv.ts';
import { sweepGrid, sweepRecording } from '../lab/sweep.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { addLimits, FILE_IS, type FileFlags, formatOption } from './arguments.ts';
import { addGrid, type GridFlags, gridOf } from './grid_arguments.ts';
import { grouped, groupedOrNone, plural, print, printJson, table } from './output.ts';
import { doubtsText } from './run.ts';
import { addWork, sweepWithProgress, type WorkFlags } from './sweep_work.ts';

interface SweepFlags extends GridFlags, WorkFlags, FileFlags {
  report?: string | true;
  csv?: boolean;
  json?: boolean;
}

const HELP = `
Each option of the machine takes a list, and all combinations are tried: --kernel 6.1,6.18 --mglru on,off --swappiness 0,60,100

A result is stored once, in the folder of --out, under a hash of the recording, the configuration and this revmap: a sweep that was
ended goes on from there with the same command, and \`revmap query\` asks all of them.

--json: one configuration gives {recording, command, kernel, options, unlimited, runs, advice}, a grid {recording, command, curves:
[{configuration, unlimited, runs}], skipped}; runs go from the widest limit to the narrowest.`;

export function addSweep(program: Command): void {
  const command = program
    .command('sweep')
    .description('replay a recording under many limits, on one machine or many: curves, and how little memory it needs')
    .argument('<file>', FILE_IS)
    .addOption(formatOption());
  addWork(addLimits(addGrid(command)))
    .option('--report [file]', 'write a page with the curve, the table and the advice')
    .addOption(new Option('--csv', 'a line for each run, as CSV').conflicts(['json', 'report']))
    .option('--json', 'the results as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: SweepFlags) => {
      const grid = gridOf(flags);
      const { configurations, skipped } = configurationsOf(grid);
      const one =
        configurations.length === 1 && configurations[0]!.policy === KERNEL_POLICY ? configurations[0]! : null;
      if (one === null && flags.report !== undefined) {
        command.error('error: --report is about one configuration, and this is a grid');
      }
      for (const line of skipped) process.stderr.write(`revmap: skipped: ${line}\n`);
      const recording = await openRecording(file, flags.format ?? null);
      const survey = surveyRecording(recording);
      await sweepWithProgress(file, recording, flags, async (work) => {
        if (one === null || flags.csv === true) printGrid(await sweepGrid(recording, survey, { grid, ...work }), flags);
        else printSweep(await sweepRecording(recording, survey, { ...one, ...work }), flags);
      });
      closeRecording(recording);
    });
}

function printGrid(result: GridResult, flags: SweepFlags): void {
  if (flags.csv === true) process.stdout.write(csvOf(rowsOf(result.curves)));
  else if (flags.json === true) printJson(result);
  else print(describeGrid(result));
}

function printSweep(sweep: SweepResult, flags: SweepFlags): void {
  const report = flags.report === undefined ? null : writeReport(sweep, flags.report);
  if (flags.json === true) printJson(report === null ? sweep : { ...sweep, report });
  else print(describeSweep(sweep, report));
}

/** Two tables: a row for each limit, a column for each configuration. */
function describeGrid(result: GridResult): string {
  const all = result.curves.map((curve) => curve.configuration);
  const head = ['limit', ...all.map((configuration) => nameOf(configuration, all))];
  const rows = result.curves[0]!.runs.map((run) => run.limit_bytes);
  const cells = (show: (run: RunResult) => string): string[][] =>
    [null, ...rows].map((limit, i) => [
      limit === null ? 'none' : formatSize(limit),
      ...result.curves.map(({ unlimited, runs }) => show(i === 0 ? unlimited : runs[i - 1]!)),
    ]);
  return [
    `${pc.bold(result.recording)} on ${plural(all.length, 'configuration')}`,
    '',
    'major faults',
    table(
      head,
      cells((run) => groupedOrNone(run.counters['pgmajfault'] ?? null)),
    ),
    'time, by the stated costs',
    table(
      head,
      cells((run) => endOf(run)),
    ),
  ].join('\n');
}

function endOf(run: RunResult): string {
  return run.status === 'oom-killed' ? pc.red('killed') : `${run.estimate.seconds.toFixed(3)} s`;
}

/** `true`: a name of our own, under reports/. */
export function writeReport(sweep: SweepResult, wanted: string | true): string {
  const name = sweep.recording.replace(/[^A-Za-z0-9._-]/g, '_') || 'recording';
  const path = wanted === true ? join('reports', `${name}.html`) : wanted;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, reportHtml(sweep));
  return path;
}

export function describeSweep(sweep: SweepResult, report: string | null): string {
  const { unlimited, runs, advice, options } = sweep;
  const swap =
    options.swapBytes === 0 ? 'no swap' : `${formatSize(options.swapBytes)} of swap on ${options.swapDevice}`;
  const lines = [
    `${pc.bold(sweep.recording)} on Linux ${sweep.kernel} (${formatSize(options.ramBytes)} of memory, ${swap})`,
    '',
    curveText(runs),
    limitTable([unlimited, ...runs]),
    `${pc.bold(sweep.recording)} ${advice.headline}.`,
    ...advice.reasons.map((reason) => `  ${reason}`),
    ...doubtsText(unlimited),
  ];
  if (report !== null) lines.push('', `report: ${report}`);
  return lines.join('\n');
}

function curveText(runs: readonly RunResult[]): string {
  if (runs.length < 2) return '';
  const colours = [pc.cyan, pc.yellow];
  return drawCurve(
    [
      { name: 'pages swapped in and out', mark: 'o' },
      { name: 'major faults', mark: 'x' },
    ],
    runs.map((r) => ({
      x: r.limit_bytes ?? 0,
      y: [(r.counters['pswpin'] ?? 0) + (r.counters['pswpout'] ?? 0), r.counters['pgmajfault'] ?? 0],
    })),
    {
      width: Math.min(100, process.stdout.columns ?? 80),
      height: 14,
      xLabel: (bytes) => (bytes / 2 ** 20).toFixed(1),
      xUnit: 'MiB',
      paint: (text, series) => colours[series]!(text),
    },
  );
}

function limitTable(runs: readonly RunResult[]): string {
  const count = (r: RunResult, name: string) => groupedOrNone(r.counters[name] ?? null);
  return table(
    ['limit', 'pswpin', 'pswpout', 'pgmajfault', 'pgscan', 'refaults', 'time'],
    runs.map((r) => [
      r.limit_bytes === null ? 'none' : formatSize(r.limit_bytes),
      count(r, 'pswpin'),
      count(r, 'pswpout'),
      count(r, 'pgmajfault'),
      count(r, 'pgscan'),
      grouped(refaults(r)),
      endOf(r),
    ]),
  );
}
