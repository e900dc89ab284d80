/**
 * LRU: the page that was not accessed for the longest time leaves.
 *
 *     newest ⇄ 7 ⇄ 3 ⇄ 9 ⇄ oldest      3 is accessed:  3 ⇄ 7 ⇄ 9      memory is full and 5 comes:  5 ⇄ 3 ⇄ 7, and 9 leaves
 *
 * A page is found exactly when fewer than `capacity` other pages were accessed since its last access, so what fits in a small
 * memory fits in a larger one (no Belady anomaly), and one pass gives the misses of all capacities (stack_distance.ts).
 * Good at programs that come back to what they used lately. Bad at a loop that is one page larger than memory: it misses
 * every time; and one scan of a large file drives out everything else.
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
    this.lists.move(LIST, page);
  }

  miss(page: number): void {
    if (this.memory.full) {
      const oldest = this.lists.last(LIST);
      this.lists.remove(oldest);
      this.memory.evict(oldest);
    }
    this.lists.add(LIST, page);
  }
}

export const lru: AccessPolicy = {
  name: 'LRU',
  about: 'the page that was not accessed for the longest time leaves',
  sees: 'accesses',
  start: (memory) => new Lru(memory),
};
