import { expect, test } from 'vitest';
import { Random } from '../../test/random_machine.ts';
import { mappingHash, PageHash, pageHashBits, pageHashfn } from './page_hash.ts';
import { NO_PFN, type Pfn } from './units.ts';

test('[2.4 page cache hash] [2.4 vector Hash] bits 4, i 100', () => {
  expect([pageHashfn(100, 0, 4), pageHashfn(100, 12, 4)]).toEqual([10, 7]);
});

test('a bucket for each page, in whole pages of table, a power of two of them, 2 MiB at most', () => {
  // 64 MiB: 16384 pages, 64 KiB of table, 16384 buckets.
  expect([pageHashBits(16384), pageHashBits(16385), pageHashBits(1), pageHashBits(2 ** 22)]).toEqual([14, 15, 10, 19]);
});

/** Chain of a bucket, first to last. */
function chain(hash: PageHash, bucket: number): number[] {
  const pages: number[] = [];
  for (let at = hash.first(bucket); at !== NO_PFN; at = hash.next(at)) pages.push(at);
  return pages;
}

test('[2.4 page cache hash] the last to come is the first of its chain, and pprev_hash says what points to it', () => {
  const hash = new PageHash(64, 4);
  const bucket = hash.bucketOf(1, 0);
  const same = [0, 1, 2, 3].map((k) => 16 * k).filter((index) => hash.bucketOf(1, index) === bucket);
  const [a, b] = [same[0]!, [...Array(200).keys()].find((i) => i > 0 && hash.bucketOf(1, i) === bucket)!];
  hash.add(5 as Pfn, 1, a);
  hash.add(9 as Pfn, 1, b);
  expect([chain(hash, bucket), hash.pprev(9 as Pfn), hash.pprev(5 as Pfn)]).toEqual([[9, 5], { bucket }, { pfn: 9 }]);
  hash.remove(9 as Pfn);
  expect([chain(hash, bucket), hash.pprev(5 as Pfn), hash.pprev(9 as Pfn)]).toEqual([[5], { bucket }, null]);
});

test('[2.4 page cache hash] every page is found, in no more steps than its chain is long', () => {
  const hash = new PageHash(512, 6);
  const random = new Random(3);
  const where = new Map<Pfn, [number, number]>();
  for (let step = 0; step < 4000; step++) {
    const pfn = random.next(512) as Pfn;
    if (hash.has(pfn)) {
      hash.remove(pfn);
      where.delete(pfn);
    } else {
      const key: [number, number] = [random.next(5), step];
      hash.add(pfn, ...key);
      where.set(pfn, key);
    }
    if (step % 100 !== 0) continue;
    expect(hash.verify(() => {})).toEqual([]);
    expect(hash.size).toBe(where.size);
    for (const [page, [id, index]] of where) expect(hash.find(id, index)).toBe(page);
  }
  const { searches, steps } = hash;
  expect(hash.find(9, 1)).toBe(NO_PFN);
  expect(hash.searches).toBe(searches + 1);
  expect(hash.steps).toBe(steps + chain(hash, hash.bucketOf(9, 1)).length);
});

test('mappings of neighbouring inodes are 15 apart; swapper_space is 0', () => {
  expect([mappingHash(0), mappingHash(1), mappingHash(2)]).toEqual([0, 15, 30]);
});

test('what is wrong is said', () => {
  const hash = new PageHash(8, 3);
  hash.add(1 as Pfn, 1, 0);
  hash.add(2 as Pfn, 1, 8);
  (hash as unknown as { index: Float64Array }).index[1] = 3;
  hash.size = 3;
  const said = hash.verify(() => {}).join('\n');
  expect(said).toMatch(/frame 1: belongs in another bucket/);
  expect(said).toMatch(/page_cache_size is 3, the chains have 2/);
});
