/**
 * Eviction found a page young: are its neighbours, too?
 *
 *     entries   … | 64 around the one that was found, inside its table and VMA | …
 *                    young ones are cleared, their pages go to the youngest generation;
 *                    8 or more of the 64: the table is worth a walk, the filter learns it
 *
 * What is used is used in neighbourhoods: the reverse walk has paid for the way to this table already.
 *
 * Linux     6.18 mm/vmscan.c: lru_gen_look_around; mm/rmap.c: folio_referenced_one
 */
import type { Lruvec } from '../lruvec.ts';
import { lruvecOf } from '../memcg.ts';
import { compoundHead } from '../page_alloc.ts';
import { PG_referenced } from '../page_flags.ts';
import { PTE_ANY_PRESENT, PTE_DIRTY, PTE_SPECIAL, PTE_YOUNG, PTRS_PER_TABLE } from '../page_table.ts';
import { NO_PFN, type Pfn, type Vpn } from '../units.ts';
import { VM_RAND_READ, VM_SEQ_READ, VM_SPECIAL } from '../vm_flags.ts';
import type { Vma } from '../vma.ts';
import { NO_GEN } from './folio_gens.ts';
import { MAX_NR_GENS, type MmWalk, moveGenSize } from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';
import { MIN_LRU_BATCH } from './refault_control.ts';
import { isSuitableToScan, promoteFolio, tellDirty } from './walk.ts';

/** Fewer pages than this are moved by the batch of lru.ts (PAGEVEC_SIZE of 6.1). */
const PAGEVEC_SIZE = 15;

/** First page of the window around `vpn`, and the page behind it. */
export function windowAround(vma: Vma, vpn: Vpn): [number, number] {
  const table = vpn - (vpn & (PTRS_PER_TABLE - 1));
  const start = Math.max(table, vma.vmStart);
  const end = Math.min(table + PTRS_PER_TABLE, vma.vmEnd);
  if (end - start <= MIN_LRU_BATCH) return [start, end];
  if (vpn - start < MIN_LRU_BATCH / 2) return [start, start + MIN_LRU_BATCH];
  if (end - vpn < MIN_LRU_BATCH / 2) return [end - MIN_LRU_BATCH, end];
  return [vpn - MIN_LRU_BATCH / 2, vpn + MIN_LRU_BATCH / 2];
}

/** 6.1: the neighbours of a young entry, and then the entry itself, whose bit they may have taken along. */
export function isReferenced_6_1(multiGen: MultiGen, vma: Vma, vpn: Vpn, slot: number, pfn: Pfn): boolean {
  const { pageTables } = multiGen.machine;
  const { vmFlags } = vma;
  const looks = pageTables.has(slot, PTE_YOUNG) && (vmFlags & (VM_SEQ_READ | VM_RAND_READ)) === 0;
  if (looks) new LookAround(multiGen, vma, vpn, slot, pfn).run_6_1();
  const young = pageTables.testAndClearYoung(slot);
  return looks || (young && (vmFlags & VM_SEQ_READ) === 0);
}

/** 6.18: the entry, and then its neighbours. */
export function isReferenced_6_18(multiGen: MultiGen, vma: Vma, vpn: Vpn, slot: number, pfn: Pfn): boolean {
  if (!multiGen.machine.pageTables.testAndClearYoung(slot)) return false;
  new LookAround(multiGen, vma, vpn, slot, pfn).run_6_18();
  return true;
}

class LookAround {
  private readonly multiGen: MultiGen;
  private readonly vma: Vma;
  private readonly vpn: Vpn;
  private readonly lruvec: Lruvec;
  private readonly walk: MmWalk | null;
  private readonly start: number;
  private readonly end: number;
  /** Slot of the window's first entry. */
  private readonly first: number;

  constructor(multiGen: MultiGen, vma: Vma, vpn: Vpn, slot: number, pfn: Pfn) {
    const { machine } = multiGen;
    this.multiGen = multiGen;
    this.vma = vma;
    this.vpn = vpn;
    this.lruvec = lruvecOf(machine, compoundHead(machine, pfn));
    this.walk = machine.current.mmWalk;
    [this.start, this.end] = windowAround(vma, vpn);
    this.first = slot - (vpn - this.start);
  }

  run_6_1(): void {
    const { multiGen, walk, lruvec } = this;
    const { machine, gens, rules } = multiGen;
    if ((this.vma.vmFlags & VM_SPECIAL) !== 0) return;
    const swappiness = walk?.swappiness ?? 1;
    const gen = lruvec.lruGen!.maxSeq % MAX_NR_GENS;
    const older: Pfn[] = [];
    let young = 0;
    for (let slot = this.first; slot < this.first + (this.end - this.start); slot++) {
      const pfn = this.youngPage(slot, swappiness);
      if (pfn === NO_PFN) continue;
      young += 1;
      if (machine.pageTables.has(slot, PTE_DIRTY)) tellDirty(multiGen, pfn);
      const was = gens.gen(pfn);
      if (was === NO_GEN) machine.frames.set(pfn, PG_referenced);
      else if (was !== gen) older.push(pfn);
    }
    this.tellFilter(young);
    if (walk === null && older.length < PAGEVEC_SIZE) {
      for (const pfn of older) machine.lru.activate(pfn);
      return;
    }
    for (const pfn of older) {
      const was = rules.promote(multiGen, pfn, gen);
      if (was === NO_GEN || was === gen) continue;
      if (walk !== null) walk.note(machine, pfn, was, gen);
      else moveGenSize(machine, lruvec, pfn, was, gen);
    }
  }

  run_6_18(): void {
    const { multiGen, walk, lruvec } = this;
    const { machine } = multiGen;
    if ((this.vma.vmFlags & VM_SPECIAL) !== 0 || this.end - this.start === 1) return;
    const gen = lruvec.lruGen!.maxSeq % MAX_NR_GENS;
    let last: Pfn = NO_PFN;
    let dirty = false;
    // The entry that was found was cleared before.
    let young = 1;
    const meet = (next: Pfn): void => {
      if (last !== NO_PFN && last !== next) {
        if (walk !== null) promoteFolio(multiGen, lruvec, walk, last, dirty);
        else this.activate(last, dirty, gen);
        dirty = false;
      }
      last = next;
    };
    for (let slot = this.first; slot < this.first + (this.end - this.start); slot++) {
      const pfn = this.youngPage(slot, 1);
      if (pfn === NO_PFN) continue;
      young += 1;
      meet(pfn);
      if (machine.pageTables.has(slot, PTE_DIRTY)) dirty = true;
    }
    meet(NO_PFN);
    this.tellFilter(young);
  }

  /** Without a walk to count for, the batch of lru.ts moves it. */
  private activate(pfn: Pfn, dirty: boolean, gen: number): void {
    const { multiGen } = this;
    if (dirty) tellDirty(multiGen, pfn);
    if (!multiGen.rules.activates!(multiGen, pfn)) return;
    const was = multiGen.gens.gen(pfn);
    if (was !== NO_GEN && was !== gen) multiGen.machine.lru.activate(pfn);
  }

  /** The folio of a young entry, which is young no more; NO_PFN if it is not for this lruvec to say. */
  private youngPage(slot: number, swappiness: number): Pfn {
    const { multiGen, lruvec } = this;
    const { machine, rules } = multiGen;
    const { pageTables } = machine;
    const entry = pageTables.bits[slot]!;
    if ((entry & (PTE_YOUNG | PTE_SPECIAL)) !== PTE_YOUNG || (entry & PTE_ANY_PRESENT) === 0) return NO_PFN;
    const pfn = compoundHead(machine, pageTables.pfn(slot));
    if (lruvecOf(machine, pfn) !== lruvec || !rules.walksPage(multiGen, pfn, swappiness)) return NO_PFN;
    pageTables.testAndClearYoung(slot);
    return pfn;
  }

  private tellFilter(young: number): void {
    const { multiGen, lruvec, vma } = this;
    const { pageTables, work } = multiGen.machine;
    work.ptesVisited += this.end - this.start;
    if (!isSuitableToScan(this.end - this.start, young)) return;
    const { mmState, maxSeq } = lruvec.lruGen!;
    mmState.filters.add(maxSeq, pageTables.tableHash(vma.vmMm.pageTables, this.vpn));
  }
}
