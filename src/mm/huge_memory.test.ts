import { describe, expect, test } from 'vitest';
import { EINVAL } from './errno.ts';
import { dupMm, exitTask, newMm, newTask } from './fork.ts';
import { Machine } from './machine.ts';
import { doMadvise } from './madvise.ts';
import { loadPage, readToken, storePage } from './memory.ts';
import { doMlock, doMunlock } from './mlock.ts';
import { MM_ANONPAGES, type Mm } from './mm.ts';
import { doMmap, doMunmap } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { doMremap } from './mremap.ts';
import { PG_anon_exclusive, PG_head, PG_lru, PG_mlocked, PG_swapcache } from './page_flags.ts';
import { NO_SLOT, PTE_SPECIAL } from './page_table.ts';
import { type SwapConfig, swapoff, swapon } from './swap/swapfile.ts';
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import type { Pfn, Token, Vpn } from './units.ts';
import { verify } from './verify.ts';
import {
  NR_ANON_THPS,
  THP_FAULT_ALLOC,
  THP_FAULT_FALLBACK,
  THP_SPLIT_PAGE,
  THP_SPLIT_PMD,
  THP_SWPOUT,
  THP_SWPOUT_FALLBACK,
} from './vmstat.ts';

const A = 0x100000000000;
const HUGE = 2 * 2 ** 20;
const PAGE = 4096;
const RW = PROT_READ | PROT_WRITE;
const KERNELS = ['6.18', '6.1'] as const;

interface Space {
  readonly machine: Machine;
  readonly mm: Mm;
}

/** Three times 2 MiB that asked for huge pages, from A on, the last in an area of its own. */
function newSpace(kernel = '6.18', ramBytes = 64 * 2 ** 20): Space {
  const machine = new Machine({ kernel, ramBytes });
  const mm = newMm(machine, machine.rootMemcg)!;
  machine.current = newTask(machine, 1, 'test', mm, machine.rootMemcg, null)!;
  doMmap(machine, mm, A, 3 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
  doMadvise(machine, mm, A, 3 * HUGE, MADV_HUGEPAGE);
  return { machine, mm };
}

function vpn(addr: number): Vpn {
  return (addr / PAGE) as Vpn;
}

function store({ machine, mm }: Space, addr: number, token = machine.newToken()): number {
  return storePage(machine, mm, vpn(addr), token);
}

function fork({ machine, mm }: Space): Space {
  const child = dupMm(machine, mm, machine.rootMemcg)!;
  newTask(machine, machine.tasks.length + 1, 'child', child, machine.rootMemcg, null);
  return { machine, mm: child };
}

function exit({ machine, mm }: Space): void {
  exitTask(machine, machine.tasks.find((task) => task.mm === mm)!);
}

/** `huge`, `zero` (both 2 MiB), `page`, `zero page`, `swapped` or `none`. */
function at({ machine, mm }: Space, addr: number): string {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(mm.pageTables, vpn(addr));
  if (slot === NO_SLOT || pageTables.isNone(slot)) return 'none';
  if (pageTables.isSwap(slot)) return 'swapped';
  const special = pageTables.has(slot, PTE_SPECIAL);
  return pageTables.isHuge(slot) ? (special ? 'zero' : 'huge') : special ? 'zero page' : 'page';
}

function frameOf({ machine, mm }: Space, addr: number): Pfn {
  return machine.pageTables.pfn(machine.pageTables.slotOf(mm.pageTables, vpn(addr)));
}

for (const kernel of KERNELS) {
  describe(kernel, () => {
    test('one fault maps 2 MiB; the table for its split is there already', () => {
      const space = newSpace(kernel);
      const { machine, mm } = space;
      const faults = machine.current.minFlt;
      expect(store(space, A + 5 * PAGE)).toBe(0);
      expect([at(space, A), at(space, A + HUGE - PAGE), at(space, A + HUGE)]).toEqual(['huge', 'huge', 'none']);
      expect(machine.current.minFlt - faults).toBe(1);
      expect([mm.rss[MM_ANONPAGES], mm.pageTables.leafTables]).toEqual([512, 1]);
      expect([machine.events[THP_FAULT_ALLOC], machine.nodes[0]!.stat[NR_ANON_THPS]]).toEqual([1, 512]);
      expect(verify(machine)).toEqual([]);
      doMunmap(machine, mm, A, 3 * HUGE);
      expect([mm.rss[MM_ANONPAGES], machine.largeFolios.size]).toEqual([0, 0]);
      expect(verify(machine)).toEqual([]);
    });

    for (const { why, from, length, flags, touch } of [
      { why: 'the area did not ask', from: A, length: HUGE, flags: 0, touch: A },
      { why: 'the area refuses', from: A, length: HUGE, flags: MADV_NOHUGEPAGE, touch: A },
      { why: '2 MiB reach over its start', from: A + PAGE, length: HUGE, flags: MADV_HUGEPAGE, touch: A + PAGE },
      { why: '2 MiB reach over its end', from: A, length: HUGE - PAGE, flags: MADV_HUGEPAGE, touch: A },
    ]) {
      test(`no huge page: ${why}`, () => {
        const { machine, mm } = newSpace(kernel);
        doMunmap(machine, mm, A, 3 * HUGE);
        doMmap(machine, mm, from, length, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
        if (flags !== 0) doMadvise(machine, mm, from, length, flags);
        store({ machine, mm }, touch);
        expect(at({ machine, mm }, touch)).toBe('page');
        expect(verify(machine)).toEqual([]);
      });
    }

    test('no huge page: no memory in one piece; a small one does', () => {
      const space = newSpace(kernel, 8 * 2 ** 20);
      for (let i = 0; i < 3; i++) store(space, A + i * HUGE);
      expect(at(space, A + 2 * HUGE)).toBe('page');
      expect(space.machine.events[THP_FAULT_FALLBACK]).toBeGreaterThan(0);
      expect(verify(space.machine)).toEqual([]);
    });

    test('a huge page is charged as 512 pages, or there is none', () => {
      const machine = new Machine({ kernel, ramBytes: 64 * 2 ** 20 });
      const memcg = machine.newCgroup('box');
      const mm = newMm(machine, memcg)!;
      machine.current = newTask(machine, 1, 'test', mm, memcg, null)!;
      doMmap(machine, mm, A, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
      doMadvise(machine, mm, A, 2 * HUGE, MADV_HUGEPAGE);
      memcg.memory.max = memcg.memory.usage + 700;
      const space = { machine, mm };
      for (const addr of [A, A + HUGE]) store(space, addr);
      expect([at(space, A), at(space, A + HUGE)]).toEqual(['huge', 'page']);
      expect([memcg.memoryEvents.oom, memcg.memory.usage >= 512]).toEqual([0, true]);
      expect(verify(machine)).toEqual([]);
    });

    test('a load shows the huge zero page, a store makes it ours: 2 MiB, or 4 KiB of it in 6.1', () => {
      const space = newSpace(kernel);
      expect(loadPage(space.machine, space.mm, vpn(A))).toBe(0);
      expect([at(space, A), space.mm.rss[MM_ANONPAGES]]).toEqual(['zero', 0]);
      store(space, A + PAGE);
      expect([at(space, A), at(space, A + PAGE)]).toEqual(kernel === '6.18' ? ['huge', 'huge'] : ['zero page', 'page']);
      expect(verify(space.machine)).toEqual([]);
    });

    test('fork shares it whole; a store splits the mapping of who stores, and copies 4 KiB', () => {
      const parent = newSpace(kernel);
      store(parent, A, 7 as Token);
      const head = frameOf(parent, A);
      const child = fork(parent);
      expect([at(child, A), parent.machine.frames.has(head, PG_anon_exclusive)]).toEqual(['huge', false]);
      store(child, A, 8 as Token);
      expect([at(parent, A), at(child, A)]).toEqual(['huge', 'page']);
      expect([parent, child].map(({ machine, mm }) => readToken(machine, mm, vpn(A)))).toEqual([7, 8]);
      expect(parent.machine.events[THP_SPLIT_PMD]).toBe(1);
      expect(verify(parent.machine)).toEqual([]);
      exit(child);
      store(parent, A + PAGE);
      expect([at(parent, A), frameOf(parent, A), parent.machine.frames.has(head, PG_anon_exclusive)]).toEqual([
        'huge',
        head,
        true,
      ]);
      expect(verify(parent.machine)).toEqual([]);
    });

    for (const { why, call } of [
      { why: 'munmap', call: (m: Machine, mm: Mm) => doMunmap(m, mm, A + PAGE, PAGE) },
      { why: 'mprotect', call: (m: Machine, mm: Mm) => doMprotect(m, mm, A + PAGE, PAGE, PROT_READ) },
      { why: 'MADV_DONTNEED', call: (m: Machine, mm: Mm) => doMadvise(m, mm, A + PAGE, PAGE, MADV_DONTNEED) },
      { why: 'mlock', call: (m: Machine, mm: Mm) => doMlock(m, mm, A + PAGE, PAGE, false) },
      {
        why: 'mremap',
        call: (m: Machine, mm: Mm) => doMremap(m, mm, A, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, A + 8 * HUGE),
      },
    ]) {
      test(`${why} of a part splits the mapping, and the page stays one`, () => {
        const space = newSpace(kernel);
        store(space, A);
        const head = frameOf(space, A + 2 * PAGE);
        call(space.machine, space.mm);
        expect([at(space, A + 2 * PAGE), frameOf(space, A + 2 * PAGE)]).toEqual(['page', head]);
        expect([space.machine.events[THP_SPLIT_PMD], space.machine.largeFolios.size]).toEqual([1, 1]);
        expect(verify(space.machine)).toEqual([]);
      });
    }

    for (const { why, advice } of [
      { why: 'MADV_FREE', advice: MADV_FREE },
      { why: 'MADV_COLD', advice: MADV_COLD },
    ]) {
      test(`${why} of a part splits the page itself, of all of it does not`, () => {
        const space = newSpace(kernel);
        store(space, A);
        store(space, A + HUGE);
        doMadvise(space.machine, space.mm, A + 3 * PAGE, PAGE, advice);
        doMadvise(space.machine, space.mm, A + HUGE, HUGE, advice);
        expect([at(space, A + HUGE), space.machine.largeFolios.size]).toEqual(['huge', 1]);
        expect(space.machine.events[THP_SPLIT_PAGE]).toBe(1);
        // SINCE 6.12: what holds zeros is not kept.
        expect(at(space, A + PAGE)).toBe(kernel === '6.18' ? 'zero page' : 'page');
        expect(verify(space.machine)).toEqual([]);
      });
    }

    test('mprotect of all of it and back keeps it; 6.1 notices the next store', () => {
      const space = newSpace(kernel);
      store(space, A);
      doMprotect(space.machine, space.mm, A, HUGE, PROT_READ);
      doMprotect(space.machine, space.mm, A, HUGE, RW);
      const faults = space.machine.current.minFlt;
      store(space, A);
      expect([at(space, A), space.machine.current.minFlt - faults]).toEqual(['huge', kernel === '6.18' ? 0 : 1]);
    });

    test('mremap to an aligned place moves it, to another splits it', () => {
      const space = newSpace(kernel);
      const { machine, mm } = space;
      store(space, A, 5 as Token);
      const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
      expect(doMremap(machine, mm, A, HUGE, HUGE, fixed, A + 8 * HUGE)).toBe(A + 8 * HUGE);
      expect(at(space, A + 8 * HUGE)).toBe('huge');
      expect(doMremap(machine, mm, A + 8 * HUGE, HUGE, HUGE, fixed, A + 16 * HUGE + PAGE)).toBe(A + 16 * HUGE + PAGE);
      expect(at(space, A + 16 * HUGE + PAGE)).toBe('page');
      expect(readToken(machine, mm, vpn(A + 16 * HUGE + PAGE))).toBe(5);
      expect(verify(machine)).toEqual([]);
    });

    test('mlock locks it as one, munlock of a part unlocks all of it', () => {
      const space = newSpace(kernel);
      const { machine, mm } = space;
      store(space, A);
      doMlock(machine, mm, A, HUGE, false);
      const head = frameOf(space, A);
      expect(machine.frames.has(head, PG_mlocked)).toBe(true);
      doMunlock(machine, mm, A, PAGE);
      machine.lru.drain();
      expect([machine.frames.has(head, PG_mlocked), machine.frames.has(head, PG_lru)]).toEqual([false, true]);
      expect(verify(machine)).toEqual([]);
    });

    test('one touch populates 2 MiB', () => {
      const space = newSpace(kernel);
      const faults = space.machine.current.minFlt;
      expect(doMadvise(space.machine, space.mm, A, HUGE, MADV_POPULATE_READ)).toBe(0);
      expect(doMadvise(space.machine, space.mm, A + HUGE, 2 * HUGE, MADV_POPULATE_WRITE)).toBe(0);
      expect([0, 1, 2].map((i) => at(space, A + i * HUGE))).toEqual(['zero', 'huge', 'huge']);
      expect(space.machine.current.minFlt - faults).toBe(3);
    });

    test('a guard region splits it', () => {
      const space = newSpace(kernel);
      store(space, A);
      const done = doMadvise(space.machine, space.mm, A + PAGE, PAGE, MADV_GUARD_INSTALL);
      expect([done, at(space, A + 2 * PAGE)]).toEqual(kernel === '6.18' ? [0, 'page'] : [-EINVAL, 'huge']);
      expect(verify(space.machine)).toEqual([]);
    });

    for (const { why, config, whole } of [
      { why: 'memory', config: { bytes: 16 * 2 ** 20, device: 'zram' }, whole: true },
      { why: 'a solid-state disk', config: { bytes: 16 * 2 ** 20, device: 'disk', rotational: false }, whole: true },
      { why: 'a disk that turns', config: { bytes: 16 * 2 ** 20, device: 'disk' }, whole: kernel === '6.18' },
      { why: 'a file', config: { bytes: 16 * 2 ** 20, device: 'disk', file: true }, whole: false },
    ] satisfies { why: string; config: SwapConfig; whole: boolean }[]) {
      test(`swapped to ${why}: ${whole ? 'to 512 slots side by side' : 'split before'}, and it all comes back`, () => {
        const space = newSpace(kernel);
        const { machine, mm } = space;
        swapon(machine, config);
        for (let i = 0; i < 512; i++) store(space, A + i * PAGE, (1000 + i) as Token);
        doMadvise(machine, mm, A, HUGE, MADV_PAGEOUT);
        expect([at(space, A), at(space, A + HUGE - PAGE)]).toEqual(['swapped', 'swapped']);
        expect([machine.events[THP_SWPOUT], machine.events[THP_SWPOUT_FALLBACK]]).toEqual(whole ? [1, 0] : [0, 1]);
        expect(verify(machine)).toEqual([]);
        for (let i = 0; i < 512; i++) {
          expect(loadPage(machine, mm, vpn(A + i * PAGE))).toBe(0);
          expect(readToken(machine, mm, vpn(A + i * PAGE))).toBe(1000 + i);
        }
        expect(verify(machine)).toEqual([]);
        expect(swapoff(machine, 0)).toBe(0);
        expect(verify(machine)).toEqual([]);
      });
    }

    test('a page that is in the swap cache whole comes back whole in 6.18, page by page in 6.1', () => {
      const space = newSpace(kernel);
      const { machine, mm } = space;
      swapon(machine, { bytes: 16 * 2 ** 20, device: 'disk', rotational: false });
      for (let i = 0; i < 512; i++) store(space, A + i * PAGE);
      const head = frameOf(space, A);
      doMadvise(machine, mm, A, HUGE, MADV_PAGEOUT);
      expect([machine.frames.has(head, PG_swapcache), machine.frames.has(head, PG_head)]).toEqual([true, true]);
      loadPage(machine, mm, vpn(A + 5 * PAGE));
      expect([at(space, A + 5 * PAGE), at(space, A)]).toEqual(['page', kernel === '6.18' ? 'page' : 'swapped']);
      expect(verify(machine)).toEqual([]);
    });

    test('MADV_COLLAPSE makes one of pages, zero pages and holes', () => {
      const space = newSpace(kernel);
      const { machine, mm } = space;
      doMadvise(machine, mm, A, 3 * HUGE, MADV_NOHUGEPAGE);
      store(space, A + 3 * PAGE, 5 as Token);
      loadPage(machine, mm, vpn(A + 4 * PAGE));
      expect(doMadvise(machine, mm, A, HUGE, MADV_COLLAPSE)).toBe(-EINVAL);
      doMadvise(machine, mm, A, 3 * HUGE, MADV_HUGEPAGE);
      expect(doMadvise(machine, mm, A, HUGE, MADV_COLLAPSE)).toBe(0);
      expect([at(space, A), mm.rss[MM_ANONPAGES]]).toEqual(['huge', 512]);
      expect([3, 4, 5].map((page) => readToken(machine, mm, vpn(A + page * PAGE)))).toEqual([5, 0, 0]);
      expect(doMadvise(machine, mm, A + HUGE, HUGE, MADV_COLLAPSE)).toBe(-EINVAL);
      expect(verify(machine)).toEqual([]);
    });

    test('a part that nobody maps is free when memory is short', () => {
      const space = newSpace(kernel);
      const { machine, mm } = space;
      swapon(machine, { bytes: 64 * 2 ** 20, device: 'zram' });
      for (let i = 0; i < 512; i++) store(space, A + i * PAGE);
      doMunmap(machine, mm, A + PAGE, HUGE - PAGE);
      expect(machine.largeFolios.size).toBe(1);
      doMmap(machine, mm, A + 64 * HUGE, 72 * 2 ** 20, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
      for (let i = 0; i < 72 * 256; i++) store(space, A + 64 * HUGE + i * PAGE);
      expect(machine.largeFolios.size).toBe(0);
      expect(verify(machine)).toEqual([]);
    });
  });
}

/** Processes with huge areas do random things. What each page holds is known, or one of two things after MADV_FREE. */
class Program {
  readonly machine: Machine;
  readonly spaces: { mm: Mm; holds: Map<number, Token[]> }[] = [];
  private seed: number;

  constructor(kernel: string, seed: number) {
    this.seed = seed;
    const { machine, mm } = newSpace(kernel, 24 * 2 ** 20);
    this.machine = machine;
    this.spaces.push({ mm, holds: new Map() });
    const file = seed % 3 === 0;
    swapon(machine, {
      bytes: 64 * 2 ** 20,
      device: seed % 2 === 0 ? 'zram' : 'disk',
      file,
      rotational: seed % 5 === 0,
    });
  }
  random(below: number): number {
    this.seed = (Math.imul(this.seed, 1103515245) + 12345) >>> 0;
    return Math.floor((this.seed / 2 ** 32) * below);
  }
  private range(): [first: number, pages: number] {
    if (this.random(2) === 0) return [this.random(3) * 512, 512];
    const first = this.random(3 * 512);
    return [first, Math.min([1, 2, 16, 300, 700][this.random(5)]!, 3 * 512 - first)];
  }

  step(): void {
    const { machine } = this;
    const space = this.spaces[this.random(this.spaces.length)]!;
    const { mm, holds } = space;
    const [first, pages] = this.range();
    const addr = A + first * PAGE;
    const length = pages * PAGE;
    switch (this.random(14)) {
      case 0:
      case 1:
      case 2:
        for (let i = 0; i < Math.min(pages, 40); i++) this.storeOne(space, first + i);
        break;
      case 3:
        for (let i = 0; i < Math.min(pages, 40); i++) this.loadOne(space, first + i);
        break;
      case 4:
        if (this.spaces.length < 3) this.forkOne(space);
        break;
      case 5:
        if (this.spaces.length > 1 && this.random(2) === 0) {
          exit({ machine, mm });
          this.spaces.splice(this.spaces.indexOf(space), 1);
        }
        break;
      case 6:
        doMprotect(machine, mm, addr, length, PROT_READ);
        doMprotect(machine, mm, addr, length, RW);
        break;
      case 7:
        if (doMadvise(machine, mm, addr, length, MADV_DONTNEED) === 0)
          for (let i = 0; i < pages; i++) holds.delete(first + i);
        break;
      case 8:
        if (doMadvise(machine, mm, addr, length, MADV_FREE) !== 0) break;
        for (let i = 0; i < pages; i++) holds.set(first + i, [...(holds.get(first + i) ?? []), 0 as Token]);
        break;
      case 9:
        doMadvise(machine, mm, addr, length, MADV_PAGEOUT);
        break;
      case 10:
        doMadvise(machine, mm, addr, length, [MADV_COLD, MADV_POPULATE_WRITE, MADV_POPULATE_READ][this.random(3)]!);
        break;
      case 11:
        doMadvise(machine, mm, addr, length, MADV_COLLAPSE);
        break;
      case 12:
        if (this.random(3) === 0) doMlock(machine, mm, addr, Math.min(length, HUGE), false);
        else doMunlock(machine, mm, A, 3 * HUGE);
        break;
      default: {
        const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
        const away = A + 64 * HUGE + this.random(2) * PAGE;
        if (doMremap(machine, mm, addr, length, length, fixed, away) < 0) break;
        doMremap(machine, mm, away, length, length, fixed, addr);
      }
    }
    while (machine.io.pending > 0 && this.random(2) === 0) machine.runUntil(machine.clock.nextAt);
  }
  private storeOne({ mm, holds }: { mm: Mm; holds: Map<number, Token[]> }, page: number): void {
    const token = this.machine.newToken();
    if (storePage(this.machine, mm, vpn(A + page * PAGE), token) === 0) holds.set(page, [token]);
  }
  private loadOne({ mm, holds }: { mm: Mm; holds: Map<number, Token[]> }, page: number): void {
    if (loadPage(this.machine, mm, vpn(A + page * PAGE)) !== 0) return;
    expect(holds.get(page) ?? [0]).toContain(readToken(this.machine, mm, vpn(A + page * PAGE)));
  }
  private forkOne({ mm, holds }: { mm: Mm; holds: Map<number, Token[]> }): void {
    this.machine.lru.drain();
    this.spaces.push({ mm: fork({ machine: this.machine, mm }).mm, holds: new Map(holds) });
  }
}

for (const kernel of KERNELS) {
  test(`every promise holds, whatever is done to huge pages (${kernel})`, () => {
    for (let seed = 1; seed <= 6; seed++) {
      const program = new Program(kernel, seed);
      for (let step = 0; step < 50; step++) {
        program.step();
        expect(verify(program.machine), `seed ${seed}, step ${step}`).toEqual([]);
      }
    }
  });
}
