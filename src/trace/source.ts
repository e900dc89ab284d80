/**
 * Opens a recording: a file or standard input, compressed or not.
 *
 * Owns      where the bytes of a recording are while it is in use.
 * Promises  Up to MEMORY_BYTES of bodies are held once, in memory that workers can share. More go into a temporary file
 *           without a name, and are read from there window by window.
 */
import { closeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { piecesOf, type Recording } from './bodies.ts';
import { RecordingBuilder } from './builder.ts';
import { DETECT_BYTES, type InputFormat } from './detect.ts';
import { RecordingError } from './error.ts';
import { formatOf, isRecording, readerOf } from './input.ts';
import { Keep } from './keep.ts';
import { readRecording } from './read_recording.ts';
import type { RecordingHeader } from './recording.ts';
import { type Chunks, inputName, readUnpacked, startOf, unpack } from './unpack.ts';
import { ChunkTable, type ChunkTaker, type RecordingFacts } from './write.ts';

/** The first piece of memory for a recording, and for what is made into one. */
const FIRST_BYTES = 1 << 24;
const FIRST_BYTES_MADE = 1 << 16;

export { decoderFrom, decoderOf, type Recording } from './bodies.ts';

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
  if (isRecording(start)) return readRecording(all, name, (total) => new Keep(Math.min(total, FIRST_BYTES)), crc32);
  return makeRecording(all, name, formatOf(start, isAll, name));
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
