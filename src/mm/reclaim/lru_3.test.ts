import { expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { filemapRead } from '../filemap.ts';
import type { File } from '../fs.ts';
import { PG_active, PG_lru, PG_referenced } from '../page_flags.ts';
import { MAP_PRIVATE, PROT_READ } from '../uapi.ts';
import type { Pfn } from '../units.ts';
import { PGACTIVATE } from '../vmstat.ts';
import { xaToPfn } from '../xarray.ts';
import { PAGEVEC_SIZE } from './pagevec.ts';

function space(config = {}): Space {
  return new Space({ kernel: '3.16', ...config });
}

/** read(2) of one page by an open file of its own, so that the place read last never repeats. */
function read(s: Space, file: File, page: number): void {
  file.ra.prevPos = -1;
  filemapRead(s.machine, file, page * 4096, 4096, { page: (_token, from, to) => to - from });
}

function cached(file: File, page: number): Pfn {
  return xaToPfn(file.mapping.pages.load(page));
}

test('[3.x pagevec] 14 pages wait off the lists; the 15th drains them, and waits itself', () => {
  const s = space();
  s.machine.lru.drain();
  s.map(0, 16);
  const { frames } = s.machine;
  for (let page = 0; page < PAGEVEC_SIZE; page++) s.store(page);
  const onList = (page: number): boolean => frames.has(s.pfn(page), PG_lru);
  expect([0, 13].map(onList)).toEqual([false, false]);
  // Nobody can isolate what has no PG_lru; the pagevec has a reference.
  expect(s.machine.lru.isolate(s.pfn(0))).toBe(false);
  expect(frames.refcount(s.pfn(0))).toBe(2);
  s.store(14);
  expect([0, 13, 14].map(onList)).toEqual([true, true, false]);
  expect(frames.refcount(s.pfn(0))).toBe(1);
  // The last added of the batch is nearest to the head.
  expect(s.list('active_anon')[0]).toBe(s.pfn(13));
  s.machine.lru.drain();
  expect(onList(14)).toBe(true);
});

test('[3.x pagevec] a page that reaches its list counts as looked at, an active one as in use', () => {
  const s = space();
  s.map(0, 20);
  s.storeAll(0, 20);
  s.machine.lru.drain();
  const file = s.file('disk', 1);
  read(s, file, 0);
  s.machine.lru.drain();
  const { recentScanned, recentRotated } = s.lruvec();
  expect([...recentScanned]).toEqual([20, 1]);
  expect([...recentRotated]).toEqual([20, 0]);
});

test('[3.x mark_page_accessed] two reads activate; the third sets REFERENCED, and more change nothing', () => {
  const s = space();
  const file = s.file('disk', 1);
  const { frames } = s.machine;
  // The read that brings it in is the first.
  read(s, file, 0);
  s.machine.lru.drain();
  const pfn = cached(file, 0);
  const state = (): string => {
    s.machine.lru.drain();
    return `${frames.has(pfn, PG_active) ? 'active' : 'inactive'}${frames.has(pfn, PG_referenced) ? ' referenced' : ''}`;
  };
  expect(state()).toBe('inactive referenced');
  const activated = s.event(PGACTIVATE);
  const { inactiveAge } = s.machine.zones[0]!;
  read(s, file, 0);
  expect(state()).toBe('active');
  expect(s.event(PGACTIVATE)).toBe(activated + 1);
  expect(s.machine.zones[0]!.inactiveAge).toBe(inactiveAge + 1);
  read(s, file, 0);
  expect(state()).toBe('active referenced');
  read(s, file, 0);
  expect(state()).toBe('active referenced');
});

test('[3.x mark_page_accessed] a page that still waits in the pagevec becomes active there', () => {
  const s = space();
  const file = s.file('disk', 1);
  read(s, file, 0);
  const pfn = cached(file, 0);
  expect(s.machine.frames.has(pfn, PG_lru)).toBe(false);
  read(s, file, 0);
  expect(s.machine.frames.has(pfn, PG_active)).toBe(true);
  s.machine.lru.drain();
  expect(s.list('active_file', s.memcg)).toEqual([pfn]);
});

test('rotation brings an inactive page to the tail, and leaves active ones', () => {
  const s = space();
  const file = s.file('disk', 3);
  s.map(0, 3, MAP_PRIVATE, PROT_READ, file);
  s.loadAll(0, 3);
  s.machine.lru.drain();
  const list = s.list('inactive_file');
  s.machine.lru.rotateReclaimable(list[0]!);
  s.machine.lru.drain();
  expect(s.list('inactive_file')).toEqual([...list.slice(1), list[0]]);
});
