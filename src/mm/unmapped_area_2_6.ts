/**
 * Where a new mapping goes in 2.6: a walk over the VMAs that begins where the last one ended.
 *
 *    top-down        ┌ free_area_cache: look right below it first           bottom-up       TASK_UNMAPPED_BASE
 *   ░░░░░░░▓▓░░░░░▓▓▓│▓▓▓▓▓▓▓░░▓▓▓▓│mmap_base ▓▓ stack                       │▓▓▓░▓▓▓▓░░│free_area_cache …
 *                 ◄──┘         ▲                                                 ▲
 *                              └ cached_hole_size: the largest hole that was passed by; what fits there starts over
 *
 * Owns      Mm.freeAreaCache, Mm.cachedHoleSize, Mm.getUnmappedArea.
 * Promises  1. What is returned is free, page-aligned and below the end of user space (MAP_FIXED: perhaps not free).
 *           2. A search that reaches the end begins anew once, from the base: what is free somewhere is found.
 *           3. Good at: many mappings in a row. Bad at: large ones among small holes; the walk goes through all VMAs.
 * Linux     2.6.24 mm/mmap.c: arch_get_unmapped_area arch_get_unmapped_area_topdown arch_unmap_area arch_unmap_area_topdown;
 *           arch/x86/mm/mmap_32.c: mmap_base arch_pick_mmap_layout
 * After     3.8: gaps in the tree of VMAs; unmapped_area.ts
 */
import { ENOMEM } from './errno.ts';
import type { File } from './fs.ts';
import type { Machine } from './machine.ts';
import { type Mm, TASK_SIZE } from './mm.ts';
import { MAP_32BIT, MAP_FIXED } from './uapi.ts';
import { PAGE_SIZE, type Pgoff, type Vaddr, type Vpn, vpnOf } from './units.ts';
import { checkedPlace, isFreeRange, LOW_BEGIN, LOW_END, topdownBase } from './unmapped_area.ts';
import type { Vma } from './vma.ts';

/** A third of the way up. */
const TASK_UNMAPPED_BASE: Vpn = Math.ceil(TASK_SIZE / 3 / PAGE_SIZE) as Vpn;
/** "All that fits": the next search begins at the base. */
const ANY_HOLE: number = Number.MAX_SAFE_INTEGER;

/** An address for `pages` pages, or -errno. `addr` is a hint, or with MAP_FIXED an order. */
export function getUnmappedArea_2_6(
  _machine: Machine,
  mm: Mm,
  _file: File | null,
  addr: number,
  pages: number,
  _pgoff: Pgoff,
  flags: number,
): number {
  if (pages * PAGE_SIZE > mm.taskSize) return -ENOMEM;
  return checkedPlace(mm, (flags & MAP_FIXED) !== 0 ? addr : place(mm, addr, pages, flags), pages);
}

/** exec: where mmap goes down from; up from a third of user space where the stack has no limit. */
export function pickMmapLayout_2_6(mm: Mm): Vaddr {
  mm.freeAreaCache = null;
  mm.cachedHoleSize = 0;
  if (mm.rlimitStack === Number.POSITIVE_INFINITY) {
    mm.getUnmappedArea = 'arch_get_unmapped_area';
    return (TASK_UNMAPPED_BASE * PAGE_SIZE) as Vaddr;
  }
  mm.getUnmappedArea = 'arch_get_unmapped_area_topdown';
  return topdownBase(mm, 0);
}

function place(mm: Mm, addr: number, pages: number, flags: number): number {
  const end = vpnOf((flags & MAP_32BIT) !== 0 ? LOW_END : mm.taskSize);
  const hint = Math.ceil(addr / PAGE_SIZE) as Vpn;
  if (addr !== 0 && hint <= end - pages && isFreeRange(mm, hint, pages)) return hint * PAGE_SIZE;
  const topdown = mm.getUnmappedArea === 'arch_get_unmapped_area_topdown' && (flags & MAP_32BIT) === 0;
  const found = topdown ? searchDown(mm, pages) : searchUp(mm, pages, baseOf(flags), end);
  return found < 0 ? -ENOMEM : found * PAGE_SIZE;
}

function baseOf(flags: number): Vpn {
  return (flags & MAP_32BIT) !== 0 ? vpnOf(LOW_BEGIN) : TASK_UNMAPPED_BASE;
}

// upwards

/** -1: nothing is wide enough. */
function searchUp(mm: Mm, pages: number, base: Vpn, end: Vpn): number {
  let start: Vpn = mm.freeAreaCache ?? base;
  if (pages <= mm.cachedHoleSize || start < base || start > end) {
    start = base;
    mm.cachedHoleSize = 0;
  }
  let at = start as number;
  for (let vma = mm.vmas.find(start); ; vma = mm.vmas.next(vma)) {
    if (end - pages < at) {
      if (start === base) return -1;
      // Once more from the beginning: holes behind us may have been passed by.
      start = base;
      at = base;
      mm.cachedHoleSize = 0;
      vma = mm.vmas.find(base);
      if (end - pages < at) return -1;
    }
    if (vma === null || at + pages <= vma.vmStart) {
      mm.freeAreaCache = (at + pages) as Vpn;
      return at;
    }
    mm.cachedHoleSize = Math.max(mm.cachedHoleSize, vma.vmStart - at);
    at = vma.vmEnd;
  }
}

// downwards

function searchDown(mm: Mm, pages: number): number {
  const base = vpnOf(mm.mmapBase);
  if (pages <= mm.cachedHoleSize) {
    mm.cachedHoleSize = 0;
    mm.freeAreaCache = null;
  }
  const cached = mm.freeAreaCache ?? base;
  if (cached > pages) {
    const above = mm.vmas.find((cached - pages) as Vpn);
    if (above === null || cached <= above.vmStart) return remember(mm, cached - pages);
  }
  for (let at = base - pages; at > 0; ) {
    const vma = mm.vmas.find(at as Vpn);
    if (vma === null || at + pages <= vma.vmStart) return remember(mm, at);
    mm.cachedHoleSize = Math.max(mm.cachedHoleSize, vma.vmStart - at);
    at = vma.vmStart - pages;
  }
  // Nothing below: perhaps above, between the base and the stack. The next search goes down again.
  mm.cachedHoleSize = ANY_HOLE;
  mm.freeAreaCache = null;
  const found = searchUp(mm, pages, TASK_UNMAPPED_BASE, vpnOf(mm.taskSize));
  mm.freeAreaCache = null;
  mm.cachedHoleSize = ANY_HOLE;
  return found;
}

function remember(mm: Mm, start: number): number {
  mm.freeAreaCache = start as Vpn;
  return start;
}

// unmapping

/** Everything between two VMAs is free now: the next search looks there (mm->unmap_area). */
export function areaUnmapped_2_6(mm: Mm, prev: Vma | null, next: Vma | null): void {
  if (mm.getUnmappedArea === 'arch_get_unmapped_area_topdown') {
    const base = vpnOf(mm.mmapBase);
    const free = next?.vmStart ?? base;
    const cached = mm.freeAreaCache ?? base;
    mm.freeAreaCache = Math.min(Math.max(cached, free), base) as Vpn;
    return;
  }
  const free = prev?.vmEnd ?? vpnOf(mm.mmapBase);
  if (free < TASK_UNMAPPED_BASE || mm.freeAreaCache === null || free >= mm.freeAreaCache) return;
  mm.freeAreaCache = free;
  mm.cachedHoleSize = ANY_HOLE;
}
