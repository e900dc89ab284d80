/**
 * What a real kernel did with recorded programs, and how near the engine must come.
 *
 * Owns      the rule. Rows of the modes z-n-3 and z-y-3: Debian's 6.1 in an emulator with one CPU and 384 MiB, zram, classic LRU
 *           (n) or generations (y), swappiness 60, page-cluster 3, cgroup v2, caches dropped and swap made anew before each run
 *           (oracle/README.md).
 * Promises  A limit was measured several times; the engine is held to the range of these, widened. Limits that are the same
 *           number of pages are the same limit.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Programs with a recording and measurements; where the recording is. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  zipf: 'examples/zipf.rvm.gz',
  sqlite: 'examples/sqlite.rvm.gz',
  seq: 'oracle/programs/seq.rvm.gz',
  phase: 'oracle/programs/phase.rvm.gz',
  forkcow: 'oracle/programs/forkcow.rvm.gz',
  filescan: 'oracle/programs/filescan.rvm.gz',
  mmapfile: 'oracle/programs/mmapfile.rvm.gz',
};

/** How the measured kernel sorted its pages, and what is compared. */
export interface Mode {
  /** As the tables call it. */
  readonly name: string;
  readonly mglru: boolean;
  readonly counters: readonly { readonly name: string; readonly column: string }[];
}

const COUNTERS = [
  { name: 'pswpin', column: 'pswpin' },
  { name: 'pswpout', column: 'pswpout' },
  { name: 'pgscan', column: 'm.pgscan' },
];
const PROTECTED = { name: 'workingset_activate_anon', column: 'workingset_activate_anon' };

export const CLASSIC: Mode = { name: 'z-n-3', mglru: false, counters: COUNTERS };
export const MGLRU: Mode = { name: 'z-y-3', mglru: true, counters: [...COUNTERS, PROTECTED] };

/** One process and no files: their activations repeat well enough to be compared. */
const LONE_ANONYMOUS = new Set(['zipf', 'seq', 'phase']);

export interface Measured {
  limitBytes: number;
  /** Per counter: the smallest and the largest of the runs. */
  ranges: { name: string; low: number; high: number; runs: number }[];
}

export interface Verdict {
  name: string;
  low: number;
  high: number;
  runs: number;
  engine: number;
  /** How far outside the range; 0 inside. */
  off: number;
  allowed: number;
  within: boolean;
}

export function here(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** The measured limits of a program, the widest first. */
export function truthOf(program: string, mode: Mode = CLASSIC): Measured[] {
  const [head = '', ...lines] = readFileSync(here(`oracle/truth/${program}.truth.tsv`), 'utf8')
    .trimEnd()
    .split('\n');
  const names = head.split('\t');
  const byPages = new Map<number, Record<string, string>[]>();
  for (const line of lines) {
    const row: Record<string, string> = Object.fromEntries(line.split('\t').map((value, i) => [names[i]!, value]));
    if (row['mode'] !== mode.name) continue;
    const pages = Math.floor(Number(row['limit_kib']) / 4);
    byPages.set(pages, [...(byPages.get(pages) ?? []), row]);
  }
  return [...byPages]
    .sort((a, b) => b[0] - a[0])
    .map(([pages, rows]) => ({
      limitBytes: pages * 4096,
      ranges: countersFor(program, mode).map(({ name, column }) => {
        const values = rows.map((row) => Number(row[column]));
        return { name, low: Math.min(...values), high: Math.max(...values), runs: rows.length };
      }),
    }));
}

function countersFor(program: string, { counters }: Mode): Mode['counters'] {
  return LONE_ANONYMOUS.has(program) ? counters : counters.filter((counter) => counter !== PROTECTED);
}

/**
 * zipf repeats within half a percent: swap traffic within 5 % or 60 pages, pgscan within 10 %, all within 10 % at the widest
 * limit, which is 90 % of the peak. The others differ between boots: within 10 % or 100 pages. Activations: within 20 %.
 */
export function judge(
  program: string,
  widest: boolean,
  measured: Measured,
  counters: Readonly<Record<string, number | null>>,
): Verdict[] {
  return measured.ranges.map(({ name, low, high, runs }) => {
    const engine = counters[name] ?? 0;
    const off = engine < low ? engine - low : Math.max(0, engine - high);
    const share = name === PROTECTED.name ? 0.2 : program === 'zipf' && !widest && name !== 'pgscan' ? 0.05 : 0.1;
    const pages = program === 'zipf' ? 60 : 100;
    const allowed = Math.floor(Math.max(pages, share * (off < 0 ? low : high)));
    return { name, low, high, runs, engine, off, allowed, within: Math.abs(off) <= allowed };
  });
}
