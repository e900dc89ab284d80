/** Tables of frames: each frame once in each, and the same counted the slow way. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { madeUpHost } from '../../../test/host/made_up.ts';
import { anyFrames, anyZones, CGROUPS, hostOfFrames } from '../../../test/host/made_up_frames.ts';
import { chooseFrames, type FrameFilter } from './frame_filter.ts';
import { FRAME_KINDS, type FrameKind, kindOfWord, LRU_LISTS, listOfWord } from './frame_kinds.ts';
import { type FrameTables, frameKinds, frameRanges, frameTables } from './frames.ts';

for (const { why, word, kind, list = 'none' } of [
  { why: 'no flag: whatever the kernel took, or a page on its way to free', word: 0n, kind: 'kernel' },
  { why: 'free', word: 0x400n, kind: 'free' },
  { why: 'free, with what it was before', word: 0x408n, kind: 'free' },
  { why: 'no struct page', word: 0x100000n, kind: 'hole' },
  { why: 'slab', word: 0x80n, kind: 'slab' },
  { why: 'slab, whose other words look like a mapping', word: 0x201080n, kind: 'slab' },
  { why: 'tail of a slab', word: 0x10080n, kind: 'slab' },
  { why: 'a page table', word: 0x4000000n, kind: 'pgtable' },
  { why: 'reserved', word: 0x100000000n, kind: 'reserved' },
  { why: 'the zero page is reserved, too', word: 0x101000000n, kind: 'zero_page' },
  { why: 'anonymous', word: 0x5828n, kind: 'anon', list: 'inactive_anon' },
  { why: 'anonymous, taken off its list', word: 0x5808n, kind: 'anon' },
  { why: 'anonymous, given up with MADV_FREE', word: 0x1828n, kind: 'anon', list: 'inactive_file' },
  { why: 'anonymous, locked', word: 0x200045828n, kind: 'anon', list: 'unevictable' },
  { why: 'anonymous, a page of a large folio', word: 0x415828n, kind: 'anon_huge', list: 'inactive_anon' },
  { why: 'merged', word: 0x205828n, kind: 'ksm', list: 'inactive_anon' },
  { why: 'hugetlb', word: 0x28000n, kind: 'hugetlb' },
  { why: 'shared memory', word: 0x4878n, kind: 'shmem', list: 'active_anon' },
  { why: 'a file', word: 0x40000006cn, kind: 'file', list: 'active_file' },
  { why: 'a file, on its way to a list', word: 0x8n, kind: 'file' },
  { why: 'a block device with buffers, dirty', word: 0x800000074n, kind: 'file', list: 'active_file' },
  { why: 'broken, whatever it was', word: 0x85828n, kind: 'hwpoison', list: 'inactive_anon' },
  { why: 'in a balloon', word: 0x800000n, kind: 'offline' },
  { why: 'a head without more is the kernel’s', word: 0x8000n, kind: 'kernel' },
  { why: 'a bit that nobody knows', word: 1n << 60n, kind: 'unknown' },
  { why: 'not read', word: 2n ** 64n - 1n, kind: 'not_read' },
])
  test(`kindOfWord: ${why}`, () => {
    const [low, high] = [Number(word & 0xffff_ffffn), Number(word >> 32n)];
    expect({ kind: kindOfWord(low, high), list: listOfWord(low) }).toEqual({ kind, list });
  });

const sum = (rows: readonly { readonly frames: number }[]) => rows.reduce((all, { frames }) => all + frames, 0);

function tablesOf(snapshot: ReturnType<typeof hostOfFrames>, filter: FrameFilter = {}): FrameTables {
  const tables = frameTables(snapshot, frameKinds(snapshot)!, filter);
  if (typeof tables === 'string') throw new Error(tables);
  return tables;
}

const anyFilter: fc.Arbitrary<FrameFilter> = fc.record(
  {
    kinds: fc.subarray(FRAME_KINDS.map(({ kind }) => kind)),
    flags: fc.constantFrom(['lru'], ['lru', '~dirty'], ['~buddy'], ['anon_exclusive']),
    cgroups: fc.constantFrom(['/a'], ['none'], ['/ab', '/']),
    lists: fc.subarray([...LRU_LISTS]),
    range: fc.constantFrom([0, 700] as const, [100, 101] as const, [5000, 6000] as const),
  },
  { requiredKeys: [] },
);

test('every chosen frame is counted once in each table, and the ranges are those frames', () => {
  fc.assert(
    fc.property(anyFrames, anyZones, anyFilter, (frames, zones, filter) => {
      const snapshot = hostOfFrames(frames, zones);
      const kinds = frameKinds(snapshot)!;
      const tables = tablesOf(snapshot, filter);
      const chosen = chooseFrames(snapshot, kinds, filter) as Uint8Array | null;
      expect(tables.frames).toBe(chosen === null ? frames.length : chosen.reduce((n, one) => n + one, 0));
      const { kinds: byKind, flags, rawFlags, lists, zones: byZone, mapcounts, owners, ages } = tables;
      for (const rows of [byKind, flags, rawFlags, lists, byZone, mapcounts, owners])
        expect(sum(rows)).toBe(tables.frames);
      for (const row of [...byZone, ...mapcounts, ...owners]) {
        expect(Object.values(row.kinds).reduce((all, n) => all + n, 0)).toBe(row.frames);
      }
      if (ages !== null) expect(ages.reduce((all, { idle, rest }) => all + idle + rest, 0)).toBe(tables.frames);
      let at = 0;
      for (const range of frameRanges(snapshot, kinds, filter) as Iterable<{ first: number; frames: number }>) {
        expect(range.first).toBeGreaterThanOrEqual(at);
        for (let pfn = at; pfn < range.first; pfn++) expect(chosen?.[pfn]).toBe(0);
        for (let pfn = range.first; pfn < range.first + range.frames; pfn++) expect(chosen?.[pfn] ?? 1).toBe(1);
        at = range.first + range.frames;
      }
    }),
  );
});

test('tables are what a count frame by frame gives', () => {
  fc.assert(
    fc.property(anyFrames, anyZones, (frames, zones) => {
      const snapshot = hostOfFrames(frames, zones);
      const tables = tablesOf(snapshot);
      const { kind, zones: known } = frameKinds(snapshot)!;
      const kindAt = (pfn: number): FrameKind => FRAME_KINDS[kind[pfn]!]!.kind;
      for (const row of tables.kinds) {
        const mine = frames.filter((_, pfn) => kindAt(pfn) === row.kind);
        expect(row).toMatchObject({
          frames: mine.length,
          mapped: mine.filter(({ mapcount }) => mapcount! > 0).length,
          dirty: mine.filter(({ word }) => (word & 0x110n) !== 0n).length,
          unevictable: mine.filter(({ word }) => (word & 0x40000n) !== 0n).length,
        });
      }
      for (const { from, to, frames: n } of tables.mapcounts)
        expect(n).toBe(frames.filter(({ mapcount }) => mapcount! >= from && mapcount! <= to).length);
      for (const { cgroup, frames: n } of tables.owners)
        expect(n).toBe(frames.filter(({ owner }) => (CGROUPS[owner!] ?? null) === cgroup).length);
      const zoneAt = (pfn: number) =>
        known.findIndex(({ startPfn, spanned }) => startPfn <= pfn && pfn < startPfn + spanned);
      tables.zones.forEach(({ zone, frames: n }, row) => {
        expect(n).toBe(frames.filter((_, pfn) => zoneAt(pfn) === (zone === null ? -1 : row)).length);
      });
    }),
  );
});

const LRU_ANON = 0x5828n;
const host = () =>
  madeUpHost({
    processes: [
      { pid: 1, areas: [{ at: 100, pages: [10, 11, null, 'slot 3'] }] },
      { pid: 2, sharesMmWith: 1 },
      { pid: 3, areas: [{ at: 50, pages: [11, 12] }] },
    ],
    flags: { 10: LRU_ANON, 11: LRU_ANON | 16n, 12: 0x205828n, 20: 0x400n },
    frames: 64,
    charged: { 10: 0, 11: 1 },
    cgroups: ['/a', '/a/b'].map((path, inode) => ({ inode, path, texts: new Map() })),
    texts: { zoneinfo: '' },
  });

for (const { why, filter, want } of [
  { why: 'a process', filter: { pids: [1] }, want: [10, 11] },
  { why: 'a process that has another’s memory', filter: { pids: [2] }, want: [10, 11] },
  { why: 'one of two', filter: { pids: [1, 3] }, want: [10, 11, 12] },
  { why: 'a kind', filter: { kinds: ['ksm', 'free'] }, want: [12, 20] },
  { why: 'all of the flags', filter: { flags: ['anon', 'dirty'] }, want: 'no flag' },
  { why: 'flags set and not set', filter: { flags: ['anonymous', '~dirty'] }, want: [10, 12] },
  { why: 'a cgroup, with what is below', filter: { cgroups: ['/a'] }, want: [10, 11] },
  { why: 'a cgroup below', filter: { cgroups: ['/a/b'] }, want: [11] },
  { why: 'a range and a list', filter: { range: [11, 30], lists: ['inactive_anon'] }, want: [11, 12] },
  { why: 'a process that is not there', filter: { pids: [9] }, want: 'no process 9' },
  { why: 'a cgroup that is not there', filter: { cgroups: ['/b'] }, want: "no cgroup '/b'" },
  {
    why: 'a zone that is not there',
    filter: { zones: ['HighMem'] },
    want: "no zone is called 'HighMem': zoneinfo is missing",
  },
] satisfies { why: string; filter: FrameFilter; want: number[] | string }[])
  test(`chooseFrames: ${why}`, () => {
    const snapshot = host();
    const chosen = chooseFrames(snapshot, frameKinds(snapshot)!, filter);
    if (typeof chosen === 'string') expect(chosen).toContain(want);
    else expect([...chosen!].flatMap((one, pfn) => (one === 1 ? [pfn] : []))).toEqual(want);
  });

test('chooseFrames: a zone by its name, or by node and name', () => {
  const zones = [
    { node: 0, zone: 'DMA', startPfn: 1, spanned: 3 },
    { node: 0, zone: 'Normal', startPfn: 4, spanned: 4 },
    { node: 1, zone: 'Normal', startPfn: 8, spanned: 2 },
  ];
  const snapshot = hostOfFrames(
    Array.from({ length: 10 }, () => ({ word: 0x400n })),
    zones,
  );
  const kinds = frameKinds(snapshot)!;
  const chosen = (name: string) => [...(chooseFrames(snapshot, kinds, { zones: [name] }) as Uint8Array)].join('');
  expect([chosen('Normal'), chosen('1:Normal'), chosen('DMA')]).toEqual(['0000111111', '0000000011', '0111000000']);
});

test('holes: by KPF_NOPAGE, outside of zones, and where iomem has no memory; only what has no flags', () => {
  const frames = Array.from({ length: 100 }, (_, pfn) => ({ word: pfn === 40 ? 0x80n : pfn === 20 ? 0x100000n : 0n }));
  const zones = [{ node: 0, zone: 'Normal', startPfn: 10, spanned: 80 }];
  const iomem = '0000a000-00024fff : System RAM\n0002a000-00059fff : System RAM\n';
  const { kind } = frameKinds(hostOfFrames(frames, zones, { iomem }))!;
  const holes = [...kind].flatMap((place, pfn) => (FRAME_KINDS[place]!.kind === 'hole' ? [pfn] : []));
  const between = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);
  expect(holes).toEqual([...between(0, 10), 20, ...between(37, 40), 41, ...between(90, 100)]);
});

test('holes without iomem: whole sections without flags, as many as the zone lacks', () => {
  const section = 32_768;
  const frames = Array.from({ length: 4 * section }, (_, pfn) => ({
    word: pfn < 10 || pfn >= 3 * section ? 0x80n : 0n,
  }));
  const zone = { node: 0, zone: 'DMA32', startPfn: 0, spanned: 4 * section };
  const holes = (present: number) =>
    [...frameKinds(hostOfFrames(frames, [{ ...zone, present }]))!.kind].flatMap((place, pfn) =>
      FRAME_KINDS[place]!.kind === 'hole' && pfn % section === 0 ? [pfn / section] : [],
    );
  expect([holes(4 * section), holes(3 * section), holes(2 * section)]).toEqual([[], [1], [1, 2]]);
});

test('deferred: the end of a zone without any flag, where the zone does not manage so much', () => {
  const frames = Array.from({ length: 70_000 }, (_, pfn) => ({ word: pfn < 30_000 ? 0x80n : 0n }));
  const zone = { node: 0, zone: 'Normal', startPfn: 0, spanned: 70_000 };
  const deferred = (managed: number) => frameKinds(hostOfFrames(frames, [{ ...zone, managed }]))!.deferred;
  expect(deferred(30_000)).toEqual([{ first: 30_000, end: 70_000 }]);
  // All of it is managed: these frames are in use, or free on a CPU's list.
  expect(deferred(70_000)).toEqual([]);
});

test('meminfo: each difference has a name; a field that is not printed has no row', () => {
  const frames = [0x400n, 0x400n, 0x80n, LRU_ANON, LRU_ANON, 0x205828n, 0x40000086cn, 0x4878n].map((word, pfn) => ({
    word,
    mapcount: pfn === 3 || pfn === 5 ? 1 : 0,
  }));
  const meminfo = 'MemTotal:  40 kB\nMemFree:  8 kB\nAnonPages:  8 kB\nCached:  4 kB\nBuffers:  4 kB\nSlab:  12 kB\n';
  const rows = tablesOf(hostOfFrames(frames, [], { meminfo })).meminfo!;
  expect(
    rows.map(({ fields, counted, kernel, difference }) => [fields.join(' '), counted, kernel, difference]),
  ).toEqual([
    ['MemTotal', 8, 10, -2],
    ['MemFree', 2, 2, 0],
    ['AnonPages', 2, 2, 0],
    ['Cached Buffers', 2, 2, 0],
    ['Slab', 1, 3, -2],
  ]);
  expect(rows.every(({ counts, differs }) => counts !== '' && differs !== '')).toBe(true);
  expect(tablesOf(hostOfFrames(frames, [], { meminfo }), { kinds: ['anon'] }).meminfo).toBeNull();
});
