/**
 * Names and inodes that nobody uses, and how 2.4 drops them: by the priority of the scan.
 *
 *   priority 6 ──► a sixth of the unused dentries, from the tail; … priority 1 ──► all
 *   a dentry that was used again since it came (DCACHE_REFERENCED) loses the mark and goes to the head: one round more
 *
 * Owns      nothing: the lists are VfsCache's, oldest first.
 * Promises  1. Nothing is dropped for a caller who must not enter a file system.
 *           2. An inode that is dirty or has pages is passed over, and stays on its list.
 * Linux     2.4.19 fs/dcache.c: shrink_dcache_memory prune_dcache; fs/inode.c: shrink_icache_memory prune_icache
 */
import type { VfsLru, VfsObject } from './dcache.ts';
import { __GFP_FS, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { slab_2_4 } from './slab_2_4.ts';

/** dentry_stat.nr_unused, inodes_stat.nr_unused. */
export function nrUnusedDentries(machine: Machine): number {
  return count(machine.vfs.dentries);
}
export function nrUnusedInodes(machine: Machine): number {
  return count(machine.vfs.inodes);
}

function count(lists: VfsLru[]): number {
  return lists.reduce((sum, list) => sum + list.count, 0);
}

/** Pages that the dentries' slabs gave back. */
export function shrinkDcacheMemory(machine: Machine, priority: number, gfp: Gfp): number {
  if ((gfp & __GFP_FS) === 0) return 0;
  pruneDcache(machine, Math.floor(nrUnusedDentries(machine) / priority));
  const slab = slab_2_4(machine);
  return slab.kmemCacheShrink(machine, slab.cache('dentry_cache'));
}

/** Drops `goal` dentries, if there are as many; how many it did. */
export function pruneDcache(machine: Machine, goal: number): number {
  let dropped = 0;
  for (const list of machine.vfs.dentries) {
    if (list === undefined) continue;
    while (dropped < goal && list.first !== null) {
      const dentry = list.first;
      if (dentry.referenced) {
        dentry.referenced = false;
        list.remove(dentry);
        list.add(dentry);
        continue;
      }
      machine.vfs.drop(machine, dentry);
      dropped += 1;
    }
  }
  return dropped;
}

/** Pages that the inodes' slabs gave back. */
export function shrinkIcacheMemory(machine: Machine, priority: number, gfp: Gfp): number {
  if ((gfp & __GFP_FS) === 0) return 0;
  const goal = Math.floor(nrUnusedInodes(machine) / priority);
  // What could not be dropped may be dirty: somebody writes it, for the next time.
  if (pruneIcache(machine, goal) < goal) machine.generation.writeback.wakeupFlusher(machine);
  const slab = slab_2_4(machine);
  return slab.kmemCacheShrink(machine, slab.cache('inode_cache'));
}

export function pruneIcache(machine: Machine, goal: number): number {
  let dropped = 0;
  for (const list of machine.vfs.inodes) {
    let next: VfsObject | null = list?.first ?? null;
    while (dropped < goal && next !== null) {
      const inode = next;
      next = inode.next;
      if (!canUnuse(inode)) continue;
      machine.vfs.drop(machine, inode);
      dropped += 1;
    }
  }
  return dropped;
}

function canUnuse(inode: VfsObject): boolean {
  return inode.mapping === null || (inode.mapping.nrpages === 0 && !inode.mapping.host.dirty);
}
