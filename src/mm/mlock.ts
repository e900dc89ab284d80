/**
 * Locked memory: VMAs with VM_LOCKED, and pages that reclaim must not look at.
 *
 * Owns      PG_mlocked, NR_MLOCK and mlock_count (in MemMap's private field while a page is mlocked and unevictable), and the
 *           batch in which pages wait to change lists.
 * Promises  1. A present page of a locked VMA is mlocked, and after a drain it is on the unevictable list.
 *           2. mlock_count is at most the number of locked VMAs that map the page. It may be less (a page that was off its
 *              list while it was locked): then an munlock makes it evictable early, and reclaim puts it back when it meets it.
 * Linux     6.18 mm/mlock.c: mlock_folio mlock_new_folio munlock_folio mlock_folio_batch do_mlock apply_vma_lock_flags
 *           mlock_fixup apply_mlockall_flags; mm/internal.h: mlock_vma_folio munlock_vma_folio
 */
import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from './errno.ts';
import { folioPages, isLarge } from './folio.ts';
import { entriesOfFolio } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import { lruvecOf } from './memcg.ts';
import { mlockVmaPageAtOnce, munlockVmaPageAtOnce, munlockVmaPagesRange } from './mlock_3.ts';
import type { Mm } from './mm.ts';
import { mmPopulate } from './mmap.ts';
import { compoundHead, putPage } from './page_alloc.ts';
import { PG_active, PG_head, PG_lru, PG_mlocked, PG_unevictable } from './page_flags.ts';
import { NO_SLOT, PTE_SPECIAL } from './page_table.ts';
import { isEvictable, lruvecAddPage, lruvecDelPage } from './reclaim/lru.ts';
import { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT } from './uapi.ts';
import { PAGE_SIZE, type Pfn, pagesOfLength, type Vpn, vpnOf } from './units.ts';
import {
  VM_DROPPABLE,
  VM_HUGETLB,
  VM_LOCKED,
  VM_LOCKED_MASK,
  VM_LOCKONFAULT,
  VM_SPECIAL,
  VM_STICKY,
  type VmFlags,
} from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { vmaModifyFlags } from './vma_merge.ts';
import {
  NR_MLOCK,
  UNEVICTABLE_PGCULLED,
  UNEVICTABLE_PGMLOCKED,
  UNEVICTABLE_PGMUNLOCKED,
  UNEVICTABLE_PGRESCUED,
  UNEVICTABLE_PGSTRANDED,
} from './vmstat.ts';

const ADDRESS_END = 2 ** 64;

/** What a page in the batch waits for. */
const MLOCK = 0;
const MLOCK_NEW = 1;
const MUNLOCK = 2;

// pages

/** A locked VMA maps the page, which is on a list, or about to be. */
export function mlockPage(machine: Machine, pfn: Pfn): void {
  if (!machine.generation.switches.unevictableList) return;
  if (!machine.generation.switches.mlockBatch) {
    mlockVmaPageAtOnce(machine, pfn);
    return;
  }
  if (!machine.frames.testAndSet(pfn, PG_mlocked)) countMlocked(machine, pfn, folioPages(machine, pfn));
  queue(machine, pfn, MLOCK);
}

/** The same for a page that was made for a locked VMA and is on no list yet. */
export function mlockNewPage(machine: Machine, pfn: Pfn): void {
  machine.frames.set(pfn, PG_mlocked);
  countMlocked(machine, pfn, folioPages(machine, pfn));
  queue(machine, pfn, MLOCK_NEW);
}

/** A locked VMA maps the page no more, or is locked no more. */
export function munlockPage(machine: Machine, pfn: Pfn): void {
  if (!machine.generation.switches.unevictableList) return;
  if (!machine.generation.switches.mlockBatch) {
    munlockVmaPageAtOnce(machine, pfn);
    return;
  }
  queue(machine, pfn, MUNLOCK);
}

export function mlockVmaPage(machine: Machine, pfn: Pfn, vma: Vma): void {
  if ((vma.vmFlags & (VM_LOCKED | VM_SPECIAL)) === VM_LOCKED) mlockPage(machine, pfn);
}

export function munlockVmaPage(machine: Machine, pfn: Pfn, vma: Vma): void {
  if ((vma.vmFlags & VM_LOCKED) !== 0) munlockPage(machine, pfn);
}

function countMlocked(machine: Machine, pfn: Pfn, pages: number): void {
  const zone = machine.zones[machine.frames.zoneIndex(pfn)]!;
  zone.nrMlock += pages;
  zone.pgdat.stat[NR_MLOCK]! += pages;
  if (pages > 0) machine.events[UNEVICTABLE_PGMLOCKED]! += pages;
}

function queue(machine: Machine, pfn: Pfn, what: number): void {
  const { mlockBatch } = machine;
  machine.frames.get(pfn);
  mlockBatch.add(pfn, what);
  const full = mlockBatch.count === machine.generation.switches.lruBatch;
  if (full || machine.frames.has(pfn, PG_head)) mlockDrainLocal(machine);
}

/** Moves every page of the batch to the list that it belongs on. A part of lru_add_drain, behind the other batches. */
export function mlockDrainLocal(machine: Machine): void {
  const { mlockBatch } = machine;
  const { count } = mlockBatch;
  if (count === 0) return;
  mlockBatch.count = 0;
  for (let i = 0; i < count; i++) {
    const pfn = mlockBatch.pfn(i);
    const what = mlockBatch.what(i);
    if (what === MLOCK) drainMlock(machine, pfn);
    else if (what === MLOCK_NEW) drainMlockNew(machine, pfn);
    else drainMunlock(machine, pfn);
  }
  for (let i = 0; i < count; i++) putPage(machine, mlockBatch.pfn(i));
}

function drainMlock(machine: Machine, pfn: Pfn): void {
  const { frames } = machine;
  if (!frames.has(pfn, PG_lru)) return;
  if (isEvictable(machine, pfn)) {
    // It was munlocked in this very batch.
    if (frames.has(pfn, PG_unevictable)) rescue(machine, pfn);
  } else if (frames.has(pfn, PG_unevictable)) {
    if (frames.has(pfn, PG_mlocked)) setMlockCount(machine, pfn, mlockCount(machine, pfn) + 1);
  } else {
    const lruvec = lruvecOf(machine, pfn);
    lruvecDelPage(machine, lruvec, pfn);
    frames.clear(pfn, PG_active);
    frames.set(pfn, PG_unevictable);
    setMlockCount(machine, pfn, frames.has(pfn, PG_mlocked) ? 1 : 0);
    lruvecAddPage(machine, lruvec, pfn);
    machine.events[UNEVICTABLE_PGCULLED]! += folioPages(machine, pfn);
  }
}

function drainMlockNew(machine: Machine, pfn: Pfn): void {
  const { frames } = machine;
  if (!isEvictable(machine, pfn)) {
    frames.set(pfn, PG_unevictable);
    setMlockCount(machine, pfn, frames.has(pfn, PG_mlocked) ? 1 : 0);
    machine.events[UNEVICTABLE_PGCULLED]! += folioPages(machine, pfn);
  }
  lruvecAddPage(machine, lruvecOf(machine, pfn), pfn);
  frames.set(pfn, PG_lru);
}

function drainMunlock(machine: Machine, pfn: Pfn): void {
  const { frames } = machine;
  const onList = frames.has(pfn, PG_lru);
  if (onList && frames.has(pfn, PG_unevictable)) {
    const left = Math.max(0, mlockCount(machine, pfn) - 1);
    setMlockCount(machine, pfn, left);
    if (left > 0) return;
  }
  if (frames.testAndClear(pfn, PG_mlocked)) {
    const pages = folioPages(machine, pfn);
    countMlocked(machine, pfn, -pages);
    const found = onList || !frames.has(pfn, PG_unevictable);
    machine.events[found ? UNEVICTABLE_PGMUNLOCKED : UNEVICTABLE_PGSTRANDED]! += pages;
  }
  if (onList && frames.has(pfn, PG_unevictable) && isEvictable(machine, pfn)) rescue(machine, pfn);
}

/** From the unevictable list to the inactive one. */
function rescue(machine: Machine, pfn: Pfn): void {
  const lruvec = lruvecOf(machine, pfn);
  lruvecDelPage(machine, lruvec, pfn);
  machine.frames.clear(pfn, PG_unevictable);
  lruvecAddPage(machine, lruvec, pfn);
  machine.events[UNEVICTABLE_PGRESCUED]! += folioPages(machine, pfn);
}

function mlockCount(machine: Machine, pfn: Pfn): number {
  return machine.mlockBatch.counts.get(pfn) ?? 0;
}

function setMlockCount(machine: Machine, pfn: Pfn, count: number): void {
  if (count > 0) machine.mlockBatch.counts.set(pfn, count);
  else machine.mlockBatch.counts.delete(pfn);
}

// ranges

/** mlock(2), and mlock2(2) with MLOCK_ONFAULT. */
export function doMlock(machine: Machine, mm: Mm, addr: number, length: number, onfault: boolean): number {
  if (mm.rlimitMemlock === 0) return -EPERM;
  const start = vpnOf(addr);
  const pages = pagesOfLength(length + (addr % PAGE_SIZE));
  const limit = Math.floor(mm.rlimitMemlock / PAGE_SIZE);
  let locked = pages + mm.lockedVm;
  const { mlockCountsOnce, mlockBatch, unevictableList } = machine.generation.switches;
  if (locked > limit && mlockCountsOnce) locked -= countLocked(mm, start, pages);
  if (locked > limit) return -ENOMEM;
  if (machine.generation.switches.mlockHalfOfMemory && locked > Math.floor(machine.frames.frames / 2)) return -ENOMEM;
  if (unevictableList && !mlockBatch) machine.lru.drain();
  const failed = applyLockFlags(machine, mm, start, pages, onfault ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED);
  if (failed < 0) return failed;
  const unpopulated = mmPopulate(machine, mm, start, (start + pages) as Vpn, false);
  // POSIX wants other numbers than a fault has.
  if (unpopulated === -EFAULT) return -ENOMEM;
  return unpopulated === -ENOMEM ? -EAGAIN : unpopulated;
}

export function doMunlock(machine: Machine, mm: Mm, addr: number, length: number): number {
  return applyLockFlags(machine, mm, vpnOf(addr), pagesOfLength(length + (addr % PAGE_SIZE)), 0);
}

export function doMlockall(machine: Machine, mm: Mm, flags: number): number {
  if (flags === 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0 || flags === MCL_ONFAULT) return -EINVAL;
  if (mm.rlimitMemlock === 0) return -EPERM;
  if ((flags & MCL_CURRENT) !== 0 && mm.totalVm > Math.floor(mm.rlimitMemlock / PAGE_SIZE)) return -ENOMEM;
  applyMlockallFlags(machine, mm, flags);
  if ((flags & MCL_CURRENT) !== 0) mmPopulate(machine, mm, 0 as Vpn, vpnOf(mm.taskSize), true);
  return 0;
}

export function doMunlockall(machine: Machine, mm: Mm): number {
  applyMlockallFlags(machine, mm, 0);
  return 0;
}

function applyMlockallFlags(machine: Machine, mm: Mm, flags: number): void {
  const lockFlags = (flags & MCL_ONFAULT) !== 0 ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED;
  mm.defFlags &= ~VM_LOCKED_MASK;
  if ((flags & MCL_FUTURE) !== 0) {
    mm.defFlags |= lockFlags;
    if ((flags & MCL_CURRENT) === 0) return;
  }
  const toAdd = (flags & MCL_CURRENT) !== 0 ? lockFlags : 0;
  let prev: Vma | null = null;
  for (let vma = mm.vmas.first(); vma !== null; vma = mm.vmas.next(prev)) {
    const changed: Vma | number = mlockFixup(
      machine,
      prev,
      vma,
      vma.vmStart,
      vma.vmEnd,
      (vma.vmFlags & ~VM_LOCKED_MASK) | toAdd,
    );
    prev = typeof changed === 'number' ? vma : changed;
  }
}

/** Each VMA of the range gets `lockFlags` instead of what it had. 0 or -errno; VMAs before a hole are changed. */
function applyLockFlags(machine: Machine, mm: Mm, start: Vpn, pages: number, lockFlags: VmFlags): number {
  const end = (start + pages) as Vpn;
  if (end * PAGE_SIZE >= ADDRESS_END) return -EINVAL;
  if (pages === 0) return 0;
  let vma = mm.vmas.findExact(start);
  if (vma === null) return -ENOMEM;
  let prev = start > vma.vmStart ? vma : mm.vmas.prev(vma);
  let at = start;
  for (;;) {
    const to = Math.min(end, vma.vmEnd) as Vpn;
    const changed: Vma | number = mlockFixup(machine, prev, vma, at, to, (vma.vmFlags & ~VM_LOCKED_MASK) | lockFlags);
    if (typeof changed === 'number') return changed;
    prev = changed;
    at = changed.vmEnd;
    if (at >= end) return 0;
    vma = mm.vmas.next(changed);
    if (vma === null || vma.vmStart !== at) return -ENOMEM;
  }
}

/** One VMA's part of the range. Returns the VMA that covers it then, or -errno. */
function mlockFixup(
  machine: Machine,
  prev: Vma | null,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  newFlags: VmFlags,
): Vma | number {
  const oldFlags = vma.vmFlags;
  if (newFlags === oldFlags || (oldFlags & (VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE)) !== 0) return vma;
  const { mergesFiles: merges } = machine.generation.switches;
  const changed = vmaModifyFlags(machine, prev, vma, start, end, newFlags, merges);
  if (typeof changed === 'number') return changed;
  const wasLocked = (oldFlags & VM_LOCKED) !== 0;
  const isLocked = (newFlags & VM_LOCKED) !== 0;
  if (wasLocked !== isLocked) vma.vmMm.lockedVm += isLocked ? end - start : start - end;
  changed.vmFlags = newFlags | (changed.vmFlags & VM_STICKY);
  // SINCE 2.6.28: before, a locked page stood on the list of the others, and nobody told it.
  if (!machine.generation.switches.unevictableList) return changed;
  if (!machine.generation.switches.mlockBatch) {
    // Pages are locked when they are faulted in, or met by reclaim.
    if (wasLocked && !isLocked) munlockVmaPagesRange(machine, changed, start, end);
    return changed;
  }
  // Locked twice, a page would have to be unlocked twice.
  if (!(wasLocked && isLocked)) mlockVmaPagesRange(machine, changed, start, end);
  return changed;
}

/** Locks or unlocks the pages that are there already. */
function mlockVmaPagesRange(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  const lock = (vma.vmFlags & VM_LOCKED) !== 0;
  machine.lru.drain();
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    for (let step = 1; at < tableEnd; at = (at + step) as Vpn) {
      step = 1;
      const slot = pageTables.slotOf(root, at);
      if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
      const pfn = pageTables.pfn(slot);
      if (isLarge(machine, pfn)) {
        step = entriesOfFolio(machine, slot, tableEnd - at);
        // Locked as a whole or not at all. SINCE 6.6: before, only where it is mapped as a whole, and unlocked likewise.
        const all = step === folioPages(machine, compoundHead(machine, pfn));
        if (machine.generation.switches.hugeFolios ? lock && !all : !pageTables.isHuge(slot)) continue;
      }
      if (lock) mlockPage(machine, compoundHead(machine, pfn));
      else munlockPage(machine, compoundHead(machine, pfn));
    }
  }
  machine.lru.drain();
}

/** Pages of the range that are locked already, and so count in lockedVm. */
function countLocked(mm: Mm, start: Vpn, pages: number): number {
  const end = start + pages;
  let count = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.vmStart < end; vma = mm.vmas.next(vma)) {
    if ((vma.vmFlags & VM_LOCKED) !== 0) count += Math.min(end, vma.vmEnd) - Math.max(start, vma.vmStart);
  }
  return count;
}
