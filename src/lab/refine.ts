/**
 * Where exactly a rule stops to hold: between two limits that were replayed, by bisection with more replays.
 *
 * Promises  1. What is found was replayed on both sides: at `holds` the rule holds, at `fails` it does not, and between them
 *              lie at most 1 % of the limit or 16 pages, whichever is more.
 *           2. It needs as many replays as there are halvings between the two, three to eight in practice. Where the limits asked
 *              for do not enclose the place, it looks wider (up to twice the peak) or narrower (down to 64 pages) first.
 *
 * A curve that goes up and down has several such places; the widest limit at which the rule fails among those replayed chooses.
 */
import type { RunResult } from './result.ts';
import { boundary, limitOf, type Rule } from './terms.ts';

const PAGE = 4096;
export const PRECISION_SHARE = 0.01;
export const PRECISION_PAGES = 16;
/** Limits above the peak of the run without one, where even the peak is not enough: the kernel needs room to work, too. */
const WIDER = [1, 1.25, 1.5, 2];
const LEAST_PAGES = 64;

export type ReplayAt = (limitBytes: number) => Promise<RunResult>;

export interface Found {
  /** The narrowest limit at which the rule was seen to hold; null if it held at none. */
  holds: RunResult | null;
  /** The widest narrower one at which it was seen not to; null if it held at all. */
  fails: RunResult | null;
  /** Made for this, in the order in which they were made. */
  replays: RunResult[];
}

export async function findBoundary(
  unlimited: RunResult,
  runs: readonly RunResult[],
  rule: Rule,
  replay: ReplayAt,
): Promise<Found> {
  const replays: RunResult[] = [];
  const at = async (pages: number): Promise<RunResult> => {
    const limitBytes = pages * PAGE;
    const known = [...runs, ...replays].find((run) => run.limit_bytes === limitBytes);
    if (known !== undefined) return known;
    const run = await replay(limitBytes);
    replays.push(run);
    return run;
  };
  let { holds, fails } = boundary(runs, unlimited, rule);
  const peak = Math.ceil(unlimited.peak_bytes / PAGE);
  for (const factor of WIDER) {
    if (holds !== null) break;
    const pages = Math.ceil(factor * peak);
    if (fails !== null && pages * PAGE <= limitOf(fails)) continue;
    const run = await at(pages);
    if (rule(run, unlimited)) holds = run;
    else fails = run;
  }
  while (holds !== null && fails === null) {
    const pages = Math.floor(limitOf(holds) / PAGE / 2);
    if (pages < LEAST_PAGES) break;
    const run = await at(pages);
    if (rule(run, unlimited)) holds = run;
    else fails = run;
  }
  while (holds !== null && fails !== null) {
    const high = Math.floor(limitOf(holds) / PAGE);
    const low = Math.floor(limitOf(fails) / PAGE);
    if (high - low <= Math.max(PRECISION_PAGES, PRECISION_SHARE * high)) break;
    const run = await at(Math.floor((high + low) / 2));
    if (rule(run, unlimited)) holds = run;
    else fails = run;
  }
  return { holds, fails, replays };
}
