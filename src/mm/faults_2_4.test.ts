/** What faults of 2.4 leave, and the lives of pages from fault to eviction and back. */
import { expect, test } from 'vitest';
import { Space_2_4 } from '../../test/space_2_4.ts';
import { filemapRead } from './filemap.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SWAPENTS } from './mm.ts';
import { doMunmap } from './munmap.ts';
import { PG_dirty, PG_private, PG_reclaim, PG_swapcache, PG_uptodate, PG_writeback } from './page_flags.ts';
import { PTE_DIRTY, PTE_RW, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { structPage } from './struct_page_2_4.ts';
import { swapoff } from './swap/swapfile.ts';
import { MAP_PRIVATE, MAP_SHARED } from './uapi.ts';
import { NO_PFN, PAGE_SIZE, type SwapEntry, ZERO_TOKEN } from './units.ts';
import { PGMAJFAULT } from './vmstat.ts';

/** Everything out that is inactive, until nothing changes any more. */
function evict(s: Space_2_4): void {
  for (let i = 0; i < 4; i++) {
    s.swapOut();
    s.refill(1000);
    s.swapOut();
    s.shrink(1000);
    s.machine.advance(1e9);
    s.shrink(1000);
  }
}

test('[2.4 first/second touch] a store: inactive and referenced; found young by swap_out: active; used again: active and referenced', () => {
  const s = new Space_2_4();
  s.map(0, 1);
  s.store(0);
  const pfn = s.pfn(0);
  expect(s.state(pfn)).toBe('I R');
  s.swapOut();
  expect(s.state(pfn)).toBe('A');
  s.load(0);
  s.swapOut();
  expect(s.state(pfn)).toBe('A R');
});

test('[2.4 first/second touch] read(2): referenced, active, active and referenced; a read from the middle of a page says nothing', () => {
  const s = new Space_2_4();
  const file = s.file('disk', 1);
  const read = (pos: number): void => {
    filemapRead(s.machine, file, pos, 100, null);
  };
  read(0);
  const pfn = s.inactive()[0]!;
  expect(s.state(pfn)).toBe('I R');
  read(200);
  expect(s.state(pfn)).toBe('I R');
  read(0);
  expect(s.state(pfn)).toBe('A');
  read(0);
  expect(s.state(pfn)).toBe('A R');
});

test('[2.4 first/second touch] a file fault and a swap-in mark the page once each', () => {
  const s = new Space_2_4({ swap: 'zram' });
  s.map(0, 1, MAP_SHARED, undefined, s.file('disk', 1));
  s.load(0);
  expect(s.state(s.pfn(0))).toBe('I R');
  s.map(8, 1);
  s.store(8);
  evict(s);
  expect(s.pte(8, PTE_RW)).toBe(false);
  s.load(8);
  expect(s.state(s.pfn(8))).toBe('I R');
});

test('[2.4 fault classes] reading untouched anonymous memory maps the zero page and leaves rss', () => {
  const s = new Space_2_4();
  s.map(0, 1);
  s.load(0);
  expect(s.pfn(0)).toBe(s.machine.zeroPfn);
  expect(s.pte(0, PTE_SPECIAL)).toBe(true);
  expect(s.pte(0, PTE_RW)).toBe(false);
  expect(s.mm.rssPages).toBe(0);
  expect([s.task.minFlt, s.task.majFlt]).toEqual([1, 0]);
});

test('[2.4 fault classes] file faults are major, even when the page was in memory', () => {
  const s = new Space_2_4();
  const file = s.file('disk', 4);
  filemapRead(s.machine, file, 0, 4 * PAGE_SIZE, null);
  s.map(0, 4, MAP_SHARED, undefined, file);
  s.loadAll(0, 4);
  expect([s.task.minFlt, s.task.majFlt]).toEqual([0, 4]);
  expect(s.event(PGMAJFAULT)).toBe(4);
});

test('[2.4 fault classes] a miss reads the aligned group of 2^page_cluster pages', () => {
  const s = new Space_2_4({ sysctl: { pageCluster: 3 } });
  const file = s.file('disk', 30);
  s.map(0, 30, MAP_SHARED, undefined, file);
  s.load(13);
  expect(file.mapping.nrpages).toBe(8);
  expect([...Array(30).keys()].filter((i) => file.mapping.pages.load(i) !== 0)).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
  s.load(29);
  expect(file.mapping.nrpages).toBe(14);
});

test('[2.4 fault classes] a store to a private mapping copies at once, one to a shared mapping takes the page', () => {
  const s = new Space_2_4();
  const file = s.file('disk', 2);
  s.map(0, 1, MAP_PRIVATE, undefined, file);
  s.map(8, 1, MAP_SHARED, undefined, file, 1);
  s.store(0);
  s.store(8);
  expect(s.mm.rss[MM_ANONPAGES]).toBe(1);
  expect(s.mm.rss[MM_FILEPAGES]).toBe(1);
  expect(s.machine.frames.isAnon(s.pfn(0))).toBe(true);
  expect(s.state(s.pfn(0))).toBe('I');
  expect(s.pte(8, PTE_RW)).toBe(true);
  // Only the entry knows: the page is dirty when somebody takes the entry away.
  expect(s.machine.frames.has(s.pfn(8), PG_dirty)).toBe(false);
  const pfn = s.pfn(8);
  doMunmap(s.machine, s.mm, s.vpn(8) * PAGE_SIZE, PAGE_SIZE);
  expect(s.machine.frames.has(pfn, PG_dirty)).toBe(true);
});

test('[2.4 fault classes] shared writable memory is writable after a load, with no fault for the first store', () => {
  const s = new Space_2_4();
  s.map(0, 1, MAP_SHARED, undefined, s.file('disk', 1));
  s.load(0);
  expect(s.pte(0, PTE_RW)).toBe(true);
  expect(s.pte(0, PTE_DIRTY)).toBe(false);
  const faults = s.task.minFlt + s.task.majFlt;
  s.store(0);
  expect(s.task.minFlt + s.task.majFlt).toBe(faults);
});

test('[2.4 fault classes] beyond the end of the file, rounded up, is SIGBUS', () => {
  const s = new Space_2_4();
  s.map(0, 3, MAP_SHARED, undefined, s.file('disk', 2));
  expect(s.load(1)).toBe(0);
  expect(s.load(2)).not.toBe(0);
});

test('[2.4 fault classes] copy-on-write: reuse keeps the frame, a copy takes another and leaves the count at one', () => {
  const s = new Space_2_4();
  s.map(0, 1);
  s.store(0);
  const old = s.pfn(0);
  const child = s.fork();
  expect(s.count(old)).toBe(2);
  s.store(0, child.mm!);
  expect(s.pfn(0, child.mm!)).not.toBe(old);
  expect(s.count(old)).toBe(1);
  s.store(0);
  expect(s.pfn(0)).toBe(old);
});

test('[2.4 story Anonymous page, swapped out and in]', () => {
  const s = new Space_2_4({ swap: 'disk' });
  const { machine } = s;
  const { frames } = machine;
  s.map(0, 1);
  // 1 write fault
  s.store(0);
  const pfn = s.pfn(0);
  const token = frames.token(pfn);
  const row = (): [number, string] => [s.count(pfn), s.state(pfn)];
  expect(row()).toEqual([1, 'I R']);
  expect(s.pte(0, PTE_YOUNG) && s.pte(0, PTE_DIRTY) && s.pte(0, PTE_RW)).toBe(true);
  expect(s.mm.rssPages).toBe(1);
  expect(structPage(machine, pfn)).toMatchObject({ mapping: 'NULL', list: 'none', lru: 'inactive_list' });
  // 2 swap_out meets it, pte young
  s.swapOut();
  expect(row()).toEqual([1, 'A']);
  expect(s.pte(0, PTE_YOUNG)).toBe(false);
  // 3 swap_out again before it is touched: kept
  s.swapOut();
  expect(row()).toEqual([1, 'A']);
  expect(s.pfn(0)).toBe(pfn);
  // 4 refill_inactive
  s.refill(1);
  expect(row()).toEqual([1, 'I R']);
  // 5 swap_out: pte old, inactive
  s.swapOut();
  const entry = s.entry(0);
  expect(row()).toEqual([1, 'I R']);
  expect(s.sm(entry)).toBe(2);
  expect(frames.has(pfn, PG_swapcache) && frames.has(pfn, PG_dirty) && frames.has(pfn, PG_uptodate)).toBe(true);
  expect([s.mm.rssPages, s.mm.rss[MM_SWAPENTS]]).toEqual([0, 1]);
  expect(structPage(machine, pfn)).toMatchObject({ mapping: 'swapper_space', index: entry, list: 'dirty_pages' });
  // 6 shrink_cache: dirty, freeable
  expect(s.shrink().steps).toEqual([[pfn, 5]]);
  expect(frames.has(pfn, PG_dirty)).toBe(false);
  expect(frames.has(pfn, PG_writeback) && frames.has(pfn, PG_reclaim)).toBe(true);
  expect([s.count(pfn), frames.has(pfn, PG_private), s.sm(entry)]).toEqual([1, true, 2]);
  // 7 shrink_cache later: clean
  machine.advance(1e9);
  expect(s.shrink().steps).toEqual([[pfn, 9]]);
  expect([frames.refcount(pfn), s.sm(entry), s.inactive().length]).toEqual([0, 1, 0]);
  // 8 read fault
  s.load(0);
  const back = s.pfn(0);
  expect([s.count(back), frames.has(back, PG_private), s.sm(entry), s.state(back)]).toEqual([2, true, 1, 'I R']);
  expect(s.pte(0, PTE_RW)).toBe(false);
  expect(frames.token(back)).toBe(token);
  expect(s.task.majFlt).toBe(1);
  // 9 write fault
  s.store(0);
  expect([s.pfn(0), s.count(back), s.sm(entry)]).toEqual([back, 2, 1]);
  expect(s.pte(0, PTE_RW) && s.pte(0, PTE_DIRTY)).toBe(true);
  expect(machine.verify()).toEqual([]);
});

test('[2.4 story Anonymous page, swapped out and in] a store at step 8 goes to the state of step 9', () => {
  const s = new Space_2_4({ swap: 'disk' });
  s.map(0, 1);
  s.store(0);
  evict(s);
  const entry = s.entry(0);
  s.store(0);
  const pfn = s.pfn(0);
  expect([s.count(pfn), s.sm(entry)]).toEqual([2, 1]);
  expect(s.pte(0, PTE_RW) && s.pte(0, PTE_DIRTY)).toBe(true);
  expect(s.task.majFlt).toBe(1);
});

test('[2.4 story Anonymous page, swapped out and in] shared after fork: read back by both, the store copies while the slot has two users', () => {
  const s = new Space_2_4({ swap: 'zram' });
  s.map(0, 1);
  s.store(0);
  const child = s.fork();
  evict(s);
  const entry = s.entry(0);
  expect(s.sm(entry)).toBe(2);
  s.store(0);
  // The child's entry still needs the slot: the page is not ours alone.
  expect(s.machine.frames.has(s.pfn(0), PG_swapcache)).toBe(false);
  expect(s.sm(entry)).toBe(2);
  s.load(0, child.mm!);
  expect(s.sm(entry)).toBe(1);
  expect(s.machine.verify()).toEqual([]);
});

test('[2.4 story Clean file page] read() twice, then evicted', () => {
  const s = new Space_2_4();
  const { frames } = s.machine;
  const file = s.file('disk', 1);
  filemapRead(s.machine, file, 0, 4096, null);
  const pfn = s.inactive()[0]!;
  // added to the cache, first read
  expect([s.count(pfn), s.state(pfn)]).toEqual([1, 'I R']);
  // second read
  filemapRead(s.machine, file, 0, 4096, null);
  expect([s.count(pfn), s.state(pfn)]).toEqual([1, 'A']);
  s.refill(1);
  expect([s.count(pfn), s.state(pfn)]).toEqual([1, 'I R']);
  // R does not keep it.
  expect(s.shrink().steps).toEqual([[pfn, 9]]);
  expect([frames.refcount(pfn), file.mapping.nrpages]).toEqual([0, 0]);
});

test('[2.4 story Mapped file page]', () => {
  const s = new Space_2_4();
  const file = s.file('disk', 1);
  s.map(0, 1, MAP_SHARED, undefined, file);
  s.load(0);
  const pfn = s.pfn(0);
  expect([s.count(pfn), s.state(pfn)]).toEqual([2, 'I R']);
  // Counts against max_mapped, which is 0 of one page: swap_out is called, meets a young entry, and activates the page.
  expect(s.shrink().steps).toEqual([[pfn, 3]]);
  expect([s.count(pfn), s.state(pfn)]).toEqual([2, 'A']);
  s.refill(1);
  s.swapOut();
  expect([s.count(pfn), s.pfn(0)]).toEqual([1, NO_PFN]);
  expect(s.shrink().steps).toEqual([[pfn, 9]]);
  expect(file.mapping.nrpages).toBe(0);
});

test('[2.4 story fork]', () => {
  const s = new Space_2_4();
  s.map(0, 1);
  s.store(0);
  const pfn = s.pfn(0);
  expect(s.count(pfn)).toBe(1);
  const child = s.fork();
  const mm = child.mm!;
  expect(s.count(pfn)).toBe(2);
  expect(s.pte(0, PTE_RW) || s.pte(0, PTE_RW, mm)).toBe(false);
  // Child writes.
  s.store(0, mm);
  const copy = s.pfn(0, mm);
  expect([s.count(pfn), s.count(copy), s.state(copy)]).toEqual([1, 1, 'I']);
  // Parent writes afterwards: reuse.
  s.store(0);
  expect([s.pfn(0), s.count(pfn)]).toEqual([pfn, 1]);
});

test('[2.4 story ZERO_PAGE]', () => {
  const s = new Space_2_4();
  s.map(0, 1);
  const zero = s.machine.zeroPfn;
  const before = s.machine.frames.refcount(zero);
  s.load(0);
  expect([s.pfn(0), s.machine.frames.refcount(zero), s.mm.rssPages]).toEqual([zero, before, 0]);
  s.store(0, s.mm, 77 as never);
  const pfn = s.pfn(0);
  expect([s.machine.frames.token(pfn), s.mm.rssPages, s.count(pfn)]).toEqual([77, 1, 1]);
  s.map(8, 1);
  s.load(8);
  expect(s.machine.frames.token(s.pfn(8))).toBe(ZERO_TOKEN);
});

test('vm_swap_full: a page that comes back gives up its slot, and is dirty', () => {
  const s = new Space_2_4({ swap: 'zram', swapBytes: 5 * 4096 });
  s.map(0, 3);
  s.storeAll(0, 3);
  evict(s);
  const entry: SwapEntry = s.entry(0);
  s.load(0);
  expect(s.sm(entry)).toBe(0);
  expect(s.machine.frames.has(s.pfn(0), PG_dirty)).toBe(true);
  expect(s.machine.frames.has(s.pfn(0), PG_swapcache)).toBe(false);
  expect(s.machine.verify()).toEqual([]);
  expect(swapoff(s.machine, 0)).toBe(0);
});
