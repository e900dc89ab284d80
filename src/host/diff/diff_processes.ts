/**
 * Processes and their mappings in two snapshots.
 *
 * Promises  1. On one boot a process is its pid and its start, so a pid that was used again is one that went and one that came.
 *              Snapshots of different boots have no process in common: there, all of one name are added up and compared.
 *           2. A mapping that grew or shrank at one end is one that changed, not one that went and one that came.
 */

import { ENTRY_SWAP, type HostProcess, type HostSnapshot } from '../snapshot.ts';
import { changedPages, type PageChanges } from './diff_entries.ts';
import { byChange, type Change, changeOf, type Pair } from './diff_pair.ts';

export interface ProcessChange {
  readonly change: Change;
  /** Null where processes of a name are added up. */
  readonly pid: number | null;
  readonly comm: string;
  /** How many there are: of one pid 0 or 1. */
  readonly processes: Pair;
  /** kB. Null where neither snapshot has it. */
  readonly rss: Pair | null;
  readonly pss: Pair | null;
  readonly swap: Pair | null;
  /** It went, or came, and another process has, or had, its pid. */
  readonly replaced: boolean;
  /** Pages of mappings that both have. */
  readonly pages: PageChanges;
}

export interface MappingChange {
  readonly change: Change;
  readonly pid: number;
  readonly comm: string;
  /** As in maps. */
  readonly name: string;
  /** Pages of address space, and the first of them: the later one's. */
  readonly startPage: number;
  readonly pages: Pair;
  /** Pages that are present. */
  readonly present: Pair;
}

type Key = string;

export function diffProcesses(a: HostSnapshot, b: HostSnapshot, sameBoot: boolean): ProcessChange[] {
  const keyOf = sameBoot ? identity : (process: HostProcess) => process.comm;
  const before = grouped(a, keyOf);
  const after = grouped(b, keyOf);
  const pidsBefore = new Set(a.processes.map(({ pid }) => pid));
  const pidsAfter = new Set(b.processes.map(({ pid }) => pid));
  const changes: ProcessChange[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const rowsA = before.get(key) ?? [];
    const rowsB = after.get(key) ?? [];
    const some = b.processes[rowsB[0] ?? -1] ?? a.processes[rowsA[0] ?? -1]!;
    const processes = { before: rowsA.length, after: rowsB.length };
    const sum = (field: (process: HostProcess) => number | null) => {
      const [was, is] = [total(a, rowsA, field), total(b, rowsB, field)];
      return was === null && is === null ? null : { before: was ?? 0, after: is ?? 0 };
    };
    const pages = sameBoot && rowsA.length > 0 && rowsB.length > 0 ? changedPages(a, rowsA[0]!, b, rowsB[0]!) : {};
    const row: ProcessChange = {
      change: changeOf(processes),
      pid: sameBoot ? some.pid : null,
      comm: some.comm,
      processes,
      rss: sum((process) => process.status.get('VmRSS') ?? process.rollup?.get('Rss') ?? null),
      pss: sum((process) => process.rollup?.get('Pss') ?? null),
      swap: sum((process) => process.status.get('VmSwap') ?? process.rollup?.get('Swap') ?? null),
      replaced: sameBoot && rowsA.length !== rowsB.length && pidsBefore.has(some.pid) && pidsAfter.has(some.pid),
      pages,
    };
    if (isChange(row)) changes.push(row);
  }
  return changes.sort((x, y) => weight(y) - weight(x) || (x.pid ?? 0) - (y.pid ?? 0) || (x.comm < y.comm ? -1 : 1));
}

function identity({ pid, startTicks }: HostProcess): Key {
  return `${pid} ${startTicks}`;
}

/** Rows of `processes`; kernel threads have no memory of their own. */
function grouped({ processes }: HostSnapshot, keyOf: (process: HostProcess) => Key): Map<Key, number[]> {
  const groups = new Map<Key, number[]>();
  processes.forEach((process, row) => {
    if (process.isKernelThread) return;
    const key = keyOf(process);
    const rows = groups.get(key);
    if (rows === undefined) groups.set(key, [row]);
    else rows.push(row);
  });
  return groups;
}

function total(
  { processes }: HostSnapshot,
  rows: readonly number[],
  field: (process: HostProcess) => number | null,
): number | null {
  let sum: number | null = null;
  for (const row of rows) {
    const value = field(processes[row]!);
    if (value !== null) sum = (sum ?? 0) + value;
  }
  return sum;
}

const differs = (pair: Pair | null) => pair !== null && pair.before !== pair.after;

function isChange({ processes, rss, pss, swap, pages }: ProcessChange): boolean {
  return differs(processes) || differs(rss) || differs(pss) || differs(swap) || Object.keys(pages).length > 0;
}

function weight({ rss, pss, swap }: ProcessChange): number {
  const size = (pair: Pair | null) => (pair === null ? 0 : Math.abs(pair.after - pair.before));
  return Math.max(size(rss), size(pss)) + size(swap);
}

/** Of processes that both snapshots have: which only one boot's can. */
export function diffMappings(a: HostSnapshot, b: HostSnapshot): MappingChange[] {
  const after = grouped(b, identity);
  const changes: MappingChange[] = [];
  for (const [key, [rowA]] of grouped(a, identity)) {
    const rowB = after.get(key)?.[0];
    if (rowA !== undefined && rowB !== undefined) changes.push(...mappingsOf(a, rowA, b, rowB));
  }
  return changes.sort((x, y) => byChange(x.pages, y.pages) || x.pid - y.pid || x.startPage - y.startPage);
}

interface Mapping {
  readonly start: number;
  readonly end: number;
  /** What it shows, apart from where it begins and ends. */
  readonly thing: string;
  readonly name: string;
  readonly present: number;
}

function mappingsOf(a: HostSnapshot, rowA: number, b: HostSnapshot, rowB: number): MappingChange[] {
  const { pid, comm } = b.processes[rowB]!;
  const was = new Set(mappingList(a, rowA));
  const is = new Set(mappingList(b, rowB));
  const changes: MappingChange[] = [];
  const note = (x: Mapping | null, y: Mapping | null) => {
    const pages = { before: x === null ? 0 : x.end - x.start, after: y === null ? 0 : y.end - y.start };
    const present = { before: x?.present ?? 0, after: y?.present ?? 0 };
    // A mapping that both have and whose pages came or went is the process's business, not this list's.
    if (pages.before === pages.after) return;
    const { name, start } = y ?? x!;
    changes.push({ change: changeOf(pages), pid, comm, name, startPage: start, pages, present });
  };
  for (const edge of ['start', 'end'] as const) {
    const known = new Map([...is].map((mapping) => [`${mapping.thing} ${mapping[edge]}`, mapping]));
    for (const mapping of was) {
      const twin = known.get(`${mapping.thing} ${mapping[edge]}`);
      if (twin === undefined || !is.has(twin)) continue;
      was.delete(mapping);
      is.delete(twin);
      note(mapping, twin);
    }
  }
  for (const mapping of was) note(mapping, null);
  for (const mapping of is) note(null, mapping);
  return changes;
}

function mappingList({ processes, vmas, files, strings, entries }: HostSnapshot, row: number): Mapping[] {
  const { firstVma, endVma } = processes[row]!;
  const list: Mapping[] = [];
  for (let vma = firstVma; vma < endVma; vma++) {
    const start = vmas.startPage[vma]!;
    const file = files[vmas.file[vma]!];
    const name = strings[vmas.name[vma]!]!;
    let present = 0;
    for (let entry = vmas.firstEntry[vma]!; entry < vmas.firstEntry[vma + 1]!; entry++)
      if ((entries.bits[entry]! & ENTRY_SWAP) === 0) present += 1;
    const offset = file === undefined ? 0 : vmas.pgoff[vma]! - start;
    list.push({
      start,
      end: vmas.endPage[vma]!,
      thing: `${file?.device} ${file?.inode} ${offset} ${vmas.perms[vma]! & PERMS} ${name}`,
      name,
      present,
    });
  }
  return list;
}

/** r, w, x, s: not whether its pages were seen. */
const PERMS = 15;
