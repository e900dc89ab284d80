/**
 * What a process may have, and where: the limits of the process and of the machine, asked by every call that takes more.
 */
import { describe, expect, test } from 'vitest';
import { PAGE, RW, Space } from '../../test/space.ts';
import { EAGAIN, EBADF, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, EPERM } from './errno.ts';
import { doFadvise } from './fadvise.ts';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  truncateSetsize,
  vfsFallocate,
} from './fallocate.ts';
import { SEGV_MAPERR, SIGSEGV } from './fault.ts';
import { newInode, newShmemFile, openInode } from './file.ts';
import { filemapRead } from './filemap.ts';
import { doMadvise } from './madvise.ts';
import { doMlock, doMlockall } from './mlock.ts';
import { doBrk, doMmap, doRemapFilePages, expandStack } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { doMremap } from './mremap.ts';
import { doMsync } from './msync.ts';
import { doMunmap } from './munmap.ts';
import { shmemLock } from './shmem.ts';
import { dropCaches } from './truncate.ts';
import {
  MADV_COLLAPSE,
  MAP_32BIT,
  MAP_ABOVE4G,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_CURRENT,
  MCL_FUTURE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_ASYNC,
  MS_SYNC,
  PROT_GROWSDOWN,
  PROT_READ,
} from './uapi.ts';
import { PAGE_SIZE, type Vaddr, type Vpn } from './units.ts';

const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
const SEGV = SIGSEGV * 256 + SEGV_MAPERR;
const NEVER = 2;
const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
/** Where the heap begins, and where a stack ends. */
const HEAP = 64;
const STACK = 1024;

/** Eight pages at 0, eight that can only be read at 16, a heap of two pages at 64, a stack of two at 1024. */
class Limited extends Space {
  constructor(kernel = '6.18') {
    super({ kernel });
    this.map(0, 8);
    this.map(16, 8, MAP_PRIVATE, PROT_READ);
    this.map(STACK, 2, MAP_PRIVATE | MAP_GROWSDOWN);
    this.mm.startBrk = this.at(HEAP);
    this.mm.brk = this.at(HEAP);
    this.brk(HEAP + 2);
  }

  at(page: number): Vaddr {
    return (this.vpn(page) * PAGE_SIZE) as Vaddr;
  }

  mmap(page: number, pages: number, flags = ANON | MAP_FIXED, prot = RW): number {
    return doMmap(this.machine, this.mm, this.at(page), pages * PAGE_SIZE, prot, flags, null, 0);
  }

  /** How many pages the heap has afterwards. */
  brk(page: number): number {
    return (doBrk(this.machine, this.mm, this.at(page)) - this.at(HEAP)) / PAGE_SIZE;
  }

  protect(page: number, pages: number, prot: number): number {
    return doMprotect(this.machine, this.mm, this.at(page), pages * PAGE_SIZE, prot);
  }

  mremap(page: number, pages: number, newPages: number, to = 0): number {
    const flags = to === 0 ? MREMAP_MAYMOVE : MREMAP_MAYMOVE | MREMAP_FIXED;
    const { machine, mm } = this;
    return doMremap(machine, mm, this.at(page), pages * PAGE_SIZE, newPages * PAGE_SIZE, flags, this.at(to));
  }
}

type Limit = (s: Limited) => unknown;
/** No page more than there is. */
const noMore: Record<string, Limit> = {
  RLIMIT_AS: ({ mm }) => (mm.rlimitAs = mm.totalVm * PAGE_SIZE),
  RLIMIT_DATA: ({ mm }) => (mm.rlimitData = mm.dataVm * PAGE_SIZE),
  RLIMIT_MEMLOCK: ({ mm }) => (mm.rlimitMemlock = PAGE_SIZE),
  'RLIMIT_MEMLOCK 0': ({ mm }) => (mm.rlimitMemlock = 0),
  RLIMIT_STACK: ({ mm }) => (mm.rlimitStack = 2 * PAGE_SIZE),
  'all mappings': ({ machine, mm }) => (machine.sysctl.maxMapCount = mm.mapCount - 1),
  'one mapping less than a hole takes': ({ machine, mm }) => (machine.sysctl.maxMapCount = mm.mapCount),
  'strict overcommit': ({ machine }) => Object.assign(machine.sysctl, { overcommitMemory: NEVER, overcommitRatio: 0 }),
};

for (const { why, limit, kernel, first, call, want } of [
  { why: 'mprotect to writable', limit: 'RLIMIT_DATA', call: (s) => s.protect(16, 8, RW), want: -ENOMEM },
  { why: 'mprotect to writable', limit: 'strict overcommit', call: (s) => s.protect(16, 8, RW), want: -ENOMEM },
  { why: 'mprotect in a mapping', limit: 'all mappings', call: (s) => s.protect(2, 2, PROT_READ), want: -ENOMEM },
  { why: 'brk', limit: 'RLIMIT_AS', call: (s) => s.brk(HEAP + 4), want: 2 },
  { why: 'brk', limit: 'RLIMIT_DATA', call: (s) => s.brk(HEAP + 4), want: 2 },
  {
    why: 'brk, its own size',
    limit: 'RLIMIT_DATA',
    first: ({ mm }) => (mm.endData = (2 ** 30) as Vaddr),
    call: (s) => s.brk(HEAP + 4),
    want: 2,
  },
  { why: 'brk', limit: 'all mappings', call: (s) => s.brk(HEAP + 4), want: 2 },
  { why: 'brk', limit: 'strict overcommit', call: (s) => s.brk(HEAP + 4), want: 2 },
  {
    why: 'brk of what will be locked',
    limit: 'RLIMIT_MEMLOCK',
    first: ({ machine, mm }) => doMlockall(machine, mm, MCL_FUTURE),
    call: (s) => s.brk(HEAP + 4),
    want: 2,
  },
  {
    why: 'brk back, and somebody took it',
    limit: 'RLIMIT_AS',
    first: (s) => doMunmap(s.machine, s.mm, s.at(HEAP), 2 * PAGE_SIZE),
    call: (s) => s.brk(HEAP),
    want: 2,
  },
  {
    why: 'brk back, out of a mapping that goes on',
    limit: 'one mapping less than a hole takes',
    first: (s) => s.mmap(HEAP + 2, 2),
    call: (s) => s.brk(HEAP + 1),
    want: 2,
  },
  { why: 'a stack that grows', limit: 'RLIMIT_AS', call: (s) => s.load(STACK - 1), want: SEGV },
  { why: 'a stack that grows', limit: 'strict overcommit', call: (s) => s.load(STACK - 1), want: SEGV },
  {
    why: 'a locked stack that grows',
    limit: 'RLIMIT_MEMLOCK',
    first: (s) => doMlock(s.machine, s.mm, s.at(STACK), PAGE_SIZE, false),
    call: (s) => s.load(STACK - 1),
    want: SEGV,
  },
  {
    why: 'a locked stack that may grow',
    limit: '',
    first: (s) => doMlock(s.machine, s.mm, s.at(STACK), 2 * PAGE_SIZE, false),
    call: (s) => s.load(STACK - 1) + s.mm.lockedVm,
    want: 3,
  },
  {
    why: 'a stack that grows',
    limit: 'RLIMIT_STACK',
    call: (s) => s.load(STACK - 1),
    want: SEGV,
  },
  { why: 'what is no stack grows', limit: '', call: (s) => expandStack(s.machine, s.vma(0), s.vpn(-1)), want: -EFAULT },
  {
    why: 'a stack grows to page 0',
    limit: '',
    call: (s) => expandStack(s.machine, s.vma(STACK), 3 as Vpn),
    want: -EPERM,
  },
  {
    why: 'a moved stack grows below its own first page',
    limit: '',
    first: (s) => {
      doMmap(s.machine, s.mm, 20 * PAGE_SIZE, PAGE_SIZE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, null, 0);
      s.store(20 - PAGE);
      doMremap(s.machine, s.mm, 20 * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, s.at(2048));
    },
    call: (s) => s.load(2048 - 21),
    want: SEGV,
  },
  {
    why: 'MAP_FIXED into a mapping',
    limit: 'one mapping less than a hole takes',
    call: (s) => s.mmap(2, 2),
    want: -ENOMEM,
  },
  {
    why: 'MAP_FIXED into a mapping',
    limit: 'one mapping less than a hole takes',
    kernel: '6.1',
    call: (s) => s.mmap(2, 2),
    want: -ENOMEM,
  },
  {
    why: 'munmap in a mapping',
    limit: 'one mapping less than a hole takes',
    call: (s) => doMunmap(s.machine, s.mm, s.at(2), PAGE_SIZE),
    want: -ENOMEM,
  },
  { why: 'MAP_FIXED over as much', limit: 'RLIMIT_AS', call: (s) => s.mmap(2, 2) - s.at(2), want: 0 },
  { why: 'mmap', limit: 'strict overcommit', kernel: '6.1', call: (s) => s.mmap(200, 2), want: -ENOMEM },
  {
    why: 'mmap of shared memory without a promise',
    limit: '',
    call: (s) => s.mmap(200, 2, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED) - s.at(200),
    want: 0,
  },
  { why: 'mremap that grows', limit: 'RLIMIT_AS', call: (s) => s.mremap(0, 8, 12), want: -ENOMEM },
  { why: 'mremap that grows', limit: 'RLIMIT_DATA', call: (s) => s.mremap(0, 8, 12), want: -ENOMEM },
  { why: 'mremap that grows', limit: 'strict overcommit', call: (s) => s.mremap(0, 8, 12), want: -ENOMEM },
  {
    why: 'mremap of locked memory that grows',
    limit: 'RLIMIT_MEMLOCK',
    first: (s) => doMlock(s.machine, s.mm, s.at(0), 8 * PAGE_SIZE, false),
    call: (s) => s.mremap(0, 8, 12),
    want: -EAGAIN,
  },
  { why: 'mremap that moves', limit: 'all mappings', call: (s) => s.mremap(0, 8, 8, 256), want: -ENOMEM },
  {
    why: 'mlockall',
    limit: 'RLIMIT_MEMLOCK',
    call: ({ machine, mm }) => doMlockall(machine, mm, MCL_CURRENT),
    want: -ENOMEM,
  },
  {
    why: 'mlockall',
    limit: 'RLIMIT_MEMLOCK 0',
    call: ({ machine, mm }) => doMlockall(machine, mm, MCL_CURRENT),
    want: -EPERM,
  },
  {
    why: 'mlock of what is locked',
    limit: 'RLIMIT_MEMLOCK',
    first: (s) => doMlock(s.machine, s.mm, s.at(0), PAGE_SIZE, false),
    call: (s) => doMlock(s.machine, s.mm, s.at(0), PAGE_SIZE, false),
    want: 0,
  },
] as { why: string; limit: string; kernel?: string; first?: Limit; call: (s: Limited) => number; want: number }[]) {
  test(`${kernel ?? '6.18'}: ${limit || 'no limit'} and ${why}: ${want}`, () => {
    const s = new Limited(kernel);
    first?.(s);
    noMore[limit]?.(s);
    expect(call(s)).toBe(want);
    expect(s.machine.verify()).toEqual([]);
  });
}

describe('mprotect from the start of a stack on', () => {
  for (const { why, page, want } of [
    { why: 'from inside', page: STACK + 1, want: 0 },
    { why: 'a hole below it', page: STACK - 2, want: -ENOMEM },
    { why: 'of what is no stack', page: 4, want: -EINVAL },
  ]) {
    test(why, () => {
      const s = new Limited();
      expect(s.protect(page, 1, PROT_READ | PROT_GROWSDOWN)).toBe(want);
      expect(s.vma(STACK).pages).toBe(2);
      expect(s.machine.verify()).toEqual([]);
    });
  }
});

describe('where a mapping goes', () => {
  const GIB = 2 ** 30;
  for (const { why, addr, pages, flags, want } of [
    { why: 'the second gigabyte, from below', addr: 0, pages: 1, flags: MAP_32BIT, want: GIB },
    { why: 'a hint there', addr: GIB + 0x5000, pages: 1, flags: MAP_32BIT, want: GIB + 0x5000 },
    { why: 'a hint above it', addr: 3 * GIB, pages: 1, flags: MAP_32BIT, want: GIB },
    { why: 'more than what ends there', addr: 0, pages: GIB / 2048, flags: MAP_32BIT | MAP_NORESERVE, want: -ENOMEM },
    { why: 'more than the gigabyte', addr: 0, pages: GIB / 4096 + 1, flags: MAP_32BIT | MAP_NORESERVE, want: -ENOMEM },
    { why: 'a hint above 4 GiB', addr: 5 * GIB, pages: 1, flags: MAP_ABOVE4G, want: 5 * GIB },
  ]) {
    test(why, () => {
      const s = new Limited();
      expect(doMmap(s.machine, s.mm, addr, pages * PAGE_SIZE, PROT_READ, ANON | flags, null, 0)).toBe(want);
      expect(s.machine.verify()).toEqual([]);
    });
  }

  test('MAP_ABOVE4G: where nothing is free above, from a third of user space upwards', () => {
    const s = new Limited();
    s.mm.mmapBase = (4 * GIB) as Vaddr;
    const at = doMmap(s.machine, s.mm, 0, PAGE_SIZE, PROT_READ, ANON | MAP_ABOVE4G, null, 0);
    expect(at).toBe(Math.ceil(s.mm.taskSize / 3 / PAGE_SIZE) * PAGE_SIZE);
  });

  test('what fits, but not with the room to align it, is not aligned', () => {
    const { machine, mm } = new Space();
    mm.mmapBase = mm.taskSize;
    const most = mm.taskSize / PAGE_SIZE - 512;
    const map = (pages: number): number =>
      doMmap(machine, mm, 0, pages * PAGE_SIZE, PROT_READ, ANON | MAP_NORESERVE, null, 0);
    expect([map(most + 512), map(most)]).toEqual([-ENOMEM, 512 * PAGE_SIZE]);
  });

  test('upwards it keeps clear of the guard gap of a stack', () => {
    const s = new Limited();
    const third = Math.ceil(s.mm.taskSize / 3 / PAGE_SIZE);
    s.mm.mmapBase = 0 as Vaddr;
    doMmap(s.machine, s.mm, (third + 100) * PAGE_SIZE, PAGE_SIZE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, null, 0);
    expect(doMmap(s.machine, s.mm, 0, PAGE_SIZE, RW, ANON, null, 0)).toBe((third + 101) * PAGE_SIZE);
  });
});

test('remap_file_pages goes over mappings of one file, and over none of another', () => {
  const s = new Limited();
  const file = s.file('disk', 16);
  s.map(256, 4, MAP_SHARED, RW, file);
  s.map(260, 4, MAP_SHARED, RW, file, 8);
  s.map(264, 4, MAP_SHARED, RW, s.file('tmpfs', 4));
  const remap = (page: number, pages: number): number =>
    doRemapFilePages(s.machine, s.mm, s.at(page), pages * PAGE_SIZE, 0, 1, 0);
  expect([remap(258, 4), remap(261, 4)]).toEqual([0, -EINVAL]);
  expect(s.machine.verify()).toEqual([]);
});

describe('fallocate refuses', () => {
  for (const { why, kind = 'disk', mode = 0, offset = 0, length = PAGE_SIZE, writable = true, want } of [
    { why: 'a place before the file', offset: -1, want: -EINVAL },
    { why: 'nothing', length: 0, want: -EINVAL },
    { why: 'what nobody knows', mode: 1024, want: -EOPNOTSUPP },
    { why: 'what only ext4 knows', kind: 'tmpfs', mode: FALLOC_FL_ZERO_RANGE, want: -EOPNOTSUPP },
    { why: 'a hole and more', mode: PUNCH | FALLOC_FL_ZERO_RANGE, want: -EOPNOTSUPP },
    { why: 'a hole that would change the size', mode: FALLOC_FL_PUNCH_HOLE, want: -EOPNOTSUPP },
    { why: 'a file that is only read', writable: false, want: -EBADF },
  ] as {
    why: string;
    kind?: 'disk' | 'tmpfs';
    mode?: number;
    offset?: number;
    length?: number;
    writable?: boolean;
    want: number;
  }[]) {
    test(why, () => {
      const { machine } = new Space();
      const file = openInode(machine, newInode(machine, 'data', kind, PAGE_SIZE), true, writable, false);
      expect(vfsFallocate(machine, file, mode, offset, length)).toBe(want);
    });
  }
});

test('shared memory that was promised as a whole: growing needs a promise, shrinking gives it back', () => {
  const { machine } = new Space();
  const { inode } = newShmemFile(machine, 'shared', 8);
  const before = machine.committedPages;
  expect([truncateSetsize(machine, inode, 12 * PAGE_SIZE), machine.committedPages - before]).toEqual([0, 4]);
  expect([truncateSetsize(machine, inode, 2 * PAGE_SIZE), machine.committedPages - before]).toEqual([0, -6]);
  expect([truncateSetsize(machine, inode, 2 * PAGE_SIZE), machine.committedPages - before]).toEqual([0, -6]);
  Object.assign(machine.sysctl, { overcommitMemory: NEVER, overcommitRatio: 0 });
  expect([truncateSetsize(machine, inode, 9 * PAGE_SIZE), inode.size]).toEqual([-ENOMEM, 2 * PAGE_SIZE]);
});

test('shared memory that is locked stays when memory is short, and goes again when it is unlocked', () => {
  const s = new Space({ swap: 'zram' });
  const file = s.file('tmpfs', 8);
  s.map(0, 8, MAP_SHARED, RW, file);
  s.storeAll(0, 4);
  s.pageout(3);
  shmemLock(s.machine, file.mapping, true);
  expect(s.pageout(0, 1, 2)).toBe(0);
  expect(s.machine.verify()).toEqual([]);
  shmemLock(s.machine, file.mapping, false);
  expect(s.machine.verify()).toEqual([]);
});

describe('MADV_COLLAPSE of a file', () => {
  for (const { why, kind, at, pages, want } of [
    { why: 'on a disk', kind: 'disk', at: 0, pages: 512, want: -EINVAL },
    { why: 'of tmpfs, 2 MiB', kind: 'tmpfs', at: 0, pages: 512, want: -ENOMEM },
    { why: 'of tmpfs, a part inside 2 MiB', kind: 'tmpfs', at: 10, pages: 20, want: -EINVAL },
    { why: 'of tmpfs, a part from its first page on', kind: 'tmpfs', at: 512, pages: 20, want: 0 },
  ] as const) {
    test(why, () => {
      const s = new Space();
      s.map(0, 1024, MAP_SHARED, RW, s.file(kind, 1024));
      expect(doMadvise(s.machine, s.mm, s.vpn(at) * PAGE_SIZE, pages * PAGE_SIZE, MADV_COLLAPSE)).toBe(want);
    });
  }
});

test('without readahead a file is read page by page, by loads and by read(2)', () => {
  const s = new Space({ sysctl: { readAheadKb: 0 } });
  const file = s.file('disk', 64);
  s.map(0, 64, MAP_SHARED, RW, file);
  s.loadAll(3, 1);
  s.loadAll(9, 1);
  expect(file.mapping.nrpages).toBe(2);
  expect(filemapRead(s.machine, file, 20 * PAGE_SIZE, 2 * PAGE_SIZE, null)).toBe(2 * PAGE_SIZE);
  expect(file.mapping.nrpages).toBe(4);
  expect(s.machine.verify()).toEqual([]);
});

test('msync with MS_ASYNC alone ends at the first hole', () => {
  const s = new Space();
  s.map(4, 2);
  const sync = (flags: number): number => doMsync(s.machine, s.mm, s.vpn(2) * PAGE_SIZE, 4 * PAGE_SIZE, flags);
  expect([sync(MS_ASYNC), sync(MS_SYNC)]).toEqual([-ENOMEM, -ENOMEM]);
});

test('advice about less than nothing is refused', () => {
  const s = new Space();
  expect(doFadvise(s.machine, s.file('disk', 4), 0, -1, 0)).toBe(-EINVAL);
});

test('drop_caches: 1 drops pages, 2 the names and inodes of what nobody uses, 3 both', () => {
  const s = new Space();
  const file = s.file('disk', 8);
  expect(filemapRead(s.machine, file, 0, 8 * PAGE_SIZE, null)).toBe(8 * PAGE_SIZE);
  dropCaches(s.machine, 2);
  expect(file.mapping.nrpages).toBe(8);
  dropCaches(s.machine, 1);
  expect(file.mapping.nrpages).toBe(0);
  expect(s.machine.verify()).toEqual([]);
});
