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
import { closeSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { RecordingBuilder } from './builder.ts';
import { BodyDecoder, type BodySource, bodyOf, EVENT_CODE } from './decode.ts';
import { DETECT_BYTES, type InputFormat } from './detect.ts';
import { RecordingError } from './error.ts';
import { hex8 } from './header_fields.ts';
import { formatOf, isRecording, readerOf } from './input.ts';
import { Keep } from './keep.ts';
import { HEADER_BYTES, parseHeader, type RecordingHeader } from './recording.ts';
import { type Chunks, inputName, readUnpacked, startOf, unpack } from './unpack.ts';
import { ChunkTable, type ChunkTaker, type RecordingFacts } from './write.ts';

/** The first piece of memory for a recording, and for what is made into one. */
const FIRST_BYTES = 1 << 24;
const FIRST_BYTES_MADE = 1 << 16;
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

/** `-` is standard input. What is no recording is read into one; `format` says as what, null finds out. */
export async function openRecording(file: string, format: InputFormat | null = null): Promise<Recording> {
  return openUnpacked(readUnpacked(file), inputName(file), format);
}

/** The same for bytes in memory; `name` is for messages. */
export async function openBytes(
  bytes: Uint8Array,
  name: string,
  format: InputFormat | null = null,
): Promise<Recording> {
  return openUnpacked(unpack(once(bytes), name), name, format);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function openUnpacked(chunks: Chunks, name: string, format: InputFormat | null): Promise<Recording> {
  const { start, isAll, all } = await startOf(chunks, format === null ? DETECT_BYTES : 0);
  if (format !== null) return makeRecording(all, name, format);
  if (isAll && start.length === 0) throw new RecordingError(name, '', 'is empty');
  if (isRecording(start)) return readRecording(all, name);
  return makeRecording(all, name, formatOf(start, isAll, name));
}

async function readRecording(all: Chunks, name: string): Promise<Recording> {
  const chunks = all[Symbol.asyncIterator]();
  const { header, bodiesAt, rest } = await readHeader(chunks, name);
  const total = header.processes.reduce((sum, p) => sum + p.bytes, 0);
  const keep = new Keep(Math.min(total, FIRST_BYTES));
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
  return { file: name, header, bodiesAt, ...keep.kept(), bodies: piecesOf(header) };
}

/** Reads an input of another kind. */
async function makeRecording(all: Chunks, name: string, format: InputFormat): Promise<Recording> {
  const made = new MadeBodies();
  const builder = new RecordingBuilder(made);
  const reader = readerOf(format, name, builder);
  try {
    for await (const chunk of all) reader.push(chunk);
    const header = made.finish(builder.finish(reader.end()));
    return { file: name, header, bodiesAt: 0, ...made.keep.kept(), bodies: piecesOf(header) };
  } catch (error) {
    made.keep.close();
    throw error;
  }
}

/** Bodies as they are made, not packed. */
class MadeBodies implements ChunkTaker {
  readonly keep = new Keep(FIRST_BYTES_MADE);
  private readonly table = new ChunkTable();

  chunk(pid: number, tid: number, bytes: Uint8Array, clock: number, lastClock: number, events: number): void {
    this.keep.add(bytes);
    this.table.add(pid, tid, bytes, bytes.length, clock, lastClock, events);
  }

  finish(facts: RecordingFacts): RecordingHeader {
    this.table.endBodies(this);
    return this.table.header(facts);
  }
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

async function nextOf(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array | null> {
  const { done, value } = await chunks.next();
  return done === true ? null : value;
}

/** Reads to the line `end`, and gives what came with it of the bodies. */
async function readHeader(
  chunks: AsyncIterator<Uint8Array>,
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
