/**
 * One address space: struct mm_struct.
 *
 * Owns      the fields and counters of an address space. What is done to it: mmap.ts, memory.ts, fork.ts.
 * Promises  rss counters equal what the page tables hold (verify.ts counts them again).
 * Linux     6.18, 3.16 include/linux/mm_types.h: mm_struct
 *
 * DIFFERS: mmap_sem and page_table_lock are left out: one CPU runs a call to its end.
 */
import type { File } from './fs.ts';
import type { MemCgroup } from './memcg.ts';
import { PageTableRoot } from './page_table.ts';
import type { Task } from './task.ts';
import { PAGE_SIZE, type Vaddr, type Vpn } from './units.ts';
import type { VmFlags } from './vm_flags.ts';
import type { Vma } from './vma.ts';
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
  /** Tasks that run in it, and who looks at it for them. */
  mmUsers = 1;
  /** Holders of the object: all users together are one, each kernel thread that borrows it is one more (active_mm.ts). */
  mmCount = 1;
  /** Raised when a VMA goes: what tasks remember of before does not count (vmacache.ts). */
  vmacacheSeqnum = 0;
  /** How new mappings are placed: downwards from mmapBase, or upwards from it where the stack has no limit. */
  getUnmappedArea: 'arch_get_unmapped_area_topdown' | 'arch_get_unmapped_area' = 'arch_get_unmapped_area_topdown';
  mmapBase: Vaddr = TASK_SIZE;
  /** Where bottom-up searches begin (TASK_UNMAPPED_BASE). */
  mmapLegacyBase: Vaddr = (Math.ceil(TASK_SIZE / 3 / PAGE_SIZE) * PAGE_SIZE) as Vaddr;
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
  /** The program that exec loaded. */
  exeFile: File | null = null;
  /** Neighbours on the list of address spaces that may have pages in swap (mmlist.ts). */
  mmlistNext: Mm | null = null;
  mmlistPrev: Mm | null = null;
  defFlags: VmFlags = 0;
  /** All in pages. */
  totalVm = 0;
  /** Mappings of files and of shared memory. */
  sharedVm = 0;
  dataVm = 0;
  execVm = 0;
  stackVm = 0;
  lockedVm = 0;
  /** Held for devices, for good. Nothing here does that. */
  pinnedVm = 0;
  hiwaterRss = 0;
  hiwaterVm = 0;
  /** MM_ counters, in pages. */
  readonly rss: Int32Array = new Int32Array(4);
  /** RLIMIT_ values; stack in bytes, the rest as Linux has them. Infinity is no limit. */
  rlimitStack = 8 * 1024 * 1024;
  rlimitAs = Number.POSITIVE_INFINITY;
  /** RLIMIT_DATA counts private writable mappings too (4.7). Before: the heap only. */
  dataLimitCountsMappings = true;
  rlimitData = Number.POSITIVE_INFINITY;
  rlimitMemlock = Number.POSITIVE_INFINITY;
  /** Its last user is gone or being killed; its pages do not count as referenced (6.18). */
  exiting = false;
  /** 2.4: the next page that swap_out looks at; the end of user space when it has seen all. */
  swapAddress: Vpn = 0 as Vpn;
  /** A bit for each node: the program ran since that node's walk of generations was here (mglru/mm_list.ts). */
  usedOn = 0;
  /** A fork copies it, or makes it: nobody else may look (mmap_lock, held for writing). */
  writeLocked = false;
  /** The OOM reaper was here: killing its owner brings no more (MMF_OOM_SKIP). */
  oomSkip = false;

  constructor(id: number, memcg: MemCgroup) {
    this.id = id;
    this.memcg = memcg;
  }

  /** Head of the list of VMAs. */
  get mmap(): Vma | null {
    return this.vmas.first();
  }
  get mapCount(): number {
    return this.vmas.size;
  }
  /** End of the last VMA; 0 if there is none. */
  get highestVmEnd(): Vaddr {
    return ((this.vmas.last()?.vmEnd ?? 0) * PAGE_SIZE) as Vaddr;
  }
  /** Row of the top page table; -1 before the first. */
  get pgd(): number {
    return this.pageTables.pgd;
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
