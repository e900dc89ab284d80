import { describe, expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { filemapRead } from '../filemap.ts';
import { GFP_KERNEL } from '../gfp.ts';
import { PG_active, PG_swapbacked, PG_workingset } from '../page_flags.ts';
import { verify } from '../verify.ts';
import {
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  PSWPIN,
  PSWPOUT,
  WORKINGSET_ACTIVATE_ANON,
  WORKINGSET_ACTIVATE_FILE,
  WORKINGSET_REFAULT_ANON,
  WORKINGSET_REFAULT_FILE,
  WORKINGSET_RESTORE_ANON,
  WORKINGSET_RESTORE_FILE,
} from '../vmstat.ts';
import { lruNoteCost } from './workingset.ts';

/** A page of the cgroup, whose lists seem to have 10 and 20 file pages, 40 and 80 anonymous ones (active, inactive). */
function setup(file: boolean, swap: boolean, kernel = '6.18') {
  const s = new Space({ kernel, ...(swap ? { swap: 'zram' } : {}) });
  s.map(0, 1);
  s.store(0);
  s.machine.lru.drain();
  const pfn = s.pfn(0);
  if (file) s.machine.frames.clear(pfn, PG_swapbacked);
  const lruvec = s.lruvec();
  lruvec.stat[NR_ACTIVE_FILE] = 10;
  lruvec.stat[NR_INACTIVE_FILE] = 20;
  lruvec.stat[NR_ACTIVE_ANON] = 40;
  lruvec.stat[NR_INACTIVE_ANON] = 80;
  return { s, pfn, lruvec, workingset: s.machine.workingset };
}

describe('[6.x workingset] a page that comes back is active if it would have stayed with the active ones gone', () => {
  for (const { why, file, swap, size } of [
    { why: 'a file page competes with active file pages', file: true, swap: false, size: 10 },
    { why: 'with swap, with all anonymous ones, too', file: true, swap: true, size: 10 + 40 + 80 },
    { why: 'an anonymous page with all file pages', file: false, swap: false, size: 10 + 20 },
    { why: 'with swap, with active anonymous ones, too', file: false, swap: true, size: 10 + 20 + 40 },
  ]) {
    for (const [distance, want] of [
      [1, true],
      [size, true],
      [size + 1, false],
    ] as const) {
      test(`${why}: ${distance} later, ${size} pages`, () => {
        const { s, pfn, lruvec, workingset } = setup(file, swap);
        const shadow = workingset.eviction(pfn, lruvec);
        expect(lruvec.nonresidentAge).toBe(1);
        lruvec.nonresidentAge = distance;
        workingset.refault(pfn, shadow);
        expect(s.machine.frames.has(pfn, PG_active)).toBe(want);
        const item = file ? 1 : 0;
        expect(s.stat(WORKINGSET_REFAULT_ANON + item)).toBe(1);
        expect(s.stat(WORKINGSET_ACTIVATE_ANON + item)).toBe(want ? 1 : 0);
        expect(lruvec.nonresidentAge).toBe(distance + (want ? 1 : 0));
        // The other type knows nothing of it; nothing was in the working set before.
        expect([s.stat(WORKINGSET_REFAULT_ANON + 1 - item), s.stat(WORKINGSET_RESTORE_ANON + item)]).toEqual([0, 0]);
      });
    }
  }
});

for (const [kernel, cost] of [
  ['6.18', 32],
  ['6.1', 1],
] as const) {
  test(`[6.x workingset] ${kernel}: a page of the working set is restored to it, and its loss has cost ${cost}`, () => {
    const { s, pfn, lruvec, workingset } = setup(true, true, kernel);
    s.machine.frames.set(pfn, PG_workingset);
    const shadow = workingset.eviction(pfn, lruvec);
    s.machine.frames.clear(pfn, PG_workingset);
    workingset.refault(pfn, shadow);
    expect(s.machine.frames.has(pfn, PG_workingset)).toBe(true);
    expect([s.stat(WORKINGSET_RESTORE_FILE), lruvec.fileCost, lruvec.anonCost]).toEqual([1, cost, 0]);
  });
}

test('a page of the working set that comes back too late is as any other', () => {
  const { s, pfn, lruvec, workingset } = setup(true, false);
  s.machine.frames.set(pfn, PG_workingset);
  const shadow = workingset.eviction(pfn, lruvec);
  s.machine.frames.clear(pfn, PG_workingset);
  lruvec.nonresidentAge = 1000;
  workingset.refault(pfn, shadow);
  expect([s.machine.frames.has(pfn, PG_workingset), lruvec.fileCost]).toEqual([false, 0]);
});

test('evictions are time for the cgroup and all above it', () => {
  const { s, pfn, lruvec, workingset } = setup(true, false);
  const above = s.machine.rootMemcg.lruvecs[0]!;
  workingset.eviction(pfn, lruvec);
  workingset.eviction(pfn, above);
  workingset.activation(pfn);
  expect([lruvec.nonresidentAge, above.nonresidentAge]).toEqual([2, 3]);
});

test('a distance is right across the end of the clock, and the largest shadow is a whole number', () => {
  const { s, pfn, lruvec, workingset } = setup(true, false);
  s.machine.frames.set(pfn, PG_workingset);
  lruvec.nonresidentAge = 2 ** 34 - 5;
  const shadow = workingset.eviction(pfn, lruvec);
  expect(Number.isSafeInteger(shadow)).toBe(true);
  lruvec.nonresidentAge = 2 ** 34 + 5;
  workingset.refault(pfn, shadow);
  expect(s.machine.frames.has(pfn, PG_active)).toBe(true);
});

test('the cgroup that evicted it is gone: nobody knows', () => {
  const { s, pfn, workingset } = setup(true, false);
  const gone = s.machine.newCgroup('gone');
  const shadow = workingset.eviction(pfn, gone.lruvecs[0]!);
  gone.lruvecs[0]!.stat[NR_ACTIVE_FILE] = 100;
  gone.online = false;
  workingset.refault(pfn, shadow);
  expect(s.machine.frames.has(pfn, PG_active)).toBe(false);
});

test('time and sizes are those of the cgroup that evicted, the refault is counted where the page is now', () => {
  const { s, pfn, lruvec, workingset } = setup(true, false);
  const other = s.machine.newCgroup('other').lruvecs[0]!;
  other.stat[NR_ACTIVE_FILE] = 3;
  const shadow = workingset.eviction(pfn, other);
  lruvec.nonresidentAge = 1000;
  other.nonresidentAge = 3;
  workingset.refault(pfn, shadow);
  expect([s.stat(WORKINGSET_ACTIVATE_FILE), other.stat[WORKINGSET_REFAULT_FILE]]).toEqual([1, 0]);
});

describe('[6.x costs] what reclaim has cost', () => {
  // 400 pages on the lists: more than 100 is halved.
  for (const { why, kernel = '6.18', before, io, rotated, want } of [
    { why: 'a page of I/O is as bad as 32 rotations', before: [0, 0], io: 2, rotated: 5, want: [69, 0] },
    { why: '6.1 counts I/O alone', kernel: '6.1', before: [0, 0], io: 2, rotated: 5, want: [2, 0] },
    { why: 'a quarter of the pages may stand', before: [60, 39], io: 0, rotated: 1, want: [61, 39] },
    { why: 'more than that, and both are halved', before: [60, 39], io: 0, rotated: 3, want: [31, 19] },
    { why: 'once a time', before: [0, 1000], io: 0, rotated: 1, want: [0, 500] },
    { why: 'nothing was spent: nothing fades', before: [1000, 50], io: 0, rotated: 0, want: [1000, 50] },
    { why: '6.1 lets it fade even so', kernel: '6.1', before: [1000, 50], io: 0, rotated: 0, want: [500, 25] },
  ]) {
    test(why, () => {
      const s = new Space({ kernel });
      const [lruvec, above] = [s.lruvec(), s.machine.rootMemcg.lruvecs[0]!];
      for (const lru of [0, 1, 2, 3]) {
        lruvec.stat[lru] = 100;
        above.stat[lru] = 10_000;
      }
      for (const each of [lruvec, above]) each.flushStats(0);
      [lruvec.fileCost, lruvec.anonCost] = before as [number, number];
      lruNoteCost(s.machine, lruvec, true, io, rotated);
      expect([lruvec.fileCost, lruvec.anonCost]).toEqual(want);
      expect(above.fileCost).toBe(kernel === '6.1' ? io : io * 32 + rotated);
      lruNoteCost(s.machine, lruvec, false, 1, 0);
      expect(above.anonCost).toBe(kernel === '6.1' ? 1 : 32);
    });
  }
});

/**
 * b518154e59aa: 50 hot pages, and pages that are used once stream by. Before, new anonymous pages were active and pushed the hot
 * ones out: 50(uo) | 50(h), then 50(uo) | 50(uo). Since 5.9 they are inactive: 50(h) | 50(uo) throughout.
 */
for (const kernel of ['6.1', '6.18']) {
  test(`${kernel}: 50 hot pages stay active while pages used once stream by`, () => {
    const s = new Space({ kernel, swap: 'zram' });
    s.map(0, 50);
    s.map(1000, 1000);
    s.storeAll(0, 50);
    s.machine.lru.drain();
    const hot = Array.from({ length: 50 }, (_, i) => s.pfn(i));
    for (const pfn of hot) s.machine.lru.activate(pfn);
    s.machine.lru.drain();
    // 50 more, and what is charged ahead and reclaimed at a time.
    s.memcg.memory.max = s.memcg.memory.usage + 50 + 64 + 32;
    for (let i = 0; i < 1000; i++) {
      s.store(1000 + i);
      s.loadAll(0, 50);
      if (i % 50 !== 49) continue;
      const active = s.list('active_anon');
      expect([i, active.length, active.every((pfn) => hot.includes(pfn))]).toEqual([i, 50, true]);
      expect(s.list('inactive_anon').length).toBeLessThan(50 + 64 + 32 + 64);
    }
    expect(s.event(PSWPOUT) + s.event(PSWPIN)).toBeGreaterThan(750);
    expect(s.event(PSWPIN)).toBe(0);
    expect(verify(s.machine)).toEqual([]);
  });
}

test('what was evicted before its time comes back active', () => {
  const s = new Space();
  const [hot, loop] = [s.file('disk', 1000), s.file('disk', 40)];
  for (let round = 0; round < 2; round++) filemapRead(s.machine, hot, 0, 1000 * 4096, null);
  s.machine.lru.drain();
  expect(s.list('active_file').length).toBe(1000);
  filemapRead(s.machine, loop, 0, 40 * 4096, null);
  s.machine.lru.drain();
  s.machine.reclaim.tryToFreeMemCgroupPages(s.memcg, 40, GFP_KERNEL, true);
  // No more than 80 evictions and activations lie between, and many more than 80 pages are active.
  const left = loop.mapping.nrpages;
  expect(left).toBeLessThan(30);
  filemapRead(s.machine, loop, 0, 40 * 4096, null);
  expect(s.stat(WORKINGSET_REFAULT_FILE)).toBe(40 - left);
  expect(s.stat(WORKINGSET_ACTIVATE_FILE)).toBe(40 - left);
  expect(verify(s.machine)).toEqual([]);
});

test('pages of others count where they belong: at the root', () => {
  for (const [others, want] of [
    [0, false],
    [100, true],
  ] as const) {
    const s = new Space({ othersActivePages: others });
    s.map(0, 1);
    s.store(0);
    s.machine.lru.drain();
    const root = s.machine.rootMemcg.lruvecs[0]!;
    const shadow = s.machine.workingset.eviction(s.pfn(0), root);
    root.nonresidentAge += 100 - 1;
    s.machine.workingset.refault(s.pfn(0), shadow);
    expect(s.machine.frames.has(s.pfn(0), PG_active)).toBe(want);
  }
});

test('in 3.16 they count for a page of any cgroup: it is the zone that is asked', () => {
  for (const [others, want] of [
    [0, false],
    [100, true],
  ] as const) {
    const s = new Space({ kernel: '3.16', othersActivePages: others });
    const file = s.file('disk', 1);
    filemapRead(s.machine, file, 0, 4096, null);
    s.machine.lru.drain();
    const pfn = s.list('inactive_file')[0]!;
    const shadow = s.machine.workingset.eviction(pfn, s.lruvec());
    s.machine.zones[s.machine.frames.zoneIndex(pfn)]!.inactiveAge += 100;
    s.machine.workingset.refault(pfn, shadow);
    expect(s.machine.frames.has(pfn, PG_active)).toBe(want);
  }
});
