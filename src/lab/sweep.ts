/**
 * One recording under many limits, on one machine or on each of a grid.
 *
 * Promises  1. The result does not depend on how many workers there were, nor on who finished first.
 *           2. All curves of a grid have the same limits.
 */
import { InputError } from '../mm/bug.ts';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { adviseOn } from './advice.ts';
import { type Configuration, type Curve, configurationsOf, type Grid, type GridResult, KERNEL_POLICY } from './grid.ts';
import { type Limits, limitsBelow, type MachineOptions } from './options.ts';
import { type Pool, type Progress, poolFor, progressOf } from './pool.ts';
import type { RunResult, SweepResult } from './result.ts';
import { type Sizing, sizeUp } from './sizing.ts';

interface SweepWork {
  limits: Limits;
  /** At most so many at once; 0 replays in this thread. Default: one per CPU. */
  workers?: number;
  onProgress?: (progress: Progress) => void;
}

export interface GridOptions extends SweepWork {
  grid: Grid;
}

export interface SweepOptions extends MachineOptions, SweepWork {
  /** Nothing but the limits asked for: no bisection, no other settings. */
  limitsOnly?: boolean;
}

export async function sweepGrid(recording: Recording, survey: Survey, options: GridOptions): Promise<GridResult> {
  const { configurations, skipped } = configurationsOf(options.grid);
  if (configurations.length === 0) throw new InputError('the grid', 0, `nothing is left of it (${skipped.join('; ')})`);
  const { name, command } = recording.header;
  const curves = await sweepAll(recording, survey, configurations, options);
  return { recording: name, command, curves, skipped };
}

/** One configuration, with the advice. */
export async function sweepRecording(
  recording: Recording,
  survey: Survey,
  options: SweepOptions,
): Promise<SweepResult> {
  const machine = machineOptionsOf(options);
  const configuration = { ...machine, policy: KERNEL_POLICY };
  const curves = await sweepAll(recording, survey, [configuration], options);
  const { unlimited, runs } = curves[0]!;
  const sizing = async (): Promise<Sizing> => {
    if (options.limitsOnly === true) return { refined: [], advice: adviseOn(unlimited, runs), alternatives: null };
    const pool = poolFor(recording, survey, options.workers);
    try {
      return await sizeUp(machine, unlimited, runs, (other, limitBytes) =>
        runOne(pool, { ...other, policy: KERNEL_POLICY }, limitBytes, () => {}),
      );
    } finally {
      await pool.close();
    }
  };
  return {
    recording: recording.header.name,
    command: recording.header.command,
    kernel: unlimited.kernel,
    options: machine,
    unlimited,
    runs,
    ...(await sizing()),
  };
}

async function sweepAll(
  recording: Recording,
  survey: Survey,
  configurations: readonly Configuration[],
  options: SweepWork,
): Promise<Curve[]> {
  const pool = poolFor(recording, survey, options.workers);
  const { limits: wanted } = options;
  try {
    const each = 1 + ('count' in wanted ? wanted.count : wanted.bytes.length);
    const report = progressOf(each * configurations.length, options.onProgress);
    const start = (i: number, configuration: Configuration, limitBytes: number | null) =>
      runOne(pool, configuration, limitBytes, (share) => report(i, share));
    const unlimited = configurations.map((configuration, c) => start(c * each, configuration, null));
    // Limits that are shares of the peak have to wait for the first; others run beside it.
    const limits = 'count' in wanted ? limitsBelow((await unlimited[0]!).peak_bytes, wanted.count) : wanted.bytes;
    const curves = configurations.map(async (configuration, c) => ({
      configuration,
      unlimited: await unlimited[c]!,
      runs: await Promise.all(limits.map((bytes, i) => start(c * each + 1 + i, configuration, bytes))),
    }));
    return await Promise.all(curves);
  } finally {
    await pool.close();
  }
}

async function runOne(
  pool: Pool,
  configuration: Configuration,
  limitBytes: number | null,
  report: (share: number) => void,
): Promise<RunResult> {
  const { policy } = configuration;
  if (policy !== KERNEL_POLICY) throw new InputError('--policy', 0, `there is no policy '${policy}'`);
  const run = { ...machineOptionsOf(configuration), limitBytes };
  const { seconds: _, ...result } = await pool.run(run, (share) => report(Math.min(share, 0.999)));
  report(1);
  return result;
}

export function machineOptionsOf(options: MachineOptions): MachineOptions {
  const { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru } = options;
  return { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru };
}
