/**
 * /proc of 2.4.
 *
 *   meminfo   a table in bytes, then lines in kB; no Dirty, Mapped or Slab
 *   maps      no names but paths: neither [heap] nor [stack]
 *   statm     counted by a walk over every page table of the process
 *
 * Owns      the text of each file. The numbers come from the machine; what it does not have is 0.
 * Promises  Only looks.
 * Linux     2.4.19 fs/proc/proc_misc.c: meminfo_read_proc kstat_read_proc; fs/proc/array.c: proc_pid_maps_get_line task_mem
 *           proc_pid_status proc_pid_statm; mm/slab.c: s_show; mm/swapfile.c: get_swaparea_info; kernel/sysctl.c: vm_table
 *
 * DIFFERS: addresses have 47 bits, so those of maps may be longer than its 8 digits. Anonymous regions have offset 0; in 2.4 what
 *          was split off one says how far from its start. Users, groups and signals are not modelled.
 */
import { bdflush } from '../mm/bdflush.ts';
import type { Inode } from '../mm/fs.ts';
import type { KmemCache } from '../mm/kmem_cache_2_4.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import { nrFreePages } from '../mm/page_alloc.ts';
import { PG_private } from '../mm/page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_SPECIAL } from '../mm/page_table.ts';
import { LRU_ACTIVE, LRU_INACTIVE } from '../mm/reclaim/lru_2_4.ts';
import { slab_2_4 } from '../mm/slab_2_4.ts';
import { state_2_4 } from '../mm/state_2_4.ts';
import type { SwapInfo } from '../mm/swap/area.ts';
import type { Task } from '../mm/task.ts';
import { addrOf, PAGE_SIZE, type Pfn, type Vpn } from '../mm/units.ts';
import { VM_EXEC, VM_GROWSDOWN, VM_MAYSHARE, VM_READ, VM_WRITE } from '../mm/vm_flags.ts';
import type { Vma } from '../mm/vma.ts';
import { PGPGIN, PGPGOUT, PSWPIN, PSWPOUT } from '../mm/vmstat.ts';
import { ZONE_HIGHMEM } from '../mm/zone.ts';

const KIB_PER_PAGE = 4;
const NS_PER_TICK = 10_000_000;
/** Paths of maps begin in this column. */
const MAPS_LINE_MAX = 49;
/** The first IDE disk, and the kernel's own file system for shared memory. */
const DISK_DEVICE = '03:00';
const SHM_DEVICE = '00:04';
const NO_DEVICE = '00:00';
/** Where shared libraries begin, as statm sees it. */
const LIBRARIES_FROM = 0x60000000;
const NO_SIGNALS = '0000000000000000';

// meminfo

export function meminfo_2_4(machine: Machine): string {
  const { pageCache } = state_2_4(machine);
  const free = nrFreePages(machine);
  const high = machine.zones.filter((zone) => zone.type === ZONE_HIGHMEM);
  const totalHigh = high.reduce((sum, zone) => sum + zone.managedPages, 0);
  const freeHigh = high.reduce((sum, zone) => sum + zone.freePages, 0);
  const areas = swapAreas(machine);
  const totalSwap = areas.reduce((sum, area) => sum + area.pages, 0);
  const freeSwap = totalSwap - areas.reduce((sum, area) => sum + area.inusePages, 0);
  const total = machine.totalPages;
  const buffers = buffermemPages(machine);
  const cached = pageCache.size - buffers;
  const bytes = (...pages: number[]): string => pages.map((n) => String(n * PAGE_SIZE).padStart(8)).join(' ');
  let text = '        total:    used:    free:  shared: buffers:  cached:\n';
  text += `Mem:  ${bytes(total, total - free, free, 0, buffers, cached)}\n`;
  text += `Swap: ${bytes(totalSwap, totalSwap - freeSwap, freeSwap)}\n`;
  const lines: [string, number][] = [
    ['MemTotal', total],
    ['MemFree', free],
    ['MemShared', 0],
    ['Buffers', buffers],
    ['Cached', cached - pageCache.swapcachePages],
    ['SwapCached', pageCache.swapcachePages],
    ['Active', lruPages(machine, LRU_ACTIVE)],
    ['Inactive', lruPages(machine, LRU_INACTIVE)],
    ['HighTotal', totalHigh],
    ['HighFree', freeHigh],
    ['LowTotal', total - totalHigh],
    ['LowFree', free - freeHigh],
    ['SwapTotal', totalSwap],
    ['SwapFree', freeSwap],
  ];
  for (const [name, pages] of lines) text += `${`${name}:`.padEnd(14)}${String(pages * KIB_PER_PAGE).padStart(8)} kB\n`;
  return text;
}

/** Pages of block devices whose buffers can be found (buffermem_pages). */
function buffermemPages(machine: Machine): number {
  let pages = 0;
  for (const { kind, mapping } of machine.inodes.values()) {
    if (kind !== 'bdev') continue;
    for (let list = 0; list < 3; list++) {
      const listed = state_2_4(machine).pageCache.lists.pages(mapping.id, list);
      pages += listed.filter((pfn) => machine.frames.has(pfn, PG_private)).length;
    }
  }
  return pages;
}

function lruPages(machine: Machine, list: number): number {
  return machine.rootMemcg.lruvecs.reduce((sum, lruvec) => sum + lruvec.stat[list]!, 0);
}

function swapAreas(machine: Machine): SwapInfo[] {
  return machine.swap.areas.filter((area) => area !== null);
}

// of a process

export function maps_2_4(mm: Mm): string {
  let text = '';
  for (const vma of mm.vmas) text += `${mapsLine_2_4(vma)}\n`;
  return text;
}

/** One region, without the end of the line. */
export function mapsLine_2_4(vma: Vma): string {
  const inode = vma.vmFile?.inode;
  const flags =
    ((vma.vmFlags & VM_READ) !== 0 ? 'r' : '-') +
    ((vma.vmFlags & VM_WRITE) !== 0 ? 'w' : '-') +
    ((vma.vmFlags & VM_EXEC) !== 0 ? 'x' : '-') +
    ((vma.vmFlags & VM_MAYSHARE) !== 0 ? 's' : 'p');
  const offset = inode === undefined ? 0 : vma.vmPgoff * PAGE_SIZE;
  const device = inode === undefined ? NO_DEVICE : inode.kind === 'tmpfs' ? SHM_DEVICE : DISK_DEVICE;
  const range = `${hex8(addrOf(vma.vmStart))}-${hex8(addrOf(vma.vmEnd))}`;
  const head = `${range} ${flags} ${hex8(offset)} ${device} ${inode?.ino ?? 0}`;
  return inode === undefined ? head : head.padEnd(MAPS_LINE_MAX) + path(inode);
}

function path(inode: Inode): string {
  const name = inode.name.startsWith('/') ? inode.name : `/${inode.name}`;
  return inode.nlink === 0 ? `${name} (deleted)` : name;
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** /proc/PID/status. */
export function status_2_4(task: Task): string {
  const name = task.comm.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  const parent = task.parent?.pid ?? 0;
  let text = `Name:\t${name}\nState:\tR (running)\nTgid:\t${task.pid}\nPid:\t${task.pid}\nPPid:\t${parent}\nTracerPid:\t0\n`;
  text += 'Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t32\nGroups:\t\n';
  if (task.mm !== null) text += statusMemory(task.mm);
  for (const signals of ['SigPnd', 'SigBlk', 'SigIgn', 'SigCgt']) text += `${signals}:\t${NO_SIGNALS}\n`;
  for (const caps of ['CapInh', 'CapPrm', 'CapEff']) text += `${caps}:\t${NO_SIGNALS}\n`;
  return text;
}

/** VmSize to VmLib. All that is anonymous is data or stack; of files only what cannot be written and can be run counts. */
function statusMemory(mm: Mm): string {
  let data = 0;
  let stack = 0;
  let exec = 0;
  let lib = 0;
  for (const vma of mm.vmas) {
    const pages = vma.pages;
    if (vma.vmFile === null) {
      data += pages;
      if ((vma.vmFlags & VM_GROWSDOWN) !== 0) stack += pages;
    } else if ((vma.vmFlags & (VM_WRITE | VM_EXEC)) === VM_EXEC) {
      exec += pages;
      if (!isExecutable(mm, vma)) lib += pages;
    }
  }
  const rows: [string, number][] = [
    ['VmSize', mm.totalVm],
    ['VmLck', mm.lockedVm],
    ['VmRSS', mm.rssPages],
    ['VmData', data - stack],
    ['VmStk', stack],
    ['VmExe', exec - lib],
    ['VmLib', lib],
  ];
  return rows.map(([name, pages]) => `${name}:\t${String(pages * KIB_PER_PAGE).padStart(8)} kB\n`).join('');
}

/** VM_EXECUTABLE: exec mapped it for the program itself. */
function isExecutable(mm: Mm, vma: Vma): boolean {
  return vma.vmFile !== null && vma.vmFile.inode === mm.exeFile?.inode;
}

/** /proc/PID/statm: size, resident, shared, text, library, data and stack, dirty; in pages, from the page tables. */
export function statm_2_4(machine: Machine, mm: Mm): string {
  const sums = { size: 0, resident: 0, share: 0, trs: 0, lrs: 0, drs: 0, dt: 0 };
  for (const vma of mm.vmas) {
    const before = sums.resident;
    walkForStatm(machine, vma, sums);
    const pages = sums.resident - before;
    if (isExecutable(mm, vma)) sums.trs += pages;
    else if ((vma.vmFlags & VM_GROWSDOWN) !== 0) sums.drs += pages;
    else if (addrOf(vma.vmEnd) > LIBRARIES_FROM) sums.lrs += pages;
    else sums.drs += pages;
  }
  return `${sums.size} ${sums.resident} ${sums.share} ${sums.trs} ${sums.lrs} ${sums.drs} ${sums.dt}\n`;
}

interface StatmSums {
  size: number;
  resident: number;
  share: number;
  dt: number;
}

/** The zero page counts in size alone; a page with more than one reference is shared, the page cache's counts. */
function walkForStatm(machine: Machine, vma: Vma, sums: StatmSums): void {
  const { pageTables, frames } = machine;
  for (let at = vma.vmStart; at < vma.vmEnd; at = (at + 1) as Vpn) {
    const slot = pageTables.slotOf(vma.vmMm.pageTables, at);
    if (slot === NO_SLOT || pageTables.isNone(slot)) continue;
    sums.size += 1;
    if (!pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
    sums.resident += 1;
    if (pageTables.has(slot, PTE_DIRTY)) sums.dt += 1;
    if (frames.refcount(pageTables.pfn(slot) as Pfn) > 1) sums.share += 1;
  }
}

// of the machine

/** The columns: objects in use and in all, bytes of one, slabs in use and in all, pages of one. */
export function slabinfo_2_4(machine: Machine): string {
  const smp = (machine.config.cpus ?? 1) > 1;
  let text = `slabinfo - version: 1.1${smp ? ' (SMP)' : ''}\n`;
  for (const cache of slab_2_4(machine).chain) text += `${slabinfoLine(cache)}${smp ? ` : ${cpuArray(cache)}` : ''}\n`;
  return text;
}

function slabinfoLine(cache: KmemCache): string {
  const activeSlabs = cache.slabsFull.count + cache.slabsPartial.count;
  const slabs = activeSlabs + cache.slabsFree.count;
  const objects = [cache.active, slabs * cache.num, cache.size].map((n) => String(n).padStart(6)).join(' ');
  const inSlabs = [activeSlabs, slabs, 1 << cache.order].map((n) => String(n).padStart(4)).join(' ');
  return `${cache.name.padEnd(17)} ${objects} ${inSlabs}`;
}

/** What a CPU would keep for itself, and move at once. */
function cpuArray(cache: KmemCache): string {
  const limit =
    cache.size > 131072 ? 0 : cache.size > PAGE_SIZE ? 1 : cache.size > 1024 ? 60 : cache.size > 256 ? 124 : 252;
  return [limit, Math.floor(limit / 2)].map((n) => String(n).padStart(4)).join(' ');
}

export function swaps_2_4(machine: Machine): string {
  let text = 'Filename\t\t\tType\t\tSize\tUsed\tPriority\n';
  for (const area of swapAreas(machine)) {
    const isFile = area.device === machine.disk;
    const name = isFile ? `/swapfile${area.type}` : `/dev/${area.device?.name ?? `ram${area.type}`}`;
    const numbers = `${area.pages * KIB_PER_PAGE}\t${area.inusePages * KIB_PER_PAGE}\t${area.prio}`;
    text += `${name.padEnd(31)} ${isFile ? 'file\t\t' : 'partition\t'}${numbers}\n`;
  }
  return text;
}

/** /proc/stat: ticks of each CPU (user, nice, system, idle), and traffic in kB and in pages of swap. */
export function stat_2_4(machine: Machine): string {
  const cpus = machine.config.cpus ?? 1;
  const ticks = Math.floor(machine.clock.now / NS_PER_TICK);
  const used = Math.min(ticks, Math.floor(machine.tasks.reduce((sum, task) => sum + task.cpuNs, 0) / NS_PER_TICK));
  const { events } = machine;
  let text = `cpu  ${used} 0 0 ${ticks * cpus - used}\n`;
  // One of them runs.
  for (let cpu = 0; cpu < cpus; cpu++)
    text += `cpu${cpu} ${cpu === 0 ? used : 0} 0 0 ${cpu === 0 ? ticks - used : ticks}\n`;
  text += `page ${events[PGPGIN]} ${events[PGPGOUT]}\nswap ${events[PSWPIN]} ${events[PSWPOUT]}\nintr 0\n`;
  return `${text}disk_io: \nctxt 0\nbtime 0\nprocesses ${machine.tasks.length}\n`;
}

/** What /proc/sys/vm shows, by file. */
export function sysctlVm_2_4(machine: Machine): ReadonlyMap<string, string> {
  return new Map([
    ['bdflush', [...bdflush(machine).prm].join('\t')],
    ['overcommit_memory', String(machine.sysctl.overcommitMemory)],
    // Only the second number, SWAP_CLUSTER_MAX, is asked for.
    ['kswapd', '512\t32\t8'],
    ['pagetable_cache', '25\t50'],
    ['page-cluster', String(machine.sysctl.pageCluster)],
    ['min-readahead', '3'],
    ['max-readahead', '31'],
    ['max_map_count', String(machine.sysctl.maxMapCount)],
  ]);
}
