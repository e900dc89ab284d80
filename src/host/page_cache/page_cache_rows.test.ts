/** Rows and sums of a made-up snapshot, against the same counted the slow way. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameTableBuilder, SnapshotBuilder } from '../builder.ts';
import {
  type CachedFile,
  ENTRY_FILE,
  ENTRY_NO_FRAME,
  ENTRY_PRESENT,
  ENTRY_SWAP,
  type HostSnapshot,
} from '../snapshot.ts';
import { type FileQuestion, fileRows } from './page_cache_rows.ts';
import { cacheSums, chargedPages } from './page_cache_sums.ts';

const FRAMES = 64;
const FILES = 4;
const KPF = {
  dirty: 1n << 4n,
  lru: 1n << 5n,
  active: 1n << 6n,
  mmap: 1n << 11n,
  anon: 1n << 12n,
  swapcache: 1n << 13n,
  swapbacked: 1n << 14n,
  unevictable: 1n << 18n,
};
const ALL: FileQuestion = { pids: null, cgroups: null, under: null, onlyAsked: false };
const CACHED: Omit<CachedFile, 'file'> = {
  kind: 'file',
  sizeBytes: 0,
  cachedPages: 0,
  dirtyPages: 0,
  writebackPages: 0,
  evictedPages: 0,
  recentlyEvictedPages: 0,
  ranges: null,
  openBy: [],
  otherFiles: [],
};
const MEMINFO = 'MemTotal: 400 kB\nBuffers: 40 kB\nCached: 400 kB\nSwapCached: 0 kB\nShmem: 80 kB\n';
const SHARED = ENTRY_PRESENT | ENTRY_FILE;

interface MadeVma {
  readonly file: number;
  readonly pgoff: number;
  /** Place in the VMA, and the entry's bits; a frame belongs to a page of a file. */
  readonly entries: readonly (readonly [page: number, bits: number])[];
}

/** Page p of file f is in frame 16 f + p: one frame for each page. */
const frameOf = (file: number, page: number) => 16 * file + page;

function made(
  processes: readonly (readonly MadeVma[])[],
  frames: readonly bigint[],
  cache: CachedFile[] | null,
): HostSnapshot {
  const builder = new SnapshotBuilder();
  const rows = Array.from({ length: FILES }, (_, i) =>
    builder.file({ device: '08:01', inode: String(i), path: `/f/${i}`, deleted: false }),
  );
  processes.forEach((vmas, i) => {
    const facts = { parentPid: 0, startTicks: 0, comm: 'p', command: null, uid: 0, threads: 1, state: 'S' };
    const more = { cgroup: '/', isKernelThread: false, status: new Map(), rollup: null, sharesMmWith: i + 1 };
    builder.addProcess({ pid: i + 1, ...facts, ...more });
    vmas.forEach(({ file, pgoff, entries }, v) => {
      const place = { startPage: 100 * v, endPage: 100 * v + 8, pgoff, perms: 16, name: `/f/${file}` };
      builder.addVma({ ...place, file: rows[file]! });
      for (const [page, bits] of entries)
        builder.addEntry(page, (bits & ENTRY_NO_FRAME) === 0 ? frameOf(file, pgoff + page) : 0, bits);
    });
  });
  const table = new FrameTableBuilder(FRAMES);
  frames.forEach((word, pfn) => {
    table.set(pfn, word, 1, pfn % 2);
  });
  const cgroups = ['/', '/a'].map((path, inode) => ({ inode, path, texts: new Map<string, string>() }));
  return builder.finish({
    source: 'live',
    takenAtMs: 0,
    tookMs: 0,
    kernel: '6.18',
    hostname: '',
    redacted: false,
    texts: new Map([['meminfo', MEMINFO]]),
    frames: frames.length === 0 ? null : table.finish(),
    cgroups,
    ...(cache === null ? {} : { cache }),
  });
}

const vma = fc.record({
  file: fc.nat(FILES - 1),
  pgoff: fc.nat(8),
  entries: fc.uniqueArray(
    fc.tuple(fc.nat(7), fc.constantFrom(SHARED, ENTRY_PRESENT, ENTRY_SWAP, SHARED | ENTRY_NO_FRAME)),
    {
      selector: ([page]) => page,
    },
  ),
});
const word = fc.subarray(Object.values(KPF)).map((flags) => flags.reduce((sum, flag) => sum | flag, 0n));
const words = fc.array(word, { minLength: FRAMES, maxLength: FRAMES });

test('fileRows: a mapped page counts once, whoever maps it how often', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(vma, { maxLength: 4 }), { maxLength: 4 }),
      words,
      fc.boolean(),
      (processes, frames, hidden) => {
        // One kernel shows all frames or none.
        const seen = processes.map((vmas) =>
          vmas.map((one) => ({
            ...one,
            entries: one.entries.map(
              ([page, bits]) => [page, hidden ? bits | ENTRY_NO_FRAME : bits & ~ENTRY_NO_FRAME] as const,
            ),
          })),
        );
        const snapshot = made(seen, frames, null);
        for (const row of fileRows(snapshot, { ...ALL, cgroups: new Set([1]) })) {
          const file = Number(row.file.inode);
          const pages = new Set<number>();
          const pids = new Set<number>();
          seen.forEach((vmas, i) => {
            for (const { file: of, pgoff, entries } of vmas) {
              if (of !== file) continue;
              pids.add(i + 1);
              for (const [page, bits] of entries) if ((bits & SHARED) === SHARED) pages.add(pgoff + page);
            }
          });
          expect(row.mappedBy).toEqual([...pids]);
          expect(row.mappedPages).toBe(pages.size);
          if (hidden) {
            expect(row.activePages).toBe(pages.size === 0 ? 0 : null);
            continue;
          }
          const flags = [...pages].map((page) => frames[frameOf(file, page)]!);
          const unevictable = flags.filter((flag) => (flag & KPF.unevictable) !== 0n).length;
          const listed = flags.filter((flag) => (flag & KPF.unevictable) === 0n && (flag & KPF.lru) !== 0n);
          const active = listed.filter((flag) => (flag & KPF.active) !== 0n).length;
          expect([row.unevictablePages, row.activePages, row.inactivePages]).toEqual([
            unevictable,
            active,
            listed.length - active,
          ]);
          expect(row.chargedPages).toBe([...pages].filter((page) => frameOf(file, page) % 2 === 1).length);
        }
      },
    ),
  );
});

const mapped = [[{ file: 0, pgoff: 0, entries: [[0, SHARED]] }], [{ file: 1, pgoff: 0, entries: [] }]] as const;
const cache = [
  { ...CACHED, file: 0, sizeBytes: 4097, cachedPages: 1, openBy: [2] },
  { ...CACHED, file: 2, kind: 'shmem' as const, sizeBytes: 0, cachedPages: 7, otherFiles: [1] },
  { ...CACHED, file: 3, kind: 'device' as const, cachedPages: 10 },
];

for (const { why, question, want } of [
  { why: 'all', question: {}, want: ['/f/0', '/f/2', '/f/3'] },
  { why: 'mapped or open by a process', question: { pids: new Set([2]) }, want: ['/f/0', '/f/2'] },
  { why: 'mapped only', question: { pids: new Set([1]) }, want: ['/f/0'] },
  { why: 'nobody', question: { pids: new Set<number>() }, want: [] },
  { why: 'below a path', question: { under: ['/f/3', '/f/2/x'] }, want: ['/f/3'] },
])
  test(`fileRows: ${why}`, () => {
    const rows = fileRows(made(mapped, [], cache), { ...ALL, ...question });
    expect(rows.map(({ file }) => file.path)).toEqual(want);
  });

test('fileRows: what was mapped and not asked has no numbers; another name of a file is no second file', () => {
  const snapshot = made(mapped, [], cache.slice(1));
  const rows = fileRows(snapshot, ALL);
  expect(rows.map(({ file, cached, mappedBy }) => [file.path, cached?.cachedPages ?? null, mappedBy])).toEqual([
    ['/f/2', 7, [2]],
    ['/f/3', 10, []],
    ['/f/0', null, [1]],
  ]);
  expect(fileRows(snapshot, { ...ALL, onlyAsked: true }).length).toBe(2);
});

test('cacheSums: every line is the sum of its parts and its rest', () => {
  fc.assert(
    fc.property(words, (frames) => {
      const snapshot = made(mapped, frames, cache);
      const sums = cacheSums(snapshot, null)!;
      expect(sums).toMatchObject({ cachedPages: 100, buffersPages: 10, shmemPages: 20 });
      expect(sums).toMatchObject({ restFilePages: 79, restShmemPages: 13, restBuffersPages: 0 });
      const isCache = (flag: bigint) => (flag & (KPF.lru | KPF.anon | KPF.swapcache)) === KPF.lru;
      const inCache = frames.filter(isCache);
      const count = (flag: bigint) => inCache.filter((known) => (known & flag) !== 0n).length;
      expect(sums.frames).toMatchObject({
        pages: inCache.length,
        shmemPages: count(KPF.swapbacked),
        mappedPages: count(KPF.mmap),
        unevictablePages: count(KPF.unevictable),
        difference: inCache.length - 110,
      });
      const unmapped = sums.frames!.unmappedByCgroup.reduce((sum, { pages }) => sum + pages, 0);
      expect(unmapped).toBe(inCache.length - count(KPF.mmap));
      const odd = frames.filter((flag, pfn) => isCache(flag) && pfn % 2 === 1).length;
      expect(chargedPages(snapshot, new Set([1]))!.pages).toBe(odd);
    }),
  );
});

test('cacheSums: meminfo that was read later is what the rest is of; without cachestat there are none', () => {
  const snapshot = made(mapped, [], cache);
  expect(cacheSums(snapshot, MEMINFO.replace('Cached: 400', 'Cached: 404'))).toMatchObject({
    restFilePages: 80,
    frames: null,
  });
  expect(cacheSums(made(mapped, [], null), null)).toBe(null);
});
