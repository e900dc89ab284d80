/**
 * Where pages come from in 3.16, and what is tried when memory is short.
 *
 *   fast: above low, each zone of the node in turn by its quota (NR_ALLOC_BATCH = high - low); then any zone
 *   slow: wake kswapd ─► above min, or what the reserves allow ─► compaction, async ─► reclaim ─► kill somebody, begin anew
 *         ─► again while the order is at most 3, 20 ms later ─► compaction, sync-light ─► fail
 *
 * Owns      the decision which zone an allocation comes from; the quotas; compaction's deferral (compaction.ts).
 * Promises  Without __GFP_DIRECT_RECLAIM nothing is waited for. With __GFP_NOFAIL the answer is a page.
 * Linux     3.16 mm/page_alloc.c: __alloc_pages_nodemask get_page_from_freelist reset_alloc_batches __alloc_pages_slowpath
 *           gfp_to_alloc_flags __alloc_pages_direct_compact __alloc_pages_direct_reclaim __alloc_pages_may_oom
 *           should_alloc_retry __free_pages_ok free_hot_cold_page; mm/page-writeback.c: zone_dirty_ok
 * After     page_alloc_6.ts
 *
 * DIFFERS: an allocation of order 3 or less that may neither fail nor start the OOM killer loops for ever in Linux when nobody
 *          else frees memory; here it fails after 64 rounds without progress.
 */
import { MAX_PAGE_ORDER, pageblockType } from './buddy.ts';
import { adoptBootBlocks, freeOnePage_3, rmqueue_3, setupZoneMigrateReserve } from './buddy_3.ts';
import { bugOn } from './bug.ts';
import { COMPACT_SKIPPED, Compaction } from './compaction.ts';
import {
  __GFP_DIRECT_RECLAIM,
  __GFP_FS,
  __GFP_HIGH,
  __GFP_KSWAPD_RECLAIM,
  __GFP_MEMALLOC,
  __GFP_MOVABLE,
  __GFP_NOFAIL,
  __GFP_NOMEMALLOC,
  __GFP_NORETRY,
  __GFP_RECLAIMABLE,
  __GFP_RETRY_MAYFAIL,
  __GFP_THISNODE,
  __GFP_WRITE,
  type Gfp,
} from './gfp.ts';
import type { Machine } from './machine.ts';
import { allocPagesByPolicy, isUserPage, type Nodemask, zonelistOf } from './mempolicy.ts';
import { MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT, type MigrateMode } from './migrate.ts';
import { freePagesPrepare, gfpZone, prepNewPage } from './page_alloc.ts';
import type { Physical } from './parts.ts';
import { drainPages_3, freePcp_3, rmqueuePcp_3 } from './pcp_3.ts';
import { NO_PFN, type Pfn, type Vpn } from './units.ts';
import { verifyPhysical_3 } from './verify_physical_3.ts';
import type { Vma } from './vma.ts';
import {
  COMPACTFAIL,
  COMPACTSUCCESS,
  NR_ACTIVE_FILE,
  NR_FILE_DIRTY,
  NR_INACTIVE_FILE,
  NR_WRITEBACK,
  PGALLOC,
  PGFREE,
} from './vmstat.ts';
import {
  ALLOC_FAIR_3,
  ALLOC_HARDER_3,
  ALLOC_HIGH_3,
  ALLOC_NO_WATERMARKS_3,
  ALLOC_WMARK_HIGH_3,
  ALLOC_WMARK_LOW_3,
  ALLOC_WMARK_MASK_3,
  ALLOC_WMARK_MIN_3,
  setupPerZoneWmarks_3,
  wmarkPages_3,
  zoneWatermarkOk_3,
} from './watermark_3.ts';
import { freeBlocks, type PgData, ZONE_NORMAL, type Zone } from './zone.ts';
import { buildZones } from './zone_build.ts';

const PAGE_ALLOC_COSTLY_ORDER = 3;
/** HZ/50. */
const CONGESTION_NS = 20_000_000;
const JIFFY_NS = 4_000_000;
const MOST_FRUITLESS_ROUNDS = 64;

export function newPhysical_3(machine: Machine): Physical {
  return new Physical_3(machine);
}

/** The allocator of a machine that runs 3.16. */
export function physical_3(machine: Machine): Physical_3 {
  return machine.physical as Physical_3;
}

/** What an allocation may have. */
interface Request {
  gfp: Gfp;
  order: number;
  zonelist: readonly Zone[];
  /** Zone type of the first zone of the list. */
  classzone: number;
  highest: number;
  type: number;
}

export class Physical_3 implements Physical {
  private readonly machine: Machine;
  /** NR_ALLOC_BATCH of each zone: pages it may still give before the others of its node have had their turn. */
  readonly allocBatch: number[] = [];
  /** For whom a fault allocates just now: the policy of the VMA counts for its pages. null: for nobody, or for a file. */
  policyVma: Vma | null = null;
  policyVpn: Vpn = 0 as Vpn;
  /** By zone. */
  readonly compaction: Compaction[] = [];

  constructor(machine: Machine) {
    this.machine = machine;
  }

  buildZones(): Pfn {
    const { machine } = this;
    const firstFree = buildZones(machine);
    for (const zone of machine.zones) adoptBootBlocks(machine.frames, zone);
    for (const zone of machine.zones) this.compaction.push(new Compaction(machine, zone));
    this.setupWatermarks();
    return firstFree;
  }

  setupWatermarks(): void {
    const { machine } = this;
    setupPerZoneWmarks_3(machine);
    for (const zone of machine.zones) {
      setupZoneMigrateReserve(machine.frames, zone);
      this.allocBatch[zone.index] = zone.wmarkHigh - zone.wmarkLow;
    }
  }

  drainAll(): void {
    drainPages_3(this.machine);
  }

  freeBlocks(zone: Zone, order: number): number {
    return freeBlocks(zone, order);
  }

  verify(): string[] {
    return verifyPhysical_3(this.machine);
  }

  // allocating

  allocPages(gfp: Gfp, order: number): Pfn {
    if (this.machine.nodes.length === 1) return this.allocPagesNodemask(gfp, order, 0, 0);
    return allocPagesByPolicy(this.machine, gfp, order, isUserPage(gfp) ? this.policyVma : null, this.policyVpn);
  }

  /** From `node` on, and from nodes of the mask only; 0 is all. */
  allocPagesNodemask(gfp: Gfp, order: number, node: number, nodemask: Nodemask): Pfn {
    const { machine } = this;
    if (order > MAX_PAGE_ORDER) return NO_PFN;
    const highest = gfpZone(gfp);
    const zonelist = zonelistOf(machine, node, highest, nodemask);
    if (zonelist.length === 0) return NO_PFN;
    const request: Request = {
      gfp,
      order,
      zonelist,
      classzone: zonelist[0]!.type,
      highest,
      type: migratetypeOf(gfp),
    };
    let pfn = this.getPageFromFreelist(request, ALLOC_WMARK_LOW_3 | ALLOC_FAIR_3);
    if (pfn !== NO_PFN) return pfn;
    // The node may have pages when its quotas are used up, and other nodes have not been asked.
    this.resetAllocBatches(zonelist);
    pfn = this.getPageFromFreelist(request, ALLOC_WMARK_LOW_3);
    return pfn !== NO_PFN ? pfn : this.slowpath(request);
  }

  private getPageFromFreelist(request: Request, allocFlags: number): Pfn {
    const { machine } = this;
    const { zonelist, order, classzone, gfp } = request;
    const local = zonelist[0]!.pgdat;
    for (let i = 0; i < zonelist.length; i++) {
      const zone = zonelist[i]!;
      if ((gfp & __GFP_THISNODE) !== 0 && zone.pgdat !== local) continue;
      if ((allocFlags & ALLOC_FAIR_3) !== 0 && (zone.pgdat !== local || this.allocBatch[zone.index]! <= 0)) continue;
      if ((allocFlags & ALLOC_WMARK_MASK_3) === ALLOC_WMARK_LOW_3 && (gfp & __GFP_WRITE) !== 0) {
        if (!zoneDirtyOk(machine, zone)) continue;
      }
      const ok = zoneWatermarkOk_3(zone, order, wmarkPages_3(zone, allocFlags), classzone, allocFlags);
      if (!ok && (allocFlags & ALLOC_NO_WATERMARKS_3) === 0) continue;
      const pfn = this.bufferedRmqueue(zone, order, request.type);
      if (pfn !== NO_PFN) return pfn;
    }
    return NO_PFN;
  }

  private bufferedRmqueue(zone: Zone, order: number, type: number): Pfn {
    const { machine } = this;
    const pfn = order === 0 ? rmqueuePcp_3(machine, zone, type) : rmqueue_3(machine.frames, zone, order, type);
    if (pfn === NO_PFN) return NO_PFN;
    this.allocBatch[zone.index]! -= 1 << order;
    machine.events[PGALLOC + zone.type]! += 1 << order;
    prepNewPage(machine, pfn, order);
    return pfn;
  }

  private resetAllocBatches(zonelist: readonly Zone[]): void {
    for (const zone of zonelist) {
      if (zone.pgdat === zonelist[0]!.pgdat) this.allocBatch[zone.index] = zone.wmarkHigh - zone.wmarkLow;
    }
  }

  // when memory is short

  private slowpath(request: Request): Pfn {
    const { machine } = this;
    const { gfp, order } = request;
    const mayWait = (gfp & __GFP_DIRECT_RECLAIM) !== 0;
    const nofail = (gfp & __GFP_NOFAIL) !== 0;
    let mode: MigrateMode = MIGRATE_ASYNC;
    let reclaimed = 0;
    let fruitless = 0;
    if ((gfp & __GFP_KSWAPD_RECLAIM) !== 0) this.wakeAllKswapds(request);
    for (;;) {
      const task = machine.current;
      const flags = this.allocFlagsOf(gfp);
      let pfn = this.getPageFromFreelist(request, flags & ~ALLOC_NO_WATERMARKS_3);
      if (pfn === NO_PFN && (flags & ALLOC_NO_WATERMARKS_3) !== 0) pfn = this.getPageFromFreelist(request, flags);
      if (pfn !== NO_PFN || !mayWait) return pfn;
      // Who frees memory must not try to free memory for that; who was killed for it shall not wait for it.
      if (task.memalloc || (task.oomVictim && !nofail)) return NO_PFN;
      pfn = this.directCompact(request, mode);
      if (pfn !== NO_PFN) return pfn;
      mode = MIGRATE_SYNC_LIGHT;
      const progress = machine.reclaim.tryToFreePages(request.zonelist[0]!.pgdat, order, gfp);
      if (progress > 0) {
        fruitless = 0;
        pfn = this.allocAfterReclaim(request);
        if (pfn !== NO_PFN) return pfn;
      } else {
        fruitless += 1;
        if ((gfp & __GFP_FS) !== 0 && (gfp & __GFP_NORETRY) === 0) {
          pfn = this.allocOrKill(request);
          if (pfn !== NO_PFN) return pfn;
          if (!nofail && (order > PAGE_ALLOC_COSTLY_ORDER || request.highest < ZONE_NORMAL)) return NO_PFN;
        }
      }
      reclaimed += progress;
      if (!shouldAllocRetry(gfp, order, reclaimed) || fruitless > MOST_FRUITLESS_ROUNDS) {
        bugOn(nofail && fruitless > MOST_FRUITLESS_ROUNDS, 'memory that must not fail can be found', order);
        // Reclaim may have freed single pages for compaction to put together.
        return this.directCompact(request, mode);
      }
      if (task.killed && (task.oomVictim || fruitless > 1) && !nofail) return NO_PFN;
      if (progress === 0) machine.advance(CONGESTION_NS);
      else machine.advance(0);
      if ((gfp & __GFP_KSWAPD_RECLAIM) !== 0) this.wakeAllKswapds(request);
    }
  }

  private allocFlagsOf(gfp: Gfp): number {
    const { current } = this.machine;
    let flags = ALLOC_WMARK_MIN_3;
    if ((gfp & __GFP_HIGH) !== 0) flags |= ALLOC_HIGH_3;
    if ((gfp & __GFP_DIRECT_RECLAIM) === 0 && (gfp & __GFP_NOMEMALLOC) === 0) flags |= ALLOC_HARDER_3;
    if ((gfp & __GFP_NOMEMALLOC) !== 0) return flags;
    const reserves = (gfp & __GFP_MEMALLOC) !== 0 || current.memalloc || current.oomVictim;
    return reserves ? flags | ALLOC_NO_WATERMARKS_3 : flags;
  }

  /** Each node's kswapd, told the highest zone of that node that we may use. */
  private wakeAllKswapds(request: Request): void {
    let last: PgData | null = null;
    for (const zone of request.zonelist) {
      if (zone.pgdat !== last) this.machine.reclaim.wakeupKswapd(zone, request.gfp, request.order);
      last = zone.pgdat;
    }
  }

  /** What was freed may stand on the CPUs' lists. */
  private allocAfterReclaim(request: Request): Pfn {
    const flags = this.allocFlagsOf(request.gfp) & ~ALLOC_NO_WATERMARKS_3;
    const pfn = this.getPageFromFreelist(request, flags);
    if (pfn !== NO_PFN) return pfn;
    drainPages_3(this.machine);
    return this.getPageFromFreelist(request, flags);
  }

  private allocOrKill(request: Request): Pfn {
    const { machine } = this;
    const { gfp, order, highest } = request;
    // A kill a moment ago may have freed a lot.
    const pfn = this.getPageFromFreelist(request, ALLOC_WMARK_HIGH_3);
    if (pfn !== NO_PFN) return pfn;
    if ((gfp & __GFP_NOFAIL) === 0) {
      // Large blocks and low zones are not worth a life.
      if (order > PAGE_ALLOC_COSTLY_ORDER || highest < ZONE_NORMAL || (gfp & __GFP_THISNODE) !== 0) return NO_PFN;
    }
    machine.generation.outOfMemory(machine, gfp, order);
    machine.advance(JIFFY_NS);
    return NO_PFN;
  }

  /** Moves pages until a free block comes together. NO_PFN: it did not, or was not tried. */
  private directCompact(request: Request, mode: MigrateMode): Pfn {
    const { machine, compaction } = this;
    const { gfp, order } = request;
    if (order === 0) return NO_PFN;
    const preferred = compaction[request.zonelist[0]!.index]!;
    if (preferred.isDeferred(order)) return NO_PFN;
    const task = machine.current;
    const was = task.memalloc;
    task.memalloc = true;
    const result = this.tryToCompactPages(request, mode);
    task.memalloc = was;
    if (result === COMPACT_SKIPPED) return NO_PFN;
    drainPages_3(machine);
    const pfn = this.getPageFromFreelist(request, this.allocFlagsOf(gfp) & ~ALLOC_NO_WATERMARKS_3);
    if (pfn !== NO_PFN) {
      preferred.deferReset(order, true);
      machine.events[COMPACTSUCCESS]! += 1;
      return pfn;
    }
    machine.events[COMPACTFAIL]! += 1;
    if (mode !== MIGRATE_ASYNC) preferred.defer(order);
    return NO_PFN;
  }

  private tryToCompactPages(request: Request, mode: MigrateMode): number {
    const { gfp, order, zonelist, type } = request;
    return Compaction.tryZones(this.machine, this.compaction, zonelist, order, gfp, type, mode);
  }

  // freeing

  freePages(pfn: Pfn, order: number): void {
    const { machine } = this;
    const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
    freePagesPrepare(machine, zone, pfn, order);
    machine.events[PGFREE]! += 1 << order;
    if (order === 0) freePcp_3(machine, zone, pfn, machine.current.memalloc);
    else freeOnePage_3(machine.frames, zone, pfn, order, pageblockType(zone, pfn));
  }
}

/** __GFP_MOVABLE and __GFP_RECLAIMABLE as two bits of the type's number. */
function migratetypeOf(gfp: Gfp): number {
  return ((gfp & __GFP_MOVABLE) !== 0 ? 2 : 0) | ((gfp & __GFP_RECLAIMABLE) !== 0 ? 1 : 0);
}

function shouldAllocRetry(gfp: Gfp, order: number, reclaimed: number): boolean {
  if ((gfp & __GFP_NORETRY) !== 0) return false;
  if ((gfp & __GFP_NOFAIL) !== 0 || order <= PAGE_ALLOC_COSTLY_ORDER) return true;
  return (gfp & __GFP_RETRY_MAYFAIL) !== 0 && reclaimed < 1 << order;
}

/** A page that will be dirtied comes from a zone that has not more than its part of the dirty limit yet. */
function zoneDirtyOk(m: Machine, zone: Zone): boolean {
  const { stat } = zone.pgdat;
  // DIFFERS: of a zone's dirty and file pages only the node's numbers are known; a user sees it on machines with several zones.
  const share = zone.managedPages / Math.max(1, nodePages(zone.pgdat));
  const dirtyable = zone.freePages + (stat[NR_INACTIVE_FILE]! + stat[NR_ACTIVE_FILE]!) * share;
  return (stat[NR_FILE_DIRTY]! + stat[NR_WRITEBACK]!) * share <= Math.floor((m.sysctl.dirtyRatio * dirtyable) / 100);
}

function nodePages(pgdat: PgData): number {
  let pages = 0;
  for (let type = 0; type < pgdat.zones.length; type++) pages += pgdat.zones[type]?.managedPages ?? 0;
  return pages;
}

/** The generation's fault, with the policy of the faulting VMA in force while it allocates (alloc_pages_vma). */
export function faultByPolicy(
  handlePteFault: (machine: Machine, vma: Vma, vpn: Vpn, flags: number) => number,
): (machine: Machine, vma: Vma, vpn: Vpn, flags: number) => number {
  return (machine, vma, vpn, flags) => {
    if (machine.nodes.length === 1) return handlePteFault(machine, vma, vpn, flags);
    const physical = physical_3(machine);
    physical.policyVma = vma.vmFile === null || vma.vmFile.inode.kind === 'tmpfs' ? vma : null;
    physical.policyVpn = vpn;
    const result = handlePteFault(machine, vma, vpn, flags);
    physical.policyVma = null;
    return result;
  };
}
