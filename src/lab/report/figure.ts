/** A plot on a page: drawn twice, with its legend, and with what script.ts needs to answer for a limit. */
import { escapeHtml } from './escape.ts';
import { keySvg, NARROW, type Plot, type PlotRange, plotSvg, stopsOf, valueText, WIDE } from './plot.ts';

/** `start`: the x that is chosen first. Figures of one group follow each other. `describedBy`: the id of the table with its numbers. */
export function figure(plot: Plot, start: number, group: string, describedBy: string): string {
  const stops = stopsOf(plot);
  if (stops.length === 0) return '';
  const values = plot.series.map(({ points, ranges = [] }) =>
    stops.map((stop) => {
      const range = ranges.find(({ x }) => x === stop);
      const point = points.find(({ x }) => x === stop);
      if (range !== undefined) return rangeText(range, plot);
      return point === undefined ? null : valueText(point.y, plot);
    }),
  );
  const labels = stops.map((stop) => `${stop.toFixed(stop < 1000 ? 1 : 0)} ${plot.xUnit}`);
  const data = escapeHtml(JSON.stringify({ stops, labels, values }));
  const keys = plot.series.map(
    ({ name }, i) =>
      `<button type="button" class="key" aria-pressed="true" data-name="${escapeHtml(name)}" disabled>${keySvg(i)}${escapeHtml(name)} <output></output></button>`,
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

function rangeText({ low, high }: PlotRange, plot: Plot): string {
  return low === high ? valueText(low, plot) : `${valueText(low, plot)}–${valueText(high, plot)}`;
}
