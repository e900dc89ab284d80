import { expect, test } from 'vitest';
import { EBUSY, EINVAL, ENOMEM } from './errno.ts';
import { newInode, openInode } from './file.ts';
import { filemapRead } from './filemap.ts';
import { newMm, newTask } from './fork.ts';
import { Machine } from './machine.ts';
import { storePage } from './memory.ts';
import { doMlock } from './mlock.ts';
import type { Mm } from './mm.ts';
import { doMmap } from './mmap.ts';
import { doMincore, doMsync } from './msync.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import type { Vpn } from './units.ts';
import { verifyAddressSpace } from './verify_mm.ts';

const ARENA = 0x100000000000;
const PAGE = ARENA / 4096;
const RW = PROT_READ | PROT_WRITE;

/** Pages 0-4 private, 6-10 a file of which pages 0 and 1 were read, 20-22 locked. */
function newSpace(): { machine: Machine; mm: Mm } {
  const machine = new Machine({ kernel: '6.18', ramBytes: 16 * 2 ** 20 });
  const mm = newMm(machine, machine.rootMemcg)!;
  machine.current = newTask(machine, 1, 'test', mm, machine.rootMemcg, null)!;
  const file = openInode(machine, newInode(machine, 'file', 'disk', 8 * 4096), true, true, false);
  file.random = true;
  filemapRead(machine, file, 0, 4096, null);
  filemapRead(machine, file, 4096, 4096, null);
  doMmap(machine, mm, ARENA, 4 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  doMmap(machine, mm, ARENA + 6 * 4096, 4 * 4096, RW, MAP_SHARED | MAP_FIXED, file, 0);
  doMmap(machine, mm, ARENA + 20 * 4096, 2 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  doMlock(machine, mm, ARENA + 20 * 4096, 2 * 4096, false);
  return { machine, mm };
}

for (const { why, at = 0, pages = 1, flags, want } of [
  { why: 'unknown flag', flags: 8, want: -EINVAL },
  { why: 'the address is inside a page', at: 0.5, flags: MS_SYNC, want: -EINVAL },
  { why: 'both at once', flags: MS_SYNC | MS_ASYNC, want: -EINVAL },
  { why: 'a range that wraps', pages: 2 ** 52 - 1, flags: MS_SYNC, want: -ENOMEM },
  { why: 'a length that rounds up to nothing', pages: 2 ** 52 - 0.5, flags: MS_SYNC, want: 0 },
  { why: 'nothing', at: 100, pages: 0, flags: MS_SYNC, want: 0 },
  { why: 'nothing is mapped', at: 100, flags: MS_SYNC, want: -ENOMEM },
  { why: 'a hole is reported when all is done', at: 3, pages: 5, flags: MS_SYNC, want: -ENOMEM },
  { why: 'locked pages cannot be invalidated', at: 20, flags: MS_INVALIDATE, want: -EBUSY },
  { why: 'private memory has nothing to sync', pages: 4, flags: MS_SYNC, want: 0 },
]) {
  test(`msync: ${why}`, () => {
    const { machine, mm } = newSpace();
    expect(doMsync(machine, mm, ARENA + at * 4096, pages * 4096, flags)).toBe(want);
    expect(verifyAddressSpace(machine, mm)).toEqual([]);
  });
}

test('mincore tells what an access would find in memory, refuses holes, and asks for whole pages', () => {
  const { machine, mm } = newSpace();
  storePage(machine, mm, (PAGE + 2) as Vpn, machine.newToken());
  const vec = new Uint8Array(4);
  expect(doMincore(machine, mm, ARENA, 4 * 4096, vec)).toBe(0);
  expect([...vec]).toEqual([0, 0, 1, 0]);
  expect(doMincore(machine, mm, ARENA + 6 * 4096, 3 * 4096 + 1, vec)).toBe(0);
  expect([...vec]).toEqual([1, 1, 0, 0]);
  expect(doMincore(machine, mm, ARENA + 3 * 4096, 2 * 4096, vec)).toBe(-ENOMEM);
  expect(doMincore(machine, mm, ARENA + 1, 4096, vec)).toBe(-EINVAL);
  expect(doMincore(machine, mm, ARENA, 2 ** 47, vec)).toBe(-ENOMEM);
});
