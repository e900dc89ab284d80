/**
 * The walk over a cgroup and all below it that several reclaimers share: each goes on where the last one stopped.
 *
 * Owns      for each cgroup, zone and priority, the cgroup that was visited last.
 * Promises  1. A round visits parents before children, and ends behind the last of them: it may begin in the middle.
 *           2. A visitor that has enough leaves its place to the next round.
 * Linux     3.16 mm/memcontrol.c: mem_cgroup_iter mem_cgroup_iter_break mem_cgroup_reclaim_cookie
 */
import type { MemCgroup } from '../memcg.ts';
import type { Zone } from '../zone.ts';

const PRIORITIES = 16;

export class MemcgIter {
  /** By cgroup, zone and priority; absent: the next round begins at the top. */
  private readonly lastVisited: Map<number, MemCgroup> = new Map();
  private readonly zones: number;

  constructor(zones: number) {
    this.zones = zones;
  }

  /** One round; `visit` says whether to go on. */
  round(root: MemCgroup, zone: Zone, priority: number, visit: (memcg: MemCgroup) => boolean): void {
    const key = (root.id * this.zones + zone.index) * PRIORITIES + priority;
    let last = this.lastVisited.get(key) ?? null;
    let visited = false;
    for (;;) {
      const memcg: MemCgroup | null = last === null ? root : next(root, last);
      if (memcg === null) {
        this.lastVisited.delete(key);
        if (visited) return;
      } else {
        this.lastVisited.set(key, memcg);
        visited = true;
        if (!visit(memcg)) return;
      }
      last = memcg;
    }
  }
}

/** The one behind `memcg`, parents first; null at the end of the tree. */
function next(root: MemCgroup, memcg: MemCgroup): MemCgroup | null {
  const child = memcg.children[0];
  if (child !== undefined) return child;
  for (let at = memcg; at !== root && at.parent !== null; at = at.parent) {
    const siblings = at.parent.children;
    const younger = siblings[siblings.indexOf(at) + 1];
    if (younger !== undefined) return younger;
  }
  return null;
}
