/**
 * FIFO: the page that came first leaves, however often it was accessed.
 *
 *     ring of `capacity` places      [ 7 | 3 | 9 | 4 ]        5 comes: 3, the oldest, leaves, and 5 takes its place
 *                                          ▲ hand                     [ 7 | 5 | 9 | 4 ]
 *                                                                               ▲
 * It needs to know nothing but faults. More memory can make it worse (Belady's anomaly).
 */
import type { AccessedBitPolicy, BitMemory, SeesFaults } from './policy.ts';

class Fifo implements SeesFaults {
  private readonly memory: BitMemory;
  private readonly ring: Int32Array;
  private hand = 0;

  constructor(memory: BitMemory) {
    this.memory = memory;
    this.ring = new Int32Array(Math.min(memory.capacity, memory.pages));
  }

  fault(page: number): void {
    if (this.memory.full) this.memory.evict(this.ring[this.hand]!);
    this.ring[this.hand] = page;
    this.hand += 1;
    if (this.hand === this.ring.length) this.hand = 0;
  }
}

export const fifo: AccessedBitPolicy = {
  name: 'FIFO',
  about: 'the page that came first leaves',
  sees: 'accessed bits',
  start: (memory) => new Fifo(memory),
};
