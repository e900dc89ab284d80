/**
 * Who may map an anonymous page: anon_vmas, and their links to VMAs (2.6.34 and later).
 *
 * Owns      AnonVma, AnonVmaChain and every link between them. Nothing else writes `vma.anonVma` or `vma.anonVmaChain`.
 * Promises  1. A VMA in which an anonymous page was ever mapped has an anonVma.
 *           2. A link is in two places and no third: its VMA's list, its anon_vma's tree.
 *           3. The anon_vmas that one VMA is linked to form a chain of ancestors; a fork makes a new one only if
 *              none of the chain is idle (no VMA calls it its own, at most one child): the chain's length is bounded.
 * Linux     6.18 mm/rmap.c: __anon_vma_prepare anon_vma_clone anon_vma_fork unlink_anon_vmas; mm/vma.c: find_mergeable_anon_vma
 * Before    3.16: no reuse at fork (switch anonVmaReuse), so a chain grows with every generation
 *
 *     parent's VMA ──avc── anon_vma A ──avc── child's VMA ──avc── anon_vma B
 *       a page of before the fork: mapping = A, both VMAs are candidates
 *       a page that the child made since: mapping = B, one candidate
 */
import { bugOn } from '../bug.ts';
import { ENOMEM } from '../errno.ts';
import { GFP_KERNEL } from '../gfp.ts';
import { type IntervalKeys, IntervalTree } from '../interval_tree.ts';
import type { Machine } from '../machine.ts';
import type { MemCgroup } from '../memcg.ts';
import { mpolEqual } from '../mempolicy.ts';
import { VM_ACCESS_FLAGS, VM_STICKY } from '../vm_flags.ts';
import type { IntervalLinks, Vma } from '../vma.ts';

/** Links of an anon_vma by the range of offsets that each VMA shows. One for each tree: all state hangs on the machine. */
class LinkedRange implements IntervalKeys<AnonVmaChain> {
  first(avc: AnonVmaChain): number {
    return avc.vma.vmPgoff;
  }
  last(avc: AnonVmaChain): number {
    return avc.vma.vmPgoff + (avc.vma.vmEnd - avc.vma.vmStart) - 1;
  }
  links(avc: AnonVmaChain): IntervalLinks<AnonVmaChain> {
    return avc.links;
  }
}

export class AnonVma {
  /** Number in Machine.mappings; page->mapping is id * 4 + PAGE_MAPPING_ANON. */
  readonly id: number;
  readonly root: AnonVma;
  readonly parent: AnonVma;
  /** The object itself, and one for each anon_vma whose root it is. */
  refcount = 1;
  /** anon_vmas whose parent it is; a root is its own child. */
  numChildren = 0;
  /** VMAs that put new pages here (vma.anonVma). */
  numActiveVmas = 0;
  readonly tree: IntervalTree<AnonVmaChain> = new IntervalTree(new LinkedRange());
  /** Who is charged for the object itself. */
  readonly memcg: MemCgroup;

  constructor(id: number, parent: AnonVma | null, memcg: MemCgroup) {
    this.id = id;
    this.memcg = memcg;
    this.parent = parent ?? this;
    this.root = parent?.root ?? this;
    if (parent !== null) this.root.refcount += 1;
  }
}

/** One link between a VMA and an anon_vma. */
export class AnonVmaChain {
  readonly vma: Vma;
  readonly anonVma: AnonVma;
  readonly links: IntervalLinks<AnonVmaChain> = { left: null, right: null, parent: null, subtreeLast: 0, priority: 0 };
  constructor(vma: Vma, anonVma: AnonVma) {
    this.vma = vma;
    this.anonVma = anonVma;
  }
}

/** Before the first anonymous page of `vma`. A neighbour's anon_vma serves if the two could merge one day. 0 or -ENOMEM. */
export function anonVmaPrepare(machine: Machine, vma: Vma): number {
  if (vma.anonVma !== null) return 0;
  const { memcg } = vma.vmMm;
  if (machine.slab.alloc(machine, 'anon_vma_chain', memcg, GFP_KERNEL) < 0) return -ENOMEM;
  let anonVma = findMergeableAnonVma(vma);
  if (anonVma === null) {
    anonVma = allocAnonVma(machine, null, memcg);
    if (anonVma === null) {
      machine.slab.free(machine, 'anon_vma_chain', memcg);
      return -ENOMEM;
    }
    anonVma.numChildren += 1;
  }
  vma.anonVma = anonVma;
  link(vma, anonVma);
  anonVma.numActiveVmas += 1;
  return 0;
}

/** Links `dst` to every anon_vma of `src`. If `dst` has none of its own yet, an idle one of them becomes it. 0 or -ENOMEM. */
export function anonVmaClone(machine: Machine, dst: Vma, src: Vma): number {
  const { anonVmaReuse } = machine.generation.switches;
  for (const { anonVma } of src.anonVmaChain) {
    if (machine.slab.alloc(machine, 'anon_vma_chain', dst.vmMm.memcg, GFP_KERNEL) < 0) {
      // The pointer may be to an anon_vma that `dst` is linked to no more; it must not count as active.
      dst.anonVma = null;
      unlinkAnonVmas(machine, dst);
      return -ENOMEM;
    }
    link(dst, anonVma);
    const idle = anonVmaReuse && anonVma.numChildren < 2 && anonVma.numActiveVmas === 0;
    if (dst.anonVma === null && src.anonVma !== null && idle) dst.anonVma = anonVma;
  }
  if (dst.anonVma !== null) dst.anonVma.numActiveVmas += 1;
  return 0;
}

/** `vma` is the child's copy of `parent`: it sees the parent's pages, and puts its own elsewhere. 0 or -ENOMEM. */
export function anonVmaFork(machine: Machine, vma: Vma, parent: Vma): number {
  vma.anonVma = null;
  if (parent.anonVma === null) return 0;
  if (anonVmaClone(machine, vma, parent) < 0) return -ENOMEM;
  if (vma.anonVma !== null) return 0;
  const { memcg } = vma.vmMm;
  const anonVma = allocAnonVma(machine, parent.anonVma, memcg);
  if (anonVma === null || machine.slab.alloc(machine, 'anon_vma_chain', memcg, GFP_KERNEL) < 0) {
    if (anonVma !== null) putAnonVma(machine, anonVma);
    unlinkAnonVmas(machine, vma);
    return -ENOMEM;
  }
  anonVma.numActiveVmas += 1;
  vma.anonVma = anonVma;
  link(vma, anonVma);
  anonVma.parent.numChildren += 1;
  return 0;
}

/** Takes `vma` out of every tree, and frees the anon_vmas that nobody is linked to any more. */
export function unlinkAnonVmas(machine: Machine, vma: Vma): void {
  const chain = vma.anonVmaChain;
  for (const avc of chain) {
    avc.anonVma.tree.remove(avc);
    machine.slab.free(machine, 'anon_vma_chain', vma.vmMm.memcg);
    if (avc.anonVma.tree.size === 0) avc.anonVma.parent.numChildren -= 1;
  }
  if (vma.anonVma !== null) {
    vma.anonVma.numActiveVmas -= 1;
    vma.anonVma = null;
  }
  // In a second pass: an anon_vma's root may be in the same chain, and must outlive it.
  for (const { anonVma } of chain) {
    if (anonVma.tree.size > 0) continue;
    bugOn(anonVma.numActiveVmas !== 0, 'an anon_vma is freed only when no VMA calls it its own', anonVma.id);
    putAnonVma(machine, anonVma);
  }
  vma.anonVmaChain = [];
}

/** Takes the VMA's links out of their trees before its range changes. */
export function anonVmaTreeRemove(vma: Vma): void {
  for (const avc of vma.anonVmaChain) avc.anonVma.tree.remove(avc);
}

export function anonVmaTreeInsert(vma: Vma): void {
  for (const avc of vma.anonVmaChain) avc.anonVma.tree.insert(avc);
}

/** The anon_vma of a neighbour that `vma` may share: alike but for R, W, X, contiguous, and its chain has one link. */
function findMergeableAnonVma(vma: Vma): AnonVma | null {
  const next = vma.vmMm.vmas.next(vma);
  const fromNext = next === null ? null : reusableAnonVma(next, vma, next);
  if (fromNext !== null) return fromNext;
  const prev = vma.vmMm.vmas.prev(vma);
  return prev === null ? null : reusableAnonVma(prev, prev, vma);
}

function reusableAnonVma(old: Vma, a: Vma, b: Vma): AnonVma | null {
  if (old.anonVma === null || old.anonVmaChain.length !== 1) return null;
  const alike =
    a.vmEnd === b.vmStart &&
    a.vmFile === b.vmFile &&
    mpolEqual(a.vmPolicy, b.vmPolicy) &&
    ((a.vmFlags ^ b.vmFlags) & ~(VM_ACCESS_FLAGS | VM_STICKY)) === 0 &&
    b.vmPgoff === a.vmPgoff + (b.vmStart - a.vmStart);
  return alike ? old.anonVma : null;
}

function link(vma: Vma, anonVma: AnonVma): void {
  const avc = new AnonVmaChain(vma, anonVma);
  vma.anonVmaChain.push(avc);
  anonVma.tree.insert(avc);
}

function allocAnonVma(machine: Machine, parent: AnonVma | null, memcg: MemCgroup): AnonVma | null {
  if (machine.slab.alloc(machine, 'anon_vma', memcg, GFP_KERNEL) < 0) return null;
  // The id is handed out first, so that the object never lacks it.
  const anonVma = new AnonVma(machine.nextMappingId(), parent, memcg);
  machine.addMapping(anonVma);
  return anonVma;
}

/** Somebody who is no VMA keeps it: a page that KSM merged is found through it. */
export function getAnonVma(anonVma: AnonVma): void {
  anonVma.refcount += 1;
}

export function putAnonVma(machine: Machine, anonVma: AnonVma): void {
  anonVma.refcount -= 1;
  if (anonVma.refcount > 0) return;
  machine.dropMapping(anonVma.id);
  machine.slab.free(machine, 'anon_vma', anonVma.memcg);
  if (anonVma.root !== anonVma) putAnonVma(machine, anonVma.root);
}
