/**
 * One run of reclaim in 2.6: what it may do, what it aims at, what it has done.
 *
 * Owns      the type, and how one begins.
 * Promises  Plain numbers: a run of reclaim that is interrupted by another has one of its own.
 * Linux     2.6.24 mm/vmscan.c: scan_control
 */
import { GFP_KERNEL, type Gfp } from '../gfp.ts';
import type { ListHead, MemMap } from '../memmap.ts';

/** Pages isolated at a time, and what a reclaim aims at. */
export const SWAP_CLUSTER_MAX = 32;

/** Each run takes one that nobody uses: kswapd may run while another task waits in the middle of its own. */
export class ScanControl_2_6 {
  nrScanned = 0;
  gfp: Gfp = GFP_KERNEL;
  mayWritepage = true;
  maySwap = true;
  swapClusterMax = SWAP_CLUSTER_MAX;
  swappiness = 60;
  allUnreclaimable = false;
  order = 0;
  isKswapd = false;
  /** Pages isolated, those of them that stay, and in shrink_active_list where they go. */
  readonly isolated: ListHead;
  readonly returned: ListHead;
  readonly toActive: ListHead;
  readonly toInactive: ListHead;
  /** Pages that are free and wait for their batch to be full (freed_pvec). */
  readonly freed: Int32Array = new Int32Array(14);
  freedCount = 0;
  /** Of the last isolateLruPages. */
  isolatedScanned = 0;
  isolatedTaken = 0;

  constructor(frames: MemMap) {
    this.isolated = frames.newList();
    this.returned = frames.newList();
    this.toActive = frames.newList();
    this.toInactive = frames.newList();
  }

  /** Everything as at the start of a run. */
  start(gfp: Gfp, order: number, swappiness: number, mayWritepage: boolean, isKswapd: boolean): void {
    this.nrScanned = 0;
    this.gfp = gfp;
    this.mayWritepage = mayWritepage;
    this.maySwap = true;
    this.swapClusterMax = SWAP_CLUSTER_MAX;
    this.swappiness = Math.min(100, swappiness);
    this.allUnreclaimable = false;
    this.order = order;
    this.isKswapd = isKswapd;
  }
}
