import { expect, test } from 'vitest';
import { RW, Space, type SpaceConfig } from '../../../test/space.ts';
import { filemapGetPage, filemapRead } from '../filemap.ts';
import type { File } from '../fs.ts';
import { __GFP_IO, GFP_KERNEL, GFP_NOFS } from '../gfp.ts';
import {
  PG_active,
  PG_dirty,
  PG_locked,
  PG_mlocked,
  PG_reclaim,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_writeback,
} from '../page_flags.ts';
import { PTE_DIRTY, PTE_YOUNG } from '../page_table.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ } from '../uapi.ts';
import { NO_PFN, type Pfn, type Pgoff } from '../units.ts';
import { verify } from '../verify.ts';
import { VM_LOCKED } from '../vm_flags.ts';
import { NR_VMSCAN_IMMEDIATE, NR_VMSCAN_WRITE, PGACTIVATE, PGLAZYFREED, PSWPOUT } from '../vmstat.ts';
import { folioMarkDirty, setPageWriteback } from '../writeback.ts';
import { ReclaimStat, ScanControl } from './scan_control.ts';
import { shrinkPageList } from './shrink_page_list.ts';

/** A clean page of a disk file that nobody maps, or an anonymous page that nobody used since it was written. */
interface Case {
  s: Space;
  file: File;
  pfn: Pfn;
  sc: ScanControl;
}

type Counts = Partial<Record<keyof ReclaimStat, number>>;

interface Row {
  why: string;
  kind?: 'file' | 'anon';
  config?: SpaceConfig;
  /** What is so before the page is judged. */
  given?: (c: Case) => void;
  want: 'freed' | 'active' | 'kept';
  counts?: Counts;
  after?: (c: Case) => unknown[];
  wantAfter?: unknown[];
}

function map(c: Case, at: number, prot: number = PROT_READ, flags: number = MAP_SHARED): void {
  c.s.map(at, 1, flags, prot, c.file);
  c.s.load(at);
}

function flags({ s, pfn }: Case, bits: number): boolean {
  return s.machine.frames.has(pfn, bits);
}

function unused({ s }: Case, at: number): void {
  s.machine.pageTables.clear(s.slot(at), PTE_YOUNG);
}

const rows: Row[] = [
  { why: 'a clean file page that nobody used', want: 'freed' },
  {
    why: 'mapped, too: it is unmapped first',
    given: (c) => {
      map(c, 0);
      unused(c, 0);
    },
    want: 'freed',
    after: (c) => [c.s.pfn(0)],
    wantAfter: [NO_PFN],
  },
  {
    why: 'mapped, and mappings are to be left alone',
    given: (c) => {
      map(c, 0);
      unused(c, 0);
      c.sc.mayUnmap = false;
    },
    want: 'kept',
  },
  {
    why: 'in a mapping whose pages must stay',
    given: (c) => {
      c.file.mapping.unevictable = true;
    },
    want: 'active',
    counts: { activateFile: 1 },
  },
  {
    why: 'mlocked: the list that it goes to is no active one',
    given: (c) => c.s.machine.frames.set(c.pfn, PG_mlocked),
    want: 'kept',
  },
  { why: 'used once, through a mapping', given: (c) => map(c, 0), want: 'kept', counts: { refKeep: 1 } },
  {
    why: 'used once more since it was kept',
    given: (c) => {
      map(c, 0);
      c.s.machine.frames.set(c.pfn, PG_referenced);
    },
    want: 'active',
    counts: { activateFile: 1 },
  },
  {
    why: 'used by two mappings at once',
    given: (c) => {
      map(c, 0);
      map(c, 8);
    },
    want: 'active',
    counts: { activateFile: 1 },
  },
  {
    why: 'code, used once',
    given: (c) => map(c, 0, PROT_READ | PROT_EXEC, MAP_PRIVATE),
    want: 'active',
    counts: { activateFile: 1 },
  },
  { why: 'read once, and clean', given: (c) => c.s.machine.frames.set(c.pfn, PG_referenced), want: 'freed' },
  {
    why: 'used, but told not to mind (MADV_PAGEOUT)',
    given: (c) => {
      map(c, 0);
      c.sc.ignoreReferences = true;
    },
    want: 'freed',
  },
  {
    why: 'in a locked VMA',
    given: (c) => {
      map(c, 0);
      c.s.vma(0).vmFlags |= VM_LOCKED;
    },
    want: 'kept',
    after: (c) => [flags(c, PG_mlocked)],
    wantAfter: [true],
  },
  {
    why: 'in a locked VMA, found only when it was to be unmapped',
    given: (c) => {
      map(c, 0);
      c.s.vma(0).vmFlags |= VM_LOCKED;
      c.sc.ignoreReferences = true;
    },
    want: 'kept',
    counts: { unmapFail: 1 },
  },
  {
    why: 'somebody else holds a reference',
    given: (c) => c.s.machine.frames.get(c.pfn),
    want: 'kept',
  },
  {
    why: 'dirty: the flusher writes better, and marks it for when it is done',
    given: (c) => folioMarkDirty(c.s.machine, c.pfn),
    want: 'active',
    counts: { dirty: 1, unqueuedDirty: 1, activateFile: 1 },
    after: (c) => [flags(c, PG_reclaim), c.s.stat(NR_VMSCAN_IMMEDIATE), c.s.stat(NR_VMSCAN_WRITE)],
    wantAfter: [true, 1, 0],
  },
  {
    why: 'dirty through a mapping alone: found when it is unmapped',
    given: (c) => {
      map(c, 0, RW);
      unused(c, 0);
      c.s.machine.pageTables.set(c.s.slot(0), PTE_DIRTY);
    },
    want: 'active',
    counts: { activateFile: 1 },
    after: (c) => [flags(c, PG_dirty)],
    wantAfter: [true],
  },
  {
    why: 'dirty, and kswapd came round a second time while much is dirty: it writes itself',
    given: (c) => {
      folioMarkDirty(c.s.machine, c.pfn);
      c.s.machine.frames.set(c.pfn, PG_reclaim);
      c.sc.isKswapd = true;
      c.s.machine.nodes[0]!.manyDirty = true;
    },
    want: 'kept',
    counts: { dirty: 1, unqueuedDirty: 1, pageout: 1 },
    after: (c) => [flags(c, PG_writeback), c.s.stat(NR_VMSCAN_WRITE)],
    wantAfter: [true, 1],
  },
  {
    why: 'the same, but read meanwhile: not worth a write yet',
    given: (c) => {
      folioMarkDirty(c.s.machine, c.pfn);
      c.s.machine.frames.set(c.pfn, PG_reclaim | PG_referenced);
      c.sc.isKswapd = true;
      c.s.machine.nodes[0]!.manyDirty = true;
    },
    want: 'kept',
    counts: { dirty: 1, unqueuedDirty: 1 },
  },
  {
    why: 'the same, but who asks must not enter a file system',
    given: (c) => {
      folioMarkDirty(c.s.machine, c.pfn);
      c.s.machine.frames.set(c.pfn, PG_reclaim);
      c.sc.isKswapd = true;
      c.sc.gfp = GFP_NOFS;
      c.s.machine.nodes[0]!.manyDirty = true;
    },
    want: 'kept',
    counts: { dirty: 1, unqueuedDirty: 1 },
  },
  {
    why: 'being written: it is freed when that ends',
    given: (c) => setPageWriteback(c.s.machine, c.pfn),
    want: 'active',
    counts: { dirty: 1, writeback: 1, activateFile: 1 },
    after: (c) => [flags(c, PG_reclaim)],
    wantAfter: [true],
  },
  {
    why: 'being written for reclaim already: the disk is slow',
    given: (c) => {
      setPageWriteback(c.s.machine, c.pfn);
      c.s.machine.frames.set(c.pfn, PG_reclaim);
    },
    want: 'active',
    counts: { dirty: 1, congested: 1, writeback: 1, activateFile: 1 },
  },
  {
    why: 'the same, and all others that kswapd met are, too: it waits',
    given: (c) => {
      setPageWriteback(c.s.machine, c.pfn);
      c.s.machine.frames.set(c.pfn, PG_reclaim);
      c.sc.isKswapd = true;
      c.s.machine.nodes[0]!.manyWriteback = true;
    },
    want: 'active',
    counts: { dirty: 1, congested: 1, immediate: 1, activateFile: 1 },
  },
  { why: 'anonymous, no swap', kind: 'anon', want: 'active', counts: { activateAnon: 1 } },
  {
    why: 'anonymous, no I/O allowed',
    kind: 'anon',
    config: { swap: 'zram' },
    given: (c) => {
      c.sc.gfp = GFP_NOFS & ~__GFP_IO;
    },
    want: 'kept',
  },
  {
    why: 'anonymous, swap that is done at once',
    kind: 'anon',
    config: { swap: 'zram' },
    want: 'freed',
    counts: { pageout: 1 },
    after: (c) => [c.s.event(PSWPOUT), c.s.stat(NR_VMSCAN_WRITE)],
    wantAfter: [1, 1],
  },
  {
    why: 'anonymous, swap on a disk: freed when it is written',
    kind: 'anon',
    config: { swap: 'disk' },
    want: 'kept',
    counts: { pageout: 1 },
    after: (c) => [flags(c, PG_writeback), flags(c, PG_reclaim), flags(c, PG_swapcache)],
    wantAfter: [true, true, true],
  },
  {
    why: 'anonymous, no file system, but I/O: swap needs no more',
    kind: 'anon',
    config: { swap: 'zram' },
    given: (c) => {
      c.sc.gfp = GFP_NOFS;
    },
    want: 'freed',
    counts: { pageout: 1 },
  },
  {
    why: 'anonymous, no writes now (laptop mode)',
    kind: 'anon',
    config: { swap: 'zram' },
    given: (c) => {
      c.sc.mayWritepage = false;
    },
    want: 'kept',
  },
  {
    why: 'anonymous, used once: like a file’s page',
    kind: 'anon',
    config: { swap: 'zram' },
    given: (c) => c.s.machine.pageTables.set(c.s.slot(0), PTE_YOUNG),
    want: 'kept',
    counts: { refKeep: 1 },
  },
  {
    why: 'anonymous, used twice',
    kind: 'anon',
    config: { swap: 'zram' },
    given: (c) => {
      c.s.machine.pageTables.set(c.s.slot(0), PTE_YOUNG);
      c.s.machine.frames.set(c.pfn, PG_referenced);
    },
    want: 'active',
    counts: { activateAnon: 1 },
  },
  {
    why: 'anonymous, referenced but not used since: nothing to defer to, it goes',
    kind: 'anon',
    config: { swap: 'zram' },
    given: (c) => c.s.machine.frames.set(c.pfn, PG_referenced),
    want: 'freed',
    counts: { pageout: 1 },
  },
  {
    why: 'given up with MADV_FREE',
    kind: 'anon',
    given: (c) => {
      c.s.machine.frames.clear(c.pfn, PG_swapbacked);
      c.s.machine.pageTables.clear(c.s.slot(0), PTE_DIRTY);
    },
    want: 'freed',
    after: (c) => [c.s.event(PGLAZYFREED), c.s.memcg.events[PGLAZYFREED]],
    wantAfter: [1, 1],
  },
  {
    why: 'given up and written again: it is anonymous memory as before',
    kind: 'anon',
    given: (c) => c.s.machine.frames.clear(c.pfn, PG_swapbacked),
    want: 'active',
    counts: { activateAnon: 1, unmapFail: 1 },
    after: (c) => [flags(c, PG_swapbacked)],
    wantAfter: [true],
  },
];

function setup({ kind = 'file', config = {}, given }: Row): Case {
  const s = new Space(config);
  const { machine } = s;
  const file = s.file('disk', 1);
  if (kind === 'file') {
    filemapRead(machine, file, 0, 4096, null);
  } else {
    s.map(0, 1);
    s.store(0);
    machine.pageTables.clear(s.slot(0), PTE_YOUNG);
  }
  machine.lru.drain();
  const pfn = kind === 'file' ? filemapGetPage(machine, file.mapping, 0 as Pgoff) : s.pfn(0);
  machine.frames.clear(pfn, PG_referenced);
  const sc = new ScanControl(machine.frames);
  sc.start(32, GFP_KERNEL, null);
  expect(machine.lru.isolate(pfn)).toBe(true);
  machine.frames.listAdd(pfn, sc.isolated);
  const c: Case = { s, file, pfn, sc };
  given?.(c);
  return c;
}

for (const row of rows) {
  test(`[6.x references] ${row.why}: ${row.want}`, () => {
    const c = setup(row);
    const { machine } = c.s;
    const freed = shrinkPageList(machine, c.sc, machine.nodes[0]!);
    const left = machine.frames.listFirst(c.sc.isolated) === c.pfn;
    const active = left && flags(c, PG_active);
    expect([freed, left, active]).toEqual([row.want === 'freed' ? 1 : 0, row.want !== 'freed', row.want === 'active']);
    const none = new ReclaimStat();
    expect({ ...c.sc.stat }).toEqual({ ...none, ...row.counts });
    expect(c.sc.nrScanned).toBe(1);
    const activated = (row.counts?.activateAnon ?? 0) + (row.counts?.activateFile ?? 0);
    expect([c.s.event(PGACTIVATE), c.s.memcg.events[PGACTIVATE]]).toEqual([activated, activated]);
    expect(flags(c, PG_locked) && left).toBe(false);
    expect(row.after?.(c)).toEqual(row.wantAfter);
  });
}

test('a page under I/O is not judged, and not counted as scanned', () => {
  const c = setup({ why: '', want: 'kept', given: ({ s, pfn }) => s.machine.frames.set(pfn, PG_locked) });
  expect(shrinkPageList(c.s.machine, c.sc, c.s.machine.nodes[0]!)).toBe(0);
  expect([c.sc.nrScanned, flags(c, PG_locked), c.s.machine.frames.listFirst(c.sc.isolated)]).toEqual([0, true, c.pfn]);
});

test('what comes back stands as it stood, and the counts are of this batch alone', () => {
  const s = new Space();
  s.map(0, 3);
  s.storeAll(0, 3);
  s.machine.lru.drain();
  const sc = new ScanControl(s.machine.frames);
  sc.start(32, GFP_KERNEL, null);
  for (const page of [0, 1, 2]) {
    s.machine.lru.isolate(s.pfn(page));
    s.machine.frames.listAdd(s.pfn(page), sc.isolated);
  }
  sc.stat.dirty = 7;
  shrinkPageList(s.machine, sc, s.machine.nodes[0]!);
  expect([sc.stat.refKeep, sc.stat.dirty]).toEqual([3, 0]);
  const order: Pfn[] = [];
  for (let p = s.machine.frames.listFirst(sc.isolated); p !== NO_PFN; p = s.machine.frames.listNext(p)) order.push(p);
  expect(order).toEqual([0, 1, 2].map((page) => s.pfn(page)).toReversed());
  for (const pfn of order) {
    s.machine.frames.listDel(pfn);
    s.machine.lru.putback(pfn);
  }
  expect(verify(s.machine)).toEqual([]);
});
