/**
 * The swap cache: pages that have a slot, and reading them in.
 *
 * Owns      which page a slot has in memory, the page's PG_swapcache and private_; nr_swapcached; swap readahead.
 * Promises  1. A page has PG_swapcache and its entry in private_ if, and only if, its slot's row of the table names it.
 *           2. The cache holds one reference to each of its pages.
 *           3. A page read in is charged to whoever swapped it out, and refaults if it left a shadow.
 * Linux     6.18 mm/swap_state.c: swap_cache_add_folio __swap_cache_del_folio __read_swap_cache_async swap_update_readahead
 *           swapin_nr_pages swap_cluster_readahead swap_vma_ra_win swap_vma_readahead
 * Before    6.1 has an XArray for every 64 MiB of slots in place of the table
 *
 * Readahead, with a disk. How many pages (the window): as many as paid off last time and a few more.
 *
 *     hits since the last read    0 and not a neighbour   0   1 … 2   3 … 6
 *     pages                       1                       2   4       8 = 2^page_cluster at most; at least half the last window
 *
 *     cluster mode (a rotating disk is among the areas): the aligned block of slots around the one that is wanted.
 *     VMA mode: the entries of the page table around the address: behind it when faults climb, before it when they
 *     descend, else on both sides.
 *     Good at: memory that was evicted in the order in which it is used. Bad at: everything else, so windows shrink fast.
 */
import { waitOnPageLocked } from '../block.ts';
import { dropBuffers } from '../buffer.ts';
import { bugOn } from '../bug.ts';
import type { VmFault } from '../fault.ts';
import { folioPages } from '../folio.ts';
import type { Gfp } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { memCgroupCharge, modPageState } from '../memcg.ts';
import { allocPages, compoundHead, getPage, putPage } from '../page_alloc.ts';
import {
  PG_dirty,
  PG_locked,
  PG_private,
  PG_readahead,
  PG_swapbacked,
  PG_swapcache,
  PG_writeback,
} from '../page_flags.ts';
import { NO_SLOT, PTRS_PER_TABLE } from '../page_table.ts';
import { NO_PFN, NO_SWAP, type Pfn, type SwapEntry, swpEntry, swpOffset, type Vpn } from '../units.ts';
import type { Vma } from '../vma.ts';
import { NR_FILE_PAGES, NR_SWAPCACHE, SWAP_RA, SWAP_RA_HIT } from '../vmstat.ts';
import { swapReadpage } from './page_io.ts';
import { memCgroupSwapinUnchargeSwap, memCgroupSwapout, swapMemcg } from './swap_cgroup.ts';
import { folioAllocSwap, getShadow, putSwapFolio, swapCount, swapcachePrepare } from './swapfile.ts';

const SWAP_RA_ORDER_CEILING = 5;
/** Hits are kept in 6 bits. */
const SWAP_RA_HITS_MAX = 63;
/** Hits that a VMA, or the machine, starts with: a window of 8. */
const SWAP_RA_FIRST_HITS = 4;

// the cache

/** The page that has this slot, without a reference, or NO_PFN. */
export function swapCacheGet(machine: Machine, entry: SwapEntry): Pfn {
  machine.pageHooks?.onFind(0, entry);
  return machine.swap.areaOf(entry).cached(swpOffset(entry));
}

/** The same for a fault, or for tmpfs (`vma` null): tells readahead whether it guessed right (swap_update_readahead). */
export function swapCacheGetForFault(machine: Machine, entry: SwapEntry, vma: Vma | null, vpn: Vpn): Pfn {
  const pfn = swapCacheGet(machine, entry);
  if (pfn === NO_PFN) return NO_PFN;
  const swap = machine.swap;
  const hit = machine.frames.testAndClear(compoundHead(machine, pfn), PG_readahead);
  const byVma = vma !== null && useVmaReadahead(machine);
  if (byVma) {
    const hits = vmaHits(vma);
    vma.swapRaHits = hit ? Math.min(hits + 1, SWAP_RA_HITS_MAX) : hits;
    vma.swapRaVpn = vpn;
  }
  if (hit) {
    machine.events[SWAP_RA_HIT]! += 1;
    if (!byVma) swap.readaheadHits += 1;
  }
  return pfn;
}

/** A locked page gets a slot, in the cache and on paper. It is dirty then: the slot holds nothing yet. */
export function addToSwap(machine: Machine, pfn: Pfn): boolean {
  const entry = folioAllocSwap(machine, pfn);
  if (entry === NO_SWAP) return false;
  addToSwapCache(machine, pfn, entry);
  machine.frames.set(pfn, PG_dirty);
  machine.pageHooks?.onSetPageDirty(pfn);
  return true;
}

/** The slot has SWAP_HAS_CACHE. The cache takes a reference. */
export function addToSwapCache(machine: Machine, pfn: Pfn, entry: SwapEntry): void {
  const frames = machine.frames;
  bugOn(!frames.has(pfn, PG_locked) || !frames.has(pfn, PG_swapbacked), 'a page enters the swap cache locked', pfn);
  bugOn(frames.has(pfn, PG_swapcache), 'a page has one slot', pfn);
  const area = machine.swap.areaOf(entry);
  const pages = folioPages(machine, pfn);
  for (let i = 0; i < pages; i++) area.setCached(swpOffset(entry) + i, (pfn + i) as Pfn);
  frames.setRefcount(pfn, frames.refcount(pfn) + pages);
  frames.set(pfn, PG_swapcache);
  frames.setPrivate(pfn, entry);
  machine.pageHooks?.onInsert(pfn, 0, entry);
  countCached(machine, pfn, pages);
}

/** A locked page gives its slot up; the caller has another reference to it. */
export function deleteFromSwapCache(machine: Machine, pfn: Pfn): void {
  const { frames } = machine;
  const pages = folioPages(machine, pfn);
  const entry = takeOut(machine, pfn, 0);
  for (let i = 0; i < pages; i++) putSwapFolio(machine, (entry + i) as SwapEntry);
  frames.setRefcount(pfn, frames.refcount(pfn) - pages);
  bugOn(frames.refcount(pfn) <= 0, 'who takes a page from the swap cache has a reference', pfn);
}

/** The page is evicted: its slot keeps what it held, and its shadow. The caller drops the cache's reference. */
export function removeSwapMapping(machine: Machine, pfn: Pfn, shadow: number): void {
  const pages = folioPages(machine, pfn);
  const entry = takeOut(machine, pfn, shadow);
  for (let i = 0; i < pages; i++) {
    memCgroupSwapout(machine, (pfn + i) as Pfn, (entry + i) as SwapEntry);
    putSwapFolio(machine, (entry + i) as SwapEntry);
  }
}

function takeOut(machine: Machine, pfn: Pfn, shadow: number): SwapEntry {
  const frames = machine.frames;
  const entry = frames.private_(pfn) as SwapEntry;
  bugOn(!frames.has(pfn, PG_swapcache) || frames.has(pfn, PG_writeback), 'a page leaves the swap cache written', pfn);
  bugOn(swapCacheGet(machine, entry) !== pfn, "a page's slot names the page", pfn);
  // Before 2.6: what was attached for its I/O goes with the slot.
  if (frames.has(pfn, PG_private)) dropBuffers(machine, pfn);
  const pages = folioPages(machine, pfn);
  const area = machine.swap.areaOf(entry);
  for (let i = 0; i < pages; i++) area.setShadow(swpOffset(entry) + i, shadow);
  machine.pageHooks?.onRemove(pfn, 0, entry);
  frames.clear(pfn, PG_swapcache);
  frames.setPrivate(pfn, 0);
  countCached(machine, pfn, -pages);
  return entry;
}

/** nr_file_pages counts the swap cache in a node, not in a cgroup. */
function countCached(machine: Machine, pfn: Pfn, pages: number): void {
  machine.zones[machine.frames.zoneIndex(pfn)]!.pgdat.stat[NR_FILE_PAGES]! += pages;
  modPageState(machine, pfn, NR_SWAPCACHE, pages);
}

// reading in

/** The page of this slot, with a reference, read in if it must be; NO_PFN if nobody needs the slot or memory is short. */
export function readSwapCacheAsync(machine: Machine, entry: SwapEntry, gfp: Gfp): Pfn {
  const pfn = findOrAllocate(machine, entry, gfp);
  if (machine.swap.freshPage) swapReadpage(machine, pfn, entry);
  return pfn;
}

/** Tells in `swap.freshPage` whether the page is new: locked, in the cache and on its list, and yet to be read. */
function findOrAllocate(machine: Machine, entry: SwapEntry, gfp: Gfp): Pfn {
  const frames = machine.frames;
  machine.swap.freshPage = false;
  const cached = swapCacheGet(machine, entry);
  if (cached !== NO_PFN) {
    getPage(machine, cached);
    return cached;
  }
  if (swapCount(machine, entry) === 0) return NO_PFN;
  const pfn = allocPages(machine, gfp, 0);
  if (pfn === NO_PFN) return NO_PFN;
  // The allocation may have reclaimed or killed: is the slot still what it was?
  if (swapcachePrepare(machine, entry) < 0) {
    putPage(machine, pfn);
    return NO_PFN;
  }
  frames.set(pfn, PG_locked | PG_swapbacked);
  const chargesNow = machine.generation.switches.chargesSwapinAtRead;
  if (chargesNow && memCgroupCharge(machine, pfn, swapMemcg(machine, entry), gfp) < 0) {
    putSwapFolio(machine, entry);
    frames.clear(pfn, PG_locked);
    putPage(machine, pfn);
    return NO_PFN;
  }
  const shadow = getShadow(machine, entry);
  addToSwapCache(machine, pfn, entry);
  if (chargesNow) memCgroupSwapinUnchargeSwap(machine, entry);
  if (shadow !== 0) machine.workingset.refault(pfn, shadow);
  machine.lru.add(pfn);
  machine.swap.freshPage = true;
  return pfn;
}

// readahead

/** The page of this slot, with a reference, and its neighbours on the way. The page is locked until it is read. */
export function swapinReadahead(machine: Machine, entry: SwapEntry, gfp: Gfp, fault: VmFault): Pfn {
  if (useVmaReadahead(machine)) return swapVmaReadahead(machine, entry, gfp, fault);
  return swapClusterReadahead(machine, entry, gfp);
}

/** The aligned block of slots around `entry`. tmpfs reads in this way whatever the disk. */
export function swapClusterReadahead(machine: Machine, entry: SwapEntry, gfp: Gfp): Pfn {
  const { swapClusterReadahead: other } = machine.generation;
  if (other !== undefined) return other(machine, entry, gfp);
  const wanted = swpOffset(entry);
  const pages = clusterWindow(machine, wanted);
  if (pages > 1) {
    const area = machine.swap.areaOf(entry);
    const start = wanted - (wanted % pages);
    const end = Math.min(start + pages, area.max);
    // Slot 0 is the header.
    for (let offset = Math.max(start, 1); offset < end; offset++) {
      readAhead(machine, swpEntry(area.type, offset), gfp, offset === wanted);
    }
    machine.lru.drain();
    return readSwapCacheAsync(machine, entry, gfp);
  }
  return readAlone(machine, entry, gfp);
}

/** Just this slot. 6.18: whoever wants the page waits for it himself. 6.1: the read is over when the call is. */
function readAlone(machine: Machine, entry: SwapEntry, gfp: Gfp): Pfn {
  const pfn = readSwapCacheAsync(machine, entry, gfp);
  if (machine.swap.freshPage && machine.generation.switches.loneSwapinWaits) waitOnPageLocked(machine, pfn);
  return pfn;
}

function swapVmaReadahead(machine: Machine, entry: SwapEntry, gfp: Gfp, fault: VmFault): Pfn {
  const vma = fault.vma;
  const vpn = fault.vpn;
  const last = vma.swapRaVpn;
  const pages = vmaWindow(machine, vma, vpn);
  if (pages > 1) {
    let start = vpn - Math.floor((pages - 1) / 2);
    if (vpn === last + 1) start = vpn;
    else if (last === vpn + 1) start = vpn - pages + 1;
    const table = vpn - (vpn % PTRS_PER_TABLE);
    const end = Math.min(start + pages, vma.vmEnd, table + PTRS_PER_TABLE);
    start = Math.max(start, vma.vmStart, table);
    readAheadVma(machine, vma, start, end, vpn, gfp);
    machine.lru.drain();
    return readSwapCacheAsync(machine, entry, gfp);
  }
  return readAlone(machine, entry, gfp);
}

function readAheadVma(machine: Machine, vma: Vma, start: number, end: number, vpn: Vpn, gfp: Gfp): void {
  const tables = machine.pageTables;
  for (let at = start; at < end; at++) {
    const slot = tables.slotOf(vma.vmMm.pageTables, at as Vpn);
    if (slot === NO_SLOT || !tables.isSwap(slot)) continue;
    readAhead(machine, tables.swapEntry(slot), gfp, at === vpn);
  }
}

function readAhead(machine: Machine, entry: SwapEntry, gfp: Gfp, wanted: boolean): void {
  const pfn = findOrAllocate(machine, entry, gfp);
  if (pfn === NO_PFN) return;
  if (machine.swap.freshPage) {
    swapReadpage(machine, pfn, entry);
    if (!wanted) {
      machine.frames.set(pfn, PG_readahead);
      machine.events[SWAP_RA]! += 1;
    }
  } else if (!wanted && !machine.generation.switches.swapReadaheadMarksNew) {
    machine.frames.set(pfn, PG_readahead);
  }
  putPage(machine, pfn);
}

function useVmaReadahead(machine: Machine): boolean {
  return machine.swap.vmaReadahead && machine.swap.nrRotate === 0;
}

/** How many slots to read around `offset`; notes it for the next time. */
function clusterWindow(machine: Machine, offset: number): number {
  const swap = machine.swap;
  const most = 1 << machine.sysctl.pageCluster;
  if (most <= 1) return 1;
  const hits = swap.readaheadHits;
  swap.readaheadHits = 0;
  const pages = window(swap.readaheadOffset, offset, hits, most, swap.readaheadPages);
  if (hits === 0) swap.readaheadOffset = offset;
  swap.readaheadPages = pages;
  return pages;
}

function vmaWindow(machine: Machine, vma: Vma, vpn: Vpn): number {
  const most = 1 << Math.min(machine.sysctl.pageCluster, SWAP_RA_ORDER_CEILING);
  if (most === 1) return 1;
  const pages = window(vma.swapRaVpn, vpn, vmaHits(vma), most, vma.swapRaWin);
  vma.swapRaVpn = vpn;
  vma.swapRaWin = pages;
  vma.swapRaHits = 0;
  return pages;
}

/** A VMA where nothing was ever read in starts with a few hits. */
function vmaHits(vma: Vma): number {
  const untouched = vma.swapRaVpn === 0 && vma.swapRaWin === 0 && vma.swapRaHits === 0;
  return untouched ? SWAP_RA_FIRST_HITS : vma.swapRaHits;
}

/** See the table above. `last` and `now` are slots or addresses in pages (__swapin_nr_pages). */
export function window(last: number, now: number, hits: number, most: number, lastPages: number): number {
  let pages = hits + 2;
  if (hits === 0) {
    if (now !== last + 1 && now !== last - 1) pages = 1;
  } else {
    let power = 4;
    while (power < pages) power *= 2;
    pages = power;
  }
  return Math.max(Math.min(pages, most), lastPages >> 1);
}
