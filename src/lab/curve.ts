/**
 * A curve in a terminal: what a limit costs.
 *
 * Owns      the drawing. Marks differ by letter, so that it reads without colour, too.
 *
 *     12k ┤ i
 *         │
 *      6k ┤      i
 *         │ o    o
 *       0 ┤             *      *
 *         └─┬────┬──────┬──────┬──
 *           5.0  8.4   12.6   16.8   MiB
 */

export interface CurvePoint {
  x: number;
  /** One value for each series; null where there is none. */
  y: readonly (number | null)[];
}

export interface CurveSeries {
  name: string;
  mark: string;
}

export interface CurveOptions {
  width: number;
  height: number;
  xLabel: (x: number) => string;
  xUnit: string;
  /** Where the axis has marks. Default: at every point. */
  xTicks?: readonly number[];
  /** Paints a mark; given the number of its series. Default: as it is. */
  paint?: (text: string, series: number) => string;
}

const SHARED_MARK = '*';

export function drawCurve(
  series: readonly CurveSeries[],
  points: readonly CurvePoint[],
  options: CurveOptions,
): string {
  const paint = options.paint ?? ((text: string) => text);
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const values = sorted.flatMap((p) => p.y.filter((y): y is number => y !== null));
  const top = niceTop(Math.max(0, ...values));
  const labels = [top, top / 2, 0].map(shortNumber);
  const margin = Math.max(...labels.map((l) => l.length)) + 1;
  const width = Math.max(20, options.width - margin - 3);
  const height = Math.max(4, options.height);
  const low = sorted[0]?.x ?? 0;
  const span = Math.max(1e-9, (sorted.at(-1)?.x ?? 1) - low);
  const column = (x: number) => 1 + Math.round(((x - low) / span) * (width - 3));
  const row = (y: number) => height - 1 - Math.round((y / top) * (height - 1));

  // -1 empty, -2 several series.
  const cells = Array.from({ length: height }, () => new Array<number>(width).fill(-1));
  for (const point of sorted) {
    for (const [s, y] of point.y.entries()) {
      if (y === null) continue;
      const line = cells[row(y)]!;
      const at = column(point.x);
      line[at] = line[at] === -1 || line[at] === s ? s : -2;
    }
  }
  const lines = cells.map((line, r) => {
    const label =
      r === 0 ? labels[0]! : r === height - 1 ? labels[2]! : r === Math.round((height - 1) / 2) ? labels[1]! : '';
    const drawn = line.map((s) => (s === -1 ? ' ' : s === -2 ? SHARED_MARK : paint(series[s]!.mark, s))).join('');
    return `${label.padStart(margin)} ${label === '' ? '│' : '┤'}${drawn}`;
  });
  const ticks = new Array<string>(width).fill('─');
  const marked = options.xTicks ?? sorted.map((point) => point.x);
  for (const x of marked) ticks[column(x)] = '┬';
  lines.push(`${' '.repeat(margin)} └${ticks.join('')}`);
  lines.push(`${' '.repeat(margin + 2)}${tickLabels(marked, column, options.xLabel, width)} ${options.xUnit}`);
  const legend = series.map((s, i) => `${paint(s.mark, i)} ${s.name}`);
  lines.push(
    `${' '.repeat(margin + 2)}${legend.join('   ')}   ${SHARED_MARK} ${series.length > 2 ? 'several' : 'both'}`,
  );
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** Labels under their ticks, as many as fit: the outer ones first. */
function tickLabels(
  xs: readonly number[],
  column: (x: number) => number,
  label: (x: number) => string,
  width: number,
): string {
  const line = new Array<string>(width).fill(' ');
  const outer = [xs.at(-1), xs[0], ...xs.slice(1, -1)];
  for (const x of outer) {
    if (x === undefined) continue;
    const text = label(x);
    const start = Math.min(width - text.length, Math.max(0, column(x) - (text.length >> 1)));
    const room = line.slice(Math.max(0, start - 1), start + text.length + 1);
    if (room.some((c) => c !== ' ')) continue;
    for (const [i, c] of [...text].entries()) line[start + i] = c;
  }
  return line.join('').trimEnd();
}

/** A round number at or above `value`: one digit or a half times a power of ten. */
export function niceTop(value: number): number {
  if (value <= 0) return 10;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((n) => n * power >= value) ?? 10) * power;
}

/** `12k`, `3.5M`. */
export function shortNumber(value: number): string {
  for (const [unit, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  }
  return String(Number(value.toPrecision(3)));
}
