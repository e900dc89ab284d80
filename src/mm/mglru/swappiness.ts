/**
 * How much reclaim of a cgroup swaps: its swappiness, or 0 with too little swap left for one batch.
 *
 * Linux     6.18 mm/vmscan.c: get_swappiness
 */
import type { Lruvec } from '../lruvec.ts';
import type { Machine } from '../machine.ts';
import { memCgroupGetNrSwapPages } from '../swap/swapfile.ts';
import { MIN_LRU_BATCH } from './refault_control.ts';

export function swappinessOf(machine: Machine, { memcg }: Lruvec): number {
  if (memCgroupGetNrSwapPages(machine, memcg) < MIN_LRU_BATCH) return 0;
  return memcg.v1 && memcg.parent !== null ? memcg.swappiness : machine.sysctl.swappiness;
}
