/**
 * What a generator sees of a program under way: areas, pages, gaps.
 *
 * Promises  Looking changes nothing: no fault, no flag.
 */
import type { Machine } from '../../mm/machine.ts';
import type { Mm } from '../../mm/mm.ts';
import { NO_SLOT, PTE_MARKER, PTE_SPECIAL } from '../../mm/page_table.ts';
import { addrOf, pagesOf, type Vpn, vpnOf } from '../../mm/units.ts';
import { VM_ACCESS_FLAGS, VM_GROWSDOWN, VM_LOCKED, VM_WRITE } from '../../mm/vm_flags.ts';
import { linearPageIndex, type Vma } from '../../mm/vma.ts';
import { ARENA_END, ARENA_START } from '../check/snapshot.ts';

/** What stands in the page table. */
export type PageKind = 'none' | 'zero' | 'marker' | 'swapped' | 'shared' | 'present';

/** Pages [start, start + pages) of a process. */
export interface Range {
  readonly start: Vpn;
  readonly pages: number;
}

export function areasOf(mm: Mm): Vma[] {
  const found: Vma[] = [];
  const end = vpnOf(ARENA_END);
  for (let vma = mm.vmas.find(vpnOf(ARENA_START)); vma !== null && vma.vmStart < end; vma = mm.vmas.next(vma)) {
    found.push(vma);
  }
  return found;
}

export function pageKind(machine: Machine, mm: Mm, vpn: Vpn): PageKind {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  if (slot === NO_SLOT || pageTables.isNone(slot)) return 'none';
  if (pageTables.has(slot, PTE_MARKER)) return 'marker';
  if (pageTables.isSwap(slot)) return 'swapped';
  if (pageTables.has(slot, PTE_SPECIAL)) return 'zero';
  return machine.frames.mapcount(pageTables.pfn(slot)) > 1 ? 'shared' : 'present';
}

/** An access would end well. */
export function isUsable(machine: Machine, mm: Mm, vpn: Vpn, write: boolean): boolean {
  const vma = mm.vmas.findExact(vpn);
  if (vma === null || !isPermitted(vma, write) || isBeyondEnd(vma, vpn)) return false;
  return pageKind(machine, mm, vpn) !== 'marker';
}

export function isPermitted(vma: Vma, write: boolean): boolean {
  return (vma.vmFlags & (write ? VM_WRITE : VM_ACCESS_FLAGS)) !== 0;
}

/** A page of a file mapping behind the end of the file. */
export function isBeyondEnd(vma: Vma, vpn: Vpn): boolean {
  return vma.vmFile !== null && linearPageIndex(vma, vpn) >= pagesOf(vma.vmFile.inode.size);
}

/** How many pages from `vpn` on can be accessed, up to `most`. */
export function usablePages(machine: Machine, mm: Mm, vpn: Vpn, most: number, write: boolean): number {
  let pages = 0;
  while (pages < most && isUsable(machine, mm, (vpn + pages) as Vpn, write)) pages += 1;
  return pages;
}

/** How many pages from `vpn` on are mapped without a hole, up to `most`. */
export function mappedPages(mm: Mm, vpn: Vpn, most: number, wanted: (vma: Vma) => boolean): number {
  let at = vpn;
  while (at < vpn + most) {
    const vma = mm.vmas.findExact(at);
    if (vma === null || !wanted(vma)) break;
    at = vma.vmEnd;
  }
  return Math.min(at - vpn, most);
}

/** Free pages from `vpn` up, up to `most`; the guard gap below a stack is not free. */
export function freePages(machine: Machine, mm: Mm, vpn: Vpn, most: number): number {
  const next = mm.vmas.find(vpn);
  if (next === null) return most;
  const gap = (next.vmFlags & VM_GROWSDOWN) !== 0 ? machine.sysctl.stackGuardGap : 0;
  return Math.max(0, Math.min(most, next.vmStart - gap - vpn));
}

export function isLocked(vma: Vma): boolean {
  return (vma.vmFlags & VM_LOCKED) !== 0;
}

export function hexOf(vpn: Vpn): string {
  return addrText(addrOf(vpn));
}

export function addrText(addr: number): string {
  return `0x${addr.toString(16)}`;
}
