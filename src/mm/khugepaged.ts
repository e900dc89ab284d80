/**
 * MADV_COLLAPSE: 512 pages become a huge page, at once.
 *
 * Promises  1. What the range shows does not change; pages of others that share it stay theirs.
 *           2. Aligned 2 MiB of the range are tried in ascending order. One that cannot be collapsed now (its pages are in use)
 *              is passed over, one that never can ends the call.
 * Linux     6.18 mm/khugepaged.c: madvise_collapse madvise_collapse_errno hpage_collapse_scan_pmd collapse_huge_page
 *           alloc_charge_folio __collapse_huge_page_swapin __collapse_huge_page_isolate __collapse_huge_page_copy_succeeded
 *
 * DIFFERS: khugepaged itself is not modelled: it scans a few pages every ten seconds.
 * DIFFERS: pages of files and tmpfs are not collapsed: as with shmem_enabled=never and CONFIG_READ_ONLY_THP_FOR_FS=n.
 */
import { EAGAIN, EBUSY, EINVAL, ENOMEM } from './errno.ts';
import { FAULT_FLAG_ALLOW_RETRY, VM_FAULT_ERROR, VM_FAULT_RETRY } from './fault.ts';
import { freeSwapCacheIfUnmapped, swapInEntry } from './faults.ts';
import { deferredSplitFolio, folioMapcount, folioPages, HPAGE_PMD_NR, HPAGE_PMD_ORDER } from './folio.ts';
import { GFP_TRANSHUGE, isHugeSuitable, setHugePage } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import { countMemcgEvents, memCgroupCharge } from './memcg.ts';
import { MM_ANONPAGES } from './mm.ts';
import { allocPages, compoundHead, putPage } from './page_alloc.ts';
import { PG_locked, PG_lru, PG_swapcache, PG_uptodate } from './page_flags.ts';
import { NO_SLOT, PTE_RW, PTE_SPECIAL } from './page_table.ts';
import { NO_PFN, type Pfn, type Vpn, ZERO_TOKEN } from './units.ts';
import { VM_HUGETLB, VM_NOHUGEPAGE, VM_SPECIAL } from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { THP_COLLAPSE_ALLOC, THP_COLLAPSE_ALLOC_FAILED } from './vmstat.ts';

/** What came of 2 MiB: 0 a huge page is there; else -errno. After some the next 2 MiB are tried all the same. */
type Outcome = number;
const COLLAPSED = 0;
/** Nothing here can be written: -EINVAL in the end. */
const READ_ONLY = -1000;

/** Collapses what lies in [start, end), a part of an anonymous `vma`. 0 or -errno: that of the last 2 MiB that failed. */
export function madviseCollapse(machine: Machine, vma: Vma, start: Vpn, end: Vpn): number {
  if (!mayCollapse(vma)) return -EINVAL;
  machine.lru.drain();
  const first = Math.ceil(start / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  const last = Math.floor(end / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  let failed = -EINVAL;
  let collapsed = 0;
  for (let at = first; at < last; at += HPAGE_PMD_NR) {
    const outcome = collapse(machine, vma, at as Vpn);
    if (outcome === COLLAPSED) {
      collapsed += 1;
      continue;
    }
    failed = outcome === READ_ONLY ? -EINVAL : outcome;
    if (outcome !== -EAGAIN && outcome !== READ_ONLY) break;
  }
  return collapsed === (last - first) / HPAGE_PMD_NR ? 0 : failed;
}

function mayCollapse(vma: Vma): boolean {
  if ((vma.vmFlags & (VM_NOHUGEPAGE | VM_SPECIAL | VM_HUGETLB)) !== 0 || vma.anonVma === null) return false;
  return isHugeSuitable(vma, (vma.vmEnd - HPAGE_PMD_NR) as Vpn);
}

/** The 2 MiB from `start` on. */
export function collapse(machine: Machine, vma: Vma, start: Vpn): Outcome {
  const { pageTables } = machine;
  const first = pageTables.slotOf(vma.vmMm.pageTables, start);
  if (first === NO_SLOT) return -EINVAL;
  if (pageTables.isHuge(first)) return COLLAPSED;
  const refused = scan(machine, first);
  if (refused < 0) return refused;
  const head = allocCharged(machine, vma);
  if (head < 0) return head === NO_PFN ? -ENOMEM : -EBUSY;
  const brought = swapIn(machine, vma, start, first);
  const held = brought < 0 ? brought : isolate(machine, first);
  if (held < 0) {
    putPage(machine, head);
    return held;
  }
  copyPages(machine, vma, first, head);
  machine.frames.set(head, PG_uptodate);
  setHugePage(machine, vma, start, head);
  if (machine.generation.switches.hugeFolios) deferredSplitFolio(machine, head, false);
  return COLLAPSED;
}

/** Is every page one of ours that nobody works on? */
function scan(machine: Machine, first: number): Outcome {
  const { pageTables, frames } = machine;
  let writable = machine.generation.switches.hugeFolios;
  for (let slot = first; slot < first + HPAGE_PMD_NR; slot++) {
    if (!pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
    const folio = compoundHead(machine, pageTables.pfn(slot));
    if (!frames.isAnon(folio)) return -EINVAL;
    if (!frames.has(folio, PG_lru) || frames.has(folio, PG_locked) || hasStrangers(machine, folio)) return -EAGAIN;
    if (pageTables.has(slot, PTE_RW)) writable = true;
  }
  // SINCE 6.14: before, memory that can nowhere be written was not worth it.
  return writable ? 0 : READ_ONLY;
}

/** Somebody besides page tables and the swap cache has a reference. */
function hasStrangers(machine: Machine, folio: Pfn): boolean {
  const { frames } = machine;
  const cached = frames.has(folio, PG_swapcache) ? folioPages(machine, folio) : 0;
  return frames.refcount(folio) !== folioMapcount(machine, folio) + cached;
}

const NOT_CHARGED = -2 as Pfn;

function allocCharged(machine: Machine, vma: Vma): Pfn {
  const { memcg } = vma.vmMm;
  const head = allocPages(machine, GFP_TRANSHUGE, HPAGE_PMD_ORDER);
  if (head === NO_PFN) {
    machine.events[THP_COLLAPSE_ALLOC_FAILED]! += 1;
    return NO_PFN;
  }
  machine.events[THP_COLLAPSE_ALLOC]! += 1;
  if (memCgroupCharge(machine, head, memcg, GFP_TRANSHUGE, HPAGE_PMD_NR) < 0) {
    putPage(machine, head);
    return NOT_CHARGED;
  }
  countMemcgEvents(memcg, THP_COLLAPSE_ALLOC, 1);
  return head;
}

/** What is in swap comes back first, by faults that nobody counts. */
function swapIn(machine: Machine, vma: Vma, start: Vpn, first: number): Outcome {
  const { pageTables } = machine;
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    const slot = first + i;
    if (pageTables.isNone(slot) || pageTables.isPresent(slot)) continue;
    if (!pageTables.isSwap(slot)) return -EINVAL;
    const result = swapInEntry(machine, vma, (start + i) as Vpn, slot, FAULT_FLAG_ALLOW_RETRY);
    if ((result & VM_FAULT_ERROR) !== 0) return -EINVAL;
    if ((result & VM_FAULT_RETRY) !== 0) return -EAGAIN;
  }
  machine.lru.drain();
  return 0;
}

/** Takes every folio off its list and locks it. If one cannot be had, all are given back. */
function isolate(machine: Machine, first: number): Outcome {
  const { pageTables, frames } = machine;
  const held = new Set<Pfn>();
  for (let slot = first; slot < first + HPAGE_PMD_NR; slot++) {
    if (pageTables.isNone(slot) || pageTables.has(slot, PTE_SPECIAL)) continue;
    const folio = pageTables.isPresent(slot) ? compoundHead(machine, pageTables.pfn(slot)) : NO_PFN;
    if (held.has(folio)) continue;
    const free = folio !== NO_PFN && !frames.has(folio, PG_locked) && !hasStrangers(machine, folio);
    if (!free || !machine.lru.isolate(folio)) {
      for (const taken of held) release(machine, taken);
      return -EAGAIN;
    }
    frames.set(folio, PG_locked);
    held.add(folio);
  }
  return 0;
}

function release(machine: Machine, folio: Pfn): void {
  machine.frames.clear(folio, PG_locked);
  machine.lru.putback(folio);
}

/** The new page holds what the entries show, and the entries are none. Old pages go, unless somebody else has them. */
function copyPages(machine: Machine, vma: Vma, first: number, head: Pfn): void {
  const { pageTables, frames } = machine;
  const large = new Set<Pfn>();
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    const slot = first + i;
    const shown = pageTables.isPresent(slot) && !pageTables.has(slot, PTE_SPECIAL) ? pageTables.pfn(slot) : NO_PFN;
    pageTables.setNone(slot);
    frames.setToken((head + i) as Pfn, shown === NO_PFN ? ZERO_TOKEN : frames.token(shown));
    if (shown === NO_PFN) continue;
    const folio = compoundHead(machine, shown);
    if (folioPages(machine, folio) > 1) large.add(folio);
    else release(machine, folio);
    vma.vmMm.rss[MM_ANONPAGES]! -= 1;
    machine.rmap.remove(shown, vma);
    freeSwapCacheIfUnmapped(machine, folio);
    putPage(machine, shown);
  }
  for (const folio of large) {
    frames.clear(folio, PG_locked);
    freeSwapCacheIfUnmapped(machine, folio);
    machine.lru.putback(folio);
  }
}
