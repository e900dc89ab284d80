/**
 * The header of a recording: what was recorded, where its memory lay at the start, which bodies follow.
 *
 * Owns      the text form of `revmap-recording 1`, both ways.
 * Promises  1. What parseHeader returns is whole and consistent: nobody behind it checks again.
 *           2. A header that is not is refused with its line and the reason.
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
import { RecordingError } from './error.ts';

export const RECORDING_VERSION = 1;
const FIRST_LINE = /^revmap-recording (\d+)$/;

/** A header may not be longer; a line neither. */
export const HEADER_BYTES = 1 << 20;
const LINE_BYTES = 1 << 14;
const PROCESSES = 4096;

/** End of user space in bytes: 47 bits. */
const USER_BYTES = 2 ** 47;

export interface MapRange {
  /** In bytes, whole pages; `end` is the first byte outside. */
  start: number;
  end: number;
  read: boolean;
  write: boolean;
  execute: boolean;
}

export interface ProcessEntry {
  /** 0 is the process that the recorder started; others have the number that their parent's fork returned. */
  pid: number;
  /** Length of the body. */
  bytes: number;
  /** What the recorder counted, as it wrote it. */
  stats: string;
}

export interface RecordingHeader {
  name: string;
  command: string;
  recorder: string;
  /** An access is left out when its page is among so many of the last distinct ones, seen with the same class. */
  window: number;
  /** `entry`, `start_code`, `end_data`, `brk`, `start_stack`, …: addresses by name. */
  elf: ReadonlyMap<string, number>;
  /** Ascending. */
  maps: readonly MapRange[];
  processes: readonly ProcessEntry[];
  /** Keys that this version does not know. */
  other: ReadonlyMap<string, string>;
}

/** Reads the lines from `revmap-recording 1` to `end`; `file` is for messages. */
export function parseHeader(text: string, file: string): RecordingHeader {
  const refuse = (line: number, reason: string) => new RecordingError(file, `line ${line}`, reason);
  const lines = text.replace(/\n$/, '').split('\n');
  const version = FIRST_LINE.exec(lines[0] ?? '')?.[1];
  if (version === undefined) throw refuse(1, "not a recording: the first line is not 'revmap-recording 1'");
  if (Number(version) !== RECORDING_VERSION) {
    throw refuse(1, `recording format ${version}, and this revmap reads format ${RECORDING_VERSION}`);
  }
  const once = new Map<string, string>();
  const elf = new Map<string, number>();
  const maps: MapRange[] = [];
  const processes: ProcessEntry[] = [];
  const known = new Set(['name', 'command', 'recorder', 'arch', 'pagesize', 'window']);
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
      const [name = '', digits = ''] = value.split(' ');
      const address = /^0x[0-9a-f]{1,16}$/i.test(digits) ? Number(digits) : Number.NaN;
      if (name === '' || !(address < USER_BYTES)) throw refuse(line, `'elf NAME 0xADDRESS' expected, found '${value}'`);
      if (elf.has(name)) throw refuse(line, `a second 'elf ${name}'`);
      elf.set(name, address);
    } else if (key === 'map') {
      const range = parseMap(value);
      if (range === null) throw refuse(line, `'map START END rwx' expected, whole pages in hex, found '${value}'`);
      if (range.start < (maps.at(-1)?.end ?? 0)) throw refuse(line, 'maps overlap or are not in ascending order');
      maps.push(range);
    } else if (key === 'process') {
      const match = /^(\d{1,10}) bytes (\d{1,15})(?: (.*))?$/.exec(value);
      if (match === null) throw refuse(line, `'process PID bytes N' expected, found '${value}'`);
      const pid = Number(match[1]);
      if (processes.some((p) => p.pid === pid)) throw refuse(line, `a second process ${pid}`);
      if (processes.length === PROCESSES) throw refuse(line, `more than ${PROCESSES} processes`);
      processes.push({ pid, bytes: Number(match[2]), stats: match[3] ?? '' });
    } else {
      if (once.has(key)) throw refuse(line, `a second '${key}'`);
      once.set(key, value);
      if (key === 'arch' && value !== 'x86_64')
        throw refuse(line, `architecture '${value}'; x86_64 is the one we know`);
      if (key === 'pagesize' && value !== '4096')
        throw refuse(line, `pages of ${value} bytes; 4096 is the size we know`);
      if (key === 'window' && !/^\d{1,6}$/.test(value)) throw refuse(line, `'window N' expected, found '${value}'`);
    }
  }
  if (lines.at(-1) !== 'end') throw refuse(lines.length, "the header does not end with 'end'");
  for (const key of ['arch', 'pagesize']) {
    if (!once.has(key)) throw refuse(lines.length, `no '${key}' line before 'end'`);
  }
  if (processes.length === 0) throw refuse(lines.length, "no 'process' line before 'end'");
  if (!processes.some((p) => p.pid === 0)) throw refuse(lines.length, "no 'process 0': the first process is missing");
  return {
    name: once.get('name') ?? '',
    command: once.get('command') ?? '',
    recorder: once.get('recorder') ?? '',
    window: Number(once.get('window') ?? 0),
    elf,
    maps,
    processes,
    other: new Map([...once].filter(([key]) => !known.has(key))),
  };
}

function parseMap(value: string): MapRange | null {
  const match = /^([0-9a-f]{1,12}) ([0-9a-f]{1,12}) ([r-])([w-])([x-])[ps]?$/i.exec(value);
  if (match === null) return null;
  const start = Number.parseInt(match[1]!, 16);
  const end = Number.parseInt(match[2]!, 16);
  if (start % 4096 !== 0 || end % 4096 !== 0 || start >= end || end > USER_BYTES) return null;
  return { start, end, read: match[3] === 'r', write: match[4] === 'w', execute: match[5] === 'x' };
}

/** The text that parseHeader reads. */
export function formatHeader(header: RecordingHeader): string {
  const lines = [
    `revmap-recording ${RECORDING_VERSION}`,
    `name ${header.name}`,
    `command ${header.command}`,
    `recorder ${header.recorder}`,
    'arch x86_64',
    'pagesize 4096',
    `window ${header.window}`,
    ...[...header.other].map(([key, value]) => `${key} ${value}`),
    ...[...header.elf].map(([name, address]) => `elf ${name} 0x${address.toString(16).padStart(16, '0')}`),
    ...header.maps.map((m) => `map ${m.start.toString(16)} ${m.end.toString(16)} ${permissions(m)}`),
    ...header.processes.map((p) => `process ${p.pid} bytes ${p.bytes}${p.stats === '' ? '' : ` ${p.stats}`}`),
    'end',
  ];
  return `${lines.join('\n')}\n`;
}

function permissions(range: MapRange): string {
  return `${range.read ? 'r' : '-'}${range.write ? 'w' : '-'}${range.execute ? 'x' : '-'}`;
}
