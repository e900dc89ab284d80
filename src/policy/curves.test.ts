/** The fast ways against the slow ones, on streams that fast-check makes and makes small. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { streamOf } from '../../test/policy/traces.ts';
import { zipfPages } from '../../test/zipf.ts';
import { missesAt, missRatioCurve, sizeFor } from './miss_ratio_curve.ts';
import { NextUses } from './opt.ts';
import { sampleHits } from './shards.ts';
import { StackDistances } from './stack_distance.ts';
import type { PageStream } from './stream.ts';

function giveAll(stream: PageStream, distances: StackDistances): void {
  stream.forEach((ids, _writes, count) => {
    distances.access(ids, count);
  });
}

/** Mattson's stack as a list. */
function naiveHits(stream: PageStream): number[] {
  const stack: number[] = [];
  const depths = new Array<number>(stream.pages + 1).fill(0);
  stream.forEach((ids, _writes, count) => {
    for (const id of ids.subarray(0, count)) {
      const at = stack.indexOf(id);
      if (at >= 0) {
        depths[at + 1]! += 1;
        stack.splice(at, 1);
      }
      stack.unshift(id);
    }
  });
  for (let size = 1; size < depths.length; size++) depths[size]! += depths[size - 1]!;
  return depths;
}

function naiveOpt(stream: PageStream, capacity: number): number {
  const all: number[] = [];
  stream.forEach((ids) => {
    all.push(...ids);
  });
  const held = new Set<number>();
  let misses = 0;
  for (const [now, id] of all.entries()) {
    if (held.has(id)) continue;
    misses += 1;
    if (capacity > 0 && held.size === capacity) {
      const nextUse = (page: number) => {
        const at = all.indexOf(page, now + 1);
        return at < 0 ? Number.POSITIVE_INFINITY : at;
      };
      held.delete([...held].reduce((a, b) => (nextUse(b) > nextUse(a) ? b : a)));
    }
    if (capacity > 0) held.add(id);
  }
  return misses;
}

const accesses = fc.oneof(
  fc.array(fc.nat(8), { maxLength: 60 }),
  fc.array(fc.nat(70), { maxLength: 400 }),
  fc.array(
    fc.integer({ min: 0, max: 1000 }).map((n) => Math.floor(1000 / (n + 1))),
    { maxLength: 400 },
  ),
);

test('stack distances: every cache size has the hits of the list', () => {
  fc.assert(
    fc.property(accesses, fc.integer({ min: 1, max: 50 }), (pages, batch) => {
      const stream = streamOf(pages, batch);
      const distances = new StackDistances(stream.pages);
      giveAll(stream, distances);
      expect([...distances.hits()]).toEqual(naiveHits(stream));
      expect(distances.cold).toBe(stream.pages);
    }),
  );
});

test('stack distances: bits that moved to the front keep their order', () => {
  // Many more accesses than the row has positions, with few pages and with more than a block of them.
  for (const pages of [3, 40, 6000]) {
    let state = pages;
    const walk = Array.from({ length: 150_000 }, (_, i) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return i < pages ? i : Math.floor((state / 2 ** 32) ** 3 * pages);
    });
    const stream = streamOf(walk, 777);
    const distances = new StackDistances(stream.pages);
    giveAll(stream, distances);
    const hits = distances.hits();
    for (const size of [1, 2, pages >> 3, pages >> 1, pages - 1, pages]) {
      expect(stream.accesses - hits[size]!, `${size} of ${pages} pages`).toBe(lruMisses(walk, size));
    }
  }
});

/** One LRU cache; a Map keeps the order in which keys were put in. */
function lruMisses(pages: readonly number[], capacity: number): number {
  const held = new Map<number, true>();
  let misses = 0;
  for (const page of pages) {
    if (!held.delete(page)) misses += 1;
    held.set(page, true);
    if (held.size > capacity) held.delete(held.keys().next().value!);
  }
  return misses;
}

test('OPT: the misses of whoever looks through the whole future each time', () => {
  fc.assert(
    fc.property(accesses, fc.nat(80), (pages, capacity) => {
      const stream = streamOf(pages, 50);
      expect(NextUses.of(stream)!.misses(capacity)).toBe(naiveOpt(stream, capacity));
    }),
  );
});

test('OPT: never more misses than LRU, and as many where all fits', () => {
  fc.assert(
    fc.property(accesses, (pages) => {
      const stream = streamOf(pages);
      const curve = missRatioCurve(stream);
      const opt = NextUses.of(stream)!;
      for (let size = 0; size <= stream.pages; size++) {
        expect(opt.misses(size)).toBeLessThanOrEqual(missesAt(curve, size));
      }
      expect(opt.misses(stream.pages)).toBe(stream.pages);
      expect(missesAt(curve, stream.pages)).toBe(stream.pages);
    }),
  );
});

test('curve: from all misses to the first accesses, and back from misses to a size', () => {
  const curve = missRatioCurve(streamOf([1, 2, 3, 1, 2, 3, 3]));
  expect(curve).toEqual({
    sizesPages: Int32Array.of(0, 1, 3),
    misses: Float64Array.of(7, 6, 3),
    accesses: 7,
    coldMisses: 3,
  });
  expect([0, 1, 2, 3, 9].map((size) => missesAt(curve, size))).toEqual([7, 6, 6, 3, 3]);
  expect([7, 5, 3, 2].map((misses) => sizeFor(curve, misses))).toEqual([0, 3, 3, null]);
  expect(missRatioCurve(streamOf([]))).toMatchObject({ accesses: 0, coldMisses: 0 });
});

test('SHARDS: a sample of all is exact, few pages are all taken, the same seed is the same sample', () => {
  const stream = streamOf(zipfPages(3000, 40_000, 1).ids);
  const exact = missRatioCurve(stream);
  const { misses, sizesPages } = missRatioCurve(stream, { sample: 0.01, seed: 3 });
  for (const [i, size] of sizesPages.entries()) expect(misses[i]).toBe(missesAt(exact, size));
  expect(sampleHits(stream, 0.01, 1)).toMatchObject({ rate: 1, sampled: stream.pages, error: 0 });
  const many = streamOf(zipfPages(100_000, 200_000, 2).ids);
  expect(missRatioCurve(many, { sample: 0.1, seed: 5 })).toEqual(missRatioCurve(many, { sample: 0.1, seed: 5 }));
  expect(sampleHits(many, 0.1, 5).sampled).not.toBe(sampleHits(many, 0.1, 6).sampled);
});

test('SHARDS: off by less than a hundredth on average over five seeds, and it says how far', () => {
  const stream = streamOf(zipfPages(400_000, 1_000_000, 7).ids, 1 << 16);
  const exact = missRatioCurve(stream);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const errors: number[] = [];
  const said: number[] = [];
  for (const seed of [1, 2, 3, 4, 5]) {
    const sample = sampleHits(stream, 0.01, seed);
    const off: number[] = [];
    for (let size = 0; size <= stream.pages; size += 100) {
      off.push(Math.abs(stream.accesses - sample.hits(size) - missesAt(exact, size)) / stream.accesses);
    }
    errors.push(mean(off));
    said.push(sample.error);
  }
  expect(mean(errors)).toBeLessThan(0.01);
  expect(mean(said)).toBeGreaterThan(mean(errors) / 3);
  expect(mean(said)).toBeLessThan(mean(errors) * 3);
});
