/** How far many replays are, and how long the rest will take. */

/** How far many replays are. */
export interface Progress {
  /** Runs that are done, and how many there are. */
  done: number;
  of: number;
  /** Of those that are done, how many were not replayed because their results were stored. */
  stored: number;
  /** Share of all the work, 0 to 1. */
  share: number;
  /** Page events replayed in a second so far, and seconds that are left; null as long as nobody can say. */
  eventsPerSecond: number | null;
  secondsLeft: number | null;
}

/** Less of a share than this says nothing about the rest. */
const LEAST_SHARE = 0.002;

export class ProgressSum {
  private readonly shares: Float64Array;
  private readonly started = performance.now();
  private sum = 0;
  private done = 0;
  private stored = 0;
  private eventsEach = 0;
  private readonly tell: ((progress: Progress) => void) | undefined;

  constructor(runs: number, tell: ((progress: Progress) => void) | undefined) {
    this.shares = new Float64Array(runs);
    this.tell = tell;
  }

  /** Run `i` is under way. */
  reached(i: number, share: number): void {
    this.set(i, Math.min(share, 0.999));
    this.say();
  }

  /** Run `i` is done; it had `events` page events. */
  finished(i: number, events: number, stored: boolean): void {
    this.set(i, 1);
    this.done += 1;
    if (stored) this.stored += 1;
    this.eventsEach = Math.max(this.eventsEach, events);
    this.say();
  }

  private set(i: number, share: number): void {
    this.sum += share - this.shares[i]!;
    this.shares[i] = share;
  }

  private say(): void {
    if (this.tell === undefined) return;
    const { done, stored } = this;
    const of = this.shares.length;
    const seconds = (performance.now() - this.started) / 1000;
    const made = this.sum - stored;
    const known = made / of >= LEAST_SHARE && seconds > 0;
    this.tell({
      done,
      of,
      stored,
      share: done === of ? 1 : this.sum / of,
      eventsPerSecond: known && this.eventsEach > 0 ? (made * this.eventsEach) / seconds : null,
      secondsLeft: known ? (seconds * (of - stored - made)) / made : null,
    });
  }
}
