import { describe, expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { filemapRead, filemapWrite } from '../filemap.ts';
import type { File } from '../fs.ts';
import { GFP_KERNEL } from '../gfp.ts';
import type { Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { PG_active, PG_dirty, PG_reclaim, PG_writeback } from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { MAP_PRIVATE, PROT_EXEC, PROT_READ } from '../uapi.ts';
import type { Pfn } from '../units.ts';
import { verify } from '../verify.ts';
import { NR_VMSCAN_IMMEDIATE, NR_VMSCAN_WRITE, WORKINGSET_ACTIVATE_FILE, WORKINGSET_REFAULT_FILE } from '../vmstat.ts';
import { xaIsPage, xaToPfn } from '../xarray.ts';
import { MAX_NR_ZONES } from '../zone.ts';
import { MemcgIter } from './memcg_iter.ts';
import { ScanControl } from './scan_control.ts';
import { getScanCount, inactiveRatio, zoneReclaimable } from './scan_count_3.ts';
import { ACTIVATED, FREED, KEPT } from './shrink_page_list_3.ts';
import { slabPlan } from './shrink_slab_3.ts';

function space(config = {}): Space {
  return new Space({ kernel: '3.16', ...config });
}

/** One list of the reclaim part is scanned, nothing else. */
interface Parts {
  shrinkInactiveList(sc: ScanControl, lruvec: Lruvec, lru: number, pages: number): number;
  shrinkActiveList(sc: ScanControl, lruvec: Lruvec, lru: number, pages: number): void;
}

function parts(machine: Machine): Parts {
  return machine.reclaim as unknown as Parts;
}

const INACTIVE_ANON = 0;
const ACTIVE_ANON = 1;
const INACTIVE_FILE = 2;
const ACTIVE_FILE = 3;

function control(s: Space, global = true): ScanControl {
  const sc = new ScanControl(s.machine.frames);
  sc.start(32, GFP_KERNEL, global ? null : s.memcg);
  return sc;
}

function scanInactive(s: Space, lru: number, pages: number, sc = control(s)): number {
  s.machine.current.memalloc = true;
  const freed = parts(s.machine).shrinkInactiveList(sc, s.lruvec(), lru, pages);
  s.machine.current.memalloc = false;
  return freed;
}

function read(s: Space, file: File, page: number): void {
  file.ra.prevPos = -1;
  filemapRead(s.machine, file, page * 4096, 4096, { page: (_token, from, to) => to - from });
}

/** Verdicts by page, in the order of the scan. */
function verdicts(s: Space): Map<Pfn, string[]> {
  const met = new Map<Pfn, string[]>();
  s.machine.trace.listen((_at, name, [pfn, rung, verdict]) => {
    if (name !== 'page_verdict') return;
    const list = met.get(pfn as Pfn) ?? [];
    list.push(`${rung} ${['freed', 'activated', 'kept', 'culled'][verdict!]}`);
    met.set(pfn as Pfn, list);
  });
  return met;
}

// scan balance

function pretend(lruvec: Lruvec, sizes: readonly number[]): void {
  sizes.forEach((pages, lru) => {
    lruvec.zoneSize.fill(0, lru * MAX_NR_ZONES, (lru + 1) * MAX_NR_ZONES);
    lruvec.zoneSize[lru * MAX_NR_ZONES] = pages;
  });
}

interface Balance {
  why: string;
  row?: string;
  /** Inactive and active anonymous, inactive and active file pages. */
  sizes?: number[];
  swappiness?: number;
  scanned?: [anon: number, file: number];
  rotated?: [anon: number, file: number];
  priority?: number;
  swap?: boolean;
  global?: boolean;
  free?: number;
  set?: (sc: ScanControl) => void;
  want: number[];
}

// More active than inactive file pages, so that both types have a share. At priority 2 a quarter is looked at.
const SIZES = [1000, 3000, 2000, 6000];
const ENOUGH = 100_000;

const BALANCE: Balance[] = [
  // ap = 60, fp = 140, of 201.
  { why: 'nothing known: 60 of 201', want: [74, 223, 348, 1044] },
  { why: 'swappiness 100: 100 of 201', swappiness: 100, want: [124, 373, 248, 746] },
  { why: 'swappiness 0: files alone', swappiness: 0, want: [0, 0, 497, 1492] },
  // ap = 60 x 101 / 51 = 118, fp = 140 x 101 / 11 = 1285, of 1404.
  {
    why: 'half of anonymous pages in use, a tenth of files',
    scanned: [100, 100],
    rotated: [50, 10],
    want: [21, 63, 457, 1372],
  },
  // 2000 > 4000 / 4: both halved to 1000 and 500; ap = 60 x 1001 / 501 = 119, fp = 140 x 1 / 1 = 140, of 260.
  { why: 'what was learned fades', scanned: [2000, 0], rotated: [1000, 0], want: [114, 343, 269, 807] },
  { why: 'priority 0: both alike', priority: 0, want: SIZES },
  { why: 'priority 0 and swappiness 0: not alike', priority: 0, swappiness: 0, want: [0, 0, 1990, 5970] },
  { why: 'no swap', swap: false, want: [0, 0, 500, 1500] },
  { why: 'no swap allowed', set: (sc) => (sc.maySwap = false), want: [0, 0, 500, 1500] },
  { why: "a cgroup's limit and swappiness 0", swappiness: 0, global: false, want: [0, 0, 500, 1500] },
  {
    why: 'inactive_file not low: no anonymous page, however many lie idle',
    sizes: [9000, 100, 3000, 3000],
    want: [0, 0, 750, 750],
  },
  { why: 'one file page more is active: shares again', sizes: [1000, 3000, 2000, 2001], want: [74, 223, 348, 348] },
  {
    row: 'get_scan_count trap',
    why: 'file + free at the high watermark: only anonymous memory',
    sizes: [1000, 3000, 4, 6],
    free: 0,
    want: [250, 750, 0, 0],
  },
  {
    row: 'get_scan_count trap',
    why: 'one page above it: files are not spared',
    sizes: [1000, 3000, 100, 6],
    free: 100,
    want: [0, 0, 25, 1],
  },
  {
    row: 'get_scan_count trap',
    why: "a cgroup's limit is not caught in it",
    sizes: [1000, 3000, 4, 6],
    free: 0,
    global: false,
    // ap 60 of 201.
    want: [74, 223, 0, 0],
  },
  { why: 'a list too short for the priority waits', priority: 12, sizes: [10, 3000, 20, 60], want: [0, 0, 0, 0] },
  {
    why: 'a limit forces at least 32 of each list, in their shares',
    priority: 12,
    global: false,
    sizes: [10, 3000, 20, 60],
    // 60 of 201: 10 -> 2, 32 -> 9; 140 of 201: 20 -> 13, 32 -> 22.
    want: [2, 9, 13, 22],
  },
];

describe('scan balance', () => {
  for (const {
    row = 'swappiness',
    why,
    sizes = SIZES,
    swappiness = 60,
    priority = 2,
    swap = true,
    ...rest
  } of BALANCE) {
    test(`[3.x ${row}] ${why}`, () => {
      const s = space(swap ? { swap: 'zram' } : {});
      const sc = control(s, rest.global ?? true);
      sc.priority = priority;
      sc.swappiness = swappiness;
      rest.set?.(sc);
      const lruvec = s.lruvec();
      pretend(lruvec, sizes);
      lruvec.recentScanned.set(rest.scanned ?? [0, 0]);
      lruvec.recentRotated.set(rest.rotated ?? [0, 0]);
      const zone = lruvec.zone!;
      zone.freePages = rest.free ?? ENOUGH;
      zone.wmarkHigh = 20;
      getScanCount(s.machine, sc, lruvec);
      expect([...sc.nr.subarray(0, 4)]).toEqual(rest.want);
    });
  }

  test('inactive ratio: 1 below a GB, 3 at one (a quarter inactive), 10 at ten', () => {
    const gb = 2 ** 18;
    expect([gb - 1, gb, 10 * gb, 100 * gb].map(inactiveRatio)).toEqual([1, 3, 10, 31]);
  });
});

// single lists

test('[3.x use-once] pages of a file, each read once through a mapping: the first scan keeps them, the second frees them', () => {
  const s = space();
  const file = s.file('disk', 16);
  for (let i = 0; i < 16; i++) read(s, file, i);
  for (let i = 0; i < 16; i++) s.machine.frames.clear(xaToPfn(file.mapping.pages.load(i)), 4);
  s.map(0, 16, MAP_PRIVATE, PROT_READ, file);
  s.loadAll(0, 16);
  s.machine.lru.drain();
  const met = verdicts(s);
  expect(scanInactive(s, INACTIVE_FILE, 16)).toBe(0);
  expect([...met.values()].every((list) => list.join() === '7 kept')).toBe(true);
  expect(scanInactive(s, INACTIVE_FILE, 16)).toBe(16);
  expect([...met.values()].every((list) => list.join() === '7 kept,12 freed')).toBe(true);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x use-once] a page used again before the second scan is active', () => {
  const s = space();
  const file = s.file('disk', 2);
  s.map(0, 2, MAP_PRIVATE, PROT_READ, file);
  s.loadAll(0, 2);
  s.machine.lru.drain();
  const met = verdicts(s);
  scanInactive(s, INACTIVE_FILE, 2);
  s.load(0);
  s.machine.pageTables.set(s.slot(0), PTE_YOUNG);
  const pfn = s.pfn(0);
  scanInactive(s, INACTIVE_FILE, 2);
  expect(met.get(pfn)).toEqual(['7 kept', '7 activated']);
  expect(s.machine.frames.has(pfn, PG_active)).toBe(true);
});

test('[3.x exec protection] code that was used stays on the active list, data of a file does not', () => {
  const s = space();
  const code = s.file('disk', 1);
  const data = s.file('disk', 1);
  s.map(0, 1, MAP_PRIVATE, PROT_READ | PROT_EXEC, code);
  s.map(8, 1, MAP_PRIVATE, PROT_READ, data);
  s.load(0);
  s.load(8);
  s.machine.lru.drain();
  for (const page of [0, 8]) s.machine.lru.activate(s.pfn(page));
  s.machine.lru.drain();
  const before = s.lruvec().recentRotated[1]!;
  parts(s.machine).shrinkActiveList(control(s), s.lruvec(), ACTIVE_FILE, 32);
  expect(s.list('active_file')).toEqual([s.pfn(0)]);
  expect(s.list('inactive_file')).toEqual([s.pfn(8)]);
  // Both were in use, and both count as that.
  expect(s.lruvec().recentRotated[1]! - before).toBe(2);
  // Code is activated on its first use, too.
  s.machine.lru.isolate(s.pfn(0));
  s.machine.frames.clear(s.pfn(0), PG_active);
  s.machine.lru.putback(s.pfn(0));
  s.machine.lru.drain();
  s.machine.pageTables.set(s.slot(0), PTE_YOUNG);
  const met = verdicts(s);
  scanInactive(s, INACTIVE_FILE, 2);
  expect(met.get(s.pfn(0))).toEqual(['7 activated']);
});

test('[3.x shrink_active_list] anonymous pages are deactivated, used or not; used ones count as rotated', () => {
  const s = space({ swap: 'zram' });
  s.map(0, 8);
  s.storeAll(0, 8);
  s.machine.lru.drain();
  for (let page = 0; page < 4; page++) s.machine.pageTables.clear(s.slot(page), PTE_YOUNG);
  const { recentRotated, recentScanned } = s.lruvec();
  const [rotated, scanned] = [recentRotated[0]!, recentScanned[0]!];
  parts(s.machine).shrinkActiveList(control(s), s.lruvec(), ACTIVE_ANON, 32);
  expect(s.list('active_anon')).toEqual([]);
  expect(s.list('inactive_anon')).toHaveLength(8);
  // In the order in which they stood.
  expect(s.list('inactive_anon')).toEqual([7, 6, 5, 4, 3, 2, 1, 0].map((page) => s.pfn(page)));
  expect(recentRotated[0]! - rotated).toBe(4);
  expect(recentScanned[0]! - scanned).toBe(8);
  // Used again on the inactive list: back to active, at the first use.
  s.machine.pageTables.set(s.slot(5), PTE_YOUNG);
  const met = verdicts(s);
  scanInactive(s, INACTIVE_ANON, 8);
  expect(met.get(s.pfn(5))).toEqual(['7 activated']);
});

test('[3.x dirty file page] reclaim leaves it to the flusher; only kswapd writes, where the tail is all dirty', () => {
  const s = space();
  const file = s.file('disk', 4);
  for (let i = 0; i < 4; i++) read(s, file, i);
  filemapWrite(s.machine, file, 0, 4096, { page: () => s.machine.newToken() });
  const pfn = xaToPfn(file.mapping.pages.load(0));
  const { frames } = s.machine;
  const inactive = (): void => {
    s.machine.lru.drain();
    s.machine.lru.isolate(pfn);
    frames.clear(pfn, PG_active | 4);
    s.machine.lru.putback(pfn);
    s.machine.lru.drain();
  };
  inactive();
  const met = verdicts(s);
  const stat = (item: number): number => s.machine.nodes[0]!.stat[item]!;
  const [immediate, written] = [stat(NR_VMSCAN_IMMEDIATE), stat(NR_VMSCAN_WRITE)];
  scanInactive(s, INACTIVE_FILE, 32);
  expect(met.get(pfn)).toEqual(['10 kept']);
  expect(frames.has(pfn, PG_reclaim) && frames.has(pfn, PG_dirty)).toBe(true);
  expect(stat(NR_VMSCAN_IMMEDIATE) - immediate).toBe(1);
  const sc = control(s);
  sc.isKswapd = true;
  scanInactive(s, INACTIVE_FILE, 32, sc);
  expect(stat(NR_VMSCAN_WRITE)).toBe(written);
  // All that was taken is dirty, and nobody writes it yet.
  const zone = s.lruvec().zone!;
  zone.tailLruDirty = true;
  inactive();
  scanInactive(s, INACTIVE_FILE, 32, sc);
  expect(stat(NR_VMSCAN_WRITE)).toBe(written + 1);
  expect(frames.has(pfn, PG_writeback)).toBe(true);
  // When it is written it goes to the tail, and the next scan frees it.
  s.machine.advance(1e9);
  s.machine.lru.drain();
  expect(scanInactive(s, INACTIVE_FILE, 32)).toBe(1);
  expect(met.get(pfn)!.at(-1)).toBe('12 freed');
});

test('[3.x dirty file page] a scan that takes nothing but dirty pages marks the zone', () => {
  const s = space();
  const file = s.file('disk', 4);
  for (let i = 0; i < 4; i++) filemapWrite(s.machine, file, i * 4096, 4096, { page: () => s.machine.newToken() });
  s.machine.lru.drain();
  for (const pfn of [...s.list('active_file'), ...s.list('inactive_file')]) {
    s.machine.lru.isolate(pfn);
    s.machine.frames.clear(pfn, PG_active | 4);
    s.machine.lru.putback(pfn);
  }
  s.machine.lru.drain();
  expect(s.lruvec().zone!.tailLruDirty).toBe(false);
  scanInactive(s, INACTIVE_FILE, 32);
  expect(s.lruvec().zone!.tailLruDirty).toBe(true);
});

// refaults

/** Reads the file from end to end, so often; returns refaults and those of them that were activated, in the last round. */
function loop(s: Space, file: File, pages: number, rounds: number): [number, number] {
  const { stat } = s.machine.nodes[0]!;
  let before = [0, 0];
  for (let round = 0; round < rounds; round++) {
    before = [stat[WORKINGSET_REFAULT_FILE]!, stat[WORKINGSET_ACTIVATE_FILE]!];
    for (let page = 0; page < pages; page++) read(s, file, page);
  }
  return [stat[WORKINGSET_REFAULT_FILE]! - before[0]!, stat[WORKINGSET_ACTIVATE_FILE]! - before[1]!];
}

describe('[3.x workingset]', () => {
  test('[3.x workingset] a loop a little larger than the inactive list is activated, one larger than memory is not', () => {
    const s = space({ limit: 600, sysctl: { readAheadKb: 0 } });
    const hot = s.file('disk', 300);
    for (let i = 0; i < 2; i++) for (let page = 0; page < 300; page++) read(s, hot, page);
    s.machine.lru.drain();
    expect(s.list('active_file')).toHaveLength(300);
    // About 300 are left for the loop, and 300 active ones to compete with; those get fewer on the way.
    const [refaults, activated] = loop(s, s.file('disk', 450), 450, 2);
    expect(refaults).toBeGreaterThan(100);
    expect(activated).toBeGreaterThan(300);
    const t = space({ limit: 600, sysctl: { readAheadKb: 0 } });
    const [many, none] = loop(t, t.file('disk', 1200), 1200, 2);
    expect(many).toBe(1200);
    expect(none).toBe(0);
    expect(verify(s.machine)).toEqual([]);
  });

  test('[3.x workingset] the distance counts evictions and activations of the zone, and is held against its active files', () => {
    const s = space();
    const file = s.file('disk', 2);
    read(s, file, 0);
    s.machine.lru.drain();
    const pfn = xaToPfn(file.mapping.pages.load(0));
    const zone = s.machine.zones[0]!;
    const shadow = s.machine.workingset.eviction(pfn, s.lruvec());
    zone.lruPages[ACTIVE_FILE] = 5;
    for (const { distance, active } of [
      { distance: 5, active: true },
      { distance: 6, active: false },
    ]) {
      s.machine.frames.clear(pfn, PG_active);
      const age = zone.inactiveAge;
      zone.inactiveAge += distance;
      s.machine.workingset.refault(pfn, shadow);
      expect(s.machine.frames.has(pfn, PG_active)).toBe(active);
      zone.inactiveAge = age;
    }
  });

  test('[3.x workingset] anonymous memory and truncated pages leave no shadow', () => {
    const s = space({ swap: 'zram' });
    s.map(0, 1);
    s.store(0);
    expect(s.machine.workingset.eviction(s.pfn(0), s.lruvec())).toBe(0);
    const file = s.file('disk', 1);
    read(s, file, 0);
    expect(xaIsPage(file.mapping.pages.load(0))).toBe(true);
  });
});

// around the lists

test('a zone is given up when it was scanned six times over since a page of it was freed', () => {
  const s = space();
  const zone = s.machine.zones[0]!;
  const pages = zone.lruPages[2]! + zone.lruPages[3]!;
  s.map(0, 8, MAP_PRIVATE, PROT_READ, s.file('disk', 8));
  s.loadAll(0, 8);
  s.machine.lru.drain();
  const all = zone.lruPages[2]! + zone.lruPages[3]!;
  expect(all).toBeGreaterThan(pages);
  zone.pagesScanned = 6 * all - 1;
  expect(zoneReclaimable(s.machine, zone)).toBe(true);
  zone.pagesScanned = 6 * all;
  expect(zoneReclaimable(s.machine, zone)).toBe(false);
});

test('objects are looked at in the share of pages that were scanned', () => {
  // 4 x 32 / 2 x 1000 / 1001 = 63.
  expect(slabPlan(0, 1000, 2, 32, 1000)).toBe(63);
  // A backlog is worked off up to half of what there is, unless the scan is a large one.
  expect(slabPlan(5000, 1000, 2, 32, 1000)).toBe(500);
  expect(slabPlan(5000, 1000, 2, 500, 1000)).toBe(2000);
});

test('a round over cgroups goes on where the last one stopped, and ends behind the last', () => {
  const s = space();
  const { machine, memcg } = s;
  const [a, b] = [machine.newCgroup('a', memcg), machine.newCgroup('b', memcg)];
  const iter = new MemcgIter(machine.zones.length);
  const zone = machine.zones[0]!;
  const round = (most: number, priority = 12): string => {
    const met: string[] = [];
    iter.round(memcg, zone, priority, (one) => {
      met.push(one.name);
      return met.length < most;
    });
    return met.join(' ');
  };
  expect(round(9)).toBe('test a b');
  expect(round(2)).toBe('test a');
  expect(round(9)).toBe('b');
  expect(round(9)).toBe('test a b');
  // Each priority has its own place.
  round(1, 11);
  expect(round(9)).toBe('test a b');
  expect([a.name, b.name]).toEqual(['a', 'b']);
});

test('the machine is short: the cgroup furthest above its soft limit gives first', () => {
  const s = space();
  const greedy = s.memcg;
  const modest = s.machine.newCgroup('modest');
  const file = s.file('disk', 300);
  for (let page = 0; page < 300; page++) read(s, file, page);
  s.machine.current.memcg = modest;
  const other = s.file('disk', 100);
  for (let page = 0; page < 100; page++) read(s, other, page);
  s.machine.lru.drain();
  greedy.softLimit = 50;
  modest.softLimit = 90;
  const [before, kept] = [greedy.memory.usage, modest.memory.usage];
  s.machine.reclaim.tryToFreePages(s.machine.nodes[0]!, 0, GFP_KERNEL);
  expect(greedy.memory.usage).toBeLessThan(before);
  expect(modest.memory.usage).toBeGreaterThan(kept - 40);
  expect([FREED, ACTIVATED, KEPT]).toEqual([0, 1, 2]);
  expect(verify(s.machine)).toEqual([]);
});
