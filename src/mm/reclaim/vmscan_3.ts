/**
 * Page frame reclaim of 3.16: five lists in each zone and memory cgroup.
 *
 * Owns      when and how many pages are scanned: zones, priorities, cgroup walk, kswapd. How much of each list is
 *           scan_count_3.ts, what becomes of a page shrink_page_list_3.ts.
 * Promises  1. An allocation is told 0 only when every zone it may use has been scanned six times over in vain.
 *           2. It is not entered twice: who reclaims runs with `memalloc` set.
 * Linux     3.16 mm/vmscan.c: try_to_free_pages throttle_direct_reclaim pfmemalloc_watermark_ok do_try_to_free_pages shrink_zones
 *           shrink_zone should_continue_reclaim shrink_lruvec shrink_list shrink_inactive_list shrink_active_list isolate_lru_pages
 *           putback_inactive_pages move_active_pages_to_lru try_to_free_mem_cgroup_pages mem_cgroup_shrink_node_zone
 *           wakeup_kswapd kswapd kswapd_try_to_sleep prepare_kswapd_sleep balance_pgdat kswapd_shrink_zone zone_balanced
 *           pgdat_balanced age_active_anon all_unreclaimable; mm/backing-dev.c: congestion_wait wait_iff_congested
 * Before    2.6.24: two lists in each zone, and a swappiness that grows with distress
 *
 *     active   [ head ………………… tail ] ── aged, used or not (code stays) ──► inactive [ head ………………… tail ] ──► freed
 *        ▲                                                                       │  ▲ file used once: another round
 *        └──────────────── anonymous and used, file used twice, code used ◄──────┘  └ new file pages
 *        ▲ new anonymous pages
 *
 * DIFFERS: a run of direct reclaim that found nothing to scan reports failure. In Linux it says that there is hope as long as a
 *          zone has pages, and with swappiness 0 and few file pages (scan_count_3.ts, the trap) a task may loop for ever.
 *          kswapd that could not balance its node goes on a jiffy later, not at once: others get to run on the one CPU.
 */
import { bdiWriteCongested, congestionWait } from '../backing_dev.ts';
import { EVENT_KSWAPD } from '../clock.ts';
import { SCAN_NS } from '../costs.ts';
import { folioMapcount, folioPages } from '../folio.ts';
import { __GFP_FS, __GFP_HARDWALL, __GFP_HIGHMEM, __GFP_IO, __GFP_MOVABLE, GFP_KERNEL, type Gfp } from '../gfp.ts';
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
import { countMemcgEvents, type MemCgroup } from '../memcg.ts';
import type { ListHead } from '../memmap.ts';
import { freeFolio, gfpZone, zoneWatermarkOk } from '../page_alloc.ts';
import { PG_active, PG_dirty, PG_lru, PG_unevictable, PG_writeback } from '../page_flags.ts';
import type { Reclaim } from '../parts.ts';
import { Task } from '../task.ts';
import { NO_PFN, type Pfn } from '../units.ts';
import { VM_EXEC } from '../vm_flags.ts';
import {
  ALLOCSTALL,
  KSWAPD_HIGH_WMARK_HIT_QUICKLY,
  KSWAPD_LOW_WMARK_HIT_QUICKLY,
  NR_ISOLATED_ANON,
  PAGEOUTRUN,
  PGDEACTIVATE,
  PGREFILL,
  PGSCAN_DIRECT,
  PGSCAN_KSWAPD,
  PGSTEAL_DIRECT,
  PGSTEAL_KSWAPD,
} from '../vmstat.ts';
import {
  type PgData,
  ZONE_NORMAL,
  ZONE_PGREFILL,
  ZONE_PGSCAN_DIRECT,
  ZONE_PGSCAN_KSWAPD,
  ZONE_PGSTEAL_DIRECT,
  ZONE_PGSTEAL_KSWAPD,
  type Zone,
} from '../zone.ts';
import { isEvictable, isFileList, isFileLru, lruvecAddPage, lruvecForgetPage } from './lru.ts';
import { MemcgIter } from './memcg_iter.ts';
import { DEF_PRIORITY, ScanControl, SWAP_CLUSTER_MAX } from './scan_control.ts';
import {
  getScanCount,
  inactiveAnonIsLow,
  inactiveFileIsLow,
  inactiveRatio,
  zoneReclaimable,
  zoneReclaimablePages,
} from './scan_count_3.ts';
import { shrinkPageList_3 } from './shrink_page_list_3.ts';
import { shrinkSlab_3 } from './shrink_slab_3.ts';
import { softLimitReclaim } from './soft_limit.ts';

const COSTLY_ORDER = 3;
const BALANCE_GAP_RATIO = 100;
const HUNDRED_MS = 100_000_000;
const SECOND = 1_000_000_000;
/** isolate_mode_t */
const ISOLATE_CLEAN = 1;
const ISOLATE_UNMAPPED = 2;
const JIFFY_NS = 4_000_000;

/** What a node's kswapd does. */
const ASLEEP = 0;
const AWAKE = 1;
/** Has balanced its node, and looks after 0.1 s whether it stayed so. */
const DOZING = 2;

export function newVmscan_3(machine: Machine): Reclaim {
  return new ZoneVmscan(machine);
}

class Kswapd {
  state: number = ASLEEP;
  /** When it looks again; an event of another time is one that was overtaken. */
  dueAt = 0;
  order = 0;
  classzone = 0;
}

class ZoneVmscan implements Reclaim {
  private readonly machine: Machine;
  private readonly direct: ScanControl;
  private readonly kswapd: ScanControl;
  private readonly soft: ScanControl;
  private readonly kswapdTask: Task;
  private readonly threads: Kswapd[];
  private readonly iter: MemcgIter;

  constructor(machine: Machine) {
    this.machine = machine;
    this.direct = new ScanControl(machine.frames);
    this.kswapd = new ScanControl(machine.frames);
    this.soft = new ScanControl(machine.frames);
    this.kswapdTask = new Task(2, 'kswapd0', null, machine.rootMemcg, null);
    this.kswapdTask.isKswapd = true;
    this.kswapdTask.memalloc = true;
    this.threads = machine.nodes.map(() => new Kswapd());
    this.iter = new MemcgIter(machine.zones.length);
    for (const zone of machine.zones) zone.inactiveRatio = inactiveRatio(zone.managedPages);
  }

  // entries

  tryToFreePages(pgdat: PgData, order: number, gfp: Gfp): number {
    const { machine, direct: sc } = this;
    // Who was killed while it waited shall not reclaim, and nobody be killed for it.
    if (this.throttleDirectReclaim(pgdat, gfp)) return 1;
    sc.start(SWAP_CLUSTER_MAX, this.gfpContext(gfp), null);
    sc.order = order;
    sc.reclaimIdx = gfpZone(gfp);
    sc.mayWritepage = !machine.sysctl.laptopMode;
    if (machine.trace.on) machine.trace.reclaimBegin(machine.clock.now, order, sc.mayWritepage, sc.gfp, -1);
    const freed = this.asReclaimer(sc, pgdat);
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_direct_reclaim_end', freed);
    return freed;
  }

  tryToFreeMemCgroupPages(memcg: MemCgroup, _pages: number, gfp: Gfp, maySwap: boolean): number {
    const { machine, direct: sc } = this;
    sc.start(SWAP_CLUSTER_MAX, this.gfpContext(gfp) | __GFP_HIGHMEM | __GFP_MOVABLE, memcg);
    sc.maySwap = maySwap;
    sc.mayWritepage = !machine.sysctl.laptopMode;
    if (machine.trace.on)
      machine.trace.reclaimBegin(machine.clock.now, 0, sc.mayWritepage, sc.gfp | __GFP_HARDWALL, memcg.id);
    const freed = this.asReclaimer(sc, machine.nodes[0]!);
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_memcg_reclaim_end', freed);
    return freed;
  }

  /** MADV_PAGEOUT came with 5.4; who studies the verdict on single pages asks all the same. */
  reclaimPages(pages: Pfn[]): number {
    const { machine, direct: sc } = this;
    const { frames, current } = machine;
    let freed = 0;
    for (const zone of machine.zones) {
      const here = pages.filter((pfn) => machine.zones[frames.zoneIndex(pfn)] === zone);
      if (here.length === 0) continue;
      sc.start(here.length, GFP_KERNEL, null);
      for (const pfn of here) {
        frames.clear(pfn, PG_active);
        frames.listAdd(pfn, sc.isolated);
      }
      const was = current.memalloc;
      current.memalloc = true;
      freed += shrinkPageList_3(machine, sc, zone);
      current.memalloc = was;
      for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
        frames.listDel(pfn);
        machine.lru.putback(pfn);
      }
    }
    return freed;
  }

  zoneReclaimablePages(zone: Zone): number {
    return zoneReclaimablePages(this.machine, zone);
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

  // direct reclaim

  /** Less than half of the reserve of low memory is left: only kswapd may use it now, and others wait. True: killed meanwhile. */
  private throttleDirectReclaim(pgdat: PgData, gfp: Gfp): boolean {
    const { machine } = this;
    const { clock, current } = machine;
    if (current.mm === null || current.killed || this.pfmemallocOk(pgdat)) return false;
    pgdat.directThrottled += 1;
    // Who may hold locks of a file system waits a second at most: kswapd might need them.
    const until = clock.now + ((gfp & __GFP_FS) === 0 ? SECOND : 10 * SECOND);
    this.wake(pgdat, 0, ZONE_NORMAL);
    while (!this.pfmemallocOk(pgdat) && !current.killed && clock.nextAt <= until) machine.runUntil(clock.nextAt);
    return current.killed;
  }

  private pfmemallocOk(pgdat: PgData): boolean {
    let reserve = 0;
    let free = 0;
    for (let type = 0; type <= ZONE_NORMAL; type++) {
      const zone = pgdat.zones[type];
      if (zone === undefined || zone.managedPages === 0) continue;
      reserve += zone.wmarkMin;
      free += zone.freePages;
    }
    return reserve === 0 || free > Math.floor(reserve / 2);
  }

  /** From 1/4096 of the lists up to all of them, until enough is free. */
  private doTryToFreePages(sc: ScanControl, pgdat: PgData): number {
    const { machine } = this;
    const zonelist = pgdat.zonelists[sc.reclaimIdx]!;
    let totalScanned = 0;
    const before = pagesScanned(zonelist);
    if (sc.targetMemcg === null) machine.events[ALLOCSTALL]! += 1;
    for (; sc.priority >= 0; sc.priority--) {
      sc.nrScanned = 0;
      const aborted = this.shrinkZones(sc, zonelist);
      totalScanned += sc.nrScanned;
      // Scanning takes time, in which I/O ends: else a disk could never be done with the pages that we wait for.
      machine.advance(0);
      if (sc.nrReclaimed >= sc.nrToReclaim) break;
      if (sc.priority < DEF_PRIORITY - 2) sc.mayWritepage = true;
      if (totalScanned > sc.nrToReclaim + sc.nrToReclaim / 2) {
        machine.generation.writeback.wakeupFlusher(machine);
        sc.mayWritepage = true;
      }
      if (aborted) return Math.max(1, sc.nrReclaimed);
    }
    if (sc.nrReclaimed > 0) return sc.nrReclaimed;
    // Not all has been looked at often enough to give up, and to kill somebody.
    if (
      sc.targetMemcg === null &&
      pagesScanned(zonelist) !== before &&
      zonelist.some((zone) => zoneReclaimable(machine, zone))
    )
      return 1;
    return 0;
  }

  /** True: a zone has enough free memory for compaction to make the block from; the caller tries that. */
  private shrinkZones(sc: ScanControl, zonelist: readonly Zone[]): boolean {
    const { machine } = this;
    let lruPages = 0;
    let aborted = false;
    for (const zone of zonelist) {
      if (zone.managedPages === 0) continue;
      if (sc.targetMemcg === null) {
        lruPages += zoneReclaimablePages(machine, zone);
        if (sc.priority !== DEF_PRIORITY && !zoneReclaimable(machine, zone)) continue;
        if (sc.order > COSTLY_ORDER && compactionReady(machine, zone, sc.order)) {
          aborted = true;
          continue;
        }
        this.softLimitReclaim(sc, zone, sc.order);
      }
      this.shrinkZone(sc, zone);
    }
    // A cgroup's limit leaves kernel objects alone.
    if (sc.targetMemcg === null) {
      sc.nrReclaimed += slabPages(machine, () =>
        shrinkSlab_3(machine, sc.gfp, zonelist[0]!.pgdat.nid, sc.nrScanned, lruPages),
      );
    }
    return aborted;
  }

  private softLimitReclaim(sc: ScanControl, zone: Zone, order: number): void {
    const { machine, soft } = this;
    if (machine.memcgs.length <= 2) return;
    soft.start(SWAP_CLUSTER_MAX, sc.gfp | __GFP_HIGHMEM | __GFP_MOVABLE, null);
    sc.nrReclaimed += softLimitReclaim(
      machine,
      zone,
      order,
      (memcg) => {
        soft.start(SWAP_CLUSTER_MAX, sc.gfp | __GFP_HIGHMEM | __GFP_MOVABLE, memcg);
        soft.isKswapd = sc.isKswapd;
        soft.priority = 0;
        soft.mayWritepage = !machine.sysctl.laptopMode;
        soft.swappiness = swappinessOf(machine, memcg);
        this.shrinkLruvec(soft, memcg.lruvecs[zone.lruvec]!);
        sc.nrScanned += soft.nrScanned;
        return soft.nrReclaimed;
      },
      (root, visit) => this.iter.round(root, zone, 0, visit),
    );
  }

  // one zone

  private shrinkZone(sc: ScanControl, zone: Zone): void {
    const { machine } = this;
    const root = sc.targetMemcg ?? machine.rootMemcg;
    let before: number;
    let scannedBefore: number;
    do {
      before = sc.nrReclaimed;
      scannedBefore = sc.nrScanned;
      this.iter.round(root, zone, sc.priority, (memcg) => {
        sc.swappiness = swappinessOf(machine, memcg);
        this.shrinkLruvec(sc, memcg.lruvecs[zone.lruvec]!);
        // A limit wants its pages and no more; the machine takes from everybody alike.
        return sc.targetMemcg === null || sc.nrReclaimed < sc.nrToReclaim;
      });
    } while (this.shouldContinue(sc, zone, sc.nrReclaimed - before, sc.nrScanned - scannedBefore));
  }

  /** Compaction will need twice the block in free pages: is there something left to get them from? */
  private shouldContinue(sc: ScanControl, zone: Zone, reclaimed: number, scanned: number): boolean {
    const { machine } = this;
    if (sc.order === 0 || (sc.order <= COSTLY_ORDER && sc.priority >= DEF_PRIORITY - 2)) return false;
    if (reclaimed === 0 || scanned === 0) return false;
    const pages = 2 * 2 ** sc.order;
    let inactive = zone.lruPages[LRU_INACTIVE_FILE]!;
    if (machine.swap.nrSwapPages > 0) inactive += zone.lruPages[LRU_INACTIVE_ANON]!;
    return sc.nrReclaimed < pages && inactive > pages;
  }

  private shrinkLruvec(sc: ScanControl, lruvec: Lruvec): void {
    const { nr, targets } = sc;
    getScanCount(this.machine, sc, lruvec);
    for (let lru = 0; lru < 4; lru++) targets[lru] = nr[lru]!;
    let adjusted = sc.targetMemcg === null && !sc.isKswapd && sc.priority === DEF_PRIORITY;
    let reclaimed = 0;
    while (nr[LRU_INACTIVE_ANON]! > 0 || nr[LRU_ACTIVE_FILE]! > 0 || nr[LRU_INACTIVE_FILE]! > 0) {
      for (let lru = LRU_INACTIVE_ANON; lru <= LRU_ACTIVE_FILE; lru++) {
        if (nr[lru] === 0) continue;
        const batch = Math.min(nr[lru]!, SWAP_CLUSTER_MAX);
        nr[lru]! -= batch;
        reclaimed += this.shrinkList(sc, lruvec, lru, batch);
      }
      if (reclaimed < sc.nrToReclaim || adjusted) continue;
      // Enough: the smaller type stops, the larger goes on to the same share of its plan. Once.
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
      adjusted = true;
    }
    sc.nrReclaimed += reclaimed;
    // Anonymous memory is aged even when none of it is reclaimed.
    if (inactiveAnonIsLow(this.machine, lruvec)) this.shrinkActiveList(sc, lruvec, LRU_ACTIVE_ANON, SWAP_CLUSTER_MAX);
  }

  private shrinkList(sc: ScanControl, lruvec: Lruvec, lru: LruList, pages: number): number {
    if (lru === LRU_ACTIVE_ANON || lru === LRU_ACTIVE_FILE) {
      const low = lru === LRU_ACTIVE_FILE ? inactiveFileIsLow(lruvec) : inactiveAnonIsLow(this.machine, lruvec);
      if (low) this.shrinkActiveList(sc, lruvec, lru, pages);
      return 0;
    }
    return this.shrinkInactiveList(sc, lruvec, lru, pages);
  }

  /** Takes up to `pages` from the list's tail onto sc.isolated, head first as they were; each gets a reference. */
  private isolateLruPages(sc: ScanControl, lruvec: Lruvec, lru: LruList, pages: number): void {
    const { machine } = this;
    const { frames } = machine;
    const source = lruvec.lists[lru]!;
    let scan = 0;
    let taken = 0;
    for (; scan < pages; scan++) {
      const pfn = frames.listLast(source);
      if (pfn === NO_PFN) break;
      frames.listDel(pfn);
      // ISOLATE_UNMAPPED, ISOLATE_CLEAN: what could not be dealt with goes to the head.
      const unwanted =
        (!sc.mayUnmap && folioMapcount(machine, pfn) > 0) ||
        (!sc.mayWritepage && frames.has(pfn, PG_dirty | PG_writeback));
      if (unwanted) {
        frames.listAdd(pfn, source);
        continue;
      }
      frames.get(pfn);
      frames.clear(pfn, PG_lru);
      lruvecForgetPage(machine, lruvec, lru, pfn);
      frames.listAdd(pfn, sc.isolated);
      taken += folioPages(machine, pfn);
    }
    machine.clock.spend(scan * SCAN_NS);
    sc.isolatedScanned = scan;
    sc.isolatedTaken = taken;
    if (machine.trace.on) {
      const { now } = machine.clock;
      const mode = (sc.mayUnmap ? 0 : ISOLATE_UNMAPPED) | (sc.mayWritepage ? 0 : ISOLATE_CLEAN);
      const { type } = lruvec.zone!;
      machine.trace.emit(now, 'mm_vmscan_lru_isolate', type, pages, scan, 0, taken, lru, sc.order, mode);
    }
  }

  private shrinkInactiveList(sc: ScanControl, lruvec: Lruvec, lru: LruList, pages: number): number {
    const { machine } = this;
    const { memcg } = lruvec;
    const zone = lruvec.zone!;
    const file = isFileList(lru) ? 1 : 0;
    if (this.tooManyIsolated(sc, zone, file)) {
      congestionWait(machine, machine.disk, HUNDRED_MS);
      // It is about to give all its memory back.
      if (machine.current.killed) return SWAP_CLUSTER_MAX;
    }
    machine.lru.drain();
    this.isolateLruPages(sc, lruvec, lru, pages);
    const scanned = sc.isolatedScanned;
    const taken = sc.isolatedTaken;
    this.modIsolated(lruvec, file, taken);
    machine.work.pagesScanned += scanned;
    if (sc.targetMemcg === null) {
      zone.pagesScanned += scanned;
      machine.events[sc.isKswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT]! += scanned;
      zone.reclaimEvents[sc.isKswapd ? ZONE_PGSCAN_KSWAPD : ZONE_PGSCAN_DIRECT]! += scanned;
    }
    if (taken === 0) return 0;
    const reclaimed = shrinkPageList_3(machine, sc, zone);
    lruvec.recentScanned[file]! += taken;
    machine.work.pagesReclaimed += reclaimed;
    if (sc.targetMemcg === null) {
      machine.events[sc.isKswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT]! += reclaimed;
      zone.reclaimEvents[sc.isKswapd ? ZONE_PGSTEAL_KSWAPD : ZONE_PGSTEAL_DIRECT]! += reclaimed;
    }
    this.putbackInactivePages(sc, lruvec);
    this.modIsolated(lruvec, file, -taken);
    this.noteTrouble(sc, zone, taken);
    if (machine.trace.on) this.traceInactive(sc, zone, scanned, reclaimed, file);
    countMemcgEvents(memcg, sc.isKswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT, reclaimed);
    return reclaimed;
  }

  /** Flags of the zone, and waits for the disk. */
  private noteTrouble(sc: ScanControl, zone: Zone, taken: number): void {
    const { machine } = this;
    const { stat } = sc;
    if (stat.writeback > 0 && stat.writeback === taken) zone.manyWriteback = true;
    if (sc.targetMemcg === null) {
      if (stat.dirty > 0 && stat.dirty === stat.congested) zone.reclaimCongested = true;
      if (stat.unqueuedDirty === taken) zone.tailLruDirty = true;
      if (stat.immediate > 0) congestionWait(machine, machine.disk, HUNDRED_MS);
    }
    if (!sc.isKswapd && zone.reclaimCongested && bdiWriteCongested(machine.disk))
      congestionWait(machine, machine.disk, HUNDRED_MS);
  }

  private traceInactive(sc: ScanControl, zone: Zone, scanned: number, reclaimed: number, file: number): void {
    const { machine } = this;
    const { stat } = sc;
    machine.trace.emit(
      machine.clock.now,
      'mm_vmscan_lru_shrink_inactive',
      zone.pgdat.nid,
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
      zone.type,
    );
  }

  /** More pages are off the lists than an eighth of those on them: others reclaim already. */
  private tooManyIsolated(sc: ScanControl, zone: Zone, file: number): boolean {
    if (sc.isKswapd || sc.targetMemcg !== null) return false;
    let inactive = zone.lruPages[file === 1 ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON]!;
    if ((sc.gfp & (__GFP_IO | __GFP_FS)) === (__GFP_IO | __GFP_FS)) inactive = Math.floor(inactive / 8);
    return zone.isolated[file]! > inactive;
  }

  private modIsolated(lruvec: Lruvec, file: number, pages: number): void {
    lruvec.zone!.isolated[file]! += pages;
    modLruvecState(lruvec, NR_ISOLATED_ANON + file, pages);
  }

  /** Active pages lose PG_active, used or not; files' code that was used stays. Both are at their list's head then. */
  private shrinkActiveList(sc: ScanControl, lruvec: Lruvec, lru: LruList, pages: number): void {
    const { machine } = this;
    const { frames, rmap } = machine;
    const zone = lruvec.zone!;
    const file = isFileList(lru) ? 1 : 0;
    machine.lru.drain();
    this.isolateLruPages(sc, lruvec, lru, pages);
    const taken = sc.isolatedTaken;
    if (sc.targetMemcg === null) zone.pagesScanned += sc.isolatedScanned;
    lruvec.recentScanned[file]! += taken;
    machine.events[PGREFILL]! += sc.isolatedScanned;
    zone.reclaimEvents[ZONE_PGREFILL]! += sc.isolatedScanned;
    this.modIsolated(lruvec, file, taken);
    let rotated = 0;
    for (let pfn = frames.listLast(sc.isolated); pfn !== NO_PFN; pfn = frames.listLast(sc.isolated)) {
      frames.listDel(pfn);
      if (!isEvictable(machine, pfn)) {
        machine.lru.putback(pfn);
        continue;
      }
      // Young is cleared on pages that are deactivated, too: the inactive list is their chance to be used again.
      if (rmap.pageReferenced(pfn, false, sc.targetMemcg) > 0) {
        rotated += folioPages(machine, pfn);
        if ((rmap.referencedVmFlags & VM_EXEC) !== 0 && isFileLru(frames, pfn)) {
          frames.listAdd(pfn, sc.toActive);
          continue;
        }
      }
      frames.clear(pfn, PG_active);
      frames.listAdd(pfn, sc.toInactive);
    }
    lruvec.recentRotated[file]! += rotated;
    const activated = this.moveToLru(lruvec, sc.toActive, null);
    const deactivated = this.moveToLru(lruvec, sc.toInactive, null);
    machine.events[PGDEACTIVATE]! += deactivated;
    countMemcgEvents(lruvec.memcg, PGDEACTIVATE, deactivated);
    this.modIsolated(lruvec, file, -taken);
    if (machine.trace.on) {
      machine.trace.emit(
        machine.clock.now,
        'mm_vmscan_lru_shrink_active',
        zone.pgdat.nid,
        taken,
        activated,
        deactivated,
        rotated,
        sc.priority,
        file,
      );
    }
  }

  private putbackInactivePages(sc: ScanControl, lruvec: Lruvec): void {
    this.moveToLru(lruvec, sc.isolated, lruvec);
  }

  /**
   * From the tail of `list` to the heads of the lists that their flags name; the isolation's reference goes. Active ones count
   * as rotated in `counted`. Returns how many moved.
   */
  private moveToLru(lruvec: Lruvec, list: ListHead, counted: Lruvec | null): number {
    const { machine } = this;
    const { frames } = machine;
    let moved = 0;
    for (let pfn = frames.listLast(list); pfn !== NO_PFN; pfn = frames.listLast(list)) {
      frames.listDel(pfn);
      if (!isEvictable(machine, pfn)) {
        machine.lru.putback(pfn);
        continue;
      }
      const size = folioPages(machine, pfn);
      const active = frames.has(pfn, PG_active);
      if (counted !== null && active) counted.recentRotated[isFileLru(frames, pfn) ? 1 : 0]! += size;
      if (frames.putTestzero(pfn)) {
        // Its last user went while it was isolated.
        frames.clear(pfn, PG_active | PG_unevictable);
        freeFolio(machine, pfn);
        continue;
      }
      frames.set(pfn, PG_lru);
      // It may have been charged to somebody meanwhile.
      lruvecAddPage(machine, machine.memcgs[frames.memcg(pfn) || 1]!.lruvecs[lruvec.zone!.lruvec]!, pfn);
      moved += size;
    }
    return moved;
  }

  // kswapd

  wakeupKswapd(zone: Zone, gfp: Gfp, order: number): void {
    const { machine } = this;
    const { pgdat } = zone;
    if (zone.managedPages === 0) return;
    const classzone = gfpZone(gfp);
    if (pgdat.kswapdOrder < order) {
      pgdat.kswapdOrder = order;
      pgdat.kswapdHighestZone = Math.min(pgdat.kswapdHighestZone, classzone);
    }
    if (this.threads[pgdat.nid]!.state === AWAKE) return;
    if (this.zoneBalanced(zone, order, 0, 0)) return;
    if (machine.trace.on)
      machine.trace.emit(machine.clock.now, 'mm_vmscan_wakeup_kswapd', pgdat.nid, order, zone.type, gfp);
    this.wake(pgdat, order, classzone);
  }

  private wake(pgdat: PgData, order: number, classzone: number): void {
    const thread = this.threads[pgdat.nid]!;
    if (thread.state === AWAKE) return;
    // Woken before it slept for good: the low watermark was met too soon.
    if (thread.state === DOZING) this.machine.events[KSWAPD_LOW_WMARK_HIT_QUICKLY]! += 1;
    thread.order = order;
    thread.classzone = classzone;
    this.runAt(pgdat, this.machine.clock.now, AWAKE);
  }

  private runAt(pgdat: PgData, at: number, state: number): void {
    const thread = this.threads[pgdat.nid]!;
    thread.state = state;
    thread.dueAt = at;
    pgdat.kswapdAwake = state === AWAKE;
    this.machine.clock.schedule(at, EVENT_KSWAPD, pgdat.nid, 0);
  }

  runKswapd(pgdat: PgData): void {
    const { machine } = this;
    const thread = this.threads[pgdat.nid]!;
    if (thread.state === ASLEEP || machine.clock.now < thread.dueAt || thread.dueAt < 0) return;
    thread.dueAt = -1;
    const was = machine.current;
    machine.current = this.kswapdTask;
    if (thread.state === DOZING && this.pgdatBalanced(pgdat, thread.order, thread.classzone)) {
      thread.state = ASLEEP;
      if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_kswapd_sleep', pgdat.nid);
    } else {
      if (thread.state === DOZING) machine.events[KSWAPD_HIGH_WMARK_HIT_QUICKLY]! += 1;
      this.runAwake(pgdat, thread);
    }
    pgdat.kswapdAwake = thread.state === AWAKE;
    machine.current = was;
  }

  private runAwake(pgdat: PgData, thread: Kswapd): void {
    const { machine } = this;
    thread.state = AWAKE;
    pgdat.kswapdAwake = true;
    thread.order = Math.max(thread.order, pgdat.kswapdOrder);
    pgdat.kswapdOrder = 0;
    if (machine.trace.on)
      machine.trace.emit(machine.clock.now, 'mm_vmscan_kswapd_wake', pgdat.nid, thread.order, thread.classzone);
    this.balancePgdat(pgdat, thread);
    // Somebody asked for larger blocks meanwhile.
    const again = pgdat.kswapdOrder > thread.order;
    if (again) thread.order = pgdat.kswapdOrder;
    pgdat.kswapdOrder = 0;
    pgdat.kswapdHighestZone = ZONE_NORMAL;
    if (again || !this.pgdatBalanced(pgdat, thread.order, thread.classzone)) {
      if (!again) machine.events[KSWAPD_HIGH_WMARK_HIT_QUICKLY]! += 1;
      this.runAt(pgdat, machine.clock.now + JIFFY_NS, AWAKE);
    } else {
      this.runAt(pgdat, machine.clock.now + HUNDRED_MS, DOZING);
    }
  }

  private zoneBalanced(zone: Zone, order: number, gap: number, classzone: number): boolean {
    return zoneWatermarkOk(this.machine, zone, order, zone.wmarkHigh + gap, classzone, 0);
  }

  /** Single pages: every zone. Larger blocks: zones with a quarter of the pages. A zone that cannot be reclaimed counts as balanced. */
  private pgdatBalanced(pgdat: PgData, order: number, classzone: number): boolean {
    let managed = 0;
    let balanced = 0;
    for (let type = 0; type <= classzone; type++) {
      const zone = pgdat.zones[type];
      if (zone === undefined || zone.managedPages === 0) continue;
      managed += zone.managedPages;
      if (!zoneReclaimable(this.machine, zone) || this.zoneBalanced(zone, order, 0, type))
        balanced += zone.managedPages;
      else if (order === 0) return false;
    }
    return order === 0 || balanced >= managed >> 2;
  }

  private balancePgdat(pgdat: PgData, thread: Kswapd): void {
    const { machine, kswapd: sc } = this;
    machine.events[PAGEOUTRUN]! += 1;
    sc.start(0, GFP_KERNEL, null);
    sc.isKswapd = true;
    sc.order = thread.order;
    sc.mayWritepage = !machine.sysctl.laptopMode;
    let { classzone } = thread;
    do {
      sc.nrReclaimed = 0;
      const end = this.highestUnbalanced(sc, pgdat);
      if (end < 0) break;
      classzone = end;
      let raise = true;
      let lruPages = 0;
      for (let type = 0; type <= end; type++) {
        const zone = pgdat.zones[type];
        if (zone !== undefined && zone.managedPages > 0) lruPages += zoneReclaimablePages(machine, zone);
      }
      if (sc.priority < DEF_PRIORITY - 2) sc.mayWritepage = true;
      // Upwards, against the allocator, which takes from the highest zone first.
      for (let type = 0; type <= end; type++) {
        const zone = pgdat.zones[type];
        if (zone === undefined || zone.managedPages === 0) continue;
        if (sc.priority !== DEF_PRIORITY && !zoneReclaimable(machine, zone)) continue;
        sc.nrScanned = 0;
        this.softLimitReclaim(sc, zone, sc.order);
        if (this.kswapdShrinkZone(sc, zone, end, lruPages)) raise = false;
      }
      // Twice the block is free, if not side by side: do not throw away more for it.
      if (sc.order > 0 && sc.nrReclaimed >= 2 * 2 ** sc.order) sc.order = 0;
      if (raise || sc.nrReclaimed === 0) sc.priority -= 1;
      machine.advance(0);
    } while (sc.priority >= 1 && !this.pgdatBalanced(pgdat, sc.order, thread.classzone));
    thread.order = sc.order;
    thread.classzone = classzone;
  }

  /** Ages anonymous memory on the way down. -1: all are balanced. */
  private highestUnbalanced(sc: ScanControl, pgdat: PgData): number {
    const { machine } = this;
    for (let type = pgdat.zones.length - 1; type >= 0; type--) {
      const zone = pgdat.zones[type];
      if (zone === undefined || zone.managedPages === 0) continue;
      if (sc.priority !== DEF_PRIORITY && !zoneReclaimable(machine, zone)) continue;
      this.ageActiveAnon(sc, zone);
      if (!this.zoneBalanced(zone, sc.order, 0, 0)) return type;
      zone.reclaimCongested = false;
      zone.tailLruDirty = false;
    }
    return -1;
  }

  private ageActiveAnon(sc: ScanControl, zone: Zone): void {
    const { machine } = this;
    if (machine.swap.totalSwapPages === 0) return;
    for (let i = 1; i < machine.memcgs.length; i++) {
      const lruvec = machine.memcgs[i]!.lruvecs[zone.lruvec]!;
      if (inactiveAnonIsLow(machine, lruvec)) this.shrinkActiveList(sc, lruvec, LRU_ACTIVE_ANON, SWAP_CLUSTER_MAX);
    }
  }

  /** True: as many pages were scanned as are to be freed, or none had to be. */
  private kswapdShrinkZone(sc: ScanControl, zone: Zone, classzone: number, lruPages: number): boolean {
    const { machine } = this;
    sc.nrToReclaim = Math.max(SWAP_CLUSTER_MAX, zone.wmarkHigh);
    const gap = Math.min(zone.wmarkLow, Math.ceil(zone.managedPages / BALANCE_GAP_RATIO));
    if (this.zoneBalanced(zone, sc.order, gap, classzone)) return true;
    this.shrinkZone(sc, zone);
    sc.nrReclaimed += slabPages(machine, () => shrinkSlab_3(machine, sc.gfp, zone.pgdat.nid, sc.nrScanned, lruPages));
    zone.manyWriteback = false;
    if (zoneReclaimable(machine, zone) && this.zoneBalanced(zone, sc.order, 0, classzone)) {
      zone.reclaimCongested = false;
      zone.tailLruDirty = false;
    }
    return sc.nrScanned >= sc.nrToReclaim;
  }
}

function pagesScanned(zonelist: readonly Zone[]): number {
  let pages = 0;
  for (const zone of zonelist) pages += zone.pagesScanned;
  return pages;
}

/** The root's is the machine's; every other cgroup has its own. */
function swappinessOf(machine: Machine, memcg: MemCgroup): number {
  const swappiness = memcg.parent === null ? machine.sysctl.swappiness : memcg.swappiness;
  return Math.min(100, swappiness);
}

/** Pages that came free with the objects that `shrink` dropped (reclaim_state->reclaimed_slab). */
function slabPages(machine: Machine, shrink: () => number): number {
  const before = pagesOfSlabs(machine);
  shrink();
  return Math.max(0, before - pagesOfSlabs(machine));
}

function pagesOfSlabs(machine: Machine): number {
  let pages = 0;
  for (const { slabs, order } of Object.values(machine.slab.caches)) pages += slabs.length * 2 ** order;
  return pages;
}

/** Enough is free above the high watermark for compaction to work with. */
function compactionReady(machine: Machine, zone: Zone, order: number): boolean {
  const gap = Math.min(zone.wmarkLow, Math.ceil(zone.managedPages / BALANCE_GAP_RATIO));
  return zoneWatermarkOk(machine, zone, 0, zone.wmarkHigh + gap + 2 * 2 ** order, 0, 0);
}
