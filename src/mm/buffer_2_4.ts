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
 *           2. The first visit to a dirty buffer starts no I/O. A high page is written only if the caller may bounce.
 * Linux     2.4.19 fs/buffer.c: try_to_free_buffers sync_page_buffers balance_dirty_state; mm/filemap.c: try_to_release_page
 */
import { waitOnPageWriteback } from './block.ts';
import { dropBuffers } from './buffer.ts';
import { BH_Dirty, BH_Launder, BH_Lock, BH_Wait_IO, type BufferStates } from './buffer_state_2_4.ts';
import { pageMapping } from './filemap.ts';
import { __GFP_IO, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { PG_private } from './page_flags.ts';
import { state24 } from './state_2_4.ts';
import type { Pfn } from './units.ts';
import { NR_FILE_DIRTY } from './vmstat.ts';
import { clearPageDirtyForIo, startWriting } from './writeback.ts';
import { ZONE_HIGHMEM } from './zone.ts';

/** bdf_prm.b_un: dirty pages in percent of memory from which bdflush is woken, and from which whoever dirties must write. */
const NFRACT = 30;
const NFRACT_SYNC = 60;

/** Frees what a file system keeps with a locked page; false if it must stay. */
export function tryToReleasePage(machine: Machine, pfn: Pfn, gfp: Gfp): boolean {
  return tryToFreeBuffers_2_4(machine, pfn, gfp);
}

export function tryToFreeBuffers_2_4(machine: Machine, pfn: Pfn, gfp: Gfp): boolean {
  if (!machine.frames.has(pfn, PG_private)) return true;
  const { buffers } = state24(machine).pageCache;
  for (let mask = gfp; ; mask = 0) {
    if ((buffers.bState(pfn) & (BH_Dirty | BH_Lock)) === 0) {
      dropBuffers(machine, pfn);
      return true;
    }
    if ((mask & __GFP_IO) === 0 || !syncPageBuffers(machine, buffers, pfn)) break;
  }
  if (balanceDirtyState(machine) >= 0) machine.generation.writeback.wakeupFlusher(machine);
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

/** -1: few dirty pages. 0: bdflush should run. 1: whoever dirties should write. */
export function balanceDirtyState(machine: Machine, nfract: number = NFRACT, nfractSync: number = NFRACT_SYNC): number {
  let dirty = 0;
  for (const pgdat of machine.nodes) dirty += pgdat.stat[NR_FILE_DIRTY]!;
  const total = nrFreeBufferPages(machine);
  if (dirty * 100 <= total * nfract) return -1;
  return dirty * 100 > total * nfractSync ? 1 : 0;
}
