/**
 * Text that comes in chunks, line by line.
 *
 * Owns      where a line ends: LF, or CR LF; the last one may have neither.
 * Promises  1. A line is never copied unless a chunk ends within it.
 *           2. Memory is one line, and one longer than LINE_BYTES is refused as soon as that is seen.
 */
import { RecordingError } from './error.ts';

/** strace -s writes long ones; real ones are below. */
export const LINE_BYTES: number = 1 << 20;
const SHOWN = 60;
const LF = 10;
const CR = 13;

/** A line is bytes[from … to-1]; they are gone when the call returns. `isWhole` is false for a last line without its end. */
export type OnLine = (bytes: Uint8Array, from: number, to: number, isWhole: boolean) => void;

export class Lines {
  /** Number of the line that is read now, from 1. */
  line = 0;
  private readonly file: string;
  private readonly onLine: OnLine;
  /** A line that began in an earlier chunk. */
  private held = new Uint8Array(1 << 12);
  private have = 0;

  constructor(file: string, onLine: OnLine) {
    this.file = file;
    this.onLine = onLine;
  }

  /** The next byte begins a line. */
  get isAtStart(): boolean {
    return this.have === 0;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    if (this.have > 0) {
      const end = chunk.indexOf(LF);
      this.hold(chunk, 0, end < 0 ? chunk.length : end);
      if (end < 0) return;
      const { have } = this;
      this.have = 0;
      this.give(this.held, 0, have, true);
      at = end + 1;
    }
    for (;;) {
      const end = chunk.indexOf(LF, at);
      if (end < 0) break;
      if (end - at > LINE_BYTES) this.refuse();
      this.give(chunk, at, end, true);
      at = end + 1;
    }
    this.hold(chunk, at, chunk.length);
  }

  end(): void {
    const { have } = this;
    this.have = 0;
    if (have > 0) this.give(this.held, 0, have, false);
  }

  /** An error at the line that is read now. */
  error(reason: string): RecordingError {
    return new RecordingError(this.file, `line ${this.line}`, reason);
  }

  private give(bytes: Uint8Array, from: number, to: number, isWhole: boolean): void {
    this.line += 1;
    this.onLine(bytes, from, to > from && bytes[to - 1] === CR ? to - 1 : to, isWhole);
  }

  private hold(bytes: Uint8Array, from: number, to: number): void {
    const length = this.have + to - from;
    if (length > LINE_BYTES) this.refuse();
    if (length > this.held.length) {
      const wider = new Uint8Array(2 ** Math.ceil(Math.log2(length)));
      wider.set(this.held.subarray(0, this.have));
      this.held = wider;
    }
    this.held.set(bytes.subarray(from, to), this.have);
    this.have = length;
  }

  private refuse(): never {
    this.line += 1;
    throw this.error(`longer than ${LINE_BYTES} bytes`);
  }
}

/** What a message may show of a line. */
export function quoted(text: string): string {
  return `'${text.slice(0, SHOWN).replace(/\p{C}/gu, '?')}${text.length > SHOWN ? '…' : ''}'`;
}
