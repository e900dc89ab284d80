/**
 * 2Q: a page is on trial in a FIFO; if it comes back after it left that, it goes to an LRU of those that are wanted.
 *
 *     first access ──► Ain, FIFO ──leaves──► Aout, only names, FIFO
 *                      1/4 of memory         1/2 as many             ──accessed──► Am, LRU, the rest of memory
 *
 * When memory is full, Ain gives a page as long as it has more than its quarter, else Am its oldest. An access to a page in
 * Ain changes nothing: a burst of accesses counts as one. So a scan passes through Ain and leaves Am alone.
 * Source: Johnson, Shasha: 2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm. VLDB 1994.
 */
import { PageLists } from './page_lists.ts';
import type { AccessPolicy, Memory, SeesAccesses } from './policy.ts';

const AIN = 0;
const AOUT = 1;
const AM = 2;
const NOWHERE = 3;
const AIN_SHARE = 0.25;
const AOUT_SHARE = 0.5;

class TwoQ implements SeesAccesses {
  private readonly memory: Memory;
  private readonly lists: PageLists;
  private readonly where: Uint8Array;
  private readonly ainSize: number;
  private readonly aoutSize: number;
  private ain = 0;
  private aout = 0;

  constructor(memory: Memory) {
    this.memory = memory;
    this.lists = new PageLists(memory.pages, 3);
    this.where = new Uint8Array(memory.pages).fill(NOWHERE);
    this.ainSize = Math.floor(memory.capacity * AIN_SHARE);
    this.aoutSize = Math.floor(memory.capacity * AOUT_SHARE);
  }

  hit(page: number): void {
    if (this.where[page] === AM) this.lists.moveToNewest(AM, page);
  }

  miss(page: number): void {
    const wanted = this.where[page] === AOUT;
    if (wanted) {
      this.lists.remove(page);
      this.aout -= 1;
    }
    if (this.memory.full) this.makeRoom();
    if (!wanted) this.ain += 1;
    this.put(wanted ? AM : AIN, page);
  }

  private makeRoom(): void {
    if (this.ain > this.ainSize) {
      const page = this.lists.removeOldest(AIN);
      this.ain -= 1;
      this.memory.evict(page);
      this.remember(page);
    } else {
      const page = this.lists.removeOldest(AM);
      this.where[page] = NOWHERE;
      this.memory.evict(page);
    }
  }

  private remember(page: number): void {
    if (this.aout >= this.aoutSize) {
      if (this.aoutSize === 0) {
        this.where[page] = NOWHERE;
        return;
      }
      this.where[this.lists.removeOldest(AOUT)] = NOWHERE;
      this.aout -= 1;
    }
    this.aout += 1;
    this.put(AOUT, page);
  }

  private put(list: number, page: number): void {
    this.lists.add(list, page);
    this.where[page] = list;
  }
}

export const twoQ: AccessPolicy = {
  name: '2Q',
  about: 'a FIFO for newcomers, an LRU for those that come back after it',
  sees: 'accesses',
  start: (memory) => new TwoQ(memory),
};
