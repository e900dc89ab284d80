/**
 * /proc/PID/pagemap: which frame or swap slot stands behind each page of an address space.
 *
 *   63 present | 62 swapped | 61 file or shared | 58 guard | 57 uffd-wp | 56 mapped once | 55 soft-dirty | 54..0 frame
 *   a swapped page has its area's number in bits 4..0 and its slot in bits 54..5
 *
 * Linux     6.18 fs/proc/task_mmu.c: pagemap_pmd_range pte_to_pagemap_entry pagemap_pte_hole
 */
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import { compoundHead } from '../mm/page_alloc.ts';
import { NO_SLOT, PTE_FILE, PTE_MARKER, PTE_SPECIAL } from '../mm/page_table.ts';
import { swpOffset, swpType, type Vpn } from '../mm/units.ts';
import { procFormat } from './formats.ts';

export const PM_MMAP_EXCLUSIVE: bigint = 1n << 56n;
export const PM_GUARD_REGION: bigint = 1n << 58n;
export const PM_FILE: bigint = 1n << 61n;
export const PM_SWAP: bigint = 1n << 62n;
export const PM_PRESENT: bigint = 1n << 63n;
const MAX_SWAPFILES_SHIFT = 5n;
/** A guard marker is a swap entry of a type that no area has (SWP_PTE_MARKER), with the bit for "poisoned on touch, guard". */
const SWP_PTE_MARKER = 31n;
const PTE_MARKER_GUARD = 1n << 2n;

/** The 8-byte entries of `pages` pages from `start`, as the file holds them from offset start * 8. */
export function pagemap(machine: Machine, mm: Mm, start: Vpn, pages: number): BigUint64Array {
  const entries = new BigUint64Array(pages);
  const { own } = procFormat(machine);
  if (own?.pagemapEntry !== undefined) {
    for (let i = 0; i < pages; i++) entries[i] = own.pagemapEntry(machine, mm, (start + i) as Vpn);
    return entries;
  }
  const end = (start + pages) as Vpn;
  const { pageTables } = machine;
  let at = pageTables.nextTable(mm.pageTables, start, end);
  while (at < end) {
    entries[at - start] = pagemapEntry(machine, mm, at);
    at = pageTables.nextTable(mm.pageTables, (at + 1) as Vpn, end);
  }
  return entries;
}

/** One entry as newer kernels have it; the file itself may have other bits (procFormat). */
export function pagemapEntry(machine: Machine, mm: Mm, vpn: Vpn): bigint {
  const { frames, pageTables } = machine;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  if (slot === NO_SLOT || pageTables.isNone(slot)) return 0n;
  if (pageTables.isPresent(slot)) {
    const pfn = pageTables.pfn(slot);
    const entry = PM_PRESENT | BigInt(pfn);
    const huge = pageTables.isHuge(slot);
    // The huge zero page is a page of its own, and not anonymous.
    if (pageTables.has(slot, PTE_SPECIAL)) return huge ? entry | PM_FILE : entry;
    // For a mapping of 2 MiB the kernel asks its first page, whichever is looked at.
    const asked = huge ? compoundHead(machine, pfn) : pfn;
    return entry | (frames.isAnon(pfn) ? 0n : PM_FILE) | (frames.mapcount(asked) === 1 ? PM_MMAP_EXCLUSIVE : 0n);
  }
  if (pageTables.has(slot, PTE_FILE)) return 0n;
  if (pageTables.has(slot, PTE_MARKER)) {
    const guard = procFormat(machine).guardBit ? PM_GUARD_REGION : 0n;
    return PM_SWAP | guard | (PTE_MARKER_GUARD << MAX_SWAPFILES_SHIFT) | SWP_PTE_MARKER;
  }
  const entry = pageTables.swapEntry(slot);
  return PM_SWAP | (BigInt(swpOffset(entry)) << MAX_SWAPFILES_SHIFT) | BigInt(swpType(entry));
}
