/**
 * Random: any page leaves, each with the same chance.
 *
 *     places      [ 7 | 3 | 9 | 4 ]        5 comes: place 2 is drawn, 9 leaves        [ 7 | 3 | 5 | 4 ]
 *
 * It keeps no record at all, and no pattern of accesses can be its worst case. The draw is seeded: one stream, one result.
 */
import type { AccessedBitPolicy, BitMemory, SeesFaults } from './policy.ts';

const SEED = 1;

class RandomPages implements SeesFaults {
  private readonly memory: BitMemory;
  private readonly places: Int32Array;
  private used = 0;
  private state = SEED;

  constructor(memory: BitMemory) {
    this.memory = memory;
    this.places = new Int32Array(Math.min(memory.capacity, memory.pages));
  }

  fault(page: number): void {
    let place = this.used;
    if (this.memory.full) {
      place = this.draw(this.places.length);
      this.memory.evict(this.places[place]!);
    } else {
      this.used += 1;
    }
    this.places[place] = page;
  }

  /** 0 … n-1: xorshift32, scaled. */
  private draw(n: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return Math.floor(((x >>> 0) / 2 ** 32) * n);
  }
}

export const random: AccessedBitPolicy = {
  name: 'random',
  about: 'any page leaves',
  sees: 'accessed bits',
  start: (memory) => new RandomPages(memory),
};
