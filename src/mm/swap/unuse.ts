/**
 * swapoff: everything that an area holds comes back.
 *
 * Owns      the walk through the page tables and page caches for entries of one area.
 * Promises  When it returns 0, no slot of the area is in use.
 * Linux     6.18 mm/swapfile.c: try_to_unuse unuse_mm unuse_pte_range unuse_pte find_next_to_unuse
 */
import { waitOnPageLocked, waitOnPageWriteback } from '../block.ts';
import { bugOn } from '../bug.ts';
import { EINTR, ENOMEM } from '../errno.ts';
import { VM_FAULT_ERROR } from '../fault.ts';
import { GFP_HIGHUSER_MOVABLE } from '../gfp.ts';
import { ksmMightNeedToCopy } from '../ksm_page.ts';
import { swapInCopy } from '../ksm_swapin.ts';
import type { Machine } from '../machine.ts';
import { chargeSwapin } from '../memcg_3.ts';
import { MM_ANONPAGES, MM_SWAPENTS, type Mm } from '../mm.ts';
import { mmlist } from '../mmlist.ts';
import { compoundHead, getPage, putPage } from '../page_alloc.ts';
import { PG_locked } from '../page_flags.ts';
import { PTE_PRESENT, PTE_PROTNONE, PTE_SWP_EXCLUSIVE } from '../page_table.ts';
import { shmemUnuse } from '../shmem.ts';
import { NO_PFN, type Pfn, type SwapEntry, swpEntry, swpType, type Vpn } from '../units.ts';
import { VM_ACCESS_FLAGS } from '../vm_flags.ts';
import type { Vma } from '../vma.ts';
import { NO_OFFSET, type SwapInfo } from './area.ts';
import { swapCacheGet } from './swap_state.ts';
import { folioFreeSwap, swapCount, swapFree } from './swapfile.ts';

/** 0, or -ENOMEM when a page could not be brought back, or -EINTR. */
export function tryToUnuse(machine: Machine, area: SwapInfo): number {
  while (area.inusePages > 0) {
    const before = area.inusePages;
    const refused = shmemUnuse(machine, area.type);
    if (refused < 0) return refused;
    for (const mm of mmlist(machine.initMm)) {
      if (machine.generation.switches.swapoffActivates && machine.current.killed) return -EINTR;
      if (area.inusePages === 0) break;
      const failed = unuseMm(machine, mm, area);
      if (failed < 0) return failed;
    }
    dropFromCache(machine, area);
    bugOn(area.inusePages === before, 'every slot in use belongs to a page table, to tmpfs or to a page', area.type);
  }
  return 0;
}

/** What is left: pages in memory whose entries are gone. */
function dropFromCache(machine: Machine, area: SwapInfo): void {
  for (let offset = area.nextInUse(1); offset !== NO_OFFSET; offset = area.nextInUse(offset + 1)) {
    const pfn = swapCacheGet(machine, swpEntry(area.type, offset));
    if (pfn === NO_PFN) continue;
    const folio = compoundHead(machine, pfn);
    machine.frames.get(folio);
    lockWritten(machine, folio);
    folioFreeSwap(machine, folio);
    unlockAndPut(machine, folio);
  }
}

function unuseMm(machine: Machine, mm: Mm, area: SwapInfo): number {
  for (let vma = mm.vmas.first(); vma !== null; vma = mm.vmas.next(vma)) {
    // Kernels that copy every entry at fork have no anon_vma to ask.
    if (vma.anonVma === null && !machine.generation.switches.forkCopiesFileEntries) continue;
    const failed = unuseVma(machine, vma, area);
    if (failed < 0) return failed;
  }
  return 0;
}

function unuseVma(machine: Machine, vma: Vma, area: SwapInfo): number {
  const tables = machine.pageTables;
  const root = vma.vmMm.pageTables;
  let vpn = vma.vmStart;
  while ((vpn = tables.nextTable(root, vpn, vma.vmEnd)) < vma.vmEnd) {
    const end = Math.min(vma.vmEnd, vpn - (vpn % 512) + 512);
    for (; vpn < end; vpn++) {
      const slot = tables.slotOf(root, vpn);
      if (!tables.isSwap(slot)) continue;
      const entry = tables.swapEntry(slot);
      if (swpType(entry) !== area.type) continue;
      const failed = unuseEntry(machine, vma, vpn, slot, entry);
      if (failed < 0) return failed;
    }
  }
  return 0;
}

function unuseEntry(machine: Machine, vma: Vma, vpn: Vpn, slot: number, entry: SwapEntry): number {
  const pfn = findPage(machine, vma, vpn, slot, entry);
  if (pfn === NO_PFN) return swapCount(machine, entry) === 0 ? 0 : -ENOMEM;
  const folio = compoundHead(machine, pfn);
  lockWritten(machine, folio);
  // A merged page that went to swap is one process's now; the others get copies.
  if (machine.ksm !== null && ksmMightNeedToCopy(machine, pfn, vma, vpn)) {
    return (swapInCopy(machine, vma, vpn, slot, entry, pfn, false) & VM_FAULT_ERROR) !== 0 ? -ENOMEM : 0;
  }
  const tables = machine.pageTables;
  const holds = tables.isSwap(slot) && tables.swapEntry(slot) === entry;
  if (holds && machine.ksm !== null && ksmMightNeedToCopy(machine, folio, vma, vpn)) {
    // A merged page went to swap once, for several places: each gets a page of its own back.
    return swapInCopy(machine, vma, vpn, slot, entry, folio, false) === 0 ? 0 : -ENOMEM;
  }
  const charged = machine.generation.switches.chargesSwapinAtRead || chargeSwapin(machine, folio, entry) === 0;
  // Memory was short meanwhile, and the owner was killed.
  if (charged && tables.isSwap(slot) && tables.swapEntry(slot) === entry) mapBack(machine, vma, vpn, slot, pfn);
  folioFreeSwap(machine, folio);
  unlockAndPut(machine, folio);
  return charged ? 0 : -ENOMEM;
}

function findPage(machine: Machine, vma: Vma, vpn: Vpn, slot: number, entry: SwapEntry): Pfn {
  const cached = swapCacheGet(machine, entry);
  if (cached !== NO_PFN) {
    getPage(machine, cached);
    return cached;
  }
  const fault = machine.fault;
  fault.vma = vma;
  fault.vpn = vpn;
  fault.slot = slot;
  return machine.generation.swapinReadahead(machine, entry, GFP_HIGHUSER_MOVABLE, fault);
}

/** Old, clean and read-only, as if nobody had used it since. */
function mapBack(machine: Machine, vma: Vma, vpn: Vpn, slot: number, pfn: Pfn): void {
  const tables = machine.pageTables;
  const entry = tables.swapEntry(slot);
  const exclusive = tables.has(slot, PTE_SWP_EXCLUSIVE);
  const rss = vma.vmMm.rss;
  rss[MM_SWAPENTS]! -= 1;
  rss[MM_ANONPAGES]! += 1;
  getPage(machine, pfn);
  machine.rmap.addAnon(pfn, vma, vpn, exclusive);
  tables.setPresent(slot, pfn, (vma.vmFlags & VM_ACCESS_FLAGS) !== 0 ? PTE_PRESENT : PTE_PROTNONE);
  swapFree(machine, entry);
  if (machine.generation.switches.swapoffActivates) machine.lru.activate(pfn);
}

function lockWritten(machine: Machine, pfn: Pfn): void {
  waitOnPageLocked(machine, pfn);
  machine.frames.set(pfn, PG_locked);
  waitOnPageWriteback(machine, pfn);
}

function unlockAndPut(machine: Machine, pfn: Pfn): void {
  machine.frames.clear(pfn, PG_locked);
  putPage(machine, pfn);
}
