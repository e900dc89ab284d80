/**
 * Getting and giving back pages: what is the same in all kernels.
 *
 * Owns      a page's state when it is handed out and when it comes back; references; pages that the kernel takes for a process.
 *           Where free pages are, and what is tried when there are none, is a part: machine.physical (page_alloc_6.ts for 6.x).
 * Promises  1. A page is handed out with one reference, no flag but its zone's, token 0, no owner, and charged to nobody.
 *           2. A page comes back with no reference, no mapping, no flag that says somebody uses it, and uncharged.
 * Linux     6.18 mm/page_alloc.c: prep_new_page free_pages_prepare; mm/swap.c: __folio_put;
 *           kernel/fork.c: alloc_thread_stack_node; mm/pgtable-generic.c: pagetable_alloc; include/linux/gfp.h: gfp_zone
 */

import { bugOn } from './bug.ts';
import { ENOMEM } from './errno.ts';
import { forgetLargeFolio } from './folio.ts';
import {
  __GFP_DMA,
  __GFP_DMA32,
  __GFP_FS,
  __GFP_HIGHMEM,
  __GFP_MOVABLE,
  __GFP_ZERO,
  GFP_KERNEL,
  GFP_PGTABLE_USER,
  type Gfp,
} from './gfp.ts';
import type { Machine } from './machine.ts';
import { chargeKernelPage, memCgroupUncharge, modPageState, unchargeKernelPage } from './memcg.ts';
import type { Mm } from './mm.ts';
import { PG_CHECK_AT_FREE, PG_head, PG_lru, PG_MASK, PG_mlocked, PG_table, PG_tail } from './page_flags.ts';
import type { Task } from './task.ts';
import { NO_PFN, type Pfn, ZERO_TOKEN } from './units.ts';
import { NR_KERNEL_STACK_KB, NR_MLOCK, NR_PAGETABLE, UNEVICTABLE_PGCLEARED } from './vmstat.ts';
import { NR_PAGE_ORDERS, ZONE_DMA, ZONE_DMA32, ZONE_HIGHMEM, ZONE_MOVABLE, ZONE_NORMAL, type Zone } from './zone.ts';

export { totalreservePages, zoneWatermarkOk } from './watermark.ts';

const KERNEL_STACK_PAGES = 4;
const KIB_PER_PAGE = 4;
const TYPE_SHIFT: number = 31 - Math.clz32(__GFP_MOVABLE);

/** The highest zone that a request may use. */
export function gfpZone(gfp: Gfp): number {
  if ((gfp & (__GFP_HIGHMEM | __GFP_MOVABLE)) === (__GFP_HIGHMEM | __GFP_MOVABLE)) return ZONE_MOVABLE;
  if ((gfp & __GFP_HIGHMEM) !== 0) return ZONE_HIGHMEM;
  if ((gfp & __GFP_DMA) !== 0) return ZONE_DMA;
  return (gfp & __GFP_DMA32) !== 0 ? ZONE_DMA32 : ZONE_NORMAL;
}

/** __GFP_MOVABLE and __GFP_RECLAIMABLE, side by side, are the migrate type's number. */
export function gfpMigratetype(gfp: Gfp): number {
  return (gfp >> TYPE_SHIFT) & 3;
}

// allocating and freeing

/** 2**order pages, or NO_PFN. Of a higher order, the first is the head and has the reference, the others are tails. */
export function allocPages(m: Machine, gfp: Gfp, order: number): Pfn {
  const pfn = m.physical.allocPages(m.current.nofs ? gfp & ~__GFP_FS : gfp, order);
  if (m.trace.on && pfn !== NO_PFN) m.trace.emit(m.clock.now, 'mm_page_alloc', pfn, order, gfpMigratetype(gfp), gfp);
  return pfn;
}

/** Gives back a block of which nobody has a reference. */
export function freePages(m: Machine, pfn: Pfn, order: number): void {
  if (m.trace.on) m.trace.emit(m.clock.now, 'mm_page_free', pfn, order);
  m.physical.freePages(pfn, order);
}

/** What whoever takes 2**order pages from free memory does to them before they are handed out. */
export function prepNewPage(m: Machine, pfn: Pfn, order: number): void {
  const { frames } = m;
  frames.setRefcount(pfn, 1);
  frames.setToken(pfn, ZERO_TOKEN);
  if (order === 0) return;
  frames.set(pfn, PG_head);
  for (let tail = pfn + 1; tail < pfn + (1 << order); tail++) {
    frames.set(tail as Pfn, PG_tail);
    frames.setToken(tail as Pfn, ZERO_TOKEN);
  }
  frames.setPrivate((pfn + 1) as Pfn, order);
}

/** Order of an allocated block that begins at `pfn`, as its first tail remembers it (compound_order). */
export function compoundOrder(m: Machine, pfn: Pfn): number {
  return m.frames.has(pfn, PG_head) ? m.frames.private_((pfn + 1) as Pfn) : 0;
}

/** The page that stands for the whole block of which `pfn` is a part (compound_head). */
export function compoundHead(m: Machine, pfn: Pfn): Pfn {
  const { frames } = m;
  if (!frames.has(pfn, PG_tail)) return pfn;
  // A block begins where its size divides the frame number; huge pages are what is asked for most.
  for (let order = NR_PAGE_ORDERS - 1; order > 0; order--) {
    const head = (pfn & -(1 << order)) as Pfn;
    if (frames.has(head, PG_head) && frames.private_((head + 1) as Pfn) >= order) return head;
  }
  bugOn(true, 'a tail has a head', pfn);
  return pfn;
}

/** A reference to the page, or to the block of which it is a part (folio_get). */
export function getPage(m: Machine, pfn: Pfn): void {
  m.frames.get(compoundHead(m, pfn));
}

/** What whoever puts 2**order pages back into free memory does to them before. */
export function freePagesPrepare(m: Machine, zone: Zone, pfn: Pfn, order: number): void {
  const { frames } = m;
  if (frames.has(pfn, PG_mlocked)) clearMlocked(m, zone, pfn);
  bugOn(frames.refcount(pfn) !== 0, 'a page is freed only when nobody has a reference', pfn);
  bugOn(frames.mapcount(pfn) !== 0, 'a page is freed only when nobody maps it', pfn);
  bugOn(frames.has(pfn, PG_CHECK_AT_FREE), 'a page that is freed is on no list and nobody works on it', pfn);
  bugOn(frames.memcg(pfn) !== 0, 'a page is uncharged before it is freed', pfn);
  bugOn(frames.mapping(pfn) !== 0 && !frames.isAnon(pfn), 'a page leaves the page cache before it is freed', pfn);
  if (order > 0) clearTails(m, pfn, order);
  frames.setMapping(pfn, 0);
  frames.setPrivate(pfn, 0);
  frames.clear(pfn, PG_MASK);
  if (m.multiGen !== null) m.multiGen.gens.forget(pfn);
}

function clearTails(m: Machine, pfn: Pfn, order: number): void {
  bugOn(compoundOrder(m, pfn) !== order, 'a block is freed as it was allocated', pfn);
  m.frames.setPrivate((pfn + 1) as Pfn, 0);
  for (let tail = pfn + 1; tail < pfn + (1 << order); tail++) {
    bugOn(m.frames.mapcount(tail as Pfn) !== 0, 'a page is freed only when nobody maps it', tail);
    m.frames.clear(tail as Pfn, PG_MASK);
    m.frames.setMapping(tail as Pfn, 0);
  }
}

/** The last mapping of a locked page went without munlock. */
function clearMlocked(m: Machine, zone: Zone, pfn: Pfn): void {
  const pages = 1 << compoundOrder(m, pfn);
  m.frames.clear(pfn, PG_mlocked);
  m.mlockBatch.counts.delete(pfn);
  zone.nrMlock -= pages;
  zone.pgdat.stat[NR_MLOCK]! -= pages;
  m.events[UNEVICTABLE_PGCLEARED]! += pages;
}

/** Drops a reference; with the last one the page is free. */
export function putPage(m: Machine, pfn: Pfn): void {
  const head = compoundHead(m, pfn);
  if (!m.frames.putTestzero(head)) return;
  if (m.frames.has(head, PG_lru)) m.lru.remove(head);
  freeFolio(m, head);
}

/** Nobody has a reference any more, and no list has it: uncharged and free. */
export function freeFolio(m: Machine, head: Pfn): void {
  const order = compoundOrder(m, head);
  if (order > 0) forgetLargeFolio(m, head);
  memCgroupUncharge(m, head, 1 << order);
  freePages(m, head, order);
}

/** Pages on the zones' free lists; those on the CPUs' lists are not counted (NR_FREE_PAGES). */
export function nrFreePages(m: Machine): number {
  let pages = 0;
  for (let i = 0; i < m.zones.length; i++) pages += m.zones[i]!.freePages;
  return pages;
}

/** A page of page-table entries, charged to the owner of the address space. NO_PFN: no memory. */
export function allocPageTablePage(m: Machine, mm: Mm): Pfn {
  const pfn = allocPages(m, GFP_PGTABLE_USER, 0);
  if (pfn === NO_PFN) return NO_PFN;
  if (chargeKernelPage(m, pfn, mm.memcg, GFP_PGTABLE_USER) < 0) {
    putPage(m, pfn);
    return NO_PFN;
  }
  m.frames.set(pfn, PG_table);
  modPageState(m, pfn, NR_PAGETABLE, 1);
  return pfn;
}

export function freePageTablePage(m: Machine, pfn: Pfn): void {
  bugOn(!m.frames.has(pfn, PG_table), 'a page table is freed once', pfn);
  modPageState(m, pfn, NR_PAGETABLE, -1);
  m.frames.clear(pfn, PG_table);
  unchargeKernelPage(m, pfn);
  putPage(m, pfn);
}

/**
 * Four single pages, mapped side by side (CONFIG_VMAP_STACK). 0 or -ENOMEM.
 * DIFFERS: a CPU does not keep the stacks of the last two tasks; free memory may be 32 KiB higher than in Linux.
 */
export function allocKernelStack(m: Machine, task: Task): number {
  while (task.stack.length < KERNEL_STACK_PAGES) {
    const pfn = allocPages(m, GFP_KERNEL | __GFP_ZERO, 0);
    if (pfn !== NO_PFN && chargeKernelPage(m, pfn, task.memcg, GFP_KERNEL) < 0) putPage(m, pfn);
    else if (pfn !== NO_PFN) {
      modPageState(m, pfn, NR_KERNEL_STACK_KB, KIB_PER_PAGE);
      task.stack.push(pfn);
      continue;
    }
    freeKernelStack(m, task);
    return -ENOMEM;
  }
  return 0;
}

export function freeKernelStack(m: Machine, task: Task): void {
  for (let pfn = task.stack.pop(); pfn !== undefined; pfn = task.stack.pop()) {
    modPageState(m, pfn, NR_KERNEL_STACK_KB, -KIB_PER_PAGE);
    unchargeKernelPage(m, pfn);
    putPage(m, pfn);
  }
}
