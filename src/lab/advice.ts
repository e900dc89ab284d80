/**
 * From a curve to an answer: how small may the memory be, what happens below, and why.
 *
 * Owns      the recommended limit, and every sentence of the advice. The rules behind the words are in terms.ts.
 * Promises  1. Each sentence carries its numbers, and each number was replayed.
 *           2. An answer that the replays cannot give is not given: what is null was not found.
 *
 *     set 13.6 MiB ◄── 10 % ── 12.4 MiB the smallest limit ── 9.7 MiB the knee ── 4.4 MiB it thrashes
 */
import { formatSize } from './options.ts';
import { PRECISION_PAGES, PRECISION_SHARE } from './refine.ts';
import type { Advice, LimitFound, RunResult } from './result.ts';
import {
  boundary,
  doesNotThrash,
  hasFewFaults,
  kneeOf,
  limitOf,
  MORE_TIME_SHARE,
  majorFaults,
  majorFaultsAllowed,
  refaults,
  takesTheTime,
} from './terms.ts';

const PAGE = 4096;
/** How far a predicted smallest limit may lie from the one that a real kernel shows: so much is added. */
export const MARGIN_SHARE = 0.1;

/** `runs` are those asked for, `refined` those that the bisection added. */
export function adviseOn(unlimited: RunResult, runs: readonly RunResult[], refined: readonly RunResult[] = []): Advice {
  const all = [...runs, ...refined].sort((a, b) => limitOf(b) - limitOf(a));
  const found = (rule: typeof hasFewFaults): Boundary => boundary(all, unlimited, rule);
  const smallest = found(hasFewFaults);
  const time = found(takesTheTime);
  const thrash = found(doesNotThrash);
  const knee = kneeOf(unlimited, all);
  const wanted = smallest.holds === null || time.holds === null ? null : wider(smallest.holds, time.holds);
  const recommended = wanted === null ? null : recommendedFor(limitOf(wanted), unlimited.peak_bytes);
  const described = (run: RunResult | null, fails: RunResult | null): LimitFound | null =>
    run === null ? null : describe(run, fails, refined.includes(run), unlimited);
  return {
    headline: headline(unlimited, all, wanted, recommended, thrash),
    reasons: [
      ...whySmallest(unlimited, smallest, time, thrash),
      ...whyKnee(unlimited, knee, smallest.holds),
      ...whyThrash(unlimited, thrash, all),
    ],
    recommended_limit_bytes: recommended,
    margin_share: MARGIN_SHARE,
    smallest_limit: described(smallest.holds, smallest.fails),
    same_time_limit: described(time.holds, time.fails),
    knee: described(knee, null),
    thrashing_point: described(thrash.fails, null),
    major_faults_allowed: majorFaultsAllowed(majorFaults(unlimited)),
  };
}

/** The margin of the peak is enough in any case, but where more than that was needed. */
function recommendedFor(limitBytes: number, peakBytes: number): number {
  return Math.min(withMargin(limitBytes), Math.max(withMargin(peakBytes), limitBytes));
}

/** In whole pages. */
function withMargin(limitBytes: number): number {
  const pages = limitBytes / PAGE;
  return (Math.ceil(pages) + Math.ceil(MARGIN_SHARE * pages)) * PAGE;
}

interface Boundary {
  holds: RunResult | null;
  fails: RunResult | null;
}

function wider(a: RunResult, b: RunResult): RunResult {
  return limitOf(a) >= limitOf(b) ? a : b;
}

function describe(run: RunResult, fails: RunResult | null, bisected: boolean, unlimited: RunResult): LimitFound {
  return {
    limit_bytes: limitOf(run),
    fails_at_bytes: fails?.limit_bytes ?? null,
    by_bisection: bisected || (fails !== null && isNear(run, fails)),
    status: run.status,
    major_faults: majorFaults(run),
    refaulted_pages: refaults(run),
    swapped_in_pages: run.counters['pswpin'] ?? 0,
    swapped_out_pages: run.counters['pswpout'] ?? 0,
    estimated_seconds: run.estimate.seconds,
    times_the_time: timesTheTime(run, unlimited),
  };
}

/** As near as a bisection comes. */
function isNear(holds: RunResult, fails: RunResult): boolean {
  const pages = (limitOf(holds) - limitOf(fails)) / PAGE;
  return pages <= Math.max(PRECISION_PAGES, (PRECISION_SHARE * limitOf(holds)) / PAGE);
}

function headline(
  unlimited: RunResult,
  all: readonly RunResult[],
  wanted: RunResult | null,
  recommended: number | null,
  thrash: Boundary,
): string {
  const peak = formatSize(unlimited.peak_bytes);
  if (all.length === 0) return `needs ${peak} at its peak; no limit was tried`;
  if (wanted === null || recommended === null) {
    const [widest] = all;
    return `${endOf(widest!, unlimited)} in ${formatSize(limitOf(widest!))}, the widest limit tried; its peak is ${peak}`;
  }
  const share = Math.round((100 * limitOf(wanted)) / unlimited.peak_bytes);
  const same = `runs in ${formatSize(limitOf(wanted))} as it does without a limit, ${share} % of its peak`;
  const below =
    thrash.fails === null
      ? `down to ${formatSize(limitOf(all.at(-1)!))} it does not thrash`
      : `in ${formatSize(limitOf(thrash.fails))} it ${thrash.fails.status === 'exited' ? 'thrashes' : 'is killed'}`;
  return `${same}; ${below}. Set ${formatSize(recommended)}: ${100 * MARGIN_SHARE} % more, as far as the prediction may be off`;
}

function endOf(run: RunResult, unlimited: RunResult): string {
  if (run.status === 'oom-killed') return 'is killed';
  return doesNotThrash(run, unlimited) ? 'has pages read back' : 'thrashes';
}

function whySmallest(unlimited: RunResult, smallest: Boundary, time: Boundary, thrash: Boundary): string[] {
  const said: string[] = [];
  const { holds, fails } = smallest;
  const without = majorFaults(unlimited);
  if (holds !== null) {
    const dropped = holds.work.pages_reclaimed;
    const why =
      limitOf(holds) < unlimited.peak_bytes && dropped > 0
        ? `: of the ${formatSize(unlimited.peak_bytes)} at its peak, ${count(dropped, 'page')} could be dropped and ${count(refaults(holds), 'page')} came back`
        : '';
    said.push(
      `${at(holds)}: ${count(majorFaults(holds), 'major fault')}, ${grouped(without)} without a limit ` +
        `(up to ${grouped(majorFaultsAllowed(without))} count as the same)${why}.`,
    );
  }
  // Where it thrashes is told below.
  if (fails !== null && fails !== thrash.fails)
    said.push(`${besides(fails, holds)}: ${whatHappens(fails, unlimited)}.`);
  if (holds !== null && time.holds !== null && limitOf(time.holds) < limitOf(holds)) {
    said.push(`Down to ${at(time.holds)} it takes at most ${100 * MORE_TIME_SHARE} % longer.`);
  }
  if (holds !== null && time.holds !== null && limitOf(time.holds) > limitOf(holds)) {
    const { fails: slow } = time;
    said.push(
      `Only from ${formatSize(limitOf(time.holds))} on does it take no longer` +
        `${slow === null ? '' : `; in ${formatSize(limitOf(slow))} it takes ${times(slow, unlimited)} its time: ${movedPages(slow, unlimited)}`}. ` +
        'Major faults do not show that: neither pages that read(2) fetches again, nor waits.',
    );
  }
  return said;
}

function whyKnee(unlimited: RunResult, knee: RunResult | null, smallest: RunResult | null): string[] {
  if (knee === null || (smallest !== null && limitOf(knee) >= limitOf(smallest))) return [];
  return [
    `${at(knee)} is the knee of the curve: ${movedPages(knee, unlimited)}, and it takes ${times(knee, unlimited)} its time; ` +
      'below, each page less costs more.',
  ];
}

function whyThrash(unlimited: RunResult, thrash: Boundary, all: readonly RunResult[]): string[] {
  const { fails } = thrash;
  if (fails === null) {
    const last = all.at(-1);
    return last === undefined
      ? []
      : [`${at(last)}, the narrowest tried: ${whatHappens(last, unlimited)}${effort(last)}.`];
  }
  return [`${at(fails)}: ${whatHappens(fails, unlimited)}${effort(fails)}.`];
}

/** How a limit that is too small shows. */
function whatHappens(run: RunResult, unlimited: RunResult): string {
  if (run.status === 'oom-killed') {
    const { anonymous, page_tables, kernel_stack, slab } = run.peak;
    return (
      `killed after ${grouped(run.events)} of ${grouped(unlimited.events)} page events; of its memory ${formatSize(anonymous)} were anonymous, ` +
      `${formatSize(page_tables + kernel_stack + slab)} the kernel's own, and swap had no room for more`
    );
  }
  return `${movedPages(run, unlimited)}, ${times(run, unlimited)} its time`;
}

/** What reclaim has to do for a page, and whether it takes what is in use. */
function effort(run: RunResult): string {
  const { pages_scanned: scanned, pages_reclaimed: freed } = run.work;
  if (run.status === 'oom-killed' || freed === 0) return '';
  return `${workingSet(run)}; reclaim looks at ${(scanned / freed).toFixed(1)} pages for each that it frees`;
}

/** `1,932 major faults, 1,794 pages come back from swap, 60 of files are read again`. */
function movedPages(run: RunResult, unlimited: RunResult): string {
  const parts = [count(majorFaults(run), 'major fault')];
  const swapIns = counted(run, 'pswpin') - counted(unlimited, 'pswpin');
  const files = filesReadAgain(run) - filesReadAgain(unlimited);
  if (swapIns > 0) parts.push(`${count(swapIns, 'page')} from swap`);
  if (files > 0) parts.push(`${count(files, 'page')} of files read again`);
  return parts.join(', ');
}

/** What the refault distances say, where the kernel takes them: pages that would have stayed if there were a little more memory. */
function workingSet(run: RunResult): string {
  const all = refaults(run);
  if (run.read_again !== null || all === 0) return '';
  const active = counted(run, 'workingset_activate_anon') + counted(run, 'workingset_activate_file');
  return `; ${Math.round((100 * active) / all)} % of what came back is its working set by its refault distance`;
}

function filesReadAgain(run: RunResult): number {
  return run.read_again ?? counted(run, 'workingset_refault_file');
}

function timesTheTime(run: RunResult, unlimited: RunResult): number {
  return run.estimate.seconds / Math.max(1e-9, unlimited.estimate.seconds);
}

function times(run: RunResult, unlimited: RunResult): string {
  return `${timesTheTime(run, unlimited).toFixed(2)} times`;
}

/** Where two limits look the same, how far apart they are. */
function besides(fails: RunResult, holds: RunResult | null): string {
  if (holds === null || at(holds) !== at(fails)) return at(fails);
  return `In ${formatSize(limitOf(holds) - limitOf(fails))} less`;
}

function at(run: RunResult): string {
  return formatSize(limitOf(run));
}

function counted(run: RunResult, name: string): number {
  return run.counters[name] ?? 0;
}

function grouped(n: number): string {
  return n.toLocaleString('en');
}

function count(n: number, what: string): string {
  return `${grouped(n)} ${what}${n === 1 ? '' : 's'}`;
}
