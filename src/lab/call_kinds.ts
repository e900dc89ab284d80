/** System calls that a replay treats alike. */
import * as nr from '../trace/x86_64.ts';

export const WRITES: ReadonlySet<number> = new Set([nr.SYS_write, nr.SYS_pwrite64, nr.SYS_writev, nr.SYS_pwritev]);
export const VECTORS: ReadonlySet<number> = new Set([nr.SYS_readv, nr.SYS_writev, nr.SYS_preadv, nr.SYS_pwritev]);
export const POSITIONED: ReadonlySet<number> = new Set([
  nr.SYS_pread64,
  nr.SYS_pwrite64,
  nr.SYS_preadv,
  nr.SYS_pwritev,
]);

/** Calls on descriptors: on one that is not a file here, they do nothing. */
export const OF_FILES: ReadonlySet<number> = new Set([
  nr.SYS_close,
  nr.SYS_lseek,
  nr.SYS_ftruncate,
  nr.SYS_fallocate,
  nr.SYS_fsync,
  nr.SYS_fdatasync,
  nr.SYS_fadvise64,
  nr.SYS_dup,
  nr.SYS_dup2,
  nr.SYS_dup3,
  nr.SYS_fcntl,
]);
