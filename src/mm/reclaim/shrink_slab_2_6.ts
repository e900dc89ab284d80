/**
 * Dropping unused dentries and inodes in 2.6: as many of them as pages were scanned, weighed by the seeks that each costs.
 *
 *   each call:  nr += (4 * scanned / seeks) * max / (lru_pages + 1), at most 2 * max; then batches of 128 while nr allows
 *
 *       scanned 32, seeks 2, 10000 objects, 20000 pages:  31 a call; the 5th has 155: one batch, and 27 are carried over
 *
 * Owns      Shrinker_2_6.nr, what each shrinker still owes.
 * Promises  nr stays below a batch after every call, unless the shrinker said not now.
 * Linux     2.6.24 mm/vmscan.c: shrink_slab; fs/dcache.c: shrink_dcache_memory; fs/inode.c: shrink_icache_memory prune_icache
 */

import type { VfsLru } from '../dcache.ts';
import { __GFP_FS, type Gfp } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { DEFAULT_SEEKS, SHRINK_BATCH, SHRINK_STOP } from '../slab.ts';
import { invalidateMapping } from '../truncate.ts';
import type { Pgoff } from '../units.ts';
import { SLABS_SCANNED } from '../vmstat.ts';
import { SWAP_CLUSTER_MAX } from './scan_control_2_6.ts';

/** Who can drop objects that nobody uses (struct shrinker). */
export interface ShrinkerOps_2_6 {
  readonly name: string;
  readonly seeks: number;
  /** Looks at `toScan` objects (0: at none). How many there are now, by its own measure; SHRINK_STOP: not now. */
  shrink(machine: Machine, toScan: number, gfp: Gfp): number;
}

export class Shrinker_2_6 {
  readonly ops: ShrinkerOps_2_6;
  nr = 0;
  constructor(ops: ShrinkerOps_2_6) {
    this.ops = ops;
  }
}

/** Objects are counted in hundreds: fewer than that are none. */
function byPressure(machine: Machine, unused: number): number {
  return Math.floor(unused / 100) * machine.sysctl.vfsCachePressure;
}

class DcacheShrinker implements ShrinkerOps_2_6 {
  readonly name = 'dentry';
  readonly seeks: number = DEFAULT_SEEKS;
  shrink(machine: Machine, toScan: number, gfp: Gfp): number {
    if (toScan > 0) {
      if ((gfp & __GFP_FS) === 0) return SHRINK_STOP;
      machine.vfs.pruneDentries(machine, toScan);
    }
    return byPressure(machine, machine.vfs.unusedDentries());
  }
}

/** Unused inodes, the oldest first; the clean pages of their files go with them. */
export class IcacheShrinker implements ShrinkerOps_2_6 {
  readonly name = 'inode';
  readonly seeks: number = DEFAULT_SEEKS;
  /** Pages dropped so: by kswapd, and by others. */
  kswapdInodesteal = 0;
  pginodesteal = 0;
  shrink(machine: Machine, toScan: number, gfp: Gfp): number {
    if (toScan > 0) {
      if ((gfp & __GFP_FS) === 0) return SHRINK_STOP;
      machine.vfs.inodes.forEach((list) => {
        this.prune(machine, list, toScan);
      });
    }
    return byPressure(machine, machine.vfs.unusedInodes());
  }

  private prune(machine: Machine, list: VfsLru, count: number): void {
    for (let left = Math.min(count, list.count); left > 0; left--) {
      const inode = list.first!;
      const mapping = inode.mapping!;
      const mayDrop = mapping.host.kind === 'disk' && !mapping.host.dirty;
      if (mayDrop && mapping.nrpages > 0) {
        const dropped = invalidateMapping(machine, mapping, 0 as Pgoff, Number.MAX_SAFE_INTEGER);
        if (machine.current.isKswapd) this.kswapdInodesteal += dropped;
        else this.pginodesteal += dropped;
      }
      if (mayDrop && mapping.nrpages === 0) {
        machine.vfs.drop(machine, inode);
      } else {
        list.remove(inode);
        list.add(inode);
      }
    }
  }
}

export function newShrinkers_2_6(icache: IcacheShrinker): Shrinker_2_6[] {
  return [new Shrinker_2_6(new DcacheShrinker()), new Shrinker_2_6(icache)];
}

/** Every shrinker drops its share; by how many objects their counts fell. */
export function shrinkSlab_2_6(
  machine: Machine,
  shrinkers: readonly Shrinker_2_6[],
  scannedPages: number,
  gfp: Gfp,
  lruPages: number,
): number {
  const scanned = scannedPages === 0 ? SWAP_CLUSTER_MAX : scannedPages;
  let freed = 0;
  for (let i = 0; i < shrinkers.length; i++) {
    const shrinker = shrinkers[i]!;
    const { ops } = shrinker;
    const max = ops.shrink(machine, 0, gfp);
    shrinker.nr += Math.floor((Math.floor((4 * scanned) / ops.seeks) * max) / (lruPages + 1));
    if (shrinker.nr > 2 * max) shrinker.nr = 2 * max;
    while (shrinker.nr >= SHRINK_BATCH) {
      const before = ops.shrink(machine, 0, gfp);
      const left = ops.shrink(machine, SHRINK_BATCH, gfp);
      if (left === SHRINK_STOP) break;
      if (left < before) freed += before - left;
      machine.events[SLABS_SCANNED]! += SHRINK_BATCH;
      shrinker.nr -= SHRINK_BATCH;
    }
  }
  return freed;
}
