import { expect, test } from 'vitest';
import { __GFP_DMA, __GFP_HIGH, GFP_ATOMIC, GFP_HIGHUSER, GFP_KERNEL } from './gfp.ts';
import { Machine } from './machine.ts';
import { allocPages, compoundOrder, putPage } from './page_alloc.ts';
import type { Physical_2_4 } from './page_alloc_2_4.ts';
import { PG_dirty, PG_referenced, PG_uptodate } from './page_flags.ts';
import { pageZone } from './page_flags_2_4.ts';
import type { Reclaim } from './parts.ts';
import { structPage } from './struct_page_2_4.ts';
import { Task } from './task.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { ZONE_DMA, ZONE_HIGHMEM, ZONE_NORMAL } from './zone.ts';
import { memclass, pagesMin, waitTableSize, ZONE_TYPES_2_4 } from './zone_build_2_4.ts';

const MIB = 2 ** 20;

function machineOf(mib: number, highmemFrom?: number): Machine {
  const high = highmemFrom === undefined ? {} : { highmemFromBytes: highmemFrom * MIB };
  return new Machine({ kernel: '2.4.19', ramBytes: mib * MIB, ...high });
}

function marks(machine: Machine): number[][] {
  return machine.zones.map((zone) => [zone.spannedPages, zone.wmarkMin, zone.wmarkLow, zone.wmarkHigh]);
}

for (const { why, mib, want } of [
  {
    why: '64 MiB',
    mib: 64,
    want: [
      [4096, 32, 64, 96],
      [12288, 96, 192, 288],
      [0, 0, 0, 0],
    ],
  },
  {
    why: '256 MiB',
    mib: 256,
    want: [
      [4096, 32, 64, 96],
      [61440, 255, 510, 765],
      [0, 0, 0, 0],
    ],
  },
  {
    why: '1 GiB has high memory',
    mib: 1024,
    want: [
      [4096, 32, 64, 96],
      [225280, 255, 510, 765],
      [32768, 255, 510, 765],
    ],
  },
  {
    why: '20 MiB: a small zone keeps 20 pages',
    mib: 20,
    want: [
      [4096, 32, 64, 96],
      [1024, 20, 40, 60],
      [0, 0, 0, 0],
    ],
  },
]) {
  test(`[2.4 watermarks] [2.4 vector Watermarks] ${why}`, () => expect(marks(machineOf(mib))).toEqual(want));
}

test('[2.4 watermarks] memfrac sets the part of each zone; the wait table has a bucket for 256 pages', () => {
  const machine = new Machine({ kernel: '2.4.19', ramBytes: 64 * MIB, memfrac: [64, 256, 128] });
  expect(marks(machine).slice(0, 2)).toEqual([
    [4096, 64, 128, 192],
    [12288, 48, 96, 144],
  ]);
  expect(machine.verify()).toEqual([]);
  expect([pagesMin(32640), pagesMin(32639), pagesMin(1)]).toEqual([255, 254, 20]);
  expect([waitTableSize(4096), waitTableSize(12288), waitTableSize(2 ** 24), waitTableSize(3)]).toEqual([
    16, 64, 4096, 1,
  ]);
});

test('zones: three of each node, DMA below 16 MiB and HIGHMEM above 896; zonelists go down and leave empty ones out', () => {
  const small = machineOf(64);
  const names = (type: number, machine = small) => machine.nodes[0]!.zonelists[type]!.map((zone) => zone.name);
  expect([names(ZONE_HIGHMEM), names(ZONE_NORMAL), names(ZONE_DMA)]).toEqual([
    ['Normal', 'DMA'],
    ['Normal', 'DMA'],
    ['DMA'],
  ]);
  const large = machineOf(1024);
  expect(names(ZONE_HIGHMEM, large)).toEqual(['HighMem', 'Normal', 'DMA']);
  expect(large.zones.map((zone) => zone.startPfn)).toEqual([0, 4096, 229376]);
  expect(large.zones.map((zone) => zone.type)).toEqual([...ZONE_TYPES_2_4]);
  expect(memclass(large.zones[1]!, large.zones[2]!)).toBe(true);
  expect(memclass(large.zones[2]!, large.zones[1]!)).toBe(false);
});

test('several nodes take turns, and zone_table has three zones of each', () => {
  const machine = new Machine({ kernel: '2.4.19', ramBytes: 0, nodes: [{ bytes: 32 * MIB }, { bytes: 32 * MIB }] });
  expect(machine.zones.map((zone) => [zone.pgdat.nid, zone.name, zone.spannedPages])).toEqual([
    [0, 'DMA', 4096],
    [0, 'Normal', 4096],
    [0, 'HighMem', 0],
    [1, 'DMA', 0],
    [1, 'Normal', 8192],
    [1, 'HighMem', 0],
  ]);
  const nid = () => pageZone(machine, allocPages(machine, GFP_KERNEL, 0)).pgdat.nid;
  expect([nid(), nid(), nid(), nid()]).toEqual([0, 1, 0, 1]);
  expect(memclass(machine.zones[1]!, machine.zones[4]!)).toBe(false);
});

/** Answers for reclaim, and counts. */
class StubReclaim {
  asked = 0;
  woken: string[] = [];
  during: () => number = () => 0;
  wakeupKswapd(zone: { name: string }): void {
    this.woken.push(zone.name);
  }
  tryToFreePages(): number {
    this.asked += 1;
    return this.during();
  }
}

function stubbed(mib: number, highmemFrom?: number): { machine: Machine; reclaim: StubReclaim } {
  const machine = machineOf(mib, highmemFrom);
  const reclaim = new StubReclaim();
  (machine as unknown as { reclaim: Reclaim }).reclaim = reclaim as unknown as Reclaim;
  (machine as unknown as { generation: object }).generation = { ...machine.generation, outOfMemory: () => false };
  return { machine, reclaim };
}

/** Takes pages from the zone until just `left` are free. */
function drain(machine: Machine, zoneIndex: number, left: number): Pfn[] {
  const zone = machine.zones[zoneIndex]!;
  const physical = machine.physical as Physical_2_4;
  const taken: Pfn[] = [];
  const take = (order: number) => (physical as unknown as { take(zone: object, order: number): Pfn }).take(zone, order);
  for (let order = 9; order >= 0; order--)
    while (zone.freePages - (1 << order) >= left) {
      const pfn = take(order);
      if (pfn === NO_PFN) break;
      taken.push(pfn);
    }
  expect(zone.freePages).toBe(left);
  return taken;
}

for (const { why, free, want } of [
  { why: 'high memory has one more than 511', free: [3000, 3000, 512], want: 'HighMem' },
  { why: 'it has 511, Normal more than 1021', free: [3000, 1022, 511], want: 'Normal' },
  { why: 'Normal has 1021, DMA more than 1085', free: [1086, 1021, 511], want: 'DMA' },
]) {
  test(`[2.4 cumulative min] [2.4 vector Cumulative low marks] ${why}`, () => {
    const { machine, reclaim } = stubbed(512, 256);
    expect(machine.zones.map((zone) => zone.wmarkLow)).toEqual([64, 510, 510]);
    free.forEach((left, zone) => void drain(machine, zone, left));
    const pfn = allocPages(machine, GFP_HIGHUSER, 0);
    expect([pageZone(machine, pfn).name, reclaim.woken.length]).toEqual([want, 0]);
  });
}

test('[2.4 cumulative min] where no zone has more than the sum, kswapd wakes for the first zone and the low marks make room', () => {
  const { machine, reclaim } = stubbed(512, 256);
  [1085, 1021, 511].forEach((left, zone) => void drain(machine, zone, left));
  const pfn = allocPages(machine, GFP_HIGHUSER, 0);
  expect([pageZone(machine, pfn).name, reclaim.woken, reclaim.asked]).toEqual(['HighMem', ['HighMem'], 0]);
  expect(machine.zones.map((zone) => zone.needBalance)).toEqual([false, false, true]);
});

test('who may not wait goes down to a quarter of pages_min, and then gets nothing', () => {
  const { machine, reclaim } = stubbed(64);
  drain(machine, 0, 0);
  drain(machine, 1, 1 + 96 + 1);
  expect(allocPages(machine, GFP_KERNEL, 0)).not.toBe(NO_PFN);
  expect(machine.zones[1]!.freePages).toBe(97);
  for (; machine.zones[1]!.freePages > 25; ) expect(allocPages(machine, GFP_ATOMIC, 0)).not.toBe(NO_PFN);
  expect([allocPages(machine, GFP_ATOMIC, 0), allocPages(machine, __GFP_HIGH | __GFP_DMA, 0), reclaim.asked]).toEqual([
    NO_PFN,
    NO_PFN,
    0,
  ]);
});

test('who reclaims, or is being killed, takes what there is', () => {
  const { machine } = stubbed(64);
  drain(machine, 0, 0);
  drain(machine, 1, 2);
  const task = new Task(7, 'a', null, machine.rootMemcg, null);
  machine.current = task;
  task.memalloc = true;
  expect(allocPages(machine, GFP_ATOMIC, 0)).not.toBe(NO_PFN);
  task.memalloc = false;
  task.killed = true;
  expect(allocPages(machine, GFP_KERNEL, 0)).not.toBe(NO_PFN);
  expect(allocPages(machine, GFP_KERNEL, 0)).toBe(NO_PFN);
});

test('[2.4 buddy] a task that frees memory keeps the first block, whose order is in page->index, and gets it if it fits', () => {
  const { machine, reclaim } = stubbed(64);
  const mine = allocPages(machine, GFP_KERNEL, 0);
  const another = allocPages(machine, GFP_KERNEL, 0);
  machine.frames.set(mine, PG_dirty | PG_referenced | PG_uptodate);
  drain(machine, 0, 0);
  drain(machine, 1, 90);
  reclaim.during = () => {
    expect(machine.current.memalloc).toBe(true);
    putPage(machine, mine);
    const kept = structPage(machine, mine);
    expect([kept.indexUse, kept.index, kept.list, kept.count, kept.flagNames]).toEqual([
      'order',
      0,
      'local_pages',
      0,
      [],
    ]);
    putPage(machine, another);
    expect(structPage(machine, another).indexUse).toBe('nothing');
    return 2;
  };
  expect(allocPages(machine, GFP_KERNEL, 0)).toBe(mine);
  expect([machine.zones[1]!.freePages, reclaim.asked, machine.current.memalloc]).toEqual([91, 1, false]);
});

for (const { why, order, progress } of [
  { why: 'of another order', order: 1, progress: 1 },
  { why: 'and reclaim says it has failed', order: 0, progress: 0 },
]) {
  test(`[2.4 buddy] a kept block that does not fit goes back to its zone: ${why}`, () => {
    const { machine, reclaim } = stubbed(64);
    const mine = allocPages(machine, GFP_KERNEL, 0);
    drain(machine, 0, 0);
    const rest = drain(machine, 1, 90);
    reclaim.during = () => {
      if (reclaim.asked === 1) putPage(machine, mine);
      else
        for (const pfn of rest.splice(0, 40))
          machine.physical.freePages(release(machine, pfn), compoundOrder(machine, pfn));
      return progress;
    };
    expect(allocPages(machine, GFP_KERNEL, order)).not.toBe(NO_PFN);
    expect(reclaim.asked).toBe(2);
    expect(machine.physical.verify().filter((line) => !line.includes('lost'))).toEqual([]);
  });
}

function release(machine: Machine, pfn: Pfn): Pfn {
  machine.frames.setRefcount(pfn, 0);
  return pfn;
}

test('16 pages and more are given up when reclaim did not help; fewer are asked for again and again', () => {
  const { machine, reclaim } = stubbed(64);
  drain(machine, 0, 0);
  drain(machine, 1, 90);
  expect([allocPages(machine, GFP_KERNEL, 4), reclaim.asked]).toEqual([NO_PFN, 1]);
  const from = machine.clock.now;
  expect(allocPages(machine, GFP_KERNEL, 0)).toBe(NO_PFN);
  expect([reclaim.asked, machine.clock.now - from]).toEqual([301, 3e9]);
  expect(allocPages(machine, GFP_KERNEL, 10)).toBe(NO_PFN);
});
