/**
 * A chart as SVG: lines over an axis, marks that differ in shape and dash, vertical lines with names, ranges of measurements.
 *
 * Owns      scales, ticks, and where everything stands.
 * Promises  1. The same plot is drawn wide, narrow (for a phone: its letters stay as large) and as a file of its own; only the last has
 *              its colours inside.
 *           2. Names are escaped. No number in it is NaN: a plot without points is an empty string.
 */
import { shortNumber } from '../curve.ts';
import { escapeHtml } from './escape.ts';

export interface PlotPoint {
  readonly x: number;
  readonly y: number;
}

/** What was measured at x: the smallest and the largest of several runs. */
export interface PlotRange {
  readonly x: number;
  readonly low: number;
  readonly high: number;
  readonly runs: number;
}

export interface PlotSeries {
  readonly name: string;
  /** In any order. */
  readonly points: readonly PlotPoint[];
  /** Drawn as bars, beside or instead of points. */
  readonly ranges?: readonly PlotRange[];
}

export interface Plot {
  /** Of its file. */
  readonly name: string;
  readonly title: string;
  readonly yUnit: string;
  readonly xUnit: string;
  readonly xName: string;
  readonly series: readonly PlotSeries[];
  /** Places on the x axis that have names. */
  readonly marks: readonly { readonly x: number; readonly name: string }[];
  /** Where there is no value, because the run was killed. */
  readonly killed: readonly number[];
  /** Whether a logarithmic axis is offered. */
  readonly log: boolean;
}

export interface PlotSize {
  readonly width: number;
  readonly height: number;
}

export const WIDE: PlotSize = { width: 760, height: 330 };
export const NARROW: PlotSize = { width: 350, height: 300 };
const LEFT = 54;
const RIGHT = 14;
const BOTTOM = 44;
/** Of a line of text, and of a letter. */
const LINE = 15;
const LETTER = 6.4;
const TICKS_APART = 84;

const LIGHT = ['#0b5cad', '#b3480a', '#1a7340', '#7a3fb0', '#7d6200', '#c2185b', '#00727f', '#4a5560'];
const DARK = ['#7ab8ff', '#ff9d5c', '#63d08e', '#cfa6f5', '#e3c552', '#ff8ab5', '#5fd4e0', '#b4bec9'];
const DASHES = ['', '7 4', '2 3', '9 3 2 3'];

const paint = (colour: (i: number) => string) =>
  LIGHT.map(
    (_, i) =>
      `.c${i} { stroke: ${colour(i)}; fill: ${colour(i)}; } ${DASHES[i % DASHES.length] === '' ? '' : `.line.c${i} { stroke-dasharray: ${DASHES[i % DASHES.length]}; }`}`,
  ).join('\n');
const SHAPES = `.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .dot { stroke: none; } .range { fill: none; stroke-width: 2; }`;

/** For a page: its colours follow light and dark. */
export const PALETTE_STYLE: string = `
:root { ${LIGHT.map((c, i) => `--c${i}: ${c};`).join(' ')} }
@media (prefers-color-scheme: dark) { :root { ${DARK.map((c, i) => `--c${i}: ${c};`).join(' ')} } }
@media print { :root { ${LIGHT.map((c, i) => `--c${i}: ${c};`).join(' ')} } }
${paint((i) => `var(--c${i})`)}
${SHAPES}
svg text { fill: var(--dim); stroke: none; font: 12px system-ui, sans-serif; } svg .grid { stroke: var(--line); } svg .axis { stroke: var(--dim); }
svg .named { stroke: var(--fg); stroke-dasharray: 3 4; } svg text.named { fill: var(--fg); stroke: none; } svg .cursor { stroke: var(--fg); stroke-width: 1.5; visibility: hidden; } svg .killed { stroke: var(--bad); stroke-width: 2; }
`;

const FILE_STYLE = `
text { fill: #57606a; font: 12px sans-serif; } text.title { fill: #1b1f24; font: bold 14px sans-serif; } .grid { stroke: #d5dae0; } .axis { stroke: #57606a; }
.named { stroke: #1b1f24; stroke-dasharray: 3 4; } text.named { stroke: none; fill: #1b1f24; } .killed { stroke: #b3261e; stroke-width: 2; }
${paint((i) => LIGHT[i]!)}
${SHAPES}
`;

/** Where things are: pixels of the x and the y axis. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly low: number;
  readonly high: number;
}

type Scale = 'linear' | 'log';

export function xOf(frame: Frame, x: number): number {
  return frame.left + ((x - frame.low) / Math.max(1e-9, frame.high - frame.low)) * (frame.right - frame.left);
}

function xsOf({ series, killed }: Plot): number[] {
  return [...series.flatMap(({ points, ranges = [] }) => [...points, ...ranges].map(({ x }) => x)), ...killed];
}

/** Every x at which some series has a value, from left to right. */
export function stopsOf(plot: Plot): number[] {
  return [...new Set(xsOf(plot))].sort((a, b) => a - b);
}

export function frameOf(plot: Plot, size: PlotSize, top = 0): Frame {
  const xs = xsOf(plot);
  const low = Math.min(...xs);
  const high = Math.max(...xs);
  const span = { left: LEFT + 10, right: size.width - RIGHT - 10, low, high };
  const rows = Math.max(0, ...placeMarks(plot, { ...span, top: 0, bottom: 0 }).map(({ row }) => row + 1));
  return { ...span, top: top + 8 + LINE * rows, bottom: size.height - BOTTOM };
}

/** Inside an svg element: the plot in `size`, its scales as groups of the classes linear and log. */
function drawing(plot: Plot, size: PlotSize, frame: Frame): string {
  const parts = [axisX(plot, size, frame), named(plot, frame)];
  const scales: readonly Scale[] = plot.log ? ['linear', 'log'] : ['linear'];
  for (const scale of scales) {
    const { ticks, y } = scaleY(plot, frame, scale);
    const grid = ticks.map((value) => {
      const at = y(value).toFixed(1);
      return (
        `<line class="grid" x1="${LEFT}" x2="${size.width - RIGHT}" y1="${at}" y2="${at}"/>` +
        `<text x="${LEFT - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${shortNumber(value)}</text>`
      );
    });
    const lines = plot.series.map((series, i) => line(plot, series, i, frame, y));
    parts.push(`<g class="${scale}">${grid.join('')}${lines.join('')}</g>`);
  }
  const crosses = plot.killed.map((x) => {
    const at = xOf(frame, x);
    const d = `M${(at - 4).toFixed(1)} ${frame.bottom - 12}l8 8m0 -8l-8 8`;
    return `<path class="killed" d="${d}"><title>killed in ${label(x)} ${plot.xUnit}</title></path>`;
  });
  return `${parts.join('')}${crosses.join('')}`;
}

function line(plot: Plot, series: PlotSeries, i: number, frame: Frame, y: (value: number) => number): string {
  const points = [...series.points].sort((a, b) => a.x - b.x);
  const path = points.map((p) => `${xOf(frame, p.x).toFixed(1)},${y(p.y).toFixed(1)}`).join(' ');
  // Of many points a few have marks, not the same in all series.
  const every = Math.max(1, Math.ceil(points.length / 40));
  const dots = points
    .filter((_, k) => (k + i) % every === 0)
    .map((p) =>
      shape(i, xOf(frame, p.x), y(p.y), `${series.name}: ${valueText(p.y, plot)} in ${label(p.x)} ${plot.xUnit}`),
    );
  const ranges = (series.ranges ?? []).map((range) => {
    const [at, from, to] = [xOf(frame, range.x), y(range.low), y(range.high)];
    const said = `${series.name}: ${valueText(range.low, plot)} to ${valueText(range.high, plot)} in ${label(range.x)} ${plot.xUnit}, ${range.runs} runs`;
    const d = `M${(at - 5).toFixed(1)} ${to.toFixed(1)}h10m-5 0V${from.toFixed(1)}m-5 0h10`;
    return `<path class="range c${i % LIGHT.length}" d="${d}"><title>${escapeHtml(said)}</title></path>`;
  });
  const poly = points.length < 2 ? '' : `<polyline class="line c${i % LIGHT.length}" points="${path}"/>`;
  return `<g data-series="${i}">${poly}${dots.join('')}${ranges.join('')}</g>`;
}

/** A circle, a square, a triangle, a diamond, a triangle upside down, a bar. */
function shape(series: number, x: number, y: number, said: string): string {
  const at = (dx: number, dy: number) => `${(x + dx).toFixed(1)},${(y + dy).toFixed(1)}`;
  const title = said === '' ? '' : `<title>${escapeHtml(said)}</title>`;
  const of = `class="dot c${series % LIGHT.length}"`;
  const corners = [
    null,
    [at(-3.5, -3.5), at(3.5, -3.5), at(3.5, 3.5), at(-3.5, 3.5)],
    [at(0, -4.5), at(4.5, 3.5), at(-4.5, 3.5)],
    [at(0, -5), at(4.5, 0), at(0, 5), at(-4.5, 0)],
    [at(0, 4.5), at(4.5, -3.5), at(-4.5, -3.5)],
    [at(-5, -2), at(5, -2), at(5, 2), at(-5, 2)],
  ][series % 6]!;
  if (corners === null) return `<circle ${of} cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5">${title}</circle>`;
  return `<polygon ${of} points="${corners.join(' ')}">${title}</polygon>`;
}

function axisX(plot: Plot, size: PlotSize, frame: Frame): string {
  const room = Math.max(2, Math.floor((frame.right - frame.left) / TICKS_APART));
  const step = niceStep((frame.high - frame.low) / room);
  const first = Math.ceil(frame.low / step - 1e-9);
  const ticks: string[] = [];
  for (let n = first; n * step <= frame.high + 1e-9; n++) {
    const at = xOf(frame, n * step).toFixed(1);
    ticks.push(
      `<line class="axis" x1="${at}" x2="${at}" y1="${frame.bottom}" y2="${frame.bottom + 5}"/>` +
        `<text x="${at}" y="${frame.bottom + 19}" text-anchor="middle">${shortNumber(n * step)}</text>`,
    );
  }
  const title = escapeHtml(`${plot.xName}, ${plot.xUnit}`);
  return (
    `<line class="axis" x1="${LEFT}" x2="${size.width - RIGHT}" y1="${frame.bottom}" y2="${frame.bottom}"/>${ticks.join('')}` +
    `<text x="${frame.right}" y="${size.height - 6}" text-anchor="end">${title}</text>` +
    `<text x="4" y="${size.height - 6}">${escapeHtml(plot.yUnit)}</text>`
  );
}

/** Names over their lines, in as many rows as it takes that none covers another. */
function placeMarks(plot: Plot, frame: Frame): { at: number; from: number; name: string; row: number }[] {
  const ends: number[] = [];
  const inside = plot.marks.filter(({ x }) => x >= frame.low && x <= frame.high).sort((a, b) => a.x - b.x);
  return inside.map(({ x, name }) => {
    const at = xOf(frame, x);
    const wide = name.length * LETTER;
    const from = Math.max(4, Math.min(at - wide / 2, frame.right + 10 - wide));
    const free = ends.findIndex((end) => end + 8 <= from);
    const row = free < 0 ? ends.length : free;
    ends[row] = from + wide;
    return { at, from, name, row };
  });
}

function named(plot: Plot, frame: Frame): string {
  const placed = placeMarks(plot, frame);
  const rows = Math.max(0, ...placed.map(({ row }) => row + 1));
  return placed
    .map(({ at, from, name, row }) => {
      const y = frame.top - 8 - LINE * (rows - 1 - row);
      return (
        `<line class="named" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${y + 3}" y2="${frame.bottom}"/>` +
        `<text class="named" x="${from.toFixed(1)}" y="${y}">${escapeHtml(name)}</text>`
      );
    })
    .join('');
}

function scaleY(plot: Plot, frame: Frame, scale: Scale): { ticks: number[]; y: (value: number) => number } {
  const values = plot.series.flatMap(({ points, ranges = [] }) => [
    ...points.map((p) => p.y),
    ...ranges.map((range) => range.high),
  ]);
  const most = Math.max(0, ...values);
  const place = (share: number) => frame.bottom - share * (frame.bottom - frame.top);
  if (scale === 'linear') {
    const step = niceStep((most || 1) / 4);
    const steps = Math.max(1, Math.ceil(most / step - 1e-9));
    const ticks = Array.from({ length: steps + 1 }, (_, n) => n * step);
    return { ticks, y: (value) => place(value / (steps * step)) };
  }
  // From 0 on, as counts have zeros: log of 1 more.
  const top = Math.log10(1 + Math.max(9, most));
  const powers = Array.from({ length: Math.floor(top + 1e-9) + 1 }, (_, n) => 10 ** n);
  return { ticks: [0, ...powers], y: (value) => place(Math.log10(1 + value) / top) };
}

/** 1, 2, 2.5 or 5 times a power of ten, and no less than `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1e-9, least)));
  return ([1, 2, 2.5, 5, 10].find((n) => n * power >= least) ?? 10) * power;
}

/** At most four digits: `12.93`. */
function label(x: number): string {
  return String(Number(x.toPrecision(4)));
}

/** `3,533`, `0.332 s`. */
export function valueText(value: number, { yUnit }: Plot): string {
  return yUnit === 'seconds' ? `${value.toFixed(3)} s` : value.toLocaleString('en', { maximumFractionDigits: 2 });
}

/** In a page: an svg element of that class, with what a script needs to know of the axis. */
export function plotSvg(plot: Plot, size: PlotSize, name: 'wide' | 'narrow', describedBy: string): string {
  const frame = frameOf(plot, size);
  const data = `data-left="${frame.left}" data-right="${frame.right}" data-low="${frame.low}" data-high="${frame.high}"`;
  return (
    `<svg class="${name}" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeHtml(plot.title)}" aria-describedby="${describedBy}" ${data}>` +
    `${drawing(plot, size, frame)}<line class="cursor" x1="0" x2="0" y1="${frame.top}" y2="${frame.bottom}"/></svg>`
  );
}

/** Beside a name: the line and the mark of a series, or the bar of one that has ranges only. */
export function keySvg(i: number, hasLine: boolean): string {
  return `<svg viewBox="0 0 26 12" aria-hidden="true">${keyMark(i, hasLine, 0, 6)}</svg>`;
}

function keyMark(i: number, hasLine: boolean, x: number, y: number): string {
  const colour = `c${i % LIGHT.length}`;
  if (!hasLine) return `<path class="range ${colour}" d="M${x + 8} ${y - 5}h10m-5 0v10m-5 0h10"/>`;
  return `<polyline class="line ${colour}" points="${x},${y} ${x + 26},${y}"/>${shape(i, x + 13, y, '')}`;
}

/** A file of its own, with title, legend and colours. */
export function plotFile(plot: Plot): string {
  if (xsOf(plot).length === 0) return '';
  const columns = 3;
  const rows = Math.ceil(plot.series.length / columns);
  const size = { width: WIDE.width, height: WIDE.height + 26 };
  const frame = frameOf(plot, size, 26);
  const keys = plot.series.map(({ name, points }, i) => {
    const x = LEFT + (i % columns) * 230;
    const y = size.height + 12 + 18 * Math.floor(i / columns);
    return `${keyMark(i, points.length > 0, x, y)}<text x="${x + 34}" y="${y + 4}">${escapeHtml(name)}</text>`;
  });
  const height = size.height + 24 + 18 * rows;
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" width="${size.width}" height="${height}" role="img">
<title>${escapeHtml(plot.title)}</title>
<style>${FILE_STYLE}</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text class="title" x="4" y="18">${escapeHtml(plot.title)}</text>
${drawing({ ...plot, log: false }, size, frame)}
${keys.join('\n')}
</svg>
`;
}
