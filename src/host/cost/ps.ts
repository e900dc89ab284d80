/**
 * `revmap ps`: what each process really costs.
 *
 * Owns      the answer's form: `--json` prints it as it is. Bytes throughout; null is what nobody could tell.
 * Promises  1. The rows are the processes that have memory of their own; the others are counted, not shown as zero.
 *           2. `total` is over all rows, each frame and each slot once: RSS of the rows adds up to more, PSS does not.
 *           3. Figures computed from page tables stand beside the kernel's own (`kernel`); where they differ, the row says so.
 * Linux     6.18 fs/proc/task_mmu.c, fs/proc/array.c (what the fields of smaps_rollup and status mean)
 */

import { ReverseMap } from '../reverse.ts';
import type { HostProcess, HostSnapshot, Missing } from '../snapshot.ts';
import { costsOfGroups, costsOfProcesses, type GroupCost, sharersOf } from './group_costs.ts';
import { type Ownership, ownershipOf } from './owners.ts';
import { mmOwners, type Sizes, seenOf, sizesOf } from './pss.ts';
import { type SwapShown, swapShown } from './swap_shown.ts';

const KB = 1024;

/** What would become of its memory. The first five add up to the memory that it maps, each frame once. */
export interface ExitCost {
  freed_bytes: number;
  freed_with_file_bytes: number;
  becomes_cache_bytes: number;
  becomes_shmem_bytes: number;
  stays_shared_bytes: number;
  /** Not in RSS: parts of large folios that nobody maps, page tables, slots of swap. */
  freed_unmapped_bytes: number;
  freed_page_tables_bytes: number | null;
  freed_swap_bytes: number | null;
}

export interface KernelSizes {
  rss_bytes: number | null;
  pss_bytes: number | null;
  uss_bytes: number | null;
  swap_bytes: number | null;
  swap_pss_bytes: number | null;
}

export interface Sharing {
  pid: number;
  comm: string;
  bytes: number;
}

export interface ProcessCost {
  pid: number;
  parent_pid: number;
  start_ticks: number;
  comm: string;
  command: readonly string[] | null;
  uid: number;
  state: string;
  threads: number;
  cgroup: string;
  /** `pages`: from page tables and mapcounts; `kernel`: as smaps_rollup or status say it. */
  source: 'pages' | 'kernel';
  rss_bytes: number | null;
  pss_bytes: number | null;
  pss_anonymous_bytes: number | null;
  pss_file_bytes: number | null;
  pss_shmem_bytes: number | null;
  uss_bytes: number | null;
  hugetlb_bytes: number | null;
  referenced_bytes: number | null;
  /** Slots that its page table holds (VmSwap), and its share of them. */
  swap_bytes: number | null;
  swap_pss_bytes: number | null;
  /** Swapped pages of shared memory in its areas: the object's, whoever maps it (`swap.shared_bytes` has each once). */
  shared_swap_bytes: number | null;
  /** If it exited now. */
  exit: ExitCost | null;
  shares_most_with: Sharing | null;
  /** It has no memory of its own but this process's: one page table, counted once in `total`. */
  same_memory_as_pid: number | null;
  /** What smaps_rollup said when it was read; null without it. */
  kernel: KernelSizes | null;
  /** In words, what of the two differs; empty: nothing. */
  differs: string[];
  /** Its mappings moved at every try: its rows may be a mix. */
  unsteady: boolean;
}

export interface PsTotal {
  processes: number;
  /** Of them, those whose pages nobody let us see: figures below are without them, where the kernel does not say them. */
  not_seen: number;
  /** Sums of rows, each address space once. */
  sum_rss_bytes: number;
  sum_pss_bytes: number;
  sum_uss_bytes: number;
  /** Frames that any of the seen rows maps, each once; null where frames are hidden. */
  mapped_bytes: number | null;
  /** … that others map too: processes that are not among the rows, or not seen. */
  mapped_by_others_too_bytes: number | null;
}

export interface PsTreeNode {
  pid: number;
  /** The process and all below it, each frame once. */
  processes: number;
  not_seen: number;
  /** Null if it is known of none of them. */
  sum_pss_bytes: number | null;
  rss_bytes: number | null;
  unique_bytes: number | null;
  swap_bytes: number | null;
  exit: ExitCost | null;
  children: PsTreeNode[];
}

export interface PsAnswer {
  taken_at_ms: number;
  hostname: string;
  kernel: string;
  processes: ProcessCost[];
  total: PsTotal;
  swap: SwapShown;
  kernel_threads: number;
  /** Ended, but not yet waited for: they have a pid and no memory. */
  zombies: number;
  missing: readonly Missing[];
  processes_gone: number;
}

/** Everything that `ps` is asked about one snapshot, counted once. */
export class ProcessCosts {
  readonly snapshot: HostSnapshot;
  readonly ownership: Ownership;
  readonly rows: readonly ProcessCost[];
  private readonly rowOfPid = new Map<number, number>();
  /** Whether the page map of each was read. */
  readonly seen: readonly boolean[];

  constructor(snapshot: HostSnapshot, reverse: ReverseMap = new ReverseMap(snapshot)) {
    this.snapshot = snapshot;
    this.ownership = ownershipOf(reverse);
    const { processes, changes } = snapshot;
    for (const [row, { pid }] of processes.entries()) this.rowOfPid.set(pid, row);
    const sizes = sizesOf(reverse);
    const owners = mmOwners(snapshot);
    this.seen = seenOf(snapshot);
    const costs = costsOfProcesses(this.ownership, processes.length);
    const sharers = sharersOf(this.ownership, processes.length, 1);
    const unsteady = new Set(changes.processesUnsteady);
    this.rows = processes.map((process, row) => {
      const most = sharers[row]![0];
      const first = owners[row]!;
      return {
        ...factsOf(process),
        ...figuresOf(process, sizes[row]!),
        exit: this.seen[row] ? exitOf(costs[row]!, [process], sizes[row] !== null) : null,
        shares_most_with: most === undefined ? null : this.sharing(most.process, most.bytes),
        same_memory_as_pid: first === row ? null : processes[first]!.pid,
        unsteady: unsteady.has(process.pid),
      };
    });
  }

  answer(isWanted: (process: ProcessCost) => boolean = () => true): PsAnswer {
    const { snapshot } = this;
    const { processes } = snapshot;
    const wanted = this.rows.map((row, i) => hasMemory(processes[i]!) && isWanted(row));
    return {
      taken_at_ms: snapshot.takenAtMs,
      hostname: snapshot.hostname,
      kernel: snapshot.kernel,
      processes: this.rows.filter((_, i) => wanted[i]),
      total: this.total(wanted),
      swap: swapShown(snapshot, this.ownership),
      kernel_threads: processes.filter((p) => p.isKernelThread).length,
      zombies: processes.filter((p) => !p.isKernelThread && !hasMemory(p)).length,
      missing: snapshot.missing,
      processes_gone: snapshot.changes.processesGone,
    };
  }

  /** With whom a process shares, most first. */
  sharers(pid: number, most: number): Sharing[] {
    const row = this.rowOfPid.get(pid);
    if (row === undefined) return [];
    const found = sharersOf(this.ownership, this.rows.length, most);
    return found[row]!.map(({ process, bytes }) => this.sharing(process, bytes));
  }

  /** The process tree, with what each subtree costs. */
  tree(): PsTreeNode[] {
    const { processes } = this.snapshot;
    const parents = parentsOf(processes, this.rowOfPid);
    const rows = processes.map((_, row) => row);
    const costs = costsOfGroups(this.ownership, rows, parents);
    const nodes: PsTreeNode[] = processes.map(({ pid }) => ({
      pid,
      processes: 0,
      not_seen: 0,
      sum_pss_bytes: null,
      rss_bytes: null,
      unique_bytes: null,
      swap_bytes: null,
      exit: null,
      children: [],
    }));
    const below: number[][] = processes.map(() => []);
    for (const [row, process] of processes.entries()) {
      if (!hasMemory(process)) continue;
      for (let above = row; above >= 0; above = parents[above]!) {
        const node = nodes[above]!;
        node.processes += 1;
        if (!this.seen[row]) node.not_seen += 1;
        if (this.rows[row]!.same_memory_as_pid === null) {
          node.sum_pss_bytes = sumOfKnown([node.sum_pss_bytes, this.rows[row]!.pss_bytes]);
        }
        below[above]!.push(row);
      }
    }
    const { hasHidden } = this.ownership;
    const roots: PsTreeNode[] = [];
    for (const [row, node] of nodes.entries()) {
      if (node.processes === 0) continue;
      const cost = costs[row]!;
      if (!hasHidden && node.not_seen < node.processes) {
        node.rss_bytes = cost.rssBytes;
        node.unique_bytes = cost.uniqueBytes;
        node.swap_bytes = cost.swapBytes;
        node.exit = exitOf(
          cost,
          below[row]!.map((member) => processes[member]!),
          true,
        );
      }
      const parent = parents[row]!;
      if (parent < 0) roots.push(node);
      else nodes[parent]!.children.push(node);
    }
    return roots;
  }

  private total(wanted: readonly boolean[]): PsTotal {
    const { ownership } = this;
    const rows = this.rows.filter((_, i) => wanted[i]);
    const own = rows.filter((row) => row.same_memory_as_pid === null);
    const nodeOf = wanted.map((is) => (is ? 0 : -1));
    const [all] = costsOfGroups(ownership, nodeOf, [-1]);
    const isKnown = rows.some((row) => row.source === 'pages');
    return {
      processes: rows.length,
      not_seen: wanted.filter((is, i) => is && !this.seen[i]).length,
      sum_rss_bytes: sumOf(own, (row) => row.rss_bytes),
      sum_pss_bytes: sumOf(own, (row) => row.pss_bytes),
      sum_uss_bytes: sumOf(own, (row) => row.uss_bytes),
      mapped_bytes: isKnown ? all!.rssBytes : null,
      mapped_by_others_too_bytes: isKnown ? all!.rssBytes - all!.uniqueBytes : null,
    };
  }

  private sharing(row: number, bytes: number): Sharing {
    const { pid, comm } = this.snapshot.processes[row]!;
    return { pid, comm, bytes };
  }
}

/** A thread of the kernel and a zombie have a pid, and nothing that is mapped. */
export function hasMemory({ isKernelThread, status, firstVma, endVma }: HostProcess): boolean {
  return !isKernelThread && (status.has('VmRSS') || firstVma < endVma);
}

/** Null if none is known. */
export function sumOfKnown(figures: readonly (number | null)[]): number | null {
  const known = figures.filter((figure) => figure !== null);
  return known.length === 0 ? null : known.reduce((sum, figure) => sum + figure, 0);
}

function sumOf(rows: readonly ProcessCost[], figure: (row: ProcessCost) => number | null): number {
  return rows.reduce((sum, row) => sum + (figure(row) ?? 0), 0);
}

function factsOf(process: HostProcess) {
  const { pid, parentPid, startTicks, comm, command, uid, state, threads, cgroup } = process;
  return { pid, parent_pid: parentPid, start_ticks: startTicks, comm, command, uid, state, threads, cgroup };
}

function figuresOf(process: HostProcess, sizes: Sizes | null) {
  const kernel = kernelSizes(process.rollup);
  const status = (name: string) => bytesOf(process.status, name);
  const rest = {
    referenced_bytes: bytesOf(process.rollup, 'Referenced'),
    kernel,
  };
  if (sizes === null) {
    const rollup = (name: string) => bytesOf(process.rollup, name);
    const swap = status('VmSwap');
    return {
      ...rest,
      source: 'kernel' as const,
      rss_bytes: kernel?.rss_bytes ?? status('VmRSS'),
      pss_bytes: kernel?.pss_bytes ?? null,
      pss_anonymous_bytes: rollup('Pss_Anon'),
      pss_file_bytes: rollup('Pss_File'),
      pss_shmem_bytes: rollup('Pss_Shmem'),
      uss_bytes: kernel?.uss_bytes ?? null,
      hugetlb_bytes: status('HugetlbPages'),
      swap_bytes: swap,
      swap_pss_bytes: kernel?.swap_pss_bytes ?? null,
      shared_swap_bytes: sharedSwap(kernel, swap),
      differs: [],
    };
  }
  return {
    ...rest,
    source: 'pages' as const,
    rss_bytes: sizes.rssBytes,
    pss_bytes: sizes.pssBytes,
    pss_anonymous_bytes: sizes.pssAnonBytes,
    pss_file_bytes: sizes.pssFileBytes,
    pss_shmem_bytes: sizes.pssShmemBytes,
    uss_bytes: sizes.ussBytes,
    hugetlb_bytes: sizes.hugetlbBytes,
    swap_bytes: sizes.swapBytes,
    swap_pss_bytes: sizes.swapPssBytes,
    shared_swap_bytes: sharedSwap(kernel, sizes.swapBytes),
    differs: differences(sizes, kernel),
  };
}

/** smaps_rollup's Swap has the object's pages in it, VmSwap has not. */
function sharedSwap(kernel: KernelSizes | null, ownBytes: number | null): number | null {
  if (kernel === null || kernel.swap_bytes === null || ownBytes === null) return null;
  return Math.max(0, kernel.swap_bytes - ownBytes);
}

function kernelSizes(rollup: ReadonlyMap<string, number> | null): KernelSizes | null {
  if (rollup === null) return null;
  const clean = bytesOf(rollup, 'Private_Clean');
  const dirty = bytesOf(rollup, 'Private_Dirty');
  return {
    rss_bytes: bytesOf(rollup, 'Rss'),
    pss_bytes: bytesOf(rollup, 'Pss'),
    uss_bytes: clean === null || dirty === null ? null : clean + dirty,
    swap_bytes: bytesOf(rollup, 'Swap'),
    swap_pss_bytes: bytesOf(rollup, 'SwapPss'),
  };
}

function bytesOf(fields: ReadonlyMap<string, number> | null, name: string): number | null {
  const kb = fields?.get(name);
  return kb === undefined ? null : kb * KB;
}

/** What the kernel says otherwise, to the kB that it prints. */
function differences(sizes: Sizes, kernel: KernelSizes | null): string[] {
  if (kernel === null) return [];
  const compared = [
    ['rss', sizes.rssBytes, kernel.rss_bytes],
    ['pss', sizes.pssBytes, kernel.pss_bytes],
    ['uss', sizes.ussBytes, kernel.uss_bytes],
    ['swap_pss', sizes.swapPssBytes, kernel.swap_pss_bytes],
  ] as const;
  return compared.flatMap(([name, ours, theirs]) => {
    const kb = Math.floor(ours / KB);
    if (theirs === null || kb === theirs / KB) return [];
    return [`${name}: ${kb} kB in its page table, ${theirs / KB} kB in smaps_rollup`];
  });
}

export function exitOf(cost: GroupCost, processes: readonly HostProcess[], knowsSlots: boolean): ExitCost {
  const own = processes.filter(({ sharesMmWith }) => sharesMmWith === undefined);
  const tables = own.map((process) => bytesOf(process.status, 'VmPTE'));
  return {
    freed_bytes: cost.freedBytes,
    freed_with_file_bytes: cost.freedWithFileBytes,
    becomes_cache_bytes: cost.becomesCacheBytes,
    becomes_shmem_bytes: cost.becomesShmemBytes,
    stays_shared_bytes: cost.staysSharedBytes,
    freed_unmapped_bytes: cost.freedUnmappedBytes,
    freed_page_tables_bytes: tables.some((bytes) => bytes === null) ? null : tables.reduce<number>((a, b) => a + b!, 0),
    freed_swap_bytes: knowsSlots ? cost.uniqueSwapBytes : null,
  };
}

/** The row of each process's parent, or -1. Pids come again while we read: what would be a circle begins a tree. */
function parentsOf(processes: readonly HostProcess[], rowOfPid: ReadonlyMap<number, number>): Int32Array {
  const parents = Int32Array.from(processes, (p) => rowOfPid.get(p.parentPid) ?? -1);
  const state = new Uint8Array(parents.length);
  for (let row = 0; row < parents.length; row++) {
    let at = row;
    while (at >= 0 && state[at] === 0) {
      state[at] = 1;
      const above = parents[at]!;
      if (above >= 0 && state[above] === 1) parents[at] = -1;
      at = parents[at]!;
    }
    for (at = row; at >= 0 && state[at] === 1; at = parents[at]!) state[at] = 2;
  }
  return parents;
}
