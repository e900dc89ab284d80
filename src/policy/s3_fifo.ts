/**
 * S3-FIFO: three FIFOs. A small one on trial, a main one, and the names of those that failed the trial.
 *
 *     new ──► small, 1/10 of memory ──accessed twice or more──► main, 9/10 ──accessed──► main again, one access less
 *                      │                                         ▲   │
 *                      └──else──► ghost, names ──comes back──────┘   └──not accessed──► leaves
 *
 * Most pages of most programs are accessed once while they are in memory, so a short trial finds out the few that are not,
 * and they never wait behind the many. Accesses are counted up to 3 in two bits; a queue needs no lock and no links.
 * Source: Yang, Zhang, Qiu, Yue, Rashmi: FIFO queues are all you need for cache eviction. SOSP 2023.
 */
import { PageLists } from './page_lists.ts';
import type { AccessPolicy, Memory, SeesAccesses } from './policy.ts';

const SMALL = 0;
const MAIN = 1;
const GHOST = 2;
const SMALL_SHARE = 0.1;
const GHOST_SHARE = 0.9;
const PASSED = 2; // accesses in small that lead to main
const MOST = 3;

/** What is known of a page: accesses | where << 2. */
const WHERE_SHIFT = 2;
const ACCESSES = (1 << WHERE_SHIFT) - 1;
const NOWHERE = 3;

class S3Fifo implements SeesAccesses {
  private readonly memory: Memory;
  private readonly lists: PageLists;
  private readonly known: Uint8Array;
  private readonly ghostSize: number;
  private readonly mainSize: number;
  private small = 0;
  private main = 0;
  private ghost = 0;

  constructor(memory: Memory) {
    this.memory = memory;
    this.lists = new PageLists(memory.pages, 3);
    this.known = new Uint8Array(memory.pages).fill(NOWHERE << WHERE_SHIFT);
    this.mainSize = memory.capacity - Math.floor(memory.capacity * SMALL_SHARE);
    this.ghostSize = Math.floor(memory.capacity * GHOST_SHARE);
  }

  hit(page: number): void {
    if ((this.known[page]! & ACCESSES) < MOST) this.known[page]! += 1;
  }

  miss(page: number): void {
    const cameBack = this.known[page]! >> WHERE_SHIFT === GHOST;
    if (cameBack) {
      this.lists.remove(page);
      this.ghost -= 1;
    }
    while (this.memory.full) {
      if (this.main > this.mainSize || this.small === 0) this.evictFromMain();
      else this.evictFromSmall();
    }
    if (cameBack) this.main += 1;
    else this.small += 1;
    this.put(cameBack ? MAIN : SMALL, page, 0);
  }

  /** Until one has failed the trial; perhaps none does. */
  private evictFromSmall(): void {
    while (this.small > 0) {
      const page = this.lists.removeOldest(SMALL);
      this.small -= 1;
      if ((this.known[page]! & ACCESSES) < PASSED) {
        this.memory.evict(page);
        this.remember(page);
        return;
      }
      this.main += 1;
      this.put(MAIN, page, 0);
    }
  }

  private evictFromMain(): void {
    for (;;) {
      const page = this.lists.removeOldest(MAIN);
      const accesses = this.known[page]! & ACCESSES;
      if (accesses === 0) {
        this.main -= 1;
        this.known[page] = NOWHERE << WHERE_SHIFT;
        this.memory.evict(page);
        return;
      }
      this.put(MAIN, page, accesses - 1);
    }
  }

  private remember(page: number): void {
    if (this.ghost === this.ghostSize) {
      if (this.ghostSize === 0) {
        this.known[page] = NOWHERE << WHERE_SHIFT;
        return;
      }
      this.known[this.lists.removeOldest(GHOST)] = NOWHERE << WHERE_SHIFT;
      this.ghost -= 1;
    }
    this.ghost += 1;
    this.put(GHOST, page, 0);
  }

  private put(list: number, page: number, accesses: number): void {
    this.lists.add(list, page);
    this.known[page] = (list << WHERE_SHIFT) | accesses;
  }
}

export const s3Fifo: AccessPolicy = {
  name: 'S3-FIFO',
  about: 'a small FIFO on trial, a main FIFO for those that pass or come back',
  sees: 'accesses',
  start: (memory) => new S3Fifo(memory),
};
