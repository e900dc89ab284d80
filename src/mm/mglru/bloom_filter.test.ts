import { describe, expect, test } from 'vitest';
import type { Pfn } from '../units.ts';
import { BloomFilters, pmdHash } from './bloom_filter.ts';

/** hash_ptr(address, 30), by the book. */
function byTheBook(pfn: number, index: number): number {
  const address = 0xffff888000000000n + BigInt(pfn) * 4096n + BigInt(index) * 8n;
  return Number(((address * 0x61c8864680b583ebn) & 0xffffffffffffffffn) >> 34n);
}

describe('[6.x MGLRU] Bloom filters', () => {
  for (const [pfn, index] of [
    [0, 0],
    [1, 511],
    [4864, 56],
    [2 ** 20 - 1, 1],
    [2 ** 30 - 1, 300],
  ] as const) {
    test(`entry ${index} of the table in frame ${pfn} has the kernel's hash`, () => {
      expect(pmdHash(pfn as Pfn, index)).toBe(byTheBook(pfn, index));
    });
  }

  test('before a walk has begun to fill it, a filter lets every table through', () => {
    const filters = new BloomFilters();
    filters.add(3, 12345);
    expect(filters.test(3, 777)).toBe(true);
  });

  test('what is added for the next generation is found there, and not in this one', () => {
    const filters = new BloomFilters();
    filters.reset(3);
    filters.reset(4);
    filters.add(4, 12345);
    expect([filters.test(3, 12345), filters.test(4, 12345), filters.test(6, 12345)]).toEqual([false, true, true]);
    filters.reset(6);
    expect(filters.test(4, 12345)).toBe(false);
  });

  test('10,000 tables here and there are all found; of others, one in five is taken for one of them', () => {
    const filters = new BloomFilters();
    filters.reset(0);
    const hashOf = (i: number): number => pmdHash(((i * 7919) % 1_000_003) as Pfn, (i * 31) & 511);
    for (let i = 0; i < 10_000; i++) filters.add(0, hashOf(i));
    let lost = 0;
    let wrong = 0;
    for (let i = 0; i < 10_000; i++) if (!filters.test(0, hashOf(i))) lost += 1;
    for (let i = 10_000; i < 20_000; i++) if (filters.test(0, hashOf(i))) wrong += 1;
    expect(lost).toBe(0);
    expect(wrong / 10_000).toBeGreaterThan(0.1);
    expect(wrong / 10_000).toBeLessThan(0.3);
  });
});
