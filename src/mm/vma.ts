/**
 * One region of an address space: struct vm_area_struct, and the address of a page in it.
 *
 * Owns      the fields. The tree of VMAs is vma_tree.ts, merging and splitting vma_merge.ts.
 * Promises  vmStart and vmEnd are in pages (Linux: bytes); vmEnd is the first page outside.
 * Linux     6.18, 3.16 include/linux/mm_types.h: vm_area_struct; mm/internal.h: vma_address
 */
import type { File } from './fs.ts';
import type { Mempolicy } from './mempolicy.ts';
import type { Mm } from './mm.ts';
import type { VmSet } from './prio_tree.ts';
import type { AnonVma, AnonVmaChain } from './rmap/anon_vma.ts';
import { NO_VPN, type Pgoff, type Vpn } from './units.ts';
import type { VmFlags } from './vm_flags.ts';
import { type VmOps, vmOpsOf, vmPageProt } from './vm_ops.ts';
import { VmaLinks } from './vma_tree.ts';

export class Vma {
  vmMm: Mm;
  vmStart: Vpn;
  vmEnd: Vpn;
  vmFlags: VmFlags;
  /** Offset of vmStart in the file or object; of private anonymous memory, vmStart when it was first mapped. */
  vmPgoff: Pgoff;
  /** What is mapped; null is private anonymous memory. Shared anonymous memory maps an unnamed tmpfs file. */
  vmFile: File | null;
  /** Before 2.6.34 it is a list (AnonVmaList), which only anon_vma_list.ts looks into. */
  anonVma: AnonVma | null = null;
  /** Every anon_vma whose pages may be mapped here; the kernel's list head is the last element. */
  anonVmaChain: AnonVmaChain[] = [];
  /** Neighbours on the anon_vma's list, where it is one (anon_vma_node, before 2.6.34). */
  anonVmaNext: Vma | null = null;
  anonVmaPrev: Vma | null = null;
  /** Where the last swap fault was, and how often readahead hit: vma->swap_readahead_info. */
  swapRaVpn: Vpn = 0 as Vpn;
  swapRaWin = 0;
  swapRaHits = 0;
  /** From which nodes its pages come (mempolicy.ts); null: as the task wants it. */
  vmPolicy: Mempolicy | null = null;
  /** Whatever the owner of the mapping needs: where a scan of a nonlinear mapping goes on. */
  vmPrivateData = 0;
  /** The VMAs before and behind it in its address space, by address. */
  vmPrev: Vma | null = null;
  vmNext: Vma | null = null;
  /** 2.4: where reading ahead of a sequential mapping has come to, in pages of the VMA; 0 is nowhere yet. */
  vmRaend = 0;
  /** Links of the address space's tree (vma_tree.ts). */
  readonly tree: VmaLinks = new VmaLinks();
  /** Links of the file's interval tree (address_space.i_mmap). */
  readonly shared: IntervalLinks<Vma> = { left: null, right: null, parent: null, subtreeLast: 0, priority: 0 };
  /** The same where i_mmap is a priority search tree (before 3.7); null while it is not linked. */
  vmSet: VmSet | null = null;
  /** Of a nonlinear VMA: how many of its pages reclaim has passed (vm_private_data). */
  nonlinearCursor = 0;

  /** 2.4: neighbours on the file's list of private, or of shared mappings (file_vmas_2_4.ts). */
  vmNextShare: Vma | null = null;
  vmPrevShare: Vma | null = null;

  constructor(mm: Mm, vmStart: Vpn, vmEnd: Vpn, vmFlags: VmFlags, vmPgoff: Pgoff, vmFile: File | null) {
    this.vmMm = mm;
    this.vmStart = vmStart;
    this.vmEnd = vmEnd;
    this.vmFlags = vmFlags;
    this.vmPgoff = vmPgoff;
    this.vmFile = vmFile;
  }

  /** vm_ops: what its file can do; null for private anonymous memory. */
  get vmOps(): VmOps | null {
    return vmOpsOf(this);
  }
  /** PTE_ bits that an entry has before its page is looked at. */
  get vmPageProt(): number {
    return vmPageProt(this);
  }
  /** The widest gap below a VMA of its subtree, in pages. */
  get rbSubtreeGap(): number {
    return this.tree.rbSubtreeGap;
  }
  get pages(): number {
    return this.vmEnd - this.vmStart;
  }
}

/** What an interval tree (interval_tree.ts) needs in each of its members. */
export interface IntervalLinks<T> {
  left: T | null;
  right: T | null;
  parent: T | null;
  subtreeLast: number;
  priority: number;
}

/** Where in `vma` page `index` of the object is, which `vma` shows. */
export function vmaAddress(vma: Vma, index: Pgoff): Vpn {
  return (vma.vmStart + (index - vma.vmPgoff)) as Vpn;
}

/** The same, or NO_VPN if `vma` shows another part of the object: Linux's -EFAULT. */
export function vmaAddressWithin(vma: Vma, index: Pgoff): Vpn {
  const vpn = vmaAddress(vma, index);
  return vpn >= vma.vmStart && vpn < vma.vmEnd ? vpn : NO_VPN;
}

/** The other way: which page of its object `vpn` shows (linear_page_index). */
export function linearPageIndex(vma: Vma, vpn: Vpn): Pgoff {
  return (vma.vmPgoff + (vpn - vma.vmStart)) as Pgoff;
}
