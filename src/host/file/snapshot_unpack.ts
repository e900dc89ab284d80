/**
 * From the bytes of a snapshot file to the snapshot, in a browser as in Node.
 *
 * Owns      unpacking, and how much may come out.
 * Promises  1. What unpacks to more than UNPACK_FREE, or UNPACK_RATIO times what went in, is refused on the way.
 *           2. A file that is not packed is read as it is.
 *           3. Pure: DecompressionStream is the browser's, and Node has it, too.
 */
import { InputError } from '../../mm/bug.ts';
import type { HostSnapshot } from '../snapshot.ts';
import { decodeSnapshot } from './snapshot_file.ts';

/** Zeros pack 1,000 : 1, the columns of a real host 3 : 1, those of an idle TiB 500 : 1 (12 MiB of them). */
const UNPACK_RATIO = 256;
const UNPACK_FREE = 2 ** 26;
/** Longer pieces of memory are none in a browser. */
const UNPACK_MOST = 2 ** 31;

type Pieces = AsyncIterable<Uint8Array>;
/** What takes gzip away. It throws if it cannot. */
export type Gunzip = (packed: Pieces) => Pieces;

/** `name` is for messages. */
export async function readSnapshotBytes(
  pieces: Pieces | Iterable<Uint8Array>,
  name: string,
  gunzip: Gunzip = decompressed,
): Promise<HostSnapshot> {
  const packed = { bytes: 0 };
  const { isPacked, all } = await looked(pieces);
  const counted = counting(all, packed);
  const bytes = await gathered(isPacked ? refusing(gunzip(counted), packed, name) : counted, packed, name);
  return decodeSnapshot(bytes, name, packed.bytes);
}

async function looked(pieces: Pieces | Iterable<Uint8Array>): Promise<{ isPacked: boolean; all: Pieces }> {
  const rest = (async function* () {
    yield* pieces;
  })();
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < 2) {
    const { done, value } = await rest.next();
    if (done === true) break;
    start = joined([start, value]);
  }
  const all = (async function* () {
    if (start.length > 0) yield start;
    yield* rest;
  })();
  return { isPacked: start[0] === 0x1f && start[1] === 0x8b, all };
}

async function* counting(pieces: Pieces, count: { bytes: number }): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    count.bytes += piece.length;
    yield piece;
  }
}

async function* decompressed(packed: Pieces): AsyncGenerator<Uint8Array> {
  const from = packed[Symbol.asyncIterator]();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await from.next();
      if (done === true) controller.close();
      else controller.enqueue(value.slice());
    },
  });
  const reader = stream.pipeThrough(new DecompressionStream('gzip')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Whoever stops early stops the reading with it; what is damaged has stopped already.
    await reader.cancel().catch(() => undefined);
  }
}

async function* refusing(unpacked: Pieces, packed: { bytes: number }, name: string): AsyncGenerator<Uint8Array> {
  try {
    yield* unpacked;
  } catch (error) {
    // A file that cannot be read was refused before.
    if (!(error instanceof Error) || error.name === 'InputError') throw error;
    const isCut = 'code' in error && error.code === 'Z_BUF_ERROR';
    const reason = isCut ? 'was cut off' : `is damaged (${error.message})`;
    throw new InputError(name, 0, `byte ${packed.bytes} at most: the gzip file ${reason}`);
  }
}

async function gathered(pieces: Pieces, packed: { bytes: number }, name: string): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    const most = Math.min(UNPACK_MOST, Math.max(UNPACK_FREE, UNPACK_RATIO * packed.bytes));
    if (length > most) {
      const reason = `it unpacks to more than the ${most} bytes that ${packed.bytes} may become`;
      throw new InputError(name, 0, `byte ${packed.bytes}: ${reason}`);
    }
    all.push(piece);
  }
  return joined(all);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
