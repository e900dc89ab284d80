/**
 * No memory, at each place that asks for some: what Linux tests with failslab and fail_page_alloc. A call is made again and
 * again, each time on an equal machine; first its first request fails, then its second, until none is left to fail.
 *
 * Each time: it refuses as it should, or does without; every promise holds; and a call that was refused succeeds when it is
 * tried again.
 */
import { expect, test, vi } from 'vitest';
import { RW, Space } from '../../test/space.ts';
import { ENOMEM, errnoName } from './errno.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, truncateSetsize, vfsFallocate } from './fallocate.ts';
import { SIGBUS, SIGKILL, SIGSEGV } from './fault.ts';
import { filemapRead, filemapWrite } from './filemap.ts';
import { dupMm, newTask } from './fork.ts';
import type { File } from './fs.ts';
import { __GFP_NOFAIL, GFP_KERNEL, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { doMadvise } from './madvise.ts';
import { drainStock, type MemCgroup } from './memcg.ts';
import { doMlock, doMunlock } from './mlock.ts';
import type { Mm } from './mm.ts';
import { doBrk, doMmap, doRemapFilePages } from './mmap.ts';
import { doMprotect } from './mprotect.ts';
import { doMremap } from './mremap.ts';
import { doMunmap } from './munmap.ts';
import type { SlabName } from './slab_sizes.ts';
import { swapoff } from './swap/swapfile.ts';
import type { Task } from './task.ts';
import * as uapi from './uapi.ts';
import { NO_PFN, PAGE_SIZE, type Pfn, type Vaddr } from './units.ts';

/** Which requests fail. Shared with the modules that stand in for the real ones. */
const requests = vi.hoisted(() => {
  let left = Number.POSITIVE_INFINITY;
  let more = 0;
  return {
    /** So many succeed, then `count` fail. */
    failAfter: (good: number, count: number): void => {
      left = good;
      more = count;
    },
    /** One more request: does it fail? */
    fails: (): boolean => --left < 0 && --more >= 0,
    /** None has failed. */
    allGood: (): boolean => left >= 0,
  };
});

vi.mock('./page_alloc.ts', async (original) => {
  const real = await original<typeof import('./page_alloc.ts')>();
  return {
    ...real,
    allocPages: (m: Machine, gfp: Gfp, order: number): Pfn =>
      (gfp & __GFP_NOFAIL) === 0 && requests.fails() ? NO_PFN : real.allocPages(m, gfp, order),
    allocPageTablePage: (m: Machine, mm: Mm): Pfn => (requests.fails() ? NO_PFN : real.allocPageTablePage(m, mm)),
    allocKernelStack: (m: Machine, task: Task): number => (requests.fails() ? -ENOMEM : real.allocKernelStack(m, task)),
  };
});
vi.mock('./vm_account.ts', async (original) => {
  const real = await original<typeof import('./vm_account.ts')>();
  return {
    ...real,
    vmEnoughMemory: (m: Machine, mm: Mm, pages: number): number =>
      requests.fails() ? -ENOMEM : real.vmEnoughMemory(m, mm, pages),
  };
});

const MIB: number = 2 ** 20;
const KIB_PER_READ = 16;
const AREA = 0; // shared with a child
const SWAPPED = 32;
const OF_DISK = 64;
const OF_TMPFS = 96;
const PRIVATE_DISK = 128;
const READ_ONLY = 160;
const OTHER_TABLE = 1024;
const STACK = 2048;
/** Two huge pages may lie here. */
const HUGE = 4096;

/** An area of 8 pages of each kind, partly in use, partly in swap, and a child. From then on requests may fail. */
class Fallible extends Space {
  readonly disk: File;
  readonly tmpfs: File;

  constructor(kernel: string, swap: 'disk' | 'zram') {
    super({ kernel, ramBytes: 16 * MIB, swap, swapBytes: MIB, sysctl: { readAheadKb: KIB_PER_READ } });
    const { machine } = this;
    this.map(AREA, 8);
    this.storeAll(AREA, 4);
    this.fork();
    this.map(SWAPPED, 8);
    this.storeAll(SWAPPED, 8);
    this.disk = this.file('disk', 100);
    this.map(OF_DISK, 8, uapi.MAP_SHARED, undefined, this.disk);
    this.map(PRIVATE_DISK, 8, uapi.MAP_PRIVATE, undefined, this.disk, 80);
    this.tmpfs = this.file('tmpfs', 100);
    this.map(OF_TMPFS, 8, uapi.MAP_SHARED, undefined, this.tmpfs);
    this.storeAll(OF_TMPFS, 4);
    this.map(READ_ONLY, 8, uapi.MAP_PRIVATE, uapi.PROT_READ);
    this.map(OTHER_TABLE, 4);
    this.map(HUGE, 1024);
    this.advise(HUGE, 1024, uapi.MADV_HUGEPAGE);
    this.map(STACK, 4, uapi.MAP_PRIVATE | uapi.MAP_GROWSDOWN);
    this.advise(SWAPPED, 8, uapi.MADV_PAGEOUT);
    this.advise(OF_TMPFS, 2, uapi.MADV_PAGEOUT);
    machine.advance(5e9);
    machine.reclaim.tryToFreeMemCgroupPages(this.memcg, 10, GFP_KERNEL, true);
    const { slab } = machine;
    const alloc = slab.alloc.bind(slab);
    slab.alloc = (m: Machine, name: SlabName, memcg: MemCgroup, gfp: Gfp): number =>
      (gfp & __GFP_NOFAIL) === 0 && requests.fails() ? -ENOMEM : alloc(m, name, memcg, gfp);
  }

  at(page: number): number {
    return this.vpn(page) * PAGE_SIZE;
  }

  mmap(page: number, pages: number, flags: number, file: File | null = null): number {
    const how = flags | uapi.MAP_FIXED | (file === null ? uapi.MAP_ANONYMOUS : 0);
    return doMmap(this.machine, this.mm, this.at(page), pages * PAGE_SIZE, RW, how, file, 0);
  }

  advise(page: number, pages: number, advice: number): number {
    return doMadvise(this.machine, this.mm, this.at(page), pages * PAGE_SIZE, advice);
  }

  protect(page: number, pages: number, prot: number): number {
    return doMprotect(this.machine, this.mm, this.at(page), pages * PAGE_SIZE, prot);
  }

  mremap(page: number, pages: number, newPages: number, to: number): number {
    const flags = to === 0 ? 0 : uapi.MREMAP_MAYMOVE | uapi.MREMAP_FIXED;
    return doMremap(this.machine, this.mm, this.at(page), pages * PAGE_SIZE, newPages * PAGE_SIZE, flags, this.at(to));
  }
}

/** Where null stands for no memory. */
function orNoMemory(made: object | null): number {
  return made === null ? -ENOMEM : 0;
}

const SIGNALS: ReadonlyMap<number, string> = new Map([
  [SIGBUS, 'SIGBUS'],
  [SIGSEGV, 'SIGSEGV'],
  [SIGKILL, 'SIGKILL'],
]);

/** 0, or the signal that the access met. */
function access(failed: number): number | string {
  return failed === 0 ? 0 : SIGNALS.get(Math.floor(failed / 256))!;
}

const PUNCH: number = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

interface Row {
  readonly why: string;
  readonly call: (s: Fallible, machine: Machine) => number | string;
  /** Its errors, or signals; none: it always does without. */
  readonly refuses?: readonly string[];
  /** Its errors in a cgroup that is full, beside these. */
  readonly whenFull?: readonly string[];
  /** It cannot be tried again. */
  readonly once?: true;
  /** It has to do with swap: another device and another kernel go another way. */
  readonly swap?: true;
}

const NO_MEMORY = ['ENOMEM'];
const SPLIT = ['EAGAIN'];
/** No fault is refused for want of memory: it is tried until somebody is killed, and that somebody may be the program. */
const KILLED = ['SIGKILL'];

const calls: Row[] = [
  { why: 'mmap, private', refuses: NO_MEMORY, call: (s) => s.mmap(200, 8, uapi.MAP_PRIVATE) },
  { why: 'mmap over others', refuses: NO_MEMORY, call: (s) => s.mmap(2, 40, uapi.MAP_PRIVATE) },
  { why: 'mmap, shared', refuses: NO_MEMORY, call: (s) => s.mmap(200, 8, uapi.MAP_SHARED) },
  { why: 'mmap of a file', refuses: NO_MEMORY, call: (s) => s.mmap(200, 8, uapi.MAP_SHARED, s.disk) },
  { why: 'mmap and populate', refuses: NO_MEMORY, call: (s) => s.mmap(200, 3, uapi.MAP_PRIVATE | uapi.MAP_POPULATE) },
  { why: 'mmap beside its like', refuses: NO_MEMORY, call: (s) => s.mmap(8, 8, uapi.MAP_PRIVATE) },
  { why: 'munmap inside', refuses: NO_MEMORY, call: (s, m) => doMunmap(m, s.mm, s.at(2), 2 * PAGE_SIZE) },
  {
    why: 'munmap inside a file',
    refuses: NO_MEMORY,
    call: (s, m) => doMunmap(m, s.mm, s.at(OF_DISK + 2), 2 * PAGE_SIZE),
  },
  { why: 'mprotect inside', refuses: NO_MEMORY, call: (s) => s.protect(2, 2, uapi.PROT_READ) },
  {
    why: 'mprotect to writable',
    refuses: NO_MEMORY,
    call: (s) => s.protect(READ_ONLY, 8, RW),
  },
  { why: 'advice inside', refuses: SPLIT, call: (s) => s.advise(2, 2, uapi.MADV_DONTFORK) },
  { why: 'MADV_POPULATE_WRITE', refuses: NO_MEMORY, call: (s) => s.advise(0, 6, uapi.MADV_POPULATE_WRITE) },
  {
    why: 'MADV_POPULATE_READ of a file',
    refuses: NO_MEMORY,
    call: (s) => s.advise(OF_DISK, 4, uapi.MADV_POPULATE_READ),
  },
  { why: 'MADV_WILLNEED of swap', swap: true, call: (s) => s.advise(SWAPPED, 8, uapi.MADV_WILLNEED) },
  { why: 'MADV_WILLNEED of tmpfs', swap: true, call: (s) => s.advise(OF_TMPFS, 4, uapi.MADV_WILLNEED) },
  {
    why: 'mlock inside',
    refuses: [...NO_MEMORY, ...SPLIT],
    call: (s, m) => doMlock(m, s.mm, s.at(2), 2 * PAGE_SIZE, false),
  },
  {
    why: 'munlock inside',
    refuses: NO_MEMORY,
    call: (s, m) => {
      doMlock(m, s.mm, s.at(0), 8 * PAGE_SIZE, true);
      return doMunlock(m, s.mm, s.at(2), 2 * PAGE_SIZE);
    },
  },
  { why: 'mremap that moves', refuses: NO_MEMORY, call: (s) => s.mremap(0, 8, 16, 256) },
  { why: 'mremap of a part', refuses: NO_MEMORY, call: (s) => s.mremap(2, 2, 2, 256) },
  { why: 'mremap to another table', refuses: NO_MEMORY, call: (s) => s.mremap(SWAPPED, 8, 8, 1536) },
  { why: 'mremap of a file', refuses: NO_MEMORY, call: (s) => s.mremap(OF_DISK, 4, 4, 1536) },
  { why: 'mremap that shrinks', refuses: NO_MEMORY, call: (s) => s.mremap(0, 8, 2, 0) },
  { why: 'mremap that grows', refuses: NO_MEMORY, call: (s) => s.mremap(0, 8, 12, 0) },
  {
    why: 'remap_file_pages',
    refuses: NO_MEMORY,
    once: true,
    call: (s, m) => doRemapFilePages(m, s.mm, s.at(OF_TMPFS + 2), 2 * PAGE_SIZE, 0, 6, 0),
  },
  {
    why: 'brk',
    refuses: NO_MEMORY,
    call: (s, m) => {
      s.mm.startBrk = s.at(300) as Vaddr;
      s.mm.brk = s.at(300) as Vaddr;
      return doBrk(m, s.mm, s.at(304)) === s.at(304) ? 0 : -ENOMEM;
    },
  },
  { why: 'fork', refuses: NO_MEMORY, call: (s, m) => orNoMemory(dupMm(m, s.mm, s.memcg)) },
  { why: 'a task', refuses: NO_MEMORY, call: (s, m) => orNoMemory(newTask(m, 500, 'task', null, s.memcg, null)) },
  { why: 'the stack that grows', refuses: ['SIGSEGV', 'SIGKILL'], call: (s) => access(s.store(STACK - 1)) },
  { why: 'a store', refuses: KILLED, call: (s) => access(s.store(5)) },
  { why: 'a store to a new table', refuses: KILLED, call: (s) => access(s.store(OTHER_TABLE)) },
  { why: 'a load', refuses: KILLED, call: (s) => access(s.load(OTHER_TABLE)) },
  { why: 'a store after a load', refuses: KILLED, call: (s) => access(s.load(5) + s.store(5)) },
  { why: 'copy-on-write', refuses: KILLED, call: (s) => access(s.store(1)) },
  { why: 'a load from swap', swap: true, refuses: KILLED, call: (s) => access(s.load(SWAPPED)) },
  { why: 'a store to a page in swap', swap: true, refuses: KILLED, call: (s) => access(s.store(SWAPPED + 3)) },
  { why: 'a load of a file', refuses: KILLED, call: (s) => access(s.load(OF_DISK + 3)) },
  { why: 'a store to a file', refuses: KILLED, call: (s) => access(s.store(OF_DISK + 3)) },
  { why: 'a store to a private page of a file', refuses: KILLED, call: (s) => access(s.store(PRIVATE_DISK + 3)) },
  { why: 'a store to tmpfs', refuses: ['SIGBUS'], call: (s) => access(s.store(OF_TMPFS + 6)) },
  { why: 'a load of tmpfs from swap', swap: true, refuses: KILLED, call: (s) => access(s.load(OF_TMPFS)) },
  { why: 'read', refuses: NO_MEMORY, call: (s, m) => filemapRead(m, s.disk, 10 * PAGE_SIZE, 3 * PAGE_SIZE, null) },
  { why: 'write', refuses: NO_MEMORY, call: (s, m) => filemapWrite(m, s.disk, 10 * PAGE_SIZE, 3 * PAGE_SIZE, null) },
  { why: 'write inside a page', refuses: NO_MEMORY, call: (s, m) => filemapWrite(m, s.disk, 10, 20, null) },
  {
    why: 'read of tmpfs',
    swap: true,
    refuses: NO_MEMORY,
    call: (s, m) => filemapRead(m, s.tmpfs, 0, 3 * PAGE_SIZE, null),
  },
  {
    why: 'write of tmpfs',
    swap: true,
    refuses: NO_MEMORY,
    call: (s, m) => filemapWrite(m, s.tmpfs, 0, PAGE_SIZE, null),
  },
  {
    why: 'write of a hole of tmpfs',
    refuses: [...NO_MEMORY, 'ENOSPC'],
    call: (s, m) => filemapWrite(m, s.tmpfs, 20 * PAGE_SIZE, 10, null),
  },
  {
    why: 'fallocate of tmpfs',
    refuses: [...NO_MEMORY, 'ENOSPC'],
    call: (s, m) => vfsFallocate(m, s.tmpfs, 0, 0, 8 * PAGE_SIZE),
  },
  { why: 'a hole in tmpfs', call: (s, m) => vfsFallocate(m, s.tmpfs, PUNCH, 100, 300) },
  { why: 'a hole in a file', call: (s, m) => vfsFallocate(m, s.disk, PUNCH, 100, 300) },
  {
    why: 'truncation inside a page in swap',

    call: (s, m) => truncateSetsize(m, s.tmpfs.inode, 100),
  },
  { why: 'a huge store', refuses: KILLED, call: (s) => access(s.store(HUGE)) },
  { why: 'a huge load', refuses: KILLED, call: (s) => access(s.load(HUGE)) },
  { why: 'a huge store after a load', refuses: KILLED, call: (s) => access(s.load(HUGE) + s.store(HUGE)) },
  {
    why: 'fork with a huge page',
    refuses: NO_MEMORY,
    call: (s, m) => (s.store(HUGE) === 0 ? orNoMemory(dupMm(m, s.mm, s.memcg)) : -ENOMEM),
  },
  {
    why: 'half of a huge page unmapped',
    refuses: NO_MEMORY,
    call: (s, m) => (s.store(HUGE) === 0 ? doMunmap(m, s.mm, s.at(HUGE), 256 * PAGE_SIZE) : -ENOMEM),
  },
  {
    why: 'MADV_COLLAPSE',
    refuses: NO_MEMORY,
    whenFull: ['EBUSY'],
    call: (s) => {
      s.advise(HUGE, 1024, uapi.MADV_NOHUGEPAGE);
      if (s.store(HUGE) !== 0) return -ENOMEM;
      s.advise(HUGE, 1024, uapi.MADV_HUGEPAGE);
      s.advise(HUGE, 1, uapi.MADV_PAGEOUT);
      return s.advise(HUGE, 512, uapi.MADV_COLLAPSE);
    },
  },
  { why: 'swapoff', swap: true, refuses: NO_MEMORY, call: (_, m) => swapoff(m, 0) },
];

const MOST_REQUESTS = 150;
/** More than anybody's patience; and not for ever, for 6.1 would populate a file for ever. */
const FOR_LONG = 1000;

/** Makes the call on equal machines, `failures` later each time, until none is met; what it answered, each answer once. */
function answers({ call, once }: Row, kernel: string, swap: 'disk' | 'zram', failures: number): Set<string> {
  const said = new Set<string>();
  for (let good = 0; good < MOST_REQUESTS; good++) {
    const s = new Fallible(kernel, swap);
    requests.failAfter(good, failures);
    const answer = call(s, s.machine);
    const met = !requests.allGood();
    requests.failAfter(Number.POSITIVE_INFINITY, 0);
    const refused = typeof answer === 'string' || answer < 0;
    said.add(!refused ? 'done' : typeof answer === 'string' ? answer : errnoName(answer));
    expect(s.machine.verify(), `${failures} failures after ${good} on ${kernel}, swap on ${swap}`).toEqual([]);
    if (refused && once !== true) {
      s.task.killed = false;
      const again = call(s, s.machine);
      expect(typeof again === 'number' && again >= 0, `tried again after ${good}: ${again}`).toBe(true);
      expect(s.machine.verify()).toEqual([]);
    }
    if (!met) return said;
  }
  throw new Error(`more than ${MOST_REQUESTS} requests`);
}

const MOST_PAGES = 12;
const UNKILLABLE = -1000;

/** Makes the call in a cgroup that has room for so many pages more, finds nothing to reclaim and has nobody who may be killed. */
function answersInFullCgroup({ call, once }: Row, kernel: string, swap: 'disk' | 'zram'): Set<string> {
  const said = new Set<string>();
  for (let room = 0; room < MOST_PAGES; room++) {
    const s = new Fallible(kernel, swap);
    const { machine, memcg } = s;
    drainStock(machine);
    for (const task of machine.tasks) task.oomScoreAdj = UNKILLABLE;
    const reclaim = machine.reclaim.tryToFreeMemCgroupPages;
    machine.reclaim.tryToFreeMemCgroupPages = () => 0;
    memcg.memory.max = memcg.memory.usage + room;
    const answer = call(s, machine);
    memcg.memory.max = Number.POSITIVE_INFINITY;
    machine.reclaim.tryToFreeMemCgroupPages = reclaim;
    const refused = typeof answer === 'string' || answer < 0;
    said.add(!refused ? 'done' : typeof answer === 'string' ? answer : errnoName(answer));
    expect(machine.verify(), `room for ${room} on ${kernel}, swap on ${swap}`).toEqual([]);
    if (!refused || once === true) continue;
    s.task.killed = false;
    const again = call(s, machine);
    expect(typeof again === 'number' && again >= 0, `tried again, room for ${room}: ${again}`).toBe(true);
    expect(machine.verify()).toEqual([]);
  }
  return said;
}

for (const kernel of ['6.18', '6.1']) {
  for (const row of calls.filter(({ swap }) => swap === true || kernel === '6.18')) {
    test(`${kernel}: a full cgroup and ${row.why}`, () => {
      const said = answersInFullCgroup(row, kernel, 'disk');
      if (row.swap === true) for (const each of answersInFullCgroup(row, kernel, 'zram')) said.add(each);
      for (const each of said)
        expect(['done', ...KILLED, ...(row.refuses ?? []), ...(row.whenFull ?? [])]).toContain(each);
    });
  }
}

for (const kernel of ['6.18', '6.1']) {
  for (const row of calls.filter(({ swap }) => swap === true || kernel === '6.18')) {
    test(`${kernel}: no memory for ${row.why}: ${row.refuses?.join(', ') ?? 'it does without'}`, () => {
      const said = [1, FOR_LONG].flatMap((failures) => [...answers(row, kernel, 'disk', failures)]);
      if (row.swap === true) for (const failures of [1, FOR_LONG]) said.push(...answers(row, kernel, 'zram', failures));
      expect([...new Set(said)].sort()).toEqual([...(row.refuses ?? []), 'done'].sort());
    });
  }
}
