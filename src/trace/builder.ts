/**
 * What a reader of somebody else's format understood, as bodies of format 2.
 *
 * Owns      the order between processes: that of the input.
 * Promises  1. The clock counts events, accesses and calls alike: a log of calls alone has an order, too.
 *           2. Memory is a chunk for each process.
 *           3. What would make a recording that its reader refuses does not come into it: control characters, paths and names that
 *              are too long.
 */
import type { BodyWriter } from './encode.ts';
import { printable } from './error.ts';
import type { BodySink, InputFacts, RecordingSink } from './sink.ts';
import { type ChunkTaker, type RecordingFacts, ThreadWriter } from './write.ts';

const PATH_BYTES = 4096;
/** A line of a header may be longer; nobody reads more of a command. */
const TEXT_CHARACTERS = 4000;

export class RecordingBuilder implements RecordingSink {
  clock = 0;
  private readonly taker: ChunkTaker;
  private readonly bodies: Map<number, ProcessBody> = new Map();
  private current: ProcessBody | null = null;

  constructor(taker: ChunkTaker) {
    this.taker = taker;
  }

  process(pid: number): BodySink {
    const body = new ProcessBody(this, this.taker, pid);
    this.bodies.set(pid, body);
    return body;
  }

  /** Hands over what there is, and says what the header has to say. */
  finish(facts: InputFacts): RecordingFacts {
    for (const body of this.bodies.values()) body.end();
    const { parents, stats, window, elf, maps } = facts;
    return {
      name: textOf(facts.name),
      command: textOf(facts.command),
      recorder: textOf(facts.recorder),
      window,
      elf,
      maps,
      other: new Map(),
      laterImages: facts.images.map((image) => ({ ...image, command: textOf(image.command) })),
      cutShort: facts.cutShort,
      unseen: facts.unseen.map(textOf),
      parentOf: (pid) => parents.get(pid) ?? -1,
      statsOf: (pid) => stats.get(pid) ?? '',
    };
  }

  /** `body` has the next event. */
  turn(body: ProcessBody): boolean {
    this.clock += 1;
    if (this.current === body) return false;
    this.current = body;
    return true;
  }
}

/** A body that begins with its first event: who is forked and never speaks was not recorded. */
class ProcessBody implements BodySink {
  private readonly builder: RecordingBuilder;
  private readonly taker: ChunkTaker;
  private readonly pid: number;
  private thread: ThreadWriter | null = null;

  constructor(builder: RecordingBuilder, taker: ChunkTaker, pid: number) {
    this.builder = builder;
    this.taker = taker;
    this.pid = pid;
  }

  access(page: number, kind: number): void {
    this.next().access(page, kind);
  }

  tick(accesses: number): void {
    this.next().tick(accesses);
  }

  syscall(nr: number, args: readonly number[], ret: number): void {
    this.next().syscall(nr, args, ret);
  }

  path(text: string): void {
    if (Buffer.byteLength(text) <= PATH_BYTES) this.next().path(text);
  }

  image(n: number): void {
    this.next().image(n);
  }

  end(): void {
    if (this.pid === 0) this.next();
    this.thread?.end();
  }

  private next(): BodyWriter {
    const { builder, thread } = this;
    const isNew = builder.turn(this);
    if (thread === null) {
      const made = new ThreadWriter(this.taker, this.pid, this.pid, builder.clock);
      this.thread = made;
      return made.body;
    }
    if (isNew) thread.body.clock(builder.clock - thread.body.clockNow);
    thread.at(builder.clock);
    return thread.body;
  }
}

function textOf(text: string): string {
  return printable(text).slice(0, TEXT_CHARACTERS);
}
