/**
 * Faulting pages in on the kernel's own account: mlock, MAP_POPULATE, MADV_POPULATE_*.
 *
 * Promises  Each page of the range is touched once, in ascending order, and marked accessed, as get_user_pages does (FOLL_TOUCH).
 * Linux     6.18 mm/gup.c: __get_user_pages populate_vma_page_range faultin_page_range follow_page_pte
 */
import { EFAULT, ENOMEM } from './errno.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
} from './fault.ts';
import { HPAGE_PMD_NR } from './folio.ts';
import { hugeStart, hugeTable } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import { handleMmFault } from './memory.ts';
import { mlockFollowedPage } from './mlock_3.ts';
import type { Mm } from './mm.ts';
import { compoundHead } from './page_alloc.ts';
import { PG_dirty } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_RW, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { shownStart } from './stack_3.ts';
import type { Vpn } from './units.ts';
import { VM_ACCESS_FLAGS, VM_GROWSDOWN, VM_IO, VM_LOCKED, VM_PFNMAP, VM_SHARED, VM_WRITE } from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { folioMarkDirty } from './writeback.ts';

/**
 * Faults in all of [start, end): private writable VMAs as if written. 0 or -errno, -ENOMEM at a hole; or always 0. Who cannot
 * let go of the lock (`mayDrop`) waits for I/O within the fault, which then counts as major.
 */
export function populateRange(
  machine: Machine,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  ignoreErrors = true,
  mayDrop = true,
): number {
  let at = start;
  while (at < end) {
    const vma = mm.vmas.find(at);
    if (vma === null || vma.vmStart >= end) break;
    const from = Math.max(at, vma.vmStart) as Vpn;
    const to = Math.min(end, vma.vmEnd) as Vpn;
    at = to;
    if ((vma.vmFlags & (VM_IO | VM_PFNMAP)) !== 0) continue;
    const write = (vma.vmFlags & (VM_WRITE | VM_SHARED)) === VM_WRITE;
    const failed = faultinVma(machine, vma, from, to, write, 0, mayDrop);
    if (failed < 0 && !ignoreErrors) return failed;
  }
  return 0;
}

/** Faults in [start, end) as reads or writes that the mapping must allow. 0, -EFAULT, -ENOMEM. */
export function faultinPageRange(machine: Machine, mm: Mm, start: Vpn, end: Vpn, write: boolean): number {
  // SINCE 6.9: what had to wait is tried again as such, and counts as major. Before, as mlock does: as if for the first time.
  const retryFlags = machine.generation.switches.populateEndsAtHole ? FAULT_FLAG_TRIED : 0;
  for (let at = start; at < end; ) {
    const vma = mm.vmas.find(at);
    if (vma === null || vma.vmStart > at) return -ENOMEM;
    const to = Math.min(end, vma.vmEnd) as Vpn;
    const failed = faultinVma(machine, vma, at, to, write, retryFlags);
    if (failed < 0) return failed;
    at = to;
  }
  return 0;
}

/** `retryFlags`: how a fault is made again that dropped the lock to wait. */
function faultinVma(
  machine: Machine,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  write: boolean,
  retryFlags: number,
  mayDrop = true,
): number {
  // An inaccessible mapping can be locked, but not touched.
  if ((vma.vmFlags & VM_ACCESS_FLAGS) === 0) return -EFAULT;
  if (write && (vma.vmFlags & VM_WRITE) === 0) return -EFAULT;
  const firstFlags = FAULT_FLAG_REMOTE | (mayDrop ? FAULT_FLAG_ALLOW_RETRY : 0) | (write ? FAULT_FLAG_WRITE : 0);
  for (let vpn = start; vpn < end; vpn = behind(machine, vma, vpn)) {
    // A stack's guard page is not touched: the stack would grow.
    if (!machine.generation.switches.stackGapOutside && isStackGuard(vma, vpn)) continue;
    let flags = firstFlags;
    while (!touch(machine, vma, vpn, write)) {
      const result = handleMmFault(machine, vma, vpn, flags);
      if ((result & VM_FAULT_ERROR) !== 0) return (result & VM_FAULT_OOM) !== 0 ? -ENOMEM : -EFAULT;
      if (machine.current.killed) return -ENOMEM;
      if ((result & VM_FAULT_RETRY) === 0) continue;
      flags = firstFlags | retryFlags;
      // As if for the first time: the call for the rest of the range has ended, and that drains.
      if (retryFlags === 0) machine.lru.drain();
    }
  }
  return 0;
}

function isStackGuard(vma: Vma, vpn: Vpn): boolean {
  return (vma.vmFlags & VM_GROWSDOWN) !== 0 && shownStart(vma) > vpn;
}

/** The next page that must be touched: one touch does for a mapping of 2 MiB. */
function behind(machine: Machine, vma: Vma, vpn: Vpn): Vpn {
  return (hugeTable(machine, vma, vpn) === NO_SLOT ? vpn + 1 : hugeStart(vpn) + HPAGE_PMD_NR) as Vpn;
}

/** follow_page: the entry serves, and its page is marked accessed. */
function touch(machine: Machine, vma: Vma, vpn: Vpn, write: boolean): boolean {
  const { pageTables, frames } = machine;
  const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  if (slot === NO_SLOT || !pageTables.isPresent(slot)) return false;
  if (write && !pageTables.has(slot, PTE_RW)) return false;
  if (pageTables.isHuge(slot)) {
    // x86 writes such an entry only when it becomes dirty, too (pmdp_set_access_flags).
    if (write) pageTables.set(slot, PTE_YOUNG | PTE_DIRTY);
    return true;
  }
  if (pageTables.has(slot, PTE_SPECIAL) || !machine.generation.switches.populateTouches) return true;
  const pfn = compoundHead(machine, pageTables.pfn(slot));
  const { switches } = machine.generation;
  if (switches.unevictableList && !switches.mlockBatch && (vma.vmFlags & VM_LOCKED) !== 0)
    mlockFollowedPage(machine, pfn);
  if (write && !pageTables.has(slot, PTE_DIRTY) && !frames.has(pfn, PG_dirty)) folioMarkDirty(machine, pfn);
  machine.lru.markAccessed(pfn);
  return true;
}
