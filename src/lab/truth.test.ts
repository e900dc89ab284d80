/** A truth table beside a sweep: which rows belong, what is refused, what is said. */
import { expect, test } from 'vitest';
import type { Survey } from '../trace/survey.ts';
import { parseTruth, type TruthRow } from '../trace/truth.ts';
import { adviseOn } from './advice.ts';
import { madeUpRun } from './made_up.ts';
import { MACHINE_DEFAULTS } from './options.ts';
import { besideTruth, smallestText, truthFor } from './truth.ts';

const MiB = 2 ** 20;

function rows(...lines: string[]): TruthRow[] {
  const head = 'program\tmode\tlimit_kib\tstatus\tpswpin\tpswpout\tpgmajfault\tm.pgscan\tkernel';
  return parseTruth([head, ...lines].map((line) => `${line}\n`).join(''), 'made');
}

const TABLE = rows(
  'a\tz-n-3-peak\t0\t0\t0\t0\t5\t0\t',
  `a\tz-n-3\t${90 * 1024}\t0\t0\t0\t9\t100\t6.1.0`,
  `a\tz-n-3\t${70 * 1024}\t0\t800\t900\t880\t\t6.1.0`,
  `a\tz-n-3\t${70 * 1024}\t0\t850\t990\t1000\t\t6.1.0`,
  `a\tz-y-3\t${70 * 1024}\t0\t1\t1\t1\t1\t6.1.0`,
  `a\tz-n-3-s0\t${70 * 1024}\t0\t1\t1\t1\t1\t6.1.0`,
  `a\tv-n-3\t${70 * 1024}\t0\t1\t1\t1\t1\t6.1.0`,
  `a\thost\t${70 * 1024}\t0\t1\t1\t1\t1\t6.18.1`,
);

test('rows of the sweep’s swap, LRU, page-cluster and swappiness belong', () => {
  const { mode, points } = truthFor(MACHINE_DEFAULTS, TABLE, 'made');
  expect(mode).toMatchObject({ device: 'zram', mglru: false, pageCluster: 3, swappiness: 60 });
  expect(points.map(({ limitBytes, rows: each }) => [limitBytes, each.length])).toEqual([
    [null, 1],
    [90 * MiB, 1],
    [70 * MiB, 2],
  ]);
  expect(truthFor({ ...MACHINE_DEFAULTS, mglru: true }, TABLE, 'made').points.length).toBe(1);
});

for (const { why, options, table, want } of [
  {
    why: 'none belongs',
    options: { pageCluster: 0 },
    table: TABLE,
    want: 'made: mode: this sweep is z-n-0, and the table has only z-n-3, z-y-3, z-n-3-s0, v-n-3, host',
  },
  { why: 'no rows', options: {}, table: [], want: 'made: mode: this sweep is z-n-3, and the table has no rows' },
  { why: 'no swap', options: { swapBytes: 0 }, table: TABLE, want: 'made: mode: this sweep has no swap, and' },
]) {
  test(`refused: ${why}`, () => {
    expect(() => truthFor({ ...MACHINE_DEFAULTS, ...options }, table, 'made')).toThrow(want);
  });
}

test('beside: ranges, what is off and allowed, and where the smallest limit lies', () => {
  const truth = truthFor(MACHINE_DEFAULTS, TABLE, 'made');
  const unlimited = madeUpRun(null, { pgmajfault: 6, pswpin: 0, pswpout: 0, pgscan: 0 });
  const wide = madeUpRun(90 * MiB, { pgmajfault: 6, pswpin: 0, pswpout: 0, pgscan: 150 });
  const tight = madeUpRun(70 * MiB, { pgmajfault: 940, pswpin: 1300, pswpout: 700, pgscan: 1 });
  const survey: Survey = { files: [], parents: [-1], firstBrk: 0, syscalls: 0, rawAccesses: 0, talks: false };
  const laid = besideTruth(truth, [unlimited, wide, tight], 1, survey, adviseOn(unlimited, [wide, tight]));
  expect(laid).toMatchObject({ mode: 'z-n-3', measured_on: ['6.1', '6.1.0'], judged: 8, within: 5 });
  expect(laid.points[2]?.counters).toEqual([
    { name: 'pswpin', low: 800, high: 850, predicted: 1300, off: 450, allowed: 60, within: false },
    { name: 'pswpout', low: 900, high: 990, predicted: 700, off: -200, allowed: 60, within: false },
    { name: 'pgmajfault', low: 880, high: 1000, predicted: 940, off: 0, allowed: null, within: true },
  ]);
  expect(smallestText(laid.smallest_limit)).toBe(
    'Measured, the smallest limit is more than 70.0 MiB and at most 90.0 MiB; predicted was 90.0 MiB.',
  );
});

for (const { why, smallest, want } of [
  { why: 'no run without a limit', smallest: null, want: '' },
  {
    why: 'all were too narrow',
    smallest: { holds_bytes: null, fails_bytes: 70 * MiB, predicted_bytes: null },
    want: 'Measured, the smallest limit is more than 70.0 MiB; none was predicted.',
  },
  {
    why: 'all were wide enough',
    smallest: { holds_bytes: 50 * MiB, fails_bytes: null, predicted_bytes: 60 * MiB },
    want: 'Measured, the smallest limit is at most 50.0 MiB; predicted was 60.0 MiB.',
  },
]) {
  test(`measured smallest limit: ${why}`, () => expect(smallestText(smallest)).toBe(want));
}
