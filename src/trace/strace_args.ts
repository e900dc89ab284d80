/**
 * The text of a system call as strace writes it: where its arguments end, and what number each of them is.
 *
 * Owns      that little language: strings, structures, flags by name, descriptors with their paths, comments.
 * Promises  One pass from left to right, whatever stands there: time is linear in the text.
 *
 *     openat(AT_FDCWD</tmp>, "a\40b", O_RDONLY|O_CLOEXEC) = 3</tmp/a b>
 *     mmap(NULL, 8192*2, PROT_READ, MAP_PRIVATE|0x4000000 /* MAP_??? *\/, 3</lib/x.so>, 0x26000) = 0x7f95130bc000
 *     clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f9513093a10) = 12155
 */
import { CONSTANTS } from '../syscalls/uapi.ts';
import { CLONE_THREAD, F_DUPFD, F_DUPFD_CLOEXEC } from './x86_64.ts';

/** Deeper structures than strace's own are not strace's. */
const DEPTH = 64;
/** A number or a name of more characters is none of the kernel's. */
const WORD = 100;

export interface Arguments {
  /** As they stand there. */
  texts: string[];
  /** Behind the closing parenthesis; -1 if there is none. */
  end: number;
}

/** Splits at commas from `start` on, which is behind the opening parenthesis. */
export function splitArguments(text: string, start: number): Arguments {
  const texts: string[] = [];
  let depth = 0;
  let from = start;
  let at = start;
  while (at < text.length) {
    const c = text[at]!;
    if (c === '"') at = behindString(text, at);
    else if (c === '/' && text[at + 1] === '*') at = behind(text, '*/', at + 2);
    else if (c === '<' && isDescriptor(text, at)) at = behindPath(text, at);
    else {
      if (c === '(' || c === '[' || c === '{') depth += 1;
      else if (c === ')' || c === ']' || c === '}') {
        if (depth === 0) {
          if (at > from || texts.length > 0) texts.push(text.slice(from, at).trim());
          return { texts, end: at + 1 };
        }
        depth -= 1;
      } else if (c === ',' && depth === 0) {
        texts.push(text.slice(from, at).trim());
        from = at + 1;
      }
      if (depth > DEPTH) break;
      at += 1;
    }
  }
  return { texts, end: -1 };
}

function behindString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function behind(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? text.length : at + what.length;
}

/** `3</etc/passwd>`, `AT_FDCWD</tmp>`; not `21<<26`. */
function isDescriptor(text: string, at: number): boolean {
  return at > 0 && /[0-9A-Z]/.test(text[at - 1]!) && text[at + 1] !== '<';
}

/** Paths have `>` only escaped; addresses of sockets have `->`. */
function behindPath(text: string, start: number): number {
  let at = text.indexOf('>', start);
  while (at >= 0 && text[at - 1] === '-') at = text.indexOf('>', at + 1);
  return at < 0 ? text.length : at + 1;
}

/** The path behind a descriptor with -y; null if there is none, or if it is no file. */
export function descriptorPath(text: string): string | null {
  const open = text.indexOf('<');
  const close = open < 0 ? -1 : behindPath(text, open) - 1;
  if (open < 0 || text[open + 1] !== '/' || text[close] !== '>') return null;
  return unescaped(text.slice(open + 1, close));
}

/** What stands between the quotes; null if it is no string. */
export function stringOf(text: string): string | null {
  if (text[0] !== '"') return null;
  return unescaped(text.slice(1, behindString(text, 0) - 1));
}

/** The strings of `["sort", "-n"]`. */
export function stringsOf(text: string): string[] {
  if (text[0] !== '[') return [];
  return splitArguments(`${text.slice(1, -1)})`, 0).texts.flatMap((word) => stringOf(word) ?? []);
}

const ESCAPES: ReadonlyMap<string, number> = new Map(
  Object.entries({ n: 10, t: 9, r: 13, v: 11, f: 12, '"': 34, '\\': 92 }),
);

function unescaped(text: string): string {
  if (!text.includes('\\')) return utf8(Buffer.from(text, 'latin1'));
  const bytes = Buffer.alloc(text.length);
  let length = 0;
  let at = 0;
  while (at < text.length) {
    if (text[at] !== '\\') {
      bytes[length++] = text.charCodeAt(at);
      at += 1;
      continue;
    }
    at += 1;
    const octal = digitsAt(text, at, 3, isOctal);
    const hex = text[at] === 'x' ? digitsAt(text, at + 1, 2, isHex) : '';
    if (octal !== '') bytes[length++] = Number.parseInt(octal, 8);
    else if (hex !== '') bytes[length++] = Number.parseInt(hex, 16);
    else if (at < text.length) bytes[length++] = ESCAPES.get(text[at]!) ?? text.charCodeAt(at);
    at += octal !== '' ? octal.length : 1 + hex.length;
  }
  return utf8(bytes.subarray(0, length));
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function digitsAt(text: string, from: number, most: number, is: (c: string) => boolean): string {
  let to = from;
  while (to < text.length && to - from < most && is(text[to]!)) to += 1;
  return text.slice(from, to);
}

function isOctal(c: string): boolean {
  return c >= '0' && c <= '7';
}

function isHex(c: string): boolean {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/** Names that memory programs do not spell out: clone's flags and fcntl's commands. */
const NAMES: ReadonlyMap<string, number> = new Map([
  ...CONSTANTS,
  ...Object.entries({
    CLONE_VM: 0x100,
    CLONE_FS: 0x200,
    CLONE_FILES: 0x400,
    CLONE_SIGHAND: 0x800,
    CLONE_VFORK: 0x4000,
    CLONE_THREAD,
    SIGCHLD: 17,
    F_DUPFD,
    F_GETFD: 1,
    F_SETFD: 2,
    F_GETFL: 3,
    F_SETFL: 4,
    F_GETLK: 5,
    F_SETLK: 6,
    F_SETLKW: 7,
    F_DUPFD_CLOEXEC,
    MAP_HUGE_SHIFT: 26,
  }),
]);

/** The value of an argument; 0 for what has none (a structure, a string); NaN for a number of more than 64 bits. */
export function argumentValue(text: string): number {
  const comment = text.indexOf('/*');
  const plain = comment < 0 ? text : text.slice(0, comment).trim();
  const first = plain[0] ?? '"';
  if (first === '"' || first === '[' || first === '{' || first === '~') return 0;
  const named = /^[a-z_]{1,40}=/.exec(plain);
  let value = 0n;
  for (const word of plain.slice(named?.[0].length ?? 0).split('|', 64)) {
    const part = partOf(word.trim());
    if (part === null) return Number.NaN;
    value |= part;
  }
  return Number(BigInt.asIntN(64, value));
}

/** `MAP_FIXED`, `8192*1024`, `21<<MAP_HUGE_SHIFT`, `3</etc/passwd>`; 0 for a name that nobody needs; null if it is too long. */
function partOf(word: string): bigint | null {
  if (word.length > WORD) return /^-?[0-9]+$/.test(word) ? null : 0n;
  const shift = word.indexOf('<<');
  if (shift > 0) {
    const [a, b] = [partOf(word.slice(0, shift)), partOf(word.slice(shift + 2))];
    return a === null || b === null ? null : a << (b & 63n);
  }
  const path = word.indexOf('<');
  if (path > 0) return partOf(word.slice(0, path));
  const times = word.indexOf('*');
  if (times > 0) {
    const [a, b] = [partOf(word.slice(0, times)), partOf(word.slice(times + 1))];
    return a === null || b === null ? null : BigInt.asUintN(64, a * b);
  }
  if (!/^-?[0-9]/.test(word)) return BigInt(NAMES.get(word) ?? 0);
  const digits = word.startsWith('-') ? word.slice(1) : word;
  if (!/^(?:0x[0-9a-f]+|[0-9]+)$/i.test(digits)) return 0n;
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (value >= 2n ** 64n) return null;
  return word.startsWith('-') ? -value : value;
}
