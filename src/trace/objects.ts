/**
 * Objects of a cache trace as pages of one file.
 *
 * Owns      which pages each object id has.
 * Promises  1. Pages are given out 0, 1, 2 … in the order in which objects first appear, and an object keeps the ones it has.
 *           2. An object that grows gets the pages that it lacks behind all others: its pieces are then apart.
 *           3. About 50 bytes an object; more than OBJECTS or PAGES are refused. Ids chosen to collide do not: the hash is seeded.
 *
 *     id 42932745, 512 bytes ──► page 0        id 40409911, 6,656 bytes ──► pages 1, 2        42932745 again ──► page 0
 */

export const PAGE_BYTES = 4096;
/** 2**26 objects take 3 GiB. */
const OBJECTS = 2 ** 26;
/** 128 TiB of file: what a process could map. */
const PAGES = 2 ** 35;
const NONE = -1;

/** What there is too much of; the caller knows the place. */
export class TooMany extends Error {}

export class ObjectPages {
  /** Pages given out so far. */
  pages = 0;
  /** How many objects there are. */
  objects = 0;
  /** Open addressing: the id's halves and its first piece. */
  private low = new Uint32Array(1 << 12);
  private high = new Uint32Array(1 << 12);
  private piece = new Int32Array(1 << 12).fill(NONE);
  /** Pieces: where each begins, how many pages it has, the object's next one. */
  private start = new Float64Array(1 << 12);
  private count = new Float64Array(1 << 12);
  private next = new Int32Array(1 << 12);
  private pieces = 0;
  private readonly seed = Math.floor(Math.random() * 2 ** 32);

  /** Calls `read` for each run of pages among the first `pages` of an object. */
  forEachRun(low: number, high: number, pages: number, read: (page: number, pages: number) => void): void {
    let piece = this.firstPiece(low, high, pages);
    let left = pages;
    for (;;) {
      const here = Math.min(left, this.count[piece]!);
      read(this.start[piece]!, here);
      left -= here;
      if (left === 0) return;
      if (this.next[piece]! === NONE) this.grow(piece, left);
      piece = this.next[piece]!;
    }
  }

  private firstPiece(low: number, high: number, pages: number): number {
    const mask = this.piece.length - 1;
    let slot = this.hash(low, high) & mask;
    for (; this.piece[slot] !== NONE; slot = (slot + 1) & mask) {
      if (this.low[slot] === low && this.high[slot] === high) return this.piece[slot]!;
    }
    if (this.objects === OBJECTS) throw new TooMany(`more than ${OBJECTS} objects`);
    const piece = this.newPiece(pages);
    this.low[slot] = low;
    this.high[slot] = high;
    this.piece[slot] = piece;
    this.objects += 1;
    if (2 * this.objects > this.piece.length) this.rehash();
    return piece;
  }

  private grow(last: number, pages: number): void {
    const piece = this.newPiece(pages);
    this.next[last] = piece;
  }

  private newPiece(pages: number): number {
    if (this.pages + pages > PAGES) throw new TooMany(`more than ${PAGES} pages of objects`);
    if (this.pieces === this.start.length) {
      if (this.pieces >= 2 * OBJECTS) throw new TooMany(`more than ${2 * OBJECTS} pieces of objects`);
      this.start = wider(this.start, new Float64Array(2 * this.pieces));
      this.count = wider(this.count, new Float64Array(2 * this.pieces));
      this.next = wider(this.next, new Int32Array(2 * this.pieces));
    }
    const piece = this.pieces++;
    this.start[piece] = this.pages;
    this.count[piece] = pages;
    this.next[piece] = NONE;
    this.pages += pages;
    return piece;
  }

  private rehash(): void {
    const { low, high, piece } = this;
    const size = 2 * piece.length;
    this.low = new Uint32Array(size);
    this.high = new Uint32Array(size);
    this.piece = new Int32Array(size).fill(NONE);
    for (let old = 0; old < piece.length; old++) {
      if (piece[old] === NONE) continue;
      let slot = this.hash(low[old]!, high[old]!) & (size - 1);
      while (this.piece[slot] !== NONE) slot = (slot + 1) & (size - 1);
      this.low[slot] = low[old]!;
      this.high[slot] = high[old]!;
      this.piece[slot] = piece[old]!;
    }
  }

  private hash(low: number, high: number): number {
    let h = Math.imul(low ^ this.seed, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15) ^ high, 0x85ebca77);
    h = Math.imul(h ^ (h >>> 13) ^ (this.seed >>> 3), 0xc2b2ae3d);
    return (h ^ (h >>> 16)) >>> 0;
  }
}

function wider<T extends Float64Array | Int32Array>(old: T, made: T): T {
  made.set(old);
  return made;
}
