/**
 * Who is who in a log that names processes by the kernel's numbers.
 *
 * Owns      which number each process has in the recording: 0 for the first, its pid for others, and if the kernel gave a pid
 *           a second time, the pid and a multiple of PID_MAX.
 * Promises  A process is one life of a pid. It may speak before its parent's fork says that it is there.
 */

import type { BodySink, RecordingSink } from './sink.ts';
import { WindowedAccesses } from './window.ts';

/** Linux gives no higher ones (PID_MAX_LIMIT). */
export const PID_MAX: number = 2 ** 22;
/** As many as a recording may have. */
const PROCESSES = 4096;

export interface LoggedProcess {
  /** In the recording. */
  readonly number: number;
  /** In the log. */
  pid: number;
  readonly body: BodySink;
  readonly accesses: WindowedAccesses;
  /** Somebody's fork returned it. */
  isForked: boolean;
  /** Its number may be somebody else's now. */
  hasEnded: boolean;
  /** Its last call was seen. */
  hasExited: boolean;
  calls: number;
}

export class Processes {
  readonly all: LoggedProcess[] = [];
  /** Of children, by numbers in the recording. */
  readonly parents: Map<number, number> = new Map();
  private readonly sink: RecordingSink;
  /** The last life of each pid; a thread's number leads to its process. */
  private readonly byPid: Map<number, LoggedProcess> = new Map();
  private readonly lives: Map<number, number> = new Map();
  private readonly tooMany: () => Error;

  /** `tooMany` makes the error that says so. */
  constructor(sink: RecordingSink, tooMany: () => Error) {
    this.sink = sink;
    this.tooMany = tooMany;
  }

  /** Who says something now. 0: the first one, who has not said his number yet. */
  of(pid: number): LoggedProcess {
    const found = this.byPid.get(pid);
    return found === undefined || found.hasEnded ? this.begin(pid) : found;
  }

  /** The number in the recording of whom a fork returned. */
  forked(parent: LoggedProcess, pid: number): number {
    const found = this.byPid.get(pid);
    const child = found === undefined || found.isForked ? this.begin(pid) : found;
    child.isForked = true;
    this.parents.set(child.number, parent.number);
    return child.number;
  }

  hasEnded(pid: number): boolean {
    return this.byPid.get(pid)?.hasEnded === true;
  }

  isAlive(pid: number): boolean {
    return this.byPid.get(pid)?.hasEnded === false;
  }

  /** The process whose number this is; undefined if it is a thread's, which goes away now, or nobody's. */
  leader(pid: number): LoggedProcess | undefined {
    const process = this.byPid.get(pid);
    if (process === undefined || process.pid === pid) return process;
    this.byPid.delete(pid);
    return undefined;
  }

  /** The first one, if he has not said his number yet, is this one. */
  introduce(pid: number): void {
    const first = this.all[0];
    if (first?.pid !== 0) return;
    this.byPid.delete(0);
    this.byPid.set(pid, first);
    this.lives.set(pid, 1);
    first.pid = pid;
  }

  /** A thread of `process`, which logs under its own number. */
  thread(process: LoggedProcess, tid: number): void {
    this.byPid.set(tid, process);
  }

  /** The number in the recording of whom wait4 returned. */
  waited(pid: number): number {
    return this.byPid.get(pid)?.number ?? pid;
  }

  end(): void {
    for (const process of this.all) process.accesses.end();
  }

  /** What was counted, by number in the recording. */
  stats(): Map<number, string> {
    return new Map(
      this.all.map(({ number, accesses: { total, counts }, calls }) => [
        number,
        `raw=${total} fetches=${counts[0]} reads=${counts[1]} writes=${counts[2]} syscalls=${calls}`,
      ]),
    );
  }

  private begin(pid: number): LoggedProcess {
    if (this.all.length === PROCESSES) throw this.tooMany();
    const life = this.lives.get(pid) ?? 0;
    this.lives.set(pid, life + 1);
    const isFirst = this.all.length === 0;
    const number = isFirst ? 0 : pid + life * PID_MAX;
    const body = this.sink.process(number);
    const accesses = new WindowedAccesses(body);
    const process = { number, pid, body, accesses, isForked: isFirst, hasEnded: false, hasExited: false, calls: 0 };
    this.all.push(process);
    this.byPid.set(pid, process);
    return process;
  }
}
