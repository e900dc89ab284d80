/**
 * SIEVE: a queue in the order of arrival, and a hand that sifts it towards the newest: who was not accessed since the hand
 * last passed leaves, the others stay where they are.
 *
 *     newest  5   7   3   9   4  oldest        6 comes: the hand clears 9 and 3 as it passes, and 7 leaves
 *     accessed    0   1   1   0
 *                         ▲ hand               newest  6   5   3   9   4  oldest
 *                                                          ▲   0   0   0
 *
 * The difference from CLOCK is that a survivor is not moved behind the newcomers. So the old and popular gather at one end,
 * the hand spends its time among the new, and most of what is accessed once leaves soon.
 * Source: Zhang, Yang, Yue, Vigfusson, Rashmi: SIEVE is Simpler than LRU. NSDI 2024.
 */
import type { AccessedBitPolicy, BitMemory, SeesFaults } from './policy.ts';

const NOBODY = -1;

/** Pages lie in places, which a newcomer takes over; a queue of places stays in the CPU's caches where one of pages does not. */
class Sieve implements SeesFaults {
  private readonly memory: BitMemory;
  private readonly pageIn: Int32Array;
  /** The neighbour towards the newest. The other is not needed: the hand comes from there. */
  private readonly newer: Int32Array;
  private used = 0;
  private newest = NOBODY;
  private oldest = NOBODY;
  /** NOBODY: the hand is behind the newest, and starts again at the oldest. */
  private hand = NOBODY;
  private passed = NOBODY;

  constructor(memory: BitMemory) {
    const places = Math.min(memory.capacity, memory.pages);
    this.memory = memory;
    this.pageIn = new Int32Array(places);
    this.newer = new Int32Array(places);
  }

  fault(page: number): void {
    const place = this.memory.full ? this.sift() : this.used++;
    this.pageIn[place] = page;
    this.newer[place] = NOBODY;
    if (this.newest === NOBODY) this.oldest = place;
    else this.newer[this.newest] = place;
    this.newest = place;
  }

  /** Evicts, and says which place is free. */
  private sift(): number {
    const { memory, newer, pageIn } = this;
    let at = this.hand === NOBODY ? this.oldest : this.hand;
    let passed = this.hand === NOBODY ? NOBODY : this.passed;
    while (memory.testAndClearAccessed(pageIn[at]!)) {
      passed = at;
      at = newer[at]!;
      if (at !== NOBODY) continue;
      passed = NOBODY;
      at = this.oldest;
    }
    const next = newer[at]!;
    if (passed === NOBODY) this.oldest = next;
    else newer[passed] = next;
    if (next === NOBODY) this.newest = passed;
    this.hand = next;
    this.passed = passed;
    memory.evict(pageIn[at]!);
    return at;
  }
}

export const sieve: AccessedBitPolicy = {
  name: 'SIEVE',
  about: 'CLOCK, but survivors keep their place in the queue',
  sees: 'accessed bits',
  start: (memory) => new Sieve(memory),
};
