/**
 * The first difference as a picture: the calls that led to it, and what kernel and engine show there, side by side.
 *
 * Owns      the layout: plain text, at most 100 columns; a row in which the two differ starts with `>`.
 * Promises  What both agreed on before the call stands beside, so that a reader sees who changed it.
 *
 *      11  1 store(0x100000000000, 4096)                                   1
 *   >  12  2 mprotect(0x100000000000, 4096, PROT_READ)                     0
 *
 *   process 2, page 0 (100000000000), in 100000000000-100000004000 r--p
 *                         before the call   kernel            engine
 *     state               present           present           present
 *   > anon_exclusive      yes               -                 yes
 */
import { CORE_FLAGS, type Comparison, OP_FIELDS, type Scene, stateName, VMA_KIB, VMA_TEXT } from './compare.ts';
import {
  expandRuns,
  type FullSnap,
  isSnap,
  type OpRecord,
  type PageState,
  type Recording,
  type VmaRecord,
} from './recording.ts';

const WIDTH = 100;
const CALLS_BEFORE = 3;
const CALL_COLUMNS = 68;
const SIDE_COLUMNS = 45;
const NAME_COLUMNS = 28;
const CELL_COLUMNS = 23;
/** Regions shown on both sides of the one that matters. */
const REGIONS_AROUND = 4;
const LETTERS_A_ROW = 64;
const ARENA_START = 0x100000000000;
const PAGE = 4096;
const PLACES_SHOWN = 6;

/** A row of a table: what it is, and its cells. */
interface Row {
  readonly name: string;
  readonly before: string;
  readonly kernel: string;
  readonly engine: string;
  /** Without it, the last two cells say it. */
  readonly differs?: boolean;
}

/** Empty if nothing differs. */
export function drawScene(comparison: Comparison, kernel: Recording, engine: Recording): string {
  const { first, scene } = comparison;
  if (first === null) return '';
  const row = scene === null ? kernel.lines.length - 1 : scene.line;
  const lines = callLines(kernel, engine, row);
  if (first.field === 'engine') lines.push('', ...wrapped(`the engine broke off: ${first.engine}`));
  else if (scene !== null) lines.push('', ...placeLines(comparison, scene, kernel, engine));
  return lines.map((line) => line.trimEnd()).join('\n');
}

function placeLines(comparison: Comparison, scene: Scene, kernel: Recording, engine: Recording): string[] {
  const { place } = scene;
  const first = comparison.first!;
  switch (place.kind) {
    case 'call':
      return callFields(scene, kernel, engine);
    case 'regions':
      return regionLists(place.proc, vmasOf(scene.kernel, place.proc), vmasOf(scene.engine, place.proc));
    case 'region':
      return regionTable(place.proc, place.row, scene);
    case 'page':
      return pageTable(place.proc, place.page, first.field, scene);
    case 'file':
      return fileLines(place.name, scene);
    default:
      return [first.field, ...wrapped(`> kernel  ${first.kernel}`), ...wrapped(`> engine  ${first.engine}`)];
  }
}

// calls

/** The call of the line, marked, and a few before it. */
function callLines(kernel: Recording, engine: Recording, row: number): string[] {
  const calls: OpRecord[] = [];
  for (const line of kernel.lines.slice(0, row + 1)) if (!isSnap(line)) calls.push(line);
  const own = calls.at(-1);
  const lines = calls.slice(-1 - CALLS_BEFORE).map((op) => {
    const head = `${op === own ? '>' : ' '} ${String(op.op).padStart(5)}  ${fitted(op.call, CALL_COLUMNS)}`;
    return `${head} ${resultText(op)}`;
  });
  const theirs = engine.lines.find((line): line is OpRecord => !isSnap(line) && line.op === own?.op);
  if (theirs !== undefined && theirs.call !== own?.call) lines.push(`  the program now says: ${theirs.call}`);
  return lines;
}

function resultText(op: OpRecord): string {
  const end = op.err ?? op.sig ?? (op.exit ? 'exit' : op.died ? 'died' : op.skipped ? 'skipped' : undefined);
  return `${op.ret ?? ''}${end === undefined ? '' : ` ${end}`}`.trimStart();
}

/** What the call answered, and the address space that it met. */
function callFields(scene: Scene, kernel: Recording, engine: Recording): string[] {
  const want = kernel.lines[scene.line] as OpRecord;
  const got = engine.lines[scene.line] as OpRecord;
  const text = (value: unknown): string => (value === undefined ? '' : String(value));
  const rows = OP_FIELDS.filter((name) => want[name] !== undefined || got[name] !== undefined).map((name) => {
    return { name, before: '', kernel: text(want[name]), engine: text(got[name]) };
  });
  const lines = ['the call', ...table(rows, false)];
  const vmas = vmasOf(scene.before, String(want.proc));
  if (vmas.length === 0) return lines;
  const address = Number(/0x[0-9a-f]+/.exec(want.call)?.[0] ?? ARENA_START);
  const at = vmas.findIndex((vma) => Number(vma['end']) > address);
  return [...lines, '', `process ${want.proc} at the last snapshot`, ...around(vmas.map(vmaText), at, '  ')];
}

// regions

interface Pair {
  readonly left: VmaRecord | undefined;
  readonly right: VmaRecord | undefined;
}

/** Both lists, regions that start together in one row. */
function regionLists(proc: string, kernel: readonly VmaRecord[], engine: readonly VmaRecord[]): string[] {
  const pairs: Pair[] = [];
  for (let i = 0, k = 0; i < kernel.length || k < engine.length; ) {
    const left = Number(kernel[i]?.['start'] ?? Number.POSITIVE_INFINITY);
    const right = Number(engine[k]?.['start'] ?? Number.POSITIVE_INFINITY);
    pairs.push({ left: left <= right ? kernel[i++] : undefined, right: right <= left ? engine[k++] : undefined });
  }
  const text = (vma: VmaRecord | undefined): string => (vma === undefined ? '' : vmaText(vma));
  const rows = pairs.map(({ left, right }) => {
    const same = left?.['end'] === right?.['end'] && left !== undefined && right !== undefined;
    return `${same ? ' ' : '>'} ${fitted(text(left), SIDE_COLUMNS)} | ${fitted(text(right), SIDE_COLUMNS)}`;
  });
  const at = rows.findIndex((row) => row.startsWith('>'));
  const title = `process ${proc}: the kernel has ${regions(kernel.length)}, the engine ${regions(engine.length)}`;
  return [title, `  ${'kernel'.padEnd(SIDE_COLUMNS)} | engine`, ...around(rows, at, '')];
}

function regions(n: number): string {
  return `${n} region${n === 1 ? '' : 's'}`;
}

/** `100000000000-100000004000 rw-p file:A+3000`. */
function vmaText(vma: VmaRecord): string {
  const offset = Number(vma['offset']) > 0 ? `+${Number(vma['offset']).toString(16)}` : '';
  return `${rangeText(vma)} ${vma['perms']} ${vma['name']}${offset}`;
}

function rangeText(vma: VmaRecord): string {
  return `${vma['start']}-${vma['end']}`.replaceAll('0x', '');
}

/** Rows near `at`, and how many there are beyond. */
function around(rows: readonly string[], at: number, indent: string): string[] {
  const from = Math.max(0, Math.max(0, at) - REGIONS_AROUND);
  const to = Math.min(rows.length, Math.max(0, at) + 2 * REGIONS_AROUND);
  const lines = rows.slice(from, to).map((row) => indent + row);
  if (from > 0) lines.unshift(`  … ${from} before`);
  if (to < rows.length) lines.push(`  … ${rows.length - to} more`);
  return lines;
}

/** Every field of a region that somebody has. */
function regionTable(proc: string, row: number, scene: Scene): string[] {
  const want = vmasOf(scene.kernel, proc)[row]!;
  const got = vmasOf(scene.engine, proc)[row]!;
  const was = vmasOf(scene.before, proc).find((vma) => contains(vma, Number(want['start'])));
  const rows: Row[] = [];
  for (const name of [...VMA_TEXT.slice(2), ...VMA_KIB]) {
    const text = (vma: VmaRecord | undefined): string => String(vma?.[name] ?? '');
    const cells = { before: text(was), kernel: text(want), engine: text(got) };
    if (name === 'VmFlags') rows.push({ name, ...aligned(cells) });
    else if (cells.before !== '' || cells.kernel !== '' || cells.engine !== '') rows.push({ name, ...cells });
  }
  const title = [`process ${proc}, ${vmaText(want)}`];
  if (was !== undefined && rangeText(was) !== rangeText(want)) title.push(`  before the call: ${vmaText(was)}`);
  return [...title, ...table(rows, true)];
}

function contains(vma: VmaRecord, address: number): boolean {
  return Number(vma['start']) <= address && address < Number(vma['end']);
}

/** Codes under each other, `--` where one is missing. */
function aligned(cells: { before: string; kernel: string; engine: string }): typeof cells {
  const lists = [cells.before, cells.kernel, cells.engine].map((text) => text.split(' ').filter((code) => code !== ''));
  const codes: string[] = [];
  for (const list of lists) {
    let at = 0;
    for (const code of list) {
      const known = codes.indexOf(code);
      if (known < 0) codes.splice(at, 0, code);
      at = (known < 0 ? at : known) + 1;
    }
  }
  const [before = '', kernel = '', engine = ''] = lists.map((list) =>
    list.length === 0 ? '' : codes.map((code) => (list.includes(code) ? code : '--')).join(' '),
  );
  return { before, kernel, engine };
}

// pages

function pageTable(proc: string, page: number, field: string, scene: Scene): string[] {
  const was = pageOf(scene.before, proc, page);
  const want = pageOf(scene.kernel, proc, page);
  const got = pageOf(scene.engine, proc, page);
  const row = (name: string, of: (state: PageState) => string): Row => {
    const text = (state: PageState | undefined): string => (state === undefined ? '' : of(state));
    return { name, before: text(was), kernel: text(want), engine: text(got) };
  };
  const state = (p: PageState | undefined): string => (p === undefined ? 'none' : stateName(p.id));
  const rows: Row[] = [
    { name: 'state', before: state(was), kernel: state(want), engine: state(got) },
    // Names of frames are each side's own: they differ in a way that matters only where the comparison says so.
    { ...row('id', (p) => p.id), differs: field === 'id' },
    row('mapcount', (p) => String(p.mapcount)),
    row('pm', (p) => p.pm),
  ];
  const flags = [was, want, got].flatMap((p) => (p?.flags ?? '').split('|').filter((flag) => flag !== ''));
  for (const flag of new Set(flags)) {
    const cell = row(flag, (p) => (p.flags.split('|').includes(flag) ? 'yes' : '-'));
    rows.push(CORE_FLAGS.has(flag) ? cell : { ...cell, name: `${flag} (not compared)`, differs: false });
  }
  const vma = vmasOf(scene.kernel, proc).find((v) => contains(v, ARENA_START + page * PAGE));
  const region = vma === undefined ? '' : `, in ${vmaText(vma)}`;
  const title = `process ${proc}, page ${page} (${(ARENA_START + page * PAGE).toString(16)})${region}`;
  return [title, ...table(rows, true), ...whereElse(want, got, scene)];
}

/** Who else has the same frame or slot, on each side. */
function whereElse(want: PageState | undefined, got: PageState | undefined, scene: Scene): string[] {
  const lines: string[] = [];
  for (const [side, state, snap] of [
    ['kernel', want, scene.kernel],
    ['engine', got, scene.engine],
  ] as const) {
    if (state === undefined || snap === null || !/^[fs]/.test(state.id)) continue;
    const places: string[] = [];
    for (const [label, proc] of snap.procs) {
      for (const [page, other] of expandRuns(proc.pages))
        if (other.id === state.id) places.push(`page ${page} of process ${label}`);
    }
    const more = places.length > PLACES_SHOWN ? ` and ${places.length - PLACES_SHOWN} more` : '';
    lines.push(...wrapped(`  the ${side}'s ${state.id} is ${places.slice(0, PLACES_SHOWN).join(', ')}${more}`));
  }
  return lines;
}

function pageOf(snap: FullSnap | null, proc: string, page: number): PageState | undefined {
  return expandRuns(snap?.procs.get(proc)?.pages ?? []).get(page);
}

function vmasOf(snap: FullSnap | null, proc: string): readonly VmaRecord[] {
  return snap?.procs.get(proc)?.vmas ?? [];
}

// files

/** Letters from the row in which the first one differs, with a mark under each that does. */
function fileLines(name: string, scene: Scene): string[] {
  const of = (snap: FullSnap | null) => snap?.files.get(name) ?? snap?.files.get(`memfd:${name}`);
  const was = of(scene.before);
  const want = of(scene.kernel);
  const got = of(scene.engine);
  const letters = [was?.cache ?? '', want?.cache ?? '', got?.cache ?? ''] as const;
  const [, kernel, engine] = letters;
  let at = 0;
  while (at < kernel.length && kernel[at] === engine[at]) at += 1;
  const from = Math.floor(at / LETTERS_A_ROW) * LETTERS_A_ROW;
  const row = (text: string): string => text.slice(from, from + LETTERS_A_ROW);
  const marks = [...row(kernel)].map((letter, i) => (letter === row(engine)[i] ? ' ' : '^')).join('');
  const text = (size: number | undefined): string => (size === undefined ? '' : String(size));
  return [
    `file ${name}, letters from page ${from} (. not cached, e evicted, c clean, d dirty, w under writeback)`,
    ...table([{ name: 'size', before: text(was?.size), kernel: text(want?.size), engine: text(got?.size) }], true),
    `  before  ${row(letters[0])}`,
    `  kernel  ${row(kernel)}`,
    `  engine  ${row(engine)}`,
    `          ${marks}`,
  ];
}

// tables

/** Cells beside each other, or below each other where one is long. */
function table(rows: readonly Row[], before: boolean): string[] {
  const lines = [`  ${tableLine('', before, 'before the call', 'kernel', 'engine')}`];
  for (const row of rows) {
    const mark = (row.differs ?? row.kernel !== row.engine) ? '>' : ' ';
    if (Math.max(row.before.length, row.kernel.length, row.engine.length) < CELL_COLUMNS) {
      lines.push(`${mark} ${tableLine(row.name, before, row.before, row.kernel, row.engine)}`);
      continue;
    }
    if (before && row.before !== '') lines.push(...wrapped(`  ${row.name}, before  ${row.before}`));
    lines.push(...wrapped(`${mark} ${row.name}, kernel  ${row.kernel}`));
    lines.push(...wrapped(`${mark} ${row.name}, engine  ${row.engine}`));
  }
  return lines;
}

function tableLine(name: string, before: boolean, was: string, kernel: string, engine: string): string {
  const cells = before ? [was, kernel, engine] : [kernel, engine];
  return name.padEnd(NAME_COLUMNS) + cells.map((cell) => (cell === '' ? '-' : cell).padEnd(CELL_COLUMNS)).join('');
}

function fitted(text: string, columns: number): string {
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text.padEnd(columns);
}

/** Broken where the page ends; what goes on stands further in. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let rest = text.replaceAll('\n', ' ');
  while (rest.length > WIDTH) {
    const blank = rest.lastIndexOf(' ', WIDTH);
    const cut = blank > WIDTH / 2 ? blank : WIDTH;
    lines.push(rest.slice(0, cut));
    rest = `    ${rest.slice(cut).trimStart()}`;
  }
  return [...lines, rest];
}
