/**
 * Making and ending address spaces and tasks.
 *
 * Owns      the life of Mm and Task, and what fork copies.
 * Promises  1. After fork both see the same pages; a private page is written by neither before it is copied or found to be alone.
 *           2. A VMA that holds no anonymous page is copied without its entries: they can be faulted in again.
 * Linux     6.18 mm/mmap.c: dup_mmap; mm/memory.c: copy_page_range copy_present_ptes copy_nonpresent_pte vma_needs_copy;
 *           kernel/fork.c: mm_init dup_mm copy_process mmput; kernel/exit.c: exit_mm
 */
import { exitMm, mmdrop } from './active_mm.ts';
import { ENOMEM } from './errno.ts';
import { getFile } from './file.ts';
import { GFP_KERNEL } from './gfp.ts';
import { copyHugePmd, hugeTable } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import type { MemCgroup } from './memcg.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, Mm } from './mm.ts';
import { mmlistAdd, mmlistDel } from './mmlist.ts';
import { exitMmap } from './munmap.ts';
import { allocKernelStack, freeKernelStack, getPage } from './page_alloc.ts';
import { PG_anon_exclusive, PG_swapbacked } from './page_flags.ts';
import {
  NO_SLOT,
  PTE_DIRTY,
  PTE_FILE,
  PTE_MARKER,
  PTE_RW,
  PTE_SPECIAL,
  PTE_SWP_EXCLUSIVE,
  PTE_TLB,
  PTE_YOUNG,
} from './page_table.ts';
import type { SlabName } from './slab.ts';
import { swapTokenOf } from './swap/swap_token.ts';
import { swapDuplicate } from './swap/swapfile.ts';
import { Task } from './task.ts';
import type { Pfn, Vpn } from './units.ts';
import { vmEnoughMemory, vmStatAccount } from './vm_account.ts';
import {
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_LOCKED_MASK,
  VM_MAYBE_GUARD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MIXEDMAP,
  VM_NONLINEAR,
  VM_PFNMAP,
  VM_SHARED,
  VM_UFFD_WP,
  VM_WIPEONFORK,
} from './vm_flags.ts';
import { Vma } from './vma.ts';

/** What the kernel allocates for a process besides its mm and its stack, by the object. */
const TASK_OBJECTS: readonly SlabName[] = [
  'task_struct',
  'signal_cache',
  'sighand_cache',
  'files_cache',
  'fs_cache',
  'cred_jar',
  'pid',
];

/** An empty address space, charged to `memcg`. null without memory. */
export function newMm(machine: Machine, memcg: MemCgroup, parent: Mm | null = null): Mm | null {
  if (machine.slab.alloc(machine, 'mm_struct', memcg, GFP_KERNEL) < 0) return null;
  const mm = new Mm(machine.newId(), memcg);
  mm.dataLimitCountsMappings = machine.generation.switches.dataLimitCountsMappings;
  const { mms } = machine;
  const before =
    machine.generation.switches.mmlistInForkOrder && parent !== null ? mms.indexOf(parent) : mms.length - 1;
  mms.splice(before + 1, 0, mm);
  machine.multiGen?.mmLists.add(mm);
  return mm;
}

/** One user less; the last one takes the whole address space along. */
export function mmPut(machine: Machine, mm: Mm): void {
  mm.mmUsers -= 1;
  if (mm.mmUsers > 0) return;
  mm.exiting = true;
  machine.multiGen?.mmLists.remove(mm);
  machine.ksm?.exit(mm);
  machine.reclaim.forgetMm?.(mm);
  exitMmap(machine, mm);
  swapTokenOf(machine)?.put(mm);
  mmlistDel(mm);
  mmdrop(machine, mm);
}

/** A task with its kernel stack; it takes over a use of `mm`. null without memory. */
export function newTask(
  machine: Machine,
  pid: number,
  comm: string,
  mm: Mm | null,
  memcg: MemCgroup,
  parent: Task | null,
): Task | null {
  const task = new Task(pid, comm, mm, memcg, parent);
  task.startNs = machine.clock.now;
  if (allocKernelStack(machine, task) < 0) return null;
  for (let i = 0; i < TASK_OBJECTS.length; i++) {
    if (machine.slab.alloc(machine, TASK_OBJECTS[i]!, memcg, GFP_KERNEL) === 0) continue;
    for (let j = 0; j < i; j++) machine.slab.free(machine, TASK_OBJECTS[j]!, memcg);
    freeKernelStack(machine, task);
    return null;
  }
  if (mm !== null && mm.owner === null) mm.owner = task;
  if (parent !== null) {
    task.mempolicy = parent.mempolicy;
    task.ilNext = parent.ilNext;
  }
  machine.tasks.push(task);
  return task;
}

/** The task ends: its mm, its stack, its place in the list. */
export function exitTask(machine: Machine, task: Task): void {
  const { mm } = task;
  if (mm !== null) {
    exitMm(machine, task);
    if (mm.owner === task) mm.owner = null;
    mmPut(machine, mm);
  }
  freeKernelStack(machine, task);
  for (const name of TASK_OBJECTS) machine.slab.free(machine, name, task.payer);
  machine.tasks.splice(machine.tasks.indexOf(task), 1);
}

/** A copy of `parent` for a child that is charged to `memcg`. null without memory; nothing of it is left then. */
export function dupMm(machine: Machine, parent: Mm, memcg: MemCgroup): Mm | null {
  const mm = newMm(machine, memcg, parent);
  if (mm === null) return null;
  parent.writeLocked = true;
  mm.writeLocked = true;
  const copied = dupMmap(machine, mm, parent);
  parent.writeLocked = false;
  mm.writeLocked = false;
  if (copied < 0) {
    mmPut(machine, mm);
    return null;
  }
  machine.pageTables.flushTlb();
  return mm;
}

/** 0 or -ENOMEM: what there is so far is to be given back. */
function dupMmap(machine: Machine, mm: Mm, parent: Mm): number {
  copyLayout(mm, parent);
  if (machine.ksm?.has(parent)) machine.ksm.enter(mm);
  for (let vma = parent.vmas.first(); vma !== null; vma = parent.vmas.next(vma)) {
    if (dupVma(machine, mm, vma) < 0) return -ENOMEM;
  }
  return 0;
}

function copyLayout(mm: Mm, parent: Mm): void {
  mm.mmapBase = parent.mmapBase;
  mm.mmapLegacyBase = parent.mmapLegacyBase;
  mm.getUnmappedArea = parent.getUnmappedArea;
  mm.exeFile = parent.exeFile;
  mm.taskSize = parent.taskSize;
  mm.startBrk = parent.startBrk;
  mm.brk = parent.brk;
  mm.startStack = parent.startStack;
  mm.startCode = parent.startCode;
  mm.endCode = parent.endCode;
  mm.startData = parent.startData;
  mm.endData = parent.endData;
  mm.argStart = parent.argStart;
  mm.argEnd = parent.argEnd;
  mm.envStart = parent.envStart;
  mm.envEnd = parent.envEnd;
  mm.totalVm = parent.totalVm;
  mm.sharedVm = parent.sharedVm;
  mm.dataVm = parent.dataVm;
  mm.execVm = parent.execVm;
  mm.stackVm = parent.stackVm;
  mm.rlimitStack = parent.rlimitStack;
  mm.rlimitAs = parent.rlimitAs;
  mm.rlimitData = parent.rlimitData;
  mm.rlimitMemlock = parent.rlimitMemlock;
}

function dupVma(machine: Machine, mm: Mm, old: Vma): number {
  if ((old.vmFlags & VM_DONTCOPY) !== 0) {
    vmStatAccount(mm, old.vmFlags, -old.pages, old.vmFile);
    return 0;
  }
  const accounted = (old.vmFlags & VM_ACCOUNT) !== 0 ? old.pages : 0;
  if (accounted > 0 && vmEnoughMemory(machine, mm, accounted) < 0) return -ENOMEM;
  if (machine.slab.alloc(machine, 'vm_area_struct', mm.memcg, GFP_KERNEL) < 0) {
    machine.committedPages -= accounted;
    return -ENOMEM;
  }
  const vma = new Vma(mm, old.vmStart, old.vmEnd, old.vmFlags & ~VM_LOCKED_MASK, old.vmPgoff, old.vmFile);
  vma.vmPolicy = old.vmPolicy;
  vma.swapRaVpn = old.swapRaVpn;
  vma.swapRaWin = old.swapRaWin;
  vma.swapRaHits = old.swapRaHits;
  if ((old.vmFlags & VM_WIPEONFORK) === 0 && machine.rmap.anonVmaFork(vma, old) < 0) {
    machine.slab.free(machine, 'vm_area_struct', mm.memcg);
    machine.committedPages -= accounted;
    return -ENOMEM;
  }
  const file = vma.vmFile;
  if (file !== null) {
    getFile(file);
    if ((vma.vmFlags & (VM_SHARED | VM_MAYWRITE)) === (VM_SHARED | VM_MAYWRITE)) file.mapping.iMmapWritable += 1;
    file.mapping.iMmap.insertAfter(vma, old);
  }
  mm.vmas.insert(vma);
  return (old.vmFlags & VM_WIPEONFORK) === 0 && needsCopy(machine, old) ? copyPageRange(machine, vma, old) : 0;
}

function needsCopy(machine: Machine, vma: Vma): boolean {
  if (machine.generation.switches.forkCopiesFileEntries) return true;
  return (
    vma.anonVma !== null || (vma.vmFlags & (VM_PFNMAP | VM_MIXEDMAP | VM_NONLINEAR | VM_UFFD_WP | VM_MAYBE_GUARD)) !== 0
  );
}

/** Copies the entries of `src` into `dst`. 0 or -ENOMEM. */
export function copyPageRange(machine: Machine, dst: Vma, src: Vma): number {
  const { pageTables } = machine;
  const from = src.vmMm.pageTables;
  const end = src.vmEnd;
  for (let at = pageTables.nextTable(from, src.vmStart, end); at < end; at = pageTables.nextTable(from, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    // The table first: making it may reclaim, and that may change the entries to be copied.
    if (!anyEntry(machine, src, at, tableEnd)) {
      at = tableEnd;
      continue;
    }
    if (hugeTable(machine, src, at) !== NO_SLOT) {
      if (copyHugePmd(machine, dst, src, at) < 0) return -ENOMEM;
      at = tableEnd;
      continue;
    }
    if (pageTables.slotAlloc(machine, dst.vmMm, at) === NO_SLOT) return -ENOMEM;
    for (let vpn = at; vpn < tableEnd; vpn++) {
      const slot = pageTables.slotOf(from, vpn);
      if (!pageTables.isNone(slot)) copyEntry(machine, dst, src, slot, vpn);
    }
    at = tableEnd;
  }
  return 0;
}

function anyEntry(machine: Machine, vma: Vma, start: Vpn, end: Vpn): boolean {
  const { pageTables } = machine;
  for (let vpn = start; vpn < end; vpn++) {
    if (!pageTables.isNone(pageTables.slotOf(vma.vmMm.pageTables, vpn))) return true;
  }
  return false;
}

function copyEntry(machine: Machine, dst: Vma, src: Vma, from: number, vpn: Vpn): void {
  const { pageTables, frames } = machine;
  const to = pageTables.slotOf(dst.vmMm.pageTables, vpn);
  const { rss } = dst.vmMm;
  if (pageTables.isSwap(from)) {
    const entry = pageTables.swapEntry(from);
    swapDuplicate(machine, entry);
    mmlistAdd(machine, dst.vmMm, src.vmMm);
    pageTables.clear(from, PTE_SWP_EXCLUSIVE);
    pageTables.setSwap(to, entry, false);
    rss[MM_SWAPENTS]! += 1;
    return;
  }
  if (pageTables.has(from, PTE_FILE)) {
    pageTables.setFile(to, pageTables.filePgoff(from));
    return;
  }
  if (pageTables.has(from, PTE_MARKER)) {
    pageTables.setPresent(to, 0 as Pfn, PTE_MARKER);
    return;
  }
  const pfn = pageTables.pfn(from);
  const cow = (src.vmFlags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE && (src.vmFlags & VM_MAYSHARE) === 0;
  if (!pageTables.has(from, PTE_SPECIAL)) {
    getPage(machine, pfn);
    machine.rmap.dup(pfn, dst, vpn);
    if (frames.isAnon(pfn)) {
      frames.clear(pfn, PG_anon_exclusive);
      rss[MM_ANONPAGES]! += 1;
    } else {
      rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! += 1;
    }
  }
  if (cow) pageTables.clear(from, PTE_RW);
  let bits = pageTables.bits[from]! & ~(PTE_YOUNG | PTE_TLB);
  if ((src.vmFlags & VM_SHARED) !== 0) bits &= ~PTE_DIRTY;
  pageTables.setPresent(to, pfn, bits);
}
