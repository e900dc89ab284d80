/**
 * The reverse map of 3.16: who maps a page, and what its walks decide.
 *
 * Owns      mapcount and mapping of mapped pages, NR_ANON_MAPPED and NR_FILE_MAPPED.
 * Promises  1. mapcount is the number of entries that map the page.
 *           2. The walk meets every entry that maps the page. It may meet VMAs that hold none: each VMA that an anon_vma's chains
 *              lead to, each that shows the page of its file, nonlinear ones entry by entry.
 *           3. Who unmaps stops at the first entry that was used since the last look, and at the first locked VMA.
 * Linux     3.16 mm/rmap.c: __page_set_anon_rmap page_add_new_anon_rmap do_page_add_anon_rmap page_add_file_rmap page_remove_rmap
 *           page_move_anon_rmap page_referenced page_referenced_one try_to_unmap try_to_unmap_one page_mkclean_one rmap_walk
 *           rmap_walk_anon rmap_walk_file page_check_address try_to_unmap_nonlinear; mm/ksm.c: rmap_walk_ksm
 * After     rmap.ts (6.x): an exclusive flag, mlock on every mapping, young entries unmapped all the same
 *
 *   page->mapping of an anonymous page: new, or found alone by copy-on-write: the VMA's own anon_vma
 *                                       back from swap, perhaps shared:       the root of that
 */
import { bugOn } from '../bug.ts';
import {
  deferredSplitFolio,
  folioPages,
  HPAGE_PMD_NR,
  type LargeFolio,
  largeFolioOf,
  newLargeFolio,
} from '../folio.ts';
import { AddressSpace } from '../fs.ts';
import { rmapWalkKsm } from '../ksm_page.ts';
import type { Machine, MappingOwner } from '../machine.ts';
import { isDescendant, type MemCgroup, modPageState } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { clearPageMlock, mlockVmaPageAtOnce } from '../mlock_3.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, updateHiwaterRss } from '../mm.ts';
import { mmlistAdd } from '../mmlist.ts';
import { compoundHead, putPage } from '../page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PAGE_MAPPING_FLAGS,
  PG_head,
  PG_locked,
  PG_swapbacked,
  PG_swapcache,
} from '../page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_MIGRATION, PTE_RW } from '../page_table.ts';
import type { Rmap } from '../parts.ts';
import { swapDuplicate } from '../swap/swapfile.ts';
import { NO_VPN, type Pfn, type SwapEntry, type Vpn } from '../units.ts';
import { VM_LOCKED, VM_SEQ_READ, VM_SHARED } from '../vm_flags.ts';
import { linearPageIndex, type Vma, vmaAddress } from '../vma.ts';
import { NR_ANON_MAPPED, NR_ANON_THPS, NR_FILE_MAPPED } from '../vmstat.ts';
import { folioMarkDirty } from '../writeback.ts';
import {
  AnonVma,
  anonVmaClone,
  anonVmaFork,
  anonVmaPrepare,
  anonVmaTreeInsert,
  anonVmaTreeRemove,
  unlinkAnonVmas,
} from './anon_vma.ts';
import { nonlinearVmas, tryToUnmapNonlinear } from './nonlinear.ts';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_MLOCK, SWAP_SUCCESS } from './swap_verdict.ts';

/** What a walk does at each entry. Numbers, so that a walk allocates nothing. */
const WALK_REFERENCED = 0;
const WALK_UNMAP = 1;
const WALK_MKCLEAN = 2;

export function newRmap_3(machine: Machine): Rmap {
  return new ChainRmap(machine);
}

class ChainRmap implements Rmap {
  referencedVmFlags = 0;
  unmapResult: number = SWAP_SUCCESS;
  private readonly machine: Machine;
  private readonly frames: MemMap;
  /** State of the walk under way: what it counts, whom it asks, how many entries it has yet to meet. */
  private found = 0;
  private memcg: MemCgroup | null = null;
  private budget = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    this.frames = machine.frames;
  }

  anonVmaPrepare(vma: Vma): number {
    return anonVmaPrepare(this.machine, vma);
  }
  anonVmaClone(dst: Vma, src: Vma): number {
    return anonVmaClone(this.machine, dst, src);
  }
  anonVmaFork(vma: Vma, parent: Vma): number {
    return anonVmaFork(this.machine, vma, parent);
  }
  unlinkAnonVmas(vma: Vma): void {
    unlinkAnonVmas(this.machine, vma);
  }
  vmaBeforeUpdate(vma: Vma): void {
    anonVmaTreeRemove(vma);
  }
  vmaAfterUpdate(vma: Vma): void {
    anonVmaTreeInsert(vma);
  }

  // adding and removing

  addNewAnon(pfn: Pfn, vma: Vma, vpn: Vpn): void {
    const { frames } = this;
    bugOn(frames.mapcount(pfn) !== 0, 'a new page is mapped by nobody yet', pfn);
    frames.set(pfn, PG_swapbacked);
    frames.incMapcount(pfn);
    modPageState(this.machine, pfn, NR_ANON_MAPPED, 1);
    this.setAnon(pfn, vma, vpn, true);
  }

  addAnon(pfn: Pfn, vma: Vma, vpn: Vpn, exclusive: boolean): void {
    const { frames } = this;
    const first = frames.incMapcount(pfn) === 1;
    if (first) {
      modPageState(this.machine, pfn, NR_ANON_MAPPED, 1);
      if (!frames.isAnon(pfn)) this.setAnon(pfn, vma, vpn, exclusive);
    }
    const large = largeFolioOf(this.machine, pfn);
    if (large === undefined) return;
    large.add(vma.vmMm.id, 1);
    if (first) large.pagesMapped += 1;
  }

  addFile(pfn: Pfn, _vma: Vma): void {
    if (this.frames.incMapcount(pfn) === 1) modPageState(this.machine, pfn, NR_FILE_MAPPED, 1);
  }

  dup(pfn: Pfn, dst: Vma): void {
    this.frames.incMapcount(pfn);
    const large = largeFolioOf(this.machine, pfn);
    if (large !== undefined) large.add(dst.vmMm.id, 1);
  }

  remove(pfn: Pfn, vma: Vma): void {
    const { frames, machine } = this;
    const last = frames.decMapcount(pfn) === 0;
    const large = largeFolioOf(machine, pfn);
    if (large !== undefined) {
      large.remove(vma.vmMm.id, 1);
      if (last) large.pagesMapped -= 1;
      if (last && large.pagesMapped > 0) deferredSplitFolio(machine, compoundHead(machine, pfn), true);
    }
    if (!last) return;
    modPageState(machine, pfn, frames.isAnon(pfn) ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
    if (large === undefined) clearPageMlock(machine, pfn);
  }

  moveAnon(pfn: Pfn, vma: Vma): void {
    const { frames, machine } = this;
    const head = compoundHead(machine, pfn);
    const word = this.anonVmaOf(vma).id * 4 + PAGE_MAPPING_ANON;
    for (let i = folioPages(machine, head) - 1; i >= 0; i--) frames.setMapping((head + i) as Pfn, word);
  }

  // mappings of 2 MiB

  addNewHuge(head: Pfn, vma: Vma, vpn: Vpn): void {
    this.frames.set(head, PG_swapbacked);
    for (let i = 0; i < HPAGE_PMD_NR; i++) this.setAnon((head + i) as Pfn, vma, (vpn + i) as Vpn, true);
    this.mapAll(head, newLargeFolio(this.machine, head), vma);
  }

  dupHuge(head: Pfn, dst: Vma): void {
    this.mapAll(head, this.largeFolio(head), dst);
  }

  removeHuge(head: Pfn, vma: Vma): void {
    const { frames, machine } = this;
    const large = this.largeFolio(head);
    let last = 0;
    for (let i = 0; i < HPAGE_PMD_NR; i++) if (frames.decMapcount((head + i) as Pfn) === 0) last += 1;
    large.remove(vma.vmMm.id, 1);
    large.pagesMapped -= last;
    modPageState(machine, head, NR_ANON_MAPPED, -last);
    this.dropEntire(head, large);
    if (large.pagesMapped === 0) clearPageMlock(machine, head);
  }

  splitHuge(head: Pfn, vma: Vma): void {
    const large = this.largeFolio(head);
    large.add(vma.vmMm.id, HPAGE_PMD_NR - 1);
    this.dropEntire(head, large);
  }

  private mapAll(head: Pfn, large: LargeFolio, vma: Vma): void {
    const { frames, machine } = this;
    let first = 0;
    for (let i = 0; i < HPAGE_PMD_NR; i++) if (frames.incMapcount((head + i) as Pfn) === 1) first += 1;
    large.pagesMapped += first;
    modPageState(machine, head, NR_ANON_MAPPED, first);
    large.entireMapcount += 1;
    if (large.entireMapcount === 1) modPageState(machine, head, NR_ANON_THPS, HPAGE_PMD_NR);
    large.add(vma.vmMm.id, 1);
  }

  private dropEntire(head: Pfn, large: LargeFolio): void {
    large.entireMapcount -= 1;
    if (large.entireMapcount === 0) modPageState(this.machine, head, NR_ANON_THPS, -HPAGE_PMD_NR);
  }

  private largeFolio(head: Pfn): LargeFolio {
    const large = this.machine.largeFolios.get(head);
    bugOn(large === undefined, 'what is mapped by 2 MiB is a large folio', head);
    return large!;
  }

  /** A page that others may map too belongs to the root: whoever can map it is linked to that. */
  private setAnon(pfn: Pfn, vma: Vma, vpn: Vpn, exclusive: boolean): void {
    const own = this.anonVmaOf(vma);
    const anonVma = exclusive ? own : own.root;
    this.frames.setMapping(pfn, anonVma.id * 4 + PAGE_MAPPING_ANON);
    this.frames.setIndex(pfn, linearPageIndex(vma, vpn));
  }

  private anonVmaOf(vma: Vma): AnonVma {
    bugOn(vma.anonVma === null, 'a VMA has an anon_vma before it gets an anonymous page', vma.vmStart);
    return vma.anonVma!;
  }

  // questions

  pageReferenced(pfn: Pfn, locked: boolean, memcg: MemCgroup | null): number {
    const { frames } = this;
    this.referencedVmFlags = 0;
    if (frames.has(pfn, PG_head) && frames.isAnon(pfn)) return this.hugeReferenced(pfn, memcg);
    this.budget = frames.mapcount(pfn);
    if (this.budget === 0) return 0;
    if (!locked && !frames.isAnon(pfn) && frames.has(pfn, PG_locked)) return 1;
    this.memcg = memcg;
    this.found = 0;
    this.walkEntries(pfn, WALK_REFERENCED);
    return this.found;
  }

  tryToUnmap(pfn: Pfn): boolean {
    const { frames } = this;
    bugOn(!frames.has(pfn, PG_locked), 'a page is locked while it is unmapped', pfn);
    bugOn(frames.has(pfn, PG_head) && frames.isAnon(pfn), 'a huge page is split before it is unmapped', pfn);
    this.unmapResult = SWAP_AGAIN;
    this.walkEntries(pfn, WALK_UNMAP);
    const owner = this.ownerOf(pfn);
    if (this.unmapResult === SWAP_AGAIN && owner instanceof AddressSpace && frames.mapcount(pfn) > 0) {
      this.unmapResult = tryToUnmapNonlinear(this.machine, owner, frames.mapcount(pfn), SWAP_AGAIN);
    }
    if (this.unmapResult !== SWAP_MLOCK && frames.mapcount(pfn) === 0) this.unmapResult = SWAP_SUCCESS;
    return frames.mapcount(pfn) === 0;
  }

  pageMkclean(pfn: Pfn): number {
    this.budget = this.frames.mapcount(pfn);
    this.found = 0;
    if (this.budget > 0 && !this.frames.isAnon(pfn)) this.walkEntries(pfn, WALK_MKCLEAN);
    return this.found;
  }

  walk(pfn: Pfn, visit: (vma: Vma, vpn: Vpn) => boolean): void {
    const owner = this.ownerOf(pfn);
    const index = this.frames.index(pfn);
    if (owner instanceof AnonVma) {
      for (let avc = owner.tree.firstIn(index, index); avc !== null; avc = owner.tree.nextIn(avc, index, index)) {
        if (!visit(avc.vma, vmaAddress(avc.vma, index))) return;
      }
    } else if (owner instanceof AddressSpace) {
      const tree = owner.iMmap;
      for (let vma = tree.firstIn(index, index); vma !== null; vma = tree.nextIn(vma, index, index)) {
        if (!visit(vma, vmaAddress(vma, index))) return;
      }
      for (const vma of nonlinearVmas(owner)) if (!this.walkNonlinear(pfn, vma, visit)) return;
    } else if (owner !== null) {
      rmapWalkKsm(this.machine, owner, visit);
    }
  }

  /** Entry by entry. A VMA without any is met once, in vain. */
  private walkNonlinear(pfn: Pfn, vma: Vma, visit: (vma: Vma, vpn: Vpn) => boolean): boolean {
    const { pageTables } = this.machine;
    const root = vma.vmMm.pageTables;
    let met = false;
    for (let at = pageTables.nextTable(root, vma.vmStart, vma.vmEnd); at < vma.vmEnd; ) {
      const slot = pageTables.slotOf(root, at);
      // An entry that waits for a page on its way may be for this one; who waits for it knows.
      const waits = pageTables.has(slot, PTE_MIGRATION);
      const maps = pageTables.isPresent(slot) && pageTables.pfn(slot) === pfn;
      if (maps) met = true;
      if ((maps || waits) && !visit(vma, at)) return false;
      at = pageTables.nextTable(root, (at + 1) as Vpn, vma.vmEnd);
    }
    return met || visit(vma, NO_VPN);
  }

  walkFolio(head: Pfn, visit: (vma: Vma, vpn: Vpn, slot: number) => void): void {
    const { frames, machine } = this;
    const { pageTables } = machine;
    const owner = this.ownerOf(head);
    if (!(owner instanceof AnonVma)) return;
    const first = frames.index(head);
    const last = first + folioPages(machine, head) - 1;
    for (let avc = owner.tree.firstIn(first, last); avc !== null; avc = owner.tree.nextIn(avc, first, last)) {
      const { vma } = avc;
      const from = Math.max(first, vma.vmPgoff);
      const to = Math.min(last, vma.vmPgoff + vma.pages - 1);
      for (let index = from; index <= to; index++) {
        const vpn = (vma.vmStart + (index - vma.vmPgoff)) as Vpn;
        const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
        if (slot === NO_SLOT || !pageTables.isPresent(slot)) continue;
        if (pageTables.pfn(slot) === head + (index - first)) visit(vma, vpn, slot);
      }
    }
  }

  private ownerOf(pfn: Pfn): MappingOwner | null {
    const word = this.frames.mapping(pfn);
    return this.machine.mappings[(word - (word & PAGE_MAPPING_FLAGS)) / 4] ?? null;
  }

  // the walk itself

  private walkEntries(pfn: Pfn, what: number): void {
    const { work } = this.machine;
    const owner = this.ownerOf(pfn);
    const index = this.frames.index(pfn);
    if (owner instanceof AnonVma) {
      const { tree } = owner;
      work.anonVmasMet += 1;
      for (let avc = tree.firstIn(index, index); avc !== null; avc = tree.nextIn(avc, index, index)) {
        work.chainsMet += 1;
        if (!this.visitVma(pfn, avc.vma, vmaAddress(avc.vma, index), what)) return;
      }
    } else if (owner instanceof AddressSpace) {
      const tree = owner.iMmap;
      for (let vma = tree.firstIn(index, index); vma !== null; vma = tree.nextIn(vma, index, index)) {
        if (!this.visitVma(pfn, vma, vmaAddress(vma, index), what)) return;
      }
    } else if (owner !== null) {
      rmapWalkKsm(this.machine, owner, (vma, vpn) => this.visitVma(pfn, vma, vpn, what));
    }
  }

  /** One candidate. True: go on with the next. */
  private visitVma(pfn: Pfn, vma: Vma, vpn: Vpn, what: number): boolean {
    const { pageTables, work } = this.machine;
    work.vmasVisited += 1;
    if (what === WALK_REFERENCED && !this.mayCount(vma)) return true;
    if (what === WALK_MKCLEAN && (vma.vmFlags & VM_SHARED) === 0) return true;
    const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot === NO_SLOT) return true;
    work.ptesVisited += 1;
    if (!pageTables.isPresent(slot) || pageTables.pfn(slot) !== pfn) return true;
    if (what === WALK_REFERENCED) return this.referencedOne(vma, slot);
    if (what === WALK_UNMAP) return this.unmapOne(pfn, vma, slot);
    if (pageTables.testAndClear(slot, PTE_DIRTY | PTE_RW)) this.found += 1;
    this.budget -= 1;
    return this.budget > 0;
  }

  /** A cgroup's reclaim does not care who else uses the page. */
  private mayCount(vma: Vma): boolean {
    return this.memcg === null || isDescendant(vma.vmMm.memcg, this.memcg);
  }

  private referencedOne(vma: Vma, slot: number): boolean {
    if ((vma.vmFlags & VM_LOCKED) !== 0) {
      this.referencedVmFlags |= VM_LOCKED;
      return false;
    }
    // The bit of a sequential mapping is cleared, but says nothing about a second use.
    if (this.machine.pageTables.testAndClearYoung(slot) && (vma.vmFlags & VM_SEQ_READ) === 0) {
      this.found += 1;
      this.referencedVmFlags |= vma.vmFlags;
    }
    this.budget -= 1;
    return this.budget > 0;
  }

  private unmapOne(pfn: Pfn, vma: Vma, slot: number): boolean {
    const { machine, frames } = this;
    if ((vma.vmFlags & VM_LOCKED) !== 0) {
      mlockVmaPageAtOnce(machine, pfn);
      this.unmapResult = SWAP_MLOCK;
      return false;
    }
    // Used since page_referenced asked, or by a cgroup that was not asked: the page had better stay.
    if (machine.pageTables.testAndClearYoung(slot)) {
      this.unmapResult = SWAP_FAIL;
      return false;
    }
    if (!this.unmapEntry(pfn, vma, slot)) {
      this.unmapResult = SWAP_FAIL;
      return false;
    }
    return frames.mapcount(pfn) > 0;
  }

  /** False: the slot could not be counted once more, and the entry stays. */
  private unmapEntry(pfn: Pfn, vma: Vma, slot: number): boolean {
    const { frames, machine } = this;
    const { pageTables } = machine;
    const { rss } = vma.vmMm;
    if (pageTables.has(slot, PTE_DIRTY)) folioMarkDirty(machine, pfn);
    updateHiwaterRss(vma.vmMm);
    if (frames.isAnon(pfn)) {
      bugOn(!frames.has(pfn, PG_swapcache), 'an anonymous page has a swap slot before it is unmapped', pfn);
      const entry = frames.private_(pfn) as SwapEntry;
      if (swapDuplicate(machine, entry) < 0) return false;
      pageTables.setSwap(slot, entry, false);
      rss[MM_ANONPAGES]! -= 1;
      rss[MM_SWAPENTS]! += 1;
      mmlistAdd(machine, vma.vmMm, null);
    } else {
      pageTables.setNone(slot);
      rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    }
    this.remove(pfn, vma);
    putPage(machine, pfn);
    return true;
  }

  /** Of a huge page: every VMA that maps it as a whole, by the young bit of that entry. */
  private hugeReferenced(head: Pfn, memcg: MemCgroup | null): number {
    const { pageTables, work } = this.machine;
    this.memcg = memcg;
    this.found = 0;
    let locked = false;
    let last: Vma | null = null;
    this.walkFolio(head, (vma, _vpn, slot) => {
      if (locked || !this.mayCount(vma)) return;
      work.ptesVisited += 1;
      if ((vma.vmFlags & VM_LOCKED) !== 0) {
        this.referencedVmFlags |= VM_LOCKED;
        locked = true;
        return;
      }
      if (!pageTables.testAndClearYoung(slot)) return;
      if (vma !== last) this.found += 1;
      last = vma;
      this.referencedVmFlags |= vma.vmFlags;
    });
    return this.found;
  }
}
