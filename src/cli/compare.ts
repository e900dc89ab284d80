/** `revmap compare FILE`: the same program on several kernels; one table, one picture, and where they part ways. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { type ComparedRun, type CompareResult, compareKernels, type Partings } from '../lab/compare.ts';
import { comparePage, endText, limitText, partingLines, pictureOf, ROWS, rowText } from '../lab/compare_page.ts';
import { drawCurve } from '../lab/curve.ts';
import { formatSize, type Limits } from '../lab/options.ts';
import { PRICES } from '../lab/prices.ts';
import { closeRecording, openRecording, type Recording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import {
  addLimit,
  addMachine,
  addSomeLimits,
  FILE_IS,
  type FileFlags,
  formatOption,
  kernelNames,
  kernelsOf,
  type SomeMachineFlags,
  someMachineOptions,
  wholeNumber,
} from './arguments.ts';
import { columns, grouped, Progress, print, printJson, table } from './output.ts';
import { pc } from './terminal.ts';

interface CompareFlags extends SomeMachineFlags, FileFlags {
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

The cost is a count times a price (src/mm/costs.ts), and what the machine waited for its disk, or for a congestion to end:
${PRICES.map(({ what, ns }) => `  ${what.padEnd(26)}${String(ns).padStart(6)} ns`).join('\n')}`;

export function addCompare(program: Command): void {
  const command = program
    .command('compare')
    .description('replay a recording on several kernels: one table, one picture, and where they part ways')
    .argument('<file>', FILE_IS)
    .addOption(formatOption())
    .option('--kernels <list>', `which: ${kernelNames()}`, kernelsOf, kernelsOf(FAMILIES));
  addSomeLimits(addLimit(addMachine(command)))
    .option('--workers <n>', 'so many replays at once; one per CPU without it', wholeNumber(0, 256))
    .option('--report [file]', 'write a page with the tables and the pictures')
    .option('--json', 'the results as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: CompareFlags) => {
      if (flags.limit !== undefined && flags.limits !== undefined)
        command.error('error: --limit and --limits say the same in two ways: take one');
      const recording = await openRecording(file, flags.format ?? null);
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
    lines.push(countsTable(limit, runs), partingsText(result.partings[l]!, kernels, result.events));
  }
  if (report !== null) lines.push(`report: ${report}`);
  return lines.join('\n').replace(/\n+$/, '\n');
}

function pictureText(result: CompareResult): string {
  const { title, lines, unit } = pictureOf(result);
  const points = lines.flatMap((line, k) =>
    line.points.map(({ x, y }) => ({ x, y: lines.map((_, i) => (i === k ? y : null)) })),
  );
  const run = unit === 'M page events';
  if (run) points.push({ x: 0, y: [] });
  const end = Math.max(...points.map(({ x }) => x));
  const curve = drawCurve(
    lines.map(({ name }, k) => ({ name, mark: MARKS[k % MARKS.length]! })),
    points,
    {
      width: Math.min(100, columns(80)),
      height: CURVE_HEIGHT,
      xLabel: (x) => x.toFixed(!run ? 1 : end < 0.1 ? 4 : 2),
      xUnit: unit,
      xTicks: run ? [0, 0.25, 0.5, 0.75, 1].map((share) => share * end) : [...new Set(points.map(({ x }) => x))],
      paint: (text, k) => COLOURS[k % COLOURS.length]!(text),
    },
  );
  return `${title}\n${curve}`;
}

function countsTable(limit: number | null, runs: readonly ComparedRun[]): string {
  const head = [limit === null ? 'no limit' : `limit ${formatSize(limit)}`, ...runs.map((run) => run.kernel)];
  const rows = limit === null ? [] : [['made of', ...runs.map(limitText)]];
  for (const [name, value, digits] of ROWS) rows.push([name, ...runs.map((run) => rowText(value(run), digits))]);
  if (runs.some((run) => run.status === 'oom-killed'))
    rows.push(['ended', ...runs.map((run) => (run.status === 'oom-killed' ? pc.red(endText(run)) : endText(run)))]);
  return table(head, rows);
}

function partingsText(partings: Partings, kernels: readonly string[], events: number): string {
  const told = partingLines(partings, kernels, events);
  const lines = told.flatMap(({ title, lines: each }) => [`  ${title}`, ...each.map((line) => `    ${line}`)]);
  if (lines.length === 0) lines.push('  nowhere');
  return `${pc.bold('Where they part ways')}\n${lines.join('\n')}\n`;
}
