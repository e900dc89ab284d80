/**
 * /proc/PID/clear_refs: forgets that the pages of an address space were used, so that a later look at smaps says what was since.
 *
 * Owns      the walk that takes the marks away.
 * Promises  No page goes, and nothing is written to one.
 * Linux     2.6.24 fs/proc/task_mmu.c: clear_refs_write clear_refs_pte_range
 */
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { PG_referenced } from './page_flags.ts';
import { PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import type { Vpn } from './units.ts';

/** Writing `1`: the young bits of all entries, and PG_referenced of their pages. */
export function clearRefs(machine: Machine, mm: Mm): void {
  const { pageTables, frames } = machine;
  for (const vma of mm.vmas) {
    let at = pageTables.nextTable(mm.pageTables, vma.vmStart, vma.vmEnd);
    for (; at < vma.vmEnd; at = pageTables.nextTable(mm.pageTables, (at + 1) as Vpn, vma.vmEnd)) {
      const slot = pageTables.slotOf(mm.pageTables, at);
      if (!pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
      pageTables.clear(slot, PTE_YOUNG);
      frames.clear(pageTables.pfn(slot), PG_referenced);
    }
  }
}
