/**
 * A replay written down while it runs: its tracepoints as ftrace's text or trace.dat, or as a Perfetto trace.
 *
 * Owns      what is written (which events, between which steps), and in which form.
 * Promises  1. Looks only: the machine is the same with and without it.
 *           2. Same run, same bytes. Memory does not grow with the file.
 */
import { existsSync, statSync } from 'node:fs';
import { InputError } from '../mm/bug.ts';
import type { TracepointName } from '../mm/tracepoints.ts';
import type { FtraceWriter } from '../trace/ftrace.ts';
import { FtraceDat } from '../trace/ftrace_dat.ts';
import { type FtraceEvent, ftraceEvents } from '../trace/ftrace_events.ts';
import { FtraceText } from '../trace/ftrace_text.ts';
import { OutputFile } from '../trace/output.ts';
import type { RecordingHeader } from '../trace/recording.ts';
import type { Replay } from './replay.ts';
import { SHRINKER_FUNCTIONS, TraceFields } from './trace_fields.ts';
import { PerfettoWatch } from './trace_perfetto.ts';
import { TraceTasks } from './trace_tasks.ts';

export const TRACE_FORMATS = ['ftrace', 'dat', 'perfetto'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/** What is written unless somebody asks for more: what is rare enough to be kept whole. */
export const DEFAULT_TRACE_EVENTS = 'vmscan:*,oom:*,exceptions:*,writeback:*';

export interface TraceOptions {
  path: string;
  format: TraceFormat;
  /** Their names in 6.18. */
  events: ReadonlySet<string>;
  /** Page events of the recording: the first, and the one at which it ends. */
  from: number;
  to: number;
}

/** By the name's end; null: it tells none. */
export function traceFormatOf(path: string): TraceFormat | null {
  const name = path.replace(/\.gz$/, '');
  if (/\.(txt|ftrace)$/.test(name)) return 'ftrace';
  if (/\.dat$/.test(name)) return 'dat';
  return /\.(pftrace|perfetto-trace)$/.test(name) ? 'perfetto' : null;
}

/**
 * Events that a list names: globs over `system:event` or `event`, commas between. Gives what is wrong as a string: a word that names
 * none.
 */
export function traceEventsNamed(list: string): ReadonlySet<string> | string {
  const all = ftraceEvents('6.18').map(({ system, name }) => `${system}:${name}`);
  const chosen = new Set<string>();
  for (const word of list.split(',')) {
    const glob = new RegExp(
      `^${word
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
    );
    const found = all.filter((name) => glob.test(name) || glob.test(name.split(':')[1]!));
    if (word === '' || found.length === 0) return `'${word}' names no event; docs/tracing.md has the list`;
    for (const name of found) chosen.add(name.split(':')[1]!);
  }
  return chosen;
}

export class TraceOut {
  private readonly options: TraceOptions;
  private readonly out: OutputFile;
  private finishWriting: () => void = () => undefined;

  /** Opens the file, so that one that cannot be written is known before the run. */
  constructor(options: TraceOptions) {
    const { path, format } = options;
    if (existsSync(path) && !statSync(path).isFile()) throw new InputError(path, 0, 'not a file: a trace needs one');
    if (format === 'dat' && path.endsWith('.gz')) throw new InputError(path, 0, 'trace-cmd reads no packed trace.dat');
    this.options = options;
    this.out = new OutputFile(path);
  }

  /** From now on; the replay has not run yet. */
  watch(replay: Replay, header: RecordingHeader): void {
    const { machine, memcg } = replay;
    const { from, to, format } = this.options;
    const tasks = new TraceTasks(replay, header);
    const fields = new TraceFields(machine, (task) => tasks.numberOf(task));
    const events = ftraceEvents(fields.era);
    const hear =
      format === 'perfetto'
        ? this.perfetto(new PerfettoWatch(machine, memcg, this.out, tasks.kernelPid), replay, fields)
        : this.ftrace(fields, events, header);
    const end = machine.trace.listen((ns, name, values) => {
      if (name === 'flusher_begin') tasks.setFlushing(true);
      const step = from > 0 || to < Number.POSITIVE_INFINITY ? replay.position.event : 0;
      if (step >= from && step <= to) hear(ns, name, values, tasks);
      if (name === 'flusher_end') tasks.setFlushing(false);
    });
    const finish = this.finishWriting;
    this.finishWriting = () => {
      end();
      finish();
    };
  }

  finish(): void {
    this.finishWriting();
  }

  /** Nothing is left of it. */
  abandon(): void {
    this.out.abandon();
  }

  private ftrace(fields: TraceFields, events: readonly FtraceEvent[], header: RecordingHeader): Hear {
    const { era } = fields;
    const chosen = new Map(events.filter(({ key }) => this.options.events.has(key)).map((event) => [event.key, event]));
    const threads = header.ordered?.threads.length ?? header.processes.length;
    const writer: FtraceWriter =
      this.options.format === 'dat'
        ? new FtraceDat(this.out, events, threads, SHRINKER_FUNCTIONS)
        : new FtraceText(this.out, era);
    this.finishWriting = () => writer.finish();
    return (ns, name, values, tasks) => {
      const key = fields.nameOf(name, values);
      const event = key === null ? undefined : chosen.get(key);
      if (event !== undefined) writer.write(ns, tasks.current, event, fields.fields(name, values));
    };
  }

  private perfetto(watch: PerfettoWatch, replay: Replay, fields: TraceFields): Hear {
    this.finishWriting = () => watch.finish(replay.machine.clock.now);
    return (ns, name, values, tasks) => {
      watch.sampleIfDue(ns);
      const key = fields.nameOf(name, values);
      const isChosen = watch.shows(name) && (key === null || this.options.events.has(key));
      if (isChosen) watch.hear(ns, name, tasks.current, fields.fields(name, values));
    };
  }
}

type Hear = (ns: number, name: TracepointName, values: readonly number[], tasks: TraceTasks) => void;
