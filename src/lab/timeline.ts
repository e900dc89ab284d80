/**
 * A replay that goes forward, back, and anywhere.
 *
 * Owns      the checkpoints of one replay. A jump restores the last one before the step that is wanted and replays the rest.
 * Promises  1. The machine after `seek(step)` is, to the bit, the one that a replay from the beginning has after so many page
 *              events, whatever was sought before.
 *           2. Checkpoints take `budgetBytes` at most, but for the first. When they are full, every second goes and they lie
 *              twice as far apart.
 * Cost      Where it has been before, a jump replays `spacing` of work at most: faults cost, and events that hit a mapped page
 *           nearly nothing, so work is counted, not events.
 */
import { type Checkpoint, Checkpoints } from '../mm/checkpoint.ts';
import { isTypedArray } from '../mm/snapshot.ts';
import type { TracepointName } from '../mm/tracepoints.ts';
import type { Recording } from '../trace/bodies.ts';
import type { Survey } from '../trace/survey.ts';
import type { Replay } from './replay.ts';

export interface TimelineOptions {
  /** For all checkpoints together. */
  readonly budgetBytes?: number;
  /** Work between two checkpoints; FAULT_WORK of it is a fault, 1 an event. */
  readonly spacing?: number;
}

const BUDGET_BYTES = 512 * 1024 * 1024;
/** Some tens of milliseconds. */
const SPACING = 250_000;
const FAULT_WORK = 20;
/** We look so often whether it is time for a checkpoint. */
const STRIDE_EVENTS = 20_000;

/** True of what is looked for: a tracepoint, its values, and the replay in which it happened. */
export type Wanted = (name: TracepointName, values: readonly number[], replay: Replay) => boolean;

interface Kept {
  readonly step: number;
  readonly checkpoint: Checkpoint<Replay>;
}

export class Timeline {
  /** The replay, at rest after `step` page events. Another object after each jump back. */
  replay: Replay;
  /** Page events of the whole replay, as soon as its end was reached. */
  length: number | null = null;
  private readonly checkpoints: Checkpoints<Replay>;
  /** In order of steps; the first is the beginning. */
  private readonly kept: Kept[] = [];
  private readonly budgetBytes: number;
  private spacing: number;
  /** Work at the last checkpoint that we made or started from. */
  private workAtLast: number;

  /** `replay` is new: nothing of it was replayed, and nobody listens to it. */
  constructor(replay: Replay, recording: Recording, survey: Survey, options: TimelineOptions = {}) {
    this.replay = replay;
    this.budgetBytes = options.budgetBytes ?? BUDGET_BYTES;
    this.spacing = options.spacing ?? SPACING;
    const bytes = recording.bytes?.buffer;
    this.checkpoints = new Checkpoints(
      (value) => value === recording || value === survey || (isTypedArray(value) && value.buffer === bytes),
    );
    this.workAtLast = workOf(replay);
    this.keep();
  }

  get step(): number {
    return this.replay.events;
  }

  /** Bytes that the checkpoints hold, and how many they are. */
  get held(): { bytes: number; checkpoints: number } {
    return { bytes: this.checkpoints.bytes, checkpoints: this.kept.length };
  }

  /** To the state after `step` page events, or to the end if there are not so many. */
  seek(step: number): Replay {
    const from = this.lastUpTo(step);
    if (step < this.step || from.step > this.step) {
      this.replay = this.checkpoints.restore(from.checkpoint);
      this.workAtLast = workOf(this.replay);
    }
    while (this.step < step) {
      const next = Math.min(step, this.step + STRIDE_EVENTS);
      if (!this.replay.run(next)) {
        this.length = this.step;
        break;
      }
      if (workOf(this.replay) - this.workAtLast >= this.spacing) this.keep();
    }
    return this.replay;
  }

  /**
   * Goes to the first step behind this one whose state has seen what is wanted; null, and no step is made, if it does not
   * happen any more.
   */
  seekNext(wanted: Wanted): Replay | null {
    const scratch = this.checkpoints.restore(this.lastUpTo(this.step).checkpoint);
    scratch.run(this.step);
    const steps = listen(scratch, wanted);
    let more = true;
    while (more && steps.length === 0) more = scratch.run(scratch.events + STRIDE_EVENTS);
    return steps.length === 0 ? null : this.seek(steps[0]!);
  }

  /** The same backwards: to the last step before this one at which it happened. */
  seekPrevious(wanted: Wanted): Replay | null {
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

  private lastUpTo(step: number): Kept {
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
    this.workAtLast = workOf(this.replay);
    const at = this.kept.findIndex((one) => one.step >= this.step);
    if (this.kept[at]?.step === this.step) return;
    const one = { step: this.step, checkpoint: this.checkpoints.keep(this.replay) };
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

/** The steps whose states are the first to have seen what is wanted. Who listens is no longer the replay that nobody looks at. */
function listen(replay: Replay, wanted: Wanted): number[] {
  const steps: number[] = [];
  replay.machine.trace.listen((_atNs, name, values) => {
    // A call is made, and time passes, before the next page event.
    const step = replay.position.event + 1;
    if (step !== steps.at(-1) && wanted(name, values, replay)) steps.push(step);
  });
  return steps;
}

function workOf(replay: Replay): number {
  const { minor, major } = replay.faults;
  return replay.events + FAULT_WORK * (minor + major);
}
