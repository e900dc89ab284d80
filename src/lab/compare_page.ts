/**
 * A comparison of kernels as one HTML file.
 *
 * Owns      the page, and which rows the table has: on the terminal, too.
 * Promises  Those of report/html.ts: it needs nothing but itself, all text is escaped, it reads without colour.
 */
import type { ComparedRun, CompareResult, FaultParting, Partings } from './compare.ts';
import { formatSize, machineText } from './options.ts';
import { COST_PARTS, PRICES } from './prices.ts';
import { escapeHtml } from './report/escape.ts';
import { figure } from './report/figure.ts';
import { htmlPage, htmlTable } from './report/html.ts';
import { stopsOf } from './report/plot.ts';
import { FIRSTS, type FirstName, type Happening } from './story.ts';

/** The rows of the table: what is counted, and how much of it there is. null: nobody knows. */
export const ROWS: readonly [name: string, value: (run: ComparedRun) => number | null, digits: number][] = [
  ['minor faults', (run) => run.minor_faults, 0],
  ['major faults', (run) => run.major_faults, 0],
  ['pages swapped in', (run) => run.swapped_in, 0],
  ['pages swapped out', (run) => run.swapped_out, 0],
  ['refaults, anonymous', (run) => run.refaults_anon, 0],
  ['refaults, files', (run) => run.refaults_file, 0],
  ['file pages read again', (run) => run.read_again, 0],
  ['pages scanned', (run) => run.work.pages_scanned, 0],
  ['pages reclaimed', (run) => run.work.pages_reclaimed, 0],
  ['scanned per reclaimed', (run) => run.scanned_per_reclaimed, 1],
  ['page-table entries visited', (run) => run.work.ptes_visited, 0],
  ['VMAs visited', (run) => run.work.vmas_visited, 0],
  ['anon_vmas met', (run) => run.work.anon_vmas_met, 0],
  ['links met', (run) => run.work.chains_met, 0],
  ['address spaces walked', (run) => run.work.mms_walked, 0],
  ...COST_PARTS.map((part): [string, (run: ComparedRun) => number, number] => [
    `seconds: ${part}`,
    (run) => run.cost[part],
    3,
  ]),
  ['seconds, all', (run) => run.cost.seconds, 3],
];

export function rowText(value: number | null, digits: number): string {
  if (value === null) return '–';
  return digits === 0 ? value.toLocaleString('en') : value.toFixed(digits);
}

/** What the limit is made of. */
export function limitText(run: ComparedRun): string {
  return run.limited_by === 'mem=' ? `mem=${Math.round(run.ram_bytes / 1024)}K` : run.limited_by;
}

/** `8,197,055 (58 %)`. */
export function placeText(at: { event: number; pid: number }, events: number): string {
  const share = `${at.event.toLocaleString('en')} (${Math.floor((100 * at.event) / Math.max(1, events))} %)`;
  return at.pid === 0 ? share : `${share}, process ${at.pid}`;
}

/** Each parting as a title and a line for each kernel, or for all of them. */
export function partingLines(
  partings: Partings,
  kernels: readonly string[],
  events: number,
): { title: string; lines: string[] }[] {
  const told: { title: string; lines: string[] }[] = [];
  const fault = (title: string, parting: FaultParting | null): void => {
    if (parting === null) return;
    const each = Object.entries(parting.kernels).map(([kernel, kind]) => `${kernel} ${kind}`);
    told.push({ title, lines: [`at ${placeText(parting, events)}: ${parting.page}: ${each.join(', ')}`] });
  };
  fault('first access on which only some fault', partings.fault);
  fault('first fault that only some call major', partings.major_fault);
  for (const [first, title] of Object.entries(FIRSTS) as [FirstName, string][]) {
    const places = kernels.map((kernel) => partings.firsts[first][kernel] ?? null);
    if (places.every((place) => place === null)) continue;
    const lines = places.map((place, k) => `${kernels[k]!.padEnd(8)}${happeningText(place, events)}`);
    told.push({ title: `first time that ${title}`, lines });
  }
  const ticks = partings.ticks.map(({ counter, event, kernels: values }) => {
    const each = Object.entries(values).map(([kernel, value]) => `${kernel} ${value.toLocaleString('en')}`);
    return `${counter.replaceAll('_', ' ').padEnd(13)}at ${placeText({ event, pid: 0 }, events)}: ${each.join(', ')}`;
  });
  if (ticks.length > 0) told.push({ title: 'first tick at which a count differs', lines: ticks });
  return told;
}

function happeningText(happening: Happening | null, events: number): string {
  if (happening === null) return 'never';
  return `at ${placeText(happening, events)}${happening.page === null ? '' : `: ${happening.page}`}`;
}

// pictures

/** A line of points. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Picture {
  readonly title: string;
  readonly lines: readonly Line[];
  /** What stands at the axis. */
  readonly unit: 'MiB' | 'M page events';
}

/**
 * With one limit: pages that came back or went out as the recording goes on. With several: the time over the limit; who was killed
 * took less, and has no point there.
 */
export function pictureOf(result: CompareResult): Picture {
  const { kernels, limits, runs } = result;
  if (limits.length > 1) {
    const lines = kernels.map((name, k) => ({
      name,
      points: limits.flatMap((limit, l) => {
        const { status, cost } = runs[l * kernels.length + k]!;
        return status === 'oom-killed' ? [] : [{ x: (limit ?? 0) / 2 ** 20, y: cost.seconds }];
      }),
    }));
    return { title: 'seconds that it would take, over the limit', lines, unit: 'MiB' };
  }
  const moves = runs.some((run) => trafficAt(run, run.curve.event.length - 1) > 0);
  const value = moves ? trafficAt : faultsAt;
  const lines = runs.map((run) => ({
    name: run.kernel,
    points: run.curve.event.map((event, row) => ({ x: event / 1e6, y: value(run, row) })),
  }));
  const what = moves ? 'pages swapped in and out and read again so far' : 'faults so far';
  return { title: `${what}, as the recording goes on`, lines, unit: 'M page events' };
}

function trafficAt({ curve }: ComparedRun, row: number): number {
  return (curve.swapped_in[row] ?? 0) + (curve.swapped_out[row] ?? 0) + (curve.read_again[row] ?? 0);
}

function faultsAt({ curve }: ComparedRun, row: number): number {
  return (curve.minor[row] ?? 0) + (curve.major[row] ?? 0);
}

/** Of a run that was killed the other rows tell only what came before. */
export function endText({ status, events }: ComparedRun): string {
  return status === 'oom-killed' ? `killed at ${events.toLocaleString('en')}` : 'at its end';
}

// the page

export function comparePage(result: CompareResult): string {
  const { options, kernels, limits, events } = result;
  const title = `${result.recording} on ${kernels.join(', ')}`;
  const sections = limits.map((limit, l) => {
    const runs = result.runs.slice(l * kernels.length, (l + 1) * kernels.length);
    const partings = partingLines(result.partings[l]!, kernels, events);
    return `<section${l === 0 ? ' id="counts"' : ''}>
<h2>${limit === null ? 'No limit' : `Limit ${formatSize(limit)}`}</h2>
${countsTable(limit, runs)}
<h2>Where they part ways</h2>
${partings.length === 0 ? '<p>Nowhere.</p>' : partings.map(partingHtml).join('\n')}
</section>`;
  });
  const body = `<h1>${escapeHtml(title)}</h1>
<p class="sub"><code>${escapeHtml(result.command)}</code>: ${events.toLocaleString('en')} page events on each kernel;
${escapeHtml(machineText(options))}, page-cluster ${options.pageCluster}.</p>
${chart(pictureOf(result))}
${sections.join('\n')}
<section id="prices">
<h2>What a second is made of</h2>
<p class="note">Each count times its price, and what the machine waited for its disk, or for a congestion to end.</p>
${htmlTable(
  ['what', 'ns'],
  PRICES.map(({ what, ns }) => [escapeHtml(what), String(ns)]),
  'Prices',
)}
</section>`;
  return htmlPage({ title, body });
}

/** Its numbers are in the tables below it. */
function chart({ title, lines, unit }: Picture): string {
  const overLimits = unit === 'MiB';
  const plot = {
    name: 'compare',
    title,
    yUnit: overLimits ? 'seconds' : 'pages',
    xUnit: unit,
    xName: overLimits ? 'memory limit' : 'so far',
    series: lines,
    marks: [],
    killed: [],
    log: !overLimits,
  };
  const end = Math.max(0, ...stopsOf(plot));
  return figure(plot, end, 'compare', 'counts');
}

function countsTable(limit: number | null, runs: readonly ComparedRun[]): string {
  const escaped = (name: string, cells: readonly string[]) => [name, ...cells].map(escapeHtml);
  const rows = limit === null ? [] : [escaped('the limit is', runs.map(limitText))];
  for (const [name, value, digits] of ROWS) {
    rows.push(
      escaped(
        name,
        runs.map((run) => rowText(value(run), digits)),
      ),
    );
  }
  if (runs.some((run) => run.status === 'oom-killed')) rows.push(escaped('ended', runs.map(endText)));
  return htmlTable(
    escaped(
      '',
      runs.map((run) => run.kernel),
    ),
    rows,
    limit === null ? 'Without a limit' : `In ${formatSize(limit)}`,
  );
}

function partingHtml({ title, lines }: { title: string; lines: readonly string[] }): string {
  return `<p>${escapeHtml(title)}</p><ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>`;
}
