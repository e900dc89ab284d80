/**
 * A recording in use: its header, and a decoder for each of its bodies.
 *
 * Owns      where in the bytes each body's pieces are.
 * Promises  Node is needed for one thing only, to read what is kept in a temporary file (body_file.ts).
 */
import { readBodyFile } from './body_file.ts';
import { BodyDecoder, type BodySource, bodyOf } from './decode.ts';
import type { RecordingHeader } from './recording.ts';

export interface Recording {
  /** As the user named it. */
  readonly file: string;
  readonly header: RecordingHeader;
  /** Where the first body starts in the unpacked file. */
  readonly bodiesAt: number;
  /** All bodies as they stand in the file, one behind the other, or null if they are in `fd`. */
  readonly bytes: Uint8Array | null;
  /** Where each body's pieces are in them. */
  readonly bodies: readonly (readonly Piece[])[];
  /** The temporary file that holds them; -1 if they are in memory. */
  readonly fd: number;
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
export interface Piece {
  at: number;
  offset: number;
  bytes: number;
}

export function piecesOf({ ordered, processes }: RecordingHeader): Piece[][] {
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
      if (bytes === null) return readBodyFile(fd, into, count, from);
      into.set(bytes.subarray(from, from + count));
      return count;
    },
    placeOf(at) {
      const { piece, within } = pieceAt(at);
      return bodiesAt + piece.offset + within;
    },
  };
}
