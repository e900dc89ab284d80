/**
 * How little memory a recording needs, asked by a page: a sweep whose runs its own workers make.
 *
 * Owns      what is asked and what comes back; the command that answers the same on a terminal.
 * Promises  1. `sweep` is what `revmap sweep --json` prints for that command, number by number: both are lab/sweep_on.ts.
 *           2. A table of measurements that does not belong to the machine is said to be so, and the sweep goes on without it.
 */
import { uncertainty } from '../lab/doubts.ts';
import { type Configuration, configurationsOf, type GridResult, KERNEL_POLICY } from '../lab/grid.ts';
import { type Limits, MACHINE_DEFAULTS, type MachineOptions } from '../lab/options.ts';
import type { Progress } from '../lab/progress.ts';
import type { RunResult, SweepResult } from '../lab/result.ts';
import { curvesOn, type Replayer, sweepOn } from '../lab/sweep_on.ts';
import { limitOf, majorFaults, refaults } from '../lab/terms.ts';
import { type Truth, truthFor } from '../lab/truth.ts';
import type { Recording } from '../trace/bodies.ts';
import { RecordingError } from '../trace/error.ts';
import type { Survey } from '../trace/survey.ts';
import { parseTruth } from '../trace/truth.ts';

export interface SizingAsked {
  readonly machine: MachineOptions;
  readonly limits: Limits;
  /** Nothing but these limits: no bisection, no other settings. */
  readonly limitsOnly: boolean;
  /** What LRU and OPT caches make of the same accesses, too. */
  readonly missRatio: boolean;
  /** Other kernels, under the same limits. */
  readonly kernels: readonly string[];
  /** A table of measurements. */
  readonly truth: { readonly name: string; readonly text: string } | null;
}

export interface Sized {
  readonly sweep: SweepResult & { readonly uncertainty: readonly string[] };
  /** This kernel and the others; null: none were asked for. */
  readonly kernels: GridResult | null;
  /** Why there is no measurement beside it; null: nobody asked, or there is. */
  readonly truthRefused: string | null;
}

/** What is under way. */
export interface SizingProgress extends Progress {
  readonly what: 'limits' | 'advice' | 'kernels';
}

export async function sizeRecording(
  runner: Replayer,
  { recording, survey }: { readonly recording: Recording; readonly survey: Survey },
  asked: SizingAsked,
  onProgress: (progress: SizingProgress) => void = () => {},
): Promise<Sized> {
  const machine = machineOf(asked.machine);
  const { limits, limitsOnly, missRatio } = asked;
  const { truth, refused } = truthOf(machine, asked.truth);
  // The curve comes first; its runs are counted apart from those that look between them.
  let isCurve = true;
  const tell = (progress: Progress): void => {
    onProgress({ ...progress, what: isCurve ? 'limits' : 'advice' });
    if (progress.done === progress.of) isCurve = false;
  };
  const sweep = await sweepOn(runner, recording, survey, {
    ...machine,
    limits,
    limitsOnly,
    missRatio,
    truth,
    onProgress: tell,
  });
  return {
    sweep: { ...sweep, uncertainty: uncertainty(sweep) },
    kernels: await onKernels(runner, sweep, machine, asked.kernels, onProgress),
    truthRefused: refused,
  };
}

/** As the command takes it: what has no effect is as it always is. */
function machineOf(machine: MachineOptions): Configuration {
  const one = Object.fromEntries(
    Object.entries({ ...MACHINE_DEFAULTS, policy: KERNEL_POLICY }).map(([name, usual]) => [
      name,
      [machine[name as keyof MachineOptions] ?? usual],
    ]),
  ) as unknown as Parameters<typeof configurationsOf>[0];
  return configurationsOf(one).configurations[0]!;
}

function truthOf(
  machine: MachineOptions,
  table: SizingAsked['truth'],
): { truth: Truth | null; refused: string | null } {
  if (table === null) return { truth: null, refused: null };
  try {
    return { truth: truthFor(machine, parseTruth(table.text, table.name), table.name), refused: null };
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    return { truth: null, refused: error.message };
  }
}

async function onKernels(
  runner: Replayer,
  sweep: SweepResult,
  machine: Configuration,
  kernels: readonly string[],
  onProgress: (progress: SizingProgress) => void,
): Promise<GridResult | null> {
  const others = kernels.filter((kernel) => kernel !== machine.kernel);
  if (others.length === 0) return null;
  const bytes = sweep.runs.map(limitOf);
  // MGLRU is not in every kernel: lists are compared with lists.
  const wanted = others.map((kernel) => ({ ...machine, kernel, mglru: false }));
  const curves = await curvesOn(runner, wanted, {
    limits: { bytes },
    onProgress: (progress) => onProgress({ ...progress, what: 'kernels' }),
  });
  const { recording, command, unlimited, runs } = sweep;
  return { recording, command, curves: [{ configuration: machine, unlimited, runs }, ...curves], skipped: [] };
}

/** The command whose --json has the same numbers. */
export function commandOf(file: string, asked: SizingAsked): string[] {
  const words = ['sweep', file];
  const { machine, limits, limitsOnly, missRatio, truth } = asked;
  const put = (flag: string, value: string | number, usual: string | number): void => {
    if (value !== usual) words.push(flag, String(value));
  };
  put('--limits', 'count' in limits ? limits.count : limits.bytes.join(','), 8);
  put('--kernel', machine.kernel, MACHINE_DEFAULTS.kernel);
  put('--ram', machine.ramBytes, MACHINE_DEFAULTS.ramBytes);
  put('--swap', machine.swapBytes === 0 ? 'none' : machine.swapBytes, MACHINE_DEFAULTS.swapBytes);
  put('--swap-device', machine.swapDevice, MACHINE_DEFAULTS.swapDevice);
  put('--swappiness', machine.swappiness, MACHINE_DEFAULTS.swappiness);
  put('--mglru', machine.mglru ? 'on' : 'off', 'off');
  if (limitsOnly) words.push('--limits-only');
  if (missRatio) words.push('--miss-ratio');
  if (truth !== null) words.push('--truth', truth.name);
  return words;
}

/** One replay, as a row of the table behind the curve. */
export interface SizingRow {
  readonly limitBytes: number | null;
  readonly why: 'no limit' | 'asked for' | 'bisection';
  readonly killed: boolean;
  readonly peakBytes: number;
  readonly majorFaults: number;
  readonly swappedIn: number;
  readonly swappedOut: number;
  readonly cameBack: number;
  readonly seconds: number;
}

/** Without a limit first, then from the widest to the narrowest. */
export function rowsOf({ unlimited, runs, refined }: SweepResult): SizingRow[] {
  const limited = [...runs, ...refined].sort((a, b) => limitOf(b) - limitOf(a));
  return [unlimited, ...limited].map((run: RunResult) => ({
    limitBytes: run.limit_bytes,
    why: run.limit_bytes === null ? 'no limit' : runs.includes(run) ? 'asked for' : 'bisection',
    killed: run.status === 'oom-killed',
    peakBytes: run.peak_bytes,
    majorFaults: majorFaults(run),
    swappedIn: run.counters['pswpin'] ?? 0,
    swappedOut: run.counters['pswpout'] ?? 0,
    cameBack: refaults(run),
    seconds: run.estimate.seconds,
  }));
}

/** The limits that have names, from the widest to the narrowest. */
export function namedLimits({ advice }: SweepResult): { name: string; limitBytes: number; says: string }[] {
  const { recommended_limit_bytes, margin_share, smallest_limit, same_time_limit, knee, thrashing_point } = advice;
  const margin = `the smallest that does, and ${100 * margin_share} % more, as far as the prediction may be off`;
  const named: [string, number | null | undefined, string][] = [
    ['recommended', recommended_limit_bytes, margin],
    ['smallest', smallest_limit?.limit_bytes, 'at it and above, hardly more major faults than without a limit'],
    ['same time', same_time_limit?.limit_bytes, 'at it and above, at most 5 % more time than without a limit'],
    ['knee', knee?.limit_bytes, 'below it, each page less costs more'],
    ['thrashes', thrashing_point?.limit_bytes, 'at it and below, more time for moving memory than for its own work'],
  ];
  return named
    .flatMap(([name, limitBytes, says]) => (typeof limitBytes === 'number' ? [{ name, limitBytes, says }] : []))
    .sort((a, b) => b.limitBytes - a.limitBytes);
}
