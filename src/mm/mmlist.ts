/**
 * init_mm.mmlist: the address spaces that may have pages in swap.
 *
 *     init_mm ⇄ mm of pid 7 ⇄ mm of pid 3 ⇄ init_mm …
 *
 * Owns      Mm.mmlistNext and Mm.mmlistPrev: a ring whose head is machine.initMm; null while an address space is not on it.
 * Promises  1. An address space with a swap entry is on the list.
 *           2. It leaves the list when its last user goes, and not before.
 * Linux     3.16 mm/rmap.c: try_to_unmap_one; mm/memory.c: copy_one_pte; kernel/fork.c: mmput
 */
import { bugOn } from './bug.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';

/** Behind `parent`, whose swap entries fork copies, or else at the head. */
export function mmlistAdd(machine: Machine, mm: Mm, parent: Mm | null): void {
  if (mm.mmlistNext !== null) return;
  const after = parent === null || parent.mmlistNext === null ? machine.initMm : parent;
  const next = after.mmlistNext!;
  mm.mmlistPrev = after;
  mm.mmlistNext = next;
  after.mmlistNext = mm;
  next.mmlistPrev = mm;
}

export function mmlistDel(mm: Mm): void {
  const { mmlistNext, mmlistPrev } = mm;
  if (mmlistNext === null) return;
  bugOn(mmlistPrev === null, 'an address space on the list has two neighbours', mm.id);
  mmlistPrev!.mmlistNext = mmlistNext;
  mmlistNext.mmlistPrev = mmlistPrev;
  mm.mmlistNext = null;
  mm.mmlistPrev = null;
}

/** Those on the list, without init_mm. */
export function mmlist(initMm: Mm): Mm[] {
  const found: Mm[] = [];
  for (let at = initMm.mmlistNext; at !== null && at !== initMm; at = at.mmlistNext) found.push(at);
  return found;
}
