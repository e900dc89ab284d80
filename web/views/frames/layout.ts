/**
 * Where each frame is in the picture: row by row within its zone, zones one below the other.
 *
 *   ┌ Normal · frames 4096 to 98303 ──────────┐  HEADER pixels, whatever the zoom
 *   │ 4096 4097 4098 …            `columns`   │  a frame is `scale` pixels wide and high; below 1 several frames share a dot
 *
 * Promises  1. Each frame of a zone has one cell, and each cell at most one frame.
 *           2. The smallest zoom shows everything, as large as it fits.
 *           3. The window is as high as what there is to see, and no higher than it may be.
 */
import type { ZoneSpan } from '../../../src/view/frames_source.ts';

/** Pixels above each zone, for its name. */
export const HEADER = 20;
/** Rows begin where blocks of 32 frames do. */
const LEAST_COLUMNS = 32;
/** Pixels of a frame; a dot of n × n frames below 1. Whole numbers, so that no frame is drawn wider than its neighbour. */
export const SCALES: readonly number[] = [
  ...[16, 12, 8, 6, 5, 4, 3, 2].map((frames) => 1 / frames),
  ...[1, 2, 3, 4, 5, 6, 8, 10, 14, 18, 24, 32, 44],
];

export interface Block extends ZoneSpan {
  /** Rows of all zones above. */
  readonly rowsAbove: number;
  readonly rows: number;
}

export interface Layout {
  readonly columns: number;
  readonly blocks: readonly Block[];
  readonly rows: number;
  /** Place in SCALES at which all of it is seen. */
  readonly fit: number;
}

export interface Camera {
  /** Place in SCALES. */
  readonly zoom: number;
  /** Pixels of the picture to the left of and above the window. */
  readonly x: number;
  readonly y: number;
}

export function layoutOf(zones: readonly ZoneSpan[], width: number, mostHeight: number): Layout {
  for (let fit = SCALES.length - 1; ; fit--) {
    const scale = SCALES[fit]!;
    const columns = Math.max(LEAST_COLUMNS, Math.floor(width / scale / LEAST_COLUMNS) * LEAST_COLUMNS);
    const blocks: Block[] = [];
    let rows = 0;
    for (const zone of zones) {
      const mine = Math.ceil((zone.end - zone.first) / columns);
      blocks.push({ ...zone, rowsAbove: rows, rows: mine });
      rows += mine;
    }
    const isSeen = columns * scale <= width && pictureHeight({ rows, blocks }, scale) <= mostHeight;
    if (isSeen || fit === 0) return { columns, blocks, rows, fit };
  }
}

/** Of the whole picture at a zoom. */
function pictureHeight({ rows, blocks }: Pick<Layout, 'rows' | 'blocks'>, scale: number): number {
  return Math.ceil(rows * scale) + blocks.length * HEADER;
}

/** Of the window. */
export function heightOf(layout: Layout, camera: Camera, mostHeight: number): number {
  return Math.min(pictureHeight(layout, scaleOf(camera)), mostHeight);
}

export function scaleOf({ zoom }: Camera): number {
  return SCALES[zoom]!;
}

/** The first pixel of a zone's frames, seen from the window. */
export function topOf({ blocks }: Layout, n: number, camera: Camera): number {
  return (n + 1) * HEADER + blocks[n]!.rowsAbove * scaleOf(camera) - camera.y;
}

/** Where the frame's cell begins in the window; null: no zone has it. */
export function placeOf(layout: Layout, camera: Camera, pfn: number): { x: number; y: number } | null {
  const n = layout.blocks.findIndex(({ first, end }) => pfn >= first && pfn < end);
  if (n < 0) return null;
  const at = pfn - layout.blocks[n]!.first;
  const scale = scaleOf(camera);
  return {
    x: (at % layout.columns) * scale - camera.x,
    y: topOf(layout, n, camera) + Math.floor(at / layout.columns) * scale,
  };
}

/** The frame at a pixel of the window; null: none is there. */
export function frameAt(layout: Layout, camera: Camera, x: number, y: number): number | null {
  const scale = scaleOf(camera);
  const column = Math.floor((x + camera.x) / scale);
  if (column < 0 || column >= layout.columns) return null;
  for (const [n, { first, end, rows }] of layout.blocks.entries()) {
    const row = Math.floor((y - topOf(layout, n, camera)) / scale);
    if (row < 0 || row >= rows) continue;
    const pfn = first + row * layout.columns + column;
    return pfn < end ? pfn : null;
  }
  return null;
}

/** The frame that many columns and rows away; the nearest there is at the ends. */
export function frameBeside({ columns, blocks }: Layout, pfn: number, right: number, down: number): number {
  const last = blocks.at(-1);
  if (last === undefined) return pfn;
  const to = pfn + right + down * columns;
  return Math.min(Math.max(to, blocks[0]!.first), last.end - 1);
}

/** As near as the picture allows: it never leaves the window while it is larger, and never moves while it is smaller. */
export function clamped(layout: Layout, camera: Camera, width: number, mostHeight: number): Camera {
  const zoom = Math.min(Math.max(camera.zoom, layout.fit), SCALES.length - 1);
  const scale = SCALES[zoom]!;
  const mostX = Math.max(0, layout.columns * scale - width);
  const mostY = Math.max(0, pictureHeight(layout, scale) - mostHeight);
  return {
    zoom,
    x: Math.round(Math.min(Math.max(camera.x, 0), mostX)),
    y: Math.round(Math.min(Math.max(camera.y, 0), mostY)),
  };
}

/** Another zoom, with the frame at (x, y) staying where it is. */
export function zoomed(layout: Layout, camera: Camera, by: number, x: number, y: number): Camera {
  const zoom = Math.min(Math.max(camera.zoom + by, layout.fit), SCALES.length - 1);
  const pfn = frameAt(layout, camera, x, y);
  const factor = SCALES[zoom]! / scaleOf(camera);
  const wanted = { zoom, x: (camera.x + x) * factor - x, y: (camera.y + y) * factor - y };
  return pfn === null ? wanted : centred(layout, wanted, pfn, x, y);
}

/** The frame in the middle of (x, y). */
export function centred(layout: Layout, camera: Camera, pfn: number, x: number, y: number): Camera {
  const at = placeOf(layout, camera, pfn);
  if (at === null) return camera;
  const half = scaleOf(camera) / 2;
  return { ...camera, x: camera.x + at.x + half - x, y: camera.y + at.y + half - y };
}

/** Moved as little as it takes to see the frame. */
export function showing(layout: Layout, camera: Camera, pfn: number, width: number, height: number): Camera {
  const at = placeOf(layout, camera, pfn);
  if (at === null) return camera;
  const scale = scaleOf(camera);
  const over = (from: number, size: number) => Math.min(0, from) + Math.max(0, from + scale - size);
  return { ...camera, x: camera.x + over(at.x, width), y: camera.y + over(at.y, height) };
}

/** So near one looks (a place in SCALES), and at which frame in the middle; null: at all of it. */
export function nearOf(
  layout: Layout,
  camera: Camera,
  width: number,
  height: number,
): readonly [number, number] | null {
  if (camera.zoom === layout.fit) return null;
  const at = (y: number): number | null => frameAt(layout, camera, width / 2, y);
  // The name of a zone may stand in the middle.
  const pfn = at(height / 2) ?? at(height / 2 + HEADER);
  return pfn === null ? null : [camera.zoom, pfn];
}

export function cameraNear(
  layout: Layout,
  near: readonly [number, number] | null,
  width: number,
  height: number,
): Camera {
  const [zoom, pfn] = near ?? [layout.fit, 0];
  const whole = { zoom: Math.min(zoom, SCALES.length - 1), x: 0, y: 0 };
  return clamped(layout, centred(layout, whole, pfn, width / 2, height / 2), width, height);
}
