/**
 * One cache of the slab allocator of 2.4: slabs that are full, partly used and free, and the free objects of each as a chain.
 *
 *   slabs_full     [ 42 of 42 ] [ 42 of 42 ]          an object comes from the first partial slab, else from a free one,
 *   slabs_partial  [ 17 of 42 ] ──► free 3 → 9 → END  else from a new one
 *   slabs_free     [  0 of 42 ]                       a free slab stays until kmem_cache_reap or kmem_cache_shrink
 *
 * Owns      KmemCache and its slabs, PG_slab of their pages; page->list of those (next: the cache, prev: the slab).
 * Promises  1. A slab stands on the list that its number of used objects says.
 *           2. The chain from `free` meets each free object once, and no other.
 * Linux     2.4.19 mm/slab.c: kmem_cache_create kmem_cache_estimate kmem_cache_grow kmem_cache_alloc_one kmem_cache_free_one
 *           kmem_slab_destroy __kmem_cache_shrink
 *
 * DIFFERS: one CPU, so no cpucache arrays; objects have a number and no address, and so no colour.
 */
import { bugOn } from './bug.ts';
import { __GFP_DMA, __GFP_HIGHMEM, __GFP_MOVABLE, __GFP_RECLAIMABLE, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { allocPages, freePages } from './page_alloc.ts';
import { PG_slab } from './page_flags.ts';
import type { SlabInfo } from './parts.ts';
import { NO_PFN, type Pfn } from './units.ts';
import { NR_SLAB_RECLAIMABLE, NR_SLAB_UNRECLAIMABLE } from './vmstat.ts';

const L1_CACHE_BYTES = 32;
const SLAB_T_BYTES = 24;
const BUFCTL_BYTES = 4;
const MAX_GFP_ORDER = 5;
const PAGE_BYTES = 4096;
const BUFCTL_END = -1;

export interface CacheOptions {
  readonly ctor?: boolean;
  readonly noReap?: boolean;
  readonly dma?: boolean;
  /** Its objects can be dropped by a shrinker. */
  readonly reclaimable?: boolean;
}

/** slab_t, and its place on a list of its cache. */
export class SlabDesc {
  readonly id: number;
  readonly pfn: Pfn;
  inuse = 0;
  /** First free object, and for each free object the next. */
  free = 0;
  readonly bufctl: Int16Array;
  next: SlabDesc | null = null;
  prev: SlabDesc | null = null;
  list: SlabList | null = null;

  constructor(id: number, pfn: Pfn, objects: number) {
    this.id = id;
    this.pfn = pfn;
    this.bufctl = new Int16Array(objects);
    for (let i = 0; i < objects; i++) this.bufctl[i] = i + 1 < objects ? i + 1 : BUFCTL_END;
  }
}

export class SlabList {
  first: SlabDesc | null = null;
  last: SlabDesc | null = null;
  count = 0;

  add(slab: SlabDesc): void {
    slab.next = this.first;
    slab.prev = null;
    if (this.first === null) this.last = slab;
    else this.first.prev = slab;
    this.first = slab;
    slab.list = this;
    this.count += 1;
  }
  addTail(slab: SlabDesc): void {
    slab.prev = this.last;
    slab.next = null;
    if (this.last === null) this.first = slab;
    else this.last.next = slab;
    this.last = slab;
    slab.list = this;
    this.count += 1;
  }
  del(slab: SlabDesc): void {
    bugOn(slab.list !== this, 'a slab is taken from the list that it is on', slab.pfn);
    if (slab.prev === null) this.first = slab.next;
    else slab.prev.next = slab.next;
    if (slab.next === null) this.last = slab.prev;
    else slab.next.prev = slab.prev;
    slab.list = null;
    this.count -= 1;
  }
  *[Symbol.iterator](): Generator<SlabDesc> {
    for (let at = this.first; at !== null; at = at.next) yield at;
  }
}

/** An object: its slab's number, and which of the slab's it is. */
export interface SlabObject {
  readonly slab: number;
  readonly index: number;
}

export class KmemCache implements SlabInfo {
  readonly name: string;
  readonly size: number;
  readonly order: number;
  /** Objects in a slab. */
  readonly num: number;
  /** The slab's descriptor stands in another cache, not in the slab. Its size then. */
  readonly offSlabBytes: number;
  readonly options: CacheOptions;
  growing = false;
  /** DFLGS_GROWN: it has got a slab since reap looked at it. */
  grown = false;
  readonly slabsFull: SlabList = new SlabList();
  readonly slabsPartial: SlabList = new SlabList();
  readonly slabsFree: SlabList = new SlabList();
  /** By number. */
  private readonly table: (SlabDesc | null)[] = [];
  private readonly freeIds: number[] = [];
  active = 0;
  room = 0;

  constructor(name: string, bytes: number, breakOrder: number, options: CacheOptions) {
    const size = alignedSize(bytes);
    const offSlab = size >= PAGE_BYTES >> 3;
    const { order, num, left } = slabLayout(size, offSlab, breakOrder);
    const descriptor = l1Align(num * BUFCTL_BYTES + SLAB_T_BYTES);
    this.name = name;
    this.size = size;
    this.order = order;
    this.num = num;
    this.offSlabBytes = offSlab && left < descriptor ? descriptor : 0;
    this.options = options;
  }

  /** First frames of all slabs, for those who count. */
  get slabs(): Pfn[] {
    return this.all().map((slab) => slab.pfn);
  }

  all(): SlabDesc[] {
    return this.table.filter((slab) => slab !== null);
  }

  slabOf(id: number): SlabDesc {
    return this.table[id]!;
  }

  // objects

  /** An object from a slab that is there; null: the cache must grow. */
  allocOne(): SlabObject | null {
    let slab = this.slabsPartial.first;
    if (slab === null) {
      slab = this.slabsFree.first;
      if (slab === null) return null;
      this.slabsFree.del(slab);
      this.slabsPartial.add(slab);
    }
    const index = slab.free;
    slab.inuse += 1;
    slab.free = slab.bufctl[index]!;
    this.active += 1;
    if (slab.free === BUFCTL_END) {
      this.slabsPartial.del(slab);
      this.slabsFull.add(slab);
    }
    return { slab: slab.id, index };
  }

  freeOne(object: SlabObject): void {
    const slab = this.table[object.slab] ?? null;
    bugOn(slab === null || slab.inuse === 0, 'an object is freed into its slab, once', object.index);
    const wasFull = slab!.inuse === this.num;
    slab!.bufctl[object.index] = slab!.free;
    slab!.free = object.index;
    slab!.inuse -= 1;
    this.active -= 1;
    if (slab!.inuse === 0) {
      slab!.list!.del(slab!);
      this.slabsFree.add(slab!);
    } else if (wasFull) {
      this.slabsFull.del(slab!);
      this.slabsPartial.add(slab!);
    }
  }

  // slabs

  /** kmem_cache_grow: one slab more, at the end of slabs_free. False: no memory. */
  grow(machine: Machine, gfp: Gfp): boolean {
    const drop = __GFP_HIGHMEM | __GFP_MOVABLE | __GFP_RECLAIMABLE;
    this.grown = true;
    this.growing = true;
    const pfn = allocPages(machine, (gfp & ~drop) | (this.options.dma === true ? __GFP_DMA : 0), this.order);
    this.growing = false;
    if (pfn === NO_PFN) return false;
    for (let at = pfn; at < pfn + (1 << this.order); at = (at + 1) as Pfn) machine.frames.set(at, PG_slab);
    nodeStat(machine, pfn)[this.statItem]! += 1 << this.order;
    const id = this.freeIds.pop() ?? this.table.length;
    const slab = new SlabDesc(id, pfn, this.num);
    this.table[id] = slab;
    this.slabsFree.addTail(slab);
    this.room += this.num;
    return true;
  }

  /** Gives the last free slab back. */
  destroyFree(machine: Machine): void {
    const slab = this.slabsFree.last;
    bugOn(slab === null || slab.inuse !== 0, 'a slab is destroyed when none of its objects is used', this.size);
    this.slabsFree.del(slab!);
    this.table[slab!.id] = null;
    this.freeIds.push(slab!.id);
    this.room -= this.num;
    const { pfn } = slab!;
    for (let at = pfn; at < pfn + (1 << this.order); at = (at + 1) as Pfn) machine.frames.clear(at, PG_slab);
    nodeStat(machine, pfn)[this.statItem]! -= 1 << this.order;
    machine.frames.setRefcount(pfn, 0);
    freePages(machine, pfn, this.order);
  }

  get statItem(): number {
    return this.options.reclaimable === true ? NR_SLAB_RECLAIMABLE : NR_SLAB_UNRECLAIMABLE;
  }

  verify(machine: Machine): string[] {
    const wrong: string[] = [];
    let active = 0;
    let slabs = 0;
    for (const list of [this.slabsFull, this.slabsPartial, this.slabsFree]) {
      for (const slab of list) {
        const where = `${this.name}, slab at frame ${slab.pfn}`;
        slabs += 1;
        active += slab.inuse;
        const right = slab.inuse === 0 ? this.slabsFree : slab.inuse === this.num ? this.slabsFull : this.slabsPartial;
        if (right !== list) wrong.push(`${where}: ${slab.inuse} of ${this.num} in use, and on another list`);
        let free = 0;
        for (let at = slab.free; at !== BUFCTL_END && free <= this.num; at = slab.bufctl[at]!) free += 1;
        if (free !== this.num - slab.inuse)
          wrong.push(`${where}: ${free} free objects, ${slab.inuse} of ${this.num} in use`);
        for (let at = slab.pfn; at < slab.pfn + (1 << this.order); at = (at + 1) as Pfn) {
          if (!machine.frames.has(at, PG_slab))
            wrong.push(`frame ${at}: a page of a slab of ${this.name} carries PG_slab`);
        }
      }
    }
    if (active !== this.active) wrong.push(`${this.name}: active is ${this.active}, its slabs have ${active}`);
    if (slabs * this.num !== this.room)
      wrong.push(`${this.name}: room is ${this.room}, its slabs have ${slabs * this.num}`);
    if (slabs !== this.all().length) wrong.push(`${this.name}: ${this.all().length} slabs, ${slabs} on lists`);
    return wrong;
  }
}

function nodeStat(machine: Machine, pfn: Pfn): Float64Array {
  return machine.zones[machine.frames.zoneIndex(pfn)]!.pgdat.stat;
}

function l1Align(bytes: number): number {
  return Math.ceil(bytes / L1_CACHE_BYTES) * L1_CACHE_BYTES;
}

/** SLAB_HWCACHE_ALIGN: objects do not share lines of the CPU's cache without need; small ones share one. */
export function alignedSize(bytes: number): number {
  const words = Math.ceil(bytes / 4) * 4;
  let align = L1_CACHE_BYTES;
  while (words < align / 2) align /= 2;
  return Math.ceil(words / align) * align;
}

/** The smallest slab of which an eighth at most is left over; not larger than `breakOrder` if that holds an object. */
export function slabLayout(
  size: number,
  offSlab: boolean,
  breakOrder: number,
): { order: number; num: number; left: number } {
  for (let order = 0; ; order++) {
    const { num, left } = estimate(size, offSlab, order);
    if (order >= MAX_GFP_ORDER) return { order, num, left };
    if (num === 0) continue;
    if (order >= breakOrder || left * 8 <= PAGE_BYTES << order) return { order, num, left };
  }
}

function estimate(size: number, offSlab: boolean, order: number): { num: number; left: number } {
  const total = PAGE_BYTES << order;
  const taken = (objects: number): number =>
    objects * size + (offSlab ? 0 : l1Align(SLAB_T_BYTES + objects * BUFCTL_BYTES));
  let num = Math.floor(total / size);
  while (num > 0 && taken(num) > total) num -= 1;
  return { num, left: total - taken(num) };
}
