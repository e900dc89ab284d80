/**
 * Asks every file below a directory.
 *
 * Promises  1. Symbolic links are not followed, also not by a directory that becomes one while we walk: each directory is
 *              opened below the one that was opened before, never by its whole path (which may be longer than PATH_MAX).
 *           2. It stays on the file system it began on, unless told otherwise; file systems whose files are made up when
 *              read (proc, sysfs) are left out in any case.
 *           3. A directory is open while its children are walked, one per level; nothing else is kept but names.
 */
import { Refusal } from '../read/host_files.ts';
import { AT_FDCWD, cPath, type Inode } from '../read/syscalls.ts';
import { decodeName } from '../text.ts';
import type { CacheAsker, Place } from './page_cache_asker.ts';

export interface WalkOptions {
  readonly allFilesystems: boolean;
  readonly progress: (place: string) => void;
}

interface Level {
  readonly fd: number;
  readonly path: string;
  readonly names: Uint8Array[];
}

/** Between two looks at the clock. */
const FILES_PER_PROGRESS = 256;

/** A file, or a directory with all below it. */
export function askPath(asker: CacheAsker, path: string, options: WalkOptions): Refusal | null {
  const { calls } = asker;
  const handle = calls.openPath(AT_FDCWD, cPath(path), true);
  if (handle instanceof Refusal) return handle;
  const inode = calls.statOf(handle);
  calls.close(handle);
  if (inode instanceof Refusal) return inode;
  if (inode.kind === 'directory') return new Walk(asker, options, inode.device).from(path);
  if (inode.kind !== 'file') return new Refusal('not a regular file or a directory');
  const outcome = asker.look(AT_FDCWD, cPath(path), true, { ...NOWHERE, path, isWanted: true });
  return outcome instanceof Refusal ? outcome : null;
}

const NOWHERE: Place = { pid: 'self', folder: null, path: null, row: null, isWanted: false };

class Walk {
  private readonly asker: CacheAsker;
  private readonly options: WalkOptions;
  private readonly device: string;
  private readonly walked = new Set<string>();

  constructor(asker: CacheAsker, options: WalkOptions, device: string) {
    this.asker = asker;
    this.options = options;
    this.device = device;
  }

  from(path: string): Refusal | null {
    const top = this.enter(AT_FDCWD, cPath(path), true, path);
    if (top instanceof Refusal) return top;
    if (top === null) return new Refusal('its files are made up when they are read: they have no page cache');
    const levels = [top];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.names.pop();
      if (name === undefined) {
        this.asker.calls.close(level.fd);
        levels.pop();
        continue;
      }
      const below = this.enter(level.fd, name, false, joined(level.path, decodeName(name.subarray(0, -1))));
      if (below instanceof Refusal) this.asker.note('directories', below.errno);
      else if (below !== null) levels.push(below);
    }
    return null;
  }

  /** Asks the files of a directory; the names of its directories remain. Null if it is none of ours. */
  private enter(dir: number, name: Uint8Array, follow: boolean, path: string): Level | Refusal | null {
    const { calls } = this.asker;
    const handle = calls.openPath(dir, name, follow);
    if (handle instanceof Refusal) return handle;
    const inode = calls.statOf(handle);
    const fd =
      inode instanceof Refusal
        ? inode
        : this.isOurs(handle, inode)
          ? calls.reopen(handle, true)
          : ('not ours' as const);
    calls.close(handle);
    if (fd instanceof Refusal) return fd;
    if (fd === 'not ours') return null;
    const names = this.askFiles(fd, path);
    if (!(names instanceof Refusal)) return { fd, path, names };
    calls.close(fd);
    return names;
  }

  private isOurs(handle: number, inode: Inode): boolean {
    if (inode.kind !== 'directory') return false;
    if (inode.device !== this.device && !this.options.allFilesystems) {
      this.asker.note('directories', 'another file system (--all-filesystems)');
      return false;
    }
    if (this.asker.isMadeUp(handle, inode.device)) return false;
    const identity = `${inode.device} ${inode.inode}`;
    if (this.walked.has(identity)) return false;
    this.walked.add(identity);
    return true;
  }

  private askFiles(fd: number, folder: string): Uint8Array[] | Refusal {
    const { calls } = this.asker;
    const place: Place = { ...NOWHERE, folder };
    const directories: Uint8Array[] = [];
    this.options.progress(folder);
    let files = 0;
    for (let entries = calls.entries(fd); entries !== null; entries = calls.entries(fd)) {
      if (entries instanceof Refusal) return entries;
      for (const { name, kind } of entries) {
        if (kind === 'directory' || kind === 'unknown') directories.push(name.slice());
        if (kind !== 'file' && kind !== 'unknown') continue;
        this.asker.ask(fd, name, false, place);
        files += 1;
        if (files % FILES_PER_PROGRESS === 0) this.options.progress(folder);
      }
    }
    return directories;
  }
}

function joined(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}
