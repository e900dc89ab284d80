/** Dirty limits of 2.6, and what pdflush does. */
import { describe, expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { newInode, openInode } from './file.ts';
import { filemapWrite } from './filemap.ts';
import { getDirtyLimits, ratelimitPages } from './flusher_2_6.ts';
import type { File } from './fs.ts';
import { state_2_6 } from './state_2_6.ts';
import { NR_FILE_DIRTY, NR_WRITEBACK } from './vmstat.ts';

const MIB: number = 2 ** 20;
const SECOND = 1e9;

class World extends Space {
  readonly data: File;
  constructor(ramBytes = 32 * MIB, disk = { requestNs: 1_000_000, pageNs: 100_000 }) {
    super({ kernel: '2.6.24', ramBytes, disk });
    this.data = this.file('disk', 0);
  }
  write(page: number, file: File = this.data): void {
    const done = filemapWrite(this.machine, file, page * 4096, 4096, { page: () => this.machine.newToken() });
    expect(done).toBe(4096);
  }
  get dirty(): number {
    return this.machine.nodes[0]!.stat[NR_FILE_DIRTY]!;
  }
  get writeback(): number {
    return this.machine.nodes[0]!.stat[NR_WRITEBACK]!;
  }
}

describe('[2.6 dirty limits]', () => {
  test('[2.6 dirty limits] dirtyable 100000 pages: background 5000, dirty 10000, writers free below 7500', () => {
    const { machine } = new World();
    const zone = machine.zones[0]!;
    let rest = 99999;
    for (const other of machine.zones) other.freePages = 0;
    rest -= machine.nodes[0]!.stat[0]! + machine.nodes[0]!.stat[1]!;
    zone.freePages = rest;
    const { avail, bgThresh, thresh } = getDirtyLimits(machine);
    expect([avail, bgThresh, thresh, (bgThresh + thresh) / 2]).toEqual([100000, 5000, 10000, 7500]);
  });
  test('[2.6 dirty limits] the ratio is 5 at least, and background is below it', () => {
    const { machine } = new World();
    machine.sysctl.dirtyRatio = 1;
    machine.sysctl.dirtyBackgroundRatio = 30;
    const { avail, bgThresh, thresh } = getDirtyLimits(machine);
    expect([thresh, bgThresh]).toEqual([Math.floor(avail / 20), Math.floor((avail * 2) / 100)]);
  });
});

describe('[2.6 dirty balance]', () => {
  test('[2.6 dirty balance] with 32 pages between two looks, a writer writes chunks of 48', () => {
    const w = new World(4 * MIB);
    expect(ratelimitPages(w.machine)).toBe(32);
    // Something must have been written once: before that the disk's share is nothing.
    let most = 0;
    const pdflush = state_2_6(w.machine).pdflush;
    const chunks: number[] = [];
    for (let page = 0; page < 200; page++) {
      const before = pdflush.completions;
      w.write(page);
      if (pdflush.completions > before) chunks.push(pdflush.completions - before);
      most = Math.max(most, w.dirty + w.writeback);
    }
    expect(chunks).toContain(48);
    expect(Math.max(...chunks)).toBeLessThanOrEqual(48);
    expect(most).toBeLessThan(120);
    expect(w.machine.verify()).toEqual([]);
  });

  test('[2.6 dirty balance] below half way between the limits nobody waits', () => {
    const w = new World();
    const { bgThresh, thresh } = getDirtyLimits(w.machine);
    const now = w.machine.clock.now;
    for (let page = 0; page < Math.floor((bgThresh + thresh) / 2) - 20; page++) w.write(page);
    expect(w.machine.clock.now - now).toBeLessThan(10_000_000);
  });

  test('[2.6 dirty balance] above the background limit pdflush begins', () => {
    const w = new World();
    const { bgThresh } = getDirtyLimits(w.machine);
    for (let page = 0; page < bgThresh + 300; page++) w.write(page);
    expect(state_2_6(w.machine).pdflush.threads.some((thread) => thread.work !== 0)).toBe(true);
    w.machine.advance(0);
    expect(w.dirty).toBeLessThan(bgThresh);
    w.machine.advance(2 * SECOND);
    expect(w.writeback).toBe(0);
    expect(w.machine.verify()).toEqual([]);
  });

  test('[2.6 dirty balance] the disk is over its limit: a look every 8 pages', () => {
    const w = new World(4 * MIB);
    const pdflush = state_2_6(w.machine).pdflush;
    pdflush.dirtyExceeded = true;
    for (let page = 0; page < 7; page++) w.write(page);
    expect(pdflush.ratelimits).toBe(7);
    w.write(7);
    expect(pdflush.ratelimits).toBe(0);
  });
});

describe('pdflush', () => {
  test('what is dirty is written when it is 30 s old, at the next round of 5 s', () => {
    const w = new World();
    w.machine.advance(2 * SECOND);
    w.write(0);
    w.machine.advance(29 * SECOND);
    expect(w.dirty).toBe(1);
    w.machine.advance(5 * SECOND);
    expect(w.dirty).toBe(0);
  });
  test('two threads at least; who is busy gets no other work', () => {
    const w = new World();
    const { pdflush } = state_2_6(w.machine);
    expect(pdflush.nrThreads).toBe(2);
    for (let page = 0; page < 50; page++) w.write(page);
    const { wakeupFlusher } = w.machine.generation.writeback;
    for (let i = 0; i < 5; i++) wakeupFlusher(w.machine, 10);
    expect(pdflush.threads.filter((thread) => thread.work !== 0)).toHaveLength(2);
    w.machine.advance(SECOND);
    expect(pdflush.threads.filter((thread) => thread.work !== 0)).toHaveLength(0);
  });
  test('the oldest inode first, and one that is not done waits behind the others', () => {
    const w = new World();
    const second = openInode(w.machine, newInode(w.machine, 'second', 'disk', 0), true, true, false);
    for (let page = 0; page < 100; page++) w.write(page);
    w.machine.advance(SECOND);
    w.write(0, second);
    w.machine.generation.writeback.wakeupFlusher(w.machine, 10);
    w.machine.advance(0);
    expect(w.data.inode.dirty).toBe(false);
    expect(w.machine.verify()).toEqual([]);
  });
});
