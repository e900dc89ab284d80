/**
 * The buddy allocator of 2.6: free lists by order and migrate type.
 *
 *   split: the LOWER half is kept, the upper one goes to the head of its list
 *
 *      order 3   │ 8  9  10 11 12 13 14 15 │     one page is wanted:  8 is given out,
 *                  ▲  └1┘ └─ 2 ─┘                9 on the list of order 0, 10 on that of order 1, 12 on that of order 2
 *
 *   A type that has no block left takes the LARGEST one of another type. From half a pageblock's order on, and always for
 *   reclaimable kernel memory, all free pages of that pageblock change their type with it; the pageblock itself does when half of
 *   it or more was free. RESERVE pageblocks are kept for when nothing else is left.
 *
 * Owns      Zone.freeLists, nrFree, freePages, pageblockType and PG_buddy in these kernels.
 * Promises  1. nrFree equals the lengths of the lists; freePages is their sum in pages.
 *           2. Two free buddies are always merged, whatever their pageblocks' types.
 * Linux     2.6.24 mm/page_alloc.c: __free_one_page expand __rmqueue_smallest move_freepages_block __rmqueue_fallback
 *           __rmqueue setup_zone_migrate_reserve get_pageblock_migratetype
 * Before    2.4 split from the top: the UPPER half was kept
 *
 * MIGRATE_RESERVE stands where later kernels have MIGRATE_HIGHATOMIC: both are pageblocks kept for those who need them most.
 */
import {
  fallbackType,
  freeOnePageMixed,
  MAX_PAGE_ORDER,
  moveFreepages,
  rmqueueSmallest,
  takeAndExpand,
} from './buddy.ts';
import type { Machine } from './machine.ts';
import { PG_reserved } from './page_flags.ts';
import { NO_PFN, type Pfn } from './units.ts';
import {
  MIGRATE_HIGHATOMIC,
  MIGRATE_MOVABLE,
  MIGRATE_RECLAIMABLE,
  MIGRATE_TYPES,
  MIGRATE_UNMOVABLE,
  type Zone,
} from './zone.ts';
import { physical_2_6 } from './zone_2_6.ts';

export const MIGRATE_RESERVE: number = MIGRATE_HIGHATOMIC;
/** Without CONFIG_HUGETLB_PAGE a pageblock is the largest block: 1024 pages. */
const PAGEBLOCK_ORDER_2_6 = 10;
const PAGEBLOCK_PAGES_2_6 = 1024;

// pageblocks

function pageblockIndex(zone: Zone, pfn: number): number {
  return Math.floor(pfn / PAGEBLOCK_PAGES_2_6) - Math.floor(zone.startPfn / PAGEBLOCK_PAGES_2_6);
}

/** With little memory all pages are of one kind. */
export function pageblockType_2_6(m: Machine, zone: Zone, pfn: Pfn): number {
  return physical_2_6(m).mobilityDisabled ? MIGRATE_UNMOVABLE : zone.pageblockType[pageblockIndex(zone, pfn)]!;
}

function setPageblockType_2_6(zone: Zone, pfn: Pfn, type: number): void {
  zone.pageblockType[pageblockIndex(zone, pfn)] = type;
}

// freeing

/** Gives a block back, as large as its free buddies make it, at the head of its list. */
export function freeOnePage_2_6(m: Machine, zone: Zone, pfn: Pfn, order: number): void {
  freeOnePageMixed(m.frames, zone, pfn, order, pageblockType_2_6(m, zone, pfn), false);
}

// taking

/** A block, of whatever type it has to be. */
export function rmqueue_2_6(m: Machine, zone: Zone, order: number, type: number): Pfn {
  const pfn = rmqueueSmallest(m.frames, zone, order, type);
  return pfn !== NO_PFN ? pfn : rmqueueFallback_2_6(m, zone, order, type);
}

function rmqueueFallback_2_6(m: Machine, zone: Zone, order: number, type: number): Pfn {
  for (let size = MAX_PAGE_ORDER; size >= order; size--) {
    const other = fallbackType(zone, size, type);
    if (other >= 0) return stealBlock(m, zone, size, order, type, other);
  }
  return rmqueueSmallest(m.frames, zone, order, MIGRATE_RESERVE);
}

function stealBlock(m: Machine, zone: Zone, size: number, order: number, type: number, other: number): Pfn {
  const pfn = m.frames.listFirst(zone.freeLists[size * MIGRATE_TYPES + other]!);
  let rest = other;
  let moved = 0;
  let relabelled = size === PAGEBLOCK_ORDER_2_6;
  if (size >= PAGEBLOCK_ORDER_2_6 >> 1 || type === MIGRATE_RECLAIMABLE) {
    moved = moveFreepages(m.frames, zone, pfn, type, PAGEBLOCK_PAGES_2_6);
    if (moved >= PAGEBLOCK_PAGES_2_6 / 2) relabelled = true;
    rest = type;
  }
  if (relabelled) setPageblockType_2_6(zone, pfn, type);
  if (m.trace.on) {
    const changed = relabelled ? 1 : 0;
    m.trace.emit(m.clock.now, 'mm_page_alloc_extfrag', pfn, order, size, type, other, moved, changed);
  }
  return takeAndExpand(m.frames, zone, pfn, order, rest);
}

/** As many MOVABLE pageblocks, from the front, as pages_min fills are kept as RESERVE; others are given back. */
export function setupZoneMigrateReserve(m: Machine, zone: Zone): void {
  if (physical_2_6(m).mobilityDisabled) return;
  let reserve = Math.ceil(zone.wmarkMin / PAGEBLOCK_PAGES_2_6);
  const end = zone.startPfn + zone.spannedPages;
  for (let at = zone.startPfn as number; at < end; at += PAGEBLOCK_PAGES_2_6) {
    const pfn = at as Pfn;
    if (m.frames.has(pfn, PG_reserved)) continue;
    const type = pageblockType_2_6(m, zone, pfn);
    if (reserve > 0 && type === MIGRATE_RESERVE) {
      reserve -= 1;
    } else if (reserve > 0 && type === MIGRATE_MOVABLE) {
      setPageblockType_2_6(zone, pfn, MIGRATE_RESERVE);
      moveFreepages(m.frames, zone, pfn, MIGRATE_RESERVE, PAGEBLOCK_PAGES_2_6);
      reserve -= 1;
    } else if (type === MIGRATE_RESERVE) {
      setPageblockType_2_6(zone, pfn, MIGRATE_MOVABLE);
      moveFreepages(m.frames, zone, pfn, MIGRATE_MOVABLE, PAGEBLOCK_PAGES_2_6);
    }
  }
}
