/**
 * SIEVE: a queue in the order of arrival, and a hand that sifts it towards the newest: who was not accessed since the hand
 * last passed leaves, the others stay where they are.
 *
 *     newest  5   7   3   9   4  oldest        6 comes: the hand clears 9 and 3 as it passes, and 7 leaves
 *     accessed    0   1   1   0
 *                         ▲ hand               newest  6   5   3   9   4  oldest
 *                                                          ▲   0   0   0
 *
 * The difference from CLOCK is that a survivor is not moved behind the newcomers. So the old and popular gather at one end,
 * the hand spends its time among the new, and most of what is accessed once leaves soon.
 * Source: Zhang, Yang, Yue, Vigfusson, Rashmi: SIEVE is Simpler than LRU. NSDI 2024.
 */
import { PageLists } from './page_lists.ts';
import type { AccessedBitPolicy, BitMemory, SeesFaults } from './policy.ts';

const QUEUE = 0;

class Sieve implements SeesFaults {
  private readonly memory: BitMemory;
  private readonly lists: PageLists;
  /** No page: the hand starts at the oldest. */
  private hand: number;

  constructor(memory: BitMemory) {
    this.memory = memory;
    this.lists = new PageLists(memory.pages, 1);
    this.hand = memory.pages;
  }

  fault(page: number): void {
    const { memory, lists } = this;
    if (memory.full) {
      let at = this.pageAt(this.hand);
      while (memory.testAndClearAccessed(at)) at = this.pageAt(lists.newer(at));
      this.hand = lists.newer(at);
      lists.remove(at);
      memory.evict(at);
    }
    lists.add(QUEUE, page);
  }

  private pageAt(hand: number): number {
    return this.lists.isPage(hand) ? hand : this.lists.oldest(QUEUE);
  }
}

export const sieve: AccessedBitPolicy = {
  name: 'SIEVE',
  about: 'CLOCK, but survivors keep their place in the queue',
  sees: 'accessed bits',
  start: (memory) => new Sieve(memory),
};
