/**
 * Recordings of memory programs (`.rec`, format 1): what a kernel, or the engine, did with one.
 *
 * Owns      the shape of the lines, and how pages are put into runs and taken out again.
 * Promises  A damaged recording is refused with its file, line and reason.
 */
import { InputError } from '../../mm/bug.ts';

export interface RecordingHeader {
  readonly rec: 1;
  readonly program: string;
  readonly kernel: string;
  readonly arch: string;
  readonly page: number;
  readonly arena: readonly [start: string, end: string];
  readonly uid: number;
}

/** cachestat(2) came with 6.5: before it, a file's letters are `c` and `.`, from mincore. */
export function hasCachestat(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 5);
}

export interface OpRecord {
  readonly op: number;
  readonly proc: number;
  readonly call: string;
  readonly ret: number | string | null;
  readonly err?: string;
  readonly vec?: string;
  readonly sig?: string;
  readonly code?: string;
  readonly addr?: string;
  readonly exit?: true;
  readonly died?: true;
  readonly skipped?: true;
  readonly minflt?: number;
  readonly majflt?: number;
}

/** `start end perms offset name`, the numbers of smaps that are not 0, `VmFlags`. */
export type VmaRecord = Readonly<Record<string, string | number>>;
/** Pages from `page`, all alike; their IDs count up. `id` is `f7`, `s2`, `z` or `m`. */
export type PageRun = readonly [page: number, pages: number, id: string, mapcount: number, flags: string, pm: string];

export interface ProcRecord {
  readonly vmas: readonly VmaRecord[];
  readonly pages: readonly PageRun[];
}

export interface FileRecord {
  readonly size: number;
  readonly cache: string;
}

export interface SnapRecord {
  readonly snap: number;
  readonly procs: Readonly<Record<string, ProcRecord | '='>>;
  readonly files: Readonly<Record<string, FileRecord>> | '=';
}

export type RecordingLine = OpRecord | SnapRecord;

export interface Recording {
  readonly header: RecordingHeader;
  readonly lines: readonly RecordingLine[];
}

export function isSnap(line: RecordingLine): line is SnapRecord {
  return 'snap' in line;
}

export function parseRecording(text: string, file: string): Recording {
  const lines: RecordingLine[] = [];
  let header: RecordingHeader | null = null;
  let before: FullSnap | null = null;
  for (const [i, row] of text.split('\n').entries()) {
    if (row.trim() === '') continue;
    const line = parsedRow(row, file, i + 1);
    if (header === null) {
      if (line['rec'] !== 1) throw new InputError(file, i + 1, 'a recording starts with {"rec":1,…}');
      if (typeof line['kernel'] !== 'string') throw new InputError(file, i + 1, 'the header names no kernel');
      header = line as unknown as RecordingHeader;
      continue;
    }
    const kinds = Number('op' in line) + Number('snap' in line);
    const damage = kinds !== 1 ? NO_KIND : 'op' in line ? damageOfOp(line) : damageOfSnap(line, before);
    if (damage !== null) throw new InputError(file, i + 1, damage);
    const good = line as unknown as RecordingLine;
    lines.push(good);
    if (isSnap(good)) before = fullSnap(good, before);
  }
  if (header === null) throw new InputError(file, 1, 'the recording is empty');
  return { header, lines };
}

const NO_KIND = 'neither an op nor a snap, or both';

/** Of a snapshot, all processes together; 4 GiB. Whoever compares has each of them in memory. */
const MOST_PAGES = 2 ** 20;

/** What is wrong with the line, or null. */
function damageOfOp(line: Record<string, unknown>): string | null {
  if (typeof line['op'] !== 'number') return 'op is no number';
  if (typeof line['call'] !== 'string') return `op ${line['op']} has no call`;
  return isFlat(line) ? null : `op ${line['op']} has a list in it`;
}

function damageOfSnap(line: Record<string, unknown>, before: FullSnap | null): string | null {
  const { snap, procs, files } = line;
  if (typeof snap !== 'number') return 'snap is no number';
  if (!isObject(procs)) return `snap ${snap} has no procs`;
  let pages = 0;
  for (const [label, proc] of Object.entries(procs)) {
    if (proc === '=' && before?.procs.has(label)) continue;
    if (proc === '=') return `process ${label} is "=", and nothing stands before it`;
    if (!isObject(proc) || !Array.isArray(proc['vmas'])) return `process ${label} has no vmas`;
    if (!proc['vmas'].every(isVma)) return `process ${label}: a region has no start and end`;
    if (!Array.isArray(proc['pages']) || !proc['pages'].every(isRun)) return `process ${label}: pages are no runs`;
    for (const [, count] of proc['pages']) pages += count;
  }
  if (pages > MOST_PAGES) return `snap ${snap} has ${pages} pages; ${MOST_PAGES} are the most`;
  if (files === '=') return before === null ? 'files is "=", and nothing stands before it' : null;
  if (!isObject(files)) return `snap ${snap} has no files`;
  const good = Object.values(files).every((f) => isObject(f) && typeof f['cache'] === 'string' && isFlat(f));
  return good ? null : 'a file has no cache';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Its values are no lists and no objects. */
function isFlat(object: Record<string, unknown>): boolean {
  return Object.values(object).every((value) => typeof value !== 'object' || value === null);
}

function isVma(value: unknown): value is VmaRecord {
  if (!isObject(value) || !isFlat(value)) return false;
  const { start, end } = value;
  return isAddress(start) && isAddress(end) && Number(start) < Number(end);
}

function isAddress(value: unknown): boolean {
  return typeof value === 'string' && /^0x[0-9a-f]{1,16}$/.test(value);
}

function isRun(value: unknown): value is PageRun {
  if (!Array.isArray(value) || value.length !== 6) return false;
  const [page, pages, id, mapcount, flags, pm] = value;
  const numbers = Number.isSafeInteger(page) && Number.isSafeInteger(pages) && pages > 0 && Number.isInteger(mapcount);
  return numbers && /^(?:[fs]\d{1,15}|z|m)$/.test(id) && typeof flags === 'string' && typeof pm === 'string';
}

/** As a file: a line each, the last one ended too. */
export function recordingText(recording: Recording): string {
  const rows = [recording.header, ...recording.lines].map((line) => JSON.stringify(line));
  return `${rows.join('\n')}\n`;
}

function parsedRow(row: string, file: string, line: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(row);
  } catch (error) {
    throw new InputError(file, line, `no JSON: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw new InputError(file, line, 'no JSON object');
  return value;
}

/** Whether two PROCs say the same. */
export function sameProc(a: ProcRecord, b: ProcRecord): boolean {
  return a.vmas.length === b.vmas.length && a.pages.length === b.pages.length && sameRows(a, b);
}

function sameRows(a: ProcRecord, b: ProcRecord): boolean {
  return (
    a.pages.every((run, i) => run.every((value, k) => value === b.pages[i]![k])) &&
    a.vmas.every((vma, i) => sameVma(vma, b.vmas[i]!))
  );
}

function sameVma(a: VmaRecord, b: VmaRecord): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** One page of a run. */
export interface PageState {
  readonly id: string;
  readonly mapcount: number;
  readonly flags: string;
  readonly pm: string;
}

/** Page by page, from the start of the arena. */
export function expandRuns(runs: readonly PageRun[]): Map<number, PageState> {
  const pages = new Map<number, PageState>();
  for (const [page, count, id, mapcount, flags, pm] of runs) {
    for (let i = 0; i < count; i++) pages.set(page + i, { id: idAfter(id, i), mapcount, flags, pm });
  }
  return pages;
}

/** Appends a page to runs, in the last of them if it goes on there. */
export function addPage(runs: PageRun[], page: number, state: PageState): void {
  const last = runs.at(-1);
  if (
    last !== undefined &&
    page === last[0] + last[1] &&
    state.id === idAfter(last[2], last[1]) &&
    state.mapcount === last[3] &&
    state.flags === last[4] &&
    state.pm === last[5]
  ) {
    runs[runs.length - 1] = [last[0], last[1] + 1, last[2], last[3], last[4], last[5]];
  } else runs.push([page, 1, state.id, state.mapcount, state.flags, state.pm]);
}

/** Goes through runs page by page, or by many pages at a time. */
export class RunReader {
  private readonly runs: readonly PageRun[];
  private i = 0;
  private done = 0;

  constructor(runs: readonly PageRun[]) {
    this.runs = runs;
  }

  get atEnd(): boolean {
    return this.i >= this.runs.length;
  }
  /** Behind the last page: infinity. */
  get page(): number {
    return this.atEnd ? Number.POSITIVE_INFINITY : this.runs[this.i]![0] + this.done;
  }
  /** Pages of this run from here to its end. */
  get left(): number {
    return this.runs[this.i]![1] - this.done;
  }
  get run(): PageRun {
    return this.runs[this.i]!;
  }
  /** The ID `steps` pages behind this one. */
  id(steps: number): string {
    return idAfter(this.run[2], this.done + steps);
  }
  /** Not over the end of the run. */
  skip(pages: number): void {
    this.done += pages;
    if (this.done < this.runs[this.i]![1]) return;
    this.i += 1;
    this.done = 0;
  }
}

/** The ID `steps` pages behind; the zero page and markers are all alike. */
function idAfter(id: string, steps: number): string {
  const kind = id[0]!;
  return kind === 'f' || kind === 's' ? `${kind}${Number(id.slice(1)) + steps}` : id;
}

/** A snapshot's processes and files with every `"="` replaced by what it stands for. */
export interface FullSnap {
  readonly snap: number;
  readonly procs: ReadonlyMap<string, ProcRecord>;
  readonly files: ReadonlyMap<string, FileRecord>;
}

export function fullSnap(line: SnapRecord, before: FullSnap | null): FullSnap {
  const procs = new Map<string, ProcRecord>();
  for (const [label, proc] of Object.entries(line.procs)) {
    const full = proc === '=' ? before?.procs.get(label) : proc;
    if (full !== undefined) procs.set(label, full);
  }
  const files =
    line.files === '=' ? (before?.files ?? new Map<string, FileRecord>()) : new Map(Object.entries(line.files));
  return { snap: line.snap, procs, files };
}
