/**
 * What a page fault does to an entry in 3.16.
 *
 * Owns      anonymous memory, swap-in and copy-on-write of 3.16. What a file's fault does is faults.ts, which is the same.
 * Promises  1. A store is seen by the process that made it and by those that share the page, and by nobody else: an anonymous
 *              page is written in place only when one entry maps it and no other holds its slot. References do not count.
 *           2. The lowest page of a stack is never touched: the stack grows by one first.
 *           3. An allocation may reclaim, and reclaim may change any entry: each is looked at again before it is set.
 * Linux     3.16 mm/memory.c: __handle_mm_fault handle_pte_fault do_anonymous_page check_stack_guard_page do_swap_page do_wp_page
 *           do_linear_fault do_nonlinear_fault; mm/swapfile.c: reuse_swap_page
 * After     faults.ts (6.x): PG_anon_exclusive instead of the counts; new pages begin inactive; the swap cache may be skipped
 */
import { waitOnPageLocked } from './block.ts';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_USER,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_FALLBACK,
  VM_FAULT_MAJOR,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
} from './fault.ts';
import {
  allocAnonPage,
  doCowFault,
  doReadFault,
  doSharedFault,
  fileFault,
  finishFault,
  isSharedWritable,
  wpPageCopy,
  wpPageShared,
} from './faults.ts';
import { GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import { hugeFault, wantsHuge } from './huge_memory.ts';
import { isKsmPage, ksmMightNeedToCopy } from './ksm_page.ts';
import { swapInCopy } from './ksm_swapin.ts';
import type { Machine } from './machine.ts';
import { countMemcgEvents } from './memcg.ts';
import { chargeSwapin } from './memcg_3.ts';
import { munlockVmaPageAtOnce } from './mlock_3.ts';
import { MM_ANONPAGES, MM_SWAPENTS } from './mm.ts';
import { compoundHead, getPage, putPage } from './page_alloc.ts';
import { PG_dirty, PG_locked, PG_mlocked, PG_swapcache, PG_uptodate, PG_writeback } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_FILE, PTE_MARKER, PTE_PRESENT, PTE_RW, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { expandDownwards } from './stack_3.ts';
import { deleteFromSwapCache, swapCacheGetForFault } from './swap/swap_state.ts';
import { folioFreeSwap, swapFree, swpSwapcount, vmSwapFull } from './swap/swapfile.ts';
import { NO_PFN, type Pfn, type SwapEntry, type Vpn } from './units.ts';
import { VM_GROWSDOWN, VM_LOCKED, VM_SHARED, VM_WRITE } from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { PGMAJFAULT } from './vmstat.ts';

/** VM_FAULT_ bits. */
export function handlePteFault_3(machine: Machine, vma: Vma, vpn: Vpn, flags: number): number {
  const { fault } = machine;
  fault.mayOom = (flags & FAULT_FLAG_USER) !== 0;
  const result = resolve(machine, vma, vpn, flags);
  fault.mayOom = false;
  return result;
}

function resolve(machine: Machine, vma: Vma, vpn: Vpn, flags: number): number {
  const { fault, pageTables } = machine;
  const found = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  if (found === NO_SLOT ? wantsHuge(machine, vma, vpn) : pageTables.isHuge(found)) {
    const huge = hugeFault(machine, vma, vpn, flags, found);
    if (huge !== VM_FAULT_FALLBACK) return huge;
  }
  const slot = found === NO_SLOT ? pageTables.slotAlloc(machine, vma.vmMm, vpn) : found;
  if (slot === NO_SLOT) return VM_FAULT_OOM;
  fault.vma = vma;
  fault.vpn = vpn;
  fault.pgoff = linearPageIndex(vma, vpn);
  fault.flags = flags;
  fault.slot = slot;
  fault.newTable = found === NO_SLOT;
  fault.page = NO_PFN;
  fault.cowPage = NO_PFN;
  const write = (flags & FAULT_FLAG_WRITE) !== 0;
  if (pageTables.isNone(slot)) {
    if (vma.vmFile === null) return doAnonymousPage(machine);
    if (!write) return doReadFault(machine);
    return (vma.vmFlags & VM_SHARED) === 0 ? doCowFault(machine) : doSharedFault(machine);
  }
  if (pageTables.has(slot, PTE_FILE)) return doNonlinearFault(machine);
  if (pageTables.isSwap(slot)) return doSwapPage(machine);
  if (pageTables.has(slot, PTE_MARKER)) return VM_FAULT_SIGSEGV;
  if (write && !pageTables.has(slot, PTE_RW)) return doWpPage(machine);
  pageTables.set(slot, write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
  return 0;
}

/** The entry names the page of the file; it is there again if the fault comes to nothing. Only shared mappings have such entries. */
function doNonlinearFault(machine: Machine): number {
  const { fault, pageTables } = machine;
  const { vma, vpn, slot } = fault;
  const pgoff = pageTables.filePgoff(slot);
  fault.pgoff = pgoff;
  pageTables.setNone(slot);
  const result = (fault.flags & FAULT_FLAG_WRITE) !== 0 ? doSharedFault(machine) : readNonlinear(machine);
  const at = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  if (at !== NO_SLOT && pageTables.isNone(at)) pageTables.setFile(at, pgoff);
  return result;
}

/** Without the pages around it: which they are nobody knows. */
function readNonlinear(machine: Machine): number {
  const { fault } = machine;
  const result = fileFault(machine);
  if ((result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) !== 0) return result;
  const { page } = fault;
  const finished = finishFault(machine, page);
  machine.frames.clear(page, PG_locked);
  if ((finished & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) !== 0) putPage(machine, page);
  return result | finished;
}

// anonymous memory

function doAnonymousPage(machine: Machine): number {
  const { fault, pageTables, frames, rmap } = machine;
  const { vma, vpn, slot } = fault;
  const { rss } = vma.vmMm;
  if (checkStackGuardPage(machine, vma, vpn) < 0) return VM_FAULT_SIGBUS;
  if ((fault.flags & FAULT_FLAG_WRITE) === 0) {
    pageTables.setPresent(slot, machine.zeroPfn, PTE_PRESENT | PTE_SPECIAL | PTE_YOUNG);
    return 0;
  }
  if (rmap.anonVmaPrepare(vma) < 0) return VM_FAULT_OOM;
  const pfn = allocAnonPage(machine, vma.vmMm);
  if (pfn === NO_PFN) return VM_FAULT_OOM;
  if (pageTables.slotOf(vma.vmMm.pageTables, vpn) !== slot || !pageTables.isNone(slot)) {
    putPage(machine, pfn);
    return 0;
  }
  frames.set(pfn, PG_uptodate);
  rss[MM_ANONPAGES]! += 1;
  rmap.addNewAnon(pfn, vma, vpn);
  machine.lru.addVma(pfn, vma);
  pageTables.setPresent(slot, pfn, PTE_PRESENT | PTE_YOUNG | ((vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW | PTE_DIRTY : 0));
  return 0;
}

/** A fault on the lowest page of a stack: it grows, or something stands right below it. 0 or -errno. */
export function checkStackGuardPage(machine: Machine, vma: Vma, vpn: Vpn): number {
  if ((vma.vmFlags & VM_GROWSDOWN) === 0 || vpn !== vma.vmStart) return 0;
  const prev = vma.vmMm.vmas.prev(vma);
  // A part of the same stack, split off, is no danger.
  if (prev !== null && prev.vmEnd === vpn) return (prev.vmFlags & VM_GROWSDOWN) !== 0 ? 0 : -1;
  expandDownwards(machine, vma, (vpn - 1) as Vpn);
  return 0;
}

// swap

function doSwapPage(machine: Machine): number {
  const { fault, pageTables, frames } = machine;
  const { vma, vpn, slot } = fault;
  const mm = vma.vmMm;
  const entry = pageTables.swapEntry(slot);
  let result = 0;
  let pfn = swapCacheGetForFault(machine, entry, null, vpn);
  if (pfn !== NO_PFN) {
    getPage(machine, pfn);
  } else {
    pfn = machine.generation.swapinReadahead(machine, entry, GFP_HIGHUSER_MOVABLE, fault);
    if (pfn === NO_PFN) return holds(machine, vma, vpn, slot, entry) ? VM_FAULT_OOM : 0;
    result = VM_FAULT_MAJOR;
    machine.events[PGMAJFAULT]! += 1;
    countMemcgEvents(mm.memcg, PGMAJFAULT, 1);
  }
  if (frames.has(pfn, PG_locked)) {
    waitOnPageLocked(machine, pfn);
    if ((fault.flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED)) === FAULT_FLAG_ALLOW_RETRY) {
      putPage(machine, pfn);
      return result | VM_FAULT_RETRY;
    }
  }
  frames.set(pfn, PG_locked);
  if (!frames.has(pfn, PG_swapcache) || frames.private_(pfn) !== entry) return backOut(machine, pfn, result);
  if (machine.ksm !== null && ksmMightNeedToCopy(machine, pfn, vma, vpn)) {
    return result | swapInCopy(machine, vma, vpn, slot, entry, pfn, (fault.flags & FAULT_FLAG_WRITE) !== 0);
  }
  if (chargeSwapin(machine, pfn, entry) < 0) return backOut(machine, pfn, VM_FAULT_OOM);
  // Reading may have taken time and memory: somebody else may have brought the page in.
  if (!holds(machine, vma, vpn, slot, entry)) return backOut(machine, pfn, result);

  let write = (fault.flags & FAULT_FLAG_WRITE) !== 0;
  let bits = PTE_PRESENT | PTE_YOUNG;
  const exclusive = write && reuseSwapPage(machine, pfn);
  if (exclusive) {
    bits |= PTE_DIRTY | ((vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0);
    write = false;
  }
  mm.rss[MM_ANONPAGES]! += 1;
  mm.rss[MM_SWAPENTS]! -= 1;
  pageTables.setPresent(slot, pfn, bits);
  machine.rmap.addAnon(pfn, vma, vpn, exclusive);
  swapFree(machine, entry);
  if (vmSwapFull(machine) || (vma.vmFlags & VM_LOCKED) !== 0 || frames.has(pfn, PG_mlocked))
    folioFreeSwap(machine, pfn);
  frames.clear(pfn, PG_locked);
  if (!write) return result;
  const written = result | doWpPage(machine);
  return (written & VM_FAULT_ERROR) !== 0 ? written & VM_FAULT_ERROR : written;
}

/** The entry is as it was when the fault began. */
function holds(machine: Machine, vma: Vma, vpn: Vpn, slot: number, entry: SwapEntry): boolean {
  const { pageTables } = machine;
  const at = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  return at === slot && pageTables.isSwap(slot) && pageTables.swapEntry(slot) === entry;
}

function backOut(machine: Machine, pfn: Pfn, result: number): number {
  machine.frames.clear(pfn, PG_locked);
  putPage(machine, pfn);
  return result;
}

/**
 * The locked page is used by one entry at most: mapped once, or held as a swap entry once. Its slot is given up then, as the
 * page will differ from it; not while it is being written. A page that ksmd has merged is nobody's own, however few map it.
 */
export function reuseSwapPage(machine: Machine, pfn: Pfn): boolean {
  const { frames } = machine;
  if (isKsmPage(machine, pfn)) return false;
  let count = frames.mapcount(pfn);
  if (count <= 1 && frames.has(pfn, PG_swapcache)) {
    count += swpSwapcount(machine, frames.private_(pfn) as SwapEntry);
    if (count === 1 && !frames.has(pfn, PG_writeback)) {
      deleteFromSwapCache(machine, pfn);
      frames.set(pfn, PG_dirty);
    }
  }
  return count <= 1;
}

// copy-on-write

/** A store to a present, read-only entry. */
function doWpPage(machine: Machine): number {
  const { fault, pageTables, frames } = machine;
  const { vma, vpn, slot } = fault;
  if (pageTables.has(slot, PTE_SPECIAL)) return wpPageCopy(machine, NO_PFN, unlockCopied);
  const pfn = pageTables.pfn(slot);
  if (isKsmPage(machine, pfn)) return wpPageCopy(machine, pfn, unlockCopied);
  if (frames.isAnon(pfn)) {
    const head = compoundHead(machine, pfn);
    if (frames.has(head, PG_locked)) {
      waitOnPageLocked(machine, head);
      const at = pageTables.slotOf(vma.vmMm.pageTables, vpn);
      if (at !== slot || !pageTables.isPresent(slot) || pageTables.pfn(slot) !== pfn) return 0;
    }
    frames.set(head, PG_locked);
    const ours = head === pfn && reuseSwapPage(machine, pfn);
    // Reverse walks need not ask parents and siblings any more.
    if (ours) machine.rmap.moveAnon(pfn, vma);
    frames.clear(head, PG_locked);
    return ours ? wpPageReuse(machine) : wpPageCopy(machine, pfn, unlockCopied);
  }
  return isSharedWritable(vma) ? wpPageShared(machine, pfn, wpPageReuse) : wpPageCopy(machine, pfn, unlockCopied);
}

function wpPageReuse(machine: Machine): number {
  const { fault, pageTables } = machine;
  const rw = (fault.vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW : 0;
  pageTables.set(fault.slot, PTE_YOUNG | PTE_DIRTY | rw);
  return 0;
}

/** The copy is locked now, not what it was copied from. */
function unlockCopied(machine: Machine, old: Pfn, vma: Vma): void {
  if ((vma.vmFlags & VM_LOCKED) !== 0) munlockVmaPageAtOnce(machine, compoundHead(machine, old));
}
