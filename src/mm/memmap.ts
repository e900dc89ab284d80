/**
 * mem_map: one struct page per frame, as columns, and the lists that frames stand on.
 *
 * Owns      every field of struct page. Everybody else speaks the verbs below.
 * Promises  1. A frame costs 46 bytes (Linux: 64).
 *           2. A frame is on at most one list, and moving it allocates nothing.
 *           3. `_mapcount` starts at -1 and `mapping` carries PAGE_MAPPING_ANON in its low bit, as in Linux.
 * Linux     6.18 include/linux/mm_types.h: page folio; include/linux/list.h
 * Read      docs/decisions/0005-frames-are-columns.md
 *
 *   field       bytes  meaning
 *   flags           4  PG_ bits, and the zone's index in the top 8
 *   _refcount       4  references; 0 is free
 *   _mapcount       4  page-table entries that map the frame, minus 1
 *   mapping         4  owner: id * 4 + PAGE_MAPPING_ bits (see Machine.mappings); 0 is none
 *   index           8  offset in the file, or of an anonymous page in its VMA's object, in pages
 *   private         4  swap entry in the swap cache, order of a free block
 *   lru             8  next and previous frame on a list; list heads are rows behind the last frame
 *   token           8  what the page holds
 *   memcg           2  id of the memory cgroup that it is charged to; 0 is none
 */
import { bugOn } from './bug.ts';
import { PAGE_MAPPING_ANON, type PageFlags, PG_MASK, ZONE_SHIFT } from './page_flags.ts';
import { NO_PFN, type Pfn, type Pgoff, type Token } from './units.ts';

/** A list's head: the number of its row. */
export type ListHead = number & { readonly list: 'head' };

const DETACHED = -1;

export class MemMap {
  readonly frames: number;
  private readonly flags: Uint32Array;
  private readonly _refcount: Int32Array;
  private readonly _mapcount: Int32Array;
  private readonly _mapping: Int32Array;
  private readonly _index: Float64Array;
  private readonly _private: Uint32Array;
  private readonly _token: Float64Array;
  private readonly _memcg: Uint16Array;
  private next: Int32Array;
  private prev: Int32Array;
  private heads = 0;

  /** `frames`: how many; at most 2**30. */
  constructor(frames: number) {
    this.frames = frames;
    this.flags = new Uint32Array(frames);
    this._refcount = new Int32Array(frames);
    this._mapcount = new Int32Array(frames).fill(-1);
    this._mapping = new Int32Array(frames);
    this._index = new Float64Array(frames);
    this._private = new Uint32Array(frames);
    this._token = new Float64Array(frames);
    this._memcg = new Uint16Array(frames);
    this.next = new Int32Array(frames + 512).fill(DETACHED);
    this.prev = new Int32Array(frames + 512).fill(DETACHED);
  }

  /** Bytes of columns per frame. */
  static readonly bytesPerFrame = 46;

  // flags

  allFlags(pfn: Pfn): PageFlags {
    return this.flags[pfn]! & PG_MASK;
  }
  /** True if any of `flag`'s bits is set. */
  has(pfn: Pfn, flag: PageFlags): boolean {
    return (this.flags[pfn]! & flag) !== 0;
  }
  set(pfn: Pfn, flag: PageFlags): void {
    this.flags[pfn]! |= flag;
  }
  clear(pfn: Pfn, flag: PageFlags): void {
    this.flags[pfn]! &= ~flag;
  }
  testAndSet(pfn: Pfn, flag: PageFlags): boolean {
    const old = this.flags[pfn]!;
    this.flags[pfn] = old | flag;
    return (old & flag) !== 0;
  }
  testAndClear(pfn: Pfn, flag: PageFlags): boolean {
    const old = this.flags[pfn]!;
    this.flags[pfn] = old & ~flag;
    return (old & flag) !== 0;
  }
  /** Index of the frame's zone in Machine.zones. */
  zoneIndex(pfn: Pfn): number {
    return this.flags[pfn]! >>> ZONE_SHIFT;
  }
  setZone(pfn: Pfn, zoneIndex: number): void {
    this.flags[pfn] = (this.flags[pfn]! & PG_MASK) | (zoneIndex << ZONE_SHIFT);
  }
  /** Gives frames [start, end) to a zone, at boot: flags become exactly `flags`. */
  initRange(start: number, end: number, zoneIndex: number, flags: PageFlags): void {
    this.flags.fill(((zoneIndex << ZONE_SHIFT) | flags) >>> 0, start, end);
  }

  // references

  refcount(pfn: Pfn): number {
    return this._refcount[pfn]!;
  }
  setRefcount(pfn: Pfn, count: number): void {
    this._refcount[pfn] = count;
  }
  /** get_page. */
  get(pfn: Pfn): void {
    this._refcount[pfn]! += 1;
  }
  /** put_page_testzero: true if that was the last reference. The caller then frees the frame. */
  putTestzero(pfn: Pfn): boolean {
    const count = this._refcount[pfn]! - 1;
    bugOn(count < 0, 'a reference is put only after it was taken', pfn);
    this._refcount[pfn] = count;
    return count === 0;
  }

  // mappings

  /** How many page-table entries map the frame. */
  mapcount(pfn: Pfn): number {
    return this._mapcount[pfn]! + 1;
  }
  /** Returns the new mapcount. */
  incMapcount(pfn: Pfn): number {
    this._mapcount[pfn]! += 1;
    return this._mapcount[pfn]! + 1;
  }
  /** Returns the new mapcount. */
  decMapcount(pfn: Pfn): number {
    bugOn(this._mapcount[pfn] === -1, 'a frame is unmapped only while it is mapped', pfn);
    this._mapcount[pfn]! -= 1;
    return this._mapcount[pfn]! + 1;
  }
  /** The raw word: id * 4 + PAGE_MAPPING_ bits. */
  mapping(pfn: Pfn): number {
    return this._mapping[pfn]!;
  }
  setMapping(pfn: Pfn, mapping: number): void {
    this._mapping[pfn] = mapping;
  }
  isAnon(pfn: Pfn): boolean {
    return (this._mapping[pfn]! & PAGE_MAPPING_ANON) !== 0;
  }
  index(pfn: Pfn): Pgoff {
    return this._index[pfn]! as Pgoff;
  }
  setIndex(pfn: Pfn, index: Pgoff): void {
    this._index[pfn] = index;
  }

  // the rest

  private_(pfn: Pfn): number {
    return this._private[pfn]!;
  }
  setPrivate(pfn: Pfn, value: number): void {
    this._private[pfn] = value;
  }
  token(pfn: Pfn): Token {
    return this._token[pfn]! as Token;
  }
  setToken(pfn: Pfn, token: Token): void {
    this._token[pfn] = token;
  }
  memcg(pfn: Pfn): number {
    return this._memcg[pfn]!;
  }
  setMemcg(pfn: Pfn, id: number): void {
    this._memcg[pfn] = id;
  }

  // lists

  newList(): ListHead {
    const head = this.frames + this.heads;
    this.heads += 1;
    if (head >= this.next.length) {
      this.next = grown(this.next);
      this.prev = grown(this.prev);
    }
    this.next[head] = head;
    this.prev[head] = head;
    return head as ListHead;
  }
  /** At the head. */
  listAdd(pfn: Pfn, list: ListHead): void {
    this.link(pfn, list, this.next[list]!);
  }
  listAddTail(pfn: Pfn, list: ListHead): void {
    this.link(pfn, this.prev[list]!, list);
  }
  /** Before `other`, which is on a list: nearer to the head. */
  listAddBefore(pfn: Pfn, other: Pfn): void {
    this.link(pfn, this.prev[other]!, other);
  }
  listDel(pfn: Pfn): void {
    const next = this.next[pfn]!;
    const prev = this.prev[pfn]!;
    bugOn(next === DETACHED, 'a frame is taken from a list only while it is on one', pfn);
    this.next[prev] = next;
    this.prev[next] = prev;
    this.next[pfn] = DETACHED;
    this.prev[pfn] = DETACHED;
  }
  listEmpty(list: ListHead): boolean {
    return this.next[list] === list;
  }
  /** The frame at the head, or NO_PFN. */
  listFirst(list: ListHead): Pfn {
    const first = this.next[list]!;
    return (first === list ? NO_PFN : first) as Pfn;
  }
  /** The frame at the tail (lru_to_folio), or NO_PFN. */
  listLast(list: ListHead): Pfn {
    const last = this.prev[list]!;
    return (last === list ? NO_PFN : last) as Pfn;
  }
  /** The frame behind `pfn`, towards the tail, or NO_PFN. */
  listNext(pfn: Pfn): Pfn {
    const next = this.next[pfn]!;
    return (next >= this.frames ? NO_PFN : next) as Pfn;
  }
  /** The frame before `pfn`, towards the head, or NO_PFN. */
  listPrev(pfn: Pfn): Pfn {
    const prev = this.prev[pfn]!;
    return (prev >= this.frames ? NO_PFN : prev) as Pfn;
  }
  onList(pfn: Pfn): boolean {
    return this.next[pfn] !== DETACHED;
  }
  /** Moves all of `from` to the head of `to`, in order; `from` is empty afterwards (list_splice_init). */
  listSplice(from: ListHead, to: ListHead): void {
    const first = this.next[from]!;
    if (first === from) return;
    const last = this.prev[from]!;
    const at = this.next[to]!;
    this.next[to] = first;
    this.prev[first] = to;
    this.next[last] = at;
    this.prev[at] = last;
    this.next[from] = from;
    this.prev[from] = from;
  }

  private link(pfn: Pfn, prev: number, next: number): void {
    bugOn(this.next[pfn] !== DETACHED, 'a frame is on at most one list', pfn);
    this.next[pfn] = next;
    this.prev[pfn] = prev;
    this.next[prev] = pfn;
    this.prev[next] = pfn;
  }
}

function grown(column: Int32Array): Int32Array {
  const wider = new Int32Array(column.length + 4096).fill(DETACHED);
  wider.set(column);
  return wider;
}
