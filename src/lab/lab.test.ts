/** Options and the curve in a terminal. */
import { expect, test } from 'vitest';
import { drawCurve, niceTop, shortNumber } from './curve.ts';
import { formatSize, limitsBelow, parseLimits, parseSize } from './options.ts';

const MiB = 2 ** 20;

for (const { text, want } of [
  { text: '64M', want: 64 * MiB },
  { text: '64MiB', want: 64 * MiB },
  { text: '12603K', want: 12603 * 1024 },
  { text: '1.5G', want: 1.5 * 2 ** 30 },
  { text: '4096', want: 4096 },
  { text: '1b', want: 1 },
  { text: '0', want: null },
  { text: '-5M', want: null },
  { text: '5 M', want: null },
  { text: '', want: null },
  { text: '1e9', want: null },
  { text: '900000T', want: null },
]) {
  test(`size: '${text}'`, () => expect(parseSize(text)).toBe(want));
}

for (const { text, want } of [
  { text: '8', want: { count: 8 } },
  { text: '0', want: '1 to 256 limits, not 0' },
  { text: '48M,64M,48M', want: { bytes: [64 * MiB, 48 * MiB] } },
  { text: '12M..4M:4M', want: { bytes: [12 * MiB, 8 * MiB, 4 * MiB] } },
  { text: '4M..12M:4M,1M', want: { bytes: [12 * MiB, 8 * MiB, 4 * MiB, MiB] } },
  { text: '64M,', want: "'' is no size (64M, 12603K, 1G)" },
  { text: '1M..2M..3M', want: "'1M..2M..3M' is no range (64M..16M or 64M..16M:4M)" },
  { text: '1M..2M:x', want: "'1M..2M:x': the step is no size" },
  { text: '1M..1G:1K', want: "'1M..1G:1K' is 1047553 limits; 256 are the most" },
]) {
  test(`limits: '${text}'`, () => expect(parseLimits(text)).toEqual(want));
}

test('limits: eight from the peak down are its tenths, in whole pages', () => {
  const limits = limitsBelow(100 * 4096, 8);
  expect(limits.map((bytes) => bytes / 4096)).toEqual([100, 90, 80, 70, 60, 50, 40, 30]);
  expect(limitsBelow(4096, 3)).toEqual([4096, 4096, 4096]);
});

test('sizes are told with one digit behind the point', () => {
  expect([500, 5000, 5e6, 5e9].map(formatSize)).toEqual(['500 B', '4.9 KiB', '4.8 MiB', '4.7 GiB']);
});

test('curve: axes, ticks and marks, in plain text', () => {
  const drawn = drawCurve(
    [
      { name: 'in', mark: 'i' },
      { name: 'out', mark: 'o' },
    ],
    [
      { x: 16, y: [0, 0] },
      { x: 8, y: [10, 20] },
      { x: 4, y: [100, null] },
    ],
    { width: 40, height: 6, xLabel: (x) => x.toFixed(0), xUnit: 'MiB' },
  );
  expect(drawn.split('\n')).toEqual([
    ' 100 ┤ i',
    '     │',
    '     │',
    '  50 ┤',
    '     │           *',
    '   0 ┤                               *',
    '     └─┬─────────┬───────────────────┬─',
    '       4         8                  16 MiB',
    '      i in   o out   * both',
    '',
  ]);
});

test('curve: nothing to draw is no crash', () => {
  const options = { width: 10, height: 2, xLabel: String, xUnit: '' };
  expect(drawCurve([{ name: 'a', mark: 'a' }], [], options)).toContain('a a');
  expect(drawCurve([{ name: 'a', mark: 'a' }], [{ x: 1, y: [0] }], options)).toContain('a');
});

test('curve: round tops and short numbers', () => {
  expect([0, 1, 3, 7, 11, 24690].map(niceTop)).toEqual([10, 1, 3, 8, 15, 25000]);
  expect([0, 12, 1234, 12345, 2.5e6].map(shortNumber)).toEqual(['0', '12', '1.23k', '12.3k', '2.5M']);
});
