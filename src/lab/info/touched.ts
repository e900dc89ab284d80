/**
 * Which pages were touched, and in which parts of the time.
 *
 * Owns      a row for each page: of a process by its address, of a file by its index.
 * Promises  1. Time is cut into COLUMNS / 2 to COLUMNS intervals of one length, whatever its length: the length doubles, and columns
 *              are joined, when it gets too long.
 *           2. 45 bytes a page; more than PAGES are refused.
 *
 *     column       0 1 2 3 …
 *     page 0x4002  1 0 0 1      one bit each; at a doubling   1 1 …
 */
import { InputError } from '../../mm/bug.ts';

export const COLUMNS = 128;
const WORDS = COLUMNS / 32;
const PAGES = 2 ** 26;
/** A space is a process or a file; pages of either are below 2**36. */
const SPACE = 2 ** 36;
const NONE = -1;

export class TouchedPages {
  count = 0;
  /** Length of a column, in accesses. */
  columnLength = 1;
  /** Time so far. */
  now = 0;
  private readonly file: string;
  private column = 0;
  private slots = new Int32Array(1 << 12).fill(NONE);
  private keys = new Float64Array(1 << 11);
  private bits = new Uint32Array(WORDS << 11);
  /** For whoever looks up what a page is: what he said last, and when. */
  notes = new Int32Array(1 << 11);
  stamps = new Int32Array(1 << 11);
  private readonly seed = Math.floor(Math.random() * 2 ** 32);

  /** `file` is for messages. */
  constructor(file: string) {
    this.file = file;
  }

  /** Time goes on to `now`. */
  advance(now: number): void {
    if (now <= this.now) return;
    this.now = now;
    this.column = Math.floor(now / this.columnLength);
    while (this.column >= COLUMNS) this.double();
  }

  /** Columns become `length` long at least. */
  coarsen(length: number): void {
    while (this.columnLength < length && this.column > 0) this.double();
  }

  /** The row of a page, which is touched now. */
  touch(space: number, page: number): number {
    const row = this.rowOf(space, page);
    this.bits[row * WORDS + (this.column >> 5)]! |= 1 << (this.column & 31);
    return row;
  }

  /** Columns that are in use. */
  get columns(): number {
    return this.column + 1;
  }

  spaceOf(row: number): number {
    return Math.floor(this.keys[row]! / SPACE);
  }
  pageOf(row: number): number {
    return this.keys[row]! % SPACE;
  }
  wasTouched(row: number, column: number): boolean {
    return ((this.bits[row * WORDS + (column >> 5)]! >>> (column & 31)) & 1) === 1;
  }

  private rowOf(space: number, page: number): number {
    const key = space * SPACE + page;
    const mask = this.slots.length - 1;
    let slot = this.hash(key) & mask;
    for (; this.slots[slot] !== NONE; slot = (slot + 1) & mask) {
      if (this.keys[this.slots[slot]!] === key) return this.slots[slot]!;
    }
    if (this.count === this.keys.length) this.widen();
    const row = this.count++;
    this.keys[row] = key;
    this.notes[row] = NONE;
    this.stamps[row] = NONE;
    this.slots[slot] = row;
    if (2 * this.count > this.slots.length) this.rehash();
    return row;
  }

  private hash(key: number): number {
    const low = key % 2 ** 32;
    let h = Math.imul(low ^ this.seed, 0x9e3779b1) ^ Math.imul(Math.floor(key / 2 ** 32), 0x85ebca77);
    h = Math.imul(h ^ (h >>> 15), 0xc2b2ae3d);
    return (h ^ (h >>> 16)) >>> 0;
  }

  private widen(): void {
    const rows = 2 * this.keys.length;
    if (rows > PAGES) throw new InputError(this.file, 0, `more than ${PAGES} different pages`);
    const keys = new Float64Array(rows);
    keys.set(this.keys);
    this.keys = keys;
    const bits = new Uint32Array(WORDS * rows);
    bits.set(this.bits);
    this.bits = bits;
    const notes = new Int32Array(rows);
    notes.set(this.notes);
    this.notes = notes;
    const stamps = new Int32Array(rows);
    stamps.set(this.stamps);
    this.stamps = stamps;
  }

  private rehash(): void {
    const mask = 2 * this.slots.length - 1;
    this.slots = new Int32Array(mask + 1).fill(NONE);
    for (let row = 0; row < this.count; row++) {
      let slot = this.hash(this.keys[row]!) & mask;
      while (this.slots[slot] !== NONE) slot = (slot + 1) & mask;
      this.slots[slot] = row;
    }
  }

  /** Two columns become one. */
  private double(): void {
    const { bits, count } = this;
    for (let row = 0; row < count; row++) {
      for (let word = 0; word < WORDS; word++) {
        const from = row * WORDS + 2 * word;
        const joined = 2 * word < WORDS ? halved(bits[from]!) | (halved(bits[from + 1]!) << 16) : 0;
        bits[row * WORDS + word] = joined;
      }
    }
    this.columnLength *= 2;
    this.column = Math.floor(this.now / this.columnLength);
  }
}

/** 32 bits to 16: each is set if one of two was. */
function halved(word: number): number {
  let x = (word | (word >>> 1)) & 0x55555555;
  x = (x | (x >>> 1)) & 0x33333333;
  x = (x | (x >>> 2)) & 0x0f0f0f0f;
  x = (x | (x >>> 4)) & 0x00ff00ff;
  return (x | (x >>> 8)) & 0xffff;
}
