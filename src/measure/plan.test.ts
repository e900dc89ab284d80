import { expect, test } from 'vitest';
import { limitsFor, modesOf, parseMeasureLimits } from './plan.ts';

const PAGE = 4096;

for (const { text, want } of [
  { text: '60%,75%,60%', want: { shares: [0.75, 0.6] } },
  { text: '33.5%', want: { shares: [0.335] } },
  { text: '4', want: { count: 4 } },
  { text: '8M,16M', want: { bytes: [16 * 2 ** 20, 8 * 2 ** 20] } },
  { text: '75%,16M', want: "'16M' is no share (75%); sizes and shares do not mix" },
  { text: '0%', want: "'0%' is no share (75%); sizes and shares do not mix" },
  { text: '500%', want: "'500%' is no share (75%); sizes and shares do not mix" },
]) {
  test(`limits: ${text}`, () => expect(parseMeasureLimits(text)).toEqual(want));
}

test('limits are whole pages, each once, the widest first', () => {
  expect(limitsFor({ shares: [0.3, 0.75, 0.7501] }, 100 * PAGE)).toEqual([75 * PAGE, 30 * PAGE]);
  expect(limitsFor({ bytes: [PAGE + 1, PAGE] }, 0)).toEqual([PAGE]);
  expect(limitsFor({ count: 2 }, 100 * PAGE)).toEqual([100 * PAGE, 30 * PAGE]);
});

test('modes: every combination', () => {
  const modes = modesOf({ device: ['zram'], mglru: [false, true], pageCluster: [3], swappiness: [0, 100] });
  expect(modes.map(({ mglru, swappiness }) => [mglru, swappiness])).toEqual([
    [false, 0],
    [false, 100],
    [true, 0],
    [true, 100],
  ]);
});
