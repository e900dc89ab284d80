/**
 * How much an address space may map, and how much memory all of them were promised.
 *
 * Owns      Machine.committedPages; totalVm, sharedVm, execVm, stackVm and dataVm of an Mm.
 * Promises  1. A VMA with VM_ACCOUNT has its pages in committedPages, and no other VMA has.
 *           2. Each page of a VMA counts in totalVm and in at most one of execVm, stackVm, dataVm, by the VMA's flags.
 * Linux     6.18 mm/util.c: __vm_enough_memory vm_commit_limit; mm/mmap.c: may_expand_vm vm_stat_account mlock_future_ok;
 *           mm/vma.c: accountable_mapping; include/linux/mman.h: vm_unacct_memory
 */
import { ENOMEM } from './errno.ts';
import type { File } from './fs.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { OVERCOMMIT_ALWAYS, OVERCOMMIT_GUESS } from './uapi.ts';
import { PAGE_SIZE } from './units.ts';
import { VM_EXEC, VM_LOCKED, VM_NORESERVE, VM_SHARED, VM_STACK, VM_WRITE, type VmFlags } from './vm_flags.ts';

/** 128 MiB: the most that strict mode keeps free of each process, so that a user can still kill it. */
const USER_RESERVE_PAGES = (128 * 1024 * 1024) / PAGE_SIZE;

/** Commits `pages` more (fewer, if negative). 0, or -ENOMEM and nothing is committed. The caller is root. */
export function vmEnoughMemory(machine: Machine, mm: Mm, pages: number): number {
  const { enoughMemory } = machine.generation;
  if (enoughMemory !== undefined && pages > 0 && !enoughMemory(machine, pages)) return -ENOMEM;
  machine.committedPages += pages;
  if (enoughMemory !== undefined) return 0;
  const mode = machine.sysctl.overcommitMemory;
  if (mode === OVERCOMMIT_ALWAYS) return 0;
  if (mode === OVERCOMMIT_GUESS) {
    if (pages <= machine.totalPages + machine.swap.totalSwapPages) return 0;
  } else {
    // DIFFERS: the reserve's upper bound comes from all memory, in Linux from what was free at boot; strict mode may
    // refuse a few hundred pages earlier.
    const reserve = Math.min(USER_RESERVE_PAGES, Math.floor(machine.totalPages / 32));
    if (machine.committedPages < vmCommitLimit(machine) - Math.min(Math.floor(mm.totalVm / 32), reserve)) return 0;
  }
  machine.committedPages -= pages;
  return -ENOMEM;
}

/** CommitLimit of /proc/meminfo, in pages. */
export function vmCommitLimit(machine: Machine): number {
  return Math.floor((machine.totalPages * machine.sysctl.overcommitRatio) / 100) + machine.swap.totalSwapPages;
}

export function vmUnacctMemory(machine: Machine, pages: number): void {
  machine.committedPages -= pages;
}

/** A private writable mapping may need a page of its own for each of its pages. */
export function accountableMapping(vmFlags: VmFlags): boolean {
  return (vmFlags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) === VM_WRITE;
}

/** RLIMIT_AS and RLIMIT_DATA leave room for `pages` more. */
export function mayExpandVm(mm: Mm, vmFlags: VmFlags, pages: number): boolean {
  if (mm.totalVm + pages > Math.floor(mm.rlimitAs / PAGE_SIZE)) return false;
  if (!mm.dataLimitCountsMappings) return true;
  return !isDataMapping(vmFlags) || mm.dataVm + pages <= Math.floor(mm.rlimitData / PAGE_SIZE);
}

/** RLIMIT_MEMLOCK leaves room for `pages` more, should they be locked. */
export function mlockFutureOk(mm: Mm, vmFlags: VmFlags, pages: number): boolean {
  return (vmFlags & VM_LOCKED) === 0 || mm.lockedVm + pages <= Math.floor(mm.rlimitMemlock / PAGE_SIZE);
}

/** `file`: what the pages show; shared anonymous memory counts as one, too. */
export function vmStatAccount(mm: Mm, vmFlags: VmFlags, pages: number, file: File | null): void {
  mm.totalVm += pages;
  if (file !== null || (vmFlags & VM_SHARED) !== 0) mm.sharedVm += pages;
  if (isExecMapping(vmFlags)) mm.execVm += pages;
  else if ((vmFlags & VM_STACK) !== 0) mm.stackVm += pages;
  else if (isDataMapping(vmFlags)) mm.dataVm += pages;
}

function isExecMapping(vmFlags: VmFlags): boolean {
  return (vmFlags & (VM_EXEC | VM_WRITE | VM_STACK)) === VM_EXEC;
}

function isDataMapping(vmFlags: VmFlags): boolean {
  return (vmFlags & (VM_WRITE | VM_SHARED | VM_STACK)) === VM_WRITE;
}
