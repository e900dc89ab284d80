/**
 * What strace writes: system calls, and nothing of what a program does between them.
 *
 * Owns      the lines of a log: whose they are, calls in two halves, processes that come and go.
 * Promises  1. A call is where it returned. One that never did is not there.
 *           2. A thread's calls are its process's, also when it speaks before the clone that made it has returned.
 *           3. A line that begins like strace's and goes on otherwise is refused; others are the program's own, and counted.
 * Read      docs/inputs.md; strace 6.1 strace(1)
 *
 *     12152 08:32:07.414873 openat(AT_FDCWD, "/lib/libc.so.6", O_RDONLY|O_CLOEXEC) = 3         -f -tt
 *     [pid 12155] wait4(-1,  <unfinished ...>                                                  -f, to the terminal
 *     12155 <... wait4 resumed>[{WIFEXITED(s)}], 0, NULL) = 12157 <0.000231>                   -T
 *          0.000026 brk(NULL) = 0x564030be8000                                                 -r, of one process
 *     12155 --- SIGCHLD {si_signo=SIGCHLD, …} ---
 *     12155 +++ exited with 3 +++
 *
 * On a terminal the only process there is has no number, the others have, and strace speaks in between:
 *
 *     fork(strace: Process 12971 attached
 *     )                    = 12971
 *     [pid 12970] wait4(12971,  <unfinished ...>        the one that had no number before
 */
import { RecordingError } from './error.ts';
import { ForeignLines } from './foreign.ts';
import { Lines, quoted } from './lines.ts';
import { type LoggedProcess, PID_MAX, Processes } from './processes.ts';
import type { InputFacts, InputReader, RecordingSink } from './sink.ts';
import { argumentValue, descriptorPath, splitArguments, stringOf, stringsOf } from './strace_args.ts';
import {
  isFork,
  SYS_clone,
  SYS_creat,
  SYS_execve,
  SYS_exit_group,
  SYS_open,
  SYS_openat,
  SYS_wait4,
  syscallNumber,
} from './x86_64.ts';

/** Text of calls that have begun: all of it together. */
const UNDERWAY_BYTES = 1 << 26;
const UNKNOWN_NAMES = 8;
/** A tick of no accesses after so many calls: a replay looks at its memory at ticks. */
const CALLS_PER_TICK = 256;

/** `[pid 7] `, `7 `, `7<sh> `. */
const PID = /^(?:\[pid +(\d{1,10})(?:<[^>]{0,64}>)?\] +|(\d{1,10})(?:<[^>]{0,64}>)? +)/;
/** `08:32:07.414873 `, `1700000000.414873 `, `0.000026 `, `[00007f95130bc000] `, `[ 257] `. */
const TIME = /^ {0,16}(?:\d{1,2}:\d\d:\d\d(?:\.\d{1,9})?|\d{1,12}\.\d{1,9}|\[ {0,8}[0-9a-f]{1,16}\]) +/;
const NAME = /^[a-z_][a-z0-9_]{0,40}\(/;
const RESULT = /^ {0,80}= (0x[0-9a-f]{1,20}|-?\d{1,20}|\?)/i;

/** In the middle of a call: `fork(strace: Process 7 attached`. */
const ATTACHED = /strace: Process (\d{1,10}) attached$/;

interface Begun {
  tid: number;
  process: LoggedProcess;
  /** From the call's name on. */
  text: string;
}

export class StraceReader implements InputReader {
  private readonly file: string;
  private readonly lines: Lines;
  private readonly foreign: ForeignLines;
  private readonly processes: Processes;
  /** Calls in their first half, by thread; those that make processes also in the order in which they began. */
  private readonly underway: Map<number, Begun> = new Map();
  private readonly forksUnderway: Set<Begun> = new Set();
  private underwayBytes = 0;
  /** Threads that live. */
  private readonly known: Set<number> = new Set();
  /** The first process's number, once it has one in a log where it had none; 0 before. */
  private rootTid = 0;
  /** A call in which strace spoke. */
  private torn: Begun | null = null;
  private readonly unknown: Map<string, number> = new Map();
  private calls = 0;
  private command: string[] = [];
  private isAttached = false;
  private isWhole = true;
  private isCut = false;

  constructor(file: string, sink: RecordingSink) {
    this.file = file;
    this.lines = new Lines(file, (bytes, from, to, isWhole) => this.line(bytes, from, to, isWhole));
    this.foreign = new ForeignLines(this.lines, 'strace');
    this.processes = new Processes(sink, () => this.lines.error('more processes than a recording can have'));
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  end(): InputFacts {
    this.lines.end();
    this.processes.end();
    const root = this.processes.all[0];
    if (root === undefined) throw new RecordingError(this.file, '', 'a strace log without a system call');
    return {
      name: this.command[0]?.split('/').at(-1) || 'strace',
      command: this.command.join(' '),
      recorder: 'strace',
      window: 0,
      elf: new Map(),
      maps: [],
      images: [],
      cutShort: this.isCut || !root.hasExited ? 'cut-off' : '',
      unseen: [
        'strace sees system calls only: no access to memory is in this recording',
        'where the program, its stack and its heap lay',
        ...(this.isAttached ? ['what was before strace: the log does not begin with the start of a program'] : []),
        ...this.unknownNames(),
        ...(this.underway.size > 0 ? [`${this.underway.size} calls that had not returned when the log ended`] : []),
        ...this.foreign.told(),
      ],
      parents: this.processes.parents,
      stats: this.processes.stats(),
    };
  }

  private unknownNames(): string[] {
    if (this.unknown.size === 0) return [];
    let count = 0;
    for (const n of this.unknown.values()) count += n;
    const names = [...this.unknown.keys()].slice(0, UNKNOWN_NAMES).join(', ');
    return [`${count} calls that x86-64 does not have: ${names}${this.unknown.size > UNKNOWN_NAMES ? ' …' : ''}`];
  }

  private line(bytes: Uint8Array, from: number, to: number, isWhole: boolean): void {
    if (from === to) return;
    this.isWhole = isWhole;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
    const pid = PID.exec(text);
    let at = pid === null ? 0 : pid[0].length;
    for (let times = 0; times < 4; times++) {
      const time = TIME.exec(text.slice(at, at + 64));
      if (time === null) break;
      at += time[0].length;
    }
    const tid = pid === null ? 0 : Number(pid[1] ?? pid[2]);
    if (tid >= PID_MAX) throw this.lines.error(`process ${tid}: Linux has none above ${PID_MAX - 1}`);
    this.event(this.named(tid), at === 0 ? text : text.slice(at));
  }

  /** Whom a line without a number means: the only one who lives, or the first. */
  private named(tid: number): number {
    if (tid !== 0) return tid;
    const [only] = this.known;
    return this.known.size === 1 && only !== undefined ? only : this.rootTid;
  }

  private event(tid: number, text: string): void {
    const { torn } = this;
    if (torn !== null) {
      this.torn = null;
      if (!NAME.test(text)) {
        this.callText(torn.tid, torn.process, torn.text + text);
        // Whom it made has come already.
        this.forksUnderway.clear();
        return;
      }
    }
    if (NAME.test(text)) this.call(tid, text);
    else if (text.startsWith('<... ')) this.resumed(tid, text);
    else if (text.startsWith('+++ ')) this.gone(tid, text);
    else if (isChatter(text)) this.attached(text);
    else this.foreign.met();
  }

  private call(tid: number, text: string): void {
    const process = this.processOf(tid);
    const attached = ATTACHED.exec(text.slice(-64));
    if (attached === null) {
      this.callText(tid, process, text);
      return;
    }
    const begun = { tid, process, text: text.slice(0, -attached[0].length) };
    if (isForkText(begun.text)) this.forksUnderway.add(begun);
    this.attached(attached[0]);
    this.forksUnderway.delete(begun);
    this.torn = begun;
  }

  private callText(tid: number, process: LoggedProcess, text: string): void {
    if (text.endsWith(' <unfinished ...>')) this.begin(tid, process, text.slice(0, -' <unfinished ...>'.length));
    else this.whole(process, text);
  }

  /** strace names everybody who comes. */
  private attached(text: string): void {
    const match = ATTACHED.exec(text);
    if (match === null) return;
    const tid = Number(match[1]);
    if (tid >= PID_MAX || this.known.has(tid)) return;
    // With -p, the first one is no child.
    if (this.processes.all.length > 0) this.processOf(tid);
  }

  private begin(tid: number, process: LoggedProcess, text: string): void {
    this.forget(tid);
    const begun = { tid, process, text };
    this.underwayBytes += text.length;
    if (this.underwayBytes > UNDERWAY_BYTES) {
      throw this.lines.error(`calls that have not returned take more than ${UNDERWAY_BYTES} bytes`);
    }
    this.underway.set(tid, begun);
    if (isForkText(text)) this.forksUnderway.add(begun);
  }

  private forget(tid: number): Begun | undefined {
    const begun = this.underway.get(tid);
    if (begun === undefined) return undefined;
    this.underway.delete(tid);
    this.forksUnderway.delete(begun);
    this.underwayBytes -= begun.text.length;
    return begun;
  }

  private resumed(tid: number, text: string): void {
    const end = text.indexOf(' resumed>');
    if (end < 0) {
      this.damaged("'<... NAME resumed>' expected", text);
      return;
    }
    this.processOf(tid);
    const begun = this.forget(tid);
    const name = text.slice(5, end);
    // Its first half may be missing from a log that was cut at its front.
    if (begun === undefined || !begun.text.startsWith(`${name}(`)) return;
    this.whole(begun.process, begun.text + text.slice(end + 9));
  }

  private gone(tid: number, text: string): void {
    this.forget(tid);
    if (!/^\+\+\+ (exited with|killed by|superseded by) .{1,80} \+\+\+/.test(text)) {
      this.damaged("'+++ exited with N +++' expected", text);
      return;
    }
    this.known.delete(tid);
    const process = this.processes.all.length === 0 ? undefined : this.processes.leader(tid);
    if (process === undefined) return;
    process.hasEnded = true;
    process.hasExited = true;
  }

  private processOf(tid: number): LoggedProcess {
    if (!this.known.has(tid)) {
      this.known.add(tid);
      this.introduce(tid);
    }
    return this.processes.of(tid);
  }

  /** Somebody new: if a clone is underway, it is whom that makes. */
  private introduce(tid: number): void {
    const [begun] = this.forksUnderway;
    if (this.processes.isAlive(tid)) return;
    if (begun !== undefined) {
      this.forksUnderway.delete(begun);
      if (begun.text.includes('CLONE_THREAD')) this.processes.thread(begun.process, tid);
      return;
    }
    if (this.rootTid !== 0 || !this.known.has(0) || tid === 0) return;
    // Nobody made it: it is the first one, which had no number so far.
    this.rootTid = tid;
    this.known.delete(0);
    this.processes.introduce(tid);
    const pending = this.underway.get(0);
    if (pending === undefined) return;
    this.underway.delete(0);
    this.underway.set(tid, pending);
  }

  private whole(process: LoggedProcess, text: string): void {
    const open = text.indexOf('(');
    const { texts, end } = splitArguments(text, open + 1);
    const result = end < 0 ? null : RESULT.exec(text.slice(end, end + 128));
    if (result === null) {
      this.damaged("'NAME(ARGUMENTS) = RESULT' expected", text);
      return;
    }
    const name = text.slice(0, open);
    const nr = syscallNumber(name);
    if (nr === undefined) {
      if (this.unknown.size < 64 || this.unknown.has(name)) this.unknown.set(name, (this.unknown.get(name) ?? 0) + 1);
      return;
    }
    this.returned(process, nr, texts, result[1]!, text.slice(end + result[0].length));
  }

  /** `rest` is what stands behind the result: the name of an error, the path of a descriptor. */
  private returned(process: LoggedProcess, nr: number, texts: string[], result: string, rest: string): void {
    // Interrupted, and made again later; only an exit never returns.
    if (result === '?' && rest.startsWith(' E')) return;
    let ret = result === '?' ? 0 : this.value(result);
    if (ret === -1 && rest.startsWith(' E')) ret = -errnoOf(/^ (E[A-Z0-9]{1,20})/.exec(rest)?.[1] ?? '');
    this.calls += 1;
    if (this.calls === 1) {
      this.isAttached = nr !== SYS_execve;
      if (!this.isAttached && ret === 0) {
        this.command = stringsOf(texts[1] ?? '');
        return;
      }
    }
    if (isFork(nr) && ret > 0) {
      this.emit(process, nr, [cloneFlags(nr, texts)], this.forked(process, texts, ret));
      return;
    }
    if (nr === SYS_wait4 && ret > 0) ret = this.processes.waited(ret);
    if (nr === SYS_open || nr === SYS_openat || nr === SYS_creat) {
      const path =
        (ret >= 0 ? descriptorPath(`3${rest.trim()}`) : null) ?? stringOf(texts[nr === SYS_openat ? 1 : 0] ?? '');
      if (path !== null) process.body.path(path);
    }
    this.emit(
      process,
      nr,
      texts.slice(0, 6).map((text) => this.value(text)),
      ret,
    );
    if (nr === SYS_exit_group) process.hasExited = true;
  }

  private emit(process: LoggedProcess, nr: number, args: number[], ret: number): void {
    process.body.syscall(nr, args, ret);
    process.calls += 1;
    if (process.calls % CALLS_PER_TICK === 0) process.body.tick(0);
  }

  private forked(parent: LoggedProcess, texts: string[], ret: number): number {
    if (ret >= PID_MAX) throw this.lines.error(`process ${ret}: Linux has none above ${PID_MAX - 1}`);
    this.known.add(ret);
    if (!texts.some((text) => text.includes('CLONE_THREAD'))) return this.processes.forked(parent, ret);
    if (!this.processes.isAlive(ret)) this.processes.thread(parent, ret);
    return ret;
  }

  private value(text: string): number {
    const value = argumentValue(text);
    if (Number.isNaN(value)) throw this.lines.error(`${quoted(text)} has more than 64 bits`);
    return value;
  }

  private damaged(what: string, text: string): void {
    if (this.isWhole) throw this.lines.error(`${what}, found ${quoted(text)}`);
    this.isCut = true;
  }
}

function isForkText(text: string): boolean {
  return isFork(syscallNumber(text.slice(0, text.indexOf('('))) ?? -1);
}

/** Signals, stack traces, what strace says of itself. */
function isChatter(text: string): boolean {
  return /^(?:--- |strace: |Process \d|\[ Process PID=| > |\?\?\?\?)/.test(text);
}

/** clone's are an argument, clone3's stand in a structure that a recording does not have. */
function cloneFlags(nr: number, texts: string[]): number {
  const flags = nr === SYS_clone ? texts.find((text) => text.startsWith('flags=')) : undefined;
  return flags === undefined ? 0 : argumentValue(flags);
}

/** From 1 on. */
const ERRNOS =
  'EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ' +
  'ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ' +
  'ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP';
const ERRNO: ReadonlyMap<string, number> = new Map(ERRNOS.split(' ').map((name, i) => [name, i + 1]));
const EOPNOTSUPP = 95;

/** Errors above 40 are of sockets and devices; which of them it was changes nothing in a replay. */
function errnoOf(name: string): number {
  return ERRNO.get(name) ?? EOPNOTSUPP;
}
