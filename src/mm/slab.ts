/**
 * Kernel objects: how many there are of each kind, the frames behind them, who is charged, and the shrinkers that drop unused ones.
 *
 * Owns      SlabCaches; PG_slab frames; nr_slab_reclaimable and nr_slab_unreclaimable; the list of shrinkers.
 * Promises  1. A cache has room for all its objects: active <= slabs * objects per slab (fewer in slabs of a smaller order).
 *           2. An object of an accounted cache is charged by the byte, with 8 bytes for the pointer to its cgroup.
 *           3. A node's nr_slab_ counters are the pages of the slabs; a cgroup's are bytes of objects, its children's included.
 * Linux     6.18 mm/slub.c: allocate_slab new_slab __slab_free free_slab; mm/memcontrol.c: __memcg_slab_post_alloc_hook
 *           obj_full_size; mm/shrinker.c: shrink_slab do_shrink_slab
 *
 * DIFFERS: an object has no address. Objects of a cache fill its slabs without gaps, so a cache gives pages back sooner than
 *          SLUB, whose slabs stay while one object lives; a user sees lower nr_slab_ values after many objects were freed.
 */
import { bugOn } from './bug.ts';
import { ENOMEM } from './errno.ts';
import {
  __GFP_COMP,
  __GFP_HIGHMEM,
  __GFP_MOVABLE,
  __GFP_NOFAIL,
  __GFP_NOMEMALLOC,
  __GFP_NORETRY,
  __GFP_RECLAIM,
  __GFP_RECLAIMABLE,
  type Gfp,
} from './gfp.ts';
import type { Lruvec } from './lruvec.ts';
import type { Machine } from './machine.ts';
import { type MemCgroup, objCgroupCharge, objCgroupUncharge } from './memcg.ts';
import type { MemMap } from './memmap.ts';
import { allocPages, compoundOrder, freePages } from './page_alloc.ts';
import { PG_slab } from './page_flags.ts';
import type { Slab } from './parts.ts';
import { isAccounted, isReclaimable, orderOf, type SlabName, type SlabSizes, slabOrder } from './slab_sizes.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { NR_SLAB_RECLAIMABLE, NR_SLAB_UNRECLAIMABLE, SLABS_SCANNED } from './vmstat.ts';

export type { SlabName } from './slab_sizes.ts';

/** struct obj_cgroup *, beside each object that is charged. */
const OBJ_CGROUP_BYTES = 8;
/** In `private` of a slab's first frame. */
const SLAB_RECLAIMABLE = 1;
/** Objects that a shrinker looks at before it lets others run (SHRINK_BATCH). */
export const SHRINK_BATCH = 128;
export const DEFAULT_SEEKS = 2;
/** An answer of scan: not now. */
export const SHRINK_STOP = -1;

/** Who can drop objects that nobody uses (struct shrinker). A class instance, never a closure: snapshots copy it. */
export interface ShrinkerOps {
  /** Cost to make one object anew, in seeks of a disk; 0: free half of them each time. */
  readonly seeks: number;
  /** Objects per call; 0: SHRINK_BATCH. */
  readonly batch: number;
  /** The kernel's name of `scan`. On the prototype, for it is no state. */
  readonly scanName?: string;
  /** Has objects of each cgroup apart; if not, only the root is asked. */
  readonly memcgAware: boolean;
  /** How many objects could be dropped. */
  count(machine: Machine, nid: number, memcg: MemCgroup): number;
  /** Looks at `toScan` objects; how many it dropped, or SHRINK_STOP. */
  scan(machine: Machine, nid: number, memcg: MemCgroup, toScan: number, gfp: Gfp): number;
}

export class Shrinker {
  readonly ops: ShrinkerOps;
  /** Work that was due and not done, by cgroup and node. */
  readonly deferred: Map<number, number> = new Map();
  constructor(ops: ShrinkerOps) {
    this.ops = ops;
  }
}

/** One kmem_cache. */
export class SlabCache {
  readonly name: SlabName;
  /** Bytes of an object in its slab. */
  readonly size: number;
  readonly order: number;
  readonly objectsPerSlab: number;
  readonly reclaimable: boolean;
  readonly accounted: boolean;
  /** Empty slabs that are kept (min_partial). */
  readonly minPartial: number;
  /** Objects in use, and those for which there is room. */
  active = 0;
  room = 0;
  /** First frames of its slabs, the youngest last. */
  readonly slabs: Pfn[] = [];

  constructor(name: SlabName, size: number, cpus: number, charged: boolean) {
    this.name = name;
    this.size = size;
    this.order = slabOrder(size, cpus);
    this.objectsPerSlab = Math.floor((4096 << this.order) / size);
    this.reclaimable = isReclaimable(name);
    this.accounted = charged && isAccounted(name);
    this.minPartial = Math.min(10, Math.max(5, (31 - Math.clz32(size)) >> 1));
  }

  get statItem(): number {
    return this.reclaimable ? NR_SLAB_RECLAIMABLE : NR_SLAB_UNRECLAIMABLE;
  }
}

export class SlabCaches implements Slab {
  readonly caches: Readonly<Record<SlabName, SlabCache>>;
  readonly shrinkers: Shrinker[] = [];
  private readonly frames: MemMap;

  constructor(machine: Machine) {
    this.frames = machine.frames;
    const { slabSizes, switches } = machine.generation;
    this.caches = newCaches(slabSizes, machine.config.cpus ?? 1, switches.chargesKernelMemory);
  }

  /** Does the slab that begins at this frame hold objects that a shrinker may drop? */
  isReclaimable(pfn: Pfn): boolean {
    bugOn(!this.frames.has(pfn, PG_slab), 'only a slab has a cache', pfn);
    return (this.frames.private_(pfn) & SLAB_RECLAIMABLE) !== 0;
  }

  /** One more object for `memcg`; 0 or -ENOMEM. */
  alloc(machine: Machine, name: SlabName, memcg: MemCgroup, gfp: Gfp): number {
    const cache = this.caches[name];
    const bytes = cache.size + OBJ_CGROUP_BYTES;
    if (cache.accounted && objCgroupCharge(machine, memcg, gfp, bytes) < 0) return -ENOMEM;
    if (cache.active === cache.room && !addSlab(machine, cache, gfp)) {
      if (cache.accounted) objCgroupUncharge(machine, memcg, bytes);
      return -ENOMEM;
    }
    cache.active += 1;
    if (cache.accounted) modMemcgSlab(memcg, cache, bytes);
    return 0;
  }

  /** One object less; `memcg` as it was allocated. */
  free(machine: Machine, name: SlabName, memcg: MemCgroup): void {
    const cache = this.caches[name];
    bugOn(cache.active === 0, 'an object is freed once', cache.size);
    cache.active -= 1;
    if (cache.accounted) {
      modMemcgSlab(memcg, cache, -(cache.size + OBJ_CGROUP_BYTES));
      objCgroupUncharge(machine, memcg, cache.size + OBJ_CGROUP_BYTES);
    }
    // The youngest slab goes when as many as are kept would still be empty.
    while (cache.room - cache.active > (cache.minPartial + 1) * cache.objectsPerSlab) dropSlab(machine, cache);
  }

  registerShrinker(ops: ShrinkerOps): void {
    this.shrinkers.push(new Shrinker(ops));
  }

  verify(machine: Machine): string[] {
    const broken: string[] = [];
    checkSlab(machine, this.caches, broken);
    return broken;
  }
}

export function newSlabCaches(machine: Machine): Slab {
  return new SlabCaches(machine);
}

function newCaches(sizes: SlabSizes, cpus: number, charged: boolean): Record<SlabName, SlabCache> {
  const names = Object.keys(sizes) as SlabName[];
  return Object.fromEntries(names.map((name) => [name, new SlabCache(name, sizes[name], cpus, charged)])) as Record<
    SlabName,
    SlabCache
  >;
}

function modMemcgSlab(memcg: MemCgroup, cache: SlabCache, bytes: number): void {
  if (memcg.parent === null) return;
  for (let up: Lruvec | null = memcg.lruvecs[0]!; up !== null; up = up.parent) up.stat[cache.statItem]! += bytes;
}

// slabs

/** A slab of the usual order if there is one to be had without waiting, else of the smallest that holds an object. */
function addSlab(machine: Machine, cache: SlabCache, gfp: Gfp): boolean {
  const least = orderOf(cache.size);
  const base = (gfp & ~(__GFP_HIGHMEM | __GFP_MOVABLE)) | __GFP_COMP | (cache.reclaimable ? __GFP_RECLAIMABLE : 0);
  const eager = (base | __GFP_NORETRY | __GFP_NOMEMALLOC) & ~(__GFP_RECLAIM | __GFP_NOFAIL);
  let order = cache.order;
  let pfn = allocPages(machine, order > least ? eager : base, order);
  if (pfn === NO_PFN && order > least) {
    order = least;
    pfn = allocPages(machine, base, order);
  }
  if (pfn === NO_PFN) return false;
  machine.frames.set(pfn, PG_slab);
  machine.frames.setPrivate(pfn, cache.reclaimable ? SLAB_RECLAIMABLE : 0);
  nodeStat(machine, pfn)[cache.statItem]! += 1 << order;
  cache.slabs.push(pfn);
  cache.room += objectsIn(cache, order);
  return true;
}

function dropSlab(machine: Machine, cache: SlabCache): void {
  const pfn = cache.slabs.pop()!;
  const order = compoundOrder(machine, pfn);
  cache.room -= objectsIn(cache, order);
  nodeStat(machine, pfn)[cache.statItem]! -= 1 << order;
  machine.frames.clear(pfn, PG_slab);
  machine.frames.setRefcount(pfn, 0);
  freePages(machine, pfn, order);
}

export function objectsIn(cache: SlabCache, order: number): number {
  return order === cache.order ? cache.objectsPerSlab : Math.floor((4096 << order) / cache.size);
}

function nodeStat(machine: Machine, pfn: Pfn): Float64Array {
  return machine.zones[machine.frames.zoneIndex(pfn)]!.pgdat.stat;
}

// shrinking

/** Every shrinker drops its share of what `memcg` has on that node; how many objects in all. */
export function shrinkSlab(machine: Machine, gfp: Gfp, nid: number, memcg: MemCgroup, priority: number): number {
  const { shrinkers } = machine.slab;
  let freed = 0;
  for (let i = 0; i < shrinkers.length; i++) {
    const shrinker = shrinkers[i]!;
    if (memcg.parent !== null && !shrinker.ops.memcgAware) continue;
    freed += doShrinkSlab(machine, shrinker, gfp, nid, memcg, priority);
  }
  return freed;
}

/** The share grows as priority falls to 0; what is less than a batch is left for the next time. */
function doShrinkSlab(
  machine: Machine,
  shrinker: Shrinker,
  gfp: Gfp,
  nid: number,
  memcg: MemCgroup,
  priority: number,
): number {
  const { ops, deferred } = shrinker;
  const freeable = ops.count(machine, nid, memcg);
  if (freeable <= 0) return 0;
  const key = memcg.id * machine.nodes.length + nid;
  const before = deferred.get(key) ?? 0;
  const share =
    ops.seeks > 0 ? Math.floor((Math.floor(freeable / 2 ** priority) * 4) / ops.seeks) : Math.floor(freeable / 2);
  const batch = ops.batch || SHRINK_BATCH;
  let total = Math.min(Math.floor(before / 2 ** priority) + share, 2 * freeable);
  const { trace, clock } = machine;
  const number = trace.on ? machine.slab.shrinkers.indexOf(shrinker) : -1;
  if (trace.on)
    trace.emit(clock.now, 'mm_shrink_slab_start', number, nid, before, gfp, freeable, share, total, priority);
  let scanned = 0;
  let freed = 0;
  while (total >= batch || total >= freeable) {
    const count = Math.min(batch, total);
    const dropped = ops.scan(machine, nid, memcg, count, gfp);
    if (dropped === SHRINK_STOP) break;
    freed += dropped;
    machine.events[SLABS_SCANNED]! += count;
    total -= count;
    scanned += count;
  }
  const after = Math.min(Math.max(before + share - scanned, 0), 2 * freeable);
  deferred.set(key, after);
  if (trace.on) trace.emit(clock.now, 'mm_shrink_slab_end', number, nid, before, after, freed, total);
  return freed;
}

// checking

function checkSlab(m: Machine, caches: Readonly<Record<SlabName, SlabCache>>, broken: string[]): void {
  const pages = new Map<number, number>();
  for (const cache of Object.values(caches)) {
    const held = checkCache(m, cache, broken);
    pages.set(cache.statItem, (pages.get(cache.statItem) ?? 0) + held);
  }
  for (const item of [NR_SLAB_RECLAIMABLE, NR_SLAB_UNRECLAIMABLE]) {
    const counted = m.nodes.reduce((sum, pgdat) => sum + pgdat.stat[item]!, 0);
    if (counted !== pages.get(item)) {
      broken.push(`nr_slab counter ${item} is ${counted}, the caches have ${pages.get(item)} pages`);
    }
  }
}

function checkCache(m: Machine, cache: SlabCache, broken: string[]): number {
  let pages = 0;
  let room = 0;
  for (const pfn of cache.slabs) {
    if (!m.frames.has(pfn, PG_slab)) broken.push(`frame ${pfn}: a slab of ${cache.name} carries PG_slab`);
    const order = compoundOrder(m, pfn);
    pages += 1 << order;
    room += objectsIn(cache, order);
  }
  if (room !== cache.room) broken.push(`${cache.name}: room is ${cache.room}, its slabs have ${room}`);
  if (cache.active < 0 || cache.active > room)
    broken.push(`${cache.name}: ${cache.active} objects in room for ${room}`);
  return pages;
}
