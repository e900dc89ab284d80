/**
 * Opens a recording: a file or standard input, compressed or not.
 *
 * Owns      where the bytes of a recording are while it is in use.
 * Promises  1. A file that is cut off, damaged or followed by other bytes is refused, with its byte and the reason.
 *           2. Up to MEMORY_BYTES of bodies are held once, in memory that workers can share. More go into a
 *              temporary file without a name, and are read from there window by window.
 *           3. What the header claims is never believed before the bytes are there.
 *           4. In format 2 no byte is given out whose chunk did not have its checksum.
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
import { crc32, createGunzip } from 'node:zlib';
import { BodyDecoder, type BodySource, bodyOf, EVENT_CODE } from './decode.ts';
import { RecordingError } from './error.ts';
import { hex8 } from './header_fields.ts';
import { HEADER_BYTES, parseHeader, type RecordingHeader } from './recording.ts';

/** Bodies of this size are held in memory. */
const MEMORY_BYTES = 2 ** 29;
const CHUNK_BYTES = 1 << 20;
/** The first piece of memory; it doubles as bytes really come. */
const FIRST_BYTES = 1 << 24;
/** The first byte of a chunk. */
const CHUNK_EVENT = EVENT_CODE.chunk * 4 + 3;

export interface Recording {
  /** As the user named it. */
  readonly file: string;
  readonly header: RecordingHeader;
  /** Where the first body starts in the unpacked file. */
  readonly bodiesAt: number;
  /** All bodies as they stand in the file, one behind the other, or null if they are in `fd`. */
  readonly bytes: Uint8Array<SharedArrayBuffer> | null;
  /** Where each body's pieces are in them. */
  readonly bodies: readonly (readonly Piece[])[];
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
  const sums = new ChunkSums(header, bodiesAt, name);
  try {
    for (let chunk: Uint8Array | null = rest; chunk !== null; chunk = await nextOf(chunks)) {
      length += chunk.length;
      if (length > total) {
        throw new RecordingError(name, `byte ${bodiesAt + total}`, 'more bytes follow behind the last body');
      }
      keep.add(chunk);
      sums.add(chunk);
    }
    if (length < total) {
      const missing = `${total - length} of ${total} bytes of the bodies are missing`;
      throw new RecordingError(name, `byte ${bodiesAt + length}`, `the file was cut off: ${missing}`);
    }
  } catch (error) {
    keep.close();
    throw error;
  }
  return { file: name, header, bodiesAt, bytes: keep.bytes, bodies: piecesOf(header), fd: keep.fd };
}

export function closeRecording(recording: Recording): void {
  if (recording.fd >= 0) closeSync(recording.fd);
}

/** A decoder for the body that stands at `index` in the header: of a process in format 1, of a thread in format 2. */
export function decoderOf(recording: Recording, index: number): BodyDecoder {
  return decoderFrom(recording, index, 0);
}

/** The same, from the thread's chunk number `chunk` on; format 1 has one chunk, the body. */
export function decoderFrom(recording: Recording, index: number, chunk: number): BodyDecoder {
  const { file, header, bodiesAt, bodies } = recording;
  const { ordered } = header;
  const pieces = bodies[index]!.slice(chunk);
  const source = sourceOf(recording, pieces);
  const offset = bodiesAt + (pieces[0]?.offset ?? 0);
  if (ordered === undefined) return new BodyDecoder(source, { file, pid: header.processes[index]!.pid, offset });
  const { pid } = header.processes[ordered.threads[index]!.process]!;
  return new BodyDecoder(source, { file, pid, offset, format: 2, images: ordered.images.length });
}

/** A part of a body: from which of its bytes on, and where they stand behind the header. */
interface Piece {
  at: number;
  offset: number;
  bytes: number;
}

function piecesOf({ ordered, processes }: RecordingHeader): Piece[][] {
  const bodies = (ordered?.threads ?? processes).map((): Piece[] => []);
  let offset = 0;
  for (const { bytes, thread } of ordered?.chunks ?? processes.map(({ bytes }, thread) => ({ bytes, thread }))) {
    const last = bodies[thread]!.at(-1);
    bodies[thread]!.push({ at: last === undefined ? 0 : last.at + last.bytes, offset, bytes });
    offset += bytes;
  }
  return bodies;
}

function sourceOf({ bytes, fd, bodiesAt }: Recording, pieces: readonly Piece[]): BodySource {
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  const length = last.at + last.bytes - first.at;
  const inLine = last.offset - first.offset === last.at - first.at;
  if (bytes !== null && inLine) return bodyOf(bytes.subarray(first.offset, first.offset + length));
  const pieceAt = (at: number) => {
    let low = 0;
    let high = pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (pieces[middle]!.at <= at + first.at) low = middle;
      else high = middle - 1;
    }
    const piece = pieces[low]!;
    return { piece, within: at + first.at - piece.at };
  };
  return {
    length,
    whole: null,
    read(at, into) {
      if (at >= length) return 0;
      const { piece, within } = pieceAt(at);
      const count = Math.min(into.length, piece.bytes - within);
      const from = piece.offset + within;
      if (bytes === null) return readSync(fd, into, 0, count, from);
      into.set(bytes.subarray(from, from + count));
      return count;
    },
    placeOf(at) {
      const { piece, within } = pieceAt(at);
      return bodiesAt + piece.offset + within;
    },
  };
}

/** Holds what comes in to the checksums of format 2. */
class ChunkSums {
  private readonly header: RecordingHeader;
  private readonly bodiesAt: number;
  private readonly name: string;
  /** The chunk that is coming, what of it is here, where it begins. */
  private index = 0;
  private length = 0;
  private sum = 0;
  private begin = 0;

  constructor(header: RecordingHeader, bodiesAt: number, name: string) {
    this.header = header;
    this.bodiesAt = bodiesAt;
    this.name = name;
  }

  add(bytes: Uint8Array): void {
    const chunks = this.header.ordered?.chunks;
    if (chunks === undefined) return;
    for (let at = 0; at < bytes.length; ) {
      const chunk = chunks[this.index]!;
      const part = bytes.subarray(at, at + chunk.bytes - this.length);
      if (this.length === 0 && part[0] !== CHUNK_EVENT) throw this.refuse('does not begin with its clock');
      this.sum = crc32(part, this.sum);
      this.length += part.length;
      at += part.length;
      if (this.length < chunk.bytes) return;
      if (this.sum !== chunk.crc32) {
        throw this.refuse(`is damaged: its checksum is ${hex8(this.sum)}, and the header says ${hex8(chunk.crc32)}`);
      }
      this.index += 1;
      this.begin += chunk.bytes;
      this.length = 0;
      this.sum = 0;
    }
  }

  private refuse(reason: string): RecordingError {
    const { ordered, processes } = this.header;
    const thread = ordered!.threads[ordered!.chunks[this.index]!.thread]!;
    const whose = `process ${processes[thread.process]!.pid}, thread ${thread.tid}`;
    return new RecordingError(
      this.name,
      `byte ${this.bodiesAt + this.begin}`,
      `chunk ${this.index} (${whose}) ${reason}`,
    );
  }
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
    const most = HEADER_BYTES[bytes[17] === 0x32 ? 2 : 1];
    const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, most));
    const end = head.indexOf('\nend\n');
    if (end >= 0) {
      const bodiesAt = end + 5;
      const text = head.toString('utf8', 0, bodiesAt);
      return { header: parseHeader(text, name), bodiesAt, rest: bytes.subarray(bodiesAt) };
    }
    if (bytes.length >= most) {
      throw new RecordingError(name, `byte ${most}`, `the header has no line 'end' in its first ${most} bytes`);
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
