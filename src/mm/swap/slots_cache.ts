/**
 * How 6.1 finds a free slot: the CPU takes 64 at a time, and gives 64 back at a time.
 *
 * Owns      the CPU's cache of slots; the scan for free slots that refills it.
 * Promises  1. A slot in the cache has SWAP_HAS_CACHE and no page.
 *           2. The cache is used while more than 320 slots per CPU are free, until fewer than 128 are.
 * Linux     6.1 mm/swap_slots.c: check_cache_active refill_swap_slots_cache free_swap_slot drain_slots_cache_cpu;
 *           mm/swapfile.c: get_swap_pages scan_swap_map_slots scan_swap_map_try_ssd_cluster set_cluster_next
 * Before    the same
 *
 *    A rotating disk is filled from the front: a run of 512 free slots is taken from end to end, then the next is looked for.
 *    A solid-state one is filled free cluster by free cluster, those 32 apart first; when none is left, from where the last
 *    scan ended. Good at: few seeks. Bad at: a slot that was freed comes back late, so pages lie scattered sooner.
 */
import { bugOn } from '../bug.ts';
import type { Machine } from '../machine.ts';
import { NO_SWAP, type SwapEntry, swpEntry, swpOffset } from '../units.ts';
import { CLUSTER_FREE, CLUSTER_NONE, NO_CLUSTER, SWAP_HAS_CACHE, SWAPFILE_CLUSTER, type SwapInfo } from './area.ts';
import { memCgroupUnchargeSwap } from './swap_cgroup.ts';
import { swapRangeAlloc, swapRangeFree, TTRS_ANYWAY, tryToReclaimSwap, vmSwapFull } from './swapfile.ts';

const SWAP_SLOTS_CACHE_SIZE = 64;
const THRESHOLD_ACTIVATE = 5 * SWAP_SLOTS_CACHE_SIZE;
const THRESHOLD_DEACTIVATE = 2 * SWAP_SLOTS_CACHE_SIZE;
const LATENCY_LIMIT = 256;
/** Slots of one swapper address space: 64 MiB. */
const SWAP_ADDRESS_SPACE_PAGES = 2 ** 14;
const SWAP_CLUSTER_COLS = SWAP_ADDRESS_SPACE_PAGES / SWAPFILE_CLUSTER;

export class SlotsCache {
  /** No swapoff is under way. */
  enabled = false;
  /** There is enough free swap. */
  active = false;
  readonly slots: Uint32Array = new Uint32Array(SWAP_SLOTS_CACHE_SIZE);
  cur = 0;
  nr = 0;
  /** Slots on their way back. */
  readonly returned: Uint32Array = new Uint32Array(SWAP_SLOTS_CACHE_SIZE);
  nrReturned = 0;
}

/** Where a scan stands; lives in the machine, so that a scan allocates nothing. */
export class SlotScan {
  offset = 0;
  base = 0;
  latency = 0;
  scannedMany = false;
  readonly found: Uint32Array = new Uint32Array(SWAP_SLOTS_CACHE_SIZE);
}

/** At swapon: the free clusters of a solid-state area, one of every 32 before their neighbours. */
export function setupFreeClusters(area: SwapInfo): void {
  const clusters = area.clusters;
  // SINCE 4.18: before, one after the other.
  const columns = clusters.slots === SWAPFILE_CLUSTER ? SWAP_CLUSTER_COLS : 1;
  for (let column = 0; column < columns; column++) {
    for (let cluster = column; cluster < clusters.length; cluster += columns) {
      if (clusters.count(cluster) === 0) clusters.move(cluster, CLUSTER_FREE);
    }
  }
}

/** A slot with SWAP_HAS_CACHE, or NO_SWAP. */
export function allocSlotFromCache(machine: Machine): SwapEntry {
  const cache = machine.swap.slotsCache;
  if (checkCacheActive(machine)) {
    if (cache.nr === 0) {
      cache.cur = 0;
      cache.nr = getSwapPages(machine, SWAP_SLOTS_CACHE_SIZE);
      cache.slots.set(machine.swap.scan.found);
    }
    if (cache.nr > 0) {
      cache.nr -= 1;
      return cache.slots[cache.cur++]! as SwapEntry;
    }
  }
  return allocOneSlot(machine);
}

/** One slot, without a cache of them (before 4.11). */
export function allocOneSlot(machine: Machine): SwapEntry {
  return (getSwapPages(machine, 1) > 0 ? machine.swap.scan.found[0]! : NO_SWAP) as SwapEntry;
}

/** Nobody needs the slot any more: it waits with others before it is really free (free_swap_slot). */
export function returnSlot(machine: Machine, entry: SwapEntry): void {
  const cache = machine.swap.slotsCache;
  if (!cache.enabled || !cache.active) {
    freeReturnedSlot(machine, entry);
    return;
  }
  if (cache.nrReturned === SWAP_SLOTS_CACHE_SIZE) freeReturned(machine);
  cache.returned[cache.nrReturned++] = entry;
}

/** swapoff: the cache must hold no slot of the area. */
export function disableSlotsCache(machine: Machine): void {
  machine.swap.slotsCache.enabled = false;
  drainSlotsCache(machine);
}

/** True if the slot waits in the cache, to be used or to be freed. For verify: it looks through all. */
export function isInSlotsCache(cache: SlotsCache, entry: SwapEntry): boolean {
  for (let i = 0; i < cache.nr; i++) if (cache.slots[cache.cur + i] === entry) return true;
  for (let i = 0; i < cache.nrReturned; i++) if (cache.returned[i] === entry) return true;
  return false;
}

function checkCacheActive(machine: Machine): boolean {
  const cache = machine.swap.slotsCache;
  if (!cache.enabled) return false;
  const cpus = machine.config.cpus ?? 1;
  const free = machine.swap.nrSwapPages;
  if (!cache.active) {
    if (free > cpus * THRESHOLD_ACTIVATE) cache.active = true;
  } else if (free < cpus * THRESHOLD_DEACTIVATE) {
    cache.active = false;
    drainSlotsCache(machine);
  }
  return cache.active;
}

function drainSlotsCache(machine: Machine): void {
  const cache = machine.swap.slotsCache;
  for (; cache.nr > 0; cache.nr--) freeReturnedSlot(machine, cache.slots[cache.cur++]! as SwapEntry);
  cache.cur = 0;
  freeReturned(machine);
}

function freeReturned(machine: Machine): void {
  const cache = machine.swap.slotsCache;
  const count = cache.nrReturned;
  cache.nrReturned = 0;
  for (let i = 0; i < count; i++) freeReturnedSlot(machine, cache.returned[i]! as SwapEntry);
}

function freeReturnedSlot(machine: Machine, entry: SwapEntry): void {
  const area = machine.swap.areaOf(entry);
  const offset = swpOffset(entry);
  bugOn(area.usage(offset) !== SWAP_HAS_CACHE, 'a slot in the cache has SWAP_HAS_CACHE and no page', entry);
  area.setUsage(offset, 0);
  if (!area.rotational) {
    const cluster = Math.floor(offset / area.clusters.slots);
    if (area.clusters.dec(cluster) === 0) area.clusters.move(cluster, CLUSTER_FREE);
  }
  memCgroupUnchargeSwap(machine, entry);
  if (offset < area.lowestBit) area.lowestBit = offset;
  if (offset > area.highestBit) area.highestBit = offset;
  swapRangeFree(machine, area, offset);
}

/** Up to `goal` slots into `scan.found`, from the area whose turn it is; how many. */
function getSwapPages(machine: Machine, goal: number): number {
  const swap = machine.swap;
  const want = Math.min(goal, swap.nrSwapPages);
  if (want <= 0) return 0;
  // Counted as taken before they are, so that the scan sees how full swap will be.
  swap.nrSwapPages -= want;
  let found = 0;
  let at = 0;
  for (let tries = swap.avail.length; tries > 0 && found === 0; tries--) {
    const area = swap.avail[at]!;
    swap.requeue(area);
    if (swap.avail[at] === area) at += 1;
    found = scanSwapMapSlots(machine, area, want);
  }
  swap.nrSwapPages += want - found;
  return found;
}

/** Takes up to `want` free slots near where the last scan ended. */
function scanSwapMapSlots(machine: Machine, area: SwapInfo, want: number): number {
  const scan = machine.swap.scan;
  scan.offset = area.clusterNext;
  scan.base = area.clusterNext;
  scan.latency = LATENCY_LIMIT;
  scan.scannedMany = false;
  let found = 0;
  let here = true;
  if (!area.rotational) here = trySsdCluster(area, scan);
  else startRotationalCluster(area, scan);
  for (;;) {
    if (!here && !scanOn(machine, area, scan)) return found;
    if (!area.rotational) {
      const left = leaveForeignCluster(area, scan, found);
      if (left === DONE) break;
      if (left === SCAN) {
        here = false;
        continue;
      }
    }
    if (!area.writeok || area.highestBit === 0) return found;
    if (scan.offset > area.highestBit) {
      scan.offset = area.lowestBit;
      scan.base = area.lowestBit;
    }
    const usage = area.usage(scan.offset);
    if (usage === SWAP_HAS_CACHE && vmSwapFull(machine)) {
      // Only a page in memory keeps the slot. (The page gone, the slot may still wait among those returned.)
      here = tryToReclaimSwap(machine, area, scan.offset, TTRS_ANYWAY);
      continue;
    }
    if (usage !== 0) {
      if (found > 0) break;
      here = false;
      continue;
    }
    takeSlot(machine, area, scan.offset);
    scan.found[found++] = swpEntry(area.type, scan.offset);
    if (found === want || scan.offset >= area.highestBit) break;
    if (--scan.latency < 0 || !findMore(area, scan)) break;
    here = true;
  }
  setClusterNext(area, scan.offset + 1);
  return found;
}

function takeSlot(machine: Machine, area: SwapInfo, offset: number): void {
  area.setUsage(offset, SWAP_HAS_CACHE);
  if (!area.rotational) {
    const cluster = Math.floor(offset / area.clusters.slots);
    if (area.clusters.flag(cluster) === CLUSTER_FREE) area.clusters.move(cluster, CLUSTER_NONE);
    area.clusters.inc(cluster);
  }
  if (offset === area.lowestBit) area.lowestBit += 1;
  if (offset === area.highestBit) area.highestBit -= 1;
  swapRangeAlloc(machine, area);
  if (area.inusePages === area.pages) {
    area.lowestBit = area.max;
    area.highestBit = 0;
  }
}

/** After 512 slots a rotating disk looks, from the front, for another 512 in a row that are free. */
function startRotationalCluster(area: SwapInfo, scan: SlotScan): void {
  if (area.clusterNr > 0) {
    area.clusterNr -= 1;
    return;
  }
  area.clusterNr = area.clusters.slots - 1;
  if (area.pages - area.inusePages < area.clusters.slots) return;
  scan.base = area.lowestBit;
  scan.offset = area.lowestBit;
  let last = scan.offset + area.clusters.slots - 1;
  for (let offset = scan.offset; last <= area.highestBit; offset++) {
    if (area.usage(offset) !== 0) last = offset + area.clusters.slots;
    else if (offset === last) {
      scan.offset = offset - (area.clusters.slots - 1);
      area.clusterNext = scan.offset;
      return;
    }
    if (--scan.latency < 0) scan.latency = LATENCY_LIMIT;
  }
}

/** The next free slot of the CPU's cluster, or of a free one. False if there is none. */
function trySsdCluster(area: SwapInfo, scan: SlotScan): boolean {
  for (;;) {
    if (area.cpuCluster === NO_CLUSTER) {
      area.cpuCluster = area.clusters.first(CLUSTER_FREE);
      if (area.cpuCluster === NO_CLUSTER) return false;
      area.cpuNext = area.cpuCluster * area.clusters.slots;
    }
    const end = Math.min(area.max, (area.cpuCluster + 1) * area.clusters.slots);
    let offset = area.cpuNext;
    while (offset < end && area.usage(offset) !== 0) offset += 1;
    if (offset < end) {
      area.cpuNext = offset + 1;
      scan.offset = offset;
      scan.base = offset;
      return true;
    }
    area.cpuCluster = NO_CLUSTER;
  }
}

const HERE = 0;
const SCAN = 1;
const DONE = 2;

/** A free cluster is begun at the head of the list only; a scan that strays into another one is sent to that. */
function leaveForeignCluster(area: SwapInfo, scan: SlotScan, found: number): number {
  for (;;) {
    const cluster = Math.floor(scan.offset / area.clusters.slots);
    const first = area.clusters.first(CLUSTER_FREE);
    if (first === NO_CLUSTER || first === cluster || area.clusters.flag(cluster) !== CLUSTER_FREE) return HERE;
    area.cpuCluster = NO_CLUSTER;
    if (found > 0) return DONE;
    if (!trySsdCluster(area, scan)) return SCAN;
  }
}

/** After a slot was found: is another one close by? */
function findMore(area: SwapInfo, scan: SlotScan): boolean {
  if (!area.rotational) {
    if (trySsdCluster(area, scan)) return true;
  } else if (area.clusterNr > 0) {
    scan.offset += 1;
    if (area.usage(scan.offset) === 0) {
      area.clusterNr -= 1;
      return true;
    }
  }
  if (scan.scannedMany) return false;
  const limit = scan.offset < scan.base ? scan.base : area.highestBit;
  for (; scan.offset <= limit; scan.offset++) {
    if (--scan.latency <= 0) return false;
    if (area.usage(scan.offset) === 0) return true;
  }
  return false;
}

/** Slot by slot to the end, then from the front to where the scan began. False if nothing is free. */
function scanOn(machine: Machine, area: SwapInfo, scan: SlotScan): boolean {
  while (++scan.offset <= area.highestBit) {
    if (isWorthATry(machine, area, scan)) return true;
  }
  for (scan.offset = area.lowestBit; scan.offset < scan.base; scan.offset++) {
    if (isWorthATry(machine, area, scan)) return true;
  }
  return false;
}

function isWorthATry(machine: Machine, area: SwapInfo, scan: SlotScan): boolean {
  if (--scan.latency < 0) {
    scan.latency = LATENCY_LIMIT;
    scan.scannedMany = true;
  }
  const usage = area.usage(scan.offset);
  return usage === 0 || (usage === SWAP_HAS_CACHE && vmSwapFull(machine));
}

/**
 * DIFFERS: when a solid-state area passes into other 64 MiB, Linux goes on at a random place, so that CPUs keep apart; here
 * the lowest free slot is taken. Slot numbers differ, the number of slots does not.
 */
function setClusterNext(area: SwapInfo, next: number): void {
  const crossed =
    Math.floor(area.clusterNext / SWAP_ADDRESS_SPACE_PAGES) !== Math.floor(next / SWAP_ADDRESS_SPACE_PAGES);
  // SINCE 5.10: before, where the last scan ended.
  if (area.rotational || !crossed || area.clusters.slots !== SWAPFILE_CLUSTER) {
    area.clusterNext = next;
    return;
  }
  if (area.highestBit > area.lowestBit) area.clusterNext = area.lowestBit;
}
