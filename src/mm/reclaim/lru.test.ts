import { describe, expect, test } from 'vitest';
import { RW, Space } from '../../../test/space.ts';
import { truncateSetsize } from '../fallocate.ts';
import { filemapGetPage, filemapRead } from '../filemap.ts';
import type { File } from '../fs.ts';
import { doMlock, doMunlock } from '../mlock.ts';
import {
  PG_active,
  PG_dirty,
  PG_locked,
  PG_lru,
  PG_reclaim,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
  PG_writeback,
} from '../page_flags.ts';
import { MAP_SHARED } from '../uapi.ts';
import { NO_PFN, type Pfn, type Pgoff } from '../units.ts';
import { verify } from '../verify.ts';
import {
  NR_ACTIVE_FILE,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  PGACTIVATE,
  PGDEACTIVATE,
  PGLAZYFREE,
  PGROTATED,
  UNEVICTABLE_PGCULLED,
  UNEVICTABLE_PGRESCUED,
} from '../vmstat.ts';

/** A file of `pages` pages in the cache, on inactive_file, none of them used. */
function cached(pages: number, kernel = '6.18'): { s: Space; file: File; pfns: Pfn[] } {
  const s = new Space({ kernel });
  const file = s.file('disk', pages);
  filemapRead(s.machine, file, 0, pages * 4096, null);
  s.machine.lru.drain();
  const pfns = Array.from({ length: pages }, (_, i) => filemapGetPage(s.machine, file.mapping, i as Pgoff));
  for (const pfn of pfns) s.machine.frames.clear(pfn, PG_referenced);
  return { s, file, pfns };
}

describe('[6.x anon start list] a page reported as used', () => {
  for (const { why, set, times, active, referenced, aged } of [
    { why: 'once, is referenced', set: 0, times: 1, active: false, referenced: true, aged: 0 },
    { why: 'twice, is active and starts anew', set: 0, times: 2, active: true, referenced: false, aged: 1 },
    { why: 'three times, is active and referenced', set: 0, times: 3, active: true, referenced: true, aged: 1 },
    { why: 'more often, stays so', set: 0, times: 5, active: true, referenced: true, aged: 1 },
    {
      why: 'that cannot be evicted, moves nowhere',
      set: PG_unevictable,
      times: 4,
      active: false,
      referenced: true,
      aged: 0,
    },
  ]) {
    test(why, () => {
      const { s, pfns } = cached(1);
      const { frames, lru } = s.machine;
      const pfn = pfns[0]!;
      frames.set(pfn, set);
      const before = s.lruvec().nonresidentAge;
      for (let i = 0; i < times; i++) {
        lru.markAccessed(pfn);
        lru.drain();
      }
      expect([frames.has(pfn, PG_active), frames.has(pfn, PG_referenced)]).toEqual([active, referenced]);
      // An activation makes room for nobody: it counts as time, as an eviction does.
      expect(s.lruvec().nonresidentAge - before).toBe(aged);
      expect(s.event(PGACTIVATE)).toBe(aged);
    });
  }

  test('while it waits for its list: becomes active there, and counts as an activation of nobody', () => {
    const s = new Space();
    s.map(0, 1);
    s.store(0);
    const { frames, lru } = s.machine;
    const pfn = s.pfn(0);
    lru.markAccessed(pfn);
    lru.markAccessed(pfn);
    expect([frames.has(pfn, PG_lru), frames.has(pfn, PG_active)]).toEqual([false, true]);
    lru.drain();
    expect([s.list('active_anon'), s.event(PGACTIVATE)]).toEqual([[pfn], 0]);
  });

  test('but isolated: only loses its mark', () => {
    const { s, pfns } = cached(1);
    const pfn = pfns[0]!;
    s.machine.lru.isolate(pfn);
    s.machine.lru.markAccessed(pfn);
    s.machine.lru.markAccessed(pfn);
    expect(s.machine.frames.has(pfn, PG_active | PG_referenced)).toBe(false);
    s.machine.lru.putback(pfn);
    s.machine.lru.drain();
    expect(s.list('inactive_file')).toEqual([pfn]);
  });
});

for (const [kernel, size] of [
  ['6.18', 31],
  ['6.1', 15],
] as const) {
  test(`[6.x folio_batch] ${kernel}: new pages reach their list ${size} at a time, the last one nearest to the head`, () => {
    const s = new Space({ kernel });
    s.map(0, 64);
    s.storeAll(0, size - 1);
    const { frames } = s.machine;
    expect([s.list('inactive_anon'), frames.has(s.pfn(0), PG_lru), frames.refcount(s.pfn(0))]).toEqual([[], false, 2]);
    s.store(size - 1);
    const added = Array.from({ length: size }, (_, i) => s.pfn(i));
    expect(s.list('inactive_anon')).toEqual(added.toReversed());
    expect([frames.has(s.pfn(0), PG_lru), frames.refcount(s.pfn(0))]).toEqual([true, 1]);
    s.store(size);
    expect([s.list('inactive_anon').length, s.stat(NR_INACTIVE_ANON)]).toEqual([size, size]);
    s.machine.lru.drain();
    expect(s.list('inactive_anon')).toEqual([s.pfn(size), ...added.toReversed()]);
    expect(verify(s.machine)).toEqual([]);
  });
}

test('activated pages move in the order in which they were, to the head of active', () => {
  const { s, pfns } = cached(4);
  for (const pfn of [pfns[2]!, pfns[0]!]) s.machine.lru.activate(pfn);
  // Still where they were: the batch is not full.
  expect(s.list('active_file')).toEqual([]);
  s.machine.lru.drain();
  expect([s.list('active_file'), s.list('inactive_file')]).toEqual([
    [pfns[0], pfns[2]],
    [pfns[3], pfns[1]],
  ]);
  expect([s.stat(NR_ACTIVE_FILE), s.stat(NR_INACTIVE_FILE)]).toEqual([2, 2]);
});

for (const { why, set = 0, clear = 0, moved } of [
  { why: 'written: it is the next to go', moved: true },
  { why: 'dirty again', set: PG_dirty, moved: false },
  { why: 'locked', set: PG_locked, moved: false },
  { why: 'unevictable', set: PG_unevictable, moved: false },
  { why: 'on no list', clear: PG_lru, moved: false },
]) {
  test(`the end of writeback for reclaim: ${why}`, () => {
    const { s, pfns } = cached(4);
    const { frames, lru } = s.machine;
    frames.set(pfns[3]!, set);
    frames.clear(pfns[3]!, clear);
    lru.rotateReclaimable(pfns[3]!);
    lru.drain();
    expect([s.list('inactive_file').at(-1) === pfns[3], s.event(PGROTATED)]).toEqual([moved, moved ? 1 : 0]);
  });
}

for (const { why, flags = 0, mapped = false, at, rotated, deactivated } of [
  { why: 'clean: to the tail', at: 'tail', rotated: 1, deactivated: 0 },
  { why: 'active: the same, and it is counted', flags: PG_active, at: 'tail', rotated: 1, deactivated: 1 },
  {
    why: 'dirty: to the head, and to the tail when it is written',
    flags: PG_dirty,
    at: 'head',
    rotated: 0,
    deactivated: 0,
  },
  { why: 'being written: the same', flags: PG_writeback, at: 'head', rotated: 0, deactivated: 0 },
  { why: 'mapped: stays', mapped: true, at: 'same', rotated: 0, deactivated: 0 },
  { why: 'unevictable: stays', flags: PG_unevictable, at: 'same', rotated: 0, deactivated: 0 },
]) {
  test(`invalidation found a page busy, ${why}`, () => {
    const { s, file, pfns } = cached(4);
    const { frames, lru } = s.machine;
    const pfn = pfns[1]!;
    if (mapped) {
      s.map(0, 4, MAP_SHARED, RW, file);
      s.load(1);
    }
    if (flags === PG_active) {
      lru.activate(pfn);
      lru.drain();
    } else {
      frames.set(pfn, flags);
    }
    frames.set(pfn, PG_referenced);
    lru.deactivateFile(pfn);
    lru.drain();
    const list = s.list('inactive_file');
    const places = { tail: list.length - 1, head: 0, same: 2 };
    expect(list.indexOf(pfn)).toBe(places[at as keyof typeof places]);
    expect([s.event(PGROTATED), s.event(PGDEACTIVATE)]).toEqual([rotated, deactivated]);
    expect([frames.has(pfn, PG_reclaim), frames.has(pfn, PG_referenced)]).toEqual([at === 'head', at === 'same']);
  });
}

for (const { why, flags, wants } of [
  { why: 'an active page goes to the head of inactive', flags: PG_active, wants: true },
  { why: 'an inactive one stays', flags: 0, wants: false },
]) {
  test(`[6.x MADV_COLD/PAGEOUT] MADV_COLD: ${why}`, () => {
    const { s, pfns } = cached(3);
    const { lru, frames } = s.machine;
    if (flags === PG_active) lru.activate(pfns[0]!);
    lru.drain();
    frames.set(pfns[0]!, PG_referenced);
    lru.deactivate(pfns[0]!);
    lru.drain();
    expect(s.list('inactive_file')).toEqual(wants ? [pfns[0], pfns[2], pfns[1]] : pfns.toReversed());
    expect([s.event(PGDEACTIVATE), frames.has(pfns[0]!, PG_referenced)]).toEqual([wants ? 1 : 0, !wants]);
  });
}

for (const { why, set = 0, clear = 0, want } of [
  { why: 'an anonymous page becomes one of a file to reclaim', want: true },
  { why: 'not with a copy in swap', set: PG_swapcache, want: false },
  { why: 'not an unevictable one', set: PG_unevictable, want: false },
  { why: 'not twice', clear: PG_swapbacked, want: false },
  { why: 'not one that waits for its list', clear: PG_lru, want: false },
]) {
  test(`[6.x MADV_FREE] MADV_FREE: ${why}`, () => {
    const s = new Space();
    s.map(0, 2);
    s.storeAll(0, 2);
    const { frames, lru } = s.machine;
    lru.drain();
    const pfn = s.pfn(0);
    frames.set(pfn, set | PG_referenced);
    frames.clear(pfn, clear);
    lru.lazyfree(pfn);
    lru.drain();
    expect(s.list('inactive_file')).toEqual(want ? [pfn] : []);
    expect(s.list('inactive_anon').length).toBe(want ? 1 : 2);
    expect([s.event(PGLAZYFREE), frames.has(pfn, PG_referenced)]).toEqual([want ? 1 : 0, !want]);
  });
}

test('a page is isolated once, and gone from its list then', () => {
  const { s, pfns } = cached(3);
  const { lru, frames } = s.machine;
  expect([lru.isolate(pfns[1]!), lru.isolate(pfns[1]!)]).toEqual([true, false]);
  expect([s.list('inactive_file'), s.stat(NR_INACTIVE_FILE)]).toEqual([[pfns[2], pfns[0]], 2]);
  expect([frames.refcount(pfns[1]!), frames.has(pfns[1]!, PG_lru)]).toEqual([2, false]);
});

test('a locked page goes to the unevictable list, and back when it is unlocked', () => {
  const s = new Space();
  s.map(0, 2);
  s.storeAll(0, 2);
  s.machine.lru.drain();
  const at = s.vpn(0) * 4096;
  expect(doMlock(s.machine, s.mm, at, 4096, false)).toBe(0);
  s.machine.lru.drain();
  expect([s.list('unevictable'), s.list('inactive_anon')]).toEqual([[s.pfn(0)], [s.pfn(1)]]);
  expect(doMunlock(s.machine, s.mm, at, 4096)).toBe(0);
  s.machine.lru.drain();
  expect([s.list('unevictable').length, s.list('inactive_anon').length]).toEqual([0, 2]);
  expect(verify(s.machine)).toEqual([]);
});

test('[6.x mlock] what must stay is culled when it is put back, and rescued when it need not stay any more', () => {
  const { s, file, pfns } = cached(3);
  const { lru, frames } = s.machine;
  file.mapping.unevictable = true;
  lru.activate(pfns[0]!);
  lru.drain();
  for (const pfn of pfns) {
    expect(lru.isolate(pfn)).toBe(true);
    lru.putback(pfn);
  }
  lru.drain();
  expect(s.list('unevictable')).toEqual(pfns.toReversed());
  expect([s.event(UNEVICTABLE_PGCULLED), frames.has(pfns[0]!, PG_active)]).toEqual([3, false]);
  file.mapping.unevictable = false;
  expect([lru.isolate(pfns[1]!), lru.isolate(pfns[1]!)]).toEqual([true, false]);
  lru.putback(pfns[1]!);
  lru.drain();
  expect([s.list('inactive_file'), s.event(UNEVICTABLE_PGRESCUED)]).toEqual([[pfns[1]], 1]);
});

test('a page mapped by a locked VMA is unevictable from its first day', () => {
  const s = new Space();
  s.map(0, 4);
  expect(doMlock(s.machine, s.mm, s.vpn(0) * 4096, 4 * 4096, false)).toBe(0);
  s.machine.lru.drain();
  expect([s.list('unevictable').length, s.list('inactive_anon')]).toEqual([4, []]);
  expect(verify(s.machine)).toEqual([]);
});

test('a page that its file loses while it waits in a batch is freed when the batch is drained', () => {
  const { s, file, pfns } = cached(2);
  const { frames, lru } = s.machine;
  lru.activate(pfns[1]!);
  truncateSetsize(s.machine, file.inode, 4096);
  expect([filemapGetPage(s.machine, file.mapping, 1 as Pgoff), frames.refcount(pfns[1]!)]).toEqual([NO_PFN, 1]);
  lru.drain();
  expect([frames.refcount(pfns[1]!), frames.has(pfns[1]!, PG_lru), frames.memcg(pfns[1]!)]).toEqual([0, false, 0]);
  expect(verify(s.machine)).toEqual([]);
});
