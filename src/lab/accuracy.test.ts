import { expect, test } from 'vitest';
import type { TruthRow } from '../trace/truth.ts';
import { judge, pointsOf, rangeOf } from './accuracy.ts';

const mode = { device: 'zram', mglru: false, pageCluster: 3, swappiness: 60 } as const;

function row(
  counts: Record<string, number | null>,
  limitBytes: number | null = 4096,
  more: Partial<TruthRow> = {},
): TruthRow {
  return { program: 'made', mode, limitBytes, status: 0, boot: 1, kernel: '', counts, ...more };
}

for (const { why, kind, measured, predicted, want } of [
  { why: 'inside the range', kind: 'any', measured: [900, 1100], predicted: 1000, want: [0, 110, true] },
  { why: 'a tenth above it', kind: 'any', measured: [1500, 2000], predicted: 2200, want: [200, 200, true] },
  { why: 'more than that', kind: 'any', measured: [1500, 2000], predicted: 2201, want: [201, 200, false] },
  { why: 'a hundred pages below', kind: 'any', measured: [500], predicted: 400, want: [-100, 100, true] },
  { why: 'one process: a twentieth', kind: 'anonymous', measured: [2000], predicted: 2101, want: [101, 100, false] },
  { why: 'one process: 60 pages', kind: 'anonymous', measured: [100], predicted: 41, want: [-59, 60, true] },
] as const) {
  test(`judge: ${why}`, () => {
    const [verdict] = judge(
      kind,
      measured.map((pswpin) => row({ pswpin })),
      { pswpin: predicted },
    );
    const { off, allowed, within } = verdict!;
    expect(off === 0 ? [off, within] : [off, allowed, within]).toEqual(off === 0 ? [want[0], want[2]] : want);
  });
}

test('judge: what was not measured, or is not predicted, has no verdict', () => {
  const rows = [row({ pswpin: null, pswpout: 5, 'm.pgscan': 7 })];
  expect(judge('any', rows, { pswpin: 1, pswpout: 5, pgscan: null }).map(({ name }) => name)).toEqual(['pswpout']);
});

test('range: the cgroup is believed before the machine; anonymous and file pages are one', () => {
  const counts = {
    'm.pgscan': 10,
    pgscan_anon: 8,
    pgscan_file: 9,
    workingset_activate_anon: 3,
    workingset_activate_file: 4,
  };
  expect(rangeOf([row(counts)], 'pgscan')).toEqual({ low: 10, high: 10, runs: 1 });
  expect(rangeOf([row({ ...counts, 'm.pgscan': null })], 'pgscan')?.low).toBe(17);
  expect(rangeOf([row(counts)], 'workingset_activate_anon')?.low).toBe(3);
  expect(rangeOf([row(counts)], 'pgsteal')).toBeNull();
});

test('points: a mode after the other, in each from the widest limit to the narrowest', () => {
  const other = { mode: { ...mode, mglru: true } };
  const rows = [row({}, 4096), row({}, null), row({}, 8192, other), row({}, 8192), row({}, 4096)];
  expect(pointsOf(rows).map(({ mode, limitBytes, rows }) => [mode.mglru, limitBytes, rows.length])).toEqual([
    [false, null, 1],
    [false, 8192, 1],
    [false, 4096, 2],
    [true, 8192, 1],
  ]);
});
