/**
 * What textbook caches make of a recording: misses by size, under LRU (exact or sampled) and under OPT.
 *
 * Owns      the shape of what `revmap curve` prints.
 * Promises  Points ascend, from the smallest cache to one in which all pages fit.
 */
import { PAGE_SIZE } from '../mm/units.ts';
import { type CurveOptions, missesAt, missRatioCurve } from '../policy/miss_ratio_curve.ts';
import { NextUses } from '../policy/opt.ts';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { type PageKind, pageStream } from './page_stream.ts';

export interface MissRatioPoint {
  pages: number;
  bytes: number;
  /** A share of all accesses, as below. */
  lru_miss_ratio: number;
  lru_misses: number;
  /** Null: not asked for, or the recording is longer than OPT's table of next uses can be. */
  opt_miss_ratio: number | null;
  opt_misses: number | null;
}

export interface MissRatioResult {
  recording: string;
  command: string;
  accesses: number;
  pages: number;
  pages_of: Record<PageKind, number>;
  /** Accesses that miss in every cache: the first to each page. */
  cold_misses: number;
  /** Null: exact. `error` is the expected absolute error of the miss ratio, on average over the sizes. */
  sample: { rate: number; pages: number; seed: number; error: number } | null;
  points: MissRatioPoint[];
}

export interface MissRatioOptions extends CurveOptions {
  /** So many sizes, evenly spaced. */
  points: number;
  opt: boolean;
}

export function missRatios(recording: Recording, survey: Survey, options: MissRatioOptions): MissRatioResult {
  const stream = pageStream(recording, survey);
  const { accesses, pages } = stream;
  const curve = missRatioCurve(stream, options);
  const next = options.opt ? NextUses.of(stream) : null;
  const ratio = (misses: number) => (accesses === 0 ? 0 : misses / accesses);
  const points = sizesUpTo(pages, options.points).map((size): MissRatioPoint => {
    const lru = Math.round(missesAt(curve, size));
    const opt = next === null ? null : next.misses(size);
    return {
      pages: size,
      bytes: size * PAGE_SIZE,
      lru_miss_ratio: ratio(lru),
      lru_misses: lru,
      opt_miss_ratio: opt === null ? null : ratio(opt),
      opt_misses: opt,
    };
  });
  const kinds: Record<PageKind, number> = { anon: 0, file: 0, shmem: 0 };
  for (let id = 0; id < pages; id++) kinds[stream.kindOf(id)] += 1;
  return {
    recording: recording.header.name,
    command: recording.header.command,
    accesses,
    pages,
    pages_of: kinds,
    cold_misses: curve.coldMisses,
    sample:
      options.sample === undefined
        ? null
        : {
            rate: curve.rate ?? 1,
            pages: curve.sampledPages ?? pages,
            seed: options.seed ?? 0,
            error: curve.error ?? 0,
          },
    points,
  };
}

function sizesUpTo(pages: number, count: number): number[] {
  const sizes = Array.from({ length: count }, (_, i) => Math.max(1, Math.round((pages * (i + 1)) / count)));
  return [...new Set(sizes)];
}
