/**
 * The loop: change an input that is known, give it to its reader, keep it if it ran what none before it ran.
 *
 * Owns      the inputs that are known, for each reader; who is fuzzed next; what was found.
 * Promises  1. The same seed gives a reader the same inputs, whatever other readers there are.
 *           2. Readers take turns. A turn of a slow one has fewer inputs.
 *           3. A failure is told once for each reader and name, with an input made small.
 *
 * Coverage takes some milliseconds to ask for, an input some microseconds. So it is asked for behind BATCH inputs; only if something of it
 * is new are the halves run again, and their halves, down to the inputs that made it so.
 */
import { setImmediate } from 'node:timers/promises';
import type { Coverage } from './coverage.ts';
import { judge, type Reader } from './judge.ts';
import { bytesOf, mutated } from './mutate.ts';
import { Random } from './random.ts';
import { shrunk } from './shrink.ts';

export interface Target extends Reader {
  name: string;
  /** Inputs to begin with: of each kind that the reader knows, short ones. */
  seeds: readonly Uint8Array[];
  /** The format's own words. */
  words: readonly string[];
  /** Takes about a millisecond, or several. */
  isSlow?: true;
  isVerySlow?: true;
  /** Takes away what it needed. */
  end?: () => void;
}

export interface Found {
  target: string;
  failure: string;
  input: Uint8Array;
}

export interface LoopListener {
  found(found: Found): void;
  /** The next input, before its reader gets it: who is killed by one leaves it behind. */
  next(target: string, input: Uint8Array): void;
}

export interface TargetReport {
  name: string;
  executions: number;
  inputs: readonly Uint8Array[];
  seen: Uint8Array;
}

const BATCH = 2048;
/** Of readers that take a millisecond. */
const SLOW_BATCH = 64;
const VERY_SLOW_BATCH = 8;

class Fuzzed implements TargetReport {
  readonly name: string;
  readonly reader: Reader;
  readonly words: readonly Uint8Array[];
  readonly seeds: readonly Uint8Array[];
  readonly inputs: Uint8Array[];
  readonly seen: Uint8Array;
  readonly failures: Set<string> = new Set();
  readonly batch: number;
  readonly random: Random;
  executions = 0;

  constructor(target: Target, length: number, seed: number) {
    this.name = target.name;
    this.reader = target;
    this.words = target.words.map(bytesOf);
    this.batch = target.isVerySlow === true ? VERY_SLOW_BATCH : target.isSlow === true ? SLOW_BATCH : BATCH;
    this.random = new Random(seed);
    this.seeds = target.seeds;
    this.inputs = [...target.seeds];
    this.seen = new Uint8Array(length);
  }
}

export class Loop {
  readonly found: Found[] = [];
  private readonly targets: readonly Fuzzed[];
  private readonly coverage: Coverage;
  private readonly listener: LoopListener;
  private isStopped = false;

  /** `length`: characters of the script whose coverage counts. */
  constructor(targets: readonly Target[], coverage: Coverage, length: number, seed: number, listener: LoopListener) {
    this.targets = targets.map((target) => new Fuzzed(target, length, seed));
    this.coverage = coverage;
    this.listener = listener;
  }

  get reports(): readonly TargetReport[] {
    return this.targets;
  }

  get executions(): number {
    return this.targets.reduce((sum, { executions }) => sum + executions, 0);
  }

  /** Runs what is known, then `executions` inputs or so. */
  async run(executions: number): Promise<void> {
    this.coverage.forget();
    for (const target of this.targets) {
      await this.give(target, target.inputs);
      this.coverage.take(target.seen, true);
    }
    while (this.executions < executions && !this.isStopped) {
      for (const target of this.targets) await this.round(target);
      // Signals come between two turns of the event loop, and readers that never wait make none.
      await setImmediate();
    }
  }

  /** Ends `run` behind the turn at hand. */
  stop(): void {
    this.isStopped = true;
  }

  /** Of each reader's inputs, few that together run all that they run: the short ones first. */
  async cover(): Promise<{ name: string; inputs: readonly Uint8Array[] }[]> {
    const covers: { name: string; inputs: readonly Uint8Array[] }[] = [];
    for (const target of this.targets) {
      const seen = new Uint8Array(target.seen.length);
      await this.give(target, target.seeds);
      this.coverage.take(seen, true);
      const inputs: Uint8Array[] = [];
      for (const input of [...target.inputs].sort((a, b) => a.length - b.length)) {
        await this.give(target, [input]);
        if (this.coverage.take(seen, true)) inputs.push(input);
      }
      covers.push({ name: target.name, inputs });
    }
    return covers;
  }

  private async round(target: Fuzzed): Promise<void> {
    const inputs = Array.from({ length: target.batch }, () =>
      mutated(target.random, pick(target), pick(target), target.words),
    );
    await this.give(target, inputs);
    if (this.coverage.take(target.seen, false)) await this.keepNew(target, inputs);
  }

  private async give(target: Fuzzed, inputs: readonly Uint8Array[]): Promise<void> {
    for (const input of inputs) {
      target.executions += 1;
      const failure = await this.judge(target, input);
      if (failure !== null && !target.failures.has(failure)) await this.failed(target, failure, input);
    }
  }

  private judge(target: Fuzzed, input: Uint8Array): Promise<string | null> {
    this.listener.next(target.name, input);
    return judge(target.reader, input);
  }

  private async failed(target: Fuzzed, failure: string, input: Uint8Array): Promise<void> {
    target.failures.add(failure);
    const small = await shrunk(input, async (bytes) => (await this.judge(target, bytes)) === failure);
    const found = { target: target.name, failure, input: small };
    this.found.push(found);
    this.listener.found(found);
  }

  /** Of a batch that ran something new, the inputs that did. */
  private async keepNew(target: Fuzzed, inputs: readonly Uint8Array[]): Promise<void> {
    if (inputs.length === 1) {
      await this.give(target, inputs);
      if (this.coverage.take(target.seen, true)) target.inputs.push(inputs[0]!.slice());
      return;
    }
    const middle = inputs.length >> 1;
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      await this.give(target, half);
      if (this.coverage.take(target.seen, half.length === 1)) {
        if (half.length === 1) target.inputs.push(half[0]!.slice());
        else await this.keepNew(target, half);
      }
    }
  }
}

/** Mostly one of the last that were found. */
function pick({ random, inputs }: Fuzzed): Uint8Array {
  const back = random.below(random.below(2) === 0 ? Math.min(16, inputs.length) : inputs.length);
  return inputs[inputs.length - 1 - back]!;
}
