/** `revmap sweep FILE`: many limits, the curve, the advice, the report. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { drawCurve } from '../lab/curve.ts';
import { formatSize, type Limits } from '../lab/options.ts';
import { reportHtml } from '../lab/report.ts';
import type { RunResult, SweepResult } from '../lab/result.ts';
import { sweepRecording } from '../lab/sweep.ts';
import { refaults } from '../lab/terms.ts';
import { closeRecording, openRecording, type Recording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import { addLimits, addMachineOptions, type MachineFlags, machineOptions, wholeNumber } from './arguments.ts';
import { grouped, groupedOrNone, Progress, print, printJson, table } from './output.ts';
import { doubtsText } from './run.ts';

interface SweepFlags extends MachineFlags {
  limits: Limits;
  workers?: number;
  report?: string | true;
  json?: boolean;
}

export function addSweep(program: Command): void {
  const command = program
    .command('sweep')
    .description('replay a recording under many limits: a curve, and how little memory it needs')
    .argument('<file>', 'a recording; - is standard input');
  addLimits(addMachineOptions(command))
    .option('--workers <n>', 'so many replays at once; one per CPU without it', wholeNumber(0, 256))
    .option('--report [file]', 'write a page with the curve, the table and the advice')
    .option('--json', 'the results as JSON')
    .action(async (file: string, flags: SweepFlags) => {
      const recording = await openRecording(file);
      const sweep = await sweepWithProgress(recording, flags);
      closeRecording(recording);
      const report = flags.report === undefined ? null : writeReport(sweep, flags.report);
      if (flags.json === true) printJson(report === null ? sweep : { ...sweep, report });
      else print(describeSweep(sweep, report));
    });
}

export async function sweepWithProgress(recording: Recording, flags: SweepFlags): Promise<SweepResult> {
  const survey = surveyRecording(recording);
  const progress = new Progress();
  const { name } = recording.header;
  try {
    return await sweepRecording(recording, survey, {
      ...machineOptions(flags),
      limits: flags.limits,
      ...(flags.workers === undefined ? {} : { workers: flags.workers }),
      onProgress: ({ done, of, share }) => progress.show(share, `${name}: ${done} of ${of} replays`),
    });
  } finally {
    progress.done();
  }
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
      r.status === 'oom-killed' ? pc.red('killed') : `${r.estimate.seconds.toFixed(3)} s`,
    ]),
  );
}
