/**
 * One page fault on its way: struct vm_fault.
 *
 * Owns      the FAULT_FLAG_ and VM_FAULT_ bits, and the one fault that is handled at a time (one CPU).
 * Linux     6.18 include/linux/mm_types.h: fault_flag vm_fault_reason; include/linux/mm.h: vm_fault
 */
import { NO_PFN, type Pfn, type Pgoff, type Vpn } from './units.ts';
import type { Vma } from './vma.ts';

export const FAULT_FLAG_WRITE = 1;
export const FAULT_FLAG_USER = 2;
export const FAULT_FLAG_INSTRUCTION = 4;
/** Not a fault of the CPU: get_user_pages populates. */
export const FAULT_FLAG_REMOTE = 8;
/** The mmap lock may be dropped for I/O: the fault then ends with VM_FAULT_RETRY and starts again with TRIED. */
export const FAULT_FLAG_ALLOW_RETRY = 16;
export const FAULT_FLAG_TRIED = 32;

export const VM_FAULT_OOM = 0x1;
export const VM_FAULT_SIGBUS = 0x2;
export const VM_FAULT_MAJOR = 0x4;
export const VM_FAULT_SIGSEGV = 0x40;
/** The entry is set, there is no page to map. */
export const VM_FAULT_NOPAGE = 0x100;
/** The page is returned locked. */
export const VM_FAULT_LOCKED = 0x200;
/** Time has passed and nothing is mapped yet: the access faults again. Only with FAULT_FLAG_ALLOW_RETRY. */
export const VM_FAULT_RETRY = 0x400;
/** No huge page here: the fault goes on with a page of 4 KiB. */
export const VM_FAULT_FALLBACK = 0x800;
export const VM_FAULT_ERROR: number = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV;

/** What an access met, when it is not 0: a signal for the program. */
export const SIGBUS = 7;
export const SIGKILL = 9;
export const SIGSEGV = 11;
export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
export const BUS_ADRERR = 2;

/** Lives in the machine and is filled anew for each fault, so that a fault allocates nothing. */
export class VmFault {
  vma!: Vma;
  vpn: Vpn = 0 as Vpn;
  pgoff: Pgoff = 0 as Pgoff;
  flags = 0;
  /** Slot of the page-table entry. */
  slot = -1;
  /** Its page table was made for this fault. */
  newTable = false;
  /** The page that ->fault found, with a reference. */
  page: Pfn = NO_PFN;
  /** The page that a private write was copied to. */
  cowPage: Pfn = NO_PFN;
  /** A fault of the program is under way: whoever cannot be charged may kill (memcg_oom.may_oom, 3.12 to 4.18). */
  mayOom = false;
}
