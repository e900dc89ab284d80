/**
 * The swap cache as 2.4 uses it: who may have a page for himself, when a slot is given up, which slots are read together.
 *
 * Owns      buffers of swap-cache pages (a page's I/O to a swap disk leaves a buffer on it, which holds a reference).
 * Promises  1. A slot's swap_map is the number of entries that hold it, and one more for the page in the swap cache.
 *           2. A page whose slot was given up is dirty: nothing else holds what it holds.
 *           3. Reading ahead starts at the aligned group's first slot and ends before the first free or bad one.
 * Linux     2.4.20 mm/swapfile.c: exclusive_swap_page can_share_swap_page remove_exclusive_swap_page valid_swaphandles;
 *           mm/swap_state.c: swap_writepage read_swap_cache_async; mm/memory.c: swapin_readahead; mm/swap.c: swap_setup;
 *           fs/buffer.c: brw_page
 *
 *    swap_map here = entries that hold the slot + 1 if a page is in the swap cache for it (area.ts keeps the two apart)
 *
 * DIFFERS: a count does not stick at SWAP_MAP_MAX (0x7fff): counts have no end here.
 */
import type { VmFault } from '../fault.ts';
import { GFP_ATOMIC, type Gfp } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { memcgOfPage } from '../memcg.ts';
import { putPage } from '../page_alloc.ts';
import { PG_locked, PG_private, PG_reserved, PG_swapcache } from '../page_flags.ts';
import { NO_PFN, type Pfn, type SwapEntry, swpEntry, swpOffset } from '../units.ts';
import { SWAP_HAS_CACHE, SWAP_MAP_BAD, type SwapInfo } from './area.ts';
import { swapWritepage } from './page_io.ts';
import { readSwapCacheAsync } from './swap_state.ts';
import { folioFreeSwap, swpSwapcount } from './swapfile.ts';

/** 16 MiB of memory in pages: with less, groups of 4 slots are read, not of 8. */
const SMALL_MACHINE_PAGES = 4096;

/** Boot: how many slots are read together, unless the configuration says so (swap_setup). */
export function swapSetup(machine: Machine): void {
  if (machine.config.sysctl?.pageCluster !== undefined) return;
  machine.sysctl.pageCluster = machine.frames.frames < SMALL_MACHINE_PAGES ? 2 : 3;
}

/** The slot's swap_map: entries that hold it, and the swap cache. */
export function swapMap(machine: Machine, entry: SwapEntry): number {
  const cache = (machine.swap.areaOf(entry).usage(swpOffset(entry)) & SWAP_HAS_CACHE) !== 0 ? 1 : 0;
  return swpSwapcount(machine, entry) + cache;
}

/** References but for the one that buffers hold (page_count - !!page->buffers). */
export function countWithoutBuffers(machine: Machine, pfn: Pfn): number {
  const { frames } = machine;
  return frames.refcount(pfn) - (frames.has(pfn, PG_private) ? 1 : 0);
}

/** Of a page in the swap cache: only the cache and one other hold it, and nobody but the cache needs its slot. */
function exclusiveSwapPage(machine: Machine, pfn: Pfn): boolean {
  return countWithoutBuffers(machine, pfn) === 2 && swapMap(machine, machine.frames.private_(pfn) as SwapEntry) === 1;
}

/** Copy-on-write found a locked page that one entry alone maps: no copy is needed. */
export function canShareSwapPage(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  const count = frames.refcount(pfn);
  if (count === 1) return !frames.has(pfn, PG_reserved);
  if (count === 3 && !frames.has(pfn, PG_private)) return false;
  return count <= 3 && frames.has(pfn, PG_swapcache) && exclusiveSwapPage(machine, pfn);
}

/** The slot of a locked page goes if only the page needs it, and only the caller the page. */
export function removeExclusiveSwapPage(machine: Machine, pfn: Pfn): boolean {
  if (!machine.frames.has(pfn, PG_swapcache) || !exclusiveSwapPage(machine, pfn)) return false;
  return folioFreeSwap(machine, pfn);
}

/** Writes a locked, clean page of the swap cache, and unlocks it; or gives up its slot, if only the caller has the page. */
export function swapWritepage_2_4(machine: Machine, pfn: Pfn): void {
  const { frames } = machine;
  if (removeExclusiveSwapPage(machine, pfn)) {
    frames.clear(pfn, PG_locked);
    return;
  }
  attachBuffers(machine, pfn, frames.private_(pfn) as SwapEntry);
  swapWritepage(machine, pfn);
}

/** The page of the slot, with a reference, locked while it is read; NO_PFN if nobody needs the slot or memory is short. */
export function readSwapCacheAsync_2_4(machine: Machine, entry: SwapEntry, gfp: Gfp): Pfn {
  const pfn = readSwapCacheAsync(machine, entry, gfp);
  if (pfn !== NO_PFN && machine.swap.freshPage) attachBuffers(machine, pfn, entry);
  return pfn;
}

/** I/O to a disk goes through a buffer, which stays on the page until somebody frees it. */
function attachBuffers(machine: Machine, pfn: Pfn, entry: SwapEntry): void {
  const { frames } = machine;
  if (frames.has(pfn, PG_private) || machine.swap.areaOf(entry).device === null) return;
  // Without memory the buffer comes from a reserve, which we do not keep.
  if (machine.slab.alloc(machine, 'buffer_head', memcgOfPage(machine, pfn), GFP_ATOMIC) < 0) return;
  frames.get(pfn);
  frames.set(pfn, PG_private);
}

/** First slot of the group around `offset`, and how many of it are read. 0: no reading ahead. */
export function validSwaphandles(
  area: SwapInfo,
  offset: number,
  pageCluster: number,
): { first: number; count: number } {
  if (pageCluster === 0) return { first: offset, count: 0 };
  const group = 1 << pageCluster;
  const start = offset - (offset % group);
  const end = Math.min(start + group, area.max);
  // Slot 0 is the header.
  const first = Math.max(start, 1);
  let at = first;
  while (at < end && area.usage(at) !== 0 && area.usage(at) !== SWAP_MAP_BAD) at += 1;
  return { first, count: at - first };
}

/** The page of this slot, with a reference, and its group on the way. The page is locked until it is read. */
export function swapinReadahead_2_4(machine: Machine, entry: SwapEntry, gfp: Gfp, _fault: VmFault | null): Pfn {
  const area = machine.swap.areaOf(entry);
  const { first, count } = validSwaphandles(area, swpOffset(entry), machine.sysctl.pageCluster);
  for (let i = 0; i < count; i++) {
    const pfn = readSwapCacheAsync_2_4(machine, swpEntry(area.type, first + i), gfp);
    if (pfn === NO_PFN) break;
    putPage(machine, pfn);
  }
  return readSwapCacheAsync_2_4(machine, entry, gfp);
}

/** The same for a page of tmpfs. */
export function shmemSwapin_2_4(machine: Machine, entry: SwapEntry, gfp: Gfp): Pfn {
  return swapinReadahead_2_4(machine, entry, gfp, null);
}
