/**
 * /proc/meminfo.
 *
 * Owns      what each line says. A line of something that this machine does not have is 0.
 * Linux     6.18 fs/proc/meminfo.c: meminfo_proc_show; mm/show_mem.c: si_mem_available; mm/util.c: vm_commit_limit
 */
import type { Machine } from '../mm/machine.ts';
import { totalreservePages } from '../mm/page_alloc.ts';
import { vmCommitLimit } from '../mm/vm_account.ts';
import {
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_ANON_MAPPED,
  NR_ANON_THPS,
  NR_FILE_DIRTY,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  NR_KERNEL_STACK_KB,
  NR_PAGETABLE,
  NR_SHMEM,
  NR_SLAB_RECLAIMABLE,
  NR_SLAB_UNRECLAIMABLE,
  NR_SWAPCACHE,
  NR_UNEVICTABLE,
  NR_WRITEBACK,
} from '../mm/vmstat.ts';
import { procFormat } from './formats.ts';
import { swapPages } from './swaps.ts';
import { sum } from './vmstat.ts';

const VMALLOC_TOTAL_KIB = 34359738367;
const HUGE_PAGE_KIB = 2048;

export function meminfo(machine: Machine): string {
  const { own } = procFormat(machine);
  if (own?.meminfo !== undefined) return own.meminfo(machine);
  const numbers = meminfoKib(machine);
  let text = '';
  for (const name of procFormat(machine).meminfo) {
    const unit = name.startsWith('HugePages_') ? '' : ' kB';
    const value = String(numbers.get(name) ?? 0);
    // Values end in column 24.
    const long = name.length > 15;
    text += `${`${name}:`.padEnd(long ? 19 : 16)}${value.padStart(long ? 5 : 8)}${unit}\n`;
  }
  return text;
}

/** Lines that are not always 0, in KiB. */
function meminfoKib(machine: Machine): Map<string, number> {
  const node = (item: number): number => sum(machine.nodes, (pgdat) => pgdat.stat[item]!);
  const buffers = bufferPages(machine);
  const slabReclaimable = node(NR_SLAB_RECLAIMABLE);
  const slabUnreclaimable = node(NR_SLAB_UNRECLAIMABLE);
  const swap = swapPages(machine);
  const pages: [string, number][] = [
    ['MemTotal', machine.totalPages],
    ['MemFree', freePages(machine)],
    ['MemAvailable', availablePages(machine)],
    ['Buffers', buffers],
    ['Cached', Math.max(0, node(NR_FILE_PAGES) - node(NR_SWAPCACHE) - buffers)],
    ['SwapCached', node(NR_SWAPCACHE)],
    ['Active', node(NR_ACTIVE_ANON) + node(NR_ACTIVE_FILE)],
    ['Inactive', node(NR_INACTIVE_ANON) + node(NR_INACTIVE_FILE)],
    ['Active(anon)', node(NR_ACTIVE_ANON)],
    ['Inactive(anon)', node(NR_INACTIVE_ANON)],
    ['Active(file)', node(NR_ACTIVE_FILE)],
    ['Inactive(file)', node(NR_INACTIVE_FILE)],
    ['Unevictable', node(NR_UNEVICTABLE)],
    ['Mlocked', sum(machine.zones, (zone) => zone.nrMlock)],
    ['SwapTotal', swap.total],
    ['SwapFree', swap.total - swap.used],
    ['Dirty', node(NR_FILE_DIRTY)],
    ['Writeback', node(NR_WRITEBACK)],
    ['AnonPages', node(NR_ANON_MAPPED)],
    ['AnonHugePages', node(NR_ANON_THPS)],
    ['Mapped', node(NR_FILE_MAPPED)],
    ['Shmem', node(NR_SHMEM)],
    ['KReclaimable', slabReclaimable],
    ['Slab', slabReclaimable + slabUnreclaimable],
    ['SReclaimable', slabReclaimable],
    ['SUnreclaim', slabUnreclaimable],
    ['PageTables', node(NR_PAGETABLE)],
    ['CommitLimit', vmCommitLimit(machine)],
    ['Committed_AS', machine.committedPages],
  ];
  const kib: [string, number][] = [
    ['KernelStack', node(NR_KERNEL_STACK_KB)],
    ['VmallocTotal', VMALLOC_TOTAL_KIB],
    // Of what the kernel maps for itself, this machine has only stacks.
    ['VmallocUsed', node(NR_KERNEL_STACK_KB)],
    ['Hugepagesize', HUGE_PAGE_KIB],
    ['DirectMap2M', machine.frames.frames * 4],
  ];
  return new Map([...pages.map(([name, n]): [string, number] => [name, n * 4]), ...kib]);
}

function freePages(machine: Machine): number {
  return sum(machine.zones, (zone) => zone.freePages);
}

/** Cached pages of block devices themselves: file system metadata. */
function bufferPages(machine: Machine): number {
  let pages = 0;
  for (const inode of machine.inodes.values()) if (inode.kind === 'bdev') pages += inode.mapping.nrpages;
  return pages;
}

/** What a new program could get without swapping: free, and about the half of what is cached. */
function availablePages(machine: Machine): number {
  const node = (item: number): number => sum(machine.nodes, (pgdat) => pgdat.stat[item]!);
  const low = sum(machine.zones, (zone) => zone.wmarkLow + zone.watermarkBoost);
  const half = (pages: number): number => pages - Math.min(Math.floor(pages / 2), low);
  const kept = procFormat(machine).availableByLowMarks ? low : totalreservePages(machine);
  const free = freePages(machine) - kept;
  return Math.max(0, free + half(node(NR_ACTIVE_FILE) + node(NR_INACTIVE_FILE)) + half(node(NR_SLAB_RECLAIMABLE)));
}
