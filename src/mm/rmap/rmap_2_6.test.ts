import { describe, expect, test } from 'vitest';
import { RandomProgram } from '../../../test/random_machine.ts';
import { PAGE, RW, Space } from '../../../test/space.ts';
import { filemapRead } from '../filemap.ts';
import type { Machine } from '../machine.ts';
import { doMlock } from '../mlock.ts';
import type { Mm } from '../mm.ts';
import { MM_ANONPAGES, MM_FILEPAGES } from '../mm.ts';
import { doMunmap } from '../mmap.ts';
import { mmlist } from '../mmlist.ts';
import { doMremap } from '../mremap.ts';
import { putPage } from '../page_alloc.ts';
import { PG_dirty, PG_locked, PG_referenced, PG_swapcache } from '../page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_RW, PTE_SPECIAL, PTE_SWAP, PTE_YOUNG } from '../page_table.ts';
import { addToSwap } from '../swap/swap_state.ts';
import { swapTokenOf } from '../swap/swap_token.ts';
import { swpSwapcount } from '../swap/swapfile.ts';
import type { Task } from '../task.ts';
import { MAP_PRIVATE, MAP_SHARED, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_READ } from '../uapi.ts';
import { NO_PFN, NO_VPN, type Pfn, type Pgoff, type SwapEntry, type Vpn } from '../units.ts';
import { verify } from '../verify.ts';
import { VM_READ } from '../vm_flags.ts';
import { Vma, vmaAddressWithin } from '../vma.ts';
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from '../vmstat.ts';
import { clearPageDirtyForIo } from '../writeback.ts';
import { AnonVmaList, pageLockAnonVma } from './anon_vma_list.ts';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS } from './swap_verdict.ts';

const KERNELS = ['2.6.24', '2.6.26'] as const;

function space(kernel = '2.6.24', config = {}): Space {
  return new Space({ kernel, swap: 'zram', ...config });
}
/** How try_to_unmap ends. */
function unmapped(s: Space, pfn: Pfn): number | undefined {
  s.machine.rmap.tryToUnmap(pfn);
  return s.machine.rmap.unmapResult;
}
function age(s: Space, page: number, mm: Mm = s.mm): void {
  s.machine.pageTables.clear(s.slot(page, mm), PTE_YOUNG);
}
/** The page is locked and in the swap cache, as reclaim has it when it comes to try_to_unmap. */
function intoSwapCache(s: Space, pfn: Pfn): SwapEntry {
  s.machine.frames.set(pfn, PG_locked);
  expect(addToSwap(s.machine, pfn)).toBe(true);
  return s.machine.frames.private_(pfn) as SwapEntry;
}
/** What a call adds to the machine's counts. */
function work(s: Space, call: () => void): { vmas: number; ptes: number; anonVmas: number } {
  const { work: counts } = s.machine;
  const before = { ...counts };
  call();
  return {
    vmas: counts.vmasVisited - before.vmasVisited,
    ptes: counts.ptesVisited - before.ptesVisited,
    anonVmas: counts.anonVmasMet - before.anonVmasMet,
  };
}
/** Every entry of every address space that maps a frame, by frame: [mm id, page]. Counted from the tables alone. */
function bruteWalk(machine: Machine): Map<Pfn, string[]> {
  const found = new Map<Pfn, string[]>();
  const { pageTables } = machine;
  for (const mm of machine.mms) {
    for (const vma of mm.vmas) {
      for (let vpn = vma.vmStart; vpn < vma.vmEnd; vpn = (vpn + 1) as Vpn) {
        const slot = pageTables.slotOf(mm.pageTables, vpn);
        if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
        const pfn = pageTables.pfn(slot);
        found.set(pfn, [...(found.get(pfn) ?? []), `${mm.id}:${vpn}`]);
      }
    }
  }
  return found;
}
function foundByRmap(machine: Machine, pfn: Pfn): string[] {
  const met: string[] = [];
  const { pageTables } = machine;
  machine.rmap.walk(pfn, (vma, vpn) => {
    const slot = vpn === NO_VPN ? NO_SLOT : pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot !== NO_SLOT && pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn)
      met.push(`${vma.vmMm.id}:${vpn}`);
    return true;
  });
  return met;
}
function random(seed: number, kernel: string, steps: number, each: (machine: Machine, where: string) => void): void {
  const program = new RandomProgram(seed, kernel);
  for (let step = 0; step < steps; step++) {
    program.step();
    if (step % 20 === 19) each(program.machine, `seed ${seed}, step ${step}, ${kernel}`);
  }
}

// observables

test('[2.6 tag bit] mapping of a mapped anonymous frame is its anon_vma + 1; the low bit names the class', () => {
  const s = space();
  s.map(0, 4);
  s.map(8, 4, MAP_SHARED, RW, s.file('tmpfs', 4));
  s.storeAll(0, 4);
  s.storeAll(8, 4);
  const { frames, mappings } = s.machine;
  for (let page = 0; page < 4; page++) {
    const anonVma = s.vma(0).anonVma!;
    expect(mappings[anonVma.id]).toBeInstanceOf(AnonVmaList);
    expect(frames.mapping(s.pfn(page))).toBe(anonVma.id * 4 + 1);
    expect(frames.mapping(s.pfn(page)) & 1).toBe(1);
    expect(frames.mapping(s.pfn(8 + page))).toBe(s.vma(8).vmFile!.mapping.id * 4);
    expect(pageLockAnonVma(s.machine, s.pfn(page))).toBe(anonVma);
    expect(pageLockAnonVma(s.machine, s.pfn(8 + page))).toBe(null);
  }
  for (const kernel of KERNELS) {
    random(3, kernel, 200, (machine) => {
      for (const [pfn] of bruteWalk(machine)) {
        const word = machine.frames.mapping(pfn);
        expect(machine.mappings[(word - (word & 3)) / 4] instanceof AnonVmaList).toBe((word & 1) === 1);
      }
    });
  }
});

test('page_lock_anon_vma: nothing for a page of a file, and for one that nobody maps any more', () => {
  const s = space();
  s.map(0, 1);
  s.map(8, 1, MAP_SHARED, RW, s.file('tmpfs', 1));
  s.store(0);
  s.store(8);
  const { frames } = s.machine;
  const pfn = s.pfn(0);
  expect([pageLockAnonVma(s.machine, pfn), pageLockAnonVma(s.machine, s.pfn(8))]).toEqual([s.vma(0).anonVma, null]);
  // Its anon_vma goes with its VMA; the page, which somebody holds, still names it.
  frames.get(pfn);
  doMunmap(s.machine, s.mm, PAGE * 4096, 4096);
  expect([frames.mapping(pfn) & 1, pageLockAnonVma(s.machine, pfn)]).toEqual([1, null]);
  putPage(s.machine, pfn);
});

test('[2.6 mapcount] is -1 based, and mapcount + 1 is the number of entries that a walk of all tables finds', () => {
  for (const kernel of KERNELS) {
    for (let seed = 1; seed <= 4; seed++) {
      random(seed, kernel, 160, (machine, where) => {
        const found = bruteWalk(machine);
        for (let pfn = 0 as Pfn; pfn < machine.frames.frames; pfn++) {
          if (machine.frames.mapcount(pfn) !== (found.get(pfn)?.length ?? 0)) throw new Error(`${where}: frame ${pfn}`);
        }
      });
    }
  }
});

test('[2.6 rmap] the entries that the reverse map finds are those of a brute walk; VMAs visited are counted', () => {
  for (const kernel of KERNELS) {
    for (let seed = 11; seed <= 14; seed++) {
      random(seed, kernel, 160, (machine, where) => {
        for (const [pfn, entries] of bruteWalk(machine))
          expect([where, ...foundByRmap(machine, pfn).sort()]).toEqual([where, ...entries.sort()]);
      });
    }
  }
  const s = space();
  s.map(0, 4);
  s.storeAll(0, 4);
  const child = s.fork().mm!;
  s.store(0, child);
  // The child's copy: the parent's VMA is met first, in vain.
  expect(work(s, () => s.machine.rmap.pageReferenced(s.pfn(0, child), true, null))).toEqual({
    vmas: 2,
    ptes: 2,
    anonVmas: 1,
  });
  expect(work(s, () => s.machine.rmap.pageReferenced(s.pfn(0), true, null))).toEqual({ vmas: 1, ptes: 1, anonVmas: 1 });
});

test('[2.6 vma_address] hit or EFAULT, for every VMA and index, is what the formula says', () => {
  for (const start of [0x40000, 0x40005, 0x7ffff0]) {
    for (const pages of [1, 2, 7, 64]) {
      for (const pgoff of [0, 5, 100]) {
        const vma = new Vma({} as Mm, start as Vpn, (start + pages) as Vpn, VM_READ, pgoff as Pgoff, null);
        for (let index = 0; index < pgoff + pages + 5; index++) {
          const want = index < pgoff || index >= pgoff + pages ? NO_VPN : start + (index - pgoff);
          expect(vmaAddressWithin(vma, index as Pgoff)).toBe(want);
        }
      }
    }
  }
});

test('[2.6 vector index] vm_start 0x40000000, vm_pgoff 5: 0x40003000 is index 8, and index 4 has no address', () => {
  const vma = new Vma({} as Mm, 0x40000 as Vpn, 0x40010 as Vpn, VM_READ, 5 as Pgoff, null);
  expect(vmaAddressWithin(vma, 8 as Pgoff)).toBe(0x40003);
  expect(vmaAddressWithin(vma, 4 as Pgoff)).toBe(NO_VPN);
});

test('[2.6 fork + exit] one anon_vma, children in the order of their forks; whoever unmapped the page is visited all the same', () => {
  const s = space('2.6.24', { ramBytes: 32 * 2 ** 20 });
  s.map(0, 1);
  s.store(0);
  const children: Task[] = [];
  for (let i = 0; i < 5; i++) children.push(s.fork());
  const anonVma = s.vma(0).anonVma as object as AnonVmaList;
  const vmas = (): Vma[] => [...anonVma];
  expect(vmas()).toEqual([s.vma(0), ...children.map((child) => s.vma(0, child.mm!))]);
  expect(s.machine.mappings.filter((owner) => owner instanceof AnonVmaList).length).toBe(1);
  // Each has a page of its own now, and stands on the list of all.
  for (const child of children) s.store(0, child.mm!);
  const last = s.pfn(0, children[4]!.mm!);
  expect(work(s, () => s.machine.rmap.pageReferenced(last, true, null))).toEqual({ vmas: 6, ptes: 6, anonVmas: 1 });
  doMunmap(s.machine, children[0]!.mm!, PAGE * 4096, 4096);
  s.exit(children[1]!);
  expect(vmas().length).toBe(4);
  for (const child of [children[0]!, ...children.slice(2)]) s.exit(child);
  expect(vmas()).toEqual([s.vma(0)]);
  doMunmap(s.machine, s.mm, PAGE * 4096, 4096);
  expect(s.machine.mappings.filter((owner) => owner instanceof AnonVmaList)).toEqual([]);
  expect(s.machine.slab.caches.anon_vma.active).toBe(0);
  expect(verify(s.machine)).toEqual([]);
});

test('[2.6 mkclean] a page written out is read-only in shared mappings, and the next store faults and dirties it again', () => {
  const s = space();
  const file = s.file('disk', 4);
  s.map(0, 4, MAP_SHARED, RW, file);
  s.map(8, 4, MAP_PRIVATE, RW, file);
  s.store(0);
  s.load(8);
  const pfn = s.pfn(0);
  const child = s.fork().mm!;
  s.load(0, child);
  expect([s.pte(0, PTE_RW), s.pte(0, PTE_DIRTY), s.machine.frames.has(pfn, PG_dirty)]).toEqual([true, true, true]);
  s.machine.frames.set(pfn, PG_locked);
  expect(clearPageDirtyForIo(s.machine, pfn)).toBe(true);
  s.machine.frames.clear(pfn, PG_locked);
  expect([s.pte(0, PTE_RW), s.pte(0, PTE_DIRTY), s.machine.frames.has(pfn, PG_dirty)]).toEqual([false, false, false]);
  expect(s.pfn(8)).toBe(pfn);
  const before = s.task.minFlt;
  s.store(0);
  expect(s.task.minFlt).toBe(before + 1);
  expect([s.pte(0, PTE_RW), s.machine.frames.has(pfn, PG_dirty)]).toEqual([true, true]);
  s.store(0);
  expect(s.task.minFlt).toBe(before + 1);
  expect(verify(s.machine)).toEqual([]);
});

test('[2.6 NR_*] NR_ANON_PAGES and NR_FILE_MAPPED are the mapped frames of each class', () => {
  for (const kernel of KERNELS) {
    for (let seed = 21; seed <= 24; seed++) {
      random(seed, kernel, 160, (machine, where) => {
        const counted = [0, 0];
        for (const [pfn] of bruteWalk(machine)) counted[machine.frames.isAnon(pfn) ? 0 : 1]! += 1;
        const { stat } = machine.nodes[0]!;
        expect([where, stat[NR_ANON_MAPPED], stat[NR_FILE_MAPPED]]).toEqual([where, ...counted]);
      });
    }
  }
});

test('[2.6 vm_pgoff window] two mappings of one file at different offsets: both show the page, and both are found', () => {
  const s = space();
  const file = s.file('disk', 16);
  s.map(0, 8, MAP_SHARED, RW, file, 0);
  s.map(16, 8, MAP_SHARED, RW, file, 4);
  s.load(6);
  s.load(18);
  const pfn = s.pfn(6);
  expect([s.pfn(18), s.machine.frames.index(pfn), s.machine.frames.mapcount(pfn)]).toEqual([pfn, 6, 2]);
  expect(foundByRmap(s.machine, pfn).sort()).toEqual([`${s.mm.id}:${PAGE + 6}`, `${s.mm.id}:${PAGE + 18}`]);
  // Page 14 is shown by none, page 2 by one window.
  const windows = (index: number): number[] => {
    const { iMmap } = file.mapping;
    const found: number[] = [];
    for (let vma = iMmap.firstIn(index, index); vma !== null; vma = iMmap.nextIn(vma, index, index))
      found.push(vma.vmPgoff);
    return found.sort();
  };
  expect([windows(14), windows(2), windows(6)]).toEqual([[], [0], [0, 4]]);
});

// life stories

test('[2.6 story fork] references, mapcount and walks of a page that parent and child share, and of their copies', () => {
  const s = space();
  s.map(0, 1);
  s.store(0);
  s.machine.lru.drain();
  const { frames } = s.machine;
  const old = s.pfn(0);
  expect([frames.refcount(old), frames.mapcount(old) - 1]).toEqual([1, 0]);
  const child = s.fork().mm!;
  expect([frames.refcount(old), frames.mapcount(old) - 1]).toEqual([2, 1]);
  expect([s.pte(0, PTE_RW), s.pte(0, PTE_RW, child)]).toEqual([false, false]);
  s.store(0, child);
  s.machine.lru.drain();
  const copy = s.pfn(0, child);
  expect([frames.refcount(old), frames.mapcount(old) - 1, frames.refcount(copy), frames.mapcount(copy) - 1]).toEqual([
    1, 0, 1, 0,
  ]);
  // The same anon_vma.
  expect(frames.mapping(copy)).toBe(frames.mapping(old));
  s.store(0);
  expect([s.pfn(0), s.pte(0, PTE_RW)]).toEqual([old, true]);
  // Whoever looks for all entries of the parent's page meets both VMAs, and one entry.
  let vmas = 0;
  s.machine.rmap.walk(old, () => ++vmas > 0);
  expect([vmas, foundByRmap(s.machine, old).length]).toEqual([2, 1]);
});

test('[2.6 story File page mapped by n tasks] c = 1 + n, m = n - 1, NR_FILE_MAPPED once; read(2) only: c = 1, m = -1', () => {
  const s = space();
  const file = s.file('disk', 4);
  const { frames } = s.machine;
  const cached = (index: number): Pfn => (file.mapping.pages.load(index) - 1) as Pfn;
  filemapRead(s.machine, file, 0, 4096, null);
  s.machine.lru.drain();
  expect([frames.refcount(cached(0)), frames.mapcount(cached(0)) - 1]).toEqual([1, -1]);
  s.map(0, 4, MAP_SHARED, PROT_READ, file);
  const mapped = s.machine.nodes[0]!.stat[NR_FILE_MAPPED]!;
  const mms = [s.mm, ...[1, 2, 3].map(() => s.fork().mm!)];
  for (const [i, mm] of mms.entries()) {
    s.load(0, mm);
    s.machine.lru.drain();
    expect([frames.refcount(s.pfn(0, mm)), frames.mapcount(s.pfn(0, mm)) - 1]).toEqual([1 + i + 1, i]);
    expect(mm.rss[MM_FILEPAGES]).toBe(1);
  }
  expect(s.machine.nodes[0]!.stat[NR_FILE_MAPPED]).toBe(mapped + 1);
});

test('[2.6 story Shared file page dirtied through a mapping] one fault per cycle of writeback', () => {
  const s = space();
  const file = s.file('disk', 4);
  s.map(0, 4, MAP_SHARED, RW, file);
  for (let cycle = 0; cycle < 3; cycle++) {
    s.load(0);
    const pfn = s.pfn(0);
    expect(s.pte(0, PTE_RW)).toBe(false);
    const before = s.task.minFlt;
    for (let i = 0; i < 5; i++) s.store(0);
    expect(s.task.minFlt).toBe(before + 1);
    expect(s.machine.frames.has(pfn, PG_dirty)).toBe(true);
    s.machine.frames.set(pfn, PG_locked);
    clearPageDirtyForIo(s.machine, pfn);
    s.machine.frames.clear(pfn, PG_locked);
  }
});

for (const kernel of KERNELS) {
  test(`[2.6 story Anonymous page] counts of an anonymous page on its way to swap and back, ${kernel}`, () => {
    const s = space(kernel);
    s.map(0, 1);
    const { frames, lru } = s.machine;
    // 1: a load makes it, too.
    s.load(0);
    lru.drain();
    const pfn = s.pfn(0);
    const state = (p: Pfn, entry: SwapEntry | null): number[] => [
      frames.refcount(p),
      frames.mapcount(p) - 1,
      entry === null ? 0 : swpSwapcount(s.machine, entry) + (frames.has(p, PG_swapcache) ? 1 : 0),
    ];
    expect(state(pfn, null)).toEqual([1, 0, 0]);
    expect(s.machine.nodes[0]!.stat[NR_ANON_MAPPED]).toBe(1);
    // 5: isolated, and in the swap cache.
    expect(lru.isolate(pfn)).toBe(true);
    const entry = intoSwapCache(s, pfn);
    expect(state(pfn, entry)).toEqual([3, 0, 1]);
    // 6
    age(s, 0);
    expect(unmapped(s, pfn)).toBe(SWAP_SUCCESS);
    expect(state(pfn, entry)).toEqual([2, -1, 2]);
    expect([s.mm.rss[MM_ANONPAGES], s.machine.nodes[0]!.stat[NR_ANON_MAPPED], mmlist(s.machine.initMm)]).toEqual([
      0,
      0,
      [s.mm],
    ]);
    expect(s.pte(0, PTE_SWAP)).toBe(true);
    frames.clear(pfn, PG_locked);
    lru.putback(pfn);
    lru.drain();
    // 10: found in the swap cache. The slot is still held by the cache.
    s.load(0);
    expect(s.pfn(0)).toBe(pfn);
    expect(state(pfn, entry)).toEqual([2, 0, 1]);
    expect(s.pte(0, PTE_RW)).toBe(false);
    // 11: nobody else has it.
    s.store(0);
    expect([s.pfn(0), ...state(pfn, entry)]).toEqual([pfn, 2, 0, 1]);
    expect(verify(s.machine)).toEqual([]);
  });
}

// was it used?

describe('page_referenced', () => {
  test('counts those who used the page, and clears what it counts', () => {
    const s = space();
    s.map(0, 1);
    s.store(0);
    const mms = [s.mm, ...[1, 2, 3].map(() => s.fork().mm!)];
    const pfn = s.pfn(0);
    const { rmap, frames } = s.machine;
    frames.clear(pfn, PG_referenced);
    rmap.pageReferenced(pfn, true, null);
    for (const used of [[], [2], [0, 1, 3]]) {
      for (const i of used) s.load(0, mms[i]!);
      expect(rmap.pageReferenced(pfn, true, null)).toBe(used.length);
      expect(rmap.pageReferenced(pfn, true, null)).toBe(0);
    }
  });

  test('PG_referenced counts one', () => {
    const s = space();
    const file = s.file('disk', 1);
    filemapRead(s.machine, file, 0, 4096, null);
    const pfn = (file.mapping.pages.load(0) - 1) as Pfn;
    s.machine.frames.set(pfn, PG_referenced);
    expect(s.machine.rmap.pageReferenced(pfn, false, null)).toBe(1);
    expect(s.machine.rmap.pageReferenced(pfn, false, null)).toBe(0);
  });

  test('a page of a file that somebody else has locked counts one, and is not looked at', () => {
    const s = space();
    s.map(0, 1, MAP_SHARED, RW, s.file('tmpfs', 1));
    s.store(0);
    const pfn = s.pfn(0);
    s.machine.frames.clear(pfn, PG_referenced);
    s.machine.frames.set(pfn, PG_locked);
    expect([s.machine.rmap.pageReferenced(pfn, false, null), s.pte(0, PTE_YOUNG)]).toEqual([1, true]);
    expect([s.machine.rmap.pageReferenced(pfn, true, null), s.pte(0, PTE_YOUNG)]).toEqual([1, false]);
    s.machine.frames.clear(pfn, PG_locked);
  });

  test('the walk ends when as many entries were met as map the page', () => {
    const s = space();
    const file = s.file('tmpfs', 4);
    s.map(0, 4, MAP_SHARED, RW, file);
    for (let i = 0; i < 4; i++) s.fork();
    s.store(0);
    // The parent's VMA is the node of the tree, and stands first.
    expect(work(s, () => s.machine.rmap.pageReferenced(s.pfn(0), true, null)).vmas).toBe(1);
  });

  for (const { kernel, want, seen } of [
    { kernel: '2.6.24', want: 0, seen: 3 },
    { kernel: '2.6.26', want: 1, seen: 1 },
  ] as const) {
    test(`an old page of a locked VMA counts ${want} in ${kernel}, and the walk ${want === 1 ? 'ends there' : 'goes on'}`, () => {
      const s = space(kernel);
      s.map(0, 1);
      s.store(0);
      doMlock(s.machine, s.mm, PAGE * 4096, 4096, false);
      // The lock is not inherited, and neither is the copy that locking a shared page would make.
      for (let i = 0; i < 2; i++) s.fork();
      const pfn = s.pfn(0);
      for (const mm of s.machine.mms) age(s, 0, mm);
      s.machine.frames.clear(pfn, PG_referenced);
      let found = 0;
      const { vmas } = work(s, () => {
        found = s.machine.rmap.pageReferenced(pfn, true, null);
      });
      expect([found, vmas]).toEqual([want, seen]);
    });
  }

  test('a shared mapping of a locked VMA says at once that the page is used', () => {
    const s = space();
    s.map(0, 1, MAP_SHARED, RW, s.file('tmpfs', 1));
    s.store(0);
    doMlock(s.machine, s.mm, PAGE * 4096, 4096, false);
    age(s, 0);
    s.machine.frames.clear(s.pfn(0), PG_referenced);
    expect(s.machine.rmap.pageReferenced(s.pfn(0), true, null)).toBe(1);
  });
});

// taking it out

describe('try_to_unmap', () => {
  test('a page that was used since is not unmapped, and is old afterwards', () => {
    const s = space();
    s.map(0, 1);
    s.store(0);
    const pfn = s.pfn(0);
    intoSwapCache(s, pfn);
    expect([unmapped(s, pfn), s.pte(0, PTE_YOUNG), s.pfn(0)]).toEqual([SWAP_FAIL, false, pfn]);
    expect([unmapped(s, pfn), s.pfn(0)]).toEqual([SWAP_SUCCESS, NO_PFN]);
    s.machine.frames.clear(pfn, PG_locked);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a locked VMA keeps it, and whoever stands behind on the list keeps it as well', () => {
    const s = space();
    s.map(0, 1);
    s.store(0);
    const pfn = s.pfn(0);
    doMlock(s.machine, s.mm, PAGE * 4096, 4096, false);
    const child = s.fork().mm!;
    for (const mm of [s.mm, child]) age(s, 0, mm);
    intoSwapCache(s, pfn);
    expect([unmapped(s, pfn), s.pfn(0), s.pfn(0, child)]).toEqual([SWAP_FAIL, pfn, pfn]);
    s.machine.frames.clear(pfn, PG_locked);
  });

  test('of three who share it one used it: those before him on the list lose it', () => {
    const s = space();
    s.map(0, 1);
    s.store(0);
    const [second, third] = [s.fork().mm!, s.fork().mm!];
    const pfn = s.pfn(0);
    for (const mm of [s.mm, third]) age(s, 0, mm);
    s.load(0, second);
    const entry = intoSwapCache(s, pfn);
    expect(unmapped(s, pfn)).toBe(SWAP_FAIL);
    expect([s.pfn(0), s.pfn(0, second), s.pfn(0, third)]).toEqual([NO_PFN, pfn, pfn]);
    expect([s.machine.frames.mapcount(pfn), swpSwapcount(s.machine, entry)]).toEqual([2, 1]);
    s.machine.frames.clear(pfn, PG_locked);
    // A fork copies the swap entry, and the child joins behind its parent.
    const grandchild = s.fork(s.mm).mm!;
    expect(mmlist(s.machine.initMm)).toEqual([s.mm, grandchild]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a page of a file: dirty goes to the page, the entry is none', () => {
    const s = space();
    s.map(0, 1, MAP_SHARED, RW, s.file('tmpfs', 1));
    s.store(0);
    const pfn = s.pfn(0);
    age(s, 0);
    s.machine.frames.clear(pfn, PG_dirty);
    s.machine.frames.set(pfn, PG_locked);
    expect(unmapped(s, pfn)).toBe(SWAP_SUCCESS);
    s.machine.frames.clear(pfn, PG_locked);
    expect([s.machine.frames.has(pfn, PG_dirty), s.machine.pageTables.isNone(s.slot(0))]).toEqual([true, true]);
    expect(mmlist(s.machine.initMm)).toEqual([]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('nobody maps it: done', () => {
    const s = space();
    const file = s.file('disk', 1);
    filemapRead(s.machine, file, 0, 4096, null);
    expect(unmapped(s, (file.mapping.pages.load(0) - 1) as Pfn)).toBe(SWAP_SUCCESS);
    expect(SWAP_AGAIN).toBe(1);
  });
});

test('who holds the swap token, and waits in a fault, counts as a user', () => {
  const s = space();
  s.map(0, 1);
  s.store(0);
  const pfn = s.pfn(0);
  age(s, 0);
  s.machine.frames.clear(pfn, PG_referenced);
  const token = swapTokenOf(s.machine)!;
  token.holder = s.mm;
  expect(s.machine.rmap.pageReferenced(pfn, true, null)).toBe(0);
  // kswapd has interrupted the holder in its fault.
  token.interrupted = s.mm;
  s.machine.current = s.machine.idle;
  expect(s.machine.rmap.pageReferenced(pfn, true, null)).toBe(1);
});

test('mremap moves entries and touches no page: index and list stay right because vm_pgoff comes along', () => {
  const s = space();
  s.map(0, 8);
  s.storeAll(0, 8);
  const pfn = s.pfn(3);
  const index = s.machine.frames.index(pfn);
  const at = doMremap(
    s.machine,
    s.mm,
    (PAGE + 2) * 4096,
    4 * 4096,
    4 * 4096,
    MREMAP_MAYMOVE | MREMAP_FIXED,
    (PAGE + 40) * 4096,
  );
  expect(at).toBe((PAGE + 40) * 4096);
  expect([s.pfn(41), s.machine.frames.index(pfn), s.vma(40).vmPgoff]).toEqual([pfn, index, PAGE + 2]);
  expect(foundByRmap(s.machine, pfn)).toEqual([`${s.mm.id}:${PAGE + 41}`]);
  expect(s.vma(40).anonVma).toBe(s.vma(0).anonVma);
  expect(verify(s.machine)).toEqual([]);
});
