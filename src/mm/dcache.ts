/**
 * Names and inodes that nobody uses any more stay in memory, to be found again, until a shrinker drops them.
 *
 *   open:  dentry (1 user) ──holds──► inode        close: dentry on its LRU list, the inode still held
 *   shrinker, first round:  dentry dropped, so the inode goes on its list       next round: inode dropped
 *
 * Owns      VfsObject and its place on the list of its cgroup.
 * Promises  1. An object is on a list only while it has no user and is alive; a dropped one is off and its slab object is freed.
 *           2. An inode whose file has pages in the page cache is not dropped (since 5.15).
 * Linux     6.18 fs/super.c: super_cache_count super_cache_scan; fs/dcache.c: dput dentry_lru_isolate;
 *           fs/inode.c: inode_lru_isolate inode_add_lru; mm/list_lru.c
 */
import { bugOn } from './bug.ts';
import type { AddressSpace } from './fs.ts';
import { __GFP_FS, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import type { MemCgroup } from './memcg.ts';
import { DEFAULT_SEEKS, SHRINK_STOP, type ShrinkerOps } from './slab.ts';
import type { SlabName } from './slab_sizes.ts';

/** Objects of a super block are scanned a thousand at a time. */
const SUPER_BATCH = 1024;

/** A dentry or an inode. */
export class VfsObject {
  readonly cache: SlabName;
  /** Who was charged for it. */
  readonly memcg: MemCgroup;
  /** The inode that a dentry names, and keeps. */
  readonly holds: VfsObject | null;
  /** The pages that keep an inode; null for a dentry. */
  readonly mapping: AddressSpace | null;
  users = 1;
  alive = true;
  /** Was used again while it was unused: it may stay one round more. */
  referenced = false;
  next: VfsObject | null = null;
  prev: VfsObject | null = null;
  list: VfsLru | null = null;

  constructor(cache: SlabName, memcg: MemCgroup, holds: VfsObject | null, mapping: AddressSpace | null) {
    this.cache = cache;
    this.memcg = memcg;
    this.holds = holds;
    this.mapping = mapping;
  }
}

/** Unused objects of one cgroup, oldest first (list_lru_one). */
export class VfsLru {
  first: VfsObject | null = null;
  last: VfsObject | null = null;
  count = 0;

  add(object: VfsObject): void {
    object.list = this;
    object.prev = this.last;
    object.next = null;
    if (this.last === null) this.first = object;
    else this.last.next = object;
    this.last = object;
    this.count += 1;
  }

  remove(object: VfsObject): void {
    bugOn(object.list !== this, 'an object is taken from the list that it is on', this.count);
    if (object.prev === null) this.first = object.next;
    else object.prev.next = object.next;
    if (object.next === null) this.last = object.prev;
    else object.next.prev = object.prev;
    object.list = null;
    object.prev = null;
    object.next = null;
    this.count -= 1;
  }
}

/** Dentries and inodes of all file systems, as one super block. */
export class VfsCache implements ShrinkerOps {
  readonly seeks: number = DEFAULT_SEEKS;
  readonly batch: number = SUPER_BATCH;
  readonly memcgAware: boolean = true;
  /** Lists by cgroup id. */
  readonly dentries: VfsLru[] = [];
  readonly inodes: VfsLru[] = [];
  private readonly pagesPinInodes: boolean;

  /** `pagesPinInodes`: an unused inode whose file has pages is on no list (since 5.15). */
  constructor(pagesPinInodes: boolean = true) {
    this.pagesPinInodes = pagesPinInodes;
  }

  get scanName(): string {
    return 'super_cache_scan';
  }

  /** A new dentry (of the inode that it holds), or a new inode (of that mapping), with one user. null: no memory. */
  create(
    machine: Machine,
    cache: SlabName,
    memcg: MemCgroup,
    gfp: Gfp,
    holds: VfsObject | null,
    mapping: AddressSpace | null,
  ): VfsObject | null {
    if (machine.slab.alloc(machine, cache, memcg, gfp) < 0) return null;
    if (holds !== null) this.get(holds);
    return new VfsObject(cache, memcg, holds, mapping);
  }

  /** Somebody uses it (again). */
  get(object: VfsObject): void {
    bugOn(!object.alive, 'an object that was dropped is made anew', object.users);
    if (object.list !== null) {
      object.list.remove(object);
      object.referenced = true;
    }
    object.users += 1;
  }

  /** Somebody stops to use it; the last one leaves it on the list. */
  put(object: VfsObject): void {
    bugOn(object.users === 0, 'an object is put as often as it was got', 0);
    object.users -= 1;
    if (object.users === 0) this.keep(object);
  }

  /** The last page of an inode's file went: it may be dropped from now on. */
  pagesGone(object: VfsObject): void {
    if (object.alive && object.users === 0 && object.list === null) this.keep(object);
  }

  /** Frees an unused object at once: its file was removed. */
  drop(machine: Machine, object: VfsObject): void {
    bugOn(object.users !== 0 || !object.alive, 'only an unused object is dropped', object.users);
    object.list?.remove(object);
    object.alive = false;
    machine.slab.free(machine, object.cache, object.memcg);
    if (object.holds !== null) this.put(object.holds);
  }

  /** Of all cgroups together, for kernels that shrink each kind by itself. */
  unusedDentries(): number {
    return this.dentries.reduce((sum, list) => sum + list.count, 0);
  }
  unusedInodes(): number {
    return this.inodes.reduce((sum, list) => sum + list.count, 0);
  }
  pruneDentries(machine: Machine, count: number): number {
    return this.dentries.reduce((freed, list) => freed + this.prune(machine, list, count - freed), 0);
  }

  count(machine: Machine, nid: number, memcg: MemCgroup): number {
    if (nid !== 0) return 0;
    const total = (this.dentries[memcg.id]?.count ?? 0) + (this.inodes[memcg.id]?.count ?? 0);
    return Math.floor((total * machine.sysctl.vfsCachePressure) / 100);
  }

  scan(machine: Machine, nid: number, memcg: MemCgroup, toScan: number, gfp: Gfp): number {
    // Who holds locks of a file system must not enter it.
    if ((gfp & __GFP_FS) === 0 || nid !== 0) return SHRINK_STOP;
    const dentries = this.dentries[memcg.id]?.count ?? 0;
    const inodes = this.inodes[memcg.id]?.count ?? 0;
    const total = dentries + inodes + 1;
    const freed = this.prune(machine, this.dentries[memcg.id], Math.floor((toScan * dentries) / total));
    return freed + this.prune(machine, this.inodes[memcg.id], Math.floor((toScan * inodes) / total));
  }

  private keep(object: VfsObject): void {
    const lists = object.mapping === null ? this.dentries : this.inodes;
    if (this.pagesPinInodes && object.mapping !== null && object.mapping.nrpages > 0) return;
    let list = lists[object.memcg.id];
    if (list === undefined) {
      list = new VfsLru();
      lists[object.memcg.id] = list;
    }
    list.add(object);
  }

  private prune(machine: Machine, list: VfsLru | undefined, count: number): number {
    let freed = 0;
    for (let left = count; left > 0 && list !== undefined; left--) {
      const object = list.first;
      if (object === null) break;
      if (object.referenced) {
        object.referenced = false;
        list.remove(object);
        list.add(object);
      } else if (object.mapping !== null && object.mapping.nrpages > 0) {
        list.remove(object);
      } else {
        this.drop(machine, object);
        freed += 1;
      }
    }
    return freed;
  }
}
