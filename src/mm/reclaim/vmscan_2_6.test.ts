/** Two lists in each zone: what is scanned, and the verdict on each page, in 2.6. */
import { describe, expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { newInode, openInode, putFile } from '../file.ts';
import { filemapRead } from '../filemap.ts';
import { __GFP_FS, GFP_KERNEL, GFP_NOFS } from '../gfp.ts';
import { Machine } from '../machine.ts';
import { doMunmap } from '../munmap.ts';
import { allocPages } from '../page_alloc.ts';
import {
  PG_active,
  PG_dirty,
  PG_locked,
  PG_lru,
  PG_reclaim,
  PG_referenced,
  PG_swapcache,
  PG_writeback,
} from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { SWAP_AGAIN } from '../rmap/swap_verdict.ts';
import { state_2_6 } from '../state_2_6.ts';
import { swapCount, swapon } from '../swap/swapfile.ts';
import { MAP_PRIVATE, MAP_SHARED } from '../uapi.ts';
import { NO_PFN, type Pfn, type SwapEntry } from '../units.ts';
import { VM_LOCKED } from '../vm_flags.ts';
import { ALLOCSTALL, NR_VMSCAN_WRITE, PGACTIVATE, PGROTATED, SLABS_SCANNED } from '../vmstat.ts';
import { type Zone_2_6, zone_2_6 } from '../zone_2_6.ts';
import { LRU_ACTIVE, LRU_INACTIVE } from './lru_2_6.ts';
import { ScanControl_2_6 } from './scan_control_2_6.ts';
import { shrinkPageList_2_6 } from './shrink_page_list_2_6.ts';
import { Shrinker_2_6, type ShrinkerOps_2_6, shrinkSlab_2_6 } from './shrink_slab_2_6.ts';
import { RECLAIM_ZONE, swapTendency, type Vmscan_2_6, vmscan_2_6 } from './vmscan_2_6.ts';

const MIB: number = 2 ** 20;

/** A machine of 16 MiB (one zone), a process, swap on a disk. */
class World extends Space {
  constructor(kernel = '2.6.24', swap = true) {
    super({ kernel, ramBytes: 16 * MIB, ...(swap ? { swap: 'disk' } : {}) });
  }
  get at(): Zone_2_6 {
    return zone_2_6(this.machine, this.machine.zones[0]!);
  }
  get scan(): Vmscan_2_6 {
    return vmscan_2_6(this.machine);
  }
  on(list: number): Pfn[] {
    const { frames, rootMemcg } = this.machine;
    const found: Pfn[] = [];
    for (let p = frames.listFirst(rootMemcg.lruvecs[0]!.lists[list]!); p !== NO_PFN; p = frames.listNext(p))
      found.push(p);
    return found;
  }
  control(gfp = GFP_KERNEL): ScanControl_2_6 {
    const sc = new ScanControl_2_6(this.machine.frames);
    sc.start(gfp, 0, 60, true, false);
    return sc;
  }
  age(...pages: number[]): void {
    for (const page of pages) this.machine.pageTables.testAndClear(this.slot(page), PTE_YOUNG);
  }
  /** Deactivates everything on the active list, whatever the tendency. */
  deactivate(): void {
    this.machine.lru.drain();
    const sc = this.control();
    this.at.pagesScanned = 1e9;
    this.scan.shrinkActiveList(sc, this.at, 1000, 12);
    this.at.pagesScanned = 0;
  }
  /** The verdict on one page: step and outcome (0 freed, 1 activated, 2 kept). It goes back afterwards, unless it is freed. */
  verdict(pfn: Pfn, sc = this.control(), sync = false): [number, number] {
    const { machine } = this;
    machine.lru.drain();
    expect(machine.lru.isolate(pfn)).toBe(true);
    machine.frames.clear(pfn, PG_active);
    machine.frames.listAdd(pfn, sc.isolated);
    let told: [number, number] = [0, 0];
    const end = machine.trace.listen((_, name, values) => {
      if (name === 'shrink_page_list') told = [values[1]!, values[2]!];
    });
    shrinkPageList_2_6(machine, sc, sync);
    end();
    const left = machine.frames.listFirst(sc.isolated);
    if (left !== NO_PFN) {
      machine.frames.listDel(left);
      machine.lru.putback(left);
      machine.lru.drain();
    }
    return told;
  }
}

describe('[2.6 active first]', () => {
  test('[2.6 active first] new anonymous pages are active, file pages inactive, pages from swap active', () => {
    const w = new World();
    w.map(0, 1);
    w.store(0);
    const file = w.file('disk', 1);
    w.map(16, 1, MAP_SHARED, undefined, file);
    w.load(16);
    w.machine.lru.drain();
    expect(w.on(LRU_ACTIVE)).toContain(w.pfn(0));
    expect(w.on(LRU_INACTIVE)).toContain(w.pfn(16));
    const old = w.pfn(0);
    w.age(0);
    w.deactivate();
    w.verdict(old);
    w.machine.advance(1e9);
    expect(w.verdict(old)).toEqual([11, 0]);
    w.load(0);
    w.machine.lru.drain();
    expect(w.on(LRU_ACTIVE)).toContain(w.pfn(0));
    expect(w.machine.verify()).toEqual([]);
  });

  test('[2.6 active first] a page waits in a pagevec until 14 are there', () => {
    const w = new World();
    w.machine.lru.drain();
    w.map(0, 20);
    for (let page = 0; page < 13; page++) w.store(page);
    expect(w.machine.frames.has(w.pfn(0), PG_lru)).toBe(false);
    expect(w.machine.frames.refcount(w.pfn(0))).toBe(2);
    w.store(13);
    expect(w.machine.frames.has(w.pfn(0), PG_lru | PG_active)).toBe(true);
    expect(w.machine.frames.refcount(w.pfn(0))).toBe(1);
  });

  test('the second use of an inactive page activates it; in a pagevec it cannot be', () => {
    const w = new World();
    const file = w.file('disk', 1);
    w.map(0, 1, MAP_SHARED, undefined, file);
    w.load(0);
    const pfn = w.pfn(0);
    const { frames, lru } = w.machine;
    frames.clear(pfn, PG_referenced);
    lru.markAccessed(pfn);
    lru.markAccessed(pfn);
    expect(frames.has(pfn, PG_active)).toBe(false);
    lru.drain();
    const before = w.machine.events[PGACTIVATE]!;
    lru.markAccessed(pfn);
    expect([frames.has(pfn, PG_active), frames.has(pfn, PG_referenced)]).toEqual([true, false]);
    expect(w.machine.events[PGACTIVATE]).toBe(before + 1);
  });
});

describe('[2.6 swap_tendency]', () => {
  const total = 65536;
  for (const { why, mapped, priority, active, inactive, want } of [
    {
      why: 'priority 12: mapped pages are spared',
      mapped: 39321,
      priority: 12,
      active: 0,
      inactive: 0,
      want: [59, 0, 89],
    },
    { why: 'priority 4', mapped: 39321, priority: 4, active: 0, inactive: 0, want: [59, 6, 95] },
    { why: 'priority 3: they are not', mapped: 39321, priority: 3, active: 0, inactive: 0, want: [59, 12, 101] },
    { why: 'most memory is mapped', mapped: 52429, priority: 12, active: 0, inactive: 0, want: [80, 0, 100] },
    { why: 'six times as many active', mapped: 39321, priority: 12, active: 6000, inactive: 999, want: [59, 0, 90] },
  ]) {
    test(`[2.6 swap_tendency] ${why}`, () => {
      const tendency = swapTendency(mapped, total, priority, 60, active, inactive);
      expect([tendency.mappedRatio, tendency.distress, tendency.total]).toEqual(want);
      expect(tendency.reclaimMapped).toBe(want[2]! >= 100);
    });
  }
  test("[2.6 swap_tendency] imbalance is divided in the kernel's order: 6 * 61 / 100 = 3, 3 * 59 / 100 = 1", () => {
    expect(swapTendency(39321, total, 12, 60, 6000, 999).imbalance).toBe(1);
  });
});

describe('[2.6 swap tendency]', () => {
  /** A quarter of memory is anonymous and old. */
  function aged(): World {
    const w = new World();
    w.map(0, 1100);
    w.storeAll(0, 1100);
    w.machine.lru.drain();
    w.age(...Array.from({ length: 1100 }, (_, page) => page));
    return w;
  }

  test('[2.6 swap tendency] its parts are told; below 100 a mapped page keeps its place, unlooked at', () => {
    const w = aged();
    const tail = w.on(LRU_ACTIVE).at(-1)!;
    w.machine.pageTables.set(w.slot(0), PTE_YOUNG);
    w.scan.shrinkActiveList(w.control(), w.at, 32, 12);
    expect(w.scan.tendency).toMatchObject({
      mappedRatio: 26,
      distress: 0,
      swappiness: 60,
      imbalance: 174,
      reclaimMapped: true,
    });
    w.machine.sysctl.swappiness = 0;
    const sc = w.control();
    sc.start(GFP_KERNEL, 0, 0, true, false);
    const inactive = w.on(LRU_INACTIVE).length;
    w.scan.shrinkActiveList(sc, w.at, 32, 12);
    expect(w.scan.tendency!.reclaimMapped).toBe(false);
    expect(w.on(LRU_INACTIVE).length).toBe(inactive);
    expect(tail).toBe(w.pfn(0));
  });

  test('[2.6 swap tendency] from 100 on an old mapped page becomes inactive, a young one does not', () => {
    const w = aged();
    w.machine.pageTables.set(w.slot(0), PTE_YOUNG);
    const [young, old] = [w.pfn(0), w.pfn(1)];
    w.at.prevPriority = 0;
    w.scan.shrinkActiveList(w.control(), w.at, 32, 12);
    expect(w.scan.tendency!.total).toBeGreaterThanOrEqual(100);
    expect(w.on(LRU_INACTIVE)).toContain(old);
    expect(w.on(LRU_ACTIVE)[0]).toBe(young);
    expect(w.pte(0, PTE_YOUNG)).toBe(false);
  });

  test('[2.6 swap tendency] unmapped pages are deactivated, used or not, and keep their referenced bit', () => {
    const w = new World();
    const file = w.file('disk', 4);
    w.map(0, 4, MAP_SHARED, undefined, file);
    w.loadAll(0, 4);
    const pfn = w.pfn(2);
    w.machine.lru.drain();
    w.machine.lru.activate(pfn);
    doMunmap(w.machine, w.mm, w.vpn(0) * 4096, 4 * 4096);
    w.machine.frames.set(pfn, PG_referenced);
    const sc = w.control();
    sc.maySwap = false;
    w.scan.shrinkActiveList(sc, w.at, 32, 12);
    expect(w.on(LRU_INACTIVE)).toContain(pfn);
    expect(w.machine.frames.has(pfn, PG_referenced)).toBe(true);
    w.machine.lru.markAccessed(pfn);
    expect(w.machine.frames.has(pfn, PG_active)).toBe(true);
  });

  test('[2.6 swap tendency] a zone scanned three times over takes mapped pages whatever the numbers say', () => {
    const w = aged();
    const sc = w.control();
    sc.start(GFP_KERNEL, 0, 0, true, false);
    w.at.pagesScanned = 3 * (w.on(LRU_ACTIVE).length + w.on(LRU_INACTIVE).length);
    w.scan.shrinkActiveList(sc, w.at, 32, 12);
    expect(w.on(LRU_INACTIVE).length).toBe(32);
  });

  test('[2.6 swap tendency] without swap anonymous pages stay', () => {
    const w = new World('2.6.24', false);
    w.map(0, 100);
    w.storeAll(0, 100);
    w.deactivate();
    expect(w.on(LRU_INACTIVE)).toEqual([]);
  });
});

describe('[2.6 scan rate]', () => {
  function zoneWith(inactive: number): World {
    const w = new World();
    w.machine.zones[0]!.lruPages[LRU_INACTIVE] = inactive;
    return w;
  }
  test('[2.6 scan rate] 10000 inactive pages at priority 12: 3 a call, scanned at the 11th', () => {
    const w = zoneWith(10000);
    for (let call = 1; call <= 10; call++) {
      w.scan.shrinkZone(w.control(), w.at, 12);
      expect(w.at.nrScanInactive).toBe(3 * call);
    }
    w.machine.rootMemcg.lruvecs[0]!.stat[0] = 0;
    w.scan.shrinkZone(w.control(), w.at, 12);
    expect(w.at.nrScanInactive).toBe(0);
  });
  test('[2.6 scan rate] at priority 8: 40 at once, in chunks of 32 and 8', () => {
    const w = zoneWith(10000);
    const chunks: number[] = [];
    w.machine.trace.listen((_, name, values) => {
      if (name === 'mm_vmscan_lru_isolate' && values[5] === LRU_INACTIVE) chunks.push(values[1]!);
    });
    w.scan.shrinkZone(w.control(), w.at, 8);
    // Each chunk asks for a cluster; the lists are empty, so one look ends it.
    expect(chunks.length).toBe(2);
    expect(w.at.nrScanInactive).toBe(0);
  });
});

describe('[2.6 shrink_page_list]', () => {
  function anon(): { w: World; pfn: Pfn } {
    const w = new World();
    w.map(0, 1);
    w.store(0);
    w.age(0);
    return { w, pfn: w.pfn(0) };
  }
  function ofFile(kind: 'disk' | 'tmpfs' = 'disk'): { w: World; pfn: Pfn } {
    const w = new World();
    w.map(0, 1, MAP_SHARED, undefined, w.file(kind, 1));
    w.load(0);
    w.age(0);
    w.machine.lru.drain();
    w.machine.frames.clear(w.pfn(0), PG_referenced);
    return { w, pfn: w.pfn(0) };
  }
  test('[2.6 shrink_page_list] step 1: locked, kept', () => {
    const { w, pfn } = ofFile();
    w.machine.frames.set(pfn, PG_locked);
    expect(w.verdict(pfn)).toEqual([1, 2]);
  });
  test('[2.6 shrink_page_list] step 3: mapped, and nothing may be swapped: kept', () => {
    const { w, pfn } = anon();
    const sc = w.control();
    sc.maySwap = false;
    expect(w.verdict(pfn, sc)).toEqual([3, 2]);
    expect(sc.nrScanned).toBe(1);
  });
  test('[2.6 shrink_page_list] step 5: under writeback, kept; for a large block it is waited for', () => {
    const { w, pfn } = anon();
    expect(w.verdict(pfn)).toEqual([9, 2]);
    expect(w.machine.frames.has(pfn, PG_writeback)).toBe(true);
    expect(w.verdict(pfn)).toEqual([5, 2]);
    const sc = w.control();
    sc.order = 4;
    expect(w.verdict(pfn, sc, true)).toEqual([11, 0]);
  });
  test('[2.6 shrink_page_list] step 6: used and mapped, activated', () => {
    const { w, pfn } = ofFile();
    w.machine.pageTables.set(w.slot(0), PTE_YOUNG);
    expect(w.verdict(pfn)).toEqual([6, 1]);
    expect(w.machine.frames.has(pfn, PG_active)).toBe(true);
  });
  test('[2.6 shrink_page_list] step 6: a page that is only read has no second round', () => {
    const { w, pfn } = ofFile();
    w.machine.rmap.tryToUnmap(pfn);
    w.machine.frames.set(pfn, PG_referenced);
    // Its file is still mapped: that is enough to be in use.
    expect(w.verdict(pfn)).toEqual([6, 1]);
    w.deactivate();
    doMunmap(w.machine, w.mm, w.vpn(0) * 4096, 4096);
    w.machine.frames.set(pfn, PG_referenced);
    expect(w.verdict(pfn)).toEqual([11, 0]);
  });
  test('[2.6 shrink_page_list] step 7: no slot, activated', () => {
    const w = new World('2.6.24', false);
    w.map(0, 1);
    w.store(0);
    w.age(0);
    expect(w.verdict(w.pfn(0))).toEqual([7, 1]);
  });
  test('[2.6 shrink_page_list] step 8: a locked page cannot be unmapped, activated', () => {
    const w = new World();
    w.map(0, 1);
    w.store(0);
    w.age(0);
    w.vma(0).vmFlags |= VM_LOCKED;
    expect(w.verdict(w.pfn(0))).toEqual([8, 1]);
    w.vma(0).vmFlags &= ~VM_LOCKED;
  });
  test('[2.6 shrink_page_list] step 8: some entries are left for the next try (SWAP_AGAIN), kept', () => {
    const { w, pfn } = ofFile();
    Object.assign(w.machine.rmap, { tryToUnmap: () => false, unmapResult: SWAP_AGAIN });
    expect(w.verdict(pfn)).toEqual([8, 2]);
  });
  test('[2.6 shrink_page_list] 2.6.26: a locked page counts as used, step 6', () => {
    const w = new World('2.6.26');
    w.map(0, 1);
    w.store(0);
    w.age(0);
    w.vma(0).vmFlags |= VM_LOCKED;
    expect(w.verdict(w.pfn(0))).toEqual([6, 1]);
    w.vma(0).vmFlags &= ~VM_LOCKED;
  });
  test('[2.6 swap token] a page of the holder, which waits in a fault, is used: step 6', () => {
    const w = new World();
    w.map(0, 1);
    w.store(0);
    w.age(0);
    const { swapToken } = state_2_6(w.machine);
    swapToken.grab(w.mm);
    swapToken.interrupted = w.mm;
    w.machine.current = w.machine.idle;
    expect(w.verdict(w.pfn(0))).toEqual([6, 1]);
    swapToken.disable();
    expect(w.verdict(w.pfn(0))).toEqual([9, 2]);
  });
  test('[2.6 shrink_page_list] step 9: dirty, and no file system may be entered: kept', () => {
    const { w, pfn } = anon();
    const sc = w.control(GFP_NOFS);
    expect(sc.gfp & __GFP_FS).toBe(0);
    expect(w.verdict(pfn, sc)).toEqual([9, 2]);
    // It has a slot by now, and for swap __GFP_IO is enough.
    expect(w.machine.frames.has(pfn, PG_writeback)).toBe(false);
    expect(w.verdict(pfn, w.control(GFP_NOFS))).toEqual([9, 2]);
    expect(w.machine.frames.has(pfn, PG_writeback)).toBe(true);
  });
  test('[2.6 shrink_page_list] step 9: not in laptop mode before reclaim is in trouble', () => {
    const { w, pfn } = anon();
    const sc = w.control();
    sc.mayWritepage = false;
    expect(w.verdict(pfn, sc)).toEqual([9, 2]);
    expect(w.machine.frames.has(pfn, PG_writeback)).toBe(false);
  });
  test('[2.6 shrink_page_list] step 9: tmpfs goes to the swap cache first, and is written the next time', () => {
    const w = new World();
    w.map(0, 1, MAP_SHARED, undefined, w.file('tmpfs', 1));
    w.store(0);
    w.age(0);
    w.machine.lru.drain();
    const pfn = w.pfn(0);
    w.machine.frames.clear(pfn, PG_referenced);
    expect(w.verdict(pfn)).toEqual([9, 2]);
    expect(w.machine.frames.has(pfn, PG_swapcache)).toBe(true);
    expect(w.machine.frames.has(pfn, PG_dirty)).toBe(true);
    expect(w.machine.frames.has(pfn, PG_writeback)).toBe(false);
    expect(w.verdict(pfn)).toEqual([9, 2]);
    expect(w.machine.frames.has(pfn, PG_writeback)).toBe(true);
    w.machine.advance(1e9);
    expect(w.verdict(pfn)).toEqual([11, 0]);
    expect(w.machine.verify()).toEqual([]);
  });
  test("[2.6 shrink_page_list] step 11: clean and unused, freed, to the CPU's cold list", () => {
    const w = new World();
    w.map(0, 1, MAP_SHARED, undefined, w.file('disk', 1));
    w.load(0);
    w.age(0);
    w.machine.lru.drain();
    const pfn = w.pfn(0);
    w.machine.frames.clear(pfn, PG_referenced);
    const free = w.machine.zones[0]!.freePages;
    expect(w.verdict(pfn)).toEqual([11, 0]);
    expect(w.machine.zones[0]!.freePages).toBe(free + 1);
    expect(w.machine.verify()).toEqual([]);
  });
  test('[2.6 shrink_page_list] step 11: somebody holds it, kept', () => {
    const { w, pfn } = ofFile();
    w.machine.frames.get(pfn);
    expect(w.verdict(pfn)).toEqual([11, 2]);
  });
  test('[2.6 shrink_page_list] what is mapped counts twice for the slab', () => {
    const { w, pfn } = anon();
    const sc = w.control();
    w.verdict(pfn, sc);
    expect(sc.nrScanned).toBe(2);
  });
});

describe('[2.6 pageout]', () => {
  test('[2.6 pageout] what was written for reclaim goes to the inactive tail when the write has ended', () => {
    const w = new World();
    w.map(0, 40);
    w.storeAll(0, 40);
    w.age(...Array.from({ length: 40 }, (_, page) => page));
    w.deactivate();
    const pfn = w.pfn(7);
    const written = w.machine.nodes[0]!.stat[NR_VMSCAN_WRITE]!;
    expect(w.verdict(pfn)).toEqual([9, 2]);
    expect(w.machine.nodes[0]!.stat[NR_VMSCAN_WRITE]).toBe(written + 1);
    expect(w.machine.frames.has(pfn, PG_reclaim)).toBe(true);
    expect(w.on(LRU_INACTIVE)[0]).toBe(pfn);
    const rotated = w.machine.events[PGROTATED]!;
    w.machine.advance(1e9);
    w.machine.lru.drain();
    expect(w.on(LRU_INACTIVE).at(-1)).toBe(pfn);
    expect(w.machine.events[PGROTATED]).toBe(rotated + 1);
    expect(w.machine.frames.has(pfn, PG_reclaim)).toBe(false);
  });
  test('[2.6 pageout] a disk with enough to write is left alone, but not by kswapd', () => {
    const w = new World();
    w.map(0, 1);
    w.store(0);
    w.age(0);
    w.machine.disk.writesPending = 113;
    const pfn = w.pfn(0);
    expect(w.verdict(pfn)).toEqual([9, 2]);
    expect(w.machine.frames.has(pfn, PG_writeback)).toBe(false);
    const sc = w.control();
    sc.isKswapd = true;
    expect(w.verdict(pfn, sc)).toEqual([9, 2]);
    expect(w.machine.frames.has(pfn, PG_writeback)).toBe(true);
  });
});

describe('[2.6 shrink_slab]', () => {
  /** Objects of one kind, counted one by one. */
  class Objects implements ShrinkerOps_2_6 {
    readonly name = 'test';
    readonly seeks = 2;
    readonly batches: number[] = [];
    count: number;
    constructor(count: number) {
      this.count = count;
    }
    shrink(_machine: Machine, toScan: number): number {
      if (toScan > 0) {
        this.batches.push(toScan);
        this.count -= toScan;
      }
      return this.count;
    }
  }
  test('[2.6 shrink_slab] 32 scanned, 10000 objects, 20000 pages: 31 a call, a batch of 128 in the fifth, 27 carried over', () => {
    const { machine } = new World();
    const objects = new Objects(10000);
    const shrinker = new Shrinker_2_6(objects);
    const owed: number[] = [];
    for (let call = 0; call < 5; call++) {
      shrinkSlab_2_6(machine, [shrinker], 32, GFP_KERNEL, 20000);
      owed.push(shrinker.nr);
    }
    expect(owed).toEqual([31, 62, 93, 124, 27]);
    expect(objects.batches).toEqual([128]);
    expect(machine.events[SLABS_SCANNED]).toBe(128);
  });
  test('[2.6 shrink_slab] each shrinker carries its own; no more than twice what there is', () => {
    const { machine } = new World();
    const few = new Shrinker_2_6(new Objects(40));
    const many = new Shrinker_2_6(new Objects(100000));
    const freed = shrinkSlab_2_6(machine, [few, many], 1000, GFP_KERNEL, 100);
    expect(few.nr).toBe(80);
    expect(many.nr).toBeLessThan(128);
    expect(freed % 128).toBe(0);
  });
  test('[2.6 shrink_slab] nothing scanned counts as 32', () => {
    const { machine } = new World();
    const shrinker = new Shrinker_2_6(new Objects(10000));
    shrinkSlab_2_6(machine, [shrinker], 0, GFP_KERNEL, 20000);
    expect(shrinker.nr).toBe(31);
  });
  test('[2.6 shrink_slab] dentries are counted in hundreds, and wait while no file system may be entered', () => {
    const { machine, scan } = new World();
    for (let i = 0; i < 450; i++) {
      const dentry = machine.vfs.create(machine, 'dentry', machine.rootMemcg, GFP_KERNEL, null, null)!;
      machine.vfs.put(dentry);
    }
    expect(machine.vfs.unusedDentries()).toBe(450);
    const [dentries] = scan.shrinkers;
    expect(dentries!.ops.shrink(machine, 0, GFP_KERNEL)).toBe(400);
    shrinkSlab_2_6(machine, scan.shrinkers, 1000, GFP_NOFS, 1000);
    expect([machine.vfs.unusedDentries(), dentries!.nr >= 128]).toEqual([450, true]);
    shrinkSlab_2_6(machine, scan.shrinkers, 32, GFP_KERNEL, 1000);
    expect(machine.vfs.unusedDentries()).toBeLessThan(450);
  });
});

test('an unused inode goes with the clean pages of its file', () => {
  const w = new World();
  const { machine, scan } = w;
  for (let i = 0; i < 130; i++) {
    const file = openInode(machine, newInode(machine, `/f${i}`, 'disk', 4096), true, false, false);
    filemapRead(machine, file, 0, 4096, null);
    putFile(machine, file);
  }
  machine.current = machine.idle;
  for (let round = 0; round < 3; round++) for (const { ops } of scan.shrinkers) ops.shrink(machine, 128, GFP_KERNEL);
  expect(scan.icache.pginodesteal).toBeGreaterThan(50);
  expect(machine.verify()).toEqual([]);
});

describe('[2.6 story Anonymous page]', () => {
  test('[2.6 story Anonymous page] where it stands, from its first store until it comes back', () => {
    const w = new World();
    const { machine } = w;
    const { frames } = machine;
    w.map(0, 60);
    w.storeAll(0, 60);
    const pfn = w.pfn(0);
    // 1: c 1 (and 1 in the pagevec), active after the drain.
    machine.lru.drain();
    expect([frames.refcount(pfn), frames.mapcount(pfn), frames.mapping(pfn) & 1]).toEqual([1, 1, 1]);
    expect(w.on(LRU_ACTIVE)).toContain(pfn);
    const shrink = (pages: number, swappiness: number): void => {
      const sc = w.control();
      sc.start(GFP_KERNEL, 0, swappiness, true, false);
      w.scan.shrinkActiveList(sc, w.at, pages, 12);
    };
    // 2: reclaim_mapped 0: to the active head, and nobody looks whether it is young.
    shrink(60, 0);
    expect(w.scan.tendency!.reclaimMapped).toBe(false);
    expect([w.on(LRU_ACTIVE).includes(pfn), w.pte(0, PTE_YOUNG)]).toEqual([true, true]);
    // 3: reclaim_mapped 1, young: the bit goes, the page stays.
    shrink(60, 100);
    expect([w.on(LRU_ACTIVE).includes(pfn), w.pte(0, PTE_YOUNG)]).toEqual([true, false]);
    // 4: old.
    shrink(60, 100);
    expect(w.on(LRU_INACTIVE)).toContain(pfn);
    // 5 to 7: a slot, unmapped, written; c 1, m -1, sm 2 (cache and entry), at the inactive head.
    expect(w.verdict(pfn)).toEqual([9, 2]);
    const entry = frames.private_(pfn) as SwapEntry;
    expect([frames.refcount(pfn), frames.mapcount(pfn), swapCount(machine, entry)]).toEqual([1, 0, 1]);
    expect(frames.has(pfn, PG_writeback) && frames.has(pfn, PG_reclaim) && !frames.has(pfn, PG_dirty)).toBe(true);
    expect(w.on(LRU_INACTIVE)[0]).toBe(pfn);
    // 8: the write ends: to the inactive tail.
    machine.advance(1e9);
    machine.lru.drain();
    expect(w.on(LRU_INACTIVE).at(-1)).toBe(pfn);
    // 9: freed; the entry keeps the slot.
    expect(w.verdict(pfn)).toEqual([11, 0]);
    expect([frames.refcount(pfn), swapCount(machine, entry)]).toEqual([0, 1]);
    // 10: a fault brings it to a new frame, which is active; the cache still has the slot.
    w.load(0);
    machine.lru.drain();
    const back = w.pfn(0);
    expect([frames.refcount(back), frames.mapcount(back), frames.has(back, PG_swapcache)]).toEqual([2, 1, true]);
    expect(w.on(LRU_ACTIVE)).toContain(back);
    // 11: a store finds itself alone: no copy.
    w.store(0);
    expect([w.pfn(0), frames.refcount(back)]).toEqual([back, 2]);
    expect(machine.verify()).toEqual([]);
  });
});

describe('kswapd and direct reclaim', () => {
  test('a program that is faster than kswapd reclaims itself while kswapd naps', () => {
    const w = new World();
    w.map(0, 6000, MAP_PRIVATE, undefined, w.file('disk', 6000));
    for (let page = 0; page < 6000; page += 2) w.load(page);
    expect(w.machine.events[ALLOCSTALL]).toBeGreaterThan(0);
    w.machine.advance(10e9);
    expect(w.machine.nodes[0]!.kswapdAwake).toBe(false);
    expect(w.machine.verify()).toEqual([]);
  });

  test.each(['2.6.24', '2.6.26'])(
    '%s: kswapd is woken at low and frees up to high, nobody reclaims himself',
    (kernel) => {
      const w = new World(kernel);
      const zone = w.machine.zones[0]!;
      const file = w.file('disk', 6000);
      w.map(0, 6000, MAP_PRIVATE, undefined, file);
      for (let page = 0; page < 6000; page += 2) {
        w.load(page);
        // kswapd naps 100 ms when it is in trouble.
        w.machine.advance(2e7);
      }
      expect(w.machine.events[ALLOCSTALL]).toBe(0);
      expect(zone.freePages).toBeGreaterThan(zone.wmarkMin);
      expect(w.scan.kswapdSteal).toBeGreaterThan(0);
      expect(w.machine.verify()).toEqual([]);
    },
  );

  test('a zone that gives nothing is given up, and tried again when a page is freed there', () => {
    const w = new World('2.6.24', false);
    const zone = w.machine.zones[0]!;
    w.machine.sysctl.overcommitMemory = 1;
    w.map(0, 4000);
    let page = 0;
    while (zone.freePages > zone.wmarkLow + 2) w.store(page++);
    w.store(page++);
    w.store(page++);
    w.store(page++);
    w.machine.advance(60e9);
    expect(w.at.allUnreclaimable).toBe(true);
    w.machine.current = w.task;
    w.exit(w.task);
    w.machine.current = w.machine.idle;
    expect(w.at.allUnreclaimable).toBe(false);
    expect(w.at.pagesScanned).toBe(0);
  });

  test('2.6.24 says go on, 2.6.26 says how many pages', () => {
    for (const kernel of ['2.6.24', '2.6.26']) {
      const w = new World(kernel);
      const file = w.file('disk', 600);
      w.map(0, 600, MAP_SHARED, undefined, file);
      for (let page = 0; page < 600; page++) w.load(page);
      w.age(...Array.from({ length: 600 }, (_, page) => page));
      w.machine.lru.drain();
      for (const pfn of w.on(LRU_INACTIVE)) w.machine.frames.clear(pfn, PG_referenced);
      w.machine.current.memalloc = true;
      const told = w.machine.reclaim.tryToFreePages(w.machine.nodes[0]!, 0, GFP_KERNEL);
      w.machine.current.memalloc = false;
      if (kernel === '2.6.24') expect(told).toBe(1);
      else expect(told).toBeGreaterThanOrEqual(32);
      expect(w.at.prevPriority).toBeLessThan(12);
    }
  });

  test('for a large block the neighbours of a page are taken, too', () => {
    const w = new World();
    w.map(0, 64);
    w.storeAll(0, 64);
    w.machine.lru.drain();
    const taken: number[] = [];
    w.machine.trace.listen((_, name, values) => {
      if (name === 'mm_vmscan_lru_isolate') taken.push(values[4]!);
    });
    const sc = w.control();
    sc.order = 3;
    w.scan.shrinkActiveList(sc, w.at, 1, 12);
    expect(taken[0]).toBeGreaterThan(1);
    expect(w.machine.verify()).toEqual([]);
  });

  test('zone_reclaim takes clean cache of the near node before the far one is asked', () => {
    const machine = new Machine({
      kernel: '2.6.24',
      ramBytes: 0,
      nodes: [{ bytes: 32 * MIB }, { bytes: 32 * MIB }],
    });
    swapon(machine, { bytes: MIB, device: 'disk' });
    const zone = machine.zones[0]!;
    expect(machine.reclaim.zoneReclaim!(zone, GFP_KERNEL, 0)).toBe(false);
    vmscan_2_6(machine).zoneReclaimMode = RECLAIM_ZONE;
    // Nothing is cached: not worth it.
    expect(machine.reclaim.zoneReclaim!(zone, GFP_KERNEL, 0)).toBe(false);
    expect(allocPages(machine, GFP_KERNEL, 0)).not.toBe(NO_PFN);
  });
});
