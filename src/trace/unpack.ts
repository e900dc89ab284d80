/**
 * The bytes of an input: a file or standard input, unpacked if gzip or zstd packed it.
 *
 * Owns      opening, unpacking, and how much may come out.
 * Promises  1. A chunk at a time is in memory, whatever the file claims.
 *           2. What unpacks to more than UNPACK_LIMITS allow is refused, with both numbers.
 *           3. What the operating system refuses is said with the name of the file; what is damaged with its byte.
 */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { RecordingError } from './error.ts';
import { isZstd, ZstdError, ZstdFrames } from './zstd.ts';

const CHUNK_BYTES = 1 << 20;
/** A packed file in a packed file is somebody's habit, a third layer nobody's. */
const LAYERS = 2;
/** Of zstd's bytes at a time: four of them may become 128 KiB. */
const PIECE_BYTES = 512;

export interface UnpackLimits {
  /** So many bytes may come out in any case … */
  free: number;
  /** … and behind them so many for each byte that went in … */
  ratio: number;
  /** … up to so many. */
  bytes: number;
}

/** Zeros pack 1,000 : 1 in gzip and 30,000 : 1 in zstd; page traces that somebody measured 3 : 1 to 300 : 1. */
export const UNPACK_LIMITS: UnpackLimits = { free: 2 ** 30, ratio: 5000, bytes: 2 ** 40 };

export type Chunks = AsyncIterable<Uint8Array>;

/** What to call an input in messages; `-` is standard input. */
export function inputName(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/** The unpacked bytes of a file. */
export async function* readUnpacked(file: string, limits: UnpackLimits = UNPACK_LIMITS): AsyncGenerator<Uint8Array> {
  const name = inputName(file);
  const input: Readable = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: CHUNK_BYTES });
  try {
    yield* unpack(refused(input, name), name, limits);
  } finally {
    input.destroy();
  }
}

/** Bytes from anywhere, unpacked as often as they were packed. */
export async function* unpack(
  packed: Chunks,
  name: string,
  limits: UnpackLimits = UNPACK_LIMITS,
): AsyncGenerator<Uint8Array> {
  let chunks = packed;
  for (let layer = 0; ; layer++) {
    const { start, all } = await startOf(chunks, 4);
    const kind = start[0] === 0x1f && start[1] === 0x8b ? 'gzip' : isZstd(start) ? 'zstd' : null;
    if (kind === null) {
      yield* all;
      return;
    }
    if (layer === LAYERS) throw new RecordingError(name, '', `is packed more than ${LAYERS} times`);
    const count = { in: 0 };
    const counted = counting(all, count);
    chunks = limited(kind === 'gzip' ? gunzipped(counted, name) : unzstd(counted, name), count, kind, name, limits);
  }
}

/** The first bytes, `wanted` of them if there are so many; whether that is all; and everything. */
export async function startOf(
  chunks: Chunks,
  wanted: number,
): Promise<{ start: Uint8Array; isAll: boolean; all: Chunks }> {
  const rest = chunks[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let length = 0;
  let isAll = false;
  while (length < wanted && !isAll) {
    const { done, value } = await rest.next();
    if (done === true) isAll = true;
    else {
      first.push(value);
      length += value.length;
    }
  }
  return { start: Buffer.concat(first).subarray(0, wanted), isAll, all: chain(first, rest) };
}

async function* chain(first: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* first;
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    // Whoever stops early closes the file with it.
    await rest.return?.();
  }
}

async function* counting(chunks: Chunks, count: { in: number }): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    count.in += chunk.length;
    yield chunk;
  }
}

async function* limited(
  chunks: Chunks,
  count: { in: number },
  kind: string,
  name: string,
  limits: UnpackLimits,
): AsyncGenerator<Uint8Array> {
  const { free, ratio, bytes } = limits;
  let out = 0;
  for await (const chunk of chunks) {
    out += chunk.length;
    if (out > bytes || (out > free && out > ratio * count.in)) {
      const allowed = `${free} bytes or ${ratio} times its size are the most, and ${bytes} bytes in any case`;
      const reason = `the ${kind} file unpacks to more than ${out} bytes from ${count.in}: ${allowed}`;
      throw new RecordingError(name, `byte ${out}`, reason);
    }
    yield chunk;
  }
}

async function* gunzipped(chunks: Chunks, name: string): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const packed = Readable.from(chunks);
  packed.on('error', (error) => gunzip.destroy(error));
  let seen = 0;
  try {
    for await (const chunk of packed.pipe(gunzip)) {
      seen += (chunk as Uint8Array).length;
      yield chunk as Uint8Array;
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'Z_BUF_ERROR') throw new RecordingError(name, `byte ${seen}`, 'the gzip file was cut off');
    if (!code.startsWith('Z_')) throw error;
    throw new RecordingError(name, `byte ${seen}`, `the gzip file is damaged (${(error as Error).message})`);
  } finally {
    gunzip.destroy();
    packed.destroy();
  }
}

async function* unzstd(chunks: Chunks, name: string): AsyncGenerator<Uint8Array> {
  let seen = 0;
  let out: Uint8Array[] = [];
  const frames = new ZstdFrames((bytes) => out.push(bytes));
  const step = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      // fzstd meets damaged blocks with errors of its own and of the language.
      const reason = error instanceof ZstdError ? error.message : `is damaged (${(error as Error).message})`;
      throw new RecordingError(name, `byte ${seen}`, `the zstd file ${reason}`);
    }
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      step(() => frames.push(chunk.subarray(at, at + PIECE_BYTES)));
      for (const bytes of out) seen += bytes.length;
      yield* out;
      out = [];
    }
  }
  step(() => frames.end());
}

async function* refused(input: Readable, name: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of input) yield chunk as Uint8Array;
  } catch (error) {
    const reason = REFUSALS.get((error as NodeJS.ErrnoException).code ?? '');
    throw reason === undefined ? error : new RecordingError(name, '', reason);
  }
}

const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file'],
  ['EISDIR', 'is a folder'],
  ['EACCES', 'may not be read'],
  ['ELOOP', 'is a link that leads back to itself'],
  ['ENXIO', 'is a socket or a device that cannot be read'],
]);
