/**
 * The words of the advice, as rules on results: smallest limit, same time, knee, thrashing point.
 *
 *   smallest limit    the narrowest limit at which, and at every wider one, the program runs to its end with at most 5 % more
 *                     major faults than without a limit, or 32 more if that is more
 *   same time         the same with the estimated time: at most 5 % more. It sees what no major fault counts: pages that read(2)
 *                     has to fetch again
 *   knee              where a little less memory begins to cost much: the point of the curve of pages that came back that lies
 *                     farthest below the straight line between its ends (Kneedle: Satopaa, Albrecht, Irwin, Raghavan 2011)
 *   thrashing point   the widest limit at which the program spends more time on having its memory moved than on its own work
 *                     (Denning 1968): it takes at least twice the time it takes without a limit, or the OOM killer ends it
 *
 * Why 32: the kernel takes pages back in clusters of SWAP_CLUSTER_MAX. Fewer faults than that are less than one of its
 * decisions, and 5 % of 40 faults are two.
 *
 * Owns      the rules and their numbers. `measure` applies the same to real kernels.
 * Promises  What is said of a limit was replayed there; between two replays nothing is assumed.
 */
import type { RunResult } from './result.ts';

export const MORE_FAULTS_SHARE = 0.05;
export const MORE_FAULTS_LEAST = 32;
export const MORE_TIME_SHARE = 0.05;
/** Times of the time without a limit. */
export const THRASHES_AT = 2;

/** How many major faults still count as no more than `unlimited` of them. */
export function majorFaultsAllowed(unlimited: number): number {
  return unlimited + Math.max(MORE_FAULTS_LEAST, Math.floor(MORE_FAULTS_SHARE * unlimited));
}

export function majorFaults(run: RunResult): number {
  return run.counters['pgmajfault'] ?? run.faults.major;
}

/** Pages that were evicted and came back: as the kernel counts them, or as the replay saw it where it does not. */
export function refaults({ counters, read_again }: RunResult): number {
  const count = (name: string) => counters[name] ?? 0;
  if (read_again !== null) return count('pswpin') + read_again;
  return count('workingset_refault_anon') + count('workingset_refault_file');
}

export type Rule = (run: RunResult, unlimited: RunResult) => boolean;

export const hasFewFaults: Rule = (run, unlimited) =>
  run.status === 'exited' && majorFaults(run) <= majorFaultsAllowed(majorFaults(unlimited));

export const takesTheTime: Rule = (run, unlimited) =>
  run.status === 'exited' && run.estimate.seconds <= (1 + MORE_TIME_SHARE) * unlimited.estimate.seconds;

export const doesNotThrash: Rule = (run, unlimited) =>
  run.status === 'exited' && run.estimate.seconds < THRASHES_AT * unlimited.estimate.seconds;

export function limitOf(run: RunResult): number {
  return run.limit_bytes ?? Number.POSITIVE_INFINITY;
}

/** The last run for which the rule holds, coming from the widest limit, and the first for which it does not. */
export function boundary(
  runs: readonly RunResult[],
  unlimited: RunResult,
  rule: Rule,
): { holds: RunResult | null; fails: RunResult | null } {
  const sorted = [...runs].sort((a, b) => limitOf(b) - limitOf(a));
  const at = sorted.findIndex((run) => !rule(run, unlimited));
  const holds = at < 0 ? sorted.at(-1) : sorted[at - 1];
  return { holds: holds ?? null, fails: sorted[at] ?? null };
}

/** A bend of less is none: a tenth of the height of the curve. */
const LEAST_BEND = 0.1;
const LEAST_POINTS = 4;

/**
 * The run at the knee; null if the curve has no bend, or too few points to tell. The curve ends at the peak of the run without a
 * limit on one side, and on the other at the narrowest limit at which the program neither thrashes nor is killed, or the one after it.
 */
export function kneeOf(unlimited: RunResult, runs: readonly RunResult[]): RunResult | null {
  const { fails } = boundary(runs, unlimited, doesNotThrash);
  const floor = fails === null ? 0 : limitOf(fails);
  const points = runs
    .filter((run) => run.status === 'exited' && limitOf(run) >= floor && limitOf(run) < unlimited.peak_bytes)
    .map((run) => ({ run, x: limitOf(run), y: refaults(run) }));
  const left = Math.min(...points.map(({ x }) => x));
  const top = Math.max(...points.map(({ y }) => y));
  const width = unlimited.peak_bytes - left;
  const bottom = refaults(unlimited);
  if (points.length + 1 < LEAST_POINTS || top - bottom <= MORE_FAULTS_LEAST || width <= 0) return null;
  let knee: RunResult | null = null;
  let deepest = LEAST_BEND;
  for (const { run, x, y } of points) {
    const below = 1 - (x - left) / width - (y - bottom) / (top - bottom);
    if (below <= deepest) continue;
    deepest = below;
    knee = run;
  }
  return knee;
}
