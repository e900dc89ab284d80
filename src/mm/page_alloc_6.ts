/**
 * Where pages come from in 6.x: the fast path from the CPU's lists, and what is tried when memory is short.
 *
 *   zonelist of HIGHUSER_MOVABLE on node 0:  Movable 0 → Normal 0 → DMA32 0 → DMA 0 → Movable 1 → …
 *   fast path: the first zone above its low watermark.  Slow path: wake kswapd; above min; the reserves for those who free memory;
 *   reclaim directly; again, up to 16 times without progress; kill somebody; again.
 *
 * Owns      the decision which zone an allocation comes from.
 * Promises  Without __GFP_DIRECT_RECLAIM nothing is waited for. With __GFP_NOFAIL the answer is a page.
 * Linux     6.18 mm/page_alloc.c: __alloc_frozen_pages_noprof get_page_from_freelist rmqueue
 *           __alloc_pages_slowpath gfp_to_alloc_flags __alloc_pages_direct_reclaim should_reclaim_retry
 *           __alloc_pages_may_oom wake_all_kswapds __free_frozen_pages; mm/page-writeback.c: node_dirty_ok
 *
 * DIFFERS: no compaction. Orders 1 to 3 are retried as a kernel without CONFIG_COMPACTION does; higher ones fail sooner.
 */

import {
  freeOnePage,
  MAX_PAGE_ORDER,
  PAGEBLOCK_PAGES,
  pageblockType,
  reserveHighatomicPageblock,
  rmqueue,
  rmqueueSmallest,
  unreserveHighatomicPageblock,
} from './buddy.ts';
import { bugOn } from './bug.ts';
import {
  __GFP_DIRECT_RECLAIM,
  __GFP_HIGH,
  __GFP_KSWAPD_RECLAIM,
  __GFP_MEMALLOC,
  __GFP_NOFAIL,
  __GFP_NOMEMALLOC,
  __GFP_NORETRY,
  __GFP_RETRY_MAYFAIL,
  __GFP_THISNODE,
  __GFP_WRITE,
  type Gfp,
} from './gfp.ts';
import type { Machine } from './machine.ts';
import { freePagesPrepare, gfpMigratetype, gfpZone, prepNewPage } from './page_alloc.ts';
import type { Physical } from './parts.ts';
import { drainAllPages, freePcpPage, PCP_MAX_ORDER, rmqueuePcplist } from './pcp.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { verifyPhysical } from './verify_physical.ts';
import { NR_ACTIVE_FILE, NR_FILE_DIRTY, NR_INACTIVE_FILE, NR_WRITEBACK, PGALLOC, PGFREE } from './vmstat.ts';
import {
  ALLOC_HIGHATOMIC,
  ALLOC_KSWAPD,
  ALLOC_MIN_RESERVE,
  ALLOC_NO_WATERMARKS,
  ALLOC_NOFRAGMENT,
  ALLOC_NON_BLOCK,
  ALLOC_OOM,
  ALLOC_WMARK_HIGH,
  ALLOC_WMARK_LOW,
  ALLOC_WMARK_MIN,
  setupPerZoneWmarks,
  watermarkOkWith,
  wmarkPages,
  zoneWatermarkFast,
  zoneWatermarkOk,
} from './watermark.ts';
import { freeBlocks, MIGRATE_HIGHATOMIC, type PgData, ZONE_DMA32, ZONE_NORMAL, type Zone } from './zone.ts';
import { buildZones } from './zone_build.ts';

const MAX_RECLAIM_RETRIES = 16;
const PAGE_ALLOC_COSTLY_ORDER = 3;
/** Not a page: the slow path begins anew. */
const TRY_AGAIN = -2 as Pfn;
const JIFFY_NS = 4_000_000;

export function newPhysical_6(machine: Machine): Physical {
  return new Physical_6(machine);
}

class Physical_6 implements Physical {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  buildZones(): Pfn {
    return buildZones(this.machine);
  }
  setupWatermarks(): void {
    setupPerZoneWmarks(this.machine);
  }
  allocPages(gfp: Gfp, order: number): Pfn {
    return allocFrozenPages(this.machine, gfp, order);
  }
  freePages(pfn: Pfn, order: number): void {
    freeFrozenPages(this.machine, pfn, order);
  }
  drainAll(): void {
    drainAllPages(this.machine);
  }
  freeBlocks(zone: Zone, order: number): number {
    return freeBlocks(zone, order);
  }
  verify(): string[] {
    return verifyPhysical(this.machine);
  }
}

// what a request may have

/** Normal memory does not mix types while DMA32, behind it, has a block of the right type. */
function fastAllocFlags(m: Machine, zone: Zone | undefined, gfp: Gfp): number {
  const flags = (gfp & __GFP_KSWAPD_RECLAIM) !== 0 ? ALLOC_WMARK_LOW | ALLOC_KSWAPD : ALLOC_WMARK_LOW;
  if (zone === undefined || zone.type !== ZONE_NORMAL) return flags;
  if (m.nodes.length > 1 && zone.pgdat.zones[ZONE_DMA32] === undefined) return flags;
  return flags | ALLOC_NOFRAGMENT;
}

function slowAllocFlags(gfp: Gfp, order: number): number {
  let flags = ALLOC_WMARK_MIN;
  if ((gfp & __GFP_HIGH) !== 0) flags |= ALLOC_MIN_RESERVE;
  if ((gfp & __GFP_KSWAPD_RECLAIM) !== 0) flags |= ALLOC_KSWAPD;
  if ((gfp & (__GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC)) !== 0) return flags;
  flags |= ALLOC_NON_BLOCK;
  return order > 0 && (flags & ALLOC_MIN_RESERVE) !== 0 ? flags | ALLOC_HIGHATOMIC : flags;
}

/** Who frees memory, or was killed to free it, may use what is kept back. 0: nothing special. */
function reserveFlags(m: Machine, gfp: Gfp): number {
  if ((gfp & __GFP_NOMEMALLOC) !== 0) return 0;
  if ((gfp & __GFP_MEMALLOC) !== 0 || m.current.memalloc) return ALLOC_NO_WATERMARKS;
  return m.current.killed ? ALLOC_OOM : 0;
}

// allocating

/** 2**order pages, or NO_PFN. Of a higher order, the first is the head and has the reference, the others are tails. */
function allocFrozenPages(m: Machine, mask: Gfp, order: number): Pfn {
  const highest = gfpZone(mask);
  const zonelist = m.nodes[0]!.zonelists[highest]!;
  const type = gfpMigratetype(mask);
  const flags = fastAllocFlags(m, zonelist[0], mask);
  const spread = (mask & __GFP_WRITE) !== 0;
  const pfn = getPageFromFreelist(m, zonelist, mask, order, flags, highest, type, spread);
  return pfn !== NO_PFN ? pfn : allocPagesSlowpath(m, zonelist, mask, order, highest, type);
}

/** The first zone of the list that is above the watermark named in `allocFlags`. */
function getPageFromFreelist(
  m: Machine,
  zonelist: readonly Zone[],
  gfp: Gfp,
  order: number,
  allocFlags: number,
  highest: number,
  type: number,
  spreadDirty: boolean,
): Pfn {
  let flags = allocFlags;
  for (;;) {
    for (let i = 0; i < zonelist.length; i++) {
      const zone = zonelist[i]!;
      if ((gfp & __GFP_THISNODE) !== 0 && zone.pgdat !== m.nodes[0]) continue;
      if (spreadDirty && !nodeDirtyOk(m, zone.pgdat)) continue;
      // To stay on this node matters more than not to mix types.
      if ((flags & ALLOC_NOFRAGMENT) !== 0 && zone.pgdat !== zonelist[0]!.pgdat) break;
      if (!aboveWatermark(m, zone, order, flags, highest)) continue;
      const pfn = rmqueueZone(m, zone, order, flags, type);
      if (pfn === NO_PFN) continue;
      prepNewPage(m, pfn, order);
      if ((flags & ALLOC_HIGHATOMIC) !== 0) reserveHighatomicPageblock(m, zone, pfn, order);
      return pfn;
    }
    if ((flags & ALLOC_NOFRAGMENT) === 0) return NO_PFN;
    flags &= ~ALLOC_NOFRAGMENT;
  }
}

function aboveWatermark(m: Machine, zone: Zone, order: number, allocFlags: number, highest: number): boolean {
  // SINCE 6.7: below the high watermark the CPUs' lists begin to shrink.
  if (m.generation.switches.pcpAutoTune && !zone.belowHigh) {
    if (zoneWatermarkFast(m, zone, order, zone.wmarkHigh + zone.watermarkBoost, highest, allocFlags)) return true;
    zone.belowHigh = true;
  }
  if (zoneWatermarkFast(m, zone, order, wmarkPages(zone, allocFlags), highest, allocFlags)) return true;
  return (allocFlags & ALLOC_NO_WATERMARKS) !== 0;
}

function rmqueueZone(m: Machine, zone: Zone, order: number, allocFlags: number, type: number): Pfn {
  let pfn = order <= PCP_MAX_ORDER ? rmqueuePcplist(m, zone, order, type, allocFlags) : NO_PFN;
  if (pfn === NO_PFN) pfn = rmqueueBuddy(m, zone, order, allocFlags, type);
  if (pfn !== NO_PFN) m.events[PGALLOC + zone.type]! += 1 << order;
  if (zone.boosted && (allocFlags & ALLOC_KSWAPD) !== 0) {
    zone.boosted = false;
    m.reclaim.wakeupKswapd(zone, 0, 0);
  }
  return pfn;
}

function rmqueueBuddy(m: Machine, zone: Zone, order: number, allocFlags: number, type: number): Pfn {
  const first =
    (allocFlags & ALLOC_HIGHATOMIC) !== 0 ? rmqueueSmallest(m.frames, zone, order, MIGRATE_HIGHATOMIC) : NO_PFN;
  if (first !== NO_PFN) return first;
  const pfn = rmqueue(m, zone, order, type, allocFlags);
  if (pfn !== NO_PFN || (allocFlags & (ALLOC_OOM | ALLOC_NON_BLOCK)) === 0) return pfn;
  // To fail now is worse than to fail a request of a higher order later.
  return rmqueueSmallest(m.frames, zone, order, MIGRATE_HIGHATOMIC);
}

/** A page that will be dirtied comes from a node that has not too many such pages yet. */
function nodeDirtyOk(m: Machine, pgdat: PgData): boolean {
  const { stat } = pgdat;
  let pages = 0;
  for (let type = 0; type < pgdat.zones.length; type++) pages += pgdat.zones[type]?.freePages ?? 0;
  pages = Math.max(0, pages - pgdat.totalreservePages) + stat[NR_INACTIVE_FILE]! + stat[NR_ACTIVE_FILE]!;
  return stat[NR_FILE_DIRTY]! + stat[NR_WRITEBACK]! <= Math.floor((m.sysctl.dirtyRatio * pages) / 100);
}

// when memory is short

function allocPagesSlowpath(
  m: Machine,
  zonelist: readonly Zone[],
  gfp: Gfp,
  order: number,
  highest: number,
  type: number,
): Pfn {
  const mayReclaim = (gfp & __GFP_DIRECT_RECLAIM) !== 0;
  const nofail = (gfp & __GFP_NOFAIL) !== 0;
  const costly = order > PAGE_ALLOC_COSTLY_ORDER;
  let flags = slowAllocFlags(gfp, order);
  let fruitless = 0;
  // The request may have been refused at the low watermark only.
  if ((flags & ALLOC_KSWAPD) !== 0) wakeAllKswapds(m, zonelist, gfp, order);
  let pfn = getPageFromFreelist(m, zonelist, gfp, order, flags, highest, type, false);
  if (pfn !== NO_PFN) return pfn;
  for (;;) {
    // kswapd must not fall asleep while we loop.
    if ((flags & ALLOC_KSWAPD) !== 0) wakeAllKswapds(m, zonelist, gfp, order);
    const reserves = reserveFlags(m, gfp);
    if (reserves !== 0) flags = reserves | (flags & ALLOC_KSWAPD);
    pfn = getPageFromFreelist(m, zonelist, gfp, order, flags, highest, type, false);
    if (pfn !== NO_PFN) return pfn;
    if (!mayReclaim) return NO_PFN;
    // Who reclaims already cannot reclaim again.
    if (!m.current.memalloc) {
      const progress = m.reclaim.tryToFreePages(zonelist[0]!.pgdat, order, gfp) > 0;
      if (progress) {
        pfn = allocAfterReclaim(m, zonelist, gfp, order, flags, highest, type);
        if (pfn !== NO_PFN) return pfn;
      }
      if ((gfp & __GFP_NORETRY) === 0 && (!costly || (gfp & __GFP_RETRY_MAYFAIL) !== 0)) {
        fruitless = progress && !costly ? 0 : fruitless + 1;
        if (shouldReclaimRetry(m, zonelist, order, flags, highest, type, fruitless)) continue;
        if (progress && shouldRetryWithoutCompaction(m, zonelist, order, highest, flags)) continue;
        pfn = allocOrKill(m, zonelist, gfp, order, flags, highest, type);
        if (pfn >= 0) return pfn;
        fruitless = 0;
        if (pfn === TRY_AGAIN) continue;
      }
    }
    if (!nofail) return NO_PFN;
    pfn = getPageFromFreelist(m, zonelist, gfp, order, ALLOC_MIN_RESERVE, highest, type, false);
    if (pfn !== NO_PFN) return pfn;
    bugOn(m.current.memalloc, 'who frees memory does not ask for memory that must not fail', order);
  }
}

/** Each node's kswapd, told the highest zone of that node that we may use. */
function wakeAllKswapds(m: Machine, zonelist: readonly Zone[], gfp: Gfp, order: number): void {
  let last: PgData | null = null;
  for (let i = 0; i < zonelist.length; i++) {
    const zone = zonelist[i]!;
    if (zone.pgdat === last) continue;
    m.reclaim.wakeupKswapd(zone, gfp, order);
    last = zone.pgdat;
  }
}

/** What was freed may stand on the CPUs' lists, or in pageblocks kept for atomic requests. */
function allocAfterReclaim(
  m: Machine,
  zonelist: readonly Zone[],
  gfp: Gfp,
  order: number,
  flags: number,
  highest: number,
  type: number,
): Pfn {
  const pfn = getPageFromFreelist(m, zonelist, gfp, order, flags, highest, type, false);
  if (pfn !== NO_PFN) return pfn;
  unreserveHighatomic(m, zonelist, type, false);
  drainAllPages(m);
  return getPageFromFreelist(m, zonelist, gfp, order, flags, highest, type, false);
}

function unreserveHighatomic(m: Machine, zonelist: readonly Zone[], type: number, force: boolean): boolean {
  for (let i = 0; i < zonelist.length; i++) {
    if (unreserveHighatomicPageblock(m, zonelist[i]!, type, force)) return true;
  }
  return false;
}

/** Could the request succeed if all that can be reclaimed were? Not after 16 rounds that freed nothing. */
function shouldReclaimRetry(
  m: Machine,
  zonelist: readonly Zone[],
  order: number,
  flags: number,
  highest: number,
  type: number,
  fruitless: number,
): boolean {
  if (fruitless <= MAX_RECLAIM_RETRIES) {
    // Others get to run, kswapd first (cond_resched).
    m.advance(0);
    for (let i = 0; i < zonelist.length; i++) {
      const zone = zonelist[i]!;
      const available = m.reclaim.zoneReclaimablePages(zone) + zone.freePages;
      const mark = zone.wmarkMin + zone.watermarkBoost;
      if (watermarkOkWith(m, zone, order, mark, highest, flags, available)) return true;
    }
  }
  return unreserveHighatomic(m, zonelist, type, true);
}

/** Single pages are there, and reclaim goes on freeing: a larger block may come together. */
function shouldRetryWithoutCompaction(
  m: Machine,
  zonelist: readonly Zone[],
  order: number,
  highest: number,
  flags: number,
): boolean {
  if (order === 0 || order > PAGE_ALLOC_COSTLY_ORDER) return false;
  for (let i = 0; i < zonelist.length; i++) {
    const zone = zonelist[i]!;
    if (zoneWatermarkOk(m, zone, 0, zone.wmarkMin + zone.watermarkBoost, highest, flags)) return true;
  }
  return false;
}

/** Reclaim has failed: a page after all, TRY_AGAIN when somebody was killed, or NO_PFN. */
function allocOrKill(
  m: Machine,
  zonelist: readonly Zone[],
  gfp: Gfp,
  order: number,
  flags: number,
  highest: number,
  type: number,
): Pfn {
  // A kill a moment ago may have freed a lot.
  const pfn = getPageFromFreelist(m, zonelist, gfp, order, ALLOC_WMARK_HIGH, highest, type, false);
  if (pfn !== NO_PFN) return pfn;
  // Large blocks, low zones and those who can do without are not worth a life.
  if (order > PAGE_ALLOC_COSTLY_ORDER || highest < ZONE_NORMAL) return NO_PFN;
  if ((gfp & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE)) !== 0) return NO_PFN;
  const killed = m.generation.outOfMemory(m, gfp, order);
  if ((gfp & __GFP_NOFAIL) !== 0) {
    const reserve = getPageFromFreelist(m, zonelist, gfp, order, ALLOC_NO_WATERMARKS, highest, type, false);
    if (reserve !== NO_PFN) return reserve;
    bugOn(!killed, 'somebody can be killed while memory that must not fail is short', order);
  }
  if (!killed) return NO_PFN;
  // Who was killed itself must not loop for ever at the end of the reserves.
  if (m.current.killed && ((flags & ALLOC_OOM) !== 0 || (gfp & __GFP_NOMEMALLOC) !== 0)) return NO_PFN;
  m.advance(JIFFY_NS);
  return TRY_AGAIN;
}

// freeing

function freeFrozenPages(m: Machine, pfn: Pfn, order: number): void {
  const zone = m.zones[m.frames.zoneIndex(pfn)]!;
  freePagesPrepare(m, zone, pfn, order);
  if (order <= PCP_MAX_ORDER) {
    freePcpPage(m, zone, pfn, order);
    return;
  }
  m.events[PGFREE]! += 1 << order;
  if (order < MAX_PAGE_ORDER) {
    freeOnePage(m.frames, zone, pfn, order, pageblockType(zone, pfn), false);
    return;
  }
  // The two pageblocks of the largest block may be of different types by now.
  const second = (pfn + PAGEBLOCK_PAGES) as Pfn;
  freeOnePage(m.frames, zone, pfn, order - 1, pageblockType(zone, pfn), false);
  freeOnePage(m.frames, zone, second, order - 1, pageblockType(zone, second), false);
}
