/**
 * Does the engine do what a kernel did? One memory program, one recording, wherever the recording comes from.
 *
 * Promises  A bug of the engine is a difference like any other: field `engine`, at the call that met it.
 */
import { InputError } from '../../mm/bug.ts';
import { GENERATIONS } from '../../mm/generations/index.ts';
import { type MmpProgram, parseMmp } from '../../syscalls/mmp.ts';
import { type Comparison, compareRecordings, type Difference } from './compare.ts';
import { parseRecording, type Recording } from './recording.ts';
import { type MmpRun, runMmp } from './run_mmp.ts';
import { drawScene } from './show.ts';

export interface CheckResult {
  readonly program: string;
  readonly recording: string;
  /** The engine's generation. */
  readonly kernel: string;
  readonly equal: boolean;
  /** Call lines compared, and those before the first difference. */
  readonly calls: number;
  readonly callsBefore: number;
  readonly equalFields: number;
  readonly first: Difference | null;
  /** Both sides at the first difference, drawn; empty if there is none. */
  readonly picture: string;
}

export interface CheckNames {
  readonly program: string;
  readonly recording: string;
}

/** Runs the program on the engine's `kernel` and holds it to the recording. Throws InputError for a damaged file. */
export function checkProgram(
  programText: string,
  recordingText: string,
  kernel: string,
  names: CheckNames = { program: 'program.mmp', recording: 'program.rec' },
): CheckResult {
  const program = parseMmp(programText, names.program);
  const recording = parseRecording(recordingText, names.recording);
  return checkRun(program, recording, runMmp(program, kernel), names);
}

/** The same for a program that has been run. */
export function checkRun(program: MmpProgram, recording: Recording, run: MmpRun, names: CheckNames): CheckResult {
  const comparison = withFailure(compareRecordings(program, recording, run.recording), run);
  const { equal, calls, callsBefore, equalFields, first } = comparison;
  const kernel = run.recording.header.kernel;
  const picture = drawScene(comparison, recording, run.recording);
  return { ...names, kernel, equal, calls, callsBefore, equalFields, first, picture };
}

/** A run that broke off says so where its recording ends, unless it differed before. */
function withFailure(comparison: Comparison, run: MmpRun): Comparison {
  const { first } = comparison;
  if (run.failure === null || (first !== null && first.field !== 'line')) return comparison;
  const { call, error } = run.failure;
  const where = run.recording.lines.length === 0 && call === null ? 'start' : 'call';
  const op = first?.op ?? 0;
  const text = error.message;
  return {
    ...comparison,
    equal: false,
    first: { op, call: call?.text ?? '', where, field: 'engine', kernel: first?.kernel ?? '', engine: text },
  };
}

/** The engine's generation that the recording speaks for: `6.18.44` is 6.18. */
export function generationOf(recording: Recording, file: string): string {
  const { kernel } = recording.header;
  const found = GENERATIONS.find((g) => kernel === g.version || kernel.startsWith(`${g.version}.`));
  if (found !== undefined) return found.version;
  const known = GENERATIONS.map((g) => g.version).join(', ');
  throw new InputError(file, 1, `recorded on Linux ${kernel}, and the engine has ${known}`);
}

/** One line for people. What both sides say there is in the picture. */
export function checkLine(result: CheckResult): string {
  const head = `${result.program} on ${result.kernel}:`;
  const { first } = result;
  if (first === null) return `${head} equal (${result.calls} calls, ${result.equalFields} fields)`;
  return `${head} differs at call ${first.op} of ${result.calls}: ${first.where}, ${first.field}`;
}
