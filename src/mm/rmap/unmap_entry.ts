/**
 * What try_to_unmap_one leaves in an entry, in kernels up to 2.6: the slot of an anonymous page, of a file's page nothing.
 *
 * Owns      the counts that follow: rss, the slot's users, and that swapoff finds the address space.
 * Promises  The slot has one user more for the entry before anybody can see it there.
 * Linux     2.6.24 mm/rmap.c: try_to_unmap_one; 2.5.59 mm/rmap.c: try_to_unmap_one
 */
import { bugOn } from '../bug.ts';
import type { Machine } from '../machine.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Mm, updateHiwaterRss } from '../mm.ts';
import { mmlistAdd } from '../mmlist.ts';
import { PG_swapbacked, PG_swapcache } from '../page_flags.ts';
import { swapDuplicate } from '../swap/swapfile.ts';
import type { Pfn, SwapEntry } from '../units.ts';

/** The entry in `slot`, empty now, mapped the page. */
export function leaveSwapEntry(machine: Machine, mm: Mm, slot: number, pfn: Pfn): void {
  const { frames, pageTables } = machine;
  updateHiwaterRss(mm);
  if (!frames.isAnon(pfn)) {
    mm.rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    return;
  }
  bugOn(!frames.has(pfn, PG_swapcache), 'an anonymous page has a swap slot before it is unmapped', pfn);
  const entry = frames.private_(pfn) as SwapEntry;
  swapDuplicate(machine, entry);
  mmlistAdd(machine, mm, null);
  pageTables.setSwap(slot, entry, false);
  mm.rss[MM_ANONPAGES]! -= 1;
  mm.rss[MM_SWAPENTS]! += 1;
}
