import { expect, test } from 'vitest';
import type { TruthRow } from '../trace/truth.ts';
import { type RankedPoint, rankedPairs } from './ranking.ts';

function point(
  swappiness: number,
  measured: readonly number[],
  predicted: number,
  limitBytes: number | null = 4096,
): RankedPoint {
  const mode = { device: 'zram', mglru: false, pageCluster: 3, swappiness } as const;
  const rows = measured.map(
    (faults): TruthRow => ({
      program: '',
      mode,
      limitBytes,
      status: 0,
      boot: 1,
      kernel: '',
      counts: { pgmajfault: faults },
    }),
  );
  return { mode, limitBytes, rows, predicted };
}

for (const { why, points, want } of [
  { why: 'ranked alike', points: [point(0, [100, 110], 90), point(100, [300, 320], 95)], want: [true] },
  { why: 'ranked otherwise', points: [point(0, [300, 320], 90), point(100, [100, 110], 95)], want: [false] },
  { why: 'they overlap', points: [point(0, [100, 200], 1), point(100, [190, 300], 2)], want: [] },
  { why: 'the gap is within the noise', points: [point(0, [100, 200], 1), point(100, [290, 300], 2)], want: [] },
  { why: 'the gap is less than a cluster', points: [point(0, [100], 1), point(100, [132], 2)], want: [] },
  { why: 'different limits', points: [point(0, [100], 1), point(100, [900], 2, 8192)], want: [] },
  { why: 'no limit', points: [point(0, [100], 1, null), point(100, [900], 2, null)], want: [] },
]) {
  test(`pairs: ${why}`, () => expect(rankedPairs(points).map(({ agrees }) => agrees)).toEqual(want));
}

test('the better one stands first, with the means of its runs', () => {
  const [pair] = rankedPairs([point(0, [300, 320], 90), point(100, [100, 110], 95)]);
  expect(pair).toMatchObject({ better: { swappiness: 100 }, measured: [105, 310], predicted: [95, 90] });
});
