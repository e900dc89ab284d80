/** The words of the advice, on made-up curves; and the bisection that finds them. */
import { expect, test } from 'vitest';
import { madeUpRun } from './made_up.ts';
import { findBoundary, PRECISION_PAGES, PRECISION_SHARE } from './refine.ts';
import type { RunResult } from './result.ts';
import { boundary, doesNotThrash, hasFewFaults, kneeOf, majorFaultsAllowed, takesTheTime } from './terms.ts';

const MiB = 2 ** 20;

for (const { why, unlimited, want } of [
  { why: 'none become 32', unlimited: 0, want: 32 },
  { why: 'three become 35: 5 % of three is nothing', unlimited: 3, want: 35 },
  { why: '640 are where both say the same', unlimited: 640, want: 672 },
  { why: 'of many, 5 %', unlimited: 10_000, want: 10_500 },
]) {
  test(`major faults allowed: ${why}`, () => expect(majorFaultsAllowed(unlimited)).toBe(want));
}

const unlimited = madeUpRun(null, { pgmajfault: 40 });
const at = (limitMiB: number, faults: number, status: RunResult['status'] = 'exited') =>
  madeUpRun(limitMiB * MiB, { pgmajfault: faults, pswpin: faults, workingset_refault_anon: faults }, status);
const slow = (limitMiB: number, seconds: number): RunResult => {
  const run = at(limitMiB, 40);
  return { ...run, estimate: { ...run.estimate, seconds } };
};

for (const { why, rule, runs, holds, fails } of [
  { why: '72 of 40 are few', rule: hasFewFaults, runs: [at(90, 40), at(80, 72), at(70, 73)], holds: 80, fails: 70 },
  { why: 'in any order', rule: hasFewFaults, runs: [at(70, 73), at(90, 40), at(80, 72)], holds: 80, fails: 70 },
  {
    why: 'a narrow limit that is good again does not count',
    rule: hasFewFaults,
    runs: [at(90, 40), at(80, 900), at(70, 40)],
    holds: 90,
    fails: 80,
  },
  { why: 'killed is not few', rule: hasFewFaults, runs: [at(90, 0, 'oom-killed')], holds: null, fails: 90 },
  { why: 'all good', rule: hasFewFaults, runs: [at(90, 40), at(50, 41)], holds: 50, fails: null },
  { why: 'nothing was tried', rule: hasFewFaults, runs: [], holds: null, fails: null },
  {
    why: '5 % more time is the time',
    rule: takesTheTime,
    runs: [slow(90, 1.05), slow(80, 1.06)],
    holds: 90,
    fails: 80,
  },
  { why: 'twice the time thrashes', rule: doesNotThrash, runs: [slow(90, 1.99), slow(80, 2)], holds: 90, fails: 80 },
]) {
  test(`boundary: ${why}`, () => {
    const found = boundary(runs, unlimited, rule);
    expect([found.holds?.limit_bytes, found.fails?.limit_bytes]).toEqual([
      holds === null ? undefined : holds * MiB,
      fails === null ? undefined : fails * MiB,
    ]);
  });
}

for (const { why, curve, want } of [
  {
    why: 'a bend',
    curve: [
      [90, 0],
      [80, 50],
      [70, 100],
      [60, 3000],
      [50, 9000],
    ],
    want: 70,
  },
  {
    why: 'a straight line has none',
    curve: [
      [90, 1000],
      [80, 2000],
      [70, 3000],
      [60, 4000],
      [50, 5000],
    ],
    want: null,
  },
  {
    why: 'a cliff at once has none',
    curve: [
      [90, 9000],
      [80, 9100],
      [70, 9200],
      [60, 9300],
    ],
    want: null,
  },
  {
    why: 'a few faults are none',
    curve: [
      [90, 0],
      [80, 0],
      [70, 0],
      [60, 30],
    ],
    want: null,
  },
  {
    why: 'two limits cannot tell',
    curve: [
      [90, 0],
      [60, 5000],
    ],
    want: null,
  },
  {
    why: 'limits above the peak say nothing',
    curve: [
      [400, 0],
      [300, 0],
      [200, 0],
      [60, 5000],
    ],
    want: null,
  },
  { why: 'nothing was tried', curve: [], want: null },
] as const) {
  test(`knee: ${why}`, () => {
    const runs = curve.map(([limit, faults]) => at(limit, faults));
    expect(kneeOf(unlimited, runs)?.limit_bytes ?? null).toBe(want === null ? null : want * MiB);
  });
}

test('knee: where it thrashes, the curve ends', () => {
  const curve = [at(90, 0), at(80, 50), at(70, 3000), at(60, 9000)];
  const thrashing = [slow(50, 3), slow(40, 30)].map((run, i) => ({
    ...run,
    counters: { workingset_refault_anon: 1e6 * (i + 1) },
  }));
  expect(kneeOf(unlimited, [...curve, ...thrashing])?.limit_bytes).toBe(60 * MiB);
  expect(kneeOf(unlimited, curve)?.limit_bytes).toBe(80 * MiB);
});

/** A program of which few faults are seen from `pages` on, and which is killed below `killed`. */
function replaysOf(pages: number, killed = 0) {
  const asked: number[] = [];
  const replay = async (limitBytes: number): Promise<RunResult> => {
    asked.push(limitBytes / 4096);
    const faults = limitBytes >= pages * 4096 ? 40 : 5000;
    return { ...at(1, faults, limitBytes < killed * 4096 ? 'oom-killed' : 'exited'), limit_bytes: limitBytes };
  };
  return { asked, replay };
}

for (const { why, pages, grid, most } of [
  { why: 'between two limits', pages: 18_000, grid: [25_600, 20_480, 15_360], most: 6 },
  { why: 'the limits were all too narrow', pages: 21_000, grid: [20_000, 10_000], most: 6 },
  { why: 'even the peak is too narrow', pages: 30_000, grid: [20_000], most: 8 },
  { why: 'the limits were all wide enough', pages: 900, grid: [25_600, 20_480], most: 11 },
  { why: 'few pages: 16 are near enough', pages: 100, grid: [400, 80], most: 5 },
  { why: 'no limits were asked for', pages: 18_000, grid: [], most: 9 },
]) {
  test(`bisection: ${why}`, async () => {
    const { asked, replay } = replaysOf(pages);
    const runs = await Promise.all(grid.map((n) => replaysOf(pages).replay(n * 4096)));
    const { holds, fails, replays } = await findBoundary(unlimited, runs, hasFewFaults, replay);
    const [high, low] = [holds!.limit_bytes! / 4096, fails!.limit_bytes! / 4096];
    expect(high).toBeGreaterThanOrEqual(pages);
    expect(low).toBeLessThan(pages);
    expect(high - low).toBeLessThanOrEqual(Math.max(PRECISION_PAGES, PRECISION_SHARE * high));
    expect(replays.map((run) => run.limit_bytes! / 4096)).toEqual(asked);
    expect(asked.length).toBeLessThanOrEqual(most);
    expect(asked.filter((n) => grid.includes(n))).toEqual([]);
  });
}

test('bisection: no limit is wide enough', async () => {
  const { replay } = replaysOf(1e6);
  const found = await findBoundary(unlimited, [], hasFewFaults, replay);
  expect(found.holds).toBeNull();
  expect(found.fails?.limit_bytes).toBe(2 * unlimited.peak_bytes);
});

test('bisection: no limit is too narrow', async () => {
  const { replay, asked } = replaysOf(0);
  const found = await findBoundary(unlimited, [], hasFewFaults, replay);
  expect(found.fails).toBeNull();
  expect(found.holds!.limit_bytes! / 4096).toBe(100);
  expect(asked.at(-1)).toBe(100);
});
