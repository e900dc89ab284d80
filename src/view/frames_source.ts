/**
 * What colourings of frames ask of a machine or a host.
 *
 * Owns      the questions that both answer, and the categories that both have.
 */
import type { EntryColumns } from './frames_entries.ts';
import { category, type Uncounted } from './frames_legend.ts';

/** Frames of one zone side by side; zones are named with their node where there are several. */
export interface ZoneSpan {
  readonly name: string;
  readonly first: number;
  readonly end: number;
}

/** How a colouring that both cannot share sees a page. */
export interface Painting {
  /** What the categories mean on this kernel. */
  readonly says: string;
  /** Behind BASE, from place OWN on. */
  readonly legend: readonly Uncounted[];
  /** Place in `legend`. Asked for pages of processes and files alone, in the order of frames. */
  readonly of: (pfn: number) => number;
}

export interface FrameSource {
  readonly frames: number;
  readonly zones: readonly ZoneSpan[];
  /** A place in VIEW_KINDS for each frame. */
  readonly kinds: () => Uint8Array;
  readonly entries: () => EntryColumns;
  readonly mapcount: (pfn: number) => number;
  /** By number, from 0 on; -1: the frame is charged to none. Empty: this kernel has no cgroups, or they were not read. */
  readonly cgroups: readonly string[];
  readonly cgroup: (pfn: number) => number;
  readonly list: () => Painting;
  readonly age: () => Painting;
  readonly dirty: () => Painting;
  readonly reclaim: () => Painting;
}

export const UNREAD_LIST: Uncounted = category(
  'none',
  'on no list',
  '–',
  'dim',
  'Waiting in a CPU’s batch, isolated by a scan, or read for a moment.',
);

/** The five lists of 2.6.28 and later, as flags name them. */
export const FIVE_LISTS: readonly Uncounted[] = [
  category('inactive_anon', 'inactive_anon', 'a', 'p5', 'Anonymous and tmpfs pages that reclaim takes from next.'),
  category('active_anon', 'active_anon', 'A', 'p0', 'Anonymous and tmpfs pages in use.'),
  category(
    'inactive_file',
    'inactive_file',
    'f',
    'file',
    'File pages that reclaim takes from next: used once, or not lately.',
  ),
  category('active_file', 'active_file', 'F', 'p2', 'File pages that were used again.'),
  category('unevictable', 'unevictable', 'U', 'p3', 'Locked pages, which no scan looks at.'),
];

export const TWO_LISTS: readonly Uncounted[] = [
  category('inactive', 'inactive', 'i', 'p5', 'Pages of every kind that reclaim takes from next.'),
  category('active', 'active', 'A', 'p0', 'Pages of every kind in use.'),
];

export const UNRECLAIMABLE = 0;
export const SWAPPABLE = 1;
export const SYNCABLE = 2;
export const DISCARDABLE = 3;
export const FOUR_KINDS: readonly Uncounted[] = [
  category('unreclaimable', 'unreclaimable', 'U', 'p7', 'Must stay: locked, under I/O, or pinned by the kernel.'),
  category('swappable', 'swappable', 'w', 'p0', 'Its content goes to the swap area first, unless it is there already.'),
  category('syncable', 'syncable', 'y', 'p2', 'A page of a file on disk: written if it is dirty, then free.'),
  category(
    'discardable',
    'discardable',
    'd',
    'p4',
    'Dropped as it is: unused caches of the kernel, memory given up with MADV_FREE.',
  ),
];

export const CLEAN = 0;
export const DIRTY_ENTRY = 1;
export const DIRTY = 2;
export const WRITEBACK = 3;
export const DIRTINESS: readonly Uncounted[] = [
  category('clean', 'clean', 'c', 'file', 'Equal to its file or its swap slot, or never written.'),
  category(
    'dirty_entry',
    'dirty in a page table only',
    'e',
    'p4',
    'The CPU marked the entry; the page learns of it when it is unmapped or cleaned.',
  ),
  category('dirty', 'dirty', 'D', 'p1', 'PG_dirty: must be written before it can go.'),
  category('writeback', 'being written', 'W', 'p3', 'PG_writeback: on its way to the disk or the swap area.'),
];
