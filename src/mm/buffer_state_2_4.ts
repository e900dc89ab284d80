/**
 * The state of buffer heads in 2.4: one for each page that has buffers, for blocks are as large as pages.
 *
 * Owns      b_state of each page's buffer; what of a dirty page is dirty: the page itself (a store through a mapping), or only
 *           its buffer (write(2)). The engine's PG_dirty means either.
 * Promises  1. A page without buffers has no b_state.
 *           2. Of a dirty page, PageDirty or buffer_dirty is true, or both.
 * Linux     2.4.19 include/linux/fs.h: bh_state_bits; fs/buffer.c: __block_commit_write
 */
import type { MemMap } from './memmap.ts';
import { PG_dirty, PG_locked, PG_private, PG_uptodate, PG_writeback } from './page_flags.ts';
import type { Pfn } from './units.ts';

export const BH_Uptodate = 1 << 0;
export const BH_Dirty = 1 << 1;
export const BH_Lock = 1 << 2;
export const BH_Req = 1 << 3;
export const BH_Mapped = 1 << 4;
export const BH_New = 1 << 5;
export const BH_Async = 1 << 6;
export const BH_Wait_IO = 1 << 7;
export const BH_Launder = 1 << 8;
export const BH_JBD = 1 << 9;
/** Not a bit of the kernel's: set_page_dirty was called since the page was clean. */
const PAGE_DIRTY = 1 << 15;

export const BUF_CLEAN = 0;
export const BUF_LOCKED = 1;
export const BUF_DIRTY = 2;

export class BufferStates {
  private readonly frames: MemMap;
  private readonly state: Uint16Array;

  constructor(frames: MemMap) {
    this.frames = frames;
    this.state = new Uint16Array(frames.frames);
  }

  /** b_state of the page's buffer; 0: it has none. What the page knows itself is taken from there. */
  bState(pfn: Pfn): number {
    const { frames } = this;
    if (!frames.has(pfn, PG_private)) return 0;
    let state = (this.state[pfn]! & (BH_New | BH_Wait_IO | BH_Launder | BH_JBD | BH_Req)) | BH_Mapped;
    if (frames.has(pfn, PG_uptodate)) state |= BH_Uptodate;
    if (this.bufferDirty(pfn)) state |= BH_Dirty;
    if (frames.has(pfn, PG_writeback)) state |= BH_Lock | BH_Async;
    if (frames.has(pfn, PG_locked) && !frames.has(pfn, PG_uptodate)) state |= BH_Lock;
    return state;
  }

  /** PageDirty: somebody called set_page_dirty. */
  pageDirty(pfn: Pfn): boolean {
    if (!this.frames.has(pfn, PG_dirty)) return false;
    const state = this.state[pfn]!;
    return (state & PAGE_DIRTY) !== 0 || (state & BH_Dirty) === 0;
  }

  /** buffer_dirty: somebody wrote into the buffer with write(2). */
  bufferDirty(pfn: Pfn): boolean {
    return this.frames.has(pfn, PG_dirty | PG_private) && this.frames.has(pfn, PG_dirty) && this.is(pfn, BH_Dirty);
  }

  /** Which of the three lists the buffer is on (lru_list); -1: there is none. */
  lruList(pfn: Pfn): number {
    const state = this.bState(pfn);
    if (state === 0) return -1;
    return (state & BH_Dirty) !== 0 ? BUF_DIRTY : (state & BH_Lock) !== 0 ? BUF_LOCKED : BUF_CLEAN;
  }

  setPageDirty(pfn: Pfn): void {
    // What was left of an earlier time when the page was dirty says nothing.
    if (!this.frames.has(pfn, PG_dirty)) this.state[pfn]! &= ~BH_Dirty;
    this.state[pfn]! |= PAGE_DIRTY;
  }
  markBufferDirty(pfn: Pfn): void {
    if (!this.frames.has(pfn, PG_dirty)) this.state[pfn]! &= ~PAGE_DIRTY;
    this.state[pfn]! |= BH_Dirty;
  }
  /** The write of page and buffer begins. */
  startWrite(pfn: Pfn): void {
    this.state[pfn]! &= ~(BH_Dirty | PAGE_DIRTY | BH_Wait_IO | BH_Launder);
    this.state[pfn]! |= BH_Req;
  }
  drop(pfn: Pfn): void {
    this.state[pfn] = 0;
  }

  is(pfn: Pfn, bit: number): boolean {
    return (this.state[pfn]! & bit) !== 0;
  }
  /** True if it was set already. */
  testAndSet(pfn: Pfn, bit: number): boolean {
    const was = this.is(pfn, bit);
    this.state[pfn]! |= bit;
    return was;
  }
}
