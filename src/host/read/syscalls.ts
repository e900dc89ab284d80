/**
 * System calls that Node does not have, through koffi: cachestat(2), mincore(2), and those that open a file without
 * touching it.
 *
 * Owns      every prototype. A wrong one crashes the process, so they stand here and nowhere else, and a test calls each.
 * Promises  1. koffi is optional: without it, `loadSyscalls` says why, and nobody else fails.
 *           2. A refusal is an answer: each call gives what it asked for, or a Refusal with the errno's name.
 *           3. Nothing is written, no page of a file is touched: mappings are PROT_NONE and only asked about.
 * Linux     mm/filemap.c: cachestat (6.5; 6.18 refuses it for files that one may neither write nor own);
 *           mm/mincore.c: mincore (since 5.2 it calls every page resident in files that one may neither write nor own)
 */
import { constants } from 'node:fs';
import { endianness, constants as os } from 'node:os';
import { encodeName } from '../text.ts';
import { Refusal } from './host_files.ts';

/** What cachestat(2) counts, in pages. */
export interface CacheCounts {
  readonly cachedPages: number;
  readonly dirtyPages: number;
  readonly writebackPages: number;
  readonly evictedPages: number;
  readonly recentlyEvictedPages: number;
}

/** What statx(2) says of an inode. */
export interface Inode {
  /** As in maps, and decimal. */
  readonly device: string;
  readonly inode: string;
  readonly kind: InodeKind;
  readonly sizeBytes: number;
  readonly uid: number;
  /** Names that it has left. */
  readonly links: number;
  /** Of a device file: which device. */
  readonly ofDevice: string;
}

/** What statfs(2) says. */
export interface FileSystem {
  /** TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC … */
  readonly magic: number;
  readonly usedBytes: number;
  readonly usedInodes: number;
}

export type InodeKind = 'file' | 'directory' | 'link' | 'block device' | 'other';

/** A name in a directory: its bytes (NUL behind them), and what the directory says it is. */
export interface DirectoryEntry {
  readonly name: Uint8Array;
  readonly kind: InodeKind | 'unknown';
}

/** The path is relative to the working directory, or absolute. */
export const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_NO_AUTOMOUNT = 0x800;
const AT_STATX_DONT_SYNC = 0x4000;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BYTES = 256;
const PROT_NONE = 0;
const MAP_SHARED = 1;
const PAGE = 4096;
/** Where its number, the layouts below and the size of a pointer are as we say; elsewhere nothing is asked. */
const KNOWN = ['x64', 'arm64', 'ppc64', 'riscv64', 'loong64'];
const NR_CACHESTAT = 451;
/** A window of mincore: 1 GiB of the file, a byte a page. */
const WINDOW_PAGES = 2 ** 18;
const DENTS_BYTES = 2 ** 17;

const ERRNO_NAMES = new Map(Object.entries(os.errno).map(([name, number]) => [number as number, name]));
const ROOT_OF_FDS = '/proc/self/fd/';

/** What koffi makes of the prototypes below. Pointers to what the kernel fills are typed arrays of ours. */
interface Library {
  readonly openat: (dir: number, path: Uint8Array, flags: number) => number;
  readonly close: (fd: number) => number;
  readonly statx: (dir: number, path: Uint8Array, flags: number, mask: number, into: Uint8Array) => number;
  readonly fstatfs: (fd: number, into: BigUint64Array) => number;
  readonly getdents64: (fd: number, into: Uint8Array, bytes: number) => number;
  readonly syscall: (number: number, fd: number, range: BigUint64Array, into: BigUint64Array, flags: number) => number;
  readonly mmap: (at: number, bytes: number, prot: number, flags: number, fd: number, offset: number) => number;
  readonly munmap: (at: number, bytes: number) => number;
  readonly mincore: (at: number, bytes: number, into: Uint8Array) => number;
  readonly errno: () => number;
}

export async function loadSyscalls(): Promise<Syscalls | string> {
  if (process.platform !== 'linux' || !KNOWN.includes(process.arch) || endianness() !== 'LE')
    return `system calls of ${process.platform} on ${process.arch} are not known here`;
  let koffi: typeof import('koffi').default;
  try {
    koffi = (await import('koffi')).default;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' ? 'is not installed' : 'does not load';
    return `the optional package koffi ${why}`;
  }
  try {
    return new Syscalls(prototypes(koffi));
  } catch (error) {
    return `the C library has not all that is needed: ${(error as Error).message}`;
  }
}

/** Addresses are below 2^47 and offsets below 2^53: numbers. The variadic ones get the arguments that they read without O_CREAT. */
function prototypes(koffi: typeof import('koffi').default): Library {
  const c = koffi.load(null);
  return {
    openat: c.func('int openat(int dir, const void *path, int flags)'),
    close: c.func('int close(int fd)'),
    statx: c.func('int statx(int dir, const void *path, int flags, unsigned int mask, void *into)'),
    fstatfs: c.func('int fstatfs(int fd, void *into)'),
    getdents64: c.func('intptr_t getdents64(int fd, void *into, size_t bytes)'),
    syscall: c.func('long syscall(long number, unsigned int fd, const void *range, void *into, unsigned int flags)'),
    mmap: c.func('intptr_t mmap(uintptr_t at, size_t bytes, int prot, int flags, int fd, int64_t offset)'),
    munmap: c.func('int munmap(uintptr_t at, size_t bytes)'),
    mincore: c.func('int mincore(uintptr_t at, size_t bytes, void *into)'),
    errno: () => koffi.errno(),
  };
}

export class Syscalls {
  private readonly library: Library;
  private readonly stat = new Uint8Array(STATX_BYTES);
  private readonly statView = new DataView(this.stat.buffer);
  /** struct statfs of 64-bit kernels: type, bsize, blocks, bfree, bavail, files, ffree, and more. */
  private readonly statfs = new BigUint64Array(32);
  /** Offset 0, length 0: the whole file. */
  private readonly wholeFile = new BigUint64Array(2);
  private readonly counts = new BigUint64Array(5);
  private readonly fdPaths: Uint8Array[] = [];
  private readonly noPath = new Uint8Array(1);
  private vector: Uint8Array | null = null;
  private dents: Uint8Array | null = null;

  constructor(library: Library) {
    this.library = library;
  }

  /** A handle on the inode that opens nothing: no device wakes, no FIFO waits. `follow` a symbolic link at its end. */
  openPath(dir: number, path: Uint8Array, follow: boolean): number | Refusal {
    const flags = O_PATH | O_CLOEXEC | (follow ? 0 : constants.O_NOFOLLOW);
    return this.answer(this.library.openat(dir, path, flags));
  }

  /** Opens what a handle is on, for reading. Without a new atime where we may say so (our files, or all as root). */
  reopen(handle: number, directory = false): number | Refusal {
    const flags = O_CLOEXEC | constants.O_NONBLOCK | constants.O_NOCTTY | (directory ? constants.O_DIRECTORY : 0);
    const path = this.fdPath(handle);
    const fd = this.library.openat(AT_FDCWD, path, flags | constants.O_NOATIME);
    if (fd >= 0 || this.library.errno() !== os.errno.EPERM) return this.answer(fd);
    return this.answer(this.library.openat(AT_FDCWD, path, flags));
  }

  close(fd: number): void {
    this.library.close(fd);
  }

  /** Of a handle or a file. */
  statOf(fd: number): Inode | Refusal {
    return this.statx(fd, this.noPath, AT_EMPTY_PATH | AT_NO_AUTOMOUNT);
  }

  /** Of what a path leads to. Nothing is opened, and no server is asked for what the kernel knows. */
  statAt(path: Uint8Array): Inode | Refusal {
    return this.statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC);
  }

  /** Of the file system that a handle or a file is on. */
  fileSystemOf(fd: number): FileSystem | Refusal {
    const { statfs } = this;
    const result = this.answer(this.library.fstatfs(fd, statfs));
    if (result instanceof Refusal) return result;
    const [magic, blockBytes, blocks, free, , inodes, freeInodes] = Array.from(statfs, Number);
    return { magic: magic!, usedBytes: blockBytes! * (blocks! - free!), usedInodes: inodes! - freeInodes! };
  }

  /** The next entries of an open directory, `.` and `..` left out; null behind the last. The names are valid until the next call. */
  entries(fd: number): DirectoryEntry[] | Refusal | null {
    this.dents ??= new Uint8Array(DENTS_BYTES);
    const bytes = this.answer(this.library.getdents64(fd, this.dents, DENTS_BYTES));
    if (bytes instanceof Refusal) return bytes;
    return bytes === 0 ? null : entriesIn(this.dents, bytes);
  }

  cachestat(fd: number): CacheCounts | Refusal {
    const { counts } = this;
    const result = this.answer(this.library.syscall(NR_CACHESTAT, fd, this.wholeFile, counts, 0));
    if (result instanceof Refusal) return result;
    return {
      cachedPages: Number(counts[0]),
      dirtyPages: Number(counts[1]),
      writebackPages: Number(counts[2]),
      evictedPages: Number(counts[3]),
      recentlyEvictedPages: Number(counts[4]),
    };
  }

  /**
   * How many pages of the file are resident, by mincore, window by window; each range goes to `onRange` in order. For
   * files that one may neither write nor own, the kernel says that all are: the caller must know.
   */
  resident(fd: number, sizeBytes: number, onRange: (firstPage: number, pages: number) => void): number | Refusal {
    const pages = Math.ceil(sizeBytes / PAGE);
    const ranges = new RangeJoiner(onRange);
    for (let first = 0; first < pages; first += WINDOW_PAGES) {
      const refused = this.window(fd, first, Math.min(WINDOW_PAGES, pages - first), ranges);
      if (refused !== null) return refused;
    }
    return ranges.end();
  }

  private window(fd: number, first: number, pages: number, ranges: RangeJoiner): Refusal | null {
    const bytes = pages * PAGE;
    const at = this.answer(this.library.mmap(0, bytes, PROT_NONE, MAP_SHARED, fd, first * PAGE));
    if (at instanceof Refusal) return at;
    this.vector ??= new Uint8Array(WINDOW_PAGES);
    const told = this.answer(this.library.mincore(at, bytes, this.vector));
    this.library.munmap(at, bytes);
    if (told instanceof Refusal) return told;
    for (let page = 0; page < pages; page++) if ((this.vector[page]! & 1) !== 0) ranges.add(first + page);
    return null;
  }

  private statx(dir: number, path: Uint8Array, flags: number): Inode | Refusal {
    const result = this.answer(this.library.statx(dir, path, flags, STATX_BASIC_STATS, this.stat));
    if (result instanceof Refusal) return result;
    const view = this.statView;
    const u32 = (at: number) => view.getUint32(at, true);
    return {
      device: deviceText(u32(136), u32(140)),
      inode: wholeText(u32(36), u32(32)),
      kind: kindOfMode(view.getUint16(28, true)),
      sizeBytes: u32(44) * 2 ** 32 + u32(40),
      uid: u32(20),
      links: u32(16),
      ofDevice: deviceText(u32(128), u32(132)),
    };
  }

  private fdPath(fd: number): Uint8Array {
    return (this.fdPaths[fd] ??= cPath(`${ROOT_OF_FDS}${fd}`));
  }

  private answer(result: number): number | Refusal {
    if (result >= 0) return result;
    const errno = this.library.errno();
    return new Refusal(ERRNO_NAMES.get(errno) ?? `errno ${errno}`);
  }
}

/** A path as the C library wants it; names are as in text.ts. */
export function cPath(path: string): Uint8Array {
  const bytes = encodeName(path);
  const ended = new Uint8Array(bytes.length + 1);
  ended.set(bytes);
  return ended;
}

/** As maps prints it: `08:01`. */
export function deviceText(major: number, minor: number): string {
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
}

/** Two halves of a number that may be beyond 2^53. */
function wholeText(high: number, low: number): string {
  return high < 2 ** 21 ? String(high * 2 ** 32 + low) : String((BigInt(high) << 32n) | BigInt(low));
}

function kindOfMode(mode: number): InodeKind {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return 'file';
    case constants.S_IFDIR:
      return 'directory';
    case constants.S_IFLNK:
      return 'link';
    case constants.S_IFBLK:
      return 'block device';
    default:
      return 'other';
  }
}

/** struct linux_dirent64: ino 8, off 8, reclen 2, type 1, then the name and a NUL. The type is what the mode has above 12 bits. */
function entriesIn(bytes: Uint8Array, length: number): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at < length; ) {
    const recordBytes = bytes[at + 16]! + 256 * bytes[at + 17]!;
    const type = bytes[at + 18]!;
    const end = bytes.indexOf(0, at + 19);
    const name = bytes.subarray(at + 19, end + 1);
    if (!isDots(name)) entries.push({ name, kind: type === 0 ? 'unknown' : kindOfMode(type << 12) });
    at += recordBytes;
  }
  return entries;
}

function isDots(name: Uint8Array): boolean {
  const dot = 0x2e;
  return name[0] === dot && (name.length === 2 || (name.length === 3 && name[1] === dot));
}

/** Pages in order become ranges. */
class RangeJoiner {
  private readonly onRange: (firstPage: number, pages: number) => void;
  private first = 0;
  private pages = 0;
  private total = 0;

  constructor(onRange: (firstPage: number, pages: number) => void) {
    this.onRange = onRange;
  }

  add(page: number): void {
    if (this.pages > 0 && page === this.first + this.pages) {
      this.pages += 1;
      return;
    }
    this.flush();
    this.first = page;
    this.pages = 1;
  }

  /** How many there were. */
  end(): number {
    this.flush();
    this.pages = 0;
    return this.total;
  }

  private flush(): void {
    if (this.pages > 0) this.onRange(this.first, this.pages);
    this.total += this.pages;
  }
}
