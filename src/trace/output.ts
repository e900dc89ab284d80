/**
 * A file that is written from beginning to end.
 *
 * Owns      the file beside the one that is being made.
 * Promises  1. Under the name that was asked for stands the old file or the whole new one, never a part. `-` is standard output.
 *           2. A name that ends with .gz is packed, in members of PIECE_BYTES: memory does not grow with the file.
 */
import { closeSync, openSync, renameSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { writeAll } from './keep.ts';

const PIECE_BYTES = 1 << 20;
const STDOUT = 1;

export class OutputFile {
  /** What was written, before packing. */
  bytes = 0;
  private readonly path: string;
  private readonly part: string;
  private readonly fd: number;
  private readonly isPacked: boolean;
  private readonly piece = Buffer.alloc(PIECE_BYTES);
  private length = 0;

  constructor(path: string) {
    this.path = path;
    this.isPacked = path.endsWith('.gz');
    this.part = `${path}.${process.pid}.part`;
    this.fd = path === '-' ? STDOUT : openSync(this.part, 'wx', 0o666);
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
    if (this.fd === STDOUT) return;
    closeSync(this.fd);
    try {
      renameSync(this.part, this.path);
    } catch (error) {
      rmSync(this.part, { force: true });
      throw error;
    }
  }

  /** Removes what was written so far. */
  abandon(): void {
    if (this.fd === STDOUT) return;
    closeSync(this.fd);
    rmSync(this.part, { force: true });
  }

  private flush(): void {
    const { length } = this;
    this.length = 0;
    const bytes = this.piece.subarray(0, length);
    if (length > 0) writeAll(this.fd, this.isPacked ? gzipSync(bytes) : bytes);
  }
}
