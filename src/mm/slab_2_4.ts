/**
 * The slab allocator of 2.4: its caches, in the order of their chain, and what memory pressure takes from them.
 *
 *   kmem_cache ► inode_cache ► dentry_cache ► … ► size-131072(DMA) ► size-131072 ► … ► size-32     the last to be made is first
 *                    ▲ clock_searchp
 *   kmem_cache_reap: up to 10 caches from there; score = pages of free slabs, a fifth less with a constructor, a fifth less
 *   when slabs are of several pages. The best gives half of its free slabs; one of 10 or more at once.
 *
 * Owns      the caches, clock_searchp, which object common code means when it frees one.
 * Promises  1. A cache that has grown since the last look is passed over once.
 *           2. Half, rounded up, of the chosen cache's free slabs go, from the end of slabs_free.
 * Linux     2.4.19 mm/slab.c: kmem_cache_sizes_init kmem_cache_reap kmem_cache_shrink kmalloc kfree; kernel/fork.c: proc_caches_init;
 *           fs/dcache.c: vfs_caches_init
 *
 * DIFFERS: common code counts objects and does not name them. Of dentries, inodes and buffer heads the oldest is freed, of others
 *          the youngest. Objects that 2.4 does not have (anon_vma, radix_tree_node, …) cost nothing. Descriptors of caches lie in
 *          the memory that the kernel has reserved. Nobody is charged: there are no cgroups.
 */
import { ENOMEM } from './errno.ts';
import { __GFP_DMA, type Gfp } from './gfp.ts';
import { KmemCache, type SlabDesc, type SlabObject } from './kmem_cache_2_4.ts';
import type { Machine } from './machine.ts';
import type { MemCgroup } from './memcg.ts';
import type { Slab, SlabInfo } from './parts.ts';
import { Shrinker, type ShrinkerOps } from './slab.ts';
import type { SlabName } from './slab_sizes.ts';
import type { Pfn } from './units.ts';
import { UnusedBufferHeads } from './unused_buffers_2_4.ts';
import { NR_SLAB_RECLAIMABLE, NR_SLAB_UNRECLAIMABLE } from './vmstat.ts';

const REAP_SCANLEN = 10;
const REAP_PERFECT = 10;
const SMALLEST = 32;
const LARGEST = 131072;
/** Above 32 MiB of memory, slabs may be of order 2 to waste less. */
const BREAK_ORDER_PAGES = 8192;

/** Bytes of the objects, in the order in which their caches are made (i386). */
const CACHES: readonly (readonly [string, number, { ctor?: boolean; reclaimable?: boolean }])[] = [
  ['signal_act', 1312, {}],
  ['files_cache', 416, {}],
  ['fs_cache', 40, {}],
  ['vm_area_struct', 68, {}],
  ['mm_struct', 160, {}],
  ['buffer_head', 92, { ctor: true, reclaimable: true }],
  ['names_cache', 4096, {}],
  ['filp', 96, {}],
  ['dentry_cache', 128, { reclaimable: true }],
  ['inode_cache', 480, { ctor: true, reclaimable: true }],
];

/** The cache of 2.4 for an object of common code; null: 2.4 has no such object, or not in a cache. */
const CACHE_OF: Readonly<Record<SlabName, string | null>> = {
  task_struct: null,
  mm_struct: 'mm_struct',
  vm_area_struct: 'vm_area_struct',
  anon_vma: null,
  anon_vma_chain: null,
  maple_node: null,
  filp: 'filp',
  dentry: 'dentry_cache',
  inode_cache: 'inode_cache',
  ext4_inode_cache: 'inode_cache',
  shmem_inode_cache: 'inode_cache',
  proc_inode_cache: 'inode_cache',
  sock_inode_cache: 'inode_cache',
  radix_tree_node: null,
  buffer_head: 'buffer_head',
  cred_jar: null,
  signal_cache: null,
  sighand_cache: 'signal_act',
  files_cache: 'files_cache',
  fs_cache: 'fs_cache',
  pid: null,
  names_cache: 'names_cache',
  'kmalloc-cg-16': 'size-32',
  'kmalloc-cg-32': 'size-32',
  'kmalloc-cg-64': 'size-64',
  'kmalloc-cg-96': 'size-128',
  'kmalloc-cg-128': 'size-128',
  'kmalloc-cg-192': 'size-256',
  'kmalloc-cg-256': 'size-256',
  'kmalloc-cg-512': 'size-512',
  'kmalloc-cg-1k': 'size-1024',
  'kmalloc-cg-2k': 'size-2048',
  'kmalloc-cg-4k': 'size-4096',
  'kmalloc-cg-8k': 'size-8192',
};
const OLDEST_GO_FIRST: ReadonlySet<string> = new Set(['dentry_cache', 'inode_cache', 'buffer_head']);

/** Objects of common code that 2.4 keeps elsewhere: counted, and without memory. */
class NoCache implements SlabInfo {
  readonly name: string;
  readonly size: number = 0;
  readonly order: number = 0;
  readonly slabs: readonly Pfn[] = [];
  active = 0;
  room = 0;
  constructor(name: string) {
    this.name = name;
  }
}

/** Objects in use of one cache, oldest first. */
class LiveObjects {
  private readonly objects: SlabObject[] = [];
  private from = 0;

  push(object: SlabObject): void {
    this.objects.push(object);
  }
  take(oldest: boolean): SlabObject {
    if (!oldest) return this.objects.pop()!;
    const object = this.objects[this.from]!;
    this.from += 1;
    if (this.from > 64 && this.from * 2 > this.objects.length) {
      this.objects.splice(0, this.from);
      this.from = 0;
    }
    return object;
  }
  get count(): number {
    return this.objects.length - this.from;
  }
}

export function newSlab_2_4(machine: Machine): Slab {
  return new Slab_2_4(machine);
}

export class Slab_2_4 implements Slab {
  readonly caches: Readonly<Record<SlabName, SlabInfo>>;
  readonly shrinkers: Shrinker[] = [];
  /** In the order of cache_chain. */
  readonly chain: readonly KmemCache[];
  private readonly byName: Map<string, KmemCache> = new Map();
  /** What common code holds, by cache. */
  private readonly live: Map<string, LiveObjects> = new Map();
  /** Descriptors of slabs that keep theirs elsewhere: by cache and slab. */
  private readonly descriptors: Map<SlabDesc, { cache: KmemCache; object: SlabObject }> = new Map();
  readonly unusedBuffers: UnusedBufferHeads = new UnusedBufferHeads();
  private clockSearchp = 1;
  /** What the last reap looked at and chose; for those who watch. */
  readonly lastReap: { scores: [string, number][]; chosen: string | null; slabs: number } = {
    scores: [],
    chosen: null,
    slabs: 0,
  };

  constructor(machine: Machine) {
    const breakOrder = machine.frames.frames > BREAK_ORDER_PAGES ? 2 : 1;
    const made: KmemCache[] = [];
    for (let size = SMALLEST; size <= LARGEST; size *= 2) {
      made.push(new KmemCache(`size-${size}`, size, breakOrder, {}));
      made.push(new KmemCache(`size-${size}(DMA)`, size, breakOrder, { dma: true }));
    }
    for (const [name, bytes, options] of CACHES) made.push(new KmemCache(name, bytes, breakOrder, options));
    this.chain = [new KmemCache('kmem_cache', 112, breakOrder, { noReap: true }), ...made.reverse()];
    for (const cache of this.chain) this.byName.set(cache.name, cache);
    const entries = Object.entries(CACHE_OF) as [SlabName, string | null][];
    this.caches = Object.fromEntries(
      entries.map(([name, cache]) => [name, cache === null ? new NoCache(name) : this.byName.get(cache)!]),
    ) as unknown as Record<SlabName, SlabInfo>;
  }

  cache(name: string): KmemCache {
    return this.byName.get(name)!;
  }

  // common code

  alloc(machine: Machine, name: SlabName, _memcg: MemCgroup, gfp: Gfp): number {
    const cacheName = CACHE_OF[name];
    if (cacheName === null) {
      this.caches[name].active += 1;
      this.caches[name].room += 1;
      return 0;
    }
    const cache = this.cache(cacheName);
    const isBuffer = name === 'buffer_head';
    const object =
      (isBuffer ? this.unusedBuffers.take() : null) ??
      this.kmemCacheAlloc(machine, cache, gfp) ??
      (isBuffer ? this.unusedBuffers.takeReserved() : null);
    if (object === null) return -ENOMEM;
    let live = this.live.get(cacheName);
    if (live === undefined) {
      live = new LiveObjects();
      this.live.set(cacheName, live);
    }
    live.push(object);
    return 0;
  }

  free(machine: Machine, name: SlabName, _memcg: MemCgroup): void {
    const cacheName = CACHE_OF[name];
    if (cacheName === null) {
      this.caches[name].active -= 1;
      this.caches[name].room -= 1;
      return;
    }
    const object = this.live.get(cacheName)!.take(OLDEST_GO_FIRST.has(cacheName));
    if (name === 'buffer_head' && this.unusedBuffers.keep(object)) return;
    this.kmemCacheFree(machine, this.cache(cacheName), object);
  }

  isReclaimable(pfn: Pfn): boolean {
    return this.slabAt(pfn)?.cache.options.reclaimable === true;
  }

  /** 2.4 asks its shrinkers by name; those of common code are kept for who counts them. */
  registerShrinker(ops: ShrinkerOps): void {
    this.shrinkers.push(new Shrinker(ops));
  }

  // as in slab.c

  kmemCacheAlloc(machine: Machine, cache: KmemCache, gfp: Gfp): SlabObject | null {
    for (;;) {
      const object = cache.allocOne();
      if (object !== null) return object;
      if (!this.growCache(machine, cache, gfp)) return null;
    }
  }

  kmemCacheFree(_machine: Machine, cache: KmemCache, object: SlabObject): void {
    cache.freeOne(object);
  }

  /** The general cache for so many bytes. null: too many. */
  kmalloc(machine: Machine, bytes: number, gfp: Gfp): { cache: KmemCache; object: SlabObject } | null {
    const cache = this.generalCache(bytes, (gfp & __GFP_DMA) !== 0);
    const object = cache === null ? null : this.kmemCacheAlloc(machine, cache, gfp);
    return cache === null || object === null ? null : { cache, object };
  }

  kfree(machine: Machine, from: { cache: KmemCache; object: SlabObject }): void {
    this.kmemCacheFree(machine, from.cache, from.object);
  }

  generalCache(bytes: number, dma: boolean): KmemCache | null {
    for (let size = SMALLEST; size <= LARGEST; size *= 2)
      if (bytes <= size) return this.cache(dma ? `size-${size}(DMA)` : `size-${size}`);
    return null;
  }

  private growCache(machine: Machine, cache: KmemCache, gfp: Gfp): boolean {
    const keeper = cache.offSlabBytes > 0 ? this.kmalloc(machine, cache.offSlabBytes, gfp & ~__GFP_DMA) : null;
    if (cache.offSlabBytes > 0 && keeper === null) return false;
    if (!cache.grow(machine, gfp)) {
      if (keeper !== null) this.kfree(machine, keeper);
      return false;
    }
    if (keeper !== null) this.descriptors.set(cache.slabsFree.last!, keeper);
    return true;
  }

  private destroyFreeSlab(machine: Machine, cache: KmemCache): void {
    const slab = cache.slabsFree.last!;
    const keeper = this.descriptors.get(slab);
    cache.destroyFree(machine);
    if (keeper === undefined) return;
    this.descriptors.delete(slab);
    this.kfree(machine, keeper);
  }

  /** Gives back every free slab; pages freed. */
  kmemCacheShrink(machine: Machine, cache: KmemCache): number {
    let slabs = 0;
    for (; cache.slabsFree.count > 0; slabs++) this.destroyFreeSlab(machine, cache);
    return slabs << cache.order;
  }

  /** Pages freed. See above. */
  kmemCacheReap(machine: Machine): number {
    const { chain, lastReap } = this;
    let best: KmemCache | null = null;
    let bestPages = 0;
    let at = this.clockSearchp;
    lastReap.scores = [];
    lastReap.chosen = null;
    lastReap.slabs = 0;
    for (let left = REAP_SCANLEN; left > 0; left--) {
      const cache = chain[at]!;
      at = (at + 1) % chain.length;
      if (cache.options.noReap !== true && !cache.growing) {
        if (cache.grown) {
          cache.grown = false;
        } else {
          const pages = reapScore(cache);
          lastReap.scores.push([cache.name, pages]);
          if (pages > bestPages) {
            best = cache;
            bestPages = pages;
            if (pages >= REAP_PERFECT) break;
          }
        }
      }
      if (at === this.clockSearchp) break;
    }
    this.clockSearchp = at;
    if (best === null) return 0;
    const slabs = (best.slabsFree.count + 1) >> 1;
    for (let i = 0; i < slabs; i++) this.destroyFreeSlab(machine, best);
    lastReap.chosen = best.name;
    lastReap.slabs = slabs;
    return slabs << best.order;
  }

  /** page->list of a page of a slab: next is the cache, prev the slab. */
  slabAt(pfn: Pfn): { cache: KmemCache; slab: SlabDesc } | null {
    for (const cache of this.chain) {
      for (const slab of cache.all())
        if (pfn >= slab.pfn && pfn < slab.pfn + (1 << cache.order)) return { cache, slab };
    }
    return null;
  }

  verify(machine: Machine): string[] {
    const wrong: string[] = [];
    const pages = new Map<number, number>([
      [NR_SLAB_RECLAIMABLE, 0],
      [NR_SLAB_UNRECLAIMABLE, 0],
    ]);
    for (const cache of this.chain) {
      wrong.push(...cache.verify(machine));
      pages.set(cache.statItem, pages.get(cache.statItem)! + (cache.all().length << cache.order));
      let held = this.live.get(cache.name)?.count ?? 0;
      if (cache.name === 'buffer_head') held += this.unusedBuffers.count;
      for (const keeper of this.descriptors.values()) if (keeper.cache === cache) held += 1;
      if (held > cache.active) wrong.push(`${cache.name}: ${cache.active} objects in use, ${held} are held`);
    }
    for (const [item, want] of pages) {
      const counted = machine.nodes.reduce((sum, pgdat) => sum + pgdat.stat[item]!, 0);
      if (counted !== want) wrong.push(`nr_slab counter ${item} is ${counted}, the caches have ${want} pages`);
    }
    return wrong;
  }
}

/** Pages that the free slabs of a cache are worth. */
export function reapScore(cache: KmemCache): number {
  let pages = cache.slabsFree.count << cache.order;
  if (cache.options.ctor === true) pages = Math.floor((pages * 4 + 1) / 5);
  if (cache.order > 0) pages = Math.floor((pages * 4 + 1) / 5);
  return pages;
}

/** Of a machine of 2.4. */
export function slab_2_4(machine: Machine): Slab_2_4 {
  return machine.slab as Slab_2_4;
}

/** kmem_cache_reap, as reclaim calls it: pages freed. */
export function kmemCacheReap(machine: Machine, _gfp: Gfp): number {
  return slab_2_4(machine).kmemCacheReap(machine);
}
