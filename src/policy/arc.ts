/**
 * ARC: one LRU for pages accessed once, one for pages accessed again; which may have how much, it learns from its mistakes.
 *
 *                 in memory        names of pages that left
 *     once        T1  ──leaves──►  B1        found in B1: T1 should have been larger, p grows
 *     again       T2  ──leaves──►  B2        found in B2: T2 should have been larger, p shrinks
 *
 *     T1 + T2 ≤ c,  T1 + B1 ≤ c,  all four ≤ 2c        p, from 0 to c, is what T1 should have
 *
 * p moves by the ratio of the two lists of names, at least by 1: the rarer mistake counts for more. T1 gives a page if it
 * has more than p. A scan goes through T1 and leaves T2 alone; a change of the working set is learnt within one memory full.
 * Source: Megiddo, Modha: ARC: A Self-Tuning, Low Overhead Replacement Cache. FAST 2003.
 */
import { PageLists } from './page_lists.ts';
import type { AccessPolicy, Memory, SeesAccesses } from './policy.ts';

const T1 = 0;
const T2 = 1;
const B1 = 2;
const B2 = 3;
const NOWHERE = 4;

class Arc implements SeesAccesses {
  private readonly memory: Memory;
  private readonly lists: PageLists;
  private readonly where: Uint8Array;
  /** How many pages each list has. */
  private readonly counts = new Int32Array(5);
  private p = 0;

  constructor(memory: Memory) {
    this.memory = memory;
    this.lists = new PageLists(memory.pages, 4);
    this.where = new Uint8Array(memory.pages).fill(NOWHERE);
  }

  hit(page: number): void {
    const { where, counts } = this;
    if (where[page] === T1) {
      where[page] = T2;
      counts[T1]! -= 1;
      counts[T2]! += 1;
    }
    this.lists.moveToNewest(T2, page);
  }

  miss(page: number): void {
    const { counts, memory } = this;
    const found = this.where[page]!;
    if (found === NOWHERE) {
      if (memory.full) this.makeRoomForStranger();
      this.put(T1, page);
      return;
    }
    const [ones, twos] = [counts[B1]!, counts[B2]!];
    if (found === B1) this.p = Math.min(this.p + Math.max(twos / ones, 1), memory.capacity);
    else this.p = Math.max(this.p - Math.max(ones / twos, 1), 0);
    this.take(found, page);
    if (memory.full) this.replace(found === B2);
    this.put(T2, page);
  }

  private makeRoomForStranger(): void {
    const { counts, lists, memory } = this;
    if (counts[T1]! + counts[B1]! >= memory.capacity) {
      if (counts[B1]! === 0) {
        const page = lists.oldest(T1);
        this.take(T1, page);
        memory.evict(page);
        return;
      }
      this.take(B1, lists.oldest(B1));
    } else if (counts[T1]! + counts[T2]! + counts[B1]! + counts[B2]! >= 2 * memory.capacity) {
      this.take(B2, lists.oldest(B2));
    }
    this.replace(false);
  }

  /** T1 or T2 gives its oldest page, and keeps the name. */
  private replace(foundInB2: boolean): void {
    const { counts, lists, p } = this;
    const ones = counts[T1]!;
    const fromT1 = counts[T2] === 0 || (ones > 0 && (ones > p || (ones === p && foundInB2)));
    const from = fromT1 ? T1 : T2;
    const page = lists.oldest(from);
    this.take(from, page);
    this.memory.evict(page);
    this.put(fromT1 ? B1 : B2, page);
  }

  private put(list: number, page: number): void {
    this.lists.add(list, page);
    this.where[page] = list;
    this.counts[list]! += 1;
  }

  private take(list: number, page: number): void {
    this.lists.remove(page);
    this.where[page] = NOWHERE;
    this.counts[list]! -= 1;
  }
}

export const arc: AccessPolicy = {
  name: 'ARC',
  about: 'two LRUs, for pages accessed once and again, whose shares it learns',
  sees: 'accesses',
  start: (memory) => new Arc(memory),
};
