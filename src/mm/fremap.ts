/**
 * remap_file_pages where mappings may be nonlinear: another page of the file at the same place, without another VMA (2.5.46 to 3.19).
 *
 *   mmap 4 pages of a file from page 0     remap_file_pages(page 1, 2 pages, pgoff 8)      entries
 *   ┌────┬────┬────┬────┐                  ┌────┬────┬────┬────┐                           0: frame of page 0 (if it was there)
 *   │ 0  │ 1  │ 2  │ 3  │                  │ 0  │ 8  │ 9  │ 3  │   still one VMA           1: PTE_FILE 8, then the frame
 *   └────┴────┴────┴────┘                  └────┴────┴────┴────┘                           2: PTE_FILE 9, then the frame
 *
 * Owns      what the call does. Sweeps through such VMAs are rmap/nonlinear.ts, faults in them faults_2_6.ts.
 * Promises  1. Only shared mappings of files, and only inside one VMA.
 *           2. A file whose dirty pages are counted gets a linear mapping instead: page_mkclean finds no other.
 *           3. A call that asks for what is there anyway does nothing.
 * Linux     2.6.24 mm/fremap.c: sys_remap_file_pages populate_range install_file_pte zap_pte
 * After     mmap.ts: doRemapFilePages (4.0: always a new mapping)
 */
import { EINVAL, ENOMEM } from './errno.ts';
import { getFile, putFile } from './file.ts';
import type { Machine } from './machine.ts';
import { MM_FILEPAGES, MM_SHMEMPAGES, type Mm, updateHiwaterRss } from './mm.ts';
import { mmapRegion, mmPopulate } from './mmap.ts';
import { putPage } from './page_alloc.ts';
import { PG_swapbacked } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY } from './page_table.ts';
import { isNonlinear, makeNonlinear } from './rmap/nonlinear.ts';
import { MAP_NONBLOCK } from './uapi.ts';
import { PAGE_SIZE, type Pgoff, type Vpn, vpnOf } from './units.ts';
import { VM_LOCKED, VM_SHARED } from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { folioMarkDirty } from './writeback.ts';

const ADDRESS_END = 2 ** 64;
/** An entry has room for so many bits of a page number (PTE_FILE_MAX_BITS). */
const PTE_FILE_MAX_BITS = 32;

/** remap_file_pages(2). 0 or -errno. */
export function remapFilePagesNonlinear(
  machine: Machine,
  mm: Mm,
  addr: number,
  size: number,
  prot: number,
  pgoff: number,
  flags: number,
): number {
  if (prot !== 0) return -EINVAL;
  const start = vpnOf(addr);
  const pages = vpnOf(size);
  const end = (start + pages) as Vpn;
  if (pages === 0 || end * PAGE_SIZE >= ADDRESS_END) return -EINVAL;
  if (pgoff + pages >= 2 ** PTE_FILE_MAX_BITS) return -EINVAL;
  const vma = mm.vmas.find(start);
  if (vma === null || (vma.vmFlags & VM_SHARED) === 0 || vma.vmFile === null) return -EINVAL;
  if (start < vma.vmStart || end > vma.vmEnd) return -EINVAL;
  if (!isNonlinear(vma)) {
    if (pgoff === linearPageIndex(vma, start)) return 0;
    if (countsDirtyPages(vma)) return emulate(machine, vma, start, pages, pgoff as Pgoff);
    makeNonlinear(vma);
  }
  const failed = populatePgoffs(machine, vma, start, end, pgoff);
  if (failed < 0) return failed;
  if ((flags & MAP_NONBLOCK) === 0) mmPopulate(machine, mm, start, end, true);
  return 0;
}

/** Files of a disk; tmpfs does not care (mapping_cap_account_dirty). */
function countsDirtyPages(vma: Vma): boolean {
  return vma.vmFile!.inode.kind !== 'tmpfs';
}

/** A linear mapping of its own in the place of that part. Nothing is faulted in, unless it is locked. */
function emulate(machine: Machine, vma: Vma, start: Vpn, pages: number, pgoff: Pgoff): number {
  const { vmMm: mm, vmFlags } = vma;
  const file = vma.vmFile!;
  // The old mapping may hold the last reference.
  getFile(file);
  const failed = mmapRegion(machine, mm, file, start, pages, vmFlags, pgoff);
  putFile(machine, file);
  if (failed < 0) return failed;
  if ((vmFlags & VM_LOCKED) !== 0) mmPopulate(machine, mm, start, (start + pages) as Vpn, true);
  return 0;
}

/** populate_range: 0 or -ENOMEM. */
function populatePgoffs(machine: Machine, vma: Vma, start: Vpn, end: Vpn, pgoff: number): number {
  const { pageTables } = machine;
  for (let vpn = start; vpn < end; vpn = (vpn + 1) as Vpn) {
    const slot = pageTables.slotAlloc(machine, vma.vmMm, vpn);
    if (slot === NO_SLOT) return -ENOMEM;
    if (!pageTables.isNone(slot)) zapPte(machine, vma, slot);
    pageTables.setFile(slot, (pgoff + (vpn - start)) as Pgoff);
  }
  return 0;
}

/** The old entry goes. Unlike munmap it does not tell the page that it was used. */
function zapPte(machine: Machine, vma: Vma, slot: number): void {
  const { pageTables, frames } = machine;
  if (!pageTables.isPresent(slot)) return;
  const { vmMm: mm } = vma;
  const pfn = pageTables.pfn(slot);
  const dirty = pageTables.has(slot, PTE_DIRTY);
  pageTables.setNone(slot);
  if (dirty) folioMarkDirty(machine, pfn);
  updateHiwaterRss(mm);
  machine.rmap.remove(pfn, vma);
  mm.rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
  putPage(machine, pfn);
}
