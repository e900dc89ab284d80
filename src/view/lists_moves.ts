/**
 * What moved between two states of one machine: which page came to which list, from where, and how many went where.
 *
 * Promises  A page counts where it stood before and where it stands now; what it did between is in the log (lists_log.ts).
 *           Places are compared by name, so that a generation that was opened meanwhile is a list of its own.
 */
import type { Machine } from '../mm/machine.ts';
import { listsOf, membership, placesOf } from './lists_queues.ts';
import { FROM_NONE, STAYED } from './lists_words.ts';

export interface Flow {
  readonly from: string;
  readonly to: string;
  readonly pages: number;
}

export interface Moves {
  /** Names that a frame's `from` is an index into. */
  readonly names: readonly string[];
  /** By frame: where it stood before, if it stands on a list now; STAYED otherwise. */
  readonly from: Uint8Array;
  /** Larger flows first. Standing on no list is '': new, freed, or in a batch. */
  readonly flows: readonly Flow[];
}

/** Who stood where at one step. */
export interface Standing {
  /** Of every list of the machine; with its place where there are several. */
  readonly names: readonly string[];
  /** By frame: 1 + index of the list's name; 0: on none. */
  readonly on: Uint16Array;
}

export function standingOf(machine: Machine): Standing {
  const places = placesOf(machine);
  const placed = places.flatMap(({ words, lruvec }) =>
    listsOf(machine, lruvec).map((list) => ({
      name: places.length === 1 ? list.name : `${list.name} (${words})`,
      list,
    })),
  );
  const on = membership(
    machine,
    placed.map(({ list }) => list),
  );
  return { names: placed.map(({ name }) => name), on };
}

export function movesBetween(was: Standing, is: Standing): Moves {
  const names = [...new Set([...was.names, ...is.names])].slice(0, FROM_NONE);
  const numberOf = new Map(names.map((name, n) => [name, n]));
  const numbers = (standing: Standing) => [FROM_NONE, ...standing.names.map((name) => numberOf.get(name) ?? FROM_NONE)];
  const wasNumber = numbers(was);
  const isNumber = numbers(is);
  const counts = new Map<number, number>();
  const from = new Uint8Array(is.on.length).fill(STAYED);
  for (let pfn = 0; pfn < from.length; pfn++) {
    const before = wasNumber[was.on[pfn]!]!;
    const now = isNumber[is.on[pfn]!]!;
    if (before === now) continue;
    if (now !== FROM_NONE) from[pfn] = before;
    counts.set(before * 256 + now, (counts.get(before * 256 + now) ?? 0) + 1);
  }
  const flows = [...counts].map(([key, pages]) => ({
    from: names[key >> 8] ?? '',
    to: names[key % 256] ?? '',
    pages,
  }));
  return { names, from, flows: flows.sort((a, b) => b.pages - a.pages) };
}
