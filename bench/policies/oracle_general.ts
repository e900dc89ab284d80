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
const NOBODY = -1;

/**
 * Numbers objects 0, 1, 2 … as they come. A hash table with chains; who came first is first in its chain.
 *
 *     first    [ -1 | 17 | -1 | 3 | … ]           by slot: the first number of its chain
 *     next     [ -1 | -1 | 29 | … ]               by number: the following one
 *     objects  [ low, high | low, high | … ]      by number: who comes often came early, so they lie close together
 *
 * A look-up waits for memory, and a processor waits for many at once if nothing stands between them. So a batch first
 * takes the number at the head of each chain without asking whose it is, and then compares.
 */
class Numbering {
  count = 0;
  private first = new Int32Array(1 << 16).fill(NOBODY);
  private next = new Int32Array(1 << 16);
  private objects = new Int32Array(2 << 16);
  private readonly guesses = new Int32Array(BATCH);

  /** Numbers the objects of `count` requests, at most BATCH. */
  number(words: Int32Array, count: number, numbers: Int32Array, at: number): void {
    this.guess(words, count);
    this.compare(words, count, numbers, at);
  }

  private guess(words: Int32Array, count: number): void {
    const { first, guesses } = this;
    const mask = first.length - 1;
    for (let i = 0, word = 0; i < count; i++, word += RECORD_WORDS) {
      guesses[i] = first[slotOf(words[word + 1]!, words[word + 2]!) & mask]!;
    }
  }

  private compare(words: Int32Array, count: number, numbers: Int32Array, at: number): void {
    const guesses = this.guesses;
    let objects = this.objects;
    for (let i = 0, word = 0; i < count; i++, word += RECORD_WORDS) {
      const low = words[word + 1]!;
      const high = words[word + 2]!;
      let number = guesses[i]!;
      if (number < 0 || objects[2 * number] !== low || objects[2 * number + 1] !== high) {
        number = this.find(low, high);
        objects = this.objects;
      }
      numbers[at + i] = number;
    }
  }

  private find(low: number, high: number): number {
    const { first, next, objects } = this;
    let last = NOBODY;
    let number = first[slotOf(low, high) & (first.length - 1)]!;
    while (number >= 0) {
      if (objects[2 * number] === low && objects[2 * number + 1] === high) return number;
      last = number;
      number = next[number]!;
    }
    return this.append(last, low, high);
  }

  private append(last: number, low: number, high: number): number {
    if (this.count === this.next.length) {
      this.grow();
      return this.find(low, high);
    }
    const number = this.count++;
    this.objects[2 * number] = low;
    this.objects[2 * number + 1] = high;
    this.next[number] = NOBODY;
    if (last >= 0) this.next[last] = number;
    else this.first[slotOf(low, high) & (this.first.length - 1)] = number;
    return number;
  }

  /** Twice as large. From the youngest to the oldest, each becomes the first of its chain. */
  private grow(): void {
    const slots = this.first.length * 2;
    const objects = new Int32Array(2 * slots);
    objects.set(this.objects);
    this.objects = objects;
    this.first = new Int32Array(slots).fill(NOBODY);
    this.next = new Int32Array(slots);
    for (let number = this.count - 1; number >= 0; number--) {
      const slot = slotOf(objects[2 * number]!, objects[2 * number + 1]!) & (slots - 1);
      this.next[number] = this.first[slot]!;
      this.first[slot] = number;
    }
  }
}

/** Keeps neighbours together, as programs and disks do; what is far apart is spread. */
function slotOf(low: number, high: number): number {
  return low + Math.imul((low >>> 20) ^ high, FIBONACCI);
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
