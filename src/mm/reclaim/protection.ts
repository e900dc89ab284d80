/**
 * What memory.min and memory.low leave of a cgroup to scan.
 *
 * Linux     6.18 mm/vmscan.c: apply_proportional_protection; include/linux/memcontrol.h: mem_cgroup_below_min mem_cgroup_below_low
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

/** Uses no more than `protection`, which is its effective min or low. */
export function isBelow(memcg: MemCgroup, protection: number): boolean {
  return memcg.parent !== null && protection > 0 && protection >= memcg.memory.usage;
}
