/**
 * What the end of a Parquet file says of it: names of columns, number of rows.
 *
 * Owns      the reading of just these two out of Thrift's compact protocol; all else is skipped.
 * Promises  1. Nothing in the file is believed before it was compared with the bytes that are there: a damaged footer is a
 *              FooterError, in time linear in its length, and takes no memory.
 *           2. checkParquet refuses what is no file of results of ours, with its path and the reason.
 *
 *     PAR1 │ pages … │ footer: FileMetaData {1: version, 2: [SchemaElement {4: name …}], 3: num_rows, 4: row groups …} │ its length │ PAR1
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { InputError } from '../../mm/bug.ts';
import { STORED_COLUMNS } from './columns.ts';

/** What every file of results has; the other columns are those of the revmap that wrote it. */
const NEEDED = STORED_COLUMNS.slice(0, 5);

class FooterError extends Error {}

const MAGIC = 'PAR1';
/** Behind the pages: the footer's length and the magic. */
const TAIL_BYTES = 8;
/** A footer of ours has some 20 KB. */
const FOOTER_BYTES = 1 << 24;
/** Columns of equal cells take nearly nothing, but never less than this. */
const ROWS_PER_BYTE = 64;
const VARINT_BYTES = 10;
const DEPTH = 16;

// Types of the compact protocol.
const STOP = 0;
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

// Fields of FileMetaData and of SchemaElement.
const SCHEMA = 2;
const NUM_ROWS = 3;
const NAME = 4;

/** The names of its columns. Throws an InputError if the file is damaged, or is no file of results. */
export function checkParquet(path: string): Set<string> {
  const refuse = (reason: string) => new InputError(path, 0, reason);
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    if (size < MAGIC.length + TAIL_BYTES) throw refuse(`no Parquet file: it has ${size} bytes`);
    if (textAt(fd, 0) !== MAGIC) throw refuse(`no Parquet file: it does not begin with '${MAGIC}'`);
    if (textAt(fd, size - 4) !== MAGIC) throw refuse(`the file was cut off: it does not end with '${MAGIC}'`);
    const length = bytesAt(fd, size - TAIL_BYTES, 4).readUInt32LE(0);
    if (length > size - MAGIC.length - TAIL_BYTES) throw refuse(`damaged: a footer of ${length} bytes in ${size}`);
    if (length > FOOTER_BYTES) throw refuse(`a footer of ${length} bytes; ${FOOTER_BYTES} is the most`);
    const { rows, columns } = new Footer(bytesAt(fd, size - TAIL_BYTES - length, length)).read();
    if (!(rows >= 0 && rows <= size * ROWS_PER_BYTE)) throw refuse(`damaged: ${rows} rows in ${size} bytes`);
    const missing = NEEDED.find(({ name }) => !columns.has(name));
    if (missing !== undefined) throw refuse(`no results of revmap: there is no column '${missing.name}'`);
    return columns;
  } catch (error) {
    throw error instanceof FooterError ? refuse(`damaged: ${error.message}`) : error;
  } finally {
    closeSync(fd);
  }
}

function bytesAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, at));
}

function textAt(fd: number, at: number): string {
  return bytesAt(fd, at, 4).toString('latin1');
}

class Footer {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  read(): { rows: number; columns: Set<string> } {
    let rows = -1;
    const columns = new Set<string>();
    this.struct(0, (field, type) => {
      if (field === NUM_ROWS && type === I64) rows = this.zigzag();
      else if (field === SCHEMA && type === LIST) this.list(1, (element) => this.column(element, columns));
      else return false;
      return true;
    });
    return { rows, columns };
  }

  private column(type: number, columns: Set<string>): void {
    if (type !== STRUCT) throw new FooterError('the columns are no list of columns');
    this.struct(2, (field, is) => {
      if (field !== NAME || is !== BINARY) return false;
      columns.add(this.binary().toString('utf8'));
      return true;
    });
  }

  /** `known` reads a field and says true, or leaves it to be skipped. */
  private struct(depth: number, known: (field: number, type: number) => boolean): void {
    if (depth > DEPTH) throw new FooterError(`more than ${DEPTH} levels`);
    let field = 0;
    for (;;) {
      const head = this.byte();
      const type = head & 15;
      if (type === STOP) return;
      field = head >> 4 === 0 ? this.zigzag() : field + (head >> 4);
      if (!known(field, type)) this.skip(type, depth);
    }
  }

  private list(depth: number, each: (type: number) => void): void {
    if (depth > DEPTH) throw new FooterError(`more than ${DEPTH} levels`);
    const head = this.byte();
    const count = head >> 4 === 15 ? this.varint() : head >> 4;
    // An element takes a byte at least.
    if (count > this.bytes.length - this.at)
      throw new FooterError(`a list of ${count} in the ${this.bytes.length - this.at} bytes left`);
    for (let i = 0; i < count; i++) each(head & 15);
  }

  private skip(type: number, depth: number): void {
    if (type === TRUE || type === FALSE) return; // in a struct the type is the value
    if (type === BYTE) this.byte();
    else if (type >= I16 && type <= I64) this.varint();
    else if (type === DOUBLE) this.bytesOf(8);
    else if (type === BINARY) this.binary();
    else if (type === STRUCT) this.struct(depth + 1, () => false);
    else if (type === LIST || type === SET) this.list(depth + 1, (element) => this.skipElement(element, depth + 1));
    else throw new FooterError(`a field of type ${type}`);
  }

  private skipElement(type: number, depth: number): void {
    if (type === TRUE || type === FALSE) this.byte();
    else this.skip(type, depth);
  }

  private byte(): number {
    return this.bytesOf(1)[0]!;
  }

  private binary(): Buffer {
    return this.bytesOf(this.varint());
  }

  private bytesOf(length: number): Buffer {
    if (length > this.bytes.length - this.at)
      throw new FooterError(`${length} bytes in the ${this.bytes.length - this.at} left`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  private varint(): number {
    let value = 0;
    for (let i = 0, unit = 1; i < VARINT_BYTES; i++, unit *= 128) {
      const b = this.byte();
      value += (b & 127) * unit;
      if (b < 128) return value;
    }
    throw new FooterError(`a number of more than ${VARINT_BYTES} bytes`);
  }

  private zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
