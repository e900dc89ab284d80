/**
 * CLOCK: the page that came first leaves, unless it was accessed since the hand last passed. Also called second chance.
 *
 *     ring        [ 7 | 3 | 9 | 4 ]       5 comes: 3 was accessed, so its bit is cleared and the hand moves on;
 *     accessed      1   1   0   1         9 was not, so it leaves and 5 takes its place
 *                       ▲ hand            [ 7 | 3 | 5 | 4 ]
 *                                           1   0   0   1
 *                                                       ▲
 * Nearly as good as LRU, for one bit a page that the hardware sets. The hand may go round once, so a fault may cost
 * `capacity` tests; on average it is as many as there were hits on pages whose bit was clear.
 */
import type { AccessedBitPolicy, BitMemory, SeesFaults } from './policy.ts';

class Clock implements SeesFaults {
  private readonly memory: BitMemory;
  private readonly ring: Int32Array;
  private hand = 0;

  constructor(memory: BitMemory) {
    this.memory = memory;
    this.ring = new Int32Array(Math.min(memory.capacity, memory.pages));
  }

  fault(page: number): void {
    const { memory, ring } = this;
    if (memory.full) {
      while (memory.testAndClearAccessed(ring[this.hand]!)) this.advance();
      memory.evict(ring[this.hand]!);
    }
    ring[this.hand] = page;
    this.advance();
  }

  private advance(): void {
    this.hand += 1;
    if (this.hand === this.ring.length) this.hand = 0;
  }
}

export const clock: AccessedBitPolicy = {
  name: 'CLOCK',
  about: 'the page that came first leaves, unless it was accessed since it was last considered',
  sees: 'accessed bits',
  start: (memory) => new Clock(memory),
};
