/**
 * A curve becomes an answer: more replays where the grid is too coarse, and a few on other machines.
 *
 * Promises  1. No machine is replayed twice under the same limit.
 *           2. What is added to the result says what was run: `refined` and `alternatives` hold every replay of it.
 */
import { adviseOn } from './advice.ts';
import { tryAlternatives } from './alternatives.ts';
import type { MachineOptions } from './options.ts';
import { findBoundary } from './refine.ts';
import type { Advice, Alternatives, RunResult } from './result.ts';
import { doesNotThrash, hasFewFaults, limitOf, takesTheTime } from './terms.ts';

export type ReplayOn = (options: MachineOptions, limitBytes: number) => Promise<RunResult>;

export interface Sizing {
  /** From the widest to the narrowest. */
  refined: RunResult[];
  advice: Advice;
  alternatives: Alternatives | null;
}

export async function sizeUp(
  options: MachineOptions,
  unlimited: RunResult,
  runs: readonly RunResult[],
  replay: ReplayOn,
): Promise<Sizing> {
  const once = onlyOnce(options, runs, replay);
  const rules = [hasFewFaults, takesTheTime, doesNotThrash];
  const found = await Promise.all(
    rules.map((rule) => findBoundary(unlimited, runs, rule, (limitBytes) => once(options, limitBytes))),
  );
  const byLimit = new Map(found.flatMap(({ replays }) => replays).map((run) => [run.limit_bytes, run]));
  const refined = [...byLimit.values()].sort((a, b) => limitOf(b) - limitOf(a));
  const advice = adviseOn(unlimited, runs, refined);
  return { refined, advice, alternatives: await tryAlternatives(options, unlimited, advice, once) };
}

function onlyOnce(asked: MachineOptions, runs: readonly RunResult[], replay: ReplayOn): ReplayOn {
  const key = (options: MachineOptions, limitBytes: number | null) => `${JSON.stringify(options)} ${limitBytes}`;
  const made = new Map(runs.map((run) => [key(asked, run.limit_bytes), Promise.resolve(run)]));
  return (options, limitBytes) => {
    const name = key(options, limitBytes);
    const known = made.get(name) ?? replay(options, limitBytes);
    made.set(name, known);
    return known;
  };
}
