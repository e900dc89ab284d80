/**
 * The body of a recording: page accesses in batches, and what happened between them.
 *
 * Owns      the reading of one process's stream.
 * Promises  1. Accesses and events come in the order in which they stand in the file.
 *           2. A damaged stream is refused with its byte: a number that is too long, an unknown event, a page outside of user
 *              space, a name that is too long, an end that comes too early or not at all.
 *           3. Memory does not grow with the recording: one window of the file, one batch of accesses.
 *
 *     varint v       7 bits a byte, low ones first, the top bit says that more follow
 *     v & 3 = 0..2   instruction fetch, read, write of page  previous + zigzag(v >> 2)
 *     v & 3 = 3      event v >> 2
 *                    0 end │ 1 tick: n │ 2 text: length, bytes │ 4 syscall: nr, a0…a5, ret │ 5 path: length, bytes
 *                    format 2: 6 chunk: clock, and previous = 0 │ 7 clock: n more │ 8 file: kind, device, inode, bytes
 *                              9 image: n, which execve started
 *
 * An event's first byte is below 128 and so is the byte before it, the last one of a number. That makes events findable
 * without decoding the accesses between them: see skipAccesses.
 */
import { RecordingError } from './error.ts';

export const KIND_FETCH = 0;
export const KIND_READ = 1;
export const KIND_WRITE = 2;

export const EVENT_CODE = {
  end: 0,
  tick: 1,
  text: 2,
  syscall: 4,
  path: 5,
  chunk: 6,
  clock: 7,
  file: 8,
  image: 9,
} as const;

/** Of a file that is opened: what it is. */
export const FILE_ON_DISK = 0;
export const FILE_IN_MEMORY = 1;
/** A device, a folder, a pipe, a file of the kernel. */
export const FILE_OUTSIDE = 2;

/** What `next` met. */
export const EVENT_ACCESSES = 0;
export const EVENT_TICK = 1;
export const EVENT_SYSCALL = 2;
export const EVENT_PATH = 3;
export const EVENT_TEXT = 4;
export const EVENT_END = 5;
/** Format 2: what follows ran from `clock` on; what the next call opens; a new program. */
export const EVENT_CLOCK = 6;
export const EVENT_FILE = 7;
export const EVENT_IMAGE = 8;
export type EventKind = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** Accesses in a batch: 8 + 1 bytes each, so that a batch stays in the CPU's second-level cache. */
export const BATCH = 8192;
const WINDOW_BYTES = 1 << 20;
/** No number is longer. */
const VARINT_BYTES = 10;
const SYSCALL_BYTES = 1 + 8 * VARINT_BYTES;
const PATH_BYTES = 4096;
const TEXT_BYTES = 1 << 16;
/** A tick counts the accesses since the last one; so many take days. */
const TICK_ACCESSES = 2 ** 48;
const MOST_CLOCK = 2 ** 49;
/** End of user space, in pages: 47 bits less 12. A literal in the hot loop, too. */
const USER_PAGES = 34359738368;

/** Where a body's bytes are. */
export interface BodySource {
  readonly length: number;
  /** All of it, if it is in memory. */
  readonly whole: Uint8Array | null;
  /** Copies bytes from `at` on into `into` and says how many; 0 only at the end. */
  read(at: number, into: Uint8Array): number;
  /** Where a byte of the body stands in the unpacked file, if not in line behind the first. */
  placeOf?(at: number): number;
}

/** A body in memory. */
export function bodyOf(whole: Uint8Array): BodySource {
  return { length: whole.length, whole, read: () => 0 };
}

/** What a body belongs to, for messages. */
export interface BodyPlace {
  file: string;
  pid: number;
  /** Where the body starts in the unpacked file. */
  offset: number;
  /** 1 without it. */
  format?: 1 | 2;
  /** Programs that the header has. */
  images?: number;
}

/** EVENT_FILE. */
export interface OpenedFile {
  kind: typeof FILE_ON_DISK | typeof FILE_IN_MEMORY | typeof FILE_OUTSIDE;
  device: number;
  inode: number;
  bytes: number;
}

export class BodyDecoder {
  /** The batch: `count` pages and the kind of access to each. */
  readonly vpns: Float64Array = new Float64Array(BATCH);
  readonly kinds: Uint8Array = new Uint8Array(BATCH);
  count = 0;
  /** EVENT_TICK: accesses since the last one, before the window left some out. */
  ticks = 0;
  /** EVENT_SYSCALL: number, six arguments, result; signed 64 bits, exact up to 2**53. */
  readonly call: Float64Array = new Float64Array(8);
  /** EVENT_PATH and EVENT_TEXT. */
  text = '';
  /** EVENT_CLOCK: accesses of all processes before what follows; 0 in format 1. */
  clock = 0;
  /** EVENT_FILE. */
  file: OpenedFile = { kind: FILE_OUTSIDE, device: 0, inode: 0, bytes: 0 };
  /** EVENT_IMAGE: its place in the header. */
  image = 0;

  private readonly source: BodySource;
  private readonly place: BodyPlace;
  /** The bytes at hand: `bytes[at]` is next, `limit` is behind the last, `base` is where bytes[0] stands in the body. */
  private bytes: Uint8Array;
  private at = 0;
  private limit: number;
  private base = 0;
  private page = 0;
  private kind = 0;

  /** `windowBytes` holds the longest event of the body. */
  constructor(source: BodySource, place: BodyPlace, windowBytes: number = WINDOW_BYTES) {
    this.source = source;
    this.place = place;
    this.bytes = source.whole ?? new Uint8Array(Math.min(windowBytes, source.length));
    this.limit = source.whole === null ? 0 : source.length;
  }

  /** Bytes of the body that are behind us. */
  get position(): number {
    return this.base + this.at;
  }

  /** The next batch of accesses, or the event that stands here. EVENT_END again and again at the end. */
  next(): EventKind {
    this.count = 0;
    for (;;) {
      if (this.limit - this.at < SYSCALL_BYTES) this.refill();
      if (this.limit - this.at >= 2 * VARINT_BYTES) this.fill();
      else this.fillAtTheEnd();
      if (this.count > 0) return EVENT_ACCESSES;
      if (this.at === this.limit || (this.bytes[this.at]! & 0x83) === 3) return this.event();
    }
  }

  /** Goes to the next event without looking at the accesses before it, and gives that event. */
  nextEvent(): EventKind {
    this.skipAccesses();
    this.count = 0;
    return this.event();
  }

  /** The hot loop. Stops at an event, at the end of the batch, or near the end of the bytes. */
  private fill(): void {
    const { bytes, vpns, kinds } = this;
    const last = this.limit - VARINT_BYTES;
    let at = this.at;
    let page = this.page;
    let n = this.count;
    while (n < BATCH && at <= last) {
      let v = bytes[at]!;
      if (v < 128) {
        if ((v & 3) === 3) break;
        at += 1;
      } else {
        const b1 = bytes[at + 1]!;
        v = (v & 127) | ((b1 & 127) << 7);
        if (b1 < 128) {
          at += 2;
        } else {
          const b2 = bytes[at + 2]!;
          v |= (b2 & 127) << 14;
          if (b2 < 128) {
            at += 3;
          } else {
            const b3 = bytes[at + 3]!;
            v |= (b3 & 127) << 21;
            if (b3 < 128) {
              at += 4;
            } else {
              // Too long for 32 bits: a jump between the program and its libraries or its stack.
              const b4 = bytes[at + 4]!;
              if (b4 < 128 && (v & 3) !== 3) {
                at += 5;
                const far = (v >>> 3) + b4 * 33554432;
                page = (v & 4) === 0 ? page + far : page - far - 1;
                if (page < 0 || page >= 34359738368) this.refusePage(page, at);
                vpns[n] = page;
                kinds[n] = v & 3;
                n += 1;
                continue;
              }
              this.at = at;
              this.page = page;
              this.longAccess();
              at = this.at;
              page = this.page;
              vpns[n] = page;
              kinds[n] = this.kind;
              n += 1;
              continue;
            }
          }
        }
        if ((v & 3) === 3) {
          this.at = at;
          throw this.refuse('an event with a code of two bytes or more; there is none');
        }
      }
      page += (v >>> 3) ^ -((v >>> 2) & 1);
      if (page < 0 || page >= 34359738368) this.refusePage(page, at);
      vpns[n] = page;
      kinds[n] = v & 3;
      n += 1;
    }
    this.at = at;
    this.page = page;
    this.count = n;
  }

  /** The same for the last bytes of a body, one number at a time. */
  private fillAtTheEnd(): void {
    while (this.count < BATCH && this.at < this.limit && (this.bytes[this.at]! & 0x83) !== 3) {
      this.longAccess();
      this.vpns[this.count] = this.page;
      this.kinds[this.count] = this.kind;
      this.count += 1;
    }
  }

  private longAccess(): void {
    const v = this.varint();
    this.kind = v % 4;
    if (this.kind === 3) throw this.refuse('an event with a code of two bytes or more; there is none');
    const zigzag = Math.floor(v / 4);
    this.page += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    if (this.page < 0 || this.page >= USER_PAGES) this.refusePage(this.page, this.at);
  }

  private event(): EventKind {
    if (this.limit - this.at < SYSCALL_BYTES) this.refill();
    if (this.at >= this.limit)
      throw this.refuse('the body ends without its end event: the file was cut off, or not finished');
    const start = this.at;
    const code = this.bytes[this.at++]! >> 2;
    switch (code) {
      case EVENT_CODE.tick:
        this.ticks = this.varint();
        if (this.ticks > TICK_ACCESSES) throw this.refuse(`a tick of ${this.ticks} accesses`);
        return EVENT_TICK;
      case EVENT_CODE.syscall:
        for (let i = 0; i < 8; i++) this.call[i] = this.signed();
        return EVENT_SYSCALL;
      case EVENT_CODE.path:
        this.readText(PATH_BYTES);
        return EVENT_PATH;
      case EVENT_CODE.text:
        this.readText(TEXT_BYTES);
        return EVENT_TEXT;
      case EVENT_CODE.chunk:
      case EVENT_CODE.clock:
      case EVENT_CODE.file:
      case EVENT_CODE.image:
        if (this.place.format === 2) return this.eventOfFormat2(code, start);
        break;
      case EVENT_CODE.end:
        if (this.position !== this.source.length) {
          throw this.refuse(
            `the process ends here, and ${this.source.length - this.position} bytes of its body follow`,
          );
        }
        this.at = start; // so that the end is met again
        return EVENT_END;
    }
    this.at = start;
    throw this.refuse(`event ${code}, which format ${this.place.format ?? 1} does not have`);
  }

  private eventOfFormat2(code: number, start: number): EventKind {
    switch (code) {
      case EVENT_CODE.chunk: {
        const clock = this.varint();
        this.page = 0;
        if (clock < this.clock || clock > MOST_CLOCK) {
          this.at = start;
          throw this.refuse(`the clock goes from ${this.clock} to ${clock}`);
        }
        this.clock = clock;
        return EVENT_CLOCK;
      }
      case EVENT_CODE.clock:
        this.clock += this.varint();
        if (this.clock > MOST_CLOCK) throw this.refuse(`a clock of ${this.clock}`);
        return EVENT_CLOCK;
      case EVENT_CODE.file: {
        const kind = this.varint();
        if (kind !== FILE_ON_DISK && kind !== FILE_IN_MEMORY && kind !== FILE_OUTSIDE) {
          this.at = start;
          throw this.refuse(`a file of kind ${kind}`);
        }
        this.file = { kind, device: this.varint(), inode: this.varint(), bytes: this.varint() };
        if (!Number.isSafeInteger(this.file.bytes)) throw this.refuse(`a file of ${this.file.bytes} bytes`);
        return EVENT_FILE;
      }
      default:
        this.image = this.varint();
        if (this.image < 1 || this.image >= (this.place.images ?? 1)) {
          this.at = start;
          throw this.refuse(`program ${this.image}, which the header does not have`);
        }
        return EVENT_IMAGE;
    }
  }

  /**
   * Moves `at` to the next event, or to the end of the body. We stand where a number starts.
   *
   * Four bytes at a time: a byte of `x` is 0 where the stream's byte is an event and the one before it is below 128, and
   * (x - 1) & ~x has the top bit of a byte that is 0. A word with a hit is looked at byte by byte.
   */
  private skipAccesses(): void {
    let before = 0;
    for (;;) {
      const { bytes, limit } = this;
      const skew = bytes.byteOffset & 3;
      const words = new Int32Array(bytes.buffer, bytes.byteOffset - skew, (limit + skew) >> 2);
      let at = this.at;
      let until = at;
      while (at < limit) {
        if (at >= until && ((at + skew) & 3) === 0) {
          let w = (at + skew) >> 2;
          for (; w < words.length; w++) {
            const word = words[w]!;
            const x = ((word & 0x83838383) ^ 0x03030303) | (((word << 8) | before) & 0x80808080);
            if (((x - 0x01010101) & ~x & 0x80808080) !== 0) break;
            before = word >>> 24;
          }
          at = w * 4 - skew;
          until = at + 4;
          if (at >= limit) break;
        }
        const b = bytes[at]!;
        if ((b & 0x83) === 3 && before < 128) {
          this.at = at;
          return;
        }
        before = b;
        at += 1;
      }
      this.at = at;
      if (this.base + limit >= this.source.length) return;
      this.refill();
      if (this.at === this.limit) return;
    }
  }

  private readText(longest: number): void {
    const start = this.at - 1;
    const length = this.varint();
    if (length > longest) {
      this.at = start;
      throw this.refuse(`a text of ${length} bytes; ${longest} is the most`);
    }
    if (this.limit - this.at < length) this.refill();
    if (this.limit - this.at < length) throw this.refuse(`a text of ${length} bytes runs over the end of the body`);
    // slice: TextDecoder takes no shared memory.
    this.text = new TextDecoder().decode(this.bytes.slice(this.at, this.at + length));
    this.at += length;
  }

  /** A number of up to 64 bits; behind 2**53 only its size is right. */
  private varint(): number {
    const start = this.at;
    let value = 0;
    let unit = 1;
    for (;;) {
      if (this.at >= this.limit) throw this.refuse('a number without its last byte');
      const b = this.bytes[this.at++]!;
      value += (b & 127) * unit;
      if (b < 128) return value;
      unit *= 128;
      if (this.at - start >= VARINT_BYTES) {
        this.at = start;
        throw this.refuse(`a number of more than ${VARINT_BYTES} bytes`);
      }
    }
  }

  /** A number that is meant as signed 64 bits: the upper half is negative. Exact up to 2**53 on either side of 0. */
  private signed(): number {
    const start = this.at;
    const rough = this.varint();
    if (rough < 2 ** 53) return rough;
    // Near 2**64 doubles are 2048 apart, so the bytes are read again, as two halves of 28 and 36 bits.
    let low = 0;
    let high = 0;
    for (let i = start; i < this.at; i++) {
      const bits = this.bytes[i]! & 127;
      const n = i - start;
      if (n < 4) low += bits * 2 ** (7 * n);
      else high += bits * 2 ** (7 * (n - 4));
    }
    if (high >= 2 ** 36) {
      this.at = start;
      throw this.refuse('a number of more than 64 bits');
    }
    return (high >= 2 ** 35 ? high - 2 ** 36 : high) * 2 ** 28 + low;
  }

  /** Moves what is left to the front of the window and reads on behind it. */
  private refill(): void {
    if (this.source.whole !== null) return;
    const left = this.limit - this.at;
    this.bytes.copyWithin(0, this.at, this.limit);
    this.base += this.at;
    this.at = 0;
    this.limit = left;
    while (this.limit < this.bytes.length) {
      const got = this.source.read(this.base + this.limit, this.bytes.subarray(this.limit));
      if (got === 0) break;
      this.limit += got;
    }
  }

  private refusePage(page: number, at: number): never {
    this.at = at;
    throw this.refuse(`page 0x${Math.abs(page).toString(16)}${page < 0 ? ' below 0' : ''} is outside of user space`);
  }

  private refuse(reason: string): RecordingError {
    const { file, pid, offset } = this.place;
    const at = this.source.placeOf?.(this.position) ?? offset + this.position;
    return new RecordingError(file, `byte ${at}`, `${reason} (process ${pid})`);
  }
}
