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
import { AddressSpace } from '../fs.ts';
import type { Machine } from '../machine.ts';
import { isDescendant, type MemCgroup, modPageState } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import { mlockVmaPage, munlockVmaPage } from '../mlock.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, updateHiwaterRss } from '../mm.ts';
import { putPage } from '../page_alloc.ts';
import {
  PAGE_MAPPING_ANON,
  PAGE_MAPPING_FLAGS,
  PG_anon_exclusive,
  PG_dirty,
  PG_locked,
  PG_swapbacked,
  PG_swapcache,
  PG_young,
} from '../page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_RW } from '../page_table.ts';
import type { Rmap } from '../parts.ts';
import { swapDuplicate } from '../swap/swapfile.ts';
import { NO_VPN, type Pfn, type SwapEntry, type Vpn } from '../units.ts';
import { VM_LOCKED, VM_RAND_READ, VM_SEQ_READ, VM_SHARED } from '../vm_flags.ts';
import { linearPageIndex, type Vma, vmaAddress } from '../vma.ts';
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from '../vmstat.ts';
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
    frames.set(pfn, PG_swapbacked);
    frames.incMapcount(pfn);
    modPageState(this.machine, pfn, NR_ANON_MAPPED, 1);
    this.setAnon(pfn, vma, vpn, true);
  }

  addAnon(pfn: Pfn, vma: Vma, vpn: Vpn, exclusive: boolean): void {
    const { frames } = this;
    if (frames.incMapcount(pfn) === 1) modPageState(this.machine, pfn, NR_ANON_MAPPED, 1);
    if (!frames.isAnon(pfn)) this.setAnon(pfn, vma, vpn, exclusive);
    else if (exclusive) frames.set(pfn, PG_anon_exclusive);
    mlockVmaPage(this.machine, pfn, vma);
  }

  addFile(pfn: Pfn, vma: Vma): void {
    if (this.frames.incMapcount(pfn) === 1) modPageState(this.machine, pfn, NR_FILE_MAPPED, 1);
    mlockVmaPage(this.machine, pfn, vma);
  }

  dup(pfn: Pfn): void {
    this.frames.incMapcount(pfn);
  }

  remove(pfn: Pfn, vma: Vma): void {
    const { frames } = this;
    if (frames.decMapcount(pfn) === 0) {
      modPageState(this.machine, pfn, frames.isAnon(pfn) ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
    }
    munlockVmaPage(this.machine, pfn, vma);
  }

  moveAnon(pfn: Pfn, vma: Vma): void {
    this.frames.setMapping(pfn, this.anonVmaOf(vma).id * 4 + PAGE_MAPPING_ANON);
    this.frames.set(pfn, PG_anon_exclusive);
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
    this.budget = frames.mapcount(pfn);
    if (this.budget === 0) return 0;
    if (!locked && !frames.isAnon(pfn) && frames.has(pfn, PG_locked)) return 1;
    this.memcg = memcg;
    this.found = 0;
    this.walkEntries(pfn, WALK_REFERENCED);
    return this.found;
  }

  tryToUnmap(pfn: Pfn): boolean {
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
    }
  }

  private ownerOf(pfn: Pfn): AnonVma | AddressSpace | null {
    const word = this.frames.mapping(pfn);
    return this.machine.mappings[(word - (word & PAGE_MAPPING_FLAGS)) / 4] ?? null;
  }

  // the walk itself

  private walkEntries(pfn: Pfn, what: number): void {
    const owner = this.ownerOf(pfn);
    const index = this.frames.index(pfn);
    if (owner instanceof AnonVma) {
      const { tree } = owner;
      for (let avc = tree.firstIn(index, index); avc !== null; avc = tree.nextIn(avc, index, index)) {
        if (!this.visitVma(pfn, avc.vma, vmaAddress(avc.vma, index), what)) return;
      }
    } else if (owner !== null) {
      const tree = owner.iMmap;
      for (let vma = tree.firstIn(index, index); vma !== null; vma = tree.nextIn(vma, index, index)) {
        if (!this.visitVma(pfn, vma, vmaAddress(vma, index), what)) return;
      }
    }
  }

  /** One candidate. True: go on with the next. */
  private visitVma(pfn: Pfn, vma: Vma, vpn: Vpn, what: number): boolean {
    if (vpn === NO_VPN) return true;
    if (what === WALK_REFERENCED && !this.mayCount(vma)) return true;
    if (what === WALK_MKCLEAN && (vma.vmFlags & VM_SHARED) === 0) return true;
    const { pageTables } = this.machine;
    const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.pfn(slot) !== pfn) return true;
    if (what === WALK_REFERENCED) return this.referencedOne(pfn, vma, slot);
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

  private referencedOne(pfn: Pfn, vma: Vma, slot: number): boolean {
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
    let referenced = machine.pageTables.testAndClearYoung(slot);
    // The bit of a sequential mapping is cleared, but says nothing about a second use.
    if (!switches.skipVmasWithoutRecency && (vma.vmFlags & VM_SEQ_READ) !== 0) referenced = false;
    if (frames.testAndClear(pfn, PG_young)) referenced = true;
    if (referenced) {
      this.found += 1;
      this.referencedVmFlags |= vma.vmFlags & ~VM_LOCKED;
    }
    this.budget -= 1;
    return this.budget > 0;
  }

  private unmapOne(pfn: Pfn, vma: Vma, slot: number): boolean {
    const { frames, machine } = this;
    const { pageTables } = machine;
    const mm = vma.vmMm;
    if ((vma.vmFlags & VM_LOCKED) !== 0) {
      mlockVmaPage(machine, pfn, vma);
      return false;
    }
    if (pageTables.has(slot, PTE_DIRTY)) folioMarkDirty(machine, pfn);
    updateHiwaterRss(mm);
    if (!frames.isAnon(pfn)) {
      pageTables.setNone(slot);
      mm.rss[frames.has(pfn, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES]! -= 1;
    } else if (!frames.has(pfn, PG_swapbacked)) {
      if (!this.discardLazyfree(pfn)) return false;
      pageTables.setNone(slot);
      mm.rss[MM_ANONPAGES]! -= 1;
    } else {
      bugOn(!frames.has(pfn, PG_swapcache), 'an anonymous page has a swap slot before it is unmapped', pfn);
      const entry = frames.private_(pfn) as SwapEntry;
      if (swapDuplicate(machine, entry) < 0) return false;
      const exclusive = frames.testAndClear(pfn, PG_anon_exclusive);
      pageTables.setSwap(slot, entry, exclusive);
      mm.rss[MM_ANONPAGES]! -= 1;
      mm.rss[MM_SWAPENTS]! += 1;
    }
    this.remove(pfn, vma);
    putPage(machine, pfn);
    return frames.mapcount(pfn) > 0;
  }

  /** A page given up with MADV_FREE goes without a write, unless it was written since or somebody else holds it. */
  private discardLazyfree(pfn: Pfn): boolean {
    const { frames } = this;
    const onlyMappedAndIsolated = frames.refcount(pfn) === 1 + frames.mapcount(pfn);
    if (onlyMappedAndIsolated && !frames.has(pfn, PG_dirty)) return true;
    if (frames.has(pfn, PG_dirty)) frames.set(pfn, PG_swapbacked);
    return false;
  }
}
