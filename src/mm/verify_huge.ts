/**
 * Is every huge mapping, and every large folio, what its counters say?
 *
 * Promises  Nothing is changed. Mappings are counted from the page tables alone, and only then compared. No line: all is well.
 */
import { folioPages, HPAGE_PMD_NR } from './folio.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { compoundHead } from './page_alloc.ts';
import { PG_head } from './page_flags.ts';
import { NO_SLOT, PTE_HUGE, PTE_SPECIAL } from './page_table.ts';
import type { Pfn, Vpn } from './units.ts';
import { NR_ANON_THPS } from './vmstat.ts';

interface Counted {
  /** Mappings of 2 MiB, and entries. */
  entire: number;
  entries: number;
}

export function verifyHuge(machine: Machine): string[] {
  const found: string[] = [];
  if (machine.largeFolios.size === 0 && machine.hugeZeroPfn < 0) return found;
  const counted = new Map<Pfn, Counted>();
  for (const mm of machine.mms) countMappings(machine, mm, counted, found);
  let mappedWhole = 0;
  for (const [head, large] of machine.largeFolios) {
    const { entire, entries } = counted.get(head) ?? { entire: 0, entries: 0 };
    if (!machine.frames.has(head, PG_head)) found.push(`frame ${head} is no head of a large folio`);
    if (large.entireMapcount !== entire)
      found.push(`folio ${head}: entireMapcount is ${large.entireMapcount}, mappings of 2 MiB: ${entire}`);
    if (large.mapcount !== entire + entries)
      found.push(`folio ${head}: mapcount is ${large.mapcount}, mappings and entries: ${entire + entries}`);
    const pages = pagesMapped(machine, head);
    if (large.pagesMapped !== pages) found.push(`folio ${head}: pagesMapped is ${large.pagesMapped}, frames: ${pages}`);
    if (entire > 0) mappedWhole += HPAGE_PMD_NR;
  }
  for (const head of counted.keys()) {
    if (!machine.largeFolios.has(head)) found.push(`folio ${head} is mapped, and nothing is known of it`);
  }
  for (const head of machine.deferredSplit) {
    if (!machine.largeFolios.has(head)) found.push(`folio ${head} waits for its split, and is gone`);
  }
  const stat = machine.nodes.reduce((sum, pgdat) => sum + pgdat.stat[NR_ANON_THPS]!, 0);
  if (stat !== mappedWhole) found.push(`NR_ANON_THPS is ${stat}, mapped as a whole: ${mappedWhole}`);
  return found;
}

function pagesMapped(machine: Machine, head: Pfn): number {
  let pages = 0;
  for (let i = folioPages(machine, head) - 1; i >= 0; i--)
    if (machine.frames.mapcount((head + i) as Pfn) > 0) pages += 1;
  return pages;
}

/** A table is huge in all entries or in none, aligned in its VMA, and its frames are a folio in order. */
function countMappings(machine: Machine, mm: Mm, counted: Map<Pfn, Counted>, found: string[]): void {
  const { pageTables, frames } = machine;
  for (const vma of mm.vmas) {
    for (let at = pageTables.nextTable(mm.pageTables, vma.vmStart, vma.vmEnd); at < vma.vmEnd; ) {
      const end = Math.min(vma.vmEnd, at - (at & 511) + HPAGE_PMD_NR);
      const slot = pageTables.slotOf(mm.pageTables, at);
      if (slot !== NO_SLOT && pageTables.isHuge(slot)) {
        checkTable(machine, mm, at, end, slot, counted, found);
      } else {
        for (let vpn = at; vpn < end; vpn++) {
          const entry = pageTables.slotOf(mm.pageTables, vpn);
          if (!pageTables.isPresent(entry) || pageTables.has(entry, PTE_SPECIAL)) continue;
          const head = compoundHead(machine, pageTables.pfn(entry));
          if (frames.has(head, PG_head) && frames.isAnon(head)) countOf(counted, head).entries += 1;
        }
      }
      at = pageTables.nextTable(mm.pageTables, end as Vpn, vma.vmEnd);
    }
  }
}

function checkTable(
  machine: Machine,
  mm: Mm,
  at: Vpn,
  end: number,
  slot: number,
  counted: Map<Pfn, Counted>,
  found: string[],
): void {
  const { pageTables } = machine;
  const where = `mm ${mm.id}, huge mapping at 0x${(at * 4096).toString(16)}`;
  const first = pageTables.tableStart(slot);
  const head = pageTables.pfn(first);
  const zero = pageTables.has(first, PTE_SPECIAL);
  if (at % HPAGE_PMD_NR !== 0 || end - at !== HPAGE_PMD_NR) found.push(`${where}: it reaches over its VMA`);
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    const wanted = zero ? machine.zeroPfn : head + i;
    if (!pageTables.has(first + i, PTE_HUGE) || pageTables.pfn(first + i) !== wanted)
      found.push(`${where}: entry ${i} is not part of it`);
  }
  if (!zero) countOf(counted, head).entire += 1;
}

function countOf(counted: Map<Pfn, Counted>, head: Pfn): Counted {
  const known = counted.get(head) ?? { entire: 0, entries: 0 };
  counted.set(head, known);
  return known;
}
