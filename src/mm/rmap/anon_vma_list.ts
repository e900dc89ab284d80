/**
 * Who may map an anonymous page, in kernels without anon_vma_chain (2.6.7 to 2.6.33): one flat list of VMAs for each object.
 *
 *   page->mapping = id * 4 + 1      PAGE_MAPPING_ANON, the low bit: "not a file, an anon_vma"
 *        │ page_lock_anon_vma
 *        ▼
 *   anon_vma 5 ──► parent's VMA ⇄ first child's ⇄ second child's ⇄ …      a page is in some of them, or in none any more
 *
 * Owns      AnonVmaList, `vma.anonVma` and the list's links in each VMA. Nothing else writes them.
 * Promises  1. A VMA in which an anonymous page was ever mapped has an anonVma, and stands on its list once.
 *           2. Whoever comes (fork, split, merge, move) stands at the tail: the order of the list is that of coming.
 *           3. The object goes when its list is empty. Pages that still name it then are mapped by nobody.
 *           4. Bad at: a thousand children. All stand on one list, whether or not they share the page any more.
 * Linux     2.6.24 mm/rmap.c: anon_vma_prepare __anon_vma_link __anon_vma_merge anon_vma_link anon_vma_unlink
 *           page_lock_anon_vma; mm/mmap.c: find_mergeable_anon_vma; Mauerer 4.8
 * After     anon_vma.ts (2.6.34: links between VMAs and many anon_vmas)
 */
import { bugOn } from '../bug.ts';
import { ENOMEM } from '../errno.ts';
import { GFP_KERNEL } from '../gfp.ts';
import type { Machine } from '../machine.ts';
import type { MemCgroup } from '../memcg.ts';
import { PAGE_MAPPING_ANON, PAGE_MAPPING_FLAGS } from '../page_flags.ts';
import type { Pfn } from '../units.ts';
import { VM_ACCESS_FLAGS } from '../vm_flags.ts';
import type { Vma } from '../vma.ts';
import type { AnonVma } from './anon_vma.ts';

export class AnonVmaList {
  /** Number in Machine.mappings; page->mapping is id * 4 + PAGE_MAPPING_ANON. */
  readonly id: number;
  /** Who is charged for the object itself. */
  readonly memcg: MemCgroup;
  first: Vma | null = null;
  last: Vma | null = null;
  size = 0;

  constructor(id: number, memcg: MemCgroup) {
    this.id = id;
    this.memcg = memcg;
  }

  append(vma: Vma): void {
    bugOn(vma.anonVmaPrev !== null || this.first === vma, 'a VMA stands on the list once', vma.vmStart);
    vma.anonVmaPrev = this.last;
    vma.anonVmaNext = null;
    if (this.last === null) this.first = vma;
    else this.last.anonVmaNext = vma;
    this.last = vma;
    this.size += 1;
  }

  remove(vma: Vma): void {
    const { anonVmaPrev: prev, anonVmaNext: next } = vma;
    if (prev === null) this.first = next;
    else prev.anonVmaNext = next;
    if (next === null) this.last = prev;
    else next.anonVmaPrev = prev;
    vma.anonVmaPrev = null;
    vma.anonVmaNext = null;
    this.size -= 1;
  }

  /** For the edges: the VMAs in the order of the list. */
  *[Symbol.iterator](): Generator<Vma> {
    for (let vma = this.first; vma !== null; vma = vma.anonVmaNext) yield vma;
  }
}

/** The VMA's object, in kernels that have this kind. */
export function anonVmaListOf(vma: Vma): AnonVmaList | null {
  return vma.anonVma as object | null as AnonVmaList | null;
}

/** Common code carries the object from VMA to VMA and compares it; what it is, is nobody's business but ours. */
function opaque(anonVma: AnonVmaList): AnonVma {
  return anonVma as object as AnonVma;
}

/**
 * The anon_vma of a mapped anonymous page; null for a page of a file, and for one that nobody maps: its anon_vma may be gone,
 * though the page still names it.
 */
export function pageLockAnonVma(machine: Machine, pfn: Pfn): AnonVmaList | null {
  const { frames } = machine;
  const word = frames.mapping(pfn);
  if ((word & PAGE_MAPPING_ANON) === 0 || frames.mapcount(pfn) === 0) return null;
  const owner = machine.mappings[(word - (word & PAGE_MAPPING_FLAGS)) / 4] ?? null;
  bugOn(!(owner instanceof AnonVmaList), 'a mapped anonymous page has an anon_vma', pfn);
  return owner as object as AnonVmaList;
}

/** Before the first anonymous page of `vma`. A neighbour's anon_vma serves if the two could merge but for their rights. 0 or -ENOMEM. */
export function listPrepare(machine: Machine, vma: Vma): number {
  if (vma.anonVma !== null) return 0;
  const anonVma = findMergeableAnonVma(vma) ?? allocAnonVma(machine, vma.vmMm.memcg);
  if (anonVma === null) return -ENOMEM;
  listLink(vma, anonVma);
  return 0;
}

/** `vma` holds pages of this object from now on; it may have been told so already (split, merge, mremap). */
export function listLink(vma: Vma, anonVma: AnonVmaList): void {
  vma.anonVma = opaque(anonVma);
  anonVma.append(vma);
}

/** Off the list. The object that nobody is left on goes. */
export function listUnlink(machine: Machine, vma: Vma): void {
  const anonVma = anonVmaListOf(vma);
  if (anonVma === null) return;
  anonVma.remove(vma);
  vma.anonVma = null;
  if (anonVma.size > 0) return;
  machine.dropMapping(anonVma.id);
  machine.slab.free(machine, 'anon_vma', anonVma.memcg);
}

/** The next VMA is asked first. */
function findMergeableAnonVma(vma: Vma): AnonVmaList | null {
  const { vmas } = vma.vmMm;
  const next = vmas.next(vma);
  if (next !== null && next.anonVma !== null && alikeButForRights(vma, next)) return anonVmaListOf(next);
  const prev = vmas.prev(vma);
  if (prev !== null && prev.anonVma !== null && alikeButForRights(prev, vma)) return anonVmaListOf(prev);
  return null;
}

function alikeButForRights(a: Vma, b: Vma): boolean {
  return (
    a.vmEnd === b.vmStart &&
    a.vmFile === b.vmFile &&
    ((a.vmFlags ^ b.vmFlags) & ~VM_ACCESS_FLAGS) === 0 &&
    b.vmPgoff === a.vmPgoff + (b.vmStart - a.vmStart)
  );
}

function allocAnonVma(machine: Machine, memcg: MemCgroup): AnonVmaList | null {
  if (machine.slab.alloc(machine, 'anon_vma', memcg, GFP_KERNEL) < 0) return null;
  const anonVma = new AnonVmaList(machine.nextMappingId(), memcg);
  machine.addMapping(opaque(anonVma));
  return anonVma;
}

/** What is wrong with the lists, counted from the VMAs; nothing if all is well. */
export function verifyAnonVmaLists(machine: Machine): string[] {
  const wrong: string[] = [];
  const users = new Map<AnonVmaList, Set<Vma>>();
  for (const mm of machine.mms) {
    for (const vma of mm.vmas) {
      const anonVma = anonVmaListOf(vma);
      if (anonVma === null) continue;
      const vmas = users.get(anonVma) ?? new Set();
      users.set(anonVma, vmas.add(vma));
      if ((machine.mappings[anonVma.id] as object | null) !== anonVma)
        wrong.push(`a VMA of mm ${mm.id} at ${vma.vmStart.toString(16)} has anon_vma ${anonVma.id}, which is gone`);
    }
  }
  for (const owner of machine.mappings) {
    if (!(owner instanceof AnonVmaList)) continue;
    const vmas = users.get(owner) ?? new Set();
    const listed = [...owner];
    if (listed.length === 0) wrong.push(`anon_vma ${owner.id} is empty and not freed`);
    if (listed.length !== owner.size)
      wrong.push(`anon_vma ${owner.id} counts ${owner.size} VMAs, ${listed.length} stand on it`);
    if (listed.length !== vmas.size || listed.some((vma) => !vmas.has(vma)))
      wrong.push(`anon_vma ${owner.id} lists ${listed.length} VMAs, ${vmas.size} name it`);
  }
  return wrong;
}
