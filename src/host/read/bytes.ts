/**
 * Lines, words and numbers of the kernel's text, from its bytes.
 *
 * Promises  1. Nothing here throws: what is no number is NaN, what is not there is empty.
 *           2. Only names are decoded; numbers are read where they stand.
 */
import { decodeName } from '../text.ts';

export const LINE_FEED = 0x0a;
export const SPACE = 0x20;
const TAB = 0x09;

/** Calls back for each line, without its end; a last line that was cut short counts, too. */
export function eachLine(bytes: Uint8Array, line: (start: number, end: number) => void): void {
  for (let start = 0; start < bytes.length; ) {
    let end = bytes.indexOf(LINE_FEED, start);
    if (end < 0) end = bytes.length;
    line(start, end);
    start = end + 1;
  }
}

/** Hexadecimal digits of `bytes` from `start` to `end`; NaN if there are none or others. Exact below 2^53. */
export function hexNumber(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return Number.NaN;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = hexDigit(bytes[at]!);
    if (digit < 0) return Number.NaN;
    value = value * 16 + digit;
  }
  return value;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57;
  if (byte >= 0x41 && byte <= 0x46) return byte - 0x37;
  return -1;
}

/** Plain characters (numbers, flags, device names): no decoding. */
export function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

/** The place of the next blank, or the end. */
export function nextBlank(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== SPACE && bytes[at] !== TAB) at++;
  return at;
}

/** A decimal number from `start` on, up to what is no digit; NaN without one. */
export function decimalNumber(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let at = start;
  for (; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return at === start ? Number.NaN : value;
}

/**
 * Strings of names that come again and again, without decoding each: thousands of VMAs name the same few hundred files.
 * A name is found by a hash of its bytes, and compared.
 */
export class NameCache {
  private readonly names = new Map<number, { bytes: Uint8Array; text: string }[]>();

  text(bytes: Uint8Array, start: number, end: number): string {
    if (start >= end) return '';
    let hash = 0x811c9dc5;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    const known = this.names.get(hash) ?? [];
    for (const name of known) if (equalAt(name.bytes, bytes, start, end)) return name.text;
    const own = bytes.slice(start, end);
    const text = decodeName(own);
    known.push({ bytes: own, text });
    this.names.set(hash, known);
    return text;
  }
}

function equalAt(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[start + at]) return false;
  return true;
}
