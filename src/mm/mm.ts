/**
 * One address space: struct mm_struct.
 *
 * Owns      the fields and counters of an address space. What is done to it: mmap.ts, memory.ts, fork.ts.
 * Promises  rss counters equal what the page tables hold (verify.ts counts them again).
 * Linux     6.18 include/linux/mm_types.h: mm_struct
 */
import type { MemCgroup } from './memcg.ts';
import { PageTableRoot } from './page_table.ts';
import type { Task } from './task.ts';
import type { Vaddr, Vpn } from './units.ts';
import type { VmFlags } from './vm_flags.ts';
import { VmaTree } from './vma_tree.ts';

export const MM_FILEPAGES = 0;
export const MM_ANONPAGES = 1;
export const MM_SWAPENTS = 2;
export const MM_SHMEMPAGES = 3;

/** End of user space, 47 bits, less the guard page (TASK_SIZE_MAX). */
export const TASK_SIZE = 0x7ffffffff000 as Vaddr;
export const MMAP_MIN_ADDR = 65536 as Vaddr;

export class Mm {
  readonly id: number;
  /** Who is charged for its pages: mm->owner's memory cgroup. */
  memcg: MemCgroup;
  /** The task that made it, or its oldest survivor (mm->owner). */
  owner: Task | null = null;
  readonly pageTables: PageTableRoot = new PageTableRoot();
  readonly vmas: VmaTree = new VmaTree();
  mmUsers = 1;
  /** How new mappings are placed: downwards from mmapBase, or upwards from it where the stack has no limit. */
  getUnmappedArea: 'arch_get_unmapped_area_topdown' | 'arch_get_unmapped_area' = 'arch_get_unmapped_area_topdown';
  mmapBase: Vaddr = TASK_SIZE;
  /** Where the last search ended, null for the base; and the pages of the largest hole that it passed by (before 3.8). */
  freeAreaCache: Vpn | null = null;
  cachedHoleSize = 0;
  /** The swap token (2.6): global faults at the last swap-in, the interval before that, and how much this one wants the token. */
  faultstamp = 0;
  lastInterval = 0;
  tokenPriority = 0;
  taskSize: Vaddr = TASK_SIZE;
  startBrk: Vaddr = 0 as Vaddr;
  brk: Vaddr = 0 as Vaddr;
  startStack: Vaddr = 0 as Vaddr;
  startCode: Vaddr = 0 as Vaddr;
  endCode: Vaddr = 0 as Vaddr;
  startData: Vaddr = 0 as Vaddr;
  endData: Vaddr = 0 as Vaddr;
  argStart: Vaddr = 0 as Vaddr;
  argEnd: Vaddr = 0 as Vaddr;
  envStart: Vaddr = 0 as Vaddr;
  envEnd: Vaddr = 0 as Vaddr;
  defFlags: VmFlags = 0;
  /** All in pages. */
  totalVm = 0;
  dataVm = 0;
  execVm = 0;
  stackVm = 0;
  lockedVm = 0;
  hiwaterRss = 0;
  hiwaterVm = 0;
  /** MM_ counters, in pages. */
  readonly rss: Int32Array = new Int32Array(4);
  /** RLIMIT_ values; stack in bytes, the rest as Linux has them. Infinity is no limit. */
  rlimitStack = 8 * 1024 * 1024;
  rlimitAs = Number.POSITIVE_INFINITY;
  rlimitData = Number.POSITIVE_INFINITY;
  rlimitMemlock = Number.POSITIVE_INFINITY;
  /** Its last user is gone or being killed; its pages do not count as referenced (6.18). */
  exiting = false;
  /** The OOM reaper was here: killing its owner brings no more (MMF_OOM_SKIP). */
  oomSkip = false;

  constructor(id: number, memcg: MemCgroup) {
    this.id = id;
    this.memcg = memcg;
  }

  get mapCount(): number {
    return this.vmas.size;
  }
  /** Leaf page tables. */
  get nrPtes(): number {
    return this.pageTables.leafTables;
  }
  /** Resident pages: file, anonymous and shared memory. */
  get rssPages(): number {
    return this.rss[MM_FILEPAGES]! + this.rss[MM_ANONPAGES]! + this.rss[MM_SHMEMPAGES]!;
  }
}

/** Before resident pages go away: remembers the most there were (update_hiwater_rss). */
export function updateHiwaterRss(mm: Mm): void {
  if (mm.rssPages > mm.hiwaterRss) mm.hiwaterRss = mm.rssPages;
}
