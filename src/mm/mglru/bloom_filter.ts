/**
 * Which page tables are worth a walk: a Bloom filter for this generation, and one that fills for the next.
 *
 *     seq 3: walks test filter 1, what they find dense goes to filter 0         seq 4: the other way round
 *
 * A filter is 32768 bits, two for each table: with 10,000 tables it errs for every fifth table that is not in it.
 *
 * Owns      the bits. An item is the address of the entry that points to the table (a PMD entry).
 * Promises  A table that was added is found. One that was not may be found.
 * Linux     6.18 mm/vmscan.c: get_item_key test_bloom_filter update_bloom_filter reset_bloom_filter; include/linux/hash.h: hash_64
 */
import { PAGE_SIZE, type Pfn } from '../units.ts';

const NR_BLOOM_FILTERS = 2;
const BLOOM_FILTER_SHIFT = 15;
const BITS = 1 << BLOOM_FILTER_SHIFT;

/** Where the kernel sees physical memory, without randomization (page_offset_base). High and low half. */
const PAGE_OFFSET_HIGH = 0xffff8880;
/** GOLDEN_RATIO_64, high and low half. */
const GOLDEN_HIGH = 0x61c88646;
const GOLDEN_LOW = 0x80b583eb;

/** The 30 highest bits of the address times GOLDEN_RATIO_64, for entry `index` of the table in frame `pfn` (hash_ptr). */
export function pmdHash(pfn: Pfn, index: number): number {
  const physical = pfn * PAGE_SIZE + index * 8;
  const low = physical >>> 0;
  const high = PAGE_OFFSET_HIGH + Math.floor(physical / 2 ** 32);
  const product = Math.imul(high, GOLDEN_LOW) + Math.imul(low, GOLDEN_HIGH) + highHalf(low, GOLDEN_LOW);
  return (product >>> 0) >>> 2;
}

/** Bits 32 to 63 of the product of two numbers of 32 bits. */
function highHalf(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return aHigh * bHigh + Math.floor(middle / 2 ** 16) + Math.floor(carry / 2 ** 16);
}

export class BloomFilters {
  /** null until a walk has begun to fill it: then every table is worth a walk. */
  private readonly filters: (Uint32Array | null)[] = [null, null];

  /** `hash` as pmdHash has it. */
  test(seq: number, hash: number): boolean {
    const filter = this.filters[seq % NR_BLOOM_FILTERS]!;
    return filter === null || (isSet(filter, hash & (BITS - 1)) && isSet(filter, hash >>> BLOOM_FILTER_SHIFT));
  }
  add(seq: number, hash: number): void {
    const filter = this.filters[seq % NR_BLOOM_FILTERS]!;
    if (filter === null) return;
    setBit(filter, hash & (BITS - 1));
    setBit(filter, hash >>> BLOOM_FILTER_SHIFT);
  }
  /** Empty from now on. */
  reset(seq: number): void {
    const at = seq % NR_BLOOM_FILTERS;
    const filter = this.filters[at]!;
    if (filter === null) this.filters[at] = new Uint32Array(BITS / 32);
    else filter.fill(0);
  }
}

function isSet(filter: Uint32Array, bit: number): boolean {
  return (filter[bit >>> 5]! & (1 << (bit & 31))) !== 0;
}

function setBit(filter: Uint32Array, bit: number): void {
  filter[bit >>> 5]! |= 1 << (bit & 31);
}
