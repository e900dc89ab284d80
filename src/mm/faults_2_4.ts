/**
 * What a page fault of 2.4 does to an entry.
 *
 * Owns      the faults of a 2.4 machine: anonymous memory, file pages, copy-on-write, swap-in.
 * Promises  1. A read of untouched anonymous memory maps the zero page, which counts in nobody's memory.
 *           2. Every fault of a file mapping is major, even when the page was in memory.
 *           3. Whether a page is copied is told by its count alone: 1, or 2 with the swap cache, if nobody else needs the slot.
 *           4. An allocation may reclaim, and reclaim may change any entry: each is looked at again before it is set.
 * Linux     2.4.20 mm/memory.c: handle_mm_fault handle_pte_fault do_anonymous_page do_no_page do_wp_page do_swap_page;
 *           mm/filemap.c: filemap_nopage read_cluster_nonblocking page_cache_read nopage_sequential_readahead
 *
 *   entry is            and the access is    then
 *   none, no file       a load               the zero page, read-only
 *   none, no file       a store              a new page: inactive, referenced
 *   none, file          a load               the file's page; what is mapped shared and writable is writable at once
 *   none, file          a store              private: a copy at once (early COW); shared: the file's page
 *   a swap entry        either               swap-in; writable only for a store, and only if the page is ours alone
 *   read-only           a store              ours alone: writable; else a copy
 */
import {
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
} from './fault.ts';
import { filemapGetPage } from './filemap.ts';
import type { AddressSpace } from './fs.ts';
import { GFP_HIGHUSER } from './gfp.ts';
import type { Machine } from './machine.ts';
import { countMemcgEvents } from './memcg.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from './mm.ts';
import { allocPages, putPage } from './page_alloc.ts';
import { PG_swapbacked, PG_uptodate } from './page_flags.ts';
import { lockPage, tryLockPage, unlockPage } from './page_lock_2_4.ts';
import { NO_SLOT, PTE_DIRTY, PTE_PRESENT, PTE_RW, PTE_SPECIAL, PTE_TLB, PTE_YOUNG } from './page_table.ts';
import { doPageCacheRa } from './readahead.ts';
import { becomesUptodate } from './readahead_2_4.ts';
import { shmemFault } from './shmem.ts';
import { canShareSwapPage, removeExclusiveSwapPage } from './swap/swap_2_4.ts';
import { swapCacheGet } from './swap/swap_state.ts';
import { swapFree, vmSwapFull } from './swap/swapfile.ts';
import { NO_PFN, type Pfn, type Pgoff, pagesOf, type Vpn, ZERO_TOKEN } from './units.ts';
import { VM_RAND_READ, VM_SEQ_READ, VM_SHARED, VM_WRITE } from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { PGMAJFAULT, PGREUSE } from './vmstat.ts';

/** vm_max_readahead. */
const MAX_READAHEAD = 31;

/** What a fault of `vma` at `vpn` does to the entry. VM_FAULT_ bits. */
export function handlePteFault_2_4(machine: Machine, vma: Vma, vpn: Vpn, flags: number): number {
  const { fault, pageTables } = machine;
  const slot = pageTables.slotAlloc(machine, vma.vmMm, vpn);
  if (slot === NO_SLOT) return VM_FAULT_OOM;
  fault.vma = vma;
  fault.vpn = vpn;
  fault.pgoff = linearPageIndex(vma, vpn);
  fault.flags = flags;
  fault.slot = slot;
  fault.page = NO_PFN;
  const write = (flags & FAULT_FLAG_WRITE) !== 0;
  if (pageTables.isNone(slot)) return vma.vmFile === null ? doAnonymousPage(machine, write) : doNoPage(machine, write);
  if (pageTables.isSwap(slot)) return doSwapPage(machine, write);
  if (write && !pageTables.has(slot, PTE_RW)) return doWpPage(machine);
  pageTables.set(slot, write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
  return 0;
}

function countMajor(machine: Machine): number {
  machine.events[PGMAJFAULT]! += 1;
  countMemcgEvents(machine.fault.vma.vmMm.memcg, PGMAJFAULT, 1);
  return VM_FAULT_MAJOR;
}

// anonymous memory

function doAnonymousPage(machine: Machine, write: boolean): number {
  const { fault, pageTables, frames } = machine;
  const { vma, vpn, slot } = fault;
  if ((vma.vmFlags & VM_SHARED) !== 0) return VM_FAULT_SIGBUS;
  if (!write) {
    pageTables.setPresent(slot, machine.zeroPfn, PTE_PRESENT | PTE_SPECIAL | PTE_YOUNG);
    return 0;
  }
  const pfn = allocPages(machine, GFP_HIGHUSER, 0);
  if (pfn === NO_PFN) return VM_FAULT_OOM;
  if (!pageTables.isNone(slot)) {
    putPage(machine, pfn);
    return 0;
  }
  frames.set(pfn, PG_uptodate);
  mapAnon(machine, vma, vpn, slot, pfn, writable(vma));
  machine.lru.add(pfn);
  machine.lru.markAccessed(pfn);
  return 0;
}

/** The entry takes over the page's reference. */
function mapAnon(machine: Machine, vma: Vma, vpn: Vpn, slot: number, pfn: Pfn, bits: number): void {
  vma.vmMm.rss[MM_ANONPAGES]! += 1;
  machine.rmap.addAnon(pfn, vma, vpn, true);
  machine.pageTables.setPresent(slot, pfn, PTE_PRESENT | PTE_YOUNG | bits);
}

/** What a store leaves in an entry: dirty, and writable if the VMA is (the kernel itself may write elsewhere). */
function writable(vma: Vma): number {
  return (vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW | PTE_DIRTY : PTE_DIRTY;
}

// file memory

function doNoPage(machine: Machine, write: boolean): number {
  const { fault, pageTables, frames } = machine;
  const { vma, vpn } = fault;
  const mm = vma.vmMm;
  const tmpfs = vma.vmFile!.inode.kind === 'tmpfs';
  const found = tmpfs ? shmemNopage(machine) : filemapNopage(machine);
  if ((found & VM_FAULT_ERROR) !== 0) return found;
  let pfn = fault.page;
  const earlyCow = write && (vma.vmFlags & VM_SHARED) === 0;
  if (earlyCow) {
    const copy = allocPages(machine, GFP_HIGHUSER, 0);
    if (copy !== NO_PFN) {
      frames.setToken(copy, frames.token(pfn));
      frames.set(copy, PG_uptodate);
      machine.lru.add(copy);
    }
    putPage(machine, pfn);
    if (copy === NO_PFN) return VM_FAULT_OOM;
    pfn = copy;
  }
  // The table may have gone and come again while the file was read.
  const slot = pageTables.slotAlloc(machine, mm, vpn);
  if (slot === NO_SLOT || !pageTables.isNone(slot)) {
    putPage(machine, pfn);
    return slot === NO_SLOT ? VM_FAULT_OOM : 0;
  }
  if (earlyCow) {
    mapAnon(machine, vma, vpn, slot, pfn, writable(vma));
    return found === VM_FAULT_MAJOR ? found : countMajor(machine);
  }
  mm.rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! += 1;
  machine.rmap.addFile(pfn, vma);
  const shared = (vma.vmFlags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE) ? PTE_RW : 0;
  pageTables.setPresent(slot, pfn, PTE_PRESENT | PTE_YOUNG | (write ? writable(vma) : shared));
  return found === VM_FAULT_MAJOR ? found : countMajor(machine);
}

/** The page of tmpfs with a reference, in fault.page. VM_FAULT_ bits; VM_FAULT_MAJOR is counted already. */
function shmemNopage(machine: Machine): number {
  const result = shmemFault(machine, machine.fault) & ~VM_FAULT_LOCKED;
  if ((result & VM_FAULT_ERROR) === 0) unlockPage(machine, machine.fault.page);
  return result;
}

/** The page of a file on disk with a reference, read, in fault.page. 0, or VM_FAULT_ bits. */
function filemapNopage(machine: Machine): number {
  const { fault, frames } = machine;
  const { vma, pgoff } = fault;
  const { mapping } = vma.vmFile!;
  for (let reads = 0; ; ) {
    if (pgoff >= pagesOf(mapping.host.size)) return VM_FAULT_SIGBUS;
    const pfn = filemapGetPage(machine, mapping, pgoff);
    if (pfn === NO_PFN) {
      // The second time alone: the cluster stopped before it came here.
      if (reads++ === 0 && (vma.vmFlags & VM_RAND_READ) === 0) readClusterNonblocking(machine, mapping, pgoff);
      else if (reads > 2) return VM_FAULT_OOM;
      else doPageCacheRa(machine, mapping, pgoff, 1, 0);
      continue;
    }
    frames.get(pfn);
    if (becomesUptodate(machine, mapping, pfn)) {
      if ((vma.vmFlags & VM_SEQ_READ) !== 0) nopageSequentialReadahead(machine, vma, mapping, pgoff);
      machine.lru.markAccessed(pfn);
      fault.page = pfn;
      return 0;
    }
    putPage(machine, pfn);
  }
}

/** The aligned group of 2**page_cluster pages around `index`, as far as the file goes. */
function readClusterNonblocking(machine: Machine, mapping: AddressSpace, index: Pgoff): void {
  const pages = 1 << machine.sysctl.pageCluster;
  doPageCacheRa(machine, mapping, (index - (index % pages)) as Pgoff, pages, 0);
}

/**
 * A sequential mapping is read a window ahead: when the fault is half a window before the end of what was read.
 * DIFFERS: pages of the window before last stay mapped. In Linux they are unmapped; a user sees them in rss for longer.
 */
function nopageSequentialReadahead(machine: Machine, vma: Vma, mapping: AddressSpace, pgoff: number): void {
  const cluster = 1 << machine.sysctl.pageCluster;
  const window = Math.ceil(MAX_READAHEAD / cluster) * cluster;
  if (vma.vmRaend === 0) vma.vmRaend = vma.vmPgoff + window;
  if (pgoff + Math.floor(window / 2) !== vma.vmRaend) return;
  const start = vma.vmRaend;
  const end = Math.min(start + window, vma.vmPgoff + vma.pages, pagesOf(mapping.host.size));
  for (let at = start; at < end; at += cluster) readClusterNonblocking(machine, mapping, at as Pgoff);
  vma.vmRaend += window;
}

// swap

function doSwapPage(machine: Machine, write: boolean): number {
  const { fault, pageTables, frames } = machine;
  const { vma, vpn, slot } = fault;
  const { rss } = vma.vmMm;
  const entry = pageTables.swapEntry(slot);
  let result = 0;
  let pfn = swapCacheGet(machine, entry);
  if (pfn !== NO_PFN) {
    frames.get(pfn);
  } else {
    pfn = machine.generation.swapinReadahead(machine, entry, GFP_HIGHUSER, fault);
    if (pfn === NO_PFN) return isStill(machine, slot, entry) ? VM_FAULT_OOM : 0;
    result = countMajor(machine);
  }
  machine.lru.markAccessed(pfn);
  lockPage(machine, pfn);
  // Reading takes time: somebody else may have brought the page in.
  if (!isStill(machine, slot, entry)) {
    unlockPage(machine, pfn);
    putPage(machine, pfn);
    return 0;
  }
  swapFree(machine, entry);
  if (vmSwapFull(machine)) removeExclusiveSwapPage(machine, pfn);
  rss[MM_SWAPENTS]! -= 1;
  mapAnon(machine, vma, vpn, slot, pfn, write && canShareSwapPage(machine, pfn) ? writable(vma) : 0);
  unlockPage(machine, pfn);
  return result;
}

function isStill(machine: Machine, slot: number, entry: number): boolean {
  const { pageTables, fault } = machine;
  const at = pageTables.slotOf(fault.vma.vmMm.pageTables, fault.vpn);
  return at === slot && pageTables.isSwap(slot) && pageTables.swapEntry(slot) === entry;
}

// copy-on-write

/** A store to a present, read-only entry. */
function doWpPage(machine: Machine): number {
  const { fault, pageTables, frames } = machine;
  const { vma, vpn, slot } = fault;
  const mm = vma.vmMm;
  const bits = pageTables.bits[slot]!;
  const old = pageTables.pfn(slot);
  const isZero = (bits & PTE_SPECIAL) !== 0;
  if (!isZero && tryLockPage(machine, old)) {
    const reuse = canShareSwapPage(machine, old);
    unlockPage(machine, old);
    if (reuse) {
      pageTables.set(slot, PTE_YOUNG | writable(vma));
      machine.events[PGREUSE]! += 1;
      return 0;
    }
  }
  if (!isZero) frames.get(old);
  const copy = allocPages(machine, GFP_HIGHUSER, 0);
  if (copy === NO_PFN) {
    if (!isZero) putPage(machine, old);
    return VM_FAULT_OOM;
  }
  frames.setToken(copy, isZero ? ZERO_TOKEN : frames.token(old));
  frames.set(copy, PG_uptodate);
  const at = pageTables.slotOf(mm.pageTables, vpn);
  // swap_out may have cleared the young bit while we looked for memory: then the store faults again.
  const same = at === slot && ((pageTables.bits[slot]! ^ bits) & ~PTE_TLB) === 0 && pageTables.pfn(slot) === old;
  if (!same) {
    putPage(machine, copy);
    if (!isZero) putPage(machine, old);
    return 0;
  }
  if (!isZero) {
    const anon = frames.isAnon(old);
    mm.rss[anon ? MM_ANONPAGES : frames.has(old, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    machine.rmap.remove(old, vma);
  }
  mapAnon(machine, vma, vpn, slot, copy, writable(vma));
  machine.lru.add(copy);
  if (!isZero) {
    putPage(machine, old);
    putPage(machine, old);
  }
  return 0;
}
