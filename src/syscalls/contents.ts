/**
 * Real bytes behind the engine's tokens, for programs that look at them.
 *
 * Owns      what each token stands for: 4096 bytes, kept as a base and the changes on top of it.
 * Promises  1. A token's bytes never change; a store makes a new token.
 *           2. A page that nobody looks at costs a few words, whatever was stored in it.
 */
import type { Contents, Machine } from '../mm/machine.ts';
import { PAGE_SIZE, type Token, ZERO_TOKEN } from '../mm/units.ts';

/** What a token adds to another: `bytes` at `at`, repeated until `to`. */
interface Change {
  readonly base: Token;
  readonly at: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  /** Changes below it; a long chain is flattened. */
  readonly depth: number;
}

const MAX_DEPTH = 32;
const ZERO = new Uint8Array([0]);

export class ByteContents implements Contents {
  private readonly changes: Map<Token, Change> = new Map();
  private readonly whole: Map<Token, Uint8Array> = new Map([[ZERO_TOKEN, new Uint8Array(PAGE_SIZE)]]);

  zeroed(machine: Machine, old: Token, from: number, to: number): Token {
    return this.changed(machine, old, from, to, ZERO);
  }

  cutAt(machine: Machine, old: Token, end: number): Token {
    const ends = this.bytes(old)
      .subarray(end)
      .every((byte) => byte === 0);
    return ends ? old : this.zeroed(machine, old, end, PAGE_SIZE);
  }

  isZero(token: Token): boolean {
    return token === ZERO_TOKEN || this.bytes(token).every((byte) => byte === 0);
  }

  /** `old` with `bytes`, repeated as often as it takes, in [from, to). Starts at the first of `bytes`. */
  changed(machine: Machine, old: Token, from: number, to: number, bytes: Uint8Array): Token {
    if (from >= to || bytes.length === 0) return old;
    const token = machine.newToken();
    const depth = (this.changes.get(old)?.depth ?? 0) + 1;
    if (depth > MAX_DEPTH) this.whole.set(token, this.withChange(old, { base: old, at: from, to, bytes, depth }));
    else this.changes.set(token, { base: old, at: from, to, bytes, depth });
    return token;
  }

  /** A page that holds exactly `bytes`, then zeros. */
  page(machine: Machine, bytes: Uint8Array): Token {
    const token = machine.newToken();
    const page = new Uint8Array(PAGE_SIZE);
    page.set(bytes.subarray(0, PAGE_SIZE));
    this.whole.set(token, page);
    return token;
  }

  /** The 4096 bytes. The caller must not write to them. A token from elsewhere (a store of no known bytes) reads as zeros. */
  bytes(token: Token): Uint8Array {
    const whole = this.whole.get(token);
    if (whole !== undefined) return whole;
    const change = this.changes.get(token);
    if (change === undefined) return this.whole.get(ZERO_TOKEN)!;
    return this.withChange(change.base, change);
  }

  private withChange(base: Token, change: Change): Uint8Array {
    const page = Uint8Array.from(this.bytes(base));
    const { at, to, bytes } = change;
    for (let i = at; i < to; i++) page[i] = bytes[(i - at) % bytes.length]!;
    return page;
  }
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a, 32 bits, as far as it has come. */
export class Fnv1a {
  private hash = FNV_OFFSET;

  add(bytes: Uint8Array, from: number, to: number): void {
    let hash = this.hash;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, FNV_PRIME);
    this.hash = hash >>> 0;
  }

  /** `0xd0011dc2`. */
  get text(): string {
    return `0x${this.hash.toString(16).padStart(8, '0')}`;
  }
}
