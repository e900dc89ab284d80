/**
 * A file that is written from beginning to end.
 *
 * Owns      the file beside the one that is being made.
 * Promises  1. Under the name that was asked for stands the old file or the whole new one, never a part. `-` is standard output.
 *           2. A name that ends with .gz is packed, in members of PIECE_BYTES: memory does not grow with the file.
 *           3. What stands in front may be written again, in the same length; packed it is a member of its own, stored as it is.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { writeAll } from './keep.ts';

const PIECE_BYTES = 1 << 20;
const STDOUT = 1;
const PAUSE_MS = 5;

export class OutputFile {
  /** What was written, before packing. */
  bytes = 0;
  private readonly path: string;
  private readonly part: string;
  private readonly fd: number;
  private readonly isPacked: boolean;
  private readonly piece = Buffer.alloc(PIECE_BYTES);
  private length = 0;
  private isOpen = true;
  private isFronted = false;

  constructor(path: string) {
    this.path = path;
    this.isPacked = path.endsWith('.gz');
    this.part = `${path}.${process.pid}.part`;
    this.fd = path === '-' ? STDOUT : openSync(this.part, 'wx', 0o666);
  }

  /** The file's first bytes: before anything else, and once more at the end. Not to standard output. */
  front(bytes: Uint8Array | string): void {
    const stored = this.isPacked ? gzipSync(bytes, { level: 0 }) : Buffer.from(bytes);
    // A first write moves the file's position; the second, at a place that is named, does not.
    if (this.isFronted) writeSync(this.fd, stored, 0, stored.length, 0);
    else writeAll(this.fd, stored);
    this.isFronted = true;
  }

  /** A record's place: `length` bytes, to be filled at once. */
  room(length: number): { piece: Buffer; at: number } {
    if (this.length + length > PIECE_BYTES) this.flush();
    const at = this.length;
    this.length += length;
    this.bytes += length;
    return { piece: this.piece, at };
  }

  /** A line, without its end. */
  line(text: string): void {
    const bytes = Buffer.byteLength(text) + 1;
    const { piece, at } = this.room(bytes);
    piece.write(text, at);
    piece[at + bytes - 1] = 10;
  }

  /** Gives the file its name. */
  finish(): void {
    this.flush();
    this.close();
    if (this.fd !== STDOUT) renameSync(this.part, this.path);
  }

  /** Removes what was written, if it did not get its name. */
  abandon(): void {
    this.close();
    if (this.fd !== STDOUT) rmSync(this.part, { force: true });
  }

  private close(): void {
    if (this.isOpen && this.fd !== STDOUT) closeSync(this.fd);
    this.isOpen = false;
  }

  private flush(): void {
    const { length } = this;
    this.length = 0;
    const bytes = this.piece.subarray(0, length);
    if (length === 0) return;
    if (this.fd === STDOUT) writeToPipe(bytes);
    else writeAll(this.fd, this.isPacked ? gzipSync(bytes) : bytes);
  }
}

/** Node lets a full pipe refuse a write; then its reader needs time. */
function writeToPipe(bytes: Uint8Array): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(STDOUT, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, PAUSE_MS);
    }
  }
}
