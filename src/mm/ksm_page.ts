/**
 * KSM pages as everybody else meets them: page->mapping is a stable node, and the reverse map goes through its items.
 *
 *     frame 812: mapping 7 * 4 + 3 ──► stable node 7 ──► item (mm 4, page 0x1000) ──► anon_vma ──► VMAs of mm 4, then of its forks
 *                                                   ──► item (mm 9, page 0x2200) ──► anon_vma ──► …
 *
 * Owns      StableNode and RmapItem as far as the reverse map needs them. What ksmd does with them: ksm.ts.
 * Promises  The walk meets every entry that maps the page at the address of an item, first in the item's own address space,
 *           then in those forked from it. A fork whose parent's item went is met when ksmd has come to it.
 * Linux     3.16 mm/ksm.c: rmap_walk_ksm ksm_migrate_page page_stable_node ksm_might_need_to_copy
 */
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import { PAGE_MAPPING_FLAGS, PAGE_MAPPING_KSM, PG_uptodate } from './page_flags.ts';
import type { AnonVma } from './rmap/anon_vma.ts';
import type { Pfn, Token, Vpn } from './units.ts';
import { linearPageIndex, type Vma } from './vma.ts';

/** A page that was merged, and everybody who shares it. */
export class StableNode {
  /** Number in Machine.mappings; page->mapping is id * 4 + PAGE_MAPPING_KSM. */
  readonly id: number;
  /** What the page holds: it cannot change any more. */
  readonly token: Token;
  kpfn: Pfn;
  /** Newest first. */
  readonly items: RmapItem[] = [];

  constructor(id: number, token: Token, kpfn: Pfn) {
    this.id = id;
    this.token = token;
    this.kpfn = kpfn;
  }
}

/** One page of one address space that ksmd looks at. */
export class RmapItem {
  readonly mm: Mm;
  readonly vpn: Vpn;
  /** What the page held when ksmd was here last. */
  oldToken: Token = -1 as Token;
  /** Where it stands: shared, or in the unstable tree of scan `seqnr`, or nowhere. */
  stable: StableNode | null = null;
  unstable = false;
  seqnr = 0;
  /** Held while it is shared: through it the VMA and its forks are found. */
  anonVma: AnonVma | null = null;

  constructor(mm: Mm, vpn: Vpn) {
    this.mm = mm;
    this.vpn = vpn;
  }
}

export function isKsmPage(machine: Machine, pfn: Pfn): boolean {
  return (machine.frames.mapping(pfn) & PAGE_MAPPING_FLAGS) === PAGE_MAPPING_KSM;
}

/** The stable node of a KSM page; null for any other page, or while the node is being made. */
export function pageStableNode(machine: Machine, pfn: Pfn): StableNode | null {
  if (!isKsmPage(machine, pfn)) return null;
  const owner = machine.mappings[(machine.frames.mapping(pfn) - PAGE_MAPPING_KSM) / 4] ?? null;
  return owner instanceof StableNode ? owner : null;
}

/** Meets each VMA that may map the page, with the address; stops when `visit` says false. */
export function rmapWalkKsm(machine: Machine, node: StableNode, visit: (vma: Vma, vpn: Vpn) => boolean): void {
  const { work } = machine;
  for (let forks = 0; forks < 2; forks++) {
    for (let i = 0; i < node.items.length; i++) {
      const { anonVma, mm, vpn } = node.items[i]!;
      const { tree } = anonVma!;
      work.anonVmasMet += 1;
      for (let avc = tree.firstIn(0, Infinity); avc !== null; avc = tree.nextIn(avc, 0, Infinity)) {
        work.chainsMet += 1;
        const { vma } = avc;
        if (vpn < vma.vmStart || vpn >= vma.vmEnd) continue;
        // Where ksmd has been, then where the page went by fork since.
        if ((vma.vmMm === mm) !== (forks === 0)) continue;
        if (!visit(vma, vpn)) return;
      }
    }
  }
}

/** The page moved to another frame. */
export function ksmMigratePage(machine: Machine, old: Pfn, fresh: Pfn): void {
  const node = pageStableNode(machine, fresh);
  if (node !== null && node.kpfn === old) node.kpfn = fresh;
}

/**
 * A page of the swap cache is about to be mapped at `vpn`: may that be, or does the VMA need a copy of its own? A merged page
 * that went to swap comes back as an anonymous page of whoever is first.
 */
export function ksmMightNeedToCopy(machine: Machine, pfn: Pfn, vma: Vma, vpn: Vpn): boolean {
  const { frames } = machine;
  if (!frames.has(pfn, PG_uptodate)) return false;
  if (isKsmPage(machine, pfn)) return pageStableNode(machine, pfn) === null;
  if (!frames.isAnon(pfn)) return false;
  const owner = machine.mappings[(frames.mapping(pfn) - 1) / 4] as AnonVma | null;
  // Whoever was first is gone, and its anon_vma with it: only other processes' entries keep the slot.
  if (owner === null) return true;
  return owner.root !== vma.anonVma?.root || frames.index(pfn) !== linearPageIndex(vma, vpn);
}
