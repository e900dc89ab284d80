/**
 * A picture of the frames: a cell for N frames side by side, zone by zone.
 *
 * Promises  1. Every chosen frame that is memory is in exactly one cell; N is the smallest power of two with which the picture
 *              has at most `lines` lines, lines of which nothing changes folded into one.
 *           2. Cells begin at multiples of N, so a zone's first and last may cover fewer.
 */
import { FRAME_KINDS, type FrameKind, type FrameKinds, KIND } from './frame_kinds.ts';

export interface MapCell {
  /** What most of its chosen frames are; null if none is chosen or none is memory. */
  readonly kind: FrameKind | null;
  /** Of its chosen frames, 0 … 1. */
  readonly share: number;
}

export interface MapZone {
  readonly node: number | null;
  readonly zone: string | null;
  /** The first cell's first frame. */
  readonly firstPfn: number;
  readonly cells: readonly MapCell[];
}

export interface FrameMap {
  readonly framesPerCell: number;
  readonly columns: number;
  readonly zones: readonly MapZone[];
}

/** Frames of the finest cell that is counted: a picture of a whole host does not need finer ones. */
function finest(frames: number): number {
  let each = 1;
  while (frames / each > 65_536) each *= 2;
  return each;
}

interface CountedZone {
  readonly node: number | null;
  readonly zone: string | null;
  /** Its first cell, counted from frame 0. */
  from: number;
  /** Frames of each kind in each cell. */
  sums: Uint32Array;
}

export function mapFrames(
  { frames, kind, zones, spans }: FrameKinds,
  chosen: Uint8Array | null,
  columns: number,
  lines: number,
): FrameMap {
  const kinds = FRAME_KINDS.length;
  let each = finest(frames.count);
  const counted = spans
    .filter(({ zone }) => zone >= 0 || spans.length === 1)
    .map(({ first, end, zone }): CountedZone => {
      const from = Math.floor(first / each);
      const sums = new Uint32Array((Math.ceil(end / each) - from) * kinds);
      for (let pfn = first; pfn < end; pfn++) {
        if (chosen === null || chosen[pfn] === 1) sums[(Math.floor(pfn / each) - from) * kinds + kind[pfn]!]! += 1;
      }
      return { node: zones[zone]?.node ?? null, zone: zones[zone]?.zone ?? null, from, sums };
    });
  for (;;) {
    const drawn = counted.map(({ node, zone, from, sums }) => {
      return { node, zone, firstPfn: from * each, cells: cellsOf(sums) };
    });
    if (drawn.reduce((sum, { cells }) => sum + foldedLines(cells, columns), 0) <= lines || each > frames.count)
      return { framesPerCell: each, columns, zones: drawn };
    each *= 2;
    for (const zone of counted) {
      zone.sums = halved(zone.sums, zone.from % 2);
      zone.from = Math.floor(zone.from / 2);
    }
  }
}

/** Two neighbours become one; `odd` is 1 if the first has no neighbour on its left. */
function halved(sums: Uint32Array, odd: number): Uint32Array {
  const kinds = FRAME_KINDS.length;
  const cells = sums.length / kinds;
  const joined = new Uint32Array(Math.ceil((cells + odd) / 2) * kinds);
  for (let cell = 0; cell < cells; cell++) {
    const into = Math.floor((cell + odd) / 2) * kinds;
    for (let place = 0; place < kinds; place++) joined[into + place]! += sums[cell * kinds + place]!;
  }
  return joined;
}

function cellsOf(sums: Uint32Array): MapCell[] {
  const kinds = FRAME_KINDS.length;
  const cells: MapCell[] = [];
  for (let at = 0; at < sums.length; at += kinds) {
    let most = 0;
    let total = 0;
    let place = -1;
    for (let i = 0; i < kinds; i++) {
      const frames = sums[at + i]!;
      if (i === KIND.hole) continue;
      total += frames;
      if (frames <= most) continue;
      most = frames;
      place = i;
    }
    cells.push(place < 0 ? { kind: null, share: 0 } : { kind: FRAME_KINDS[place]!.kind, share: most / total });
  }
  return cells;
}

/** A zone's cells, line by line; `same` lines more are like this one. */
export interface MapLine {
  /** Place of its first cell. */
  readonly at: number;
  readonly cells: readonly MapCell[];
  readonly same: number;
}

/** Lines in which all cells are alike stand for those behind them that are the same. */
export function foldLines(cells: readonly MapCell[], columns: number): MapLine[] {
  const lines: MapLine[] = [];
  for (let at = 0; at < cells.length; at += columns) {
    const line = cells.slice(at, at + columns);
    const last = lines.at(-1);
    const whole = line.length === columns && isUniform(line);
    if (last !== undefined && whole && isUniform(last.cells) && isAlike(last.cells[0]!, line[0]!))
      lines[lines.length - 1] = { ...last, same: last.same + 1 };
    else lines.push({ at, cells: line, same: 0 });
  }
  return lines;
}

function foldedLines(cells: readonly MapCell[], columns: number): number {
  return foldLines(cells, columns).length;
}

function isUniform(line: readonly MapCell[]): boolean {
  return line.every((cell) => isAlike(cell, line[0]!));
}

/** As they are drawn: a free cell with something in it is another one than an empty one. */
function isAlike(a: MapCell, b: MapCell): boolean {
  return a.kind === b.kind && (a.kind !== 'free' || a.share === 1) === (b.kind !== 'free' || b.share === 1);
}
