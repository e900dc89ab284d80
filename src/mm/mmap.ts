/**
 * mmap, brk and the growth of stacks.
 *
 *   addr, length, prot, flags ─► vmFlags ─► an address ─► limits, commitment ─► a neighbour grows, or a new VMA ─► populate
 *
 * Promises  1. Errors come in the kernel's order.
 *           2. A MAP_FIXED that is refused leaves the old mappings (6.1: it may leave a hole).
 *           3. Private anonymous memory has vmPgoff = vmStart, until mremap moves it: so neighbours merge.
 * Linux     6.18 mm/mmap.c: do_mmap ksys_mmap_pgoff brk remap_file_pages; mm/vma.c: __mmap_region do_brk_flags expand_downwards
 *           acct_stack_growth; mm/gup.c: __mm_populate populate_vma_page_range; mm/shmem.c: shmem_zero_setup
 */
import { EACCES, EAGAIN, EBADF, EEXIST, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM } from './errno.ts';
import { getFile, newShmemFile, putFile } from './file.ts';
import type { File } from './fs.ts';
import { populateRange } from './gup.ts';
import type { Machine } from './machine.ts';
import { MMAP_MIN_ADDR, type Mm } from './mm.ts';
import { completeMunmap, countAccounted, gatherMunmap, unmapRange } from './munmap.ts';
import { expandStack_3, growDown } from './stack_3.ts';
import {
  LEGACY_MAP_MASK,
  MAP_ANONYMOUS,
  MAP_DROPPABLE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGE_MASK,
  MAP_HUGE_SHIFT,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_STACK,
  MAP_SYNC,
  MAP_TYPE,
  OVERCOMMIT_NEVER,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from './uapi.ts';
import { PAGE_SIZE, type Pgoff, pagesOf, type Vaddr, type Vpn, vpnOf } from './units.ts';
import { vmStartGap } from './unmapped_area.ts';
import {
  accountableMapping,
  mayExpandVm,
  mlockFutureOk,
  vmEnoughMemory,
  vmStatAccount,
  vmUnacctMemory,
} from './vm_account.ts';
import {
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_DONTDUMP,
  VM_DROPPABLE,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_SYNC,
  VM_WIPEONFORK,
  VM_WRITE,
  type VmFlags,
} from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { freeVma, linkFileVma, newVma, vmaMergeNewRange } from './vma_merge.ts';

export { doMunmap, exitMmap } from './munmap.ts';
export { vmEnoughMemory, vmStatAccount } from './vm_account.ts';

const VM_DATA_DEFAULT_FLAGS: VmFlags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
/** Page of the last byte that a file can have (MAX_LFS_FILESIZE), plus one. */
const MAX_FILE_PAGES = 2 ** 51;
const ADDRESS_END = 2 ** 64;
/** log2 of the huge pages that the machine has; 0 means the usual one. */
const HUGE_SHIFTS: readonly number[] = [0, 21];

// mmap

/** mmap(2). `file` is what the descriptor is open to, null for a bad one; `pgoff` in pages. An address, or -errno. */
export function doMmap(
  machine: Machine,
  mm: Mm,
  addr: number,
  length: number,
  prot: number,
  flags: number,
  file: File | null,
  pgoff: number,
): number {
  const anonymous = (flags & MAP_ANONYMOUS) !== 0;
  if (!anonymous && file === null) return -EBADF;
  if ((flags & MAP_HUGETLB) !== 0) return mmapHugetlb(length, flags, anonymous);
  return mapFileOrMemory(machine, mm, addr, length, prot, flags, anonymous ? null : file, pgoff);
}

/** DIFFERS: there are no hugetlb pages; a user sees what he would see with an empty pool (nr_hugepages 0). */
function mmapHugetlb(length: number, flags: number, anonymous: boolean): number {
  if (!anonymous || length === 0) return -EINVAL;
  return HUGE_SHIFTS.includes((flags >>> MAP_HUGE_SHIFT) & MAP_HUGE_MASK) ? -ENOMEM : -EINVAL;
}

function mapFileOrMemory(
  machine: Machine,
  mm: Mm,
  addr: number,
  length: number,
  prot: number,
  givenFlags: number,
  file: File | null,
  pgoff: number,
): number {
  if (length === 0) return -EINVAL;
  const flags = (givenFlags & MAP_FIXED_NOREPLACE) !== 0 ? givenFlags | MAP_FIXED : givenFlags;
  const hint = (flags & MAP_FIXED) !== 0 ? addr : roundHintToMin(addr);
  const pages = pagesOf(length);
  if (pages * PAGE_SIZE >= ADDRESS_END) return -ENOMEM;
  if (mm.mapCount > machine.sysctl.maxMapCount) return -ENOMEM;

  const at = machine.generation.getUnmappedArea(machine, mm, file, hint, pages, pgoff as Pgoff, flags);
  if (at < 0) return at;
  const start = vpnOf(at);
  if ((flags & MAP_FIXED_NOREPLACE) !== 0 && mm.vmas.findIntersection(start, (start + pages) as Vpn) !== null)
    return -EEXIST;
  if ((flags & MAP_LOCKED) !== 0 && mm.rlimitMemlock === 0) return -EPERM;
  let vmFlags = flagsOfMapping(machine, mm, prot, flags);
  if (!mlockFutureOk(mm, vmFlags, pages)) return -EAGAIN;

  const typed =
    file !== null ? fileVmFlags(file, vmFlags, prot, flags, pages, pgoff) : anonVmFlags(machine, vmFlags, flags);
  if (typed.errno < 0) return typed.errno;
  vmFlags = typed.vmFlags;
  if ((flags & MAP_NORESERVE) !== 0 && machine.sysctl.overcommitMemory !== OVERCOMMIT_NEVER) vmFlags |= VM_NORESERVE;

  const offset = file !== null ? pgoff : (vmFlags & VM_SHARED) !== 0 ? 0 : start;
  const failed = mmapRegion(machine, mm, file, start, pages, vmFlags, offset as Pgoff);
  if (failed < 0) return failed;
  const populate = (vmFlags & VM_LOCKED) !== 0 || (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE;
  if (populate) mmPopulate(machine, mm, start, (start + pages) as Vpn, true);
  return at;
}

/** Rounded down to its page, but never to a page that nobody may map. */
function roundHintToMin(addr: number): number {
  const page = addr - (addr % PAGE_SIZE);
  return page !== 0 && page < MMAP_MIN_ADDR ? MMAP_MIN_ADDR : page;
}

function flagsOfMapping(machine: Machine, mm: Mm, prot: number, flags: number): VmFlags {
  let vmFlags = protVmFlags(prot) | mm.defFlags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  if ((flags & MAP_GROWSDOWN) !== 0) vmFlags |= VM_GROWSDOWN;
  if ((flags & MAP_LOCKED) !== 0) vmFlags |= VM_LOCKED;
  if ((flags & MAP_SYNC) !== 0) vmFlags |= VM_SYNC;
  // SINCE 6.7: before, MAP_STACK did nothing.
  if ((flags & MAP_STACK) !== 0 && machine.generation.switches.mapStackNohuge) vmFlags |= VM_NOHUGEPAGE;
  return vmFlags;
}

/** calc_vm_prot_bits. */
export function protVmFlags(prot: number): VmFlags {
  return (
    ((prot & PROT_READ) !== 0 ? VM_READ : 0) |
    ((prot & PROT_WRITE) !== 0 ? VM_WRITE : 0) |
    ((prot & PROT_EXEC) !== 0 ? VM_EXEC : 0)
  );
}

interface TypedFlags {
  readonly errno: number;
  readonly vmFlags: VmFlags;
}

function refused(errno: number): TypedFlags {
  return { errno: -errno, vmFlags: 0 };
}

/** What a mapping of `file` may do, by how the file is open. */
function fileVmFlags(file: File, base: VmFlags, prot: number, flags: number, pages: number, pgoff: number): TypedFlags {
  if (pgoff > MAX_FILE_PAGES - 1 - pages) return refused(EOVERFLOW);
  const type = flags & MAP_TYPE;
  let vmFlags = base;
  if (type === MAP_SHARED || type === MAP_SHARED_VALIDATE) {
    const known = file.inode.kind === 'tmpfs' ? LEGACY_MAP_MASK : LEGACY_MAP_MASK | MAP_SYNC;
    if (type === MAP_SHARED_VALIDATE && (flags & ~known) !== 0) return refused(EOPNOTSUPP);
    if ((prot & PROT_WRITE) !== 0 && !file.writable) return refused(EACCES);
    vmFlags |= VM_SHARED | VM_MAYSHARE;
    if (!file.writable) vmFlags &= ~(VM_MAYWRITE | VM_SHARED);
  } else if (type !== MAP_PRIVATE) {
    return refused(EINVAL);
  }
  if (!file.readable) return refused(EACCES);
  if ((vmFlags & VM_GROWSDOWN) !== 0) return refused(EINVAL);
  return { errno: 0, vmFlags };
}

function anonVmFlags(machine: Machine, base: VmFlags, flags: number): TypedFlags {
  const type = flags & MAP_TYPE;
  if (type === MAP_PRIVATE) return { errno: 0, vmFlags: base };
  if (type === MAP_SHARED) {
    if ((base & VM_GROWSDOWN) !== 0) return refused(EINVAL);
    return { errno: 0, vmFlags: base | VM_SHARED | VM_MAYSHARE };
  }
  if (type !== MAP_DROPPABLE || !machine.generation.switches.mapDroppable) return refused(EINVAL);
  if ((flags & MAP_LOCKED) !== 0 || (base & VM_GROWSDOWN) !== 0) return refused(EINVAL);
  return { errno: 0, vmFlags: base | VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP };
}

/** Maps `pages` pages at `start`, whatever was there before. 0 or -errno. */
export function mmapRegion(
  machine: Machine,
  mm: Mm,
  file: File | null,
  start: Vpn,
  pages: number,
  flags: VmFlags,
  pgoff: Pgoff,
): number {
  const end = (start + pages) as Vpn;
  const accountable = accountableMapping(flags);
  const vmFlags = accountable ? flags | VM_ACCOUNT : flags;
  let charged = 0;
  if (machine.generation.switches.mmapGathers) {
    const failed = gatherMunmap(machine, mm, start, end);
    if (failed < 0) return failed;
    if (!mayExpandVm(mm, flags, pages - countMapped(mm, start, end))) return -ENOMEM;
    const accounted = countAccounted(mm, start, end);
    if (accountable) {
      // What the old mappings were promised is promised to the new one; only the difference is new.
      if (vmEnoughMemory(machine, mm, pages - accounted) < 0) return -ENOMEM;
      charged = pages;
    }
    completeMunmap(machine, mm, start, end, accountable ? 0 : accounted);
  } else {
    if (!mayExpandVm(mm, flags, pages - countMapped(mm, start, end))) return -ENOMEM;
    if (unmapRange(machine, mm, start, end) < 0) return -ENOMEM;
    if (accountable) {
      if (vmEnoughMemory(machine, mm, pages) < 0) return -ENOMEM;
      charged = pages;
    }
  }
  // A file of a disk would have to lie in persistent memory (DAX) for that.
  const noSync = file !== null && file.inode.kind !== 'tmpfs' && (flags & VM_SYNC) !== 0;
  const failed = noSync ? -EOPNOTSUPP : mergeOrAdd(machine, mm, file, start, end, vmFlags, pgoff);
  if (failed < 0) {
    vmUnacctMemory(machine, charged);
    return failed;
  }
  vmStatAccount(mm, vmFlags, pages, file);
  if ((vmFlags & VM_LOCKED) !== 0) mm.lockedVm += pages;
  return 0;
}

function mergeOrAdd(
  machine: Machine,
  mm: Mm,
  file: File | null,
  start: Vpn,
  end: Vpn,
  vmFlags: VmFlags,
  pgoff: Pgoff,
): number {
  const prev = mm.vmas.findBefore(start);
  const next = mm.vmas.find(start);
  const request = { mm, prev, next, middle: null, copiedFrom: null, start, end, vmFlags, pgoff, file, anonVma: null };
  if (vmaMergeNewRange(machine, request, true) !== null) return 0;
  const vma = newVma(machine, mm, start, end, vmFlags, pgoff, null);
  if (vma === null) return -ENOMEM;
  if (file !== null) {
    getFile(file);
    vma.vmFile = file;
  } else if ((vmFlags & VM_SHARED) !== 0) {
    vma.vmFile = newSharedMemory(machine, mm, vma.pages, (vmFlags & VM_NORESERVE) !== 0);
    if (vma.vmFile === null) {
      freeVma(machine, vma);
      return -ENOMEM;
    }
  }
  mm.vmas.insert(vma);
  linkFileVma(vma);
  return 0;
}

/** The object behind MAP_SHARED|MAP_ANONYMOUS; null if its memory cannot be promised (shmem_zero_setup). */
function newSharedMemory(machine: Machine, mm: Mm, pages: number, noreserve: boolean): File | null {
  if (!noreserve) {
    if (vmEnoughMemory(machine, mm, pages) < 0) return null;
    // The file commits its pages itself.
    vmUnacctMemory(machine, pages);
  }
  return newShmemFile(machine, 'dev/zero', pages, noreserve);
}

/** Pages of [start, end) that are mapped now. */
function countMapped(mm: Mm, start: Vpn, end: Vpn): number {
  let pages = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.vmStart < end; vma = mm.vmas.next(vma)) {
    pages += Math.min(end, vma.vmEnd) - Math.max(start, vma.vmStart);
  }
  return pages;
}

/**
 * Faults in [start, end), VMA by VMA: what is locked, what MAP_POPULATE wants. With `ignoreErrors` the next VMA is tried
 * after a failure; else 0 or -errno, -EFAULT where a mapping cannot be touched.
 */
export function mmPopulate(machine: Machine, mm: Mm, start: Vpn, end: Vpn, ignoreErrors: boolean): number {
  for (let at = start; at < end; ) {
    const vma = mm.vmas.findIntersection(at, end);
    if (vma === null) return 0;
    const from = Math.max(at, vma.vmStart) as Vpn;
    const to = Math.min(end, vma.vmEnd) as Vpn;
    const failed = populateVma(machine, vma, from, to);
    if (failed < 0 && !ignoreErrors) return failed;
    at = to;
  }
  return 0;
}

/** populate_vma_page_range. */
export function populateVma(machine: Machine, vma: Vma, start: Vpn, end: Vpn, mayDrop = true): number {
  // Locked on fault: it waits for that.
  if ((vma.vmFlags & VM_LOCKONFAULT) !== 0) return 0;
  if ((vma.vmFlags & VM_ACCESS_FLAGS) === 0) return -EFAULT;
  const failed = populateRange(machine, vma.vmMm, start, end, false, mayDrop);
  // SINCE 5.18: before, only a page that is locked when it is followed empties the batches.
  if (machine.generation.switches.mlockBatch) machine.lru.drain();
  return failed;
}

// brk

/** brk(2): the break as it is afterwards; unchanged where the kernel refuses. */
export function doBrk(machine: Machine, mm: Mm, brk: number): number {
  const old = mm.brk;
  if (brk < mm.startBrk) return old;
  if (brk - mm.startBrk + (mm.endData - mm.startData) > mm.rlimitData) return old;
  const newEnd = pagesOf(brk) as Vpn;
  const oldEnd = pagesOf(old) as Vpn;
  if (newEnd === oldEnd) {
    mm.brk = brk as Vaddr;
    return brk;
  }
  if (brk <= old) {
    if (mm.vmas.findIntersection(newEnd, oldEnd) === null) return old;
    if (unmapRange(machine, mm, newEnd, oldEnd) < 0) return old;
    mm.brk = brk as Vaddr;
    return brk;
  }
  if (
    machine.generation.getUnmappedArea(machine, mm, null, oldEnd * PAGE_SIZE, newEnd - oldEnd, 0 as Pgoff, MAP_FIXED) <
    0
  )
    return old;
  if (!mlockFutureOk(mm, mm.defFlags, newEnd - oldEnd)) return old;
  const next = mm.vmas.find(oldEnd);
  if (next !== null && newEnd + 1 > vmStartGap(machine, next)) return old;
  if (growHeap(machine, mm, oldEnd, newEnd) < 0) return old;
  mm.brk = brk as Vaddr;
  if ((mm.defFlags & VM_LOCKED) !== 0) mmPopulate(machine, mm, oldEnd, newEnd, true);
  return brk;
}

/** The heap's VMA only grows upwards; it never takes up what lies behind it (do_brk_flags). */
function growHeap(machine: Machine, mm: Mm, start: Vpn, end: Vpn): number {
  const pages = end - start;
  const vmFlags = VM_DATA_DEFAULT_FLAGS | VM_ACCOUNT | mm.defFlags;
  if (!mayExpandVm(mm, vmFlags, pages)) return -ENOMEM;
  if (mm.mapCount > machine.sysctl.maxMapCount) return -ENOMEM;
  if (vmEnoughMemory(machine, mm, pages) < 0) return -ENOMEM;
  const before = mm.vmas.findBefore(start);
  const prev = before !== null && before.vmEnd * PAGE_SIZE > mm.startBrk ? before : null;
  const pgoff = start as number as Pgoff;
  const request = {
    mm,
    prev,
    next: null,
    middle: null,
    copiedFrom: null,
    start,
    end,
    vmFlags,
    pgoff,
    file: null,
    anonVma: null,
  };
  if (vmaMergeNewRange(machine, request, true, true) === null) {
    const vma = newVma(machine, mm, start, end, vmFlags, pgoff, null);
    if (vma === null) {
      vmUnacctMemory(machine, pages);
      return -ENOMEM;
    }
    mm.vmas.insert(vma);
  }
  vmStatAccount(mm, vmFlags, pages, null);
  if ((vmFlags & VM_LOCKED) !== 0) mm.lockedVm += pages;
  return 0;
}

// stacks

/** A fault at `vpn`, below `vma`: grows it down to there, if it is a stack and may. 0 or -errno. */
export function expandStack(machine: Machine, vma: Vma, vpn: Vpn): number {
  // SINCE 4.12: before, the gap was the stack's own lowest page.
  if (!machine.generation.switches.stackGapOutside) return expandStack_3(machine, vma, vpn);
  const { vmMm: mm } = vma;
  if ((vma.vmFlags & VM_GROWSDOWN) === 0) return -EFAULT;
  if (vpn * PAGE_SIZE < MMAP_MIN_ADDR) return -EPERM;
  const prev = mm.vmas.prev(vma);
  const blocks = prev !== null && (prev.vmFlags & VM_GROWSDOWN) === 0 && (prev.vmFlags & VM_ACCESS_FLAGS) !== 0;
  if (blocks && vpn - prev.vmEnd < machine.sysctl.stackGuardGap) return -ENOMEM;
  if (machine.rmap.anonVmaPrepare(vma) < 0) return -ENOMEM;
  return growDown(machine, vma, vpn);
}

// remap_file_pages

/** remap_file_pages(2): another part of the file at the same place. Once nonlinear mappings; since 4.0 a new mmap. */
export function doRemapFilePages(
  machine: Machine,
  mm: Mm,
  addr: number,
  size: number,
  prot: number,
  pgoff: number,
  flags: number,
): number {
  if (prot !== 0) return -EINVAL;
  const start = vpnOf(addr);
  const end = (start + vpnOf(size)) as Vpn;
  if (end <= start || end * PAGE_SIZE >= ADDRESS_END) return -EINVAL;
  const vma = mm.vmas.findExact(start);
  if (vma === null || (vma.vmFlags & VM_SHARED) === 0 || !coversAlike(mm, vma, end)) return -EINVAL;
  const file = vma.vmFile!;
  const locked = (vma.vmFlags & VM_LOCKED) !== 0 ? MAP_LOCKED : 0;
  const remapFlags = (flags & MAP_NONBLOCK) | MAP_SHARED | MAP_FIXED | MAP_POPULATE | locked;
  // The old mapping may hold the last reference.
  getFile(file);
  const at = mapFileOrMemory(
    machine,
    mm,
    start * PAGE_SIZE,
    (end - start) * PAGE_SIZE,
    vma.vmFlags & VM_ACCESS_FLAGS,
    remapFlags,
    file,
    pgoff,
  );
  putFile(machine, file);
  return at < 0 ? at : 0;
}

/** From `vma` up to `end` there are only mappings of the same file with the same flags, and no hole. */
function coversAlike(mm: Mm, vma: Vma, end: Vpn): boolean {
  let last = vma;
  while (last.vmEnd < end) {
    const next = mm.vmas.next(last);
    if (next === null || next.vmStart !== last.vmEnd) return false;
    if (next.vmFile !== vma.vmFile || next.vmFlags !== vma.vmFlags) return false;
    last = next;
  }
  return true;
}
