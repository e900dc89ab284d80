/**
 * Locked pages one by one, as before 5.18: a page changes lists at once, and nobody counts how many VMAs lock it.
 *
 * Owns      PG_mlocked and NR_MLOCK in kernels without a batch of pages to lock.
 * Promises  1. A page is mlocked when mlock or MAP_LOCKED has faulted it in, or when reclaim met it in a locked VMA.
 *           2. munlock of one VMA leaves the page locked if another locked VMA maps it: the reverse map is asked.
 *           3. The last mapping gone, the page is no longer mlocked.
 * Linux     3.16 mm/mlock.c: mlock_vma_page munlock_vma_page __munlock_isolated_page __munlock_isolation_failed
 *           munlock_vma_pages_range clear_page_mlock; mm/rmap.c: try_to_munlock; mm/internal.h: mlocked_vma_newpage
 *
 * DIFFERS: munlock takes page by page, not pagevecs of 14 of one zone; the lists come to the same, in another order.
 */
import { folioPages } from './folio.ts';
import type { Machine } from './machine.ts';
import { compoundHead } from './page_alloc.ts';
import { PG_locked, PG_mlocked, PG_unevictable } from './page_flags.ts';
import { NO_SLOT, PTE_SPECIAL } from './page_table.ts';
import { NO_VPN, type Pfn, type Vpn } from './units.ts';
import { VM_LOCKED } from './vm_flags.ts';
import type { Vma } from './vma.ts';
import {
  NR_MLOCK,
  UNEVICTABLE_PGCLEARED,
  UNEVICTABLE_PGMLOCKED,
  UNEVICTABLE_PGMUNLOCKED,
  UNEVICTABLE_PGSTRANDED,
} from './vmstat.ts';

/** A locked VMA maps the page: onto the unevictable list with it, unless it is on no list now. */
export function mlockVmaPageAtOnce(machine: Machine, pfn: Pfn): void {
  if (machine.frames.testAndSet(pfn, PG_mlocked)) return;
  countMlocked(machine, pfn, folioPages(machine, pfn));
  machine.events[UNEVICTABLE_PGMLOCKED]! += folioPages(machine, pfn);
  if (machine.lru.isolate(pfn)) machine.lru.putback(pfn);
}

/** get_user_pages for a locked VMA has the page (FOLL_MLOCK). Who has locked it does something else with it just now. */
export function mlockFollowedPage(machine: Machine, pfn: Pfn): void {
  const { frames } = machine;
  if (frames.mapping(pfn) === 0 || frames.has(pfn, PG_locked)) return;
  // A page that waits in a pagevec could not be isolated.
  machine.lru.drain();
  mlockVmaPageAtOnce(machine, pfn);
}

/** A page was made for a locked VMA; the caller puts it on the unevictable list. */
export function mlockedNewPage(machine: Machine, pfn: Pfn): void {
  if (machine.frames.testAndSet(pfn, PG_mlocked)) return;
  countMlocked(machine, pfn, folioPages(machine, pfn));
  machine.events[UNEVICTABLE_PGMLOCKED]! += folioPages(machine, pfn);
}

/** One locked VMA less maps the page; it stays locked if there is another. */
export function munlockVmaPageAtOnce(machine: Machine, pfn: Pfn): void {
  const { frames, lru, events } = machine;
  if (!frames.testAndClear(pfn, PG_mlocked)) return;
  const pages = folioPages(machine, pfn);
  countMlocked(machine, pfn, -pages);
  if (!lru.isolate(pfn)) {
    events[frames.has(pfn, PG_unevictable) ? UNEVICTABLE_PGSTRANDED : UNEVICTABLE_PGMUNLOCKED]! += pages;
    return;
  }
  const locked = frames.mapcount(pfn) > 1 && tryToMunlock(machine, pfn);
  if (!locked) events[UNEVICTABLE_PGMUNLOCKED]! += pages;
  lru.putback(pfn);
}

/** Nobody maps the page any more, so nobody can have locked it. */
export function clearPageMlock(machine: Machine, pfn: Pfn): void {
  if (!machine.frames.testAndClear(pfn, PG_mlocked)) return;
  const pages = folioPages(machine, pfn);
  countMlocked(machine, pfn, -pages);
  machine.events[UNEVICTABLE_PGCLEARED]! += pages;
  if (machine.lru.isolate(pfn)) machine.lru.putback(pfn);
  else if (machine.frames.has(pfn, PG_unevictable)) machine.events[UNEVICTABLE_PGSTRANDED]! += pages;
}

/** The VMA is locked no more, in [start, end): VM_LOCKED goes, and every page is asked who else locks it. */
export function munlockVmaPagesRange(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  vma.vmFlags &= ~VM_LOCKED;
  machine.lru.drain();
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    for (; at < tableEnd; at = (at + 1) as Vpn) {
      const slot = pageTables.slotOf(root, at);
      if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
      munlockVmaPageAtOnce(machine, compoundHead(machine, pageTables.pfn(slot)));
    }
  }
}

/** True if a locked VMA maps the page; then it is mlocked again. */
function tryToMunlock(machine: Machine, pfn: Pfn): boolean {
  const { pageTables } = machine;
  let locked = false;
  machine.rmap.walk(pfn, (vma, vpn) => {
    if ((vma.vmFlags & VM_LOCKED) === 0 || vpn === NO_VPN) return true;
    const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.pfn(slot) !== pfn) return true;
    locked = true;
    return false;
  });
  if (locked) mlockVmaPageAtOnce(machine, pfn);
  return locked;
}

function countMlocked(machine: Machine, pfn: Pfn, pages: number): void {
  const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
  zone.nrMlock += pages;
  zone.pgdat.stat[NR_MLOCK]! += pages;
}
