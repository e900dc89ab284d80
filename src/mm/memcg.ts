/**
 * Memory cgroups: who is charged for which page, and what happens at the limit.
 *
 * Owns      page counters, the per-CPU stock of charges, kernel-memory bytes, events.
 * Promises  1. memory.usage of a cgroup = pages charged to it and its children + its stock.
 *           2. A charge over the limit reclaims first, is retried 16 times, and only then kills.
 * Linux     6.18 mm/memcontrol.c: try_charge_memcg __mem_cgroup_charge __mem_cgroup_uncharge refill_stock drain_stock
 *           __memcg_kmem_charge_page __memcg_kmem_uncharge_page obj_cgroup_charge obj_cgroup_uncharge refill_obj_stock
 *           drain_obj_stock reclaim_high mem_cgroup_calculate_protection effective_protection count_memcg_events;
 *           mm/page_counter.c: page_counter_try_charge page_counter_charge page_counter_uncharge
 */
import { ENOMEM } from './errno.ts';
import {
  __GFP_DIRECT_RECLAIM,
  __GFP_HIGH,
  __GFP_NOFAIL,
  __GFP_NORETRY,
  __GFP_RETRY_MAYFAIL,
  GFP_KERNEL,
  type Gfp,
} from './gfp.ts';
import { Lruvec, modLruvecState } from './lruvec.ts';
import type { Machine } from './machine.ts';
import { memCgroupOutOfMemory } from './oom.ts';
import { PAGE_SIZE, type Pfn } from './units.ts';
import { NR_VM_EVENTS } from './vmstat.ts';

/** Pages charged ahead and kept on the CPU (MEMCG_CHARGE_BATCH). */
export const MEMCG_CHARGE_BATCH = 64;
const MAX_RECLAIM_RETRIES = 16;
const COSTLY_PAGES = 8;
export const NO_LIMIT: number = Number.POSITIVE_INFINITY;

/** A hierarchical count of pages with a limit. */
export class PageCounter {
  usage = 0;
  max: number = NO_LIMIT;
  watermark = 0;
  failcnt = 0;
  readonly parent: PageCounter | null;
  constructor(parent: PageCounter | null) {
    this.parent = parent;
  }

  /** Charges this counter and all above; null if that fits, else the counter that is full (and nothing is charged). */
  tryCharge(pages: number): PageCounter | null {
    for (let c: PageCounter | null = this; c !== null; c = c.parent) {
      if (c.usage + pages > c.max) {
        c.failcnt += 1;
        return c;
      }
    }
    this.charge(pages);
    return null;
  }
  /** Whatever the limit says. */
  charge(pages: number): void {
    for (let c: PageCounter | null = this; c !== null; c = c.parent) {
      c.usage += pages;
      if (c.usage > c.watermark) c.watermark = c.usage;
    }
  }
  uncharge(pages: number): void {
    for (let c: PageCounter | null = this; c !== null; c = c.parent) c.usage -= pages;
  }
}

/** memory.events. */
export interface MemcgEvents {
  low: number;
  high: number;
  max: number;
  oom: number;
  oomKill: number;
  oomGroupKill: number;
}

/** memory.swap.events. */
export interface SwapEvents {
  high: number;
  max: number;
  fail: number;
}

export class MemCgroup {
  /** 1 is the root; stored with each page that is charged. */
  readonly id: number;
  readonly name: string;
  readonly parent: MemCgroup | null;
  readonly children: MemCgroup[] = [];
  online = true;
  /** cgroup v1 (limit, soft limit, memsw) or v2 (min, low, high, max). */
  readonly v1: boolean;
  readonly memory: PageCounter;
  /** v2: swap slots in use. v1: memory and swap together (memsw). */
  readonly swap: PageCounter;
  readonly memsw: PageCounter;
  readonly kmem: PageCounter;
  /** In pages. */
  min = 0;
  low = 0;
  high: number = NO_LIMIT;
  softLimit: number = NO_LIMIT;
  swapHigh: number = NO_LIMIT;
  /** Effective protection, computed on the way down from the reclaimed cgroup. */
  effectiveMin = 0;
  effectiveLow = 0;
  swappiness: number;
  oomGroup = false;
  readonly lruvecs: Lruvec[] = [];
  /** vm_event_item counters of this cgroup and all below it. */
  readonly events: Float64Array = new Float64Array(NR_VM_EVENTS);
  readonly memoryEvents: MemcgEvents = { low: 0, high: 0, max: 0, oom: 0, oomKill: 0, oomGroupKill: 0 };
  /** Written in swap/swap_cgroup.ts. */
  readonly swapEvents: SwapEvents = { high: 0, max: 0, fail: 0 };
  /** Kernel memory in bytes of objects that are charged by the byte (slab). */
  slabBytes = 0;

  constructor(id: number, name: string, parent: MemCgroup | null, v1: boolean, swappiness: number) {
    this.id = id;
    this.name = name;
    this.parent = parent;
    this.v1 = v1;
    this.swappiness = swappiness;
    this.memory = new PageCounter(parent?.memory ?? null);
    this.swap = new PageCounter(parent?.swap ?? null);
    this.memsw = new PageCounter(parent?.memsw ?? null);
    this.kmem = new PageCounter(parent?.kmem ?? null);
    parent?.children.push(this);
  }
}

/** The charges that this CPU holds ahead, and the bytes of a page that slab objects have not used up yet. */
export class MemcgStock {
  cached: MemCgroup | null = null;
  pages = 0;
  objCached: MemCgroup | null = null;
  objBytes = 0;
  /** Bytes that other cgroups left when the stock changed hands, by id (objcg->nr_charged_bytes). */
  readonly leftBytes: Map<number, number> = new Map();
}

export function newMemCgroup(machine: Machine, name: string, parent: MemCgroup): MemCgroup {
  const memcg = new MemCgroup(machine.memcgs.length, name, parent, parent.v1, parent.swappiness);
  machine.memcgs.push(memcg);
  addLruvecs(machine, memcg);
  return memcg;
}

/** Its LRU lists: one set for each node, or for each zone. */
export function addLruvecs(machine: Machine, memcg: MemCgroup): void {
  const above = (at: number): Lruvec | null => memcg.parent?.lruvecs[at] ?? null;
  if (machine.generation.lruvecs === 'zone') {
    for (const zone of machine.zones) {
      memcg.lruvecs[zone.index] = new Lruvec(machine.frames, memcg, zone.pgdat, zone, above(zone.index));
    }
  } else {
    for (const pgdat of machine.nodes) {
      const lruvec = new Lruvec(machine.frames, memcg, pgdat, null, above(pgdat.nid));
      memcg.lruvecs[pgdat.nid] = lruvec;
      machine.multiGen?.adopt(lruvec);
    }
  }
}

export function isDescendant(memcg: MemCgroup, root: MemCgroup): boolean {
  for (let c: MemCgroup | null = memcg; c !== null; c = c.parent) if (c === root) return true;
  return false;
}

/** Adds to an event counter of the cgroup and of all above it (count_memcg_events). */
export function countMemcgEvents(memcg: MemCgroup, event: number, n: number): void {
  for (let c: MemCgroup | null = memcg; c !== null; c = c.parent) c.events[event]! += n;
}

export function lruvecOf(machine: Machine, pfn: Pfn): Lruvec {
  const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
  return machine.memcgs[machine.frames.memcg(pfn) || 1]!.lruvecs[zone.lruvec]!;
}

/** Adds to a node_stat_item of the page's lruvec (lruvec_stat_mod_folio). */
export function modPageState(machine: Machine, pfn: Pfn, item: number, pages: number): void {
  modLruvecState(lruvecOf(machine, pfn), item, pages);
}

// charging

/** 0, or -ENOMEM: nothing could be reclaimed and nobody killed. */
export function tryCharge(machine: Machine, memcg: MemCgroup, gfp: Gfp, pages: number): number {
  if (memcg.parent === null) return 0;
  return machine.generation.tryCharge(machine, memcg, gfp, pages);
}

export function tryCharge_6(machine: Machine, memcg: MemCgroup, gfp: Gfp, pages: number): number {
  const stock = machine.memcgStock;
  const task = machine.current;
  let batch = Math.max(MEMCG_CHARGE_BATCH, pages);
  let retries = MAX_RECLAIM_RETRIES;
  let drained = false;
  let maySwap = true;
  for (;;) {
    if (pages <= MEMCG_CHARGE_BATCH && stock.cached === memcg && stock.pages >= pages) {
      stock.pages -= pages;
      return 0;
    }
    let full: PageCounter | null = null;
    let overMemsw = false;
    if (memcg.v1) {
      full = memcg.memsw.tryCharge(batch);
      overMemsw = full !== null;
    }
    if (full === null) {
      full = memcg.memory.tryCharge(batch);
      if (full === null) {
        if (batch > pages) refillStock(machine, memcg, batch - pages);
        reclaimHigh(machine, memcg, gfp);
        return 0;
      }
      if (memcg.v1) memcg.memsw.uncharge(batch);
    }
    if (overMemsw) maySwap = false;
    const over = memcgOfCounter(memcg, full, overMemsw);
    if (batch > pages) {
      batch = pages;
      continue;
    }
    if (task.memalloc) return forceCharge(memcg, over, pages);
    if ((gfp & __GFP_DIRECT_RECLAIM) === 0) return refuseOrForce(memcg, over, gfp, pages);
    memcgEvent(over, 'max');
    const reclaimed = machine.reclaim.tryToFreeMemCgroupPages(over, pages, gfp, maySwap);
    if (margin(over) >= pages) continue;
    if (!drained) {
      drainStock(machine);
      drained = true;
      continue;
    }
    if ((gfp & __GFP_NORETRY) !== 0) return refuseOrForce(memcg, over, gfp, pages);
    if (reclaimed > 0 && pages <= COSTLY_PAGES) continue;
    if (retries-- > 0) continue;
    if ((gfp & __GFP_RETRY_MAYFAIL) !== 0) return refuseOrForce(memcg, over, gfp, pages);
    if (task.killed) return forceCharge(memcg, over, pages);
    // Nobody dies for a huge page.
    if (pages > COSTLY_PAGES) return refuseOrForce(memcg, over, gfp, pages);
    memcgEvent(over, 'oom');
    if (!memCgroupOutOfMemory(machine, over, pages)) return refuseOrForce(memcg, over, gfp, pages);
    if (task.killed) return forceCharge(memcg, over, pages);
    retries = MAX_RECLAIM_RETRIES;
  }
}

/** Charges a page, or so many that are one folio, that will belong to `memcg` (mem_cgroup_charge). 0 or -ENOMEM. */
export function memCgroupCharge(machine: Machine, pfn: Pfn, memcg: MemCgroup, gfp: Gfp, pages = 1): number {
  const refused = tryCharge(machine, memcg, gfp, pages);
  if (refused < 0) return refused;
  for (let i = 0; i < pages; i++) machine.frames.setMemcg((pfn + i) as Pfn, memcg.id);
  return 0;
}

/** The page is free again, or the pages that were one folio. */
export function memCgroupUncharge(machine: Machine, pfn: Pfn, pages = 1): void {
  const id = machine.frames.memcg(pfn);
  if (id === 0) return;
  for (let i = 0; i < pages; i++) machine.frames.setMemcg((pfn + i) as Pfn, 0);
  unchargePages(machine.memcgs[id]!, pages);
}

export function unchargePages(memcg: MemCgroup, pages: number): void {
  if (memcg.parent === null) return;
  memcg.memory.uncharge(pages);
  if (memcg.v1) memcg.memsw.uncharge(pages);
}

/** Charges frames that the kernel takes for itself (page tables, stacks): memory and kmem. */
export function chargeKernelPage(machine: Machine, pfn: Pfn, memcg: MemCgroup, gfp: Gfp): number {
  if (!machine.generation.switches.chargesKernelMemory) return 0;
  const refused = memCgroupCharge(machine, pfn, memcg, gfp);
  if (refused === 0 && memcg.parent !== null) memcg.kmem.charge(1);
  return refused;
}

/** Kernel pages go back to the stock first, so that the next one is cheap (obj_cgroup_uncharge_pages). */
export function unchargeKernelPage(machine: Machine, pfn: Pfn): void {
  if (!machine.generation.switches.chargesKernelMemory) return;
  const memcg = machine.memcgs[machine.frames.memcg(pfn)]!;
  machine.frames.setMemcg(pfn, 0);
  if (memcg.parent === null) return;
  memcg.kmem.uncharge(1);
  refillStock(machine, memcg, 1);
}

/** Charges an object of a slab cache by the byte. 0 or -ENOMEM. */
export function objCgroupCharge(machine: Machine, memcg: MemCgroup, gfp: Gfp, bytes: number): number {
  if (memcg.parent === null) return 0;
  const stock = machine.memcgStock;
  if (stock.objCached === memcg && stock.objBytes >= bytes) {
    stock.objBytes -= bytes;
    memcg.slabBytes += bytes;
    return 0;
  }
  const pages = Math.ceil(bytes / PAGE_SIZE);
  const refused = tryCharge(machine, memcg, gfp, pages);
  if (refused < 0) return refused;
  memcg.kmem.charge(pages);
  memcg.slabBytes += bytes;
  if (bytes % PAGE_SIZE !== 0) refillObjStock(machine, memcg, PAGE_SIZE - (bytes % PAGE_SIZE), false);
  return 0;
}

export function objCgroupUncharge(machine: Machine, memcg: MemCgroup, bytes: number): void {
  if (memcg.parent === null) return;
  memcg.slabBytes -= bytes;
  refillObjStock(machine, memcg, bytes, true);
}

function refillObjStock(machine: Machine, memcg: MemCgroup, bytes: number, mayUncharge: boolean): void {
  const stock = machine.memcgStock;
  let uncharge = mayUncharge;
  if (stock.objCached !== memcg) {
    drainObjStock(machine);
    stock.objCached = memcg;
    stock.objBytes = stock.leftBytes.get(memcg.id) ?? 0;
    stock.leftBytes.delete(memcg.id);
    uncharge = true;
  }
  stock.objBytes += bytes;
  if (uncharge && stock.objBytes > PAGE_SIZE) {
    const pages = Math.floor(stock.objBytes / PAGE_SIZE);
    stock.objBytes %= PAGE_SIZE;
    memcg.kmem.uncharge(pages);
    refillStock(machine, memcg, pages);
  }
}

/** Whole pages of the bytes held go back at once; the rest waits for its cgroup to come again. */
function drainObjStock(machine: Machine): void {
  const stock = machine.memcgStock;
  const old = stock.objCached;
  if (old === null) return;
  const pages = Math.floor(stock.objBytes / PAGE_SIZE);
  if (pages > 0) {
    old.kmem.uncharge(pages);
    unchargePages(old, pages);
  }
  const rest = stock.objBytes % PAGE_SIZE;
  if (rest > 0) stock.leftBytes.set(old.id, (stock.leftBytes.get(old.id) ?? 0) + rest);
  stock.objBytes = 0;
  stock.objCached = null;
}

export function refillStock(machine: Machine, memcg: MemCgroup, pages: number): void {
  const stock = machine.memcgStock;
  if (stock.cached !== memcg) {
    returnStock(stock);
    stock.cached = memcg;
  }
  stock.pages += pages;
  if (stock.pages > MEMCG_CHARGE_BATCH) returnStock(stock);
}

/** Gives back everything that is charged ahead (drain_all_stock). */
export function drainStock(machine: Machine): void {
  drainObjStock(machine);
  returnStock(machine.memcgStock);
}

function returnStock(stock: MemcgStock): void {
  if (stock.cached !== null && stock.pages > 0) unchargePages(stock.cached, stock.pages);
  stock.pages = 0;
  stock.cached = null;
}

export function margin(memcg: MemCgroup): number {
  let left = Math.max(0, memcg.memory.max - memcg.memory.usage);
  if (memcg.v1) left = Math.min(left, Math.max(0, memcg.memsw.max - memcg.memsw.usage));
  return left;
}

function refuseOrForce(memcg: MemCgroup, over: MemCgroup, gfp: Gfp, pages: number): number {
  if ((gfp & (__GFP_NOFAIL | __GFP_HIGH)) === 0) return -ENOMEM;
  return forceCharge(memcg, over, pages);
}

function forceCharge(memcg: MemCgroup, over: MemCgroup, pages: number): number {
  memcgEvent(over, 'max');
  memcg.memory.charge(pages);
  if (memcg.v1) memcg.memsw.charge(pages);
  return 0;
}

export function memcgOfCounter(memcg: MemCgroup, counter: PageCounter, memsw: boolean): MemCgroup {
  let c = memcg;
  while ((memsw ? c.memsw : c.memory) !== counter && c.parent !== null) c = c.parent;
  return c;
}

/** An event of the cgroup counts for all above it. */
export function memcgEvent(memcg: MemCgroup, event: keyof MemcgEvents): void {
  for (let c: MemCgroup | null = memcg; c !== null; c = c.parent) c.memoryEvents[event] += 1;
}

/**
 * Above memory.high the kernel reclaims when the task returns to user space, and makes it sleep if that was not enough.
 * DIFFERS: reclaim happens at the charge, and the sleep is not modelled; a user sees less elapsed time, no other count.
 */
function reclaimHigh(machine: Machine, memcg: MemCgroup, gfp: Gfp): void {
  if ((gfp & __GFP_DIRECT_RECLAIM) === 0 || machine.current.memalloc) return;
  for (let c: MemCgroup | null = memcg; c !== null; c = c.parent) {
    if (c.memory.usage <= c.high) continue;
    memcgEvent(c, 'high');
    machine.reclaim.tryToFreeMemCgroupPages(c, MEMCG_CHARGE_BATCH, GFP_KERNEL, true);
  }
}

// protection

/** Effective min and low of `memcg` when `root` is reclaimed (mem_cgroup_calculate_protection, recursive protection on). */
export function calculateProtection(root: MemCgroup, memcg: MemCgroup): void {
  if (memcg === root) {
    memcg.effectiveMin = 0;
    memcg.effectiveLow = 0;
    return;
  }
  const parent = memcg.parent;
  if (parent === null) return;
  if (parent === root) {
    memcg.effectiveMin = memcg.min;
    memcg.effectiveLow = memcg.low;
    return;
  }
  const usage = memcg.memory.usage;
  const minOfSiblings = parent.children.reduce((sum, c) => sum + Math.min(c.memory.usage, c.min), 0);
  const lowOfSiblings = parent.children.reduce((sum, c) => sum + Math.min(c.memory.usage, c.low), 0);
  memcg.effectiveMin = effectiveProtection(usage, parent.memory.usage, memcg.min, parent.effectiveMin, minOfSiblings);
  memcg.effectiveLow = effectiveProtection(usage, parent.memory.usage, memcg.low, parent.effectiveLow, lowOfSiblings);
}

function effectiveProtection(
  usage: number,
  parentUsage: number,
  setting: number,
  parentEffective: number,
  siblingsProtected: number,
): number {
  const wanted = Math.min(usage, setting);
  if (siblingsProtected > parentEffective) return Math.floor((wanted * parentEffective) / siblingsProtected);
  if (parentEffective > siblingsProtected && usage > wanted && parentUsage > siblingsProtected) {
    const unclaimed = parentEffective - siblingsProtected;
    return wanted + Math.floor((unclaimed * (usage - wanted)) / (parentUsage - siblingsProtected));
  }
  return wanted;
}

/** Whom the page is charged to; the root, if to nobody. */
export function memcgOfPage(machine: Machine, pfn: Pfn): MemCgroup {
  return machine.memcgs[machine.frames.memcg(pfn)]!;
}
