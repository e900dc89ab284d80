/**
 * A merged page that comes back from swap: whoever is not first gets a copy.
 *
 *     swap slot 40, count 3 ──► first fault: frame 512 in the swap cache, anonymous memory of process A
 *                           ──► B's fault: frame 512 belongs to A's anon_vma, so B gets frame 513 with the same content
 *
 * Owns      the copy, and who gets it.
 * Promises  A page that is back from swap is of one anon_vma: nobody else maps it.
 * Linux     3.16 mm/ksm.c: ksm_might_need_to_copy; mm/memory.c: do_swap_page
 */
import { VM_FAULT_OOM } from './fault.ts';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from './gfp.ts';
import type { Machine } from './machine.ts';
import { memCgroupCharge } from './memcg.ts';
import { MM_ANONPAGES, MM_SWAPENTS } from './mm.ts';
import { allocPages, putPage } from './page_alloc.ts';
import { PG_dirty, PG_locked, PG_uptodate } from './page_flags.ts';
import { PTE_DIRTY, PTE_RW, PTE_YOUNG } from './page_table.ts';
import { folioFreeSwap, swapFree } from './swap/swapfile.ts';
import { NO_PFN, type Pfn, type SwapEntry, type Vpn } from './units.ts';
import { VM_WRITE } from './vm_flags.ts';
import type { Vma } from './vma.ts';

/** Maps a copy of `pfn`, which is in the swap cache for `entry`, locked and held; lets it go. VM_FAULT_ bits. */
export function swapInCopy(
  machine: Machine,
  vma: Vma,
  vpn: Vpn,
  slot: number,
  entry: SwapEntry,
  pfn: Pfn,
  write: boolean,
): number {
  const { frames, pageTables } = machine;
  const { rss, memcg, pageTables: root } = vma.vmMm;
  const bits = pageTables.bits[slot]!;
  const copy = allocPages(machine, GFP_HIGHUSER_MOVABLE, 0);
  if (copy === NO_PFN || memCgroupCharge(machine, copy, memcg, GFP_KERNEL) < 0) {
    if (copy !== NO_PFN) putPage(machine, copy);
    letGo(machine, pfn);
    return VM_FAULT_OOM;
  }
  const same = pageTables.slotOf(root, vpn) === slot && pageTables.bits[slot] === bits;
  if (!same || pageTables.value[slot] !== entry) {
    putPage(machine, copy);
    letGo(machine, pfn);
    return 0;
  }
  frames.setToken(copy, frames.token(pfn));
  // It is in no slot: what is not written may not be dropped.
  frames.set(copy, PG_uptodate | PG_dirty);
  rss[MM_ANONPAGES]! += 1;
  rss[MM_SWAPENTS]! -= 1;
  machine.rmap.addNewAnon(copy, vma, vpn);
  machine.lru.addVma(copy, vma);
  const rw = (vma.vmFlags & VM_WRITE) !== 0 ? PTE_RW | PTE_DIRTY : PTE_DIRTY;
  pageTables.setPresent(slot, copy, vma.vmPageProt | PTE_YOUNG | (write ? rw : 0));
  swapFree(machine, entry);
  if (frames.mapcount(pfn) === 0) folioFreeSwap(machine, pfn);
  letGo(machine, pfn);
  return 0;
}

function letGo(machine: Machine, pfn: Pfn): void {
  machine.frames.clear(pfn, PG_locked);
  putPage(machine, pfn);
}
