/**
 * The page hash table of 2.4: which page of which file is in memory.
 *
 *   bucket 10 ──► page 700 ──► page 512 ──► NULL        next_hash of each; the last to come is the first
 *      ▲             │ ▲          │
 *      └─────────────┘ └──────────┘                     pprev_hash: where the pointer to me is, in a bucket or in a page
 *
 *   x = i + index, i from the mapping;  bucket = (x + (x >> bits)) & (2**bits - 1).    bits 4, i 100, index 0: (100 + 6) & 15 = 10
 *
 * Owns      next_hash, pprev_hash and the buckets; how many pages are in the table (page_cache_size); what searches cost.
 * Promises  1. A page in the table is reached from its bucket, and from no other.
 *           2. A new page becomes its bucket's first.
 *           3. pprev_hash of a page names what points to the page; of a page that is in no chain it is NULL.
 * Linux     2.4.19 mm/filemap.c: page_cache_init add_page_to_hash_queue remove_page_from_hash_queue __find_page_nolock;
 *           include/linux/pagemap.h: _page_hashfn
 *
 * DIFFERS: a mapping has a number and no address: i is what it would be if inodes of 480 bytes lay side by side. The table lies
 *          in the memory that the kernel has reserved; the XArray stays beside it, for what needs pages in order.
 */
import { bugOn } from './bug.ts';
import { NO_PFN, type Pfn } from './units.ts';

const POINTER_BYTES = 4;
const PAGE_BYTES = 4096;
/** The largest block that the buddy allocator has, as an order. */
const LARGEST_ORDER = 9;
/** An inode of 480 bytes, divided by its lowest bit, 32. */
const INODE_STEP = 15;

/** A link to nowhere. Links to buckets are below it. */
const NULL = -1;

function bucketLink(bucket: number): number {
  return -2 - bucket;
}

/** page_hash_bits for a machine of so many pages: a bucket for each, in a table of whole pages, a power of two of them. */
export function pageHashBits(pages: number): number {
  let order = 0;
  while (PAGE_BYTES << order < pages * POINTER_BYTES && order < LARGEST_ORDER) order += 1;
  return 31 - Math.clz32((PAGE_BYTES << order) / POINTER_BYTES);
}

/** `i`: from the mapping. Numbers are those of 32 bits. */
export function pageHashfn(i: number, index: number, bits: number): number {
  const x = (i + index) >>> 0;
  return ((x + (x >>> bits)) & ((1 << bits) - 1)) >>> 0;
}

/** What the table hashes in place of the address of an address_space; 0 stands for swapper_space. */
export function mappingHash(mappingId: number): number {
  return mappingId * INODE_STEP;
}

export class PageHash {
  readonly bits: number;
  /** The first page of each chain. */
  private readonly table: Int32Array;
  private readonly nextHash: Int32Array;
  private readonly pprevHash: Int32Array;
  /** What each page is in the table as. */
  private readonly mappingId: Int32Array;
  private readonly index: Float64Array;
  /** Pages in the table. */
  size = 0;
  /** Searches so far, and the pages that they looked at. */
  searches = 0;
  steps = 0;

  constructor(frames: number, bits: number = pageHashBits(frames)) {
    this.bits = bits;
    this.table = new Int32Array(1 << bits).fill(NULL);
    this.nextHash = new Int32Array(frames).fill(NULL);
    this.pprevHash = new Int32Array(frames).fill(NULL);
    this.mappingId = new Int32Array(frames);
    this.index = new Float64Array(frames);
  }

  get buckets(): number {
    return this.table.length;
  }
  bucketOf(mappingId: number, index: number): number {
    return pageHashfn(mappingHash(mappingId), index, this.bits);
  }
  first(bucket: number): Pfn {
    return this.table[bucket]! as Pfn;
  }
  /** page->next_hash; NO_PFN is NULL. */
  next(pfn: Pfn): Pfn {
    return this.nextHash[pfn]! as Pfn;
  }
  /** page->pprev_hash: a page's next_hash, or a bucket; null is NULL. */
  pprev(pfn: Pfn): { pfn: Pfn } | { bucket: number } | null {
    const link = this.pprevHash[pfn]!;
    if (link === NULL) return null;
    return link >= 0 ? { pfn: link as Pfn } : { bucket: -2 - link };
  }
  has(pfn: Pfn): boolean {
    return this.pprevHash[pfn] !== NULL;
  }

  isAt(pfn: Pfn, mappingId: number, index: number): boolean {
    return this.has(pfn) && this.mappingId[pfn] === mappingId && this.index[pfn] === index;
  }
  /** The number of the mapping that the page belongs to; -1: it is not in the table. */
  mappingOf(pfn: Pfn): number {
    return this.has(pfn) ? this.mappingId[pfn]! : -1;
  }

  /** add_page_to_hash_queue. */
  add(pfn: Pfn, mappingId: number, index: number): void {
    bugOn(this.has(pfn), 'a page is in one chain', pfn);
    const bucket = this.bucketOf(mappingId, index);
    const next = this.table[bucket]!;
    this.mappingId[pfn] = mappingId;
    this.index[pfn] = index;
    this.table[bucket] = pfn;
    this.nextHash[pfn] = next;
    this.pprevHash[pfn] = bucketLink(bucket);
    if (next !== NULL) this.pprevHash[next] = pfn;
    this.size += 1;
  }

  /** remove_page_from_hash_queue: no search, pprev_hash knows what to change. */
  remove(pfn: Pfn): void {
    bugOn(!this.has(pfn), 'a page is taken from the chain that it is in', pfn);
    const next = this.nextHash[pfn]!;
    const link = this.pprevHash[pfn]!;
    if (link >= 0) this.nextHash[link] = next;
    else this.table[-2 - link] = next;
    if (next !== NULL) this.pprevHash[next] = link;
    this.nextHash[pfn] = NULL;
    this.pprevHash[pfn] = NULL;
    this.size -= 1;
  }

  /** __find_page_nolock: the page, or NO_PFN. Counts its steps. */
  find(mappingId: number, index: number): Pfn {
    this.searches += 1;
    for (let at = this.table[this.bucketOf(mappingId, index)]!; at !== NULL; at = this.nextHash[at]!) {
      this.steps += 1;
      if (this.index[at] === index && this.mappingId[at] === mappingId) return at as Pfn;
    }
    return NO_PFN;
  }

  /** Every chain from its bucket; sentences for what is wrong. Calls `visit` for each page that is found. */
  verify(visit: (pfn: Pfn, mappingId: number, index: number) => void): string[] {
    const wrong: string[] = [];
    let pages = 0;
    for (let bucket = 0; bucket < this.table.length; bucket++) {
      let link = bucketLink(bucket);
      for (let at = this.table[bucket]!; at !== NULL; at = this.nextHash[at]!) {
        const where = `page hash, bucket ${bucket}, frame ${at}`;
        if (this.bucketOf(this.mappingId[at]!, this.index[at]!) !== bucket)
          wrong.push(`${where}: belongs in another bucket`);
        if (this.pprevHash[at] !== link) wrong.push(`${where}: pprev_hash is ${this.pprevHash[at]}, counted ${link}`);
        link = at;
        pages += 1;
        visit(at as Pfn, this.mappingId[at]!, this.index[at]!);
        if (pages > this.size) return [...wrong, `${where}: the chains have more pages than page_cache_size`];
      }
    }
    if (pages !== this.size) wrong.push(`page_cache_size is ${this.size}, the chains have ${pages}`);
    return wrong;
  }
}
