/**
 * What both forms of an ftrace recording have in common: a record, its task, and the place where records go.
 *
 * Promises  Records come in the order of their times; each is written when it comes, so memory does not grow.
 */
import type { FieldValues, FtraceEvent } from './ftrace_events.ts';

/** Who runs: a thread of a process, or of the kernel. */
export interface TraceTask {
  readonly tid: number;
  /** Its process; 0: it belongs to the kernel. */
  readonly tgid: number;
  readonly comm: string;
}

/** Pid 0: nobody runs. */
export const IDLE_TASK: TraceTask = { tid: 0, tgid: 0, comm: '<idle>' };

export interface FtraceWriter {
  write(atNs: number, task: TraceTask, event: FtraceEvent, of: FieldValues): void;
  /** Gives the file its name. */
  finish(): void;
}
