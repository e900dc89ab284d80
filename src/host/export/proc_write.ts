/**
 * Writes a /proc as plain files, so that people's own tools read it.
 *
 * Owns      a directory that is new: it is filled under a private name beside its place, and renamed when it is whole. A file
 *           `.revmap-export` marks it as ours.
 * Promises  1. Nothing that was there is overwritten, but an empty directory, or (`force`) one with our mark.
 *           2. Nothing is written through a link: every file is made new, in a directory that we made.
 *           3. Where a file of words has none that differs from zero, it has a hole: a pagemap of 256 GiB takes a few pages.
 *           4. What is refused half way leaves nothing behind. Who is killed leaves the directory with the private name, a dot first.
 */
import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { ProcNode } from '../../proc/tree.ts';
import { encodeName } from '../text.ts';

const MARK = '.revmap-export';
const MARK_TEXT = 'Written by revmap proc --export. revmap proc --export --force may replace this directory.\n';
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Words of one block of a file system: what is zero in a block of its own is not written. */
const WORDS_PER_BLOCK = 512;

/** What was written: a path below the directory, and its length. A link's is that of what it says. */
export interface Written {
  readonly path: string;
  readonly kind: ProcNode['kind'];
  readonly bytes: number;
}

/** Why a directory cannot be written to; null if it can. */
export function whyNotExport(directory: string, force: boolean): string | null {
  // It would be replaced under whoever stands in it.
  if (resolve(directory) === process.cwd()) return 'is the current directory; name one in it';
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if (stat.isSymbolicLink()) return 'is a symbolic link';
  if (!stat.isDirectory()) return 'is there, and is no directory';
  if (readdirSync(directory).length === 0) return null;
  if (!lstatSync(join(directory, MARK), { throwIfNoEntry: false })?.isFile()) {
    return 'is not empty, and was not written by revmap proc';
  }
  return force ? null : 'holds an earlier export (--force replaces it)';
}

/** The directory has been asked about (whyNotExport). */
export function writeProc(nodes: Iterable<ProcNode>, directory: string): Written[] {
  const place = resolve(directory);
  mkdirSync(dirname(place), { recursive: true });
  const made = mkdtempSync(join(dirname(place), `.${basename(place)}.`));
  try {
    const written = writeNodes(nodes, made);
    writeFileSync(join(made, MARK), MARK_TEXT, { flag: 'wx', mode: 0o444 });
    chmodSync(made, 0o755);
    putInPlace(made, place);
    return written;
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
}

/** An earlier export is moved aside first, so that at no time half of each is there. */
function putInPlace(made: string, place: string): void {
  if (lstatSync(join(place, MARK), { throwIfNoEntry: false }) === undefined) {
    renameSync(made, place);
    return;
  }
  const old = `${made}.old`;
  renameSync(place, old);
  try {
    renameSync(made, place);
  } catch (error) {
    renameSync(old, place);
    throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

function writeNodes(nodes: Iterable<ProcNode>, root: string): Written[] {
  const written: Written[] = [];
  const isRoot = process.geteuid?.() === 0;
  for (const node of nodes) {
    const path = join(root, node.path);
    written.push({ path: node.path, kind: node.kind, bytes: writeNode(node, path) });
    // Tools tell by the owner of its directory whose a process is. Nobody but root may give files away.
    if (isRoot && node.uid !== 0) lchownSync(path, node.uid, node.uid);
  }
  return written;
}

function writeNode(node: ProcNode, path: string): number {
  switch (node.kind) {
    case 'directory':
      // Ours to write to, unlike those of /proc: else only root could delete it.
      mkdirSync(path, { mode: node.mode });
      return 0;
    case 'link': {
      const target = encodeName(node.target);
      symlinkSync(Buffer.from(target), path);
      return target.length;
    }
    case 'text': {
      const bytes = encodeName(node.text);
      writeNew(path, node.mode, (fd) => {
        writeAll(fd, bytes, 0);
      });
      return bytes.length;
    }
    case 'words':
      writeNew(path, node.mode, (fd) => {
        ftruncateSync(fd, node.length * 8);
        for (const { first, words } of node.blocks()) writeBlock(fd, first, words.subarray(0, node.length - first));
      });
      return node.length * 8;
  }
}

/** The file mode of the process is not asked: the files are as open as those of /proc. */
function writeNew(path: string, mode: number, fill: (fd: number) => void): void {
  const fd = openSync(path, NEW_FILE, 0o600);
  try {
    fill(fd);
  } finally {
    closeSync(fd);
  }
  chmodSync(path, mode);
}

/** Runs of file system blocks in which something stands. */
function writeBlock(fd: number, first: number, words: BigUint64Array): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  const halves = new Uint32Array(words.buffer, words.byteOffset, words.length * 2);
  let from = 0;
  for (let at = 0; at < words.length; ) {
    const end = Math.min(words.length, at + WORDS_PER_BLOCK);
    if (isZero(halves, at * 2, end * 2)) {
      if (from < at) writeAll(fd, bytes.subarray(from * 8, at * 8), (first + from) * 8);
      from = end;
    }
    at = end;
  }
  if (from < words.length) writeAll(fd, bytes.subarray(from * 8), (first + from) * 8);
}

function isZero(halves: Uint32Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (halves[at] !== 0) return false;
  return true;
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
