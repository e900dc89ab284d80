import { expect, test } from 'vitest';
import { Space } from '../../../test/space.ts';
import { PG_locked, PG_readahead } from '../page_flags.ts';
import { PTE_YOUNG } from '../page_table.ts';
import { NO_PFN, type Pfn, swpEntry } from '../units.ts';
import { verify } from '../verify.ts';
import { addToSwap, deleteFromSwapCache, swapCacheGet, window } from './swap_state.ts';
import { swapon } from './swapfile.ts';

function space(config = {}): Space {
  return new Space({ kernel: '3.16', ...config });
}

/** Slots of pages that are swapped out one after the other, and out of memory. */
function evict(s: Space, pages: number): void {
  const { machine } = s;
  const { frames } = machine;
  for (let page = 0; page < pages; page++) {
    const pfn = s.pfn(page);
    machine.lru.drain();
    frames.set(pfn, PG_locked);
    expect(addToSwap(machine, pfn)).toBe(true);
    const entry = frames.private_(pfn);
    machine.swap.areas[0]!.setToken(entry, frames.token(pfn));
    machine.pageTables.clear(s.slot(page), PTE_YOUNG);
    frames.get(pfn);
    machine.rmap.tryToUnmap(pfn);
    deleteFromSwapCache(machine, pfn);
    frames.clear(pfn, PG_locked);
    if (frames.putTestzero(pfn)) {
      machine.lru.remove(pfn);
      frames.setMemcg(pfn, 0);
      s.memcg.memory.uncharge(1);
      s.memcg.memsw.uncharge(1);
      machine.physical.freePages(pfn, 0);
    }
  }
}

test('[3.x swap readahead] windows of 1, 2, 4, 8 while neighbours are hit; halved when they are not', () => {
  // A sequence of faults: hits since the last one, and whether it is beside it.
  const faults: [hits: number, beside: boolean][] = [
    [0, false],
    [0, true],
    [1, false],
    [3, false],
    [8, false],
    [0, false],
    [0, false],
    [0, false],
    [0, false],
  ];
  let last = 0;
  const windows = faults.map(([hits, beside]) => {
    last = window(100, beside ? 101 : 500, hits, 8, last);
    return last;
  });
  expect(windows).toEqual([1, 2, 4, 8, 8, 4, 2, 1, 1]);
});

test('[3.x swap readahead] the aligned block around the slot is read; the others wait for a hit, which counts', () => {
  const s = space({ swap: 'disk' });
  s.map(0, 24);
  s.storeAll(0, 24);
  evict(s, 24);
  const { swap } = s.machine;
  // The first read believes in four hits: eight slots, 1 to 7 of the first block.
  expect(swap.readaheadHits).toBe(4);
  s.load(4);
  expect(swap.readaheadPages).toBe(8);
  const cached = (slot: number): Pfn => swapCacheGet(s.machine, swpEntry(0, slot));
  expect([1, 2, 3, 4, 6, 7].every((slot) => cached(slot) !== NO_PFN)).toBe(true);
  expect(cached(8)).toBe(NO_PFN);
  s.machine.advance(1e9);
  // What was read ahead is nobody's, on the inactive list.
  expect(s.machine.frames.memcg(cached(1))).toBe(0);
  expect(s.machine.frames.has(cached(1), PG_readahead)).toBe(true);
  s.load(0);
  expect(swap.readaheadHits).toBe(1);
  expect(s.machine.frames.has(s.pfn(0), PG_readahead)).toBe(false);
  // One hit: a window of four at the next miss.
  s.load(20);
  expect(swap.readaheadPages).toBe(4);
  expect(swap.readaheadHits).toBe(0);
});

test('slots come one after the other, from clusters of 256; a solid-state area takes its free clusters in order', () => {
  for (const rotational of [true, false]) {
    const s = space();
    swapon(s.machine, { bytes: 1024 * 4096, device: 'disk', rotational });
    s.map(0, 300);
    s.storeAll(0, 300);
    const slots: number[] = [];
    s.machine.lru.drain();
    for (let page = 0; page < 300; page++) {
      const pfn = s.pfn(page);
      s.machine.frames.set(pfn, PG_locked);
      addToSwap(s.machine, pfn);
      s.machine.frames.clear(pfn, PG_locked);
      slots.push(s.machine.frames.private_(pfn));
    }
    // The header's cluster is not free, so solid state begins with the next one.
    const first = rotational ? 1 : 256;
    expect(slots).toEqual(Array.from({ length: 300 }, (_, i) => first + i));
    expect(s.machine.swap.areas[0]!.clusters.slots).toBe(256);
    expect(verify(s.machine)).toEqual([]);
  }
});
