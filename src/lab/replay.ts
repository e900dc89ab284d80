/**
 * A recording on a machine: each access an access, each system call a system call.
 *
 * Owns      the processes of a replay, who runs when, and the list of what went otherwise than recorded.
 * Promises  1. Addresses are the recording's own: what mmap returned then is where it maps now.
 *           2. Nothing is dropped in silence: a call that is not replayed, a result that differs, a page that nothing mapped and a
 *              process that is never forked are counted.
 *           3. Who runs is decided by the recording's clock (format 2) where order matters, because there are threads or processes that
 *              talk to each other: whoever is furthest behind. Else by the machine's, for who fetches pages loses time: whoever has
 *              used the least, then the older; a parent waits for whom wait4 returned, after vfork for the exec.
 *           4. Threads with bodies of their own are tasks that share an address space.
 *
 * One CPU. An access takes ACCESS_NS; it is charged at the next tick (65,536 accesses in the recorders we know), a fault when
 * it happens. With several processes and without that clock the CPU changes hands every SLICE_NS, at a tick or at a fault.
 *
 * DIFFERS: Linux on one CPU lets a process run for 4 ms; with several CPUs they run side by side: short slices are closer to that.
 */
import { ACCESS_NS } from '../mm/costs.ts';
import { ENOENT, errnoName } from '../mm/errno.ts';
import { SEGV_MAPERR, SIGKILL, SIGSEGV } from '../mm/fault.ts';
import { filemapRead, filemapWrite } from '../mm/filemap.ts';
import type { File } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import type { MemCgroup } from '../mm/memcg.ts';
import { accessPages, loadPage, storePage } from '../mm/memory.ts';
import type { Mm } from '../mm/mm.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../mm/uapi.ts';
import { addrOf, PAGE_SIZE, type Vaddr, type Vpn, vpnOf } from '../mm/units.ts';
import type { Process } from '../syscalls/process.ts';
import { System } from '../syscalls/system.ts';
import { CLONE_FILES, CLONE_VFORK, CLONE_VM, O_CREAT, O_DIRECTORY, O_EXCL } from '../syscalls/uapi.ts';
import { decoderOf, type Recording } from '../trace/bodies.ts';
import {
  EVENT_ACCESSES,
  EVENT_CLOCK,
  EVENT_END,
  EVENT_IMAGE,
  EVENT_PATH,
  EVENT_SYSCALL,
  EVENT_TEXT,
  EVENT_TICK,
} from '../trace/decode.ts';
import type { Survey } from '../trace/survey.ts';
import * as nr from '../trace/x86_64.ts';
import { OF_FILES, POSITIONED, VECTORS, WRITES } from './call_kinds.ts';
import { describeCall, describeResult } from './describe_call.ts';
import { imageOf, type RecordedImage } from './image.ts';
import { freePages } from './limit.ts';
import { copyCall, nameCall, namesFiles } from './name_calls.ts';
import { ENDED, type Position, ReplayProcess, RUNNING, SUSPENDED, WAITING } from './replay_process.ts';
import type { CallDifference } from './result.ts';
import type { Player } from './timeline.ts';

const DIFFERENCES_KEPT = 5;
const SLICE_NS = 65536;
/** A result that needs no comparison, because the call was not made. */
const NOT_MADE = Number.NaN;
const O_PATH = 0o10000000;
const KILLED = SIGKILL * 256;
const UNMAPPED = SIGSEGV * 256 + SEGV_MAPERR;

export class Replay implements Player {
  readonly machine: Machine;
  readonly system: System;
  readonly memcg: MemCgroup;
  /** Frames that were free before the first file of the recording was made. */
  readonly freeAtStart: number;
  /** Page events made so far. */
  events = 0;
  rawAccesses = 0;
  oomKilled = false;
  syscalls = 0;
  syscallsDifferent = 0;
  readonly differences: CallDifference[] = [];
  readonly syscallsUnknown: Map<string, number> = new Map();
  unseenPages = 0;
  refusedAccesses = 0;
  /** Number of the system call that is being made; -1: none is. */
  callUnderway = -1;
  /** Called after every tick. */
  onTick: () => void = () => {};
  /** Called with the address space of a process that is about to end. */
  onEnd: (mm: Mm) => void = () => {};
  /** Makes accesses [from, to) of a batch and says where it stopped; whoever wants to see each one makes them himself. */
  makeAccesses: typeof accessPages = accessPages;
  /** Called behind a read or write of `bytes` bytes of a file from `at` on; `buffer` is 0 if nobody knows where it was. */
  onTransfer: (mm: Mm, file: File, at: number, buffer: number, bytes: number, writes: boolean) => void = () => {};
  /** Called before a system call is made, with what the recording has of it. */
  onCall: (pid: number, call: Float64Array, path: string) => void = () => {};
  private readonly recording: Recording;
  private readonly survey: Survey;
  private readonly processes: ReplayProcess[] = [];
  /** The programs of the recording; null for one that it does not describe. */
  private readonly images: (RecordedImage | null)[];
  private readonly ordered: boolean;
  private readonly byClock: boolean;
  private current: ReplayProcess;
  /** When the current process began to run. */
  private sliceStart: number;
  /** Where in its columns the batch under way began; -1: none is. */
  private batchFrom = -1;

  /** Makes the files and starts the program in `memcg`. The machine is new; nothing of it was replayed yet. */
  constructor(machine: Machine, memcg: MemCgroup, recording: Recording, survey: Survey) {
    this.machine = machine;
    this.memcg = memcg;
    this.recording = recording;
    this.survey = survey;
    this.freeAtStart = freePages(machine);
    this.system = new System(machine);
    const { header } = recording;
    const { name, ordered, processes } = header;
    this.ordered = ordered !== undefined;
    this.byClock = ordered !== undefined && (survey.talks || ordered.threads.length > processes.length);
    this.images = (ordered?.images ?? [header]).map((image, n) =>
      imageOf({ ...image, name }, n === 0 ? survey.firstBrk : 0),
    );
    this.makeFiles();
    const recorded = this.images[0] ?? null;
    // The launcher enters the cgroup and then execs: its own task and kernel stack were charged outside. Nobody can exec a
    // program that is not described; what runs then began in the cgroup.
    const process = this.system.newProcess(recorded === null ? memcg : machine.rootMemcg);
    process.task.memcg = memcg;
    const root = survey.parents.indexOf(-1);
    const body = ordered?.threads.findIndex((t) => t.process === root && t.tid === processes[root]!.pid) ?? root;
    this.current = new ReplayProcess(0, root, body, decoderOf(recording, body), process, 0);
    this.processes.push(this.current);
    this.sliceStart = machine.clock.now;
    if (recorded !== null) this.start(this.current, recorded);
    else {
      // strace shows no program, but where its heap began.
      process.mm.startBrk = survey.firstBrk as Vaddr;
      process.mm.brk = process.mm.startBrk;
    }
  }

  /** Whoever made the files is not the program: they are not charged to it, and not in memory. */
  private makeFiles(): void {
    const wanted = new Map<string, { bytes: number; kind: 'disk' | 'tmpfs' }>();
    for (const recorded of this.images) {
      for (const { path, bytes } of recorded?.files ?? []) wanted.set(path, { bytes, kind: 'disk' });
    }
    for (const { path, bytes, kind } of this.survey.files) {
      if (kind !== 'outside') wanted.set(path, { kind, bytes: Math.max(bytes, wanted.get(path)?.bytes ?? 0) });
    }
    for (const [path, { bytes, kind }] of wanted) this.system.paths.createFile(path, bytes, kind);
  }

  private start(p: ReplayProcess, recorded: RecordedImage): void {
    const failed = this.system.exec(p.process, recorded.image);
    if (p.process.exited) {
      this.ended(p, true);
      return;
    }
    if (failed < 0) this.differ(p, 'execve', '0', errnoName(failed));
    for (const range of recorded.leftOver) {
      const prot = (range.read ? PROT_READ : 0) | (range.write ? PROT_WRITE : 0) | (range.execute ? PROT_EXEC : 0);
      this.system.mmap(p.process, range.start, range.end - range.start, prot, FIXED_ANONYMOUS, -1, 0);
    }
  }

  /** Where the replay is; inside a batch as well, if somebody listens to the machine's trace. */
  get position(): Position {
    const inBatch = this.batchFrom < 0 ? 0 : this.machine.trace.access - this.batchFrom;
    return { event: this.events + inBatch, pid: this.current.pid, own: this.current.events + inBatch };
  }

  /** Who runs, and faults of all that ever ran as getrusage counts them. */
  get running(): ReplayProcess {
    return this.current;
  }
  get faults(): { minor: number; major: number } {
    let minor = 0;
    let major = 0;
    for (const { process } of this.processes) {
      minor += process.task.minFlt;
      major += process.task.majFlt;
    }
    return { minor, major };
  }

  get processCount(): number {
    return new Set(this.processes.map((p) => p.index)).size;
  }

  get unstarted(): number {
    return this.survey.parents.length - this.processCount;
  }

  /** Share of the recording that is behind us, 0 to 1. */
  get progress(): number {
    const { header, bodies } = this.recording;
    const all = header.processes.reduce((sum, p) => sum + p.bytes, 0);
    let bytes = 0;
    for (const { body, state, decoder } of this.processes) {
      const last = bodies[body]!.at(-1)!;
      bytes += state === ENDED ? last.at + last.bytes : decoder.position;
    }
    return all === 0 ? 1 : bytes / all;
  }

  /** The processes that live, with their numbers in the recording; of several threads the oldest. */
  living(): { pid: number; process: Process }[] {
    const seen = new Set<number>();
    const oldest = this.processes.filter((p) => p.state !== ENDED && !seen.has(p.index) && seen.add(p.index));
    return oldest.map(({ pid, process }) => ({ pid, process }));
  }

  /** Replays until `events` page events are made, or to the end; true if there is more. Stops before the exit of the last process if `stopBeforeExit`. */
  run(events: number = Number.POSITIVE_INFINITY, stopBeforeExit = false): boolean {
    while (this.events < events) {
      const p = this.current;
      if (p.state !== RUNNING) {
        if (!this.chooseNext()) return false;
        continue;
      }
      if (p.done < p.decoder.count) {
        this.access(p, events);
        continue;
      }
      const event = p.decoder.next();
      p.done = 0;
      if (p.execPending) this.exec(p, event);
      if (event === EVENT_ACCESSES) continue;
      if (event === EVENT_TICK) this.tick(p);
      else if (event === EVENT_CLOCK && this.byClock) this.chooseNext();
      else if (event === EVENT_PATH) {
        p.firstPath = p.path;
        p.path = p.decoder.text;
      } else if (event === EVENT_IMAGE) this.newProgram(p, this.images[p.decoder.image] ?? null);
      else if (event === EVENT_TEXT) this.unknownCall("a line of the recorder's own");
      else if (event === EVENT_SYSCALL) {
        if (stopBeforeExit && this.isLastExit(p)) return true;
        this.syscall(p);
      } else if (event === EVENT_END) this.ended(p, false);
    }
    return true;
  }

  private isLastExit(p: ReplayProcess): boolean {
    const number = p.decoder.call[0];
    const others = this.processes.filter((other) => other.state !== ENDED && other !== p);
    if (number === nr.SYS_exit_group) return others.every((other) => other.index === p.index);
    return number === nr.SYS_exit && others.length === 0;
  }

  // accesses

  private access(p: ReplayProcess, events: number): void {
    const { machine } = this;
    const { decoder } = p;
    const to = Math.min(decoder.count, p.done + (events - this.events));
    machine.current = p.process.task;
    let at = p.done;
    while (at < to) {
      this.batchFrom = at;
      const stopped = this.makeAccesses(machine, p.process.mm, decoder.vpns, decoder.kinds, at, to);
      this.batchFrom = -1;
      this.events += stopped - at;
      p.events += stopped - at;
      at = stopped;
      if (machine.lastSignal === 0) break;
      if (machine.lastSignal === KILLED) {
        machine.current = machine.idle;
        this.ended(p, true);
        return;
      }
      if (!this.mend(p, decoder.vpns[at]! as Vpn)) {
        this.refusedAccesses += 1;
        this.events += 1;
        p.events += 1;
        at += 1;
      }
    }
    machine.current = machine.idle;
    p.done = at;
    if (machine.clock.now >= machine.sliceEnd) this.chooseNext();
  }

  /** An access met a signal. True if it can be made now: nothing was mapped there, and we put memory there. */
  private mend(p: ReplayProcess, vpn: Vpn): boolean {
    if (this.machine.lastSignal !== UNMAPPED) return false;
    const made = this.system.mmap(p.process, addrOf(vpn), PAGE_SIZE, ALL_ACCESS, FIXED_ANONYMOUS, -1, 0);
    this.machine.current = p.process.task;
    if (made < 0) return false;
    this.unseenPages += 1;
    return true;
  }

  /** The kernel writes to the program's memory, or reads it, on behalf of a call on something that is not modelled. */
  private touch(p: ReplayProcess, addr: number, bytes: number, write: boolean): void {
    if (bytes <= 0 || addr <= 0) return;
    const { machine } = this;
    const mm = p.process.mm;
    machine.current = p.process.task;
    for (let vpn = vpnOf(addr); vpn <= vpnOf(addr + bytes - 1); vpn = (vpn + 1) as Vpn) {
      const failed = write ? storePage(machine, mm, vpn, machine.newToken()) : loadPage(machine, mm, vpn);
      if (failed !== 0) break;
    }
    machine.current = machine.idle;
  }

  // time, and who runs

  private tick(p: ReplayProcess): void {
    const { ticks } = p.decoder;
    this.rawAccesses += ticks;
    p.process.task.cpuNs += ticks * ACCESS_NS;
    this.machine.advance(ticks * ACCESS_NS);
    this.onTick();
    if (this.machine.clock.now >= this.machine.sliceEnd) this.chooseNext();
  }

  /** False if nobody can run any more. */
  private chooseNext(): boolean {
    const { machine } = this;
    this.current.time += machine.clock.now - this.sliceStart;
    this.sliceStart = machine.clock.now;
    let next: ReplayProcess | null = null;
    let runnable = 0;
    for (const p of this.processes) {
      this.wake(p);
      // The OOM killer may have taken somebody who was not running.
      if (p.state !== ENDED && p.process.exited) this.ended(p, true);
      if (p.state !== RUNNING) continue;
      runnable += 1;
      if (next === null || (this.byClock ? p.decoder.clock < next.decoder.clock : p.time < next.time)) next = p;
    }
    machine.sliceEnd = runnable > 1 && !this.byClock ? machine.clock.now + SLICE_NS : Number.POSITIVE_INFINITY;
    if (next === null) return false;
    this.current = next;
    return true;
  }

  private wake(p: ReplayProcess): void {
    const other = p.waitsFor;
    if (other === null || p.state === ENDED) return;
    if (other.state !== ENDED && !(p.state === SUSPENDED && other.hasExeced)) return;
    p.time = Math.max(p.time, other.time);
    p.waitsFor = null;
    p.state = RUNNING;
  }

  private wait(p: ReplayProcess, other: ReplayProcess, state: number): void {
    if (other.state === ENDED || this.byClock) return;
    p.waitsFor = other;
    p.state = state;
  }

  private ended(p: ReplayProcess, killed: boolean): void {
    if (killed) this.oomKilled = true;
    p.state = ENDED;
    p.done = 0;
    p.decoder.count = 0;
    if (p.process.exited) return;
    this.onEnd(p.process.mm);
    this.system.exit(p.process);
  }

  /** exit_group(2), and execve but for the thread that makes it: threads with bodies of their own end as well. */
  private endOthers(p: ReplayProcess): void {
    for (const other of this.processes) {
      if (other.index === p.index && other !== p && other.state !== ENDED) this.ended(other, false);
    }
  }

  // system calls

  private syscall(p: ReplayProcess): void {
    const { call } = p.decoder;
    const number = call[0]!;
    const recorded = call[7]!;
    this.syscalls += 1;
    const { path, firstPath } = p;
    p.path = p.firstPath = '';
    this.callUnderway = number;
    this.onCall(p.pid, call, path);
    const here =
      this.ordered && namesFiles(number)
        ? recorded < 0
          ? NOT_MADE
          : nameCall(this.system, p.process, number, firstPath, path)
        : this.make(p, number, call, path);
    this.callUnderway = -1;
    if (p.process.exited && p.state !== ENDED) this.ended(p, true);
    if (Number.isNaN(here) || here === recorded) return;
    this.differ(p, describeCall(number, call, path), describeResult(number, recorded), describeResult(number, here));
  }

  private differ(p: ReplayProcess, call: string, recorded: string, here: string): void {
    this.syscallsDifferent += 1;
    if (this.differences.length < DIFFERENCES_KEPT) this.differences.push({ pid: p.pid, call, recorded, here });
  }

  /** Makes the call. Its result, as far as it can be compared, else NOT_MADE. */
  private make(p: ReplayProcess, number: number, call: Float64Array, path: string): number {
    const { system } = this;
    const { process } = p;
    const a = call[1]!;
    const b = call[2]!;
    const c = call[3]!;
    const d = call[4]!;
    const ret = call[7]!;
    switch (number) {
      case nr.SYS_mmap:
        return this.mmap(p, call);
      case nr.SYS_mremap:
        return this.mremap(p, call);
      case nr.SYS_brk:
        return a === 0 ? system.brk(process, 0) : ret === a ? system.brk(process, a) : NOT_MADE;
      case nr.SYS_munmap:
        return system.munmap(process, a, b);
      case nr.SYS_mprotect:
        return system.mprotect(process, a, b, c);
      case nr.SYS_madvise:
        return system.madvise(process, a, b, c);
      case nr.SYS_msync:
        return system.msync(process, a, b, c);
      case nr.SYS_mincore:
        // What it answers depends on the machine; only whether it answers can be compared.
        return system.mincore(process, a, b, c);
      case nr.SYS_mlock:
        return system.mlock(process, a, b);
      case nr.SYS_mlock2:
        return system.mlock2(process, a, b, c);
      case nr.SYS_munlock:
        return system.munlock(process, a, b);
      case nr.SYS_mlockall:
        return system.mlockall(process, a);
      case nr.SYS_munlockall:
        return system.munlockall(process);
      case nr.SYS_remap_file_pages:
        return system.remapFilePages(process, a, b, c, d, call[5]!);
      case nr.SYS_open:
        return this.open(p, path, b, ret);
      case nr.SYS_openat:
        return this.open(p, path, c, ret);
      case nr.SYS_creat:
        return this.open(p, path, 0o1101, ret);
      case nr.SYS_memfd_create:
        return this.place(p, ret < 0 ? ret : system.memfdCreate(process, 'recorded', b), ret);
      case nr.SYS_read:
      case nr.SYS_write:
      case nr.SYS_readv:
      case nr.SYS_writev:
      case nr.SYS_pread64:
      case nr.SYS_pwrite64:
      case nr.SYS_preadv:
      case nr.SYS_pwritev:
        return this.transfer(p, number, call);
      case nr.SYS_wait4:
      case nr.SYS_waitid:
        return this.waitFor(p, number === nr.SYS_wait4 ? ret : -1);
      case nr.SYS_clone:
      case nr.SYS_fork:
      case nr.SYS_vfork:
      case nr.SYS_clone3:
        return this.fork(p, number, a, ret);
      case nr.SYS_execve:
      case nr.SYS_execveat:
        // Written before it is made, and again only if it failed: what comes next tells.
        p.execPending = ret === 0;
        return NOT_MADE;
      case nr.SYS_exit:
        if (p.threads > 0) p.threads -= 1;
        else this.ended(p, false);
        return NOT_MADE;
      case nr.SYS_exit_group:
        this.endOthers(p);
        this.ended(p, false);
        return NOT_MADE;
      case nr.SYS_sendfile:
      case nr.SYS_copy_file_range:
        if (ret <= 0) return NOT_MADE;
        return copyCall(this.machine, process, number, call, ret) ?? this.unknown(number);
      case nr.SYS_sendto:
      case nr.SYS_recvfrom:
        this.touch(p, b, Math.min(ret, c), number === nr.SYS_recvfrom);
        return NOT_MADE;
      case nr.SYS_sendmsg:
      case nr.SYS_recvmsg:
        // Where their pieces lie is not recorded.
        return NOT_MADE;
    }
    const fd = a;
    if (this.fileOf(p, fd) !== undefined) {
      switch (number) {
        case nr.SYS_close:
          return system.close(process, fd);
        case nr.SYS_lseek:
          return system.lseek(process, fd, b, c);
        case nr.SYS_ftruncate:
          return system.ftruncate(process, fd, b);
        case nr.SYS_fallocate:
          return system.fallocate(process, fd, b, c, d);
        case nr.SYS_fsync:
          return system.fsync(process, fd);
        case nr.SYS_fdatasync:
          return system.fdatasync(process, fd);
        case nr.SYS_fadvise64:
          return system.fadvise64(process, fd, b, c, d);
        case nr.SYS_dup:
          return this.place(p, system.dup(process, fd), ret);
        case nr.SYS_dup2:
        case nr.SYS_dup3:
          return ret < 0 ? ret : system.dup2(process, fd, ret);
        case nr.SYS_fcntl:
          if (b !== nr.F_DUPFD && b !== nr.F_DUPFD_CLOEXEC) return NOT_MADE;
          return this.place(p, system.dup(process, fd), ret);
      }
    }
    // What is no file here, a pipe say, took the place of one that is.
    const replaced =
      (number === nr.SYS_dup2 || number === nr.SYS_dup3) && ret >= 0 && this.fileOf(p, ret) !== undefined;
    if (replaced) system.close(process, ret);
    // What failed then changed nothing.
    if (this.ordered && ret < 0) return NOT_MADE;
    return OF_FILES.has(number) || nr.leavesMemoryAlone(number) ? NOT_MADE : this.unknown(number);
  }

  private unknown(number: number, why = ''): number {
    return this.unknownCall(nr.syscallName(number) + why);
  }

  private unknownCall(name: string): number {
    this.syscallsUnknown.set(name, (this.syscallsUnknown.get(name) ?? 0) + 1);
    return NOT_MADE;
  }

  /** At the address that it got then. A call that failed then changed nothing and is not made. */
  private mmap(p: ReplayProcess, call: Float64Array): number {
    const ret = call[7]!;
    if (ret < 0) return NOT_MADE;
    const length = call[2]!;
    const prot = call[3]!;
    let flags = (call[4]! & ~MAP_FIXED_NOREPLACE) | MAP_FIXED;
    const fd = call[5]! | 0;
    const anonymous = (flags & MAP_ANONYMOUS) !== 0;
    if (!anonymous && this.fileOf(p, fd) === undefined) {
      // A device, or a file that was opened before the recording began.
      this.unknown(nr.SYS_mmap, ' (of a file that is not known)');
      flags |= MAP_ANONYMOUS;
      return this.system.mmap(p.process, ret, length, prot, flags, -1, 0);
    }
    return this.system.mmap(p.process, ret, length, prot, flags, fd, anonymous ? 0 : call[6]!);
  }

  private mremap(p: ReplayProcess, call: Float64Array): number {
    const ret = call[7]!;
    const old = call[1]!;
    if (ret < 0) return NOT_MADE;
    const moved = ret !== old;
    const flags = moved ? call[4]! | MREMAP_MAYMOVE | MREMAP_FIXED : call[4]! & ~(MREMAP_MAYMOVE | MREMAP_FIXED);
    return this.system.mremap(p.process, old, call[2]!, call[3]!, flags, moved ? ret : 0);
  }

  private fileOf(p: ReplayProcess, fd: number): File | undefined {
    return fd >= 0 ? p.process.files.get(fd) : undefined;
  }

  private open(p: ReplayProcess, path: string, flags: number, ret: number): number {
    const kind = this.survey.files.find((f) => f.path === path)?.kind;
    // Devices, folders and files of the kernel have no pages; what failed for other reasons than a missing name fails again.
    if (path === '' || kind === 'outside' || (flags & (O_DIRECTORY | O_PATH)) !== 0) return NOT_MADE;
    if (ret < 0 && (ret !== -ENOENT || (flags & O_CREAT) !== 0 || this.system.paths.get(path) !== undefined))
      return NOT_MADE;
    // What was made then is there already, empty.
    const bits = ret >= 0 ? flags & ~O_EXCL : flags;
    return this.place(p, this.system.open(p.process, path, bits), ret);
  }

  /** Puts a new descriptor where it was in the recording. */
  private place(p: ReplayProcess, fd: number, wanted: number): number {
    if (fd < 0 || wanted < 0 || fd === wanted) return fd;
    const { files } = p.process;
    const old = files.get(wanted) === undefined ? 0 : this.system.close(p.process, wanted);
    const file = files.remove(fd);
    if (old < 0 || file === undefined) return fd;
    files.set(wanted, file, false);
    return wanted;
  }

  private transfer(p: ReplayProcess, number: number, call: Float64Array): number {
    const { system, machine } = this;
    const fd = call[1]!;
    const buffer = call[2]!;
    const count = call[3]!;
    const pos = call[4]!;
    const ret = call[7]!;
    const file = this.fileOf(p, fd);
    const writes = WRITES.has(number);
    // Where the pieces of a vector lie is not recorded; strace and cache traces do not know any buffer, and say 0.
    const unknown = VECTORS.has(number) || buffer === 0;
    if (file === undefined) {
      if (!unknown) this.touch(p, buffer, Math.min(ret, count), !writes);
      return NOT_MADE;
    }
    const positioned = POSITIONED.has(number);
    const at = writes && file.append ? file.inode.size : positioned ? pos : file.pos;
    let done: number;
    if (unknown) {
      if (ret <= 0) return NOT_MADE;
      machine.current = p.process.task;
      done = writes ? filemapWrite(machine, file, at, ret, null) : filemapRead(machine, file, at, ret, null);
      machine.current = machine.idle;
      if (done > 0 && !positioned) file.pos = at + done;
    } else if (number === nr.SYS_read) done = system.read(p.process, fd, buffer, count);
    else if (number === nr.SYS_write) done = system.write(p.process, fd, buffer, count);
    else if (number === nr.SYS_pread64) done = system.pread64(p.process, fd, buffer, count, pos);
    else done = system.pwrite64(p.process, fd, buffer, count, pos);
    if (done > 0) this.onTransfer(p.process.mm, file, at, unknown ? 0 : buffer, done, writes);
    return done;
  }

  // processes

  private fork(p: ReplayProcess, number: number, flags: number, ret: number): number {
    if (ret <= 0) return NOT_MADE;
    const bits = number === nr.SYS_clone ? flags : 0;
    const { header } = this.recording;
    const thread = header.ordered?.threads.findIndex((t) => t.process === p.index && t.tid === ret) ?? -1;
    if (thread >= 0) return this.begin(p, p.pid, p.index, thread, CLONE_VM | CLONE_FILES);
    if ((bits & nr.CLONE_THREAD) !== 0) {
      p.threads += 1;
      return this.unknown(number, ' (a thread: it runs, its kernel stack is not charged)');
    }
    const index = header.processes.findIndex((q) => q.pid === ret);
    if (index < 0 || this.processes.some((q) => q.index === index)) {
      // clone3 keeps its flags in memory; it may have been a thread.
      if (number === nr.SYS_clone3) p.threads += 1;
      return this.unknown(number, ' (nobody who was recorded)');
    }
    const body = header.ordered?.threads.findIndex((t) => t.process === index && t.tid === ret) ?? index;
    // A copy even after vfork: emulators that record make one, too.
    const made = this.begin(p, ret, index, body, 0);
    if (number === nr.SYS_vfork || (bits & CLONE_VFORK) !== 0 || (bits & CLONE_VM) !== 0)
      this.wait(p, this.processes.at(-1)!, SUSPENDED);
    return made;
  }

  /** A new task for a body, whose first event is its clock if there is one. */
  private begin(p: ReplayProcess, pid: number, index: number, body: number, flags: number): number {
    const child = this.system.fork(p.process, flags);
    if (typeof child === 'number') return child;
    const { clock } = this.machine;
    const used = p.time + clock.now - this.sliceStart;
    const started = new ReplayProcess(pid, index, body, decoderOf(this.recording, body), child, used);
    this.processes.push(started);
    if (this.ordered) started.decoder.next();
    if (this.byClock) this.chooseNext();
    else this.machine.sliceEnd = Math.min(this.machine.sliceEnd, clock.now + SLICE_NS);
    return NOT_MADE;
  }

  private waitFor(p: ReplayProcess, pid: number): number {
    const child = this.processes.find((q) => q.pid === pid);
    if (child !== undefined) this.wait(p, child, WAITING);
    return NOT_MADE;
  }

  /** The event behind an execve is here: unless it is the same call again, with its error, a new program runs now. */
  private exec(p: ReplayProcess, event: number): void {
    p.execPending = false;
    const { call } = p.decoder;
    const number = call[0];
    if (event === EVENT_SYSCALL && (number === nr.SYS_execve || number === nr.SYS_execveat) && call[7]! < 0) return;
    this.newProgram(p, null);
  }

  /** null: nobody says what it maps; its pages are put where they are used. */
  private newProgram(p: ReplayProcess, recorded: RecordedImage | null): void {
    p.hasExeced = true;
    this.endOthers(p);
    if (recorded !== null) {
      this.start(p, recorded);
      return;
    }
    this.unknown(nr.SYS_execve, ' (a program that is not described)');
    this.system.munmap(p.process, 0, 2 ** 47 - PAGE_SIZE);
  }
}

const FIXED_ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const ALL_ACCESS = PROT_READ | PROT_WRITE | PROT_EXEC;
