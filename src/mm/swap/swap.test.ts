import { describe, expect, test, vi } from 'vitest';
import { Clock } from '../clock.ts';
import { Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { MemCgroup, MemcgStock, tryCharge_6 } from '../memcg.ts';
import { MemMap } from '../memmap.ts';
import { MM_SWAPENTS } from '../mm.ts';
import { mmlistAdd } from '../mmlist.ts';
import {
  PG_dirty,
  PG_locked,
  PG_readahead,
  PG_swapbacked,
  PG_swapcache,
  PG_uptodate,
  PG_writeback,
} from '../page_flags.ts';
import { PageTableRoot, PageTables } from '../page_table.ts';
import {
  NO_PFN,
  NO_SWAP,
  type Pfn,
  type SwapEntry,
  swpOffset,
  swpType,
  type Token,
  type Vpn,
  ZERO_TOKEN,
} from '../units.ts';
import type { Vma } from '../vma.ts';
import { NR_VM_EVENTS, PSWPIN, PSWPOUT, SWAP_RA, SWAP_RA_HIT, SWPIN_ZERO, SWPOUT_ZERO } from '../vmstat.ts';
import { PgData } from '../zone.ts';
import { SWAP_MAP_SHMEM } from './area.ts';
import { allocSlotFromClusters } from './clusters.ts';
import { endSwapRead, endSwapWrite, swapReadpage, swapWritepage } from './page_io.ts';
import { allocSlotFromCache } from './slots_cache.ts';
import {
  addToSwap,
  addToSwapCache,
  readSwapCacheAsync,
  removeSwapMapping,
  swapCacheGet,
  swapCacheGetForFault,
  swapinReadahead,
  window,
} from './swap_state.ts';
import {
  folioAllocSwap,
  folioFreeSwap,
  freeSwapAndCache,
  memCgroupGetNrSwapPages,
  memCgroupSwapFull,
  SwapAreas,
  type SwapConfig,
  swapCount,
  swapDuplicate,
  swapFree,
  swapoff,
  swapon,
  swapShmemAlloc,
  swpSwapcount,
  vmSwapFull,
} from './swapfile.ts';
import { verifySwap } from './verify_swap.ts';

// The rest of the machine, as small as it can be: frames from a stack, no reclaim, I/O that waits until it is told.
interface Stub extends Machine {
  freeFrames: Pfn[];
  submitted: { write: boolean; pfn: Pfn; entry: SwapEntry }[];
}
vi.mock('../page_alloc.ts', () => ({
  allocPages: (m: Stub): Pfn => {
    const pfn = m.freeFrames.pop() ?? NO_PFN;
    if (pfn !== NO_PFN) m.frames.setRefcount(pfn, 1);
    return pfn;
  },
  putPage: (m: Stub, pfn: Pfn): void => {
    if (!m.frames.putTestzero(pfn)) return;
    m.frames.clear(pfn, 0xffffff);
    m.frames.setMemcg(pfn, 0);
    m.freeFrames.push(pfn);
  },
  compoundHead: (_m: Stub, pfn: Pfn): Pfn => pfn,
  compoundOrder: (): number => 0,
  getPage: (m: Stub, pfn: Pfn): void => m.frames.get(pfn),
  allocPageTablePage: (): Pfn => 0 as Pfn,
  freePageTablePage: (): void => undefined,
}));
vi.mock('../block.ts', () => ({
  newDisk: (name: string) => ({ name }),
  submitSwapRead: (m: Stub, _d: unknown, pfn: Pfn, entry: SwapEntry): void =>
    void m.submitted.push({ write: false, pfn, entry }),
  submitSwapWrite: (m: Stub, _d: unknown, pfn: Pfn, entry: SwapEntry): void =>
    void m.submitted.push({ write: true, pfn, entry }),
  waitOnPageLocked: (m: Stub): void => complete(m),
  waitOnPageWriteback: (m: Stub): void => complete(m),
}));
vi.mock('../filemap.ts', () => ({
  endPageWriteback: (m: Machine, pfn: Pfn): void => m.frames.clear(pfn, PG_writeback),
}));
vi.mock('../writeback.ts', () => ({
  setPageWriteback: (m: Machine, pfn: Pfn): void => m.frames.set(pfn, PG_writeback),
}));
vi.mock('../shmem.ts', () => ({ shmemUnuse: (): number => 0 }));
vi.mock('../oom.ts', () => ({ memCgroupOutOfMemory: (): boolean => false }));
vi.mock('../vma_tree.ts', () => ({ VmaTree: class {} }));

function complete(m: Stub): void {
  for (const io of m.submitted.splice(0)) (io.write ? endSwapWrite : endSwapRead)(m, io.pfn, io.entry);
}

const FRAMES = 2600;
const MIB = 1024 * 1024;
type Kernel = '6.18' | '6.1';

function newMachine(kernel: Kernel, v1 = false): Stub {
  const frames = new MemMap(FRAMES);
  const old = kernel === '6.1';
  const node = new PgData(0);
  const root = new MemCgroup(1, '/', null, v1, 60);
  root.lruvecs.push(new Lruvec(frames, root, node, null, null));
  const child = new MemCgroup(2, 'a', root, v1, 60);
  child.lruvecs.push(new Lruvec(frames, child, node, null, root.lruvecs[0]!));
  const machine = {
    config: { cpus: 1 },
    generation: {
      switches: {
        chargesSwapinAtRead: true,
        swapReadaheadMarksNew: true,
        swapfileCluster: 512,
        swapSlotsCache: old,
        swapZeromap: !old,
        swapSyncBio: !old,
        loneSwapinWaits: old,
      },
      tryCharge: tryCharge_6,
      allocSwapSlot: old ? allocSlotFromCache : allocSlotFromClusters,
      swapinReadahead,
    },
    contents: { isZero: (token: Token) => token === ZERO_TOKEN },
    sysctl: { pageCluster: 3, overcommitMemory: 0 },
    frames,
    clock: new Clock(),
    pageTables: new PageTables({ entries: 64, victims: 8, jumps: 64 }, false, new Clock()),
    nodes: [node],
    zones: [{ pgdat: node, lruvec: 0 }],
    events: new Float64Array(NR_VM_EVENTS),
    memcgs: [root, root, child],
    rootMemcg: root,
    memcgStock: new MemcgStock(),
    swap: new SwapAreas(),
    disk: { name: 'vda' },
    inodes: new Map(),
    mms: [],
    initMm: { mmlistNext: null, mmlistPrev: null },
    current: { mm: null, memalloc: false },
    fault: {},
    lru: { add: () => undefined, drain: () => undefined },
    workingset: { refault: (pfn: Pfn, shadow: number) => frames.setIndex(pfn, shadow as never) },
    rmap: { addAnon: () => undefined },
    freeFrames: Array.from({ length: FRAMES - 1 }, (_, i) => (FRAMES - 1 - i) as Pfn),
    submitted: [],
  };
  const stub = machine as unknown as Stub;
  Object.assign(stub.initMm, { mmlistNext: stub.initMm, mmlistPrev: stub.initMm });
  return stub;
}

/** A page with one reference, uptodate and locked, as reclaim holds it. */
function newPage(m: Stub, token = 1): Pfn {
  const pfn = m.freeFrames.pop()!;
  m.frames.setRefcount(pfn, 1);
  m.frames.set(pfn, PG_locked | PG_swapbacked | PG_uptodate);
  m.frames.setToken(pfn, token as Token);
  m.frames.setMemcg(pfn, 2);
  return pfn;
}

function freePage(m: Stub, pfn: Pfn): void {
  m.frames.setRefcount(pfn, 0);
  m.frames.clear(pfn, 0xffffff);
  m.frames.setMemcg(pfn, 0);
  m.freeFrames.push(pfn);
}

/** `count` slots, each for a page that is gone, one entry to each. */
function fill(m: Stub, count: number): SwapEntry[] {
  return Array.from({ length: count }, (_, i) => swapOut(m, i + 1));
}

function swapOut(m: Stub, token: number): SwapEntry {
  const pfn = newPage(m, token);
  expect(addToSwap(m, pfn)).toBe(true);
  const entry = m.frames.private_(pfn) as SwapEntry;
  swapDuplicate(m, entry);
  m.frames.clear(pfn, PG_dirty);
  swapWritepage(m, pfn);
  complete(m);
  m.frames.set(pfn, PG_locked);
  removeSwapMapping(m, pfn, 77);
  freePage(m, pfn);
  return entry;
}

const ZRAM: SwapConfig = { bytes: 8 * MIB, device: 'zram' };
const DISK: SwapConfig = { bytes: 8 * MIB, device: 'disk' };

describe('slots', () => {
  for (const { why, kernel, config, first } of [
    { why: '6.18 on a disk', kernel: '6.18', config: DISK, first: 1 },
    { why: '6.18 on zram', kernel: '6.18', config: ZRAM, first: 1 },
    { why: '6.1 on a disk', kernel: '6.1', config: DISK, first: 1 },
    { why: '6.1 on zram begins with a cluster that is wholly free', kernel: '6.1', config: ZRAM, first: 512 },
  ] as const) {
    test(`an empty area is filled in order: ${why}`, () => {
      const m = newMachine(kernel);
      swapon(m, config);
      expect(fill(m, 600).map(swpOffset)).toEqual(Array.from({ length: 600 }, (_, i) => first + i));
      expect(verifyColumns(m)).toEqual([]);
    });
  }

  for (const { why, kernel, device, priorities, want } of [
    {
      why: 'equal disks take turns by the slot',
      kernel: '6.18',
      device: 'disk',
      priorities: [5, 5],
      want: [0, 1, 0, 1],
    },
    {
      why: 'equal zrams take turns by the cluster',
      kernel: '6.18',
      device: 'zram',
      priorities: [5, 5],
      want: [0, 0, 0, 0],
    },
    { why: 'the highest priority is first', kernel: '6.18', device: 'disk', priorities: [5, 6], want: [1, 1, 1, 1] },
    {
      why: 'without a priority, in the order of swapon',
      kernel: '6.18',
      device: 'disk',
      priorities: [undefined, undefined],
      want: [0, 0, 0, 0],
    },
    { why: '6.1 takes turns by 64', kernel: '6.1', device: 'zram', priorities: [5, 5], want: [0, 0, 0, 0] },
  ] as const) {
    test(`areas: ${why}`, () => {
      const m = newMachine(kernel);
      for (const p of priorities) swapon(m, { bytes: 8 * MIB, device, ...(p === undefined ? {} : { priority: p }) });
      expect(fill(m, 4).map(swpType)).toEqual(want);
    });
  }

  test('6.1 keeps 64 slots ahead, and gives back 64 at a time', () => {
    const m = newMachine('6.1');
    swapon(m, ZRAM);
    const total = m.swap.nrSwapPages;
    const entries = fill(m, 65);
    expect(m.swap.nrSwapPages).toBe(total - 128);
    for (const entry of entries.slice(0, 64)) swapFree(m, entry);
    expect(m.swap.nrSwapPages).toBe(total - 128);
    swapFree(m, entries[64]!);
    expect(m.swap.nrSwapPages).toBe(total - 64);
    expect(m.rootMemcg.swap.usage).toBe(1);
    expect(verifyColumns(m)).toEqual([]);
  });

  for (const kernel of ['6.18', '6.1'] as const) {
    for (const device of ['zram', 'disk'] as const) {
      test(`a full area refuses, and one freed slot is enough: ${kernel} ${device}`, () => {
        const m = newMachine(kernel);
        swapon(m, { bytes: 1100 * 4096, device });
        const entries = fill(m, 1099);
        const pfn = newPage(m);
        expect(folioAllocSwap(m, pfn)).toBe(NO_SWAP);
        expect(m.memcgs[2]!.swapEvents).toEqual({ high: 0, max: 0, fail: 1 });
        swapFree(m, entries[700]!);
        expect(folioAllocSwap(m, pfn)).toBe(entries[700]);
      });
    }
  }

  test('a slot whose page is back in memory is taken when half of swap is', () => {
    const m = newMachine('6.18');
    swapon(m, { bytes: 101 * 4096, device: 'zram' });
    const entries = fill(m, 100);
    const pfn = readSwapCacheAsync(m, entries[9]!, 0);
    swapFree(m, entries[9]!);
    expect(swapCacheGet(m, entries[9]!)).toBe(pfn);
    expect(folioAllocSwap(m, newPage(m))).toBe(NO_SWAP);
    swapFree(m, entries[50]!);
    expect(folioAllocSwap(m, newPage(m))).toBe(entries[9]);
    expect(m.frames.has(pfn, PG_swapcache)).toBe(false);
    expect(m.frames.has(pfn, PG_dirty)).toBe(true);
  });
});

describe('counts', () => {
  test('a slot has as many users as one likes', () => {
    const m = newMachine('6.18');
    swapon(m, ZRAM);
    const [entry] = fill(m, 1);
    for (let n = 1; n <= 200; n++) {
      expect(swpSwapcount(m, entry!)).toBe(n);
      swapDuplicate(m, entry!);
    }
    for (let n = 201; n > 0; n--) {
      expect(swpSwapcount(m, entry!)).toBe(n);
      swapFree(m, entry!);
    }
    expect(m.swap.nrSwapPages).toBe(m.swap.totalSwapPages);
    expect(() => swapFree(m, entry!)).toThrow('as often as it was made');
  });

  test('a page of tmpfs counts once, and its slot outlives the page', () => {
    const m = newMachine('6.18');
    swapon(m, ZRAM);
    const pfn = newPage(m, 5);
    const entry = folioAllocSwap(m, pfn);
    addToSwapCache(m, pfn, entry);
    swapShmemAlloc(m, entry);
    expect(swapCount(m, entry)).toBe(SWAP_MAP_SHMEM);
    expect(folioFreeSwap(m, pfn)).toBe(false);
    swapFree(m, entry);
    expect(folioFreeSwap(m, pfn)).toBe(true);
    expect(m.swap.nrSwapPages).toBe(m.swap.totalSwapPages);
  });

  test('the last entry takes an unmapped page out of the cache', () => {
    const m = newMachine('6.18');
    swapon(m, ZRAM);
    const [entry] = fill(m, 1);
    const pfn = readSwapCacheAsync(m, entry!, 0);
    freeSwapAndCache(m, entry!);
    expect(m.frames.has(pfn, PG_swapcache)).toBe(false);
    expect(m.frames.refcount(pfn)).toBe(1);
  });
});

describe('pages', () => {
  test('what is read back is what was written, and the shadow is told', () => {
    const m = newMachine('6.18');
    swapon(m, ZRAM);
    const entry = swapOut(m, 4711);
    const pfn = readSwapCacheAsync(m, entry, 0);
    expect([m.frames.token(pfn), m.frames.index(pfn), m.frames.memcg(pfn)]).toEqual([4711, 77, 2]);
    expect(m.frames.has(pfn, PG_locked)).toBe(false);
    expect([m.events[PSWPIN], m.events[PSWPOUT]]).toEqual([1, 1]);
  });

  test('a disk takes its time', () => {
    const m = newMachine('6.18');
    swapon(m, DISK);
    const pfn = newPage(m, 9);
    addToSwap(m, pfn);
    swapDuplicate(m, m.frames.private_(pfn) as SwapEntry);
    swapWritepage(m, pfn);
    expect([m.frames.has(pfn, PG_writeback), m.frames.has(pfn, PG_locked)]).toEqual([true, false]);
    // Stored to meanwhile: the device writes what was submitted.
    m.frames.setToken(pfn, 10 as Token);
    complete(m);
    expect(m.frames.has(pfn, PG_writeback)).toBe(false);
    const entry = m.frames.private_(pfn) as SwapEntry;
    m.frames.set(pfn, PG_locked);
    removeSwapMapping(m, pfn, 0);
    freePage(m, pfn);
    m.sysctl.pageCluster = 0;
    const back = readSwapCacheAsync(m, entry, 0);
    expect([m.frames.has(back, PG_locked), m.frames.has(back, PG_uptodate)]).toEqual([true, false]);
    complete(m);
    expect([m.frames.has(back, PG_locked), m.frames.token(back)]).toEqual([false, 9]);
  });

  for (const { kernel, want } of [
    { kernel: '6.18', want: [0, 0, 1, 1] },
    { kernel: '6.1', want: [1, 1, 0, 0] },
  ] as const) {
    test(`[6.x zero-filled swap-out] a page of zeros: ${kernel}`, () => {
      const m = newMachine(kernel);
      swapon(m, ZRAM);
      const pfn = newPage(m, 0);
      addToSwap(m, pfn);
      const entry = m.frames.private_(pfn) as SwapEntry;
      swapDuplicate(m, entry);
      swapWritepage(m, pfn);
      m.frames.set(pfn, PG_locked);
      removeSwapMapping(m, pfn, 0);
      freePage(m, pfn);
      const back = newPage(m, 8);
      swapReadpage(m, back, entry);
      expect(m.frames.token(back)).toBe(0);
      const counted = [PSWPIN, PSWPOUT, SWPIN_ZERO, SWPOUT_ZERO].map((event) => m.events[event]);
      expect(counted).toEqual(want);
    });
  }
});

describe('readahead', () => {
  for (const { why, last, now, hits, lastPages, want } of [
    { why: 'no hit, far away', last: 10, now: 90, hits: 0, lastPages: 0, want: 1 },
    { why: 'no hit, the next one', last: 10, now: 11, hits: 0, lastPages: 0, want: 2 },
    { why: 'no hit, the one before', last: 10, now: 9, hits: 0, lastPages: 0, want: 2 },
    { why: 'one hit', last: 10, now: 90, hits: 1, lastPages: 0, want: 4 },
    { why: 'four hits', last: 10, now: 90, hits: 4, lastPages: 0, want: 8 },
    { why: 'never more than page-cluster says', last: 10, now: 90, hits: 40, lastPages: 0, want: 8 },
    { why: 'never less than half of the last', last: 10, now: 90, hits: 0, lastPages: 8, want: 4 },
  ]) {
    test(`[6.x VMA readahead] window: ${why}`, () => expect(window(last, now, hits, 8, lastPages)).toBe(want));
  }

  function inVma(m: Stub, entries: SwapEntry[]): Vma {
    const root = new PageTableRoot();
    const vma = {
      vmMm: { pageTables: root },
      vmStart: 0,
      vmEnd: entries.length,
      swapRaVpn: 0,
      swapRaWin: 0,
      swapRaHits: 0,
    };
    entries.forEach((entry, i) => {
      m.pageTables.setSwap(m.pageTables.slotAlloc(m, vma.vmMm as never, i as Vpn), entry, true);
    });
    return vma as unknown as Vma;
  }
  function faultAt(m: Stub, vma: Vma, vpn: number): number[] {
    m.fault.vma = vma;
    m.fault.vpn = vpn as Vpn;
    const slot = m.pageTables.slotOf(vma.vmMm.pageTables, vpn as Vpn);
    const entry = m.pageTables.swapEntry(slot);
    const before = cachedOffsets(m);
    if (swapCacheGetForFault(m, entry, vma, vpn as Vpn) === NO_PFN) swapinReadahead(m, entry, 0, m.fault);
    complete(m);
    return cachedOffsets(m).filter((offset) => !before.includes(offset));
  }
  function cachedOffsets(m: Stub): number[] {
    const area = m.swap.areas[0]!;
    return Array.from({ length: area.max }, (_, i) => i).filter((i) => area.cached(i) !== NO_PFN);
  }

  test('a rotating disk: the aligned block of slots, less the header', () => {
    const m = newMachine('6.18');
    swapon(m, DISK);
    const vma = inVma(m, fill(m, 64));
    expect(faultAt(m, vma, 2)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(m.events[SWAP_RA]).toBe(6);
    expect(faultAt(m, vma, 5)).toEqual([]);
    expect(m.events[SWAP_RA_HIT]).toBe(1);
    expect(faultAt(m, vma, 30)).toEqual([28, 29, 30, 31]);
  });

  test.each([
    { why: '6.18: the fault waits for it', kernel: '6.18', hits: 0, locked: true },
    { why: '6.1: it is there when it is found', kernel: '6.1', hits: 0, locked: false },
    { why: '6.1: with others the fault waits', kernel: '6.1', hits: 4, locked: true },
  ] as const)('a page read without neighbours. $why', ({ kernel, hits, locked }) => {
    const m = newMachine(kernel);
    swapon(m, DISK);
    const vma = inVma(m, fill(m, 64));
    m.swap.readaheadHits = hits;
    m.fault.vma = vma;
    m.fault.vpn = 20 as Vpn;
    const entry = m.pageTables.swapEntry(m.pageTables.slotOf(vma.vmMm.pageTables, 20 as Vpn));
    expect(m.frames.has(swapinReadahead(m, entry, 0, m.fault), PG_locked)).toBe(locked);
  });

  test('[6.x VMA readahead] no rotating disk: the entries around the address, and in its direction', () => {
    const m = newMachine('6.18');
    swapon(m, { ...DISK, rotational: false });
    const vma = inVma(m, fill(m, 64));
    // Slots are addresses + 1. Four hits to start with: a window of 8 around page 20.
    expect(faultAt(m, vma, 20)).toEqual([18, 19, 20, 21, 22, 23, 24, 25]);
    // The hit makes a window of 4, from page 25 up: no neighbour of page 24.
    expect(faultAt(m, vma, 24)).toEqual([]);
    expect(vma.swapRaHits).toBe(1);
    expect(faultAt(m, vma, 25)).toEqual([26, 27, 28, 29]);
    expect(
      m.frames.has(
        swapCacheGet(m, m.pageTables.swapEntry(m.pageTables.slotOf(vma.vmMm.pageTables, 27 as Vpn))),
        PG_readahead,
      ),
    ).toBe(true);
  });
});

describe('cgroups', () => {
  for (const { why, v1, want } of [
    { why: 'v2 charges slots to swap', v1: false, want: { memory: 0, swap: 1, memsw: 0, page: 2 } },
    { why: 'v1 leaves the charge to memory+swap', v1: true, want: { memory: -1, swap: 1, memsw: 0, page: 0 } },
  ]) {
    test(`swap out: ${why}`, () => {
      const m = newMachine('6.18', v1);
      swapon(m, ZRAM);
      const memcg = m.memcgs[2]!;
      const pfn = newPage(m);
      addToSwap(m, pfn);
      swapDuplicate(m, m.frames.private_(pfn) as SwapEntry);
      swapWritepage(m, pfn);
      m.frames.set(pfn, PG_locked);
      removeSwapMapping(m, pfn, 0);
      const has = {
        memory: memcg.memory.usage,
        swap: memcg.swap.usage,
        memsw: memcg.memsw.usage,
        page: m.frames.memcg(pfn),
      };
      expect(has).toEqual(want);
    });
  }

  test('swap.max refuses, and half of it is full', () => {
    const m = newMachine('6.18');
    swapon(m, ZRAM);
    const memcg = m.memcgs[2]!;
    memcg.swap.max = 4;
    const page = newPage(m);
    fill(m, 1);
    expect([memCgroupSwapFull(m, page), memCgroupGetNrSwapPages(m, memcg)]).toEqual([false, 3]);
    fill(m, 1);
    expect([memCgroupSwapFull(m, page), vmSwapFull(m)]).toEqual([true, false]);
    fill(m, 2);
    expect(folioAllocSwap(m, page)).toBe(NO_SWAP);
    expect(memcg.swapEvents).toEqual({ high: 0, max: 1, fail: 1 });
    expect(m.swap.nrSwapPages).toBe(m.swap.totalSwapPages - 4);
  });
});

// A few processes whose pages come and go. They know what they wrote.
class Program {
  readonly m: Stub;
  readonly mms: { id: number; pageTables: PageTableRoot; rss: Int32Array; vma: Vma; tokens: number[] }[] = [];
  private seed: number;
  private nextToken = 1;
  private readonly pages = 700;

  constructor(m: Stub, seed: number) {
    this.m = m;
    this.seed = seed;
    for (let id = 0; id < 3; id++) {
      const pageTables = new PageTableRoot();
      const mm = { id, pageTables, rss: new Int32Array(4), vma: undefined as unknown as Vma, tokens: [] as number[] };
      mm.vma = {
        vmMm: mm,
        vmStart: 0,
        vmEnd: this.pages,
        vmFlags: 3,
        anonVma: {},
        swapRaVpn: 0,
        swapRaWin: 0,
        swapRaHits: 0,
      } as unknown as Vma;
      this.mms.push(mm);
      const stub = { ...mm, rss: mm.rss, vmas: { first: () => mm.vma, next: () => null }, mmlistNext: null };
      m.mms.push(stub as never);
      mmlistAdd(m, stub as never, null);
    }
  }
  random(below: number): number {
    this.seed = (Math.imul(this.seed, 1103515245) + 12345) >>> 0;
    return Math.floor((this.seed / 2 ** 32) * below);
  }
  step(): void {
    const { m } = this;
    const mm = this.mms[this.random(3)]!;
    const vpn = this.random(this.pages) as Vpn;
    const slot = m.pageTables.slotAlloc(m, mm as never, vpn);
    if (!m.pageTables.isSwap(slot)) this.swapOutNew(mm, vpn, slot);
    else if (this.random(3) === 0) this.fork(mm, vpn, slot);
    else if (this.random(2) === 0) this.readIn(mm, vpn, slot);
    else this.zap(mm, slot);
    if (this.random(4) === 0) complete(m);
  }
  private swapOutNew(mm: Program['mms'][number], vpn: Vpn, slot: number): void {
    const { m } = this;
    if (m.freeFrames.length === 0) return;
    const token = this.random(8) === 0 ? 0 : this.nextToken++;
    const pfn = newPage(m, token);
    if (!addToSwap(m, pfn)) {
      freePage(m, pfn);
      return;
    }
    const entry = m.frames.private_(pfn) as SwapEntry;
    swapDuplicate(m, entry);
    m.pageTables.setSwap(slot, entry, true);
    mm.rss[MM_SWAPENTS]! += 1;
    mm.tokens[vpn] = token;
    m.frames.clear(pfn, PG_dirty);
    swapWritepage(m, pfn);
    complete(m);
    this.evictOrKeep(pfn);
  }
  /** The page, with one reference beside the cache's, goes or stays in the cache. */
  private evictOrKeep(pfn: Pfn): void {
    const { m } = this;
    if (!m.frames.has(pfn, PG_swapcache)) {
      freePage(m, pfn);
    } else if (this.random(2) === 0) {
      m.frames.set(pfn, PG_locked);
      removeSwapMapping(m, pfn, 1 + this.random(1000));
      freePage(m, pfn);
    } else {
      m.frames.putTestzero(pfn);
    }
  }
  private fork(mm: Program['mms'][number], vpn: Vpn, slot: number): void {
    const { m } = this;
    const other = this.mms[(mm.id + 1) % 3]!;
    const to = m.pageTables.slotAlloc(m, other as never, vpn);
    if (m.pageTables.isSwap(to)) return;
    const entry = m.pageTables.swapEntry(slot);
    swapDuplicate(m, entry);
    m.pageTables.setSwap(to, entry, false);
    other.rss[MM_SWAPENTS]! += 1;
    other.tokens[vpn] = mm.tokens[vpn]!;
  }
  private readIn(mm: Program['mms'][number], vpn: Vpn, slot: number): void {
    const { m } = this;
    const entry = m.pageTables.swapEntry(slot);
    m.fault.vma = mm.vma;
    m.fault.vpn = vpn;
    let pfn = swapCacheGetForFault(m, entry, mm.vma, vpn);
    if (pfn === NO_PFN) pfn = swapinReadahead(m, entry, 0, m.fault);
    else m.frames.get(pfn);
    if (pfn === NO_PFN) return;
    complete(m);
    expect(m.frames.token(pfn)).toBe(mm.tokens[vpn]);
    // As after a store: the entry goes, and the slot if it was the last.
    m.pageTables.setNone(slot);
    mm.rss[MM_SWAPENTS]! -= 1;
    swapFree(m, entry);
    m.frames.set(pfn, PG_locked);
    folioFreeSwap(m, pfn);
    m.frames.clear(pfn, PG_locked);
    this.evictOrKeep(pfn);
  }
  private zap(mm: Program['mms'][number], slot: number): void {
    const { m } = this;
    const entry = m.pageTables.swapEntry(slot);
    m.pageTables.setNone(slot);
    mm.rss[MM_SWAPENTS]! -= 1;
    freeSwapAndCache(m, entry);
  }
}

/** Without page tables: those of `fill` have none. */
function verifyColumns(m: Stub): string[] {
  return verifySwap(m).filter((line) => !line.includes('entries in page tables'));
}

for (const kernel of ['6.18', '6.1'] as const) {
  for (const device of ['zram', 'disk'] as const) {
    test(`every slot is what its columns say, whatever the program did: ${kernel} ${device}`, () => {
      for (let seed = 1; seed <= 6; seed++) {
        const m = newMachine(kernel, seed % 2 === 0);
        swapon(m, { bytes: 1030 * 4096, device, priority: 1 });
        swapon(m, { bytes: 700 * 4096, device, priority: 1, rotational: seed % 3 === 0 });
        const program = new Program(m, seed);
        for (let step = 0; step < 6000; step++) {
          program.step();
          if (step % 250 === 0) {
            complete(m);
            expect(verifySwap(m), `seed ${seed}, step ${step}`).toEqual([]);
          }
        }
        complete(m);
        for (const type of [0, 1]) expect(swapoff(m, type), `seed ${seed}`).toBe(0);
        expect(verifySwap(m), `seed ${seed}, after swapoff`).toEqual([]);
        expect([m.swap.nrSwapPages, m.swap.totalSwapPages, m.swap.nrRotate]).toEqual([0, 0, 0]);
      }
    });
  }
}
