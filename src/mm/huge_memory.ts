/**
 * Huge pages of anonymous memory: 2 MiB mapped at once.
 *
 * Owns      the mapping of 2 MiB: how it is made by a fault, copied by fork, written to, protected, taken away, and split into
 *           512 entries. What happens to the folio itself when it is split: split_folio.ts.
 * Promises  1. A table has PTE_HUGE in all 512 entries or in none. They map one folio in order, or all the zero page.
 *           2. A mapping of 2 MiB holds one reference to its folio. Split, it holds 512.
 *           3. No boundary of a VMA lies inside a mapping of 2 MiB: it is split before the boundary moves there.
 * Linux     6.18 mm/huge_memory.c: do_huge_pmd_anonymous_page __do_huge_pmd_anonymous_page vma_alloc_anon_folio_pmd
 *           map_anon_folio_pmd get_huge_zero_folio huge_pmd_set_accessed do_huge_pmd_wp_page do_huge_zero_wp_pmd copy_huge_pmd
 *           zap_huge_pmd change_huge_pmd can_change_pmd_writable __split_huge_pmd_locked vma_adjust_trans_huge;
 *           include/linux/huge_mm.h: thp_vma_suitable_order
 * Read      docs/decisions/0008-huge-pages.md
 *
 * DIFFERS: the huge zero page is made once and kept; Linux frees it when nobody uses it and memory is short. A user sees 2 MiB
 *          less of free memory.
 * DIFFERS: other sizes than 2 MiB, and khugepaged, are not modelled: as with their switches off.
 */
import { ENOMEM } from './errno.ts';
import { FAULT_FLAG_WRITE, VM_FAULT_FALLBACK, VM_FAULT_OOM } from './fault.ts';
import { deferredSplitFolio, folioPages, HPAGE_PMD_NR, HPAGE_PMD_ORDER } from './folio.ts';
import { __GFP_DIRECT_RECLAIM, __GFP_MOVABLE, __GFP_NOMEMALLOC, __GFP_RECLAIM, GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import type { Machine } from './machine.ts';
import { countMemcgEvents, memCgroupCharge } from './memcg.ts';
import { MM_ANONPAGES } from './mm.ts';
import { allocPages, compoundHead, getPage, putPage } from './page_alloc.ts';
import { PG_anon_exclusive, PG_dirty, PG_locked, PG_swapcache, PG_uptodate } from './page_flags.ts';
import {
  NO_SLOT,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_RW,
  PTE_SPECIAL,
  PTE_YOUNG,
} from './page_table.ts';
import { NO_PFN, type Pfn, type Vpn } from './units.ts';
import { VM_ACCESS_FLAGS, VM_HUGEPAGE, VM_NOHUGEPAGE, VM_SHARED, VM_WRITE } from './vm_flags.ts';
import type { Vma } from './vma.ts';
import {
  THP_FAULT_ALLOC,
  THP_FAULT_FALLBACK,
  THP_FAULT_FALLBACK_CHARGE,
  THP_SPLIT_PMD,
  THP_ZERO_PAGE_ALLOC,
} from './vmstat.ts';

/** Who asked with madvise waits for memory to be freed, but wakes nobody (defrag: madvise). */
export const GFP_TRANSHUGE: number = (GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM) | __GFP_NOMEMALLOC | __GFP_DIRECT_RECLAIM;

export function hugeStart(vpn: Vpn): Vpn {
  return (vpn - (vpn % HPAGE_PMD_NR)) as Vpn;
}

/** Could `vma` hold a huge page at `vpn` as far as place and kind go? */
export function isHugeSuitable(vma: Vma, vpn: Vpn): boolean {
  const start = hugeStart(vpn);
  if (vma.vmFile !== null || (vma.vmFlags & VM_SHARED) !== 0) return false;
  return start >= vma.vmStart && start + HPAGE_PMD_NR <= vma.vmEnd;
}

/** Would a fault at `vpn`, where no table is, get a huge page? */
export function wantsHuge(machine: Machine, vma: Vma, vpn: Vpn): boolean {
  if ((vma.vmFlags & (VM_HUGEPAGE | VM_NOHUGEPAGE)) !== VM_HUGEPAGE || !machine.sysctl.thpEnabled) return false;
  return isHugeSuitable(vma, vpn);
}

/** The first slot of the table at `vpn` if it is a mapping of 2 MiB, else NO_SLOT. */
export function hugeTable(machine: Machine, vma: Vma, vpn: Vpn): number {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  return slot !== NO_SLOT && pageTables.isHuge(slot) ? pageTables.tableStart(slot) : NO_SLOT;
}

// faults

/** A fault in `slot` of a huge mapping, or (NO_SLOT) where there may be one. VM_FAULT_ bits; FALLBACK: with small pages, please. */
export function hugeFault(machine: Machine, vma: Vma, vpn: Vpn, flags: number, slot: number): number {
  const { pageTables } = machine;
  const write = (flags & FAULT_FLAG_WRITE) !== 0;
  if (slot === NO_SLOT) return doHugeAnonymousPage(machine, vma, vpn, write);
  if (write && !pageTables.has(slot, PTE_RW)) return doHugeWpPage(machine, vma, vpn, slot);
  // A load makes it young itself: x86 writes such an entry only when it becomes dirty, too (pmdp_set_access_flags).
  if (write) pageTables.set(slot, PTE_YOUNG | PTE_DIRTY);
  return 0;
}

function doHugeAnonymousPage(machine: Machine, vma: Vma, vpn: Vpn, write: boolean): number {
  const { pageTables } = machine;
  if (machine.rmap.anonVmaPrepare(vma) < 0) return VM_FAULT_OOM;
  if (!write) return mapHugeZero(machine, vma, vpn);
  const head = allocHugePage(machine, vma);
  if (head === NO_PFN) return VM_FAULT_FALLBACK;
  const slot = pageTables.slotAlloc(machine, vma.vmMm, vpn);
  if (slot === NO_SLOT) {
    putPage(machine, head);
    return VM_FAULT_OOM;
  }
  mapHugePage(machine, vma, hugeStart(vpn), head);
  if (machine.generation.switches.hugeFolios) deferredSplitFolio(machine, head, false);
  return 0;
}

/** All of it reads as zeros, from one page of 2 MiB for everybody. */
function mapHugeZero(machine: Machine, vma: Vma, vpn: Vpn): number {
  const { pageTables } = machine;
  if (!haveHugeZero(machine)) {
    machine.events[THP_FAULT_FALLBACK]! += 1;
    return VM_FAULT_FALLBACK;
  }
  const slot = pageTables.slotAlloc(machine, vma.vmMm, vpn);
  if (slot === NO_SLOT) return VM_FAULT_OOM;
  const bits = PTE_PRESENT | PTE_HUGE | PTE_SPECIAL | PTE_YOUNG;
  // The frame of the small one, so that a split need not change it.
  pageTables.setTable(pageTables.tableStart(slot), machine.zeroPfn, bits);
  return 0;
}

function haveHugeZero(machine: Machine): boolean {
  if (machine.hugeZeroPfn !== NO_PFN) return true;
  machine.hugeZeroPfn = allocPages(machine, (GFP_TRANSHUGE | __GFP_RECLAIM) & ~__GFP_MOVABLE, HPAGE_PMD_ORDER);
  if (machine.hugeZeroPfn === NO_PFN) return false;
  machine.events[THP_ZERO_PAGE_ALLOC]! += 1;
  return true;
}

/** A huge page of zeros, charged. NO_PFN without memory. */
function allocHugePage(machine: Machine, vma: Vma): Pfn {
  const head = allocPages(machine, GFP_TRANSHUGE, HPAGE_PMD_ORDER);
  if (head === NO_PFN) {
    machine.events[THP_FAULT_FALLBACK]! += 1;
    return NO_PFN;
  }
  if (memCgroupCharge(machine, head, vma.vmMm.memcg, GFP_TRANSHUGE, HPAGE_PMD_NR) < 0) {
    putPage(machine, head);
    machine.events[THP_FAULT_FALLBACK]! += 1;
    machine.events[THP_FAULT_FALLBACK_CHARGE]! += 1;
    return NO_PFN;
  }
  machine.frames.set(head, PG_uptodate);
  return head;
}

/** `start` has a table, whose entries are none or the huge zero page. The mapping takes the reference over. */
function mapHugePage(machine: Machine, vma: Vma, start: Vpn, head: Pfn): void {
  setHugePage(machine, vma, start, head);
  machine.events[THP_FAULT_ALLOC]! += 1;
  countMemcgEvents(vma.vmMm.memcg, THP_FAULT_ALLOC, 1);
}

/** The same for a huge page that no fault asked for. */
export function setHugePage(machine: Machine, vma: Vma, start: Vpn, head: Pfn): void {
  const { pageTables } = machine;
  const first = pageTables.slotOf(vma.vmMm.pageTables, start);
  const present = (vma.vmFlags & VM_ACCESS_FLAGS) !== 0 ? PTE_PRESENT : PTE_PROTNONE;
  const rw = (vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0;
  machine.rmap.addNewHuge(head, vma, start);
  machine.lru.addVma(head, vma);
  pageTables.setTable(first, head, present | PTE_HUGE | PTE_YOUNG | PTE_DIRTY | rw);
  vma.vmMm.rss[MM_ANONPAGES]! += HPAGE_PMD_NR;
}

/** A store to a huge mapping that is read-only: ours alone, it becomes writable; else it is split, and 4 KiB are copied. */
function doHugeWpPage(machine: Machine, vma: Vma, vpn: Vpn, slot: number): number {
  const { pageTables, frames } = machine;
  const start = hugeStart(vpn);
  const first = pageTables.tableStart(slot);
  if (pageTables.has(slot, PTE_SPECIAL)) {
    if (machine.generation.switches.hugeFolios) {
      const head = allocHugePage(machine, vma);
      if (head !== NO_PFN) {
        mapHugePage(machine, vma, start, head);
        return 0;
      }
    }
  } else {
    const head = pageTables.pfn(first);
    if (frames.has(head, PG_anon_exclusive) || isOnlyHugeUser(machine, vma, head)) {
      const rw = (vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0;
      pageTables.setTableBits(first, pageTables.tableBits(first) | PTE_YOUNG | PTE_DIRTY | rw);
      return 0;
    }
  }
  splitHugePmd(machine, vma, start);
  return VM_FAULT_FALLBACK;
}

/** Nobody but this mapping holds the huge page any more; it becomes this VMA's own. */
function isOnlyHugeUser(machine: Machine, vma: Vma, head: Pfn): boolean {
  const { frames } = machine;
  if (frames.has(head, PG_locked)) return false;
  if (frames.refcount(head) > 1 + (frames.has(head, PG_swapcache) ? folioPages(machine, head) : 0)) return false;
  if (frames.refcount(head) !== 1) return false;
  machine.rmap.moveAnon(head, vma);
  return true;
}

// fork, mprotect, unmapping

/** fork: `dst` shares the huge mapping at `start`; both may only read. 0 or -ENOMEM. */
export function copyHugePmd(machine: Machine, dst: Vma, src: Vma, start: Vpn): number {
  const { pageTables, frames } = machine;
  const target = pageTables.slotAlloc(machine, dst.vmMm, start);
  if (target === NO_SLOT) return -ENOMEM;
  const first = pageTables.slotOf(src.vmMm.pageTables, start);
  const bits = pageTables.tableBits(first) & ~PTE_RW;
  const pfn = pageTables.pfn(first);
  if ((bits & PTE_SPECIAL) === 0) {
    getPage(machine, pfn);
    machine.rmap.dupHuge(pfn, dst);
    frames.clear(pfn, PG_anon_exclusive);
    dst.vmMm.rss[MM_ANONPAGES]! += HPAGE_PMD_NR;
  }
  pageTables.setTableBits(first, bits);
  pageTables.setTable(target, pfn, bits & ~PTE_YOUNG);
  return 0;
}

/** mprotect of all of it; `base` is what an entry of the VMA allows at first. */
export function changeHugePmd(machine: Machine, vma: Vma, first: number, base: number): void {
  const { pageTables, frames } = machine;
  let bits = base | PTE_HUGE | (pageTables.tableBits(first) & (PTE_YOUNG | PTE_DIRTY | PTE_SPECIAL));
  // SINCE 6.2: before, a huge page became writable by a fault.
  if (
    machine.generation.switches.mprotectWritableIfClean &&
    (vma.vmFlags & VM_WRITE) !== 0 &&
    (bits & PTE_SPECIAL) === 0 &&
    frames.has(pageTables.pfn(first), PG_anon_exclusive)
  ) {
    bits |= PTE_RW;
  }
  pageTables.setTableBits(first, bits);
}

/** The huge mapping at `start` goes, and its table: a fault there can get a huge page again. */
export function zapHugePmd(machine: Machine, vma: Vma, start: Vpn): void {
  const { pageTables } = machine;
  const first = pageTables.slotOf(vma.vmMm.pageTables, start);
  const head = pageTables.pfn(first);
  const zero = pageTables.has(first, PTE_SPECIAL);
  pageTables.dropTable(machine, vma.vmMm, start);
  if (zero) return;
  machine.rmap.removeHuge(head, vma);
  vma.vmMm.rss[MM_ANONPAGES]! -= HPAGE_PMD_NR;
  putPage(machine, head);
}

// splitting the mapping

/** The mapping of 2 MiB at `start` becomes 512 entries that say the same. The folio stays what it is, unless it is `splitting`. */
export function splitHugePmd(machine: Machine, vma: Vma, start: Vpn, splitting = false): void {
  const { pageTables, frames } = machine;
  const first = pageTables.slotOf(vma.vmMm.pageTables, start);
  const bits = pageTables.tableBits(first);
  machine.events[THP_SPLIT_PMD]! += 1;
  // SINCE 6.2: the entries stay dirty. Before, only the page remembered it, but for a split of the folio.
  const forgets = splitting || machine.generation.switches.hugeFolios ? PTE_HUGE : PTE_HUGE | PTE_DIRTY;
  pageTables.setTableBits(first, bits & ~forgets);
  if ((bits & PTE_SPECIAL) !== 0) return;
  const head = pageTables.pfn(first);
  if ((bits & PTE_DIRTY) !== 0) frames.set(head, PG_dirty);
  frames.setRefcount(head, frames.refcount(head) + HPAGE_PMD_NR - 1);
  machine.rmap.splitHuge(head, vma);
}

/** Splits the huge mapping around `vpn`, if there is one and `vpn` lies inside: a boundary will be there. */
export function splitHugeAt(machine: Machine, vma: Vma, vpn: Vpn): void {
  if (vpn % HPAGE_PMD_NR === 0 || !isHugeSuitable(vma, vpn)) return;
  if (hugeTable(machine, vma, vpn) !== NO_SLOT) splitHugePmd(machine, vma, hugeStart(vpn));
}

/** `vma` will be [start, end), and `next`, if any, will begin at `end` (vma_adjust_trans_huge). */
export function vmaAdjustTransHuge(machine: Machine, vma: Vma, start: Vpn, end: Vpn, next: Vma | null): void {
  splitHugeAt(machine, vma, start);
  splitHugeAt(machine, vma, end);
  if (next !== null) splitHugeAt(machine, next, end);
}

/**
 * For who walks entries from `at` up to `end`: a table that is a huge mapping, if the walk takes all of it, is for the caller
 * (its first slot is returned); if it takes a part, it is split, and there is none (NO_SLOT).
 */
export function wholeHuge(machine: Machine, vma: Vma, at: Vpn, end: Vpn): number {
  const first = hugeTable(machine, vma, at);
  if (first === NO_SLOT) return NO_SLOT;
  if (at % HPAGE_PMD_NR === 0 && end - at >= HPAGE_PMD_NR) return first;
  splitHugePmd(machine, vma, hugeStart(at));
  return NO_SLOT;
}

/** So many entries from `slot` on, at most `most`, map frames of one folio side by side (folio_pte_batch). */
export function entriesOfFolio(machine: Machine, slot: number, most: number): number {
  const { pageTables } = machine;
  const pfn = pageTables.pfn(slot);
  const head = compoundHead(machine, pfn);
  const last = Math.min(most, head + folioPages(machine, head) - pfn);
  let n = 1;
  while (n < last && pageTables.isPresent(slot + n) && pageTables.pfn(slot + n) === pfn + n) n += 1;
  return n;
}
