/**
 * A run that goes forward, back, and anywhere.
 *
 * Owns      its checkpoints. A jump restores the last one before the step that is wanted and makes the steps from there.
 * Promises  1. The machine after `seek(step)` is, to the bit, the one that a run from the beginning has after so many steps,
 *              whatever was sought before.
 *           2. Checkpoints take `budgetBytes` at most, but for the first. When they are full, every second goes and they lie
 *              twice as far apart.
 * Cost      Where it has been before, a jump makes `spacing` of work at most: faults cost, and accesses to a mapped page nearly
 *           nothing, so work is counted, not steps.
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

const BUDGET_BYTES = 512 * 1024 * 1024;
/** Some tens of milliseconds. */
const SPACING = 250_000;
const FAULT_WORK = 20;
/** We look so often whether it is time for a checkpoint. */
const STRIDE_EVENTS = 20_000;

/** True of what is looked for: a tracepoint, its values, and the run in which it happened. */
export type Wanted<T extends Player> = (name: TracepointName, values: readonly number[], player: T) => boolean;

interface Kept<T extends Player> {
  readonly step: number;
  readonly checkpoint: Checkpoint<T>;
}

export class Timeline<T extends Player> {
  /** At rest after `step` steps. Another object after each jump back. */
  player: T;
  /** Steps of the whole, as soon as its end was reached. */
  length: number | null = null;
  private readonly checkpoints: Checkpoints<T>;
  /** In order of steps; the first is the beginning. */
  private readonly kept: Kept<T>[] = [];
  private readonly budgetBytes: number;
  private spacing: number;
  /** Work at the last checkpoint that we made or started from. */
  private workAtLast: number;

  /**
   * `player` is new: it made no step, and nobody listens to it. `isShared` says what of it never changes, and what is so
   * large that checkpoints should not copy it.
   */
  constructor(player: T, isShared: (value: object) => boolean, options: TimelineOptions = {}) {
    this.player = player;
    this.budgetBytes = options.budgetBytes ?? BUDGET_BYTES;
    this.spacing = options.spacing ?? SPACING;
    this.checkpoints = new Checkpoints(isShared);
    this.workAtLast = workOf(player);
    this.keep();
  }

  get step(): number {
    return this.player.events;
  }

  /** Bytes that the checkpoints hold, and how many they are. */
  get held(): { bytes: number; checkpoints: number } {
    return { bytes: this.checkpoints.bytes, checkpoints: this.kept.length };
  }

  /** To the state after `step` steps, or to the end if there are not so many. */
  seek(step: number): T {
    const from = this.lastUpTo(step);
    if (step < this.step || from.step > this.step) {
      this.player = this.checkpoints.restore(from.checkpoint);
      this.workAtLast = workOf(this.player);
    }
    while (this.step < step) {
      const next = Math.min(step, this.step + STRIDE_EVENTS);
      if (!this.player.run(next)) {
        this.length = this.step;
        break;
      }
      if (workOf(this.player) - this.workAtLast >= this.spacing) this.keep();
    }
    return this.player;
  }

  /**
   * Another run at rest after `step` steps, or at the end: whoever asks may listen to it and run it on. The timeline stays where it is.
   */
  scratchAt(step: number): T {
    const scratch = this.checkpoints.restore(this.lastUpTo(step).checkpoint);
    scratch.run(step);
    return scratch;
  }

  /**
   * Goes to the first step behind this one whose state has seen what is wanted; null, and no step is made, if it does not
   * happen any more.
   */
  seekNext(wanted: Wanted<T>): T | null {
    const scratch = this.scratchAt(this.step);
    const steps = listen(scratch, wanted);
    let more = true;
    while (more && steps.length === 0) more = scratch.run(scratch.events + STRIDE_EVENTS);
    return steps.length === 0 ? null : this.seek(steps[0]!);
  }

  /** The same backwards: to the last step before this one at which it happened. */
  seekPrevious(wanted: Wanted<T>): T | null {
    for (let until = this.step - 1; until > 0; ) {
      const from = this.lastUpTo(until - 1);
      const scratch = this.checkpoints.restore(from.checkpoint);
      const steps = listen(scratch, wanted);
      scratch.run(until);
      const last = steps.findLast((step) => step <= until);
      if (last !== undefined) return this.seek(last);
      until = from.step;
    }
    return null;
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

  private keep(): void {
    this.workAtLast = workOf(this.player);
    const at = this.kept.findIndex((one) => one.step >= this.step);
    if (this.kept[at]?.step === this.step) return;
    const one = { step: this.step, checkpoint: this.checkpoints.keep(this.player) };
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

/** The steps whose states are the first to have seen what is wanted. A listener is part of a run: only a scratch one gets it. */
function listen<T extends Player>(player: T, wanted: Wanted<T>): number[] {
  const steps: number[] = [];
  player.machine.trace.listen((_atNs, name, values) => {
    // A call is made, and time passes, before the next page event.
    const step = player.position.event + 1;
    if (step !== steps.at(-1) && wanted(name, values, player)) steps.push(step);
  });
  return steps;
}

function workOf(player: Player): number {
  const { minor, major } = player.faults;
  return player.events + FAULT_WORK * (minor + major);
}
