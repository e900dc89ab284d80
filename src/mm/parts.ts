/**
 * The parts that differ between kernels, and what each must do.
 *
 * A generation is a recipe (generations/): it names one implementation of each part and the switches of its release.
 * Common code speaks to these interfaces and never asks which kernel it is.
 */

import type { VmFault } from './fault.ts';
import type { PageReader } from './filemap.ts';
import type { AddressSpace, File } from './fs.ts';
import type { Gfp } from './gfp.ts';
import type { Khugepaged } from './khugepaged_3.ts';
import type { Ksm } from './ksm.ts';
import type { LruList, Lruvec } from './lruvec.ts';
import type { Machine, Sysctl } from './machine.ts';
import type { MemCgroup } from './memcg.ts';
import type { MultiGenRules } from './mglru/rules.ts';
import type { Mm } from './mm.ts';
import type { Shrinker, ShrinkerOps } from './slab.ts';
import type { SlabName, SlabSizes } from './slab_sizes.ts';
import type { SwapInfo } from './swap/area.ts';
import type { SwapToken } from './swap/swap_token.ts';
import type { Pfn, Pgoff, SwapEntry, Vaddr, Vpn } from './units.ts';
import type { Vma } from './vma.ts';
import type { PgData, Zone } from './zone.ts';

/** Who maps a page. */
export interface Rmap {
  /** Before the first anonymous page of a VMA. 0 or -ENOMEM. */
  anonVmaPrepare(vma: Vma): number;
  /** `dst` will hold pages of `src`, too (split, merge, mremap). 0 or -ENOMEM. */
  anonVmaClone(dst: Vma, src: Vma): number;
  /** `vma` is the child's copy of `parent`'s VMA. 0 or -ENOMEM. */
  anonVmaFork(vma: Vma, parent: Vma): number;
  /** The VMA goes away. */
  unlinkAnonVmas(vma: Vma): void;
  /** Around any change of vmStart, vmEnd or vmPgoff of a VMA that is linked: takes it out of the trees, puts it back. */
  vmaBeforeUpdate(vma: Vma): void;
  vmaAfterUpdate(vma: Vma): void;

  /** A new anonymous page, mapped once and by nobody else (page_add_new_anon_rmap). */
  addNewAnon(pfn: Pfn, vma: Vma, vpn: Vpn): void;
  /** An anonymous page that came back from swap (page_add_anon_rmap). */
  addAnon(pfn: Pfn, vma: Vma, vpn: Vpn, exclusive: boolean): void;
  addFile(pfn: Pfn, vma: Vma): void;
  /** fork maps the page once more, in `dst` at `vpn` (page_dup_rmap). */
  dup(pfn: Pfn, dst: Vma, vpn: Vpn): void;
  /** One mapping less (page_remove_rmap). */
  remove(pfn: Pfn, vma: Vma): void;
  /** Copy-on-write found `vma` to be the only user (page_move_anon_rmap). Of a large folio all frames move, and `pfn` is exclusive. */
  moveAnon(pfn: Pfn, vma: Vma): void;

  /** A new huge page, mapped once as a whole and by nobody else. */
  addNewHuge(head: Pfn, vma: Vma, vpn: Vpn): void;
  /** A mapping of 2 MiB more, less. */
  dupHuge(head: Pfn, dst: Vma): void;
  removeHuge(head: Pfn, vma: Vma): void;
  /** A mapping of 2 MiB became 512 entries. */
  splitHuge(head: Pfn, vma: Vma): void;

  /**
   * In how many VMAs the page was used since the last time; clears the young bits. -1: could not be told, keep the page.
   * `referencedVmFlags` then holds the flags of the VMAs that used it. VMAs outside `memcg`'s tree are left out.
   */
  pageReferenced(pfn: Pfn, locked: boolean, memcg: MemCgroup | null): number;
  referencedVmFlags: number;
  /** Takes the page out of every page table. True if nobody maps it any more. */
  tryToUnmap(pfn: Pfn): boolean;
  /** How the last tryToUnmap ended, a SWAP_ constant of swap_verdict.ts. Left out in kernels that do not tell (2.4; since 4.12). */
  unmapResult?: number;
  /** Makes every shared mapping of a file page clean and read-only; how many entries changed. */
  pageMkclean(pfn: Pfn): number;
  /**
   * Meets every VMA that may map the page (candidates), with the address it would have there: NO_VPN if it can have none in
   * a VMA that is met all the same. Stops when `visit` says false.
   */
  walk(pfn: Pfn, visit: (vma: Vma, vpn: Vpn) => boolean): void;
  /** The walk looks through every address space (2.4), so nobody asks it without need. */
  readonly walksAll?: boolean;
  /** Meets every entry that maps a frame of the anonymous folio, by VMA, ascending. Entries may be changed on the way. */
  walkFolio(head: Pfn, visit: (vma: Vma, vpn: Vpn, slot: number) => void): void;
  /** For people: what the page's owner is, and where the VMA stands in it. Left out: as in 6.x. */
  objectOf?(pfn: Pfn): string;
  placeOf?(pfn: Pfn, vma: Vma): string;
  /** mremap: the entry in slot `from` is at page `to` of `mm` now. For kernels whose pages know their entries (2.5). */
  entryMoved?(pfn: Pfn, from: number, mm: Mm, to: Vpn): void;
  /** A sentence for each broken promise; left out: common code checks what there is. */
  verify?(): string[];
}

/** The lists on which pages wait to be reclaimed (mm/swap.c). */
export interface Lru {
  /** A new page, or one put back: queued in a batch, on its list when the batch is drained (folio_add_lru). */
  add(pfn: Pfn): void;
  /** The same for a page just mapped by `vma`: a locked VMA's page becomes unevictable (folio_add_lru_vma). */
  addVma(pfn: Pfn, vma: Vma): void;
  /** read(2), write(2) and unmapping report a use (folio_mark_accessed). */
  markAccessed(pfn: Pfn): void;
  activate(pfn: Pfn): void;
  /** MADV_COLD. */
  deactivate(pfn: Pfn): void;
  /** Invalidation found it busy. */
  deactivateFile(pfn: Pfn): void;
  /** MADV_FREE. */
  lazyfree(pfn: Pfn): void;
  /** Writeback of a page that reclaim wants is done (folio_rotate_reclaimable). */
  rotateReclaimable(pfn: Pfn): void;
  /** Empties every batch (lru_add_drain). */
  drain(): void;
  /** Takes a page off its list for the caller, who gets a reference. False if it is on none (folio_isolate_lru). */
  isolate(pfn: Pfn): boolean;
  /** Gives it back and drops that reference (folio_putback_lru). */
  putback(pfn: Pfn): void;
  /** The page is being freed: off its list. */
  remove(pfn: Pfn): void;
  /** The list that the page's flags name. */
  listOf(pfn: Pfn): LruList;
  /** For people: pages on their way, by the kernel's name of the batch. Copies. Left out: there are no batches. */
  batches?(): LruBatch[];
}

/** A CPU's pages on their way to a list. */
export interface LruBatch {
  readonly name: string;
  readonly pages: Int32Array;
  /** The batch is emptied when it has so many. */
  readonly room: number;
}

/** How memory is taken back (mm/vmscan.c). */
export interface Reclaim {
  /** Direct reclaim for an allocation; how many pages were freed. */
  tryToFreePages(pgdat: PgData, order: number, gfp: Gfp): number;
  /** A memory cgroup is over its limit; how many pages were freed. */
  tryToFreeMemCgroupPages(memcg: MemCgroup, pages: number, gfp: Gfp, maySwap: boolean): number;
  /** A zone is below its low watermark (wakeup_kswapd). */
  wakeupKswapd(zone: Zone, gfp: Gfp, order: number): void;
  /** kswapd's turn on the clock. */
  runKswapd(pgdat: PgData): void;
  /** MADV_PAGEOUT: tries each isolated page; how many were freed. */
  reclaimPages(pages: Pfn[]): number;
  /** Pages of the zone that could be reclaimed: the allocator asks before it tries again. */
  zoneReclaimablePages(zone: Zone): number;
  /** vm.zone_reclaim_mode: a zone is reclaimed before the next node is asked. True if enough was freed. Some kernels. */
  zoneReclaim?(zone: Zone, gfp: Gfp, order: number): boolean;
  /** The address space is about to end: for kernels whose reclaim has a place in the list of them (2.4). */
  forgetMm?(mm: Mm): void;
  /** A sentence for each broken promise that verify.ts does not know. */
  verify?(): string[];
}

/** What a page leaves behind when it is evicted, and what that says when it comes back (mm/workingset.c). */
export interface Workingset {
  /** A shadow: a whole number above 0 that fits in 53 bits. */
  eviction(pfn: Pfn, target: Lruvec): number;
  refault(pfn: Pfn, shadow: number): void;
  activation(pfn: Pfn): void;
}

/** Where free pages are, and what is tried when there are none (mm/page_alloc.c). */
export interface Physical {
  /** Boot: builds machine.nodes and machine.zones, frees what is not reserved. Returns the first frame behind the kernel. */
  buildZones(): Pfn;
  /** Watermarks and per-CPU lists anew, after a sysctl changed. */
  setupWatermarks(): void;
  /** 2**order pages, made ready (prepNewPage), or NO_PFN. */
  allocPages(gfp: Gfp, order: number): Pfn;
  /** A block of which nobody has a reference. */
  freePages(pfn: Pfn, order: number): void;
  /** Pages that CPUs keep go back to the zones. */
  drainAll(): void;
  /** Free blocks of one order, as /proc/buddyinfo has them. */
  freeBlocks(zone: Zone, order: number): number;
  /** 2.4: a request must leave the marks of all zones before it in the list free, not only those of the zone it takes from. */
  readonly marksAddUp?: boolean;
  /** 2.4: the frame begins the block that a task keeps for itself while it frees memory. */
  keeps?(pfn: Pfn): boolean;
  /** A sentence for each broken promise of free lists, zones and watermarks. */
  verify(): string[];
}

/** Every VMA that maps a file, by the range of pages that it shows (address_space.i_mmap). */
export interface FileVmas {
  readonly size: number;
  insert(vma: Vma): void;
  /** fork: `vma` shows the same range as `before`, and comes directly behind it. */
  insertAfter(vma: Vma, before: Vma): void;
  remove(vma: Vma): void;
  /** The first that shows a page of [first, last], and the one behind `vma`; null if there is none. */
  firstIn(first: number, last: number): Vma | null;
  nextIn(vma: Vma, first: number, last: number): Vma | null;
  [Symbol.iterator](): Iterator<Vma>;
  verify(): string[];
}

/** One cache of kernel objects, as far as all kernels have it. */
export interface SlabInfo {
  readonly name: string;
  /** Bytes of an object in its slab, and pages of a slab as a power of two. */
  readonly size: number;
  readonly order: number;
  /** Objects in use, and those for which there is room. */
  active: number;
  room: number;
  /** First frames of its slabs. */
  readonly slabs: readonly Pfn[];
}

/** The kernel's own objects (mm/slub.c, mm/slab.c). */
export interface Slab {
  readonly caches: Readonly<Record<SlabName, SlabInfo>>;
  readonly shrinkers: readonly Shrinker[];
  /** One more object for `memcg`; 0 or -ENOMEM. */
  alloc(machine: Machine, name: SlabName, memcg: MemCgroup, gfp: Gfp): number;
  /** One object less; `memcg` as it was allocated. */
  free(machine: Machine, name: SlabName, memcg: MemCgroup): void;
  /** Does the slab that begins at this frame hold objects that a shrinker may drop? */
  isReclaimable(pfn: Pfn): boolean;
  registerShrinker(ops: ShrinkerOps): void;
  verify(machine: Machine): string[];
}

/**
 * What a kernel keeps of cached pages beside the XArray, such as the hash table and lists of 2.4. Called by whoever changes a
 * page; a machine of a kernel that keeps nothing has none.
 */
export interface PageHooks {
  /** From now on, or no more, the page is page `index` of a mapping (its id), or has that swap entry (id 0). A page may be both for a moment. */
  onInsert(pfn: Pfn, mappingId: number, index: number): void;
  onRemove(pfn: Pfn, mappingId: number, index: number): void;
  /** Somebody looks for such a page. */
  onFind(mappingId: number, index: number): void;
  /** set_page_dirty; and write(2), which dirties the page's buffers. It was clean or dirty before. */
  onSetPageDirty(pfn: Pfn): void;
  onMarkBufferDirty(pfn: Pfn): void;
  /** Its write begins: page and buffers are clean. */
  onStartWrite(pfn: Pfn): void;
  /** The page's buffers go. */
  onDropBuffers(pfn: Pfn): void;
  /** The kernel copies to or from the page. */
  onCopy(pfn: Pfn): void;
  /** The device begins to read or write the page, and is done. */
  onIoStart(pfn: Pfn): void;
  onIoEnd(pfn: Pfn): void;
  /** fsync: writes what is dirty, and waits. */
  fsync(mapping: AddressSpace): void;
}

/** Dirty file pages: who is held back, and who writes them (mm/page-writeback.c). */
export interface WritebackPart {
  /** The current task has dirtied a page. */
  balanceDirtyPages(machine: Machine): void;
  /** Something is dirty: the flusher will look in time. */
  startFlusher(machine: Machine): void;
  /** Reclaim wants clean pages now: so many, if it says how many. */
  wakeupFlusher(machine: Machine, pages?: number): void;
  /** The flusher's turn on the clock. */
  runFlusher(machine: Machine): void;
  /** write(2) has dirtied the buffers of a file's page; a file's page is clean again. For kernels with lists of buffers. */
  bufferDirtied?(machine: Machine, pfn: Pfn): void;
  cleaned?(machine: Machine, pfn: Pfn): void;
}

/** A kernel thread that runs when the clock says so: bdflush, pdflush, ksmd. Plain data, as all state. */
export interface Daemon {
  run(machine: Machine): void;
}

/** What only one generation's machine has: page hash, kmap pool, KSM. Each generation has a class of its own. */
export interface GenerationState {
  readonly pageHooks?: PageHooks;
  /** Whose pages are left alone while others thrash (2.6). */
  readonly swapToken?: SwapToken;
  /** A sentence for each broken promise. */
  verify(machine: Machine): string[];
}

/** One kernel release: names of its parts, and the switches in which it differs from its neighbours. */
export interface Generation {
  /** `6.18`. */
  readonly version: string;
  /** `linux-6`. */
  readonly family: string;
  readonly cgroups: boolean;

  // parts with a state of their own: one of each is made for a machine

  readonly newRmap: (machine: Machine) => Rmap;
  readonly newLru: (machine: Machine) => Lru;
  readonly newReclaim: (machine: Machine) => Reclaim;
  readonly newWorkingset: (machine: Machine) => Workingset;
  /** The multi-generational LRU, for machines that ask for it; null: the kernel has none. */
  readonly multiGen: MultiGenRules | null;
  readonly newPhysical: (machine: Machine) => Physical;
  readonly newSlab: (machine: Machine) => Slab;
  readonly newFileVmas: () => FileVmas;
  /** Makes huge pages of small ones in the background. Undefined: not modelled for the kernel. */
  readonly newKhugepaged?: (machine: Machine) => Khugepaged;
  /** KSM, stopped. Undefined: the kernel has none, or nobody would start it. */
  readonly newKsm?: (machine: Machine) => Ksm;
  /** Made when all else of the machine is there; null: nothing beside what every machine has. */
  readonly newState: ((machine: Machine) => GenerationState) | null;
  readonly writeback: WritebackPart;

  // numbers and names

  /** One set of LRU lists for each memory cgroup and node, or zone. */
  readonly lruvecs: 'node' | 'zone';
  /** Names of the lists, by number; kernels with two lists use the first two for all pages. */
  readonly lruNames: readonly string[];
  readonly slabSizes: SlabSizes;
  /** What /proc/sys/vm says at boot, where that is not SYSCTL_DEFAULTS. */
  readonly sysctl?: Partial<Sysctl>;
  /** MADV_ values that madvise knows. */
  readonly knownAdvice: ReadonlySet<number>;

  // steps that every kernel takes in its own way

  /** What a fault of `vma` at `vpn` does to the entry. VM_FAULT_ bits. */
  readonly handlePteFault: (machine: Machine, vma: Vma, vpn: Vpn, flags: number) => number;
  /** An address for `pages` pages, or -errno. `addr` is a hint, or with MAP_FIXED an order. */
  readonly getUnmappedArea: (
    machine: Machine,
    mm: Mm,
    file: File | null,
    addr: number,
    pages: number,
    pgoff: Pgoff,
    flags: number,
  ) => number;
  /** remap_file_pages(2): a new mapping (4.0), or another order of pages in the old one. 0 or -errno. */
  readonly remapFilePages: (
    machine: Machine,
    mm: Mm,
    addr: number,
    size: number,
    prot: number,
    pgoff: number,
    flags: number,
  ) => number;
  /** A slot for one page, with SWAP_HAS_CACHE; NO_SWAP if there is none. */
  readonly allocSwapSlot: (machine: Machine) => SwapEntry;
  /** The page of a slot, with a reference, and its neighbours on the way. The page is locked until it is read. */
  readonly swapinReadahead: (machine: Machine, entry: SwapEntry, gfp: Gfp, fault: VmFault) => Pfn;
  /** The machine has no page left. True if it makes sense to try again. */
  readonly outOfMemory: (machine: Machine, gfp: Gfp, order: number) => boolean;
  /** Charges so many pages to a cgroup: 0 or -ENOMEM. */
  readonly tryCharge: (machine: Machine, memcg: MemCgroup, gfp: Gfp, pages: number) => number;

  // steps that old kernels take in their own way; left out: as common code does it, which is what 6.x does

  /** exec: where mmap begins, and in which direction it goes (syscalls/layout.ts). */
  readonly pickMmapLayout?: (mm: Mm) => Vaddr;
  /** A range was unmapped between two VMAs: for searches that remember where they were (before 3.8). */
  readonly areaUnmapped?: (mm: Mm, prev: Vma | null, next: Vma | null) => void;
  /** So many pages may be promised to a process (vm_account.ts). */
  readonly enoughMemory?: (machine: Machine, pages: number) => boolean;
  /** read(2) of a file: bytes, or -errno (filemap.ts). */
  readonly fileRead?: (machine: Machine, file: File, pos: number, length: number, reader: PageReader | null) => number;
  /** Which window of a file is read (readahead.ts). */
  readonly ondemandReadahead?: (
    machine: Machine,
    file: File,
    index: Pgoff,
    requested: number,
    hitMarker: boolean,
  ) => void;
  /** The page of a slot that tmpfs wants, and its neighbours (swap/swap_state.ts). */
  readonly swapClusterReadahead?: (machine: Machine, entry: SwapEntry, gfp: Gfp) => Pfn;
  /** Brings back all that a swap area holds: 0 or -errno (swap/unuse.ts: by address space, as since 5.1). */
  readonly tryToUnuse?: (machine: Machine, area: SwapInfo) => number;
  /** struct page with the fields and flags of its time, in one line (as WhoMaps tells it). */
  readonly structPageText?: (machine: Machine, pfn: Pfn) => string;

  readonly switches: Switches;
}

/** Where neighbouring releases differ: the value for 6.18 is told first, then what 6.1 does. */
export interface Switches {
  /** Tasks remember four VMAs each (3.15 to 6.0). 6.1 and later: the maple tree is asked. */
  readonly vmacache: boolean;
  /** The object of an address space outlives its last user while a kernel thread borrows it. So in all kernels; modelled for 3.16. */
  readonly lazyMm: boolean;
  /** A page knows that only one process can map it (PG_anon_exclusive, 5.19). Before: users of page and slot are counted. */
  readonly anonExclusive: boolean;
  /** fork copies the entries of file mappings too, though they could be faulted in (2.4). */
  readonly forkCopiesFileEntries: boolean;
  /** Address spaces stand in fork order: a child behind its parent (mmlist, as swap_out walks it). Else in the order of their making. */
  readonly mmlistInForkOrder: boolean;
  /** refill_inactive stops after so many pages moved (2.4.19), not looked at (2.4.17; 2.4.18 was not seen). */
  readonly refillCountsMoved: boolean;
  /** Faulting pages in for mlock marks them accessed and dirty, as a use of them would (FOLL_TOUCH, 2.6). */
  readonly populateTouches: boolean;
  /** At most half of memory may be locked, by whomever (before 2.6.9). */
  readonly mlockHalfOfMemory: boolean;
  /** The first store to a page of a shared file mapping is noticed (2.6.19). */
  readonly writeNotify: boolean;
  /** VMAs of files merge, and mlock and madvise merge (2.5). Before: anonymous ones alone, wherever their pages came from. */
  readonly mergesFiles: boolean;
  /** page->index of an anonymous page is its place in the VMA. 2.4: it says nothing. */
  readonly indexesAnon: boolean;
  /** A request with __GFP_REPEAT ends when as much as it asked for was freed (2.6.26). Before: it goes on. */
  readonly repeatEnds: boolean;
  /** Direct reclaim answers with the pages that it freed (2.6.26). Before: whether it makes sense to go on. */
  readonly reclaimTellsPages: boolean;
  /** Reclaim writes pages that have no block on the disk yet; ext4, which allocates blocks late, leaves them. */
  readonly reclaimAllocatesBlocks: boolean;
  /** A page of tmpfs goes to the swap cache first, and is written when reclaim meets it again (2.4, 2.6). */
  readonly shmemWritesLater: boolean;
  /** swapoff activates the pages that it brings back, and ends when its task is killed (2.6, 3.16). 2.4 does neither. */
  readonly swapoffActivates: boolean;
  /** Read-around of a fault marks a page at which the next begins (2.6.31). */
  readonly aroundLeavesMarker: boolean;
  /** Readahead takes cold pages (2.6 to 4.14). */
  readonly coldReadahead: boolean;
  /** Readahead does without a page rather than try hard to get one (3.0). */
  readonly readaheadMayFail: boolean;
  /** Reclaim for readahead does not enter file systems (5.8). */
  readonly readaheadStaysOutOfFs: boolean;
  /** Locked pages have a list of their own (2.6.28). Before: they stay on the others, and reclaim finds out. */
  readonly unevictableList: boolean;
  /** Areas without a priority of their own get ones below this: -2 the first, before 4.15 -1. */
  readonly swapLeastPriority: number;
  /** VMAs merge if at most one of them has an anon_vma, or both have the same (2.6; 2.4 has none). Since 2.6.39 chains must be short, too. */
  readonly mergeAnyAnonVma: boolean;
  /** A young entry of a file's page is taken away: the page counts as accessed (2.6.28), is PG_referenced (2.6), or learns nothing. */
  readonly zapYoung: 'accessed' | 'referenced' | 'lost';
  /** The top bits of page->flags name the zone. 2.4.18: a pointer of each page does. */
  readonly zoneInPageFlags: boolean;
  /** An unused inode whose file has pages is on no list of a shrinker (5.15). Before: it is, and is passed over. */
  readonly pagesPinInodes: boolean;
  /** fork makes an idle anon_vma of the chain the child's own (4.0). Before: always a new one, so chains grow. */
  readonly anonVmaReuse: boolean;
  /** Pages to lock and unlock wait in a batch, and locks are counted (5.18). Before: at once, and the reverse map is asked. */
  readonly mlockBatch: boolean;
  /** Memory cgroups are those of v1, whatever the machine's configuration says (before 4.5). */
  readonly cgroupV1Only: boolean;
  /** Page tables, stacks and slab are charged to cgroups (4.5). Before: only where somebody set a limit for them. */
  readonly chargesKernelMemory: boolean;
  /** A page that comes back from swap is charged when it is read (4.20). Before: when it is mapped; read ahead, to nobody. */
  readonly chargesSwapinAtRead: boolean;
  /** Of two VMAs that become one, the later one's object stays when all of the first changes (4.9). Before: the first one's. */
  readonly mergeKeepsNext: boolean;
  /** mmap asks the VMA behind the new range first, and makes that one grow (5.19 to 6.11). */
  readonly mmapAsksNextFirst: boolean;
  /** write(2) of a page that was evicted counts as no refault (4.4). */
  readonly writesDoNotRefault: boolean;
  /** The gap below a stack is outside of it (4.12; of 0 pages before 2.6.36). 3.16: the stack's own lowest page, which is not shown. */
  readonly stackGapOutside: boolean;
  /** mremap(2) of no pages of a private mapping is refused (4.14). Before: a new mapping like it, empty. */
  readonly mremapKeepsPrivate: boolean;
  /** RLIMIT_DATA counts private writable mappings too (4.7). Before: the heap only. */
  readonly dataLimitCountsMappings: boolean;
  /** mlock(2) does not count what is locked already against the limit (4.9). */
  readonly mlockCountsOnce: boolean;
  /** A file's fault that starts readahead lets go of the lock, and starts again (5.1). Before: one that waits for the page. */
  readonly readaheadDropsLock: boolean;
  /** For fault-around every cached page is a hit of its file (4.8). Before: one that it maps. */
  readonly mappedCountsAsHit: boolean;
  /** Swap readahead marks the pages that it reads. 3.16: those that are in memory already, too. (2.4 and 2.6 mark none, by parts of their own.) */
  readonly swapReadaheadMarksNew: boolean;
  /** Slots in a cluster of a swap area. */
  readonly swapfileCluster: number;
  /** Pages in a per-CPU LRU batch (PAGEVEC_SIZE, FOLIO_BATCH_SIZE). 2.4: a page is on its list at once. */
  readonly lruBatch: number;
  /** Cost of one page of I/O and of one rotated page, in lru_note_cost. */
  readonly ioCost: number;
  readonly rotationCost: number;
  /** VMAs read once through (MADV_SEQUENTIAL) or at random do not count as references. 6.1: sequential ones, cleared. */
  readonly skipVmasWithoutRecency: boolean;
  /** Anonymous pages that only a dying process maps are kept, not scanned. */
  readonly keepPagesOfDyingMm: boolean;
  /** Reclaim that freed nothing walks all cgroups once more before it gives up. */
  readonly fullWalkRetry: boolean;
  /** An existing VMA may take up a neighbour with an anon_vma if that one's chain is singular. 6.1: if its own is. */
  readonly mergeUnfaulted: boolean;
  /** fallocate: modes that do not go together are EOPNOTSUPP (6.12). 6.1: some are EINVAL. */
  readonly fallocateOneMode: boolean;
  /** memfd_create knows MFD_EXEC and MFD_NOEXEC_SEAL (6.3). */
  readonly memfdExec: boolean;
  /** Anonymous mappings of whole 2 MiB are placed on 2 MiB boundaries. */
  readonly thpAlignment: boolean;
  /** mremap with MREMAP_FIXED moves several VMAs at once. */
  readonly mremapSeveralVmas: boolean;
  /** MREMAP_DONTUNMAP of an untouched VMA to right beside itself makes one VMA of both. 6.1.192: two. */
  readonly dontunmapSelfMerge: boolean;
  /** mprotect drops VM_ACCOUNT of an untouched area that becomes unwritable. */
  readonly mprotectDropsAccount: boolean;
  /** MAP_STACK sets VM_NOHUGEPAGE. */
  readonly mapStackNohuge: boolean;
  /** MAP_DROPPABLE (6.11). */
  readonly mapDroppable: boolean;
  /** mmap over old mappings unmaps them when nothing can be refused any more, and commits only the difference (6.12). */
  readonly mmapGathers: boolean;
  /** mprotect makes an exclusive anonymous page writable at once though it is clean. 6.1: only a dirty one. */
  readonly mprotectWritableIfClean: boolean;
  /** MADV_POPULATE_* end at a hole. 6.1: they go on behind it, and report it afterwards. */
  readonly populateEndsAtHole: boolean;
  /** MADV_PAGEOUT leaves the young bits of what cannot be paged out. 6.1: clears them. */
  readonly pageoutKeepsYoung: boolean;
  /** MADV_COLD and _PAGEOUT mark active pages as working set. */
  readonly coldSetsWorkingset: boolean;
  /** The per-CPU lists' limit adapts itself (6.7). 6.1: fixed. */
  readonly pcpAutoTune: boolean;
  /**
   * Free blocks stand on the list of their pageblock's type (6.10), and a fallback takes a whole pageblock or one block
   * without moving it (6.15). 6.1: a stolen block moves to the list of the type that asked, its pageblock may not.
   */
  readonly claimPageblocks: boolean;
  /** write(2) faults its source in when a copy failed (6.15). 6.1: before each page. */
  readonly writeFaultsLate: boolean;
  /** 6.1: unmapping drains the CPU's LRU batches before it frees pages. */
  readonly freeingDrains: boolean;
  /** Zero-filled pages are swapped out without I/O (6.12). */
  readonly swapZeromap: boolean;
  /** A scan finds swap slots, and 6.1 keeps 64 of them at hand (3.16 none). 6.18: the CPU's cluster has them. */
  readonly swapSlotsCache: boolean;
  /** Free slots are found by a scan of the map, on every disk (until 3.11): lowestBit, highestBit, clusterNext. */
  readonly swapScanMap: boolean;
  /** A swap-in without readahead waits for the read. 6.18: the fault does. */
  readonly loneSwapinWaits: boolean;
  /** Swap I/O to memory (zram) counts as pgpgin and pgpgout. 6.1: it goes past the block layer (rw_page of zram, 3.18 to 6.5). */
  readonly swapSyncBio: boolean;
  /** A page read back from swap for a locked VMA is mlocked at once (until 6.10). */
  readonly mlocksSwappedIn: boolean;
  /** Fault-around does not make the page table where the first page it could map is the file's last; then it maps none (not tmpfs). */
  readonly lastPageMakesNoTable: boolean;
  /** ext4 clears what growth leaves between the old end and the new data, and dirties those pages (6.18). */
  readonly ext4ZeroesGap: boolean;
  /** ext4 writes dirty pages out before it punches a hole there (until 6.14). */
  readonly punchWritesFirst: boolean;
  /** Executable mappings read a window that ends at the VMA (6.16). */
  readonly execReadahead: boolean;
  /** Unmapping a young page of a MADV_RANDOM mapping does not mark it accessed. 6.1: it does. */
  readonly zapSkipsWithoutRecency: boolean;
  /** Faults of programs are tried under the lock of their VMA first (6.4). */
  readonly perVmaLock: boolean;
  /** A fault that starts again after I/O counts in pgfault each time (before 6.5). */
  readonly countsRetriedFaults: boolean;
  /** MADV_DONTNEED frees page tables that it has emptied (6.14). */
  readonly dontneedFreesTables: boolean;
  /**
   * Huge pages are handled as folios. 6.1: as head and tail pages: kpageflags shows a tail's own flags, a locked one that is
   * mapped by small entries is not locked any more, a store to a huge zero page splits it, splitting keeps pages of zeros, a
   * huge page that is partly mapped is not used again by a store, and swapped-in pages are mapped one by one.
   */
  readonly hugeFolios: boolean;
  /** Swap-in maps a page writable at once on a read fault when it is exclusive. 6.1: on a write fault only. */
  readonly swapinWritable: boolean;
}
