/**
 * read(2) of 2.4, page by page, and its reading ahead.
 *
 *   f_raend − f_ralen        f_raend                  a read in the block that was read last starts the next one, of twice the
 *        │◄── f_ralen ──►│      first page not tried  size, up to 31 pages; a read outside of f_rawin pages before f_raend begins anew
 *   │◄─────── f_rawin ──────►│
 *
 * Owns      raend, ralen, rawin and ramax of an open file.
 * Promises  1. A page that was not in memory is read alone first; its neighbours follow while the reader waits.
 *           2. mark_page_accessed is told of each read that begins at a page's first byte.
 * Linux     2.4.19 mm/filemap.c: do_generic_file_read generic_file_readahead page_cache_read
 *
 *    Good at: streams. Bad at: two readers of one open file, who undo each other's window.
 */
import { waitOnPageLocked } from './block.ts';
import { EFAULT, EINTR, ENOMEM } from './errno.ts';
import { filemapAllocAndAdd, filemapGetPage, type PageReader, pageMapping } from './filemap.ts';
import type { AddressSpace, File, FileRaState } from './fs.ts';
import type { Machine } from './machine.ts';
import { putPage } from './page_alloc.ts';
import { PG_locked, PG_uptodate } from './page_flags.ts';
import { lockPage, unlockPage } from './page_lock_2_4.ts';
import { doPageCacheRa, readFolio } from './readahead.ts';
import { shmemFileRead } from './shmem.ts';
import { NO_PFN, PAGE_SIZE, type Pfn, type Pgoff } from './units.ts';

/** vm_min_readahead and vm_max_readahead. */
const MIN_READAHEAD = 3;
const MAX_READAHEAD = 31;

/** Reads up to `length` bytes at `pos`; how many, or -errno. */
export function fileRead_2_4(
  machine: Machine,
  file: File,
  pos: number,
  length: number,
  reader: PageReader | null,
): number {
  if (file.inode.kind === 'tmpfs') return shmemFileRead(machine, file, pos, length, reader);
  const { frames } = machine;
  const { inode, ra } = file;
  const end = pos + length;
  const sequential = startWindow(ra, pos, length);
  let at = pos;
  while (at < end && at < inode.size) {
    if (machine.current.killed) return at > pos ? at - pos : -EINTR;
    const index = Math.floor(at / PAGE_SIZE) as Pgoff;
    const pfn = readOne(machine, file, index, sequential);
    if (pfn === NO_PFN) return at > pos ? at - pos : -ENOMEM;
    const from = at % PAGE_SIZE;
    const to = Math.min(PAGE_SIZE, from + Math.min(end, inode.size) - at);
    if (from === 0) machine.lru.markAccessed(pfn);
    const copied = reader === null ? to - from : reader.page(frames.token(pfn), from, to);
    putPage(machine, pfn);
    at += copied;
    if (copied < to - from) return at > pos ? at - pos : -EFAULT;
  }
  return at - pos;
}

/** At each read(2): does it go on where the last one ended? Sets the limit of what is read ahead. */
export function startWindow(ra: FileRaState, pos: number, length: number): boolean {
  const index = Math.floor(pos / PAGE_SIZE);
  const offset = pos % PAGE_SIZE;
  const sequential = index <= ra.raend && index + ra.rawin >= ra.raend;
  if (!sequential) {
    ra.raend = 0;
    ra.ralen = 0;
    ra.ramax = 0;
    ra.rawin = 0;
  }
  if (index === 0 && offset + length <= PAGE_SIZE / 2) {
    // Whoever looks at the beginning only wants to know what kind of file it is.
    ra.ramax = 0;
    return sequential;
  }
  ra.ramax = Math.max(ra.ramax, Math.floor((offset + length) / PAGE_SIZE) + 1);
  if (sequential) ra.ramax = Math.max(ra.ramax, MIN_READAHEAD);
  ra.ramax = Math.min(ra.ramax, MAX_READAHEAD);
  return sequential;
}

/** The page at `index`, read, with a reference. NO_PFN: no memory. */
function readOne(machine: Machine, file: File, index: Pgoff, sequential: boolean): Pfn {
  const { frames } = machine;
  const { mapping } = file;
  for (;;) {
    let pfn = filemapGetPage(machine, mapping, index);
    if (pfn === NO_PFN) {
      pfn = filemapAllocAndAdd(machine, mapping, index, mapping.gfpMask, mapping.gfpMask);
      if (pfn !== NO_PFN) readFolio(machine, mapping, pfn);
      else if (filemapGetPage(machine, mapping, index) === NO_PFN) return NO_PFN;
      else continue;
    } else {
      frames.get(pfn);
    }
    genericFileReadahead(machine, file, pfn, index, sequential);
    if (becomesUptodate(machine, mapping, pfn)) return pfn;
    putPage(machine, pfn);
  }
}

/** Waits for the read under way, or reads. False: the page belongs to the file no more. */
export function becomesUptodate(machine: Machine, mapping: AddressSpace, pfn: Pfn): boolean {
  const { frames } = machine;
  if (!frames.has(pfn, PG_uptodate)) {
    lockPage(machine, pfn);
    if (frames.has(pfn, PG_uptodate) || pageMapping(machine, pfn) !== mapping) {
      unlockPage(machine, pfn);
    } else {
      readFolio(machine, mapping, pfn);
      if (frames.has(pfn, PG_locked)) waitOnPageLocked(machine, pfn);
    }
  }
  return pageMapping(machine, pfn) === mapping;
}

/** At each page of a read: is it time to read on? The page is locked while it is being read. */
function genericFileReadahead(machine: Machine, file: File, pfn: Pfn, index: number, sequential: boolean): void {
  const { ra, mapping } = file;
  const endIndex = Math.floor(file.inode.size / PAGE_SIZE);
  let raend = ra.raend;
  let most = 0;
  if (machine.frames.has(pfn, PG_locked)) {
    if (ra.ralen === 0 || index >= raend || index + ra.rawin < raend) {
      raend = index;
      if (raend < endIndex) most = ra.ramax;
      ra.rawin = 0;
      ra.ralen = 1;
      if (most === 0) {
        ra.raend = index + ra.ralen;
        ra.rawin += ra.ralen;
      }
    }
  } else if (sequential && ra.ramax > 0 && raend >= 1 && index <= raend && index + ra.ralen >= raend) {
    // One more than the limit, so that the request is as long as one made while the reader waits.
    raend -= 1;
    if (raend < endIndex) most = ra.ramax + 1;
    if (most > 0) {
      ra.rawin = ra.ralen;
      ra.ralen = 0;
    }
  }
  if (most === 0) return;
  // The last page counts as tried, and is left to its reader.
  const ahead = Math.min(most, Math.max(1, endIndex - raend));
  const pages = Math.min(ahead, endIndex - raend - 1);
  if (pages > 0) doPageCacheRa(machine, mapping, (raend + 1) as Pgoff, pages, 0);
  ra.ralen += ahead;
  ra.rawin += ra.ralen;
  ra.raend = raend + ahead + 1;
  ra.ramax = Math.min(2 * ra.ramax, MAX_READAHEAD);
}
