/**
 * Changing the size of a file, and which of its pages have blocks: ftruncate(2) and fallocate(2).
 *
 * Owns      i_size when it is set, and which pages of Inode.disk are holes.
 * Promises  1. After a file shrank nothing of what was behind its end is left: no page, no mapping, no private copy, no block.
 *           2. A hole is punched in the cache and on the disk; what shares a page with its ends is zero there.
 * Linux     6.18 fs/open.c: vfs_fallocate; fs/ext4/inode.c: ext4_setattr ext4_truncate ext4_block_truncate_page
 *           __ext4_block_zero_page_range ext4_zero_partial_blocks ext4_punch_hole ext4_da_do_write_end; fs/ext4/extents.c:
 *           ext4_fallocate ext4_zero_range
 *
 * DIFFERS: FALLOC_FL_UNSHARE_RANGE is refused with EOPNOTSUPP on every file system, as by ext4 and tmpfs.
 */
import { isHole, waitOnPageLocked } from './block.ts';
import { createEmptyBuffers } from './buffer.ts';
import { EBADF, EINVAL, EOPNOTSUPP } from './errno.ts';
import { filemapAllocAndAdd, filemapGetPage, lockPage, unlockPage } from './filemap.ts';
import type { AddressSpace, File, Inode } from './fs.ts';
import { __GFP_FS } from './gfp.ts';
import type { Machine } from './machine.ts';
import { putPage } from './page_alloc.ts';
import { PG_dirty, PG_locked, PG_referenced, PG_uptodate } from './page_flags.ts';
import { readFolio } from './readahead.ts';
import { shmemFallocate, shmemPunchHole, shmemSetsize } from './shmem.ts';
import { TO_THE_END, truncatePagecache, truncatePagecacheRange, unmapBehindFirstPage } from './truncate.ts';
import { PAGE_SIZE, type Pgoff, pagesOf } from './units.ts';
import { journalInode, journalOrderedPage, markBufferDirty, waitOnRange, writePages } from './writeback.ts';

export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;
export const FALLOC_FL_COLLAPSE_RANGE = 8;
export const FALLOC_FL_ZERO_RANGE = 16;
export const FALLOC_FL_INSERT_RANGE = 32;

/** What ext4 can do beside what tmpfs can. */
const EXT4_MODES = FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE;

/** ftruncate: the file is `size` bytes long from now on. 0, or -ENOMEM (tmpfs whose memory is committed as a whole). */
export function truncateSetsize(machine: Machine, inode: Inode, size: number): number {
  if (inode.kind === 'tmpfs') return shmemSetsize(machine, inode, size);
  const old = inode.size;
  journalInode(machine, inode);
  if (size > old) {
    if (machine.generation.switches.ext4ZeroesGap) zeroToPageEnd(machine, inode.mapping, old);
    inode.size = size;
    return 0;
  }
  inode.size = size;
  truncatePagecache(machine, inode.mapping, size);
  zeroToPageEnd(machine, inode.mapping, size);
  if (size === 0) inode.flushOnClose = true;
  if (inode.disk.length > pagesOf(size)) inode.disk.length = pagesOf(size);
  return 0;
}

/** fallocate(2). 0 or -errno. */
export function vfsFallocate(machine: Machine, file: File, mode: number, offset: number, length: number): number {
  const { inode } = file;
  if (offset < 0 || length <= 0) return -EINVAL;
  const tmpfs = inode.kind === 'tmpfs';
  const known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | (tmpfs ? 0 : EXT4_MODES);
  if ((mode & ~known) !== 0) return -EOPNOTSUPP;
  const punch = (mode & FALLOC_FL_PUNCH_HOLE) !== 0;
  if (punch && (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) return -EOPNOTSUPP;
  if (punch && (mode & FALLOC_FL_KEEP_SIZE) === 0) return -EOPNOTSUPP;
  if (!file.writable) return -EBADF;
  if (!tmpfs) journalInode(machine, inode);
  if (punch) {
    punchHole(machine, inode, offset, length);
    return 0;
  }
  if ((mode & FALLOC_FL_COLLAPSE_RANGE) !== 0) return collapseRange(machine, inode, offset, length);
  if ((mode & FALLOC_FL_INSERT_RANGE) !== 0) return insertRange(machine, inode, offset, length);
  const end = offset + length;
  const grows = (mode & FALLOC_FL_KEEP_SIZE) === 0 && end > inode.size;
  if (tmpfs) {
    const refused = shmemFallocate(machine, inode, Math.floor(offset / PAGE_SIZE) as Pgoff, pagesOf(end));
    if (refused < 0) return refused;
    if (grows) inode.size = end;
    return 0;
  }
  const zero = (mode & FALLOC_FL_ZERO_RANGE) !== 0;
  // Blocks for partly covered pages come first, else those are cleared that are there.
  const wholePages = offset % PAGE_SIZE === 0 && end % PAGE_SIZE === 0;
  if (zero && wholePages) dropRange(machine, inode, offset, end);
  if (grows) growByFallocate(machine, inode, offset, end);
  if (zero && !wholePages) dropRange(machine, inode, offset, end);
  return 0;
}

/**
 * Blocks for [offset, end), behind whose start the file ends: run by run of pages that are written, promised a block, or holes,
 * and the file grows with each. The blocks are unwritten: they read as zeros, like the hole before.
 */
function growByFallocate(machine: Machine, inode: Inode, offset: number, end: number): void {
  const old = inode.size;
  const behind = pagesOf(end);
  let page = Math.floor(offset / PAGE_SIZE);
  while (page < behind) {
    const state = blockState(machine, inode, page);
    while (page < behind && blockState(machine, inode, page) === state) page += 1;
    const reached = Math.min(page * PAGE_SIZE, end);
    if (reached <= old) continue;
    inode.size = reached;
    zeroGap(machine, inode, old, reached);
  }
}

/** Of a page of a disk file: on the disk, in memory with a promise of a block, or nowhere. */
function blockState(machine: Machine, inode: Inode, page: number): 'written' | 'delayed' | 'hole' {
  if (!isHole(inode, page)) return 'written';
  const pfn = filemapGetPage(machine, inode.mapping, page as Pgoff);
  return pfn >= 0 && machine.frames.has(pfn, PG_dirty) ? 'delayed' : 'hole';
}

/** Bytes [offset, offset + length) read as zeros afterwards; the file's size stays. */
export function punchHole(machine: Machine, inode: Inode, offset: number, length: number): void {
  const { mapping } = inode;
  if (inode.kind === 'tmpfs') {
    shmemPunchHole(machine, inode, offset, offset + length - 1);
    return;
  }
  if (offset >= inode.size) return;
  // ext4 stops at the end of the page in which the file ends.
  const end = Math.min(offset + length, pagesOf(inode.size) * PAGE_SIZE);
  if (machine.generation.switches.punchWritesFirst) {
    const firstTouched = Math.floor(offset / PAGE_SIZE) as Pgoff;
    const lastTouched = Math.floor((end - 1) / PAGE_SIZE);
    writePages(machine, mapping, firstTouched, lastTouched, Number.POSITIVE_INFINITY, true);
    waitOnRange(machine, mapping, firstTouched, lastTouched);
  }
  dropRange(machine, inode, offset, end);
}

/** [offset, offset + length) is cut out of a disk file: what is behind moves down. 0 or -errno. */
function collapseRange(machine: Machine, inode: Inode, offset: number, length: number): number {
  if (offset % PAGE_SIZE !== 0 || length % PAGE_SIZE !== 0 || offset + length >= inode.size) return -EINVAL;
  leaveCache(machine, inode, offset + length, offset);
  inode.disk.splice(offset / PAGE_SIZE, length / PAGE_SIZE);
  inode.size -= length;
  return 0;
}

/** A hole of `length` bytes at `offset`: what was there moves up. 0 or -errno. */
function insertRange(machine: Machine, inode: Inode, offset: number, length: number): number {
  if (offset % PAGE_SIZE !== 0 || length % PAGE_SIZE !== 0 || offset >= inode.size) return -EINVAL;
  leaveCache(machine, inode, offset, offset);
  const moved = inode.disk.splice(offset / PAGE_SIZE);
  const at = (offset + length) / PAGE_SIZE;
  inode.size += length;
  moved.forEach((token, page) => {
    inode.disk[at + page] = token;
  });
  return 0;
}

/** Dirty pages from byte `written` on go to the disk; then all from `dropped` on leave mappings and cache. */
function leaveCache(machine: Machine, inode: Inode, written: number, dropped: number): void {
  const { mapping } = inode;
  const first = (written / PAGE_SIZE) as Pgoff;
  writePages(machine, mapping, first, TO_THE_END, Number.POSITIVE_INFINITY, true);
  waitOnRange(machine, mapping, first, TO_THE_END);
  truncatePagecache(machine, mapping, dropped);
}

/** Whole pages of [offset, end) leave cache and disk; what is left of the others becomes zero. */
function dropRange(machine: Machine, inode: Inode, offset: number, end: number): void {
  const { mapping } = inode;
  const first = Math.ceil(offset / PAGE_SIZE);
  const behind = Math.floor(end / PAGE_SIZE);
  if (behind > first) truncatePagecacheRange(machine, mapping, first * PAGE_SIZE, behind * PAGE_SIZE - 1);
  else if (behind === 0 && !machine.generation.switches.punchWritesFirst)
    unmapBehindFirstPage(machine, mapping, first as Pgoff);
  zeroPartialBlocks(machine, mapping, offset, end);
  for (let index = first; index < behind && index < inode.disk.length; index++) delete inode.disk[index];
}

/**
 * The file grew from `old` bytes, and new data begins at `pos`: what shares a page with either becomes zero.
 * SINCE 6.18: before, it was zero because whoever had written the old end had cleared the rest of its page.
 */
export function zeroGap(machine: Machine, inode: Inode, old: number, pos: number): void {
  if (machine.generation.switches.ext4ZeroesGap) zeroPartialBlocks(machine, inode.mapping, old, pos);
}

/** Of [start, end) what does not fill its page (ext4_zero_partial_blocks). */
function zeroPartialBlocks(machine: Machine, mapping: AddressSpace, start: number, end: number): void {
  const firstPage = Math.floor(start / PAGE_SIZE);
  const lastPage = Math.floor(end / PAGE_SIZE);
  if (firstPage === lastPage) {
    zeroBlock(machine, mapping, start, end - start);
    return;
  }
  zeroToPageEnd(machine, mapping, start);
  if (end % PAGE_SIZE !== 0) zeroBlock(machine, mapping, lastPage * PAGE_SIZE, end % PAGE_SIZE);
}

/** From `pos` to the end of its page, unless it is the start of one. */
function zeroToPageEnd(machine: Machine, mapping: AddressSpace, pos: number): void {
  if (pos % PAGE_SIZE !== 0) zeroBlock(machine, mapping, pos, PAGE_SIZE - (pos % PAGE_SIZE));
}

/**
 * Part of one page becomes zero on the disk, too: it is read, cleared and dirtied, and counts as used. A hole is zero already,
 * but its page is in the cache afterwards.
 */
function zeroBlock(machine: Machine, mapping: AddressSpace, pos: number, length: number): void {
  const { frames } = machine;
  const index = Math.floor(pos / PAGE_SIZE) as Pgoff;
  let pfn = filemapGetPage(machine, mapping, index);
  if (pfn >= 0) {
    frames.get(pfn);
    lockPage(machine, pfn);
    machine.lru.markAccessed(pfn);
  } else {
    const gfp = mapping.gfpMask & ~__GFP_FS;
    pfn = filemapAllocAndAdd(machine, mapping, index, gfp, gfp);
    if (pfn < 0) return;
    frames.set(pfn, PG_referenced);
  }
  createEmptyBuffers(machine, pfn);
  // A dirty page over a hole has been promised its block.
  if (!isHole(mapping.host, index) || frames.has(pfn, PG_dirty)) {
    if (!frames.has(pfn, PG_uptodate)) {
      readFolio(machine, mapping, pfn);
      waitOnPageLocked(machine, pfn);
      frames.set(pfn, PG_locked);
    }
    const from = pos % PAGE_SIZE;
    frames.setToken(pfn, machine.contents.zeroed(machine, frames.token(pfn), from, from + length));
    markBufferDirty(machine, pfn);
    if (!isHole(mapping.host, index)) journalOrderedPage(machine, mapping.host, index);
  }
  unlockPage(machine, pfn);
  putPage(machine, pfn);
}
