/**
 * zstd, frame by frame: what stands around fzstd, which unpacks the blocks of one frame.
 *
 * Owns      where a frame begins and ends; which of its claims are believed.
 * Promises  1. A frame that wants a window above WINDOW_BYTES, a dictionary or a block above 128 KiB is refused before anything is
 *              set aside for it.
 *           2. Time is linear: fzstd moves its window at every block, so many tiny blocks behind a wide window are refused; and a frame
 *              that is over soon gets no wider window than its blocks can fill.
 *           3. A file that was cut off is told from one that ended. Checksums are not compared.
 * Read      RFC 8878, 3.1: frames, 3.1.1.2: blocks
 *
 *     28 b5 2f fd │ descriptor │ window? │ dictionary? │ content size? │ block … block │ checksum?
 *                                                                        └ 3 bytes: last 1 bit, type 2, size 21
 */
import { Decompress } from 'fzstd';

/** zstd's own limit for those who unpack; `zstd --long=28` goes beyond. */
const WINDOW_BYTES = 2 ** 27;
const BLOCK_BYTES = 2 ** 17;
/** Bytes that fzstd may move within windows for each byte that comes out, and before the first one did. */
const MOVED_PER_BYTE = 4096;
const MOVED_AT_FIRST = 2 ** 34;
const RLE_BLOCK = 1;
/** So much of a frame is gathered before a window is set aside for it. */
const GATHERED_BYTES = 1 << 14;

/** What is wrong with the packed bytes; the caller knows file and place. */
export class ZstdError extends Error {}

export function isZstd(bytes: Uint8Array): boolean {
  return isFrame(bytes) || isSkippable(bytes);
}

function isFrame(b: Uint8Array): boolean {
  return b[0] === 0x28 && b[1] === 0xb5 && b[2] === 0x2f && b[3] === 0xfd;
}

/** Somebody else's data between frames. */
function isSkippable(b: Uint8Array): boolean {
  return b[0] !== undefined && (b[0] & 0xf0) === 0x50 && b[1] === 0x2a && b[2] === 0x4d && b[3] === 0x18;
}

type Step = 'start' | 'header' | 'block' | 'body' | 'checksum' | 'skip';

export class ZstdFrames {
  private readonly onData: (bytes: Uint8Array) => void;
  private step: Step = 'start';
  /** What is gathered until it is whole: `have` of `want` bytes. */
  private readonly held = new Uint8Array(3 + BLOCK_BYTES);
  private have = 0;
  private want = 5;
  private skip = 0;
  private decoder = new Decompress();
  private windowBytes = 0;
  private hasChecksum = false;
  private isLastBlock = false;
  /** What the decoder was not given yet, and how many of these are blocks; null: it has begun. */
  private gathered: Uint8Array[] | null = [];
  private gatheredBytes = 0;
  private moved = 0;
  private unpacked = 0;

  constructor(onData: (bytes: Uint8Array) => void) {
    this.onData = onData;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.step === 'skip') {
        const n = Math.min(this.skip, chunk.length - at);
        at += n;
        this.skip -= n;
        if (this.skip === 0) this.expect('start', 5);
        continue;
      }
      const n = Math.min(this.want - this.have, chunk.length - at);
      this.held.set(chunk.subarray(at, at + n), this.have);
      this.have += n;
      at += n;
      if (this.have === this.want) this.take();
    }
  }

  /** The bytes are all here. */
  end(): void {
    if (this.step !== 'start' || this.have > 0) throw new ZstdError('was cut off');
  }

  /** What was wanted is here. */
  private take(): void {
    switch (this.step) {
      case 'start':
        this.start();
        return;
      case 'header':
        if (isSkippable(this.held)) this.skippable();
        else this.header();
        return;
      case 'block':
        this.block();
        return;
      case 'body':
        this.feed(this.isLastBlock && !this.hasChecksum);
        if (!this.isLastBlock) this.expect('block', 3);
        else if (this.hasChecksum) this.expect('checksum', 4);
        else this.expect('start', 5);
        return;
      case 'checksum':
        this.feed(true);
        this.expect('start', 5);
    }
  }

  private expect(step: Step, bytes: number): void {
    this.step = step;
    this.have = 0;
    this.want = bytes;
  }

  /** Five bytes say how long the header is. */
  private start(): void {
    const { held } = this;
    this.step = 'header';
    if (isSkippable(held)) this.want = 8;
    else if (!isFrame(held)) throw new ZstdError('is damaged: no frame begins where one should');
    else this.want = this.sizeAt + this.sizeBytes;
    if (this.have === this.want) this.take();
  }

  private get isSingleSegment(): boolean {
    return (this.held[4]! & 0x20) !== 0;
  }
  private get sizeAt(): number {
    return this.isSingleSegment ? 5 : 6;
  }
  private get sizeBytes(): number {
    return this.sizeBytesOf(this.held[4]!);
  }
  private sizeBytesOf(descriptor: number): number {
    const code = descriptor >> 6;
    return code > 0 ? 2 ** code : (descriptor & 0x20) !== 0 ? 1 : 0;
  }

  private skippable(): void {
    this.skip = littleEndian(this.held, 4, 4);
    this.expect(this.skip === 0 ? 'start' : 'skip', 5);
  }

  private header(): void {
    const { held, sizeBytes } = this;
    const descriptor = held[4]!;
    if ((descriptor & 3) !== 0) throw new ZstdError('needs a dictionary');
    if ((descriptor & 8) !== 0) throw new ZstdError('is damaged: a reserved bit is set');
    const contentBytes = littleEndian(held, this.sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
    const windowBytes = 2 ** (10 + (held[5]! >> 3)) * (1 + (held[5]! & 7) / 8);
    this.windowBytes = this.isSingleSegment ? contentBytes : windowBytes;
    if (this.windowBytes > WINDOW_BYTES) {
      throw new ZstdError(`needs a window of ${this.windowBytes} bytes; ${WINDOW_BYTES} is the most`);
    }
    this.hasChecksum = (descriptor & 4) !== 0;
    this.gathered = [];
    this.gatheredBytes = 0;
    this.feed(false);
    this.expect('block', 3);
  }

  private block(): void {
    const word = littleEndian(this.held, 0, 3);
    const size = word >> 3;
    if (size > BLOCK_BYTES) throw new ZstdError(`is damaged: a block of ${size} bytes`);
    this.isLastBlock = (word & 1) !== 0;
    this.step = 'body';
    this.want += ((word >> 1) & 3) === RLE_BLOCK ? 1 : size;
    if (this.have === this.want) this.take();
  }

  /** fzstd keeps what it cannot use yet, so it is given a copy. */
  private feed(isLast: boolean): void {
    const piece = this.held.slice(0, this.have);
    const { gathered } = this;
    if (gathered === null) {
      this.decode(piece, isLast);
      return;
    }
    gathered.push(piece);
    this.gatheredBytes += piece.length;
    if (!isLast && this.gatheredBytes < GATHERED_BYTES) return;
    this.gathered = null;
    // The first piece is the header, the others are blocks, and perhaps a checksum.
    if (isLast) this.narrow(gathered[0]!, (gathered.length - 1) * BLOCK_BYTES);
    this.decoder = new Decompress((bytes) => {
      this.unpacked += bytes.length;
      if (bytes.length > 0) this.onData(bytes);
    });
    for (const [i, one] of gathered.entries()) this.decode(one, isLast && i === gathered.length - 1);
  }

  private decode(piece: Uint8Array, isLast: boolean): void {
    this.moved += this.windowBytes;
    if (this.moved > MOVED_AT_FIRST + MOVED_PER_BYTE * this.unpacked) {
      throw new ZstdError(`has too many small blocks behind a window of ${this.windowBytes} bytes`);
    }
    this.decoder.push(piece, isLast);
  }

  /** Of a frame that unpacks to `most` bytes, the header asks for no more than that. */
  private narrow(header: Uint8Array, most: number): void {
    if (this.windowBytes <= most) return;
    this.windowBytes = most;
    const isSingleSegment = (header[4]! & 0x20) !== 0;
    if (!isSingleSegment) header[5] = Math.max(0, Math.ceil(Math.log2(most)) - 10) << 3;
    else {
      const bytes = this.sizeBytesOf(header[4]!);
      for (let i = 0, left = most - (bytes === 2 ? 256 : 0); i < bytes; i++, left = Math.floor(left / 256)) {
        header[5 + i] = left % 256;
      }
    }
  }
}

function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}
