/** What eviction sorts, isolates and rejects, and what it finds around. */
import { describe, expect, test } from 'vitest';
import { PAGE, Space, type SpaceConfig } from '../../../test/space.ts';
import { filemapRead } from '../filemap.ts';
import type { File } from '../fs.ts';
import { GFP_KERNEL } from '../gfp.ts';
import { doMadvise } from '../madvise.ts';
import {
  PG_dirty,
  PG_lru,
  PG_mlocked,
  PG_reclaim,
  PG_referenced,
  PG_unevictable,
  PG_workingset,
} from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { DEF_PRIORITY, ScanControl } from '../reclaim/scan_control.ts';
import { MADV_HUGEPAGE } from '../uapi.ts';
import { NO_PFN, type Pfn, type Vpn } from '../units.ts';
import { verify } from '../verify.ts';
import type { Vma } from '../vma.ts';
import {
  PGREFILL,
  PGSCAN_DIRECT,
  PGSTEAL_DIRECT,
  THP_FAULT_ALLOC,
  UNEVICTABLE_PGCULLED,
  WORKINGSET_ACTIVATE_FILE,
} from '../vmstat.ts';
import { age, tryToIncMinSeq } from './aging.ts';
import { evictFolios } from './eviction.ts';
import { windowAround } from './look_around.ts';
import { LRU_GEN_ANON, LRU_GEN_FILE } from './lru_gen.ts';
import { needsAgingNow } from './shrink_6_1.ts';

const KERNELS = ['6.1', '6.18'] as const;

function setup(kernel: string, config: SpaceConfig = {}) {
  const s = new Space({ kernel, mglru: true, swap: 'zram', ...config });
  const { machine } = s;
  const multiGen = machine.multiGen!;
  const lruvec = s.lruvec();
  const lruGen = lruvec.lruGen!;
  const sc = new ScanControl(machine.frames);
  const evict = (swappiness = 60, pages = 64): number => {
    machine.lru.drain();
    sc.start(32, GFP_KERNEL, s.memcg);
    // What is empty would be dropped by the first try, and the second would begin.
    tryToIncMinSeq(multiGen, lruvec, swappiness);
    const looked = evictFolios(multiGen, sc, lruvec, swappiness, pages);
    machine.lru.drain();
    return looked;
  };
  /** New generations, in which nobody uses anything, until what was faulted in is the oldest; `less`: so many fewer. */
  const grow = (less = 0): void => {
    machine.lru.drain();
    for (let i = less; i < (kernel === '6.1' ? 3 : 2); i++) {
      s.mm.usedOn = 0;
      age(multiGen, lruvec, 60);
    }
    machine.current.mmWalk = null;
  };
  /** As if the program had not been here since. */
  const forget = (first: number, count: number): void => {
    for (let page = first; page < first + count; page++) machine.pageTables.testAndClearYoung(s.slot(page));
  };
  const read = (file: File, page: number, pages: number): void => {
    filemapRead(machine, file, page * 4096, pages * 4096, { page: (_token, from, to) => to - from });
  };
  return { s, machine, multiGen, lruGen, sc, evict, grow, forget, read };
}

describe('[6.x MGLRU] eviction', () => {
  for (const kernel of KERNELS) {
    test(`${kernel}: begins with what came first`, () => {
      const { s, machine, evict, grow, forget } = setup(kernel);
      s.map(0, 300);
      s.storeAll(0, 300);
      grow();
      forget(0, 300);
      const looked = evict();
      expect(looked).toBeGreaterThanOrEqual(64);
      expect([s.pfn(0), s.pfn(63)]).toEqual([NO_PFN, NO_PFN]);
      expect(s.pfn(64)).not.toBe(NO_PFN);
      expect([s.memcg.events[PGSCAN_DIRECT], s.memcg.events[PGSTEAL_DIRECT]]).toEqual([64, 64]);
      expect(verify(machine)).toEqual([]);
    });

    test(`${kernel}: the two youngest generations are not evicted`, () => {
      const { s, lruGen, evict } = setup(kernel);
      s.map(0, 300);
      s.storeAll(0, 300);
      expect(evict()).toBe(0);
      expect([lruGen.generations(LRU_GEN_ANON), lruGen.generations(LRU_GEN_FILE)]).toEqual([2, 2]);
      expect(s.pfn(0)).not.toBe(NO_PFN);
    });

    test(`${kernel}: with swappiness 0 anonymous pages stay`, () => {
      const { s, evict, grow, forget } = setup(kernel);
      s.map(0, 100);
      s.storeAll(0, 100);
      grow();
      forget(0, 100);
      evict(0);
      expect(s.mm.rss[2]).toBe(0);
    });

    test(`${kernel}: what a walk has promoted is sorted into its generation, and counts as refill`, () => {
      const { s, machine, multiGen, lruGen, evict, grow, forget } = setup(kernel);
      s.map(0, 200);
      s.storeAll(0, 200);
      grow(2);
      // Used, twice for 6.18, and found by the walk.
      for (let i = 0; i < 2; i++) {
        s.mm.usedOn = -1;
        s.loadAll(0, 100);
        age(multiGen, s.lruvec(), 60);
      }
      machine.current.mmWalk = null;
      forget(0, 200);
      evict(60, 4096);
      expect(s.memcg.events[PGREFILL]).toBeGreaterThanOrEqual(100);
      expect([s.pfn(50) !== NO_PFN, s.pfn(100)]).toEqual([true, NO_PFN]);
      expect(multiGen.gens.gen(s.pfn(50))).toBe((lruGen.maxSeq - 1) % 4);
      expect(verify(machine)).toEqual([]);
    });

    test(`${kernel}: a page used as often as can be counted goes to the next generation`, () => {
      const { s, machine, multiGen, lruGen, evict, read } = setup(kernel);
      const file = s.file('disk', 64);
      read(file, 0, 64);
      machine.lru.drain();
      const pfn = machine.frames.listLast(lruGen.lists.find((list) => !machine.frames.listEmpty(list))!);
      for (let i = 0; i < 6; i++) machine.lru.markAccessed(pfn);
      const before = multiGen.gens.gen(pfn);
      evict(60, 4096);
      expect(multiGen.gens.gen(pfn)).toBe((before + 1) % 4);
      // 6.1 says that it was activated, 6.18 that it waits for its promotion.
      expect([s.stat(WORKINGSET_ACTIVATE_FILE), multiGen.rules.uses(multiGen, pfn)]).toEqual(
        kernel === '6.1' ? [1, 0] : [0, 0],
      );
      expect(verify(machine)).toEqual([]);
    });

    test(`${kernel}: a tier that comes back is protected, the first is not`, () => {
      const { s, machine, lruGen, evict, read } = setup(kernel);
      const file = s.file('disk', 128);
      read(file, 0, 128);
      machine.lru.drain();
      const pages: Pfn[] = [];
      for (const list of lruGen.lists)
        for (let pfn = machine.frames.listLast(list); pfn !== NO_PFN; pfn = machine.frames.listPrev(pfn))
          pages.push(pfn);
      // Pages of odd places were read once more: the second tier.
      pages.forEach((pfn, i) => {
        machine.frames.clear(pfn, PG_referenced | PG_workingset);
        for (let used = 0; used < (i % 2 === 1 ? 2 : 0); used++) machine.lru.markAccessed(pfn);
      });
      lruGen.control.countRefault(LRU_GEN_FILE, 1, 900);
      lruGen.control.countEviction(LRU_GEN_FILE, 1, 1000);
      evict(60, 4096);
      expect(pages.filter((pfn, i) => i % 2 === 1 && !machine.frames.has(pfn, PG_lru))).toEqual([]);
      expect(pages.filter((pfn, i) => i % 2 === 0 && machine.frames.has(pfn, PG_lru)).length).toBeLessThan(10);
      expect(lruGen.control.protected_[4 + 1]).toBeGreaterThan(50);
      expect(verify(machine)).toEqual([]);
    });

    test(`${kernel}: a dirty page of a file waits in the next generation, and is wanted when it is written`, () => {
      const { s, machine, multiGen, lruGen, sc, evict, read } = setup(kernel);
      const file = s.file('disk', 64);
      read(file, 0, 64);
      machine.lru.drain();
      const pfn = machine.frames.listLast(lruGen.lists.find((list) => !machine.frames.listEmpty(list))!);
      machine.frames.set(pfn, PG_dirty);
      const before = multiGen.gens.gen(pfn);
      evict(60, 4096);
      expect([multiGen.gens.gen(pfn), machine.frames.has(pfn, PG_reclaim)]).toEqual([(before + 1) % 4, true]);
      // 6.1 does not watch how many were dirty, so it never wakes the flusher for them.
      expect(sc.unqueuedDirty).toBe(kernel === '6.1' ? 0 : 1);
      machine.frames.clear(pfn, PG_dirty | PG_reclaim);
    });
  }

  test('6.18: what is mlocked behind its back is put aside; 6.1 finds out when it shrinks', () => {
    for (const kernel of KERNELS) {
      const { s, machine, lruGen, evict, read } = setup(kernel);
      const file = s.file('disk', 8);
      read(file, 0, 8);
      machine.lru.drain();
      const pfn = machine.frames.listLast(lruGen.lists.find((list) => !machine.frames.listEmpty(list))!);
      machine.frames.set(pfn, PG_mlocked);
      evict(60, 4096);
      expect([kernel, machine.frames.has(pfn, PG_unevictable), s.event(UNEVICTABLE_PGCULLED)]).toEqual([
        kernel,
        true,
        1,
      ]);
      machine.frames.clear(pfn, PG_mlocked);
    }
  });
});

describe('[6.x MGLRU] eviction finds a page young', () => {
  for (const kernel of KERNELS) {
    test(`${kernel}: and looks around: its neighbours are promoted without a walk`, () => {
      const { s, machine, multiGen, lruGen, evict, grow, forget } = setup(kernel);
      s.map(0, 512);
      s.storeAll(0, 512);
      grow();
      forget(0, 512);
      // 6.18: they have been found once before.
      if (kernel === '6.18') for (let page = 0; page < 32; page++) machine.frames.set(s.pfn(page), PG_referenced);
      s.loadAll(0, 32);
      evict();
      expect([s.pte(0, PTE_YOUNG), s.pte(31, PTE_YOUNG)]).toEqual([false, false]);
      for (const page of [0, 5, 31]) {
        const { pfn } = { pfn: s.pfn(page) };
        expect([page, pfn === NO_PFN]).toEqual([page, false]);
        expect(multiGen.gens.gen(pfn)).toBe(lruGen.maxSeq % 4);
      }
      // The others of the batch are gone, and what was not in it stays.
      expect([s.pfn(40), s.pfn(100) === NO_PFN]).toEqual([NO_PFN, false]);
      expect(verify(machine)).toEqual([]);
    });
  }

  test('6.18: the first time it is kept, and noted', () => {
    const { s, machine, multiGen, evict, grow, forget } = setup('6.18');
    s.map(0, 512);
    s.storeAll(0, 512);
    grow();
    forget(0, 512);
    // The first walk noted all that was faulted in.
    machine.frames.clear(s.pfn(3), PG_referenced);
    s.load(3);
    evict();
    const pfn = s.pfn(3);
    expect([pfn === NO_PFN, machine.frames.has(pfn, PG_workingset), multiGen.rules.uses(multiGen, pfn)]).toEqual([
      false,
      false,
      1,
    ]);
  });

  test('eight young entries of 64 make the table worth a walk', () => {
    for (const [count, want] of [
      [9, true],
      [7, false],
    ] as const) {
      const { s, machine, lruGen, evict, grow, forget } = setup('6.1');
      s.map(0, 512);
      s.storeAll(0, 512);
      grow();
      lruGen.mmState.filters.reset(lruGen.maxSeq);
      forget(0, 512);
      s.loadAll(0, count);
      evict();
      const hash = machine.pageTables.tableHash(s.mm.pageTables, PAGE as Vpn);
      expect([count, lruGen.mmState.filters.test(lruGen.maxSeq, hash)]).toEqual([count, want]);
    }
  });

  // A table begins at 512; windows are 64 entries.
  for (const { why, vma, at, want } of [
    { why: 'in the middle: 32 on both sides', vma: [512, 1024], at: 700, want: [668, 732] },
    { why: 'near the beginning of the table', vma: [0, 2048], at: 520, want: [512, 576] },
    { why: 'near its end', vma: [0, 2048], at: 1020, want: [960, 1024] },
    { why: 'in a small VMA: all of it', vma: [600, 640], at: 610, want: [600, 640] },
    { why: 'the VMA ends before the table', vma: [512, 700], at: 690, want: [636, 700] },
    { why: 'alone', vma: [600, 601], at: 600, want: [600, 601] },
  ] as const) {
    test(`the window around a page: ${why}`, () => {
      expect(windowAround({ vmStart: vma[0], vmEnd: vma[1] } as Vma, at as Vpn)).toEqual(want);
    });
  }
});

describe('[6.x MGLRU] 6.1 ages', () => {
  // Pages of the generations from the oldest; all anonymous.
  for (const { why, sizes, want } of [
    { why: 'two generations: it must', sizes: [50, 50], want: true },
    { why: 'three of about the same size: all is well', sizes: [30, 30, 30], want: false },
    { why: 'more than half are in the youngest', sizes: [30, 10, 50], want: true },
    { why: 'less than a quarter are in the oldest', sizes: [20, 50, 20], want: true },
    { why: 'exactly half, exactly a quarter: not yet', sizes: [25, 25, 50], want: false },
    { why: 'four generations: never', sizes: [1, 1, 1, 97], want: false },
  ]) {
    test(why, () => {
      const { lruGen } = setup('6.1');
      lruGen.maxSeq = 7;
      lruGen.minSeq.fill(8 - sizes.length);
      sizes.forEach((pages, i) => {
        lruGen.pages[(((8 - sizes.length + i) % 4) * 2 + LRU_GEN_ANON) * 5] = pages;
      });
      expect(needsAgingNow(lruGen, 60)).toBe(want);
    });
  }
});

describe('[6.x MGLRU] reclaim of a limit', () => {
  for (const kernel of KERNELS) {
    test(`${kernel}: a program twice as large as its cgroup runs, and swaps`, () => {
      const { s, machine, lruGen } = setup(kernel, { limit: 300, ramBytes: 32 * 2 ** 20 });
      s.map(0, 600);
      for (let round = 0; round < 4; round++) s.storeAll(0, 600);
      expect(s.memcg.memory.usage).toBeLessThanOrEqual(300);
      expect(s.memcg.memoryEvents.oomKill).toBe(0);
      expect(s.memcg.events[PGSTEAL_DIRECT]).toBeGreaterThan(1500);
      expect(lruGen.maxSeq).toBeGreaterThan(3);
      expect(verify(machine)).toEqual([]);
    });

    test(`${kernel}: huge pages are aged whole, and split when they are evicted`, () => {
      const { s, machine, lruGen } = setup(kernel, { limit: 2000, ramBytes: 64 * 2 ** 20, swap: 'disk' });
      s.map(0, 3072);
      doMadvise(machine, s.mm, PAGE * 4096, 3072 * 4096, MADV_HUGEPAGE);
      for (let i = 0; i < 1500; i++) {
        expect(s.store((i * 1103) % 3072)).toBe(0);
        machine.advance(10_000);
        if (i % 250 === 0) expect(verify(machine)).toEqual([]);
      }
      expect(s.memcg.events[THP_FAULT_ALLOC]).toBeGreaterThan(3);
      expect(s.memcg.events[PGSTEAL_DIRECT]).toBeGreaterThan(1000);
      expect(lruGen.maxSeq).toBeGreaterThan(3);
      expect(verify(machine)).toEqual([]);
    });

    test(`${kernel}: kswapd keeps a machine that is full of files going`, () => {
      const { s, machine, read } = setup(kernel, { ramBytes: 8 * 2 ** 20 });
      const file = s.file('disk', 4096);
      for (let page = 0; page < 4096; page += 32) {
        read(file, page, 32);
        machine.advance(1_000_000);
      }
      expect(machine.events[25]! + machine.events[26]!).toBeGreaterThan(1000);
      expect(verify(machine)).toEqual([]);
    });
  }

  test('6.1 does not age at the first priority', () => {
    const { s, machine, multiGen, lruGen, sc } = setup('6.1');
    s.map(0, 100);
    s.storeAll(0, 100);
    machine.lru.drain();
    lruGen.minSeq.fill(2);
    const { maxSeq } = lruGen;
    for (const [priority, want] of [
      [DEF_PRIORITY, 0],
      [DEF_PRIORITY - 8, 1],
    ] as const) {
      sc.start(32, GFP_KERNEL, s.memcg);
      sc.priority = priority;
      multiGen.rules.shrinkLruvec(multiGen, sc, s.lruvec());
      expect(lruGen.maxSeq >= maxSeq + want).toBe(true);
      if (want === 0) expect(lruGen.maxSeq).toBe(maxSeq);
    }
  });
});
