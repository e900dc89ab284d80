/**
 * The multi-generational LRU as Linux 6.18 has it.
 *
 *     used through read(2)    1            2        3        4        5 and more
 *     flag or bits            referenced   refs 1   refs 2   refs 3   workingset
 *     uses                    1            2        3        4        4
 *     tier                    0            1        2        2        3; any page with PG_workingset
 *
 * A page found young by a walk, or by eviction, is marked referenced the first time, and goes to a young generation the second.
 *
 * Linux     6.18 include/linux/mm_inline.h: folio_lru_refs lru_tier_from_refs lru_gen_folio_seq; mm/swap.c: lru_gen_inc_refs;
 *           mm/vmscan.c: folio_update_gen lru_gen_set_refs folio_check_references get_pfn_folio isolate_folio get_type_to_scan
 *           get_tier_idx evict_folios; mm/workingset.c: lru_gen_eviction lru_gen_test_recent lru_gen_refault
 */
import { folioMapcount, folioPages } from '../folio.ts';
import { __GFP_IO } from '../gfp.ts';
import { type Lruvec, modLruvecState } from '../lruvec.ts';
import {
  PG_active,
  PG_dirty,
  PG_reclaim,
  PG_referenced,
  PG_swapcache,
  PG_unevictable,
  PG_workingset,
  PG_writeback,
} from '../page_flags.ts';
import type { ScanControl } from '../reclaim/scan_control.ts';
import type { Pfn } from '../units.ts';
import { WORKINGSET_ACTIVATE_ANON, WORKINGSET_REFAULT_ANON, WORKINGSET_RESTORE_ANON } from '../vmstat.ts';
import { MOST_REFS, NO_GEN } from './folio_gens.ts';
import { isReferenced_6_18 } from './look_around.ts';
import {
  LRU_GEN_ANON,
  LRU_GEN_FILE,
  type LruGen,
  lruType,
  MAX_LRU_BATCH,
  MAX_NR_GENS,
  MIN_NR_GENS,
  oldestSeq,
} from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';
import { ALL_TIERS, MAX_NR_TIERS } from './refault_control.ts';
import type { MultiGenRules } from './rules.ts';
import { ageNode_6_18, shrinkLruvec_6_18, shrinkNode_6_18 } from './shrink_6_18.ts';

const MOST_USES = MOST_REFS + 1;
/** By uses. */
const TIERS = [0, 0, 1, 2, 2] as const;

export const rules_6_18: MultiGenRules = {
  useFlags: PG_referenced,
  uses,
  tier,
  isSaturated: (count, workingset) => count === MOST_USES && workingset,
  markAccessed,
  seqFor,
  promote,
  align,
  countsMovedAsProtected: true,
  walksPage: ({ gens }, pfn) => gens.gen(pfn) !== NO_GEN,
  forceIgnoresOldTables: true,
  leastPages: 0,
  foliosOnce: true,
  isReferenced: isReferenced_6_18,
  cullsUnevictable: true,
  rescuesDirtyLazyfree: false,
  watchesDirty: true,
  lockedWait: false,
  protectsToTail: false,
  mayIsolate,
  clearForIsolation,
  mostScanned: (pages) => Math.min(pages, MAX_LRU_BATCH),
  chooseType,
  lastTier: (lruGen, type) => lruGen.control.lastTier(type, 2, type, 3),
  isExhausted: (lruGen, swappiness) => oldestSeq(lruGen, swappiness) + MIN_NR_GENS > lruGen.maxSeq,
  retries,
  keepsReferenced: false,
  activates: noteUse,
  shrinkLruvec: shrinkLruvec_6_18,
  shrinkNode: shrinkNode_6_18,
  ageNode: ageNode_6_18,
  shadowUses: (multiGen, pfn) => Math.max(uses(multiGen, pfn) - 1, 0),
  shadowBit: ({ machine }, pfn) => machine.frames.has(pfn, PG_workingset),
  refault,
  coldForgetsUses: true,
};

function uses({ machine, gens }: MultiGen, pfn: Pfn): number {
  return machine.frames.has(pfn, PG_referenced) ? gens.refs(pfn) + 1 : 0;
}

function tier(count: number, workingset: boolean): number {
  return workingset ? MAX_NR_TIERS - 1 : TIERS[count]!;
}

function markAccessed({ machine, gens }: MultiGen, pfn: Pfn): void {
  const { frames } = machine;
  if (frames.has(pfn, PG_unevictable)) return;
  if (!frames.has(pfn, PG_referenced)) {
    gens.setRefs(pfn, 0);
    frames.set(pfn, PG_referenced);
  } else if (gens.refs(pfn) === MOST_REFS) {
    frames.set(pfn, PG_workingset);
  } else {
    gens.setRefs(pfn, gens.refs(pfn) + 1);
  }
}

/** Counted from the youngest: 1 or 2 for what is active, 2 for what waits for its write, 3 or 4 for what is cold. */
function seqFor({ machine }: MultiGen, lruGen: LruGen, pfn: Pfn, reclaiming: boolean): number {
  const { frames } = machine;
  const type = lruType(frames, pfn);
  const workingset = frames.has(pfn, PG_workingset) ? 1 : 0;
  const waits = frames.has(pfn, PG_reclaim) && frames.has(pfn, PG_dirty | PG_writeback);
  let age = MAX_NR_GENS - workingset;
  if (frames.has(pfn, PG_active)) age = MIN_NR_GENS - workingset;
  else if (reclaiming) age = MAX_NR_GENS;
  else if (waits || (type === LRU_GEN_ANON && !frames.has(pfn, PG_swapcache))) age = MIN_NR_GENS;
  return Math.max(lruGen.maxSeq - age + 1, lruGen.minSeq[type]!);
}

/** A page was found young. The first time that is noted, and false; the second time it belongs to the working set. */
function noteUse({ machine, gens }: MultiGen, pfn: Pfn): boolean {
  const { frames } = machine;
  const again = frames.has(pfn, PG_referenced | PG_workingset);
  gens.setRefs(pfn, 0);
  if (again) {
    frames.clear(pfn, PG_referenced);
    frames.set(pfn, PG_workingset);
  } else {
    frames.set(pfn, PG_referenced);
  }
  return again;
}

function promote(multiGen: MultiGen, pfn: Pfn, gen: number): number {
  const { gens } = multiGen;
  if (!noteUse(multiGen, pfn)) return NO_GEN;
  const was = gens.gen(pfn);
  gens.setGen(pfn, gen);
  return was;
}

/** No type runs more than a generation ahead of the other, as long as there is one to evict. */
function align(lruGen: LruGen, minSeq: Float64Array, swappiness: number): void {
  if (swappiness === 0) return;
  const most = lruGen.maxSeq - MIN_NR_GENS;
  if (minSeq[LRU_GEN_ANON]! > most && minSeq[LRU_GEN_FILE]! < most) minSeq[LRU_GEN_ANON] = most;
  else if (minSeq[LRU_GEN_FILE]! > most && minSeq[LRU_GEN_ANON]! < most) minSeq[LRU_GEN_FILE] = most;
}

function mayIsolate({ machine }: MultiGen, sc: ScanControl, pfn: Pfn): boolean {
  const { frames } = machine;
  if ((sc.gfp & __GFP_IO) !== 0) return true;
  return !frames.has(pfn, PG_dirty) && (!frames.isAnon(pfn) || frames.has(pfn, PG_swapcache));
}

function clearForIsolation({ machine, gens }: MultiGen, pfn: Pfn): void {
  if (!machine.frames.has(pfn, PG_referenced)) gens.setRefs(pfn, 0);
  machine.frames.clear(pfn, PG_reclaim);
}

/** By all tiers together. */
function chooseType({ control }: LruGen, swappiness: number): number {
  if (swappiness <= 1) return LRU_GEN_FILE;
  if (swappiness >= 200) return LRU_GEN_ANON;
  const gain = 200 - swappiness;
  const file = control.mayEvict(LRU_GEN_ANON, ALL_TIERS, swappiness, LRU_GEN_FILE, ALL_TIERS, gain);
  return file ? LRU_GEN_FILE : LRU_GEN_ANON;
}

function retries(multiGen: MultiGen, lruvec: Lruvec, type: number, pfn: Pfn, isRetry: boolean): boolean {
  const { machine, gens } = multiGen;
  const { frames } = machine;
  const busy = PG_active | PG_dirty | PG_writeback;
  if (!isRetry && !frames.has(pfn, busy) && folioMapcount(machine, pfn) === 0) return true;
  const lruGen = lruvec.lruGen!;
  if (seqFor(multiGen, lruGen, pfn, false) === lruGen.minSeq[type]) {
    // It must not come back to the oldest generation.
    gens.setRefs(pfn, 0);
    frames.clear(pfn, PG_referenced);
    frames.set(pfn, PG_active);
  }
  return false;
}

/** A refault counts always; it tells something if no more than three generations were opened since. */
function refault(
  multiGen: MultiGen,
  lruvec: Lruvec,
  pfn: Pfn,
  seq: number,
  seqs: number,
  shadowUses: number,
  bit: boolean,
): void {
  const { machine, gens } = multiGen;
  const lruGen = lruvec.lruGen!;
  const type = lruType(machine.frames, pfn);
  const pages = folioPages(machine, pfn);
  modLruvecState(lruvec, WORKINGSET_REFAULT_ANON + type, pages);
  if (Math.abs((lruGen.maxSeq % seqs) - seq) >= MAX_NR_GENS) return;
  lruGen.control.countRefault(type, tier(shadowUses + 1, bit), pages);
  // A fault makes it active when it is put on its list.
  if (machine.current.inLruFault) modLruvecState(lruvec, WORKINGSET_ACTIVATE_ANON + type, pages);
  if (bit) {
    machine.frames.set(pfn, PG_workingset);
    modLruvecState(lruvec, WORKINGSET_RESTORE_ANON + type, pages);
  } else {
    gens.setRefs(pfn, shadowUses);
  }
}
