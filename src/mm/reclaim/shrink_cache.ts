/**
 * What becomes of the pages at the tail of 2.4's inactive list.
 *
 *    step  what is seen                                   then
 *    1     every page                                     moves to the head first: a pass rotates the list
 *    2     a zone above the wanted one                    kept, though it counts as scanned
 *    3     mapped: no buffers, and count ≠ 1 or no owner  kept; after too many of them swap_out, and the pass ends
 *    4     locked                                         kept; who may enter file systems waits if it is laundered
 *    5     dirty, and only the cache has it               written; it goes at a later visit
 *    6     buffers                                        freed, or kept if they are busy
 *    7     mapped meanwhile                               as step 3
 *    8     dirty still                                    kept
 *    9     clean and nobody's                             out of its cache, off the list, free
 *
 * Owns      one pass over that list.
 * Promises  1. No page is freed that an entry maps, that is dirty, or whose I/O is under way.
 *           2. The reference bit is not looked at: refill_inactive and mark_page_accessed alone do.
 * Linux     2.4.19 mm/vmscan.c: shrink_cache; mm/shmem.c: shmem_writepage fail_writepage; fs/buffer.c: block_write_full_page
 *
 * DIFFERS: an anonymous page with buffers and without an owner cannot be here, so step 6 never frees one.
 */

import { isPageDirty, startWrite } from '../bdflush.ts';
import { addPage, beginWrite, submit } from '../block.ts';
import { tryToReleasePage } from '../buffer_2_4.ts';
import { deleteFromCache, removeMapping } from '../filemap.ts';
import type { AddressSpace } from '../fs.ts';
import { __GFP_FS, type Gfp } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { putPage } from '../page_alloc.ts';
import { PAGE_MAPPING_ANON, PG_dirty, PG_private, PG_reclaim, PG_swapcache, PG_uptodate } from '../page_flags.ts';
import { isLaundered, tryLockPage, unlockPage, waitOnPage } from '../page_lock_2_4.ts';
import { shmemRecalcInode } from '../shmem.ts';
import { countWithoutBuffers, swapWritepage_2_4 } from '../swap/swap_2_4.ts';
import { addToSwapCache, removeSwapMapping } from '../swap/swap_state.ts';
import { folioAllocSwap, swapShmemAlloc } from '../swap/swapfile.ts';
import { NO_PFN, NO_SWAP, type Pfn } from '../units.ts';
import { clearPageDirtyForIo, folioMarkDirty } from '../writeback.ts';
import { xaValue } from '../xarray.ts';
import type { Zone } from '../zone.ts';
import { memclass } from '../zone_build_2_4.ts';
import { LRU_INACTIVE } from './lru_2_4.ts';
import type { SwapOut } from './swap_out.ts';

/** Pages that a pass looks at. */
export function maxScan(inactivePages: number, priority: number): number {
  return Math.floor(inactivePages / priority);
}

/** Mapped pages that it passes by before it turns to the address spaces. */
export function maxMapped(pages: number, priority: number, scan: number): number {
  return Math.min(pages * 2 ** (10 - priority), Math.floor(scan / 10));
}

/** Steps at which a page's visit ends. */
const ZONE = 2;
const MAPPED = 3;
const LOCKED = 4;
const WRITTEN = 5;
const BUSY = 6;
const MAPPED_MEANWHILE = 7;
const DIRTY = 8;
export const FREED = 9;

/** Looks at part of the inactive list for `pages` to free; how many are still wanted. */
export function shrinkCache(
  machine: Machine,
  swapOut: SwapOut,
  pages: number,
  classzone: Zone,
  gfp: Gfp,
  priority: number,
): number {
  const { frames, work, trace } = machine;
  const lruvec = machine.rootMemcg.lruvecs[classzone.lruvec]!;
  const list = lruvec.lists[LRU_INACTIVE]!;
  const scan = maxScan(lruvec.stat[LRU_INACTIVE]!, priority);
  let mapped = maxMapped(pages, priority, scan);
  let wanted = pages;
  for (let i = 0; i < scan && wanted > 0; i++) {
    const pfn = frames.listLast(list);
    if (pfn === NO_PFN) break;
    frames.listDel(pfn);
    frames.listAdd(pfn, list);
    work.pagesScanned += 1;
    const step = judge(machine, pfn, classzone, gfp);
    if (trace.on) trace.emit(machine.clock.now, 'shrink_cache', pfn, step, priority);
    if (step === FREED) {
      wanted -= 1;
    } else if (step === MAPPED || step === MAPPED_MEANWHILE) {
      mapped -= 1;
      if (mapped >= 0) continue;
      swapOut.swapOut(classzone);
      return wanted;
    }
  }
  return wanted;
}

function judge(machine: Machine, pfn: Pfn, classzone: Zone, gfp: Gfp): number {
  const { frames } = machine;
  if (!memclass(machine.zones[frames.zoneIndex(pfn)]!, classzone)) return ZONE;
  if (!frames.has(pfn, PG_private) && (frames.refcount(pfn) !== 1 || !hasMapping(machine, pfn))) return MAPPED;
  if (!tryLockPage(machine, pfn)) {
    if (isLaundered(machine, pfn) && (gfp & __GFP_FS) !== 0) {
      frames.get(pfn);
      waitOnPage(machine, pfn);
      putPage(machine, pfn);
    }
    return LOCKED;
  }
  if ((gfp & __GFP_FS) !== 0 && isPageDirty(machine, pfn) && isFreeable(machine, pfn) && hasMapping(machine, pfn)) {
    frames.get(pfn);
    launder(machine, pfn);
    putPage(machine, pfn);
    return WRITTEN;
  }
  if (frames.has(pfn, PG_private) && !tryToReleasePage(machine, pfn, gfp)) {
    unlockPage(machine, pfn);
    return BUSY;
  }
  if (!hasMapping(machine, pfn) || !isFreeable(machine, pfn)) {
    unlockPage(machine, pfn);
    return MAPPED_MEANWHILE;
  }
  if (frames.has(pfn, PG_dirty)) {
    unlockPage(machine, pfn);
    return DIRTY;
  }
  if (frames.has(pfn, PG_swapcache)) removeSwapMapping(machine, pfn, 0);
  else removeMapping(machine, pfn, 0);
  machine.lru.remove(pfn);
  unlockPage(machine, pfn);
  putPage(machine, pfn);
  return FREED;
}

/** page->mapping: a file's, or the swap cache's. */
function hasMapping(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  if (frames.has(pfn, PG_swapcache)) return true;
  const word = frames.mapping(pfn);
  return word !== 0 && (word & PAGE_MAPPING_ANON) === 0;
}

/** Nobody but its cache has it (is_page_cache_freeable). */
function isFreeable(machine: Machine, pfn: Pfn): boolean {
  return countWithoutBuffers(machine, pfn) === 1;
}

/** Starts the write of a locked, dirty page (->writepage, with PG_launder). Unlocks it; the caller has a reference. */
function launder(machine: Machine, pfn: Pfn): void {
  const { frames, trace } = machine;
  if (trace.on) trace.emit(machine.clock.now, 'mm_vmscan_write_folio', pfn);
  if (frames.has(pfn, PG_swapcache)) {
    frames.clear(pfn, PG_dirty);
    frames.set(pfn, PG_reclaim);
    swapWritepage_2_4(machine, pfn);
    return;
  }
  const mapping = machine.mappings[frames.mapping(pfn) >>> 2] as AddressSpace;
  if (mapping.host.kind === 'tmpfs') {
    if (!shmemWritepage_2_4(machine, pfn, mapping)) failWritepage(machine, pfn);
  } else {
    writeFullPage(machine, pfn, mapping);
  }
  unlockPage(machine, pfn);
}

/** The page of a file goes to its block, which is found or made for it. */
function writeFullPage(machine: Machine, pfn: Pfn, mapping: AddressSpace): void {
  if (!clearPageDirtyForIo(machine, pfn)) return;
  machine.frames.set(pfn, PG_reclaim);
  const request = beginWrite(machine, mapping.host.device!);
  startWrite(machine, pfn);
  addPage(machine, request, pfn);
  submit(machine, request);
}

/** The page moves to the swap cache, dirty: it is written when it is met the next time. False: locked, or there is no slot. */
function shmemWritepage_2_4(machine: Machine, pfn: Pfn, mapping: AddressSpace): boolean {
  const { frames } = machine;
  const inode = mapping.host;
  if (mapping.unevictable) return false;
  const entry = folioAllocSwap(machine, pfn);
  if (entry === NO_SWAP) return false;
  addToSwapCache(machine, pfn, entry);
  shmemRecalcInode(machine, inode);
  inode.shmemSwapped += 1;
  swapShmemAlloc(machine, entry);
  deleteFromCache(machine, pfn, xaValue(entry));
  putPage(machine, pfn);
  frames.set(pfn, PG_uptodate);
  folioMarkDirty(machine, pfn);
  return true;
}

/** It cannot be written: dirty again, and away from the tail. */
function failWritepage(machine: Machine, pfn: Pfn): void {
  folioMarkDirty(machine, pfn);
  machine.lru.activate(pfn);
  machine.lru.markAccessed(pfn);
}
