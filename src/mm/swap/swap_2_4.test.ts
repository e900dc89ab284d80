/** Slots, the swap cache and swapoff of 2.4. */
import { describe, expect, test } from 'vitest';
import { Space_2_4 } from '../../../test/space_2_4.ts';
import { MM_SWAPENTS } from '../mm.ts';
import { doMunmap } from '../munmap.ts';
import { PG_dirty, PG_referenced, PG_swapcache } from '../page_flags.ts';
import { PTE_RW, PTE_YOUNG } from '../page_table.ts';
import { MAP_SHARED } from '../uapi.ts';
import { NO_PFN, NO_SWAP, PAGE_SIZE, type SwapEntry, swpEntry, swpOffset, swpType } from '../units.ts';
import { validSwaphandles } from './swap_2_4.ts';
import { swapCacheGet } from './swap_state.ts';
import { swapFree, swapoff, swapon } from './swapfile.ts';

/** Pages [from, from + pages) to the swap cache and out of memory. */
function swapOutAll(s: Space_2_4, from: number, pages: number): void {
  const { frames, pageTables, lru } = s.machine;
  for (let page = from; page < from + pages; page++) {
    const pfn = s.pfn(page);
    pageTables.testAndClearYoung(s.slot(page));
    frames.clear(pfn, PG_referenced);
    lru.deactivate(pfn);
  }
  for (let i = 0; i < pages; i++) s.swapOut();
  for (let i = 0; i < 3; i++) {
    s.shrink(1000);
    s.machine.advance(1e9);
  }
}

describe('[2.4 swap slots]', () => {
  test('[2.4 vector Swap slots] an area of 1000 slots gives 1, 2, 3, … 256; two areas of one priority take turns', () => {
    const s = new Space_2_4();
    const take = (count: number): string[] =>
      Array.from({ length: count }, () => {
        const entry = s.machine.generation.allocSwapSlot(s.machine);
        return `${swpType(entry)}:${swpOffset(entry)}`;
      });
    swapon(s.machine, { bytes: 1000 * PAGE_SIZE, device: 'disk' });
    expect(take(256)).toEqual(Array.from({ length: 256 }, (_, i) => `0:${i + 1}`));
    const t = new Space_2_4();
    swapon(t.machine, { bytes: 1000 * PAGE_SIZE, device: 'disk', priority: 3 });
    swapon(t.machine, { bytes: 1000 * PAGE_SIZE, device: 'disk', priority: 3 });
    const entries = Array.from({ length: 6 }, () => t.machine.generation.allocSwapSlot(t.machine));
    expect(entries.map((entry) => `${swpType(entry)}:${swpOffset(entry)}`)).toEqual([
      '0:1',
      '1:1',
      '0:2',
      '1:2',
      '0:3',
      '1:3',
    ]);
  });

  test('[2.4 swap slots] a full area gives nothing; a freed slot comes back', () => {
    const s = new Space_2_4({ swap: 'zram', swapBytes: 3 * PAGE_SIZE });
    s.map(0, 3);
    s.storeAll(0, 3);
    swapOutAll(s, 0, 3);
    expect(s.machine.swap.nrSwapPages).toBe(0);
    expect(s.machine.generation.allocSwapSlot(s.machine)).toBe(NO_SWAP);
    // One of the three found no slot and stayed.
    expect([0, 1, 2].filter((i) => s.pfn(i) !== NO_PFN)).toHaveLength(1);
    doMunmap(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, PAGE_SIZE);
    expect(s.machine.swap.nrSwapPages).toBe(1);
  });

  test('[2.4 swap slots] swap_map: an entry, its copy by fork, the page in the cache; each gone again', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 1);
    s.store(0);
    swapOutAll(s, 0, 1);
    const entry = s.entry(0);
    expect(s.sm(entry)).toBe(1);
    const child = s.fork();
    expect(s.sm(entry)).toBe(2);
    s.load(0);
    // The entry became a mapping, the cache came: 2 − 1 + 1.
    expect(s.sm(entry)).toBe(2);
    s.exit(child);
    expect(s.sm(entry)).toBe(1);
    expect(s.machine.verify()).toEqual([]);
  });

  for (const { why, slot, first, count, cut } of [
    { why: 'slot 21 of groups of 8', slot: 21, first: 16, count: 8, cut: 0 },
    { why: 'slot 5: slot 0 is the header', slot: 5, first: 1, count: 7, cut: 0 },
    { why: 'slot 19 is free', slot: 21, first: 16, count: 3, cut: 19 },
    { why: 'the area ends', slot: 25, first: 24, count: 5, cut: 0 },
  ]) {
    test(`[2.4 vector Swap read-ahead] what is read around a fault: ${why}`, () => {
      const s = new Space_2_4({ sysctl: { pageCluster: 3 } });
      swapon(s.machine, { bytes: 29 * PAGE_SIZE, device: 'disk' });
      const area = s.machine.swap.areas[0]!;
      const entries: SwapEntry[] = Array.from({ length: 28 }, () => s.machine.generation.allocSwapSlot(s.machine));
      if (cut > 0) area.setUsage(swpOffset(entries[cut - 1]!), 0);
      expect(validSwaphandles(area, slot, 3)).toEqual({ first, count });
      expect(validSwaphandles(area, slot, 0).count).toBe(0);
    });
  }

  test('[2.4 swap slots] a fault brings its group into the swap cache', () => {
    const s = new Space_2_4({ swap: 'disk', sysctl: { pageCluster: 3 } });
    s.map(0, 40);
    s.storeAll(0, 40);
    swapOutAll(s, 0, 40);
    const entry = s.entry(20);
    s.load(20);
    const first = swpOffset(entry) - (swpOffset(entry) % 8);
    const cached = (offset: number): boolean => swapCacheGet(s.machine, swpEntry(0, offset)) !== NO_PFN;
    expect([...Array(8).keys()].every((i) => cached(first + i))).toBe(true);
    expect([cached(first - 1), cached(first + 8)]).toEqual([false, false]);
    s.machine.advance(1e9);
    // The neighbours are a minor fault away.
    const { majFlt } = s.task;
    s.load(20 + (first + 7 - swpOffset(entry)));
    expect(s.task.majFlt).toBe(majFlt);
  });

  test('[2.4 swap slots] below 16 MiB groups are of 4', () => {
    expect(new Space_2_4({ ramBytes: 8 * 2 ** 20 }).machine.sysctl.pageCluster).toBe(2);
    expect(new Space_2_4({ ramBytes: 16 * 2 ** 20 }).machine.sysctl.pageCluster).toBe(3);
    expect(new Space_2_4({ ramBytes: 8 * 2 ** 20, sysctl: { pageCluster: 5 } }).machine.sysctl.pageCluster).toBe(5);
  });

  test('[2.4 swap slots] a page whose last entry goes leaves the swap cache with its slot', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 1);
    s.store(0);
    swapOutAll(s, 0, 1);
    s.load(0);
    const pfn = s.pfn(0);
    expect(s.machine.frames.has(pfn, PG_swapcache)).toBe(true);
    doMunmap(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, PAGE_SIZE);
    expect([s.machine.frames.refcount(pfn), s.machine.swap.areas[0]!.inusePages]).toEqual([0, 0]);
  });

  test('[2.4 swap slots] reclaim that meets a page nobody needs any more gives the slot up instead of writing', () => {
    const s = new Space_2_4({ swap: 'disk' });
    s.map(0, 1);
    s.store(0);
    const pfn = s.pfn(0);
    s.swapOut();
    s.refill(1);
    s.swapOut();
    const entry = s.entry(0);
    // The entry goes while the page is locked: the page stays in the cache.
    s.machine.pageTables.setNone(s.slot(0));
    s.mm.rss[MM_SWAPENTS]! -= 1;
    swapFree(s.machine, entry);
    expect(s.sm(entry)).toBe(1);
    expect(s.shrink().steps).toEqual([[pfn, 5]]);
    expect([s.machine.frames.refcount(pfn), s.sm(entry), s.machine.io.pending]).toEqual([0, 0, 0]);
  });
});

describe('[2.4 swapoff]', () => {
  test('[2.4 swapoff] each slot comes back: old, read-only, and dirty as a page; both users get one frame', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 4);
    s.storeAll(0, 4);
    const tokens = [0, 1, 2, 3].map((i) => s.machine.frames.token(s.pfn(i)));
    swapOutAll(s, 0, 4);
    const child = s.fork();
    expect(swapoff(s.machine, 0)).toBe(0);
    for (let i = 0; i < 4; i++) {
      const pfn = s.pfn(i);
      expect(s.pfn(i, child.mm!)).toBe(pfn);
      expect(s.count(pfn)).toBe(2);
      expect(s.machine.frames.token(pfn)).toBe(tokens[i]);
      expect(s.pte(i, PTE_RW) || s.pte(i, PTE_YOUNG)).toBe(false);
      expect(s.machine.frames.has(pfn, PG_dirty)).toBe(true);
      expect(s.machine.frames.has(pfn, PG_swapcache)).toBe(false);
    }
    expect(s.machine.verify()).toEqual([]);
  });

  test('[2.4 swapoff] the search goes on where the last slot had its first user', () => {
    const s = new Space_2_4({ swap: 'zram' });
    const child = s.fork().mm!;
    const other = s.fork().mm!;
    expect(s.machine.mms).toEqual([s.mm, other, child]);
    const back: number[] = [];
    s.map(0, 2);
    s.storeAll(0, 2);
    const late = s.fork().mm!;
    swapOutAll(s, 0, 2);
    const { rmap } = s.machine;
    const addAnon = rmap.addAnon.bind(rmap);
    rmap.addAnon = (pfn, vma, vpn, exclusive) => {
      back.push(vma.vmMm.id);
      addAnon(pfn, vma, vpn, exclusive);
    };
    // `late` stands behind s.mm; both hold both slots only if both were swapped out.
    for (let i = 0; i < 2; i++) s.machine.pageTables.testAndClearYoung(s.slot(i, late));
    for (let i = 0; i < 4; i++) s.swapOut();
    expect(swapoff(s.machine, 0)).toBe(0);
    expect(back).toEqual([s.mm.id, late.id, s.mm.id, late.id]);
  });

  test("[2.4 swapoff] tmpfs has its turn at init_mm's place", () => {
    const s = new Space_2_4({ swap: 'zram' });
    const file = s.file('tmpfs', 2);
    s.map(0, 2, MAP_SHARED, undefined, file);
    s.storeAll(0, 2);
    const tokens = [0, 1].map((i) => s.machine.frames.token(s.pfn(i)));
    swapOutAll(s, 0, 2);
    for (let i = 0; i < 3; i++) s.shrink(1000);
    expect(file.inode.shmemSwapped).toBe(2);
    expect(swapoff(s.machine, 0)).toBe(0);
    expect([file.inode.shmemSwapped, file.mapping.nrpages]).toEqual([0, 2]);
    s.loadAll(0, 2);
    expect([0, 1].map((i) => s.machine.frames.token(s.pfn(i)))).toEqual(tokens);
    expect(s.machine.verify()).toEqual([]);
  });

  test('[2.4 swapoff] without memory it is refused, and the area is in use again', () => {
    const s = new Space_2_4({ ramBytes: 3 * 2 ** 20, swap: 'zram', swapBytes: 16 * 2 ** 20 });
    s.map(0, 1000);
    s.storeAll(0, 1000);
    s.machine.current = s.machine.idle;
    // Nobody can be killed for it.
    s.mm.oomSkip = true;
    expect(swapoff(s.machine, 0)).toBe(-12);
    expect(s.machine.swap.active).toHaveLength(1);
    expect(s.machine.verify()).toEqual([]);
  });

  test('[2.4 swapoff] or somebody dies for it, and then it fits', () => {
    const s = new Space_2_4({ ramBytes: 3 * 2 ** 20, swap: 'zram', swapBytes: 16 * 2 ** 20 });
    s.map(0, 1000);
    s.storeAll(0, 1000);
    s.machine.current = s.machine.idle;
    expect(swapoff(s.machine, 0)).toBe(0);
    expect(s.task.killed).toBe(true);
  });
});
