/** What fork of 2.4 copies, where address spaces stand, where mappings go and which of them merge. */
import { describe, expect, test } from 'vitest';
import { Space_2_4 } from '../../test/space_2_4.ts';
import { doMadvise } from './madvise.ts';
import { doMlock } from './mlock.ts';
import { MM_FILEPAGES } from './mm.ts';
import { doMmap } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { doMunmap } from './munmap.ts';
import { PTE_DIRTY, PTE_RW, PTE_YOUNG } from './page_table.ts';
import {
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_RANDOM,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import { PAGE_SIZE } from './units.ts';
import { taskUnmappedBase } from './unmapped_area.ts';

const RW = PROT_READ | PROT_WRITE;

describe('[2.4 fork]', () => {
  test('[2.4 fork] private pages: both entries read-only, the child old; the child counts what it maps', () => {
    const s = new Space_2_4();
    s.map(0, 2);
    s.storeAll(0, 2);
    const { mm } = s.fork();
    expect(s.count(s.pfn(0))).toBe(2);
    expect([s.pte(0, PTE_RW), s.pte(0, PTE_RW, mm!), s.pte(0, PTE_YOUNG), s.pte(0, PTE_YOUNG, mm!)]).toEqual([
      false,
      false,
      true,
      false,
    ]);
    // Private memory stays dirty: nothing else holds what it holds.
    expect(s.pte(0, PTE_DIRTY, mm!)).toBe(true);
    expect(mm!.rssPages).toBe(2);
  });

  test('[2.4 fork] entries of file mappings are copied, too, and those of shared ones are clean in the child', () => {
    const s = new Space_2_4();
    const file = s.file('disk', 2);
    s.map(0, 2, MAP_SHARED, undefined, file);
    s.store(0);
    s.load(1);
    const { mm } = s.fork();
    expect(mm!.rss[MM_FILEPAGES]).toBe(2);
    expect(s.pfn(0, mm!)).toBe(s.pfn(0));
    expect([s.pte(0, PTE_DIRTY), s.pte(0, PTE_DIRTY, mm!), s.pte(0, PTE_RW, mm!)]).toEqual([true, false, true]);
    expect(s.count(s.pfn(0))).toBe(3);
  });

  test('[2.4 fork] swap entries: the count of each slot grows by one', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 1);
    s.store(0);
    for (let i = 0; i < 3; i++) {
      s.swapOut();
      s.refill(10);
    }
    s.shrink();
    s.shrink();
    const entry = s.entry(0);
    const before = s.sm(entry);
    const { mm } = s.fork();
    expect(s.sm(entry)).toBe(before + 1);
    expect(s.machine.pageTables.swapEntry(s.slot(0, mm!))).toBe(entry);
  });

  test('[2.4 fork] mmlist: a child stands directly behind its parent; locks are not inherited', () => {
    const s = new Space_2_4();
    s.map(0, 1);
    doMlock(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, PAGE_SIZE, false);
    expect(s.mm.lockedVm).toBe(1);
    const a = s.fork().mm!;
    const b = s.fork().mm!;
    const aa = s.fork(a).mm!;
    expect(s.machine.mms).toEqual([s.mm, b, a, aa]);
    expect(a.lockedVm).toBe(0);
    expect(a.vmas.first()!.vmFlags & 0x2000).toBe(0);
    expect(s.machine.verify()).toEqual([]);
  });
});

describe('address layout and VMAs', () => {
  const anonymous = (s: Space_2_4, addr: number, pages: number, flags = 0): number =>
    doMmap(s.machine, s.mm, addr, pages * PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | flags, null, 0);

  test('mmap: bottom-up from a third of user space, first fit, and a hint is taken if it is free', () => {
    const s = new Space_2_4();
    const base = taskUnmappedBase(s.mm);
    const first = anonymous(s, 0, 2);
    expect(first).toBe(base);
    expect(anonymous(s, 0, 1)).toBe(base + 2 * PAGE_SIZE);
    doMunmap(s.machine, s.mm, base, PAGE_SIZE);
    expect(anonymous(s, 0, 2)).toBe(base + 3 * PAGE_SIZE);
    expect(anonymous(s, 0, 1)).toBe(base);
    expect(anonymous(s, 0x5001000, 1)).toBe(0x5001000);
    expect(anonymous(s, 0x5001000, 1)).not.toBe(0x5001000);
    expect(anonymous(s, 0x5001000, 1, MAP_FIXED)).toBe(0x5001000);
  });

  test('only anonymous memory merges', () => {
    const s = new Space_2_4();
    s.map(0, 2);
    s.map(2, 2);
    expect(s.mm.mapCount).toBe(1);
    const file = s.file('disk', 8);
    s.map(10, 2, MAP_PRIVATE, RW, file, 0);
    s.map(12, 2, MAP_PRIVATE, RW, file, 2);
    expect(s.mm.mapCount).toBe(3);
    s.map(20, 2, MAP_SHARED);
    s.map(22, 2, MAP_SHARED);
    expect(s.mm.mapCount).toBe(5);
  });

  test('mprotect splits and joins again; mlock and madvise split and never join', () => {
    const s = new Space_2_4();
    s.map(0, 6);
    const protect = (page: number, prot: number): number =>
      doMprotect(s.machine, s.mm, s.vpn(page) * PAGE_SIZE, 2 * PAGE_SIZE, prot);
    expect(protect(2, PROT_READ)).toBe(0);
    expect(s.mm.mapCount).toBe(3);
    expect(protect(2, RW)).toBe(0);
    expect(s.mm.mapCount).toBe(1);
    doMlock(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, 2 * PAGE_SIZE, false);
    doMlock(s.machine, s.mm, s.vpn(2) * PAGE_SIZE, 2 * PAGE_SIZE, false);
    expect(s.mm.mapCount).toBe(3);
    expect(s.machine.verify()).toEqual([]);
  });

  test('mprotect makes shared entries writable again at once', () => {
    const s = new Space_2_4();
    s.map(0, 1, MAP_SHARED, RW, s.file('disk', 1));
    s.load(0);
    doMprotect(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, PAGE_SIZE, PROT_READ);
    expect(s.pte(0, PTE_RW)).toBe(false);
    doMprotect(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, PAGE_SIZE, RW);
    expect(s.pte(0, PTE_RW)).toBe(true);
  });

  for (const { advice, want } of [
    { advice: MADV_RANDOM, want: 0 },
    { advice: MADV_DONTNEED, want: 0 },
    { advice: MADV_FREE, want: -22 },
    { advice: MADV_PAGEOUT, want: -22 },
  ]) {
    test(`madvise ${advice}: ${want}`, () => {
      const s = new Space_2_4();
      s.map(0, 2);
      expect(doMadvise(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, PAGE_SIZE, advice)).toBe(want);
    });
  }

  test('mlock: half of memory is the most', () => {
    const s = new Space_2_4({ ramBytes: 16 * 2 ** 20 });
    s.map(0, 3000);
    expect(doMlock(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, 2049 * PAGE_SIZE, false)).toBe(-12);
    expect(doMlock(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, 100 * PAGE_SIZE, false)).toBe(0);
    expect([s.mm.lockedVm, s.mm.rssPages]).toEqual([100, 100]);
  });
});
