/**
 * Runs a memory program on the engine and records what it does, as a runner on a real kernel would.
 *
 * Owns      the machine that a program sees (format 1, section 2), its processes and descriptors by label.
 * Promises  1. Same program and kernel, same recording, to the byte.
 *           2. A call that no process is left for is recorded as skipped.
 */
import { InputError } from '../../mm/bug.ts';
import { errnoName } from '../../mm/errno.ts';
import { BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGKILL } from '../../mm/fault.ts';
import { openInode } from '../../mm/file.ts';
import type { File, Inode } from '../../mm/fs.ts';
import { Machine } from '../../mm/machine.ts';
import { readToken } from '../../mm/memory.ts';
import type { Mm } from '../../mm/mm.ts';
import { PG_writeback } from '../../mm/page_flags.ts';
import { NO_SLOT, PTE_SPECIAL } from '../../mm/page_table.ts';
import { PAGE_SIZE, type Pfn, type Token, type Vaddr, type Vpn, vpnOf } from '../../mm/units.ts';
import { ByteContents, Fnv1a } from '../../syscalls/contents.ts';
import { mmapBase } from '../../syscalls/layout.ts';
import type { MmpCall, MmpFile, MmpProgram, MmpStep } from '../../syscalls/mmp.ts';
import type { Process } from '../../syscalls/process.ts';
import { System } from '../../syscalls/system.ts';
import { MADV_PAGEOUT, O_RDONLY, POSIX_FADV_NORMAL, POSIX_FADV_RANDOM } from '../../syscalls/uapi.ts';
import type { UserBuffer } from '../../syscalls/user_copy.ts';
import {
  type FileRecord,
  type OpRecord,
  type ProcRecord,
  type Recording,
  type RecordingLine,
  sameProc,
} from './recording.ts';
import { ARENA_END, ARENA_START, fileRecord, hex, Snapshots } from './snapshot.ts';

const MIB = 2 ** 20;
/** Building a machine takes time with every frame, so a program gets one that is large beside what it may fill. */
const LEAST_RAM = 128 * MIB;
const MOST_RAM = 2048 * MIB;
const RAM_SHARE = 8;
/** Page tables and a stack. */
const BYTES_PER_PROCESS: number = 64 * 1024;
/** Which argument of a call says how much there may be of something from now on. */
const LENGTH_AT: Readonly<Record<string, number>> = {
  mmap: 1,
  mremap: 2,
  write: 2,
  pwrite64: 2,
  ftruncate: 1,
  fallocate: 3,
};
const RLIMIT_STACK = 0x5fffffeff000;
/** A real machine runs more than the program: a gigabyte of its files is in use. */
const OTHERS_ACTIVE_PAGES = 2 ** 18;
/** What maps puts before the name of a memfd. */
const MEMFD = 'memfd:';
/** The file systems that the recordings were made with: that of 6.18 has no journal. */
const JOURNAL: ReadonlyMap<string, boolean> = new Map([['6.18', false]]);
/** The disks that the recordings were made with. */
const READ_AHEAD_KB: ReadonlyMap<string, number> = new Map([
  ['6.18', 8192],
  ['6.1', 128],
]);
/** Byte `o` of page `p` of the k-th file is (37 * p + o + k) mod 256. */
const PAGE_STEP = 37;
const RAMP: Uint8Array = Uint8Array.from({ length: PAGE_SIZE + 256 }, (_, i) => i);

/** What the engine did, and the error that ended it early. */
export interface MmpRun {
  readonly recording: Recording;
  readonly failure: { readonly call: MmpCall | null; readonly error: Error } | null;
}

/** Runs the program on one kernel. A broken promise inside the engine ends the recording; a program that is wrong throws. */
export function runMmp(program: MmpProgram, kernel: string): MmpRun {
  const runner = new MmpRunner(program, kernel);
  let call: MmpCall | null = null;
  try {
    for (const step of program.steps) {
      if (step !== 'snapshot') call = step;
      runner.step(step);
    }
    return { recording: runner.end(), failure: null };
  } catch (error) {
    if (error instanceof InputError || !(error instanceof Error)) throw error;
    return { recording: runner.recorded(), failure: { call, error } };
  }
}

/** No program comes near to filling it, each of its processes with all that any call could map. */
function ramFor(program: MmpProgram): number {
  let bytes = program.files.reduce((sum, file) => sum + file.pages * PAGE_SIZE, 0);
  let processes = 1;
  for (const step of program.steps) {
    if (step === 'snapshot') continue;
    if (isFork(step.name)) processes += 1;
    if (step.name === 'brk') bytes += Math.abs(numberAt(step, 0) - (program.brk ?? 0));
    const at = LENGTH_AT[step.name];
    if (at !== undefined) bytes += Math.abs(numberAt(step, at));
  }
  const wanted = (bytes + BYTES_PER_PROCESS) * processes * RAM_SHARE;
  let ram = LEAST_RAM;
  while (ram < wanted && ram < MOST_RAM) ram *= 2;
  return ram;
}

/** A process of the program: what it is, and the labels of its descriptors. */
export interface Actor {
  readonly process: Process;
  readonly fds: Map<number, number>;
}

/** What a call says beside its result. */
type Extra = Partial<Omit<OpRecord, 'ret'>>;
interface Outcome {
  readonly ret: number | string | null;
  readonly extra?: Extra;
}

/** A program under way: who wants to look between two calls makes the steps himself. */
export class MmpRunner {
  private readonly program: MmpProgram;
  readonly machine: Machine;
  private readonly system: System;
  readonly contents: ByteContents = new ByteContents();
  private readonly snapshots: Snapshots;
  /** Living processes, by label, in the order of their making. */
  readonly actors: Map<number, Actor> = new Map();
  private processesMade = 1;
  readonly files: Map<string, Inode> = new Map();
  /** The runner holds every file open, so that it outlives its name. */
  private readonly held: File[] = [];
  private swapType = -1;
  private readonly lines: RecordingLine[] = [];
  private calls = 0;
  private lastSnap = 0;
  private before: { procs: ReadonlyMap<number, ProcRecord>; files: string } = { procs: new Map(), files: '' };

  /** Ready for the first step. */
  constructor(program: MmpProgram, kernel: string, ramBytes: number = ramFor(program), mglru = false) {
    this.program = program;
    this.machine = new Machine({
      kernel,
      ramBytes,
      mglru,
      othersActivePages: OTHERS_ACTIVE_PAGES,
      // A program waits for its reads one by one, but the disk is done with all that were sent together.
      disk: { requestNs: 0, pageNs: 0, journal: JOURNAL.get(kernel) ?? true },
      sysctl: { readAheadKb: READ_AHEAD_KB.get(kernel) ?? 128 },
    });
    this.machine.contents = this.contents;
    this.system = new System(this.machine);
    this.snapshots = new Snapshots(this.machine);
    this.actors.set(1, { process: this.prepare(), fds: new Map() });
  }

  /** A call, and the snapshot behind it if one is due; or a snapshot. What was recorded of the call. */
  step(step: MmpStep): OpRecord | null {
    this.settle();
    if (step === 'snapshot') {
      this.snapshot();
      return null;
    }
    this.calls += 1;
    const record = this.record(step);
    this.lines.push(record);
    const { snapshotEvery } = this.program;
    if (snapshotEvery > 0 && this.calls % snapshotEvery === 0) this.snapshot();
    return record;
  }

  /** The last snapshot, and the whole recording. */
  end(): Recording {
    if (this.program.snapshotEvery > 1 && this.lastSnap !== this.calls) this.snapshot();
    return this.recorded();
  }

  /** The recording up to here. */
  recorded(): Recording {
    return {
      header: {
        rec: 1,
        program: this.program.file.split('/').at(-1)!,
        kernel: this.machine.generation.version,
        arch: 'x86_64',
        page: PAGE_SIZE,
        arena: [hex(ARENA_START), hex(ARENA_END)],
        uid: 0,
      },
      lines: this.lines,
    };
  }

  // the machine

  /** Files, swap and the first process. */
  private prepare(): Process {
    const { system, machine, program } = this;
    for (const [k, file] of program.files.entries()) this.makeFile(file, k);
    const process = system.newProcess(machine.rootMemcg, 'mmp');
    const { mm } = process;
    mm.rlimitStack = RLIMIT_STACK;
    // Kernels keep other gaps below the stack; a runner takes the limit with which the arena's end is the base.
    mm.rlimitStack += mmapBase(machine, mm) - ARENA_END;
    mm.mmapBase = mmapBase(machine, mm);
    if (program.brk !== null) {
      mm.startBrk = program.brk as Vaddr;
      mm.brk = program.brk as Vaddr;
    }
    for (const file of program.files) if (file.cached) this.warm(process, file);
    this.forgetSwapReadahead();
    if (program.swapMib > 0) this.swapon();
    return process;
  }

  private makeFile(file: MmpFile, k: number): void {
    const tokenOf = (page: number): Token => this.patternOf(page, k);
    const inode = this.system.paths.createFile(file.name, file.pages * PAGE_SIZE, file.kind, tokenOf);
    this.files.set(file.name, inode);
    this.held.push(openInode(this.machine, inode, true, false, false));
  }

  private patternOf(page: number, k: number): Token {
    const first = (PAGE_STEP * page + k) % 256;
    return this.contents.page(this.machine, RAMP.subarray(first, first + PAGE_SIZE));
  }

  /** Every page read once, one by one. */
  private warm(process: Process, file: MmpFile): void {
    const { system } = this;
    const fd = system.open(process, file.name, O_RDONLY);
    system.fadvise64(process, fd, 0, 0, POSIX_FADV_RANDOM);
    for (let page = 0; page < file.pages; page++) {
      system.pread64(process, fd, 'outside', PAGE_SIZE, page * PAGE_SIZE);
      this.machine.lru.drain();
    }
    system.fadvise64(process, fd, 0, 0, POSIX_FADV_NORMAL);
    system.close(process, fd);
  }

  /** Other programs have swapped before this one: readahead has lost its first hits, and its window is one slot. */
  private forgetSwapReadahead(): void {
    const { swap } = this.machine;
    swap.readaheadHits = 0;
    swap.readaheadPages = 1;
    swap.readaheadOffset = Number.POSITIVE_INFINITY;
  }

  private swapon(): number {
    this.swapType = this.system.swapon({ bytes: this.program.swapMib * MIB, device: 'disk', file: true });
    return this.swapType < 0 ? this.swapType : 0;
  }

  private swapoff(): number {
    return this.system.swapoff(this.swapType);
  }

  /** What a real machine has done before the next line: finished its I/O, and drained this CPU's batches. */
  private settle(): void {
    const { machine } = this;
    while (machine.io.pending > 0) machine.runUntil(machine.clock.nextAt);
    machine.lru.drain();
  }

  // calls

  private record(call: MmpCall): OpRecord {
    const head = { op: this.calls, proc: call.proc, call: call.text };
    if (call.skipped) return { ...head, ret: null, skipped: true };
    if (call.proc === 0) return { ...head, ...this.flat(this.systemCall(call)) };
    const actor = this.actors.get(call.proc);
    if (actor === undefined) return { ...head, ret: null, skipped: true };
    const { task } = actor.process;
    const { minFlt, majFlt } = task;
    const outcome = this.call(actor, call);
    if (this.machine.tasks.length < this.actors.size) this.forgetExited();
    if (actor.process.exited && outcome.extra?.exit === undefined) return { ...head, ret: null, died: true };
    const uncounted = outcome.extra?.exit === true || isFork(call.name);
    const faults = uncounted ? {} : { minflt: task.minFlt - minFlt, majflt: task.majFlt - majFlt };
    return { ...head, ...this.flat(outcome), ...faults };
  }

  /** The caller, or whom the OOM killer chose. */
  private forgetExited(): void {
    for (const [label, { process }] of this.actors) if (process.exited) this.actors.delete(label);
  }

  private flat(outcome: Outcome): { ret: number | string | null } & Extra {
    return { ret: outcome.ret, ...outcome.extra };
  }

  private systemCall(call: MmpCall): Outcome {
    if (call.name === 'swapoff') return plain(this.swapoff());
    if (call.name === 'swapon') return plain(this.swapon());
    throw new InputError(this.program.file, call.line, `process 0 has no call ${call.name}`);
  }

  private call(actor: Actor, call: MmpCall): Outcome {
    const { system } = this;
    const { process: p } = actor;
    const n = (i: number): number => numberAt(call, i);
    const fd = (i: number): number => actor.fds.get(n(i)) ?? -1;
    const text = (i: number): string => textAt(call, i, this.program.file);
    switch (call.name) {
      case 'mmap':
        return address(system.mmap(p, n(0), n(1), n(2), n(3), fd(4), n(5)));
      case 'munmap':
        return plain(system.munmap(p, n(0), n(1)));
      case 'mprotect':
        return plain(system.mprotect(p, n(0), n(1), n(2)));
      case 'mremap':
        return address(system.mremap(p, n(0), n(1), n(2), n(3), n(4)));
      case 'madvise':
        return plain(this.madvise(p, n(0), n(1), n(2)));
      case 'mlock':
        return plain(system.mlock(p, n(0), n(1)));
      case 'mlock2':
        return plain(system.mlock2(p, n(0), n(1), n(2)));
      case 'munlock':
        return plain(system.munlock(p, n(0), n(1)));
      case 'mlockall':
        return plain(system.mlockall(p, n(0)));
      case 'munlockall':
        return plain(system.munlockall(p));
      case 'msync':
        return plain(system.msync(p, n(0), n(1), n(2)));
      case 'mincore':
        return this.mincore(p, n(0), n(1));
      case 'brk':
        return address(system.brk(p, n(0)));
      case 'remap_file_pages':
        return plain(system.remapFilePages(p, n(0), n(1), n(2), n(3), n(4)));
      case 'open':
        return this.descriptor(actor, call, system.open(p, text(0), n(1)));
      case 'openat':
        return this.descriptor(actor, call, system.open(p, text(1), n(2)));
      case 'memfd_create':
        return this.descriptor(actor, call, system.memfdCreate(p, text(0), n(1)));
      case 'dup':
        return this.descriptor(actor, call, system.dup(p, fd(0)));
      case 'close': {
        const result = system.close(p, fd(0));
        actor.fds.delete(n(0));
        return plain(result);
      }
      case 'unlink':
        return plain(system.unlink(p, text(0)));
      case 'read':
        return plain(system.read(p, fd(0), bufferAt(call, 1), n(2)));
      case 'write':
        return plain(system.write(p, fd(0), bufferAt(call, 1), n(2)));
      case 'pread64':
        return plain(system.pread64(p, fd(0), bufferAt(call, 1), n(2), n(3)));
      case 'pwrite64':
        return plain(system.pwrite64(p, fd(0), bufferAt(call, 1), n(2), n(3)));
      case 'lseek':
        return plain(system.lseek(p, fd(0), n(1), n(2)));
      case 'ftruncate':
        return plain(system.ftruncate(p, fd(0), n(1)));
      case 'fallocate':
        return plain(system.fallocate(p, fd(0), n(1), n(2), n(3)));
      case 'fsync':
        return plain(system.fsync(p, fd(0)));
      case 'fdatasync':
        return plain(system.fdatasync(p, fd(0)));
      case 'fadvise64':
        return plain(system.fadvise64(p, fd(0), n(1), n(2), n(3)));
      case 'fork':
      case 'vfork':
      case 'clone':
        return this.fork(actor, call);
      case 'exit':
      case 'exit_group':
      case '_exit':
        system.exit(p);
        return { ret: null, extra: { exit: true } };
      case 'load':
        return this.load(p, n(0), call.args.length > 1 ? n(1) : 1);
      case 'store':
        return this.store(p, n(0), call.args.length > 1 ? n(1) : 1, call.args.length > 2 ? n(2) : 0x5a);
      case 'check':
        return this.check(p, n(0), call.args.length > 1 ? n(1) : PAGE_SIZE);
      default:
        throw new InputError(this.program.file, call.line, `only process 0 calls ${call.name}`);
    }
  }

  private descriptor(actor: Actor, call: MmpCall, fd: number): Outcome {
    if (fd < 0) return plain(fd);
    const label = call.result ?? fd;
    actor.fds.set(label, fd);
    return { ret: label };
  }

  private fork(actor: Actor, call: MmpCall): Outcome {
    const child = this.system.fork(actor.process);
    if (typeof child === 'number') return plain(child);
    this.processesMade += 1;
    const label = call.result ?? this.processesMade;
    this.actors.set(label, { process: child, fds: new Map(actor.fds) });
    return { ret: label };
  }

  /** A runner waits until nothing of the range is on its way to the disk. */
  private madvise(p: Process, addr: number, length: number, advice: number): number {
    const frames = advice === MADV_PAGEOUT ? this.framesOf(p.mm, addr, length) : [];
    const result = this.system.madvise(p, addr, length, advice);
    const { machine } = this;
    while (machine.io.pending > 0 && frames.some((pfn) => machine.frames.has(pfn, PG_writeback))) {
      machine.runUntil(machine.clock.nextAt);
    }
    return result;
  }

  private framesOf(mm: Mm, addr: number, length: number): Pfn[] {
    const { pageTables } = this.machine;
    const end = Math.min(ARENA_END, addr + length);
    const found: Pfn[] = [];
    for (let at = Math.max(ARENA_START, addr); at < end; at += PAGE_SIZE) {
      const slot = pageTables.slotOf(mm.pageTables, vpnOf(at));
      if (slot !== NO_SLOT && pageTables.isPresent(slot) && !pageTables.has(slot, PTE_SPECIAL)) {
        found.push(pageTables.pfn(slot));
      }
    }
    return found;
  }

  private mincore(p: Process, addr: number, length: number): Outcome {
    // A call that is answered has all its pages mapped.
    const pages = Math.min(Math.max(0, Math.ceil(length / PAGE_SIZE)), p.mm.totalVm);
    const vec = new Uint8Array(pages);
    const result = this.system.mincore(p, addr, length, vec);
    if (result < 0) return plain(result);
    return { ret: result, extra: { vec: [...vec].map((byte) => byte & 1).join('') } };
  }

  // accesses

  private load(p: Process, addr: number, length: number): Outcome {
    return this.touch(p, addr, length, (at) => this.system.load(p, at));
  }

  private store(p: Process, addr: number, length: number, byte: number): Outcome {
    return this.touch(p, addr, length, (at) => this.system.store(p, at, byte));
  }

  /**
   * One access to each page of the range: at `addr` itself, then at the start of each page behind. Whom the OOM killer chose meanwhile may
   * have got its page, and is gone all the same.
   */
  private touch(p: Process, addr: number, length: number, access: (at: number) => number): Outcome {
    let done = 0;
    for (let at = addr; at < addr + length; at = (vpnOf(at) + 1) * PAGE_SIZE) {
      const signal = access(at);
      if (signal !== 0) return { ret: done, extra: signalOf(signal, at) };
      if (p.exited) break;
      done += 1;
    }
    return { ret: done };
  }

  private check(p: Process, addr: number, length: number): Outcome {
    const hash = new Fnv1a();
    const end = addr + length;
    for (let at = addr; at < end; ) {
      const vpn: Vpn = vpnOf(at);
      const signal = this.system.load(p, at);
      if (signal !== 0) return { ret: at - addr, extra: signalOf(signal, at) };
      if (p.exited) break;
      const from = at % PAGE_SIZE;
      const to = Math.min(PAGE_SIZE, from + end - at);
      hash.add(this.contents.bytes(readToken(this.machine, p.mm, vpn) as Token), from, to);
      at += to - from;
    }
    return { ret: hash.text };
  }

  // snapshots

  private snapshot(): void {
    this.settle();
    this.lastSnap = this.calls;
    const procs: Record<string, ProcRecord | '='> = {};
    const full = new Map<number, ProcRecord>();
    for (const [label, actor] of this.actors) {
      const record = this.snapshots.procRecord(actor.process.mm);
      const before = this.before.procs.get(label);
      procs[label] = before !== undefined && sameProc(before, record) ? '=' : record;
      full.set(label, record);
    }
    const files = this.fileRecords();
    const filesText = JSON.stringify(files);
    this.lines.push({ snap: this.calls, procs, files: this.before.files === filesText ? '=' : files });
    this.before = { procs: full, files: filesText };
  }

  private fileRecords(): Record<string, FileRecord> {
    const records: Record<string, FileRecord> = {};
    for (const [name, inode] of this.files) records[name] = fileRecord(this.machine, inode);
    for (const { process, fds } of this.actors.values()) {
      for (const fd of fds.values()) {
        const inode = process.files.get(fd)?.inode;
        if (inode?.name.startsWith(MEMFD) !== true) continue;
        const name = inode.name.slice(MEMFD.length);
        if (!this.files.has(name)) records[name] = fileRecord(this.machine, inode);
      }
    }
    return records;
  }
}

function isFork(name: string): boolean {
  return name === 'fork' || name === 'vfork' || name === 'clone';
}

function numberAt(call: MmpCall, i: number): number {
  const argument = call.args[i];
  return argument?.kind === 'number' ? argument.value : 0;
}

function textAt(call: MmpCall, i: number, file: string): string {
  const argument = call.args[i];
  if (argument?.kind !== 'text')
    throw new InputError(file, call.line, `argument ${i + 1} of ${call.name} is no string`);
  return argument.value;
}

function bufferAt(call: MmpCall, i: number): UserBuffer {
  const argument = call.args[i];
  if (argument?.kind === 'number') return argument.value;
  return argument?.kind === 'text' && argument.value !== '' ? new TextEncoder().encode(argument.value) : 'outside';
}

function plain(result: number): Outcome {
  return result < 0 ? { ret: -1, extra: { err: errnoName(result) } } : { ret: result };
}

function address(result: number): Outcome {
  if (result < 0) return plain(result);
  return { ret: result >= ARENA_START && result < ARENA_END ? hex(result) : 'outside' };
}

/** What an access met: the signal, its code and where. */
function signalOf(signal: number, at: number): Extra {
  const number = Math.floor(signal / 256);
  const code = signal % 256;
  if (number === SIGKILL) return { died: true };
  const addr = hex(at);
  if (number === SIGBUS) return { sig: 'SIGBUS', code: code === BUS_ADRERR ? 'BUS_ADRERR' : String(code), addr };
  const codes: Record<number, string> = { [SEGV_MAPERR]: 'SEGV_MAPERR', [SEGV_ACCERR]: 'SEGV_ACCERR' };
  return { sig: 'SIGSEGV', code: codes[code] ?? String(code), addr };
}
