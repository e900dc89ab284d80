/**
 * Whose turn it is when the whole machine is short of memory: cgroups of a node in generations of their own.
 *
 *     seq 5:   gen 2 [eight bins]            gen 0 (seq + 1)
 *              bin 0  root, a                b           ◄── was aged, or is protected: its turn comes when gen 2 is empty
 *              bin 1  c  ◄── TAIL: once more
 *              …
 *
 * A reclaimer begins at a bin by chance, so that several do not meet.
 *
 * Owns      the order, LruGen.memcgGen and memcgSeg.
 * Promises  1. Each cgroup's lruvec is in one bin.
 *           2. The same machine chooses the same bins: chance is a sequence of its own.
 * Linux     6.18 mm/vmscan.c: lru_gen_rotate_memcg lru_gen_online_memcg shrink_many; include/linux/mmzone.h: lru_gen_memcg
 */
import type { Lruvec } from '../lruvec.ts';

/** Where a lruvec goes: behind the others of its generation, or to the next generation. 0: it stays. */
export const MEMCG_LRU_TAIL = 2;
export const MEMCG_LRU_YOUNG = 4;
const MEMCG_NR_GENS = 3;
const MEMCG_NR_BINS = 8;

export class MemcgLru {
  private seq = 1;
  private random = 0x9e3779b9;
  private readonly counts: number[] = [0, 0, 0];
  /** By generation and bin, from the head. */
  private readonly bins: Lruvec[][] = Array.from({ length: MEMCG_NR_GENS * MEMCG_NR_BINS }, () => []);

  /** A new cgroup has its turn soon. */
  add(lruvec: Lruvec): void {
    const gen = this.seq % MEMCG_NR_GENS;
    lruvec.lruGen!.memcgGen = gen;
    this.bins[gen * MEMCG_NR_BINS + this.anyBin()]!.push(lruvec);
    this.counts[gen]! += 1;
  }

  rotate(lruvec: Lruvec, where: number): void {
    const lruGen = lruvec.lruGen!;
    const bin = this.anyBin();
    const old = lruGen.memcgGen;
    const gen = where === MEMCG_LRU_YOUNG ? (this.seq + 1) % MEMCG_NR_GENS : old;
    lruGen.memcgSeg = where === MEMCG_LRU_TAIL ? where : 0;
    lruGen.memcgGen = gen;
    const from = this.bins.find((list) => list.includes(lruvec))!;
    from.splice(from.indexOf(lruvec), 1);
    this.bins[gen * MEMCG_NR_BINS + bin]!.push(lruvec);
    this.counts[old]! -= 1;
    this.counts[gen]! += 1;
    if (this.counts[old] === 0 && old === this.seq % MEMCG_NR_GENS) this.seq += 1;
  }

  /** Visits those whose turn it is, until `enough`; `shrink` says where each goes then. */
  visit(shrink: (lruvec: Lruvec) => number, enough: () => boolean): void {
    const gen = this.seq % MEMCG_NR_GENS;
    const firstBin = this.anyBin();
    for (let i = 0; i < MEMCG_NR_BINS; i++) {
      const bin = this.bins[gen * MEMCG_NR_BINS + ((firstBin + i) % MEMCG_NR_BINS)]!;
      // Those that come in meanwhile are met, too, if they are behind.
      for (let at = 0; at < bin.length; ) {
        const lruvec = bin[at]!;
        const where = shrink(lruvec);
        const done = enough();
        if (where !== 0) this.rotate(lruvec, where);
        if (done) return;
        if (bin[at] === lruvec) at += 1;
      }
    }
  }

  /** Everybody, in no order that matters. */
  *[Symbol.iterator](): IterableIterator<Lruvec> {
    for (const bin of this.bins) yield* bin;
  }

  private anyBin(): number {
    this.random ^= this.random << 13;
    this.random ^= this.random >>> 17;
    this.random ^= this.random << 5;
    return (this.random >>> 0) % MEMCG_NR_BINS;
  }
}
