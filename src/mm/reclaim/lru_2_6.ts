/**
 * The two lists of each zone in 2.6, and the per-CPU batches of 14 pages in front of them.
 *
 *   new anonymous page, swap-in ──► lru_add_active ──► active   [ head … tail ] ──► deactivated (shrink_active_list)
 *                                                        ▲ activate_page             │
 *   new page of a file ───────────► lru_add ─────────► inactive [ head … tail ] ◄────┘ ──► reclaimed from the tail
 *
 *   Anonymous pages and pages of files share the lists. A page in a batch is on no list: reclaim does not see it, and a use only
 *   sets its referenced bit. The second use of an inactive page activates it.
 *   Good at: one number to balance, mapped against unmapped. Bad at: a large file read once, which pushes out what was used once.
 *
 * Owns      PG_lru and PG_active, the sizes of the two lists, the batches.
 * Promises  1. A page with PG_lru is on the active list if it has PG_active, else on the inactive one, of its zone.
 *           2. Sizes equal what the lists hold; a batch holds one reference to each of its pages.
 * Linux     2.6.24 mm/swap.c: lru_cache_add lru_cache_add_active __pagevec_lru_add mark_page_accessed activate_page
 *           rotate_reclaimable_page pagevec_move_tail lru_add_drain __page_cache_release
 * Before    2.4 had two lists for all zones, and no batches
 */
import { LRU_ACTIVE_ANON, LRU_INACTIVE_ANON, type LruList, type Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { lruvecOf } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { putPage } from '../page_alloc.ts';
import { PG_active, PG_dirty, PG_locked, PG_lru, PG_referenced, PG_swapcache } from '../page_flags.ts';
import type { Lru, LruBatch } from '../parts.ts';
import type { Pfn } from '../units.ts';
import type { Vma } from '../vma.ts';
import { PGACTIVATE, PGROTATED } from '../vmstat.ts';
import { MAX_NR_ZONES } from '../zone.ts';
import { Pagevec } from './pagevec.ts';

/** Two-list kernels use the first two of the engine's lists for all pages. */
export const LRU_INACTIVE: LruList = LRU_INACTIVE_ANON;
export const LRU_ACTIVE: LruList = LRU_ACTIVE_ANON;
export const LRU_NAMES_2_6 = ['inactive', 'active', '-', '-', '-'] as const;

export function newTwoListLru(machine: Machine): Lru {
  return new TwoListLru(machine);
}

/** The list that the page's flags name. */
export function listOf_2_6(frames: MemMap, pfn: Pfn): LruList {
  return frames.has(pfn, PG_active) ? LRU_ACTIVE : LRU_INACTIVE;
}

/** Sizes of a list of the page's zone change by `pages`; the page itself is moved by the caller. */
export function countOnList(machine: Machine, lruvec: Lruvec, pfn: Pfn, list: LruList, pages: number): void {
  const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
  lruvec.zoneSize[list * MAX_NR_ZONES + zone.type]! += pages;
  lruvec.pgdat.stat[list]! += pages;
  for (let up: Lruvec | null = lruvec; up !== null; up = up.parent) up.stat[list]! += pages;
  zone.lruPages[list]! += pages;
}

/** To the head of the list that its flags name. */
export function addPageToList(machine: Machine, pfn: Pfn): void {
  const lruvec = lruvecOf(machine, pfn);
  const list = listOf_2_6(machine.frames, pfn);
  countOnList(machine, lruvec, pfn, list, 1);
  machine.frames.listAdd(pfn, lruvec.lists[list]!);
}

export function delPageFromList(machine: Machine, pfn: Pfn): void {
  countOnList(machine, lruvecOf(machine, pfn), pfn, listOf_2_6(machine.frames, pfn), -1);
  machine.frames.listDel(pfn);
}

class TwoListLru implements Lru {
  private readonly machine: Machine;
  private readonly frames: MemMap;
  private readonly lruAdd: Pagevec = new Pagevec();
  private readonly lruAddActive: Pagevec = new Pagevec();
  private readonly lruRotate: Pagevec = new Pagevec();

  constructor(machine: Machine) {
    this.machine = machine;
    this.frames = machine.frames;
  }

  listOf(pfn: Pfn): LruList {
    return listOf_2_6(this.frames, pfn);
  }

  batches(): LruBatch[] {
    return [
      this.lruAdd.told('lru_add_pvecs'),
      this.lruAddActive.told('lru_add_active_pvecs'),
      this.lruRotate.told('lru_rotate_pvecs'),
    ];
  }

  /** lru_cache_add. An anonymous page begins active, one read from swap too, and one that was active before. */
  add(pfn: Pfn): void {
    const active = this.frames.has(pfn, PG_active | PG_swapcache) || this.frames.isAnon(pfn);
    if (active) this.addActive(pfn);
    else if (this.lruAdd.add(this.machine, pfn)) this.drainAdd(this.lruAdd, false);
  }

  addVma(pfn: Pfn, _vma: Vma): void {
    this.addActive(pfn);
  }

  private addActive(pfn: Pfn): void {
    this.frames.clear(pfn, PG_active);
    if (this.lruAddActive.add(this.machine, pfn)) this.drainAdd(this.lruAddActive, true);
  }

  markAccessed(pfn: Pfn): void {
    const { frames } = this;
    if (!frames.has(pfn, PG_active) && frames.has(pfn, PG_referenced) && frames.has(pfn, PG_lru)) {
      this.activate(pfn);
      frames.clear(pfn, PG_referenced);
    } else {
      frames.set(pfn, PG_referenced);
    }
  }

  activate(pfn: Pfn): void {
    const { machine, frames } = this;
    if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_active)) return;
    delPageFromList(machine, pfn);
    frames.set(pfn, PG_active);
    addPageToList(machine, pfn);
    machine.events[PGACTIVATE]! += 1;
    if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_lru_activate', pfn);
  }

  // Later kernels have reasons to deactivate a page; here only its age is one.
  deactivate(_pfn: Pfn): void {}
  deactivateFile(_pfn: Pfn): void {}
  lazyfree(_pfn: Pfn): void {}

  rotateReclaimable(pfn: Pfn): void {
    if (this.frames.has(pfn, PG_locked | PG_dirty | PG_active) || !this.frames.has(pfn, PG_lru)) return;
    if (this.lruRotate.add(this.machine, pfn)) this.drainRotate();
  }

  drain(): void {
    if (this.lruAdd.count > 0) this.drainAdd(this.lruAdd, false);
    if (this.lruAddActive.count > 0) this.drainAdd(this.lruAddActive, true);
    if (this.lruRotate.count > 0) this.drainRotate();
  }

  isolate(pfn: Pfn): boolean {
    if (!this.frames.has(pfn, PG_lru)) return false;
    this.frames.get(pfn);
    delPageFromList(this.machine, pfn);
    this.frames.clear(pfn, PG_lru);
    return true;
  }

  putback(pfn: Pfn): void {
    const active = this.frames.testAndClear(pfn, PG_active);
    if (active) this.addActive(pfn);
    else if (this.lruAdd.add(this.machine, pfn)) this.drainAdd(this.lruAdd, false);
    putPage(this.machine, pfn);
  }

  remove(pfn: Pfn): void {
    delPageFromList(this.machine, pfn);
    this.frames.clear(pfn, PG_lru | PG_active);
  }

  // batches

  private drainAdd(batch: Pagevec, active: boolean): void {
    const { machine, frames } = this;
    const { count } = batch;
    batch.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = batch.pages[i]! as Pfn;
      frames.set(pfn, active ? PG_lru | PG_active : PG_lru);
      addPageToList(machine, pfn);
      if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_lru_insertion', pfn, listOf_2_6(frames, pfn));
    }
    batch.release(machine, count);
  }

  /** To the inactive tail: what was written for reclaim is the next to go. */
  private drainRotate(): void {
    const { machine, frames, lruRotate } = this;
    const { count } = lruRotate;
    lruRotate.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruRotate.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_active)) continue;
      frames.listDel(pfn);
      frames.listAddTail(pfn, lruvecOf(machine, pfn).lists[LRU_INACTIVE]!);
      machine.events[PGROTATED]! += 1;
    }
    lruRotate.release(machine, count);
  }
}
