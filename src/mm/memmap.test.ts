import { describe, expect, test } from 'vitest';
import { type ListHead, MemMap } from './memmap.ts';
import * as flags from './page_flags.ts';
import { NO_PFN, type Pfn } from './units.ts';

const { PG_NAMES, PG_MASK, pageFlagNames } = flags;

describe('page flags', () => {
  const bits = Object.entries(flags).filter(([name]) => /^PG_[a-z]/.test(name)) as [string, number][];

  test('every bit has a name, and it is its own', () => {
    const missing = bits
      .filter(([name]) => name !== 'PG_readahead')
      .filter(([name, bit]) => !PG_NAMES.some(([b, text]) => b === bit && `PG_${text}` === name));
    expect(missing).toEqual([]);
    expect(bits.length - 1).toBe(PG_NAMES.length);
  });

  test('no two share a bit, but readahead and reclaim; the zone has the rest', () => {
    const values = bits.filter(([name]) => name !== 'PG_readahead').map(([, bit]) => bit);
    expect(new Set(values).size).toBe(values.length);
    expect(values.every((bit) => (bit & (bit - 1)) === 0 && (bit & PG_MASK) === bit)).toBe(true);
    expect(flags.PG_readahead).toBe(flags.PG_reclaim);
  });

  test('the names of a word stand in the order of the bits', () => {
    expect(pageFlagNames(flags.PG_young | flags.PG_locked | flags.PG_lru)).toEqual(['locked', 'lru', 'young']);
    expect(pageFlagNames(0)).toEqual([]);
  });
});

const P = (n: number): Pfn => n as Pfn;

describe('a frame', () => {
  test('flags and zone share a word and leave each other alone', () => {
    const m = new MemMap(4);
    m.initRange(0, 4, 3, flags.PG_reserved);
    expect([m.zoneIndex(P(2)), m.allFlags(P(2))]).toEqual([3, flags.PG_reserved]);
    m.set(P(2), flags.PG_young);
    m.setZone(P(2), 255);
    m.clear(P(2), flags.PG_reserved);
    expect([m.zoneIndex(P(2)), m.allFlags(P(2)), m.zoneIndex(P(1)), m.allFlags(P(1))]).toEqual([
      255,
      flags.PG_young,
      3,
      flags.PG_reserved,
    ]);
  });

  test('several bits at once: any of them', () => {
    const m = new MemMap(1);
    m.set(P(0), flags.PG_dirty);
    expect([m.has(P(0), flags.PG_dirty | flags.PG_lru), m.has(P(0), flags.PG_lru)]).toEqual([true, false]);
    expect([m.testAndClear(P(0), flags.PG_dirty), m.testAndClear(P(0), flags.PG_dirty)]).toEqual([true, false]);
    expect([m.testAndSet(P(0), flags.PG_lru), m.testAndSet(P(0), flags.PG_lru)]).toEqual([false, true]);
  });

  test('is mapped by nobody at first; unmapping it then is a bug', () => {
    const m = new MemMap(1);
    expect(m.mapcount(P(0))).toBe(0);
    expect([m.incMapcount(P(0)), m.incMapcount(P(0)), m.decMapcount(P(0)), m.decMapcount(P(0))]).toEqual([1, 2, 1, 0]);
    expect(() => m.decMapcount(P(0))).toThrow('unmapped only while it is mapped');
  });

  test('the last reference is told; one too many is a bug', () => {
    const m = new MemMap(1);
    m.setRefcount(P(0), 1);
    m.get(P(0));
    expect([m.putTestzero(P(0)), m.putTestzero(P(0))]).toEqual([false, true]);
    expect(() => m.putTestzero(P(0))).toThrow('put only after it was taken');
  });

  test('the low bit of mapping says anonymous', () => {
    const m = new MemMap(1);
    const seen = [0, 7 * 4, 7 * 4 + flags.PAGE_MAPPING_ANON].map((word) => {
      m.setMapping(P(0), word);
      return m.isAnon(P(0));
    });
    expect(seen).toEqual([false, false, true]);
  });
});

describe('a list', () => {
  const walk = (m: MemMap, list: ListHead): number[] => {
    const seen: number[] = [];
    for (let pfn = m.listFirst(list); pfn !== NO_PFN; pfn = m.listNext(pfn)) seen.push(pfn);
    const back: number[] = [];
    for (let pfn = m.listLast(list); pfn !== NO_PFN; pfn = m.listPrev(pfn)) back.push(pfn);
    expect(back.toReversed()).toEqual(seen);
    return seen;
  };

  for (const { why, does, want, other = [] } of [
    { why: 'is empty', does: () => undefined, want: [] },
    {
      why: 'takes frames at its head',
      does: (m: MemMap, a: ListHead) => {
        for (const n of [1, 2, 3]) m.listAdd(P(n), a);
      },
      want: [3, 2, 1],
    },
    {
      why: 'and at its tail',
      does: (m: MemMap, a: ListHead) => {
        for (const n of [1, 2, 3]) m.listAddTail(P(n), a);
      },
      want: [1, 2, 3],
    },
    {
      why: 'gives up one in the middle, which may go elsewhere',
      does: (m: MemMap, a: ListHead, b: ListHead) => {
        for (const n of [0, 1, 2]) m.listAddTail(P(n), a);
        m.listDel(P(1));
        m.listAdd(P(1), b);
      },
      want: [0, 2],
      other: [1],
    },
    {
      why: 'is spliced in front of another, in order',
      does: (m: MemMap, a: ListHead, b: ListHead) => {
        for (const n of [0, 1]) m.listAddTail(P(n), a);
        for (const n of [2, 3]) m.listAddTail(P(n), b);
        m.listSplice(b, a);
      },
      want: [2, 3, 0, 1],
    },
    {
      why: 'empty, splices nothing',
      does: (m: MemMap, a: ListHead, b: ListHead) => {
        m.listAdd(P(0), a);
        m.listSplice(b, a);
      },
      want: [0],
    },
  ]) {
    test(why, () => {
      const m = new MemMap(4);
      const [a, b] = [m.newList(), m.newList()];
      does(m, a, b);
      expect([walk(m, a), walk(m, b)]).toEqual([want, other]);
      expect([m.listEmpty(a), m.listEmpty(b)]).toEqual([want.length === 0, other.length === 0]);
      expect([0, 1, 2, 3].filter((n) => m.onList(P(n)))).toEqual([...want, ...other].toSorted());
    });
  }

  test('a frame is on one list, and taken from it once', () => {
    const m = new MemMap(2);
    const [a, b] = [m.newList(), m.newList()];
    m.listAdd(P(0), a);
    expect(() => m.listAdd(P(0), b)).toThrow('on at most one list');
    m.listDel(P(0));
    expect(() => m.listDel(P(0))).toThrow('only while it is on one');
  });

  test('there may be more lists than rows were made for', () => {
    const m = new MemMap(4);
    const first = m.newList();
    m.listAdd(P(1), first);
    const lists = Array.from({ length: 2000 }, () => m.newList());
    m.listAdd(P(2), lists[1999]!);
    expect([walk(m, first), walk(m, lists[0]!), walk(m, lists[1999]!), m.onList(P(3))]).toEqual([[1], [], [2], false]);
  });
});

test('a frame costs what the header says', () => {
  const m = new MemMap(10_000);
  let bytes = 0;
  for (const value of Object.values(m)) if (ArrayBuffer.isView(value)) bytes += value.byteLength;
  // Two columns have rows for 512 list heads more.
  expect((bytes - 2 * 512 * 4) / 10_000).toBe(MemMap.bytesPerFrame);
});
