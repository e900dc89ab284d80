/** `revmap sweep FILE`: many limits, on one machine or many; the curves, the advice, the report. */
import type { Command } from 'commander';
import pc from 'picocolors';
import { uncertainty } from '../lab/doubts.ts';
import { configurationsOf, type GridResult, KERNEL_POLICY, nameOf } from '../lab/grid.ts';
import { formatSize, type Limits, type MachineOptions } from '../lab/options.ts';
import type { RunResult, SweepResult } from '../lab/result.ts';
import { type GridOptions, sweepGrid, sweepRecording } from '../lab/sweep.ts';
import { closeRecording, openRecording, type Recording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { addLimits, wholeNumber } from './arguments.ts';
import { addGrid, type GridFlags, gridOf } from './grid_arguments.ts';
import { groupedOrNone, Progress, print, printJson, table } from './output.ts';
import { writePlots, writeReport } from './report_file.ts';
import { describeSweep, endOf } from './sweep_text.ts';

interface WorkFlags {
  limits: Limits;
  workers?: number;
  limitsOnly?: boolean;
}

interface SweepFlags extends GridFlags, WorkFlags {
  report?: string | true;
  svg?: string;
  json?: boolean;
}

export function addSweep(program: Command): void {
  const command = program
    .command('sweep')
    .description('replay a recording under many limits: a curve, and how little memory it needs')
    .argument('<file>', 'a recording; - is standard input');
  addLimits(addGrid(command))
    .option('--workers <n>', 'so many replays at once; one per CPU without it', wholeNumber(0, 256))
    .option('--report [file]', 'write a page with the curve, the table and the advice')
    .option('--svg <folder>', 'write each plot as a file there')
    .option('--limits-only', 'nothing but the limits asked for: no bisection, no other settings')
    .option('--json', 'the results as JSON')
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
      if (one === null) {
        const result = await gridWithProgress(recording, grid, flags);
        if (flags.json === true) printJson(result);
        else print(describeGrid(result));
      } else {
        const sweep = await sweepWithProgress(recording, one, flags);
        const report = flags.report === undefined ? null : writeReport(sweep, flags.report);
        const plots = flags.svg === undefined ? null : writePlots(sweep, flags.svg);
        const written = { ...(report === null ? {} : { report }), ...(plots === null ? {} : { plots }) };
        if (flags.json === true) printJson({ ...sweep, uncertainty: uncertainty(sweep), ...written });
        else print([describeSweep(sweep), ...writtenText(report, plots)].join('\n'));
      }
      closeRecording(recording);
    });
}

function writtenText(report: string | null, plots: readonly string[] | null): string[] {
  const lines = [...(report === null ? [] : [`report: ${report}`]), ...(plots ?? []).map((path) => `plot: ${path}`)];
  return lines.length === 0 ? [] : ['', ...lines];
}

type Work = Omit<GridOptions, 'grid'>;

async function withProgress<T>(name: string, flags: WorkFlags, sweep: (work: Work) => Promise<T>): Promise<T> {
  const progress = new Progress();
  try {
    return await sweep({
      limits: flags.limits,
      ...(flags.workers === undefined ? {} : { workers: flags.workers }),
      onProgress: ({ done, of, share }) => progress.show(share, `${name}: ${done} of ${of} replays`),
    });
  } finally {
    progress.done();
  }
}

export function sweepWithProgress(
  recording: Recording,
  machine: MachineOptions,
  flags: WorkFlags,
): Promise<SweepResult> {
  const survey = surveyRecording(recording);
  return withProgress(recording.header.name, flags, (work) =>
    sweepRecording(recording, survey, { ...machine, ...work, limitsOnly: flags.limitsOnly === true }),
  );
}

function gridWithProgress(recording: Recording, grid: GridOptions['grid'], flags: WorkFlags): Promise<GridResult> {
  const survey = surveyRecording(recording);
  return withProgress(recording.header.name, flags, (work) => sweepGrid(recording, survey, { grid, ...work }));
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
    `${pc.bold(result.recording)} on ${all.length} configurations`,
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
