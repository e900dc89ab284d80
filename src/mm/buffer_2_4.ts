/**
 * Reclaim and buffers in 2.4: a page is free only when its buffers are.
 *
 *   try_to_release_page
 *     buffer clean and unlocked                     the head goes, and the reference it held
 *     dirty, first visit                            BH_Wait_IO, no more: whoever comes again is serious
 *     dirty, second visit, caller may do I/O        BH_Launder, and the write begins
 *     locked, laundered by us                       wait, and try once more
 *
 * Owns      when the buffers of a page may go.
 * Promises  1. A page keeps its buffers while one is dirty or locked.
 *           2. The first visit to a dirty buffer starts no I/O.
 * Linux     2.4.19 fs/buffer.c: try_to_free_buffers sync_page_buffers; mm/filemap.c: try_to_release_page;
 *           mm/page_alloc.c: nr_free_buffer_pages
 */
import { bdflush, DIRTY_OK } from './bdflush.ts';
import { waitOnPageWriteback } from './block.ts';
import { dropBuffers } from './buffer.ts';
import { BH_Dirty, BH_Launder, BH_Lock, BH_Wait_IO, type BufferStates } from './buffer_state_2_4.ts';
import { pageMapping } from './filemap.ts';
import { __GFP_IO, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { PG_private } from './page_flags.ts';
import { state_2_4 } from './state_2_4.ts';
import type { Pfn } from './units.ts';
import { clearPageDirtyForIo, startWriting } from './writeback.ts';
import { ZONE_HIGHMEM } from './zone.ts';

/** Frees what a file system keeps with a locked page; false if it must stay. */
export function tryToReleasePage(machine: Machine, pfn: Pfn, gfp: Gfp): boolean {
  return tryToFreeBuffers_2_4(machine, pfn, gfp);
}

export function tryToFreeBuffers_2_4(machine: Machine, pfn: Pfn, gfp: Gfp): boolean {
  if (!machine.frames.has(pfn, PG_private)) return true;
  const { buffers } = state_2_4(machine).pageCache;
  for (let mask = gfp; ; mask = 0) {
    if ((buffers.bState(pfn) & (BH_Dirty | BH_Lock)) === 0) {
      dropBuffers(machine, pfn);
      return true;
    }
    if ((mask & __GFP_IO) === 0 || !syncPageBuffers(machine, buffers, pfn)) break;
  }
  const flusher = bdflush(machine);
  if (flusher.dirtyState(machine) !== DIRTY_OK) flusher.wakeup(machine);
  return false;
}

/** True: something was waited for, and another look is worth it. */
function syncPageBuffers(machine: Machine, buffers: BufferStates, pfn: Pfn): boolean {
  const state = buffers.bState(pfn);
  if ((state & (BH_Dirty | BH_Lock)) === 0) return true;
  if (!buffers.testAndSet(pfn, BH_Wait_IO)) return false;
  if ((state & BH_Lock) !== 0) {
    if ((state & BH_Launder) === 0) return false;
    waitOnPageWriteback(machine, pfn);
    return true;
  }
  const mapping = pageMapping(machine, pfn);
  if (mapping !== null && clearPageDirtyForIo(machine, pfn)) {
    startWriting(machine, mapping.host, pfn);
    buffers.testAndSet(pfn, BH_Launder);
  }
  return false;
}

/** Pages that buffers may take: those of zones below high memory, less pages_high of each (nr_free_buffer_pages). */
export function nrFreeBufferPages(machine: Machine): number {
  let pages = 0;
  for (const zone of machine.zones)
    if (zone.type < ZONE_HIGHMEM) pages += Math.max(0, zone.spannedPages - zone.wmarkHigh);
  return pages;
}
