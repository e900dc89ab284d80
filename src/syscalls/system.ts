/**
 * What programs may ask of a machine: every system call, with the kernel's errno.
 *
 * Owns      the processes, and which path names which inode.
 * Promises  1. A call takes and returns what the kernel's does: numbers, descriptors, -errno, checked in the kernel's order.
 *           2. While a call runs its process is the machine's current task; between calls nobody is.
 *           3. Whoever was killed meanwhile (out of memory) is gone when the call returns.
 * Linux     6.18 kernel/fork.c: copy_process; kernel/exit.c: do_exit; arch/x86/kernel/sys_x86_64.c: mmap; mm/mmap.c, mm/mincore.c
 * Read      README.md
 *
 * Addresses and lengths are the kernel's unsigned long: a negative number is taken as its 64 bits.
 */
import { bugOn } from '../mm/bug.ts';
import { clearRefs } from '../mm/clear_refs.ts';
import { EBADF, EFAULT, EINVAL, ENOMEM, type SysResult } from '../mm/errno.ts';
import { dupMm, exitTask, newMm, newTask } from '../mm/fork.ts';
import type { Machine } from '../mm/machine.ts';
import { doMadvise } from '../mm/madvise.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import { loadPage } from '../mm/memory.ts';
import { doMlock, doMlockall, doMunlock, doMunlockall } from '../mm/mlock.ts';
import { type Mm, TASK_SIZE } from '../mm/mm.ts';
import { doBrk, doMmap, doMunmap } from '../mm/mmap.ts';
import { doMprotect } from '../mm/mprotect.ts';
import { doMremap } from '../mm/mremap.ts';
import { doMincore, doMsync } from '../mm/msync.ts';
import { type SwapConfig, swapoff, swapon } from '../mm/swap/swapfile.ts';
import { dropCaches } from '../mm/truncate.ts';
import { MAP_ANONYMOUS, MLOCK_ONFAULT } from '../mm/uapi.ts';
import { PAGE_SIZE, pagesOf, vpnOf } from '../mm/units.ts';
import { type ExecImage, endExe, execve, shareExe } from './exec.ts';
import * as fileCalls from './file_calls.ts';
import { mmapBase } from './layout.ts';
import { Paths } from './paths.ts';
import { FileTable, Process } from './process.ts';
import { Since } from './since.ts';
import { CLONE_FILES, CLONE_VM } from './uapi.ts';
import { storeByte, type UserBuffer, UserReader } from './user_copy.ts';

const ULONG = 2 ** 64;

export class System {
  readonly machine: Machine;
  readonly paths: Paths;
  /** Those that live, by pid. */
  readonly processes: Map<number, Process> = new Map();
  private readonly since: Since;
  private nextPid = 1;

  constructor(machine: Machine) {
    this.machine = machine;
    this.paths = new Paths(machine);
    this.since = new Since(machine.generation.version);
  }

  // processes

  /** A process with an empty address space, as no kernel makes one: what it maps comes from calls, or from exec. */
  newProcess(memcg: MemCgroup = this.machine.rootMemcg, name = 'init'): Process {
    const { machine } = this;
    machine.current = machine.idle;
    const task = newTask(machine, this.nextPid++, name, null, memcg, null);
    const mm = newMm(machine, memcg);
    if (task === null || mm === null) throw new Error('the machine has no memory for another process');
    task.mm = mm;
    mm.owner = task;
    mm.mmapBase = mmapBase(machine, mm);
    return this.add(new Process(task, new FileTable()));
  }

  /** fork(2), and vfork and clone by their flags: the new process, or -errno. */
  fork(p: Process, flags = 0): Process | number {
    const { machine } = this;
    const mm = this.enter(p);
    const task = newTask(machine, this.nextPid++, p.task.comm, null, p.task.memcg, p.task);
    if (task === null) return this.leave(-ENOMEM);
    if ((flags & CLONE_VM) !== 0) {
      mm.mmUsers += 1;
      task.mm = mm;
    } else {
      const copy = dupMm(machine, mm, p.task.memcg);
      if (copy === null) {
        exitTask(machine, task);
        return this.leave(-ENOMEM);
      }
      copy.owner = task;
      task.mm = copy;
    }
    const sharesFiles = (flags & CLONE_FILES) !== 0;
    if (sharesFiles) p.files.users += 1;
    const child = this.add(new Process(task, sharesFiles ? p.files : p.files.copy()));
    shareExe(p, child);
    this.leave(0);
    return child;
  }

  /** Replaces the address space by a program's. 0 or -errno; after -ENOMEM the process may be dead, as in Linux. */
  exec(p: Process, image: ExecImage): SysResult {
    this.enter(p);
    return this.leave(execve(this.machine, this.paths, p, image));
  }

  /** _exit(2). */
  exit(p: Process): void {
    this.enter(p);
    this.end(p);
    this.leave(0);
  }

  /** A load at `addr`: 0, or the signal * 256 + its code. */
  load(p: Process, addr: number): number {
    return this.leave(loadPage(this.machine, this.enter(p), vpnOf(addr)));
  }

  /** A store of one byte at `addr`: 0, or the signal * 256 + its code. */
  store(p: Process, addr: number, byte: number): number {
    return this.leave(storeByte(this.machine, this.enter(p), addr, byte));
  }

  // memory

  mmap(p: Process, addr: number, length: number, prot: number, flags: number, fd: number, offset: number): SysResult {
    const mm = this.enter(p);
    if (offset % PAGE_SIZE !== 0) return this.leave(-EINVAL);
    const file = (flags & MAP_ANONYMOUS) === 0 ? p.files.get(fd) : null;
    if (file === undefined) return this.leave(-EBADF);
    const pgoff = ulong(offset) / PAGE_SIZE;
    const refused = this.since.mapType(flags);
    if (refused < 0) return this.leave(refused);
    const known = this.since.mapFlags(flags);
    return this.leave(doMmap(this.machine, mm, ulong(addr), ulong(length), prot, known, file, pgoff));
  }

  munmap(p: Process, addr: number, length: number): SysResult {
    return this.leave(doMunmap(this.machine, this.enter(p), ulong(addr), ulong(length)));
  }

  mprotect(p: Process, addr: number, length: number, prot: number): SysResult {
    return this.leave(doMprotect(this.machine, this.enter(p), ulong(addr), ulong(length), prot));
  }

  mremap(p: Process, addr: number, oldLength: number, newLength: number, flags: number, newAddr = 0): SysResult {
    const mm = this.enter(p);
    const refused = this.since.mremapFlags(flags);
    if (refused < 0) return this.leave(refused);
    return this.leave(
      doMremap(this.machine, mm, ulong(addr), ulong(oldLength), ulong(newLength), flags, ulong(newAddr)),
    );
  }

  madvise(p: Process, addr: number, length: number, advice: number): SysResult {
    return this.leave(doMadvise(this.machine, this.enter(p), ulong(addr), ulong(length), advice));
  }

  mlock(p: Process, addr: number, length: number): SysResult {
    return this.leave(doMlock(this.machine, this.enter(p), ulong(addr), ulong(length), false));
  }

  mlock2(p: Process, addr: number, length: number, flags: number): SysResult {
    const mm = this.enter(p);
    const refused = this.since.call('mlock2');
    if (refused < 0) return this.leave(refused);
    if ((flags & ~MLOCK_ONFAULT) !== 0) return this.leave(-EINVAL);
    return this.leave(doMlock(this.machine, mm, ulong(addr), ulong(length), (flags & MLOCK_ONFAULT) !== 0));
  }

  munlock(p: Process, addr: number, length: number): SysResult {
    return this.leave(doMunlock(this.machine, this.enter(p), ulong(addr), ulong(length)));
  }

  mlockall(p: Process, flags: number): SysResult {
    const mm = this.enter(p);
    const refused = this.since.mlockallFlags(flags);
    return this.leave(refused < 0 ? refused : doMlockall(this.machine, mm, flags));
  }

  munlockall(p: Process): SysResult {
    return this.leave(doMunlockall(this.machine, this.enter(p)));
  }

  msync(p: Process, addr: number, length: number, flags: number): SysResult {
    return this.leave(doMsync(this.machine, this.enter(p), ulong(addr), ulong(length), flags));
  }

  /** One byte a page goes to `vec`. */
  mincore(p: Process, addr: number, length: number, vec: number | Uint8Array): SysResult {
    const mm = this.enter(p);
    const start = ulong(addr);
    const bytes = ulong(length);
    if (start % PAGE_SIZE !== 0) return this.leave(-EINVAL);
    if (start + bytes > TASK_SIZE) return this.leave(-ENOMEM);
    const pages = pagesOf(bytes);
    if (typeof vec === 'number' && ulong(vec) + pages > TASK_SIZE) return this.leave(-EFAULT);
    if (typeof vec !== 'number') return this.leave(doMincore(this.machine, mm, start, bytes, vec));
    const residency = new Uint8Array(Math.min(pages, PAGE_SIZE));
    const reader = new UserReader(this.machine, mm, vec);
    const token = this.machine.newToken();
    for (let done = 0; done < pages; done += PAGE_SIZE) {
      const chunk = Math.min(PAGE_SIZE, pages - done);
      const refused = doMincore(this.machine, mm, start + done * PAGE_SIZE, chunk * PAGE_SIZE, residency);
      if (refused < 0) return this.leave(refused);
      if (reader.page(token, 0, chunk) < chunk) return this.leave(-EFAULT);
    }
    return this.leave(0);
  }

  /** The break afterwards; unchanged where the kernel refuses. */
  brk(p: Process, addr: number): SysResult {
    return this.leave(doBrk(this.machine, this.enter(p), ulong(addr)));
  }

  remapFilePages(p: Process, addr: number, length: number, prot: number, pgoff: number, flags: number): SysResult {
    const mm = this.enter(p);
    const refused = this.since.call('remap_file_pages');
    if (refused < 0) return this.leave(refused);
    const { remapFilePages } = this.machine.generation;
    return this.leave(remapFilePages(this.machine, mm, ulong(addr), ulong(length), prot, ulong(pgoff), flags));
  }

  // files

  open(p: Process, path: string, flags: number): SysResult {
    this.enter(p);
    return this.leave(fileCalls.open(this.machine, this.paths, p.files, path, flags));
  }
  memfdCreate(p: Process, name: string, flags: number): SysResult {
    this.enter(p);
    const refused = this.since.call('memfd_create');
    return this.leave(refused < 0 ? refused : fileCalls.memfdCreate(this.machine, p.files, name, flags));
  }
  close(p: Process, fd: number): SysResult {
    this.enter(p);
    return this.leave(fileCalls.close(this.machine, p.files, fd));
  }
  dup(p: Process, fd: number): SysResult {
    this.enter(p);
    return this.leave(fileCalls.dup(this.machine, p.files, fd));
  }
  dup2(p: Process, fd: number, newFd: number): SysResult {
    this.enter(p);
    return this.leave(fileCalls.dup2(this.machine, p.files, fd, newFd));
  }
  unlink(p: Process, path: string): SysResult {
    this.enter(p);
    return this.leave(this.paths.unlink(path));
  }
  rename(p: Process, from: string, to: string): SysResult {
    this.enter(p);
    return this.leave(this.paths.rename(from, to));
  }
  link(p: Process, from: string, to: string): SysResult {
    this.enter(p);
    return this.leave(this.paths.link(from, to));
  }
  read(p: Process, fd: number, buffer: UserBuffer, count: number): SysResult {
    const mm = this.enter(p);
    return this.leave(fileCalls.read(this.machine, mm, p.files.get(fd), buffer, count));
  }
  pread64(p: Process, fd: number, buffer: UserBuffer, count: number, pos: number): SysResult {
    const mm = this.enter(p);
    return this.leave(fileCalls.pread64(this.machine, mm, p.files.get(fd), buffer, count, pos));
  }
  write(p: Process, fd: number, buffer: UserBuffer, count: number): SysResult {
    const mm = this.enter(p);
    return this.leave(fileCalls.write(this.machine, mm, p.files.get(fd), buffer, count));
  }
  pwrite64(p: Process, fd: number, buffer: UserBuffer, count: number, pos: number): SysResult {
    const mm = this.enter(p);
    return this.leave(fileCalls.pwrite64(this.machine, mm, p.files.get(fd), buffer, count, pos));
  }
  lseek(p: Process, fd: number, offset: number, whence: number): SysResult {
    this.enter(p);
    return this.leave(fileCalls.lseek(this.machine, p.files.get(fd), offset, whence));
  }
  ftruncate(p: Process, fd: number, length: number): SysResult {
    this.enter(p);
    return this.leave(fileCalls.ftruncate(this.machine, p.files.get(fd), length));
  }
  fallocate(p: Process, fd: number, mode: number, offset: number, length: number): SysResult {
    this.enter(p);
    const file = p.files.get(fd);
    const refused = this.since.fallocate(mode, file?.inode.kind === 'tmpfs');
    return this.leave(refused < 0 ? refused : fileCalls.fallocate(this.machine, file, mode, offset, length));
  }
  fsync(p: Process, fd: number): SysResult {
    this.enter(p);
    return this.leave(fileCalls.fsync(this.machine, p.files.get(fd), false));
  }
  fdatasync(p: Process, fd: number): SysResult {
    this.enter(p);
    return this.leave(fileCalls.fsync(this.machine, p.files.get(fd), true));
  }
  fadvise64(p: Process, fd: number, offset: number, length: number, advice: number): SysResult {
    this.enter(p);
    const refused = this.since.call('fadvise64');
    return this.leave(
      refused < 0 ? refused : fileCalls.fadvise64(this.machine, p.files.get(fd), offset, length, advice),
    );
  }

  // the machine's owner

  /** The type of the new area, or -errno. */
  swapon(config: SwapConfig): SysResult {
    return swapon(this.machine, config);
  }
  swapoff(type: number): SysResult {
    return this.leave(swapoff(this.machine, type));
  }
  /** Writes 1 to /proc/PID/clear_refs. */
  clearRefs(p: Process): void {
    clearRefs(this.machine, p.mm);
  }
  /** Writes `what` to /proc/sys/vm/drop_caches: 1 the page cache, 2 slab objects, 3 both. */
  dropCaches(what: number): SysResult {
    if (what < 1 || what > 4) return -EINVAL;
    dropCaches(this.machine, what);
    return 0;
  }

  // entry and exit of a call

  private add(p: Process): Process {
    this.processes.set(p.pid, p);
    return p;
  }

  private enter(p: Process): Mm {
    const { mm } = p;
    this.machine.current = p.task;
    return mm;
  }

  /** Back to user space: nobody runs, and who was killed ends. */
  private leave(result: number): number {
    this.machine.current = this.machine.idle;
    for (const p of this.processes.values()) {
      if (!p.task.killed) continue;
      this.machine.current = p.task;
      this.end(p);
      this.machine.current = this.machine.idle;
    }
    return result;
  }

  private end(p: Process): void {
    bugOn(p.exited, 'a process exits once', p.pid);
    p.exited = true;
    exitTask(this.machine, p.task);
    if (p.exeFile !== null) endExe(this.machine, p.exeFile);
    p.files.put(this.machine);
    this.processes.delete(p.pid);
  }
}

/**
 * What a register holds. A double cannot tell the last bytes before 2^64 apart: an address or length inside a page there
 * stands in the middle of its page, so that it is still unaligned, and below 2^64.
 */
function ulong(value: number): number {
  if (value >= 0) return value;
  const inPage = value % PAGE_SIZE === 0 ? 0 : PAGE_SIZE / 2;
  return Math.floor(value / PAGE_SIZE) * PAGE_SIZE + inPage + ULONG;
}
