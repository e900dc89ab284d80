import { describe, expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGKILL, SIGSEGV } from './fault.ts';
import { filemapGetPage, filemapRead } from './filemap.ts';
import { doMadvise } from './madvise.ts';
import { ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE, accessPages, loadPage, readToken, storePage } from './memory.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from './mm.ts';
import { doMmap } from './mmap.ts';
import { PG_anon_exclusive, PG_dirty, PG_readahead, PG_swapcache } from './page_flags.ts';
import { PTE_DIRTY, PTE_RW, PTE_SPECIAL, PTE_SWAP, PTE_YOUNG } from './page_table.ts';
import {
  MADV_GUARD_INSTALL,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import type { Pgoff, Token, Vpn } from './units.ts';
import { verify } from './verify.ts';
import { PGFAULT, PGMAJFAULT, PGREUSE, PSWPIN } from './vmstat.ts';

describe('anonymous memory', () => {
  test('[6.x zero page] a load finds the zero page, a store then a page of its own', () => {
    const s = new Space();
    s.map(0, 4);
    const faults = s.event(PGFAULT);
    expect([s.load(0), s.pfn(0), s.pte(0, PTE_SPECIAL), s.pte(0, PTE_RW)]).toEqual([0, s.machine.zeroPfn, true, false]);
    expect([s.mm.rss[MM_ANONPAGES], readToken(s.machine, s.mm, s.vpn(0)), s.vma(0).anonVma]).toEqual([0, 0, null]);
    expect(s.store(0, s.mm, 7 as Token)).toBe(0);
    expect([s.pfn(0) === s.machine.zeroPfn, s.mm.rss[MM_ANONPAGES], s.event(PGFAULT) - faults]).toEqual([false, 1, 2]);
    expect([s.pte(0, PTE_RW), s.pte(0, PTE_DIRTY), s.machine.frames.has(s.pfn(0), PG_anon_exclusive)]).toEqual([
      true,
      true,
      true,
    ]);
    expect([s.task.minFlt, s.task.majFlt, s.machine.frames.mapcount(s.machine.zeroPfn)]).toEqual([2, 0, 0]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a page that was written is there: no fault', () => {
    const s = new Space();
    s.map(0, 1);
    s.store(0);
    const faults = s.event(PGFAULT);
    expect([s.store(0), s.load(0), s.event(PGFAULT) - faults]).toEqual([0, 0, 0]);
  });
});

describe('[6.x PageAnonExclusive] [6.x COW copy vs reuse] a store to a shared page', () => {
  for (const { why, does, copied } of [
    { why: 'two map it: a copy', does: () => undefined, copied: true },
    {
      why: 'the other one is gone: the same frame',
      does: (s: Space) => s.exit(s.machine.tasks.at(-1)!),
      copied: false,
    },
    {
      why: 'the other one has copied it: the same frame',
      does: (s: Space) => s.store(0, s.machine.tasks.at(-1)!.mm!),
      copied: false,
    },
    {
      why: 'the other one is gone, but somebody holds it: a copy',
      does: (s: Space) => {
        s.exit(s.machine.tasks.at(-1)!);
        s.machine.frames.get(s.pfn(0));
      },
      copied: true,
    },
  ]) {
    test(why, () => {
      const s = new Space();
      s.map(0, 1);
      s.store(0, s.mm, 7 as Token);
      const child = s.fork().mm!;
      const old = s.pfn(0);
      expect([s.pte(0, PTE_RW), s.pfn(0, child)]).toEqual([false, old]);
      does(s);
      const reused = s.event(PGREUSE);
      expect(s.store(0, s.mm, 8 as Token)).toBe(0);
      expect([s.pfn(0) !== old, s.event(PGREUSE) - reused]).toEqual([copied, copied ? 0 : 1]);
      expect([s.machine.frames.has(s.pfn(0), PG_anon_exclusive), s.pte(0, PTE_RW)]).toEqual([true, true]);
      expect(readToken(s.machine, s.mm, s.vpn(0))).toBe(8);
      if (why.startsWith('two'))
        expect([readToken(s.machine, child, s.vpn(0)), s.machine.frames.mapcount(old)]).toEqual([7, 1]);
    });
  }

  test('a file’s page is copied for a private mapping, and the file keeps what it has', () => {
    const s = new Space();
    const file = s.file('disk', 1);
    s.map(0, 1, MAP_PRIVATE, RW, file);
    s.load(0);
    const [old, token] = [s.pfn(0), readToken(s.machine, s.mm, s.vpn(0)) as Token];
    expect([s.mm.rss[MM_FILEPAGES], s.mm.rss[MM_ANONPAGES]]).toEqual([1, 0]);
    s.store(0);
    expect([s.mm.rss[MM_FILEPAGES], s.mm.rss[MM_ANONPAGES]]).toEqual([0, 1]);
    expect([s.pfn(0) === old, s.machine.frames.token(old) === token, s.machine.frames.mapcount(old)]).toEqual([
      false,
      true,
      0,
    ]);
    expect(s.machine.frames.has(old, PG_dirty)).toBe(false);
  });

  test('shared memory is written where it is', () => {
    const s = new Space();
    s.map(0, 1, MAP_SHARED);
    s.store(0);
    const child = s.fork().mm!;
    s.load(0, child);
    s.store(0, child, 9 as Token);
    expect([s.pfn(0) === s.pfn(0, child), readToken(s.machine, s.mm, s.vpn(0)), s.mm.rss[MM_SHMEMPAGES]]).toEqual([
      true,
      9,
      1,
    ]);
  });
});

describe('[6.x swap exclusive bit] [6.x skip swap cache] back from swap', () => {
  for (const { why, kernel = '6.18', swap = 'zram', fork = false, write, wantRw, exclusive, cached } of [
    { why: 'a load of one’s own page: writable at once', write: false, wantRw: true, exclusive: true, cached: false },
    {
      why: '6.1: only a store makes it so',
      kernel: '6.1',
      write: false,
      wantRw: false,
      exclusive: true,
      cached: false,
    },
    { why: 'a store to one’s own page', write: true, wantRw: true, exclusive: true, cached: false },
    { why: 'a load of a shared page', fork: true, write: false, wantRw: false, exclusive: false, cached: true },
    { why: 'a store to a shared page: a copy', fork: true, write: true, wantRw: true, exclusive: true, cached: false },
    {
      why: 'from a disk: through the swap cache',
      swap: 'disk' as const,
      write: false,
      wantRw: true,
      exclusive: true,
      cached: true,
    },
    {
      why: 'from a disk, to write: the copy there is useless',
      swap: 'disk' as const,
      write: true,
      wantRw: true,
      exclusive: true,
      cached: false,
    },
  ]) {
    test(why, () => {
      const s = new Space({ kernel, swap: swap as 'zram' | 'disk' });
      s.map(0, 1);
      s.store(0, s.mm, 7 as Token);
      const child = fork ? s.fork().mm! : null;
      // 6.1 spares what was used.
      for (const mm of [s.mm, ...(child === null ? [] : [child])]) s.machine.pageTables.clear(s.slot(0, mm), PTE_YOUNG);
      s.pageout(0);
      s.machine.advance(1e9);
      s.machine.lru.drain();
      if (s.pfn(0) < 0 && swap === 'disk') s.machine.reclaim.tryToFreePages(s.machine.nodes[0]!, 0, 0x6c0);
      expect([s.pte(0, PTE_SWAP), s.mm.rss[MM_SWAPENTS], s.mm.rss[MM_ANONPAGES]]).toEqual([true, 1, 0]);
      const [majors, pages] = [s.event(PGMAJFAULT), s.event(PSWPIN)];
      expect(write ? s.store(0, s.mm, 8 as Token) : s.load(0)).toBe(0);
      const { frames } = s.machine;
      expect([s.pte(0, PTE_RW), frames.has(s.pfn(0), PG_anon_exclusive)]).toEqual([wantRw, exclusive]);
      expect(frames.has(s.pfn(0), PG_swapcache)).toBe(cached);
      expect([s.event(PGMAJFAULT) - majors, s.event(PSWPIN) - pages, s.task.majFlt]).toEqual([1, 1, 1]);
      expect(readToken(s.machine, s.mm, s.vpn(0))).toBe(write ? 8 : 7);
      expect([s.mm.rss[MM_SWAPENTS], s.mm.rss[MM_ANONPAGES]]).toEqual([0, 1]);
      if (child !== null) {
        expect(s.load(0, child)).toBe(0);
        expect([readToken(s.machine, child, s.vpn(0)), s.pfn(0, child) === s.pfn(0)]).toEqual([7, !write]);
        expect(s.event(PGMAJFAULT) - majors).toBe(1);
      }
      expect(verify(s.machine)).toEqual([]);
    });
  }
});

describe('[6.x fault-around] fault-around', () => {
  for (const { why, at, from = 0, pages = 64, pgoff = 0, bytes, want } of [
    { why: '16 pages, aligned', at: 20, want: [16, 31] },
    // Page 3 of the arena shows page 8 of the file: it is the address that is aligned.
    { why: 'on the address, not on the file', at: 20, from: 3, pgoff: 8, pages: 40, want: [16, 31] },
    { why: '16 from where the VMA begins, if that is later', at: 5, from: 3, pages: 40, want: [3, 18] },
    { why: 'nor behind it', at: 34, pages: 38, want: [32, 37] },
    { why: 'nor in another table', at: 511, from: 500, pages: 40, want: [500, 511] },
    { why: 'what the sysctl says', at: 20, bytes: 16384, want: [20, 23] },
    { why: 'or none', at: 20, bytes: 4096, want: [20, 20] },
  ]) {
    test(why, () => {
      const s = new Space(bytes === undefined ? {} : { sysctl: { faultAroundBytes: bytes } });
      const file = s.file('disk', 64);
      for (let i = 0; i < 64; i++) filemapRead(s.machine, file, i * 4096, 4096, null);
      s.map(from, pages, MAP_SHARED, PROT_READ, file, pgoff);
      const faults = s.event(PGFAULT);
      expect(s.load(at)).toBe(0);
      const mapped = Array.from({ length: pages }, (_, i) => from + i).filter((page) => s.pfn(page) >= 0);
      expect([mapped[0], mapped.at(-1), mapped.length]).toEqual([...want, want[1]! - want[0]! + 1]);
      expect([s.event(PGFAULT) - faults, s.mm.rss[MM_FILEPAGES]]).toEqual([1, mapped.length]);
      expect(verify(s.machine)).toEqual([]);
    });
  }

  test('a store is for one page', () => {
    const s = new Space();
    const file = s.file('disk', 16);
    filemapRead(s.machine, file, 0, 16 * 4096, null);
    s.map(0, 16, MAP_SHARED, RW, file);
    s.store(3);
    expect(s.mm.rss[MM_FILEPAGES]).toBe(1);
  });
});

const DISK_OR_SHM = ['disk', 'tmpfs'] as const;

describe('signals', () => {
  for (const { why, page, write = false, want } of [
    { why: 'nothing is mapped', page: 100, want: SIGSEGV * 256 + SEGV_MAPERR },
    { why: 'nothing in front of a VMA that grows not', page: -1, want: SIGSEGV * 256 + SEGV_MAPERR },
    { why: 'a store to what is read-only', page: 8, write: true, want: SIGSEGV * 256 + SEGV_ACCERR },
    { why: 'a load of what is read-only', page: 8, want: 0 },
    { why: 'a load without any right', page: 12, want: SIGSEGV * 256 + SEGV_ACCERR },
    { why: 'a load of what is write-only: x86 has no such thing', page: 16, want: 0 },
    { why: 'a guard region', page: 2, want: SIGSEGV * 256 + SEGV_MAPERR },
    { why: 'a store to a guard region', page: 2, write: true, want: SIGSEGV * 256 + SEGV_MAPERR },
  ]) {
    test(why, () => {
      const s = new Space();
      s.map(0, 4);
      s.map(8, 2, MAP_PRIVATE, PROT_READ);
      s.map(12, 2, MAP_PRIVATE, PROT_NONE);
      s.map(16, 2, MAP_PRIVATE, PROT_WRITE);
      doMadvise(s.machine, s.mm, (PAGE + 2) * 4096, 4096, MADV_GUARD_INSTALL);
      expect(write ? s.store(page) : s.load(page)).toBe(want);
    });
  }

  for (const kind of DISK_OR_SHM) {
    for (const [flags, name] of [
      [MAP_SHARED, 'shared'],
      [MAP_PRIVATE, 'private'],
    ] as const) {
      test(`${kind}, ${name}: beyond the end of the file is SIGBUS, the last part of a page is not`, () => {
        const s = new Space();
        const file = s.file(kind, 2);
        file.inode.size = 4096 + 1;
        s.map(0, 4, flags, RW, file);
        const bus = SIGBUS * 256 + BUS_ADRERR;
        expect([0, 1, 2, 3].map((page) => s.load(page))).toEqual([0, 0, bus, bus]);
        expect([s.store(1), s.store(2)]).toEqual([0, bus]);
        expect(s.task.killed).toBe(false);
      });
    }
  }

  test('who is killed is told so first', () => {
    const s = new Space();
    s.map(0, 4);
    s.task.killed = true;
    expect([s.load(0), s.load(100)]).toEqual([SIGKILL * 256, SIGKILL * 256]);
  });

  test('a stack grows down to the access, as far as it may', () => {
    const s = new Space();
    const how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN;
    doMmap(s.machine, s.mm, (PAGE + 4000) * 4096, 4 * 4096, RW, how, null, 0);
    expect([s.store(3990), s.vma(3990).vmStart]).toEqual([0, PAGE + 3990]);
    expect(s.store(4004 - 2048 - 1)).toBe(SIGSEGV * 256 + SEGV_MAPERR);
    expect(s.store(4004 - 2048)).toBe(0);
  });
});

describe('recorded accesses and the TLB', () => {
  const access = (s: Space, kind: number, ...pages: number[]): number =>
    accessPages(
      s.machine,
      s.mm,
      Float64Array.from(pages, (p) => s.vpn(p)),
      new Uint8Array(pages.length).fill(kind),
      0,
      pages.length,
    );

  test('a young bit that reclaim cleared is not set by a hit, but after a flush', () => {
    const s = new Space();
    s.map(0, 2);
    access(s, ACCESS_WRITE, 0, 0);
    const { pageTables } = s.machine;
    expect([pageTables.testAndClearYoung(s.slot(0)), s.pte(0, PTE_YOUNG)]).toEqual([true, false]);
    access(s, ACCESS_READ, 0);
    access(s, ACCESS_WRITE, 0);
    expect(s.pte(0, PTE_YOUNG)).toBe(false);
    pageTables.flushTlb();
    access(s, ACCESS_READ, 0);
    expect(s.pte(0, PTE_YOUNG)).toBe(true);
  });

  for (const { why, kind, after } of [
    { why: 'a store after loads: the CPU must set the dirty bit', kind: ACCESS_WRITE, after: [true, true] },
    { why: 'a load after loads is a hit', kind: ACCESS_READ, after: [false, false] },
    { why: 'a fetch after loads is a hit', kind: ACCESS_FETCH, after: [false, false] },
  ]) {
    test(why, () => {
      const s = new Space();
      s.map(0, 1, MAP_PRIVATE, RW | PROT_EXEC);
      s.store(0);
      s.machine.pageTables.clear(s.slot(0), PTE_DIRTY);
      access(s, ACCESS_READ, 0);
      s.machine.pageTables.testAndClearYoung(s.slot(0));
      access(s, kind, 0);
      expect([s.pte(0, PTE_YOUNG), s.pte(0, PTE_DIRTY)]).toEqual(after);
    });
  }

  test('another address space starts with an empty TLB', () => {
    const s = new Space();
    s.map(0, 1);
    access(s, ACCESS_WRITE, 0, 0);
    const child = s.fork();
    accessPages(s.machine, child.mm!, Float64Array.of(s.vpn(0)), Uint8Array.of(ACCESS_READ), 0, 1);
    s.machine.pageTables.testAndClearYoung(s.slot(0));
    access(s, ACCESS_READ, 0);
    expect(s.pte(0, PTE_YOUNG)).toBe(true);
  });

  test('it stops at a signal, and says where and which', () => {
    const s = new Space();
    s.map(0, 2);
    expect([access(s, ACCESS_READ, 0, 1, 5, 0), s.machine.lastSignal]).toEqual([2, SIGSEGV * 256 + SEGV_MAPERR]);
    expect([access(s, ACCESS_WRITE, 0, 1), s.machine.lastSignal]).toEqual([2, 0]);
  });

  test('it stops behind the fault at which the time slice ended', () => {
    const s = new Space();
    s.map(0, 4);
    s.machine.sliceEnd = s.machine.clock.now + 1;
    expect([access(s, ACCESS_WRITE, 0, 1, 2), s.pfn(0) >= 0, s.pfn(1)]).toEqual([1, true, -1]);
  });
});

test('loads and stores of two processes: each sees its own', () => {
  const s = new Space({ swap: 'zram', limit: 200 });
  s.map(0, 100);
  for (let i = 0; i < 100; i++) s.store(i, s.mm, (1000 + i) as Token);
  const child = s.fork().mm!;
  for (let i = 0; i < 100; i += 2) storePage(s.machine, child, (PAGE + i) as Vpn, (2000 + i) as Token);
  for (let i = 0; i < 100; i++) {
    loadPage(s.machine, s.mm, s.vpn(i));
    loadPage(s.machine, child, s.vpn(i));
    expect([i, readToken(s.machine, s.mm, s.vpn(i))]).toEqual([i, 1000 + i]);
    expect([i, readToken(s.machine, child, s.vpn(i))]).toEqual([i, (i % 2 === 0 ? 2000 : 1000) + i]);
  }
  expect(verify(s.machine)).toEqual([]);
});

for (const { kernel, by, minor, major } of [
  { kernel: '6.18', by: 'the program', minor: 1, major: 0 },
  { kernel: '6.18', by: 'a copy of the kernel', minor: 0, major: 1 },
  { kernel: '6.1', by: 'the program', minor: 0, major: 1 },
]) {
  test(`${kernel}: a cached page that asks for readahead, faulted in by ${by}: ${minor} minor, ${major} major`, () => {
    const s = new Space({ kernel });
    const file = s.file('disk', 1);
    filemapRead(s.machine, file, 0, 4096, null);
    s.machine.frames.set(filemapGetPage(s.machine, file.mapping, 0 as Pgoff), PG_readahead);
    s.map(0, 1, MAP_SHARED, PROT_READ, file);
    const fails = by === 'the program' ? s.load(0) : loadPage(s.machine, s.mm, s.vpn(0), 0);
    expect([fails, s.task.minFlt, s.task.majFlt]).toEqual([0, minor, major]);
  });
}
