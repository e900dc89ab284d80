/**
 * Where pages come from in 2.6, and what is tried when memory is short.
 *
 *   1  the first zone of the list above its low mark
 *   2  wake kswapd in every zone below it
 *   3  above the min mark, less for those who cannot wait or must not fail        restart: 1      rebalance: 4
 *   4  who frees memory, or is killed to free it: no mark counts
 *   5  who cannot wait has failed
 *   6  reclaim directly
 *   7  something was freed: as in 3. Nothing: one look above the high mark, then somebody is killed, and restart
 *   8  up to 8 pages at once, or __GFP_NOFAIL: wait 20 ms for writes, and rebalance. Else it has failed
 *
 * Owns      the decision which zone an allocation comes from.
 * Promises  Without __GFP_DIRECT_RECLAIM (then __GFP_WAIT) nothing is waited for. With __GFP_NOFAIL the answer is a page.
 * Linux     2.6.24 mm/page_alloc.c: __alloc_pages get_page_from_freelist buffered_rmqueue __free_pages_ok
 *           init_per_zone_pages_min build_all_zonelists; 2.6.26 mm/page_alloc.c: __alloc_pages_internal
 *
 * DIFFERS: a request that may not enter a file system waits for others in step 8, for ever if need be. We have one CPU, so
 *          after 16 rounds without progress somebody is killed as if another task had asked, and then it fails.
 */
import { congestionWait } from './backing_dev.ts';
import { freeOnePage_2_6, rmqueue_2_6, setupZoneMigrateReserve } from './buddy_2_6.ts';
import { bugOn } from './bug.ts';
import {
  __GFP_COLD,
  __GFP_DIRECT_RECLAIM,
  __GFP_FS,
  __GFP_HIGH,
  __GFP_NOFAIL,
  __GFP_NOMEMALLOC,
  __GFP_NORETRY,
  __GFP_RETRY_MAYFAIL,
  __GFP_THISNODE,
  type Gfp,
} from './gfp.ts';
import type { Machine } from './machine.ts';
import { freePagesPrepare, gfpMigratetype, gfpZone, prepNewPage } from './page_alloc.ts';
import type { Physical } from './parts.ts';
import { drainAllPages_2_6, freeHotColdPage, rmqueuePcp_2_6 } from './pcp_2_6.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { verifyPhysical } from './verify_physical.ts';
import { PGALLOC, PGFREE } from './vmstat.ts';
import {
  ALLOC_HARDER,
  ALLOC_HIGH,
  ALLOC_NO_WATERMARKS,
  ALLOC_WMARK_HIGH,
  ALLOC_WMARK_LOW,
  ALLOC_WMARK_MIN,
  explainWatermark,
  markOf,
  setupPerZonePagesMin,
  zoneWatermarkOk_2_6,
} from './watermark_2_6.ts';
import { freeBlocks, MIGRATE_UNMOVABLE, type Zone } from './zone.ts';
import { type PhysicalWithZones_2_6, Zone_2_6, zone_2_6 } from './zone_2_6.ts';
import { buildZones } from './zone_build.ts';

export const PAGE_ALLOC_COSTLY_ORDER = 3;
const PAGEBLOCK_PAGES = 1024;
/** UNMOVABLE, RECLAIMABLE, MOVABLE, RESERVE, ISOLATE. */
const MIGRATE_TYPES_2_6 = 5;
/** HZ/50, and one tick of 250 Hz. */
const WAIT_NS = 20_000_000;
const JIFFY_NS = 4_000_000;
const MAX_FRUITLESS = 16;

export function newPhysical_2_6(machine: Machine): Physical {
  return new Physical_2_6(machine);
}

class Physical_2_6 implements PhysicalWithZones_2_6 {
  readonly zones: Zone_2_6[] = [];
  vmTotalPages = 0;
  mobilityDisabled = false;
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    // As many as there will be; zone sizes are not known yet, and this is what they add up to.
    this.vmTotalPages = machine.frames.frames;
    this.mobilityDisabled = this.vmTotalPages < PAGEBLOCK_PAGES * MIGRATE_TYPES_2_6;
  }

  buildZones(): Pfn {
    const firstFree = buildZones(this.machine, freeOnePage_2_6);
    for (const zone of this.machine.zones) this.zones.push(new Zone_2_6(zone));
    this.setupWatermarks();
    return firstFree;
  }
  setupWatermarks(): void {
    setupPerZonePagesMin(this.machine, this.zones);
    for (const zone of this.machine.zones) setupZoneMigrateReserve(this.machine, zone);
  }
  allocPages(gfp: Gfp, order: number): Pfn {
    return allocPages_2_6(this.machine, gfp, order, this.mobilityDisabled ? MIGRATE_UNMOVABLE : gfpMigratetype(gfp));
  }
  freePages(pfn: Pfn, order: number): void {
    const { machine } = this;
    const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
    freePagesPrepare(machine, zone, pfn, order);
    if (order === 0) freeHotColdPage(machine, zone, pfn, false);
    else freeBlock(machine, zone, pfn, order);
  }
  drainAll(): void {
    drainAllPages_2_6(this.machine, this.zones);
  }
  freeBlocks(zone: Zone, order: number): number {
    return freeBlocks(zone, order);
  }
  verify(): string[] {
    return verifyPhysical(this.machine, checkMarks);
  }
}

function checkMarks(zone: Zone, broken: string[]): void {
  const { wmarkMin, wmarkLow, wmarkHigh } = zone;
  if (wmarkMin <= wmarkLow && wmarkLow <= wmarkHigh && zone.watermarkBoost === 0) return;
  broken.push(`zone ${zone.name}: marks ${wmarkMin} ${wmarkLow} ${wmarkHigh} rise, and nothing boosts them`);
}

// allocating

/** The first zone of the list whose mark leaves room. */
function getPageFromFreelist(
  m: Machine,
  zonelist: readonly Zone[],
  gfp: Gfp,
  order: number,
  type: number,
  flags: number,
): Pfn {
  const classzone = zonelist[0]!.type;
  for (let i = 0; i < zonelist.length; i++) {
    const zone = zonelist[i]!;
    if ((gfp & __GFP_THISNODE) !== 0 && zone.pgdat !== zonelist[0]!.pgdat) continue;
    if ((flags & ALLOC_NO_WATERMARKS) === 0 && !passes(m, zone, order, classzone, flags, gfp)) continue;
    const pfn =
      order === 0 ? rmqueuePcp_2_6(m, zone, type, (gfp & __GFP_COLD) !== 0) : rmqueue_2_6(m, zone, order, type);
    if (pfn === NO_PFN) continue;
    m.events[PGALLOC + zone.type]! += 1 << order;
    prepNewPage(m, pfn, order);
    return pfn;
  }
  return NO_PFN;
}

function passes(m: Machine, zone: Zone, order: number, classzone: number, flags: number, gfp: Gfp): boolean {
  const mark = markOf(zone, flags);
  const ok = zoneWatermarkOk_2_6(zone, order, mark, classzone, flags);
  if (m.trace.on) traceWatermark(m, zone, order, mark, classzone, flags);
  if (ok) return true;
  return zoneReclaimed(m, zone, gfp, order) && zoneWatermarkOk_2_6(zone, order, mark, classzone, flags);
}

function traceWatermark(m: Machine, zone: Zone, order: number, mark: number, classzone: number, flags: number): void {
  const told = explainWatermark(zone, order, mark, classzone, flags);
  const failed = told.ok ? -1 : told.terms.length - 1;
  const { free } = told.terms.at(-1)!;
  m.trace.emit(m.clock.now, 'zone_watermark_ok', zone.index, order, mark, told.min, told.reserve, free, failed);
}

/** vm.zone_reclaim_mode: on some machines with several nodes a zone is reclaimed before the next node is asked. */
function zoneReclaimed(m: Machine, zone: Zone, gfp: Gfp, order: number): boolean {
  return m.nodes.length > 1 && (m.reclaim.zoneReclaim?.(zone, gfp, order) ?? false);
}

function allocPages_2_6(m: Machine, gfp: Gfp, order: number, type: number): Pfn {
  const zonelist = m.nodes[0]!.zonelists[gfpZone(gfp)]!;
  const mayWait = (gfp & __GFP_DIRECT_RECLAIM) !== 0;
  const nofail = (gfp & __GFP_NOFAIL) !== 0;
  let fruitless = 0;
  let reclaimed = 0;
  for (;;) {
    // restart
    let pfn = getPageFromFreelist(m, zonelist, gfp, order, type, ALLOC_WMARK_LOW);
    if (pfn !== NO_PFN) return pfn;
    for (let i = 0; i < zonelist.length; i++) m.reclaim.wakeupKswapd(zonelist[i]!, gfp, order);
    const flags = ALLOC_WMARK_MIN | (mayWait ? 0 : ALLOC_HARDER) | ((gfp & __GFP_HIGH) !== 0 ? ALLOC_HIGH : 0);
    pfn = getPageFromFreelist(m, zonelist, gfp, order, type, flags);
    if (pfn !== NO_PFN) return pfn;
    let again = false;
    while (!again) {
      // rebalance
      if (m.current.memalloc || m.current.oomVictim) {
        if ((gfp & __GFP_NOMEMALLOC) === 0) {
          pfn = getPageFromFreelist(m, zonelist, gfp, order, type, ALLOC_NO_WATERMARKS);
          if (pfn !== NO_PFN) return pfn;
        }
        bugOn(nofail, 'who frees memory does not ask for memory that must not fail', order);
        return NO_PFN;
      }
      if (!mayWait) return NO_PFN;
      // Others get to run, kswapd first (cond_resched).
      m.advance(0);
      m.current.memalloc = true;
      const progress = m.reclaim.tryToFreePages(zonelist[0]!.pgdat, order, gfp);
      m.current.memalloc = false;
      if (order > 0) m.physical.drainAll();
      if (progress > 0) {
        pfn = getPageFromFreelist(m, zonelist, gfp, order, type, flags);
        if (pfn !== NO_PFN) return pfn;
      } else if ((gfp & __GFP_NORETRY) === 0 && ((gfp & __GFP_FS) !== 0 || ++fruitless > MAX_FRUITLESS)) {
        pfn = getPageFromFreelist(m, zonelist, gfp, order, type, ALLOC_WMARK_HIGH);
        if (pfn !== NO_PFN) return pfn;
        if (order > PAGE_ALLOC_COSTLY_ORDER && !nofail) return NO_PFN;
        if (!m.generation.outOfMemory(m, gfp | __GFP_FS, order)) return lastPage(m, zonelist, gfp, order, type);
        if (!m.current.oomVictim) m.advance(JIFFY_NS);
        again = true;
        continue;
      }
      reclaimed += progress;
      if (!mayRetry(m, gfp, order, reclaimed)) return NO_PFN;
      congestionWait(m, m.disk, WAIT_NS);
    }
  }
}

/** SINCE 2.6.26: a large block with __GFP_REPEAT is given up once as many pages as it has were freed. Before: never. */
function mayRetry(m: Machine, gfp: Gfp, order: number, reclaimed: number): boolean {
  if ((gfp & __GFP_NOFAIL) !== 0) return true;
  if ((gfp & __GFP_NORETRY) !== 0) return false;
  if (order <= PAGE_ALLOC_COSTLY_ORDER) return true;
  if ((gfp & __GFP_RETRY_MAYFAIL) === 0) return false;
  return !m.generation.switches.repeatEnds || reclaimed < 1 << order;
}

/** Nobody is left to kill: Linux panics. */
function lastPage(m: Machine, zonelist: readonly Zone[], gfp: Gfp, order: number, type: number): Pfn {
  if ((gfp & __GFP_NOFAIL) === 0) return NO_PFN;
  const pfn = getPageFromFreelist(m, zonelist, gfp, order, type, ALLOC_NO_WATERMARKS);
  bugOn(pfn === NO_PFN, 'somebody can be killed while memory that must not fail is short', order);
  return pfn;
}

// freeing

/** A larger block goes to the zone at once. */
function freeBlock(m: Machine, zone: Zone, pfn: Pfn, order: number): void {
  const at = zone_2_6(m, zone);
  m.events[PGFREE]! += 1 << order;
  at.allUnreclaimable = false;
  at.pagesScanned = 0;
  freeOnePage_2_6(m, zone, pfn, order);
}

/** A single page that nobody has used lately: behind those that are likely in the CPU's cache (free_cold_page). */
export function freeColdPage(m: Machine, pfn: Pfn): void {
  const zone = m.zones[m.frames.zoneIndex(pfn)]!;
  if (m.trace.on) m.trace.emit(m.clock.now, 'mm_page_free', pfn, 0);
  freePagesPrepare(m, zone, pfn, 0);
  freeHotColdPage(m, zone, pfn, true);
}
