/**
 * A run that goes forward, back, and anywhere.
 *
 * Owns      its checkpoints. A jump restores the last one before the step that is wanted and makes the steps from there.
 * Promises  1. The machine after `seek(step)` is, to the bit, the one that a run from the beginning has after so many steps,
 *              whatever was sought before.
 *           2. Checkpoints take `budgetBytes` at most, but for the first. When they are full, every second goes and they lie
 *              twice as far apart.
 *           3. What takes long is a generator that yields every thousand steps: whoever does not ask it on has cancelled it, and the
 *              timeline stands where it stood.
 * Cost      Where it has been before, a jump makes `spacing` of work at most: faults cost, and accesses to a mapped page nearly
 *           nothing, so work is counted, not steps.
 *
 * The last step is followed by what the program does on its way out. That is a place of its own, one step behind the last.
 */
import { type Checkpoint, Checkpoints } from '../mm/checkpoint.ts';
import type { Machine } from '../mm/machine.ts';
import type { TracepointName } from '../mm/tracepoints.ts';

/** What goes forward step by step: a recording (replay.ts), a memory program (program_player.ts). */
export interface Player {
  readonly machine: Machine;
  /** Steps made. */
  readonly events: number;
  /** How many were made when what happens now happened: inside a step, those before it. */
  readonly position: { readonly event: number };
  readonly faults: { readonly minor: number; readonly major: number };
  /** Makes steps until `events` are made; false if it ended before. */
  run(events: number): boolean;
}

export interface TimelineOptions {
  /** For all checkpoints together. */
  readonly budgetBytes?: number;
  /** Work between two checkpoints; FAULT_WORK of it is a fault, 1 a step. */
  readonly spacing?: number;
}

/** How a scratch run is watched. A listener is part of a run, so it steps aside while a checkpoint is made. */
export interface Watch {
  /** Begins to listen; returns what ends it. */
  listen(): () => void;
  /** Called after every single step. Left out: tracepoints tell all there is to know, and many steps are made at once. */
  readonly afterStep?: () => void;
}

/** What is looked for: how to watch a run, which says `happened` in the step in which it happens. */
export type Search<T extends Player> = (player: T, happened: () => void) => Watch;

/** Looks at a run from the beginning to its end. */
export interface Onlooker extends Watch {
  /** Called at the beginning, at each step of `nextLook`, and at the end. */
  look(): void;
  readonly nextLook: number;
}

const BUDGET_BYTES = 512 * 1024 * 1024;
/** Some tens of milliseconds. */
const SPACING = 250_000;
const FAULT_WORK = 20;
/** So many steps are made between two looks whether it is time for a checkpoint, or whether to go on. */
const STRIDE_EVENTS = 1000;

/** True of what is looked for: a tracepoint, its values, and the run in which it happened. */
export type Wanted<T extends Player> = (name: TracepointName, values: readonly number[], player: T) => boolean;

/** A search for a tracepoint. */
export function tracepointSearch<T extends Player>(wanted: Wanted<T>): Search<T> {
  return (player, happened) => ({
    listen: () =>
      player.machine.trace.listen((_atNs, name, values) => {
        if (wanted(name, values, player)) happened();
      }),
  });
}

interface Kept<T extends Player> {
  readonly step: number;
  readonly checkpoint: Checkpoint<T>;
}

interface Run<T extends Player> {
  readonly player: T;
  /** It has nothing more to do. */
  ended: boolean;
  /** Between two steps. */
  resting: boolean;
  /** Work at the last checkpoint that it made or started from. */
  workAtLast: number;
}

export class Timeline<T extends Player> {
  /** Steps of the whole, as soon as its end was reached. */
  length: number | null = null;
  /** Where we stand. Another object after each jump. */
  private shown: Run<T>;
  private readonly checkpoints: Checkpoints<T>;
  /** In order of steps; the first is the beginning. */
  private readonly kept: Kept<T>[] = [];
  private readonly budgetBytes: number;
  private spacing: number;

  /**
   * `player` is new: it made no step, and nobody listens to it. `isShared` says what of it never changes, and what is so
   * large that checkpoints should not copy it.
   */
  constructor(player: T, isShared: (value: object) => boolean, options: TimelineOptions = {}) {
    this.budgetBytes = options.budgetBytes ?? BUDGET_BYTES;
    this.spacing = options.spacing ?? SPACING;
    this.checkpoints = new Checkpoints(isShared);
    this.shown = runOf(player);
    this.keep(this.shown);
  }

  /** At rest after `step` steps. Another object after each jump. */
  get player(): T {
    return this.shown.player;
  }

  get step(): number {
    return this.shown.player.events;
  }

  /** The program has ended, too: one can go no further. */
  get ended(): boolean {
    return this.shown.ended;
  }

  /** Bytes that the checkpoints hold, and how many they are. */
  get held(): { bytes: number; checkpoints: number } {
    return { bytes: this.checkpoints.bytes, checkpoints: this.kept.length };
  }

  /** To the state after `step` steps, or to the end if there are not so many. */
  seek(step: number): T {
    return finish(this.seeking(step));
  }

  /** The same in pieces; until the last is done, the timeline stands where it stood. Yields how far it is. */
  *seeking(step: number): Generator<number, T> {
    if (this.isNear(step)) {
      this.forward(this.shown, step);
    } else if (step !== placeOf(this.shown) && !(step > this.step && this.ended)) {
      const run = this.runFrom(step);
      yield* this.going(run, step);
      this.shown = run;
    }
    return this.player;
  }

  /**
   * Another run at rest after `step` steps, or at the end: whoever asks may listen to it and run it on. The timeline stays where it is.
   */
  scratchAt(step: number): T {
    const run = this.runFrom(step);
    finish(this.going(run, step));
    return run.player;
  }

  /** The step of the last checkpoint up to `step`: a scratch run costs least there. */
  checkpointUpTo(step: number): number {
    return this.lastUpTo(step).step;
  }

  /**
   * Goes to the first step behind this one whose state has seen what is wanted; null, and no step is made, if it does not
   * happen any more.
   */
  seekNext(search: Search<T>): T | null {
    const step = finish(this.findNext(search));
    return step === null ? null : this.seek(step);
  }

  /** The same backwards: to the last step before this one at which it happened. */
  seekPrevious(search: Search<T>): T | null {
    const step = finish(this.findPrevious(search));
    return step === null ? null : this.seek(step);
  }

  /** The step that seekNext goes to. Yields the step at which it looks. */
  *findNext(search: Search<T>): Generator<number, number | null> {
    const at = placeOf(this.shown);
    const run = this.runFrom(at);
    yield* this.going(run, at);
    const hits: number[] = [];
    const watch = search(run.player, hitter(run, hits));
    while (!run.ended && hits.length === 0) {
      this.watched(run, watch, run.player.events + STRIDE_EVENTS, () => hits.length > 0);
      yield run.player.events;
    }
    return hits[0] ?? null;
  }

  /** The step that seekPrevious goes to. */
  *findPrevious(search: Search<T>): Generator<number, number | null> {
    for (let until = placeOf(this.shown) - 1; until > 0; ) {
      const from = this.lastUpTo(until - 1).step;
      const run = this.runFrom(from);
      const hits: number[] = [];
      const watch = search(run.player, hitter(run, hits));
      while (placeOf(run) < until && !run.ended) {
        this.watched(run, watch, Math.min(until, run.player.events + STRIDE_EVENTS), () => false);
        yield from;
      }
      const last = hits.findLast((step) => step <= until);
      if (last !== undefined) return last;
      until = from;
    }
    return null;
  }

  /** A scratch run over the whole, which leaves checkpoints on its way. Yields how far it is. */
  *overWhole(onlooker: (player: T) => Onlooker): Generator<number, void> {
    const run = this.runFrom(0);
    const looks = onlooker(run.player);
    looks.look();
    while (!run.ended) {
      const until = Math.min(looks.nextLook, run.player.events + STRIDE_EVENTS);
      this.watched(run, looks, until, () => false);
      if (run.ended || run.player.events >= looks.nextLook) looks.look();
      yield run.player.events;
    }
  }

  /** So near that it is one piece to go there from where we stand. */
  private isNear(step: number): boolean {
    return step > placeOf(this.shown) && step - this.step <= STRIDE_EVENTS;
  }

  private runFrom(step: number): Run<T> {
    return runOf(this.checkpoints.restore(this.lastUpTo(step).checkpoint));
  }

  private *going(run: Run<T>, step: number): Generator<number, void> {
    while (placeOf(run) < step && !run.ended) {
      this.forward(run, Math.min(step, run.player.events + STRIDE_EVENTS));
      yield run.player.events;
    }
  }

  private forward(run: Run<T>, until: number): void {
    this.advance(run, until);
    if (isDue(run, this.spacing)) this.keep(run);
  }

  private advance(run: Run<T>, until: number): void {
    run.resting = false;
    const more = run.player.run(until);
    run.resting = true;
    if (more) return;
    run.ended = true;
    this.length = run.player.events;
  }

  /** `forward` with somebody who watches. */
  private watched(run: Run<T>, watch: Watch, until: number, enough: () => boolean): void {
    const stop = watch.listen();
    const { afterStep } = watch;
    if (afterStep === undefined) this.advance(run, until);
    else {
      while (run.player.events < until && !run.ended && !enough()) {
        this.advance(run, run.player.events + 1);
        afterStep();
      }
    }
    stop();
    if (isDue(run, this.spacing)) this.keep(run);
  }

  private lastUpTo(step: number): Kept<T> {
    let low = 0;
    let high = this.kept.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.kept[middle]!.step <= step) low = middle;
      else high = middle - 1;
    }
    return this.kept[low]!;
  }

  private keep(run: Run<T>): void {
    run.workAtLast = workOf(run.player);
    const step = run.player.events;
    const at = this.kept.findIndex((one) => one.step >= step);
    if (run.ended || this.kept[at]?.step === step) return;
    const one = { step, checkpoint: this.checkpoints.keep(run.player) };
    if (at < 0) this.kept.push(one);
    else this.kept.splice(at, 0, one);
    while (this.checkpoints.bytes > this.budgetBytes && this.kept.length > 2) this.thinOut();
  }

  private thinOut(): void {
    const gone = this.kept.filter((_, n) => n % 2 === 1);
    for (const { checkpoint } of gone) this.checkpoints.forget(checkpoint);
    this.kept.splice(0, this.kept.length, ...this.kept.filter((_, n) => n % 2 === 0));
    this.spacing *= 2;
  }
}

function runOf<T extends Player>(player: T): Run<T> {
  return { player, ended: false, resting: true, workAtLast: workOf(player) };
}

/** Steps made; behind the end one more. */
function placeOf<T extends Player>({ player, ended }: Run<T>): number {
  return player.events + (ended ? 1 : 0);
}

/** Notes the steps whose states are the first to have seen it. */
function hitter<T extends Player>(run: Run<T>, hits: number[]): () => void {
  return () => {
    // A call is made, and time passes, before the next page event.
    const step = run.resting ? placeOf(run) : run.player.position.event + 1;
    if (step !== hits.at(-1)) hits.push(step);
  };
}

function isDue<T extends Player>(run: Run<T>, spacing: number): boolean {
  return workOf(run.player) - run.workAtLast >= spacing;
}

function workOf(player: Player): number {
  const { minor, major } = player.faults;
  return player.events + FAULT_WORK * (minor + major);
}

function finish<R>(steps: Generator<unknown, R>): R {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
