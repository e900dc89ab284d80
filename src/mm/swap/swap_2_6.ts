/**
 * Swap of 2.6: slots, readahead, and pages that need theirs no more.
 *
 *   page_cluster 3, fault on slot 21:  16 17 18 19 20 [21] 22 23   the aligned group, up to the first free or bad slot
 *                   fault on slot 5:    1  2  3  4 [5]  6  7       slot 0 is the header
 *
 *   Good at: pages that were evicted together. Bad at: everything else; nothing tells it that it guesses wrong.
 *
 * Owns      nothing: the columns are area.ts's, the cache is swap_state.ts's.
 * Promises  A page read in stands on the active list (TwoListLru), whether it was asked for or guessed.
 * Linux     2.6.24 mm/swapfile.c: get_swap_page valid_swaphandles remove_exclusive_swap_page can_share_swap_page;
 *           mm/memory.c: swapin_readahead; 2.6.26 mm/swap_state.c: swapin_readahead
 */
import type { VmFault } from '../fault.ts';
import type { Gfp } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { putPage } from '../page_alloc.ts';
import { PG_dirty, PG_swapcache, PG_writeback } from '../page_flags.ts';
import { NO_PFN, type Pfn, type SwapEntry, swpEntry, swpOffset } from '../units.ts';
import { SWAP_MAP_BAD } from './area.ts';
import { getSwapPage, scanSwapMap } from './scan_swap_map.ts';
import { deleteFromSwapCache, readSwapCacheAsync } from './swap_state.ts';
import { swapTokenOf } from './swap_token.ts';
import { swpSwapcount } from './swapfile.ts';

/** A slot for one page, with SWAP_HAS_CACHE; NO_SWAP if there is none. */
export function allocSwapSlot_2_6(machine: Machine): SwapEntry {
  return getSwapPage(machine, scanSwapMap);
}

/** A fault asks for the swap token first; swapoff does not. */
export function swapinReadahead_2_6(machine: Machine, entry: SwapEntry, gfp: Gfp, fault: VmFault): Pfn {
  if (!machine.current.swapoff) swapTokenOf(machine)?.grab(fault.vma.vmMm);
  return swapGroupReadahead(machine, entry, gfp);
}

/** The page of this slot, with a reference, and its group on the way. */
export function swapGroupReadahead(machine: Machine, entry: SwapEntry, gfp: Gfp): Pfn {
  const area = machine.swap.areaOf(entry);
  const group = 1 << machine.sysctl.pageCluster;
  const start = swpOffset(entry) - (swpOffset(entry) % group);
  const end = group === 1 ? start : Math.min(start + group, area.max);
  for (let offset = Math.max(1, start); offset < end; offset++) {
    if (area.usage(offset) === 0 || area.usage(offset) === SWAP_MAP_BAD) break;
    const pfn = readSwapCacheAsync(machine, swpEntry(area.type, offset), gfp);
    if (pfn === NO_PFN) break;
    putPage(machine, pfn);
  }
  machine.lru.drain();
  return readSwapCacheAsync(machine, entry, gfp);
}

/** Entries that map the page, and those that hold its slot; 1: whoever asks is alone. The page is locked. */
export function canShareSwapPage(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  let users = frames.mapcount(pfn);
  if (users <= 1 && frames.has(pfn, PG_swapcache)) users += swpSwapcount(machine, frames.private_(pfn) as SwapEntry);
  return users === 1;
}

/** A locked page that only the cache and one other hold, and whose slot nobody else needs, gives it up. */
export function removeExclusiveSwapPage(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  if (!frames.has(pfn, PG_swapcache) || frames.has(pfn, PG_writeback) || frames.refcount(pfn) !== 2) return false;
  if (swpSwapcount(machine, frames.private_(pfn) as SwapEntry) !== 0) return false;
  deleteFromSwapCache(machine, pfn);
  frames.set(pfn, PG_dirty);
  return true;
}
