/**
 * The multi-generational LRU as Linux 6.1 has it.
 *
 *     used through read(2)    1            2             3        4        5
 *     flag or bits            referenced   workingset    refs 1   refs 2   refs 3
 *     uses (beyond the first) 0            1             2        3        4, saturated
 *     tier                    0            1             2        2        3
 *
 * A page found young by a walk goes to the youngest generation at once.
 *
 * Linux     6.1 include/linux/mm_inline.h: folio_lru_refs lru_tier_from_refs lru_gen_add_folio; mm/swap.c: folio_inc_refs;
 *           mm/vmscan.c: folio_update_gen get_pfn_folio should_skip_mm isolate_folio get_type_to_scan get_tier_idx evict_folios;
 *           mm/workingset.c: lru_gen_eviction lru_gen_refault
 */
import { folioMapcount, folioPages } from '../folio.ts';
import { __GFP_IO } from '../gfp.ts';
import { type Lruvec, modLruvecState } from '../lruvec.ts';
import {
  PG_active,
  PG_dirty,
  PG_locked,
  PG_reclaim,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
  PG_workingset,
  PG_writeback,
} from '../page_flags.ts';
import type { ScanControl } from '../reclaim/scan_control.ts';
import type { Pfn } from '../units.ts';
import { WORKINGSET_REFAULT_ANON, WORKINGSET_RESTORE_ANON } from '../vmstat.ts';
import { MOST_REFS, NO_GEN } from './folio_gens.ts';
import { isReferenced_6_1 } from './look_around.ts';
import { LRU_GEN_ANON, LRU_GEN_FILE, type LruGen, lruType, MAX_LRU_BATCH, MIN_NR_GENS } from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';
import { MIN_LRU_BATCH } from './refault_control.ts';
import type { MultiGenRules } from './rules.ts';
import { ageNode_6_1, shrinkLruvec_6_1 } from './shrink_6_1.ts';

const SATURATED = MOST_REFS + 1;
/** By uses. */
const TIERS = [0, 1, 2, 2, 3] as const;

export const rules_6_1: MultiGenRules = {
  useFlags: PG_referenced | PG_workingset,
  uses,
  tier: (count) => TIERS[count]!,
  isSaturated: (count) => count === SATURATED,
  markAccessed,
  seqFor,
  promote,
  align,
  countsMovedAsProtected: false,
  walksPage: ({ machine }, pfn, swappiness) => swappiness > 0 || !machine.frames.has(pfn, PG_swapbacked),
  forceIgnoresOldTables: false,
  leastPages: MIN_LRU_BATCH,
  foliosOnce: false,
  isReferenced: isReferenced_6_1,
  cullsUnevictable: false,
  rescuesDirtyLazyfree: true,
  watchesDirty: false,
  lockedWait: true,
  protectsToTail: true,
  mayIsolate,
  clearForIsolation,
  mostScanned: () => MAX_LRU_BATCH,
  chooseType,
  lastTier,
  isExhausted: (lruGen, swappiness) => lruGen.generations(swappiness > 0 ? LRU_GEN_ANON : LRU_GEN_FILE) === MIN_NR_GENS,
  retries,
  keepsReferenced: true,
  activates: null,
  shrinkLruvec: shrinkLruvec_6_1,
  shrinkNode: null,
  ageNode: ageNode_6_1,
  shadowUses: (multiGen, pfn) => Math.max(uses(multiGen, pfn) - 1, 0),
  shadowBit: (multiGen, pfn) => uses(multiGen, pfn) > 0,
  refault,
  coldForgetsUses: false,
};

function uses({ machine, gens }: MultiGen, pfn: Pfn): number {
  return gens.refs(pfn) + (machine.frames.has(pfn, PG_workingset) ? 1 : 0);
}

function markAccessed({ machine, gens }: MultiGen, pfn: Pfn): void {
  const { frames } = machine;
  if (frames.has(pfn, PG_unevictable)) return;
  if (!frames.has(pfn, PG_referenced)) frames.set(pfn, PG_referenced);
  else if (!frames.has(pfn, PG_workingset)) frames.set(pfn, PG_workingset);
  else if (gens.refs(pfn) < MOST_REFS) gens.setRefs(pfn, gens.refs(pfn) + 1);
}

/** Hot pages to the youngest, what waits for its write behind it, what reclaim wants to the oldest, the rest one before that. */
function seqFor({ machine }: MultiGen, lruGen: LruGen, pfn: Pfn, reclaiming: boolean): number {
  const { frames } = machine;
  const type = lruType(frames, pfn);
  const oldest = lruGen.minSeq[type]!;
  if (frames.has(pfn, PG_active)) return lruGen.maxSeq;
  if (type === LRU_GEN_ANON && !frames.has(pfn, PG_swapcache)) return lruGen.maxSeq - 1;
  if (frames.has(pfn, PG_reclaim) && frames.has(pfn, PG_dirty | PG_writeback)) return lruGen.maxSeq - 1;
  return reclaiming || oldest + MIN_NR_GENS >= lruGen.maxSeq ? oldest : oldest + 1;
}

function promote({ machine, gens }: MultiGen, pfn: Pfn, gen: number): number {
  const was = gens.gen(pfn);
  if (was === NO_GEN) {
    // Somebody evicts it at this moment: he will see.
    machine.frames.set(pfn, PG_referenced);
    return NO_GEN;
  }
  gens.setGen(pfn, gen);
  gens.setRefs(pfn, 0);
  machine.frames.clear(pfn, PG_referenced | PG_workingset);
  return was;
}

/** Files may be ahead of anonymous memory, never behind. */
function align(lruGen: LruGen, minSeq: Float64Array, swappiness: number): void {
  if (swappiness === 0) return;
  minSeq[LRU_GEN_ANON] = Math.min(minSeq[LRU_GEN_ANON]!, minSeq[LRU_GEN_FILE]!);
  minSeq[LRU_GEN_FILE] = Math.max(minSeq[LRU_GEN_ANON]!, lruGen.minSeq[LRU_GEN_FILE]!);
}

function mayIsolate({ machine }: MultiGen, sc: ScanControl, pfn: Pfn): boolean {
  const { frames } = machine;
  if (!sc.mayUnmap && folioMapcount(machine, pfn) > 0) return false;
  if (sc.mayWritepage && (sc.gfp & __GFP_IO) !== 0) return true;
  return !frames.has(pfn, PG_dirty) && (!frames.isAnon(pfn) || frames.has(pfn, PG_swapcache));
}

function clearForIsolation({ machine, gens }: MultiGen, pfn: Pfn): void {
  const { frames } = machine;
  if (!frames.has(pfn, PG_referenced)) {
    gens.setRefs(pfn, 0);
    frames.clear(pfn, PG_workingset);
  }
  frames.clear(pfn, PG_reclaim | PG_referenced);
}

/** Both types have the same oldest generation, and swappiness does not say which goes first: the controller does. */
function asksController(lruGen: LruGen, swappiness: number): boolean {
  return swappiness > 1 && swappiness < 200 && lruGen.minSeq[LRU_GEN_ANON]! >= lruGen.minSeq[LRU_GEN_FILE]!;
}

/** By the first tier of each. */
function chooseType(lruGen: LruGen, swappiness: number): number {
  if (asksController(lruGen, swappiness)) {
    const { control } = lruGen;
    const file = control.mayEvict(LRU_GEN_ANON, 0, swappiness, LRU_GEN_FILE, 0, 200 - swappiness);
    return file ? LRU_GEN_FILE : LRU_GEN_ANON;
  }
  if (swappiness === 0) return LRU_GEN_FILE;
  if (lruGen.minSeq[LRU_GEN_ANON]! < lruGen.minSeq[LRU_GEN_FILE]!) return LRU_GEN_ANON;
  return swappiness === 1 ? LRU_GEN_FILE : LRU_GEN_ANON;
}

/** Where the controller chose the type, its tiers are compared with the first tier of the other type. */
function lastTier(lruGen: LruGen, type: number, swappiness: number, chosen: boolean): number {
  if (!chosen || !asksController(lruGen, swappiness)) return lruGen.control.lastTier(type, 1, type, 2);
  const gain = type === LRU_GEN_ANON ? swappiness : 200 - swappiness;
  return lruGen.control.lastTier(1 - type, 200 - gain, type, gain);
}

function retries({ machine, gens }: MultiGen, _lruvec: Lruvec, _type: number, pfn: Pfn, isRetry: boolean): boolean {
  const { frames } = machine;
  if (frames.has(pfn, PG_reclaim) && frames.has(pfn, PG_dirty | PG_writeback)) {
    // What its isolation cleared.
    if (frames.has(pfn, PG_workingset)) frames.set(pfn, PG_referenced);
    return false;
  }
  const busy = PG_active | PG_referenced | PG_locked | PG_dirty | PG_writeback;
  if (!isRetry && !frames.has(pfn, busy) && folioMapcount(machine, pfn) === 0) return true;
  // It must not come back to the oldest generation.
  gens.setRefs(pfn, 0);
  frames.clear(pfn, PG_referenced | PG_workingset);
  frames.set(pfn, PG_active);
  return false;
}

/** Only what was evicted from the generation that is still the oldest is a refault. */
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
  if (seq !== lruGen.minSeq[type]! % seqs) return;
  const count = shadowUses + (bit ? 1 : 0);
  const pages = folioPages(machine, pfn);
  lruGen.control.countRefault(type, TIERS[count]!, pages);
  modLruvecState(lruvec, WORKINGSET_REFAULT_ANON + type, pages);
  // Hotter pages pushed a hot one out; or it was used so often that it ought to have been protected.
  if (!machine.current.inLruFault && count < MOST_REFS) return;
  gens.setRefs(pfn, MOST_REFS);
  machine.frames.set(pfn, PG_workingset);
  modLruvecState(lruvec, WORKINGSET_RESTORE_ANON + type, pages);
}
