import { expect, test } from 'vitest';
import {
  EBADF,
  EEXIST,
  EFAULT,
  EFBIG,
  EINVAL,
  EMFILE,
  ENOENT,
  ENOMEM,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  ETXTBSY,
} from '../mm/errno.ts';
import { cacheState } from '../mm/fadvise.ts';
import { SEGV_ACCERR, SEGV_MAPERR, SIGSEGV } from '../mm/fault.ts';
import { Machine } from '../mm/machine.ts';
import { readToken } from '../mm/memory.ts';
import { PAGE_SIZE, type Pgoff, type Token, vpnOf } from '../mm/units.ts';
import { verify } from '../mm/verify.ts';
import { ByteContents } from './contents.ts';
import type { Process } from './process.ts';
import { System } from './system.ts';
import {
  CLONE_FILES,
  CLONE_VM,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MFD_CLOEXEC,
  MFD_EXEC,
  MFD_HUGETLB,
  MFD_NOEXEC_SEAL,
  MLOCK_ONFAULT,
  MS_SYNC,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from './uapi.ts';

const A = 0x100000000000;
const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const text = (s: string): Uint8Array => new TextEncoder().encode(s);

interface World {
  readonly machine: Machine;
  readonly system: System;
  readonly p: Process;
  readonly contents: ByteContents;
  /** The bytes of the program at `addr`, as far as they are present. */
  readonly bytes: (p: Process, addr: number, length: number) => string;
}

/** A process, a disk file `f` of two and a half pages full of 'a', and tmpfs file `t` of a page of 't'. */
function world(kernel = '6.18'): World {
  const machine = new Machine({ kernel, ramBytes: 64 * 2 ** 20 });
  const contents = new ByteContents();
  machine.contents = contents;
  const system = new System(machine);
  const page = (letter: string) => (): Token =>
    contents.page(machine, new Uint8Array(PAGE_SIZE).fill(letter.charCodeAt(0)));
  system.paths.createFile('f', 2.5 * PAGE_SIZE, 'disk', page('a'));
  system.paths.createFile('t', PAGE_SIZE, 'tmpfs', page('t'));
  const p = system.newProcess();
  const bytes = (who: Process, addr: number, length: number): string => {
    const token = readToken(machine, who.mm, vpnOf(addr));
    if (token === -1) return 'nothing';
    const at = addr % PAGE_SIZE;
    return new TextDecoder().decode(contents.bytes(token).subarray(at, at + length));
  };
  return { machine, system, p, contents, bytes };
}

// descriptors

for (const { why, call, want } of [
  { why: 'open: no such file', call: (s: System, p: Process) => s.open(p, 'x', O_RDWR), want: -ENOENT },
  { why: 'open: it must not exist', call: (s: System, p: Process) => s.open(p, 'f', O_CREAT | O_EXCL), want: -EEXIST },
  { why: 'open: it is no directory', call: (s: System, p: Process) => s.open(p, 'f', O_DIRECTORY), want: -ENOTDIR },
  { why: 'open: the first descriptor', call: (s: System, p: Process) => s.open(p, 'f', O_RDONLY), want: 3 },
  { why: 'close: not open', call: (s: System, p: Process) => s.close(p, 3), want: -EBADF },
  { why: 'close: negative', call: (s: System, p: Process) => s.close(p, -1), want: -EBADF },
  { why: 'dup: not open', call: (s: System, p: Process) => s.dup(p, 9), want: -EBADF },
  { why: 'unlink: no such file', call: (s: System, p: Process) => s.unlink(p, 'x'), want: -ENOENT },
  { why: 'memfd_create: unknown flags', call: (s: System, p: Process) => s.memfdCreate(p, 'm', 0x100), want: -EINVAL },
  {
    why: 'memfd_create: no huge pages',
    call: (s: System, p: Process) => s.memfdCreate(p, 'm', MFD_HUGETLB),
    want: -EINVAL,
  },
  {
    why: 'memfd_create: both or neither',
    call: (s: System, p: Process) => s.memfdCreate(p, 'm', MFD_EXEC | MFD_NOEXEC_SEAL),
    want: -EINVAL,
  },
  {
    why: 'memfd_create: too long a name',
    call: (s: System, p: Process) => s.memfdCreate(p, 'm'.repeat(250), 0),
    want: -EINVAL,
  },
  {
    why: 'memfd_create: as long as may be',
    call: (s: System, p: Process) => s.memfdCreate(p, 'm'.repeat(249), MFD_CLOEXEC),
    want: 3,
  },
  {
    why: 'mmap: an offset inside a page',
    call: (s: System, p: Process) => s.mmap(p, 0, 4096, PROT_READ, MAP_PRIVATE, 3, 100),
    want: -EINVAL,
  },
  {
    why: 'mmap: no such descriptor',
    call: (s: System, p: Process) => s.mmap(p, 0, 4096, PROT_READ, MAP_PRIVATE, 3, 0),
    want: -EBADF,
  },
  {
    why: 'mmap: length -1',
    call: (s: System, p: Process) => s.mmap(p, 0, -1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
    want: -ENOMEM,
  },
  { why: 'munmap: length -4096', call: (s: System, p: Process) => s.munmap(p, A, -4096), want: -EINVAL },
  { why: 'msync: address -1', call: (s: System, p: Process) => s.msync(p, -1, 4096, MS_SYNC), want: -EINVAL },
  { why: 'mlock: length -1', call: (s: System, p: Process) => s.mlock(p, A, -1), want: 0 },
  { why: 'mlock2: unknown flags', call: (s: System, p: Process) => s.mlock2(p, A, 4096, 2), want: -EINVAL },
  {
    why: 'mincore: inside a page',
    call: (s: System, p: Process) => s.mincore(p, A + 1, 4096, new Uint8Array(1)),
    want: -EINVAL,
  },
  {
    why: 'mincore: nothing there',
    call: (s: System, p: Process) => s.mincore(p, A, 4096, new Uint8Array(1)),
    want: -ENOMEM,
  },
  {
    why: 'mincore: beyond the end of memory',
    call: (s: System, p: Process) => s.mincore(p, 2 ** 47, 4096, new Uint8Array(1)),
    want: -ENOMEM,
  },
  {
    why: 'mincore: an answer into the kernel',
    call: (s: System, p: Process) => s.mincore(p, A, 4096, -8),
    want: -EFAULT,
  },
  { why: 'brk: asks', call: (s: System, p: Process) => s.brk(p, 0), want: 0 },
  { why: 'swapoff: no such area', call: (s: System) => s.swapoff(0), want: -EINVAL },
  { why: 'drop_caches: no such cache', call: (s: System) => s.dropCaches(9), want: -EINVAL },
]) {
  test(`a refusal or an answer: ${why}`, () => {
    const { system, p } = world();
    expect(call(system, p)).toBe(want);
  });
}

test('memfd_create knows MFD_EXEC since 6.3', () => {
  const { system, p } = world('6.1');
  expect(system.memfdCreate(p, 'm', MFD_EXEC)).toBe(-EINVAL);
});

test('the lowest free number is taken, dup2 takes the one it wants', () => {
  const { system, p } = world();
  expect([system.open(p, 'f', 0), system.open(p, 'f', 0), system.dup(p, 3)]).toEqual([3, 4, 5]);
  expect(system.close(p, 4)).toBe(0);
  expect(system.open(p, 't', 0)).toBe(4);
  expect(system.dup2(p, 4, 3)).toBe(3);
  expect(system.dup2(p, 4, 4)).toBe(4);
  expect(system.dup2(p, 9, 3)).toBe(-EBADF);
  expect(system.dup2(p, 4, 1024)).toBe(-EBADF);
  expect(p.files.get(3)).toBe(p.files.get(4));
});

test('a process has 1024 descriptors at most', () => {
  const { system, p } = world();
  for (let fd = 3; fd < 1024; fd++) expect(system.open(p, 'f', 0)).toBe(fd);
  expect(system.open(p, 'f', 0)).toBe(-EMFILE);
  system.exit(p);
  expect(verify(system.machine)).toEqual([]);
});

// reading and writing

for (const { why, flags, call, want } of [
  {
    why: 'read: open for writing only',
    flags: O_WRONLY,
    call: (s: System, p: Process) => s.read(p, 3, 'outside', 1),
    want: -EBADF,
  },
  {
    why: 'read: no descriptor',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.read(p, 4, 'outside', 1),
    want: -EBADF,
  },
  {
    why: 'read: an address in the kernel',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.read(p, 3, -4096, 1),
    want: -EFAULT,
  },
  {
    why: 'read: nothing mapped there',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.read(p, 3, A, 1),
    want: -EFAULT,
  },
  {
    why: 'read: a negative count',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.read(p, 3, 'outside', -1),
    want: -EINVAL,
  },
  { why: 'read: nothing asked', flags: O_RDWR, call: (s: System, p: Process) => s.read(p, 3, 'outside', 0), want: 0 },
  {
    why: 'read: to the end',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.read(p, 3, 'outside', 99999),
    want: 10240,
  },
  {
    why: 'pread: a negative place comes before a bad descriptor',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.pread64(p, 9, 'outside', 1, -1),
    want: -EINVAL,
  },
  {
    why: 'pread: behind the end',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.pread64(p, 3, 'outside', 1, 99999),
    want: 0,
  },
  {
    why: 'write: open for reading only',
    flags: O_RDONLY,
    call: (s: System, p: Process) => s.write(p, 3, text('x'), 1),
    want: -EBADF,
  },
  {
    why: 'write: nothing mapped there',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.write(p, 3, A, 1),
    want: -EFAULT,
  },
  { why: 'write: nothing asked', flags: O_RDWR, call: (s: System, p: Process) => s.write(p, 3, text('x'), 0), want: 0 },
  {
    why: 'pwrite: behind what a file can hold',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.pwrite64(p, 3, text('x'), 1, 2 ** 45),
    want: -EFBIG,
  },
  { why: 'lseek: no such way', flags: O_RDWR, call: (s: System, p: Process) => s.lseek(p, 3, 0, 9), want: -EINVAL },
  {
    why: 'lseek: before the start',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.lseek(p, 3, -1, SEEK_SET),
    want: -EINVAL,
  },
  {
    why: 'lseek: from the end',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.lseek(p, 3, -1, SEEK_END),
    want: 10239,
  },
  { why: 'lseek: data', flags: O_RDWR, call: (s: System, p: Process) => s.lseek(p, 3, 5, SEEK_DATA), want: 5 },
  {
    why: 'lseek: the hole is at the end',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.lseek(p, 3, 5, SEEK_HOLE),
    want: 10240,
  },
  {
    why: 'lseek: no data behind the end',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.lseek(p, 3, 10240, SEEK_DATA),
    want: -ENXIO,
  },
  {
    why: 'ftruncate: a negative length comes first',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.ftruncate(p, 9, -1),
    want: -EINVAL,
  },
  {
    why: 'ftruncate: no descriptor',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.ftruncate(p, 9, 0),
    want: -EBADF,
  },
  {
    why: 'ftruncate: open for reading only',
    flags: O_RDONLY,
    call: (s: System, p: Process) => s.ftruncate(p, 3, 0),
    want: -EINVAL,
  },
  {
    why: 'ftruncate: too long',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.ftruncate(p, 3, 2 ** 45),
    want: -EFBIG,
  },
  {
    why: 'fallocate: no length',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.fallocate(p, 3, 0, 0, 0),
    want: -EINVAL,
  },
  {
    why: 'fallocate: a hole must keep the size',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.fallocate(p, 3, FALLOC_FL_PUNCH_HOLE, 0, 1),
    want: -EOPNOTSUPP,
  },
  {
    why: 'fallocate: open for reading only',
    flags: O_RDONLY,
    call: (s: System, p: Process) => s.fallocate(p, 3, 0, 0, 1),
    want: -EBADF,
  },
  {
    why: 'fallocate: two modes at once',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.fallocate(p, 3, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1),
    want: -EOPNOTSUPP,
  },
  { why: 'fsync: no descriptor', flags: O_RDWR, call: (s: System, p: Process) => s.fsync(p, 9), want: -EBADF },
  {
    why: 'fadvise: no such advice',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.fadvise64(p, 3, 0, 0, 99),
    want: -EINVAL,
  },
  {
    why: 'fadvise: a negative length',
    flags: O_RDWR,
    call: (s: System, p: Process) => s.fadvise64(p, 3, 0, -1, 0),
    want: -EINVAL,
  },
]) {
  test(`on an open file: ${why}`, () => {
    const { system, p } = world();
    expect(system.open(p, 'f', flags)).toBe(3);
    expect(call(system, p)).toBe(want);
  });
}

test('6.1 says EINVAL to two modes of fallocate', () => {
  const { system, p } = world('6.1');
  const fd = system.open(p, 'f', O_RDWR);
  expect(system.fallocate(p, fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1)).toBe(-EINVAL);
});

test('read moves on, pread does not', () => {
  const { system, p } = world();
  const fd = system.open(p, 'f', O_RDONLY);
  expect(system.pread64(p, fd, 'outside', 100, 50)).toBe(100);
  expect(system.lseek(p, fd, 0, SEEK_CUR)).toBe(0);
  expect(system.read(p, fd, 'outside', 10000)).toBe(10000);
  expect(system.read(p, fd, 'outside', 10000)).toBe(240);
  expect(system.lseek(p, fd, 0, SEEK_CUR)).toBe(10240);
});

test('what is written is read back, byte by byte, into pages that are faulted in on the way', () => {
  const { system, p, bytes } = world();
  const fd = system.open(p, 'f', O_RDWR);
  expect(system.pwrite64(p, fd, text('xyz'), 7, 4093)).toBe(7);
  system.mmap(p, A, 3 * PAGE_SIZE, RW, ANON, -1, 0);
  expect(system.pread64(p, fd, A + 4090, 12, 4091)).toBe(12);
  expect(bytes(p, A + 4090, 6)).toBe('aaxyzx');
  expect(bytes(p, A + 4096, 6)).toBe('yzxaaa');
  expect(p.task.minFlt).toBe(2);
});

test('a read into memory that ends is short; one into none is EFAULT', () => {
  const { system, p } = world();
  const fd = system.open(p, 'f', O_RDWR);
  system.mmap(p, A, PAGE_SIZE, RW, ANON, -1, 0);
  expect(system.pread64(p, fd, A + 4000, 1000, 0)).toBe(96);
  expect(system.pread64(p, fd, A + PAGE_SIZE, 1000, 0)).toBe(-EFAULT);
  system.mprotect(p, A, PAGE_SIZE, PROT_READ);
  expect(system.pread64(p, fd, A, 1000, 0)).toBe(-EFAULT);
  expect(system.open(p, 't', O_RDWR)).toBe(4);
  expect(system.pread64(p, 4, A, 1000, 0)).toBe(-EFAULT);
});

test('a write from memory that ends is short, and faults its source in first', () => {
  const { system, p, bytes } = world();
  const fd = system.open(p, 't', O_RDWR);
  system.mmap(p, A, PAGE_SIZE, RW, ANON, -1, 0);
  system.store(p, A + 4095, 0x21);
  expect(system.pwrite64(p, fd, A + 4095, 10, 4090)).toBe(1);
  expect(system.pwrite64(p, fd, A + PAGE_SIZE, 10, 0)).toBe(-EFAULT);
  const at = system.mmap(p, 0, PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
  system.load(p, at);
  expect(bytes(p, at + 4088, 4)).toBe('tt!t');
});

test('an append-only descriptor writes at the end, wherever it stands', () => {
  const { system, p } = world();
  const fd = system.open(p, 'f', O_RDWR | O_APPEND);
  expect(system.pwrite64(p, fd, text('x'), 5, 0)).toBe(5);
  expect(system.lseek(p, fd, 0, SEEK_END)).toBe(10245);
});

for (const { flag, want } of [
  { flag: 0, want: 'd' },
  { flag: O_DSYNC, want: 'c' },
]) {
  test(`a write through a descriptor with flag ${flag} leaves its page ${want}`, () => {
    const { system, p } = world();
    const fd = system.open(p, 'f', O_RDWR | flag);
    expect(system.pwrite64(p, fd, text('x'), 5, 0)).toBe(5);
    expect(cacheState(system.machine, p.files.get(fd)!.mapping, 0 as Pgoff)).toBe(want);
  });
}

test('O_TRUNC empties, O_CREAT makes, unlink keeps what is open', () => {
  const { system, p, machine } = world();
  system.close(p, system.open(p, 'f', O_RDWR | O_TRUNC));
  const fd = system.open(p, 'f', O_RDONLY);
  expect(system.lseek(p, fd, 0, SEEK_END)).toBe(0);
  expect(system.unlink(p, 'f')).toBe(0);
  expect(system.open(p, 'f', O_RDONLY)).toBe(-ENOENT);
  expect(system.read(p, fd, 'outside', 1)).toBe(0);
  const inodes = machine.inodes.size;
  expect(system.open(p, 'f', O_RDWR | O_CREAT)).toBe(4);
  system.close(p, fd);
  expect(machine.inodes.size).toBe(inodes);
});

test('a hole is no data', () => {
  const { system, p } = world();
  const fd = system.memfdCreate(p, 'm', 0);
  system.ftruncate(p, fd, 4 * PAGE_SIZE);
  system.pwrite64(p, fd, text('x'), 1, 2 * PAGE_SIZE);
  expect(system.lseek(p, fd, 0, SEEK_DATA)).toBe(2 * PAGE_SIZE);
  expect(system.lseek(p, fd, 2 * PAGE_SIZE, SEEK_HOLE)).toBe(3 * PAGE_SIZE);
  expect(system.fallocate(p, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE_SIZE)).toBe(0);
  expect(system.lseek(p, fd, 0, SEEK_DATA)).toBe(-ENXIO);
});

// processes

test('fork copies descriptors, which share their place; clone may share the table itself', () => {
  const { system, p, machine } = world();
  const fd = system.open(p, 'f', O_RDONLY);
  const child = system.fork(p) as Process;
  const thread = system.fork(p, CLONE_VM | CLONE_FILES) as Process;
  expect(thread.mm).toBe(p.mm);
  system.read(child, fd, 'outside', 100);
  expect(system.lseek(p, fd, 0, SEEK_CUR)).toBe(100);
  system.close(child, fd);
  expect(system.read(thread, fd, 'outside', 1)).toBe(1);
  expect(system.close(thread, fd)).toBe(0);
  expect(system.close(p, fd)).toBe(-EBADF);
  system.exit(p);
  expect(system.load(thread, A)).toBe(SIGSEGV * 256 + SEGV_MAPERR);
  system.exit(thread);
  system.exit(child);
  expect(system.processes.size).toBe(0);
  expect(machine.mms).toHaveLength(0);
  expect(verify(machine)).toEqual([]);
});

test('each process sees its own stores after fork', () => {
  const { system, p, bytes } = world();
  system.mmap(p, A, PAGE_SIZE, RW, ANON, -1, 0);
  system.store(p, A, 0x31);
  const child = system.fork(p) as Process;
  system.store(child, A, 0x32);
  expect([bytes(p, A, 1), bytes(child, A, 1)]).toEqual(['1', '2']);
  expect(system.machine.current).toBe(system.machine.idle);
});

test('an access that may not be is a signal, and nobody dies of it here', () => {
  const { system, p } = world();
  system.mmap(p, A, PAGE_SIZE, PROT_NONE, ANON, -1, 0);
  expect(system.load(p, A)).toBe(SIGSEGV * 256 + SEGV_ACCERR);
  expect(system.store(p, A + PAGE_SIZE, 1)).toBe(SIGSEGV * 256 + SEGV_MAPERR);
  expect(p.exited).toBe(false);
});

test('who is killed for want of memory is gone when the call returns', () => {
  const { system, machine } = world();
  const memcg = machine.newCgroup('small');
  memcg.memory.max = 128;
  const p = system.newProcess(memcg);
  system.mmap(p, A, 1024 * PAGE_SIZE, RW, ANON, -1, 0);
  for (let i = 0; i < 1024 && !p.exited; i++) system.store(p, A + i * PAGE_SIZE, 1);
  expect(p.exited).toBe(true);
  expect(memcg.memoryEvents.oomKill).toBe(1);
  expect(verify(machine)).toEqual([]);
});

test('mincore answers into the program', () => {
  const { system, p } = world();
  system.mmap(p, A, 4 * PAGE_SIZE, RW, ANON, -1, 0);
  system.store(p, A, 1);
  expect(system.mincore(p, A, 4 * PAGE_SIZE, A + PAGE_SIZE)).toBe(0);
  expect(p.task.minFlt).toBe(2);
  expect(system.mincore(p, A, PAGE_SIZE, A + 8 * PAGE_SIZE)).toBe(-EFAULT);
});

test('mlock2 with MLOCK_ONFAULT waits for the fault', () => {
  const { system, p } = world();
  system.mmap(p, A, 4 * PAGE_SIZE, RW, ANON, -1, 0);
  expect(system.mlock2(p, A, 4 * PAGE_SIZE, MLOCK_ONFAULT)).toBe(0);
  expect(p.mm.rssPages).toBe(0);
  expect(system.mlock(p, A, 4 * PAGE_SIZE)).toBe(0);
  expect(p.mm.rssPages).toBe(4);
});

test('a file that is executed is not written to', () => {
  const { system, p } = world();
  const inode = system.paths.get('f')!;
  inode.writeCount = -1;
  expect(system.open(p, 'f', O_RDWR)).toBe(-ETXTBSY);
  expect(system.open(p, 'f', O_TRUNC)).toBe(-ETXTBSY);
  expect(system.open(p, 'f', O_RDONLY)).toBe(3);
});
