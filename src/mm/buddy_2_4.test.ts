import { expect, test } from 'vitest';
import { Random } from '../../test/random_machine.ts';
import { bitmapBytes, FreeArea, freeBlock, MAX_ORDER_2_4, rmqueue, verifyFreeArea } from './buddy_2_4.ts';
import { MemMap } from './memmap.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { PerCpuPages, PgData, ZONE_DMA, Zone } from './zone.ts';

function newZone(pages: number, start = 0): { frames: MemMap; zone: Zone; area: FreeArea } {
  const frames = new MemMap(start + pages);
  const lists = Array.from({ length: MAX_ORDER_2_4 }, () => frames.newList());
  const zone = new Zone(new PgData(0), ZONE_DMA, 0, start as Pfn, pages, pages, lists, new PerCpuPages([]));
  return { frames, zone, area: new FreeArea(pages) };
}

function check(s: ReturnType<typeof newZone>): string[] {
  return verifyFreeArea(s.frames, s.zone, s.area, new Uint8Array(s.frames.frames));
}

/** First frames of the free blocks, by order from the highest. */
function lists({ frames, zone }: ReturnType<typeof newZone>): [number, number[]][] {
  const found: [number, number[]][] = [];
  for (let order = MAX_ORDER_2_4 - 1; order >= 0; order--) {
    const blocks: number[] = [];
    for (let at = frames.listFirst(zone.freeLists[order]!); at !== NO_PFN; at = frames.listNext(at)) blocks.push(at);
    if (blocks.length > 0) found.push([order, blocks]);
  }
  return found;
}

function freeAll(s: ReturnType<typeof newZone>): void {
  for (let pfn = s.zone.startPfn; pfn < s.zone.startPfn + s.zone.spannedPages; pfn++)
    freeBlock(s.frames, s.zone, s.area, pfn as Pfn, 0);
}

test('[2.4 buddy] [2.4 vector Buddy] a page is cut from the top, and the lower halves go on the lists', () => {
  const s = newZone(512);
  freeAll(s);
  expect(lists(s)).toEqual([[9, [0]]]);
  expect(rmqueue(s.frames, s.zone, s.area, 0)).toBe(511);
  expect(lists(s)).toEqual([
    [8, [0]],
    [7, [256]],
    [6, [384]],
    [5, [448]],
    [4, [480]],
    [3, [496]],
    [2, [504]],
    [1, [508]],
    [0, [510]],
  ]);
  expect(check(s)).toEqual([]);
  expect(rmqueue(s.frames, s.zone, s.area, 0)).toBe(510);
  expect(s.zone.freePages).toBe(510);
});

test('[2.4 buddy] a bit is 1 while one of the pair is free, and freeing the other merges them', () => {
  const s = newZone(512);
  freeAll(s);
  const a = rmqueue(s.frames, s.zone, s.area, 0);
  const b = rmqueue(s.frames, s.zone, s.area, 0);
  expect([a, b, s.area.map[0]![255]]).toEqual([511, 510, 0]);
  freeBlock(s.frames, s.zone, s.area, a, 0);
  expect(s.area.map[0]![255]).toBe(1);
  freeBlock(s.frames, s.zone, s.area, b, 0);
  expect(lists(s)).toEqual([[9, [0]]]);
  expect(s.area.map.every((bits) => bits.every((bit) => bit === 0))).toBe(true);
});

test('[2.4 buddy] what is freed goes to the head of its list, and the head is taken first', () => {
  const s = newZone(1024);
  freeAll(s);
  expect(lists(s)).toEqual([[9, [512, 0]]]);
  const first = rmqueue(s.frames, s.zone, s.area, 9);
  const second = rmqueue(s.frames, s.zone, s.area, 9);
  expect([first, second, rmqueue(s.frames, s.zone, s.area, 0)]).toEqual([512, 0, NO_PFN]);
  freeBlock(s.frames, s.zone, s.area, second, 9);
  freeBlock(s.frames, s.zone, s.area, first, 9);
  expect(lists(s)).toEqual([[9, [512, 0]]]);
});

for (const [pages, start] of [
  [512, 0],
  [1000, 0],
  [777, 96],
] as const) {
  test(`[2.4 buddy] lists and bits are those counted again, whatever happened: ${pages} pages from frame ${start} on`, () => {
    const random = new Random(pages);
    const s = newZone(pages, start);
    freeAll(s);
    const held: { pfn: Pfn; order: number }[] = [];
    for (let step = 0; step < 3000; step++) {
      const order = random.next(4) === 0 ? random.next(8) : 0;
      if (random.next(2) === 0) {
        const pfn = rmqueue(s.frames, s.zone, s.area, order);
        if (pfn !== NO_PFN) held.push({ pfn, order });
      } else if (held.length > 0) {
        const [block] = held.splice(random.next(held.length), 1);
        freeBlock(s.frames, s.zone, s.area, block!.pfn, block!.order);
      }
      if (step % 50 === 0) expect(check(s)).toEqual([]);
    }
    for (const { pfn, order } of held) freeBlock(s.frames, s.zone, s.area, pfn, order);
    expect([check(s), s.zone.freePages]).toEqual([[], pages]);
  });
}

test('what is wrong is said', () => {
  const s = newZone(64);
  freeAll(s);
  rmqueue(s.frames, s.zone, s.area, 0);
  s.area.map[0]![31]! ^= 1;
  s.zone.freePages += 1;
  s.area.nrFree[3]! += 1;
  s.frames.setPrivate(32 as Pfn, 7);
  expect(check(s).join('\n')).toMatch(/bit of pair 31, order 0 is 0, counted 1/);
  expect(check(s).join('\n')).toMatch(/nrFree of order 3 is 2, its list has 1/);
  expect(check(s).join('\n')).toMatch(/freePages is 64, its lists have 63/);
});

test('a bitmap takes a bit for each pair, in whole longs, and none at order 9', () => {
  expect([bitmapBytes(4096, 0), bitmapBytes(4096, 8), bitmapBytes(4096, 9), bitmapBytes(100, 0)]).toEqual([
    256, 4, 0, 8,
  ]);
});
