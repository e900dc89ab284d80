/**
 * Numbers of 64 bits in text: object ids do not fit in a double.
 *
 * Owns      their way from digits to two halves of 32 bits.
 * Promises  Exact up to 2**64 - 1; what is more, negative or no number is told from what is one.
 */

/** `low` and `high` are the last number parsed; nothing is made anew for each. */
export class U64 {
  low = 0;
  high = 0;

  /** Decimal, or hexadecimal with 0x. False: that is no number of 64 bits. */
  parse(bytes: Uint8Array, from: number, to: number): boolean {
    if (to - from > 2 && bytes[from] === ZERO && (bytes[from + 1]! | 0x20) === LETTER_X) {
      return this.parseHex(bytes, from + 2, to);
    }
    const length = to - from;
    if (length < 1 || length > 20) return false;
    // 9 digits behind, up to 11 before: both exact, and so are their products below.
    const cut = Math.max(from, to - 9);
    let front = 0;
    for (let i = from; i < cut; i++) {
      const digit = bytes[i]! - ZERO;
      if (digit < 0 || digit > 9) return false;
      front = front * 10 + digit;
    }
    let back = 0;
    for (let i = cut; i < to; i++) {
      const digit = bytes[i]! - ZERO;
      if (digit < 0 || digit > 9) return false;
      back = back * 10 + digit;
    }
    // front × 10**9 + back, where front = upper × 2**16 + lower.
    const upper = Math.floor(front / 2 ** 16) * 1e9;
    const lower = (front % 2 ** 16) * 1e9 + back;
    const low = (upper % 2 ** 16) * 2 ** 16 + (lower % 2 ** 32);
    const high = Math.floor(upper / 2 ** 16) + Math.floor(lower / 2 ** 32) + (low >= 2 ** 32 ? 1 : 0);
    this.low = low % 2 ** 32;
    this.high = high;
    return high < 2 ** 32;
  }

  private parseHex(bytes: Uint8Array, from: number, to: number): boolean {
    if (to - from > 16) return false;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
    if (!/^[0-9a-f]+$/i.test(text)) return false;
    this.low = Number.parseInt(text.slice(-8), 16);
    this.high = text.length > 8 ? Number.parseInt(text.slice(0, -8), 16) : 0;
    return true;
  }

  /** A name as a number: two names have the same one once in 2**64. */
  hash(bytes: Uint8Array, from: number, to: number): void {
    let a = 0x811c9dc5;
    let b = 0x9747b28c;
    for (let i = from; i < to; i++) {
      a = Math.imul(a ^ bytes[i]!, 0x01000193);
      b = Math.imul(b ^ bytes[i]!, 0x5bd1e995);
      b ^= b >>> 15;
    }
    this.low = (a ^ (b >>> 7)) >>> 0;
    this.high = b >>> 0;
  }
}

const ZERO = 48;
const LETTER_X = 120;
