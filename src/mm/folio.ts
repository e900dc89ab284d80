/**
 * Large folios: a block of frames that is one page to the LRU lists, to its cgroup and to whoever holds a reference.
 *
 * Owns      what Linux keeps in the struct pages of a block's first tails: how often all of it and parts of it are mapped, and
 *           by whom. One object for each block that is anonymous memory; a machine without huge pages has none.
 * Promises  1. The head has the references, the LRU flags and the place on a list; every frame has its own mapcount, token,
 *              index, mapping, memcg id and (when it is mapped by an entry of its own) PG_anon_exclusive.
 *           2. `mapcount` = entries that map a frame + mappings of 2 MiB; `pagesMapped` = frames with a mapcount.
 *           3. Two address spaces are counted by name. `shared` may stay true when a third one maps or mapped the folio.
 * Linux     6.18 include/linux/rmap.h: folio_add_return_large_mapcount folio_sub_return_large_mapcount;
 *           include/linux/mm.h: folio_maybe_mapped_shared folio_mapcount; mm/huge_memory.c: deferred_split_folio
 * Read      docs/decisions/0008-huge-pages.md
 */
import { bugOn } from './bug.ts';
import type { Machine } from './machine.ts';
import { compoundHead, compoundOrder } from './page_alloc.ts';
import { PG_head, PG_swapcache, PG_tail } from './page_flags.ts';
import type { Pfn } from './units.ts';
import { THP_DEFERRED_SPLIT_PAGE } from './vmstat.ts';

export const HPAGE_PMD_ORDER = 9;
/** Pages of a huge page. */
export const HPAGE_PMD_NR: number = 1 << HPAGE_PMD_ORDER;

const NOBODY = 0;

export class LargeFolio {
  /** Mappings of 2 MiB. */
  entireMapcount = 0;
  mapcount = 0;
  pagesMapped = 0;
  shared = false;
  /** It is known that some of its frames are mapped by nobody any more. */
  partiallyMapped = false;
  /** Address spaces by id, and how much of `mapcount` is theirs. */
  private readonly mms: number[] = [NOBODY, NOBODY];
  private readonly mmMapcounts: number[] = [0, 0];

  add(mm: number, mappings: number): void {
    this.mapcount += mappings;
    const known = this.mms.indexOf(mm);
    if (known >= 0) {
      this.mmMapcounts[known]! += mappings;
      return;
    }
    const free = this.mms.indexOf(NOBODY);
    if (free < 0) return;
    this.mms[free] = mm;
    this.mmMapcounts[free] = mappings;
    if (this.mapcount !== mappings) this.shared = true;
  }

  remove(mm: number, mappings: number): void {
    this.mapcount -= mappings;
    const known = this.mms.indexOf(mm);
    if (known >= 0) {
      this.mmMapcounts[known]! -= mappings;
      if (this.mmMapcounts[known]! > 0) return;
      this.mmMapcounts[known] = 0;
      this.mms[known] = NOBODY;
    }
    // One address space has all of it.
    if (this.mmMapcounts.includes(this.mapcount)) this.shared = false;
  }
}

export function isLarge(machine: Machine, pfn: Pfn): boolean {
  return machine.frames.has(pfn, PG_head | PG_tail);
}

/** Pages of the folio whose head is `head`. */
export function folioPages(machine: Machine, head: Pfn): number {
  return 1 << compoundOrder(machine, head);
}

/** The large folio of which `pfn` is a part; undefined for a page on its own. */
export function largeFolioOf(machine: Machine, pfn: Pfn): LargeFolio | undefined {
  return isLarge(machine, pfn) ? machine.largeFolios.get(compoundHead(machine, pfn)) : undefined;
}

/** How often the folio or parts of it are mapped (folio_mapcount). */
export function folioMapcount(machine: Machine, head: Pfn): number {
  return largeFolioOf(machine, head)?.mapcount ?? machine.frames.mapcount(head);
}

/** Several address spaces map it, or might. */
export function folioMaybeMappedShared(machine: Machine, head: Pfn): boolean {
  const large = largeFolioOf(machine, head);
  if (large === undefined) return machine.frames.mapcount(head) > 1;
  return large.mapcount > 1 && large.shared;
}

/** A block just allocated becomes a folio that can be mapped. */
export function newLargeFolio(machine: Machine, head: Pfn): LargeFolio {
  const large = new LargeFolio();
  machine.largeFolios.set(head, large);
  return large;
}

/** The block is freed, or split into single pages. */
export function forgetLargeFolio(machine: Machine, head: Pfn): void {
  machine.largeFolios.delete(head);
  machine.deferredSplit.delete(head);
}

/**
 * The folio waits to be split until memory is short: a part of it is unmapped, or (`partially` false, 6.18) most of it may turn
 * out to hold nothing.
 */
export function deferredSplitFolio(machine: Machine, head: Pfn, partially: boolean): void {
  const large = machine.largeFolios.get(head);
  bugOn(large === undefined, 'only a large folio waits for its split', head);
  if (machine.frames.has(head, PG_swapcache)) return;
  if (partially && !large!.partiallyMapped) {
    large!.partiallyMapped = true;
    machine.events[THP_DEFERRED_SPLIT_PAGE]! += 1;
  }
  machine.deferredSplit.add(head);
}
