/**
 * The folder through which recorded processes hand over what they saw (recorder/recorder.c writes it).
 *
 * Owns      the files in it, and how their first bytes are laid out (recorder/recorder.h).
 * Promises  1. Chunks come out in an order in which each thread's own are in line.
 *           2. What a process had written when it was killed is taken, too.
 *           3. `remove` leaves nothing behind.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseImage } from '../trace/header_2.ts';
import type { ProgramImage } from '../trace/recording.ts';
import type { ChunkTaker } from '../trace/write.ts';

const CONTROL_BYTES = 4096;
const CONTROL = {
  accesses: 8,
  calls: 16,
  images: 28,
  ready: 32,
  stop: 36,
  unseen: 40,
  taken: 48,
  owner: 52,
} as const;
const CHUNK = {
  pid: 0,
  tid: 4,
  parent: 8,
  clock: 16,
  lastClock: 24,
  events: 32,
  length: 40,
  counts: 48,
  body: 80,
} as const;
/** A chunk that was announced and does not come: its process was killed in between. */
const PATIENCE_MS = 1000;

/** What was seen of a process. */
export interface SeenProcess {
  /** Its parent's number; -1 if that was not recorded. */
  parent: number;
  blocks: number;
  reads: number;
  writes: number;
  instructions: number;
  kept: number;
}

/** What the recorder counts while it runs. */
export interface Counts {
  accesses: number;
  calls: number;
  unseen: number;
}

export class Spool {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'revmap-record-'));
  readonly processes: Map<number, SeenProcess> = new Map();
  /** Process and thread, as `0 4711`. */
  readonly threads: Set<string> = new Set();
  private readonly control: number;
  private readonly taker: ChunkTaker;
  /** The first process, which has number 0 in the recording. */
  private root = -1;
  private next = 0;
  private missingSince = 0;

  constructor(taker: ChunkTaker) {
    this.taker = taker;
    const path = join(this.folder, 'control');
    writeFileSync(path, Buffer.alloc(CONTROL_BYTES));
    this.control = openSync(path, 'r+');
    this.write32(CONTROL.owner, process.pid);
  }

  /** Who is process 0. */
  begins(pid: number): void {
    this.root = pid;
  }

  /** Takes the chunks that are there. */
  take(): void {
    const ready = this.read().readUInt32LE(CONTROL.ready);
    while (this.next < ready) {
      const path = join(this.folder, `ready.${this.next}`);
      if (existsSync(path)) {
        this.chunk(path);
      } else {
        this.missingSince ||= Date.now();
        if (Date.now() - this.missingSince < PATIENCE_MS) return;
      }
      this.missingSince = 0;
      this.next += 1;
      this.write32(CONTROL.taken, this.next);
    }
  }

  /** Takes what is left when all processes have ended. */
  takeRest(): void {
    this.missingSince = 1;
    this.take();
    const rest = this.unfinished().map((path) => ({ path, clock: readChunk(path).clock }));
    for (const { path } of rest.sort((a, b) => a.clock - b.clock)) this.chunk(path);
  }

  get counts(): Counts {
    const control = this.read();
    return {
      accesses: Number(control.readBigUInt64LE(CONTROL.accesses)),
      calls: Number(control.readBigUInt64LE(CONTROL.calls)),
      unseen: control.readUInt32LE(CONTROL.unseen),
    };
  }

  /** Recorded processes stand still at their next system call or tick. */
  stop(): void {
    this.write32(CONTROL.stop, 1);
  }

  /** The programs that ran, in the order of their numbers; one that could not be described is null. */
  images(): (ProgramImage | null)[] {
    const count = this.read().readUInt32LE(CONTROL.images);
    return Array.from({ length: count }, (_, n) => {
      const path = join(this.folder, `image.${n}`);
      const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
      return text === '' ? null : parseImage(text, path);
    });
  }

  remove(): void {
    closeSync(this.control);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private unfinished(): string[] {
    return readdirSync(this.folder)
      .filter((name) => name.startsWith('chunk.'))
      .map((name) => join(this.folder, name));
  }

  private chunk(path: string): void {
    const chunk = readChunk(path);
    rmSync(path);
    const { body, clock, lastClock, events } = chunk;
    // Killed before it had written that it begins.
    if (body.length === 0) return;
    const pid = this.numberOf(chunk.pid);
    const tid = chunk.tid === chunk.pid ? pid : chunk.tid;
    this.threads.add(`${pid} ${tid}`);
    this.taker.chunk(pid, tid, body, clock, lastClock, events);
    const seen = this.processes.get(pid) ?? {
      parent: pid === 0 ? -1 : this.numberOf(chunk.parent),
      blocks: 0,
      reads: 0,
      writes: 0,
      instructions: 0,
      kept: 0,
    };
    this.processes.set(pid, seen);
    seen.kept += events;
    seen.blocks += chunk.counts[0]!;
    seen.reads += chunk.counts[1]!;
    seen.writes += chunk.counts[2]!;
    seen.instructions += chunk.counts[3]!;
  }

  private numberOf(pid: number): number {
    return pid === this.root ? 0 : pid;
  }

  private read(): Buffer {
    const bytes = Buffer.alloc(64);
    readSync(this.control, bytes, 0, bytes.length, 0);
    return bytes;
  }

  private write32(at: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    writeSync(this.control, bytes, 0, 4, at);
  }
}

interface Chunk {
  pid: number;
  tid: number;
  parent: number;
  clock: number;
  lastClock: number;
  events: number;
  /** Blocks of instructions, reads, writes, instructions. */
  counts: number[];
  body: Uint8Array;
}

function readChunk(path: string): Chunk {
  const bytes = readFileSync(path);
  const long = (at: number) => (bytes.length < CHUNK.body ? 0 : Number(bytes.readBigUInt64LE(at)));
  const word = (at: number) => (bytes.length < CHUNK.body ? 0 : bytes.readInt32LE(at));
  return {
    pid: word(CHUNK.pid),
    tid: word(CHUNK.tid),
    parent: word(CHUNK.parent),
    clock: long(CHUNK.clock),
    lastClock: long(CHUNK.lastClock),
    events: long(CHUNK.events),
    counts: [0, 1, 2, 3].map((i) => long(CHUNK.counts + 8 * i)),
    body: bytes.subarray(CHUNK.body, CHUNK.body + long(CHUNK.length)),
  };
}
