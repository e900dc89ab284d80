/** How much is kept free in 2.6, and who may take what. */
import { describe, expect, test } from 'vitest';
import { GFP_ATOMIC, GFP_KERNEL } from './gfp.ts';
import { Machine } from './machine.ts';
import { allocPages } from './page_alloc.ts';
import { NO_PFN } from './units.ts';
import {
  ALLOC_HARDER,
  ALLOC_HIGH,
  explainWatermark,
  minFreeKbytes_2_6,
  zoneBatchsize_2_6,
  zoneWatermarkOk_2_6,
} from './watermark_2_6.ts';
import { ZONE_DMA, ZONE_NORMAL, type Zone } from './zone.ts';
import { zone_2_6 } from './zone_2_6.ts';

const MIB: number = 2 ** 20;

/** 256 MiB of low memory on a 32-bit machine: DMA 4096 pages, Normal 61440. */
function machine256(): Machine {
  return new Machine({ kernel: '2.6.24', ramBytes: 256 * MIB, highmemFromBytes: 256 * MIB });
}

for (const { mib, want } of [
  { mib: 64, want: 1024 },
  { mib: 256, want: 2048 },
  { mib: 896, want: 3831 },
  { mib: 4096, want: 8192 },
]) {
  test(`[2.6 min_free_kbytes] ${mib} MiB of low memory: ${want} kB`, () => {
    expect(minFreeKbytes_2_6(mib * 1024)).toBe(want);
  });
}

test('[2.6 min_free_kbytes] never below 128 kB, nor above 64 MiB', () => {
  expect([minFreeKbytes_2_6(16), minFreeKbytes_2_6(2 ** 40)]).toEqual([128, 65536]);
});

test('[2.6 Marks] DMA 4096 and Normal 61440 present pages, 2048 kB', () => {
  const [dma, normal] = machine256().zones;
  expect([dma!.presentPages, normal!.presentPages]).toEqual([4096, 61440]);
  expect([dma!.wmarkMin, dma!.wmarkLow, dma!.wmarkHigh]).toEqual([32, 40, 48]);
  expect([normal!.wmarkMin, normal!.wmarkLow, normal!.wmarkHigh]).toEqual([480, 600, 720]);
  expect(dma!.lowmemReserve[ZONE_NORMAL]).toBe(240);
  // What page cache must not count on: DMA 240 + 48, Normal 720.
  expect(machine256().nodes[0]!.totalreservePages).toBe(288 + 720);
});

test('[2.6 Marks] a Normal request takes a DMA page only while 40 + 240 + 1 are free', () => {
  const dma = machine256().zones[0]!;
  dma.freePages = 281;
  expect(zoneWatermarkOk_2_6(dma, 0, dma.wmarkLow, ZONE_NORMAL, 0)).toBe(true);
  dma.freePages = 280;
  expect(zoneWatermarkOk_2_6(dma, 0, dma.wmarkLow, ZONE_NORMAL, 0)).toBe(false);
  expect(zoneWatermarkOk_2_6(dma, 0, dma.wmarkLow, ZONE_DMA, 0)).toBe(true);
});

test('high memory keeps a thousandth, between 32 and 128 pages', () => {
  const high = (mib: number): Zone =>
    new Machine({ kernel: '2.6.24', ramBytes: mib * MIB, highmemFromBytes: 64 * MIB }).zones[2]!;
  expect(high(96).wmarkMin).toBe(32);
  expect(high(64 + 320).wmarkMin).toBe(80);
});

describe('[2.6 pcp] batch and high', () => {
  for (const { pages, hot, cold } of [
    { pages: 4096, hot: [0, 1], cold: [0, 1] },
    { pages: 61440, hot: [90, 15], cold: [30, 7] },
    { pages: 229376, hot: [186, 31], cold: [62, 15] },
  ]) {
    test(`a zone of ${pages} pages`, () => {
      const batch = zoneBatchsize_2_6(pages);
      expect([6 * batch, Math.max(1, batch)]).toEqual(hot);
      expect([2 * batch, Math.max(1, batch >> 1)]).toEqual(cold);
    });
  }
  test('are set for every zone', () => {
    const machine = machine256();
    const normal = zone_2_6(machine, machine.zones[1]!);
    expect([normal.hot.high, normal.hot.batch, normal.cold.high, normal.cold.batch]).toEqual([90, 15, 30, 7]);
  });
});

describe('a block of 4 pages', () => {
  function zoneWith(order0: number, order1: number): Zone {
    const zone = machine256().zones[1]!;
    zone.freePages = 100;
    zone.nrFree.fill(0);
    zone.nrFree[0] = order0;
    zone.nrFree[4] = order1;
    return zone;
  }
  test('[2.6 order test] there is one', () => {
    const zone = zoneWith(30, 10);
    expect(zoneWatermarkOk_2_6(zone, 2, 40, ZONE_NORMAL, 0)).toBe(true);
    const { terms } = explainWatermark(zone, 2, 40, ZONE_NORMAL, 0);
    expect(terms).toEqual([
      { free: 97, min: 40 },
      { free: 67, min: 20 },
      { free: 47, min: 10 },
    ]);
  });
  test('[2.6 order test] there is none, though 100 pages are free', () => {
    const zone = zoneWith(30, 30);
    expect(zoneWatermarkOk_2_6(zone, 2, 40, ZONE_NORMAL, 0)).toBe(false);
    expect(explainWatermark(zone, 2, 40, ZONE_NORMAL, 0).terms.at(-1)).toEqual({ free: 7, min: 10 });
  });
});

test('who cannot wait and who must not fail may go deeper', () => {
  const zone = machine256().zones[1]!;
  zone.freePages = 200;
  const min = (flags: number): number => explainWatermark(zone, 0, 480, ZONE_NORMAL, flags).min;
  expect([min(0), min(ALLOC_HIGH), min(ALLOC_HARDER), min(ALLOC_HIGH | ALLOC_HARDER)]).toEqual([480, 240, 360, 180]);
  expect(zoneWatermarkOk_2_6(zone, 0, 480, ZONE_NORMAL, ALLOC_HIGH | ALLOC_HARDER)).toBe(true);
});

test('[2.6 watermark] each allocation tells the mark, order terms and reserve of the zones it failed and passed', () => {
  const machine = machine256();
  const told: number[][] = [];
  machine.trace.listen((_, name, values) => {
    if (name === 'zone_watermark_ok') told.push([...values]);
  });
  const [dma, normal] = machine.zones;
  const free = normal!.freePages;
  normal!.freePages = 600;
  expect(allocPages(machine, GFP_KERNEL, 1)).not.toBe(NO_PFN);
  normal!.freePages = free;
  // zone, order, mark, min, reserve, free, failed at order
  expect(told[0]).toEqual([1, 1, 600, 600, 0, 599, 0]);
  expect(told[1]!.slice(0, 5)).toEqual([0, 1, 40, 40, 240]);
  expect(told[1]!.at(-1)).toBe(-1);
  expect(machine.frames.zoneIndex(0 as never)).toBe(dma!.index);
});

test('an atomic request gets a page where an ordinary one would have to wait', () => {
  const machine = machine256();
  for (const zone of machine.zones) zone.lowmemReserve.fill(0);
  while (machine.zones.some((zone) => zone.freePages > zone.wmarkMin)) allocPages(machine, GFP_ATOMIC, 0);
  expect(machine.zones.every((zone) => zone.freePages <= zone.wmarkMin)).toBe(true);
  expect(allocPages(machine, GFP_ATOMIC, 0)).not.toBe(NO_PFN);
});
