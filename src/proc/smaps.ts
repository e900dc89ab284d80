/**
 * /proc/PID/smaps and smaps_rollup: what each region costs.
 *
 * Owns      the numbers, gathered once from the page tables, and their text.
 * Promises  Only looks: a gathered region is as young, and its pages are as referenced, as before.
 * Linux     6.18 fs/proc/task_mmu.c: smaps_pte_entry smaps_account smaps_page_accumulate smap_gather_stats __show_smap;
 *           mm/shmem.c: shmem_swap_usage shmem_partial_swap_usage
 */
import type { AddressSpace } from '../mm/fs.ts';
import { hugeTable } from '../mm/huge_memory.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import { compoundHead } from '../mm/page_alloc.ts';
import { PG_dirty, PG_referenced, PG_swapbacked, PG_young } from '../mm/page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_PROTNONE, PTE_SPECIAL, PTE_YOUNG } from '../mm/page_table.ts';
import { shmemPartialSwapUsage } from '../mm/shmem.ts';
import { swpSwapcount } from '../mm/swap/swapfile.ts';
import { addrOf, PAGE_SIZE, type Pfn, type Vpn } from '../mm/units.ts';
import {
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_DROPPABLE,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MAYBE_GUARD,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MERGEABLE,
  VM_MIXEDMAP,
  VM_NOHUGEPAGE,
  VM_NONLINEAR,
  VM_NORESERVE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_SYNC,
  VM_UFFD_WP,
  VM_WIPEONFORK,
  VM_WRITE,
} from '../mm/vm_flags.ts';
import { linearPageIndex, type Vma } from '../mm/vma.ts';
import { procFormat } from './formats.ts';
import { hex8, mapsLine } from './maps.ts';

/** Shares of a page are kept in 1/4096 of a byte (PSS_SHIFT 12). */
const PSS_UNIT = 4096;
const HUGE_PAGES = 512;

/** What smaps adds up, in bytes; everything `pss` in bytes * 4096. */
export class SmapsStats {
  resident = 0;
  pss = 0;
  pssDirty = 0;
  pssAnon = 0;
  pssFile = 0;
  pssShmem = 0;
  pssLocked = 0;
  sharedClean = 0;
  sharedDirty = 0;
  privateClean = 0;
  privateDirty = 0;
  referenced = 0;
  anonymous = 0;
  lazyfree = 0;
  anonymousThp = 0;
  swap = 0;
  swapPss = 0;
}

/** A line of smaps: its name, and how many KiB. */
export type SmapsField = readonly [name: string, kib: number];

/** One region; adds to `stats` if given. */
export function gatherSmaps(machine: Machine, vma: Vma, stats: SmapsStats = new SmapsStats()): SmapsStats {
  const shmem = vma.vmFile?.inode.kind === 'tmpfs' && procFormat(machine).smapsShmemSwap;
  const mapping = shmem ? vma.vmFile!.mapping : null;
  let holes: AddressSpace | null = null;
  if (mapping !== null) {
    // What is swapped out of the object counts for its region as a whole, unless private copies could hide it.
    const swapped = shmemSwapUsage(mapping, vma);
    if (swapped === 0 || (vma.vmFlags & VM_SHARED) !== 0 || (vma.vmFlags & VM_WRITE) === 0) stats.swap += swapped;
    else holes = mapping;
  }
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  let at = vma.vmStart;
  while (at < vma.vmEnd) {
    const next = pageTables.nextTable(root, at, vma.vmEnd);
    const first = linearPageIndex(vma, at);
    if (holes !== null && next > at) stats.swap += shmemPartialSwapUsage(holes, first, first + next - at) * PAGE_SIZE;
    const end = Math.min(vma.vmEnd, (Math.floor(next / 512) + 1) * 512);
    const huge = next < end ? hugeTable(machine, vma, next) : NO_SLOT;
    if (huge !== NO_SLOT) {
      gatherHuge(machine, vma, huge, stats);
      at = end as Vpn;
      continue;
    }
    for (at = next; at < end; at = (at + 1) as Vpn) gatherEntry(machine, vma, at, holes, stats);
  }
  return stats;
}

function gatherEntry(machine: Machine, vma: Vma, vpn: Vpn, holes: AddressSpace | null, stats: SmapsStats): void {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  if (slot === NO_SLOT || pageTables.isNone(slot)) {
    const index = linearPageIndex(vma, vpn);
    if (holes !== null) stats.swap += shmemPartialSwapUsage(holes, index, index + 1) * PAGE_SIZE;
  } else if (pageTables.isPresent(slot)) {
    if (pageTables.has(slot, PTE_SPECIAL)) return;
    gatherPage(machine, vma, pageTables.bits[slot]!, pageTables.pfn(slot), stats);
  } else if (pageTables.isSwap(slot)) {
    stats.swap += PAGE_SIZE;
    stats.swapPss += share(swpSwapcount(machine, pageTables.swapEntry(slot)));
  }
}

/** A mapping of 2 MiB is young or dirty as a whole. */
function gatherHuge(machine: Machine, vma: Vma, first: number, stats: SmapsStats): void {
  const { pageTables } = machine;
  if (pageTables.has(first, PTE_SPECIAL)) return;
  const bits = pageTables.tableBits(first);
  // SINCE 6.6: before, one that nobody may touch was not seen at all.
  if ((bits & PTE_PROTNONE) !== 0 && !machine.generation.switches.hugeFolios) return;
  const head = pageTables.pfn(first);
  stats.anonymousThp += HUGE_PAGES * PAGE_SIZE;
  for (let i = 0; i < HUGE_PAGES; i++) gatherPage(machine, vma, bits, (head + i) as Pfn, stats);
}

function gatherPage(machine: Machine, vma: Vma, bits: number, pfn: Pfn, stats: SmapsStats): void {
  const { frames } = machine;
  const folio = compoundHead(machine, pfn);
  const anonymous = frames.isAnon(pfn);
  const swapbacked = frames.has(folio, PG_swapbacked);
  const dirty = (bits & PTE_DIRTY) !== 0 || frames.has(folio, PG_dirty);
  stats.resident += PAGE_SIZE;
  if (anonymous) {
    stats.anonymous += PAGE_SIZE;
    if (!swapbacked && !dirty) stats.lazyfree += PAGE_SIZE;
  }
  if ((bits & PTE_YOUNG) !== 0 || frames.has(folio, PG_young | PG_referenced)) stats.referenced += PAGE_SIZE;

  // A page with a single reference is mapped once, whatever its mapcount.
  const mapcount = frames.refcount(folio) === 1 ? 1 : frames.mapcount(pfn);
  const alone = mapcount < 2;
  const pss = share(mapcount);
  stats.pss += pss;
  if (anonymous) stats.pssAnon += pss;
  else if (swapbacked) stats.pssShmem += pss;
  else stats.pssFile += pss;
  if ((vma.vmFlags & VM_LOCKED) !== 0) stats.pssLocked += pss;
  if (dirty) {
    stats.pssDirty += pss;
    if (alone) stats.privateDirty += PAGE_SIZE;
    else stats.sharedDirty += PAGE_SIZE;
  } else if (alone) stats.privateClean += PAGE_SIZE;
  else stats.sharedClean += PAGE_SIZE;
}

function share(users: number): number {
  const page = PAGE_SIZE * PSS_UNIT;
  return users >= 2 ? Math.floor(page / users) : page;
}

/** Bytes of the object behind `vma` that are swapped out. */
function shmemSwapUsage(mapping: AddressSpace, vma: Vma): number {
  const inode = mapping.host;
  if (inode.shmemSwapped === 0) return 0;
  if (vma.vmPgoff === 0 && vma.pages * PAGE_SIZE >= inode.size) return inode.shmemSwapped * PAGE_SIZE;
  return shmemPartialSwapUsage(mapping, vma.vmPgoff, vma.vmPgoff + vma.pages) * PAGE_SIZE;
}

/** Every number of a region, in the order of the file. */
export function smapsFields(machine: Machine, stats: SmapsStats, rollup: boolean): SmapsField[] {
  const kib = (bytes: number): number => Math.floor(bytes / 1024);
  const pssKib = (pss: number): number => Math.floor(pss / PSS_UNIT / 1024);
  const fields: SmapsField[] = [
    ['Rss', kib(stats.resident)],
    ['Pss', pssKib(stats.pss)],
    ['Pss_Dirty', pssKib(stats.pssDirty)],
  ];
  if (rollup) {
    fields.push(
      ['Pss_Anon', pssKib(stats.pssAnon)],
      ['Pss_File', pssKib(stats.pssFile)],
      ['Pss_Shmem', pssKib(stats.pssShmem)],
    );
  }
  fields.push(
    ['Shared_Clean', kib(stats.sharedClean)],
    ['Shared_Dirty', kib(stats.sharedDirty)],
    ['Private_Clean', kib(stats.privateClean)],
    ['Private_Dirty', kib(stats.privateDirty)],
    ['Referenced', kib(stats.referenced)],
    ['Anonymous', kib(stats.anonymous)],
  );
  if (procFormat(machine).smapsKsm) fields.push(['KSM', 0]);
  fields.push(
    ['LazyFree', kib(stats.lazyfree)],
    ['AnonHugePages', kib(stats.anonymousThp)],
    ['ShmemPmdMapped', 0],
    ['FilePmdMapped', 0],
    ['Shared_Hugetlb', 0],
    ['Private_Hugetlb', 0],
    ['Swap', kib(stats.swap)],
    ['SwapPss', pssKib(stats.swapPss)],
    ['Locked', pssKib(stats.pssLocked)],
  );
  return fields;
}

/** Could hold a huge page where they are given to those who ask (`madvise`): anonymous, and 2 MiB at their place. */
export function thpEligible(vma: Vma): boolean {
  if (vma.vmFile !== null || (vma.vmFlags & (VM_HUGEPAGE | VM_NOHUGEPAGE)) !== VM_HUGEPAGE) return false;
  return Math.ceil(vma.vmStart / HUGE_PAGES) * HUGE_PAGES + HUGE_PAGES <= vma.vmEnd;
}

const VM_FLAG_CODES: ReadonlyArray<readonly [VmFlags: number, code: string]> = [
  [VM_READ, 'rd'],
  [VM_WRITE, 'wr'],
  [VM_EXEC, 'ex'],
  [VM_SHARED, 'sh'],
  [VM_MAYREAD, 'mr'],
  [VM_MAYWRITE, 'mw'],
  [VM_MAYEXEC, 'me'],
  [VM_MAYSHARE, 'ms'],
  [VM_GROWSDOWN, 'gd'],
  [VM_PFNMAP, 'pf'],
  [VM_MAYBE_GUARD, 'gu'],
  [VM_UFFD_WP, 'uw'],
  [VM_LOCKED, 'lo'],
  [VM_IO, 'io'],
  [VM_SEQ_READ, 'sr'],
  [VM_RAND_READ, 'rr'],
  [VM_DONTCOPY, 'dc'],
  [VM_DONTEXPAND, 'de'],
  [VM_LOCKONFAULT, 'lf'],
  [VM_ACCOUNT, 'ac'],
  [VM_NORESERVE, 'nr'],
  [VM_HUGETLB, 'ht'],
  [VM_SYNC, 'sf'],
  [VM_NONLINEAR, 'ar'],
  [VM_WIPEONFORK, 'wf'],
  [VM_DONTDUMP, 'dd'],
  [VM_SOFTDIRTY, 'sd'],
  [VM_MIXEDMAP, 'mm'],
  [VM_HUGEPAGE, 'hg'],
  [VM_NOHUGEPAGE, 'nh'],
  [VM_MERGEABLE, 'mg'],
  [VM_DROPPABLE, 'dp'],
];

/** `rd wr mr mw me ac`. */
export function vmFlagsText(machine: Machine, vma: Vma): string {
  const { smapsLockOnFault } = procFormat(machine);
  return VM_FLAG_CODES.filter(([flag]) => (vma.vmFlags & flag) !== 0)
    .map(([flag, code]) => (flag === VM_LOCKONFAULT && !smapsLockOnFault ? '??' : code))
    .join(' ');
}

export function smaps(machine: Machine, mm: Mm): string {
  const { own, thpEligibleWidth } = procFormat(machine);
  if (own?.smaps !== undefined) return own.smaps(machine, mm);
  let text = '';
  for (const vma of mm.vmas) {
    text += `${mapsLine(machine, vma)}\n${kibLine('Size', vma.pages * 4)}${kibLine('KernelPageSize', 4)}${kibLine('MMUPageSize', 4)}`;
    for (const [name, kib] of smapsFields(machine, gatherSmaps(machine, vma), false)) text += kibLine(name, kib);
    text += `THPeligible:    ${String(Number(thpEligible(vma))).padStart(thpEligibleWidth)}\n`;
    text += `ProtectionKey:  ${'0'.padStart(8)}\nVmFlags: ${vmFlagsText(machine, vma)} \n`;
  }
  return text;
}

export function smapsRollup(machine: Machine, mm: Mm): string {
  const stats = new SmapsStats();
  for (const vma of mm.vmas) gatherSmaps(machine, vma, stats);
  const start = addrOf(mm.vmas.first()?.vmStart ?? (0 as Vpn));
  const end = addrOf(mm.vmas.last()?.vmEnd ?? (0 as Vpn));
  let text = `${`${hex8(start)}-${hex8(end)} ---p 00000000 00:00 0 `.padEnd(73)}[rollup]\n`;
  for (const [name, kib] of smapsFields(machine, stats, true)) text += kibLine(name, kib);
  return text;
}

/** Numbers end in column 24. */
function kibLine(name: string, kib: number): string {
  return `${name}:${String(kib).padStart(23 - name.length)} kB\n`;
}
