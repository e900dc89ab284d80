/**
 * Swap areas, and who needs which slot.
 *
 * Owns      the list of areas and their order; the counts in each slot's byte; how full swap is.
 * Promises  1. A slot's count is the number of page-table entries that hold its entry, or SHMEM for a page of tmpfs.
 *           2. A slot is free when its count is 0 and no page in the swap cache needs it.
 *           3. nrSwapPages is the number of free slots of all areas; totalSwapPages of usable ones.
 *           4. An area with the highest priority is used first; areas of equal priority take turns.
 * Linux     6.18 mm/swapfile.c: swapon swapoff folio_alloc_swap __swap_duplicate swap_entry_put_locked swap_entries_free
 *           swap_range_alloc swap_range_free folio_free_swap free_swap_and_cache_nr __try_to_reclaim_swap swp_swapcount;
 *           mm/memcontrol.c: mem_cgroup_get_nr_swap_pages mem_cgroup_swap_full
 *
 * DIFFERS: the pages that continue a count above 62, and the memory of zram, are not taken from the machine.
 */
import { newDisk } from '../block.ts';
import { bugOn } from '../bug.ts';
import { EEXIST, EINVAL, ENOENT, ENOMEM, EPERM } from '../errno.ts';
import { folioMapcount, folioPages } from '../folio.ts';
import type { DiskConfig, Machine } from '../machine.ts';
import type { MemCgroup } from '../memcg.ts';
import { compoundHead, putPage } from '../page_alloc.ts';
import { PG_dirty, PG_locked, PG_swapcache, PG_writeback } from '../page_flags.ts';
import { NO_PFN, NO_SWAP, PAGE_SIZE, type Pfn, type SwapEntry, swpOffset, swpType } from '../units.ts';
import {
  COUNT_CONTINUED,
  NO_OFFSET,
  SWAP_HAS_CACHE,
  SWAP_MAP_BAD,
  SWAP_MAP_MAX,
  SWAP_MAP_SHMEM,
  SwapInfo,
} from './area.ts';
import { allocHugeSlots, reclaimFullClusters, setupClusters, slotFreedInCluster } from './clusters.ts';
import { slotFreedInMap } from './scan_swap_map.ts';
import { disableSlotsCache, returnSlot, SlotScan, SlotsCache, setupFreeClusters } from './slots_cache.ts';
import { memCgroupTryChargeSwap, memCgroupUnchargeSwap } from './swap_cgroup.ts';
import { deleteFromSwapCache } from './swap_state.ts';
import { tryToUnuse } from './unuse.ts';

export { memCgroupSwapinUnchargeSwap, swapMemcg } from './swap_cgroup.ts';

/** MAX_SWAPFILES: 32 types, less those of migration, device and poison entries. */
const MAX_SWAPFILES = 23;

export interface SwapConfig {
  bytes: number;
  /** Memory that compresses (done at once), or a disk (takes its time). */
  device: 'zram' | 'disk';
  /** 0 to 32767. Left out: below all others, in the order of swapon. */
  priority?: number;
  /** A disk of its own; left out, the machine's. */
  diskConfig?: Partial<DiskConfig>;
  /** A disk that turns, as virtio disks say they do. It makes readahead follow slots, not addresses. Default: every disk. */
  rotational?: boolean;
  /** A file of a file system, not a device of its own: it has no room for huge pages as a whole. Default false. */
  file?: boolean;
}

export class SwapAreas {
  /** By type; null where swapoff left a hole. */
  readonly areas: (SwapInfo | null)[] = [];
  /** Those that are on, and of these those with free slots, by falling priority. */
  readonly active: SwapInfo[] = [];
  readonly avail: SwapInfo[] = [];
  nrSwapPages = 0;
  totalSwapPages = 0;
  private leastPriority: number;
  /** Areas on rotating disks. */
  nrRotate = 0;
  /** 6.18: the solid-state area and offset where the CPU takes its next slot. */
  currentType = -1;
  currentOffset = NO_OFFSET;
  /** Before 3.16: the area whose turn it is (swap_list.next). */
  listNext: SwapInfo | null = null;
  /** 6.1. */
  readonly slotsCache: SlotsCache = new SlotsCache();
  readonly scan: SlotScan = new SlotScan();
  /** /sys/kernel/mm/swap/vma_ra_enabled. */
  vmaReadahead = true;
  /** Cluster readahead: hits since the last read, where that was, how long it was. */
  readaheadHits = 4;
  readaheadOffset = 0;
  readaheadPages = 0;
  /** The page that swap_state.ts found last was read in just now. */
  freshPage = false;

  /** `leastPriority`: the first area without a priority gets one less. */
  constructor(leastPriority: number = -1) {
    this.leastPriority = leastPriority;
  }

  areaOf(entry: SwapEntry): SwapInfo {
    return this.areas[swpType(entry)]!;
  }

  /** An area asked for slots stands behind its equals from then on (plist_requeue). */
  requeue(area: SwapInfo): void {
    const avail = this.avail;
    let at = avail.indexOf(area);
    for (; at + 1 < avail.length && avail[at + 1]!.prio === area.prio; at++) avail[at] = avail[at + 1]!;
    avail[at] = area;
  }
  addAvail(area: SwapInfo): void {
    insertByPriority(this.avail, area);
  }
  dropAvail(area: SwapInfo): void {
    const at = this.avail.indexOf(area);
    if (at >= 0) this.avail.splice(at, 1);
  }

  /** The area's slots may be used. */
  enable(area: SwapInfo): void {
    if (area.autoPriority) area.prio = --this.leastPriority;
    this.nrSwapPages += area.pages;
    this.totalSwapPages += area.pages;
    insertByPriority(this.active, area);
    if (this.active[0] === area) this.listNext = area;
    area.writeok = true;
    if (area.inusePages < area.pages) this.addAvail(area);
  }
  /** No slot of it may be used any more. Areas that came after one without a priority move up. */
  disable(area: SwapInfo): void {
    area.writeok = false;
    this.dropAvail(area);
    const at = this.active.indexOf(area);
    if (area.autoPriority) {
      for (let i = at + 1; i < this.active.length; i++) this.active[i]!.prio += 1;
      this.leastPriority += 1;
    }
    this.active.splice(at, 1);
    if (at === 0 || this.listNext === area) this.listNext = this.active[0] ?? null;
    this.nrSwapPages -= area.pages;
    this.totalSwapPages -= area.pages;
  }
}

/** Returns the type of the new area, or -errno. */
export function swapon(machine: Machine, config: SwapConfig): number {
  const max = Math.floor(config.bytes / PAGE_SIZE);
  if (max < 2) return -EINVAL;
  const swap = machine.swap;
  let type = 0;
  while (type < swap.areas.length && swap.areas[type] !== null) type += 1;
  if (type >= MAX_SWAPFILES) return -EPERM;
  const isDisk = config.device === 'disk';
  const disk = config.diskConfig === undefined ? machine.disk : newDisk(`swap${type}`, config.diskConfig);
  const rotational = isDisk && (config.rotational ?? true);
  const auto = config.priority === undefined;
  const area = new SwapInfo(
    type,
    max,
    config.priority ?? 0,
    auto,
    isDisk ? disk : null,
    rotational,
    machine.generation.switches.swapfileCluster,
  );
  area.blockDevice = !(config.file ?? false);
  swap.areas[type] = area;
  if (rotational) swap.nrRotate += 1;
  const { swapSlotsCache, swapScanMap } = machine.generation.switches;
  if (!swapSlotsCache && !swapScanMap) setupClusters(area);
  else if (!rotational && !swapScanMap) setupFreeClusters(area);
  swap.enable(area);
  swap.slotsCache.enabled = true;
  return type;
}

/** Brings everything back that is in the area, then forgets the area. 0 or -errno. */
export function swapoff(machine: Machine, type: number): number {
  const swap = machine.swap;
  const area = swap.areas[type];
  if (area === undefined || area === null) return -EINVAL;
  if (machine.sysctl.overcommitMemory === 2 && !fitsWithout(machine, area)) return -ENOMEM;
  swap.disable(area);
  disableSlotsCache(machine);
  const task = machine.current;
  task.swapoff = true;
  const refused = (machine.generation.tryToUnuse ?? tryToUnuse)(machine, area);
  task.swapoff = false;
  if (refused < 0) swap.enable(area);
  swap.slotsCache.enabled = swap.active.length > 0;
  if (refused < 0) return refused;
  if (swap.currentType === type) {
    swap.currentType = -1;
    swap.currentOffset = NO_OFFSET;
  }
  if (area.rotational) swap.nrRotate -= 1;
  swap.areas[type] = null;
  return 0;
}

/** What processes were promised must fit in what is left. */
function fitsWithout(machine: Machine, area: SwapInfo): boolean {
  const ram = Math.floor((machine.totalPages * machine.sysctl.overcommitRatio) / 100);
  return machine.committedPages + area.pages < ram + machine.swap.totalSwapPages;
}

function insertByPriority(list: SwapInfo[], area: SwapInfo): void {
  let at = 0;
  while (at < list.length && list[at]!.prio >= area.prio) at += 1;
  list.splice(at, 0, area);
}

// taking a slot

/** A slot with SWAP_HAS_CACHE for a locked page, charged to the page's cgroup; NO_SWAP if there is none, or no charge. */
export function folioAllocSwap(machine: Machine, pfn: Pfn): SwapEntry {
  const pages = folioPages(machine, pfn);
  const entry = pages > 1 ? allocHugeSlots(machine, pages) : machine.generation.allocSwapSlot(machine);
  let refused = memCgroupTryChargeSwap(machine, pfn, entry, pages);
  if (refused < 0) for (let i = 0; i < pages; i++) putSwapFolio(machine, (entry + i) as SwapEntry);
  else if (entry === NO_SWAP) refused = -ENOMEM;
  runReclaimWork(machine, entry);
  return refused < 0 ? NO_SWAP : entry;
}

/** The kernel's worker would run by now: the area has just become full. */
function runReclaimWork(machine: Machine, entry: SwapEntry): void {
  if (entry === NO_SWAP) return;
  const area = machine.swap.areaOf(entry);
  if (!area.reclaimWork) return;
  area.reclaimWork = false;
  reclaimFullClusters(machine, area, Math.floor(area.inusePages / 512));
}

/** One slot of the area is taken. */
export function swapRangeAlloc(machine: Machine, area: SwapInfo): void {
  area.inusePages += 1;
  if (area.inusePages < area.pages) return;
  machine.swap.dropAvail(area);
  const { swapSlotsCache, swapScanMap } = machine.generation.switches;
  if (!swapSlotsCache && !swapScanMap && vmSwapFull(machine)) area.reclaimWork = true;
}

/** One slot of the area is free. */
export function swapRangeFree(machine: Machine, area: SwapInfo, offset: number): void {
  area.setZero(offset, false);
  area.setShadow(offset, 0);
  const wasFull = area.inusePages === area.pages;
  area.inusePages -= 1;
  machine.swap.nrSwapPages += 1;
  if (wasFull && area.writeok) machine.swap.addAvail(area);
}

// counting

/** One page-table entry more holds `entry`. 0: counts have no end here. */
export function swapDuplicate(machine: Machine, entry: SwapEntry): number {
  const area = machine.swap.areaOf(entry);
  const offset = swpOffset(entry);
  const usage = area.usage(offset);
  const count = usage & ~SWAP_HAS_CACHE;
  const low = count & ~COUNT_CONTINUED;
  bugOn(
    usage === 0 || count === SWAP_MAP_BAD || count === SWAP_MAP_SHMEM,
    'an entry is copied only while it is in use',
    entry,
  );
  if (low < SWAP_MAP_MAX) {
    area.setUsage(offset, usage + 1);
  } else {
    area.addContinuation(offset);
    area.setUsage(offset, COUNT_CONTINUED | (usage & SWAP_HAS_CACHE));
  }
  return 0;
}

/** A page of tmpfs in the swap cache leaves the page cache: the slot is needed whatever happens to the page. */
export function swapShmemAlloc(machine: Machine, entry: SwapEntry): void {
  const area = machine.swap.areaOf(entry);
  const offset = swpOffset(entry);
  bugOn(area.usage(offset) !== SWAP_HAS_CACHE, 'a page of tmpfs gets a slot of its own', entry);
  area.setUsage(offset, SWAP_MAP_SHMEM | SWAP_HAS_CACHE);
}

/** The swap cache will need the slot: 0, -EEXIST if it does already, -ENOENT if nobody else does. */
export function swapcachePrepare(machine: Machine, entry: SwapEntry): number {
  const area = machine.swap.areaOf(entry);
  const offset = swpOffset(entry);
  const usage = area.usage(offset);
  const count = usage & ~SWAP_HAS_CACHE;
  if (count === SWAP_MAP_BAD || usage === 0) return -ENOENT;
  if ((usage & SWAP_HAS_CACHE) !== 0) return -EEXIST;
  area.setUsage(offset, usage | SWAP_HAS_CACHE);
  return 0;
}

/** One page-table entry (or page of tmpfs) less holds `entry`. */
export function swapFree(machine: Machine, entry: SwapEntry): void {
  dropCount(machine, machine.swap.areaOf(entry), entry);
}

/** A page was read without the swap cache: what swapcachePrepare kept away may happen again. */
export function swapcacheClear(machine: Machine, entry: SwapEntry): void {
  putSwapFolio(machine, entry);
}

/** The swap cache needs the slot no more. */
export function putSwapFolio(machine: Machine, entry: SwapEntry): void {
  const area = machine.swap.areaOf(entry);
  const offset = swpOffset(entry);
  const usage = area.usage(offset);
  bugOn((usage & SWAP_HAS_CACHE) === 0, 'the swap cache lets go of a slot only once', entry);
  setOrFree(machine, area, entry, usage & ~SWAP_HAS_CACHE);
}

/** The entry goes from a page table; the page in memory, if any, leaves the swap cache when it can. */
export function freeSwapAndCache(machine: Machine, entry: SwapEntry): void {
  const area = machine.swap.areaOf(entry);
  const usage = dropCount(machine, area, entry);
  if (usage === SWAP_HAS_CACHE) tryToReclaimSwap(machine, area, swpOffset(entry), TTRS_UNMAPPED | TTRS_FULL);
}

/** Returns the slot's byte afterwards; at 0 the slot is free. */
function dropCount(machine: Machine, area: SwapInfo, entry: SwapEntry): number {
  const offset = swpOffset(entry);
  const usage = area.usage(offset);
  const cache = usage & SWAP_HAS_CACHE;
  const count = usage & ~SWAP_HAS_CACHE;
  bugOn(count === 0 || count === SWAP_MAP_BAD, 'an entry is freed as often as it was made', entry);
  let left = count - 1;
  if (count === SWAP_MAP_SHMEM) left = 0;
  else if (count === COUNT_CONTINUED) left = SWAP_MAP_MAX | (area.dropContinuation(offset) ? COUNT_CONTINUED : 0);
  setOrFree(machine, area, entry, left | cache);
  return left | cache;
}

function setOrFree(machine: Machine, area: SwapInfo, entry: SwapEntry, usage: number): void {
  const offset = swpOffset(entry);
  if (usage !== 0) {
    area.setUsage(offset, usage);
    return;
  }
  if (machine.generation.switches.swapSlotsCache) {
    area.setUsage(offset, SWAP_HAS_CACHE);
    returnSlot(machine, entry);
    return;
  }
  area.setUsage(offset, 0);
  memCgroupUnchargeSwap(machine, entry);
  swapRangeFree(machine, area, offset);
  if (machine.generation.switches.swapScanMap) slotFreedInMap(machine, area, offset);
  else slotFreedInCluster(area, offset);
}

/** How many need the slot, with COUNT_CONTINUED when there are more than 62; 0xbf for a page of tmpfs (__swap_count). */
export function swapCount(machine: Machine, entry: SwapEntry): number {
  return machine.swap.areaOf(entry).count(swpOffset(entry));
}

/** Exactly how many page-table entries hold `entry` (swp_swapcount); 1 for a page of tmpfs. */
export function swpSwapcount(machine: Machine, entry: SwapEntry): number {
  return machine.swap.areaOf(entry).exactCount(swpOffset(entry));
}

/** What the page that had this slot left behind when it was evicted; 0 if nothing. */
export function getShadow(machine: Machine, entry: SwapEntry): number {
  return machine.swap.areaOf(entry).shadow(swpOffset(entry));
}

// pages in the swap cache

/** Somebody holds the entry of this page, or of one of this folio, which is in the swap cache. */
export function folioSwapped(machine: Machine, pfn: Pfn): boolean {
  const entry = machine.frames.private_(pfn);
  const pages = folioPages(machine, pfn);
  for (let i = 0; i < pages; i++) if (swapCount(machine, (entry + i) as SwapEntry) !== 0) return true;
  return false;
}

/** Gives up the slot of a locked page, if only the page needs it. The page is dirty then: nothing holds a copy. */
export function folioFreeSwap(machine: Machine, pfn: Pfn): boolean {
  const frames = machine.frames;
  if (!frames.has(pfn, PG_swapcache) || frames.has(pfn, PG_writeback)) return false;
  if (folioSwapped(machine, pfn)) return false;
  deleteFromSwapCache(machine, pfn);
  frames.set(pfn, PG_dirty);
  return true;
}

export const TTRS_ANYWAY = 1;
export const TTRS_UNMAPPED = 2;
export const TTRS_FULL = 4;

/** A slot that only a page in memory keeps: the page gives it up. True if the slot is given up. */
export function tryToReclaimSwap(machine: Machine, area: SwapInfo, offset: number, when: number): boolean {
  const frames = machine.frames;
  const cached = area.cached(offset);
  if (cached === NO_PFN) return false;
  const pfn = compoundHead(machine, cached);
  // Locked: it is being read or evicted.
  if (frames.has(pfn, PG_locked)) return false;
  const wanted =
    (when & TTRS_ANYWAY) !== 0 ||
    ((when & TTRS_UNMAPPED) !== 0 && folioMapcount(machine, pfn) === 0) ||
    ((when & TTRS_FULL) !== 0 && memCgroupSwapFull(machine, pfn));
  if (!wanted) return false;
  frames.get(pfn);
  frames.set(pfn, PG_locked);
  const freed = folioFreeSwap(machine, pfn);
  frames.clear(pfn, PG_locked);
  putPage(machine, pfn);
  return freed;
}

// how full it is

/** The device answers at once, so that reading ahead makes no sense (SWP_SYNCHRONOUS_IO). */
export function isSynchronousIo(machine: Machine, entry: SwapEntry): boolean {
  return machine.swap.areaOf(entry).device === null;
}

/** Half of all swap is taken. */
export function vmSwapFull(machine: Machine): boolean {
  return machine.swap.nrSwapPages * 2 < machine.swap.totalSwapPages;
}

/** Swap is getting full for this page's cgroup, so a page that is back in memory should not keep its slot. */
export function memCgroupSwapFull(machine: Machine, pfn: Pfn): boolean {
  if (vmSwapFull(machine)) return true;
  if (machine.rootMemcg.v1) return false;
  const id = machine.frames.memcg(pfn);
  if (id === 0) return false;
  for (let c = machine.memcgs[id]!; c.parent !== null; c = c.parent) {
    if (c.swap.usage * 2 >= c.swapHigh || c.swap.usage * 2 >= c.swap.max) return true;
  }
  return false;
}

/** How many pages of the cgroup could still be swapped out. */
export function memCgroupGetNrSwapPages(machine: Machine, memcg: MemCgroup): number {
  let pages = machine.swap.nrSwapPages;
  if (machine.rootMemcg.v1) return pages;
  for (let c = memcg; c.parent !== null; c = c.parent) pages = Math.min(pages, c.swap.max - c.swap.usage);
  return pages;
}
