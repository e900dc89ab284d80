/**
 * The lists of a machine as queues: where they are, who stands on them in which state, who came and who went.
 *
 * Owns      the walk along a list from both ends, and the state of a page in bits (lists_words.ts).
 * Promises  1. Nothing is changed: no counter of work, no walk cache, no flushed statistics.
 *           2. `pages` is what the kernel counts, `frames` who stands there in order from head to tail: at most `window` from each end.
 * Linux     6.18 include/linux/mmzone.h: lruvec lru_gen_folio; 2.6.24 include/linux/mmzone.h: zone; 2.4.19 mm/swap.c: active_list
 */
import { LRU_UNEVICTABLE, type Lruvec, NR_LRU_LISTS } from '../mm/lruvec.ts';
import type { Machine } from '../mm/machine.ts';
import type { ListHead } from '../mm/memmap.ts';
import { genIndex, MAX_NR_GENS } from '../mm/mglru/lru_gen.ts';
import {
  PG_active,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_mlocked,
  PG_reclaim,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
  PG_workingset,
  PG_writeback,
} from '../mm/page_flags.ts';
import { PTE_ANY_PRESENT, PTE_YOUNG } from '../mm/page_table.ts';
import { NO_PFN, type Pfn } from '../mm/units.ts';
import { MAX_NR_ZONES } from '../mm/zone.ts';
import {
  LIST_PURPOSES,
  STATE_ACTIVE,
  STATE_ANON,
  STATE_DIRTY,
  STATE_LARGE,
  STATE_LOCKED,
  STATE_MAPPED,
  STATE_MLOCKED,
  STATE_PROMOTED,
  STATE_RECLAIM,
  STATE_REFERENCED,
  STATE_SHMEM,
  STATE_SWAPCACHE,
  STATE_UNEVICTABLE,
  STATE_WORKINGSET,
  STATE_WRITEBACK,
  STATE_YOUNG,
} from './lists_words.ts';

/** One list, wherever it is kept. */
export interface PlacedList {
  /** As the kernel calls it; a generation: `generation 7 anon`. */
  readonly name: string;
  /** Of a generation that stands in several zones: which; its name is the same in all. */
  readonly zone: string | null;
  readonly says: string;
  readonly lruvec: Lruvec;
  readonly head: ListHead;
  /** Pages as the kernel counts them. */
  readonly pages: number;
  /** Number of the list among those with five names; of a generation, that as which it is counted. */
  readonly lru: number;
  /** Of a generation; null of other lists. */
  readonly seq: number | null;
}

/** The lists of one cgroup in one place. */
export interface Place {
  /** `2:0`: cgroup and number of the lruvec. */
  readonly id: string;
  readonly lruvec: Lruvec;
  readonly words: string;
  /** On all of its lists. */
  readonly pages: number;
}

export interface Window {
  readonly frames: Int32Array;
  readonly states: Uint16Array;
  /** So many of `frames` are from the head's end; behind them `hidden` more are not in it. */
  readonly fromHead: number;
  readonly hidden: number;
}

/** Every cgroup and place that has lists; the emptied ones too. */
export function placesOf(machine: Machine): Place[] {
  const places: Place[] = [];
  const seen = new Set<Lruvec>();
  for (const memcg of machine.memcgs) {
    for (const [number, lruvec] of memcg.lruvecs.entries()) {
      if (lruvec === undefined || seen.has(lruvec)) continue;
      seen.add(lruvec);
      const where = lruvec.zone === null ? `node ${lruvec.pgdat.nid}` : `zone ${lruvec.zone.name}`;
      const words = machine.generation.cgroups ? `cgroup ${memcg.name}, ${where}` : where;
      const pages = listsOf(machine, lruvec).reduce((sum, list) => sum + list.pages, 0);
      places.push({ id: `${memcg.id}:${number}`, lruvec, words, pages });
    }
  }
  return places;
}

/** The lists of one lruvec, the ones that reclaim takes from first; generations from the oldest to the youngest. */
export function listsOf(machine: Machine, lruvec: Lruvec): PlacedList[] {
  const { lruNames } = machine.generation;
  const lists: PlacedList[] = lruvec.lruGen === null ? [] : generationLists(machine, lruvec);
  for (let lru = 0; lru < NR_LRU_LISTS; lru++) {
    const name = lruNames[lru]!;
    if (name === '-' || (lruvec.lruGen !== null && lru !== LRU_UNEVICTABLE)) continue;
    if (lru === LRU_UNEVICTABLE && !machine.generation.switches.unevictableList) continue;
    const head = lruvec.lists[lru]!;
    const pages = lruvec.lruSize(lru, MAX_NR_ZONES - 1);
    lists.push({ name, zone: null, says: LIST_PURPOSES[name] ?? '', lruvec, head, pages, lru, seq: null });
  }
  return lists;
}

function generationLists(machine: Machine, lruvec: Lruvec): PlacedList[] {
  const lists: PlacedList[] = [];
  const lruGen = lruvec.lruGen!;
  for (const [type, kind] of ['anon', 'file'].entries()) {
    for (let seq = lruGen.minSeq[type]!; seq <= lruGen.maxSeq; seq++) {
      const age = seq === lruGen.maxSeq ? 'youngest' : seq === lruGen.minSeq[type] ? 'oldest: evicted next' : '';
      const active = lruGen.isActive(seq % MAX_NR_GENS) ? 1 : 0;
      const name = `generation ${seq} ${kind}`;
      const lru = type * 2 + active;
      const parts = zoneLists(machine, lruvec, seq, type);
      for (const { zone, head, pages } of parts) {
        lists.push({ name, zone: parts.length > 1 ? zone : null, says: age, lruvec, head, pages, lru, seq });
      }
    }
  }
  return lists;
}

/** Of the zones where somebody stands on the generation's list; of the highest if that is nowhere. */
function zoneLists(
  machine: Machine,
  { lruGen, pgdat }: Lruvec,
  seq: number,
  type: number,
): { zone: string; head: ListHead; pages: number }[] {
  const all = pgdat.zones.map((zone) => {
    const at = genIndex(seq % MAX_NR_GENS, type, zone.type);
    return { zone: zone.name, head: lruGen!.lists[at]!, pages: lruGen!.pages[at]! };
  });
  const zones = all.filter((zone) => zone !== undefined).reverse();
  const used = zones.filter(({ head, pages }) => pages !== 0 || !machine.frames.listEmpty(head));
  return used.length > 0 ? used : zones.slice(0, 1);
}

/** Frames that some entry used since its young bit was last cleared: one pass over all page tables. */
export function youngFrames(machine: Machine): Uint8Array {
  const { bits, value } = machine.pageTables;
  const young = new Uint8Array(machine.frames.frames);
  for (let slot = 0; slot < bits.length; slot++) {
    const word = bits[slot]!;
    if ((word & PTE_YOUNG) !== 0 && (word & PTE_ANY_PRESENT) !== 0) young[value[slot]!] = 1;
  }
  return young;
}

/** PG_ bits and what they are in an answer. */
const FLAG_STATES: readonly (readonly [number, number])[] = [
  [PG_referenced, STATE_REFERENCED],
  [PG_active, STATE_ACTIVE],
  [PG_dirty, STATE_DIRTY],
  [PG_writeback, STATE_WRITEBACK],
  [PG_swapcache, STATE_SWAPCACHE],
  [PG_mlocked, STATE_MLOCKED],
  [PG_unevictable, STATE_UNEVICTABLE],
  [PG_reclaim, STATE_RECLAIM],
  [PG_locked, STATE_LOCKED],
  [PG_head, STATE_LARGE],
];

/** STATE_ bits of a page. `gen`: of the list it stands on, where there are generations. */
export function stateOf(machine: Machine, pfn: Pfn, young: Uint8Array, seq: number | null): number {
  const { frames, multiGen } = machine;
  const flags = frames.allFlags(pfn);
  let state = 0;
  for (const [flag, bit] of FLAG_STATES) if ((flags & flag) !== 0) state |= bit;
  // Before 4.20 nobody remembers whether a page was of the working set: 2.4 uses the bit otherwise.
  if ((flags & PG_workingset) !== 0 && machine.generation.family === 'linux-6') state |= STATE_WORKINGSET;
  if (frames.isAnon(pfn) || ((flags & PG_swapcache) !== 0 && frames.mapping(pfn) === 0)) state |= STATE_ANON;
  else if ((flags & PG_swapbacked) !== 0) state |= STATE_SHMEM;
  if (frames.mapcount(pfn) > 0 || (flags & PG_head) !== 0) state |= STATE_MAPPED;
  if (young[pfn] === 1) state |= STATE_YOUNG;
  if (multiGen !== null && seq !== null && multiGen.gens.gen(pfn) !== seq % MAX_NR_GENS) state |= STATE_PROMOTED;
  return state;
}

/** The list from both ends. */
export function windowOf(machine: Machine, list: PlacedList, window: number, young: Uint8Array): Window {
  const { frames } = machine;
  const all: number[] = [];
  const fromTail: number[] = [];
  let pfn = frames.listFirst(list.head);
  for (; pfn !== NO_PFN && all.length < window; pfn = frames.listNext(pfn)) all.push(pfn);
  const fromHead = all.length;
  let rest = 0;
  for (let at = pfn; at !== NO_PFN; at = frames.listNext(at)) rest += 1;
  const wanted = Math.min(window, rest);
  for (let at = frames.listLast(list.head); fromTail.length < wanted; at = frames.listPrev(at)) fromTail.push(at);
  const shown = Int32Array.from([...all, ...fromTail.reverse()]);
  const states = Uint16Array.from(shown, (one) => stateOf(machine, one as Pfn, young, list.seq));
  return { frames: shown, states, fromHead, hidden: rest - wanted };
}

/** By frame: 1 + which of `lists` it stands on; 0: none. One pass along all of them. */
export function membership(machine: Machine, lists: readonly PlacedList[]): Uint16Array {
  const { frames } = machine;
  const of = new Uint16Array(frames.frames);
  for (const [n, { head }] of lists.entries()) {
    for (let pfn = frames.listFirst(head); pfn !== NO_PFN; pfn = frames.listNext(pfn)) of[pfn] = n + 1;
  }
  return of;
}
