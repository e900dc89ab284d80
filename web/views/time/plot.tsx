/** One plot of curves over the same x, drawn by uPlot, with a line where the machine stands. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { duration, grouped } from '../../ui/format.ts';
import { colourOf } from '../../ui/palette.ts';
import type { Axis, Curve } from './curves.ts';

const HEIGHT = 132;
const NS_PER_MS = 1e6;

interface PlotProps {
  /** Steps, or nanoseconds. */
  readonly x: Float64Array;
  readonly axis: Axis;
  readonly curves: readonly Curve[];
  /** Where the machine stands: a step, or milliseconds. */
  readonly at: number;
  readonly label: string;
  /** A click, in the axis's unit. */
  readonly onPick: (x: number) => void;
  /** The sample under the pointer. */
  readonly onHover: (row: number | null) => void;
}

export function Plot({ x, axis, curves, at, label, onPick, onHover }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const line = useMemo(presentLine, []);
  const calls = useRef({ onPick, onHover, at });
  calls.current = { onPick, onHover, at };
  const names = curves.map(({ id, says }) => `${id} ${says}`).join();

  useEffect(() => {
    const element = box.current!;
    const made = new UPlot(options(element, axis, curves, calls, line), dataOf(x, axis, curves), element);
    plot.current = made;
    made.over.append(line);
    made.over.addEventListener('click', ({ offsetX }) => calls.current.onPick(made.posToVal(offsetX, 'x')));
    const size = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    size.observe(element);
    return () => {
      size.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [axis, names]);
  useEffect(() => {
    plot.current?.setData(dataOf(x, axis, curves));
  }, [x, curves]);
  useEffect(() => {
    if (plot.current !== null) placeLine(plot.current, line, at);
  }, [at]);
  useEffect(() => {
    const canvas = box.current!.querySelector('canvas')!;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', label);
  }, [label, axis, names]);
  return <div class="plot" ref={box} />;
}

function presentLine(): HTMLElement {
  const line = document.createElement('div');
  line.className = 'present';
  return line;
}

function placeLine(plot: UPlot, line: HTMLElement, at: number): void {
  const { min, max } = plot.scales['x']!;
  const isOut = min == null || max == null || at < min || at > max;
  line.hidden = isOut;
  if (!isOut) line.style.left = `${plot.valToPos(at, 'x')}px`;
}

function dataOf(x: Float64Array, axis: Axis, curves: readonly Curve[]): UPlot.AlignedData {
  const places = axis === 'step' ? x : x.map((ns) => ns / NS_PER_MS);
  return [places, ...curves.map(({ values }) => values)] as UPlot.AlignedData;
}

function options(
  element: HTMLElement,
  axis: Axis,
  curves: readonly Curve[],
  calls: { current: { onHover: (row: number | null) => void; at: number } },
  line: HTMLElement,
): UPlot.Options {
  const ink = colourOf('--ink-2');
  const grid = { stroke: colourOf('--bg-3'), width: 1 };
  const look = { stroke: ink, grid, ticks: grid, font: '11px system-ui, sans-serif' };
  const xText = (value: number): string => (axis === 'step' ? short(value) : duration(value * NS_PER_MS));
  return {
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, sync: { key: `revmap-${axis}` }, points: { show: false } },
    scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.05 : 1] } },
    axes: [
      { ...look, size: 30, values: (_plot, values) => values.map(xText) },
      { ...look, size: 52, values: (_plot, values) => values.map(short) },
    ],
    series: [
      {},
      ...curves.map(({ says, colour, dash, isLine }) => ({
        label: says,
        stroke: colourOf(colour),
        width: isLine ? 1.5 : 2,
        dash: [...dash],
        points: { show: false },
      })),
    ],
    hooks: {
      draw: [(plot) => placeLine(plot, line, calls.current.at)],
      setCursor: [(plot) => calls.current.onHover(plot.cursor.idx ?? null)],
    },
  };
}

function short(value: number): string {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${+(value / 1e3).toFixed(1)} k`;
  return value >= 1 || value === 0 ? grouped(value) : String(+value.toFixed(3));
}
