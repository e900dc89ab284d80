/**
 * The only door to /proc, /sys and the file system of a live host.
 *
 * Promises  1. Everything is opened for reading, and nothing is ever written: no reset of referenced bits, no idle bits,
 *              no drop_caches, no control file of a cgroup.
 *           2. A refusal is an answer, not an exception: processes end and mappings go while we read.
 *           3. Tests put a class of their own here, in which any read may be refused.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeName, encodeName } from '../text.ts';

/** Room for a file, to begin with. */
const ROOM_BYTES = 65_536;

/** What the kernel would not show, and its word for it: ENOENT, ESRCH, EPERM, EACCES … */
export class Refusal {
  readonly errno: string;

  constructor(errno: string) {
    this.errno = errno;
  }
}

export interface FileStat {
  /** As in maps: `08:01`. */
  readonly device: string;
  readonly inode: string;
  readonly sizeBytes: number;
  readonly kind: 'file' | 'directory' | 'other';
}

export class HostFiles {
  readonly proc: string;
  readonly sys: string;
  private room = new Uint8Array(ROOM_BYTES);

  constructor(proc = '/proc', sys = '/sys') {
    this.proc = proc;
    this.sys = sys;
  }

  /** A path below /proc: `inProc(12, 'maps')`. Not by `join`, which looks at each letter: a host is asked for thousands. */
  inProc(...names: (string | number)[]): string {
    return [this.proc, ...names].join('/');
  }

  inSys(...names: string[]): string {
    return join(this.sys, ...names);
  }

  /** A whole file. Those of /proc have no size and come in pieces of a page, so they are read to their end into one buffer. */
  bytes(path: string): Uint8Array | Refusal {
    return answered(() => {
      const fd = openSync(raw(path), 'r');
      try {
        return this.toTheEnd(fd);
      } finally {
        closeSync(fd);
      }
    });
  }

  text(path: string): string | Refusal {
    const bytes = this.bytes(path);
    return bytes instanceof Refusal ? bytes : decodeName(bytes);
  }

  list(path: string): string[] | Refusal {
    return answered(() => readdirSync(raw(path), { encoding: 'buffer' }).map((name) => decodeName(name)));
  }

  directories(path: string): string[] | Refusal {
    return answered(() =>
      readdirSync(raw(path), { encoding: 'buffer', withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => decodeName(entry.name)),
    );
  }

  link(path: string): string | Refusal {
    return answered(() => decodeName(readlinkSync(raw(path), { encoding: 'buffer' })));
  }

  stat(path: string): FileStat | Refusal {
    return answered(() => {
      const stat = statSync(raw(path), { bigint: true });
      return {
        device: deviceName(stat.dev),
        inode: String(stat.ino),
        sizeBytes: Number(stat.size),
        kind: stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other',
      };
    });
  }

  private toTheEnd(fd: number): Uint8Array {
    let length = 0;
    for (;;) {
      if (length === this.room.length) {
        const room = new Uint8Array(2 * length);
        room.set(this.room);
        this.room = room;
      }
      const read = readSync(fd, this.room, length, this.room.length - length, null);
      if (read === 0) return this.room.slice(0, length);
      length += read;
    }
  }

  open(path: string): OpenFile | Refusal {
    return answered(() => new OpenFile(openSync(raw(path), 'r')));
  }
}

/** A file that is read in places: pagemap, kpageflags. */
export class OpenFile {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** How many bytes were read at `position`; 0 behind the end. */
  readAt(into: Uint8Array, position: number): number | Refusal {
    return answered(() => readSync(this.fd, into, 0, into.length, position));
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Linux's encoding of dev_t, 12 bits of major and 20 of minor, as maps prints it. */
function deviceName(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
}

/** Names that are no UTF-8 go to the kernel as the bytes that they are. */
function raw(path: string): string | Buffer {
  return /[\udc80-\udcff]/.test(path) ? Buffer.from(encodeName(path)) : path;
}

function answered<T>(ask: () => T): T | Refusal {
  try {
    return ask();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return new Refusal(code);
  }
}
