/** Reclaim of 2.4: the walk through address spaces, the pass over the inactive list, the balance of lists, kswapd. */
import { describe, expect, test } from 'vitest';
import { Space_2_4 } from '../../../test/space_2_4.ts';
import { filemapRead, filemapWrite } from '../filemap.ts';
import { __GFP_FS, GFP_USER } from '../gfp.ts';
import { doMlock } from '../mlock.ts';
import {
  PG_active,
  PG_dirty,
  PG_locked,
  PG_private,
  PG_reclaim,
  PG_referenced,
  PG_swapcache,
  PG_writeback,
} from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { MAP_SHARED } from '../uapi.ts';
import { NO_PFN, PAGE_SIZE, type Vpn, vpnOf } from '../units.ts';
import { ZONE_DMA } from '../zone.ts';
import { FREED, maxMapped, maxScan } from './shrink_cache.ts';
import { isBalanced, refillRatio } from './vmscan_2_4.ts';

/** Nobody has used the pages since: what swap_out takes at its next visit. */
function age(s: Space_2_4, from: number, pages: number, mm = s.mm): void {
  const { pageTables, frames, lru } = s.machine;
  for (let page = from; page < from + pages; page++) {
    pageTables.testAndClearYoung(s.slot(page, mm));
    frames.clear(s.pfn(page, mm), PG_referenced);
    lru.deactivate(s.pfn(page, mm));
  }
}

describe('[2.4 swap_out]', () => {
  test('[2.4 swap_out] the cursor stops behind the 32nd page that it freed, and goes on there', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 80);
    // As a stack would: a stop within the last VMA counts as the end.
    s.map(200, 1);
    s.storeAll(0, 80);
    age(s, 0, 80);
    expect(s.mm.swapAddress).toBe(0);
    expect(s.swapOut()).toBe(true);
    expect(s.reclaim.swapOut.swapMm).toBe(s.mm);
    expect(s.mm.swapAddress).toBe(s.vpn(32));
    expect(s.mm.rssPages).toBe(48);
    expect(s.swapOut()).toBe(true);
    expect(s.mm.swapAddress).toBe(s.vpn(64));
    // 16 are left: seen to the end, begun anew, and seen to the end again.
    expect(s.swapOut()).toBe(false);
    expect(s.mm.swapAddress).toBe(vpnOf(s.mm.taskSize));
    expect(s.mm.rssPages).toBe(0);
  });

  test('[2.4 swap_out] address spaces are met in fork order: a child directly behind its parent', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 4);
    const first = s.fork().mm!;
    const second = s.fork().mm!;
    const third = s.fork(first).mm!;
    expect(s.machine.mms).toEqual([s.mm, second, first, third]);
    // A turn ends with the last one; each it passed is begun anew when the cursor comes round.
    s.swapOut();
    expect(s.machine.mms.map((mm) => mm.swapAddress === vpnOf(mm.taskSize))).toEqual([true, false, false, false]);
  });

  test('[2.4 swap_out] who ends leaves the cursor on the one before', () => {
    const s = new Space_2_4({ swap: 'zram' });
    const child = s.fork();
    s.swapOut();
    s.reclaim.swapOut.swapMm = child.mm;
    s.exit(child);
    expect(s.reclaim.swapOut.swapMm).toBe(s.mm);
    s.exit(s.task);
    expect(s.reclaim.swapOut.swapMm).toBeNull();
    expect(s.swapOut()).toBe(false);
  });

  test('[2.4 swap_out] young bits are cleared on the way, and only pages of the zone are taken', () => {
    const s = new Space_2_4({ swap: 'zram', ramBytes: 32 * 2 ** 20 });
    s.map(0, 8);
    s.storeAll(0, 8);
    const dma = s.machine.nodes[0]!.zones[ZONE_DMA]!;
    const above = [...Array(8).keys()].filter((i) => s.machine.frames.zoneIndex(s.pfn(i)) !== dma.index);
    expect(above).toHaveLength(8);
    s.swapOut(dma);
    expect(above.some((i) => s.pte(i, PTE_YOUNG))).toBe(false);
    age(s, 0, 8);
    s.swapOut(dma);
    expect(s.mm.rssPages).toBe(8);
    s.swapOut();
    expect(s.mm.rssPages).toBe(0);
  });

  test('[2.4 swap_out] locked memory is passed by and marked used: it has no flag of its own', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 2);
    expect(doMlock(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, 2 * PAGE_SIZE, false)).toBe(0);
    age(s, 0, 2);
    s.swapOut();
    expect([s.state(s.pfn(0)), s.mm.rssPages]).toEqual(['A', 2]);
    expect(doMlock(s.machine, s.mm, s.vpn(0) * PAGE_SIZE, 9 * 2 ** 20, false)).toBeLessThan(0);
  });

  test('[2.4 swap_out] what becomes of an entry: file dropped, clean anonymous dropped, in the swap cache once more', () => {
    const s = new Space_2_4({ swap: 'zram' });
    const file = s.file('disk', 1);
    s.map(0, 1);
    s.map(8, 1, MAP_SHARED, undefined, file);
    s.store(0);
    s.store(8);
    const child = s.fork();
    const page = s.pfn(8);
    for (const mm of [s.mm, child.mm!]) {
      age(s, 0, 1, mm);
      age(s, 8, 1, mm);
    }
    s.swapOut();
    // Both entries hold the slot, and the swap cache.
    expect(s.sm(s.entry(0))).toBe(3);
    expect(s.machine.pageTables.swapEntry(s.slot(0, child.mm!))).toBe(s.entry(0));
    expect([s.pfn(8), s.pfn(8, child.mm!)]).toEqual([NO_PFN, NO_PFN]);
    expect(s.machine.frames.has(page, PG_dirty)).toBe(true);
    expect(s.count(page)).toBe(1);
  });

  test('[2.4 swap_out] without swap a dirty anonymous page stays mapped, dirty as a page, too', () => {
    const s = new Space_2_4();
    s.map(0, 1);
    s.store(0);
    age(s, 0, 1);
    expect(s.swapOut()).toBe(false);
    expect(s.pfn(0)).not.toBe(NO_PFN);
    expect(s.machine.frames.has(s.pfn(0), PG_dirty)).toBe(true);
    expect(s.machine.frames.has(s.pfn(0), PG_swapcache)).toBe(false);
  });

  test('[2.4 swap_out] what the walk looked at is counted', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 512);
    s.storeAll(0, 10);
    const { work } = s.machine;
    const before = [work.ptesVisited, work.mmsWalked];
    s.swapOut();
    expect([work.ptesVisited - before[0]!, work.mmsWalked - before[1]!]).toEqual([1024, 2]);
  });
});

describe('[2.4 shrink_cache]', () => {
  for (const [priority, scan, mapped] of [
    [6, 166, 16],
    [5, 200, 20],
    [4, 250, 25],
    [3, 333, 33],
    [2, 500, 50],
    [1, 1000, 100],
  ] as const) {
    test(`[2.4 vector shrink_cache with 1000 inactive pages] 32 wanted, priority ${priority}: ${scan} are scanned, ${mapped} may be mapped`, () => {
      expect([maxScan(1000, priority), maxMapped(32, priority, scan)]).toEqual([scan, mapped]);
    });
  }
  test('[2.4 vector shrink_cache with 1000 inactive pages] the pages wanted govern from 30720 inactive pages on', () => {
    expect(maxMapped(32, 6, maxScan(30720, 6))).toBe(512);
    expect(maxMapped(32, 6, maxScan(30714, 6))).toBe(511);
    expect(maxMapped(32, 6, maxScan(60000, 6))).toBe(512);
  });

  test('[2.4 shrink_cache] each page has the step that ended its visit', () => {
    const s = new Space_2_4({ swap: 'disk' });
    const { machine } = s;
    const { frames } = machine;
    const file = s.file('disk', 8);
    filemapRead(machine, file, 0, 8 * PAGE_SIZE, null);
    machine.advance(1e9);
    const at = (i: number) => (file.mapping.pages.load(i) - 1) as ReturnType<typeof s.pfn>;
    const pages = [...Array(8).keys()].map(at);
    // 3 mapped, 4 locked, 4 laundered, 5 dirty by a mapping, 6 dirty buffers, 9 clean.
    s.map(0, 1, MAP_SHARED, undefined, file, 0);
    s.load(0);
    frames.set(pages[1]!, PG_locked);
    frames.set(pages[2]!, PG_dirty);
    filemapWrite(machine, file, 3 * PAGE_SIZE, PAGE_SIZE, null);
    for (const pfn of pages) machine.lru.deactivate(pfn);
    const { steps } = s.shrink(32, 1);
    expect(Object.fromEntries(steps)).toMatchObject({
      [pages[1]!]: 4,
      [pages[3]!]: 6,
    });
    frames.clear(pages[1]!, PG_locked);
  });

  test('[2.4 shrink_cache] a page is at the head after its visit, in the order of the visits', () => {
    const s = new Space_2_4();
    const file = s.file('disk', 40);
    filemapRead(s.machine, file, 0, 40 * PAGE_SIZE, null);
    s.machine.advance(1e9);
    for (const pfn of s.inactive()) s.machine.frames.set(pfn, PG_locked);
    const before = s.inactive();
    const { steps, wanted } = s.shrink(32, 4);
    expect(steps).toHaveLength(10);
    expect(wanted).toBe(32);
    const visited = steps.map(([pfn]) => pfn);
    expect(visited).toEqual(before.slice(-10).reverse());
    expect(s.inactive()).toEqual([...visited].reverse().concat(before.slice(0, -10) as never[]));
    for (const pfn of s.inactive()) s.machine.frames.clear(pfn, PG_locked);
  });

  test('[2.4 shrink_cache] max_mapped reached: swap_out is called and the pass ends', () => {
    const s = new Space_2_4({ swap: 'zram' });
    s.map(0, 100);
    s.map(200, 1);
    s.storeAll(0, 100);
    age(s, 0, 100);
    const { steps, wanted } = s.shrink(32, 1);
    // 10 are passed by, the 11th is one too many.
    expect(steps.map(([, step]) => step)).toEqual(Array(11).fill(3));
    expect(wanted).toBe(32);
    expect(s.mm.rssPages).toBe(68);
    expect(s.mm.swapAddress).toBe(s.vpn(32));
  });

  test('[2.4 shrink_cache] a zone above the wanted one counts as scanned', () => {
    const s = new Space_2_4({ ramBytes: 32 * 2 ** 20 });
    filemapRead(s.machine, s.file('disk', 4), 0, 4 * PAGE_SIZE, null);
    s.machine.advance(1e9);
    const dma = s.machine.nodes[0]!.zones[ZONE_DMA]!;
    expect(s.shrink(32, 1, GFP_USER, dma).steps.map(([, step]) => step)).toEqual([2, 2, 2, 2]);
  });

  test('[2.4 shrink_cache] who may not enter file systems writes nothing and waits for nothing', () => {
    const s = new Space_2_4({ swap: 'disk' });
    s.map(0, 1);
    s.store(0);
    age(s, 0, 1);
    s.swapOut();
    expect(s.shrink(32, 1, GFP_USER & ~__GFP_FS).steps.map(([, step]) => step)).toEqual([8]);
    s.shrink(32, 1);
    const { now } = s.machine.clock;
    expect(s.shrink(32, 1, GFP_USER & ~__GFP_FS).steps.map(([, step]) => step)).toEqual([4]);
    expect(s.machine.clock.now).toBe(now);
    // A laundered page is waited for, and freed the next time.
    expect(s.shrink(32, 1).steps.map(([, step]) => step)).toEqual([4]);
    expect(s.machine.clock.now).toBeGreaterThan(now);
    expect(s.shrink(32, 1).steps.map(([, step]) => step)).toEqual([FREED]);
  });

  test('[2.4 shrink_cache] dirty buffers are noted at the first visit and written at the second; then the page goes', () => {
    const s = new Space_2_4();
    const { machine } = s;
    const file = s.file('disk', 0);
    filemapWrite(machine, file, 0, PAGE_SIZE, null);
    const pfn = s.inactive()[0]!;
    expect(machine.frames.has(pfn, PG_private)).toBe(true);
    expect(s.shrink().steps).toEqual([[pfn, 6]]);
    expect(machine.frames.has(pfn, PG_writeback)).toBe(false);
    expect(s.shrink().steps).toEqual([[pfn, 6]]);
    expect(machine.frames.has(pfn, PG_writeback)).toBe(true);
    machine.advance(1e9);
    expect(s.shrink().steps).toEqual([[pfn, 9]]);
    expect(machine.verify()).toEqual([]);
  });

  test('[2.4 shrink_cache] a page of tmpfs goes to the swap cache at one visit, to the disk at the next, and then away', () => {
    const s = new Space_2_4({ swap: 'disk' });
    const { machine } = s;
    const file = s.file('tmpfs', 1);
    s.map(0, 1, MAP_SHARED, undefined, file);
    s.store(0);
    const pfn = s.pfn(0);
    age(s, 0, 1);
    s.swapOut();
    expect([s.count(pfn), s.pfn(0)]).toEqual([1, NO_PFN]);
    expect(s.shrink().steps).toEqual([[pfn, 5]]);
    expect(machine.frames.has(pfn, PG_swapcache) && machine.frames.has(pfn, PG_dirty)).toBe(true);
    expect([file.mapping.nrpages, file.inode.shmemSwapped, machine.frames.has(pfn, PG_writeback)]).toEqual([
      0,
      1,
      false,
    ]);
    expect(s.shrink().steps).toEqual([[pfn, 5]]);
    expect(machine.frames.has(pfn, PG_writeback) && machine.frames.has(pfn, PG_reclaim)).toBe(true);
    machine.advance(1e9);
    expect(s.shrink().steps).toEqual([[pfn, 9]]);
    s.load(0);
    expect([file.mapping.nrpages, file.inode.shmemSwapped]).toEqual([1, 0]);
    expect(machine.verify()).toEqual([]);
  });

  test('[2.4 shrink_cache] without swap a page of tmpfs is dirty again, active and referenced', () => {
    const s = new Space_2_4();
    s.map(0, 1, MAP_SHARED, undefined, s.file('tmpfs', 1));
    s.store(0);
    const pfn = s.pfn(0);
    age(s, 0, 1);
    s.swapOut();
    expect(s.shrink().steps).toEqual([[pfn, 5]]);
    expect([s.state(pfn), s.machine.frames.has(pfn, PG_dirty)]).toEqual(['A R', true]);
  });
});

describe('[2.4 refill]', () => {
  for (const [pages, active, inactive, want] of [
    [32, 3000, 1000, 47],
    [32, 500, 1000, 7],
    [32, 100, 0, 1600],
  ] as const) {
    test(`[2.4 vector refill ratio] ${active} active, ${inactive} inactive, ${pages} wanted: ${want} are to move`, () => {
      expect(refillRatio(pages, active, inactive)).toBe(want);
    });
  }

  /** Ten active pages, the last four of them (at the tail) referenced. */
  function tenActive(kernel: string): Space_2_4 {
    const s = new Space_2_4({ kernel });
    s.map(0, 10);
    s.storeAll(0, 10);
    for (let i = 0; i < 10; i++) s.machine.lru.activate(s.pfn(i));
    for (let i = 0; i < 10; i++) {
      if (i < 4) s.machine.frames.set(s.pfn(i), PG_referenced);
      else s.machine.frames.clear(s.pfn(i), PG_referenced);
    }
    return s;
  }

  test('[2.4 refill] referenced pages get another round, the others move and carry PG_referenced; 2.4.19 counts those moved', () => {
    const s = tenActive('2.4.19');
    s.refill(3);
    expect(s.inactive().map((pfn) => s.state(pfn))).toEqual(['I R', 'I R', 'I R']);
    expect(s.active()).toHaveLength(7);
    expect(
      s
        .active()
        .slice(0, 4)
        .every((pfn) => !s.machine.frames.has(pfn, PG_referenced)),
    ).toBe(true);
    expect(s.inactive()).toEqual([6, 5, 4].map((i) => s.pfn(i)));
  });

  test('[2.4 refill] before, every page looked at counted', () => {
    const s = tenActive('2.4.18');
    s.refill(5);
    expect(s.inactive()).toEqual([s.pfn(4)]);
  });

  test('[2.4 refill] a walk that comes to its own moved pages takes them at the second meeting', () => {
    const s = tenActive('2.4.19');
    s.refill(100);
    expect(s.active()).toHaveLength(0);
    expect(s.inactive()).toHaveLength(10);
  });

  test('[2.4 refill] under pressure the active list settles at two thirds of the cache', () => {
    const s = new Space_2_4({ ramBytes: 8 * 2 ** 20 });
    const file = s.file('disk', 4000);
    for (let i = 0; i < 4000; i++) {
      filemapRead(s.machine, file, i * PAGE_SIZE, PAGE_SIZE, null);
      // What is read twice is active: as many pages go up as must come down.
      filemapRead(s.machine, file, i * PAGE_SIZE, PAGE_SIZE, null);
    }
    const share = s.active().length / (s.active().length + s.inactive().length);
    expect(share).toBeGreaterThan(0.55);
    expect(share).toBeLessThan(0.75);
    expect(s.machine.verify()).toEqual([]);
  });
});

describe('[2.4 kswapd/direct]', () => {
  test('[2.4 kswapd/direct] need_balance is set by who finds a zone low, and cleared when one zone is above its high mark', () => {
    const s = new Space_2_4();
    const { zone } = s;
    s.machine.reclaim.wakeupKswapd(zone, GFP_USER, 0);
    expect(zone.needBalance).toBe(true);
    expect(isBalanced(zone)).toBe(true);
    filemapRead(s.machine, s.file('disk', 64), 0, 64 * PAGE_SIZE, null);
    s.machine.advance(1e9);
    expect(zone.needBalance).toBe(false);
  });

  test('[2.4 kswapd/direct] nothing to free: need_balance is cleared, and kswapd sleeps for a second before it goes on', () => {
    const s = new Space_2_4();
    const { machine, zone } = s;
    const began: number[] = [];
    machine.trace.listen((at, name) => {
      if (name === 'mm_vmscan_kswapd_wake') began.push(at);
    });
    machine.reclaim.wakeupKswapd(zone, GFP_USER, 0);
    machine.advance(1);
    expect(zone.needBalance).toBe(false);
    machine.reclaim.wakeupKswapd(zone, GFP_USER, 0);
    expect(began).toHaveLength(1);
    machine.advance(1e9);
    expect(began).toHaveLength(2);
    expect(began[1]! - began[0]!).toBe(1e9);
  });

  test('[2.4 kswapd/direct] direct reclaim wants 32 pages, from priority 6 to 1', () => {
    const s = new Space_2_4();
    const file = s.file('disk', 400);
    filemapRead(s.machine, file, 0, 400 * PAGE_SIZE, null);
    s.machine.advance(1e9);
    const priorities: number[] = [];
    s.machine.trace.listen((_at, name, values) => {
      if (name === 'shrink_cache' && priorities.at(-1) !== values[2]) priorities.push(values[2]!);
    });
    const pages = s.active().length + s.inactive().length;
    expect(s.machine.reclaim.tryToFreePages(s.machine.nodes[0]!, 0, GFP_USER)).toBe(32);
    expect(priorities).toEqual([6]);
    expect(s.active().length + s.inactive().length).toBe(pages - 32);
    for (const pfn of s.inactive()) s.machine.frames.set(pfn, PG_locked);
    priorities.length = 0;
    expect(s.machine.reclaim.tryToFreePages(s.machine.nodes[0]!, 0, GFP_USER)).toBe(0);
    expect(priorities).toEqual([6, 5, 4, 3, 2, 1]);
    for (const pfn of s.inactive()) s.machine.frames.clear(pfn, PG_locked);
  });

  test('[2.4 kswapd/direct] more memory than there is: everything comes back as it was written', () => {
    const s = new Space_2_4({ ramBytes: 8 * 2 ** 20, swap: 'disk', swapBytes: 32 * 2 ** 20 });
    const pages = 3000;
    s.map(0, pages);
    const tokens: number[] = [];
    for (let i = 0; i < pages; i++) {
      const token = s.machine.newToken();
      tokens.push(token);
      expect(s.store(i, s.mm, token)).toBe(0);
    }
    for (let i = 0; i < pages; i++) {
      expect(s.load(i)).toBe(0);
      expect(s.machine.frames.token(s.pfn(i))).toBe(tokens[i]);
    }
    expect(s.machine.verify()).toEqual([]);
    expect(s.machine.frames.has(s.pfn(pages - 1), PG_active)).toBe(false);
    expect(s.mm.swapAddress <= ((s.mm.taskSize / PAGE_SIZE) as Vpn)).toBe(true);
  });
});
