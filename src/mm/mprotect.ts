/**
 * Changing what a mapping allows: its flags, and the entries that are there already.
 *
 * Promises  1. An entry never allows more than its VMA. What it allows less, a fault finds out.
 *           2. Young and dirty bits survive; so do swap entries and guard markers, which allow nothing anyway.
 *           3. VMAs before the first that refuses are changed and stay so.
 * Linux     6.18 mm/mprotect.c: do_mprotect_pkey mprotect_fixup change_pte_range can_change_pte_writable; mm/mmap.c: vma_set_page_prot
 *
 *   VMA now          entry of a present page
 *   no access        PROTNONE: the page stays mapped, the CPU faults
 *   private, W       read-only (copy-on-write), but writable at once if the page is exclusive
 *   shared, W        writable; if the file system must see the first store, only what is dirty already
 *   not W            read-only
 */
import { EACCES, EINVAL, ENOMEM } from './errno.ts';
import { changeHugePmd, wholeHuge } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { populateVma, protVmFlags } from './mmap.ts';
import { PG_anon_exclusive } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_RW, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM, PROT_WRITE } from './uapi.ts';
import { PAGE_SIZE, pagesOf, type Vpn, vpnOf } from './units.ts';
import { mayExpandVm, vmEnoughMemory, vmStatAccount, vmUnacctMemory } from './vm_account.ts';
import {
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_GROWSDOWN,
  VM_HUGETLB,
  VM_LOCKED,
  VM_NORESERVE,
  VM_SHARED,
  VM_STICKY,
  VM_WRITE,
  type VmFlags,
} from './vm_flags.ts';
import { vmGetPageProt } from './vm_ops.ts';
import type { Vma } from './vma.ts';
import { vmaModifyFlags } from './vma_merge.ts';

const ADDRESS_END = 2 ** 64;

/** mprotect(2). */
export function doMprotect(machine: Machine, mm: Mm, addr: number, length: number, prot: number): number {
  const grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
  const wanted = prot & ~(PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  if (length === 0) return 0;
  const end = (vpnOf(addr) + pagesOf(length)) as Vpn;
  if (end * PAGE_SIZE >= ADDRESS_END) return -ENOMEM;
  if ((wanted & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) !== 0) return -EINVAL;

  let start = vpnOf(addr);
  const first = mm.vmas.find(start);
  if (first === null) return -ENOMEM;
  if (grows === PROT_GROWSDOWN) {
    if (first.vmStart >= end) return -ENOMEM;
    start = first.vmStart;
    if ((first.vmFlags & VM_GROWSDOWN) === 0) return -EINVAL;
  } else {
    if (first.vmStart > start) return -ENOMEM;
    // x86 has no stacks that grow upwards.
    if (grows === PROT_GROWSUP) return -EINVAL;
  }
  return protectRange(machine, first, start, end, protVmFlags(wanted));
}

function protectRange(machine: Machine, first: Vma, start: Vpn, end: Vpn, access: VmFlags): number {
  const { vmas } = first.vmMm;
  let vma = first;
  let prev = start > vma.vmStart ? vma : vmas.prev(vma);
  let at = start;
  for (;;) {
    const newFlags = access | (vma.vmFlags & ~VM_ACCESS_FLAGS);
    // The VM_MAY bits stand four places above what they permit.
    if ((newFlags & ~(newFlags >>> 4) & VM_ACCESS_FLAGS) !== 0) return -EACCES;
    const changed = mprotectFixup(machine, prev, vma, at, Math.min(end, vma.vmEnd) as Vpn, newFlags);
    if (typeof changed === 'number') return changed;
    prev = changed;
    at = changed.vmEnd;
    if (at >= end) return 0;
    const next = vmas.next(changed);
    if (next === null || next.vmStart !== at) return -ENOMEM;
    vma = next;
  }
}

/** One VMA's part of the range. Returns the VMA that covers it then, or -errno. */
function mprotectFixup(
  machine: Machine,
  prev: Vma | null,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  wanted: VmFlags,
): Vma | number {
  const mm = vma.vmMm;
  const oldFlags = vma.vmFlags;
  const pages = end - start;
  let newFlags = wanted;
  let charged = 0;
  if (newFlags === oldFlags) return vma;
  if ((newFlags & VM_WRITE) !== 0) {
    if (!mayExpandVm(mm, newFlags, pages) && mayExpandVm(mm, oldFlags, pages)) return -ENOMEM;
    if ((oldFlags & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE)) === 0) {
      if (vmEnoughMemory(machine, mm, pages) < 0) return -ENOMEM;
      charged = pages;
      newFlags |= VM_ACCOUNT;
    }
  } else if (machine.generation.switches.mprotectDropsAccount && vma.vmFile === null && vma.anonVma === null) {
    // Nothing was ever written here, and nothing can be now.
    newFlags &= ~VM_ACCOUNT;
  }
  const changed = vmaModifyFlags(machine, prev, vma, start, end, newFlags);
  if (typeof changed === 'number') {
    vmUnacctMemory(machine, charged);
    return changed;
  }
  changed.vmFlags = newFlags | (changed.vmFlags & VM_STICKY);
  changeProtection(machine, changed, start, end);
  if ((oldFlags & VM_ACCOUNT) !== 0 && (newFlags & VM_ACCOUNT) === 0) vmUnacctMemory(machine, pages);
  // Locked memory must not fault later: copy-on-write happens now.
  if ((oldFlags & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && (newFlags & VM_WRITE) !== 0) {
    populateVma(machine, changed, start, end, false);
  }
  vmStatAccount(mm, oldFlags, -pages, changed.vmFile);
  vmStatAccount(mm, newFlags, pages, changed.vmFile);
  return changed;
}

/** Makes the entries of [start, end) agree with the VMA's flags. */
function changeProtection(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  const base = machine.generation.switches.writeNotify ? vma.vmPageProt : vmGetPageProt(vma.vmFlags);
  let first = end;
  let last = start;
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    const huge = wholeHuge(machine, vma, at, end);
    if (huge !== NO_SLOT) {
      changeHugePmd(machine, vma, huge, base);
      at = tableEnd;
      continue;
    }
    for (let slot = pageTables.slotOf(root, at); at < tableEnd; at++, slot++) {
      if (!pageTables.isPresent(slot)) continue;
      first = Math.min(first, at) as Vpn;
      last = at;
      let bits = base | (pageTables.bits[slot]! & (PTE_YOUNG | PTE_DIRTY | PTE_SPECIAL));
      if (canChangeWritable(machine, vma, slot, bits)) bits |= PTE_RW;
      pageTables.setPresent(slot, pageTables.pfn(slot), bits);
    }
  }
  pageTables.flushTlbRange(first, last);
}

/** A store here would fault, and the fault would do nothing but make the entry writable. */
function canChangeWritable(machine: Machine, vma: Vma, slot: number, bits: number): boolean {
  if ((vma.vmFlags & VM_WRITE) === 0) return false;
  const dirty = (bits & PTE_DIRTY) !== 0;
  if ((vma.vmFlags & VM_SHARED) !== 0) return dirty;
  if ((bits & PTE_SPECIAL) !== 0) return false;
  if (!dirty && !machine.generation.switches.mprotectWritableIfClean) return false;
  const pfn = machine.pageTables.pfn(slot);
  return machine.frames.isAnon(pfn) && machine.frames.has(pfn, PG_anon_exclusive);
}
