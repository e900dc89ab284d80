/**
 * KSM: pages of programs that said MADV_MERGEABLE are compared, and those that hold the same become one.
 *
 *     ksmd, 100 pages every 20 ms, address space after address space:
 *       in the stable tree?                            ──► the entry maps the merged page, its own page is free
 *       changed since the last scan?                   ──► not now (pages_volatile)
 *       an equal page in the unstable tree?            ──► both become one merged page, read-only, in the stable tree
 *       else                                           ──► into the unstable tree (pages_unshared), which every scan begins anew
 *     a store to a merged page copies it, as after a fork
 *
 * Owns      which pages are merged: StableNode, RmapItem, MmSlot; ksmd; what /sys/kernel/mm/ksm shows.
 * Promises  1. A merged page is read-only in every entry, and its content never changes.
 *           2. pages_shared merged pages stand for pages_shared + pages_sharing pages of programs.
 *           3. Only pages whose every reference is an entry's or the swap cache's are merged.
 * Linux     3.16 mm/ksm.c: __ksm_enter __ksm_exit ksm_madvise ksm_do_scan scan_get_next_rmap_item cmp_and_merge_page
 *           stable_tree_search stable_tree_append unstable_tree_search_insert try_to_merge_one_page write_protect_page replace_page
 *           remove_rmap_item_from_tree unmerge_ksm_pages break_ksm unmerge_and_remove_all_rmap_items run_store
 *
 * DIFFERS: the trees are maps by content (token): an equal page is found in one step. A checksum is the content itself.
 * DIFFERS: what ksmd knows of a process goes when that ends, in Linux when ksmd comes by next: pages_sharing falls sooner.
 * DIFFERS: huge pages are passed over; Linux splits one when it finds an equal page of 4 KiB.
 */

import { mmdrop } from './active_mm.ts';
import { ENOMEM } from './errno.ts';
import { FAULT_FLAG_WRITE, VM_FAULT_ERROR } from './fault.ts';
import { freeSwapCacheIfUnmapped } from './faults.ts';
import { isLarge } from './folio.ts';
import { isKsmPage, pageStableNode, RmapItem, StableNode } from './ksm_page.ts';
import type { Machine } from './machine.ts';
import { handleMmFault } from './memory.ts';
import type { Mm } from './mm.ts';
import { getPage, putPage } from './page_alloc.ts';
import { PAGE_MAPPING_KSM, PG_anon_exclusive, PG_locked, PG_swapcache } from './page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_RW, PTE_SPECIAL, PTE_YOUNG } from './page_table.ts';
import type { Daemon } from './parts.ts';
import { getAnonVma, putAnonVma } from './rmap/anon_vma.ts';
import { Task } from './task.ts';
import { NO_PFN, type Pfn, type Token, type Vpn } from './units.ts';
import {
  VM_DONTEXPAND,
  VM_HUGETLB,
  VM_IO,
  VM_MAYSHARE,
  VM_MERGEABLE,
  VM_MIXEDMAP,
  VM_NONLINEAR,
  VM_PFNMAP,
  VM_SHARED,
} from './vm_flags.ts';
import type { Vma } from './vma.ts';
import { folioMarkDirty } from './writeback.ts';

export const KSM_RUN_STOP = 0;
export const KSM_RUN_MERGE = 1;
export const KSM_RUN_UNMERGE = 2;

/** Mappings that MADV_MERGEABLE leaves alone without a word. */
const NEVER_MERGED: number =
  VM_SHARED | VM_MAYSHARE | VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_HUGETLB | VM_NONLINEAR | VM_MIXEDMAP;

/** An address space that ksmd visits; its items by address. */
class MmSlot {
  readonly mm: Mm;
  readonly items: RmapItem[] = [];
  /** How far this scan has come: the next item, the next page; whether it met a mergeable VMA. */
  at = 0;
  vpn = 0 as Vpn;
  mergeable = false;

  constructor(mm: Mm) {
    this.mm = mm;
  }
}

export class Ksm implements Daemon {
  pagesToScan = 100;
  sleepMillisecs = 20;
  /** Merged pages; entries beyond the first of each; items in the unstable tree; items of all. */
  pagesShared = 0;
  pagesSharing = 0;
  pagesUnshared = 0;
  rmapItems = 0;
  /** Scans over everything so far (full_scans). */
  seqnr = 0;
  private running = KSM_RUN_STOP;
  private readonly machine: Machine;
  private readonly daemon: number;
  private readonly task: Task;
  private awake = false;
  /** In the order of visits; the first that this scan has not finished. */
  private readonly slots: MmSlot[] = [];
  private cursor = 0;
  private scanning = false;
  private readonly stableTree: Map<Token, StableNode> = new Map();
  private readonly unstableTree: Map<Token, RmapItem> = new Map();

  constructor(machine: Machine) {
    this.machine = machine;
    this.daemon = machine.addDaemon(this);
    this.task = new Task(-1, 'ksmd', null, machine.rootMemcg, null);
  }

  /** What /sys/kernel/mm/ksm/run says. */
  get runState(): number {
    return this.running;
  }

  /** Items that changed too often to be in a tree. */
  get pagesVolatile(): number {
    return Math.max(0, this.rmapItems - this.pagesShared - this.pagesSharing - this.pagesUnshared);
  }

  /** Writes to /sys/kernel/mm/ksm/run. 0 or -ENOMEM: then it is stopped. */
  setRun(run: number): number {
    this.running = run;
    if (run === KSM_RUN_UNMERGE) {
      const failed = this.unmergeAll();
      if (failed < 0) this.running = KSM_RUN_STOP;
      return failed;
    }
    this.wake();
    return 0;
  }

  // address spaces come and go

  has(mm: Mm): boolean {
    return this.slots.some((slot) => slot.mm === mm);
  }

  /** The first MADV_MERGEABLE of an address space, or the fork of such a one. */
  enter(mm: Mm): void {
    if (this.has(mm)) return;
    // While a scan is under way, behind its back: a child that execs at once is not worth a visit.
    const at = this.scanning && this.running !== KSM_RUN_UNMERGE ? this.cursor : this.slots.length;
    this.slots.splice(at, 0, new MmSlot(mm));
    if (at < this.slots.length - 1) this.cursor += 1;
    mm.mmCount += 1;
    this.wake();
  }

  exit(mm: Mm): void {
    const at = this.slots.findIndex((slot) => slot.mm === mm);
    if (at < 0) return;
    this.removeItems(this.slots[at]!, 0);
    this.dropSlot(at);
  }

  private dropSlot(at: number): void {
    const { mm } = this.slots[at]!;
    this.slots.splice(at, 1);
    if (at < this.cursor) this.cursor -= 1;
    mmdrop(this.machine, mm);
  }

  /** MADV_MERGEABLE: may `vma` be merged? Its address space is visited from now on. */
  madviseMergeable(vma: Vma): boolean {
    if ((vma.vmFlags & NEVER_MERGED) !== 0) return false;
    this.enter(vma.vmMm);
    return true;
  }

  /** Every merged page of [start, end) is copied. 0 or -ENOMEM. */
  unmerge(vma: Vma, start: Vpn, end: Vpn): number {
    if (vma.anonVma === null) return 0;
    for (let vpn = start; vpn < end; vpn = (vpn + 1) as Vpn) {
      if (this.breakKsm(vma, vpn) < 0) return -ENOMEM;
    }
    return 0;
  }

  private breakKsm(vma: Vma, vpn: Vpn): number {
    const { machine } = this;
    for (;;) {
      const pfn = this.followPage(vma, vpn);
      if (pfn === NO_PFN || !isKsmPage(machine, pfn)) return 0;
      if ((handleMmFault(machine, vma, vpn, FAULT_FLAG_WRITE) & VM_FAULT_ERROR) !== 0) return -ENOMEM;
    }
  }

  private unmergeAll(): number {
    for (const slot of this.slots) {
      for (const vma of slot.mm.vmas) {
        if ((vma.vmFlags & VM_MERGEABLE) === 0) continue;
        const failed = this.unmerge(vma, vma.vmStart, vma.vmEnd);
        if (failed < 0) return failed;
      }
      this.removeItems(slot, 0);
      slot.at = 0;
      slot.vpn = 0 as Vpn;
    }
    this.cursor = 0;
    this.scanning = false;
    this.seqnr = 0;
    return 0;
  }

  // ksmd

  private wake(): void {
    if (this.awake || this.running !== KSM_RUN_MERGE || this.slots.length === 0) return;
    this.awake = true;
    this.machine.wakeDaemon(this.daemon, this.machine.clock.now);
  }

  run(machine: Machine): void {
    this.awake = false;
    if (this.running !== KSM_RUN_MERGE) return;
    const was = machine.current;
    machine.current = this.task;
    this.doScan(this.pagesToScan);
    machine.current = was;
    if (this.slots.length === 0) return;
    this.awake = true;
    machine.wakeDaemon(this.daemon, machine.clock.now + this.sleepMillisecs * 1_000_000);
  }

  /** Looks at so many pages, or at fewer if a scan over everything ends. */
  doScan(pages: number): void {
    for (let i = 0; i < pages; i++) {
      const item = this.scanGetNext();
      if (item === null) return;
      const vma = findMergeableVma(item.mm, item.vpn);
      const pfn = vma === null ? NO_PFN : this.followPage(vma, item.vpn);
      if (vma !== null && pfn !== NO_PFN) this.cmpAndMergePage(vma, pfn, item);
    }
  }

  /** The item of the next page that is there; null when all has been seen. */
  private scanGetNext(): RmapItem | null {
    if (this.slots.length === 0) return null;
    if (!this.scanning) {
      this.scanning = true;
      // Pages on their way to a list have a reference that nobody knows.
      this.machine.lru.drain();
      this.unstableTree.clear();
      this.pruneStale();
    }
    while (this.cursor < this.slots.length) {
      const slot = this.slots[this.cursor]!;
      const vpn = this.nextPage(slot);
      if (vpn !== null) {
        slot.vpn = (vpn + 1) as Vpn;
        return this.itemAt(slot, vpn);
      }
      this.removeItems(slot, slot.at);
      slot.at = 0;
      slot.vpn = 0 as Vpn;
      const { mergeable } = slot;
      slot.mergeable = false;
      this.cursor += 1;
      if (!mergeable) this.dropSlot(this.cursor - 1);
    }
    this.cursor = 0;
    this.scanning = false;
    this.seqnr += 1;
    return null;
  }

  /** The first page from slot.vpn on that is there, anonymous and in a mergeable VMA. */
  private nextPage(slot: MmSlot): Vpn | null {
    for (let vma = slot.mm.vmas.find(slot.vpn); vma !== null; vma = vma.vmNext) {
      if ((vma.vmFlags & VM_MERGEABLE) === 0) continue;
      slot.mergeable = true;
      if (vma.anonVma === null) continue;
      const { pageTables } = this.machine;
      const root = vma.vmMm.pageTables;
      let at = Math.max(slot.vpn, vma.vmStart) as Vpn;
      for (at = pageTables.nextTable(root, at, vma.vmEnd); at < vma.vmEnd; ) {
        if (this.followPage(vma, at) !== NO_PFN) return at;
        at = pageTables.nextTable(root, (at + 1) as Vpn, vma.vmEnd);
      }
    }
    return null;
  }

  /** An anonymous page of 4 KiB, mapped at `vpn`; NO_PFN for anything else. */
  private followPage(vma: Vma, vpn: Vpn): Pfn {
    const { pageTables, frames } = this.machine;
    const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (slot === NO_SLOT || !pageTables.isPresent(slot) || pageTables.has(slot, PTE_SPECIAL)) return NO_PFN;
    const pfn = pageTables.pfn(slot);
    return frames.isAnon(pfn) && !isLarge(this.machine, pfn) ? pfn : NO_PFN;
  }

  /** Items of pages that the scan has passed by, because they are gone, go; the page's own is there then. */
  private itemAt(slot: MmSlot, vpn: Vpn): RmapItem {
    while (slot.at < slot.items.length && slot.items[slot.at]!.vpn < vpn) this.removeItem(slot, slot.at);
    if (slot.items[slot.at]?.vpn !== vpn) {
      slot.items.splice(slot.at, 0, new RmapItem(slot.mm, vpn));
      this.rmapItems += 1;
    }
    slot.at += 1;
    return slot.items[slot.at - 1]!;
  }

  private removeItems(slot: MmSlot, from: number): void {
    while (slot.items.length > from) this.removeItem(slot, slot.items.length - 1);
  }

  private removeItem(slot: MmSlot, at: number): void {
    this.removeFromTree(slot.items[at]!);
    slot.items.splice(at, 1);
    this.rmapItems -= 1;
  }

  // one page

  private cmpAndMergePage(vma: Vma, pfn: Pfn, item: RmapItem): void {
    const { machine } = this;
    const { frames } = machine;
    const own = pageStableNode(machine, pfn);
    if (own !== null && item.stable === own) return;
    const node = own ?? this.stableTreeSearch(frames.token(pfn));
    this.removeFromTree(item);
    if (node !== null) {
      if (this.canMerge(vma, item.vpn, pfn)) {
        this.mergeOnePage(vma, item.vpn, pfn, node.kpfn);
        this.stableTreeAppend(node, item, vma);
      }
      return;
    }
    const token = frames.token(pfn);
    if (item.oldToken !== token) {
      item.oldToken = token;
      return;
    }
    const equal = this.unstableTreeSearchInsert(item, pfn);
    if (equal !== null) this.mergeTwo(vma, item, pfn, equal);
  }

  /** A page that was merged and holds the same. */
  private stableTreeSearch(token: Token): StableNode | null {
    const node = this.stableTree.get(token);
    return node === undefined || this.dropIfStale(node) ? null : node;
  }

  /** An item whose page holds the same now; if there is none, `item` waits in the tree for another. */
  private unstableTreeSearchInsert(item: RmapItem, pfn: Pfn): RmapItem | null {
    const token = this.machine.frames.token(pfn);
    const other = this.unstableTree.get(token);
    if (other !== undefined) {
      const vma = findMergeableVma(other.mm, other.vpn);
      const page = vma === null ? NO_PFN : this.followPage(vma, other.vpn);
      // Two entries of one page are no two pages.
      if (page === pfn) return null;
      if (page !== NO_PFN && this.machine.frames.token(page) === token) return other;
    }
    this.unstableTree.set(token, item);
    item.unstable = true;
    item.seqnr = this.seqnr;
    this.pagesUnshared += 1;
    return null;
  }

  /** The page of `item` becomes a merged page, and that of `equal` is replaced by it. */
  private mergeTwo(vma: Vma, item: RmapItem, pfn: Pfn, equal: RmapItem): void {
    const { machine } = this;
    const other = findMergeableVma(equal.mm, equal.vpn)!;
    const otherPfn = this.followPage(other, equal.vpn);
    if (isKsmPage(machine, otherPfn)) return;
    if (!this.canMerge(vma, item.vpn, pfn) || !this.canMerge(other, equal.vpn, otherPfn)) return;
    this.writeProtect(vma, item.vpn, pfn);
    const node = this.stableTreeInsert(pfn);
    this.removeFromTree(equal);
    this.mergeOnePage(other, equal.vpn, otherPfn, pfn);
    this.stableTreeAppend(node, equal, other);
    this.stableTreeAppend(node, item, vma);
  }

  /** Nobody works on the page, and every reference is an entry's or the swap cache's. */
  private canMerge(vma: Vma, vpn: Vpn, pfn: Pfn): boolean {
    const { frames } = this.machine;
    if ((vma.vmFlags & VM_MERGEABLE) === 0 || this.followPage(vma, vpn) !== pfn || frames.has(pfn, PG_locked))
      return false;
    const cached = frames.has(pfn, PG_swapcache) ? 1 : 0;
    return isKsmPage(this.machine, pfn) || frames.refcount(pfn) === frames.mapcount(pfn) + cached;
  }

  private writeProtect(vma: Vma, vpn: Vpn, pfn: Pfn): void {
    const { pageTables, frames } = this.machine;
    const slot = pageTables.slotOf(vma.vmMm.pageTables, vpn);
    if (pageTables.testAndClear(slot, PTE_DIRTY)) folioMarkDirty(this.machine, pfn);
    pageTables.clear(slot, PTE_RW);
    frames.clear(pfn, PG_anon_exclusive);
  }

  /** The entry at `vpn`, which maps `pfn`, maps `kpfn` from now on; they hold the same. */
  private mergeOnePage(vma: Vma, vpn: Vpn, pfn: Pfn, kpfn: Pfn): void {
    if (pfn === kpfn) return;
    const { machine } = this;
    const { pageTables } = machine;
    this.writeProtect(vma, vpn, pfn);
    getPage(machine, kpfn);
    const mapping = machine.frames.mapping(kpfn);
    machine.rmap.addAnon(kpfn, vma, vpn, false);
    machine.frames.setMapping(kpfn, mapping);
    pageTables.setPresent(pageTables.slotOf(vma.vmMm.pageTables, vpn), kpfn, vma.vmPageProt | PTE_YOUNG);
    machine.rmap.remove(pfn, vma);
    freeSwapCacheIfUnmapped(machine, pfn);
    putPage(machine, pfn);
  }

  // the trees

  private stableTreeInsert(kpfn: Pfn): StableNode {
    const { machine } = this;
    const node = new StableNode(machine.nextMappingId(), machine.frames.token(kpfn), kpfn);
    machine.addMapping(node);
    machine.frames.setMapping(kpfn, node.id * 4 + PAGE_MAPPING_KSM);
    this.stableTree.set(node.token, node);
    return node;
  }

  private stableTreeAppend(node: StableNode, item: RmapItem, vma: Vma): void {
    item.stable = node;
    item.anonVma = vma.anonVma!;
    getAnonVma(item.anonVma);
    node.items.unshift(item);
    if (node.items.length > 1) this.pagesSharing += 1;
    else this.pagesShared += 1;
  }

  /** The item is in no tree any more. */
  private removeFromTree(item: RmapItem): void {
    if (item.stable !== null) {
      const { items } = item.stable;
      items.splice(items.indexOf(item), 1);
      if (items.length > 0) this.pagesSharing -= 1;
      else this.pagesShared -= 1;
      item.stable = null;
      putAnonVma(this.machine, item.anonVma!);
      item.anonVma = null;
    } else if (item.unstable) {
      // It went in with the content that it has had since the scan before.
      if (this.unstableTree.get(item.oldToken) === item) this.unstableTree.delete(item.oldToken);
      item.unstable = false;
      this.pagesUnshared -= 1;
    }
  }

  /** The merged page is free, or something else by now. */
  private isStale(node: StableNode): boolean {
    return this.machine.frames.mapping(node.kpfn) !== node.id * 4 + PAGE_MAPPING_KSM;
  }

  private dropIfStale(node: StableNode): boolean {
    if (!this.isStale(node)) return false;
    while (node.items.length > 0) this.removeFromTree(node.items[0]!);
    this.stableTree.delete(node.token);
    this.machine.dropMapping(node.id);
    return true;
  }

  private pruneStale(): void {
    for (const node of [...this.stableTree.values()]) this.dropIfStale(node);
  }

  /** A sentence for each broken promise. */
  verify(): string[] {
    const { machine } = this;
    const { frames } = machine;
    const wrong: string[] = [];
    let shared = 0;
    let sharing = 0;
    for (const node of this.stableTree.values()) {
      if (node.items.length > 0) {
        shared += 1;
        sharing += node.items.length - 1;
      }
      if (!this.isStale(node) && frames.token(node.kpfn) !== node.token)
        wrong.push(`KSM page ${node.kpfn} holds token ${frames.token(node.kpfn)}, was merged with ${node.token}`);
    }
    let unshared = 0;
    let items = 0;
    for (const slot of this.slots) {
      items += slot.items.length;
      for (const item of slot.items) if (item.unstable) unshared += 1;
    }
    const compare = (name: string, have: number, want: number): void => {
      if (have !== want) wrong.push(`ksm: ${name} is ${have}, counted ${want}`);
    };
    compare('pages_shared', this.pagesShared, shared);
    compare('pages_sharing', this.pagesSharing, sharing);
    compare('pages_unshared', this.pagesUnshared, unshared);
    compare('rmap_items', this.rmapItems, items);
    for (let pfn = 0 as Pfn; pfn < frames.frames; pfn++) {
      if (isKsmPage(machine, pfn) && pageStableNode(machine, pfn)?.kpfn !== pfn)
        wrong.push(`frame ${pfn} is a KSM page, and its stable node does not name it`);
    }
    return wrong;
  }
}

function findMergeableVma(mm: Mm, vpn: Vpn): Vma | null {
  const vma = mm.vmas.findExact(vpn);
  return vma !== null && (vma.vmFlags & VM_MERGEABLE) !== 0 && vma.anonVma !== null ? vma : null;
}
