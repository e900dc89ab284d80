/**
 * The miss-ratio curve from a hundredth of the pages: SHARDS with a fixed rate.
 *
 * Owns      which pages are in the sample, what their depths stand for, and how far off the curve may be.
 * Promises  1. The same seed takes the same pages, whatever came before.
 *           2. Work and memory beside one look at each access are those of StackDistances on the sample.
 * Source    C. Waldspurger, N. Park, A. Garthwaite, I. Ahmad: Efficient MRC construction with SHARDS, FAST 2015.
 *
 * A page is in the sample if a hash of its number is small; so all accesses to it are, or none. In a stack of sampled pages only a
 * depth of d stands for a depth of d / R. With n accesses, n_s of them sampled:
 *
 *     hits(c) = ( hits of the sample in R·c pages  +  R·n - n_s ) / R
 *
 * R·n - n_s is SHARDS-adj: a few hot pages more or less in the sample make it too large or too small; their depths are small, so
 * what is missing is taken to be hits of depth 1.
 *
 * How far off: the sample is dealt into PARTS by other bits of the hash, each a sample of rate R / PARTS with a curve of its own. Where
 * their curves have standard deviation s, the whole sample's has s / √PARTS; a normal error of that spread is √(2/π) of it on average.
 *
 * Good at   a preview at a hundredth of the cost. The error falls with the root of the pages in the sample.
 * Bad at    few pages: a hundredth of 4,000 pages is 40. So LEAST_SAMPLED pages are taken at least, if there are as many.
 */
import { StackDistances } from './stack_distance.ts';
import type { PageStream } from './stream.ts';

const PARTS = 8;
/** Pages of a sample, expected; the paper finds mean errors below 0.01 from some thousands on. */
const LEAST_SAMPLED = 4096;
const NOT_SAMPLED = -1;
const HASHES = 2 ** 32;

export interface SampledHits {
  /** The rate that was used; above the one asked for if there are few pages. */
  rate: number;
  /** Pages in the sample. */
  sampled: number;
  /** Hits of a cache of `pages` pages, estimated; not below 0 and not above all. */
  hits(pages: number): number;
  /** Expected absolute error of the miss ratio, on average over all cache sizes up to that of all pages. */
  error: number;
}

export function sampleHits(stream: PageStream, rate: number, seed: number): SampledHits {
  const used = Math.min(1, Math.max(rate, LEAST_SAMPLED / Math.max(1, stream.pages)));
  const { numbers, parts, sampled } = choose(stream.pages, used, seed);
  const whole = new StackDistances(sampled);
  const each = Array.from({ length: PARTS }, () => new StackDistances(sampled));
  const kept = new Int32Array(1 << 12);
  let n = 0;
  const give = () => {
    whole.access(kept, n);
    giveParts(kept, n, parts, each);
    n = 0;
  };
  stream.forEach((ids, _writes, count) => {
    for (let i = 0; i < count; i++) {
      const number = numbers[ids[i]!]!;
      if (number === NOT_SAMPLED) continue;
      kept[n] = number;
      n += 1;
      if (n === kept.length) give();
    }
  });
  give();
  const hits = estimator(whole, used, stream.accesses);
  return { rate: used, sampled, hits, error: used === 1 ? 0 : spread(each, used, stream) };
}

/** Numbers of the sampled pages by id, NOT_SAMPLED for others; and to which part each of them belongs. */
function choose(pages: number, rate: number, seed: number) {
  const numbers = new Int32Array(pages).fill(NOT_SAMPLED);
  const parts: number[] = [];
  for (let id = 0; id < pages; id++) {
    const hash = mixed(id, seed);
    if (hash >= rate * HASHES) continue;
    numbers[id] = parts.length;
    parts.push(Math.floor((hash / (rate * HASHES)) * PARTS));
  }
  return { numbers, parts: Uint8Array.from(parts), sampled: parts.length };
}

/** 32 bits in which every bit of the number and of the seed counts (the last steps of MurmurHash3). */
function mixed(id: number, seed: number): number {
  let h = Math.imul(id + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function giveParts(kept: Int32Array, count: number, parts: Uint8Array, each: readonly StackDistances[]): void {
  const own = new Int32Array(count);
  for (const [part, distances] of each.entries()) {
    let n = 0;
    for (let i = 0; i < count; i++) {
      if (parts[kept[i]!] !== part) continue;
      own[n] = kept[i]!;
      n += 1;
    }
    distances.access(own, n);
  }
}

function estimator(distances: StackDistances, rate: number, accesses: number): (pages: number) => number {
  const counted = distances.hits();
  const missing = rate * accesses - distances.accesses;
  return (pages) => {
    if (pages < 1) return 0;
    // Between two depths of the sample lie 1 / rate depths of the whole.
    const scaled = Math.min(counted.length - 1, pages * rate);
    const low = Math.floor(scaled);
    const below = low === 0 ? missing : counted[low]! + missing;
    const above = counted[Math.min(counted.length - 1, low + 1)]! + missing;
    const hits = (below + (above - below) * (scaled - low)) / rate;
    return Math.min(accesses, Math.max(0, hits));
  };
}

const POINTS = 64;

function spread(each: readonly StackDistances[], rate: number, stream: PageStream): number {
  const curves = each.map((distances) => estimator(distances, rate / PARTS, stream.accesses));
  let sum = 0;
  for (let i = 1; i <= POINTS; i++) {
    const ratios = curves.map((hits) => hits((stream.pages * i) / POINTS) / stream.accesses);
    const mean = ratios.reduce((a, b) => a + b, 0) / PARTS;
    const variance = ratios.reduce((a, b) => a + (b - mean) ** 2, 0) / (PARTS - 1);
    sum += Math.sqrt(variance / PARTS) * Math.sqrt(2 / Math.PI);
  }
  return sum / POINTS;
}
