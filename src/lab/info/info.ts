/**
 * What is in a recording: the answer of `revmap info`.
 *
 * Owns      the shape of that answer, and the working sets in it.
 * Promises  1. Every count is of the recording alone: nothing is replayed and nothing is guessed at.
 *           2. A working set is exact for windows that begin at a multiple of their length.
 */
import type { Recording } from '../../trace/source.ts';
import { syscallName } from '../../trace/x86_64.ts';
import { type ObservedProcess, Observer } from './observe.ts';
import type { MappingKind } from './spaces.ts';
import type { TouchedPages } from './touched.ts';

const PAGE = 4096;
/** Rows of the picture. */
const PICTURE_ROWS = 24;
/** Behind a gap of so many pages a new row begins, if the one before has such a share of a row's pages. */
const WIDE_GAP = 256;
const LEAST_ROW = 1 / 4;

export interface InfoResult {
  file: string;
  /** 1 or 2 for a recording; others are shown as what they were read into. */
  format: number;
  name: string;
  command: string;
  recorder: string;
  window: number;
  /** Why it ends before the program did; empty if it does not. */
  cut_short: string;
  /** What the recorder did not see, a sentence each. */
  unseen: string[];
  events: number;
  raw_accesses: number;
  syscalls: number;
  /** By name, the most frequent first. */
  syscalls_by_name: Record<string, number>;
  processes: InfoProcess[];
  mappings: InfoMapping[];
  pages: { total: number; own: number; file: number };
  working_set: WorkingSet;
  picture: PictureRow[];
}

export interface InfoProcess {
  pid: number;
  /** -1: nobody's. */
  parent: number;
  threads: number;
  /** Of its first and last event, in time. */
  from: number;
  to: number;
  events: number;
  raw_accesses: number;
  syscalls: number;
  /** Addresses that it touched, in pages. */
  pages: number;
  /** What the recorder counted. */
  stats: string;
}

export interface InfoMapping {
  name: string;
  kind: MappingKind;
  /** Mapped at most, in all processes together; 0 for a file that was only read. */
  most_bytes: number;
  times: number;
  pages: number;
}

export interface WorkingSet {
  /** Length of an interval, in accesses (calls, where there are none). */
  interval: number;
  /** Pages touched in each interval. */
  pages: number[];
  /** Pages first touched in each. */
  new_pages: number[];
  windows: { length: number; mean: number; most: number }[];
}

/** A part of the memory that was touched, by address. */
export interface PictureRow {
  /** Process, or -1 for a file. */
  pid: number;
  /** First address, or first byte of the file. */
  from: number;
  /** What was mapped there when its first page was first touched. */
  name: string;
  pages: number;
  /** Share of its pages that each interval touched. */
  shares: number[];
}

export function infoOf(recording: Recording, onProgress?: (events: number) => void): InfoResult {
  const observer = new Observer(recording);
  observer.run(onProgress);
  const { header, file } = recording;
  const { touched } = observer;
  return {
    file,
    format: header.ordered === undefined ? 1 : 2,
    name: header.name,
    command: header.command,
    recorder: header.recorder,
    window: header.window,
    cut_short: header.ordered?.cutShort ?? '',
    unseen: [...(header.ordered?.unseen ?? [])],
    events: observer.accesses,
    raw_accesses: observer.rawAccesses,
    syscalls: observer.calls,
    syscalls_by_name: Object.fromEntries(
      [...observer.syscalls].sort((a, b) => b[1] - a[1]).map(([number, n]) => [syscallName(number), n]),
    ),
    processes: observer.processes.map(processOf),
    mappings: observer.named
      .map(({ name, kind, mostBytes, times, pages }) => ({ name, kind, most_bytes: mostBytes, times, pages }))
      .sort((a, b) => b.pages - a.pages || b.most_bytes - a.most_bytes),
    pages: { total: observer.ownPages + observer.filePages, own: observer.ownPages, file: observer.filePages },
    working_set: workingSet(observer),
    picture: pictureOf(touched, observer),
  };
}

function processOf(p: ObservedProcess): InfoProcess {
  const { pid, parent, threads, from, to, syscalls, pages, stats } = p;
  return { pid, parent, threads, from, to, events: p.accesses, raw_accesses: p.rawAccesses, syscalls, pages, stats };
}

function workingSet(observer: Observer): WorkingSet {
  const { touched } = observer;
  const { columns } = touched;
  const pages = new Array<number>(columns).fill(0);
  const newPages = new Array<number>(columns).fill(0);
  const widths: number[] = [];
  for (let width = 1; width < columns; width *= 2) widths.push(width);
  widths.push(columns);
  const counts = widths.map((width) => new Array<number>(Math.ceil(columns / width)).fill(0));
  const last = new Int32Array(widths.length);
  for (let row = 0; row < touched.count; row++) {
    // A process's row of a file's page is that page once more.
    if (!observer.isOwn(row) && !observer.isFiles(row)) continue;
    let isNew = true;
    last.fill(-1);
    for (let column = 0; column < columns; column++) {
      if (!touched.wasTouched(row, column)) continue;
      pages[column]! += 1;
      if (isNew) newPages[column]! += 1;
      isNew = false;
      for (let w = 0; w < widths.length; w++) {
        const window = Math.floor(column / widths[w]!);
        if (last[w] === window) continue;
        last[w] = window;
        counts[w]![window]! += 1;
      }
    }
  }
  const windows = widths.map((width, w) => ({
    length: width * touched.columnLength,
    mean: counts[w]!.reduce((sum, n) => sum + n, 0) / counts[w]!.length,
    most: Math.max(...counts[w]!),
  }));
  return { interval: touched.columnLength, pages, new_pages: newPages, windows };
}

/** The rows of the process that touched most, or of files if no process touched anything: equal shares of the pages. */
function pictureOf(touched: TouchedPages, observer: Observer): PictureRow[] {
  const bySpace = new Map<number, number>();
  for (let row = 0; row < touched.count; row++) {
    const space = touched.spaceOf(row);
    bySpace.set(space, (bySpace.get(space) ?? 0) + 1);
  }
  const processSpaces = [...bySpace].filter(([space]) => space < observer.processes.length);
  const most = (processSpaces.length > 0 ? processSpaces : [...bySpace]).sort((a, b) => b[1] - a[1])[0];
  if (most === undefined) return [];
  const rows = new Uint32Array(most[1]);
  for (let row = 0, n = 0; row < touched.count; row++) if (touched.spaceOf(row) === most[0]) rows[n++] = row;
  rows.sort((a, b) => touched.pageOf(a) - touched.pageOf(b));
  const pid = observer.pidOfSpace(most[0]);
  const made: PictureRow[] = [];
  for (const members of pieces(rows, touched)) {
    const shares = new Array<number>(touched.columns).fill(0);
    for (const row of members) {
      for (let column = 0; column < shares.length; column++) if (touched.wasTouched(row, column)) shares[column]! += 1;
    }
    const pages = members.length;
    const from = touched.pageOf(members[0]!) * PAGE;
    made.push({ pid, from, name: observer.nameOf(members[0]!), pages, shares: shares.map((n) => n / pages) });
  }
  return made;
}

/** Cuts the pages into rows of about the same number, and where a gap of addresses is wide, if the row is not too short for that. */
function pieces(rows: Uint32Array, touched: TouchedPages): Uint32Array[] {
  const each = Math.max(1, rows.length / PICTURE_ROWS);
  const made: Uint32Array[] = [];
  let from = 0;
  for (let i = 1; i <= rows.length; i++) {
    const length = i - from;
    const isGap = i < rows.length && touched.pageOf(rows[i]!) - touched.pageOf(rows[i - 1]!) > WIDE_GAP;
    if (i < rows.length && length < each && !(isGap && length >= each * LEAST_ROW)) continue;
    made.push(rows.subarray(from, i));
    from = i;
  }
  return made;
}
