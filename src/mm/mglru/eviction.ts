/**
 * The eviction: pages leave from the tail of the oldest generation.
 *
 *     tail of the oldest generation ──► sort
 *         says it is in a younger generation (a walk found it)     ──► to the list of that one
 *         its tier comes back too often, or its uses are saturated ──► protected: the next generation
 *         dirty, or being written                                  ──► the next generation, PG_reclaim set
 *         none of it: isolated ──► shrink_page_list ──► freed, or rejected: a young generation
 *
 * Owns      which type and how many pages; PGSCAN_, PGSTEAL_, PGREFILL of the multi-generational LRU: what is isolated counts as
 *           scanned, what is sorted as refilled.
 * Promises  The two youngest generations are not evicted.
 * Linux     6.18, 6.1 mm/vmscan.c: sort_folio isolate_folio scan_folios isolate_folios evict_folios
 */
import { SCAN_NS } from '../costs.ts';
import { folioPages } from '../folio.ts';
import { LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, type Lruvec, modLruvecState } from '../lruvec.ts';
import {
  PG_dirty,
  PG_locked,
  PG_lru,
  PG_swapbacked,
  PG_unevictable,
  PG_workingset,
  PG_writeback,
} from '../page_flags.ts';
import { isEvictable, lruvecAddPage, lruvecAddPageTail } from '../reclaim/lru.ts';
import { countReclaim, movePagesToLru } from '../reclaim/move_pages.ts';
import type { ScanControl } from '../reclaim/scan_control.ts';
import { shrinkPageList } from '../reclaim/shrink_page_list.ts';
import { NO_PFN, type Pfn } from '../units.ts';
import {
  PGREFILL,
  PGSCAN_ANON,
  PGSCAN_DIRECT,
  PGSCAN_KSWAPD,
  PGSCAN_SKIP,
  PGSTEAL_ANON,
  PGSTEAL_DIRECT,
  PGSTEAL_KSWAPD,
  UNEVICTABLE_PGCULLED,
  WORKINGSET_ACTIVATE_ANON,
} from '../vmstat.ts';
import { MAX_NR_ZONES } from '../zone.ts';
import { tryToIncMinSeq } from './aging.ts';
import {
  firstType,
  genIndex,
  incGen,
  LRU_GEN_ANON,
  LRU_GEN_FILE,
  type LruGen,
  lruGenDel,
  MAX_LRU_BATCH,
  MAX_NR_GENS,
  MIN_NR_GENS,
} from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';
import { MIN_LRU_BATCH } from './refault_control.ts';

/** Why a page is not evicted now. */
const SORTED_NOT = 0;
const SORTED_UNEVICTABLE = 1;
/** Given up by MADV_FREE, and written since. */
const SORTED_RESCUED = 2;
/** A walk found it young. */
const SORTED_YOUNGER = 3;
/** Its tier comes back too often, or its uses are saturated. */
const SORTED_PROTECTED = 4;
/** Of a zone that does not help. */
const SORTED_ZONE = 5;
const SORTED_WRITE = 6;

/** Evicts from the oldest generation of one type. Returns how many pages were looked at; 0: there is nothing more to evict. */
export function evictFolios(
  multiGen: MultiGen,
  sc: ScanControl,
  lruvec: Lruvec,
  swappiness: number,
  pagesToScan: number,
): number {
  const lruGen = lruvec.lruGen!;
  let scanned = isolateFolios(multiGen, sc, lruvec, swappiness, pagesToScan);
  if (tryToIncMinSeq(multiGen, lruvec, swappiness)) scanned += 1;
  if (multiGen.rules.isExhausted(lruGen, swappiness)) scanned = 0;
  if (multiGen.machine.frames.listEmpty(sc.isolated)) return scanned;
  if (shrinkIsolated(multiGen, sc, lruvec, scanned, false)) shrinkIsolated(multiGen, sc, lruvec, scanned, true);
  return scanned;
}

/** The type that the controller says, or else the other. */
function isolateFolios(
  multiGen: MultiGen,
  sc: ScanControl,
  lruvec: Lruvec,
  swappiness: number,
  pagesToScan: number,
): number {
  const { rules } = multiGen;
  const lruGen = lruvec.lruGen!;
  const chosen = rules.chooseType(lruGen, swappiness);
  const types = 1 + LRU_GEN_FILE - firstType(swappiness);
  let scanned = 0;
  for (let i = 0; i < types && scanned === 0; i++) {
    const type = i === 0 ? chosen : 1 - chosen;
    sc.scannedType = type;
    scanned = scanFolios(multiGen, sc, lruvec, type, rules.lastTier(lruGen, type, swappiness, i === 0), pagesToScan);
  }
  return scanned;
}

/** Sorts and isolates from the tails, the zone that is wanted first. */
function scanFolios(
  multiGen: MultiGen,
  sc: ScanControl,
  lruvec: Lruvec,
  type: number,
  lastTier: number,
  pagesToScan: number,
): number {
  const { machine, rules } = multiGen;
  const { frames } = machine;
  const lruGen = lruvec.lruGen!;
  if (lruGen.generations(type) === MIN_NR_GENS) return 0;
  const gen = lruGen.minSeq[type]! % MAX_NR_GENS;
  let remaining = rules.mostScanned(pagesToScan);
  let scanned = 0;
  let sorted = 0;
  let isolated = 0;
  let skipped = 0;
  for (let i = MAX_NR_ZONES; i > 0 && remaining > 0 && isolated < MIN_LRU_BATCH; i--) {
    const zone = (sc.reclaimIdx + i) % MAX_NR_ZONES;
    const list = lruGen.lists[genIndex(gen, type, zone)]!;
    let skippedHere = 0;
    for (let pfn = frames.listLast(list); pfn !== NO_PFN; pfn = frames.listLast(list)) {
      const pages = folioPages(machine, pfn);
      scanned += pages;
      const why = sortFolio(multiGen, sc, lruvec, pfn, type, zone, lastTier);
      if (why !== SORTED_NOT) {
        if (machine.trace.on) machine.trace.emit(machine.clock.now, 'sort_folio', pfn, why, type);
        sorted += pages;
      } else if (rules.mayIsolate(multiGen, sc, pfn)) {
        isolateFolio(multiGen, sc, lruvec, pfn);
        isolated += pages;
      } else {
        frames.listDel(pfn);
        frames.listAdd(pfn, sc.skipped);
        skippedHere += pages;
      }
      remaining -= 1;
      if (remaining === 0 || Math.max(isolated, skippedHere) >= MIN_LRU_BATCH) break;
    }
    if (skippedHere > 0) {
      frames.listSplice(sc.skipped, list);
      machine.events[PGSCAN_SKIP]! += skippedHere;
      skipped += skippedHere;
    }
  }
  countReclaim(machine, sc, lruvec.memcg, sc.isKswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT, isolated);
  countReclaim(machine, sc, lruvec.memcg, PGREFILL, sorted);
  machine.events[PGSCAN_ANON + type]! += isolated;
  machine.work.pagesScanned += isolated;
  machine.clock.spend(scanned * SCAN_NS);
  if (machine.trace.on) {
    const lru = type === LRU_GEN_FILE ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
    const { now } = machine.clock;
    const { reclaimIdx, order } = sc;
    const batch = MAX_LRU_BATCH;
    machine.trace.emit(now, 'mm_vmscan_lru_isolate', reclaimIdx, batch, scanned, skipped, isolated, lru, order, 0);
  }
  if (rules.watchesDirty && type === LRU_GEN_FILE) sc.fileTaken += isolated;
  return isolated > 0 || remaining === 0 ? scanned : 0;
}

/** Why the page is not to be evicted now, and is where it belongs; or SORTED_NOT. */
function sortFolio(
  multiGen: MultiGen,
  sc: ScanControl,
  lruvec: Lruvec,
  pfn: Pfn,
  type: number,
  zone: number,
  lastTier: number,
): number {
  const { machine, gens, rules } = multiGen;
  const { frames } = machine;
  const lruGen = lruvec.lruGen!;
  if (!isEvictable(machine, pfn)) {
    if (!rules.cullsUnevictable) return SORTED_NOT;
    lruGenDel(machine, multiGen, lruvec, pfn, true);
    frames.set(pfn, PG_unevictable);
    machine.mlockBatch.counts.delete(pfn);
    lruvecAddPage(machine, lruvec, pfn);
    machine.events[UNEVICTABLE_PGCULLED]! += folioPages(machine, pfn);
    return SORTED_UNEVICTABLE;
  }
  if (rules.rescuesDirtyLazyfree && type === LRU_GEN_FILE && frames.isAnon(pfn) && frames.has(pfn, PG_dirty)) {
    lruGenDel(machine, multiGen, lruvec, pfn, true);
    frames.set(pfn, PG_swapbacked);
    lruvecAddPageTail(machine, lruvec, pfn);
    return SORTED_RESCUED;
  }
  const gen = gens.gen(pfn);
  if (gen !== lruGen.minSeq[type]! % MAX_NR_GENS) {
    toList(multiGen, lruGen, pfn, gen, type, zone, false);
    return SORTED_YOUNGER;
  }
  const uses = rules.uses(multiGen, pfn);
  const workingset = frames.has(pfn, PG_workingset);
  const tier = rules.tier(uses, workingset);
  const saturated = rules.isSaturated(uses, workingset);
  if (tier > lastTier || saturated) {
    const next = incGen(machine, multiGen, lruvec, pfn, type, false);
    toList(multiGen, lruGen, pfn, next, type, zone, rules.protectsToTail);
    // 6.18: what waits to be promoted since it was saturated says nothing about its tier.
    if (rules.protectsToTail || !saturated) lruGen.control.countProtected(type, tier, folioPages(machine, pfn));
    if (rules.protectsToTail) modLruvecState(lruvec, WORKINGSET_ACTIVATE_ANON + type, folioPages(machine, pfn));
    return SORTED_PROTECTED;
  }
  if (zone > sc.reclaimIdx) {
    toList(multiGen, lruGen, pfn, incGen(machine, multiGen, lruvec, pfn, type, false), type, zone, true);
    return SORTED_ZONE;
  }
  return waitsForWrite(multiGen, sc, lruvec, pfn, type, zone) ? SORTED_WRITE : SORTED_NOT;
}

/** Dirty pages of files and pages under writeback go a generation back; they are freed when their write has ended. */
function waitsForWrite(
  multiGen: MultiGen,
  sc: ScanControl,
  lruvec: Lruvec,
  pfn: Pfn,
  type: number,
  zone: number,
): boolean {
  const { machine, rules } = multiGen;
  const { frames } = machine;
  const dirty = type === LRU_GEN_FILE && frames.has(pfn, PG_dirty);
  const writeback = frames.has(pfn, PG_writeback);
  if (dirty && rules.watchesDirty) {
    const pages = folioPages(machine, pfn);
    sc.fileTaken += pages;
    if (!writeback) sc.unqueuedDirty += pages;
  }
  if (!dirty && !writeback && !(rules.lockedWait && frames.has(pfn, PG_locked))) return false;
  toList(multiGen, lruvec.lruGen!, pfn, incGen(machine, multiGen, lruvec, pfn, type, true), type, zone, false);
  return true;
}

function toList(
  { machine }: MultiGen,
  lruGen: LruGen,
  pfn: Pfn,
  gen: number,
  type: number,
  zone: number,
  tail: boolean,
): void {
  const list = lruGen.lists[genIndex(gen, type, zone)]!;
  machine.frames.listDel(pfn);
  if (tail) machine.frames.listAddTail(pfn, list);
  else machine.frames.listAdd(pfn, list);
}

function isolateFolio(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec, pfn: Pfn): void {
  const { machine, rules } = multiGen;
  const { frames } = machine;
  frames.get(pfn);
  frames.clear(pfn, PG_lru);
  rules.clearForIsolation(multiGen, pfn);
  lruGenDel(machine, multiGen, lruvec, pfn, true);
  frames.listAdd(pfn, sc.isolated);
}

/** Tries to free what is isolated. True: what nobody uses and what is clean by now is isolated still, for one more try. */
function shrinkIsolated(
  multiGen: MultiGen,
  sc: ScanControl,
  lruvec: Lruvec,
  scanned: number,
  isRetry: boolean,
): boolean {
  const { machine, rules } = multiGen;
  const { frames } = machine;
  const { pgdat, memcg } = lruvec;
  const type = sc.scannedType;
  if (type === LRU_GEN_ANON) sc.swapped = true;
  const reclaimed = shrinkPageList(machine, sc, pgdat);
  if (rules.watchesDirty) sc.unqueuedDirty += sc.stat.unqueuedDirty;
  sc.nrReclaimed += reclaimed;
  traceShrink(multiGen, sc, lruvec, scanned, reclaimed);
  for (let pfn = frames.listLast(sc.isolated), next: Pfn; pfn !== NO_PFN; pfn = next) {
    next = frames.listPrev(pfn);
    if (!isEvictable(machine, pfn) || !rules.retries(multiGen, lruvec, type, pfn, isRetry)) continue;
    frames.listDel(pfn);
    frames.listAdd(pfn, sc.toInactive);
  }
  movePagesToLru(machine, lruvec, sc.isolated);
  machine.current.mmWalk?.flush(lruvec);
  countReclaim(machine, sc, memcg, sc.isKswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT, reclaimed);
  machine.events[PGSTEAL_ANON + type]! += reclaimed;
  machine.work.pagesReclaimed += reclaimed;
  frames.listSplice(sc.toInactive, sc.isolated);
  return !frames.listEmpty(sc.isolated);
}

function traceShrink({ machine }: MultiGen, sc: ScanControl, { pgdat }: Lruvec, scanned: number, freed: number): void {
  if (!machine.trace.on) return;
  const { stat } = sc;
  machine.trace.emit(
    machine.clock.now,
    'mm_vmscan_lru_shrink_inactive',
    pgdat.nid,
    scanned,
    freed,
    stat.dirty,
    stat.writeback,
    stat.congested,
    stat.immediate,
    stat.activateAnon,
    stat.activateFile,
    stat.refKeep,
    stat.unmapFail,
    sc.priority,
    sc.scannedType,
    -1,
  );
}
