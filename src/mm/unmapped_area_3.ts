/**
 * Where a new mapping goes in 3.16: by the gaps that the tree of VMAs keeps.
 *
 *    mmap_base ─┐
 *   ░░░░░░░░░░░░│▓▓▓▓ libs ▓▓▓▓░░░░░░░▓▓▓▓▓░░░▓▓ stack ▓▓   highest_vm_end first, then down the tree, right children before left:
 *   ──────────► addresses                                    the first gap that is wide enough, and in it the upper end
 *
 * Owns      Mm.getUnmappedArea: the direction, which exec chooses by the stack's limit.
 * Promises  1. What is returned is free, page-aligned and below the end of user space (MAP_FIXED: perhaps not free).
 *           2. No gap is kept below a stack: its guard is its own lowest page.
 * Linux     3.16 mm/mmap.c: get_unmapped_area unmapped_area unmapped_area_topdown; arch/x86/kernel/sys_x86_64.c:
 *           arch_get_unmapped_area arch_get_unmapped_area_topdown find_start_end; arch/x86/mm/mmap.c: mmap_base arch_pick_mmap_layout
 * Before    2.6: free_area_cache and a walk over the list. 6.x: unmapped_area.ts
 */
import { ENOMEM } from './errno.ts';
import type { File } from './fs.ts';
import type { Machine } from './machine.ts';
import { MMAP_MIN_ADDR, type Mm } from './mm.ts';
import { MAP_32BIT, MAP_FIXED } from './uapi.ts';
import { NO_VPN, PAGE_SIZE, type Pgoff, type Vaddr, type Vpn, vpnOf } from './units.ts';
import { checkedPlace, LOW_BEGIN, LOW_END, topdownBase } from './unmapped_area.ts';

/** An address for `pages` pages, or -errno. `addr` is a hint, or with MAP_FIXED an order. */
export function getUnmappedArea_3(
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

/** mmap goes down from here; upwards from a third of user space where the stack has no limit (arch_pick_mmap_layout). */
export function pickMmapLayout_3(mm: Mm): Vaddr {
  if (mm.rlimitStack === Number.POSITIVE_INFINITY) {
    mm.getUnmappedArea = 'arch_get_unmapped_area';
    return mm.mmapLegacyBase;
  }
  mm.getUnmappedArea = 'arch_get_unmapped_area_topdown';
  return topdownBase(mm, 0);
}

function place(mm: Mm, addr: number, pages: number, flags: number): number {
  const low32 = (flags & MAP_32BIT) !== 0;
  if (mm.getUnmappedArea === 'arch_get_unmapped_area_topdown' && !low32) {
    if (isFree(mm, addr, pages, mm.taskSize)) return vpnOf(addr) * PAGE_SIZE;
    const found = mm.vmas.highestGap(pages, vpnOf(MMAP_MIN_ADDR), vpnOf(mm.mmapBase));
    if (found !== NO_VPN) return found * PAGE_SIZE;
  }
  const end = low32 ? LOW_END : mm.taskSize;
  if (pages * PAGE_SIZE > end) return -ENOMEM;
  if (isFree(mm, addr, pages, end)) return vpnOf(addr) * PAGE_SIZE;
  const found = mm.vmas.lowestGap(pages, vpnOf(low32 ? LOW_BEGIN : mm.mmapLegacyBase), vpnOf(end));
  return found === NO_VPN ? -ENOMEM : found * PAGE_SIZE;
}

/** The hint can be had: nothing is mapped there. */
function isFree(mm: Mm, addr: number, pages: number, end: number): boolean {
  if (addr === 0 || addr > end - pages * PAGE_SIZE) return false;
  const start = vpnOf(addr);
  return mm.vmas.findIntersection(start, (start + pages) as Vpn) === null;
}
