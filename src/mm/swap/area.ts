/**
 * One swap area: struct swap_info_struct, its slots as columns, and its clusters of 512 slots (256 before 4.18).
 *
 * Owns      every column of a slot, and the lists of clusters. Everybody else speaks the verbs below.
 * Promises  1. A slot costs 20 bytes, and using one allocates nothing.
 *           2. A cluster is on at most one list; its flag says which.
 * Linux     6.18 include/linux/swap.h: swap_info_struct; mm/swap.h: swap_cluster_info; mm/swap_table.h
 *
 *   column    bytes  meaning
 *   map           1  who needs the slot (below)
 *   table         8  the page that is in the swap cache (-1 - frame), or the shadow that it left, or 0: 6.18's swap table
 *   token         8  what the slot holds
 *   zeromap       1  6.12 and later: the page was all zeros and nothing was written
 *   memcg         2  the cgroup that is charged for it; 0 is none
 *
 * A byte of the map:
 *
 *    7          6          5 … 0
 *    CONTINUED  HAS_CACHE  entries that point to the slot, 0 to 0x3e; 0x3f is BAD, and with CONTINUED it is SHMEM
 */
import type { BlockDevice } from '../block.ts';
import { bugOn } from '../bug.ts';
import { NO_PFN, type Pfn, type Token } from '../units.ts';

export const SWAP_MAP_MAX = 0x3e;
export const SWAP_MAP_BAD = 0x3f;
/** The swap cache needs the slot, or the allocator has just given it away. */
export const SWAP_HAS_CACHE = 0x40;
export const COUNT_CONTINUED = 0x80;
/** One page of tmpfs needs it, whatever maps that page. */
export const SWAP_MAP_SHMEM = 0xbf;
export const SWAPFILE_CLUSTER = 512;
/** No cluster, no offset: slot 0 is the header. */
export const NO_CLUSTER = -1;
export const NO_OFFSET = 0;

/** On no list: somebody allocates from it. */
export const CLUSTER_NONE = 0;
export const CLUSTER_FREE = 1;
/** Lost a slot since it was last allocated from. */
export const CLUSTER_NONFULL = 2;
/** Allocated from, and not yet full. */
export const CLUSTER_FRAG = 3;
export const CLUSTER_FULL = 4;
const NR_LISTS = 5;

/** The clusters of an area: how many slots of each are taken, and which list it stands on. */
export class Clusters {
  readonly length: number;
  /** Slots in each. */
  readonly slots: number;
  private readonly taken: Uint16Array;
  private readonly flags: Uint8Array;
  /** Links; the heads of the lists are rows behind the last cluster. */
  private readonly next: Int32Array;
  private readonly prev: Int32Array;

  constructor(length: number, slots: number) {
    this.length = length;
    this.slots = slots;
    this.taken = new Uint16Array(length);
    this.flags = new Uint8Array(length);
    this.next = new Int32Array(length + NR_LISTS);
    this.prev = new Int32Array(length + NR_LISTS);
    for (let list = 0; list < NR_LISTS; list++) {
      this.next[length + list] = length + list;
      this.prev[length + list] = length + list;
    }
  }

  count(cluster: number): number {
    return this.taken[cluster]!;
  }
  inc(cluster: number): void {
    bugOn(this.taken[cluster]! >= this.slots, 'a cluster has no more slots than it has', cluster);
    this.taken[cluster]! += 1;
  }
  /** Returns how many are left. */
  dec(cluster: number): number {
    bugOn(this.taken[cluster] === 0, 'a slot is given back only once', cluster);
    this.taken[cluster]! -= 1;
    return this.taken[cluster]!;
  }
  flag(cluster: number): number {
    return this.flags[cluster]!;
  }
  /** The first on a list, or NO_CLUSTER. */
  first(list: number): number {
    const first = this.next[this.length + list]!;
    return first >= this.length ? NO_CLUSTER : first;
  }
  /** The one behind `cluster` on its list, or NO_CLUSTER. */
  nextOnList(cluster: number): number {
    const next = this.next[cluster]!;
    return next >= this.length ? NO_CLUSTER : next;
  }
  /** To the tail of `list`; CLUSTER_NONE takes it off. */
  move(cluster: number, list: number): void {
    if (this.flags[cluster] !== CLUSTER_NONE) {
      const next = this.next[cluster]!;
      const prev = this.prev[cluster]!;
      this.next[prev] = next;
      this.prev[next] = prev;
    }
    this.flags[cluster] = list;
    if (list === CLUSTER_NONE) return;
    const head = this.length + list;
    const last = this.prev[head]!;
    this.next[cluster] = head;
    this.prev[cluster] = last;
    this.next[last] = cluster;
    this.prev[head] = cluster;
  }
}

export class SwapInfo {
  readonly type: number;
  /** Slots, the header included; usable ones are `pages`. */
  readonly max: number;
  readonly pages: number;
  prio: number;
  /** It was given no priority and got a negative one. */
  readonly autoPriority: boolean;
  /** Where the data goes; null for memory (zram), which is done at once: SWP_SYNCHRONOUS_IO. */
  readonly device: BlockDevice | null;
  /** A disk that turns: not SWP_SOLIDSTATE. */
  readonly rotational: boolean;
  /** SWP_WRITEOK: slots may be taken. */
  writeok = false;
  inusePages = 0;
  /** Not a file of a file system: SWP_BLKDEV. */
  blockDevice = true;
  /** Full while half of all swap is taken: look through the full clusters soon (reclaim_work). */
  reclaimWork = false;
  readonly clusters: Clusters;
  /** 6.18, rotational: where the next slot of the area's one cluster is looked for. */
  globalNext = NO_OFFSET;
  /** 6.1: no free slot is below or above; where the next scan starts; slots left in a rotating disk's cluster. */
  lowestBit = 1;
  highestBit: number;
  clusterNext = 1;
  clusterNr = 0;
  /** 6.1, solid state: the CPU's cluster, and where it goes on in it. */
  cpuCluster = NO_CLUSTER;
  cpuNext = 0;
  private readonly map: Uint8Array;
  private readonly table: Float64Array;
  private readonly tokens: Float64Array;
  private readonly zeromap: Uint8Array;
  private readonly memcgs: Uint16Array;
  /** Counts above SWAP_MAP_MAX: how many times 0x3f entries a slot has beside those in its byte. */
  private readonly continued: Map<number, number> = new Map();

  constructor(
    type: number,
    max: number,
    prio: number,
    auto: boolean,
    device: BlockDevice | null,
    rotational: boolean,
    clusterSlots: number = SWAPFILE_CLUSTER,
  ) {
    this.type = type;
    this.max = max;
    this.pages = max - 1;
    this.prio = prio;
    this.autoPriority = auto;
    this.device = device;
    this.rotational = rotational;
    this.highestBit = max - 1;
    this.map = new Uint8Array(max);
    this.table = new Float64Array(max);
    this.tokens = new Float64Array(max);
    this.zeromap = new Uint8Array(max);
    this.memcgs = new Uint16Array(max);
    this.clusters = new Clusters(Math.ceil(max / clusterSlots), clusterSlots);
    this.map[0] = SWAP_MAP_BAD;
    this.clusters.inc(0);
    // What is missing from the last cluster counts as taken.
    for (let slot = max; slot < this.clusters.length * clusterSlots; slot++)
      this.clusters.inc(this.clusters.length - 1);
  }

  // the map

  usage(offset: number): number {
    return this.map[offset]!;
  }
  setUsage(offset: number, usage: number): void {
    this.map[offset] = usage;
  }
  /** Without HAS_CACHE; CONTINUED may be set. */
  count(offset: number): number {
    return this.map[offset]! & ~SWAP_HAS_CACHE;
  }
  /** Another 0x3f entries beside those in the byte. */
  addContinuation(offset: number): void {
    this.continued.set(offset, (this.continued.get(offset) ?? 0) + 1);
  }
  /** 0x3f entries less beside the byte; true if some remain. */
  dropContinuation(offset: number): boolean {
    const left = (this.continued.get(offset) ?? 0) - 1;
    bugOn(left < 0, 'a count that is continued has a continuation', offset);
    if (left === 0) this.continued.delete(offset);
    else this.continued.set(offset, left);
    return left > 0;
  }
  /** How many entries point to the slot; of a page of tmpfs 1. */
  exactCount(offset: number): number {
    const count = this.count(offset);
    if (count === SWAP_MAP_SHMEM) return 1;
    if ((count & COUNT_CONTINUED) === 0) return count;
    return (count & ~COUNT_CONTINUED) + (this.continued.get(offset) ?? 0) * (SWAP_MAP_MAX + 1);
  }
  /** First slot from `from` on that anybody needs; NO_OFFSET if none. */
  nextInUse(from: number): number {
    for (let offset = from; offset < this.max; offset++) {
      const usage = this.map[offset]!;
      if (usage !== 0 && usage !== SWAP_MAP_BAD) return offset;
    }
    return NO_OFFSET;
  }

  // the swap cache

  cached(offset: number): Pfn {
    const entry = this.table[offset]!;
    return entry < 0 ? ((-1 - entry) as Pfn) : NO_PFN;
  }
  setCached(offset: number, pfn: Pfn): void {
    this.table[offset] = -1 - pfn;
  }
  /** What the page left behind when it was evicted; 0 if nothing. */
  shadow(offset: number): number {
    const entry = this.table[offset]!;
    return entry > 0 ? entry : 0;
  }
  /** Instead of a page or another shadow; 0 leaves nothing. */
  setShadow(offset: number, shadow: number): void {
    this.table[offset] = shadow;
  }

  // what is stored, and who pays

  token(offset: number): Token {
    return this.tokens[offset]! as Token;
  }
  setToken(offset: number, token: Token): void {
    this.tokens[offset] = token;
  }
  isZero(offset: number): boolean {
    return this.zeromap[offset] !== 0;
  }
  setZero(offset: number, zero: boolean): void {
    this.zeromap[offset] = zero ? 1 : 0;
  }
  memcgId(offset: number): number {
    return this.memcgs[offset]!;
  }
  setMemcgId(offset: number, id: number): void {
    this.memcgs[offset] = id;
  }
}
