/**
 * One region for neighbours that are alike: merging VMAs, and splitting them.
 *
 *       a new range            an existing VMA M whose flags change, whole or in part
 *     prev ******* next        prev MMMMMMM next   prev **MMMMM      MMMMM** next
 *     ├────────────────┤ 1     ├───────────────┤ 6 ├──────┤MMM 5     MMMM├───────┤ 4
 *     ├─────────┤        2     ├───────────┤     7
 *            ├─────────┤ 3         ├───────────┤ 8
 *   prev's object wins in 1, 2, 5, 6, 7; next's in 3, 4, 8 (in 8 M's, before 4.9). What the winner swallows whole goes away.
 *
 * Owns      which VMAs there are and where each begins and ends: every change of vmStart, vmEnd or vmPgoff, but for the
 *           growth of stacks. Links to the tree, to the file's i_mmap and to the anon_vmas follow each change.
 * Promises  1. A failed merge or split changes nothing.
 *           2. Merged VMAs had the same flags (VM_STICKY aside: what one had, both have), the same open file and contiguous offsets, and at most one anon_vma.
 *           3. A VMA cloned from a parent, with pages of its ancestors in it, does not take up a neighbour without an anon_vma.
 * Linux     6.18 mm/vma.c: vma_merge_existing_range vma_merge_new_range vma_merge_extend vma_modify_flags commit_merge vma_expand
 *           __split_vma split_vma dup_anon_vma copy_vma vma_link; 6.1 mm/mmap.c: vma_merge __vma_adjust vma_expand
 * Before    6.1: a VMA that was never faulted cannot take up a range that was; a new mapping asks the right neighbour first
 */
import { ENOMEM } from './errno.ts';
import { getFile, putFile } from './file.ts';
import type { File } from './fs.ts';
import { GFP_KERNEL } from './gfp.ts';
import { splitHugeAt, vmaAdjustTransHuge } from './huge_memory.ts';
import type { Machine } from './machine.ts';
import { type Mempolicy, mpolEqual } from './mempolicy.ts';
import type { Mm } from './mm.ts';
import type { AnonVma } from './rmap/anon_vma.ts';
import type { Pgoff, Vpn } from './units.ts';
import { VM_MAYWRITE, VM_SHARED, VM_SPECIAL, VM_STICKY, type VmFlags } from './vm_flags.ts';
import { Vma } from './vma.ts';
import { vmacacheInvalidate } from './vmacache.ts';

/** What shall be mapped in [start, end), and beside whom. */
export interface MergeRequest {
  readonly mm: Mm;
  readonly prev: Vma | null;
  readonly next: Vma | null;
  /** The VMA that is there now and changes; null for a new range. */
  readonly middle: Vma | null;
  /** mremap: the VMA whose pages will move here. */
  readonly copiedFrom: Vma | null;
  readonly start: Vpn;
  readonly end: Vpn;
  readonly vmFlags: VmFlags;
  readonly pgoff: Pgoff;
  readonly file: File | null;
  readonly anonVma: AnonVma | null;
  /** NUMA policy of the range; left out: none. */
  readonly policy?: Mempolicy | null;
}

// merging

/**
 * Grows the neighbours of a new range over it; null if neither fits. `justExpand` (brk): only the previous one may.
 * `forMmap`: nothing of the range was mapped before, which 6.1 asks in another order.
 */
export function vmaMergeNewRange(
  machine: Machine,
  req: MergeRequest,
  forMmap: boolean,
  justExpand = false,
): Vma | null {
  if ((req.vmFlags & VM_SPECIAL) !== 0) return null;
  const { prev, next } = req;
  let left: boolean;
  let right: boolean;
  const { mmapAsksNextFirst, mergeAnyAnonVma } = machine.generation.switches;
  if (forMmap && mmapAsksNextFirst && !mergeAnyAnonVma) {
    right = !justExpand && canMergeBefore(machine, req, req.anonVma);
    left = canMergeAfter(machine, req, right ? next!.anonVma : req.anonVma);
  } else {
    left = canMergeAfter(machine, req, req.anonVma);
    right = !justExpand && canMergeRight(machine, req, left);
  }
  const target = left ? prev : right ? next : null;
  if (target === null) return null;
  const swallowed = left && right ? next! : null;
  if (swallowed !== null && dupAnonVma(machine, target, swallowed) < 0) return null;
  if (req.copiedFrom !== null && dupAnonVma(machine, target, req.copiedFrom) < 0) return null;
  const start = left ? target.vmStart : req.start;
  const end = right ? next!.vmEnd : req.end;
  const sticky = (req.vmFlags | (swallowed?.vmFlags ?? 0)) & VM_STICKY;
  commitMerge(machine, target, start, end, left ? target.vmPgoff : req.pgoff, null, swallowed, null);
  target.vmFlags |= sticky;
  return target;
}

/**
 * Changes the flags of [start, end), a part of `vma`, to what a neighbour has, if there is such a neighbour: it takes the
 * part over. Returns the VMA that covers the part then, with the new flags; null: no merge; -ENOMEM.
 */
function vmaMergeExistingRange(machine: Machine, req: MergeRequest, middle: Vma): Vma | null | number {
  const { prev, next, start, end } = req;
  const leftSide = start === middle.vmStart;
  const rightSide = end === middle.vmEnd;
  if ((req.vmFlags & VM_SPECIAL) !== 0 || (!leftSide && !rightSide)) return null;
  const left = leftSide && canMergeAfter(machine, req, req.anonVma);
  const right = rightSide && canMergeRight(machine, req, left);
  const whole = leftSide && rightSide;
  if (left && right) {
    if (dupAnonVma(machine, prev!, next!.anonVma !== null ? next! : middle) < 0) return -ENOMEM;
    prev!.vmFlags |= next!.vmFlags & VM_STICKY;
    commitMerge(machine, prev!, prev!.vmStart, next!.vmEnd, prev!.vmPgoff, null, middle, next);
    return prev;
  }
  if (left) {
    if (dupAnonVma(machine, prev!, middle) < 0) return -ENOMEM;
    commitMerge(machine, prev!, prev!.vmStart, end, prev!.vmPgoff, whole ? null : middle, whole ? middle : null, null);
    return prev;
  }
  if (right && whole && !machine.generation.switches.mergeKeepsNext) {
    if (dupAnonVma(machine, middle, next!) < 0) return -ENOMEM;
    middle.vmFlags |= next!.vmFlags & VM_STICKY;
    commitMerge(machine, middle, start, next!.vmEnd, middle.vmPgoff, null, next!, null);
    return middle;
  }
  if (right) {
    if (dupAnonVma(machine, next!, middle) < 0) return -ENOMEM;
    if (whole) commitMerge(machine, next!, start, next!.vmEnd, req.pgoff, null, middle, null);
    else commitMerge(machine, middle, middle.vmStart, start, middle.vmPgoff, next, null, null);
    return next;
  }
  return null;
}

/**
 * The part [start, end) of `vma` gets other flags: merges it into a neighbour that has them, or splits it off. Returns the
 * VMA that covers the part; the caller sets its flags, but leaves VM_STICKY. Or -errno; then pieces may be split that were not before.
 */
export function vmaModifyFlags(
  machine: Machine,
  prev: Vma | null,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  vmFlags: VmFlags,
  mayMerge = true,
): Vma | number {
  return vmaModify(machine, prev, vma, start, end, vmFlags, vma.vmPolicy, mayMerge);
}

/** The same for a part that gets another NUMA policy; the caller sets it. */
export function vmaModifyPolicy(
  machine: Machine,
  prev: Vma | null,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  policy: Mempolicy | null,
): Vma | number {
  return vmaModify(machine, prev, vma, start, end, vma.vmFlags, policy, true);
}

function vmaModify(
  machine: Machine,
  prev: Vma | null,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  vmFlags: VmFlags,
  policy: Mempolicy | null,
  mayMerge: boolean,
): Vma | number {
  const merged = mayMerge ? mergeModified(machine, prev, vma, start, end, vmFlags, policy) : null;
  if (merged !== null) return merged;
  if (vma.vmStart < start) {
    const failed = splitVma(machine, vma, start, true);
    if (failed < 0) return failed;
  }
  if (vma.vmEnd > end) {
    const failed = splitVma(machine, vma, end, false);
    if (failed < 0) return failed;
  }
  return vma;
}

function mergeModified(
  machine: Machine,
  prev: Vma | null,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  vmFlags: VmFlags,
  policy: Mempolicy | null,
): Vma | null | number {
  return vmaMergeExistingRange(
    machine,
    {
      mm: vma.vmMm,
      prev,
      next: vma.vmMm.vmas.next(vma),
      middle: vma,
      copiedFrom: null,
      start,
      end,
      vmFlags,
      pgoff: (vma.vmPgoff + (start - vma.vmStart)) as Pgoff,
      file: vma.vmFile,
      anonVma: vma.anonVma,
      policy,
    },
    vma,
  );
}

/** Grows `vma` upwards by `pages`, which are free, and over the next VMA if that fits then. null: no memory. */
export function vmaMergeExtend(machine: Machine, vma: Vma, pages: number): Vma | null {
  return vmaMergeNewRange(
    machine,
    {
      mm: vma.vmMm,
      prev: vma,
      next: vma.vmMm.vmas.next(vma),
      middle: null,
      copiedFrom: null,
      start: vma.vmEnd,
      end: (vma.vmEnd + pages) as Vpn,
      vmFlags: vma.vmFlags,
      pgoff: (vma.vmPgoff + vma.pages) as Pgoff,
      file: vma.vmFile,
      anonVma: vma.anonVma,
      policy: vma.vmPolicy,
    },
    false,
  );
}

/** The range fits behind prev. `anonVma`: of the range's pages. */
function canMergeAfter(machine: Machine, req: MergeRequest, anonVma: AnonVma | null): boolean {
  const { prev } = req;
  return (
    prev !== null &&
    prev.vmEnd === req.start &&
    isMergeableVma(machine, prev, req) &&
    isMergeableAnonVma(machine, prev, anonVma, req) &&
    (prev.vmPgoff + prev.pages === req.pgoff || !machine.generation.switches.mergesFiles)
  );
}

function canMergeBefore(machine: Machine, req: MergeRequest, anonVma: AnonVma | null): boolean {
  const { next } = req;
  return (
    next !== null &&
    next.vmStart === req.end &&
    isMergeableVma(machine, next, req) &&
    isMergeableAnonVma(machine, next, anonVma, req) &&
    (next.vmPgoff === req.pgoff + (req.end - req.start) || !machine.generation.switches.mergesFiles)
  );
}

/** If the previous VMA takes the range, the next one joins only if those two can share an anon_vma. */
function canMergeRight(machine: Machine, req: MergeRequest, left: boolean): boolean {
  if (!canMergeBefore(machine, req, req.anonVma)) return false;
  if (!left) return true;
  const own = req.prev!.anonVma;
  const other = req.next!.anonVma;
  return own === null || other === null || own === other;
}

/** SINCE 2.5: before, files never merged, and where anonymous pages came from did not matter. */
function isMergeableVma(machine: Machine, vma: Vma, req: MergeRequest): boolean {
  if (req.file !== null && !machine.generation.switches.mergesFiles) return false;
  if (((vma.vmFlags ^ req.vmFlags) & ~VM_STICKY) !== 0 || vma.vmFile !== req.file) return false;
  return mpolEqual(vma.vmPolicy, req.policy ?? null);
}

/**
 * Pages of ancestors are found through every anon_vma of a chain; to lengthen chains over fresh memory would make each walk
 * longer. So whoever brings the anon_vma must have a chain of one.
 * SINCE 6.16: before, the chain of the neighbour had to be of one, whichever side brought the anon_vma; an untouched neighbour has none.
 */
function isMergeableAnonVma(machine: Machine, neighbour: Vma, anonVma: AnonVma | null, req: MergeRequest): boolean {
  const other = neighbour.anonVma;
  if (machine.generation.switches.mergeAnyAnonVma) return anonVma === null || other === null || anonVma === other;
  if (machine.generation.switches.mergeUnfaulted) {
    if (other === null && anonVma !== null) return !hasUncowedParents(req.middle) && !hasUncowedParents(req.copiedFrom);
    if (other !== null && anonVma === null) return !hasUncowedParents(neighbour);
  } else if ((anonVma === null || other === null) && neighbour.anonVmaChain.length === 1) {
    return true;
  }
  return anonVma === other;
}

function hasUncowedParents(vma: Vma | null): boolean {
  return vma !== null && vma.anonVma !== null && vma.anonVmaChain.length !== 1;
}

/** `dst` will show pages of `src`; 0 or -ENOMEM. */
function dupAnonVma(machine: Machine, dst: Vma, src: Vma): number {
  if (src.anonVma === null || dst.anonVma !== null) return 0;
  dst.anonVma = src.anonVma;
  return machine.rmap.anonVmaClone(dst, src);
}

/**
 * `vma` becomes [start, end). `adjusted`, a neighbour, begins at `end` from then on, or is null; `removed` and `removed2` go away.
 */
function commitMerge(
  machine: Machine,
  vma: Vma,
  start: Vpn,
  end: Vpn,
  pgoff: Pgoff,
  adjusted: Vma | null,
  removed: Vma | null,
  removed2: Vma | null,
): void {
  const { rmap } = machine;
  const { vmas } = vma.vmMm;
  if (removed !== null) vmacacheInvalidate(machine, vma.vmMm);
  if (removed2 !== null) vmacacheInvalidate(machine, vma.vmMm);
  vmaAdjustTransHuge(machine, vma, start, end, adjusted);
  rmap.vmaBeforeUpdate(vma);
  vma.vmFile?.mapping.iMmap.remove(vma);
  if (adjusted !== null) {
    rmap.vmaBeforeUpdate(adjusted);
    adjusted.vmFile?.mapping.iMmap.remove(adjusted);
  }
  if (removed !== null) vmas.remove(removed);
  if (removed2 !== null) vmas.remove(removed2);
  vma.vmStart = start;
  vma.vmEnd = end;
  vma.vmPgoff = pgoff;
  if (adjusted !== null) {
    adjusted.vmPgoff = (adjusted.vmPgoff + (end - adjusted.vmStart)) as Pgoff;
    adjusted.vmStart = end;
    vmas.boundsChanged(adjusted);
    adjusted.vmFile?.mapping.iMmap.insert(adjusted);
  }
  vmas.boundsChanged(vma);
  vma.vmFile?.mapping.iMmap.insert(vma);
  rmap.vmaAfterUpdate(vma);
  if (adjusted !== null) rmap.vmaAfterUpdate(adjusted);
  if (removed !== null) dropMerged(machine, removed);
  if (removed2 !== null) dropMerged(machine, removed2);
}

/** Its range belongs to another VMA now; its pages stay. */
function dropMerged(machine: Machine, vma: Vma): void {
  unlinkFileVma(vma);
  machine.rmap.unlinkAnonVmas(vma);
  freeVma(machine, vma);
}

// splitting

/** The same, if max_map_count allows one VMA more. */
export function splitVma(machine: Machine, vma: Vma, at: Vpn, newBelow: boolean): number {
  if (vma.vmMm.mapCount >= machine.sysctl.maxMapCount) return -ENOMEM;
  return splitVmaUnchecked(machine, vma, at, newBelow);
}

/** Makes two of `vma`, which keeps its upper part if the new one shall be `newBelow`. 0 or -ENOMEM. */
export function splitVmaUnchecked(machine: Machine, vma: Vma, at: Vpn, newBelow: boolean): number {
  const part = newVma(machine, vma.vmMm, vma.vmStart, vma.vmEnd, vma.vmFlags, vma.vmPgoff, vma.vmFile);
  if (part === null) return -ENOMEM;
  copySwapReadahead(part, vma);
  part.vmPolicy = vma.vmPolicy;
  const above = (vma.vmPgoff + (at - vma.vmStart)) as Pgoff;
  if (newBelow) {
    part.vmEnd = at;
  } else {
    part.vmStart = at;
    part.vmPgoff = above;
  }
  part.anonVma = vma.anonVma;
  if (machine.rmap.anonVmaClone(part, vma) < 0) {
    machine.slab.free(machine, 'vm_area_struct', part.vmMm.memcg);
    return -ENOMEM;
  }
  if (part.vmFile !== null) getFile(part.vmFile);
  linkFileVma(part);
  splitHugeAt(machine, vma, at);
  machine.rmap.vmaBeforeUpdate(vma);
  vma.vmFile?.mapping.iMmap.remove(vma);
  if (newBelow) {
    vma.vmStart = at;
    vma.vmPgoff = above;
  } else {
    vma.vmEnd = at;
  }
  vma.vmMm.vmas.boundsChanged(vma);
  vma.vmFile?.mapping.iMmap.insert(vma);
  part.vmMm.vmas.insert(part);
  machine.rmap.vmaAfterUpdate(vma);
  return 0;
}

// making, linking and freeing

/**
 * Where mremap moves `pages` of `vma` to: a neighbour of `start` that takes them, or a new VMA. An untouched `vma` may be
 * that neighbour itself, unless it stays (`keepSource`) and the kernel keeps the two apart. null: no memory.
 */
export function copyVma(
  machine: Machine,
  vma: Vma,
  start: Vpn,
  pages: number,
  pgoff: Pgoff,
  keepSource: boolean,
): Vma | null {
  const { vmMm: mm } = vma;
  const end = (start + pages) as Vpn;
  const untouched = vma.vmFile === null && vma.anonVma === null;
  // Nothing of it is in any page yet, so the offset may follow the address, and the VMA will merge with more.
  const offset = untouched ? (start as number as Pgoff) : pgoff;
  const beside = start === vma.vmEnd || end === vma.vmStart;
  const apart = keepSource && untouched && beside && !machine.generation.switches.dontunmapSelfMerge;
  const request: MergeRequest = {
    mm,
    prev: mm.vmas.findBefore(start),
    next: mm.vmas.find(start),
    middle: null,
    copiedFrom: vma,
    start,
    end,
    vmFlags: vma.vmFlags,
    pgoff: offset,
    file: vma.vmFile,
    anonVma: vma.anonVma,
    policy: vma.vmPolicy,
  };
  const merged = apart ? null : vmaMergeNewRange(machine, request, false);
  if (merged !== null) return merged;
  const copy = newVma(machine, mm, start, end, vma.vmFlags, offset, vma.vmFile);
  if (copy === null) return null;
  copySwapReadahead(copy, vma);
  copy.vmPolicy = vma.vmPolicy;
  copy.anonVma = vma.anonVma;
  if (machine.rmap.anonVmaClone(copy, vma) < 0) {
    machine.slab.free(machine, 'vm_area_struct', mm.memcg);
    return null;
  }
  if (copy.vmFile !== null) getFile(copy.vmFile);
  mm.vmas.insert(copy);
  linkFileVma(copy);
  return copy;
}

/** Linked to nothing, and without a reference to its file. null: no memory. */
export function newVma(
  machine: Machine,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  vmFlags: VmFlags,
  pgoff: Pgoff,
  file: File | null,
): Vma | null {
  if (machine.slab.alloc(machine, 'vm_area_struct', mm.memcg, GFP_KERNEL) < 0) return null;
  return new Vma(mm, start, end, vmFlags, pgoff, file);
}

/** The last that is heard of a VMA that is linked to nothing any more. */
export function freeVma(machine: Machine, vma: Vma): void {
  if (vma.vmFile !== null) putFile(machine, vma.vmFile);
  machine.slab.free(machine, 'vm_area_struct', vma.vmMm.memcg);
}

/** The reverse map finds the VMA through its file from now on. */
export function linkFileVma(vma: Vma): void {
  const mapping = vma.vmFile?.mapping;
  if (mapping === undefined) return;
  if (isSharedMaywrite(vma.vmFlags)) mapping.iMmapWritable += 1;
  mapping.iMmap.insert(vma);
}

export function unlinkFileVma(vma: Vma): void {
  const mapping = vma.vmFile?.mapping;
  if (mapping === undefined) return;
  if (isSharedMaywrite(vma.vmFlags)) mapping.iMmapWritable -= 1;
  mapping.iMmap.remove(vma);
}

export function isSharedMaywrite(vmFlags: VmFlags): boolean {
  return (vmFlags & (VM_SHARED | VM_MAYWRITE)) === (VM_SHARED | VM_MAYWRITE);
}

function copySwapReadahead(to: Vma, from: Vma): void {
  to.swapRaVpn = from.swapRaVpn;
  to.swapRaWin = from.swapRaWin;
  to.swapRaHits = from.swapRaHits;
}
