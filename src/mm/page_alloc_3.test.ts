import { describe, expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { pageblockType } from './buddy.ts';
import {
  freeOnePage_3,
  MIGRATE_MOVABLE_3,
  MIGRATE_RECLAIMABLE_3,
  MIGRATE_RESERVE_3,
  MIGRATE_UNMOVABLE_3,
  rmqueue_3,
} from './buddy_3.ts';
import { __GFP_DIRECT_RECLAIM, GFP_ATOMIC, GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from './gfp.ts';
import { Machine } from './machine.ts';
import { allocPages, putPage } from './page_alloc.ts';
import { physical_3 } from './page_alloc_3.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { verify } from './verify.ts';
import { minFreeKbytes_3, zoneBatchsize_3, zoneWatermarkOk_3 } from './watermark_3.ts';
import { freeBlocks, NR_PAGE_ORDERS, ZONE_DMA32, type Zone } from './zone.ts';

const MIB = 2 ** 20;

function machine(ramBytes: number = 32 * MIB, minFreeKbytes = 0): Machine {
  return new Machine({ kernel: '3.16', ramBytes, sysctl: { thpEnabled: false, minFreeKbytes } });
}

function counts(zone: Zone, orders = NR_PAGE_ORDERS): number[] {
  return Array.from({ length: orders }, (_, order) => freeBlocks(zone, order));
}

describe('buddy', () => {
  test('[3.x buddy split/merge] a page of an order-3 block leaves one block of each lower order, and brings them back', () => {
    const m = machine();
    const zone = m.zones[1]!;
    // The rest of the block that this is split from is a free block of order 3.
    const block = rmqueue_3(m.frames, zone, 3, MIGRATE_MOVABLE_3);
    expect(counts(zone, 4)).toEqual([0, 0, 0, 1]);
    const page = rmqueue_3(m.frames, zone, 0, MIGRATE_MOVABLE_3);
    expect(counts(zone, 4)).toEqual([1, 1, 1, 0]);
    freeOnePage_3(m.frames, zone, page, 0, MIGRATE_MOVABLE_3);
    expect(counts(zone, 4)).toEqual([0, 0, 0, 1]);
    freeOnePage_3(m.frames, zone, block, 3, MIGRATE_MOVABLE_3);
    expect(counts(zone, 4)).toEqual([0, 0, 0, 0]);
    expect(verify(m)).toEqual([]);
  });

  test('a freed page goes to the tail when the block around it may soon be whole', () => {
    const m = machine();
    const zone = m.zones[1]!;
    const pages = Array.from({ length: 8 }, () => rmqueue_3(m.frames, zone, 0, MIGRATE_MOVABLE_3));
    const first = Math.min(...pages) as Pfn;
    // 2 and 3 are free as a block: 0, whose buddy is 1, is worth waiting for. 4 is not.
    for (const i of [2, 3, 4]) freeOnePage_3(m.frames, zone, (first + i) as Pfn, 0, MIGRATE_MOVABLE_3);
    freeOnePage_3(m.frames, zone, first, 0, MIGRATE_MOVABLE_3);
    const list = zone.freeLists[MIGRATE_MOVABLE_3]!;
    expect([m.frames.listFirst(list) - first, m.frames.listLast(list) - first]).toEqual([4, 0]);
    for (const i of [1, 5, 6, 7]) freeOnePage_3(m.frames, zone, (first + i) as Pfn, 0, MIGRATE_MOVABLE_3);
    expect(verify(m)).toEqual([]);
  });

  test('unmovable memory takes the largest movable block, and its pageblocks with it', () => {
    const m = machine();
    const zone = m.zones[1]!;
    const pfn = rmqueue_3(m.frames, zone, 0, MIGRATE_UNMOVABLE_3);
    expect(pageblockType(zone, pfn)).toBe(MIGRATE_UNMOVABLE_3);
    // The next one finds its own type, beside the first.
    expect(rmqueue_3(m.frames, zone, 0, MIGRATE_UNMOVABLE_3)).toBe(pfn + 1);
  });

  test('reclaimable memory takes all that is free of a pageblock, and the pageblock if that is half of it', () => {
    const m = machine();
    const zone = m.zones[1]!;
    const { frames } = m;
    const taken: Pfn[] = [];
    for (let pfn = rmqueue_3(frames, zone, 0, MIGRATE_MOVABLE_3); pageblockType(zone, pfn) === MIGRATE_MOVABLE_3; ) {
      taken.push(pfn);
      pfn = rmqueue_3(frames, zone, 0, MIGRATE_MOVABLE_3);
    }
    const inBlock = (pfn: Pfn, n: number): boolean =>
      Math.floor(pfn / 512) === Math.floor(taken[600]! / 512) && pfn % 2 === n;
    for (const pfn of taken) if (inBlock(pfn, 0)) freeOnePage_3(frames, zone, pfn, 0, MIGRATE_MOVABLE_3);
    const got = rmqueue_3(frames, zone, 0, MIGRATE_RECLAIMABLE_3);
    expect(Math.floor(got / 512)).toBe(Math.floor(taken[600]! / 512));
    expect(pageblockType(zone, got)).toBe(MIGRATE_RECLAIMABLE_3);
    expect(zone.nrFree[MIGRATE_RECLAIMABLE_3]).toBe(255);
  });

  test('the reserve is the last that is taken', () => {
    const m = machine();
    const zone = m.zones[1]!;
    const types: number[] = [];
    for (let pfn = rmqueue_3(m.frames, zone, 0, MIGRATE_MOVABLE_3); pfn !== NO_PFN; ) {
      types.push(pageblockType(zone, pfn));
      pfn = rmqueue_3(m.frames, zone, 0, MIGRATE_MOVABLE_3);
    }
    const first = types.indexOf(MIGRATE_RESERVE_3);
    expect([first > 0, types.slice(first).every((type) => type === MIGRATE_RESERVE_3), types.length - first]).toEqual([
      true,
      true,
      512,
    ]);
    expect(zone.freePages).toBe(0);
  });
});

describe('watermarks', () => {
  test('[3.x watermarks] min : low : high = 4 : 5 : 6 of the zone’s share of min_free_kbytes', () => {
    const m = machine(64 * MIB, 4096);
    for (const zone of m.zones) {
      const share = Math.floor((1024 * zone.managedPages) / m.totalPages);
      expect([zone.wmarkMin, zone.wmarkLow, zone.wmarkHigh]).toEqual([
        share,
        share + Math.floor(share / 4),
        share + Math.floor(share / 2),
      ]);
    }
  });

  test('[3.x watermarks] kswapd is woken when no zone is above low', () => {
    const m = machine(64 * MIB);
    const woken: number[] = [];
    m.reclaim.wakeupKswapd = (zone) => {
      woken.push(zone.type);
    };
    for (let i = 0; i < 20000 && woken.length === 0; i++)
      allocPages(m, GFP_HIGHUSER_MOVABLE & ~__GFP_DIRECT_RECLAIM, 0);
    expect(woken.length).toBeGreaterThan(0);
    for (const zone of m.zones) {
      const kept = zone.lowmemReserve[ZONE_DMA32]!;
      expect(zone.freePages).toBeLessThanOrEqual(zone.wmarkLow + kept + zone.pcp.batch);
      expect(zone.freePages).toBeGreaterThan(zone.wmarkMin);
    }
  });

  for (const { why, pages, want } of [
    { why: 'at least 128', pages: 16, want: 128 },
    { why: '4 * sqrt(kB): 16 of 64 MiB', pages: 16384, want: 1024 },
    { why: 'at most 64 MiB', pages: 2 ** 30, want: 65536 },
  ])
    test(`min_free_kbytes: ${why}`, () => expect(minFreeKbytes_3(pages)).toBe(want));

  for (const { pages, want } of [
    { pages: 131072, want: 31 },
    { pages: 1048576, want: 31 },
    { pages: 65536, want: 15 },
    { pages: 4096, want: 0 },
  ])
    test(`pcp batch of a zone of ${pages} pages is ${want}`, () => expect(zoneBatchsize_3(pages)).toBe(want));

  test('pcp.high is six batches', () => {
    const zone = machine(600 * MIB).zones[1]!;
    expect([zone.pcp.batch, zone.pcp.high]).toEqual([31, 186]);
  });

  test('a higher order must leave half the mark in larger blocks, order by order', () => {
    const m = machine();
    const zone = m.zones[1]!;
    zone.nrFree.fill(0);
    zone.nrFree[0 * 4 + MIGRATE_MOVABLE_3] = 90;
    zone.nrFree[1 * 4 + MIGRATE_MOVABLE_3] = 5;
    zone.freePages = 100;
    expect(zoneWatermarkOk_3(zone, 0, 40, ZONE_DMA32, 0)).toBe(true);
    // 99 - 90 = 9 in blocks of two or more; half of 40 is 20, of 16 is 8.
    expect(zoneWatermarkOk_3(zone, 1, 40, ZONE_DMA32, 0)).toBe(false);
    expect(zoneWatermarkOk_3(zone, 1, 16, ZONE_DMA32, 0)).toBe(true);
  });
});

describe('zones in turn', () => {
  test('NR_ALLOC_BATCH: each zone of the node gives its quota before the first gives more', () => {
    const m = machine(64 * MIB, 4096);
    const [dma, dma32] = m.zones;
    const { allocBatch } = physical_3(m);
    const quota = [dma, dma32].map((zone) => zone!.wmarkHigh - zone!.wmarkLow);
    expect(allocBatch).toEqual(quota);
    const taken = [0, 0];
    for (let i = 0; i < quota[0]! + quota[1]!; i++)
      taken[m.frames.zoneIndex(allocPages(m, GFP_HIGHUSER_MOVABLE, 0))]! += 1;
    expect(taken).toEqual(quota);
    // All used up: they begin anew.
    allocPages(m, GFP_HIGHUSER_MOVABLE, 0);
    expect(allocBatch[1]).toBe(quota[1]! - 1);
    expect(allocBatch[0]).toBe(quota[0]);
  });

  test('an atomic request may go deeper than others, and fails then', () => {
    const m = machine(32 * MIB);
    m.reclaim.wakeupKswapd = () => {};
    const left = (gfp: number): number => {
      while (allocPages(m, gfp & ~__GFP_DIRECT_RECLAIM, 0) !== NO_PFN);
      return m.zones.reduce((sum, zone) => sum + zone.freePages, 0);
    };
    const user = left(GFP_HIGHUSER_MOVABLE);
    const atomic = left(GFP_ATOMIC);
    expect(atomic).toBeLessThan(user);
    expect(atomic).toBeGreaterThan(0);
  });

  test('what is freed while reclaim runs is cold: the next page is another', () => {
    const m = machine(600 * MIB);
    const page = allocPages(m, GFP_KERNEL, 0);
    putPage(m, page);
    expect(allocPages(m, GFP_KERNEL, 0)).toBe(page);
    m.current.memalloc = true;
    putPage(m, page);
    m.current.memalloc = false;
    expect(allocPages(m, GFP_KERNEL, 0)).not.toBe(page);
  });
});

test('a program that touches more than there is makes the allocator reclaim, and reads back what it wrote', () => {
  const s = new Space({ kernel: '3.16', ramBytes: 8 * MIB, swap: 'zram', sysctl: { thpEnabled: false } });
  s.map(0, 3000);
  s.storeAll(0, 3000);
  expect(verify(s.machine)).toEqual([]);
  expect(s.mm.rss[2]).toBeGreaterThan(0);
  s.loadAll(0, 3000);
  expect(verify(s.machine)).toEqual([]);
});
