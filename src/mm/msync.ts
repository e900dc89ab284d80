/**
 * Asking and ordering the page cache through a mapping: msync and mincore.
 *
 * Linux     6.18 mm/msync.c: msync; mm/mincore.c: mincore do_mincore mincore_pte_range mincore_page mincore_swap
 */
import { EBUSY, EINVAL, ENOMEM } from './errno.ts';
import { getFile, putFile } from './file.ts';
import type { AddressSpace, File } from './fs.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { PG_uptodate } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_FILE, PTE_MARKER } from './page_table.ts';
import { swapCacheGet } from './swap/swap_state.ts';
import { MS_ASYNC, MS_INVALIDATE, MS_SYNC } from './uapi.ts';
import { NO_PFN, PAGE_SIZE, type Pgoff, pagesOf, pagesOfLength, type SwapEntry, type Vpn, vpnOf } from './units.ts';
import { VM_LOCKED, VM_SHARED } from './vm_flags.ts';
import { linearPageIndex, type Vma } from './vma.ts';
import { folioMarkDirty, vfsFsync } from './writeback.ts';
import { xaIsPage, xaIsValue, xaToPfn, xaToValue } from './xarray.ts';

const ADDRESS_END = 2 ** 64;

/** msync(2). With MS_ASYNC alone nothing is done: the flusher comes by itself. */
export function doMsync(machine: Machine, mm: Mm, addr: number, length: number, flags: number): number {
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0 || addr % PAGE_SIZE !== 0) return -EINVAL;
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  let start = vpnOf(addr);
  const end = (start + pagesOfLength(length)) as Vpn;
  if (end * PAGE_SIZE >= ADDRESS_END) return -ENOMEM;
  let hole = 0;
  while (start < end) {
    const vma = mm.vmas.find(start);
    if (vma === null) return -ENOMEM;
    if (start < vma.vmStart) {
      if (flags === MS_ASYNC) return -ENOMEM;
      start = vma.vmStart;
      if (start >= end) return -ENOMEM;
      hole = -ENOMEM;
    }
    if ((flags & MS_INVALIDATE) !== 0 && (vma.vmFlags & VM_LOCKED) !== 0) return -EBUSY;
    const file = vma.vmFile;
    const to = Math.min(end, vma.vmEnd) as Vpn;
    if (!machine.generation.switches.writeNotify) filemapSync(machine, vma, start, to);
    if ((flags & MS_SYNC) !== 0 && file !== null && (vma.vmFlags & VM_SHARED) !== 0) {
      syncPages(machine, file, linearPageIndex(vma, start), to - start);
    }
    start = to;
  }
  return hole;
}

/** SINCE 2.6.19: before, only the entries knew what was stored through a mapping, until somebody asked them. */
function filemapSync(machine: Machine, vma: Vma, start: Vpn, end: Vpn): void {
  if (vma.vmFile === null || (vma.vmFlags & VM_SHARED) === 0) return;
  const { pageTables } = machine;
  const root = vma.vmMm.pageTables;
  for (let at = pageTables.nextTable(root, start, end); at < end; ) {
    const slot = pageTables.slotOf(root, at);
    if (pageTables.isPresent(slot) && pageTables.testAndClear(slot, PTE_DIRTY)) {
      folioMarkDirty(machine, pageTables.pfn(slot));
    }
    at = (at + 1) as Vpn;
    if (at % 512 === 0) at = pageTables.nextTable(root, at, end);
  }
}

function syncPages(machine: Machine, file: File, first: Pgoff, pages: number): void {
  getFile(file);
  vfsFsync(machine, file, first * PAGE_SIZE, (first + pages) * PAGE_SIZE - 1, true);
  putFile(machine, file);
}

/** mincore(2): one byte per page into `vec`; bit 0 says that an access needs no I/O. The caller may write every file. */
export function doMincore(machine: Machine, mm: Mm, addr: number, length: number, vec: Uint8Array): number {
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  if (addr + length > mm.taskSize) return -ENOMEM;
  const start = vpnOf(addr);
  const pages = pagesOf(length);
  for (let i = 0; i < pages; ) {
    const vma = mm.vmas.findExact((start + i) as Vpn);
    if (vma === null) return -ENOMEM;
    const end = Math.min(pages, vma.vmEnd - start);
    for (; i < end; i++) vec[i] = isInCore(machine, vma, (start + i) as Vpn) ? 1 : 0;
  }
  return 0;
}

function isInCore(machine: Machine, vma: Vma, vpn: Vpn): boolean {
  const { pageTables } = machine;
  const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
  if (slot === NO_SLOT || pageTables.isNone(slot) || pageTables.has(slot, PTE_MARKER))
    return isCached(machine, vma, vpn);
  if (pageTables.has(slot, PTE_FILE)) return isInCache(machine, vma.vmFile!.mapping, pageTables.filePgoff(slot));
  return pageTables.isPresent(slot) || isSwapCached(machine, pageTables.swapEntry(slot));
}

function isCached(machine: Machine, vma: Vma, vpn: Vpn): boolean {
  return vma.vmFile !== null && isInCache(machine, vma.vmFile.mapping, linearPageIndex(vma, vpn));
}

/** What mincore says of a page of a file that is mapped nowhere. */
export function isInCache(machine: Machine, mapping: AddressSpace, index: Pgoff): boolean {
  const entry = mapping.pages.load(index);
  if (xaIsPage(entry)) return machine.frames.has(xaToPfn(entry), PG_uptodate);
  // A page of tmpfs that is swapped out; a shadow means nothing of a file's page is left.
  return xaIsValue(entry) && mapping.host.kind === 'tmpfs' && isSwapCached(machine, xaToValue(entry) as SwapEntry);
}

function isSwapCached(machine: Machine, entry: SwapEntry): boolean {
  const pfn = swapCacheGet(machine, entry);
  return pfn !== NO_PFN && machine.frames.has(pfn, PG_uptodate);
}
