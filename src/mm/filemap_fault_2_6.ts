/**
 * A fault in a mapping of a file, as 2.6.24 and 2.6.26 find its page.
 *
 *   cached                    its lock is waited for, it counts as accessed, one miss less
 *   not cached                read-around: ra_pages pages with the fault in their middle       ◄──── 16 ────┼──── 16 ────►
 *   … and many misses         just the page (more than 100 more than hits, or MADV_RANDOM)
 *   MADV_SEQUENTIAL           readahead, as for read(2)
 *
 * Owns      how the page is found, and how much is read with it.
 * Promises  The mmap lock is held until the page is there: no fault starts again, and a fault is major if it had to read.
 * Linux     2.6.24 mm/filemap.c: filemap_fault page_cache_read find_lock_page
 * After     filemap.ts: filemapFault
 */
import { waitOnPageLocked } from './block.ts';
import { VM_FAULT_LOCKED, VM_FAULT_MAJOR, VM_FAULT_OOM, VM_FAULT_SIGBUS, type VmFault } from './fault.ts';
import { filemapAllocAndAdd, filemapGetPage, lockPage, pageMapping, unlockPage } from './filemap.ts';
import type { AddressSpace, File } from './fs.ts';
import type { Machine } from './machine.ts';
import { putPage } from './page_alloc.ts';
import { PG_error, PG_readahead, PG_uptodate } from './page_flags.ts';
import { forcePageCacheRa, pageCacheAsyncRa, pageCacheSyncRa, readFolio } from './readahead.ts';
import { NO_PFN, PAGE_SIZE, type Pfn, type Pgoff, pagesOf } from './units.ts';
import { VM_RAND_READ, VM_SEQ_READ } from './vm_flags.ts';
import { PGMAJFAULT } from './vmstat.ts';

/** Misses of a file's mappings, beyond hits, above which its faults read no neighbours. */
const MMAP_LOTSAMISS = 100;

/** The page at fault.pgoff, locked and with a reference, in fault.page. VM_FAULT_ bits. */
export function filemapFault_2_6(machine: Machine, fault: VmFault): number {
  const { frames } = machine;
  const file = fault.vma.vmFile!;
  const { mapping } = file;
  const index = fault.pgoff;
  if (index >= pagesOf(mapping.host.size)) return VM_FAULT_SIGBUS;
  let major = 0;
  let readAround = false;
  for (;;) {
    let pfn = findLockPage(machine, mapping, index);
    if ((fault.vma.vmFlags & VM_SEQ_READ) !== 0) pfn = readAheadOfFault(machine, file, index, pfn);
    if (pfn === NO_PFN) {
      major = countMajor(machine, major);
      if (wantsAround(fault)) {
        readAround = true;
        const { raPages } = file.ra;
        const start = Math.max(0, index - Math.floor(raPages / 2)) as Pgoff;
        forcePageCacheRa(machine, mapping, file.ra, start, raPages);
        pfn = findLockPage(machine, mapping, index);
      }
      if (pfn === NO_PFN) {
        const made = filemapAllocAndAdd(machine, mapping, index, mapping.gfpMask, mapping.gfpMask);
        if (made === NO_PFN && filemapGetPage(machine, mapping, index) === NO_PFN) return VM_FAULT_OOM;
        if (made !== NO_PFN) {
          readFolio(machine, mapping, made);
          putPage(machine, made);
        }
        continue;
      }
    }
    if (!readAround) file.ra.mmapMiss -= 1;
    if (!frames.has(pfn, PG_uptodate)) {
      // A read of it failed; once more.
      major = countMajor(machine, major);
      frames.clear(pfn, PG_error);
      readFolio(machine, mapping, pfn);
      putPage(machine, pfn);
      continue;
    }
    if (index >= pagesOf(mapping.host.size)) {
      unlockPage(machine, pfn);
      putPage(machine, pfn);
      return VM_FAULT_SIGBUS;
    }
    machine.lru.markAccessed(pfn);
    file.ra.prevPos = index * PAGE_SIZE;
    fault.page = pfn;
    return major | VM_FAULT_LOCKED;
  }
}

function countMajor(machine: Machine, major: number): number {
  if (major === 0) machine.events[PGMAJFAULT]! += 1;
  return VM_FAULT_MAJOR;
}

/** A miss; not one of so many that neighbours are of no use. */
function wantsAround(fault: VmFault): boolean {
  const { ra } = fault.vma.vmFile!;
  if ((fault.vma.vmFlags & VM_RAND_READ) !== 0 || ra.raPages === 0) return false;
  ra.mmapMiss += 1;
  return ra.mmapMiss <= MMAP_LOTSAMISS;
}

/** MADV_SEQUENTIAL. Returns the page, found or read. */
function readAheadOfFault(machine: Machine, file: File, index: Pgoff, found: Pfn): Pfn {
  let pfn = found;
  if (pfn === NO_PFN) {
    pageCacheSyncRa(machine, file, index, 1);
    pfn = findLockPage(machine, file.mapping, index);
  }
  if (pfn !== NO_PFN && machine.frames.has(pfn, PG_readahead)) pageCacheAsyncRa(machine, file, pfn, index, 1);
  return pfn;
}

/** The cached page, locked and with a reference; NO_PFN if there is none. */
function findLockPage(machine: Machine, mapping: AddressSpace, index: Pgoff): Pfn {
  for (;;) {
    const pfn = filemapGetPage(machine, mapping, index);
    if (pfn === NO_PFN) return NO_PFN;
    machine.frames.get(pfn);
    waitOnPageLocked(machine, pfn);
    lockPage(machine, pfn);
    if (pageMapping(machine, pfn) === mapping && machine.frames.index(pfn) === index) return pfn;
    unlockPage(machine, pfn);
    putPage(machine, pfn);
  }
}
