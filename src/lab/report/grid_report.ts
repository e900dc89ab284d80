/** A sweep over several machines or policies as one HTML file: the curves laid over each other, and the limits that have names. */
import { adviseOn } from '../advice.ts';
import { type Curve, type GridResult, nameOf } from '../grid.ts';
import { formatSize } from '../options.ts';
import type { LimitFound, RunResult } from '../result.ts';
import { limitOf, majorFaults, refaults } from '../terms.ts';
import { escapeHtml } from './escape.ts';
import { figure } from './figure.ts';
import { htmlList, htmlPage, htmlTable } from './html.ts';
import type { Plot } from './plot.ts';
import { again, type Provenance } from './report.ts';

const MiB = 2 ** 20;

interface Measure {
  name: string;
  title: string;
  yUnit: string;
  log: boolean;
  value(run: RunResult): number;
  text(run: RunResult): string;
}

const counts = (name: string, title: string, value: (run: RunResult) => number): Measure => ({
  name,
  title,
  yUnit: 'pages',
  log: true,
  value,
  text: (run) => value(run).toLocaleString('en'),
});

const MEASURES: readonly Measure[] = [
  counts('major-faults', 'Major faults', majorFaults),
  counts('came-back', 'Pages that were evicted and came back', refaults),
  counts(
    'swap-traffic',
    'Pages swapped in and out',
    (run) => (run.counters['pswpin'] ?? 0) + (run.counters['pswpout'] ?? 0),
  ),
  {
    name: 'time',
    title: 'Time it would take',
    yUnit: 'seconds',
    log: false,
    value: (run) => run.estimate.seconds,
    text: (run) => `${run.estimate.seconds.toFixed(3)} s`,
  },
];

export function gridPlots({ curves }: GridResult): Plot[] {
  const all = curves.map(({ configuration }) => configuration);
  return MEASURES.map(({ name, title, yUnit, log, value }) => ({
    name,
    title: `${title}, over the memory limit`,
    yUnit,
    log,
    xName: 'memory limit',
    xUnit: 'MiB',
    marks: [],
    killed: [],
    series: curves.map(({ configuration, runs }) => ({
      name: nameOf(configuration, all),
      points: runs.filter(({ status }) => status === 'exited').map((run) => ({ x: limitOf(run) / MiB, y: value(run) })),
    })),
  }));
}

export function gridReportHtml(result: GridResult, made: Provenance): string {
  const { curves, recording, command, skipped } = result;
  const title = `${recording} on ${curves.length} configurations`;
  const peak = Math.max(...curves.map(({ unlimited }) => unlimited.peak_bytes)) / MiB;
  const plots = gridPlots(result);
  const sections = MEASURES.map((measure, i) => {
    const id = `numbers-${measure.name}`;
    return `<section id="${id}"><h2>${measure.title}</h2>
${figure(plots[i]!, peak, 'limits', id)}
${measureTable(curves, measure)}</section>`;
  });
  const body = `<h1>${escapeHtml(title)}</h1>
<p class="sub"><code>${escapeHtml(command)}</code></p>
${namedTable(curves)}
${skipped.length === 0 ? '' : `<h3>Left out</h3>${htmlList(skipped)}`}
${sections.join('\n')}
${again(made)}`;
  return htmlPage({ title, body });
}

/** At the limits that were asked for; a sweep over one machine looks between them. */
function namedTable(curves: readonly Curve[]): string {
  const all = curves.map(({ configuration }) => configuration);
  const cell = (found: LimitFound | null) =>
    found === null ? '–' : `${formatSize(found.limit_bytes)}<br>${found.times_the_time.toFixed(2)}×`;
  const rows = curves.map(({ configuration, unlimited, runs }) => {
    const { smallest_limit, knee, thrashing_point } = adviseOn(unlimited, runs);
    return [
      escapeHtml(nameOf(configuration, all)),
      formatSize(unlimited.peak_bytes),
      cell(smallest_limit),
      cell(knee),
      cell(thrashing_point),
    ];
  });
  const head = ['configuration', 'peak', 'smallest limit', 'knee', 'thrashing point'];
  return htmlTable(head, rows, 'The limits that have names, among those that were asked for, and the time there');
}

function measureTable(curves: readonly Curve[], { text }: Measure): string {
  const all = curves.map(({ configuration }) => configuration);
  const limits = curves[0]?.runs.map((run) => run.limit_bytes) ?? [];
  const cell = (run: RunResult) => (run.status === 'oom-killed' ? '<span class="bad">killed</span>' : text(run));
  const rows = [null, ...limits].map((limit, i) => [
    limit === null ? 'none' : formatSize(limit),
    ...curves.map(({ unlimited, runs }) => cell(i === 0 ? unlimited : runs[i - 1]!)),
  ]);
  const heads = curves.map(
    ({ configuration }) => `<span class="name">${escapeHtml(nameOf(configuration, all))}</span>`,
  );
  return htmlTable(['limit', ...heads], rows, 'In each configuration');
}
