/**
 * Checks of the page cache: what is counted against what is there.
 *
 * Promises  Counts from the XArrays alone and only then looks at flags and counters.
 */
import { folioPages } from './folio.ts';
import type { Inode } from './fs.ts';
import type { Lruvec } from './lruvec.ts';
import type { Machine } from './machine.ts';
import { lruvecOf } from './memcg.ts';
import { PG_dirty, PG_swapbacked, PG_swapcache, PG_writeback } from './page_flags.ts';
import type { Pfn } from './units.ts';
import { NR_FILE_DIRTY, NR_FILE_PAGES, NR_SHMEM, NR_WRITEBACK, WORKINGSET_NODES } from './vmstat.ts';
import {
  PAGECACHE_TAG_DIRTY,
  PAGECACHE_TAG_TOWRITE,
  PAGECACHE_TAG_WRITEBACK,
  XA_NONE,
  type XaNode,
  xaIsPage,
  xaToPfn,
} from './xarray.ts';

const MARKS = [PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK, PAGECACHE_TAG_TOWRITE] as const;

/** Broken promises of the page cache, in words; none if all is well. */
export function verifyFiles(machine: Machine): string[] {
  const wrong: string[] = [];
  const cached = new Set<Pfn>();
  const shadowNodes = new Map<number, number>();
  for (const inode of machine.inodes.values()) {
    checkMapping(machine, inode, cached, wrong);
    checkNodes(inode, shadowNodes, wrong);
    checkInode(machine, inode, wrong);
  }
  checkCounters(machine, cached, wrong);
  for (const memcg of new Set(machine.memcgs)) {
    const counted = shadowNodes.get(memcg.id) ?? 0;
    const listed = machine.shadowNodes.length(memcg);
    if (listed !== counted)
      wrong.push(`cgroup ${memcg.name}: ${listed} nodes on the shadow list, ${counted} hold only shadows`);
  }
  return wrong;
}

function checkMapping(machine: Machine, inode: Inode, cached: Set<Pfn>, wrong: string[]): void {
  const { frames } = machine;
  const { mapping } = inode;
  const { pages } = mapping;
  let nrpages = 0;
  let values = 0;
  let marked = 0;
  for (let at = pages.find(0, Number.MAX_SAFE_INTEGER); at >= 0; at = pages.find(at + 1, Number.MAX_SAFE_INTEGER)) {
    const where = `${inode.name} page ${at}`;
    for (const mark of MARKS) if (pages.getMark(at, mark)) marked |= 1 << mark;
    const entry = pages.load(at);
    if (!xaIsPage(entry)) {
      values += 1;
      if (MARKS.some((mark) => pages.getMark(at, mark))) wrong.push(`${where}: a value entry is marked`);
      continue;
    }
    nrpages += 1;
    const pfn = xaToPfn(entry);
    if (cached.has(pfn)) wrong.push(`${where}: frame ${pfn} is in the cache twice`);
    cached.add(pfn);
    if (frames.refcount(pfn) < 1) wrong.push(`${where}: frame ${pfn} is free`);
    if (frames.mapping(pfn) !== mapping.id * 4) wrong.push(`${where}: frame ${pfn} belongs to ${frames.mapping(pfn)}`);
    if (frames.index(pfn) !== at) wrong.push(`${where}: frame ${pfn} says index ${frames.index(pfn)}`);
    checkMarks(machine, inode, where, pfn, wrong);
  }
  if (nrpages !== mapping.nrpages) wrong.push(`${inode.name}: nrpages ${mapping.nrpages}, counted ${nrpages}`);
  if (values !== mapping.nrshadows) wrong.push(`${inode.name}: nrshadows ${mapping.nrshadows}, counted ${values}`);
  for (const mark of MARKS) {
    if (pages.marked(mark) !== ((marked & (1 << mark)) !== 0))
      wrong.push(`${inode.name}: mark ${mark} of the whole tree`);
  }
}

function checkMarks(machine: Machine, inode: Inode, where: string, pfn: Pfn, wrong: string[]): void {
  const { frames } = machine;
  const { pages } = inode.mapping;
  const index = frames.index(pfn);
  const tmpfs = inode.kind === 'tmpfs';
  if (frames.has(pfn, PG_swapbacked) !== tmpfs) wrong.push(`${where}: swapbacked is for tmpfs`);
  const dirty = !tmpfs && frames.has(pfn, PG_dirty);
  const writeback = !tmpfs && frames.has(pfn, PG_writeback);
  if (pages.getMark(index, PAGECACHE_TAG_DIRTY) !== dirty) wrong.push(`${where}: mark DIRTY and PG_dirty differ`);
  if (pages.getMark(index, PAGECACHE_TAG_WRITEBACK) !== writeback)
    wrong.push(`${where}: mark WRITEBACK and PG_writeback differ`);
}

function checkInode(machine: Machine, inode: Inode, wrong: string[]): void {
  const listed = machine.writeback.dirtyInodes.includes(inode);
  if (listed !== inode.dirty) wrong.push(`${inode.name}: dirty is ${inode.dirty}, on the flusher's list ${listed}`);
  if (inode.mapping.pages.marked(PAGECACHE_TAG_DIRTY) && !listed)
    wrong.push(`${inode.name}: nobody will write its dirty pages`);
  if (inode.kind !== 'tmpfs') return;
  if (inode.shmemSwapped !== inode.mapping.nrshadows) {
    wrong.push(`${inode.name}: ${inode.shmemSwapped} pages swapped out, ${inode.mapping.nrshadows} swap entries`);
  }
  if (inode.shmemPages < inode.mapping.nrpages + inode.shmemSwapped)
    wrong.push(`${inode.name}: more pages than it is charged for`);
}

/** Node counts, values, and marks of every level. */
function checkNodes(inode: Inode, shadowNodes: Map<number, number>, wrong: string[]): void {
  const { pages } = inode.mapping;
  let nodes = 0;
  const walk = (node: XaNode): void => {
    nodes += 1;
    let count = 0;
    let values = 0;
    for (let i = 0; i < 64; i++) {
      const child = node.children?.[i] ?? null;
      const entry = node.entries?.[i] ?? XA_NONE;
      if (child === null && entry === XA_NONE) continue;
      count += 1;
      if (entry < 0) values += 1;
      if (child === null) continue;
      if (child.parent !== node || child.offset !== i) wrong.push(`${inode.name}: a node does not know its parent`);
      for (const mark of MARKS) {
        if (node.hasMark(i, mark) !== child.anyMark(mark))
          wrong.push(`${inode.name}: mark ${mark} differs between levels`);
      }
      walk(child);
    }
    if (count === 0) wrong.push(`${inode.name}: an empty node`);
    if (count !== node.count || values !== node.nrValues) {
      wrong.push(`${inode.name}: node says ${node.count} (${node.nrValues} values), counted ${count} (${values})`);
    }
    const onlyShadows = pages.shrinkable && count > 0 && count === values;
    if (onlyShadows !== node.onShadowList)
      wrong.push(`${inode.name}: shadow list ${node.onShadowList}, only shadows ${onlyShadows}`);
    if (onlyShadows) shadowNodes.set(node.memcg.id, (shadowNodes.get(node.memcg.id) ?? 0) + 1);
  };
  if (pages.head !== null) walk(pages.head);
  if (nodes !== pages.nodes) wrong.push(`${inode.name}: ${pages.nodes} nodes, counted ${nodes}`);
}

/** Every page of the machine against the counters of its lruvec, its node and its zone. */
function checkCounters(machine: Machine, cached: Set<Pfn>, wrong: string[]): void {
  const { frames } = machine;
  const counted = new Map<Lruvec, Float64Array>();
  const nodeFilePages = new Float64Array(machine.nodes.length);
  const pending = new Float64Array(machine.zones.length);
  for (let n = 0; n < frames.frames; n++) {
    const pfn = n as Pfn;
    const inCache = cached.has(pfn);
    const writeback = frames.has(pfn, PG_writeback);
    const dirty = inCache && !frames.has(pfn, PG_swapbacked) && frames.has(pfn, PG_dirty);
    if (!inCache && !writeback && !frames.has(pfn, PG_swapcache)) continue;
    const own = lruvecOf(machine, pfn);
    const pages = folioPages(machine, pfn);
    if (inCache || frames.has(pfn, PG_swapcache)) nodeFilePages[own.pgdat.nid]! += inCache ? 1 : pages;
    pending[frames.zoneIndex(pfn)]! += (writeback ? pages : 0) + (dirty ? 1 : 0);
    for (let lruvec: Lruvec | null = own; lruvec !== null; lruvec = lruvec.parent) {
      let sums = counted.get(lruvec);
      if (sums === undefined) {
        sums = new Float64Array(4);
        counted.set(lruvec, sums);
      }
      if (inCache) sums[0]! += 1;
      if (inCache && frames.has(pfn, PG_swapbacked)) sums[1]! += 1;
      if (dirty) sums[2]! += 1;
      if (writeback) sums[3]! += pages;
    }
  }
  for (const memcg of new Set(machine.memcgs)) {
    for (const lruvec of memcg.lruvecs) {
      const sums = counted.get(lruvec) ?? new Float64Array(4);
      compare(`cgroup ${memcg.name}`, 'nr_file_pages', lruvec.stat[NR_FILE_PAGES]!, sums[0]!, wrong);
      compare(`cgroup ${memcg.name}`, 'nr_shmem', lruvec.stat[NR_SHMEM]!, sums[1]!, wrong);
      compare(`cgroup ${memcg.name}`, 'nr_dirty', lruvec.stat[NR_FILE_DIRTY]!, sums[2]!, wrong);
      compare(`cgroup ${memcg.name}`, 'nr_writeback', lruvec.stat[NR_WRITEBACK]!, sums[3]!, wrong);
    }
  }
  for (const pgdat of machine.nodes) {
    compare(`node ${pgdat.nid}`, 'nr_file_pages', pgdat.stat[NR_FILE_PAGES]!, nodeFilePages[pgdat.nid]!, wrong);
    let listed = 0;
    if (pgdat.nid === 0) for (const memcg of new Set(machine.memcgs)) listed += machine.shadowNodes.length(memcg);
    compare(`node ${pgdat.nid}`, 'workingset_nodes', pgdat.stat[WORKINGSET_NODES]!, listed, wrong);
  }
  for (const zone of machine.zones) {
    compare(`zone ${zone.name}`, 'nr_zone_write_pending', zone.writePending, pending[zone.index]!, wrong);
  }
}

function compare(where: string, name: string, counter: number, counted: number, wrong: string[]): void {
  if (counter !== counted) wrong.push(`${where}: ${name} ${counter}, counted ${counted}`);
}
