/**
 * The flags word of struct page in 2.4: Gorman's table 3.1, and the macros of table 3.2.
 *
 *   31 ........ 24 | 23 ... 16 | 15 .................................. 0
 *   zone (2.4.19)  | not used  | the PG_ bits of the table below
 *
 * Owns      the numbers that 2.4 gives the bits, the zone's bits in the word, and the macros. The engine keeps the bits under
 *           its own numbers (page_flags.ts); what 2.4 has and 6.x has not takes a bit of 6.x that 2.4 has not.
 * Promises  1. Each macro does what the kernel's does: TryLockPage is true if the page was locked already, SetPageDirty sets
 *              the bit and nothing else (setPageDirty in page_cache_2_4.ts moves the page to its mapping's list as well).
 *           2. The zone's bits are written once, at boot, and survive every macro.
 * Linux     2.4.19 include/linux/mm.h: LockPage TryLockPage PageLocked SetPageDirty PageTestandClearReferenced TestSetPageLRU
 *           TestClearPageLRU SetPageLaunder set_page_zone page_zone; mm/page_alloc.c: zone_table
 * Read      M. Gorman, Understanding the Linux Virtual Memory Manager, 3.3 Pages
 *
 * DIFFERS: a page under I/O is PG_writeback in the engine, or PG_locked while it is read; 2.4 locks it for both, and the word says so.
 */
import type { Machine } from './machine.ts';
import type { MemMap } from './memmap.ts';
import {
  PG_active,
  PG_anon_exclusive,
  PG_dirty,
  PG_error,
  PG_locked,
  PG_lru,
  PG_reclaim,
  PG_referenced,
  PG_reserved,
  PG_slab,
  PG_uptodate,
  PG_workingset,
  PG_writeback,
  PG_young,
  ZONE_SHIFT,
} from './page_flags.ts';
import type { Pfn } from './units.ts';
import { ZONE_HIGHMEM, type Zone } from './zone.ts';

/** Bits of 2.4 in bits of the engine that 2.4 has no other use for. */
export const PG_launder: number = PG_reclaim;
export const PG_arch_1: number = PG_workingset;
export const PG_skip: number = PG_young;
export const PG_checked: number = PG_anon_exclusive;

export interface PageFlag_2_4 {
  readonly bit: number;
  readonly name: string;
  /** The engine's bits; any of them makes this one. 0: not kept in the engine's word. */
  readonly engine: number;
  readonly meaning: string;
}

/** Table 3.1. Bit 9 is nobody's. */
export const PAGE_FLAGS_2_4: readonly PageFlag_2_4[] = [
  {
    bit: 0,
    name: 'PG_locked',
    engine: PG_locked | PG_writeback,
    meaning: 'being read or written, or in exclusive use',
  },
  { bit: 1, name: 'PG_error', engine: PG_error, meaning: 'its last I/O failed' },
  { bit: 2, name: 'PG_referenced', engine: PG_referenced, meaning: 'used since the last look' },
  { bit: 3, name: 'PG_uptodate', engine: PG_uptodate, meaning: 'holds what it should' },
  { bit: 4, name: 'PG_dirty', engine: PG_dirty, meaning: 'must be written' },
  { bit: 5, name: 'PG_unused', engine: 0, meaning: 'not used' },
  { bit: 6, name: 'PG_lru', engine: PG_lru, meaning: 'on the active or inactive list' },
  { bit: 7, name: 'PG_active', engine: PG_active, meaning: 'on the active list' },
  { bit: 8, name: 'PG_slab', engine: PG_slab, meaning: 'of a slab' },
  { bit: 10, name: 'PG_skip', engine: PG_skip, meaning: 'sparc: nothing there' },
  { bit: 11, name: 'PG_highmem', engine: 0, meaning: 'the kernel has no permanent mapping of it' },
  { bit: 12, name: 'PG_checked', engine: PG_checked, meaning: "the file system's own (ext2)" },
  { bit: 13, name: 'PG_arch_1', engine: PG_arch_1, meaning: "the architecture's own" },
  { bit: 14, name: 'PG_reserved', engine: PG_reserved, meaning: 'never swapped and never freed' },
  { bit: 15, name: 'PG_launder', engine: PG_launder, meaning: 'written because memory is short' },
];

const BIT_HIGHMEM = 11;
const BIT_DIRTY = 4;

/** What a page loses when it enters the page cache. */
export const CLEARED_IN_CACHE: number = PG_uptodate | PG_error | PG_dirty | PG_referenced | PG_arch_1 | PG_checked;

/** Zones of a node: DMA, NORMAL, HIGHMEM. */
export const MAX_NR_ZONES_2_4 = 3;
/** The zone's index has 8 bits: three zones for each of so many nodes. One node without DISCONTIGMEM. */
export const MAX_NR_NODES_2_4: number = Math.floor(255 / MAX_NR_ZONES_2_4);

/** Where zone `j` of node `nid` stands in zone_table. */
export function zoneTableIndex(nid: number, j: number): number {
  return nid * MAX_NR_ZONES_2_4 + j;
}

/** Writes the zone's number into the top 8 bits of the page's flags. */
export function setPageZone(frames: MemMap, pfn: Pfn, zoneNumber: number): void {
  frames.setZone(pfn, zoneNumber);
}

/** zone_table[the top 8 bits of the page's flags]. */
export function pageZone(machine: Machine, pfn: Pfn): Zone {
  return machine.zones[machine.frames.zoneIndex(pfn)]!;
}

/** Was the zone's bit field part of the word? 2.4.18 keeps a pointer in each page instead. */
export function hasZoneBits(machine: Machine): boolean {
  return machine.generation.switches.zoneInPageFlags;
}

/** The word as 2.4 holds it. `pageDirty`: only its buffers may be dirty (buffer_2_4.ts), and PG_dirty is then not set. */
export function flagsWord(machine: Machine, pfn: Pfn, pageDirty: boolean): number {
  const flags = machine.frames.allFlags(pfn);
  let word = 0;
  for (const { bit, engine } of PAGE_FLAGS_2_4) if ((flags & engine) !== 0) word |= 1 << bit;
  if (!pageDirty) word &= ~(1 << BIT_DIRTY);
  if (pageHighMem(machine, pfn)) word |= 1 << BIT_HIGHMEM;
  if (hasZoneBits(machine)) word |= machine.frames.zoneIndex(pfn) << ZONE_SHIFT;
  return word >>> 0;
}

/** Names of the bits that are set, lowest first; the zone is not among them. */
export function flagNames_2_4(word: number): string[] {
  return PAGE_FLAGS_2_4.filter(({ bit }) => (word & (1 << bit)) !== 0).map(({ name }) => name);
}

/** The zone's number in such a word. */
export function zoneBits(word: number): number {
  return word >>> ZONE_SHIFT;
}

// table 3.2, in the order of the bits

export function pageLocked(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_locked);
}
export function lockPage_2_4(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_locked);
}
/** True: it was locked already, and is not ours. */
export function tryLockPage(frames: MemMap, pfn: Pfn): boolean {
  return frames.testAndSet(pfn, PG_locked);
}
/** Whoever unlocks a page ends its laundering, too. */
export function unlockPage_2_4(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_locked | PG_launder);
}
export function pageError(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_error);
}
export function setPageError(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_error);
}
export function clearPageError(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_error);
}
export function pageReferenced_2_4(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_referenced);
}
export function setPageReferenced(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_referenced);
}
export function clearPageReferenced(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_referenced);
}
export function pageTestandClearReferenced(frames: MemMap, pfn: Pfn): boolean {
  return frames.testAndClear(pfn, PG_referenced);
}
export function pageUptodate(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_uptodate);
}
export function setPageUptodate(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_uptodate);
}
export function clearPageUptodate(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_uptodate);
}
/** SetPageDirty: the bit, and nothing else. */
export function setPageDirtyBit(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_dirty);
}
export function clearPageDirty(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_dirty);
}
export function pageLRU(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_lru);
}
export function testSetPageLRU(frames: MemMap, pfn: Pfn): boolean {
  return frames.testAndSet(pfn, PG_lru);
}
export function testClearPageLRU(frames: MemMap, pfn: Pfn): boolean {
  return frames.testAndClear(pfn, PG_lru);
}
export function pageActive(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_active);
}
export function setPageActive(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_active);
}
export function clearPageActive(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_active);
}
export function pageSlab(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_slab);
}
export function pageSetSlab(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_slab);
}
export function pageClearSlab(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_slab);
}
/** Without CONFIG_HIGHMEM no page has it: the machine's highmem zones are then empty. */
export function pageHighMem(machine: Machine, pfn: Pfn): boolean {
  return pageZone(machine, pfn).type === ZONE_HIGHMEM;
}
export function pageChecked(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_checked);
}
export function setPageChecked(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_checked);
}
export function pageReserved(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_reserved);
}
export function setPageReserved(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_reserved);
}
export function clearPageReserved(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_reserved);
}
export function pageLaunder(frames: MemMap, pfn: Pfn): boolean {
  return frames.has(pfn, PG_launder);
}
export function setPageLaunder(frames: MemMap, pfn: Pfn): void {
  frames.set(pfn, PG_launder);
}
export function clearPageLaunder(frames: MemMap, pfn: Pfn): void {
  frames.clear(pfn, PG_launder);
}
