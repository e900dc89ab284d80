/**
 * A CPU's batch of pages on their way to a list, before there were folios (struct pagevec).
 *
 * Owns      one reference of each page in it.
 * Promises  Whoever fills it empties it: a batch that is full takes nothing more.
 * Linux     2.6.24, 3.16 include/linux/pagevec.h: pagevec_add; mm/swap.c: release_pages
 */
import type { Machine } from '../machine.ts';
import { putPage } from '../page_alloc.ts';
import type { LruBatch } from '../parts.ts';
import type { Pfn } from '../units.ts';

/** Pages in a pagevec. */
export const PAGEVEC_SIZE = 14;

export class Pagevec {
  readonly pages: Int32Array = new Int32Array(PAGEVEC_SIZE);
  count = 0;

  get full(): boolean {
    return this.count === PAGEVEC_SIZE;
  }

  /** With a reference. True: the batch is full now. */
  add(machine: Machine, pfn: Pfn): boolean {
    machine.frames.get(pfn);
    this.pages[this.count] = pfn;
    this.count += 1;
    return this.full;
  }

  told(name: string): LruBatch {
    return { name, pages: this.pages.slice(0, this.count), room: PAGEVEC_SIZE };
  }

  /** Drops the references of the first `count`; a page that nobody else holds is freed here. */
  release(machine: Machine, count: number): void {
    for (let i = 0; i < count; i++) putPage(machine, this.pages[i]! as Pfn);
  }
}
