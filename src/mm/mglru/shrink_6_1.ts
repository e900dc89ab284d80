/**
 * When 6.1 ages and when it evicts.
 *
 *     generations of the type that would be evicted     aging
 *     2: nothing is left to evict                       needed
 *     3, as it should be                                needed if more than half of all pages are in the youngest,
 *                                                       or less than a quarter in the oldest
 *     4                                                 not needed
 *
 * At the first priority a reclaimer evicts all the same, if it can. kswapd ages between its rounds, others when they come to it.
 *
 * Linux     6.1 mm/vmscan.c: lru_gen_shrink_lruvec get_nr_to_scan should_run_aging should_abort_scan lru_gen_age_node age_lruvec
 */
import type { Lruvec } from '../lruvec.ts';
import { calculateProtection, type MemCgroup } from '../memcg.ts';
import { isBelow } from '../reclaim/protection.ts';
import { DEF_PRIORITY, type ScanControl } from '../reclaim/scan_control.ts';
import type { PgData } from '../zone.ts';
import { age } from './aging.ts';
import { evictFolios } from './eviction.ts';
import { evictablePages, firstType, LRU_GEN_FILE, type LruGen, MIN_NR_GENS } from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';
import { MIN_LRU_BATCH } from './refault_control.ts';
import { swappinessOf } from './swappiness.ts';

export function shrinkLruvec_6_1(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec): void {
  const { machine } = multiGen;
  const lruGen = lruvec.lruGen!;
  const { maxSeq } = lruGen;
  const before = sc.nrReclaimed;
  machine.lru.drain();
  machine.current.mmWalk = sc.isKswapd ? multiGen.kswapdWalk : null;
  sc.swapped = false;
  let needsAging = false;
  let scanned = 0;
  let isDone = false;
  for (;;) {
    const swappiness = swappinessFor(multiGen, sc, lruvec);
    needsAging = needsAgingNow(lruGen, swappiness);
    const pages = pagesToScan(multiGen, sc, lruvec, swappiness, needsAging);
    if (pages === 0) break;
    const looked = evictFolios(multiGen, sc, lruvec, swappiness, pages);
    if (looked === 0) break;
    scanned += looked;
    isDone = scanned >= pages || shouldAbort(multiGen, sc, lruvec, maxSeq);
    if (isDone) break;
  }
  // Enough pages came from here without aging: the next round of kswapd may begin without it.
  if (isDone && sc.nrReclaimed - before >= MIN_LRU_BATCH && !needsAging) sc.memcgsNeedAging = false;
  machine.current.mmWalk = null;
}

/** Without permission to swap, kswapd leaves anonymous memory alone as far as it can; a cgroup at its limit, altogether. */
function swappinessFor(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec): number {
  const swappiness = swappinessOf(multiGen.machine, lruvec);
  if (sc.maySwap) return swappiness;
  return sc.targetMemcg === null && swappiness > 0 ? 1 : 0;
}

/** See the table above. */
export function needsAgingNow(lruGen: LruGen, swappiness: number): boolean {
  const { maxSeq } = lruGen;
  const first = firstType(swappiness);
  const oldest = lruGen.minSeq[first]!;
  if (oldest + MIN_NR_GENS !== maxSeq) return oldest + MIN_NR_GENS > maxSeq;
  let young = 0;
  let old = 0;
  for (let type = first; type <= LRU_GEN_FILE; type++) {
    young += lruGen.size(maxSeq, type);
    if (lruGen.minSeq[type]! + MIN_NR_GENS <= maxSeq) old += lruGen.size(maxSeq - MIN_NR_GENS, type);
  }
  const total = evictablePages(lruGen, swappiness);
  return young * MIN_NR_GENS > total || old * (MIN_NR_GENS + 2) < total;
}

/** How many pages eviction should look at; 0: none now. Ages on the way. */
function pagesToScan(
  multiGen: MultiGen,
  sc: ScanControl,
  lruvec: Lruvec,
  swappiness: number,
  needsAging: boolean,
): number {
  const { memcg } = lruvec;
  const lruGen = lruvec.lruGen!;
  if (isBelow(memcg, memcg.effectiveMin)) return 0;
  if (!sc.memcgLowReclaim && isBelow(memcg, memcg.effectiveLow)) return 0;
  const total = evictablePages(lruGen, swappiness);
  // A cgroup that is gone gives all at once.
  const pages = memcg.online ? Math.floor(total / 2 ** sc.priority) : total;
  if (!needsAging) return pages;
  if (sc.priority < DEF_PRIORITY) {
    if (sc.isKswapd) return 0;
    age(multiGen, lruvec, swappiness);
    return pages;
  }
  return lruGen.minSeq[firstType(swappiness)]! + MIN_NR_GENS <= lruGen.maxSeq ? pages : 0;
}

/** Others shall have their turn: each cgroup is aged once, and nobody swaps more than was asked for. */
function shouldAbort(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec, maxSeq: number): boolean {
  const { current } = multiGen.machine;
  if (!sc.isKswapd) {
    if (lruvec.lruGen!.maxSeq - maxSeq > 1) return true;
    if (sc.nrReclaimed >= sc.nrToReclaim && sc.swapped) return true;
    if (current.killed) {
      sc.nrReclaimed += MIN_LRU_BATCH;
      return true;
    }
    if (sc.targetMemcg !== null) return false;
  } else if (sc.nrReclaimed - sc.lastReclaimed < sc.nrToReclaim) {
    return false;
  }
  if (sc.priority > DEF_PRIORITY - 2) return false;
  for (const zone of lruvec.pgdat.zones) {
    if (zone === undefined || zone.type > sc.reclaimIdx || zone.managedPages === 0) continue;
    const mark = (sc.isKswapd ? zone.wmarkHigh : zone.wmarkLow) + zone.watermarkBoost;
    if (mark > zone.freePages) return false;
  }
  sc.nrReclaimed += MIN_LRU_BATCH;
  return true;
}

/** kswapd: every cgroup that needs it, unless the last round got on without. */
export function ageNode_6_1(multiGen: MultiGen, sc: ScanControl, pgdat: PgData): void {
  const { machine } = multiGen;
  sc.lastReclaimed = sc.nrReclaimed;
  if (!sc.memcgsNeedAging) {
    sc.memcgsNeedAging = true;
    return;
  }
  machine.current.mmWalk = multiGen.kswapdWalk;
  ageTree(multiGen, pgdat, machine.rootMemcg);
  machine.current.mmWalk = null;
}

function ageTree(multiGen: MultiGen, pgdat: PgData, memcg: MemCgroup): void {
  const { machine } = multiGen;
  calculateProtection(machine.rootMemcg, memcg);
  const lruvec = memcg.lruvecs[pgdat.nid]!;
  const swappiness = swappinessOf(machine, lruvec);
  if (!isBelow(memcg, memcg.effectiveMin) && needsAgingNow(lruvec.lruGen!, swappiness)) {
    age(multiGen, lruvec, swappiness);
  }
  for (const child of memcg.children) ageTree(multiGen, pgdat, child);
}
