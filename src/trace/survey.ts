/**
 * What a recording needs before it can be replayed: which files, how big, and which process forks which.
 *
 * Owns      the guess at the size of each file, from what the program did with it.
 * Promises  1. The whole recording is read to its ends, so a replay meets no damaged event.
 *           2. Accesses are not decoded: a survey costs a tenth of a replay.
 *
 * A recording has no files in it. A size is known exactly from a read that met the end, or an lseek from it; else it is
 * what was read or mapped at least. ld.so maps a library in two steps, first the whole span of addresses, then each part
 * over it; of the span only what was not covered again counts, for it reaches over the file's end into .bss.
 * Format 2 says what a file is and how long it was when it was opened first.
 */
import { O_DIRECTORY, O_TRUNC, SEEK_END } from '../syscalls/uapi.ts';
import { decoderOf, type Recording } from './bodies.ts';
import {
  type BodyDecoder,
  EVENT_END,
  EVENT_FILE,
  EVENT_IMAGE,
  EVENT_PATH,
  EVENT_SYSCALL,
  EVENT_TICK,
  type EventKind,
  type OpenedFile,
} from './decode.ts';
import { OrderedReader } from './order.ts';
import type { Ordered } from './recording.ts';
import {
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  isFork,
  MAP_ANONYMOUS,
  MAP_FIXED,
  SYS_brk,
  SYS_close,
  SYS_creat,
  SYS_dup,
  SYS_dup2,
  SYS_dup3,
  SYS_fcntl,
  SYS_lseek,
  SYS_mmap,
  SYS_open,
  SYS_openat,
  SYS_pread64,
  SYS_pwrite64,
  SYS_read,
  SYS_readv,
  SYS_write,
  SYS_writev,
  syscallNumber,
} from './x86_64.ts';

/** `outside`: a device, a folder, a file of the kernel; nothing of it is in the page cache. */
export type SurveyedKind = 'disk' | 'tmpfs' | 'outside';

export interface SurveyedFile {
  path: string;
  kind: SurveyedKind;
  /** Its size before the program started; 0 if the program made it. */
  bytes: number;
}

export interface Survey {
  files: SurveyedFile[];
  /** Index in the header of each process's parent; -1 for the first, -2 if nobody in the recording forks it. */
  parents: number[];
  /** What the first process's first brk returned: where its heap starts. 0 if it made none. */
  firstBrk: number;
  syscalls: number;
  /** Accesses that the recorder saw, before the window left most of them out. */
  rawAccesses: number;
  /** Somebody made a pipe, a socket or the like: what processes do depends on what others have done. */
  talks: boolean;
}

const TALKS: ReadonlySet<number | undefined> = new Set(
  ['pipe', 'pipe2', 'socket', 'socketpair', 'eventfd', 'eventfd2', 'shmget', 'semget', 'msgget'].map(syscallNumber),
);

interface Facts {
  file: SurveyedFile;
  /** The end of the file was seen here. */
  exact: number;
  /** Nothing behind it was there before the program wrote. */
  writtenTo: number;
}

interface Descriptor {
  facts: Facts | null;
  pos: number;
}

interface FileMap {
  facts: Facts;
  start: number;
  /** First byte that is not, or no longer, this mapping's. */
  end: number;
  offset: number;
}

interface ProcessState {
  fds: Map<number, Descriptor>;
  maps: FileMap[];
  /** What the next open opens. */
  path: string;
  opened: OpenedFile | null;
}

export function surveyRecording(recording: Recording): Survey {
  const { processes, ordered } = recording.header;
  const surveyor = new Surveyor(processes.length);
  if (ordered === undefined) surveyBodies(recording, surveyor);
  else surveyInOrder(recording, ordered, surveyor);
  return surveyor.finish();
}

/** Format 1: from parent to child, each body as a whole. */
function surveyBodies(recording: Recording, surveyor: Surveyor): void {
  const { processes } = recording.header;
  const { parents } = surveyor.survey;
  const root = processes.findIndex((p) => p.pid === 0);
  parents[root] = -1;
  const waiting: { index: number; state: ProcessState }[] = [{ index: root, state: newState() }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { index, state } = next;
    surveyor.body(decoderOf(recording, index), state, index === root, (pid) => {
      const child = processes.findIndex((p) => p.pid === pid);
      if (child < 0 || parents[child] !== -2) return;
      parents[child] = index;
      waiting.push({ index: child, state: copyOf(state) });
    });
  }
  // Whoever was never forked is not replayed, but must not be damaged either.
  for (const [index, parent] of parents.entries()) {
    if (parent === -2) surveyor.body(decoderOf(recording, index), newState(), false, () => {});
  }
}

/** Format 2: as it ran. A child has what its parent had when its own first event came, or the parent's fork returned. */
function surveyInOrder(recording: Recording, ordered: Ordered, surveyor: Surveyor): void {
  const { processes } = recording.header;
  const { parents } = surveyor.survey;
  const places = new Map(processes.map(({ pid }, index) => [pid, index]));
  const root = places.get(0)!;
  for (const [index, parent] of ordered.parents.entries()) parents[index] = parent >= 0 ? parent : -2;
  parents[root] = -1;
  const states = new Map<number, ProcessState>([[root, newState()]]);
  const stateOf = (index: number): ProcessState => {
    const known = states.get(index);
    if (known !== undefined) return known;
    const parent = parents[index]!;
    const made = parent < 0 ? newState() : copyOf(stateOf(parent));
    states.set(index, made);
    return made;
  };
  const forked = (pid: number): void => {
    const child = places.get(pid);
    if (child !== undefined) stateOf(child);
  };
  const reader = new OrderedReader(recording);
  for (let event = reader.next(true); event !== null; event = reader.next(true)) {
    const index = ordered.threads[reader.body]!.process;
    const state = stateOf(index);
    if (event === EVENT_END) continue;
    surveyor.event(reader.decoder, event, state, index === root, forked);
  }
  for (const state of states.values()) surveyor.endOf(state);
}

function newState(): ProcessState {
  return { fds: new Map(), maps: [], path: '', opened: null };
}

function copyOf(state: ProcessState): ProcessState {
  return { ...newState(), fds: new Map(state.fds), maps: state.maps.map((m) => ({ ...m })) };
}

class Surveyor {
  readonly survey: Survey;
  private readonly files: Map<string, Facts> = new Map();

  constructor(processes: number) {
    const parents = new Array<number>(processes).fill(-2);
    this.survey = { files: [], parents, firstBrk: 0, syscalls: 0, rawAccesses: 0, talks: false };
  }

  body(decoder: BodyDecoder, state: ProcessState, isRoot: boolean, forked: (pid: number) => void): void {
    for (let event = decoder.nextEvent(); event !== EVENT_END; event = decoder.nextEvent()) {
      this.event(decoder, event, state, isRoot, forked);
    }
    this.endOf(state);
  }

  event(
    decoder: BodyDecoder,
    event: EventKind,
    state: ProcessState,
    isRoot: boolean,
    forked: (pid: number) => void,
  ): void {
    const { survey } = this;
    if (event === EVENT_TICK) survey.rawAccesses += decoder.ticks;
    else if (event === EVENT_PATH) state.path = decoder.text;
    else if (event === EVENT_FILE) state.opened = decoder.file;
    else if (event === EVENT_IMAGE) {
      this.endOf(state);
      state.maps.length = 0;
    }
    if (event !== EVENT_SYSCALL) return;
    survey.syscalls += 1;
    const call = decoder.call;
    const nr = call[0]!;
    const ret = call[7]!;
    if (isFork(nr) && ret > 0) forked(ret);
    else if (TALKS.has(nr)) survey.talks = true;
    else if (nr === SYS_brk && isRoot && survey.firstBrk === 0) survey.firstBrk = ret;
    else if (nr === SYS_open || nr === SYS_openat || nr === SYS_creat) {
      const flags = nr === SYS_openat ? call[3]! : nr === SYS_open ? call[2]! : O_TRUNC;
      if (ret >= 0) state.fds.set(ret, { facts: factsOf(this.files, state, flags), pos: 0 });
      state.path = '';
      state.opened = null;
    } else fileCall(state, call, nr, ret);
  }

  endOf(state: ProcessState): void {
    for (const map of state.maps) atLeast(map.facts, map.offset + map.end - map.start);
  }

  finish(): Survey {
    for (const { file, exact } of this.files.values()) {
      if (exact >= 0) file.bytes = exact;
      this.survey.files.push(file);
    }
    return this.survey;
  }
}

function factsOf(files: Map<string, Facts>, { path, opened }: ProcessState, flags: number): Facts | null {
  if (path === '') return null;
  const found = files.get(path);
  if (found !== undefined) return found;
  const kind = opened === null ? ((flags & O_DIRECTORY) !== 0 ? 'outside' : kindOf(path)) : KINDS[opened.kind];
  const file: SurveyedFile = { path, kind, bytes: 0 };
  const facts: Facts = { file, exact: (flags & O_TRUNC) !== 0 ? 0 : (opened?.bytes ?? -1), writtenTo: 0 };
  files.set(path, facts);
  return facts;
}

/** By FILE_ON_DISK, FILE_IN_MEMORY, FILE_OUTSIDE. */
const KINDS = ['disk', 'tmpfs', 'outside'] as const;

/** By its path, where nobody says better. */
export function kindOf(path: string): SurveyedKind {
  if (path.startsWith('/dev/shm/')) return 'tmpfs';
  return /^\/(dev|proc|sys)\//.test(path) ? 'outside' : 'disk';
}

function atLeast(facts: Facts, bytes: number): void {
  // What the program wrote itself says nothing about how the file was before.
  if (bytes > facts.writtenTo && bytes > facts.file.bytes) facts.file.bytes = bytes;
}

function fileCall(state: ProcessState, call: Float64Array, nr: number, ret: number): void {
  if (ret < 0) return;
  const fd = state.fds.get(call[nr === SYS_mmap ? 5 : 1]!);
  switch (nr) {
    case SYS_mmap:
      fileMap(state, call, ret, fd?.facts ?? null);
      return;
    case SYS_close:
      state.fds.delete(call[1]!);
      return;
    case SYS_dup:
    case SYS_dup2:
    case SYS_dup3:
      // What was not opened here, a pipe say, may take the place of what was.
      if (fd !== undefined) state.fds.set(ret, fd);
      else state.fds.delete(ret);
      return;
    case SYS_fcntl:
      if (fd !== undefined && (call[2] === F_DUPFD || call[2] === F_DUPFD_CLOEXEC)) state.fds.set(ret, fd);
      return;
  }
  if (fd !== undefined && fd.facts !== null) transfer(fd, fd.facts, call, nr, ret);
}

function transfer(fd: Descriptor, facts: Facts, call: Float64Array, nr: number, ret: number): void {
  switch (nr) {
    case SYS_read:
    case SYS_readv:
      fd.pos += ret;
      wasRead(facts, fd.pos, nr === SYS_read && ret < call[3]!);
      break;
    case SYS_pread64:
      wasRead(facts, call[4]! + ret, ret < call[3]!);
      break;
    case SYS_write:
    case SYS_writev:
      fd.pos += ret;
      wasWritten(facts, fd.pos);
      break;
    case SYS_pwrite64:
      wasWritten(facts, call[4]! + ret);
      break;
    case SYS_lseek:
      fd.pos = ret;
      if (call[3] === SEEK_END && facts.writtenTo === 0 && facts.exact < 0) facts.exact = ret - call[2]!;
  }
}

function wasRead(facts: Facts, end: number, short: boolean): void {
  atLeast(facts, end);
  if (short && facts.exact < 0 && facts.writtenTo === 0) facts.exact = end;
}

function wasWritten(facts: Facts, end: number): void {
  if (end > facts.writtenTo) facts.writtenTo = end;
}

function fileMap(state: ProcessState, call: Float64Array, start: number, facts: Facts | null): void {
  const end = start + call[2]!;
  const flags = call[4]!;
  if ((flags & MAP_FIXED) !== 0) {
    for (const map of state.maps) if (map.start < start && start < map.end) map.end = start;
  }
  if ((flags & MAP_ANONYMOUS) === 0 && facts !== null) state.maps.push({ facts, start, end, offset: call[6]! });
}
