/**
 * Writes recordings: the other direction of decode.ts, for tests and for whatever records.
 *
 * Owns      the varints and events of a body.
 * Promises  What is written here is read there, value for value.
 */
import { EVENT_CODE, type OpenedFile } from './decode.ts';
import { formatHeader, type RecordingHeader } from './recording.ts';

export class BodyWriter {
  private bytes = new Uint8Array(1 << 12);
  private length = 0;
  private page = 0;
  /** Accesses in it, and the clock at its end. */
  accesses = 0;
  clockNow = 0;

  /** Bytes so far. */
  get bytesWritten(): number {
    return this.length;
  }

  /** `kind`: 0 instruction fetch, 1 read, 2 write. */
  access(page: number, kind: number): void {
    const delta = page - this.page;
    this.page = page;
    this.accesses += 1;
    const zigzag = delta >= 0 ? 2 * delta : -2 * delta - 1;
    // Behind 51 bits a number times 4 is no longer exact; pages stay far below.
    this.varint(zigzag * 4 + kind);
  }

  tick(accesses: number): void {
    this.event(EVENT_CODE.tick);
    this.varint(accesses);
  }

  /** Numbers below 0 are written as the kernel has them, in 64 bits. */
  syscall(nr: number, args: readonly number[], ret: number): void {
    this.event(EVENT_CODE.syscall);
    this.varint(nr);
    for (let i = 0; i < 6; i++) this.varint(args[i] ?? 0);
    this.varint(ret);
  }

  path(text: string): void {
    this.text(EVENT_CODE.path, text);
  }

  note(text: string): void {
    this.text(EVENT_CODE.text, text);
  }

  /** Ends the process and gives its body. */
  end(): Uint8Array {
    this.event(EVENT_CODE.end);
    return this.bytes.slice(0, this.length);
  }

  // format 2

  /** Begins a chunk: what it holds can be read without what was before. Empties the writer. */
  chunk(clock: number): void {
    this.length = 0;
    this.page = 0;
    this.accesses = 0;
    this.clockNow = clock;
    this.event(EVENT_CODE.chunk);
    this.varint(clock);
  }

  /** What was written since `chunk`, until the next one. */
  taken(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** What follows ran `more` later than what was before. */
  clock(more: number): void {
    this.clockNow += more;
    this.event(EVENT_CODE.clock);
    this.varint(more);
  }

  /** What the next call opens. */
  file(file: OpenedFile): void {
    this.event(EVENT_CODE.file);
    for (const n of [file.kind, file.device, file.inode, file.bytes]) this.varint(n);
  }

  /** The header's program `n` runs from here on. */
  image(n: number): void {
    this.event(EVENT_CODE.image);
    this.varint(n);
  }

  private event(code: number): void {
    this.varint(code * 4 + 3);
  }

  private text(code: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.event(code);
    this.varint(bytes.length);
    this.room(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  private varint(value: number): void {
    this.room(10);
    if (value < 0) {
      this.negative(value);
      return;
    }
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  private negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 128n) {
      this.bytes[this.length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.bytes[this.length++] = Number(rest);
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    const wider = new Uint8Array(Math.max(this.bytes.length * 2, this.length + bytes));
    wider.set(this.bytes);
    this.bytes = wider;
  }
}

/** A whole recording, not compressed. The `bytes` of the header's processes are set from the bodies. */
export function encodeRecording(header: RecordingHeader, bodies: readonly Uint8Array[]): Uint8Array {
  const processes = header.processes.map((p, i) => ({ ...p, bytes: bodies[i]?.length ?? 0 }));
  const text = new TextEncoder().encode(formatHeader({ ...header, processes }));
  const whole = new Uint8Array(text.length + bodies.reduce((sum, body) => sum + body.length, 0));
  whole.set(text);
  let at = text.length;
  for (const body of bodies) {
    whole.set(body, at);
    at += body.length;
  }
  return whole;
}
