/**
 * How kernels before clusters on lists (3.12) find a free slot: a run of 256 free ones, filled from end to end.
 *
 *   lowestBit           clusterNext                       highestBit
 *      ▼                     ▼                                 ▼
 *   │ # │ . │ # │ # │ # │ # │ . │ . │ … 250 more … │ . │ # │ . │     # taken   . free
 *                  └── one cluster, clusterNr slots left ──┘
 *
 *   The cluster is used up, or its next slot lies behind highestBit: look for 256 free slots in a row, from lowestBit on. There is
 *   none: the first free slot. Good at: pages that are evicted together stand together, with one seek. Bad at: nearly full areas,
 *   where each slot costs a scan.
 *
 * Owns      SwapInfo.lowestBit, highestBit, clusterNext and clusterNr of these kernels; SwapAreas.listNext.
 * Promises  1. No slot below lowestBit or above highestBit is free; highestBit is 0 when none is.
 *           2. Areas of equal priority take turns, slot by slot; one of lower priority is used when the higher ones are full.
 * Linux     2.6.24 mm/swapfile.c: scan_swap_map get_swap_page swap_entry_free; 2.4.19 mm/swapfile.c: scan_swap_map get_swap_page;
 *           3.16 mm/swapfile.c: scan_swap_map (rotating disks)
 *
 * DIFFERS: of two areas with the same priority the older one is asked first, in Linux the younger; slot numbers differ, counts do not.
 */
import { bugOn } from '../bug.ts';
import type { Machine } from '../machine.ts';
import { NO_SWAP, type SwapEntry, swpEntry } from '../units.ts';
import { NO_OFFSET, SWAP_HAS_CACHE, type SwapInfo } from './area.ts';
import { swapRangeAlloc, TTRS_ANYWAY, tryToReclaimSwap, vmSwapFull } from './swapfile.ts';

/** Slots of one run (SWAPFILE_CLUSTER). */
export const SCAN_CLUSTER = 256;

/** One of the scans below: the offset of a slot that is the caller's now, NO_OFFSET if the area has none. */
export type SwapScan = (machine: Machine, area: SwapInfo) => number;

/** A slot with SWAP_HAS_CACHE from the area whose turn it is, or NO_SWAP. */
export function getSwapPage(machine: Machine, scan: SwapScan): SwapEntry {
  const { swap } = machine;
  if (swap.nrSwapPages <= 0) return NO_SWAP;
  const areas = swap.active;
  swap.nrSwapPages -= 1;
  let at = swap.listNext === null ? 0 : Math.max(0, areas.indexOf(swap.listNext));
  for (let wrapped = 0; wrapped < 2 && areas.length > 0; ) {
    const area = areas[at]!;
    let next = at + 1;
    if (next >= areas.length || (wrapped === 0 && areas[next]!.prio !== area.prio)) {
      next = 0;
      wrapped += 1;
    }
    if (area.highestBit !== 0 && area.writeok) {
      swap.listNext = areas[next]!;
      const offset = scan(machine, area);
      if (offset !== NO_OFFSET) return swpEntry(area.type, offset);
    }
    at = next;
  }
  swap.nrSwapPages += 1;
  return NO_SWAP;
}

/** Nobody needs the slot any more. Where the next search begins: an area of higher priority than the one whose turn it is. */
export function slotFreedInMap(machine: Machine, area: SwapInfo, offset: number): void {
  const { swap } = machine;
  if (offset < area.lowestBit) area.lowestBit = offset;
  if (offset > area.highestBit) area.highestBit = offset;
  if (area.writeok && (swap.listNext === null || area.prio > swap.listNext.prio)) swap.listNext = area;
}

// 2.6

export function scanSwapMap(machine: Machine, area: SwapInfo): number {
  let offset = area.lowestBit;
  if (area.clusterNr > 0) {
    area.clusterNr -= 1;
    if (area.clusterNext <= area.highestBit) offset = area.clusterNext;
  } else {
    area.clusterNr = SCAN_CLUSTER - 1;
    const free = area.pages - area.inusePages >= SCAN_CLUSTER ? findEmptyCluster(area) : NO_OFFSET;
    if (free !== NO_OFFSET) offset = free;
  }
  if (!area.writeok || area.highestBit === 0) return NO_OFFSET;
  for (let at = offset; at <= area.highestBit; at++) if (area.usage(at) === 0) return takeSlot(machine, area, at);
  for (let at = area.lowestBit; at < offset; at++) if (area.usage(at) === 0) return takeSlot(machine, area, at);
  bugOn(true, 'highestBit is 0 when no slot is free', area.type);
  return NO_OFFSET;
}

/** The first 256 free slots in a row, aligned or not; NO_OFFSET if there are none. */
function findEmptyCluster(area: SwapInfo): number {
  let last = area.lowestBit + SCAN_CLUSTER - 1;
  for (let offset = area.lowestBit; last <= area.highestBit; offset++) {
    if (area.usage(offset) !== 0) last = offset + SCAN_CLUSTER;
    else if (offset === last) return offset - (SCAN_CLUSTER - 1);
  }
  return NO_OFFSET;
}

function takeSlot(machine: Machine, area: SwapInfo, offset: number): number {
  if (offset === area.lowestBit) area.lowestBit += 1;
  if (offset === area.highestBit) area.highestBit -= 1;
  area.setUsage(offset, SWAP_HAS_CACHE);
  swapRangeAlloc(machine, area);
  if (area.inusePages === area.pages) exhausted(area);
  area.clusterNext = offset + 1;
  return offset;
}

function exhausted(area: SwapInfo): void {
  area.lowestBit = area.max;
  area.highestBit = 0;
}

// 2.4

/** Taken slots of the cluster do not count against its 256; lowestBit follows only what is taken at the front. */
export function scanSwapMap_2_4(machine: Machine, area: SwapInfo): number {
  if (area.clusterNr > 0) {
    while (area.clusterNext <= area.highestBit) {
      const offset = area.clusterNext++;
      if (area.usage(offset) !== 0) continue;
      area.clusterNr -= 1;
      return takeSlot_2_4(machine, area, offset);
    }
  }
  area.clusterNr = SCAN_CLUSTER;
  const free = findEmptyCluster(area);
  if (free !== NO_OFFSET) return takeSlot_2_4(machine, area, free);
  for (let offset = area.lowestBit; offset <= area.highestBit; offset++) {
    if (area.usage(offset) !== 0) continue;
    area.lowestBit = offset;
    return takeSlot_2_4(machine, area, offset);
  }
  exhausted(area);
  return NO_OFFSET;
}

function takeSlot_2_4(machine: Machine, area: SwapInfo, offset: number): number {
  takeSlot(machine, area, offset);
  if (area.lowestBit > area.highestBit) exhausted(area);
  return offset;
}

// 3.16, rotating disks

/** A slot that only a page in memory keeps is taken from it once half of all swap is used. */
export function scanSwapMap_3(machine: Machine, area: SwapInfo): number {
  let offset = area.clusterNext;
  let base = offset;
  if (area.clusterNr > 0) {
    area.clusterNr -= 1;
  } else {
    if (area.pages - area.inusePages >= SCAN_CLUSTER) {
      base = area.lowestBit;
      const free = findEmptyCluster(area);
      offset = free === NO_OFFSET ? base : free;
      if (free !== NO_OFFSET) area.clusterNext = free;
    }
    area.clusterNr = SCAN_CLUSTER - 1;
  }
  if (!area.writeok || area.highestBit === 0) return NO_OFFSET;
  if (offset > area.highestBit) {
    offset = area.lowestBit;
    base = offset;
  }
  for (let at = offset; at <= area.highestBit; at++) if (isFree(machine, area, at)) return takeSlot(machine, area, at);
  for (let at = area.lowestBit; at < base; at++) if (isFree(machine, area, at)) return takeSlot(machine, area, at);
  return NO_OFFSET;
}

/** Free, or made so just now. */
function isFree(machine: Machine, area: SwapInfo, offset: number): boolean {
  const usage = area.usage(offset);
  if (usage === SWAP_HAS_CACHE && vmSwapFull(machine)) return tryToReclaimSwap(machine, area, offset, TTRS_ANYWAY);
  return usage === 0;
}
