/**
 * What a page fault does to an entry in 2.6.24 and 2.6.26.
 *
 *   entry is          and the access is     then
 *   none, no file     either                a page of zeros of its own: the zero page is not shared (until 2.6.32)
 *   none, file        a load                the file's page
 *   none, file        a store               private: a copy; shared: page_mkwrite, then the page, dirty
 *   PTE_FILE          either                the same, for the page of the file that the entry names
 *   a swap entry      either                swap-in; the swap token is asked for before the read
 *   read-only         a store               reuse if mapcount + swap count is 1, else a copy
 *
 * Owns      anonymous memory, file pages, nonlinear mappings, copy-on-write, swap-in of that time.
 * Promises  1. A store is seen by the process that made it and by those that share the page, and by nobody else.
 *           2. An allocation may reclaim, and reclaim may change any entry: each is looked at again before it is set.
 *           3. The order in which a page's owners learn of it is the kernel's. A new anonymous page: rss, LRU, reverse map, entry.
 *              A file's page and a copy: entry, LRU, reverse map; a copy takes the old page out of the reverse map before all that.
 * Linux     2.6.24 mm/memory.c: handle_pte_fault do_anonymous_page do_linear_fault do_nonlinear_fault __do_fault do_wp_page
 *           do_swap_page; mm/swapfile.c: can_share_swap_page remove_exclusive_swap_page
 * After     faults.ts
 */
import { waitOnPageLocked } from './block.ts';
import { bugOn } from './bug.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
} from './fault.ts';
import { isSharedWritable, wantsWriteNotify } from './faults.ts';
import { lockPage, pageMapping, pageMkwrite } from './filemap.ts';
import { filemapFault_2_6 } from './filemap_fault_2_6.ts';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from './gfp.ts';
import type { Machine } from './machine.ts';
import { memCgroupCharge } from './memcg.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Mm } from './mm.ts';
import { allocPages, putPage } from './page_alloc.ts';
import { PG_locked, PG_swapbacked, PG_swapcache, PG_uptodate } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_FILE, PTE_PRESENT, PTE_RW, PTE_SPECIAL, PTE_TLB, PTE_YOUNG } from './page_table.ts';
import { shmemFault } from './shmem.ts';
import { canShareSwapPage, removeExclusiveSwapPage } from './swap/swap_2_6.ts';
import { swapCacheGet } from './swap/swap_state.ts';
import { swapFree, vmSwapFull } from './swap/swapfile.ts';
import { NO_PFN, type Pfn, type Vpn, ZERO_TOKEN } from './units.ts';
import { VM_NONLINEAR, VM_SHARED, VM_WRITE } from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { PGMAJFAULT } from './vmstat.ts';
import { folioMarkDirty } from './writeback.ts';

export function handlePteFault_2_6(machine: Machine, vma: Vma, vpn: Vpn, flags: number): number {
  const { fault, pageTables } = machine;
  const slot = pageTables.slotAlloc(machine, vma.vmMm, vpn);
  if (slot === NO_SLOT) return VM_FAULT_OOM;
  fault.vma = vma;
  fault.vpn = vpn;
  fault.pgoff = linearPageIndex(vma, vpn);
  // The mmap lock is held through I/O: nothing starts again.
  fault.flags = flags & ~FAULT_FLAG_ALLOW_RETRY;
  fault.slot = slot;
  fault.newTable = false;
  fault.page = NO_PFN;
  fault.cowPage = NO_PFN;
  if (pageTables.isNone(slot)) return vma.vmFile === null ? doAnonymousPage(machine) : doFault(machine);
  if (pageTables.has(slot, PTE_FILE)) return doNonlinearFault(machine);
  if (pageTables.isSwap(slot)) return doSwapPage(machine);
  if ((flags & FAULT_FLAG_WRITE) !== 0 && !pageTables.has(slot, PTE_RW)) return doWpPage(machine);
  pageTables.set(slot, (flags & FAULT_FLAG_WRITE) !== 0 ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
  return 0;
}

// what an entry allows

/** A new entry of the VMA (vm_page_prot): the CPU has just been here. */
function pageProt(vma: Vma): number {
  const writable = isSharedWritable(vma) && !wantsWriteNotify(vma);
  return PTE_PRESENT | PTE_YOUNG | (writable ? PTE_RW : 0);
}
/** maybe_mkwrite of a dirty entry. */
function writtenProt(vma: Vma): number {
  return pageProt(vma) | PTE_DIRTY | ((vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0);
}

// anonymous memory

/** A load makes a page, too, and may write to it from then on. */
function doAnonymousPage(machine: Machine): number {
  const { fault, pageTables, frames, rmap } = machine;
  const { vma, vpn, slot } = fault;
  const mm = vma.vmMm;
  if ((vma.vmFlags & VM_SHARED) !== 0) return VM_FAULT_SIGBUS;
  if (rmap.anonVmaPrepare(vma) < 0) return VM_FAULT_OOM;
  const pfn = allocAnonPage(machine, mm);
  if (pfn === NO_PFN) return VM_FAULT_OOM;
  frames.set(pfn, PG_uptodate);
  if (!pageTables.isNone(slot)) {
    putPage(machine, pfn);
    return 0;
  }
  mm.rss[MM_ANONPAGES]! += 1;
  addToActive(machine, pfn, vma);
  rmap.addNewAnon(pfn, vma, vpn);
  pageTables.setPresent(slot, pfn, (vma.vmFlags & VM_WRITE) !== 0 ? writtenProt(vma) : pageProt(vma));
  return 0;
}

/** A page whose content is zero; NO_PFN if there is none. */
function allocAnonPage(machine: Machine, mm: Mm): Pfn {
  const pfn = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
  if (pfn === NO_PFN) return NO_PFN;
  if (memCgroupCharge(machine, pfn, mm.memcg, GFP_KERNEL) < 0) {
    putPage(machine, pfn);
    return NO_PFN;
  }
  return pfn;
}

/** lru_cache_add_active. That it will go to swap, and not to a file, the lists do not ask; we note it all the same. */
function addToActive(machine: Machine, pfn: Pfn, vma: Vma): void {
  machine.frames.set(pfn, PG_swapbacked);
  machine.lru.addVma(pfn, vma);
}

// file memory

/** The entry says which page of the file it wants. */
function doNonlinearFault(machine: Machine): number {
  const { fault, pageTables } = machine;
  bugOn((fault.vma.vmFlags & VM_NONLINEAR) === 0, 'only a nonlinear VMA has entries that name a page', fault.vpn);
  fault.pgoff = pageTables.filePgoff(fault.slot);
  return doFault(machine);
}

/** __do_fault. */
function doFault(machine: Machine): number {
  const { fault, frames } = machine;
  const { vma } = fault;
  const write = (fault.flags & FAULT_FLAG_WRITE) !== 0;
  const { slot } = fault;
  const bits = machine.pageTables.bits[slot]!;
  const value = machine.pageTables.value[slot]!;
  const found = fileFault(machine);
  if ((found & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) return found;
  const major = found & VM_FAULT_MAJOR;
  const page = fault.page;
  if (!write || (vma.vmFlags & VM_SHARED) !== 0) return major | doFilePage(machine, page, bits, value, write);

  // An early copy-on-write break.
  let copy = NO_PFN;
  if (machine.rmap.anonVmaPrepare(vma) === 0) copy = allocAnonPage(machine, vma.vmMm);
  if (copy === NO_PFN) {
    unlockAndPut(machine, page);
    return VM_FAULT_OOM;
  }
  frames.setToken(copy, frames.token(page));
  frames.set(copy, PG_uptodate);
  if (isSame(machine, slot, bits, value)) {
    machine.pageTables.setPresent(slot, copy, writtenProt(vma));
    vma.vmMm.rss[MM_ANONPAGES]! += 1;
    addToActive(machine, copy, vma);
    machine.rmap.addNewAnon(copy, vma, fault.vpn);
  } else {
    putPage(machine, copy);
  }
  unlockAndPut(machine, page);
  return major;
}

/** Maps the locked page itself, whose reference the entry takes over. */
function doFilePage(machine: Machine, page: Pfn, bits: number, value: number, write: boolean): number {
  const { fault, frames, pageTables } = machine;
  const { vma, slot } = fault;
  if (write && wantsWriteNotify(vma)) {
    // The file system locks the page itself, when it has made room.
    frames.clear(page, PG_locked);
    const allowed = mkwrite(machine);
    if ((allowed & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) {
      putPage(machine, page);
      return allowed & VM_FAULT_ERROR;
    }
    if (pageMapping(machine, page) === null) {
      unlockAndPut(machine, page);
      return 0;
    }
  }
  if (!isSame(machine, slot, bits, value)) {
    unlockAndPut(machine, page);
    return 0;
  }
  pageTables.setPresent(slot, page, write ? writtenProt(vma) : pageProt(vma));
  vma.vmMm.rss[frames.has(page, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! += 1;
  machine.rmap.addFile(page, vma);
  if (write) frames.get(page);
  frames.clear(page, PG_locked);
  if (write) dirtyShared(machine, page);
  return 0;
}

/**
 * DIFFERS: whoever was killed for memory meanwhile makes no buffers, which must not fail: there may be no page left. Linux
 * waits for one; there, too, nobody sees the store any more.
 */
function mkwrite(machine: Machine): number {
  return machine.current.killed ? VM_FAULT_OOM : pageMkwrite(machine, machine.fault);
}

/** set_page_dirty_balance, and our reference goes. */
function dirtyShared(machine: Machine, pfn: Pfn): void {
  folioMarkDirty(machine, pfn);
  machine.generation.writeback.balanceDirtyPages(machine);
  putPage(machine, pfn);
}

/** The page of the file, with a reference and locked, in fault.page. */
function fileFault(machine: Machine): number {
  const { fault } = machine;
  const { mapping } = fault.vma.vmFile!;
  const result = mapping.host.kind === 'tmpfs' ? shmemFault(machine, fault) : filemapFault_2_6(machine, fault);
  bugOn(
    (result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_LOCKED)) === 0,
    'a file fault returns its page locked',
    fault.pgoff,
  );
  return result & ~VM_FAULT_LOCKED;
}

/** pte_same: nobody changed the entry while we slept. What the CPU notes in it does not count for an empty one. */
function isSame(machine: Machine, slot: number, bits: number, value: number): boolean {
  const { pageTables } = machine;
  const ignored = PTE_TLB;
  return (pageTables.bits[slot]! & ~ignored) === (bits & ~ignored) && pageTables.value[slot] === value;
}

function unlockAndPut(machine: Machine, pfn: Pfn): void {
  machine.frames.clear(pfn, PG_locked);
  putPage(machine, pfn);
}

// swap

function doSwapPage(machine: Machine): number {
  const { fault, pageTables, frames, generation } = machine;
  const { vma, vpn, slot } = fault;
  const mm = vma.vmMm;
  const entry = pageTables.swapEntry(slot);
  const bits = pageTables.bits[slot]!;
  let write = (fault.flags & FAULT_FLAG_WRITE) !== 0;
  let result = 0;
  let pfn = swapCacheGet(machine, entry);
  if (pfn !== NO_PFN) {
    frames.get(pfn);
  } else {
    pfn = generation.swapinReadahead(machine, entry, GFP_HIGHUSER_MOVABLE, fault);
    if (pfn === NO_PFN) return isSame(machine, slot, bits, entry) ? VM_FAULT_OOM : 0;
    result = VM_FAULT_MAJOR;
    machine.events[PGMAJFAULT]! += 1;
  }
  machine.lru.markAccessed(pfn);
  lockPage(machine, pfn);
  // Somebody else brought it in, or its slot has another page now: the access is tried again.
  const ours = frames.has(pfn, PG_swapcache) && frames.private_(pfn) === entry;
  if (!ours || !isSame(machine, slot, bits, entry)) {
    unlockAndPut(machine, pfn);
    return result;
  }
  if (!frames.has(pfn, PG_uptodate)) {
    unlockAndPut(machine, pfn);
    return VM_FAULT_SIGBUS;
  }
  mm.rss[MM_ANONPAGES]! += 1;
  mm.rss[MM_SWAPENTS]! -= 1;
  let prot = pageProt(vma);
  if (write && canShareSwapPage(machine, pfn)) {
    prot = writtenProt(vma);
    write = false;
  }
  pageTables.setPresent(slot, pfn, prot);
  machine.rmap.addAnon(pfn, vma, vpn, false);
  swapFree(machine, entry);
  if (vmSwapFull(machine)) removeExclusiveSwapPage(machine, pfn);
  frames.clear(pfn, PG_locked);
  if (!write) return result;
  return result | (doWpPage(machine) & VM_FAULT_OOM);
}

// copy-on-write

/** A store to a present, read-only entry. */
function doWpPage(machine: Machine): number {
  const { fault, pageTables, frames } = machine;
  const { vma, slot } = fault;
  if (pageTables.has(slot, PTE_SPECIAL)) return copyPage(machine, NO_PFN);
  const pfn = pageTables.pfn(slot);
  if (frames.isAnon(pfn)) {
    // Who holds the lock may be about to share it: a copy is always right.
    if (!frames.has(pfn, PG_locked) && canShareSwapPage(machine, pfn)) return reuse(machine);
  } else if (isSharedWritable(vma)) {
    return writeShared(machine, pfn);
  }
  return copyPage(machine, pfn);
}

function reuse(machine: Machine): number {
  const { fault, pageTables } = machine;
  pageTables.set(fault.slot, PTE_YOUNG | PTE_DIRTY | ((fault.vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0));
  return 0;
}

/** The first store since the page was clean: the file system hears of it. */
function writeShared(machine: Machine, pfn: Pfn): number {
  const { fault, frames, pageTables } = machine;
  const { slot } = fault;
  frames.get(pfn);
  fault.page = pfn;
  // In a nonlinear VMA the page says which of the file it is.
  fault.pgoff = frames.index(pfn);
  if (wantsWriteNotify(fault.vma)) {
    const bits = pageTables.bits[slot]!;
    const allowed = mkwrite(machine);
    if ((allowed & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) {
      putPage(machine, pfn);
      return allowed & VM_FAULT_ERROR;
    }
    frames.clear(pfn, PG_locked);
    if (!isSame(machine, slot, bits, pfn)) {
      putPage(machine, pfn);
      return 0;
    }
  }
  reuse(machine);
  waitOnPageLocked(machine, pfn);
  dirtyShared(machine, pfn);
  return 0;
}

/** `old` is the page to copy, or NO_PFN for the zero page. */
function copyPage(machine: Machine, old: Pfn): number {
  const { fault, pageTables, frames, rmap } = machine;
  const { vma, vpn, slot } = fault;
  const mm = vma.vmMm;
  const bits = pageTables.bits[slot]!;
  const value = pageTables.value[slot]!;
  if (old !== NO_PFN) frames.get(old);
  const copy = rmap.anonVmaPrepare(vma) < 0 ? NO_PFN : allocAnonPage(machine, mm);
  if (copy === NO_PFN) {
    if (old !== NO_PFN) putPage(machine, old);
    return VM_FAULT_OOM;
  }
  frames.setToken(copy, old === NO_PFN ? ZERO_TOKEN : frames.token(old));
  frames.set(copy, PG_uptodate);
  if (!isSame(machine, slot, bits, value)) {
    putPage(machine, copy);
    if (old !== NO_PFN) putPage(machine, old);
    return 0;
  }
  if (old === NO_PFN) {
    mm.rss[MM_ANONPAGES]! += 1;
  } else {
    rmap.remove(old, vma);
    if (!frames.isAnon(old)) {
      mm.rss[frames.has(old, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
      mm.rss[MM_ANONPAGES]! += 1;
    }
  }
  pageTables.setPresent(slot, copy, writtenProt(vma));
  addToActive(machine, copy, vma);
  rmap.addNewAnon(copy, vma, vpn);
  if (old === NO_PFN) return 0;
  // The entry's reference, and ours. A page that only swap needs now stays in its cache until reclaim comes.
  putPage(machine, old);
  putPage(machine, old);
  return 0;
}
