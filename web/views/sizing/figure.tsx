/** A plot of the report (src/lab/report/plot.ts) on the page: as wide as its place, its values at the limit that is chosen. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { textsAt } from '../../../src/lab/report/figure.ts';
import { frameOf, keySvg, type Plot, plotSvg, xOf } from '../../../src/lab/report/plot.ts';

const HEIGHT = 300;
const FIRST_WIDTH = 600;

export interface FigureProps {
  readonly plot: Plot;
  /** Every x that can be chosen, and which of them is. */
  readonly stops: readonly number[];
  readonly chosen: Signal<number>;
  /** Id of the table with its numbers. */
  readonly describedBy: string;
}

export function PlotFigure({ plot, stops, chosen, describedBy }: FigureProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useSignal(FIRST_WIDTH);
  const isLog = useSignal(false);
  const hidden = useSignal<ReadonlySet<number>>(new Set());
  const values = useMemo(() => plot.series.map((series) => textsAt(series, stops, plot)), [plot, stops]);
  useEffect(() => {
    const size = new ResizeObserver(([entry]) => {
      width.value = Math.max(260, Math.floor(entry!.contentRect.width));
    });
    size.observe(box.current!);
    return () => size.disconnect();
  }, []);
  const size = { width: width.value, height: HEIGHT };
  useEffect(() => {
    // Every text in it is escaped by plot.ts.
    box.current!.innerHTML = plotSvg(plot, size, 'wide', describedBy);
  }, [plot, size.width]);
  const x = stops[chosen.value] ?? 0;
  useEffect(() => {
    const cursor = box.current!.querySelector<SVGElement>('.cursor')!;
    cursor.style.visibility = 'visible';
    cursor.style.transform = `translateX(${xOf(frameOf(plot, size), x)}px)`;
    for (const group of box.current!.querySelectorAll<SVGElement>('[data-series]')) {
      group.style.display = hidden.value.has(Number(group.dataset['series'])) ? 'none' : '';
    }
  }, [plot, size.width, x, hidden.value]);
  const follow = (event: PointerEvent) => {
    const { left, right, low, high } = frameOf(plot, size);
    const at = event.clientX - box.current!.getBoundingClientRect().left;
    const wanted = low + ((at - left) / (right - left)) * (high - low);
    chosen.value = nearest(stops, wanted);
  };
  const toggle = (series: number) => {
    const now = new Set(hidden.value);
    if (!now.delete(series)) now.add(series);
    hidden.value = now;
  };
  return (
    <figure class="sizing-plot" data-scale={isLog.value ? 'log' : 'linear'}>
      <figcaption>{plot.title}</figcaption>
      <div class="sizing-legend">
        {plot.series.map(({ name, points }, i) => (
          <button
            type="button"
            key={name}
            aria-pressed={!hidden.value.has(i)}
            title={`Show or hide: ${name}`}
            onClick={() => toggle(i)}
          >
            <Key series={i} hasLine={points.length > 0} /> {name} <strong>{values[i]![chosen.value] ?? '–'}</strong>
          </button>
        ))}
        {plot.log && (
          <label class="check">
            <input
              type="checkbox"
              checked={isLog.value}
              onChange={(event) => {
                isLog.value = event.currentTarget.checked;
              }}
            />{' '}
            logarithmic axis
          </label>
        )}
      </div>
      <div class="sizing-drawing" ref={box} onPointerMove={follow} onPointerDown={follow} />
    </figure>
  );
}

function Key({ series, hasLine }: { series: number; hasLine: boolean }) {
  const box = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    box.current!.innerHTML = keySvg(series, hasLine);
  }, [series, hasLine]);
  return <span class="sizing-key" ref={box} />;
}

export function nearest(stops: readonly number[], x: number): number {
  return stops.reduce((best, stop, i) => (Math.abs(stop - x) < Math.abs(stops[best]! - x) ? i : best), 0);
}
