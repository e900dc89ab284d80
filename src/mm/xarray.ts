/**
 * The page cache's index: a radix tree of 64 slots per node, with marks, and the list of nodes that hold only shadows.
 *
 * Owns      every node and slot; what an entry is (below); the nodes' memory, charged to whoever stores.
 * Promises  1. A node lives as long as something is in it; a tree with one entry, at index 0, has no node at all.
 *           2. A mark is set in a node exactly if it is set somewhere below.
 *           3. A store that needs memory and gets none changes nothing.
 *           4. A node is on the shadow list exactly if it holds shadows and nothing else (shrinkable trees only).
 * Linux     6.18 lib/xarray.c: xas_load xas_store xas_expand xas_shrink xas_delete_node xas_set_mark xas_clear_mark xas_find xas_find_marked;
 *           mm/filemap.c: page_cache_next_miss page_cache_prev_miss;
 *           mm/workingset.c: workingset_update_node count_shadow_nodes scan_shadow_nodes shadow_lru_isolate
 *
 * An entry is one number:   0  nothing     pfn + 1  a page     -v  a value: a shadow, or in tmpfs a swap entry
 *
 *   file of 70 pages   head ─► node, shift 6: slot 0 ─► leaf 0..63
 *                                             slot 1 ─► leaf 64..69 (6 used)
 */
import { ENOMEM } from './errno.ts';
import { __GFP_KSWAPD_RECLAIM, __GFP_NOWARN, type Gfp } from './gfp.ts';
import { type Lruvec, modLruvecState, NR_LRU_LISTS } from './lruvec.ts';
import type { Machine } from './machine.ts';
import type { MemCgroup } from './memcg.ts';
import type { ShrinkerOps } from './slab.ts';
import { PAGE_SIZE, type Pfn, type Pgoff } from './units.ts';
import { NR_SLAB_RECLAIMABLE, NR_SLAB_UNRECLAIMABLE, WORKINGSET_NODERECLAIM, WORKINGSET_NODES } from './vmstat.ts';
import { MAX_NR_ZONES } from './zone.ts';

export const XA_CHUNK_SIZE = 64;
const XA_CHUNK_SHIFT = 6;

export type XaMark = 0 | 1 | 2;
export const PAGECACHE_TAG_DIRTY: XaMark = 0;
export const PAGECACHE_TAG_WRITEBACK: XaMark = 1;
export const PAGECACHE_TAG_TOWRITE: XaMark = 2;
const XA_MAX_MARKS = 3;

/** 0, pfn + 1, or minus a value. */
export type XaEntry = number;
export const XA_NONE: XaEntry = 0;
export const NO_INDEX = -1 as Pgoff;

export function xaPage(pfn: Pfn): XaEntry {
  return pfn + 1;
}
export function xaValue(value: number): XaEntry {
  return -value;
}
export function xaIsPage(entry: XaEntry): boolean {
  return entry > 0;
}
export function xaIsValue(entry: XaEntry): boolean {
  return entry < 0;
}
/** Only of a page. */
export function xaToPfn(entry: XaEntry): Pfn {
  return (entry - 1) as Pfn;
}
/** Only of a value. */
export function xaToValue(entry: XaEntry): number {
  return -entry;
}

/** 64 entries (a leaf, shift 0) or 64 nodes below. */
export class XaNode {
  readonly array: XArray;
  /** A slot spans 2**shift indices. */
  readonly shift: number;
  parent: XaNode | null;
  /** Its slot in the parent. */
  offset: number;
  /** Slots in use, and those of them that hold a value. */
  count = 0;
  nrValues = 0;
  /** One of the two, by shift. */
  readonly entries: Float64Array | null;
  readonly children: (XaNode | null)[] | null;
  /** Two words of 32 slots for each mark. */
  readonly marks: Uint32Array = new Uint32Array(2 * XA_MAX_MARKS);
  /** Who is charged for its memory. */
  readonly memcg: MemCgroup;
  /** Neighbours on the shadow list of that cgroup, oldest first. */
  onShadowList = false;
  shadowPrev: XaNode | null = null;
  shadowNext: XaNode | null = null;

  constructor(array: XArray, shift: number, parent: XaNode | null, offset: number, memcg: MemCgroup) {
    this.array = array;
    this.shift = shift;
    this.parent = parent;
    this.offset = offset;
    this.memcg = memcg;
    this.entries = shift === 0 ? new Float64Array(XA_CHUNK_SIZE) : null;
    this.children = shift === 0 ? null : new Array<XaNode | null>(XA_CHUNK_SIZE).fill(null);
  }

  hasMark(offset: number, mark: number): boolean {
    return (this.marks[2 * mark + (offset >>> 5)]! & (1 << (offset & 31))) !== 0;
  }
  setMark(offset: number, mark: number): void {
    this.marks[2 * mark + (offset >>> 5)]! |= 1 << (offset & 31);
  }
  clearMark(offset: number, mark: number): void {
    this.marks[2 * mark + (offset >>> 5)]! &= ~(1 << (offset & 31));
  }
  anyMark(mark: number): boolean {
    return (this.marks[2 * mark]! | this.marks[2 * mark + 1]!) !== 0;
  }
}
/** The leaf that was found last: saves time, says nothing (stateHash leaves it out). */
class LastLeaf {
  readonly isCache = true;
  leaf: XaNode | null = null;
  base = -1;
}

export class XArray {
  /** The top node, or null: then at most index 0 has an entry. */
  head: XaNode | null = null;
  private rootEntry: XaEntry = XA_NONE;
  private rootMarks = 0;
  /** Nodes in the tree, and entries that are values. */
  nodes = 0;
  values = 0;
  /** Its nodes that hold only values go to the shadow list (not tmpfs, whose values are swap entries). */
  readonly shrinkable: boolean;
  /** Slots: the leaf that was used last, so that neighbours are found without a walk. */
  private readonly last: LastLeaf = new LastLeaf();
  /** A node that was allocated outside the walk (xas_nomem). */
  private spare: XaNode | null = null;

  constructor(shrinkable: boolean) {
    this.shrinkable = shrinkable;
  }

  // lookup

  load(index: number): XaEntry {
    const leaf = this.leafOf(index);
    if (leaf !== null) return leaf.entries![index % XA_CHUNK_SIZE]!;
    return index === 0 && this.head === null ? this.rootEntry : XA_NONE;
  }

  empty(): boolean {
    return this.head === null && this.rootEntry === XA_NONE;
  }

  /** The first index in [index, max] that has an entry of any kind, or NO_INDEX. */
  find(index: number, max: number): Pgoff {
    return this.search(index, max, -1);
  }

  /** The same for an entry with `mark`. */
  findMarked(index: number, max: number, mark: XaMark): Pgoff {
    if (!this.marked(mark)) return NO_INDEX;
    return this.search(index, max, mark);
  }

  /**
   * Looks at up to `maxScan` indices upwards from `index`: the first without a page, or the last one looked at (page_cache_next_miss).
   */
  nextMiss(index: number, maxScan: number): number {
    let at = index;
    for (let left = maxScan; left > 0; left--) {
      if (this.load(at) <= 0 || left === 1) return at;
      at += 1;
    }
    return at;
  }

  /** The same downwards; -1 if it came to the beginning of the file (page_cache_prev_miss). */
  prevMiss(index: number, maxScan: number): number {
    let at = index;
    for (let left = maxScan; left > 0; left--) {
      if (at < 0 || this.load(at) <= 0 || left === 1) return at;
      at -= 1;
    }
    return at;
  }

  // stores

  /** Puts an entry at `index`; its marks are cleared. 0, or -ENOMEM and nothing changed. */
  store(machine: Machine, index: number, entry: XaEntry, gfp: Gfp): number {
    for (;;) {
      if (this.head === null && index === 0) {
        this.setRoot(entry);
        break;
      }
      const leaf = this.create(machine, index);
      if (leaf !== null) {
        this.put(machine, leaf, index % XA_CHUNK_SIZE, entry);
        break;
      }
      if (!this.refill(machine, gfp)) return -ENOMEM;
    }
    this.dropSpare(machine);
    return 0;
  }

  /** Changes or clears an entry that is there already: needs no memory. Its marks are cleared. */
  replace(machine: Machine, index: number, entry: XaEntry): void {
    const leaf = this.leafOf(index);
    if (leaf !== null) this.put(machine, leaf, index % XA_CHUNK_SIZE, entry);
    else if (index === 0 && this.head === null) this.setRoot(entry);
  }

  // marks

  marked(mark: XaMark): boolean {
    return (this.rootMarks & (1 << mark)) !== 0;
  }

  getMark(index: number, mark: XaMark): boolean {
    if (!this.marked(mark)) return false;
    const leaf = this.leafOf(index);
    if (leaf !== null) return leaf.hasMark(index % XA_CHUNK_SIZE, mark);
    return index === 0 && this.head === null;
  }

  setMark(index: number, mark: XaMark): void {
    let node = this.leafOf(index);
    let offset = index % XA_CHUNK_SIZE;
    while (node !== null && !node.hasMark(offset, mark)) {
      node.setMark(offset, mark);
      offset = node.offset;
      node = node.parent;
    }
    if (node === null) this.rootMarks |= 1 << mark;
  }

  clearMark(index: number, mark: XaMark): void {
    const leaf = this.leafOf(index);
    if (leaf !== null) this.clearNodeMark(leaf, index % XA_CHUNK_SIZE, mark);
    else if (index === 0 && this.head === null) this.rootMarks &= ~(1 << mark);
  }

  /** The node on the shadow list goes, with the shadows in it (xa_delete_node). How many there were. */
  deleteNode(machine: Machine, node: XaNode): number {
    const values = node.nrValues;
    const base = this.baseOf(node);
    for (let i = 0; i < XA_CHUNK_SIZE; i++) if (node.entries![i] !== XA_NONE) this.replace(machine, base + i, XA_NONE);
    return values;
  }

  /** First index under a leaf. */
  baseOf(node: XaNode): number {
    let base = 0;
    for (let n = node; n.parent !== null; n = n.parent) base += n.offset * 2 ** n.parent.shift;
    return base;
  }

  // inside

  private setRoot(entry: XaEntry): void {
    this.values += (entry < 0 ? 1 : 0) - (this.rootEntry < 0 ? 1 : 0);
    this.rootEntry = entry;
    this.rootMarks = 0;
  }

  private leafOf(index: number): XaNode | null {
    const base = index - (index % XA_CHUNK_SIZE);
    if (base === this.last.base && this.last.leaf !== null) return this.last.leaf;
    let node = this.head;
    if (node === null || index >= 2 ** (node.shift + XA_CHUNK_SHIFT)) return null;
    while (node.shift > 0) {
      const child: XaNode | null = node.children![Math.floor(index / 2 ** node.shift) % XA_CHUNK_SIZE]!;
      if (child === null) return null;
      node = child;
    }
    this.last.leaf = node;
    this.last.base = base;
    return node;
  }

  /** The leaf of `index`, with nodes made on the way; null if memory is wanted (the nodes made so far stay until the retry). */
  private create(machine: Machine, index: number): XaNode | null {
    const found = this.leafOf(index);
    if (found !== null) return found;
    if (!this.expand(machine, index)) return null;
    let node = this.head!;
    while (node.shift > 0) {
      const offset = Math.floor(index / 2 ** node.shift) % XA_CHUNK_SIZE;
      let child: XaNode | null = node.children![offset]!;
      if (child === null) {
        child = this.newNode(machine, node.shift - XA_CHUNK_SHIFT, node, offset);
        if (child === null) return null;
        node.children![offset] = child;
        node.count += 1;
      }
      node = child;
    }
    return node;
  }

  /** Makes the tree high enough for `index`. */
  private expand(machine: Machine, index: number): boolean {
    if (this.head === null && this.rootEntry === XA_NONE) {
      let shift = 0;
      while (index >= 2 ** (shift + XA_CHUNK_SHIFT)) shift += XA_CHUNK_SHIFT;
      const top = this.newNode(machine, shift, null, 0);
      if (top === null) return false;
      this.head = top;
      return true;
    }
    while (this.head === null || index >= 2 ** (this.head.shift + XA_CHUNK_SHIFT)) {
      const old = this.head;
      const top = this.newNode(machine, old === null ? 0 : old.shift + XA_CHUNK_SHIFT, null, 0);
      if (top === null) return false;
      top.count = 1;
      if (old === null) {
        top.entries![0] = this.rootEntry;
        top.nrValues = this.rootEntry < 0 ? 1 : 0;
        this.rootEntry = XA_NONE;
      } else {
        top.children![0] = old;
        old.parent = top;
        old.offset = 0;
      }
      for (let mark = 0; mark < XA_MAX_MARKS; mark++) if ((this.rootMarks & (1 << mark)) !== 0) top.setMark(0, mark);
      this.head = top;
      this.update(machine, top);
    }
    return true;
  }

  private put(machine: Machine, leaf: XaNode, offset: number, entry: XaEntry): void {
    const entries = leaf.entries!;
    const old = entries[offset]!;
    entries[offset] = entry;
    for (let mark = 0; mark < XA_MAX_MARKS; mark++) {
      if (leaf.hasMark(offset, mark)) this.clearNodeMark(leaf, offset, mark);
    }
    const count = (entry !== XA_NONE ? 1 : 0) - (old !== XA_NONE ? 1 : 0);
    const values = (entry < 0 ? 1 : 0) - (old < 0 ? 1 : 0);
    leaf.count += count;
    leaf.nrValues += values;
    this.values += values;
    if (count !== 0 || values !== 0) this.update(machine, leaf);
    if (count < 0) this.deleteEmpty(machine, leaf);
  }

  /** Frees nodes that became empty, from `from` upwards, and levels that only index 0's path needs (xas_delete_node, xas_shrink). */
  private deleteEmpty(machine: Machine, from: XaNode): void {
    let node = from;
    while (node.count === 0) {
      const parent = node.parent;
      this.freeNode(machine, node);
      if (parent === null) {
        this.head = null;
        return;
      }
      parent.children![node.offset] = null;
      parent.count -= 1;
      node = parent;
    }
    if (node.parent !== null) return;
    while (node.count === 1) {
      if (node.shift === 0) {
        if (node.entries![0] === XA_NONE) return;
        this.rootEntry = node.entries![0]!;
        this.head = null;
        node.count = 0;
        node.nrValues = 0;
        this.update(machine, node);
        this.freeNode(machine, node);
        return;
      }
      const child: XaNode | null = node.children![0]!;
      if (child === null) return;
      this.head = child;
      child.parent = null;
      this.freeNode(machine, node);
      node = child;
    }
  }

  private clearNodeMark(leaf: XaNode, offset: number, mark: number): void {
    let node: XaNode | null = leaf;
    let at = offset;
    while (node !== null) {
      if (!node.hasMark(at, mark)) return;
      node.clearMark(at, mark);
      if (node.anyMark(mark)) return;
      at = node.offset;
      node = node.parent;
    }
    this.rootMarks &= ~(1 << mark);
  }

  private search(index: number, max: number, mark: number): Pgoff {
    if (index > max) return NO_INDEX;
    if (this.head === null) {
      return (index === 0 && this.rootEntry !== XA_NONE ? 0 : -1) as Pgoff;
    }
    // Most searches end in the leaf they begin in, which leafOf remembers.
    const leaf = this.leafOf(index);
    let at = index;
    if (leaf !== null) {
      const base = index - (index % XA_CHUNK_SIZE);
      const found = searchLeaf(leaf, index - base, Math.min(XA_CHUNK_SIZE - 1, max - base), mark);
      if (found >= 0) return (base + found) as Pgoff;
      at = base + XA_CHUNK_SIZE;
    }
    while (at <= max) {
      let node = this.head;
      if (at >= 2 ** (node.shift + XA_CHUNK_SHIFT)) return NO_INDEX;
      for (;;) {
        const span = 2 ** node.shift;
        let offset = Math.floor(at / span) % XA_CHUNK_SIZE;
        const start = offset;
        while (offset < XA_CHUNK_SIZE && !occupied(node, offset, mark)) offset += 1;
        if (offset !== start) at = (Math.floor(at / span) + (offset - start)) * span;
        // Nothing more under this node: at is the first index behind it, and the walk starts again from the top.
        if (offset === XA_CHUNK_SIZE) break;
        if (node.shift === 0) return (at <= max ? at : -1) as Pgoff;
        node = node.children![offset]!;
      }
    }
    return NO_INDEX;
  }

  // memory

  private newNode(machine: Machine, shift: number, parent: XaNode | null, offset: number): XaNode | null {
    const spare = this.spare;
    let memcg = payer(machine);
    if (spare !== null) {
      this.spare = null;
      memcg = spare.memcg;
    } else if (machine.slab.alloc(machine, 'radix_tree_node', memcg, __GFP_KSWAPD_RECLAIM | __GFP_NOWARN) < 0) {
      return null;
    }
    this.nodes += 1;
    return new XaNode(this, shift, parent, offset, memcg);
  }

  /** Outside the walk memory may be waited for; reclaim may then change this very tree. */
  private refill(machine: Machine, gfp: Gfp): boolean {
    const memcg = payer(machine);
    if (machine.slab.alloc(machine, 'radix_tree_node', memcg, gfp) < 0) {
      if (this.head !== null) this.trim(machine, this.head);
      return false;
    }
    this.spare = new XaNode(this, XA_CHUNK_SHIFT, null, 0, memcg);
    return true;
  }

  private dropSpare(machine: Machine): void {
    if (this.spare === null) return;
    machine.slab.free(machine, 'radix_tree_node', this.spare.memcg);
    this.spare = null;
  }

  /** A store failed half way: nodes that it made and nobody uses go again. */
  private trim(machine: Machine, node: XaNode): void {
    if (node.children !== null) for (const child of node.children) if (child !== null) this.trim(machine, child);
    if (node.count === 0 && !this.isFreed(node)) this.deleteEmpty(machine, node);
  }

  private isFreed(node: XaNode): boolean {
    return node.parent === null ? this.head !== node : node.parent.children![node.offset] !== node;
  }

  private freeNode(machine: Machine, node: XaNode): void {
    if (this.last.leaf === node) {
      this.last.leaf = null;
      this.last.base = -1;
    }
    this.nodes -= 1;
    machine.slab.free(machine, 'radix_tree_node', node.memcg);
  }

  private update(machine: Machine, node: XaNode): void {
    if (this.shrinkable) machine.shadowNodes.update(node);
  }
}

/** The first slot in [from, to] with an entry, and with `mark` if that is not -1; -1: none has one. */
function searchLeaf(leaf: XaNode, from: number, to: number, mark: number): number {
  const entries = leaf.entries!;
  for (let offset = from; offset <= to; offset++) {
    if (mark < 0 ? entries[offset] !== XA_NONE : leaf.hasMark(offset, mark)) return offset;
  }
  return -1;
}

function occupied(node: XaNode, offset: number, mark: number): boolean {
  if (mark >= 0) return node.hasMark(offset, mark);
  return node.shift === 0 ? node.entries![offset] !== XA_NONE : node.children![offset] !== null;
}

/** One cgroup's nodes that hold only shadows. */
class ShadowList {
  first: XaNode | null = null;
  last: XaNode | null = null;
  length = 0;
}

/**
 * Nodes that hold nothing but shadows, and the shrinker that frees the oldest when there are too many.
 * DIFFERS: one list per cgroup and not per node of memory; on a NUMA machine node 0 is asked for all of them.
 */
export class ShadowNodes implements ShrinkerOps {
  /** Nothing is lost that anybody would have to make again. */
  readonly seeks: number = 0;
  readonly batch: number = 0;
  readonly memcgAware: boolean = true;
  private readonly lists: ShadowList[] = [];

  get scanName(): string {
    return 'scan_shadow_nodes';
  }

  /** Called after each change of a node's counts (workingset_update_node). */
  update(node: XaNode): void {
    const onlyShadows = node.count > 0 && node.count === node.nrValues;
    if (onlyShadows === node.onShadowList) return;
    const list = this.listOf(node.memcg);
    if (onlyShadows) this.append(list, node);
    else this.unlink(list, node);
    modLruvecState(lruvecOfNode(node), WORKINGSET_NODES, onlyShadows ? 1 : -1);
    node.onShadowList = onlyShadows;
  }

  /** Nodes of a cgroup on the list. */
  length(memcg: MemCgroup): number {
    return this.lists[memcg.id]?.length ?? 0;
  }

  /** How many may go: those above an eighth of the cgroup's pages, at one shadow for each node (count_shadow_nodes). */
  count(machine: Machine, nid: number, memcg: MemCgroup): number {
    if (nid !== 0) return 0;
    const nodes = this.length(memcg);
    if (nodes === 0) return 0;
    const { chargesKernelMemory } = machine.generation.switches;
    // Before 4.5 all nodes are the machine's: a sixteenth of its memory may be theirs.
    const maxNodes = chargesKernelMemory
      ? Math.floor(pagesOfLruvec(memcg.lruvecs[nid]!) / 2 ** (XA_CHUNK_SHIFT - 3))
      : machine.totalPages >> 4;
    return nodes <= maxNodes ? 0 : nodes - maxNodes;
  }

  /** Frees up to `toScan` nodes, oldest first; how many (scan_shadow_nodes). */
  scan(machine: Machine, nid: number, memcg: MemCgroup, toScan: number): number {
    if (nid !== 0) return 0;
    const list = this.lists[memcg.id];
    let freed = 0;
    while (list !== undefined && list.first !== null && freed < toScan) {
      const node = list.first;
      const lruvec = lruvecOfNode(node);
      const array = node.array;
      // The tree may lose its top levels with it, but never another node of the list.
      array.deleteNode(machine, node);
      modLruvecState(lruvec, WORKINGSET_NODERECLAIM, 1);
      freed += 1;
    }
    return freed;
  }

  private listOf(memcg: MemCgroup): ShadowList {
    let list = this.lists[memcg.id];
    if (list === undefined) {
      for (let id = this.lists.length; id <= memcg.id; id++) this.lists.push(new ShadowList());
      list = this.lists[memcg.id]!;
    }
    return list;
  }

  private append(list: ShadowList, node: XaNode): void {
    node.shadowPrev = list.last;
    node.shadowNext = null;
    if (list.last === null) list.first = node;
    else list.last.shadowNext = node;
    list.last = node;
    list.length += 1;
  }

  private unlink(list: ShadowList, node: XaNode): void {
    if (node.shadowPrev === null) list.first = node.shadowNext;
    else node.shadowPrev.shadowNext = node.shadowNext;
    if (node.shadowNext === null) list.last = node.shadowPrev;
    else node.shadowNext.shadowPrev = node.shadowPrev;
    node.shadowPrev = null;
    node.shadowNext = null;
    list.length -= 1;
  }
}

/** Whose node it is. */
function payer(machine: Machine): MemCgroup {
  return machine.generation.switches.chargesKernelMemory ? machine.current.memcg : machine.rootMemcg;
}

function lruvecOfNode(node: XaNode): Lruvec {
  return node.memcg.lruvecs[0]!;
}

/** Pages of the cgroup's own lists, and of slab that is charged to it. */
function pagesOfLruvec(lruvec: Lruvec): number {
  let pages = 0;
  for (let lru = 0; lru < NR_LRU_LISTS; lru++) pages += lruvec.lruSize(lru, MAX_NR_ZONES - 1);
  const slabBytes = lruvec.stat[NR_SLAB_RECLAIMABLE]! + lruvec.stat[NR_SLAB_UNRECLAIMABLE]!;
  return pages + Math.floor(slabBytes / PAGE_SIZE);
}
