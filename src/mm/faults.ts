/**
 * What a page fault does to an entry in 6.x.
 *
 * Owns      anonymous memory, file pages, copy-on-write, swap-in.
 * Promises  1. A store is seen by the process that made it and by those that share the page, and by nobody else.
 *           2. An allocation may reclaim, and reclaim may change any entry: each is looked at again before it is set.
 * Linux     6.18 mm/memory.c: handle_pte_fault do_anonymous_page do_read_fault do_cow_fault do_shared_fault
 *           finish_fault set_pte_range do_swap_page should_try_to_free_swap do_wp_page wp_can_reuse_anon_folio wp_page_copy
 *           wp_page_reuse wp_page_shared do_fault_around fault_dirty_shared_page; mm/swap_state.c: free_swap_cache;
 *           mm/vma.c: vma_wants_writenotify
 *
 *   entry is            and the access is    then
 *   none, no file       a load               the zero page            none, file     fault-around, or the file's page
 *   none, no file       a store              a new page               none, file     private: a copy; shared: page_mkwrite
 *   a swap entry        either               swap-in                  read-only      a store: reuse if it is ours alone, else a copy
 */

import { waitOnPageLocked } from './block.ts';
import { bugOn } from './bug.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_FALLBACK,
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
} from './fault.ts';
import { filemapFault, filemapMapPages, pageMkwrite } from './filemap.ts';
import { folioMapcount, folioMaybeMappedShared, folioPages, isLarge } from './folio.ts';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from './gfp.ts';
import { hugeFault, wantsHuge } from './huge_memory.ts';
import { isKsmPage, ksmMightNeedToCopy } from './ksm_page.ts';
import { swapInCopy } from './ksm_swapin.ts';
import type { Machine } from './machine.ts';
import { countMemcgEvents, memCgroupCharge } from './memcg.ts';
import { mlockVmaPage } from './mlock.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Mm } from './mm.ts';
import { allocPages, compoundHead, getPage, putPage } from './page_alloc.ts';
import {
  PG_anon_exclusive,
  PG_locked,
  PG_lru,
  PG_mlocked,
  PG_swapbacked,
  PG_swapcache,
  PG_uptodate,
  PG_writeback,
} from './page_flags.ts';
import {
  NO_SLOT,
  PTE_DIRTY,
  PTE_MARKER,
  PTE_PRESENT,
  PTE_RW,
  PTE_SPECIAL,
  PTE_SWP_EXCLUSIVE,
  PTE_TLB,
  PTE_YOUNG,
  PTRS_PER_TABLE,
} from './page_table.ts';
import { shmemFault } from './shmem.ts';
import { swapReadpage } from './swap/page_io.ts';
import { swapCacheGetForFault } from './swap/swap_state.ts';
import {
  folioFreeSwap,
  getShadow,
  isSynchronousIo,
  memCgroupSwapFull,
  memCgroupSwapinUnchargeSwap,
  swapCount,
  swapcacheClear,
  swapcachePrepare,
  swapFree,
  swapMemcg,
} from './swap/swapfile.ts';
import { NO_PFN, type Pfn, type Pgoff, type SwapEntry, type Vpn, ZERO_TOKEN } from './units.ts';
import { VM_LOCKED, VM_SHARED, VM_WRITE } from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { PGMAJFAULT, PGREUSE } from './vmstat.ts';
import { folioMarkDirty } from './writeback.ts';

/** VM_FAULT_ bits. */
export function handlePteFault(machine: Machine, vma: Vma, vpn: Vpn, flags: number): number {
  const { fault, pageTables } = machine;
  const found = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  if (found === NO_SLOT ? wantsHuge(machine, vma, vpn) : pageTables.isHuge(found)) {
    const huge = hugeFault(machine, vma, vpn, flags, found);
    if (huge !== VM_FAULT_FALLBACK) return huge;
  }
  const slot = found === NO_SLOT ? pageTables.slotAlloc(machine, vma.vmMm, vpn) : found;
  if (slot === NO_SLOT) return VM_FAULT_OOM;
  fault.vma = vma;
  fault.vpn = vpn;
  fault.pgoff = linearPageIndex(vma, vpn);
  fault.flags = flags;
  fault.slot = slot;
  fault.newTable = found === NO_SLOT;
  fault.page = NO_PFN;
  fault.cowPage = NO_PFN;
  if (pageTables.isNone(slot)) return vma.vmFile === null ? doAnonymousPage(machine) : doFault(machine);
  if (pageTables.isSwap(slot)) return doSwapPage(machine);
  if (pageTables.has(slot, PTE_MARKER)) return VM_FAULT_SIGSEGV;
  if ((flags & FAULT_FLAG_WRITE) !== 0 && !pageTables.has(slot, PTE_RW)) return doWpPage(machine);
  pageTables.set(slot, (flags & FAULT_FLAG_WRITE) !== 0 ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
  return 0;
}

// anonymous memory

function doAnonymousPage(machine: Machine): number {
  const { fault, pageTables, frames, rmap } = machine;
  const { vma, vpn, slot } = fault;
  const mm = vma.vmMm;
  if ((vma.vmFlags & VM_SHARED) !== 0) return VM_FAULT_SIGBUS;
  if ((fault.flags & FAULT_FLAG_WRITE) === 0) {
    pageTables.setPresent(slot, machine.zeroPfn, PTE_PRESENT | PTE_SPECIAL | PTE_YOUNG);
    return 0;
  }
  if (rmap.anonVmaPrepare(vma) < 0) return VM_FAULT_OOM;
  const pfn = allocAnonPage(machine, mm);
  if (pfn === NO_PFN) return VM_FAULT_OOM;
  if (!pageTables.isNone(slot)) {
    putPage(machine, pfn);
    return 0;
  }
  frames.set(pfn, PG_uptodate);
  mm.rss[MM_ANONPAGES]! += 1;
  rmap.addNewAnon(pfn, vma, vpn);
  machine.lru.addVma(pfn, vma);
  pageTables.setPresent(slot, pfn, PTE_PRESENT | PTE_YOUNG | ((vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW | PTE_DIRTY : 0));
  return 0;
}

/** A page for anonymous memory of `mm`, charged; its content is zero. NO_PFN if there is none. */
export function allocAnonPage(machine: Machine, mm: Mm): Pfn {
  const pfn = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
  if (pfn === NO_PFN) return NO_PFN;
  if (memCgroupCharge(machine, pfn, mm.memcg, GFP_KERNEL) < 0) {
    putPage(machine, pfn);
    return NO_PFN;
  }
  return pfn;
}

// file memory

function doFault(machine: Machine): number {
  const { fault } = machine;
  const { vma, vpn, newTable } = fault;
  let result: number;
  if ((fault.flags & FAULT_FLAG_WRITE) === 0) result = doReadFault(machine);
  else result = (vma.vmFlags & VM_SHARED) === 0 ? doCowFault(machine) : doSharedFault(machine);
  if (newTable && (result & (VM_FAULT_ERROR | VM_FAULT_RETRY)) !== 0) dropEmptyTable(machine, vma.vmMm, vpn);
  return result;
}

/** A table made for a fault that failed. Linux makes it when there is something to put in. */
function dropEmptyTable(machine: Machine, mm: Mm, vpn: Vpn): void {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  if (slot === NO_SLOT || pageTables.tableBits(pageTables.tableStart(slot)) !== 0) return;
  pageTables.dropTable(machine, mm, vpn);
}

export function doReadFault(machine: Machine): number {
  const { fault } = machine;
  if (machine.sysctl.faultAroundBytes > 4096) {
    const around = doFaultAround(machine);
    if (around !== 0) return around;
  }
  const result = fileFault(machine);
  if ((result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) !== 0) return result;
  const finished = finishFault(machine, fault.page);
  machine.frames.clear(fault.page, PG_locked);
  if ((finished & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) putPage(machine, fault.page);
  return result | finished;
}

/** Maps the cached pages around, up to 16 in an aligned window of the same table and VMA. */
function doFaultAround(machine: Machine): number {
  const { fault } = machine;
  const { vma, vpn, pgoff } = fault;
  const window = machine.sysctl.faultAroundBytes / 4096;
  const first = Math.max(vpn - (vpn % window), vma.vmStart);
  const tableEnd = vpn - (vpn & 511) + 512;
  const end = Math.min(first + window, tableEnd, vma.vmEnd);
  return filemapMapPages(machine, fault, (pgoff - (vpn - first)) as Pgoff, (pgoff + (end - 1 - vpn)) as Pgoff);
}

export function doCowFault(machine: Machine): number {
  const { fault, frames } = machine;
  const { vma } = fault;
  if (machine.rmap.anonVmaPrepare(vma) < 0) return VM_FAULT_OOM;
  const copy = allocAnonPage(machine, vma.vmMm);
  if (copy === NO_PFN) return VM_FAULT_OOM;
  const result = fileFault(machine);
  if ((result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) !== 0) {
    putPage(machine, copy);
    return result;
  }
  frames.setToken(copy, frames.token(fault.page));
  frames.set(copy, PG_uptodate);
  const finished = finishFault(machine, copy);
  frames.clear(fault.page, PG_locked);
  putPage(machine, fault.page);
  if ((finished & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) putPage(machine, copy);
  return result | finished;
}

export function doSharedFault(machine: Machine): number {
  const { fault, frames } = machine;
  const result = fileFault(machine);
  if ((result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) !== 0) return result;
  const pfn = fault.page;
  if (wantsWriteNotify(fault.vma)) {
    // It locks the page itself, after the file system has made room.
    frames.clear(pfn, PG_locked);
    const allowed = pageMkwrite(machine, fault);
    if ((allowed & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) {
      putPage(machine, pfn);
      return allowed;
    }
  }
  const finished = finishFault(machine, pfn);
  if ((finished & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) {
    frames.clear(pfn, PG_locked);
    putPage(machine, pfn);
    return result | finished;
  }
  faultDirtySharedPage(machine, pfn);
  return result;
}

/** The page of the file, with a reference and locked, in fault.page. */
export function fileFault(machine: Machine): number {
  const { fault } = machine;
  const { mapping } = fault.vma.vmFile!;
  const result = mapping.host.kind === 'tmpfs' ? shmemFault(machine, fault) : filemapFault(machine, fault);
  bugOn(
    (result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_LOCKED | VM_FAULT_RETRY)) === 0,
    'a file fault returns its page locked',
    fault.pgoff,
  );
  return result & ~VM_FAULT_LOCKED;
}

/** Sets the entry, unless it changed meanwhile. */
export function finishFault(machine: Machine, pfn: Pfn): number {
  const { fault, pageTables } = machine;
  const { vma, vpn } = fault;
  // The table itself may have gone and come again while the file was read.
  const slot = pageTables.slotAlloc(machine, vma.vmMm, vpn);
  if (slot === NO_SLOT) return VM_FAULT_OOM;
  if (!pageTables.isNone(slot)) return VM_FAULT_NOPAGE;
  setFilePte(machine, vma, slot, pfn, vpn, (fault.flags & FAULT_FLAG_WRITE) !== 0);
  return 0;
}

/** Maps a page of a file, or the private copy of one, whose reference the entry takes over (set_pte_range). */
export function setFilePte(machine: Machine, vma: Vma, slot: number, pfn: Pfn, vpn: Vpn, write: boolean): void {
  const { pageTables, frames } = machine;
  const mm = vma.vmMm;
  let bits = PTE_PRESENT | PTE_YOUNG;
  if (write) bits |= PTE_DIRTY | ((vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0);
  else if (isSharedWritable(vma) && !wantsWriteNotify(vma)) bits |= PTE_RW;
  if (write && (vma.vmFlags & VM_SHARED) === 0) {
    mm.rss[MM_ANONPAGES]! += 1;
    machine.rmap.addNewAnon(pfn, vma, vpn);
    machine.lru.addVma(pfn, vma);
  } else {
    mm.rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! += 1;
    machine.rmap.addFile(pfn, vma);
  }
  pageTables.setPresent(slot, pfn, bits);
}

export function isSharedWritable(vma: Vma): boolean {
  return (vma.vmFlags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE);
}

/** The first store to a page must be noticed: the file's pages are written back (vma_wants_writenotify). */
export function wantsWriteNotify(vma: Vma): boolean {
  return isSharedWritable(vma) && vma.vmFile !== null && vma.vmFile.inode.kind !== 'tmpfs';
}

/** A shared page was written through its mapping. Unlocks it. */
export function faultDirtySharedPage(machine: Machine, pfn: Pfn): void {
  folioMarkDirty(machine, pfn);
  machine.frames.clear(pfn, PG_locked);
  machine.generation.writeback.balanceDirtyPages(machine);
}

// swap

/** A load that finds a swap entry in `slot`, made by the kernel: no fault is counted. VM_FAULT_ bits. */
export function swapInEntry(machine: Machine, vma: Vma, vpn: Vpn, slot: number, flags: number): number {
  const { fault } = machine;
  fault.vma = vma;
  fault.vpn = vpn;
  fault.pgoff = linearPageIndex(vma, vpn);
  fault.flags = flags;
  fault.slot = slot;
  return doSwapPage(machine);
}

function doSwapPage(machine: Machine): number {
  const { fault, pageTables, frames, generation } = machine;
  const { vma, vpn, slot } = fault;
  const mm = vma.vmMm;
  const write = (fault.flags & FAULT_FLAG_WRITE) !== 0;
  const entry = pageTables.swapEntry(slot);
  const bits = pageTables.bits[slot]!;
  let result = 0;
  const cached = swapCacheGetForFault(machine, entry, vma, vpn);
  let pfn = cached === NO_PFN ? NO_PFN : compoundHead(machine, cached);
  let inSwapCache = true;
  let direct = false;
  if (pfn !== NO_PFN) {
    frames.get(pfn);
  } else {
    if (isSynchronousIo(machine, entry) && swapCount(machine, entry) === 1) {
      // Nobody else can want it, and the device answers at once: the swap cache is skipped.
      pfn = swapinDirect(machine, entry);
      direct = pfn !== NO_PFN;
      inSwapCache = false;
    } else {
      pfn = generation.swapinReadahead(machine, entry, GFP_HIGHUSER_MOVABLE, fault);
    }
    if (pfn === NO_PFN) return pageTables.value[slot] === entry ? VM_FAULT_OOM : 0;
    result = VM_FAULT_MAJOR;
    machine.events[PGMAJFAULT]! += 1;
    countMemcgEvents(mm.memcg, PGMAJFAULT, 1);
  }
  if (frames.has(pfn, PG_locked) && !direct) {
    waitOnPageLocked(machine, pfn);
    if ((fault.flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED)) === FAULT_FLAG_ALLOW_RETRY) {
      putPage(machine, pfn);
      return result | VM_FAULT_RETRY;
    }
  }
  frames.set(pfn, PG_locked);
  if (inSwapCache) {
    if (!holdsEntry(machine, pfn, entry)) return backOut(machine, pfn, entry, direct, result);
    if (write && !frames.has(pfn, PG_lru)) machine.lru.drain();
  }
  if (inSwapCache && machine.ksm !== null && ksmMightNeedToCopy(machine, pfn, vma, vpn)) {
    return result | swapInCopy(machine, vma, vpn, slot, entry, pfn, write);
  }
  // Reading may have taken time and memory: somebody else may have brought the page in.
  const at = pageTables.slotOf(mm.pageTables, vpn);
  if (at !== slot || pageTables.bits[slot] !== bits || pageTables.value[slot] !== entry) {
    return backOut(machine, pfn, entry, direct, result);
  }
  let exclusive = direct || (bits & PTE_SWP_EXCLUSIVE) !== 0;
  if (!direct && exclusive && frames.has(pfn, PG_writeback) && isSynchronousIo(machine, entry)) exclusive = false;

  const index = inSwapCache ? entry - frames.private_(pfn) : 0;
  const pages = pagesToMap(machine, pfn, index, vma, vpn, slot);
  const skip = pages > 1 ? index : 0;
  for (let i = 0; i < pages; i++) swapFree(machine, (entry - skip + i) as SwapEntry);
  if (shouldTryToFreeSwap(machine, pfn, vma, write)) folioFreeSwap(machine, pfn);
  mm.rss[MM_ANONPAGES]! += pages;
  mm.rss[MM_SWAPENTS]! -= pages;
  let entryBits = PTE_PRESENT | PTE_YOUNG;
  const owned = exclusive || frames.refcount(pfn) === 1;
  let writeLeft = write;
  if (owned) {
    if (write) {
      entryBits |= PTE_DIRTY | ((vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0);
      writeLeft = false;
    } else if (generation.switches.swapinWritable && (vma.vmFlags & VM_WRITE) !== 0) {
      entryBits |= PTE_RW;
    }
  }
  frames.setRefcount(pfn, frames.refcount(pfn) + pages - 1);
  for (let i = 0; i < pages; i++) {
    const page = (pfn + index - skip + i) as Pfn;
    machine.rmap.addAnon(page, vma, (vpn - skip + i) as Vpn, owned);
    pageTables.setPresent(slot - skip + i, page, entryBits);
  }
  if (pages > 1) mlockVmaPage(machine, pfn, vma);
  frames.clear(pfn, PG_locked);
  if (direct) swapcacheClear(machine, entry);
  if (!writeLeft) return result;
  return result | doWpPage(machine);
}

/** The page, or a page of the folio, is in the swap cache for this entry. */
function holdsEntry(machine: Machine, head: Pfn, entry: SwapEntry): boolean {
  const { frames } = machine;
  const index = entry - frames.private_(head);
  return frames.has(head, PG_swapcache) && index >= 0 && index < folioPages(machine, head);
}

/** SINCE 6.12: all of a large folio in the swap cache, if the entries for all of it are side by side here. Else one page. */
function pagesToMap(machine: Machine, head: Pfn, index: number, vma: Vma, vpn: Vpn, slot: number): number {
  const { pageTables } = machine;
  const pages = folioPages(machine, head);
  if (pages === 1 || !machine.generation.switches.hugeFolios) return 1;
  const first = slot - index;
  const table = pageTables.tableStart(slot);
  if (first < table || first + pages > table + PTRS_PER_TABLE) return 1;
  if (vpn - index < vma.vmStart || vpn - index + pages > vma.vmEnd) return 1;
  for (let i = 0; i < pages; i++) {
    const same = pageTables.bits[first + i] === pageTables.bits[slot];
    if (!same || pageTables.value[first + i] !== pageTables.value[slot]! - index + i) return 1;
  }
  return pages;
}

function backOut(machine: Machine, pfn: Pfn, entry: SwapEntry, direct: boolean, result: number): number {
  machine.frames.clear(pfn, PG_locked);
  putPage(machine, pfn);
  if (direct) swapcacheClear(machine, entry);
  return result;
}

/** Reads a page without the swap cache. It is locked, on its way to the LRU, and charged. NO_PFN without memory. */
function swapinDirect(machine: Machine, entry: SwapEntry): Pfn {
  const { frames } = machine;
  if (swapcachePrepare(machine, entry) < 0) return NO_PFN;
  const pfn = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
  if (pfn === NO_PFN) {
    swapcacheClear(machine, entry);
    return NO_PFN;
  }
  frames.set(pfn, PG_locked | PG_swapbacked);
  if (memCgroupCharge(machine, pfn, swapMemcg(machine, entry), GFP_KERNEL) < 0) {
    frames.clear(pfn, PG_locked);
    putPage(machine, pfn);
    swapcacheClear(machine, entry);
    return NO_PFN;
  }
  memCgroupSwapinUnchargeSwap(machine, entry);
  const shadow = getShadow(machine, entry);
  if (shadow !== 0) machine.workingset.refault(pfn, shadow);
  machine.lru.add(pfn);
  swapReadpage(machine, pfn, entry);
  return pfn;
}

function shouldTryToFreeSwap(machine: Machine, pfn: Pfn, vma: Vma, write: boolean): boolean {
  const { frames } = machine;
  if (!frames.has(pfn, PG_swapcache)) return false;
  if (memCgroupSwapFull(machine, pfn) || (vma.vmFlags & VM_LOCKED) !== 0 || frames.has(pfn, PG_mlocked)) return true;
  return write && frames.refcount(pfn) === 1 + folioPages(machine, pfn);
}

// copy-on-write

/** A store to a present, read-only entry. */
function doWpPage(machine: Machine): number {
  const { fault, pageTables, frames } = machine;
  const { vma, slot } = fault;
  if (pageTables.has(slot, PTE_SPECIAL)) return wpPageCopy(machine, NO_PFN, freeSwapCacheIfUnmapped);
  const pfn = pageTables.pfn(slot);
  if (isKsmPage(machine, pfn)) return wpPageCopy(machine, pfn, freeSwapCacheIfUnmapped);
  if (frames.isAnon(pfn)) {
    if (frames.has(pfn, PG_anon_exclusive) || isOnlyUser(machine, pfn)) return wpPageReuse(machine);
  } else if ((vma.vmFlags & VM_SHARED) !== 0) {
    return wpPageShared(machine, pfn, wpPageReuse);
  }
  return wpPageCopy(machine, pfn, freeSwapCacheIfUnmapped);
}

/** Nobody but this entry holds the page any more; it becomes this VMA's own. */
function isOnlyUser(machine: Machine, pfn: Pfn): boolean {
  const { frames, fault } = machine;
  const head = compoundHead(machine, pfn);
  if (isLarge(machine, pfn) && machine.generation.switches.hugeFolios) return isOnlyMmOfFolio(machine, head, pfn);
  if (frames.refcount(head) > 3) return false;
  if (!frames.has(head, PG_lru)) machine.lru.drain();
  if (frames.refcount(head) > (frames.has(head, PG_swapcache) ? 2 : 1)) return false;
  if (frames.has(head, PG_locked)) return false;
  if (frames.has(head, PG_swapcache)) folioFreeSwap(machine, head);
  if (frames.refcount(head) !== 1) return false;
  machine.rmap.moveAnon(pfn, fault.vma);
  return true;
}

/** Only this address space maps parts of the folio, and only entries hold it. The last part is copied: then the folio is free. */
function isOnlyMmOfFolio(machine: Machine, head: Pfn, pfn: Pfn): boolean {
  const { frames } = machine;
  const mapcount = folioMapcount(machine, head);
  if (mapcount <= 1 || folioMaybeMappedShared(machine, head) || mapcount !== frames.refcount(head)) return false;
  frames.set(pfn, PG_anon_exclusive);
  return true;
}

function wpPageReuse(machine: Machine): number {
  const { fault, pageTables } = machine;
  const rw = (fault.vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0;
  pageTables.set(fault.slot, PTE_YOUNG | PTE_DIRTY | rw);
  machine.events[PGREUSE]! += 1;
  return 0;
}

/** The page of a shared mapping; `reuse` makes the entry writable. */
export function wpPageShared(machine: Machine, pfn: Pfn, reuse: (machine: Machine) => number): number {
  const { fault, frames, pageTables } = machine;
  if (!wantsWriteNotify(fault.vma)) return reuse(machine);
  frames.get(pfn);
  fault.page = pfn;
  const result = pageMkwrite(machine, fault);
  if ((result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) {
    putPage(machine, pfn);
    return result;
  }
  const slot = pageTables.slotOf(fault.vma.vmMm.pageTables, fault.vpn);
  const same = slot === fault.slot && pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn;
  if (same) reuse(machine);
  faultDirtySharedPage(machine, pfn);
  putPage(machine, pfn);
  return 0;
}

/** `old` is the page to copy, or NO_PFN for the zero page; `unmapped` is told when the entry does not map it any more. */
export function wpPageCopy(
  machine: Machine,
  old: Pfn,
  unmapped: (machine: Machine, old: Pfn, vma: Vma) => void,
): number {
  const { fault, pageTables, frames, rmap } = machine;
  const { vma, vpn, slot } = fault;
  const mm = vma.vmMm;
  const bits = pageTables.bits[slot]! & ~(PTE_YOUNG | PTE_TLB);
  if (old !== NO_PFN) getPage(machine, old);
  const copy = rmap.anonVmaPrepare(vma) < 0 ? NO_PFN : allocAnonPage(machine, mm);
  if (copy === NO_PFN) {
    if (old !== NO_PFN) putPage(machine, old);
    return VM_FAULT_OOM;
  }
  frames.setToken(copy, old === NO_PFN ? ZERO_TOKEN : frames.token(old));
  frames.set(copy, PG_uptodate);
  const at = pageTables.slotOf(mm.pageTables, vpn);
  // Reclaim for the copy may have unmapped the old page; its young bit may be gone, too.
  const same =
    at === slot &&
    (pageTables.bits[slot]! & ~(PTE_YOUNG | PTE_TLB)) === bits &&
    pageTables.pfn(slot) === (old === NO_PFN ? machine.zeroPfn : old);
  if (!same) {
    putPage(machine, copy);
    if (old !== NO_PFN) putPage(machine, old);
    return 0;
  }
  if (old === NO_PFN) {
    mm.rss[MM_ANONPAGES]! += 1;
  } else if (!frames.isAnon(old)) {
    mm.rss[frames.has(old, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    mm.rss[MM_ANONPAGES]! += 1;
  }
  rmap.addNewAnon(copy, vma, vpn);
  machine.lru.addVma(copy, vma);
  const rw = (vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0;
  pageTables.setPresent(slot, copy, PTE_PRESENT | PTE_YOUNG | PTE_DIRTY | rw);
  if (old === NO_PFN) return 0;
  // The old mapping goes last, so that nobody takes the page for unmapped while we still copy from it.
  rmap.remove(old, vma);
  unmapped(machine, old, vma);
  putPage(machine, old);
  putPage(machine, old);
  return 0;
}

/** A page that nobody maps any more needs no copy in swap (free_swap_cache). */
export function freeSwapCacheIfUnmapped(machine: Machine, pfn: Pfn): void {
  const { frames } = machine;
  const head = compoundHead(machine, pfn);
  if (!frames.has(head, PG_swapcache) || folioMapcount(machine, head) > 0 || frames.has(head, PG_locked)) return;
  folioFreeSwap(machine, head);
}
