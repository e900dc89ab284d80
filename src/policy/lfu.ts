/**
 * LFU: the page with the fewest accesses since it came leaves; of several, the one that reached that number first.
 *
 *     groups by accesses      1: 9 ⇄ 4        3: 7        12: 3
 *                             │               │           │
 *                             └── next ──────►└── next ──►└── nobody        4 is accessed: a group of 2 is put between
 *
 * Good where popularity lasts. Bad where it changes: a page that was popular once never leaves, and a newcomer must be
 * accessed as often as the least popular before it is safe. The groups form a list in the order of their counts, so each
 * access is a constant number of steps.
 * Source: Shah, Mitra, Matani: An O(1) algorithm for implementing the LFU cache eviction scheme. 2010.
 */
import { PageLists } from './page_lists.ts';
import type { AccessPolicy, Memory, SeesAccesses } from './policy.ts';

const NOBODY = -1;

class Lfu implements SeesAccesses {
  private readonly memory: Memory;
  /** One list for each group. */
  private readonly lists: PageLists;
  private readonly groupOf: Int32Array;
  private readonly accesses: Int32Array;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private fewest = NOBODY;
  /** Groups that are not in use, by `next`. */
  private free: number;

  constructor(memory: Memory) {
    const groups = Math.min(memory.capacity, memory.pages) + 1;
    this.memory = memory;
    this.lists = new PageLists(memory.pages, groups);
    this.groupOf = new Int32Array(memory.pages);
    this.accesses = new Int32Array(groups);
    this.next = new Int32Array(groups);
    this.previous = new Int32Array(groups);
    for (let group = 0; group < groups; group++) this.next[group] = group + 1 < groups ? group + 1 : NOBODY;
    this.free = 0;
  }

  hit(page: number): void {
    const { accesses, next, lists } = this;
    const group = this.groupOf[page]!;
    const wanted = accesses[group]! + 1;
    const following = next[group]!;
    const exists = following !== NOBODY && accesses[following] === wanted;
    if (lists.newest(group) === lists.oldest(group)) {
      // Alone: nobody notices if the whole group goes on by one.
      if (!exists) {
        accesses[group] = wanted;
        return;
      }
      lists.remove(page);
      this.drop(group);
    } else {
      lists.remove(page);
    }
    this.join(exists ? following : this.insert(group, wanted), page);
  }

  miss(page: number): void {
    if (this.memory.full) {
      const group = this.fewest;
      this.memory.evict(this.lists.removeOldest(group));
      if (!this.lists.isPage(this.lists.oldest(group))) this.drop(group);
    }
    const fewest = this.fewest;
    const exists = fewest !== NOBODY && this.accesses[fewest] === 1;
    this.join(exists ? fewest : this.insert(NOBODY, 1), page);
  }

  private join(group: number, page: number): void {
    this.lists.add(group, page);
    this.groupOf[page] = group;
  }

  /** A new group behind `previous`, or before all others. */
  private insert(previous: number, accesses: number): number {
    const group = this.free;
    this.free = this.next[group]!;
    const following = previous === NOBODY ? this.fewest : this.next[previous]!;
    this.accesses[group] = accesses;
    this.previous[group] = previous;
    this.next[group] = following;
    if (previous === NOBODY) this.fewest = group;
    else this.next[previous] = group;
    if (following !== NOBODY) this.previous[following] = group;
    return group;
  }

  private drop(group: number): void {
    const previous = this.previous[group]!;
    const following = this.next[group]!;
    if (previous === NOBODY) this.fewest = following;
    else this.next[previous] = following;
    if (following !== NOBODY) this.previous[following] = previous;
    this.next[group] = this.free;
    this.free = group;
  }
}

export const lfu: AccessPolicy = {
  name: 'LFU',
  about: 'the page with the fewest accesses since it came leaves',
  sees: 'accesses',
  start: (memory) => new Lfu(memory),
};
