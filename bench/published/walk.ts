/** How far a search for the mappings of a page goes. */
import type { Machine } from '../../src/mm/machine.ts';
import type { Pfn } from '../../src/mm/units.ts';

/** Least and most over many pages. */
export class Range {
  least: number = Number.POSITIVE_INFINITY;
  most = 0;
  sum = 0;
  count = 0;

  add(value: number): void {
    this.least = Math.min(this.least, value);
    this.most = Math.max(this.most, value);
    this.sum += value;
    this.count += 1;
  }

  get mean(): number {
    return this.sum / this.count;
  }
}

/** VMAs under the page's object that may map it, in vain or not: all of them, whoever maps it. */
export function candidates(machine: Machine, pfn: Pfn): number {
  let met = 0;
  machine.rmap.walk(pfn, () => {
    met += 1;
    return true;
  });
  return met;
}

/** VMAs that page_referenced() goes through until it has met all mappings. */
export function vmasOfReferenced(machine: Machine, pfn: Pfn): number {
  const before = machine.work.vmasVisited;
  machine.rmap.pageReferenced(pfn, true, null);
  return machine.work.vmasVisited - before;
}
