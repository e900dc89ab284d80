/**
 * The header of a recording: what was recorded, where its memory lay at the start, which bodies follow.
 *
 * Owns      the text form of formats 1 and 2, both ways; what only format 2 has is read line by line in header_2.ts.
 * Promises  1. What parseHeader returns is whole and consistent: nobody behind it checks again.
 *           2. A header that is not is refused with its line and the reason.
 * Read      docs/recording.md for both formats, whole
 *
 *     revmap-recording 1
 *     name sqlite
 *     command /usr/bin/sqlite3 :memory: .read /data/db.sql
 *     window 32                                  accesses to the 32 last pages are left out
 *     elf entry 0x0000004002867b70               what the kernel knew about the program when it started it
 *     map 4000000000 4000008000 r--              what was mapped before the first instruction
 *     process 0 bytes 30193536 raw=314370164     one per process, 0 is the first; the bodies follow in this order
 *     end
 */
import { crc32 } from './crc32.ts';
import { RecordingError } from './error.ts';
import { Format2Lines, formatFormat2 } from './header_2.ts';
import { hex8, parseElf, parseMap, type Refuse } from './header_fields.ts';

const FIRST_LINE = /^revmap-recording ([12])$/;

/** A header may not be longer; a line neither. */
export const HEADER_BYTES = { 1: 1 << 20, 2: 1 << 24 } as const;
const LINE_BYTES = 1 << 14;
const PROCESSES = 1 << 16;

export interface MapRange {
  /** In bytes, whole pages; `end` is the first byte outside. */
  start: number;
  end: number;
  read: boolean;
  write: boolean;
  execute: boolean;
  /** Format 2: what is mapped there, unless it is anonymous memory. */
  file?: MappedFile;
}

export interface MappedFile {
  path: string;
  /** `major:minor` of the device, hex as in /proc/PID/maps, and the inode: two paths may be one file. */
  device: string;
  inode: number;
  /** Where in the file the range begins, and how long the file is. */
  offset: number;
  bytes: number;
}

export interface ProcessEntry {
  /** 0 is the process that the recorder started; others have the number that their parent's fork returned. */
  pid: number;
  /** Length of the body; in format 2, of all its threads' bodies. */
  bytes: number;
  /** What the recorder counted, as it wrote it. */
  stats: string;
}

/** A program, as it is when execve has put it into memory. */
export interface ProgramImage {
  command: string;
  /** `entry`, `start_code`, `end_data`, `brk`, `start_stack`, …: addresses by name. */
  elf: ReadonlyMap<string, number>;
  /** Ascending. */
  maps: readonly MapRange[];
}

/** One body of format 2. */
export interface ThreadEntry {
  /** Index of its process in the header. */
  process: number;
  /** The number that clone returned; that of the process for its first thread. */
  tid: number;
  /** Sum of its chunks. */
  bytes: number;
}

/** A piece of a thread's body, packed on its own. In the file they stand in the order of the table. */
export interface ChunkEntry {
  /** Index of its thread in the header. */
  thread: number;
  bytes: number;
  /** Length of its gzip member. */
  packedBytes: number;
  /** The global clock at its first event. */
  clock: number;
  /** Accesses in it. */
  events: number;
  crc32: number;
}

/** What only format 2 says. */
export interface Ordered {
  /** The programs that were run; 0 is the first. A body says when it goes on as another. */
  images: readonly ProgramImage[];
  /** Index of each process's parent in the header; -1 for the first and for orphans. */
  parents: readonly number[];
  threads: readonly ThreadEntry[];
  chunks: readonly ChunkEntry[];
  /** Why it ends before the program did, in one word (`SIGINT`); empty if it does not. */
  cutShort: string;
  /** What the recorder could not see, a sentence each. */
  unseen: readonly string[];
}

export interface RecordingHeader extends ProgramImage {
  name: string;
  recorder: string;
  /** An access is left out when its page is among so many of the last distinct ones, seen with the same class. */
  window: number;
  processes: readonly ProcessEntry[];
  /** Keys that this version does not know. */
  other: ReadonlyMap<string, string>;
  /** Format 2; absent in format 1. */
  ordered?: Ordered;
}

/** Reads the lines from `revmap-recording` to `end`; `file` is for messages. */
export function parseHeader(text: string, file: string): RecordingHeader {
  const refuse: Refuse = (line, reason) => new RecordingError(file, `line ${line}`, reason);
  const lines = text.replace(/\n$/, '').split('\n');
  const version = FIRST_LINE.exec(lines[0] ?? '')?.[1];
  if (version === undefined) {
    const other = /^revmap-recording (\d{1,9})$/.exec(lines[0] ?? '')?.[1];
    if (other !== undefined) throw refuse(1, `recording format ${other}, and this revmap reads formats 1 and 2`);
    throw refuse(1, "not a recording: the first line is not 'revmap-recording 1' or 2");
  }
  const format2 = version === '2' ? new Format2Lines(refuse) : null;
  const once = new Map<string, string>();
  const elf = new Map<string, number>();
  const maps: MapRange[] = [];
  const processes: ProcessEntry[] = [];
  /** Where each process stands, by its number. */
  const places = new Map<number, number>();
  let image: { elf: Map<string, number>; maps: MapRange[] } = { elf, maps };
  const known = new Set(['name', 'command', 'recorder', 'arch', 'pagesize', 'window', 'cut-short', 'crc32']);
  for (let at = 1; at < lines.length - 1; at++) {
    const text = lines[at]!;
    const line = at + 1;
    if (text.length > LINE_BYTES) throw refuse(line, `longer than ${LINE_BYTES} characters`);
    if (/\p{Cc}/u.test(text)) throw refuse(line, 'control character');
    const space = text.indexOf(' ');
    const key = space < 0 ? text : text.slice(0, space);
    const value = space < 0 ? '' : text.slice(space + 1);
    if (key === '') throw refuse(line, "a line is 'key value'");
    if (key === 'elf') {
      parseElf(image.elf, value, line, refuse);
    } else if (key === 'map') {
      const range = format2 === null ? parseMap(value) : format2.map(value, line);
      if (range === null) throw refuse(line, `'map START END rwx' expected, whole pages in hex, found '${value}'`);
      if (range.start < (image.maps.at(-1)?.end ?? 0)) {
        throw refuse(line, 'maps overlap or are not in ascending order');
      }
      image.maps.push(range);
    } else if (key === 'process') {
      const process = parseProcess(value, line, refuse);
      if (places.has(process.pid)) throw refuse(line, `a second process ${process.pid}`);
      if (processes.length === PROCESSES) throw refuse(line, `more than ${PROCESSES} processes`);
      places.set(process.pid, processes.length);
      processes.push(process);
    } else if (format2 !== null && key === 'image') {
      image = format2.image(value, line);
    } else if (format2 !== null && Format2Lines.KEYS.has(key)) {
      format2.take(key, value, line, places);
    } else {
      if (once.has(key)) throw refuse(line, `a second '${key}'`);
      once.set(key, value);
      checkValue(key, value, line, refuse);
    }
  }
  if (lines.at(-1) !== 'end') throw refuse(lines.length, "the header does not end with 'end'");
  for (const key of ['arch', 'pagesize']) {
    if (!once.has(key)) throw refuse(lines.length, `no '${key}' line before 'end'`);
  }
  if (processes.length === 0) throw refuse(lines.length, "no 'process' line before 'end'");
  if (!places.has(0)) throw refuse(lines.length, "no 'process 0': the first process is missing");
  const header: RecordingHeader = {
    name: once.get('name') ?? '',
    command: once.get('command') ?? '',
    recorder: once.get('recorder') ?? '',
    window: Number(once.get('window') ?? 0),
    elf,
    maps,
    processes,
    other: new Map([...once].filter(([key]) => !known.has(key))),
  };
  if (format2 === null) return header;
  checkSum(lines, once.get('crc32'), refuse);
  const first: ProgramImage = { command: header.command, elf, maps };
  return { ...header, ordered: format2.finish(first, processes, once.get('cut-short') ?? '', lines.length) };
}

function parseProcess(value: string, line: number, refuse: Refuse): ProcessEntry {
  const match = /^(\d{1,10}) bytes (\d{1,15})(?: (.*))?$/.exec(value);
  if (match === null) throw refuse(line, `'process PID bytes N' expected, found '${value}'`);
  return { pid: Number(match[1]), bytes: Number(match[2]), stats: match[3] ?? '' };
}

function checkValue(key: string, value: string, line: number, refuse: Refuse): void {
  if (key === 'arch' && value !== 'x86_64') throw refuse(line, `architecture '${value}'; x86_64 is the one we know`);
  if (key === 'pagesize' && value !== '4096') throw refuse(line, `pages of ${value} bytes; 4096 is the size we know`);
  if (key === 'window' && !/^\d{1,6}$/.test(value)) throw refuse(line, `'window N' expected, found '${value}'`);
}

/** The last line before `end` is the checksum of all before it. */
function checkSum(lines: readonly string[], found: string | undefined, refuse: Refuse): void {
  const line = lines.length - 1;
  if (found === undefined || lines[line - 1] !== `crc32 ${found}`) {
    throw refuse(lines.length, "no 'crc32' line right before 'end'");
  }
  const sum = sumOf(lines.slice(0, line - 1));
  if (found !== sum) throw refuse(line, `the header is damaged: its checksum is ${sum}, and here stands ${found}`);
}

function sumOf(lines: readonly string[]): string {
  return hex8(crc32(new TextEncoder().encode(`${lines.join('\n')}\n`)));
}

/** The text that parseHeader reads. */
export function formatHeader(header: RecordingHeader): string {
  const { ordered } = header;
  const lines = [
    `revmap-recording ${ordered === undefined ? 1 : 2}`,
    `name ${header.name}`,
    `command ${header.command}`,
    `recorder ${header.recorder}`,
    'arch x86_64',
    'pagesize 4096',
    `window ${header.window}`,
    ...[...header.other].map(([key, value]) => `${key} ${value}`),
    ...formatImage(header),
    ...header.processes.map((p) => `process ${p.pid} bytes ${p.bytes}${p.stats === '' ? '' : ` ${p.stats}`}`),
  ];
  if (ordered !== undefined) {
    lines.push(...formatFormat2(ordered, header.processes, formatImage));
    lines.push(`crc32 ${sumOf(lines)}`);
  }
  lines.push('end');
  return `${lines.join('\n')}\n`;
}

function formatImage(image: ProgramImage): string[] {
  return [
    ...[...image.elf].map(([name, address]) => `elf ${name} 0x${address.toString(16).padStart(16, '0')}`),
    ...image.maps.map((m) => {
      const range = `map ${m.start.toString(16)} ${m.end.toString(16)} ${permissions(m)}`;
      const { file } = m;
      return file === undefined
        ? range
        : `${range} ${file.offset.toString(16)} ${file.device} ${file.inode} ${file.bytes} ${file.path}`;
    }),
  ];
}

function permissions(range: MapRange): string {
  return `${range.read ? 'r' : '-'}${range.write ? 'w' : '-'}${range.execute ? 'x' : '-'}`;
}
