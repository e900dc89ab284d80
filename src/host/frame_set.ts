/**
 * A set of frames, a bit each, and the place of each in it.
 *
 * Owns      the bits, and the counts that make them an index: two words of 32 bits for 32 frames of memory. Most of a host's
 *           frames are mapped by nobody, so a table over the set is far smaller than one over memory.
 * Promises  1. Places are 0 … size − 1, in the order of the frames.
 *           2. Those of the last `rank()`: who adds frames behind it calls it again before he asks for a place.
 */

import { type EntryTable, isMapped } from './snapshot.ts';

export class FrameSet {
  /** Frames from `count` on are in no set. */
  readonly count: number;
  /** A word of bits, and the members before it, side by side: one line of the cache. Signed, so that V8 has small integers. */
  private readonly words: Int32Array;

  constructor(count: number) {
    this.count = count;
    this.words = new Int32Array(2 * Math.ceil(count / 32));
  }

  add(pfn: number): void {
    this.words[2 * (pfn >>> 5)]! |= 1 << (pfn & 31);
  }

  has(pfn: number): boolean {
    return (this.words[2 * (pfn >>> 5)]! & (1 << (pfn & 31))) !== 0;
  }

  /** In order. */
  each(frame: (pfn: number) => void): void {
    const { words } = this;
    for (let at = 0; at < words.length; at += 2)
      for (let left = words[at]!; left !== 0; left &= left - 1) frame(16 * at + 31 - Math.clz32(left & -left));
  }

  /** Gives each frame its place; how many there are. */
  rank(): number {
    const { words } = this;
    let size = 0;
    for (let at = 0; at < words.length; at += 2) {
      words[at + 1] = size;
      if (words[at] !== 0) size += ones(words[at]!);
    }
    return size;
  }

  /** Of a member. */
  placeOf(pfn: number): number {
    const at = 2 * (pfn >>> 5);
    return this.words[at + 1]! + ones(this.words[at]! & ((1 << (pfn & 31)) - 1));
  }
}

/** Frames of memory that entries name; `frames` of them there are. */
export function framesNamed({ count, value, bits }: Pick<EntryTable, 'count' | 'value' | 'bits'>, frames: number) {
  const set = new FrameSet(frames);
  for (let row = 0; row < count; row++) if (isMapped(bits[row]!) && value[row]! < frames) set.add(value[row]!);
  return set;
}

/** How many bits of a word are 1: summed in pairs, fours and bytes, and the bytes by a product. */
function ones(word: number): number {
  const pairs = (word - ((word >>> 1) & 0x5555_5555)) | 0;
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
