/**
 * How far to trust an answer: what the replay could not do as recorded, and what no replay can know.
 *
 * Owns      the sentences. The figures of accuracy are the rule by which the engine is held to real kernels (truth.ts); bench/accuracy.ts
 *           prints who is within it.
 */
import { NOISE_PAGES, NOISE_SHARE } from './alternatives.ts';
import { formatSize } from './options.ts';
import type { RunResult, SweepResult } from './result.ts';
import { limitOf, majorFaults, THRASHES_AT } from './terms.ts';

/** What went otherwise than recorded, a line each; none if nothing did. */
export function replayDoubts(run: RunResult): string[] {
  const said: string[] = [];
  if (run.syscalls_different > 0) {
    const first = run.differences.map((d) => `${d.call}: recorded ${d.recorded}, here ${d.here}`);
    said.push(
      `${grouped(run.syscalls_different)} of ${grouped(run.syscalls)} system calls gave another result than recorded: ${first.join('; ')}`,
    );
  }
  const unknown = Object.entries(run.syscalls_unknown);
  if (unknown.length > 0)
    said.push(`not replayed: ${unknown.map(([name, n]) => `${name} (${grouped(n)})`).join(', ')}`);
  if (run.unseen_pages > 0)
    said.push(`${count(run.unseen_pages, 'page')} that nothing had mapped: anonymous memory was put there`);
  if (run.refused_accesses > 0)
    said.push(`${count(run.refused_accesses, 'access', 'accesses')} met a signal and were left out`);
  if (run.processes_unstarted > 0)
    said.push(`${count(run.processes_unstarted, 'process', 'processes')} in the recording that nobody forks`);
  return said;
}

/** The same for the advice as a whole. */
export function uncertainty(sweep: SweepResult): string[] {
  const { unlimited } = sweep;
  return [
    accuracy(unlimited),
    ...steepness(sweep),
    ...disagreement(sweep),
    ...killing(sweep),
    ...prices(sweep),
    'One recording of one run: another input, or the same with other work beside it, has another curve. At its start no file is in the page cache.',
    ...(sweep.recorded?.unseen ?? []),
    ...replayDoubts(unlimited).map((text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`),
  ];
}

/** What `npm run bench:accuracy` counts, by hand; test/bundled.test.ts holds the shares. */
function accuracy({ kernel, machine }: RunResult): string {
  const elsewhere =
    kernel === '6.1'
      ? ''
      : ` ${kernel} is held to what that kernel does to memory programs, not to counts under a limit.`;
  const counts = machine.mglru
    ? '9 of 10 counts of swap traffic and scanned pages lie'
    : 'of 90 counts of swap traffic and scanned pages all but one lie';
  const rest = machine.mglru ? '; the others, most at narrow limits, are farther off' : '';
  return (
    `Measured on Linux 6.1 with eight programs: ${counts} within ${100 * NOISE_SHARE} % or ${NOISE_PAGES} pages of the range ` +
    `over several boots${rest} (npm run bench:accuracy).${elsewhere}`
  );
}

/** Where boots disagree: a few pages decide between few faults and many. */
function steepness({ unlimited, runs, refined, advice }: SweepResult): string[] {
  const { smallest_limit: smallest } = advice;
  if (smallest === null || smallest.fails_at_bytes === null) return [];
  const near = [...runs, ...refined].filter((run) => {
    const share = limitOf(run) / smallest.limit_bytes;
    return share < 1 && share >= 1 - NOISE_SHARE;
  });
  const below = near.sort((a, b) => limitOf(a) - limitOf(b))[0];
  if (below === undefined || below.status !== 'exited') return [];
  const more = majorFaults(below) - smallest.major_faults;
  const lost = smallest.limit_bytes - limitOf(below);
  if (more <= Math.max(NOISE_PAGES, NOISE_SHARE * majorFaults(unlimited))) return [];
  return [
    `The curve is steep there: ${formatSize(lost)} less make ${count(more, 'more major fault', 'more major faults')}. ` +
      'On such a slope a few pages decide, and boots of a real kernel disagree.',
  ];
}

/** Where the runs on a real kernel differ from each other by more than the noise. */
function disagreement({ truth }: SweepResult): string[] {
  if (truth === null) return [];
  return truth.points.flatMap(({ limit_bytes, runs, counters }) => {
    const spread = counters.find(({ low, high }) => high - low > Math.max(NOISE_PAGES, NOISE_SHARE * high));
    if (spread === undefined || limit_bytes === null) return [];
    const { name, low, high } = spread;
    return [
      `In ${formatSize(limit_bytes)} the real kernel itself disagrees: ${name} ${grouped(low)} to ${grouped(high)} in ${runs} runs.`,
    ];
  });
}

function killing({ runs, refined }: SweepResult): string[] {
  const all = [...runs, ...refined].sort((a, b) => limitOf(b) - limitOf(a));
  const killed = all.find((run) => run.status === 'oom-killed');
  const last = all.at(-1);
  if (last === undefined) return [];
  if (killed === undefined)
    return [`Nothing was killed down to ${formatSize(limitOf(last))}, the narrowest limit replayed.`];
  const alive = all[all.indexOf(killed) - 1];
  return [
    alive === undefined
      ? `It is killed in ${formatSize(limitOf(killed))} already, the widest limit replayed.`
      : `Between ${formatSize(limitOf(alive))} and ${formatSize(limitOf(killed))} the OOM killer begins to end it; where exactly depends on what reclaim finds at that moment.`,
  ];
}

/** Whether another price list would put the thrashing point elsewhere. */
function prices({ unlimited, runs, refined }: SweepResult): string[] {
  const own = unlimited.estimate.seconds;
  const ended = [...runs, ...refined].filter((run) => run.status === 'exited').sort((a, b) => limitOf(b) - limitOf(a));
  const thrashesAt = (factor: number) =>
    ended.find((run) => factor * (run.estimate.seconds - own) >= (THRASHES_AT - 1) * own);
  const [cheap, dear] = [thrashesAt(0.5), thrashesAt(2)];
  const stated = 'Counts are replayed, times are estimated from them by stated prices (src/mm/costs.ts)';
  if (dear === undefined)
    return [`${stated}; with prices twice as high it would not thrash in any of the limits either.`];
  const half = cheap === undefined ? 'at none of the limits' : `at ${formatSize(limitOf(cheap))}`;
  return [
    `${stated}; with prices half as high it would thrash ${half}, with prices twice as high at ${formatSize(limitOf(dear))}.`,
  ];
}

function grouped(n: number): string {
  return n.toLocaleString('en');
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${grouped(n)} ${n === 1 ? one : many}`;
}
