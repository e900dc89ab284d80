/**
 * Chance that repeats itself: the same seed, the same draws, on every machine.
 *
 * Promises  Nothing else in the fuzzer is random: no clock, no Math.random.
 */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number from 0 to below `end` (mulberry32). */
  below(end: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let x = this.state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % end;
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** Each of them with this chance; `least` of them at least. */
  some<T>(from: readonly T[], percent: number, least = 0): T[] {
    const taken = from.filter(() => this.chance(percent));
    for (let missing = least - taken.length; missing > 0; missing--) {
      taken.push(this.pick(from.filter((one) => !taken.includes(one))));
    }
    return taken;
  }

  /** One of them, by weight; at least one weight is above 0. */
  weighted<T>(from: readonly T[], weightOf: (one: T) => number): T {
    const total = from.reduce((sum, one) => sum + weightOf(one), 0);
    let rest = this.below(total);
    for (const one of from) {
      rest -= weightOf(one);
      if (rest < 0) return one;
    }
    return from.at(-1)!;
  }
}
