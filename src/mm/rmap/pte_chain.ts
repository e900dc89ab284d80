/**
 * The reverse map of 2.5: each page lists the page-table entries that map it.
 *
 *   mapped once         page->pte.direct ─────────────────────────► entry            no memory beside struct page
 *   mapped more often   page->pte.chain ─► │ – – – e e e │ next ─► │ e e e e e e │   blocks of one cache line, NRPTE entries each;
 *                                            head: filled from the end                only the head has room
 *
 * Owns      the direct entry or chain of each frame, the blocks, and which address space each page table belongs to.
 * Promises  1. A walk meets the entries that map the page, and nothing else: nothing is met in vain.
 *           2. A block is full, or is the head. Whoever leaves the middle is replaced by one from the head.
 *           3. Its price: fork, exit and every fault pay for entries, whether reclaim ever comes or not; and memory by the mapping.
 * Linux     2.5.59 mm/rmap.c: page_add_rmap page_remove_rmap page_referenced try_to_unmap try_to_unmap_one
 * Before    2.4: no reverse map
 * After     rmap_2_6.ts (2.6.7): VMAs in place of entries
 *
 * DIFFERS: blocks are counted, not taken from the machine's memory. A user sees their bytes in `chainBytes`.
 */
import { bugOn } from '../bug.ts';
import type { Machine } from '../machine.ts';
import { type MemCgroup, modPageState } from '../memcg.ts';
import type { MemMap } from '../memmap.ts';
import type { Mm } from '../mm.ts';
import { putPage } from '../page_alloc.ts';
import { PAGE_MAPPING_ANON, PG_referenced, PG_swapbacked } from '../page_flags.ts';
import { NO_SLOT, PTE_DIRTY, PTE_RW, PTE_YOUNG, PTRS_PER_TABLE } from '../page_table.ts';
import type { Rmap } from '../parts.ts';
import type { Pfn, Vpn } from '../units.ts';
import { VM_LOCKED } from '../vm_flags.ts';
import { linearPageIndex, type Vma, vmaAddress } from '../vma.ts';
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from '../vmstat.ts';
import { folioMarkDirty } from '../writeback.ts';
import { SWAP_AGAIN, SWAP_FAIL, SWAP_SUCCESS, type SwapVerdict } from './swap_verdict.ts';
import { leaveSwapEntry } from './unmap_entry.ts';

/** How large a block is, and how many bytes a pointer and the address of an entry have. */
export interface ChainLayout {
  readonly cacheLineBytes: number;
  readonly pointerBytes: number;
}

/** A 32-bit machine with lines of 32 bytes (Pentium III): 7 entries. */
export const CHAIN_P3: ChainLayout = { cacheLineBytes: 32, pointerBytes: 4 };
/** A 32-bit machine with lines of 128 bytes (Pentium 4): 31 entries. */
export const CHAIN_P4: ChainLayout = { cacheLineBytes: 128, pointerBytes: 4 };
/** The first form (2.5.27): a pointer to the next and one entry, eight bytes by the mapping. */
export const CHAIN_SINGLE: ChainLayout = { cacheLineBytes: 8, pointerBytes: 4 };

/** NRPTE: what is left of a cache line behind the pointer to the next block. */
export function entriesPerBlock(layout: ChainLayout): number {
  return Math.floor((layout.cacheLineBytes - layout.pointerBytes) / layout.pointerBytes);
}

/** 2.5.59. */
export function newPteChainRmap(machine: Machine): Rmap {
  return new PteChainRmap(machine, CHAIN_P3);
}

const NO_ENTRY = -1;

/** struct pte_chain: entries stand at the end, free places before them. */
class PteChain {
  readonly entries: Int32Array;
  next: PteChain | null;
  constructor(size: number, next: PteChain | null) {
    this.entries = new Int32Array(size).fill(NO_ENTRY);
    this.next = next;
  }
  /** The first place that is taken. */
  get first(): number {
    let at = 0;
    while (at < this.entries.length && this.entries[at] === NO_ENTRY) at += 1;
    return at;
  }
}

/** Whose page table, and the first page that it maps. */
interface TableOwner {
  readonly mm: Mm;
  readonly base: Vpn;
}

export class PteChainRmap implements Rmap {
  referencedVmFlags = 0;
  unmapResult: SwapVerdict = SWAP_SUCCESS;
  readonly nrPte: number;
  /** Blocks in use. */
  blocks = 0;
  private readonly machine: Machine;
  private readonly frames: MemMap;
  private readonly layout: ChainLayout;
  /** By frame: the slot of its only entry (PG_direct), or NO_ENTRY. */
  private readonly direct: Int32Array;
  /** By frame, if it is mapped more than once. */
  private readonly chains: Map<Pfn, PteChain> = new Map();
  /** By the first slot of a table (page->mapping and page->index of a page-table page). */
  private readonly tables: Map<number, TableOwner> = new Map();

  constructor(machine: Machine, layout: ChainLayout) {
    this.machine = machine;
    this.frames = machine.frames;
    this.layout = layout;
    this.nrPte = entriesPerBlock(layout);
    this.direct = new Int32Array(machine.frames.frames).fill(NO_ENTRY);
  }

  /** Memory that blocks take. */
  get chainBytes(): number {
    return this.blocks * this.layout.cacheLineBytes;
  }

  // VMAs: nobody asks them

  anonVmaPrepare(_vma: Vma): number {
    return 0;
  }
  anonVmaClone(_dst: Vma, _src: Vma): number {
    return 0;
  }
  anonVmaFork(_vma: Vma, _parent: Vma): number {
    return 0;
  }
  unlinkAnonVmas(_vma: Vma): void {}
  vmaBeforeUpdate(_vma: Vma): void {}
  vmaAfterUpdate(_vma: Vma): void {}

  // adding and removing

  addNewAnon(pfn: Pfn, vma: Vma, vpn: Vpn): void {
    this.frames.set(pfn, PG_swapbacked);
    this.addAnon(pfn, vma, vpn, true);
  }
  addAnon(pfn: Pfn, vma: Vma, vpn: Vpn, _exclusive: boolean): void {
    const { frames, machine } = this;
    if (frames.incMapcount(pfn) === 1) {
      // Anonymous is what belongs to no file.
      frames.setMapping(pfn, PAGE_MAPPING_ANON);
      frames.setIndex(pfn, linearPageIndex(vma, vpn));
      modPageState(machine, pfn, NR_ANON_MAPPED, 1);
    }
    this.add(pfn, vma.vmMm, vpn);
  }
  addFile(pfn: Pfn, vma: Vma): void {
    const { frames, machine } = this;
    if (frames.incMapcount(pfn) === 1) modPageState(machine, pfn, NR_FILE_MAPPED, 1);
    this.add(pfn, vma.vmMm, vmaAddress(vma, frames.index(pfn)));
  }
  dup(pfn: Pfn, dst: Vma, vpn: Vpn): void {
    this.frames.incMapcount(pfn);
    this.add(pfn, dst.vmMm, vpn);
  }
  /** A VMA maps a page once at most, so its entry can be told. */
  remove(pfn: Pfn, vma: Vma): void {
    this.removeWhere(pfn, (slot) => {
      const owner = this.ownerOf(slot);
      const vpn = owner.base + (slot % PTRS_PER_TABLE);
      return owner.mm === vma.vmMm && vpn >= vma.vmStart && vpn < vma.vmEnd;
    });
  }
  moveAnon(_pfn: Pfn, _vma: Vma): void {}

  /** mremap: the entry says it there from now on. */
  entryMoved(pfn: Pfn, from: number, mm: Mm, to: Vpn): void {
    const slot = this.noteTable(mm, to);
    if (this.direct[pfn] === from) {
      this.direct[pfn] = slot;
      return;
    }
    for (let block = this.chains.get(pfn) ?? null; block !== null; block = block.next) {
      const at = block.entries.indexOf(from);
      if (at < 0) continue;
      block.entries[at] = slot;
      return;
    }
    bugOn(true, 'an entry that moves is known to its page', pfn);
  }

  private add(pfn: Pfn, mm: Mm, vpn: Vpn): void {
    const slot = this.noteTable(mm, vpn);
    const chain = this.chains.get(pfn);
    if (chain === undefined) {
      const only = this.direct[pfn]!;
      if (only === NO_ENTRY) {
        this.direct[pfn] = slot;
        return;
      }
      this.direct[pfn] = NO_ENTRY;
      const block = this.newBlock(pfn, null);
      block.entries[this.nrPte - 1] = only;
      this.push(pfn, block, slot);
      return;
    }
    this.push(pfn, chain, slot);
  }

  private push(pfn: Pfn, head: PteChain, slot: number): void {
    const { first } = head;
    const block = first === 0 ? this.newBlock(pfn, head) : head;
    block.entries[(first === 0 ? this.nrPte : first) - 1] = slot;
  }

  private removeWhere(pfn: Pfn, isIt: (slot: number) => boolean): void {
    const { frames, machine } = this;
    if (frames.decMapcount(pfn) === 0)
      modPageState(machine, pfn, frames.isAnon(pfn) ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
    if (this.direct[pfn] !== NO_ENTRY) {
      bugOn(!isIt(this.direct[pfn]!), 'the only entry of a page is the one that goes', pfn);
      this.direct[pfn] = NO_ENTRY;
      return;
    }
    const head = this.chains.get(pfn) ?? null;
    for (let block = head; block !== null; block = block.next) {
      machine.work.chainsMet += 1;
      for (let at = this.nrPte - 1; at >= 0 && block.entries[at] !== NO_ENTRY; at--) {
        if (!isIt(block.entries[at]!)) continue;
        this.takeFrom(pfn, head!, block, at);
        return;
      }
    }
    bugOn(true, 'an entry that goes is known to its page', pfn);
  }

  /** The first of the head fills the gap. An empty head goes. */
  private takeFrom(pfn: Pfn, head: PteChain, block: PteChain, at: number): void {
    const { first } = head;
    block.entries[at] = head.entries[first]!;
    head.entries[first] = NO_ENTRY;
    if (first < this.nrPte - 1) return;
    this.blocks -= 1;
    if (head.next === null) this.chains.delete(pfn);
    else this.chains.set(pfn, head.next);
  }

  private newBlock(pfn: Pfn, next: PteChain | null): PteChain {
    const block = new PteChain(this.nrPte, next);
    this.blocks += 1;
    this.chains.set(pfn, block);
    return block;
  }

  private noteTable(mm: Mm, vpn: Vpn): number {
    const slot = this.machine.pageTables.slotOf(mm.pageTables, vpn);
    bugOn(slot === NO_SLOT, 'an entry that maps a page is in a table', vpn);
    const table = slot - (slot % PTRS_PER_TABLE);
    const owner = this.tables.get(table);
    const base = (vpn - (vpn % PTRS_PER_TABLE)) as Vpn;
    if (owner?.mm !== mm || owner.base !== base) this.tables.set(table, { mm, base });
    return slot;
  }
  private ownerOf(slot: number): TableOwner {
    return this.tables.get(slot - (slot % PTRS_PER_TABLE))!;
  }
  private vpnOf(slot: number): Vpn {
    return (this.ownerOf(slot).base + (slot % PTRS_PER_TABLE)) as Vpn;
  }
  private vmaOf(slot: number): Vma {
    const vma = this.ownerOf(slot).mm.vmas.findExact(this.vpnOf(slot));
    bugOn(vma === null, 'an entry lies in a VMA', slot);
    return vma!;
  }

  // walks

  /** Every entry that maps the page, until `visit` says false. Entries may go on the way: what is left is met. */
  private eachEntry(pfn: Pfn, visit: (slot: number) => boolean): void {
    const { work } = this.machine;
    const only = this.direct[pfn]!;
    if (only !== NO_ENTRY) {
      work.ptesVisited += 1;
      visit(only);
      return;
    }
    const slots: number[] = [];
    for (let block = this.chains.get(pfn) ?? null; block !== null; block = block.next) {
      work.chainsMet += 1;
      for (let at = this.nrPte - 1; at >= 0 && block.entries[at] !== NO_ENTRY; at--) slots.push(block.entries[at]!);
    }
    for (const slot of slots) {
      work.ptesVisited += 1;
      if (!visit(slot)) return;
    }
  }

  pageReferenced(pfn: Pfn, _locked: boolean, _memcg: MemCgroup | null): number {
    const { frames, machine } = this;
    this.referencedVmFlags = 0;
    let referenced = frames.testAndClear(pfn, PG_referenced) ? 1 : 0;
    this.eachEntry(pfn, (slot) => {
      if (machine.pageTables.testAndClear(slot, PTE_YOUNG)) {
        referenced += 1;
        this.referencedVmFlags |= this.vmaOf(slot).vmFlags;
      }
      return true;
    });
    this.backToDirect(pfn);
    return referenced;
  }

  /** A chain that has shrunk to one entry is given up when somebody looks. */
  private backToDirect(pfn: Pfn): void {
    const head = this.chains.get(pfn);
    if (head === undefined || head.next !== null || head.first !== this.nrPte - 1) return;
    this.direct[pfn] = head.entries[this.nrPte - 1]!;
    this.chains.delete(pfn);
    this.blocks -= 1;
  }

  tryToUnmap(pfn: Pfn): boolean {
    let verdict: SwapVerdict = SWAP_SUCCESS;
    this.eachEntry(pfn, (slot) => {
      if ((this.vmaOf(slot).vmFlags & VM_LOCKED) !== 0) {
        verdict = SWAP_FAIL;
        return false;
      }
      this.unmapEntry(pfn, slot);
      return true;
    });
    if (this.frames.mapcount(pfn) === 0) verdict = SWAP_SUCCESS;
    else if (verdict === SWAP_SUCCESS) verdict = SWAP_AGAIN;
    this.unmapResult = verdict;
    return verdict === SWAP_SUCCESS;
  }

  private unmapEntry(pfn: Pfn, slot: number): void {
    const { machine } = this;
    const { pageTables } = machine;
    const { mm } = this.ownerOf(slot);
    const dirty = pageTables.has(slot, PTE_DIRTY);
    pageTables.setNone(slot);
    leaveSwapEntry(machine, mm, slot, pfn);
    if (dirty) folioMarkDirty(machine, pfn);
    this.removeWhere(pfn, (other) => other === slot);
    putPage(machine, pfn);
  }

  /** Writes of that time did not look at mappings; ours does, so that the next store is seen. */
  pageMkclean(pfn: Pfn): number {
    if (this.frames.isAnon(pfn)) return 0;
    let cleaned = 0;
    this.eachEntry(pfn, (slot) => {
      if (this.machine.pageTables.testAndClear(slot, PTE_DIRTY | PTE_RW)) cleaned += 1;
      return true;
    });
    return cleaned;
  }

  walk(pfn: Pfn, visit: (vma: Vma, vpn: Vpn) => boolean): void {
    const { work } = this.machine;
    const before = { ...work };
    this.eachEntry(pfn, (slot) => visit(this.vmaOf(slot), this.vpnOf(slot)));
    // Whoever only looks is not counted.
    work.ptesVisited = before.ptesVisited;
    work.chainsMet = before.chainsMet;
  }
  walkFolio(head: Pfn, visit: (vma: Vma, vpn: Vpn, slot: number) => void): void {
    this.eachEntry(head, (slot) => {
      visit(this.vmaOf(slot), this.vpnOf(slot), slot);
      return true;
    });
  }

  /** For who draws it: how many entries each block holds, the head first; none if the page has a direct entry, or no entry. */
  blocksOf(pfn: Pfn): number[] {
    const taken: number[] = [];
    for (let block = this.chains.get(pfn) ?? null; block !== null; block = block.next)
      taken.push(this.nrPte - block.first);
    return taken;
  }

  objectOf(pfn: Pfn): string {
    let blocks = 0;
    for (let block = this.chains.get(pfn) ?? null; block !== null; block = block.next) blocks += 1;
    return blocks === 0 ? 'its only entry' : `a chain of ${blocks} blocks of ${this.nrPte} entries`;
  }
  placeOf(pfn: Pfn, vma: Vma): string {
    let number = 0;
    for (let block = this.chains.get(pfn) ?? null; block !== null; block = block.next) {
      number += 1;
      for (const slot of block.entries)
        if (slot !== NO_ENTRY && this.vmaOf(slot) === vma) return `in block ${number} of its chain`;
    }
    return 'the direct entry';
  }

  addNewHuge(head: Pfn): void {
    bugOn(true, 'there are no huge pages of anonymous memory', head);
  }
  dupHuge(head: Pfn): void {
    bugOn(true, 'there are no huge pages of anonymous memory', head);
  }
  removeHuge(head: Pfn): void {
    bugOn(true, 'there are no huge pages of anonymous memory', head);
  }
  splitHuge(head: Pfn): void {
    bugOn(true, 'there are no huge pages of anonymous memory', head);
  }

  /** Blocks behind the head are full, entries stand at the end, and there are as many as mapcount says. */
  verify(): string[] {
    const wrong: string[] = [];
    let blocks = 0;
    for (let pfn = 0 as Pfn; pfn < this.frames.frames; pfn++) {
      const chain = this.chains.get(pfn) ?? null;
      let entries = this.direct[pfn] === NO_ENTRY ? 0 : 1;
      if (entries > 0 && chain !== null) wrong.push(`frame ${pfn} has a direct entry and a chain`);
      for (let block = chain; block !== null; block = block.next) {
        blocks += 1;
        entries += this.nrPte - block.first;
        if (block !== chain && block.first !== 0) wrong.push(`frame ${pfn}: a block behind the head has room`);
        if (block.entries.indexOf(NO_ENTRY, block.first) >= 0) wrong.push(`frame ${pfn}: a gap in a block`);
      }
      const mapcount = this.frames.mapcount(pfn);
      if (entries !== mapcount) wrong.push(`frame ${pfn}: ${entries} entries in its chain, mapcount ${mapcount}`);
    }
    if (blocks !== this.blocks) wrong.push(`${this.blocks} pte_chain blocks by count, ${blocks} found`);
    return wrong;
  }
}
