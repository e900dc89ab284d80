/**
 * swapoff in 2.4: slot by slot, and for each the address spaces in the order in which they forked.
 *
 *   ring of places    init_mm (tmpfs) ─ mm 1 ─ mm 2 ─ … ─┐      the search for a slot's users begins where the last one found
 *                        └──────────────────────────────-┘      its first: what was swapped out together belongs together
 *
 * Owns      the order of the search.
 * Promises  When it returns 0, no slot of the area is in use; what came back is old, read-only and dirty as a page.
 * Linux     2.4.20 mm/swapfile.c: try_to_unuse find_next_to_unuse unuse_process unuse_vma unuse_pte
 */
import { ENOMEM } from '../errno.ts';
import { GFP_HIGHUSER } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import { MM_ANONPAGES, MM_SWAPENTS, type Mm } from '../mm.ts';
import { getPage, putPage } from '../page_alloc.ts';
import { PG_dirty, PG_swapcache } from '../page_flags.ts';
import { lockPage, unlockPage } from '../page_lock_2_4.ts';
import { PTE_PRESENT, PTE_PROTNONE } from '../page_table.ts';
import { shmemUnuseEntry } from '../shmem.ts';
import { NO_PFN, type Pfn, type SwapEntry, swpEntry, type Vpn } from '../units.ts';
import { VM_ACCESS_FLAGS } from '../vm_flags.ts';
import type { Vma } from '../vma.ts';
import { NO_OFFSET, SWAP_MAP_SHMEM, type SwapInfo } from './area.ts';
import { readSwapCacheAsync_2_4, swapMap } from './swap_2_4.ts';
import { deleteFromSwapCache } from './swap_state.ts';
import { swapCount, swapFree } from './swapfile.ts';

/** 0, or -ENOMEM when a page could not be brought back. */
export function tryToUnuse_2_4(machine: Machine, area: SwapInfo): number {
  const { frames } = machine;
  let start: Mm | null = null;
  for (let offset = area.nextInUse(1); offset !== NO_OFFSET; offset = nextToUnuse(area, offset)) {
    const entry = swpEntry(area.type, offset);
    const pfn = readSwapCacheAsync_2_4(machine, entry, GFP_HIGHUSER);
    if (pfn === NO_PFN) {
      // Memory was short meanwhile, and the slot's owner was killed.
      if (swapCount(machine, entry) === 0) continue;
      return -ENOMEM;
    }
    lockPage(machine, pfn);
    if (swapCount(machine, entry) === SWAP_MAP_SHMEM) {
      // tmpfs takes the page, and the slot with it.
      unlockPage(machine, pfn);
      const failed = shmemUnuseEntry(machine, entry);
      putPage(machine, pfn);
      if (failed < 0) return failed;
      start = null;
      continue;
    }
    start = unuseFrom(machine, start, entry, pfn);
    if (frames.has(pfn, PG_swapcache)) {
      deleteFromSwapCache(machine, pfn);
      frames.set(pfn, PG_dirty);
    }
    unlockPage(machine, pfn);
    putPage(machine, pfn);
  }
  return 0;
}

/** The next slot in use behind `offset`; from the front when there is none. */
function nextToUnuse(area: SwapInfo, offset: number): number {
  const next = area.nextInUse(offset + 1);
  return next === NO_OFFSET ? area.nextInUse(1) : next;
}

/** Replaces every entry that holds `entry`. Returns where the next search begins: the first place that had one. */
function unuseFrom(machine: Machine, start: Mm | null, entry: SwapEntry, pfn: Pfn): Mm | null {
  const { mms } = machine;
  // Of the ring, init_mm is place 0; the address spaces follow.
  const first = start === null ? 0 : mms.indexOf(start) + 1;
  const places = mms.length + 1;
  let found: Mm | null = null;
  for (let i = 0; i < places && swapMap(machine, entry) > 1; i++) {
    const place = (first + i) % places;
    if (place === 0) continue;
    const mm = mms[place - 1]!;
    if (unuseProcess(machine, mm, entry, pfn) && found === null) found = mm;
  }
  return found ?? start;
}

/** True if the address space held the entry. */
function unuseProcess(machine: Machine, mm: Mm, entry: SwapEntry, pfn: Pfn): boolean {
  const { pageTables } = machine;
  let found = false;
  for (let vma = mm.vmas.first(); vma !== null; vma = mm.vmas.next(vma)) {
    const end = vma.vmEnd;
    for (let at = pageTables.nextTable(mm.pageTables, vma.vmStart, end); at < end; ) {
      const slot = pageTables.slotOf(mm.pageTables, at);
      if (pageTables.isSwap(slot) && pageTables.swapEntry(slot) === entry) {
        unusePte(machine, vma, at, slot, entry, pfn);
        found = true;
      }
      at = (at + 1) as Vpn;
      if (at % 512 === 0) at = pageTables.nextTable(mm.pageTables, at, end);
    }
  }
  return found;
}

/** Old and read-only, as if nobody had used it since. */
function unusePte(machine: Machine, vma: Vma, vpn: Vpn, slot: number, entry: SwapEntry, pfn: Pfn): void {
  const { rss } = vma.vmMm;
  rss[MM_SWAPENTS]! -= 1;
  rss[MM_ANONPAGES]! += 1;
  getPage(machine, pfn);
  machine.rmap.addAnon(pfn, vma, vpn, false);
  machine.pageTables.setPresent(slot, pfn, (vma.vmFlags & VM_ACCESS_FLAGS) !== 0 ? PTE_PRESENT : PTE_PROTNONE);
  swapFree(machine, entry);
}
