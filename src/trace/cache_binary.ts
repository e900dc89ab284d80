/**
 * libCacheSim's binary traces: oracleGeneral and vscsi.
 *
 * Owns      their records, and what a record must not be.
 * Promises  1. A file that ends within a record, changes its version or has its bytes the other way round is refused, with the byte.
 *           2. Times are not used, so they may go backwards.
 *
 *     oracleGeneral   24 bytes   u32 time │ u64 object │ u32 bytes │ i64 next access (-1 or 2**63 - 1: never)
 *     vscsi 1         32 bytes   u32 sn │ u32 bytes │ u32 segments │ u16 command │ u16 version │ u64 block │ u64 µs
 *     vscsi 2         40 bytes   u16 command │ u16 version │ u32 sn │ u32 bytes │ u32 segments │ u64 block │ u64 µs │ u64 µs
 *
 * All little-endian; a version's upper byte is 1 or 2. A block is an object, as for libCacheSim.
 */
import { CacheTrace } from './cache_trace.ts';
import { RecordingError } from './error.ts';
import type { InputFacts, InputReader, RecordingSink } from './sink.ts';

export const ORACLE_BYTES = 24;
/** No trace has more requests, and so none a later next access. */
const REQUESTS = 2 ** 48;
const NEVER = 2n ** 63n - 1n;

/** Cuts what comes in chunks into records of one length. */
class Records {
  /** Where the record at hand begins. */
  offset = 0;
  private readonly file: string;
  private readonly bytes: number;
  private readonly onRecord: (view: DataView, at: number) => void;
  private held: Uint8Array = new Uint8Array(0);

  constructor(file: string, bytes: number, onRecord: (view: DataView, at: number) => void) {
    this.file = file;
    this.bytes = bytes;
    this.onRecord = onRecord;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    if (this.held.length > 0) {
      at = Math.min(this.bytes - this.held.length, chunk.length);
      const joined = Buffer.concat([this.held, chunk.subarray(0, at)]);
      this.held = joined;
      if (joined.length < this.bytes) return;
      this.give(new DataView(joined.buffer, joined.byteOffset, joined.length), 0);
    }
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    for (; at + this.bytes <= chunk.length; at += this.bytes) this.give(view, at);
    this.held = chunk.slice(at);
  }

  end(): void {
    const { length } = this.held;
    if (length > 0) throw this.error(`the file was cut off: the last record has ${length} of ${this.bytes} bytes`);
  }

  error(reason: string): RecordingError {
    return new RecordingError(this.file, `byte ${this.offset}`, reason);
  }

  private give(view: DataView, at: number): void {
    this.onRecord(view, at);
    this.offset += this.bytes;
  }
}

/** Whether an i64 can be the next access of an oracleGeneral record. */
export function isNextAccess(view: DataView, at: number, littleEndian: boolean): boolean {
  const next = view.getBigInt64(at + 16, littleEndian);
  return next === -1n || next === NEVER || (next >= 0n && next < REQUESTS);
}

export class OracleGeneralReader implements InputReader {
  private readonly records: Records;
  private readonly trace: CacheTrace;
  private readonly file: string;

  constructor(file: string, sink: RecordingSink) {
    this.file = file;
    this.records = new Records(file, ORACLE_BYTES, (view, at) => this.record(view, at));
    this.trace = new CacheTrace(sink, (reason) => this.records.error(reason));
  }

  push(bytes: Uint8Array): void {
    this.records.push(bytes);
  }

  end(): InputFacts {
    this.records.end();
    return this.trace.end(this.file, 'libCacheSim oracleGeneral', []);
  }

  private record(view: DataView, at: number): void {
    // The upper half tells nearly always: 0, or all ones.
    const high = view.getInt32(at + 20, true);
    if (high !== 0 && !isNextAccess(view, at, true)) {
      const next = view.getBigInt64(at + 16, true);
      throw this.records.error(
        `next access ${next}: -1 or a request's number expected (24-byte records, little-endian: is it another format?)`,
      );
    }
    this.trace.request(view.getUint32(at + 4, true), view.getUint32(at + 8, true), view.getUint32(at + 12, true));
  }
}

interface VscsiVersion {
  bytes: number;
  versionAt: number;
  lengthAt: number;
}

const VSCSI: ReadonlyMap<number, VscsiVersion> = new Map([
  [1, { bytes: 32, versionAt: 14, lengthAt: 4 }],
  [2, { bytes: 40, versionAt: 2, lengthAt: 8 }],
]);
/** Both versions have it here. */
const BLOCK_AT = 16;
/** Two records of the longer version tell which it is. */
const VSCSI_START = 80;

/** 1 or 2, by all records that are here whole; 0 if it is neither. */
export function vscsiVersion(start: Uint8Array): number {
  for (const [version, { bytes, versionAt }] of VSCSI) {
    const records = Math.floor(start.length / bytes);
    let at = 0;
    while (at < records && start[at * bytes + versionAt + 1] === version) at += 1;
    if (records > 0 && at === records) return version;
  }
  return 0;
}

export class VscsiReader implements InputReader {
  private readonly file: string;
  private readonly sink: RecordingSink;
  /** What came before the version was known. */
  private start: Uint8Array = new Uint8Array(0);
  private records: Records | null = null;
  private trace: CacheTrace | null = null;

  constructor(file: string, sink: RecordingSink) {
    this.file = file;
    this.sink = sink;
  }

  push(bytes: Uint8Array): void {
    if (this.records !== null) {
      this.records.push(bytes);
      return;
    }
    this.start = Buffer.concat([this.start, bytes]);
    if (this.start.length >= VSCSI_START) this.begin();
  }

  end(): InputFacts {
    if (this.records === null) this.begin();
    this.records?.end();
    return this.trace!.end(this.file, 'libCacheSim vscsi', []);
  }

  private begin(): void {
    const version = vscsiVersion(this.start.subarray(0, VSCSI_START));
    const layout = VSCSI.get(version);
    if (layout === undefined) {
      throw new RecordingError(this.file, 'byte 0', 'no vscsi trace: version 1 or 2 expected in the first two records');
    }
    const records = new Records(this.file, layout.bytes, (view, at) => {
      if (view.getUint8(at + layout.versionAt + 1) !== version) {
        const found = view.getUint16(at + layout.versionAt, true);
        throw records.error(`version 0x${found.toString(16)} in a vscsi trace of version ${version}`);
      }
      const length = view.getUint32(at + layout.lengthAt, true);
      trace.request(view.getUint32(at + BLOCK_AT, true), view.getUint32(at + BLOCK_AT + 4, true), length);
    });
    const trace = new CacheTrace(this.sink, (reason) => records.error(reason));
    this.records = records;
    this.trace = trace;
    records.push(this.start);
    this.start = new Uint8Array(0);
  }
}
