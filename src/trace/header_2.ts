/**
 * The lines that only the header of format 2 has.
 *
 * Owns      programs that were exec'ed, files behind mappings, parents, threads, the table of chunks.
 * Promises  Everything refers to something that stands above it, and the lengths add up.
 *
 *     map 4000000000 4000008000 r-- 0 8:1 262339 1702712 /usr/bin/sqlite3    offset (hex), device, inode, bytes, path
 *     image 1 /usr/bin/sort -n          a program that execve started; its elf and map lines follow
 *     process 4711 bytes 8123
 *     parent 4711 0                     process 4711 is a child of process 0
 *     thread 4711 4711                  of a process, by its number: bodies are per thread
 *     chunk 0 262140 20331 0 120034 8f00a9b2     thread (index), bytes, packed bytes, clock, accesses, CRC-32
 *     cut-short SIGINT
 *     unseen the vdso …
 *     crc32 0d4a1185                    of all lines above
 */
import { printable, RecordingError } from './error.ts';
import { hex8, parseElf, parseMap, type Refuse } from './header_fields.ts';
import type { ChunkEntry, MapRange, Ordered, ProcessEntry, ProgramImage, ThreadEntry } from './recording.ts';

const IMAGES = 1 << 16;
const THREADS = 1 << 16;
const CHUNKS = 1 << 20;
/** No chunk is longer: a reader may keep one. */
const CHUNK_BYTES = 1 << 24;
const MAPPED = /^(\S+ \S+ \S+) ([0-9a-f]{1,13}) ([0-9a-f]{1,8}:[0-9a-f]{1,8}) (\d{1,16}) (\d{1,16}) (\/.*)$/i;
/** Bytes of an event that says where a chunk begins, at least. */
const LEAST_CHUNK_BYTES = 2;

export class Format2Lines {
  static readonly KEYS: ReadonlySet<string> = new Set(['parent', 'thread', 'chunk', 'unseen']);
  private readonly refuse: Refuse;
  private readonly images: { command: string; elf: Map<string, number>; maps: MapRange[] }[] = [];
  private readonly parents: Map<number, number> = new Map();
  private readonly threads: ThreadEntry[] = [];
  private readonly chunks: ChunkEntry[] = [];
  /** Of each thread, the clock of its last chunk. */
  private readonly clocks: number[] = [];
  private readonly unseen: string[] = [];

  constructor(refuse: Refuse) {
    this.refuse = refuse;
  }

  /** A range with its file. */
  map(value: string, line: number): MapRange | null {
    const match = MAPPED.exec(value);
    if (match === null) return parseMap(value);
    const range = parseMap(match[1]!);
    if (range === null) return null;
    const offset = Number.parseInt(match[2]!, 16);
    const [inode, bytes] = [Number(match[4]), Number(match[5])];
    if (offset % 4096 !== 0) throw this.refuse(line, `a file is mapped from byte 0x${match[2]} on, not a whole page`);
    if (!Number.isSafeInteger(bytes) || !Number.isSafeInteger(inode) || !Number.isSafeInteger(offset)) {
      throw this.refuse(line, 'a file longer than 2**53');
    }
    return { ...range, file: { path: match[6]!, device: match[3]!, inode, offset, bytes } };
  }

  image(value: string, line: number): { elf: Map<string, number>; maps: MapRange[] } {
    const match = /^(\d{1,6})(?: (.*))?$/.exec(value);
    if (match === null || Number(match[1]) !== this.images.length + 1 || this.images.length === IMAGES) {
      throw this.refuse(line, `'image ${this.images.length + 1} COMMAND' expected, found '${value}'`);
    }
    const image = { command: match[2] ?? '', elf: new Map<string, number>(), maps: [] };
    this.images.push(image);
    return image;
  }

  take(key: string, value: string, line: number, places: ReadonlyMap<number, number>): void {
    if (key === 'unseen') this.unseen.push(value);
    else if (key === 'chunk') this.chunk(value, line);
    else if (key === 'thread') this.thread(value, line, places);
    else this.parent(value, line, places);
  }

  private parent(value: string, line: number, places: ReadonlyMap<number, number>): void {
    const [child, parent] = twoNumbers(value);
    const [at, parentAt] = [places.get(child), places.get(parent)];
    if (at === undefined || parentAt === undefined)
      throw this.refuse(line, `'parent PID PID' expected, found '${value}'`);
    if (parentAt >= at) throw this.refuse(line, `process ${child} stands before its parent`);
    if (this.parents.has(at)) throw this.refuse(line, `a second parent of process ${child}`);
    this.parents.set(at, parentAt);
  }

  private thread(value: string, line: number, places: ReadonlyMap<number, number>): void {
    if (this.threads.length === THREADS) throw this.refuse(line, `more than ${THREADS} threads`);
    const [pid, tid] = twoNumbers(value);
    const process = places.get(pid);
    if (process === undefined) throw this.refuse(line, `'thread PID TID' expected, found '${value}'`);
    this.threads.push({ process, tid, bytes: 0 });
    this.clocks.push(-1);
  }

  private chunk(value: string, line: number): void {
    if (this.chunks.length === CHUNKS) throw this.refuse(line, `more than ${CHUNKS} chunks`);
    const match = /^(\d{1,6}) (\d{1,9}) (\d{1,9}) (\d{1,15}) (\d{1,15}) ([0-9a-f]{8})$/.exec(value);
    const thread = this.threads[Number(match?.[1])];
    if (match === null || thread === undefined) {
      throw this.refuse(line, `'chunk THREAD BYTES PACKED CLOCK EVENTS CRC32' expected, found '${value}'`);
    }
    const index = Number(match[1]);
    const [bytes, packedBytes, clock, events] = [2, 3, 4, 5].map((i) => Number(match[i])) as [
      number,
      number,
      number,
      number,
    ];
    if (bytes < LEAST_CHUNK_BYTES || bytes > CHUNK_BYTES) {
      throw this.refuse(line, `a chunk of ${bytes} bytes; ${CHUNK_BYTES} is the most`);
    }
    if (events > bytes) throw this.refuse(line, `${events} accesses cannot be in ${bytes} bytes`);
    if (clock <= this.clocks[index]!) throw this.refuse(line, "the clock of a thread's chunks does not go forward");
    this.clocks[index] = clock;
    thread.bytes += bytes;
    this.chunks.push({ thread: index, bytes, packedBytes, clock, events, crc32: Number.parseInt(match[6]!, 16) });
  }

  /** Everything is read; `line` is that of `end`. */
  finish(first: ProgramImage, processes: readonly ProcessEntry[], cutShort: string, line: number): Ordered {
    const sums = processes.map(() => 0);
    const tids = processes.map(() => new Set<number>());
    for (const [index, { process, tid, bytes }] of this.threads.entries()) {
      if (bytes === 0) throw this.refuse(line, `thread ${index} has no chunk`);
      if (tids[process]!.has(tid))
        throw this.refuse(line, `process ${processes[process]!.pid} has thread ${tid} twice`);
      tids[process]!.add(tid);
      sums[process]! += bytes;
    }
    for (const [index, { pid, bytes }] of processes.entries()) {
      if (!tids[index]!.has(pid)) throw this.refuse(line, `process ${pid} has no thread ${pid}`);
      if (sums[index] === bytes) continue;
      throw this.refuse(line, `the chunks of process ${pid} have ${sums[index]} bytes, and its line says ${bytes}`);
    }
    return {
      images: [first, ...this.images],
      parents: processes.map((_, index) => this.parents.get(index) ?? -1),
      threads: this.threads,
      chunks: this.chunks,
      cutShort,
      unseen: this.unseen,
    };
  }
}

/** `PID PID`; a text that is not gives a process that there is not. */
function twoNumbers(value: string): [number, number] {
  const match = /^(\d{1,10}) (\d{1,10})$/.exec(value);
  return match === null ? [-1, -1] : [Number(match[1]), Number(match[2])];
}

/** The lines behind those that both formats have; `imageLines` formats a program. */
export function formatFormat2(
  ordered: Ordered,
  processes: readonly ProcessEntry[],
  imageLines: (image: ProgramImage) => string[],
): string[] {
  const lines: string[] = [];
  for (const [index, image] of ordered.images.entries()) {
    if (index > 0) lines.push(`image ${index} ${image.command}`, ...imageLines(image));
  }
  for (const [index, parent] of ordered.parents.entries()) {
    if (parent >= 0) lines.push(`parent ${processes[index]!.pid} ${processes[parent]!.pid}`);
  }
  for (const { process, tid } of ordered.threads) lines.push(`thread ${processes[process]!.pid} ${tid}`);
  for (const c of ordered.chunks) {
    lines.push(`chunk ${c.thread} ${c.bytes} ${c.packedBytes} ${c.clock} ${c.events} ${hex8(c.crc32)}`);
  }
  if (ordered.cutShort !== '') lines.push(`cut-short ${ordered.cutShort}`);
  lines.push(...ordered.unseen.map((text) => `unseen ${text}`));
  return lines;
}

/** A program as a recorder describes it: a `command` line, and `elf` and `map` lines. `file` is for messages. */
export function parseImage(text: string, file: string): ProgramImage {
  const refuse: Refuse = (line, reason) => new RecordingError(file, `line ${line}`, reason);
  const lines = new Format2Lines(refuse);
  const elf = new Map<string, number>();
  const maps: MapRange[] = [];
  let command = '';
  for (const [at, row] of text.trimEnd().split('\n').entries()) {
    const space = row.indexOf(' ');
    const [key, value] = [row.slice(0, space), row.slice(space + 1)];
    if (key === 'command') command = printable(value);
    else if (key === 'elf') parseElf(elf, value, at + 1, refuse);
    else if (key === 'map') {
      const range = lines.map(printable(value), at + 1);
      if (range !== null) maps.push(range);
    }
  }
  return { command, elf, maps };
}
