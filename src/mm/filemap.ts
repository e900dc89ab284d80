/**
 * The page cache: finding, adding and removing pages of files, read(2) and write(2), and faults on mapped files.
 *
 * Owns      who is in an AddressSpace's XArray, nrpages, NR_FILE_PAGES and NR_SHMEM; PG_locked of cached pages; the end of writeback.
 * Promises  1. The cache holds one reference to each of its pages; page->mapping and index say where it stands.
 *           2. A page is added locked and charged to whoever runs; if that cannot be, nothing has happened.
 *           3. A page that was evicted and comes back is reported to the workingset, unless it is about to be written.
 *           4. Nobody waits for a page's lock while he holds another's.
 * Linux     6.1, 6.18 mm/filemap.c: __filemap_add_folio filemap_add_folio __filemap_get_folio page_cache_delete filemap_unaccount_folio
 *           __filemap_remove_folio filemap_remove_folio filemap_get_read_batch filemap_get_pages filemap_update_page
 *           filemap_create_folio filemap_read generic_perform_write do_sync_mmap_readahead do_async_mmap_readahead filemap_fault
 *           next_uptodate_page filemap_map_pages folio_end_writeback filemap_release_folio;
 *           fs/ext4/inode.c: ext4_da_write_begin ext4_da_write_end ext4_page_mkwrite
 */
import { isHole, waitOnPageLocked } from './block.ts';
import { createEmptyBuffers, needsReadForWrite, tryToFreeBuffers } from './buffer.ts';
import { bugOn } from './bug.ts';
import { EEXIST, EFAULT, EINTR, EIO, ENOMEM } from './errno.ts';
import { zeroGap } from './fallocate.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_TRIED,
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  type VmFault,
} from './fault.ts';
import { setFilePte } from './faults.ts';
import { folioPages } from './folio.ts';
import type { AddressSpace, File, Inode } from './fs.ts';
import { __GFP_FS, __GFP_IO, __GFP_WRITE, GFP_KERNEL, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { countMemcgEvents, memCgroupCharge, memCgroupUncharge, modPageState } from './memcg.ts';
import { allocPages, putPage } from './page_alloc.ts';
import {
  PAGE_MAPPING_FLAGS,
  PG_error,
  PG_locked,
  PG_private,
  PG_readahead,
  PG_reclaim,
  PG_swapbacked,
  PG_uptodate,
  PG_workingset,
  PG_writeback,
} from './page_flags.ts';
import { pageCacheAsyncRa, pageCacheSyncRa, readFolio, readWindow } from './readahead.ts';
import { shmemFileRead, shmemWriteBegin, shmemWriteEnd } from './shmem.ts';
import { NO_PFN, PAGE_SIZE, type Pfn, type Pgoff, pagesOf, type Token, type Vpn, ZERO_TOKEN } from './units.ts';
import { VM_EXEC, VM_RAND_READ, VM_SEQ_READ } from './vm_flags.ts';
import { NR_FILE_PAGES, NR_SHMEM, NR_WRITEBACK, NR_WRITTEN, PGMAJFAULT } from './vmstat.ts';
import { folioMarkDirty, journalInode, markBufferDirty } from './writeback.ts';
import {
  PAGECACHE_TAG_WRITEBACK,
  XA_NONE,
  type XaEntry,
  xaIsPage,
  xaIsValue,
  xaPage,
  xaToPfn,
  xaToValue,
  xaValue,
} from './xarray.ts';

/** Misses of a mapping, beyond hits, above which its faults read no neighbours (MMAP_LOTSAMISS). */
const MMAP_LOTSAMISS = 100;

/** Receives what read(2) copies out of a page: bytes [from, to) of one that holds `token`. How many it could take. */
export interface PageReader {
  page(token: Token, from: number, to: number): number;
}

/** Says what a page holds after write(2) put bytes at [from, to) of one that held `old`. */
export interface PageWriter {
  page(old: Token, from: number, to: number): Token;
  /** Data that lies in a program's memory: how many of the next `bytes` bytes can be copied without a fault. */
  copyable?(bytes: number): number;
  /** Faults them in; how many of them can be read. */
  faultIn?(bytes: number): number;
}

// finding

/** The page at `index`, without a reference; NO_PFN if there is none, or a shadow or swap entry. */
export function filemapGetPage(machine: Machine, mapping: AddressSpace, index: Pgoff): Pfn {
  machine.pageHooks?.onFind(mapping.id, index);
  const entry = mapping.pages.load(index);
  return xaIsPage(entry) ? xaToPfn(entry) : NO_PFN;
}

/** The file that a page belongs to; null for an anonymous page, or one that belongs to nobody any more. */
export function pageMapping(machine: Machine, pfn: Pfn): AddressSpace | null {
  const word = machine.frames.mapping(pfn);
  if (word === 0 || (word & PAGE_MAPPING_FLAGS) !== 0) return null;
  return machine.mappings[word >>> 2] as AddressSpace;
}

/** Takes the page's lock; lets time pass while it is read in. */
export function lockPage(machine: Machine, pfn: Pfn): void {
  if (machine.frames.has(pfn, PG_locked)) waitOnPageLocked(machine, pfn);
  machine.frames.set(pfn, PG_locked);
}

export function trylockPage(machine: Machine, pfn: Pfn): boolean {
  return !machine.frames.testAndSet(pfn, PG_locked);
}

export function unlockPage(machine: Machine, pfn: Pfn): void {
  bugOn(!machine.frames.has(pfn, PG_locked), 'a page is unlocked only while it is locked', pfn);
  machine.frames.clear(pfn, PG_locked);
}

// adding

/** Puts a new page into the cache, locked, and on an LRU list. 0, -ENOMEM or -EEXIST. */
export function filemapAddFolio(machine: Machine, mapping: AddressSpace, pfn: Pfn, index: Pgoff, gfp: Gfp): number {
  const frames = machine.frames;
  frames.set(pfn, PG_locked);
  const refused = memCgroupCharge(machine, pfn, machine.current.memcg, gfp);
  if (refused < 0) {
    frames.clear(pfn, PG_locked);
    return refused;
  }
  const old = mapping.pages.load(index);
  const stored = storePage(machine, mapping, pfn, index, old, gfp);
  if (stored < 0) {
    memCgroupUncharge(machine, pfn);
    frames.clear(pfn, PG_locked);
    return stored;
  }
  const { writesDoNotRefault } = machine.generation.switches;
  if (xaIsValue(old) && ((gfp & __GFP_WRITE) === 0 || !writesDoNotRefault)) {
    machine.workingset.refault(pfn, xaToValue(old));
  }
  machine.lru.add(pfn);
  return 0;
}

/**
 * The page takes its place at `index`, where `expected` stood: a reference, mapping, index, the counters. It is charged already.
 * 0, -EEXIST or -ENOMEM.
 */
export function storePage(
  machine: Machine,
  mapping: AddressSpace,
  pfn: Pfn,
  index: Pgoff,
  expected: XaEntry,
  gfp: Gfp,
): number {
  const frames = machine.frames;
  if (xaIsPage(expected)) return -EEXIST;
  if (mapping.pages.store(machine, index, xaPage(pfn), gfp) < 0) return -ENOMEM;
  frames.get(pfn);
  frames.setMapping(pfn, mapping.id * 4);
  frames.setIndex(pfn, index);
  mapping.nrpages += 1;
  machine.pageHooks?.onInsert(pfn, mapping.id, index);
  modPageState(machine, pfn, NR_FILE_PAGES, 1);
  if (frames.has(pfn, PG_swapbacked)) modPageState(machine, pfn, NR_SHMEM, 1);
  if (machine.trace.on) {
    machine.trace.emit(machine.clock.now, 'mm_filemap_add_to_page_cache', mapping.host.ino, pfn, index);
  }
  return 0;
}

/** Allocates a page and adds it, locked, with the allocation's reference. NO_PFN if that cannot be. */
export function filemapAllocAndAdd(
  machine: Machine,
  mapping: AddressSpace,
  index: Pgoff,
  allocGfp: Gfp,
  addGfp: Gfp,
): Pfn {
  const pfn = allocPages(machine, allocGfp, 0);
  if (pfn < 0) return NO_PFN;
  if (filemapAddFolio(machine, mapping, pfn, index, addGfp) < 0) {
    putPage(machine, pfn);
    return NO_PFN;
  }
  return pfn;
}

// removing

/**
 * The page leaves the cache (__filemap_remove_folio); `shadow`, if not 0, takes its place. The cache's reference is left to
 * the caller. The page is locked and mapped nowhere.
 */
export function removeMapping(machine: Machine, pfn: Pfn, shadow: number): void {
  const entry = shadow === 0 ? XA_NONE : xaValue(shadow);
  const mapping = deleteFromCache(machine, pfn, entry);
  if (machine.trace.on) {
    const index = machine.frames.index(pfn);
    machine.trace.emit(machine.clock.now, 'mm_filemap_delete_from_page_cache', mapping.host.ino, pfn, index);
  }
}

/** The page's place gets `entry`; counters, mapping. The index stays, as in Linux. */
export function deleteFromCache(machine: Machine, pfn: Pfn, entry: XaEntry): AddressSpace {
  const frames = machine.frames;
  bugOn(frames.mapcount(pfn) !== 0, 'a page leaves the cache only when nobody maps it', pfn);
  const mapping = pageMapping(machine, pfn)!;
  machine.pageHooks?.onRemove(pfn, mapping.id, frames.index(pfn));
  modPageState(machine, pfn, NR_FILE_PAGES, -1);
  if (frames.has(pfn, PG_swapbacked)) modPageState(machine, pfn, NR_SHMEM, -1);
  mapping.pages.replace(machine, frames.index(pfn), entry);
  frames.setMapping(pfn, 0);
  mapping.nrpages -= 1;
  const inode = mapping.host.vfsInode;
  if (mapping.nrpages === 0 && inode !== null) machine.vfs.pagesGone(inode);
  return mapping;
}

/** The same for a caller who has a reference of his own: the cache's is dropped. */
export function filemapRemoveFolio(machine: Machine, pfn: Pfn): void {
  removeMapping(machine, pfn, 0);
  putPage(machine, pfn);
}

/** Frees what the file system keeps with the page; false if it must stay (filemap_release_folio). */
export function filemapReleaseFolio(machine: Machine, pfn: Pfn): boolean {
  if (machine.frames.has(pfn, PG_writeback)) return false;
  if (!machine.frames.has(pfn, PG_private)) return true;
  return tryToFreeBuffers(machine, pfn);
}

/** Writeback of the page is done. */
export function endPageWriteback(machine: Machine, pfn: Pfn): void {
  const frames = machine.frames;
  if (frames.testAndClear(pfn, PG_reclaim)) machine.lru.rotateReclaimable(pfn);
  frames.clear(pfn, PG_writeback);
  const mapping = pageMapping(machine, pfn);
  if (mapping !== null && !frames.has(pfn, PG_swapbacked)) {
    mapping.pages.clearMark(frames.index(pfn), PAGECACHE_TAG_WRITEBACK);
  }
  const pages = folioPages(machine, pfn);
  modPageState(machine, pfn, NR_WRITEBACK, -pages);
  const zone = machine.zones[frames.zoneIndex(pfn)]!;
  zone.writePending -= pages;
  zone.pgdat.stat[NR_WRITTEN]! += pages;
}

// read(2)

/** Reads up to `length` bytes at `pos`; how many, or -errno. */
export function filemapRead(
  machine: Machine,
  file: File,
  pos: number,
  length: number,
  reader: PageReader | null,
): number {
  const { fileRead } = machine.generation;
  if (fileRead !== undefined) return fileRead(machine, file, pos, length, reader);
  if (file.inode.kind === 'tmpfs') return shmemFileRead(machine, file, pos, length, reader);
  const frames = machine.frames;
  const mapping = file.mapping;
  const inode = file.inode;
  const ra = file.ra;
  const end = pos + length;
  let at = pos;
  let full = false;
  while (!full && at < end && at < inode.size) {
    const first = Math.floor(at / PAGE_SIZE);
    const pages = filemapGetPages(machine, file, at, end - at);
    if (pages < 0) return at > pos ? at - pos : pages;
    const endOffset = Math.min(inode.size, end);
    // Small reads of one page count as one access.
    if (Math.floor(at / PAGE_SIZE) !== Math.floor((ra.prevPos - 1) / PAGE_SIZE)) {
      machine.lru.markAccessed(xaToPfn(mapping.pages.load(first)));
    }
    for (let i = 0; i < pages; i++) {
      const pfn = xaToPfn(mapping.pages.load(first + i));
      if (!full && at < endOffset && endOffset >= (first + i) * PAGE_SIZE) {
        machine.pageHooks?.onCopy(pfn);
        if (i > 0) machine.lru.markAccessed(pfn);
        const from = at % PAGE_SIZE;
        const to = Math.min(PAGE_SIZE, from + endOffset - at);
        const copied = reader === null ? to - from : reader.page(frames.token(pfn), from, to);
        at += copied;
        ra.prevPos = at;
        full = copied < to - from;
      }
    }
    for (let i = 0; i < pages; i++) putPage(machine, xaToPfn(mapping.pages.load(first + i)));
  }
  return full && at === pos ? -EFAULT : at - pos;
}

/**
 * Neighbouring pages from the one at `pos` on that can be read now, with a reference each: how many, or -errno.
 * They stay where they are as long as the caller has his references.
 */
function filemapGetPages(machine: Machine, file: File, pos: number, length: number): number {
  const frames = machine.frames;
  const mapping = file.mapping;
  const index = Math.floor(pos / PAGE_SIZE) as Pgoff;
  const behind = Math.ceil((pos + length) / PAGE_SIZE);
  for (;;) {
    if (machine.current.killed) return -EINTR;
    let pages = getReadBatch(machine, mapping, index, behind);
    if (pages === 0) {
      pageCacheSyncRa(machine, file, index, behind - index);
      pages = getReadBatch(machine, mapping, index, behind);
    }
    if (pages === 0) {
      const made = filemapCreateFolio(machine, mapping, index);
      if (made !== -EEXIST) return made;
      continue;
    }
    const lastIndex = (index + pages - 1) as Pgoff;
    const last = xaToPfn(mapping.pages.load(lastIndex));
    if (frames.has(last, PG_readahead)) pageCacheAsyncRa(machine, file, last, lastIndex, behind - lastIndex);
    if (frames.has(last, PG_uptodate)) return pages;
    if (!frames.has(last, PG_locked)) {
      // Somebody's read of it failed, or never began: read it alone.
      frames.set(last, PG_locked);
      readFolio(machine, mapping, last);
      waitOnPageLocked(machine, last);
      return pages;
    }
    // A readahead that is under way. What stands before it can be copied first.
    putPage(machine, last);
    waitOnPageLocked(machine, last);
    if (pages > 1) return pages - 1;
  }
}

/** References to the pages from `index` on: up to one that is missing, marked, or not read yet. */
function getReadBatch(machine: Machine, mapping: AddressSpace, index: Pgoff, behind: number): number {
  const frames = machine.frames;
  const batch = machine.generation.switches.lruBatch;
  let pages = 0;
  while (pages < batch && index + pages < behind) {
    machine.pageHooks?.onFind(mapping.id, index + pages);
    const entry = mapping.pages.load(index + pages);
    if (!xaIsPage(entry)) break;
    const pfn = xaToPfn(entry);
    frames.get(pfn);
    pages += 1;
    if (!frames.has(pfn, PG_uptodate) || frames.has(pfn, PG_readahead)) break;
  }
  return pages;
}

/** Readahead brought nothing (memory is short): one page, with all the patience of GFP_KERNEL. 1 or -errno. */
function filemapCreateFolio(machine: Machine, mapping: AddressSpace, index: Pgoff): number {
  const pfn = allocPages(machine, mapping.gfpMask, 0);
  if (pfn < 0) return -ENOMEM;
  const refused = filemapAddFolio(machine, mapping, pfn, index, mapping.gfpMask & GFP_KERNEL);
  if (refused < 0) {
    putPage(machine, pfn);
    return refused;
  }
  readFolio(machine, mapping, pfn);
  waitOnPageLocked(machine, pfn);
  return machine.frames.has(pfn, PG_uptodate) ? 1 : -EIO;
}

// write(2)

/** Writes `length` bytes at `pos`, page by page; how many, or -errno. */
export function filemapWrite(
  machine: Machine,
  file: File,
  pos: number,
  length: number,
  writer: PageWriter | null,
): number {
  const mapping = file.mapping;
  const tmpfs = file.inode.kind === 'tmpfs';
  const end = pos + length;
  let at = pos;
  let most = PAGE_SIZE;
  while (at < end) {
    const oldSize = file.inode.size;
    if (machine.current.killed) return at > pos ? at - pos : -EINTR;
    const index = Math.floor(at / PAGE_SIZE) as Pgoff;
    const from = at % PAGE_SIZE;
    const to = Math.min(PAGE_SIZE, from + end - at, from + most);
    const pfn = tmpfs ? shmemWriteBegin(machine, mapping, index) : writeBegin(machine, mapping, index, from, to);
    if (pfn < 0) return at > pos ? at - pos : tmpfs ? pfn : -ENOMEM;
    const bytes = to - from;
    machine.pageHooks?.onCopy(pfn);
    const copied = writer?.copyable?.(bytes) ?? bytes;
    const uptodate = machine.frames.has(pfn, PG_uptodate);
    // A page of a disk that is not read yet takes all of it, or nothing.
    const landed = copied < bytes && !tmpfs && !uptodate ? 0 : copied;
    const old = uptodate ? machine.frames.token(pfn) : ZERO_TOKEN;
    if (landed > 0) {
      machine.frames.setToken(pfn, writer === null ? machine.newToken() : writer.page(old, from, from + landed));
    } else if (tmpfs) machine.frames.setToken(pfn, old);
    const behindOldEnd = !tmpfs && at > oldSize;
    const start = at;
    at += landed;
    if (tmpfs) shmemWriteEnd(machine, mapping, pfn, at);
    else if (landed > 0) writeEnd(machine, mapping, pfn, at);
    else nothingWritten(machine, mapping, pfn, start);
    if (behindOldEnd) zeroGap(machine, file.inode, oldSize, start);
    machine.generation.writeback.balanceDirtyPages(machine);
    // Again with what could be copied; or with all of it, when it is there.
    most = landed === 0 && copied > 0 ? copied : PAGE_SIZE;
    if (copied === 0 && writer?.faultIn?.(bytes) === 0) return at > pos ? at - pos : -EFAULT;
  }
  return at - pos;
}

/** The page to write into, locked, with a reference; what the write leaves of it is read in or zero. NO_PFN: no memory. */
function writeBegin(machine: Machine, mapping: AddressSpace, index: Pgoff, from: number, to: number): Pfn {
  const frames = machine.frames;
  let pfn = filemapGetPage(machine, mapping, index);
  if (pfn < 0) {
    const gfp = mapping.gfpMask | __GFP_WRITE;
    pfn = filemapAllocAndAdd(machine, mapping, index, gfp, gfp);
    if (pfn < 0) return NO_PFN;
  } else {
    frames.get(pfn);
    lockPage(machine, pfn);
  }
  createEmptyBuffers(machine, pfn);
  if (!frames.has(pfn, PG_uptodate)) {
    const whole = from === 0 && to === PAGE_SIZE;
    if (!whole && needsReadForWrite(mapping, index)) {
      readFolio(machine, mapping, pfn);
      waitOnPageLocked(machine, pfn);
      frames.set(pfn, PG_locked);
    } else {
      frames.setToken(pfn, ZERO_TOKEN);
    }
  }
  return pfn;
}

function writeEnd(machine: Machine, mapping: AddressSpace, pfn: Pfn, endPos: number): void {
  machine.frames.set(pfn, PG_uptodate);
  markBufferDirty(machine, pfn);
  growTo(machine, mapping.host, endPos);
  unlockPage(machine, pfn);
  putPage(machine, pfn);
}

/** The journal hears of a new size when there is a block for it. */
function growTo(machine: Machine, inode: Inode, size: number): void {
  if (size <= inode.size) return;
  inode.size = size;
  if (!isHole(inode, Math.floor((size - 1) / PAGE_SIZE))) journalInode(machine, inode);
}

/** The copy met a page that is not there. A block that is new is zero, and dirty already; into the middle of another, nothing dirties it too. */
function nothingWritten(machine: Machine, mapping: AddressSpace, pfn: Pfn, pos: number): void {
  const { frames } = machine;
  const isNew = isHole(mapping.host, Math.floor(pos / PAGE_SIZE));
  if (frames.has(pfn, PG_uptodate)) {
    if (isNew || pos % PAGE_SIZE !== 0) markBufferDirty(machine, pfn);
  } else if (isNew) {
    frames.setToken(pfn, ZERO_TOKEN);
    frames.set(pfn, PG_uptodate);
    markBufferDirty(machine, pfn);
  }
  growTo(machine, mapping.host, pos);
  unlockPage(machine, pfn);
  putPage(machine, pfn);
}

// faults

/** ->fault of a file on a disk: the page at fault.pgoff, locked and with a reference, in fault.page. VM_FAULT_ bits. */
export function filemapFault(machine: Machine, fault: VmFault): number {
  const frames = machine.frames;
  const file = fault.vma.vmFile!;
  const mapping = file.mapping;
  const index = fault.pgoff;
  if (index >= pagesOf(mapping.host.size)) return VM_FAULT_SIGBUS;
  // The mmap lock is dropped for I/O, once: the fault then starts again when the I/O is done.
  const mayDrop = (fault.flags & FAULT_FLAG_ALLOW_RETRY) !== 0 && (fault.flags & FAULT_FLAG_TRIED) === 0;
  const raDrops = mayDrop && machine.generation.switches.readaheadDropsLock;
  let dropped = false;
  let major = 0;
  let pfn = filemapGetPage(machine, mapping, index);
  if (pfn >= 0) {
    frames.get(pfn);
    if ((fault.flags & FAULT_FLAG_TRIED) === 0) dropped = doAsyncMmapReadahead(machine, fault, pfn) && raDrops;
  } else {
    machine.events[PGMAJFAULT]! += 1;
    countMemcgEvents(fault.vma.vmMm.memcg, PGMAJFAULT, 1);
    major = VM_FAULT_MAJOR;
    dropped = doSyncMmapReadahead(machine, fault) && raDrops;
  }
  for (;;) {
    if (pfn < 0) {
      pfn = findOrCreate(machine, mapping, index);
      if (pfn < 0) return dropped ? major | VM_FAULT_RETRY : VM_FAULT_OOM;
    }
    if (frames.has(pfn, PG_locked)) {
      dropped ||= mayDrop;
      waitOnPageLocked(machine, pfn);
    }
    frames.set(pfn, PG_locked);
    if (pageMapping(machine, pfn) !== mapping) {
      unlockPage(machine, pfn);
      putPage(machine, pfn);
      pfn = NO_PFN;
      continue;
    }
    if (!frames.has(pfn, PG_uptodate)) {
      dropped ||= mayDrop;
      frames.clear(pfn, PG_error);
      readFolio(machine, mapping, pfn);
      waitOnPageLocked(machine, pfn);
      putPage(machine, pfn);
      if (dropped) return major | VM_FAULT_RETRY;
      pfn = NO_PFN;
      continue;
    }
    if (dropped) {
      unlockPage(machine, pfn);
      putPage(machine, pfn);
      return major | VM_FAULT_RETRY;
    }
    if (index >= pagesOf(mapping.host.size)) {
      unlockPage(machine, pfn);
      putPage(machine, pfn);
      return VM_FAULT_SIGBUS;
    }
    fault.page = pfn;
    return major | VM_FAULT_LOCKED;
  }
}

/** The page with a reference, not locked by us; a new one if readahead brought none. */
function findOrCreate(machine: Machine, mapping: AddressSpace, index: Pgoff): Pfn {
  const found = filemapGetPage(machine, mapping, index);
  if (found >= 0) {
    machine.frames.get(found);
    return found;
  }
  const gfp = mapping.gfpMask | __GFP_FS | __GFP_IO;
  const made = filemapAllocAndAdd(machine, mapping, index, gfp, gfp);
  if (made >= 0) unlockPage(machine, made);
  return made;
}

/** Nothing is cached at fault.pgoff. True if the mmap lock would be dropped for the read. */
function doSyncMmapReadahead(machine: Machine, fault: VmFault): boolean {
  const vma = fault.vma;
  const file = vma.vmFile!;
  const ra = file.ra;
  // SINCE 6.16: code is read ahead even where the program said random.
  const execWindow = machine.generation.switches.execReadahead && (vma.vmFlags & VM_EXEC) !== 0;
  if ((vma.vmFlags & VM_RAND_READ) !== 0 && !execWindow) return false;
  if (ra.raPages === 0) return false;
  if ((vma.vmFlags & VM_SEQ_READ) !== 0) {
    pageCacheSyncRa(machine, file, fault.pgoff, ra.raPages);
    return true;
  }
  if (ra.mmapMiss < MMAP_LOTSAMISS * 10) ra.mmapMiss += 1;
  if (ra.mmapMiss > MMAP_LOTSAMISS) return false;
  if (execWindow) {
    ra.start = fault.pgoff;
    ra.size = Math.min(ra.raPages, vma.vmPgoff + (vma.vmEnd - vma.vmStart) - fault.pgoff);
    ra.asyncSize = 0;
  } else {
    ra.start = Math.max(0, fault.pgoff - Math.floor(ra.raPages / 2));
    ra.size = ra.raPages;
    ra.asyncSize = machine.generation.switches.aroundLeavesMarker ? Math.floor(ra.raPages / 4) : 0;
  }
  readWindow(machine, file.mapping, ra);
  return true;
}

/** The page is cached. True if the mmap lock would be dropped for a readahead. */
function doAsyncMmapReadahead(machine: Machine, fault: VmFault, pfn: Pfn): boolean {
  const file = fault.vma.vmFile!;
  const ra = file.ra;
  if ((fault.vma.vmFlags & VM_RAND_READ) !== 0 || ra.raPages === 0) return false;
  // SINCE 6.16: a page that is still being read is no hit.
  const hit = !machine.generation.switches.execReadahead || !machine.frames.has(pfn, PG_locked);
  if (ra.mmapMiss > 0 && hit) ra.mmapMiss -= 1;
  if (!machine.frames.has(pfn, PG_readahead)) return false;
  pageCacheAsyncRa(machine, file, pfn, fault.pgoff, ra.raPages);
  return true;
}

/**
 * Fault-around: maps what is cached and ready in [startPgoff, endPgoff]. Never waits, reads nothing.
 * VM_FAULT_NOPAGE if the faulting page itself is mapped now.
 */
export function filemapMapPages(machine: Machine, fault: VmFault, startPgoff: Pgoff, endPgoff: Pgoff): number {
  const frames = machine.frames;
  const pages = fault.vma.vmFile!.mapping.pages;
  const ra = fault.vma.vmFile!.ra;
  const fileEnd = pagesOf(fault.vma.vmFile!.mapping.host.size) - 1;
  const last = Math.min(endPgoff, fileEnd);
  // SINCE 6.6: a page that came back after an eviction is no hit.
  const workingsetCounts = !machine.generation.switches.execReadahead;
  const mappedCounts = machine.generation.switches.mappedCountsAsHit;
  let noTableForLast =
    fault.newTable && machine.generation.switches.lastPageMakesNoTable && fault.vma.vmFile!.inode.kind !== 'tmpfs';
  let result = 0;
  for (let at = pages.find(startPgoff, last); at >= 0 && at <= last; at = pages.find(at + 1, last)) {
    const entry = pages.load(at);
    if (!xaIsPage(entry)) continue;
    const pfn = xaToPfn(entry);
    if (frames.has(pfn, PG_locked) || !frames.has(pfn, PG_uptodate) || frames.has(pfn, PG_readahead)) continue;
    if (at === fileEnd && noTableForLast) return 0;
    noTableForLast = false;
    const distance = at - fault.pgoff;
    const slot = fault.slot + distance;
    const mapped = !machine.pageTables.isNone(slot);
    const hit = (workingsetCounts || !frames.has(pfn, PG_workingset)) && (mappedCounts || !mapped);
    if (ra.mmapMiss > 0 && hit) ra.mmapMiss -= 1;
    if (mapped) continue;
    if (distance === 0) result = VM_FAULT_NOPAGE;
    frames.get(pfn);
    setFilePte(machine, fault.vma, slot, pfn, (fault.vpn + distance) as Vpn, false);
  }
  return result;
}

/** ->page_mkwrite: a shared mapping is about to write to fault.page. Returns it locked. */
export function pageMkwrite(machine: Machine, fault: VmFault): number {
  const mapping = fault.vma.vmFile!.mapping;
  const pfn = fault.page;
  lockPage(machine, pfn);
  if (pageMapping(machine, pfn) !== mapping) {
    unlockPage(machine, pfn);
    return VM_FAULT_NOPAGE;
  }
  if (fault.pgoff >= pagesOf(mapping.host.size)) {
    unlockPage(machine, pfn);
    return VM_FAULT_SIGBUS;
  }
  createEmptyBuffers(machine, pfn);
  folioMarkDirty(machine, pfn);
  return VM_FAULT_LOCKED;
}
