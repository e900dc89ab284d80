import { expect, test } from 'vitest';
import { EACCES, EINVAL, ENOMEM } from './errno.ts';
import { newInode, openInode } from './file.ts';
import { dupMm, newMm, newTask } from './fork.ts';
import { Machine } from './machine.ts';
import { doMadvise } from './madvise.ts';
import { loadPage, readToken, storePage } from './memory.ts';
import { doMlock } from './mlock.ts';
import type { Mm } from './mm.ts';
import { doMmap, doMunmap } from './mmap.ts';
import { PG_active, PG_lru, PG_referenced, PG_swapbacked } from './page_flags.ts';
import { PTE_SWAP } from './page_table.ts';
import { swapon } from './swap/swapfile.ts';
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import type { Vpn } from './units.ts';
import { verify } from './verify.ts';
import {
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_HUGEPAGE,
  VM_MERGEABLE,
  VM_NOHUGEPAGE,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_WIPEONFORK,
} from './vm_flags.ts';
import { PSWPOUT } from './vmstat.ts';

const ARENA = 0x100000000000;
const PAGE = ARENA / 4096;
const RW = PROT_READ | PROT_WRITE;

/** Pages: 0-8 private, 8-12 a hole, 12-16 shared, 20-24 a file privately, 30-32 locked, 40-42 read-only. */
function newSpace(kernel = '6.18'): { machine: Machine; mm: Mm } {
  const machine = new Machine({ kernel, ramBytes: 16 * 2 ** 20 });
  const mm = newMm(machine, machine.rootMemcg)!;
  machine.current = newTask(machine, 1, 'test', mm, machine.rootMemcg, null)!;
  const file = openInode(machine, newInode(machine, 'file', 'disk', 8 * 4096), true, true, false);
  const anon = MAP_ANONYMOUS | MAP_FIXED;
  doMmap(machine, mm, ARENA, 8 * 4096, RW, MAP_PRIVATE | anon, null, 0);
  doMmap(machine, mm, ARENA + 12 * 4096, 4 * 4096, RW, MAP_SHARED | anon, null, 0);
  doMmap(machine, mm, ARENA + 20 * 4096, 4 * 4096, RW, MAP_PRIVATE | MAP_FIXED, file, 0);
  doMmap(machine, mm, ARENA + 30 * 4096, 2 * 4096, RW, MAP_PRIVATE | anon, null, 0);
  doMlock(machine, mm, ARENA + 30 * 4096, 2 * 4096, false);
  doMmap(machine, mm, ARENA + 40 * 4096, 2 * 4096, PROT_READ, MAP_PRIVATE | anon, null, 0);
  return { machine, mm };
}

for (const { why, at = 0, pages = 1, advice, want, want61 = want } of [
  { why: 'no such advice', advice: 5, want: -EINVAL },
  { why: 'the address is inside a page', at: 0.5, advice: MADV_NORMAL, want: -EINVAL },
  { why: 'nothing', at: 200, pages: 0, advice: MADV_DONTNEED, want: 0 },
  { why: 'a range that wraps', pages: 2 ** 52, advice: MADV_DONTNEED, want: -EINVAL },
  { why: 'a hole at the end', at: 4, pages: 6, advice: MADV_DONTFORK, want: -ENOMEM },
  { why: 'locked pages are needed', at: 30, advice: MADV_DONTNEED, want: -EINVAL },
  { why: 'locked pages, and it is meant', at: 30, advice: MADV_DONTNEED_LOCKED, want: 0 },
  { why: 'locked pages are not cold', at: 30, advice: MADV_COLD, want: -EINVAL },
  { why: 'locked pages stay', at: 30, advice: MADV_PAGEOUT, want: -EINVAL },
  { why: 'a file cannot be freed lazily', at: 20, advice: MADV_FREE, want: -EINVAL },
  { why: 'nor shared memory', at: 12, advice: MADV_FREE, want: -EINVAL },
  { why: 'private memory has no file to remove from', advice: MADV_REMOVE, want: -EINVAL },
  { why: 'removal from a private mapping', at: 20, advice: MADV_REMOVE, want: -EACCES },
  { why: 'removal from shared memory', at: 12, advice: MADV_REMOVE, want: 0 },
  { why: 'only private memory can be wiped', at: 12, advice: MADV_WIPEONFORK, want: -EINVAL },
  { why: 'a file is not wiped', at: 20, advice: MADV_WIPEONFORK, want: -EINVAL },
  { why: 'populate for writing what is read-only', at: 40, advice: MADV_POPULATE_WRITE, want: -EINVAL },
  { why: 'populate for reading what is read-only', at: 40, advice: MADV_POPULATE_READ, want: 0 },
  { why: 'guards, since 6.13', advice: MADV_GUARD_INSTALL, want: 0, want61: -EINVAL },
  { why: 'no guards in locked memory', at: 30, advice: MADV_GUARD_INSTALL, want: -EINVAL },
  { why: 'too small for a huge page', advice: MADV_COLLAPSE, want: -EINVAL },
]) {
  for (const [kernel, result] of [
    ['6.18', want],
    ['6.1', want61],
  ] as const) {
    test(`${kernel} madvise: ${why}`, () => {
      const { machine, mm } = newSpace(kernel);
      expect(doMadvise(machine, mm, ARENA + at * 4096, pages * 4096, advice)).toBe(result);
      expect(verify(machine)).toEqual([]);
    });
  }
}

for (const { first, second, bit } of [
  { first: MADV_RANDOM, second: MADV_NORMAL, bit: VM_RAND_READ },
  { first: MADV_SEQUENTIAL, second: MADV_NORMAL, bit: VM_SEQ_READ },
  { first: MADV_RANDOM, second: MADV_SEQUENTIAL, bit: VM_RAND_READ },
  { first: MADV_DONTFORK, second: MADV_DOFORK, bit: VM_DONTCOPY },
  { first: MADV_DONTDUMP, second: MADV_DODUMP, bit: VM_DONTDUMP },
  { first: MADV_WIPEONFORK, second: MADV_KEEPONFORK, bit: VM_WIPEONFORK },
  { first: MADV_MERGEABLE, second: MADV_UNMERGEABLE, bit: VM_MERGEABLE },
  { first: MADV_HUGEPAGE, second: MADV_NOHUGEPAGE, bit: VM_HUGEPAGE },
  { first: MADV_NOHUGEPAGE, second: MADV_HUGEPAGE, bit: VM_NOHUGEPAGE },
]) {
  test(`advice ${first} sets a flag in the middle of a VMA, ${second} takes it back`, () => {
    const { machine, mm } = newSpace();
    const vmas = mm.vmas.size;
    expect(doMadvise(machine, mm, ARENA + 2 * 4096, 3 * 4096, first)).toBe(0);
    expect(mm.vmas.size).toBe(vmas + 2);
    expect(mm.vmas.findExact((PAGE + 3) as Vpn)!.vmFlags & bit).not.toBe(0);
    expect(doMadvise(machine, mm, ARENA, 8 * 4096, second)).toBe(0);
    expect(mm.vmas.findExact((PAGE + 3) as Vpn)!.vmFlags & bit).toBe(0);
    expect(mm.vmas.size).toBe(vmas);
    expect(verify(machine)).toEqual([]);
  });
}

test('advice goes on behind a hole, populating only in 6.1', () => {
  for (const [kernel, populated] of [
    ['6.18', 8],
    ['6.1', 12],
  ] as const) {
    const { machine, mm } = newSpace(kernel);
    const before = mm.rssPages;
    expect(doMadvise(machine, mm, ARENA, 16 * 4096, MADV_POPULATE_WRITE)).toBe(-ENOMEM);
    expect(mm.rssPages - before).toBe(populated);
  }
});

test('a guard region takes what was there, faults, is left by DONTNEED and ends with its VMA', () => {
  const { machine, mm } = newSpace();
  storePage(machine, mm, (PAGE + 2) as Vpn, machine.newToken());
  expect(doMadvise(machine, mm, ARENA + 4096, 3 * 4096, MADV_GUARD_INSTALL)).toBe(0);
  expect(mm.rss[1]).toBe(2);
  expect(loadPage(machine, mm, (PAGE + 2) as Vpn)).not.toBe(0);
  doMadvise(machine, mm, ARENA, 8 * 4096, MADV_DONTNEED);
  expect(loadPage(machine, mm, (PAGE + 2) as Vpn)).not.toBe(0);
  expect(doMadvise(machine, mm, ARENA + 2 * 4096, 4096, MADV_GUARD_REMOVE)).toBe(0);
  expect(loadPage(machine, mm, (PAGE + 2) as Vpn)).toBe(0);
  expect(mm.vmas.findExact((PAGE + 2) as Vpn)!.pages).toBe(8);
  expect(verify(machine)).toEqual([]);
  doMunmap(machine, mm, ARENA, 8 * 4096);
  expect(verify(machine)).toEqual([]);
});

test('[6.x MADV_FREE] MADV_FREE makes a page clean and a file page to reclaim; a store takes it back', () => {
  const { machine, mm } = newSpace();
  const { frames, pageTables } = machine;
  storePage(machine, mm, PAGE as Vpn, machine.newToken());
  machine.lru.drain();
  expect(doMadvise(machine, mm, ARENA, 4096, MADV_FREE)).toBe(0);
  machine.lru.drain();
  const slot = pageTables.slotOf(mm.pageTables, PAGE as Vpn);
  expect([frames.has(pageTables.pfn(slot), PG_swapbacked), pageTables.has(slot, 8)]).toEqual([false, false]);
  storePage(machine, mm, PAGE as Vpn, 77 as never);
  expect(pageTables.has(slot, 8)).toBe(true);
  expect(readToken(machine, mm, PAGE as Vpn)).toBe(77);
  expect(verify(machine)).toEqual([]);
});

test('[6.x MADV_COLD/PAGEOUT] MADV_COLD forgets that a page was used', () => {
  const { machine, mm } = newSpace();
  const { frames, pageTables } = machine;
  storePage(machine, mm, PAGE as Vpn, machine.newToken());
  machine.lru.drain();
  const slot = pageTables.slotOf(mm.pageTables, PAGE as Vpn);
  const pfn = pageTables.pfn(slot);
  machine.lru.markAccessed(pfn);
  machine.lru.markAccessed(pfn);
  machine.lru.drain();
  expect(frames.has(pfn, PG_active)).toBe(true);
  expect(doMadvise(machine, mm, ARENA, 4096, MADV_COLD)).toBe(0);
  machine.lru.drain();
  expect([frames.has(pfn, PG_active | PG_referenced), frames.has(pfn, PG_lru), pageTables.has(slot, 4)]).toEqual([
    false,
    true,
    false,
  ]);
  expect(verify(machine)).toEqual([]);
});

for (const { why, shared, out } of [
  { why: 'a page of one’s own is in swap at once', shared: false, out: 1 },
  { why: 'a page that a child has, too, stays', shared: true, out: 0 },
]) {
  test(`[6.x MADV_COLD/PAGEOUT] MADV_PAGEOUT: ${why}`, () => {
    const { machine, mm } = newSpace();
    const { pageTables, events } = machine;
    swapon(machine, { bytes: 2 ** 20, device: 'zram' });
    storePage(machine, mm, PAGE as Vpn, machine.newToken());
    machine.lru.drain();
    if (shared) dupMm(machine, mm, machine.rootMemcg);
    expect(doMadvise(machine, mm, ARENA, 4096, MADV_PAGEOUT)).toBe(0);
    const slot = pageTables.slotOf(mm.pageTables, PAGE as Vpn);
    expect([pageTables.isPresent(slot), pageTables.has(slot, PTE_SWAP), events[PSWPOUT]]).toEqual([
      shared,
      !shared,
      out,
    ]);
    expect(verify(machine)).toEqual([]);
  });
}

test('MADV_WILLNEED starts to read a file', () => {
  const { machine, mm } = newSpace();
  expect(doMadvise(machine, mm, ARENA + 20 * 4096, 4 * 4096, MADV_WILLNEED)).toBe(0);
  expect(mm.vmas.findExact((PAGE + 20) as Vpn)!.vmFile!.mapping.nrpages).toBeGreaterThanOrEqual(4);
});
