/**
 * Page frame reclaim of 2.6: one active and one inactive list in each zone, for anonymous and file pages alike.
 *
 *   swap_tendency = mapped_ratio / 2 + distress + swappiness + imbalance        100 or more: mapped pages are taken, too
 *
 *       mapped_ratio   percent of all memory that page tables map          distress    100 >> priority: 0 at 12, 100 at 0
 *       imbalance      active / (inactive + 1) * (swappiness + 1) / 100 * mapped_ratio / 100
 *
 *   Below 100 a mapped page goes back to the active head, unlooked at; an unmapped one becomes inactive, used or not.
 *
 *   Good at: sparing programs while there is cache to take. Bad at: telling a working set from a file that was read once; when the
 *   tendency tips over, much is swapped at once.
 *
 * Owns      when and how many pages are scanned: Zone_2_6's nrScan*, pagesScanned, prevPriority, allUnreclaimable; kswapd.
 * Promises  1. It is not entered twice by one task: who reclaims runs with `memalloc` set.
 *           2. kswapd ends when every zone is above its high mark, or nothing there can be reclaimed.
 * Linux     2.6.24 mm/vmscan.c: shrink_zone shrink_active_list shrink_inactive_list isolate_lru_pages clear_active_flags
 *           try_to_free_pages shrink_zones balance_pgdat wakeup_kswapd kswapd zone_reclaim; 2.6.26 mm/vmscan.c:
 *           calc_reclaim_mapped do_try_to_free_pages
 * Before    2.4: swap_out walked the page tables, for nobody knew who maps a page
 */
import { congestionWait } from '../backing_dev.ts';
import { EVENT_KSWAPD } from '../clock.ts';
import { SCAN_NS } from '../costs.ts';
import { throttleVmWriteout } from '../flusher_2_6.ts';
import { __GFP_DIRECT_RECLAIM, GFP_KERNEL, type Gfp } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { lruvecOf, type MemCgroup } from '../memcg.ts';
import { freeFolio, gfpZone } from '../page_alloc.ts';
import { PAGE_ALLOC_COSTLY_ORDER } from '../page_alloc_2_6.ts';
import { PG_active, PG_lru } from '../page_flags.ts';
import type { Reclaim } from '../parts.ts';
import { state_2_6 } from '../state_2_6.ts';
import { Task } from '../task.ts';
import { NO_PFN, type Pfn } from '../units.ts';
import {
  ALLOCSTALL,
  NR_ANON_MAPPED,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_SLAB_RECLAIMABLE,
  PAGEOUTRUN,
  PGDEACTIVATE,
  PGREFILL,
  PGSCAN_DIRECT,
  PGSCAN_KSWAPD,
  PGSTEAL_DIRECT,
  PGSTEAL_KSWAPD,
} from '../vmstat.ts';
import { zoneWatermarkOk_2_6 } from '../watermark_2_6.ts';
import { MAX_NR_ZONES, type PgData, type Zone } from '../zone.ts';
import { DEF_PRIORITY_2_6, physical_2_6, type Zone_2_6, zone_2_6 } from '../zone_2_6.ts';
import { addPageToList, countOnList, LRU_ACTIVE, LRU_INACTIVE } from './lru_2_6.ts';
import { ScanControl_2_6, SWAP_CLUSTER_MAX } from './scan_control_2_6.ts';
import { pageReferenced_2_6, shrinkPageList_2_6 } from './shrink_page_list_2_6.ts';
import { IcacheShrinker, newShrinkers_2_6, type Shrinker_2_6, shrinkSlab_2_6 } from './shrink_slab_2_6.ts';

/** HZ/10. */
const NAP_NS = 100_000_000;
const ISOLATE_INACTIVE = 0;
const ISOLATE_ACTIVE = 1;
const ISOLATE_BOTH = 2;
/** A zone is near the end when it was scanned so often without a page freed, and given up after twice as often. */
const NEAR_OOM_SCANS = 3;
const UNRECLAIMABLE_SCANS = 6;
/** Zone counters of 2.6, by zone type: rows of Vmscan_2_6.zoneEvents. */
export const PGREFILL_ZONE = 0;
export const PGSTEAL_ZONE = 1;
export const PGSCAN_KSWAPD_ZONE = 2;
export const PGSCAN_DIRECT_ZONE = 3;

/** vm.zone_reclaim_mode. */
export const RECLAIM_ZONE = 1;
export const RECLAIM_WRITE = 2;
export const RECLAIM_SWAP = 4;
const ZONE_RECLAIM_PRIORITY = 4;
const MIN_UNMAPPED_PERCENT = 1;
const MIN_SLAB_PERCENT = 5;

/** The components of swap_tendency, as they were when an active list was last scanned. */
export interface SwapTendency {
  mappedRatio: number;
  distress: number;
  swappiness: number;
  imbalance: number;
  total: number;
  reclaimMapped: boolean;
}

/** Where kswapd stands in a node, from when it wakes until every zone is all right. Its naps are pauses in it. */
class KswapdRun {
  readonly sc: ScanControl_2_6;
  readonly order: number;
  priority: number = DEF_PRIORITY_2_6;
  totalScanned = 0;
  reclaimed = 0;
  /** At which priority each zone type was last scanned. */
  readonly lastPriority: Int32Array = new Int32Array(MAX_NR_ZONES);

  constructor(sc: ScanControl_2_6, order: number) {
    this.sc = sc;
    this.order = order;
  }
}

export function newVmscan_2_6(machine: Machine): Reclaim {
  return new Vmscan_2_6(machine);
}

export function vmscan_2_6(machine: Machine): Vmscan_2_6 {
  return machine.reclaim as Vmscan_2_6;
}

export class Vmscan_2_6 implements Reclaim {
  /** vm.zone_reclaim_mode: 0, or RECLAIM_ bits. */
  zoneReclaimMode = 0;
  readonly icache: IcacheShrinker = new IcacheShrinker();
  readonly shrinkers: Shrinker_2_6[] = newShrinkers_2_6(this.icache);
  /** PGREFILL_ZONE … PGSCAN_DIRECT_ZONE, by zone type. */
  readonly zoneEvents: Float64Array = new Float64Array(4 * MAX_NR_ZONES);
  kswapdSteal = 0;
  tendency: SwapTendency | null = null;
  private readonly machine: Machine;
  private readonly idle: ScanControl_2_6[] = [];
  /** What kswapd is at, by node; null while it sleeps. */
  private readonly runs: (KswapdRun | null)[] = [];
  private readonly kswapdTask: Task;

  constructor(machine: Machine) {
    this.machine = machine;
    this.kswapdTask = new Task(2, 'kswapd0', null, machine.rootMemcg, null);
    this.kswapdTask.isKswapd = true;
    this.kswapdTask.memalloc = true;
  }

  private takeControl(gfp: Gfp, order: number, isKswapd: boolean): ScanControl_2_6 {
    const { sysctl, frames } = this.machine;
    const sc = this.idle.pop() ?? new ScanControl_2_6(frames);
    sc.start(gfp, order, sysctl.swappiness, !sysctl.laptopMode, isKswapd);
    return sc;
  }

  // direct reclaim

  tryToFreePages(pgdat: PgData, order: number, gfp: Gfp): number {
    const { machine } = this;
    const sc = this.takeControl(gfp, order, false);
    if (machine.trace.on) machine.trace.reclaimBegin(machine.clock.now, order, sc.mayWritepage, gfp, -1);
    machine.events[ALLOCSTALL]! += 1;
    const progress = this.doTryToFreePages(sc, pgdat.zonelists[gfpZone(gfp)]!);
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_direct_reclaim_end', progress);
    this.idle.push(sc);
    return progress;
  }

  /** From 1/4096 of the lists up to all of them, until 32 pages are free. */
  private doTryToFreePages(sc: ScanControl_2_6, zonelist: readonly Zone[]): number {
    const { machine } = this;
    let lruPages = 0;
    for (let i = 0; i < zonelist.length; i++) lruPages += lruPagesOf(zonelist[i]!);
    let totalScanned = 0;
    let reclaimed = 0;
    let enough = false;
    let priority = DEF_PRIORITY_2_6;
    for (; priority >= 0; priority--) {
      sc.nrScanned = 0;
      if (priority === 0) state_2_6(machine).swapToken.disable();
      reclaimed += this.shrinkZones(sc, zonelist, priority);
      shrinkSlab_2_6(machine, this.shrinkers, sc.nrScanned, sc.gfp, lruPages);
      totalScanned += sc.nrScanned;
      if (reclaimed >= sc.swapClusterMax) {
        enough = true;
        break;
      }
      if (totalScanned > sc.swapClusterMax + sc.swapClusterMax / 2) {
        machine.generation.writeback.wakeupFlusher(machine, machine.sysctl.laptopMode ? 0 : totalScanned);
        sc.mayWritepage = true;
      }
      if (sc.nrScanned > 0 && priority < DEF_PRIORITY_2_6 - 2) congestionWait(machine, machine.disk, NAP_NS);
    }
    for (let i = 0; i < zonelist.length; i++) zone_2_6(machine, zonelist[i]!).prevPriority = Math.max(0, priority);
    // SINCE 2.6.26: the number of pages. Before: 1, also when nothing was freed but not every zone is given up.
    if (machine.generation.switches.reclaimTellsPages) return enough || !sc.allUnreclaimable ? reclaimed : 0;
    return enough || !sc.allUnreclaimable ? 1 : 0;
  }

  private shrinkZones(sc: ScanControl_2_6, zonelist: readonly Zone[], priority: number): number {
    let reclaimed = 0;
    sc.allUnreclaimable = true;
    for (let i = 0; i < zonelist.length; i++) {
      const at = zone_2_6(this.machine, zonelist[i]!);
      at.prevPriority = Math.min(at.prevPriority, priority);
      // kswapd looks after it now and then.
      if (at.allUnreclaimable && priority !== DEF_PRIORITY_2_6) continue;
      sc.allUnreclaimable = false;
      reclaimed += this.shrinkZone(sc, at, priority);
    }
    return reclaimed;
  }

  // one zone

  /** Small shares add up until they are worth a scan; active and inactive list in turn, 32 pages each. */
  shrinkZone(sc: ScanControl_2_6, at: Zone_2_6, priority: number): number {
    const { lruPages } = at.zone;
    at.nrScanActive += Math.floor(lruPages[LRU_ACTIVE]! / 2 ** priority) + 1;
    let active = 0;
    if (at.nrScanActive >= sc.swapClusterMax) {
      active = at.nrScanActive;
      at.nrScanActive = 0;
    }
    at.nrScanInactive += Math.floor(lruPages[LRU_INACTIVE]! / 2 ** priority) + 1;
    let inactive = 0;
    if (at.nrScanInactive >= sc.swapClusterMax) {
      inactive = at.nrScanInactive;
      at.nrScanInactive = 0;
    }
    let reclaimed = 0;
    while (active > 0 || inactive > 0) {
      if (active > 0) {
        const pages = Math.min(active, sc.swapClusterMax);
        active -= pages;
        this.shrinkActiveList(sc, at, pages, priority);
      }
      if (inactive > 0) {
        const pages = Math.min(inactive, sc.swapClusterMax);
        inactive -= pages;
        reclaimed += this.shrinkInactiveList(sc, at, pages);
      }
    }
    throttleVmWriteout(this.machine, sc.gfp);
    return reclaimed;
  }

  /** Are pages that somebody maps to be taken, too? */
  private reclaimMapped(sc: ScanControl_2_6, at: Zone_2_6, priority: number): boolean {
    if (!sc.maySwap) return false;
    const { zone } = at;
    if (at.pagesScanned >= NEAR_OOM_SCANS * lruPagesOf(zone)) return true;
    const { machine } = this;
    let mapped = 0;
    for (let i = 0; i < machine.nodes.length; i++) {
      const { stat } = machine.nodes[i]!;
      mapped += stat[NR_FILE_MAPPED]! + stat[NR_ANON_MAPPED]!;
    }
    this.tendency = swapTendency(
      mapped,
      physical_2_6(machine).vmTotalPages,
      Math.min(at.prevPriority, priority),
      sc.swappiness,
      zone.lruPages[LRU_ACTIVE]!,
      zone.lruPages[LRU_INACTIVE]!,
    );
    return this.tendency.reclaimMapped;
  }

  shrinkActiveList(sc: ScanControl_2_6, at: Zone_2_6, pages: number, priority: number): void {
    const { machine } = this;
    const { frames } = machine;
    const reclaimMapped = this.reclaimMapped(sc, at, priority);
    machine.lru.drain();
    this.isolateLruPages(sc, at, LRU_ACTIVE, pages, false);
    at.pagesScanned += sc.isolatedScanned;
    machine.events[PGREFILL]! += sc.isolatedScanned;
    this.zoneEvents[PGREFILL_ZONE * MAX_NR_ZONES + at.zone.type]! += sc.isolatedScanned;
    for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
      frames.listDel(pfn);
      frames.listAdd(pfn, this.staysActive(pfn, reclaimMapped) ? sc.toActive : sc.toInactive);
    }
    let moved = 0;
    for (let pfn = frames.listLast(sc.toInactive); pfn !== NO_PFN; pfn = frames.listLast(sc.toInactive)) {
      frames.listDel(pfn);
      frames.clear(pfn, PG_active);
      this.putBack(pfn);
      moved += 1;
    }
    for (let pfn = frames.listLast(sc.toActive); pfn !== NO_PFN; pfn = frames.listLast(sc.toActive)) {
      frames.listDel(pfn);
      this.putBack(pfn);
    }
    machine.events[PGDEACTIVATE]! += moved;
    if (machine.trace.on) {
      const { nid } = at.zone.pgdat;
      const taken = sc.isolatedTaken;
      machine.trace.emit(
        machine.clock.now,
        'mm_vmscan_lru_shrink_active',
        nid,
        taken,
        taken - moved,
        moved,
        0,
        priority,
        0,
      );
    }
  }

  /** Only of mapped pages it is asked whether they were used, and only when mapped pages are to be taken at all. */
  private staysActive(pfn: Pfn, reclaimMapped: boolean): boolean {
    const { machine } = this;
    if (machine.frames.mapcount(pfn) === 0) return false;
    if (!reclaimMapped) return true;
    if (machine.swap.totalSwapPages === 0 && machine.frames.isAnon(pfn)) return true;
    return pageReferenced_2_6(machine, pfn, false) > 0;
  }

  private shrinkInactiveList(sc: ScanControl_2_6, at: Zone_2_6, maxScan: number): number {
    const { machine } = this;
    const { zone } = at;
    const large = sc.order > PAGE_ALLOC_COSTLY_ORDER;
    machine.lru.drain();
    let scanned = 0;
    let reclaimed = 0;
    do {
      this.isolateLruPages(sc, at, LRU_INACTIVE, sc.swapClusterMax, large);
      const taken = sc.isolatedTaken;
      const scan = sc.isolatedScanned;
      this.clearActiveFlags(sc);
      at.pagesScanned += scan;
      scanned += scan;
      machine.work.pagesScanned += scan;
      let freed = shrinkPageList_2_6(machine, sc, false);
      if (freed < taken && !sc.isKswapd && large) {
        // A whole block is wanted: what is being written is waited for.
        congestionWait(machine, machine.disk, NAP_NS);
        this.clearActiveFlags(sc);
        freed += shrinkPageList_2_6(machine, sc, true);
      }
      reclaimed += freed;
      machine.work.pagesReclaimed += freed;
      this.countInactive(sc, zone, scan, freed);
      const { frames } = machine;
      for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
        frames.listDel(pfn);
        this.putBack(pfn);
      }
      if (taken === 0) break;
    } while (scanned < maxScan);
    return reclaimed;
  }

  private countInactive(sc: ScanControl_2_6, zone: Zone, scan: number, freed: number): void {
    const { machine, zoneEvents } = this;
    machine.events[sc.isKswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT]! += scan;
    machine.events[sc.isKswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT]! += freed;
    zoneEvents[(sc.isKswapd ? PGSCAN_KSWAPD_ZONE : PGSCAN_DIRECT_ZONE) * MAX_NR_ZONES + zone.type]! += scan;
    zoneEvents[PGSTEAL_ZONE * MAX_NR_ZONES + zone.type]! += freed;
    if (sc.isKswapd) this.kswapdSteal += freed;
    if (machine.trace.on) {
      const { nid } = zone.pgdat;
      machine.trace.emit(
        machine.clock.now,
        'mm_vmscan_lru_shrink_inactive',
        nid,
        scan,
        freed,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        zone.type,
      );
    }
  }

  /**
   * Takes up to `pages` from the list's tail onto sc.isolated, head first as they were; each gets a reference and loses PG_lru. For a
   * larger block also the other pages of its frame range that are on the same list, with `both` on either.
   */
  private isolateLruPages(sc: ScanControl_2_6, at: Zone_2_6, list: number, pages: number, both: boolean): void {
    const { machine } = this;
    const { frames } = machine;
    const source = machine.rootMemcg.lruvecs[at.zone.lruvec]!.lists[list]!;
    let scan = 0;
    let taken = 0;
    for (; scan < pages; scan++) {
      const pfn = frames.listLast(source);
      if (pfn === NO_PFN) break;
      this.take(sc, pfn);
      taken += 1;
      if (sc.order === 0) continue;
      const start = pfn - (pfn % (1 << sc.order));
      for (let other = start; other < start + (1 << sc.order); other++) {
        if (other === pfn || !this.isWanted(at, other as Pfn, list, both)) continue;
        this.take(sc, other as Pfn);
        taken += 1;
        scan += 1;
      }
    }
    machine.clock.spend(scan * SCAN_NS);
    sc.isolatedScanned = scan;
    sc.isolatedTaken = taken;
    if (machine.trace.on) {
      const { now } = machine.clock;
      const mode = both ? ISOLATE_BOTH : list === LRU_ACTIVE ? ISOLATE_ACTIVE : ISOLATE_INACTIVE;
      machine.trace.emit(now, 'mm_vmscan_lru_isolate', at.zone.type, pages, scan, 0, taken, list, sc.order, mode);
    }
  }

  private isWanted(at: Zone_2_6, pfn: Pfn, list: number, both: boolean): boolean {
    const { frames } = this.machine;
    if (pfn >= frames.frames || frames.zoneIndex(pfn) !== at.zone.index || !frames.has(pfn, PG_lru)) return false;
    return both || frames.has(pfn, PG_active) === (list === LRU_ACTIVE);
  }

  private take(sc: ScanControl_2_6, pfn: Pfn): void {
    const { machine } = this;
    const { frames } = machine;
    frames.get(pfn);
    frames.clear(pfn, PG_lru);
    const list = frames.has(pfn, PG_active) ? LRU_ACTIVE : LRU_INACTIVE;
    countOnList(machine, lruvecOf(machine, pfn), pfn, list, -1);
    frames.listDel(pfn);
    frames.listAdd(pfn, sc.isolated);
  }

  /** For a larger block active pages were taken, too; a second look may have made some active. */
  private clearActiveFlags(sc: ScanControl_2_6): void {
    const { frames, events } = this.machine;
    for (let pfn = frames.listFirst(sc.isolated); pfn !== NO_PFN; pfn = frames.listNext(pfn)) {
      if (frames.testAndClear(pfn, PG_active)) events[PGDEACTIVATE]! += 1;
    }
  }

  /** To the head of the list that its flags name; the isolation's reference goes. */
  private putBack(pfn: Pfn): void {
    const { machine } = this;
    const { frames } = machine;
    if (frames.putTestzero(pfn)) {
      // Its last user went while it was isolated.
      frames.clear(pfn, PG_active);
      freeFolio(machine, pfn);
      return;
    }
    frames.set(pfn, PG_lru);
    addPageToList(machine, pfn);
  }

  // kswapd

  wakeupKswapd(zone: Zone, gfp: Gfp, order: number): void {
    const { machine } = this;
    const { pgdat } = zone;
    if (zoneWatermarkOk_2_6(zone, order, zone.wmarkLow, 0, 0)) return;
    pgdat.kswapdOrder = Math.max(pgdat.kswapdOrder, order);
    if (pgdat.kswapdAwake) return;
    pgdat.kswapdAwake = true;
    const { nid } = pgdat;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_wakeup_kswapd', nid, order, zone.type, gfp);
    machine.clock.schedule(machine.clock.now, EVENT_KSWAPD, pgdat.nid, 0);
  }

  /** Its turn on the clock: it begins, or goes on after a nap. */
  runKswapd(pgdat: PgData): void {
    const { machine } = this;
    const was = machine.current;
    machine.current = this.kswapdTask;
    const { swapToken } = state_2_6(machine);
    const { interrupted } = swapToken;
    swapToken.interrupted = was.mm;
    const run = this.runs[pgdat.nid] ?? this.beginRun(pgdat);
    if (this.balancePgdat(pgdat, run)) this.endRun(pgdat, run);
    else machine.clock.schedule(machine.clock.now + NAP_NS, EVENT_KSWAPD, pgdat.nid, 0);
    swapToken.interrupted = interrupted;
    machine.current = was;
  }

  private beginRun(pgdat: PgData): KswapdRun {
    const { machine } = this;
    const order = pgdat.kswapdOrder;
    pgdat.kswapdOrder = 0;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_kswapd_wake', pgdat.nid, order, 0);
    const run = new KswapdRun(this.takeControl(GFP_KERNEL, order, true), order);
    this.runs[pgdat.nid] = run;
    this.restart(run);
    return run;
  }

  private endRun(pgdat: PgData, run: KswapdRun): void {
    const { machine } = this;
    this.idle.push(run.sc);
    this.runs[pgdat.nid] = null;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_kswapd_sleep', pgdat.nid);
    if (pgdat.kswapdOrder > run.order) {
      // Somebody asked for a larger block meanwhile.
      machine.clock.schedule(machine.clock.now, EVENT_KSWAPD, pgdat.nid, 0);
      return;
    }
    pgdat.kswapdOrder = 0;
    pgdat.kswapdAwake = false;
  }

  /** From priority 12 again. */
  private restart(run: KswapdRun): void {
    const { machine } = this;
    run.priority = DEF_PRIORITY_2_6;
    run.totalScanned = 0;
    run.reclaimed = 0;
    run.sc.mayWritepage = !machine.sysctl.laptopMode;
    run.lastPriority.fill(DEF_PRIORITY_2_6);
    machine.events[PAGEOUTRUN]! += 1;
  }

  /** True: every zone is all right, or given up. False: it takes a nap, and goes on where it stopped. */
  private balancePgdat(pgdat: PgData, run: KswapdRun): boolean {
    for (;;) {
      while (run.priority >= 0) {
        if (this.balanceAtPriority(pgdat, run)) {
          this.notePriorities(pgdat, run);
          return true;
        }
        const nap = run.totalScanned > 0 && run.priority < DEF_PRIORITY_2_6 - 2;
        run.priority = run.reclaimed >= SWAP_CLUSTER_MAX ? -1 : run.priority - 1;
        if (nap) return false;
      }
      this.notePriorities(pgdat, run);
      this.restart(run);
    }
  }

  private notePriorities(pgdat: PgData, run: KswapdRun): void {
    for (let type = 0; type < MAX_NR_ZONES; type++) {
      const zone = pgdat.zones[type];
      if (zone !== undefined) zone_2_6(this.machine, zone).prevPriority = run.lastPriority[type]!;
    }
  }

  private balanceAtPriority(pgdat: PgData, run: KswapdRun): boolean {
    const { machine } = this;
    const { sc, order, priority } = run;
    if (priority === 0) state_2_6(machine).swapToken.disable();
    const endZone = this.highestToScan(pgdat, order, priority);
    if (endZone < 0) return true;
    let allOk = true;
    let lruPages = 0;
    for (let type = 0; type <= endZone; type++) lruPages += lruPagesOf(pgdat.zones[type]);
    for (let type = 0; type <= endZone; type++) {
      const zone = pgdat.zones[type];
      if (zone === undefined) continue;
      const at = zone_2_6(machine, zone);
      if (at.allUnreclaimable && priority !== DEF_PRIORITY_2_6) continue;
      if (!zoneWatermarkOk_2_6(zone, order, zone.wmarkHigh, endZone, 0)) allOk = false;
      run.lastPriority[type] = priority;
      sc.nrScanned = 0;
      at.prevPriority = Math.min(at.prevPriority, priority);
      // The same pressure on every zone, unless one has plenty.
      const plenty = zoneWatermarkOk_2_6(zone, order, 8 * zone.wmarkHigh, endZone, 0);
      if (!plenty) run.reclaimed += this.shrinkZone(sc, at, priority);
      const slab = shrinkSlab_2_6(machine, this.shrinkers, sc.nrScanned, GFP_KERNEL, lruPages);
      run.totalScanned += sc.nrScanned;
      if (!at.allUnreclaimable && slab === 0 && at.pagesScanned >= UNRECLAIMABLE_SCANS * lruPagesOf(zone)) {
        at.allUnreclaimable = true;
      }
      const inTrouble = run.totalScanned > run.reclaimed + Math.floor(run.reclaimed / 2);
      if (run.totalScanned > 2 * SWAP_CLUSTER_MAX && inTrouble) sc.mayWritepage = true;
    }
    return allOk;
  }

  /** The highest zone below its high mark, by type; -1 if there is none. */
  private highestToScan(pgdat: PgData, order: number, priority: number): number {
    for (let type = MAX_NR_ZONES - 1; type >= 0; type--) {
      const zone = pgdat.zones[type];
      if (zone === undefined) continue;
      if (zone_2_6(this.machine, zone).allUnreclaimable && priority !== DEF_PRIORITY_2_6) continue;
      if (!zoneWatermarkOk_2_6(zone, order, zone.wmarkHigh, 0, 0)) return type;
    }
    return -1;
  }

  // a zone before the next node

  zoneReclaim(zone: Zone, gfp: Gfp, order: number): boolean {
    const mode = this.zoneReclaimMode;
    if (mode === 0 || (gfp & __GFP_DIRECT_RECLAIM) === 0 || this.machine.current.memalloc) return false;
    const at = zone_2_6(this.machine, zone);
    const { stat } = zone.pgdat;
    const unmapped = stat[NR_FILE_PAGES]! - stat[NR_FILE_MAPPED]!;
    const share = (percent: number): number => Math.floor((zone.presentPages * percent) / 100);
    const slabToo = stat[NR_SLAB_RECLAIMABLE]! > share(MIN_SLAB_PERCENT);
    if (unmapped <= share(MIN_UNMAPPED_PERCENT) && !slabToo) return false;
    if (at.allUnreclaimable || at.reclaimLocked) return false;
    at.reclaimLocked = true;
    const sc = this.takeControl(gfp, order, false);
    sc.mayWritepage = (mode & RECLAIM_WRITE) !== 0;
    sc.maySwap = (mode & RECLAIM_SWAP) !== 0;
    sc.swapClusterMax = Math.max(1 << order, SWAP_CLUSTER_MAX);
    const { current } = this.machine;
    current.memalloc = true;
    let reclaimed = 0;
    if (unmapped > share(MIN_UNMAPPED_PERCENT)) {
      for (let priority = ZONE_RECLAIM_PRIORITY; priority >= 0 && reclaimed < 1 << order; priority--) {
        at.prevPriority = Math.min(at.prevPriority, priority);
        reclaimed += this.shrinkZone(sc, at, priority);
      }
    }
    if (slabToo) shrinkSlab_2_6(this.machine, this.shrinkers, sc.nrScanned, gfp, order);
    current.memalloc = false;
    at.reclaimLocked = false;
    this.idle.push(sc);
    return reclaimed >= 1 << order;
  }

  // what these kernels do not have

  tryToFreeMemCgroupPages(_memcg: MemCgroup, _pages: number, _gfp: Gfp, _maySwap: boolean): number {
    return 0;
  }

  /** MADV_PAGEOUT is not there to ask for it; who studies the verdict on single pages does. */
  reclaimPages(pages: Pfn[]): number {
    const { machine } = this;
    const { frames, current } = machine;
    const sc = this.takeControl(GFP_KERNEL, 0, false);
    for (let i = 0; i < pages.length; i++) {
      frames.clear(pages[i]!, PG_active);
      frames.listAdd(pages[i]!, sc.isolated);
    }
    const was = current.memalloc;
    current.memalloc = true;
    const freed = shrinkPageList_2_6(machine, sc, false);
    current.memalloc = was;
    for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
      frames.listDel(pfn);
      this.putBack(pfn);
    }
    this.idle.push(sc);
    return freed;
  }

  zoneReclaimablePages(zone: Zone): number {
    return lruPagesOf(zone);
  }
}

/** Everything that a zone could be asked for. */
function lruPagesOf(zone: Zone | undefined): number {
  return zone === undefined ? 0 : zone.lruPages[LRU_ACTIVE]! + zone.lruPages[LRU_INACTIVE]!;
}

/** See the formula above, with the kernel's order of whole-number divisions. */
export function swapTendency(
  mappedPages: number,
  totalPages: number,
  priority: number,
  swappiness: number,
  active: number,
  inactive: number,
): SwapTendency {
  const mappedRatio = Math.floor((mappedPages * 100) / totalPages);
  const distress = 100 >> priority;
  let imbalance = Math.floor(active / (inactive + 1));
  imbalance = Math.floor((imbalance * (swappiness + 1)) / 100);
  imbalance = Math.floor((imbalance * mappedRatio) / 100);
  const total = Math.floor(mappedRatio / 2) + distress + swappiness + imbalance;
  return { mappedRatio, distress, swappiness, imbalance, total, reclaimMapped: total >= 100 };
}
