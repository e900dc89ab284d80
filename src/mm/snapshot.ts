/**
 * Copies of a whole machine, and a number that tells two of them apart.
 *
 * Owns      the walk over the object graph. It knows no class: typed arrays are copied, objects keep their prototype,
 *           functions are shared. So a new field is in every snapshot and every hash without a line here.
 * Promises  1. A snapshot and the machine it came from never change each other.
 *           2. Equal machines have equal hashes: same calls, same hash, in every process and on every computer.
 * Cost      The bytes of the columns: 46 a frame, 6 a page-table slot. A machine of 64 MiB takes about 1 MB.
 */
import type { Machine } from './machine.ts';

/** A machine at rest. Opaque; it can be restored as often as one likes. */
export interface Snapshot {
  readonly root: Machine;
}

export function takeSnapshot(machine: Machine): Snapshot {
  return { root: copyGraph(machine) };
}

/** A machine that goes on from the snapshot. Objects of the old machine (processes, VMAs, files) are not part of it. */
export function restoreSnapshot(snapshot: Snapshot): Machine {
  return copyGraph(snapshot.root);
}

export type TypedArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array;

export function isTypedArray(value: object): value is TypedArray {
  return ArrayBuffer.isView(value);
}

function copyOfArray(value: object): object | null {
  return isTypedArray(value) ? value.slice() : null;
}

/**
 * Deep copy of everything that `root` reaches; shared parts and cycles stay so. `leaf` may say what takes an object's place
 * in the copy, and the walk does not go on behind it; null leaves it to us.
 */
export function copyGraph<T extends object>(root: T, leaf: (value: object) => object | null = copyOfArray): T {
  const copies = new Map<object, object>();
  const open: object[] = [];
  const copyOf = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const known = copies.get(value);
    if (known !== undefined) return known;
    let copy = leaf(value);
    if (copy === null) {
      if (Array.isArray(value)) copy = new Array(value.length);
      else if (value instanceof Map) copy = new Map();
      else if (value instanceof Set) copy = new Set();
      else copy = Object.create(Object.getPrototypeOf(value)) as object;
      open.push(value);
    }
    copies.set(value, copy);
    return copy;
  };
  const result = copyOf(root);
  for (let from = open.pop(); from !== undefined; from = open.pop()) {
    const to = copies.get(from)!;
    if (from instanceof Map) {
      for (const [key, value] of from) (to as Map<unknown, unknown>).set(copyOf(key), copyOf(value));
    } else if (from instanceof Set) {
      for (const value of from) (to as Set<unknown>).add(copyOf(value));
    } else {
      const source = from as Record<string, unknown>;
      const target = to as Record<string, unknown>;
      for (const key of Object.keys(source)) target[key] = copyOf(source[key]);
    }
  }
  return result as T;
}

/** 16 hex digits over all state that `root` reaches. Listeners (functions) and caches (`isCache`) do not count. */
export function stateHash(root: object): string {
  const numbers = new Map<object, number>();
  const open: object[] = [root];
  numbers.set(root, 0);
  const mix = new Mixer();
  const add = (value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      if ('isCache' in value) return;
      let number = numbers.get(value);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(value, number);
        open.push(value);
      }
      mix.word(number);
    } else if (typeof value === 'number') {
      mix.number(value);
    } else if (typeof value === 'string') {
      mix.text(value);
    } else if (typeof value === 'boolean') {
      mix.word(value ? 3 : 5);
    } else if (value === null) {
      mix.word(7);
    } else {
      mix.word(11);
    }
  };
  for (let i = 0; i < open.length; i++) {
    const value = open[i]!;
    if (isTypedArray(value)) {
      mix.array(value);
    } else if (value instanceof Map) {
      for (const [key, entry] of value) {
        add(key);
        add(entry);
      }
    } else if (value instanceof Set) {
      for (const entry of value) add(entry);
    } else {
      const source = value as Record<string, unknown>;
      for (const key of Object.keys(source)) add(source[key]);
    }
  }
  return mix.digest();
}

/** Two 32-bit sums, each step a multiply and a rotation. Tells changes apart; keeps no secret. */
class Mixer {
  private a = 0x9e3779b9 | 0;
  private b = 0x85ebca6b | 0;
  private readonly float: Float64Array = new Float64Array(1);
  private readonly words: Int32Array = new Int32Array(this.float.buffer);

  word(w: number): void {
    this.a = Math.imul(this.a ^ w, 0x01000193);
    this.b = (Math.imul(this.b + w, 0x5bd1e995) << 13) | (this.b >>> 19);
  }
  number(n: number): void {
    this.float[0] = n;
    this.word(this.words[0]!);
    this.word(this.words[1]!);
  }
  text(s: string): void {
    this.word(s.length);
    for (let i = 0; i < s.length; i++) this.word(s.charCodeAt(i));
  }
  array(values: TypedArray): void {
    this.word(values.length);
    if (values instanceof Float64Array || values instanceof Float32Array) {
      for (let i = 0; i < values.length; i++) this.number(values[i]!);
    } else {
      for (let i = 0; i < values.length; i++) this.word(values[i]!);
    }
  }
  digest(): string {
    return [this.a, this.b].map((w) => (w >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
