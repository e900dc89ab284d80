/**
 * The buddy allocator of 3.16: migrate types with a reserve, and fallbacks that move what is free.
 *
 *   a type that runs dry asks, from the largest block down:      and then the reserve
 *     UNMOVABLE    RECLAIMABLE, MOVABLE                            RESERVE: up to two pageblocks at the start of a zone,
 *     RECLAIMABLE  UNMOVABLE, MOVABLE                              taken from only when nothing else is left
 *     MOVABLE      RECLAIMABLE, UNMOVABLE
 *
 * Owns      with buddy.ts: Zone.freeLists, nrFree, freePages, pageblockType, PG_buddy. nrFreeHighatomic counts the reserve here.
 * Promises  1. Free blocks are aligned and disjoint, and two free buddies are always merged, whatever their types.
 *           2. A block of 2**9 pages or more that is stolen takes its pageblocks along; one of 2**4 or more, or any that
 *              RECLAIMABLE steals, what else is free there, and the pageblock itself if that is half of it.
 * Linux     3.16 mm/page_alloc.c: __free_one_page expand __rmqueue_smallest __rmqueue_fallback try_to_steal_freepages
 *           move_freepages_block setup_zone_migrate_reserve rmqueue_bulk __isolate_free_page
 * After     buddy.ts (6.x): HIGHATOMIC instead of RESERVE, blocks stand on the list of their pageblock's type
 */
import {
  accountFreePages,
  buddyOrder,
  buddyType,
  delFromFreeList,
  freeOnePageMixed,
  MAX_PAGE_ORDER,
  moveFreepages,
  PAGEBLOCK_PAGES,
  pageblockType,
  rmqueueSmallest,
  setPageblockType,
  takeAndExpand,
} from './buddy.ts';
import type { Machine } from './machine.ts';
import type { MemMap } from './memmap.ts';
import { PG_reserved } from './page_flags.ts';
import { NO_PFN, type Pfn, type Pgoff } from './units.ts';
import { MIGRATE_TYPES, NR_PAGE_ORDERS, PAGEBLOCK_ORDER, type Zone } from './zone.ts';

/** Not those of 6.x: their order changed with 3.18. */
export const MIGRATE_UNMOVABLE_3 = 0;
export const MIGRATE_RECLAIMABLE_3 = 1;
export const MIGRATE_MOVABLE_3 = 2;
export const MIGRATE_RESERVE_3 = 3;

const HALF_A_PAGEBLOCK: number = PAGEBLOCK_PAGES / 2;
/** What zone_build.ts puts everything on: the 6.x number of movable. */
const BOOT_TYPE = 1;
const MOST_RESERVED_BLOCKS = 2;

const FALLBACKS: readonly (readonly [number, number])[] = [
  [MIGRATE_RECLAIMABLE_3, MIGRATE_MOVABLE_3],
  [MIGRATE_UNMOVABLE_3, MIGRATE_MOVABLE_3],
  [MIGRATE_RECLAIMABLE_3, MIGRATE_UNMOVABLE_3],
];

// boot

/** All memory is movable at first; zone_build.ts has put it on the list that 6.x calls so. */
export function adoptBootBlocks(frames: MemMap, zone: Zone): void {
  zone.pageblockType.fill(MIGRATE_MOVABLE_3);
  for (let order = 0; order < NR_PAGE_ORDERS; order++) {
    const from = order * MIGRATE_TYPES + BOOT_TYPE;
    const to = order * MIGRATE_TYPES + MIGRATE_MOVABLE_3;
    for (let pfn = frames.listFirst(zone.freeLists[from]!); pfn !== NO_PFN; pfn = frames.listNext(pfn)) {
      frames.setPrivate(pfn, order | (MIGRATE_MOVABLE_3 << 4));
    }
    frames.listSplice(zone.freeLists[from]!, zone.freeLists[to]!);
    zone.nrFree[to]! += zone.nrFree[from]!;
    zone.nrFree[from] = 0;
  }
}

/** As many whole pageblocks as the low mark asks for, two at most, are kept for the worst (setup_zone_migrate_reserve). */
export function setupZoneMigrateReserve(frames: MemMap, zone: Zone): void {
  let wanted = Math.min(MOST_RESERVED_BLOCKS, Math.ceil(zone.wmarkMin / PAGEBLOCK_PAGES));
  const end = zone.startPfn + zone.spannedPages;
  const first = Math.ceil(zone.startPfn / PAGEBLOCK_PAGES) * PAGEBLOCK_PAGES;
  for (let at = first; at + PAGEBLOCK_PAGES <= end; at += PAGEBLOCK_PAGES) {
    const pfn = at as Pfn;
    const type = pageblockType(zone, pfn);
    if (type !== MIGRATE_RESERVE_3 && type !== MIGRATE_MOVABLE_3) continue;
    const wants = wanted > 0 && !holdsReserved(frames, at);
    if (wants) wanted -= 1;
    if (wants === (type === MIGRATE_RESERVE_3)) continue;
    const next = wants ? MIGRATE_RESERVE_3 : MIGRATE_MOVABLE_3;
    setPageblockType(zone, pfn, PAGEBLOCK_ORDER, next);
    moveFreepages(frames, zone, pfn, next, PAGEBLOCK_PAGES);
  }
}

function holdsReserved(frames: MemMap, start: number): boolean {
  for (let at = start; at < start + PAGEBLOCK_PAGES; at++) if (frames.has(at as Pfn, PG_reserved)) return true;
  return false;
}

// freeing

/** Gives a block back, as large as its free buddies make it; at the tail if it may grow soon. */
export function freeOnePage_3(frames: MemMap, zone: Zone, pfn: Pfn, order: number, type: number): void {
  zone.pagesScanned = 0;
  freeOnePageMixed(frames, zone, pfn, order, type, true);
}

// taking

/** A block of this type, then of another's, then of the reserve. */
export function rmqueue_3(frames: MemMap, zone: Zone, order: number, type: number): Pfn {
  let pfn = rmqueueSmallest(frames, zone, order, type);
  if (pfn === NO_PFN && type !== MIGRATE_RESERVE_3) {
    pfn = rmqueueFallback_3(frames, zone, order, type);
    if (pfn === NO_PFN) pfn = rmqueueSmallest(frames, zone, order, MIGRATE_RESERVE_3);
  }
  return pfn;
}

/** Takes up to `count` single pages and puts them at the tail of the CPU's list. */
export function rmqueueBulk_3(m: Machine, zone: Zone, count: number, type: number): number {
  let taken = 0;
  for (; taken < count; taken++) {
    const pfn = rmqueue_3(m.frames, zone, 0, type);
    if (pfn === NO_PFN) break;
    m.frames.setIndex(pfn, type as Pgoff);
    m.frames.listAddTail(pfn, zone.pcp.lists[type]!);
  }
  return taken;
}

/** From the largest block down, so that little is stolen often. */
function rmqueueFallback_3(frames: MemMap, zone: Zone, order: number, type: number): Pfn {
  for (let size = MAX_PAGE_ORDER; size >= order; size--) {
    for (const other of FALLBACKS[type]!) {
      if (zone.nrFree[size * MIGRATE_TYPES + other] === 0) continue;
      const pfn = frames.listFirst(zone.freeLists[size * MIGRATE_TYPES + other]!);
      const rest = tryToStealFreepages(frames, zone, pfn, size, type, other);
      return takeAndExpand(frames, zone, pfn, order, rest);
    }
  }
  return NO_PFN;
}

/** Whose the rest of the block is from now on. */
function tryToStealFreepages(frames: MemMap, zone: Zone, pfn: Pfn, size: number, type: number, other: number): number {
  if (size >= PAGEBLOCK_ORDER) {
    setPageblockType(zone, pfn, size, type);
    return type;
  }
  if (size < PAGEBLOCK_ORDER >> 1 && type !== MIGRATE_RECLAIMABLE_3) return other;
  if (moveFreepages(frames, zone, pfn, type, PAGEBLOCK_PAGES) < HALF_A_PAGEBLOCK) return other;
  setPageblockType(zone, pfn, PAGEBLOCK_ORDER, type);
  return type;
}

/** Compaction takes a free block off its list, for pages to move to; its pageblock becomes movable if the block is most of it. */
export function isolateFreePage(frames: MemMap, zone: Zone, pfn: Pfn): number {
  const order = buddyOrder(frames, pfn);
  accountFreePages(zone, -(1 << order), buddyType(frames, pfn));
  delFromFreeList(frames, zone, pfn);
  if (order >= PAGEBLOCK_ORDER - 1) {
    for (let at = pfn as number; at < pfn + (1 << order); at += PAGEBLOCK_PAGES) {
      if (pageblockType(zone, at as Pfn) < MIGRATE_MOVABLE_3)
        setPageblockType(zone, at, PAGEBLOCK_ORDER, MIGRATE_MOVABLE_3);
    }
  }
  return order;
}
