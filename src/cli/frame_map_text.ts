/**
 * The picture of `revmap frames --map`.
 *
 * Promises  Without colour a cell is a letter, so it can be read in a pipe; with colour two lines of cells share a line of the
 *           terminal (half blocks).
 */

import { FRAME_KINDS, type FrameKind } from '../host/frames/frame_kinds.ts';
import { type FrameMap, foldLines, type MapCell, type MapLine, type MapZone } from '../host/frames/frame_map.ts';
import { formatSize } from '../lab/options.ts';
import { printable } from '../trace/error.ts';
import { plural, wrapped } from './output.ts';
import { pc } from './terminal.ts';

const FRAME_BYTES = 4096;
const LABEL_CHARACTERS = 11;
const MARKS = new Map(FRAME_KINDS.map(({ kind, mark }) => [kind, mark]));
/** A free cell in which something is in use. */
const PARTLY_FREE = ':';

/** Of the 256 that terminals have had for twenty years. */
const COLOURS: Readonly<Record<FrameKind, number>> = {
  free: 236,
  anon: 34,
  anon_huge: 119,
  file_mapped: 33,
  file: 25,
  shmem: 44,
  ksm: 30,
  slab: 172,
  pgtable: 220,
  hugetlb: 201,
  zero_page: 250,
  kernel: 124,
  reserved: 88,
  hwpoison: 196,
  offline: 240,
  unknown: 255,
  deferred: 233,
  hole: 16,
  not_read: 16,
};
const PARTLY_FREE_COLOUR = 242;

/** As many cells a line as fit, in sixteens, so that lines begin at round frames. */
export function mapColumns(width: number): number {
  return Math.max(16, Math.floor((width - LABEL_CHARACTERS - 2) / 16) * 16);
}

export function drawMap(map: FrameMap, width: number, colour: boolean): string {
  const each = `${plural(map.framesPerCell, 'frame')} (${formatSize(map.framesPerCell * FRAME_BYTES)})`;
  return [
    `Each cell is ${each}, by what most of it is.`,
    ...map.zones.flatMap((zone) => ['', ...zoneLines(zone, map, colour)]),
    '',
    legend(map, width, colour),
  ].join('\n');
}

function zoneLines(zone: MapZone, { columns, framesPerCell }: FrameMap, colour: boolean): string[] {
  const name = zone.zone === null ? 'all frames' : `node ${zone.node}, zone ${printable(zone.zone)}`;
  const lines = foldLines(zone.cells, columns);
  const drawn: string[] = [];
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]!;
    const below = colour && line.same === 0 ? lines[i + 1] : undefined;
    const pair = below !== undefined && below.same === 0 ? below : null;
    const label = `0x${(zone.firstPfn + line.at * framesPerCell).toString(16)}`.padStart(LABEL_CHARACTERS);
    drawn.push(`${label} ${colour ? halfBlocks(line, pair) : letters(line.cells)}`.trimEnd());
    if (line.same > 0) drawn.push(`${''.padStart(LABEL_CHARACTERS)} ⋮ ${plural(line.same, 'line')} more like this`);
    i += pair === null ? 1 : 2;
  }
  return [pc.bold(name), ...drawn];
}

function letters(cells: readonly MapCell[]): string {
  return cells.map(({ kind, share }) => markOf(kind, share)).join('');
}

function markOf(kind: FrameKind | null, share: number): string {
  if (kind === null) return ' ';
  return kind === 'free' && share < 1 ? PARTLY_FREE : MARKS.get(kind)!;
}

function halfBlocks(upper: MapLine, lower: MapLine | null): string {
  let drawn = '';
  let style = '';
  upper.cells.forEach((cell, i) => {
    const below = lower?.cells[i] ?? null;
    const front = colourOf(cell);
    const back = below === null ? null : colourOf(below);
    // A folded or last line has nothing below: it is half as high.
    const wanted = styleOf(front ?? back, front === null ? null : back);
    // A style holds until the next: most cells are like their neighbour.
    if (wanted !== style) drawn += `${style === '' ? '' : RESET}${wanted}`;
    style = wanted;
    drawn += front !== null ? '▀' : back !== null ? '▄' : ' ';
  });
  return style === '' ? drawn : drawn + RESET;
}

const RESET = '\x1b[0m';

function styleOf(front: number | null, back: number | null): string {
  const foreground = front === null ? '' : `\x1b[38;5;${front}m`;
  return back === null ? foreground : `${foreground}\x1b[48;5;${back}m`;
}

function colourOf({ kind, share }: MapCell): number | null {
  if (kind === null) return null;
  return kind === 'free' && share < 1 ? PARTLY_FREE_COLOUR : COLOURS[kind];
}

const NO_BREAK = '\u00a0';

/** Only what the picture has. */
function legend({ zones }: FrameMap, width: number, colour: boolean): string {
  const seen = new Set<FrameKind>();
  let partlyFree = false;
  for (const { cells } of zones) {
    for (const { kind, share } of cells) {
      if (kind !== null) seen.add(kind);
      partlyFree ||= kind === 'free' && share < 1;
    }
  }
  const sample = (mark: string, shade: number) => (colour ? `\x1b[38;5;${shade}m█\x1b[0m` : mark);
  const parts = FRAME_KINDS.filter(({ kind }) => seen.has(kind)).map(
    ({ kind, label, mark }) => `${sample(mark, COLOURS[kind])} ${kind === 'free' ? 'all free' : label}`,
  );
  if (partlyFree) parts.splice(1, 0, `${sample(PARTLY_FREE, PARTLY_FREE_COLOUR)} mostly free`);
  // Wrapped between its parts, not inside of them.
  return wrapped(parts.map((part) => part.replaceAll(' ', NO_BREAK)).join('  '), width).replaceAll(NO_BREAK, ' ');
}
