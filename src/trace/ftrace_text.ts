/**
 * A recording as /sys/kernel/tracing/trace shows it.
 *
 * Owns      the header, and the columns of a line.
 * Promises  1. Byte for byte the kernel's form: of 6.x with five flags, of 3.16 with four. Only the line that counts entries ends in
 *              blanks, for it is written first and known last.
 *           2. Times are the machine's clock.
 * Linux     6.18, 3.16 kernel/trace/trace.c: print_func_help_header_irq; kernel/trace/trace_output.c: trace_print_context
 *           trace_print_lat_fmt
 */
import type { FtraceWriter, TraceTask } from './ftrace.ts';
import {
  type FieldValues,
  type FtraceEra,
  type FtraceEvent,
  type PrintPlan,
  printEvent,
  printPlan,
} from './ftrace_events.ts';
import type { OutputFile } from './output.ts';

const COUNT_COLUMNS = 80;
const HEADER_6 = `#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`;
const HEADER_3 = `#                              _-----=> irqs-off
#                             / _----=> need-resched
#                            | / _---=> hardirq/softirq
#                            || / _--=> preempt-depth
#                            ||| /     delay
#           TASK-PID   CPU#  ||||    TIMESTAMP  FUNCTION
#              | |       |   ||||       |         |
`;

export class FtraceText implements FtraceWriter {
  private readonly out: OutputFile;
  private readonly pidColumns: number;
  private readonly flagColumns: number;
  private readonly header: string;
  private readonly plans: Map<FtraceEvent, PrintPlan> = new Map();
  private entries = 0;

  constructor(out: OutputFile, era: FtraceEra) {
    this.out = out;
    this.pidColumns = era === '3.16' ? 5 : 7;
    this.flagColumns = era === '3.16' ? 4 : 5;
    this.header = era === '3.16' ? HEADER_3 : HEADER_6;
    out.front(this.front());
  }

  write(atNs: number, task: TraceTask, event: FtraceEvent, of: FieldValues): void {
    this.entries += 1;
    let plan = this.plans.get(event);
    if (plan === undefined) {
      plan = printPlan(event.print);
      this.plans.set(event, plan);
    }
    const pid = String(task.tid).padEnd(this.pidColumns);
    const flags = event.flags.slice(0, this.flagColumns);
    const line = `${task.comm.padStart(16)}-${pid} [000] ${flags} ${seconds(atNs)}: ${event.name}: `;
    this.out.line(line + printEvent(event, plan, of));
  }

  finish(): void {
    this.out.front(this.front());
    this.out.finish();
  }

  private front(): string {
    const counted = `# entries-in-buffer/entries-written: ${this.entries}/${this.entries}   #P:1`.padEnd(COUNT_COLUMNS);
    return `# tracer: nop\n#\n${counted}\n#\n${this.header}`;
  }
}

/** `  995.104642`: nanoseconds in seconds, to the nearest microsecond (ns2usecs). */
function seconds(ns: number): string {
  const usec = Math.floor((Math.floor(ns) + 500) / 1000);
  const rest = usec % 1_000_000;
  return `${String((usec - rest) / 1_000_000).padStart(5)}.${String(rest).padStart(6, '0')}`;
}
