import { describe, expect, test } from 'vitest';
import { PAGE, Space } from '../../test/space.ts';
import { MIGRATE_MOVABLE_3 } from './buddy_3.ts';
import { COMPACT_COMPLETE, COMPACT_PARTIAL, COMPACT_SKIPPED, fragmentationIndex, WHOLE_ZONE } from './compaction.ts';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from './gfp.ts';
import { Machine } from './machine.ts';
import {
  doMbind,
  doMigratePages,
  doMovePages,
  doSetMempolicy,
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_INTERLEAVE,
  MPOL_MF_MOVE,
  MPOL_MF_STRICT,
  MPOL_PREFERRED,
  nodeOf,
} from './mempolicy.ts';
import {
  isolateForMigration,
  MIGRATE_ASYNC,
  MIGRATE_SYNC,
  MIGRATE_SYNC_LIGHT,
  migratePages,
  putbackMovablePages,
} from './migrate.ts';
import { doMunmap } from './mmap.ts';
import { allocPages, putPage } from './page_alloc.ts';
import { physical_3 } from './page_alloc_3.ts';
import { PG_dirty, PG_swapcache } from './page_flags.ts';
import { PTE_MIGRATION, PTE_MIGRATION_WRITE, PTE_RW, PTE_YOUNG } from './page_table.ts';
import { swapCacheGet } from './swap/swap_state.ts';
import { MAP_SHARED, PROT_READ } from './uapi.ts';
import { NO_PFN, type Pfn, type SwapEntry } from './units.ts';
import { verify } from './verify.ts';
import {
  COMPACT_FREE_SCANNED,
  COMPACT_MIGRATE_SCANNED,
  COMPACTSTALL,
  COMPACTSUCCESS,
  PGMIGRATE_FAIL,
  PGMIGRATE_SUCCESS,
} from './vmstat.ts';

const MIB = 2 ** 20;
const CONFIG = { kernel: '3.16', ramBytes: 32 * MIB, swap: 'zram', sysctl: { thpEnabled: false } } as const;

/** Moves one frame somewhere else; what migratePages said. */
function move(machine: Machine, pfn: Pfn, mode: number = MIGRATE_SYNC): number {
  machine.lru.drain();
  const pages = [pfn];
  if (!isolateForMigration(machine, pfn)) throw new Error(`frame ${pfn} is on no list`);
  const target = {
    alloc: () => allocPages(machine, GFP_HIGHUSER_MOVABLE, 0),
    free: (page: Pfn) => putPage(machine, page),
  };
  const failed = migratePages(machine, pages, target, mode);
  putbackMovablePages(machine, pages);
  machine.lru.drain();
  return failed;
}

describe('migration', () => {
  test('[3.x migration] entries say where the page will be while it moves, and every mapping comes back', () => {
    const s = new Space(CONFIG);
    const { machine, mm } = s;
    s.map(0, 2);
    s.store(0);
    const child = s.fork();
    const old = s.pfn(0);
    const token = machine.frames.token(old);
    const seen: number[] = [];
    const { addAnon } = machine.rmap;
    machine.rmap.addAnon = (pfn, vma, vpn, exclusive) => {
      const slot = machine.pageTables.slotOf(vma.vmMm.pageTables, vpn);
      seen.push(machine.pageTables.bits[slot]! & (PTE_MIGRATION | PTE_MIGRATION_WRITE), machine.pageTables.pfn(slot));
      addAnon.call(machine.rmap, pfn, vma, vpn, exclusive);
    };
    expect(move(machine, old)).toBe(0);
    // After the fork both entries are read-only.
    expect(seen).toEqual([PTE_MIGRATION, old, PTE_MIGRATION, old]);
    const fresh = s.pfn(0);
    expect([fresh === old, s.pfn(0, child.mm!)]).toEqual([false, fresh]);
    expect([machine.frames.mapcount(fresh), machine.frames.refcount(old), machine.frames.token(fresh)]).toEqual([
      2,
      0,
      token,
    ]);
    expect([s.event(PGMIGRATE_SUCCESS), s.event(PGMIGRATE_FAIL), mm.rss[1]]).toEqual([1, 0, 1]);
    expect(verify(machine)).toEqual([]);
  });

  test('a writable entry is writable again, old, and the page knows that it was written', () => {
    const s = new Space(CONFIG);
    s.map(0, 1);
    s.store(0);
    expect(move(s.machine, s.pfn(0))).toBe(0);
    expect([s.pte(0, PTE_RW), s.pte(0, PTE_YOUNG), s.machine.frames.has(s.pfn(0), PG_dirty)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('a dirty page of a file moves in the page cache, and is written from its new place', () => {
    const s = new Space(CONFIG);
    const file = s.file('disk', 4);
    s.map(0, 4, MAP_SHARED, undefined, file);
    s.storeAll(0, 4);
    const old = s.pfn(2);
    const token = s.machine.frames.token(old);
    expect(move(s.machine, old)).toBe(0);
    expect(file.mapping.pages.load(2) - 1).toBe(s.pfn(2));
    expect(verify(s.machine)).toEqual([]);
    s.machine.advance(60_000_000_000);
    expect(file.inode.disk[2]).toBe(token);
    expect(verify(s.machine)).toEqual([]);
  });

  test('shared memory moves with everybody who maps it', () => {
    const s = new Space(CONFIG);
    s.map(0, 2, MAP_SHARED);
    s.store(1);
    const child = s.fork();
    s.load(1, child.mm!);
    const old = s.pfn(1);
    expect(move(s.machine, old)).toBe(0);
    expect([s.pfn(1) !== old, s.pfn(1, child.mm!) === s.pfn(1), s.machine.frames.mapcount(s.pfn(1))]).toEqual([
      true,
      true,
      2,
    ]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('an anonymous page in the swap cache: its entries become swap entries, the cache has the new frame', () => {
    const s = new Space(CONFIG);
    const { machine } = s;
    s.map(0, 1);
    s.store(0);
    s.fork();
    s.reclaimToSwap(1);
    s.load(0);
    const old = s.pfn(0);
    expect(machine.frames.has(old, PG_swapcache)).toBe(true);
    const entry = machine.frames.private_(old) as SwapEntry;
    const token = machine.frames.token(old);
    expect(move(machine, old)).toBe(0);
    expect([s.pfn(0), s.mm.rss[1], s.mm.rss[2]]).toEqual([NO_PFN, 0, 1]);
    const fresh = swapCacheGet(machine, entry);
    expect([fresh !== old, machine.frames.token(fresh)]).toEqual([true, token]);
    expect(verify(machine)).toEqual([]);
    s.load(0);
    expect(s.pfn(0)).toBe(fresh);
  });

  test('a page that somebody else holds stays, and its entries are what they were', () => {
    const s = new Space(CONFIG);
    s.map(0, 1);
    s.store(0);
    const old = s.pfn(0);
    s.machine.lru.drain();
    s.machine.frames.get(old);
    expect(move(s.machine, old, MIGRATE_SYNC_LIGHT)).toBe(1);
    expect([s.pfn(0), s.pte(0, PTE_RW), s.event(PGMIGRATE_SUCCESS)]).toEqual([old, true, 0]);
    s.machine.frames.putTestzero(old);
    expect(verify(s.machine)).toEqual([]);
  });
});

/** Every second page of all there is belongs to the program, the others are free: nothing of order 1. */
function checkerboard(): Space {
  const s = new Space({ ...CONFIG, ramBytes: 16 * MIB });
  s.map(0, 2400);
  s.storeAll(0, 2400);
  for (let page = 0; page < 2400; page += 2) doMunmap(s.machine, s.mm, s.vpn(page) * 4096, 4096);
  s.machine.physical.drainAll();
  return s;
}

describe('compaction', () => {
  test('a pass moves pages from the start of the zone to its end, and whole blocks come free', () => {
    const s = checkerboard();
    const { machine } = s;
    const zone = machine.zones[0]!;
    const before = Array.from({ length: 2400 }, (_, page) => (page % 2 === 0 ? NO_PFN : s.pfn(page)));
    const tokens = before.map((pfn) => (pfn === NO_PFN ? -1 : machine.frames.token(pfn)));
    const large = (): number => [7, 8, 9, 10].reduce((sum, order) => sum + machine.physical.freeBlocks(zone, order), 0);
    const had = large();
    expect(physical_3(machine).compaction[0]!.compactZone(WHOLE_ZONE, MIGRATE_MOVABLE_3, MIGRATE_SYNC)).toBe(
      COMPACT_COMPLETE,
    );
    machine.physical.drainAll();
    expect(large()).toBeGreaterThan(had);
    expect(s.event(COMPACT_MIGRATE_SCANNED)).toBeGreaterThan(0);
    expect(s.event(COMPACT_FREE_SCANNED)).toBeGreaterThan(0);
    for (let page = 1; page < 2400; page += 2) {
      expect(machine.frames.token(s.pfn(page))).toBe(tokens[page]!);
      if (s.pfn(page) !== before[page]) expect(s.pfn(page)).toBeGreaterThan(before[page]!);
    }
    expect(verify(machine)).toEqual([]);
  });

  test('an allocation of a higher order compacts before it reclaims', () => {
    const s = checkerboard();
    const { machine } = s;
    let reclaimed = 0;
    const { tryToFreePages } = machine.reclaim;
    machine.reclaim.tryToFreePages = (...args) => {
      reclaimed += 1;
      return tryToFreePages.apply(machine.reclaim, args);
    };
    const held: Pfn[] = [];
    while (s.event(COMPACTSTALL) === 0 && held.length < 64) held.push(allocPages(machine, GFP_KERNEL, 5));
    expect([s.event(COMPACTSTALL), s.event(COMPACTSUCCESS), reclaimed, held.at(-1)! >= 0]).toEqual([1, 1, 0, true]);
    for (const pfn of held) putPage(machine, pfn);
    s.loadAll(1, 1);
    expect(verify(machine)).toEqual([]);
  });

  test('it is worth it only when free memory is in pieces, and enough of it is there', () => {
    const s = checkerboard();
    const compaction = physical_3(s.machine).compaction[0]!;
    const zone = s.machine.zones[0]!;
    expect(fragmentationIndex(zone, 0)).toBe(-1000);
    expect(compaction.suitable(0)).toBe(COMPACT_PARTIAL);
    zone.freePages -= zone.freePages;
    expect(compaction.suitable(3)).toBe(COMPACT_SKIPPED);
  });

  for (const { why, blocks, order, want } of [
    { why: 'nothing is free: memory is short', blocks: [], order: 3, want: 0 },
    { why: 'a block is there', blocks: [0, 0, 0, 1], order: 3, want: -1000 },
    { why: 'one page, and 16 wanted: short', blocks: [1], order: 4, want: -62 },
    { why: '1,000 single pages: in pieces', blocks: [1000], order: 4, want: 937 },
    { why: '1,000 single pages are no 1,024', blocks: [1000], order: 10, want: 999 },
  ]) {
    test(`fragmentation index: ${why}`, () => {
      const zone = new Machine({ kernel: '3.16', ramBytes: 16 * MIB }).zones[0]!;
      zone.nrFree.fill(0);
      blocks.forEach((n, o) => {
        zone.nrFree[o * 4] = n;
      });
      expect(fragmentationIndex(zone, order)).toBe(want);
    });
  }

  test('after a failure 1, 3, 7 … 63 attempts are not made; a success ends that', () => {
    const compaction = physical_3(new Machine({ kernel: '3.16', ramBytes: 16 * MIB })).compaction[0]!;
    const skipped = (): number => {
      let n = 0;
      while (compaction.isDeferred(4)) n += 1;
      return n;
    };
    expect(skipped()).toBe(0);
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      compaction.defer(4);
      waits.push(skipped());
    }
    expect(waits).toEqual([1, 3, 7, 15, 31, 63, 63, 63]);
    expect(compaction.isDeferred(3)).toBe(false);
    compaction.deferReset(4, true);
    expect([compaction.deferShift, compaction.isDeferred(4)]).toEqual([0, false]);
  });

  test('an async pass leaves unmovable pageblocks alone', () => {
    const s = checkerboard();
    const zone = s.machine.zones[0]!;
    zone.pageblockType.fill(0);
    const compaction = physical_3(s.machine).compaction[0]!;
    compaction.compactZone(WHOLE_ZONE, MIGRATE_MOVABLE_3, MIGRATE_ASYNC);
    expect(s.event(COMPACT_MIGRATE_SCANNED)).toBe(0);
  });
});

describe('NUMA policy', () => {
  const twoNodes = (): Space =>
    new Space({
      kernel: '3.16',
      nodes: [{ bytes: 32 * MIB }, { bytes: 32 * MIB }],
      ramBytes: 64 * MIB,
      sysctl: { thpEnabled: false },
    });
  const nodes = (s: Space, pages: number): number[] =>
    Array.from({ length: pages }, (_, page) => nodeOf(s.machine, s.pfn(page)));

  for (const { why, mode, mask, want } of [
    { why: 'default is the node of the CPU', mode: MPOL_DEFAULT, mask: 0, want: [0, 0, 0, 0] },
    { why: 'preferred is asked first', mode: MPOL_PREFERRED, mask: 2, want: [1, 1, 1, 1] },
    { why: 'bind takes from its nodes only', mode: MPOL_BIND, mask: 2, want: [1, 1, 1, 1] },
    { why: 'interleave takes them in turn, page tables too', mode: MPOL_INTERLEAVE, mask: 3, want: [1, 0, 1, 0] },
  ]) {
    test(`set_mempolicy: ${why}`, () => {
      const s = twoNodes();
      s.map(0, 4);
      // The page tables are there, and would take turns, too.
      s.map(8, 1);
      s.store(8);
      expect(doSetMempolicy(s.machine, s.task, mode, mask)).toBe(0);
      if (mode === MPOL_INTERLEAVE) s.task.ilNext = 1;
      s.storeAll(0, 4);
      expect(nodes(s, 4)).toEqual(want);
      expect(verify(s.machine)).toEqual([]);
    });
  }

  test('mbind: the mapping’s policy wins over the task’s, and interleaves by the page’s place', () => {
    const s = twoNodes();
    s.map(0, 8);
    doSetMempolicy(s.machine, s.task, MPOL_BIND, 1);
    expect(doMbind(s.machine, s.mm, PAGE * 4096, 4 * 4096, MPOL_INTERLEAVE, 3, 0)).toBe(0);
    expect(s.mm.mapCount).toBe(2);
    for (const page of [3, 1, 0, 2]) s.store(page);
    expect(nodes(s, 4)).toEqual([0, 1, 0, 1]);
    // The same policy again: one VMA.
    expect(doMbind(s.machine, s.mm, PAGE * 4096, 8 * 4096, MPOL_INTERLEAVE, 3, 0)).toBe(0);
    expect(s.mm.mapCount).toBe(1);
    expect(doMbind(s.machine, s.mm, PAGE * 4096, 8 * 4096, MPOL_DEFAULT, 0, 0)).toBe(0);
    expect(s.vma(0).vmPolicy).toBe(null);
    s.store(5);
    expect(nodeOf(s.machine, s.pfn(5))).toBe(0);
    expect(verify(s.machine)).toEqual([]);
  });

  test('mbind: STRICT refuses what is elsewhere, MOVE moves it', () => {
    const s = twoNodes();
    s.map(0, 4);
    s.storeAll(0, 4);
    const bind = (flags: number): number => doMbind(s.machine, s.mm, PAGE * 4096, 4 * 4096, MPOL_BIND, 2, flags);
    expect(bind(MPOL_MF_STRICT)).toBe(-5);
    expect(bind(MPOL_MF_MOVE | MPOL_MF_STRICT)).toBe(0);
    expect(nodes(s, 4)).toEqual([1, 1, 1, 1]);
    expect(verify(s.machine)).toEqual([]);
  });

  for (const { why, addr, length, mode, mask, flags, want } of [
    { why: 'inside a page', addr: PAGE * 4096 + 1, length: 4096, mode: MPOL_BIND, mask: 1, flags: 0, want: -22 },
    { why: 'a node that is not there', addr: PAGE * 4096, length: 4096, mode: MPOL_BIND, mask: 4, flags: 0, want: -22 },
    { why: 'no node at all', addr: PAGE * 4096, length: 4096, mode: MPOL_INTERLEAVE, mask: 0, flags: 0, want: -22 },
    { why: 'default with a node', addr: PAGE * 4096, length: 4096, mode: MPOL_DEFAULT, mask: 1, flags: 0, want: -22 },
    { why: 'an unknown flag', addr: PAGE * 4096, length: 4096, mode: MPOL_BIND, mask: 1, flags: 64, want: -22 },
    { why: 'a hole', addr: PAGE * 4096, length: 9 * 4096, mode: MPOL_BIND, mask: 1, flags: 0, want: -14 },
    { why: 'nothing is no error', addr: PAGE * 4096, length: 0, mode: MPOL_BIND, mask: 1, flags: 0, want: 0 },
  ]) {
    test(`mbind: ${why}`, () => {
      const s = twoNodes();
      s.map(0, 4);
      expect(doMbind(s.machine, s.mm, addr, length, mode, mask, flags)).toBe(want);
    });
  }

  test('move_pages and migrate_pages: page by page, or all of a node', () => {
    const s = twoNodes();
    s.map(0, 5);
    s.storeAll(0, 4);
    const addresses = [0, 1, 4, 9].map((page) => s.vpn(page) * 4096);
    expect(doMovePages(s.machine, s.mm, addresses, null, 0)).toEqual([0, 0, -2, -14]);
    expect(doMovePages(s.machine, s.mm, addresses.slice(0, 2), [1, 0], MPOL_MF_MOVE)).toEqual([1, 0]);
    expect(nodes(s, 4)).toEqual([1, 0, 0, 0]);
    expect(doMigratePages(s.machine, s.mm, 1, 2)).toBe(0);
    expect(nodes(s, 4)).toEqual([1, 1, 1, 1]);
    const child = s.fork();
    expect(doMovePages(s.machine, child.mm!, addresses.slice(0, 1), [0], MPOL_MF_MOVE)).toEqual([-13]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('bind is kept when its node is full: reclaim, not the other node', () => {
    const s = twoNodes();
    s.map(0, 200, undefined, PROT_READ);
    doSetMempolicy(s.machine, s.task, MPOL_BIND, 2);
    while (physical_3(s.machine).allocPagesNodemask(GFP_HIGHUSER_MOVABLE & ~(1 << 8), 0, 0, 2) !== NO_PFN);
    const pfn = physical_3(s.machine).allocPagesNodemask(GFP_HIGHUSER_MOVABLE & ~(1 << 8), 0, 0, 3);
    expect(nodeOf(s.machine, pfn)).toBe(0);
  });
});
