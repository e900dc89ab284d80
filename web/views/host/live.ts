/**
 * Looking at this host again and again.
 *
 * Owns      the watch: every so many seconds, with a pause.
 * Promises  1. One look at a time: the next one is due when the last is drawn, and so many seconds have passed.
 *           2. What goes wrong is in `error`; the watch stops, and what was seen stays.
 *           3. Who opens something else meanwhile keeps it: the watch stops.
 */
import { type Signal, signal } from '@preact/signals';

/** What the page needs of a server: served.ts has it. */
export interface LiveSource {
  /** There is a host to be looked at. */
  readonly live: boolean;
  /** Its answers have numbers of frames. */
  readonly frames: boolean;
  /** This host now: the bytes of a snapshot file. */
  fetchLive(): Promise<Uint8Array>;
}

export interface LiveScreen {
  /** Shows a snapshot; false: it could not, and said why elsewhere. */
  open(bytes: Uint8Array): Promise<boolean>;
  /** What it showed last is still what is open. */
  isOurs(): boolean;
}

export class LiveWatch {
  /** Seconds between two looks; null: it is paused, or was never asked for. */
  readonly every: Signal<number | null> = signal(null);
  readonly isLooking: Signal<boolean> = signal(false);
  readonly error: Signal<string | null> = signal(null);
  private readonly screen: LiveScreen;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(screen: LiveScreen) {
    this.screen = screen;
  }

  /** Once, now. */
  async look(source: LiveSource): Promise<void> {
    if (this.isLooking.value) return;
    clearTimeout(this.timer);
    this.isLooking.value = true;
    this.error.value = null;
    try {
      if (!(await this.screen.open(await source.fetchLive()))) this.every.value = null;
    } catch (error) {
      this.error.value = (error as Error).message;
      this.every.value = null;
    } finally {
      this.isLooking.value = false;
    }
    const seconds = this.every.value;
    if (seconds !== null) this.timer = setTimeout(() => this.again(source), 1000 * seconds);
  }

  private again(source: LiveSource): void {
    if (this.screen.isOurs()) void this.look(source);
    else this.pause();
  }

  /** From now on, every so many seconds. */
  start(source: LiveSource, seconds: number): void {
    this.every.value = seconds;
    void this.look(source);
  }

  pause(): void {
    this.every.value = null;
    clearTimeout(this.timer);
  }
}
