/** Every page that either has: where it is in each, drawn in order of addresses. */
import { useComputed, useSignal } from '@preact/signals';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import {
  cellsOf,
  classCounts,
  type LaidProcess,
  layPages,
  leftState,
  nextDiffering,
  RESIDENT_BOTH,
  RESIDENT_LEFT,
  RESIDENT_NEITHER,
  RESIDENT_RIGHT,
  rightState,
  STATE_NAMES,
} from '../../../src/view/compare_pages.ts';
import type { Selection } from '../../../src/view/selection.ts';
import { selectPage } from '../../app/state.ts';
import { Canvas } from '../../ui/canvas.tsx';
import { grouped, hex, plural } from '../../ui/format.ts';
import { colourOf } from '../../ui/palette.ts';
import { useAnswer } from '../../ui/use_answer.ts';
import type { Both } from './machines.tsx';
import { atOtherSteps } from './second.ts';

const PAGE = 4096;
const CLASSES = [
  { id: RESIDENT_BOTH, says: 'in memory in both' },
  { id: RESIDENT_LEFT, says: 'only on the left' },
  { id: RESIDENT_RIGHT, says: 'only on the right' },
  { id: RESIDENT_NEITHER, says: 'in neither (swapped out, or gone)' },
] as const;
const COLOURS: Readonly<Record<number, string>> = {
  [RESIDENT_BOTH]: '--p8',
  [RESIDENT_LEFT]: '--p0',
  [RESIDENT_RIGHT]: '--p1',
  [RESIDENT_NEITHER]: '--line',
};
/** From the largest cell that fits; of CSS pixels. */
const CELLS = [12, 8, 6, 4];
const MOST_HEIGHT = 260;
const FIRST_PROCESSES = 6;

export function Pages({ left, right }: Both) {
  const mine = useAnswer(left, 'comparePages');
  const theirs = useAnswer(right, 'comparePages');
  const laid = useComputed(() => (mine.value && theirs.value ? layPages(mine.value, theirs.value) : null));
  const all = useSignal(false);
  const processes = laid.value;
  if (processes === null) return <p class="empty">Looking at pages …</p>;
  const differing = processes.reduce((sum, one) => sum + one.differing, 0);
  const classes = classCounts(processes);
  const shown = all.value ? processes : processes.slice(0, FIRST_PROCESSES);
  const go = (back: boolean) => {
    const { pid, address } = left.selection.peek();
    const from = pid === null || address === null ? null : { pid, vpn: address / PAGE };
    const next = nextDiffering(processes, from, back);
    if (next !== null) selectPage(next.pid, next.vpn * PAGE);
  };
  const off = atOtherSteps(left, right);
  return (
    <section class="compare-pages" aria-label="Pages" aria-busy={off?.passes === true}>
      <h3>
        {off !== null
          ? off.says
          : differing === 0
            ? 'Every page is in the same state in both'
            : `${plural(differing, 'page')} in another state`}
      </h3>
      <ul class="compare-legend">
        {CLASSES.map(({ id, says }) => (
          <li key={id}>
            <Swatch id={id} /> {says}: {grouped(classes[id]!)}
          </li>
        ))}
      </ul>
      <div class="controls">
        <button type="button" disabled={differing === 0} onClick={() => go(true)}>
          ◀ Page before that differs
        </button>
        <button type="button" disabled={differing === 0} onClick={() => go(false)}>
          Next page that differs ▶
        </button>
      </div>
      <Chosen processes={processes} selection={left.selection.value} />
      {shown.map((process) => (
        <ProcessMap key={process.pid} process={process} selection={left.selection.value} />
      ))}
      {processes.length > shown.length && (
        <button
          type="button"
          onClick={() => {
            all.value = true;
          }}
        >
          {processes.length - shown.length} more processes
        </button>
      )}
      {processes.length === 0 && <p class="empty">No process lives at this step.</p>}
    </section>
  );
}

/** The same form as on the canvas. */
function Swatch({ id }: { id: number }) {
  const at = id === RESIDENT_RIGHT ? 6 : 0;
  const wide = id === RESIDENT_BOTH || id === RESIDENT_NEITHER ? 12 : 6;
  const isHollow = id === RESIDENT_NEITHER;
  const colour = `var(${COLOURS[id]})`;
  return (
    <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
      <rect x="0.5" y="0.5" width="11" height="11" style={{ fill: 'none', stroke: 'var(--line)' }} />
      {!isHollow && <rect x={at} y="0" width={wide} height="12" style={{ fill: colour }} />}
    </svg>
  );
}

function stateText(process: LaidProcess, row: number): string {
  const code = process.code[row]!;
  return `${STATE_NAMES[leftState(code)]} on the left, ${STATE_NAMES[rightState(code)]} on the right`;
}

function Chosen({ processes, selection }: { processes: readonly LaidProcess[]; selection: Selection }) {
  const { pid, address } = selection;
  if (pid === null || address === null) return <p class="hint">Click a page to choose it in both.</p>;
  const process = processes.find((one) => one.pid === pid);
  const row = process === undefined ? -1 : process.vpn.indexOf(address / PAGE);
  return (
    <p role="status">
      Chosen, process {pid} at {hex(address)}: {row < 0 ? 'absent in both' : stateText(process!, row)}.
    </p>
  );
}

function ProcessMap({ process, selection }: { process: LaidProcess; selection: Selection }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useSignal(600);
  const hovered = useSignal<string | null>(null);
  useEffect(() => {
    const size = new ResizeObserver(([entry]) => {
      width.value = Math.max(60, Math.floor(entry!.contentRect.width));
    });
    size.observe(box.current!);
    return () => size.disconnect();
  }, []);
  const { pid, comm, vpn, differing } = process;
  const cell = CELLS.find((one) => Math.ceil(vpn.length / Math.floor(width.value / one)) * one <= MOST_HEIGHT) ?? 3;
  const cells = cellsOf(process, Math.floor(width.value / cell), Math.floor(MOST_HEIGHT / cell));
  const chosen = selection.pid === pid && selection.address !== null ? selection.address / PAGE : -1;
  const at = chosen < 0 ? -1 : vpn.indexOf(chosen);
  const marked = at < 0 ? -1 : Math.floor(at / cells.pagesPerCell);
  const draw = useCallback(
    (context: CanvasRenderingContext2D) => drawCells(context, cells, cell, marked),
    [process, cell, cells.columns, marked],
  );
  const rowAt = (x: number, y: number): number => {
    const column = Math.min(cells.columns - 1, Math.floor(x / cell));
    const first = (Math.floor(y / cell) * cells.columns + column) * cells.pagesPerCell;
    return first < vpn.length ? first : -1;
  };
  const says = `${plural(vpn.length, 'page')}, ${differing === 0 ? 'all in the same state' : `${grouped(differing)} in another state`}`;
  return (
    <div class="compare-process">
      <h4>
        Process {pid}
        {comm === '' || comm === `process ${pid}` ? '' : ` (${comm})`}: {says}
      </h4>
      <div ref={box}>
        {vpn.length > 0 && (
          <Canvas
            label={`Pages of process ${pid} in order of addresses: ${says}. The table below has the numbers.`}
            height={Math.max(1, cells.rows) * cell}
            draw={draw}
            onPick={(x, y) => {
              const row = rowAt(x, y);
              if (row >= 0) selectPage(pid, vpn[row]! * PAGE);
            }}
            onHover={(x, y) => {
              const row = rowAt(x, y);
              hovered.value = row < 0 ? null : `${hex(vpn[row]! * PAGE)}: ${stateText(process, row)}`;
            }}
            onLeave={() => {
              hovered.value = null;
            }}
          />
        )}
      </div>
      <p class="hint mono">
        {hovered.value ?? (cells.pagesPerCell > 1 ? `each cell is ${cells.pagesPerCell} pages` : '\u00a0')}
      </p>
      <details>
        <summary>Process {pid} as a table</summary>
        <StateTable process={process} />
      </details>
    </div>
  );
}

function drawCells(
  context: CanvasRenderingContext2D,
  { cell, columns }: ReturnType<typeof cellsOf>,
  size: number,
  marked: number,
): void {
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  const colours = CLASSES.map(({ id }) => colourOf(COLOURS[id]!));
  const inner = size >= 4 ? size - 1 : size;
  for (const { id } of CLASSES) {
    context.fillStyle = colours[id]!;
    for (let n = 0; n < cell.length; n++) {
      if (cell[n] !== id) continue;
      const x = (n % columns) * size;
      const y = Math.floor(n / columns) * size;
      // A half says which side: colour is not all that tells.
      const half = Math.ceil(inner / 2);
      if (id === RESIDENT_LEFT) context.fillRect(x, y, half, inner);
      else if (id === RESIDENT_RIGHT) context.fillRect(x + inner - half, y, half, inner);
      else if (id === RESIDENT_NEITHER) context.fillRect(x, y + inner - 1, inner, 1);
      else context.fillRect(x, y, inner, inner);
    }
  }
  if (marked < 0) return;
  context.strokeStyle = colourOf('--ink');
  context.lineWidth = 2;
  context.strokeRect((marked % columns) * size - 1, Math.floor(marked / columns) * size - 1, size + 1, size + 1);
}

const STATES = [1, 2, 0] as const;

function StateTable({ process }: { process: LaidProcess }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Left \ right</th>
          {STATES.map((state) => (
            <th scope="col" class="number" key={state}>
              {STATE_NAMES[state]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {STATES.map((left) => (
          <tr key={left}>
            <th scope="row">{STATE_NAMES[left]}</th>
            {STATES.map((right) => (
              <td class="number" key={right}>
                {left === 0 && right === 0 ? '–' : grouped(process.counts[3 * left + right]!)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
