/**
 * Stacks of 3.16: how they grow, and the page at their lower end that keeps them from what lies below.
 *
 * Owns      the growth of a VM_GROWSDOWN VMA, and the rule for its guard page.
 * Promises  1. The guard is the lowest page of the stack's own VMA: a fault on it makes the stack grow first, or fails.
 *           2. What a program is shown of a stack begins above the guard.
 * Linux     3.16 mm/mmap.c: expand_stack expand_downwards acct_stack_growth; include/linux/mm.h: stack_guard_page_start
 *           vma_growsdown; fs/proc/task_mmu.c: show_map_vma
 * After     4.12: a gap of 256 pages outside of the VMA
 *
 *     shown   0x7ffc1000-0x7ffd0000          fault at 0x7ffc0000: the VMA grows to 0x7ffbf000, 0x7ffc0000 is a page like any other
 *     VMA  0x7ffc0000-0x7ffd0000             (mapping that ends at 0x7ffc0000: SIGBUS)
 *
 * DIFFERS: a program's stack pointer is not known, so an access far below it (more than 64 KiB) is not told from one near it.
 */
import { EFAULT, ENOMEM, EPERM } from './errno.ts';
import type { Machine } from './machine.ts';
import { MMAP_MIN_ADDR } from './mm.ts';
import { PAGE_SIZE, type Pgoff, type Vpn } from './units.ts';
import { mayExpandVm, mlockFutureOk, vmEnoughMemory, vmStatAccount } from './vm_account.ts';
import { VM_GROWSDOWN, VM_LOCKED } from './vm_flags.ts';
import type { Vma } from './vma.ts';

/** The stack begins at `vpn` from now on. 0 or -errno. */
export function expandDownwards(machine: Machine, vma: Vma, vpn: Vpn): number {
  if ((vma.vmFlags & VM_GROWSDOWN) === 0) return -EFAULT;
  if (machine.rmap.anonVmaPrepare(vma) < 0) return -ENOMEM;
  if (vpn * PAGE_SIZE < MMAP_MIN_ADDR) return -EPERM;
  return vpn >= vma.vmStart ? 0 : growDown(machine, vma, vpn);
}

/** Within what limits and memory allow, the VMA begins at `vpn` from now on (acct_stack_growth). 0 or -ENOMEM. */
export function growDown(machine: Machine, vma: Vma, vpn: Vpn): number {
  const { vmMm: mm } = vma;
  const grow = vma.vmStart - vpn;
  if (grow > vma.vmPgoff) return -ENOMEM;
  if (!mayExpandVm(mm, vma.vmFlags, grow)) return -ENOMEM;
  if ((vma.vmEnd - vpn) * PAGE_SIZE > mm.rlimitStack) return -ENOMEM;
  if (!mlockFutureOk(mm, vma.vmFlags, grow)) return -ENOMEM;
  // The whole growth is committed, though only a writable stack's VM_ACCOUNT gives it back.
  if (vmEnoughMemory(machine, mm, grow) < 0) return -ENOMEM;
  if ((vma.vmFlags & VM_LOCKED) !== 0) mm.lockedVm += grow;
  vmStatAccount(mm, vma.vmFlags, grow, vma.vmFile);
  machine.rmap.vmaBeforeUpdate(vma);
  vma.vmStart = vpn;
  vma.vmPgoff = (vma.vmPgoff - grow) as Pgoff;
  mm.vmas.boundsChanged(vma);
  machine.rmap.vmaAfterUpdate(vma);
  return 0;
}

/** A fault below the stack at `vpn`: it grows to there, unless a mapping that is no stack ends right there. */
export function expandStack_3(machine: Machine, vma: Vma, vpn: Vpn): number {
  const prev = vma.vmMm.vmas.prev(vma);
  if (prev !== null && prev.vmEnd === vpn && (prev.vmFlags & VM_GROWSDOWN) === 0) return -ENOMEM;
  return expandDownwards(machine, vma, vpn);
}

/** Where the VMA begins as /proc/PID/maps shows it. */
export function shownStart(vma: Vma): Vpn {
  if ((vma.vmFlags & VM_GROWSDOWN) === 0) return vma.vmStart;
  const prev = vma.vmMm.vmas.prev(vma);
  const continues = prev !== null && prev.vmEnd === vma.vmStart && (prev.vmFlags & VM_GROWSDOWN) !== 0;
  return (continues ? vma.vmStart : vma.vmStart + 1) as Vpn;
}
