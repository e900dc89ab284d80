/**
 * Where an address space begins and ends, when nothing is random (ADDR_NO_RANDOMIZE).
 *
 * Linux     6.18 arch/x86/mm/mmap.c: mmap_base; arch/x86/include/asm/elf.h: ELF_ET_DYN_BASE
 */
import type { Machine } from '../mm/machine.ts';
import { type Mm, TASK_SIZE } from '../mm/mm.ts';
import { PAGE_SIZE, type Vaddr } from '../mm/units.ts';
import { topdownBase } from '../mm/unmapped_area.ts';

/** Where a position-independent program goes: two thirds up. */
export const ELF_ET_DYN_BASE: number = pageStart(Math.floor(TASK_SIZE / 3) * 2);

/** mmap goes down from here. */
export function mmapBase(machine: Machine, mm: Mm): Vaddr {
  const { pickMmapLayout } = machine.generation;
  if (pickMmapLayout !== undefined) return pickMmapLayout(mm);
  return topdownBase(mm, machine.sysctl.stackGuardGap * PAGE_SIZE);
}

export function pageStart(addr: number): number {
  return addr - (addr % PAGE_SIZE);
}

export function pageAlign(addr: number): number {
  return Math.ceil(addr / PAGE_SIZE) * PAGE_SIZE;
}
