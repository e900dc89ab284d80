import { describe, expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../../test/space.ts';
import { filemapGetPage, filemapRead } from '../filemap.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Mm } from '../mm.ts';
import {
  PG_anon_exclusive,
  PG_dirty,
  PG_locked,
  PG_mlocked,
  PG_swapbacked,
  PG_swapcache,
  PG_young,
} from '../page_flags.ts';
import { PTE_DIRTY, PTE_RW, PTE_SWAP, PTE_SWP_EXCLUSIVE, PTE_YOUNG } from '../page_table.ts';
import { addToSwap } from '../swap/swap_state.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ } from '../uapi.ts';
import { NO_PFN, type Pfn, type Pgoff, type Vpn } from '../units.ts';
import { verify } from '../verify.ts';
import { VM_EXEC, VM_LOCKED, VM_RAND_READ, VM_SEQ_READ } from '../vm_flags.ts';
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from '../vmstat.ts';

/** A page of the process and `children` that share it. */
function shared(children: number, kernel = '6.18'): { s: Space; pfn: Pfn; mms: Mm[] } {
  const s = new Space({ kernel, swap: 'zram' });
  s.map(0, 4);
  s.store(0);
  s.machine.lru.drain();
  const mms = [s.mm, ...Array.from({ length: children }, () => s.fork().mm!)];
  return { s, pfn: s.pfn(0), mms };
}

function young(s: Space, mm: Mm, on: boolean): void {
  if (on) s.machine.pageTables.set(s.slot(0, mm), PTE_YOUNG);
  else s.machine.pageTables.clear(s.slot(0, mm), PTE_YOUNG);
}

describe('was the page used?', () => {
  for (const { why, used, idle = false, want } of [
    { why: 'by nobody', used: [false, false, false], want: 0 },
    { why: 'by one of three', used: [false, true, false], want: 1 },
    { why: 'by all: each VMA counts once', used: [true, true, true], want: 3 },
    {
      why: 'a young bit that the page kept counts for the VMA met first',
      used: [false, false, false],
      idle: true,
      want: 1,
    },
    { why: 'and not twice for one VMA', used: [true, true, true], idle: true, want: 3 },
  ]) {
    test(why, () => {
      const { s, pfn, mms } = shared(2);
      for (const [i, on] of used.entries()) young(s, mms[i]!, on);
      if (idle) s.machine.frames.set(pfn, PG_young);
      expect(s.machine.rmap.pageReferenced(pfn, true, null)).toBe(want);
      // The next look sees only what happened since.
      expect(mms.map((mm) => s.pte(0, PTE_YOUNG, mm))).toEqual([false, false, false]);
      expect(s.machine.rmap.pageReferenced(pfn, true, null)).toBe(0);
    });
  }

  for (const { kernel, flag, want, cleared } of [
    { kernel: '6.18', flag: VM_SEQ_READ, want: 0, cleared: false },
    { kernel: '6.18', flag: VM_RAND_READ, want: 0, cleared: false },
    { kernel: '6.1', flag: VM_SEQ_READ, want: 0, cleared: true },
    { kernel: '6.1', flag: VM_RAND_READ, want: 1, cleared: true },
  ]) {
    test(`${kernel}: by a ${flag === VM_SEQ_READ ? 'sequential' : 'random'} reader: ${want}`, () => {
      const { s, pfn } = shared(0, kernel);
      s.vma(0).vmFlags |= flag;
      young(s, s.mm, true);
      expect(s.machine.rmap.pageReferenced(pfn, true, null)).toBe(want);
      expect(s.pte(0, PTE_YOUNG)).toBe(!cleared);
    });
  }

  test('the flags of those that used it, and of nobody else', () => {
    const s = new Space();
    const file = s.file('disk', 4);
    filemapRead(s.machine, file, 0, 4 * 4096, null);
    s.map(0, 4, MAP_PRIVATE, PROT_READ | PROT_EXEC, file);
    s.map(8, 4, MAP_PRIVATE, PROT_READ, file);
    s.loadAll(0, 1);
    s.loadAll(8, 1);
    const pfn = s.pfn(0);
    expect([s.machine.rmap.pageReferenced(pfn, true, null), s.machine.rmap.referencedVmFlags & VM_EXEC]).toEqual([
      2,
      VM_EXEC,
    ]);
    s.load(8);
    expect([s.machine.rmap.pageReferenced(pfn, true, null), s.machine.rmap.referencedVmFlags & VM_EXEC]).toEqual([
      1, 0,
    ]);
  });

  test('a locked VMA ends the walk, and the page is mlocked again', () => {
    const { s, pfn, mms } = shared(2);
    for (const mm of mms) young(s, mm, true);
    s.vma(0, mms[1]!).vmFlags |= VM_LOCKED;
    s.machine.rmap.pageReferenced(pfn, true, null);
    expect(s.machine.rmap.referencedVmFlags & VM_LOCKED).toBe(VM_LOCKED);
    expect(s.machine.frames.has(pfn, PG_mlocked)).toBe(true);
    expect(s.pte(0, PTE_YOUNG, mms[1]!)).toBe(true);
  });

  test('reclaim of a cgroup asks only those in it', () => {
    const s = new Space();
    s.map(0, 1);
    s.store(0);
    const below = s.machine.newCgroup('below', s.memcg);
    const beside = s.machine.newCgroup('beside');
    const [inside, outside] = [s.fork(s.mm, below).mm!, s.fork(s.mm, beside).mm!];
    const ask = (memcg: typeof below | null): number => {
      for (const mm of [s.mm, inside, outside]) young(s, mm, true);
      return s.machine.rmap.pageReferenced(s.pfn(0), true, memcg);
    };
    expect([ask(null), ask(s.memcg), ask(below), ask(beside)]).toEqual([3, 2, 1, 1]);
    ask(below);
    expect([s.pte(0, PTE_YOUNG, inside), s.pte(0, PTE_YOUNG, outside)]).toEqual([false, true]);
  });

  for (const { why, kernel = '6.18', children = 0, lazyfree = false, want } of [
    { why: 'who will not live: keep it, it is freed soon', want: -1 },
    { why: '6.1 knows no such rule', kernel: '6.1', want: 1 },
    { why: 'somebody else maps it, too', children: 1, want: 1 },
    { why: 'a page given up needs no swap, so it may as well be scanned', lazyfree: true, want: 1 },
  ]) {
    test(`by a dying process: ${why}`, () => {
      const { s, pfn, mms } = shared(children, kernel);
      for (const mm of mms) young(s, mm, mm === s.mm);
      s.mm.exiting = true;
      if (lazyfree) s.machine.frames.clear(pfn, PG_swapbacked);
      expect(s.machine.rmap.pageReferenced(pfn, true, null)).toBe(want);
    });
  }

  test('nobody maps it: no; a file page under I/O: yes, if we do not have its lock', () => {
    const s = new Space();
    const file = s.file('disk', 1);
    filemapRead(s.machine, file, 0, 4096, null);
    const pfn = filemapGetPage(s.machine, file.mapping, 0 as Pgoff);
    expect(s.machine.rmap.pageReferenced(pfn, false, null)).toBe(0);
    s.map(0, 1, MAP_SHARED, PROT_READ, file);
    s.load(0);
    s.machine.pageTables.clear(s.slot(0), PTE_YOUNG);
    s.machine.frames.set(pfn, PG_locked);
    expect([s.machine.rmap.pageReferenced(pfn, false, null), s.machine.rmap.pageReferenced(pfn, true, null)]).toEqual([
      1, 0,
    ]);
    s.machine.frames.clear(pfn, PG_locked);
  });
});

describe('out of every page table', () => {
  for (const { why, children, wantExclusive } of [
    { why: 'the only user: its swap entry says so', children: 0, wantExclusive: true },
    { why: 'shared since a fork: nobody’s own', children: 2, wantExclusive: false },
  ]) {
    test(`an anonymous page, ${why}`, () => {
      const { s, pfn, mms } = shared(children);
      const { machine } = s;
      const { frames } = machine;
      machine.lru.isolate(pfn);
      frames.set(pfn, PG_locked);
      expect([frames.has(pfn, PG_anon_exclusive), addToSwap(machine, pfn)]).toEqual([wantExclusive, true]);
      expect(machine.rmap.tryToUnmap(pfn)).toBe(true);
      expect(mms.map((mm) => s.pte(0, PTE_SWAP, mm))).toEqual(mms.map(() => true));
      expect(mms.map((mm) => s.pte(0, PTE_SWP_EXCLUSIVE, mm))).toEqual(mms.map(() => wantExclusive));
      expect(mms.map((mm) => [mm.rss[MM_ANONPAGES], mm.rss[MM_SWAPENTS]])).toEqual(mms.map(() => [0, 1]));
      // The swap cache and whoever isolated it.
      expect([frames.mapcount(pfn), frames.refcount(pfn), frames.has(pfn, PG_anon_exclusive)]).toEqual([0, 2, false]);
      expect([machine.nodes[0]!.stat[NR_ANON_MAPPED], frames.has(pfn, PG_dirty)]).toEqual([0, true]);
    });
  }

  for (const kind of ['disk', 'tmpfs'] as const) {
    test(`a page of a ${kind} file: the entries are empty, what was stored is not lost`, () => {
      const s = new Space({ sysctl: { faultAroundBytes: 4096 } });
      const file = s.file(kind, 4);
      s.map(0, 4, MAP_SHARED, RW, file);
      s.map(8, 4, MAP_SHARED, RW, file);
      s.store(0);
      s.load(8);
      const pfn = s.pfn(0);
      const item = kind === 'disk' ? MM_FILEPAGES : MM_SHMEMPAGES;
      expect(s.mm.rss[item]).toBe(2);
      s.machine.frames.clear(pfn, PG_dirty);
      s.machine.pageTables.set(s.slot(0), PTE_DIRTY);
      expect(s.machine.rmap.tryToUnmap(pfn)).toBe(true);
      expect([s.pfn(0), s.pfn(8), s.mm.rss[item], s.machine.frames.has(pfn, PG_dirty)]).toEqual([
        NO_PFN,
        NO_PFN,
        0,
        true,
      ]);
      expect([s.pte(0, PTE_SWAP), s.machine.nodes[0]!.stat[NR_FILE_MAPPED]]).toEqual([false, 0]);
    });
  }

  for (const { why, dirty, extra, gone, swapbacked } of [
    { why: 'not written since', dirty: false, extra: 0, gone: true, swapbacked: false },
    { why: 'written since: it counts again', dirty: true, extra: 0, gone: false, swapbacked: true },
    { why: 'somebody else holds it', dirty: false, extra: 1, gone: false, swapbacked: false },
  ]) {
    test(`[6.x MADV_FREE] a page given up with MADV_FREE, ${why}`, () => {
      const { s, pfn } = shared(0);
      const { frames, pageTables } = s.machine;
      frames.clear(pfn, PG_swapbacked);
      if (!dirty) pageTables.clear(s.slot(0), PTE_DIRTY);
      s.machine.lru.isolate(pfn);
      for (let i = 0; i < extra; i++) frames.get(pfn);
      expect(s.machine.rmap.tryToUnmap(pfn)).toBe(gone);
      expect([s.pfn(0) === NO_PFN, frames.has(pfn, PG_swapbacked), s.mm.rss[MM_SWAPENTS]]).toEqual([
        gone,
        swapbacked,
        0,
      ]);
    });
  }

  test('a locked VMA keeps it', () => {
    const { s, pfn } = shared(0);
    s.vma(0).vmFlags |= VM_LOCKED;
    s.machine.frames.set(pfn, PG_locked);
    addToSwap(s.machine, pfn);
    expect([s.machine.rmap.tryToUnmap(pfn), s.machine.frames.mapcount(pfn)]).toEqual([false, 1]);
    expect(s.machine.frames.has(pfn, PG_mlocked | PG_swapcache)).toBe(true);
  });
});

test('to be written, a page becomes clean and read-only in shared mappings, and there alone', () => {
  const s = new Space();
  const file = s.file('disk', 4);
  s.map(0, 4, MAP_SHARED, RW, file);
  s.map(8, 4, MAP_SHARED, RW, file);
  s.map(16, 4, MAP_SHARED, PROT_READ, file);
  s.map(24, 4, MAP_PRIVATE, RW, file);
  s.store(0);
  s.store(8);
  s.load(16);
  s.load(24);
  const pfn = s.pfn(0);
  s.machine.pageTables.set(s.slot(24), PTE_DIRTY);
  expect([0, 8, 16, 24].map((page) => s.pfn(page))).toEqual([pfn, pfn, pfn, pfn]);
  expect(s.machine.rmap.pageMkclean(pfn)).toBe(2);
  expect([0, 8, 16].map((page) => s.pte(page, PTE_DIRTY | PTE_RW))).toEqual([false, false, false]);
  expect(s.pte(24, PTE_DIRTY)).toBe(true);
  expect(s.machine.rmap.pageMkclean(pfn)).toBe(0);
});

test('an anonymous page is nothing to clean', () => {
  const { s, pfn } = shared(0);
  expect([s.machine.rmap.pageMkclean(pfn), s.pte(0, PTE_DIRTY)]).toEqual([0, true]);
});

describe('candidates', () => {
  const candidates = (s: Space, pfn: Pfn): [Mm, Vpn][] => {
    const met: [Mm, Vpn][] = [];
    s.machine.rmap.walk(pfn, (vma, vpn) => met.push([vma.vmMm, vpn]) > 0);
    return met;
  };

  test('a child that copied the page is met in vain', () => {
    const { s, pfn, mms } = shared(1);
    s.store(0, mms[1]!);
    expect(candidates(s, pfn)).toEqual([
      [s.mm, PAGE],
      [mms[1], PAGE],
    ]);
    // It does not hold the walk up, and its own page is not touched.
    s.machine.rmap.pageReferenced(pfn, true, null);
    expect([s.pte(0, PTE_YOUNG), s.pte(0, PTE_YOUNG, mms[1]!)]).toEqual([false, true]);
    expect(candidates(s, s.pfn(0, mms[1]!))).toEqual([[mms[1], PAGE]]);
  });

  test('of a file’s VMAs those that show the page, touched or not', () => {
    const s = new Space();
    const file = s.file('disk', 16);
    s.map(0, 8, MAP_SHARED, PROT_READ, file);
    s.map(16, 8, MAP_SHARED, PROT_READ, file, 8);
    s.map(32, 8, MAP_SHARED, PROT_READ, file, 4);
    s.load(5);
    expect(candidates(s, s.pfn(5)).map(([, vpn]) => vpn - PAGE)).toEqual([5, 33]);
  });

  test('the visitor ends the walk', () => {
    const { s, pfn } = shared(3);
    let met = 0;
    s.machine.rmap.walk(pfn, () => ++met < 2);
    expect(met).toBe(2);
  });
});

test('the last of several mappings changes what is counted as mapped, the others do not', () => {
  const { s, mms } = shared(2);
  const stat = s.machine.nodes[0]!.stat;
  const seen = [stat[NR_ANON_MAPPED]];
  for (const mm of mms.slice(1)) {
    s.exit(s.machine.tasks.find((task) => task.mm === mm)!);
    seen.push(stat[NR_ANON_MAPPED]);
  }
  s.exit(s.task);
  expect([...seen, stat[NR_ANON_MAPPED]]).toEqual([1, 1, 1, 0]);
  expect(verify(s.machine)).toEqual([]);
});
