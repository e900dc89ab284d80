import { expect, test } from 'vitest';
import { newInode, openInode } from '../../src/mm/file.ts';
import { filemapAllocAndAdd, filemapGetPage, filemapRead, filemapWrite, unlockPage } from '../../src/mm/filemap.ts';
import { GFP_KERNEL } from '../../src/mm/gfp.ts';
import { Machine } from '../../src/mm/machine.ts';
import { allocPages } from '../../src/mm/page_alloc.ts';
import { setPageDirty } from '../../src/mm/page_cache_2_4.ts';
import {
  PG_locked,
  PG_lru,
  PG_NAMES,
  PG_referenced,
  PG_slab,
  PG_uptodate,
  PG_writeback,
} from '../../src/mm/page_flags.ts';
import * as macros from '../../src/mm/page_flags_2_4.ts';
import {
  flagNames_2_4,
  flagsWord,
  MAX_NR_NODES_2_4,
  PAGE_FLAGS_2_4,
  pageZone,
  setPageZone,
  zoneBits,
  zoneTableIndex,
} from '../../src/mm/page_flags_2_4.ts';
import {
  dumpMemMap,
  memMapBytes,
  pageSwapCache,
  structPage,
  structPageBytes,
  structPageFields,
} from '../../src/mm/struct_page_2_4.ts';
import { addToSwap } from '../../src/mm/swap/swap_state.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../../src/mm/uapi.ts';
import { NO_PFN, type Pfn, type Pgoff, type Vpn, vpnOf } from '../../src/mm/units.ts';
import { frameAt } from '../../src/mm/who.ts';
import { System } from '../../src/syscalls/system.ts';

const MIB = 2 ** 20;
const A = 0x7000000;

function world(kernel = '2.4.19') {
  const machine = new Machine({ kernel, ramBytes: 32 * MIB, highmemFromBytes: 24 * MIB });
  const system = new System(machine);
  return { machine, system, p: system.newProcess() };
}

test("[2.4 struct page, flags] table 3.1: the numbers of 2.4's bits", () => {
  expect(PAGE_FLAGS_2_4.map(({ bit, name }) => `${bit} ${name}`)).toEqual([
    '0 PG_locked',
    '1 PG_error',
    '2 PG_referenced',
    '3 PG_uptodate',
    '4 PG_dirty',
    '5 PG_unused',
    '6 PG_lru',
    '7 PG_active',
    '8 PG_slab',
    '10 PG_skip',
    '11 PG_highmem',
    '12 PG_checked',
    '13 PG_arch_1',
    '14 PG_reserved',
    '15 PG_launder',
  ]);
  // No two of them share a bit of the engine.
  const kept = PAGE_FLAGS_2_4.filter(({ engine }) => engine !== 0).map(({ engine }) => engine);
  expect(kept.reduce((sum, bits) => sum + bits, 0)).toBe(kept.reduce((all, bits) => all | bits, 0));
  expect(PG_NAMES.length).toBeGreaterThan(kept.length);
});

/** Test, set, clear and test-and of each bit: table 3.2. */
for (const { flag, is, set, clear, testAnd } of [
  { flag: PG_locked, is: macros.pageLocked, set: macros.lockPage_2_4, clear: macros.unlockPage_2_4, testAnd: null },
  {
    flag: macros.PG_launder,
    is: macros.pageLaunder,
    set: macros.setPageLaunder,
    clear: macros.clearPageLaunder,
    testAnd: null,
  },
  { flag: macros.PG_checked, is: macros.pageChecked, set: macros.setPageChecked, clear: null, testAnd: null },
  {
    flag: PG_uptodate,
    is: macros.pageUptodate,
    set: macros.setPageUptodate,
    clear: macros.clearPageUptodate,
    testAnd: null,
  },
  { flag: PG_slab, is: macros.pageSlab, set: macros.pageSetSlab, clear: macros.pageClearSlab, testAnd: null },
  {
    flag: PG_lru,
    is: macros.pageLRU,
    set: macros.testSetPageLRU,
    clear: macros.testClearPageLRU,
    testAnd: macros.testSetPageLRU,
  },
  {
    flag: PG_referenced,
    is: macros.pageReferenced_2_4,
    set: macros.setPageReferenced,
    clear: macros.clearPageReferenced,
    testAnd: macros.pageTestandClearReferenced,
  },
]) {
  const { name } = PAGE_FLAGS_2_4.find(({ engine }) => (engine & flag) !== 0)!;
  test(`[2.4 struct page, flags] table 3.2: ${name}`, () => {
    const { machine } = world();
    const { frames } = machine;
    const pfn = allocPages(machine, GFP_KERNEL, 0);
    const zone = frames.zoneIndex(pfn);
    set(frames, pfn);
    expect([is(frames, pfn), flagNames_2_4(flagsWord(machine, pfn, true))]).toEqual([true, [name]]);
    if (testAnd !== null) expect(testAnd(frames, pfn)).toBe(true);
    clear?.(frames, pfn);
    if (clear !== null) expect(is(frames, pfn)).toBe(false);
    expect(frames.zoneIndex(pfn)).toBe(zone);
  });
}

test('[2.4 struct page, flags] the other macros: error, dirty, active, reserved, TryLockPage, UnlockPage ends laundering', () => {
  const { machine } = world();
  const { frames } = machine;
  const pfn = allocPages(machine, GFP_KERNEL, 0);
  expect([macros.tryLockPage(frames, pfn), macros.tryLockPage(frames, pfn)]).toEqual([false, true]);
  macros.setPageLaunder(frames, pfn);
  macros.unlockPage_2_4(frames, pfn);
  expect([macros.pageLocked(frames, pfn), macros.pageLaunder(frames, pfn)]).toEqual([false, false]);
  macros.setPageError(frames, pfn);
  macros.setPageActive(frames, pfn);
  macros.setPageReserved(frames, pfn);
  macros.setPageDirtyBit(frames, pfn);
  expect(flagNames_2_4(flagsWord(machine, pfn, true))).toEqual(['PG_error', 'PG_dirty', 'PG_active', 'PG_reserved']);
  expect([macros.pageError(frames, pfn), macros.pageActive(frames, pfn), macros.pageReserved(frames, pfn)]).toEqual([
    true,
    true,
    true,
  ]);
  macros.clearPageError(frames, pfn);
  macros.clearPageActive(frames, pfn);
  macros.clearPageReserved(frames, pfn);
  macros.clearPageDirty(frames, pfn);
  expect(flagNames_2_4(flagsWord(machine, pfn, true))).toEqual([]);
});

test('[2.4 struct page, flags] the top 8 bits are the number of the zone in zone_table', () => {
  const { machine } = world();
  const word = (pfn: number) => flagsWord(machine, pfn as Pfn, false);
  const first = [0, 4096, 24 * 256];
  expect(first.map((pfn) => zoneBits(word(pfn)))).toEqual([0, 1, 2]);
  expect(first.map((pfn) => pageZone(machine, pfn as Pfn).name)).toEqual(['DMA', 'Normal', 'HighMem']);
  expect(word(24 * 256 + 100) & (1 << 11)).toBe(1 << 11);
  expect([zoneTableIndex(0, 2), zoneTableIndex(3, 1), MAX_NR_NODES_2_4]).toEqual([2, 10, 85]);
  setPageZone(machine.frames, 5000 as Pfn, 255);
  expect(machine.frames.zoneIndex(5000 as Pfn)).toBe(255);
});

test('[2.4 struct page, flags] 2.4.18 names the zone with a pointer, and its word has no zone', () => {
  const { machine } = world('2.4.18');
  const page = structPage(machine, 7000 as Pfn);
  expect([page.zone, zoneBits(page.flags), structPage(world().machine, 7000 as Pfn).zone]).toEqual([
    'HighMem',
    0,
    null,
  ]);
});

test('[2.4 struct page, flags] what each field costs: 44 bytes, 48 with HIGHMEM, 4 more for the pointer to the zone', () => {
  const layout = { highmem: true, zonePointer: false, waitQueue: false };
  expect([structPageBytes({ ...layout, highmem: false }), structPageBytes(layout)]).toEqual([44, 48]);
  expect([
    structPageBytes({ ...layout, zonePointer: true }),
    structPageBytes({ highmem: true, zonePointer: true, waitQueue: true }),
  ]).toEqual([52, 64]);
  expect(structPageFields(layout).map(([name]) => name)).toEqual([
    'list',
    'mapping',
    'index',
    'next_hash',
    'count',
    'flags',
    'lru',
    'pprev_hash',
    'buffers',
    'virtual',
  ]);
  const pages = 32 * 256;
  expect([memMapBytes(world().machine), memMapBytes(world('2.4.18').machine)]).toEqual([48 * pages, 52 * pages]);
  expect(memMapBytes(new Machine({ kernel: '2.4.19', ramBytes: 8 * MIB }))).toBe(44 * 2048);
});

test('[2.4 struct page, flags] a free page, a reserved one, a page of the kernel', () => {
  const { machine } = world();
  const zone = machine.zones[1]!;
  const order = [...Array(10).keys()].find((n) => !machine.frames.listEmpty(zone.freeLists[n]!))!;
  const free = structPage(machine, machine.frames.listFirst(zone.freeLists[order]!));
  expect([free.count, free.mapping, free.list, free.indexUse, free.flagNames]).toEqual([
    0,
    'NULL',
    `free_area[${order}]`,
    'nothing',
    [],
  ]);
  const zero = structPage(machine, machine.zeroPfn);
  expect(zero.flagNames).toContain('PG_reserved');
  const kernel = structPage(machine, allocPages(machine, GFP_KERNEL, 0));
  expect([kernel.count, kernel.mapping, kernel.list, kernel.lru, kernel.virtual]).toEqual([
    1,
    'NULL',
    'none',
    'none',
    0xc0000000 + kernel.pfn * 4096,
  ]);
});

test('[2.4 struct page, flags] a page of a file: offset, hash links, list of its mapping, count; dirty only when the page is', () => {
  const { machine, system } = world();
  system.paths.createFile('/lib/x', 4 * 4096, 'disk');
  const { mapping } = [...machine.inodes.values()].find(({ name }) => name.includes('lib/x'))!;
  const file = openInode(machine, mapping.host, true, true, false);
  filemapRead(machine, file, 0, 3 * 4096, null);
  const page = structPage(machine, filemapGetPage(machine, mapping, 2 as Pgoff));
  expect([page.mapping, page.index, page.indexUse, page.list, page.lru === 'none', page.buffers]).toEqual([
    mapping.host.name,
    2,
    'offset',
    'clean_pages',
    false,
    0,
  ]);
  expect(page.pprevHash).not.toBe(null);
  filemapWrite(machine, file, 2 * 4096, 4096, null);
  const written = structPage(machine, page.pfn);
  // write(2) dirties the buffer; PG_dirty is for stores through a mapping.
  expect([written.buffers, written.count - page.count, written.list, written.flagNames.includes('PG_dirty')]).toEqual([
    1,
    1,
    'clean_pages',
    false,
  ]);
  setPageDirty(machine, page.pfn);
  const dirty = structPage(machine, page.pfn);
  expect([dirty.list, dirty.flagNames.includes('PG_dirty')]).toEqual(['dirty_pages', true]);
  machine.frames.set(page.pfn, PG_writeback);
  expect(structPage(machine, page.pfn).flagNames).toContain('PG_locked');
  machine.frames.clear(page.pfn, PG_writeback);
  expect(dumpMemMap(machine, ({ mapping: name }) => name === mapping.host.name)).toMatch(
    /^\d+: count 2 flags 0x0[12]\w+ PG_[\w|]*PG_dirty[\w|]* mapping \S+ index 2 \(offset\) list dirty_pages lru inactive_list$/m,
  );
});

test('[2.4 struct page, flags] an anonymous page has no mapping; with a slot it belongs to swapper_space, and index is the entry', () => {
  const { machine, system, p } = world();
  system.swapon({ bytes: 4 * MIB, device: 'disk' });
  system.mmap(p, A, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  system.store(p, A, 1);
  const pfn = frameAt(machine, p.mm, vpnOf(A) as Vpn) ?? NO_PFN;
  const page = structPage(machine, pfn);
  expect([page.mapping, page.indexUse, page.list, page.nextHash, page.pprevHash]).toEqual([
    'NULL',
    'nothing',
    'none',
    null,
    null,
  ]);
  machine.frames.set(pfn, PG_locked);
  expect([pageSwapCache(machine, pfn), addToSwap(machine, pfn)]).toEqual([false, true]);
  machine.frames.clear(pfn, PG_locked);
  const cached = structPage(machine, pfn);
  expect([cached.mapping, cached.indexUse, cached.index, cached.list, cached.count - page.count]).toEqual([
    'swapper_space',
    'swap entry',
    machine.frames.private_(pfn),
    'dirty_pages',
    1,
  ]);
  expect([pageSwapCache(machine, pfn), cached.pprevHash === null, cached.flagNames.includes('PG_dirty')]).toEqual([
    true,
    false,
    true,
  ]);
});

test('[2.4 struct page, flags] a page enters the page cache locked, and with none of the flags of what it held before', () => {
  const { machine } = world();
  const { mapping } = newInode(machine, '/n', 'disk', 4096);
  const pfn = filemapAllocAndAdd(machine, mapping, 0 as Pgoff, GFP_KERNEL, GFP_KERNEL);
  expect([machine.frames.has(pfn, macros.CLEARED_IN_CACHE), machine.frames.has(pfn, PG_locked)]).toEqual([false, true]);
  unlockPage(machine, pfn);
});
