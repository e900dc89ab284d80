/**
 * 2.4: which zone a request is served from, and what is tried when there is little left.
 *
 *   zones in turn: HighMem  Normal  DMA           __alloc_pages
 *   pages_low          510     510   64           1  free > 1 + the sum of the low marks so far: 511, 1021, 1085
 *                                                 2  the first zone wants balance: kswapd wakes
 *   pages_min          255     255   32           3  the same with pages_min; a quarter of them if nobody may wait
 *                                                 4  who frees memory, or is being killed: any zone that has a page
 *                                                 5  who may not wait gets nothing
 *                                                 6  frees memory himself, and keeps one block of what he frees
 *                                                 7  again with pages_min
 *                                                 8  blocks of 16 pages and more: nothing. Else the others run, and back to 4
 *
 *   The sum makes a request that prefers high memory leave low memory alone: it must find there what both zones should keep.
 *
 * Owns      what is allocated from where; the block that a task who reclaims keeps for itself (local_pages).
 * Promises  1. A request takes a page only where more is free than the sum asks for, unless it is one of step 4.
 *           2. A page on somebody's local list has no reference, is on no other list, and says its order in page->index.
 *           3. A request of up to 8 pages that may wait is refused only to a task that is being killed.
 * Linux     2.4.19 mm/page_alloc.c: __alloc_pages balance_classzone __free_pages_ok rmqueue; include/linux/mmzone.h: memclass
 *
 * DIFFERS: of several nodes, each has its turn to be asked first, as with DISCONTIGMEM and without NUMA. To yield takes a tick.
 *          2.4 tries for ever when nothing can be freed and nobody is killed; here 300 ticks, then somebody dies or the answer is no.
 */
import { type FreeArea, freeBlock, rmqueue, verifyFreeArea } from './buddy_2_4.ts';
import { bugOn } from './bug.ts';
import { __GFP_DIRECT_RECLAIM, __GFP_NOFAIL, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { freePagesPrepare, gfpZone, prepNewPage } from './page_alloc.ts';
import { PG_lru } from './page_flags.ts';
import { pageZone } from './page_flags_2_4.ts';
import type { Physical } from './parts.ts';
import type { Task } from './task.ts';
import { NO_PFN, type Pfn, type Pgoff } from './units.ts';
import { checkFrames, checkMachine } from './verify_physical.ts';
import { PGALLOC, PGFREE } from './vmstat.ts';
import type { PgData, Zone } from './zone.ts';
import { buildZones_2_4, memclass, pagesMin, setWatermarks_2_4 } from './zone_build_2_4.ts';

/** Above it, a request is given up when reclaim did not help. */
const COSTLY_ORDER = 3;
const TICK_NS = 10_000_000;
const FRUITLESS_MOST = 300;
const ROUNDS_MOST = 20_000;

export function newPhysical_2_4(machine: Machine): Physical {
  return new Physical_2_4(machine);
}

export class Physical_2_4 implements Physical {
  readonly marksAddUp = true;
  private readonly machine: Machine;
  /** By the zone's number. */
  readonly areas: FreeArea[] = [];
  /** Who has PF_FREE_PAGES, and current->local_pages of his: one block at most. */
  private freePagesTask: Task | null = null;
  private localPages: Pfn = NO_PFN;
  private nextNode = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  buildZones(): Pfn {
    return buildZones_2_4(this.machine, this.areas);
  }
  setupWatermarks(): void {
    setWatermarks_2_4(this.machine);
  }
  /** No CPU keeps pages for itself. */
  drainAll(): void {}
  freeBlocks(zone: Zone, order: number): number {
    return this.areas[zone.index]!.nrFree[order] ?? 0;
  }

  // allocating

  allocPages(gfp: Gfp, order: number): Pfn {
    const { nodes } = this.machine;
    if (nodes.length === 1) return this.allocFrom(nodes[0]!, gfp, order);
    const first = this.nextNode;
    this.nextNode = (first + 1) % nodes.length;
    for (let i = 0; i < nodes.length; i++) {
      const pfn = this.allocFrom(nodes[(first + i) % nodes.length]!, gfp, order);
      if (pfn !== NO_PFN) return pfn;
    }
    return NO_PFN;
  }

  /** __alloc_pages: the steps above. */
  private allocFrom(pgdat: PgData, gfp: Gfp, order: number): Pfn {
    const m = this.machine;
    const zonelist = pgdat.zonelists[gfpZone(gfp)]!;
    const classzone = zonelist[0];
    if (classzone === undefined || order >= this.areas[0]!.nrFree.length) return NO_PFN;
    const mayWait = (gfp & __GFP_DIRECT_RECLAIM) !== 0;
    let pfn = this.fromLow(zonelist, order);
    if (pfn !== NO_PFN) return pfn;
    classzone.needBalance = true;
    m.reclaim.wakeupKswapd(classzone, gfp, order);
    pfn = this.fromMin(zonelist, order, mayWait);
    if (pfn !== NO_PFN) return pfn;
    let fruitless = 0;
    for (let round = 0; ; round++) {
      if (m.current.memalloc || m.current.killed) return this.fromAnywhere(zonelist, order);
      if (!mayWait) return NO_PFN;
      pfn = this.balanceClasszone(classzone, gfp, order);
      if (pfn !== NO_PFN) return pfn;
      pfn = this.fromMin(zonelist, order, true);
      if (pfn !== NO_PFN) return pfn;
      if (order > COSTLY_ORDER && (gfp & __GFP_NOFAIL) === 0) return NO_PFN;
      m.advance(TICK_NS);
      fruitless += 1;
      if (fruitless < FRUITLESS_MOST) continue;
      fruitless = 0;
      const killed = m.generation.outOfMemory(m, gfp, order);
      if (killed && round < ROUNDS_MOST) continue;
      bugOn((gfp & __GFP_NOFAIL) !== 0, 'somebody can be killed while memory that must not fail is short', order);
      return NO_PFN;
    }
  }

  private fromLow(zonelist: readonly Zone[], order: number): Pfn {
    let min = 1 << order;
    for (let i = 0; i < zonelist.length; i++) {
      const zone = zonelist[i]!;
      min += zone.wmarkLow;
      if (zone.freePages <= min) continue;
      const pfn = this.take(zone, order);
      if (pfn !== NO_PFN) return pfn;
    }
    return NO_PFN;
  }

  private fromMin(zonelist: readonly Zone[], order: number, mayWait: boolean): Pfn {
    let min = 1 << order;
    for (let i = 0; i < zonelist.length; i++) {
      const zone = zonelist[i]!;
      min += mayWait ? zone.wmarkMin : zone.wmarkMin >> 2;
      if (zone.freePages <= min) continue;
      const pfn = this.take(zone, order);
      if (pfn !== NO_PFN) return pfn;
    }
    return NO_PFN;
  }

  private fromAnywhere(zonelist: readonly Zone[], order: number): Pfn {
    for (let i = 0; i < zonelist.length; i++) {
      const pfn = this.take(zonelist[i]!, order);
      if (pfn !== NO_PFN) return pfn;
    }
    return NO_PFN;
  }

  private take(zone: Zone, order: number): Pfn {
    const m = this.machine;
    const pfn = rmqueue(m.frames, zone, this.areas[zone.index]!, order);
    if (pfn === NO_PFN) return NO_PFN;
    m.events[PGALLOC + zone.type]! += 1 << order;
    prepNewPage(m, pfn, order);
    return pfn;
  }

  // freeing memory first

  /** balance_classzone: reclaims, and answers with the block it kept if that is what was asked for. */
  private balanceClasszone(classzone: Zone, gfp: Gfp, order: number): Pfn {
    const m = this.machine;
    const task = m.current;
    const before = this.freePagesTask;
    const kept = this.localPages;
    this.freePagesTask = task;
    this.localPages = NO_PFN;
    const { memalloc } = task;
    task.memalloc = true;
    const progress = m.reclaim.tryToFreePages(classzone.pgdat, order, gfp) > 0;
    task.memalloc = memalloc;
    const local = this.localPages;
    this.freePagesTask = before;
    this.localPages = kept;
    if (local === NO_PFN) return NO_PFN;
    const size = m.frames.index(local);
    bugOn(m.frames.refcount(local) !== 0, 'nobody has a reference to a page that was freed', local);
    if (progress && size === order && memclass(pageZone(m, local), classzone)) {
      m.events[PGALLOC + pageZone(m, local).type]! += 1 << order;
      prepNewPage(m, local, order);
      return local;
    }
    this.giveBack(local, size);
    return NO_PFN;
  }

  /** __free_pages_ok. */
  freePages(pfn: Pfn, order: number): void {
    const m = this.machine;
    if (m.frames.has(pfn, PG_lru)) m.lru.remove(pfn);
    freePagesPrepare(m, pageZone(m, pfn), pfn, order);
    m.events[PGFREE]! += 1 << order;
    if (this.freePagesTask !== null && m.current === this.freePagesTask && this.localPages === NO_PFN) {
      m.frames.setIndex(pfn, order as Pgoff);
      this.localPages = pfn;
      return;
    }
    this.giveBack(pfn, order);
  }

  private giveBack(pfn: Pfn, order: number): void {
    const zone = pageZone(this.machine, pfn);
    freeBlock(this.machine.frames, zone, this.areas[zone.index]!, pfn, order);
  }

  keeps(pfn: Pfn): boolean {
    return pfn === this.localPages;
  }

  // checking

  verify(): string[] {
    const m = this.machine;
    const wrong: string[] = [];
    const state = new Uint8Array(m.frames.frames);
    if (this.localPages !== NO_PFN) wrong.push(`frame ${this.localPages}: is kept by a task that reclaims no more`);
    for (const zone of m.zones) wrong.push(...verifyFreeArea(m.frames, zone, this.areas[zone.index]!, state));
    for (const zone of m.zones) {
      checkFrames(m, zone, state, wrong);
      const ratio = m.config.memfrac?.[zone.index % 3];
      const min = zone.spannedPages === 0 ? 0 : pagesMin(zone.spannedPages, ratio);
      if (zone.wmarkMin !== min || zone.wmarkLow !== 2 * min || zone.wmarkHigh !== 3 * min) {
        wrong.push(
          `zone ${zone.name}: watermarks ${zone.wmarkMin} ${zone.wmarkLow} ${zone.wmarkHigh}, by its size ${min} ${2 * min} ${3 * min}`,
        );
      }
    }
    checkMachine(m, wrong);
    wrong.push(...m.slab.verify(m));
    return wrong;
  }
}
