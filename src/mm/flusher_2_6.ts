/**
 * Dirty pages in 2.6: how many may be, and pdflush, who writes them.
 *
 *   dirtyable memory = free + active + inactive, less high memory
 *
 *      5 %  background   pdflush begins to write, 1024 pages at a time, until less is dirty
 *     7.5 % half way     below it nobody who dirties is held up
 *     10 %  dirty        who dirties writes himself: one and a half times the pages after which he looks (48, or up to 1536)
 *
 *   Good at: nothing to estimate. Bad at: who dirties a little waits for who dirties a lot, so the limit of each device is its share
 *   of what was written lately, and a task's own part of what was dirtied takes up to an eighth of that away from it.
 *
 * Owns      the limits; the threads of pdflush and what they do (Pdflush); when inodes are written.
 * Promises  1. Between 2 and 8 threads exist; one that is busy is not given other work, and work that finds none is dropped.
 *           2. An inode is written at most once in 5 s because of its age, and no later than 35 s after it was dirtied.
 * Linux     2.6.24 mm/page-writeback.c: get_dirty_limits clip_bdi_dirty_limit task_dirty_limit determine_dirtyable_memory
 *           balance_dirty_pages balance_dirty_pages_ratelimited_nr throttle_vm_writeout background_writeout wakeup_pdflush
 *           wb_kupdate writeback_set_ratelimit; mm/pdflush.c: pdflush_operation __pdflush; fs/fs-writeback.c: writeback_inodes
 * Before    2.4 had bdflush and kupdated, and lists of buffers
 *
 * DIFFERS: a device's share and a task's are of all pages ever written and dirtied, in Linux of the last period; with one disk the
 *          share is all. Who waits for the disk does so for the same number of pages.
 */
import { bdiWriteCongested, congestionWait } from './backing_dev.ts';
import { EVENT_FLUSHER } from './clock.ts';
import type { Inode } from './fs.ts';
import { __GFP_FS, __GFP_IO, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { nrFreePages } from './page_alloc.ts';
import type { Daemon, WritebackPart } from './parts.ts';
import { state_2_6 } from './state_2_6.ts';
import type { Task } from './task.ts';
import type { Pgoff } from './units.ts';
import { NR_ACTIVE_ANON, NR_FILE_DIRTY, NR_INACTIVE_ANON, NR_WRITEBACK } from './vmstat.ts';
import { type DirtyLimits, forgetInode, writePages } from './writeback.ts';
import { PAGECACHE_TAG_DIRTY } from './xarray.ts';
import { ZONE_HIGHMEM } from './zone.ts';
import { physical_2_6 } from './zone_2_6.ts';

const NS_PER_CENTISEC = 10_000_000;
const SECOND_NS = 1_000_000_000;
/** HZ/10. */
const NAP_NS = 100_000_000;
const MAX_WRITEBACK_PAGES = 1024;
const MIN_PDFLUSH_THREADS = 2;
const MAX_PDFLUSH_THREADS = 8;
const RATELIMIT_LEAST = 16;
const RATELIMIT_MOST = 1024;
/** While the device is over its limit. */
const RATELIMIT_EXCEEDED = 8;
const LEAST_DIRTY_RATIO = 5;

export const flusher_2_6: WritebackPart = { balanceDirtyPages, startFlusher, wakeupFlusher, runFlusher };

/** What a thread of pdflush does. */
const IDLE = 0;
const BACKGROUND = 1;
const KUPDATE = 2;

class PdflushThread implements Daemon {
  id = 0;
  work = IDLE;
  /** Of background_writeout: pages still to be written whatever the limits say. */
  minPages = 0;
  /** Of wb_kupdate: pages it may still write; inodes dirtied later are left alone; when it began. */
  left = 0;
  olderThan = 0;
  startedAt = 0;
  idleSince = 0;

  run(machine: Machine): void {
    const was = machine.current;
    machine.current = machine.idle;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'flusher_begin');
    const { completions } = pdflushOf(machine);
    if (this.work === BACKGROUND) backgroundWriteout(machine, this);
    else if (this.work === KUPDATE) wbKupdate(machine, this);
    const pages = pdflushOf(machine).completions - completions;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'flusher_end', pages);
    machine.current = was;
  }
}

/** pdflush and what it remembers. */
export class Pdflush {
  readonly threads: PdflushThread[] = [];
  /** How many of them exist just now. */
  nrThreads: number = MIN_PDFLUSH_THREADS;
  /** Since when none has been idle; -1: one is. */
  emptySince = -1;
  /** The timer of wb_kupdate is set. */
  timerSet = false;
  /** Pages dirtied on this CPU since the last look at the limits. */
  ratelimits = 0;
  /** The device is over its limit. */
  dirtyExceeded = false;
  /** Pages of files written so far, and pages dirtied, by all and by pid. */
  completions = 0;
  dirtied = 0;
  readonly dirtiedBy: Map<number, number> = new Map();

  constructor(machine: Machine) {
    for (let i = 0; i < MAX_PDFLUSH_THREADS; i++) {
      const thread = new PdflushThread();
      thread.id = machine.addDaemon(thread);
      this.threads.push(thread);
    }
  }
}

function pdflushOf(machine: Machine): Pdflush {
  return state_2_6(machine).pdflush;
}

// limits

/** The limits of the machine, and of its disk for the current task. The object is used again by the next call. */
export interface DirtyLimits_2_6 extends DirtyLimits {
  bdiThresh: number;
}

export function getDirtyLimits(machine: Machine): DirtyLimits_2_6 {
  const limits = machine.writeback.global as DirtyLimits_2_6;
  const { sysctl } = machine;
  const ratio = Math.max(sysctl.dirtyRatio, LEAST_DIRTY_RATIO);
  let background = sysctl.dirtyBackgroundRatio;
  if (background >= ratio) background = Math.floor(ratio / 2);
  limits.avail = dirtyableMemory(machine);
  limits.dirty = nrDirty(machine) + nrWriteback(machine);
  limits.bgThresh = Math.floor((background * limits.avail) / 100);
  limits.thresh = Math.floor((ratio * limits.avail) / 100);
  limits.bdiThresh = taskDirtyLimit(machine, bdiLimit(machine, limits.thresh));
  return limits;
}

function dirtyableMemory(machine: Machine): number {
  let pages = nrFreePages(machine);
  for (const pgdat of machine.nodes) {
    pages += pgdat.stat[NR_INACTIVE_ANON]! + pgdat.stat[NR_ACTIVE_ANON]!;
    const high = pgdat.zones[ZONE_HIGHMEM];
    if (high !== undefined) pages -= high.freePages + high.lruPages[0]! + high.lruPages[1]!;
  }
  return Math.max(0, pages) + 1;
}

/** The disk's share, less what others have used of it already. */
function bdiLimit(machine: Machine, thresh: number): number {
  const share = pdflushOf(machine).completions > 0 ? thresh : 0;
  // There is one disk: what is dirty is dirty on it. Pages on their way to swap are nobody's.
  const ownDirty = nrDirty(machine) + nrWriteback(machine);
  const avail = Math.max(0, thresh - ownDirty) + ownDirty;
  return Math.min(share, avail);
}

function taskDirtyLimit(machine: Machine, limit: number): number {
  const { dirtied, dirtiedBy } = pdflushOf(machine);
  if (dirtied === 0) return limit;
  const own = dirtiedBy.get(machine.current.pid) ?? 0;
  const less = limit - Math.floor(((limit >> 3) * own) / dirtied);
  return Math.max(less, Math.floor(limit / 2));
}

function nrDirty(machine: Machine): number {
  let pages = 0;
  for (const pgdat of machine.nodes) pages += pgdat.stat[NR_FILE_DIRTY]!;
  return pages;
}

function nrWriteback(machine: Machine): number {
  let pages = 0;
  for (const pgdat of machine.nodes) pages += pgdat.stat[NR_WRITEBACK]!;
  return pages;
}

/** After so many dirtied pages a CPU looks at the limits. */
export function ratelimitPages(machine: Machine): number {
  const cpus = machine.config.cpus ?? 1;
  const pages = Math.floor(physical_2_6(machine).vmTotalPages / (cpus * 32));
  return Math.min(Math.max(pages, RATELIMIT_LEAST), RATELIMIT_MOST);
}

// who dirties

/** After a task dirtied a page: now and then it looks at the limits, and writes or waits if it is above them. */
function balanceDirtyPages(machine: Machine): void {
  const pdflush = pdflushOf(machine);
  countDirtied(pdflush, machine.current);
  if (pdflush.ratelimits < (pdflush.dirtyExceeded ? RATELIMIT_EXCEEDED : ratelimitPages(machine))) return;
  pdflush.ratelimits = 0;
  throttle(machine, pdflush);
}

function countDirtied(pdflush: Pdflush, task: Task): void {
  const pages = task.nrDirtied;
  if (pages === 0) return;
  task.nrDirtied = 0;
  pdflush.ratelimits += pages;
  pdflush.dirtied += pages;
  pdflush.dirtiedBy.set(task.pid, (pdflush.dirtiedBy.get(task.pid) ?? 0) + pages);
}

function throttle(machine: Machine, pdflush: Pdflush): void {
  const chunk = ratelimitPages(machine) + Math.floor(ratelimitPages(machine) / 2);
  let written = 0;
  let limits = getDirtyLimits(machine);
  for (;;) {
    if (limits.dirty <= limits.bdiThresh) break;
    if (limits.dirty < Math.floor((limits.bgThresh + limits.thresh) / 2)) break;
    pdflush.dirtyExceeded = true;
    if (nrDirty(machine) > 0) written += writebackInodes(machine, Number.POSITIVE_INFINITY, chunk, false, false);
    limits = getDirtyLimits(machine);
    if (limits.dirty <= limits.bdiThresh || written >= chunk) break;
    congestionWait(machine, machine.disk, NAP_NS);
    limits = getDirtyLimits(machine);
  }
  if (limits.dirty < limits.bdiThresh) pdflush.dirtyExceeded = false;
  const { laptopMode } = machine.sysctl;
  if (laptopMode ? written > 0 : nrDirty(machine) > limits.bgThresh) pdflushOperation(machine, BACKGROUND, 0);
}

/** Who reclaims waits while more than 1.1 times the limit is being written. */
export function throttleVmWriteout(machine: Machine, gfp: Gfp): void {
  for (;;) {
    const { thresh } = getDirtyLimits(machine);
    if (nrWriteback(machine) <= thresh + Math.floor(thresh / 10) || machine.io.pending === 0) return;
    congestionWait(machine, machine.disk, NAP_NS);
    if ((gfp & (__GFP_FS | __GFP_IO)) !== (__GFP_FS | __GFP_IO)) return;
  }
}

// pdflush

/** A thread that has nothing to do gets this. False: there is none. */
function pdflushOperation(machine: Machine, work: number, pages: number): boolean {
  const pdflush = pdflushOf(machine);
  let thread: PdflushThread | null = null;
  let idle = 0;
  for (let i = 0; i < pdflush.nrThreads; i++) {
    if (pdflush.threads[i]!.work !== IDLE) continue;
    thread ??= pdflush.threads[i]!;
    idle += 1;
  }
  if (thread === null) return false;
  if (idle === 1) pdflush.emptySince = machine.clock.now;
  thread.work = work;
  thread.minPages = pages;
  thread.startedAt = machine.clock.now;
  if (work === KUPDATE) {
    const { sysctl } = machine;
    thread.olderThan = machine.clock.now - sysctl.dirtyExpireCentisecs * NS_PER_CENTISEC;
    thread.left = nrDirty(machine) + machine.inodes.size;
  }
  machine.wakeDaemon(thread.id, machine.clock.now);
  return true;
}

/** It has done its work. Another is made when none was idle for a second, and one goes that was idle so long. */
function done(machine: Machine, thread: PdflushThread): void {
  const pdflush = pdflushOf(machine);
  const { now } = machine.clock;
  if (pdflush.emptySince >= 0 && now - pdflush.emptySince > SECOND_NS && pdflush.nrThreads < MAX_PDFLUSH_THREADS) {
    pdflush.threads[pdflush.nrThreads]!.idleSince = now;
    pdflush.nrThreads += 1;
  }
  thread.work = IDLE;
  pdflush.emptySince = -1;
  thread.idleSince = now;
  const last = pdflush.threads[pdflush.nrThreads - 1]!;
  if (pdflush.nrThreads > MIN_PDFLUSH_THREADS && last.work === IDLE && now - last.idleSince > SECOND_NS) {
    pdflush.nrThreads -= 1;
  }
}

/** Chunk by chunk, until so many pages are written and less than the background limit is dirty. */
function backgroundWriteout(machine: Machine, thread: PdflushThread): void {
  for (;;) {
    if (nrDirty(machine) < getDirtyLimits(machine).bgThresh && thread.minPages <= 0) break;
    const written = writebackInodes(machine, Number.POSITIVE_INFINITY, MAX_WRITEBACK_PAGES, true, false);
    thread.minPages -= written;
    if (written >= MAX_WRITEBACK_PAGES) continue;
    if (!bdiWriteCongested(machine.disk)) break;
    machine.wakeDaemon(thread.id, machine.clock.now + NAP_NS);
    return;
  }
  done(machine, thread);
}

/** Inodes that have been dirty for 30 s, chunk by chunk. */
function wbKupdate(machine: Machine, thread: PdflushThread): void {
  while (thread.left > 0) {
    const written = writebackInodes(machine, thread.olderThan, MAX_WRITEBACK_PAGES, true, true);
    thread.left -= written;
    if (written >= MAX_WRITEBACK_PAGES) continue;
    if (!bdiWriteCongested(machine.disk)) break;
    machine.wakeDaemon(thread.id, machine.clock.now + NAP_NS);
    return;
  }
  done(machine, thread);
  startFlusher(machine);
}

/** Reclaim wants so many pages written; none given: all that are dirty (wakeup_pdflush). */
function wakeupFlusher(machine: Machine, pages = 0): void {
  pdflushOperation(machine, BACKGROUND, pages === 0 ? nrDirty(machine) : pages);
}

/** Something is dirty: in 5 s at most somebody looks how old it is. With nothing dirty nobody looks. */
function startFlusher(machine: Machine): void {
  const pdflush = machine.state === null ? null : pdflushOf(machine);
  const interval = machine.sysctl.dirtyWritebackCentisecs * NS_PER_CENTISEC;
  if (pdflush === null || pdflush.timerSet || interval === 0 || machine.writeback.dirtyInodes.length === 0) return;
  pdflush.timerSet = true;
  const { now } = machine.clock;
  machine.clock.schedule((Math.floor(now / interval) + 1) * interval, EVENT_FLUSHER, 0, 0);
}

/** The timer of wb_kupdate; without an idle thread it comes again in a second. */
function runFlusher(machine: Machine): void {
  const pdflush = pdflushOf(machine);
  pdflush.timerSet = false;
  if (machine.writeback.dirtyInodes.length === 0) return;
  if (pdflushOperation(machine, KUPDATE, 0)) return;
  pdflush.timerSet = true;
  machine.clock.schedule(machine.clock.now + SECOND_NS, EVENT_FLUSHER, 0, 0);
}

// inodes

/**
 * Writes up to `pages` pages of inodes dirtied before `olderThan`, oldest first; how many. One that is not done goes to the end of the
 * line, unless its age was the reason. `nonblocking`: not to a disk that is congested.
 */
function writebackInodes(
  machine: Machine,
  olderThan: number,
  pages: number,
  nonblocking: boolean,
  kupdate: boolean,
): number {
  const inodes = machine.writeback.dirtyInodes;
  let left = pages;
  for (let turns = inodes.length, i = 0; turns > 0 && left > 0 && i < inodes.length; turns--) {
    const inode = inodes[i]!;
    if (inode.dirtiedWhenNs > olderThan) break;
    if (nonblocking && bdiWriteCongested(inode.device)) break;
    left -= writeInode(machine, inode, left);
    if (!inode.mapping.pages.marked(PAGECACHE_TAG_DIRTY)) {
      forgetInode(machine, inode);
    } else if (kupdate) {
      i += 1;
    } else {
      inodes.splice(inodes.indexOf(inode), 1);
      inodes.push(inode);
      inode.dirtiedWhenNs = machine.clock.now;
    }
  }
  return pages - left;
}

/** From where the last write of it ended, then from the front. */
function writeInode(machine: Machine, inode: Inode, pages: number): number {
  const { mapping } = inode;
  const start = mapping.writebackIndex as Pgoff;
  let written = writePages(machine, mapping, start, Number.MAX_SAFE_INTEGER, pages, false);
  if (written < pages && start > 0) {
    written += writePages(machine, mapping, 0 as Pgoff, start - 1, pages - written, false);
  }
  pdflushOf(machine).completions += written;
  return written;
}
