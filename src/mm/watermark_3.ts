/**
 * Watermarks of 3.16: shares of min_free_kbytes, and nothing else.
 *
 *   min = tmp, low = tmp * 5/4, high = tmp * 6/4, with tmp the zone's share of min_free_kbytes / 4 by its size
 *
 * Owns      Zone.wmark* and the size of the per-CPU lists, for 3.16. lowmemReserve is that of watermark.ts.
 * Promises  1. min : low : high is 4 : 5 : 6, rounded down (high memory: min is a thousandth, at most 128 pages).
 *           2. A request of a higher order must leave, order by order, half as much as the mark in blocks that are larger.
 * Linux     3.16 mm/page_alloc.c: init_per_zone_wmark_min __setup_per_zone_wmarks zone_batchsize pageset_set_batch
 *           __zone_watermark_ok gfp_to_alloc_flags; mm/huge_memory.c: set_recommended_min_free_kbytes
 * After     watermark.ts: a scale factor (4.6) and a boost (5.0)
 */
import type { Machine } from './machine.ts';
import { intSqrt } from './units.ts';
import { bufferPages, calculateTotalreserve, setupLowmemReserve } from './watermark.ts';
import { freeBlocks, PAGEBLOCK_ORDER, ZONE_HIGHMEM, type Zone } from './zone.ts';

export const ALLOC_WMARK_MIN_3 = 0;
export const ALLOC_WMARK_LOW_3 = 1;
export const ALLOC_WMARK_HIGH_3 = 2;
export const ALLOC_WMARK_MASK_3 = 3;
export const ALLOC_NO_WATERMARKS_3 = 4;
/** The caller cannot wait: a quarter of the mark. */
export const ALLOC_HARDER_3 = 0x10;
/** __GFP_HIGH: half of it. */
export const ALLOC_HIGH_3 = 0x20;
/** The first try: each zone of the node in turn, by its size. */
export const ALLOC_FAIR_3 = 0x100;

const MIN_FREE_LEAST_KB = 128;
const MIN_FREE_MOST_KB = 65536;
const KB_PER_PAGE = 4;
const PCP_TYPES = 3;
/** Fallbacks between types, and a pageblock of each, for two huge pages at a time. */
const BLOCKS_PER_ZONE: number = 2 + PCP_TYPES * PCP_TYPES;

export function setupPerZoneWmarks_3(m: Machine): void {
  if (m.sysctl.minFreeKbytes > 0) {
    setWatermarks(m, m.sysctl.minFreeKbytes);
  } else {
    const byFormula = minFreeKbytes_3(bufferPages(m, false));
    setWatermarks(m, byFormula);
    // khugepaged starts later than memory, and looks at the watermarks that are already there.
    if (m.sysctl.thpEnabled) setWatermarks(m, Math.max(byFormula, recommendedMinFreeKbytes(m)));
  }
  setupLowmemReserve(m);
  calculateTotalreserve(m);
  for (const zone of m.zones) setPcpLimits(zone);
}

/** 4 * sqrt(kB of low memory), within bounds. */
export function minFreeKbytes_3(lowmemPages: number): number {
  return Math.min(Math.max(intSqrt(lowmemPages * KB_PER_PAGE * 16), MIN_FREE_LEAST_KB), MIN_FREE_MOST_KB);
}

/** So many free pageblocks that types need not mix; at most 5 % of low memory. */
function recommendedMinFreeKbytes(m: Machine): number {
  const pages = (BLOCKS_PER_ZONE * m.zones.length) << PAGEBLOCK_ORDER;
  return Math.min(pages, Math.floor(bufferPages(m, true) / 20)) * KB_PER_PAGE;
}

function setWatermarks(m: Machine, kbytes: number): void {
  const pagesMin = Math.floor(kbytes / KB_PER_PAGE);
  let lowmem = 0;
  for (const zone of m.zones) if (zone.type !== ZONE_HIGHMEM) lowmem += zone.managedPages;
  for (const zone of m.zones) {
    const share = lowmem === 0 ? 0 : Math.floor((pagesMin * zone.managedPages) / lowmem);
    const high = zone.type === ZONE_HIGHMEM;
    zone.wmarkMin = high ? Math.min(Math.max(zone.managedPages >>> 10, 32), 128) : share;
    zone.wmarkLow = zone.wmarkMin + (share >>> 2);
    zone.wmarkHigh = zone.wmarkMin + (share >>> 1);
    zone.wmarkPromo = zone.wmarkHigh;
    zone.watermarkBoost = 0;
  }
}

function setPcpLimits(zone: Zone): void {
  const { pcp } = zone;
  const batch = zoneBatchsize_3(zone.managedPages);
  pcp.batch = Math.max(1, batch);
  pcp.high = 6 * batch;
  pcp.highMin = pcp.high;
  pcp.highMax = pcp.high;
}

/** A thousandth of the zone, at most 512 KiB, a quarter of that, one less than a power of two. 0 in small zones. */
export function zoneBatchsize_3(managedPages: number): number {
  const batch = Math.max(1, Math.min(managedPages >>> 10, 128) >>> 2);
  return (1 << (31 - Math.clz32(batch + (batch >>> 1)))) - 1;
}

/** The mark that the ALLOC_WMARK bits name. */
export function wmarkPages_3(zone: Zone, allocFlags: number): number {
  const which = allocFlags & ALLOC_WMARK_MASK_3;
  return which === ALLOC_WMARK_LOW_3 ? zone.wmarkLow : which === ALLOC_WMARK_MIN_3 ? zone.wmarkMin : zone.wmarkHigh;
}

/** Would `mark` pages be left, and enough of them in large blocks? `classzone`: the zone type that the caller asked for. */
export function zoneWatermarkOk_3(
  zone: Zone,
  order: number,
  mark: number,
  classzone: number,
  allocFlags: number,
  freePages: number = zone.freePages,
): boolean {
  let min = mark;
  let free = freePages - ((1 << order) - 1);
  if ((allocFlags & ALLOC_HIGH_3) !== 0) min -= Math.floor(min / 2);
  if ((allocFlags & ALLOC_HARDER_3) !== 0) min -= Math.floor(min / 4);
  if (free <= min + zone.lowmemReserve[classzone]!) return false;
  for (let o = 0; o < order; o++) {
    free -= freeBlocks(zone, o) << o;
    min >>= 1;
    if (free <= min) return false;
  }
  return true;
}
