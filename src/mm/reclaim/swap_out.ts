/**
 * Reclaim through the address spaces: 2.4 takes entries away where it meets them, for it cannot ask who maps a page.
 *
 *   swap_mm ─┐
 *   mm 1 ──► mm 2 ──► mm 3 ──► …      each mm remembers where the scan is: swap_address. One that is seen to its end waits
 *             │ swap_address          until the cursor comes round again.
 *             ▼
 *         │ VMA │  │ VMA ▒▒▒│        entry young: page used; active, locked or of another zone: kept;
 *                                     file: entry gone; clean: entry and page gone; dirty anonymous: a slot, the swap cache
 *
 *    Good at: no bookkeeping at all while memory is plenty. Bad at: a shared page is free only when every mapper was met, and
 *    the mapper met first pays for the last one's working set.
 *
 * Owns      the cursor: which mm is next, and each Mm.swapAddress.
 * Promises  1. Only pages of the wanted zone or below are unmapped; young bits are cleared on the way all the same.
 *           2. It ends after 32 pages that only caches hold from then on, or after one turn through all address spaces.
 *           3. What a dirty entry says is on the page before the entry is gone.
 * Linux     2.4.20 mm/vmscan.c: swap_out swap_out_mm swap_out_vma swap_out_pgd swap_out_pmd try_to_swap_out;
 *           kernel/fork.c: mmput (the cursor)
 */
import type { Machine } from '../machine.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Mm, updateHiwaterRss } from '../mm.ts';
import { putPage } from '../page_alloc.ts';
import { PG_active, PG_dirty, PG_private, PG_swapbacked, PG_swapcache, PG_uptodate } from '../page_flags.ts';
import { tryLockPage, unlockPage } from '../page_lock_2_4.ts';
import { PTE_DIRTY, PTE_SPECIAL } from '../page_table.ts';
import { countWithoutBuffers } from '../swap/swap_2_4.ts';
import { addToSwapCache } from '../swap/swap_state.ts';
import { folioAllocSwap, swapDuplicate } from '../swap/swapfile.ts';
import { NO_SWAP, type Pfn, type SwapEntry, type Vpn, vpnOf } from '../units.ts';
import { VM_LOCKED, VM_SPECIAL } from '../vm_flags.ts';
import type { Vma } from '../vma.ts';
import { folioMarkDirty } from '../writeback.ts';
import type { Zone } from '../zone.ts';
import { memclass } from '../zone_build_2_4.ts';

/** Pages that one call wants (SWAP_CLUSTER_MAX). */
const TARGET = 32;

export class SwapOut {
  /** The address space that is next; null is init_mm, which has no pages and closes the ring. */
  swapMm: Mm | null = null;
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** The address space ends: the cursor stands on the one before it. */
  forgetMm(mm: Mm): void {
    if (this.swapMm !== mm) return;
    const { mms } = this.machine;
    this.swapMm = mms[mms.indexOf(mm) - 1] ?? null;
  }

  /** A sentence for each broken promise. */
  verify(): string[] {
    const { mms } = this.machine;
    const wrong = mms
      .filter((mm) => mm.swapAddress < 0 || mm.swapAddress > vpnOf(mm.taskSize))
      .map((mm) => `mm ${mm.id}: swap_address is page ${mm.swapAddress}`);
    if (this.swapMm !== null && !mms.includes(this.swapMm)) wrong.push('swap_mm is gone');
    return wrong;
  }

  /** True if 32 pages were unmapped that nobody else maps. */
  swapOut(classzone: Zone): boolean {
    const { machine } = this;
    const { mms, work } = machine;
    let left = TARGET;
    for (let counter = mms.length; counter >= 0; counter--) {
      const mm = this.nextMm();
      if (mm === null) return false;
      work.mmsWalked += 1;
      left = this.swapOutMm(mm, left, classzone);
      if (left === 0) return true;
    }
    return false;
  }

  /** The cursor's mm, or the next that is not seen to its end; those it passes begin anew. null: there is none. */
  private nextMm(): Mm | null {
    const { mms } = this.machine;
    if (mms.length === 0) return null;
    let at = this.swapMm === null ? -1 : mms.indexOf(this.swapMm);
    let mm = this.swapMm;
    while (mm === null || mm.swapAddress >= vpnOf(mm.taskSize)) {
      if (mm !== null) mm.swapAddress = 0 as Vpn;
      at += 1;
      if (at === mms.length) at = -1;
      mm = at < 0 ? null : mms[at]!;
      this.swapMm = mm;
    }
    return mm;
  }

  /** How many of `left` are still wanted. */
  private swapOutMm(mm: Mm, left: number, classzone: Zone): number {
    let wanted = left;
    let vma = mm.vmas.find(mm.swapAddress);
    let at = mm.swapAddress;
    while (vma !== null) {
      wanted = this.swapOutVma(mm, vma, Math.max(at, vma.vmStart) as Vpn, wanted, classzone);
      vma = mm.vmas.next(vma);
      if (vma === null) break;
      if (wanted === 0) return 0;
      at = vma.vmStart;
    }
    mm.swapAddress = vpnOf(mm.taskSize);
    return wanted;
  }

  private swapOutVma(mm: Mm, vma: Vma, start: Vpn, left: number, classzone: Zone): number {
    // VM_RESERVED: nothing of it may be swapped out.
    if ((vma.vmFlags & VM_SPECIAL) !== 0) return left;
    const { pageTables, work } = this.machine;
    const end = vma.vmEnd;
    let wanted = left;
    work.vmasVisited += 1;
    for (let at = pageTables.nextTable(mm.pageTables, start, end); at < end; ) {
      const tableEnd = Math.min(end, at - (at % 512) + 512);
      let slot = pageTables.slotOf(mm.pageTables, at);
      for (; at < tableEnd; at++, slot++) {
        work.ptesVisited += 1;
        if (!pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
        if (this.tryToSwapOut(mm, vma, slot, classzone)) wanted -= 1;
        if (wanted === 0) {
          mm.swapAddress = (at + 1) as Vpn;
          return 0;
        }
      }
      mm.swapAddress = at;
      at = pageTables.nextTable(mm.pageTables, at, end);
    }
    return wanted;
  }

  /** True: the entry is gone, and at most a cache holds the page. */
  private tryToSwapOut(mm: Mm, vma: Vma, slot: number, classzone: Zone): boolean {
    const { machine } = this;
    const { frames, pageTables } = machine;
    const pfn = pageTables.pfn(slot);
    // Young is not cleared in locked memory: nobody will ask.
    if ((vma.vmFlags & VM_LOCKED) !== 0 || pageTables.testAndClearYoung(slot)) {
      machine.lru.markAccessed(pfn);
      return false;
    }
    if (frames.has(pfn, PG_active)) return false;
    if (!memclass(machine.zones[frames.zoneIndex(pfn)]!, classzone)) return false;
    if (!tryLockPage(machine, pfn)) return false;
    if (pageTables.has(slot, PTE_DIRTY)) folioMarkDirty(machine, pfn);
    if (frames.has(pfn, PG_swapcache)) {
      const entry = frames.private_(pfn) as SwapEntry;
      swapDuplicate(machine, entry);
      return this.dropWithEntry(mm, vma, slot, pfn, entry);
    }
    if (!frames.isAnon(pfn) || !frames.has(pfn, PG_dirty)) return this.drop(mm, vma, slot, pfn);
    const entry = frames.has(pfn, PG_private) ? NO_SWAP : folioAllocSwap(machine, pfn);
    if (entry === NO_SWAP) {
      unlockPage(machine, pfn);
      return false;
    }
    addToSwapCache(machine, pfn, entry);
    frames.set(pfn, PG_uptodate);
    folioMarkDirty(machine, pfn);
    swapDuplicate(machine, entry);
    return this.dropWithEntry(mm, vma, slot, pfn, entry);
  }

  private dropWithEntry(mm: Mm, vma: Vma, slot: number, pfn: Pfn, entry: SwapEntry): boolean {
    const freeable = this.drop(mm, vma, slot, pfn);
    this.machine.pageTables.setSwap(slot, entry, false);
    mm.rss[MM_SWAPENTS]! += 1;
    return freeable;
  }

  private drop(mm: Mm, vma: Vma, slot: number, pfn: Pfn): boolean {
    const { machine } = this;
    const { frames } = machine;
    updateHiwaterRss(mm);
    const anon = frames.isAnon(pfn);
    mm.rss[anon ? MM_ANONPAGES : frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    machine.pageTables.setNone(slot);
    machine.rmap.remove(pfn, vma);
    unlockPage(machine, pfn);
    // The entry's reference, and the cache's.
    const freeable = countWithoutBuffers(machine, pfn) <= 2;
    putPage(machine, pfn);
    return freeable;
  }
}
