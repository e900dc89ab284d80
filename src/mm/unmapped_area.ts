/**
 * Where a new mapping goes.
 *
 *    mmap_base ─┐
 *   ░░░░░░░░░░░░│▓▓▓▓ libs ▓▓▓▓░░░░░░░▓▓▓▓▓░░░[guard 256]▓▓ stack ▓▓     the highest gap below mmap_base that is wide enough,
 *   ──────────► addresses                                                and in it the upper end; bottom-up if there is none
 *
 * Promises  1. What is returned is free, page-aligned and below the end of user space (MAP_FIXED: perhaps not free).
 *           2. No new mapping touches the guard gap below a stack (VM_GROWSDOWN).
 *           3. Whole multiples of 2 MiB of anonymous memory begin on a 2 MiB boundary, so that huge pages fit.
 * Linux     6.18 mm/mmap.c: __get_unmapped_area; arch/x86/kernel/sys_x86_64.c: arch_get_unmapped_area_topdown; mm/vma.c:
 *           unmapped_area_topdown unmapped_area; mm/huge_memory.c: __thp_get_unmapped_area
 * Before    6.1: only files of a disk are aligned
 */
import { EINVAL, ENOMEM, EPERM } from './errno.ts';
import type { File } from './fs.ts';
import type { Machine } from './machine.ts';
import { MMAP_MIN_ADDR, type Mm, TASK_SIZE } from './mm.ts';
import { MAP_32BIT, MAP_ABOVE4G, MAP_FIXED, MAP_SHARED } from './uapi.ts';
import { NO_VPN, PAGE_SIZE, type Pgoff, type Vaddr, type Vpn, vpnOf } from './units.ts';
import { VM_GROWSDOWN } from './vm_flags.ts';
import type { Vma } from './vma.ts';

const PMD_PAGES = 512;
/** MAP_32BIT: the second gigabyte. */
export const LOW_BEGIN = 0x40000000;
export const LOW_END = 0x80000000;
const FOUR_GIB = 2 ** 32;
/** Kept free for a stack, whatever its limit is. */
const LEAST_GAP = 128 * 2 ** 20;
const MOST_GAP: number = Math.floor(TASK_SIZE / 6) * 5;

/** An address for `pages` pages, or -errno. `addr` is a hint, or with MAP_FIXED an order. */
export function getUnmappedArea(
  machine: Machine,
  mm: Mm,
  file: File | null,
  addr: number,
  pages: number,
  pgoff: Pgoff,
  flags: number,
): number {
  if (pages * PAGE_SIZE > mm.taskSize) return -ENOMEM;
  const onDisk = file !== null && file.inode.kind !== 'tmpfs';
  const wholeHuge =
    file === null &&
    (flags & MAP_SHARED) === 0 &&
    addr === 0 &&
    pages % PMD_PAGES === 0 &&
    machine.generation.switches.thpAlignment;
  const found =
    (flags & MAP_FIXED) !== 0
      ? addr
      : onDisk || wholeHuge
        ? thpGetUnmappedArea(machine, mm, addr, pages, onDisk ? pgoff : 0, flags)
        : plainGetUnmappedArea(machine, mm, addr, pages, flags);
  return checkedPlace(mm, found, pages);
}

/** A place found or ordered, if a program may have it there. */
export function checkedPlace(mm: Mm, found: number, pages: number): number {
  if (found < 0) return found;
  if (found > mm.taskSize - pages * PAGE_SIZE) return -ENOMEM;
  if (found % PAGE_SIZE !== 0) return -EINVAL;
  return found < MMAP_MIN_ADDR ? -EPERM : found;
}

/** Where mmap goes down from, below a stack that may become as large as its limit, and `guard` bytes. */
export function topdownBase(mm: Mm, guard: number): Vaddr {
  const gap = Math.min(Math.max(mm.rlimitStack + guard, LEAST_GAP), MOST_GAP);
  return (Math.ceil((TASK_SIZE - gap) / PAGE_SIZE) * PAGE_SIZE) as Vaddr;
}

/** A third of the way up: where bottom-up searches begin (TASK_UNMAPPED_BASE). */
export function taskUnmappedBase(mm: Mm): Vaddr {
  return (Math.ceil(mm.taskSize / 3 / PAGE_SIZE) * PAGE_SIZE) as Vaddr;
}

/** First page of the guard gap below a stack; vmStart of any other VMA, and of one that has its guard inside. */
export function vmStartGap(machine: Machine, vma: Vma): Vpn {
  if ((vma.vmFlags & VM_GROWSDOWN) === 0 || !machine.generation.switches.stackGapOutside) return vma.vmStart;
  return Math.max(0, vma.vmStart - machine.sysctl.stackGuardGap) as Vpn;
}

/** Looks for 2 MiB more than needed, and takes of that the part that is aligned as the file offset is. */
function thpGetUnmappedArea(
  machine: Machine,
  mm: Mm,
  addr: number,
  pages: number,
  pgoff: number,
  flags: number,
): number {
  const firstHuge = Math.ceil(pgoff / PMD_PAGES) * PMD_PAGES;
  if (pgoff + pages - firstHuge >= PMD_PAGES) {
    const padded = plainGetUnmappedArea(machine, mm, addr, pages + PMD_PAGES, flags);
    if (padded >= 0) {
      if (padded === addr) return addr;
      const start = vpnOf(padded);
      const shift = (((pgoff - start) % PMD_PAGES) + PMD_PAGES) % PMD_PAGES;
      // Aligned as it is: the upper end of the padded range leaves no hole above it.
      const upper = shift === 0 && machine.generation.switches.thpAlignment;
      return (start + (upper ? PMD_PAGES : shift)) * PAGE_SIZE;
    }
  }
  return plainGetUnmappedArea(machine, mm, addr, pages, flags);
}

function plainGetUnmappedArea(machine: Machine, mm: Mm, addr: number, pages: number, flags: number): number {
  const length = pages * PAGE_SIZE;
  if (length > mm.taskSize) return -ENOMEM;
  const hint = vpnOf(addr);
  if ((flags & MAP_32BIT) === 0) {
    if (addr !== 0 && addr <= mm.taskSize - length && isFreeAbove(machine, mm, hint, pages)) return hint * PAGE_SIZE;
    const low = (flags & MAP_ABOVE4G) !== 0 ? FOUR_GIB : MMAP_MIN_ADDR;
    const found = unmappedAreaTopdown(machine, mm, pages, vpnOf(low), vpnOf(mm.mmapBase));
    if (found !== NO_VPN) return found * PAGE_SIZE;
  }
  const low = (flags & MAP_32BIT) !== 0 ? LOW_BEGIN : taskUnmappedBase(mm);
  const end = (flags & MAP_32BIT) !== 0 ? LOW_END : mm.taskSize;
  if (length > end) return -ENOMEM;
  if (addr !== 0 && addr <= end - length && isFreeAbove(machine, mm, hint, pages)) return hint * PAGE_SIZE;
  const found = unmappedAreaBottomup(machine, mm, pages, vpnOf(low), vpnOf(end));
  return found === NO_VPN ? -ENOMEM : found * PAGE_SIZE;
}

/** Nothing is mapped there. */
export function isFreeRange(mm: Mm, start: Vpn, pages: number): boolean {
  const next = mm.vmas.find(start);
  return next === null || start + pages <= next.vmStart;
}

/** What follows `start` leaves room for `pages`, and for its guard gap. */
function isFreeAbove(machine: Machine, mm: Mm, start: Vpn, pages: number): boolean {
  const next = mm.vmas.find(start);
  return next === null || start + pages <= vmStartGap(machine, next);
}

function unmappedAreaTopdown(machine: Machine, mm: Mm, pages: number, low: Vpn, high: Vpn): Vpn {
  let limit = high;
  for (;;) {
    const found = mm.vmas.highestGap(pages, low, limit);
    if (found === NO_VPN) return NO_VPN;
    const above = mm.vmas.find(found);
    if (above === null) return found;
    const guard = vmStartGap(machine, above);
    if (guard >= found + pages) return found;
    limit = guard;
  }
}

function unmappedAreaBottomup(machine: Machine, mm: Mm, pages: number, low: Vpn, high: Vpn): Vpn {
  let limit = low;
  for (;;) {
    const found = mm.vmas.lowestGap(pages, limit, high);
    if (found === NO_VPN) return NO_VPN;
    const above = mm.vmas.find(found);
    if (above === null || vmStartGap(machine, above) >= found + pages) return found;
    limit = above.vmEnd;
  }
}
