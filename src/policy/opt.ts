/**
 * OPT: the page whose next access lies farthest in the future leaves. No policy that brings pages in one by one, on demand,
 * misses less.
 *
 *     next accesses of the pages in memory, as bits on the line of time
 *
 *     now   ▼
 *           0 0 1 0 0 0 1 0 0 0 0 0 0 1 0 0        the last bit says who leaves; pages that are never accessed again go first
 *           ─── or ─── ─── or ─── … 32 to 1        levels above say where bits are, so the last one is a few steps away
 *
 * A bound, not a policy: it needs the whole recording. Takes 4 bytes an access, and as much for the next accesses.
 * Source: Belady: A study of replacement algorithms for a virtual-storage computer. IBM Systems Journal 1966.
 */
import { type FuturePolicy, type Memory, NEVER, type SeesFuture } from './policy.ts';

/** A set of numbers below `limit` that knows its largest. */
class BitLevels {
  /** From the numbers themselves up to one word. */
  private readonly levels: Uint32Array[] = [];

  constructor(limit: number) {
    let words = limit;
    do {
      words = Math.ceil(words / 32);
      this.levels.push(new Uint32Array(words));
    } while (words > 1);
  }

  add(number: number): void {
    let at = number;
    for (const level of this.levels) {
      const old = level[at >>> 5]!;
      level[at >>> 5] = old | (1 << (at & 31));
      if (old !== 0) return;
      at >>>= 5;
    }
  }

  delete(number: number): void {
    let at = number;
    for (const level of this.levels) {
      const left = level[at >>> 5]! & ~(1 << (at & 31));
      level[at >>> 5] = left;
      if (left !== 0) return;
      at >>>= 5;
    }
  }

  /** Of a set that is not empty. */
  largest(): number {
    let at = 0;
    for (let i = this.levels.length - 1; i >= 0; i--) at = (at << 5) | (31 - Math.clz32(this.levels[i]![at]!));
    return at;
  }
}

class Opt implements SeesFuture {
  private readonly memory: Memory;
  private readonly expected: BitLevels;
  /** Who is accessed at that time. */
  private readonly pageAt: Int32Array;
  /** Pages in memory that are never accessed again. */
  private readonly done: Int32Array;
  private dones = 0;

  constructor(memory: Memory, accesses: number) {
    this.memory = memory;
    this.expected = new BitLevels(Math.max(1, accesses));
    this.pageAt = new Int32Array(accesses);
    this.done = new Int32Array(Math.min(memory.capacity, memory.pages));
  }

  hit(page: number, now: number, next: number): void {
    this.expected.delete(now);
    this.expect(page, next);
  }

  miss(page: number, _now: number, next: number): void {
    if (this.memory.full) this.memory.evict(this.takeLast());
    this.expect(page, next);
  }

  private takeLast(): number {
    if (this.dones > 0) return this.done[--this.dones]!;
    const time = this.expected.largest();
    this.expected.delete(time);
    return this.pageAt[time]!;
  }

  private expect(page: number, next: number): void {
    if (next === NEVER) {
      this.done[this.dones++] = page;
    } else {
      this.expected.add(next);
      this.pageAt[next] = page;
    }
  }
}

export const opt: FuturePolicy = {
  name: 'OPT',
  about: "Belady's bound: the page whose next access is farthest away leaves",
  sees: 'the future',
  start: (memory, accesses) => new Opt(memory, accesses),
};
