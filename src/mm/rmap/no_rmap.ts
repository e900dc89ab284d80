/**
 * No reverse map: 2.4 cannot say who maps a page, but by looking through every address space.
 *
 *   frame 4864 ──?──► mm 1: VMA, VMA, VMA … every entry     A walk costs all entries of all processes, whatever it finds.
 *                     mm 2: VMA, VMA … every entry          So reclaim never asks: it goes through the address spaces itself
 *                     …                                     and takes what it meets there (reclaim/swap_out.ts).
 *
 * Owns      mapcount of mapped pages, which Linux does not have here: verify() and people ask for it. NR_ANON_MAPPED, NR_FILE_MAPPED.
 * Promises  1. mapcount is the number of entries that map the page.
 *           2. The walk meets exactly the entries that map the page. What it looked at is counted in machine.work.
 *           3. An anonymous page has PAGE_MAPPING_ANON and no owner: Linux's page->mapping is NULL there.
 * Linux     2.4.19 include/linux/mm.h: the comment on struct page says that it cannot be done
 * Before    the same
 */
import type { Machine } from '../machine.ts';
import { type MemCgroup, modPageState } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { PAGE_MAPPING_ANON, PG_swapbacked } from '../page_flags.ts';
import type { Rmap } from '../parts.ts';
import type { Pfn, Vpn } from '../units.ts';
import { linearPageIndex, type Vma } from '../vma.ts';
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from '../vmstat.ts';

export function newNoRmap(machine: Machine): Rmap {
  return new NoRmap(machine);
}

class NoRmap implements Rmap {
  readonly walksAll = true;
  readonly referencedVmFlags = 0;
  private readonly machine: Machine;
  private readonly frames: MemMap;

  constructor(machine: Machine) {
    this.machine = machine;
    this.frames = machine.frames;
  }

  // VMAs need nothing.

  anonVmaPrepare(_vma: Vma): number {
    return 0;
  }
  anonVmaClone(_dst: Vma, _src: Vma): number {
    return 0;
  }
  anonVmaFork(_vma: Vma, _parent: Vma): number {
    return 0;
  }
  unlinkAnonVmas(_vma: Vma): void {}
  vmaBeforeUpdate(_vma: Vma): void {}
  vmaAfterUpdate(_vma: Vma): void {}

  // adding and removing

  addNewAnon(pfn: Pfn, vma: Vma, vpn: Vpn): void {
    this.addAnon(pfn, vma, vpn, true);
  }
  addAnon(pfn: Pfn, vma: Vma, vpn: Vpn, _exclusive: boolean): void {
    const { frames } = this;
    if (frames.incMapcount(pfn) === 1) modPageState(this.machine, pfn, NR_ANON_MAPPED, 1);
    frames.set(pfn, PG_swapbacked);
    frames.setMapping(pfn, PAGE_MAPPING_ANON);
    frames.setIndex(pfn, linearPageIndex(vma, vpn));
  }
  addFile(pfn: Pfn, _vma: Vma): void {
    if (this.frames.incMapcount(pfn) === 1) modPageState(this.machine, pfn, NR_FILE_MAPPED, 1);
  }
  dup(pfn: Pfn, _dst: Vma): void {
    this.frames.incMapcount(pfn);
  }
  remove(pfn: Pfn, _vma: Vma): void {
    const { frames } = this;
    if (frames.decMapcount(pfn) > 0) return;
    modPageState(this.machine, pfn, frames.isAnon(pfn) ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
  }
  moveAnon(_pfn: Pfn, _vma: Vma): void {}

  // There are no huge pages.

  addNewHuge(_head: Pfn, _vma: Vma, _vpn: Vpn): void {}
  dupHuge(_head: Pfn, _dst: Vma): void {}
  removeHuge(_head: Pfn, _vma: Vma): void {}
  splitHuge(_head: Pfn, _vma: Vma): void {}
  walkFolio(_head: Pfn, _visit: (vma: Vma, vpn: Vpn, slot: number) => void): void {}

  // questions

  /** Nobody can tell; reclaim does not ask. */
  pageReferenced(_pfn: Pfn, _locked: boolean, _memcg: MemCgroup | null): number {
    return 0;
  }
  tryToUnmap(pfn: Pfn): boolean {
    return this.frames.mapcount(pfn) === 0;
  }
  /** A store through a mapping is known to its entry alone, until msync, munmap or swap_out looks at it. */
  pageMkclean(_pfn: Pfn): number {
    return 0;
  }

  objectOf(_pfn: Pfn): string {
    return 'whose i_mmap lists truncation asks and reclaim does not';
  }

  walk(pfn: Pfn, visit: (vma: Vma, vpn: Vpn) => boolean): void {
    const { machine } = this;
    const { pageTables, work } = machine;
    for (const mm of machine.mms) {
      work.mmsWalked += 1;
      for (let vma = mm.vmas.first(); vma !== null; vma = mm.vmas.next(vma)) {
        work.vmasVisited += 1;
        const end = vma.vmEnd;
        for (let at = pageTables.nextTable(mm.pageTables, vma.vmStart, end); at < end; ) {
          const slot = pageTables.slotOf(mm.pageTables, at);
          work.ptesVisited += 1;
          if (pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn && !visit(vma, at)) return;
          at = (at + 1) as Vpn;
          if (at % 512 === 0) at = pageTables.nextTable(mm.pageTables, at, end);
        }
      }
    }
  }
}
