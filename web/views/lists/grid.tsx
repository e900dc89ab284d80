/**
 * A long row of equal cells, broken into lines: a canvas for the eye, and one control that walks along it for the keyboard.
 *
 * Promises  1. Every cell can be reached by arrows, Home and End; Enter does what a click does.
 *           2. Who does not see it hears the cell under the cursor in words.
 */
import { useSignal } from '@preact/signals';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import { Canvas } from '../../ui/canvas.tsx';
import { colourOf } from '../../ui/palette.ts';

/** Cells [from, to), and what stands in the line above them; '' is no line. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly above: string;
}

export interface GridProps {
  /** What the picture shows, in a sentence. */
  readonly label: string;
  /** Of the control: "Place in inactive_anon". */
  readonly name: string;
  readonly stretches: readonly Stretch[];
  /** In CSS pixels, the gap included. */
  readonly cell: number;
  /** Draws one cell into the square at x, y. A new function draws all anew. */
  readonly drawCell: (context: CanvasRenderingContext2D, n: number, x: number, y: number, size: number) => void;
  readonly words: (n: number) => string;
  readonly onChoose: (n: number) => void;
}

const LINE = 18;

interface Box {
  readonly n: number;
  readonly x: number;
  readonly y: number;
}

export function Grid({ label, name, stretches, cell, drawCell, words, onChoose }: GridProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  const cursor = useSignal<number | null>(null);
  const isFocused = useSignal(false);
  useEffect(() => {
    const element = box.current!;
    const measure = (): void => {
      width.value = element.clientWidth;
    };
    measure();
    const size = new ResizeObserver(measure);
    size.observe(element);
    return () => size.disconnect();
  }, []);
  const cells = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
  const columns = Math.max(1, Math.floor(width.value / cell));
  const height = heightOf(stretches, columns, cell);
  const at = cursor.value === null ? null : Math.min(cursor.value, cells - 1);
  const shape = JSON.stringify(stretches);
  const draw = useCallback(
    (context: CanvasRenderingContext2D, wide: number, high: number) => {
      const own = Math.max(1, Math.floor(wide / cell));
      context.clearRect(0, 0, wide, high);
      context.textBaseline = 'middle';
      for (const line of linesOf(stretches, own, cell)) {
        context.font = '12px system-ui, sans-serif';
        context.fillStyle = colourOf('--ink-2');
        context.textAlign = 'left';
        context.fillText(line.text, 0, line.y + LINE / 2);
      }
      for (const { n, x, y } of boxesOf(stretches, own, cell)) {
        drawCell(context, n, x, y, cell - 2);
        if (n !== at) continue;
        context.lineWidth = 2;
        context.strokeStyle = colourOf('--ink');
        context.setLineDash([3, 2]);
        context.strokeRect(x - 0.5, y - 0.5, cell - 1, cell - 1);
        context.setLineDash([]);
      }
    },
    [drawCell, shape, cell, at],
  );
  const cellAt = (x: number, y: number): number | null => {
    for (const found of boxesOf(stretches, columns, cell)) {
      if (x >= found.x && x < found.x + cell && y >= found.y && y < found.y + cell) return found.n;
    }
    return null;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const now = at ?? 0;
    const to: Readonly<Record<string, number>> = {
      ArrowRight: now + 1,
      ArrowLeft: now - 1,
      ArrowDown: now + columns,
      ArrowUp: now - columns,
      Home: 0,
      End: cells - 1,
    };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const wanted = to[event.key];
    if (wanted !== undefined) cursor.value = Math.max(0, Math.min(cells - 1, wanted));
    else if (event.key === 'Enter') onChoose(now);
    else return;
    event.preventDefault();
  };
  return (
    <div class="grid-box" ref={box}>
      <div class="grid-canvas">
        <Canvas
          label={label}
          height={height}
          draw={draw}
          onPick={(x, y) => {
            const n = cellAt(x, y);
            if (n === null) return;
            cursor.value = n;
            onChoose(n);
          }}
          onHover={(x, y) => {
            const n = cellAt(x, y);
            if (n !== null && n !== cursor.value) cursor.value = n;
          }}
          onLeave={() => {
            if (!isFocused.value) cursor.value = null;
          }}
        />
        <div
          class="grid-walk"
          role="slider"
          tabIndex={0}
          aria-label={name}
          aria-valuemin={1}
          aria-valuemax={cells}
          aria-valuenow={(at ?? 0) + 1}
          aria-valuetext={words(at ?? 0)}
          onKeyDown={onKeyDown}
          onFocus={() => {
            isFocused.value = true;
            cursor.value ??= 0;
          }}
          onBlur={() => {
            isFocused.value = false;
            cursor.value = null;
          }}
        />
      </div>
      <p class="grid-words" aria-hidden="true">
        {at === null ? '' : words(at)}
      </p>
    </div>
  );
}

function heightOf(stretches: readonly Stretch[], columns: number, cell: number): number {
  return stretches.reduce(
    (sum, { from, to, above }) => sum + (above === '' ? 0 : LINE) + Math.ceil((to - from) / columns) * cell,
    0,
  );
}

function linesOf(stretches: readonly Stretch[], columns: number, cell: number): { text: string; y: number }[] {
  const lines: { text: string; y: number }[] = [];
  let y = 0;
  for (const { from, to, above } of stretches) {
    if (above !== '') lines.push({ text: above, y });
    y += (above === '' ? 0 : LINE) + Math.ceil((to - from) / columns) * cell;
  }
  return lines;
}

function* boxesOf(stretches: readonly Stretch[], columns: number, cell: number): Generator<Box> {
  let y = 0;
  for (const { from, to, above } of stretches) {
    if (above !== '') y += LINE;
    for (let n = from; n < to; n++) {
      const place = n - from;
      yield { n, x: (place % columns) * cell, y: y + Math.floor(place / columns) * cell };
    }
    y += Math.ceil((to - from) / columns) * cell;
  }
}
