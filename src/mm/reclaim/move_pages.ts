/**
 * Isolated pages go back, and what reclaim counts.
 *
 * Linux     6.18 mm/vmscan.c: move_folios_to_lru
 */
import { folioPages } from '../folio.ts';
import type { Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { countMemcgEvents, type MemCgroup } from '../memcg.ts';
import type { ListHead } from '../memmap.ts';
import { freeFolio } from '../page_alloc.ts';
import { PG_active, PG_lru, PG_unevictable } from '../page_flags.ts';
import { NO_PFN } from '../units.ts';
import { isEvictable, lruvecAddPage } from './lru.ts';
import type { ScanControl } from './scan_control.ts';
import { ageNonresident } from './workingset.ts';

/** From the tail of `list` to the heads of the lists that their flags name; the isolation's reference goes. Returns how many moved. */
export function movePagesToLru(machine: Machine, lruvec: Lruvec, list: ListHead): number {
  const { frames } = machine;
  let moved = 0;
  for (let pfn = frames.listLast(list); pfn !== NO_PFN; pfn = frames.listLast(list)) {
    frames.listDel(pfn);
    if (!isEvictable(machine, pfn)) {
      machine.lru.putback(pfn);
      continue;
    }
    if (frames.putTestzero(pfn)) {
      // Its last user went while it was isolated.
      frames.clear(pfn, PG_active | PG_unevictable);
      freeFolio(machine, pfn);
      continue;
    }
    frames.set(pfn, PG_lru);
    lruvecAddPage(machine, lruvec, pfn);
    const size = folioPages(machine, pfn);
    moved += size;
    if (frames.has(pfn, PG_active)) ageNonresident(lruvec, size);
  }
  return moved;
}

/** memory.stat counts always; /proc/vmstat only global reclaim. */
export function countReclaim(machine: Machine, sc: ScanControl, memcg: MemCgroup, event: number, pages: number): void {
  if (sc.targetMemcg === null) machine.events[event]! += pages;
  countMemcgEvents(memcg, event, pages);
}
