/**
 * Snapshot files on disk.
 *
 * Owns      opening and naming them.
 * Promises  1. Under the name that was asked for stands the whole file, or what stood there before: it is written beside it,
 *              for the user's eyes only (0600), and then named.
 *           2. A file that is there stays, unless `force`.
 *           3. What cannot be read or written is said with the name of the file.
 */
import { once } from 'node:events';
import { closeSync, createReadStream, linkSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { InputError } from '../../mm/bug.ts';
import type { HostSnapshot } from '../snapshot.ts';
import { encodeSnapshot } from './snapshot_file.ts';
import { readSnapshotBytes } from './snapshot_unpack.ts';

const CHUNK_BYTES = 1 << 20;
/** Higher levels take twice the time for a tenth of the bytes. */
const LEVEL = 4;

type Pieces = AsyncIterable<Uint8Array>;

export interface WrittenFile {
  /** Packed, and before packing. */
  readonly bytes: number;
  readonly unpackedBytes: number;
}

/** `path` may be `-`: standard input. */
export async function readSnapshotFile(path: string): Promise<HostSnapshot> {
  const name = path === '-' ? 'standard input' : path;
  const input: Readable = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: CHUNK_BYTES });
  try {
    return await readSnapshotBytes(read(input, name), name, gunzipped);
  } finally {
    input.destroy();
  }
}

/** Throws if no file may be written there: asked before the work, and once more by the work. `-` is standard output. */
export function mayWriteSnapshot(path: string, force: boolean): void {
  if (path === '-') return;
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    // Throws if that is not there.
    if (there === undefined) statSync(dirname(path));
    else if (!there.isFile()) throw new InputError(path, 0, there.isDirectory() ? 'is a folder' : 'is no regular file');
    else if (!force) throw new InputError(path, 0, REFUSALS.get('EEXIST')!);
  } catch (error) {
    throw refusal(error, path);
  }
}

export async function writeSnapshotFile(path: string, snapshot: HostSnapshot, force = false): Promise<WrittenFile> {
  mayWriteSnapshot(path, force);
  const parts = encodeSnapshot(snapshot);
  const unpackedBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const packed = Readable.from(parts).pipe(createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES }));
  const bytes = await (path === '-' ? toStdout(packed) : toFile(packed, path, force));
  return { bytes, unpackedBytes };
}

async function toFile(pieces: Pieces, path: string, force: boolean): Promise<number> {
  const part = `${path}.${process.pid}.part`;
  let bytes = 0;
  let fd = -1;
  try {
    fd = openSync(part, 'wx', 0o600);
    for await (const piece of pieces) bytes += writeAll(fd, piece);
    if (force) renameSync(part, path);
    else named(part, path);
  } catch (error) {
    throw refusal(error, path);
  } finally {
    if (fd >= 0) {
      closeSync(fd);
      rmSync(part, { force: true });
    }
  }
  return bytes;
}

async function toStdout(pieces: Pieces): Promise<number> {
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  }
  return bytes;
}

/** Not over a file that is there: a link refuses that, a rename does not. */
function named(part: string, path: string): void {
  try {
    linkSync(part, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    // A file system without links.
    closeSync(openSync(path, 'wx', 0o600));
    renameSync(part, path);
  }
}

function writeAll(fd: number, bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  return bytes.length;
}

async function* read(input: Readable, name: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of input) yield chunk as Uint8Array;
  } catch (error) {
    throw refusal(error, name);
  }
}

async function* gunzipped(packed: Pieces): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const input = Readable.from(packed);
  input.on('error', (error) => gunzip.destroy(error));
  try {
    for await (const chunk of input.pipe(gunzip)) yield chunk as Uint8Array;
  } finally {
    gunzip.destroy();
    input.destroy();
  }
}

const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file or folder'],
  ['EEXIST', 'is there already (--force writes over it)'],
  ['EISDIR', 'is a folder'],
  ['ENOTDIR', 'leads through a file as if it were a folder'],
  ['EACCES', 'permission denied'],
  ['EROFS', 'is on a file system that is read only'],
  ['ENOSPC', 'no space left'],
  ['ELOOP', 'is a link that leads back to itself'],
  ['ENXIO', 'is a socket or a device that cannot be read'],
]);

function refusal(error: unknown, name: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = REFUSALS.get(code);
  return reason === undefined ? error : new InputError(name, 0, reason);
}
