/**
 * What stands beside a picture of frames: its categories, with a colour each, and how many frames are in them.
 *
 * Promises  1. Categories that belong to a thing (a process, a cgroup) keep their colour as long as the same things are shown.
 *           2. A category has one character, for those who do not see its colour.
 */
import type { FrameKind } from '../host/frames/frame_kinds.ts';

/** In the order in which people choose from them. */
export const COLOURINGS = [
  { id: 'owner', name: 'owner', says: 'who has the page' },
  { id: 'kind', name: 'kind', says: 'what the frame is used for' },
  { id: 'list', name: 'LRU list', says: 'on which list of reclaim it stands' },
  { id: 'age', name: 'age', says: 'when it was last used, as far as the kernel knows' },
  { id: 'mapcount', name: 'mapcount', says: 'how many page-table entries map it' },
  { id: 'dirty', name: 'dirty', says: 'what must be written first' },
  { id: 'reclaim', name: 'what reclaim may do', says: 'the four kinds of pages' },
  { id: 'zone', name: 'zone', says: 'where it lies' },
  { id: 'cgroup', name: 'cgroup', says: 'who is charged for it' },
] as const;
export type Colouring = (typeof COLOURINGS)[number]['id'];

/** A colour by its meaning, or one of the palette's (p0 … p7). */
export type Tone = 'free' | 'cpu' | 'void' | 'kernel' | 'reserved' | 'shared' | 'file' | 'dim' | `p${number}`;

export interface Category {
  /** Stays the same from step to step: `free`, `process 12`. */
  readonly key: string;
  readonly name: string;
  /** One sentence. */
  readonly says: string;
  /** One character. */
  readonly mark: string;
  readonly tone: Tone;
  /** Frames in it. */
  readonly count: number;
}

/** Before anything is counted. */
export type Uncounted = Omit<Category, 'count'>;

export function category(key: string, name: string, mark: string, tone: Tone, says: string): Uncounted {
  return { key, name, says, mark, tone };
}

/** The legend with the frames of each place in it. */
export function counted(legend: readonly Uncounted[], categories: Uint8Array): Category[] {
  const counts = new Uint32Array(256);
  for (let pfn = 0; pfn < categories.length; pfn++) counts[categories[pfn]!]! += 1;
  return legend.map((one, place) => ({ ...one, count: counts[place]! }));
}

/** Colours for things with numbers, as many as there are. */
const COLOURS = 8;

/** Which of the palette's colours each of at most eight numbers has: the one that it would like, or the next that is left. */
export function tonesOf(ids: readonly number[]): Map<number, Tone> {
  const taken = new Set<number>();
  const tones = new Map<number, Tone>();
  for (const id of [...ids].sort((a, b) => a - b)) {
    let at = id % COLOURS;
    while (taken.has(at)) at = (at + 1) % COLOURS;
    taken.add(at);
    tones.set(id, `p${at}`);
  }
  return tones;
}

/** The places of the largest counts, at most eight, in order of place. */
export function largest(counts: ArrayLike<number>): number[] {
  return Array.from(counts, (count, place) => ({ count, place }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || a.place - b.place)
    .slice(0, COLOURS)
    .map(({ place }) => place)
    .sort((a, b) => a - b);
}

// kinds

/** Kinds as a host's words tell them, and two more: what has a slot in the swap area; what a CPU keeps free, which no word tells. */
export type ViewKind = FrameKind | 'swap_cache' | 'cpu_free';

/** In the order in which the legend shows them. */
export const VIEW_KINDS: readonly (Uncounted & { readonly key: ViewKind })[] = (
  [
    ['free', 'free', '·', 'free', 'In a block of the buddy system.'],
    [
      'cpu_free',
      'free, on a CPU’s list',
      ',',
      'cpu',
      'Free, and in no block: a CPU (in 2.4 a task that reclaims) keeps it for its next allocation.',
    ],
    ['anon', 'anonymous', 'a', 'p0', 'Memory of processes without a file behind it: heap, stack, private copies.'],
    ['anon_huge', 'anonymous, large folio', 'A', 'p5', 'The same in a block of several pages (transparent huge page).'],
    ['swap_cache', 'in the swap cache', 'w', 'p4', 'It has a slot in the swap area: on its way out, or just back.'],
    ['file_mapped', 'file, mapped', 'F', 'p2', 'A page of a file that some page table maps.'],
    ['file', 'file, only cached', 'f', 'file', 'A page of a file in the page cache that nobody maps.'],
    ['shmem', 'shared memory, tmpfs', 's', 'p3', 'A page of a file that lives in memory; it goes to the swap area.'],
    ['ksm', 'merged by KSM', 'm', 'p7', 'One page in place of several equal ones.'],
    ['slab', 'slab', 'S', 'p6', 'Small objects of the kernel: dentries, inodes, VMAs.'],
    ['pgtable', 'page table', 'T', 'p1', 'A page of page-table entries.'],
    ['hugetlb', 'hugetlb', 'G', 'p5', 'Reserved for huge pages.'],
    ['zero_page', 'zero page', 'z', 'dim', 'Stands for anonymous memory that was read and never written.'],
    [
      'kernel',
      'other kernel memory',
      'K',
      'kernel',
      'Kernel stacks and the like. A host does not tell from them what its CPUs keep free.',
    ],
    ['reserved', 'reserved', 'R', 'reserved', 'The kernel’s image and what it took at boot: never free.'],
    ['hwpoison', 'broken', 'X', 'p1', 'Memory with an error: never used again.'],
    ['offline', 'offline, balloon', 'o', 'dim', 'Given back to the hypervisor, or taken out.'],
    ['unknown', 'unknown flags', '?', 'dim', 'Flags that this program does not know.'],
    ['deferred', 'not given to a zone yet', '~', 'dim', 'Memory that boot left for later.'],
    ['hole', 'no memory', ' ', 'void', 'There is no memory at these numbers.'],
    ['not_read', 'not read', '-', 'void', 'Nobody asked for these frames when the snapshot was taken.'],
  ] as const
).map(([key, name, mark, tone, says]) => ({ key, name, mark, tone, says }));

/** Places in VIEW_KINDS. */
export const PLACE: Readonly<Record<ViewKind, number>> = Object.fromEntries(
  VIEW_KINDS.map(({ key }, place) => [key, place]),
) as Record<ViewKind, number>;

/** What other colourings say of frames that are nobody's page: the first four of their categories. */
export const FREE = 0;
export const KERNEL = 1;
export const VOID = 2;
export const CPU_FREE = 3;
/** Where a colouring's own categories begin. */
export const OWN = 4;

export const BASE: readonly Uncounted[] = [
  category('free', 'free', '·', 'free', 'In a block of the buddy system.'),
  category('kernel', 'the kernel’s', 'K', 'kernel', 'Slab, page tables, stacks, what was reserved at boot.'),
  category(
    'void',
    'no memory, or not read',
    ' ',
    'void',
    'There is no memory at these numbers, or the snapshot does not have them.',
  ),
  category(
    'cpu_free',
    'free, on a CPU’s list',
    ',',
    'cpu',
    'Free, and in no block: a CPU (in 2.4 a task that reclaims) keeps it for its next allocation.',
  ),
];

/** By place in VIEW_KINDS: FREE, KERNEL, VOID or CPU_FREE; OWN for pages of processes and files. */
export const BASE_OF: Uint8Array = Uint8Array.from(VIEW_KINDS, ({ key }) => {
  if (key === 'free') return FREE;
  if (key === 'cpu_free') return CPU_FREE;
  if (key === 'hole' || key === 'not_read') return VOID;
  const pages: readonly ViewKind[] = [
    'anon',
    'anon_huge',
    'swap_cache',
    'file_mapped',
    'file',
    'shmem',
    'ksm',
    'hugetlb',
  ];
  return pages.includes(key) ? OWN : KERNEL;
});
