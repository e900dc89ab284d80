import { beforeEach, describe, expect, test, vi } from 'vitest';
import { MIB, physicalMachine } from '../../test/physical_machine.ts';
import { pageblockType } from './buddy.ts';
import { ENOMEM } from './errno.ts';
import {
  __GFP_DMA,
  __GFP_DMA32,
  __GFP_NOFAIL,
  __GFP_NORETRY,
  __GFP_RECLAIMABLE,
  __GFP_RETRY_MAYFAIL,
  __GFP_THISNODE,
  __GFP_WRITE,
  GFP_ATOMIC,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  type Gfp,
} from './gfp.ts';
import type { Machine } from './machine.ts';
import { MlockBatch } from './mlock_batch.ts';
import { Mm } from './mm.ts';
import { outOfMemory } from './oom.ts';
import {
  allocKernelStack,
  allocPages,
  allocPageTablePage,
  freeKernelStack,
  freePages,
  freePageTablePage,
  gfpZone,
  nrFreePages,
  putPage,
} from './page_alloc.ts';
import { PG_dirty, PG_head, PG_locked, PG_mlocked, PG_referenced, PG_table, PG_tail } from './page_flags.ts';
import { drainAllPages } from './pcp.ts';
import { Task } from './task.ts';
import { NO_PFN, type Pfn, type Token, ZERO_TOKEN } from './units.ts';
import { verifyPhysical } from './verify_physical.ts';
import {
  NR_FILE_DIRTY,
  NR_KERNEL_STACK_KB,
  NR_MLOCK,
  NR_PAGETABLE,
  PGALLOC,
  PGFREE,
  UNEVICTABLE_PGCLEARED,
} from './vmstat.ts';
import { setupPerZoneWmarks } from './watermark.ts';
import {
  MIGRATE_HIGHATOMIC,
  MIGRATE_MOVABLE,
  MIGRATE_UNMOVABLE,
  ZONE_DMA,
  ZONE_DMA32,
  ZONE_HIGHMEM,
  ZONE_MOVABLE,
  ZONE_NORMAL,
} from './zone.ts';

vi.mock('./oom.ts', () => ({ outOfMemory: vi.fn(() => false), memCgroupOutOfMemory: () => false }));

beforeEach(() => {
  vi.mocked(outOfMemory).mockReset();
  vi.mocked(outOfMemory).mockReturnValue(false);
});

/** The boost would end some of these allocations early, waiting for kswapd. */
const NO_BOOST = { watermarkBoostFactor: 0 };

/** Everything that can be had with these flags. */
function exhaust(machine: Machine, gfp: Gfp, order = 0): Pfn[] {
  const pages: Pfn[] = [];
  for (let pfn = allocPages(machine, gfp, order); pfn !== NO_PFN; pfn = allocPages(machine, gfp, order))
    pages.push(pfn);
  return pages;
}

function freeAll(machine: Machine, pages: Pfn[], order = 0): void {
  for (const pfn of pages) {
    machine.frames.setRefcount(pfn, 0);
    freePages(machine, pfn, order);
  }
}

for (const { why, gfp, want } of [
  { why: 'devices of old', gfp: __GFP_DMA, want: ZONE_DMA },
  { why: 'devices of 32 bits', gfp: __GFP_DMA32, want: ZONE_DMA32 },
  { why: 'the kernel', gfp: GFP_KERNEL, want: ZONE_NORMAL },
  { why: 'anonymous memory', gfp: GFP_HIGHUSER_MOVABLE, want: ZONE_MOVABLE },
  { why: 'user memory that cannot move', gfp: GFP_HIGHUSER_MOVABLE & ~(1 << 3), want: ZONE_HIGHMEM },
])
  test(`gfpZone: ${why}`, () => expect(gfpZone(gfp)).toBe(want));

test('a page is handed out clean, whatever it was before', () => {
  const { machine } = physicalMachine({});
  const { frames } = machine;
  const pfn = allocPages(machine, GFP_KERNEL, 0);
  frames.set(pfn, PG_referenced | PG_dirty);
  frames.setToken(pfn, 7 as Token);
  frames.setMapping(pfn, 5);
  frames.setPrivate(pfn, 9);
  putPage(machine, pfn);
  expect(allocPages(machine, GFP_KERNEL, 0)).not.toBe(NO_PFN);
  const again = exhaust(machine, GFP_ATOMIC).find((p) => p === pfn) ?? pfn;
  expect([frames.refcount(again), frames.allFlags(again), frames.token(again)]).toEqual([1, 0, ZERO_TOKEN]);
  expect([frames.mapping(again), frames.private_(again), frames.memcg(again)]).toEqual([0, 0, 0]);
});

test('what was freed last is handed out first: it is still in the cache', () => {
  const { machine } = physicalMachine({});
  const a = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
  const b = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
  putPage(machine, a);
  putPage(machine, b);
  expect(allocPages(machine, GFP_HIGHUSER_MOVABLE, 0)).toBe(b);
  expect(allocPages(machine, GFP_HIGHUSER_MOVABLE, 0)).toBe(a);
});

test('pages come in the order of their addresses from a fresh machine', () => {
  const { machine } = physicalMachine({ ramBytes: 256 * MIB });
  const first = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
  for (let i = 1; i < 500; i++) expect(allocPages(machine, GFP_HIGHUSER_MOVABLE, 0)).toBe(first + i);
});

for (const { kernel, modern, want } of [
  { kernel: '6.18', modern: true, want: [63, 63] },
  { kernel: '6.1', modern: false, want: [63, 126] },
]) {
  test(`[6.x pcp] ${kernel}: when the list of the CPU is full, 63 pages go back at once${modern ? '' : ', then twice as many'}`, () => {
    const { machine } = physicalMachine({ ramBytes: 2 * 1024 * MIB }, modern);
    const zone = machine.zones.at(-1)!;
    const { pcp } = zone;
    const pages = Array.from({ length: 4000 }, () => allocPages(machine, GFP_HIGHUSER_MOVABLE, 0));
    while (pcp.count < pcp.highMin - 1) putPage(machine, pages.pop()!);
    // As long ago, and with a list that has not grown.
    pcp.freeCount = 0;
    pcp.high = pcp.highMin;
    const back: number[] = [];
    while (back.length < 2) {
      const before = zone.freePages;
      putPage(machine, pages.pop()!);
      if (zone.freePages > before) back.push(zone.freePages - before);
    }
    expect(back).toEqual(want);
    expect(verifyPhysical(machine)).toEqual([]);
  });
}

test('pages are counted where they come from and when they come back', () => {
  const { machine } = physicalMachine({});
  const before = nrFreePages(machine);
  const pfn = allocPages(machine, GFP_KERNEL, 5);
  expect([machine.events[PGALLOC + 1], machine.events[PGFREE], nrFreePages(machine)]).toEqual([32, 0, before - 32]);
  expect([machine.frames.has(pfn, PG_head), machine.frames.has((pfn + 31) as Pfn, PG_tail)]).toEqual([true, true]);
  freeAll(machine, [pfn], 5);
  expect([machine.events[PGFREE], nrFreePages(machine)]).toEqual([32, before]);
  expect(verifyPhysical(machine)).toEqual([]);
});

for (const { why, spoil, want } of [
  { why: 'somebody has a reference', spoil: (m: Machine, p: Pfn) => m.frames.setRefcount(p, 1), want: 'reference' },
  { why: 'it is locked', spoil: (m: Machine, p: Pfn) => m.frames.set(p, PG_locked), want: 'nobody works on it' },
  { why: 'it is mapped', spoil: (m: Machine, p: Pfn) => m.frames.incMapcount(p), want: 'nobody maps it' },
  { why: 'it is charged', spoil: (m: Machine, p: Pfn) => m.frames.setMemcg(p, 2), want: 'uncharged' },
  { why: 'it is in the page cache', spoil: (m: Machine, p: Pfn) => m.frames.setMapping(p, 4), want: 'page cache' },
]) {
  test(`a page is not freed while ${why}`, () => {
    const { machine } = physicalMachine({});
    const pfn = allocPages(machine, GFP_KERNEL, 0);
    machine.frames.setRefcount(pfn, 0);
    spoil(machine, pfn);
    expect(() => freePages(machine, pfn, 0)).toThrow(want);
  });
}

test('the slow path wakes kswapd below low and stops at min', () => {
  // Per-CPU lists of 6.1 in zones so small that a batch is one page: what is free is exact.
  const { machine, reclaim } = physicalMachine({ ramBytes: 24 * MIB }, false, NO_BOOST);
  const [dma, dma32] = machine.zones;
  exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  expect(reclaim.kswapdWoken).toBeGreaterThan(0);
  expect(reclaim.asked).toBe(1);
  expect(dma32!.freePages).toBe(dma32!.wmarkMin);
  expect(dma!.freePages).toBe(dma!.wmarkMin + dma!.lowmemReserve[ZONE_NORMAL]!);
});

for (const { why, prepare, gfp, marks } of [
  {
    why: 'an atomic request goes down to three eighths of min',
    prepare: () => {},
    gfp: GFP_ATOMIC,
    marks: (min: number) => min - (min >> 1) - ((min - (min >> 1)) >> 2),
  },
  {
    why: 'who frees memory may have all of it',
    prepare: (m: Machine) => {
      m.current.memalloc = true;
    },
    gfp: GFP_KERNEL,
    marks: () => 0,
  },
  {
    why: 'who was killed may have half of min',
    prepare: (m: Machine) => {
      m.current.killed = true;
    },
    gfp: GFP_KERNEL,
    marks: (min: number) => min - (min >> 1),
  },
]) {
  test(`reserves: ${why}`, () => {
    const { machine } = physicalMachine({ ramBytes: 12 * MIB }, false, NO_BOOST);
    const zone = machine.zones[0]!;
    prepare(machine);
    exhaust(machine, gfp);
    drainAllPages(machine);
    expect(zone.freePages).toBe(marks(zone.wmarkMin));
  });
}

test('reclaim that goes on freeing is asked again; what it freed is found on the per-CPU lists', () => {
  const { machine, reclaim } = physicalMachine({}, true, NO_BOOST);
  const pages: Pfn[] = [];
  for (let more = exhaust(machine, GFP_KERNEL | __GFP_NORETRY); more.length > 0; ) {
    pages.push(...more);
    drainAllPages(machine);
    more = exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  }
  drainAllPages(machine);
  reclaim.asked = 0;
  reclaim.reclaimable = 10000;
  reclaim.reclaim = () => {
    if (reclaim.asked < 5) return 1;
    freeAll(machine, pages.splice(0, 200));
    return 200;
  };
  expect(allocPages(machine, GFP_KERNEL, 0)).not.toBe(NO_PFN);
  expect(reclaim.asked).toBe(5);
});

test('after 17 rounds of reclaim without progress somebody is killed', () => {
  const { machine, reclaim } = physicalMachine({});
  const pages = exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  reclaim.asked = 0;
  reclaim.reclaimable = 10000;
  vi.mocked(outOfMemory).mockImplementation(() => {
    freeAll(machine, pages.splice(-500));
    return true;
  });
  expect(allocPages(machine, GFP_KERNEL, 0)).not.toBe(NO_PFN);
  expect([reclaim.asked, vi.mocked(outOfMemory).mock.calls.length]).toEqual([17, 1]);
});

test('nobody is killed for a block above order 3, for DMA, or if the caller can do without', () => {
  const { machine } = physicalMachine({});
  exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  exhaust(machine, GFP_KERNEL | __GFP_NORETRY | __GFP_DMA);
  for (const [gfp, order] of [
    [GFP_KERNEL, 4],
    [GFP_KERNEL | __GFP_DMA, 0],
    [GFP_KERNEL | __GFP_NORETRY, 0],
  ] as const) {
    expect(allocPages(machine, gfp, order)).toBe(NO_PFN);
  }
  expect(vi.mocked(outOfMemory)).not.toHaveBeenCalled();
});

test('a request that must not fail gets the last reserves', () => {
  const { machine } = physicalMachine({});
  exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  expect(allocPages(machine, GFP_KERNEL | __GFP_NOFAIL, 0)).not.toBe(NO_PFN);
});

test('an atomic request of a higher order keeps its pageblock for the next one', () => {
  const { machine } = physicalMachine({ ramBytes: 1024 * MIB });
  const zone = machine.zones[1]!;
  exhaust(machine, GFP_KERNEL | __GFP_NORETRY, 3);
  const pfn = allocPages(machine, GFP_ATOMIC, 2);
  expect(pageblockType(zone, pfn)).toBe(MIGRATE_HIGHATOMIC);
  expect(zone.nrReservedHighatomic).toBe(512);
  expect(verifyPhysical(machine)).toEqual([]);
});

for (const { why, whole } of [
  { why: 'while some of its pages are in use', whole: false },
  { why: 'as a whole', whole: true },
]) {
  test(`before somebody is killed, the last pageblock kept for atomic requests is given up, ${why}`, () => {
    const { machine } = physicalMachine({ ramBytes: 256 * MIB });
    const zone = machine.zones[1]!;
    const blocks = exhaust(machine, GFP_KERNEL | __GFP_NORETRY, 3);
    const atomic = allocPages(machine, GFP_ATOMIC, 2);
    const first = atomic - (atomic % 512);
    exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
    const isKept = (pfn: Pfn): boolean => pfn >= first && pfn < first + 512;
    freeAll(machine, whole ? blocks.filter(isKept) : blocks.filter(isKept).slice(1), 3);
    if (whole) freeAll(machine, [atomic], 2);
    drainAllPages(machine);
    const before = vi.mocked(outOfMemory).mock.calls.length;
    const pfn = allocPages(machine, GFP_KERNEL, 0);
    expect([pfn === NO_PFN, vi.mocked(outOfMemory).mock.calls.length - before]).toEqual([false, 0]);
    expect([pageblockType(zone, first as Pfn) === MIGRATE_HIGHATOMIC, zone.nrReservedHighatomic]).toEqual([false, 0]);
    expect(verifyPhysical(machine)).toEqual([]);
  });
}

test('a small block may come together while reclaim goes on freeing single pages', () => {
  const { machine, reclaim } = physicalMachine({}, false, NO_BOOST);
  machine.current.memalloc = true;
  const pages = exhaust(machine, GFP_KERNEL).sort((a, b) => a - b);
  machine.current.memalloc = false;
  freeAll(
    machine,
    pages.filter((pfn) => pfn % 2 === 0),
  );
  drainAllPages(machine);
  reclaim.asked = 0;
  reclaim.reclaim = () => {
    if (reclaim.asked === 20)
      freeAll(
        machine,
        pages.filter((pfn) => pfn % 2 === 1),
      );
    return 1;
  };
  expect(allocPages(machine, GFP_KERNEL, 2)).not.toBe(NO_PFN);
  expect([reclaim.asked, vi.mocked(outOfMemory).mock.calls.length]).toEqual([20, 0]);
});

test('what came free in the last moment saves a life', () => {
  const { machine, reclaim } = physicalMachine({}, false, NO_BOOST);
  const pages = exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  reclaim.asked = 0;
  reclaim.reclaimable = 10000;
  reclaim.reclaim = () => {
    if (reclaim.asked === 17) freeAll(machine, pages.splice(0, 2000));
    return 0;
  };
  expect(allocPages(machine, GFP_KERNEL, 0)).not.toBe(NO_PFN);
  expect(vi.mocked(outOfMemory)).not.toHaveBeenCalled();
});

test('who can take a refusal kills nobody', () => {
  const { machine } = physicalMachine({});
  exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  expect(allocPages(machine, GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0)).toBe(NO_PFN);
  expect(vi.mocked(outOfMemory)).not.toHaveBeenCalled();
});

test('who was killed itself and has used up its reserve is refused', () => {
  const { machine } = physicalMachine({});
  machine.current.killed = true;
  exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  machine.current.killed = false;
  vi.mocked(outOfMemory).mockImplementation(() => (machine.current.killed = true));
  expect(allocPages(machine, GFP_KERNEL, 0)).toBe(NO_PFN);
  expect(vi.mocked(outOfMemory)).toHaveBeenCalledTimes(2);
});

for (const { why, order, kills } of [
  { why: 'a page: somebody is killed first', order: 0, kills: 3 },
  { why: 'a large block: nobody is killed for it', order: 4, kills: 0 },
]) {
  test(`a request that must not fail waits, for ${why}`, () => {
    const { machine, reclaim } = physicalMachine({}, false, NO_BOOST);
    machine.current.memalloc = true;
    const blocks = exhaust(machine, GFP_KERNEL, order);
    machine.current.memalloc = false;
    let rounds = 0;
    const freed = (): boolean => {
      rounds += 1;
      if (rounds === 3) freeAll(machine, blocks.splice(0, 200), order);
      return true;
    };
    if (order === 0) vi.mocked(outOfMemory).mockImplementation(freed);
    else reclaim.reclaim = () => (freed() ? 0 : 0);
    expect(allocPages(machine, GFP_KERNEL | __GFP_NOFAIL, order)).not.toBe(NO_PFN);
    expect(vi.mocked(outOfMemory)).toHaveBeenCalledTimes(kills);
  });
}

describe('two nodes', () => {
  const nodes = [{ bytes: 32 * MIB }, { bytes: 32 * MIB }];
  const nodeOf = (machine: Machine, pfn: Pfn): number => machine.zones[machine.frames.zoneIndex(pfn)]!.pgdat.nid;

  test('the second one helps out, unless this one is wanted', () => {
    const { machine } = physicalMachine({ nodes });
    const here = exhaust(machine, GFP_KERNEL | __GFP_NORETRY | __GFP_THISNODE);
    const there = exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
    expect(here.every((pfn) => nodeOf(machine, pfn) === 0)).toBe(true);
    expect(there.filter((pfn) => nodeOf(machine, pfn) === 1).length).toBeGreaterThan(5000);
    expect(verifyPhysical(machine)).toEqual([]);
  });

  test('a page that will be dirtied comes from the one with fewer dirty pages', () => {
    const { machine } = physicalMachine({ nodes });
    machine.nodes[0]!.stat[NR_FILE_DIRTY] = 1e6;
    expect(nodeOf(machine, allocPages(machine, GFP_KERNEL, 0))).toBe(0);
    expect(nodeOf(machine, allocPages(machine, GFP_KERNEL | __GFP_WRITE, 0))).toBe(1);
  });
});

test('a page that was locked when its last mapping went is no longer counted as locked', () => {
  const { machine } = physicalMachine({});
  Object.assign(machine, { mlockBatch: new MlockBatch() });
  const pfn = allocPages(machine, GFP_KERNEL, 0);
  machine.frames.set(pfn, PG_mlocked);
  const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
  zone.nrMlock += 1;
  zone.pgdat.stat[NR_MLOCK]! += 1;
  putPage(machine, pfn);
  expect([zone.nrMlock, zone.pgdat.stat[NR_MLOCK], machine.events[UNEVICTABLE_PGCLEARED]]).toEqual([0, 0, 1]);
  expect(verifyPhysical(machine)).toEqual([]);
});

test('without memory there is neither a page table nor a stack, and nothing is lost', () => {
  const { machine, memcg } = physicalMachine({});
  exhaust(machine, GFP_KERNEL | __GFP_NORETRY);
  const task = new Task(7, 'late', null, memcg, null);
  expect(allocPageTablePage(machine, new Mm(1, memcg))).toBe(NO_PFN);
  expect([allocKernelStack(machine, task), task.stack]).toEqual([-ENOMEM, []]);
  expect(verifyPhysical(machine)).toEqual([]);
});

test('a kernel page claims a pageblock, a movable one does not spoil it', () => {
  const { machine } = physicalMachine({ ramBytes: 256 * MIB });
  const kernel = allocPages(machine, GFP_KERNEL, 0);
  const user = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
  const cache = allocPages(machine, GFP_KERNEL | __GFP_RECLAIMABLE, 0);
  const zone = machine.zones[1]!;
  expect([pageblockType(zone, kernel), pageblockType(zone, user)]).toEqual([MIGRATE_UNMOVABLE, MIGRATE_MOVABLE]);
  expect(new Set([kernel >> 9, user >> 9, cache >> 9]).size).toBe(3);
});

test('min_free_kbytes can be changed at run time', () => {
  const { machine } = physicalMachine({});
  machine.sysctl.minFreeKbytes = 8192;
  setupPerZoneWmarks(machine);
  const min = machine.zones.reduce((sum, zone) => sum + zone.wmarkMin, 0);
  expect(min).toBeGreaterThan(2045);
  expect(min).toBeLessThanOrEqual(2048);
});

test('a page table and a stack are charged, counted, and given back', () => {
  const { machine, memcg } = physicalMachine({});
  const before = nrFreePages(machine) + machine.zones.reduce((sum, zone) => sum + zone.pcp.count, 0);
  const mm = new Mm(1, memcg);
  const task = new Task(1, 'a', mm, memcg, null);
  const pfn = allocPageTablePage(machine, mm);
  expect(allocKernelStack(machine, task)).toBe(0);
  const stat = () => [NR_PAGETABLE, NR_KERNEL_STACK_KB].map((item) => memcg.lruvecs[0]!.stat[item]);
  expect([machine.frames.has(pfn, PG_table), memcg.kmem.usage, ...stat()]).toEqual([true, 5, 1, 16]);
  freeKernelStack(machine, task);
  freePageTablePage(machine, pfn);
  expect([memcg.kmem.usage, ...stat()]).toEqual([0, 0, 0]);
  expect(nrFreePages(machine) + machine.zones.reduce((sum, zone) => sum + zone.pcp.count, 0)).toBe(before);
});

test('a cgroup without room gets no page table, and the frame is not lost', () => {
  const { machine, memcg } = physicalMachine({});
  memcg.memory.max = 0;
  expect(allocPageTablePage(machine, new Mm(1, memcg))).toBe(NO_PFN);
  expect(allocKernelStack(machine, new Task(1, 'a', null, memcg, null))).toBeLessThan(0);
  expect(verifyPhysical(machine)).toEqual([]);
});

for (const modern of [true, false]) {
  test(`a random program keeps every promise (${modern ? '6.18' : '6.1'})`, () => {
    for (let seed = 1; seed <= 20; seed++) randomProgram(seed, modern);
  });
}

function randomProgram(seed: number, modern: boolean): void {
  let state = seed * 2654435761;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const { machine } = physicalMachine({ ramBytes: (8 + random(80)) * MIB, cpus: 1 + random(4) }, modern);
  const held: { pfn: Pfn; order: number }[] = [];
  const kinds = [
    GFP_KERNEL | __GFP_NORETRY,
    GFP_HIGHUSER_MOVABLE | __GFP_NORETRY,
    GFP_KERNEL | __GFP_RECLAIMABLE | __GFP_NORETRY,
    GFP_ATOMIC,
  ];
  for (let step = 0; step < 40; step++) {
    const grow = random(3) > 0;
    const kind = kinds[random(kinds.length)]!;
    const most = random(2) === 0 ? 1 : 11;
    for (let i = random(1500); i > 0; i--) {
      if (grow) {
        const order = random(most);
        const pfn = allocPages(machine, kind, order);
        if (pfn !== NO_PFN) held.push({ pfn, order });
      } else if (held.length > 0) {
        const at = random(held.length);
        const { pfn, order } = held[at]!;
        held[at] = held[held.length - 1]!;
        held.pop();
        freeAll(machine, [pfn], order);
      }
    }
    if (random(10) === 0) drainAllPages(machine);
    machine.zones[0]!.reclaimActive = random(2) === 0;
    expect(verifyPhysical(machine), `seed ${seed}, step ${step}`).toEqual([]);
  }
  for (const { pfn, order } of held) freeAll(machine, [pfn], order);
  drainAllPages(machine);
  expect(nrFreePages(machine), `seed ${seed}`).toBe(machine.totalPages);
  expect(verifyPhysical(machine), `seed ${seed}`).toEqual([]);
}
