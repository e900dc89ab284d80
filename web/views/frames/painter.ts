/**
 * Draws frames: one dot for a frame, or for n × n of them where there are more frames than pixels.
 *
 * Promises  1. Only what the window shows is drawn; nothing is allocated for a frame.
 *           2. A dot of several frames has the colour of what most of them are; if some are lit and some are not, of the lit ones.
 */
import type { Category } from '../../../src/view/frames_legend.ts';
import type { ZoneFacts } from '../../../src/view/frames_zones.ts';
import { colourOf, pixelOf } from '../../ui/palette.ts';
import { type Camera, HEADER, type Layout, placeOf, scaleOf, topOf } from './layout.ts';

/** From this many pixels on a frame has its letter, from NUMBERED its number too. */
const LETTERED = 14;
const NUMBERED = 44;
/** From here on cells are parted by lines. */
const PARTED = 5;

/** Colours of the categories, by place in the legend. */
export interface Palette {
  readonly pixels: Uint32Array;
  /** The same, of frames that are not lit. */
  readonly dimmed: Uint32Array;
  /** For letters: black or white, whichever is read better. */
  readonly inks: readonly string[];
  readonly marks: readonly string[];
}

/** The bar of a zone's watermarks, and how wide the window must be for it. */
const MARKS_WIDTH = 120;
const ROOM_FOR_MARKS = 520;
/** How much of the background a frame takes on that is not lit. */
const DIM_SHARE = 0.82;

export function paletteOf(legend: readonly Category[]): Palette {
  const background = pixelOf(colourOf('--bg'));
  const pixels = new Uint32Array(256);
  const dimmed = new Uint32Array(256);
  const inks: string[] = [];
  legend.forEach(({ tone }, place) => {
    const pixel = pixelOf(colourOf(tone.startsWith('p') ? `--${tone}` : `--frames-${tone}`));
    pixels[place] = pixel;
    dimmed[place] = mixed(pixel, background, DIM_SHARE);
    inks.push(luminance(pixel) > 0.3 ? '#000000' : '#ffffff');
  });
  return { pixels, dimmed, inks, marks: legend.map(({ mark }) => mark) };
}

function channel(pixel: number, n: number): number {
  return (pixel >>> (8 * n)) & 255;
}

function mixed(pixel: number, other: number, share: number): number {
  let result = 0xff000000;
  for (let n = 0; n < 3; n++) {
    const value = Math.round(channel(pixel, n) * (1 - share) + channel(other, n) * share);
    result |= value << (8 * n);
  }
  return result >>> 0;
}

/** Relative luminance, as WCAG has it. */
function luminance(pixel: number): number {
  const linear = (n: number) => (channel(pixel, n) / 255) ** 2.2;
  return 0.2126 * linear(0) + 0.7152 * linear(1) + 0.0722 * linear(2);
}

export interface Picture {
  readonly categories: Uint8Array;
  readonly palette: Palette;
  /** 1: shown in full; null: all are. */
  readonly lit: Uint8Array | null;
  /** For the bars beside the names. */
  readonly zones: readonly ZoneFacts[];
  readonly layout: Layout;
  readonly camera: Camera;
  readonly chosen: number | null;
  /** Where the keyboard is; null: elsewhere. */
  readonly cursor: number | null;
}

export class FramePainter {
  private readonly sheet = document.createElement('canvas');
  private image: ImageData = new ImageData(1, 1);
  private pixels = new Uint32Array(this.image.data.buffer);
  private readonly counts = new Uint16Array(256);

  paint(context: CanvasRenderingContext2D, width: number, height: number, picture: Picture): void {
    context.fillStyle = colourOf('--bg');
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    picture.layout.blocks.forEach((_, n) => {
      this.paintBlock(context, width, height, picture, n);
    });
    // Names lie above what was scrolled below them.
    picture.layout.blocks.forEach((_, n) => {
      paintHeader(context, width, height, picture, n);
    });
    if (picture.chosen !== null) ring(context, picture, picture.chosen);
    if (picture.cursor !== null) frameCursor(context, picture, picture.cursor);
  }

  private paintBlock(
    context: CanvasRenderingContext2D,
    width: number,
    height: number,
    picture: Picture,
    n: number,
  ): void {
    const { layout, camera } = picture;
    const block = layout.blocks[n]!;
    const scale = scaleOf(camera);
    const top = topOf(layout, n, camera);
    const each = scale < 1 ? Math.round(1 / scale) : 1;
    const firstRow = Math.max(0, Math.floor(-top / scale));
    const endRow = Math.min(block.rows, Math.ceil((height - top) / scale));
    const firstColumn = Math.max(0, Math.floor(camera.x / scale));
    const endColumn = Math.min(layout.columns, Math.ceil((camera.x + width) / scale));
    if (firstRow >= endRow || firstColumn >= endColumn) return;
    const row = firstRow - (firstRow % each);
    const column = firstColumn - (firstColumn % each);
    const dotRows = Math.ceil((endRow - row) / each);
    const dotColumns = Math.ceil((endColumn - column) / each);
    this.makeRoom(dotColumns, dotRows);
    if (each === 1) this.fillFrames(picture, n, row, column, dotRows, dotColumns);
    else this.fillDots(picture, n, row, column, dotRows, dotColumns, each);
    const sheet = this.sheet.getContext('2d')!;
    sheet.putImageData(this.image, 0, 0, 0, 0, dotColumns, dotRows);
    const x = column * scale - camera.x;
    const y = top + row * scale;
    const size = each === 1 ? scale : 1;
    context.drawImage(this.sheet, 0, 0, dotColumns, dotRows, x, y, dotColumns * size, dotRows * size);
    if (scale >= PARTED) partCells(context, x, y, dotColumns, dotRows, scale);
    if (scale >= LETTERED) letter(context, picture, n, row, column, dotRows, dotColumns);
  }

  private makeRoom(columns: number, rows: number): void {
    if (this.image.width >= columns && this.image.height >= rows) return;
    this.image = new ImageData(Math.max(columns, this.image.width), Math.max(rows, this.image.height));
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.sheet.width = this.image.width;
    this.sheet.height = this.image.height;
  }

  private fillFrames(picture: Picture, n: number, row: number, column: number, rows: number, columns: number): void {
    const { categories, palette, lit, layout } = picture;
    const { first, end } = layout.blocks[n]!;
    const { pixels, dimmed } = palette;
    for (let r = 0; r < rows; r++) {
      let pfn = first + (row + r) * layout.columns + column;
      let at = r * this.image.width;
      for (let c = 0; c < columns; c++, pfn++, at++) {
        if (pfn >= end) this.pixels[at] = 0;
        else this.pixels[at] = lit === null || lit[pfn] === 1 ? pixels[categories[pfn]!]! : dimmed[categories[pfn]!]!;
      }
    }
  }

  private fillDots(
    picture: Picture,
    n: number,
    row: number,
    column: number,
    rows: number,
    columns: number,
    each: number,
  ): void {
    const { palette, layout } = picture;
    const { first } = layout.blocks[n]!;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const pfn = first + (row + r * each) * layout.columns + column + c * each;
        const wide = Math.min(each, layout.columns - column - c * each);
        const only = this.onlyOf(picture, n, pfn, wide, each);
        if (only >= 0) {
          this.pixels[r * this.image.width + c] = palette.pixels[only]!;
          continue;
        }
        const most = this.mostOf(picture, n, pfn, wide, each);
        const place = most & 255;
        this.pixels[r * this.image.width + c] =
          most < 0 ? 0 : most >= IS_DIM ? palette.dimmed[place]! : palette.pixels[place]!;
      }
    }
  }

  /** The category of all of the dot's frames, or -1: they are of several, some are lit, or there is none. */
  private onlyOf({ categories, lit, layout }: Picture, n: number, pfn: number, wide: number, high: number): number {
    const { end } = layout.blocks[n]!;
    if (lit !== null || pfn + (high - 1) * layout.columns + wide > end) return -1;
    const only = categories[pfn]!;
    for (let r = 0; r < high; r++) {
      const from = pfn + r * layout.columns;
      for (let at = from; at < from + wide; at++) if (categories[at] !== only) return -1;
    }
    return only;
  }

  /** What most of the dot's frames are, IS_DIM more if none is lit; -1: there is no frame. */
  private mostOf({ categories, lit, layout }: Picture, n: number, pfn: number, wide: number, high: number): number {
    const { end } = layout.blocks[n]!;
    const { counts } = this;
    let best = -1;
    let most = 0;
    for (let pass = 0; pass < 2 && best < 0; pass++) {
      for (let r = 0; r < high; r++) {
        const from = pfn + r * layout.columns;
        const to = Math.min(end, from + wide);
        for (let at = from; at < to; at++) {
          if (pass === 0 && lit !== null && lit[at] === 0) continue;
          const place = categories[at]!;
          const count = counts[place]! + 1;
          counts[place] = count;
          if (count <= most) continue;
          most = count;
          best = place;
        }
      }
      for (let r = 0; r < high; r++) {
        const from = pfn + r * layout.columns;
        const to = Math.min(end, from + wide);
        for (let at = from; at < to; at++) counts[categories[at]!] = 0;
      }
      if (best >= 0) return pass === 0 ? best : best + IS_DIM;
      if (lit === null) return -1;
    }
    return best;
  }
}

const IS_DIM = 256;

function paintHeader(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  { layout, camera, zones }: Picture,
  n: number,
): void {
  const top = topOf(layout, n, camera) - HEADER;
  const bottom = top + HEADER + layout.blocks[n]!.rows * scaleOf(camera);
  if (bottom < 0 || top > height) return;
  const { name, first, end } = layout.blocks[n]!;
  const y = Math.max(0, top);
  context.fillStyle = colourOf('--bg-2');
  context.fillRect(0, y, width, HEADER - 2);
  context.fillStyle = colourOf('--ink');
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  context.fillText(
    `${name} · frames ${first.toLocaleString('en')} to ${(end - 1).toLocaleString('en')}`,
    4,
    y + HEADER / 2 - 1,
  );
  const zone = zones.find(({ startPfn }) => startPfn === first);
  if (zone !== undefined && width >= ROOM_FOR_MARKS) paintMarks(context, width - 4, y, zone);
}

/** What is free, against min, low and high; the bar ends at twice the high mark. */
function paintMarks(context: CanvasRenderingContext2D, right: number, y: number, zone: ZoneFacts): void {
  const { free, min, low, high } = zone;
  const boost = zone.boost ?? 0;
  const end = Math.max(1, 2 * (high + boost));
  const left = right - MARKS_WIDTH;
  const at = (pages: number) => left + (MARKS_WIDTH * Math.min(pages, end)) / end;
  context.fillStyle = colourOf('--bg-3');
  context.fillRect(left, y + 4, MARKS_WIDTH, HEADER - 10);
  context.fillStyle = colourOf('--p2');
  context.fillRect(left, y + 4, at(free) - left, HEADER - 10);
  context.fillStyle = colourOf('--ink');
  for (const mark of [min, low, high]) context.fillRect(at(mark + boost) - 1, y + 2, 2, HEADER - 6);
  context.textAlign = 'right';
  context.fillText(`${free.toLocaleString('en')} free`, left - 6, y + HEADER / 2 - 1);
}

function partCells(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  columns: number,
  rows: number,
  scale: number,
): void {
  context.fillStyle = colourOf('--bg');
  for (let c = 1; c <= columns; c++) context.fillRect(x + c * scale - 1, y, 1, rows * scale);
  for (let r = 1; r <= rows; r++) context.fillRect(x, y + r * scale - 1, columns * scale, 1);
}

function letter(
  context: CanvasRenderingContext2D,
  picture: Picture,
  n: number,
  row: number,
  column: number,
  rows: number,
  columns: number,
): void {
  const { categories, palette, lit, layout, camera } = picture;
  const { first, end } = layout.blocks[n]!;
  const scale = scaleOf(camera);
  const isNumbered = scale >= NUMBERED;
  const top = topOf(layout, n, camera);
  const ink = colourOf('--ink-2');
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const size = Math.min(14, scale - 4);
  for (let r = row; r < row + rows; r++) {
    for (let c = column; c < column + columns; c++) {
      const pfn = first + r * layout.columns + c;
      if (pfn >= end) return;
      const place = categories[pfn]!;
      const x = (c + 0.5) * scale - camera.x;
      const y = top + (r + (isNumbered ? 0.38 : 0.5)) * scale;
      context.fillStyle = lit === null || lit[pfn] === 1 ? palette.inks[place]! : ink;
      context.font = `${size}px system-ui, sans-serif`;
      context.fillText(palette.marks[place]!, x, y);
      if (!isNumbered) continue;
      context.font = '10px system-ui, sans-serif';
      context.fillText(String(pfn), x, top + (r + 0.75) * scale);
    }
  }
}

/** So that one frame among a million is found: a ring of two colours, larger than its cell. */
function ring(context: CanvasRenderingContext2D, { layout, camera }: Picture, pfn: number): void {
  const at = placeOf(layout, camera, pfn);
  if (at === null) return;
  const scale = scaleOf(camera);
  const radius = Math.max(8, scale * 0.75);
  for (const [colour, line] of [
    ['--bg', 5],
    ['--ink', 2.5],
  ] as const) {
    context.beginPath();
    context.arc(at.x + scale / 2, at.y + scale / 2, radius, 0, 2 * Math.PI);
    context.strokeStyle = colourOf(colour);
    context.lineWidth = line;
    context.stroke();
  }
}

function frameCursor(context: CanvasRenderingContext2D, { layout, camera }: Picture, pfn: number): void {
  const at = placeOf(layout, camera, pfn);
  if (at === null) return;
  const size = Math.max(9, scaleOf(camera) + 2);
  const off = (size - scaleOf(camera)) / 2;
  for (const [colour, line] of [
    ['--bg', 4],
    ['--focus', 2],
  ] as const) {
    context.strokeStyle = colourOf(colour);
    context.lineWidth = line;
    context.strokeRect(at.x - off, at.y - off, size, size);
  }
}
