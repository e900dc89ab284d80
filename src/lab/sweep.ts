/**
 * One recording under many limits.
 *
 * Promises  The result does not depend on how many workers there were, nor on who finished first.
 */
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { adviseOn } from './advice.ts';
import { type Limits, limitsBelow, type MachineOptions } from './options.ts';
import { type Progress, poolFor, progressOf } from './pool.ts';
import type { RunResult, SweepResult } from './result.ts';

export interface SweepOptions extends MachineOptions {
  limits: Limits;
  /** At most so many at once; 0 replays in this thread. Default: one per CPU. */
  workers?: number;
  onProgress?: (progress: Progress) => void;
}

export async function sweepRecording(
  recording: Recording,
  survey: Survey,
  options: SweepOptions,
): Promise<SweepResult> {
  const pool = poolFor(recording, survey, options.workers);
  try {
    const report = progressOf(
      1 + ('count' in options.limits ? options.limits.count : options.limits.bytes.length),
      options.onProgress,
    );
    const start = async (i: number, limitBytes: number | null): Promise<RunResult> => {
      const run = { ...machineOptionsOf(options), limitBytes };
      const result = await pool.run(run, (share) => report(i, Math.min(share, 0.999)));
      report(i, 1);
      return result;
    };
    const first = start(0, null);
    // Limits that are shares of the peak have to wait for it; others run beside it.
    const limits =
      'count' in options.limits ? limitsBelow((await first).peak_bytes, options.limits.count) : options.limits.bytes;
    const [unlimited, ...runs] = await Promise.all([first, ...limits.map((bytes, i) => start(i + 1, bytes))]);
    return {
      recording: recording.header.name,
      command: recording.header.command,
      kernel: unlimited.kernel,
      options: machineOptionsOf(options),
      unlimited,
      runs,
      refined: [],
      advice: adviseOn(unlimited, runs),
    };
  } finally {
    await pool.close();
  }
}

export function machineOptionsOf(options: MachineOptions): MachineOptions {
  const { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru } = options;
  return { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru };
}
