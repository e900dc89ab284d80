/**
 * Reading ahead: which pages of a file are read before anybody asks for them.
 *
 * Owns      FileRaState's window, PG_readahead on the page where the next window starts.
 * Promises  1. Pages enter the cache, and the LRU lists, in ascending order of their index, each locked until its read is done.
 *           2. Neighbours that were not cached are one request; a page that is cached already starts a new one.
 *           3. Allocation for readahead gives up early: __GFP_NORETRY, and no file system is entered (PF_MEMALLOC_NOFS).
 * Linux     6.1 mm/readahead.c: ondemand_readahead page_cache_ra_unbounded do_page_cache_ra force_page_cache_ra get_init_ra_size
 *           get_next_ra_size count_history_pages try_context_readahead page_cache_sync_ra page_cache_async_ra;
 *           6.18 mm/readahead.c: page_cache_sync_ra page_cache_async_ra (split); fs/ext4/readpage.c: ext4_mpage_readpages
 *
 * DIFFERS: every folio is one page. 6.18's ext4 reads ahead in large folios; a user sees no compound pages and may see
 *          neighbours of a window's end missing.
 *
 * The window of an open file:
 *
 *                  |<------ asyncSize ------>|
 *   |------------------- size -------------->|
 *   ^start         ^PG_readahead: whoever comes here starts the next window
 *
 * A sequential reader gets 4, 8, 16, 32, 32 … pages (read of one page, 128 KiB maximum); a random one just what it asks for.
 */
import { addPage, BIO_MAX_PAGES, beginRead, type IoRequest, isHole, submit } from './block.ts';
import { filemapAddFolio } from './filemap.ts';
import type { AddressSpace, File, FileRaState } from './fs.ts';
import { __GFP_COLD, __GFP_NORETRY, __GFP_NOWARN, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { allocPages, putPage } from './page_alloc.ts';
import { PG_locked, PG_readahead, PG_uptodate, PG_writeback } from './page_flags.ts';
import { PAGE_SIZE, type Pfn, type Pgoff, ZERO_TOKEN } from './units.ts';
import { xaIsPage, xaToPfn } from './xarray.ts';

/** force_page_cache_ra reads in units of 2 MiB. */
const FORCED_CHUNK = 512;

// the window's formulas

/** First window of a stream whose reader asks for `size` pages: the next power of two, times 4, 2 or the maximum. */
export function getInitRaSize(size: number, max: number): number {
  let pages = 1;
  while (pages < size) pages *= 2;
  if (pages <= Math.floor(max / 32)) return pages * 4;
  if (pages <= Math.floor(max / 4)) return pages * 2;
  return max;
}

/** The window behind one of `current` pages. */
export function getNextRaSize(current: number, max: number): number {
  if (current < Math.floor(max / 16)) return 4 * current;
  if (current <= Math.floor(max / 2)) return 2 * current;
  return max;
}

/** A request larger than the window may be read at once, up to what the device likes best. */
function maxPagesFor(mapping: AddressSpace, ra: FileRaState, requested: number): number {
  const ioPages = mapping.host.device?.ioPages ?? 0;
  return requested > ra.raPages && ioPages > ra.raPages ? Math.min(requested, ioPages) : ra.raPages;
}

// the two callers' entries

/** Page `index` is not cached, and `requested` pages from there are wanted. */
export function pageCacheSyncRa(machine: Machine, file: File, index: Pgoff, requested: number): void {
  const ra = file.ra;
  const { ondemandReadahead: other } = machine.generation;
  if (file.random || ra.raPages === 0) {
    forcePageCacheRa(machine, file.mapping, ra, index, ra.raPages === 0 ? 1 : requested);
  } else if (other !== undefined) {
    other(machine, file, index, requested, false);
  } else if (machine.generation.switches.execReadahead) {
    splitSyncRa(machine, file, index, requested);
  } else {
    ondemandReadahead(machine, file, index, requested, false);
  }
}

/** The page `pfn` at `index` is cached and carries PG_readahead. */
export function pageCacheAsyncRa(machine: Machine, file: File, pfn: Pfn, index: Pgoff, requested: number): void {
  if (file.ra.raPages === 0) return;
  // Under writeback the same bit means PG_reclaim.
  if (machine.frames.has(pfn, PG_writeback)) return;
  machine.frames.clear(pfn, PG_readahead);
  const { ondemandReadahead: other } = machine.generation;
  if (other !== undefined) other(machine, file, index, requested, true);
  else if (machine.generation.switches.execReadahead) splitAsyncRa(machine, file, index, requested);
  else ondemandReadahead(machine, file, index, requested, true);
}

// 6.1

function ondemandReadahead(machine: Machine, file: File, index: Pgoff, requested: number, hitMarker: boolean): void {
  const ra = file.ra;
  const pages = file.mapping.pages;
  const max = maxPagesFor(file.mapping, ra, requested);
  if (index === 0) {
    initialWindow(ra, index, requested, max, true);
  } else if (index === ra.start + ra.size - ra.asyncSize || index === ra.start + ra.size) {
    // Where a sequential reader is expected.
    ra.start += ra.size;
    ra.size = Math.max(ra.size, getNextRaSize(ra.size, max));
    ra.asyncSize = ra.size;
  } else if (hitMarker) {
    // A marker of some other stream on this file: its window ends at the next page that is missing.
    const start = pages.nextMiss(index + 1, max);
    if (start - index > max) return;
    ra.start = start;
    ra.size = getNextRaSize(start - index + requested, max);
    ra.asyncSize = ra.size;
  } else if (requested > max || isSequentialMiss(ra, index)) {
    initialWindow(ra, index, requested, max, true);
  } else if (!contextWindow(file.mapping, ra, index, requested, max)) {
    doPageCacheRa(machine, file.mapping, index, requested, 0);
    return;
  }
  // A window that starts with its own marker would be followed by the next one at once: both become one.
  if (index === ra.start && ra.size === ra.asyncSize) {
    const next = getNextRaSize(ra.size, max);
    if (ra.size + next <= max) {
      ra.asyncSize = next;
      ra.size += next;
    } else {
      ra.size = max;
      ra.asyncSize = Math.floor(max / 2);
    }
  }
  doPageCacheRa(machine, file.mapping, ra.start as Pgoff, ra.size, ra.asyncSize);
}

// 6.18

function splitSyncRa(machine: Machine, file: File, index: Pgoff, requested: number): void {
  const ra = file.ra;
  const max = maxPagesFor(file.mapping, ra, requested);
  if (index === 0 || requested > max || isSequentialMiss(ra, index)) {
    initialWindow(ra, index, requested, max, false);
  } else if (!contextWindow(file.mapping, ra, index, requested, max)) {
    doPageCacheRa(machine, file.mapping, index, requested, 0);
    return;
  }
  doPageCacheRa(machine, file.mapping, ra.start as Pgoff, ra.size, ra.asyncSize);
}

function splitAsyncRa(machine: Machine, file: File, index: Pgoff, requested: number): void {
  const ra = file.ra;
  const max = maxPagesFor(file.mapping, ra, requested);
  if (index === ra.start + ra.size - ra.asyncSize) {
    ra.start += ra.size;
    ra.size = Math.max(ra.size, getNextRaSize(ra.size, max));
  } else {
    const start = file.mapping.pages.nextMiss(index + 1, max);
    // SINCE 6.13: nothing missing within reach means no window; before, the last page looked at counted as missing.
    if (start - index > max || xaIsPage(file.mapping.pages.load(start))) return;
    ra.start = start;
    ra.size = getNextRaSize(start - index + requested, max);
  }
  ra.asyncSize = ra.size;
  doPageCacheRa(machine, file.mapping, ra.start as Pgoff, ra.size, ra.asyncSize);
}

// shared

function initialWindow(ra: FileRaState, index: number, requested: number, max: number, wholeAsync: boolean): void {
  ra.start = index;
  ra.size = getInitRaSize(requested, max);
  if (ra.size > requested) ra.asyncSize = ra.size - requested;
  else ra.asyncSize = wholeAsync ? ra.size : Math.floor(ra.size / 2);
}

/** The miss is on the page of the last read's end, or the one behind. Before the first read no page is. */
function isSequentialMiss(ra: FileRaState, index: number): boolean {
  if (ra.prevPos < 0) return false;
  const previous = Math.floor(ra.prevPos / PAGE_SIZE);
  return index === previous || index === previous + 1;
}

/** Pages cached right before `index` are what a sequential stream would have left. */
function contextWindow(mapping: AddressSpace, ra: FileRaState, index: number, requested: number, max: number): boolean {
  let history = index - 1 - mapping.pages.prevMiss(index - 1, max);
  if (history <= requested) return false;
  // Cached from the beginning of the file: a long run.
  if (history >= index) history *= 2;
  ra.start = index;
  ra.size = Math.min(history + requested, max);
  ra.asyncSize = 1;
  return true;
}

/** Read-around of a fault: the window that was set in `ra`. */
export function readWindow(machine: Machine, mapping: AddressSpace, ra: FileRaState): void {
  doPageCacheRa(machine, mapping, ra.start as Pgoff, ra.size, ra.asyncSize);
}

/** Reads `pages` pages without a window: FMODE_RANDOM, POSIX_FADV_WILLNEED, MADV_WILLNEED. */
export function forcePageCacheRa(
  machine: Machine,
  mapping: AddressSpace,
  ra: FileRaState,
  index: Pgoff,
  pages: number,
): void {
  let left = Math.min(pages, Math.max(mapping.host.device?.ioPages ?? 0, ra.raPages));
  let at = index as number;
  while (left > 0) {
    const chunk = Math.min(FORCED_CHUNK, left);
    doPageCacheRa(machine, mapping, at as Pgoff, chunk, 0);
    at += chunk;
    left -= chunk;
  }
}

/** Clips the window to the file. */
export function doPageCacheRa(
  machine: Machine,
  mapping: AddressSpace,
  index: Pgoff,
  pages: number,
  lookahead: number,
): void {
  const size = mapping.host.size;
  if (size === 0) return;
  const last = Math.floor((size - 1) / PAGE_SIZE);
  if (index > last) return;
  pageCacheRaUnbounded(machine, mapping, index, pages > last - index ? last - index + 1 : pages, lookahead);
}

function pageCacheRaUnbounded(
  machine: Machine,
  mapping: AddressSpace,
  index: Pgoff,
  pages: number,
  lookahead: number,
): void {
  const frames = machine.frames;
  const task = machine.current;
  const { coldReadahead, readaheadMayFail, readaheadStaysOutOfFs } = machine.generation.switches;
  const gfp: Gfp =
    mapping.gfpMask | (coldReadahead ? __GFP_COLD : 0) | (readaheadMayFail ? __GFP_NORETRY | __GFP_NOWARN : 0);
  const nofs = task.nofs;
  if (readaheadStaysOutOfFs) task.nofs = true;
  let batchStart = index as number;
  for (let i = 0; i < pages; i++) {
    const at = (index + i) as Pgoff;
    if (xaIsPage(mapping.pages.load(at))) {
      readPages(machine, mapping, batchStart, at);
      batchStart = at + 1;
      continue;
    }
    const pfn = allocPages(machine, gfp, 0);
    if (pfn < 0) {
      readPages(machine, mapping, batchStart, at);
      batchStart = at;
      break;
    }
    if (filemapAddFolio(machine, mapping, pfn, at, gfp) < 0) {
      putPage(machine, pfn);
      readPages(machine, mapping, batchStart, at);
      batchStart = at + 1;
      continue;
    }
    if (i === pages - lookahead) frames.set(pfn, PG_readahead);
    if (i === pages - 1) {
      readPages(machine, mapping, batchStart, at + 1);
      batchStart = at + 1;
    }
  }
  task.nofs = nofs;
}

/** Starts the read of the locked pages [start, end), which are all in the cache, and drops the references of their allocation. */
function readPages(machine: Machine, mapping: AddressSpace, start: number, end: number): void {
  let request: IoRequest | null = null;
  for (let at = start; at < end; at++) {
    const pfn = xaToPfn(mapping.pages.load(at));
    request = readPage(machine, mapping, at, pfn, request);
    putPage(machine, pfn);
  }
  if (request !== null) submit(machine, request);
}

/** Reads one locked page, without waiting (->read_folio). */
export function readFolio(machine: Machine, mapping: AddressSpace, pfn: Pfn): void {
  const request = readPage(machine, mapping, machine.frames.index(pfn), pfn, null);
  if (request !== null) submit(machine, request);
}

/** Adds the page to `request`, or starts another; a hole needs no I/O and ends the request. */
function readPage(
  machine: Machine,
  mapping: AddressSpace,
  index: number,
  pfn: Pfn,
  request: IoRequest | null,
): IoRequest | null {
  const frames = machine.frames;
  const inode = mapping.host;
  if (inode.device === null || isHole(inode, index)) {
    frames.setToken(pfn, ZERO_TOKEN);
    frames.set(pfn, PG_uptodate);
    frames.clear(pfn, PG_locked);
    if (request !== null) submit(machine, request);
    return null;
  }
  let into = request;
  if (into !== null && into.count === BIO_MAX_PAGES) {
    submit(machine, into);
    into = null;
  }
  if (into === null) into = beginRead(machine, inode.device);
  addPage(machine, into, pfn);
  return into;
}
