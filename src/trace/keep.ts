/**
 * Where the bytes of bodies are while a recording is in use.
 *
 * Owns      the memory that workers share, and the temporary file for what is too long for it.
 * Promises  Up to MEMORY_BYTES are in memory, once; more are in a file without a name, which goes away with us, however we end.
 */
import { closeSync, mkdtempSync, openSync, rmdirSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Bodies of this size are held in memory. */
export const MEMORY_BYTES: number = 2 ** 29;

export interface Kept {
  /** All of it, or null if it is in `fd`. */
  readonly bytes: Uint8Array<SharedArrayBuffer> | null;
  /** The temporary file; -1 if it is in memory. */
  readonly fd: number;
}

/** Takes bytes one behind the other; what it will be is known at the end. */
export class Keep {
  private readonly memoryBytes: number;
  private length = 0;
  private held: Uint8Array<SharedArrayBuffer>;
  private fd = -1;

  /** `atFirst`: memory to begin with; it doubles as bytes really come. */
  constructor(atFirst: number, memoryBytes: number = MEMORY_BYTES) {
    this.memoryBytes = memoryBytes;
    this.held = shared(Math.min(atFirst, memoryBytes));
  }

  get bytesKept(): number {
    return this.length;
  }

  add(chunk: Uint8Array): void {
    const length = this.length + chunk.length;
    if (this.fd < 0 && length > this.memoryBytes) this.toFile();
    if (this.fd >= 0) writeAll(this.fd, chunk);
    else {
      if (length > this.held.length) this.widen(Math.min(this.memoryBytes, Math.max(2 * this.held.length, length)));
      this.held.set(chunk, this.length);
    }
    this.length = length;
  }

  kept(): Kept {
    return { bytes: this.fd < 0 ? this.held.subarray(0, this.length) : null, fd: this.fd };
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
  }

  private widen(bytes: number): void {
    const wider = shared(bytes);
    wider.set(this.held.subarray(0, this.length));
    this.held = wider;
  }

  private toFile(): void {
    const folder = mkdtempSync(join(tmpdir(), 'revmap-'));
    const path = join(folder, 'bodies');
    this.fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    rmdirSync(folder);
    writeAll(this.fd, this.held.subarray(0, this.length));
    this.held = shared(0);
  }
}

function shared(bytes: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(bytes));
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
