/**
 * Frames of a simulated machine, as colourings see them.
 *
 * Owns      the kind of each frame, by the rules of host/frames/frame_kinds.ts, from the machine's own columns.
 * Promises  1. One pass, no object for a frame.
 *           2. A tail of a block is what its head is. Kernels before 6.11 showed no flags for tails, and 3.16 none for page tables:
 *              here they are what they are.
 *           3. What reclaim may do is what kindOfPage (mm/kinds.ts) says of the head.
 */
import { buddyOrder } from '../mm/buddy.ts';
import type { AddressSpace } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import { lruvecOf } from '../mm/memcg.ts';
import { MAX_NR_GENS } from '../mm/mglru/lru_gen.ts';
import type { MultiGen } from '../mm/mglru/multi_gen.ts';
import { compoundHead } from '../mm/page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PAGE_MAPPING_KSM,
  type PageFlags,
  PG_active,
  PG_buddy,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_lru,
  PG_mlocked,
  PG_referenced,
  PG_reserved,
  PG_slab,
  PG_swapbacked,
  PG_swapcache,
  PG_table,
  PG_tail,
  PG_unevictable,
  PG_uptodate,
  PG_writeback,
} from '../mm/page_flags.ts';
import type { Pfn } from '../mm/units.ts';
import { isFreeBuddyPage } from '../proc/kpage.ts';
import {
  ENTRY_IS_DIRTY,
  ENTRY_IS_LOCKED,
  ENTRY_IS_YOUNG,
  type EntryColumns,
  entriesOfMachine,
} from './frames_entries.ts';
import { category, PLACE, type Uncounted } from './frames_legend.ts';
import {
  CLEAN,
  DIRTINESS,
  DIRTY,
  DIRTY_ENTRY,
  DISCARDABLE,
  FIVE_LISTS,
  FOUR_KINDS,
  type FrameSource,
  type Painting,
  SWAPPABLE,
  SYNCABLE,
  TWO_LISTS,
  UNREAD_LIST,
  UNRECLAIMABLE,
  WRITEBACK,
  type ZoneSpan,
} from './frames_source.ts';
import type { MachineSubject } from './subject.ts';

export function framesOfMachine(subject: MachineSubject): FrameSource {
  const { machine } = subject;
  const { frames, memcgs, generation } = machine;
  let entries: EntryColumns | null = null;
  const marks = (): EntryColumns => (entries ??= entriesOfMachine(subject));
  return {
    frames: frames.frames,
    zones: zonesOf(machine),
    kinds: () => kindsOfMachine(machine),
    entries: marks,
    mapcount: (pfn) => frames.mapcount(pfn as Pfn),
    // The root is number 1.
    cgroups: generation.cgroups ? memcgs.slice(1).map((memcg) => memcg.name) : [],
    cgroup: (pfn) => frames.memcg(pfn as Pfn) - 1,
    list: () => listOf(machine),
    age: () => ageOf(machine, marks().bits),
    dirty: () => dirtyOf(machine, marks().bits),
    reclaim: () => reclaimOf(machine, marks),
  };
}

function zonesOf({ zones, nodes }: Machine): ZoneSpan[] {
  return zones
    .filter(({ spannedPages }) => spannedPages > 0)
    .map(({ name, pgdat, startPfn, spannedPages }) => ({
      name: nodes.length > 1 ? `${name}, node ${pgdat.nid}` : name,
      first: startPfn,
      end: startPfn + spannedPages,
    }));
}

// kinds

function kindsOfMachine(machine: Machine): Uint8Array {
  const { frames } = machine;
  const { frames: count } = frames;
  const kinds = new Uint8Array(count);
  let head: number = PLACE.kernel;
  for (let n = 0; n < count; ) {
    const pfn = n as Pfn;
    const flags = frames.allFlags(pfn);
    if ((flags & PG_buddy) !== 0) {
      const end = Math.min(count, n + (1 << buddyOrder(frames, pfn)));
      kinds.fill(PLACE.free, n, end);
      n = end;
      continue;
    }
    if ((flags & PG_tail) === 0) head = kindOf(machine, pfn, flags);
    kinds[n] = head === PLACE.file && frames.mapcount(pfn) > 0 ? PLACE.file_mapped : head;
    n += 1;
  }
  return kinds;
}

/** Place in VIEW_KINDS of one frame. */
export function kindOfFrame(machine: Machine, pfn: Pfn): number {
  const { frames } = machine;
  if (isFreeBuddyPage(machine, pfn)) return PLACE.free;
  const head = compoundHead(machine, pfn);
  const kind = kindOf(machine, head, frames.allFlags(head));
  return kind === PLACE.file && frames.mapcount(pfn) > 0 ? PLACE.file_mapped : kind;
}

/** Of a head, or a page on its own, that is in no free block. A file's page as if nobody mapped it. */
function kindOf({ frames, zeroPfn }: Machine, pfn: Pfn, flags: PageFlags): number {
  if ((flags & PG_slab) !== 0) return PLACE.slab;
  if ((flags & PG_table) !== 0) return PLACE.pgtable;
  if (pfn === zeroPfn) return PLACE.zero_page;
  if ((flags & PG_reserved) !== 0) return PLACE.reserved;
  // What is free and in no block: a CPU's, or in 2.4 a task's that reclaims.
  if (frames.refcount(pfn) === 0) return PLACE.cpu_free;
  const word = frames.mapping(pfn);
  if ((word & PAGE_MAPPING_KSM) === PAGE_MAPPING_KSM) return PLACE.ksm;
  const inSwapCache = (flags & PG_swapcache) !== 0 && (flags & PG_swapbacked) !== 0;
  if ((word & PAGE_MAPPING_ANON) !== 0) {
    if ((flags & PG_head) !== 0) return PLACE.anon_huge;
    return inSwapCache ? PLACE.swap_cache : PLACE.anon;
  }
  if ((flags & (PG_lru | PG_uptodate | PG_dirty | PG_writeback)) === 0) return PLACE.kernel;
  if ((flags & PG_swapbacked) === 0) return PLACE.file;
  return inSwapCache ? PLACE.swap_cache : PLACE.shmem;
}

// lists

function listOf(machine: Machine): Painting {
  const { frames, lru, generation, multiGen } = machine;
  if (multiGen !== null) return generationOf(machine, multiGen);
  const lists = generation.lruNames[2] === '-' ? TWO_LISTS : FIVE_LISTS;
  return {
    says: `The ${lists.length === 2 ? 'two' : 'five'} lists of Linux ${generation.version}: reclaim takes pages from the tail of an inactive one.`,
    legend: [UNREAD_LIST, ...lists],
    of: (pfn) => {
      const head = compoundHead(machine, pfn as Pfn);
      return frames.has(head, PG_lru) ? 1 + lru.listOf(head) : 0;
    },
  };
}

const AGES = ['youngest', 'second', 'third', 'oldest'] as const;
const AGE_TONES = ['p2', 'p5', 'p4', 'p1'] as const;

/** 0 is the youngest generation of the folio's cgroup, 3 the oldest that there can be; -1: in none. */
function ageInGenerations(machine: Machine, { gens }: MultiGen, head: Pfn): number {
  const gen = gens.gen(head);
  if (gen < 0) return -1;
  return ((lruvecOf(machine, head).lruGen!.maxSeq % MAX_NR_GENS) - gen + MAX_NR_GENS) % MAX_NR_GENS;
}

function generationOf(machine: Machine, multiGen: MultiGen): Painting {
  const { frames } = machine;
  const tones = ['p0', 'p5', 'p3', 'p7', 'p2', 'file', 'p4', 'p1'] as const;
  return {
    says: 'MGLRU has generations in place of lists: aging opens a new youngest one, eviction empties the oldest.',
    legend: [
      UNREAD_LIST,
      FIVE_LISTS[4]!,
      ...['anon', 'file'].flatMap((type, t) =>
        AGES.map((age, a) =>
          category(
            `${type} ${age}`,
            `${type}, ${age}`,
            t === 0 ? 'a' : 'f',
            tones[t * 4 + a]!,
            `Generation of ${type === 'anon' ? 'anonymous and tmpfs' : 'file'} pages: ${age}.`,
          ),
        ),
      ),
    ],
    of: (pfn) => {
      const head = compoundHead(machine, pfn as Pfn);
      const age = ageInGenerations(machine, multiGen, head);
      if (age >= 0) return 2 + (frames.has(head, PG_swapbacked) ? 0 : 4) + age;
      return frames.has(head, PG_lru) && frames.has(head, PG_unevictable) ? 1 : 0;
    },
  };
}

// age

const USED = category(
  'young',
  'accessed bit set',
  'y',
  'p2',
  'The CPU used it through a page table since somebody last looked.',
);

function ageOf(machine: Machine, bits: Uint8Array): Painting {
  const { frames, multiGen, generation } = machine;
  const isUsed = (pfn: number): boolean => (bits[pfn]! & ENTRY_IS_YOUNG) !== 0;
  if (multiGen !== null) {
    const ages = AGES.map((age, a): Uncounted => {
      return category(
        age,
        `${age} generation`,
        String(a + 1),
        AGE_TONES[a]!,
        `Not used since aging last looked; its generation is the ${age} of four.`,
      );
    });
    return {
      says: 'Generations of MGLRU. A page whose accessed bit is set goes to the youngest when aging or eviction meets it.',
      legend: [
        USED,
        ...ages,
        category('none', 'in no generation', '–', 'dim', 'Locked, isolated, or in a CPU’s batch.'),
      ],
      of: (pfn) => {
        if (isUsed(pfn)) return 0;
        const age = ageInGenerations(machine, multiGen, compoundHead(machine, pfn as Pfn));
        return age < 0 ? 5 : 1 + age;
      },
    };
  }
  return {
    says: `Linux ${generation.version} keeps no age: only whether a page was used since the last look: accessed and PG_referenced, which a look clears, and PG_active.`,
    legend: [
      USED,
      category('referenced', 'PG_referenced', 'r', 'p5', 'Its first use was noted; the next one makes it active.'),
      category('active', 'PG_active, not used since', 'a', 'p4', 'Once in use often, and not since the last look.'),
      category('old', 'not used', 'o', 'p1', 'No bit says that it was used: the next that reclaim takes.'),
    ],
    of: (pfn) => {
      if (isUsed(pfn)) return 0;
      const flags = frames.allFlags(compoundHead(machine, pfn as Pfn));
      if ((flags & PG_referenced) !== 0) return 1;
      return (flags & PG_active) !== 0 ? 2 : 3;
    },
  };
}

function dirtyOf(machine: Machine, bits: Uint8Array): Painting {
  const { frames } = machine;
  return {
    says: 'What must be written before the frame can be used for something else. The CPU marks entries, the kernel marks pages.',
    legend: DIRTINESS,
    of: (pfn) => {
      const flags = frames.allFlags(compoundHead(machine, pfn as Pfn));
      if ((flags & PG_writeback) !== 0) return WRITEBACK;
      if ((flags & PG_dirty) !== 0) return DIRTY;
      return (bits[pfn]! & ENTRY_IS_DIRTY) !== 0 ? DIRTY_ENTRY : CLEAN;
    },
  };
}

// what reclaim may do

/** By place in FOUR_KINDS. The kernel's own frames are asked, too. */
function reclaimOf(machine: Machine, marks: () => EntryColumns): Painting {
  const { frames, mappings, generation } = machine;
  // Before 2.6.28 a page does not know that it is locked.
  const locked = generation.switches.unevictableList ? null : marks().bits;
  const isTmpfs = Uint8Array.from(mappings, (owner) => Number((owner as AddressSpace | null)?.host?.kind === 'tmpfs'));
  return {
    says: 'The four kinds of page frame reclaim: what would have to be done to win the frame.',
    legend: FOUR_KINDS,
    of: (n) => {
      const pfn = compoundHead(machine, n as Pfn);
      const flags = frames.allFlags(pfn);
      if (frames.refcount(pfn) === 0 || (flags & PG_reserved) !== 0) return UNRECLAIMABLE;
      if ((flags & PG_slab) !== 0) return machine.slab.isReclaimable(pfn) ? DISCARDABLE : UNRECLAIMABLE;
      if ((flags & (PG_table | PG_locked | PG_mlocked | PG_unevictable)) !== 0) return UNRECLAIMABLE;
      if (locked !== null && (locked[n]! & ENTRY_IS_LOCKED) !== 0) return UNRECLAIMABLE;
      const word = frames.mapping(pfn);
      if (word === 0) return UNRECLAIMABLE;
      if ((word & PAGE_MAPPING_ANON) !== 0) return (flags & PG_swapbacked) !== 0 ? SWAPPABLE : DISCARDABLE;
      return isTmpfs[word / 4] === 1 ? SWAPPABLE : SYNCABLE;
    },
  };
}
