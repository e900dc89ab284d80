/**
 * One recording under many limits, on one machine or on each of a grid.
 *
 * Promises  1. The result does not depend on how many workers there were, nor on who finished first.
 *           2. All curves of a grid have the same limits.
 *           3. What is done is kept, if there is a store: the same sweep goes on from there.
 */
import { InputError } from '../mm/bug.ts';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { adviseOn } from './advice.ts';
import { settingsBeside } from './alternatives.ts';
import { type Configuration, type Curve, configurationsOf, type Grid, type GridResult, KERNEL_POLICY } from './grid.ts';
import { missRatios } from './miss_ratio.ts';
import { type Limits, limitsBelow, type MachineOptions } from './options.ts';
import { type Progress, ProgressSum } from './progress.ts';
import { recordedOf } from './recorded.ts';
import type { RunResult, SweepResult } from './result.ts';
import { Identities, localRunner, type Runner, StoredRunner } from './runner.ts';
import { type ReplayOn, sizeUp } from './sizing.ts';
import { recordingHash } from './store/key.ts';
import { writeParquet } from './store/parquet.ts';
import type { ResultStore } from './store/store.ts';
import { besideTruth, type Truth } from './truth.ts';

export interface SweepWork {
  limits: Limits;
  /** At most so many at once; 0 replays in this thread. Default: one per CPU. */
  workers?: number;
  /** Where results are kept; null: nowhere. */
  store?: ResultStore | null;
  /** Make again what is stored. */
  fresh?: boolean;
  /** Who makes the runs, instead of threads here. */
  runner?: (identities: Identities) => Promise<Runner>;
  onProgress?: (progress: Progress) => void;
  /** Something worth a line: an entry of the store that was not used. */
  onNote?: (note: string) => void;
  /** Ends the sweep; it throws. */
  signal?: AbortSignal;
}

export interface GridOptions extends SweepWork {
  grid: Grid;
}

export interface SweepOptions extends MachineOptions, SweepWork {
  /** Nothing but the limits asked for: no bisection, no other settings. */
  limitsOnly?: boolean;
  /** What LRU and OPT make of the same accesses, too. */
  missRatio?: boolean;
  /** What a real kernel did. */
  truth?: Truth | null;
}

export async function sweepGrid(recording: Recording, survey: Survey, options: GridOptions): Promise<GridResult> {
  const { configurations, skipped } = configurationsOf(options.grid);
  if (configurations.length === 0) throw new InputError('the grid', 0, `nothing is left of it (${skipped.join('; ')})`);
  const { name, command } = recording.header;
  const curves = await withRunner(recording, survey, options, (runner) => curvesOf(runner, configurations, options));
  return { recording: name, command, curves, skipped };
}

/** One configuration, with the advice. */
export async function sweepRecording(
  recording: Recording,
  survey: Survey,
  options: SweepOptions,
): Promise<SweepResult> {
  const machine = machineOptionsOf(options);
  const { truth = null, missRatio } = options;
  const { name, command, processes } = recording.header;
  return withRunner(recording, survey, options, async (runner) => {
    const [curve] = await curvesOf(runner, [{ ...machine, policy: KERNEL_POLICY }], options);
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
  });
}

/** Replays of three searches and of other settings, seldom more; only the bar needs to know. */
const MOST_BISECTIONS = 30;
/** Sizes of the caches that stand beside the curve. */
const CACHES = { points: 48, opt: true };

function replayerOf(runner: Runner, machine: MachineOptions, onProgress: SweepWork['onProgress']): ReplayOn {
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

/** Gives `work` who makes the runs: from the store what is there. What was made is written down at the end. */
async function withRunner<T>(
  recording: Recording,
  survey: Survey,
  options: SweepWork,
  work: (runner: Runner) => Promise<T>,
): Promise<T> {
  const { store, signal } = options;
  signal?.throwIfAborted();
  const identities = new Identities(store || options.runner ? recordingHash(recording) : '');
  const maker = (await options.runner?.(identities)) ?? localRunner({ recording, survey }, options.workers);
  const stored = store
    ? new StoredRunner(store, identities, maker, options.fresh === true, options.onNote ?? (() => {}))
    : null;
  const stop = () => void maker.close();
  signal?.addEventListener('abort', stop);
  try {
    signal?.throwIfAborted();
    const result = await work(stored ?? maker);
    if (store && stored !== null) writeParquet(store, stored.asked);
    return result;
  } finally {
    signal?.removeEventListener('abort', stop);
    await maker.close();
  }
}

async function curvesOf(
  runner: Runner,
  configurations: readonly Configuration[],
  { limits: wanted, onProgress }: SweepWork,
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
