/**
 * Writing back in 2.4: dirty buffers on one list, bdflush when there are too many, kupdate when they are too old.
 *
 *   lru_list[BUF_DIRTY]   oldest ○ ○ ○ ○ ○ ○ ○ newest      a buffer is a page here: blocks are as large as pages
 *                         └ write_some_buffers takes 32 ┘
 *
 *   dirty buffers in percent of buffer pages     0 ──── 20 ───── 30 ─────── 60 ────
 *                                                bdflush │ bdflush │ woken    │ the writer itself writes 32, too
 *                                                sleeps  │ goes on │          │
 *
 *   kupdate, every 5 s: what mappings dirtied goes to the disk, and buffers that have been dirty for 30 s.
 *
 * Owns      the list of pages with dirty buffers, since when they are; bdf_prm; bdflush and kupdate.
 * Promises  1. A page is on the list while write(2) has dirtied it and its write has not begun.
 *           2. The list is in the order of dirtying, so the first is the first to be due.
 * Linux     2.4.19 fs/buffer.c: write_some_buffers balance_dirty_state balance_dirty bdflush_stop bdflush kupdate sync_old_buffers
 *           wakeup_bdflush __mark_dirty; kernel/sysctl.c: bdflush_min bdflush_max; drivers/block/ll_rw_blk.c: QUEUE_NR_REQUESTS
 *
 * DIFFERS: superblocks and inodes are not written; a page dirtied by write(2) and by a mapping is written once, in Linux twice.
 */
import { addPage, BIO_MAX_PAGES, type BlockDevice, beginWrite, type IoRequest, submit } from './block.ts';
import { nrFreeBufferPages } from './buffer_2_4.ts';
import { EVENT_FLUSHER } from './clock.ts';
import { EINVAL } from './errno.ts';
import { pageMapping } from './filemap.ts';
import type { AddressSpace } from './fs.ts';
import type { Machine } from './machine.ts';
import { PG_dirty } from './page_flags.ts';
import { tryLockPage, unlockPage } from './page_lock_2_4.ts';
import type { WritebackPart } from './parts.ts';
import { reclaim_2_4 } from './reclaim/vmscan_2_4.ts';
import { state_2_4 } from './state_2_4.ts';
import type { Pfn } from './units.ts';
import { PGPGOUT } from './vmstat.ts';
import { clearPageDirtyForIo, cutAtEnd, forgetInode, setPageWriteback } from './writeback.ts';
import { PAGECACHE_TAG_DIRTY, xaToPfn } from './xarray.ts';

const NS_PER_TICK = 10_000_000;
const HZ = 100;
/** Buffers that are written at a time (NRSYNC). */
const NRSYNC = 32;
const KIB_PER_PAGE = 4;
/** Requests in a device's queue; whoever wants one more waits (QUEUE_NR_REQUESTS). */
const QUEUE_NR_REQUESTS = 128;

/** /proc/sys/vm/bdflush, its nine numbers: default, least, most. Times in ticks of 10 ms. */
export const BDF_PRM: readonly (readonly [name: string, standard: number, least: number, most: number])[] = [
  ['nfract', 30, 0, 100],
  ['ndirty', 500, 1, 50000],
  ['dummy2', 0, 0, 20000],
  ['dummy3', 0, 0, 20000],
  ['interval', 5 * HZ, 0, 10000 * HZ],
  ['age_buffer', 30 * HZ, 1 * HZ, 10000 * HZ],
  ['nfract_sync', 60, 0, 100],
  ['nfract_stop_bdflush', 20, 0, 100],
  ['dummy5', 0, 0, 0],
];
const NFRACT = 0;
const NDIRTY = 1;
const INTERVAL = 4;
const AGE_BUFFER = 5;
const NFRACT_SYNC = 6;
const NFRACT_STOP = 7;

/** Below the limit, above it, above the limit for writers (balance_dirty_state). */
export const DIRTY_OK = -1;
export const DIRTY_SOFT = 0;
export const DIRTY_HARD = 1;

export const bdflush_2_4: WritebackPart = {
  balanceDirtyPages: (machine) => bdflush(machine).balanceDirty(machine),
  startFlusher: (machine) => bdflush(machine).schedule(machine),
  wakeupFlusher: (machine) => bdflush(machine).wakeup(machine),
  runFlusher: (machine) => bdflush(machine).run(machine),
  bufferDirtied: (machine, pfn) => bdflush(machine).bufferDirtied(machine, pfn),
  cleaned: (machine, pfn) => bdflush(machine).cleaned(pfn),
};

export function bdflush(machine: Machine): Bdflush {
  return reclaim_2_4(machine).bdflush;
}

/** 2.4's PG_dirty: of a file's page that a mapping or the kernel wrote to, not write(2). */
export function isPageDirty(machine: Machine, pfn: Pfn): boolean {
  return machine.frames.has(pfn, PG_dirty) && state_2_4(machine).pageCache.buffers.pageDirty(pfn);
}

/** A clean, locked page of a file is under write from now on. */
export function startWrite(machine: Machine, pfn: Pfn): void {
  const mapping = pageMapping(machine, pfn) as AddressSpace;
  cutAtEnd(machine, mapping.host, pfn);
  setPageWriteback(machine, pfn);
}

export class Bdflush {
  /** bdf_prm, in the order of BDF_PRM. */
  readonly prm: Float64Array = Float64Array.from(BDF_PRM, ([, standard]) => standard);
  /** By frame: when the buffer is due (0: it is not on the list), and its neighbours there. The head is the last row. */
  private readonly flushtime: Float64Array;
  private readonly next: Int32Array;
  private readonly prev: Int32Array;
  private readonly head: number;
  /** Buffers on the list: size_buffers_type[BUF_DIRTY], in pages. */
  nrDirty = 0;
  /** bdflush was woken and has not run yet. */
  private woken = false;
  /** When kupdate is due; Infinity while nothing is dirty. */
  private kupdateAt = Number.POSITIVE_INFINITY;

  constructor(frames: number) {
    this.flushtime = new Float64Array(frames);
    this.next = new Int32Array(frames + 1);
    this.prev = new Int32Array(frames + 1);
    this.head = frames;
    this.next[frames] = frames;
    this.prev[frames] = frames;
  }

  /** Writes /proc/sys/vm/bdflush. 0 or -EINVAL, and then nothing has changed. */
  setPrm(values: readonly number[]): number {
    for (let i = 0; i < values.length; i++) {
      const limits = BDF_PRM[i];
      if (limits === undefined || values[i]! < limits[2] || values[i]! > limits[3]) return -EINVAL;
    }
    for (let i = 0; i < values.length; i++) this.prm[i] = values[i]!;
    return 0;
  }

  // the list

  hasDirtyBuffers(pfn: Pfn): boolean {
    return this.flushtime[pfn] !== 0;
  }
  /** Frames with dirty buffers, oldest first. */
  *[Symbol.iterator](): Iterator<Pfn> {
    for (let at = this.next[this.head]!; at !== this.head; at = this.next[at]!) yield at as Pfn;
  }

  bufferDirtied(machine: Machine, pfn: Pfn): void {
    const mapping = pageMapping(machine, pfn);
    if (this.hasDirtyBuffers(pfn) || mapping === null || mapping.host.kind === 'tmpfs') return;
    this.flushtime[pfn] = machine.clock.now + this.prm[AGE_BUFFER]! * NS_PER_TICK;
    const last = this.prev[this.head]!;
    this.next[last] = pfn;
    this.prev[pfn] = last;
    this.next[pfn] = this.head;
    this.prev[this.head] = pfn;
    this.nrDirty += 1;
  }

  cleaned(pfn: Pfn): void {
    if (!this.hasDirtyBuffers(pfn)) return;
    this.flushtime[pfn] = 0;
    this.next[this.prev[pfn]!] = this.next[pfn]!;
    this.prev[this.next[pfn]!] = this.prev[pfn]!;
    this.nrDirty -= 1;
  }

  // limits

  /** DIRTY_OK, DIRTY_SOFT or DIRTY_HARD. */
  dirtyState(machine: Machine): number {
    const pages = nrFreeBufferPages(machine);
    const dirty = this.nrDirty * 100;
    if (dirty <= pages * this.prm[NFRACT]!) return DIRTY_OK;
    return dirty > pages * this.prm[NFRACT_SYNC]! ? DIRTY_HARD : DIRTY_SOFT;
  }

  /** Few enough are dirty for bdflush to sleep. */
  private mayStop(machine: Machine): boolean {
    return this.nrDirty * 100 <= nrFreeBufferPages(machine) * this.prm[NFRACT_STOP]!;
  }

  /** Whoever has dirtied a buffer looks at the limits; above the higher one he writes himself, and waits for the queue. */
  balanceDirty(machine: Machine): void {
    const state = this.dirtyState(machine);
    if (state === DIRTY_OK) return;
    this.wakeup(machine);
    if (state === DIRTY_SOFT) return;
    this.writeSomeBuffers(machine, Number.POSITIVE_INFINITY);
    while (machine.io.pending > QUEUE_NR_REQUESTS) machine.runUntil(machine.clock.nextAt);
  }

  // writing

  /** Starts the write of the oldest 32 that are due at `until` and not locked. True if there were as many. */
  private writeSomeBuffers(machine: Machine, until: number): boolean {
    let request: IoRequest | null = null;
    let expected = -1;
    let device: BlockDevice | null = null;
    let count = 0;
    for (let at = this.next[this.head]!; at !== this.head && count < NRSYNC; ) {
      const pfn = at as Pfn;
      at = this.next[at]!;
      if (this.flushtime[pfn]! > until) break;
      if (!tryLockPage(machine, pfn)) continue;
      const mapping = pageMapping(machine, pfn) as AddressSpace;
      const index = mapping.id * 2 ** 40 + machine.frames.index(pfn);
      clearPageDirtyForIo(machine, pfn);
      startWrite(machine, pfn);
      if (
        request !== null &&
        (index !== expected || mapping.host.device !== device || request.count === BIO_MAX_PAGES)
      ) {
        submit(machine, request);
        request = null;
      }
      device = mapping.host.device!;
      request ??= beginWrite(machine, device);
      addPage(machine, request, pfn);
      unlockPage(machine, pfn);
      expected = index + 1;
      count += 1;
    }
    if (request !== null) submit(machine, request);
    return count === NRSYNC;
  }

  // bdflush and kupdate

  wakeup(machine: Machine): void {
    if (this.woken) return;
    this.woken = true;
    machine.clock.schedule(machine.clock.now, EVENT_FLUSHER, 0, 0);
  }

  /** kupdate comes at the next multiple of its interval, if anything is dirty. */
  schedule(machine: Machine): void {
    const interval = this.prm[INTERVAL]! * NS_PER_TICK;
    if (machine.writeback.dirtyInodes.length === 0 || interval === 0) return;
    if (this.kupdateAt !== Number.POSITIVE_INFINITY) return;
    this.kupdateAt = (Math.floor(machine.clock.now / interval) + 1) * interval;
    machine.clock.schedule(this.kupdateAt, EVENT_FLUSHER, 0, 0);
  }

  run(machine: Machine): void {
    const task = machine.current;
    machine.current = machine.idle;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'flusher_begin');
    const before = machine.events[PGPGOUT]!;
    if (this.woken) {
      this.woken = false;
      this.runBdflush(machine);
    }
    if (machine.clock.now >= this.kupdateAt) {
      this.kupdateAt = Number.POSITIVE_INFINITY;
      this.runKupdate(machine);
      this.schedule(machine);
    }
    const pages = (machine.events[PGPGOUT]! - before) / KIB_PER_PAGE;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'flusher_end', pages);
    machine.current = task;
  }

  private runBdflush(machine: Machine): void {
    for (;;) {
      let ndirty = this.prm[NDIRTY]!;
      while (ndirty > 0 && this.writeSomeBuffers(machine, Number.POSITIVE_INFINITY)) ndirty -= NRSYNC;
      if (ndirty > 0 || this.mayStop(machine)) return;
    }
  }

  private runKupdate(machine: Machine): void {
    const { dirtyInodes } = machine.writeback;
    for (let i = dirtyInodes.length - 1; i >= 0; i--) {
      const inode = dirtyInodes[i]!;
      this.writeWholeDirty(machine, inode.mapping);
      if (!inode.mapping.pages.marked(PAGECACHE_TAG_DIRTY)) forgetInode(machine, inode);
    }
    while (this.writeSomeBuffers(machine, machine.clock.now));
    for (let i = dirtyInodes.length - 1; i >= 0; i--) {
      const inode = dirtyInodes[i]!;
      if (!inode.mapping.pages.marked(PAGECACHE_TAG_DIRTY)) forgetInode(machine, inode);
    }
  }

  /** What mappings dirtied, without regard to its age (filemap_fdatasync from sync_one). */
  private writeWholeDirty(machine: Machine, mapping: AddressSpace): void {
    const { pages } = mapping;
    const end = Number.MAX_SAFE_INTEGER;
    for (let at = pages.findMarked(0, end, PAGECACHE_TAG_DIRTY); at >= 0; ) {
      const pfn = xaToPfn(pages.load(at));
      if (isPageDirty(machine, pfn) && tryLockPage(machine, pfn)) {
        if (clearPageDirtyForIo(machine, pfn)) {
          startWrite(machine, pfn);
          const request = beginWrite(machine, mapping.host.device!);
          addPage(machine, request, pfn);
          submit(machine, request);
        }
        unlockPage(machine, pfn);
      }
      at = pages.findMarked(at + 1, end, PAGECACHE_TAG_DIRTY);
    }
  }

  /** A sentence for each broken promise. */
  verify(machine: Machine): string[] {
    const wrong: string[] = [];
    let count = 0;
    let due = 0;
    for (const pfn of this) {
      count += 1;
      if (!machine.frames.has(pfn, PG_dirty)) wrong.push(`frame ${pfn} has dirty buffers and is clean`);
      if (pageMapping(machine, pfn) === null) wrong.push(`frame ${pfn} has dirty buffers and belongs to no file`);
      if (this.flushtime[pfn]! < due) wrong.push(`frame ${pfn} is due before the one before it`);
      due = this.flushtime[pfn]!;
    }
    if (count !== this.nrDirty) wrong.push(`${this.nrDirty} dirty buffers by count, ${count} on the list`);
    return wrong;
  }
}
