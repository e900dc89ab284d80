import { describe, expect, test, vi } from 'vitest';
import { Space } from '../../test/space.ts';
import { ENOMEM } from './errno.ts';
import { __GFP_HIGH, __GFP_NOFAIL, __GFP_NORETRY, __GFP_RETRY_MAYFAIL, GFP_ATOMIC, GFP_KERNEL } from './gfp.ts';
import {
  calculateProtection,
  drainStock,
  MEMCG_CHARGE_BATCH,
  objCgroupCharge,
  objCgroupUncharge,
  PageCounter,
  tryCharge,
  unchargeKernelPage,
  unchargePages,
} from './memcg.ts';
import { allocPages } from './page_alloc.ts';
import { verify } from './verify.ts';

/** A cgroup below the one of the process, with nothing charged and nothing in stock. */
function fresh(v1 = false) {
  const s = new Space({ cgroupV1: v1 });
  const memcg = s.machine.newCgroup('fresh', s.memcg);
  drainStock(s.machine);
  return { s, machine: s.machine, memcg, stock: s.machine.memcgStock };
}

test('a counter charges all above it, or nothing and says which is full', () => {
  const top = new PageCounter(null);
  const middle = new PageCounter(top);
  const leaf = new PageCounter(middle);
  middle.max = 10;
  expect(leaf.tryCharge(10)).toBe(null);
  expect(leaf.tryCharge(1)).toBe(middle);
  expect([leaf, middle, top].map((c) => [c.usage, c.watermark, c.failcnt])).toEqual([
    [10, 10, 0],
    [10, 10, 1],
    [10, 10, 0],
  ]);
  leaf.charge(5);
  leaf.uncharge(12);
  expect([leaf, middle, top].map((c) => [c.usage, c.watermark])).toEqual([
    [3, 15],
    [3, 15],
    [3, 15],
  ]);
});

describe('[6.x memcg charge] the stock', () => {
  for (const { why, charges, usage, stock } of [
    { why: 'the first page takes 64', charges: [1], usage: 64, stock: 63 },
    { why: 'the next 63 come from it', charges: [1, 63], usage: 64, stock: 0 },
    { why: 'then another 64', charges: [1, 63, 1], usage: 128, stock: 63 },
    { why: 'what it has not is charged anew, and the rest is added', charges: [60, 5], usage: 128, stock: 4 + 59 },
    { why: 'a large charge does not use it', charges: [1, 100], usage: 164, stock: 63 },
  ]) {
    test(why, () => {
      const { machine, memcg, stock: held } = fresh();
      for (const pages of charges) expect(tryCharge(machine, memcg, GFP_KERNEL, pages)).toBe(0);
      expect([memcg.memory.usage, held.pages]).toEqual([usage, stock]);
    });
  }

  test('more than 64 go back, all of them', () => {
    const { s, machine, memcg, stock } = fresh();
    tryCharge(machine, memcg, GFP_KERNEL, 2);
    expect([memcg.memory.usage, stock.pages]).toEqual([64, 62]);
    // Page tables that are freed go to the stock: here two, and one too many.
    const tables = [0, 1, 2].map(() => allocPages(machine, GFP_KERNEL, 0));
    for (const pfn of tables) {
      machine.frames.setMemcg(pfn, memcg.id);
      memcg.kmem.charge(1);
    }
    memcg.memory.charge(3);
    unchargeKernelPage(machine, tables[0]!);
    unchargeKernelPage(machine, tables[1]!);
    expect([memcg.memory.usage, stock.pages]).toEqual([67, MEMCG_CHARGE_BATCH]);
    unchargeKernelPage(machine, tables[2]!);
    expect([memcg.memory.usage, stock.pages, s.machine.memcgStock.cached]).toEqual([2, 0, null]);
  });

  test('another cgroup’s charge sends the first one’s back', () => {
    const { s, machine, memcg, stock } = fresh();
    const other = machine.newCgroup('other');
    tryCharge(machine, memcg, GFP_KERNEL, 1);
    const above = s.memcg.memory.usage;
    tryCharge(machine, other, GFP_KERNEL, 1);
    expect([memcg.memory.usage, other.memory.usage, stock.cached === other]).toEqual([1, 64, true]);
    expect(s.memcg.memory.usage).toBe(above - 63);
    drainStock(machine);
    expect([other.memory.usage, stock.cached, stock.pages]).toEqual([1, null, 0]);
  });

  test('at the limit a charge takes what it needs and no more', () => {
    const { machine, memcg, stock } = fresh();
    memcg.memory.max = 10;
    expect(tryCharge(machine, memcg, GFP_KERNEL, 1)).toBe(0);
    expect([memcg.memory.usage, stock.pages, memcg.memoryEvents.max]).toEqual([1, 0, 0]);
  });

  test('the root is not charged', () => {
    const { machine, stock } = fresh();
    const before = machine.rootMemcg.memory.usage;
    expect(tryCharge(machine, machine.rootMemcg, GFP_KERNEL, 1)).toBe(0);
    expect([machine.rootMemcg.memory.usage, stock.pages]).toEqual([before, 0]);
  });
});

describe('objects by the byte', () => {
  test('a page is charged, and what the object leaves of it serves the next ones', () => {
    const { machine, memcg, stock } = fresh();
    objCgroupCharge(machine, memcg, GFP_KERNEL, 1000);
    expect([memcg.kmem.usage, memcg.slabBytes, stock.objBytes]).toEqual([1, 1000, 3096]);
    objCgroupCharge(machine, memcg, GFP_KERNEL, 3000);
    expect([memcg.kmem.usage, memcg.slabBytes, stock.objBytes]).toEqual([1, 4000, 96]);
    objCgroupCharge(machine, memcg, GFP_KERNEL, 100);
    expect([memcg.kmem.usage, memcg.slabBytes, stock.objBytes]).toEqual([2, 4100, 96 + 3996]);
  });

  test('freed bytes come together to pages again', () => {
    const { machine, memcg, stock } = fresh();
    for (let i = 0; i < 8; i++) objCgroupCharge(machine, memcg, GFP_KERNEL, 1024);
    expect([memcg.kmem.usage, stock.objBytes]).toEqual([2, 0]);
    for (let i = 0; i < 5; i++) objCgroupUncharge(machine, memcg, 1024);
    // More than a page, so a page goes back; exactly a page waits.
    expect([memcg.kmem.usage, stock.objBytes, memcg.slabBytes]).toEqual([1, 1024, 3072]);
  });

  test('what a cgroup leaves in the stock waits for it', () => {
    const { machine, memcg, stock } = fresh();
    const other = machine.newCgroup('other');
    objCgroupCharge(machine, memcg, GFP_KERNEL, 1000);
    objCgroupCharge(machine, other, GFP_KERNEL, 4000);
    expect([stock.objCached === other, stock.objBytes, stock.leftBytes.get(memcg.id)]).toEqual([true, 96, 3096]);
    // It has to charge again, since the stock is not its own; then it has both rests, more than a page.
    objCgroupCharge(machine, memcg, GFP_KERNEL, 1000);
    expect([stock.objBytes, memcg.kmem.usage, stock.leftBytes.has(memcg.id)]).toEqual([3096 + 3096 - 4096, 1, false]);
  });

  test('an object of whole pages leaves nothing', () => {
    const { machine, memcg, stock } = fresh();
    objCgroupCharge(machine, memcg, GFP_KERNEL, 8192);
    expect([memcg.kmem.usage, stock.objBytes, stock.objCached]).toEqual([2, 0, null]);
  });
});

describe('at the limit', () => {
  const full = (v1 = false) => {
    const f = fresh(v1);
    f.memcg.memory.max = 100;
    f.memcg.memory.charge(100);
    if (v1) f.memcg.memsw.charge(100);
    f.s.task.memcg = f.memcg;
    f.s.mm.memcg = f.memcg;
    return f;
  };

  test('[6.x memcg charge] reclaim is asked 18 times, sixteen of them retries, then somebody dies', () => {
    const { s, machine, memcg } = full();
    const reclaim = vi.spyOn(machine.reclaim, 'tryToFreeMemCgroupPages').mockReturnValue(0);
    // Who is killed is let through to his end.
    expect(tryCharge(machine, memcg, GFP_KERNEL, 1)).toBe(0);
    // Once, then with all stocks drained, then sixteen times.
    expect(reclaim.mock.calls.length).toBe(1 + 1 + 16);
    expect([memcg.memoryEvents.oom, memcg.memoryEvents.oomKill, s.task.killed]).toEqual([1, 1, true]);
    // One event for each reclaim, and for the charge that was let through; the cgroup above counts them as its own.
    expect([memcg.memoryEvents.max, s.memcg.memoryEvents.max]).toEqual([19, 19]);
    expect(memcg.memory.usage).toBe(101);
  });

  test('as long as reclaim brings something, nobody dies', () => {
    const { machine, memcg } = full();
    let calls = 0;
    vi.spyOn(machine.reclaim, 'tryToFreeMemCgroupPages').mockImplementation((over) => {
      expect(over).toBe(memcg);
      calls += 1;
      if (calls === 40) unchargePages(memcg, 1);
      return 1;
    });
    expect([tryCharge(machine, memcg, GFP_KERNEL, 1), calls, memcg.memoryEvents.oom]).toEqual([0, 40, 0]);
  });

  for (const { why, gfp, want, calls, usage } of [
    { why: 'who may not wait is refused', gfp: 0, want: -ENOMEM, calls: 0, usage: 100 },
    { why: 'unless it is urgent', gfp: GFP_ATOMIC | __GFP_HIGH, want: 0, calls: 0, usage: 101 },
    {
      why: 'who would rather fail, after two attempts',
      gfp: GFP_KERNEL | __GFP_NORETRY,
      want: -ENOMEM,
      calls: 2,
      usage: 100,
    },
    { why: 'or after eighteen', gfp: GFP_KERNEL | __GFP_RETRY_MAYFAIL, want: -ENOMEM, calls: 18, usage: 100 },
    { why: 'who must not fail is charged beyond it', gfp: __GFP_NOFAIL, want: 0, calls: 0, usage: 101 },
  ]) {
    test(why, () => {
      const { machine, memcg } = full();
      const reclaim = vi.spyOn(machine.reclaim, 'tryToFreeMemCgroupPages').mockReturnValue(0);
      expect([tryCharge(machine, memcg, gfp, 1), reclaim.mock.calls.length]).toEqual([want, calls]);
      expect([memcg.memory.usage, memcg.memoryEvents.oom]).toEqual([usage, 0]);
    });
  }

  test('who frees memory is let through at once', () => {
    const { s, machine, memcg } = full();
    s.task.memalloc = true;
    expect([tryCharge(machine, memcg, GFP_KERNEL, 1), memcg.memory.usage, memcg.memoryEvents.max]).toEqual([0, 101, 1]);
  });

  test('the limit may be that of a cgroup above: that one is reclaimed', () => {
    const { s, machine, memcg } = fresh();
    s.memcg.memory.max = s.memcg.memory.usage;
    const reclaimed: string[] = [];
    vi.spyOn(machine.reclaim, 'tryToFreeMemCgroupPages').mockImplementation((over) => {
      reclaimed.push(over.name);
      s.memcg.memory.max += 1;
      return 1;
    });
    expect(tryCharge(machine, memcg, GFP_KERNEL, 1)).toBe(0);
    expect(reclaimed).toEqual(['test']);
    expect([memcg.memoryEvents.max, s.memcg.memoryEvents.max]).toEqual([0, 1]);
  });

  test('v1: memory and swap together are full, so swap would not help', () => {
    const { machine, memcg } = full(true);
    memcg.memory.max = 1000;
    memcg.memsw.max = 100;
    const reclaim = vi.spyOn(machine.reclaim, 'tryToFreeMemCgroupPages').mockReturnValue(0);
    tryCharge(machine, memcg, GFP_KERNEL | __GFP_NORETRY, 1);
    expect(reclaim.mock.calls[0]![3]).toBe(false);
    memcg.memsw.max = 1000;
    memcg.memory.max = 100;
    tryCharge(machine, memcg, GFP_KERNEL | __GFP_NORETRY, 1);
    expect(reclaim.mock.calls.at(-1)![3]).toBe(true);
    // Nothing of a charge that failed is left behind.
    expect([memcg.memory.usage, memcg.memsw.usage]).toEqual([100, 100]);
  });
});

// A parent of 1000 pages, itself a child of what is reclaimed, with two children.
for (const { why, usage = [600, 400], low, parentLow, want } of [
  { why: 'what they claim, if the parent has it', low: [300, 200], parentLow: 500, want: [300, 200] },
  { why: 'no more than they use', low: [5000, 0], parentLow: 600, want: [600, 0] },
  { why: 'shared out if they claim too much', low: [600, 200], parentLow: 400, want: [300, 100] },
  // 400 of 600 unclaimed, shared by what is used beyond the claims: 400 x 500 / 800 = 250, 400 x 300 / 800 = 150.
  { why: 'what nobody claims goes to those who use it', low: [100, 100], parentLow: 600, want: [350, 250] },
  { why: 'nothing without the parent’s', low: [300, 200], parentLow: 0, want: [0, 0] },
]) {
  test(`protection of two children: ${why}`, () => {
    const { s, machine } = fresh();
    const parent = machine.newCgroup('parent', s.memcg);
    const children = ['a', 'b'].map((name) => machine.newCgroup(name, parent));
    children.forEach((child, i) => {
      child.memory.usage = usage[i]!;
      child.low = low[i]!;
      child.min = low[i]!;
    });
    parent.memory.usage = 1000;
    parent.low = parentLow;
    parent.min = parentLow;
    for (const memcg of [s.memcg, parent, ...children]) calculateProtection(s.memcg, memcg);
    expect(children.map((child) => child.effectiveLow)).toEqual(want);
    expect(children.map((child) => child.effectiveMin)).toEqual(want);
    // Reclaimed for its own limit, the parent protects nobody from itself: children have what they claim.
    for (const memcg of [parent, ...children]) calculateProtection(parent, memcg);
    expect([parent.effectiveLow, ...children.map((child) => child.effectiveLow)]).toEqual([0, ...low]);
  });
}

test('a process leaves nothing charged', () => {
  const s = new Space({ swap: 'zram', limit: 300 });
  s.map(0, 600);
  s.storeAll(0, 600);
  s.exit(s.fork());
  s.exit(s.task);
  s.machine.current = s.machine.idle;
  s.machine.lru.drain();
  drainStock(s.machine);
  expect([s.memcg.memory.usage, s.memcg.swap.usage, s.memcg.slabBytes]).toEqual([s.memcg.kmem.usage, 0, 0]);
  expect(verify(s.machine)).toEqual([]);
});
