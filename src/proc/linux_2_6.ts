/**
 * What 2.6.24 and 2.6.26 say of an address space and of frames: maps, smaps, status, statm, pagemap, kpagecount, kpageflags.
 *
 *   pagemap (2.6.26)      63 present | 62 swapped | 60..55 page shift, 12 | 54..0 frame, or slot << 5 and area
 *   kpageflags (2.6.26)   meant:    bit n is flag n of this list       locked error referenced uptodate dirty lru active slab
 *                         printed:  see kpageFlagsFaithful              writeback reclaim buddy
 *
 * Owns      the form of these files. The numbers come from the page tables, and from Mm.
 * Promises  Only looks. 2.6.24 has no pagemap and no kpage files; whoever asks gets those of 2.6.26.
 * Linux     2.6.24, 2.6.26 fs/proc/task_mmu.c: show_map smaps_pte_range show_smap task_mem task_statm pagemap_pte_range;
 *           fs/proc/proc_misc.c: kpagecount_read kpageflags_read
 */
import type { Machine } from '../mm/machine.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, type Mm } from '../mm/mm.ts';
import {
  PG_active,
  PG_buddy,
  PG_dirty,
  PG_error,
  PG_locked,
  PG_lru,
  PG_reclaim,
  PG_referenced,
  PG_reserved,
  PG_slab,
  PG_uptodate,
  PG_writeback,
} from '../mm/page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_SPECIAL, PTE_YOUNG } from '../mm/page_table.ts';
import { addrOf, PAGE_SIZE, type Pfn, swpOffset, swpType, type Vpn, vpnOf } from '../mm/units.ts';
import { VM_EXEC, VM_GROWSDOWN, VM_WRITE } from '../mm/vm_flags.ts';
import type { Vma } from '../mm/vma.ts';
import { hex8, permsText } from './maps.ts';

/** Names start in this column (pad_len_spaces). */
const NAME_COLUMN = 73;
const DISK_DEVICE = 'fe:00';
const TMPFS_DEVICE = '00:01';
const PM_SWAP = 1n << 62n;
const PM_PRESENT = 1n << 63n;
const PM_NOT_PRESENT = 12n << 55n;
const MAX_SWAPFILES_SHIFT = 5n;
/** Shares of a page are kept in 1/4096 of a byte. */
const PSS_UNIT = 4096;

// maps

export function maps_2_6(_machine: Machine, mm: Mm): string {
  let text = '';
  for (const vma of mm.vmas) text += `${mapsLine_2_6(vma)}\n`;
  return text;
}

/** The offset of anonymous memory is shown, too: the address at which it was first mapped (until 2.6.30). */
function mapsLine_2_6(vma: Vma): string {
  const inode = vma.vmFile?.inode;
  const device = inode === undefined ? '00:00' : inode.kind === 'tmpfs' ? TMPFS_DEVICE : DISK_DEVICE;
  const range = `${hex8(addrOf(vma.vmStart))}-${hex8(addrOf(vma.vmEnd))}`;
  const head = `${range} ${permsText(vma.vmFlags)} ${hex8(vma.vmPgoff * PAGE_SIZE)} ${device} ${inode?.ino ?? 0} `;
  const name = nameOf(vma);
  return name === '' ? head : head.padEnd(NAME_COLUMN) + name;
}

function nameOf(vma: Vma): string {
  if (vma.vmFile !== null) {
    const { inode } = vma.vmFile;
    const path = inode.name.startsWith('/') ? inode.name : `/${inode.name}`;
    return (inode.nlink === 0 ? `${path} (deleted)` : path).replaceAll('\n', '\\012');
  }
  const { vmMm: mm } = vma;
  const start = addrOf(vma.vmStart);
  const end = addrOf(vma.vmEnd);
  if (start <= mm.startBrk && end >= mm.brk) return '[heap]';
  return start <= mm.startStack && end >= mm.startStack ? '[stack]' : '';
}

// smaps

/** A page counts as dirty if the entry is, whatever the page says; shared is what two entries or more map. Pss and Swap came with 2.6.25. */
export function smaps_2_6(machine: Machine, mm: Mm, withPss: boolean): string {
  let text = '';
  for (const vma of mm.vmas) {
    const stats = gather(machine, vma);
    const kib = (name: string, bytes: number): string =>
      `${`${name}:`.padEnd(16)}${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`;
    text += `${mapsLine_2_6(vma)}\n${kib('Size', vma.pages * PAGE_SIZE)}${kib('Rss', stats.resident)}`;
    if (withPss) text += kib('Pss', stats.pss / PSS_UNIT);
    text += kib('Shared_Clean', stats.sharedClean) + kib('Shared_Dirty', stats.sharedDirty);
    text += kib('Private_Clean', stats.privateClean) + kib('Private_Dirty', stats.privateDirty);
    text += kib('Referenced', stats.referenced);
    if (withPss) text += kib('Swap', stats.swap);
  }
  return text;
}

class Stats {
  resident = 0;
  pss = 0;
  sharedClean = 0;
  sharedDirty = 0;
  privateClean = 0;
  privateDirty = 0;
  referenced = 0;
  swap = 0;
}

function gather(machine: Machine, vma: Vma): Stats {
  const { pageTables, frames } = machine;
  const stats = new Stats();
  const root = vma.vmMm.pageTables;
  let at = pageTables.nextTable(root, vma.vmStart, vma.vmEnd);
  for (; at < vma.vmEnd; at = pageTables.nextTable(root, (at + 1) as Vpn, vma.vmEnd)) {
    const slot = pageTables.slotOf(root, at);
    if (pageTables.isSwap(slot)) stats.swap += PAGE_SIZE;
    if (!pageTables.isPresent(slot)) continue;
    stats.resident += PAGE_SIZE;
    if (pageTables.has(slot, PTE_SPECIAL)) continue;
    const pfn = pageTables.pfn(slot);
    if (pageTables.has(slot, PTE_YOUNG) || frames.has(pfn, PG_referenced)) stats.referenced += PAGE_SIZE;
    const mapcount = frames.mapcount(pfn);
    const dirty = pageTables.has(slot, PTE_DIRTY);
    stats.pss += Math.floor((PAGE_SIZE * PSS_UNIT) / mapcount);
    if (mapcount >= 2) {
      if (dirty) stats.sharedDirty += PAGE_SIZE;
      else stats.sharedClean += PAGE_SIZE;
    } else if (dirty) stats.privateDirty += PAGE_SIZE;
    else stats.privateClean += PAGE_SIZE;
  }
  return stats;
}

// status and statm

/** Pages of code, from the page of its first byte to that of its last. */
function textPages(mm: Mm): number {
  return Math.ceil(mm.endCode / PAGE_SIZE) - vpnOf(mm.startCode);
}

/** Pages by kind, as 2.6 counts them: what maps a file is shared, writable or not, and its code is executable. */
function vmPages(mm: Mm): { shared: number; exec: number; stack: number } {
  const pages = { shared: 0, exec: 0, stack: 0 };
  for (const vma of mm.vmas) {
    if (vma.vmFile !== null) {
      pages.shared += vma.pages;
      if ((vma.vmFlags & (VM_EXEC | VM_WRITE)) === VM_EXEC) pages.exec += vma.pages;
    } else if ((vma.vmFlags & VM_GROWSDOWN) !== 0) pages.stack += vma.pages;
  }
  return pages;
}

/** The Vm lines of /proc/PID/status, in kB. */
export function vmLines_2_6(mm: Mm): [name: string, kib: number][] {
  const { shared, exec, stack } = vmPages(mm);
  const kib = (pages: number): number => pages * 4;
  const text = kib(textPages(mm));
  return [
    ['VmPeak', kib(Math.max(mm.hiwaterVm, mm.totalVm))],
    ['VmSize', kib(mm.totalVm)],
    ['VmLck', kib(mm.lockedVm)],
    ['VmHWM', kib(Math.max(mm.hiwaterRss, mm.rssPages))],
    ['VmRSS', kib(mm.rssPages)],
    ['VmData', kib(mm.totalVm - shared - stack)],
    ['VmStk', kib(stack)],
    ['VmExe', text],
    ['VmLib', kib(exec) - text],
    ['VmPTE', kib(mm.nrPtes)],
  ];
}

export function status_2_6(mm: Mm): string {
  return vmLines_2_6(mm)
    .map(([name, value]) => `${name}:\t${String(value).padStart(8)} kB\n`)
    .join('');
}

/** size, resident, shared, text, lib, data, dirty; in pages. */
export function statm_2_6(mm: Mm): string {
  const file = mm.rss[MM_FILEPAGES]! + mm.rss[MM_SHMEMPAGES]!;
  const { shared } = vmPages(mm);
  const resident = file + mm.rss[MM_ANONPAGES]!;
  return `${mm.totalVm} ${resident} ${file} ${textPages(mm)} 0 ${mm.totalVm - shared} 0\n`;
}

// pagemap

/** What is not there has its page shift all the same. A page that a nonlinear entry waits for is not there. */
export function pagemapEntry_2_6(machine: Machine, mm: Mm, vpn: Vpn): bigint {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(mm.pageTables, vpn);
  if (slot === NO_SLOT) return PM_NOT_PRESENT;
  if (pageTables.isPresent(slot)) return PM_PRESENT | PM_NOT_PRESENT | BigInt(pageTables.pfn(slot));
  if (!pageTables.isSwap(slot)) return PM_NOT_PRESENT;
  const entry = pageTables.swapEntry(slot);
  return PM_SWAP | PM_NOT_PRESENT | (BigInt(swpOffset(entry)) << MAX_SWAPFILES_SHIFT) | BigInt(swpType(entry));
}

// frames

/** KPF_ bits of that time, from 0: what user space is meant to see. */
const KPF_26: readonly number[] = [
  PG_locked,
  PG_error,
  PG_referenced,
  PG_uptodate,
  PG_dirty,
  PG_lru,
  PG_active,
  PG_slab,
  PG_writeback,
  PG_reclaim,
  PG_buddy,
];
/** The same bits in the kernel's own word, of which the first eight agree. */
const KPF_SAME = 7;
/** Where writeback, reclaim and buddy stand in the kernel's word, and what stands at 8, 9 and 10 there. */
const K26_WRITEBACK = 12;
const K26_RECLAIM = 16;
const K26_BUDDY = 17;

/** kpagecount: entries that map the frame. */
export function kpageCount_2_6(machine: Machine, pfn: Pfn): number {
  return machine.frames.mapcount(pfn);
}

/** As it was meant. */
export function kpageFlagsIntended(machine: Machine, pfn: Pfn): number {
  let word = 0;
  for (let bit = 0; bit < KPF_26.length; bit++) if (machine.frames.has(pfn, KPF_26[bit]!)) word |= 1 << bit;
  return word;
}

/**
 * As 2.6.26 prints it: the macro that copies a bit gets its arguments in the wrong order. LOCKED is always 0, and bits above 7
 * are those of the kernel's word that happen to have the exported numbers, at the kernel's own numbers: owner_priv_1 at that of
 * writeback, arch_1 at that of reclaim, reserved at that of buddy.
 */
export function kpageFlagsFaithful(machine: Machine, pfn: Pfn): number {
  const { frames } = machine;
  let word = 0;
  for (let bit = 1; bit <= KPF_SAME; bit++) if (frames.has(pfn, KPF_26[bit]!)) word |= 1 << bit;
  // Nobody here sets owner_priv_1 (a file system's mark) or arch_1.
  const ownerPriv1 = 0;
  const arch1 = 0;
  const reserved = frames.has(pfn, PG_reserved) ? 1 : 0;
  return word | (ownerPriv1 << K26_WRITEBACK) | (arch1 << K26_RECLAIM) | (reserved << K26_BUDDY);
}
