/**
 * Frames of a host, as colourings see them: from the words of /proc/kpageflags, kpagecount, kpagecgroup and the entries.
 *
 * Promises  What the files do not say is said not to be known, and is no category with 0 frames.
 */
import {
  FRAME_KINDS,
  type FrameKind,
  type FrameKinds,
  KIND,
  LRU_LISTS,
  listOfWord,
} from '../host/frames/frame_kinds.ts';
import {
  HIGH_MLOCKED,
  LOW_ACTIVE,
  LOW_DIRTY,
  LOW_IDLE,
  LOW_SWAPBACKED,
  LOW_SWAPCACHE,
  LOW_UNEVICTABLE,
  LOW_WRITEBACK,
} from '../host/frames/kpf_masks.ts';
import { KPF_LOCKED, KPF_REFERENCED } from '../proc/kpage_flags.ts';
import { entriesOfHost } from './frames_entries.ts';
import { category, PLACE } from './frames_legend.ts';
import {
  CLEAN,
  DIRTINESS,
  DIRTY,
  DISCARDABLE,
  FIVE_LISTS,
  FOUR_KINDS,
  type FrameSource,
  type Painting,
  SWAPPABLE,
  SYNCABLE,
  UNREAD_LIST,
  UNRECLAIMABLE,
  WRITEBACK,
  type ZoneSpan,
} from './frames_source.ts';
import type { HostSubject } from './subject.ts';

const LOW_LOCKED: number = 1 << KPF_LOCKED;
const LOW_REFERENCED: number = 1 << KPF_REFERENCED;

/** Null where /proc/kpageflags was not read. */
export function framesOfHost(subject: HostSubject): FrameSource | null {
  const { kinds, snapshot } = subject;
  if (kinds === null) return null;
  const { frames } = kinds;
  const { length } = snapshot.cgroups;
  return {
    frames: frames.count,
    zones: zonesOf(kinds),
    kinds: () => viewKinds(kinds),
    entries: () => entriesOfHost(subject),
    mapcount: (pfn) => frames.mapcount[pfn]!,
    cgroups: snapshot.cgroups.map(({ path }) => path),
    cgroup: (pfn) => (frames.cgroup[pfn]! < length ? frames.cgroup[pfn]! : -1),
    list: () => listOf(kinds),
    age: () => ageOf(kinds),
    dirty: () => dirtyOf(kinds),
    reclaim: () => reclaimOf(kinds),
  };
}

function zonesOf({ zones, spans }: FrameKinds): ZoneSpan[] {
  const several = new Set(zones.map(({ node }) => node)).size > 1;
  return spans.map(({ first, end, zone }) => {
    const found = zones[zone];
    const name = found === undefined ? (spans.length === 1 ? 'all memory' : 'in no zone') : found.zone;
    return { name: several && found !== undefined ? `${name}, node ${found.node}` : name, first, end };
  });
}

/** Places in FRAME_KINDS become places in VIEW_KINDS; what has a slot of swap is told apart. */
function viewKinds({ kind, frames }: FrameKinds): Uint8Array {
  const place = Uint8Array.from(FRAME_KINDS, ({ kind: name }) => PLACE[name]);
  const inSwapCache = Uint8Array.from(frames.wordsLow, (low) => Number((low & LOW_SWAPCACHE) !== 0));
  const { anon, shmem } = KIND;
  const kinds = new Uint8Array(frames.count);
  for (let pfn = 0; pfn < frames.count; pfn++) {
    const of = kind[pfn]!;
    const swapped = (of === anon || of === shmem) && inSwapCache[frames.word[pfn]!] === 1;
    kinds[pfn] = swapped ? PLACE.swap_cache : place[of]!;
  }
  return kinds;
}

/** Place in VIEW_KINDS of one frame. */
export function kindOfHostFrame({ kind, frames }: FrameKinds, pfn: number): number {
  const of = kind[pfn]!;
  const swapped =
    (frames.wordsLow[frames.word[pfn]!]! & LOW_SWAPCACHE) !== 0 && (of === KIND.anon || of === KIND.shmem);
  return swapped ? PLACE.swap_cache : PLACE[FRAME_KINDS[of]!.kind];
}

/** Pages with the same word are alike: it is looked at once. */
function byWord(kinds: FrameKinds, of: (low: number, high: number) => number): (pfn: number) => number {
  const { wordsLow, wordsHigh, word } = kinds.frames;
  const places = Uint8Array.from(wordsLow, (low, row) => of(low, wordsHigh[row]!));
  return (pfn) => places[word[pfn]!]!;
}

function listOf(kinds: FrameKinds): Painting {
  return {
    says: 'The list that the page’s flags name. A host with MGLRU has generations instead, which kpageflags does not show: active is the two youngest.',
    legend: [UNREAD_LIST, ...FIVE_LISTS],
    of: byWord(kinds, (low) => {
      const list = listOfWord(low);
      return list === 'none' ? 0 : 1 + LRU_LISTS.indexOf(list);
    }),
  };
}

function ageOf(kinds: FrameKinds): Painting {
  return {
    says: 'A host shows no accessed bits of page tables. “Idle” is known only where somebody marked pages in /sys/kernel/mm/page_idle.',
    legend: [
      category('idle', 'idle', 'i', 'p1', 'Not used since it was marked idle.'),
      category('referenced', 'referenced', 'r', 'p5', 'Its first use was noted since reclaim last looked.'),
      category('active', 'active', 'a', 'p4', 'On an active list, or in one of the two youngest generations.'),
      category('unknown', 'nothing is known', '?', 'dim', 'No flag tells whether it was used.'),
    ],
    of: byWord(kinds, (low) => {
      if ((low & LOW_IDLE) !== 0) return 0;
      if ((low & LOW_REFERENCED) !== 0) return 1;
      return (low & LOW_ACTIVE) !== 0 ? 2 : 3;
    }),
  };
}

function dirtyOf(kinds: FrameKinds): Painting {
  return {
    says: 'What must be written before the frame can be used for something else. Dirty bits of page tables are not shown by a host: a mapped page may be dirty there.',
    // Place 1, dirty in a page table only, stays empty.
    legend: DIRTINESS,
    of: byWord(kinds, (low) => ((low & LOW_WRITEBACK) !== 0 ? WRITEBACK : (low & LOW_DIRTY) !== 0 ? DIRTY : CLEAN)),
  };
}

const SWAPPABLE_KINDS: ReadonlySet<FrameKind> = new Set(['anon', 'anon_huge', 'shmem', 'ksm']);

function reclaimOf(kinds: FrameKinds): Painting {
  const { kind } = kinds;
  const fate = Uint8Array.from(FRAME_KINDS, ({ kind: name }) =>
    SWAPPABLE_KINDS.has(name) ? SWAPPABLE : name === 'file' || name === 'file_mapped' ? SYNCABLE : UNRECLAIMABLE,
  );
  const pinned = byWord(kinds, (low, high) =>
    Number((low & (LOW_LOCKED | LOW_UNEVICTABLE)) !== 0 || (high & HIGH_MLOCKED) !== 0),
  );
  const swapBacked = byWord(kinds, (low) => Number((low & LOW_SWAPBACKED) !== 0));
  const { anon, anon_huge } = KIND;
  return {
    says: 'The four kinds of page frame reclaim, as far as flags tell. Which slabs can shrink is not among them: they stand under the kernel’s.',
    legend: FOUR_KINDS,
    of: (pfn) => {
      if (pinned(pfn) === 1) return UNRECLAIMABLE;
      const of = kind[pfn]!;
      return (of === anon || of === anon_huge) && swapBacked(pfn) === 0 ? DISCARDABLE : fate[of]!;
    },
  };
}
