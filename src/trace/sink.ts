/**
 * Where a reader of somebody else's format puts what it understood.
 *
 * Owns      the interface between those readers and whoever writes a recording.
 */
import type { MapRange, ProgramImage } from './recording.ts';

/** One process's events, in their order. */
export interface BodySink {
  /** `kind`: 0 instruction fetch, 1 read, 2 write. */
  access(page: number, kind: number): void;
  /** So many accesses since the last tick, before a window left most of them out. */
  tick(accesses: number): void;
  /** Six arguments; numbers below 0 mean what the kernel means by them. `args` is used again by the caller. */
  syscall(nr: number, args: readonly number[], ret: number): void;
  /** Of the open that comes next. */
  path(text: string): void;
  /** execve was done: the process goes on as the program `n`, of which `images` of the facts is number 1. */
  image(n: number): void;
}

/** What is known when the input was read to its end. */
export interface InputFacts {
  name: string;
  command: string;
  /** Who made the input. */
  recorder: string;
  window: number;
  elf: ReadonlyMap<string, number>;
  maps: readonly MapRange[];
  /** Programs that execve started, as far as the input tells how they lay in memory. */
  images: readonly ProgramImage[];
  /** Why the input ends before the program did, in one word; empty if it does not. */
  cutShort: string;
  /** What an input of this kind, or this one, does not show: a sentence each. */
  unseen: readonly string[];
  /** Who forked whom, by their numbers: parents of children. */
  parents: ReadonlyMap<number, number>;
  /** What was counted for a process, by its number: `key=value` words. */
  stats: ReadonlyMap<number, string>;
}

export interface RecordingSink {
  /** A process that nobody had before. The first has number 0. */
  process(pid: number): BodySink;
}

/** Reads an input in pieces. `push` and `end` throw a RecordingError with the place. */
export interface InputReader {
  push(bytes: Uint8Array): void;
  /** The input ends here. */
  end(): InputFacts;
}
