/**
 * May a process be promised more memory? In 2.4: if so much is free or could be, now.
 *
 *   page cache + free pages + free swap + swap cache (once more) + unused dentries and inodes  >  pages
 *
 * Owns      the sum.
 * Promises  Nothing is remembered of what was promised before, so all together may be promised more than there is.
 * Linux     2.4.20 mm/mmap.c: vm_enough_memory
 *
 *    The swap cache counts twice, which makes up for the swap that its pages will give back.
 */
import { nrUnusedDentries, nrUnusedInodes } from './dcache_2_4.ts';
import type { Machine } from './machine.ts';
import { nrFreePages } from './page_alloc.ts';
import { state_2_4 } from './state_2_4.ts';
import { PAGE_SIZE } from './units.ts';

export function vmEnoughMemory_2_4(machine: Machine, pages: number): boolean {
  if (machine.sysctl.overcommitMemory !== 0) return true;
  const { pageCache } = state_2_4(machine);
  const { caches } = machine.slab;
  const free =
    pageCache.size +
    nrFreePages(machine) +
    machine.swap.nrSwapPages +
    pageCache.swapcachePages +
    Math.floor((nrUnusedDentries(machine) * caches.dentry.size) / PAGE_SIZE) +
    Math.floor((nrUnusedInodes(machine) * caches.ext4_inode_cache.size) / PAGE_SIZE);
  return free > pages;
}
