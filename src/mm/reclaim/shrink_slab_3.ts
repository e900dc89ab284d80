/**
 * Kernel objects are aged with the pages: the share of objects looked at is the share of pages that were scanned.
 *
 * Owns      the plan: how many objects each shrinker looks at. What they are belongs to slab.ts.
 * Promises  Never more than twice what there is; what is less than a batch waits for the next time.
 * Linux     3.16 mm/vmscan.c: shrink_slab shrink_slab_node
 * After     since 4.1 the share follows the priority
 *
 *   delta = 4 * scanned / seeks * freeable / (lru pages + 1)
 */
import type { Gfp } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { SHRINK_BATCH, SHRINK_STOP, type ShrinkerOps } from '../slab.ts';
import { SLABS_SCANNED } from '../vmstat.ts';
import { SWAP_CLUSTER_MAX } from './scan_control.ts';

/** How many objects were dropped. `lruPages`: of all zones that the scan could have helped. */
export function shrinkSlab_3(machine: Machine, gfp: Gfp, nid: number, scanned: number, lruPages: number): number {
  const pages = scanned === 0 ? SWAP_CLUSTER_MAX : scanned;
  let freed = 0;
  for (const { ops, deferred } of machine.slab.shrinkers) {
    const freeable = countAll(machine, ops, nid);
    if (freeable <= 0) continue;
    const key = machine.rootMemcg.id * machine.nodes.length + nid;
    const batch = ops.batch || SHRINK_BATCH;
    let total = slabPlan(deferred.get(key) ?? 0, freeable, ops.seeks, pages, lruPages);
    while (total >= batch || total >= freeable) {
      const count = Math.min(batch, total);
      const dropped = scanAll(machine, ops, nid, count, gfp);
      if (dropped === SHRINK_STOP) break;
      freed += dropped;
      machine.events[SLABS_SCANNED]! += count;
      total -= count;
      if (count === 0) break;
    }
    deferred.set(key, Math.max(0, total));
  }
  return freed;
}

/** Whose objects they are 3.16 does not know: those of all cgroups are one list. */
function countAll(machine: Machine, ops: ShrinkerOps, nid: number): number {
  if (!ops.memcgAware) return ops.count(machine, nid, machine.rootMemcg);
  let count = 0;
  for (let id = 1; id < machine.memcgs.length; id++) count += Math.max(0, ops.count(machine, nid, machine.memcgs[id]!));
  return count;
}

/** Looks at `count` of them, cgroup by cgroup. How many were dropped, or SHRINK_STOP. */
function scanAll(machine: Machine, ops: ShrinkerOps, nid: number, count: number, gfp: Gfp): number {
  if (!ops.memcgAware) return ops.scan(machine, nid, machine.rootMemcg, count, gfp);
  let left = count;
  let dropped = 0;
  for (let id = 1; id < machine.memcgs.length && left > 0; id++) {
    const memcg = machine.memcgs[id]!;
    const here = Math.min(left, ops.count(machine, nid, memcg));
    if (here <= 0) continue;
    const freed = ops.scan(machine, nid, memcg, here, gfp);
    if (freed === SHRINK_STOP) return SHRINK_STOP;
    dropped += freed;
    left -= here;
  }
  return dropped;
}

/** How many objects to look at. A large backlog is worked off only by a large scan. */
export function slabPlan(deferred: number, freeable: number, seeks: number, scanned: number, lruPages: number): number {
  const delta = Math.floor((Math.floor((4 * scanned) / Math.max(1, seeks)) * freeable) / (lruPages + 1));
  let total = deferred + delta;
  if (delta < Math.floor(freeable / 4)) total = Math.min(total, Math.floor(freeable / 2));
  return Math.min(total, 2 * freeable);
}
