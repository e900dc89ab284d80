/**
 * The buddy allocator of 2.4: blocks of 2**order pages, orders 0 to 9, and one bit for each pair of buddies.
 *
 *   order 9    ┌─────────────────────────────── 0 … 511 ───────────────────────────────┐   one page is wanted
 *   order 8    │ 0 … 255: on its list                │ 256 … 511: cut again             │
 *   order 7    │                                     │ 256 … 383: list │ 384 … 511: …   │
 *   order 0    …                                                       510: list │ 511: handed out
 *
 *   The lower half goes on the list, the upper half is kept: pages come from the top of memory.
 *   A pair's bit is turned over whenever one of the two is allocated or freed. So it is 1 while just one of them stands on the
 *   list of their order. Freeing looks at it alone: it was 1, so the buddy is free; the two become a block of the next order.
 *
 * Owns      the free lists and pair bits of a zone, and Zone.freePages.
 * Promises  1. Free blocks are disjoint, aligned from the zone's first frame on, and two free buddies are always merged.
 *           2. A bit is 1 exactly while one of the pair is on the list of that order. Order 9 has no bits: nothing to merge into.
 *           3. Blocks are put at the head of their list and taken from there.
 * Linux     2.4.19 mm/page_alloc.c: __free_pages_ok rmqueue expand free_area_init_core; include/linux/mmzone.h: free_area_t
 */
import type { MemMap } from './memmap.ts';
import { PG_buddy } from './page_flags.ts';
import { NO_PFN, type Pfn } from './units.ts';
import type { Zone } from './zone.ts';

export const MAX_ORDER_2_4 = 10;
const LAST_ORDER = 9;
const BYTES_PER_LONG = 4;

/** zone->free_area[]: the bitmap of each order; the lists are Zone.freeLists, one for each order. */
export class FreeArea {
  /** One byte for a bit: by order, then by pair. */
  readonly map: Uint8Array[] = [];
  /** Blocks on each list. */
  readonly nrFree: Int32Array = new Int32Array(MAX_ORDER_2_4);

  constructor(pages: number) {
    for (let order = 0; order < LAST_ORDER; order++) this.map.push(new Uint8Array((pages >>> (1 + order)) + 1));
  }
}

/** What the kernel takes for the bits of one order in a zone of `pages` pages: whole longs. */
export function bitmapBytes(pages: number, order: number): number {
  if (order === LAST_ORDER || pages === 0) return 0;
  const bytes = ((pages - 1) >>> (order + 4)) + 1;
  return Math.ceil(bytes / BYTES_PER_LONG) * BYTES_PER_LONG;
}

/** Turns the pair's bit over; true if it was 1. */
function testAndChangeBit(area: FreeArea, pageIdx: number, order: number): boolean {
  const map = area.map[order]!;
  const pair = pageIdx >>> (1 + order);
  const was = map[pair]!;
  map[pair] = was ^ 1;
  return was === 1;
}

function addBlock(frames: MemMap, zone: Zone, area: FreeArea, pageIdx: number, order: number): void {
  const pfn = (zone.startPfn + pageIdx) as Pfn;
  // DIFFERS: 2.4 does not mark a free block, its bits say enough; common code asks for the mark.
  frames.set(pfn, PG_buddy);
  frames.setPrivate(pfn, order);
  frames.listAdd(pfn, zone.freeLists[order]!);
  area.nrFree[order]! += 1;
}

function takeBlock(frames: MemMap, area: FreeArea, pfn: Pfn, order: number): void {
  frames.listDel(pfn);
  frames.clear(pfn, PG_buddy);
  frames.setPrivate(pfn, 0);
  area.nrFree[order]! -= 1;
}

/** The second half of __free_pages_ok: the block joins its buddy as long as that is free, and goes on a list. */
export function freeBlock(frames: MemMap, zone: Zone, area: FreeArea, pfn: Pfn, order: number): void {
  let pageIdx = pfn - zone.startPfn;
  let size = order;
  zone.freePages += 1 << order;
  while (size < LAST_ORDER) {
    if (!testAndChangeBit(area, pageIdx, size)) break;
    const buddy = pageIdx ^ (1 << size);
    takeBlock(frames, area, (zone.startPfn + buddy) as Pfn, size);
    pageIdx &= ~(1 << size);
    size += 1;
  }
  addBlock(frames, zone, area, pageIdx, size);
}

/** A block of that order, cut from the first free one that is large enough; NO_PFN if there is none. */
export function rmqueue(frames: MemMap, zone: Zone, area: FreeArea, order: number): Pfn {
  for (let size = order; size < MAX_ORDER_2_4; size++) {
    const head = frames.listFirst(zone.freeLists[size]!);
    if (head === NO_PFN) continue;
    const pageIdx = head - zone.startPfn;
    takeBlock(frames, area, head, size);
    if (size !== LAST_ORDER) testAndChangeBit(area, pageIdx, size);
    zone.freePages -= 1 << order;
    return (zone.startPfn + expand(frames, zone, area, pageIdx, order, size)) as Pfn;
  }
  return NO_PFN;
}

/** Halves the block until it is of order `low`: the lower halves go on the lists, what is left of the top is the answer. */
function expand(frames: MemMap, zone: Zone, area: FreeArea, pageIdx: number, low: number, high: number): number {
  let at = pageIdx;
  for (let size = high - 1; size >= low; size--) {
    addBlock(frames, zone, area, at, size);
    testAndChangeBit(area, at, size);
    at += 1 << size;
  }
  return at;
}

/** Lists and bits counted again. A frame that is free gets 1 in `state`. Sentences for what is wrong. */
export function verifyFreeArea(frames: MemMap, zone: Zone, area: FreeArea, state: Uint8Array): string[] {
  const wrong: string[] = [];
  let pages = 0;
  for (let order = 0; order < MAX_ORDER_2_4; order++) {
    const bits = new Uint8Array(area.map[order]?.length ?? (zone.spannedPages >>> (1 + order)) + 1);
    let length = 0;
    for (let pfn = frames.listFirst(zone.freeLists[order]!); pfn !== NO_PFN; pfn = frames.listNext(pfn)) {
      const pageIdx = pfn - zone.startPfn;
      const where = `frame ${pfn} (zone ${zone.name}, order ${order})`;
      if (pageIdx % (1 << order) !== 0) wrong.push(`${where}: a free block is aligned to its size`);
      if (pageIdx < 0 || pageIdx + (1 << order) > zone.spannedPages)
        wrong.push(`${where}: a free block lies in its zone`);
      if (!frames.has(pfn, PG_buddy) || frames.private_(pfn) !== order)
        wrong.push(`${where}: its private word says order ${frames.private_(pfn)}`);
      for (let at = pfn as number; at < pfn + (1 << order); at++) {
        if (state[at] !== 0) wrong.push(`frame ${at}: is in two free blocks, one at ${pfn}, order ${order}`);
        state[at] = 1;
      }
      bits[pageIdx >>> (1 + order)]! += 1;
      length += 1;
    }
    pages += length << order;
    if (length !== area.nrFree[order])
      wrong.push(`zone ${zone.name}: nrFree of order ${order} is ${area.nrFree[order]}, its list has ${length}`);
    if (order === LAST_ORDER) continue;
    for (let pair = 0; pair < bits.length; pair++) {
      if (bits[pair] === 2) wrong.push(`zone ${zone.name}: pair ${pair} of order ${order}: free buddies are merged`);
      else if (bits[pair] !== area.map[order]![pair])
        wrong.push(
          `zone ${zone.name}: bit of pair ${pair}, order ${order} is ${area.map[order]![pair]}, counted ${bits[pair]}`,
        );
    }
  }
  if (pages !== zone.freePages)
    wrong.push(`zone ${zone.name}: freePages is ${zone.freePages}, its lists have ${pages}`);
  return wrong;
}
