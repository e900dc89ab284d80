/**
 * OPT as a policy: the page that is accessed again last leaves. opt.ts has the theory, the next uses and the row of bits, and counts
 * misses alone; here pages have names, so what leaves dirty is counted too. 4 bytes more for each access.
 */
import { TimeSet } from './opt.ts';
import { type FuturePolicy, type Memory, NEVER, type SeesFuture } from './policy.ts';

class Belady implements SeesFuture {
  private readonly memory: Memory;
  private readonly times: TimeSet;
  /** Who is accessed at that time. */
  private readonly pageAt: Int32Array;
  /** Pages in memory that are never accessed again: they go first. */
  private readonly done: Int32Array;
  private dones = 0;

  constructor(memory: Memory, accesses: number) {
    this.memory = memory;
    this.times = new TimeSet(accesses);
    this.pageAt = new Int32Array(accesses);
    this.done = new Int32Array(Math.min(memory.capacity, memory.pages));
  }

  hit(page: number, now: number, next: number): void {
    this.times.remove(now);
    this.expect(page, next);
  }

  miss(page: number, _now: number, next: number): void {
    if (this.memory.full) this.memory.evict(this.takeLast());
    this.expect(page, next);
  }

  private takeLast(): number {
    return this.dones > 0 ? this.done[--this.dones]! : this.pageAt[this.times.removeLast()]!;
  }

  private expect(page: number, next: number): void {
    if (next === NEVER) {
      this.done[this.dones++] = page;
    } else {
      this.times.add(next);
      this.pageAt[next] = page;
    }
  }
}

export const opt: FuturePolicy = {
  name: 'OPT',
  about: "Belady's bound: the page that is accessed again last leaves",
  sees: 'the future',
  start: (memory, accesses) => new Belady(memory, accesses),
};
