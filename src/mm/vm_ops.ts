/**
 * What a kind of mapping can do, and what its entries allow at first: vma->vm_ops and vma->vm_page_prot.
 *
 * Owns      the tables. A VMA's operations and protection follow from its file and its flags; nobody sets them.
 * Promises  Only looks.
 * Linux     3.16 mm/mmap.c: protection_map vm_get_page_prot vma_set_page_prot; mm/shmem.c: shmem_vm_ops;
 *           fs/ext4/file.c: ext4_file_vm_ops; fs/block_dev.c; include/linux/mm.h: vm_operations_struct
 */
import type { BackingKind } from './fs.ts';
import { VM_SHARED, VM_WRITE, type VmFlags } from './vm_flags.ts';
import type { Vma } from './vma.ts';

export interface VmOps {
  /** As the kernel calls the table. */
  readonly name: string;
  /** Brings a page of the file; maps what is cached around it; must be asked before a shared page is first written. */
  readonly fault: boolean;
  readonly mapPages: boolean;
  readonly pageMkwrite: boolean;
  /** Must be told when the VMA goes; such a VMA is not merged away. */
  readonly close: boolean;
}

const shmemVmOps: VmOps = { name: 'shmem_vm_ops', fault: true, mapPages: true, pageMkwrite: false, close: false };
const fileVmOps: VmOps = { name: 'ext4_file_vm_ops', fault: true, mapPages: true, pageMkwrite: true, close: false };
const genericVmOps: VmOps = {
  name: 'generic_file_vm_ops',
  fault: true,
  mapPages: true,
  pageMkwrite: true,
  close: false,
};

const OPS_OF_KIND: Readonly<Record<BackingKind, VmOps>> = { tmpfs: shmemVmOps, disk: fileVmOps, bdev: genericVmOps };

/** null: private anonymous memory. */
export function vmOpsOf(vma: Vma): VmOps | null {
  return vma.vmFile === null ? null : OPS_OF_KIND[vma.vmFile.inode.kind];
}

/** By VM_READ, VM_WRITE, VM_EXEC and VM_SHARED: private pages are never writable before they are copied (__P000 to __S111). */
// Literals: page_table.ts loads us, so its constants may not be there yet when this line runs.
export const PROTECTION_MAP: readonly number[] = Array.from({ length: 16 }, (_, flags) => {
  if ((flags & 7) === 0) return /* PTE_PROTNONE */ 256;
  return (flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE)
    ? /* PTE_PRESENT | PTE_RW */ 3
    : /* PTE_PRESENT */ 1;
});

/** vm_get_page_prot. */
export function vmGetPageProt(vmFlags: VmFlags): number {
  return PROTECTION_MAP[vmFlags & 15]!;
}

/** The same for a VMA: where the file system must see the first store, its entries start read-only. */
export function vmPageProt(vma: Vma): number {
  const notify = vmOpsOf(vma)?.pageMkwrite ?? false;
  return vmGetPageProt(notify ? vma.vmFlags & ~VM_SHARED : vma.vmFlags);
}
