import { expect, test } from 'vitest';
import type { TruthRow } from '../trace/truth.ts';
import type { Answer, Question } from './guest.ts';
import { type MeasureOptions, measure } from './measure.ts';

const PAGE = 4096;
const PEAK = 1000 * PAGE;
const mode = { device: 'zram', mglru: false, pageCluster: 3, swappiness: 60 } as const;
const options: MeasureOptions = {
  program: 'made',
  kernel: '6.1.0',
  modes: [mode, { ...mode, mglru: true }],
  limits: { shares: [0.5] },
  smallest: false,
  repeat: 2,
  swapBytes: 2 ** 20,
  hostSwap: 'keep',
  timeoutSeconds: 9,
};

/** Takes 1,000 pages; below `needs` it has a major fault for each page that is missing. */
function bench(needs: number, asked: Question[], stopped: () => void) {
  return async () => ({
    ask: async (question: Question): Promise<Answer> => {
      asked.push(question);
      const missing = Math.max(0, needs - (question.limitBytes ?? PEAK) / PAGE);
      const counts = new Map([
        ['peak', PEAK],
        ['v.pswpin', missing],
        ['m.pgmajfault', 100 + missing],
        ['e.max', 3],
        ['ms', 12],
      ]);
      return { status: 0, counts, stderr: [] };
    },
    stop: async () => stopped(),
  });
}

async function measured(more: Partial<MeasureOptions>, needs = 600) {
  const asked: Question[] = [];
  const rows: TruthRow[] = [];
  let stops = 0;
  const boot = bench(needs, asked, () => {
    stops += 1;
  });
  await measure(
    { ...options, ...more },
    boot,
    (row) => rows.push(row),
    () => {},
  );
  return { asked, rows, stops };
}

test('every boot: each mode without a limit, then under those that the first run gave', async () => {
  const { asked, rows, stops } = await measured({});
  // The first of each boot is the one that is not counted.
  expect(asked.map(({ mglru, limitBytes }) => [mglru, limitBytes])).toEqual([
    [false, null],
    ...[
      [false, null],
      [false, PEAK / 2],
      [true, null],
      [true, PEAK / 2],
    ],
    [false, null],
    ...[
      [false, null],
      [false, PEAK / 2],
      [true, null],
      [true, PEAK / 2],
    ],
  ]);
  expect(rows.map(({ boot }) => boot)).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
  expect(stops).toBe(2);
});

test('a row has the numbers under their columns, null for what the kernel does not count', async () => {
  const { rows } = await measured({ repeat: 1 });
  const { counts, limitBytes, status, kernel } = rows[1]!;
  expect({ limitBytes, status, kernel }).toEqual({ limitBytes: PEAK / 2, status: 0, kernel: '6.1.0' });
  expect(counts).toMatchObject({ peak_kib: 4000, pswpin: 100, 'm.pgmajfault': 200, 'm.max': 3, ms: 12 });
  expect(counts['m.pgscan']).toBeNull();
});

test('on the computer at hand the swap that is on is kept', async () => {
  const { asked } = await measured({ modes: [{ ...mode, device: 'host' }], repeat: 1 });
  expect(asked[0]?.swap).toBe('keep');
});

for (const { needs, why } of [
  { needs: 600, why: 'a knee in the middle' },
  { needs: 995, why: 'all of it is needed' },
  { needs: 0, why: 'next to nothing is needed' },
]) {
  test(`the smallest limit is found within a hundredth: ${why}`, async () => {
    const { rows } = await measured({ modes: [mode], repeat: 1, smallest: true }, needs);
    const good = rows.filter(({ counts, limitBytes }) => limitBytes !== null && counts['m.pgmajfault']! <= 105);
    const smallest = Math.min(PEAK, ...good.map(({ limitBytes }) => limitBytes!)) / PAGE;
    // Five more faults are allowed; it looks down to a tenth.
    const wanted = Math.max(100, needs - 5);
    expect(smallest).toBeGreaterThanOrEqual(wanted);
    expect(smallest).toBeLessThanOrEqual(wanted * 1.02);
  });
}

test('a machine that breaks off is stopped', async () => {
  let stops = 0;
  const boot = async () => ({
    ask: () => Promise.reject(new Error('gone')),
    stop: async () => {
      stops += 1;
    },
  });
  await expect(
    measure(
      options,
      boot,
      () => {},
      () => {},
    ),
  ).rejects.toThrow('gone');
  expect(stops).toBe(1);
});
