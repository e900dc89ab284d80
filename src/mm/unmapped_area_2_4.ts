/**
 * Where a new mapping goes in 2.4: the first gap from a third of user space upwards that is wide enough.
 *
 *    0 ── program ── heap ──►   │ TASK_SIZE / 3: libs, then mmap after mmap ──►            ◄── stack │ TASK_SIZE
 *
 *    Good at: nothing to remember. Bad at: each mmap walks all VMAs from there (free_area_cache came in 2.6).
 *
 * Owns      the search.
 * Promises  1. What is returned is free, page-aligned and below the end of user space (MAP_FIXED: perhaps not free).
 *           2. No gap is kept below a stack, none above it.
 * Linux     2.4.20 mm/mmap.c: get_unmapped_area arch_get_unmapped_area
 *
 * DIFFERS: user space ends at 2**47 as on x86-64, so that the same programs run on all kernels; on i386 it is 3 GiB.
 */
import { EINVAL, ENOMEM } from './errno.ts';
import type { File } from './fs.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { MAP_FIXED } from './uapi.ts';
import { PAGE_SIZE, type Pgoff, vpnOf } from './units.ts';
import { isFreeRange, taskUnmappedBase } from './unmapped_area.ts';

/** An address for `pages` pages, or -errno. `addr` is a hint, or with MAP_FIXED an order. */
export function getUnmappedArea_2_4(
  _machine: Machine,
  mm: Mm,
  _file: File | null,
  addr: number,
  pages: number,
  _pgoff: Pgoff,
  flags: number,
): number {
  const length = pages * PAGE_SIZE;
  if (length > mm.taskSize) return -ENOMEM;
  if ((flags & MAP_FIXED) !== 0) {
    if (addr > mm.taskSize - length) return -ENOMEM;
    return addr % PAGE_SIZE === 0 ? addr : -EINVAL;
  }
  const hint = vpnOf(Math.ceil(addr / PAGE_SIZE) * PAGE_SIZE);
  if (addr !== 0 && hint * PAGE_SIZE <= mm.taskSize - length && isFreeRange(mm, hint, pages)) return hint * PAGE_SIZE;
  let at = vpnOf(taskUnmappedBase(mm));
  for (let vma = mm.vmas.find(at); ; vma = mm.vmas.next(vma)) {
    if ((at + pages) * PAGE_SIZE > mm.taskSize) return -ENOMEM;
    if (vma === null || at + pages <= vma.vmStart) return at * PAGE_SIZE;
    at = vma.vmEnd;
  }
}
