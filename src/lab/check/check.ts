/**
 * Does the engine do what a kernel did? One memory program, one recording.
 */
import { parseMmp } from '../../syscalls/mmp.ts';
import { type Comparison, compareRecordings } from './compare.ts';
import { parseRecording } from './recording.ts';
import { runMmp } from './run_mmp.ts';

export interface CheckResult extends Comparison {
  readonly program: string;
  readonly kernel: string;
}

/** Runs the program on the engine's `kernel` and holds it to the recording. Throws InputError for a damaged file. */
export function checkProgram(
  programText: string,
  recordingText: string,
  kernel: string,
  names: { program: string; recording: string } = { program: 'program.mmp', recording: 'program.rec' },
): CheckResult {
  const program = parseMmp(programText, names.program);
  const recording = parseRecording(recordingText, names.recording);
  const comparison = compareRecordings(program, recording, runMmp(program, kernel));
  return { program: names.program, kernel, ...comparison };
}

/** One line for people. */
export function checkLine(result: CheckResult): string {
  const head = `${result.program} on ${result.kernel}:`;
  const counts = `${result.equalFields} fields equal, ${result.differentFields} differ`;
  const { first } = result;
  if (first === null) return `${head} ${counts}`;
  const place = `first at call ${first.op} (${first.call}), ${first.where}, ${first.field}`;
  return `${head} ${counts}; ${place}: kernel ${first.kernel}, engine ${first.engine}`;
}
