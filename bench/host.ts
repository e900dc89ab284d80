/**
 * The whole host as columns and a reverse map: seconds, CPU and memory, beside a C program that only reads the same files.
 *
 * A crowd of our own makes up for 200 processes: groups of forked programs with a heap, a shared file and many small mappings.
 * Both readers run in turns, each a process of its own; its time is from start to end, Node's own start in ours. The C program
 * keeps nothing, so its memory says nothing; it is the least that the kernel takes to say all this. Where other programs keep
 * the computer busy, the least CPU of the rounds says most. Nothing is reported of a round without its crowd. Needs root and cc.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { LiveHost } from '../src/host/live_host.ts';
import { ReverseMap } from '../src/host/reverse.ts';

const PROCESSES = 200;
const CHILDREN = 6;
const ROUNDS = 7;
const CROWD_TRIES = 60;
const FILE_BYTES = 24 * 2 ** 20;
const TAKE = '--take';
const SOURCE = 'bench/host_reader.c';

/** What a reader prints. */
interface Says {
  readonly seconds: number;
  readonly peakKiB: number;
  readonly processes: number;
  /** Ours only, as the rest. */
  readonly reverseSeconds: number;
  readonly vmas: number;
  readonly entries: number;
  readonly frames: number;
}

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly says: Says;
}

if (process.argv.includes(TAKE)) takeOne();
else if (process.getuid?.() !== 0) console.log('host: needs root, for frame numbers');
else await compare();

/** In a process of its own: its peak is that of one snapshot. */
function takeOne(): void {
  const start = performance.now();
  const snapshot = new LiveHost().snapshot();
  const taken = performance.now();
  const reverse = new ReverseMap(snapshot);
  const { processes, vmas, entries, frames, changes } = snapshot;
  console.log(
    JSON.stringify({
      seconds: (performance.now() - start) / 1e3,
      reverseSeconds: (performance.now() - taken) / 1e3,
      processes: processes.length,
      vmas: vmas.count,
      entries: entries.count,
      frames: frames?.count ?? 0,
      gone: changes.processesGone,
      mappedByOf: reverse.entriesOf(1).length,
      peakKiB: process.resourceUsage().maxRSS,
    }),
  );
}

async function compare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'revmap-bench-'));
  const reader = join(folder, 'host_reader');
  const { status, stderr } = spawnSync('cc', ['-O2', '-o', reader, SOURCE], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cc: ${stderr}`);
  const file = join(folder, 'shared');
  writeFileSync(file, new Uint8Array(FILE_BYTES).fill(1));
  const groups = Math.max(1, Math.ceil((PROCESSES - processCount()) / (CHILDREN + 1)));
  const crowd = spawn(reader, ['--crowd', String(groups), String(CHILDREN), file], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  try {
    await crowded(crowd);
    const runs = { ours: [] as Run[], c: [] as Run[] };
    for (let round = 0; round < ROUNDS; round++) {
      runs.c.push(timed(reader, []));
      runs.ours.push(timed(process.execPath, [process.argv[1]!, TAKE]));
      refuseWithoutCrowd(crowd, Math.min(runs.c.at(-1)!.says.processes, runs.ours.at(-1)!.says.processes));
    }
    report(runs.ours, runs.c);
  } finally {
    crowd.stdin.end();
    if (crowd.exitCode === null && crowd.signalCode === null) await once(crowd, 'exit');
    rmSync(folder, { recursive: true });
  }
}

/** Until all of them are there and have written to their heaps. */
async function crowded(crowd: ChildProcess): Promise<void> {
  for (let tries = 0; tries < CROWD_TRIES && processCount() < PROCESSES; tries++) await setTimeout(500);
  await setTimeout(4_000);
  refuseWithoutCrowd(crowd, processCount());
}

function refuseWithoutCrowd(crowd: ChildProcess, processes: number): void {
  if (crowd.exitCode === null && crowd.signalCode === null && processes >= PROCESSES) return;
  throw new Error(`the crowd is not there: ${processes} processes, not ${PROCESSES}`);
}

function processCount(): number {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
}

function timed(command: string, args: readonly string[]): Run {
  const script = 'TIMEFORMAT="%U %S %R"; time "$@"';
  const start = performance.now();
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script, 'bash', command, ...args], { encoding: 'utf8' });
  const seconds = (performance.now() - start) / 1e3;
  if (status !== 0) throw new Error(stderr);
  const [user, system] = stderr.trim().split('\n').at(-1)!.split(' ').map(Number) as [number, number];
  const says = JSON.parse(stdout) as Says;
  return { seconds, cpuSeconds: user + system, peakMiB: says.peakKiB / 1024, says };
}

function report(ours: readonly Run[], c: readonly Run[]): void {
  const { processes, vmas, entries, frames } = ours.at(-1)!.says;
  const n = (value: number) => value.toLocaleString('en');
  console.log(
    `${n(processes)} processes, ${n(vmas)} mappings, ${n(entries)} entries; ${n(frames)} frames (${((frames * 4096) / 2 ** 30).toFixed(0)} GiB)`,
  );
  row(['', 'seconds', 'best', 'CPU s', 'least', 'peak MiB']);
  for (const [name, runs] of [
    ['C, reading only', c],
    ['revmap, a process', ours],
  ] as const)
    row([
      name,
      median(runs, (r) => r.seconds).toFixed(2),
      least(runs, (r) => r.seconds).toFixed(2),
      median(runs, (r) => r.cpuSeconds).toFixed(2),
      least(runs, (r) => r.cpuSeconds).toFixed(2),
      median(runs, (r) => r.peakMiB).toFixed(0),
    ]);
  const inside = median(ours, (r) => r.says.seconds);
  console.log(
    `revmap without Node's start: ${inside.toFixed(2)} s, ${median(ours, (r) => r.says.reverseSeconds).toFixed(2)} s of it for the reverse map`,
  );
  const ratio = (number: typeof median, of: (run: Run) => number) => (number(ours, of) / number(c, of)).toFixed(2);
  const [seconds, cpu] = [(r: Run) => r.seconds, (r: Run) => r.cpuSeconds];
  console.log(
    `ratio: ${ratio(median, seconds)} of the time, ${ratio(median, cpu)} of the CPU (medians of ${ROUNDS} rounds in turns); ` +
      `${ratio(least, seconds)} and ${ratio(least, cpu)} (the best)`,
  );
}

function least(runs: readonly Run[], of: (run: Run) => number): number {
  return Math.min(...runs.map(of));
}

function median(runs: readonly Run[], of: (run: Run) => number): number {
  const sorted = runs.map(of).sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

function row(cells: readonly string[]): void {
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(20) : cell.padStart(10))).join(''));
}
