/**
 * The invariants of a whole machine, counted the slow way.
 *
 * Promises  Nothing is changed. An empty list means: every promise below holds. A violation names the promise, the place and both numbers.
 *           Entries are counted from the page tables alone, and only then compared with the counters.
 */
import { folioMapcount, folioPages } from './folio.ts';
import { isKsmPage } from './ksm_page.ts';
import { type Lruvec, NR_LRU_LISTS } from './lruvec.ts';
import type { Machine } from './machine.ts';
import { verifyGens, verifyLruGen } from './mglru/verify_mglru.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS } from './mm.ts';
import { compoundHead } from './page_alloc.ts';
import {
  PG_active,
  PG_anon_exclusive,
  PG_lru,
  PG_mlocked,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
} from './page_flags.ts';
import { NO_SLOT, PTE_MIGRATION, PTE_RW, PTE_SPECIAL } from './page_table.ts';
import { AnonVma, type AnonVmaChain } from './rmap/anon_vma.ts';
import { isNonlinear } from './rmap/nonlinear.ts';
import { swpSwapcount } from './swap/swapfile.ts';
import { verifySwap } from './swap/verify_swap.ts';
import { NO_PFN, NO_VPN, type Pfn, type SwapEntry, type Vpn } from './units.ts';
import { verifyFiles } from './verify_files.ts';
import { verifyHuge } from './verify_huge.ts';
import { verifyAddressSpace } from './verify_mm.ts';
import { VM_SHARED, VM_WRITE } from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { verifyVmacache } from './vmacache.ts';
import { NR_ANON_MAPPED, NR_FILE_MAPPED, NR_MLOCK } from './vmstat.ts';
import { MAX_NR_ZONES } from './zone.ts';

/** Of a map that walks everything (2.4), the walk of every 61st frame is checked. */
const WALKS_ALL_EVERY = 61;

/** What is wrong with the machine; nothing, if the list is empty. */
export function verify(machine: Machine): string[] {
  const found: string[] = [];
  // Walks made here are not the kernel's.
  const work = { ...machine.work };
  found.push(...machine.physical.verify());
  for (const mm of machine.mms) found.push(...verifyAddressSpace(machine, mm));
  verifyMappings(machine, found);
  if (machine.rmap.verify !== undefined) found.push(...machine.rmap.verify());
  else verifyAnonVmas(machine, found);
  verifyLists(machine, found);
  verifyCharges(machine, found);
  found.push(...verifyFiles(machine));
  found.push(...verifySwap(machine));
  found.push(...verifyHuge(machine));
  if (machine.ksm !== null) found.push(...machine.ksm.verify());
  found.push(...verifyVmacache(machine));
  if (machine.state !== null) found.push(...machine.state.verify(machine));
  found.push(...(machine.reclaim.verify?.() ?? []));
  Object.assign(machine.work, work);
  return found;
}

/** mapcount = entries that map the frame; each is found by the reverse walk; RSS, NR_ANON_MAPPED and NR_FILE_MAPPED agree. */
function verifyMappings(machine: Machine, found: string[]): void {
  const { frames, pageTables } = machine;
  const counted = new Int32Array(frames.frames);
  for (const mm of machine.mms) {
    const rss = new Int32Array(4);
    for (const vma of mm.vmas) {
      for (
        let at = pageTables.nextTable(mm.pageTables, vma.vmStart, vma.vmEnd);
        at < vma.vmEnd;
        at = next(machine, vma, at)
      ) {
        const slot = pageTables.slotOf(mm.pageTables, at);
        if (slot === NO_SLOT || pageTables.isNone(slot)) continue;
        if (pageTables.isSwap(slot)) {
          rss[MM_SWAPENTS]! += 1;
          continue;
        }
        if (pageTables.has(slot, PTE_MIGRATION)) {
          found.push(`entry ${at.toString(16)} of mm ${mm.id} is a migration entry, and nothing is being moved`);
          continue;
        }
        if (!pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
        const pfn = pageTables.pfn(slot);
        counted[pfn]! += 1;
        const anon = frames.isAnon(pfn);
        rss[anon ? MM_ANONPAGES : frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! += 1;
        verifyEntry(machine, vma, at, slot, pfn, found);
      }
    }
    for (let i = 0; i < 4; i++) {
      if (rss[i] !== mm.rss[i])
        found.push(`rss counter ${i} of mm ${mm.id} is ${mm.rss[i]}, its entries are ${rss[i]}`);
    }
  }
  const mapped = new Map<object, [number, number]>();
  for (const pgdat of machine.nodes) mapped.set(pgdat, [0, 0]);
  for (let pfn = 0 as Pfn; pfn < frames.frames; pfn++) {
    const want = counted[pfn]!;
    const have = frames.mapcount(pfn);
    if (want !== have) found.push(`mapcount of frame ${pfn} is ${have}, entries that map it: ${want}`);
    if (want === 0) continue;
    const head = compoundHead(machine, pfn);
    const mappings = folioMapcount(machine, head);
    if (frames.refcount(head) < mappings)
      found.push(`frame ${head} has ${frames.refcount(head)} references for ${mappings} mappings`);
    if (want > 1 && frames.has(pfn, PG_anon_exclusive))
      found.push(`frame ${pfn} is exclusive and mapped ${want} times`);
    const sums = mapped.get(machine.zones[frames.zoneIndex(pfn)]!.pgdat)!;
    sums[frames.isAnon(pfn) ? 0 : 1] += 1;
    // Where each walk goes through all, some of them must do.
    if (machine.rmap.walksAll !== true || pfn % WALKS_ALL_EVERY === 0) verifyWalk(machine, pfn, want, found);
  }
  for (const pgdat of machine.nodes) {
    const [anon, file] = mapped.get(pgdat)!;
    if (pgdat.stat[NR_ANON_MAPPED] !== anon)
      found.push(`NR_ANON_MAPPED of node ${pgdat.nid} is ${pgdat.stat[NR_ANON_MAPPED]}, frames: ${anon}`);
    if (pgdat.stat[NR_FILE_MAPPED] !== file)
      found.push(`NR_FILE_MAPPED of node ${pgdat.nid} is ${pgdat.stat[NR_FILE_MAPPED]}, frames: ${file}`);
  }
}

function next(machine: Machine, vma: Vma, vpn: Vpn): Vpn {
  const after = (vpn + 1) as Vpn;
  return after % 512 === 0 ? machine.pageTables.nextTable(vma.vmMm.pageTables, after, vma.vmEnd) : after;
}

function verifyEntry(machine: Machine, vma: Vma, vpn: Vpn, slot: number, pfn: Pfn, found: string[]): void {
  const { frames, pageTables } = machine;
  const where = `entry ${vpn.toString(16)} of mm ${vma.vmMm.id}`;
  if (frames.refcount(compoundHead(machine, pfn)) === 0) found.push(`${where} maps frame ${pfn}, which is free`);
  const { switches } = machine.generation;
  const ksm = isKsmPage(machine, pfn);
  // In a nonlinear VMA pages stand where they like.
  const indexed = frames.isAnon(pfn) ? switches.indexesAnon && !ksm : !isNonlinear(vma);
  if (indexed && frames.index(pfn) !== linearPageIndex(vma, vpn)) {
    found.push(
      `${where} maps frame ${pfn} of index ${frames.index(pfn)}, the VMA shows ${linearPageIndex(vma, vpn)} there`,
    );
  }
  if (!pageTables.has(slot, PTE_RW)) return;
  if (ksm) found.push(`${where} is writable, and frame ${pfn} is a KSM page`);
  if ((vma.vmFlags & VM_WRITE) === 0) found.push(`${where} is writable in a VMA that is not`);
  const owned = pageTables.isHuge(slot) ? compoundHead(machine, pfn) : pfn;
  if ((vma.vmFlags & VM_SHARED) !== 0) return;
  const exclusive = switches.anonExclusive ? frames.has(owned, PG_anon_exclusive) : usersOf(machine, pfn) === 1;
  if (!exclusive) found.push(`${where} is writable, and frame ${pfn} is not exclusive`);
}

/** Entries that map the frame, and entries that hold its swap slot. */
function usersOf(machine: Machine, pfn: Pfn): number {
  const { frames } = machine;
  const swapped = frames.has(pfn, PG_swapcache) ? swpSwapcount(machine, frames.private_(pfn) as SwapEntry) : 0;
  return frames.mapcount(pfn) + swapped;
}

/** The reverse walk meets every entry of the frame, and no entry twice. */
function verifyWalk(machine: Machine, pfn: Pfn, want: number, found: string[]): void {
  const { pageTables } = machine;
  let met = 0;
  // A merged page's walk comes to a process by its own item and by that of its parent.
  const known = isKsmPage(machine, pfn) ? new Set<number>() : null;
  machine.rmap.walk(pfn, (vma, vpn) => {
    const slot = vpn === NO_VPN ? NO_SLOT : pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.pfn(slot) !== pfn) return true;
    if (known === null || !known.has(slot)) met += 1;
    known?.add(slot);
    return true;
  });
  // A fork of an address space whose item went is found again when ksmd has come to it.
  if (isKsmPage(machine, pfn) ? met > want : met !== want)
    found.push(`the reverse walk of frame ${pfn} finds ${met} of its ${want} entries`);
}

/** Links are in their VMA's list and their anon_vma's tree; numActiveVmas and numChildren equal what they count. */
function verifyAnonVmas(machine: Machine, found: string[]): void {
  const active = new Map<AnonVma, number>();
  const links = new Map<AnonVma, AnonVmaChain[]>();
  for (const mm of machine.mms) {
    for (const vma of mm.vmas) {
      if (vma.anonVma !== null) {
        active.set(vma.anonVma, (active.get(vma.anonVma) ?? 0) + 1);
        if (!vma.anonVmaChain.some((avc) => avc.anonVma === vma.anonVma)) {
          found.push(`a VMA of mm ${mm.id} at ${vma.vmStart.toString(16)} is not linked to its own anon_vma`);
        }
      }
      for (const avc of vma.anonVmaChain) {
        if (avc.vma !== vma) found.push(`a link of mm ${mm.id} is in the list of another VMA`);
        const list = links.get(avc.anonVma);
        if (list === undefined) links.set(avc.anonVma, [avc]);
        else list.push(avc);
      }
    }
  }
  const children = new Map<AnonVma, number>();
  for (const owner of machine.mappings) {
    if (!(owner instanceof AnonVma)) continue;
    children.set(owner.parent, (children.get(owner.parent) ?? 0) + 1);
  }
  for (const owner of machine.mappings) {
    if (!(owner instanceof AnonVma)) continue;
    const want = active.get(owner) ?? 0;
    if (owner.numActiveVmas !== want)
      found.push(`numActiveVmas of anon_vma ${owner.id} is ${owner.numActiveVmas}, VMAs: ${want}`);
    const linked = links.get(owner) ?? [];
    if (owner.tree.size !== linked.length)
      found.push(`the tree of anon_vma ${owner.id} has ${owner.tree.size} links, VMAs ${linked.length}`);
    for (const avc of linked) {
      const first = avc.vma.vmPgoff;
      let met = false;
      for (let at = owner.tree.firstIn(first, first); at !== null && !met; at = owner.tree.nextIn(at, first, first))
        met = at === avc;
      if (!met) found.push(`the tree of anon_vma ${owner.id} does not find one of its links`);
    }
    // A child that nobody is linked to any more is not counted, though its root keeps it.
    if (owner.numChildren > (children.get(owner) ?? 0))
      found.push(`numChildren of anon_vma ${owner.id} is ${owner.numChildren}, anon_vmas: ${children.get(owner) ?? 0}`);
  }
}

/** Each PG_lru page is on the list that its flags say, and sizes equal what the lists hold. */
function verifyLists(machine: Machine, found: string[]): void {
  const { frames } = machine;
  const nodeSizes = machine.nodes.map(() => new Float64Array(NR_LRU_LISTS));
  let onLists = 0;
  for (const memcg of machine.memcgs.slice(1)) {
    for (const lruvec of memcg.lruvecs) {
      const sizes = nodeSizes[lruvec.pgdat.nid]!;
      onLists += verifyLruvec(machine, lruvec, sizes, found);
      if (machine.multiGen !== null) onLists += verifyLruGen(machine, machine.multiGen, lruvec, sizes, found);
    }
  }
  if (machine.multiGen !== null) verifyGens(machine, machine.multiGen, found);
  let flagged = 0;
  let mlocked = 0;
  for (let pfn = 0 as Pfn; pfn < frames.frames; pfn++) {
    const pages = folioPages(machine, pfn);
    if (frames.has(pfn, PG_lru)) flagged += pages;
    if (frames.has(pfn, PG_mlocked)) mlocked += pages;
    if (frames.has(pfn, PG_active) && frames.has(pfn, PG_unevictable))
      found.push(`frame ${pfn} is active and unevictable`);
  }
  if (flagged !== onLists) found.push(`${flagged} frames have PG_lru, ${onLists} are on LRU lists`);
  for (const pgdat of machine.nodes) {
    for (let lru = 0; lru < NR_LRU_LISTS; lru++) {
      const want = nodeSizes[pgdat.nid]![lru]!;
      if (pgdat.stat[lru] !== want)
        found.push(
          `node ${pgdat.nid} counts ${pgdat.stat[lru]} ${machine.generation.lruNames[lru]} pages, lists hold ${want}`,
        );
    }
  }
  const counted = machine.nodes.reduce((sum, pgdat) => sum + pgdat.stat[NR_MLOCK]!, 0);
  if (counted !== mlocked) found.push(`NR_MLOCK is ${counted}, frames: ${mlocked}`);
}

function verifyLruvec(machine: Machine, lruvec: Lruvec, nodeSizes: Float64Array, found: string[]): number {
  const { frames } = machine;
  const names = machine.generation.lruNames;
  let all = 0;
  for (let lru = 0; lru < NR_LRU_LISTS; lru++) {
    const sizes = new Int32Array(MAX_NR_ZONES);
    for (let pfn = frames.listFirst(lruvec.lists[lru]!); pfn !== NO_PFN; pfn = frames.listNext(pfn)) {
      const where = `frame ${pfn} on ${names[lru]} of ${lruvec.memcg.name}`;
      if (!frames.has(pfn, PG_lru)) found.push(`${where} lacks PG_lru`);
      const listed = machine.lru.listOf(pfn);
      if (listed !== lru) found.push(`${where} belongs on ${names[listed]}`);
      if ((frames.memcg(pfn) || 1) !== lruvec.memcg.id)
        found.push(`${where} is charged to cgroup ${frames.memcg(pfn)}`);
      if (frames.refcount(pfn) === 0) found.push(`${where} is free`);
      const pages = folioPages(machine, pfn);
      sizes[machine.zones[frames.zoneIndex(pfn)]!.type]! += pages;
      all += pages;
      nodeSizes[lru]! += pages;
    }
    for (let zone = 0; zone < MAX_NR_ZONES; zone++) {
      const have = lruvec.zoneSize[lru * MAX_NR_ZONES + zone];
      if (have !== sizes[zone])
        found.push(`${names[lru]} of ${lruvec.memcg.name} counts ${have} pages in zone ${zone}, holds ${sizes[zone]}`);
    }
  }
  return all;
}

/** A cgroup's usage = pages charged to it and below + bytes of slab in whole pages + the stock. */
function verifyCharges(machine: Machine, found: string[]): void {
  const { frames, memcgStock } = machine;
  const pages = new Map<number, number>();
  for (let pfn = 0 as Pfn; pfn < frames.frames; pfn++) {
    const id = frames.memcg(pfn);
    if (id === 0) continue;
    pages.set(id, (pages.get(id) ?? 0) + 1);
    if (frames.refcount(compoundHead(machine, pfn)) === 0)
      found.push(`frame ${pfn} is free and charged to cgroup ${id}`);
  }
  for (const memcg of machine.memcgs.slice(2)) {
    const left = (memcgStock.leftBytes.get(memcg.id) ?? 0) + (memcgStock.objCached === memcg ? memcgStock.objBytes : 0);
    const slabPages = (memcg.slabBytes + left) / 4096;
    const stock = memcgStock.cached === memcg ? memcgStock.pages : 0;
    const children = memcg.children.reduce((sum, child) => sum + child.memory.usage, 0);
    const want = (pages.get(memcg.id) ?? 0) + slabPages + stock + children;
    if (memcg.memory.usage !== want) {
      found.push(
        `memory usage of ${memcg.name} is ${memcg.memory.usage} pages, charged: ${want} (stock ${stock}, slab ${slabPages})`,
      );
    }
  }
}
