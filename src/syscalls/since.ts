/**
 * Which calls and flags a kernel has: what came later is refused as the kernel of that time refuses it.
 *
 * Owns      the table. What a flag of mmap is that nobody knows: ignored, so MAP_FIXED_NOREPLACE is a hint and MAP_POPULATE nothing;
 *           but an unknown type of mapping is EINVAL. Unknown flags of mremap and mlockall: EINVAL. Unknown modes of fallocate:
 *           EOPNOTSUPP. A call that is not there: ENOSYS.
 *           Advice is not here: mm/known_advice.ts.
 * Promises  Each is refused before anything else of the call is looked at, as the kernel does.
 * Linux     6.18 include/uapi/asm-generic/mman-common.h, fs/open.c: vfs_fallocate; the man pages say since when
 */
import { EINVAL, ENOSYS, EOPNOTSUPP } from '../mm/errno.ts';
import { isSince } from '../mm/release.ts';
import {
  MAP_DROPPABLE,
  MAP_FIXED_NOREPLACE,
  MAP_NONBLOCK,
  MAP_POPULATE,
  MAP_SHARED_VALIDATE,
  MAP_SYNC,
  MAP_TYPE,
  MCL_ONFAULT,
  MREMAP_DONTUNMAP,
} from '../mm/uapi.ts';
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_UNSHARE_RANGE,
  FALLOC_FL_ZERO_RANGE,
} from './uapi.ts';

const CALLS: Readonly<Record<string, string>> = {
  remap_file_pages: '2.5.46',
  fadvise64: '2.5.60',
  fallocate: '2.6.23',
  memfd_create: '3.17',
  mlock2: '4.4',
};

const MAP_FLAGS: readonly [flag: number, since: string][] = [
  [MAP_POPULATE, '2.5.46'],
  [MAP_NONBLOCK, '2.5.46'],
  [MAP_SYNC, '4.15'],
  [MAP_FIXED_NOREPLACE, '4.17'],
];

const MAP_TYPES: readonly [type: number, since: string][] = [
  [MAP_SHARED_VALIDATE, '4.15'],
  [MAP_DROPPABLE, '6.11'],
];

const FALLOC_MODES: readonly [flag: number, since: string][] = [
  [FALLOC_FL_PUNCH_HOLE, '2.6.38'],
  [FALLOC_FL_COLLAPSE_RANGE, '3.15'],
  [FALLOC_FL_ZERO_RANGE, '3.15'],
  [FALLOC_FL_INSERT_RANGE, '4.1'],
  [FALLOC_FL_UNSHARE_RANGE, '4.14'],
];
/** tmpfs allocates since then. */
const TMPFS_FALLOCATE = '3.5';

/** What one kernel has. */
export class Since {
  private readonly version: string;

  constructor(version: string) {
    this.version = version;
  }

  private has(since: string | undefined): boolean {
    return since === undefined || isSince(this.version, since);
  }

  /** 0, or -ENOSYS. */
  call(name: string): number {
    return this.has(CALLS[name]) ? 0 : -ENOSYS;
  }

  /** The flags that this kernel sees. The type MAP_DROPPABLE of kernels that do not have it is refused by doMmap. */
  mapFlags(flags: number): number {
    let known = flags;
    for (const [flag, since] of MAP_FLAGS) if (!this.has(since)) known &= ~flag;
    return known;
  }

  mapType(flags: number): number {
    const type = flags & MAP_TYPE;
    return MAP_TYPES.some(([one, since]) => one === type && !this.has(since)) ? -EINVAL : 0;
  }

  mremapFlags(flags: number): number {
    return (flags & MREMAP_DONTUNMAP) !== 0 && !this.has('5.7') ? -EINVAL : 0;
  }

  mlockallFlags(flags: number): number {
    return (flags & MCL_ONFAULT) !== 0 && !this.has('4.4') ? -EINVAL : 0;
  }

  fallocate(mode: number, tmpfs: boolean): number {
    const refused = this.call('fallocate');
    if (refused < 0) return refused;
    if (tmpfs && !this.has(TMPFS_FALLOCATE)) return -EOPNOTSUPP;
    return FALLOC_MODES.some(([flag, since]) => (mode & flag) !== 0 && !this.has(since)) ? -EOPNOTSUPP : 0;
  }
}
