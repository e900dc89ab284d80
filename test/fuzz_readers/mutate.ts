/**
 * From an input that a reader knows to one that it may not know.
 *
 * Owns      the ways to change bytes: bits, numbers, pieces of the input or of another one, words of the format, long runs, a cut.
 * Promises  1. The same random stream makes the same changes.
 *           2. What comes out is at most MOST_BYTES long, and mostly much shorter.
 */
import type { Random } from './random.ts';

export const MOST_BYTES: number = 1 << 20;
/** What an input may grow to without a reason. */
const USUAL_BYTES = 1 << 13;

/** Words that trouble readers of any format. */
const WORDS = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'NaN',
  'Infinity',
  '-1',
  '0',
  '9007199254740993',
  '18446744073709551615',
  '18446744073709551616',
  '-9223372036854775808',
  '0xffffffffffffffff',
  '1e309',
  '4294967296',
  '2147483648',
  '\0',
  '\n',
  '\r\n',
  '\t',
  '"',
  '\\',
  '\\012',
  ' ',
  ',',
  '\x1b[31m',
  '\u202e',
  '(deleted)',
].map(bytesOf);
/** Bytes that are no UTF-8, and numbers as machines store them. */
const RAW = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0, 0, 0, 0x80],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
].map((bytes) => Uint8Array.from(bytes));

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Bytes that are no UTF-8 become U+FFFD, as in a file that is read as text. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** `input` with one to eight changes; `other` lends pieces, `words` are the format's own. */
export function mutated(
  random: Random,
  input: Uint8Array,
  other: Uint8Array,
  words: readonly Uint8Array[],
): Uint8Array {
  let bytes = input;
  for (let changes = 1 + random.below(random.below(8) + 1); changes > 0; changes--) {
    bytes = changed(random, bytes, other, words);
    if (bytes.length > USUAL_BYTES && random.below(50) > 0) bytes = bytes.subarray(0, USUAL_BYTES);
  }
  return bytes.length > MOST_BYTES ? bytes.subarray(0, MOST_BYTES) : bytes;
}

function changed(random: Random, bytes: Uint8Array, other: Uint8Array, words: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length + 1);
  const upTo = () => random.below(Math.min(64, bytes.length - at + 1));
  switch (random.below(14)) {
    case 0:
      return withByte(bytes, at, (b) => b ^ (1 << random.below(8)));
    case 1:
      return withByte(bytes, at, () => random.below(256));
    case 2:
      return withByte(bytes, at, (b) => b + 1 + random.below(16));
    case 3:
      return spliced(bytes, at, upTo(), new Uint8Array(0));
    case 4:
      return spliced(bytes, at, 0, random.of(words.length > 0 ? words : WORDS));
    case 5:
      return spliced(bytes, at, upTo(), random.of(words.length > 0 ? words : WORDS));
    case 6:
      return spliced(bytes, at, random.below(2) * upTo(), random.of(WORDS));
    case 7:
      return spliced(bytes, at, random.below(2) * upTo(), random.of(RAW));
    case 8:
      return withNumber(random, bytes, at);
    case 9:
      return bytes.subarray(0, at);
    case 10:
      return spliced(bytes, at, upTo(), pieceOf(random, other));
    case 11:
      return spliced(bytes, random.below(bytes.length + 1), 0, pieceOf(random, bytes));
    case 12:
      return withLine(random, bytes, other);
    default:
      return random.below(40) === 0 ? withRun(random, bytes, at) : spliced(bytes, at, 1, pieceOf(random, bytes));
  }
}

function withByte(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  if (at < copy.length) copy[at] = change(copy[at]!);
  return copy;
}

function spliced(bytes: Uint8Array, at: number, wanted: number, insert: Uint8Array): Uint8Array {
  const remove = Math.min(wanted, bytes.length - at);
  const made = new Uint8Array(bytes.length - remove + insert.length);
  made.set(bytes.subarray(0, at));
  made.set(insert, at);
  made.set(bytes.subarray(at + remove), at + insert.length);
  return made;
}

function pieceOf(random: Random, bytes: Uint8Array): Uint8Array {
  const from = random.below(bytes.length + 1);
  return bytes.subarray(from, from + 1 + random.below(256));
}

const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/** The next number in digits becomes another one. */
function withNumber(random: Random, bytes: Uint8Array, near: number): Uint8Array {
  let from = near;
  while (from < bytes.length && !isDigit(bytes[from])) from += 1;
  let to = from;
  while (isDigit(bytes[to])) to += 1;
  const old = Number(new TextDecoder().decode(bytes.subarray(from, to)));
  const text = random.of([
    String(old + 1),
    String(old - 1),
    String(old * 4096),
    String(random.below(2 ** 31)),
    String(2 ** random.below(64)),
    `-${old}`,
    '0',
    '1'.repeat(1 + random.below(25)),
  ]);
  return spliced(bytes, from, to - from, bytesOf(text));
}

/** A line goes, comes twice, or comes from another input. */
function withLine(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const { from, to } = lineAt(bytes, random.below(bytes.length + 1));
  const line = bytes.subarray(from, to);
  const which = random.below(3);
  if (which === 0) return spliced(bytes, from, to - from, new Uint8Array(0));
  if (which === 1) return spliced(bytes, lineAt(bytes, random.below(bytes.length + 1)).from, 0, line);
  const foreign = lineAt(other, random.below(other.length + 1));
  return spliced(bytes, from, 0, other.subarray(foreign.from, foreign.to));
}

function lineAt(bytes: Uint8Array, at: number): { from: number; to: number } {
  const from = bytes.lastIndexOf(0x0a, at - 1) + 1;
  const end = bytes.indexOf(0x0a, from);
  return { from: at === 0 ? 0 : from, to: end < 0 ? bytes.length : end + 1 };
}

/** The same piece again and again: thousands of times, rarely more. */
function withRun(random: Random, bytes: Uint8Array, at: number): Uint8Array {
  const piece = random.below(2) === 0 ? random.of(WORDS) : pieceOf(random, bytes).subarray(0, 64);
  const length = random.below(50) === 0 ? MOST_BYTES : 1 << (10 + random.below(7));
  const run = new Uint8Array(length);
  for (let i = 0; i < length; i++) run[i] = piece[i % piece.length] ?? 0x41;
  return spliced(bytes, at, 0, run);
}
