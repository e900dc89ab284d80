/**
 * Page frame reclaim with active and inactive lists for anonymous and file pages (2.6.28 and later; here 6.x).
 *
 * Owns      when and how many pages are scanned: scan balance, list aging, priorities, cgroup walk, kswapd.
 * Promises  1. A reclaim that freed nothing has looked at everything that it may free.
 *           2. It is not entered twice: who reclaims runs with `memalloc` set.
 * Linux     6.18 mm/vmscan.c: shrink_lruvec get_scan_count shrink_inactive_list shrink_active_list isolate_lru_folios
 *           prepare_scan_control shrink_node shrink_node_memcgs do_try_to_free_pages
 *           try_to_free_mem_cgroup_pages try_to_free_pages balance_pgdat kswapd_shrink_node pgdat_balanced wakeup_kswapd
 *           reclaim_folio_list reclaim_throttle inactive_is_low snapshot_refaults zone_reclaimable_pages kswapd_age_node
 *
 *                      ┌── referenced twice, or code ──┐
 *                      ▼                               │
 *   active   [ head ………………… tail ] ── aged ──► inactive [ head ………………… tail ] ──► freed
 *                                                      ▲  └─ referenced once: back to the head
 *                                          new pages ──┘
 */
import { EVENT_KSWAPD } from '../clock.ts';
import { SCAN_NS } from '../costs.ts';
import { folioMapcount, folioPages } from '../folio.ts';
import { __GFP_FS, __GFP_HARDWALL, __GFP_HIGHMEM, __GFP_MOVABLE, GFP_KERNEL, type Gfp } from '../gfp.ts';
import {
  LRU_ACTIVE_ANON,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_ANON,
  LRU_INACTIVE_FILE,
  type LruList,
  type Lruvec,
  modLruvecState,
} from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { calculateProtection, countMemcgEvents, type MemCgroup, memcgEvent } from '../memcg.ts';
import { gfpZone, zoneWatermarkOk } from '../page_alloc.ts';
import { PG_active, PG_lru, PG_workingset } from '../page_flags.ts';
import type { Reclaim } from '../parts.ts';
import { shrinkSlab } from '../slab.ts';
import { memCgroupGetNrSwapPages } from '../swap/swapfile.ts';
import { Task } from '../task.ts';
import { intSqrt, NO_PFN, type Pfn } from '../units.ts';
import { VM_EXEC } from '../vm_flags.ts';
import {
  ALLOCSTALL,
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  NR_ISOLATED_ANON,
  PAGEOUTRUN,
  PGDEACTIVATE,
  PGREFILL,
  PGSCAN_ANON,
  PGSCAN_DIRECT,
  PGSCAN_KSWAPD,
  PGSCAN_SKIP,
  PGSTEAL_ANON,
  PGSTEAL_DIRECT,
  PGSTEAL_KSWAPD,
  WORKINGSET_ACTIVATE_ANON,
  WORKINGSET_ACTIVATE_FILE,
} from '../vmstat.ts';
import type { PgData, Zone } from '../zone.ts';
import { isEvictable, isFileList, isFileLru, lruvecForgetPage } from './lru.ts';
import { countReclaim, movePagesToLru } from './move_pages.ts';
import { unprotected } from './protection.ts';
import { DEACTIVATE_ANON, DEACTIVATE_FILE, DEF_PRIORITY, ScanControl, SWAP_CLUSTER_MAX } from './scan_control.ts';
import { shrinkPageList } from './shrink_page_list.ts';
import { lruNoteCost } from './workingset.ts';

/** kswapd gives a node up after so many runs without progress. */
export const MAX_RECLAIM_RETRIES = 16;
/** isolate_mode_t */
const ISOLATE_UNMAPPED = 2;
const JIFFY_NS = 4_000_000;
const WRITEBACK_TIMEOUT_NS = 100_000_000;

export function newVmscan(machine: Machine): Reclaim {
  return new Vmscan(machine);
}

class Vmscan implements Reclaim {
  private readonly machine: Machine;
  private readonly direct: ScanControl;
  private readonly kswapd: ScanControl;
  private readonly kswapdTask: Task;

  constructor(machine: Machine) {
    this.machine = machine;
    this.direct = new ScanControl(machine.frames);
    this.kswapd = new ScanControl(machine.frames);
    this.kswapdTask = new Task(2, 'kswapd0', null, machine.rootMemcg, null);
    this.kswapdTask.isKswapd = true;
    this.kswapdTask.memalloc = true;
  }

  // entries

  tryToFreePages(pgdat: PgData, order: number, gfp: Gfp): number {
    const { machine, direct: sc } = this;
    sc.start(SWAP_CLUSTER_MAX, this.gfpContext(gfp), null);
    sc.order = order;
    sc.reclaimIdx = gfpZone(gfp);
    sc.mayWritepage = !machine.sysctl.laptopMode;
    if (machine.trace.on) machine.trace.reclaimBegin(machine.clock.now, order, sc.mayWritepage, sc.gfp, -1);
    const freed = this.asReclaimer(sc, pgdat);
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_direct_reclaim_end', freed);
    return freed;
  }

  tryToFreeMemCgroupPages(memcg: MemCgroup, pages: number, gfp: Gfp, maySwap: boolean): number {
    const { machine, direct: sc } = this;
    sc.start(Math.max(pages, SWAP_CLUSTER_MAX), this.gfpContext(gfp) | __GFP_HIGHMEM | __GFP_MOVABLE, memcg);
    sc.maySwap = maySwap;
    sc.mayWritepage = !machine.sysctl.laptopMode;
    if (machine.trace.on)
      machine.trace.reclaimBegin(machine.clock.now, 0, sc.mayWritepage, sc.gfp | __GFP_HARDWALL, memcg.id);
    const freed = this.asReclaimer(sc, machine.nodes[0]!);
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_memcg_reclaim_end', freed);
    return freed;
  }

  reclaimPages(pages: Pfn[]): number {
    const { machine, direct: sc } = this;
    const { frames } = machine;
    let freed = 0;
    for (const pgdat of machine.nodes) {
      const here = pages.filter((pfn) => machine.zones[frames.zoneIndex(pfn)]!.pgdat === pgdat);
      if (here.length === 0) continue;
      sc.start(here.length, GFP_KERNEL, null);
      sc.ignoreReferences = machine.generation.switches.pageoutKeepsYoung;
      for (const pfn of here) {
        frames.clear(pfn, PG_active);
        frames.listAdd(pfn, sc.isolated);
      }
      const was = machine.current.memalloc;
      machine.current.memalloc = true;
      freed += shrinkPageList(machine, sc, pgdat);
      machine.current.memalloc = was;
      for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
        frames.listDel(pfn);
        machine.lru.putback(pfn);
      }
    }
    return freed;
  }

  zoneReclaimablePages(zone: Zone): number {
    let pages = zone.lruPages[LRU_INACTIVE_FILE]! + zone.lruPages[LRU_ACTIVE_FILE]!;
    if (memCgroupGetNrSwapPages(this.machine, this.machine.rootMemcg) > 0) {
      pages += zone.lruPages[LRU_INACTIVE_ANON]! + zone.lruPages[LRU_ACTIVE_ANON]!;
    }
    return pages;
  }

  private gfpContext(gfp: Gfp): Gfp {
    return this.machine.current.nofs ? gfp & ~__GFP_FS : gfp;
  }

  private asReclaimer(sc: ScanControl, pgdat: PgData): number {
    const { current } = this.machine;
    const was = current.memalloc;
    current.memalloc = true;
    const freed = this.doTryToFreePages(sc, pgdat);
    current.memalloc = was;
    return freed;
  }

  /** From 1/4096 of the lists up to all of them, until enough is free. */
  private doTryToFreePages(sc: ScanControl, pgdat: PgData): number {
    const { machine } = this;
    for (;;) {
      if (sc.targetMemcg === null) machine.events[ALLOCSTALL]! += 1;
      do {
        sc.nrScanned = 0;
        this.shrinkZones(sc, pgdat);
        // Scanning takes time, in which I/O ends: else a disk could never be done with the pages that we wait for.
        machine.advance(0);
        if (sc.nrReclaimed >= sc.nrToReclaim) break;
        if (sc.priority < DEF_PRIORITY - 2) sc.mayWritepage = true;
        sc.priority -= 1;
      } while (sc.priority >= 0);
      for (const node of machine.nodes) this.snapshotRefaults(sc.targetMemcg, node);
      if (sc.nrReclaimed > 0) return sc.nrReclaimed;
      if (machine.generation.switches.fullWalkRetry && !sc.memcgFullWalk) {
        sc.priority = DEF_PRIORITY;
        sc.memcgFullWalk = true;
      } else if (sc.skippedDeactivate) {
        sc.priority = DEF_PRIORITY;
        sc.forceDeactivate = true;
        sc.skippedDeactivate = false;
      } else if (sc.memcgLowSkipped) {
        sc.priority = DEF_PRIORITY;
        sc.forceDeactivate = false;
        sc.memcgLowReclaim = true;
        sc.memcgLowSkipped = false;
      } else {
        return 0;
      }
    }
  }

  private shrinkZones(sc: ScanControl, pgdat: PgData): void {
    const { machine } = this;
    const zonelist = pgdat.zonelists[sc.reclaimIdx]!;
    let last: PgData | null = null;
    for (const zone of zonelist) {
      if (zone.pgdat === last) continue;
      last = zone.pgdat;
      this.shrinkNode(sc, zone.pgdat);
    }
    if (sc.targetMemcg === null && sc.priority === 1 && sc.nrReclaimed === 0) this.throttle(pgdat, JIFFY_NS, 0);
    if (sc.targetMemcg !== null) sc.targetMemcg.lruvecs[pgdat.nid]!.congested = false;
    else machine.rootMemcg.lruvecs[pgdat.nid]!.congested = false;
  }

  /** Waits a while for I/O to end; what is due on the clock happens meanwhile. */
  private throttle(pgdat: PgData, ns: number, reason: number): void {
    const { machine } = this;
    machine.advance(ns);
    const usec = ns / 1000;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_throttled', pgdat.nid, usec, reason, usec);
  }

  // one node

  private shrinkNode(sc: ScanControl, pgdat: PgData): void {
    const target = (sc.targetMemcg ?? this.machine.rootMemcg).lruvecs[pgdat.nid]!;
    sc.resetSums();
    const { multiGen } = this.machine;
    if (multiGen !== null && sc.targetMemcg === null && multiGen.rules.shrinkNode !== null) {
      multiGen.rules.shrinkNode(multiGen, sc, pgdat);
      return;
    }
    const before = sc.nrReclaimed;
    if (multiGen === null) this.prepareScanControl(sc, pgdat, target);
    this.shrinkNodeMemcgs(sc, pgdat);
    if (sc.isKswapd) {
      if (sc.writeback > 0 && sc.writeback === sc.taken) pgdat.manyWriteback = true;
      if (sc.unqueuedDirty === sc.fileTaken) pgdat.manyDirty = true;
      if (sc.immediate > 0) this.throttle(pgdat, WRITEBACK_TIMEOUT_NS, 1);
    }
    const sane = sc.isKswapd || (sc.targetMemcg !== null && !sc.targetMemcg.v1);
    if (sane && sc.dirty > 0 && sc.dirty === sc.congested) target.congested = true;
    if (!sc.isKswapd && target.congested) this.throttle(pgdat, JIFFY_NS, 2);
    if (sc.nrReclaimed > before) pgdat.kswapdFailures = 0;
  }

  /** DIFFERS: always, where Linux waits until at least 64 changes a CPU have come together; a reclaim makes hundreds. */
  private flushStats(memcg: MemCgroup, pgdat: PgData): void {
    memcg.lruvecs[pgdat.nid]!.flushStats(this.machine.clock.now);
    for (const child of memcg.children) this.flushStats(child, pgdat);
  }

  private prepareScanControl(sc: ScanControl, pgdat: PgData, target: Lruvec): void {
    this.flushStats(sc.targetMemcg ?? this.machine.rootMemcg, pgdat);
    const stat = target.flushed;
    sc.anonCost = target.anonCost;
    sc.fileCost = target.fileCost;
    if (sc.forceDeactivate) {
      sc.mayDeactivate = DEACTIVATE_ANON | DEACTIVATE_FILE;
    } else {
      // Refaults say that a new working set forms: age the active list, whatever its size.
      const anon = stat[WORKINGSET_ACTIVATE_ANON] !== target.refaultsAnon || inactiveIsLow(target, LRU_INACTIVE_ANON);
      const file = stat[WORKINGSET_ACTIVATE_FILE] !== target.refaultsFile || inactiveIsLow(target, LRU_INACTIVE_FILE);
      sc.mayDeactivate = (anon ? DEACTIVATE_ANON : 0) | (file ? DEACTIVATE_FILE : 0);
    }
    sc.cacheTrimMode = stat[NR_INACTIVE_FILE]! >> sc.priority > 0 && (sc.mayDeactivate & DEACTIVATE_FILE) === 0;
    if (sc.targetMemcg !== null) return;
    let free = 0;
    let highMarks = 0;
    for (const zone of pgdat.zones) {
      if (zone === undefined || zone.managedPages === 0) continue;
      free += zone.freePages;
      highMarks += zone.wmarkHigh + zone.watermarkBoost;
    }
    const filePages = pgdat.stat[NR_ACTIVE_FILE]! + pgdat.stat[NR_INACTIVE_FILE]!;
    sc.fileIsTiny =
      filePages + free <= highMarks &&
      (sc.mayDeactivate & DEACTIVATE_ANON) === 0 &&
      pgdat.stat[NR_INACTIVE_ANON]! >> sc.priority > 0;
  }

  /**
   * The target's cgroups, parents first.
   * DIFFERS: 6.18 remembers where a partial walk stopped and goes on there; we start at the target each time. With many
   * sibling cgroups the first of them give up more than their share.
   */
  private shrinkNodeMemcgs(sc: ScanControl, pgdat: PgData): void {
    const root = sc.targetMemcg ?? this.machine.rootMemcg;
    const partial = !sc.isKswapd && this.machine.generation.switches.fullWalkRetry && !sc.memcgFullWalk;
    this.shrinkMemcgTree(sc, pgdat, root, root, partial);
  }

  /** True: enough is reclaimed and the walk ends. */
  private shrinkMemcgTree(
    sc: ScanControl,
    pgdat: PgData,
    root: MemCgroup,
    memcg: MemCgroup,
    partial: boolean,
  ): boolean {
    this.shrinkMemcg(sc, pgdat, root, memcg);
    if (partial && sc.nrReclaimed >= sc.nrToReclaim) return true;
    for (const child of memcg.children) {
      if (this.shrinkMemcgTree(sc, pgdat, root, child, partial)) return true;
    }
    return false;
  }

  private shrinkMemcg(sc: ScanControl, pgdat: PgData, root: MemCgroup, memcg: MemCgroup): void {
    const { machine } = this;
    calculateProtection(root, memcg);
    if (memcg !== root && memcg.parent !== null) {
      const usage = memcg.memory.usage;
      if (memcg.effectiveMin >= usage && memcg.effectiveMin > 0) return;
      if (memcg.effectiveLow >= usage && memcg.effectiveLow > 0) {
        if (!sc.memcgLowReclaim) {
          sc.memcgLowSkipped = true;
          return;
        }
        memcgEvent(memcg, 'low');
      }
    }
    if (machine.multiGen === null) this.shrinkLruvec(sc, memcg.lruvecs[pgdat.nid]!);
    else machine.multiGen.rules.shrinkLruvec(machine.multiGen, sc, memcg.lruvecs[pgdat.nid]!);
    sc.nrReclaimed += shrinkSlab(machine, sc.gfp, pgdat.nid, memcg, sc.priority);
  }

  private snapshotRefaults(memcg: MemCgroup | null, pgdat: PgData): void {
    const lruvec = (memcg ?? this.machine.rootMemcg).lruvecs[pgdat.nid]!;
    lruvec.refaultsAnon = lruvec.flushed[WORKINGSET_ACTIVATE_ANON]!;
    lruvec.refaultsFile = lruvec.flushed[WORKINGSET_ACTIVATE_FILE]!;
  }

  // one lruvec

  private canReclaimAnon(memcg: MemCgroup): boolean {
    return memCgroupGetNrSwapPages(this.machine, memcg) > 0;
  }

  /** How many pages of each list to scan, into sc.nr. */
  private getScanCount(sc: ScanControl, lruvec: Lruvec): void {
    const { memcg } = lruvec;
    // Only v1 has a swappiness per cgroup.
    const { swappiness } = memcg.v1 && memcg.parent !== null ? memcg : this.machine.sysctl;
    const cgroupReclaim = sc.targetMemcg !== null;
    let anonPart = 1;
    let filePart = 1;
    let denominator = 1;
    if (!sc.maySwap || !this.canReclaimAnon(memcg) || (cgroupReclaim && swappiness === 0)) {
      anonPart = 0;
    } else if (sc.priority === 0 && swappiness > 0) {
      // Close to giving up: both alike.
    } else if (sc.fileIsTiny) {
      filePart = 0;
    } else if (sc.cacheTrimMode) {
      anonPart = 0;
    } else {
      const total = sc.anonCost + sc.fileCost;
      const anonCost = total + sc.anonCost;
      const fileCost = total + sc.fileCost;
      const sum = anonCost + fileCost;
      anonPart = Math.floor((swappiness * (sum + 1)) / (anonCost + 1));
      filePart = Math.floor(((200 - swappiness) * (sum + 1)) / (fileCost + 1));
      denominator = anonPart + filePart;
    }
    for (let lru = LRU_INACTIVE_ANON; lru <= LRU_ACTIVE_FILE; lru++) {
      const size = lruvec.lruSize(lru, sc.reclaimIdx);
      const part = isFileList(lru) ? filePart : anonPart;
      let scan = Math.floor(unprotected(sc, memcg, size) / 2 ** sc.priority);
      if (scan === 0 && !memcg.online) scan = Math.min(size, SWAP_CLUSTER_MAX);
      scan = memcg.online ? Math.floor((scan * part) / denominator) : Math.ceil((scan * part) / denominator);
      sc.nr[lru] = scan;
    }
  }

  private shrinkLruvec(sc: ScanControl, lruvec: Lruvec): void {
    const { nr, targets } = sc;
    this.getScanCount(sc, lruvec);
    for (let lru = 0; lru < 4; lru++) targets[lru] = nr[lru]!;
    const proportional = sc.targetMemcg === null && !sc.isKswapd && sc.priority === DEF_PRIORITY;
    let reclaimed = 0;
    while (nr[LRU_INACTIVE_ANON]! > 0 || nr[LRU_ACTIVE_FILE]! > 0 || nr[LRU_INACTIVE_FILE]! > 0) {
      for (let lru = LRU_INACTIVE_ANON; lru <= LRU_ACTIVE_FILE; lru++) {
        if (nr[lru] === 0) continue;
        const batch = Math.min(nr[lru]!, SWAP_CLUSTER_MAX);
        nr[lru]! -= batch;
        reclaimed += this.shrinkList(sc, lruvec, lru, batch);
      }
      if (reclaimed < sc.nrToReclaim || proportional) continue;
      // Enough: the smaller type stops, the larger goes on to the same share of its plan.
      const file = nr[LRU_INACTIVE_FILE]! + nr[LRU_ACTIVE_FILE]!;
      const anon = nr[LRU_INACTIVE_ANON]! + nr[LRU_ACTIVE_ANON]!;
      if (file === 0 || anon === 0) break;
      const smaller = file > anon ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE;
      const larger = file > anon ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
      const planned = targets[smaller]! + targets[smaller + 1]! + 1;
      const percentage = Math.floor((Math.min(file, anon) * 100) / planned);
      nr[smaller] = 0;
      nr[smaller + 1] = 0;
      for (let lru = larger; lru <= larger + 1; lru++) {
        const scanned = targets[lru]! - nr[lru]!;
        const wanted = Math.floor((targets[lru]! * (100 - percentage)) / 100);
        nr[lru] = Math.max(0, wanted - scanned);
      }
    }
    sc.nrReclaimed += reclaimed;
    if (this.canReclaimAnon(lruvec.memcg) && inactiveIsLow(lruvec, LRU_INACTIVE_ANON)) {
      this.shrinkActiveList(sc, lruvec, LRU_ACTIVE_ANON, SWAP_CLUSTER_MAX);
    }
  }

  private shrinkList(sc: ScanControl, lruvec: Lruvec, lru: LruList, pages: number): number {
    if (lru === LRU_ACTIVE_ANON || lru === LRU_ACTIVE_FILE) {
      const may = lru === LRU_ACTIVE_FILE ? DEACTIVATE_FILE : DEACTIVATE_ANON;
      if ((sc.mayDeactivate & may) !== 0) this.shrinkActiveList(sc, lruvec, lru, pages);
      else sc.skippedDeactivate = true;
      return 0;
    }
    return this.shrinkInactiveList(sc, lruvec, lru, pages);
  }

  /** Takes up to `pages` from the list's tail onto sc.isolated, head first as they were; each gets a reference. */
  private isolateLruPages(sc: ScanControl, lruvec: Lruvec, lru: LruList, pages: number): void {
    const { machine } = this;
    const { frames, zones } = machine;
    const source = lruvec.lists[lru]!;
    let scan = 0;
    let total = 0;
    let taken = 0;
    let skipped = 0;
    while (scan < pages) {
      const pfn = frames.listLast(source);
      if (pfn === NO_PFN) break;
      const size = folioPages(machine, pfn);
      total += size;
      frames.listDel(pfn);
      if (zones[frames.zoneIndex(pfn)]!.type > sc.reclaimIdx) {
        frames.listAdd(pfn, sc.skipped);
        skipped += size;
        continue;
      }
      scan += size;
      if (!sc.mayUnmap && folioMapcount(machine, pfn) > 0) {
        frames.listAdd(pfn, source);
        continue;
      }
      frames.get(pfn);
      frames.clear(pfn, PG_lru);
      lruvecForgetPage(machine, lruvec, lru, pfn);
      frames.listAdd(pfn, sc.isolated);
      taken += size;
    }
    if (skipped > 0) {
      frames.listSplice(sc.skipped, source);
      machine.events[PGSCAN_SKIP]! += skipped;
    }
    machine.clock.spend(total * SCAN_NS);
    sc.isolatedScanned = total;
    sc.isolatedTaken = taken;
    if (machine.trace.on) {
      const { now } = machine.clock;
      const mode = sc.mayUnmap ? 0 : ISOLATE_UNMAPPED;
      const { reclaimIdx, order } = sc;
      machine.trace.emit(now, 'mm_vmscan_lru_isolate', reclaimIdx, pages, total, skipped, taken, lru, order, mode);
    }
  }

  private shrinkInactiveList(sc: ScanControl, lruvec: Lruvec, lru: LruList, pages: number): number {
    const { machine } = this;
    const { pgdat, memcg } = lruvec;
    const file = isFileList(lru) ? 1 : 0;
    machine.lru.drain();
    this.isolateLruPages(sc, lruvec, lru, pages);
    const scanned = sc.isolatedScanned;
    const taken = sc.isolatedTaken;
    modLruvecState(lruvec, NR_ISOLATED_ANON + file, taken);
    countReclaim(machine, sc, memcg, sc.isKswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT, scanned);
    machine.events[PGSCAN_ANON + file]! += scanned;
    machine.work.pagesScanned += scanned;
    if (taken === 0) return 0;
    const reclaimed = shrinkPageList(machine, sc, pgdat);
    movePagesToLru(machine, lruvec, sc.isolated);
    modLruvecState(lruvec, NR_ISOLATED_ANON + file, -taken);
    countReclaim(machine, sc, memcg, sc.isKswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT, reclaimed);
    machine.events[PGSTEAL_ANON + file]! += reclaimed;
    machine.work.pagesReclaimed += reclaimed;
    const { stat } = sc;
    lruNoteCost(machine, lruvec, file === 1, stat.pageout, scanned - reclaimed);
    if (stat.unqueuedDirty === taken) {
      machine.generation.writeback.wakeupFlusher(machine);
      if (memcg.v1 && sc.targetMemcg !== null) this.throttle(pgdat, WRITEBACK_TIMEOUT_NS, 1);
    }
    sc.dirty += stat.dirty;
    sc.unqueuedDirty += stat.unqueuedDirty;
    sc.congested += stat.congested;
    sc.writeback += stat.writeback;
    sc.immediate += stat.immediate;
    sc.taken += taken;
    if (file === 1) sc.fileTaken += taken;
    if (machine.trace.on) {
      machine.trace.emit(
        machine.clock.now,
        'mm_vmscan_lru_shrink_inactive',
        pgdat.nid,
        scanned,
        reclaimed,
        stat.dirty,
        stat.writeback,
        stat.congested,
        stat.immediate,
        stat.activateAnon,
        stat.activateFile,
        stat.refKeep,
        stat.unmapFail,
        sc.priority,
        file,
        -1,
      );
    }
    return reclaimed;
  }

  private shrinkActiveList(sc: ScanControl, lruvec: Lruvec, lru: LruList, pages: number): void {
    const { machine } = this;
    const { frames, rmap } = machine;
    const { pgdat, memcg } = lruvec;
    const file = isFileList(lru) ? 1 : 0;
    machine.lru.drain();
    this.isolateLruPages(sc, lruvec, lru, pages);
    const taken = sc.isolatedTaken;
    modLruvecState(lruvec, NR_ISOLATED_ANON + file, taken);
    countReclaim(machine, sc, memcg, PGREFILL, sc.isolatedScanned);
    let rotated = 0;
    for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
      frames.listDel(pfn);
      if (!isEvictable(machine, pfn)) {
        machine.lru.putback(pfn);
        continue;
      }
      // Young is cleared even on pages that are deactivated: the next scan must see only what happened since this one.
      if (rmap.pageReferenced(pfn, false, sc.targetMemcg) !== 0) {
        if ((rmap.referencedVmFlags & VM_EXEC) !== 0 && isFileLru(frames, pfn)) {
          rotated += folioPages(machine, pfn);
          frames.listAdd(pfn, sc.toActive);
          continue;
        }
      }
      frames.clear(pfn, PG_active);
      frames.set(pfn, PG_workingset);
      frames.listAdd(pfn, sc.toInactive);
    }
    const activated = movePagesToLru(machine, lruvec, sc.toActive);
    const deactivated = movePagesToLru(machine, lruvec, sc.toInactive);
    machine.events[PGDEACTIVATE]! += deactivated;
    countMemcgEvents(memcg, PGDEACTIVATE, deactivated);
    modLruvecState(lruvec, NR_ISOLATED_ANON + file, -taken);
    if (rotated > 0) lruNoteCost(machine, lruvec, file === 1, 0, rotated);
    if (machine.trace.on) {
      machine.trace.emit(
        machine.clock.now,
        'mm_vmscan_lru_shrink_active',
        pgdat.nid,
        taken,
        activated,
        deactivated,
        rotated,
        sc.priority,
        file,
      );
    }
  }

  // kswapd

  wakeupKswapd(zone: Zone, gfp: Gfp, order: number): void {
    const { machine } = this;
    const { pgdat } = zone;
    pgdat.kswapdHighestZone = Math.max(pgdat.kswapdHighestZone, gfpZone(gfp));
    pgdat.kswapdOrder = Math.max(pgdat.kswapdOrder, order);
    if (pgdat.kswapdAwake) return;
    if (pgdat.kswapdFailures >= MAX_RECLAIM_RETRIES) return;
    if (this.pgdatBalanced(pgdat, order, pgdat.kswapdHighestZone) && !hasBoost(pgdat)) return;
    pgdat.kswapdAwake = true;
    if (machine.trace.on) {
      machine.trace.emit(machine.clock.now, 'mm_vmscan_wakeup_kswapd', pgdat.nid, order, zone.type, gfp);
    }
    machine.clock.schedule(machine.clock.now, EVENT_KSWAPD, pgdat.nid, 0);
  }

  runKswapd(pgdat: PgData): void {
    const { machine } = this;
    const was = machine.current;
    machine.current = this.kswapdTask;
    const order = pgdat.kswapdOrder;
    const highest = pgdat.kswapdHighestZone;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_kswapd_wake', pgdat.nid, order, highest);
    pgdat.kswapdOrder = 0;
    pgdat.kswapdHighestZone = 0;
    this.balancePgdat(pgdat, order, highest);
    pgdat.kswapdAwake = false;
    pgdat.manyDirty = false;
    pgdat.manyWriteback = false;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_kswapd_sleep', pgdat.nid);
    machine.current = was;
  }

  private pgdatBalanced(pgdat: PgData, order: number, highest: number): boolean {
    let managed = false;
    for (let type = 0; type <= highest; type++) {
      const zone = pgdat.zones[type];
      if (zone === undefined || zone.managedPages === 0) continue;
      managed = true;
      if (zoneWatermarkOk(this.machine, zone, order, zone.wmarkHigh + zone.watermarkBoost, highest, 0)) return true;
    }
    return !managed;
  }

  private balancePgdat(pgdat: PgData, order: number, highest: number): void {
    const { machine, kswapd: sc } = this;
    machine.events[PAGEOUTRUN]! += 1;
    sc.start(0, GFP_KERNEL, null);
    sc.isKswapd = true;
    sc.order = order;
    sc.reclaimIdx = highest;
    for (const zone of pgdat.zones) if (zone !== undefined) zone.reclaimActive = true;
    let boost = totalBoost(pgdat, highest);
    const boosted = boost > 0;
    while (sc.priority >= 1) {
      const balanced = this.pgdatBalanced(pgdat, sc.order, highest);
      if (!balanced && boost > 0) {
        boost = 0;
        sc.priority = DEF_PRIORITY;
        continue;
      }
      if (boost === 0 && balanced) break;
      let raise = !(boost > 0 && sc.priority === DEF_PRIORITY - 2);
      sc.mayWritepage = (!machine.sysctl.laptopMode && boost === 0) || sc.priority < DEF_PRIORITY - 2;
      sc.maySwap = boost === 0;
      if (machine.multiGen === null) this.ageNode(sc, pgdat, machine.rootMemcg);
      else machine.multiGen.rules.ageNode(machine.multiGen, sc, pgdat);
      sc.nrScanned = 0;
      const before = sc.nrReclaimed;
      sc.nrToReclaim = highMarks(pgdat, highest);
      this.shrinkNode(sc, pgdat);
      if (sc.order > 0 && sc.nrReclaimed >= 2 * 2 ** sc.order) sc.order = 0;
      if (sc.nrScanned >= sc.nrToReclaim) raise = false;
      const reclaimed = sc.nrReclaimed - before;
      const boostBefore = boost;
      boost = Math.max(0, boost - reclaimed);
      if (boostBefore > 0 && reclaimed === 0) break;
      if (raise || reclaimed === 0) sc.priority -= 1;
    }
    if (sc.priority < 1 && sc.nrReclaimed === 0) pgdat.kswapdFailures += 1;
    for (const zone of pgdat.zones) if (zone !== undefined) zone.reclaimActive = false;
    if (boosted)
      for (const zone of pgdat.zones) if (zone !== undefined && zone.type <= highest) zone.watermarkBoost = 0;
    this.snapshotRefaults(null, pgdat);
  }

  /** Anonymous pages are aged even when none is reclaimed. */
  private ageNode(sc: ScanControl, pgdat: PgData, memcg: MemCgroup): void {
    if (!this.canReclaimAnon(this.machine.rootMemcg)) return;
    const lruvec = memcg.lruvecs[pgdat.nid]!;
    if (memcg === this.machine.rootMemcg && !inactiveIsLow(lruvec, LRU_INACTIVE_ANON)) return;
    this.shrinkActiveList(sc, lruvec, LRU_ACTIVE_ANON, SWAP_CLUSTER_MAX);
    for (const child of memcg.children) this.ageNode(sc, pgdat, child);
  }
}

/** Too few inactive pages for a fair second chance: fewer than 1 to r, r the square root of ten times the size in GB. */
export function inactiveIsLow(lruvec: Lruvec, inactive: LruList): boolean {
  const inactivePages = lruvec.flushed[inactive]!;
  const activePages = lruvec.flushed[inactive + 1]!;
  const gb = Math.floor((inactivePages + activePages) / 2 ** 18);
  const ratio = gb > 0 ? intSqrt(10 * gb) : 1;
  return inactivePages * ratio < activePages;
}

function hasBoost(pgdat: PgData): boolean {
  return pgdat.zones.some((zone) => zone !== undefined && zone.watermarkBoost > 0);
}

function totalBoost(pgdat: PgData, highest: number): number {
  let boost = 0;
  for (const zone of pgdat.zones) if (zone !== undefined && zone.type <= highest) boost += zone.watermarkBoost;
  return boost;
}

function highMarks(pgdat: PgData, highest: number): number {
  let pages = 0;
  for (const zone of pgdat.zones) {
    if (zone === undefined || zone.type > highest || zone.managedPages === 0) continue;
    pages += Math.max(zone.wmarkHigh + zone.watermarkBoost, SWAP_CLUSTER_MAX);
  }
  return pages;
}
