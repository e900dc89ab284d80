/**
 * The buddy allocator of one zone: blocks of 2**order pages on free lists, split when a smaller one is needed, merged with
 * their buddy when they come back.
 *
 *   order 2    ┌───────────────┐ pfn 8          free 10 (order 0): its buddy 10 ^ 1 = 11 is free too → block 10, order 1;
 *   order 1    │ 8  9 │ 10  11 │                its buddy 10 ^ 2 = 8 is a free block of order 1    → block 8, order 2;
 *   order 0    └──┴───┴───┴────┘                its buddy 8 ^ 4 = 12 is in use                     → on the list of order 2
 *
 * A block's head carries PG_buddy and, in `private`, order + type * 16. Pageblocks of 512 pages have a migrate type, so that pages
 * that can never move do not spoil them all; a type that runs dry falls back to another's.
 *
 * Owns      Zone.freeLists, nrFree, freePages, nrFreeHighatomic, pageblockType, PG_buddy; the watermark boost's growth.
 * Promises  1. nrFree equals the lengths of the lists; freePages is their sum in pages.
 *           2. Free blocks are aligned and disjoint, and two free buddies below order 9 are always merged; of order 9 they are
 *              merged unless just one of them is HIGHATOMIC.
 *           3. With claimPageblocks, a block below order 9 stands on the list of its pageblock's type.
 * Linux     6.18 mm/page_alloc.c: __free_one_page buddy_merge_likely expand __rmqueue_smallest __rmqueue_claim
 *           try_to_claim_block __rmqueue_steal find_suitable_fallback boost_watermark move_freepages_block
 *           reserve_highatomic_pageblock unreserve_highatomic_pageblock rmqueue_bulk; 6.1 mm/page_alloc.c: __rmqueue_fallback steal_suitable_fallback
 */
import type { Machine } from './machine.ts';
import type { MemMap } from './memmap.ts';
import { PG_buddy, PG_lru } from './page_flags.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { ALLOC_KSWAPD, ALLOC_NOFRAGMENT } from './watermark.ts';
import {
  MIGRATE_HIGHATOMIC,
  MIGRATE_MOVABLE,
  MIGRATE_RECLAIMABLE,
  MIGRATE_TYPES,
  MIGRATE_UNMOVABLE,
  NR_PAGE_ORDERS,
  PAGEBLOCK_ORDER,
  type Zone,
} from './zone.ts';

export const MAX_PAGE_ORDER: number = NR_PAGE_ORDERS - 1;
export const PAGEBLOCK_PAGES: number = 1 << PAGEBLOCK_ORDER;
const ORDER_MASK = 15;
const TYPE_SHIFT = 4;
/** A pageblock is worth taking as a whole when half of it is free or alike. */
const HALF_A_PAGEBLOCK: number = PAGEBLOCK_PAGES / 2;

/** Where a type looks when its own lists are empty, in order. */
const FALLBACKS: readonly (readonly [number, number])[] = [
  [MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE],
  [MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE],
  [MIGRATE_UNMOVABLE, MIGRATE_MOVABLE],
];

// a free block

/** Order of the free block that begins at `pfn`. */
export function buddyOrder(frames: MemMap, pfn: Pfn): number {
  return frames.private_(pfn) & ORDER_MASK;
}

/** Migrate type of the list on which the free block that begins at `pfn` stands. */
export function buddyType(frames: MemMap, pfn: Pfn): number {
  return frames.private_(pfn) >>> TYPE_SHIFT;
}

export function spans(zone: Zone, pfn: number): boolean {
  return pfn >= zone.startPfn && pfn < zone.startPfn + zone.spannedPages;
}

export function isFreeBlock(frames: MemMap, zone: Zone, pfn: number, order: number): boolean {
  return spans(zone, pfn) && frames.has(pfn as Pfn, PG_buddy) && buddyOrder(frames, pfn as Pfn) === order;
}

export function addToFreeList(frames: MemMap, zone: Zone, pfn: Pfn, order: number, type: number, tail: boolean): void {
  const list = order * MIGRATE_TYPES + type;
  frames.set(pfn, PG_buddy);
  frames.setPrivate(pfn, order | (type << TYPE_SHIFT));
  if (tail) frames.listAddTail(pfn, zone.freeLists[list]!);
  else frames.listAdd(pfn, zone.freeLists[list]!);
  zone.nrFree[list]! += 1;
}

export function delFromFreeList(frames: MemMap, zone: Zone, pfn: Pfn): void {
  const word = frames.private_(pfn);
  frames.listDel(pfn);
  frames.clear(pfn, PG_buddy);
  frames.setPrivate(pfn, 0);
  zone.nrFree[(word & ORDER_MASK) * MIGRATE_TYPES + (word >>> TYPE_SHIFT)]! -= 1;
}

export function accountFreePages(zone: Zone, pages: number, type: number): void {
  zone.freePages += pages;
  if (type === MIGRATE_HIGHATOMIC) zone.nrFreeHighatomic += pages;
}

// pageblocks

function pageblockIndex(zone: Zone, pfn: number): number {
  return (pfn >>> PAGEBLOCK_ORDER) - (zone.startPfn >>> PAGEBLOCK_ORDER);
}

export function pageblockType(zone: Zone, pfn: Pfn): number {
  return zone.pageblockType[pageblockIndex(zone, pfn)]!;
}

/** Of every pageblock in a block of that order, at least of one (change_pageblock_range). */
export function setPageblockType(zone: Zone, pfn: number, order: number, type: number): void {
  const first = pageblockIndex(zone, pfn);
  const count = order <= PAGEBLOCK_ORDER ? 1 : 1 << (order - PAGEBLOCK_ORDER);
  for (let i = 0; i < count; i++) zone.pageblockType[first + i] = type;
}

function isMergeable(type: number): boolean {
  return type < MIGRATE_HIGHATOMIC;
}

// freeing

/** Gives a block back, as large as its free buddies make it. */
export function freeOnePage(frames: MemMap, zone: Zone, pfn: Pfn, order: number, type: number, atTail: boolean): void {
  accountFreePages(zone, 1 << order, type);
  zone.pagesScanned = 0;
  let at: number = pfn;
  let size = order;
  while (size < MAX_PAGE_ORDER) {
    const buddy = (at ^ (1 << size)) as Pfn;
    if (!isFreeBlock(frames, zone, buddy, size)) break;
    if (size >= PAGEBLOCK_ORDER) {
      const other = pageblockType(zone, buddy);
      if (other !== type && !(isMergeable(type) && isMergeable(other))) break;
      // What is split off later must find its own type on its pageblock.
      if (other !== type) setPageblockType(zone, buddy, PAGEBLOCK_ORDER, type);
    }
    delFromFreeList(frames, zone, buddy);
    at &= buddy;
    size += 1;
  }
  addToFreeList(frames, zone, at as Pfn, size, type, atTail || buddyMergeLikely(frames, zone, at, size));
}

/** The same where buddies merge whatever their types (before 6.x): the block takes the type of what is given back. */
export function freeOnePageMixed(
  frames: MemMap,
  zone: Zone,
  pfn: Pfn,
  order: number,
  type: number,
  mayBeTail: boolean,
): void {
  let at: number = pfn;
  let size = order;
  while (size < MAX_PAGE_ORDER) {
    const buddy = (at ^ (1 << size)) as Pfn;
    if (!isFreeBlock(frames, zone, buddy, size)) break;
    accountFreePages(zone, -(1 << size), buddyType(frames, buddy));
    delFromFreeList(frames, zone, buddy);
    at &= buddy;
    size += 1;
  }
  addToFreeList(frames, zone, at as Pfn, size, type, mayBeTail && buddyMergeLikely(frames, zone, at, size));
  accountFreePages(zone, 1 << size, type);
}

/** The next larger buddy is free: this block's own buddy may come back soon, so it is kept whole at the tail. */
export function buddyMergeLikely(frames: MemMap, zone: Zone, pfn: number, order: number): boolean {
  if (order >= MAX_PAGE_ORDER - 1) return false;
  const larger = pfn & (pfn ^ (1 << order));
  return isFreeBlock(frames, zone, larger ^ (1 << (order + 1)), order + 1);
}

// taking

/** Takes a free block off its list and gives what is above the wanted order back to the lists of `type`. */
export function takeAndExpand(frames: MemMap, zone: Zone, pfn: Pfn, order: number, type: number): Pfn {
  let size = buddyOrder(frames, pfn);
  accountFreePages(zone, -(1 << size), buddyType(frames, pfn));
  delFromFreeList(frames, zone, pfn);
  accountFreePages(zone, (1 << size) - (1 << order), type);
  while (size > order) {
    size -= 1;
    addToFreeList(frames, zone, (pfn + (1 << size)) as Pfn, size, type, false);
  }
  return pfn;
}

/** The smallest block of this type that is large enough. */
export function rmqueueSmallest(frames: MemMap, zone: Zone, order: number, type: number): Pfn {
  for (let size = order; size < NR_PAGE_ORDERS; size++) {
    const list = size * MIGRATE_TYPES + type;
    if (zone.nrFree[list] === 0) continue;
    return takeAndExpand(frames, zone, frames.listFirst(zone.freeLists[list]!), order, type);
  }
  return NO_PFN;
}

/** A block of this type, or of another type's pageblock made ours. */
function rmqueueOwn(m: Machine, zone: Zone, order: number, type: number, allocFlags: number): Pfn {
  const pfn = rmqueueSmallest(m.frames, zone, order, type);
  if (pfn !== NO_PFN) return pfn;
  if (m.generation.switches.claimPageblocks) return rmqueueClaim(m, zone, order, type, allocFlags);
  return rmqueueFallback(m, zone, order, type, allocFlags) ? rmqueueSmallest(m.frames, zone, order, type) : NO_PFN;
}

/** Takes one block, whatever its type. */
export function rmqueue(m: Machine, zone: Zone, order: number, type: number, allocFlags: number): Pfn {
  const pfn = rmqueueOwn(m, zone, order, type, allocFlags);
  if (pfn !== NO_PFN || (allocFlags & ALLOC_NOFRAGMENT) !== 0) return pfn;
  return m.generation.switches.claimPageblocks ? rmqueueSteal(m.frames, zone, order, type) : NO_PFN;
}

/** Takes up to `count` blocks and puts them at the tail of the list, so that they leave it in the order of their addresses. */
export function rmqueueBulk(
  m: Machine,
  zone: Zone,
  order: number,
  count: number,
  list: number,
  type: number,
  allocFlags: number,
): number {
  const maySteal = (allocFlags & ALLOC_NOFRAGMENT) === 0 && m.generation.switches.claimPageblocks;
  // Once a block had to be stolen, the next ones are stolen too: nothing was freed in between.
  let stealing = false;
  let taken = 0;
  for (; taken < count; taken++) {
    let pfn = stealing ? NO_PFN : rmqueueOwn(m, zone, order, type, allocFlags);
    if (pfn === NO_PFN && maySteal) {
      pfn = rmqueueSteal(m.frames, zone, order, type);
      stealing = true;
    }
    if (pfn === NO_PFN) break;
    m.frames.listAddTail(pfn, zone.pcp.lists[list]!);
  }
  return taken;
}

// falling back to another type: 6.18

/** Takes a pageblock of another type, largest free block first: what is freed there from now on is ours. */
function rmqueueClaim(m: Machine, zone: Zone, order: number, type: number, allocFlags: number): Pfn {
  const least = fallbackFloor(order, allocFlags);
  for (let size = MAX_PAGE_ORDER; size >= least; size--) {
    if (!worthClaiming(size, type)) break;
    const other = fallbackType(zone, size, type);
    if (other < 0) continue;
    const pfn = tryToClaimBlock(m, zone, size, order, type, other, allocFlags);
    if (pfn !== NO_PFN) return pfn;
  }
  return NO_PFN;
}

/** Avoiding fragmentation, only whole pageblocks change their type. */
function fallbackFloor(order: number, allocFlags: number): number {
  return order < PAGEBLOCK_ORDER && (allocFlags & ALLOC_NOFRAGMENT) !== 0 ? PAGEBLOCK_ORDER : order;
}

/** Movable pages can leave a foreign pageblock again; others would spoil it for good and take all of it. */
function worthClaiming(order: number, type: number): boolean {
  return order >= PAGEBLOCK_ORDER >> 1 || type !== MIGRATE_MOVABLE;
}

/** The first other type that has a block of that order; -1: none has. */
export function fallbackType(zone: Zone, order: number, type: number): number {
  const [first, second] = FALLBACKS[type]!;
  if (zone.nrFree[order * MIGRATE_TYPES + first]! > 0) return first;
  if (zone.nrFree[order * MIGRATE_TYPES + second]! > 0) return second;
  return -1;
}

function tryToClaimBlock(
  m: Machine,
  zone: Zone,
  size: number,
  order: number,
  type: number,
  other: number,
  allocFlags: number,
): Pfn {
  const frames = m.frames;
  const pfn = frames.listFirst(zone.freeLists[size * MIGRATE_TYPES + other]!);
  if (size >= PAGEBLOCK_ORDER) {
    setPageblockType(zone, pfn, size, type);
    return takeAndExpand(frames, zone, pfn, order, type);
  }
  if (boostWatermark(m, zone) && (allocFlags & ALLOC_KSWAPD) !== 0) zone.boosted = true;
  if (!inOneZone(zone, pfn)) return NO_PFN;
  if (freePlusAlike(frames, pfn, type, other) < HALF_A_PAGEBLOCK) return NO_PFN;
  moveFreepagesBlock(frames, zone, pfn, type);
  return rmqueueSmallest(frames, zone, order, type);
}

/** Takes one block of another type and leaves its pageblock as it is, smallest first. */
function rmqueueSteal(frames: MemMap, zone: Zone, order: number, type: number): Pfn {
  for (let size = order; size < NR_PAGE_ORDERS; size++) {
    const other = fallbackType(zone, size, type);
    if (other < 0) continue;
    return takeAndExpand(frames, zone, frames.listFirst(zone.freeLists[size * MIGRATE_TYPES + other]!), order, other);
  }
  return NO_PFN;
}

// falling back to another type: before 6.15

/** Moves a block of another type to our lists, perhaps with its whole pageblock. False if there is none. */
function rmqueueFallback(m: Machine, zone: Zone, order: number, type: number, allocFlags: number): boolean {
  const least = fallbackFloor(order, allocFlags);
  for (let size = MAX_PAGE_ORDER; size >= least; size--) {
    const other = fallbackType(zone, size, type);
    if (other < 0) continue;
    if (worthClaiming(size, type) || size === order) {
      stealSuitableFallback(m, zone, size, type, other, allocFlags);
      return true;
    }
    // A movable page that found no large block takes the smallest, to leave the others whole.
    for (let small = order; small < NR_PAGE_ORDERS; small++) {
      const smallType = fallbackType(zone, small, type);
      if (smallType < 0) continue;
      stealSuitableFallback(m, zone, small, type, smallType, allocFlags);
      return true;
    }
  }
  return false;
}

function stealSuitableFallback(
  m: Machine,
  zone: Zone,
  size: number,
  type: number,
  other: number,
  allocFlags: number,
): void {
  const frames = m.frames;
  const pfn = frames.listFirst(zone.freeLists[size * MIGRATE_TYPES + other]!);
  const blockType = pageblockType(zone, pfn);
  if (size >= PAGEBLOCK_ORDER) {
    setPageblockType(zone, pfn, size, type);
  } else if (isMergeable(blockType)) {
    if (boostWatermark(m, zone) && (allocFlags & ALLOC_KSWAPD) !== 0) zone.boosted = true;
    if (worthClaiming(size, type) && inOneZone(zone, pfn)) {
      const alike = freePlusAlike(frames, pfn, type, blockType);
      moveFreeBlocks(frames, zone, pfn, type);
      if (alike >= HALF_A_PAGEBLOCK) setPageblockType(zone, pfn, PAGEBLOCK_ORDER, type);
      return;
    }
  }
  moveToFreeList(frames, zone, pfn, type, true);
}

// whole pageblocks

/** False for a pageblock that reaches into another zone. */
export function inOneZone(zone: Zone, pfn: Pfn): boolean {
  const start = pfn - (pfn % PAGEBLOCK_PAGES);
  return spans(zone, start) && spans(zone, start + PAGEBLOCK_PAGES - 1);
}

/** Pages of the pageblock that are free, or in use in a way that fits `type`. A page on an LRU list is movable. */
function freePlusAlike(frames: MemMap, pfn: Pfn, type: number, blockType: number): number {
  const start = pfn - (pfn % PAGEBLOCK_PAGES);
  let free = 0;
  let movable = 0;
  for (let at = start; at < start + PAGEBLOCK_PAGES; ) {
    if (frames.has(at as Pfn, PG_buddy)) {
      const pages = 1 << buddyOrder(frames, at as Pfn);
      free += pages;
      at += pages;
    } else {
      if (frames.has(at as Pfn, PG_lru)) movable += 1;
      at += 1;
    }
  }
  if (type === MIGRATE_MOVABLE) return free + movable;
  // Of a movable pageblock, everything that is not movable is like us. Unmovable and reclaimable cannot be told apart.
  return blockType === MIGRATE_MOVABLE ? PAGEBLOCK_PAGES - movable : free;
}

function moveToFreeList(frames: MemMap, zone: Zone, pfn: Pfn, type: number, tail: boolean): void {
  const order = buddyOrder(frames, pfn);
  accountFreePages(zone, -(1 << order), buddyType(frames, pfn));
  delFromFreeList(frames, zone, pfn);
  addToFreeList(frames, zone, pfn, order, type, tail);
  accountFreePages(zone, 1 << order, type);
}

function moveFreeBlocks(frames: MemMap, zone: Zone, pfn: Pfn, type: number): number {
  const start = pfn - (pfn % PAGEBLOCK_PAGES);
  let moved = 0;
  for (let at = start; at < start + PAGEBLOCK_PAGES; ) {
    if (frames.has(at as Pfn, PG_buddy)) {
      const pages = 1 << buddyOrder(frames, at as Pfn);
      moveToFreeList(frames, zone, at as Pfn, type, true);
      moved += pages;
      at += pages;
    } else {
      at += 1;
    }
  }
  return moved;
}

/**
 * Everything free in a pageblock goes to the heads of another type's lists (before 6.x); how many pages. A pageblock that begins
 * before the zone is taken from `pfn` on; of one that reaches beyond its end nothing moves.
 */
export function moveFreepages(frames: MemMap, zone: Zone, pfn: Pfn, type: number, blockPages: number): number {
  const block = pfn - (pfn % blockPages);
  const end = block + blockPages;
  if (!spans(zone, end - 1)) return 0;
  let moved = 0;
  for (let at: number = spans(zone, block) ? block : pfn; at < end; ) {
    if (!frames.has(at as Pfn, PG_buddy)) {
      at += 1;
      continue;
    }
    const order = buddyOrder(frames, at as Pfn);
    moveToFreeList(frames, zone, at as Pfn, type, false);
    moved += 1 << order;
    at += 1 << order;
  }
  return moved;
}

/** Changes the type of a pageblock, with its free blocks; how many pages moved. */
function moveFreepagesBlock(frames: MemMap, zone: Zone, pfn: Pfn, type: number): number {
  const moved = moveFreeBlocks(frames, zone, pfn, type);
  setPageblockType(zone, pfn, PAGEBLOCK_ORDER, type);
  return moved;
}

/** A fallback mixes types in a pageblock: kswapd frees more for a while, so that the next one finds a whole block. */
function boostWatermark(m: Machine, zone: Zone): boolean {
  const factor = m.sysctl.watermarkBoostFactor;
  // In a small zone the boost alone could use up the memory.
  if (factor === 0 || PAGEBLOCK_PAGES * 4 > zone.managedPages) return false;
  const most = Math.floor((zone.wmarkHigh * factor) / 10000);
  if (most === 0) return false;
  zone.watermarkBoost = Math.min(zone.watermarkBoost + PAGEBLOCK_PAGES, Math.max(PAGEBLOCK_PAGES, most));
  return true;
}

// pageblocks for atomic requests of higher orders

/** Keeps the pageblock around a page for requests that cannot wait: at most 1 % of the zone. */
export function reserveHighatomicPageblock(m: Machine, zone: Zone, pfn: Pfn, order: number): void {
  if (zone.nrReservedHighatomic >= highatomicLimit(m, zone)) return;
  if (!isMergeable(pageblockType(zone, pfn))) return;
  if (order < PAGEBLOCK_ORDER) {
    if (!inOneZone(zone, pfn)) return;
    moveFreepagesBlock(m.frames, zone, pfn, MIGRATE_HIGHATOMIC);
    zone.nrReservedHighatomic += PAGEBLOCK_PAGES;
  } else {
    setPageblockType(zone, pfn, order, MIGRATE_HIGHATOMIC);
    zone.nrReservedHighatomic += 1 << order;
  }
}

function highatomicLimit(m: Machine, zone: Zone): number {
  const percent = Math.floor(zone.managedPages / 100);
  if (!m.generation.switches.claimPageblocks) return percent + PAGEBLOCK_PAGES;
  return percent < PAGEBLOCK_PAGES ? 0 : Math.ceil(percent / PAGEBLOCK_PAGES) * PAGEBLOCK_PAGES;
}

/** Gives one such pageblock to `type`; the last one of a zone only when forced. True if pages became free for it. */
export function unreserveHighatomicPageblock(m: Machine, zone: Zone, type: number, force: boolean): boolean {
  if (zone.nrReservedHighatomic === 0) return false;
  if (!force && zone.nrReservedHighatomic <= PAGEBLOCK_PAGES) return false;
  const frames = m.frames;
  for (let order = 0; order < NR_PAGE_ORDERS; order++) {
    const list = order * MIGRATE_TYPES + MIGRATE_HIGHATOMIC;
    if (zone.nrFree[list] === 0) continue;
    const pfn = frames.listFirst(zone.freeLists[list]!);
    zone.nrReservedHighatomic -= Math.min(zone.nrReservedHighatomic, Math.max(PAGEBLOCK_PAGES, 1 << order));
    if (order < PAGEBLOCK_ORDER) return moveFreepagesBlock(frames, zone, pfn, type) > 0;
    // DIFFERS: merges with its buddy at once, Linux when either is freed next; a user could see it in /proc/buddyinfo only.
    delFromFreeList(frames, zone, pfn);
    accountFreePages(zone, -(1 << order), MIGRATE_HIGHATOMIC);
    setPageblockType(zone, pfn, order, type);
    freeOnePage(frames, zone, pfn, order, type, true);
    return true;
  }
  return false;
}
