/**
 * Compaction: free memory in pieces is put together by moving pages.
 *
 *     zone start                                                        zone end
 *     │ migrate scanner ──►                             ◄── free scanner │
 *     [█ █ ░ █][░ █ █ ░][█ ░ ░ █] … [░ ░ █ ░][█ ░ ░ ░][░ ░ █ ░]     █ movable, in use   ░ free
 *       up to 32 pages at a time are taken here ─────► and moved there, until a block of the wanted order is free, or they meet
 *
 *     worth it?  order-0 pages above low + 2 * 2**order, and a fragmentation index above 500 (0: memory is short, 1000: it is split)
 *
 * Owns      where the scanners of a zone stand, which pageblocks they skip, and for how many attempts the zone is left alone.
 * Promises  1. Pages isolated for or by compaction are back on a list when a call ends.
 *           2. An async pass looks at movable pageblocks only, and waits for nothing.
 *           3. After a failed sync pass the next 1, 2, 4 … 64 attempts are not made.
 * Linux     3.16 mm/compaction.c: try_to_compact_pages compact_zone compact_finished compaction_suitable isolate_migratepages_range
 *           isolate_freepages isolate_freepages_block update_pageblock_skip reset_isolation_suitable; mm/vmstat.c: fragmentation_index;
 *           mm/page_alloc.c: __isolate_free_page; include/linux/compaction.h; mm/compaction.c: defer_compaction compaction_deferred
 * Before    2.6.34 and earlier: lumpy reclaim, or nothing
 */
import { buddyOrder, PAGEBLOCK_PAGES, pageblockType } from './buddy.ts';
import { isolateFreePage, MIGRATE_MOVABLE_3 } from './buddy_3.ts';
import { ENOMEM } from './errno.ts';
import { pageMapping } from './filemap.ts';
import { isLarge } from './folio.ts';
import { __GFP_FS, __GFP_IO, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import {
  isolateForMigration,
  MIGRATE_ASYNC,
  type MigrateMode,
  type MigrateTarget,
  migratePages,
  putbackMovablePages,
} from './migrate.ts';
import { freePages } from './page_alloc.ts';
import { PG_buddy, PG_lru, PG_swapcache, PG_tail, PG_unevictable, PG_writeback } from './page_flags.ts';
import { NO_PFN, type Pfn, ZERO_TOKEN } from './units.ts';
import { COMPACT_FREE_SCANNED, COMPACT_MIGRATE_SCANNED, COMPACTISOLATED, COMPACTSTALL } from './vmstat.ts';
import { zoneWatermarkOk_3 } from './watermark_3.ts';
import { freeBlocks, NR_PAGE_ORDERS, type Zone } from './zone.ts';

/** It made no sense; go on; a page of the order is free now or the pass was cut short; the scanners met. */
export const COMPACT_SKIPPED = 0;
export const COMPACT_CONTINUE = 1;
export const COMPACT_PARTIAL = 2;
export const COMPACT_COMPLETE = 3;

const COMPACT_CLUSTER_MAX = 32;
const COMPACT_MAX_DEFER_SHIFT = 6;
/** vm.extfrag_threshold. */
const EXTFRAG_THRESHOLD = 500;
/** Any order: the whole zone (/proc/sys/vm/compact_memory). */
export const WHOLE_ZONE = -1;

/** One pass over a zone. */
interface Control {
  readonly order: number;
  /** Of the request; its free list is asked whether the pass is done. */
  readonly type: number;
  readonly mode: MigrateMode;
  readonly ignoreSkipHint: boolean;
  migratePfn: number;
  freePfn: number;
  /** Each scanner remembers where it begins next until it has found something. */
  migrateFound: boolean;
  freeFound: boolean;
  readonly migratepages: Pfn[];
  readonly freepages: Pfn[];
}

export class Compaction {
  private readonly machine: Machine;
  private readonly zone: Zone;
  /** Where the next pass begins: async, sync; and the free scanner. */
  private readonly cachedMigratePfn: [number, number];
  private cachedFreePfn: number;
  /** Pageblocks in which a scanner found nothing. */
  private readonly skip: Uint8Array;
  /** The scanners met: the marks are worth nothing any more. */
  private blockskipFlush = false;
  /** Attempts since the last failure, and how many (2**shift) are not made; from which order on. */
  considered = 0;
  deferShift = 0;
  orderFailed = 0;

  constructor(machine: Machine, zone: Zone) {
    this.machine = machine;
    this.zone = zone;
    this.cachedMigratePfn = [zone.startPfn, zone.startPfn];
    this.cachedFreePfn = this.lastBlock();
    this.skip = new Uint8Array(zone.pageblockType.length);
    this.orderFailed = NR_PAGE_ORDERS;
  }

  // deferral

  /** After a failure for this order or a lower one: not now. Counts the attempt. */
  isDeferred(order: number): boolean {
    if (order < this.orderFailed) return false;
    const limit = 1 << this.deferShift;
    this.considered = Math.min(this.considered + 1, limit);
    return this.considered < limit;
  }

  defer(order: number): void {
    this.considered = 0;
    this.deferShift = Math.min(this.deferShift + 1, COMPACT_MAX_DEFER_SHIFT);
    if (order < this.orderFailed) this.orderFailed = order;
  }

  /** The order could be had. `success`: an allocation got it. */
  deferReset(order: number, success: boolean): void {
    if (success) {
      this.considered = 0;
      this.deferShift = 0;
    }
    if (order >= this.orderFailed) this.orderFailed = order + 1;
    this.blockskipFlush = false;
  }

  // passes

  /** Direct compaction: each zone of the list until the request could be served. The best outcome, COMPACT_SKIPPED if none was tried. */
  static tryZones(
    machine: Machine,
    zones: readonly Compaction[],
    zonelist: readonly Zone[],
    order: number,
    gfp: Gfp,
    type: number,
    mode: MigrateMode,
  ): number {
    if (order === 0 || (gfp & (__GFP_FS | __GFP_IO)) !== (__GFP_FS | __GFP_IO)) return COMPACT_SKIPPED;
    machine.events[COMPACTSTALL]! += 1;
    let best = COMPACT_SKIPPED;
    for (const zone of zonelist) {
      best = Math.max(best, zones[zone.index]!.compactZone(order, type, mode));
      if (zoneWatermarkOk_3(zone, order, zone.wmarkLow, 0, 0)) break;
    }
    return best;
  }

  /** One pass. `order` WHOLE_ZONE: until the scanners meet. */
  compactZone(order: number, type: number, mode: MigrateMode): number {
    const { machine } = this;
    const suitable = this.suitable(order);
    if (suitable !== COMPACT_CONTINUE) return suitable;
    // After many deferrals the marks are old (compaction_restarting).
    const restarting = this.deferShift === COMPACT_MAX_DEFER_SHIFT && this.considered >= 1 << this.deferShift;
    if (order === WHOLE_ZONE || restarting || this.blockskipFlush) this.resetIsolationSuitable();
    const control: Control = {
      order,
      type,
      mode,
      ignoreSkipHint: order === WHOLE_ZONE,
      migratePfn: this.cachedMigratePfn[mode === MIGRATE_ASYNC ? 0 : 1],
      freePfn: this.cachedFreePfn,
      migrateFound: false,
      freeFound: false,
      migratepages: [],
      freepages: [],
    };
    machine.lru.drain();
    let result = this.finished(control);
    for (; result === COMPACT_CONTINUE; result = this.finished(control)) {
      this.isolateMigratepages(control);
      if (control.migratepages.length === 0) continue;
      const failed = migratePages(machine, control.migratepages, this.target(control), mode);
      putbackMovablePages(machine, control.migratepages);
      if (failed === -ENOMEM && control.freePfn > control.migratePfn) {
        result = COMPACT_PARTIAL;
        break;
      }
    }
    for (const pfn of control.freepages) this.giveBack(pfn);
    machine.lru.drain();
    return result;
  }

  /** Would a pass make sense? COMPACT_CONTINUE, COMPACT_PARTIAL if the order is there already, or COMPACT_SKIPPED. */
  suitable(order: number): number {
    const { zone } = this;
    if (order === WHOLE_ZONE) return COMPACT_CONTINUE;
    // Pages are in two places for a while.
    const mark = zone.wmarkLow + (2 << order);
    if (!zoneWatermarkOk_3(zone, 0, mark, 0, 0)) return COMPACT_SKIPPED;
    const index = fragmentationIndex(zone, order);
    if (index >= 0 && index <= EXTFRAG_THRESHOLD) return COMPACT_SKIPPED;
    return index === -1000 && zoneWatermarkOk_3(zone, order, mark, 0, 0) ? COMPACT_PARTIAL : COMPACT_CONTINUE;
  }

  private finished(control: Control): number {
    const { zone } = this;
    if (this.machine.current.killed) return COMPACT_PARTIAL;
    if (control.freePfn <= control.migratePfn) {
      this.cachedMigratePfn[0] = zone.startPfn;
      this.cachedMigratePfn[1] = zone.startPfn;
      this.cachedFreePfn = this.lastBlock();
      this.blockskipFlush = !this.machine.current.isKswapd;
      return COMPACT_COMPLETE;
    }
    if (control.order === WHOLE_ZONE) return COMPACT_CONTINUE;
    if (!zoneWatermarkOk_3(zone, control.order, zone.wmarkLow + (1 << control.order), 0, 0)) return COMPACT_CONTINUE;
    for (let order = control.order; order < NR_PAGE_ORDERS; order++) {
      if (zone.nrFree[order * 4 + control.type]! > 0) return COMPACT_PARTIAL;
    }
    return COMPACT_CONTINUE;
  }

  private end(): number {
    return this.zone.startPfn + this.zone.spannedPages;
  }

  /** Where the free scanner begins: the zone's last pageblock. */
  private lastBlock(): number {
    return blockStart(this.end() - 1);
  }

  private target(control: Control): MigrateTarget {
    return {
      alloc: () => {
        if (control.freepages.length === 0) this.isolateFreepages(control);
        return control.freepages.shift() ?? NO_PFN;
      },
      free: (pfn) => {
        control.freepages.unshift(pfn);
      },
    };
  }

  private giveBack(pfn: Pfn): void {
    this.machine.frames.putTestzero(pfn);
    freePages(this.machine, pfn, 0);
  }

  // the migrate scanner

  /** Movable pages of the next pageblock, 32 at most. */
  private isolateMigratepages(control: Control): void {
    const { machine } = this;
    const start = Math.max(control.migratePfn, this.zone.startPfn);
    const end = blockEnd(start);
    if (end > control.freePfn) {
      control.migratePfn = end;
      return;
    }
    let scanned = 0;
    let isolated = 0;
    let at = start;
    const type = pageblockType(this.zone, start as Pfn);
    const wrongType = control.mode === MIGRATE_ASYNC && type !== MIGRATE_MOVABLE_3;
    if (wrongType || (!control.ignoreSkipHint && this.skip[this.block(start)] !== 0)) {
      control.migratePfn = end;
      return;
    }
    while (at < end && isolated < COMPACT_CLUSTER_MAX) {
      const pfn = at as Pfn;
      at += 1;
      scanned += 1;
      if (!this.isMovable(pfn, control.mode) || !isolateForMigration(machine, pfn)) continue;
      control.migratepages.push(pfn);
      isolated += 1;
    }
    if (at === end) this.updateSkip(start, isolated, control, true);
    if (isolated > 0) control.migrateFound = true;
    machine.events[COMPACT_MIGRATE_SCANNED]! += scanned;
    machine.events[COMPACTISOLATED]! += isolated;
    control.migratePfn = at;
  }

  private isMovable(pfn: Pfn, mode: MigrateMode): boolean {
    const { machine } = this;
    const { frames } = machine;
    if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_unevictable | PG_tail) || isLarge(machine, pfn)) return false;
    const inCache = pageMapping(machine, pfn) !== null;
    // Somebody besides its entries holds it: it cannot move.
    if (!inCache && !frames.has(pfn, PG_swapcache) && frames.refcount(pfn) > frames.mapcount(pfn)) return false;
    return mode !== MIGRATE_ASYNC || !frames.has(pfn, PG_writeback);
  }

  // the free scanner

  /** Free pages for all that is to be moved, from the end of the zone downwards. */
  private isolateFreepages(control: Control): void {
    const { machine } = this;
    const low = blockEnd(control.migratePfn);
    let next = -1;
    let start = blockStart(control.freePfn);
    let found = 0;
    for (; start >= low && control.migratepages.length > found; start -= PAGEBLOCK_PAGES) {
      if (!this.isMigrationTarget(start)) continue;
      if (!control.ignoreSkipHint && this.skip[this.block(start)] !== 0) continue;
      const isolated = this.isolateFreepagesBlock(control, start, Math.min(start + PAGEBLOCK_PAGES, this.end()));
      this.updateSkip(start, isolated, control, false);
      machine.events[COMPACTISOLATED]! += isolated;
      found += isolated;
      if (isolated === 0) continue;
      control.freeFound = true;
      // There may be more of it: the next search begins here again.
      if (next < 0) next = start;
    }
    // Not above the other scanner any more: the pass ends.
    control.freePfn = start < low ? control.migratePfn : next;
  }

  private isMigrationTarget(start: number): boolean {
    const { zone, machine } = this;
    if (start < zone.startPfn) return false;
    const head = start as Pfn;
    // A whole free pageblock is what we want to have.
    if (machine.frames.has(head, PG_buddy) && buddyOrder(machine.frames, head) >= 9) return false;
    return pageblockType(zone, head) === MIGRATE_MOVABLE_3;
  }

  private isolateFreepagesBlock(control: Control, start: number, end: number): number {
    const { machine, zone } = this;
    const { frames } = machine;
    let isolated = 0;
    for (let at = start; at < end; at++) {
      machine.events[COMPACT_FREE_SCANNED]! += 1;
      const pfn = at as Pfn;
      if (!frames.has(pfn, PG_buddy)) continue;
      const order = buddyOrder(frames, pfn);
      if (!zoneWatermarkOk_3(zone, 0, zone.wmarkLow + (1 << order), 0, 0)) return isolated;
      isolateFreePage(frames, zone, pfn);
      for (let i = 0; i < 1 << order; i++) {
        frames.setRefcount((pfn + i) as Pfn, 1);
        frames.setToken((pfn + i) as Pfn, ZERO_TOKEN);
        control.freepages.push((pfn + i) as Pfn);
      }
      isolated += 1 << order;
      at += (1 << order) - 1;
    }
    return isolated;
  }

  // what was found in vain

  private block(pfn: number): number {
    return Math.floor(pfn / PAGEBLOCK_PAGES) - Math.floor(this.zone.startPfn / PAGEBLOCK_PAGES);
  }

  private updateSkip(start: number, isolated: number, control: Control, migrateScanner: boolean): void {
    if (control.ignoreSkipHint || isolated > 0) return;
    this.skip[this.block(start)] = 1;
    if (migrateScanner) {
      if (control.migrateFound) return;
      if (start > this.cachedMigratePfn[0]) this.cachedMigratePfn[0] = start;
      if (control.mode !== MIGRATE_ASYNC && start > this.cachedMigratePfn[1]) this.cachedMigratePfn[1] = start;
    } else if (!control.freeFound && start < this.cachedFreePfn) {
      this.cachedFreePfn = start;
    }
  }

  /** Every pageblock is worth a look again. */
  resetIsolationSuitable(): void {
    this.skip.fill(0);
    this.cachedMigratePfn[0] = this.zone.startPfn;
    this.cachedMigratePfn[1] = this.zone.startPfn;
    this.cachedFreePfn = this.lastBlock();
    this.blockskipFlush = false;
  }
}

function blockStart(pfn: number): number {
  return pfn - (pfn % PAGEBLOCK_PAGES);
}

/** First frame behind the pageblock of `pfn`. */
function blockEnd(pfn: number): number {
  return (Math.floor(pfn / PAGEBLOCK_PAGES) + 1) * PAGEBLOCK_PAGES;
}

/**
 * Would an allocation of `order` fail for lack of memory (towards 0), or because what is free is in pieces (towards 1000)?
 * -1000: it would not fail.
 */
export function fragmentationIndex(zone: Zone, order: number): number {
  let freePages = 0;
  let total = 0;
  let suitable = 0;
  for (let o = 0; o < NR_PAGE_ORDERS; o++) {
    const blocks = freeBlocks(zone, o);
    total += blocks;
    freePages += blocks << o;
    if (o >= order) suitable += blocks << (o - order);
  }
  if (total === 0) return 0;
  if (suitable > 0) return -1000;
  return 1000 - Math.floor((1000 + Math.floor((freePages * 1000) / (1 << order))) / total);
}
