import { expect, test } from 'vitest';
import { cacheState } from './fadvise.ts';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  truncateSetsize,
  vfsFallocate,
} from './fallocate.ts';
import { newInode, openInode, putFile } from './file.ts';
import { filemapGetPage, filemapRead, filemapWrite } from './filemap.ts';
import { newMm, newTask } from './fork.ts';
import type { File } from './fs.ts';
import { Machine } from './machine.ts';
import { PG_active, PG_referenced } from './page_flags.ts';
import { type Pgoff, pagesOf } from './units.ts';
import { verifyFiles } from './verify_files.ts';
import { vfsFsync } from './writeback.ts';

interface Setup {
  machine: Machine;
  file: File;
}

const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/** A file of `pages` pages that are all in the cache, clean and unused. */
function setup(kernel: string, pages: number): Setup {
  const machine = new Machine({ kernel, ramBytes: 64 * 2 ** 20 });
  const memcg = machine.newCgroup('test');
  machine.current = newTask(machine, 100, 'test', newMm(machine, memcg)!, memcg, null)!;
  const file = openInode(machine, newInode(machine, 'data', 'disk', pages * 4096), true, true, false);
  filemapRead(machine, file, 0, pages * 4096, null);
  for (let i = 0; i < pages; i++) machine.frames.clear(frameOf({ machine, file }, i), PG_referenced | PG_active);
  return { machine, file };
}

function frameOf({ machine, file }: Setup, page: number): ReturnType<typeof filemapGetPage> {
  return filemapGetPage(machine, file.mapping, page as Pgoff);
}

/** One letter per page, as cachestat says; `D` and `C` are pages that count as used. */
function cache(s: Setup): string {
  const { machine, file } = s;
  return Array.from({ length: pagesOf(file.inode.size) }, (_, i) => {
    const letter = cacheState(machine, file.mapping, i as Pgoff);
    const pfn = frameOf(s, i);
    return pfn >= 0 && machine.frames.has(pfn, PG_referenced | PG_active) ? letter.toUpperCase() : letter;
  }).join('');
}

function sync({ machine, file }: Setup): void {
  vfsFsync(machine, file, 0, Number.POSITIVE_INFINITY, false);
}

for (const { why, pages, act, want } of [
  {
    why: 'a shorter file: the rest of its last page is cleared, and that is a use of it',
    pages: 2,
    act: ({ machine, file }: Setup) => truncateSetsize(machine, file.inode, 5000),
    want: { '6.18': 'cD', '6.1': 'cD' },
  },
  {
    why: 'a longer file: 6.18 clears what the old end left of its page',
    pages: 2,
    act: (s: Setup) => {
      truncateSetsize(s.machine, s.file.inode, 5000);
      sync(s);
      s.machine.frames.clear(frameOf(s, 1), PG_referenced | PG_active);
      truncateSetsize(s.machine, s.file.inode, 10000);
    },
    want: { '6.18': 'cD.', '6.1': 'cc.' },
  },
  {
    why: 'the old end is between two pages: nothing to clear',
    pages: 2,
    act: ({ machine, file }: Setup) => truncateSetsize(machine, file.inode, 10000),
    want: { '6.18': 'cc.', '6.1': 'cc.' },
  },
  {
    why: 'a write behind the end: 6.18 clears the gap on both sides',
    pages: 2,
    act: (s: Setup) => {
      truncateSetsize(s.machine, s.file.inode, 5000);
      sync(s);
      s.machine.frames.clear(frameOf(s, 1), PG_referenced | PG_active);
      filemapWrite(s.machine, s.file, 13000, 10, null);
    },
    want: { '6.18': 'cD.D', '6.1': 'cc.d' },
  },
  {
    why: 'the last page is a hole: growth brings it in and leaves it clean',
    pages: 3,
    act: ({ machine, file }: Setup) => {
      truncateSetsize(machine, file.inode, 3 * 4096 + 100);
      truncateSetsize(machine, file.inode, 20000);
    },
    want: { '6.18': 'cccC.', '6.1': 'ccc..' },
  },
  {
    why: 'fallocate grows the file run by run, and clears the gap with each',
    pages: 2,
    act: ({ machine, file }: Setup) => {
      truncateSetsize(machine, file.inode, 5000);
      vfsFallocate(machine, file, 0, 4096, 10000);
    },
    want: { '6.18': 'cD.C', '6.1': 'cD..' },
  },
  {
    why: 'a hole in dirty pages: 6.1 writes those that it touches first',
    pages: 3,
    act: ({ machine, file }: Setup) => {
      for (let page = 0; page < 3; page++) filemapWrite(machine, file, page * 4096, 4096, null);
      vfsFallocate(machine, file, PUNCH, 0, 8192);
    },
    want: { '6.18': '..d', '6.1': '..d' },
  },
  {
    why: 'a zeroed range with ragged ends, behind the end of the file',
    pages: 3,
    act: ({ machine, file }: Setup) => vfsFallocate(machine, file, FALLOC_FL_ZERO_RANGE, 4196, 10000),
    want: { '6.18': 'cD.C', '6.1': 'cD.C' },
  },
]) {
  for (const kernel of ['6.18', '6.1'] as const) {
    test(`${kernel}: ${why}`, () => {
      const s = setup(kernel, pages);
      act(s);
      expect(cache(s)).toBe(want[kernel]);
      expect([...verifyFiles(s.machine)]).toEqual([]);
    });
  }
}

for (const { why, fill, want } of [
  { why: 'what is written without a block goes to the disk', fill: true, want: 'w' },
  { why: 'nothing is written: nothing to do', fill: false, want: '' },
]) {
  test(`a file that was emptied is closed: ${why}`, () => {
    const s = setup('6.18', 2);
    truncateSetsize(s.machine, s.file.inode, 0);
    const other = openInode(s.machine, s.file.inode, true, true, false);
    if (fill) filemapWrite(s.machine, other, 0, 100, null);
    putFile(s.machine, other);
    expect(cache(s).toLowerCase()).toBe(want);
    if (fill) filemapWrite(s.machine, s.file, 4096, 100, null);
    putFile(s.machine, openInode(s.machine, s.file.inode, true, true, false));
    expect(cache(s).toLowerCase()).toBe(fill ? 'wd' : '');
  });
}
