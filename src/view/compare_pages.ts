/**
 * The pages of two machines laid on each other: what one has and the other has not.
 *
 * Promises  1. Every page that either has is in it once, under its process, in order of addresses.
 *           2. The counts of a process add up to its pages.
 *
 *   code = 3 × state on the left + state on the right        states: compare.ts
 */
import { PAGE_ABSENT, PAGE_RESIDENT, PAGE_SWAPPED, type PageColumns, type ProcessRows } from './compare.ts';

const STATES = 3;
const CODES = STATES * STATES;

export interface LaidProcess {
  readonly pid: number;
  readonly comm: string;
  readonly vpn: Float64Array;
  readonly code: Uint8Array;
  /** Pages by code. */
  readonly counts: readonly number[];
  /** Pages whose states are not the same. */
  readonly differing: number;
}

export function layPages(left: PageColumns, right: PageColumns): LaidProcess[] {
  const pids = [...new Set([...left.processes, ...right.processes].map(({ pid }) => pid))];
  return pids.map((pid) => {
    const l = left.processes.find((one) => one.pid === pid) ?? null;
    const r = right.processes.find((one) => one.pid === pid) ?? null;
    return layProcess(pid, left, l, right, r);
  });
}

function layProcess(
  pid: number,
  left: PageColumns,
  l: ProcessRows | null,
  right: PageColumns,
  r: ProcessRows | null,
): LaidProcess {
  const most = (l === null ? 0 : l.to - l.from) + (r === null ? 0 : r.to - r.from);
  const vpn = new Float64Array(most);
  const code = new Uint8Array(most);
  const counts = new Array<number>(CODES).fill(0);
  let [i, iEnd, j, jEnd] = [l?.from ?? 0, l?.to ?? 0, r?.from ?? 0, r?.to ?? 0];
  let n = 0;
  while (i < iEnd || j < jEnd) {
    const a = i < iEnd ? left.vpn[i]! : Number.POSITIVE_INFINITY;
    const b = j < jEnd ? right.vpn[j]! : Number.POSITIVE_INFINITY;
    const at = Math.min(a, b);
    const both = STATES * (a === at ? left.state[i]! : PAGE_ABSENT) + (b === at ? right.state[j]! : PAGE_ABSENT);
    vpn[n] = at;
    code[n] = both;
    counts[both]! += 1;
    n += 1;
    if (a === at) i += 1;
    if (b === at) j += 1;
  }
  const differing = counts.reduce((sum, count, which) => (differs(which) ? sum + count : sum), 0);
  return {
    pid,
    comm: l?.comm ?? r?.comm ?? '',
    vpn: vpn.slice(0, n),
    code: code.slice(0, n),
    counts,
    differing,
  };
}

export function leftState(code: number): number {
  return Math.floor(code / STATES);
}

export function rightState(code: number): number {
  return code % STATES;
}

export function differs(code: number): boolean {
  return leftState(code) !== rightState(code);
}

export const STATE_NAMES: Readonly<Record<number, string>> = {
  [PAGE_ABSENT]: 'absent',
  [PAGE_RESIDENT]: 'resident',
  [PAGE_SWAPPED]: 'swapped out',
};

/** How a page is drawn: where it is in memory. */
export const RESIDENT_BOTH = 0;
export const RESIDENT_LEFT = 1;
export const RESIDENT_RIGHT = 2;
export const RESIDENT_NEITHER = 3;

export function classOf(code: number): number {
  const [left, right] = [leftState(code) === PAGE_RESIDENT, rightState(code) === PAGE_RESIDENT];
  if (left && right) return RESIDENT_BOTH;
  return left ? RESIDENT_LEFT : right ? RESIDENT_RIGHT : RESIDENT_NEITHER;
}

/** Pages by class, of all processes. */
export function classCounts(processes: readonly LaidProcess[]): number[] {
  const classes = [0, 0, 0, 0];
  for (const { counts } of processes) {
    for (const [code, count] of counts.entries()) classes[classOf(code)]! += count;
  }
  return classes;
}

/** Cells of a map, in rows of `columns`. A cell may stand for several pages; then it shows the first of them that differs. */
export interface Cells {
  readonly pagesPerCell: number;
  readonly columns: number;
  readonly rows: number;
  /** Class of each cell. */
  readonly cell: Uint8Array;
}

export function cellsOf({ code }: LaidProcess, columns: number, mostRows: number): Cells {
  const wide = Math.max(1, columns);
  const pagesPerCell = Math.max(1, Math.ceil(code.length / (wide * Math.max(1, mostRows))));
  const cell = new Uint8Array(Math.ceil(code.length / pagesPerCell));
  for (let n = 0; n < cell.length; n++) {
    const from = n * pagesPerCell;
    const part = code.subarray(from, from + pagesPerCell);
    cell[n] = classOf(part.find(differs) ?? part[0]!);
  }
  return { pagesPerCell, columns: wide, rows: Math.ceil(cell.length / wide), cell };
}

/** The next page behind (before, if `back`) this one whose states differ, going on in the next process; null: there is none. */
export function nextDiffering(
  processes: readonly LaidProcess[],
  from: { readonly pid: number; readonly vpn: number } | null,
  back: boolean,
): { pid: number; vpn: number } | null {
  const order = back ? [...processes].reverse() : processes;
  let begun = from === null || !processes.some(({ pid }) => pid === from.pid);
  for (const { pid, vpn, code } of order) {
    const start = !begun && pid === from?.pid ? from.vpn : null;
    if (start !== null) begun = true;
    if (!begun) continue;
    const isFree = (one: number, n: number) =>
      differs(one) && (start === null || (back ? vpn[n]! < start : vpn[n]! > start));
    const found = back ? code.findLastIndex(isFree) : code.findIndex(isFree);
    if (found >= 0) return { pid, vpn: vpn[found]! };
  }
  return null;
}
