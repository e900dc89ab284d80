/**
 * Who runs when something happens, by the numbers of the recording.
 *
 * Owns      the pids of kernel threads, and which of the machine's tasks is which thread of the recording.
 * Promises  A pid means one task. Kernel threads have small ones that no process of the recording has: kswapd0 60, ksmd 31, khugepaged
 *           32, who writes back 40; the next free number where one is taken. A process without a number is 1000.
 *
 * The machine lets nobody in particular write back (current is idle then); between flusher_begin and flusher_end it is the flusher,
 * unless somebody else runs meanwhile.
 */
import type { Machine } from '../mm/machine.ts';
import type { Task } from '../mm/task.ts';
import { IDLE_TASK, type TraceTask } from '../trace/ftrace.ts';
import type { RecordingHeader } from '../trace/recording.ts';
import type { Replay } from './replay.ts';

const KTHREADD_PID = 2;
const FLUSHER_PID = 40;
const UNNUMBERED_PID = 1000;
const THREADS: Readonly<Record<string, number>> = { kswapd0: 60, kswapd: 60, ksmd: 31, khugepaged: 32 };
const FLUSHERS: Readonly<Record<string, string>> = {
  'linux-2.4': 'kupdated',
  'linux-2.5': 'pdflush',
  'linux-2.6': 'pdflush',
};

export class TraceTasks {
  private readonly replay: Replay;
  private readonly machine: Machine;
  private readonly known: Map<Task, TraceTask> = new Map();
  private readonly threads: readonly { readonly tid: number }[];
  private readonly pids: Set<number>;
  private readonly flusher: TraceTask;
  /** Of the process that stands for the kernel. */
  readonly kernelPid: number;
  private flushing = false;
  private unnumbered: number | null = null;

  constructor(replay: Replay, header: RecordingHeader) {
    this.replay = replay;
    this.machine = replay.machine;
    this.threads = header.ordered?.threads ?? [];
    this.pids = new Set([...header.processes.map(({ pid }) => pid), ...this.threads.map(({ tid }) => tid)]);
    const comm = FLUSHERS[this.machine.generation.family] ?? 'kworker/u2:1';
    this.flusher = this.thread(FLUSHER_PID, comm);
    this.kernelPid = this.freePid(KTHREADD_PID);
  }

  setFlushing(flushing: boolean): void {
    this.flushing = flushing;
  }

  get current(): TraceTask {
    const task = this.machine.current;
    if (task === this.machine.idle) return this.flushing ? this.flusher : IDLE_TASK;
    const known = this.known.get(task);
    // exec gives a process another name.
    if (known !== undefined && known.comm === printableComm(task.comm)) return known;
    const found = this.identify(task, known);
    this.known.set(task, found);
    return found;
  }

  /** The number of its process in the recording. */
  numberOf(task: Task): number {
    const known = this.known.get(task);
    if (known !== undefined) return known.tgid;
    const recorded = this.replay.living().find(({ process }) => process.task === task);
    return recorded === undefined ? task.pid : this.pidOf(recorded.pid);
  }

  private identify(task: Task, known: TraceTask | undefined): TraceTask {
    const comm = printableComm(task.comm);
    if (known !== undefined) return { ...known, comm };
    if (task.mm === null) return this.thread(THREADS[task.comm] ?? FLUSHER_PID, comm);
    const { running } = this.replay;
    if (running.process.task !== task) {
      const tgid = this.numberOf(task);
      return { tid: tgid, tgid, comm };
    }
    const tgid = this.pidOf(running.pid);
    const tid = this.threads[running.body]?.tid ?? 0;
    return { tid: tid === 0 ? tgid : tid, tgid, comm };
  }

  private thread(pid: number, comm: string): TraceTask {
    return { tid: this.freePid(pid), tgid: 0, comm };
  }

  /** A recording of one process may say 0, and that is nobody. */
  private pidOf(recorded: number): number {
    if (recorded !== 0) return recorded;
    this.unnumbered ??= this.freePid(UNNUMBERED_PID);
    return this.unnumbered;
  }

  private freePid(from: number): number {
    let pid = from;
    while (this.pids.has(pid)) pid += 1;
    this.pids.add(pid);
    return pid;
  }
}

/** A line of the trace holds no other line. */
function printableComm(comm: string): string {
  return comm.replace(/\p{Cc}/gu, '?');
}
