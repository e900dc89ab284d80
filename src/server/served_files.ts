/**
 * The files that were named when the server started.
 *
 * Owns      their descriptors. They are opened once and asked for by number; no path ever comes from a request.
 * Promises  1. Only regular files that are something the page can open: what it is, their first bytes say, or an .mmp name.
 *           2. Opening never waits: a FIFO is refused, not read.
 *           3. A reader gets as many bytes as the file had when it was opened, or its connection ends.
 */
import { closeSync, constants, fstatSync, openSync, read } from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { isSnapshot } from '../host/file/snapshot_file.ts';
import { InputError } from '../mm/bug.ts';
import { DETECT_BYTES } from '../trace/detect.ts';
import { formatOf, isRecording } from '../trace/input.ts';
import { startOf, unpack } from '../trace/unpack.ts';

export type FileKind = 'recording' | 'program' | 'snapshot';

export interface ServedFile {
  /** Without its folder, if no other one is called so. */
  readonly name: string;
  readonly bytes: number;
  readonly kind: FileKind;
  readonly fd: number;
}

const CHUNK_BYTES = 1 << 18;
const PROGRAM = /^(?:\s*(?:#.*)?\n)*\s*%mmp\s/;

const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file'],
  ['ENOTDIR', 'no such file'],
  ['EACCES', 'permission denied'],
  ['ELOOP', 'is a link that leads back to itself'],
  ['ENXIO', 'is a socket, and no file'],
]);

export async function openFiles(paths: readonly string[]): Promise<ServedFile[]> {
  const files: ServedFile[] = [];
  for (const path of paths) {
    const isOnly = paths.filter((other) => basename(other) === basename(path)).length === 1;
    const fd = opened(path);
    const file = { name: isOnly ? basename(path) : path, bytes: fstatSync(fd).size, fd };
    files.push({ ...file, kind: await kindOf(contentOf(file), path) });
  }
  return files;
}

const readAt = promisify(read);

/**
 * From its beginning to where it ended when it was opened. Not by a stream: whoever ends one early closes its descriptor, and
 * the number would soon be another file's.
 */
export async function* contentOf({
  name,
  bytes,
  fd,
}: Pick<ServedFile, 'name' | 'bytes' | 'fd'>): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; ) {
    const piece = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes - at));
    const { bytesRead } = await readAt(fd, piece, 0, piece.length, at);
    if (bytesRead === 0) throw new InputError(name, 0, 'has become shorter');
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

function opened(path: string): number {
  if (path === '-') throw new InputError(path, 0, 'a file is expected, not standard input');
  let fd = -1;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw new InputError(path, 0, 'is a folder');
    if (!stat.isFile()) throw new InputError(path, 0, 'is no regular file');
    if (stat.size === 0) throw new InputError(path, 0, 'is empty');
    return fd;
  } catch (error) {
    if (fd >= 0) closeSync(fd);
    const why = REFUSALS.get((error as NodeJS.ErrnoException).code ?? '');
    throw why === undefined ? error : new InputError(path, 0, why);
  }
}

/** Throws if it is nothing that the page reads. */
async function kindOf(content: AsyncIterable<Uint8Array>, path: string): Promise<FileKind> {
  const { start, isAll } = await startOf(unpack(content, path), DETECT_BYTES);
  if (isSnapshot(start)) return 'snapshot';
  if (isRecording(start)) return 'recording';
  // A memory program looks like strace's output to whoever does not know its first line.
  if (path.endsWith('.mmp') || PROGRAM.test(Buffer.from(start).toString('latin1'))) return 'program';
  const { kind } = formatOf(start, isAll, path);
  const how = `revmap convert ${path} ${basename(path)}.rvm.gz makes one of it`;
  throw new InputError(path, 0, `is a trace (${kind}); the page opens recordings: ${how}`);
}
