/**
 * posix_fadvise(2), and what a program may ask about the cache of a file.
 *
 * Owns      nothing: it turns advice into readahead and invalidation.
 * Linux     6.1 mm/fadvise.c: generic_fadvise; 6.18 mm/filemap.c: filemap_cachestat
 */
import { EINVAL } from './errno.ts';
import { raPages } from './file.ts';
import type { AddressSpace, File } from './fs.ts';
import type { Machine } from './machine.ts';
import { forcePageCacheRa } from './readahead.ts';
import { invalidateMapping } from './truncate.ts';
import { PAGE_SIZE, type Pgoff } from './units.ts';
import { writePages } from './writeback.ts';
import { PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK, XA_NONE, xaIsPage } from './xarray.ts';

export const POSIX_FADV_NORMAL = 0;
export const POSIX_FADV_RANDOM = 1;
export const POSIX_FADV_SEQUENTIAL = 2;
export const POSIX_FADV_WILLNEED = 3;
export const POSIX_FADV_DONTNEED = 4;
export const POSIX_FADV_NOREUSE = 5;

/** `length` 0: to the end. 0 or -EINVAL. */
export function doFadvise(machine: Machine, file: File, offset: number, length: number, advice: number): number {
  if (length < 0) return -EINVAL;
  if (advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE) return -EINVAL;
  const { inode, mapping, ra } = file;
  // tmpfs has no backing device: good advice, ignored.
  if (inode.kind === 'tmpfs') return 0;
  const end = length === 0 ? Number.MAX_SAFE_INTEGER : offset + length - 1;
  if (advice === POSIX_FADV_NORMAL) {
    ra.raPages = raPages(machine, inode);
    file.random = false;
    file.noreuse = false;
  } else if (advice === POSIX_FADV_RANDOM) {
    file.random = true;
  } else if (advice === POSIX_FADV_SEQUENTIAL) {
    ra.raPages = 2 * raPages(machine, inode);
    file.random = false;
  } else if (advice === POSIX_FADV_WILLNEED) {
    const first = Math.floor(offset / PAGE_SIZE) as Pgoff;
    forcePageCacheRa(machine, mapping, ra, first, Math.floor(end / PAGE_SIZE) - first + 1);
  } else if (advice === POSIX_FADV_DONTNEED) {
    dontNeed(machine, mapping, offset, end);
  } else {
    file.noreuse = machine.generation.switches.skipVmasWithoutRecency;
  }
  return 0;
}

/** Only whole pages; the file's last page counts as whole. */
function dontNeed(machine: Machine, mapping: AddressSpace, offset: number, end: number): void {
  const firstTouched = Math.floor(offset / PAGE_SIZE) as Pgoff;
  writePages(machine, mapping, firstTouched, Math.floor(end / PAGE_SIZE), Number.POSITIVE_INFINITY, false);
  const first = Math.ceil(offset / PAGE_SIZE) as Pgoff;
  let last = Math.floor(end / PAGE_SIZE);
  if (end % PAGE_SIZE !== PAGE_SIZE - 1 && end !== mapping.host.size - 1) last -= 1;
  if (last < first) return;
  // Pages just read or written stand in a batch and look busy there.
  machine.lru.drain();
  invalidateMapping(machine, mapping, first, last);
}

/** The cachestat letter of one page: `.` nothing, `e` evicted or swapped out, `c` clean, `d` dirty, `w` under writeback. */
export function cacheState(_machine: Machine, mapping: AddressSpace, index: Pgoff): '.' | 'e' | 'c' | 'd' | 'w' {
  const entry = mapping.pages.load(index);
  if (entry === XA_NONE) return '.';
  if (!xaIsPage(entry)) return 'e';
  if (mapping.pages.getMark(index, PAGECACHE_TAG_WRITEBACK)) return 'w';
  return mapping.pages.getMark(index, PAGECACHE_TAG_DIRTY) ? 'd' : 'c';
}
