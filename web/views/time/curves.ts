/**
 * From samples to curves.
 *
 * Owns      which columns are drawn together, how counters become rates, and what tells curves apart: colour and dashes, never one alone.
 */
import type { SeriesAnswer } from '../../../src/view/time.ts';
import type { Group } from '../../../src/view/time_series.ts';
import { duration, grouped, plural } from '../../ui/format.ts';

export type Axis = 'clock' | 'step';

export interface Curve {
  readonly id: string;
  readonly says: string;
  readonly values: (number | null)[];
  /** Name of its colour in the style sheet. */
  readonly colour: string;
  readonly dash: readonly number[];
  /** A mark or a limit: one value from end to end. */
  readonly isLine: boolean;
}

const rate = (axis: Axis): string => (axis === 'clock' ? 'a millisecond' : 'a thousand steps');
export const TITLES: Readonly<Record<Group, { says: (axis: Axis) => string; why: string }>> = {
  faults: {
    says: (axis) => `Faults, ${rate(axis)}`,
    why: 'A fault is a page that a process touches and that has no entry. It is major if somebody has to wait for a disk.',
  },
  reclaim: {
    says: (axis) => `Reclaim, pages ${rate(axis)}`,
    why: 'Scanned: looked at at the tail of a list. Reclaimed: freed. Refault: it came back not long after.',
  },
  swap: {
    says: (axis) => `Swap, pages ${rate(axis)}`,
    why: 'Pages of no file that are written to swap and read again.',
  },
  free: {
    says: () => 'Free pages, and the watermarks',
    why: 'Below low kswapd wakes; below min whoever allocates reclaims himself; at high kswapd sleeps.',
  },
  usage: { says: () => 'Pages charged, and in swap', why: 'What the program’s cgroup is charged for, and its limit.' },
  lists: { says: () => 'Pages on the LRU lists', why: 'Reclaim takes from the tails of the inactive lists.' },
  rss: {
    says: () => 'Resident pages of each process',
    why: 'Pages that its page tables map: shared ones count for each.',
  },
  events: { says: () => 'Events', why: '' },
};

const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 3], [9, 3, 2, 3], [4, 4], [1, 4]];
const LINE_DASHES: Readonly<Record<string, readonly number[]>> = {
  min: [1, 3],
  low: [4, 3],
  high: [9, 4],
  limit: [9, 4],
};

const BENDS = 160;

/** `zone`: of the free pages, whose; '', or none of this machine: of the zone that has the most. */
export function curvesOf(series: SeriesAnswer, group: Group, axis: Axis, zone: string): Curve[] {
  let columns = series.columns.filter((column) => column.group === group);
  if (group === 'free') {
    const [most] = columns.toSorted((a, b) => Math.max(...b.values) - Math.max(...a.values));
    const shown = columns.find(({ id }) => id === zone) ?? most;
    columns = shown === undefined ? [] : [shown];
  }
  const x = axis === 'clock' ? series.clockNs : series.step;
  const unit = axis === 'clock' ? 1e6 : 1000;
  const curves: Curve[] = columns.map(({ id, says, counts, values }, n) => ({
    id,
    says,
    values: counts ? rates(values, x, unit) : [...values].map((value) => (Number.isNaN(value) ? null : value)),
    colour: `--p${n % 8}`,
    dash: DASHES[n % DASHES.length]!,
    isLine: false,
  }));
  for (const { id, says, pages } of series.lines.filter((line) => line.group === group)) {
    if (!columns.some((column) => column.id === id)) continue;
    const values = new Array<number>(series.step.length).fill(pages);
    curves.push({ id, says, values, colour: '--ink-2', dash: LINE_DASHES[says] ?? [4, 3], isLine: true });
  }
  return curves;
}

/** Over so many samples that a curve has a few hundred bends: more would be a band. */
function rates(values: Float64Array, x: Float64Array, unit: number): (number | null)[] {
  const span = Math.max(1, Math.ceil(values.length / BENDS));
  const rates: (number | null)[] = [];
  for (let n = 0; n < values.length; n++) {
    const from = Math.max(0, n - span);
    const width = (x[n]! - x[from]!) / unit;
    rates.push(width <= 0 ? (rates[n - 1] ?? 0) : (values[n]! - values[from]!) / width);
  }
  return rates;
}

/** The last sample up to a step. */
export function placeOf({ step }: SeriesAnswer, at: number): number {
  let row = 0;
  while (row + 1 < step.length && step[row + 1]! <= at) row += 1;
  return row;
}

export function summaryOf(series: SeriesAnswer): string {
  const last = (id: string): number | null => series.columns.find((column) => column.id === id)?.values.at(-1) ?? null;
  const count = (id: string, one: string, many?: string): string[] => {
    const value = last(id);
    return value === null ? [] : [plural(value, one, many)];
  };
  const parts = [
    ...count('minor_fault', 'minor fault'),
    ...count('major_fault', 'major fault'),
    ...count('scanned', 'page scanned', 'pages scanned'),
    ...count('eviction', 'page reclaimed', 'pages reclaimed'),
    ...count('refault', 'refault'),
    ...count('swap_out', 'page to swap', 'pages to swap'),
    ...count('swap_in', 'back', 'back'),
  ];
  const span = `${grouped(series.step.at(-1) ?? 0)} steps, ${duration(series.clockNs.at(-1)! - series.clockNs[0]!)}`;
  return `${series.done ? 'Whole run' : 'So far'} (${span}): ${parts.join(', ')}.`;
}
