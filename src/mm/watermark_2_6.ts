/**
 * Watermarks of 2.6: how many pages of each zone are kept free, and for whom.
 *
 *   free pages  ── high ── kswapd sleeps
 *        │      ── low  ── kswapd is woken: the first round of an allocation ends here
 *        ▼      ── min  ── allocations reclaim themselves; below: __GFP_HIGH (1/2), who cannot wait (3/4 of that), PF_MEMALLOC (all)
 *
 *   A block of 2**order pages: what is free in smaller blocks does not count, and the mark halves with each order.
 *
 *       free 100, mark 40, order 2, 30 blocks of order 0, 10 of order 1:
 *       100 - 3 = 97 > 40      97 - 30 = 67 > 20      67 - 20 = 47 > 10      there is one
 *
 * Owns      Zone.wmark*, lowmemReserve, PgData.totalreservePages and the size of the per-CPU lists in these kernels.
 * Promises  low = min + T/4, high = min + T/2 with T the zone's share of min_free_kbytes; min is T but in high memory.
 * Linux     2.6.24 mm/page_alloc.c: init_per_zone_pages_min setup_per_zone_pages_min setup_per_zone_lowmem_reserve
 *           calculate_totalreserve_pages zone_watermark_ok zone_batchsize setup_pageset
 * Before    2.4 had marks of 1/128 of a zone, cumulative over the lower ones
 *
 * DIFFERS: present pages are all frames of a zone, in Linux less those of mem_map; marks are higher by a hundredth.
 */
import type { Machine } from './machine.ts';
import { intSqrt } from './units.ts';
import { freeBlocks, MAX_NR_ZONES, ZONE_HIGHMEM, ZONE_NORMAL, type Zone } from './zone.ts';
import type { Zone_2_6 } from './zone_2_6.ts';

export const ALLOC_WMARK_MIN = 0;
export const ALLOC_WMARK_LOW = 1;
export const ALLOC_WMARK_HIGH = 2;
export const ALLOC_NO_WATERMARKS = 1 << 2;
/** The caller cannot wait: a quarter less. */
export const ALLOC_HARDER = 1 << 3;
/** __GFP_HIGH: half. */
export const ALLOC_HIGH = 1 << 4;

const KB_PER_PAGE = 4;
const MIN_FREE_LEAST_KB = 128;
const MIN_FREE_MOST_KB = 65536;
const SWAP_CLUSTER_MAX = 32;
const HIGHMEM_MIN_MOST = 128;
/** By zone type. */
const LOWMEM_RESERVE_RATIO: readonly number[] = [256, 256, 32, 32, 1];
/** 512 KiB. */
const BATCH_MOST_PAGES = 128;

// setting them

/** 4 times the square root of the kilobytes of low memory, within bounds. */
export function minFreeKbytes_2_6(lowmemKb: number): number {
  return Math.min(Math.max(intSqrt(lowmemKb * 16), MIN_FREE_LEAST_KB), MIN_FREE_MOST_KB);
}

export function setupPerZonePagesMin(m: Machine, zones: readonly Zone_2_6[]): void {
  let lowmem = 0;
  for (const zone of m.zones) if (zone.type <= ZONE_NORMAL) lowmem += zone.presentPages;
  const kbytes = m.sysctl.minFreeKbytes > 0 ? m.sysctl.minFreeKbytes : minFreeKbytes_2_6(lowmem * KB_PER_PAGE);
  const pagesMin = Math.floor(kbytes / KB_PER_PAGE);
  let shared = 0;
  for (const zone of m.zones) if (!isHighmem(m, zone)) shared += zone.presentPages;
  for (const zone of m.zones) setMarks(m, zone, pagesMin, shared);
  setupPerZoneLowmemReserve(m);
  for (const pgdat of m.nodes) pgdat.totalreservePages = 0;
  for (const zone of m.zones) zone.pgdat.totalreservePages += reserveOf(zone);
  for (const at of zones) setupPageset(at);
}

/** Movable memory lies above all else: in high memory where there is some. */
function isHighmem(m: Machine, zone: Zone): boolean {
  return zone.type === ZONE_HIGHMEM || (zone.type > ZONE_HIGHMEM && m.config.highmemFromBytes !== undefined);
}

function setMarks(m: Machine, zone: Zone, pagesMin: number, lowmem: number): void {
  const share = lowmem === 0 ? 0 : Math.floor((pagesMin * zone.presentPages) / lowmem);
  // __GFP_HIGH and PF_MEMALLOC usually do not need high memory.
  const highMin = Math.min(Math.max(Math.floor(zone.presentPages / 1024), SWAP_CLUSTER_MAX), HIGHMEM_MIN_MOST);
  const min = isHighmem(m, zone) ? highMin : share;
  zone.watermarkBoost = 0;
  zone.wmarkMin = min;
  zone.wmarkLow = min + (share >> 2);
  zone.wmarkHigh = min + (share >> 1);
  zone.wmarkPromo = zone.wmarkHigh;
}

/** For each zone: what an allocation that could have used zone type `j` must leave. */
function setupPerZoneLowmemReserve(m: Machine): void {
  for (const zone of m.zones) {
    let above = 0;
    for (let j = zone.type + 1; j < MAX_NR_ZONES; j++) {
      above += zone.pgdat.zones[j]?.presentPages ?? 0;
      zone.lowmemReserve[j] = Math.floor(above / LOWMEM_RESERVE_RATIO[zone.type]!);
    }
  }
}

function reserveOf(zone: Zone): number {
  let most = 0;
  for (let j = zone.type; j < MAX_NR_ZONES; j++) most = Math.max(most, zone.lowmemReserve[j]!);
  return Math.min(most + zone.wmarkHigh, zone.presentPages);
}

/** Pages moved at once between zone and CPU; 0 in a zone too small to keep any. */
export function zoneBatchsize_2_6(presentPages: number): number {
  const batch = Math.max(1, Math.floor(Math.min(Math.floor(presentPages / 1024), BATCH_MOST_PAGES) / 4));
  const size = batch + Math.floor(batch / 2);
  return (1 << (31 - Math.clz32(size))) - 1;
}

function setupPageset(at: Zone_2_6): void {
  const batch = zoneBatchsize_2_6(at.zone.presentPages);
  at.hot.high = 6 * batch;
  at.hot.batch = Math.max(1, batch);
  at.cold.high = 2 * batch;
  at.cold.batch = Math.max(1, Math.floor(batch / 2));
}

// checking them

/** The mark that the bits of `allocFlags` name. */
export function markOf(zone: Zone, allocFlags: number): number {
  const which = allocFlags & 3;
  return which === ALLOC_WMARK_MIN ? zone.wmarkMin : which === ALLOC_WMARK_LOW ? zone.wmarkLow : zone.wmarkHigh;
}

/** The terms of one check, as far as it went. */
export interface WatermarkTerms {
  ok: boolean;
  min: number;
  reserve: number;
  /** What is left after each order's blocks are taken away, and the mark that it was compared with. */
  terms: { free: number; min: number }[];
}

/** `classzone`: type of the highest zone that the caller may use. */
export function zoneWatermarkOk_2_6(
  zone: Zone,
  order: number,
  mark: number,
  classzone: number,
  flags: number,
): boolean {
  let min = mark;
  let free = zone.freePages - (1 << order) + 1;
  if ((flags & ALLOC_HIGH) !== 0) min -= min >> 1;
  if ((flags & ALLOC_HARDER) !== 0) min -= min >> 2;
  if (free <= min + zone.lowmemReserve[classzone]!) return false;
  for (let o = 0; o < order; o++) {
    free -= freeBlocks(zone, o) << o;
    min >>= 1;
    if (free <= min) return false;
  }
  return true;
}

/** The same, told: for traces and people. */
export function explainWatermark(
  zone: Zone,
  order: number,
  mark: number,
  classzone: number,
  flags: number,
): WatermarkTerms {
  let min = mark;
  let free = zone.freePages - (1 << order) + 1;
  if ((flags & ALLOC_HIGH) !== 0) min -= min >> 1;
  if ((flags & ALLOC_HARDER) !== 0) min -= min >> 2;
  const reserve = zone.lowmemReserve[classzone]!;
  const told: WatermarkTerms = { ok: free > min + reserve, min, reserve, terms: [{ free, min: min + reserve }] };
  for (let o = 0; o < order && told.ok; o++) {
    free -= freeBlocks(zone, o) << o;
    min >>= 1;
    told.terms.push({ free, min });
    told.ok = free > min;
  }
  return told;
}
