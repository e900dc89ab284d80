/**
 * A comparison of kernels as one HTML file.
 *
 * Owns      the page, and which rows the table has: on the terminal, too.
 * Promises  Those of report.ts: it needs nothing but itself, all text is escaped, it reads without colour.
 */
import type { ComparedRun, CompareResult, FaultParting, Partings } from './compare.ts';
import { niceTop, shortNumber } from './curve.ts';
import { formatSize } from './options.ts';
import { COST_PARTS, PRICES } from './prices.ts';
import { BOTTOM, COLOURS, escapeHtml, H, LEFT, mark, RIGHT, STYLE, TOP, W } from './report.ts';
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
  const swap =
    options.swapBytes === 0 ? 'no swap' : `${formatSize(options.swapBytes)} of swap on ${options.swapDevice}`;
  const sections = limits.map((limit, l) => {
    const runs = result.runs.slice(l * kernels.length, (l + 1) * kernels.length);
    const partings = partingLines(result.partings[l]!, kernels, events);
    return `<section>
<h2>${limit === null ? 'No limit' : `Limit ${formatSize(limit)}`}</h2>
${countsTable(limit, runs)}
<h2>Where they part ways</h2>
${partings.length === 0 ? '<p>Nowhere.</p>' : partings.map(partingHtml).join('\n')}
</section>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${STYLE} li { font-variant-numeric: tabular-nums; white-space: pre-wrap; }</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="sub"><code>${escapeHtml(result.command)}</code>: ${events.toLocaleString('en')} page events on each kernel;
${formatSize(options.ramBytes)} of memory, ${escapeHtml(swap)}, swappiness ${options.swappiness}, page-cluster ${options.pageCluster}.</p>
${chart(pictureOf(result))}
${sections.join('\n')}
<section>
<h2>What a second is made of</h2>
<p class="note">Each count times its price, and what the machine waited for its disk, or for a congestion to end.</p>
<div class="scroll"><table><thead><tr><th scope="col">what</th><th scope="col">ns</th></tr></thead>
<tbody>${PRICES.map(({ what, ns }) => `<tr><td>${escapeHtml(what)}</td><td>${ns}</td></tr>`).join('\n')}</tbody></table></div>
</section>
<footer><p>Written by revmap, a simulator of Linux's memory manager. In pages of 4 KiB.</p></footer>
</main>
</body>
</html>
`;
}

function countsTable(limit: number | null, runs: readonly ComparedRun[]): string {
  const row = (name: string, cells: readonly string[]) =>
    `<tr><td>${escapeHtml(name)}</td>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
  const rows = limit === null ? [] : [row('the limit is', runs.map(limitText))];
  for (const [name, value, digits] of ROWS) {
    rows.push(
      row(
        name,
        runs.map((run) => rowText(value(run), digits)),
      ),
    );
  }
  if (runs.some((run) => run.status === 'oom-killed')) {
    rows.push(row('ended', runs.map(endText)));
  }
  const head = ['', ...runs.map((run) => run.kernel)].map((name) => `<th scope="col">${escapeHtml(name)}</th>`);
  return `<div class="scroll"><table><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

function partingHtml({ title, lines }: { title: string; lines: readonly string[] }): string {
  return `<p>${escapeHtml(title)}</p><ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>`;
}

function chart({ title, lines, unit }: Picture): string {
  const all = lines.flatMap((line) => line.points);
  if (all.length === 0) return '';
  const low = unit === 'MiB' ? Math.min(...all.map((p) => p.x)) : 0;
  const span = Math.max(1e-9, Math.max(...all.map((p) => p.x)) - low);
  const top = niceTop(Math.max(...all.map((p) => p.y)));
  const x = (value: number) => LEFT + 12 + ((value - low) / span) * (W - LEFT - RIGHT - 24);
  const y = (value: number) => TOP + (1 - value / top) * (H - TOP - BOTTOM);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(top * share).toFixed(1);
    return `<line x1="${LEFT}" x2="${W - RIGHT}" y1="${at}" y2="${at}" stroke="var(--line)"/><text x="${LEFT - 8}" y="${Number(at) + 4}" text-anchor="end">${shortNumber(top * share)}</text>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = low + share * span;
    return `<text x="${x(value).toFixed(1)}" y="${H - BOTTOM + 18}" text-anchor="middle">${shortNumber(value)}</text>`;
  });
  const drawn = lines.map((line, k) => {
    const points = line.points.map((p) => `${x(p.x).toFixed(1)},${y(p.y).toFixed(1)}`);
    const every = Math.max(1, Math.floor(line.points.length / 12));
    const marks = line.points
      .filter((_, i) => (i + k) % every === 0)
      .map((p) => mark(k, x(p.x), y(p.y), `${line.name}: ${shortNumber(p.y)} at ${shortNumber(p.x)} ${unit}`));
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${COLOURS[k % COLOURS.length]}" stroke-width="2"/>${marks.join('')}`;
  });
  const legend = lines.map(
    (line, k) =>
      `${mark(k, LEFT + 20 + 90 * k, H - 10, line.name)}<text x="${LEFT + 30 + 90 * k}" y="${H - 6}">${escapeHtml(line.name)}</text>`,
  );
  return `<figure><svg viewBox="0 0 ${W} ${H}" role="img" aria-label="${escapeHtml(title)}">${grid.join('')}${ticks.join('')}${drawn.join('')}${legend.join('')}</svg>
<figcaption>${escapeHtml(title)}; ${unit}.</figcaption></figure>`;
}
