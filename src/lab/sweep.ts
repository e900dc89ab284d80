/**
 * One recording under many limits, on one machine or on each of a grid.
 *
 * Owns      who makes the runs, and what is kept of them. What is run is sweep_on.ts's.
 * Promises  1. The result does not depend on how many workers there were, nor on who finished first.
 *           2. What is done is kept, if there is a store: the same sweep goes on from there.
 */
import { InputError } from '../mm/bug.ts';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { configurationsOf, type Grid, type GridResult } from './grid.ts';
import type { MachineOptions } from './options.ts';
import type { SweepResult } from './result.ts';
import { Identities, localRunner, type Runner, StoredRunner } from './runner.ts';
import { recordingHash } from './store/key.ts';
import { writeParquet } from './store/parquet.ts';
import type { ResultStore } from './store/store.ts';
import { curvesOn, type SweepAsked, sweepOn, type WhichLimits } from './sweep_on.ts';

export interface SweepWork extends WhichLimits {
  /** At most so many at once; 0 replays in this thread. Default: one per CPU. */
  workers?: number;
  /** Where results are kept; null: nowhere. */
  store?: ResultStore | null;
  /** Make again what is stored. */
  fresh?: boolean;
  /** Who makes the runs, instead of threads here. */
  runner?: (identities: Identities) => Promise<Runner>;
  /** Something worth a line: an entry of the store that was not used. */
  onNote?: (note: string) => void;
  /** Ends the sweep; it throws. */
  signal?: AbortSignal;
}

export interface GridOptions extends SweepWork {
  grid: Grid;
}

export interface SweepOptions extends MachineOptions, SweepWork, SweepAsked {}

export async function sweepGrid(recording: Recording, survey: Survey, options: GridOptions): Promise<GridResult> {
  const { configurations, skipped } = configurationsOf(options.grid);
  if (configurations.length === 0) throw new InputError('the grid', 0, `nothing is left of it (${skipped.join('; ')})`);
  const { name, command } = recording.header;
  const curves = await withRunner(recording, survey, options, (runner) => curvesOn(runner, configurations, options));
  return { recording: name, command, curves, skipped };
}

/** One configuration, with the advice. */
export async function sweepRecording(
  recording: Recording,
  survey: Survey,
  options: SweepOptions,
): Promise<SweepResult> {
  return withRunner(recording, survey, options, (runner) => sweepOn(runner, recording, survey, options));
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
