/**
 * Watermarks: how many pages of each zone are kept free, and for whom.
 *
 *   free pages   ── promo ──────────────────────────────────────────────
 *        │       ── high  ── kswapd sleeps
 *        │       ── low   ── kswapd is woken: the fast path ends here
 *        ▼       ── min   ── allocations reclaim themselves; below: __GFP_HIGH (1/2), atomic (3/8), OOM victims, PF_MEMALLOC (all)
 *
 * An allocation that could have used a higher zone leaves lowmemReserve more pages in a lower one.
 *
 * Owns      Zone.wmark*, lowmemReserve, PgData.totalreservePages, the size of the per-CPU lists; the ALLOC_ flags.
 * Promises  1. low = min + d, high = low + d, promo = high + d; d = max(share of min_free_kbytes / 4, managed * scale / 10000).
 *           2. The minima of the zones that every allocation may use add up to at most min_free_kbytes.
 * Linux     6.18 mm/page_alloc.c: calculate_min_free_kbytes __setup_per_zone_wmarks setup_per_zone_lowmem_reserve
 *           calculate_totalreserve_pages zone_batchsize zone_highsize __zone_watermark_ok zone_watermark_fast;
 *           mm/khugepaged.c: set_recommended_min_free_kbytes
 */
import type { Machine } from './machine.ts';
import { intSqrt } from './units.ts';
import {
  MAX_NR_ZONES,
  MIGRATE_HIGHATOMIC,
  MIGRATE_TYPES,
  NR_PAGE_ORDERS,
  PAGEBLOCK_ORDER,
  ZONE_HIGHMEM,
  ZONE_NORMAL,
  type Zone,
} from './zone.ts';

export const ALLOC_WMARK_MIN = 0;
export const ALLOC_WMARK_LOW = 1;
export const ALLOC_WMARK_HIGH = 2;
export const ALLOC_WMARK_MASK = 3;
export const ALLOC_NO_WATERMARKS = 1 << 2;
/** The task was killed to free memory: half of the reserve. */
export const ALLOC_OOM = 1 << 3;
/** The caller cannot wait: a quarter more of what ALLOC_MIN_RESERVE leaves. */
export const ALLOC_NON_BLOCK = 1 << 4;
/** __GFP_HIGH: half of the reserve. */
export const ALLOC_MIN_RESERVE = 1 << 5;
/** Rather fail than mix types in a pageblock. */
export const ALLOC_NOFRAGMENT = 1 << 6;
export const ALLOC_HIGHATOMIC = 1 << 7;
export const ALLOC_KSWAPD = 1 << 8;
const ALLOC_RESERVES: number = ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_HIGHATOMIC | ALLOC_OOM;

const MIN_FREE_LEAST_KB = 128;
const MIN_FREE_MOST_KB = 262144;
const KB_PER_PAGE = 4;
/** vm.lowmem_reserve_ratio, by zone type; 0: nothing is kept. */
const LOWMEM_RESERVE_RATIO: readonly number[] = [256, 256, 32, 0, 0];
const SWAP_CLUSTER_MAX = 32;
const PCP_TYPES = 3;
/** The per-CPU lists of a zone may grow to an eighth of it. */
const PCP_HIGH_FRACTION = 8;

// setting them

/** Sets watermarks, reserves and the limits of the per-CPU lists from the sysctls; call it when one of them changed. */
export function setupPerZoneWmarks(m: Machine): void {
  if (m.sysctl.minFreeKbytes > 0) {
    setWatermarks(m, m.sysctl.minFreeKbytes);
  } else {
    const byFormula = minFreeKbytes(bufferPages(m, false));
    setWatermarks(m, byFormula);
    // khugepaged starts later than memory, and looks at the watermarks that are already there.
    if (m.sysctl.thpEnabled) setWatermarks(m, Math.max(byFormula, recommendedMinFreeKbytes(m)));
  }
  setupLowmemReserve(m);
  calculateTotalreserve(m);
  for (const zone of m.zones) setPcpLimits(m, zone);
}

/** What vm.min_free_kbytes shows when nobody wrote to it: 4 * sqrt(kB of low memory), within bounds. */
export function minFreeKbytes(lowmemPages: number): number {
  const wanted = intSqrt(lowmemPages * KB_PER_PAGE * 16);
  return Math.min(Math.max(wanted, MIN_FREE_LEAST_KB), MIN_FREE_MOST_KB);
}

/** Huge pages want two free pageblocks per zone, and one for each type that falls back to each; at most 5 % of low memory. */
function recommendedMinFreeKbytes(m: Machine): number {
  const zones = m.zones.filter((zone) => zone.type <= ZONE_NORMAL).length;
  const pages = ((2 + PCP_TYPES * PCP_TYPES) * zones) << PAGEBLOCK_ORDER;
  return Math.min(pages, Math.floor(bufferPages(m, true) / 20)) * KB_PER_PAGE;
}

/** Pages that GFP_USER may use (nr_free_buffer_pages): less the high watermarks, once there are any. */
export function bufferPages(m: Machine, lessHigh: boolean): number {
  let pages = 0;
  for (const zone of m.zones) {
    if (zone.type > ZONE_NORMAL) continue;
    pages += Math.max(0, zone.managedPages - (lessHigh ? zone.wmarkHigh : 0));
  }
  return pages;
}

function setWatermarks(m: Machine, kbytes: number): void {
  const pagesMin = Math.floor(kbytes / KB_PER_PAGE);
  let lowmem = 0;
  for (const zone of m.zones) if (zone.type < ZONE_HIGHMEM) lowmem += zone.managedPages;
  for (const zone of m.zones) {
    const share = lowmem === 0 ? 0 : Math.floor((pagesMin * zone.managedPages) / lowmem);
    // The kernel itself does not live in high and movable memory: there a little is enough.
    const min = zone.type < ZONE_HIGHMEM ? share : Math.min(Math.max(zone.managedPages >>> 10, SWAP_CLUSTER_MAX), 128);
    const step = watermarkStep(m, zone, share);
    zone.watermarkBoost = 0;
    zone.wmarkMin = min;
    zone.wmarkLow = min + step;
    zone.wmarkHigh = min + 2 * step;
    zone.wmarkPromo = min + 3 * step;
  }
}

/** Between two watermarks. */
function watermarkStep(m: Machine, zone: Zone, share: number): number {
  return Math.max(share >>> 2, Math.floor((zone.managedPages * m.sysctl.watermarkScaleFactor) / 10000));
}

export function setupLowmemReserve(m: Machine): void {
  for (const zone of m.zones) {
    const ratio = LOWMEM_RESERVE_RATIO[zone.type]!;
    let above = 0;
    for (let type = zone.type + 1; type < MAX_NR_ZONES; type++) {
      above += zone.pgdat.zones[type]?.managedPages ?? 0;
      zone.lowmemReserve[type] = ratio === 0 || zone.managedPages === 0 ? 0 : Math.floor(above / ratio);
    }
  }
}

export function calculateTotalreserve(m: Machine): void {
  for (const pgdat of m.nodes) pgdat.totalreservePages = 0;
  for (const zone of m.zones) zone.pgdat.totalreservePages += zoneReserve(zone);
}

/** What page cache and anonymous memory should not count on: the largest reserve and the high watermark. */
export function zoneReserve(zone: Zone): number {
  let reserve = 0;
  for (let type = zone.type; type < MAX_NR_ZONES; type++) reserve = Math.max(reserve, zone.lowmemReserve[type]!);
  return Math.min(reserve + zone.wmarkHigh + zone.watermarkBoost, zone.managedPages);
}

/** Pages of the whole machine that dirty limits and overcommit leave out. */
export function totalreservePages(m: Machine): number {
  let pages = 0;
  for (let nid = 0; nid < m.nodes.length; nid++) pages += m.nodes[nid]!.totalreservePages;
  return pages;
}

function setPcpLimits(m: Machine, zone: Zone): void {
  const pcp = zone.pcp;
  const cpus = cpusOfNode(m, zone.pgdat.nid);
  pcp.batch = zoneBatchsize(zone.managedPages);
  pcp.highMin = Math.max(Math.floor(zone.wmarkLow / cpus), 4 * pcp.batch);
  pcp.highMax = m.generation.switches.pcpAutoTune
    ? Math.max(Math.floor(Math.floor(zone.managedPages / PCP_HIGH_FRACTION) / cpus), 4 * pcp.batch)
    : pcp.highMin;
  if (!m.generation.switches.pcpAutoTune) pcp.high = pcp.highMin;
}

/** Pages moved at once between a zone and a CPU: about 0.1 % of the zone, at most 256 KiB, one less than a power of two. */
export function zoneBatchsize(managedPages: number): number {
  const batch = Math.max(1, Math.min(managedPages >>> 10, 256) >>> 2);
  const powerOfTwo = 1 << (31 - Math.clz32(batch + (batch >>> 1)));
  return Math.max(1, powerOfTwo - 1);
}

/** CPUs are dealt out to the nodes in turn; a node without any is used by all. */
function cpusOfNode(m: Machine, nid: number): number {
  const cpus = m.config.cpus ?? 1;
  return Math.floor(cpus / m.nodes.length) + (nid < cpus % m.nodes.length ? 1 : 0) || cpus;
}

// checking them

/** The watermark that the ALLOC_WMARK bits of `allocFlags` name, boost included. */
export function wmarkPages(zone: Zone, allocFlags: number): number {
  const which = allocFlags & ALLOC_WMARK_MASK;
  const pages = which === ALLOC_WMARK_LOW ? zone.wmarkLow : which === ALLOC_WMARK_MIN ? zone.wmarkMin : zone.wmarkHigh;
  return pages + zone.watermarkBoost;
}

/** Would `mark` pages be left, and is there a block of that order? `highestZone`: the highest zone that the caller may use. */
export function zoneWatermarkOk(
  m: Machine,
  zone: Zone,
  order: number,
  mark: number,
  highestZone: number,
  allocFlags: number,
): boolean {
  return watermarkOkWith(m, zone, order, mark, highestZone, allocFlags, zone.freePages);
}

/** The same, were `freePages` free. */
export function watermarkOkWith(
  m: Machine,
  zone: Zone,
  order: number,
  mark: number,
  highestZone: number,
  allocFlags: number,
  freePages: number,
): boolean {
  let min = mark;
  const usable = freePages - ((1 << order) - 1) - highatomicOutOfReach(m, zone, allocFlags);
  if ((allocFlags & ALLOC_MIN_RESERVE) !== 0) {
    min -= min >> 1;
    if ((allocFlags & ALLOC_NON_BLOCK) !== 0) min -= min >> 2;
  }
  if ((allocFlags & ALLOC_OOM) !== 0) min -= min >> 1;
  if (usable <= min + zone.lowmemReserve[highestZone]!) return false;
  return order === 0 || hasFreeBlock(zone, order, allocFlags);
}

/** What is kept for atomic requests. Before 6.13 all of the reserve, used or not. */
function highatomicOutOfReach(m: Machine, zone: Zone, allocFlags: number): number {
  if ((allocFlags & ALLOC_RESERVES) !== 0) return 0;
  return m.generation.switches.claimPageblocks ? zone.nrFreeHighatomic : zone.nrReservedHighatomic;
}

function hasFreeBlock(zone: Zone, order: number, allocFlags: number): boolean {
  const nrFree = zone.nrFree;
  for (let size = order; size < NR_PAGE_ORDERS; size++) {
    const first = size * MIGRATE_TYPES;
    if (nrFree[first]! + nrFree[first + 1]! + nrFree[first + 2]! > 0) return true;
    if ((allocFlags & (ALLOC_HIGHATOMIC | ALLOC_OOM)) !== 0 && nrFree[first + MIGRATE_HIGHATOMIC]! > 0) return true;
  }
  return false;
}

/** The check of the allocator itself: one comparison if there is plenty. */
export function zoneWatermarkFast(
  m: Machine,
  zone: Zone,
  order: number,
  mark: number,
  highestZone: number,
  allocFlags: number,
): boolean {
  if (order === 0) {
    const usable = zone.freePages - highatomicOutOfReach(m, zone, allocFlags);
    if (usable > mark + zone.lowmemReserve[highestZone]!) return true;
  }
  if (watermarkOkWith(m, zone, order, mark, highestZone, allocFlags, zone.freePages)) return true;
  // An urgent page need not respect the boost, or kswapd would be woken too late.
  const urgent = order === 0 && (allocFlags & ALLOC_MIN_RESERVE) !== 0 && zone.watermarkBoost > 0;
  if (!urgent || (allocFlags & ALLOC_WMARK_MASK) !== ALLOC_WMARK_MIN) return false;
  return watermarkOkWith(m, zone, order, zone.wmarkMin, highestZone, allocFlags, zone.freePages);
}
