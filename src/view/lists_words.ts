/**
 * The words of the view of lists: bits of a page's state, what lists are for, and what each verdict means.
 *
 * Owns      the bits of a page's state as answers carry them, the kinds of a swap slot, and the verdicts' text.
 * Promises  It brings nothing of the engine with it: a page may draw before its worker is there.
 * Linux     the ladders stand in mm/reclaim: shrink_page_list.ts, shrink_page_list_3.ts, shrink_page_list_2_6.ts, shrink_cache.ts
 */

export const STATE_ANON = 1 << 0;
export const STATE_SHMEM = 1 << 1;
export const STATE_REFERENCED = 1 << 2;
export const STATE_YOUNG = 1 << 3;
export const STATE_ACTIVE = 1 << 4;
export const STATE_MAPPED = 1 << 5;
export const STATE_DIRTY = 1 << 6;
export const STATE_WRITEBACK = 1 << 7;
export const STATE_SWAPCACHE = 1 << 8;
export const STATE_WORKINGSET = 1 << 9;
export const STATE_MLOCKED = 1 << 10;
export const STATE_UNEVICTABLE = 1 << 11;
export const STATE_RECLAIM = 1 << 12;
export const STATE_LOCKED = 1 << 13;
export const STATE_LARGE = 1 << 14;
/** The page says that it is in a younger generation than the list it stands on. */
export const STATE_PROMOTED = 1 << 15;

/** In the order in which they are told. */
export const STATE_WORDS: readonly (readonly [number, string])[] = [
  [STATE_YOUNG, 'young: used through a page table'],
  [STATE_REFERENCED, 'referenced'],
  [STATE_ACTIVE, 'active'],
  [STATE_MAPPED, 'mapped'],
  [STATE_DIRTY, 'dirty'],
  [STATE_WRITEBACK, 'under writeback'],
  [STATE_SWAPCACHE, 'in the swap cache'],
  [STATE_WORKINGSET, 'workingset'],
  [STATE_MLOCKED, 'mlocked'],
  [STATE_UNEVICTABLE, 'unevictable'],
  [STATE_RECLAIM, 'reclaim: freed when its write ends'],
  [STATE_LOCKED, 'locked'],
  [STATE_LARGE, 'a huge page'],
  [STATE_PROMOTED, 'belongs to a younger generation'],
];

export function kindWord(state: number): string {
  if ((state & STATE_ANON) !== 0) return 'anonymous';
  return (state & STATE_SHMEM) !== 0 ? 'tmpfs' : 'file';
}

export function stateWords(state: number): string {
  const words = STATE_WORDS.filter(([bit]) => (state & bit) !== 0).map(([, word]) => word);
  return [kindWord(state), ...words].join(', ');
}

/** What a list is for, by the kernel's name of it. */
export const LIST_PURPOSES: Readonly<Record<string, string>> = {
  inactive_anon: 'private memory and tmpfs that waits for the verdict: swapped from the tail, unless it was used again',
  active_anon: 'private memory and tmpfs in use; aged from the tail to inactive',
  inactive_file: 'pages of files that wait for the verdict: dropped or written from the tail, unless used again',
  active_file: 'pages of files used more than once; aged from the tail to inactive',
  unevictable: 'mlocked pages and the like: no scan looks at them',
  inactive: 'pages of every kind that wait for the verdict at the tail',
  active: 'pages of every kind in use; aged from the tail to inactive',
};

/** In place of the number of the list where a page stood before: it stood on none; it stayed where it was. */
export const FROM_NONE = 254;
export const STAYED = 255;

// swap slots

export const SLOT_FREE = 0;
/** Entries need it, and no page in memory has it. */
export const SLOT_USED = 1;
/** Its page is in the swap cache, and entries need it. */
export const SLOT_CACHED = 2;
/** Its page is in the swap cache, and nobody else needs the slot. */
export const SLOT_CACHE_ONLY = 3;
/** One page of tmpfs needs it. */
export const SLOT_SHMEM = 4;
/** Taken for an allocation to come, and without a page (a CPU's cache of slots). */
export const SLOT_RESERVED = 5;
export const SLOT_BAD = 6;

export const SLOT_WORDS: readonly string[] = [
  'free',
  'swapped out',
  'in the swap cache, needed by entries',
  'in the swap cache alone',
  'of tmpfs',
  'taken ahead by the CPU',
  'bad: the header',
];

// verdicts

/** Outcomes, as the ladders number them. */
export const FREED = 0;
export const ACTIVATED = 1;
export const KEPT = 2;
export const CULLED = 3;
/** MGLRU's sort_folio: not evicted now. */
export const SORTED = 4;

export const OUTCOMES = ['reclaimed', 'activated', 'kept', 'unevictable', 'sorted'] as const;

/** Which ladder gave a verdict. */
export type Ladder = '2.4' | '2.6' | '3.16' | '6' | 'sort';

const LADDER_6: Readonly<Record<string, string>> = {
  '1.2': 'kept: locked by somebody',
  '2.1': 'unevictable: its mapping says that its pages must stay',
  '2.3': 'unevictable: mlocked',
  '3.2': 'kept: mapped, and this run must not unmap',
  '4.2': 'kept: a walk found it young since it was isolated',
  '5.1': 'activated: under writeback, freed when the write has ended',
  '5.3': 'unevictable: mlocked, under writeback',
  '6.1': 'activated: used through page tables, often enough',
  '6.2': 'kept: used once, another round',
  '6.3': 'unevictable: a region that maps it is locked',
  '7.1': 'activated: there is no swap slot',
  '7.2': 'kept: whoever reclaims may not do I/O',
  '8.1': 'activated: an entry could not be taken away',
  '9.1': 'activated: dirty, the flusher shall write it',
  '9.2': 'kept: dirty, its write has begun or is not allowed',
  '10.1': 'activated: its buffers stay',
  '11.0': 'reclaimed',
  '11.2': 'kept: somebody holds it, or dirtied it again',
};

const LADDER_3: Readonly<Record<string, string>> = {
  '1.2': 'kept: locked by somebody',
  '3.3': 'unevictable: mlocked',
  '4.2': 'kept: mapped, and this run must not unmap',
  '6.2': 'kept: under writeback',
  '7.1': 'activated: used through page tables, often enough',
  '7.2': 'kept: used once, another round',
  '8.1': 'activated: there is no swap slot',
  '8.2': 'kept: whoever reclaims may not do I/O',
  '9.1': 'activated: young again while it was unmapped',
  '9.2': 'kept: not unmapped everywhere yet',
  '9.3': 'unevictable: a region that maps it is locked',
  '10.1': 'activated: it could not be written',
  '10.2': 'kept: dirty, its write has begun, is the flusher’s or is not allowed',
  '11.1': 'activated: its buffers stay',
  '12.0': 'reclaimed',
  '12.2': 'kept: somebody holds it, or dirtied it again',
};

const LADDER_2_6: Readonly<Record<string, string>> = {
  '1.2': 'kept: locked by somebody',
  '3.2': 'kept: mapped, and nothing may be swapped',
  '5.2': 'kept: under writeback',
  '6.1': 'activated: used, and mapped (it or its file)',
  '7.1': 'activated: there is no swap slot',
  '8.1': 'activated: a region is locked, or used it again',
  '8.2': 'kept: not unmapped everywhere yet',
  '9.1': 'activated: it could not be written',
  '9.2': 'kept: dirty, its write has begun or is not allowed',
  '10.0': 'reclaimed: its buffers were all that it had',
  '10.1': 'activated: its buffers stay',
  '11.0': 'reclaimed',
  '11.2': 'kept: somebody holds it, or dirtied it again',
};

/** Steps of shrink_cache: each but the last leaves the page at the head of the inactive list. */
const LADDER_2_4: Readonly<Record<string, string>> = {
  '2.2': 'kept: of a zone above the one that is short',
  '3.2': 'kept: mapped; after too many of them swap_out walks the address spaces',
  '4.2': 'kept: locked, its I/O is under way',
  '5.2': 'kept: dirty, written now; it goes when it is met again',
  '6.2': 'kept: its buffers are busy',
  '7.2': 'kept: mapped meanwhile',
  '8.2': 'kept: dirty still',
  '9.0': 'reclaimed',
};

const LADDER_SORT: Readonly<Record<string, string>> = {
  '1.4': 'sorted: unevictable',
  '2.4': 'sorted: written since MADV_FREE, anonymous again',
  '3.4': 'sorted: a walk found it young, to its younger generation',
  '4.4': 'sorted: protected, its tier comes back too often; to the next generation',
  '5.4': 'sorted: of a zone that does not help; to the next generation',
  '6.4': 'sorted: dirty or being written; to the next generation',
};

const LADDERS: Readonly<Record<Ladder, Readonly<Record<string, string>>>> = {
  '2.4': LADDER_2_4,
  '2.6': LADDER_2_6,
  '3.16': LADDER_3,
  '6': LADDER_6,
  sort: LADDER_SORT,
};

/** The rung that decided, and what happened.. */
export function verdictWords(ladder: Ladder, rung: number, outcome: number, anon: boolean): string {
  const words = LADDERS[ladder][`${rung}.${outcome}`] ?? `${OUTCOMES[outcome] ?? 'kept'}: rung ${rung}`;
  if (words !== 'reclaimed') return words;
  return anon ? 'reclaimed: it is in swap' : 'reclaimed: clean, dropped';
}

/** Which function of the kernel gave it. */
export const LADDER_FUNCTIONS: Readonly<Record<Ladder, string>> = {
  '2.4': 'shrink_cache',
  '2.6': 'shrink_page_list',
  '3.16': 'shrink_page_list',
  '6': 'shrink_folio_list',
  sort: 'sort_folio',
};
