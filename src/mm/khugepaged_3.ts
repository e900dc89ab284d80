/**
 * khugepaged of 3.16: small pages that could be a huge page become one, without being asked again.
 *
 *   every 10 s, 4096 entries, address space after address space, 2 MiB after 2 MiB of VMAs with VM_HUGEPAGE:
 *     at most 511 entries none, no swap entry, every page on a list and held by its entry alone,
 *     one entry writable and one young  ──►  a huge page takes their place; no memory for it: nothing for 60 s
 *
 * Owns      where the scan stands, and when it goes on.
 * Promises  What a program reads does not change.
 * Linux     3.16 mm/huge_memory.c: khugepaged khugepaged_do_scan khugepaged_scan_mm_slot khugepaged_scan_pmd
 *           collapse_huge_page khugepaged_enter khugepaged_alloc_sleep
 *
 * DIFFERS: an address space is remembered by its VMAs' flags, not by a slot; its turn may come in another order.
 */
import { ENOMEM } from './errno.ts';
import { HPAGE_PMD_NR } from './folio.ts';
import { isHugeSuitable } from './huge_memory.ts';
import { collapse } from './khugepaged.ts';
import type { Machine } from './machine.ts';
import { compoundHead } from './page_alloc.ts';
import { PG_locked, PG_lru, PG_referenced } from './page_flags.ts';
import { NO_SLOT, PTE_RW, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import type { Daemon } from './parts.ts';
import { Task } from './task.ts';
import type { Vpn } from './units.ts';
import { VM_HUGEPAGE, VM_NOHUGEPAGE } from './vm_flags.ts';
import type { Vma } from './vma.ts';

const SECOND_NS = 1_000_000_000;

export class Khugepaged implements Daemon {
  /** What /sys/kernel/mm/transparent_hugepage/khugepaged shows. */
  pagesToScan = 8 * HPAGE_PMD_NR;
  scanSleepMillisecs = 10_000;
  allocSleepMillisecs = 60_000;
  maxPtesNone = HPAGE_PMD_NR - 1;
  pagesCollapsed = 0;
  fullScans = 0;
  private readonly daemon: number;
  private readonly task: Task;
  private awake = false;
  /** The address space that is scanned, by its id, and the next page there. */
  private mmId = 0;
  private vpn = 0 as Vpn;

  constructor(machine: Machine) {
    this.daemon = machine.addDaemon(this);
    this.task = new Task(-2, 'khugepaged', null, machine.rootMemcg, null);
  }

  /** Somebody wants huge pages (MADV_HUGEPAGE). */
  enter(machine: Machine): void {
    if (this.awake || !machine.sysctl.thpEnabled) return;
    this.awake = true;
    machine.wakeDaemon(this.daemon, machine.clock.now + this.scanSleepMillisecs * 1_000_000);
  }

  run(machine: Machine): void {
    this.awake = false;
    if (!machine.sysctl.thpEnabled || !machine.mms.some((mm) => [...mm.vmas].some(wantsHugePages))) return;
    const was = machine.current;
    machine.current = this.task;
    const failed = this.doScan(machine);
    machine.current = was;
    this.awake = true;
    const sleep = failed === -ENOMEM ? this.allocSleepMillisecs : this.scanSleepMillisecs;
    machine.wakeDaemon(this.daemon, machine.clock.now + (sleep * SECOND_NS) / 1000);
  }

  /** 0, or -ENOMEM when there was no huge page to be had. */
  private doScan(machine: Machine): number {
    // A page on its way to a list cannot be isolated.
    machine.lru.drain();
    for (let left = this.pagesToScan; left > 0; left -= HPAGE_PMD_NR) {
      const vma = this.next(machine);
      if (vma === null) return 0;
      const start = this.vpn;
      this.vpn = (start + HPAGE_PMD_NR) as Vpn;
      if (!this.scanPmd(machine, vma, start)) continue;
      const outcome = collapse(machine, vma, start);
      if (outcome === -ENOMEM) return outcome;
      if (outcome === 0) this.pagesCollapsed += 1;
    }
    return 0;
  }

  /** The VMA of the next 2 MiB, which begin at this.vpn then; null when all have been seen. */
  private next(machine: Machine): Vma | null {
    const mms = machine.mms.filter((mm) => mm.id >= this.mmId).sort((a, b) => a.id - b.id);
    for (const mm of mms) {
      if (mm.id > this.mmId) {
        this.mmId = mm.id;
        this.vpn = 0 as Vpn;
      }
      for (let vma = mm.vmas.find(this.vpn); vma !== null; vma = vma.vmNext) {
        if (!wantsHugePages(vma) || vma.anonVma === null) continue;
        const from = Math.max(this.vpn, vma.vmStart);
        const start = (Math.ceil(from / HPAGE_PMD_NR) * HPAGE_PMD_NR) as Vpn;
        if (!isHugeSuitable(vma, start)) continue;
        this.vpn = start;
        return vma;
      }
    }
    this.mmId = 0;
    this.vpn = 0 as Vpn;
    this.fullScans += 1;
    return null;
  }

  /** Are these pages worth it, and ours alone? */
  private scanPmd(machine: Machine, vma: Vma, start: Vpn): boolean {
    const { pageTables, frames } = machine;
    const first = pageTables.slotOf(vma.vmMm.pageTables, start);
    if (first === NO_SLOT || pageTables.isHuge(first)) return false;
    let none = 0;
    let writable = false;
    let referenced = false;
    for (let slot = first; slot < first + HPAGE_PMD_NR; slot++) {
      if (pageTables.isNone(slot)) {
        none += 1;
        if (none > this.maxPtesNone) return false;
        continue;
      }
      if (!pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) return false;
      const pfn = pageTables.pfn(slot);
      if (compoundHead(machine, pfn) !== pfn || !frames.isAnon(pfn)) return false;
      if (!frames.has(pfn, PG_lru) || frames.has(pfn, PG_locked) || frames.refcount(pfn) !== 1) return false;
      if (pageTables.has(slot, PTE_RW)) writable = true;
      if (pageTables.has(slot, PTE_YOUNG) || frames.has(pfn, PG_referenced)) referenced = true;
    }
    return writable && referenced;
  }
}

function wantsHugePages(vma: Vma): boolean {
  return vma.vmFile === null && (vma.vmFlags & (VM_HUGEPAGE | VM_NOHUGEPAGE)) === VM_HUGEPAGE;
}
