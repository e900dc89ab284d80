/**
 * Memory programs (`.mmp`, format 1): from text to a list of calls.
 *
 * Owns      the syntax. What the calls do: run_mmp.ts.
 * Promises  1. A program is refused at the first line that is no program, with its file, line and reason.
 *           2. Calls that the format does not know are kept, unread: a real strace log parses.
 * Read      oracle/corpus/FORMAT.md, section 1
 */
import { InputError } from '../mm/bug.ts';
import { CONSTANTS } from './uapi.ts';

/** `%file NAME PAGES disk|shm [cached]`. */
export interface MmpFile {
  readonly name: string;
  readonly pages: number;
  readonly kind: 'disk' | 'tmpfs';
  readonly cached: boolean;
}

/** A number; a quoted string; or the name of memory outside the arena (`buf`). */
export type MmpArgument =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'outside' };

export interface MmpCall {
  /** Line of the file, from 1. */
  readonly line: number;
  /** The line itself, as the recording repeats it. */
  readonly text: string;
  /** Label of the process; 0 is the system. */
  readonly proc: number;
  readonly name: string;
  readonly args: readonly MmpArgument[];
  /** The number behind `=`. */
  readonly result: number | null;
  /** Not a call of the format: recorded, and without effect. */
  readonly skipped: boolean;
}

/** A `snapshot` line, or a call. */
export type MmpStep = MmpCall | 'snapshot';

export interface MmpProgram {
  readonly file: string;
  /** Snapshot after every so many calls; 0 is only at `snapshot` lines. */
  readonly snapshotEvery: number;
  readonly files: readonly MmpFile[];
  readonly swapMib: number;
  readonly brk: number | null;
  readonly steps: readonly MmpStep[];
  /** Of each step its line of the file, from 1. */
  readonly lineOf: readonly number[];
}

/** What a machine for a program of calls can have: 4 GiB of a file, 16 GiB of swap. */
const MOST_FILE_PAGES = 2 ** 20;
const MOST_SWAP_MIB = 2 ** 14;

/** Calls of the format and how many arguments each must have at least. */
const CALLS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    mmap: 6,
    munmap: 2,
    mprotect: 3,
    mremap: 4,
    madvise: 3,
    mlock: 2,
    mlock2: 3,
    munlock: 2,
    mlockall: 1,
    munlockall: 0,
    msync: 3,
    mincore: 2,
    brk: 1,
    remap_file_pages: 5,
    memfd_create: 2,
    open: 2,
    openat: 3,
    close: 1,
    dup: 1,
    unlink: 1,
    read: 3,
    write: 3,
    pread64: 4,
    pwrite64: 4,
    lseek: 3,
    ftruncate: 2,
    fallocate: 4,
    fsync: 1,
    fdatasync: 1,
    fadvise64: 4,
    fork: 0,
    vfork: 0,
    clone: 0,
    exit: 0,
    exit_group: 0,
    _exit: 0,
    load: 1,
    store: 1,
    check: 1,
    swapon: 0,
    swapoff: 0,
  }),
);
/** Their arguments say nothing that matters here. */
const UNREAD = new Set(['fork', 'vfork', 'clone', 'exit', 'exit_group', '_exit']);

export function parseMmp(text: string, file: string): MmpProgram {
  const parser = new MmpParser(file);
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) parser.line(lines[i]!.trim(), i + 1);
  return parser.end(lines.length);
}

class MmpParser {
  private readonly file: string;
  private versionSeen = false;
  private snapshotEvery = 1;
  private readonly files: MmpFile[] = [];
  private swapMib = 0;
  private brk: number | null = null;
  private readonly steps: MmpStep[] = [];
  private readonly lineOf: number[] = [];
  /** The first half of a call that strace interrupted, by process. */
  private readonly unfinished: Map<number, string> = new Map();

  constructor(file: string) {
    this.file = file;
  }

  line(text: string, line: number): void {
    if (text === '' || text.startsWith('#')) return;
    if (text.startsWith('%')) {
      this.directive(text, line);
      return;
    }
    if (!this.versionSeen) this.refuse(line, "a program starts with '%mmp 1'");
    const before = this.steps.length;
    if (text === 'snapshot') this.steps.push('snapshot');
    else this.call(text, line);
    if (this.steps.length > before) this.lineOf.push(line);
  }

  end(lastLine: number): MmpProgram {
    if (!this.versionSeen) this.refuse(lastLine, "a program starts with '%mmp 1'");
    const { file, snapshotEvery, files, swapMib, brk, steps, lineOf } = this;
    return { file, snapshotEvery, files, swapMib, brk, steps, lineOf };
  }

  private directive(text: string, line: number): void {
    const [name = '', ...words] = text.split(/\s+/);
    if (!this.versionSeen && name !== '%mmp') this.refuse(line, "a program starts with '%mmp 1'");
    if (this.steps.length > 0) this.refuse(line, `${name} stands before the first call`);
    switch (name) {
      case '%mmp':
        if (words.length !== 1 || words[0] !== '1')
          this.refuse(line, `format ${words.join(' ') || '(none)'} is unknown; only 1 is`);
        this.versionSeen = true;
        return;
      case '%title':
      case '%needs':
        return;
      case '%snapshot':
        this.snapshotEvery = this.snapshotRule(words, line);
        return;
      case '%file':
        this.files.push(this.fileOf(words, line));
        return;
      case '%swap':
        this.swapMib = this.countOf(words[0], line, '%swap');
        if (this.swapMib > MOST_SWAP_MIB) this.refuse(line, `${words[0]} MiB of swap; ${MOST_SWAP_MIB} are the most`);
        return;
      case '%brk':
        this.brk = this.numberOf(words[0] ?? '', line);
        return;
      default:
        this.refuse(line, `unknown directive ${name}`);
    }
  }

  private snapshotRule(words: readonly string[], line: number): number {
    if (words[0] === 'each') return 1;
    if (words[0] === 'manual') return 0;
    return this.countOf(words[0], line, '%snapshot');
  }

  private fileOf(words: readonly string[], line: number): MmpFile {
    const [name, pages, kind, cached] = words;
    if (name === undefined || (kind !== 'disk' && kind !== 'shm'))
      this.refuse(line, '%file NAME PAGES disk|shm [cached]');
    if (cached !== undefined && cached !== 'cached') this.refuse(line, `'${cached}' is not 'cached'`);
    if (this.files.some((f) => f.name === name)) this.refuse(line, `file ${name} is declared twice`);
    const count = /^\d+$/.test(pages ?? '') ? Number(pages) : this.refuse(line, `'${pages}' is no number of pages`);
    if (count > MOST_FILE_PAGES) this.refuse(line, `${pages} pages; ${MOST_FILE_PAGES} are the most`);
    return { name, pages: count, kind: kind === 'shm' ? 'tmpfs' : 'disk', cached: cached === 'cached' };
  }

  private countOf(word: string | undefined, line: number, directive: string): number {
    if (word === undefined || !/^[1-9]\d*$/.test(word)) this.refuse(line, `${directive} needs a number above 0`);
    return Number(word);
  }

  private call(text: string, line: number): void {
    const prefix = /^(?:\[pid\s+(\d+)\]\s*|(\d+)\s+)/.exec(text);
    const proc = prefix === null ? 1 : Number(prefix[1] ?? prefix[2]);
    let rest = prefix === null ? text : text.slice(prefix[0].length);
    // What strace says of signals and ends is no call.
    if (rest.startsWith('---') || rest.startsWith('+++')) return;
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest);
    if (resumed !== null) {
      rest = (this.unfinished.get(proc) ?? '') + rest.slice(resumed[0].length);
      this.unfinished.delete(proc);
    }
    const cut = rest.indexOf('<unfinished ...>');
    if (cut >= 0) {
      this.unfinished.set(proc, rest.slice(0, cut).trimEnd());
      return;
    }
    const name = /^(\w+)\(/.exec(rest)?.[1];
    if (name === undefined) this.refuse(line, `'${rest}' is no call`);
    const least = CALLS.get(name);
    const result = resultOf(rest);
    if (least === undefined) {
      this.steps.push({ line, text, proc, name, args: [], result, skipped: true });
      return;
    }
    const args = UNREAD.has(name) ? [] : this.argumentsOf(rest, name.length + 1, line);
    if (args.length < least) this.refuse(line, `${name} takes ${least} arguments`);
    this.steps.push({ line, text, proc, name, args, result, skipped: false });
  }

  /** From behind the opening bracket to the closing one. */
  private argumentsOf(text: string, from: number, line: number): MmpArgument[] {
    const args: MmpArgument[] = [];
    let at = from;
    if (text[at] === ')') return args;
    for (;;) {
      while (text[at] === ' ') at += 1;
      const quoted = text[at] === '"';
      let end: number;
      if (quoted) {
        end = text.indexOf('"', at + 1);
        if (end < 0) this.refuse(line, 'a string has no end');
        const value = text.slice(at + 1, end);
        if (value.includes('\\')) this.refuse(line, 'strings have no escapes');
        args.push({ kind: 'text', value });
        end += 1;
        // strace cuts long strings short.
        if (text.startsWith('...', end)) end += 3;
      } else {
        end = at;
        while (end < text.length && text[end] !== ',' && text[end] !== ')') end += 1;
        args.push(this.wordOf(text.slice(at, end).trim(), line));
      }
      if (text[end] === ')') return args;
      if (text[end] !== ',') this.refuse(line, `expected ',' or ')' at '${text.slice(end)}'`);
      at = end + 1;
    }
  }

  private wordOf(word: string, line: number): MmpArgument {
    if (/^[a-z]\w*$/.test(word)) return { kind: 'outside' };
    return { kind: 'number', value: this.numberOf(word, line) };
  }

  /** Names and numbers joined by `|`, or numbers joined by `+` and `*`, from left to right. */
  private numberOf(word: string, line: number): number {
    if (word.includes('|')) {
      return Number(word.split('|').reduce((bits, name) => bits | BigInt(this.termOf(name.trim(), line)), 0n));
    }
    const terms = word.match(/[+*]?[^+*]+/g) ?? [''];
    let value = 0;
    for (const [i, term] of terms.entries()) {
      const operator = i === 0 ? '+' : term[0];
      const number = this.termOf(i === 0 ? term : term.slice(1), line);
      value = operator === '*' ? value * number : value + number;
    }
    return value;
  }

  private termOf(word: string, line: number): number {
    const named = CONSTANTS.get(word);
    if (named !== undefined) return named;
    const negative = word.startsWith('-');
    const digits = negative ? word.slice(1) : word;
    let value: bigint;
    if (/^0x[0-9a-fA-F]+$/.test(digits) || /^(0|[1-9]\d*)$/.test(digits)) value = BigInt(digits);
    else if (/^0[0-7]+$/.test(digits)) value = BigInt(`0o${digits.slice(1)}`);
    else return this.refuse(line, `'${word}' is no number and no constant that is known`);
    // A register holds 64 bits. The upper half is kept as its negative, so that a double holds what programs use: -1, -4096.
    return Number(BigInt.asIntN(64, negative ? -value : value));
  }

  private refuse(line: number, reason: string): never {
    throw new InputError(this.file, line, reason);
  }
}

/** `… = 3` and `… = 0x7f00`; null for `= ?` and for none. */
function resultOf(text: string): number | null {
  const found = /\)\s*=\s*(0x[0-9a-f]+|\d+)/.exec(text);
  return found === null ? null : Number(found[1]);
}
