/**
 * What happened in a replay, and where: which page went first, who faulted at which access.
 *
 * Owns      the places of the first of each kind of event, the log of faults, a sample of the counters at each tick; which file
 *           pages were evicted, and how many of them were read again.
 * Promises  1. Places are told in the recording's own coordinates (process, and its page events so far), so that those of two
 *              kernels can be compared.
 *           2. It only looks: a machine that is watched does what it does unwatched.
 */
import type { Mm } from '../mm/mm.ts';
import { PG_swapcache } from '../mm/page_flags.ts';
import { PTRS_PER_TABLE } from '../mm/page_table.ts';
import type { Task } from '../mm/task.ts';
import type { TracepointName } from '../mm/tracepoints.ts';
import { PAGE_SIZE, type Pfn, vpnOf } from '../mm/units.ts';
import type { Vma } from '../mm/vma.ts';
import { PSWPIN, PSWPOUT } from '../mm/vmstat.ts';
import { vmaName } from '../proc/maps.ts';
import * as nr from '../trace/x86_64.ts';
import type { Replay } from './replay.ts';
import type { Position } from './replay_process.ts';

/** Kinds of events of which the first is told, in the order in which they are shown. */
export const FIRSTS = {
  kswapd: 'kswapd runs',
  reclaim: 'a program has to reclaim itself',
  file_evicted: 'a file page is evicted',
  swapped_out: 'a page is swapped out',
  swapped_in: 'a page is swapped in',
  file_read_again: 'an evicted file page is read again',
  oom_kill: 'the OOM killer strikes',
} as const;
export type FirstName = keyof typeof FIRSTS;

export interface Happening {
  /** Page events of the whole recording before it. */
  event: number;
  pid: number;
  /** Which page, if it is about one. */
  page: string | null;
}

/** A column for each counter, a row for each tick. */
export interface Samples {
  event: number[];
  minor: number[];
  major: number[];
  reclaimed: number[];
  swapped_in: number[];
  swapped_out: number[];
  read_again: number[];
}
export type SampleName = keyof Samples;

/** Faults in their order, up to FAULTS_KEPT: whose, at which of its page events, of which page, whether major. */
export interface FaultLog {
  event: number[];
  pid: number[];
  own: number[];
  vpn: number[];
  major: number[];
  /** Index into `names`, and the page of the file (or the address, in pages). */
  name: number[];
  page: number[];
  names: string[];
  /** There were more than were kept. */
  cut: boolean;
}

export interface Story {
  firsts: Record<FirstName, Happening | null>;
  samples: Samples;
  faults: FaultLog;
}

const FAULTS_KEPT = 50_000;
const FILE_INDEXES = 2 ** 32;
/** Calls that take pages out of the cache because the program says so. */
export const DROPS_PAGES: ReadonlySet<number> = new Set([
  nr.SYS_open,
  nr.SYS_openat,
  nr.SYS_creat,
  nr.SYS_close,
  nr.SYS_ftruncate,
  nr.SYS_fallocate,
  nr.SYS_fadvise64,
  nr.SYS_unlink,
  nr.SYS_unlinkat,
  nr.SYS_munmap,
]);

interface PendingFault {
  readonly at: Position;
  readonly task: Task;
  readonly vpn: number;
  readonly major: number;
  readonly all: number;
  readonly swappedIn: number;
}

export class StoryWatch {
  /** Evicted file pages that came back. */
  fileReadAgain = 0;
  private readonly replay: Replay;
  private readonly firsts: Record<FirstName, Happening | null>;
  private readonly samples: Samples = {
    event: [],
    minor: [],
    major: [],
    reclaimed: [],
    swapped_in: [],
    swapped_out: [],
    read_again: [],
  };
  private readonly faults: FaultLog = {
    event: [],
    pid: [],
    own: [],
    vpn: [],
    major: [],
    name: [],
    page: [],
    names: [],
    cut: false,
  };
  private readonly nameIds: Map<string, number> = new Map();
  /** File pages that are out: inode * 2^32 + index. */
  private readonly evicted: Set<number> = new Set();
  private pending: PendingFault | null = null;

  constructor(replay: Replay) {
    this.replay = replay;
    this.firsts = Object.fromEntries(Object.keys(FIRSTS).map((name) => [name, null])) as Record<FirstName, null>;
    replay.machine.trace.listen((_atNs, name, values) => this.hear(name, values));
  }

  get story(): Story {
    this.settle();
    return { firsts: this.firsts, samples: this.samples, faults: this.faults };
  }

  /** At every tick. */
  tick(): void {
    this.settle();
    const { samples, replay } = this;
    const { events, work } = replay.machine;
    const { minor, major } = replay.faults;
    samples.event.push(replay.events);
    samples.minor.push(minor);
    samples.major.push(major);
    samples.reclaimed.push(work.pagesReclaimed);
    samples.swapped_in.push(events[PSWPIN]!);
    samples.swapped_out.push(events[PSWPOUT]!);
    samples.read_again.push(this.fileReadAgain);
  }

  private hear(name: TracepointName, values: readonly number[]): void {
    switch (name) {
      case 'page_fault_user':
        this.fault(values[0]!);
        break;
      case 'mm_vmscan_kswapd_wake':
        this.first('kswapd', null);
        break;
      case 'mm_vmscan_direct_reclaim_begin':
      case 'mm_vmscan_memcg_reclaim_begin':
        this.first('reclaim', null);
        break;
      case 'mm_vmscan_write_folio':
        this.written(values[0]! as Pfn);
        break;
      case 'mm_filemap_delete_from_page_cache':
        this.deleted(values[0]!, values[2]!);
        break;
      case 'mm_filemap_add_to_page_cache':
        this.added(values[0]!, values[2]!);
        break;
      case 'oom_kill':
        this.first('oom_kill', `process ${this.recordedPid(values[0]!)}`);
        break;
    }
  }

  private first(name: FirstName, page: string | null): void {
    if (this.firsts[name] !== null) return;
    const { event, pid } = this.replay.position;
    this.firsts[name] = { event, pid, page };
  }

  // faults

  private fault(address: number): void {
    this.settle();
    const { machine, position } = this.replay;
    const task = machine.current;
    const vpn = vpnOf(address);
    const all = task.minFlt + task.majFlt;
    this.pending = { at: position, task, vpn, major: task.majFlt, all, swappedIn: machine.events[PSWPIN]! };
  }

  /** What has become of the last fault. One that starts again is counted when it is through. */
  private settle(): void {
    const { pending, replay } = this;
    const { events } = replay.machine;
    if (this.firsts.swapped_out === null && events[PSWPOUT]! > 0) this.first('swapped_out', null);
    if (pending === null) return;
    this.pending = null;
    const { at, task, vpn } = pending;
    const swappedIn = this.firsts.swapped_in === null && events[PSWPIN]! > pending.swappedIn;
    const counted = task.minFlt + task.majFlt > pending.all;
    if (!swappedIn && !counted) return;
    const { name, page } = this.nameAt(task.mm, vpn);
    if (swappedIn) this.firsts.swapped_in = { event: at.event, pid: at.pid, page: pageText(name, page) };
    if (!counted) return;
    const { faults } = this;
    if (faults.event.length === FAULTS_KEPT) {
      faults.cut = true;
      return;
    }
    faults.event.push(at.event);
    faults.pid.push(at.pid);
    faults.own.push(at.own);
    faults.vpn.push(vpn);
    faults.major.push(task.majFlt > pending.major ? 1 : 0);
    faults.name.push(this.nameId(name));
    faults.page.push(page);
  }

  private nameId(name: string): number {
    let id = this.nameIds.get(name);
    if (id === undefined) {
      id = this.faults.names.push(name) - 1;
      this.nameIds.set(name, id);
    }
    return id;
  }

  // pages

  private deleted(ino: number, index: number): void {
    const { replay } = this;
    const inode = replay.machine.inodes.get(ino);
    if (inode === undefined || inode.kind !== 'disk' || DROPS_PAGES.has(replay.callUnderway)) return;
    this.evicted.add(ino * FILE_INDEXES + index);
    this.first('file_evicted', pageText(inode.name, index));
  }

  private added(ino: number, index: number): void {
    if (!this.evicted.delete(ino * FILE_INDEXES + index)) return;
    this.fileReadAgain += 1;
    if (this.firsts.file_read_again !== null) return;
    this.first('file_read_again', pageText(this.replay.machine.inodes.get(ino)?.name ?? '', index));
  }

  private written(pfn: Pfn): void {
    const { frames } = this.replay.machine;
    if (this.firsts.swapped_out !== null || !frames.has(pfn, PG_swapcache)) return;
    this.first('swapped_out', this.ownerOf(pfn));
  }

  /** Whose page has this frame or its slot: not by the reverse map, which not every kernel has, but by a look at all entries. */
  private ownerOf(pfn: Pfn): string | null {
    const { machine } = this.replay;
    const { pageTables, frames } = machine;
    const entry = frames.private_(pfn);
    for (const { process } of this.replay.living()) {
      const { mm } = process;
      for (const vma of mm.vmas) {
        let vpn = pageTables.nextTable(mm.pageTables, vma.vmStart, vma.vmEnd) as number;
        while (vpn < vma.vmEnd) {
          const end = Math.min(vma.vmEnd, (Math.floor(vpn / PTRS_PER_TABLE) + 1) * PTRS_PER_TABLE);
          const slot = pageTables.slotOf(mm.pageTables, vpn as never);
          for (let i = 0; i < end - vpn; i++) {
            const here = pageTables.isPresent(slot + i)
              ? pageTables.pfn(slot + i) === pfn
              : pageTables.isSwap(slot + i) && pageTables.swapEntry(slot + i) === entry;
            if (!here) continue;
            const { name, page } = nameIn(machine, vma, vpn + i);
            return pageText(name, page);
          }
          vpn = pageTables.nextTable(mm.pageTables, end as never, vma.vmEnd);
        }
      }
    }
    return null;
  }

  private nameAt(mm: Mm | null, vpn: number): { name: string; page: number } {
    const vma = mm?.vmas.findExact(vpn as never) ?? null;
    return vma === null ? { name: '', page: vpn } : nameIn(this.replay.machine, vma, vpn);
  }

  /** The number in the recording of a process of the machine. */
  private recordedPid(pid: number): number | string {
    return this.replay.living().find(({ process }) => process.pid === pid)?.pid ?? '?';
  }
}

/** Of a file its page, of anonymous memory its address. */
function nameIn(machine: Replay['machine'], vma: Vma, vpn: number): { name: string; page: number } {
  const name = vmaName(machine, vma);
  return vma.vmFile === null ? { name, page: vpn } : { name, page: vpn - vma.vmStart + vma.vmPgoff };
}

/** `/lib/libc.so.6 page 12`, `[heap] 0x4000051000`, `anonymous 0x40028a2000`. */
export function pageText(name: string, page: number): string {
  if (name.startsWith('/')) return `${name} page ${page}`;
  return `${name === '' ? 'anonymous' : name} 0x${(page * PAGE_SIZE).toString(16)}`;
}
