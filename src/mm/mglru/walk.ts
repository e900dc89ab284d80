/**
 * The walk of the aging: which pages did the programs of a cgroup use since the last one?
 *
 *     a PMD entry, 2 MiB                  kind                        what is done
 *     none                                nothing was touched         on
 *     a huge page                         young?                      cleared, promoted
 *     a table, the entry not young        no page walk went through   on, unread
 *     a table the filter does not know    few young entries last time on, unread
 *     a table                             512 entries                 each young one: cleared, its page promoted;
 *                                                                     64 young ones or more: kept in the next filter
 *
 * It reads memory in the order in which it lies, and skips what is empty, idle or sparse; a reverse walk would go from page to page.
 * Good at: programs that use much of little memory. Bad at: one page here and there, which eviction must find (look_around.ts).
 *
 * Owns      young bits that a walk clears, of entries and of the entries above tables.
 * Promises  1. It visits each address space of the cgroup once, in the order of the list, and those that are new in any case.
 *           2. Young entries of pages of other cgroups or nodes stay young.
 * Linux     6.18 mm/vmscan.c: iterate_mm_list walk_mm walk_pud_range walk_pmd_range walk_pmd_range_locked walk_pte_range get_next_vma
 *           should_skip_vma get_pte_pfn get_pfn_folio suitable_to_scan walk_update_folio set_mm_walk clear_mm_walk
 *
 * DIFFERS: nobody holds an address space for writing here but fork; Linux leaves out one in the middle of mmap or munmap, too.
 */
import { PTE_VISIT_NS } from '../costs.ts';
import type { Lruvec } from '../lruvec.ts';
import { lruvecOf } from '../memcg.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, type Mm } from '../mm.ts';
import { compoundHead } from '../page_alloc.ts';
import { PG_dirty, PG_swapbacked, PG_swapcache } from '../page_flags.ts';
import { PTE_ANY_PRESENT, PTE_DIRTY, PTE_SPECIAL, PTE_YOUNG, PTRS_PER_TABLE } from '../page_table.ts';
import { NO_PFN, type Pfn, type Vpn } from '../units.ts';
import { VM_ACCESS_FLAGS, VM_LOCKED, VM_RAND_READ, VM_SEQ_READ, VM_SPECIAL } from '../vm_flags.ts';
import type { Vma } from '../vma.ts';
import { folioMarkDirty } from '../writeback.ts';
import { NO_GEN } from './folio_gens.ts';
import { MAX_NR_GENS, type MmWalk } from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';

/** Young entries in a cache line of eight: one on average makes a table worth a walk. */
const PTES_PER_LINE = 8;

/** So many of `entries` are young: is the table worth another look? */
export function isSuitableToScan(entries: number, young: number): boolean {
  return young * PTES_PER_LINE >= entries;
}

/** Visits the address spaces of the lruvec's cgroup, before its youngest generation is followed by another. */
export function walkMmList(multiGen: MultiGen, lruvec: Lruvec, walk: MmWalk): void {
  const { mmState, maxSeq } = lruvec.lruGen!;
  const node = 1 << lruvec.pgdat.nid;
  const list = multiGen.mmLists.of(lruvec.memcg);
  let first = true;
  for (let at = 0; at < list.length; at++) {
    const mm = list[at]!;
    if (at >= mmState.known) walk.forceScan = true;
    if (!walk.forceScan && (mm.usedOn & node) === 0) continue;
    mm.usedOn &= ~node;
    if (mm.exiting || walkedPages(mm, walk.swappiness) < multiGen.rules.leastPages) continue;
    if (first) mmState.filters.reset(maxSeq + 1);
    first = false;
    if (!mm.writeLocked) new TableWalk(multiGen, lruvec, walk, mm).run();
    walk.flush(lruvec);
  }
  mmState.known = list.length;
}

/** Resident pages that could be evicted. */
function walkedPages(mm: Mm, swappiness: number): number {
  const file = mm.rss[MM_FILEPAGES]!;
  return swappiness > 0 ? file + mm.rss[MM_ANONPAGES]! + mm.rss[MM_SHMEMPAGES]! : file;
}

/** Mappings whose use says nothing, or whose pages cannot be evicted. */
function isSkipped(multiGen: MultiGen, vma: Vma, swappiness: number): boolean {
  const { vmFlags, vmFile } = vma;
  if ((vmFlags & VM_ACCESS_FLAGS) === 0) return true;
  if ((vmFlags & (VM_LOCKED | VM_SPECIAL)) !== 0 || !hasRecency(multiGen, vma)) return true;
  if (vmFile === null) return swappiness === 0;
  if (vmFile.mapping.unevictable) return true;
  return vmFile.inode.kind === 'tmpfs' && swappiness === 0;
}

/** Does a use of this mapping say that the page will be used again? (vma_has_recency) */
export function hasRecency(multiGen: MultiGen, vma: Vma): boolean {
  if ((vma.vmFlags & (VM_SEQ_READ | VM_RAND_READ)) !== 0) return false;
  return !multiGen.machine.generation.switches.skipVmasWithoutRecency || !(vma.vmFile?.noreuse ?? false);
}

/** The page of an entry that was young: what the entry knows of a store the page learns, and it is promoted. */
export function promoteFolio(multiGen: MultiGen, lruvec: Lruvec, walk: MmWalk, pfn: Pfn, dirty: boolean): void {
  if (dirty) tellDirty(multiGen, pfn);
  const gen = lruvec.lruGen!.maxSeq % MAX_NR_GENS;
  const was = multiGen.rules.promote(multiGen, pfn, gen);
  if (was !== NO_GEN && was !== gen) walk.note(multiGen.machine, pfn, was, gen);
}

/** An anonymous page without a slot in swap has nothing to differ from. */
export function tellDirty({ machine }: MultiGen, pfn: Pfn): void {
  const { frames } = machine;
  if (frames.has(pfn, PG_dirty)) return;
  if (frames.isAnon(pfn) && frames.has(pfn, PG_swapbacked) && !frames.has(pfn, PG_swapcache)) return;
  folioMarkDirty(machine, pfn);
}

/** One address space. */
class TableWalk {
  private readonly multiGen: MultiGen;
  private readonly lruvec: Lruvec;
  private readonly walk: MmWalk;
  private readonly mm: Mm;
  /** Entries of the table at hand that were looked at, and young ones. */
  private entries = 0;
  private young = 0;
  /** The folio of the last young entry, and whether one of its entries was dirty. */
  private last: Pfn = NO_PFN;
  private lastDirty = false;

  constructor(multiGen: MultiGen, lruvec: Lruvec, walk: MmWalk, mm: Mm) {
    this.multiGen = multiGen;
    this.lruvec = lruvec;
    this.walk = walk;
    this.mm = mm;
  }

  run(): void {
    const { mm } = this;
    const { pageTables } = this.multiGen.machine;
    let vma = this.notSkipped(mm.vmas.first());
    let at = vma?.vmStart ?? (0 as Vpn);
    while (vma !== null) {
      const start = pageTables.nextTable(mm.pageTables, at, vma.vmEnd);
      if (start >= vma.vmEnd) {
        vma = this.notSkipped(mm.vmas.next(vma));
        at = vma?.vmStart ?? at;
        continue;
      }
      const tableEnd = (start - (start & (PTRS_PER_TABLE - 1)) + PTRS_PER_TABLE) as Vpn;
      this.visitTable(vma, start, tableEnd);
      while (vma !== null && vma.vmEnd <= tableEnd) vma = this.notSkipped(mm.vmas.next(vma));
      at = Math.max(tableEnd, vma?.vmStart ?? 0) as Vpn;
    }
  }

  /** The VMA, or the next behind it that a walk looks at. */
  private notSkipped(from: Vma | null): Vma | null {
    let vma = from;
    while (vma !== null && isSkipped(this.multiGen, vma, this.walk.swappiness)) vma = this.mm.vmas.next(vma);
    return vma;
  }

  /** What the entry for the 2 MiB that end at `tableEnd` points to. `vma` is the first there, and is met at `start`. */
  private visitTable(vma: Vma, start: Vpn, tableEnd: Vpn): void {
    const { multiGen, walk, mm, lruvec } = this;
    const { pageTables, clock, work } = multiGen.machine;
    const slot = pageTables.slotOf(mm.pageTables, start);
    if (pageTables.isHuge(slot)) {
      this.visitHuge(pageTables.tableStart(slot));
      return;
    }
    if (!walk.forceScan || !multiGen.rules.forceIgnoresOldTables) {
      if (!pageTables.testAndClearTableYoung(slot)) return;
    }
    const { mmState, maxSeq } = lruvec.lruGen!;
    const hash = pageTables.tableHash(mm.pageTables, start);
    if (!walk.forceScan && !mmState.filters.test(maxSeq, hash)) return;
    this.entries = 0;
    this.young = 0;
    for (let part: Vma | null = vma, at = start; part !== null && part.vmStart < tableEnd; ) {
      this.visitEntries(slot + (at - start), Math.min(part.vmEnd, tableEnd) - at);
      part = this.notSkipped(mm.vmas.next(part));
      at = part?.vmStart ?? at;
    }
    this.promoteLast();
    clock.spend(this.entries * PTE_VISIT_NS);
    work.ptesVisited += this.entries;
    const { walked } = mmState;
    walked.entries += this.entries;
    walked.young += this.young;
    walked.tables += 1;
    if (!isSuitableToScan(this.entries, this.young)) return;
    walked.added += 1;
    mmState.filters.add(maxSeq + 1, hash);
  }

  private visitEntries(first: number, count: number): void {
    const { multiGen, lruvec, walk } = this;
    const { machine, rules } = multiGen;
    const { pageTables } = machine;
    const { bits } = pageTables;
    this.entries += count;
    for (let slot = first; slot < first + count; slot++) {
      const entry = bits[slot]!;
      if ((entry & (PTE_YOUNG | PTE_SPECIAL)) !== PTE_YOUNG || (entry & PTE_ANY_PRESENT) === 0) continue;
      const pfn = compoundHead(machine, pageTables.pfn(slot));
      if (lruvecOf(machine, pfn) !== lruvec || !rules.walksPage(multiGen, pfn, walk.swappiness)) continue;
      pageTables.testAndClearYoung(slot);
      this.young += 1;
      this.meet(pfn, (entry & PTE_DIRTY) !== 0);
    }
  }

  private visitHuge(table: number): void {
    const { multiGen, lruvec, walk } = this;
    const { machine, rules } = multiGen;
    const { pageTables } = machine;
    const entry = pageTables.tableBits(table);
    if ((entry & (PTE_YOUNG | PTE_SPECIAL)) !== PTE_YOUNG || (entry & PTE_ANY_PRESENT) === 0) return;
    const pfn = pageTables.pfn(table);
    if (lruvecOf(machine, pfn) !== lruvec || !rules.walksPage(multiGen, pfn, walk.swappiness)) return;
    pageTables.clearTableYoungBits(table);
    lruvec.lruGen!.mmState.walked.young += 1;
    machine.work.ptesVisited += 1;
    this.meet(pfn, (entry & PTE_DIRTY) !== 0);
    this.promoteLast();
  }

  /** Another young entry. A folio that several entries in a row map is promoted once, where the release does so. */
  private meet(pfn: Pfn, dirty: boolean): void {
    if (pfn !== this.last || !this.multiGen.rules.foliosOnce) {
      this.promoteLast();
      this.last = pfn;
      this.lastDirty = false;
    }
    if (dirty) this.lastDirty = true;
  }

  private promoteLast(): void {
    if (this.last === NO_PFN) return;
    promoteFolio(this.multiGen, this.lruvec, this.walk, this.last, this.lastDirty);
    this.last = NO_PFN;
  }
}
