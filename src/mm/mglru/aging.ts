/**
 * The aging: a new youngest generation, into which a walk puts what was used since the last one.
 *
 *     maxSeq 9                                    maxSeq 10
 *     gens   2 [oldest]  3        0        1      3 [oldest]  0        1        2 [youngest]
 *            moved along ────────►                                     what the walk found young
 *
 * There are four generations at most: the oldest one's pages join the next one, if eviction has not emptied it.
 *
 * Owns      maxSeq and minSeq.
 * Promises  Between minSeq and maxSeq lie 2 to 4 generations of each type, and no page is in another.
 * Linux     6.18 mm/vmscan.c: try_to_inc_max_seq inc_max_seq inc_min_seq try_to_inc_min_seq
 */

import { folioPages } from '../folio.ts';
import type { Lruvec } from '../lruvec.ts';
import { PG_workingset } from '../page_flags.ts';
import { NO_PFN } from '../units.ts';
import { MAX_NR_ZONES } from '../zone.ts';
import {
  firstType,
  genIndex,
  incGen,
  LRU_GEN_ANON,
  LRU_GEN_FILE,
  MAX_NR_GENS,
  MIN_NR_GENS,
  modShownSize,
  shownAs,
} from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';
import { walkMmList } from './walk.ts';

/** Looks at what the programs of the cgroup used, and opens a generation. `swappiness` 0: anonymous memory stays as it is. */
export function age(multiGen: MultiGen, lruvec: Lruvec, swappiness: number): void {
  const task = multiGen.machine.current;
  task.mmWalk ??= multiGen.directWalk;
  const walk = task.mmWalk;
  walk.swappiness = swappiness;
  walk.forceScan = false;
  walkMmList(multiGen, lruvec, walk);
  incMaxSeq(multiGen, lruvec, swappiness);
}

function incMaxSeq(multiGen: MultiGen, lruvec: Lruvec, swappiness: number): void {
  const lruGen = lruvec.lruGen!;
  for (const type of [LRU_GEN_ANON, LRU_GEN_FILE]) {
    if (lruGen.generations(type) === MAX_NR_GENS) incMinSeq(multiGen, lruvec, type, swappiness);
  }
  // The second youngest is active no more. The new one may be the oldest of a type that cannot be evicted: it is active now.
  const leaving = (lruGen.maxSeq - 1) % MAX_NR_GENS;
  const coming = (lruGen.maxSeq + 1) % MAX_NR_GENS;
  for (const type of [LRU_GEN_ANON, LRU_GEN_FILE]) {
    for (let zone = 0; zone < MAX_NR_ZONES; zone++) {
      const pages = lruGen.pages[genIndex(leaving, type, zone)]! - lruGen.pages[genIndex(coming, type, zone)]!;
      if (pages === 0) continue;
      modShownSize(lruvec, shownAs(type, false), zone, pages);
      modShownSize(lruvec, shownAs(type, true), zone, -pages);
    }
  }
  lruGen.timestamps[coming] = multiGen.machine.clock.now;
  lruGen.maxSeq += 1;
}

/** The oldest generation of a type goes; its pages, where they could be evicted, to the next one. */
function incMinSeq(multiGen: MultiGen, lruvec: Lruvec, type: number, swappiness: number): void {
  const lruGen = lruvec.lruGen!;
  if (type >= firstType(swappiness)) {
    for (let zone = 0; zone < MAX_NR_ZONES; zone++) emptyOldest(multiGen, lruvec, type, zone);
  }
  lruGen.control.carryOver(type);
  lruGen.minSeq[type]! += 1;
}

function emptyOldest(multiGen: MultiGen, lruvec: Lruvec, type: number, zone: number): void {
  const { machine, rules } = multiGen;
  const { frames } = machine;
  const lruGen = lruvec.lruGen!;
  const list = lruGen.lists[genIndex(lruGen.minSeq[type]! % MAX_NR_GENS, type, zone)]!;
  for (let pfn = frames.listLast(list); pfn !== NO_PFN; pfn = frames.listLast(list)) {
    const uses = rules.uses(multiGen, pfn);
    const workingset = frames.has(pfn, PG_workingset);
    const gen = incGen(machine, multiGen, lruvec, pfn, type, false);
    frames.listDel(pfn);
    frames.listAddTail(pfn, lruGen.lists[genIndex(gen, type, zone)]!);
    if (rules.countsMovedAsProtected && !rules.isSaturated(uses, workingset)) {
      lruGen.control.countProtected(type, rules.tier(uses, workingset), folioPages(machine, pfn));
    }
  }
}

/** Oldest generations that are empty are dropped, as long as two are left. True: one was. */
export function tryToIncMinSeq(multiGen: MultiGen, lruvec: Lruvec, swappiness: number): boolean {
  const { machine, rules, minSeq } = multiGen;
  const lruGen = lruvec.lruGen!;
  minSeq.set(lruGen.minSeq);
  let emptied = false;
  for (let type = firstType(swappiness); type <= LRU_GEN_FILE; type++) {
    while (minSeq[type]! + MIN_NR_GENS <= lruGen.maxSeq && lruGen.isEmpty(machine.frames, minSeq[type]!, type)) {
      minSeq[type]! += 1;
      emptied = true;
    }
  }
  if (!emptied) return false;
  rules.align(lruGen, minSeq, swappiness);
  let dropped = false;
  for (let type = firstType(swappiness); type <= LRU_GEN_FILE; type++) {
    if (minSeq[type]! <= lruGen.minSeq[type]!) continue;
    lruGen.control.carryOver(type);
    lruGen.minSeq[type] = minSeq[type]!;
    dropped = true;
  }
  return dropped;
}
