/**
 * What valgrind's lackey writes with --trace-mem=yes --trace-syscalls=yes.
 *
 * Owns      the reading of that text, and of `valgrind -d`'s memory layout if it stands in it.
 * Promises  1. Every access line is one access, or two if it crosses a page; M is a read and a write.
 *           2. A line that begins like lackey's and goes on otherwise is refused; other lines are the program's own, and counted.
 *           3. Memory does not grow with the log.
 * Read      docs/inputs.md for how to make one; valgrind 3.19 lackey/lk_main.c, coregrind/m_syswrap/syswrap-main.c
 *
 *     I  04222c4a,3                    fetch of 3 bytes                     ==12163== Command: ./prog
 *      L 1ffeffed38,8                  load        S store   M both
 *     SYSCALL[12163,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000)
 *     SYSCALL[12163,1](257) sys_openat ( 4294967196, 0x10a004(/etc/passwd), 0 ) --> [async] ...
 *     SYSCALL[12163,1](257) ... [async] --> Success(0x4)
 *     SYSCALL[12163,1](56) sys_clone ( 1200011, 0x0, … )   clone(fork): process 12163 created child 12176
 *      --> [pre-success] Success(0x2f90)                   Success(0x0): the child says that it is there
 *
 * Access lines do not say whose they are: in a log of several processes they are taken for those of whom the last line named that
 * does. With --log-file=NAME.%p each process has a file; one behind the other they are one log.
 */
import { RecordingError } from './error.ts';
import { ForeignLines } from './foreign.ts';
import { LackeyLayout } from './lackey_layout.ts';
import { Lines, quoted } from './lines.ts';
import { type LoggedProcess, PID_MAX, Processes } from './processes.ts';
import type { InputFacts, InputReader, RecordingSink } from './sink.ts';
import { WINDOW } from './window.ts';
import {
  CLONE_THREAD,
  isFork,
  SYS_brk,
  SYS_clone,
  SYS_creat,
  SYS_execve,
  SYS_exit_group,
  SYS_open,
  SYS_openat,
  SYS_wait4,
} from './x86_64.ts';

const LF = 10;
const SPACE = 32;
const COMMA = 44;
const LETTER_I = 73;
const LETTER_L = 76;
const LETTER_M = 77;
const LETTER_S = 83;
/** An access line is no longer: 16 digits of address, 3 of size. */
const ACCESS_BYTES = 3 + 16 + 1 + 3 + 2;
/** Behind the end of user space nothing is accessed. */
const USER_BYTES = 2 ** 47;
/** One instruction, at most (xsave's area). */
const MOST_BYTES = 16384;
/** valgrind has 500 threads in a process. */
const CALLS_UNDERWAY = 1 << 14;
const PROGRAMS = 1 << 12;
/** Of all programs together: what a recording's header has room for. */
const LAYOUT_LINES = 1 << 16;
const PATH_CHARACTERS = 4096;

interface Call {
  process: LoggedProcess;
  nr: number;
  args: number[];
  path: string | null;
  /** Whom `clone(fork): …` names. */
  child: number;
  hasReturned: boolean;
}

/** A program that ran in a process, from its start or an execve on. */
interface Program {
  layout: LackeyLayout;
  command: string;
  /** What its first brk returned; 0: it made none yet. */
  firstBrk: number;
}

export class LackeyReader implements InputReader {
  private readonly file: string;
  private readonly lines: Lines;
  private readonly foreign: ForeignLines;
  private readonly processes: Processes;
  private readonly programs: Program[] = [newProgram()];
  /** Which one each process started, by its number. */
  private readonly programOf: Map<number, Program> = new Map([[0, this.programs[0]!]]);
  /** An execve that has not failed, by process. */
  private readonly execs: Map<LoggedProcess, Call> = new Map();
  private current: LoggedProcess | null = null;
  /** Calls that began and have not returned, by `pid,tid`. */
  private readonly underway: Map<string, Call> = new Map();
  /** The one whose result is on a line of its own. */
  private split: Call | null = null;
  /** The last one that made a process: it returns in both, in any order. */
  private forking: Call | null = null;
  private accessLines = 0;
  private layoutLines = 0;
  /** Logs that began: lackey says who it is once in each. */
  private logs = 0;
  private isCut = false;
  /** The line at hand ends with the file, without LF. */
  private isWhole = true;

  constructor(file: string, sink: RecordingSink) {
    this.file = file;
    this.lines = new Lines(file, (bytes, from, to, isWhole) => this.line(bytes, from, to, isWhole));
    this.foreign = new ForeignLines(this.lines, 'lackey');
    this.processes = new Processes(sink, () => this.lines.error('more processes than a recording can have'));
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.lines.isAtStart) at = this.accesses(chunk, at);
      const end = chunk.indexOf(LF, at);
      const next = end < 0 ? chunk.length : end + 1;
      this.lines.push(chunk.subarray(at, next));
      at = next;
    }
  }

  end(): InputFacts {
    this.lines.end();
    this.processes.end();
    const root = this.processes.all[0];
    if (root === undefined) throw new RecordingError(this.file, '', 'a lackey log without a line of lackey');
    const [first, ...later] = this.programs.map(({ layout, command, firstBrk }) => ({
      command,
      ...layout.image(firstBrk),
    }));
    const { image, unseen, command } = first!;
    const processes = this.processes.all.length;
    const several = processes > 1 && this.accessLines > 0;
    return {
      name: command.split(' ')[0]!.split('/').at(-1) || 'lackey',
      command,
      recorder: 'valgrind lackey',
      window: WINDOW,
      ...image,
      images: later.map((program) => ({ command: program.command, ...program.image })),
      cutShort: this.isCut || !root.hasExited ? 'cut-off' : '',
      unseen: [
        ...unseen,
        "lackey does not say which thread or process makes an access: those of a thread are its process's",
        ...(several && this.logs < processes
          ? ['accesses between two system calls are taken for those of the process that made the first']
          : []),
        ...(several && this.logs > 1 ? ['the order between processes: their logs are one behind the other'] : []),
        ...(this.accessLines === 0 ? ['the log has no accesses: lackey wrote them with --trace-mem=yes'] : []),
        ...this.foreign.told(),
      ],
      parents: this.processes.parents,
      stats: this.processes.stats(),
    };
  }

  /** The hot loop: access lines from `at` on, as long as they are whole and plain. Returns where it stopped. */
  private accesses(bytes: Uint8Array, start: number): number {
    const last = bytes.length - ACCESS_BYTES;
    let at = start;
    while (at <= last) {
      const first = bytes[at]!;
      const letter = first === LETTER_I ? LETTER_I : bytes[at + 1]!;
      if (bytes[at + 2] !== SPACE || (first !== LETTER_I && first !== SPACE)) break;
      if (
        first === LETTER_I ? bytes[at + 1] !== SPACE : letter !== LETTER_L && letter !== LETTER_S && letter !== LETTER_M
      ) {
        break;
      }
      let p = at + 3;
      let address = 0;
      const digitsEnd = p + 16;
      for (; p < digitsEnd; p++) {
        const digit = hexDigit(bytes[p]!);
        if (digit < 0) break;
        address = address * 16 + digit;
      }
      if (p === at + 3 || bytes[p] !== COMMA) break;
      p += 1;
      let size = 0;
      for (const end = p + 3; p < end; p++) {
        const digit = bytes[p]! - 48;
        if (digit < 0 || digit > 9) break;
        size = size * 10 + digit;
      }
      if (size === 0 || bytes[p] !== LF || address + size > USER_BYTES) break;
      this.lines.line += 1;
      this.access(letter, address, size);
      at = p + 1;
    }
    return at;
  }

  private access(letter: number, address: number, size: number): void {
    this.accessLines += 1;
    this.current ??= this.processes.of(0);
    const { accesses } = this.current;
    const page = Math.floor(address / 4096);
    const last = Math.floor((address + size - 1) / 4096);
    for (let at = page; at <= last; at++) {
      if (letter === LETTER_I) accesses.access(at, 0);
      else {
        if (letter !== LETTER_S) accesses.access(at, 1);
        if (letter !== LETTER_L) accesses.access(at, 2);
      }
    }
  }

  private line(bytes: Uint8Array, from: number, to: number, isWhole: boolean): void {
    this.isWhole = isWhole;
    if (to - from <= ACCESS_BYTES + 16 && this.accessLine(bytes, from, to)) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
    if (text.startsWith('SYSCALL[')) this.syscallLine(text);
    else if (text.startsWith(' --> ')) this.resultLine(text);
    else if (text.startsWith('==') || text.startsWith('--')) this.valgrindLine(text);
    else if (to > from && !text.includes('/vgdb-pipe-')) this.foreign.met();
  }

  /** The same as in the hot loop, for lines that are cut by a chunk, have CR, or are wrong. */
  private accessLine(bytes: Uint8Array, from: number, to: number): boolean {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
    const start = text.slice(0, 3);
    if (start !== 'I  ' && start !== ' L ' && start !== ' S ' && start !== ' M ') return false;
    const match = /^([0-9a-f]{1,16}),(\d{1,5})$/i.exec(text.slice(3));
    const address = Number.parseInt(match?.[1] ?? '', 16);
    const size = Number(match?.[2]);
    if (match === null || size < 1 || size > MOST_BYTES || address + size > USER_BYTES) {
      this.damaged(`'${start}ADDRESS,BYTES' expected, found ${quoted(text)}`);
      return true;
    }
    this.access(start.charCodeAt(start === 'I  ' ? 0 : 1), address, size);
    return true;
  }

  /** A line that is not as it should be: the log was cut off in it, or it is no log. */
  private damaged(reason: string): void {
    if (this.isWhole) throw this.lines.error(reason);
    this.isCut = true;
  }

  /** `==PID== …` and `--PID:1: …` */
  private valgrindLine(text: string): void {
    const match = /^(==|--)(\d{1,10})(==|:\d:|--) ?(.*)$/.exec(text);
    if (match === null) {
      this.foreign.met();
      return;
    }
    const pid = this.pidOf(match[2]!);
    const said = match[4]!;
    const isStart = said.startsWith('Lackey, ');
    // Valgrind goes on talking when the program has ended; only its first line can be of the number's next owner.
    if (this.processes.hasEnded(pid) && !isStart) return;
    const process = this.processes.of(pid);
    this.current = process;
    if (isStart) this.started(process);
    const program = this.programOf.get(process.number);
    if (program === undefined) return;
    if (match[1] === '--' && program.layout.line(said)) {
      this.layoutLines += 1;
      if (this.layoutLines > LAYOUT_LINES) throw this.lines.error(`more than ${LAYOUT_LINES} lines of memory layouts`);
    }
    if (said.startsWith('Command: ') && program.command === '') program.command = said.slice(9);
  }

  /** Valgrind begins: with the log, or in a process that made an execve. */
  private started(process: LoggedProcess): void {
    const exec = this.execs.get(process);
    if (exec === undefined) {
      this.logs += 1;
      return;
    }
    this.execs.delete(process);
    this.split = null;
    this.forking = null;
    this.emit(exec, 0);
    if (!this.programs[0]!.layout.isDone) return;
    const program = newProgram();
    this.programs.push(program);
    if (this.programs.length > PROGRAMS) throw this.lines.error(`more than ${PROGRAMS} programs`);
    this.programOf.set(process.number, program);
    process.body.image(this.programs.length - 1);
  }

  private pidOf(digits: string): number {
    const pid = Number(digits);
    if (pid >= PID_MAX) throw this.lines.error(`process ${digits}: Linux has none above ${PID_MAX - 1}`);
    this.processes.introduce(pid);
    return pid;
  }

  private syscallLine(text: string): void {
    const match = /^SYSCALL\[(\d{1,10}),(\d{1,10})\]\((\d{1,5})\) ?/.exec(text);
    if (match === null) {
      this.damaged(`'SYSCALL[PID,TID](NUMBER) …' expected, found ${quoted(text)}`);
      return;
    }
    const process = this.processes.of(this.pidOf(match[1]!));
    const key = `${match[1]},${match[2]}`;
    this.current = process;
    this.split = null;
    this.execs.delete(process);
    const rest = text.slice(match[0].length);
    const arrow = rest.lastIndexOf('--> ');
    if (rest.startsWith(' ... [async]') || rest.startsWith('... [async]')) {
      const call = this.underway.get(key);
      this.underway.delete(key);
      // Its beginning may be missing from a log that was cut at its front.
      if (call !== undefined) this.returned(call, rest.slice(arrow + 4));
      return;
    }
    const call = this.begun(process, Number(match[3]), arrow < 0 ? rest : rest.slice(0, arrow));
    const result = arrow < 0 ? '' : rest.slice(arrow + 4);
    if (result.startsWith('[async]')) {
      if (this.underway.size === CALLS_UNDERWAY) throw this.lines.error(`more than ${CALLS_UNDERWAY} calls underway`);
      this.underway.set(key, call);
    } else if (arrow < 0) {
      this.split = call;
      if (call.nr === SYS_execve) this.exec(call, rest);
      if (call.child > 0) this.forking = call;
    } else this.returned(call, result);
  }

  /** If it does not fail, the next one who speaks, on the same line, is another program's valgrind. */
  private exec(call: Call, text: string): void {
    this.execs.set(call.process, call);
    const next = /\)((?:==|--)\d{1,10}(?:==|:\d:|--) .*)$/.exec(text.slice(-400));
    if (next !== null) this.valgrindLine(next[1]!);
  }

  /** The result of a call whose line ended before. */
  private resultLine(text: string): void {
    const { split, forking, current } = this;
    if (split === null && forking === null) return;
    if (text.includes(' Success(0x0)') && forking !== null) {
      // A child that has a log of its own has said who it is.
      const isSilent = current !== null && current.calls === 0 && current.accesses.total === 0;
      if (!isSilent || current === forking.process) this.current = this.processes.of(forking.child);
      return;
    }
    const call = split ?? forking!;
    this.split = null;
    this.current = call.process;
    if (call.hasReturned) return;
    call.hasReturned = true;
    this.returned(call, text.slice(5));
  }

  /** `sys_openat ( 4294967196, 0x10a004(/etc/passwd), 0 )` */
  private begun(process: LoggedProcess, nr: number, text: string): Call {
    const open = text.indexOf('(');
    const created = text.lastIndexOf('created child ');
    const close = text.lastIndexOf(')', created < 0 ? text.length : text.lastIndexOf('clone(', created) - 1);
    let inside = text.startsWith('unimplemented') || open < 0 || close < open ? '' : text.slice(open + 1, close);
    const nameFrom = inside.indexOf('(');
    const nameTo = inside.lastIndexOf(')');
    let path: string | null = null;
    if (nameFrom >= 0 && nameTo > nameFrom) {
      // A copy: what is cut out of a line keeps the line.
      if (nameTo - nameFrom <= PATH_CHARACTERS) path = Buffer.from(inside.slice(nameFrom + 1, nameTo)).toString();
      inside = inside.slice(0, nameFrom) + inside.slice(nameTo + 1);
    }
    const args = inside.split(',', 6).map((word, i) => this.number(word.trim(), nr === SYS_clone && i === 0));
    const hasPath = nr === SYS_openat || nr === SYS_open || nr === SYS_creat;
    const child = created < 0 ? 0 : this.pidOf(/^\d{1,10}/.exec(text.slice(created + 14))?.[0] ?? '0');
    return { process, nr, args, path: hasPath ? path : null, child, hasReturned: false };
  }

  /** `%#lx` and `%lu` are what lackey prints; clone's flags and arch_prctl's address have no 0x. */
  private number(word: string, isHex: boolean): number {
    if (/^-?\d{1,15}$/.test(word) && !isHex) return Number(word);
    const match = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(word);
    if (match !== null && !/^\d{16}$/.test(word)) return Number(BigInt.asIntN(64, BigInt(`0x${match[1]}`)));
    if (/^-?\d{1,20}$/.test(word)) return Number(BigInt.asIntN(64, BigInt(word)));
    // What is not a number is of a call that we do not replay.
    if (/^-?(0x)?[0-9a-f]+$/i.test(word)) throw this.lines.error(`${quoted(word)} has more than 64 bits`);
    return 0;
  }

  private returned(call: Call, text: string): void {
    const match = /(Success|Failure)\(0x([0-9a-f]{1,16})[):]/.exec(text);
    if (match === null) {
      this.damaged(`'Success(0x…)' or 'Failure(0x…)' expected, found ${quoted(text)}`);
      return;
    }
    const value = Number(BigInt.asIntN(64, BigInt(`0x${match[2]}`)));
    this.emit(call, match[1] === 'Success' ? value : -value);
  }

  private brk(process: LoggedProcess, end: number): void {
    const program = this.programOf.get(process.number);
    if (program !== undefined && program.firstBrk === 0) program.firstBrk = end;
  }

  private emit({ process, nr, args, path }: Call, ret: number): void {
    let result = ret;
    if (isFork(nr) && ret > 0) {
      if (ret >= PID_MAX) throw this.lines.error(`process ${ret}: Linux has none above ${PID_MAX - 1}`);
      if (nr === SYS_clone && (args[0]! & CLONE_THREAD) !== 0) this.processes.thread(process, ret);
      else result = this.processes.forked(process, ret);
    } else if (nr === SYS_wait4 && ret > 0) result = this.processes.waited(ret);
    else if (nr === SYS_brk) this.brk(process, ret);
    if (path !== null) process.body.path(path);
    process.body.syscall(nr, args, result);
    process.accesses.afterCall(nr);
    process.calls += 1;
    if (nr === SYS_exit_group) process.hasEnded = process.hasExited = true;
  }
}

function newProgram(): Program {
  return { layout: new LackeyLayout(), command: '', firstBrk: 0 };
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 97 && byte <= 102) return byte - 87;
  return -1;
}
