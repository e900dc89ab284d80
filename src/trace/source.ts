/**
 * Opens a recording: a file or standard input, compressed or not.
 *
 * Owns      where the bytes of a recording are while it is in use.
 * Promises  1. A file that is cut off, damaged or followed by other bytes is refused, with its byte and the reason.
 *           2. Up to MEMORY_BYTES of bodies are held once, in memory that workers can share. More go into a
 *              temporary file without a name, and are read from there window by window.
 *           3. What the header claims is never believed before the bytes are there.
 */
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { BodyDecoder, type BodySource, bodyOf } from './decode.ts';
import { RecordingError } from './error.ts';
import { HEADER_BYTES, parseHeader, type RecordingHeader } from './recording.ts';

/** Bodies of this size are held in memory. */
const MEMORY_BYTES = 2 ** 29;
const CHUNK_BYTES = 1 << 20;
/** The first piece of memory; it doubles as bytes really come. */
const FIRST_BYTES = 1 << 24;

export interface Recording {
  /** As the user named it. */
  readonly file: string;
  readonly header: RecordingHeader;
  /** Where the first body starts in the unpacked file. */
  readonly bodiesAt: number;
  /** All bodies, one behind the other, or null if they are in `fd`. */
  readonly bytes: Uint8Array<SharedArrayBuffer> | null;
  /** The temporary file that holds them; -1 if they are in memory. */
  readonly fd: number;
}

/** `-` is standard input. */
export async function openRecording(file: string): Promise<Recording> {
  const name = file === '-' ? 'standard input' : file;
  const chunks = unpacked(file, name);
  const { header, bodiesAt, rest } = await readHeader(chunks, name);
  const total = header.processes.reduce((sum, p) => sum + p.bytes, 0);
  const keep = total <= MEMORY_BYTES ? new Memory(total) : new TemporaryFile();
  let length = 0;
  try {
    for (let chunk: Uint8Array | null = rest; chunk !== null; chunk = await nextOf(chunks)) {
      length += chunk.length;
      if (length > total) {
        throw new RecordingError(name, `byte ${bodiesAt + total}`, 'more bytes follow behind the last body');
      }
      keep.add(chunk);
    }
    if (length < total) {
      const missing = `${total - length} of ${total} bytes of the bodies are missing`;
      throw new RecordingError(name, `byte ${bodiesAt + length}`, `the file was cut off: ${missing}`);
    }
  } catch (error) {
    keep.close();
    throw error;
  }
  return { file: name, header, bodiesAt, bytes: keep.bytes, fd: keep.fd };
}

export function closeRecording(recording: Recording): void {
  if (recording.fd >= 0) closeSync(recording.fd);
}

/** A decoder for the body of the process that stands at `index` in the header. */
export function decoderOf(recording: Recording, index: number): BodyDecoder {
  const { file, header, bodiesAt, bytes, fd } = recording;
  let offset = 0;
  for (let i = 0; i < index; i++) offset += header.processes[i]!.bytes;
  const { pid, bytes: length } = header.processes[index]!;
  const source: BodySource =
    bytes !== null
      ? bodyOf(bytes.subarray(offset, offset + length))
      : {
          length,
          whole: null,
          read: (at, into) => readSync(fd, into, 0, Math.min(into.length, length - at), offset + at),
        };
  return new BodyDecoder(source, { file, pid, offset: bodiesAt + offset });
}

type Chunks = AsyncIterator<Uint8Array>;

/** The bytes of the file, unpacked if it is compressed. */
async function* unpacked(file: string, name: string): Chunks & AsyncGenerator<Uint8Array> {
  const input: Readable = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: CHUNK_BYTES });
  const raw = input[Symbol.asyncIterator]() as Chunks;
  let seen = 0;
  try {
    let first = await nextOf(raw);
    while (first !== null && first.length < 2) {
      const more = await nextOf(raw);
      if (more === null) break;
      first = Buffer.concat([first, more]);
    }
    if (first === null) return;
    const all = chain(first, raw);
    if (first[0] !== 0x1f || first[1] !== 0x8b) {
      yield* all;
      return;
    }
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
    const packed = Readable.from(all);
    packed.on('error', (error) => gunzip.destroy(error));
    for await (const chunk of packed.pipe(gunzip)) {
      seen += (chunk as Uint8Array).length;
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw explained(error, name, seen);
  } finally {
    input.destroy();
  }
}

async function* chain(first: Uint8Array, rest: Chunks): AsyncGenerator<Uint8Array> {
  for (let chunk: Uint8Array | null = first; chunk !== null; chunk = await nextOf(rest)) yield chunk;
}

async function nextOf(chunks: Chunks): Promise<Uint8Array | null> {
  const { done, value } = await chunks.next();
  return done === true ? null : value;
}

function explained(error: unknown, name: string, seen: number): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOENT') return new RecordingError(name, '', 'no such file');
  if (code === 'EISDIR') return new RecordingError(name, '', 'is a folder');
  if (code === 'EACCES') return new RecordingError(name, '', 'may not be read');
  if (code === 'Z_BUF_ERROR') return new RecordingError(name, `byte ${seen}`, 'the gzip file was cut off');
  if (code.startsWith('Z_')) {
    return new RecordingError(name, `byte ${seen}`, `the gzip file is damaged (${(error as Error).message})`);
  }
  return error;
}

/** Reads to the line `end`, and gives what came with it of the bodies. */
async function readHeader(
  chunks: Chunks,
  name: string,
): Promise<{ header: RecordingHeader; bodiesAt: number; rest: Uint8Array }> {
  let bytes: Uint8Array = new Uint8Array(0);
  for (;;) {
    const chunk = await nextOf(chunks);
    if (chunk !== null) bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const start = Buffer.from(bytes.subarray(0, 17)).toString('latin1');
    if (chunk === null && bytes.length === 0) throw new RecordingError(name, '', 'is empty');
    if (bytes.length >= 17 && start !== 'revmap-recording ') parseHeader(start.slice(0, 1), name);
    const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEADER_BYTES));
    const end = head.indexOf('\nend\n');
    if (end >= 0) {
      const bodiesAt = end + 5;
      const text = head.toString('utf8', 0, bodiesAt);
      return { header: parseHeader(text, name), bodiesAt, rest: bytes.subarray(bodiesAt) };
    }
    if (bytes.length >= HEADER_BYTES) {
      throw new RecordingError(
        name,
        `byte ${HEADER_BYTES}`,
        `the header has no line 'end' in its first ${HEADER_BYTES} bytes`,
      );
    }
    // What there is says why it is not one: the wrong first line, or no end.
    if (chunk === null) parseHeader(head.toString('utf8'), name);
    if (chunk === null)
      throw new RecordingError(name, `byte ${bytes.length}`, "the file was cut off before the header's 'end'");
  }
}

interface Keep {
  readonly bytes: Uint8Array<SharedArrayBuffer> | null;
  readonly fd: number;
  add(chunk: Uint8Array): void;
  close(): void;
}

class Memory implements Keep {
  readonly fd = -1;
  private length = 0;
  private held: Uint8Array<SharedArrayBuffer>;
  private readonly total: number;
  constructor(total: number) {
    this.total = total;
    this.held = new Uint8Array(new SharedArrayBuffer(Math.min(total, FIRST_BYTES)));
  }
  get bytes(): Uint8Array<SharedArrayBuffer> {
    return this.held.subarray(0, this.length);
  }
  add(chunk: Uint8Array): void {
    if (this.length + chunk.length > this.held.length) {
      const size = Math.min(this.total, Math.max(this.held.length * 2, this.length + chunk.length));
      const wider = new Uint8Array(new SharedArrayBuffer(size));
      wider.set(this.held.subarray(0, this.length));
      this.held = wider;
    }
    this.held.set(chunk, this.length);
    this.length += chunk.length;
  }
  close(): void {}
}

class TemporaryFile implements Keep {
  readonly bytes = null;
  readonly fd: number;
  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'revmap-'));
    const path = join(folder, 'bodies');
    this.fd = openSync(path, 'wx+', 0o600);
    // Without a name it goes away with us, however we end.
    unlinkSync(path);
    rmdirSync(folder);
  }
  add(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) at += writeSync(this.fd, chunk, at);
  }
  close(): void {
    closeSync(this.fd);
  }
}
