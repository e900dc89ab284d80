import { expect, test } from 'vitest';
import { bread } from './buffer.ts';
import { nrFreeBufferPages, tryToReleasePage } from './buffer_2_4.ts';
import {
  BH_Dirty,
  BH_Launder,
  BH_Lock,
  BH_Mapped,
  BH_Req,
  BH_Uptodate,
  BH_Wait_IO,
  BUF_CLEAN,
  BUF_DIRTY,
  BUF_LOCKED,
} from './buffer_state_2_4.ts';
import { newBdevInode, newInode, openInode } from './file.ts';
import { filemapGetPage, filemapRead, filemapWrite, lockPage, unlockPage } from './filemap.ts';
import type { File } from './fs.ts';
import { __GFP_IO, GFP_KERNEL } from './gfp.ts';
import { Machine } from './machine.ts';
import { setPageDirty } from './page_cache_2_4.ts';
import { PG_private } from './page_flags.ts';
import { state_2_4 } from './state_2_4.ts';
import { structPage } from './struct_page_2_4.ts';
import type { Pfn, Pgoff } from './units.ts';

function world() {
  const machine = new Machine({ kernel: '2.4.19', ramBytes: 16 * 2 ** 20 });
  const file = openInode(machine, newInode(machine, '/f', 'disk', 4 * 4096), true, true, false);
  filemapRead(machine, file, 0, 4 * 4096, null);
  return { machine, file, buffers: state_2_4(machine).pageCache.buffers };
}

function page(machine: Machine, file: File, index: number): Pfn {
  return filemapGetPage(machine, file.mapping, index as Pgoff);
}

/** Asks as reclaim does: with the page locked. */
function release(machine: Machine, pfn: Pfn, gfp = GFP_KERNEL): boolean {
  lockPage(machine, pfn);
  const released = tryToReleasePage(machine, pfn, gfp);
  unlockPage(machine, pfn);
  return released;
}

test('a page that was written has a buffer, which counts one; a clean one is freed with it', () => {
  const { machine, file, buffers } = world();
  const pfn = page(machine, file, 1);
  const { count } = structPage(machine, pfn);
  expect([buffers.bState(pfn), buffers.lruList(pfn)]).toEqual([0, -1]);
  filemapWrite(machine, file, 4096, 4096, null);
  expect([structPage(machine, pfn).count, structPage(machine, pfn).buffers]).toEqual([count + 1, 1]);
  expect([buffers.bState(pfn), buffers.lruList(pfn), buffers.pageDirty(pfn)]).toEqual([
    BH_Uptodate | BH_Dirty | BH_Mapped,
    BUF_DIRTY,
    false,
  ]);
  machine.advance(60e9);
  expect([buffers.bState(pfn), buffers.lruList(pfn)]).toEqual([BH_Uptodate | BH_Req | BH_Mapped, BUF_CLEAN]);
  expect(release(machine, pfn)).toBe(true);
  expect([structPage(machine, pfn).count, structPage(machine, pfn).buffers, machine.verify()]).toEqual([count, 0, []]);
});

test('a dirty buffer: the first visit notes, the second writes, the third waits, and then it goes', () => {
  const { machine, file, buffers } = world();
  filemapWrite(machine, file, 0, 4096, null);
  const pfn = page(machine, file, 0);
  expect([release(machine, pfn), machine.io.pending]).toEqual([false, 0]);
  expect(buffers.bState(pfn) & (BH_Wait_IO | BH_Dirty)).toBe(BH_Wait_IO | BH_Dirty);
  expect([release(machine, pfn), machine.io.pending, buffers.lruList(pfn)]).toEqual([false, 1, BUF_LOCKED]);
  expect(buffers.bState(pfn) & (BH_Lock | BH_Launder | BH_Dirty)).toBe(BH_Lock | BH_Launder);
  expect([release(machine, pfn), buffers.bState(pfn) & BH_Wait_IO]).toEqual([false, BH_Wait_IO]);
  expect([release(machine, pfn), machine.io.pending, machine.frames.has(pfn, PG_private)]).toEqual([true, 0, false]);
  expect(file.inode.disk[0]).toBe(machine.frames.token(pfn));
  expect(machine.verify()).toEqual([]);
});

test('who may do no I/O leaves no trace; what somebody else writes is not waited for', () => {
  const { machine, file, buffers } = world();
  filemapWrite(machine, file, 0, 4096, null);
  const pfn = page(machine, file, 0);
  for (let i = 0; i < 3; i++) expect(release(machine, pfn, GFP_KERNEL & ~__GFP_IO)).toBe(false);
  expect(buffers.bState(pfn) & BH_Wait_IO).toBe(0);
  machine.generation.writeback.wakeupFlusher(machine);
  machine.advance(0);
  expect([machine.io.pending, buffers.bState(pfn) & BH_Launder]).toEqual([1, 0]);
  expect(tryToReleasePage(machine, pfn, GFP_KERNEL)).toBe(false);
  expect([tryToReleasePage(machine, pfn, GFP_KERNEL), machine.io.pending]).toEqual([false, 1]);
});

test('page and buffer may both be dirty, and one write cleans both', () => {
  const { machine, file, buffers } = world();
  const pfn = page(machine, file, 2);
  setPageDirty(machine, pfn);
  expect([buffers.pageDirty(pfn), buffers.bufferDirty(pfn)]).toEqual([true, false]);
  filemapWrite(machine, file, 2 * 4096, 100, null);
  expect([buffers.pageDirty(pfn), buffers.bufferDirty(pfn)]).toEqual([true, true]);
  machine.advance(60e9);
  expect([buffers.pageDirty(pfn), buffers.bufferDirty(pfn)]).toEqual([false, false]);
});

test('blocks of the device lie in the page cache of the device, with a buffer each', () => {
  const { machine } = world();
  const device = newBdevInode(machine, machine.disk, 16);
  const pfn = bread(machine, device, 5 as Pgoff);
  const block = structPage(machine, pfn);
  expect([block.mapping, block.index, block.buffers, block.count]).toEqual([device.name, 5, 1, 2]);
  expect(nrFreeBufferPages(machine)).toBe(4096 - 96);
});
