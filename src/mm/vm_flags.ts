/**
 * The bits of vma->vm_flags, Linux's numbers in the low 31 bits.
 *
 * Linux     6.18 include/linux/mm.h (VM_DROPPABLE is above bit 31 there; here it takes that of VM_UFFD_MISSING)
 */
export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
export const VM_GROWSDOWN = 0x100;
export const VM_DROPPABLE = 0x200;
export const VM_PFNMAP = 0x400;
export const VM_MAYBE_GUARD = 0x800;
export const VM_UFFD_WP = 0x1000;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_SEQ_READ = 0x8000;
export const VM_RAND_READ = 0x10000;
export const VM_DONTCOPY = 0x20000;
export const VM_DONTEXPAND = 0x40000;
export const VM_LOCKONFAULT = 0x80000;
export const VM_ACCOUNT = 0x100000;
export const VM_NORESERVE = 0x200000;
export const VM_HUGETLB = 0x400000;
export const VM_SYNC = 0x800000;
export const VM_NONLINEAR = 0x1000000;
export const VM_WIPEONFORK = 0x2000000;
export const VM_DONTDUMP = 0x4000000;
export const VM_SOFTDIRTY = 0x8000000;
export const VM_MIXEDMAP = 0x10000000;
export const VM_HUGEPAGE = 0x20000000;
export const VM_NOHUGEPAGE = 0x40000000;
/** The sign bit: compare with `!== 0` only. */
export const VM_MERGEABLE: number = 0x80000000 | 0;

export const VM_STACK: number = VM_GROWSDOWN;
export const VM_SPECIAL: number = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;
export const VM_LOCKED_MASK: number = VM_LOCKED | VM_LOCKONFAULT;
/** What once was true of a part of a VMA, and goes with it into whatever it merges with. */
export const VM_STICKY: number = VM_MAYBE_GUARD | VM_SOFTDIRTY;
export const VM_ACCESS_FLAGS: number = VM_READ | VM_WRITE | VM_EXEC;

export type VmFlags = number;
