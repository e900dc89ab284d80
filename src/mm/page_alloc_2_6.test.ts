/** Free lists, migrate types, the CPU's pages and the steps of __alloc_pages in 2.6. */
import { describe, expect, test } from 'vitest';
import { pageblockType_2_6 } from './buddy_2_6.ts';
import {
  __GFP_COLD,
  __GFP_MOVABLE,
  __GFP_NORETRY,
  __GFP_RECLAIMABLE,
  __GFP_RETRY_MAYFAIL,
  GFP_ATOMIC,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
} from './gfp.ts';
import { Machine } from './machine.ts';
import { allocPages, freePages, putPage } from './page_alloc.ts';
import { freeColdPage } from './page_alloc_2_6.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { PAGEOUTRUN } from './vmstat.ts';
import {
  MIGRATE_HIGHATOMIC,
  MIGRATE_MOVABLE,
  MIGRATE_RECLAIMABLE,
  MIGRATE_TYPES,
  MIGRATE_UNMOVABLE,
  type Zone,
} from './zone.ts';
import { type Zone_2_6, zone_2_6 } from './zone_2_6.ts';

const MIB: number = 2 ** 20;
const MIGRATE_RESERVE = MIGRATE_HIGHATOMIC;

/** 256 MiB: DMA 4096 pages, and Normal 61440, where everything comes from. */
function machine256(kernel = '2.6.24'): Machine {
  return new Machine({ kernel, ramBytes: 256 * MIB, highmemFromBytes: 256 * MIB });
}

function normalOf(machine: Machine): Zone {
  return machine.zones[1]!;
}

function pcpOf(machine: Machine): Zone_2_6 {
  return zone_2_6(machine, normalOf(machine));
}

/** The frames of a per-CPU list, head first. */
function listed(machine: Machine, which: 'hot' | 'cold'): Pfn[] {
  const found: Pfn[] = [];
  const { list } = pcpOf(machine)[which];
  for (let pfn = machine.frames.listFirst(list); pfn !== NO_PFN; pfn = machine.frames.listNext(pfn)) found.push(pfn);
  return found;
}

function free(machine: Machine, pfn: Pfn): void {
  putPage(machine, pfn);
}

describe('the buddy allocator', () => {
  test('a split keeps the lower half', () => {
    const machine = machine256();
    const first = allocPages(machine, GFP_KERNEL, 1);
    const second = allocPages(machine, GFP_KERNEL, 1);
    expect(second - first).toBe(2);
    expect(first % 1024).toBe(0);
    const third = allocPages(machine, GFP_KERNEL, 2);
    expect(third - first).toBe(4);
    expect(machine.verify()).toEqual([]);
  });

  test('what is freed merges with its buddy and goes to the head', () => {
    const machine = machine256();
    const blocks = [0, 1, 2].map(() => allocPages(machine, GFP_KERNEL, 1));
    freePages(machine, drop(machine, blocks[0]!), 1);
    expect(allocPages(machine, GFP_KERNEL, 1)).toBe(blocks[0]);
    freePages(machine, drop(machine, blocks[1]!), 1);
    freePages(machine, drop(machine, blocks[0]!), 1);
    expect(machine.verify()).toEqual([]);
    // Blocks 0 and 1 are one of 4 pages again.
    expect(allocPages(machine, GFP_KERNEL, 2)).toBe(blocks[0]);
  });

  function drop(machine: Machine, pfn: Pfn): Pfn {
    machine.frames.setRefcount(pfn, 0);
    return pfn;
  }
});

describe('[2.6 pcp]', () => {
  test('[2.6 pcp] a refill brings 15 pages, which leave in the order in which they left the buddy lists', () => {
    const machine = machine256();
    const { hot } = pcpOf(machine);
    const before = hot.count;
    while (hot.count > 0) allocPages(machine, GFP_KERNEL, 0);
    expect(before).toBeLessThan(90);
    const first = allocPages(machine, GFP_KERNEL, 0);
    expect(hot.count).toBe(14);
    const rest = listed(machine, 'hot');
    expect(rest).toEqual(Array.from({ length: 14 }, (_, i) => first + 1 + i));
    expect(allocPages(machine, GFP_KERNEL, 0)).toBe(rest[0]);
  });

  test('[2.6 pcp] a freed page is the first to go out again; at 90, the 15 coldest go back', () => {
    const machine = machine256();
    const pages = Array.from({ length: 200 }, () => allocPages(machine, GFP_KERNEL, 0));
    const { hot } = pcpOf(machine);
    free(machine, pages[7]!);
    expect(listed(machine, 'hot')[0]).toBe(pages[7]);
    expect(allocPages(machine, GFP_KERNEL, 0)).toBe(pages[7]);
    let next = 100;
    while (hot.count < 89) free(machine, pages[next++]!);
    const coldest = listed(machine, 'hot').slice(-15);
    const freeBefore = normalOf(machine).freePages;
    free(machine, pages[next]!);
    expect(hot.count).toBe(90 - 15);
    expect(normalOf(machine).freePages).toBe(freeBefore + 15);
    expect(listed(machine, 'hot').filter((pfn) => coldest.includes(pfn))).toEqual([]);
    expect(machine.physical.verify()).toEqual([]);
  });

  test('[2.6 pcp] cold pages have a list of their own, of 30 at most, refilled by 7', () => {
    const machine = machine256();
    const page = allocPages(machine, GFP_KERNEL | __GFP_COLD, 0);
    expect(pcpOf(machine).cold.count).toBe(6);
    machine.frames.setRefcount(page, 0);
    freeColdPage(machine, page);
    expect(listed(machine, 'cold')[0]).toBe(page);
    expect(allocPages(machine, GFP_KERNEL | __GFP_COLD, 0)).toBe(page);
    expect(listed(machine, 'hot')).not.toContain(page);
  });

  test('[2.6 pcp] a page of another type is passed over', () => {
    const machine = machine256();
    const movable = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
    const kernel = allocPages(machine, GFP_KERNEL, 0);
    free(machine, movable);
    expect(listed(machine, 'hot')[0]).toBe(movable);
    const another = allocPages(machine, GFP_KERNEL, 0);
    expect(another).not.toBe(movable);
    expect(Math.floor(another / 1024)).toBe(Math.floor(kernel / 1024));
    expect(allocPages(machine, GFP_HIGHUSER_MOVABLE, 0)).toBe(movable);
  });

  test('[2.6 pcp] in a zone of 16 MiB nothing is kept: each free goes straight through', () => {
    const machine = new Machine({ kernel: '2.6.24', ramBytes: 16 * MIB });
    const { hot } = zone_2_6(machine, machine.zones[0]!);
    const page = allocPages(machine, GFP_KERNEL, 0);
    const before = machine.zones[0]!.freePages;
    free(machine, page);
    expect([hot.count, machine.zones[0]!.freePages - before]).toEqual([0, 1]);
  });
});

describe('[2.6 migrate types]', () => {
  interface Steal {
    order: number;
    from: number;
    to: number;
    moved: number;
    relabelled: boolean;
  }
  function steals(machine: Machine): Steal[] {
    const found: Steal[] = [];
    machine.trace.listen((_, name, v) => {
      if (name !== 'mm_page_alloc_extfrag') return;
      found.push({ order: v[2]!, to: v[3]!, from: v[4]!, moved: v[5]!, relabelled: v[6] === 1 });
    });
    return found;
  }

  test('[2.6 migrate types] all memory is movable at first, but what pages_min fills, kept as RESERVE', () => {
    const machine = machine256();
    const zone = normalOf(machine);
    const blocks = [...zone.pageblockType].slice(0, 60);
    // 480 pages are one pageblock; the kernel's own blocks are skipped, for they begin with a reserved page.
    expect(blocks.filter((type) => type === MIGRATE_RESERVE)).toHaveLength(1);
    expect(zone.nrFree[10 * MIGRATE_TYPES + MIGRATE_RESERVE]).toBe(1);
    expect(machine.verify()).toEqual([]);
  });

  test('[2.6 migrate types] the first kernel page takes a whole pageblock, and the next ones stay in it', () => {
    const machine = machine256();
    while (pcpOf(machine).hot.count > 0) allocPages(machine, GFP_KERNEL, 0);
    const zone = normalOf(machine);
    const before = allocPages(machine, GFP_KERNEL | __GFP_RECLAIMABLE, 3);
    const found = steals(machine);
    const block = allocPages(machine, GFP_KERNEL | __GFP_RECLAIMABLE, 4);
    expect(found).toEqual([]);
    expect(pageblockType_2_6(machine, zone, before)).toBe(MIGRATE_RECLAIMABLE);
    expect(Math.floor(block / 1024)).toBe(Math.floor(before / 1024));
  });

  test('[2.6 migrate types] a steal takes the largest block; from order 5 on all free pages of the pageblock come along', () => {
    const machine = machine256();
    const zone = normalOf(machine);
    const found = steals(machine);
    // Leave nothing movable but a few blocks.
    machine.current.memalloc = true;
    while (zone.nrFree[10 * MIGRATE_TYPES + MIGRATE_MOVABLE]! > 1) allocPages(machine, GFP_KERNEL | __GFP_MOVABLE, 10);
    const kernel = allocPages(machine, GFP_KERNEL, 3);
    expect(machine.frames.zoneIndex(kernel)).toBe(zone.index);
    found.length = 0;
    const list = (order: number, type: number): number => zone.nrFree[order * MIGRATE_TYPES + type]!;
    let largest = 9;
    while (largest > 0 && list(largest, MIGRATE_UNMOVABLE) + list(largest, MIGRATE_RECLAIMABLE) === 0) largest -= 1;
    for (let i = 0; i < 2000 && found.length === 0; i++) allocPages(machine, GFP_KERNEL | __GFP_MOVABLE, 0);
    machine.current.memalloc = false;
    expect(found[0]!.to).toBe(MIGRATE_MOVABLE);
    expect(found[0]!.order).toBe(largest);
    expect(found[0]!.moved > 0).toBe(largest >= 5);
    expect(machine.physical.verify()).toEqual([]);
  });

  test('[2.6 migrate types] fallbacks are asked in order, RESERVE last', () => {
    const machine = machine256();
    const zone = normalOf(machine);
    const found = steals(machine);
    while (allocPages(machine, GFP_ATOMIC | __GFP_NORETRY, 0) !== NO_PFN) {
      if (zone.freePages <= zone.wmarkMin) break;
    }
    machine.current.memalloc = true;
    let taken = 0;
    while (allocPages(machine, GFP_KERNEL, 0) !== NO_PFN) taken += 1;
    machine.current.memalloc = false;
    expect(taken).toBeGreaterThan(0);
    expect(found.length).toBeGreaterThan(0);
    expect(found.every(({ from }) => from !== MIGRATE_RESERVE)).toBe(true);
    expect(zone.freePages).toBe(0);
    expect(machine.physical.verify()).toEqual([]);
  });

  test('[2.6 migrate types] with less than 5 pageblocks all pages are of one kind', () => {
    const machine = new Machine({ kernel: '2.6.24', ramBytes: 8 * MIB });
    const zone = machine.zones[0]!;
    const movable = allocPages(machine, GFP_HIGHUSER_MOVABLE, 2);
    expect(pageblockType_2_6(machine, zone, movable)).toBe(MIGRATE_UNMOVABLE);
    expect(zone.nrFree.filter((_, list) => list % MIGRATE_TYPES !== MIGRATE_UNMOVABLE).every((n) => n === 0)).toBe(
      true,
    );
  });
});

describe('the steps of __alloc_pages', () => {
  test('below the low mark kswapd is woken, and has run when time passes', () => {
    const machine = machine256();
    const zone = normalOf(machine);
    const dma = machine.zones[0]!;
    while (zone.freePages > zone.wmarkLow || dma.freePages > dma.wmarkLow + 240) allocPages(machine, GFP_KERNEL, 0);
    expect(machine.nodes[0]!.kswapdAwake).toBe(false);
    allocPages(machine, GFP_ATOMIC, 0);
    expect(machine.nodes[0]!.kswapdAwake).toBe(true);
    machine.advance(0);
    expect(machine.nodes[0]!.kswapdAwake).toBe(false);
    expect(machine.events[PAGEOUTRUN]).toBeGreaterThan(0);
  });

  test('with nobody to kill, a request fails; who frees memory gets the last page', () => {
    const machine = new Machine({ kernel: '2.6.24', ramBytes: 4 * MIB });
    let taken = 0;
    while (allocPages(machine, GFP_KERNEL, 0) !== NO_PFN) taken += 1;
    expect(taken).toBeGreaterThan(0);
    const left = machine.zones[0]!.freePages;
    expect(left).toBeLessThanOrEqual(machine.zones[0]!.wmarkMin);
    machine.current.memalloc = true;
    for (let i = 0; i < left; i++) expect(allocPages(machine, GFP_KERNEL, 0)).not.toBe(NO_PFN);
    expect(allocPages(machine, GFP_KERNEL, 0)).toBe(NO_PFN);
  });

  test.each(['2.6.24', '2.6.26'])('%s: a block of 16 pages is not worth waiting for', (kernel) => {
    const machine = new Machine({ kernel, ramBytes: 8 * MIB });
    const single: Pfn[] = [];
    for (let pfn = allocPages(machine, GFP_ATOMIC, 0); pfn !== NO_PFN; pfn = allocPages(machine, GFP_ATOMIC, 0))
      single.push(pfn);
    for (let i = 0; i < single.length; i += 2) free(machine, single[i]!);
    expect(machine.zones[0]!.freePages).toBeGreaterThan(machine.zones[0]!.wmarkHigh);
    expect(allocPages(machine, GFP_KERNEL, 4)).toBe(NO_PFN);
    expect(allocPages(machine, GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NORETRY, 4)).toBe(NO_PFN);
  });
});
