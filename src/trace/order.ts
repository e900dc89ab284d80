/**
 * All bodies of a recording, interleaved as they ran.
 *
 * Owns      whose turn it is while a recording is read from its beginning to its end.
 * Promises  1. Format 2: what began earlier by the global clock comes earlier; each body stays in its own order.
 *           2. Format 1 has no clock: its bodies come one behind the other, as in the file.
 *           3. A body is opened when its turn comes and let go at its end.
 *
 *     thread 0   │ 0 ………… 65536 ……………          │ 190000 …       by the clock: thread 0 from 0 and from 65536,
 *     thread 1              │ 120004 …… │ 187000 …                 thread 1 from 120004 and 187000, thread 0 from 190000
 */

import { decoderOf, type Recording } from './bodies.ts';
import { type BodyDecoder, EVENT_CLOCK, EVENT_END, type EventKind } from './decode.ts';

interface Open {
  body: number;
  decoder: BodyDecoder;
}

export class OrderedReader {
  private readonly recording: Recording;
  /** Bodies that are not open yet, the next one last, and where they begin. */
  private readonly waiting: { body: number; clock: number }[];
  private readonly open: Open[] = [];
  private current: Open | null = null;
  /** `current` has met its end; whoever asks for `body` still means it. */
  private ended = false;

  constructor(recording: Recording) {
    const { ordered, processes } = recording.header;
    this.recording = recording;
    const starts = processes.map((_, body) => body);
    if (ordered !== undefined) {
      starts.length = 0;
      for (const { thread, clock } of ordered.chunks) starts[thread] ??= clock;
    }
    this.waiting = starts.map((clock, body) => ({ body, clock })).sort((a, b) => b.clock - a.clock);
  }

  /** Whose event `next` gave: its index as decoderOf takes it. */
  get body(): number {
    return this.current!.body;
  }
  get decoder(): BodyDecoder {
    return this.current!.decoder;
  }

  /** The next event, which may be the end of one body; null behind the last. `events`: do not decode accesses, skip them. */
  next(events = false): EventKind | null {
    if ((this.current === null || this.ended) && !this.choose()) return null;
    for (;;) {
      const { decoder } = this.current!;
      const event = events ? decoder.nextEvent() : decoder.next();
      if (event !== EVENT_CLOCK) {
        this.ended = event === EVENT_END;
        return event;
      }
      this.choose();
    }
  }

  /** The body that is furthest behind; false if all have ended. */
  private choose(): boolean {
    if (this.ended) this.open.splice(this.open.indexOf(this.current!), 1);
    this.ended = false;
    let best: Open | null = null;
    for (const open of this.open) if (best === null || open.decoder.clock < best.decoder.clock) best = open;
    const next = this.waiting.at(-1);
    if (next !== undefined && (best === null || next.clock < best.decoder.clock)) {
      this.waiting.pop();
      best = { body: next.body, decoder: decoderOf(this.recording, next.body) };
      this.open.push(best);
    }
    this.current = best;
    return best !== null;
  }
}
