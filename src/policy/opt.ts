/**
 * The fewest misses that any policy can have: Belady's OPT, for given numbers of pages.
 *
 * Owns      next uses; the choice of the page that is used again last.
 * Promises  1. Exact: no policy that brings a page in when it is used, as a kernel must, misses less.
 *           2. Memory: 4 bytes for each access, and an eighth of a byte for each while a capacity is counted.
 * Source    L. Belady: A study of replacement algorithms for a virtual-storage computer, IBM Systems Journal 5(2), 1966.
 *
 * When the cache is full, the page goes whose next use is farthest away. It is known by that time, so a cache is a row of bits over
 * time: a bit stands where a page that is in the cache will be used next.
 *
 *     time        0  1  2  3  4  5  6
 *     page        a  b  c  a  b  c  a        2 pages: at time 2, a (next at 3) and b (next at 4) are in; b goes, c (5) comes
 *     bits at 2   .  .  .  1  1  .  .   ──►   bits at 3   .  .  .  1  .  1  .     time 3 has its bit: a hit
 *
 * An access hits if its time has its bit. Whoever goes is the last bit; two rows above say which words and which of those have bits.
 * Pages that are never used again have no bit; they are counted, and go first.
 *
 * Good at   saying what is left to gain: a policy that is near OPT need not be made better.
 * Bad at    being built: it knows the future. No kernel comes near it on data that is read once.
 */
import { NEVER } from './policy.ts';
import type { PageStream } from './stream.ts';

const NOT_YET = -1;
/** What an Int32Array of next uses may take: 2 GiB. */
const MOST_ACCESSES = 2 ** 29;

export class NextUses {
  /** By access: the time of the next one to the same page, or NEVER. */
  readonly next: Int32Array;

  /** Null: the stream is longer than what can be held. */
  static of(stream: PageStream): NextUses | null {
    return stream.accesses > MOST_ACCESSES ? null : new NextUses(stream);
  }

  private constructor(stream: PageStream) {
    const next = new Int32Array(stream.accesses).fill(NEVER);
    const last = new Int32Array(stream.pages).fill(NOT_YET);
    let now = 0;
    stream.forEach((ids, _writes, count) => {
      for (let i = 0; i < count; i++) {
        const id = ids[i]!;
        const at = last[id]!;
        if (at !== NOT_YET) next[at] = now;
        last[id] = now;
        now += 1;
      }
    });
    this.next = next;
  }

  /** Misses of a cache of `pages` pages, first accesses included. */
  misses(pages: number): number {
    const { next } = this;
    if (pages < 1) return next.length;
    const times = new TimeSet(next.length);
    const { words } = times;
    let misses = 0;
    let held = 0;
    let unused = 0;
    for (let now = 0; now < next.length; now++) {
      if ((words[now >> 5]! & (1 << now)) !== 0) times.remove(now);
      else {
        misses += 1;
        if (held < pages) held += 1;
        else if (unused > 0) unused -= 1;
        else times.removeLast();
      }
      const again = next[now]!;
      if (again === NEVER) unused += 1;
      else times.add(again);
    }
    return misses;
  }
}

/** Times, as bits; rows of words above that say which words are not 0. */
export class TimeSet {
  readonly words: Int32Array;
  private readonly middle: Int32Array;
  private readonly top: Int32Array;
  /** No bit stands behind this word of `top`. */
  private highest = 0;

  constructor(times: number) {
    this.words = new Int32Array((times >> 5) + 1);
    this.middle = new Int32Array((times >> 10) + 1);
    this.top = new Int32Array((times >> 15) + 1);
  }

  add(time: number): void {
    const { words, middle, top } = this;
    const word = words[time >> 5]!;
    words[time >> 5] = word | (1 << time);
    if (word !== 0) return;
    middle[time >> 10]! |= 1 << (time >> 5);
    const high = time >> 15;
    top[high]! |= 1 << (time >> 10);
    if (high > this.highest) this.highest = high;
  }

  remove(time: number): void {
    const { words, middle, top } = this;
    const word = words[time >> 5]! & ~(1 << time);
    words[time >> 5] = word;
    if (word !== 0) return;
    const above = middle[time >> 10]! & ~(1 << (time >> 5));
    middle[time >> 10] = above;
    if (above === 0) top[time >> 15]! &= ~(1 << (time >> 10));
  }

  /** There is one. */
  removeLast(): number {
    const { words, middle, top } = this;
    while (top[this.highest] === 0) this.highest -= 1;
    const m = (this.highest << 5) + 31 - Math.clz32(top[this.highest]!);
    const w = (m << 5) + 31 - Math.clz32(middle[m]!);
    const time = (w << 5) + 31 - Math.clz32(words[w]!);
    this.remove(time);
    return time;
  }
}
