/**
 * tmpfs: files that live in memory and in swap. Shared anonymous memory and memfds are such files without a name.
 *
 * Owns      pages of tmpfs inodes and their swap entries in the XArray; Inode.shmemPages, shmemSwapped; what they commit.
 * Promises  1. An index has a page, or a swap entry, or is a hole; never two of them.
 *           2. shmemPages = pages in the cache + swapped out, after shmemRecalcInode.
 *           3. A page is swapbacked: it stands on the lists of anonymous memory, and only swap can take it.
 * Linux     6.1 mm/shmem.c: shmem_get_folio_gfp shmem_swapin_folio shmem_add_to_page_cache shmem_delete_from_page_cache
 *           shmem_writepage shmem_undo_range shmem_recalc_inode shmem_acct_size shmem_acct_block shmem_unuse shmem_unuse_inode
 *           shmem_fault shmem_write_begin shmem_write_end shmem_file_read_iter shmem_fallocate shmem_lock shmem_evict_inode
 *           shmem_setattr shmem_partial_swap_usage
 *
 * DIFFERS: huge pages (huge=) are not modelled; 6.18 reads from zram without the swap cache, we go through it: a user may
 *          see a page's slot freed one access later.
 */
import { waitOnPageWriteback } from './block.ts';
import { EFAULT, EINVAL, ENOMEM, ENOSPC } from './errno.ts';
import { VM_FAULT_LOCKED, VM_FAULT_MAJOR, VM_FAULT_OOM, VM_FAULT_SIGBUS, type VmFault } from './fault.ts';
import { deleteFromCache, filemapGetPage, lockPage, type PageReader, storePage, unlockPage } from './filemap.ts';
import type { AddressSpace, File, Inode } from './fs.ts';
import type { Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { countMemcgEvents, type MemCgroup, memCgroupCharge } from './memcg.ts';
import { chargeSwapin } from './memcg_3.ts';
import { allocPages, putPage } from './page_alloc.ts';
import {
  PG_dirty,
  PG_locked,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
  PG_uptodate,
  PG_writeback,
} from './page_flags.ts';
import { swapWritepage } from './swap/page_io.ts';
import { addToSwapCache, deleteFromSwapCache, swapCacheGetForFault, swapClusterReadahead } from './swap/swap_state.ts';
import { folioAllocSwap, freeSwapAndCache, swapFree, swapShmemAlloc } from './swap/swapfile.ts';
import { TO_THE_END, truncateInodeFolio, truncatePartialFolio, unmapBehindFirstPage } from './truncate.ts';
import {
  NO_PFN,
  NO_SWAP,
  PAGE_SIZE,
  type Pfn,
  type Pgoff,
  type SwapEntry,
  swpType,
  type Vpn,
  ZERO_TOKEN,
} from './units.ts';
import { vmEnoughMemory, vmUnacctMemory } from './vm_account.ts';
import { PGMAJFAULT } from './vmstat.ts';
import { folioMarkDirty } from './writeback.ts';
import { XA_NONE, type XaEntry, xaIsPage, xaIsValue, xaToPfn, xaToValue, xaValue } from './xarray.ts';
import { unmapMappingRange } from './zap.ts';

/** What a page is wanted for (enum sgp_type). */
type Sgp = 0 | 1 | 2 | 3;
/** read(2): a hole stays one. */
const SGP_READ: Sgp = 0;
/** A fault: a hole becomes a zero page. */
const SGP_CACHE: Sgp = 1;
/** write(2): may be beyond the end, and is marked accessed. */
const SGP_WRITE: Sgp = 2;
const SGP_FALLOC: Sgp = 3;

/** With SGP_READ: there is no page. */
const HOLE = NO_PFN;

/**
 * The page at `index`, locked and with a reference; HOLE; or -errno (none of which is HOLE). `memcg` pays for a new page.
 * A swap-in that had to read says so in fault.page, if there is a fault.
 */
function shmemGetFolio(
  machine: Machine,
  inode: Inode,
  index: Pgoff,
  sgp: Sgp,
  memcg: MemCgroup,
  fault: VmFault | null,
): Pfn {
  const frames = machine.frames;
  const mapping = inode.mapping;
  if (sgp <= SGP_CACHE && index * PAGE_SIZE >= inode.size) return -EINVAL as Pfn;
  const entry = mapping.pages.load(index);
  if (xaIsValue(entry)) return shmemSwapin(machine, inode, index, entry, sgp, memcg, fault);
  let pfn: Pfn;
  if (xaIsPage(entry)) {
    pfn = xaToPfn(entry);
    frames.get(pfn);
    lockPage(machine, pfn);
    if (sgp === SGP_WRITE) machine.lru.markAccessed(pfn);
    if (frames.has(pfn, PG_uptodate)) return pfn;
    // A page of fallocate, never written: reads see a hole.
    if (sgp === SGP_READ) {
      unlockPage(machine, pfn);
      putPage(machine, pfn);
      return HOLE;
    }
  } else {
    if (sgp === SGP_READ) return HOLE;
    pfn = shmemAllocAndAdd(machine, inode, index, sgp, memcg);
    if (pfn < 0) return pfn;
    if (sgp === SGP_FALLOC) return pfn;
  }
  // What write(2) does not cover is cleared by its end.
  if (sgp !== SGP_WRITE) {
    frames.setToken(pfn, ZERO_TOKEN);
    frames.set(pfn, PG_uptodate);
  }
  return pfn;
}

function shmemAllocAndAdd(machine: Machine, inode: Inode, index: Pgoff, sgp: Sgp, memcg: MemCgroup): Pfn {
  const frames = machine.frames;
  const gfp = inode.mapping.gfpMask;
  if (!acctBlock(machine, inode)) return -ENOSPC as Pfn;
  const pfn = allocPages(machine, gfp, 0);
  if (pfn < 0) {
    unacctBlocks(machine, inode, 1);
    return -ENOMEM as Pfn;
  }
  frames.set(pfn, PG_locked | PG_swapbacked);
  if (sgp === SGP_WRITE) frames.set(pfn, PG_referenced);
  if (shmemAddToPageCache(machine, pfn, inode.mapping, index, XA_NONE, gfp, memcg) < 0) {
    unlockPage(machine, pfn);
    putPage(machine, pfn);
    unacctBlocks(machine, inode, 1);
    return -ENOMEM as Pfn;
  }
  machine.lru.add(pfn);
  inode.shmemPages += 1;
  shmemRecalcInode(machine, inode);
  return pfn;
}

function shmemAddToPageCache(
  machine: Machine,
  pfn: Pfn,
  mapping: AddressSpace,
  index: Pgoff,
  expected: XaEntry,
  gfp: Gfp,
  memcg: MemCgroup,
): number {
  if (!machine.frames.has(pfn, PG_swapcache)) {
    const refused = memCgroupCharge(machine, pfn, memcg, gfp);
    if (refused < 0) return refused;
  }
  return storePage(machine, mapping, pfn, index, expected, gfp);
}

/** The page comes back from swap; its slot is free then. */
function shmemSwapin(
  machine: Machine,
  inode: Inode,
  index: Pgoff,
  entry: XaEntry,
  sgp: Sgp,
  memcg: MemCgroup,
  fault: VmFault | null,
): Pfn {
  const frames = machine.frames;
  const swap = xaToValue(entry) as SwapEntry;
  let pfn = swapCacheGetForFault(machine, swap, null, 0 as Vpn);
  if (pfn >= 0) {
    frames.get(pfn);
  } else {
    if (fault !== null) {
      fault.page = FAULT_WAS_MAJOR;
      machine.events[PGMAJFAULT]! += 1;
      countMemcgEvents(memcg, PGMAJFAULT, 1);
    }
    pfn = swapClusterReadahead(machine, swap, inode.mapping.gfpMask);
    if (pfn < 0) return -ENOMEM as Pfn;
  }
  lockPage(machine, pfn);
  if (!frames.has(pfn, PG_swapcache) || frames.private_(pfn) !== swap || inode.mapping.pages.load(index) !== entry) {
    // It was brought in, or thrown away, while we waited.
    unlockPage(machine, pfn);
    putPage(machine, pfn);
    return shmemGetFolio(machine, inode, index, sgp, memcg, fault);
  }
  if (frames.has(pfn, PG_writeback)) waitOnPageWriteback(machine, pfn);
  let refused = machine.generation.switches.chargesSwapinAtRead ? 0 : chargeSwapin(machine, pfn, swap);
  if (refused === 0)
    refused = shmemAddToPageCache(machine, pfn, inode.mapping, index, entry, inode.mapping.gfpMask, memcg);
  if (refused < 0) {
    unlockPage(machine, pfn);
    putPage(machine, pfn);
    return refused as Pfn;
  }
  inode.shmemSwapped -= 1;
  shmemRecalcInode(machine, inode);
  if (sgp === SGP_WRITE) machine.lru.markAccessed(pfn);
  deleteFromSwapCache(machine, pfn);
  folioMarkDirty(machine, pfn);
  swapFree(machine, swap);
  return pfn;
}

/** Left in fault.page by a swap-in that had to read. */
const FAULT_WAS_MAJOR = -2 as Pfn;

// system calls and faults

/** ->fault: the page at fault.pgoff, locked and with a reference, in fault.page. VM_FAULT_ bits. */
export function shmemFault(machine: Machine, fault: VmFault): number {
  const inode = fault.vma.vmFile!.inode;
  fault.page = NO_PFN;
  const pfn = shmemGetFolio(machine, inode, fault.pgoff, SGP_CACHE, fault.vma.vmMm.memcg, fault);
  const major = fault.page === FAULT_WAS_MAJOR ? VM_FAULT_MAJOR : 0;
  if (pfn < 0) {
    fault.page = NO_PFN;
    return pfn === -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
  }
  fault.page = pfn;
  return major | VM_FAULT_LOCKED;
}

/** read(2): bytes, or -errno if there are none. */
export function shmemFileRead(
  machine: Machine,
  file: File,
  pos: number,
  length: number,
  reader: PageReader | null,
): number {
  const inode = file.inode;
  const end = pos + length;
  let at = pos;
  while (at < end && at < inode.size) {
    const index = Math.floor(at / PAGE_SIZE) as Pgoff;
    let copied: number;
    const pfn = shmemGetFolio(machine, inode, index, SGP_READ, machine.current.memcg, null);
    if (pfn < HOLE) return at > pos || pfn === -EINVAL ? at - pos : pfn;
    const from = at % PAGE_SIZE;
    const to = Math.min(PAGE_SIZE, from + Math.min(end, inode.size) - at);
    if (pfn === HOLE) {
      copied = reader === null ? to - from : reader.page(ZERO_TOKEN, from, to);
    } else {
      unlockPage(machine, pfn);
      // Reads of the rest of a page are the same access.
      if (from === 0) machine.lru.markAccessed(pfn);
      copied = reader === null ? to - from : reader.page(machine.frames.token(pfn), from, to);
      putPage(machine, pfn);
    }
    at += copied;
    if (copied < to - from) return at > pos ? at - pos : -EFAULT;
  }
  return at - pos;
}

/** The page to write into, locked, with a reference; or -errno. */
export function shmemWriteBegin(machine: Machine, mapping: AddressSpace, index: Pgoff): Pfn {
  return shmemGetFolio(machine, mapping.host, index, SGP_WRITE, machine.current.memcg, null);
}

export function shmemWriteEnd(machine: Machine, mapping: AddressSpace, pfn: Pfn, endPos: number): void {
  if (endPos > mapping.host.size) mapping.host.size = endPos;
  machine.frames.set(pfn, PG_uptodate);
  folioMarkDirty(machine, pfn);
  unlockPage(machine, pfn);
  putPage(machine, pfn);
}

/** fallocate(2) without punching: every page of [start, end) exists afterwards. 0 or -errno, and then none of them is new. */
export function shmemFallocate(machine: Machine, inode: Inode, start: Pgoff, end: number): number {
  for (let index = start as number; index < end; index++) {
    const pfn = shmemGetFolio(machine, inode, index as Pgoff, SGP_FALLOC, machine.current.memcg, null);
    if (pfn < 0) {
      undoFallocate(machine, inode, start, index);
      return pfn;
    }
    // Dirty, so that pressure swaps it out and does not forget it.
    folioMarkDirty(machine, pfn);
    unlockPage(machine, pfn);
    putPage(machine, pfn);
  }
  return 0;
}

/** Pages that nobody has written to are those that a fallocate made. */
function undoFallocate(machine: Machine, inode: Inode, start: number, end: number): void {
  for (let index = start; index < end; index++) {
    const pfn = filemapGetPage(machine, inode.mapping, index as Pgoff);
    if (pfn < 0 || machine.frames.has(pfn, PG_uptodate)) continue;
    machine.frames.get(pfn);
    lockPage(machine, pfn);
    truncateInodeFolio(machine, inode.mapping, pfn);
    unlockPage(machine, pfn);
    putPage(machine, pfn);
  }
  shmemRecalcInode(machine, inode);
}

// swap

/**
 * Reclaim wants a dirty, locked, unmapped page gone: it moves to the swap cache and is written. False: it must stay, dirty
 * and locked, and is to be activated.
 */
export function shmemWritepage(machine: Machine, pfn: Pfn): boolean {
  const frames = machine.frames;
  const mapping = machine.mappings[frames.mapping(pfn) >>> 2] as AddressSpace;
  const inode = mapping.host;
  if (mapping.unevictable || machine.swap.totalSwapPages === 0) return keepDirty(machine, pfn);
  if (!frames.has(pfn, PG_uptodate)) {
    frames.setToken(pfn, ZERO_TOKEN);
    frames.set(pfn, PG_uptodate);
  }
  const entry = folioAllocSwap(machine, pfn);
  if (entry === NO_SWAP) return keepDirty(machine, pfn);
  addToSwapCache(machine, pfn, entry);
  shmemRecalcInode(machine, inode);
  inode.shmemSwapped += 1;
  swapShmemAlloc(machine, entry);
  deleteFromCache(machine, pfn, xaValue(entry));
  putPage(machine, pfn);
  if (machine.generation.switches.shmemWritesLater) frames.set(pfn, PG_dirty);
  else swapWritepage(machine, pfn);
  return true;
}

function keepDirty(machine: Machine, pfn: Pfn): boolean {
  folioMarkDirty(machine, pfn);
  return false;
}

/** swapoff: brings back everything that tmpfs has in this area. 0 or -ENOMEM. */
export function shmemUnuse(machine: Machine, type: number): number {
  for (const inode of machine.inodes.values()) {
    if (inode.kind !== 'tmpfs' || inode.shmemSwapped === 0) continue;
    const pages = inode.mapping.pages;
    for (let at = pages.find(0, TO_THE_END); at >= 0; at = pages.find(at + 1, TO_THE_END)) {
      const entry = pages.load(at);
      if (!xaIsValue(entry) || swpType(xaToValue(entry) as SwapEntry) !== type) continue;
      const pfn = shmemSwapin(machine, inode, at, entry, SGP_CACHE, machine.current.memcg, null);
      if (pfn === -ENOMEM) return -ENOMEM;
      if (pfn < 0) continue;
      unlockPage(machine, pfn);
      putPage(machine, pfn);
    }
  }
  return 0;
}

/** swapoff, slot by slot (before 5.1): brings back the page that has this one. 0 or -ENOMEM. */
export function shmemUnuseEntry(machine: Machine, swap: SwapEntry): number {
  for (const inode of machine.inodes.values()) {
    if (inode.kind !== 'tmpfs' || inode.shmemSwapped === 0) continue;
    const pages = inode.mapping.pages;
    for (let at = pages.find(0, TO_THE_END); at >= 0; at = pages.find(at + 1, TO_THE_END)) {
      const entry = pages.load(at);
      if (!xaIsValue(entry) || xaToValue(entry) !== swap) continue;
      const pfn = shmemSwapin(machine, inode, at, entry, SGP_CACHE, machine.current.memcg, null);
      if (pfn === -ENOMEM) return -ENOMEM;
      if (pfn < 0) return 0;
      unlockPage(machine, pfn);
      putPage(machine, pfn);
      return 0;
    }
  }
  return 0;
}

/** Pages of [first, end) that are swapped out. */
export function shmemPartialSwapUsage(mapping: AddressSpace, first: Pgoff, end: number): number {
  let swapped = 0;
  for (let at = mapping.pages.find(first, end - 1); at >= 0; at = mapping.pages.find(at + 1, end - 1)) {
    if (xaIsValue(mapping.pages.load(at))) swapped += 1;
  }
  return swapped;
}

/** shmctl SHM_LOCK and SHM_UNLOCK: its pages are kept in memory. Those that reclaim had set aside come back to their lists. */
export function shmemLock(machine: Machine, mapping: AddressSpace, lock: boolean): void {
  mapping.unevictable = lock;
  if (lock) return;
  machine.lru.drain();
  for (let at = mapping.pages.find(0, TO_THE_END); at >= 0; at = mapping.pages.find(at + 1, TO_THE_END)) {
    const entry = mapping.pages.load(at);
    if (!xaIsPage(entry)) continue;
    const pfn = xaToPfn(entry);
    if (machine.frames.has(pfn, PG_unevictable) && machine.lru.isolate(pfn)) machine.lru.putback(pfn);
  }
}

// size

/** ftruncate. */
export function shmemSetsize(machine: Machine, inode: Inode, size: number): number {
  const old = inode.size;
  if (!inode.noreserve && size !== old) {
    const pages = Math.ceil(size / PAGE_SIZE) - Math.ceil(old / PAGE_SIZE);
    if (pages > 0 && !commit(machine, pages)) return -ENOMEM;
    if (pages < 0) vmUnacctMemory(machine, -pages);
  }
  inode.size = size;
  if (size > old) return 0;
  // The same size again takes what fallocate(KEEP_SIZE) has put behind it.
  const hole = Math.ceil(size / PAGE_SIZE) as Pgoff;
  unmapMappingRange(machine, inode.mapping, hole, TO_THE_END, true);
  shmemUndoRange(machine, inode, size, TO_THE_END);
  unmapMappingRange(machine, inode.mapping, hole, TO_THE_END, true);
  return 0;
}

/** Bytes [start, end] become a hole. */
export function shmemPunchHole(machine: Machine, inode: Inode, start: number, end: number): void {
  const first = Math.ceil(start / PAGE_SIZE) as Pgoff;
  const behind = Math.floor((end + 1) / PAGE_SIZE);
  if (behind > first) unmapMappingRange(machine, inode.mapping, first, behind, false);
  else if (behind === 0) unmapBehindFirstPage(machine, inode.mapping, first);
  shmemUndoRange(machine, inode, start, end);
}

/** Frees pages and swap entries of bytes [start, end], zeroes what is left of the pages at its ends. */
function shmemUndoRange(machine: Machine, inode: Inode, start: number, end: number): void {
  const mapping = inode.mapping;
  const first = Math.ceil(start / PAGE_SIZE);
  const behind = end === TO_THE_END ? TO_THE_END : Math.floor((end + 1) / PAGE_SIZE);
  const firstPartial = Math.floor(start / PAGE_SIZE);
  const lastPartial = Math.floor(end / PAGE_SIZE);
  if (firstPartial < first) zeroPartial(machine, inode, firstPartial as Pgoff, start, end);
  if (lastPartial >= behind && lastPartial !== firstPartial && end !== TO_THE_END) {
    zeroPartial(machine, inode, lastPartial as Pgoff, start, end);
  }
  for (let at = mapping.pages.find(first, behind - 1); at >= 0; at = mapping.pages.find(at + 1, behind - 1)) {
    const entry = mapping.pages.load(at);
    if (xaIsValue(entry)) {
      mapping.pages.replace(machine, at, XA_NONE);
      freeSwapAndCache(machine, xaToValue(entry) as SwapEntry);
      inode.shmemSwapped -= 1;
      continue;
    }
    const pfn = xaToPfn(entry);
    machine.frames.get(pfn);
    lockPage(machine, pfn);
    truncateInodeFolio(machine, mapping, pfn);
    unlockPage(machine, pfn);
    putPage(machine, pfn);
  }
  shmemRecalcInode(machine, inode);
}

/** A swapped page is read back if part of it stays. */
function zeroPartial(machine: Machine, inode: Inode, index: Pgoff, start: number, end: number): void {
  const entry = inode.mapping.pages.load(index);
  if (entry === XA_NONE) return;
  let pfn: Pfn;
  if (xaIsPage(entry)) {
    pfn = xaToPfn(entry);
    machine.frames.get(pfn);
    lockPage(machine, pfn);
  } else {
    pfn = shmemGetFolio(machine, inode, index, SGP_READ, machine.current.memcg, null);
    if (pfn < 0) return;
  }
  folioMarkDirty(machine, pfn);
  truncatePartialFolio(machine, pfn, start, end);
  unlockPage(machine, pfn);
  putPage(machine, pfn);
}

/** The last user is gone. */
export function shmemEvictInode(machine: Machine, inode: Inode): void {
  if (!inode.noreserve) vmUnacctMemory(machine, Math.ceil(inode.size / PAGE_SIZE));
  inode.size = 0;
  inode.mapping.exiting = true;
  shmemUndoRange(machine, inode, 0, TO_THE_END);
}

// accounting

/** Reclaim may have dropped clean pages, which were holes once: the inode is no longer charged for them. */
export function shmemRecalcInode(machine: Machine, inode: Inode): void {
  const freed = inode.shmemPages - inode.shmemSwapped - inode.mapping.nrpages;
  if (freed <= 0) return;
  inode.shmemPages -= freed;
  unacctBlocks(machine, inode, freed);
}

/** A file of unreserved size commits memory page by page. */
function acctBlock(machine: Machine, inode: Inode): boolean {
  return !inode.noreserve || commit(machine, 1);
}

function unacctBlocks(machine: Machine, inode: Inode, pages: number): void {
  if (inode.noreserve) vmUnacctMemory(machine, pages);
}

function commit(machine: Machine, pages: number): boolean {
  const mm = machine.current.mm;
  if (mm !== null) return vmEnoughMemory(machine, mm, pages) === 0;
  machine.committedPages += pages;
  return true;
}
