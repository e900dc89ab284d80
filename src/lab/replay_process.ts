/**
 * One body of a recording while it is replayed.
 *
 * Owns      where it is, and whether it may run. In format 1 a body is a process, in format 2 a thread of one.
 */
import type { Process } from '../syscalls/process.ts';
import type { BodyDecoder } from '../trace/decode.ts';

export const RUNNING = 0;
/** For the end of `waitsFor`. */
export const WAITING = 1;
/** vfork: for the exec or the end of `waitsFor`. */
export const SUSPENDED = 2;
export const ENDED = 3;

/** A place in the recording. */
export interface Position {
  /** Page events made before it, by all. */
  readonly event: number;
  /** Whose turn it is, by its number in the recording, and how many of them were its own. */
  readonly pid: number;
  readonly own: number;
}

export class ReplayProcess {
  /** In the recording. */
  readonly pid: number;
  /** Of its process in the header, and of the body among all bodies. */
  readonly index: number;
  readonly body: number;
  readonly decoder: BodyDecoder;
  readonly process: Process;
  /** Nanoseconds of CPU that it used, and its parent before it forked. */
  time: number;
  state = RUNNING;
  waitsFor: ReplayProcess | null = null;
  hasExeced = false;
  /** Of the batch at hand, what is done. */
  done = 0;
  /** Page events that it made. */
  events = 0;
  /** The path of the call that comes next; of two, the second. */
  path = '';
  firstPath = '';
  /** An execve that has not failed yet. */
  execPending = false;
  /** Threads besides the first whose accesses are in the same body; each makes its own exit(2). */
  threads = 0;

  constructor(pid: number, index: number, body: number, decoder: BodyDecoder, process: Process, time: number) {
    this.pid = pid;
    this.index = index;
    this.body = body;
    this.decoder = decoder;
    this.process = process;
    this.time = time;
  }
}
