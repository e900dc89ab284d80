/**
 * Advice: how memory will be used, what may be dropped, what shall be there.
 *
 *   changes VMA flags      NORMAL RANDOM SEQUENTIAL DONTFORK DOFORK DONTDUMP DODUMP WIPEONFORK KEEPONFORK MERGEABLE
 *                          UNMERGEABLE HUGEPAGE NOHUGEPAGE
 *   drops pages            DONTNEED DONTNEED_LOCKED FREE REMOVE GUARD_INSTALL
 *   ages or evicts them    COLD PAGEOUT
 *   brings them            WILLNEED POPULATE_READ POPULATE_WRITE
 *   other                  GUARD_REMOVE COLLAPSE
 *
 * Promises  1. VMAs are advised in ascending order; holes are skipped and reported (-ENOMEM) when all is done.
 *           2. The first VMA that refuses ends the call. A refusal for lack of memory of a flag advice is -EAGAIN.
 *           3. Pages that others map, too, are neither aged nor evicted nor freed lazily.
 * Linux     6.18 mm/madvise.c: do_madvise madvise_walk_vmas madvise_vma_behavior madvise_cold_or_pageout_pte_range
 *           madvise_free_pte_range madvise_willneed madvise_remove madvise_guard_install madvise_guard_remove madvise_populate;
 *           mm/ksm.c: ksm_madvise; mm/khugepaged.c: madvise_collapse hugepage_madvise
 */
import { EACCES, EAGAIN, EINVAL, ENOMEM } from './errno.ts';
import { doFadvise, POSIX_FADV_WILLNEED } from './fadvise.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, vfsFallocate } from './fallocate.ts';
import { folioMapcount, folioMaybeMappedShared, folioPages, HPAGE_PMD_NR, isLarge } from './folio.ts';
import { GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import { faultinPageRange } from './gup.ts';
import { entriesOfFolio, hugeTable } from './huge_memory.ts';
import { madviseCollapse } from './khugepaged.ts';
import type { Machine } from './machine.ts';
import { MM_SWAPENTS, type Mm, updateHiwaterRss } from './mm.ts';
import { compoundHead, putPage } from './page_alloc.ts';
import {
  PG_active,
  PG_dirty,
  PG_locked,
  PG_lru,
  PG_referenced,
  PG_swapcache,
  PG_unevictable,
  PG_workingset,
  PG_young,
} from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_MARKER, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { isNonlinear } from './rmap/nonlinear.ts';
import { lockAndSplitFolio } from './split_folio.ts';
import { readSwapCacheAsync } from './swap/swap_state.ts';
import { folioFreeSwap, freeSwapAndCache } from './swap/swapfile.ts';
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
} from './uapi.ts';
import { NO_PFN, PAGE_SIZE, type Pfn, type Pgoff, pagesOf, type SwapEntry, type Vpn, vpnOf } from './units.ts';
import {
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DROPPABLE,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MAYBE_GUARD,
  VM_MAYSHARE,
  VM_MERGEABLE,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_SPECIAL,
  VM_STICKY,
  VM_WIPEONFORK,
  VM_WRITE,
  type VmFlags,
} from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { isSharedMaywrite, vmaModifyFlags } from './vma_merge.ts';
import { xaIsValue, xaToValue } from './xarray.ts';
import { drainBeforeFreeing, zapNonlinear, zapPageRange } from './zap.ts';

const ADDRESS_END = 2 ** 64;
const PMD_PAGES = 512;
/** How often guard markers are tried again after pages were in the way. */
const MAX_GUARD_TRIES = 3;

/** madvise(2). */
export function doMadvise(machine: Machine, mm: Mm, addr: number, length: number, behavior: number): number {
  if (!isValid(machine, behavior) || addr % PAGE_SIZE !== 0) return -EINVAL;
  const pages = pagesOf(length);
  const start = vpnOf(addr);
  const end = (start + pages) as Vpn;
  if (end * PAGE_SIZE >= ADDRESS_END) return -EINVAL;
  if (pages === 0) return 0;
  const populates = behavior === MADV_POPULATE_READ || behavior === MADV_POPULATE_WRITE;
  if (populates && machine.generation.switches.populateEndsAtHole) {
    return madvisePopulate(machine, mm, start, end, behavior === MADV_POPULATE_WRITE);
  }
  return adviseVmas(machine, mm, start, end, behavior);
}

/** DIFFERS: MADV_HWPOISON and MADV_SOFT_OFFLINE are unknown, as in a kernel without CONFIG_MEMORY_FAILURE. */
function isValid(machine: Machine, behavior: number): boolean {
  return machine.generation.knownAdvice.has(behavior);
}

/** Each VMA of the range in turn (madvise_walk_vmas). */
function adviseVmas(machine: Machine, mm: Mm, start: Vpn, end: Vpn, behavior: number): number {
  let hole = 0;
  let at = start;
  let vma = mm.vmas.find(at);
  let prev = vma !== null && vma.vmStart < at ? vma : mm.vmas.findBefore(at);
  for (;;) {
    if (vma === null) return -ENOMEM;
    if (at < vma.vmStart) {
      hole = -ENOMEM;
      at = vma.vmStart;
      if (at >= end) return hole;
    }
    const to = Math.min(end, vma.vmEnd) as Vpn;
    const advised: Vma | number = adviseVma(machine, prev, vma, at, to, behavior);
    if (typeof advised === 'number') return advised;
    prev = advised;
    at = Math.max(to, advised.vmEnd) as Vpn;
    if (at >= end) return hole;
    vma = mm.vmas.next(advised);
  }
}

/** One VMA's part of the range. Returns the VMA that covers it then, or -errno. */
function adviseVma(machine: Machine, prev: Vma | null, vma: Vma, start: Vpn, end: Vpn, behavior: number): Vma | number {
  let failed = 0;
  switch (behavior) {
    case MADV_REMOVE:
      failed = madviseRemove(machine, vma, start, end);
      break;
    case MADV_WILLNEED:
      madviseWillneed(machine, vma, start, end);
      break;
    case MADV_COLD:
    case MADV_PAGEOUT:
      failed = madviseColdOrPageout(machine, vma, start, end, behavior === MADV_PAGEOUT);
      break;
    case MADV_FREE:
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
      failed = madviseDontneedFree(machine, vma, start, end, behavior);
      break;
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
      failed = madvisePopulate(machine, vma.vmMm, start, end, behavior === MADV_POPULATE_WRITE);
      break;
    case MADV_COLLAPSE:
      failed = collapse(machine, vma, start, end);
      break;
    case MADV_GUARD_INSTALL:
      failed = madviseGuardInstall(machine, vma, start, end);
      break;
    case MADV_GUARD_REMOVE:
      failed = madviseGuardRemove(machine, vma, start, end);
      break;
    default:
      return adviseFlags(machine, prev, vma, start, end, behavior);
  }
  return failed < 0 ? failed : vma;
}

// advice that changes flags

function adviseFlags(
  machine: Machine,
  prev: Vma | null,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  behavior: number,
): Vma | number {
  if (refusesFlag(vma, behavior)) return -EINVAL;
  const newFlags = advisedFlags(vma, behavior);
  if (newFlags === vma.vmFlags) return vma;
  if (behavior === MADV_MERGEABLE && machine.ksm !== null && !machine.ksm.madviseMergeable(vma)) return vma;
  if (behavior === MADV_UNMERGEABLE && machine.ksm !== null && machine.ksm.unmerge(vma, start, end) < 0) return -EAGAIN;
  if (behavior === MADV_HUGEPAGE) machine.khugepaged?.enter(machine);
  const { mergesFiles: merges } = machine.generation.switches;
  const changed = vmaModifyFlags(machine, prev, vma, start, end, newFlags, merges);
  if (typeof changed === 'number') return changed === -ENOMEM ? -EAGAIN : changed;
  changed.vmFlags = newFlags | (changed.vmFlags & VM_STICKY);
  return changed;
}

function refusesFlag(vma: Vma, behavior: number): boolean {
  const { vmFlags } = vma;
  switch (behavior) {
    case MADV_DOFORK:
      return (vmFlags & VM_IO) !== 0;
    case MADV_WIPEONFORK:
      return vma.vmFile !== null || (vmFlags & VM_SHARED) !== 0;
    case MADV_KEEPONFORK:
      return (vmFlags & VM_DROPPABLE) !== 0;
    case MADV_DODUMP:
      return (vmFlags & (VM_SPECIAL | VM_DROPPABLE)) !== 0;
    default:
      return false;
  }
}

function advisedFlags(vma: Vma, behavior: number): VmFlags {
  const { vmFlags } = vma;
  switch (behavior) {
    case MADV_NORMAL:
      return vmFlags & ~(VM_RAND_READ | VM_SEQ_READ);
    case MADV_SEQUENTIAL:
      return (vmFlags & ~VM_RAND_READ) | VM_SEQ_READ;
    case MADV_RANDOM:
      return (vmFlags & ~VM_SEQ_READ) | VM_RAND_READ;
    case MADV_DONTFORK:
      return vmFlags | VM_DONTCOPY;
    case MADV_DOFORK:
      return vmFlags & ~VM_DONTCOPY;
    case MADV_WIPEONFORK:
      return vmFlags | VM_WIPEONFORK;
    case MADV_KEEPONFORK:
      return vmFlags & ~VM_WIPEONFORK;
    case MADV_DONTDUMP:
      return vmFlags | VM_DONTDUMP;
    case MADV_DODUMP:
      return vmFlags & ~VM_DONTDUMP;
    case MADV_MERGEABLE:
      return (vmFlags & (VM_SHARED | VM_MAYSHARE | VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE)) !== 0
        ? vmFlags
        : vmFlags | VM_MERGEABLE;
    case MADV_UNMERGEABLE:
      return vmFlags & ~VM_MERGEABLE;
    case MADV_HUGEPAGE:
      return (vmFlags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE;
    case MADV_NOHUGEPAGE:
      return (vmFlags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
    default:
      return vmFlags;
  }
}

// advice that drops

function madviseDontneedFree(machine: Machine, vma: Vma, start: Vpn, end: Vpn, behavior: number): number {
  const forbidden = behavior === MADV_DONTNEED_LOCKED ? VM_PFNMAP : VM_PFNMAP | VM_LOCKED;
  if ((vma.vmFlags & forbidden) !== 0) return -EINVAL;
  if (behavior !== MADV_FREE) {
    // Of a nonlinear VMA the order stays.
    if (isNonlinear(vma)) zapNonlinear(machine, vma, start, end, 0, Number.POSITIVE_INFINITY);
    else zapPageRange(machine, vma, start, end);
    if (machine.generation.switches.dontneedFreesTables) dropEmptyTables(machine, vma, start, end);
    if ((vma.vmFlags & VM_LOCKED) !== 0) drainBeforeFreeing(machine);
    return 0;
  }
  if (vma.vmFile !== null) return -EINVAL;
  madviseFree(machine, vma, start, end);
  return 0;
}

/** Tables of which all was zapped and nothing is left. With it comes the next huge page. */
function dropEmptyTables(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  let at = (Math.ceil(start / PMD_PAGES) * PMD_PAGES) as Vpn;
  while ((at = pageTables.nextTable(root, at, end)) + PMD_PAGES <= end) {
    if (pageTables.tableBits(pageTables.slotOf(root, at)) === 0) pageTables.dropTable(machine, vma.vmMm, at);
    at = (at + PMD_PAGES) as Vpn;
  }
}

/** What is read before it is written again may be zeros: pages become clean, and reclaim may drop them without writing. */
function madviseFree(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  const { pageTables, frames } = machine;
  const root = vma.vmMm.pageTables;
  machine.lru.drain();
  updateHiwaterRss(vma.vmMm);
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    const huge = hugeTable(machine, vma, at);
    if (huge !== NO_SLOT && madviseFreeHuge(machine, huge, tableEnd - at)) {
      at = tableEnd;
      continue;
    }
    for (let step = 1; at < tableEnd; at = (at + step) as Vpn) {
      step = 1;
      const slot = pageTables.slotOf(root, at);
      if (slot === NO_SLOT) continue;
      if (pageTables.isSwap(slot)) {
        const entry = pageTables.swapEntry(slot);
        pageTables.setNone(slot);
        vma.vmMm.rss[MM_SWAPENTS]! -= 1;
        freeSwapAndCache(machine, entry);
      } else if (pageTables.isPresent(slot) && !pageTables.has(slot, PTE_SPECIAL)) {
        const pages = takeFolio(machine, slot, tableEnd - at, true);
        step = Math.abs(pages);
        if (pages <= 0) continue;
        const pfn = pageTables.pfn(slot);
        if (frames.has(pfn, PG_swapcache | PG_dirty) && !giveUpContents(machine, pfn)) continue;
        for (let i = 0; i < pages; i++) pageTables.clear(slot + i, PTE_YOUNG | PTE_DIRTY);
        machine.lru.lazyfree(pfn);
      }
    }
  }
}

/** Nobody else needs what the page holds: it leaves the swap cache and is clean. False: somebody does. */
function giveUpContents(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  if (frames.has(pfn, PG_locked) || folioMapcount(machine, pfn) !== folioPages(machine, pfn)) return false;
  if (frames.has(pfn, PG_swapcache) && !folioFreeSwap(machine, pfn)) return false;
  frames.clear(pfn, PG_dirty);
  return true;
}

/** A hole in the file. */
function madviseRemove(machine: Machine, vma: Vma, start: Vpn, end: Vpn): number {
  if ((vma.vmFlags & VM_LOCKED) !== 0) return -EINVAL;
  const file = vma.vmFile;
  if (file === null) return -EINVAL;
  if (!isSharedMaywrite(vma.vmFlags)) return -EACCES;
  const offset = linearPageIndex(vma, start) * PAGE_SIZE;
  return vfsFallocate(machine, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (end - start) * PAGE_SIZE);
}

/** Markers in the page tables: whoever touches a guard region gets a SIGSEGV, and no VMA is spent on it. */
function madviseGuardInstall(machine: Machine, vma: Vma, start: Vpn, end: Vpn): number {
  if ((vma.vmFlags & (VM_SPECIAL | VM_HUGETLB | VM_LOCKED)) !== 0) return -EINVAL;
  // Tells fork to copy the tables of a file mapping too, which faults would make anew otherwise.
  vma.vmFlags |= VM_MAYBE_GUARD;
  if (vma.vmFile === null && machine.rmap.anonVmaPrepare(vma) < 0) return -ENOMEM;
  for (let tries = 0; tries < MAX_GUARD_TRIES; tries++) {
    const result = installMarkers(machine, vma, start, end);
    if (result <= 0) return result;
    zapPageRange(machine, vma, start, end);
  }
  return -EAGAIN;
}

/** 0, -ENOMEM, or 1: a page is in the way. */
function installMarkers(machine: Machine, vma: Vma, start: Vpn, end: Vpn): number {
  const { pageTables } = machine;
  for (let vpn = start; vpn < end; vpn++) {
    const slot = pageTables.slotAlloc(machine, vma.vmMm, vpn);
    if (slot === NO_SLOT) return -ENOMEM;
    if (pageTables.isNone(slot)) pageTables.setPresent(slot, 0 as Pfn, PTE_MARKER);
    else if (!pageTables.has(slot, PTE_MARKER)) return 1;
  }
  return 0;
}

function madviseGuardRemove(machine: Machine, vma: Vma, start: Vpn, end: Vpn): number {
  if ((vma.vmFlags & (VM_SPECIAL | VM_HUGETLB)) !== 0) return -EINVAL;
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    for (; at < tableEnd; at++) {
      const slot = pageTables.slotOf(root, at);
      if (pageTables.has(slot, PTE_MARKER)) pageTables.setNone(slot);
    }
  }
  return 0;
}

// advice that ages and evicts

function madviseColdOrPageout(machine: Machine, vma: Vma, start: Vpn, end: Vpn, pageout: boolean): number {
  if ((vma.vmFlags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB)) !== 0) return -EINVAL;
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  machine.lru.drain();
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    const victims: Pfn[] = [];
    const huge = hugeTable(machine, vma, at);
    if (huge !== NO_SLOT && ageHuge(machine, huge, tableEnd - at, pageout, victims)) at = tableEnd;
    for (let step = 1; at < tableEnd; at = (at + step) as Vpn) {
      step = 1;
      const slot = pageTables.slotOf(root, at);
      if (!pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
      const pages = takeFolio(machine, slot, tableEnd - at, false);
      step = Math.abs(pages);
      if (pages > 0) ageEntries(machine, slot, pages, pageout, victims);
    }
    if (victims.length > 0) machine.reclaim.reclaimPages(victims);
  }
  return 0;
}

/** All entries of a folio from `slot` on: if nobody else maps it, it forgets that it was used. */
function ageEntries(machine: Machine, slot: number, pages: number, pageout: boolean, victims: Pfn[]): void {
  const { pageTables, frames } = machine;
  const pfn = pageTables.pfn(slot);
  if (!frames.has(pfn, PG_lru) || folioMapcount(machine, pfn) !== pages) return;
  if (!pageout || !machine.generation.switches.pageoutKeepsYoung) {
    for (let i = 0; i < pages; i++) pageTables.clear(slot + i, PTE_YOUNG);
  }
  ageFolio(machine, pfn, pageout, victims);
}

/** To `victims`, or to the inactive list. */
function ageFolio(machine: Machine, pfn: Pfn, pageout: boolean, victims: Pfn[]): void {
  const { frames, lru } = machine;
  const { switches } = machine.generation;
  frames.clear(pfn, PG_referenced | PG_young);
  if (switches.coldSetsWorkingset && frames.has(pfn, PG_active)) frames.set(pfn, PG_workingset);
  if (!pageout) {
    lru.deactivate(pfn);
  } else if (lru.isolate(pfn)) {
    if (frames.has(pfn, PG_unevictable)) lru.putback(pfn);
    else victims.push(pfn);
  }
}

// huge pages

/**
 * The entry at `slot`, with at most `most` entries to go. 1: a page on its own. More: a large folio, all of which follows.
 * 0: it was split, look again. Less than 0: leave so many entries out. 6.1 asks the page, or (`byHead`) the head, who shares it.
 */
function takeFolio(machine: Machine, slot: number, most: number, byHead: boolean): number {
  const pfn = machine.pageTables.pfn(slot);
  if (!isLarge(machine, pfn)) return 1;
  const head = compoundHead(machine, pfn);
  if (!machine.generation.switches.hugeFolios) {
    // Always split, and where that cannot be, the rest of the table is left alone.
    const asked = byHead ? head : pfn;
    return machine.frames.mapcount(asked) === 1 && lockAndSplitFolio(machine, head) === 0 ? 0 : -most;
  }
  const pages = entriesOfFolio(machine, slot, most);
  if (pages === folioPages(machine, head)) return pages;
  return !folioMaybeMappedShared(machine, head) && lockAndSplitFolio(machine, head) === 0 ? 0 : -pages;
}

/** MADV_FREE of `pages` pages of a huge mapping. True: done, or nothing can be done. */
function madviseFreeHuge(machine: Machine, first: number, pages: number): boolean {
  const { pageTables, frames } = machine;
  if (pageTables.has(first, PTE_SPECIAL)) return true;
  const head = pageTables.pfn(first);
  if (isSharedHuge(machine, head, folioMapcount(machine, head)) || frames.has(head, PG_locked)) return true;
  if (pages < HPAGE_PMD_NR) return lockAndSplitFolio(machine, head) < 0 && pageTables.isHuge(first);
  frames.clear(head, PG_dirty);
  pageTables.setTableBits(first, pageTables.tableBits(first) & ~(PTE_YOUNG | PTE_DIRTY));
  machine.lru.lazyfree(head);
  return true;
}

/** MADV_COLD or _PAGEOUT of `pages` pages of a huge mapping. True: done, or nothing can be done. */
function ageHuge(machine: Machine, first: number, pages: number, pageout: boolean, victims: Pfn[]): boolean {
  const { pageTables } = machine;
  if (pageTables.has(first, PTE_SPECIAL)) return true;
  const head = pageTables.pfn(first);
  if (isSharedHuge(machine, head, machine.frames.mapcount(head))) return true;
  if (pages < HPAGE_PMD_NR) return lockAndSplitFolio(machine, head) < 0;
  if (!pageout || !machine.generation.switches.pageoutKeepsYoung) {
    pageTables.setTableBits(first, pageTables.tableBits(first) & ~PTE_YOUNG);
  }
  ageFolio(machine, head, pageout, victims);
  return true;
}

/** 6.1 asks only `mapcount`: that of the whole, or that of the first page. */
function isSharedHuge(machine: Machine, head: Pfn, mapcount: number): boolean {
  return machine.generation.switches.hugeFolios ? folioMaybeMappedShared(machine, head) : mapcount !== 1;
}

// advice that brings

/** Starts what I/O is needed; nobody waits. */
function madviseWillneed(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  const file = vma.vmFile;
  if (file === null) swapinRange(machine, vma, start, end);
  else if (file.inode.kind === 'tmpfs') shmemSwapinRange(machine, vma, start, end);
  else {
    doFadvise(machine, file, linearPageIndex(vma, start) * PAGE_SIZE, (end - start) * PAGE_SIZE, POSIX_FADV_WILLNEED);
    return;
  }
  machine.lru.drain();
}

function swapinRange(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    for (; at < tableEnd; at++) {
      const slot = pageTables.slotOf(root, at);
      if (slot !== NO_SLOT && pageTables.isSwap(slot)) swapinOne(machine, pageTables.swapEntry(slot));
    }
  }
}

function shmemSwapinRange(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  const { pages } = vma.vmFile!.mapping;
  const behind = linearPageIndex(vma, end);
  for (let index = linearPageIndex(vma, start); index < behind; index++) {
    const entry = pages.load(index as Pgoff);
    if (xaIsValue(entry)) swapinOne(machine, xaToValue(entry) as SwapEntry);
  }
}

function swapinOne(machine: Machine, entry: SwapEntry): void {
  const pfn = readSwapCacheAsync(machine, entry, GFP_HIGHUSER_MOVABLE);
  if (pfn !== NO_PFN) putPage(machine, pfn);
}

/** Faults in what the mapping must allow. 0; -EINVAL, -ENOMEM (a hole, no memory), -EFAULT (behind the end of a file). */
function madvisePopulate(machine: Machine, mm: Mm, start: Vpn, end: Vpn, write: boolean): number {
  let failed = 0;
  for (let at = start; at < end && failed === 0; ) {
    const vma = mm.vmas.findExact(at);
    if (vma === null) return -ENOMEM;
    const to = Math.min(end, vma.vmEnd) as Vpn;
    failed = populateVma(machine, vma, at, to, write);
    // SINCE 6.9: one walk over all areas. Before, one for each, and each drains at its end.
    if (to === end || failed !== 0 || !machine.generation.switches.populateEndsAtHole) machine.lru.drain();
    at = to;
  }
  return failed;
}

function populateVma(machine: Machine, vma: Vma, start: Vpn, end: Vpn, write: boolean): number {
  if ((vma.vmFlags & (VM_IO | VM_PFNMAP)) !== 0) return -EINVAL;
  if ((vma.vmFlags & (write ? VM_WRITE : VM_READ)) === 0) return -EINVAL;
  return faultinPageRange(machine, vma.vmMm, start, end, write);
}

/** DIFFERS: tmpfs has no huge pages; a user sees -ENOMEM where Linux would make one at once. */
function collapse(machine: Machine, vma: Vma, start: Vpn, end: Vpn): number {
  if (vma.vmFile === null) return madviseCollapse(machine, vma, start, end);
  const first = Math.ceil(vma.vmStart / PMD_PAGES) * PMD_PAGES;
  const mayBe = vma.vmFile.inode.kind === 'tmpfs' && (vma.vmFlags & VM_SPECIAL) === 0;
  if (!mayBe || first + PMD_PAGES > vma.vmEnd) return -EINVAL;
  const from = Math.ceil(start / PMD_PAGES);
  const to = Math.floor(end / PMD_PAGES);
  if (from === to) return 0;
  return from > to ? -EINVAL : -ENOMEM;
}
