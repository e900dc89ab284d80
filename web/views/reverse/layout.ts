/**
 * Where each node of the picture stands: in columns from left to right, or one below the other where there is no room.
 *
 * Owns      sizes and places, in CSS pixels. It knows nothing of the browser.
 * Promises  No text is wider than its box: boxes are as wide as their text, or the text is broken.
 */
import type { GraphEdge, GraphNode } from '../../../src/view/reverse_graph.ts';

export interface Box {
  readonly node: GraphNode;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly title: readonly string[];
  readonly lines: readonly string[];
  /** Where the formula stands, below the row. */
  readonly formula: { readonly x: number; readonly y: number; readonly lines: readonly string[] } | null;
}

export interface Route {
  readonly edge: GraphEdge;
  readonly path: string;
  readonly label: { readonly x: number; readonly y: number } | null;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly routes: readonly Route[];
}

/** Widths of a character: of a title, of a line. Fonts of one width differ by little. */
const TITLE_CHAR = 7.6;
const LINE_CHAR = 7;
export const TITLE_LINE = 16;
export const TEXT_LINE = 15;
const PAD = 8;
const GAP_X = 30;
const GAP_Y = 10;
/** Between frame and object, with the name of the pointer beside the arrow. */
const POINTER_Y = 38;
const DEPTH_X = 13;
const TAG_HEIGHT = 24;
/** Below this there are no columns. */
const NARROW = 760;

const isSmall = ({ kind }: GraphNode): boolean =>
  kind === 'passed' || kind === 'left-out' || kind === 'more' || kind === 'nobody';

/** Frame and object share the first column. */
const placeOf = ({ column }: GraphNode): number => Math.max(0, column - 1);

export function layOut(nodes: readonly GraphNode[], edges: readonly GraphEdge[], room: number): Layout {
  const boxes = room < NARROW ? stacked(nodes, room) : inColumns(nodes);
  const right = Math.max(...boxes.map(rightOf));
  const bottom = Math.max(
    ...boxes.map((box) =>
      box.formula === null ? box.y + box.height : box.formula.y + box.formula.lines.length * TEXT_LINE,
    ),
  );
  return {
    width: right + 2,
    height: bottom + 4,
    boxes,
    routes: edges.map((edge) => routeOf(edge, boxes[edge.from]!, boxes[edge.to]!, room < NARROW)),
  };
}

function rightOf(box: Box): number {
  const formula = Math.max(0, ...(box.formula?.lines ?? []).map((line) => line.length * LINE_CHAR));
  return Math.max(box.x + box.width, (box.formula?.x ?? 0) + formula);
}

function heightOf(node: GraphNode, titles: number, lines: number): number {
  return (isSmall(node) ? 6 : PAD) + titles * TITLE_LINE + lines * TEXT_LINE + (node.tag === null ? 0 : TAG_HEIGHT);
}

function widthOf({ title, lines, tag }: GraphNode): number {
  const word = tag === null ? 0 : (tag.pointer.length + 11 + tag.bits.length * 2) * LINE_CHAR;
  return Math.ceil(
    Math.max(title.length * TITLE_CHAR, word, ...lines.map((line) => line.length * LINE_CHAR)) + 2 * PAD,
  );
}

function inColumns(nodes: readonly GraphNode[]): Box[] {
  const widths: number[] = [];
  for (const node of nodes) {
    const place = placeOf(node);
    // What is left out may reach into the next column: nothing stands beside it.
    const wide = node.kind === 'more' || node.kind === 'left-out' || node.kind === 'passed' ? 0 : widthOf(node);
    widths[place] = Math.max(widths[place] ?? 0, node.depth * DEPTH_X + wide);
  }
  const lefts: number[] = [];
  let x = 1;
  for (let place = 0; place < widths.length; place++) {
    lefts[place] = x;
    if (widths[place] !== undefined) x += widths[place]! + GAP_X;
  }
  const boxes: Box[] = [];
  let first = 1;
  let top = 1;
  let rowEnd = 1;
  let before = -1;
  for (const node of nodes) {
    const place = placeOf(node);
    const height = heightOf(node, 1, node.lines.length);
    const left = lefts[place]! + node.depth * DEPTH_X;
    const width = isSmall(node) ? widthOf(node) : Math.max(widthOf(node), widths[place]! - node.depth * DEPTH_X);
    if (place === 0) {
      boxes[node.id] = box(node, left, first, widths[0]!, height);
      first += height + POINTER_Y;
      continue;
    }
    if (place <= before) top = rowEnd;
    before = place;
    const lines = node.formula === null ? null : { x: left, y: top + height + 1, lines: [node.formula] };
    boxes[node.id] = { ...box(node, left, top, width, height), formula: lines };
    rowEnd = Math.max(rowEnd, top + height + (lines === null ? 0 : TEXT_LINE + 2) + GAP_Y);
  }
  return boxes;
}

function box(node: GraphNode, x: number, y: number, width: number, height: number): Box {
  return { node, x, y, width, height, title: [node.title], lines: node.lines, formula: null };
}

/** One below the other, indented: for a telephone. */
function stacked(nodes: readonly GraphNode[], room: number): Box[] {
  const boxes: Box[] = [];
  let y = 1;
  let inset = 0;
  for (const node of nodes) {
    // What hangs on a node of a tree stands further in than the node.
    if (node.column <= 2) inset = Math.min(node.depth, 5) * 10;
    const x = 1 + placeOf(node) * 12 + (node.column > 1 ? 8 : 0) + inset + (node.column === 1 ? 10 : 0);
    const width = Math.max(120, room - x - 3);
    const fitted = (text: string, char: number): string[] => broken(text, Math.floor((width - 2 * PAD) / char));
    const title = fitted(node.title, TITLE_CHAR);
    const formula = node.formula === null ? [] : fitted(node.formula, LINE_CHAR);
    const lines = [...node.lines, ...formula].flatMap((line) => fitted(line, LINE_CHAR));
    const height = heightOf(node, title.length, lines.length);
    boxes[node.id] = { node, x, y, width, height, title, lines, formula: null };
    y += height + GAP_Y;
  }
  return boxes;
}

/** At spaces where there are any. */
function broken(text: string, most: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > most) {
    const space = rest.lastIndexOf(' ', most);
    const end = space > most / 3 ? space : most;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

function routeOf(edge: GraphEdge, from: Box, to: Box, narrow: boolean): Route {
  const toY = to.y + Math.min(to.height / 2, 18);
  const isBelow = narrow || placeOf(from.node) === placeOf(to.node);
  if (!isBelow) {
    const [x1, y1, x2] = [from.x + from.width, from.y + Math.min(from.height / 2, 18), to.x];
    const turn = y1 === toY ? '' : `H${x2 - GAP_X / 2}V${toY}`;
    return { edge, path: `M${x1} ${y1}${turn}H${x2 - 3}`, label: null };
  }
  // In one column: down (or up) at the left, then to the box; to one that stands no further in, straight down.
  const isUp = to.y < from.y;
  const startY = isUp ? from.y : from.y + from.height;
  if (to.x > from.x + 4) {
    const x = from.x + (narrow ? 3 : 8);
    return { edge, path: `M${x} ${startY}V${toY}H${to.x - 2}`, label: null };
  }
  const x = from.x + 22;
  const endY = isUp ? to.y + to.height + 3 : to.y - 3;
  return { edge, path: `M${x} ${startY}V${endY}`, label: placeOf(from.node) === 0 ? { x: x + 8, y: to.y - 14 } : null };
}
