/**
 * How 6.18 finds a free slot: cluster by cluster.
 *
 * Owns      which cluster the CPU (solid state) or the area (rotating disk) takes its next slot from.
 * Promises  Slots are taken in ascending order within a cluster; an area just swapped on gives 1, 2, 3, …
 * Linux     6.18 mm/swapfile.c: swap_alloc_fast swap_alloc_slow cluster_alloc_swap_entry alloc_swap_scan_list
 *           alloc_swap_scan_cluster cluster_reclaim_range relocate_cluster swap_reclaim_full_clusters free_cluster
 *           partial_free_cluster
 * Before    slots_cache.ts (6.1)
 *
 *              taken from            a slot is freed
 *    free ───────────────► frag ──────────────────────► nonfull
 *     ▲                     │ full                         │ taken from
 *     │ last slot freed     ▼                              ▼
 *     └─────────────────── full ◄──────────────────────── frag
 *
 *    Looked for in this order: the cluster used last, nonfull, free, (half of all swap is taken: a full cluster whose pages
 *    are all back in memory), frag.
 *    Good at: keeping pages that were evicted together together. Bad at: nothing is moved, so a cluster with one page left
 *    in it stays.
 */
import type { Machine } from '../machine.ts';
import { NO_SWAP, type SwapEntry, swpEntry } from '../units.ts';
import {
  CLUSTER_FRAG,
  CLUSTER_FREE,
  CLUSTER_FULL,
  CLUSTER_NONE,
  CLUSTER_NONFULL,
  NO_CLUSTER,
  NO_OFFSET,
  SWAP_HAS_CACHE,
  SWAPFILE_CLUSTER,
  type SwapInfo,
} from './area.ts';
import { swapRangeAlloc, TTRS_ANYWAY, tryToReclaimSwap, vmSwapFull } from './swapfile.ts';

/** At swapon: partly taken clusters (the header's, the last) are used first. */
export function setupClusters(area: SwapInfo): void {
  const clusters = area.clusters;
  for (let cluster = 0; cluster < clusters.length; cluster++) {
    clusters.move(cluster, clusters.count(cluster) > 0 ? CLUSTER_NONFULL : CLUSTER_FREE);
  }
}

/** A slot with SWAP_HAS_CACHE, or NO_SWAP. */
export function allocSlotFromClusters(machine: Machine): SwapEntry {
  const swap = machine.swap;
  const current = swap.currentType < 0 ? null : swap.areas[swap.currentType]!;
  if (current !== null && swap.currentOffset !== NO_OFFSET) {
    const offset = scanFrom(machine, current, swap.currentOffset);
    if (offset !== NO_OFFSET) return swpEntry(current.type, offset);
  }
  // An area stands behind its equals once it was asked; where it keeps its place it is the last of its priority.
  let at = 0;
  for (let tries = swap.avail.length; tries > 0; tries--) {
    const area = swap.avail[at]!;
    swap.requeue(area);
    if (swap.avail[at] === area) at += 1;
    const offset = clusterAllocSwapEntry(machine, area);
    if (offset !== NO_OFFSET) return swpEntry(area.type, offset);
  }
  return NO_SWAP;
}

/** A whole free cluster with SWAP_HAS_CACHE in every slot, for a huge page; NO_SWAP if there is none. Files have none. */
export function allocHugeSlots(machine: Machine, pages: number): SwapEntry {
  const { swap } = machine;
  for (const area of swap.avail) {
    // 6.1 keeps lists of clusters for solid state only.
    const listed = !area.rotational || !machine.generation.switches.swapSlotsCache;
    const cluster = area.clusters.first(CLUSTER_FREE);
    if (!area.blockDevice || !area.writeok || !listed || cluster === NO_CLUSTER || pages !== SWAPFILE_CLUSTER) continue;
    const first = cluster * SWAPFILE_CLUSTER;
    area.clusters.move(cluster, CLUSTER_NONE);
    for (let i = 0; i < pages; i++) {
      area.setUsage(first + i, SWAP_HAS_CACHE);
      area.clusters.inc(cluster);
      swapRangeAlloc(machine, area);
    }
    swap.nrSwapPages -= pages;
    if (!machine.generation.switches.swapSlotsCache) area.clusters.move(cluster, CLUSTER_FULL);
    return swpEntry(area.type, first);
  }
  return NO_SWAP;
}

/** A slot of the area is free again: its cluster is free, or has room. */
export function slotFreedInCluster(area: SwapInfo, offset: number): void {
  const clusters = area.clusters;
  const cluster = Math.floor(offset / SWAPFILE_CLUSTER);
  const list = clusters.dec(cluster) === 0 ? CLUSTER_FREE : CLUSTER_NONFULL;
  if (clusters.flag(cluster) !== list) clusters.move(cluster, list);
}

function clusterAllocSwapEntry(machine: Machine, area: SwapInfo): number {
  if (area.rotational && area.globalNext !== NO_OFFSET) {
    const found = scanFrom(machine, area, area.globalNext);
    if (found !== NO_OFFSET) return found;
  }
  let found = scanList(machine, area, CLUSTER_NONFULL, true);
  if (found === NO_OFFSET) found = scanList(machine, area, CLUSTER_FREE, false);
  if (found !== NO_OFFSET) return found;
  if (vmSwapFull(machine)) reclaimFullClusters(machine, area, 1);
  return scanList(machine, area, CLUSTER_FRAG, false);
}

/** Goes on where the last allocation ended, unless the cluster was emptied or filled meanwhile. */
function scanFrom(machine: Machine, area: SwapInfo, offset: number): number {
  const cluster = Math.floor(offset / SWAPFILE_CLUSTER);
  return isUsable(area, cluster) ? scanCluster(machine, area, cluster, offset) : NO_OFFSET;
}

function scanList(machine: Machine, area: SwapInfo, list: number, all: boolean): number {
  do {
    const cluster = area.clusters.first(list);
    if (cluster === NO_CLUSTER) break;
    area.clusters.move(cluster, CLUSTER_NONE);
    const found = scanCluster(machine, area, cluster, cluster * SWAPFILE_CLUSTER);
    if (found !== NO_OFFSET) return found;
  } while (all);
  return NO_OFFSET;
}

/** Takes the first slot of the cluster from `offset` on. Leaves the cluster on the list where it belongs. */
function scanCluster(machine: Machine, area: SwapInfo, cluster: number, offset: number): number {
  const clusters = area.clusters;
  const end = Math.min((cluster + 1) * SWAPFILE_CLUSTER, area.max);
  let found = NO_OFFSET;
  let next = NO_OFFSET;
  if (clusters.count(cluster) < SWAPFILE_CLUSTER) {
    for (let at = offset; at < end; at++) {
      const usage = area.usage(at);
      if (usage === SWAP_HAS_CACHE) {
        // Only a page in memory keeps the slot, and swap is getting full: the page can do without.
        if (!vmSwapFull(machine)) continue;
        tryToReclaimSwap(machine, area, at, TTRS_ANYWAY);
        if (!isUsable(area, cluster)) break;
        if (area.usage(at) !== 0) continue;
      } else if (usage !== 0) {
        continue;
      }
      if (!area.writeok) break;
      area.setUsage(at, SWAP_HAS_CACHE);
      swapRangeAlloc(machine, area);
      machine.swap.nrSwapPages -= 1;
      clusters.inc(cluster);
      found = at;
      if (clusters.count(cluster) < SWAPFILE_CLUSTER && at + 1 < end) next = at + 1;
      break;
    }
  }
  relocate(area, cluster);
  if (area.rotational) {
    area.globalNext = next;
  } else {
    machine.swap.currentType = area.type;
    machine.swap.currentOffset = next;
  }
  return found;
}

/** Neither full nor emptied: an emptied cluster gave its table back and waits on the free list. */
function isUsable(area: SwapInfo, cluster: number): boolean {
  const flag = area.clusters.flag(cluster);
  return flag === CLUSTER_NONE || flag === CLUSTER_NONFULL || flag === CLUSTER_FRAG;
}

function relocate(area: SwapInfo, cluster: number): void {
  const clusters = area.clusters;
  const count = clusters.count(cluster);
  const list = count === 0 ? CLUSTER_FREE : count === SWAPFILE_CLUSTER ? CLUSTER_FULL : CLUSTER_FRAG;
  if (clusters.flag(cluster) !== list) clusters.move(cluster, list);
}

/** Gives up the slots that only pages in memory keep, in the `count` clusters that have been full longest. */
export function reclaimFullClusters(machine: Machine, area: SwapInfo, count: number): void {
  const clusters = area.clusters;
  for (let left = count; ; ) {
    const cluster = clusters.first(CLUSTER_FULL);
    if (cluster === NO_CLUSTER) return;
    clusters.move(cluster, CLUSTER_NONE);
    left -= 1;
    const end = Math.min((cluster + 1) * SWAPFILE_CLUSTER, area.max);
    for (let offset = cluster * SWAPFILE_CLUSTER; offset < end; offset++) {
      if (area.usage(offset) === SWAP_HAS_CACHE) tryToReclaimSwap(machine, area, offset, TTRS_ANYWAY);
    }
    // Unless a slot was freed, and with it the cluster moved.
    if (clusters.flag(cluster) === CLUSTER_NONE) relocate(area, cluster);
    if (left <= 0) return;
  }
}
