/**
 * What a program passes in the arguments of file calls, and every constant by its name.
 *
 * Owns      the names that a memory program may spell out. Those of memory calls are the engine's own (mm/uapi.ts).
 * Promises  A constant has one value in every generation; a kernel that does not know it says so with an errno.
 * Linux     6.18 include/uapi/asm-generic/fcntl.h; include/uapi/linux/fadvise.h, include/uapi/linux/falloc.h,
 *           include/uapi/linux/memfd.h, include/uapi/linux/fs.h, include/uapi/linux/sched.h
 */
import {
  POSIX_FADV_DONTNEED,
  POSIX_FADV_NOREUSE,
  POSIX_FADV_NORMAL,
  POSIX_FADV_RANDOM,
  POSIX_FADV_SEQUENTIAL,
  POSIX_FADV_WILLNEED,
} from '../mm/fadvise.ts';
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
} from '../mm/fallocate.ts';
import * as memory from '../mm/uapi.ts';

export * from '../mm/uapi.ts';
export {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  POSIX_FADV_DONTNEED,
  POSIX_FADV_NOREUSE,
  POSIX_FADV_NORMAL,
  POSIX_FADV_RANDOM,
  POSIX_FADV_SEQUENTIAL,
  POSIX_FADV_WILLNEED,
};

export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
/** O_SYNC has this bit, too. */
export const O_DSYNC = 0o10000;
export const O_DIRECTORY = 0o200000;
export const O_CLOEXEC = 0o2000000;

export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

export const MFD_CLOEXEC = 0x1;
export const MFD_ALLOW_SEALING = 0x2;
export const MFD_HUGETLB = 0x4;
export const MFD_NOEXEC_SEAL = 0x8;
export const MFD_EXEC = 0x10;

export const FALLOC_FL_UNSHARE_RANGE = 0x40;

export const CLONE_VM = 0x100;
export const CLONE_FILES = 0x400;
export const CLONE_VFORK = 0x4000;

/** By name, for those who read program text. */
export const CONSTANTS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...memory,
    NULL: 0,
    AT_FDCWD: -100,
    MAP_FILE: 0,
    MAP_ANON: memory.MAP_ANONYMOUS,
    MADV_HWPOISON: 100,
    MADV_SOFT_OFFLINE: 101,

    O_RDONLY,
    O_WRONLY,
    O_RDWR,
    O_CREAT,
    O_EXCL,
    O_NOCTTY: 0o400,
    O_TRUNC,
    O_APPEND,
    O_NONBLOCK: 0o4000,
    O_DSYNC,
    O_DIRECT: 0o40000,
    O_LARGEFILE: 0,
    O_DIRECTORY,
    O_NOFOLLOW: 0o400000,
    O_NOATIME: 0o1000000,
    O_CLOEXEC,
    O_SYNC: 0o4010000,
    O_PATH: 0o10000000,

    SEEK_SET,
    SEEK_CUR,
    SEEK_END,
    SEEK_DATA,
    SEEK_HOLE,

    MFD_CLOEXEC,
    MFD_ALLOW_SEALING,
    MFD_HUGETLB,
    MFD_NOEXEC_SEAL,
    MFD_EXEC,

    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_ZERO_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_UNSHARE_RANGE,

    POSIX_FADV_NORMAL,
    POSIX_FADV_RANDOM,
    POSIX_FADV_SEQUENTIAL,
    POSIX_FADV_WILLNEED,
    POSIX_FADV_DONTNEED,
    POSIX_FADV_NOREUSE,
  }),
);
