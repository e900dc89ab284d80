/**
 * A recording as trace-cmd and KernelShark read it: trace.dat, version 6.
 *
 *   magic, "6", byte order, size of long, page size        these in front, up to a multiple of a page:
 *   header_page, header_event                              the ring buffer's own formats
 *   no formats of ftrace itself
 *   by system: the format of each event                    written from ftrace_events.ts
 *   kallsyms, no trace_printk strings
 *   saved_cmdlines, with room for names not known yet
 *   CPUs, options, "flyrecord", place and size of CPU 0's pages
 *   ───────────────────────────────────────────
 *   pages of the ring buffer: time, bytes used, records
 *
 * Owns      the file's front and the layout of pages.
 * Promises  1. Times are exact to the nanosecond. A page is written when it is full.
 *           2. The front is written first with blanks, and again at the end with what was not known.
 * Linux     6.18 kernel/trace/ring_buffer.c: ring_buffer_event rb_event_length buffer_data_page; trace-cmd.dat.v6(5)
 */
import type { FtraceWriter, TraceTask } from './ftrace.ts';
import type { FieldValue, FieldValues, FtraceEvent, FtraceField } from './ftrace_events.ts';
import { pageAddress } from './ftrace_events.ts';
import type { OutputFile } from './output.ts';

const PAGE = 4096;
const PAGE_HEADER = 16;
const TYPE_DATA_MAX = 28;
const TYPE_TIME_EXTEND = 30;
const DELTA_BITS = 2 ** 27;
const COMM_BYTES = 32;
/** Kernel threads beside the recording's own. */
const MORE_TASKS = 32;
/** Numbers of events begin here, as in kernels: the first ones are ftrace's own. */
const FIRST_EVENT = 100;
/** Where kernel functions that records point to are said to be. */
const TEXT = 0xffffffff81000000n;

const HEADER_PAGE = `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
`;
const HEADER_EVENT = `# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
`;
const COMMON = `\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;
`;

export class FtraceDat implements FtraceWriter {
  private readonly out: OutputFile;
  private readonly events: readonly FtraceEvent[];
  private readonly numbers: Map<FtraceEvent, number>;
  private readonly functions: readonly string[];
  private readonly names: Map<number, string> = new Map();
  private readonly room: number;
  private frontBytes = 0;
  private pages = 0;
  /** The page at hand. */
  private readonly page: Buffer = Buffer.alloc(PAGE);
  private at = PAGE_HEADER;
  private lastNs = 0;

  /** `tasks`: how many threads may come; `functions`: kernel functions that fields of type `void *` name. */
  constructor(out: OutputFile, events: readonly FtraceEvent[], tasks: number, functions: readonly string[]) {
    this.out = out;
    this.events = events;
    this.numbers = new Map(events.map((event, i) => [event, FIRST_EVENT + i]));
    this.functions = functions;
    this.room = (tasks + MORE_TASKS) * COMM_BYTES;
    this.frontBytes = Math.ceil(this.front().length / PAGE) * PAGE;
    this.putFront();
  }

  write(atNs: number, task: TraceTask, event: FtraceEvent, of: FieldValues): void {
    if (task.tid !== 0) this.names.set(task.tid, task.comm);
    const text = event.fields.find((field) => field.type === '__data_loc char[]');
    const string = text === undefined ? '' : `${of[text.name]}\0`;
    const bytes = Math.ceil((event.bytes + Buffer.byteLength(string)) / 4) * 4;
    const ns = Math.floor(atNs);
    // At worst a time extension of 8 bytes, and a header with a length of its own.
    if (this.at + 16 + bytes > PAGE) this.flushPage();
    if (this.at === PAGE_HEADER) this.page.writeBigUInt64LE(BigInt(ns), 0);
    const delta = this.at === PAGE_HEADER ? 0 : ns - this.lastNs;
    this.lastNs = ns;
    const start = this.header(bytes, delta);
    this.page.fill(0, start, start + bytes);
    this.common(start, event, task);
    for (const field of event.fields) {
      if (field !== text) this.put(start, field, of[field.name]!);
      else this.page.writeUInt32LE(event.bytes + Buffer.byteLength(string) * 65536, start + field.offset);
    }
    if (string !== '') this.page.write(string, start + event.bytes);
    this.at = start + bytes;
  }

  finish(): void {
    if (this.at > PAGE_HEADER) this.flushPage();
    this.putFront();
    this.out.finish();
  }

  // records

  /** The ring buffer's header; where the record begins. */
  private header(bytes: number, delta: number): number {
    const { page } = this;
    let at = this.at;
    if (delta >= DELTA_BITS) {
      page.writeUInt32LE((delta % DELTA_BITS) * 32 + TYPE_TIME_EXTEND, at);
      page.writeUInt32LE(Math.floor(delta / DELTA_BITS), at + 4);
      at += 8;
    }
    const words = bytes / 4;
    const short = delta >= DELTA_BITS ? 0 : delta;
    page.writeUInt32LE(short * 32 + (words <= TYPE_DATA_MAX ? words : 0), at);
    if (words <= TYPE_DATA_MAX) return at + 4;
    page.writeUInt32LE(bytes + 4, at + 4);
    return at + 8;
  }

  /** `d..1.`: interrupts are off, preemption is disabled once. */
  private common(at: number, event: FtraceEvent, task: TraceTask): void {
    this.page.writeUInt16LE(this.numbers.get(event)!, at);
    this.page.writeUInt8(event.flags[0] === 'd' ? 1 : 0, at + 2);
    this.page.writeUInt8(Number(event.flags[3]!.replace('.', '0')), at + 3);
    this.page.writeInt32LE(task.tid, at + 4);
  }

  private put(start: number, field: FtraceField, value: FieldValue): void {
    const at = start + field.offset;
    if (field.bytes === 8) this.page.writeBigUInt64LE(BigInt.asUintN(64, this.wide(field, value)), at);
    else if (field.bytes === 4) this.page.writeInt32LE((value as number) | 0, at);
    else if (field.bytes === 2) this.page.writeInt16LE(value as number, at);
    else this.page.writeUInt8(value as number, at);
  }

  private wide(field: FtraceField, value: FieldValue): bigint {
    if (field.type === 'struct page *' || field.type === 'struct folio *')
      return BigInt(`0x${pageAddress(value as number)}`);
    if (field.type === 'void *') return functionAddress(this.functions, value as string);
    return typeof value === 'string' ? BigInt(`0x${value}`) : BigInt(value);
  }

  private flushPage(): void {
    const { page } = this;
    page.writeBigUInt64LE(BigInt(this.at - PAGE_HEADER), 8);
    page.fill(0, this.at);
    const { piece, at } = this.out.room(PAGE);
    page.copy(piece, at);
    this.pages += 1;
    this.at = PAGE_HEADER;
  }

  // the front

  private putFront(): void {
    const front = Buffer.alloc(this.frontBytes);
    this.front().copy(front);
    this.out.front(front);
  }

  private front(): Buffer {
    const parts: Buffer[] = [];
    const text = (s: string): void => void parts.push(Buffer.from(s, 'latin1'));
    const sized = (s: string, bytes: 4 | 8): void => {
      const body = Buffer.from(s);
      parts.push(bytes === 8 ? u64(body.length) : u32(body.length), body);
    };
    text('\x17\x08\x44tracing6\0');
    parts.push(Buffer.from([0, 8]), u32(PAGE));
    text('header_page\0');
    sized(HEADER_PAGE, 8);
    text('header_event\0');
    sized(HEADER_EVENT, 8);
    parts.push(u32(0));
    const systems = [...new Set(this.events.map((event) => event.system))];
    parts.push(u32(systems.length));
    for (const system of systems) {
      const inside = this.events.filter((event) => event.system === system);
      text(`${system}\0`);
      parts.push(u32(inside.length));
      for (const event of inside) sized(formatOf(event, this.numbers.get(event)!), 8);
    }
    sized(
      this.functions.map((name) => `${functionAddress(this.functions, name).toString(16)} t ${name}\n`).join(''),
      4,
    );
    sized('', 4);
    sized(this.cmdlines(), 8);
    parts.push(u32(1));
    text('options  \0');
    parts.push(Buffer.from([0, 0]));
    text('flyrecord\0');
    parts.push(u64(this.frontBytes), u64(this.pages * PAGE));
    return Buffer.concat(parts);
  }

  /** Lines of pid and name; empty lines are the rest of the room. */
  private cmdlines(): string {
    const lines = [...this.names].map(([tid, comm]) => `${tid} ${comm}\n`).join('');
    const bytes = Buffer.byteLength(lines);
    return bytes > this.room
      ? lines.slice(0, lines.lastIndexOf('\n', this.room - 1) + 1)
      : lines + '\n'.repeat(this.room - bytes);
  }
}

/** The format file of an event, as tracefs shows it. */
export function formatOf(event: FtraceEvent, number: number): string {
  const fields = event.fields
    .map(
      ({ type, name, offset, bytes, signed }) =>
        `\tfield:${type} ${name};\toffset:${offset};\tsize:${bytes};\tsigned:${signed ? 1 : 0};\n`,
    )
    .join('');
  const args = event.args.map((arg) => `, ${arg.code}`).join('');
  return `name: ${event.name}\nID: ${number}\nformat:\n${COMMON}\n${fields}\nprint fmt: "${event.print}"${args}\n`;
}

function functionAddress(functions: readonly string[], name: string): bigint {
  return TEXT + BigInt(functions.indexOf(name) + 1) * 4096n;
}

function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
}

function u64(n: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(n));
  return bytes;
}
