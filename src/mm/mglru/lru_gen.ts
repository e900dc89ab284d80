/**
 * The evictable pages of one cgroup on one node, by age: up to four generations, each with lists for anonymous and file pages.
 *
 *      minSeq[anon] = minSeq[file] = 7                                          maxSeq = 10
 *      gen 3: oldest, evicted next   gen 0             gen 1            gen 2: youngest
 *      anon  ○ ○ ○ ○ tail            ○ ○               ○ ○ ○ ○ ○        ○        ◄── faulted in, found young
 *      file  ○ ○ tail                ○ ○ ○ ○           ○                ○ ○ ○
 *      └────── "inactive" ──────────────────┘          └────────── "active" ────────┘
 *
 * Aging opens a new youngest generation (aging.ts), eviction empties the oldest (eviction.ts). Generation = sequence number
 * modulo 4. A page found young gets the youngest generation's number at once and is moved to that list when eviction meets it.
 *
 * Owns      the lists and their sizes, which page is in which generation, PG_active of pages off the lists.
 * Promises  1. A page on a list has PG_lru, a generation, and neither PG_active nor PG_unevictable.
 *           2. `pages` counts by the generation that a page says it is in, on whichever list of its type and zone it stands.
 *           3. Sizes of "active" and "inactive" lists are those of the two youngest generations, and of the others.
 * Linux     6.18 include/linux/mmzone.h: lru_gen_folio MIN_NR_GENS MAX_NR_GENS; include/linux/mm_inline.h: lru_gen_add_folio
 *           lru_gen_del_folio lru_gen_update_size lru_gen_is_active lru_gen_from_seq; mm/vmscan.c: folio_inc_gen
 *           update_batch_size reset_batch_size get_nr_gens lru_gen_init_lruvec
 */
import { folioPages } from '../folio.ts';
import { LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, type LruList, type Lruvec, modLruvecState } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import type { ListHead, MemMap } from '../memmap.ts';
import { PG_active, PG_reclaim, PG_swapbacked } from '../page_flags.ts';
import type { Pfn } from '../units.ts';
import { MAX_NR_ZONES } from '../zone.ts';
import { BloomFilters } from './bloom_filter.ts';
import { NO_GEN } from './folio_gens.ts';
import type { MultiGen } from './multi_gen.ts';
import { RefaultControl } from './refault_control.ts';

export const LRU_GEN_ANON = 0;
export const LRU_GEN_FILE = 1;
const TYPES = 2;
/** Generations that are "active"; eviction leaves so many. */
export const MIN_NR_GENS = 2;
export const MAX_NR_GENS = 4;
/** The most pages that one step moves. */
export const MAX_LRU_BATCH = 4096;

/** Sizes or lists, by generation, type and zone. */
export const GEN_LISTS: number = MAX_NR_GENS * TYPES * MAX_NR_ZONES;

export function genIndex(gen: number, type: number, zoneType: number): number {
  return (gen * TYPES + type) * MAX_NR_ZONES + zoneType;
}

/** Where the aging of this lruvec stands with the address spaces of its cgroup (lru_gen_mm_state). */
export class MmState {
  /** So many address spaces at the head of the cgroup's list were there at the last walk; those behind are new. */
  known = 0;
  readonly filters: BloomFilters = new BloomFilters();
  /** For people, since boot: entries looked at, young ones; tables looked into, and those that went into a filter. */
  readonly walked: { entries: number; young: number; tables: number; added: number } = {
    entries: 0,
    young: 0,
    tables: 0,
    added: 0,
  };
}

export class LruGen {
  /** Of the youngest generation, of both types. */
  maxSeq: number = MIN_NR_GENS + 1;
  /** Of the oldest, by type. */
  readonly minSeq: Float64Array = new Float64Array(TYPES);
  /** When each generation was opened, in ns of the machine's clock. */
  readonly timestamps: Float64Array = new Float64Array(MAX_NR_GENS);
  readonly lists: readonly ListHead[];
  readonly pages: Int32Array = new Int32Array(GEN_LISTS);
  readonly control: RefaultControl = new RefaultControl();
  readonly mmState: MmState = new MmState();
  /** Where the lruvec stands among those of its node (memcg_lru.ts). */
  memcgGen = 0;
  memcgSeg = 0;

  constructor(frames: MemMap, now: number) {
    this.lists = Array.from({ length: GEN_LISTS }, () => frames.newList());
    this.timestamps.fill(now);
  }

  /** How many generations of a type there are. */
  generations(type: number): number {
    return this.maxSeq - this.minSeq[type]! + 1;
  }
  isActive(gen: number): boolean {
    return gen === this.maxSeq % MAX_NR_GENS || gen === (this.maxSeq - 1) % MAX_NR_GENS;
  }
  isEmpty(frames: MemMap, seq: number, type: number): boolean {
    const first = genIndex(seq % MAX_NR_GENS, type, 0);
    for (let at = first; at < first + MAX_NR_ZONES; at++) if (!frames.listEmpty(this.lists[at]!)) return false;
    return true;
  }
  /** Pages of one generation and type, in all zones. */
  size(seq: number, type: number): number {
    const first = genIndex(seq % MAX_NR_GENS, type, 0);
    let pages = 0;
    for (let at = first; at < first + MAX_NR_ZONES; at++) pages += this.pages[at]!;
    return pages;
  }
}

/** Types that may be evicted are those from here on: anonymous memory only if it can be swapped. */
export function firstType(swappiness: number): number {
  return swappiness > 0 ? LRU_GEN_ANON : LRU_GEN_FILE;
}

/** The oldest generation of the types that may be evicted. */
export function oldestSeq(lruGen: LruGen, swappiness: number): number {
  return Math.min(lruGen.minSeq[firstType(swappiness)]!, lruGen.minSeq[LRU_GEN_FILE]!);
}

/** Of the types that may be evicted. */
export function evictablePages(lruGen: LruGen, swappiness: number): number {
  let pages = 0;
  for (let type = firstType(swappiness); type <= LRU_GEN_FILE; type++) {
    for (let seq = lruGen.minSeq[type]!; seq <= lruGen.maxSeq; seq++) pages += lruGen.size(seq, type);
  }
  return pages;
}

/** LRU_GEN_ANON or LRU_GEN_FILE. */
export function lruType(frames: MemMap, pfn: Pfn): number {
  return frames.has(pfn, PG_swapbacked) ? LRU_GEN_ANON : LRU_GEN_FILE;
}

/** The list that the sizes of generations show up as (LRU_INACTIVE_ANON and so on). */
export function shownAs(type: number, active: boolean): LruList {
  return type * LRU_INACTIVE_FILE + (active ? LRU_ACTIVE_ANON : 0);
}

/** Pages of the compatible lists grow by `pages`. */
export function modShownSize(lruvec: Lruvec, lru: LruList, zoneType: number, pages: number): void {
  modLruvecState(lruvec, lru, pages);
  lruvec.pgdat.zones[zoneType]!.lruPages[lru]! += pages;
}

/** `pages` pages change their generation; NO_GEN is on no list. */
function moveSize(lruvec: Lruvec, type: number, zoneType: number, from: number, to: number, pages: number): void {
  const lruGen = lruvec.lruGen!;
  if (from !== NO_GEN) lruGen.pages[genIndex(from, type, zoneType)]! -= pages;
  if (to !== NO_GEN) lruGen.pages[genIndex(to, type, zoneType)]! += pages;
  const wasActive = from !== NO_GEN && lruGen.isActive(from);
  const isActive = to !== NO_GEN && lruGen.isActive(to);
  if (from !== NO_GEN && to !== NO_GEN && wasActive === isActive) return;
  if (from !== NO_GEN) modShownSize(lruvec, shownAs(type, wasActive), zoneType, -pages);
  if (to !== NO_GEN) modShownSize(lruvec, shownAs(type, isActive), zoneType, pages);
}

function zoneTypeOf(machine: Machine, pfn: Pfn): number {
  return machine.zones[machine.frames.zoneIndex(pfn)]!.type;
}

/** The page says it is in another generation now; the list stays as it is. */
export function moveGenSize(machine: Machine, lruvec: Lruvec, pfn: Pfn, from: number, to: number): void {
  moveSize(lruvec, lruType(machine.frames, pfn), zoneTypeOf(machine, pfn), from, to, folioPages(machine, pfn));
}

/** Puts a page on the list that its flags ask for; to the tail with `reclaiming`, for it is to go next. */
export function lruGenAdd(machine: Machine, multiGen: MultiGen, lruvec: Lruvec, pfn: Pfn, reclaiming: boolean): void {
  const { frames } = machine;
  const lruGen = lruvec.lruGen!;
  const gen = multiGen.rules.seqFor(multiGen, lruGen, pfn, reclaiming) % MAX_NR_GENS;
  const type = lruType(frames, pfn);
  const zoneType = zoneTypeOf(machine, pfn);
  multiGen.gens.setGen(pfn, gen);
  frames.clear(pfn, PG_active);
  moveSize(lruvec, type, zoneType, NO_GEN, gen, folioPages(machine, pfn));
  const list = lruGen.lists[genIndex(gen, type, zoneType)]!;
  if (reclaiming) frames.listAddTail(pfn, list);
  else frames.listAdd(pfn, list);
}

/** Takes it off. Unless it is being reclaimed, PG_active remembers that it was young. False: it was on none. */
export function lruGenDel(
  machine: Machine,
  multiGen: MultiGen,
  lruvec: Lruvec,
  pfn: Pfn,
  reclaiming: boolean,
): boolean {
  const gen = multiGen.gens.gen(pfn);
  if (gen === NO_GEN) return false;
  const { frames } = machine;
  if (!reclaiming && lruvec.lruGen!.isActive(gen)) frames.set(pfn, PG_active);
  multiGen.gens.setGen(pfn, NO_GEN);
  frames.listDel(pfn);
  moveGenSize(machine, lruvec, pfn, gen, NO_GEN);
  return true;
}

/** The list that a page's generation shows up as. */
export function lruGenList(machine: Machine, multiGen: MultiGen, lruvec: Lruvec, pfn: Pfn): LruList {
  return shownAs(lruType(machine.frames, pfn), lruvec.lruGen!.isActive(multiGen.gens.gen(pfn)));
}

/**
 * A page of the oldest generation goes to the next one, and its uses are forgotten. Returns where it is then: a walk may have
 * found it young meanwhile, and given it another generation.
 */
export function incGen(
  machine: Machine,
  multiGen: MultiGen,
  lruvec: Lruvec,
  pfn: Pfn,
  type: number,
  reclaiming: boolean,
): number {
  const { gens, rules } = multiGen;
  const oldest = lruvec.lruGen!.minSeq[type]! % MAX_NR_GENS;
  const gen = gens.gen(pfn);
  if (gen !== oldest) return gen;
  const next = (oldest + 1) % MAX_NR_GENS;
  gens.setGen(pfn, next);
  gens.setRefs(pfn, 0);
  machine.frames.clear(pfn, rules.useFlags);
  if (reclaiming) machine.frames.set(pfn, PG_reclaim);
  moveGenSize(machine, lruvec, pfn, oldest, next);
  return next;
}

/**
 * A walk over page tables, and the pages that it gave another generation, counted until it is done. Reclaim of a limit makes
 * one when it ages; kswapd has one at hand, and so does what it evicts.
 */
export class MmWalk {
  /** Anonymous pages count, too: they can be swapped. 6.18: the swappiness. */
  swappiness = 0;
  /** The address space is new: the filter knows nothing of it. */
  forceScan = false;
  private batched = 0;
  private readonly pages: Int32Array = new Int32Array(GEN_LISTS);

  note(machine: Machine, pfn: Pfn, from: number, to: number): void {
    const type = lruType(machine.frames, pfn);
    const zoneType = zoneTypeOf(machine, pfn);
    const pages = folioPages(machine, pfn);
    this.pages[genIndex(from, type, zoneType)]! -= pages;
    this.pages[genIndex(to, type, zoneType)]! += pages;
    this.batched += 1;
  }

  /** Into the sizes. */
  flush(lruvec: Lruvec): void {
    if (this.batched === 0) return;
    this.batched = 0;
    const lruGen = lruvec.lruGen!;
    for (let at = 0; at < GEN_LISTS; at++) {
      const pages = this.pages[at]!;
      if (pages === 0) continue;
      this.pages[at] = 0;
      lruGen.pages[at]! += pages;
      const gen = Math.floor(at / (TYPES * MAX_NR_ZONES));
      const type = Math.floor(at / MAX_NR_ZONES) % TYPES;
      modShownSize(lruvec, shownAs(type, lruGen.isActive(gen)), at % MAX_NR_ZONES, pages);
    }
  }
}
