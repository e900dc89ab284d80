/**
 * Records a program: starts it under a recorder, takes what comes, and writes the recording.
 *
 * Owns      the life of a recording from the command to the file, and what an interrupt does to it.
 * Promises  1. A recording ends with its first process. Whoever that left running is ended, and the recording says so.
 *           2. SIGINT, SIGTERM and SIGHUP shorten a recording: the program gets the signal, too, and has some time to end; what was
 *              recorded up to there becomes the file. A second one leaves it no time.
 *           3. Short of a SIGKILL of revmap itself, no process of ours and no temporary file stays. After one, programs run on.
 */
import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { RecordingWriter } from '../trace/write.ts';
import { RecordError } from './error.ts';
import { recordWithLackey } from './lackey.ts';
import { findProgram, resolveCommand } from './programs.ts';
import { recordWithQemu } from './qemu.ts';

export type RecorderName = 'qemu' | 'lackey';

export interface RecordOptions {
  command: readonly string[];
  /** Where to; null for NAME.rvm.gz here. */
  output: string | null;
  force: boolean;
  /** Pages. */
  window: number;
  /** null for QEMU where it is, else lackey. */
  recorder: RecorderName | null;
  /** Its output goes to stderr, because stdout is for something else. */
  outputToStderr: boolean;
  onProgress: (so: RecordProgress) => void;
}

export interface RecordProgress {
  accesses: number;
  /** Of the file so far. */
  bytes: number;
  seconds: number;
}

/** What a recorder found, besides what it wrote. */
export interface Recorded {
  exit: { code: number | null; signal: string | null };
  processes: number;
  /** null: the recorder does not tell them apart. */
  threads: number | null;
  /** Accesses as the time model counts them: a block of instructions is one fetch. */
  accesses: number;
  instructions: number;
  reads: number;
  writes: number;
  /** Those that were written. */
  pageEvents: number;
  syscalls: number;
  cutShort: string;
  unseen: readonly string[];
}

export interface RecordResult extends Recorded {
  output: string;
  recorder: RecorderName;
  bytes: number;
  seconds: number;
}

export async function record(options: RecordOptions): Promise<RecordResult> {
  const command = resolveCommand(options.command);
  const recorder =
    options.recorder ?? (findProgram('qemu-x86_64') === null && findProgram('valgrind') !== null ? 'lackey' : 'qemu');
  const output = options.output ?? `${basename(options.command[0]!)}.rvm.gz`;
  if (existsSync(output) && !options.force && statSync(output).isFile()) {
    throw new RecordError(`${output} is there already; --force replaces it`);
  }
  const writer = new RecordingWriter(output);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const run = {
    command,
    options,
    writer,
    onProgress: (accesses: number) => options.onProgress({ accesses, bytes: writer.packedBytes, seconds: seconds() }),
  };
  try {
    const { facts, ...found } = await (recorder === 'qemu' ? recordWithQemu(run) : recordWithLackey(run));
    const other = new Map([...facts.other, ['record_seconds', seconds().toFixed(1)]]);
    const bytes = writer.finish({ ...facts, other });
    return { ...found, output, recorder, bytes, seconds: seconds() };
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
