/** Two snapshots: nothing against itself, the same both ways, and one case for each sort of change. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ANON, LRU, type MadeUpHost, type MadeUpProcess, madeUpHost, SWAPBACKED } from '../../../test/host/made_up.ts';
import { anySnapshot } from '../../../test/host/made_up_snapshot.ts';
import type { HostSnapshot } from '../snapshot.ts';
import { diffSnapshots, type FrameMove, isEqual, type SnapshotDiff } from './diff.ts';
import { PAGE_CHANGES, type PageChange, type PageChanges } from './diff_entries.ts';
import type { Pair } from './diff_pair.ts';

/** What each change is with the snapshots swapped; any other stays what it is. */
const SWAPPED: ReadonlyMap<PageChange, PageChange> = new Map(
  (
    [
      ['copied', 'shared'],
      ['file_to_anon', 'anon_to_file'],
      ['swapped_out', 'swapped_in'],
      ['swap_dropped', 'swap_appeared'],
      ['dropped', 'touched'],
    ] as const
  ).flatMap(([one, other]) => [
    [one, other],
    [other, one],
  ]),
);

const swap = <T extends Pair>(pair: T): T => ({ ...pair, before: pair.after, after: pair.before });
const swapOrNull = (pair: Pair | null) => (pair === null ? null : swap(pair));
const back = (change: string) => (change === 'came' ? 'went' : change === 'went' ? 'came' : change);
const moved = <T>(list: readonly FrameMove<T>[] | null) =>
  list?.map(({ from, to, frames }) => ({ from: to, to: from, frames })) ?? null;

function swappedPages(pages: PageChanges | null): PageChanges | null {
  if (pages === null) return null;
  return Object.fromEntries(
    PAGE_CHANGES.filter((change) => pages[change] !== undefined).map((change) => [
      SWAPPED.get(change) ?? change,
      pages[change],
    ]),
  );
}

/** The way back, made from the way there; names and addresses are the later one's, and so not compared. */
function mirrored(diff: SnapshotDiff): object {
  const { frames } = diff;
  return {
    seconds: diff.seconds === 0 ? 0 : -diff.seconds,
    unlike: diff.unlike,
    processes: diff.processes.map(({ comm, ...row }) => ({
      ...row,
      change: back(row.change),
      processes: swap(row.processes),
      rss: swapOrNull(row.rss),
      pss: swapOrNull(row.pss),
      swap: swapOrNull(row.swap),
      pages: swappedPages(row.pages),
    })),
    mappings: diff.mappings?.map((row) => [back(row.change), row.pid, swap(row.pages), swap(row.present)]) ?? null,
    pages: swappedPages(diff.pages),
    files: diff.files.map(({ mapped, cached }) => [swap(mapped), swapOrNull(cached)]),
    frames: frames && {
      kinds: frames.kinds.map(swap),
      flags: frames.flags.map(swap),
      owners: frames.owners.map(swap),
      kindMoves: moved(frames.kindMoves),
      ownerMoves: moved(frames.ownerMoves),
    },
    cgroups: diff.cgroups.map(swap),
    meminfo: diff.meminfo.map(swap),
    vmstat: diff.vmstat.map(swap),
    zones: diff.zones.map(({ free, huge, ...zone }) => ({ ...zone, free: swap(free), huge: swap(huge) })),
    pageblocks: diff.pageblocks.map(swap),
  };
}

/** The same, as it is. */
function plain(diff: SnapshotDiff): object {
  return {
    ...diff,
    processes: diff.processes.map(({ comm, ...row }) => row),
    mappings: diff.mappings?.map((row) => [row.change, row.pid, row.pages, row.present]) ?? null,
    files: diff.files.map(({ mapped, cached }) => [mapped, cached]),
  };
}

/** Lists stand in the order of their change; what changed as much as another, in any. */
function inOneOrder(value: unknown): unknown {
  if (Array.isArray(value)) {
    const keyed = value.map(inOneOrder).map((element) => [JSON.stringify(element), element] as const);
    return keyed.sort(([x], [y]) => (x < y ? -1 : x > y ? 1 : 0)).map(([, element]) => element);
  }
  if (typeof value !== 'object' || value === null) return value;
  const sorted = Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, element]) => [key, inOneOrder(element)]));
}

const page = fc.oneof(fc.nat(15), fc.constantFrom('slot 1', 'slot 1:1', 'slot 2'), fc.constant(null));
const area = fc.record({
  gap: fc.nat(2),
  pages: fc.array(page, { minLength: 1, maxLength: 5 }),
  path: fc.constantFrom('', '/a', '/b'),
  pgoff: fc.nat(2),
  isShared: fc.boolean(),
});
const anyProcess = fc.record({
  pid: fc.integer({ min: 1, max: 3 }),
  startTicks: fc.nat(1),
  areas: fc.array(area, { maxLength: 4 }),
  kb: fc.nat(3),
});
const anyWord = fc.constantFrom(0x400n, 0x80n, 0x5828n, 0x40000086cn, 0x4878n, 0n, 0x205828n);

/** Few processes at few places, so that two hosts have something in common. */
const anyHost = fc
  .record({
    processes: fc.uniqueArray(anyProcess, { maxLength: 3, selector: ({ pid }) => pid }),
    words: fc.array(anyWord, { minLength: 16, maxLength: 16 }),
    owners: fc.array(fc.constantFrom(0, 1, 0xffff), { minLength: 16, maxLength: 16 }),
    uptime: fc.constantFrom('', '5.00 9.00', '99999.00 9.00'),
    pgfault: fc.nat(2),
    takenAtMs: fc.nat(3),
  })
  .map(({ processes, words, owners, uptime, pgfault, takenAtMs }): HostSnapshot => {
    const host = madeUpHost({
      processes: processes.map(({ pid, startTicks, areas, kb }) => {
        let at = 0;
        const placed = areas.map(({ gap, pages, path, pgoff, isShared }) => {
          at += gap;
          const made = { at, pages, pgoff, isShared, ...(path === '' ? {} : { file: { path } }) };
          at += pages.length;
          return made;
        });
        return { pid, startTicks, areas: placed, status: new Map([['VmRSS', kb]]) };
      }),
      frames: 16,
      flags: Object.fromEntries(words.map((word, pfn) => [pfn, word])),
      charged: Object.fromEntries(owners.map((owner, pfn) => [pfn, owner])),
      cgroups: ['/a', '/b'].map((path, inode) => ({ inode, path, texts: new Map() })),
      texts: { uptime, vmstat: `pgfault ${pgfault}\n` },
    });
    return { ...host, takenAtMs };
  });

test('a snapshot does not differ from itself', () => {
  fc.assert(
    fc.property(fc.oneof(anyHost, anySnapshot()), (snapshot) => {
      const diff = diffSnapshots(snapshot, snapshot);
      expect(diff).toMatchObject({ mappings: [], files: [], meminfo: [], vmstat: [], unlike: [] });
    }),
  );
  fc.assert(
    fc.property(anyHost, (snapshot) => {
      expect(isEqual(diffSnapshots(snapshot, snapshot))).toBe(true);
    }),
  );
});

test('the way back is the way there, with before and after swapped', () => {
  fc.assert(
    fc.property(anyHost, anyHost, (a, b) => {
      expect(inOneOrder(plain(diffSnapshots(b, a)))).toEqual(inOneOrder(mirrored(diffSnapshots(a, b))));
    }),
    { numRuns: 300 },
  );
});

const FILE = { path: '/lib/libc.so' };
const CACHE = LRU | 8n;

/** One process of one mapping at page 100; the other process only holds what is shared. */
function oneArea(
  pages: readonly (number | string | null)[],
  others: Partial<MadeUpHost> & { readonly file?: { path: string }; readonly shared?: readonly number[] } = {},
): HostSnapshot {
  const { file, shared = [], ...host } = others;
  const area = file === undefined ? { at: 100, pages } : { at: 100, pages, file };
  return madeUpHost({
    processes: [
      { pid: 7, startTicks: 70, areas: [area] },
      { pid: 8, startTicks: 80, areas: [{ at: 500, pages: shared }] },
    ],
    ...host,
  });
}

for (const { why, a, b, want } of [
  { why: 'nothing happened', a: oneArea([3, null]), b: oneArea([3, null]), want: {} },
  { why: 'its own page is at another frame', a: oneArea([3]), b: oneArea([5]), want: { moved: 1 } },
  {
    why: 'a page shared with a child was copied',
    a: oneArea([3], { shared: [3] }),
    b: oneArea([5], { shared: [3] }),
    want: { copied: 1 },
  },
  {
    why: 'its own page is now shared',
    a: oneArea([3], { shared: [5] }),
    b: oneArea([5], { shared: [5] }),
    want: { shared: 1 },
  },
  {
    why: 'a page of the file was read again',
    a: oneArea([3], { file: FILE, flags: { 3: CACHE } }),
    b: oneArea([5], { file: FILE, flags: { 5: CACHE } }),
    want: { file_moved: 1 },
  },
  {
    why: 'a private mapping was written to',
    a: oneArea([3], { file: FILE, flags: { 3: CACHE } }),
    b: oneArea([5], { file: FILE, flags: { 3: CACHE } }),
    want: { file_to_anon: 1 },
  },
  { why: 'swapped out', a: oneArea([3, 4]), b: oneArea(['slot 9', 4]), want: { swapped_out: 1 } },
  { why: 'swapped in', a: oneArea(['slot 9', 4]), b: oneArea([3, 4]), want: { swapped_in: 1 } },
  {
    why: 'another slot, or the same slot of another area',
    a: oneArea(['slot 9', 'slot 4', 'slot 5']),
    b: oneArea(['slot 8', 'slot 1:4', 'slot 5']),
    want: { swap_moved: 2 },
  },
  {
    why: 'first touched, and given back',
    a: oneArea([3, null]),
    b: oneArea([null, 4]),
    want: { dropped: 1, touched: 1 },
  },
  {
    why: 'given back from swap, and swapped before it was seen',
    a: oneArea(['slot 1', null]),
    b: oneArea([null, 'slot 2']),
    want: { swap_dropped: 1, swap_appeared: 1 },
  },
])
  test(`pages: ${why}`, () => {
    const diff = diffSnapshots(a, b);
    expect(diff.pages).toEqual(want);
    expect(diff.mappings).toEqual([]);
  });

const process = (pid: number, startTicks: number, kb: number, others: Partial<MadeUpProcess> = {}): MadeUpProcess => ({
  pid,
  startTicks,
  comm: `p${pid}`,
  status: new Map([['VmRSS', kb]]),
  ...others,
});

test('processes: came, went, grew, and a pid that was used again is two', () => {
  const a = madeUpHost({ processes: [process(1, 10, 40), process(2, 20, 400), process(3, 30, 4)] });
  const b = madeUpHost({ processes: [process(1, 10, 44), process(3, 31, 80), process(4, 40, 8)] });
  const { processes } = diffSnapshots(a, b);
  expect(processes.map(({ change, pid, rss, replaced }) => [change, pid, rss, replaced])).toEqual([
    ['went', 2, { before: 400, after: 0 }, false],
    ['came', 3, { before: 0, after: 80 }, true],
    ['came', 4, { before: 0, after: 8 }, false],
    ['changed', 1, { before: 40, after: 44 }, false],
    ['went', 3, { before: 4, after: 0 }, true],
  ]);
});

test('another boot: processes by name, no pages and no frames one by one', () => {
  const text = (uptime: string) => ({ texts: { uptime } });
  const a = madeUpHost({
    processes: [process(1, 10, 40, { comm: 'cat' }), process(2, 10, 40, { comm: 'cat' })],
    ...text('90000.00 1'),
  });
  const b = madeUpHost({ processes: [process(1, 10, 50, { comm: 'cat' })], ...text('10.00 1') });
  const diff = diffSnapshots(a, b);
  expect(diff).toMatchObject({
    unlike: ['boot'],
    mappings: null,
    pages: null,
    frames: { kindMoves: null, ownerMoves: null },
  });
  expect(diff.processes).toMatchObject([
    { change: 'changed', pid: null, comm: 'cat', processes: { before: 2, after: 1 }, rss: { before: 80, after: 50 } },
  ]);
  const elsewhere = { ...b, hostname: 'other', kernel: '6.1', texts: a.texts };
  expect(diffSnapshots(a, elsewhere).unlike).toEqual(['hostname', 'kernel']);
  // Whoever was redacted has no name, which is not another name.
  expect(diffSnapshots(a, { ...a, hostname: '' }).unlike).toEqual([]);
});

test('mappings: came, went, and one that grew is one that changed', () => {
  const area = (at: number, pages: number, path?: string) => ({
    at,
    pages: new Array<null>(pages).fill(null),
    ...(path === undefined ? {} : { file: { path }, pgoff: at }),
  });
  const of = (areas: MadeUpProcess['areas']) => madeUpHost({ processes: [{ pid: 7, startTicks: 70, areas: areas! }] });
  const a = of([area(10, 4), area(50, 8, '/gone'), area(90, 3), area(200, 1)]);
  const b = of([area(10, 9), area(60, 2, '/new'), area(88, 5), area(200, 1)]);
  expect(
    diffSnapshots(a, b).mappings!.map(({ change, name, startPage, pages }) => [change, name, startPage, pages]),
  ).toEqual([
    ['went', '/gone', 50, { before: 8, after: 0 }],
    ['changed', '', 10, { before: 4, after: 9 }],
    ['came', '/new', 60, { before: 0, after: 2 }],
    ['changed', '', 88, { before: 3, after: 5 }],
  ]);
});

test('frames: by kind, and from which kind and owner to which', () => {
  const cgroups = ['/a', '/b'].map((path, inode) => ({
    inode,
    path,
    texts: new Map([['memory.current', `${8 + inode}\n`]]),
  }));
  const free = 0x400n;
  const a = madeUpHost({
    processes: [],
    frames: 4,
    flags: { 0: free, 1: free, 2: ANON | SWAPBACKED | LRU, 3: 0x80n },
    charged: { 2: 0 },
    cgroups,
  });
  const b = madeUpHost({
    processes: [],
    frames: 4,
    flags: { 0: ANON | LRU, 1: ANON | LRU, 2: free, 3: 0x80n },
    charged: { 0: 1, 1: 1 },
    cgroups,
  });
  const { frames } = diffSnapshots(a, b);
  expect(frames!.kinds).toEqual([
    { name: 'anon', before: 1, after: 2 },
    { name: 'free', before: 2, after: 1 },
  ]);
  expect(frames!.kindMoves).toEqual([
    { from: 'free', to: 'anon', frames: 2 },
    { from: 'anon', to: 'free', frames: 1 },
  ]);
  expect(frames!.ownerMoves).toEqual([
    { from: null, to: '/b', frames: 2 },
    { from: '/a', to: null, frames: 1 },
  ]);
});

test('counters: vmstat per second, levels without; meminfo and cgroups as they are', () => {
  const at = (takenAtMs: number, pgfault: number, nrFree: number, current: string): HostSnapshot => ({
    ...madeUpHost({
      processes: [],
      texts: { vmstat: `pgfault ${pgfault}\nnr_free_pages ${nrFree}\n`, meminfo: `MemFree: ${4 * nrFree} kB\n` },
      cgroups: [{ inode: 1, path: '/a', texts: new Map([['memory.usage_in_bytes', current]]) }],
    }),
    takenAtMs,
  });
  const diff = diffSnapshots(at(1000, 50, 7, '4096\n'), at(5000, 70, 5, '8192\n'));
  expect(diff.seconds).toBe(4);
  expect(diff.vmstat).toEqual([
    { name: 'pgfault', before: 50, after: 70, isLevel: false, perSecond: 5 },
    { name: 'nr_free_pages', before: 7, after: 5, isLevel: true, perSecond: null },
  ]);
  expect(diff.meminfo).toEqual([{ name: 'MemFree', before: 28, after: 20 }]);
  expect(diff.cgroups).toEqual([{ name: '/a', before: 4096, after: 8192 }]);
});
