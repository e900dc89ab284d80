/**
 * Where two machines part: the next step, or the last one, at which they do not do the same.
 *
 * Owns      what a parting is, and how it is looked for: both make the same window of steps, each in its worker, and what they did is
 *           laid side by side; windows grow.
 * Promises  The step that is found is the first (going back: the last) of its kind.
 *
 *   fault    one faults at a page, and the other does not
 *   major    both fault, or one: but only one calls it major
 *   evict    not the same file pages leave the page cache, or not as many pages are written to swap
 */
import { FILE_EVICTED, type Happened, MAJOR_FAULT, MINOR_FAULT, SWAPPED_OUT } from './compare_log.ts';

export type PartingKind = 'fault' | 'major' | 'evict';

/** What one machine did at a step, as far as the other did not. */
export interface Deed {
  readonly kind: number;
  readonly pid: number;
  readonly page: number;
  readonly name: string;
}

export interface Parting {
  readonly step: number;
  readonly left: readonly Deed[];
  readonly right: readonly Deed[];
  /** One of them has come to its end, and the other goes on. */
  readonly ended: 'left' | 'right' | null;
}

const KINDS: Readonly<Record<PartingKind, ReadonlySet<number>>> = {
  fault: new Set([MINOR_FAULT, MAJOR_FAULT]),
  major: new Set([MAJOR_FAULT]),
  evict: new Set([FILE_EVICTED, SWAPPED_OUT]),
};

/** Partings in steps that both logs have, in order of steps. */
export function partingsIn(left: Happened, right: Happened, what: PartingKind): Parting[] {
  const [l, r] = [deedsOf(left, what), deedsOf(right, what)];
  const until = Math.min(left.until, right.until);
  const steps = [...new Set([...l.keys(), ...r.keys()])].filter((step) => step <= until).sort((a, b) => a - b);
  return steps.flatMap((step) => {
    const only = [without(l.get(step), r.get(step)), without(r.get(step), l.get(step))] as const;
    return only[0].length + only[1].length === 0 ? [] : [{ step, left: only[0], right: only[1], ended: null }];
  });
}

function deedsOf(log: Happened, what: PartingKind): Map<number, Deed[]> {
  const kinds = KINDS[what];
  const steps = new Map<number, Deed[]>();
  for (let row = 0; row < log.step.length; row++) {
    const kind = log.kind[row]!;
    if (!kinds.has(kind)) continue;
    const deed = { kind, pid: log.pid[row]!, page: log.page[row]!, name: log.names[log.name[row]!] ?? '' };
    const step = log.step[row]!;
    const deeds = steps.get(step);
    if (deeds === undefined) steps.set(step, [deed]);
    else deeds.push(deed);
  }
  return steps;
}

/** Each deed of the others takes one of these away. Whether a fault was major is not asked where faults are compared: kinds are then one. */
function without(these: readonly Deed[] = [], those: readonly Deed[] = []): Deed[] {
  const left = new Map<string, number>();
  for (const deed of those) left.set(keyOf(deed), (left.get(keyOf(deed)) ?? 0) + 1);
  return these.filter((deed) => {
    const count = left.get(keyOf(deed)) ?? 0;
    left.set(keyOf(deed), count - 1);
    return count <= 0;
  });
}

function keyOf({ kind, pid, page, name }: Deed): string {
  return `${kind === MAJOR_FAULT ? MINOR_FAULT : kind} ${pid} ${page} ${name}`;
}

export type AskLog = (from: number, to: number) => Promise<Happened>;

export interface Search {
  readonly left: AskLog;
  readonly right: AskLog;
  readonly what: PartingKind;
  /** Told before each window. */
  readonly onWindow?: (from: number, to: number) => void;
  readonly signal?: AbortSignal;
}

const FIRST_WINDOW = 5_000;
const LAST_WINDOW = 320_000;

/** The first parting behind `step`; null: there is none. */
export async function nextParting(search: Search, step: number): Promise<Parting | null> {
  let window = FIRST_WINDOW;
  for (let from = step; ; window = Math.min(LAST_WINDOW, 2 * window)) {
    const [left, right] = await logs(search, from, from + window);
    const [first] = partingsIn(left, right, search.what);
    if (first !== undefined) return first;
    if (left.ended && right.ended && left.until === right.until) return null;
    if (left.ended || right.ended) {
      const until = Math.min(left.until, right.until);
      const ended = left.until < right.until ? 'left' : 'right';
      return until <= step ? null : { step: until, left: [], right: [], ended };
    }
    from += window;
  }
}

/** The last parting before `step`. */
export async function previousParting(search: Search, step: number): Promise<Parting | null> {
  let window = FIRST_WINDOW;
  for (let to = step - 1; to > 0; window = Math.min(LAST_WINDOW, 2 * window)) {
    const from = Math.max(0, to - window);
    const [left, right] = await logs(search, from, to);
    const last = partingsIn(left, right, search.what).at(-1);
    if (last !== undefined) return last;
    to = from;
  }
  return null;
}

async function logs(search: Search, from: number, to: number): Promise<[Happened, Happened]> {
  search.signal?.throwIfAborted();
  search.onWindow?.(from, to);
  return Promise.all([search.left(from, to), search.right(from, to)]);
}

export function isFault({ kind }: Deed): boolean {
  return kind === MINOR_FAULT || kind === MAJOR_FAULT;
}

const MOST_RANGES = 4;

/** A text for each kind, process and file: `8 major faults of process 1 at 0x100000000000–0x100000007000`. */
export function deedTexts(deeds: readonly Deed[]): string[] {
  const groups = new Map<string, Deed[]>();
  for (const deed of deeds) {
    const key = `${deed.kind} ${deed.pid} ${deed.name}`;
    groups.set(key, [...(groups.get(key) ?? []), deed]);
  }
  return [...groups.values()].map((group) => {
    const { kind, pid, name } = group[0]!;
    const many = (one: string) => `${group.length.toLocaleString('en')} ${one}${group.length === 1 ? '' : 's'}`;
    const pages = group.map(({ page }) => page);
    if (kind === SWAPPED_OUT) return `${many('page')} written to swap`;
    if (kind === FILE_EVICTED) return `${many('page')} of ${name} taken out of memory: ${rangesText(pages, String)}`;
    const hex = (page: number) => `0x${(page * 4096).toString(16)}`;
    return `${many(`${kind === MAJOR_FAULT ? 'major' : 'minor'} fault`)} of process ${pid} at ${rangesText(pages, hex)}`;
  });
}

function rangesText(pages: readonly number[], text: (page: number) => string): string {
  const ranges: { first: number; last: number }[] = [];
  for (const page of [...pages].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range !== undefined && page === range.last + 1) range.last = page;
    else ranges.push({ first: page, last: page });
  }
  const shown = ranges
    .slice(0, MOST_RANGES)
    .map(({ first, last }) => (first === last ? text(first) : `${text(first)}–${text(last)}`));
  const rest = ranges.length - shown.length;
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more places` : ''}`;
}
