import { expect, test } from 'vitest';
import { EINVAL, ENOMEM, EPERM } from './errno.ts';
import { newInode, openInode } from './file.ts';
import { newMm, newTask } from './fork.ts';
import { Machine } from './machine.ts';
import { loadPage, storePage } from './memory.ts';
import { doMlock, doMlockall, doMunlock, doMunlockall } from './mlock.ts';
import type { Mm } from './mm.ts';
import { doMmap, doMunmap } from './mmap.ts';
import { PG_mlocked, PG_unevictable } from './page_flags.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import type { Pfn, Vpn } from './units.ts';
import { verify } from './verify.ts';
import { UNEVICTABLE_PGMLOCKED, UNEVICTABLE_PGMUNLOCKED } from './vmstat.ts';

const ARENA = 0x100000000000;
const PAGE = ARENA / 4096;
const RW = PROT_READ | PROT_WRITE;

/** Pages 0-8 private, 10-12 without access. */
function newSpace(): { machine: Machine; mm: Mm } {
  const machine = new Machine({ kernel: '6.18', ramBytes: 16 * 2 ** 20 });
  const mm = newMm(machine, machine.rootMemcg)!;
  machine.current = newTask(machine, 1, 'test', mm, machine.rootMemcg, null)!;
  doMmap(machine, mm, ARENA, 8 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  doMmap(machine, mm, ARENA + 10 * 4096, 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  return { machine, mm };
}

function pfnAt(machine: Machine, mm: Mm, page: number): Pfn {
  return machine.pageTables.pfn(machine.pageTables.slotOf(mm.pageTables, (PAGE + page) as Vpn));
}

for (const { why, at, length, limit = Number.POSITIVE_INFINITY, want, locked } of [
  { why: 'a byte locks its page', at: 1.5, length: 1, want: 0, locked: 1 },
  { why: 'two bytes may lock two pages', at: 1 + 4095 / 4096, length: 2, want: 0, locked: 2 },
  { why: 'nothing', at: 100, length: 0, want: 0, locked: 0 },
  { why: 'a hole behind: what is before it is locked', at: 6, length: 3 * 4096, want: -ENOMEM, locked: 2 },
  { why: 'a hole at the start', at: 9, length: 4096, want: -ENOMEM, locked: 0 },
  { why: 'what cannot be touched is locked, but not populated', at: 10, length: 4096, want: -ENOMEM, locked: 1 },
  { why: 'a range that wraps', at: 0, length: 2 ** 64 - 4096, want: -EINVAL, locked: 0 },
  { why: 'a length that rounds up to nothing', at: 0, length: 2 ** 64 - 2048, want: 0, locked: 0 },
  { why: 'over the limit', at: 0, length: 2 * 4096, limit: 4096, want: -ENOMEM, locked: 0 },
  { why: 'no limit at all', at: 0, length: 4096, limit: 0, want: -EPERM, locked: 0 },
]) {
  test(`mlock: ${why}`, () => {
    const { machine, mm } = newSpace();
    mm.rlimitMemlock = limit;
    expect(doMlock(machine, mm, ARENA + at * 4096, length, false)).toBe(want);
    expect(mm.lockedVm).toBe(locked);
    expect(verify(machine)).toEqual([]);
  });
}

test('[6.x mlock] locked pages are there, unevictable and counted; unlocked they are as before', () => {
  const { machine, mm } = newSpace();
  const { frames, events } = machine;
  expect(doMlock(machine, mm, ARENA, 3 * 4096, false)).toBe(0);
  const pfn = pfnAt(machine, mm, 1);
  expect([frames.has(pfn, PG_mlocked), frames.has(pfn, PG_unevictable), events[UNEVICTABLE_PGMLOCKED]]).toEqual([
    true,
    true,
    3,
  ]);
  expect(doMunlock(machine, mm, ARENA + 4096, 4096)).toBe(0);
  expect([frames.has(pfn, PG_mlocked | PG_unevictable), events[UNEVICTABLE_PGMUNLOCKED]]).toEqual([false, 1]);
  doMunmap(machine, mm, ARENA, 8 * 4096);
  machine.lru.drain();
  expect(events[UNEVICTABLE_PGMUNLOCKED]).toBe(3);
  expect(verify(machine)).toEqual([]);
});

test('[6.x mlock] a page in two locked mappings stays locked until the second lets it go', () => {
  const { machine, mm } = newSpace();
  const file = openInode(machine, newInode(machine, 'file', 'tmpfs', 8 * 4096), true, true, false);
  for (const page of [20, 30]) {
    doMmap(machine, mm, ARENA + page * 4096, 4096, RW, MAP_SHARED | MAP_FIXED, file, 0);
    storePage(machine, mm, (PAGE + page) as Vpn, machine.newToken());
    doMlock(machine, mm, ARENA + page * 4096, 4096, false);
  }
  const pfn = pfnAt(machine, mm, 20);
  doMunlock(machine, mm, ARENA + 20 * 4096, 4096);
  expect(machine.frames.has(pfn, PG_mlocked)).toBe(true);
  doMunmap(machine, mm, ARENA + 30 * 4096, 4096);
  machine.lru.drain();
  expect(machine.frames.has(pfn, PG_mlocked)).toBe(false);
  expect(verify(machine)).toEqual([]);
});

test('locked on fault: a page is locked when it comes', () => {
  const { machine, mm } = newSpace();
  expect(doMlock(machine, mm, ARENA, 8 * 4096, true)).toBe(0);
  expect(mm.rssPages).toBe(0);
  storePage(machine, mm, PAGE as Vpn, machine.newToken());
  machine.lru.drain();
  expect(machine.frames.has(pfnAt(machine, mm, 0), PG_unevictable)).toBe(true);
  expect(verify(machine)).toEqual([]);
});

for (const { flags, want } of [
  { flags: 0, want: -EINVAL },
  { flags: MCL_ONFAULT, want: -EINVAL },
  { flags: 8, want: -EINVAL },
  { flags: MCL_CURRENT | MCL_ONFAULT, want: 0 },
]) {
  test(`mlockall(${flags})`, () => {
    const { machine, mm } = newSpace();
    expect(doMlockall(machine, mm, flags)).toBe(want);
  });
}

test('mlockall locks what is there, with MCL_FUTURE what comes; munlockall ends both', () => {
  const { machine, mm } = newSpace();
  doMlockall(machine, mm, MCL_CURRENT | MCL_FUTURE);
  expect([mm.lockedVm, mm.rssPages]).toEqual([10, 8]);
  doMmap(machine, mm, ARENA + 50 * 4096, 2 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  expect([mm.lockedVm, mm.rssPages]).toEqual([12, 10]);
  doMunlockall(machine, mm);
  doMmap(machine, mm, ARENA + 60 * 4096, 2 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  expect([mm.lockedVm, mm.rssPages]).toEqual([0, 10]);
  expect(loadPage(machine, mm, (PAGE + 60) as Vpn)).toBe(0);
  expect(verify(machine)).toEqual([]);
});
