/**
 * Ribbons of address spaces on a canvas.
 *
 *     0x100000000000                 0x100000100000        start of each stretch, and marks of the kernel (▾ brk)
 *     1     F rw-s /data   ·1 MiB·   A rw-p                backing, permissions, name
 *           ▤▤▤▤▤▤▤▤▤▤▤▤▤            ■■■■■■■■              a cell for each page, or for so many as fit
 *     2     F rw-s /data             A rw-p
 *
 * Owns      the layout on the canvas, and which page is under a point.
 */
import { cellOfPage, type Piece, pageOfCell, pieceAt } from '../../../src/view/spaces_axis.ts';
import { PAGE_GUARD, PAGE_MOVING, PAGE_WAITING, PAGE_ZERO } from '../../../src/view/spaces_form.ts';
import type { Ribbon, RibbonGroup, RibbonVma } from '../../../src/view/spaces_ribbons.ts';
import { hex } from '../../ui/format.ts';
import { colourOf } from '../../ui/palette.ts';
import { BACKINGS, gapText, regionName, STATE_COLOURS } from './words.ts';

export const GUTTER = 58;
const HEAD = 26;
const BAND = 14;
const CELL = 16;
const ROW = BAND + CELL + 8;
const LINE_GAP = 8;
/** In a narrower one is no room for its size. */
const NARROW_GAP = 44;
const FONT = '10px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';

/** What of the pages is shown. */
export interface Shown {
  readonly sharing: boolean;
  readonly young: boolean;
  readonly dirty: boolean;
}

export interface Mark {
  readonly pid: number;
  readonly page: number;
  /** The page that was chosen; the others map the same frame. */
  readonly isChosen: boolean;
}

export function ribbonsHeight({ axis, ribbons }: RibbonGroup): number {
  return Math.max(1, axis.lines) * lineHeight(ribbons.length);
}

function lineHeight(ribbons: number): number {
  return HEAD + ribbons * ROW + LINE_GAP;
}

function rowTop(line: number, row: number, ribbons: number): number {
  return line * lineHeight(ribbons) + HEAD + row * ROW;
}

/** The page under a point of the canvas; null: none. */
export function pageUnder(group: RibbonGroup, x: number, y: number): { pid: number; page: number } | null {
  const { axis, ribbons } = group;
  const line = Math.floor(y / lineHeight(ribbons.length));
  const row = Math.floor((y - rowTop(line, 0, ribbons.length)) / ROW);
  const ribbon = ribbons[row];
  const at = x - GUTTER;
  const piece = axis.pieces.find((one) => one.line === line && at >= one.x && at < one.x + one.width);
  if (ribbon === undefined || piece === undefined || piece.cells === 0) return null;
  const cell = Math.min(piece.cells - 1, Math.floor(((at - piece.x) * piece.cells) / piece.width));
  const page = pageOfCell(piece, cell);
  return vmaAt(ribbon.vmas, page) === null ? null : { pid: ribbon.pid, page };
}

export function vmaAt(vmas: readonly RibbonVma[], page: number): RibbonVma | null {
  let low = 0;
  let high = vmas.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (vmas[middle]!.endPage > page) high = middle;
    else low = middle + 1;
  }
  const vma = vmas[low];
  return vma !== undefined && vma.startPage <= page ? vma : null;
}

interface Pens {
  readonly ink: string;
  readonly ink2: string;
  readonly bg: string;
  readonly bg2: string;
  readonly bg3: string;
  readonly line: string;
  readonly accent: string;
  readonly own: string;
  readonly shared: string;
  readonly swapped: string;
}

function pens(): Pens {
  return {
    ink: colourOf('--ink'),
    ink2: colourOf('--ink-2'),
    bg: colourOf('--bg'),
    bg2: colourOf('--bg-2'),
    bg3: colourOf('--bg-3'),
    line: colourOf('--line'),
    accent: colourOf('--accent'),
    own: colourOf(STATE_COLOURS.own),
    shared: colourOf(STATE_COLOURS.shared),
    swapped: colourOf(STATE_COLOURS.swapped),
  };
}

export function drawRibbons(
  context: CanvasRenderingContext2D,
  group: RibbonGroup,
  shown: Shown,
  marks: readonly Mark[],
): void {
  const pen = pens();
  const { axis, ribbons } = group;
  context.font = FONT;
  context.textBaseline = 'middle';
  drawHead(context, group, pen);
  ribbons.forEach((ribbon, row) => {
    for (let line = 0; line < axis.lines; line++) drawGutter(context, ribbon, rowTop(line, row, ribbons.length), pen);
    drawRegions(context, group, ribbon, row, pen);
    for (const piece of axis.pieces) {
      const vma = piece.cells === 0 ? null : vmaAt(ribbon.vmas, piece.startPage);
      if (vma !== null) drawCells(context, group, piece, row, shown, pen);
    }
  });
  drawMarks(context, group, marks, pen);
}

/** Addresses of stretches, emptiness between them, and the kernel's marks. */
function drawHead(context: CanvasRenderingContext2D, { axis, marks, ribbons }: RibbonGroup, pen: Pens): void {
  let free = -1;
  let line = -1;
  let before: Piece | null = null;
  for (const piece of axis.pieces) {
    const top = piece.line * lineHeight(ribbons.length);
    const x = GUTTER + piece.x;
    if (piece.line !== line) free = -1;
    line = piece.line;
    if (piece.cells === 0) {
      context.fillStyle = pen.ink2;
      context.textAlign = 'center';
      const text = piece.width < NARROW_GAP ? '·' : gapText(piece.endPage - piece.startPage);
      context.fillText(text, x + piece.width / 2, top + HEAD + BAND + CELL / 2);
    } else if (before === null || before.cells === 0 || before.line !== piece.line) {
      const text = hex(piece.startPage * 4096);
      context.textAlign = 'left';
      if (x >= free) {
        context.fillStyle = pen.ink2;
        context.fillText(text, x, top + 19);
        free = x + context.measureText(text).width + 8;
      }
    }
    before = piece;
  }
  const taken = new Map<number, number>();
  for (const { name, page } of marks) {
    // What lies at the end of a stretch belongs to it.
    const piece = pieceAt(axis.pieces, page) ?? pieceAt(axis.pieces, page - 1);
    if (piece === null) continue;
    const share = piece.cells === 0 ? 0 : (page - piece.startPage) / (piece.endPage - piece.startPage);
    const x = GUTTER + piece.x + share * piece.width;
    const text = `▾${name}`;
    if (piece.cells === 0 && page > piece.startPage) continue;
    if (x < (taken.get(piece.line) ?? -1)) continue;
    context.fillStyle = pen.ink;
    context.textAlign = 'left';
    context.fillText(text, x - 3, piece.line * lineHeight(ribbons.length) + 7);
    taken.set(piece.line, x + context.measureText(text).width + 6);
  }
}

function drawGutter(context: CanvasRenderingContext2D, { pid, comm }: Ribbon, top: number, pen: Pens): void {
  context.textAlign = 'left';
  context.fillStyle = pen.ink;
  context.fillText(String(pid), 0, top + BAND / 2, GUTTER - 6);
  context.fillStyle = pen.ink2;
  context.fillText(comm.length > 9 ? `${comm.slice(0, 8)}…` : comm, 0, top + BAND + CELL / 2, GUTTER - 4);
}

/** Each region: a band with its backing and permissions, and the frame around its cells. */
function drawRegions(
  context: CanvasRenderingContext2D,
  { axis, ribbons }: RibbonGroup,
  { vmas }: Ribbon,
  row: number,
  pen: Pens,
): void {
  let i = 0;
  while (i < axis.pieces.length) {
    const first = axis.pieces[i]!;
    const vma = first.cells === 0 ? null : vmaAt(vmas, first.startPage);
    let end = i + 1;
    // A region that another process has in two is one here.
    while (vma !== null && axis.pieces[end]?.line === first.line && axis.pieces[end]!.startPage < vma.endPage) end += 1;
    const last = axis.pieces[end - 1]!;
    i = end;
    if (vma === null) continue;
    const x = GUTTER + first.x;
    const width = last.x + last.width - first.x;
    const top = rowTop(first.line, row, ribbons.length);
    const look = BACKINGS[vma.backing];
    const isReadOnly = vma.perms[1] !== 'w';
    context.fillStyle = isReadOnly ? pen.bg : pen.bg3;
    context.fillRect(x, top, width, BAND);
    if (vma.perms.startsWith('---')) drawHatch(context, x, top, width, BAND, pen.ink2);
    context.fillStyle = colourOf(look.colour);
    context.fillRect(x, top, width, 3);
    context.strokeStyle = pen.line;
    context.lineWidth = 1;
    context.strokeRect(x + 0.5, top + 0.5, width - 1, BAND + CELL - 1);
    context.save();
    context.beginPath();
    context.rect(x, top, width - 2, BAND);
    context.clip();
    context.fillStyle = pen.ink;
    context.textAlign = 'left';
    context.fillText(bandText(vma, width), x + 2, top + 9);
    context.restore();
  }
}

/** As much as there is room for. */
function bandText({ backing, perms, name, flags }: RibbonVma, width: number): string {
  const { letter } = BACKINGS[backing];
  if (width < 32) return width < 10 ? '' : letter;
  if (width < 44) return letter + perms;
  const locked = flags.some((word) => word.startsWith('locked')) ? ' locked' : '';
  return `${letter} ${perms}${locked} ${regionName(name, backing).replace(/^.*\/(?=.)/, '')}`;
}

function drawHatch(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  colour: string,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.globalAlpha = 0.45;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = x - height; at < x + width; at += 5) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

function drawCells(
  context: CanvasRenderingContext2D,
  { axis, ribbons, cells }: RibbonGroup,
  piece: Piece,
  row: number,
  shown: Shown,
  pen: Pens,
): void {
  const top = rowTop(piece.line, row, ribbons.length) + BAND;
  for (let cell = 0; cell < piece.cells; cell++) {
    const at = row * axis.cells + piece.firstCell + cell;
    const left = GUTTER + piece.x + (piece.width * cell) / piece.cells;
    const width = piece.width / piece.cells;
    const air = width >= 5 ? 1 : 0;
    const share = {
      resident: cells.resident[at]! / 255,
      shared: shown.sharing ? cells.shared[at]! / 255 : 0,
      swapped: cells.swapped[at]! / 255,
      young: shown.young ? cells.young[at]! / 255 : 0,
      dirty: shown.dirty ? cells.dirty[at]! / 255 : 0,
    };
    drawCell(context, left + air, top, width - 2 * air, share, cells.special[at]!, pen);
  }
}

interface CellShare {
  readonly resident: number;
  readonly shared: number;
  readonly swapped: number;
  readonly young: number;
  readonly dirty: number;
}

/** Resident from below, the shared part of it lined; above it what is swapped out, hollow. */
function drawCell(
  context: CanvasRenderingContext2D,
  x: number,
  top: number,
  width: number,
  share: CellShare,
  special: number,
  pen: Pens,
): void {
  const room = CELL - 2;
  const bottom = top + 1 + room;
  const resident = Math.round(share.resident * room);
  const shared = Math.min(resident, Math.round(share.shared * room));
  const swapped = Math.min(room - resident, Math.round(share.swapped * room));
  if (resident > 0) {
    context.fillStyle = pen.own;
    context.fillRect(x, bottom - resident, width, resident);
  }
  if (shared > 0) {
    context.fillStyle = pen.shared;
    context.fillRect(x, bottom - shared, width, shared);
    context.fillStyle = pen.bg;
    for (let y = bottom - 4; y > bottom - shared; y -= 4) context.fillRect(x, y, width, 1);
  }
  if (swapped > 0) {
    context.fillStyle = pen.swapped;
    context.fillRect(x, bottom - resident - swapped, width, swapped);
    context.fillStyle = pen.bg;
    if (width >= 5 && swapped >= 5) context.fillRect(x + 2, bottom - resident - swapped + 2, width - 4, swapped - 4);
  }
  if (share.young > 0) {
    context.fillStyle = pen.ink;
    const wide = Math.min(width, 5);
    context.fillRect(x + (width - wide) / 2, top + 1, wide, 3);
  }
  if (share.dirty > 0) {
    context.fillStyle = pen.ink;
    context.fillRect(x, bottom - 2, width, 2);
  }
  if (special !== 0) drawSpecial(context, x + width / 2, top + CELL / 2, width, special, pen);
}

function drawSpecial(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  special: number,
  pen: Pens,
): void {
  const has = (where: number) => (special & (1 << where)) !== 0;
  const text = has(PAGE_GUARD) ? '×' : has(PAGE_WAITING) ? '?' : has(PAGE_MOVING) ? '→' : has(PAGE_ZERO) ? '0' : '';
  context.fillStyle = pen.ink2;
  if (width >= 6) {
    context.textAlign = 'center';
    context.fillText(text, x, y);
  } else context.fillRect(x - width / 2, y - 1, width, 2);
}

/** Around each page that maps the chosen frame, and a line through those in one column. */
function drawMarks(context: CanvasRenderingContext2D, group: RibbonGroup, marks: readonly Mark[], pen: Pens): void {
  const { axis, ribbons } = group;
  const boxes = marks.flatMap(({ pid, page, isChosen }) => {
    const row = ribbons.findIndex((ribbon) => ribbon.pid === pid);
    const piece = pieceAt(axis.pieces, page);
    if (row < 0 || piece === null || piece.cells === 0 || vmaAt(ribbons[row]!.vmas, page) === null) return [];
    const cell = cellOfPage(piece, page);
    const width = Math.max(4, piece.width / piece.cells);
    const x = GUTTER + piece.x + (piece.width * cell) / piece.cells;
    return [{ x, width, top: rowTop(piece.line, row, ribbons.length) + BAND, line: piece.line, isChosen }];
  });
  boxes.sort((a, b) => a.line - b.line || a.top - b.top);
  boxes.forEach(({ x, width, top, line, isChosen }, i) => {
    const next = boxes[i + 1];
    context.strokeStyle = pen.accent;
    context.lineWidth = 2;
    if (next !== undefined && next.line === line) {
      context.beginPath();
      context.setLineDash([3, 2]);
      context.moveTo(x + width / 2, top + CELL + 1);
      context.lineTo(next.x + next.width / 2, next.top - 1);
      context.stroke();
      context.setLineDash([]);
    }
    context.strokeStyle = pen.bg;
    context.lineWidth = 5;
    context.strokeRect(x, top, width, CELL);
    context.strokeStyle = isChosen ? pen.ink : pen.accent;
    context.lineWidth = 2.5;
    context.strokeRect(x, top, width, CELL);
    if (!isChosen) return;
    context.fillStyle = pen.ink;
    context.beginPath();
    context.moveTo(x + width / 2 - 5, top - 7);
    context.lineTo(x + width / 2 + 5, top - 7);
    context.lineTo(x + width / 2, top);
    context.fill();
  });
}
