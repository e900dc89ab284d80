/**
 * Many states of one thing, one after the other, in little more room than one.
 *
 * Owns      checkpoints: copies of an object graph in which typed arrays are cut into pieces. A piece that reads as the one
 *           that was kept last for the same array is that piece, so a checkpoint costs what changed since the one before.
 * Promises  1. What is restored equals what was kept, to the bit (stateHash), and neither changes the other.
 *           2. `bytes` counts each piece that is still held once.
 * Cost      Keeping compares every column, restoring copies it: about a millisecond for each 4 MB.
 */
import { copyGraph, isTypedArray, type TypedArray } from './snapshot.ts';

const PIECE_BYTES = 1 << 14;

/** A typed array in pieces. */
class Column {
  readonly make: new (
    buffer: ArrayBuffer,
  ) => TypedArray;
  readonly byteLength: number;
  readonly pieces: readonly Uint8Array[];

  constructor(make: new (buffer: ArrayBuffer) => TypedArray, byteLength: number, pieces: readonly Uint8Array[]) {
    this.make = make;
    this.byteLength = byteLength;
    this.pieces = pieces;
  }

  restore(): TypedArray {
    const bytes = new Uint8Array(this.byteLength);
    this.pieces.forEach((piece, n) => {
      bytes.set(piece, n * PIECE_BYTES);
    });
    return new this.make(bytes.buffer);
  }
}

export interface Checkpoint<T extends object> {
  /** The graph, with Columns where it has typed arrays. */
  readonly root: T;
  readonly columns: readonly Column[];
}

export class Checkpoints<T extends object> {
  /** Bytes of the pieces that are held. */
  bytes = 0;
  private readonly isShared: (value: object) => boolean;
  /** How many columns hold a piece. */
  private readonly held = new Map<Uint8Array, number>();
  /** What a living array was when it was last kept or restored. */
  private readonly last = new WeakMap<object, Column>();

  /** `isShared` says what no checkpoint copies, because it never changes. */
  constructor(isShared: (value: object) => boolean = () => false) {
    this.isShared = isShared;
  }

  keep(root: T): Checkpoint<T> {
    const columns: Column[] = [];
    const copy = copyGraph(root, (value) => {
      if (this.isShared(value)) return value;
      if (!isTypedArray(value)) return null;
      const column = this.columnOf(value);
      columns.push(column);
      return column;
    });
    return { root: copy, columns };
  }

  restore(checkpoint: Checkpoint<T>): T {
    return copyGraph(checkpoint.root, (value) => {
      if (this.isShared(value)) return value;
      if (!(value instanceof Column)) return null;
      const array = value.restore();
      this.last.set(array, value);
      return array;
    });
  }

  /** It is not restored any more. */
  forget(checkpoint: Checkpoint<T>): void {
    for (const { pieces } of checkpoint.columns) {
      for (const piece of pieces) {
        const holders = this.held.get(piece)! - 1;
        if (holders > 0) this.held.set(piece, holders);
        else {
          this.held.delete(piece);
          this.bytes -= piece.length;
        }
      }
    }
  }

  private columnOf(array: TypedArray): Column {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const before = this.last.get(array)?.pieces;
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      const old = before?.[pieces.length];
      pieces.push(old !== undefined && this.held.has(old) && sameBytes(piece, old) ? old : piece.slice());
    }
    for (const piece of pieces) {
      const holders = this.held.get(piece) ?? 0;
      if (holders === 0) this.bytes += piece.length;
      this.held.set(piece, holders + 1);
    }
    const make = array.constructor as new (buffer: ArrayBuffer) => TypedArray;
    const column = new Column(make, bytes.length, pieces);
    this.last.set(array, column);
    return column;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  // Pieces begin at multiples of four bytes in their buffers, but for views of whole arrays of bytes.
  if (a.byteOffset % 4 !== 0 || b.byteOffset % 4 !== 0 || a.length % 4 !== 0) {
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }
  const x = new Int32Array(a.buffer, a.byteOffset, a.length / 4);
  const y = new Int32Array(b.buffer, b.byteOffset, b.length / 4);
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  return true;
}
