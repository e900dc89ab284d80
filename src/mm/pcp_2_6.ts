/**
 * Per-CPU lists of 2.6: single pages, hot and cold.
 *
 *   free  ──► head [ ○ ○ ○ ○ ○ ] tail ──► at `high` pages, `batch` of them go back to the zone
 *   alloc ◄── the first page of the wanted type; none: `batch` pages from the zone, at the head, in the order in which they came
 *
 * Owns      the hot and cold lists of Zone_2_6. A page's type while it is on one is in `private`.
 * Promises  count is the length of the list; what is on it is neither free in the zone nor anybody's.
 * Linux     2.6.24 mm/page_alloc.c: buffered_rmqueue rmqueue_bulk free_hot_cold_page free_pages_bulk drain_local_pages
 */
import { freeOnePage_2_6, pageblockType_2_6, rmqueue_2_6 } from './buddy_2_6.ts';
import type { Machine } from './machine.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { PGFREE } from './vmstat.ts';
import type { Zone } from './zone.ts';
import { type PerCpuPages_2_6, type Zone_2_6, zone_2_6 } from './zone_2_6.ts';

/** A single page from the CPU, refilled from the zone; NO_PFN if neither has one. */
export function rmqueuePcp_2_6(m: Machine, zone: Zone, type: number, cold: boolean): Pfn {
  const { frames } = m;
  const at = zone_2_6(m, zone);
  const pcp = cold ? at.cold : at.hot;
  let pfn = firstOfType(m, pcp, type);
  if (pfn === NO_PFN) {
    rmqueueBulk_2_6(m, zone, pcp, type);
    // Nothing of the type came: then a page of another.
    pfn = frames.listFirst(pcp.list);
    if (pfn === NO_PFN) return NO_PFN;
  }
  frames.listDel(pfn);
  frames.setPrivate(pfn, 0);
  pcp.count -= 1;
  zone.pcp.count -= 1;
  return pfn;
}

function firstOfType(m: Machine, pcp: PerCpuPages_2_6, type: number): Pfn {
  const { frames } = m;
  let pfn = frames.listFirst(pcp.list);
  while (pfn !== NO_PFN && frames.private_(pfn) !== type) pfn = frames.listNext(pfn);
  return pfn;
}

function rmqueueBulk_2_6(m: Machine, zone: Zone, pcp: PerCpuPages_2_6, type: number): void {
  const { frames } = m;
  const before = frames.listFirst(pcp.list);
  for (let i = 0; i < pcp.batch; i++) {
    const pfn = rmqueue_2_6(m, zone, 0, type);
    if (pfn === NO_PFN) return;
    if (before === NO_PFN) frames.listAddTail(pfn, pcp.list);
    else frames.listAddBefore(pfn, before);
    frames.setPrivate(pfn, type);
    pcp.count += 1;
    zone.pcp.count += 1;
  }
}

/** A single page goes to the head of the CPU's list. */
export function freeHotColdPage(m: Machine, zone: Zone, pfn: Pfn, cold: boolean): void {
  const at = zone_2_6(m, zone);
  const pcp = cold ? at.cold : at.hot;
  m.events[PGFREE]! += 1;
  m.frames.listAdd(pfn, pcp.list);
  m.frames.setPrivate(pfn, pageblockType_2_6(m, zone, pfn));
  pcp.count += 1;
  zone.pcp.count += 1;
  if (pcp.count >= pcp.high) freePagesBulk(m, at, pcp, pcp.batch);
}

/** Pages from the tail, the coldest, go back to the zone: reclaim there makes sense again. */
function freePagesBulk(m: Machine, at: Zone_2_6, pcp: PerCpuPages_2_6, count: number): void {
  const { frames } = m;
  at.allUnreclaimable = false;
  at.pagesScanned = 0;
  for (let left = Math.min(count, pcp.count); left > 0; left--) {
    const pfn = frames.listLast(pcp.list);
    frames.listDel(pfn);
    frames.setPrivate(pfn, 0);
    pcp.count -= 1;
    at.zone.pcp.count -= 1;
    freeOnePage_2_6(m, at.zone, pfn, 0);
  }
}

/** Everything that the CPU keeps goes back. */
export function drainAllPages_2_6(m: Machine, zones: readonly Zone_2_6[]): void {
  for (let i = 0; i < zones.length; i++) {
    const at = zones[i]!;
    if (at.hot.count > 0) freePagesBulk(m, at, at.hot, at.hot.count);
    if (at.cold.count > 0) freePagesBulk(m, at, at.cold, at.cold.count);
  }
}
