/**
 * Splitting a huge page into 512 pages.
 *
 * Owns      the change from one folio to 512; the queue of those that are worth it when memory is short, and its shrinker.
 * Promises  1. Nobody notices: entries keep their frames, rights, young and dirty bits; content stays where it is.
 *           2. It happens only if all references are known: those of mappings, of the swap cache, and the caller's one.
 *           3. A frame that nobody maps and that is not in the swap cache is free afterwards.
 * Linux     6.18 mm/huge_memory.c: __folio_split __split_folio_to_order can_split_folio lru_add_split_folio deferred_split_scan
 *           deferred_split_count; mm/migrate.c: remove_migration_pte try_to_map_unused_to_zeropage;
 *           6.1 mm/huge_memory.c: split_huge_page_to_list __split_huge_page
 *
 * SINCE 6.12: a page of zeros is not kept: its entries show the zero page. In Linux that happens when entries are put back after
 *             they had been taken away for the split; here they stay in place all the time.
 */
import { EAGAIN, EBUSY } from './errno.ts';
import { freeSwapCacheIfUnmapped } from './faults.ts';
import { folioPages, forgetLargeFolio } from './folio.ts';
import { hugeStart, splitHugePmd } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import type { MemCgroup } from './memcg.ts';
import type { ListHead } from './memmap.ts';
import { mlockDrainLocal, mlockVmaPage, munlockVmaPage } from './mlock.ts';
import { MM_ANONPAGES } from './mm.ts';
import { getPage, putPage } from './page_alloc.ts';
import {
  PG_active,
  PG_anon_exclusive,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_lru,
  PG_mlocked,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_tail,
  PG_unevictable,
  PG_uptodate,
  PG_workingset,
  PG_writeback,
  PG_young,
} from './page_flags.ts';
import { PTE_DIRTY, PTE_PRESENT, PTE_PROTNONE, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { SHRINK_STOP, type ShrinkerOps } from './slab.ts';
import type { Pfn } from './units.ts';
import { VM_ACCESS_FLAGS, VM_LOCKED } from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { THP_SPLIT_PAGE, THP_SPLIT_PAGE_FAILED } from './vmstat.ts';

/** What a tail takes over from its head. */
const INHERITED =
  PG_referenced |
  PG_swapbacked |
  PG_swapcache |
  PG_mlocked |
  PG_uptodate |
  PG_active |
  PG_workingset |
  PG_locked |
  PG_unevictable |
  PG_dirty |
  PG_young;

/**
 * Splits the locked folio, to which the caller has one reference; afterwards that, and the lock, is the first page's.
 * The others go to the LRU list before it, or, if it was isolated, with a reference each to `list`. 0, -EBUSY or -EAGAIN.
 */
export function splitFolio(machine: Machine, head: Pfn, list: ListHead | null = null): number {
  const failed = checkSplit(machine, head);
  if (failed < 0) {
    machine.events[THP_SPLIT_PAGE_FAILED]! += 1;
    return failed;
  }
  const { frames } = machine;
  const pages = folioPages(machine, head);
  const locked = splitMappings(machine, head);
  // That all of it is mapped where it is locked was never sure; the pages will be locked one by one.
  if (machine.generation.switches.hugeFolios) for (const { vma } of locked) munlockVmaPage(machine, head, vma);
  const cached = frames.has(head, PG_swapcache);
  const inherited = frames.allFlags(head) & INHERITED;
  forgetLargeFolio(machine, head);
  frames.setPrivate((head + 1) as Pfn, 0);
  frames.clear(head, PG_head);
  for (let i = 0; i < pages; i++) {
    const pfn = (head + i) as Pfn;
    if (i > 0) {
      frames.clear(pfn, PG_tail);
      frames.set(pfn, inherited);
      machine.multiGen?.gens.copy(pfn, head);
      if (cached) frames.setPrivate(pfn, frames.private_(head) + i);
    }
    if (frames.mapcount(pfn) === 0) frames.clear(pfn, PG_anon_exclusive);
    // One reference is ours, until all is done.
    frames.setRefcount(pfn, frames.mapcount(pfn) + (cached ? 1 : 0) + 1);
  }
  listTails(machine, head, pages, list);
  machine.events[THP_SPLIT_PAGE]! += 1;
  if (machine.generation.switches.hugeFolios) showZeroPage(machine, head, pages);
  for (const { vma, pfn } of locked) mlockVmaPage(machine, pfn, vma);
  if (locked.length > 0) mlockDrainLocal(machine);
  for (let i = 1; i < pages; i++) {
    const pfn = (head + i) as Pfn;
    frames.clear(pfn, PG_locked);
    freeSwapCacheIfUnmapped(machine, pfn);
    putPage(machine, pfn);
  }
  return 0;
}

/** The same for a folio that is neither locked nor held yet. */
export function lockAndSplitFolio(machine: Machine, head: Pfn): number {
  const { frames } = machine;
  if (frames.testAndSet(head, PG_locked)) return -EBUSY;
  frames.get(head);
  const result = splitFolio(machine, head);
  frames.clear(head, PG_locked);
  putPage(machine, head);
  return result;
}

/** Would a split be refused? The caller holds `pins` references. */
export function canSplitFolio(machine: Machine, head: Pfn, pins: number): boolean {
  const { frames } = machine;
  const cached = frames.has(head, PG_swapcache) ? folioPages(machine, head) : 0;
  return machine.largeFolios.get(head)!.mapcount === frames.refcount(head) - cached - pins;
}

function checkSplit(machine: Machine, head: Pfn): number {
  if (machine.frames.has(head, PG_writeback)) return -EBUSY;
  return canSplitFolio(machine, head, 1) ? 0 : -EAGAIN;
}

interface LockedEntry {
  readonly vma: Vma;
  readonly pfn: Pfn;
}

/** No mapping of 2 MiB is left. What an entry knows of a store, the page knows, too. Returns the entries of locked VMAs. */
function splitMappings(machine: Machine, head: Pfn): LockedEntry[] {
  const { pageTables, frames } = machine;
  const locked: LockedEntry[] = [];
  machine.rmap.walkFolio(head, (vma, vpn, slot) => {
    if (pageTables.isHuge(slot)) splitHugePmd(machine, vma, hugeStart(vpn), true);
    if (pageTables.has(slot, PTE_DIRTY)) frames.set(head, PG_dirty);
    if ((vma.vmFlags & VM_LOCKED) !== 0) locked.push({ vma, pfn: pageTables.pfn(slot) });
  });
  return locked;
}

function listTails(machine: Machine, head: Pfn, pages: number, list: ListHead | null): void {
  const { frames } = machine;
  const ascending = machine.generation.switches.hugeFolios;
  for (let i = 1; i < pages; i++) {
    const pfn = (ascending ? head + i : head + pages - i) as Pfn;
    if (list !== null) {
      frames.get(pfn);
      frames.listAddTail(pfn, list);
    } else if (frames.has(head, PG_lru)) {
      frames.set(pfn, PG_lru);
      frames.listAddBefore(pfn, head);
      if (frames.has(pfn, PG_unevictable)) machine.mlockBatch.counts.delete(pfn);
    }
  }
}

/** What holds nothing but zeros need not be kept. */
function showZeroPage(machine: Machine, head: Pfn, pages: number): void {
  const { frames } = machine;
  for (let i = 0; i < pages; i++) {
    const pfn = (head + i) as Pfn;
    if (frames.has(pfn, PG_mlocked) || frames.mapcount(pfn) === 0) continue;
    if (machine.contents.isZero(frames.token(pfn))) {
      machine.rmap.walkFolio(pfn, (vma, _vpn, slot) => mapZeroPage(machine, vma, slot, pfn));
    }
  }
}

function mapZeroPage(machine: Machine, vma: Vma, slot: number, pfn: Pfn): void {
  if ((vma.vmFlags & VM_LOCKED) !== 0) return;
  const present = (vma.vmFlags & VM_ACCESS_FLAGS) === 0 ? PTE_PROTNONE : PTE_PRESENT;
  machine.pageTables.setPresent(slot, machine.zeroPfn, present | PTE_SPECIAL | PTE_YOUNG);
  vma.vmMm.rss[MM_ANONPAGES]! -= 1;
  machine.rmap.remove(pfn, vma);
  putPage(machine, pfn);
}

/** Folios of which a part is unmapped are split when memory is short, and the unmapped part is free. */
export class DeferredSplitShrinker implements ShrinkerOps {
  readonly seeks = 2;
  readonly batch = 0;
  readonly memcgAware = true;

  get scanName(): string {
    return 'deferred_split_scan';
  }

  count(machine: Machine, nid: number, memcg: MemCgroup): number {
    let folios = 0;
    for (const head of machine.deferredSplit) if (isOf(machine, head, nid, memcg)) folios += 1;
    return folios;
  }

  scan(machine: Machine, nid: number, memcg: MemCgroup, toScan: number): number {
    const { frames } = machine;
    const heads: Pfn[] = [];
    for (const head of machine.deferredSplit) {
      if (heads.length === toScan) break;
      if (isOf(machine, head, nid, memcg)) heads.push(head);
    }
    let split = 0;
    for (const head of heads) {
      machine.deferredSplit.delete(head);
      // One that is not known to be partly mapped is worth it only if khugepaged could make it again (max_ptes_none is 511).
      if (!machine.largeFolios.get(head)!.partiallyMapped) continue;
      getPage(machine, head);
      const locked = !frames.testAndSet(head, PG_locked);
      if (locked && splitFolio(machine, head) === 0) split += 1;
      else machine.deferredSplit.add(head);
      if (locked) frames.clear(head, PG_locked);
      putPage(machine, head);
    }
    return split === 0 && this.count(machine, nid, memcg) === 0 ? SHRINK_STOP : split;
  }
}

function isOf(machine: Machine, head: Pfn, nid: number, memcg: MemCgroup): boolean {
  const { frames, zones } = machine;
  return (frames.memcg(head) || 1) === memcg.id && zones[frames.zoneIndex(head)]!.pgdat.nid === nid;
}
