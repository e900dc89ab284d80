/**
 * Growing, shrinking and moving mappings.
 *
 *   shrink     unmap the tail
 *   grow       in place, if the range ends with its VMA and the next pages are free; else move (MREMAP_MAYMOVE)
 *   move       1. a VMA at the new place (or a neighbour there that takes the range)
 *              2. the entries go over, one by one or whole tables
 *              3. the old range is unmapped: empty by now (MREMAP_DONTUNMAP: it stays, empty)
 *
 * Promises  1. A page keeps its frame and its index: the new VMA's vmPgoff is such that the reverse map finds the page there.
 *           2. While entries move, the new VMA stands behind the old one in the order of the reverse map, or nobody walks (one CPU).
 *           3. Errors come in the kernel's order. 6.1 unmaps the new place before it has looked at the old one; 6.18 after.
 * Linux     6.18 mm/mremap.c: do_mremap check_mremap_params check_prep_vma remap_move mremap_to mremap_at move_vma move_page_tables
 *           expand_vma_in_place unmap_source_vma dontunmap_complete; 6.1 mm/mremap.c: mremap mremap_to vma_to_resize
 * Before    6.1: one VMA at a time
 */
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from './errno.ts';
import { hugeStart, hugeTable, splitHugePmd } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { mmPopulate } from './mmap.ts';
import { unmapRange } from './munmap.ts';
import { NO_SLOT, PTE_SPECIAL, PTE_TLB } from './page_table.ts';
import { MAP_FIXED, MAP_SHARED, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from './uapi.ts';
import { PAGE_SIZE, type Pgoff, pagesOfLength, type Vpn, vpnOf } from './units.ts';
import { mayExpandVm, mlockFutureOk, vmEnoughMemory, vmStatAccount, vmUnacctMemory } from './vm_account.ts';
import {
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_LOCKED,
  VM_LOCKED_MASK,
  VM_MAYSHARE,
  VM_MERGEABLE,
  VM_PFNMAP,
  VM_SHARED,
} from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { copyVma, splitVma, vmaMergeExtend } from './vma_merge.ts';

const TABLE_PAGES = 512;
const KNOWN_FLAGS = MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP;

/** One call on its way: struct vma_remap_struct. Lengths in pages, new address in bytes. */
class Remap {
  readonly mm: Mm;
  readonly flags: number;
  start: Vpn;
  oldPages: number;
  newPages: number;
  newAddr: number;
  /** The VMA is locked and grew: its new pages are faulted in at the end. */
  populate = false;

  constructor(mm: Mm, flags: number, start: Vpn, oldPages: number, newPages: number, newAddr: number) {
    this.mm = mm;
    this.flags = flags;
    this.start = start;
    this.oldPages = oldPages;
    this.newPages = newPages;
    this.newAddr = newAddr;
  }
  get impliesNewAddr(): boolean {
    return (this.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0;
  }
  get fixed(): boolean {
    return (this.flags & MREMAP_FIXED) !== 0;
  }
  get dontunmap(): boolean {
    return (this.flags & MREMAP_DONTUNMAP) !== 0;
  }
  get newStart(): Vpn {
    return vpnOf(this.newAddr);
  }
}

/** mremap(2). The new address, or -errno. */
export function doMremap(
  machine: Machine,
  mm: Mm,
  addr: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddr: number,
): number {
  const remap = new Remap(mm, flags, vpnOf(addr), pagesOfLength(oldLength), pagesOfLength(newLength), newAddr);
  const result = machine.generation.switches.mremapSeveralVmas
    ? remap618(machine, remap, addr)
    : remap61(machine, remap, addr, oldLength, newLength);
  if (result >= 0 && remap.populate) {
    const from = (vpnOf(result) + remap.oldPages) as Vpn;
    mmPopulate(machine, mm, from, (from + remap.newPages - remap.oldPages) as Vpn, true);
  }
  return result;
}

// 6.18

function remap618(machine: Machine, remap: Remap, addr: number): number {
  const refused = checkParams(machine, remap, addr);
  if (refused < 0) return refused;
  if (remap.fixed && remap.oldPages === remap.newPages) return remapMove(machine, remap);
  const vma = remap.mm.vmas.findExact(remap.start);
  const unfit = checkPrepVma(remap, vma);
  if (unfit < 0) return unfit;
  if (remap.impliesNewAddr) return mremapTo(machine, remap);
  if (remap.oldPages === remap.newPages) return addr;
  if (remap.oldPages > remap.newPages) {
    const failed = shrink(machine, remap);
    return failed < 0 ? failed : addr;
  }
  return expandVma(machine, remap, vma!);
}

function checkParams(machine: Machine, remap: Remap, addr: number): number {
  const { mm, flags, newAddr } = remap;
  const newBytes = remap.newPages * PAGE_SIZE;
  if ((flags & ~KNOWN_FLAGS) !== 0) return -EINVAL;
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  if (remap.newPages === 0 || newBytes > mm.taskSize) return -EINVAL;
  if (!remap.impliesNewAddr) return 0;
  if (newAddr > mm.taskSize - newBytes || newAddr % PAGE_SIZE !== 0) return -EINVAL;
  if ((flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
  if (remap.dontunmap && remap.oldPages !== remap.newPages) return -EINVAL;
  if (overlaps(remap)) return -EINVAL;
  return hasRoomForMaps(machine, mm) ? 0 : -ENOMEM;
}

/** Both places may be split in three on the way. */
function hasRoomForMaps(machine: Machine, mm: Mm): boolean {
  return mm.mapCount + 2 < machine.sysctl.maxMapCount - 3;
}

function overlaps(remap: Remap): boolean {
  const { start, newStart } = remap;
  return start + remap.oldPages > newStart && newStart + remap.newPages > start;
}

/** What the VMA says to growth or a move. 0 or -errno. */
function checkPrepVma(remap: Remap, vma: Vma | null): number {
  if (vma === null) return -EFAULT;
  const { newPages } = remap;
  const delta = newPages - remap.oldPages;
  if (delta <= 0 && !remap.impliesNewAddr) return 0;
  // Nothing to move: a second mapping of the same object is asked for. A private one would be empty.
  if (remap.oldPages === 0 && (vma.vmFlags & (VM_SHARED | VM_MAYSHARE)) === 0) return -EINVAL;
  if (remap.dontunmap && (vma.vmFlags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return -EINVAL;
  // What a shrink unmaps may reach over the VMA's end.
  const oldPages = Math.min(remap.oldPages, newPages);
  if (oldPages > vma.vmEnd - remap.start) return -EFAULT;
  if (oldPages === newPages) return 0;
  if ((vma.vmFlags & VM_LOCKED) !== 0) remap.populate = true;
  return checkGrowth(remap, vma, delta);
}

function checkGrowth(remap: Remap, vma: Vma, delta: number): number {
  if ((vma.vmFlags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return -EFAULT;
  if (!mlockFutureOk(remap.mm, vma.vmFlags, delta)) return -EAGAIN;
  return mayExpandVm(remap.mm, vma.vmFlags, delta) ? 0 : -ENOMEM;
}

/** MREMAP_FIXED without a change of size: every VMA of the range moves, holes between them stay as wide as they are. */
function remapMove(machine: Machine, remap: Remap): number {
  const { vmas } = remap.mm;
  const { start } = remap;
  const end = (start + remap.oldPages) as Vpn;
  const wantedAddr = remap.newAddr;
  let target = remap.newStart as number;
  let last: Vpn = start;
  let moved = false;
  for (
    let vma = vmas.findIntersection(start, end);
    vma !== null;
    vma = last < end ? vmas.findIntersection(last, end) : null
  ) {
    if (!moved && vma.vmStart > start) return -EFAULT;
    if (moved) target += vma.vmStart - last;
    const from = Math.max(vma.vmStart, start) as Vpn;
    last = vma.vmEnd;
    remap.start = from;
    remap.oldPages = Math.min(end, vma.vmEnd) - from;
    remap.newPages = remap.oldPages;
    remap.newAddr = target * PAGE_SIZE;
    const unfit = checkPrepVma(remap, vma);
    const result = unfit < 0 ? unfit : mremapTo(machine, remap);
    if (result < 0) return result;
    moved = true;
    target += remap.newPages;
  }
  return moved ? wantedAddr : -EFAULT;
}

function mremapTo(machine: Machine, remap: Remap): number {
  const { mm } = remap;
  if (remap.fixed) {
    const failed = unmapRange(machine, mm, remap.newStart, (remap.newStart + remap.newPages) as Vpn);
    if (failed < 0) return failed;
  }
  if (remap.oldPages > remap.newPages) {
    const failed = shrink(machine, remap);
    if (failed < 0) return failed;
    remap.oldPages = remap.newPages;
  }
  const vma = mm.vmas.findExact(remap.start);
  if (vma === null) return -EFAULT;
  return moveToNewAddr(machine, remap, vma);
}

function moveToNewAddr(machine: Machine, remap: Remap, vma: Vma): number {
  if (remap.dontunmap && !mayExpandVm(remap.mm, vma.vmFlags, remap.oldPages)) return -ENOMEM;
  const hint = remap.impliesNewAddr ? remap.newAddr : 0;
  const mapFlags = (remap.fixed ? MAP_FIXED : 0) | ((vma.vmFlags & VM_MAYSHARE) !== 0 ? MAP_SHARED : 0);
  const pgoff = (vma.vmPgoff + (remap.start - vma.vmStart)) as Pgoff;
  const found = machine.generation.getUnmappedArea(
    machine,
    remap.mm,
    vma.vmFile,
    hint,
    remap.newPages,
    pgoff,
    mapFlags,
  );
  if (found < 0) return found;
  remap.newAddr = found;
  return moveVma(machine, remap, vma);
}

/** Unmaps what is too much. It may reach over the end of the VMA, not over that of user space. */
function shrink(machine: Machine, remap: Remap): number {
  if ((remap.start + remap.oldPages) * PAGE_SIZE > remap.mm.taskSize) return -EINVAL;
  return unmapRange(machine, remap.mm, (remap.start + remap.newPages) as Vpn, (remap.start + remap.oldPages) as Vpn);
}

// 6.1

function remap61(machine: Machine, remap: Remap, addr: number, oldLength: number, newLength: number): number {
  const { mm, flags } = remap;
  if ((flags & ~KNOWN_FLAGS) !== 0) return -EINVAL;
  if (remap.fixed && (flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
  // The lengths as given: they must be equal to the byte.
  if (remap.dontunmap && ((flags & MREMAP_MAYMOVE) === 0 || oldLength !== newLength)) return -EINVAL;
  if (addr % PAGE_SIZE !== 0 || remap.newPages === 0) return -EINVAL;
  if (mm.vmas.findExact(remap.start) === null) return -EFAULT;
  if (remap.impliesNewAddr) return mremapTo61(machine, remap);
  if (remap.oldPages >= remap.newPages) {
    if (remap.oldPages === remap.newPages) return addr;
    const failed = shrink(machine, remap);
    return failed < 0 ? failed : addr;
  }
  const vma = vmaToResize(machine, remap);
  if (typeof vma === 'number') return vma;
  return expandVma(machine, remap, vma);
}

function mremapTo61(machine: Machine, remap: Remap): number {
  const { mm, newAddr } = remap;
  const newBytes = remap.newPages * PAGE_SIZE;
  if (newAddr % PAGE_SIZE !== 0) return -EINVAL;
  if (newBytes > mm.taskSize || newAddr > mm.taskSize - newBytes) return -EINVAL;
  if (overlaps(remap)) return -EINVAL;
  if (!hasRoomForMaps(machine, mm)) return -ENOMEM;
  if (remap.fixed) {
    const failed = unmapRange(machine, mm, remap.newStart, (remap.newStart + remap.newPages) as Vpn);
    if (failed < 0) return failed;
  }
  if (remap.oldPages > remap.newPages) {
    const failed = shrink(machine, remap);
    if (failed < 0) return failed;
    remap.oldPages = remap.newPages;
  }
  const vma = vmaToResize(machine, remap);
  return typeof vma === 'number' ? vma : moveToNewAddr(machine, remap, vma);
}

function vmaToResize(machine: Machine, remap: Remap): Vma | number {
  const vma = remap.mm.vmas.findExact(remap.start);
  if (vma === null) return -EFAULT;
  const { mremapKeepsPrivate } = machine.generation.switches;
  const copiesPrivate = remap.oldPages === 0 && (vma.vmFlags & (VM_SHARED | VM_MAYSHARE)) === 0;
  if (copiesPrivate && mremapKeepsPrivate) return -EINVAL;
  if (remap.dontunmap && (vma.vmFlags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return -EINVAL;
  if (remap.oldPages > vma.vmEnd - remap.start) return -EFAULT;
  if (remap.oldPages === remap.newPages) return vma;
  const refused = checkGrowth(remap, vma, remap.newPages - remap.oldPages);
  if (refused < 0) return refused;
  if ((vma.vmFlags & VM_LOCKED) !== 0) remap.populate = true;
  return vma;
}

// both

/** Grows without a new address: in place, or where there is room. */
function expandVma(machine: Machine, remap: Remap, vma: Vma): number {
  const { mm } = remap;
  const delta = remap.newPages - remap.oldPages;
  if (vma.vmEnd - remap.start === remap.oldPages && isExpandable(machine, vma, delta)) {
    const accounted = (vma.vmFlags & VM_ACCOUNT) !== 0;
    if (accounted && vmEnoughMemory(machine, mm, delta) < 0) return -ENOMEM;
    const grown = vmaMergeExtend(machine, vma, delta);
    if (grown === null) {
      if (accounted) vmUnacctMemory(machine, delta);
      return -ENOMEM;
    }
    vmStatAccount(mm, grown.vmFlags, delta, grown.vmFile);
    if ((grown.vmFlags & VM_LOCKED) !== 0) mm.lockedVm += delta;
    return remap.start * PAGE_SIZE;
  }
  if ((remap.flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  return moveToNewAddr(machine, remap, vma);
}

/** The pages behind the VMA are free, and user space does not end there. */
function isExpandable(machine: Machine, vma: Vma, pages: number): boolean {
  const { vmMm: mm } = vma;
  const end = (vma.vmEnd + pages) as Vpn;
  if (mm.vmas.findIntersection(vma.vmEnd, end) !== null) return false;
  return (
    machine.generation.getUnmappedArea(
      machine,
      mm,
      null,
      vma.vmStart * PAGE_SIZE,
      end - vma.vmStart,
      0 as Pgoff,
      MAP_FIXED,
    ) >= 0
  );
}

function moveVma(machine: Machine, remap: Remap, vma: Vma): number {
  const { mm, start, oldPages, newPages, newStart } = remap;
  if (mm.mapCount >= machine.sysctl.maxMapCount - 3) return -ENOMEM;
  if (remap.dontunmap && (vma.vmFlags & VM_LOCKED) !== 0 && !machine.generation.switches.mremapSeveralVmas) {
    // SINCE 6.17: the whole VMA loses its lock; before, only what moved away, split off for that.
    const failed = splitAround(machine, vma, start, (start + oldPages) as Vpn);
    if (failed < 0) return failed;
  }
  // A merged page is found by the address that it was merged at.
  if ((vma.vmFlags & VM_MERGEABLE) !== 0 && machine.ksm !== null) {
    if (machine.ksm.unmerge(vma, start, (start + oldPages) as Vpn) < 0) return -ENOMEM;
  }
  const accounted = (vma.vmFlags & VM_ACCOUNT) !== 0;
  const charged = accounted ? (remap.dontunmap ? newPages : newPages - oldPages) : 0;
  if (accounted && vmEnoughMemory(machine, mm, charged) < 0) return -ENOMEM;

  const pgoff = (vma.vmPgoff + (start - vma.vmStart)) as Pgoff;
  const { vmStart } = vma;
  const copy = copyVma(machine, vma, newStart, newPages, pgoff, remap.dontunmap);
  if (copy === null) {
    vmUnacctMemory(machine, charged);
    return -ENOMEM;
  }
  // An untouched VMA may have become one with its own copy beside it.
  const source = vmStart >= copy.vmStart && vmStart < copy.vmEnd ? copy : vma;
  const movedPages = movePageTables(machine, source, start, newStart, oldPages);
  // For a moment both places count; nobody shall see that as the most there ever was.
  const { hiwaterVm } = mm;
  vmStatAccount(mm, copy.vmFlags, newPages, copy.vmFile);
  if ((copy.vmFlags & VM_LOCKED) !== 0) mm.lockedVm += newPages;
  if (movedPages < oldPages) {
    movePageTables(machine, copy, newStart, start, movedPages);
    unmapAccounted(machine, mm, copy, newStart, (newStart + newPages) as Vpn);
    vmUnacctMemory(machine, charged);
    return -ENOMEM;
  }
  if (remap.dontunmap) completeDontunmap(machine, source, start, (start + oldPages) as Vpn);
  else unmapAccounted(machine, mm, source, start, (start + oldPages) as Vpn);
  mm.hiwaterVm = hiwaterVm;
  return remap.newAddr;
}

function splitAround(machine: Machine, vma: Vma, start: Vpn, end: Vpn): number {
  const failed = vma.vmStart < start ? splitVma(machine, vma, start, true) : 0;
  return failed < 0 || vma.vmEnd <= end ? failed : splitVma(machine, vma, end, false);
}

/**
 * Unmaps [start, end), a part of `vma`, but keeps its pages committed: the new place goes on with the promise. VM_ACCOUNT
 * is hidden from munmap, and what is left of the VMA gets it back.
 */
function unmapAccounted(machine: Machine, mm: Mm, vma: Vma, start: Vpn, end: Vpn): void {
  const accounted = (vma.vmFlags & VM_ACCOUNT) !== 0;
  const { vmStart, vmEnd } = vma;
  vma.vmFlags &= ~VM_ACCOUNT;
  const failed = start < end && unmapRange(machine, mm, start, end) < 0;
  if (!accounted) return;
  if (failed) {
    // It stays mapped, and both places are committed now.
    vma.vmFlags |= VM_ACCOUNT;
    machine.committedPages += end - start;
    return;
  }
  if (vmStart < start) mm.vmas.findExact((start - 1) as Vpn)!.vmFlags |= VM_ACCOUNT;
  if (vmEnd > end) mm.vmas.findExact(end)!.vmFlags |= VM_ACCOUNT;
}

/** MREMAP_DONTUNMAP: the old place stays, and is as if nobody had ever touched it. */
function completeDontunmap(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  if ((vma.vmFlags & VM_LOCKED) !== 0) vma.vmMm.lockedVm -= vma.pages;
  vma.vmFlags &= ~VM_LOCKED_MASK;
  if (vma.vmStart !== start || vma.vmEnd !== end) return;
  machine.rmap.unlinkAnonVmas(vma);
  // 6.1.192: its index starts anew, as of a VMA that nobody ever touched. 6.18.44 keeps it, which decides what it merges with.
  const startsAnew = vma.vmFile === null && !machine.generation.switches.mremapSeveralVmas;
  if (startsAnew) vma.vmPgoff = vma.vmStart as number as Pgoff;
}

/** Moves the entries of `pages` pages of `vma` from `from` to `to`. Returns how many pages are done: all, or memory for a table is short. */
function movePageTables(machine: Machine, vma: Vma, from: Vpn, to: Vpn, pages: number): number {
  const { vmMm: mm } = vma;
  const { pageTables } = machine;
  const end = (from + pages) as Vpn;
  const shift = to - from;
  for (
    let at = pageTables.nextTable(mm.pageTables, from, end);
    at < end;
    at = pageTables.nextTable(mm.pageTables, at, end)
  ) {
    const target = (at + shift) as Vpn;
    const left = Math.min(end - at, TABLE_PAGES - (at % TABLE_PAGES), TABLE_PAGES - (target % TABLE_PAGES));
    const next = (at + left) as Vpn;
    const huge = hugeTable(machine, vma, at) !== NO_SLOT;
    if (huge && (left < TABLE_PAGES || pageTables.slotOf(mm.pageTables, target) !== NO_SLOT)) {
      splitHugePmd(machine, vma, hugeStart(at));
    }
    const byEntry = left < TABLE_PAGES || machine.rmap.entryMoved !== undefined;
    if (byEntry || !pageTables.moveTable(machine, mm, at, target)) {
      if (!moveEntries(machine, mm, at, target, left)) return at - from;
    }
    pageTables.flushTlbRange(at, (next - 1) as Vpn);
    at = next;
  }
  return pages;
}

/** Within one table on both sides. */
function moveEntries(machine: Machine, mm: Mm, from: Vpn, to: Vpn, pages: number): boolean {
  const { pageTables } = machine;
  let target = pageTables.slotAlloc(machine, mm, to);
  if (target === NO_SLOT) return false;
  let slot = pageTables.slotOf(mm.pageTables, from);
  for (let i = 0; i < pages; i++, slot++, target++) {
    if (pageTables.isNone(slot)) continue;
    // Whatever it says, frame or swap entry: it says it there from now on.
    pageTables.setPresent(target, pageTables.pfn(slot), pageTables.bits[slot]! & ~PTE_TLB);
    if (pageTables.isPresent(target) && !pageTables.has(target, PTE_SPECIAL))
      machine.rmap.entryMoved?.(pageTables.pfn(target), slot, mm, (to + i) as Vpn);
    pageTables.setNone(slot);
  }
  return true;
}
