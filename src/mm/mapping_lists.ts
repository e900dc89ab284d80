/**
 * The three lists on which an address_space of 2.4 keeps its pages.
 *
 *   add_to_page_cache ──► clean_pages ──set_page_dirty──► dirty_pages ──filemap_fdatasync──► locked_pages
 *                             ▲                          head     tail ───┘                       │
 *                             └──────────────────────── filemap_fdatawait ────────────────────────┘
 *
 * Owns      page->list of pages that belong to a mapping, swapper_space (number 0) among them.
 * Promises  1. A page that belongs to a mapping is on one of its three lists. Pages are put at the head.
 *           2. dirty_pages may hold pages that somebody has cleaned meanwhile: reclaim writes a page and leaves it there.
 * Linux     2.4.19 include/linux/fs.h: address_space; mm/filemap.c: add_page_to_inode_queue __set_page_dirty
 */
import { bugOn } from './bug.ts';
import { NO_PFN, type Pfn } from './units.ts';

export const CLEAN_PAGES = 0;
export const DIRTY_PAGES = 1;
export const LOCKED_PAGES = 2;
export const MAPPING_LIST_NAMES = ['clean_pages', 'dirty_pages', 'locked_pages'] as const;

const LISTS = 3;
const DETACHED = -1;

export class MappingLists {
  private readonly frames: number;
  /** page->list: one row for each frame; behind them the heads, three for each mapping. */
  private next: Int32Array;
  private prev: Int32Array;
  /** On which list of its mapping a page stands. */
  private readonly which: Uint8Array;

  constructor(frames: number) {
    this.frames = frames;
    this.next = withHeads(new Int32Array(frames).fill(DETACHED), 64 * LISTS);
    this.prev = withHeads(new Int32Array(frames).fill(DETACHED), 64 * LISTS);
    this.which = new Uint8Array(frames);
  }

  /** CLEAN_PAGES, DIRTY_PAGES or LOCKED_PAGES; -1: on none. */
  listOf(pfn: Pfn): number {
    return this.next[pfn] === DETACHED ? -1 : this.which[pfn]!;
  }

  add(pfn: Pfn, mappingId: number, list: number): void {
    bugOn(this.next[pfn] !== DETACHED, 'a page is on one list of its mapping', pfn);
    const head = this.head(mappingId, list);
    if (head >= this.next.length) {
      const more = head + 64 * LISTS - this.next.length;
      this.next = withHeads(this.next, more);
      this.prev = withHeads(this.prev, more);
    }
    const first = this.next[head]!;
    this.next[pfn] = first;
    this.prev[pfn] = head;
    this.prev[first] = pfn;
    this.next[head] = pfn;
    this.which[pfn] = list;
  }

  del(pfn: Pfn): void {
    bugOn(this.next[pfn] === DETACHED, 'a page is taken from the list that it is on', pfn);
    const next = this.next[pfn]!;
    const prev = this.prev[pfn]!;
    this.next[prev] = next;
    this.prev[next] = prev;
    this.next[pfn] = DETACHED;
    this.prev[pfn] = DETACHED;
  }

  move(pfn: Pfn, mappingId: number, list: number): void {
    this.del(pfn);
    this.add(pfn, mappingId, list);
  }

  /** The page at the tail, the first that came; NO_PFN: the list is empty. */
  last(mappingId: number, list: number): Pfn {
    const at = this.prev[this.head(mappingId, list)] ?? this.frames;
    return (at >= this.frames ? NO_PFN : at) as Pfn;
  }

  /** From head to tail. */
  pages(mappingId: number, list: number): Pfn[] {
    const pages: Pfn[] = [];
    const head = this.head(mappingId, list);
    for (let at = this.next[head] ?? head; at !== head; at = this.next[at]!) pages.push(at as Pfn);
    return pages;
  }

  private head(mappingId: number, list: number): number {
    return this.frames + mappingId * LISTS + list;
  }
}

/** The column with so many rows more, each the head of an empty list. */
function withHeads(column: Int32Array, more: number): Int32Array {
  const wider = new Int32Array(column.length + more);
  wider.set(column);
  for (let row = column.length; row < wider.length; row++) wider[row] = row;
  return wider;
}
