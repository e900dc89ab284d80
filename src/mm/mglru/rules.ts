/**
 * What differs between releases in the multi-generational LRU: rules_6_1.ts and rules_6_18.ts have the answers.
 *
 * Two ways to count uses: through page tables a page gets another *generation*; through read(2) and write(2) it climbs *tiers*,
 * and tiers that come back too often are protected when their generation is evicted.
 */
import type { Lruvec } from '../lruvec.ts';
import type { PageFlags } from '../page_flags.ts';
import type { ScanControl } from '../reclaim/scan_control.ts';
import type { Pfn, Vpn } from '../units.ts';
import type { Vma } from '../vma.ts';
import type { PgData } from '../zone.ts';
import type { LruGen } from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';

export interface MultiGenRules {
  // uses

  /** The PG_ bits that count uses beside the two bits of folio_gens.ts, and are cleared with them. */
  readonly useFlags: PageFlags;
  /** How often the page was used, as far as that is counted (folio_lru_refs). */
  uses(multiGen: MultiGen, pfn: Pfn): number;
  tier(uses: number, workingset: boolean): number;
  /** So often that nothing more can be counted: never evicted, whatever the controller says. */
  isSaturated(uses: number, workingset: boolean): boolean;
  /** read(2), write(2) and unmapping report a use. */
  markAccessed(multiGen: MultiGen, pfn: Pfn): void;

  // generations

  /** The sequence number of the generation that a page joins. */
  seqFor(multiGen: MultiGen, lruGen: LruGen, pfn: Pfn, reclaiming: boolean): number;
  /** A walk found the page young: into generation `gen`. Returns the one it was in; NO_GEN if it did not move. */
  promote(multiGen: MultiGen, pfn: Pfn, gen: number): number;
  /** The oldest generations that would be, as empty ones are dropped; changed so that the types stay together. */
  align(lruGen: LruGen, minSeq: Float64Array, swappiness: number): void;
  /** A page moved along with its generation counts as protected. */
  readonly countsMovedAsProtected: boolean;

  // walks over page tables

  /** Of the mappings that a walk looks at: may the page, which is of this cgroup and node, get another generation? */
  walksPage(multiGen: MultiGen, pfn: Pfn, swappiness: number): boolean;
  /** A new address space is walked though the entries above its tables are old. Else: though the filter does not know them. */
  readonly forceIgnoresOldTables: boolean;
  /** Address spaces with fewer pages are left out. */
  readonly leastPages: number;
  /** Entries of one folio in a row are one use. */
  readonly foliosOnce: boolean;
  /** Did the program use the page through this entry? Looks at its neighbours, too. */
  isReferenced(multiGen: MultiGen, vma: Vma, vpn: Vpn, slot: number, pfn: Pfn): boolean;

  // eviction

  /** What nobody may evict is put aside here. Else it goes on, and shrink_page_list finds out. */
  readonly cullsUnevictable: boolean;
  /** Pages given up by MADV_FREE and written since are anonymous again. Else: as any other dirty page. */
  readonly rescuesDirtyLazyfree: boolean;
  /** Dirty pages of files are counted, and if all that was met was dirty, the flusher is woken. */
  readonly watchesDirty: boolean;
  /** Locked pages wait, too. */
  readonly lockedWait: boolean;
  /** Protected pages go to the tail of the next generation and count in workingset_activate. Else: to the head, uncounted. */
  readonly protectsToTail: boolean;
  mayIsolate(multiGen: MultiGen, sc: ScanControl, pfn: Pfn): boolean;
  clearForIsolation(multiGen: MultiGen, pfn: Pfn): void;
  /** A scan that is to look at `pages` pages stops behind so many. */
  mostScanned(pages: number): number;
  /** Which type first. */
  chooseType(lruGen: LruGen, swappiness: number): number;
  /** The last tier of `type` that may be evicted; `chosen`: chooseType said so. */
  lastTier(lruGen: LruGen, type: number, swappiness: number, chosen: boolean): number;
  /** There are too few generations to evict any. */
  isExhausted(lruGen: LruGen, swappiness: number): boolean;
  /** A page was kept by shrink_page_list. True: try it again at once. Else its flags say where it goes. */
  retries(multiGen: MultiGen, lruvec: Lruvec, type: number, pfn: Pfn, isRetry: boolean): boolean;
  /** A page that turned out to be young while it was isolated is kept without another look. */
  readonly keepsReferenced: boolean;
  /** Found young by eviction: active, or just kept? null: as with two lists. */
  readonly activates: ((multiGen: MultiGen, pfn: Pfn) => boolean) | null;

  // reclaim

  /** Evicts from one lruvec; ages it where that is needed. */
  shrinkLruvec(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec): void;
  /** Memory of the machine is short: all cgroups of a node. null: cgroup by cgroup, as with two lists. */
  readonly shrinkNode: ((multiGen: MultiGen, sc: ScanControl, pgdat: PgData) => void) | null;
  /** kswapd, before each round. */
  ageNode(multiGen: MultiGen, sc: ScanControl, pgdat: PgData): void;

  // refaults

  /** What a shadow remembers of the uses of an evicted page: a number of two bits, and one more bit. */
  shadowUses(multiGen: MultiGen, pfn: Pfn): number;
  shadowBit(multiGen: MultiGen, pfn: Pfn): boolean;
  /** A page is back, whose shadow was made when `seq` was the oldest generation (modulo `seqs`). */
  refault(multiGen: MultiGen, lruvec: Lruvec, pfn: Pfn, seq: number, seqs: number, uses: number, bit: boolean): void;

  // MADV_COLD, MADV_FREE, invalidation

  /** They clear the tiers, and leave alone what is in the oldest generation already. Else: PG_referenced alone. */
  readonly coldForgetsUses: boolean;
}
