/**
 * Page tables: four levels of 512 entries, as x86-64 has them.
 *
 * Owns      every table and entry of every address space, in one pool. An entry is a *slot*: a row of two columns.
 * Promises  1. A slot stays where it is as long as its table lives, whatever its entry says.
 *           2. `freeTable` is the only thing that makes a slot disappear; it clears the walk caches.
 *           3. Tables take frames and are charged like the kernel's; a table that cannot be charged is not made.
 * Linux     6.18 mm/memory.c: __pte_alloc free_pgtables; arch/x86/include/asm/pgtable.h
 *
 * An entry is 16 bits and a 32-bit value:
 *
 *   none      bits = 0
 *   present   PTE_PRESENT | PTE_RW? | PTE_YOUNG? | PTE_DIRTY? | PTE_SPECIAL?    value = frame
 *   protnone  PTE_PROTNONE | (RW never) | YOUNG? | DIRTY?                      value = frame; the kernel calls it present, the CPU faults
 *   swap      PTE_SWAP | PTE_SWP_EXCLUSIVE?                                    value = swap entry
 *   file      PTE_FILE                                                         value = page of the file: a nonlinear mapping (before 4.0)
 *   marker    PTE_MARKER                                                       a guard region, value = 0
 *   migration PTE_MIGRATION | PTE_MIGRATION_WRITE?                             value = the old frame; never between two calls
 *   huge      present, and PTE_HUGE, in all 512 entries of the table            a mapping of 2 MiB, values ascend (decision 0008)
 *
 * What the CPU knows of an entry is two bits (tlb.ts).
 */
import type { Clock } from './clock.ts';
import type { Machine } from './machine.ts';
import { pmdHash } from './mglru/bloom_filter.ts';
import type { Mm } from './mm.ts';
import { allocPageTablePage, freePageTablePage } from './page_alloc.ts';
import { Tlb, type TlbConfig } from './tlb.ts';
import { NO_PFN, type Pfn, type Pgoff, type SwapEntry, type Vpn } from './units.ts';

export const PTE_PRESENT = 1;
export const PTE_RW = 2;
export const PTE_YOUNG = 4;
export const PTE_DIRTY = 8;
/** The zero page: no struct page stands behind the entry (vm_normal_page is none). */
export const PTE_SPECIAL = 16;
export const PTE_SWAP = 32;
export const PTE_SWP_EXCLUSIVE = 64;
export const PTE_MARKER = 128;
export const PTE_PROTNONE = 256;
/** The CPU has the entry in its TLB; finds code of the page without it. It will not look here again, so it sets no young bit. */
export const PTE_DTLB = 512;
export const PTE_ITLB = 1024;
export const PTE_TLB: number = PTE_DTLB | PTE_ITLB;
/**
 * One of the 512 entries that stand for one mapping of 2 MiB. In Linux the entry is a level higher, and the table below waits
 * for its split (pgtable_trans_huge_deposit). Rights are the same in all; young and dirty is what any of them is.
 */
export const PTE_HUGE = 2048;
/** Its page is on the way to another frame (migrate.ts); and whether the entry was writable. */
export const PTE_MIGRATION = 8192;
export const PTE_MIGRATION_WRITE = 16384;
/** Nothing is here now, but this page of the file shall be when somebody comes (remap_file_pages before 4.0). */
export const PTE_FILE = 4096;

/** Either kind of "a frame is here" (pte_present). */
export const PTE_ANY_PRESENT: number = PTE_PRESENT | PTE_PROTNONE;

export const PTRS_PER_TABLE = 512;
/** No table is there. */
export const NO_SLOT = -1;

const WALK_CACHE = 64;
/** Pages (tlb_single_page_flush_ceiling). */
const FLUSH_CEILING = 33;

/** Where leaf tables were found last, direct-mapped: first page of the 2 MiB, and its table's first slot. Saves time, says nothing. */
export class WalkCache {
  /** Not part of what a machine is: who looks may fill it (stateHash leaves it out). */
  readonly isCache = true;
  readonly tag: Float64Array = new Float64Array(WALK_CACHE).fill(-1);
  readonly base: Int32Array = new Int32Array(WALK_CACHE);
}

/** The tables of one address space: where they start, what was found last. Lives in its Mm. */
export class PageTableRoot {
  /** Row of the top level (pgd) in the pool, or NO_SLOT before the first table. */
  pgd = NO_SLOT;
  /** The pgd's second page: with page-table isolation user space has a top level of its own. */
  userPgd: Pfn = NO_PFN;
  readonly walks: WalkCache = new WalkCache();
  /** Leaf tables (ptes), and pages of tables of all levels, the two of the pgd included. */
  leafTables = 0;
  tables = 0;

  forgetWalks(): void {
    this.walks.tag.fill(-1);
  }
}

/** Levels above the leaf: pgd 3, pud 2, pmd 1. Shift of the part of a Vpn that indexes each. */
const PGD_UNIT = 2 ** 27;

export class PageTables {
  /** PTE_ bits of each slot. Read on every access, so open to the replay loop; written by verbs and by it alone. */
  bits: Uint16Array = new Uint16Array(0);
  /** Frame or swap entry of each slot. */
  value: Uint32Array = new Uint32Array(0);
  private readonly tlb: Tlb;
  private readonly clock: Clock;
  /** Whose entries they are: another address space starts with an empty TLB. */
  private tlbRoot: PageTableRoot | null = null;
  private dir: Int32Array = new Int32Array(0);
  /** Frames under the tables: by leaf number, by directory number. */
  private readonly leafPfn: Pfn[] = [];
  private readonly dirPfn: Pfn[] = [];
  /** First page of each leaf. */
  private readonly leafVpn: Vpn[] = [];
  /** By leaf number: a page walk went through the entry above the table (its accessed bit). null: nobody will ask. */
  private tableYoung: Uint8Array | null;
  private readonly freeLeaves: number[] = [];
  private readonly freeDirs: number[] = [];

  /** `watchesTables`: young bits of entries above tables are kept. */
  constructor(tlb: TlbConfig, watchesTables: boolean, clock: Clock) {
    this.clock = clock;
    this.tableYoung = watchesTables ? new Uint8Array(0) : null;
    this.tlb = new Tlb(tlb);
  }

  // the TLB

  /** A page walk for a load or store, unless the TLB has it: the entry is young now (dirty, for a store), and in the TLB. */
  walked(slot: number, vpn: Vpn, bits: number): void {
    const known = this.tlb.take(this.bits, slot, vpn) && (this.bits[slot]! & bits) === bits;
    if (known) return;
    this.bits[slot]! |= PTE_YOUNG | bits;
    this.touchTable(slot);
  }

  /** The same for an instruction. */
  fetched(slot: number, vpn: Vpn): void {
    if (!this.tlb.take(this.bits, slot, vpn)) {
      this.bits[slot]! |= PTE_YOUNG;
      this.touchTable(slot);
    }
    this.tlb.jump(this.bits, slot, vpn);
  }

  /** The entry is about to change. */
  private invalidate(slot: number): void {
    if ((this.bits[slot]! & PTE_PRESENT) === 0) return;
    this.tlb.invalidate(this.bits, slot, (this.leafVpn[slot >>> 9]! + (slot & 511)) as Vpn);
  }

  /** The CPU goes on in this address space. */
  switchTo(root: PageTableRoot): void {
    if (this.tlbRoot === root) return;
    this.flushTlb();
    this.tlbRoot = root;
  }

  /** Entries from `first` to `last` have changed: of many pages not each is flushed, but everything (flush_tlb_range). */
  flushTlbRange(first: Vpn, last: Vpn): void {
    if (last - first >= FLUSH_CEILING) this.flushTlb();
  }

  /** Everything out: at a switch, and at a fork, which write-protects all at once. */
  flushTlb(): void {
    this.tlb.flush(this.bits, this.clock.now);
  }

  // the entries above tables

  /** A page walk comes by. */
  touchTable(slot: number): void {
    if (this.tableYoung !== null) this.tableYoung[slot >>> 9] = 1;
  }
  /** The young bit of the entry above the table of `slot`; the TLB is not told. Only where they are kept. */
  testAndClearTableYoung(slot: number): boolean {
    const young = this.tableYoung![slot >>> 9] === 1;
    this.tableYoung![slot >>> 9] = 0;
    return young;
  }
  /** Where the entry above the table of `vpn` is, as a number for filters. */
  tableHash(root: PageTableRoot, vpn: Vpn): number {
    const row = this.leafRow(root, vpn);
    return pmdHash(this.dirPfn[Math.floor(row / 512)]!, row % 512);
  }

  // lookup

  /** The slot of `vpn`, or NO_SLOT if no leaf table is there. */
  slotOf(root: PageTableRoot, vpn: Vpn): number {
    const inTable = vpn & 511;
    const way = (vpn >>> 9) & (WALK_CACHE - 1);
    if (root.walks.tag[way] === vpn - inTable) return root.walks.base[way]! + inTable;
    if (root.pgd === NO_SLOT) return NO_SLOT;
    const pud = this.dir[root.pgd * 512 + (Math.floor(vpn / PGD_UNIT) & 511)]! - 1;
    if (pud < 0) return NO_SLOT;
    const pmd = this.dir[pud * 512 + ((vpn >>> 18) & 511)]! - 1;
    if (pmd < 0) return NO_SLOT;
    const leaf = this.dir[pmd * 512 + ((vpn >>> 9) & 511)]! - 1;
    if (leaf < 0) return NO_SLOT;
    root.walks.tag[way] = vpn - inTable;
    root.walks.base[way] = leaf * 512;
    return leaf * 512 + inTable;
  }

  /** The slot of `vpn`, with tables made on the way (pte_alloc). NO_SLOT if memory for a table cannot be had. */
  slotAlloc(machine: Machine, mm: Mm, vpn: Vpn): number {
    const root = mm.pageTables;
    const found = this.slotOf(root, vpn);
    if (found !== NO_SLOT) return found;
    if (root.pgd === NO_SLOT && !this.newRoot(machine, mm)) return NO_SLOT;
    const pud = this.childDir(machine, mm, root.pgd * 512 + (Math.floor(vpn / PGD_UNIT) & 511));
    if (pud === NO_SLOT) return NO_SLOT;
    const pmd = this.childDir(machine, mm, pud * 512 + ((vpn >>> 18) & 511));
    if (pmd === NO_SLOT) return NO_SLOT;
    const leaf = this.newLeaf(machine, mm);
    if (leaf === NO_SLOT) return NO_SLOT;
    this.leafVpn[leaf] = (vpn - (vpn & 511)) as Vpn;
    this.dir[pmd * 512 + ((vpn >>> 9) & 511)] = leaf + 1;
    return this.slotOf(root, vpn);
  }

  /** First page at or above `vpn`, below `end`, whose leaf table exists; `end` if none. Skips holes of any level at once. */
  nextTable(root: PageTableRoot, vpn: Vpn, end: Vpn): Vpn {
    let at = vpn as number;
    while (at < end) {
      if (root.pgd === NO_SLOT) return end;
      const pud = this.dir[root.pgd * 512 + (Math.floor(at / PGD_UNIT) & 511)]! - 1;
      if (pud < 0) {
        at = (Math.floor(at / PGD_UNIT) + 1) * PGD_UNIT;
        continue;
      }
      const pmd = this.dir[pud * 512 + ((at >>> 18) & 511)]! - 1;
      if (pmd < 0) {
        at = (Math.floor(at / 2 ** 18) + 1) * 2 ** 18;
        continue;
      }
      if (this.dir[pmd * 512 + ((at >>> 9) & 511)]! > 0) return at as Vpn;
      at = (Math.floor(at / 512) + 1) * 512;
    }
    return end;
  }

  // entries

  setNone(slot: number): void {
    this.invalidate(slot);
    this.bits[slot] = 0;
    this.value[slot] = 0;
  }
  setPresent(slot: number, pfn: Pfn, bits: number): void {
    this.bits[slot] = bits;
    this.value[slot] = pfn;
  }
  setSwap(slot: number, entry: SwapEntry, exclusive: boolean): void {
    this.invalidate(slot);
    this.bits[slot] = exclusive ? PTE_SWAP | PTE_SWP_EXCLUSIVE : PTE_SWAP;
    this.value[slot] = entry;
  }
  setFile(slot: number, pgoff: Pgoff): void {
    this.bits[slot] = PTE_FILE;
    this.value[slot] = pgoff;
  }
  /** The page that the entry mapped is being moved. */
  setMigration(slot: number, pfn: Pfn, write: boolean): void {
    this.bits[slot] = write ? PTE_MIGRATION | PTE_MIGRATION_WRITE : PTE_MIGRATION;
    this.value[slot] = pfn;
  }
  isNone(slot: number): boolean {
    return this.bits[slot] === 0;
  }
  isPresent(slot: number): boolean {
    return (this.bits[slot]! & PTE_ANY_PRESENT) !== 0;
  }
  isSwap(slot: number): boolean {
    return (this.bits[slot]! & PTE_SWAP) !== 0;
  }
  has(slot: number, bits: number): boolean {
    return (this.bits[slot]! & bits) !== 0;
  }
  set(slot: number, bits: number): void {
    this.bits[slot]! |= bits;
  }
  /** Takes rights away, and so the entry out of the TLB. */
  clear(slot: number, bits: number): void {
    this.invalidate(slot);
    this.bits[slot]! &= ~(bits | PTE_TLB);
  }
  /** The young bit, and nothing else: the TLB is not told (ptep_test_and_clear_young). */
  testAndClearYoung(slot: number): boolean {
    const old = this.bits[slot]!;
    this.bits[slot] = old & ~PTE_YOUNG;
    return (old & PTE_YOUNG) !== 0;
  }
  testAndClear(slot: number, bits: number): boolean {
    this.invalidate(slot);
    const old = this.bits[slot]!;
    this.bits[slot] = old & ~(bits | PTE_TLB);
    return (old & bits) !== 0;
  }
  pfn(slot: number): Pfn {
    return this.value[slot]! as Pfn;
  }
  swapEntry(slot: number): SwapEntry {
    return this.value[slot]! as SwapEntry;
  }
  filePgoff(slot: number): Pgoff {
    return this.value[slot]! as Pgoff;
  }

  // mappings of 2 MiB

  isHuge(slot: number): boolean {
    return (this.bits[slot]! & PTE_HUGE) !== 0;
  }
  /** The first entry of the table of `slot`. */
  tableStart(slot: number): number {
    return slot - (slot % PTRS_PER_TABLE);
  }
  /** Every entry of the table that begins at slot `first`: frames from `pfn` on, or all the zero page. */
  setTable(first: number, pfn: Pfn, bits: number): void {
    const step = (bits & PTE_SPECIAL) !== 0 ? 0 : 1;
    this.bits.fill(bits, first, first + PTRS_PER_TABLE);
    for (let i = 0; i < PTRS_PER_TABLE; i++) this.value[first + i] = pfn + i * step;
  }
  /** What the entries of the table say together: young or dirty if one of them is. */
  tableBits(first: number): number {
    let bits = 0;
    for (let i = first; i < first + PTRS_PER_TABLE; i++) bits |= this.bits[i]!;
    return bits & ~PTE_TLB;
  }
  /** The same rights, young and dirty bits for all entries, that stay what they are: frames or the zero page. */
  setTableBits(first: number, bits: number): void {
    this.bits.fill(bits, first, first + PTRS_PER_TABLE);
  }
  /** A huge page is not young any more. */
  clearTableYoungBits(first: number): void {
    for (let i = first; i < first + PTRS_PER_TABLE; i++) this.bits[i]! &= ~PTE_YOUNG;
  }
  /** The table of `vpn` goes, with all that its entries say. */
  dropTable(machine: Machine, mm: Mm, vpn: Vpn): void {
    const row = this.leafRow(mm.pageTables, vpn);
    const leaf = this.dir[row]! - 1;
    this.dir[row] = 0;
    this.bits.fill(0, leaf * PTRS_PER_TABLE, (leaf + 1) * PTRS_PER_TABLE);
    this.value.fill(0, leaf * PTRS_PER_TABLE, (leaf + 1) * PTRS_PER_TABLE);
    mm.pageTables.forgetWalks();
    this.dropLeaf(machine, mm, leaf);
  }

  // tables

  /**
   * Frees the tables that cover only [start, end) and hold nothing of the neighbours: a table goes if its whole span lies
   * in [floor, ceiling), the ends of the VMA before and the start of the VMA behind (free_pgtables). All entries must be none.
   */
  freeTables(machine: Machine, mm: Mm, start: Vpn, end: Vpn, floor: Vpn, ceiling: Vpn): void {
    const root = mm.pageTables;
    if (root.pgd === NO_SLOT) return;
    root.forgetWalks();
    this.freeLevel(machine, mm, root.pgd, 3, 0, start, end, floor, ceiling);
  }

  /**
   * The leaf table of `from` becomes that of `to`; both begin 2 MiB. What the entries say stays. False: `to` has a table
   * already, or there is no memory for one above it; then nothing has moved.
   */
  moveTable(machine: Machine, mm: Mm, from: Vpn, to: Vpn): boolean {
    const root = mm.pageTables;
    const source = this.leafRow(root, from);
    const pud = this.childDir(machine, mm, root.pgd * 512 + (Math.floor(to / PGD_UNIT) & 511));
    if (pud === NO_SLOT) return false;
    const pmd = this.childDir(machine, mm, pud * 512 + ((to >>> 18) & 511));
    if (pmd === NO_SLOT) return false;
    const target = pmd * 512 + ((to >>> 9) & 511);
    if (this.dir[target]! > 0) return false;
    this.dir[target] = this.dir[source]!;
    this.dir[source] = 0;
    this.leafVpn[this.dir[target]! - 1] = to;
    root.forgetWalks();
    return true;
  }

  /** Row of the entry that points to the leaf table of `vpn`, which exists. */
  private leafRow(root: PageTableRoot, vpn: Vpn): number {
    const pud = this.dir[root.pgd * 512 + (Math.floor(vpn / PGD_UNIT) & 511)]! - 1;
    const pmd = this.dir[pud * 512 + ((vpn >>> 18) & 511)]! - 1;
    return pmd * 512 + ((vpn >>> 9) & 511);
  }

  /** Frees the top level too, at exit. */
  freeRoot(machine: Machine, mm: Mm): void {
    const root = mm.pageTables;
    if (root.pgd === NO_SLOT) return;
    root.forgetWalks();
    this.dropDir(machine, mm, root.pgd);
    freePageTablePage(machine, root.userPgd);
    root.tables -= 1;
    root.pgd = NO_SLOT;
    root.userPgd = NO_PFN;
  }

  private freeLevel(
    machine: Machine,
    mm: Mm,
    dir: number,
    level: number,
    first: number,
    start: number,
    end: number,
    floor: number,
    ceiling: number,
  ): void {
    const span = level === 3 ? PGD_UNIT : level === 2 ? 2 ** 18 : 512;
    const from = Math.max(0, Math.floor((start - first) / span));
    const to = Math.min(511, Math.floor((end - 1 - first) / span));
    for (let i = from; i <= to; i++) {
      const child = this.dir[dir * 512 + i]! - 1;
      if (child < 0) continue;
      const low = first + i * span;
      if (level > 1) this.freeLevel(machine, mm, child, level - 1, low, start, end, floor, ceiling);
      if (low < floor || low + span > ceiling) continue;
      this.dir[dir * 512 + i] = 0;
      if (level === 1) this.dropLeaf(machine, mm, child);
      else this.dropDir(machine, mm, child);
    }
  }

  private childDir(machine: Machine, mm: Mm, row: number): number {
    const child = this.dir[row]! - 1;
    if (child >= 0) return child;
    const made = this.newDir(machine, mm);
    if (made !== NO_SLOT) this.dir[row] = made + 1;
    return made;
  }

  private newRoot(machine: Machine, mm: Mm): boolean {
    const root = mm.pageTables;
    root.userPgd = allocPageTablePage(machine, mm);
    if (root.userPgd === NO_PFN) return false;
    root.pgd = this.newDir(machine, mm);
    if (root.pgd === NO_SLOT) {
      freePageTablePage(machine, root.userPgd);
      root.userPgd = NO_PFN;
      return false;
    }
    root.tables += 1;
    return true;
  }

  private newDir(machine: Machine, mm: Mm): number {
    const pfn = allocPageTablePage(machine, mm);
    if (pfn < 0) return NO_SLOT;
    const dir = this.freeDirs.pop() ?? this.dirPfn.length;
    this.dirPfn[dir] = pfn;
    if ((dir + 1) * 512 > this.dir.length) {
      const wider = new Int32Array(Math.max(16 * 512, this.dir.length * 2));
      wider.set(this.dir);
      this.dir = wider;
    }
    mm.pageTables.tables += 1;
    return dir;
  }

  private newLeaf(machine: Machine, mm: Mm): number {
    const pfn = allocPageTablePage(machine, mm);
    if (pfn < 0) return NO_SLOT;
    const leaf = this.freeLeaves.pop() ?? this.leafPfn.length;
    this.leafPfn[leaf] = pfn;
    if ((leaf + 1) * 512 > this.bits.length) {
      const size = Math.max(64 * 512, this.bits.length * 2);
      const bits = new Uint16Array(size);
      bits.set(this.bits);
      this.bits = bits;
      const value = new Uint32Array(size);
      value.set(this.value);
      this.value = value;
      if (this.tableYoung !== null) {
        const young = new Uint8Array(size / 512);
        young.set(this.tableYoung);
        this.tableYoung = young;
      }
    }
    // The kernel sets the bit itself when it enters a table (_PAGE_TABLE).
    if (this.tableYoung !== null) this.tableYoung[leaf] = 1;
    mm.pageTables.tables += 1;
    mm.pageTables.leafTables += 1;
    return leaf;
  }

  private dropDir(machine: Machine, mm: Mm, dir: number): void {
    freePageTablePage(machine, this.dirPfn[dir]!);
    this.dir.fill(0, dir * 512, dir * 512 + 512);
    this.freeDirs.push(dir);
    mm.pageTables.tables -= 1;
  }

  private dropLeaf(machine: Machine, mm: Mm, leaf: number): void {
    freePageTablePage(machine, this.leafPfn[leaf]!);
    this.freeLeaves.push(leaf);
    mm.pageTables.tables -= 1;
    mm.pageTables.leafTables -= 1;
  }
}
