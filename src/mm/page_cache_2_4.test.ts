import { expect, test } from 'vitest';
import { truncateSetsize } from './fallocate.ts';
import { newInode, openInode } from './file.ts';
import { filemapRead, filemapWrite } from './filemap.ts';
import type { File } from './fs.ts';
import { Machine } from './machine.ts';
import { CLEAN_PAGES, DIRTY_PAGES, LOCKED_PAGES } from './mapping_lists.ts';
import { filemapFdatasync, filemapFdatawait, setPageDirty } from './page_cache_2_4.ts';
import { PG_dirty, PG_writeback } from './page_flags.ts';
import { state_2_4 } from './state_2_4.ts';
import type { Pfn } from './units.ts';
import { vfsFsync } from './writeback.ts';
import { xaToPfn } from './xarray.ts';

function world(pages: number): { machine: Machine; file: File } {
  const machine = new Machine({ kernel: '2.4.19', ramBytes: 16 * 2 ** 20 });
  const inode = newInode(machine, '/f', 'disk', pages * 4096);
  const file = openInode(machine, inode, true, true, false);
  filemapRead(machine, file, 0, pages * 4096, null);
  return { machine, file };
}

function frame(file: File, index: number): Pfn {
  return xaToPfn(file.mapping.pages.load(index));
}

/** Offsets of the pages on a list, head to tail. */
function list({ machine, file }: ReturnType<typeof world>, which: number): number[] {
  return state_2_4(machine)
    .pageCache.lists.pages(file.mapping.id, which)
    .map((pfn) => machine.frames.index(pfn));
}

test('[2.4 mapping lists] new pages go to the head of clean_pages, dirty ones to the head of dirty_pages', () => {
  const s = world(5);
  expect([list(s, CLEAN_PAGES), list(s, DIRTY_PAGES)]).toEqual([[4, 3, 2, 1, 0], []]);
  for (const index of [2, 0, 3]) setPageDirty(s.machine, frame(s.file, index));
  setPageDirty(s.machine, frame(s.file, 0));
  expect([list(s, CLEAN_PAGES), list(s, DIRTY_PAGES)]).toEqual([
    [4, 1],
    [3, 0, 2],
  ]);
  expect(s.machine.verify()).toEqual([]);
});

test('[2.4 mapping lists] fdatasync takes from the tail of dirty_pages: what became dirty first is written first', () => {
  const s = world(6);
  const { pageCache } = state_2_4(s.machine);
  for (const index of [4, 1, 2, 5]) setPageDirty(s.machine, frame(s.file, index));
  filemapFdatasync(s.machine, pageCache, s.file.mapping);
  expect([list(s, DIRTY_PAGES), list(s, LOCKED_PAGES)]).toEqual([[], [5, 2, 1, 4]]);
  expect([4, 1, 2, 5].map((index) => s.machine.frames.has(frame(s.file, index), PG_writeback))).toEqual(
    Array(4).fill(true),
  );
  // 1 and 2 stand next to each other: three requests in all.
  expect(s.machine.io.pending).toBe(3);
  filemapFdatawait(s.machine, pageCache, s.file.mapping);
  expect([list(s, LOCKED_PAGES), s.machine.io.pending]).toEqual([[], 0]);
  expect(list(s, CLEAN_PAGES).sort()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(s.machine.verify()).toEqual([]);
});

test('[2.4 mapping lists] a page that is dirtied while it is on locked_pages goes back to dirty_pages', () => {
  const s = world(2);
  setPageDirty(s.machine, frame(s.file, 1));
  filemapFdatasync(s.machine, state_2_4(s.machine).pageCache, s.file.mapping);
  setPageDirty(s.machine, frame(s.file, 1));
  expect([list(s, LOCKED_PAGES), list(s, DIRTY_PAGES)]).toEqual([[], [1]]);
});

test('[2.4 mapping lists] write(2) dirties buffers: the page stays on clean_pages, and fsync writes it nevertheless', () => {
  const s = world(3);
  filemapWrite(s.machine, s.file, 4096, 4096, null);
  const pfn = frame(s.file, 1);
  expect([list(s, DIRTY_PAGES), s.machine.frames.has(pfn, PG_dirty)]).toEqual([[], true]);
  setPageDirty(s.machine, frame(s.file, 2));
  vfsFsync(s.machine, s.file, 0, Number.POSITIVE_INFINITY, false);
  expect([0, 1, 2].map((index) => s.machine.frames.has(frame(s.file, index), PG_dirty))).toEqual([false, false, false]);
  expect(s.file.inode.disk[1]).toBe(s.machine.frames.token(pfn));
  expect(s.machine.verify()).toEqual([]);
});

test('[2.4 page cache hash] page_cache_size counts what is cached; what is truncated leaves the table', () => {
  const s = world(7);
  const { pageCache } = state_2_4(s.machine);
  const inode = s.file.inode;
  const bdev = [...s.machine.inodes.values()].filter(({ kind }) => kind === 'bdev');
  const other = bdev.reduce((sum, { mapping }) => sum + mapping.nrpages, 0);
  expect(pageCache.size - other).toBe(7);
  for (let index = 0; index < 7; index++)
    expect(pageCache.hash.find(inode.mapping.id, index)).toBe(frame(s.file, index));
  const searches = pageCache.hash.searches;
  filemapRead(s.machine, s.file, 0, 4096, null);
  expect(pageCache.hash.searches).toBeGreaterThan(searches);
  const gone = frame(s.file, 5);
  truncateSetsize(s.machine, inode, 2 * 4096);
  expect([pageCache.size - other, pageCache.hash.has(gone), s.machine.verify()]).toEqual([2, false, []]);
});
