/**
 * Soft limits of cgroup v1: when the machine is short, the cgroup that is furthest above its own gives first.
 *
 * Owns      the choice of that cgroup, and how long it is reclaimed from.
 * Promises  Nothing is taken from a cgroup that is below its soft limit, but from those below it in the tree.
 * Linux     3.16 mm/memcontrol.c: mem_cgroup_soft_limit_reclaim mem_cgroup_soft_reclaim mem_cgroup_largest_soft_limit_node
 *
 * DIFFERS: Linux sorts cgroups by their excess in a tree that is brought up to date every 1024 charges or uncharges; here the
 *          excess is the one of the moment. A user may see another cgroup hit first.
 */
import type { Machine } from '../machine.ts';
import type { MemCgroup } from '../memcg.ts';
import type { Zone } from '../zone.ts';

const MAX_RECLAIM_LOOPS = 100;
const MAX_SOFT_LIMIT_RECLAIM_LOOPS = 2;

/** Scans all lists of one cgroup in one zone; how many pages were freed. */
export type ShrinkOne = (memcg: MemCgroup) => number;

/** How many pages the cgroups above their soft limit gave. Larger blocks are not worth it. */
export function softLimitReclaim(
  machine: Machine,
  zone: Zone,
  order: number,
  shrink: ShrinkOne,
  everybody: (root: MemCgroup, visit: (memcg: MemCgroup) => boolean) => void,
): number {
  if (order > 0) return 0;
  let reclaimed = 0;
  let skip: MemCgroup | null = null;
  for (let loop = 0; reclaimed === 0; ) {
    const most = largestExcess(machine, zone, skip);
    if (most === null) break;
    const got = softReclaim(most, shrink, everybody);
    reclaimed += got;
    skip = got === 0 ? most : null;
    loop += 1;
    if (reclaimed === 0 && (largestExcess(machine, zone, skip) === null || loop > MAX_SOFT_LIMIT_RECLAIM_LOOPS)) break;
  }
  return reclaimed;
}

/** Pages above the soft limit. */
export function softLimitExcess(memcg: MemCgroup): number {
  return Math.max(0, memcg.memory.usage - memcg.softLimit);
}

function largestExcess(machine: Machine, _zone: Zone, skip: MemCgroup | null): MemCgroup | null {
  let most: MemCgroup | null = null;
  for (let i = 2; i < machine.memcgs.length; i++) {
    const memcg = machine.memcgs[i]!;
    if (memcg === skip || softLimitExcess(memcg) === 0) continue;
    if (most === null || softLimitExcess(memcg) > softLimitExcess(most)) most = memcg;
  }
  return most;
}

/** Round after round over the cgroup and all below it, until it is below its limit or a quarter of the excess is gone. */
function softReclaim(
  root: MemCgroup,
  shrink: ShrinkOne,
  everybody: (root: MemCgroup, visit: (memcg: MemCgroup) => boolean) => void,
): number {
  const enough = Math.floor(softLimitExcess(root) / 4);
  let total = 0;
  for (let loop = 1; ; loop++) {
    let below = false;
    everybody(root, (memcg) => {
      total += shrink(memcg);
      below = softLimitExcess(root) === 0;
      return !below;
    });
    if (below) return total;
    if (loop >= 2 && (total === 0 || total >= enough || loop > MAX_RECLAIM_LOOPS)) return total;
  }
}
