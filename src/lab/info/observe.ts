/**
 * A recording read once, without a machine: who ran, what was mapped, which pages were touched when.
 *
 * Owns      the processes of that reading, their descriptors and ranges.
 * Promises  1. A page of a mapped file, and one that read(2) or write(2) reached, is the file's; what was stored to a private
 *              mapping, and what no file backs, is the process's. Pages that a fork shares count for each: no machine, no copy-on-write.
 *           2. Time is the recorder's accesses, and calls where there are none; a format without order has its processes one
 *              behind the other.
 */

import { MAP_ANONYMOUS, MAP_FIXED, MAP_SHARED, MREMAP_DONTUNMAP } from '../../mm/uapi.ts';
import { O_CLOEXEC } from '../../syscalls/uapi.ts';
import {
  type BodyDecoder,
  EVENT_ACCESSES,
  EVENT_END,
  EVENT_FILE,
  EVENT_IMAGE,
  EVENT_PATH,
  EVENT_SYSCALL,
  EVENT_TICK,
  FILE_OUTSIDE,
  KIND_WRITE,
} from '../../trace/decode.ts';
import { OrderedReader } from '../../trace/order.ts';
import type { MapRange, ProgramImage } from '../../trace/recording.ts';
import type { Recording } from '../../trace/source.ts';
import { kindOf } from '../../trace/survey.ts';
import * as nr from '../../trace/x86_64.ts';
import { AddressRanges, type MappingKind, type Named } from './spaces.ts';
import { TouchedPages } from './touched.ts';

const PAGE = 4096;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** Processes have the spaces below. */
const FILE_SPACES = 2 ** 16;
/** Files with a space of their own; the rest share one. */
const FILES = 2 ** 16 - 1;
/** What a page was when it was touched: bits of `marks`. */
const OWN = 1;
const FILES_OWN = 2;

/** What an open made; descriptors that dup made share it. */
interface OpenFile {
  named: Named;
  pos: number;
}

interface Descriptor {
  file: OpenFile;
  /** An execve closes it. */
  closesOnExec: boolean;
}

export interface ObservedProcess {
  pid: number;
  parent: number;
  threads: number;
  /** When its first and its last event were, in time. */
  from: number;
  to: number;
  /** In the recording, and before the window. */
  accesses: number;
  rawAccesses: number;
  syscalls: number;
  /** Addresses, in pages. */
  pages: number;
  stats: string;
}

interface State {
  observed: ObservedProcess;
  index: number;
  /** Threads that have not ended. */
  alive: number;
  ranges: AddressRanges;
  fds: Map<number, Descriptor>;
  /** What the next open opens, and whether that has pages: a device has none. */
  path: string;
  hasPages: boolean;
}

export class Observer {
  readonly touched: TouchedPages;
  readonly processes: ObservedProcess[] = [];
  readonly named: Named[] = [];
  readonly syscalls: Map<number, number> = new Map();
  accesses = 0;
  rawAccesses = 0;
  calls = 0;
  /** Pages that are a process's own; pages of files. */
  ownPages = 0;
  filePages = 0;
  /** Which of a process's rows are its own memory, by row. */
  private marks: Uint8Array = new Uint8Array(1 << 11);
  /** What each row was found in first: its place in `named`. */
  private names: Int32Array = new Int32Array(1 << 11);
  private readonly recording: Recording;
  private readonly states: Map<number, State> = new Map();
  private readonly byName: Map<string, Named> = new Map();
  /** Where in the header each process stands; how many threads it has. */
  private readonly places: Map<number, number>;
  private readonly threads: Map<number, number> = new Map();
  private sinceTick = 0;
  private ticked = 0;
  private files = 0;
  /** So many accesses between two ticks are not there, at most: when what is there was, is not known better. */
  private leftOut = 0;

  constructor(recording: Recording) {
    this.recording = recording;
    this.touched = new TouchedPages(recording.file);
    const { processes, ordered } = recording.header;
    this.places = new Map(processes.map(({ pid }, index) => [pid, index]));
    for (const { process } of ordered?.threads ?? []) this.threads.set(process, (this.threads.get(process) ?? 0) + 1);
  }

  run(onProgress?: (events: number) => void): void {
    const { processes, ordered } = this.recording.header;
    const reader = new OrderedReader(this.recording);
    let batches = 0;
    for (let event = reader.next(); event !== null; event = reader.next()) {
      const index = ordered === undefined ? reader.body : ordered.threads[reader.body]!.process;
      const state = this.states.get(index) ?? this.begin(index, ordered?.parents[index] ?? -1);
      this.event(state, reader.decoder, event);
      batches += 1;
      if (onProgress !== undefined && batches % 256 === 0) onProgress(this.accesses);
    }
    this.touched.coarsen(this.leftOut);
    for (const index of processes.keys()) if (!this.states.has(index)) this.begin(index, -1);
  }

  isOwn(row: number): boolean {
    return (this.marks[row]! & OWN) !== 0;
  }
  isFiles(row: number): boolean {
    return (this.marks[row]! & FILES_OWN) !== 0;
  }

  /** Whose space it is; -1: a file's. */
  pidOfSpace(space: number): number {
    return this.states.get(space)?.observed.pid ?? -1;
  }

  nameOf(row: number): string {
    return this.named[this.names[row]!]!.name;
  }

  private begin(index: number, parent: number): State {
    const { processes, ordered } = this.recording.header;
    const { pid, stats } = processes[index]!;
    const from = this.touched.now;
    const threads = ordered === undefined ? 1 : (this.threads.get(index) ?? 0);
    const observed = {
      pid,
      parent: -1,
      threads,
      from,
      to: from,
      accesses: 0,
      rawAccesses: 0,
      syscalls: 0,
      pages: 0,
      stats,
    };
    this.processes.push(observed);
    const ranges = new AddressRanges();
    const state: State = { observed, index, alive: threads, ranges, fds: new Map(), path: '', hasPages: true };
    this.states.set(index, state);
    const forker = this.states.get(parent);
    if (forker !== undefined) this.inherit(state, forker);
    else if (pid === 0) this.image(state, this.recording.header);
    return state;
  }

  private inherit(child: State, parent: State): void {
    child.observed.parent = parent.observed.pid;
    child.ranges = parent.ranges.copy();
    child.fds = new Map([...parent.fds].map(([number, fd]) => [number, { ...fd }]));
  }

  /** A program as the header has it. */
  private image(state: State, { maps, elf }: ProgramImage): void {
    const stack = elf.get('start_stack') ?? -1;
    const ranges = state.ranges;
    for (const map of maps) {
      const isStack = map.start <= stack && stack < map.end;
      const named = map.file !== undefined ? this.file(map.file.path) : this.memory(...nameOf(map, isStack, elf));
      const index = (map.file?.offset ?? 0) / PAGE;
      ranges.map({ start: map.start, end: map.end, named, index, isPrivate: true });
    }
  }

  private event(state: State, decoder: BodyDecoder, event: number): void {
    const { observed } = state;
    if (event === EVENT_ACCESSES) this.batch(state, decoder);
    else if (event === EVENT_TICK) {
      observed.rawAccesses += decoder.ticks;
      this.rawAccesses += decoder.ticks;
      this.ticked += Math.max(decoder.ticks, this.sinceTick);
      this.leftOut = Math.max(this.leftOut, decoder.ticks - this.sinceTick);
      this.sinceTick = 0;
    } else if (event === EVENT_PATH) {
      state.path = decoder.text;
      state.hasPages = kindOf(state.path) !== 'outside';
    } else if (event === EVENT_FILE) state.hasPages = decoder.file.kind !== FILE_OUTSIDE;
    else if (event === EVENT_IMAGE) {
      for (const [number, { closesOnExec }] of state.fds) if (closesOnExec) state.fds.delete(number);
      state.ranges.clear();
      this.image(state, this.recording.header.ordered!.images[decoder.image]!);
    } else if (event === EVENT_SYSCALL) this.syscall(state, decoder.call);
    else if (event === EVENT_END && --state.alive === 0) state.ranges.clear();
    this.touched.advance(this.ticked + this.sinceTick);
    observed.to = Math.max(observed.to, this.touched.now);
  }

  private batch(state: State, { vpns, kinds, count }: BodyDecoder): void {
    state.observed.accesses += count;
    this.accesses += count;
    for (let i = 0; i < count; i++) {
      this.sinceTick += 1;
      this.touched.advance(this.ticked + this.sinceTick);
      this.access(state, vpns[i]!, kinds[i] === KIND_WRITE);
    }
  }

  private access(state: State, vpn: number, isWrite: boolean): void {
    const { touched } = this;
    const { generation } = state.ranges;
    const row = touched.touch(state.index, vpn);
    const isNew = this.isNew(row);
    if (isNew) state.observed.pages += 1;
    // The place of a file's page is looked up once, as long as nothing is mapped or unmapped.
    if (touched.stamps[row] !== generation || (isWrite && touched.notes[row]! >= 0)) {
      const range = state.ranges.at(vpn * PAGE);
      // A private page that was stored to stays the process's.
      const isCopied = (range?.isPrivate ?? true) && (isWrite || this.isOwn(row));
      const isFilesOwn = range !== null && range.named.space >= 0 && !isCopied;
      touched.stamps[row] = generation;
      const named = range?.named ?? this.memory('not mapped', 'not mapped');
      if (isNew) this.names[row] = named.id;
      if (isFilesOwn) {
        touched.notes[row] = this.filePage(range.named, range.index + vpn - range.start / PAGE);
        return;
      }
      touched.notes[row] = -1;
      if ((this.marks[row]! & OWN) === 0) {
        this.marks[row]! |= OWN;
        this.ownPages += 1;
        named.pages += 1;
      }
      return;
    }
    const page = touched.notes[row]!;
    if (page >= 0) touched.touch(touched.spaceOf(page), touched.pageOf(page));
  }

  private filePage(named: Named, index: number): number {
    const page = this.touched.touch(named.space, index);
    if (this.isNew(page)) {
      this.marks[page]! |= FILES_OWN;
      this.names[page] = named.id;
      this.filePages += 1;
      named.pages += 1;
    }
    return page;
  }

  /** Rows are new once. */
  private known = 0;
  private isNew(row: number): boolean {
    if (row < this.known) return false;
    this.known = row + 1;
    if (row >= this.marks.length) {
      const wider = new Uint8Array(2 * this.marks.length);
      wider.set(this.marks);
      this.marks = wider;
      const names = new Int32Array(wider.length);
      names.set(this.names);
      this.names = names;
    }
    return true;
  }

  // system calls

  private syscall(state: State, call: Float64Array): void {
    const number = call[0]!;
    const ret = call[7]!;
    state.observed.syscalls += 1;
    this.calls += 1;
    this.sinceTick += 1;
    this.syscalls.set(number, (this.syscalls.get(number) ?? 0) + 1);
    const { path } = state;
    state.path = '';
    if (ret < 0) return;
    if (nr.isFork(number)) this.forked(state, ret);
    else if (number === nr.SYS_open || number === nr.SYS_openat || number === nr.SYS_creat) {
      const flags = number === nr.SYS_openat ? call[3]! : number === nr.SYS_open ? call[2]! : 0;
      const closesOnExec = (flags & O_CLOEXEC) !== 0;
      if (path === '' || !state.hasPages) state.fds.delete(ret);
      else state.fds.set(ret, { file: { named: this.file(path), pos: 0 }, closesOnExec });
    } else if (!this.memoryCall(state, call, number, ret)) this.fileCall(state, call, number, ret);
  }

  private forked(state: State, pid: number): void {
    const index = this.places.get(pid);
    if (pid === 0 || index === undefined || this.states.has(index)) return;
    this.begin(index, state.index);
  }

  private memoryCall(state: State, call: Float64Array, number: number, ret: number): boolean {
    const { ranges } = state;
    const length = Math.ceil(call[2]! / PAGE) * PAGE;
    switch (number) {
      case nr.SYS_mmap:
        this.mmap(state, call, ret, length);
        return true;
      case nr.SYS_munmap:
        if (length > 0) ranges.unmap(call[1]!, call[1]! + length);
        return true;
      case nr.SYS_mremap: {
        const moved = ranges.unmap(call[1]!, call[1]! + Math.max(length, PAGE));
        const bytes = Math.ceil(call[3]! / PAGE) * PAGE;
        const first = moved[0];
        if (first === undefined || bytes <= 0) return true;
        ranges.map({ ...first, start: ret, end: ret + bytes });
        if ((call[4]! & MREMAP_DONTUNMAP) !== 0) ranges.map(first);
        return true;
      }
      case nr.SYS_brk:
        this.brk(ranges, ret);
        return true;
    }
    return false;
  }

  private mmap(state: State, call: Float64Array, start: number, length: number): void {
    const flags = call[4]!;
    if (length <= 0 || start + length > 2 ** 47) return;
    const fd = state.fds.get(call[5]! | 0);
    const isFile = (flags & MAP_ANONYMOUS) === 0 && fd !== undefined;
    const isShared = (flags & MAP_SHARED) !== 0;
    const named = isFile
      ? fd.file.named
      : isShared
        ? this.memory('shared memory', 'shared')
        : this.memory('anonymous', 'anonymous');
    const index = isFile ? call[6]! / PAGE : 0;
    if ((flags & MAP_FIXED) !== 0) state.ranges.unmap(start, start + length);
    state.ranges.map({ start, end: start + length, named, index, isPrivate: !isShared });
  }

  private brk(ranges: AddressRanges, end: number): void {
    if (end <= 0 || end > 2 ** 47) return;
    const to = Math.ceil(end / PAGE) * PAGE;
    if (ranges.heapStart === 0) ranges.heapStart = ranges.heapEnd = to;
    else if (to > ranges.heapEnd) {
      ranges.map({ start: ranges.heapEnd, end: to, named: this.memory('[heap]', 'heap'), index: 0, isPrivate: true });
    } else if (to < ranges.heapEnd) ranges.unmap(to, ranges.heapEnd);
    ranges.heapEnd = to;
  }

  private fileCall(state: State, call: Float64Array, number: number, ret: number): void {
    const fd = state.fds.get(call[1]!);
    if (fd === undefined) {
      // What was not opened here, a pipe say, may take the place of what was.
      if (number === nr.SYS_dup2 || number === nr.SYS_dup3) state.fds.delete(ret);
      return;
    }
    const { file } = fd;
    switch (number) {
      case nr.SYS_close:
        state.fds.delete(call[1]!);
        break;
      case nr.SYS_dup:
      case nr.SYS_dup2:
      case nr.SYS_dup3:
        state.fds.set(ret, { file, closesOnExec: number === nr.SYS_dup3 && (call[3]! & O_CLOEXEC) !== 0 });
        break;
      case nr.SYS_fcntl:
        if (call[2] === nr.F_DUPFD) state.fds.set(ret, { file, closesOnExec: false });
        else if (call[2] === nr.F_DUPFD_CLOEXEC) state.fds.set(ret, { file, closesOnExec: true });
        else if (call[2] === F_SETFD) fd.closesOnExec = (call[3]! & FD_CLOEXEC) !== 0;
        break;
      case nr.SYS_lseek:
        file.pos = ret;
        break;
      case nr.SYS_pread64:
      case nr.SYS_pwrite64:
        this.transfer(file.named, call[4]!, ret);
        break;
      case nr.SYS_read:
      case nr.SYS_write:
      case nr.SYS_readv:
      case nr.SYS_writev:
        this.transfer(file.named, file.pos, ret);
        file.pos += ret;
    }
  }

  private transfer(named: Named, at: number, bytes: number): void {
    if (bytes <= 0 || at < 0 || at + bytes > 2 ** 47) return;
    const last = Math.floor((at + bytes - 1) / PAGE);
    for (let index = Math.floor(at / PAGE); index <= last; index++) this.filePage(named, index);
  }

  // names

  private file(path: string): Named {
    const found = this.byName.get(path);
    if (found !== undefined) return found;
    const space = FILE_SPACES + Math.min(this.files, FILES);
    this.files += 1;
    return this.add(path, 'file', space);
  }

  /** Names of files are absolute or relative paths; these are neither. */
  private memory(name: string, kind: MappingKind): Named {
    return this.byName.get(`${name}\0`) ?? this.add(name, kind, -1);
  }

  private add(name: string, kind: MappingKind, space: number): Named {
    const named = { id: this.named.length, name, kind, space, bytes: 0, mostBytes: 0, times: 0, pages: 0 };
    this.named.push(named);
    this.byName.set(kind === 'file' ? name : `${name}\0`, named);
    return named;
  }
}

/** Format 1 does not say what is behind a range: around the program's code it is the program. */
function nameOf(map: MapRange, isStack: boolean, elf: ReadonlyMap<string, number>): [string, MappingKind] {
  if (isStack) return ['[stack]', 'stack'];
  const entry = elf.get('entry') ?? -1;
  const near = (address: number) => address >= 0 && Math.abs(map.start - address) < 2 ** 28;
  if (near(elf.get('start_code') ?? -1)) return ['the program', 'anonymous'];
  return near(entry) ? ['its interpreter', 'anonymous'] : ['mapped at the start', 'anonymous'];
}
