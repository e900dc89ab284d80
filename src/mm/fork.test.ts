import { describe, expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { ENOMEM } from './errno.ts';
import { filemapRead } from './filemap.ts';
import { dupMm, newTask } from './fork.ts';
import { doMadvise } from './madvise.ts';
import { readToken } from './memory.ts';
import { doMlock } from './mlock.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from './mm.ts';
import { nrFreePages } from './page_alloc.ts';
import { PG_anon_exclusive } from './page_flags.ts';
import { PTE_DIRTY, PTE_MARKER, PTE_RW, PTE_SWAP, PTE_SWP_EXCLUSIVE, PTE_TLB, PTE_YOUNG } from './page_table.ts';
import { swapCount } from './swap/swapfile.ts';
import { MADV_DONTFORK, MADV_GUARD_INSTALL, MADV_WIPEONFORK, MAP_PRIVATE, MAP_SHARED, PROT_READ } from './uapi.ts';
import type { Token } from './units.ts';
import { verify } from './verify.ts';
import { VM_LOCKED } from './vm_flags.ts';

describe('what a child has of its parent’s entries', () => {
  test('[6.x PageAnonExclusive] a private page: the same frame, read-only for both, young for the parent alone', () => {
    const s = new Space();
    s.map(0, 1);
    s.store(0, s.mm, 7 as Token);
    s.machine.pageTables.set(s.slot(0), PTE_TLB);
    const child = s.fork().mm!;
    expect([s.pfn(0, child) === s.pfn(0), s.machine.frames.mapcount(s.pfn(0))]).toEqual([true, 2]);
    expect([s.pte(0, PTE_RW), s.pte(0, PTE_RW, child)]).toEqual([false, false]);
    expect([s.pte(0, PTE_YOUNG), s.pte(0, PTE_YOUNG, child)]).toEqual([true, false]);
    expect([s.pte(0, PTE_DIRTY, child), s.pte(0, PTE_TLB, child), s.pte(0, PTE_TLB)]).toEqual([true, false, false]);
    expect(s.machine.frames.has(s.pfn(0), PG_anon_exclusive)).toBe(false);
    expect([child.rss[MM_ANONPAGES], readToken(s.machine, child, s.vpn(0))]).toEqual([1, 7]);
  });

  test('shared memory: none, they can be faulted in again', () => {
    const s = new Space();
    s.map(0, 2, MAP_SHARED);
    s.storeAll(0, 2);
    const child = s.fork().mm!;
    expect([s.pfn(0, child), child.rss[MM_SHMEMPAGES], child.pageTables.tables, s.pte(0, PTE_RW)]).toEqual([
      -1,
      0,
      0,
      true,
    ]);
    s.load(0, child);
    expect(s.pfn(0, child)).toBe(s.pfn(0));
  });

  test('a private file mapping: none, or if it has pages of its own, all', () => {
    for (const written of [false, true]) {
      const s = new Space();
      const file = s.file('disk', 4);
      filemapRead(s.machine, file, 0, 4 * 4096, null);
      s.map(0, 4, MAP_PRIVATE, RW, file);
      s.loadAll(0, 4);
      if (written) s.store(0);
      const child = s.fork().mm!;
      expect([child.rss[MM_FILEPAGES], child.rss[MM_ANONPAGES]]).toEqual(written ? [3, 1] : [0, 0]);
      if (!written) continue;
      expect([s.pfn(1, child) === s.pfn(1), s.pte(1, PTE_RW, child)]).toEqual([true, false]);
      expect(verify(s.machine)).toEqual([]);
    }
  });

  test('the zero page, which nobody counts', () => {
    const s = new Space();
    s.map(0, 2);
    s.load(0);
    s.store(1);
    const child = s.fork().mm!;
    expect([s.pfn(0, child), child.rss[MM_ANONPAGES], s.machine.frames.mapcount(s.machine.zeroPfn)]).toEqual([
      s.machine.zeroPfn,
      1,
      0,
    ]);
  });

  test('[6.x swap exclusive bit] a swapped page: its slot once more, and nobody’s own any longer', () => {
    const s = new Space({ swap: 'zram' });
    s.map(0, 1);
    s.store(0);
    expect(s.pageout(0)).toBe(1);
    expect(s.pte(0, PTE_SWP_EXCLUSIVE)).toBe(true);
    const entry = s.machine.pageTables.swapEntry(s.slot(0));
    const child = s.fork().mm!;
    expect([s.pte(0, PTE_SWAP, child), s.machine.pageTables.swapEntry(s.slot(0, child))]).toEqual([true, entry]);
    expect([s.pte(0, PTE_SWP_EXCLUSIVE), s.pte(0, PTE_SWP_EXCLUSIVE, child)]).toEqual([false, false]);
    expect([swapCount(s.machine, entry), child.rss[MM_SWAPENTS]]).toEqual([2, 1]);
  });

  test('a guard region', () => {
    const s = new Space();
    s.map(0, 4);
    doMadvise(s.machine, s.mm, (PAGE + 1) * 4096, 4096, MADV_GUARD_INSTALL);
    const child = s.fork().mm!;
    expect([s.pte(1, PTE_MARKER, child), s.load(1, child) !== 0, s.load(2, child)]).toEqual([true, true, 0]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('tables for what is there, and no others', () => {
    const s = new Space();
    s.map(0, 512 * 4);
    s.store(0);
    s.store(512 * 2);
    const child = s.fork().mm!;
    expect([s.mm.pageTables.leafTables, child.pageTables.leafTables]).toEqual([2, 2]);
    s.map(512 * 8, 512);
    s.load(512 * 8);
    // Never written: no anon_vma, so nothing is copied, not even the zero page.
    expect([s.mm.pageTables.leafTables, s.fork().mm!.pageTables.leafTables]).toEqual([3, 2]);
  });
});

describe('[6.x WIPEONFORK, DONTFORK, DONTCOPY] what a child has of its parent’s regions', () => {
  for (const { why, advice, there, token } of [
    { why: 'all of it', advice: null, there: true, token: 7 },
    { why: 'not what is advised to stay (MADV_DONTFORK)', advice: MADV_DONTFORK, there: false, token: -1 },
    { why: 'empty what is advised to be wiped', advice: MADV_WIPEONFORK, there: true, token: 0 },
  ]) {
    test(why, () => {
      const s = new Space();
      s.map(0, 2);
      s.map(8, 2);
      s.store(0, s.mm, 7 as Token);
      s.store(8);
      if (advice !== null) doMadvise(s.machine, s.mm, PAGE * 4096, 2 * 4096, advice);
      const total = s.mm.totalVm;
      const child = s.fork().mm!;
      expect([child.vmas.size, child.totalVm]).toEqual(there ? [2, total] : [1, total - 2]);
      if (there) s.load(0, child);
      expect(readToken(s.machine, child, s.vpn(0))).toBe(token);
      expect(readToken(s.machine, s.mm, s.vpn(0))).toBe(7);
      expect(verify(s.machine)).toEqual([]);
    });
  }

  test('a lock is not inherited', () => {
    const s = new Space();
    s.map(0, 2);
    expect(doMlock(s.machine, s.mm, PAGE * 4096, 2 * 4096, false)).toBe(0);
    const child = s.fork().mm!;
    expect([s.vma(0).vmFlags & VM_LOCKED, s.vma(0, child).vmFlags & VM_LOCKED, s.mm.lockedVm, child.lockedVm]).toEqual([
      VM_LOCKED,
      0,
      2,
      0,
    ]);
  });

  test('the file has one mapping more, and one less when the child exits', () => {
    const s = new Space();
    const file = s.file('disk', 4);
    s.map(0, 4, MAP_SHARED, RW, file);
    s.map(8, 4, MAP_SHARED, PROT_READ, file);
    const before = [file.count, file.mapping.iMmap.size, file.mapping.iMmapWritable];
    const child = s.fork();
    expect([file.count, file.mapping.iMmap.size, file.mapping.iMmapWritable]).toEqual([
      before[0]! + 2,
      4,
      before[2]! * 2,
    ]);
    s.exit(child);
    expect([file.count, file.mapping.iMmap.size, file.mapping.iMmapWritable]).toEqual(before);
  });

  test('private memory is promised twice', () => {
    const s = new Space();
    s.map(0, 100);
    const before = s.machine.committedPages;
    const child = s.fork();
    expect(s.machine.committedPages - before).toBe(100);
    s.exit(child);
    expect(s.machine.committedPages).toBe(before);
  });
});

test('a fork that finds no memory, wherever it happens, leaves nothing behind', () => {
  for (let fails = 1; fails <= 12; fails++) {
    const s = new Space({ swap: 'zram' });
    const file = s.file('disk', 4);
    s.map(0, 4);
    s.map(8, 4, MAP_SHARED, RW, file);
    s.map(16, 4);
    s.storeAll(0, 4);
    s.store(16);
    s.pageout(1);
    const objects = (): number[] => Object.values(s.machine.slab.caches).map((cache) => cache.active);
    const before = [objects(), s.machine.committedPages, file.count, s.machine.mms.length];
    const alloc = s.machine.slab.alloc.bind(s.machine.slab);
    let left = fails;
    s.machine.slab.alloc = (m, name, memcg, gfp) => (--left === 0 ? -ENOMEM : alloc(m, name, memcg, gfp));
    const mm = dupMm(s.machine, s.mm, s.memcg);
    if (left > 0) {
      // Ten objects: the mm, three VMAs, and for two of them a link to the parent, an anon_vma and a link to it.
      expect([fails, mm === null]).toEqual([11, false]);
      return;
    }
    expect(mm).toBe(null);
    expect([fails, objects(), s.machine.committedPages, file.count, s.machine.mms.length]).toEqual([fails, ...before]);
    expect([fails, ...verify(s.machine)]).toEqual([fails]);
  }
  expect('the fork').toBe('finished');
});

test('a task without memory for all its parts has none', () => {
  const s = new Space();
  const before = [s.machine.tasks.length, s.memcg.kmem.usage];
  const alloc = s.machine.slab.alloc.bind(s.machine.slab);
  s.machine.slab.alloc = (m, name, memcg, gfp) => (name === 'pid' ? -ENOMEM : alloc(m, name, memcg, gfp));
  const active = s.machine.slab.caches.task_struct.active;
  expect(newTask(s.machine, 7, 'no', null, s.memcg, null)).toBe(null);
  expect([s.machine.tasks.length, s.machine.slab.caches.task_struct.active]).toEqual([before[0], active]);
});

test('a hundred children come and go: memory is as before', () => {
  const s = new Space();
  s.map(0, 64);
  s.storeAll(0, 64);
  const round = (): number => {
    const child = s.fork();
    s.storeAll(0, 64, child.mm!);
    s.exit(child);
    s.machine.lru.drain();
    return nrFreePages(s.machine) + s.machine.zones.reduce((sum, zone) => sum + zone.pcp.count, 0);
  };
  round();
  const free = round();
  for (let i = 0; i < 100; i++) round();
  expect(round()).toBe(free);
  expect(verify(s.machine)).toEqual([]);
});
