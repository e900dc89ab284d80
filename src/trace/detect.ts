/**
 * What kind of input this is, by its first bytes.
 *
 * Owns      the order of guesses: a recording's first line; binary records that can be none else; the first line of text that is
 *           lackey's or strace's; numbers in columns.
 * Promises  What is none of them is not guessed at.
 */
import { isNextAccess, ORACLE_BYTES, vscsiVersion } from './cache_binary.ts';
import type { Columns } from './cache_text.ts';

export const INPUT_KINDS = ['lackey', 'strace', 'oracleGeneral', 'vscsi', 'csv', 'txt'] as const;
export type InputKind = (typeof INPUT_KINDS)[number];

/** What `--format` says. */
export interface InputFormat {
  kind: InputKind;
  /** Of csv; null: by its head or by how many there are. */
  columns: Columns | null;
}

/** So many bytes are looked at. */
export const DETECT_BYTES: number = 1 << 16;
const RECORDS = 200;
/** Of text that is perhaps in columns. */
const ROWS = 20;

/** `csv`, `csv:id=5,size=4`; a sentence if it is none. */
export function parseFormat(text: string): InputFormat | string {
  const [name = '', columns] = text.split(':', 2);
  const kind = INPUT_KINDS.find((known) => known.toLowerCase() === name.toLowerCase());
  if (kind === undefined) return `one of ${INPUT_KINDS.join(', ')}`;
  if (columns === undefined) return { kind, columns: null };
  const match = /^id=([1-9]\d?)(?:,size=([1-9]\d?))?$/.exec(columns);
  if (match === null || kind !== 'csv') return 'csv may have columns, counted from 1: csv:id=2 or csv:id=2,size=3';
  return { kind, columns: { id: Number(match[1]), size: Number(match[2] ?? 0) } };
}

/** The start of an input that is no recording, and whether that is all of it. Null: nobody's. */
export function detect(start: Uint8Array, isAll: boolean): InputKind | null {
  if (!isText(start)) return binary(start);
  const lines = Buffer.from(start.buffer, start.byteOffset, start.length)
    .toString('latin1')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''));
  // The last one may go on behind what we see.
  if (!isAll && lines.length > 1) lines.pop();
  for (const line of lines) {
    if (LACKEY.test(line)) return 'lackey';
    if (STRACE.test(line.slice(0, 200))) return 'strace';
  }
  return columnsOf(lines.filter((line) => line !== '' && !line.startsWith('#')));
}

/** In the order of oracleGeneral's numbers, but most significant byte first. */
export function isBigEndianOracle(start: Uint8Array): boolean {
  return isOracle(start, false);
}

const LACKEY =
  /^(?:I {2}| [LSM] )[0-9a-f]{1,16},\d{1,5}$|^SYSCALL\[\d{1,10},\d{1,10}\]\(|^==\d{1,10}== Lackey, |^--\d{1,10}:1: *debuglog /;
const STRACE =
  /^(?:\[pid +\d{1,10}\] +|\d{1,10} +)?(?: {0,16}[0-9:.]{1,24} +)?(?:[a-z_][a-z0-9_]{1,40}\(.*|<\.\.\. [a-z0-9_]+ resumed>.*|\+\+\+ (?:exited|killed).*|--- SIG[A-Z].*)$/;

function isText(bytes: Uint8Array): boolean {
  for (const byte of bytes.subarray(0, 1 << 12)) if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) return false;
  return true;
}

function binary(start: Uint8Array): InputKind | null {
  if (vscsiVersion(start) > 0) return 'vscsi';
  return isOracle(start, true) ? 'oracleGeneral' : null;
}

function isOracle(start: Uint8Array, littleEndian: boolean): boolean {
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  const records = Math.min(RECORDS, Math.floor(start.length / ORACLE_BYTES));
  let isEmpty = true;
  for (let i = 0; i < records; i++) {
    const at = i * ORACLE_BYTES;
    if (!isNextAccess(view, at, littleEndian)) return false;
    if (view.getUint32(at + 12, littleEndian) > 0) isEmpty = false;
  }
  // Zeros are no trace: all its requests would be for nothing.
  return !isEmpty;
}

/** Numbers, alone or with a delimiter; the first line may be a head. */
function columnsOf(lines: readonly string[]): InputKind | null {
  const rows = lines.slice(0, ROWS).map((line) => line.split(/[\t,;| ]/).map((field) => field.trim()));
  const isRow = (fields: string[]) => fields.some((field) => /^(?:\d{1,20}|0x[0-9a-f]{1,16})$/i.test(field));
  const data = isRow(rows[0] ?? []) ? rows : rows.slice(1);
  const columns = rows[0]?.length;
  if (data.length === 0 || !data.every((fields) => isRow(fields) && fields.length === columns)) return null;
  return columns === 1 ? 'txt' : 'csv';
}
