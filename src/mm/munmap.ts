/**
 * Taking mappings away: munmap, the old mappings under a MAP_FIXED, the end of a process.
 *
 * Promises  1. A refused munmap unmaps nothing; VMAs may stay split at its ends.
 *           2. A page table goes when nothing in its span is mapped any more: it may reach from the end of the VMA
 *              before to the start of the VMA behind.
 * Linux     6.18 mm/vma.c: do_vmi_munmap vms_gather_munmap_vmas vms_complete_munmap_vmas; mm/mmap.c: exit_mmap
 */
import { EINVAL, ENOMEM } from './errno.ts';
import type { Machine } from './machine.ts';
import { munlockVmaPagesRange } from './mlock_3.ts';
import { type Mm, updateHiwaterRss } from './mm.ts';
import { PAGE_SIZE, pagesOf, type Vpn, vpnOf } from './units.ts';
import { vmStatAccount, vmUnacctMemory } from './vm_account.ts';
import { VM_ACCOUNT, VM_LOCKED } from './vm_flags.ts';
import { freeVma, splitVmaUnchecked, unlinkFileVma } from './vma_merge.ts';
import { vmacacheInvalidate } from './vmacache.ts';
import { drainBeforeFreeing, unmapVmas } from './zap.ts';

/** Above every page: there is no VMA behind the last one (USER_PGTABLES_CEILING). */
const CEILING = (2 ** 36) as Vpn;

/** munmap(2). A range that holds nothing is no error. */
export function doMunmap(machine: Machine, mm: Mm, addr: number, length: number): number {
  if (addr % PAGE_SIZE !== 0 || addr > mm.taskSize || length > mm.taskSize - addr || length === 0) return -EINVAL;
  const start = vpnOf(addr);
  return unmapRange(machine, mm, start, (start + pagesOf(length)) as Vpn);
}

/** Takes away [start, end). 0 or -ENOMEM. */
export function unmapRange(machine: Machine, mm: Mm, start: Vpn, end: Vpn): number {
  const failed = gatherMunmap(machine, mm, start, end);
  if (failed < 0) return failed;
  completeMunmap(machine, mm, start, end, countAccounted(mm, start, end));
  return 0;
}

/** Splits VMAs at both ends of [start, end), so that whole ones can go. 0 or -ENOMEM. */
export function gatherMunmap(machine: Machine, mm: Mm, start: Vpn, end: Vpn): number {
  const first = mm.vmas.findIntersection(start, end);
  if (first === null) return 0;
  if (first.vmStart < start) {
    // A hole makes two of one. More VMAs than allowed may be there for a moment, not afterwards.
    if (end < first.vmEnd && mm.mapCount >= machine.sysctl.maxMapCount) return -ENOMEM;
    const failed = splitVmaUnchecked(machine, first, start, true);
    if (failed < 0) return failed;
  }
  const last = mm.vmas.findExact((end - 1) as Vpn);
  return last !== null && last.vmEnd > end ? splitVmaUnchecked(machine, last, end, false) : 0;
}

/** Of the pages of [start, end), those that committedPages holds. VMAs were split at both ends. */
export function countAccounted(mm: Mm, start: Vpn, end: Vpn): number {
  let pages = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.vmStart < end; vma = mm.vmas.next(vma)) {
    if ((vma.vmFlags & VM_ACCOUNT) !== 0) pages += vma.pages;
  }
  return pages;
}

/** Takes away the VMAs of [start, end), their entries and tables; gives back `accounted` pages of commitment. */
export function completeMunmap(machine: Machine, mm: Mm, start: Vpn, end: Vpn, accounted: number): void {
  const { vmas } = mm;
  const first = vmas.findIntersection(start, end);
  if (first === null) return;
  const before = vmas.prev(first);
  // A whole address space that goes takes its number along.
  if (!mm.exiting) vmacacheInvalidate(machine, mm);
  const { unevictableList, mlockBatch } = machine.generation.switches;
  if (unevictableList && !mlockBatch) munlockVmas(machine, mm, start, end);
  updateHiwaterRss(mm);
  if (mm.totalVm > mm.hiwaterVm) mm.hiwaterVm = mm.totalVm;
  const { rssPages } = mm;
  unmapVmas(machine, mm, start, end);
  if (mm.rssPages !== rssPages) drainBeforeFreeing(machine);
  let tableEnd = first.vmEnd;
  for (let vma: typeof first | null = first; vma !== null && vma.vmStart < end; vma = vmas.next(vma)) {
    machine.rmap.unlinkAnonVmas(vma);
    unlinkFileVma(vma);
    tableEnd = vma.vmEnd;
  }
  const behind = vmas.find(end);
  const floor = before === null ? (0 as Vpn) : before.vmEnd;
  machine.pageTables.freeTables(
    machine,
    mm,
    first.vmStart,
    tableEnd,
    floor,
    behind === null ? CEILING : behind.vmStart,
  );
  for (let vma = vmas.findIntersection(start, end); vma !== null; vma = vmas.findIntersection(start, end)) {
    vmas.remove(vma);
    vmStatAccount(mm, vma.vmFlags, -vma.pages, vma.vmFile);
    if ((vma.vmFlags & VM_LOCKED) !== 0) mm.lockedVm -= vma.pages;
    freeVma(machine, vma);
  }
  machine.generation.areaUnmapped?.(mm, before, behind);
  vmUnacctMemory(machine, accounted);
}

/** Before 5.18: what is locked is unlocked before it goes, page by page. */
function munlockVmas(machine: Machine, mm: Mm, start: Vpn, end: Vpn): void {
  if (mm.lockedVm === 0) return;
  for (let vma = mm.vmas.findIntersection(start, end); vma !== null && vma.vmStart < end; vma = mm.vmas.next(vma)) {
    if ((vma.vmFlags & VM_LOCKED) === 0) continue;
    mm.lockedVm -= vma.pages;
    munlockVmaPagesRange(machine, vma, vma.vmStart, vma.vmEnd);
  }
}

/** The last user of an address space is gone: everything in it goes, but for the top page table. */
export function exitMmap(machine: Machine, mm: Mm): void {
  const first = mm.vmas.first();
  if (first === null) return;
  mm.exiting = true;
  drainBeforeFreeing(machine);
  completeMunmap(machine, mm, first.vmStart, CEILING, countAccounted(mm, first.vmStart, CEILING));
}
