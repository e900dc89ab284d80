/**
 * The five LRU lists of 3.16 and the pagevecs in front of them.
 *
 * Owns      PG_lru, PG_active and PG_unevictable of pages on their way to, between and off the lists; recent_scanned and
 *           recent_rotated as far as moving pages by hand counts there.
 * Promises  1. A page in a pagevec has a reference from it and, if it is new, no PG_lru: nobody can isolate it.
 *           2. A pagevec holds 14 pages. One of new pages is emptied by the 15th, before that one is added; any other by the 14th.
 *           3. Only a page that was put back, or was made for a locked VMA, goes straight to the unevictable list. Any other
 *              locked page is found there lazily, by the scan that meets it.
 * Linux     3.16 mm/swap.c: __lru_cache_add lru_add_drain_cpu mark_page_accessed __lru_cache_activate_page activate_page
 *           __activate_page update_page_reclaim_stat rotate_reclaimable_page pagevec_move_tail_fn deactivate_page lru_deactivate_fn
 *           add_page_to_unevictable_list __page_cache_release; mm/vmscan.c: isolate_lru_page putback_lru_page
 * Before    2.6.24: an active and an inactive list for pages of every kind
 *
 *   used once, by read(2):  inactive ──► inactive, referenced ──► active ──► active, referenced ──► (no change)
 */
import { folioPages } from '../folio.ts';
import { LRU_INACTIVE_FILE, LRU_UNEVICTABLE } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { countMemcgEvents, lruvecOf, memcgOfPage } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { mlockedNewPage } from '../mlock_3.ts';
import { putPage } from '../page_alloc.ts';
import {
  PG_active,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_lru,
  PG_reclaim,
  PG_referenced,
  PG_unevictable,
  PG_writeback,
} from '../page_flags.ts';
import type { Lru, LruBatch } from '../parts.ts';
import type { Pfn } from '../units.ts';
import { VM_LOCKED, VM_SPECIAL } from '../vm_flags.ts';
import type { Vma } from '../vma.ts';
import { PGACTIVATE, PGDEACTIVATE, PGROTATED, UNEVICTABLE_PGCULLED, UNEVICTABLE_PGRESCUED } from '../vmstat.ts';
import { isEvictable, isFileLru, lruvecAddPage, lruvecDelPage, pageLru } from './lru.ts';
import { Pagevec } from './pagevec.ts';

export function newLru_3(machine: Machine): Lru {
  return new ZonedLru(machine);
}

class ZonedLru implements Lru {
  private readonly machine: Machine;
  private readonly frames: MemMap;
  private readonly lruAdd: Pagevec = new Pagevec();
  private readonly lruRotate: Pagevec = new Pagevec();
  private readonly lruDeactivate: Pagevec = new Pagevec();
  private readonly activatePage: Pagevec = new Pagevec();

  constructor(machine: Machine) {
    this.machine = machine;
    this.frames = machine.frames;
  }

  listOf(pfn: Pfn): number {
    return pageLru(this.frames, pfn);
  }

  batches(): LruBatch[] {
    return [
      this.lruAdd.told('lru_add_pvec'),
      this.lruRotate.told('lru_rotate_pvecs'),
      this.lruDeactivate.told('lru_deactivate_pvecs'),
      this.activatePage.told('activate_page_pvecs'),
    ];
  }

  add(pfn: Pfn): void {
    if (this.lruAdd.full) this.drainAdd();
    this.lruAdd.add(this.machine, pfn);
    // A huge page would keep too much memory from its list.
    if (this.frames.has(pfn, PG_head)) this.drainAdd();
  }

  /** New anonymous memory was just used, so it begins active. */
  addVma(pfn: Pfn, vma: Vma): void {
    if ((vma.vmFlags & (VM_LOCKED | VM_SPECIAL)) === VM_LOCKED) {
      mlockedNewPage(this.machine, pfn);
      this.addUnevictable(pfn);
      return;
    }
    this.frames.set(pfn, PG_active);
    this.add(pfn);
  }

  markAccessed(pfn: Pfn): void {
    const { frames } = this;
    if (!frames.has(pfn, PG_referenced)) {
      frames.set(pfn, PG_referenced);
    } else if (!frames.has(pfn, PG_active | PG_unevictable)) {
      if (frames.has(pfn, PG_lru)) this.activate(pfn);
      else if (this.isQueuedNew(pfn)) frames.set(pfn, PG_active);
      frames.clear(pfn, PG_referenced);
      if (isFileLru(frames, pfn)) this.machine.workingset.activation(pfn);
    }
  }

  activate(pfn: Pfn): void {
    if (!this.frames.has(pfn, PG_lru) || this.frames.has(pfn, PG_active | PG_unevictable)) return;
    if (this.activatePage.add(this.machine, pfn)) this.drainActivate();
  }

  /** MADV_COLD and MADV_FREE came later (5.4, 4.5). */
  deactivate(_pfn: Pfn): void {}
  lazyfree(_pfn: Pfn): void {}

  deactivateFile(pfn: Pfn): void {
    if (this.frames.has(pfn, PG_unevictable)) return;
    if (this.lruDeactivate.add(this.machine, pfn)) this.drainDeactivate();
  }

  rotateReclaimable(pfn: Pfn): void {
    const { frames } = this;
    if (frames.has(pfn, PG_locked | PG_dirty | PG_active | PG_unevictable) || !frames.has(pfn, PG_lru)) return;
    if (this.lruRotate.add(this.machine, pfn)) this.drainRotate();
  }

  drain(): void {
    if (this.lruAdd.count > 0) this.drainAdd();
    if (this.lruRotate.count > 0) this.drainRotate();
    if (this.lruDeactivate.count > 0) this.drainDeactivate();
    if (this.activatePage.count > 0) this.drainActivate();
  }

  isolate(pfn: Pfn): boolean {
    if (!this.frames.testAndClear(pfn, PG_lru)) return false;
    this.frames.get(pfn);
    lruvecDelPage(this.machine, lruvecOf(this.machine, pfn), pfn);
    return true;
  }

  putback(pfn: Pfn): void {
    const { frames, machine } = this;
    const was = frames.testAndClear(pfn, PG_unevictable);
    if (isEvictable(machine, pfn)) {
      if (was) machine.events[UNEVICTABLE_PGRESCUED]! += folioPages(machine, pfn);
      this.add(pfn);
    } else {
      if (!was) machine.events[UNEVICTABLE_PGCULLED]! += folioPages(machine, pfn);
      this.addUnevictable(pfn);
    }
    putPage(machine, pfn);
  }

  remove(pfn: Pfn): void {
    lruvecDelPage(this.machine, lruvecOf(this.machine, pfn), pfn);
    this.frames.clear(pfn, PG_lru | PG_active | PG_unevictable);
  }

  private addUnevictable(pfn: Pfn): void {
    const { frames, machine } = this;
    frames.clear(pfn, PG_active);
    frames.set(pfn, PG_unevictable | PG_lru);
    lruvecAddPage(machine, lruvecOf(machine, pfn), pfn);
  }

  // pagevecs

  /** The page was added a moment ago and still waits for its list. */
  private isQueuedNew(pfn: Pfn): boolean {
    for (let i = this.lruAdd.count - 1; i >= 0; i--) if (this.lruAdd.pages[i] === pfn) return true;
    return false;
  }

  private drainAdd(): void {
    const { machine, frames, lruAdd } = this;
    const { count } = lruAdd;
    lruAdd.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruAdd.pages[i]! as Pfn;
      frames.set(pfn, PG_lru);
      lruvecAddPage(machine, lruvecOf(machine, pfn), pfn);
      this.noteMove(pfn, frames.has(pfn, PG_active));
      if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_lru_insertion', pfn, pageLru(frames, pfn));
    }
    lruAdd.release(machine, count);
  }

  private drainRotate(): void {
    const { machine, frames, lruRotate } = this;
    const { count } = lruRotate;
    lruRotate.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruRotate.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_active | PG_unevictable)) continue;
      frames.listDel(pfn);
      frames.listAddTail(pfn, lruvecOf(machine, pfn).lists[pageLru(frames, pfn)]!);
      machine.events[PGROTATED]! += 1;
    }
    lruRotate.release(machine, count);
  }

  private drainDeactivate(): void {
    const { machine, frames, lruDeactivate } = this;
    const { count } = lruDeactivate;
    lruDeactivate.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = lruDeactivate.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_unevictable) || frames.mapcount(pfn) > 0) continue;
      const lruvec = lruvecOf(machine, pfn);
      const active = frames.has(pfn, PG_active);
      lruvecDelPage(machine, lruvec, pfn);
      frames.clear(pfn, PG_active | PG_referenced);
      lruvecAddPage(machine, lruvec, pfn);
      if (frames.has(pfn, PG_writeback | PG_dirty)) {
        // Its I/O is not done: it is freed when that ends, so it must not be at the tail before.
        frames.set(pfn, PG_reclaim);
      } else {
        frames.listDel(pfn);
        frames.listAddTail(pfn, lruvec.lists[isFileLru(frames, pfn) ? LRU_INACTIVE_FILE : 0]!);
        machine.events[PGROTATED]! += 1;
      }
      if (active) this.countEvent(PGDEACTIVATE, pfn);
      this.noteMove(pfn, false);
    }
    lruDeactivate.release(machine, count);
  }

  private drainActivate(): void {
    const { machine, frames, activatePage } = this;
    const { count } = activatePage;
    activatePage.count = 0;
    for (let i = 0; i < count; i++) {
      const pfn = activatePage.pages[i]! as Pfn;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_active | PG_unevictable)) continue;
      const lruvec = lruvecOf(machine, pfn);
      lruvecDelPage(machine, lruvec, pfn);
      frames.set(pfn, PG_active);
      lruvecAddPage(machine, lruvec, pfn);
      if (machine.trace.on) machine.trace.emit(machine.clock.now, 'mm_lru_activate', pfn);
      this.countEvent(PGACTIVATE, pfn);
      this.noteMove(pfn, true);
    }
    activatePage.release(machine, count);
  }

  /** What reclaim will weigh: one page more of the type was looked at, and perhaps it is in use (update_page_reclaim_stat). */
  private noteMove(pfn: Pfn, rotated: boolean): void {
    if (pageLru(this.frames, pfn) === LRU_UNEVICTABLE) return;
    const { recentScanned, recentRotated } = lruvecOf(this.machine, pfn);
    const file = isFileLru(this.frames, pfn) ? 1 : 0;
    recentScanned[file]! += 1;
    if (rotated) recentRotated[file]! += 1;
  }

  private countEvent(event: number, pfn: Pfn): void {
    const pages = folioPages(this.machine, pfn);
    this.machine.events[event]! += pages;
    countMemcgEvents(memcgOfPage(this.machine, pfn), event, pages);
  }
}
