/**
 * Reads a recording of ours, in the form of bytes that come piece by piece.
 *
 * Promises  1. A file that is cut off, damaged or followed by other bytes is refused, with its byte and the reason.
 *           2. What the header claims is never believed before the bytes are there.
 *           3. In format 2 no byte is given out whose chunk did not have its checksum.
 *           4. It runs in a browser as in Node.
 */
import { piecesOf, type Recording } from './bodies.ts';
import { crc32 } from './crc32.ts';
import { EVENT_CODE } from './decode.ts';
import { RecordingError } from './error.ts';
import { hex8 } from './header_fields.ts';
import { HEADER_BYTES, parseHeader, type RecordingHeader } from './recording.ts';

/** The first byte of a chunk. */
const CHUNK_EVENT = EVENT_CODE.chunk * 4 + 3;
const FIRST_WORD = 'revmap-recording ';
const END_LINE = [0x0a, 0x65, 0x6e, 0x64, 0x0a];

const latin1 = new TextDecoder('latin1');
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Where bodies are kept. */
export interface BodyKeeper {
  add(bytes: Uint8Array): void;
  kept(): Pick<Recording, 'bytes' | 'fd'>;
  close(): void;
}

/** A CRC-32 that may be faster than ours. */
export type Crc32 = (bytes: Uint8Array, before: number) => number;

/** `keeperOf` is given what the header says that the bodies take. */
export async function readRecording(
  all: AsyncIterable<Uint8Array>,
  name: string,
  keeperOf: (bytes: number) => BodyKeeper,
  sumOf: Crc32 = crc32,
): Promise<Recording> {
  const chunks = all[Symbol.asyncIterator]();
  const { header, bodiesAt, rest } = await readHeader(chunks, name);
  const total = header.processes.reduce((sum, p) => sum + p.bytes, 0);
  const keep = keeperOf(total);
  let length = 0;
  const sums = new ChunkSums(header, bodiesAt, name, sumOf);
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

/** Holds what comes in to the checksums of format 2. */
class ChunkSums {
  private readonly header: RecordingHeader;
  private readonly bodiesAt: number;
  private readonly name: string;
  private readonly sumOf: Crc32;
  /** The chunk that is coming, what of it is here, where it begins. */
  private index = 0;
  private length = 0;
  private sum = 0;
  private begin = 0;

  constructor(header: RecordingHeader, bodiesAt: number, name: string, sumOf: Crc32) {
    this.header = header;
    this.bodiesAt = bodiesAt;
    this.name = name;
    this.sumOf = sumOf;
  }

  add(bytes: Uint8Array): void {
    const chunks = this.header.ordered?.chunks;
    if (chunks === undefined) return;
    for (let at = 0; at < bytes.length; ) {
      const chunk = chunks[this.index]!;
      const part = bytes.subarray(at, at + chunk.bytes - this.length);
      if (this.length === 0 && part[0] !== CHUNK_EVENT) throw this.refuse('does not begin with its clock');
      this.sum = this.sumOf(part, this.sum);
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
    if (chunk !== null) bytes = bytes.length === 0 ? chunk : joined(bytes, chunk);
    const start = latin1.decode(bytes.subarray(0, FIRST_WORD.length));
    if (chunk === null && bytes.length === 0) throw new RecordingError(name, '', 'is empty');
    if (bytes.length >= FIRST_WORD.length && start !== FIRST_WORD) parseHeader(start.slice(0, 1), name);
    const most = HEADER_BYTES[bytes[FIRST_WORD.length] === 0x32 ? 2 : 1];
    const head = bytes.subarray(0, most);
    const end = endOf(head);
    if (end >= 0) {
      const bodiesAt = end + 5;
      const text = utf8.decode(head.subarray(0, bodiesAt));
      return { header: parseHeader(text, name), bodiesAt, rest: bytes.subarray(bodiesAt) };
    }
    if (bytes.length >= most) {
      throw new RecordingError(name, `byte ${most}`, `the header has no line 'end' in its first ${most} bytes`);
    }
    // What there is says why it is not one: the wrong first line, or no end.
    if (chunk === null) parseHeader(utf8.decode(head), name);
    if (chunk === null)
      throw new RecordingError(name, `byte ${bytes.length}`, "the file was cut off before the header's 'end'");
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Where the line `end` begins, with the line feed before it; -1 if there is none yet. */
function endOf(head: Uint8Array): number {
  for (let at = head.indexOf(0x0a); at >= 0; at = head.indexOf(0x0a, at + 1)) {
    if (END_LINE.every((byte, n) => head[at + n] === byte)) return at;
  }
  return -1;
}
