/** Who writes dirty buffers in 2.4, when, and how many. */
import { describe, expect, test } from 'vitest';
import { Space_2_4 } from '../../test/space_2_4.ts';
import { BDF_PRM, bdflush, DIRTY_HARD, DIRTY_OK, DIRTY_SOFT, isPageDirty } from './bdflush.ts';
import { nrFreeBufferPages } from './buffer_2_4.ts';
import { filemapWrite } from './filemap.ts';
import type { File } from './fs.ts';
import { doMsync } from './msync.ts';
import { MAP_SHARED, MS_SYNC } from './uapi.ts';
import { PAGE_SIZE } from './units.ts';
import { PGPGOUT } from './vmstat.ts';
import { vfsFsync } from './writeback.ts';

const SECOND = 1e9;

function write(s: Space_2_4, file: File, from: number, pages: number): void {
  for (let i = from; i < from + pages; i++) filemapWrite(s.machine, file, i * PAGE_SIZE, PAGE_SIZE, null);
}
/** Pages written so far. */
function written(s: Space_2_4): number {
  return s.event(PGPGOUT) / 4;
}

describe('[2.4 bdflush/kupdate] the table', () => {
  test('[2.4 bdflush/kupdate] nine numbers, their defaults and ranges', () => {
    expect(BDF_PRM.map(([, standard]) => standard)).toEqual([30, 500, 0, 0, 500, 3000, 60, 20, 0]);
    const { prm } = bdflush(new Space_2_4().machine);
    expect([...prm]).toEqual([30, 500, 0, 0, 500, 3000, 60, 20, 0]);
  });
  for (const { why, values, want } of [
    { why: 'the least', values: [0, 1, 0, 0, 0, 100, 0, 0, 0], want: 0 },
    { why: 'the most', values: [100, 50000, 0, 0, 1000000, 1000000, 100, 100, 0], want: 0 },
    { why: 'more than all', values: [101], want: -22 },
    { why: 'no buffers at a time', values: [30, 0], want: -22 },
    { why: 'too young', values: [30, 500, 0, 0, 500, 99], want: -22 },
    { why: 'a tenth number', values: [30, 500, 0, 0, 500, 3000, 60, 20, 0, 1], want: -22 },
  ]) {
    test(`[2.4 bdflush/kupdate] writing the table: ${why}: ${want}`, () => {
      const state = bdflush(new Space_2_4().machine);
      expect(state.setPrm(values)).toBe(want);
      expect(state.prm[0]).toBe(want === 0 ? values[0] : 30);
    });
  }
});

describe('[2.4 bdflush/kupdate] percent', () => {
  /** 4096 − 96 pages of DMA and 6141 − 141 of Normal. */
  const TEN_THOUSAND = { ramBytes: (4096 + 6141) * PAGE_SIZE };

  test('[2.4 vector bdflush] of 10000 buffer pages: above 3000 bdflush is woken, above 6000 writers write', () => {
    const { machine } = new Space_2_4(TEN_THOUSAND);
    const state = bdflush(machine);
    expect(nrFreeBufferPages(machine)).toBe(10000);
    for (const [dirty, want] of [
      [3000, DIRTY_OK],
      [3001, DIRTY_SOFT],
      [6000, DIRTY_SOFT],
      [6001, DIRTY_HARD],
    ] as const) {
      state.nrDirty = dirty;
      expect(state.dirtyState(machine)).toBe(want);
    }
    state.nrDirty = 0;
  });

  test('[2.4 vector bdflush] of 10000 buffer pages: bdflush stops at 2000, after whole rounds of 512', () => {
    const s = new Space_2_4(TEN_THOUSAND);
    write(s, s.file('disk', 0), 0, 3001);
    s.machine.advance(1);
    expect(bdflush(s.machine).nrDirty).toBe(3001 - 2 * 512);
  });

  test('[2.4 bdflush/kupdate] buffer pages are those of low zones above their high marks', () => {
    const { machine } = new Space_2_4({ ramBytes: 64 * 2 ** 20 });
    expect(nrFreeBufferPages(machine)).toBe(4096 - 96 + 12288 - 288);
  });

  test('[2.4 bdflush/kupdate] bdflush writes the oldest first, in batches, down to nfract_stop_bdflush', () => {
    const s = new Space_2_4({ ramBytes: 32 * 2 ** 20 });
    const state = bdflush(s.machine);
    const file = s.file('disk', 0);
    const limit = Math.floor((nrFreeBufferPages(s.machine) * 30) / 100);
    write(s, file, 0, limit);
    s.machine.advance(1);
    expect([state.nrDirty, written(s)]).toEqual([limit, 0]);
    write(s, file, limit, 1);
    s.machine.advance(1);
    const stop = Math.floor((nrFreeBufferPages(s.machine) * 20) / 100);
    // 500 at a time, in batches of 32, until few enough are dirty.
    expect(state.nrDirty).toBeLessThanOrEqual(stop);
    expect(written(s) % 512).toBe(0);
    expect(written(s) + state.nrDirty).toBe(limit + 1);
    s.machine.advance(SECOND);
    expect(file.inode.disk[0]).toBeDefined();
    expect(file.inode.disk[limit]).toBeUndefined();
    expect(s.machine.verify()).toEqual([]);
  });

  test('[2.4 bdflush/kupdate] above nfract_sync the writer writes 32 himself', () => {
    const s = new Space_2_4({ ramBytes: 32 * 2 ** 20 });
    const state = bdflush(s.machine);
    expect(state.setPrm([1, 1, 0, 0, 500, 3000, 2, 100])).toBe(0);
    const file = s.file('disk', 0);
    const hard = Math.floor((nrFreeBufferPages(s.machine) * 2) / 100);
    write(s, file, 0, hard);
    expect(written(s)).toBe(0);
    write(s, file, hard, 1);
    expect(written(s)).toBe(32);
    expect(state.nrDirty).toBe(hard + 1 - 32);
  });
});

describe('[2.4 bdflush/kupdate] age', () => {
  test('[2.4 bdflush/kupdate] kupdate comes every 5 s and writes what has been dirty for 30 s', () => {
    const s = new Space_2_4();
    s.machine.advance(7 * SECOND);
    const file = s.file('disk', 0);
    write(s, file, 0, 3);
    s.machine.advance(29 * SECOND);
    expect(written(s)).toBe(0);
    write(s, file, 3, 1);
    // Dirty since 7 s, due at 37 s, written at 40 s.
    s.machine.advance(3 * SECOND);
    expect(written(s)).toBe(0);
    s.machine.advance(2 * SECOND);
    expect(written(s)).toBe(3);
    s.machine.advance(30 * SECOND);
    expect(written(s)).toBe(4);
    expect(s.machine.writeback.dirtyInodes).toHaveLength(0);
  });

  test('[2.4 bdflush/kupdate] a buffer that is written again keeps its date', () => {
    const s = new Space_2_4();
    const file = s.file('disk', 0);
    write(s, file, 0, 1);
    s.machine.advance(29 * SECOND);
    write(s, file, 0, 1);
    s.machine.advance(2 * SECOND);
    expect(written(s)).toBe(1);
  });

  test('[2.4 bdflush/kupdate] what a mapping dirtied is written at the next round, when its entry has told', () => {
    const s = new Space_2_4();
    const file = s.file('disk', 2);
    s.map(0, 2, MAP_SHARED, undefined, file);
    s.storeAll(0, 2);
    const pfn = s.pfn(0);
    s.machine.advance(60 * SECOND);
    // Nobody has looked at the entries.
    expect(written(s)).toBe(0);
    s.machine.pageTables.testAndClearYoung(s.slot(0));
    s.machine.frames.clear(pfn, 4);
    s.swapOut();
    expect(isPageDirty(s.machine, pfn)).toBe(true);
    s.machine.advance(5 * SECOND);
    expect(written(s)).toBe(1);
    s.machine.current = s.task;
    expect(doMsync(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, 2 * PAGE_SIZE, MS_SYNC)).toBe(0);
    expect(written(s)).toBe(2);
  });

  test('[2.4 bdflush/kupdate] interval 0 stops it', () => {
    const s = new Space_2_4();
    bdflush(s.machine).setPrm([30, 500, 0, 0, 0]);
    write(s, s.file('disk', 0), 0, 3);
    s.machine.advance(100 * SECOND);
    expect(written(s)).toBe(0);
  });

  test('[2.4 bdflush/kupdate] fsync writes and waits, whatever the age', () => {
    const s = new Space_2_4();
    const file = s.file('disk', 0);
    write(s, file, 0, 3);
    vfsFsync(s.machine, file, 0, Number.POSITIVE_INFINITY, true);
    expect([written(s), bdflush(s.machine).nrDirty, s.machine.io.pending]).toEqual([3, 0, 0]);
    expect(s.machine.verify()).toEqual([]);
  });
});
