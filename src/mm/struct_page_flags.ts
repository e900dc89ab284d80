/**
 * The bits of page->flags as each kernel numbers them, with what each says.
 *
 * Owns      for each generation: which bit of its word stands for which of the engine's. The engine has one numbering
 *           (mm/page_flags.ts); Linux renumbers them with each release.
 * Promises  A bit that a kernel does not have is not shown, even where common code of the engine uses it.
 * Linux     2.4.19 include/linux/mm.h; 2.5.59, 2.6.24, 2.6.26, 3.16, 6.1, 6.18 include/linux/page-flags.h (docs/spec)
 */
import type { Machine } from './machine.ts';
import {
  PG_active,
  PG_anon_exclusive,
  PG_buddy,
  PG_dirty,
  PG_error,
  PG_head,
  PG_locked,
  PG_lru,
  PG_mappedtodisk,
  PG_mlocked,
  PG_private,
  PG_reclaim,
  PG_referenced,
  PG_reserved,
  PG_slab,
  PG_swapbacked,
  PG_swapcache,
  PG_tail,
  PG_unevictable,
  PG_uptodate,
  PG_workingset,
  PG_writeback,
} from './page_flags.ts';
import { PAGE_FLAGS_2_4 } from './page_flags_2_4.ts';
import { PteChainRmap } from './rmap/pte_chain.ts';
import type { Pfn } from './units.ts';

export interface ShownBit {
  readonly bit: number;
  readonly name: string;
  readonly says: string;
}

interface FlagBit extends ShownBit {
  /** Any of these of the engine's bits. */
  readonly engine: number;
}

const SAYS: Readonly<Record<string, string>> = {
  locked: 'somebody works on the page: it is read, written, or moved',
  error: 'reading or writing it failed',
  referenced: 'used since reclaim last looked',
  uptodate: 'its content is valid',
  dirty: 'must be written before the frame is free',
  lru: 'on a list of reclaim',
  active: 'on the active list',
  slab: 'objects of the kernel',
  reserved: 'the kernel’s since boot: never swapped, never freed',
  private: 'a file system keeps data with it, in `private`',
  writeback: 'being written to the disk or the swap area',
  direct: '`pte` is the one entry that maps it, not a chain',
  compound: 'part of a block of several pages',
  head: 'the first page of a block of several',
  tail: 'a further page of a block of several',
  swapcache: 'it has a slot in the swap area; `private` names it',
  mappedtodisk: 'its blocks on the disk are known',
  reclaim: 'reclaim wants it: free it as soon as it is written; of a clean page: readahead goes on here',
  swapbacked: 'its content goes to the swap area, not to a file',
  unevictable: 'no scan looks at it',
  mlocked: 'locked by mlock(2)',
  buddy: 'first page of a free block; `private` is its order',
  workingset: 'was evicted and came back, or was in use long: more worth than its list says',
  anon_exclusive: 'one process alone has it: a store needs no copy',
};

type Row = readonly [bit: number, name: string, engine: number];

function bits(rows: readonly Row[]): FlagBit[] {
  return rows.map(([bit, name, engine]) => ({ bit, name: `PG_${name}`, engine, says: SAYS[name] ?? '' }));
}

/** The first eight are the same from 2.4 to 4.x. */
const FIRST: readonly Row[] = [
  [0, 'locked', PG_locked],
  [1, 'error', PG_error],
  [2, 'referenced', PG_referenced],
  [3, 'uptodate', PG_uptodate],
  [4, 'dirty', PG_dirty],
  [5, 'lru', PG_lru],
  [6, 'active', PG_active],
  [7, 'slab', PG_slab],
];

const FLAGS_2_5 = bits([
  ...FIRST,
  [11, 'reserved', PG_reserved],
  [12, 'private', PG_private],
  [13, 'writeback', PG_writeback],
  // The reverse map knows (isDirect).
  [16, 'direct', 0],
  [17, 'mappedtodisk', PG_mappedtodisk],
  [18, 'reclaim', PG_reclaim],
  [19, 'compound', PG_head | PG_tail],
]);
const FLAGS_2_6_24 = bits([
  ...FIRST,
  [10, 'reserved', PG_reserved],
  [11, 'private', PG_private],
  [12, 'writeback', PG_writeback],
  [14, 'compound', PG_head | PG_tail],
  [15, 'swapcache', PG_swapcache],
  [16, 'mappedtodisk', PG_mappedtodisk],
  // A tail has this bit beside PG_compound.
  [17, 'reclaim', PG_reclaim | PG_tail],
  [19, 'buddy', PG_buddy],
]);
const FLAGS_2_6_26 = bits([
  ...FIRST,
  [10, 'reserved', PG_reserved],
  [11, 'private', PG_private],
  [12, 'writeback', PG_writeback],
  [13, 'compound', PG_head | PG_tail],
  [14, 'swapcache', PG_swapcache],
  [15, 'mappedtodisk', PG_mappedtodisk],
  [16, 'reclaim', PG_reclaim | PG_tail],
  [17, 'buddy', PG_buddy],
]);
const FLAGS_3 = bits([
  ...FIRST,
  [10, 'reserved', PG_reserved],
  [11, 'private', PG_private],
  [13, 'writeback', PG_writeback],
  [14, 'head', PG_head],
  [15, 'tail', PG_tail],
  [16, 'swapcache', PG_swapcache],
  [17, 'mappedtodisk', PG_mappedtodisk],
  [18, 'reclaim', PG_reclaim],
  [19, 'swapbacked', PG_swapbacked],
  [20, 'unevictable', PG_unevictable],
  [21, 'mlocked', PG_mlocked],
]);
const FLAGS_6_1 = bits([
  [0, 'locked', PG_locked],
  [1, 'referenced', PG_referenced],
  [2, 'uptodate', PG_uptodate],
  [3, 'dirty', PG_dirty],
  [4, 'lru', PG_lru],
  [5, 'active', PG_active],
  [6, 'workingset', PG_workingset],
  [8, 'error', PG_error],
  [9, 'slab', PG_slab],
  [10, 'swapcache', PG_swapcache],
  [12, 'reserved', PG_reserved],
  [13, 'private', PG_private],
  [15, 'writeback', PG_writeback],
  [16, 'head', PG_head],
  [17, 'mappedtodisk', PG_mappedtodisk],
  [17, 'anon_exclusive', PG_anon_exclusive],
  [18, 'reclaim', PG_reclaim],
  [19, 'swapbacked', PG_swapbacked],
  [20, 'unevictable', PG_unevictable],
  [21, 'mlocked', PG_mlocked],
]);
const FLAGS_6_18 = bits([
  [0, 'locked', PG_locked],
  [1, 'writeback', PG_writeback],
  [2, 'referenced', PG_referenced],
  [3, 'uptodate', PG_uptodate],
  [4, 'dirty', PG_dirty],
  [5, 'lru', PG_lru],
  [6, 'head', PG_head],
  [8, 'active', PG_active],
  [9, 'workingset', PG_workingset],
  [10, 'swapcache', PG_swapcache],
  [11, 'mappedtodisk', PG_mappedtodisk],
  [11, 'anon_exclusive', PG_anon_exclusive],
  [13, 'reserved', PG_reserved],
  [14, 'private', PG_private],
  [16, 'reclaim', PG_reclaim],
  [17, 'swapbacked', PG_swapbacked],
  [18, 'unevictable', PG_unevictable],
  [20, 'mlocked', PG_mlocked],
]);
const FLAGS_2_4: readonly FlagBit[] = PAGE_FLAGS_2_4.map(({ bit, name, engine, meaning }) => ({
  bit,
  name,
  engine,
  says: meaning,
}));

const BY_VERSION: ReadonlyMap<string, readonly FlagBit[]> = new Map([
  ['2.4.18', FLAGS_2_4],
  ['2.4.19', FLAGS_2_4],
  ['2.5.59', FLAGS_2_5],
  ['2.6.24', FLAGS_2_6_24],
  ['2.6.26', FLAGS_2_6_26],
  ['3.16', FLAGS_3],
  ['6.1', FLAGS_6_1],
]);

/** Every bit that this kernel's word can show. */
export function flagTable({ generation }: Machine): readonly FlagBit[] {
  return BY_VERSION.get(generation.version) ?? FLAGS_6_18;
}

/** PG_direct of 2.5: one entry maps the frame, and page->pte is that entry and no chain. */
export function isDirect({ rmap, frames }: Machine, pfn: Pfn): boolean {
  return rmap instanceof PteChainRmap && frames.mapcount(pfn) === 1 && rmap.blocksOf(pfn).length === 0;
}

/** The bits of the frame's word as this kernel has it, lowest first. */
export function shownBits(machine: Machine, pfn: Pfn): ShownBit[] {
  const engine = machine.frames.allFlags(pfn);
  return flagTable(machine)
    .filter((one) => (engine & one.engine) !== 0 || (one.name === 'PG_direct' && isDirect(machine, pfn)))
    .map(({ bit, name, says }) => ({ bit, name, says }));
}

/** Their sum: the word without what its top says of zone and node. */
export function wordOf(shown: readonly ShownBit[]): number {
  let word = 0;
  for (const { bit } of shown) word |= 1 << bit;
  return word >>> 0;
}

/** The same by name, as the kernel that runs has them: `uptodate lru`. */
export function flagWords(machine: Machine, pfn: Pfn): string[] {
  return shownBits(machine, pfn).map(({ name }) => name.replace('PG_', ''));
}
