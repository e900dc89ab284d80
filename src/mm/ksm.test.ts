import { describe, expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import { KSM_RUN_MERGE, KSM_RUN_STOP, KSM_RUN_UNMERGE, type Ksm } from './ksm.ts';
import { isKsmPage, pageStableNode, rmapWalkKsm } from './ksm_page.ts';
import { doMadvise } from './madvise.ts';
import { isolateForMigration, MIGRATE_SYNC, migratePages, putbackMovablePages } from './migrate.ts';
import type { Mm } from './mm.ts';
import { doMunmap } from './mmap.ts';
import { doMremap } from './mremap.ts';
import { allocPages, putPage } from './page_alloc.ts';
import { PTE_RW } from './page_table.ts';
import { swapoff } from './swap/swapfile.ts';
import { MADV_MERGEABLE, MADV_UNMERGEABLE, MAP_SHARED, MREMAP_FIXED, MREMAP_MAYMOVE } from './uapi.ts';
import { NO_PFN, type Pfn, type Token } from './units.ts';
import { verify } from './verify.ts';
import { VM_MERGEABLE } from './vm_flags.ts';
import { whoMaps } from './who.ts';

const CONFIG = { kernel: '3.16', ramBytes: 32 * 2 ** 20, swap: 'zram', sysctl: { thpEnabled: false } } as const;
const SAME = 1_000_000_000 as Token;

/** Pages [0, pages) of a program, all with the same content; mergeable. */
function twins(pages: number, shared = false): { s: Space; ksm: Ksm } {
  const s = new Space(CONFIG);
  s.map(0, pages, shared ? MAP_SHARED : undefined);
  for (let page = 0; page < pages; page++) s.store(page, s.mm, SAME);
  advise(s, 0, pages, MADV_MERGEABLE);
  return { s, ksm: s.machine.ksm! };
}

function advise(s: Space, page: number, pages: number, advice: number, mm: Mm = s.mm): number {
  return doMadvise(s.machine, mm, s.vpn(page) * 4096, pages * 4096, advice);
}

/** So many scans over everything. */
function scans(ksm: Ksm, times: number): void {
  for (let i = 0; i < times; i++) {
    const { seqnr } = ksm;
    while (ksm.seqnr === seqnr) ksm.doScan(100);
  }
}

function counters(ksm: Ksm): number[] {
  return [ksm.pagesShared, ksm.pagesSharing, ksm.pagesUnshared, ksm.pagesVolatile];
}

describe('ksm', () => {
  test('a page is looked at twice before it is compared; then equal pages are one', () => {
    const { s, ksm } = twins(4);
    scans(ksm, 1);
    expect(counters(ksm)).toEqual([0, 0, 0, 4]);
    const free = (): number => s.machine.zones.reduce((sum, zone) => sum + zone.freePages + zone.pcp.count, 0);
    const before = free();
    scans(ksm, 1);
    expect(counters(ksm)).toEqual([1, 3, 0, 0]);
    const [frame] = [0, 1, 2, 3].map((page) => s.pfn(page));
    expect([1, 2, 3].map((page) => s.pfn(page))).toEqual([frame, frame, frame]);
    expect([s.machine.frames.mapcount(frame!), free() - before, s.pte(2, PTE_RW)]).toEqual([4, 3, false]);
    expect(s.mm.rss[1]).toBe(4);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a page with content of its own waits in the unstable tree', () => {
    const { s, ksm } = twins(3);
    s.store(1);
    scans(ksm, 2);
    expect(counters(ksm)).toEqual([1, 1, 1, 0]);
    // It changes between scans: not now.
    s.store(1);
    scans(ksm, 1);
    expect(counters(ksm)).toEqual([1, 1, 0, 1]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a store breaks the sharing by copy-on-write, and the next scan forgets the item', () => {
    const { s, ksm } = twins(3);
    scans(ksm, 2);
    const frame = s.pfn(0);
    s.store(1, s.mm, 7 as Token);
    expect([s.pfn(1) === frame, s.machine.frames.token(s.pfn(1)), s.machine.frames.token(frame)]).toEqual([
      false,
      7,
      SAME,
    ]);
    expect(verify(s.machine)).toEqual([]);
    expect(counters(ksm)).toEqual([1, 2, 0, 0]);
    scans(ksm, 1);
    expect(counters(ksm)).toEqual([1, 1, 0, 1]);
    // Even the last user copies: the page never changes.
    s.store(0, s.mm, 8 as Token);
    s.store(2, s.mm, 9 as Token);
    expect([s.machine.frames.refcount(frame), s.machine.frames.mapping(frame)]).toEqual([0, 0]);
    scans(ksm, 1);
    expect(counters(ksm).slice(0, 2)).toEqual([0, 0]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('later pages with the content of a merged one join it at their first look', () => {
    const { s, ksm } = twins(2);
    scans(ksm, 2);
    s.map(10, 1);
    s.store(10, s.mm, SAME);
    advise(s, 10, 1, MADV_MERGEABLE);
    scans(ksm, 1);
    expect([s.pfn(10) === s.pfn(0), ...counters(ksm)]).toEqual([true, 1, 2, 0, 0]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('processes share: each address space has its items', () => {
    const { s, ksm } = twins(1);
    const child = s.fork();
    const other = s.fork();
    for (const { mm } of [child, other]) s.store(0, mm!, SAME);
    scans(ksm, 2);
    expect(s.pfn(0, child.mm!)).toBe(s.pfn(0));
    expect(s.pfn(0, other.mm!)).toBe(s.pfn(0));
    expect(ksm.pagesSharing).toBeGreaterThan(0);
    expect(verify(s.machine)).toEqual([]);
    s.exit(child);
    expect(verify(s.machine)).toEqual([]);
  });

  test('[3.x rmap walk] KSM two passes: where ksmd has been, then forks since', () => {
    const { s, ksm } = twins(2);
    scans(ksm, 2);
    const child = s.fork();
    const frame = s.pfn(0);
    const met: string[] = [];
    rmapWalkKsm(s.machine, pageStableNode(s.machine, frame)!, (vma, vpn) => {
      met.push(`${vma.vmMm === s.mm ? 'own' : 'fork'} ${vpn - s.vpn(0)}`);
      return true;
    });
    expect(met.slice(0, 2).every((line) => line.startsWith('own'))).toBe(true);
    expect(met.slice(2).every((line) => line.startsWith('fork'))).toBe(true);
    expect([met.length, s.machine.frames.mapcount(frame)]).toEqual([4, 4]);
    const who = whoMaps(s.machine, frame);
    expect([who.mapping.kind, who.mapping.word & 3]).toEqual(['ksm', 3]);
    expect(verify(s.machine)).toEqual([]);
    s.exit(child);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a merged page goes to swap as one, and who comes second gets a copy', () => {
    const { s, ksm } = twins(3);
    scans(ksm, 2);
    const frame = s.pfn(0);
    s.reclaimToSwap(3);
    expect([s.mm.rss[1], s.mm.rss[2]]).toEqual([0, 3]);
    const entries = [0, 1, 2].map((page) => s.machine.pageTables.swapEntry(s.slot(page)));
    expect(new Set(entries).size).toBe(1);
    expect(verify(s.machine)).toEqual([]);
    for (let page = 0; page < 3; page++) {
      s.load(page);
      expect(s.machine.frames.token(s.pfn(page))).toBe(SAME);
    }
    expect(new Set([0, 1, 2].map((page) => s.pfn(page))).size).toBe(3);
    expect(isKsmPage(s.machine, s.pfn(0))).toBe(false);
    expect(frame).not.toBe(NO_PFN);
    expect(verify(s.machine)).toEqual([]);
  });

  test('swapoff brings a merged page back to each of its owners', () => {
    const { s, ksm } = twins(3);
    scans(ksm, 2);
    s.reclaimToSwap(3);
    expect(swapoff(s.machine, 0)).toBe(0);
    expect([s.mm.rss[1], s.mm.rss[2]]).toEqual([3, 0]);
    for (let page = 0; page < 3; page++) expect(s.machine.frames.token(s.pfn(page))).toBe(SAME);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a merged page moves, and its stable node with it', () => {
    const { s, ksm } = twins(2);
    scans(ksm, 2);
    const { machine } = s;
    const old = s.pfn(0);
    const node = pageStableNode(machine, old)!;
    machine.lru.drain();
    const pages = [old];
    expect(isolateForMigration(machine, old)).toBe(true);
    const target = {
      alloc: () => allocPages(machine, GFP_HIGHUSER_MOVABLE, 0),
      free: (pfn: Pfn) => putPage(machine, pfn),
    };
    expect(migratePages(machine, pages, target, MIGRATE_SYNC)).toBe(0);
    putbackMovablePages(machine, pages);
    expect([s.pfn(0) === old, s.pfn(1) === s.pfn(0), node.kpfn === s.pfn(0)]).toEqual([false, true, true]);
    expect(verify(machine)).toEqual([]);
  });

  test('MADV_UNMERGEABLE, mremap and run = 2 take merged pages apart', () => {
    const { s, ksm } = twins(6);
    scans(ksm, 2);
    expect(ksm.pagesSharing).toBe(5);
    expect(advise(s, 0, 2, MADV_UNMERGEABLE)).toBe(0);
    expect([s.vma(0).vmFlags & VM_MERGEABLE, s.mm.mapCount, s.pfn(0) !== s.pfn(1)]).toEqual([0, 2, true]);
    expect(isKsmPage(s.machine, s.pfn(0))).toBe(false);
    doMremap(s.machine, s.mm, s.vpn(2) * 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, s.vpn(20) * 4096);
    expect([isKsmPage(s.machine, s.pfn(20)), isKsmPage(s.machine, s.pfn(3))]).toEqual([false, true]);
    expect(verify(s.machine)).toEqual([]);
    expect(ksm.setRun(KSM_RUN_UNMERGE)).toBe(0);
    expect([3, 4, 5].map((page) => isKsmPage(s.machine, s.pfn(page)))).toEqual([false, false, false]);
    expect([...counters(ksm), ksm.runState]).toEqual([0, 0, 0, 0, KSM_RUN_UNMERGE]);
    expect(verify(s.machine)).toEqual([]);
  });

  test('shared memory is left alone without a word; a program without mergeable memory is forgotten', () => {
    const { s, ksm } = twins(2, true);
    expect([s.vma(0).vmFlags & VM_MERGEABLE, ksm.has(s.mm)]).toEqual([0, false]);
    s.map(10, 2);
    expect(advise(s, 10, 2, MADV_MERGEABLE)).toBe(0);
    expect([ksm.has(s.mm), s.mm.mmCount]).toEqual([true, 2]);
    doMunmap(s.machine, s.mm, s.vpn(10) * 4096, 2 * 4096);
    scans(ksm, 1);
    expect([ksm.has(s.mm), s.mm.mmCount]).toEqual([false, 1]);
  });

  test('ksmd looks at 100 pages every 20 ms while it runs, and at none when it is stopped', () => {
    const { s, ksm } = twins(150);
    s.machine.advance(1_000_000_000);
    expect([ksm.rmapItems, ksm.runState]).toEqual([0, KSM_RUN_STOP]);
    ksm.setRun(KSM_RUN_MERGE);
    s.machine.advance(0);
    expect(ksm.rmapItems).toBe(100);
    s.machine.advance(20_000_000);
    expect([ksm.rmapItems, ksm.seqnr]).toEqual([150, 1]);
    s.machine.advance(60_000_000);
    expect([ksm.pagesShared, ksm.pagesSharing]).toEqual([1, 149]);
    ksm.setRun(KSM_RUN_STOP);
    const { seqnr } = ksm;
    s.machine.advance(1_000_000_000);
    expect(ksm.seqnr).toBe(seqnr);
    expect(verify(s.machine)).toEqual([]);
  });

  test('a page that somebody else holds is not merged', () => {
    const { s, ksm } = twins(2);
    s.machine.lru.drain();
    s.machine.frames.get(s.pfn(0));
    scans(ksm, 3);
    expect(ksm.pagesShared).toBe(0);
    s.machine.frames.putTestzero(s.pfn(0));
    scans(ksm, 2);
    expect(ksm.pagesShared).toBe(1);
  });

  test('kernels without it take the advice, and do nothing', () => {
    const s = new Space({ ...CONFIG, kernel: '6.18' });
    s.map(0, 2);
    expect([advise(s, 0, 2, MADV_MERGEABLE), s.machine.ksm, s.vma(0).vmFlags & VM_MERGEABLE]).toEqual([
      0,
      null,
      VM_MERGEABLE,
    ]);
  });
});
