/** Generations open and close; walks find who was used. */
import { describe, expect, test } from 'vitest';
import { PAGE, Space } from '../../../test/space.ts';
import { filemapRead } from '../filemap.ts';
import { LRU_NAMES } from '../lruvec.ts';
import { PG_dirty, PG_referenced } from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_READ } from '../uapi.ts';
import type { Vpn } from '../units.ts';
import { verify } from '../verify.ts';
import { VM_SEQ_READ } from '../vm_flags.ts';
import { age, tryToIncMinSeq } from './aging.ts';
import { LRU_GEN_ANON, LRU_GEN_FILE } from './lru_gen.ts';

const KERNELS = ['6.1', '6.18'] as const;

/** So many pages of anonymous memory, all used. */
function setup(kernel: string, pages = 128) {
  const s = new Space({ kernel, mglru: true, swap: 'zram' });
  const { machine } = s;
  s.map(0, 1024);
  s.storeAll(0, pages);
  machine.lru.drain();
  const multiGen = machine.multiGen!;
  const lruGen = s.lruvec().lruGen!;
  const seqOf = (page: number): number => {
    const gen = multiGen.gens.gen(s.pfn(page));
    for (let seq = lruGen.maxSeq; seq > lruGen.maxSeq - 4; seq--) if (seq % 4 === gen) return seq;
    throw new Error(`page ${page} is in no generation`);
  };
  /** The program runs, and loads pages anew: each is walked to, as after a flush of the TLB. */
  const use = (first: number, count: number): void => {
    s.mm.usedOn = -1;
    s.loadAll(first, count);
  };
  const ageOnce = (swappiness = 60): void => {
    age(multiGen, s.lruvec(), swappiness);
    machine.current.mmWalk = null;
  };
  return { s, machine, multiGen, lruGen, seqOf, use, ageOnce };
}

describe('[6.x MGLRU] aging', () => {
  for (const kernel of KERNELS) {
    test(`${kernel}: opens a generation, and shows what is no more among the two youngest as inactive`, () => {
      const { s, lruGen, ageOnce } = setup(kernel);
      const before = lruGen.maxSeq;
      s.machine.advance(40_000_000);
      for (let i = 0; i < 3; i++) ageOnce(0);
      expect(lruGen.maxSeq).toBe(before + 3);
      expect(lruGen.timestamps[lruGen.maxSeq % 4]).toBe(s.machine.clock.now);
      // With anonymous memory left alone, only time has passed for it.
      expect([s.stat(LRU_NAMES.indexOf('inactive_anon')), s.stat(LRU_NAMES.indexOf('active_anon'))]).toEqual(
        kernel === '6.1' ? [128, 0] : [0, 128],
      );
      expect(verify(s.machine)).toEqual([]);
    });

    test(`${kernel}: a fifth generation makes the oldest join the next`, () => {
      const { s, lruGen, seqOf, ageOnce } = setup(kernel);
      const first = seqOf(5);
      for (let i = 0; i < 6; i++) ageOnce();
      expect(lruGen.maxSeq - lruGen.minSeq[LRU_GEN_ANON]! + 1).toBe(4);
      expect(seqOf(5)).toBe(Math.max(first, lruGen.minSeq[LRU_GEN_ANON]!));
      expect(verify(s.machine)).toEqual([]);
    });

    test(`${kernel}: a page that is used at each walk stays in the youngest that the walk knew`, () => {
      const { lruGen, seqOf, use, ageOnce } = setup(kernel);
      for (let i = 0; i < 6; i++) {
        use(0, 64);
        ageOnce();
        if (i > 1) expect(seqOf(3)).toBe(lruGen.maxSeq - 1);
      }
      expect(seqOf(100)).toBe(lruGen.minSeq[LRU_GEN_ANON]);
    });

    test(`${kernel}: empty generations are dropped, but never the last two`, () => {
      const { s, multiGen, lruGen } = setup(kernel);
      expect(lruGen.generations(LRU_GEN_FILE)).toBe(4);
      expect(tryToIncMinSeq(multiGen, s.lruvec(), 60)).toBe(true);
      expect(tryToIncMinSeq(multiGen, s.lruvec(), 60)).toBe(false);
      expect(lruGen.generations(LRU_GEN_FILE)).toBe(2);
      expect(verify(s.machine)).toEqual([]);
    });
  }

  test('6.18: pages that are moved along count as protected; 6.1 does not count them', () => {
    for (const [kernel, want] of [
      ['6.1', 0],
      ['6.18', 128],
    ] as const) {
      const { lruGen, ageOnce } = setup(kernel);
      let moved = 0;
      const { control } = lruGen;
      const count = control.countProtected.bind(control);
      control.countProtected = (type, tier, pages) => {
        moved += pages;
        count(type, tier, pages);
      };
      // The third or fourth new generation finds them in the oldest.
      for (let i = 0; i < (kernel === '6.1' ? 4 : 3); i++) ageOnce();
      expect([kernel, moved]).toEqual([kernel, want]);
    }
  });
});

describe('[6.x MGLRU] the walk', () => {
  test('clears the young bits of what it finds', () => {
    const { s, use, ageOnce } = setup('6.1');
    use(0, 128);
    expect(s.pte(7, PTE_YOUNG)).toBe(true);
    ageOnce();
    expect([s.pte(7, PTE_YOUNG), s.lruvec().lruGen!.mmState.walked.young]).toEqual([false, 128]);
  });

  test('6.18: the first time a page is marked, the second it moves', () => {
    const { s, lruGen, seqOf, use, ageOnce } = setup('6.18');
    const first = seqOf(7);
    use(0, 128);
    ageOnce();
    expect([seqOf(7), s.machine.frames.has(s.pfn(7), PG_referenced)]).toEqual([first, true]);
    use(0, 128);
    ageOnce();
    expect([seqOf(7), s.machine.frames.has(s.pfn(7), PG_referenced)]).toEqual([lruGen.maxSeq - 1, false]);
  });

  test('leaves out a program that has not run since, and does not forget what it did before', () => {
    const { s, use, ageOnce } = setup('6.1');
    use(0, 128);
    ageOnce();
    s.loadAll(0, 128);
    s.mm.usedOn = 0;
    ageOnce();
    expect(s.pte(7, PTE_YOUNG)).toBe(true);
    use(0, 1);
    ageOnce();
    expect(s.pte(7, PTE_YOUNG)).toBe(false);
  });

  test('a program that waited for a disk has run, though it met no fault; one that found all in memory has not', () => {
    const { s, use, ageOnce } = setup('6.1');
    const file = s.file('disk', 4);
    for (const [why, young] of [
      ['from the disk', false],
      ['from memory', true],
    ] as const) {
      use(0, 128);
      ageOnce();
      s.loadAll(0, 128);
      s.mm.usedOn = 0;
      filemapRead(s.machine, file, 0, 4 * 4096, null);
      ageOnce();
      expect([why, s.pte(7, PTE_YOUNG)]).toEqual([why, young]);
    }
  });

  test('6.1: leaves out a program of less than 64 pages; 6.18 does not', () => {
    for (const [kernel, young] of [
      ['6.1', true],
      ['6.18', false],
    ] as const) {
      const { s, use, ageOnce } = setup(kernel, 32);
      use(0, 32);
      ageOnce();
      expect([kernel, s.pte(7, PTE_YOUNG)]).toEqual([kernel, young]);
    }
  });

  test('meets a child that was forked since, though it has not run', () => {
    const { s, use, ageOnce } = setup('6.1');
    use(0, 128);
    ageOnce();
    const child = s.fork();
    s.loadAll(0, 128, child.mm!);
    child.mm!.usedOn = 0;
    ageOnce();
    expect(s.pte(7, PTE_YOUNG, child.mm!)).toBe(false);
    expect(s.lruvec().lruGen!.mmState.known).toBe(2);
    s.exit(child);
    expect(s.lruvec().lruGen!.mmState.known).toBe(1);
  });

  test('knows dense tables: one with few young entries is not looked into next time', () => {
    const { s, machine, use, ageOnce } = setup('6.1');
    // Two tables: the first dense, the second with one page.
    s.map(1024, 512);
    s.store(1024);
    machine.lru.drain();
    use(0, 128);
    ageOnce();
    const { walked } = s.lruvec().lruGen!.mmState;
    expect([walked.tables, walked.added]).toEqual([2, 1]);
    use(0, 128);
    s.load(1024);
    ageOnce();
    expect([walked.tables, s.pte(7, PTE_YOUNG), s.pte(1024, PTE_YOUNG)]).toEqual([3, false, true]);
  });

  test('passes by tables that no page walk went through', () => {
    const { s, machine, use, ageOnce } = setup('6.1');
    use(0, 128);
    ageOnce();
    // Young entries, but the entry above the table was not used.
    for (let page = 0; page < 128; page++) machine.pageTables.set(s.slot(page), PTE_YOUNG);
    s.mm.usedOn = -1;
    ageOnce();
    expect([s.lruvec().lruGen!.mmState.walked.tables, s.pte(7, PTE_YOUNG)]).toEqual([1, true]);
  });

  for (const { why, prepare, young } of [
    {
      why: 'sequential reading says nothing',
      prepare: (s: Space) => void (s.vma(0).vmFlags |= VM_SEQ_READ),
      young: true,
    },
    { why: 'nobody may use it', prepare: (s: Space) => void (s.vma(0).vmFlags &= ~7), young: true },
    { why: 'an ordinary mapping is walked', prepare: () => undefined, young: false },
  ]) {
    test(`mappings: ${why}`, () => {
      const { s, use, ageOnce } = setup('6.1');
      use(0, 128);
      prepare(s);
      ageOnce();
      expect(s.pte(7, PTE_YOUNG)).toBe(young);
    });
  }

  test('without swap anonymous memory is not looked at, and files are', () => {
    const { s, machine, use, ageOnce } = setup('6.1');
    const file = s.file('disk', 128);
    s.map(1024, 128, MAP_PRIVATE, PROT_READ, file);
    use(0, 128);
    s.loadAll(1024, 128);
    machine.lru.drain();
    ageOnce(0);
    expect([s.pte(7, PTE_YOUNG), s.pte(1024 + 7, PTE_YOUNG)]).toEqual([true, false]);
    expect(verify(machine)).toEqual([]);
  });

  test('tells a page what its entry knows of a store', () => {
    const { s, machine, use, ageOnce } = setup('6.1');
    const file = s.file('tmpfs', 128);
    s.map(1024, 128, MAP_SHARED, undefined, file);
    use(0, 1);
    s.storeAll(1024, 128);
    machine.lru.drain();
    const pfn = s.pfn(1024);
    machine.frames.clear(pfn, PG_dirty);
    ageOnce();
    expect(machine.frames.has(pfn, PG_dirty)).toBe(true);
  });

  test('pages of another cgroup stay as they are', () => {
    const { s, machine, use, ageOnce } = setup('6.1');
    const other = machine.newCgroup('other');
    const child = s.fork(s.mm, other);
    // The child maps its parent's pages; its cgroup's walk has nothing to say about them.
    s.loadAll(0, 128, child.mm!);
    age(machine.multiGen!, s.lruvec(other), 60);
    machine.current.mmWalk = null;
    expect(s.pte(7, PTE_YOUNG, child.mm!)).toBe(true);
    use(0, 128);
    ageOnce();
    expect(s.pte(7, PTE_YOUNG)).toBe(false);
    expect(verify(machine)).toEqual([]);
  });
});

test('[6.x MGLRU] where the entry above a table is, has a number that follows the table', () => {
  const { s, machine } = setup('6.1');
  const { pageTables } = machine;
  const root = s.mm.pageTables;
  expect(pageTables.tableHash(root, PAGE as Vpn)).toBe(pageTables.tableHash(root, (PAGE + 511) as Vpn));
  s.map(512, 1);
  s.store(512);
  expect(pageTables.tableHash(root, PAGE as Vpn)).not.toBe(pageTables.tableHash(root, (PAGE + 512) as Vpn));
});
