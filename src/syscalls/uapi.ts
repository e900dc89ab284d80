/**
 * What a program passes in its arguments: the constants of Linux's user-space headers, by name.
 *
 * Owns      the names that a memory program may spell out, and their x86-64 values.
 * Promises  A constant has one value in every generation; a kernel that does not know it says so with an errno.
 * Linux     6.18 include/uapi/asm-generic/mman-common.h, mman.h, fcntl.h; include/uapi/linux/{mman,fadvise,falloc,memfd,fs}.h
 */
export const O_ACCMODE = 0o3;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_DIRECTORY = 0o200000;
export const O_CLOEXEC = 0o2000000;

export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_FIXED_NOREPLACE = 0x100000;
export const MAP_HUGETLB = 0x40000;
export const PROT_READ = 0x1;
export const PROT_WRITE = 0x2;
export const PROT_EXEC = 0x4;

export const MLOCK_ONFAULT = 1;

export const MFD_CLOEXEC = 0x1;
export const MFD_ALLOW_SEALING = 0x2;
export const MFD_HUGETLB = 0x4;
export const MFD_NOEXEC_SEAL = 0x8;
export const MFD_EXEC = 0x10;

export const FALLOC_FL_KEEP_SIZE = 0x1;
export const FALLOC_FL_PUNCH_HOLE = 0x2;
export const FALLOC_FL_COLLAPSE_RANGE = 0x8;
export const FALLOC_FL_ZERO_RANGE = 0x10;
export const FALLOC_FL_INSERT_RANGE = 0x20;
export const FALLOC_FL_UNSHARE_RANGE = 0x40;

export const POSIX_FADV_NORMAL = 0;
export const POSIX_FADV_RANDOM = 1;

/** By name, for those who read program text. */
export const CONSTANTS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    NULL: 0,
    AT_FDCWD: -100,

    PROT_NONE: 0,
    PROT_READ,
    PROT_WRITE,
    PROT_EXEC,
    PROT_SEM: 0x8,
    PROT_GROWSDOWN: 0x01000000,
    PROT_GROWSUP: 0x02000000,

    MAP_FILE: 0,
    MAP_SHARED,
    MAP_PRIVATE,
    MAP_SHARED_VALIDATE: 0x03,
    MAP_DROPPABLE: 0x08,
    MAP_FIXED,
    MAP_ANONYMOUS,
    MAP_ANON: MAP_ANONYMOUS,
    MAP_32BIT: 0x40,
    MAP_GROWSDOWN: 0x0100,
    MAP_DENYWRITE: 0x0800,
    MAP_EXECUTABLE: 0x1000,
    MAP_LOCKED: 0x2000,
    MAP_NORESERVE: 0x4000,
    MAP_POPULATE: 0x8000,
    MAP_NONBLOCK: 0x10000,
    MAP_STACK: 0x20000,
    MAP_HUGETLB,
    MAP_SYNC: 0x80000,
    MAP_FIXED_NOREPLACE,

    MREMAP_MAYMOVE: 1,
    MREMAP_FIXED: 2,
    MREMAP_DONTUNMAP: 4,

    MADV_NORMAL: 0,
    MADV_RANDOM: 1,
    MADV_SEQUENTIAL: 2,
    MADV_WILLNEED: 3,
    MADV_DONTNEED: 4,
    MADV_FREE: 8,
    MADV_REMOVE: 9,
    MADV_DONTFORK: 10,
    MADV_DOFORK: 11,
    MADV_MERGEABLE: 12,
    MADV_UNMERGEABLE: 13,
    MADV_HUGEPAGE: 14,
    MADV_NOHUGEPAGE: 15,
    MADV_DONTDUMP: 16,
    MADV_DODUMP: 17,
    MADV_WIPEONFORK: 18,
    MADV_KEEPONFORK: 19,
    MADV_COLD: 20,
    MADV_PAGEOUT: 21,
    MADV_POPULATE_READ: 22,
    MADV_POPULATE_WRITE: 23,
    MADV_DONTNEED_LOCKED: 24,
    MADV_COLLAPSE: 25,
    MADV_HWPOISON: 100,
    MADV_SOFT_OFFLINE: 101,
    MADV_GUARD_INSTALL: 102,
    MADV_GUARD_REMOVE: 103,

    MLOCK_ONFAULT,
    MCL_CURRENT: 1,
    MCL_FUTURE: 2,
    MCL_ONFAULT: 4,

    MS_ASYNC: 1,
    MS_INVALIDATE: 2,
    MS_SYNC: 4,

    O_RDONLY: 0,
    O_WRONLY,
    O_RDWR,
    O_CREAT,
    O_EXCL,
    O_NOCTTY: 0o400,
    O_TRUNC,
    O_APPEND,
    O_NONBLOCK: 0o4000,
    O_DSYNC: 0o10000,
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
    POSIX_FADV_SEQUENTIAL: 2,
    POSIX_FADV_WILLNEED: 3,
    POSIX_FADV_DONTNEED: 4,
    POSIX_FADV_NOREUSE: 5,
  }),
);
