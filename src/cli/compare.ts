/** `revmap compare FILE`: the same program on several kernels; one table, one picture, and where they part ways. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import {
  type ComparedRun,
  type CompareResult,
  compareKernels,
  type FaultParting,
  type Partings,
} from '../lab/compare.ts';
import { comparePage } from '../lab/compare_page.ts';
import { drawCurve } from '../lab/curve.ts';
import { formatSize, type Limits } from '../lab/options.ts';
import { COST_PARTS, PRICES } from '../lab/prices.ts';
import { FIRSTS, type FirstName, type Happening } from '../lab/story.ts';
import { closeRecording, openRecording, type Recording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import {
  addLimit,
  addMachine,
  addSomeLimits,
  kernelNames,
  kernelsOf,
  type SomeMachineFlags,
  someMachineOptions,
  wholeNumber,
} from './arguments.ts';
import { grouped, groupedOrNone, Progress, print, printJson, table } from './output.ts';

interface CompareFlags extends SomeMachineFlags {
  kernels: string[];
  limit?: number;
  limits?: Limits;
  workers?: number;
  report?: string | true;
  json?: boolean;
}

const FAMILIES = 'linux-2.4,linux-2.6,linux-3,linux-6';
/** One for each kernel, in the order asked: they differ without colour, too. */
const MARKS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const COLOURS = [pc.cyan, pc.yellow, pc.magenta, pc.green, pc.blue, pc.red, pc.white];
const CURVE_HEIGHT = 14;

const HELP = `
What a limit is: memory.max of a cgroup (6.x), memory.limit_in_bytes (3.16), and in kernels without memory cgroups (2.4, 2.6)
the machine itself, with so much memory that a program can use the limit beside what the kernel keeps (mem=).

A place in the recording is told by its page events: accesses to a page that is not the one just used.

The cost is a count times a price (src/mm/costs.ts), and what the machine waited for its disk:
${PRICES.map(({ what, ns }) => `  ${what.padEnd(26)}${String(ns).padStart(6)} ns`).join('\n')}`;

export function addCompare(program: Command): void {
  const command = program
    .command('compare')
    .description('replay a recording on several kernels: one table, one picture, and where they part ways')
    .argument('<file>', 'a recording; - is standard input')
    .option('--kernels <list>', `which: ${kernelNames()}`, kernelsOf, kernelsOf(FAMILIES));
  addSomeLimits(addLimit(addMachine(command)))
    .option('--workers <n>', 'so many replays at once; one per CPU without it', wholeNumber(0, 256))
    .option('--report [file]', 'write a page with the tables and the pictures')
    .option('--json', 'the results as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: CompareFlags) => {
      if (flags.limit !== undefined && flags.limits !== undefined)
        command.error('error: --limit and --limits say the same in two ways: take one');
      const recording = await openRecording(file);
      const result = await compareWithProgress(recording, flags);
      closeRecording(recording);
      const report = flags.report === undefined ? null : writePage(result, flags.report);
      if (flags.json === true) printJson(report === null ? result : { ...result, report });
      else print(describeComparison(result, report));
    });
}

async function compareWithProgress(recording: Recording, flags: CompareFlags): Promise<CompareResult> {
  const progress = new Progress();
  const { name } = recording.header;
  try {
    return await compareKernels(recording, surveyRecording(recording), {
      ...someMachineOptions(flags),
      kernels: flags.kernels,
      limits: flags.limit === undefined ? (flags.limits ?? null) : { bytes: [flags.limit] },
      ...(flags.workers === undefined ? {} : { workers: flags.workers }),
      onProgress: ({ done, of, share }) => progress.show(share, `${name}: ${done} of ${of} replays`),
    });
  } finally {
    progress.done();
  }
}

function writePage(result: CompareResult, wanted: string | true): string {
  const name = result.recording.replace(/[^A-Za-z0-9._-]/g, '_') || 'recording';
  const path = wanted === true ? join('reports', `${name}-kernels.html`) : wanted;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, comparePage(result));
  return path;
}

// the text

export function describeComparison(result: CompareResult, report: string | null): string {
  const { options, kernels, limits } = result;
  const swap =
    options.swapBytes === 0 ? 'no swap' : `${formatSize(options.swapBytes)} of swap on ${options.swapDevice}`;
  const lines = [
    `${pc.bold(result.recording)} on ${kernels.length === 1 ? `Linux ${kernels[0]}` : `${kernels.length} kernels`}, ${grouped(result.events)} page events (${formatSize(options.ramBytes)} of memory, ${swap})`,
    '',
    pictureText(result),
  ];
  for (const [l, limit] of limits.entries()) {
    const runs = result.runs.slice(l * kernels.length, (l + 1) * kernels.length);
    lines.push(countsTable(limit, runs), partingsText(result.partings[l]!, kernels));
  }
  if (report !== null) lines.push(`report: ${report}`);
  return lines.join('\n').replace(/\n+$/, '\n');
}

/** With one limit: pages that came back or went out as the recording goes on. With several: the time over the limit. */
function pictureText(result: CompareResult): string {
  const { kernels, limits, runs } = result;
  const series = kernels.map((kernel, k) => ({ name: kernel, mark: MARKS[k % MARKS.length]! }));
  const frame = {
    width: Math.min(100, process.stdout.columns ?? 80),
    height: CURVE_HEIGHT,
    paint: (text: string, k: number) => COLOURS[k % COLOURS.length]!(text),
  };
  if (limits.length > 1) {
    const points = limits.map((limit, l) => ({
      x: limit ?? 0,
      y: kernels.map((_, k) => runs[l * kernels.length + k]!.cost.seconds),
    }));
    const labels = { xLabel: (bytes: number) => (bytes / 2 ** 20).toFixed(1), xUnit: 'MiB' };
    return `seconds that it would take, over the limit\n${drawCurve(series, points, { ...frame, ...labels })}`;
  }
  const moves = runs.some((run) => trafficOf(run, run.curve.event.length - 1) > 0);
  const value = moves ? trafficOf : faultsOf;
  const title = moves ? 'pages swapped in and out and read again so far' : 'faults so far';
  const points = runs.flatMap((run, k) =>
    run.curve.event.map((event, row) => ({ x: event, y: kernels.map((_, i) => (i === k ? value(run, row) : null)) })),
  );
  const millions = { xLabel: (event: number) => (event / 1e6).toFixed(2), xUnit: 'M page events' };
  const marked = [0, 0.25, 0.5, 0.75, 1].map((share) => share * result.events);
  const curve = drawCurve(series, [{ x: 0, y: [] }, ...points], { ...frame, ...millions, xTicks: marked });
  return `${title}, as the recording goes on\n${curve}`;
}

function trafficOf({ curve }: ComparedRun, row: number): number {
  return (curve.swapped_in[row] ?? 0) + (curve.swapped_out[row] ?? 0) + (curve.read_again[row] ?? 0);
}

function faultsOf({ curve }: ComparedRun, row: number): number {
  return (curve.minor[row] ?? 0) + (curve.major[row] ?? 0);
}

/** The rows of the table: what is counted, and its text for a run. */
export const ROWS: readonly [name: string, text: (run: ComparedRun) => string][] = [
  ['minor faults', (run) => grouped(run.minor_faults)],
  ['major faults', (run) => grouped(run.major_faults)],
  ['pages swapped in', (run) => grouped(run.swapped_in)],
  ['pages swapped out', (run) => grouped(run.swapped_out)],
  ['refaults, anonymous', (run) => groupedOrNone(run.refaults_anon)],
  ['refaults, files', (run) => groupedOrNone(run.refaults_file)],
  ['file pages read again', (run) => grouped(run.read_again)],
  ['pages scanned', (run) => grouped(run.work.pages_scanned)],
  ['pages reclaimed', (run) => grouped(run.work.pages_reclaimed)],
  ['scanned per reclaimed', (run) => (run.scanned_per_reclaimed === null ? '–' : run.scanned_per_reclaimed.toFixed(1))],
  ['page-table entries visited', (run) => grouped(run.work.ptes_visited)],
  ['VMAs visited', (run) => grouped(run.work.vmas_visited)],
  ['anon_vmas met', (run) => grouped(run.work.anon_vmas_met)],
  ['links met', (run) => grouped(run.work.chains_met)],
  ['address spaces walked', (run) => grouped(run.work.mms_walked)],
  ...COST_PARTS.map((part): [string, (run: ComparedRun) => string] => [
    `seconds: ${part}`,
    (run) => run.cost[part].toFixed(3),
  ]),
  ['seconds, all', (run) => (run.status === 'oom-killed' ? 'killed' : run.cost.seconds.toFixed(3))],
];

function countsTable(limit: number | null, runs: readonly ComparedRun[]): string {
  const head = [limit === null ? 'no limit' : `limit ${formatSize(limit)}`, ...runs.map((run) => run.kernel)];
  const rows = limit === null ? [] : [['is', ...runs.map(limitText)]];
  for (const [name, text] of ROWS) rows.push([name, ...runs.map(text)]);
  return table(head, rows);
}

function limitText(run: ComparedRun): string {
  return run.limited_by === 'mem=' ? `mem=${Math.round(run.ram_bytes / 1024)}K` : run.limited_by;
}

function partingsText(partings: Partings, kernels: readonly string[]): string {
  const lines = [pc.bold('Where they part ways')];
  lines.push(...faultText('first access on which only some fault', partings.fault));
  lines.push(...faultText('first fault that only some call major', partings.major_fault));
  for (const [first, title] of Object.entries(FIRSTS) as [FirstName, string][]) {
    const told = kernels.map((kernel) => partings.firsts[first][kernel] ?? null);
    if (told.every((happening) => happening === null)) continue;
    lines.push(`  first time that ${title}`);
    for (const [k, happening] of told.entries()) lines.push(`    ${kernels[k]!.padEnd(8)}${happeningText(happening)}`);
  }
  for (const { counter, event, kernels: values } of partings.ticks) {
    const each = Object.entries(values).map(([kernel, value]) => `${kernel} ${grouped(value)}`);
    lines.push(`  first tick at which '${counter.replaceAll('_', ' ')}' differs: at ${grouped(event)}: ${each.join(', ')}`);
  }
  if (lines.length === 1) lines.push('  nowhere');
  return `${lines.join('\n')}\n`;
}

function faultText(title: string, parting: FaultParting | null): string[] {
  if (parting === null) return [];
  const each = Object.entries(parting.kernels).map(([kernel, kind]) => `${kernel} ${kind}`);
  return [`  ${title}: at ${placeText(parting)}: ${parting.page}: ${each.join(', ')}`];
}

function placeText({ event, pid }: { event: number; pid: number }): string {
  return pid === 0 ? grouped(event) : `${grouped(event)}, process ${pid}`;
}

function happeningText(happening: Happening | null): string {
  if (happening === null) return 'never';
  return `at ${placeText(happening)}${happening.page === null ? '' : `: ${happening.page}`}`;
}
