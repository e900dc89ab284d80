/**
 * LIRS: what counts is not when a page was accessed last but how many others came between its last two accesses. Those with
 * few (LIR) have nearly all of memory; the others (HIR) pass through the rest, and prove themselves there.
 *
 *     stack S, by last access        queue Q, the HIR in memory        names N, the HIR in S that are not
 *
 *     newest  H  L  h  L  h  L       newest  H  H                      h  h
 *                            ▲
 *                            the oldest of S is always LIR: an HIR above it that is accessed again has come back sooner than
 *                            that one, so it becomes LIR, and that one HIR
 *
 * LIR have 99 of 100 pages. S keeps names of HIR that left, twice the memory at most. A scan passes through Q alone; a loop
 * larger than memory keeps what it has in LIR, where LRU keeps nothing.
 * Source: Jiang, Zhang: LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy. SIGMETRICS 2002.
 *
 * DIFFERS: as in libCacheSim, to whose misses ours are equal, an access to an HIR that is in Q and no more in S makes the
 * oldest LIR an HIR, which takes a page from Q; the paper moves nobody. Q may have only one page (below a capacity of 200):
 * then we follow the paper, and libCacheSim counts hits on pages that it has no room for.
 */
import { PageLists } from './page_lists.ts';
import type { AccessPolicy, Memory, SeesAccesses } from './policy.ts';

const HIR_SHARE = 0.01;
const STACK_LIMIT = 2; // of memory

const STACK = 0; // of `stack`
const QUEUE = 0; // of `queues`
const NAMES = 1;

/** What a page is. LIR and HIR are in memory. */
const STRANGER = 0;
const LIR = 1;
const HIR_IN_STACK = 2;
const HIR_IN_QUEUE = 3; // only there
const NAME = 4;

class Lirs implements SeesAccesses {
  private readonly memory: Memory;
  private readonly kind: Uint8Array;
  private readonly stack: PageLists;
  /** Q and N: a page is never in both. */
  private readonly queues: PageLists;
  private readonly hirSize: number;
  private readonly lirSize: number;
  private lirs = 0;
  private hirs = 0;
  private stacked = 0;

  constructor(memory: Memory) {
    this.memory = memory;
    this.kind = new Uint8Array(memory.pages);
    this.stack = new PageLists(memory.pages, 1);
    this.queues = new PageLists(memory.pages, 2);
    this.hirSize = memory.capacity === 1 ? 0 : Math.max(1, Math.floor(memory.capacity * HIR_SHARE));
    this.lirSize = memory.capacity - this.hirSize;
  }

  hit(page: number): void {
    const kind = this.kind[page];
    if (kind === HIR_IN_QUEUE) {
      this.queues.moveToNewest(QUEUE, page);
      if (this.hirSize > 1) this.makeRoomForLir();
      this.push(page, HIR_IN_STACK);
    } else {
      this.stack.moveToNewest(STACK, page);
      if (kind === LIR) {
        this.prune();
        return;
      }
      this.queues.remove(page);
      this.hirs -= 1;
      this.makeRoomForLir();
      this.kind[page] = LIR;
      this.lirs += 1;
    }
    this.limitStack();
  }

  miss(page: number): void {
    if (this.kind[page] === NAME) this.comeBack(page);
    else if (this.lirs < this.lirSize) this.pushLir(page);
    else if (this.hirSize === 0) this.replaceOnly(page);
    else {
      this.makeRoomForHir();
      this.push(page, HIR_IN_STACK);
      this.queues.add(QUEUE, page);
      this.hirs += 1;
    }
    this.limitStack();
  }

  /** A name that is accessed again: it is in S, so it has come back sooner than the oldest LIR. */
  private comeBack(page: number): void {
    this.stack.moveToNewest(STACK, page);
    this.makeRoomForLir();
    this.queues.remove(page);
    this.kind[page] = LIR;
    this.lirs += 1;
  }

  private pushLir(page: number): void {
    this.push(page, LIR);
    this.lirs += 1;
  }

  /** Memory has one page, and that is the whole of LIR. */
  private replaceOnly(page: number): void {
    const only = this.stack.removeOldest(STACK);
    this.kind[only] = STRANGER;
    this.stacked -= 1;
    this.lirs -= 1;
    this.memory.evict(only);
    this.pushLir(page);
  }

  private push(page: number, kind: number): void {
    this.stack.add(STACK, page);
    this.stacked += 1;
    this.kind[page] = kind;
  }

  /** The oldest LIR becomes the newest HIR. */
  private makeRoomForLir(): void {
    if (this.lirs < this.lirSize) return;
    const page = this.stack.removeOldest(STACK);
    this.stacked -= 1;
    this.lirs -= 1;
    this.makeRoomForHir();
    this.kind[page] = HIR_IN_QUEUE;
    this.queues.add(QUEUE, page);
    this.hirs += 1;
    this.prune();
  }

  /** The oldest HIR leaves; S keeps its name if it has one there. */
  private makeRoomForHir(): void {
    if (this.hirs < this.hirSize) return;
    const page = this.queues.removeOldest(QUEUE);
    this.hirs -= 1;
    this.memory.evict(page);
    if (this.kind[page] === HIR_IN_STACK) {
      this.kind[page] = NAME;
      this.queues.add(NAMES, page);
    } else {
      this.kind[page] = STRANGER;
    }
  }

  /** Takes from the old end of S what is not LIR, but never its newest. */
  private prune(): void {
    const { stack, kind } = this;
    const newest = stack.newest(STACK);
    for (let page = stack.oldest(STACK); page !== newest && kind[page] !== LIR; page = stack.oldest(STACK)) {
      stack.remove(page);
      this.stacked -= 1;
      if (kind[page] === NAME) {
        this.queues.remove(page);
        kind[page] = STRANGER;
      } else {
        kind[page] = HIR_IN_QUEUE;
      }
    }
  }

  private limitStack(): void {
    while (this.stacked > STACK_LIMIT * this.memory.capacity) {
      const page = this.queues.removeOldest(NAMES);
      this.stack.remove(page);
      this.stacked -= 1;
      this.kind[page] = STRANGER;
    }
  }
}

export const lirs: AccessPolicy = {
  name: 'LIRS',
  about: 'pages with few others between their accesses have nearly all of memory',
  sees: 'accesses',
  start: (memory) => new Lirs(memory),
};
