/**
 * The memory that a policy manages: which pages are in it, accessed, dirty.
 *
 * Owns      one byte for each page, and the counts of what entered and left.
 * Promises  At most `capacity` pages, and only pages that were accessed: whoever asks for anything else meets PolicyError.
 *
 *     bit  3       2       1          0
 *          seen    dirty   accessed   in memory        seen: it has been in memory before
 */
import type { BitMemory } from './policy.ts';

const IN_MEMORY = 1 << 0;
const ACCESSED = 1 << 1;
const DIRTY_SHIFT = 2;
const DIRTY = 1 << DIRTY_SHIFT;
const SEEN = 1 << 3;

/** What a policy did wrong. */
export class PolicyError extends Error {
  override name = 'PolicyError';
}

export class PageMemory implements BitMemory {
  readonly pages: number;
  readonly capacity: number;
  count = 0;
  misses = 0;
  coldMisses = 0;
  evictions = 0;
  dirtyEvictions = 0;
  scans = 0;
  private readonly state: Uint8Array;

  constructor(pages: number, capacity: number) {
    this.pages = pages;
    this.capacity = capacity;
    this.state = new Uint8Array(pages);
  }

  get full(): boolean {
    return this.count >= this.capacity;
  }

  /** An access. True if it finds its page, which it then marks; `write` is 0 or 1. */
  access(page: number, write: number): boolean {
    const old = this.state[page]!;
    if ((old & IN_MEMORY) === 0) return false;
    this.state[page] = old | ACCESSED | (write << DIRTY_SHIFT);
    return true;
  }

  /** The page that was not found comes in. */
  enter(page: number, write: number): void {
    if (this.count >= this.capacity) throw new PolicyError(`evicts nothing, but ${this.capacity} pages fill memory`);
    if ((this.state[page]! & SEEN) === 0) this.coldMisses += 1;
    this.state[page] = SEEN | IN_MEMORY | (write << DIRTY_SHIFT);
    this.count += 1;
    this.misses += 1;
  }

  evict(page: number): void {
    const old = this.state[page];
    if (old === undefined || (old & IN_MEMORY) === 0) {
      throw new PolicyError(`evicts page ${page}, which is not in memory`);
    }
    this.state[page] = SEEN;
    this.count -= 1;
    this.evictions += 1;
    if ((old & DIRTY) !== 0) this.dirtyEvictions += 1;
  }

  testAndClearAccessed(page: number): boolean {
    this.scans += 1;
    const old = this.state[page];
    if (old === undefined || (old & IN_MEMORY) === 0) {
      throw new PolicyError(`tests page ${page}, which is not in memory`);
    }
    this.state[page] = old & ~ACCESSED;
    return (old & ACCESSED) !== 0;
  }
}
