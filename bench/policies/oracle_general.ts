/**
 * A trace of libCacheSim's format oracleGeneral as a stream of page numbers: each object is a page.
 *
 *     bytes  0         4                  12         16                    24
 *            time, s   object             size       when it comes next    …      24 bytes a request, little-endian
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { PageStream } from '../../src/policy/stream.ts';

export const RECORD_WORDS = 6;
const BATCH = 4096;
const FIBONACCI = 0x9e3779b1 | 0; // 2**32 / golden ratio: neighbours land far apart
const NOBODY = 0;
/** Objects below it are pages or blocks of something, and lie close together. */
const PLACES = 2 ** 24;

/**
 * Numbers objects 1, 2, 3 … as they come.
 *
 *     places   [ 0 | 2 | 1 | 0 | … ]              by object, if it is below PLACES: its number, 0 if it was not met
 *     first    [ 0 | 17 | 0 | 3 | … ]             the others are hashed: the first number of each chain
 *     next     [ 0 | 0 | 29 | … ]                 by number: the following one
 *     objects  [ low, high | low, high | … ]      by number
 */
class Numbering {
  count = 0;
  private readonly places = new Int32Array(PLACES);
  private first = new Int32Array(1 << 16);
  private next = new Int32Array(1 << 16);
  private objects = new Int32Array(2 << 16);

  /** Of `count` requests; the stream's numbers begin at 0. */
  number(words: Int32Array, count: number, numbers: Int32Array, at: number): void {
    const { places } = this;
    for (let i = 0, word = 1; i < count; i++, word += RECORD_WORDS) {
      const low = words[word]!;
      if (words[word + 1] === 0 && low >>> 0 < PLACES) {
        let number = places[low]!;
        if (number === NOBODY) places[low] = number = ++this.count;
        numbers[at + i] = number - 1;
      } else {
        numbers[at + i] = this.find(low, words[word + 1]!) - 1;
      }
    }
  }

  /** Who came first, and so comes often, is first in its chain. */
  private find(low: number, high: number): number {
    const { first, next, objects } = this;
    let last = NOBODY;
    let number = first[slotOf(low, high) & (first.length - 1)]!;
    while (number !== NOBODY) {
      if (objects[2 * number] === low && objects[2 * number + 1] === high) return number;
      last = number;
      number = next[number]!;
    }
    return this.append(last, low, high);
  }

  private append(last: number, low: number, high: number): number {
    if (this.count + 1 === this.next.length) {
      this.grow();
      return this.find(low, high);
    }
    const number = ++this.count;
    this.objects[2 * number] = low;
    this.objects[2 * number + 1] = high;
    if (last !== NOBODY) this.next[last] = number;
    else this.first[slotOf(low, high) & (this.first.length - 1)] = number;
    return number;
  }

  /** Twice as large. From the youngest to the oldest, each becomes the first of its chain. */
  private grow(): void {
    const slots = this.first.length * 2;
    const objects = new Int32Array(2 * slots);
    objects.set(this.objects);
    this.objects = objects;
    this.first = new Int32Array(slots);
    this.next = new Int32Array(slots);
    for (let number = this.count; number > NOBODY; number--) {
      const slot = slotOf(objects[2 * number]!, objects[2 * number + 1]!) & (slots - 1);
      this.next[number] = this.first[slot]!;
      this.first[slot] = number;
    }
  }
}

function slotOf(low: number, high: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, FIBONACCI), FIBONACCI);
  return mixed ^ (mixed >>> 15);
}

/** The whole trace, numbered; 4 bytes a request. All accesses are loads. */
export function readOracleGeneral(path: string): PageStream {
  const file = openSync(path, 'r');
  const accesses = Math.floor(fstatSync(file).size / (4 * RECORD_WORDS));
  const numbers = new Int32Array(accesses);
  const words = new Int32Array(RECORD_WORDS * BATCH);
  const bytes = new Uint8Array(words.buffer);
  const numbering = new Numbering();
  for (let at = 0; at < accesses; ) {
    const read = readSync(file, bytes, 0, Math.min(BATCH, accesses - at) * 4 * RECORD_WORDS, null);
    const count = Math.floor(read / (4 * RECORD_WORDS));
    numbering.number(words, count, numbers, at);
    at += count;
  }
  closeSync(file);
  const writes = new Uint8Array(BATCH);
  return {
    pages: numbering.count,
    accesses,
    forEach(batch) {
      for (let at = 0; at < accesses; at += BATCH) {
        batch(numbers.subarray(at, at + BATCH), writes, Math.min(BATCH, accesses - at));
      }
    },
  };
}
