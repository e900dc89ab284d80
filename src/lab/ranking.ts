/**
 * Which of two settings is better? What the kernel said, and what the engine says.
 *
 * Owns      the rule: a program under one limit, two settings (swappiness, the LRU). The one with fewer major faults is better. A pair
 *           counts if the ranges of the runs do not touch and lie farther apart than the runs of either do, and more than the 32
 *           faults of one of the kernel's clusters.
 */
import { formatMode, type TruthMode } from '../trace/truth.ts';
import { type MeasuredPoint, rangeOf } from './accuracy.ts';
import { MORE_FAULTS_LEAST } from './terms.ts';

export interface RankedPoint extends MeasuredPoint {
  /** Major faults. */
  predicted: number;
}

export interface RankedPair {
  limitBytes: number;
  better: TruthMode;
  worse: TruthMode;
  /** Major faults, means of the runs. */
  measured: readonly [better: number, worse: number];
  predicted: readonly [better: number, worse: number];
  agrees: boolean;
}

/** All pairs under one limit that differ by more than the noise. */
export function rankedPairs(points: readonly RankedPoint[]): RankedPair[] {
  const limited = points.filter(({ limitBytes }) => limitBytes !== null);
  return limited.flatMap((a, i) =>
    limited
      .slice(i + 1)
      .filter((b) => b.limitBytes === a.limitBytes && formatMode(a.mode, true) !== formatMode(b.mode, true))
      .flatMap((b) => pairOf(a, b)),
  );
}

function pairOf(a: RankedPoint, b: RankedPoint): RankedPair[] {
  const [first, second] = [rangeOf(a.rows, 'pgmajfault'), rangeOf(b.rows, 'pgmajfault')];
  if (first === null || second === null) return [];
  const gap = Math.max(first.low - second.high, second.low - first.high);
  const noise = Math.max(first.high - first.low, second.high - second.low, MORE_FAULTS_LEAST);
  if (gap <= noise) return [];
  const [better, worse] = first.high < second.low ? [a, b] : [b, a];
  const mean = ({ rows }: RankedPoint): number => {
    const { low, high } = rangeOf(rows, 'pgmajfault')!;
    return Math.round((low + high) / 2);
  };
  return [
    {
      limitBytes: a.limitBytes!,
      better: better.mode,
      worse: worse.mode,
      measured: [mean(better), mean(worse)],
      predicted: [better.predicted, worse.predicted],
      agrees: better.predicted < worse.predicted,
    },
  ];
}
