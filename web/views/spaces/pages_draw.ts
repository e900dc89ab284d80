/** The pages of one region on a canvas: row by row, one cell each. */
import {
  PAGE_ANON,
  PAGE_DIRTY,
  PAGE_GUARD,
  PAGE_MOVING,
  PAGE_RESIDENT,
  PAGE_SHARED,
  PAGE_SWAPPED,
  PAGE_WAITING,
  PAGE_WHERE,
  PAGE_YOUNG,
  PAGE_ZERO,
} from '../../../src/view/spaces_form.ts';
import { colourOf } from '../../ui/palette.ts';
import type { Shown } from './ribbons_draw.ts';
import { STATE_COLOURS } from './words.ts';

/** Larger cells say no more. */
const WIDEST = 20;
const SIGNS: Readonly<Record<number, string>> = {
  [PAGE_ZERO]: '0',
  [PAGE_GUARD]: '×',
  [PAGE_WAITING]: '?',
  [PAGE_MOVING]: '→',
};

function cellSize(width: number, columns: number): number {
  return Math.max(4, Math.min(WIDEST, Math.floor(width / columns)));
}

export function pagesHeight(count: number, width: number, columns: number): number {
  return Math.max(1, Math.ceil(count / columns)) * cellSize(width, columns) + 4;
}

/** The page under a point. */
export function pageCell(x: number, y: number, width: number, columns: number): number {
  const size = cellSize(width, columns);
  return Math.floor(y / size) * columns + Math.min(columns - 1, Math.floor(x / size));
}

export function drawPages(
  context: CanvasRenderingContext2D,
  width: number,
  states: Uint16Array,
  columns: number,
  shown: Shown,
  chosen: number,
): void {
  const size = cellSize(width, columns);
  const ink = colourOf('--ink');
  const bg = colourOf('--bg');
  const empty = colourOf('--bg-3');
  const own = colourOf(STATE_COLOURS.own);
  const shared = colourOf(STATE_COLOURS.shared);
  const swapped = colourOf(STATE_COLOURS.swapped);
  const side = size - 2;
  context.font = `${Math.max(8, side - 4)}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  states.forEach((state, i) => {
    const x = (i % columns) * size + 1;
    const y = Math.floor(i / columns) * size + 1;
    const where = state & PAGE_WHERE;
    const isShared = shown.sharing && (state & PAGE_SHARED) !== 0;
    context.fillStyle = where === PAGE_RESIDENT ? (isShared ? shared : own) : where === PAGE_SWAPPED ? swapped : empty;
    context.fillRect(x, y, side, side);
    context.fillStyle = bg;
    if (where === PAGE_RESIDENT && isShared) for (let at = 4; at < side; at += 4) context.fillRect(x, y + at, side, 1);
    if (where === PAGE_SWAPPED && side >= 6) context.fillRect(x + 2, y + 2, side - 4, side - 4);
    context.fillStyle = ink;
    const sign = SIGNS[where];
    if (sign !== undefined) context.fillText(sign, x + side / 2, y + side / 2 + 1);
    if (where !== PAGE_RESIDENT) return;
    const third = Math.max(2, Math.floor(side / 3));
    if (shown.young && (state & PAGE_YOUNG) !== 0) context.fillRect(x + (side - third) / 2, y, third, 3);
    if (shown.dirty && (state & PAGE_DIRTY) !== 0) context.fillRect(x, y + side - 3, side, 2);
    // A copy of a file's page is not the file's: a notch.
    if ((state & PAGE_ANON) === 0 && side >= 8) {
      context.fillStyle = bg;
      context.fillRect(x, y, 3, 3);
    }
  });
  if (chosen < 0 || chosen >= states.length) return;
  const x = (chosen % columns) * size + 1;
  const y = Math.floor(chosen / columns) * size + 1;
  context.strokeStyle = bg;
  context.lineWidth = 5;
  context.strokeRect(x, y, side, side);
  context.strokeStyle = ink;
  context.lineWidth = 2.5;
  context.strokeRect(x, y, side, side);
}
