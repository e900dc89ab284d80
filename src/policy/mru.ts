/**
 * MRU: the page that was accessed last leaves.
 *
 *     newest  7 ⇄ 3 ⇄ 9  oldest        3 is accessed:  3 ⇄ 7 ⇄ 9        5 comes, memory is full:  5 ⇄ 7 ⇄ 9, and 3 leaves
 *
 * Right for a loop over more than fits: of n pages in a loop, capacity - 1 are found each time round, where LRU finds none.
 * Wrong for nearly everything else.
 */
import { PageLists } from './page_lists.ts';
import type { AccessPolicy, Memory, SeesAccesses } from './policy.ts';

const LIST = 0;

class Mru implements SeesAccesses {
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
    if (this.memory.full) {
      const newest = this.lists.newest(LIST);
      this.lists.remove(newest);
      this.memory.evict(newest);
    }
    this.lists.add(LIST, page);
  }
}

export const mru: AccessPolicy = {
  name: 'MRU',
  about: 'the page that was accessed last leaves',
  sees: 'accesses',
  start: (memory) => new Mru(memory),
};
