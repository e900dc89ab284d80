import { describe, expect, test, vi } from 'vitest';
import { Space } from '../../../test/space.ts';
import { SIGKILL } from '../fault.ts';
import { filemapRead } from '../filemap.ts';
import type { File } from '../fs.ts';
import { GFP_KERNEL } from '../gfp.ts';
import { LRU_ACTIVE_ANON, LRU_ACTIVE_FILE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, type Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { drainStock, type MemCgroup } from '../memcg.ts';
import { nrFreePages, zoneWatermarkOk } from '../page_alloc.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ } from '../uapi.ts';
import { verify } from '../verify.ts';
import {
  ALLOCSTALL,
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  OOM_KILL,
  PAGEOUTRUN,
  PGACTIVATE,
  PGSCAN_DIRECT,
  PGSCAN_KSWAPD,
  PGSTEAL_DIRECT,
  PGSTEAL_KSWAPD,
  PSWPOUT,
  WORKINGSET_ACTIVATE_ANON,
  WORKINGSET_ACTIVATE_FILE,
} from '../vmstat.ts';
import { MAX_NR_ZONES, type PgData, ZONE_DMA32 } from '../zone.ts';
import { DEACTIVATE_ANON, DEACTIVATE_FILE, ScanControl } from './scan_control.ts';
import { inactiveIsLow, MAX_RECLAIM_RETRIES } from './vmscan.ts';

/** The two steps that decide what is scanned; nothing else of reclaim runs. */
interface Plan {
  getScanCount(sc: ScanControl, lruvec: Lruvec): void;
  prepareScanControl(sc: ScanControl, pgdat: PgData, target: Lruvec): void;
}

/** One node of a scan, and the part that looks at pages. */
interface NodeScan {
  shrinkNode(sc: ScanControl, pgdat: PgData): void;
  shrinkNodeMemcgs(sc: ScanControl, pgdat: PgData): void;
}

function planner(machine: Machine): Plan {
  return machine.reclaim as unknown as Plan;
}

/** Lists of these sizes, as far as reclaim can tell. */
function pretend(lruvec: Lruvec, sizes: readonly number[]): void {
  sizes.forEach((pages, lru) => {
    lruvec.zoneSize.fill(0, lru * MAX_NR_ZONES, (lru + 1) * MAX_NR_ZONES);
    lruvec.zoneSize[lru * MAX_NR_ZONES + ZONE_DMA32] = pages;
    lruvec.stat[lru] = pages;
  });
}

// Inactive and active anonymous, inactive and active file pages; at priority 1 half of them are looked at.
const SIZES = [1000, 2000, 3000, 4000];

interface Balance {
  why: string;
  swappiness?: number;
  costs?: [anon: number, file: number];
  priority?: number;
  swap?: boolean;
  global?: boolean;
  set?: (sc: ScanControl) => void;
  want: number[];
}

// With no costs: anonymous swappiness / 200, file the rest. With costs a and f (t = a + f, T = 3t):
// anonymous swappiness x (T + 1) / (t + a + 1), file (200 - swappiness) x (T + 1) / (t + f + 1), each rounded down.
const BALANCE: Balance[] = [
  { why: 'no costs: 60 of 200 for anonymous pages', want: [150, 300, 1050, 1400] },
  { why: 'swappiness 100: half', swappiness: 100, want: [250, 500, 750, 1000] },
  { why: 'swappiness 200: files not at all', swappiness: 200, want: [500, 1000, 0, 0] },
  { why: 'swappiness 0: anonymous pages not at all', swappiness: 0, want: [0, 0, 1500, 2000] },
  { why: 'swappiness 0, whole machine', swappiness: 0, global: true, want: [0, 0, 1500, 2000] },
  // t 400, T 1200: 100 x 1201 / 701 = 171, 100 x 1201 / 501 = 239; of 410.
  { why: 'anonymous pages cost three times as much', swappiness: 100, costs: [300, 100], want: [208, 417, 874, 1165] },
  // 60 x 1201 / 701 = 102, 140 x 1201 / 501 = 335; of 437.
  { why: 'the same at swappiness 60', costs: [300, 100], want: [116, 233, 1149, 1533] },
  // T 3000: 100 x 3001 / 2001 = 149, 100 x 3001 / 1001 = 299; of 448.
  { why: 'only they cost: a third is the least', swappiness: 100, costs: [1000, 0], want: [166, 332, 1001, 1334] },
  { why: 'only files cost: two thirds', swappiness: 100, costs: [0, 1000], want: [333, 667, 498, 665] },
  { why: 'close to giving up: everything', priority: 0, want: SIZES },
  { why: 'close to giving up, swappiness 200: everything', priority: 0, swappiness: 200, want: SIZES },
  {
    why: 'close to giving up, swappiness 0: still no anonymous pages',
    priority: 0,
    swappiness: 0,
    global: true,
    want: [0, 0, 3000, 4000],
  },
  { why: 'no swap', swap: false, swappiness: 200, want: [0, 0, 1500, 2000] },
  { why: 'no swap allowed', swappiness: 200, set: (sc) => (sc.maySwap = false), want: [0, 0, 1500, 2000] },
  { why: 'few file pages left', global: true, set: (sc) => (sc.fileIsTiny = true), want: [500, 1000, 0, 0] },
  { why: 'enough idle file pages', set: (sc) => (sc.cacheTrimMode = true), want: [0, 0, 1500, 2000] },
  {
    why: 'few file pages left goes first',
    set: (sc) => {
      sc.fileIsTiny = true;
      sc.cacheTrimMode = true;
    },
    want: [500, 1000, 0, 0],
  },
  { why: 'priority 0 goes before both', priority: 0, set: (sc) => (sc.cacheTrimMode = true), want: SIZES },
  { why: 'each priority is half of the next', priority: 4, want: [18, 37, 130, 175] },
  { why: 'a list too short for the priority waits', priority: 12, want: [0, 0, 0, 0] },
  { why: 'only zones that help', set: (sc) => (sc.reclaimIdx = 0), want: [0, 0, 0, 0] },
];

describe('[6.x costs] scan balance', () => {
  for (const {
    why,
    swappiness = 60,
    costs: [anon, file] = [0, 0],
    priority = 1,
    swap = true,
    global = false,
    set,
    want,
  } of BALANCE) {
    test(why, () => {
      const s = new Space({ sysctl: { swappiness }, ...(swap ? { swap: 'zram' } : {}) });
      const sc = new ScanControl(s.machine.frames);
      sc.start(32, GFP_KERNEL, global ? null : s.memcg);
      sc.priority = priority;
      [sc.anonCost, sc.fileCost] = [anon, file];
      set?.(sc);
      pretend(s.lruvec(), SIZES);
      planner(s.machine).getScanCount(sc, s.lruvec());
      expect([...sc.nr.subarray(0, 4)]).toEqual(want);
    });
  }

  test('what a cgroup left behind when it was removed is rounded up, so that it goes some day', () => {
    const s = new Space({ swap: 'zram' });
    s.memcg.online = false;
    const sc = new ScanControl(s.machine.frames);
    sc.start(32, GFP_KERNEL, null);
    pretend(s.lruvec(), [1000, 0, 20, 5000]);
    planner(s.machine).getScanCount(sc, s.lruvec());
    // At most 32 where the priority leaves nothing: 32 x 60 / 200 = 9.6, 20 x 0.7 = 14; 5000 >> 12 = 1, x 0.7.
    expect([...sc.nr.subarray(0, 4)]).toEqual([10, 0, 14, 1]);
  });

  test('v1: each cgroup has its own swappiness', () => {
    const s = new Space({ cgroupV1: true, swap: 'zram' });
    s.memcg.swappiness = 200;
    const sc = new ScanControl(s.machine.frames);
    sc.start(32, GFP_KERNEL, s.memcg);
    sc.priority = 1;
    pretend(s.lruvec(), SIZES);
    planner(s.machine).getScanCount(sc, s.lruvec());
    expect([...sc.nr.subarray(0, 4)]).toEqual([500, 1000, 0, 0]);
  });

  for (const { why, min, low, again = false, usage, want, skipped } of [
    { why: 'nothing', min: 0, low: 0, usage: 1000, want: 1000, skipped: false },
    // 1000 - 1000 x 500 / 1001 = 501 (499.5 rounded down).
    { why: 'memory.low of half: half', min: 0, low: 500, usage: 1000, want: 501, skipped: true },
    { why: 'nearly all: at least 32', min: 0, low: 990, usage: 1000, want: 32, skipped: true },
    {
      why: 'memory.low in the second round: nothing',
      min: 0,
      low: 500,
      again: true,
      usage: 1000,
      want: 1000,
      skipped: false,
    },
    { why: 'memory.min always', min: 250, low: 0, again: true, usage: 1000, want: 751, skipped: false },
    { why: 'the larger of the two', min: 250, low: 500, usage: 1000, want: 501, skipped: true },
    { why: 'a usage that fell meanwhile', min: 0, low: 2000, usage: 1000, want: 32, skipped: true },
  ]) {
    test(`[6.x memory.low/min] protection: ${why}`, () => {
      const s = new Space();
      s.memcg.effectiveMin = min;
      s.memcg.effectiveLow = low;
      s.memcg.memory.usage = usage;
      const sc = new ScanControl(s.machine.frames);
      sc.start(32, GFP_KERNEL, null);
      sc.priority = 0;
      sc.memcgLowReclaim = again;
      pretend(s.lruvec(), [0, 0, 1000, 0]);
      planner(s.machine).getScanCount(sc, s.lruvec());
      expect([sc.nr[LRU_INACTIVE_FILE], sc.memcgLowSkipped]).toEqual([want, skipped]);
      // The cgroup whose own limit is at stake is not protected from itself.
      sc.start(32, GFP_KERNEL, s.memcg);
      sc.priority = 0;
      planner(s.machine).getScanCount(sc, s.lruvec());
      expect(sc.nr[LRU_INACTIVE_FILE]).toBe(1000);
    });
  }
});

describe('[6.x file_is_tiny, cache_trim] [6.x deactivation rule] before a node is scanned', () => {
  const ANON = DEACTIVATE_ANON;
  const FILE = DEACTIVATE_FILE;
  for (const { why, sizes, refaulted = [], force = false, priority = 4, may, trim } of [
    { why: 'enough inactive: active lists are left alone', sizes: [600, 500, 600, 500], may: 0, trim: true },
    { why: 'few inactive anonymous pages', sizes: [400, 500, 600, 500], may: ANON, trim: true },
    { why: 'few inactive file pages', sizes: [600, 500, 400, 500], may: FILE, trim: false },
    {
      why: 'refaults of file pages',
      sizes: [600, 500, 600, 500],
      refaulted: [WORKINGSET_ACTIVATE_FILE],
      may: FILE,
      trim: false,
    },
    {
      why: 'refaults of anonymous pages',
      sizes: [600, 500, 600, 500],
      refaulted: [WORKINGSET_ACTIVATE_ANON],
      may: ANON,
      trim: true,
    },
    {
      why: 'too few inactive file pages for this priority',
      sizes: [600, 500, 600, 500],
      priority: 10,
      may: 0,
      trim: false,
    },
    { why: 'the second attempt', sizes: [600, 500, 600, 500], force: true, may: ANON | FILE, trim: false },
  ]) {
    test(why, () => {
      const s = new Space();
      const sc = new ScanControl(s.machine.frames);
      sc.start(32, GFP_KERNEL, s.memcg);
      sc.priority = priority;
      sc.forceDeactivate = force;
      pretend(s.lruvec(), sizes);
      for (const item of refaulted) s.lruvec().stat[item]! += 1;
      planner(s.machine).prepareScanControl(sc, s.machine.nodes[0]!, s.lruvec());
      expect([sc.mayDeactivate, sc.cacheTrimMode, sc.fileIsTiny]).toEqual([may, trim, false]);
    });
  }

  for (const { why, file, free, inactive, active, cgroup = false, want } of [
    {
      why: 'file and free pages are no more than the high marks',
      file: 50,
      free: 50,
      inactive: 600,
      active: 500,
      want: true,
    },
    { why: 'one more', file: 51, free: 50, inactive: 600, active: 500, want: false },
    { why: 'few anonymous pages to take instead', file: 50, free: 50, inactive: 10, active: 5, want: false },
    { why: 'these must be aged first', file: 50, free: 50, inactive: 400, active: 500, want: false },
    { why: 'a cgroup has no free pages', file: 0, free: 0, inactive: 600, active: 500, cgroup: true, want: false },
  ]) {
    test(`[6.x file_is_tiny, cache_trim] are there few file pages left? ${why}: ${want ? 'yes' : 'no'}`, () => {
      const s = new Space();
      const pgdat = s.machine.nodes[0]!;
      const sc = new ScanControl(s.machine.frames);
      sc.start(32, GFP_KERNEL, cgroup ? s.memcg : null);
      sc.priority = 4;
      const lruvec = s.lruvec(cgroup ? s.memcg : s.machine.rootMemcg);
      pretend(lruvec, [inactive, active, 0, 0]);
      pgdat.stat[NR_INACTIVE_ANON] = inactive;
      pgdat.stat[NR_ACTIVE_ANON] = active;
      pgdat.stat[NR_INACTIVE_FILE] = file;
      pgdat.stat[NR_ACTIVE_FILE] = 0;
      for (const zone of s.machine.zones) {
        zone.freePages = 0;
        zone.wmarkHigh = 0;
        zone.watermarkBoost = 0;
      }
      const zone = s.machine.zones.at(-1)!;
      [zone.freePages, zone.wmarkHigh, zone.watermarkBoost] = [free, 90, 10];
      planner(s.machine).prepareScanControl(sc, pgdat, lruvec);
      expect(sc.fileIsTiny).toBe(want);
    });
  }
});

// The table above inactive_is_low() in mm/vmscan.c: of so much memory, one part in ratio + 1 is inactive.
for (const [size, pages, ratio] of [
  ['10 MB', 2560, 1],
  ['1 GB less a page', 2 ** 18 - 1, 1],
  ['1 GB', 2 ** 18, 3],
  ['10 GB', 10 * 2 ** 18, 10],
  ['100 GB', 100 * 2 ** 18, 31],
  ['1 TB', 1024 * 2 ** 18, 101],
  ['10 TB', 10240 * 2 ** 18, 320],
] as const) {
  test(`[6.x deactivation rule] ${size}: one inactive page to ${ratio} active ones is enough`, () => {
    const s = new Space();
    for (const inactiveList of [LRU_INACTIVE_ANON, LRU_INACTIVE_FILE]) {
      const inactive = Math.ceil(pages / (ratio + 1));
      const low = (n: number): boolean => {
        s.lruvec().stat[inactiveList] = n;
        s.lruvec().stat[inactiveList + 1] = pages - n;
        s.lruvec().flushStats(0);
        return inactiveIsLow(s.lruvec(), inactiveList);
      };
      expect([low(inactive), low(inactive - 1)]).toEqual([false, true]);
    }
  });
}

describe('[6.x throttling] who scans waits', () => {
  // Ours: 0 nothing was reclaimed, 1 writeback, 2 congested.
  for (const { why, kswapd = false, cgroup = false, met, want } of [
    { why: 'nothing to wait for', met: {}, want: [] },
    {
      why: 'kswapd met pages that it had sent to the disk before',
      kswapd: true,
      met: { immediate: 1 },
      want: [[100_000, 1]],
    },
    { why: 'others do not wait for these', met: { immediate: 1 }, want: [] },
    {
      why: 'a cgroup, all of whose dirty pages are congested',
      cgroup: true,
      met: { dirty: 3, congested: 3 },
      want: [[4000, 2]],
    },
    { why: 'not if some are not', cgroup: true, met: { dirty: 3, congested: 2 }, want: [] },
    { why: 'kswapd sees it, and goes on', kswapd: true, met: { dirty: 3, congested: 3 }, want: [] },
  ] as { why: string; kswapd?: boolean; cgroup?: boolean; met: Partial<ScanControl>; want: number[][] }[]) {
    test(why, () => {
      const s = new Space();
      const { machine } = s;
      const waits: number[][] = [];
      machine.trace.listen((_, name, [, usec, reason]) => {
        if (name === 'mm_vmscan_throttled') waits.push([usec!, reason!]);
      });
      const reclaim = machine.reclaim as unknown as NodeScan;
      vi.spyOn(reclaim, 'shrinkNodeMemcgs').mockImplementation((sc) => void Object.assign(sc, met));
      const sc = new ScanControl(machine.frames);
      sc.isKswapd = kswapd;
      if (cgroup) sc.targetMemcg = s.memcg;
      const began = machine.clock.now;
      reclaim.shrinkNode(sc, machine.nodes[0]!);
      expect(waits).toEqual(want);
      expect(machine.clock.now - began).toBe(want.reduce((sum, [usec]) => sum + usec! * 1000, 0));
    });
  }

  test('where nothing can be reclaimed, once in each round, at priority 1', () => {
    const { machine } = new Space();
    const waits: number[][] = [];
    machine.trace.listen((_, name, [, usec, reason]) => {
      if (name === 'mm_vmscan_throttled') waits.push([usec!, reason!]);
    });
    vi.spyOn(machine.reclaim as unknown as NodeScan, 'shrinkNodeMemcgs').mockReturnValue(undefined);
    expect(machine.reclaim.tryToFreePages(machine.nodes[0]!, 0, GFP_KERNEL)).toBe(0);
    // 6.18 goes round twice: the second time no cgroup is left out.
    expect(waits).toEqual([
      [4000, 0],
      [4000, 0],
    ]);
  });
});

// what happens to pages

function cachedFile(s: Space, pages: number): File {
  const file = s.file('disk', pages);
  filemapRead(s.machine, file, 0, pages * 4096, null);
  s.machine.lru.drain();
  for (const pfn of s.list('inactive_file')) s.machine.frames.clear(pfn, 1 << 2);
  return file;
}

function present(s: Space, from: number, pages: number): number {
  let n = 0;
  for (let i = from; i < from + pages; i++) if (s.pfn(i) >= 0) n += 1;
  return n;
}

describe('reclaim of a cgroup', () => {
  test('[6.x references] used pages get a second chance, unused ones go, though they are younger', () => {
    const s = new Space();
    const file = cachedFile(s, 256);
    s.map(0, 256, MAP_SHARED, PROT_READ, file);
    s.loadAll(0, 256);
    for (let i = 128; i < 256; i++) s.machine.pageTables.clear(s.slot(i), PTE_YOUNG);
    // The first pages are the oldest. At priorities 8 to 2 these are met and kept: 1 + 2 + ... + 64 = 127, each once.
    // At priority 1 one more, then unused ones, 32 at a time, until at least 32 are free.
    expect(s.machine.reclaim.tryToFreeMemCgroupPages(s.memcg, 32, GFP_KERNEL, true)).toBe(31 + 32);
    expect([present(s, 0, 128), present(s, 128, 128)]).toEqual([128, 128 - 63]);
    expect([s.event(PGACTIVATE), s.list('active_file')]).toEqual([0, []]);
    expect([s.memcg.events[PGSCAN_DIRECT], s.memcg.events[PGSTEAL_DIRECT], s.event(PGSCAN_DIRECT)]).toEqual([
      127 + 64,
      63,
      0,
    ]);
    // Those that are used once more by now are active when they are met again; the others go.
    s.loadAll(0, 10);
    for (let i = 0; i < 20 && present(s, 10, 246) > 0; i++) {
      s.machine.reclaim.tryToFreeMemCgroupPages(s.memcg, 32, GFP_KERNEL, true);
    }
    expect([present(s, 10, 246), s.event(PGACTIVATE)]).toEqual([0, 10]);
    expect(verify(s.machine)).toEqual([]);
  });

  for (const { why, prot, active } of [
    { why: 'code is active after one use', prot: PROT_READ | PROT_EXEC, active: 32 },
    { why: 'data is not', prot: PROT_READ, active: 0 },
  ]) {
    test(why, () => {
      const s = new Space();
      const file = cachedFile(s, 32);
      s.map(0, 32, MAP_PRIVATE, prot, file);
      s.loadAll(0, 32);
      s.machine.reclaim.tryToFreeMemCgroupPages(s.memcg, 1, GFP_KERNEL, true);
      // Priorities 5 to 0 meet 63 pages, so every one once.
      expect(s.event(PGACTIVATE)).toBe(active);
    });
  }

  test('active code stays active when the list is aged, active data does not', () => {
    const s = new Space();
    const code = cachedFile(s, 32);
    const data = cachedFile(s, 32);
    s.map(0, 32, MAP_PRIVATE, PROT_READ | PROT_EXEC, code);
    s.map(64, 32, MAP_PRIVATE, PROT_READ, data);
    s.loadAll(0, 32);
    s.loadAll(64, 32);
    for (let i = 0; i < 32; i++) {
      s.machine.lru.activate(s.pfn(i));
      s.machine.lru.activate(s.pfn(64 + i));
    }
    s.machine.lru.drain();
    const codePages = Array.from({ length: 32 }, (_, i) => s.pfn(i));
    const sc = new ScanControl(s.machine.frames);
    sc.start(32, GFP_KERNEL, s.memcg);
    const vmscan = s.machine.reclaim as unknown as {
      shrinkActiveList(sc: ScanControl, lruvec: Lruvec, lru: number, pages: number): void;
    };
    vmscan.shrinkActiveList(sc, s.lruvec(), LRU_ACTIVE_FILE, 64);
    expect(s.list('active_file').toSorted()).toEqual(codePages.toSorted());
    expect([s.list('inactive_file').length, s.lruvec().fileCost > 0]).toEqual([32, true]);
    // A file page that was active is of the working set; anonymous ones are aged alike.
    expect(s.list('inactive_file').every((pfn) => s.machine.frames.has(pfn, 1 << 7))).toBe(true);
    vmscan.shrinkActiveList(sc, s.lruvec(), LRU_ACTIVE_ANON, 32);
  });

  test('[6.x memory.low/min] memory.min is never taken, memory.low only when nothing else is left, and that is an event', () => {
    const s = new Space();
    const parent = s.machine.newCgroup('parent');
    const make = (name: string): MemCgroup => {
      const memcg = s.machine.newCgroup(name, parent);
      s.machine.current = s.task;
      s.task.memcg = memcg;
      s.mm.memcg = memcg;
      cachedFile(s, 200);
      drainStock(s.machine);
      return memcg;
    };
    const [kept, spared, plain] = [make('min'), make('low'), make('plain')];
    const pages = (memcg: MemCgroup): number => s.lruvec(memcg).stat[NR_INACTIVE_FILE]!;
    expect([kept, spared, plain].map(pages)).toEqual([200, 200, 200]);
    kept.min = 1000;
    spared.low = 1000;
    const reclaim = (): number => s.machine.reclaim.tryToFreeMemCgroupPages(parent, 64, GFP_KERNEL, true);
    while (pages(plain) > 0) expect(reclaim()).toBeGreaterThan(0);
    expect([pages(kept), pages(spared), spared.memoryEvents.low]).toEqual([200, 200, 0]);
    // Empty nodes of the page cache go before it.
    for (let i = 0; i < 5 && pages(spared) === 200; i++) expect(reclaim()).toBeGreaterThan(0);
    expect([pages(kept), pages(spared) < 200, spared.memoryEvents.low > 0]).toEqual([200, true, true]);
    while (pages(spared) > 0) expect(reclaim()).toBeGreaterThan(0);
    for (let i = 0; i < 5 && reclaim() > 0; i++);
    expect([reclaim(), pages(kept)]).toEqual([0, 200]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('memory.high: reclaimed at each charge above it, nobody is refused', () => {
    const s = new Space({ swap: 'zram' });
    s.map(0, 2000);
    s.memcg.high = s.memcg.memory.usage + 200;
    s.storeAll(0, 1000);
    expect([s.memcg.memoryEvents.high > 5, s.memcg.memoryEvents.max, s.memcg.memoryEvents.oom]).toEqual([true, 0, 0]);
    expect(s.memcg.memory.usage).toBeLessThan(s.memcg.high + 2 * 64);
    expect(s.event(PSWPOUT)).toBeGreaterThan(700);
  });

  for (const { why, memory, memsw, swaps, killed } of [
    { why: 'a limit on memory: swap helps', memory: 300, memsw: 2000, swaps: true, killed: false },
    { why: 'a limit on memory and swap together: swap does not', memory: 2000, memsw: 300, swaps: false, killed: true },
    { why: 'swap up to the limit on both', memory: 300, memsw: 500, swaps: true, killed: true },
  ]) {
    test(`v1, ${why}`, () => {
      const s = new Space({ cgroupV1: true, swap: 'zram' });
      s.map(0, 1000);
      s.memcg.memory.max = memory;
      s.memcg.memsw.max = memsw;
      let stored = 0;
      while (stored < 800 && s.store(stored) === 0) stored += 1;
      expect([s.event(PSWPOUT) > 0, s.task.killed, stored === 800]).toEqual([swaps, killed, !killed]);
      expect(verify(s.machine)).toEqual([]);
    });
  }

  test('when nothing can be reclaimed any more, somebody is killed', () => {
    const s = new Space({ limit: 200 });
    s.map(0, 400);
    let stored = 0;
    while (stored < 400 && s.store(stored) === 0) stored += 1;
    expect(s.store(stored)).toBe(SIGKILL * 256);
    expect(stored).toBeGreaterThan(100);
    expect(stored).toBeLessThan(200);
    expect([s.event(OOM_KILL), s.memcg.memoryEvents.oom, s.memcg.memoryEvents.oomKill, s.task.killed]).toEqual([
      1,
      1,
      1,
      true,
    ]);
  });
});

describe('the whole machine', () => {
  test('kswapd is woken at low, and frees up to high; nobody reclaims himself', () => {
    const s = new Space({ reservedBytes: 1 << 20, sysctl: { watermarkBoostFactor: 0 } });
    const { machine } = s;
    const zone = machine.zones.at(-1)!;
    const seen: { before: number; ok: boolean }[] = [];
    const run = machine.reclaim.runKswapd.bind(machine.reclaim);
    vi.spyOn(machine.reclaim, 'runKswapd').mockImplementation((pgdat) => {
      const before = zone.freePages;
      run(pgdat);
      seen.push({ before, ok: machine.zones.some((z) => zoneWatermarkOk(machine, z, 0, z.wmarkHigh, zone.type, 0)) });
    });
    const file = s.file('disk', 8000);
    for (let i = 0; i < 8000; i += 32) {
      filemapRead(machine, file, i * 4096, 32 * 4096, null);
      machine.advance(1000);
    }
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.every(({ ok }) => ok)).toBe(true);
    // It was woken when memory ran out, and not before.
    expect(seen.every(({ before }) => before <= zone.wmarkLow)).toBe(true);
    expect([s.event(PAGEOUTRUN), s.event(ALLOCSTALL), s.event(PGSCAN_DIRECT)]).toEqual([seen.length, 0, 0]);
    expect(s.event(PGSTEAL_KSWAPD)).toBeGreaterThan(4000);
    expect(s.event(PGSCAN_KSWAPD)).toBeGreaterThanOrEqual(s.event(PGSTEAL_KSWAPD));
    expect(nrFreePages(machine)).toBeGreaterThan(0);
    expect(verify(machine)).toEqual([]);
  });

  test('[6.x kswapd failures] where kswapd can do nothing sixteen times, it sleeps; then the OOM killer comes', () => {
    const s = new Space({ ramBytes: 8 << 20, reservedBytes: 1 << 20, sysctl: { overcommitMemory: 1 } });
    s.map(0, 4000);
    let stored = 0;
    while (stored < 4000 && s.store(stored) === 0) stored += 1;
    expect([s.task.killed, s.event(OOM_KILL)]).toEqual([true, 1]);
    expect(s.event(ALLOCSTALL)).toBeGreaterThan(0);
    const pgdat = s.machine.nodes[0]!;
    pgdat.kswapdFailures = MAX_RECLAIM_RETRIES;
    pgdat.kswapdAwake = false;
    s.machine.reclaim.wakeupKswapd(s.machine.zones.at(-1)!, GFP_KERNEL, 0);
    expect(pgdat.kswapdAwake).toBe(false);
    pgdat.kswapdFailures = MAX_RECLAIM_RETRIES - 1;
    s.machine.reclaim.wakeupKswapd(s.machine.zones.at(-1)!, GFP_KERNEL, 0);
    expect(pgdat.kswapdAwake).toBe(true);
  });
});
