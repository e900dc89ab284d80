import { expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { CONGESTED_REQUESTS, congestionWait } from './backing_dev.ts';
import { addPage, beginRead, beginWrite, submit } from './block.ts';
import { filemapGetPage, filemapRead } from './filemap.ts';
import { PG_locked } from './page_flags.ts';
import type { Pgoff } from './units.ts';
import { clearPageDirtyForIo, setPageWriteback } from './writeback.ts';

const MS = 1_000_000;

class World extends Space {
  readonly data = this.file('disk', 256);
  constructor() {
    super({ kernel: '2.6.26', disk: { requestNs: MS, pageNs: 0 } });
    filemapRead(this.machine, this.data, 0, 256 * 4096, null);
  }
  write(index: number): void {
    const { machine } = this;
    const pfn = filemapGetPage(machine, this.data.mapping, index as Pgoff);
    clearPageDirtyForIo(machine, pfn);
    setPageWriteback(machine, pfn);
    const request = beginWrite(machine, machine.disk);
    addPage(machine, request, pfn);
    submit(machine, request);
  }
  read(index: number): void {
    const { machine } = this;
    const pfn = filemapGetPage(machine, this.data.mapping, index as Pgoff);
    machine.frames.set(pfn, PG_locked);
    const request = beginRead(machine, machine.disk);
    addPage(machine, request, pfn);
    submit(machine, request);
  }
  /** How long a wait of 100 ms takes. */
  wait(): number {
    const { machine } = this;
    const before = machine.clock.now;
    congestionWait(machine, machine.disk, 100 * MS);
    return machine.clock.now - before;
  }
}

test('a disk with nothing to write, or with reads only, is waited for in vain', () => {
  const w = new World();
  expect(w.wait()).toBe(100 * MS);
  w.read(0);
  expect(w.wait()).toBe(100 * MS);
});

test('any write that ends wakes who waits, congested or not', () => {
  const w = new World();
  w.write(0);
  w.write(1);
  expect(w.wait()).toBe(MS);
  expect(w.wait()).toBe(MS);
  expect(w.wait()).toBe(100 * MS);
});

test('but while 103 writes are left nobody is woken', () => {
  const w = new World();
  expect(CONGESTED_REQUESTS).toBe(113);
  for (let index = 0; index < 110; index++) w.write(index);
  expect(w.wait()).toBe(8 * MS);
  expect(w.machine.disk.writesPending).toBe(102);
});
