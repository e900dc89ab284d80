/**
 * Many programs, each against the recordings beside it, on as many workers as there are CPUs.
 *
 * Owns      the pool: who checks what. A worker is given a few files at a time and answers with plain data.
 * Promises  1. Outcomes come in the order of the files, and do not depend on how many workers there were.
 *           2. The first file that is damaged ends it, with everything before it told.
 */
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { InputError } from '../../mm/bug.ts';
import { GENERATIONS } from '../../mm/generations/index.ts';
import { parseMmp } from '../../syscalls/mmp.ts';
import { readText } from '../text_file.ts';
import { type CheckResult, checkRun } from './check.ts';
import { type ProgramFile, RecordingFinder } from './files.ts';
import { recordingText } from './recording.ts';
import { type MmpRun, runMmp } from './run_mmp.ts';

export interface BatchOptions {
  /** Only recordings of this kernel. */
  readonly kernel?: string | undefined;
  /** Where the engine's own recordings go. */
  readonly record?: string | undefined;
}

export interface FileOutcome {
  /** One for each recording. */
  readonly results: readonly CheckResult[];
  /** Why a recording of the engine's own was not written. */
  readonly unrecorded: readonly string[];
}

/** What a worker is asked, and what it answers. */
export interface BatchTask {
  readonly files: readonly ProgramFile[];
  readonly options: BatchOptions;
}
export interface BatchAnswer {
  readonly outcomes: readonly FileOutcome[];
  /** The file behind them is damaged. */
  readonly refused: string | null;
}

const FILES_AT_A_TIME = 8;
/** A worker takes as long to start as so many programs take. */
const FILES_PER_WORKER = 64;

/** `each` is called for every file, in their order. `workers`: at most so many; fewer than two check in this thread. */
export async function checkFiles(
  files: readonly ProgramFile[],
  options: BatchOptions,
  each: (outcome: FileOutcome) => void,
  workers: number = availableParallelism(),
): Promise<void> {
  const script = new URL('./check_worker.js', import.meta.url);
  const count = Math.min(workers, Math.floor(files.length / FILES_PER_WORKER));
  // From the sources there is no bundled worker beside us.
  if (count < 2 || !existsSync(script)) {
    const finder = new RecordingFinder();
    for (const file of files) each(checkFile(file, finder, options));
    return;
  }
  const batch = new Batch(files, options, each);
  const pool = Array.from({ length: count }, () => new Worker(script));
  try {
    await Promise.all(pool.map((worker) => batch.drive(worker)));
  } finally {
    await Promise.all(pool.map((worker) => worker.terminate()));
  }
}

class Batch {
  private readonly files: readonly ProgramFile[];
  private readonly options: BatchOptions;
  private readonly each: (outcome: FileOutcome) => void;
  private readonly answers: BatchAnswer[] = [];
  private asked = 0;
  private told = 0;

  constructor(files: readonly ProgramFile[], options: BatchOptions, each: (outcome: FileOutcome) => void) {
    this.files = files;
    this.options = options;
    this.each = each;
  }

  /** Gives the worker one task after another, until there is none. */
  async drive(worker: Worker): Promise<void> {
    while (this.asked * FILES_AT_A_TIME < this.files.length) {
      const number = this.asked++;
      const files = this.files.slice(number * FILES_AT_A_TIME, (number + 1) * FILES_AT_A_TIME);
      worker.postMessage({ files, options: this.options } satisfies BatchTask);
      const [answer] = (await once(worker, 'message')) as [BatchAnswer];
      this.answers[number] = answer;
      this.tell();
    }
  }

  /** What has come without a gap. */
  private tell(): void {
    for (let answer = this.answers[this.told]; answer !== undefined; answer = this.answers[this.told]) {
      for (const outcome of answer.outcomes) this.each(outcome);
      if (answer.refused !== null) throw Object.assign(new Error(answer.refused), { name: InputError.name });
      this.told += 1;
    }
  }
}

/** Against each of its recordings; each kernel runs it once. Throws InputError for a damaged file. */
export function checkFile(file: ProgramFile, finder: RecordingFinder, options: BatchOptions): FileOutcome {
  const program = parseMmp(readText(file.path), file.path);
  const runs = new Map<string, MmpRun>();
  const runOn = (kernel: string): MmpRun => {
    const run = runs.get(kernel) ?? runMmp(program, kernel);
    runs.set(kernel, run);
    return run;
  };
  const recordings = finder.beside(file.path, options.kernel);
  if (recordings.length === 0 && file.named && options.record === undefined) {
    const wanted = options.kernel === undefined ? '' : ` of ${options.kernel}`;
    const name = `${basename(file.name, '.mmp')}.${options.kernel ?? GENERATIONS[0]!.version}.rec`;
    throw new InputError(file.path, 0, `no recording${wanted} lies beside it (${name})`);
  }
  const results = recordings.map(({ path, recording, kernel }) => {
    const names = { program: file.name, recording: join(dirname(file.name), basename(path)) };
    return checkRun(program, recording, runOn(kernel), names);
  });
  const unrecorded = options.record === undefined ? [] : record(file, options.record, options.kernel, runOn);
  return { results, unrecorded };
}

/** Writes what the engine did. Where it broke off there is nothing to write: why not. */
function record(
  file: ProgramFile,
  folder: string,
  kernel: string | undefined,
  runOn: (kernel: string) => MmpRun,
): string[] {
  const problems: string[] = [];
  for (const version of kernel === undefined ? GENERATIONS.map((g) => g.version) : [kernel]) {
    const { recording, failure } = runOn(version);
    if (failure !== null) {
      problems.push(`${file.path} on ${version}: ${failure.error.stack}`);
      continue;
    }
    const path = join(folder, file.name.replace(/(\.mmp)?$/, kernel === undefined ? `.${version}.rec` : '.rec'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, recordingText(recording));
  }
  return problems;
}
