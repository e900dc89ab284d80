/**
 * High memory in 2.4: pages that the kernel cannot address until it maps them.
 *
 *   0xc0000000 … 0xf8000000   the first 896 MiB, mapped for good: page_address is a sum
 *   0xfe000000 …              1024 slots (512 with PAE) for kmap:
 *       pkmap_count  0 free   1 mapped, used by nobody, perhaps still in a TLB   n > 1: n - 1 users
 *       the search goes on behind the last slot taken; when it wraps to slot 0, all slots of 1 become 0, at the cost of one flush
 *   near the top              slots of kmap_atomic, one for each use: no count, no search, no sleep
 *
 * Owns      the slots, page->virtual of high pages, the emergency pools of bounce buffers.
 * Promises  1. A high page has at most one slot; virtual names it, and is 0 without one.
 *           2. A slot is given to another page only after a flush since it was last used.
 *           3. kmap of a page that has a slot takes one step.
 * Linux     2.4.19 mm/highmem.c: kmap_high kunmap_high map_new_virtual flush_all_zero_pkmaps alloc_bounce_page alloc_bounce_bh
 *           init_emergency_pool; include/asm-i386/highmem.h: kmap kmap_atomic LAST_PKMAP; include/asm-i386/kmap_types.h: km_type
 *
 * DIFFERS: where 2.4 sleeps until somebody frees a slot or a bounce buffer, the answer is 0 or NO_PFN, and the caller's to deal with:
 *          one CPU that runs a call to its end would sleep for ever.
 */
import { bugOn } from './bug.ts';
import { __GFP_IO, GFP_KERNEL, type Gfp } from './gfp.ts';
import type { SlabObject } from './kmem_cache_2_4.ts';
import type { Machine } from './machine.ts';
import { allocPages, putPage } from './page_alloc.ts';
import { pageHighMem } from './page_flags_2_4.ts';
import { slab_2_4 } from './slab_2_4.ts';
import { NO_PFN, PAGE_SIZE, type Pfn } from './units.ts';

export const PAGE_OFFSET = 0xc0000000;
export const PKMAP_BASE = 0xfe000000;
export const LAST_PKMAP = 1024;
/** With entries of 8 bytes a page table has half as many. */
export const LAST_PKMAP_PAE = 512;
/** Where the slots of kmap_atomic begin, at the end of the fixed mappings. */
const KMAP_ATOMIC_BASE = 0xfffe0000;

/** km_type: who maps for a moment. */
export const KM_TYPES = ['KM_BOUNCE_READ', 'KM_SKB_DATA', 'KM_SKB_DATA_SOFTIRQ', 'KM_USER0', 'KM_USER1'] as const;
export type KmType = (typeof KM_TYPES)[number];

/** Pages and buffer heads kept for bounces when memory is short. */
export const POOL_SIZE = 32;

export class Highmem_2_4 {
  private readonly machine: Machine;
  readonly slots: number;
  readonly pkmapCount: Int32Array;
  private readonly pkmapPage: Int32Array;
  /** page->virtual of high pages, as their slot. */
  private readonly slotOf: Map<Pfn, number> = new Map();
  private lastPkmapNr = 0;
  /** Page in each slot of kmap_atomic. */
  private readonly atomic: Int32Array = new Int32Array(KM_TYPES.length).fill(NO_PFN);
  /** flush_all_zero_pkmaps ran, and kmap found no slot. */
  flushes = 0;
  full = 0;
  private readonly emergencyPages: Pfn[] = [];
  emergencyBhs = POOL_SIZE;
  /** Bounce pages in use: for which page, and the buffer head of their own (null: one of the pool). */
  private readonly bounces: Map<Pfn, { readonly of: Pfn; readonly head: SlabObject | null }> = new Map();
  /** High pages under I/O, and the low page of each; how often there was none. */
  private readonly underIo: Map<Pfn, Pfn> = new Map();
  bounceMisses = 0;

  constructor(machine: Machine, pae: boolean = machine.frames.frames > 2 ** 20) {
    this.machine = machine;
    this.slots = pae ? LAST_PKMAP_PAE : LAST_PKMAP;
    this.pkmapCount = new Int32Array(this.slots);
    this.pkmapPage = new Int32Array(this.slots).fill(NO_PFN);
  }

  /** page->virtual; 0: a high page that is not mapped. */
  pageAddress(pfn: Pfn): number {
    if (!pageHighMem(this.machine, pfn)) return PAGE_OFFSET + pfn * PAGE_SIZE;
    const slot = this.slotOf.get(pfn);
    return slot === undefined ? 0 : pkmapAddr(slot);
  }

  /** The page's address, mapped until kunmap; 0: every slot has a user, and 2.4 would sleep. */
  kmap(pfn: Pfn): number {
    if (!pageHighMem(this.machine, pfn)) return this.pageAddress(pfn);
    const slot = this.slotOf.get(pfn) ?? this.mapNewVirtual(pfn);
    if (slot < 0) return 0;
    this.pkmapCount[slot]! += 1;
    return pkmapAddr(slot);
  }

  /** One user less. The page stays in its slot, at 1, until a flush. */
  kunmap(pfn: Pfn): void {
    if (!pageHighMem(this.machine, pfn)) return;
    const slot = this.slotOf.get(pfn);
    bugOn(slot === undefined || this.pkmapCount[slot]! < 2, 'a page is unmapped as often as it was mapped', pfn);
    this.pkmapCount[slot!]! -= 1;
  }

  /** A slot for the page, with count 1; -1: there is none. */
  private mapNewVirtual(pfn: Pfn): number {
    for (let left = this.slots; left > 0; left--) {
      this.lastPkmapNr = (this.lastPkmapNr + 1) % this.slots;
      if (this.lastPkmapNr === 0) {
        this.flushAllZeroPkmaps();
        left = this.slots;
      }
      if (this.pkmapCount[this.lastPkmapNr] !== 0) continue;
      this.pkmapCount[this.lastPkmapNr] = 1;
      this.pkmapPage[this.lastPkmapNr] = pfn;
      this.slotOf.set(pfn, this.lastPkmapNr);
      return this.lastPkmapNr;
    }
    this.full += 1;
    return -1;
  }

  /** Takes away what nobody uses. */
  flushAllZeroPkmaps(): void {
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.pkmapCount[slot] !== 1) continue;
      this.pkmapCount[slot] = 0;
      this.slotOf.delete(this.pkmapPage[slot]! as Pfn);
      this.pkmapPage[slot] = NO_PFN;
    }
    this.flushes += 1;
  }

  /** In the slot of its use. What was there is not there any more. */
  kmapAtomic(pfn: Pfn, type: KmType): number {
    if (!pageHighMem(this.machine, pfn)) return this.pageAddress(pfn);
    const slot = KM_TYPES.indexOf(type);
    bugOn(this.atomic[slot] !== NO_PFN, 'a slot of kmap_atomic has one user at a time', pfn);
    this.atomic[slot] = pfn;
    return KMAP_ATOMIC_BASE + slot * PAGE_SIZE;
  }

  kunmapAtomic(pfn: Pfn, type: KmType): void {
    if (!pageHighMem(this.machine, pfn)) return;
    const slot = KM_TYPES.indexOf(type);
    bugOn(this.atomic[slot] !== pfn, 'kunmap_atomic gives back what kmap_atomic took', pfn);
    this.atomic[slot] = NO_PFN;
  }

  /** read(2) and write(2) copy with the page mapped. */
  onCopy(pfn: Pfn): void {
    if (this.kmap(pfn) !== 0) this.kunmap(pfn);
  }

  // bounce buffers

  /** 32 pages of low memory, if there is any other. */
  initEmergencyPool(): void {
    if (!this.machine.zones.some((zone) => pageHighMem(this.machine, zone.startPfn) && zone.spannedPages > 0)) return;
    while (this.emergencyPages.length < POOL_SIZE) {
      const pfn = allocPages(this.machine, GFP_KERNEL, 0);
      if (pfn === NO_PFN) return;
      this.emergencyPages.push(pfn);
    }
  }

  get emergencyPagesLeft(): number {
    return this.emergencyPages.length;
  }

  /** A low page and a buffer head to do I/O for a high page; itself if it is low. NO_PFN: 2.4 would wait for one to come back. */
  createBounce(pfn: Pfn, gfp: Gfp = GFP_KERNEL & ~__GFP_IO): Pfn {
    if (!pageHighMem(this.machine, pfn)) return pfn;
    const slab = slab_2_4(this.machine);
    const head = slab.kmemCacheAlloc(this.machine, slab.cache('buffer_head'), gfp);
    let page = head === null && this.emergencyBhs === 0 ? NO_PFN : allocPages(this.machine, gfp, 0);
    if (page === NO_PFN) page = this.emergencyPages.pop() ?? NO_PFN;
    if (page === NO_PFN || (head === null && this.emergencyBhs === 0)) {
      if (head !== null) slab.kmemCacheFree(this.machine, slab.cache('buffer_head'), head);
      return NO_PFN;
    }
    if (head === null) this.emergencyBhs -= 1;
    this.bounces.set(page, { of: pfn, head });
    return page;
  }

  /** The I/O is done. What the pools lack is theirs first. */
  bounceEnd(page: Pfn): void {
    const bounce = this.bounces.get(page);
    if (bounce === undefined) return;
    this.bounces.delete(page);
    const slab = slab_2_4(this.machine);
    if (bounce.head === null) this.emergencyBhs += 1;
    else slab.kmemCacheFree(this.machine, slab.cache('buffer_head'), bounce.head);
    if (this.emergencyPages.length < POOL_SIZE) this.emergencyPages.push(page);
    else putPage(this.machine, page);
  }

  /** The disk knows the first 4 GiB at most, and its driver low memory alone. Nobody waits: then the page itself is used. */
  onIoStart(pfn: Pfn): void {
    if (!pageHighMem(this.machine, pfn)) return;
    const page = this.createBounce(pfn, 0);
    if (page === NO_PFN) this.bounceMisses += 1;
    else this.underIo.set(pfn, page);
  }

  onIoEnd(pfn: Pfn): void {
    const page = this.underIo.get(pfn);
    if (page === undefined) return;
    this.underIo.delete(pfn);
    this.bounceEnd(page);
  }

  verify(): string[] {
    const wrong: string[] = [];
    let mapped = 0;
    for (let slot = 0; slot < this.slots; slot++) {
      const pfn = this.pkmapPage[slot]! as Pfn;
      if ((this.pkmapCount[slot] === 0) !== (pfn === NO_PFN))
        wrong.push(`pkmap slot ${slot}: count ${this.pkmapCount[slot]}, page ${pfn}`);
      if (pfn === NO_PFN) continue;
      mapped += 1;
      if (this.slotOf.get(pfn) !== slot) wrong.push(`frame ${pfn}: page->virtual does not name slot ${slot}`);
    }
    if (this.underIo.size > this.bounces.size) wrong.push('a high page is under I/O through a page that has ended');
    if (mapped !== this.slotOf.size)
      wrong.push(`${this.slotOf.size} high pages have an address, ${mapped} slots a page`);
    return wrong;
  }
}

function pkmapAddr(slot: number): number {
  return PKMAP_BASE + slot * PAGE_SIZE;
}
