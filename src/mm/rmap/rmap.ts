/**
 * The reverse map: from a page to every entry that maps it.
 *
 * Owns      mapcount and mapping of mapped pages, NR_ANON_MAPPED and NR_FILE_MAPPED, PG_anon_exclusive.
 * Promises  1. mapcount is the number of entries that map the page.
 *           2. The walk meets every entry that maps the page. It may meet VMAs that hold none: a parent's anon_vma
 *              keeps the child's VMA even after copy-on-write, a file's tree keeps VMAs that were never touched.
 * Linux     6.18 mm/rmap.c: folio_add_new_anon_rmap folio_add_anon_rmap_ptes folio_add_file_rmap_ptes folio_remove_rmap_ptes
 *           folio_move_anon_rmap folio_referenced folio_referenced_one try_to_unmap try_to_unmap_one folio_mkclean
 *           page_vma_mkclean_one rmap_walk_anon rmap_walk_file; mm/page_vma_mapped.c: page_vma_mapped_walk
 * Read      docs/reverse-map.md for the picture
 */
import { bugOn } from '../bug.ts';
import {
  deferredSplitFolio,
  folioMapcount,
  folioMaybeMappedShared,
  folioPages,
  HPAGE_PMD_NR,
  type LargeFolio,
  largeFolioOf,
  newLargeFolio,
} from '../folio.ts';
import { AddressSpace } from '../fs.ts';
import { splitHugePmd } from '../huge_memory.ts';
import { rmapWalkKsm } from '../ksm_page.ts';
import type { Machine, MappingOwner } from '../machine.ts';
import { isDescendant, type MemCgroup, modPageState } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { mlockVmaPage, munlockVmaPage } from '../mlock.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, updateHiwaterRss } from '../mm.ts';
import { mmlistAdd } from '../mmlist.ts';
import { compoundHead, putPage } from '../page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PAGE_MAPPING_FLAGS,
  PG_anon_exclusive,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_swapbacked,
  PG_swapcache,
  PG_young,
} from '../page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_RW } from '../page_table.ts';
import type { Rmap } from '../parts.ts';
import { swapDuplicate } from '../swap/swapfile.ts';
import type { Pfn, SwapEntry, Vpn } from '../units.ts';
import { VM_DROPPABLE, VM_LOCKED, VM_RAND_READ, VM_SEQ_READ, VM_SHARED } from '../vm_flags.ts';
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

export function newAnonVmaRmap(machine: Machine): Rmap {
  return new AnonVmaRmap(machine);
}

/** What a walk does at each entry. Numbers, so that a walk allocates nothing. */
const WALK_REFERENCED = 0;
const WALK_UNMAP = 1;
const WALK_MKCLEAN = 2;

class AnonVmaRmap implements Rmap {
  referencedVmFlags = 0;
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
    setSwapbacked(frames, pfn, vma);
    frames.incMapcount(pfn);
    modPageState(this.machine, pfn, NR_ANON_MAPPED, 1);
    this.setAnon(pfn, vma, vpn, true);
  }

  addAnon(pfn: Pfn, vma: Vma, vpn: Vpn, exclusive: boolean): void {
    const { frames } = this;
    const first = frames.incMapcount(pfn) === 1;
    if (first) modPageState(this.machine, pfn, NR_ANON_MAPPED, 1);
    const fromSwap = !frames.isAnon(pfn);
    if (fromSwap) this.setAnon(pfn, vma, vpn, exclusive);
    else if (exclusive) frames.set(pfn, PG_anon_exclusive);
    const large = largeFolioOf(this.machine, pfn);
    // A part of a large folio does not make it unevictable: reclaim splits it when it meets it.
    if (large !== undefined) mapPart(large, vma, first);
    // SINCE 6.11: a page fresh from swap takes the way of new pages, on which nobody locks it. Before, it was locked.
    else if (!fromSwap || this.machine.generation.switches.mlocksSwappedIn) mlockVmaPage(this.machine, pfn, vma);
  }

  addFile(pfn: Pfn, vma: Vma): void {
    if (this.frames.incMapcount(pfn) === 1) modPageState(this.machine, pfn, NR_FILE_MAPPED, 1);
    mlockVmaPage(this.machine, pfn, vma);
  }

  dup(pfn: Pfn, dst: Vma): void {
    this.frames.incMapcount(pfn);
    const large = largeFolioOf(this.machine, pfn);
    if (large !== undefined) mapPart(large, dst, false);
  }

  remove(pfn: Pfn, vma: Vma): void {
    const { frames, machine } = this;
    const last = frames.decMapcount(pfn) === 0;
    if (last) modPageState(machine, pfn, frames.isAnon(pfn) ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
    const large = largeFolioOf(machine, pfn);
    if (large === undefined) {
      munlockVmaPage(machine, pfn, vma);
      return;
    }
    const head = compoundHead(machine, pfn);
    large.remove(vma.vmMm.id, 1);
    if (last) {
      large.pagesMapped -= 1;
      if (large.pagesMapped > 0) deferredSplitFolio(machine, head, true);
    }
    // That all of it is mapped here was never sure; now it is sure that it is not.
    if (machine.generation.switches.hugeFolios) munlockVmaPage(machine, head, vma);
  }

  moveAnon(pfn: Pfn, vma: Vma): void {
    const { frames, machine } = this;
    const head = compoundHead(machine, pfn);
    const word = this.anonVmaOf(vma).id * 4 + PAGE_MAPPING_ANON;
    for (let i = folioPages(machine, head) - 1; i >= 0; i--) frames.setMapping((head + i) as Pfn, word);
    frames.set(pfn, PG_anon_exclusive);
  }

  // mappings of 2 MiB

  addNewHuge(head: Pfn, vma: Vma, vpn: Vpn): void {
    const { frames, machine } = this;
    setSwapbacked(frames, head, vma);
    for (let i = 0; i < HPAGE_PMD_NR; i++) this.setAnon((head + i) as Pfn, vma, (vpn + i) as Vpn, false);
    this.moveAnon(head, vma);
    this.mapAll(head, newLargeFolio(machine, head), vma);
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
    if (last > 0 && last < HPAGE_PMD_NR) deferredSplitFolio(machine, head, true);
    munlockVmaPage(machine, head, vma);
  }

  splitHuge(head: Pfn, vma: Vma): void {
    const { frames, machine } = this;
    const large = this.largeFolio(head);
    if (frames.has(head, PG_anon_exclusive)) {
      for (let i = 1; i < HPAGE_PMD_NR; i++) frames.set((head + i) as Pfn, PG_anon_exclusive);
    }
    large.add(vma.vmMm.id, HPAGE_PMD_NR - 1);
    this.dropEntire(head, large);
    if (!machine.generation.switches.hugeFolios) munlockVmaPage(machine, head, vma);
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
    if (exclusive) this.frames.set(pfn, PG_anon_exclusive);
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
    if (this.frames.has(pfn, PG_head) && this.frames.isAnon(pfn)) {
      this.unmapHuge(pfn);
      return this.largeFolio(pfn).mapcount === 0;
    }
    this.budget = this.frames.mapcount(pfn);
    if (this.budget > 0) this.walkEntries(pfn, WALK_UNMAP);
    return this.frames.mapcount(pfn) === 0;
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
    } else if (owner !== null) {
      rmapWalkKsm(this.machine, owner, visit);
    }
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
    const owner = this.ownerOf(pfn);
    const index = this.frames.index(pfn);
    const { work } = this.machine;
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
    if (what === WALK_REFERENCED) return this.referencedOne(pfn, vma, vpn, slot);
    if (what === WALK_UNMAP) return this.unmapOne(pfn, vma, slot);
    if (pageTables.testAndClear(slot, PTE_DIRTY | PTE_RW)) this.found += 1;
    this.budget -= 1;
    return this.budget > 0;
  }

  private mayCount(vma: Vma): boolean {
    if (this.memcg !== null && !isDescendant(vma.vmMm.memcg, this.memcg)) return false;
    if (!this.machine.generation.switches.skipVmasWithoutRecency) return true;
    return (vma.vmFlags & (VM_SEQ_READ | VM_RAND_READ)) === 0 && !(vma.vmFile?.noreuse ?? false);
  }

  private referencedOne(pfn: Pfn, vma: Vma, vpn: Vpn, slot: number): boolean {
    const { frames, machine } = this;
    if ((vma.vmFlags & VM_LOCKED) !== 0) {
      mlockVmaPage(machine, pfn, vma);
      this.referencedVmFlags |= VM_LOCKED;
      return false;
    }
    const { switches } = machine.generation;
    // To swap it out would be for nothing: it is freed as soon as its process is gone.
    const swappable = frames.isAnon(pfn) && frames.has(pfn, PG_swapbacked);
    if (switches.keepPagesOfDyingMm && vma.vmMm.exiting && swappable && frames.mapcount(pfn) === 1) {
      this.found = -1;
      return false;
    }
    let referenced: boolean;
    const { multiGen } = machine;
    if (multiGen !== null) {
      referenced = multiGen.rules.isReferenced(multiGen, vma, vpn, slot, pfn);
    } else {
      referenced = machine.pageTables.testAndClearYoung(slot);
      // The bit of a sequential mapping is cleared, but says nothing about a second use.
      if (!switches.skipVmasWithoutRecency && (vma.vmFlags & VM_SEQ_READ) !== 0) referenced = false;
    }
    if (frames.testAndClear(pfn, PG_young)) referenced = true;
    if (referenced) {
      this.found += 1;
      this.referencedVmFlags |= vma.vmFlags & ~VM_LOCKED;
    }
    this.budget -= 1;
    return this.budget > 0;
  }

  private unmapOne(pfn: Pfn, vma: Vma, slot: number): boolean {
    if ((vma.vmFlags & VM_LOCKED) !== 0) {
      mlockVmaPage(this.machine, pfn, vma);
      return false;
    }
    return this.unmapEntry(pfn, pfn, vma, slot) && this.frames.mapcount(pfn) > 0;
  }

  /** One entry, that maps `pfn`, a frame of the folio `head`. False: it stays. */
  private unmapEntry(pfn: Pfn, head: Pfn, vma: Vma, slot: number): boolean {
    const { frames, machine } = this;
    const { pageTables } = machine;
    const mm = vma.vmMm;
    if (pageTables.has(slot, PTE_DIRTY)) folioMarkDirty(machine, head);
    updateHiwaterRss(mm);
    if (!frames.isAnon(pfn)) {
      pageTables.setNone(slot);
      mm.rss[frames.has(head, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    } else if (!frames.has(head, PG_swapbacked)) {
      if (!this.discardLazyfree(head, vma)) return false;
      pageTables.setNone(slot);
      mm.rss[MM_ANONPAGES]! -= 1;
    } else {
      bugOn(!frames.has(head, PG_swapcache), 'an anonymous page has a swap slot before it is unmapped', pfn);
      const entry = (frames.private_(head) + (pfn - head)) as SwapEntry;
      if (swapDuplicate(machine, entry) < 0) return false;
      const exclusive = frames.testAndClear(pfn, PG_anon_exclusive);
      pageTables.setSwap(slot, entry, exclusive);
      mm.rss[MM_ANONPAGES]! -= 1;
      mm.rss[MM_SWAPENTS]! += 1;
      mmlistAdd(machine, mm, null);
    }
    this.remove(pfn, vma);
    putPage(machine, pfn);
    return true;
  }

  // the walks for a huge page, with all that is mapped of it

  private hugeReferenced(head: Pfn, memcg: MemCgroup | null): number {
    const { machine } = this;
    const { pageTables, generation, multiGen, frames } = machine;
    const { keepPagesOfDyingMm } = generation.switches;
    this.memcg = memcg;
    this.found = 0;
    this.walkVmas(head, (vma, slots) => {
      if (!this.mayCount(vma)) return true;
      if ((vma.vmFlags & VM_LOCKED) !== 0) {
        // It is locked only where all of it is mapped.
        if (slots.length < folioPages(machine, head)) return true;
        mlockVmaPage(machine, head, vma);
        this.referencedVmFlags |= VM_LOCKED;
        return false;
      }
      if (keepPagesOfDyingMm && vma.vmMm.exiting && this.isOwnSwappable(head)) {
        this.found = -1;
        return false;
      }
      let referenced = false;
      const around = multiGen !== null && !pageTables.isHuge(slots[0]!);
      for (const slot of slots) {
        const vpn = (vma.vmStart + (frames.index(head) + pageTables.pfn(slot) - head - vma.vmPgoff)) as Vpn;
        const young = around
          ? multiGen.rules.isReferenced(multiGen, vma, vpn, slot, head)
          : pageTables.testAndClearYoung(slot);
        if (young) referenced = true;
      }
      if (this.frames.testAndClear(head, PG_young)) referenced = true;
      if (referenced) {
        this.found += 1;
        this.referencedVmFlags |= vma.vmFlags & ~VM_LOCKED;
      }
      return true;
    });
    return this.found;
  }

  private isOwnSwappable(head: Pfn): boolean {
    return this.frames.has(head, PG_swapbacked) && !folioMaybeMappedShared(this.machine, head);
  }

  private unmapHuge(head: Pfn): void {
    const { frames, machine } = this;
    const { pageTables } = machine;
    const base = frames.index(head);
    this.walkVmas(head, (vma, slots) => {
      const first = slots[0]!;
      if ((vma.vmFlags & VM_LOCKED) !== 0) {
        if (slots.length === folioPages(machine, head)) mlockVmaPage(machine, head, vma);
        return false;
      }
      if (pageTables.isHuge(first)) {
        splitHugePmd(machine, vma, (vma.vmStart + (base - vma.vmPgoff)) as Vpn);
      }
      for (const slot of slots) if (!this.unmapEntry(pageTables.pfn(slot), head, vma, slot)) return false;
      return true;
    });
  }

  /** Each VMA that maps the anonymous folio or parts of it, with the slots; stops when `visit` says false. */
  private walkVmas(head: Pfn, visit: (vma: Vma, slots: number[]) => boolean): void {
    const met = new Map<Vma, number[]>();
    this.walkFolio(head, (vma, _vpn, slot) => {
      const slots = met.get(vma);
      if (slots === undefined) met.set(vma, [slot]);
      else slots.push(slot);
    });
    for (const [vma, slots] of met) if (!visit(vma, slots)) return;
  }

  /** A page given up with MADV_FREE goes without a write, unless it was written since or somebody else holds it. */
  private discardLazyfree(pfn: Pfn, vma: Vma): boolean {
    const { frames } = this;
    if (frames.has(pfn, PG_dirty) && (vma.vmFlags & VM_DROPPABLE) === 0) {
      frames.set(pfn, PG_swapbacked);
      return false;
    }
    // Mapped, isolated, and held by nobody else.
    return frames.refcount(pfn) === 1 + folioMapcount(this.machine, pfn);
  }
}

/** A new anonymous page may go to swap, unless it is of memory that is dropped instead. */
function setSwapbacked(frames: MemMap, pfn: Pfn, vma: Vma): void {
  if ((vma.vmFlags & VM_DROPPABLE) === 0) frames.set(pfn, PG_swapbacked);
}

/** One entry more maps a frame of the folio; `first`: none did. */
function mapPart(large: LargeFolio, vma: Vma, first: boolean): void {
  large.add(vma.vmMm.id, 1);
  if (first) large.pagesMapped += 1;
}
