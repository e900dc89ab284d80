/**
 * Per-CPU lists of 3.16: single pages, by migrate type.
 *
 *   free ──► head [ hot ○ ○ ○ ○ cold ] tail ──► `batch` pages to the zone when count reaches high (6 batches)
 *   alloc ◄─ head                      tail ◄── refill of `batch` pages when the list is empty
 *
 * Owns      with the zone: PerCpuPages.count and the first three of its lists; page->index of a page there is its migrate type.
 * Promises  count is the pages on the lists; a page on one is neither free in the zone nor anybody's.
 * Linux     3.16 mm/page_alloc.c: buffered_rmqueue free_hot_cold_page free_pcppages_bulk drain_pages
 * After     pcp.ts (6.x): orders up to 3, a limit that adapts itself
 *
 * DIFFERS: what is freed while its task reclaims is cold, whatever it is; Linux says so where reclaim and release_pages free.
 *          Readahead takes hot pages (Linux: cold ones). A user could see it in frame numbers only.
 */
import { pageblockType } from './buddy.ts';
import { freeOnePage_3, MIGRATE_MOVABLE_3, MIGRATE_RESERVE_3, rmqueueBulk_3 } from './buddy_3.ts';
import type { Machine } from './machine.ts';
import { NO_PFN, type Pfn, type Pgoff } from './units.ts';
import type { Zone } from './zone.ts';

export const MIGRATE_PCPTYPES_3 = 3;

/** A page from the CPU's list, refilled from the zone; NO_PFN if the zone has none. */
export function rmqueuePcp_3(m: Machine, zone: Zone, type: number): Pfn {
  const { pcp } = zone;
  const { frames } = m;
  const list = pcp.lists[type]!;
  if (frames.listEmpty(list)) {
    pcp.count += rmqueueBulk_3(m, zone, pcp.batch, type);
    if (frames.listEmpty(list)) return NO_PFN;
  }
  const pfn = frames.listFirst(list);
  frames.listDel(pfn);
  pcp.count -= 1;
  return pfn;
}

export function freePcp_3(m: Machine, zone: Zone, pfn: Pfn, cold: boolean): void {
  const { pcp } = zone;
  const type = pageblockType(zone, pfn);
  m.frames.setIndex(pfn, type as Pgoff);
  // A page of the reserve may be used by movable memory until it goes back.
  const list = pcp.lists[type === MIGRATE_RESERVE_3 ? MIGRATE_MOVABLE_3 : type]!;
  if (cold) m.frames.listAddTail(pfn, list);
  else m.frames.listAdd(pfn, list);
  pcp.count += 1;
  if (pcp.count >= pcp.high) freePcppagesBulk_3(m, zone, pcp.batch);
}

/** The coldest pages of the three lists in turn; more of one list each time another was found empty. */
export function freePcppagesBulk_3(m: Machine, zone: Zone, pages: number): void {
  const { frames } = m;
  const { pcp } = zone;
  let left = Math.min(pages, pcp.count);
  let type = 0;
  let burst = 0;
  while (left > 0) {
    do {
      burst += 1;
      type = (type + 1) % MIGRATE_PCPTYPES_3;
    } while (frames.listEmpty(pcp.lists[type]!));
    if (burst === MIGRATE_PCPTYPES_3) burst = left;
    do {
      const pfn = frames.listLast(pcp.lists[type]!);
      frames.listDel(pfn);
      pcp.count -= 1;
      left -= 1;
      burst -= 1;
      freeOnePage_3(frames, zone, pfn, 0, frames.index(pfn));
    } while (left > 0 && burst > 0 && !frames.listEmpty(pcp.lists[type]!));
  }
}

export function drainPages_3(m: Machine): void {
  for (let i = 0; i < m.zones.length; i++) freePcppagesBulk_3(m, m.zones[i]!, m.zones[i]!.pcp.count);
}
