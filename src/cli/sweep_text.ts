/**
 * A sweep on a terminal of 80 columns: the curve, its numbers, the advice, what else was tried, how far to trust it.
 *
 * Promises  No line is wider than the terminal, nor than 100 columns; without a terminal, than 80.
 */

import { accountOf, chargeName } from '../lab/account.ts';
import { adviseOn } from '../lab/advice.ts';
import { drawCurve } from '../lab/curve.ts';
import { uncertainty } from '../lab/doubts.ts';
import { type GridResult, nameOf } from '../lab/grid.ts';
import { formatSize, machineText } from '../lab/options.ts';
import type {
  AlternativeRun,
  Alternatives,
  LimitFound,
  Recorded,
  RunResult,
  SweepResult,
  TruthBeside,
} from '../lab/result.ts';
import { limitOf, refaults } from '../lab/terms.ts';
import { smallestText } from '../lab/truth.ts';
import { columns, grouped, groupedOrNone, plural, table, wrapped } from './output.ts';
import { pc } from './terminal.ts';

const WIDEST = 100;

function lineWidth(): number {
  return Math.min(WIDEST, columns(80));
}

export function describeSweep(sweep: SweepResult): string {
  const { unlimited, runs, advice, alternatives } = sweep;
  const indented = (text: string) => wrapped(text, lineWidth(), '  ');
  const lines = [
    wrapped(`${pc.bold(sweep.recording)} on Linux ${sweep.kernel}: ${machineText(sweep.options)}`, lineWidth()),
    '',
    curveText(sweep),
    limitTable([unlimited, ...runs]),
    wrapped(`${pc.bold(sweep.recording)} ${advice.headline}.`, lineWidth()),
    '',
    foundTable(sweep),
    ...advice.reasons.map(indented),
    '',
    ...(alternatives === null ? [] : [alternativesTable(alternatives), ...alternatives.findings.map(indented), '']),
    ...(sweep.truth === null ? [] : [truthTable(sweep.truth), indented(truthText(sweep.truth)), '']),
    accountTable(unlimited).trimEnd(),
    ...(sweep.recorded === null ? [] : [indented(workingSetText(sweep.recorded)), '']),
    pc.bold('how far to trust it'),
    ...uncertainty(sweep).map(indented),
  ];
  return lines.join('\n');
}

/** Down to where it thrashes, or to the narrowest limit asked for. */
function curveText({ runs, refined, advice }: SweepResult): string {
  if (runs.length < 2) return '';
  const floor = Math.min(limitOf(runs.at(-1)!), advice.thrashing_point?.limit_bytes ?? Number.POSITIVE_INFINITY);
  const shown = [...runs, ...refined.filter((run) => limitOf(run) >= floor)];
  const colours = [pc.cyan, pc.yellow];
  return drawCurve(
    [
      { name: 'pages swapped in and out', mark: 'o' },
      { name: 'major faults', mark: 'x' },
    ],
    shown.map((r) => ({
      x: limitOf(r),
      y: [(r.counters['pswpin'] ?? 0) + (r.counters['pswpout'] ?? 0), r.counters['pgmajfault'] ?? 0],
    })),
    {
      width: lineWidth() - 4,
      height: 12,
      xLabel: (bytes) => (bytes / 2 ** 20).toFixed(1),
      xUnit: 'MiB',
      xTicks: runs.map(limitOf),
      paint: (text, series) => colours[series]!(text),
    },
  );
}

function limitTable(runs: readonly RunResult[]): string {
  const count = (r: RunResult, name: string) => groupedOrNone(r.counters[name] ?? null);
  return table(
    ['limit', 'pswpin', 'pswpout', 'pgmajfault', 'pgscan', 'refaults', 'time'],
    runs.map((r) => [
      r.limit_bytes === null ? 'none' : formatSize(r.limit_bytes),
      count(r, 'pswpin'),
      count(r, 'pswpout'),
      count(r, 'pgmajfault'),
      count(r, 'pgscan'),
      grouped(refaults(r)),
      endOf(r),
    ]),
  );
}

function endOf(run: RunResult): string {
  return run.status === 'oom-killed' ? pc.red('killed') : `${run.estimate.seconds.toFixed(3)} s`;
}

/** A table for each count: a row for each limit, a column for each configuration. */
export function describeGrid(result: GridResult): string {
  const all = result.curves.map((curve) => curve.configuration);
  const head = ['limit', ...all.map((configuration) => nameOf(configuration, all))];
  const limits = result.curves[0]!.runs.map((run) => run.limit_bytes);
  const cells = (show: (run: RunResult) => string): string[][] =>
    [null, ...limits].map((limit, i) => [
      limit === null ? 'none' : formatSize(limit),
      ...result.curves.map(({ unlimited, runs }) => show(i === 0 ? unlimited : runs[i - 1]!)),
    ]);
  const faults = cells((run) => groupedOrNone(run.counters['pgmajfault'] ?? null));
  return [
    `${pc.bold(result.recording)} on ${plural(all.length, 'configuration')}`,
    '',
    'major faults',
    table(head, faults),
    'time, by the stated costs',
    table(head, cells(endOf)),
    'of the limits asked for',
    table(
      ['', 'smallest limit', 'knee', 'thrashing point'],
      result.curves.map(({ configuration, unlimited, runs }) => {
        const { smallest_limit, knee, thrashing_point } = adviseOn(unlimited, runs);
        const cell = (found: LimitFound | null) => (found === null ? '–' : formatSize(found.limit_bytes));
        return [nameOf(configuration, all), cell(smallest_limit), cell(knee), cell(thrashing_point)];
      }),
    ),
  ].join('\n');
}

/** The limits that have names. */
function foundTable({ advice, alternatives }: SweepResult): string {
  const rows: string[][] = [];
  const row = (name: string, limitBytes: number, run: LimitFound | AlternativeRun, how: string) =>
    rows.push([name, formatSize(limitBytes), ...countCells(run), how]);
  const named = (name: string, found: LimitFound | null) => {
    if (found !== null) row(name, found.limit_bytes, found, found.by_bisection ? 'bisection' : 'asked for');
  };
  const recommended = alternatives?.settings[0]?.at_recommended;
  if (recommended !== undefined && advice.recommended_limit_bytes !== null)
    row(pc.bold('recommended'), advice.recommended_limit_bytes, recommended, '10 % more');
  if ((advice.same_time_limit?.limit_bytes ?? 0) > (advice.smallest_limit?.limit_bytes ?? 0))
    named('same time', advice.same_time_limit);
  named('smallest limit', advice.smallest_limit);
  named('knee', advice.knee);
  named('thrashing point', advice.thrashing_point);
  if (rows.length === 0) return '';
  return table(['', 'limit', 'major faults', 'came back', 'time', 'found by'], rows);
}

function alternativesTable({ settings, recommended_limit_bytes, tighter_limit_bytes }: Alternatives): string {
  const where = `in ${formatSize(recommended_limit_bytes)} | ${formatSize(tighter_limit_bytes)}`;
  return table(
    [where, 'faults', 'back', 'time', '| faults', 'back', 'time'],
    settings.map((s) => [s.name, ...countCells(s.at_recommended), ...countCells(s.at_tighter)]),
  ).trimEnd();
}

/** What fits in 80 columns; --json and the report have every counter. */
const TOLD = ['pswpout', 'pgmajfault', 'pgscan'];

function truthTable({ mode, points }: TruthBeside): string {
  const rows = points.map(({ limit_bytes, predicted_status, counters }) => [
    limit_bytes === null ? 'none' : formatSize(limit_bytes),
    ...TOLD.map((name) => {
      const found = counters.find((each) => each.name === name);
      if (found === undefined) return '–';
      const { low, high, predicted, allowed, within } = found;
      const measured = low === high ? grouped(low) : `${grouped(low)}–${grouped(high)}`;
      const said = predicted_status === 'exited' ? grouped(predicted) : 'killed';
      return `${measured} → ${allowed !== null && !within ? pc.red(`${said}!`) : said}`;
    }),
  ]);
  return table([mode, ...TOLD], rows).trimEnd();
}

function truthText({ judged, within, measured_on, smallest_limit }: TruthBeside): string {
  return (
    `Measured on Linux ${measured_on.join(', ')} → predicted; ! is farther off than the rule allows: ` +
    `${within} of ${judged} counts keep to it. ${smallestText(smallest_limit)}`
  );
}

function countCells(run: LimitFound | AlternativeRun): string[] {
  return [
    groupedOrNone(run.major_faults),
    groupedOrNone(run.refaulted_pages),
    run.status === 'oom-killed' ? pc.red('killed') : `${(run.times_the_time ?? 1).toFixed(2)}×`,
  ];
}

function accountTable(unlimited: RunResult): string {
  const rows = accountOf(unlimited).map(({ what, bytes, in_rss }) => [what, signed(bytes), in_rss ? 'RSS' : '']);
  const sum = [pc.bold(chargeName(unlimited.limited_by)), formatSize(unlimited.peak.bytes), ''];
  return table(['what the limit holds, at the peak', 'memory', 'seen in'], [...rows, sum]);
}

/** `working set: 1.5 MiB in 4 ms on average (10.6 at most), …`. */
function workingSetText({ working_set, touched_bytes }: Recorded): string {
  const windows = working_set
    .slice(0, -1)
    .map(
      ({ seconds, mean_bytes, most_bytes }) =>
        `${formatSize(mean_bytes)} in ${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms (at most ${formatSize(most_bytes)})`,
    );
  return `Its working set is ${[...windows, `${formatSize(touched_bytes)} in the whole run`].join(', ')}.`;
}

function signed(bytes: number): string {
  return bytes < 0 ? `−${formatSize(-bytes)}` : formatSize(bytes);
}
