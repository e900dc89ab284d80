import { describe, expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { filemapRead } from './filemap.ts';
import type { File } from './fs.ts';
import { doMadvise } from './madvise.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from './mm.ts';
import { doMmap } from './mmap.ts';
import { putPage } from './page_alloc.ts';
import { PG_active, PG_dirty, PG_locked, PG_referenced, PG_swapcache } from './page_flags.ts';
import { PTE_DIRTY, PTE_RW, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { swapWritepage } from './swap/page_io.ts';
import { addToSwap, removeSwapMapping } from './swap/swap_state.ts';
import { swpSwapcount } from './swap/swapfile.ts';
import { truncateInodePagesRange } from './truncate.ts';
import { MADV_RANDOM, MADV_SEQUENTIAL, MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ } from './uapi.ts';
import { NO_PFN, type Pfn, type SwapEntry } from './units.ts';
import { verify } from './verify.ts';
import { PGMAJFAULT } from './vmstat.ts';
import { xaIsPage } from './xarray.ts';

function space(config = {}): Space {
  return new Space({ kernel: '2.6.24', swap: 'zram', ...config });
}
function cachedPages(file: File): number[] {
  const found: number[] = [];
  const { pages } = file.mapping;
  for (let at = pages.find(0, 10_000); at >= 0; at = pages.find(at + 1, 10_000))
    if (xaIsPage(pages.load(at))) found.push(at);
  return found;
}
/** To swap, and out of memory. The slot. */
function evict(s: Space, page: number, drop = true): SwapEntry {
  const { frames, lru, pageTables } = s.machine;
  lru.drain();
  const pfn = s.pfn(page);
  pageTables.clear(s.slot(page), PTE_YOUNG);
  frames.clear(pfn, PG_referenced);
  expect(lru.isolate(pfn)).toBe(true);
  frames.set(pfn, PG_locked);
  addToSwap(s.machine, pfn);
  expect(s.machine.rmap.tryToUnmap(pfn)).toBe(true);
  if (drop) {
    // zram: written when the call returns.
    frames.clear(pfn, PG_dirty);
    swapWritepage(s.machine, pfn);
    frames.set(pfn, PG_locked);
    removeSwapMapping(s.machine, pfn, 0);
    frames.clear(pfn, PG_active);
    putPage(s.machine, pfn);
  }
  frames.clear(pfn, PG_locked);
  if (drop) putPage(s.machine, pfn);
  else lru.putback(pfn);
  return s.machine.pageTables.swapEntry(s.slot(page));
}

// the order in which a page's owners learn of it

/** What happens to the page tables, the lists and the reverse map while `call` runs, in order. */
function order(s: Space, page: number, call: () => void): string[] {
  const { machine } = s;
  const { lru, rmap, pageTables } = machine;
  const seen: string[] = [];
  const rss = (): string => `rss ${s.mm.rss[MM_ANONPAGES]}`;
  const originals = [lru.addVma, rmap.addNewAnon, rmap.addFile, rmap.remove, pageTables.setPresent] as const;
  lru.addVma = (pfn, vma) => {
    seen.push('lru', rss());
    originals[0].call(lru, pfn, vma);
  };
  rmap.addNewAnon = (pfn, vma, vpn) => {
    seen.push('rmap');
    originals[1].call(rmap, pfn, vma, vpn);
  };
  rmap.addFile = (pfn, vma) => {
    seen.push('file rmap');
    originals[2].call(rmap, pfn, vma);
  };
  rmap.remove = (pfn, vma) => {
    seen.push('remove');
    originals[3].call(rmap, pfn, vma);
  };
  pageTables.setPresent = (slot, pfn, bits) => {
    if (slot === s.slot(page)) seen.push('pte');
    originals[4].call(pageTables, slot, pfn, bits);
  };
  call();
  [lru.addVma, rmap.addNewAnon, rmap.addFile, rmap.remove, pageTables.setPresent] = originals;
  return seen;
}

describe('order at a fault', () => {
  test('a new anonymous page: rss, LRU, reverse map, entry', () => {
    const s = space();
    s.map(0, 4);
    expect(order(s, 0, () => s.store(0))).toEqual(['lru', 'rss 1', 'rmap', 'pte']);
  });
  test('a private copy of a page of a file: entry, LRU, reverse map', () => {
    const s = space();
    s.map(0, 4, MAP_PRIVATE, RW, s.file('disk', 4));
    expect(order(s, 0, () => s.store(0))).toEqual(['pte', 'lru', 'rss 1', 'rmap']);
  });
  test('a page of a file: entry, reverse map', () => {
    const s = space();
    s.map(0, 4, MAP_PRIVATE, RW, s.file('disk', 4));
    expect(order(s, 0, () => s.load(0))).toEqual(['pte', 'file rmap']);
  });
  test('copy-on-write: the old page leaves the reverse map before all that', () => {
    const s = space();
    s.map(0, 4);
    s.store(0);
    s.fork();
    expect(order(s, 0, () => s.store(0))).toEqual(['remove', 'pte', 'lru', 'rss 1', 'rmap']);
  });
});

describe('anonymous memory', () => {
  test('a load makes a page of its own, and the store after it needs no fault', () => {
    const s = space();
    s.map(0, 4);
    s.load(0);
    expect([s.pte(0, PTE_SPECIAL), s.pte(0, PTE_RW), s.mm.rss[MM_ANONPAGES]]).toEqual([false, true, 1]);
    const faults = s.task.minFlt;
    s.store(0);
    expect(s.task.minFlt).toBe(faults);
  });
  test('without VM_WRITE the entry is neither writable nor dirty', () => {
    const s = space();
    s.map(0, 4, MAP_PRIVATE, PROT_READ);
    s.load(0);
    expect([s.pte(0, PTE_RW), s.pte(0, PTE_DIRTY), s.pte(0, PTE_YOUNG)]).toEqual([false, false, true]);
  });
  test('new pages are active, once the batch is drained', () => {
    const s = space();
    s.map(0, 4);
    s.store(0);
    const { frames, lru } = s.machine;
    expect([frames.refcount(s.pfn(0)), frames.has(s.pfn(0), PG_active)]).toEqual([2, false]);
    lru.drain();
    expect([frames.refcount(s.pfn(0)), frames.has(s.pfn(0), PG_active)]).toEqual([1, true]);
  });
});

describe('files', () => {
  test('a fault is major only if it read', () => {
    const s = space();
    s.map(0, 64, MAP_SHARED, RW, s.file('disk', 64));
    s.load(20);
    expect([s.task.majFlt, s.event(PGMAJFAULT)]).toEqual([1, 1]);
    // Read around: half of the window before, half behind.
    for (const page of [4, 19, 21, 35]) s.load(page);
    expect([s.task.majFlt, s.task.minFlt]).toEqual([1, 4]);
    s.load(36);
    expect(s.task.majFlt).toBe(2);
  });
  test('read-around: ra_pages pages, centred, cut at the beginning', () => {
    const s = space();
    const file = s.file('disk', 200);
    s.map(0, 200, MAP_SHARED, RW, file);
    s.load(100);
    expect(cachedPages(file)).toEqual(Array.from({ length: 32 }, (_, i) => 84 + i));
    s.load(3);
    expect(cachedPages(file).filter((at) => at < 84)).toEqual(Array.from({ length: 32 }, (_, i) => i));
    expect([file.ra.mmapMiss, file.ra.prevPos]).toEqual([2, 3 * 4096]);
  });
  test('more than a hundred misses than hits: just the page; hits bring it back', () => {
    const s = space();
    const file = s.file('disk', 200);
    s.map(0, 200, MAP_SHARED, RW, file);
    file.ra.mmapMiss = 100;
    s.load(100);
    // One miss more, and the page itself, found at the second look, is a hit.
    expect([cachedPages(file), file.ra.mmapMiss, s.task.majFlt]).toEqual([[100], 100, 1]);
  });
  test('MADV_RANDOM reads one page', () => {
    const s = space();
    const file = s.file('disk', 200);
    s.map(0, 200, MAP_SHARED, RW, file);
    doMadvise(s.machine, s.mm, PAGE * 4096, 200 * 4096, MADV_RANDOM);
    s.load(100);
    expect(cachedPages(file)).toEqual([100]);
  });
  test('MADV_SEQUENTIAL reads ahead', () => {
    const s = space();
    const file = s.file('disk', 200);
    s.map(0, 200, MAP_SHARED, RW, file);
    doMadvise(s.machine, s.mm, PAGE * 4096, 200 * 4096, MADV_SEQUENTIAL);
    for (let page = 0; page < 40; page++) s.load(page);
    expect(cachedPages(file).length).toBeGreaterThan(40);
    expect(s.task.majFlt).toBeLessThan(4);
  });
  test('behind the end of the file: SIGBUS', () => {
    const s = space();
    const file = s.file('disk', 4);
    s.map(0, 8, MAP_SHARED, RW, file);
    expect([s.load(3), s.load(4)]).toEqual([0, 7 * 256 + 2]);
    file.inode.size = 2 * 4096;
    truncateInodePagesRange(s.machine, file.mapping, 2 * 4096, Number.MAX_SAFE_INTEGER);
    expect(s.load(2)).toBe(7 * 256 + 2);
  });
  test('a shared mapping of a disk is read-only until the first store, one of tmpfs is not', () => {
    const s = space();
    s.map(0, 4, MAP_SHARED, RW, s.file('disk', 4));
    s.map(8, 4, MAP_SHARED, RW, s.file('tmpfs', 4));
    for (const page of [0, 8]) s.load(page);
    expect([s.pte(0, PTE_RW), s.pte(8, PTE_RW)]).toEqual([false, true]);
    s.store(1);
    expect([s.pte(1, PTE_RW), s.machine.frames.has(s.pfn(1), PG_dirty)]).toEqual([true, true]);
    expect([s.mm.rss[MM_FILEPAGES], s.mm.rss[MM_SHMEMPAGES]]).toEqual([2, 1]);
  });
  test('a fault marks the page accessed', () => {
    const s = space();
    const file = s.file('disk', 4);
    filemapRead(s.machine, file, 0, 4096, null);
    s.map(0, 4, MAP_SHARED, RW, file);
    s.machine.lru.drain();
    const pfn = (file.mapping.pages.load(0) - 1) as Pfn;
    s.machine.frames.set(pfn, PG_referenced);
    s.load(0);
    expect([s.machine.frames.has(pfn, PG_active), s.machine.frames.has(pfn, PG_referenced)]).toEqual([true, false]);
  });
});

describe('copy-on-write', () => {
  test('the last one writes in place', () => {
    const s = space();
    s.map(0, 4);
    s.store(0);
    const old = s.pfn(0);
    const child = s.fork();
    s.store(0, child.mm!);
    s.store(0);
    expect([s.pfn(0), s.pfn(0, child.mm!) === old]).toEqual([old, false]);
    expect(verify(s.machine)).toEqual([]);
  });
  test('a page that somebody has locked is copied, though nobody shares it', () => {
    const s = space();
    s.map(0, 4);
    s.store(0);
    const child = s.fork();
    s.exit(child);
    const old = s.pfn(0);
    // Whoever holds the lock holds a reference as well.
    s.machine.frames.get(old);
    s.machine.frames.set(old, PG_locked);
    s.store(0);
    expect(s.pfn(0)).not.toBe(old);
    s.machine.frames.clear(old, PG_locked);
    putPage(s.machine, old);
  });
  test('a page that another process has in swap is shared', () => {
    const s = space();
    s.map(0, 4);
    s.store(0);
    const child = s.fork();
    evict(s, 0, false);
    // Both have the entry now: whoever stores first gets a copy.
    s.store(0);
    const { pageTables, frames } = s.machine;
    const entry = pageTables.swapEntry(s.slot(0, child.mm!));
    expect([swpSwapcount(s.machine, entry), frames.mapcount(s.pfn(0))]).toEqual([1, 1]);
    s.store(0, child.mm!);
    expect(s.pfn(0, child.mm!)).not.toBe(s.pfn(0));
    expect(verify(s.machine)).toEqual([]);
  });
});

describe('swap-in', () => {
  test('a read is major, and leaves the slot and a read-only entry; the store after it writes in place', () => {
    const s = space();
    s.map(0, 4);
    s.storeAll(0, 4);
    const entry = evict(s, 0);
    expect([s.mm.rss[MM_ANONPAGES], s.mm.rss[MM_SWAPENTS]]).toEqual([3, 1]);
    s.load(0);
    const pfn = s.pfn(0);
    expect([s.task.majFlt, s.pte(0, PTE_RW), s.machine.frames.has(pfn, PG_swapcache)]).toEqual([1, false, true]);
    expect([swpSwapcount(s.machine, entry), s.mm.rss[MM_ANONPAGES], s.mm.rss[MM_SWAPENTS]]).toEqual([0, 4, 0]);
    s.store(0);
    expect([s.pfn(0), s.pte(0, PTE_RW)]).toEqual([pfn, true]);
    expect(verify(s.machine)).toEqual([]);
  });
  test('a store makes it writable at once', () => {
    const s = space();
    s.map(0, 4);
    s.storeAll(0, 4);
    evict(s, 0);
    const before = s.task.minFlt + s.task.majFlt;
    s.store(0);
    expect([s.pte(0, PTE_RW), s.pte(0, PTE_DIRTY), s.task.minFlt + s.task.majFlt]).toEqual([true, true, before + 1]);
  });
  test('half of swap is taken: the page gives its slot up', () => {
    const s = space({ swapBytes: 9 * 4096 });
    s.map(0, 8);
    s.storeAll(0, 8);
    for (let page = 0; page < 6; page++) evict(s, page);
    // Readahead has drained the batch: a page that waits in one is held by three.
    s.load(0);
    expect([s.machine.frames.has(s.pfn(0), PG_swapcache), s.machine.frames.has(s.pfn(0), PG_dirty)]).toEqual([
      false,
      true,
    ]);
    expect(verify(s.machine)).toEqual([]);
  });
});

describe('merging of VMAs', () => {
  const anon = (s: Space, page: number, prot = RW): void => {
    expect(
      doMmap(s.machine, s.mm, (PAGE + page) * 4096, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS | 0x10, null, 0),
    ).toBeGreaterThan(0);
  };
  test('at most one of two has an anon_vma: they merge, whoever else is on it', () => {
    const s = space();
    anon(s, 0);
    s.store(0);
    s.fork();
    anon(s, 1);
    expect([s.mm.mapCount, s.vma(0).pages]).toEqual([1, 2]);
    expect(verify(s.machine)).toEqual([]);
  });
  test('both have one, and not the same: the one before takes what fits between, the one behind stays', () => {
    const s = space();
    anon(s, 0);
    anon(s, 2);
    s.store(0);
    s.store(2);
    expect(s.vma(0).anonVma).not.toBe(s.vma(2).anonVma);
    anon(s, 1);
    expect([s.mm.mapCount, s.vma(0).pages, s.vma(2).pages]).toEqual([2, 2, 1]);
  });
  test('neighbours that differ only in their rights share an anon_vma from the beginning', () => {
    const s = space();
    anon(s, 0);
    anon(s, 1, RW | PROT_EXEC);
    s.store(0);
    s.load(1);
    expect([s.mm.mapCount, s.vma(1).anonVma === s.vma(0).anonVma]).toEqual([2, true]);
    expect(s.pfn(7)).toBe(NO_PFN);
    expect(verify(s.machine)).toEqual([]);
  });
});

test('[2.6 vector radix height] index 0 → 0, 63 → 1, 64 and 4095 → 2, 4096 → 3', () => {
  for (const [index, height] of [
    [0, 0],
    [63, 1],
    [64, 2],
    [4095, 2],
    [4096, 3],
  ] as const) {
    const s = space();
    const file = s.file('disk', 5000);
    file.random = true;
    filemapRead(s.machine, file, index * 4096, 4096, null);
    const { head } = file.mapping.pages;
    expect([index, cachedPages(file), head === null ? 0 : head.shift / 6 + 1]).toEqual([index, [index], height]);
  }
});
