/** `revmap sweep FILE`: many limits, on one machine or many; the curves, the advice, the report. */
import { type Command, Option } from 'commander';
import pc from 'picocolors';
import { uncertainty } from '../lab/doubts.ts';
import { configurationsOf, type GridResult, KERNEL_POLICY, nameOf } from '../lab/grid.ts';
import { formatSize } from '../lab/options.ts';
import type { RunResult, SweepResult } from '../lab/result.ts';
import { rowsOf } from '../lab/store/columns.ts';
import { csvOf } from '../lab/store/csv.ts';
import { sweepGrid, sweepRecording } from '../lab/sweep.ts';
import { closeRecording, openRecording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { addLimits } from './arguments.ts';
import { addGrid, type GridFlags, gridOf } from './grid_arguments.ts';
import { groupedOrNone, plural, print, printJson, table } from './output.ts';
import { writePlots, writeReport } from './report_file.ts';
import { describeSweep, endOf } from './sweep_text.ts';
import { addWork, sweepWithProgress, type WorkFlags } from './sweep_work.ts';

interface SweepFlags extends GridFlags, WorkFlags {
  limitsOnly?: boolean;
  report?: string | true;
  svg?: string;
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
    .argument('<file>', 'a recording; - is standard input');
  addWork(addLimits(addGrid(command)))
    .option('--report [file]', 'write a page with the curve, the table and the advice')
    .option('--svg <folder>', 'write each plot as a file there')
    .option('--limits-only', 'nothing but the limits asked for: no bisection, no other settings')
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
      const recording = await openRecording(file);
      const survey = surveyRecording(recording);
      await sweepWithProgress(recording.header.name, flags, async (work) => {
        if (one === null || flags.csv === true) printGrid(await sweepGrid(recording, survey, { grid, ...work }), flags);
        else
          printSweep(
            await sweepRecording(recording, survey, { ...one, ...work, limitsOnly: flags.limitsOnly === true }),
            flags,
          );
      });
      closeRecording(recording);
    });
}

function writtenText(report: string | null, plots: readonly string[] | null): string[] {
  const lines = [...(report === null ? [] : [`report: ${report}`]), ...(plots ?? []).map((path) => `plot: ${path}`)];
  return lines.length === 0 ? [] : ['', ...lines];
}

function printGrid(result: GridResult, flags: SweepFlags): void {
  if (flags.csv === true) process.stdout.write(csvOf(rowsOf(result.curves)));
  else if (flags.json === true) printJson(result);
  else print(describeGrid(result));
}

function printSweep(sweep: SweepResult, flags: SweepFlags): void {
  const report = flags.report === undefined ? null : writeReport(sweep, flags.report);
  const plots = flags.svg === undefined ? null : writePlots(sweep, flags.svg);
  const written = { ...(report === null ? {} : { report }), ...(plots === null ? {} : { plots }) };
  if (flags.json === true) printJson({ ...sweep, uncertainty: uncertainty(sweep), ...written });
  else print([describeSweep(sweep), ...writtenText(report, plots)].join('\n'));
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
