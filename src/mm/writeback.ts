/**
 * Dirty pages: who is dirty, how many may be, and how they get to the disk.
 *
 * Owns      PG_dirty and PG_writeback of file pages with their marks and counters; the dirty limits; the flusher.
 * Promises  1. NR_FILE_DIRTY and NR_WRITEBACK count pages that have the flag; zone.writePending counts both.
 *           2. A page marked DIRTY in its XArray has PG_dirty, or is just being written; one marked WRITEBACK has PG_writeback.
 *           3. An inode is on the flusher's list exactly while it may have dirty pages, oldest first.
 *           4. Whoever dirties more than half way between the two limits waits for the disk.
 * Linux     6.1 mm/page-writeback.c: folio_account_dirtied __folio_mark_dirty folio_mark_dirty __folio_cancel_dirty
 *           folio_clear_dirty_for_io __folio_start_writeback tag_pages_for_writeback global_dirtyable_memory domain_dirty_limits
 *           mdtc_calc_avail dirty_poll_interval balance_dirty_pages balance_dirty_pages_ratelimited wb_over_bg_thresh;
 *           mm/memcontrol.c: mem_cgroup_wb_stats; fs/fs-writeback.c: wb_wakeup_delayed wb_workfn wb_check_start_all
 *           wb_check_old_data_flush wb_check_background_flush writeback_chunk_size wakeup_flusher_threads;
 *           fs/ext4/inode.c: ext4_writepages mpage_prepare_extent_to_map ext4_writepage; mm/filemap.c: filemap_fdatawait_range
 *
 * DIFFERS: no rate control (pos_ratio, bandwidth estimates): a task above the limits sleeps until writes are done. A user
 *          sees other pauses; the number of dirty pages settles at the same point. No journal is written, and none
 *          is committed every five seconds.
 */
import { addPage, BIO_MAX_PAGES, beginWrite, type IoRequest, isHole, submit, waitOnPageWriteback } from './block.ts';
import { EVENT_FLUSHER } from './clock.ts';
import { pageMapping, trylockPage, unlockPage } from './filemap.ts';
import { folioPages } from './folio.ts';
import type { AddressSpace, File, Inode } from './fs.ts';
import type { Machine } from './machine.ts';
import { type MemCgroup, memcgOfPage, modPageState } from './memcg.ts';
import { nrFreePages, totalreservePages } from './page_alloc.ts';
import { PG_dirty, PG_reclaim, PG_writeback } from './page_flags.ts';
import type { Task } from './task.ts';
import { PAGE_SIZE, type Pfn, type Pgoff, pagesOf } from './units.ts';
import { NR_ACTIVE_FILE, NR_DIRTIED, NR_FILE_DIRTY, NR_INACTIVE_FILE, NR_WRITEBACK } from './vmstat.ts';
import { PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_TOWRITE, PAGECACHE_TAG_WRITEBACK, type XaMark, xaToPfn } from './xarray.ts';

const NS_PER_CENTISEC = 10_000_000;
/** The longest that balance_dirty_pages lets a task sleep at once, 200 ms. */
const MAX_PAUSE_NS = 200_000_000;
/** A task looks again after so many pages while the limits are exceeded (32 KiB). */
const EXCEEDED_PAUSE = 8;
const MIN_WRITEBACK_PAGES = 1024;
/** Half a second at the bandwidth that the kernel assumes at first, 100 MB/s. */
const HALF_SECOND_PAGES = 12800;

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
  return markBufferDirty(machine, pfn);
}

/** A call wrote into the page's buffers: what PG_reclaim says stays. True if it was clean. */
export function markBufferDirty(machine: Machine, pfn: Pfn): boolean {
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
  startFlusher(machine);
}

function accountCleaned(machine: Machine, pfn: Pfn): void {
  modPageState(machine, pfn, NR_FILE_DIRTY, -1);
  machine.zones[machine.frames.zoneIndex(pfn)]!.writePending -= 1;
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
  if (isHole(inode, machine.frames.index(pfn))) {
    redirty(machine, mapping, pfn);
    return true;
  }
  cutAtEnd(machine, inode, pfn);
  setPageWriteback(machine, pfn);
  const request = beginWrite(machine, inode.device!);
  addPage(machine, request, pfn);
  submit(machine, request);
  return true;
}

/** What was stored behind the end of the file, through a mapping, does not reach the disk, and is gone from the page as well. */
function cutAtEnd(machine: Machine, inode: Inode, pfn: Pfn): void {
  const { frames, contents } = machine;
  const end = inode.size - frames.index(pfn) * PAGE_SIZE;
  if (end < PAGE_SIZE) frames.setToken(pfn, contents.cutAt(machine, frames.token(pfn), end));
}

/** It was cleaned and could not be written; that it was dirtied again is not counted in NR_DIRTIED. */
function redirty(machine: Machine, mapping: AddressSpace, pfn: Pfn): void {
  machine.frames.set(pfn, PG_dirty);
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

// limits

/** The limits of the whole machine. The object is used again by the next call. */
export function dirtyLimits(machine: Machine): DirtyLimits {
  const limits = machine.writeback.global;
  const free = nrFreePages(machine);
  let avail = free - Math.min(free, totalreservePages(machine)) + 1;
  let dirty = 0;
  for (const pgdat of machine.nodes) {
    avail += pgdat.stat[NR_INACTIVE_FILE]! + pgdat.stat[NR_ACTIVE_FILE]!;
    dirty += pgdat.stat[NR_FILE_DIRTY]! + pgdat.stat[NR_WRITEBACK]!;
  }
  limits.avail = avail;
  limits.dirty = dirty;
  setThresholds(machine, limits);
  return limits;
}

/** The limits of one cgroup (v2): a share of its own file pages and of what it may still get. */
function memcgDirtyLimits(machine: Machine, memcg: MemCgroup, global: DirtyLimits): DirtyLimits {
  const limits = machine.writeback.memcg;
  let filePages = 0;
  let dirty = 0;
  for (const pgdat of machine.nodes) {
    const stat = memcg.lruvecs[pgdat.nid]!.stat;
    filePages += stat[NR_INACTIVE_FILE]! + stat[NR_ACTIVE_FILE]!;
    dirty += stat[NR_FILE_DIRTY]! + stat[NR_WRITEBACK]!;
  }
  let headroom = Number.POSITIVE_INFINITY;
  for (let c: MemCgroup = memcg; c.parent !== null; c = c.parent) {
    headroom = Math.min(headroom, Math.max(0, Math.min(c.memory.max, c.high) - c.memory.usage));
  }
  const clean = Math.max(0, filePages - dirty);
  const globalClean = Math.max(0, global.avail - global.dirty);
  limits.avail = filePages + Math.min(headroom, Math.max(0, globalClean - clean));
  limits.dirty = dirty;
  setThresholds(machine, limits);
  return limits;
}

function setThresholds(machine: Machine, limits: DirtyLimits): void {
  const { dirtyRatio, dirtyBackgroundRatio } = machine.sysctl;
  limits.thresh = share(limits.avail, dirtyRatio);
  limits.bgThresh = share(limits.avail, dirtyBackgroundRatio);
  if (limits.bgThresh >= limits.thresh) limits.bgThresh = Math.floor(limits.thresh / 2);
}

/** The kernel counts the ratio in 4096ths. */
function share(avail: number, percent: number): number {
  return Math.floor((Math.floor((percent * PAGE_SIZE) / 100) * avail) / PAGE_SIZE);
}

function freerun(limits: DirtyLimits): number {
  return Math.floor((limits.thresh + limits.bgThresh) / 2);
}

function pollInterval(limits: DirtyLimits): number {
  if (limits.thresh <= limits.dirty) return 1;
  return 2 ** Math.floor(Math.floor(Math.log2(limits.thresh - limits.dirty)) / 2);
}

/** After a task dirtied a page: now and then it looks at the limits, and waits if it is above them. */
export function balanceDirtyPages(machine: Machine): void {
  const task = machine.current;
  const pause = machine.writeback.dirtyExceeded ? Math.min(task.nrDirtiedPause, EXCEEDED_PAUSE) : task.nrDirtiedPause;
  if (task.nrDirtied >= pause) throttle(machine, task);
}

function throttle(machine: Machine, task: Task): void {
  const { writeback, clock } = machine;
  const memcg = task.memcg;
  const ownDomain = !memcg.v1 && memcg.parent !== null;
  const until = clock.now + MAX_PAUSE_NS;
  for (;;) {
    const global = dirtyLimits(machine);
    const own = ownDomain ? memcgDirtyLimits(machine, memcg, global) : null;
    const free = global.dirty <= freerun(global) && (own === null || own.dirty <= freerun(own));
    const backlog = nrDirty(machine) > global.bgThresh || (own !== null && memcgDirty(memcg) > own.bgThresh);
    if (backlog && (!free || !machine.sysctl.laptopMode)) wakeFlusherNow(machine);
    if (free) {
      task.nrDirtiedPause = Math.min(pollInterval(global), own === null ? Number.POSITIVE_INFINITY : pollInterval(own));
      writeback.dirtyExceeded = false;
      break;
    }
    const exceeded = global.dirty > global.thresh || (own !== null && own.dirty > own.thresh);
    writeback.dirtyExceeded = exceeded;
    const settled = belowSetpoint(global) && (own === null || belowSetpoint(own));
    // Without a request under way or about to be made, waiting would not help.
    const stuck = machine.io.pending === 0 && !writeback.wokenNow;
    if (settled || stuck || task.killed || (!exceeded && clock.now >= until)) {
      task.nrDirtiedPause = EXCEEDED_PAUSE;
      break;
    }
    machine.runUntil(clock.nextAt);
  }
  task.nrDirtied = 0;
}

/** The rate control lets dirty pages settle half way between the free run and the limit. */
function belowSetpoint(limits: DirtyLimits): boolean {
  return limits.dirty <= Math.floor((freerun(limits) + limits.thresh) / 2);
}

function nrDirty(machine: Machine): number {
  let pages = 0;
  for (const pgdat of machine.nodes) pages += pgdat.stat[NR_FILE_DIRTY]!;
  return pages;
}

function memcgDirty(memcg: MemCgroup): number {
  let pages = 0;
  for (const lruvec of memcg.lruvecs) pages += lruvec.stat[NR_FILE_DIRTY]!;
  return pages;
}

// the flusher

/** Sees to it that the flusher comes in five seconds at the latest, if anything is dirty. */
export function startFlusher(machine: Machine): void {
  const { writeback, clock, sysctl } = machine;
  const interval = sysctl.dirtyWritebackCentisecs * NS_PER_CENTISEC;
  if (writeback.dirtyInodes.length === 0 || interval === 0) return;
  writeback.wakeAt = Math.min(writeback.wakeAt, clock.now + interval);
  if (writeback.timerAt !== Number.POSITIVE_INFINITY) return;
  writeback.timerAt = writeback.wakeAt;
  clock.schedule(writeback.timerAt, EVENT_FLUSHER, 0, 0);
}

/** Reclaim meets too many dirty pages: everything dirty is to be written, as soon as the flusher can run. */
export function wakeupFlusher(machine: Machine): void {
  machine.writeback.startAll = machine.writeback.dirtyInodes.length > 0;
  wakeFlusherNow(machine);
}

function wakeFlusherNow(machine: Machine): void {
  const { writeback, clock } = machine;
  if (writeback.dirtyInodes.length === 0 || writeback.wokenNow) return;
  writeback.wokenNow = true;
  clock.schedule(clock.now, EVENT_FLUSHER, 0, 0);
}

/** The flusher's turn on the clock. */
export function runFlusher(machine: Machine): void {
  const { writeback, clock, sysctl } = machine;
  if (writeback.timerAt <= clock.now) writeback.timerAt = Number.POSITIVE_INFINITY;
  if (!writeback.wokenNow && clock.now < writeback.wakeAt) {
    // It ran meanwhile, and its time was put off.
    startFlusher(machine);
    return;
  }
  writeback.wokenNow = false;
  writeback.wakeAt = Number.POSITIVE_INFINITY;
  const task = machine.current;
  machine.current = machine.idle;
  if (writeback.startAll) {
    writeback.startAll = false;
    writeInodes(machine, clock.now, Number.POSITIVE_INFINITY, false);
  }
  const interval = sysctl.dirtyWritebackCentisecs * NS_PER_CENTISEC;
  if (interval > 0 && clock.now - writeback.lastOldFlush >= interval) {
    writeback.lastOldFlush = clock.now;
    writeInodes(machine, clock.now - sysctl.dirtyExpireCentisecs * NS_PER_CENTISEC, Number.POSITIVE_INFINITY, false);
  }
  writeInodes(machine, clock.now, chunkSize(machine), true);
  machine.current = task;
  startFlusher(machine);
}

/** Pages of one inode that are written before the next has its turn. */
function chunkSize(machine: Machine): number {
  const pages = Math.min(HALF_SECOND_PAGES, Math.floor(dirtyLimits(machine).thresh / 8));
  return Math.floor((pages + MIN_WRITEBACK_PAGES) / MIN_WRITEBACK_PAGES) * MIN_WRITEBACK_PAGES;
}

/** Writes inodes that have been dirty since `dirtiedBefore` or longer, oldest first; in the background only while over the limit. */
function writeInodes(machine: Machine, dirtiedBefore: number, chunk: number, background: boolean): void {
  const inodes = machine.writeback.dirtyInodes;
  let i = 0;
  while (i < inodes.length) {
    const inode = inodes[i]!;
    if (inode.dirtiedWhenNs > dirtiedBefore) return;
    // The next one may belong to a cgroup that is over its own limit.
    const written = background && !overBackground(machine, inode) ? 0 : writeInode(machine, inode, chunk);
    if (!inode.mapping.pages.marked(PAGECACHE_TAG_DIRTY)) forgetInode(machine, inode);
    else if (!background || written === 0) i += 1;
  }
}

/** How many pages were started. */
function writeInode(machine: Machine, inode: Inode, chunk: number): number {
  const mapping = inode.mapping;
  const start = mapping.writebackIndex as Pgoff;
  let written = writePages(machine, mapping, start, Number.MAX_SAFE_INTEGER, chunk, false);
  if (written < chunk && start > 0)
    written += writePages(machine, mapping, 0 as Pgoff, start - 1, chunk - written, false);
  return written;
}

function overBackground(machine: Machine, inode: Inode): boolean {
  const global = dirtyLimits(machine);
  if (nrDirty(machine) > global.bgThresh) return true;
  const memcg = inode.dirtyMemcg;
  if (memcg === null || memcg.v1 || memcg.parent === null) return false;
  return memcgDirty(memcg) > memcgDirtyLimits(machine, memcg, global).bgThresh;
}

/** Nothing of the inode is dirty any more, or it goes away. */
export function forgetInode(machine: Machine, inode: Inode): void {
  if (!inode.dirty) return;
  const inodes = machine.writeback.dirtyInodes;
  inodes.splice(inodes.indexOf(inode), 1);
  inode.dirty = false;
  inode.dirtyMemcg = null;
}
