import { expect, test } from 'vitest';
import { PAGE, Space } from '../../test/space.ts';
import { SIGBUS } from './fault.ts';
import { filemapRead } from './filemap.ts';
import { GFP_KERNEL } from './gfp.ts';
import { doMadvise } from './madvise.ts';
import { drainStock } from './memcg.ts';
import { doMlock, doMunlock } from './mlock.ts';
import { MM_ANONPAGES } from './mm.ts';
import { getPage, putPage } from './page_alloc.ts';
import {
  PG_active,
  PG_locked,
  PG_lru,
  PG_mlocked,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
  PG_writeback,
} from './page_flags.ts';
import { PTE_RW, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { shownStart } from './stack_3.ts';
import { addToSwap } from './swap/swap_state.ts';
import { swapCount, swpSwapcount } from './swap/swapfile.ts';
import { MADV_DONTNEED, MAP_GROWSDOWN, MAP_PRIVATE, PROT_READ, PROT_WRITE } from './uapi.ts';
import { NO_PFN, type Pfn, type SwapEntry } from './units.ts';
import { verify } from './verify.ts';
import { PGMAJFAULT, UNEVICTABLE_PGCULLED, UNEVICTABLE_PGRESCUED } from './vmstat.ts';

const RW = PROT_READ | PROT_WRITE;
const STACK = MAP_PRIVATE | MAP_GROWSDOWN;

function space(config = {}): Space {
  return new Space({ kernel: '3.16', ...config });
}

/** Takes the page at `page` out of every page table; it stays in the swap cache. */
function swapOut(s: Space, page: number): Pfn {
  const { machine } = s;
  const { frames } = machine;
  const pfn = s.pfn(page);
  machine.lru.drain();
  frames.set(pfn, PG_locked);
  expect(addToSwap(machine, pfn)).toBe(true);
  machine.rmap.walk(pfn, (vma, vpn) => {
    const slot = machine.pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot >= 0 && machine.pageTables.isPresent(slot)) machine.pageTables.clear(slot, PTE_YOUNG);
    return true;
  });
  expect(machine.rmap.tryToUnmap(pfn)).toBe(true);
  frames.clear(pfn, PG_locked);
  return pfn;
}

function entryOf(s: Space, pfn: Pfn): SwapEntry {
  return s.machine.frames.private_(pfn) as SwapEntry;
}

test('[3.x stack guard] a fault on the lowest page of a stack makes it grow; what is shown begins above the guard', () => {
  const s = space();
  const stack = s.map(100, 4, STACK);
  expect(s.load(100)).toBe(0);
  expect(stack.vmStart - PAGE).toBe(99);
  expect(shownStart(stack) - PAGE).toBe(100);
  // The page above it is a page like any other.
  s.store(101);
  expect(stack.vmStart - PAGE).toBe(99);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x stack guard] where a mapping ends right below, the fault ends in SIGBUS; a part of the same stack is no danger', () => {
  const s = space();
  s.map(96, 4);
  const stack = s.map(100, 4, STACK);
  expect(s.store(100) >> 8).toBe(SIGBUS);
  expect(stack.vmStart - PAGE).toBe(100);
  expect(s.store(101)).toBe(0);
  const t = space();
  t.map(96, 4, STACK);
  t.map(100, 4, STACK, PROT_READ);
  expect(t.load(100)).toBe(0);
});

test('[3.x anon fault] a read maps the zero page and counts nothing; a store makes an active page', () => {
  const s = space();
  s.map(0, 4);
  s.load(0);
  expect(s.pte(0, PTE_SPECIAL)).toBe(true);
  expect(s.pfn(0)).toBe(s.machine.zeroPfn);
  expect(s.mm.rssPages).toBe(0);
  s.store(1);
  expect(s.mm.rss[MM_ANONPAGES]).toBe(1);
  s.machine.lru.drain();
  const pfn = s.pfn(1);
  const { frames } = s.machine;
  expect(frames.has(pfn, PG_active)).toBe(true);
  expect(frames.has(pfn, PG_swapbacked)).toBe(true);
  expect(frames.has(pfn, PG_lru)).toBe(true);
  expect(frames.isAnon(pfn)).toBe(true);
  expect(frames.mapcount(pfn)).toBe(1);
  expect(s.list('active_anon')).toEqual([pfn]);
  // A store over the zero page is a copy of it, of zeros.
  s.store(0);
  expect(s.mm.rss[MM_ANONPAGES]).toBe(2);
});

test('[3.x COW reuse] the parent copies while the child lives, and writes in place when it is gone, whoever holds references', () => {
  const s = space();
  s.map(0, 1);
  s.store(0);
  const first = s.pfn(0);
  const child = s.fork();
  s.store(0);
  const second = s.pfn(0);
  expect(second).not.toBe(first);
  expect(s.pfn(0, child.mm!)).toBe(first);
  const other = s.fork();
  s.exit(child);
  s.exit(other);
  // get_user_pages holds the page: in 3.16 nobody asks for that.
  getPage(s.machine, second);
  s.store(0);
  expect(s.pfn(0)).toBe(second);
  expect(s.machine.frames.mapping(second)).toBe(s.vma(0).anonVma!.id * 4 + 1);
  putPage(s.machine, second);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x fork] anonymous memory is shared and write-protected on both sides; a file is faulted in again', () => {
  const s = space();
  s.map(0, 2);
  s.store(0);
  const file = s.file('disk', 4);
  s.map(8, 4, MAP_PRIVATE, PROT_READ, file);
  s.load(8);
  const child = s.fork();
  expect(s.machine.frames.mapcount(s.pfn(0))).toBe(2);
  expect(s.pte(0, PTE_RW)).toBe(false);
  expect(s.pte(0, PTE_RW, child.mm!)).toBe(false);
  // The child's entry is old: it has not used the page.
  expect(s.pte(0, PTE_YOUNG, child.mm!)).toBe(false);
  expect(s.pfn(8, child.mm!)).toBe(NO_PFN);
  expect(child.mm!.rssPages).toBe(1);
  s.machine.current = child;
  const { majFlt } = child;
  s.load(8, child.mm!);
  expect(child.minFlt).toBeGreaterThan(0);
  expect(child.majFlt).toBe(majFlt);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x COW of shared swap] a page of two entries in swap: read, then written: a copy, until only one of the two is left', () => {
  const s = space({ swap: 'zram' });
  s.map(0, 1);
  s.store(0);
  const child = s.fork();
  const pfn = swapOut(s, 0);
  const entry = entryOf(s, pfn);
  expect(swapCount(s.machine, entry)).toBe(2);
  s.load(0);
  expect(s.pfn(0)).toBe(pfn);
  // Mapped once, held as an entry once: two users.
  expect(s.machine.frames.mapcount(pfn) + swpSwapcount(s.machine, entry)).toBe(2);
  s.store(0);
  expect(s.pfn(0)).not.toBe(pfn);
  // The child is the only one now: it writes in place, and the slot is given up.
  s.machine.current = child;
  s.store(0, child.mm!);
  expect(s.pfn(0, child.mm!)).toBe(pfn);
  expect(s.machine.frames.has(pfn, PG_swapcache)).toBe(false);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x COW of shared swap] a store that swaps in the only entry is writable at once, unless the page is being written', () => {
  const s = space({ swap: 'zram' });
  s.map(0, 2);
  s.store(0);
  const pfn = swapOut(s, 0);
  s.machine.frames.set(pfn, PG_writeback);
  s.store(0);
  expect(s.pfn(0)).toBe(pfn);
  expect(s.pte(0, PTE_RW)).toBe(true);
  expect(s.machine.frames.has(pfn, PG_swapcache)).toBe(true);
  s.machine.frames.clear(pfn, PG_writeback);
});

test('[3.x swap half full] a swap-in frees the slot once less than half of swap is free', () => {
  for (const { taken, freed } of [
    { taken: 3, freed: false },
    { taken: 8, freed: true },
  ]) {
    const s = space({ swap: 'zram', swapBytes: 16 * 4096 });
    s.map(0, 16);
    s.storeAll(0, taken);
    for (let page = 0; page < taken; page++) swapOut(s, page);
    const { nrSwapPages } = s.machine.swap;
    s.load(0);
    const pfn = s.pfn(0);
    expect(s.machine.frames.has(pfn, PG_swapcache)).toBe(!freed);
    expect(s.machine.swap.nrSwapPages).toBe(nrSwapPages + (freed ? 1 : 0));
    expect(verify(s.machine)).toEqual([]);
  }
});

test('[3.x mlock] locked pages are culled once, to the unevictable list; munlock brings them back to the inactive one', () => {
  const s = space();
  s.map(0, 4);
  s.storeAll(0, 4);
  const culled = s.event(UNEVICTABLE_PGCULLED);
  expect(doMlock(s.machine, s.mm, s.vpn(0) * 4096, 4 * 4096, false)).toBe(0);
  const pfn = s.pfn(0);
  const { frames } = s.machine;
  expect(frames.has(pfn, PG_mlocked) && frames.has(pfn, PG_unevictable)).toBe(true);
  expect(s.list('unevictable')).toHaveLength(4);
  expect(s.event(UNEVICTABLE_PGCULLED) - culled).toBe(4);
  const rescued = s.event(UNEVICTABLE_PGRESCUED);
  expect(doMunlock(s.machine, s.mm, s.vpn(0) * 4096, 4 * 4096)).toBe(0);
  s.machine.lru.drain();
  expect(s.list('unevictable')).toEqual([]);
  expect(s.list('inactive_anon')).toHaveLength(4);
  expect(s.event(UNEVICTABLE_PGRESCUED) - rescued).toBe(4);
  expect(verify(s.machine)).toEqual([]);
});

test('[3.x mlock] a page that two locked VMAs map stays locked when one of them unlocks', () => {
  const s = space();
  s.map(0, 1);
  s.store(0);
  const child = s.fork();
  const pfn = s.pfn(0);
  s.vma(0).vmFlags |= 0x2000;
  s.mm.lockedVm = 1;
  s.vma(0, child.mm!).vmFlags |= 0x2000;
  child.mm!.lockedVm = 1;
  s.machine.lru.drain();
  s.machine.frames.set(pfn, PG_locked);
  expect(s.machine.rmap.tryToUnmap(pfn)).toBe(false);
  s.machine.frames.clear(pfn, PG_locked);
  expect(s.machine.frames.has(pfn, PG_mlocked)).toBe(true);
  doMunlock(s.machine, s.mm, s.vpn(0) * 4096, 4096);
  expect(s.machine.frames.has(pfn, PG_mlocked)).toBe(true);
  s.exit(child);
  expect(s.machine.frames.has(pfn, PG_mlocked)).toBe(false);
  s.machine.lru.drain();
  expect(verify(s.machine)).toEqual([]);
});

test('a page that is read ahead belongs to nobody until it is mapped; then whoever swapped it out pays', () => {
  const s = space({ swap: 'disk', limit: 200 });
  s.map(0, 8);
  s.storeAll(0, 8);
  drainStock(s.machine);
  const { memory } = s.memcg;
  const charged = memory.usage;
  for (let page = 0; page < 8; page++) swapOut(s, page);
  // They leave memory: the charge goes to the slots.
  s.memcg.memory.max = 2;
  s.machine.reclaim.tryToFreeMemCgroupPages(s.memcg, 32, GFP_KERNEL, true);
  s.machine.advance(1e9);
  s.machine.reclaim.tryToFreeMemCgroupPages(s.memcg, 32, GFP_KERNEL, true);
  s.memcg.memory.max = 200;
  const left = memory.usage;
  expect(left).toBeLessThan(charged);
  const major = s.event(PGMAJFAULT);
  s.load(0);
  drainStock(s.machine);
  expect(s.event(PGMAJFAULT)).toBe(major + 1);
  expect(memory.usage).toBe(left + 1);
  s.load(1);
  drainStock(s.machine);
  expect(s.event(PGMAJFAULT)).toBe(major + 1);
  expect(memory.usage).toBe(left + 2);
  expect(verify(s.machine)).toEqual([]);
});

test('fault-around maps what is cached around the address, aligned by address', () => {
  const s = space();
  const file = s.file('disk', 32);
  for (let i = 0; i < 32; i++) filemapRead(s.machine, file, i * 4096, 4096, { page: (_t, from, to) => to - from });
  s.map(0, 32, MAP_PRIVATE, RW, file);
  s.load(5);
  expect([0, 5, 15].map((page) => s.pfn(page) !== NO_PFN)).toEqual([true, true, true]);
  expect(s.pfn(16)).toBe(NO_PFN);
});

test.each([
  ['3.16', 49],
  ['6.1', 34],
])('%s: of a window of 16 pages one is not mapped yet; the file has so many misses left of 50', (kernel, left) => {
  const s = space({ kernel });
  const file = s.file('disk', 32);
  for (let i = 0; i < 32; i++) filemapRead(s.machine, file, i * 4096, 4096, { page: (_t, from, to) => to - from });
  s.map(0, 32, MAP_PRIVATE, RW, file);
  s.load(5);
  expect(doMadvise(s.machine, s.mm, s.vpn(5) * 4096, 4096, MADV_DONTNEED)).toBe(0);
  file.ra.mmapMiss = 50;
  s.load(5);
  expect(file.ra.mmapMiss).toBe(left);
});
