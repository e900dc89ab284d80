/**
 * Is a prediction near enough to what a real kernel did? The rule, and both numbers side by side.
 *
 * Owns      the rule. A limit was measured several times, in several boots: the target is the range of these runs, widened.
 *
 *   program                          counter                   the range may be missed by
 *   one process, no files of size    pswpin, pswpout           5 % or 60 pages
 *                                    pgscan                    10 %
 *                                    workingset_activate_anon  20 %
 *   any other                        all of these              10 % or 100 pages
 *
 * Promises  Limits that are the same number of pages are the same limit; so are modes that are spelled the same.
 */
import type { Survey } from '../trace/survey.ts';
import { formatMode, type TruthMode, type TruthRow } from '../trace/truth.ts';
import type { Counters } from './counters.ts';

/** `anonymous`: one process that uses anonymous memory only. */
export type ProgramKind = 'anonymous' | 'any';

type Count = (row: TruthRow) => number | null;

interface Judged {
  name: string;
  measured: Count;
  /** Share and pages by which the range may be missed. */
  slack: Readonly<Record<ProgramKind, readonly [share: number, pages: number]>>;
}

/** Of a recording: does nothing but its own memory matter? */
export function programKind(processes: number, survey: Survey): ProgramKind {
  return processes === 1 && survey.files.every(({ kind }) => kind === 'outside') ? 'anonymous' : 'any';
}

const ANY = [0.1, 100] as const;
const of = (row: TruthRow, name: string): number | null => row.counts[name] ?? null;

const JUDGED: readonly Judged[] = [
  { name: 'pswpin', measured: (row) => of(row, 'pswpin'), slack: { anonymous: [0.05, 60], any: ANY } },
  { name: 'pswpout', measured: (row) => of(row, 'pswpout'), slack: { anonymous: [0.05, 60], any: ANY } },
  {
    name: 'pgscan',
    measured: (row) => of(row, 'm.pgscan') ?? sum(of(row, 'pgscan_anon'), of(row, 'pgscan_file')),
    slack: { anonymous: [0.1, 0], any: ANY },
  },
  {
    name: 'workingset_activate_anon',
    measured: (row) => of(row, 'm.workingset_activate_anon') ?? of(row, 'workingset_activate_anon'),
    slack: { anonymous: [0.2, 0], any: ANY },
  },
];

function sum(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

const ALSO_MEASURED: Readonly<Record<string, (row: TruthRow) => number | null>> = {
  pgmajfault: (row) => of(row, 'm.pgmajfault') ?? of(row, 'pgmajfault'),
};

/** Smallest and largest of the runs; null if nobody counted it. */
export function rangeOf(rows: readonly TruthRow[], name: string): { low: number; high: number; runs: number } | null {
  const measured = ALSO_MEASURED[name] ?? JUDGED.find((each) => each.name === name)?.measured;
  const values = rows.map((row) => measured?.(row) ?? null).filter((value) => value !== null);
  if (values.length === 0) return null;
  return { low: Math.min(...values), high: Math.max(...values), runs: values.length };
}

/** All runs of one mode under one limit. */
export interface MeasuredPoint {
  mode: TruthMode;
  /** null: none. */
  limitBytes: number | null;
  rows: TruthRow[];
}

/** By mode, and in it from the widest limit to the narrowest. */
export function pointsOf(rows: readonly TruthRow[]): MeasuredPoint[] {
  const points = new Map<string, MeasuredPoint>();
  for (const row of rows) {
    const key = `${formatMode(row.mode, true)} ${row.limitBytes}`;
    const point = points.get(key) ?? { mode: row.mode, limitBytes: row.limitBytes, rows: [] };
    point.rows.push(row);
    points.set(key, point);
  }
  const modes = [...new Set(rows.map((row) => formatMode(row.mode, true)))];
  const width = (point: MeasuredPoint) => point.limitBytes ?? Number.POSITIVE_INFINITY;
  return [...points.values()].sort(
    (a, b) =>
      modes.indexOf(formatMode(a.mode, true)) - modes.indexOf(formatMode(b.mode, true)) || compare(width(b), width(a)),
  );
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

export interface Verdict {
  name: string;
  /** Of the runs. */
  low: number;
  high: number;
  runs: number;
  predicted: number;
  /** How far outside the range; 0 inside. */
  off: number;
  allowed: number;
  within: boolean;
}

/** One verdict for each counter that was measured. */
export function judge(kind: ProgramKind, rows: readonly TruthRow[], counters: Counters): Verdict[] {
  return JUDGED.flatMap(({ name, slack }) => {
    const range = rangeOf(rows, name);
    const predicted = counters[name] ?? null;
    if (range === null || predicted === null) return [];
    const { low, high } = range;
    const off = predicted < low ? predicted - low : Math.max(0, predicted - high);
    const [share, pages] = slack[kind];
    const allowed = Math.floor(Math.max(pages, share * (off < 0 ? low : high)));
    return [{ name, ...range, predicted, off, allowed, within: Math.abs(off) <= allowed }];
  });
}
