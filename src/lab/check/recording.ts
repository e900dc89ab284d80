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
  for (const [i, row] of text.split('\n').entries()) {
    if (row.trim() === '') continue;
    const line = parsedRow(row, file, i + 1);
    if (header === null) {
      if (line['rec'] !== 1) throw new InputError(file, i + 1, 'a recording starts with {"rec":1,…}');
      header = line as unknown as RecordingHeader;
    } else if ('op' in line || 'snap' in line) lines.push(line as unknown as RecordingLine);
    else throw new InputError(file, i + 1, 'neither an op nor a snap');
  }
  if (header === null) throw new InputError(file, 1, 'the recording is empty');
  return { header, lines };
}

function parsedRow(row: string, file: string, line: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(row);
  } catch (error) {
    throw new InputError(file, line, `no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError(file, line, 'no JSON object');
  return value as Record<string, unknown>;
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
