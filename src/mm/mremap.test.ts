import { expect, test } from 'vitest';
import { EFAULT, EINVAL, ENOMEM } from './errno.ts';
import { newMm, newTask } from './fork.ts';
import { Machine } from './machine.ts';
import { readToken, storePage } from './memory.ts';
import { doMlock } from './mlock.ts';
import type { Mm } from './mm.ts';
import { doMmap } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { doMremap } from './mremap.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import type { Vaddr, Vpn } from './units.ts';
import { verify } from './verify.ts';

const ARENA = 0x100000000000;
const PAGE = ARENA / 4096;
const RW = PROT_READ | PROT_WRITE;
const MOVE = MREMAP_MAYMOVE | MREMAP_FIXED;

/** Pages 0-8 private and 100-104 shared are mapped, page i holds token 1000 + i; 8-10 is a hole, 10-12 mapped again. */
function newSpace(kernel = '6.18'): { machine: Machine; mm: Mm } {
  const machine = new Machine({ kernel, ramBytes: 16 * 2 ** 20 });
  const mm = newMm(machine, machine.rootMemcg)!;
  mm.mmapBase = 0x200000000000 as Vaddr;
  machine.current = newTask(machine, 1, 'test', mm, machine.rootMemcg, null)!;
  for (const [page, pages, type] of [
    [0, 8, MAP_PRIVATE],
    [10, 2, MAP_PRIVATE],
    [100, 4, MAP_SHARED],
  ] as const) {
    doMmap(machine, mm, ARENA + page * 4096, pages * 4096, RW, type | MAP_ANONYMOUS | MAP_FIXED, null, 0);
    for (let i = page; i < page + pages; i++) storePage(machine, mm, (PAGE + i) as Vpn, (1000 + i) as never);
  }
  return { machine, mm };
}

function layout(mm: Mm): string {
  return [...mm.vmas].map((v) => `${v.vmStart - PAGE}-${v.vmEnd - PAGE}`).join(' ');
}

for (const { why, at = 0, old = 2, now = 2, flags = MREMAP_MAYMOVE, to = 0, want, want61 = want } of [
  { why: 'unknown flag', flags: 8, want: -EINVAL },
  { why: 'the address is inside a page', at: 0.5, want: -EINVAL },
  { why: 'the new length is 0', now: 0, want: -EINVAL },
  { why: 'the new length is silly', now: 2 ** 36, want: -EINVAL, want61: -ENOMEM },
  { why: 'a fixed place, but it may not move', flags: MREMAP_FIXED, to: 200, want: -EINVAL },
  { why: 'the new place is inside a page', flags: MOVE, to: 200.5, want: -EINVAL },
  { why: 'the places overlap', flags: MOVE, to: 1, want: -EINVAL },
  { why: 'DONTUNMAP and another length', flags: MREMAP_MAYMOVE | MREMAP_DONTUNMAP, now: 3, want: -EINVAL },
  { why: 'nothing is mapped there', at: 50, now: 3, want: -EFAULT },
  { why: 'of the same length, over a hole', at: 7, old: 2, now: 2, want: ARENA + 7 * 4096 },
  { why: 'nothing is mapped, but the length is the same', at: 50, want: -EFAULT },
  { why: 'growth over the end of the VMA', at: 6, old: 4, now: 5, want: -EFAULT },
  { why: 'growth where something is in the way', old: 8, now: 12, flags: 0, want: -ENOMEM },
  { why: 'a second mapping of private memory', old: 0, now: 1, want: -EINVAL },
  { why: 'a move that begins in a hole', at: 9, old: 2, now: 2, flags: MOVE, to: 200, want: -EFAULT },
  { why: 'a move over a hole', at: 6, old: 6, now: 6, flags: MOVE, to: 200, want: ARENA + 200 * 4096, want61: -EFAULT },
]) {
  for (const [kernel, result] of [
    ['6.18', want],
    ['6.1', want61],
  ] as const) {
    test(`${kernel} mremap: ${why}`, () => {
      const { machine, mm } = newSpace(kernel);
      expect(doMremap(machine, mm, ARENA + at * 4096, old * 4096, now * 4096, flags, ARENA + to * 4096)).toBe(result);
      expect(verify(machine)).toEqual([]);
    });
  }
}

for (const { why, at = 0, old, now, flags = MREMAP_MAYMOVE, to = 0, want, page, token } of [
  { why: 'shrinks in place', old: 8, now: 3, want: '0-3 10-12 100-104', page: 2, token: 1002 },
  { why: 'grows in place', old: 8, now: 9, want: '0-9 10-12 100-104', page: 7, token: 1007 },
  { why: 'grows up to the next VMA', old: 8, now: 10, want: '0-10 10-12 100-104', page: 11, token: 1011 },
  {
    why: 'moves a part of a VMA',
    at: 2,
    old: 3,
    now: 3,
    flags: MOVE,
    to: 200,
    want: '0-2 5-8 10-12 100-104 200-203',
    page: 201,
    token: 1003,
  },
  {
    why: 'moves and grows',
    at: 2,
    old: 3,
    now: 9,
    flags: MOVE,
    to: 200,
    want: '0-2 5-8 10-12 100-104 200-209',
    page: 202,
    token: 1004,
  },
  {
    why: 'moves and shrinks',
    at: 2,
    old: 4,
    now: 2,
    flags: MOVE,
    to: 200,
    want: '0-2 6-8 10-12 100-104 200-202',
    page: 201,
    token: 1003,
  },
  {
    why: 'moves over another VMA',
    at: 0,
    old: 2,
    now: 2,
    flags: MOVE,
    to: 10,
    want: '2-8 10-12 100-104',
    page: 11,
    token: 1001,
  },
  {
    why: 'moves two VMAs and keeps the hole between them',
    at: 6,
    old: 6,
    now: 6,
    flags: MOVE,
    to: 200,
    want: '0-6 100-104 200-202 204-206',
    page: 205,
    token: 1011,
  },
  {
    why: 'comes back and is one again',
    at: 0,
    old: 8,
    now: 8,
    flags: MOVE,
    to: 300,
    want: '10-12 100-104 300-308',
    page: 300,
    token: 1000,
  },
  {
    why: 'leaves the old place empty',
    at: 10,
    old: 2,
    now: 2,
    flags: MOVE | MREMAP_DONTUNMAP,
    to: 200,
    want: '0-8 10-12 100-104 200-202',
    page: 10,
    token: -1,
  },
  {
    why: 'shows shared memory twice',
    at: 100,
    old: 0,
    now: 2,
    flags: MOVE,
    to: 200,
    want: '0-8 10-12 100-104 200-202',
    page: 101,
    token: 1101,
  },
]) {
  test(`mremap ${why}`, () => {
    const { machine, mm } = newSpace();
    const result = doMremap(machine, mm, ARENA + at * 4096, old * 4096, now * 4096, flags, ARENA + to * 4096);
    expect(result).toBe(ARENA + ((flags & MREMAP_FIXED) !== 0 ? to : at) * 4096);
    expect(layout(mm)).toBe(want);
    expect(readToken(machine, mm, (PAGE + page) as Vpn)).toBe(token);
    expect(verify(machine)).toEqual([]);
  });
}

test('whole page tables move by one entry of the level above, and their pages with them', () => {
  const { machine, mm } = newSpace();
  const from = 0x110000000000;
  doMmap(machine, mm, from, 1024 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  for (const i of [0, 511, 512, 1023]) storePage(machine, mm, (from / 4096 + i) as Vpn, (5000 + i) as never);
  const { leafTables } = mm.pageTables;
  const to = 0x120000000000;
  expect(doMremap(machine, mm, from, 1024 * 4096, 1024 * 4096, MOVE, to)).toBe(to);
  for (const i of [0, 511, 512, 1023]) expect(readToken(machine, mm, (to / 4096 + i) as Vpn)).toBe(5000 + i);
  expect(mm.pageTables.leafTables).toBe(leafTables);
  expect(verify(machine)).toEqual([]);
});

for (const { kernel, why, left, lockedVm } of [
  { kernel: '6.18', why: 'the whole VMA', left: [200], lockedVm: 3 },
  { kernel: '6.1', why: 'only what it moved', left: [0, 5, 200], lockedVm: 8 },
]) {
  test(`DONTUNMAP of a part takes the lock away: ${why} (${kernel})`, () => {
    const { machine, mm } = newSpace(kernel);
    doMlock(machine, mm, ARENA, 8 * 4096, false);
    const flags = MOVE | MREMAP_DONTUNMAP;
    expect(doMremap(machine, mm, ARENA + 2 * 4096, 3 * 4096, 3 * 4096, flags, ARENA + 200 * 4096)).toBe(
      ARENA + 200 * 4096,
    );
    const locked = [...mm.vmas].filter((v) => (v.vmFlags & 0x2000) !== 0).map((v) => v.vmStart - PAGE);
    expect(locked).toEqual(left);
    expect(mm.lockedVm).toBe(lockedVm);
    expect(verify(machine)).toEqual([]);
  });
}

test('growth of locked memory is faulted in at once', () => {
  const { machine, mm } = newSpace();
  doMlock(machine, mm, ARENA, 8 * 4096, false);
  expect(doMremap(machine, mm, ARENA, 8 * 4096, 20 * 4096, MREMAP_MAYMOVE, 0)).toBeGreaterThan(0);
  expect(mm.rss[1]).toBe(22);
  expect(verify(machine)).toEqual([]);
});

test('memory is promised once, wherever it moves', () => {
  const { machine, mm } = newSpace();
  const before = machine.committedPages;
  doMprotect(machine, mm, ARENA, 4096, PROT_READ);
  doMremap(machine, mm, ARENA + 4096, 4 * 4096, 4 * 4096, MOVE, ARENA + 200 * 4096);
  expect(machine.committedPages).toBe(before);
  doMremap(machine, mm, ARENA + 200 * 4096, 4 * 4096, 6 * 4096, MREMAP_MAYMOVE, 0);
  expect(machine.committedPages).toBe(before + 2);
  expect(verify(machine)).toEqual([]);
});
