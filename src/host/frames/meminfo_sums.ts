/**
 * What was counted frame by frame beside what the kernel counts itself, and a name for each difference.
 *
 *   MemFree      free in the buddy system, and frames that no zone has yet      Slab   without large kmalloc: no mark
 *   AnonPages    anonymous (KSM's too) and mapped                               Mapped files and shmem that are mapped
 *
 * Promises  A field that this kernel does not print has no row. `difference` is counted − kernel, in frames.
 * Linux     6.18 fs/proc/meminfo.c: meminfo_proc_show; mm/vmstat.c; mm/rmap.c: NR_ANON_MAPPED NR_FILE_MAPPED
 */

import { parseCounters } from '../kernel_texts.ts';
import type { HostSnapshot } from '../snapshot.ts';
import { FRAME_KINDS, type FrameKind, type FrameKinds, KIND, type LruList, listOfWord } from './frame_kinds.ts';
import { HIGH_MLOCKED, LOW_ANON, LOW_DIRTY, LOW_SWAPCACHE, LOW_WRITEBACK } from './kpf_masks.ts';

export interface MeminfoRow {
  /** Fields of meminfo, letter for letter; several are added. */
  readonly fields: readonly string[];
  /** Frames. */
  readonly counted: number;
  readonly kernel: number;
  readonly difference: number;
  /** What was counted, and why it may differ. */
  readonly counts: string;
  readonly differs: string;
}

interface Rule {
  readonly fields: readonly string[];
  readonly counts: string;
  readonly differs: string;
  readonly kinds?: readonly FrameKind[];
  readonly fits?: (low: number, high: number) => boolean;
  /** Only frames that some entry maps. */
  readonly mapped?: true;
}

/** The sums of frames.ts. */
interface Sums {
  /** Frames of a kind with a word, at kind * words + word. */
  readonly byWord: Uint32Array;
  mappedOf(kind: number): number;
}

const ANON: readonly FrameKind[] = ['anon', 'anon_huge', 'ksm'];
const CACHE: readonly FrameKind[] = ['file', 'file_mapped', 'shmem'];
const has = (flag: number) => (low: number) => (low & flag) !== 0;
const on = (list: LruList) => (low: number) => listOfWord(low) === list;
const BATCH = "a CPU's batch on its way to a list; with MGLRU the kernel counts generations, not the flag";

const RULES: readonly Rule[] = [
  {
    fields: ['MemTotal'],
    kinds: FRAME_KINDS.map(({ kind }) => kind).filter((kind) => kind !== 'hole' && kind !== 'reserved'),
    counts: 'all memory but what is reserved at boot',
    differs: 'reserved at boot without the mark',
  },
  {
    fields: ['MemFree'],
    kinds: ['free', 'deferred'],
    counts: 'free blocks, and what no zone has yet',
    differs: 'reserved in what no zone has yet; before 4.6 only the first page of a free block has the mark',
  },
  {
    fields: ['AnonPages'],
    kinds: ANON,
    mapped: true,
    counts: 'anonymous and mapped, with KSM',
    differs: 'unmapped meanwhile',
  },
  {
    fields: ['Mapped'],
    kinds: CACHE,
    mapped: true,
    counts: 'files and shared memory, mapped',
    differs: 'mapped or unmapped meanwhile',
  },
  {
    fields: ['Cached', 'Buffers', 'SwapCached'],
    kinds: [...CACHE, ...ANON],
    fits: (low) => (low & LOW_SWAPCACHE) !== 0 || (low & LOW_ANON) === 0,
    counts: 'file cache, shared memory, anonymous pages in the swap cache',
    differs: 'in the cache but not read yet, or on no list: under kernel',
  },
  { fields: ['Shmem'], kinds: ['shmem'], counts: 'shared memory, tmpfs', differs: 'changed meanwhile' },
  {
    fields: ['Dirty'],
    kinds: ['file', 'file_mapped'],
    fits: has(LOW_DIRTY),
    counts: 'dirty file pages',
    differs: 'written meanwhile; ramfs and the like are dirty and not counted',
  },
  {
    fields: ['Writeback'],
    kinds: [...CACHE, ...ANON],
    fits: has(LOW_WRITEBACK),
    counts: 'under writeback',
    differs: 'written meanwhile',
  },
  {
    fields: ['Slab'],
    kinds: ['slab'],
    counts: 'slab',
    differs: 'large kmalloc blocks (since 6.x without the mark): under kernel',
  },
  {
    fields: ['PageTables', 'SecPageTables'],
    kinds: ['pgtable'],
    counts: 'page tables',
    differs: 'top level tables, which some architectures do not mark',
  },
  ...(['inactive_anon', 'active_anon', 'inactive_file', 'active_file'] as const).map((list): Rule => {
    const [state, what] = list.split('_') as [string, string];
    const field = `${state[0]!.toUpperCase()}${state.slice(1)}(${what})`;
    return { fields: [field], fits: on(list), counts: `what has the marks of ${list}`, differs: BATCH };
  }),
  { fields: ['Unevictable'], fits: on('unevictable'), counts: 'on no list that reclaim scans', differs: BATCH },
  {
    fields: ['Mlocked'],
    fits: (_, high) => (high & HIGH_MLOCKED) !== 0,
    counts: 'locked by mlock',
    differs: "a CPU's batch",
  },
  {
    fields: ['AnonHugePages'],
    kinds: ['anon_huge'],
    counts: 'anonymous large folios of any order',
    differs: 'smaller ones, and those mapped page by page',
  },
  { fields: ['Hugetlb'], kinds: ['hugetlb'], counts: 'hugetlb', differs: 'changed meanwhile' },
  { fields: ['HardwareCorrupted'], kinds: ['hwpoison'], counts: 'broken', differs: 'changed meanwhile' },
];

const KB_PER_FRAME = 4;

export function compareWithMeminfo(
  snapshot: HostSnapshot,
  { frames: { wordsLow, wordsHigh } }: FrameKinds,
  sums: Sums,
): MeminfoRow[] {
  const meminfo = parseCounters(snapshot.texts.get('meminfo'));
  const words = wordsLow.length;
  const rows: MeminfoRow[] = [];
  for (const { fields, kinds, fits, mapped, counts, differs } of RULES) {
    const known = fields.filter((field) => meminfo.has(field));
    if (known.length === 0) continue;
    let counted = 0;
    for (const kind of kinds ?? FRAME_KINDS.map((facts) => facts.kind)) {
      if (mapped === true) {
        counted += sums.mappedOf(KIND[kind]);
        continue;
      }
      for (let row = 0; row < words; row++)
        if (fits === undefined || fits(wordsLow[row]!, wordsHigh[row]!))
          counted += sums.byWord[KIND[kind] * words + row]!;
    }
    const kernel = known.reduce((sum, field) => sum + meminfo.get(field)!, 0) / KB_PER_FRAME;
    rows.push({ fields: known, counted, kernel, difference: counted - kernel, counts, differs });
  }
  return rows;
}

export interface KernelPart {
  readonly name: string;
  readonly frames: number;
}

/** What frames of kind `kernel` are, as far as the kernel's own counters tell; the last part is the rest. */
export function kernelParts(snapshot: HostSnapshot, { zones }: FrameKinds, kernel: number, slab: number): KernelPart[] {
  const meminfo = parseCounters(snapshot.texts.get('meminfo'));
  const frames = (field: string) => (meminfo.get(field) ?? 0) / KB_PER_FRAME;
  const known = [
    { name: 'free, on the lists of CPUs (zoneinfo)', frames: zones.reduce((sum, zone) => sum + zone.perCpuFree, 0) },
    { name: 'vmalloc, with kernel stacks (VmallocUsed)', frames: frames('VmallocUsed') },
    { name: 'data of each CPU (Percpu)', frames: frames('Percpu') },
    { name: 'large kmalloc blocks (Slab without slab frames)', frames: Math.max(0, frames('Slab') - slab) },
  ];
  const rest = known.reduce((left, part) => left - part.frames, kernel);
  return [...known.filter((part) => part.frames > 0), { name: 'rest: drivers, network buffers …', frames: rest }];
}
