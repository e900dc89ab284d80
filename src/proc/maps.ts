/**
 * /proc/PID/maps: the regions of an address space.
 *
 * Linux     6.18 fs/proc/task_mmu.c: show_map_vma get_vma_name
 */
import type { Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import { shownStart } from '../mm/stack_3.ts';
import { addrOf, PAGE_SIZE } from '../mm/units.ts';
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE, type VmFlags } from '../mm/vm_flags.ts';
import type { Vma } from '../mm/vma.ts';
import { procFormat } from './formats.ts';

/** Names start in this column. */
const NAME_COLUMN = 73;
/** Device numbers, as maps prints them: virtio disk, and the kernel's own tmpfs. */
const DISK_DEVICE = 'fe:00';
const TMPFS_DEVICE = '00:01';

export function maps(machine: Machine, mm: Mm): string {
  const { own } = procFormat(machine);
  if (own?.maps !== undefined) return own.maps(machine, mm);
  let text = '';
  for (const vma of mm.vmas) text += `${mapsLine(machine, vma)}\n`;
  return text;
}

/** One region, without the end of the line. A region without a name ends in a blank, as the kernel's line does. */
export function mapsLine(machine: Machine, vma: Vma): string {
  const inode = vma.vmFile?.inode;
  const offset = inode === undefined ? 0 : vma.vmPgoff * PAGE_SIZE;
  const device = inode === undefined ? '00:00' : inode.kind === 'tmpfs' ? TMPFS_DEVICE : DISK_DEVICE;
  const head = `${rangeText(machine, vma)} ${permsText(vma.vmFlags)} ${hex8(offset)} ${device} ${inode?.ino ?? 0} `;
  const name = vmaName(machine, vma);
  return name === '' ? head : head.padEnd(NAME_COLUMN) + name;
}

/** `rw-p`. */
export function permsText(flags: VmFlags): string {
  return (
    ((flags & VM_READ) !== 0 ? 'r' : '-') +
    ((flags & VM_WRITE) !== 0 ? 'w' : '-') +
    ((flags & VM_EXEC) !== 0 ? 'x' : '-') +
    ((flags & VM_MAYSHARE) !== 0 ? 's' : 'p')
  );
}

/** Path, `[heap]`, `[stack]`, or nothing. */
export function vmaName(machine: Machine, vma: Vma): string {
  if (vma.vmFile !== null) return pathText(vma.vmFile.inode);
  const mm = vma.vmMm;
  const start = addrOf(vma.vmStart);
  const end = addrOf(vma.vmEnd);
  const touches = procFormat(machine).heapTouches;
  if (touches ? start <= mm.brk && end >= mm.startBrk : start < mm.brk && end > mm.startBrk) return '[heap]';
  if (start <= mm.startStack && end >= mm.startStack) return '[stack]';
  return '';
}

/** From the root; what has no name any more says so. */
function pathText(inode: Inode): string {
  const path = inode.name.startsWith('/') ? inode.name : `/${inode.name}`;
  return (inode.nlink === 0 ? `${path} (deleted)` : path).replaceAll('\n', '\\012');
}

/** Before 4.12 a stack's lowest page is its guard, and not shown. */
function rangeText(machine: Machine, vma: Vma): string {
  const start = machine.generation.switches.stackGapOutside ? vma.vmStart : shownStart(vma);
  return `${hex8(addrOf(start))}-${hex8(addrOf(vma.vmEnd))}`;
}

export function hex8(value: number): string {
  return value.toString(16).padStart(8, '0');
}
