/** read(2) of 2.4: what is in memory after each read, and how the window grows. */
import { expect, test } from 'vitest';
import { Space_2_4 } from '../../test/space_2_4.ts';
import { filemapRead } from './filemap.ts';
import type { File } from './fs.ts';
import { startWindow } from './readahead_2_4.ts';
import { PAGE_SIZE } from './units.ts';

function read(s: Space_2_4, file: File, page: number, bytes = PAGE_SIZE): void {
  expect(filemapRead(s.machine, file, page * PAGE_SIZE, bytes, null)).toBe(bytes);
}
/** Pages of the file that are in memory, as ranges. */
function cached(file: File, pages: number): string {
  let text = '';
  for (let at = 0; at < pages; at++) {
    if (file.mapping.pages.load(at) === 0) continue;
    const from = at;
    while (at + 1 < pages && file.mapping.pages.load(at + 1) !== 0) at += 1;
    text += `${text === '' ? '' : ' '}${from}-${at}`;
  }
  return text;
}

test('a stream: at least 3 pages are read ahead, then twice as many, up to 31', () => {
  const s = new Space_2_4();
  const file = s.file('disk', 400);
  const seen: [number, string][] = [];
  for (let page = 0; page < 100; page++) {
    read(s, file, page);
    const now = cached(file, 400);
    if (seen.at(-1)?.[1] !== now) seen.push([page, now]);
  }
  // The first page of each block is being read when we come to it; the second finds it done, and the next block begins.
  expect(seen).toEqual([
    [0, '0-3'],
    [2, '0-10'],
    [5, '0-23'],
    [12, '0-48'],
    [25, '0-80'],
    [50, '0-112'],
    [82, '0-144'],
  ]);
});

test('whoever looks at the first half page only gets that page', () => {
  const s = new Space_2_4();
  const file = s.file('disk', 100);
  read(s, file, 0, 2048);
  expect(cached(file, 100)).toBe('0-0');
});

test('a read elsewhere begins anew and reads what it needs; the last page of a file is left to its reader', () => {
  const s = new Space_2_4();
  const file = s.file('disk', 100);
  read(s, file, 50);
  expect(cached(file, 100)).toBe('50-52');
  read(s, file, 97, 2 * PAGE_SIZE);
  expect(cached(file, 100)).toBe('50-52 97-99');
});

test('the four numbers of an open file', () => {
  const s = new Space_2_4();
  const { ra } = s.file('disk', 100);
  expect([startWindow(ra, 0, 100), ra.ramax]).toEqual([true, 0]);
  expect([startWindow(ra, 0, 4096), ra.ramax]).toEqual([true, 3]);
  expect([startWindow(ra, 0, 100 * 4096), ra.ramax]).toEqual([true, 31]);
  Object.assign(ra, { raend: 20, ralen: 4, rawin: 8, ramax: 16 });
  expect([startWindow(ra, 11 * 4096, 4096), ra.raend, ra.ramax]).toEqual([false, 0, 2]);
  Object.assign(ra, { raend: 20, ralen: 4, rawin: 8, ramax: 16 });
  expect([startWindow(ra, 12 * 4096, 4096), ra.raend, ra.ramax]).toEqual([true, 20, 16]);
  expect([startWindow(ra, 21 * 4096, 4096), ra.raend]).toEqual([false, 0]);
});
