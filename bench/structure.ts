/**
 * The objects of the reverse mapping, counted: fork trees against their closed forms, in the engine and in this kernel; and what
 * happens to a file that is mapped in reverse, page by page, up to the limit of areas.
 *
 * In the kernel, /proc/slabinfo is read when the tree stands and again when all its processes have unmapped their areas: between the
 * two is what the tree had. Objects that CPUs keep for themselves are called back before each reading; other programs of the machine
 * are in it, so the median of several runs is taken.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reversedFile, reversedToTheLimit } from '../oracle/areas.ts';
import { type Counts, SHAPES, type Shape, shapeProgram } from '../oracle/shapes.ts';
import { checkLine, checkRun, generationOf } from '../src/lab/check/check.ts';
import { countLive, runLive } from '../src/lab/check/live.ts';
import { isSnap, parseRecording, type Recording } from '../src/lab/check/recording.ts';
import { type MmpRun, runMmp } from '../src/lab/check/run_mmp.ts';
import { parseMmp } from '../src/syscalls/mmp.ts';
import { engineCounts } from '../test/structure.ts';

const KERNELS = ['6.18', '6.1'];
const AREAS = 10;
const ROUNDS = 3;
/** Fewer objects drown in what the rest of the machine does. */
const LARGE = 10_000;
const ALLOWED = 0.03;
const REVERSED_PAGES = 16_384;

const folder = mkdtempSync(join(tmpdir(), 'revmap-structure-'));
try {
  await shapes();
  await areas();
} finally {
  rmSync(folder, { recursive: true });
}

async function shapes(): Promise<void> {
  const programs = SHAPES.map((shape) => ({ shape, ...shapeProgram(shape, AREAS) }));
  const files = programs.map(({ text }, i) => written(`shape-${String(i + 1).padStart(2, '0')}.mmp`, text));
  const live = await liveCounts(files);
  console.log(`fork trees, ${AREAS} areas each; formulas are for one area, counts for all`);
  console.log(`this kernel: ${typeof live === 'string' ? live : `${live.kernel}, median of ${ROUNDS} runs`}`);
  const columns = ['closed', ...KERNELS, 'kernel', ''];
  const rows = [['', 'processes', 'anon_vmas', ...columns, 'links', ...columns]];
  const tally: Tally = { equal: 0, counts: 0, offs: [] };
  for (const [i, { shape, text, processes }] of programs.entries()) {
    const engine = KERNELS.map((kernel) => engineCounts(text, kernel)[0]!);
    const kernel = typeof live === 'string' ? null : live.counts[i]!;
    const sides = (['anonVmas', 'chains'] as const).flatMap((of) => side(shape, of, engine, kernel, tally));
    rows.push([shape.name, String(processes), ...sides]);
  }
  printTable(rows);
  printTally(tally);
}

/** What the table amounts to. */
interface Tally {
  /** Counts of the engine that equal the closed form, and all of them. */
  equal: number;
  counts: number;
  /** How far large counts of the kernel are off. */
  readonly offs: number[];
}

/** Half a row of the table. */
function side(
  shape: Shape,
  of: keyof Counts,
  engine: readonly Counts[],
  kernel: Counts | null,
  tally: Tally,
): string[] {
  const want = shape.want[of] * AREAS;
  tally.counts += engine.length;
  tally.equal += engine.filter((counts) => counts[of] === want).length;
  const cells = [shape.formula[of], String(want), ...engine.map((counts) => String(counts[of]))];
  if (kernel === null) return [...cells, '', ''];
  if (want < LARGE) return [...cells, String(kernel[of]), ''];
  const off = (kernel[of] - want) / want;
  tally.offs.push(Math.abs(off));
  return [...cells, String(kernel[of]), `${(100 * off).toFixed(2)} %`];
}

function printTally({ equal, counts, offs }: Tally): void {
  console.log(`the engine: ${equal} of ${counts} counts equal the closed form`);
  if (offs.length === 0) return;
  const within = offs.filter((off) => off <= ALLOWED).length;
  const widest = (100 * Math.max(...offs)).toFixed(2);
  console.log(
    `this kernel: ${within} of ${offs.length} counts from ${LARGE} up within 3 %; the farthest is off by ${widest} %`,
  );
}

/** What each program's tree has in this kernel, or why that is not known. */
async function liveCounts(files: readonly string[]): Promise<{ kernel: string; counts: Counts[] } | string> {
  const rounds = Array.from({ length: ROUNDS }, () => files).flat();
  const live = await countLive(rounds, folder);
  const bad = live.results.find(({ recording }) => recording === null);
  if (bad !== undefined) return bad.skipped ?? bad.failed ?? '';
  const counts = files.map((file): Counts => {
    const readings = live.objects.filter(({ program }) => program === file).map(({ active }) => active);
    return { anonVmas: betweenTwo(readings, 'anon_vma'), chains: betweenTwo(readings, 'anon_vma_chain') };
  });
  return { kernel: live.kernel, counts };
}

/** What a first reading has more than a second: the median of all pairs. */
function betweenTwo(readings: readonly ReadonlyMap<string, number>[], name: string): number {
  const counts = readings.map((active) => active.get(name) ?? Number.NaN);
  return median(counts.flatMap((count, i) => (i % 2 === 0 ? [count - counts[i + 1]!] : [])));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

async function areas(): Promise<void> {
  const texts = { 'reverse.mmp': reversedFile(REVERSED_PAGES), 'limit.mmp': reversedToTheLimit() };
  const files = Object.entries(texts).map(([name, text]) => written(name, text));
  const live = await runLive(files, folder);
  for (const [i, name] of (['reverse.mmp', 'limit.mmp'] as const).entries()) {
    const program = parseMmp(texts[name], name);
    console.log(`${name}: ${program.steps.length} lines`);
    const runs = KERNELS.map((kernel): MmpRun => {
      const started = performance.now();
      const run = runMmp(program, kernel);
      console.log(
        `  engine ${kernel}: ${summary(run.recording)}; ${((performance.now() - started) / 1000).toFixed(1)} s`,
      );
      return run;
    });
    const { recording: path, skipped, failed } = live.results[i]!;
    if (path === null) {
      console.log(`  this kernel: ${skipped ?? failed}`);
      continue;
    }
    const recording = parseRecording(readFileSync(path, 'utf8'), path);
    console.log(`  kernel ${live.kernel}: ${summary(recording)}`);
    const run = runs[KERNELS.indexOf(generationOf(recording, path))]!;
    console.log(`  ${checkLine(checkRun(program, recording, run, { program: name, recording: path }))}`);
  }
}

/** Areas at the end, and where the first call failed for want of them. */
function summary({ lines }: Recording): string {
  const failed = lines.find((line) => !isSnap(line) && line.err === 'ENOMEM');
  const first = lines.filter(isSnap).at(-1)?.procs['1'];
  const parts = [
    failed === undefined || isSnap(failed) ? 'no call failed' : `call ${failed.op} is the first to fail: ENOMEM`,
    first === undefined || first === '=' ? '' : `${first.vmas.length} areas, ${first.vmas.length - 1} of them new`,
  ];
  return parts.filter(Boolean).join('; ');
}

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '));
  }
}
