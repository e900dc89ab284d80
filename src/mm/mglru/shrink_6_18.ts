/**
 * When 6.18 ages and when it evicts, in one cgroup and in a node.
 *
 *     generations of the type that is oldest     at the first priority        at the others
 *     2: nothing is left to evict                evict: nothing comes of it   age
 *     3                                          evict                        age
 *     4                                          evict                        evict
 *
 * When memory of the machine is short, cgroups take turns (memcg_lru.ts), and one that was aged waits for the others.
 *
 * Linux     6.18 mm/vmscan.c: lru_gen_shrink_lruvec try_to_shrink_lruvec get_nr_to_scan should_run_aging should_abort_scan
 *           lru_gen_shrink_node shrink_one shrink_many set_initial_priority lru_gen_age_node lruvec_is_sizable
 *           apply_proportional_protection
 *
 * DIFFERS: min_ttl_ms is 0 and cannot be set, so nobody is killed because all generations are too young.
 */
import { LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, type Lruvec } from '../lruvec.ts';
import { calculateProtection, type MemCgroup, memcgEvent } from '../memcg.ts';
import { zoneWatermarkOk } from '../page_alloc.ts';
import { isBelow, unprotected } from '../reclaim/protection.ts';
import { DEF_PRIORITY, type ScanControl } from '../reclaim/scan_control.ts';
import { shrinkSlab } from '../slab.ts';
import { memCgroupGetNrSwapPages } from '../swap/swapfile.ts';
import type { PgData } from '../zone.ts';
import { age } from './aging.ts';
import { evictFolios } from './eviction.ts';
import { evictablePages, MIN_NR_GENS, oldestSeq } from './lru_gen.ts';
import { MEMCG_LRU_TAIL, MEMCG_LRU_YOUNG } from './memcg_lru.ts';
import type { MultiGen } from './multi_gen.ts';
import { MIN_LRU_BATCH } from './refault_control.ts';
import { swappinessOf } from './swappiness.ts';

/** get_nr_to_scan: there are no cold pages left here. */
const AGED = -1;

export function shrinkLruvec_6_18(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec): void {
  const { machine } = multiGen;
  machine.lru.drain();
  machine.current.mmWalk = null;
  if (tryToShrinkLruvec(multiGen, sc, lruvec)) {
    multiGen.memcgLrus[lruvec.pgdat.nid]!.rotate(lruvec, MEMCG_LRU_YOUNG);
  }
  machine.current.mmWalk = null;
}

/** True: the lruvec was aged, or is protected, and had better wait for the others. */
function tryToShrinkLruvec(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec): boolean {
  const { machine } = multiGen;
  const swappiness = sc.maySwap ? swappinessOf(machine, lruvec) : 0;
  let scanned = 0;
  let pages: number;
  for (;;) {
    pages = pagesToScan(multiGen, sc, lruvec, swappiness);
    if (pages <= 0) break;
    const looked = evictFolios(multiGen, sc, lruvec, swappiness, pages);
    if (looked === 0) break;
    scanned += looked;
    if (scanned >= pages || shouldAbort(multiGen, sc, lruvec.pgdat)) break;
  }
  if (sc.unqueuedDirty > 0 && sc.unqueuedDirty === sc.fileTaken) machine.generation.writeback.wakeupFlusher(machine);
  return pages < 0;
}

/** How many pages eviction should look at; 0 or AGED: none. Ages on the way. */
function pagesToScan(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec, swappiness: number): number {
  const { memcg } = lruvec;
  const lruGen = lruvec.lruGen!;
  if (sc.targetMemcg !== memcg && isBelow(memcg, memcg.effectiveMin)) return AGED;
  const generations = lruGen.maxSeq - oldestSeq(lruGen, swappiness) + 1;
  const total = generations > MIN_NR_GENS ? evictablePages(lruGen, swappiness) : 0;
  if (total > 0 && !memcg.online) return total;
  if (generations > MIN_NR_GENS + 1 || sc.priority === DEF_PRIORITY) {
    return Math.floor(unprotected(sc, memcg, total) / 2 ** sc.priority);
  }
  age(multiGen, lruvec, swappiness);
  return AGED;
}

/** Reclaim of a limit is never cut short. That of the machine ends when enough is freed, or all zones are safe. */
function shouldAbort({ machine }: MultiGen, sc: ScanControl, pgdat: PgData): boolean {
  if (sc.targetMemcg !== null) return false;
  if (sc.nrReclaimed >= Math.max(sc.nrToReclaim, 2 * 2 ** sc.order)) return true;
  if (!sc.isKswapd || sc.order > 0) return false;
  for (const zone of pgdat.zones) {
    if (zone === undefined || zone.type > sc.reclaimIdx || zone.managedPages === 0) continue;
    const mark = zone.wmarkHigh + zone.watermarkBoost + MIN_LRU_BATCH;
    if (!zoneWatermarkOk(machine, zone, 0, mark, sc.reclaimIdx, 0)) return false;
  }
  return true;
}

// a node

export function shrinkNode_6_18(multiGen: MultiGen, sc: ScanControl, pgdat: PgData): void {
  const { machine } = multiGen;
  const before = sc.nrReclaimed;
  if (sc.mayWritepage && sc.mayUnmap) {
    machine.lru.drain();
    machine.current.mmWalk = sc.isKswapd ? multiGen.kswapdWalk : null;
    setInitialPriority(multiGen, sc, pgdat);
    if (sc.isKswapd) sc.nrReclaimed = 0;
    multiGen.memcgLrus[pgdat.nid]!.visit(
      (lruvec) => shrinkOne(multiGen, sc, lruvec),
      () => shouldAbort(multiGen, sc, pgdat),
    );
    if (sc.isKswapd) sc.nrReclaimed += before;
    machine.current.mmWalk = null;
  }
  if (sc.nrReclaimed > before) pgdat.kswapdFailures = 0;
}

/** What becomes of the cgroup's place: 0, MEMCG_LRU_TAIL or MEMCG_LRU_YOUNG. */
function shrinkOne(multiGen: MultiGen, sc: ScanControl, lruvec: Lruvec): number {
  const { machine } = multiGen;
  const { memcg, pgdat } = lruvec;
  const lruGen = lruvec.lruGen!;
  if (isBelow(memcg, memcg.effectiveMin)) return MEMCG_LRU_YOUNG;
  if (isBelow(memcg, memcg.effectiveLow)) {
    if (lruGen.memcgSeg !== MEMCG_LRU_TAIL) return MEMCG_LRU_TAIL;
    memcgEvent(memcg, 'low');
  }
  const aged = tryToShrinkLruvec(multiGen, sc, lruvec);
  sc.nrReclaimed += shrinkSlab(machine, sc.gfp, pgdat.nid, memcg, sc.priority);
  if (aged && memcg.online) return MEMCG_LRU_YOUNG;
  const pages = evictablePages(lruGen, swappinessOf(machine, lruvec));
  const isSizable = (memcg.online ? Math.floor(pages / 2 ** sc.priority) : pages) > 0;
  if (!aged && isSizable) return 0;
  return lruGen.memcgSeg !== MEMCG_LRU_TAIL ? MEMCG_LRU_TAIL : MEMCG_LRU_YOUNG;
}

/** Begins where the scan of what can be reclaimed would give what is wanted: from 12 down to 6. */
function setInitialPriority({ machine }: MultiGen, sc: ScanControl, pgdat: PgData): void {
  if (sc.priority !== DEF_PRIORITY || sc.nrToReclaim < MIN_LRU_BATCH) return;
  let reclaimable = pgdat.stat[LRU_INACTIVE_FILE]!;
  if (memCgroupGetNrSwapPages(machine, machine.rootMemcg) > 0) reclaimable += pgdat.stat[LRU_INACTIVE_ANON]!;
  const priority = bitLength(reclaimable) - 1 - bitLength(sc.nrToReclaim - 1);
  sc.priority = Math.max(DEF_PRIORITY / 2, Math.min(priority, DEF_PRIORITY));
}

/** Number of the highest bit that is set, from 1 (fls). */
function bitLength(value: number): number {
  return value === 0 ? 0 : Math.floor(Math.log2(value)) + 1;
}

/** kswapd ages as it evicts; here it looks who is protected, and where to begin. */
export function ageNode_6_18(multiGen: MultiGen, sc: ScanControl, pgdat: PgData): void {
  setInitialPriority(multiGen, sc, pgdat);
  protectTree(multiGen.machine.rootMemcg, multiGen.machine.rootMemcg);
}

function protectTree(root: MemCgroup, memcg: MemCgroup): void {
  calculateProtection(root, memcg);
  for (const child of memcg.children) protectTree(root, child);
}
