/** Swap of 2.6: the token, readahead by groups, swapoff. */
import { describe, expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { EINTR } from '../errno.ts';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../gfp.ts';
import { Mm } from '../mm.ts';
import { putPage } from '../page_alloc.ts';
import { PG_active, PG_swapcache } from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { ScanControl_2_6 } from '../reclaim/scan_control_2_6.ts';
import { vmscan_2_6 } from '../reclaim/vmscan_2_6.ts';
import { state_2_6 } from '../state_2_6.ts';
import { type SwapEntry, swpEntry, swpOffset } from '../units.ts';
import { PSWPIN } from '../vmstat.ts';
import { zone_2_6 } from '../zone_2_6.ts';
import { canShareSwapPage, removeExclusiveSwapPage, swapGroupReadahead } from './swap_2_6.ts';
import { swapCacheGet } from './swap_state.ts';
import { SwapToken } from './swap_token.ts';
import { swapCount, swapoff } from './swapfile.ts';

const MIB: number = 2 ** 20;

class World extends Space {
  constructor(kernel = '2.6.24') {
    super({ kernel, ramBytes: 16 * MIB, swap: 'disk' });
  }
  /** Pages [0, pages) are written, and then all in swap, one slot after the other. */
  swapped(pages: number): SwapEntry[] {
    const { machine } = this;
    this.map(0, pages);
    this.storeAll(0, pages);
    this.goOut(pages);
    return Array.from({ length: pages }, (_, page) => machine.pageTables.swapEntry(this.slot(page)));
  }
  goOut(pages: number): void {
    const { machine } = this;
    for (let round = 0; round < 4; round++) {
      for (let page = 0; page < pages; page++) {
        const slot = this.slot(page);
        if (machine.pageTables.isPresent(slot)) machine.pageTables.testAndClear(slot, PTE_YOUNG);
      }
      machine.lru.drain();
      const at = zone_2_6(machine, machine.zones[0]!);
      const sc = new ScanControl_2_6(machine.frames);
      sc.start(GFP_KERNEL, 0, 100, true, true);
      at.prevPriority = 0;
      at.nrScanInactive = 4000;
      at.nrScanActive = 4000;
      machine.current.memalloc = true;
      vmscan_2_6(machine).shrinkZone(sc, at, 0);
      machine.current.memalloc = false;
      machine.advance(1e9);
    }
  }
}

describe('[2.6 swap token]', () => {
  function mm(priority: number, lastInterval = 0): Mm {
    const made = new Mm(1, null as never);
    made.tokenPriority = priority;
    made.lastInterval = lastInterval;
    return made;
  }

  test('[2.6 swap token] a holder of priority 4; another with shorter intervals rises 3, 4 (not taken), 5: takes it with 7', () => {
    const token = new SwapToken();
    const holder = mm(4);
    token.holder = holder;
    token.globalFaults = 100;
    const other = mm(3, 50);
    other.faultstamp = 91;
    token.grab(other);
    expect([token.holder, other.tokenPriority, other.lastInterval]).toEqual([holder, 4, 10]);
    token.grab(other);
    expect([token.holder, other.tokenPriority]).toEqual([other, 7]);
    expect(holder.tokenPriority).toBe(4);
  });

  test('[2.6 swap token] nobody has it: who faults takes it; the holder gains 2 each time', () => {
    const token = new SwapToken();
    const first = mm(0);
    token.grab(first);
    token.grab(first);
    expect([token.holder, first.tokenPriority]).toEqual([first, 4]);
  });

  test('[2.6 swap token] longer intervals cost a point, not below 0', () => {
    const token = new SwapToken();
    token.grab(mm(9));
    const other = mm(1);
    token.grab(other);
    expect(other.tokenPriority).toBe(0);
    token.globalFaults += 100;
    token.grab(other);
    expect(other.tokenPriority).toBe(0);
  });

  test('[2.6 swap token] it is given up at exit, and when reclaim comes to priority 0', () => {
    const w = new World();
    const { swapToken } = state_2_6(w.machine);
    const child = w.fork();
    swapToken.grab(child.mm!);
    expect(swapToken.holder).toBe(child.mm);
    w.exit(child);
    expect(swapToken.holder).toBeNull();
    swapToken.grab(w.mm);
    w.machine.current.memalloc = true;
    w.machine.reclaim.tryToFreePages(w.machine.nodes[0]!, 0, GFP_KERNEL);
    w.machine.current.memalloc = false;
    expect(swapToken.holder).toBeNull();
  });

  test('[2.6 swap token] pages of the holder count as used while it waits in a fault', () => {
    const { machine, mm: own } = new World();
    const { swapToken } = state_2_6(machine);
    swapToken.grab(own);
    expect(swapToken.protects(own, null)).toBe(false);
    swapToken.interrupted = own;
    expect(swapToken.protects(own, null)).toBe(true);
    expect([swapToken.protects(own, own), swapToken.protects(mm(0), null)]).toEqual([false, false]);
  });
});

describe('[2.6 readahead] from swap', () => {
  test('[2.6 readahead] the aligned group of 8 slots, all of it active', () => {
    const w = new World();
    const entries = w.swapped(40);
    const { machine } = w;
    const at = entries.findIndex((entry) => swpOffset(entry) === 21);
    expect(at).toBeGreaterThanOrEqual(0);
    const before = machine.events[PSWPIN]!;
    w.load(at);
    expect(machine.events[PSWPIN]! - before).toBe(8);
    for (let offset = 16; offset < 24; offset++) {
      const pfn = swapCacheGet(machine, swpEntry(0, offset));
      expect(pfn).toBeGreaterThan(0);
      expect(machine.frames.has(pfn, PG_active)).toBe(true);
    }
    expect(swapCacheGet(machine, swpEntry(0, 24))).toBe(-1);
    expect(machine.verify()).toEqual([]);
  });

  test('[2.6 readahead] the first group begins behind the header; with page_cluster 0 there is none', () => {
    const w = new World();
    w.swapped(40);
    const { machine } = w;
    const read = (offset: number): number => {
      const before = machine.events[PSWPIN]!;
      putPage(machine, swapGroupReadahead(machine, swpEntry(0, offset), GFP_HIGHUSER_MOVABLE));
      return machine.events[PSWPIN]! - before;
    };
    expect(read(5)).toBe(7);
    machine.sysctl.pageCluster = 0;
    expect(read(30)).toBe(1);
  });

  test('[2.6 readahead] a free slot ends the group; the wanted page is read all the same', () => {
    const w = new World();
    w.swapped(40);
    const { machine } = w;
    const area = machine.swap.areas[0]!;
    const usage = area.usage(18);
    area.setUsage(18, 0);
    const before = machine.events[PSWPIN]!;
    const pfn = swapGroupReadahead(machine, swpEntry(0, 21), GFP_HIGHUSER_MOVABLE);
    expect(machine.events[PSWPIN]! - before).toBe(3);
    area.setUsage(18, usage);
    putPage(machine, pfn);
  });
});

describe('pages that need their slots no more', () => {
  test('can_share_swap_page counts mappings and entries, remove_exclusive_swap_page holders', () => {
    const w = new World();
    w.swapped(4);
    const { machine } = w;
    w.load(0);
    machine.lru.drain();
    const pfn = w.pfn(0);
    if (!machine.frames.has(pfn, PG_swapcache)) return;
    expect(canShareSwapPage(machine, pfn)).toBe(true);
    machine.frames.get(pfn);
    expect(removeExclusiveSwapPage(machine, pfn)).toBe(false);
    putPage(machine, pfn);
    expect(removeExclusiveSwapPage(machine, pfn)).toBe(true);
    expect(machine.verify()).toEqual([]);
  });
});

describe('[2.6 swapoff]', () => {
  test('[2.6 swapoff] every entry of each mm comes back, on the active list', () => {
    const w = new World();
    const entries = w.swapped(20);
    const { machine } = w;
    const child = w.fork();
    expect(swapCount(machine, entries[3]!)).toBe(2);
    expect(swapoff(machine, 0)).toBe(0);
    machine.lru.drain();
    for (let page = 0; page < 20; page++) {
      expect(w.pfn(page)).toBeGreaterThan(0);
      expect(w.pfn(page, child.mm!)).toBe(w.pfn(page));
      expect(machine.frames.has(w.pfn(page), PG_active)).toBe(true);
      expect(machine.frames.has(w.pfn(page), PG_swapcache)).toBe(false);
    }
    expect(machine.verify()).toEqual([]);
  });

  test('[2.6 swapoff] a signal ends it with EINTR, and the area goes on', () => {
    const w = new World();
    w.swapped(20);
    const { machine } = w;
    machine.current = w.task;
    w.task.killed = true;
    expect(swapoff(machine, 0)).toBe(-EINTR);
    w.task.killed = false;
    expect(w.task.swapoff).toBe(false);
    expect(machine.swap.areas[0]!.writeok).toBe(true);
    expect(machine.verify()).toEqual([]);
    expect(swapoff(machine, 0)).toBe(0);
  });
});
