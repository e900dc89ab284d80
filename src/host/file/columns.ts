/**
 * Columns of whole numbers as bytes, small where neighbours are alike.
 *
 * Owns      the two codes of a snapshot file's columns. Runs suit kinds (a flag word, a cgroup), steps suit places (a frame's
 *           number): a run of frames that follow one another is one step, so often.
 * Promises  1. What was written is read again, number for number: 0 … 2^52.
 *           2. A run is at most RUN_ROWS long, so no column asks for more than RUN_ROWS rows a byte, and it is asked for memory
 *              only after all of its runs were counted.
 *
 *   tokens (varint) | for each: rows − 1 (one byte) | for each: the value, or the step from the row before (varint)
 *
 *   A varint has seven bits a byte, the lowest first. A step s is written as 2s, or −2s − 1 if it is negative.
 */
import { bugOn } from '../../mm/bug.ts';

export const RUN_ROWS = 128;
/** The last page of the address space is 2^52 − 1, and steps of this size, doubled, are still exact. */
export const MOST_VALUE: number = 2 ** 52;
/** Rows that are copied at a time. */
const PIECE_ROWS = 4096;
/** A varint of more bytes is no number of ours: 7 × 8 > 53. */
const VARINT_BYTES = 8;

export type Code = 'runs' | 'steps';
export type Numbers = ArrayLike<number>;
type Room = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** What a column's bytes are not: why, and at which of them. */
export class ColumnError extends Error {
  readonly at: number;

  constructor(at: number, reason: string) {
    super(reason);
    this.at = at;
  }
}

export function encodeColumn(values: Numbers, code: Code): Uint8Array {
  const runs = new Bytes(values.length / 8);
  const tokens = new Bytes(values.length / 4);
  const piece = new Float64Array(Math.min(PIECE_ROWS, values.length));
  let before = 0;
  for (let first = 0; first < values.length; first += PIECE_ROWS) {
    const rows = Math.min(PIECE_ROWS, values.length - first);
    copyRows(values, first, rows, piece);
    before = encodePiece(piece, rows, code === 'steps', before, runs, tokens);
  }
  const head = new Bytes(VARINT_BYTES + runs.length + tokens.length);
  head.varint(runs.length);
  head.bytes(runs.all());
  head.bytes(tokens.all());
  return head.all();
}

function copyRows(values: Numbers, first: number, rows: number, into: Float64Array): void {
  if (ArrayBuffer.isView(values)) into.set((values as Room).subarray(first, first + rows));
  else for (let i = 0; i < rows; i++) into[i] = values[first + i]!;
}

/** Gives the last value. */
function encodePiece(
  piece: Float64Array,
  rows: number,
  isSteps: boolean,
  last: number,
  runs: Bytes,
  tokens: Bytes,
): number {
  let before = last;
  for (let row = 0; row < rows; ) {
    const value = piece[row]!;
    bugOn(!(value >= 0 && value <= MOST_VALUE && Number.isInteger(value)), 'columns hold whole numbers to 2^52', value);
    const step = isSteps ? value - before : 0;
    const end = Math.min(rows, row + RUN_ROWS);
    let next = row + 1;
    before = value;
    while (next < end && piece[next] === before + step) {
      before += step;
      next += 1;
    }
    runs.byte(next - row - 1);
    tokens.varint(isSteps ? (step < 0 ? -2 * step - 1 : 2 * step) : value);
    row = next;
  }
  return before;
}

/** Fills what `room` gives for so many rows; every value is below `limit`. */
export function decodeColumn<T extends Room>(
  bytes: Uint8Array,
  code: Code,
  rows: number,
  limit: number,
  room: (rows: number) => T,
): T {
  const reader = new Varints(bytes);
  const count = reader.next();
  const runsAt = reader.at;
  if (count > bytes.length - runsAt) throw new ColumnError(0, `${count} runs in ${bytes.length} bytes`);
  const runs = bytes.subarray(runsAt, runsAt + count);
  let covered = count;
  for (let i = 0; i < count; i++) covered += runs[i]!;
  if (covered !== rows) throw new ColumnError(runsAt, `its runs have ${covered} rows instead of ${rows}`);
  const values = room(rows);
  reader.at = runsAt + count;
  decodeRuns(reader, runs, code === 'steps', limit, values);
  if (reader.at < bytes.length) throw new ColumnError(reader.at, 'more bytes follow behind its last row');
  return values;
}

/** Into a piece first: a loop over one kind of array is several times as fast as one over five. */
function decodeRuns(reader: Varints, runs: Uint8Array, isSteps: boolean, limit: number, values: Room): void {
  const piece = new Float64Array(Math.min(PIECE_ROWS, values.length));
  let value = 0;
  let first = 0;
  let row = 0;
  for (let i = 0; i < runs.length; i++) {
    const more = runs[i]!;
    if (row + more >= PIECE_ROWS) {
      values.set(piece.subarray(0, row), first);
      first += row;
      row = 0;
    }
    const { at } = reader;
    const token = reader.next();
    const step = isSteps ? (token % 2 === 0 ? token / 2 : -(token + 1) / 2) : 0;
    value = isSteps ? value + step : token;
    const last = value + step * more;
    if (value < 0 || last < 0 || value >= limit || last >= limit) {
      const wrong = value < 0 || value >= limit ? value : last;
      throw new ColumnError(at, `row ${first + row} is ${wrong}, and the limit is ${limit}`);
    }
    piece[row++] = value;
    for (let k = 0; k < more; k++) piece[row++] = value += step;
  }
  values.set(piece.subarray(0, row), first);
}

class Varints {
  at = 0;
  private readonly source: Uint8Array;

  constructor(source: Uint8Array) {
    this.source = source;
  }

  next(): number {
    const { source } = this;
    const first = source[this.at];
    if (first !== undefined && first < 0x80) {
      this.at += 1;
      return first;
    }
    let value = 0;
    let unit = 1;
    for (let i = 0; i < VARINT_BYTES; i++) {
      const byte = source[this.at + i];
      if (byte === undefined) throw new ColumnError(this.at, 'ends within a number');
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) {
        this.at += i + 1;
        return value;
      }
      unit *= 128;
    }
    throw new ColumnError(this.at, `a number of more than ${VARINT_BYTES} bytes`);
  }
}

/** Bytes one behind the other; the room doubles. */
class Bytes {
  length = 0;
  private held: Uint8Array;

  constructor(atFirst: number) {
    this.held = new Uint8Array(Math.max(64, Math.ceil(atFirst)));
  }

  byte(value: number): void {
    if (this.length === this.held.length) this.widen(1);
    this.held[this.length++] = value;
  }

  varint(value: number): void {
    if (this.length + VARINT_BYTES > this.held.length) this.widen(VARINT_BYTES);
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.held[this.length++] = 0x80 | (rest % 128);
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      this.held[this.length++] = 0x80 | (rest & 0x7f);
      rest >>>= 7;
    }
    this.held[this.length++] = rest;
  }

  bytes(more: Uint8Array): void {
    if (this.length + more.length > this.held.length) this.widen(more.length);
    this.held.set(more, this.length);
    this.length += more.length;
  }

  all(): Uint8Array {
    return this.held.subarray(0, this.length);
  }

  private widen(more: number): void {
    const wider = new Uint8Array(Math.max(2 * this.held.length, this.length + more));
    wider.set(this.held.subarray(0, this.length));
    this.held = wider;
  }
}
