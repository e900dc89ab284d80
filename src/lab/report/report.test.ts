/** The report and its plots on made-up results: whole, on their own, safe. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { adviseOn } from '../advice.ts';
import { CONFIGURATION_DEFAULTS } from '../grid.ts';
import { madeUpRun } from '../made_up.ts';
import { MACHINE_DEFAULTS } from '../options.ts';
import type { SweepResult, TruthBeside } from '../result.ts';
import { escapeHtml } from './escape.ts';
import { gridPlots, gridReportHtml } from './grid_report.ts';
import { frameOf, type Plot, plotFile, WIDE, xOf } from './plot.ts';
import { plotsOf } from './plots.ts';
import { reportHtml } from './report.ts';
import { SCRIPT, SCRIPT_SHA256 } from './script.ts';

const MiB = 2 ** 20;
const EVIL = '<img onerror=alert(1)>"\'&\u0000\ud800';

const unlimited = madeUpRun(null, { pgmajfault: 5 });
const runs = [90, 70, 50].map((limit, i) => {
  const faults = [5, 900, 400_000][i]!;
  return madeUpRun(limit * MiB, {
    pgmajfault: faults,
    pswpin: faults,
    pswpout: faults,
    workingset_refault_anon: faults,
  });
});
const killed = madeUpRun(30 * MiB, {}, 'oom-killed');

const truth: TruthBeside = {
  file: EVIL,
  mode: 'z-n-3',
  measured_on: [EVIL],
  judged: 2,
  within: 1,
  smallest_limit: { holds_bytes: 90 * MiB, fails_bytes: 70 * MiB, predicted_bytes: 90 * MiB },
  points: [
    {
      limit_bytes: 70 * MiB,
      runs: 3,
      exited_runs: 3,
      predicted_status: 'exited',
      counters: [
        { name: 'pswpout', low: 950, high: 1000, predicted: 960, off: 0, allowed: 100, within: true },
        { name: 'pswpin', low: 100, high: 300, predicted: 900, off: 600, allowed: 100, within: false },
        { name: 'pgmajfault', low: 880, high: 890, predicted: 900, off: 10, allowed: null, within: false },
      ],
    },
  ],
};

function sweep(over: Partial<SweepResult> = {}): SweepResult {
  return {
    recording: EVIL,
    command: `/bin/x ${EVIL}`,
    kernel: '6.1',
    options: MACHINE_DEFAULTS,
    unlimited: {
      ...unlimited,
      syscalls_different: 1,
      differences: [{ pid: 0, call: `open("${EVIL}")`, recorded: '3', here: 'ENOENT' }],
      syscalls_unknown: { [EVIL]: 1 },
    },
    runs: [...runs, killed],
    refined: [madeUpRun(80 * MiB, { pgmajfault: 12 })],
    advice: adviseOn(unlimited, [...runs, killed]),
    alternatives: {
      recommended_limit_bytes: 99 * MiB,
      tighter_limit_bytes: 70 * MiB,
      findings: [`In 70.0 MiB ${EVIL} is better.`],
      settings: ['as asked', EVIL].map((name) => {
        const at = {
          status: 'exited' as const,
          replayed: true,
          major_faults: 5,
          refaulted_pages: 0,
          swapped_in_pages: 0,
          swapped_out_pages: 0,
          estimated_seconds: 1,
          times_the_time: 1,
        };
        return { name, options: MACHINE_DEFAULTS, at_recommended: at, at_tighter: { ...at, major_faults: null } };
      }),
    },
    recorded: {
      touched_bytes: 110 * MiB,
      unseen: [`${EVIL} was not seen.`],
      working_set: [{ accesses: 1e6, seconds: 0.001, mean_bytes: 3 * MiB, most_bytes: 40 * MiB }],
    },
    miss_ratio: {
      recording: EVIL,
      command: EVIL,
      accesses: 1000,
      pages: 20_000,
      pages_of: { anon: 20_000, file: 0, shmem: 0 },
      cold_misses: 20_000,
      sample: null,
      points: [60, 80].map((size) => ({
        pages: size * 256,
        bytes: size * MiB,
        lru_miss_ratio: 0.5,
        lru_misses: 20_500,
        opt_miss_ratio: null,
        opt_misses: size === 60 ? null : 20_100,
      })),
    },
    truth,
    ...over,
  };
}

const made = { commandLine: `revmap sweep '${EVIL}'`, version: '0.1.0' };

/** What a hostile text must not become, and what no page of ours has. */
function expectSafe(html: string): void {
  expect(html).not.toMatch(/<(img|iframe|link|object|embed|base|form)\b/i);
  expect(html).not.toMatch(/\s(src|href)=|url\(|https?:|@import/);
  expect(html).not.toContain('\u0000');
  expect(html).not.toMatch(/NaN|undefined|Infinity|\[object/);
  expect(html).not.toMatch(/\p{Cs}/u);
  expect(html).toContain("default-src 'none'");
  expect(html.match(/<script>/g)?.length).toBe(1);
}

for (const { why, page } of [
  { why: 'all of it', page: reportHtml(sweep(), made) },
  {
    why: 'nothing but limits',
    page: reportHtml(sweep({ alternatives: null, recorded: null, miss_ratio: null, truth: null, refined: [] }), made),
  },
  { why: 'no limit', page: reportHtml(sweep({ runs: [], refined: [], advice: adviseOn(unlimited, []) }), made) },
  {
    why: 'killed at once',
    page: reportHtml(sweep({ runs: [killed], refined: [], advice: adviseOn(unlimited, [killed]) }), made),
  },
  {
    why: 'a grid',
    page: gridReportHtml(
      {
        recording: EVIL,
        command: EVIL,
        skipped: [EVIL],
        curves: [CONFIGURATION_DEFAULTS, { ...CONFIGURATION_DEFAULTS, policy: EVIL }].map((configuration) => ({
          configuration,
          unlimited,
          runs: [...runs, killed],
        })),
      },
      made,
    ),
  },
]) {
  test(`report: safe and on its own: ${why}`, () => expectSafe(page));
}

test('report: what it says', () => {
  const html = reportHtml(sweep(), made);
  for (const text of [
    'Set 99.0 MiB',
    'runs in 90.0 MiB as it does without a limit',
    'thrashing point',
    'What other settings would change',
    'What a real kernel did',
    '1 of 2 counts are as near',
    'Measured, the smallest limit is more than 70.0 MiB and at most 90.0 MiB; predicted was 90.0 MiB.',
    'pswpin 100 to 300 in 3 runs',
    'charged to the cgroup',
    '110.0 MiB were touched in all',
    'was not seen.',
    '/lib/&quot;quoted&quot; &amp; &lt;script&gt;',
    'revmap sweep &#39;&lt;img',
  ]) {
    expect(html).toContain(text);
  }
});

test('plots: names of their own, series with points, the marks of the advice', () => {
  const plots = plotsOf(sweep());
  expect(plots.map(({ name }) => name)).toEqual(['pages', 'time', 'truth', 'caches']);
  expect(plots[0]?.marks.map(({ name }) => name)).toEqual(['thrashes', 'knee', 'smallest', 'recommended']);
  expect(plots[0]?.killed).toEqual([30]);
  expect(plots[0]?.series[0]?.points.map(({ x }) => x)).toEqual([90, 80, 70, 50]);
  expect(plots[3]?.series.map(({ name }) => name)).toEqual(['Linux 6.1', 'LRU', 'OPT']);
});

test('plots: a file of its own has colours, a title and no style of a page', () => {
  for (const plot of [
    ...plotsOf(sweep()),
    ...gridPlots({
      recording: 'a',
      command: 'a',
      skipped: [],
      curves: [{ configuration: CONFIGURATION_DEFAULTS, unlimited, runs }],
    }),
  ]) {
    const svg = plotFile({ ...plot, title: EVIL });
    expect(svg).toMatch(/^<\?xml .*\?>\n<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg).not.toMatch(/var\(|NaN|<img|[\p{Cs}]/u);
    expect(svg).toContain(escapeHtml(EVIL));
  }
});

const plot: Plot = {
  name: 'p',
  title: 'p',
  yUnit: 'pages',
  xUnit: 'MiB',
  xName: 'limit',
  log: true,
  killed: [],
  marks: [
    { x: 50, name: 'a long name' },
    { x: 50.1, name: 'another name' },
    { x: 500, name: 'outside' },
  ],
  series: [
    {
      name: 's',
      points: [
        { x: 100, y: 0 },
        { x: 0, y: 1e6 },
      ],
    },
  ],
};

test('plot: ends of the axis, names in rows, what lies outside is left out', () => {
  const frame = frameOf(plot, WIDE);
  expect([xOf(frame, 0), xOf(frame, 100)]).toEqual([frame.left, frame.right]);
  const svg = plotFile(plot);
  expect(svg).not.toContain('outside');
  const rows = [...svg.matchAll(/<text class="named" x="[\d.]+" y="([\d.]+)"/g)].map(([, y]) => y);
  expect(new Set(rows).size).toBe(2);
});

test('plot: without points there is none', () => {
  expect(plotFile({ ...plot, series: [{ name: 's', points: [] }] })).toBe('');
  expect(plotFile({ ...plot, series: [{ name: 's', points: [{ x: 1, y: 0 }] }] })).toContain('<circle');
});

test('the hash that lets the script of a page run is that of its text', () => {
  expect(SCRIPT_SHA256).toBe(createHash('sha256').update(SCRIPT).digest('base64'));
  const html = reportHtml(sweep(), made);
  expect(html).toContain(`script-src 'sha256-${SCRIPT_SHA256}'`);
  expect(html).toContain(`<script>${SCRIPT}</script>`);
});
