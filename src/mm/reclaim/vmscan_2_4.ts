/**
 * Page frame reclaim of 2.4: the cache first, and the address spaces when too much of it is mapped.
 *
 * Owns      how hard is tried: priorities, the balance of the two lists, kswapd, and each zone's need_balance.
 * Promises  1. The active list is kept at about two thirds of all pages on lists.
 *           2. A pass ends when 32 pages are free, or, at priority 1, when the whole inactive list was seen; then out_of_memory is told.
 *           3. It is not entered twice: who reclaims runs with `memalloc` set.
 *           4. kswapd leaves a zone alone when one zone up to it has more than its high mark free, or when nothing came free.
 * Linux     2.4.19 mm/vmscan.c: refill_inactive shrink_caches try_to_free_pages check_classzone_need_balance
 *           kswapd_balance_pgdat kswapd_balance kswapd
 * Before    2.4.17: refill_inactive stops after so many pages looked at, not moved
 *
 *                    used twice (mark_page_accessed)
 *      ┌───────────────────────────────────────────────────┐
 *      ▼                                                    │
 *   active  [ head ………… tail ] ─ not referenced ─► inactive [ head ……… tail ] ─ shrink_cache ─► free
 *             ▲            │                           ▲                 │ too many mapped
 *             └ referenced ┘               new pages ──┘                 └► swap_out
 */
import { Bdflush } from '../bdflush.ts';
import { EVENT_KSWAPD } from '../clock.ts';
import { SCAN_NS } from '../costs.ts';
import { shrinkDcacheMemory, shrinkIcacheMemory } from '../dcache_2_4.ts';
import { __GFP_FS, GFP_USER, type Gfp } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { countMemcgEvents, type MemCgroup } from '../memcg.ts';
import type { Mm } from '../mm.ts';
import { OomClock, outOfMemory_2_4 } from '../oom_2_4.ts';
import { gfpZone } from '../page_alloc.ts';
import { PG_referenced } from '../page_flags.ts';
import type { Reclaim } from '../parts.ts';
import { kmemCacheReap } from '../slab_2_4.ts';
import { swapSetup } from '../swap/swap_2_4.ts';
import { Task } from '../task.ts';
import { NO_PFN, type Pfn } from '../units.ts';
import {
  ALLOCSTALL,
  PAGEOUTRUN,
  PGDEACTIVATE,
  PGREFILL,
  PGSCAN_DIRECT,
  PGSCAN_KSWAPD,
  PGSTEAL_DIRECT,
  PGSTEAL_KSWAPD,
} from '../vmstat.ts';
import type { PgData, Zone } from '../zone.ts';
import { LRU_ACTIVE, LRU_INACTIVE } from './lru_2_4.ts';
import { shrinkCache } from './shrink_cache.ts';
import { SwapOut } from './swap_out.ts';

const SWAP_CLUSTER_MAX = 32;
const DEF_PRIORITY = 6;
const SECOND_NS = 1_000_000_000;

export function newVmscan_2_4(machine: Machine): Reclaim {
  return new Vmscan_2_4(machine);
}

/** The reclaim of a 2.4 machine, with what only 2.4 has. */
export function reclaim_2_4(machine: Machine): Vmscan_2_4 {
  return machine.reclaim as Vmscan_2_4;
}

/** Pages that refill_inactive is to move for `pages` wanted: so many that active stays two thirds. */
export function refillRatio(pages: number, active: number, inactive: number): number {
  return Math.floor((pages * active) / ((inactive + 1) * 2));
}

export class Vmscan_2_4 implements Reclaim {
  readonly swapOut: SwapOut;
  readonly bdflush: Bdflush;
  readonly oom: OomClock = new OomClock();
  private readonly machine: Machine;
  private readonly kswapdTask: Task;
  /** kswapd runs, or sleeps for a second because nothing came free. */
  private kswapdAwake = false;
  /** Freed by the last tryToFree. */
  private freed = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    this.swapOut = new SwapOut(machine);
    this.bdflush = new Bdflush(machine.frames.frames);
    this.kswapdTask = new Task(4, 'kswapd', null, machine.rootMemcg, null);
    this.kswapdTask.isKswapd = true;
    this.kswapdTask.memalloc = true;
    swapSetup(machine);
  }

  // entries

  tryToFreePages(pgdat: PgData, order: number, gfp: Gfp): number {
    const { machine } = this;
    const { current, trace } = machine;
    // PF_NOIO
    const allowed = current.nofs ? gfp & ~__GFP_FS : gfp;
    const was = current.memalloc;
    current.memalloc = true;
    machine.events[ALLOCSTALL]! += 1;
    if (trace.on) trace.emit(machine.clock.now, 'mm_vmscan_direct_reclaim_begin', order, 1, allowed);
    const progress = this.tryToFree(pgdat.zonelists[gfpZone(gfp)]![0]!, allowed);
    if (trace.on) trace.emit(machine.clock.now, 'mm_vmscan_direct_reclaim_end', this.freed);
    current.memalloc = was;
    return progress ? Math.max(1, this.freed) : 0;
  }

  /** There are no cgroups. */
  tryToFreeMemCgroupPages(_memcg: MemCgroup, _pages: number, _gfp: Gfp, _maySwap: boolean): number {
    return 0;
  }

  /** MADV_PAGEOUT is unknown; what was isolated goes back. */
  reclaimPages(pages: Pfn[]): number {
    for (const pfn of pages) this.machine.lru.putback(pfn);
    return 0;
  }

  zoneReclaimablePages(zone: Zone): number {
    return zone.lruPages[LRU_INACTIVE]! + zone.lruPages[LRU_ACTIVE]!;
  }

  forgetMm(mm: Mm): void {
    this.swapOut.forgetMm(mm);
  }

  verify(): string[] {
    return [...this.swapOut.verify(), ...this.bdflush.verify(this.machine)];
  }

  // trying harder and harder

  /** 32 pages of `classzone` or below (try_to_free_pages). False: that could not be. */
  private tryToFree(classzone: Zone, gfp: Gfp): boolean {
    const { machine } = this;
    let wanted = SWAP_CLUSTER_MAX;
    this.freed = 0;
    for (let priority = DEF_PRIORITY; priority > 0; priority--) {
      wanted = this.shrinkCaches(classzone, priority, gfp, wanted);
      // Scanning takes time, in which I/O ends.
      machine.advance(0);
      if (wanted <= 0) {
        this.oom.progress();
        return true;
      }
    }
    outOfMemory_2_4(machine, this.oom);
    return false;
  }

  /** How many of `pages` are still wanted. */
  private shrinkCaches(classzone: Zone, priority: number, gfp: Gfp, asked: number): number {
    const { machine } = this;
    const lruvec = machine.rootMemcg.lruvecs[classzone.lruvec]!;
    const { work } = machine;
    const pages = asked - kmemCacheReap(machine, gfp);
    if (pages <= 0) return 0;
    this.refillInactive(classzone, refillRatio(pages, lruvec.stat[LRU_ACTIVE]!, lruvec.stat[LRU_INACTIVE]!));
    const scannedBefore = work.pagesScanned;
    const visitedBefore = work.ptesVisited;
    const wanted = shrinkCache(machine, this.swapOut, pages, classzone, gfp, priority);
    const scanned = work.pagesScanned - scannedBefore;
    machine.clock.spend((scanned + Math.ceil((work.ptesVisited - visitedBefore) / 8)) * SCAN_NS);
    this.freed += pages - wanted;
    work.pagesReclaimed += pages - wanted;
    const { isKswapd } = machine.current;
    this.count(isKswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT, scanned);
    this.count(isKswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT, pages - wanted);
    if (wanted <= 0) return 0;
    shrinkDcacheMemory(machine, priority, gfp);
    shrinkIcacheMemory(machine, priority, gfp);
    return wanted;
  }

  /** Moves unreferenced pages from the active list's tail to the inactive one; the others get another round. */
  refillInactive(classzone: Zone, pages: number): void {
    const { machine } = this;
    const { frames, lru } = machine;
    const active = machine.rootMemcg.lruvecs[classzone.lruvec]!.lists[LRU_ACTIVE]!;
    const countsMoved = machine.generation.switches.refillCountsMoved;
    let left = pages;
    let looked = 0;
    let moved = 0;
    for (let pfn = frames.listLast(active); pfn !== NO_PFN && left > 0; ) {
      const next = frames.listPrev(pfn);
      looked += 1;
      if (frames.testAndClear(pfn, PG_referenced)) {
        frames.listDel(pfn);
        frames.listAdd(pfn, active);
        if (!countsMoved) left -= 1;
      } else {
        left -= 1;
        moved += 1;
        lru.deactivate(pfn);
        frames.set(pfn, PG_referenced);
      }
      pfn = next;
    }
    this.count(PGREFILL, looked);
    this.count(PGDEACTIVATE, moved);
  }

  private count(event: number, pages: number): void {
    this.machine.events[event]! += pages;
    countMemcgEvents(this.machine.rootMemcg, event, pages);
  }

  // kswapd

  wakeupKswapd(zone: Zone, gfp: Gfp, order: number): void {
    const { machine } = this;
    zone.needBalance = true;
    if (this.kswapdAwake) return;
    this.kswapdAwake = true;
    const { nid } = zone.pgdat;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_wakeup_kswapd', nid, order, zone.type, gfp);
    machine.clock.schedule(machine.clock.now, EVENT_KSWAPD, 0, 0);
  }

  /** One thread for all nodes. */
  runKswapd(_pgdat: PgData): void {
    const { machine } = this;
    const was = machine.current;
    machine.current = this.kswapdTask;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_kswapd_wake', 0, 0, 0);
    machine.events[PAGEOUTRUN]! += 1;
    const asleep = this.balanceAll();
    if (asleep) machine.clock.schedule(machine.clock.now + SECOND_NS, EVENT_KSWAPD, 0, 0);
    else this.kswapdAwake = false;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_vmscan_kswapd_sleep', 0);
    machine.current = was;
  }

  /** True: nothing came free, and kswapd sleeps for a second before it goes on. */
  private balanceAll(): boolean {
    for (let again = true; again; ) {
      again = false;
      for (const pgdat of this.machine.nodes) {
        for (let type = pgdat.zones.length - 1; type >= 0; type--) {
          const zone = pgdat.zones[type];
          if (zone === undefined || !zone.needBalance) continue;
          if (!this.tryToFree(zone, GFP_USER)) {
            zone.needBalance = false;
            return true;
          }
          if (isBalanced(zone)) zone.needBalance = false;
          else again = true;
        }
      }
    }
    return false;
  }
}

/** One zone from `classzone` down has more free than its high mark (check_classzone_need_balance). */
export function isBalanced(classzone: Zone): boolean {
  for (let type = classzone.type; type >= 0; type--) {
    const zone = classzone.pgdat.zones[type];
    if (zone !== undefined && zone.freePages > zone.wmarkHigh) return true;
  }
  return false;
}
