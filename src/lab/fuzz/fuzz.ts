/**
 * Random programs, one after the other, until the time is over: each is judged, and one that fails is made small and kept.
 *
 * Owns      the loop and what it counts. Who judges is given: the running kernel (`liveJudge`), or the engine against its own
 *           promises (`engineJudge`).
 * Promises  1. Same seed and same options, same programs, whatever the time allows of them.
 *           2. A failure is saved as a program, with the kernel's recording of it where there is one, before the next is looked for.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../mm/bug.ts';
import { type MmpProgram, parseMmp } from '../../syscalls/mmp.ts';
import { type CheckResult, checkLine, checkRun, generationOf } from '../check/check.ts';
import type { LiveRun } from '../check/live.ts';
import { isSnap, parseRecording } from '../check/recording.ts';
import { type MmpRun, runMmp } from '../check/run_mmp.ts';
import { type Broken, examine } from './examine.ts';
import { type Generated, generate, programName } from './generate.ts';
import { shrink } from './shrink.ts';

/** What is wrong with a program. */
export interface Failure {
  /** Failures that read alike have one cause, as far as one can tell: shrinking keeps it. */
  readonly signature: string;
  /** The call at which it shows, from 1. */
  readonly op: number;
  /** For people: one line, then perhaps a picture. */
  readonly text: string;
  /** The kernel's recording, as text. */
  readonly recording: string | null;
}

/** A program to be judged, and what the engine did with it if that is known already. */
export interface Candidate {
  readonly name: string;
  readonly text: string;
  readonly run?: MmpRun;
}

/** Says of each program what is wrong with it; null: nothing. */
export type Judge = (programs: readonly Candidate[]) => Promise<(Failure | null)[]>;

export interface FuzzOptions {
  /** Of the first program; the next has the next. */
  readonly seed: number;
  readonly seconds: number;
  /** Ends it before the time is over. */
  readonly programs?: number | undefined;
  /** Calls of each program; without it 50 to 300. */
  readonly calls?: number | undefined;
  /** Where failing programs go. */
  readonly outDir: string;
  /** Programs that are judged at once. */
  readonly batch: number;
}

export interface Found {
  readonly seed: number;
  /** The small program. */
  readonly program: string;
  readonly recording: string | null;
  readonly text: string;
}

export interface FuzzSummary {
  readonly seed: number;
  readonly programs: number;
  readonly calls: number;
  readonly seconds: number;
  /** Calls that ended in an errno, and in a signal. */
  readonly errors: number;
  readonly signals: number;
  readonly found: readonly Found[];
  /** Failures like one that was found before; they are counted and not made small. */
  readonly again: number;
  readonly kinds: ReadonlyMap<string, number>;
}

export interface FuzzEvents {
  readonly progress?: (soFar: FuzzSummary) => void;
  readonly found?: (found: Found) => void;
  /** Asked before each batch. */
  readonly isStopped?: () => boolean;
}

const MS = 1000;

export async function fuzz(options: FuzzOptions, judge: Judge, events: FuzzEvents = {}): Promise<FuzzSummary> {
  return new Fuzzer(options, judge, events).run();
}

class Fuzzer {
  private readonly options: FuzzOptions;
  private readonly judge: Judge;
  private readonly events: FuzzEvents;
  private readonly started = performance.now();
  private readonly found: Found[] = [];
  private readonly signatures: Set<string> = new Set();
  private readonly kinds: Map<string, number> = new Map();
  private programs = 0;
  private calls = 0;
  private errors = 0;
  private signals = 0;
  private again = 0;

  constructor(options: FuzzOptions, judge: Judge, events: FuzzEvents) {
    this.options = options;
    this.judge = judge;
    this.events = events;
  }

  async run(): Promise<FuzzSummary> {
    for (let count = this.nextBatch(); count > 0; count = this.nextBatch()) {
      const first = this.options.seed + this.programs;
      const made = Array.from({ length: count }, (_, i) => generate({ seed: first + i, calls: this.options.calls }));
      const failures = await this.judge(made.map(candidateOf));
      for (const [i, generated] of made.entries()) {
        this.count(generated);
        const failure = failures[i];
        if (failure !== null && failure !== undefined) await this.failed(generated, failure);
      }
      this.events.progress?.(this.summary());
    }
    return this.summary();
  }

  /** How many programs come next; 0: it is over. */
  private nextBatch(): number {
    const { seconds, programs = Number.POSITIVE_INFINITY, batch } = this.options;
    if (this.elapsed >= seconds || this.events.isStopped?.() === true) return 0;
    return Math.min(batch, programs - this.programs);
  }

  private get elapsed(): number {
    return (performance.now() - this.started) / MS;
  }

  private count({ calls, kinds, recording }: Generated): void {
    this.programs += 1;
    this.calls += calls;
    for (const [kind, times] of kinds) this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + times);
    for (const line of recording.lines) {
      if (isSnap(line)) continue;
      if (line.err !== undefined) this.errors += 1;
      if (line.sig !== undefined) this.signals += 1;
    }
  }

  private async failed(generated: Generated, failure: Failure): Promise<void> {
    if (this.signatures.has(failure.signature)) {
      this.again += 1;
      return;
    }
    this.signatures.add(failure.signature);
    const name = programName(generated.seed);
    const differs = async (texts: string[]): Promise<boolean[]> => {
      const failures = await this.judge(texts.filter(isProgram).map((text) => ({ name, text })));
      return texts.map((text) => isProgram(text) && failures.shift()?.signature === failure.signature);
    };
    const [repeated] = await differs([generated.text]);
    const small = repeated ? await shrink(generated.text, differs, failure.op) : generated.text;
    const [again] = repeated ? await this.judge([{ name, text: small }]) : [];
    // One that does not fail every time is kept as it was when it did.
    const found =
      again == null ? this.save(generated.seed, generated.text, failure) : this.save(generated.seed, small, again);
    this.found.push(found);
    this.events.found?.(found);
  }

  private save(seed: number, text: string, failure: Failure): Found {
    const { outDir } = this.options;
    mkdirSync(outDir, { recursive: true });
    const program = join(outDir, programName(seed));
    writeFileSync(program, text);
    const recording = failure.recording === null ? null : program.replace(/\.mmp$/, '.rec');
    if (recording !== null) writeFileSync(recording, failure.recording!);
    return { seed, program, recording, text: failure.text };
  }

  private summary(): FuzzSummary {
    const { programs, calls, errors, signals, found, again, kinds } = this;
    return { seed: this.options.seed, programs, calls, seconds: this.elapsed, errors, signals, found, again, kinds };
  }
}

function candidateOf({ seed, text, recording, failure }: Generated): Candidate {
  return { name: programName(seed), text, run: { recording, failure } };
}

/** Shrinking makes texts that no longer are programs. */
function isProgram(text: string): boolean {
  try {
    parseMmp(text, '');
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

// judges

/** The engine on each of the kernels, against its own promises. */
export function engineJudge(kernels: readonly string[]): Judge {
  return async (programs) => programs.map(({ name, text }) => brokenOn(parseMmp(text, name), kernels));
}

function brokenOn(program: MmpProgram, kernels: readonly string[]): Failure | null {
  for (const kernel of kernels) {
    const broken = examine(program, kernel);
    if (broken === null) continue;
    const text = `${program.file} on ${kernel}: ${broken.kind} at call ${broken.op} (${broken.call})\n${broken.what}`;
    return { signature: `${kernel} ${signatureOf(broken)}`, op: broken.op, text, recording: null };
  }
  return null;
}

/** Numbers are of the program, words of the cause. */
function signatureOf({ kind, what }: Broken): string {
  return kind === 'contents' ? kind : `${kind} ${what.split('\n')[0]!.replace(/0x[0-9a-f]+|\d+/g, '#')}`;
}

/** The kernel that runs here, through `record`, which writes NAME.rec for each program. */
export function liveJudge(
  record: (files: readonly string[], outDir: string) => Promise<Pick<LiveRun, 'results'>>,
): Judge {
  return async (programs) => {
    const folder = mkdtempSync(join(tmpdir(), 'revmap-fuzz-'));
    try {
      const files = programs.map((program, i) => join(folder, `${i}-${program.name}`));
      for (const [i, file] of files.entries()) writeFileSync(file, programs[i]!.text);
      const { results } = files.length === 0 ? { results: [] } : await record(files, folder);
      return programs.map((program, i) => {
        const { recording, skipped, failed } = results[i]!;
        if (recording === null) throw new InputError(program.name, 0, `no recording: ${skipped ?? failed}`);
        return held(program, readFileSync(recording, 'utf8'));
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

function held(candidate: Candidate, text: string): Failure | null {
  const { name } = candidate;
  const program = parseMmp(candidate.text, name);
  const recording = parseRecording(text, name);
  const kernel = generationOf(recording, name);
  const known = candidate.run?.recording.header.kernel === kernel ? candidate.run : undefined;
  const result = checkRun(program, recording, known ?? runMmp(program, kernel), { program: name, recording: name });
  if (result.equal) return null;
  const shown = `${checkLine(result)}\n\n${result.picture}`;
  return { signature: differenceSignature(result), op: result.first!.op, text: shown, recording: text };
}

/** Which field differs; of flags, which of them. */
function differenceSignature({ first }: CheckResult): string {
  const { field, kernel, engine } = first!;
  if (field === 'engine') return `engine ${engine.replace(/0x[0-9a-f]+|\d+/g, '#')}`;
  if (field === 'err' || field === 'state' || field === 'pm') return `${field} ${kernel} ${engine}`;
  if (field === 'cache') {
    const pairs = [...kernel].map((letter, i) => `${letter}${engine[i] ?? ''}`).filter(([a, b]) => a !== b);
    return `cache ${[...new Set(pairs)].sort().join(' ')}`;
  }
  if (field !== 'flags' && field !== 'VmFlags') return field;
  const there = new Set(kernel.split(/[| ]/));
  const here = new Set(engine.split(/[| ]/));
  const only = (one: Set<string>, other: Set<string>): string => [...one].filter((flag) => !other.has(flag)).join('|');
  return `${field} ${only(there, here)} ${only(here, there)}`;
}
