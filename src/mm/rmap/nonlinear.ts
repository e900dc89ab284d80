/**
 * Nonlinear mappings (2.6 to 3.19): VMAs whose pages stand in any order, so that no address can be computed.
 *
 *   VMA of 100 pages     │ 0 … 31 │ 32 … 63 │ 64 … 95 │ 96 … 99 │       clusters of 32, aligned in the address space
 *                                           ▲ vm_private_data: up to here reclaim has been
 *   entry: a frame whose index is the linear one                  taken out: none
 *          a frame with another index                             taken out: a pgoff entry, that says which page it was
 *
 * Owns      i_mmap_nonlinear of each file, the cursor in each VMA, and what a sweep does to entries.
 * Promises  1. A VMA with VM_NONLINEAR stands on the list, any other in the tree.
 *           2. The page that reclaim came with is not looked for. Sweeps take out what was not used, whatever page it is, as
 *              many entries as that page has mappings: so it may take several tries until it is free.
 *           3. Nothing is lost: what is taken out of its linear place is noted in the entry.
 * Linux     2.6.24 mm/rmap.c: try_to_unmap_file try_to_unmap_cluster; mm/mmap.c: __vma_link_file;
 *           mm/prio_tree.c: vma_prio_tree_add; Bovet and Cesati 17.2.2.2
 */
import { bugOn } from '../bug.ts';
import type { AddressSpace } from '../fs.ts';
import type { Machine } from '../machine.ts';
import { MM_FILEPAGES, MM_SHMEMPAGES, updateHiwaterRss } from '../mm.ts';
import { putPage } from '../page_alloc.ts';
import { PG_swapbacked } from '../page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_YOUNG } from '../page_table.ts';
import type { FileVmas } from '../parts.ts';
import type { Vpn } from '../units.ts';
import { VM_LOCKED, VM_NONLINEAR } from '../vm_flags.ts';
import { linearPageIndex, type Vma } from '../vma.ts';
import { folioMarkDirty } from '../writeback.ts';
import { SWAP_FAIL, type SwapVerdict } from './swap_verdict.ts';

/** CLUSTER_SIZE, in pages: 32, or what one page table holds if that is less. */
const CLUSTER = 32;

const NONE: readonly Vma[] = [];

/** A file's VMAs where some may be nonlinear: those that the tree can find by offset, and the rest. */
export class NonlinearFileVmas implements FileVmas {
  /** i_mmap: a priority search tree in 2.6, an interval tree since 3.7. */
  readonly linear: FileVmas;
  /** i_mmap_nonlinear. */
  readonly nonlinear: Vma[] = [];

  constructor(linear: FileVmas) {
    this.linear = linear;
  }
  get size(): number {
    return this.linear.size + this.nonlinear.length;
  }
  insert(vma: Vma): void {
    if (isNonlinear(vma)) this.nonlinear.push(vma);
    else this.linear.insert(vma);
  }
  insertAfter(vma: Vma, before: Vma): void {
    if (isNonlinear(vma)) this.nonlinear.splice(this.nonlinear.indexOf(before) + 1, 0, vma);
    else this.linear.insertAfter(vma, before);
  }
  remove(vma: Vma): void {
    if (!isNonlinear(vma)) {
      this.linear.remove(vma);
      return;
    }
    const at = this.nonlinear.indexOf(vma);
    bugOn(at < 0, 'a nonlinear VMA stands on the list of its file', vma.vmStart);
    this.nonlinear.splice(at, 1);
  }
  /** Only those that can be found by offset. */
  firstIn(first: number, last: number): Vma | null {
    return this.linear.firstIn(first, last);
  }
  nextIn(vma: Vma, first: number, last: number): Vma | null {
    return this.linear.nextIn(vma, first, last);
  }
  *[Symbol.iterator](): Generator<Vma> {
    yield* this.linear;
    yield* this.nonlinear;
  }
  verify(): string[] {
    const wrong = this.linear.verify();
    for (const vma of this.linear) if (isNonlinear(vma)) wrong.push(`a nonlinear VMA at ${vma.vmStart} in the tree`);
    for (const vma of this.nonlinear) if (!isNonlinear(vma)) wrong.push(`a linear VMA at ${vma.vmStart} on the list`);
    return wrong;
  }
}

export function isNonlinear(vma: Vma): boolean {
  return (vma.vmFlags & VM_NONLINEAR) !== 0;
}

/** The file's VMAs that no offset finds. Kernels without nonlinear mappings have none. */
export function nonlinearVmas(mapping: AddressSpace): readonly Vma[] {
  const vmas = mapping.iMmap;
  return vmas instanceof NonlinearFileVmas ? vmas.nonlinear : NONE;
}

/** `vma` becomes nonlinear: it goes from the tree to the list. */
export function makeNonlinear(vma: Vma): void {
  const { iMmap } = vma.vmFile!.mapping;
  iMmap.remove(vma);
  vma.vmFlags |= VM_NONLINEAR;
  iMmap.insert(vma);
}

/**
 * The last part of try_to_unmap for a page of a file: sweeps through nonlinear VMAs, `mapcount` entries far. `verdict` is what
 * the linear ones said, and what is said if there are none to sweep.
 */
export function tryToUnmapNonlinear(
  machine: Machine,
  mapping: AddressSpace,
  mapcount: number,
  verdict: SwapVerdict,
): SwapVerdict {
  const vmas = nonlinearVmas(mapping);
  if (vmas.length === 0) return verdict;
  let maxCursor = 0;
  let maxSize = 0;
  for (const vma of vmas) {
    if ((vma.vmFlags & VM_LOCKED) !== 0) continue;
    maxCursor = Math.max(maxCursor, vma.nonlinearCursor);
    maxSize = Math.max(maxSize, vma.pages);
  }
  // All are locked.
  if (maxSize === 0) return SWAP_FAIL;
  if (mapcount === 0) return verdict;
  maxSize = Math.ceil(maxSize / CLUSTER) * CLUSTER;
  if (maxCursor === 0) maxCursor = CLUSTER;
  let left = mapcount;
  // Those that have fallen behind catch up first, then all go on together.
  for (; maxCursor <= maxSize; maxCursor += CLUSTER) {
    for (const vma of vmas) {
      if ((vma.vmFlags & VM_LOCKED) !== 0) continue;
      while (vma.nonlinearCursor < maxCursor && vma.nonlinearCursor < vma.pages) {
        left -= tryToUnmapCluster(machine, vma, vma.nonlinearCursor);
        vma.nonlinearCursor += CLUSTER;
        if (left <= 0) return verdict;
      }
      vma.nonlinearCursor = maxCursor;
    }
  }
  // Once around, and not enough was found: the rest may be in locked VMAs. The next time begins anew.
  for (const vma of vmas) vma.nonlinearCursor = 0;
  return verdict;
}

/** The aligned 32 pages in which the VMA's page `cursor` lies. How many entries were taken out. */
function tryToUnmapCluster(machine: Machine, vma: Vma, cursor: number): number {
  const { pageTables, frames, work } = machine;
  const mm = vma.vmMm;
  const first = vma.vmStart + cursor - ((vma.vmStart + cursor) % CLUSTER);
  const end = Math.min(first + CLUSTER, vma.vmEnd);
  work.vmasVisited += 1;
  if (pageTables.slotOf(mm.pageTables, first as Vpn) === NO_SLOT) return 0;
  updateHiwaterRss(mm);
  let taken = 0;
  for (let vpn = Math.max(first, vma.vmStart) as Vpn; vpn < end; vpn = (vpn + 1) as Vpn) {
    const slot = pageTables.slotOf(mm.pageTables, vpn);
    work.ptesVisited += 1;
    if (!pageTables.isPresent(slot)) continue;
    // Used since the last sweep: it stays for this time.
    if (pageTables.testAndClear(slot, PTE_YOUNG)) continue;
    const pfn = pageTables.pfn(slot);
    bugOn(frames.isAnon(pfn), 'a nonlinear VMA shows pages of its file', pfn);
    const dirty = pageTables.has(slot, PTE_DIRTY);
    if (frames.index(pfn) === linearPageIndex(vma, vpn)) pageTables.setNone(slot);
    else pageTables.setFile(slot, frames.index(pfn));
    if (dirty) folioMarkDirty(machine, pfn);
    machine.rmap.remove(pfn, vma);
    mm.rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    putPage(machine, pfn);
    taken += 1;
  }
  return taken;
}
