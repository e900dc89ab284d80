/**
 * Dirty pages, and how they get to the disk.
 *
 * Owns      PG_dirty and PG_writeback of file pages with their marks and counters; the list of dirty inodes. How many pages
 *           may be dirty and who writes them when is a part: generation.writeback (flusher.ts for 6.x).
 * Promises  1. NR_FILE_DIRTY and NR_WRITEBACK count pages that have the flag; zone.writePending counts both.
 *           2. A page marked DIRTY in its XArray has PG_dirty, or is just being written; one marked WRITEBACK has PG_writeback.
 *           3. An inode is on the flusher's list exactly while it may have dirty pages, oldest first.
 * Linux     6.1 mm/page-writeback.c: folio_account_dirtied __folio_mark_dirty folio_mark_dirty __folio_cancel_dirty
 *           folio_clear_dirty_for_io __folio_start_writeback tag_pages_for_writeback; fs/ext4/inode.c: ext4_writepages
 *           mpage_prepare_extent_to_map ext4_writepage; mm/filemap.c: filemap_fdatawait_range
 *
 * DIFFERS: no journal is written, and none is committed every five seconds.
 */
import { addPage, BIO_MAX_PAGES, beginWrite, type IoRequest, isHole, submit, waitOnPageWriteback } from './block.ts';
import { pageMapping, trylockPage, unlockPage } from './filemap.ts';
import { folioPages } from './folio.ts';
import type { AddressSpace, File, Inode } from './fs.ts';
import type { Machine } from './machine.ts';
import { memcgOfPage, modPageState } from './memcg.ts';
import { PG_dirty, PG_reclaim, PG_writeback } from './page_flags.ts';
import { PAGE_SIZE, type Pfn, type Pgoff, pagesOf } from './units.ts';
import { NR_DIRTIED, NR_FILE_DIRTY, NR_WRITEBACK } from './vmstat.ts';
import { PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_TOWRITE, PAGECACHE_TAG_WRITEBACK, type XaMark, xaToPfn } from './xarray.ts';

/** Limits in pages, and what counts against them. */
export interface DirtyLimits {
  thresh: number;
  bgThresh: number;
  /** Pages that may become dirty. */
  avail: number;
  dirty: number;
}

/** The flusher of the machine's disk. */
export class Writeback {
  /** Inodes with dirty pages, in the order in which they became dirty. */
  readonly dirtyInodes: Inode[] = [];
  /** When the flusher is due; Infinity while nothing is dirty. */
  wakeAt: number = Number.POSITIVE_INFINITY;
  /** Its event on the clock, perhaps for an earlier time than wakeAt; and whether another says "now". At most these two. */
  timerAt: number = Number.POSITIVE_INFINITY;
  wokenNow = false;
  lastOldFlush = 0;
  /** Reclaim wants everything written (WB_start_all). */
  startAll = false;
  /** Somebody dirtied beyond the limit. */
  dirtyExceeded = false;
  readonly global: DirtyLimits = { thresh: 0, bgThresh: 0, avail: 0, dirty: 0 };
  readonly memcg: DirtyLimits = { thresh: 0, bgThresh: 0, avail: 0, dirty: 0 };
  /** Number of the journal's transaction, and the pages that go to the disk before it is committed (data=ordered). */
  transaction = 1;
  readonly ordered: { readonly inode: Inode; readonly page: Pgoff }[] = [];
}

/** Its pages are written back: everything but tmpfs. */
function canWriteback(mapping: AddressSpace | null): mapping is AddressSpace {
  return mapping !== null && mapping.host.kind !== 'tmpfs';
}

// dirty

/** True if it was clean. */
export function folioMarkDirty(machine: Machine, pfn: Pfn): boolean {
  // A page that is written again is not one to free as soon as the write has ended. Nor does it begin a readahead, as the bit is one.
  if (pageMapping(machine, pfn) !== null) machine.frames.clear(pfn, PG_reclaim);
  machine.pageHooks?.onSetPageDirty(pfn);
  return markDirty(machine, pfn);
}

/** A call wrote into the page's buffers: what PG_reclaim says stays. True if it was clean. */
export function markBufferDirty(machine: Machine, pfn: Pfn): boolean {
  machine.pageHooks?.onMarkBufferDirty(pfn);
  const wasClean = markDirty(machine, pfn);
  machine.generation.writeback.bufferDirtied?.(machine, pfn);
  return wasClean;
}

function markDirty(machine: Machine, pfn: Pfn): boolean {
  const frames = machine.frames;
  const mapping = pageMapping(machine, pfn);
  if (frames.testAndSet(pfn, PG_dirty)) return false;
  if (!canWriteback(mapping)) return true;
  mapping.pages.setMark(frames.index(pfn), PAGECACHE_TAG_DIRTY);
  modPageState(machine, pfn, NR_FILE_DIRTY, 1);
  const zone = machine.zones[frames.zoneIndex(pfn)]!;
  zone.writePending += 1;
  zone.pgdat.stat[NR_DIRTIED]! += 1;
  machine.current.nrDirtied += 1;
  markInodeDirty(machine, mapping.host, pfn);
  return true;
}

function markInodeDirty(machine: Machine, inode: Inode, pfn: Pfn): void {
  if (inode.dirty) return;
  inode.dirty = true;
  inode.dirtiedWhenNs = machine.clock.now;
  inode.dirtyMemcg = machine.rootMemcg.v1 ? machine.rootMemcg : memcgOfPage(machine, pfn);
  machine.writeback.dirtyInodes.push(inode);
  machine.generation.writeback.startFlusher(machine);
}

function accountCleaned(machine: Machine, pfn: Pfn): void {
  modPageState(machine, pfn, NR_FILE_DIRTY, -1);
  machine.zones[machine.frames.zoneIndex(pfn)]!.writePending -= 1;
  machine.generation.writeback.cleaned?.(machine, pfn);
}

/** The page is truncated: what was written to it does not matter. */
export function cancelDirtyPage(machine: Machine, pfn: Pfn): void {
  if (machine.frames.testAndClear(pfn, PG_dirty) && canWriteback(pageMapping(machine, pfn)))
    accountCleaned(machine, pfn);
}

/** Before a page is written: clean, and every mapping will notice the next store. False if it was clean. */
export function clearPageDirtyForIo(machine: Machine, pfn: Pfn): boolean {
  const mapping = pageMapping(machine, pfn);
  if (!canWriteback(mapping)) return machine.frames.testAndClear(pfn, PG_dirty);
  // What was stored through a mapping is known only to its entry until now.
  if (machine.rmap.pageMkclean(pfn) > 0) folioMarkDirty(machine, pfn);
  if (!machine.frames.testAndClear(pfn, PG_dirty)) return false;
  accountCleaned(machine, pfn);
  return true;
}

// writeback

export function setPageWriteback(machine: Machine, pfn: Pfn): void {
  const frames = machine.frames;
  if (frames.testAndSet(pfn, PG_writeback)) return;
  machine.pageHooks?.onStartWrite(pfn);
  const mapping = pageMapping(machine, pfn);
  if (canWriteback(mapping)) {
    const index = frames.index(pfn);
    mapping.pages.setMark(index, PAGECACHE_TAG_WRITEBACK);
    if (!frames.has(pfn, PG_dirty)) mapping.pages.clearMark(index, PAGECACHE_TAG_DIRTY);
    mapping.pages.clearMark(index, PAGECACHE_TAG_TOWRITE);
  }
  const pages = folioPages(machine, pfn);
  modPageState(machine, pfn, NR_WRITEBACK, pages);
  machine.zones[frames.zoneIndex(pfn)]!.writePending += pages;
}

/**
 * Reclaim writes one page, which it cleaned with clearPageDirtyForIo; the page stays locked. A page without a block stays
 * dirty: blocks are not allocated from within reclaim. Never false on ext4: the page is not to be activated for it.
 */
export function writepage(machine: Machine, pfn: Pfn): boolean {
  const mapping = pageMapping(machine, pfn);
  if (!canWriteback(mapping)) return false;
  const inode = mapping.host;
  if (!machine.generation.switches.reclaimAllocatesBlocks && isHole(inode, machine.frames.index(pfn))) {
    redirty(machine, mapping, pfn);
    return true;
  }
  startWriting(machine, inode, pfn);
  return true;
}

/** Sends a locked page that was just cleaned to the disk, alone. */
export function startWriting(machine: Machine, inode: Inode, pfn: Pfn): void {
  cutAtEnd(machine, inode, pfn);
  setPageWriteback(machine, pfn);
  const request = beginWrite(machine, inode.device!);
  addPage(machine, request, pfn);
  submit(machine, request);
}

/** What was stored behind the end of the file, through a mapping, does not reach the disk, and is gone from the page as well. */
export function cutAtEnd(machine: Machine, inode: Inode, pfn: Pfn): void {
  const { frames, contents } = machine;
  const end = inode.size - frames.index(pfn) * PAGE_SIZE;
  if (end < PAGE_SIZE) frames.setToken(pfn, contents.cutAt(machine, frames.token(pfn), end));
}

/** It was cleaned and could not be written; that it was dirtied again is not counted in NR_DIRTIED. */
function redirty(machine: Machine, mapping: AddressSpace, pfn: Pfn): void {
  machine.frames.set(pfn, PG_dirty);
  machine.pageHooks?.onSetPageDirty(pfn);
  mapping.pages.setMark(machine.frames.index(pfn), PAGECACHE_TAG_DIRTY);
  modPageState(machine, pfn, NR_FILE_DIRTY, 1);
  machine.zones[machine.frames.zoneIndex(pfn)]!.writePending += 1;
  markInodeDirty(machine, mapping.host, pfn);
}

/** Writes up to `limit` dirty pages of [from, to]; with `sync` waits for those under writeback. How many were started. */
export function writePages(
  machine: Machine,
  mapping: AddressSpace,
  from: Pgoff,
  to: number,
  limit: number,
  sync: boolean,
): number {
  const mark: XaMark = sync ? PAGECACHE_TAG_TOWRITE : PAGECACHE_TAG_DIRTY;
  if (sync) tagPagesForWriteback(mapping, from, to);
  const frames = machine.frames;
  const last = pagesOf(mapping.host.size) - 1;
  let request: IoRequest | null = null;
  let expected = -1;
  let written = 0;
  for (let at = mapping.pages.findMarked(from, to, mark); at >= 0; at = mapping.pages.findMarked(at + 1, to, mark)) {
    if (written >= limit || at > last) break;
    const pfn = xaToPfn(mapping.pages.load(at));
    if (frames.has(pfn, PG_writeback)) {
      if (!sync) continue;
      if (request !== null) submit(machine, request);
      request = null;
      waitOnPageWriteback(machine, pfn);
    }
    // Whoever holds the lock now is interrupted by us; his page is written the next time.
    if (!trylockPage(machine, pfn)) continue;
    if (clearPageDirtyForIo(machine, pfn)) {
      if (isHole(mapping.host, at)) journalInode(machine, mapping.host);
      cutAtEnd(machine, mapping.host, pfn);
      setPageWriteback(machine, pfn);
      if (request !== null && (at !== expected || request.count === BIO_MAX_PAGES)) {
        submit(machine, request);
        request = null;
      }
      if (request === null) request = beginWrite(machine, mapping.host.device!);
      addPage(machine, request, pfn);
      expected = at + 1;
      written += 1;
    } else {
      mapping.pages.clearMark(at, PAGECACHE_TAG_DIRTY);
      mapping.pages.clearMark(at, PAGECACHE_TAG_TOWRITE);
    }
    unlockPage(machine, pfn);
  }
  if (request !== null) submit(machine, request);
  if (!sync) mapping.writebackIndex = expected < 0 ? 0 : expected;
  return written;
}

/** What is dirty now is to be written; what becomes dirty while we write is not, or sync would never end. */
function tagPagesForWriteback(mapping: AddressSpace, from: number, to: number): void {
  const pages = mapping.pages;
  for (
    let at = pages.findMarked(from, to, PAGECACHE_TAG_DIRTY);
    at >= 0;
    at = pages.findMarked(at + 1, to, PAGECACHE_TAG_DIRTY)
  ) {
    pages.setMark(at, PAGECACHE_TAG_TOWRITE);
  }
}

/** Waits for every page of [from, to] under writeback. */
export function waitOnRange(machine: Machine, mapping: AddressSpace, from: Pgoff, to: number): void {
  const pages = mapping.pages;
  for (
    let at = pages.findMarked(from, to, PAGECACHE_TAG_WRITEBACK);
    at >= 0;
    at = pages.findMarked(at + 1, to, PAGECACHE_TAG_WRITEBACK)
  ) {
    waitOnPageWriteback(machine, xaToPfn(pages.load(at)));
  }
}

/**
 * fsync; with `dataOnly` fdatasync and msync(MS_SYNC): bytes [from, to] are on the device when this returns, and what the
 * journal says of the file, which for dates alone is not worth a commit. 0.
 */
export function vfsFsync(machine: Machine, file: File, from: number, to: number, dataOnly: boolean): number {
  if (!canWriteback(file.mapping)) return 0;
  machine.pageHooks?.fsync(file.mapping);
  const first = Math.floor(from / PAGE_SIZE) as Pgoff;
  const last = to === Number.POSITIVE_INFINITY ? Number.MAX_SAFE_INTEGER : Math.floor(to / PAGE_SIZE);
  writePages(machine, file.mapping, first, last, Number.POSITIVE_INFINITY, true);
  waitOnRange(machine, file.mapping, first, last);
  if (!dataOnly || file.inode.transaction === machine.writeback.transaction) commitJournal(machine);
  return 0;
}

// the journal

/** Size or blocks of a file changed. */
export function journalInode(machine: Machine, inode: Inode): void {
  inode.transaction = machine.writeback.transaction;
}

/** Part of a block was zeroed: after a crash nobody may find what was there. */
export function journalOrderedPage(machine: Machine, inode: Inode, page: Pgoff): void {
  if (machine.config.disk?.journal === false) return;
  machine.writeback.ordered.push({ inode, page });
}

/** Whoever waits for one file waits for the ordered pages of all. */
function commitJournal(machine: Machine): void {
  const { writeback } = machine;
  writeback.transaction += 1;
  for (const { inode, page } of writeback.ordered.splice(0)) {
    writePages(machine, inode.mapping, page, page, Number.POSITIVE_INFINITY, true);
    waitOnRange(machine, inode.mapping, page, page);
  }
}
/** Nothing of the inode is dirty any more, or it goes away. */
export function forgetInode(machine: Machine, inode: Inode): void {
  if (!inode.dirty) return;
  const inodes = machine.writeback.dirtyInodes;
  inodes.splice(inodes.indexOf(inode), 1);
  inode.dirty = false;
  inode.dirtyMemcg = null;
}
