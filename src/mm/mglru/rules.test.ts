/** What the releases answer otherwise: uses and tiers, and where a page goes. */
import { describe, expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { InputError } from '../bug.ts';
import { GENERATIONS } from '../generations/index.ts';
import { Machine } from '../machine.ts';
import {
  type PageFlags,
  PG_active,
  PG_dirty,
  PG_reclaim,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_workingset,
} from '../page_flags.ts';
import { WORKINGSET_ACTIVATE_FILE, WORKINGSET_REFAULT_FILE, WORKINGSET_RESTORE_FILE } from '../vmstat.ts';
import { NO_GEN } from './folio_gens.ts';

const KERNELS = ['6.1', '6.18'] as const;

function setup(kernel: string) {
  const s = new Space({ kernel, mglru: true, swap: 'zram' });
  s.map(0, 1);
  s.store(0);
  s.machine.lru.drain();
  const multiGen = s.machine.multiGen!;
  return { s, pfn: s.pfn(0), multiGen, rules: multiGen.rules, lruGen: s.lruvec().lruGen! };
}

describe('[6.x MGLRU] uses through read(2) climb tiers', () => {
  for (const { kernel, tiers, saturated } of [
    { kernel: '6.1', tiers: [0, 0, 1, 2, 2, 3, 3], saturated: 5 },
    { kernel: '6.18', tiers: [0, 0, 1, 2, 2, 3, 3], saturated: 5 },
  ]) {
    test(`${kernel}: after 0 to 6 uses tier ${tiers.join(', ')}; never evicted after ${saturated}`, () => {
      const { s, pfn, multiGen, rules } = setup(kernel);
      const { frames, lru } = s.machine;
      const seen: number[] = [];
      const full: number[] = [];
      for (let used = 0; used <= 6; used++) {
        const uses = rules.uses(multiGen, pfn);
        const workingset = frames.has(pfn, PG_workingset);
        seen.push(rules.tier(uses, workingset));
        if (rules.isSaturated(uses, workingset)) full.push(used);
        lru.markAccessed(pfn);
      }
      expect(seen).toEqual(tiers);
      expect(full).toEqual([saturated, saturated + 1]);
    });
  }
});

describe('[6.x MGLRU] which generation a page joins, counted from the youngest', () => {
  interface Place {
    why: string;
    flags: PageFlags;
    file?: boolean;
    reclaiming?: boolean;
    want: { '6.1': number; '6.18': number };
  }
  const places: Place[] = [
    { why: 'active: hot', flags: PG_active, want: { '6.1': 0, '6.18': 1 } },
    { why: 'active and in the working set', flags: PG_active | PG_workingset, want: { '6.1': 0, '6.18': 0 } },
    { why: 'anonymous, with no copy in swap', flags: 0, want: { '6.1': 1, '6.18': 1 } },
    { why: 'in the swap cache', flags: PG_swapcache, want: { '6.1': 2, '6.18': 3 } },
    { why: 'a file page', flags: 0, file: true, want: { '6.1': 2, '6.18': 3 } },
    { why: 'a file page of the working set', flags: PG_workingset, file: true, want: { '6.1': 2, '6.18': 2 } },
    { why: 'waits for its write', flags: PG_reclaim | PG_dirty, file: true, want: { '6.1': 1, '6.18': 1 } },
    { why: 'its write is done', flags: PG_reclaim, file: true, reclaiming: true, want: { '6.1': 3, '6.18': 3 } },
    { why: 'anonymous, and wanted by reclaim', flags: 0, reclaiming: true, want: { '6.1': 1, '6.18': 3 } },
  ];
  for (const kernel of KERNELS) {
    for (const { why, flags, file = false, reclaiming = false, want } of places) {
      test(`${kernel}: ${why}`, () => {
        const { s, pfn, multiGen, rules, lruGen } = setup(kernel);
        s.machine.lru.isolate(pfn);
        const { frames } = s.machine;
        frames.clear(pfn, PG_active | (file ? PG_swapbacked : 0));
        frames.set(pfn, flags);
        expect(lruGen.maxSeq - rules.seqFor(multiGen, lruGen, pfn, reclaiming)).toBe(want[kernel]);
      });
    }
  }

  test('with three generations there is no second oldest for 6.1: it takes the oldest', () => {
    const { s, pfn, multiGen, rules, lruGen } = setup('6.1');
    s.machine.lru.isolate(pfn);
    s.machine.frames.clear(pfn, PG_active | PG_swapbacked);
    lruGen.minSeq.fill(1);
    expect(rules.seqFor(multiGen, lruGen, pfn, false)).toBe(1);
  });
});

describe('[6.x MGLRU] a page that is found young', () => {
  test('6.1: goes to the youngest generation at once, and its uses are forgotten', () => {
    const { s, pfn, multiGen, rules } = setup('6.1');
    for (let i = 0; i < 4; i++) s.machine.lru.markAccessed(pfn);
    const was = multiGen.gens.gen(pfn);
    expect(rules.promote(multiGen, pfn, 1)).toBe(was);
    expect([multiGen.gens.gen(pfn), rules.uses(multiGen, pfn)]).toEqual([1, 0]);
    multiGen.gens.setGen(pfn, was);
  });

  test('6.1: while somebody evicts it, is marked, so that he lets it be', () => {
    const { s, pfn, multiGen, rules } = setup('6.1');
    s.machine.lru.isolate(pfn);
    expect(rules.promote(multiGen, pfn, 1)).toBe(NO_GEN);
    expect(s.machine.frames.has(pfn, PG_referenced)).toBe(true);
  });

  test('6.18: is marked the first time, and moves the second', () => {
    const { s, pfn, multiGen, rules } = setup('6.18');
    const was = multiGen.gens.gen(pfn);
    expect(rules.promote(multiGen, pfn, 0)).toBe(NO_GEN);
    expect(s.machine.frames.has(pfn, PG_referenced)).toBe(true);
    expect(rules.promote(multiGen, pfn, 0)).toBe(was);
    expect([s.machine.frames.has(pfn, PG_referenced), s.machine.frames.has(pfn, PG_workingset)]).toEqual([false, true]);
    multiGen.gens.setGen(pfn, was);
  });
});

describe('[6.x MGLRU] a page that comes back', () => {
  /** A file page that was used so often is evicted; so many generations are opened; it comes back. */
  function comeBack(kernel: string, used: number, opened: number, inFault: boolean) {
    const { s, pfn, multiGen, lruGen } = setup(kernel);
    const { machine } = s;
    machine.lru.isolate(pfn);
    machine.frames.clear(pfn, PG_active | PG_swapbacked);
    for (let i = 0; i < used; i++) machine.lru.markAccessed(pfn);
    const tier = multiGen.rules.tier(multiGen.rules.uses(multiGen, pfn), machine.frames.has(pfn, PG_workingset));
    const shadow = machine.workingset.eviction(pfn, s.lruvec());
    expect(lruGen.control.evicted[4 + tier]).toBe(1);
    machine.frames.clear(pfn, PG_referenced | PG_workingset);
    multiGen.gens.setRefs(pfn, 0);
    lruGen.maxSeq += opened;
    lruGen.minSeq[1]! += opened;
    s.task.inLruFault = inFault;
    machine.workingset.refault(pfn, shadow);
    s.task.inLruFault = false;
    return {
      tiers: [...lruGen.control.refaulted.subarray(4)],
      counts: [WORKINGSET_REFAULT_FILE, WORKINGSET_ACTIVATE_FILE, WORKINGSET_RESTORE_FILE].map((item) => s.stat(item)),
      workingset: machine.frames.has(pfn, PG_workingset),
      refs: multiGen.gens.refs(pfn),
    };
  }

  for (const { why, kernel, used, opened, inFault, want } of [
    {
      why: '6.1: read again: its tier hears of it',
      kernel: '6.1',
      used: 1,
      opened: 0,
      inFault: false,
      want: { tiers: [1, 0, 0, 0], counts: [1, 0, 0], workingset: false, refs: 0 },
    },
    {
      why: '6.1: by a fault: it is protected next time',
      kernel: '6.1',
      used: 0,
      opened: 0,
      inFault: true,
      want: { tiers: [1, 0, 0, 0], counts: [1, 0, 1], workingset: true, refs: 3 },
    },
    {
      why: '6.1: used four times before: it ought to have been protected',
      kernel: '6.1',
      used: 4,
      opened: 0,
      inFault: false,
      want: { tiers: [0, 0, 1, 0], counts: [1, 0, 1], workingset: true, refs: 3 },
    },
    {
      why: '6.1: the oldest generation has changed: no refault',
      kernel: '6.1',
      used: 4,
      opened: 1,
      inFault: true,
      want: { tiers: [0, 0, 0, 0], counts: [0, 0, 0], workingset: false, refs: 0 },
    },
    {
      why: '6.18: read again: it has its uses back',
      kernel: '6.18',
      used: 3,
      opened: 0,
      inFault: false,
      want: { tiers: [0, 0, 1, 0], counts: [1, 0, 0], workingset: false, refs: 2 },
    },
    {
      why: '6.18: by a fault: it will be active',
      kernel: '6.18',
      used: 0,
      opened: 0,
      inFault: true,
      want: { tiers: [1, 0, 0, 0], counts: [1, 1, 0], workingset: false, refs: 0 },
    },
    {
      why: '6.18: it was in the working set: it is again',
      kernel: '6.18',
      used: 5,
      opened: 0,
      inFault: true,
      want: { tiers: [0, 0, 0, 1], counts: [1, 1, 1], workingset: true, refs: 0 },
    },
    {
      why: '6.18: a generation later it is a refault still: there were four, and there are four',
      kernel: '6.18',
      used: 0,
      opened: 0,
      inFault: false,
      want: { tiers: [1, 0, 0, 0], counts: [1, 0, 0], workingset: false, refs: 0 },
    },
    {
      why: '6.18: too many generations later it counts, and says nothing',
      kernel: '6.18',
      used: 5,
      opened: 1,
      inFault: true,
      want: { tiers: [0, 0, 0, 0], counts: [1, 0, 0], workingset: false, refs: 0 },
    },
  ]) {
    test(why, () => expect(comeBack(kernel, used, opened, inFault)).toEqual(want));
  }
});

describe('kernels without generations refuse', () => {
  for (const { version, multiGen } of GENERATIONS) {
    test(`${version}: ${multiGen === null ? 'has none' : 'has them'}`, () => {
      const make = (): Machine => new Machine({ kernel: version, ramBytes: 16 * 2 ** 20, mglru: true });
      if (multiGen === null) expect(make).toThrow(InputError);
      else expect(make().multiGen).not.toBeNull();
      expect(new Machine({ kernel: version, ramBytes: 16 * 2 ** 20 }).multiGen).toBeNull();
    });
  }
});
