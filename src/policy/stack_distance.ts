/**
 * How deep in an LRU stack each access finds its page: every size of an LRU cache in one pass.
 *
 * Owns      the stack, as positions in time; the histogram of depths.
 * Promises  1. Depths are exact: a cache of c pages under LRU hits exactly the accesses of depth 1 … c.
 *           2. Memory: 4 bytes for each page, 4 for each depth, half a byte for each page's place in time.
 * Source    R. Mattson, J. Gecsei, D. Slutz, I. Traiger: Evaluation techniques for storage hierarchies, IBM Systems Journal
 *           9(2), 1970. A tree over time: B. Bennett, V. Kruskal: LRU stack processing, IBM J. Res. Dev. 19(4), 1975.
 *
 * LRU is a stack algorithm: what a small cache holds, a larger one holds too. So pages lie on one stack, the last used on top; an
 * access of depth d hits every cache of d pages and more. The depth is 1 + the pages used since the page was used last:
 *
 *     time       0  1  2  3  4  5  6            bits: where each page was used last
 *     page       a  b  c  b  d  a  ?
 *     bits       .  .  1  1  1  1  .            now = 6; c was used last at 2: the bits behind it are 3, its depth is 4
 *
 * A row of bits is enough, if it is counted quickly. Three levels: words of 32; groups of GROUP positions with a count each;
 * blocks of BLOCK positions in a Fenwick tree, whose walk down (count what lies before) and walk up (one less here) together touch
 * each level once. Time is compressed: when the row is full, the bits that are left move to its front. All of it, but the place of
 * each page, is small enough for the CPU's caches; that is what makes it fast.
 *
 * Good at   all sizes at once, exactly; the lower reference for whatever claims to be better than LRU.
 * Bad at    saying what a kernel does: Linux does not see each access, and evicts in its own order.
 */

/** Positions in a group and in a block: 8 words, 16 groups. */
const GROUP_SHIFT = 8;
const BLOCK_SHIFT = 12;
const BLOCK = 1 << BLOCK_SHIFT;
/** Positions for each page, so that moving bits to the front is rare; and the fewest. */
const ROOM = 4;
const LEAST_POSITIONS = 1 << 16;
const NEVER = -1;
/** Depths are counted in 32 bits, and added up in time. */
const UNFOLDED = 2 ** 31;

export class StackDistances {
  accesses = 0;
  /** First accesses: they miss in every cache. */
  cold = 0;
  /** By page: the position of its last access. */
  private readonly last: Int32Array;
  private readonly bits: Int32Array;
  private readonly groups: Uint16Array;
  /** Blocks before the one at hand; 1-based, as Fenwick trees are. */
  private readonly tree: Int32Array;
  /** Where the next access goes. */
  private now = 0;
  /** By depth, from 1 on. */
  private readonly recent: Uint32Array;
  private readonly depths: Float64Array;
  private unfolded = 0;

  /** `pages`: ids are below that. */
  constructor(pages: number) {
    const positions = Math.ceil(Math.max(LEAST_POSITIONS, pages * ROOM) / BLOCK) * BLOCK;
    this.last = new Int32Array(pages).fill(NEVER);
    this.bits = new Int32Array(positions >> 5);
    this.groups = new Uint16Array(positions >> GROUP_SHIFT);
    this.tree = new Int32Array((positions >> BLOCK_SHIFT) + 1);
    this.recent = new Uint32Array(pages + 1);
    this.depths = new Float64Array(pages + 1);
  }

  /** The next `count` accesses. */
  access(ids: Int32Array, count: number): void {
    if (this.unfolded + count > UNFOLDED) this.fold();
    this.unfolded += count;
    this.accesses += count;
    for (let from = 0; from < count; ) {
      if (this.now === this.bits.length << 5) this.compact();
      // To the end of the block at hand.
      const to = Math.min(count, from + BLOCK - (this.now & (BLOCK - 1)));
      this.accessInBlock(ids, from, to);
      from = to;
      if ((this.now & (BLOCK - 1)) === 0) this.endBlock((this.now >> BLOCK_SHIFT) - 1);
    }
  }

  /** Hits of a cache of 0, 1, 2 … pages. */
  hits(): Float64Array {
    this.fold();
    const hits = this.depths.slice();
    for (let size = 1; size < hits.length; size++) hits[size]! += hits[size - 1]!;
    return hits;
  }

  private accessInBlock(ids: Int32Array, from: number, to: number): void {
    const { last, bits, groups, tree, recent } = this;
    const blocks = tree.length;
    const block = this.now >> BLOCK_SHIFT;
    let { now, cold } = this;
    for (let i = from; i < to; i++) {
      const id = ids[i]!;
      const at = last[id]!;
      last[id] = now;
      if (at === NEVER) cold += 1;
      else {
        const word = at >> 5;
        const group = at >> GROUP_SHIFT;
        const old = at >> BLOCK_SHIFT;
        // Pages whose last access is at `at` or before.
        let before = 0;
        for (let b = old; b > 0; b &= b - 1) before += tree[b]!;
        for (let g = old << (BLOCK_SHIFT - GROUP_SHIFT); g < group; g++) before += groups[g]!;
        for (let w = group << (GROUP_SHIFT - 5); w < word; w++) {
          let v = bits[w]!;
          v -= (v >>> 1) & 0x55555555;
          v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
          before += Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
        }
        const whole = bits[word]!;
        let v = whole & (-1 >>> (31 - (at & 31)));
        v -= (v >>> 1) & 0x55555555;
        v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
        before += Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
        recent[cold - before + 1]! += 1;
        bits[word] = whole & ~(1 << at);
        groups[group]! -= 1;
        if (old !== block) for (let b = old + 1; b < blocks; b += b & -b) tree[b]! -= 1;
      }
      bits[now >> 5]! |= 1 << now;
      groups[now >> GROUP_SHIFT]! += 1;
      now += 1;
    }
    this.now = now;
    this.cold = cold;
  }

  /** A block is full: what is left of it goes into the tree. */
  private endBlock(block: number): void {
    const { groups, tree } = this;
    const perBlock = 1 << (BLOCK_SHIFT - GROUP_SHIFT);
    let left = 0;
    for (let g = block * perBlock; g < (block + 1) * perBlock; g++) left += groups[g]!;
    for (let b = block + 1; b < tree.length; b += b & -b) tree[b]! += left;
  }

  /** The bits that are left move to the front of the row, each page's place with them. */
  private compact(): void {
    const { last, bits, groups, tree } = this;
    const before = new Int32Array(bits.length);
    let alive = 0;
    for (let w = 0; w < bits.length; w++) {
      before[w] = alive;
      alive += popcount(bits[w]!);
    }
    for (let id = 0; id < last.length; id++) {
      const at = last[id]!;
      if (at !== NEVER) last[id] = before[at >> 5]! + popcount(bits[at >> 5]! & ((1 << (at & 31)) - 1));
    }
    bits.fill(0);
    groups.fill(0);
    tree.fill(0);
    bits.fill(-1, 0, alive >> 5);
    if ((alive & 31) !== 0) bits[alive >> 5] = (1 << (alive & 31)) - 1;
    for (let at = 0, g = 0; at < alive; at += 1 << GROUP_SHIFT, g++) groups[g] = Math.min(1 << GROUP_SHIFT, alive - at);
    this.now = alive;
    for (let block = 0; block < alive >> BLOCK_SHIFT; block++) this.endBlock(block);
  }

  private fold(): void {
    for (let depth = 0; depth < this.depths.length; depth++) this.depths[depth]! += this.recent[depth]!;
    this.recent.fill(0);
    this.unfolded = 0;
  }
}

function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
