/**
 * What groups of processes cost, without counting anything twice: a process is a group of one, so is a subtree, so is a cgroup.
 *
 * Groups form a forest: what a process holds, all groups above it hold. One walk over the sets of owners (owners.ts) climbs
 * from each owner to its root and counts, for each group on the way, how many of the owners are inside:
 *
 *     some of them are   → the group maps the memory                (rss: each frame once)
 *     all of them are    → nobody outside maps it                   (unique)
 *     … and all holders  → if the group exits, it goes, or becomes cache
 *
 * Promises  1. `freed + withFile + cache + shmem + shared = rss` for each group, to the byte.
 *           2. For disjoint groups the sums of `unique` are at most, and those of `rss` at least, what is mapped.
 */
import {
  ANONYMOUS_MEMORY,
  DELETED_FILE,
  DELETED_SHMEM,
  FILE_MEMORY,
  type OwnedMemory,
  type Ownership,
  SHMEM_MEMORY,
} from './owners.ts';

export interface GroupCost {
  /** Frames that the group maps, each once. */
  rssBytes: number;
  /** … and nobody else does. */
  uniqueBytes: number;
  /** If it exited: anonymous memory that is freed, … */
  freedBytes: number;
  /** … parts of its large folios that nobody maps any more, freed with them (not in RSS), … */
  freedUnmappedBytes: number;
  /** … files that have no name any more and that only it maps: freed, unless a descriptor elsewhere holds them open, … */
  freedWithFileBytes: number;
  /** … pages of files that become cache, which reclaim may drop, … */
  becomesCacheBytes: number;
  /** … memory of tmpfs and System V that stays, which reclaim may only swap, … */
  becomesShmemBytes: number;
  /** … and what others go on mapping. */
  staysSharedBytes: number;
  /** Slots of swap that it holds, each once, and those that only it holds. */
  swapBytes: number;
  uniqueSwapBytes: number;
}

/** `nodeOf` gives the group of each process, or -1; `parents` the group above each group, or -1. */
export function costsOfGroups(
  { memory, slots }: Ownership,
  nodeOf: ArrayLike<number>,
  parents: ArrayLike<number>,
): GroupCost[] {
  const costs = Array.from({ length: parents.length }, emptyCost);
  const climber = new Climber(nodeOf, parents);
  const holding = new Climber(nodeOf, parents);
  for (const each of memory) {
    const groups = climber.climb(each.owners);
    if (each.holders !== each.owners) holding.climb(each.holders);
    for (const group of groups) {
      const isUnique = each.ownersComplete && climber.inside(group) === each.owners.length;
      const held = each.holders === each.owners ? climber : holding;
      const goes = each.holdersComplete && held.inside(group) === each.holders.length;
      addMemory(costs[group]!, each, isUnique, goes);
    }
  }
  for (const { owners, complete, bytes } of slots) {
    for (const group of climber.climb(owners)) {
      const cost = costs[group]!;
      cost.swapBytes += bytes;
      if (complete && climber.inside(group) === owners.length) cost.uniqueSwapBytes += bytes;
    }
  }
  return costs;
}

/** Each process by itself. */
export function costsOfProcesses(ownership: Ownership, processes: number): GroupCost[] {
  const rows = Int32Array.from({ length: processes }, (_, row) => row);
  return costsOfGroups(ownership, rows, new Int32Array(processes).fill(-1));
}

function emptyCost(): GroupCost {
  return {
    rssBytes: 0,
    uniqueBytes: 0,
    freedBytes: 0,
    freedUnmappedBytes: 0,
    freedWithFileBytes: 0,
    becomesCacheBytes: 0,
    becomesShmemBytes: 0,
    staysSharedBytes: 0,
    swapBytes: 0,
    uniqueSwapBytes: 0,
  };
}

function addMemory(
  cost: GroupCost,
  { kind, bytes, unmappedBytes }: OwnedMemory,
  isUnique: boolean,
  goes: boolean,
): void {
  cost.rssBytes += bytes;
  if (isUnique) cost.uniqueBytes += bytes;
  if (!isUnique) cost.staysSharedBytes += bytes;
  else if (kind === ANONYMOUS_MEMORY && goes) cost.freedBytes += bytes;
  else if ((kind === DELETED_FILE || kind === DELETED_SHMEM) && goes) cost.freedWithFileBytes += bytes;
  else if (kind === FILE_MEMORY || kind === DELETED_FILE) cost.becomesCacheBytes += bytes;
  else if (kind === SHMEM_MEMORY || kind === DELETED_SHMEM) cost.becomesShmemBytes += bytes;
  else cost.staysSharedBytes += bytes;
  if (goes) cost.freedUnmappedBytes += unmappedBytes;
}

/** Counts, for each group on the ways up from some processes, how many of them lie below it. */
class Climber {
  private readonly nodeOf: ArrayLike<number>;
  private readonly parents: ArrayLike<number>;
  private readonly counts: Uint32Array;
  private readonly met: number[] = [];

  constructor(nodeOf: ArrayLike<number>, parents: ArrayLike<number>) {
    this.nodeOf = nodeOf;
    this.parents = parents;
    this.counts = new Uint32Array(parents.length);
  }

  /** The groups met, each once; good until the next climb. */
  climb(processes: readonly number[]): readonly number[] {
    for (const group of this.met) this.counts[group] = 0;
    this.met.length = 0;
    for (const process of processes) {
      for (let group = this.nodeOf[process]!; group >= 0; group = this.parents[group]!) {
        if (this.counts[group] === 0) this.met.push(group);
        this.counts[group]! += 1;
      }
    }
    return this.met;
  }

  inside(group: number): number {
    return this.counts[group]!;
  }
}

export interface Sharer {
  /** Row in `processes`. */
  readonly process: number;
  readonly bytes: number;
}

/** With whom each process maps the same frames, most first; at most `most` of them. */
export function sharersOf({ memory }: Ownership, processes: number, most: number): Sharer[][] {
  const setsOf: OwnedMemory[][] = Array.from({ length: processes }, () => []);
  for (const each of memory) if (each.owners.length > 1) for (const owner of each.owners) setsOf[owner]!.push(each);
  const bytes = new Float64Array(processes);
  return setsOf.map((sets, process) => {
    const met: number[] = [];
    for (const each of sets) {
      for (const owner of each.owners) {
        if (bytes[owner] === 0) met.push(owner);
        bytes[owner]! += each.bytes;
      }
    }
    const sharers = met.filter((owner) => owner !== process).map((owner) => ({ process: owner, bytes: bytes[owner]! }));
    for (const owner of met) bytes[owner] = 0;
    return sharers.sort((a, b) => b.bytes - a.bytes || a.process - b.process).slice(0, most);
  });
}
