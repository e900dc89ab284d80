/** A plot on a page: drawn twice, with its legend, and with what script.ts needs to answer for a limit. */
import { escapeHtml } from './escape.ts';
import {
  keySvg,
  NARROW,
  type Plot,
  type PlotRange,
  type PlotSeries,
  plotSvg,
  stopsOf,
  valueText,
  WIDE,
} from './plot.ts';

/** `start`: the x that is chosen first. Figures of one group follow each other. `describedBy`: the id of the table with its numbers. */
export function figure(plot: Plot, start: number, group: string, describedBy: string): string {
  const stops = stopsOf(plot);
  if (stops.length === 0) return '';
  const values = plot.series.map((series) => textsAt(series, stops, plot));
  const digits = stops.at(-1)! < 10 ? 2 : 1;
  const labels = stops.map((stop) => `${stop.toFixed(digits)} ${plot.xUnit}`);
  const data = escapeHtml(JSON.stringify({ stops, labels, values }));
  const keys = plot.series.map(
    ({ name, points }, i) =>
      `<button type="button" class="key" aria-pressed="true" data-name="${escapeHtml(name)}" disabled>${keySvg(i, points.length > 0)}${escapeHtml(name)} <output></output></button>`,
  );
  const scale = plot.log ? '<button type="button" class="scale" aria-pressed="false">logarithmic axis</button>' : '';
  return `<figure class="plot" id="plot-${escapeHtml(plot.name)}" data-scale="linear" data-group="${escapeHtml(group)}" data-start="${start}" data-values="${data}">
<figcaption>${escapeHtml(plot.title)}.</figcaption>
<div class="legend" role="group" aria-label="series">${keys.join('\n')}</div>
${plotSvg(plot, WIDE, 'wide', describedBy)}
${plotSvg(plot, NARROW, 'narrow', describedBy)}
<div class="controls"><label>${escapeHtml(plot.xName)} <input type="range" min="0" max="${stops.length - 1}" step="1" value="0"><output class="where"></output></label>${scale}</div>
</figure>`;
}

/** What a series says at each stop: its value, the range that was measured, `≈` between two of its points, or nothing. */
export function textsAt({ points, ranges = [] }: PlotSeries, stops: readonly number[], plot: Plot): (string | null)[] {
  const measured = new Map(ranges.map((range) => [range.x, range]));
  const sorted = [...points].sort((a, b) => a.x - b.x);
  let next = 0;
  return stops.map((stop) => {
    const range = measured.get(stop);
    if (range !== undefined) return rangeText(range, plot);
    while (next < sorted.length && sorted[next]!.x < stop) next += 1;
    const [before, after] = [sorted[next - 1], sorted[next]];
    if (after?.x === stop) return valueText(after.y, plot);
    if (before === undefined || after === undefined) return null;
    const between = before.y + ((after.y - before.y) * (stop - before.x)) / (after.x - before.x);
    return `≈ ${valueText(plot.yUnit === 'seconds' ? between : Math.round(between), plot)}`;
  });
}

function rangeText({ low, high }: PlotRange, plot: Plot): string {
  return low === high ? valueText(low, plot) : `${valueText(low, plot)}–${valueText(high, plot)}`;
}
