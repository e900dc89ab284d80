/**
 * Misses of an LRU cache by its size: the curve that has every size in it, exact or sampled.
 *
 * Owns      the shape of a curve.
 * Promises  `sizesPages` ascends from 0 to all pages; `misses` never rises. Between two sizes the misses are those of the smaller.
 */
import { sampleHits } from './shards.ts';
import { StackDistances } from './stack_distance.ts';
import type { PageStream } from './stream.ts';

export interface MissRatioCurve {
  /** Sizes at which the misses change, in pages. */
  sizesPages: Int32Array;
  misses: Float64Array;
  accesses: number;
  /** First accesses to a page: no cache has them. */
  coldMisses: number;
  /** Of a sampled curve: expected absolute error of the miss ratio, on average over the sizes. */
  error?: number;
  /** Of a sampled curve: the rate that was used, and the pages in the sample. */
  rate?: number;
  sampledPages?: number;
}

export interface CurveOptions {
  /** Rate of the sample, above 0 and below 1; exact without it. */
  sample?: number;
  /** Which sample. Default 0. */
  seed?: number;
}

export function missRatioCurve(stream: PageStream, options: CurveOptions = {}): MissRatioCurve {
  return options.sample === undefined ? exact(stream) : sampled(stream, options.sample, options.seed ?? 0);
}

function exact(stream: PageStream): MissRatioCurve {
  const distances = new StackDistances(stream.pages);
  stream.forEach((ids, _writes, count) => {
    distances.access(ids, count);
  });
  const hits = distances.hits();
  const sizes = new Int32Array(hits.length);
  let changes = 1;
  for (let size = 1; size < hits.length; size++) {
    if (hits[size] === hits[size - 1] && size < stream.pages) continue;
    sizes[changes] = size;
    changes += 1;
  }
  return curveOf(stream, sizes.slice(0, changes), (size) => hits[size]!);
}

function sampled(stream: PageStream, rate: number, seed: number): MissRatioCurve {
  const sample = sampleHits(stream, rate, seed);
  // One size for each depth of the sample, and all pages.
  const sizes = Array.from({ length: Math.floor(stream.pages * sample.rate) }, (_, i) => Math.round(i / sample.rate));
  const curve = curveOf(stream, Int32Array.from(new Set([...sizes, stream.pages])), sample.hits);
  return { ...curve, error: sample.error, rate: sample.rate, sampledPages: sample.sampled };
}

function curveOf(stream: PageStream, sizesPages: Int32Array, hits: (size: number) => number): MissRatioCurve {
  const { accesses, pages } = stream;
  const misses = new Float64Array(sizesPages.length);
  for (let i = 0; i < misses.length; i++) misses[i] = accesses - hits(sizesPages[i]!);
  return { sizesPages, misses, accesses, coldMisses: pages };
}

/** Misses of a cache of `pages` pages. */
export function missesAt(curve: MissRatioCurve, pages: number): number {
  const { sizesPages, misses } = curve;
  let low = 0;
  let high = sizesPages.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sizesPages[middle]! <= pages) low = middle;
    else high = middle - 1;
  }
  return misses[low]!;
}

/** The fewest pages with which at most `misses` are missed; null if no size does. */
export function sizeFor(curve: MissRatioCurve, misses: number): number | null {
  const at = curve.misses.findIndex((m) => m <= misses);
  return at < 0 ? null : curve.sizesPages[at]!;
}
