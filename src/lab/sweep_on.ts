/**
 * What a sweep runs, whoever makes the runs: threads, machines behind a queue, the workers of a page.
 *
 * Owns      which limits are tried, in which order, and what the result says of them.
 * Promises  1. The same recording and options give the same result, whoever replayed and whoever finished first.
 *           2. All curves of a grid have the same limits.
 *           3. Pure: no Node and no browser.
 */
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { adviseOn } from './advice.ts';
import { settingsBeside } from './alternatives.ts';
import type { Run } from './configuration_run.ts';
import { type Configuration, type Curve, KERNEL_POLICY } from './grid.ts';
import { missRatios } from './miss_ratio.ts';
import { type Limits, limitsBelow, type MachineOptions } from './options.ts';
import { type Progress, ProgressSum } from './progress.ts';
import { recordedOf } from './recorded.ts';
import type { RunResult, SweepResult } from './result.ts';
import { type ReplayOn, sizeUp } from './sizing.ts';
import { besideTruth, type Truth } from './truth.ts';

/** Who makes a run, and whether its result was stored already. */
export interface Replayer {
  run(run: Run, onShare: (share: number) => void): Promise<{ readonly result: RunResult; readonly stored: boolean }>;
}

export interface WhichLimits {
  limits: Limits;
  onProgress?: (progress: Progress) => void;
}

/** What of one machine is told. */
export interface SweepAsked {
  /** Nothing but the limits asked for: no bisection, no other settings. */
  limitsOnly?: boolean;
  /** What LRU and OPT make of the same accesses, too. */
  missRatio?: boolean;
  /** What a real kernel did. */
  truth?: Truth | null;
}

/** One machine, with the advice. */
export async function sweepOn(
  runner: Replayer,
  recording: Recording,
  survey: Survey,
  options: MachineOptions & WhichLimits & SweepAsked,
): Promise<SweepResult> {
  const machine = machineOptionsOf(options);
  const { truth = null, missRatio } = options;
  const { name, command, processes } = recording.header;
  const [curve] = await curvesOn(runner, [{ ...machine, policy: KERNEL_POLICY }], options);
  const { unlimited, runs } = curve!;
  const replay = replayerOf(runner, machine, options.onProgress);
  const sizing =
    options.limitsOnly === true
      ? { refined: [], advice: adviseOn(unlimited, runs), alternatives: null }
      : await sizeUp(machine, unlimited, runs, replay);
  const replays = (truth?.points ?? []).map(({ limitBytes }) =>
    limitBytes === null ? unlimited : replay(machine, limitBytes),
  );
  return {
    recording: name,
    command,
    kernel: unlimited.kernel,
    options: machine,
    unlimited,
    runs,
    ...sizing,
    recorded: options.limitsOnly === true ? null : recordedOf(recording),
    miss_ratio: missRatio === true ? missRatios(recording, survey, CACHES) : null,
    truth: truth && besideTruth(truth, await Promise.all(replays), processes.length, survey, sizing.advice),
  };
}

/** Replays of three searches and of other settings, seldom more; only the bar needs to know. */
const MOST_BISECTIONS = 30;
/** Sizes of the caches that stand beside the curve. */
const CACHES = { points: 48, opt: true };

function replayerOf(runner: Replayer, machine: MachineOptions, onProgress: WhichLimits['onProgress']): ReplayOn {
  const progress = new ProgressSum(MOST_BISECTIONS + 2 * settingsBeside(machine).length, onProgress);
  let started = 0;
  return async (options, limitBytes) => {
    const i = started++;
    const run = { ...options, policy: KERNEL_POLICY, limitBytes };
    const { result, stored } = await runner.run(run, (share) => progress.reached(i, share));
    progress.finished(i, result.events, stored);
    return result;
  };
}

/** All curves have the same limits. */
export async function curvesOn(
  runner: Replayer,
  configurations: readonly Configuration[],
  { limits: wanted, onProgress }: WhichLimits,
): Promise<Curve[]> {
  const each = 1 + ('count' in wanted ? wanted.count : wanted.bytes.length);
  const progress = new ProgressSum(each * configurations.length, onProgress);
  const start = async (i: number, configuration: Configuration, limitBytes: number | null): Promise<RunResult> => {
    const { result, stored } = await runner.run({ ...configuration, limitBytes }, (share) =>
      progress.reached(i, share),
    );
    progress.finished(i, result.events, stored);
    return result;
  };
  const unlimited = configurations.map((configuration, c) => start(c * each, configuration, null));
  const allUnlimited = Promise.all(unlimited);
  allUnlimited.catch(() => {}); // it is awaited below; until then nobody hears of a failure
  // Limits that are shares of the peak have to wait for the first; others run beside it.
  const limits = 'count' in wanted ? limitsBelow((await unlimited[0]!).peak_bytes, wanted.count) : wanted.bytes;
  const runs = configurations.map((configuration, c) =>
    Promise.all(limits.map((bytes, i) => start(c * each + 1 + i, configuration, bytes))),
  );
  const [without, under] = await Promise.all([allUnlimited, Promise.all(runs)]);
  return configurations.map((configuration, c) => ({
    configuration,
    unlimited: without[c]!,
    runs: under[c]!,
  }));
}

function machineOptionsOf(options: MachineOptions): MachineOptions {
  const { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru } = options;
  return { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster, minFreeKbytes, mglru };
}
