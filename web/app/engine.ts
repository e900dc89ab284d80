/**
 * A worker as the page sees it: what is open in it, where it stands, and every question.
 *
 * Owns      the worker, and signals that follow it.
 * Promises  1. One move at a time: while one is under way, `busy` says so and no second one begins.
 *           2. What goes wrong in the worker is in `error`, in words; the page goes on.
 *           3. While it plays, there is one new position for each frame of the page at most, and any move ends it.
 */
import { type Signal, signal } from '@preact/signals';
import * as Comlink from 'comlink';
import type { MachineChoice } from '../../src/view/choice.ts';
import type { Condition } from '../../src/view/conditions.ts';
import type { Facts, Now } from '../../src/view/now.ts';
import type { Source } from '../../src/view/open.ts';
import type { Answer, QueryArgs, QueryName } from '../../src/view/queries.ts';
import { NOTHING, type Selection } from '../../src/view/selection.ts';
import type { Way } from '../../src/view/session.ts';
import type { Remote } from '../engine/worker.ts';
import workerUrl from '../engine/worker.ts?worker&url';
import { type ConnectedWorker, connectWorker } from './assets.ts';
import { conditionText } from './condition_text.ts';

export class Engine {
  /** What is open, for whoever runs it on another machine. */
  readonly source: Signal<Source | null> = signal(null);
  readonly facts: Signal<Facts | null> = signal(null);
  readonly now: Signal<Now | null> = signal(null);
  /** What is chosen, with its other half as it is in this machine: state.ts keeps it so. */
  readonly selection: Signal<Selection> = signal(NOTHING);
  /** The step at which it stood before its last move; null: nobody knows. */
  readonly before: Signal<number | null> = signal(null);
  /** Grows whenever answers may be others than before. */
  readonly changes: Signal<number> = signal(0);
  /** Grows when more of the whole has been looked at: the curves reach farther. */
  readonly looked: Signal<number> = signal(0);
  /** What is under way, in words; null: nothing. */
  readonly busy: Signal<string | null> = signal(null);
  /** What came of the last move, if there is something to say. */
  readonly said: Signal<string | null> = signal(null);
  readonly error: Signal<string | null> = signal(null);
  readonly playing: Signal<boolean> = signal(false);
  readonly choice: Signal<MachineChoice>;
  private readonly port: ConnectedWorker;
  private readonly remote: Comlink.Remote<Remote>;

  constructor(choice: MachineChoice) {
    this.choice = signal(choice);
    this.port = connectWorker(workerUrl);
    this.remote = Comlink.wrap<Remote>(this.port.endpoint);
    void this.remote.follow(
      Comlink.proxy((now: Now) => {
        // A move that is under way brings a newer one.
        if (this.busy.value === null && !this.playing.value && this.now.value !== null) this.now.value = now;
        this.looked.value += 1;
      }),
    );
  }

  /** False if it could not be opened: `error` says why, and what was open still is. */
  async open(source: Source, choice: MachineChoice = this.choice.value): Promise<boolean> {
    return this.move(`opening ${source.name}`, async () => {
      this.facts.value = await Promise.race([this.remote.open(source, choice), this.port.broken]);
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
      return step === 0 ? this.remote.now() : this.remote.go(step);
    });
  }

  async seek(step: number): Promise<boolean> {
    const what = Number.isFinite(step) ? `going to step ${step.toLocaleString('en')}` : 'going to the end';
    return this.move(what, () => this.remote.go(Math.max(0, step)));
  }

  /** False if it does not happen any more, or if the search was cancelled. */
  async next(condition: Condition): Promise<boolean> {
    return this.find(condition, 'next');
  }

  async previous(condition: Condition): Promise<boolean> {
    return this.find(condition, 'previous');
  }

  /** Ends the search or the jump that is under way: the machine stays where it was. */
  cancel(): void {
    if (this.busy.value !== null) void this.remote.cancel();
  }

  /** So many steps a second, or with a condition so many times to the next of it; until the end, or until `pause`. */
  async play(perSecond: () => number, condition: () => Condition | null): Promise<void> {
    if (this.busy.value !== null || this.playing.value || this.facts.value?.kind === 'host') return;
    this.playing.value = true;
    this.error.value = null;
    this.said.value = null;
    let last = await nextFrame();
    let owed = 0;
    try {
      while (this.playing.value) {
        const at = await nextFrame();
        owed += ((at - last) / 1000) * perSecond();
        last = at;
        if (owed < 1 || !this.playing.value) continue;
        const now = await this.played(Math.floor(owed), condition());
        owed %= 1;
        if (now === null) break;
        this.arrive(now);
        if (now.ended || now.step === now.length) break;
      }
    } catch (error) {
      this.error.value = (error as Error).message;
    } finally {
      this.playing.value = false;
    }
  }

  pause(): void {
    if (!this.playing.value) return;
    this.playing.value = false;
    void this.remote.cancel();
  }

  /** An answer of the moment at which the worker comes to it. */
  async ask<K extends QueryName>(name: K, ...args: QueryArgs<K>): Promise<Answer<K>> {
    const ask = this.remote.ask as unknown as (name: K, args: QueryArgs<K>) => Promise<Answer<K>>;
    return ask(name, args);
  }

  close(): void {
    this.playing.value = false;
    this.remote[Comlink.releaseProxy]();
    this.port.terminate();
  }

  private async played(steps: number, condition: Condition | null): Promise<Now | null> {
    if (condition === null) return this.remote.advance(steps);
    const now = await this.remote.find(condition, 'next', Comlink.proxy(ignore));
    if (now === false) this.said.value = `No ${conditionText(condition)} from here on.`;
    return now === false ? null : now;
  }

  private arrive(now: Now): void {
    const last = this.now.value?.step ?? now.step;
    if (last !== now.step) this.before.value = last;
    this.now.value = now;
    this.changes.value += 1;
  }

  private find(condition: Condition, way: Way): Promise<boolean> {
    const text = conditionText(condition);
    return this.move(`looking for: ${text}`, async () => {
      const look = Comlink.proxy((step: number) => {
        if (this.busy.value !== null) this.busy.value = `looking for: ${text}, at step ${step.toLocaleString('en')}`;
      });
      const now = await this.remote.find(condition, way, look);
      if (now === false)
        this.said.value = `Not found ${way === 'next' ? 'from here on' : 'before this step'}: ${text}.`;
      return now === false ? null : now;
    });
  }

  private async move(what: string, work: () => Promise<Now | null>): Promise<boolean> {
    if (this.busy.value !== null) return false;
    this.pause();
    this.busy.value = what;
    this.error.value = null;
    this.said.value = null;
    try {
      const now = await work();
      if (now === null) return false;
      this.arrive(now);
      return true;
    } catch (error) {
      this.error.value = (error as Error).message;
      return false;
    } finally {
      this.busy.value = null;
    }
  }
}

function ignore(): void {}

function nextFrame(): Promise<number> {
  return new Promise((done) => requestAnimationFrame(done));
}
