/**
 * What is laid side by side of two machines: what each has counted, and in what state each has every page.
 *
 * Owns      which numbers those are, and their names. A number that a kernel does not have is null.
 * Promises  1. It only looks.
 *           2. Rows have the same names in the same order on every machine, but for lists, which each kernel names itself.
 *
 * What differs between two answers is compare_pages.ts's, where two machines part compare_partings.ts's.
 */
import { type Counters, countersOf } from '../lab/counters.ts';
import { freePages } from '../lab/limit.ts';
import { Replay } from '../lab/replay.ts';
import type { Player } from '../lab/timeline.ts';
import type { Machine } from '../mm/machine.ts';
import { NO_SLOT, PTE_ANY_PRESENT, PTRS_PER_TABLE } from '../mm/page_table.ts';
import type { Vpn } from '../mm/units.ts';
import { NR_ANON_MAPPED, NR_FILE_DIRTY, NR_FILE_MAPPED, NR_FILE_PAGES, NR_PAGETABLE } from '../mm/vmstat.ts';
import { swapPages } from '../proc/swaps.ts';
import { happened } from './compare_log.ts';
import type { Living, Subject } from './subject.ts';

export type CountGroup = 'Faults and traffic' | 'Reclaim' | 'Memory now' | 'Lists now' | 'Work' | 'Other counters';

export interface Count {
  readonly group: CountGroup;
  readonly name: string;
  /** What it is, where the name does not say it. */
  readonly says: string;
  /** null: this kernel does not count it, or has no such list. */
  readonly value: number | null;
  readonly unit: 'count' | 'pages' | 'ns';
}

const FIRST_COUNTERS: readonly [name: string, group: CountGroup, says: string][] = [
  ['pgfault', 'Faults and traffic', 'faults, as the kernel counts them'],
  ['pgmajfault', 'Faults and traffic', 'faults that waited for a disk or for swap'],
  ['pswpin', 'Faults and traffic', 'pages read from swap'],
  ['pswpout', 'Faults and traffic', 'pages written to swap'],
  ['pgpgin', 'Faults and traffic', 'KiB read from disks'],
  ['pgpgout', 'Faults and traffic', 'KiB written to disks'],
  ['pgscan', 'Reclaim', 'pages that reclaim looked at'],
  ['pgsteal', 'Reclaim', 'pages that it took'],
  ['workingset_refault_anon', 'Reclaim', 'anonymous pages that came back'],
  ['workingset_refault_file', 'Reclaim', 'file pages that came back'],
];

/** Nothing of a host: a snapshot has no other machine. */
function compareCounts(subject: Subject): Count[] {
  if (subject.kind === 'host') return [];
  const { machine, timeline } = subject;
  const { player } = timeline;
  const counters = countersOf(machine, player instanceof Replay ? player.memcg : machine.rootMemcg);
  // Kernels without vmstat count major faults in their tasks alone.
  counters['pgmajfault'] ??= player.faults.major;
  const known = new Set(FIRST_COUNTERS.map(([name]) => name));
  const others = Object.keys(counters).filter((name) => !known.has(name));
  return [
    ...faultRows(player),
    ...FIRST_COUNTERS.map(([name, group, says]) => counterRow(counters, name, group, says)),
    ...memoryRows(machine),
    ...listRows(machine),
    ...workRows(machine),
    ...others.map((name) => counterRow(counters, name, 'Other counters', '')),
  ];
}

function faultRows(player: Player): Count[] {
  const { minor, major } = player.faults;
  const row = (name: string, says: string, value: number): Count => {
    return { group: 'Faults and traffic', name, says, value, unit: 'count' };
  };
  return [
    row('minor faults', 'of the processes, as getrusage counts them', minor),
    row('major faults', 'the same; Linux 2.4 calls every first touch of a file page major', major),
  ];
}

function counterRow(counters: Counters, name: string, group: CountGroup, says: string): Count {
  return { group, name, says, value: counters[name] ?? null, unit: 'count' };
}

function memoryRows(machine: Machine): Count[] {
  const node = (item: number): number => machine.nodes.reduce((sum, { stat }) => sum + stat[item]!, 0);
  const row = (name: string, says: string, value: number): Count => {
    return { group: 'Memory now', name, says, value, unit: 'pages' };
  };
  return [
    row('free', 'frames that nobody has', freePages(machine)),
    row('mapped, anonymous', 'frames of anonymous memory that somebody maps', node(NR_ANON_MAPPED)),
    row('mapped, files', 'frames of files that somebody maps', node(NR_FILE_MAPPED)),
    row('page cache', 'frames of files and of the swap cache', node(NR_FILE_PAGES)),
    row('dirty', 'file pages to be written', node(NR_FILE_DIRTY)),
    row('page tables', 'frames that hold tables', node(NR_PAGETABLE)),
    row('swap in use', 'slots of the swap area', swapPages(machine).used),
    { group: 'Memory now', name: 'clock', says: 'the machine’s time', value: machine.clock.now, unit: 'ns' },
  ];
}

/** A page is on the list that its flags name. */
function listRows(machine: Machine): Count[] {
  return machine.generation.lruNames.map((name, list): Count => {
    const value = machine.nodes.reduce((sum, { stat }) => sum + stat[list]!, 0);
    return { group: 'Lists now', name, says: 'pages on this list', value, unit: 'pages' };
  });
}

function workRows({ work }: Machine): Count[] {
  const row = (name: string, says: string, value: number): Count => {
    return { group: 'Work', name, says, value, unit: 'count' };
  };
  return [
    row('pages scanned', 'of inactive lists, by reclaim', work.pagesScanned),
    row('pages reclaimed', 'those of them that were freed', work.pagesReclaimed),
    row('page-table entries visited', 'in search of who maps a page', work.ptesVisited),
    row('VMAs visited', 'by reverse walks, those in vain among them', work.vmasVisited),
    row('anon_vmas met', 'where reverse walks began', work.anonVmasMet),
    row('links met', 'anon_vma_chain or pte_chain', work.chainsMet),
    row('address spaces walked', 'by swap_out (2.4)', work.mmsWalked),
  ];
}

// pages

/** States of a page in a process. */
export const PAGE_ABSENT = 0;
export const PAGE_RESIDENT = 1;
export const PAGE_SWAPPED = 2;

export interface ProcessRows {
  readonly pid: number;
  readonly comm: string;
  /** Rows [from, to) of the columns. */
  readonly from: number;
  readonly to: number;
}

/** Pages that have an entry, by process, in order of addresses. */
export interface PageColumns {
  readonly processes: readonly ProcessRows[];
  /** Number of the virtual page. */
  readonly vpn: Float64Array;
  /** PAGE_RESIDENT or PAGE_SWAPPED. */
  readonly state: Uint8Array;
}

function comparePages(subject: Subject): PageColumns {
  const columns = new Columns();
  const processes: ProcessRows[] = [];
  const seen = new Set<number>();
  for (const living of subject.kind === 'host' ? [] : subject.living) {
    // Threads, and children of vfork, have the address space of another.
    if (seen.has(living.mm.id)) continue;
    seen.add(living.mm.id);
    const from = columns.length;
    if (subject.kind === 'machine') addPages(subject.machine, living, columns);
    processes.push({ pid: living.pid, comm: living.comm, from, to: columns.length });
  }
  return { processes, ...columns.taken() };
}

function addPages({ pageTables }: Machine, { mm }: Living, columns: Columns): void {
  for (const { vmStart, vmEnd } of mm.vmas) {
    let vpn = pageTables.nextTable(mm.pageTables, vmStart, vmEnd) as number;
    while (vpn < vmEnd) {
      const end = Math.min(vmEnd, (Math.floor(vpn / PTRS_PER_TABLE) + 1) * PTRS_PER_TABLE);
      const slot = pageTables.slotOf(mm.pageTables, vpn as Vpn);
      for (let i = 0; slot !== NO_SLOT && i < end - vpn; i++) {
        if (pageTables.has(slot + i, PTE_ANY_PRESENT)) columns.add(vpn + i, PAGE_RESIDENT);
        else if (pageTables.isSwap(slot + i)) columns.add(vpn + i, PAGE_SWAPPED);
      }
      vpn = pageTables.nextTable(mm.pageTables, end as Vpn, vmEnd);
    }
  }
}

/** Grow as they are filled. */
class Columns {
  length = 0;
  private vpn = new Float64Array(1024);
  private state = new Uint8Array(1024);

  add(vpn: number, state: number): void {
    if (this.length === this.vpn.length) {
      const [vpns, states] = [this.vpn, this.state];
      this.vpn = new Float64Array(2 * this.length);
      this.state = new Uint8Array(2 * this.length);
      this.vpn.set(vpns);
      this.state.set(states);
    }
    this.vpn[this.length] = vpn;
    this.state[this.length] = state;
    this.length += 1;
  }

  taken(): { vpn: Float64Array; state: Uint8Array } {
    return { vpn: this.vpn.slice(0, this.length), state: this.state.slice(0, this.length) };
  }
}

export const compareQueries = { compareCounts, comparePages, compareHappened: happened } as const;
