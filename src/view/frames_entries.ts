/**
 * Page tables read once, by frame: who maps it, and what the entries know of it.
 *
 * Owns      the columns. Two bytes a frame for who, one for the entries' bits.
 * Promises  Only looks. An entry of the zero page stands for no frame and is passed over.
 */
import { isMapped } from '../host/snapshot.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import { PTE_ANY_PRESENT, PTE_DIRTY, PTE_SPECIAL, PTE_YOUNG, PTRS_PER_TABLE } from '../mm/page_table.ts';
import type { Vpn } from '../mm/units.ts';
import { VM_LOCKED } from '../mm/vm_flags.ts';
import type { HostSubject, MachineSubject } from './subject.ts';

/** In `owner`: nobody maps it, or address spaces of several processes do. Else the place in `processes` and one more. */
export const NOBODY = 0;
export const SHARED = 0xffff;

/** In `bits`. */
export const ENTRY_IS_YOUNG = 1;
export const ENTRY_IS_DIRTY = 2;
export const ENTRY_IS_LOCKED = 4;

export interface Owner {
  /** Null: an address space that no living process has. */
  readonly pid: number | null;
  readonly comm: string;
}

export interface EntryColumns {
  readonly processes: readonly Owner[];
  readonly owner: Uint16Array;
  /** Of all entries that map the frame together. Of a host: 0. */
  readonly bits: Uint8Array;
}

const LEFT: Owner = { pid: null, comm: 'no living process' };

export function entriesOfMachine({ machine, living }: MachineSubject): EntryColumns {
  const { frames } = machine.frames;
  const owner = new Uint16Array(frames);
  const bits = new Uint8Array(frames);
  const processes: Owner[] = [];
  const known = new Map<number, number>();
  // Of processes that share an address space, the first has it.
  for (const { pid, comm, mm } of living) {
    if (known.has(mm.id) || processes.length >= SHARED - 2) continue;
    known.set(mm.id, processes.push({ pid, comm }));
  }
  for (const mm of machine.mms) {
    let id = known.get(mm.id);
    if (id === undefined) known.set(mm.id, (id = processes.push(LEFT)));
    eachEntry(machine, mm, (pfn, entry, locked) => {
      const before = owner[pfn]!;
      if (before !== id) owner[pfn] = before === NOBODY ? id! : SHARED;
      bits[pfn]! |=
        (locked ? ENTRY_IS_LOCKED : 0) |
        ((entry & PTE_YOUNG) !== 0 ? ENTRY_IS_YOUNG : 0) |
        ((entry & PTE_DIRTY) !== 0 ? ENTRY_IS_DIRTY : 0);
    });
  }
  return { processes, owner, bits };
}

/** 1 for each frame that the address space maps. */
export function mappedBy(machine: Machine, mm: Mm): Uint8Array {
  const mask = new Uint8Array(machine.frames.frames);
  eachEntry(machine, mm, (pfn) => {
    mask[pfn] = 1;
  });
  return mask;
}

function eachEntry(machine: Machine, mm: Mm, visit: (pfn: number, entry: number, locked: boolean) => void): void {
  const { pageTables } = machine;
  const root = mm.pageTables;
  for (const vma of mm.vmas) {
    const locked = (vma.vmFlags & VM_LOCKED) !== 0;
    let at = pageTables.nextTable(root, vma.vmStart, vma.vmEnd);
    while (at < vma.vmEnd) {
      const first = pageTables.slotOf(root, at);
      const count = Math.min(vma.vmEnd - at, PTRS_PER_TABLE - (at % PTRS_PER_TABLE));
      for (let slot = first; slot < first + count; slot++) {
        const entry = pageTables.bits[slot]!;
        if ((entry & PTE_ANY_PRESENT) !== 0 && (entry & PTE_SPECIAL) === 0)
          visit(pageTables.value[slot]!, entry, locked);
      }
      at = pageTables.nextTable(root, (at + count) as Vpn, vma.vmEnd);
    }
  }
}

/** The same of a process of a host; null: there is none with that number, or it has no entries of its own, or no frames were read. */
export function mappedByHost({ snapshot }: HostSubject, pid: number): Uint8Array | null {
  const { vmas, entries, processes } = snapshot;
  const process = processes.find((one) => one.pid === pid);
  if (process === undefined || snapshot.frames === null) return null;
  const mask = new Uint8Array(snapshot.frames.count);
  for (let row = vmas.firstEntry[process.firstVma] ?? 0; row < (vmas.firstEntry[process.endVma] ?? 0); row++) {
    if (isMapped(entries.bits[row]!) && entries.value[row]! < mask.length) mask[entries.value[row]!] = 1;
  }
  return mask;
}

export function entriesOfHost({ snapshot }: HostSubject): EntryColumns {
  const { vmas, entries } = snapshot;
  const frames = snapshot.frames?.count ?? 0;
  const owner = new Uint16Array(frames);
  const processes: Owner[] = [];
  for (const { pid, comm, firstVma, endVma } of snapshot.processes) {
    const end = vmas.firstEntry[endVma] ?? 0;
    const start = vmas.firstEntry[firstVma] ?? 0;
    if (start === end || processes.length >= SHARED - 2) continue;
    const id = processes.push({ pid, comm });
    for (let row = start; row < end; row++) {
      const pfn = entries.value[row]!;
      if (!isMapped(entries.bits[row]!) || pfn >= frames) continue;
      const before = owner[pfn]!;
      if (before !== id) owner[pfn] = before === NOBODY ? id : SHARED;
    }
  }
  return { processes, owner, bits: new Uint8Array(frames) };
}
