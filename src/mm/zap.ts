/**
 * Taking entries away: unmapping, MADV_DONTNEED, truncation, the OOM reaper.
 *
 * Owns      the end of an entry: what its page, its swap slot and its process's counters learn of it.
 * Promises  A page's dirty and young bits are not lost with its entry: they go to the page first.
 * Linux     6.18 mm/memory.c: zap_pte_range unmap_vmas unmap_mapping_range; mm/oom_kill.c: __oom_reap_task_mm
 */

import { freeSwapCacheIfUnmapped } from './faults.ts';
import type { AddressSpace } from './fs.ts';
import { wholeHuge, zapHugePmd } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Mm, updateHiwaterRss } from './mm.ts';
import { putPage } from './page_alloc.ts';
import { PG_referenced, PG_swapbacked } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_MARKER, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import { nonlinearVmas } from './rmap/nonlinear.ts';
import { freeSwapAndCache } from './swap/swapfile.ts';
import type { Pfn, Pgoff, Vpn } from './units.ts';
import { VM_RAND_READ, VM_SEQ_READ, VM_SHARED } from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { folioMarkDirty } from './writeback.ts';

/**
 * Takes away the entries of [start, end) in `vma`. Guard markers stay unless `dropMarkers`; private copies and swapped
 * pages of a file mapping stay unless `evenCows`.
 */
export function zapPageRange(
  machine: Machine,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  dropMarkers = false,
  evenCows = true,
): void {
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  updateHiwaterRss(vma.vmMm);
  let freed = false;
  let first = end;
  let last = start;
  for (let at = pageTables.nextTable(root, start, end); at < end; at = pageTables.nextTable(root, at, end)) {
    const tableEnd = Math.min(end, at - (at & 511) + 512) as Vpn;
    if (wholeHuge(machine, vma, at, end) !== NO_SLOT) {
      drainBeforeFreeing(machine);
      zapHugePmd(machine, vma, at);
      at = tableEnd;
      continue;
    }
    for (let vpn = at; vpn < tableEnd; vpn++) {
      const slot = pageTables.slotOf(root, vpn);
      if (slot === NO_SLOT || pageTables.isNone(slot)) continue;
      if (pageTables.isPresent(slot)) {
        if (!freed) {
          drainBeforeFreeing(machine);
          freed = true;
          first = vpn;
        }
        last = vpn;
      }
      zapEntry(machine, vma, slot, dropMarkers, evenCows);
    }
    at = tableEnd;
  }
  pageTables.flushTlbRange(first, last);
}

function zapEntry(machine: Machine, vma: Vma, slot: number, dropMarkers: boolean, evenCows: boolean): void {
  const { pageTables, frames } = machine;
  const { rss } = vma.vmMm;
  if (pageTables.isPresent(slot)) {
    if (pageTables.has(slot, PTE_SPECIAL)) {
      pageTables.setNone(slot);
      return;
    }
    const pfn = pageTables.pfn(slot);
    const anon = frames.isAnon(pfn);
    if (anon && !evenCows) return;
    const dirty = pageTables.has(slot, PTE_DIRTY);
    const young = pageTables.has(slot, PTE_YOUNG);
    pageTables.setNone(slot);
    if (anon) {
      rss[MM_ANONPAGES]! -= 1;
    } else {
      if (dirty) folioMarkDirty(machine, pfn);
      if (young) tellUse(machine, vma, pfn);
      rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    }
    machine.rmap.remove(pfn, vma);
    if (anon) freeSwapCacheIfUnmapped(machine, pfn);
    putPage(machine, pfn);
  } else if (pageTables.isSwap(slot)) {
    if (!evenCows) return;
    const entry = pageTables.swapEntry(slot);
    pageTables.setNone(slot);
    rss[MM_SWAPENTS]! -= 1;
    freeSwapAndCache(machine, entry);
  } else if (dropMarkers || !pageTables.has(slot, PTE_MARKER)) {
    pageTables.setNone(slot);
  }
}

/** The page learns that it was used through an entry that is gone now. */
function tellUse(machine: Machine, vma: Vma, pfn: Pfn): void {
  const { zapYoung } = machine.generation.switches;
  if (zapYoung === 'referenced') machine.frames.set(pfn, PG_referenced);
  else if (zapYoung === 'accessed' && hasRecency(machine, vma)) machine.lru.markAccessed(pfn);
}

/** Does a use of this mapping say that the page will be used again? */
function hasRecency(machine: Machine, vma: Vma): boolean {
  if ((vma.vmFlags & VM_SEQ_READ) !== 0) return false;
  if (!machine.generation.switches.zapSkipsWithoutRecency) return true;
  return (vma.vmFlags & VM_RAND_READ) === 0 && !(vma.vmFile?.noreuse ?? false);
}

/** All entries of [start, end), in every VMA there. */
export function unmapVmas(machine: Machine, mm: Mm, start: Vpn, end: Vpn): void {
  for (let vma = mm.vmas.find(start); vma !== null && vma.vmStart < end; vma = mm.vmas.next(vma)) {
    zapPageRange(machine, vma, Math.max(start, vma.vmStart) as Vpn, Math.min(end, vma.vmEnd) as Vpn, true);
  }
}

/** Every mapping of the file's pages [first, end). Private copies go only with `evenCows` (truncation, not invalidation). */
export function unmapMappingRange(
  machine: Machine,
  mapping: AddressSpace,
  first: Pgoff,
  end: number,
  evenCows: boolean,
): void {
  const last = end - 1;
  const tree = mapping.iMmap;
  for (let vma = tree.firstIn(first, last); vma !== null; vma = tree.nextIn(vma, first, last)) {
    const from = Math.max(vma.vmStart, vma.vmStart + (first - vma.vmPgoff)) as Vpn;
    const to = Math.min(vma.vmEnd, vma.vmStart + (end - vma.vmPgoff)) as Vpn;
    zapPageRange(machine, vma, from, to, false, evenCows);
  }
  for (const vma of nonlinearVmas(mapping)) zapNonlinear(machine, vma, vma.vmStart, vma.vmEnd, first, last);
}

/**
 * The same in [start, end) of a nonlinear VMA, where only the pages themselves say which of the file they are. What stood out
 * of place is noted in its entry.
 */
export function zapNonlinear(
  machine: Machine,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  firstIndex: number,
  lastIndex: number,
): void {
  const { pageTables, frames } = machine;
  const root = vma.vmMm.pageTables;
  updateHiwaterRss(vma.vmMm);
  drainBeforeFreeing(machine);
  let at = pageTables.nextTable(root, start, end);
  while (at < end) {
    const slot = pageTables.slotOf(root, at);
    if (pageTables.isPresent(slot)) {
      const index = frames.index(pageTables.pfn(slot));
      if (index >= firstIndex && index <= lastIndex) {
        zapEntry(machine, vma, slot, false, true);
        if (index !== linearPageIndex(vma, at)) pageTables.setFile(slot, index);
      }
    }
    at = pageTables.nextTable(root, (at + 1) as Vpn, end);
  }
}

/** What the OOM reaper takes from its victim: everything that is not shared. */
export function reapMm(machine: Machine, mm: Mm): void {
  mm.exiting = true;
  for (let vma = mm.vmas.first(); vma !== null; vma = mm.vmas.next(vma)) {
    if (vma.vmFile === null || (vma.vmFlags & VM_SHARED) === 0) zapPageRange(machine, vma, vma.vmStart, vma.vmEnd);
  }
}

/** 6.1: pages that still wait for their list, or for being unlocked, do not outlive their mapping. 6.18: until the next drain. */
export function drainBeforeFreeing(machine: Machine): void {
  if (machine.generation.switches.freeingDrains) machine.lru.drain();
}
