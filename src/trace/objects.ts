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
const SLOT = 4;
/** The fourth is not used: a piece does not lie across two lines of the cache. */
const PIECE = 4;

/** What there is too much of; the caller knows the place. */
export class TooMany extends Error {}

export class ObjectPages {
  /** Pages given out so far. */
  pages = 0;
  /** How many objects there are. */
  objects = 0;
  /** Open addressing, SLOT words each: the id's halves, its first piece and one; 0: free. Side by side, they are one miss of the cache. */
  private slots = new Uint32Array(SLOT << 12);
  /** Pieces, PIECE numbers each: where it begins, how many pages it has, the object's next one. */
  private table = new Float64Array(PIECE << 12);
  private pieces = 0;
  private readonly seed = Math.floor(Math.random() * 2 ** 32);

  /** Calls `read` for each run of pages among the first `pages` of an object. */
  forEachRun(low: number, high: number, pages: number, read: (page: number, pages: number) => void): void {
    let piece = this.firstPiece(low, high, pages);
    let left = pages;
    for (;;) {
      const at = PIECE * piece;
      const here = Math.min(left, this.table[at + 1]!);
      read(this.table[at]!, here);
      left -= here;
      if (left === 0) return;
      if (this.table[at + 2] === NONE) {
        const grown = this.newPiece(left);
        this.table[at + 2] = grown;
      }
      piece = this.table[at + 2]!;
    }
  }

  private firstPiece(low: number, high: number, pages: number): number {
    const { slots } = this;
    const at = this.slotOf(low, high);
    if (slots[at + 2] !== 0) return slots[at + 2]! - 1;
    if (this.objects === OBJECTS) throw new TooMany(`more than ${OBJECTS} objects`);
    const piece = this.newPiece(pages);
    slots[at] = low;
    slots[at + 1] = high;
    slots[at + 2] = piece + 1;
    this.objects += 1;
    if (2 * SLOT * this.objects > slots.length) this.rehash();
    return piece;
  }

  /** Where the id is, or would be. */
  private slotOf(low: number, high: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let at = (this.hash(low, high) * SLOT) & mask;
    while (slots[at + 2] !== 0 && (slots[at] !== low || slots[at + 1] !== high)) at = (at + SLOT) & mask;
    return at;
  }

  private newPiece(pages: number): number {
    if (this.pages + pages > PAGES) throw new TooMany(`more than ${PAGES} pages of objects`);
    if (PIECE * this.pieces === this.table.length) {
      if (this.pieces >= 2 * OBJECTS) throw new TooMany(`more than ${2 * OBJECTS} pieces of objects`);
      const wider = new Float64Array(2 * this.table.length);
      wider.set(this.table);
      this.table = wider;
    }
    const piece = this.pieces++;
    this.table.set([this.pages, pages, NONE], PIECE * piece);
    this.pages += pages;
    return piece;
  }

  private rehash(): void {
    const old = this.slots;
    this.slots = new Uint32Array(2 * old.length);
    for (let at = 0; at < old.length; at += SLOT) {
      if (old[at + 2] === 0) continue;
      const to = this.slotOf(old[at]!, old[at + 1]!);
      this.slots[to] = old[at]!;
      this.slots[to + 1] = old[at + 1]!;
      this.slots[to + 2] = old[at + 2]!;
    }
  }

  private hash(low: number, high: number): number {
    let h = Math.imul(low ^ this.seed, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15) ^ high, 0x85ebca77);
    h = Math.imul(h ^ (h >>> 13) ^ (this.seed >>> 3), 0xc2b2ae3d);
    return (h ^ (h >>> 16)) >>> 0;
  }
}
