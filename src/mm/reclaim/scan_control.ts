/**
 * One run of reclaim: what it may do, what it aims at, what it has done.
 *
 * Linux     6.18 mm/vmscan.c: scan_control reclaim_stat
 */
import type { Gfp } from '../gfp.ts';
import { GFP_KERNEL } from '../gfp.ts';
import type { MemCgroup } from '../memcg.ts';
import type { ListHead, MemMap } from '../memmap.ts';
import { MAX_NR_ZONES } from '../zone.ts';

/** Pages isolated at a time, and the least that a reclaim aims at. */
export const SWAP_CLUSTER_MAX = 32;
/** Scans start with 1/2**12 of each list, and double. */
export const DEF_PRIORITY = 12;

export const DEACTIVATE_ANON = 1;
export const DEACTIVATE_FILE = 2;

/** What became of one batch of pages (reclaim_stat). */
export class ReclaimStat {
  dirty = 0;
  unqueuedDirty = 0;
  congested = 0;
  writeback = 0;
  immediate = 0;
  pageout = 0;
  activateAnon = 0;
  activateFile = 0;
  refKeep = 0;
  unmapFail = 0;

  reset(): void {
    this.dirty = 0;
    this.unqueuedDirty = 0;
    this.congested = 0;
    this.writeback = 0;
    this.immediate = 0;
    this.pageout = 0;
    this.activateAnon = 0;
    this.activateFile = 0;
    this.refKeep = 0;
    this.unmapFail = 0;
  }
}

/** There are two: kswapd's, and that of whoever reclaims directly. Each is filled anew for a run. */
export class ScanControl {
  nrToReclaim = SWAP_CLUSTER_MAX;
  nrScanned = 0;
  nrReclaimed = 0;
  gfp: Gfp = GFP_KERNEL;
  order = 0;
  priority = DEF_PRIORITY;
  /** Highest zone type whose pages help. */
  reclaimIdx = MAX_NR_ZONES - 1;
  /** null: global reclaim. */
  targetMemcg: MemCgroup | null = null;
  isKswapd = false;
  mayWritepage = true;
  mayUnmap = true;
  maySwap = true;
  /** Of the cgroup whose lists are scanned (3.16). */
  swappiness = 60;
  /** The step of shrink_page_list that gave the last verdict, for whoever traces it (3.16). */
  rung = 0;
  mayDeactivate = 0;
  /** That a page was used does not keep it: MADV_PAGEOUT since 6.18 (before, it cleared the young bits itself). */
  ignoreReferences = false;
  forceDeactivate = false;
  skippedDeactivate = false;
  memcgLowReclaim = false;
  memcgLowSkipped = false;
  memcgFullWalk = false;
  cacheTrimMode = false;
  fileIsTiny = false;
  anonCost = 0;
  fileCost = 0;
  /** Sums over the batches of one shrink_node. */
  dirty = 0;
  unqueuedDirty = 0;
  congested = 0;
  writeback = 0;
  immediate = 0;
  taken = 0;
  fileTaken = 0;

  /** Pages isolated by isolateLruPages, and of those the ones that go back, by where to. */
  readonly isolated: ListHead;
  readonly returned: ListHead;
  readonly toActive: ListHead;
  readonly toInactive: ListHead;
  readonly skipped: ListHead;
  readonly stat: ReclaimStat = new ReclaimStat();
  /** Pages yet to scan, and planned, by list. */
  readonly nr: Float64Array = new Float64Array(5);
  readonly targets: Float64Array = new Float64Array(5);
  /** Of the last isolateLruPages. */
  isolatedScanned = 0;
  isolatedTaken = 0;
  /** Of the last eviction from generations: its type, and whether any of them was of anonymous memory. */
  scannedType = 0;
  swapped = false;
  /** kswapd with generations (6.1): the next round ages, too; what it had reclaimed when the last one began. */
  memcgsNeedAging = false;
  lastReclaimed = 0;
  /** Pages of the folio that was freed last. */
  freedPages = 0;

  constructor(frames: MemMap) {
    this.isolated = frames.newList();
    this.returned = frames.newList();
    this.toActive = frames.newList();
    this.toInactive = frames.newList();
    this.skipped = frames.newList();
  }

  /** Everything as at the start of a run. */
  start(nrToReclaim: number, gfp: Gfp, targetMemcg: MemCgroup | null): void {
    this.nrToReclaim = nrToReclaim;
    this.nrScanned = 0;
    this.nrReclaimed = 0;
    this.gfp = gfp;
    this.order = 0;
    this.priority = DEF_PRIORITY;
    this.reclaimIdx = MAX_NR_ZONES - 1;
    this.targetMemcg = targetMemcg;
    this.isKswapd = false;
    this.mayWritepage = true;
    this.mayUnmap = true;
    this.maySwap = true;
    this.mayDeactivate = 0;
    this.ignoreReferences = false;
    this.forceDeactivate = false;
    this.skippedDeactivate = false;
    this.memcgLowReclaim = false;
    this.memcgLowSkipped = false;
    this.memcgFullWalk = false;
    this.cacheTrimMode = false;
    this.fileIsTiny = false;
    this.memcgsNeedAging = false;
    this.lastReclaimed = 0;
  }

  resetSums(): void {
    this.dirty = 0;
    this.unqueuedDirty = 0;
    this.congested = 0;
    this.writeback = 0;
    this.immediate = 0;
    this.taken = 0;
    this.fileTaken = 0;
  }
}
