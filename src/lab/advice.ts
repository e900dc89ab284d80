/**
 * From a curve to one sentence: how small may the memory be, and why not smaller.
 *
 * Owns      the words `fits`, `slows down` and `thrashes`.
 * Promises  1. Only measured limits are named, and each reason carries its numbers.
 *           2. An answer that the measured limits cannot give is not given.
 *
 *   fits        no swap-in, no refault and no major fault beyond those of the run without a limit
 *   slows down  some pages come back, but the memory that is in use stays; the narrowest limit at which this takes no more than a
 *               fiftieth of the time is named
 *   thrashes    the pages read back are more than the memory the program needs: everything was read again, once at least;
 *               or the OOM killer ended it
 */
import { formatSize } from './options.ts';
import type { Advice, RunResult } from './result.ts';
import { refaults } from './terms.ts';

const PAGE = 4096;
/** A loss that few would notice. */
const HARDLY = 1.02;

/** `runs` from the widest limit to the narrowest. */
export function adviseOn(unlimited: RunResult, runs: readonly RunResult[]): Advice {
  const needs = unlimited.peak_bytes;
  let fits: RunResult | null = null;
  for (const run of runs) {
    if (!fitsIn(run, unlimited)) break;
    fits = run;
  }
  const bad = runs.find((run) => thrashes(run, unlimited)) ?? null;
  const below = bad === null ? runs : runs.slice(0, runs.indexOf(bad));
  const knee = bad === null ? null : (below.at(-1) ?? null);
  const reasons: string[] = [];
  if (fits !== null && limitOf(fits) < needs) {
    reasons.push(
      `At its peak it holds ${formatSize(needs)}; in ${formatSize(limitOf(fits))} nothing has to be read back, ` +
        `because the rest was used once (${fits.work.pages_scanned} pages looked at, ${fits.work.pages_reclaimed} dropped).`,
    );
  }
  const first = runs[fits === null ? 0 : runs.indexOf(fits) + 1];
  if (first !== undefined && first !== bad)
    reasons.push(`${formatSize(limitOf(first))}: ${whySlower(first, unlimited)}`);
  if (bad !== null) reasons.push(`${formatSize(limitOf(bad))}: ${whyBad(bad, unlimited)}`);
  return {
    headline: headline(needs, fits, knee, bad, runs, hardlySlower(unlimited, runs, fits)),
    reasons,
    fits_bytes: fits === null ? null : limitOf(fits),
    knee_bytes: knee === null ? null : limitOf(knee),
  };
}

function headline(
  needs: number,
  fits: RunResult | null,
  knee: RunResult | null,
  bad: RunResult | null,
  runs: readonly RunResult[],
  slower: string,
): string {
  if (runs.length === 0) return `needs ${formatSize(needs)} at its peak; no limit was tried`;
  const said =
    fits === null
      ? `fits in none of these limits without reading pages back (its peak is ${formatSize(needs)})`
      : `fits in ${formatSize(limitOf(fits))}${slower}`;
  const last = runs.at(-1)!;
  if (bad === null) return `${said}; down to ${formatSize(limitOf(last))} it does not thrash`;
  const killed = bad.status === 'oom-killed';
  const what = killed ? 'it is killed' : 'it thrashes';
  const where = knee === null ? `already in ${formatSize(limitOf(bad))}` : `below ${formatSize(limitOf(knee))}`;
  return `${said}; ${where} ${what}, because ${shortReason(bad, needs)}`;
}

/** The narrowest limit below the one that fits at which the program loses next to nothing. */
function hardlySlower(unlimited: RunResult, runs: readonly RunResult[], fits: RunResult | null): string {
  let found: RunResult | null = null;
  for (const run of runs) {
    if (thrashes(run, unlimited) || run.estimate.seconds > HARDLY * unlimited.estimate.seconds) break;
    found = run;
  }
  if (found === null || fits === null || limitOf(found) >= limitOf(fits)) return '';
  const percent = 100 * (found.estimate.seconds / unlimited.estimate.seconds - 1);
  return `, and in ${formatSize(limitOf(found))} it takes only ${percent.toFixed(1)} % longer`;
}

function shortReason(run: RunResult, needs: number): string {
  if (run.status === 'oom-killed') return 'nothing more can be reclaimed there and the OOM killer ends it';
  const pages = refaults(run);
  return `in ${formatSize(limitOf(run))} its working set no longer fits and ${formatSize(pages * PAGE)} are read back, ${times((pages * PAGE) / needs)} all it needs`;
}

function whySlower(run: RunResult, unlimited: RunResult): string {
  const parts: string[] = [];
  const swapIns = count(run, 'pswpin') - count(unlimited, 'pswpin');
  const fileRefaults = filesReadAgain(run) - filesReadAgain(unlimited);
  if (swapIns > 0) parts.push(`${swapIns} pages come back from swap (${perSecond(swapIns, run)})`);
  if (fileRefaults > 0) parts.push(`${fileRefaults} pages of files are read again`);
  if (parts.length === 0) parts.push(`${count(run, 'pgmajfault') - count(unlimited, 'pgmajfault')} more major faults`);
  const known = workingSet(run);
  return `${parts.join(', ')}${known === '' ? '' : `; ${known}`}.`;
}

function whyBad(run: RunResult, unlimited: RunResult): string {
  if (run.status === 'oom-killed') {
    const { anonymous, page_tables, kernel_stack, slab } = run.peak;
    return (
      `killed after ${run.events} of ${unlimited.events} page events; of its memory ${formatSize(anonymous)} were anonymous, ` +
      `${formatSize(page_tables + kernel_stack + slab)} the kernel's own, and swap had no room for more.`
    );
  }
  const { pages_scanned: scans, pages_reclaimed: freed } = run.work;
  const slower = run.estimate.seconds / unlimited.estimate.seconds;
  return (
    `${whySlower(run, unlimited).slice(0, -1)}; reclaim looks at ${(scans / Math.max(1, freed)).toFixed(1)} pages for each it frees, ` +
    `and the program would take ${times(slower)} its time.`
  );
}

/** What the refault distances say, where the kernel takes them: pages that would have stayed if there were a little more memory. */
function workingSet(run: RunResult): string {
  if (run.read_again !== null) return '';
  const all = refaults(run);
  const active = count(run, 'workingset_activate_anon') + count(run, 'workingset_activate_file');
  if (all === 0) return 'no page that was dropped was needed again';
  return `${Math.round((100 * active) / all)} % of them belong to the working set (their refault distance is within it)`;
}

function limitOf(run: RunResult): number {
  return run.limit_bytes ?? Number.POSITIVE_INFINITY;
}

function count(run: RunResult, name: string): number {
  return run.counters[name] ?? 0;
}

function filesReadAgain(run: RunResult): number {
  return run.read_again ?? count(run, 'workingset_refault_file');
}

function fitsIn(run: RunResult, unlimited: RunResult): boolean {
  const more = (name: string) => count(run, name) > count(unlimited, name);
  if (run.status !== 'exited') return false;
  return !more('pswpin') && !more('pgmajfault') && refaults(run) <= refaults(unlimited);
}

function thrashes(run: RunResult, unlimited: RunResult): boolean {
  return run.status === 'oom-killed' || refaults(run) * PAGE >= unlimited.peak_bytes;
}

function perSecond(pages: number, run: RunResult): string {
  return `${Math.round(pages / Math.max(1e-3, run.estimate.seconds))} a second`;
}

function times(factor: number): string {
  return `${factor.toFixed(1)} times`;
}
