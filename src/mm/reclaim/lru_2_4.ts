/**
 * The two LRU lists of 2.4: one pair for all memory, without batches in front.
 *
 * Owns      which list a page is on, PG_lru and PG_active of a 2.4 machine, and the sizes of both lists.
 * Promises  1. A page with PG_lru is on the active list if it is PG_active, else on the inactive one.
 *           2. Whoever adds a page finds it at the head of the inactive list when the call returns.
 *           3. A reference bit changes nothing by itself: the second use of an inactive page moves it, and refill_inactive asks.
 * Linux     2.4.19 mm/swap.c: activate_page lru_cache_add __lru_cache_del; mm/filemap.c: mark_page_accessed;
 *           include/linux/swap.h: add_page_to_active_list add_page_to_inactive_list del_page_from_active_list
 *
 *   new ──► inactive ──used──► inactive, referenced ──used──► active ──used──► active, referenced
 *
 * DIFFERS: with several nodes each has a pair. Linux has one pair, on which a scan for one node passes over the others' pages.
 */
import { LRU_ACTIVE_ANON, LRU_INACTIVE_ANON, type LruList, type Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import type { MemMap } from '../memmap.ts';
import { putPage } from '../page_alloc.ts';
import { PG_active, PG_lru, PG_referenced } from '../page_flags.ts';
import type { Lru } from '../parts.ts';
import type { Pfn } from '../units.ts';
import type { Vma } from '../vma.ts';
import { PGACTIVATE } from '../vmstat.ts';
import { MAX_NR_ZONES } from '../zone.ts';

/** The lists' numbers; all pages share them, anonymous or not. */
export const LRU_INACTIVE: LruList = LRU_INACTIVE_ANON;
export const LRU_ACTIVE: LruList = LRU_ACTIVE_ANON;
export const LRU_NAMES_2_4: readonly string[] = ['inactive', 'active', '-', '-', '-'];

export function newGlobalLru(machine: Machine): Lru {
  return new GlobalLru(machine);
}

class GlobalLru implements Lru {
  private readonly machine: Machine;
  private readonly frames: MemMap;

  constructor(machine: Machine) {
    this.machine = machine;
    this.frames = machine.frames;
  }

  add(pfn: Pfn): void {
    if (this.frames.testAndSet(pfn, PG_lru)) return;
    this.link(pfn);
    if (this.machine.trace.on) {
      this.machine.trace.emit(this.machine.clock.now, 'mm_lru_insertion', pfn, this.listOf(pfn));
    }
  }

  addVma(pfn: Pfn, _vma: Vma): void {
    this.add(pfn);
  }

  markAccessed(pfn: Pfn): void {
    const { frames } = this;
    if (frames.has(pfn, PG_active) || !frames.has(pfn, PG_referenced)) {
      frames.set(pfn, PG_referenced);
      return;
    }
    this.activate(pfn);
    frames.clear(pfn, PG_referenced);
  }

  activate(pfn: Pfn): void {
    if (!this.frames.has(pfn, PG_lru) || this.frames.has(pfn, PG_active)) return;
    this.unlink(pfn);
    this.frames.set(pfn, PG_active);
    this.link(pfn);
    this.machine.events[PGACTIVATE]! += 1;
    if (this.machine.trace.on) this.machine.trace.emit(this.machine.clock.now, 'mm_lru_activate', pfn);
  }

  /** From the active list to the head of the inactive one: what refill_inactive does with a page. */
  deactivate(pfn: Pfn): void {
    if (!this.frames.has(pfn, PG_lru) || !this.frames.has(pfn, PG_active)) return;
    this.unlink(pfn);
    this.frames.clear(pfn, PG_active);
    this.link(pfn);
  }

  // What later kernels do with pages that are given up or written: 2.4 leaves them where they are.

  deactivateFile(_pfn: Pfn): void {}
  lazyfree(_pfn: Pfn): void {}
  rotateReclaimable(_pfn: Pfn): void {}
  drain(): void {}

  isolate(pfn: Pfn): boolean {
    if (!this.frames.has(pfn, PG_lru)) return false;
    this.unlink(pfn);
    this.frames.clear(pfn, PG_lru);
    this.frames.get(pfn);
    return true;
  }

  putback(pfn: Pfn): void {
    this.add(pfn);
    putPage(this.machine, pfn);
  }

  remove(pfn: Pfn): void {
    this.unlink(pfn);
    this.frames.clear(pfn, PG_lru | PG_active);
  }

  listOf(pfn: Pfn): LruList {
    return this.frames.has(pfn, PG_active) ? LRU_ACTIVE : LRU_INACTIVE;
  }

  private link(pfn: Pfn): void {
    const lru = this.listOf(pfn);
    this.frames.listAdd(pfn, this.count(pfn, lru, 1).lists[lru]!);
  }

  private unlink(pfn: Pfn): void {
    this.count(pfn, this.listOf(pfn), -1);
    this.frames.listDel(pfn);
  }

  /** The sizes, wherever they are kept. Returns the lists' owner. */
  private count(pfn: Pfn, lru: LruList, pages: number): Lruvec {
    const { machine } = this;
    const zone = machine.zones[this.frames.zoneIndex(pfn)]!;
    const lruvec = machine.rootMemcg.lruvecs[zone.lruvec]!;
    lruvec.zoneSize[lru * MAX_NR_ZONES + zone.type]! += pages;
    lruvec.stat[lru]! += pages;
    zone.pgdat.stat[lru]! += pages;
    zone.lruPages[lru]! += pages;
    return lruvec;
  }
}
