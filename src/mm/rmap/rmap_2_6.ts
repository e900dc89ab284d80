/**
 * The reverse map of 2.6.24 and 2.6.26: a page knows its object, and the object knows the VMAs that may map it.
 *
 *   anonymous   mapping − 1 ─► anon_vma, its list from head to tail         address = vm_start + (index − vm_pgoff)
 *   file        mapping     ─► i_mmap, the VMAs that show page `index`      −EFAULT if that is outside the VMA
 *                           ─► i_mmap_nonlinear: no address can be told     swept in clusters of 32 entries
 *
 * Owns      mapcount, mapping and index of mapped pages, NR_ANON_PAGES and NR_FILE_MAPPED; the order of each walk.
 * Promises  1. mapcount is the number of entries that map the page.
 *           2. A walk meets every entry that maps the page and can be told by an address. It goes on until it has met as many
 *              entries as mapcount says, so a page of the first VMA costs one, and one of the last VMA costs them all.
 *           3. page_referenced counts those who used the page, not those who map it; it clears what it counts.
 *           4. A page that was used, or is locked, is not unmapped (SWAP_FAIL).
 * Linux     2.6.24, 2.6.26 mm/rmap.c: vma_address page_check_address page_referenced page_referenced_anon page_referenced_file
 *           page_referenced_one page_mkclean page_mkclean_file page_mkclean_one page_add_anon_rmap page_add_new_anon_rmap
 *           page_add_file_rmap page_dup_rmap page_remove_rmap try_to_unmap try_to_unmap_anon try_to_unmap_file try_to_unmap_one
 * Before    pte_chain.ts (2.5: each page lists its entries); 2.4: none
 * After     rmap.ts
 */
import { bugOn } from '../bug.ts';
import { AddressSpace } from '../fs.ts';
import type { Machine } from '../machine.ts';
import { type MemCgroup, modPageState } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { putPage } from '../page_alloc.ts';
import { PAGE_MAPPING_ANON, PAGE_MAPPING_FLAGS, PG_locked, PG_referenced, PG_swapbacked } from '../page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_RW, PTE_YOUNG } from '../page_table.ts';
import type { Rmap } from '../parts.ts';
import { PrioTree } from '../prio_tree.ts';
import { swapTokenOf } from '../swap/swap_token.ts';
import { NO_VPN, type Pfn, type Vpn } from '../units.ts';
import { VM_LOCKED, VM_MAYSHARE, VM_SHARED } from '../vm_flags.ts';
import { linearPageIndex, type Vma, vmaAddressWithin } from '../vma.ts';
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from '../vmstat.ts';
import { folioMarkDirty } from '../writeback.ts';
import {
  type AnonVmaList,
  anonVmaListOf,
  listLink,
  listPrepare,
  listUnlink,
  pageLockAnonVma,
  verifyAnonVmaLists,
} from './anon_vma_list.ts';
import { isNonlinear, type NonlinearFileVmas, nonlinearVmas, tryToUnmapNonlinear } from './nonlinear.ts';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS, type SwapVerdict } from './swap_verdict.ts';
import { leaveSwapEntry } from './unmap_entry.ts';

export function newObjectRmap_2_6_24(machine: Machine): Rmap {
  return new ObjectRmap(machine, false);
}

/** 2.6.26: a locked VMA says that its page is in use, and that is the end of the question. */
export function newObjectRmap_2_6_26(machine: Machine): Rmap {
  return new ObjectRmap(machine, true);
}

export class ObjectRmap implements Rmap {
  referencedVmFlags = 0;
  unmapResult: SwapVerdict = SWAP_SUCCESS;
  private readonly machine: Machine;
  private readonly frames: MemMap;
  private readonly lockedIsReferenced: boolean;
  /** How many entries the walk under way has yet to meet. */
  private mapcount = 0;

  constructor(machine: Machine, lockedIsReferenced: boolean) {
    this.machine = machine;
    this.frames = machine.frames;
    this.lockedIsReferenced = lockedIsReferenced;
  }

  // VMAs

  anonVmaPrepare(vma: Vma): number {
    return listPrepare(this.machine, vma);
  }
  anonVmaClone(dst: Vma, src: Vma): number {
    const anonVma = anonVmaListOf(src);
    if (anonVma !== null) listLink(dst, anonVma);
    return 0;
  }
  /** The child's VMA stands on the same list. */
  anonVmaFork(vma: Vma, parent: Vma): number {
    return this.anonVmaClone(vma, parent);
  }
  unlinkAnonVmas(vma: Vma): void {
    listUnlink(this.machine, vma);
  }
  /** A list does not mind which pages its VMAs show. */
  vmaBeforeUpdate(_vma: Vma): void {}
  vmaAfterUpdate(_vma: Vma): void {}

  // adding and removing

  addNewAnon(pfn: Pfn, vma: Vma, vpn: Vpn): void {
    const { frames } = this;
    bugOn(frames.mapcount(pfn) !== 0, 'a new page is mapped by nobody yet', pfn);
    frames.set(pfn, PG_swapbacked);
    frames.incMapcount(pfn);
    this.setAnon(pfn, vma, vpn);
  }

  addAnon(pfn: Pfn, vma: Vma, vpn: Vpn, _exclusive: boolean): void {
    if (this.frames.incMapcount(pfn) === 1) this.setAnon(pfn, vma, vpn);
  }

  /** What it said before is of no account: nobody mapped it. */
  private setAnon(pfn: Pfn, vma: Vma, vpn: Vpn): void {
    const { frames, machine } = this;
    const anonVma = anonVmaListOf(vma);
    bugOn(anonVma === null, 'a VMA has an anon_vma before it gets an anonymous page', vma.vmStart);
    frames.setMapping(pfn, anonVma!.id * 4 + PAGE_MAPPING_ANON);
    frames.setIndex(pfn, linearPageIndex(vma, vpn));
    modPageState(machine, pfn, NR_ANON_MAPPED, 1);
  }

  addFile(pfn: Pfn, _vma: Vma): void {
    if (this.frames.incMapcount(pfn) === 1) modPageState(this.machine, pfn, NR_FILE_MAPPED, 1);
  }

  dup(pfn: Pfn, _dst: Vma): void {
    this.frames.incMapcount(pfn);
  }

  remove(pfn: Pfn, _vma: Vma): void {
    const { frames } = this;
    if (frames.decMapcount(pfn) > 0) return;
    modPageState(this.machine, pfn, frames.isAnon(pfn) ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
  }

  /** Whoever is the only user writes in place; the page stays where it is. */
  moveAnon(_pfn: Pfn, _vma: Vma): void {}

  addNewHuge(head: Pfn): void {
    noHugePages(head);
  }
  dupHuge(head: Pfn): void {
    noHugePages(head);
  }
  removeHuge(head: Pfn): void {
    noHugePages(head);
  }
  splitHuge(head: Pfn): void {
    noHugePages(head);
  }

  // was it used?

  /** PG_referenced counts, too, and is cleared. `memcg` is not asked: there is one set of lists for all. */
  pageReferenced(pfn: Pfn, locked: boolean, _memcg: MemCgroup | null): number {
    const { frames } = this;
    this.referencedVmFlags = 0;
    let referenced = frames.testAndClear(pfn, PG_referenced) ? 1 : 0;
    if (frames.mapcount(pfn) === 0) return referenced;
    if (frames.isAnon(pfn)) referenced += this.pageReferencedAnon(pfn);
    // Whoever holds the page's lock is using it.
    else if (!locked && frames.has(pfn, PG_locked)) referenced += 1;
    else referenced += this.pageReferencedFile(pfn);
    return referenced;
  }

  private pageReferencedAnon(pfn: Pfn): number {
    const anonVma = this.lockAnonVma(pfn);
    if (anonVma === null) return 0;
    let referenced = 0;
    this.mapcount = this.frames.mapcount(pfn);
    for (let vma = anonVma.first; vma !== null; vma = vma.anonVmaNext) {
      referenced += this.pageReferencedOne(pfn, vma);
      if (this.mapcount === 0) break;
    }
    return referenced;
  }

  private pageReferencedFile(pfn: Pfn): number {
    const mapping = this.fileOf(pfn);
    if (mapping === null) return 0;
    const tree = mapping.iMmap;
    const index = this.frames.index(pfn);
    let referenced = 0;
    this.mapcount = this.frames.mapcount(pfn);
    for (let vma = tree.firstIn(index, index); vma !== null; vma = tree.nextIn(vma, index, index)) {
      if ((vma.vmFlags & (VM_LOCKED | VM_MAYSHARE)) === (VM_LOCKED | VM_MAYSHARE)) {
        this.machine.work.vmasVisited += 1;
        this.referencedVmFlags |= VM_LOCKED;
        return referenced + 1;
      }
      referenced += this.pageReferencedOne(pfn, vma);
      if (this.mapcount === 0) break;
    }
    return referenced;
  }

  private pageReferencedOne(pfn: Pfn, vma: Vma): number {
    const { machine } = this;
    const slot = this.checkAddress(pfn, vma);
    if (slot === NO_SLOT) return 0;
    if (this.lockedIsReferenced && (vma.vmFlags & VM_LOCKED) !== 0) {
      this.referencedVmFlags |= VM_LOCKED;
      this.mapcount = 0;
      return 1;
    }
    let referenced = 0;
    // The TLB forgets the entry, so that the next use is seen.
    if (machine.pageTables.testAndClear(slot, PTE_YOUNG)) referenced += 1;
    // Who holds the swap token, and waits in a fault just now, shall make progress.
    const held = swapTokenOf(machine)?.protects(vma.vmMm, machine.current.mm) ?? false;
    if (held) referenced += 1;
    if (referenced > 0) this.referencedVmFlags |= vma.vmFlags & ~VM_LOCKED;
    this.mapcount -= 1;
    return referenced;
  }

  // taking it out

  /** unmapResult: SWAP_SUCCESS: nobody maps the page any more. SWAP_AGAIN: some do. SWAP_FAIL: it is locked somewhere, or was used. */
  tryToUnmap(pfn: Pfn): boolean {
    const { frames } = this;
    const verdict = frames.isAnon(pfn) ? this.tryToUnmapAnon(pfn) : this.tryToUnmapFile(pfn);
    this.unmapResult = frames.mapcount(pfn) === 0 ? SWAP_SUCCESS : verdict;
    return this.unmapResult === SWAP_SUCCESS;
  }

  private tryToUnmapAnon(pfn: Pfn): SwapVerdict {
    const anonVma = this.lockAnonVma(pfn);
    let verdict: SwapVerdict = SWAP_AGAIN;
    if (anonVma === null) return verdict;
    for (let vma = anonVma.first; vma !== null; vma = vma.anonVmaNext) {
      verdict = this.tryToUnmapOne(pfn, vma);
      if (verdict === SWAP_FAIL || this.frames.mapcount(pfn) === 0) break;
    }
    return verdict;
  }

  private tryToUnmapFile(pfn: Pfn): SwapVerdict {
    const mapping = this.fileOf(pfn);
    let verdict: SwapVerdict = SWAP_AGAIN;
    if (mapping === null) return verdict;
    const tree = mapping.iMmap;
    const index = this.frames.index(pfn);
    for (let vma = tree.firstIn(index, index); vma !== null; vma = tree.nextIn(vma, index, index)) {
      verdict = this.tryToUnmapOne(pfn, vma);
      if (verdict === SWAP_FAIL || this.frames.mapcount(pfn) === 0) return verdict;
    }
    return tryToUnmapNonlinear(this.machine, mapping, this.frames.mapcount(pfn), verdict);
  }

  private tryToUnmapOne(pfn: Pfn, vma: Vma): SwapVerdict {
    const { machine } = this;
    const { pageTables } = machine;
    const slot = this.checkAddress(pfn, vma);
    if (slot === NO_SLOT) return SWAP_AGAIN;
    // It may have been used since page_referenced asked, or that one stopped before it came here.
    if ((vma.vmFlags & VM_LOCKED) !== 0 || pageTables.testAndClear(slot, PTE_YOUNG)) return SWAP_FAIL;
    const dirty = pageTables.has(slot, PTE_DIRTY);
    pageTables.setNone(slot);
    if (dirty) folioMarkDirty(machine, pfn);
    leaveSwapEntry(machine, vma.vmMm, slot, pfn);
    this.remove(pfn, vma);
    putPage(machine, pfn);
    return SWAP_AGAIN;
  }

  // cleaning it

  /** VMAs whose pages cannot be told by address are left out: a file that counts its dirty pages has none. */
  pageMkclean(pfn: Pfn): number {
    const { frames, machine } = this;
    if (frames.mapcount(pfn) === 0 || frames.isAnon(pfn)) return 0;
    const mapping = this.fileOf(pfn);
    if (mapping === null) return 0;
    const tree = mapping.iMmap;
    const index = frames.index(pfn);
    let cleaned = 0;
    for (let vma = tree.firstIn(index, index); vma !== null; vma = tree.nextIn(vma, index, index)) {
      if ((vma.vmFlags & VM_SHARED) === 0) {
        machine.work.vmasVisited += 1;
        continue;
      }
      const slot = this.checkAddress(pfn, vma);
      if (slot !== NO_SLOT && machine.pageTables.testAndClear(slot, PTE_DIRTY | PTE_RW)) cleaned += 1;
    }
    return cleaned;
  }

  // for people, and for verify

  objectOf(pfn: Pfn): string {
    if (this.frames.isAnon(pfn)) return `a list of ${pageLockAnonVma(this.machine, pfn)?.size ?? 0} VMAs`;
    const mapping = this.fileOf(pfn);
    if (mapping === null) return 'nothing';
    const nonlinear = nonlinearVmas(mapping).length;
    const tree = `a priority search tree of ${mapping.iMmap.size - nonlinear} VMAs`;
    return nonlinear === 0 ? tree : `${tree}, and ${nonlinear} on the nonlinear list`;
  }

  placeOf(pfn: Pfn, vma: Vma): string {
    if (this.frames.isAnon(pfn)) {
      const list = [...(pageLockAnonVma(this.machine, pfn) ?? [])];
      return `number ${list.indexOf(vma) + 1} of ${list.length} on the list`;
    }
    if (isNonlinear(vma)) return `on i_mmap_nonlinear, its cursor at page ${vma.nonlinearCursor} of ${vma.pages}`;
    const tree = (this.fileOf(pfn)?.iMmap as NonlinearFileVmas | undefined)?.linear;
    return tree instanceof PrioTree ? tree.placeOf(vma) : 'in i_mmap';
  }

  walk(pfn: Pfn, visit: (vma: Vma, vpn: Vpn) => boolean): void {
    const { frames, machine } = this;
    const index = frames.index(pfn);
    if (frames.isAnon(pfn)) {
      const anonVma = pageLockAnonVma(machine, pfn);
      for (let vma = anonVma?.first ?? null; vma !== null; vma = vma.anonVmaNext) {
        if (!visit(vma, vmaAddressWithin(vma, index))) return;
      }
      return;
    }
    const mapping = this.fileOf(pfn);
    if (mapping === null) return;
    const tree = mapping.iMmap;
    for (let vma = tree.firstIn(index, index); vma !== null; vma = tree.nextIn(vma, index, index)) {
      if (!visit(vma, vmaAddressWithin(vma, index))) return;
    }
    for (const vma of nonlinearVmas(mapping)) if (!this.walkNonlinear(pfn, vma, visit)) return;
  }

  /** Entry by entry. A VMA without any is met once, in vain. */
  private walkNonlinear(pfn: Pfn, vma: Vma, visit: (vma: Vma, vpn: Vpn) => boolean): boolean {
    const { pageTables } = this.machine;
    const root = vma.vmMm.pageTables;
    let met = false;
    let at = pageTables.nextTable(root, vma.vmStart, vma.vmEnd);
    while (at < vma.vmEnd) {
      const slot = pageTables.slotOf(root, at);
      if (pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn) {
        met = true;
        if (!visit(vma, at)) return false;
      }
      at = pageTables.nextTable(root, (at + 1) as Vpn, vma.vmEnd);
    }
    return met || visit(vma, NO_VPN);
  }

  walkFolio(head: Pfn, visit: (vma: Vma, vpn: Vpn, slot: number) => void): void {
    this.walk(head, (vma, vpn) => {
      const slot = vpn === NO_VPN ? NO_SLOT : this.slotThatMaps(head, vma, vpn);
      if (slot !== NO_SLOT) visit(vma, vpn, slot);
      return true;
    });
  }

  verify(): string[] {
    return verifyAnonVmaLists(this.machine);
  }

  // both

  private lockAnonVma(pfn: Pfn): AnonVmaList | null {
    const anonVma = pageLockAnonVma(this.machine, pfn);
    if (anonVma !== null) this.machine.work.anonVmasMet += 1;
    return anonVma;
  }

  private fileOf(pfn: Pfn): AddressSpace | null {
    const word = this.frames.mapping(pfn);
    const owner = this.machine.mappings[(word - (word & PAGE_MAPPING_FLAGS)) / 4] ?? null;
    return owner instanceof AddressSpace ? owner : null;
  }

  /** The slot in `vma` that maps the page (page_check_address), or NO_SLOT. */
  private checkAddress(pfn: Pfn, vma: Vma): number {
    this.machine.work.vmasVisited += 1;
    const vpn = vmaAddressWithin(vma, this.frames.index(pfn));
    return vpn === NO_VPN ? NO_SLOT : this.slotThatMaps(pfn, vma, vpn);
  }

  private slotThatMaps(pfn: Pfn, vma: Vma, vpn: Vpn): number {
    const { pageTables, work } = this.machine;
    const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot === NO_SLOT) return NO_SLOT;
    work.ptesVisited += 1;
    return pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn ? slot : NO_SLOT;
  }
}

function noHugePages(head: Pfn): never {
  bugOn(true, 'there are no huge pages of anonymous memory', head);
  throw new Error('unreachable');
}
