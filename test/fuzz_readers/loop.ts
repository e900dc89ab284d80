/**
 * The loop: change an input that is known, give it to its reader, keep it if it ran what none before it ran.
 *
 * Owns      the inputs that are known, for each reader; who is fuzzed next; what was found.
 * Promises  1. The same seed and the same readers give the same inputs, as long as nothing depends on the clock.
 *           2. Each reader gets the same share of the time, so quick ones get more executions.
 *           3. A failure is told once for each reader and name, with an input made small.
 *
 * Coverage takes a millisecond to ask for, an input some microseconds. So it is asked for behind BATCH inputs; only if something of it
 * is new are the halves run again, and their halves, down to the inputs that made it so.
 */
import type { Coverage } from './coverage.ts';
import { judge, type Reader } from './judge.ts';
import { bytesOf, mutated } from './mutate.ts';
import { Random } from './random.ts';
import { shrunk } from './shrink.ts';

export interface Target {
  name: string;
  read: Reader;
  /** Inputs to begin with: of each kind that the reader knows, short ones. */
  seeds: readonly Uint8Array[];
  /** The format's own words. */
  words: readonly string[];
  /** Takes away what it needed. */
  end?: () => void;
}

export interface Found {
  target: string;
  failure: string;
  input: Uint8Array;
}

export interface TargetReport {
  name: string;
  executions: number;
  inputs: readonly Uint8Array[];
  seen: Uint8Array;
}

const BATCH = 256;
/** Of slow readers, a batch takes no longer than about this. */
const BATCH_MS = 50;

class Fuzzed implements TargetReport {
  readonly name: string;
  readonly read: Reader;
  readonly words: readonly Uint8Array[];
  readonly seeds: readonly Uint8Array[];
  readonly inputs: Uint8Array[];
  readonly seen: Uint8Array;
  readonly failures: Set<string> = new Set();
  executions = 0;
  ms = 0;
  batch = 8;

  constructor(target: Target, length: number) {
    this.name = target.name;
    this.read = target.read;
    this.words = target.words.map(bytesOf);
    this.seeds = target.seeds;
    this.inputs = [...target.seeds];
    this.seen = new Uint8Array(length);
  }
}

export class Loop {
  readonly found: Found[] = [];
  private readonly targets: readonly Fuzzed[];
  private readonly coverage: Coverage;
  private readonly random: Random;
  private readonly tell: (found: Found) => void;

  /** `length`: characters of the script whose coverage counts. */
  constructor(
    targets: readonly Target[],
    coverage: Coverage,
    length: number,
    seed: number,
    tell: (found: Found) => void,
  ) {
    this.targets = targets.map((target) => new Fuzzed(target, length));
    this.coverage = coverage;
    this.random = new Random(seed);
    this.tell = tell;
  }

  get reports(): readonly TargetReport[] {
    return this.targets;
  }

  get executions(): number {
    return this.targets.reduce((sum, { executions }) => sum + executions, 0);
  }

  /** Runs what is known, then `executions` inputs or so. */
  async run(executions: number): Promise<void> {
    for (const target of this.targets) {
      await this.give(target, target.inputs);
      this.coverage.take(target.seen, true);
    }
    while (this.executions < executions) {
      const target = this.targets.reduce((a, b) => (b.ms < a.ms ? b : a));
      await this.round(target);
    }
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
    const { random } = this;
    const inputs = Array.from({ length: target.batch }, () =>
      mutated(random, this.pick(target), this.pick(target), target.words),
    );
    const started = performance.now();
    await this.give(target, inputs);
    if (this.coverage.take(target.seen, false)) await this.keepNew(target, inputs);
    const ms = performance.now() - started;
    target.ms += ms;
    target.batch = ms > BATCH_MS ? Math.max(8, target.batch >> 1) : Math.min(BATCH, target.batch << 1);
  }

  /** Mostly one of the last that were found. */
  private pick({ inputs }: Fuzzed): Uint8Array {
    const back =
      this.random.below(2) === 0 ? this.random.below(Math.min(16, inputs.length)) : this.random.below(inputs.length);
    return inputs[inputs.length - 1 - back]!;
  }

  private async give(target: Fuzzed, inputs: readonly Uint8Array[]): Promise<void> {
    for (const input of inputs) {
      target.executions += 1;
      const failure = await judge(target.read, input);
      if (failure !== null && !target.failures.has(failure)) await this.failed(target, failure, input);
    }
  }

  private async failed(target: Fuzzed, failure: string, input: Uint8Array): Promise<void> {
    target.failures.add(failure);
    const small = await shrunk(input, async (bytes) => (await judge(target.read, bytes)) === failure);
    const found = { target: target.name, failure, input: small };
    this.found.push(found);
    this.tell(found);
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
