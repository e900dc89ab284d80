/**
 * Who makes the runs of a sweep: threads here, machines behind a queue, or nobody, because the result is stored.
 *
 * Promises  Results are the same whoever made them, byte for byte.
 */
import type { Run } from './configuration_run.ts';
import { policySha256 } from './policy_file.ts';
import { type Material, poolOf } from './pool.ts';
import type { RunResult, TimedResult } from './result.ts';
import { engineVersion, type Identity } from './store/key.ts';
import type { ResultStore } from './store/store.ts';

export interface Outcome {
  result: RunResult;
  /** Wall time of the replay, whenever that was. */
  seconds: number;
  stored: boolean;
}

export interface Runner {
  run(run: Run, onShare: (share: number) => void): Promise<Outcome>;
  /** What is under way is given up. */
  close(): Promise<void>;
}

/** As it comes back from a file or from another machine: numbers, texts, lists. */
export function outcomeOf({ seconds, ...result }: TimedResult): Outcome {
  return { result: JSON.parse(JSON.stringify(result)), seconds, stored: false };
}

export function localRunner(material: Material, workers: number | undefined): Runner {
  const pool = poolOf(workers);
  return {
    run: async (run, onShare) => outcomeOf(await pool.run(material, run, onShare)),
    close: () => pool.close(),
  };
}

/** What the runs of one recording are called. */
export class Identities {
  /** The recording's hash. */
  readonly recording: string;
  private readonly policies: Map<string, Promise<string>> = new Map();

  constructor(recording: string) {
    this.recording = recording;
  }

  async of({ limitBytes, story: _, ...configuration }: Run): Promise<Identity> {
    const { policy } = configuration;
    // A policy's file is read once: the sweep is about what it was then.
    const hash = this.policies.get(policy) ?? policySha256(policy);
    this.policies.set(policy, hash);
    const { recording } = this;
    return { engine: engineVersion(), recording, configuration, policySha256: await hash, limitBytes };
  }
}

/** What is stored is taken from there, what is made is stored. */
export class StoredRunner implements Runner {
  /** What was asked for, in any order. */
  readonly asked: Identity[] = [];
  private readonly store: ResultStore;
  private readonly identities: Identities;
  private readonly inner: Runner;
  private readonly fresh: boolean;
  private readonly onNote: (note: string) => void;

  /** `fresh` makes everything anew; `onNote` hears of entries that were not used. */
  constructor(
    store: ResultStore,
    identities: Identities,
    inner: Runner,
    fresh: boolean,
    onNote: (note: string) => void,
  ) {
    this.store = store;
    this.identities = identities;
    this.inner = inner;
    this.fresh = fresh;
    this.onNote = onNote;
  }

  async run(run: Run, onShare: (share: number) => void): Promise<Outcome> {
    const identity = await this.identities.of(run);
    this.asked.push(identity);
    const found = this.fresh ? null : this.store.get(identity);
    if (typeof found === 'string') this.onNote(`${found}; it is made again`);
    else if (found !== null) return { result: found.result, seconds: found.seconds, stored: true };
    const outcome = await this.inner.run(run, onShare);
    this.store.put(identity, outcome.result, outcome.seconds);
    return outcome;
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
