/**
 * Virtual time, and what is due.
 *
 * Owns      now, and a heap of events. An event is plain data (kind and two numbers), so that a snapshot can copy it.
 * Promises  Events run in the order of their times; those of equal time in the order in which they were scheduled.
 */
export const EVENT_KSWAPD = 0;
export const EVENT_FLUSHER = 1;
/** A read or write of the block layer is complete: a is the request's id. */
export const EVENT_IO_DONE = 2;
/** A daemon of the generation wakes: a is its number (Machine.addDaemon). */
export const EVENT_DAEMON = 3;

export interface ClockEvent {
  readonly at: number;
  readonly seq: number;
  readonly kind: number;
  readonly a: number;
  readonly b: number;
}

export class Clock {
  /** Nanoseconds since the machine was built. */
  now = 0;
  /** Of it, what was spent on work; the rest is the programs' own time and waits. */
  spentNs = 0;
  private seq = 0;
  private readonly heap: ClockEvent[] = [];
  /** When the next event is due; Infinity if none. Read in the replay loop. */
  nextAt: number = Number.POSITIVE_INFINITY;

  /** Time that is spent where nothing else can happen; what is due then happens at the next advance. */
  spend(ns: number): void {
    this.now += ns;
    this.spentNs += ns;
  }

  schedule(at: number, kind: number, a: number, b: number): void {
    const heap = this.heap;
    const event: ClockEvent = { at, seq: this.seq++, kind, a, b };
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(event, heap[up]!)) break;
      heap[i] = heap[up]!;
      i = up;
    }
    heap[i] = event;
    this.nextAt = heap[0]!.at;
  }

  /** Takes the next event that is due at `until` or earlier, and moves time there; null if none. */
  takeDue(until: number): ClockEvent | null {
    const heap = this.heap;
    const first = heap[0];
    if (first === undefined || first.at > until) return null;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
        if (!before(heap[child]!, last)) break;
        heap[i] = heap[child]!;
        i = child;
      }
      heap[i] = last;
    }
    this.nextAt = heap[0]?.at ?? Number.POSITIVE_INFINITY;
    if (first.at > this.now) this.now = first.at;
    return first;
  }
}

function before(a: ClockEvent, b: ClockEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq);
}
