/** One run of a sweep: a machine of the engine, or a policy that sees the program's pages alone. */
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { type Configuration, KERNEL_POLICY } from './grid.ts';
import { formatSize } from './options.ts';
import { policyOf } from './policy_file.ts';
import { runPolicy } from './policy_run.ts';
import type { TimedResult } from './result.ts';
import { runRecording } from './run.ts';

export interface Run extends Configuration {
  /** null for no limit. */
  limitBytes: number | null;
  /** Tell what happened, too. */
  story?: boolean;
}

export async function runConfiguration(
  recording: Recording,
  survey: Survey,
  run: Run,
  onProgress?: (share: number) => void,
): Promise<TimedResult> {
  if (run.policy === KERNEL_POLICY) return runRecording(recording, survey, run, onProgress);
  return runPolicy(recording, survey, run, await policyOf(run.policy));
}

/** For messages: `Linux 6.1, MGLRU, swappiness 0, limit 24.0 MiB`. */
export function runName(run: Run): string {
  const limit = run.limitBytes === null ? 'no limit' : `limit ${formatSize(run.limitBytes)}`;
  if (run.policy !== KERNEL_POLICY) return `${run.policy}, ${limit}`;
  const swap = run.swapBytes === 0 ? 'no swap' : `${formatSize(run.swapBytes)} of swap on ${run.swapDevice}`;
  const lists = run.mglru ? ', MGLRU' : '';
  return `Linux ${run.kernel}${lists}, ${swap}, swappiness ${run.swappiness}, ${limit}`;
}
