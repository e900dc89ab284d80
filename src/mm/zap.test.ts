import { describe, expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { filemapGetPage, filemapRead } from './filemap.ts';
import { doMadvise } from './madvise.ts';
import { doMlock } from './mlock.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from './mm.ts';
import { PG_active, PG_dirty, PG_mlocked, PG_referenced } from './page_flags.ts';
import { PTE_DIRTY, PTE_MARKER, PTE_YOUNG } from './page_table.ts';
import { swapCount } from './swap/swapfile.ts';
import { MADV_GUARD_INSTALL, MAP_PRIVATE, MAP_SHARED, PROT_READ } from './uapi.ts';
import type { Pgoff, Vpn } from './units.ts';
import { verify } from './verify.ts';
import { VM_RAND_READ, VM_SEQ_READ } from './vm_flags.ts';
import { reapMm, unmapMappingRange, unmapVmas, zapPageRange } from './zap.ts';

function zap(s: Space, page: number, pages: number, dropMarkers = false, evenCows = true): void {
  zapPageRange(s.machine, s.vma(page), s.vpn(page), s.vpn(page + pages), dropMarkers, evenCows);
}

describe('a file page learns what its entry knew', () => {
  for (const { why, bits, flags = 0, kernel = '6.18', dirty, referenced } of [
    { why: 'neither used nor written', bits: 0, dirty: false, referenced: false },
    { why: 'written', bits: PTE_DIRTY, dirty: true, referenced: false },
    { why: 'used', bits: PTE_YOUNG, dirty: false, referenced: true },
    { why: 'both', bits: PTE_DIRTY | PTE_YOUNG, dirty: true, referenced: true },
    {
      why: 'used by a sequential reader: he will not come again',
      bits: PTE_YOUNG,
      flags: VM_SEQ_READ,
      dirty: false,
      referenced: false,
    },
    { why: 'used by a random reader', bits: PTE_YOUNG, flags: VM_RAND_READ, dirty: false, referenced: false },
    {
      why: '6.1: used by a random reader',
      kernel: '6.1',
      bits: PTE_YOUNG,
      flags: VM_RAND_READ,
      dirty: false,
      referenced: true,
    },
    {
      why: '6.1: used by a sequential reader',
      kernel: '6.1',
      bits: PTE_YOUNG,
      flags: VM_SEQ_READ,
      dirty: false,
      referenced: false,
    },
  ]) {
    test(why, () => {
      const s = new Space({ kernel });
      const file = s.file('disk', 1);
      filemapRead(s.machine, file, 0, 4096, null);
      s.map(0, 1, MAP_SHARED, RW, file);
      s.load(0);
      const pfn = s.pfn(0);
      s.vma(0).vmFlags |= flags;
      s.machine.frames.clear(pfn, PG_referenced | PG_dirty);
      s.machine.pageTables.clear(s.slot(0), PTE_YOUNG | PTE_DIRTY);
      s.machine.pageTables.set(s.slot(0), bits);
      zap(s, 0, 1);
      expect([s.machine.frames.has(pfn, PG_dirty), s.machine.frames.has(pfn, PG_referenced)]).toEqual([
        dirty,
        referenced,
      ]);
      expect([s.pfn(0), s.mm.rss[MM_FILEPAGES], s.machine.frames.mapcount(pfn)]).toEqual([-1, 0, 0]);
    });
  }

  test('used through two mappings: active when both are gone', () => {
    const s = new Space();
    const file = s.file('disk', 1);
    filemapRead(s.machine, file, 0, 4096, null);
    s.map(0, 1, MAP_SHARED, PROT_READ, file);
    s.map(8, 1, MAP_SHARED, PROT_READ, file);
    s.load(0);
    s.load(8);
    const pfn = s.pfn(0);
    s.machine.frames.clear(pfn, PG_referenced);
    zap(s, 0, 1);
    zap(s, 8, 1);
    s.machine.lru.drain();
    expect(s.machine.frames.has(pfn, PG_active)).toBe(true);
  });
});

for (const { kernel, why, references } of [
  { kernel: '6.18', why: 'stay until the next drain', references: [2, 1, 1, 2] },
  { kernel: '6.1', why: 'are free at once', references: [1, 0, 0, 1] },
]) {
  test(`anonymous pages that wait for their list ${why} (${kernel})`, () => {
    const s = new Space({ kernel });
    s.map(0, 4);
    s.storeAll(0, 4);
    const pfns = [0, 1, 2, 3].map((page) => s.pfn(page));
    zap(s, 1, 2);
    expect(pfns.map((pfn) => s.machine.frames.refcount(pfn))).toEqual(references);
    expect([s.mm.rss[MM_ANONPAGES], s.mm.hiwaterRss]).toEqual([2, 4]);
    expect(verify(s.machine)).toEqual([]);
  });
}

test('a swapped page’s slot is free, or has one user less', () => {
  const s = new Space({ swap: 'zram' });
  s.map(0, 2);
  s.storeAll(0, 2);
  expect(s.pageout(0, 1)).toBe(2);
  const entries = [0, 1].map((page) => s.machine.pageTables.swapEntry(s.slot(page)));
  const child = s.fork();
  const free = s.machine.swap.nrSwapPages;
  zap(s, 0, 2);
  expect([entries.map((entry) => swapCount(s.machine, entry)), s.mm.rss[MM_SWAPENTS]]).toEqual([[1, 1], 0]);
  s.exit(child);
  expect(s.machine.swap.nrSwapPages).toBe(free + 2);
  expect(verify(s.machine)).toEqual([]);
});

test('a page that is in the swap cache as well leaves no copy behind', () => {
  const s = new Space({ swap: 'disk' });
  s.map(0, 1);
  s.store(0);
  const free = s.machine.swap.nrSwapPages;
  s.pageout(0);
  s.machine.advance(1e9);
  s.load(0);
  expect(s.machine.swap.nrSwapPages).toBe(free - 1);
  zap(s, 0, 1);
  expect(s.machine.swap.nrSwapPages).toBe(free);
  expect(verify(s.machine)).toEqual([]);
});

describe('guard markers', () => {
  for (const { why, dropMarkers, left } of [
    { why: 'stay when pages are dropped', dropMarkers: false, left: true },
    { why: 'go with the mapping', dropMarkers: true, left: false },
  ]) {
    test(why, () => {
      const s = new Space();
      s.map(0, 4);
      doMadvise(s.machine, s.mm, (PAGE + 1) * 4096, 4096, MADV_GUARD_INSTALL);
      s.store(2);
      zap(s, 0, 4, dropMarkers);
      expect([s.pte(1, PTE_MARKER), s.pfn(2)]).toEqual([left, -1]);
    });
  }

  test('unmapping takes them, over several VMAs and their holes, and only in the range', () => {
    const s = new Space();
    for (const page of [0, 8, 16]) {
      s.map(page, 4);
      s.storeAll(page, 4);
    }
    doMadvise(s.machine, s.mm, (PAGE + 9) * 4096, 4096, MADV_GUARD_INSTALL);
    unmapVmas(s.machine, s.mm, s.vpn(2), s.vpn(17));
    const left = Array.from({ length: 20 }, (_, i) => i).filter((page) => s.pfn(page) >= 0 || s.pte(page, PTE_MARKER));
    expect(left).toEqual([0, 1, 17, 18, 19]);
  });
});

for (const { why, evenCows, want } of [
  { why: 'truncation takes private copies, too', evenCows: true, want: [-1, -1] },
  { why: 'invalidation leaves them', evenCows: false, want: [-1, 'copy'] },
] as const) {
  test(`a range of a file: ${why}`, () => {
    const s = new Space({ sysctl: { faultAroundBytes: 4096 } });
    const file = s.file('disk', 8);
    s.map(0, 8, MAP_SHARED, PROT_READ, file);
    s.map(16, 4, MAP_PRIVATE, RW, file, 2);
    s.loadAll(0, 8);
    s.storeAll(16, 4);
    const copy = s.pfn(17);
    unmapMappingRange(s.machine, file.mapping, 3 as Pgoff, 5, evenCows);
    expect([0, 1, 2, 3, 4, 5, 6, 7].filter((page) => s.pfn(page) < 0)).toEqual([3, 4]);
    expect([s.pfn(3), s.pfn(17)]).toEqual([want[0], want[1] === 'copy' ? copy : -1]);
    expect([s.pfn(16) >= 0, s.pfn(19) >= 0]).toEqual([true, true]);
    expect(verify(s.machine)).toEqual([]);
  });
}

test('the OOM reaper takes what is not shared', () => {
  const s = new Space();
  const file = s.file('disk', 2);
  s.map(0, 2);
  s.map(8, 2, MAP_SHARED);
  s.map(16, 2, MAP_PRIVATE, RW, file);
  s.map(24, 2, MAP_SHARED, RW, file);
  for (const page of [0, 8, 16, 24]) s.store(page);
  reapMm(s.machine, s.mm);
  expect([0, 8, 16, 24].map((page) => s.pfn(page) >= 0)).toEqual([false, true, false, true]);
  expect([s.mm.rss[MM_ANONPAGES], s.mm.rss[MM_SHMEMPAGES], s.mm.exiting]).toEqual([0, 1, true]);
});

test('a locked page is not locked any more when its last mapping goes', () => {
  const s = new Space();
  const file = s.file('disk', 1);
  s.map(0, 1, MAP_SHARED, PROT_READ, file);
  doMlock(s.machine, s.mm, PAGE * 4096, 4096, false);
  s.machine.lru.drain();
  const pfn = filemapGetPage(s.machine, file.mapping, 0 as Pgoff);
  expect(s.machine.frames.has(pfn, PG_mlocked)).toBe(true);
  zap(s, 0, 1);
  s.machine.lru.drain();
  expect([s.machine.frames.has(pfn, PG_mlocked), s.list('inactive_file').includes(pfn)]).toEqual([false, true]);
});

test('a range where no table is takes no time', () => {
  const s = new Space();
  s.map(0, 1);
  s.store(0);
  const walked: number[] = [];
  const next = s.machine.pageTables.nextTable.bind(s.machine.pageTables);
  s.machine.pageTables.nextTable = (root, vpn, end) => {
    walked.push(vpn);
    return next(root, vpn, end);
  };
  unmapVmas(s.machine, s.mm, 0 as Vpn, (2 ** 34) as Vpn);
  expect([walked.length <= 2, s.pfn(0)]).toEqual([true, -1]);
});

test('truncation leaves guard markers: they belong to the mapping', () => {
  const s = new Space();
  const file = s.file('disk', 4);
  s.map(0, 4, MAP_SHARED, RW, file);
  s.storeAll(0, 4);
  doMadvise(s.machine, s.mm, (PAGE + 2) * 4096, 4096, MADV_GUARD_INSTALL);
  unmapMappingRange(s.machine, file.mapping, 1 as Pgoff, 4, true);
  expect([1, 2, 3].map((page) => s.pte(page, PTE_MARKER))).toEqual([false, true, false]);
});
