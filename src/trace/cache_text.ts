/**
 * Cache traces as text: csv with a column for the object and perhaps one for its size, txt with an object a line.
 *
 * Owns      which column means what.
 * Promises  1. Ids are numbers of 64 bits if the first one is, and then all must be; else they are names, told apart by a hash.
 *           2. A line without its object, with a size that is none, or longer than LINE_BYTES is refused with its number.
 *
 *     version,time,op,size,lbn          a head: columns by their names
 *     1,5633898,2a,512,42932745         object 42932745, 512 bytes
 *
 * Without a head the columns are: the object; time, object; time, object, size. `csv:id=5,size=4` says otherwise.
 */
import { CacheTrace } from './cache_trace.ts';
import { Lines, quoted } from './lines.ts';
import { PAGE_BYTES } from './objects.ts';
import type { InputFacts, InputReader, RecordingSink } from './sink.ts';
import { U64 } from './u64.ts';

/** Columns from 1; 0: there is none, every object is a page. */
export interface Columns {
  id: number;
  size: number;
}

const DELIMITERS = ['\t', ',', ';', '|', ' '];
const HASH = 35;
const QUOTE = 34;
const ID_NAMES: ReadonlySet<string> = new Set(
  'id,objid,objectid,obj,object,oid,key,lbn,lba,block,blockid,page,address,addr'.split(','),
);
const SIZE_NAMES: ReadonlySet<string> = new Set('size,objsize,objectsize,sz,len,length,bytes'.split(','));

export class CacheTextReader implements InputReader {
  private readonly file: string;
  private readonly kind: 'csv' | 'txt';
  private readonly lines: Lines;
  private readonly trace: CacheTrace;
  private readonly id = new U64();
  private readonly size = new U64();
  private columns: Columns | null;
  private delimiter = 0;
  private isBegun = false;
  /** Of the first object: number or name. */
  private isNumber = true;
  private hasNames = false;
  private isFirst = true;

  /** `columns`: as the user said; null if he did not. */
  constructor(file: string, kind: 'csv' | 'txt', columns: Columns | null, sink: RecordingSink) {
    this.file = file;
    this.kind = kind;
    this.columns = columns;
    this.lines = new Lines(file, (bytes, from, to) => this.line(bytes, from, to));
    this.trace = new CacheTrace(sink, (reason) => this.lines.error(reason));
  }

  push(bytes: Uint8Array): void {
    this.lines.push(bytes);
  }

  end(): InputFacts {
    this.lines.end();
    const names = this.isNumber ? [] : ['the names of objects: they are told apart by a hash of 64 bits'];
    const { id, size } = this.columns ?? { id: 1, size: 0 };
    const columns = `object in column ${id}, ${size === 0 ? 'a page each' : `size in column ${size}`}`;
    return this.trace.end(this.file, `libCacheSim ${this.kind} (${columns})`, names);
  }

  private line(bytes: Uint8Array, from: number, to: number): void {
    if (from === to || bytes[from] === HASH) return;
    if (!this.isBegun) {
      this.isBegun = true;
      if (this.begin(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1'))) return;
    }
    const { id, size } = this.columns!;
    let column = 1;
    let start = from;
    let idFrom = -1;
    let idTo = -1;
    let length = size === 0 ? PAGE_BYTES : -1;
    for (let at = from; at <= to; at++) {
      if (at < to && bytes[at] !== this.delimiter) continue;
      if (column === id) {
        idFrom = start;
        idTo = at;
      }
      if (column === size) length = this.sizeOf(bytes, start, at);
      column += 1;
      start = at + 1;
    }
    if (idFrom < 0) throw this.lines.error(`column ${id} expected, the object's; the line has ${column - 1}`);
    if (length < 0) throw this.lines.error(`column ${size} expected, the object's size; the line has ${column - 1}`);
    this.parseId(bytes, idFrom, idTo);
    this.trace.request(this.id.low, this.id.high, length);
  }

  /** The first line: what the columns are. True if it is a head. */
  private begin(line: string): boolean {
    const delimiter = this.kind === 'txt' ? undefined : DELIMITERS.find((d) => line.includes(d));
    this.delimiter = delimiter?.charCodeAt(0) ?? -1;
    const fields = delimiter === undefined ? [line] : line.split(delimiter);
    const names = fields.map((field) => field.toLowerCase().replace(/[^a-z]/g, ''));
    const id = names.findIndex((name) => ID_NAMES.has(name)) + 1;
    const size = names.findIndex((name) => SIZE_NAMES.has(name)) + 1;
    this.hasNames = id > 0 || (fields.length > 1 && !fields.some((field) => /\d/.test(field)));
    if (this.columns !== null) return this.hasNames;
    if (this.hasNames && id === 0) {
      const known = [...ID_NAMES].slice(0, 7).join(', ');
      throw this.lines.error(`no column is called ${known} …: say which it is, as in --format csv:id=2,size=3`);
    }
    if (this.hasNames) this.columns = { id, size };
    else this.columns = { id: Math.min(fields.length, 2), size: fields.length > 2 ? 3 : 0 };
    return this.hasNames;
  }

  private parseId(bytes: Uint8Array, start: number, end: number): void {
    let from = start;
    let to = end;
    while (from < to && bytes[from] === 32) from += 1;
    while (from < to && bytes[to - 1] === 32) to -= 1;
    if (to - from > 1 && bytes[from] === QUOTE && bytes[to - 1] === QUOTE) {
      from += 1;
      to -= 1;
    }
    const text = () => quoted(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8'));
    if (from === to) throw this.lines.error('an object without an id');
    const isNumber = this.id.parse(bytes, from, to);
    if (this.isFirst) {
      this.isFirst = false;
      // -7, 1e9 and 65 bits are meant as numbers, too.
      this.isNumber = isNumber || /^'[-+]?[0-9][0-9.e+]*'$/i.test(text());
    }
    if (this.isNumber && !isNumber) {
      throw this.lines.error(`${text()} is no object id: a number from 0 to 2**64 - 1 expected`);
    }
    if (!this.isNumber) this.id.hash(bytes, from, to);
  }

  private sizeOf(bytes: Uint8Array, from: number, to: number): number {
    if (!this.size.parse(bytes, from, to)) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
      throw this.lines.error(`${quoted(text)} is no size in bytes`);
    }
    return this.size.high * 2 ** 32 + this.size.low;
  }
}
