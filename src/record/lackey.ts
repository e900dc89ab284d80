/**
 * The slow recorder, for machines without QEMU: valgrind's lackey writes every access as text, and we read along.
 *
 * Owns      how valgrind is started, and the way of its text into the reader of lackey's format.
 */
import type { StdioOptions } from 'node:child_process';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { RecordingBuilder } from '../trace/builder.ts';
import { LackeyReader } from '../trace/lackey.ts';
import { WINDOW } from '../trace/window.ts';
import { runChild } from './child.ts';
import { RecordError } from './error.ts';
import { type Command, findProgram } from './programs.ts';
import type { RecorderFound, RecordRun } from './qemu.ts';
import type { RecordOptions } from './record.ts';

/** valgrind's text comes through this descriptor. */
const LOG_FD = 3;
/** Of an access in that text, on the average. */
const LINE_BYTES = 14;
const LF = 10;

export async function recordWithLackey(run: RecordRun): Promise<RecorderFound> {
  const { command, options, writer } = run;
  const valgrind = findProgram('valgrind');
  if (valgrind === null) throw new RecordError('no valgrind to record with; Debian has it in the package valgrind');
  if (options.window !== WINDOW) throw new RecordError(`--window ${options.window}: with lackey it is ${WINDOW}`);
  const builder = new RecordingBuilder(writer);
  const reader = new LackeyReader('lackey', builder);
  let failed: unknown = null;
  let textBytes = 0;
  const ended = await runChild(valgrind, argumentsOf(command), stdio(options), (child) => {
    const take = (lines: Uint8Array): void => {
      if (failed !== null) return;
      try {
        reader.push(lines);
      } catch (error) {
        failed = error;
        child.kill('SIGKILL');
      }
    };
    const log = new WholeLines(take);
    (child.stdio[LOG_FD] as Readable).on('data', (bytes: Buffer) => {
      textBytes += bytes.length;
      log.push(bytes);
    });
    const said = new WholeLines((lines) => take(passOn(lines)));
    child.stderr!.on('data', (bytes: Buffer) => said.push(bytes));
    child.on('close', () => {
      log.end();
      said.end();
    });
    return {
      poll: () => run.onProgress(Math.floor(textBytes / LINE_BYTES)),
      living: () =>
        child.exitCode === null && child.signalCode === null && child.pid !== undefined ? [child.pid] : [],
      stop: () => {},
    };
  });
  if (failed !== null) throw failed;
  const input = reader.end();
  const facts = builder.finish(input);
  const { cutShort } = ended;
  const count = (what: string) => [...input.stats.values()].reduce((sum, text) => sum + counted(text, what), 0);
  return {
    exit: { code: ended.code, signal: ended.signal },
    processes: input.stats.size,
    threads: null,
    accesses: count('raw'),
    instructions: count('fetches'),
    reads: count('reads'),
    writes: count('writes'),
    pageEvents: writer.events,
    syscalls: count('syscalls'),
    cutShort,
    unseen: facts.unseen,
    facts: { ...facts, name: basename(options.command[0]!), recorder: 'revmap, valgrind lackey', cutShort },
  };
}

function argumentsOf({ file, args }: Command): string[] {
  const lackey = ['--tool=lackey', '--trace-mem=yes', '--trace-syscalls=yes', '--basic-counts=no', '--vgdb=no'];
  // -d tells where memory lies at the start, and much else that we do not pass on.
  return ['-d', ...lackey, '--trace-children=yes', `--log-fd=${LOG_FD}`, file, ...args];
}

function stdio({ outputToStderr }: RecordOptions): StdioOptions {
  return ['inherit', outputToStderr ? 2 : 'inherit', 'pipe', 'pipe'];
}

/** Lines of `valgrind -d` are for us; what the program itself says on stderr goes on. */
function passOn(lines: Uint8Array): Uint8Array {
  const text = Buffer.from(lines)
    .toString('latin1')
    .split(/(?<=\n)/);
  const own = text.filter((line) => /^--\d+:\d:/.test(line));
  if (own.length < text.length) process.stderr.write(text.filter((line) => !own.includes(line)).join(''), 'latin1');
  return Buffer.from(own.join(''), 'latin1');
}

function counted(stats: string, what: string): number {
  return Number(new RegExp(`\\b${what}=(\\d+)`).exec(stats)?.[1] ?? 0);
}

/** Two streams of text are read as one, so neither may break off inside a line. */
class WholeLines {
  private rest: Uint8Array = new Uint8Array(0);
  private readonly take: (lines: Uint8Array) => void;

  constructor(take: (lines: Uint8Array) => void) {
    this.take = take;
  }

  push(bytes: Uint8Array): void {
    const end = bytes.lastIndexOf(LF) + 1;
    if (end > 0) {
      this.take(this.rest.length === 0 ? bytes.subarray(0, end) : Buffer.concat([this.rest, bytes.subarray(0, end)]));
      this.rest = new Uint8Array(0);
    }
    if (end < bytes.length) this.rest = Buffer.concat([this.rest, bytes.subarray(end)]);
  }

  end(): void {
    if (this.rest.length > 0) this.take(this.rest);
  }
}
