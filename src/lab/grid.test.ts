/** Which combinations of a grid are machines, and what they are called. */
import { expect, test } from 'vitest';
import { CONFIGURATION_DEFAULTS, type Configuration, configurationsOf, type Grid, nameOf } from './grid.ts';

function gridWith(values: Partial<Grid>): Grid {
  const one = Object.fromEntries(Object.entries(CONFIGURATION_DEFAULTS).map(([option, value]) => [option, [value]]));
  return { ...(one as unknown as Grid), ...values };
}

function names(values: Partial<Grid>): string[] {
  const { configurations } = configurationsOf(gridWith(values));
  return configurations.map((c) => nameOf(c, configurations));
}

for (const { why, values, want } of [
  { why: 'one value each', values: {}, want: ['Linux 6.18'] },
  {
    why: 'all combinations',
    values: { kernel: ['6.1', '6.18'], swappiness: [0, 60] },
    want: [
      'Linux 6.1, swappiness 0',
      'Linux 6.1, swappiness 60',
      'Linux 6.18, swappiness 0',
      'Linux 6.18, swappiness 60',
    ],
  },
  { why: 'a value twice', values: { swappiness: [60, 60] }, want: ['Linux 6.18'] },
  {
    why: 'without swap its device does not matter',
    values: { swapBytes: [0, 2 ** 29], swapDevice: ['zram', 'disk'] },
    want: ['Linux 6.18, no swap', 'Linux 6.18, 512 MiB of swap, zram', 'Linux 6.18, 512 MiB of swap, disk'],
  },
  {
    why: 'a policy of a textbook is one, whatever the machine',
    values: { policy: ['kernel', 'lru'], swappiness: [0, 60] },
    want: ['Linux 6.18, swappiness 0', 'Linux 6.18, swappiness 60', 'lru'],
  },
  {
    why: 'MGLRU where there is one',
    values: { kernel: ['3.16', '6.1'], mglru: [true, false] },
    want: ['Linux 3.16, classic', 'Linux 6.1, MGLRU', 'Linux 6.1, classic'],
  },
] satisfies { why: string; values: Partial<Grid>; want: string[] }[]) {
  test(`grid: ${why}`, () => expect(names(values)).toEqual(want));
}

test('grid: what cannot be is said once', () => {
  const { configurations, skipped } = configurationsOf(
    gridWith({ kernel: ['3.16'], mglru: [true], swappiness: [0, 60] }),
  );
  expect(configurations).toEqual([] satisfies Configuration[]);
  expect(skipped).toEqual(['MGLRU on Linux 3.16: it came with 6.1']);
});
