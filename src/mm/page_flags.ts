/**
 * The bits of struct page's flags word, for every generation.
 *
 *   31 ........ 24 | 23 ............................................ 0
 *   zone of frame  | the PG_ bits below
 *
 * Owns      the numbers and names. The top 8 bits hold the index of the frame's zone, as Linux 2.4.19 and later do.
 * Promises  1. Every bit has one meaning in all generations (Linux renumbers them with each release).
 *           2. What older kernels alias stays an alias: readahead is reclaim, swapcache has a bit of its own.
 * Linux     6.18 include/linux/page-flags.h: pageflags
 */
export const PG_locked = 1 << 0;
export const PG_error = 1 << 1;
export const PG_referenced = 1 << 2;
export const PG_uptodate = 1 << 3;
export const PG_dirty = 1 << 4;
export const PG_lru = 1 << 5;
export const PG_active = 1 << 6;
export const PG_workingset = 1 << 7;
export const PG_slab = 1 << 8;
export const PG_table = 1 << 9;
export const PG_buddy = 1 << 10;
export const PG_reserved = 1 << 11;
export const PG_private = 1 << 12;
export const PG_writeback = 1 << 13;
export const PG_head = 1 << 14;
export const PG_tail = 1 << 15;
export const PG_swapcache = 1 << 16;
export const PG_mappedtodisk = 1 << 17;
export const PG_reclaim = 1 << 18;
/** A clean page with this alias set is where the next readahead starts. */
export const PG_readahead: number = PG_reclaim;
export const PG_swapbacked = 1 << 19;
export const PG_unevictable = 1 << 20;
export const PG_mlocked = 1 << 21;
export const PG_anon_exclusive = 1 << 22;
export const PG_young = 1 << 23;

export const PG_NAMES: ReadonlyArray<readonly [number, string]> = [
  [PG_locked, 'locked'],
  [PG_error, 'error'],
  [PG_referenced, 'referenced'],
  [PG_uptodate, 'uptodate'],
  [PG_dirty, 'dirty'],
  [PG_lru, 'lru'],
  [PG_active, 'active'],
  [PG_workingset, 'workingset'],
  [PG_slab, 'slab'],
  [PG_table, 'table'],
  [PG_buddy, 'buddy'],
  [PG_reserved, 'reserved'],
  [PG_private, 'private'],
  [PG_writeback, 'writeback'],
  [PG_head, 'head'],
  [PG_tail, 'tail'],
  [PG_swapcache, 'swapcache'],
  [PG_mappedtodisk, 'mappedtodisk'],
  [PG_reclaim, 'reclaim'],
  [PG_swapbacked, 'swapbacked'],
  [PG_unevictable, 'unevictable'],
  [PG_mlocked, 'mlocked'],
  [PG_anon_exclusive, 'anon_exclusive'],
  [PG_young, 'young'],
];

/** Any of the PG_ bits. */
export type PageFlags = number;

export const ZONE_SHIFT = 24;
export const PG_MASK = (1 << ZONE_SHIFT) - 1;
/** A page that is freed must have none of these (PAGE_FLAGS_CHECK_AT_FREE). */
export const PG_CHECK_AT_FREE: number =
  PG_locked | PG_lru | PG_active | PG_private | PG_writeback | PG_slab | PG_unevictable | PG_swapcache | PG_buddy;

/** page->mapping of an anonymous page is its anon_vma with this bit set. */
export const PAGE_MAPPING_ANON = 1;
/** Both low bits set: a KSM page's stable node. */
export const PAGE_MAPPING_KSM = 3;
export const PAGE_MAPPING_FLAGS = 3;

export function pageFlagNames(flags: PageFlags): string[] {
  return PG_NAMES.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}
