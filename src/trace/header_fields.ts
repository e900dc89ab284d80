/**
 * Fields that lines of both formats have.
 *
 * Owns      how an address, a range and a checksum are written.
 */
import type { RecordingError } from './error.ts';
import type { MapRange } from './recording.ts';

/** A line of the header is not as it should be. */
export type Refuse = (line: number, reason: string) => RecordingError;

/** End of user space in bytes: 47 bits. */
const USER_BYTES = 2 ** 47;

/** `entry 0x0000004002867b70`, into `elf`. */
export function parseElf(elf: Map<string, number>, value: string, line: number, refuse: Refuse): void {
  const [name = '', digits = ''] = value.split(' ');
  const address = /^0x[0-9a-f]{1,16}$/i.test(digits) ? Number(digits) : Number.NaN;
  if (name === '' || !(address < USER_BYTES)) throw refuse(line, `'elf NAME 0xADDRESS' expected, found '${value}'`);
  if (elf.has(name)) throw refuse(line, `a second 'elf ${name}'`);
  elf.set(name, address);
}

/** `4000000000 4000008000 r-x`. */
export function parseMap(value: string): MapRange | null {
  const match = /^([0-9a-f]{1,12}) ([0-9a-f]{1,12}) ([r-])([w-])([x-])[ps]?$/i.exec(value);
  if (match === null) return null;
  const start = Number.parseInt(match[1]!, 16);
  const end = Number.parseInt(match[2]!, 16);
  if (start % 4096 !== 0 || end % 4096 !== 0 || start >= end || end > USER_BYTES) return null;
  return { start, end, read: match[3] === 'r', write: match[4] === 'w', execute: match[5] === 'x' };
}

/** Eight hex digits. */
export function hex8(n: number): string {
  return n.toString(16).padStart(8, '0');
}
