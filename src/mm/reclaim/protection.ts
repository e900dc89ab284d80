/**
 * What memory.min and memory.low leave of a cgroup to scan.
 *
 * Linux     6.18 mm/vmscan.c: apply_proportional_protection
 */
import type { MemCgroup } from '../memcg.ts';
import { type ScanControl, SWAP_CLUSTER_MAX } from './scan_control.ts';

/** Of `size` pages: less as more of the cgroup is protected, but never so little that reclaim would not get on. */
export function unprotected(sc: ScanControl, memcg: MemCgroup, size: number): number {
  if (sc.targetMemcg === memcg || (memcg.effectiveMin === 0 && memcg.effectiveLow === 0)) return size;
  let protection = memcg.effectiveMin;
  if (!sc.memcgLowReclaim && memcg.effectiveLow > memcg.effectiveMin) {
    protection = memcg.effectiveLow;
    sc.memcgLowSkipped = true;
  }
  const usage = Math.max(memcg.memory.usage, protection);
  return Math.max(size - Math.floor((size * protection) / (usage + 1)), SWAP_CLUSTER_MAX);
}
