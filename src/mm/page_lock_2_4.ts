/**
 * The lock of a page in 2.4: one bit for whoever works on it and for its I/O, reads and writes alike.
 *
 * Owns      PG_locked in these kernels.
 * Promises  A page that is being read or written is locked. (PG_writeback is the engine's own: it tells the two apart.)
 * Linux     2.4.19 mm/filemap.c: lock_page ___wait_on_page unlock_page; include/linux/mm.h: TryLockPage
 *
 * DIFFERS: write(2) and truncation do not wait for a page that is being written. A user sees no other content, and shorter waits.
 */
import { waitOnPageLocked, waitOnPageWriteback } from './block.ts';
import type { Machine } from './machine.ts';
import { PG_locked, PG_reclaim, PG_writeback } from './page_flags.ts';
import type { Pfn } from './units.ts';

/** True: the lock is ours now. (Linux's TryLockPage says true when it is not.) */
export function tryLockPage(machine: Machine, pfn: Pfn): boolean {
  if (machine.frames.has(pfn, PG_locked | PG_writeback)) return false;
  machine.frames.set(pfn, PG_locked);
  return true;
}

/** Lets time pass until the lock is ours. */
export function lockPage(machine: Machine, pfn: Pfn): void {
  waitOnPage(machine, pfn);
  machine.frames.set(pfn, PG_locked);
}

/** Lets time pass until nobody reads or writes the page. */
export function waitOnPage(machine: Machine, pfn: Pfn): void {
  while (machine.frames.has(pfn, PG_locked | PG_writeback)) {
    waitOnPageLocked(machine, pfn);
    waitOnPageWriteback(machine, pfn);
  }
}

export function unlockPage(machine: Machine, pfn: Pfn): void {
  machine.frames.clear(pfn, PG_locked);
}

/** It is being written because memory is short (PG_launder, which unlocking clears): who reclaims may wait for it. */
export function isLaundered(machine: Machine, pfn: Pfn): boolean {
  return machine.frames.has(pfn, PG_writeback) && machine.frames.has(pfn, PG_reclaim);
}
