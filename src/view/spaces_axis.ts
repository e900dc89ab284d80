/**
 * Where regions of address spaces stand in a picture: one axis for several of them, without the emptiness between.
 *
 *     0x400000-0x402000   0x7f10…-0x7f18…         line 0   |■■|··127 TiB··|■■■■■■■■|
 *     0x400000-0x402000   0x7f10…-0x7f14…         both on the same axis: what has one address stands in one column
 *
 * Owns      the axis: a piece for each stretch in which no region begins or ends, a gap for what nobody maps.
 * Promises  1. Pieces stand in the order of addresses, none twice; every page of every region is in one piece.
 *           2. A piece is never torn in two by the end of a line. Small regions have a cell for each page.
 */

export interface Extent {
  readonly startPage: number;
  readonly endPage: number;
}

export interface Piece extends Extent {
  readonly line: number;
  /** In pixels from the beginning of the line. */
  readonly x: number;
  readonly width: number;
  /** Cells in it, and its first; a gap has none. */
  readonly cells: number;
  readonly firstCell: number;
}

export interface Axis {
  readonly lines: number;
  readonly cells: number;
  readonly pieces: readonly Piece[];
}

/** How closely regions stand: the first with which the lines are few enough is taken, the last in any case. */
interface Spacing {
  readonly lines: number;
  /** In pixels: a cell, the narrowest region, a gap. */
  readonly cell: number;
  readonly narrowest: number;
  readonly gap: number;
  /** Up to so many pages each has its cell; so many cells more for each doubling. */
  readonly single: number;
  readonly perDoubling: number;
}

/** Regions with room for `rw-p`, gaps with room for their size. */
const WIDE = { narrowest: 34, gap: 54, single: 64, perDoubling: 12 } as const;
const SPACINGS: readonly Spacing[] = [
  { ...WIDE, cell: 24, lines: 1 },
  { ...WIDE, cell: 18, lines: 1 },
  { ...WIDE, cell: 12, lines: 3 },
  { ...WIDE, cell: 8, lines: 3 },
  { ...WIDE, cell: 5, lines: 3 },
  { ...WIDE, cell: 3, lines: 5 },
  { cell: 3, lines: 7, narrowest: 18, gap: 16, single: 24, perDoubling: 6 },
  { cell: 2, lines: 0, narrowest: 6, gap: 6, single: 6, perDoubling: 1 },
];
/** Two pixels are seen. */
const NARROWEST_CELL = 2;

export function layAxis(spaces: readonly (readonly Extent[])[], width: number): Axis {
  const stretches = stretchesOf(spaces);
  let axis: Axis = { lines: 0, cells: 0, pieces: [] };
  for (const spacing of SPACINGS) {
    axis = layLines(stretches, width, spacing);
    if (axis.lines <= spacing.lines) break;
  }
  return axis;
}

interface Stretch extends Extent {
  readonly isGap: boolean;
}

/** Cut wherever a region begins or ends. */
function stretchesOf(spaces: readonly (readonly Extent[])[]): Stretch[] {
  const steps = new Map<number, number>();
  for (const vmas of spaces) {
    for (const { startPage, endPage } of vmas) {
      steps.set(startPage, (steps.get(startPage) ?? 0) + 1);
      steps.set(endPage, (steps.get(endPage) ?? 0) - 1);
    }
  }
  const cuts = [...steps.keys()].sort((a, b) => a - b);
  const stretches: Stretch[] = [];
  let here = 0;
  cuts.forEach((startPage, i) => {
    here += steps.get(startPage)!;
    const endPage = cuts[i + 1];
    if (endPage !== undefined) stretches.push({ startPage, endPage, isGap: here === 0 });
  });
  return stretches;
}

function layLines(stretches: readonly Stretch[], width: number, spacing: Spacing): Axis {
  const pieces: Piece[] = [];
  let line = 0;
  let x = 0;
  let firstCell = 0;
  for (const { startPage, endPage, isGap } of stretches) {
    const pages = endPage - startPage;
    const wanted = isGap ? 0 : cellsFor(pages, spacing);
    const room = isGap ? spacing.gap : Math.max(spacing.narrowest, wanted * spacing.cell);
    const own = Math.min(width, room);
    const cells = Math.min(wanted, Math.max(1, Math.floor(own / NARROWEST_CELL)));
    if (x > 0 && x + own > width) {
      line += 1;
      x = 0;
    }
    pieces.push({ startPage, endPage, line, x, width: own, cells, firstCell });
    x += own;
    firstCell += cells;
  }
  return { lines: pieces.length === 0 ? 0 : line + 1, cells: firstCell, pieces };
}

function cellsFor(pages: number, { single, perDoubling }: Spacing): number {
  return pages <= single ? pages : Math.min(pages, single + Math.round(perDoubling * Math.log2(pages / single)));
}

/** First page of a cell of a piece; of the cell behind the last, its end. */
export function pageOfCell({ startPage, endPage, cells }: Piece, cell: number): number {
  return startPage + Math.floor(((endPage - startPage) * cell) / cells);
}

/** The cell in which a page of the piece is. */
export function cellOfPage(piece: Piece, page: number): number {
  const { startPage, endPage, cells } = piece;
  const cell = Math.floor(((page - startPage) * cells) / (endPage - startPage));
  // Rounding down twice may end one cell too early.
  return cell + 1 < cells && pageOfCell(piece, cell + 1) <= page ? cell + 1 : cell;
}

/** The piece in which a page is; gaps are pieces, too. */
export function pieceAt(pieces: readonly Piece[], page: number): Piece | null {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pieces[middle]!.startPage <= page) low = middle;
    else high = middle - 1;
  }
  const piece = pieces[low];
  return piece !== undefined && page >= piece.startPage && page < piece.endPage ? piece : null;
}
