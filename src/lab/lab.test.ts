/** Options, curve, advice and report, on made-up runs. */
import { expect, test } from 'vitest';
import { adviseOn } from './advice.ts';
import { drawCurve, niceTop, shortNumber } from './curve.ts';
import { madeUpRun } from './made_up.ts';
import { formatSize, limitsBelow, MACHINE_DEFAULTS, parseLimits, parseSize } from './options.ts';
import { reportHtml } from './report.ts';

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
  pgmajfault: 40000,
  pswpin: 39000,
  workingset_refault_anon: 39000,
  workingset_refault_file: 1000,
  workingset_activate_anon: 10000,
  pgscan: 300000,
  pgsteal: 60000,
});
const killed = madeUpRun(30 * MiB, {}, 'oom-killed');

for (const { why, runs, fits, knee, words } of [
  {
    why: 'from roomy to killed',
    runs: [roomy, tight, starved, killed],
    fits: 90,
    knee: 70,
    words: [
      'fits in 90.0 MiB, and in 70.0 MiB it takes only 0.3 % longer; below 70.0 MiB it thrashes',
      '156.3 MiB are read back, 1.6 times',
    ],
  },
  { why: 'never bad', runs: [roomy, tight], fits: 90, knee: null, words: ['down to 70.0 MiB it does not thrash'] },
  {
    why: 'bad at once',
    runs: [starved, killed],
    fits: null,
    knee: null,
    words: ['fits in none', 'already in 50.0 MiB it thrashes'],
  },
  { why: 'killed', runs: [roomy, killed], fits: 90, knee: 90, words: ['below 90.0 MiB it is killed', 'OOM killer'] },
  { why: 'no limit', runs: [], fits: null, knee: null, words: ['needs 100.0 MiB at its peak'] },
]) {
  test(`advice: ${why}`, () => {
    const advice = adviseOn(unlimited, runs);
    expect(advice.fits_bytes).toBe(fits === null ? null : fits * MiB);
    expect(advice.knee_bytes).toBe(knee === null ? null : knee * MiB);
    for (const word of words) expect(advice.headline).toContain(word);
  });
}

test('advice: a wide limit behind a narrow one that fits does not count', () => {
  expect(adviseOn(unlimited, [tight, roomy]).fits_bytes).toBeNull();
});

test('advice: every reason carries numbers', () => {
  const { reasons } = adviseOn(unlimited, [roomy, tight, starved, killed]);
  expect(reasons.length).toBe(3);
  for (const reason of reasons) expect(reason).toMatch(/\d/);
  expect(reasons.join(' ')).toContain('50 % of them belong to the working set');
  expect(reasons.join(' ')).toContain('looks at 5.0 pages for each it frees');
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

test('report: whole, on its own, and safe', () => {
  const runs = [roomy, tight, starved, killed];
  const html = reportHtml({
    recording: '<b>evil</b>',
    command: '/bin/x "&" <img onerror>',
    kernel: '6.1',
    options: MACHINE_DEFAULTS,
    unlimited: {
      ...unlimited,
      syscalls_different: 1,
      differences: [{ pid: 0, call: 'open("<x>")', recorded: '3', here: 'ENOENT' }],
    },
    runs,
    advice: adviseOn(unlimited, runs),
  });
  expect(html).not.toMatch(/<(b|img|script)\b/);
  expect(html).not.toMatch(/(src|href)=|url\(|https?:|@import/);
  expect(html).toContain('prefers-color-scheme: dark');
  expect(html).toContain('&lt;b&gt;evil&lt;/b&gt; fits in 90.0 MiB');
  expect(html).toContain('<td class="name">/lib/&quot;quoted&quot; &amp; &lt;script&gt;</td>');
  expect(html).toContain('open(&quot;&lt;x&gt;&quot;) gave ENOENT');
  expect(html.match(/<svg/g)?.length).toBe(3);
  expect(html).not.toContain('NaN');
  expect(html).not.toContain('undefined');
});
