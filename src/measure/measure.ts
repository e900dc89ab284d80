/**
 * The measurement: boot after boot, under every setting first without a limit, then under each limit.
 *
 * Owns      the order of the runs, and which of the kernel's numbers stand in which column of a truth table.
 * Promises  1. Limits are shares of the first run without a limit, and stay the same in every boot.
 *           2. Before anything is counted the program has run once in each boot, as it had before it was recorded.
 *           3. Every run is told as soon as it is there, so that an interrupt loses only the one under way.
 */
import { majorFaultsAllowed } from '../lab/terms.ts';
import type { TruthMode, TruthRow } from '../trace/truth.ts';
import { TRUTH_COUNTS } from '../trace/truth.ts';
import type { Answer, Question } from './guest.ts';
import { limitsFor, type MeasureLimits } from './plan.ts';

/** Whoever can run the program: a machine that was booted, or the computer at hand. */
export interface Bench {
  ask(question: Question): Promise<Answer>;
  stop(): Promise<void>;
}

export interface MeasureOptions {
  program: string;
  kernel: string;
  modes: readonly TruthMode[];
  limits: MeasureLimits;
  /** Look for the smallest limit, too. */
  smallest: boolean;
  repeat: number;
  swapBytes: number;
  /** On the computer at hand: the swap that is on, or one of our own. */
  hostSwap: 'keep' | 'zram' | 'disk';
  timeoutSeconds: number;
}

export interface Step {
  boot: number;
  mode: TruthMode;
  /** null: no limit. */
  limitBytes: number | null;
  /** Runs that are done, and how many are known to come. */
  done: number;
  of: number;
}

export async function measure(
  options: MeasureOptions,
  boot: () => Promise<Bench>,
  onRow: (row: TruthRow, answer: Answer) => void,
  onStep: (step: Step) => void,
): Promise<TruthRow[]> {
  const rows: TruthRow[] = [];
  const { modes, repeat } = options;
  let limits: number[] | null = null;
  for (let number = 1; number <= repeat; number++) {
    const bench = await boot();
    try {
      const run = async (mode: TruthMode, limitBytes: number | null): Promise<TruthRow> => {
        const of = repeat * modes.length * (1 + (limits?.length ?? 1));
        onStep({ boot: number, mode, limitBytes, done: rows.length, of: Math.max(of, rows.length + 1) });
        const answer = await bench.ask(questionOf(options, mode, limitBytes));
        const row = rowOf(options, mode, limitBytes, number, answer);
        rows.push(row);
        onRow(row, answer);
        return row;
      };
      // What a program leaves on the disk when it runs for the first time (caches of its own) is not measured.
      if (modes[0] !== undefined) await bench.ask(questionOf(options, modes[0], null));
      for (const mode of modes) {
        const unlimited = await run(mode, null);
        limits ??= limitsFor(options.limits, peakOf(unlimited));
        for (const limit of limits) await run(mode, limit);
        if (options.smallest)
          await smallestLimit(peakOf(unlimited), async (limit) => isFine(await run(mode, limit), unlimited));
      }
    } finally {
      await bench.stop();
    }
  }
  return rows;
}

function questionOf(options: MeasureOptions, mode: TruthMode, limitBytes: number | null): Question {
  const { timeoutSeconds, swapBytes } = options;
  const { device, ...settings } = mode;
  const swap = device === 'host' ? options.hostSwap : device;
  return { limitBytes, timeoutSeconds, swap, swapBytes, ...settings };
}

/** Columns that the guest calls otherwise than /proc/vmstat does. */
function guestName(column: string): string {
  if (/^m\.(max|failcnt|oom_kill)$/.test(column)) return column.replace('m.', 'e.');
  return PLAIN.has(column) || column.startsWith('m.') ? column : `v.${column}`;
}
const PLAIN: ReadonlySet<string> = new Set(['ms', 'maxrss_kib', 'minflt', 'majflt']);

/** A counter that the kernel does not have is null. */
function rowOf(
  options: MeasureOptions,
  mode: TruthMode,
  limitBytes: number | null,
  boot: number,
  { status, counts }: Answer,
): TruthRow {
  const { program, kernel } = options;
  const counted = Object.fromEntries(TRUTH_COUNTS.map((name) => [name, counts.get(guestName(name)) ?? null]));
  counted['peak_kib'] = Math.floor((counts.get('peak') ?? 0) / 1024);
  return { program, mode, limitBytes, status, boot, kernel, counts: counted };
}

/** Major faults as the cgroup counts them; of the whole machine where it does not. */
export function majorFaults(row: TruthRow): number {
  return row.counts['m.pgmajfault'] ?? row.counts['pgmajfault'] ?? 0;
}

/** The search ends when the two sides are so near. */
const NEAR = 0.01;

/**
 * The smallest limit that is fine, by bisection between a tenth of the peak and the peak, to a hundredth.
 * Near the answer faults jump by more than one run differs from the next, so one run a step is enough.
 */
export async function smallestLimit(
  peakBytes: number,
  fine: (limitBytes: number) => Promise<boolean>,
): Promise<number> {
  let low = pages(peakBytes / 10);
  let high = pages(peakBytes);
  while (high - low > NEAR * high) {
    const middle = pages((low + high) / 2);
    if (await fine(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** In the advice's sense (lab/terms.ts): little more major faults than without a limit. */
export function isFine(row: TruthRow, unlimited: TruthRow): boolean {
  return row.status === unlimited.status && majorFaults(row) <= majorFaultsAllowed(majorFaults(unlimited));
}

function peakOf(unlimited: TruthRow): number {
  return (unlimited.counts['peak_kib'] ?? 0) * 1024;
}

function pages(bytes: number): number {
  return Math.floor(bytes / 4096) * 4096;
}
