/**
 * Is every slot what its columns say?
 *
 * Owns      nothing: it counts from the page tables, the page caches and the frames, and then looks at the counters.
 * Promises  Returns one sentence for each promise of swap that is broken; none when all is well.
 */
import { folioPages } from '../folio.ts';
import type { Machine } from '../machine.ts';
import type { MemCgroup } from '../memcg.ts';
import { isDescendant } from '../memcg.ts';
import type { Mm } from '../mm.ts';
import { MM_SWAPENTS } from '../mm.ts';
import { compoundHead } from '../page_alloc.ts';
import { PG_buddy, PG_swapcache } from '../page_flags.ts';
import { PTRS_PER_TABLE } from '../page_table.ts';
import { NO_PFN, type Pfn, type SwapEntry, swpEntry, swpOffset, swpType, type Vpn } from '../units.ts';
import { NR_SWAPCACHE } from '../vmstat.ts';
import { XA_NONE, xaIsValue, xaToValue } from '../xarray.ts';
import {
  CLUSTER_FREE,
  CLUSTER_FULL,
  CLUSTER_NONE,
  NO_CLUSTER,
  SWAP_HAS_CACHE,
  SWAP_MAP_BAD,
  SWAP_MAP_SHMEM,
  type SwapInfo,
} from './area.ts';
import { isInSlotsCache } from './slots_cache.ts';

/** Between calls: no fault is under way. */
export function verifySwap(machine: Machine): string[] {
  const wrong: string[] = [];
  const inTables = new Map<number, number>();
  for (const mm of machine.mms) countEntries(machine, mm, inTables, wrong);
  const inTmpfs = entriesOfTmpfs(machine, wrong);
  verifyFrames(machine, wrong);
  let free = 0;
  let total = 0;
  for (const area of machine.swap.areas) {
    if (area === null) continue;
    verifySlots(machine, area, inTables, inTmpfs, wrong);
    const taken = verifyClusters(machine, area, wrong);
    if (taken !== area.inusePages)
      wrong.push(`swap ${area.type}: inusePages is ${area.inusePages}, slots taken ${taken}`);
    if (area.writeok) {
      total += area.pages;
      free += area.pages - area.inusePages;
    }
    const isAvail = machine.swap.avail.includes(area);
    if (isAvail !== (area.writeok && area.inusePages < area.pages))
      wrong.push(`swap ${area.type}: avail is ${isAvail}`);
  }
  for (const entry of [...inTables.keys(), ...inTmpfs]) {
    const area = machine.swap.areas[swpType(entry as SwapEntry)] ?? null;
    if (area === null || swpOffset(entry as SwapEntry) >= area.max) wrong.push(`entry ${entry} points to no slot`);
  }
  if (machine.swap.nrSwapPages !== free) wrong.push(`nrSwapPages is ${machine.swap.nrSwapPages}, free slots ${free}`);
  if (machine.swap.totalSwapPages !== total)
    wrong.push(`totalSwapPages is ${machine.swap.totalSwapPages}, slots ${total}`);
  verifyCgroups(machine, wrong);
  return wrong;
}

function countEntries(machine: Machine, mm: Mm, inTables: Map<number, number>, wrong: string[]): void {
  const tables = machine.pageTables;
  let swapents = 0;
  for (let vma = mm.vmas.first(); vma !== null; vma = mm.vmas.next(vma)) {
    for (let vpn = vma.vmStart; vpn < vma.vmEnd; ) {
      vpn = tables.nextTable(mm.pageTables, vpn, vma.vmEnd);
      const end = Math.min(vma.vmEnd, (Math.floor(vpn / PTRS_PER_TABLE) + 1) * PTRS_PER_TABLE);
      for (; vpn < end; vpn = (vpn + 1) as Vpn) {
        const slot = tables.slotOf(mm.pageTables, vpn);
        if (!tables.isSwap(slot)) continue;
        swapents += 1;
        const entry = tables.swapEntry(slot);
        inTables.set(entry, (inTables.get(entry) ?? 0) + 1);
      }
    }
  }
  if (mm.rss[MM_SWAPENTS] !== swapents)
    wrong.push(`mm ${mm.id}: SWAPENTS is ${mm.rss[MM_SWAPENTS]}, entries ${swapents}`);
}

function entriesOfTmpfs(machine: Machine, wrong: string[]): Set<number> {
  const entries = new Set<number>();
  for (const inode of machine.inodes.values()) {
    if (inode.kind !== 'tmpfs') continue;
    const pages = inode.mapping.pages;
    for (let at = pages.find(0, Number.MAX_SAFE_INTEGER); at >= 0; at = pages.find(at + 1, Number.MAX_SAFE_INTEGER)) {
      const entry = pages.load(at);
      if (entry === XA_NONE || !xaIsValue(entry)) continue;
      const swap = xaToValue(entry);
      if (entries.has(swap)) wrong.push(`entry ${swap} is in two places of tmpfs`);
      entries.add(swap);
    }
  }
  return entries;
}

/** From the frames: nr_swapcached, and that a page's slot names it. */
function verifyFrames(machine: Machine, wrong: string[]): void {
  const { frames, swap } = machine;
  const cached = new Map<number, number>();
  for (let pfn = 0 as Pfn; pfn < frames.frames; pfn = (pfn + 1) as Pfn) {
    if (!frames.has(pfn, PG_swapcache)) continue;
    if (frames.has(pfn, PG_buddy)) wrong.push(`frame ${pfn} is free and in the swap cache`);
    const entry = frames.private_(pfn) as SwapEntry;
    const area = swap.areas[swpType(entry)] ?? null;
    const pages = folioPages(machine, pfn);
    for (let i = 0; i < pages; i++) {
      if (area === null || area.cached(swpOffset(entry) + i) !== pfn + i)
        wrong.push(`frame ${pfn + i}: entry ${entry + i} names another page`);
    }
    const id = frames.memcg(pfn) || 1;
    cached.set(id, (cached.get(id) ?? 0) + pages);
  }
  let all = 0;
  for (const count of cached.values()) all += count;
  const counted = machine.nodes.reduce((sum, node) => sum + node.stat[NR_SWAPCACHE]!, 0);
  if (counted !== all) wrong.push(`nr_swapcached is ${counted}, pages ${all}`);
  for (const memcg of cgroups(machine)) {
    let want = 0;
    for (const [id, count] of cached) if (isDescendant(machine.memcgs[id]!, memcg)) want += count;
    const has = memcg.lruvecs.reduce((sum, lruvec) => sum + lruvec.stat[NR_SWAPCACHE]!, 0);
    if (has !== want) wrong.push(`cgroup ${memcg.name}: swapcached is ${has}, pages ${want}`);
  }
}

function verifySlots(
  machine: Machine,
  area: SwapInfo,
  inTables: Map<number, number>,
  inTmpfs: Set<number>,
  wrong: string[],
): void {
  for (let offset = 1; offset < area.max; offset++) {
    const entry = swpEntry(area.type, offset);
    const usage = area.usage(offset);
    const count = usage & ~SWAP_HAS_CACHE;
    const shmem = count === SWAP_MAP_SHMEM;
    if (count === SWAP_MAP_BAD) continue;
    const want = inTables.get(entry) ?? 0;
    const has = shmem ? 0 : area.exactCount(offset);
    if (has !== want) wrong.push(`slot ${entry}: counts ${has}, entries in page tables ${want}`);
    if (shmem !== inTmpfs.has(entry)) wrong.push(`slot ${entry}: SHMEM is ${shmem}`);
    const pfn = area.cached(offset);
    const cache = (usage & SWAP_HAS_CACHE) !== 0;
    if (pfn !== NO_PFN) {
      if (!cache) wrong.push(`slot ${entry}: page ${pfn} without HAS_CACHE`);
      const folio = compoundHead(machine, pfn);
      if (!machine.frames.has(folio, PG_swapcache) || machine.frames.private_(folio) + (pfn - folio) !== entry) {
        wrong.push(`slot ${entry}: page ${pfn} does not know it`);
      }
    } else if (cache && !isInSlotsCache(machine.swap.slotsCache, entry)) {
      wrong.push(`slot ${entry}: HAS_CACHE without a page`);
    }
    if (usage === 0 && (area.shadow(offset) !== 0 || area.memcgId(offset) !== 0)) {
      wrong.push(`slot ${entry}: free, but it has a shadow or an owner`);
    }
  }
}

/** Returns how many slots are taken. */
function verifyClusters(machine: Machine, area: SwapInfo, wrong: string[]): number {
  const { swapSlotsCache: old, swapScanMap } = machine.generation.switches;
  const { clusters } = area;
  const lists = new Map<number, number>();
  for (let list = CLUSTER_FREE; list <= CLUSTER_FULL; list++) {
    for (let c = clusters.first(list); c !== NO_CLUSTER; c = clusters.nextOnList(c)) {
      if (lists.has(c)) wrong.push(`swap ${area.type}: cluster ${c} is on two lists`);
      lists.set(c, list);
    }
  }
  let taken = 0;
  for (let cluster = 0; cluster < clusters.length; cluster++) {
    let count = 0;
    for (let i = 0; i < clusters.slots; i++) {
      const offset = cluster * clusters.slots + i;
      const usage = offset < area.max ? area.usage(offset) : SWAP_MAP_BAD;
      if (usage !== 0) count += 1;
      if (usage !== 0 && usage !== SWAP_MAP_BAD) taken += 1;
    }
    if (swapScanMap || (old && area.rotational)) continue;
    const flag = clusters.flag(cluster);
    if (clusters.count(cluster) !== count) {
      wrong.push(`swap ${area.type}: cluster ${cluster} counts ${clusters.count(cluster)}, taken ${count}`);
    }
    if ((lists.get(cluster) ?? CLUSTER_NONE) !== flag)
      wrong.push(`swap ${area.type}: cluster ${cluster} is flagged ${flag}`);
    if ((flag === CLUSTER_FREE) !== (count === 0))
      wrong.push(`swap ${area.type}: cluster ${cluster}, ${count} taken, flag ${flag}`);
    if (!old && (flag === CLUSTER_FULL) !== (count === clusters.slots)) {
      wrong.push(`swap ${area.type}: cluster ${cluster}, ${count} taken, flag ${flag}`);
    }
    if (!old && flag === CLUSTER_NONE) wrong.push(`swap ${area.type}: cluster ${cluster} is on no list`);
  }
  return taken;
}

function verifyCgroups(machine: Machine, wrong: string[]): void {
  const slots = new Map<number, number>();
  for (const area of machine.swap.areas) {
    for (let offset = 1; area !== null && offset < area.max; offset++) {
      const id = area.memcgId(offset);
      if (id !== 0) slots.set(id, (slots.get(id) ?? 0) + 1);
    }
  }
  for (const memcg of cgroups(machine)) {
    let want = 0;
    for (const [id, count] of slots) if (isDescendant(machine.memcgs[id]!, memcg)) want += count;
    if (memcg.swap.usage !== want) wrong.push(`cgroup ${memcg.name}: swap usage is ${memcg.swap.usage}, slots ${want}`);
  }
}

/** Each once: the root stands at 0 and 1. */
function cgroups(machine: Machine): MemCgroup[] {
  return [...new Set(machine.memcgs)];
}
