/**
 * Writes a recording of format 2 while it comes in: chunk by chunk, in bounded memory.
 *
 * Owns      the files beside the one that is being made, and the table of chunks.
 * Promises  1. Under the name that was asked for stands the old file or the whole new one, never a part.
 *           2. Memory grows with the number of chunks, not with their bytes.
 *           3. `abandon` leaves nothing behind.
 *
 *     x.rvm.gz.1234.part    chunks, each a gzip member, in the order in which they came
 *     x.rvm.gz.1234.new     the header, known only now, and a copy of them; renamed to x.rvm.gz
 */
import { closeSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { crc32, gzipSync } from 'node:zlib';
import { BodyWriter } from './encode.ts';
import { writeAll } from './keep.ts';
import { type ChunkEntry, formatHeader, type Ordered, type ProcessEntry, type RecordingHeader } from './recording.ts';

/** A body is cut when it has grown so long: short enough to seek in, long enough to pack well. */
const CHUNK_BYTES = 1 << 18;
const COPY_BYTES = 1 << 20;

/** What is known when everything is written; threads and chunks the writer knows itself. */
export interface RecordingFacts extends Omit<RecordingHeader, 'processes' | 'ordered'> {
  /** The programs that execve started, behind the first. */
  laterImages: Ordered['images'];
  cutShort: string;
  unseen: readonly string[];
  /** Of whom a process is a child; -1 if nobody knows. Asked for every process but 0. */
  parentOf(pid: number): number;
  /** What was counted of a process, as `name=number` words. */
  statsOf(pid: number): string;
}

interface WrittenThread {
  pid: number;
  tid: number;
  firstClock: number;
  lastClock: number;
}

/** Who takes the pieces of bodies as they come. */
export interface ChunkTaker {
  /**
   * A piece of a thread's body that begins with its `chunk` event at `clock`, and ends at `lastClock`: the thread's next one
   * begins later. `events`: accesses in it.
   */
  chunk(pid: number, tid: number, bytes: Uint8Array, clock: number, lastClock: number, events: number): void;
}

/** What the header will say of threads and their chunks. */
export class ChunkTable {
  private readonly threads: Map<string, WrittenThread> = new Map();
  private readonly chunks: (Omit<ChunkEntry, 'thread'> & { thread: WrittenThread })[] = [];

  /** A chunk, as ChunkTaker has it, and how long it is when packed. */
  add(
    pid: number,
    tid: number,
    bytes: Uint8Array,
    packedBytes: number,
    clock: number,
    lastClock: number,
    events: number,
  ): void {
    const key = `${pid} ${tid}`;
    const thread = this.threads.get(key) ?? { pid, tid, firstClock: clock, lastClock };
    this.threads.set(key, thread);
    thread.lastClock = lastClock;
    const { length } = bytes;
    this.chunks.push({ thread, bytes: length, packedBytes, clock, events, crc32: crc32(bytes) });
  }

  /** Gives every thread its end. */
  endBodies(taker: ChunkTaker): void {
    const body = new BodyWriter();
    for (const { pid, tid, lastClock } of this.inOrder()) {
      body.chunk(lastClock + 1);
      taker.chunk(pid, tid, body.end(), lastClock + 1, lastClock + 1, 0);
    }
  }

  header(facts: RecordingFacts): RecordingHeader {
    const threads = this.inOrder();
    const { laterImages, cutShort, unseen, parentOf, statsOf, ...rest } = facts;
    const pids = [...new Set(threads.map((t) => t.pid))];
    const bytesOf = new Map(pids.map((pid) => [pid, 0]));
    for (const { thread, bytes } of this.chunks) bytesOf.set(thread.pid, bytesOf.get(thread.pid)! + bytes);
    const processes = pids.map((pid): ProcessEntry => ({ pid, bytes: bytesOf.get(pid)!, stats: statsOf(pid) }));
    const places = new Map(pids.map((pid, place) => [pid, place]));
    const order = new Map(threads.map((thread, place) => [thread, place]));
    return {
      ...rest,
      processes,
      ordered: {
        images: [rest, ...laterImages],
        parents: pids.map((pid, place) => {
          const parent = pid === 0 ? -1 : (places.get(parentOf(pid)) ?? -1);
          return parent < place ? parent : -1;
        }),
        threads: threads.map(({ pid, tid }) => ({ process: places.get(pid)!, tid, bytes: 0 })),
        chunks: this.chunks.map((chunk) => ({ ...chunk, thread: order.get(chunk.thread)! })),
        cutShort,
        unseen,
      },
    };
  }

  private inOrder(): WrittenThread[] {
    return [...this.threads.values()].sort((a, b) => a.firstClock - b.firstClock);
  }
}

export class RecordingWriter implements ChunkTaker {
  private readonly path: string;
  private readonly part: string;
  private readonly fd: number;
  private readonly table = new ChunkTable();
  /** Of the bodies, before and after packing. */
  bytes = 0;
  packedBytes = 0;
  /** Accesses in them. */
  events = 0;

  constructor(path: string) {
    this.path = path;
    this.part = `${path}.${process.pid}.part`;
    this.fd = openSync(this.part, 'wx+', 0o666);
  }

  chunk(pid: number, tid: number, bytes: Uint8Array, clock: number, lastClock: number, events: number): void {
    const packed = gzipSync(bytes);
    writeAll(this.fd, packed);
    this.bytes += bytes.length;
    this.packedBytes += packed.length;
    this.events += events;
    this.table.add(pid, tid, bytes, packed.length, clock, lastClock, events);
  }

  /** Ends every body, puts the header before them and gives the file its name. Returns its length. */
  finish(facts: RecordingFacts): number {
    this.table.endBodies(this);
    const head = gzipSync(formatHeader(this.table.header(facts)));
    const whole = `${this.path}.${process.pid}.new`;
    const to = openSync(whole, 'wx', 0o666);
    try {
      writeAll(to, head);
      const piece = new Uint8Array(COPY_BYTES);
      for (let at = 0; at < this.packedBytes; ) {
        const got = readSync(this.fd, piece, 0, piece.length, at);
        writeAll(to, piece.subarray(0, got));
        at += got;
      }
      renameSync(whole, this.path);
    } catch (error) {
      rmSync(whole, { force: true });
      throw error;
    } finally {
      closeSync(to);
      this.abandon();
    }
    return head.length + this.packedBytes;
  }

  /** Removes what was written so far. */
  abandon(): void {
    closeSync(this.fd);
    rmSync(this.part, { force: true });
  }
}

/** The body of one thread, cut into chunks as it grows. Write events into `body`, and call `at` between them. */
export class ThreadWriter {
  readonly body: BodyWriter = new BodyWriter();
  private readonly taker: ChunkTaker;
  private readonly pid: number;
  private readonly tid: number;
  private firstClock: number;

  /** `clock`: accesses of all threads before its first event; no two chunks of a thread begin at the same. */
  constructor(taker: ChunkTaker, pid: number, tid: number, clock: number) {
    this.taker = taker;
    this.pid = pid;
    this.tid = tid;
    this.firstClock = clock;
    this.body.chunk(clock);
  }

  /** Begins a new chunk if this one is long enough and time has passed. */
  at(clock: number): void {
    if (this.body.bytesWritten >= CHUNK_BYTES && clock > this.body.clockNow) this.cut(clock);
  }

  /** Begins a new chunk. */
  cut(clock: number): void {
    this.end();
    this.firstClock = clock;
    this.body.chunk(clock);
  }

  /** Hands over what there is. */
  end(): void {
    const { body } = this;
    this.taker.chunk(this.pid, this.tid, body.taken(), this.firstClock, body.clockNow, body.accesses);
  }
}
