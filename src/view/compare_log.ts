/**
 * What happens on a machine between two steps: faults, and pages that leave.
 *
 * Owns      the log, told in the recording's own words (process, page, file), so that those of two machines can be compared.
 * Promises  1. The machine that is looked at stays where it is: another run makes the steps.
 *           2. An entry stands at the first step whose state has seen it, and the log is in order of steps.
 */
import { ProgramPlayer } from '../lab/program_player.ts';
import { Replay } from '../lab/replay.ts';
import { DROPS_PAGES } from '../lab/story.ts';
import type { Player } from '../lab/timeline.ts';
import type { Machine } from '../mm/machine.ts';
import { PG_swapcache } from '../mm/page_flags.ts';
import type { Task } from '../mm/task.ts';
import type { TracepointName } from '../mm/tracepoints.ts';
import { type Pfn, vpnOf } from '../mm/units.ts';
import type { Subject } from './subject.ts';

export const MINOR_FAULT = 1;
export const MAJOR_FAULT = 2;
/** A file page leaves the page cache, and no call asked for it. */
export const FILE_EVICTED = 3;
/** A page is written to swap. Which one it is no kernel says the same way: only how many are. */
export const SWAPPED_OUT = 4;

export interface Happened {
  /** The log is whole up to here. */
  readonly until: number;
  /** There are no more steps. */
  readonly ended: boolean;
  readonly step: Float64Array;
  readonly kind: Uint8Array;
  /** Of a fault. */
  readonly pid: Int32Array;
  /** Of a fault the virtual page, of a file page its place in the file. */
  readonly page: Float64Array;
  /** Of a file page: index into `names`. */
  readonly name: Int32Array;
  readonly names: readonly string[];
}

/** In steps (from, to]. A host does nothing. */
export function happened(subject: Subject, from: number, to: number): Happened {
  const log = new Log();
  if (subject.kind === 'host') return log.taken(to, true);
  const run = subject.timeline.scratchAt(from);
  if (run.events < from) return log.taken(run.events, true);
  const watch = new Watch(run, log, to);
  const more = run.run(to);
  watch.settle();
  return log.taken(Math.min(to, run.events), !more);
}

class Log {
  private readonly rows: { step: number; kind: number; pid: number; page: number; name: number }[] = [];
  private readonly names: Map<string, number> = new Map();

  add(step: number, kind: number, pid: number, page: number, name: string): void {
    let id = this.names.get(name);
    if (id === undefined) {
      id = this.names.size;
      this.names.set(name, id);
    }
    this.rows.push({ step, kind, pid, page, name: id });
  }

  taken(until: number, ended: boolean): Happened {
    // A fault is told when it is through, behind what it made others do.
    const rows = this.rows.sort((a, b) => a.step - b.step);
    return {
      until,
      ended,
      step: Float64Array.from(rows, (row) => row.step),
      kind: Uint8Array.from(rows, (row) => row.kind),
      pid: Int32Array.from(rows, (row) => row.pid),
      page: Float64Array.from(rows, (row) => row.page),
      name: Int32Array.from(rows, (row) => row.name),
      names: [...this.names.keys()],
    };
  }
}

interface Pending {
  readonly step: number;
  readonly task: Task;
  readonly pid: number;
  readonly vpn: number;
  readonly all: number;
  readonly major: number;
}

class Watch {
  private readonly player: Player;
  private readonly machine: Machine;
  private readonly log: Log;
  private readonly last: number;
  private pending: Pending | null = null;

  constructor(player: Player, log: Log, last: number) {
    this.player = player;
    this.machine = player.machine;
    this.log = log;
    this.last = last;
    player.machine.trace.listen((_atNs, name, values) => this.hear(name, values));
  }

  /** What happens behind the last step is of the calls that follow it, and is seen with it. */
  private get step(): number {
    return Math.min(this.last, this.player.position.event + 1);
  }

  private hear(name: TracepointName, values: readonly number[]): void {
    const { machine, log } = this;
    switch (name) {
      case 'page_fault_user': {
        this.settle();
        const task = machine.current;
        const all = task.minFlt + task.majFlt;
        this.pending = { step: this.step, task, pid: this.pid, vpn: vpnOf(values[0]!), all, major: task.majFlt };
        break;
      }
      case 'mm_filemap_delete_from_page_cache': {
        const inode = machine.inodes.get(values[0]!);
        if (inode === undefined || inode.kind !== 'disk' || this.isAskedFor) return;
        log.add(this.step, FILE_EVICTED, 0, values[2]!, inode.name);
        break;
      }
      case 'mm_vmscan_write_folio':
        if (machine.frames.has(values[0]! as Pfn, PG_swapcache)) log.add(this.step, SWAPPED_OUT, 0, 0, '');
        break;
    }
  }

  /** The program itself drops pages of the cache (truncates, closes …). */
  private get isAskedFor(): boolean {
    return this.player instanceof Replay && DROPS_PAGES.has(this.player.callUnderway);
  }

  private get pid(): number {
    const { player, machine } = this;
    if (player instanceof Replay) return player.position.pid;
    if (!(player instanceof ProgramPlayer)) return 0;
    return player.living.find(({ process }) => process.mm === machine.current.mm)?.label ?? 0;
  }

  /** A fault that starts again is counted when it is through; one that fails is not. */
  settle(): void {
    const { pending } = this;
    this.pending = null;
    if (pending === null) return;
    const { step, task, pid, vpn, all, major } = pending;
    if (task.minFlt + task.majFlt === all) return;
    this.log.add(step, task.majFlt > major ? MAJOR_FAULT : MINOR_FAULT, pid, vpn, '');
  }
}
