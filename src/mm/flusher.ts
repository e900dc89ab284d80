/**
 * Dirty limits and the flusher of 6.x: who is held back, and when a dirty page is written.
 *
 *   dirty + being written    0 ─────── free run ────── settles here ────── thresh      free run: half way from bgThresh to thresh
 *   a task that dirties        goes on    │   waits, 200 ms at most    │  waits
 *
 *   The flusher comes every five seconds for what is older than thirty, and at once when more than bgThresh is dirty.
 *
 * Owns      both limits of the machine and of each cgroup (v2), and the flusher's turns on the clock.
 * Promises  1. While anything is dirty the flusher has a turn to come, if vm.dirty_writeback_centisecs is not 0.
 *           2. A task waits only while something is under way that will end its wait.
 * Linux     6.18 mm/page-writeback.c: balance_dirty_pages domain_dirty_limits dirty_poll_interval; fs/fs-writeback.c:
 *           wb_workfn wb_do_writeback wb_check_old_data_flush wb_check_background_flush writeback_chunk_size wakeup_flusher_threads
 * Before    flusher_3.ts, flusher_2_6.ts, bdflush.ts
 */
import { EVENT_FLUSHER } from './clock.ts';
import type { Inode } from './fs.ts';
import type { Machine } from './machine.ts';
import type { MemCgroup } from './memcg.ts';
import { nrFreePages, totalreservePages } from './page_alloc.ts';
import type { WritebackPart } from './parts.ts';
import type { Task } from './task.ts';
import { PAGE_SIZE, type Pgoff } from './units.ts';
import { NR_ACTIVE_FILE, NR_FILE_DIRTY, NR_INACTIVE_FILE, NR_WRITEBACK } from './vmstat.ts';
import { type DirtyLimits, forgetInode, writePages } from './writeback.ts';
import { PAGECACHE_TAG_DIRTY } from './xarray.ts';

const NS_PER_CENTISEC = 10_000_000;
/** The longest that balance_dirty_pages lets a task sleep at once, 200 ms. */
const MAX_PAUSE_NS = 200_000_000;
/** A task looks again after so many pages while the limits are exceeded (32 KiB). */
const EXCEEDED_PAUSE = 8;
const MIN_WRITEBACK_PAGES = 1024;
/** Half a second at the bandwidth that the kernel assumes at first, 100 MB/s. */
const HALF_SECOND_PAGES = 12800;

export const flusher_6: WritebackPart = { balanceDirtyPages, startFlusher, wakeupFlusher, runFlusher };

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

export function freerun(limits: DirtyLimits): number {
  return Math.floor((limits.thresh + limits.bgThresh) / 2);
}

export function pollInterval(limits: DirtyLimits): number {
  if (limits.thresh <= limits.dirty) return 1;
  return 2 ** Math.floor(Math.floor(Math.log2(limits.thresh - limits.dirty)) / 2);
}

/** After a task dirtied a page: now and then it looks at the limits, and waits if it is above them. */
function balanceDirtyPages(machine: Machine): void {
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

export function nrDirty(machine: Machine): number {
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
function startFlusher(machine: Machine): void {
  const { writeback, clock, sysctl } = machine;
  const interval = sysctl.dirtyWritebackCentisecs * NS_PER_CENTISEC;
  if (writeback.dirtyInodes.length === 0 || interval === 0) return;
  writeback.wakeAt = Math.min(writeback.wakeAt, clock.now + interval);
  if (writeback.timerAt !== Number.POSITIVE_INFINITY) return;
  writeback.timerAt = writeback.wakeAt;
  clock.schedule(writeback.timerAt, EVENT_FLUSHER, 0, 0);
}

/** Reclaim meets too many dirty pages: everything dirty is to be written, as soon as the flusher can run. */
function wakeupFlusher(machine: Machine): void {
  machine.writeback.startAll = machine.writeback.dirtyInodes.length > 0;
  wakeFlusherNow(machine);
}

export function wakeFlusherNow(machine: Machine): void {
  const { writeback, clock } = machine;
  if (writeback.dirtyInodes.length === 0 || writeback.wokenNow) return;
  writeback.wokenNow = true;
  clock.schedule(clock.now, EVENT_FLUSHER, 0, 0);
}

/** The flusher's turn on the clock. */
function runFlusher(machine: Machine): void {
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
  if (machine.trace.on) machine.trace.emit(clock.now, 'flusher_begin');
  let pages = 0;
  if (writeback.startAll) {
    writeback.startAll = false;
    pages += writeInodes(machine, clock.now, Number.POSITIVE_INFINITY, false);
  }
  const interval = sysctl.dirtyWritebackCentisecs * NS_PER_CENTISEC;
  if (interval > 0 && clock.now - writeback.lastOldFlush >= interval) {
    writeback.lastOldFlush = clock.now;
    const expired = clock.now - sysctl.dirtyExpireCentisecs * NS_PER_CENTISEC;
    pages += writeInodes(machine, expired, Number.POSITIVE_INFINITY, false);
  }
  pages += writeInodes(machine, clock.now, chunkSize(machine), true);
  if (machine.trace.on) machine.trace.emit(clock.now, 'flusher_end', pages);
  machine.current = task;
  startFlusher(machine);
}

/** Pages of one inode that are written before the next has its turn. */
function chunkSize(machine: Machine): number {
  const pages = Math.min(HALF_SECOND_PAGES, Math.floor(dirtyLimits(machine).thresh / 8));
  return Math.floor((pages + MIN_WRITEBACK_PAGES) / MIN_WRITEBACK_PAGES) * MIN_WRITEBACK_PAGES;
}

/** Writes inodes dirty since `dirtiedBefore` or longer, oldest first, in the background only while over the limit; how many pages. */
function writeInodes(machine: Machine, dirtiedBefore: number, chunk: number, background: boolean): number {
  const inodes = machine.writeback.dirtyInodes;
  let pages = 0;
  let i = 0;
  while (i < inodes.length) {
    const inode = inodes[i]!;
    if (inode.dirtiedWhenNs > dirtiedBefore) return pages;
    // The next one may belong to a cgroup that is over its own limit.
    const written = background && !overBackground(machine, inode) ? 0 : writeInode(machine, inode, chunk);
    if (!inode.mapping.pages.marked(PAGECACHE_TAG_DIRTY)) forgetInode(machine, inode);
    else if (!background || written === 0) i += 1;
    pages += written;
  }
  return pages;
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
