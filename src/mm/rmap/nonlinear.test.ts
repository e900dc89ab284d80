import { describe, expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../../test/space.ts';
import { EINVAL } from '../errno.ts';
import { truncateSetsize } from '../fallocate.ts';
import type { File } from '../fs.ts';
import { doMadvise } from '../madvise.ts';
import { doMlock } from '../mlock.ts';
import type { Mm } from '../mm.ts';
import { PG_dirty, PG_locked } from '../page_flags.ts';
import { PTE_FILE, PTE_YOUNG } from '../page_table.ts';
import { MADV_DONTNEED, MAP_NONBLOCK, MAP_PRIVATE, MAP_SHARED, PROT_READ } from '../uapi.ts';
import { NO_PFN, type Pfn } from '../units.ts';
import { verify } from '../verify.ts';
import { VM_NONLINEAR } from '../vm_flags.ts';
import { isNonlinear, nonlinearVmas } from './nonlinear.ts';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS } from './swap_verdict.ts';

function space(): Space {
  return new Space({ kernel: '2.6.24', swap: 'zram' });
}
/** remap_file_pages: `pages` pages from `page` on show the file from `pgoff` on. */
function remap(s: Space, page: number, pages: number, pgoff: number, flags = 0, prot = 0): number {
  return s.machine.generation.remapFilePages(s.machine, s.mm, (PAGE + page) * 4096, pages * 4096, prot, pgoff, flags);
}
function cached(file: File, index: number): Pfn {
  return (file.mapping.pages.load(index) - 1) as Pfn;
}
function ageAll(s: Space, page: number, pages: number, mm: Mm = s.mm): void {
  for (let i = page; i < page + pages; i++)
    if (s.slot(i, mm) >= 0) s.machine.pageTables.clear(s.slot(i, mm), PTE_YOUNG);
}
function tryToUnmap(s: Space, pfn: Pfn): number | undefined {
  s.machine.frames.set(pfn, PG_locked);
  const { rmap } = s.machine;
  rmap.tryToUnmap(pfn);
  s.machine.frames.clear(pfn, PG_locked);
  return rmap.unmapResult;
}
/** A tmpfs file mapped page by page in reverse: page i of the VMA shows page pages - 1 - i. */
function reversed(s: Space, pages: number): File {
  const file = s.file('tmpfs', pages);
  s.map(0, pages, MAP_SHARED, RW, file);
  for (let i = 0; i < pages; i++) expect(remap(s, i, 1, pages - 1 - i, MAP_NONBLOCK)).toBe(0);
  return file;
}

describe('remap_file_pages', () => {
  test('marks the VMA, moves it from the tree to the list, and faults the pages in', () => {
    const s = space();
    const file = s.file('tmpfs', 16);
    s.map(0, 4, MAP_SHARED, RW, file);
    s.storeAll(0, 4);
    const before = s.pfn(1);
    expect(remap(s, 1, 2, 8)).toBe(0);
    const vma = s.vma(0);
    expect([isNonlinear(vma), nonlinearVmas(file.mapping), file.mapping.iMmap.firstIn(0, 15)]).toEqual([
      true,
      [vma],
      null,
    ]);
    expect([s.pfn(1), s.pfn(2)]).toEqual([cached(file, 8), cached(file, 9)]);
    expect([s.machine.frames.mapcount(before), s.machine.frames.has(before, PG_dirty)]).toEqual([0, true]);
    expect([s.vma(0).pages, s.mm.mapCount]).toEqual([4, 1]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('with MAP_NONBLOCK only the entries say what shall be there', () => {
    const s = space();
    const file = s.file('tmpfs', 16);
    s.map(0, 4, MAP_SHARED, RW, file);
    expect(remap(s, 0, 4, 4, MAP_NONBLOCK)).toBe(0);
    const { pageTables } = s.machine;
    for (let i = 0; i < 4; i++) expect([s.pte(i, PTE_FILE), pageTables.filePgoff(s.slot(i))]).toEqual([true, 4 + i]);
    const token = s.machine.newToken();
    s.store(2, s.mm, token);
    expect([s.pfn(2), s.machine.frames.token(cached(file, 6))]).toEqual([cached(file, 6), token]);
    // A page of the VMA that was never named shows its own.
    expect(remap(s, 3, 1, 12)).toBe(0);
    expect(s.pfn(3)).toBe(cached(file, 12));
  });

  test('what is there anyway needs no call, and leaves the VMA linear', () => {
    const s = space();
    s.map(0, 4, MAP_SHARED, RW, s.file('tmpfs', 16), 2);
    expect([remap(s, 1, 2, 3), isNonlinear(s.vma(0))]).toEqual([0, false]);
  });

  test('a file of a disk counts its dirty pages: it gets a linear mapping instead', () => {
    const s = space();
    const file = s.file('disk', 16);
    s.map(0, 4, MAP_SHARED, RW, file);
    expect(remap(s, 1, 1, 9)).toBe(0);
    expect([s.mm.mapCount, isNonlinear(s.vma(1)), s.vma(1).vmPgoff, s.vma(2).vmPgoff]).toEqual([3, false, 9, 2]);
    // Not faulted in: that is left to whoever comes.
    expect(s.pfn(1)).toBe(NO_PFN);
    s.load(1);
    expect(s.pfn(1)).toBe(cached(file, 9));
    expect(verify(s.machine)).toEqual([]);
  });

  for (const { why, call } of [
    { why: 'prot is not 0', call: (s: Space) => remap(s, 0, 1, 5, 0, PROT_READ) },
    { why: 'no page', call: (s: Space) => remap(s, 0, 0, 5) },
    { why: 'it reaches over the end of the VMA', call: (s: Space) => remap(s, 2, 4, 5) },
    { why: 'nothing is mapped there', call: (s: Space) => remap(s, 30, 1, 5) },
    { why: 'it begins before the VMA', call: (s: Space) => remap(s, 7, 2, 5) },
    { why: 'the mapping is private', call: (s: Space) => remap(s, 16, 1, 5) },
    { why: 'it is anonymous', call: (s: Space) => remap(s, 24, 1, 5) },
    { why: 'an entry has no room for the page number', call: (s: Space) => remap(s, 0, 1, 2 ** 32) },
  ]) {
    test(`EINVAL: ${why}`, () => {
      const s = space();
      const file = s.file('tmpfs', 16);
      s.map(0, 4, MAP_SHARED, RW, file);
      s.map(8, 4, MAP_SHARED, RW, file);
      s.map(16, 4, MAP_PRIVATE, RW, file);
      s.map(24, 4);
      expect(call(s)).toBe(-EINVAL);
      for (const page of [0, 8, 16, 24]) expect(s.vma(page).vmFlags & VM_NONLINEAR).toBe(0);
    });
  }

  test('other kernels make a new mapping of it', () => {
    const s = new Space({ kernel: '6.1' });
    s.map(0, 4, MAP_SHARED, RW, s.file('tmpfs', 16));
    expect([remap(s, 1, 1, 9), s.mm.mapCount]).toEqual([0, 3]);
  });
});

describe('sweeps', () => {
  test('[2.6 nonlinear] cursors and clusters of 32: a frame mapped only there needs several tries, entries become pgoff entries', () => {
    const s = space();
    const file = reversed(s, 100);
    s.loadAll(0, 100);
    ageAll(s, 0, 100);
    const { pageTables, work } = s.machine;
    const vma = s.vma(0);
    // Page 0 of the file stands in the last cluster; each try takes out as many entries as map it: one cluster at a time.
    const pfn = cached(file, 0);
    const tries: [number | undefined, number, number][] = [];
    for (let i = 0; i < 4; i++) {
      const before = work.ptesVisited;
      tries.push([tryToUnmap(s, pfn), work.ptesVisited - before, vma.nonlinearCursor]);
    }
    expect(tries).toEqual([
      [SWAP_AGAIN, 32, 32],
      [SWAP_AGAIN, 32, 64],
      [SWAP_AGAIN, 32, 96],
      [SWAP_SUCCESS, 4, 128],
    ]);
    for (let i = 0; i < 100; i++) expect([s.pte(i, PTE_FILE), pageTables.filePgoff(s.slot(i))]).toEqual([true, 99 - i]);
    expect(s.mm.rssPages).toBe(0);
    expect(verify(s.machine)).toEqual([]);
    // What was taken out comes back as it was.
    s.load(99);
    expect(s.pfn(99)).toBe(pfn);
  });

  test('[2.6 vector nonlinear] a VMA of 100 pages at an address aligned to 32: clusters 32, 32, 32, 4; else they are aligned all the same', () => {
    for (const { at, want } of [
      { at: 0, want: [32, 32, 32, 4] },
      { at: 5, want: [27, 32, 32, 9] },
      { at: 31, want: [1, 32, 32, 32] },
    ]) {
      const s = space();
      const file = s.file('tmpfs', 200);
      s.map(at, 100, MAP_SHARED, RW, file);
      expect(remap(s, at, 100, 100, MAP_NONBLOCK)).toBe(0);
      s.loadAll(at, 100);
      ageAll(s, at, 100);
      // A page that stands in the tail, so that every cluster before is swept first.
      const pfn = s.pfn(at + 99);
      const clusters: number[] = [];
      for (let i = 0; i < 4; i++) {
        const before = s.mm.rssPages;
        tryToUnmap(s, pfn);
        clusters.push(before - s.mm.rssPages);
      }
      expect(clusters).toEqual(want);
    }
  });

  test('young entries stay for this time, those in their linear place leave nothing behind', () => {
    const s = space();
    const file = s.file('tmpfs', 32);
    s.map(0, 32, MAP_SHARED, RW, file);
    expect(remap(s, 0, 1, 31)).toBe(0);
    s.loadAll(0, 32);
    ageAll(s, 0, 32);
    s.load(5);
    tryToUnmap(s, cached(file, 31));
    const { pageTables } = s.machine;
    expect([s.pte(0, PTE_FILE), pageTables.isNone(s.slot(1)), s.pfn(5)]).toEqual([true, true, cached(file, 5)]);
    expect(s.pte(5, PTE_YOUNG)).toBe(false);
  });

  test('all are locked: SWAP_FAIL; one is: the others are swept', () => {
    const s = space();
    const file = reversed(s, 32);
    s.loadAll(0, 32);
    const child = s.fork().mm!;
    expect(nonlinearVmas(file.mapping)).toEqual([s.vma(0), s.vma(0, child)]);
    ageAll(s, 0, 32);
    doMlock(s.machine, s.mm, PAGE * 4096, 32 * 4096, false);
    ageAll(s, 0, 32);
    ageAll(s, 0, 32, child);
    expect(tryToUnmap(s, s.pfn(3))).toBe(SWAP_AGAIN);
    expect([s.mm.rssPages, child.rssPages]).toEqual([32, 0]);
    doMlock(s.machine, child, PAGE * 4096, 32 * 4096, false);
    expect(tryToUnmap(s, s.pfn(3))).toBe(SWAP_FAIL);
  });

  test('once around without success, and all begin anew', () => {
    const s = space();
    const file = reversed(s, 64);
    s.loadAll(0, 64);
    // All are young: the first round only ages them.
    expect(tryToUnmap(s, cached(file, 7))).toBe(SWAP_AGAIN);
    expect([s.vma(0).nonlinearCursor, s.mm.rssPages]).toEqual([0, 64]);
    expect(tryToUnmap(s, cached(file, 7))).toBe(SWAP_AGAIN);
    expect([s.vma(0).nonlinearCursor, s.mm.rssPages]).toEqual([32, 32]);
  });
});

describe('what else happens to nonlinear VMAs', () => {
  test('a fork copies entries of both kinds', () => {
    const s = space();
    const file = reversed(s, 8);
    s.loadAll(0, 4);
    const child = s.fork().mm!;
    expect([s.pfn(1, child), s.pte(6, PTE_FILE, child)]).toEqual([cached(file, 6), true]);
    s.load(6, child);
    expect(s.pfn(6, child)).toBe(cached(file, 1));
    expect(verify(s.machine)).toEqual([]);
  });

  test('truncation takes out what is behind the end, wherever it stands, and notes it', () => {
    const s = space();
    const file = reversed(s, 8);
    s.storeAll(0, 8);
    truncateSetsize(s.machine, file.inode, 4 * 4096);
    const { pageTables } = s.machine;
    // Pages 7 … 4 stood in front.
    for (let i = 0; i < 4; i++) expect([s.pte(i, PTE_FILE), pageTables.filePgoff(s.slot(i))]).toEqual([true, 7 - i]);
    for (let i = 4; i < 8; i++) expect(s.pfn(i)).toBe(cached(file, 7 - i));
    expect([s.load(0), s.load(5)]).toEqual([7 * 256 + 2, 0]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('MADV_DONTNEED takes the pages, and leaves their order', () => {
    const s = space();
    const file = reversed(s, 8);
    s.storeAll(0, 8);
    expect(doMadvise(s.machine, s.mm, PAGE * 4096, 8 * 4096, MADV_DONTNEED)).toBe(0);
    expect([s.pfn(2), s.mm.rssPages]).toEqual([NO_PFN, 0]);
    s.load(2);
    expect(s.pfn(2)).toBe(cached(file, 5));
  });
});
