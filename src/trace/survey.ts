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
 */
import { O_DIRECTORY, O_TRUNC, SEEK_END } from '../syscalls/uapi.ts';
import type { BodyDecoder } from './decode.ts';
import { EVENT_END, EVENT_PATH, EVENT_SYSCALL, EVENT_TICK } from './decode.ts';
import { decoderOf, type Recording } from './source.ts';
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
}

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
}

export function surveyRecording(recording: Recording): Survey {
  const { processes } = recording.header;
  const files = new Map<string, Facts>();
  const survey: Survey = {
    files: [],
    parents: processes.map(() => -2),
    firstBrk: 0,
    syscalls: 0,
    rawAccesses: 0,
  };
  const root = processes.findIndex((p) => p.pid === 0);
  survey.parents[root] = -1;
  const waiting: { index: number; state: ProcessState }[] = [{ index: root, state: { fds: new Map(), maps: [] } }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { index, state } = next;
    surveyProcess(decoderOf(recording, index), state, files, survey, index === root, (pid) => {
      const child = processes.findIndex((p) => p.pid === pid);
      if (child < 0 || survey.parents[child] !== -2) return;
      survey.parents[child] = index;
      waiting.push({ index: child, state: { fds: new Map(state.fds), maps: state.maps.map((m) => ({ ...m })) } });
    });
  }
  // Whoever was never forked is not replayed, but must not be damaged either.
  for (const [index, parent] of survey.parents.entries()) {
    if (parent === -2)
      surveyProcess(decoderOf(recording, index), { fds: new Map(), maps: [] }, files, survey, false, () => {});
  }
  for (const { file, exact } of files.values()) {
    if (exact >= 0) file.bytes = exact;
    survey.files.push(file);
  }
  return survey;
}

function surveyProcess(
  decoder: BodyDecoder,
  state: ProcessState,
  files: Map<string, Facts>,
  survey: Survey,
  isRoot: boolean,
  forked: (pid: number) => void,
): void {
  let path = '';
  for (;;) {
    const event = decoder.nextEvent();
    if (event === EVENT_END) break;
    if (event === EVENT_TICK) survey.rawAccesses += decoder.ticks;
    if (event === EVENT_PATH) path = decoder.text;
    if (event !== EVENT_SYSCALL) continue;
    survey.syscalls += 1;
    const call = decoder.call;
    const nr = call[0]!;
    const ret = call[7]!;
    if (isFork(nr) && ret > 0) forked(ret);
    else if (nr === SYS_brk && isRoot && survey.firstBrk === 0) survey.firstBrk = ret;
    else if (nr === SYS_open || nr === SYS_openat || nr === SYS_creat) {
      const flags = nr === SYS_openat ? call[3]! : nr === SYS_open ? call[2]! : O_TRUNC;
      if (ret >= 0) state.fds.set(ret, { facts: factsOf(files, path, flags), pos: 0 });
      path = '';
    } else fileCall(state, call, nr, ret);
  }
  for (const map of state.maps) atLeast(map.facts, map.offset + map.end - map.start);
}

function factsOf(files: Map<string, Facts>, path: string, flags: number): Facts | null {
  if (path === '') return null;
  const found = files.get(path);
  if (found !== undefined) return found;
  const file: SurveyedFile = { path, kind: (flags & O_DIRECTORY) !== 0 ? 'outside' : kindOf(path), bytes: 0 };
  const facts: Facts = { file, exact: (flags & O_TRUNC) !== 0 ? 0 : -1, writtenTo: 0 };
  files.set(path, facts);
  return facts;
}

function kindOf(path: string): SurveyedKind {
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
      if (fd !== undefined) state.fds.set(ret, fd);
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
