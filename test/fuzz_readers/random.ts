/** A random stream: the same seed gives the same numbers (xorshift, 32 bits). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  }

  /** A whole number from 0 up to, and not including, `n`. */
  below(n: number): number {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return Math.floor(((s >>> 0) / 2 ** 32) * n);
  }

  /** One of them; there is one. */
  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)]!;
  }
}
