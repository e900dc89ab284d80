/** What is said of made-up runs: the advice, other settings, and why RSS and the limit disagree. */
import { expect, test } from 'vitest';
import { accountOf, chargeName } from './account.ts';
import { adviseOn } from './advice.ts';
import { settingsBeside, tighterLimit, tryAlternatives } from './alternatives.ts';
import { madeUpRun } from './made_up.ts';
import { MACHINE_DEFAULTS, type MachineOptions } from './options.ts';
import type { RunResult } from './result.ts';
import { sizeUp } from './sizing.ts';

const MiB = 2 ** 20;

const unlimited = madeUpRun(null, { pgmajfault: 5 });
const roomy = madeUpRun(90 * MiB, { pgmajfault: 5, pgscan: 100, pgsteal: 50 });
const tight = madeUpRun(70 * MiB, {
  pgmajfault: 905,
  pswpin: 900,
  pswpout: 1000,
  workingset_refault_anon: 900,
  workingset_activate_anon: 450,
});
const starved = madeUpRun(50 * MiB, {
  pgmajfault: 400_000,
  pswpin: 390_000,
  workingset_refault_anon: 390_000,
  workingset_refault_file: 10_000,
  workingset_activate_anon: 100_000,
  pgscan: 3_000_000,
  pgsteal: 600_000,
});
const killed = madeUpRun(30 * MiB, {}, 'oom-killed');

for (const { why, runs, smallest, thrashing, words } of [
  {
    why: 'from roomy to killed',
    runs: [roomy, tight, starved, killed],
    smallest: 90,
    thrashing: 50,
    words: ['runs in 90.0 MiB as it does without a limit, 90 % of its peak', 'in 50.0 MiB it thrashes', 'Set 99.0 MiB'],
  },
  { why: 'never bad', runs: [roomy, tight], smallest: 90, thrashing: null, words: ['down to 70.0 MiB it does not'] },
  { why: 'bad at once', runs: [starved, killed], smallest: null, thrashing: 50, words: ['thrashes in 50.0 MiB'] },
  { why: 'killed at once', runs: [killed], smallest: null, thrashing: 30, words: ['is killed in 30.0 MiB'] },
  { why: 'killed below', runs: [roomy, killed], smallest: 90, thrashing: 30, words: ['in 30.0 MiB it is killed'] },
  { why: 'no limit', runs: [], smallest: null, thrashing: null, words: ['needs 100.0 MiB at its peak'] },
]) {
  test(`advice: ${why}`, () => {
    const advice = adviseOn(unlimited, runs);
    expect(advice.smallest_limit?.limit_bytes).toBe(smallest === null ? undefined : smallest * MiB);
    expect(advice.thrashing_point?.limit_bytes).toBe(thrashing === null ? undefined : thrashing * MiB);
    for (const word of words) expect(advice.headline).toContain(word);
  });
}

test('advice: the recommended limit is a tenth wider, in whole pages', () => {
  const advice = adviseOn(unlimited, [roomy, tight]);
  expect(advice.recommended_limit_bytes).toBe(99 * MiB);
  expect(adviseOn(unlimited, [starved]).recommended_limit_bytes).toBeNull();
  const wide = { ...roomy, limit_bytes: 300 * MiB };
  expect(adviseOn(unlimited, [wide]).recommended_limit_bytes).toBe(300 * MiB);
  expect(adviseOn(unlimited, [{ ...roomy, limit_bytes: 105 * MiB }]).recommended_limit_bytes).toBe(110 * MiB);
});

test('advice: files read again take time and make no major fault', () => {
  const reading = { ...roomy, limit_bytes: 80 * MiB, counters: { pgmajfault: 5, workingset_refault_file: 40_000 } };
  const slow = { ...reading, estimate: { ...reading.estimate, seconds: 1.4 } };
  const advice = adviseOn(unlimited, [roomy, slow]);
  expect(advice.smallest_limit?.limit_bytes).toBe(80 * MiB);
  expect(advice.same_time_limit?.limit_bytes).toBe(90 * MiB);
  expect(advice.recommended_limit_bytes).toBe(99 * MiB);
  expect(advice.reasons.join(' ')).toContain(
    'it takes 1.40 times its time: 5 major faults, 40,000 pages of files read again',
  );
});

test('advice: every reason carries numbers', () => {
  const { reasons } = adviseOn(unlimited, [roomy, tight, starved, killed]);
  expect(reasons.length).toBeGreaterThanOrEqual(3);
  for (const reason of reasons) expect(reason).toMatch(/\d/);
  const all = reasons.join(' ');
  expect(all).toContain('90.0 MiB: 5 major faults, 5 without a limit (up to 37 count as the same)');
  expect(all).toContain('25 % of what came back is its working set by its refault distance');
  expect(all).toContain('looks at 5.0 pages for each that it frees');
});

test('advice: what the bisection found is told from what was asked for', () => {
  const between = { ...roomy, limit_bytes: 80 * MiB };
  const { smallest_limit } = adviseOn(unlimited, [roomy, tight], [between]);
  expect(smallest_limit).toMatchObject({ limit_bytes: 80 * MiB, fails_at_bytes: 70 * MiB, by_bisection: true });
  expect(adviseOn(unlimited, [roomy, tight]).smallest_limit?.by_bisection).toBe(false);
});

// other settings

for (const { why, asked, want } of [
  {
    why: '6.18 with zram',
    asked: {},
    want: [
      'zram, swappiness 60',
      'no swap',
      'swap on a disk',
      'swappiness 0',
      'swappiness 100',
      'swappiness 200',
      'MGLRU',
    ],
  },
  {
    why: 'without swap its swappiness says nothing',
    asked: { swapBytes: 0, mglru: true },
    want: ['no swap, MGLRU', 'swap on zram', 'swap on a disk', 'classic LRU'],
  },
  {
    why: '3.16 has no MGLRU, and 100 is the most',
    asked: { kernel: '3.16', swapDevice: 'disk' as const, swappiness: 0 },
    want: ['disk, swappiness 0', 'no swap', 'swap on zram', 'swappiness 60', 'swappiness 100'],
  },
  {
    why: '2.4 has no swappiness',
    asked: { kernel: '2.4.18' },
    want: ['zram, swappiness 60', 'no swap', 'swap on a disk'],
  },
]) {
  test(`settings beside: ${why}`, () => {
    const options = { ...MACHINE_DEFAULTS, ...asked };
    const settings = settingsBeside(options);
    expect(settings.map(({ name }) => name)).toEqual(want);
    for (const other of settings.slice(1)) {
      const changed = Object.entries(other.options).filter(
        ([key, value]) => options[key as keyof MachineOptions] !== value,
      );
      expect(changed.length).toBeGreaterThanOrEqual(1);
      expect(changed.every(([key]) => key.startsWith('swap') || key === 'mglru')).toBe(true);
    }
  });
}

test('tighter limit: the knee, or seven tenths', () => {
  const advice = adviseOn(unlimited, [roomy, tight]);
  const knee = { ...advice.smallest_limit!, limit_bytes: 60 * MiB };
  expect(tighterLimit({ ...advice, knee })).toBe(60 * MiB);
  expect(tighterLimit({ ...advice, knee: { ...knee, limit_bytes: 95 * MiB } })).toBeCloseTo(69.3 * MiB, -4);
  expect(tighterLimit(adviseOn(unlimited, [starved]))).toBeNull();
});

test('other settings: better, worse, killed, and what is only noise', async () => {
  const faultsOf = (options: MachineOptions): number => {
    if (options.mglru) return 300;
    if (options.swapDevice === 'disk') return 5000;
    return options.swappiness === 100 ? 950 : 900;
  };
  const replay = async (options: MachineOptions, limitBytes: number): Promise<RunResult> => {
    if (limitBytes > 90 * MiB) return { ...roomy, limit_bytes: limitBytes };
    expect(options.swapBytes * options.swappiness, 'what must be killed is not replayed').toBeGreaterThan(0);
    const faults = faultsOf(options);
    return madeUpRun(limitBytes, { pgmajfault: faults, pswpin: faults, workingset_refault_anon: faults });
  };
  const found = await tryAlternatives(MACHINE_DEFAULTS, unlimited, adviseOn(unlimited, [roomy, tight]), replay);
  expect(found?.findings).toEqual([
    'In 99.0 MiB no other setting differs by more than the noise.',
    'In 69.3 MiB MGLRU is better: 1.00 times its time instead of 1.00, 300 major faults instead of 900, 300 pages came back instead of 900.',
    'In 69.3 MiB swap on a disk is the worst: 1.01 times its time instead of 1.00, 5,000 major faults instead of 900, 5,000 pages came back instead of 900.',
    'In 69.3 MiB it is killed with no swap, swappiness 0.',
  ]);
  expect(await tryAlternatives(MACHINE_DEFAULTS, unlimited, adviseOn(unlimited, []), replay)).toBeNull();
});

test('sizing: no machine is replayed twice under the same limit', async () => {
  const made: string[] = [];
  const replay = async (options: MachineOptions, limitBytes: number): Promise<RunResult> => {
    made.push(`${JSON.stringify(options)} ${limitBytes}`);
    const faults = limitBytes >= 75 * MiB ? 5 : 600_000 - limitBytes / 200;
    return madeUpRun(limitBytes, { pgmajfault: faults, pswpin: faults, workingset_refault_anon: faults });
  };
  const { refined, advice, alternatives } = await sizeUp(MACHINE_DEFAULTS, unlimited, [roomy, tight], replay);
  expect(new Set(made).size).toBe(made.length);
  expect(refined.length).toBeGreaterThan(5);
  expect(made.length).toBeLessThanOrEqual(refined.length + 2 * alternatives!.settings.length);
  expect(advice.smallest_limit!.limit_bytes / MiB).toBeCloseTo(75.4, 0);
  expect(advice.smallest_limit!.by_bisection).toBe(true);
  const limits = refined.map((run) => run.limit_bytes!);
  expect(limits).toEqual([...limits].sort((a, b) => b - a));
});

// what the charge is made of

test('account: from RSS to the charge, to the byte', () => {
  const lines = accountOf(unlimited);
  expect(lines.map(({ what, bytes }) => [what, bytes / MiB])).toEqual([
    ['RSS of 2 processes, added up', 92],
    ['mapped by several, counted once', -10],
    ['file cache that nobody maps', 8],
    ['page tables', 5],
    ['slab', 2],
    ['charged ahead', 3],
  ]);
  expect(lines.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(unlimited.peak.bytes);
});

test('account: a kernel that charges user pages only', () => {
  const peak = { ...unlimited.peak, bytes: 91 * MiB, processes: 1, rss: 82 * MiB };
  const lines = accountOf({ ...unlimited, peak });
  expect(lines[0]?.what).toBe('RSS of the process');
  expect(lines.at(-1)).toMatchObject({ what: 'not charged by this kernel', bytes: -6 * MiB });
  expect(lines.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(peak.bytes);
});

test('account: a kernel without cgroups', () => {
  const lines = accountOf({ ...unlimited, limited_by: 'mem=' });
  expect(lines.at(-1)?.what).toBe("the kernel's own, and free on its lists");
  expect([chargeName('mem='), chargeName('memory.max')]).toEqual([
    'taken since the kernel has booted',
    'charged to the cgroup',
  ]);
});
