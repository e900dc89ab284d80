/**
 * LRU: the page that was not accessed for the longest time leaves.
 *
 *     newest  7 ⇄ 3 ⇄ 9  oldest        3 is accessed:  3 ⇄ 7 ⇄ 9        5 comes, memory is full:  5 ⇄ 3 ⇄ 7, and 9 leaves
 *
 * A page is found exactly when fewer than `capacity` other pages were accessed since its last access. So what fits in a
 * small memory fits in a larger one, and one pass over the accesses gives the misses of every capacity.
 * Good at programs that come back to what they used lately. Bad at a loop one page larger than memory, which misses every
 * time, and at a scan of a large file, which drives out everything else.
 */
import { PageLists } from './page_lists.ts';
import type { AccessPolicy, Memory, SeesAccesses } from './policy.ts';

const LIST = 0;

class Lru implements SeesAccesses {
  private readonly memory: Memory;
  private readonly lists: PageLists;

  constructor(memory: Memory) {
    this.memory = memory;
    this.lists = new PageLists(memory.pages, 1);
  }

  hit(page: number): void {
    this.lists.moveToNewest(LIST, page);
  }

  miss(page: number): void {
    if (this.memory.full) this.memory.evict(this.lists.removeOldest(LIST));
    this.lists.add(LIST, page);
  }
}

export const lru: AccessPolicy = {
  name: 'LRU',
  about: 'the page that was not accessed for the longest time leaves',
  sees: 'accesses',
  start: (memory) => new Lru(memory),
};
