import { expect, test } from 'vitest';
import { newInode, openInode } from './file.ts';
import { filemapGetPage, filemapRead } from './filemap.ts';
import { GFP_HIGHUSER, GFP_KERNEL } from './gfp.ts';
import { Highmem_2_4, LAST_PKMAP, LAST_PKMAP_PAE, PAGE_OFFSET, PKMAP_BASE, POOL_SIZE } from './highmem_2_4.ts';
import { Machine } from './machine.ts';
import { allocPages } from './page_alloc.ts';
import { filemapFdatasync, setPageDirty } from './page_cache_2_4.ts';
import { pageHighMem } from './page_flags_2_4.ts';
import { slab_2_4 } from './slab_2_4.ts';
import { state_2_4 } from './state_2_4.ts';
import { NO_PFN, type Pfn, type Pgoff } from './units.ts';

/** High memory from 24 MiB on. */
function world(): { machine: Machine; highmem: Highmem_2_4; high: (n: number) => Pfn } {
  const machine = new Machine({ kernel: '2.4.19', ramBytes: 40 * 2 ** 20, highmemFromBytes: 24 * 2 ** 20 });
  const start = machine.zones[2]!.startPfn;
  return { machine, highmem: state_2_4(machine).highmem, high: (n) => (start + n) as Pfn };
}

test('low memory has its address for good; a high page has one while it is mapped', () => {
  const { highmem, high } = world();
  expect(highmem.kmap(100 as Pfn)).toBe(PAGE_OFFSET + 100 * 4096);
  expect(highmem.pageAddress(high(0))).toBe(0);
  const addr = highmem.kmap(high(0));
  expect([addr, highmem.kmap(high(0)), highmem.pageAddress(high(0))]).toEqual([PKMAP_BASE + 4096, addr, addr]);
  expect(highmem.pkmapCount[1]).toBe(3);
  highmem.kunmap(high(0));
  highmem.kunmap(high(0));
  expect([highmem.pkmapCount[1], highmem.pageAddress(high(0)), highmem.verify()]).toEqual([1, addr, []]);
  expect(() => highmem.kunmap(high(0))).toThrow('as often as it was mapped');
});

test('the search goes on behind the last slot; at slot 0 everything unused is flushed', () => {
  const { highmem, high } = world();
  for (let n = 0; n < LAST_PKMAP - 1; n++) {
    highmem.kmap(high(n));
    if (n !== 5) highmem.kunmap(high(n));
  }
  expect([highmem.flushes, highmem.pageAddress(high(7))]).toEqual([0, PKMAP_BASE + 8 * 4096]);
  expect(highmem.kmap(high(2000))).toBe(PKMAP_BASE);
  expect([highmem.flushes, highmem.pageAddress(high(7)), highmem.pageAddress(high(5))]).toEqual([
    1,
    0,
    PKMAP_BASE + 6 * 4096,
  ]);
  expect([...highmem.pkmapCount.slice(0, 8)]).toEqual([2, 0, 0, 0, 0, 0, 2, 0]);
  expect(highmem.verify()).toEqual([]);
});

test('with every slot in use kmap has to wait', () => {
  const { machine, high } = world();
  const highmem = new Highmem_2_4(machine, true);
  expect(highmem.slots).toBe(LAST_PKMAP_PAE);
  for (let n = 0; n < LAST_PKMAP_PAE; n++) expect(highmem.kmap(high(n))).not.toBe(0);
  expect([highmem.kmap(high(3000)), highmem.full]).toEqual([0, 1]);
  highmem.kunmap(high(40));
  expect(highmem.kmap(high(3000))).not.toBe(0);
  expect([highmem.pageAddress(high(40)), highmem.verify()]).toEqual([0, []]);
});

test('kmap_atomic has a slot for each use, and no count', () => {
  const { highmem, high } = world();
  const a = highmem.kmapAtomic(high(1), 'KM_USER0');
  const b = highmem.kmapAtomic(high(2), 'KM_USER1');
  expect(b - a).toBe(4096);
  expect(() => highmem.kmapAtomic(high(3), 'KM_USER0')).toThrow('one user at a time');
  highmem.kunmapAtomic(high(1), 'KM_USER0');
  expect(highmem.kmapAtomic(high(3), 'KM_USER0')).toBe(a);
  expect(highmem.kmapAtomic(7 as Pfn, 'KM_BOUNCE_READ')).toBe(PAGE_OFFSET + 7 * 4096);
  highmem.kunmapAtomic(7 as Pfn, 'KM_BOUNCE_READ');
});

test('a bounce page is low; when memory is short one of 32 serves, and goes back to the pool', () => {
  const { machine, highmem, high } = world();
  expect(highmem.emergencyPagesLeft).toBe(POOL_SIZE);
  const bounce = highmem.createBounce(high(0));
  expect([pageHighMem(machine, bounce), highmem.emergencyPagesLeft, highmem.emergencyBhs]).toEqual([
    false,
    POOL_SIZE,
    POOL_SIZE,
  ]);
  expect(highmem.createBounce(9 as Pfn)).toBe(9);
  highmem.bounceEnd(bounce);
  expect(machine.frames.refcount(bounce)).toBe(0);
  while (machine.zones[0]!.freePages + machine.zones[1]!.freePages > 0) {
    machine.current.memalloc = true;
    allocPages(machine, GFP_KERNEL, 0);
  }
  machine.current.memalloc = false;
  const pages = Array.from({ length: POOL_SIZE }, (_, n) => highmem.createBounce(high(n), 0));
  expect([pages.includes(NO_PFN), highmem.emergencyPagesLeft, highmem.createBounce(high(99), 0)]).toEqual([
    false,
    0,
    NO_PFN,
  ]);
  highmem.bounceEnd(pages[3]!);
  expect(highmem.emergencyPagesLeft).toBe(1);
});

test('a machine without high memory keeps no pool, and user pages come from high memory first where there is some', () => {
  const small = new Machine({ kernel: '2.4.19', ramBytes: 16 * 2 ** 20 });
  expect(state_2_4(small).highmem.emergencyPagesLeft).toBe(0);
  const { machine } = world();
  expect(pageHighMem(machine, allocPages(machine, GFP_HIGHUSER, 0))).toBe(true);
  expect(pageHighMem(machine, allocPages(machine, GFP_KERNEL, 0))).toBe(false);
});

test('a read into high memory goes through a low page and a buffer head, which are free again when it is done', () => {
  const { machine, highmem } = world();
  const file = openInode(machine, newInode(machine, '/f', 'disk', 4096), true, false, false);
  const low = () => machine.zones[0]!.freePages + machine.zones[1]!.freePages;
  filemapRead(machine, file, 0, 4096, null);
  const pfn = filemapGetPage(machine, file.mapping, 0 as Pgoff);
  expect([pageHighMem(machine, pfn), highmem.bounceMisses]).toEqual([true, 0]);
  const [before, heads] = [low(), slab_2_4(machine).cache('buffer_head').active];
  setPageDirty(machine, pfn);
  filemapFdatasync(machine, state_2_4(machine).pageCache, file.mapping);
  expect([before - low(), slab_2_4(machine).cache('buffer_head').active - heads]).toEqual([1, 1]);
  machine.advance(1e9);
  expect([before - low(), slab_2_4(machine).cache('buffer_head').active - heads, machine.verify()]).toEqual([0, 0, []]);
});
