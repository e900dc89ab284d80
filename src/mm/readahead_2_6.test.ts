/** Windows of 2.6.24's on-demand readahead. */
import { describe, expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { filemapGetPage, filemapRead } from './filemap.ts';
import type { File } from './fs.ts';
import { PG_readahead, PG_writeback } from './page_flags.ts';
import { getInitRaSize } from './readahead.ts';
import { getNextRaSize_2_6 } from './readahead_2_6.ts';
import { MAP_SHARED } from './uapi.ts';
import type { Pgoff } from './units.ts';

class World extends Space {
  readonly data: File;
  constructor() {
    super({ kernel: '2.6.24', ramBytes: 32 * 2 ** 20 });
    this.data = this.file('disk', 1000);
    for (let page = 0; page < 1000; page++) this.data.inode.disk[page] = (page + 1) as never;
  }
  read(index: number, pages = 1): void {
    filemapRead(this.machine, this.data, index * 4096, pages * 4096, { page: (_token, from, to) => to - from });
  }
  cached(index: number): boolean {
    return filemapGetPage(this.machine, this.data.mapping, index as Pgoff) >= 0;
  }
  markers(): number[] {
    const { machine, data } = this;
    return Array.from({ length: 1000 }, (_, index) => index).filter((index) => {
      const pfn = filemapGetPage(machine, data.mapping, index as Pgoff);
      return pfn >= 0 && machine.frames.has(pfn, PG_readahead) && !machine.frames.has(pfn, PG_writeback);
    });
  }
  window(): [number, number, number] {
    const { start, size, asyncSize } = this.data.ra;
    return [start, size, asyncSize];
  }
}

describe('[2.6 readahead] of files', () => {
  test('[2.6 readahead] request 1: a window of 4, then 8, 16, 32, 32, each begun at its marker', () => {
    const w = new World();
    const windows: string[] = [];
    for (let index = 0; index < 100; index++) {
      w.read(index);
      const window = w.window().join(' ');
      if (windows.at(-1) !== window) windows.push(window);
    }
    expect(windows.slice(0, 5)).toEqual(['0 4 3', '4 8 8', '12 16 16', '28 32 32', '60 32 32']);
  });

  test('[2.6 readahead] the marker stands async_size pages before the end', () => {
    const w = new World();
    w.read(0);
    expect(w.window()).toEqual([0, 4, 3]);
    expect(w.markers()).toEqual([1]);
    w.read(1);
    expect(w.markers()).toEqual([4]);
  });

  for (const { request, want } of [
    { request: 1, want: 4 },
    { request: 4, want: 8 },
    { request: 16, want: 32 },
  ]) {
    test(`[2.6 readahead] request ${request}: ${want}`, () => {
      expect(getInitRaSize(request, 32)).toBe(want);
    });
  }
  test('[2.6 readahead] a window grows fourfold below 1/16 of the most, else twofold', () => {
    expect([1, 2, 4, 8, 16, 32].map((size) => getNextRaSize_2_6(size, 32))).toEqual([4, 4, 8, 16, 32, 32]);
  });

  test('[2.6 readahead] random reads get what they ask for', () => {
    const w = new World();
    w.read(500);
    w.read(300, 2);
    expect([w.cached(500), w.cached(501), w.cached(300), w.cached(301), w.cached(302)]).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
    expect(w.markers()).toEqual([]);
  });

  test('[2.6 readahead] a stream that begins in the middle is known by its second read', () => {
    const w = new World();
    w.read(500);
    w.read(501);
    expect(w.window()).toEqual([501, 4, 3]);
  });

  test('[2.6 readahead] two streams in one file are told apart by their markers', () => {
    const w = new World();
    for (let i = 0; i < 40; i += 2) {
      w.read(i);
      w.read(i + 1);
      w.read(500 + i);
      w.read(501 + i);
    }
    expect(w.cached(40)).toBe(true);
    expect(w.cached(540)).toBe(true);
    expect(w.machine.verify()).toEqual([]);
  });

  test('[2.6 readahead] a fault reads 32 pages around it, and leaves no marker', () => {
    const w = new World();
    w.map(0, 1000, MAP_SHARED, undefined, w.data);
    w.load(100);
    expect([w.cached(83), w.cached(84), w.cached(115), w.cached(116)]).toEqual([false, true, true, false]);
    expect(w.markers()).toEqual([]);
  });
});
