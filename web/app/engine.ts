/**
 * A worker as the page sees it: what is open in it, where it stands, and every question.
 *
 * Owns      the worker, and signals that follow it.
 * Promises  1. One move at a time: while one is under way, `busy` says so and no second one begins.
 *           2. What goes wrong in the worker is in `error`, in words; the page goes on.
 */
import { type Signal, signal } from '@preact/signals';
import * as Comlink from 'comlink';
import type { MachineChoice } from '../../src/view/choice.ts';
import type { Condition } from '../../src/view/conditions.ts';
import type { Facts, Now } from '../../src/view/now.ts';
import type { Source } from '../../src/view/open.ts';
import type { Answer, QueryArgs, QueryName } from '../../src/view/queries.ts';
import type { Remote } from '../engine/worker.ts';

export class Engine {
  /** What is open, for whoever runs it on another machine. */
  readonly source: Signal<Source | null> = signal(null);
  readonly facts: Signal<Facts | null> = signal(null);
  readonly now: Signal<Now | null> = signal(null);
  /** Grows whenever answers may be others than before. */
  readonly changes: Signal<number> = signal(0);
  /** What is under way, in words; null: nothing. */
  readonly busy: Signal<string | null> = signal(null);
  readonly error: Signal<string | null> = signal(null);
  readonly choice: Signal<MachineChoice>;
  private readonly worker: Worker;
  private readonly remote: Comlink.Remote<Remote>;

  constructor(choice: MachineChoice) {
    this.choice = signal(choice);
    this.worker = new Worker(new URL('../engine/worker.ts', import.meta.url), { type: 'module', name: 'revmap' });
    this.remote = Comlink.wrap<Remote>(this.worker);
  }

  /** False if it could not be opened: `error` says why, and what was open still is. */
  async open(source: Source, choice: MachineChoice = this.choice.value): Promise<boolean> {
    return this.move(`opening ${source.name}`, async () => {
      this.facts.value = await this.remote.open(source, choice);
      this.source.value = source;
      this.choice.value = choice;
      return this.remote.now();
    });
  }

  /** The same file on another machine; the step stays where it was. */
  async rebuild(choice: MachineChoice): Promise<boolean> {
    const step = this.now.value?.step ?? 0;
    return this.move('building the machine', async () => {
      this.facts.value = await this.remote.rebuild(choice);
      this.choice.value = choice;
      return step === 0 ? this.remote.now() : this.remote.seek(step);
    });
  }

  async seek(step: number): Promise<boolean> {
    return this.move(`going to step ${step.toLocaleString('en')}`, () => this.remote.seek(Math.max(0, step)));
  }

  /** False if it does not happen any more. */
  async next(condition: Condition): Promise<boolean> {
    return this.move('looking forward', () => this.remote.next(condition));
  }

  async previous(condition: Condition): Promise<boolean> {
    return this.move('looking back', () => this.remote.previous(condition));
  }

  /** An answer of the moment at which the worker comes to it. */
  async ask<K extends QueryName>(name: K, ...args: QueryArgs<K>): Promise<Answer<K>> {
    const ask = this.remote.ask as unknown as (name: K, args: QueryArgs<K>) => Promise<Answer<K>>;
    return ask(name, args);
  }

  close(): void {
    this.remote[Comlink.releaseProxy]();
    this.worker.terminate();
  }

  private async move(what: string, work: () => Promise<Now | null>): Promise<boolean> {
    if (this.busy.value !== null) return false;
    this.busy.value = what;
    this.error.value = null;
    try {
      const now = await work();
      if (now === null) return false;
      this.now.value = now;
      this.changes.value += 1;
      return true;
    } catch (error) {
      this.error.value = (error as Error).message;
      return false;
    } finally {
      this.busy.value = null;
    }
  }
}
