/** What the engine says of the runs that were measured, from a recording of the same command. */
import { judge, type MeasuredPoint, pointsOf, programKind, type Verdict } from '../lab/accuracy.ts';
import { KERNEL_POLICY } from '../lab/grid.ts';
import { MACHINE_DEFAULTS } from '../lab/options.ts';
import { poolOf } from '../lab/pool.ts';
import type { RunResult } from '../lab/result.ts';
import type { RunOptions } from '../lab/run.ts';
import type { Recording } from '../trace/source.ts';
import { surveyRecording } from '../trace/survey.ts';
import type { TruthRow } from '../trace/truth.ts';

export interface PredictedPoint extends MeasuredPoint {
  result: RunResult | null;
  verdicts: Verdict[];
}

/** The machine on which a mode is measured. `release`: of the kernel. */
export function machineOf({ mode, limitBytes, rows }: MeasuredPoint, swapBytes: number): RunOptions {
  const { swappiness, pageCluster, mglru } = mode;
  const kernel = /^(|6\.1\b.*)$/.test(rows[0]?.kernel ?? '') ? '6.1' : '6.18';
  const swapDevice = mode.device === 'zram' ? 'zram' : 'disk';
  return { ...MACHINE_DEFAULTS, kernel, swapBytes, swapDevice, swappiness, pageCluster, mglru, limitBytes };
}

export async function predict(
  recording: Recording,
  rows: readonly TruthRow[],
  swapBytes: number,
): Promise<PredictedPoint[]> {
  const survey = surveyRecording(recording);
  const kind = programKind(recording.header.processes.length, survey);
  const pool = poolOf(undefined);
  const material = { recording, survey };
  try {
    return await Promise.all(
      pointsOf(rows).map(async (point) => {
        const result = await pool.run(material, { ...machineOf(point, swapBytes), policy: KERNEL_POLICY }, () => {});
        return { ...point, result, verdicts: judge(kind, point.rows, result.counters) };
      }),
    );
  } finally {
    await pool.close();
  }
}
