import { expect, test } from 'vitest';
import { newInode, openInode } from './file.ts';
import { filemapRead } from './filemap.ts';
import type { File } from './fs.ts';
import { Machine } from './machine.ts';
import { PG_readahead } from './page_flags.ts';
import { getInitRaSize, getNextRaSize } from './readahead.ts';
import { verifyFiles } from './verify_files.ts';
import { xaIsPage, xaToPfn } from './xarray.ts';

for (const { size, first } of [
  { size: 1, first: 4 },
  { size: 2, first: 4 },
  { size: 3, first: 8 },
  { size: 4, first: 8 },
  { size: 8, first: 16 },
  { size: 9, first: 32 },
  { size: 32, first: 32 },
]) {
  test(`first window of a reader of ${size} pages, 128 KiB at most`, () => expect(getInitRaSize(size, 32)).toBe(first));
}

for (const { current, next } of [
  { current: 1, next: 4 },
  { current: 2, next: 4 },
  { current: 4, next: 8 },
  { current: 16, next: 32 },
  { current: 17, next: 32 },
  { current: 32, next: 32 },
]) {
  test(`window behind one of ${current}`, () => expect(getNextRaSize(current, 32)).toBe(next));
}

function open(kernel: string, pages: number): { machine: Machine; file: File } {
  const machine = new Machine({ kernel, ramBytes: 64 * 1024 * 1024 });
  return { machine, file: openInode(machine, newInode(machine, 'data', 'disk', pages * 4096), true, true, false) };
}

/** `3*` is a page with PG_readahead. */
function cached(machine: Machine, file: File): string {
  const runs: string[] = [];
  for (let i = 0; i < 200; i++) {
    const entry = file.mapping.pages.load(i);
    if (xaIsPage(entry)) runs.push(machine.frames.has(xaToPfn(entry), PG_readahead) ? `${i}*` : `${i}`);
  }
  return runs.join(' ').replace(/\b(\d+)(?: \d+(?![*\d]))+/g, (run) => `${run.split(' ')[0]}-${run.split(' ').at(-1)}`);
}

for (const { why, kernel, reads, pages, want } of [
  { why: 'the first page', kernel: '6.1', reads: [[0, 1]], pages: 100, want: '0 1* 2-3' },
  {
    why: 'one page after the other',
    kernel: '6.1',
    reads: [
      [0, 1],
      [1, 1],
    ],
    pages: 100,
    want: '0-3 4* 5-11',
  },
  {
    why: 'at the marker the next window begins',
    kernel: '6.1',
    reads: [
      [0, 1],
      [1, 1],
      [2, 3],
    ],
    pages: 100,
    want: '0-11 12* 13-27',
  },
  { why: 'four pages at once', kernel: '6.1', reads: [[0, 4]], pages: 100, want: '0-3 4* 5-7' },
  { why: 'a random page stays alone', kernel: '6.1', reads: [[50, 1]], pages: 100, want: '50' },
  {
    why: 'a window that the file cuts short marks its first page, which the read itself then passes',
    kernel: '6.1',
    reads: [[0, 1]],
    pages: 3,
    want: '0-2',
  },
  {
    why: 'history of a stream that this file did not start',
    kernel: '6.1',
    reads: [
      [50, 1],
      [51, 1],
    ],
    pages: 100,
    want: '50-51 52* 53-54',
  },
  {
    why: 'a request of the whole window passes the marker in its middle',
    kernel: '6.1',
    reads: [[0, 32]],
    pages: 200,
    want: '0-31 32* 33-63',
  },
  { why: 'the same in 6.18', kernel: '6.18', reads: [[0, 32]], pages: 200, want: '0-31 32* 33-63' },
  {
    why: 'more than the window: as much as the device likes',
    kernel: '6.1',
    reads: [[0, 100]],
    pages: 300,
    want: '0-99 100* 101-199',
  },
]) {
  test(`read: ${why}`, () => {
    const { machine, file } = open(kernel, pages);
    for (const [at, count] of reads) filemapRead(machine, file, at! * 4096, count! * 4096, null);
    expect(cached(machine, file)).toBe(want);
    machine.advance(1e9);
    expect(verifyFiles(machine)).toEqual([]);
  });
}

test('POSIX_FADV_RANDOM reads exactly what is asked', () => {
  const { machine, file } = open('6.1', 100);
  file.random = true;
  filemapRead(machine, file, 0, 3 * 4096, null);
  expect(cached(machine, file)).toBe('0-2');
});
