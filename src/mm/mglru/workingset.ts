/**
 * Refaults under the multi-generational LRU: a page that comes back tells the controller about its tier.
 *
 * A shadow is one number, as with two lists (reclaim/workingset.ts); in place of a time it has the oldest generation's
 * sequence number and how often the page was used.
 *
 * Owns      what shadows say, evicted and refaulted of the controller.
 * Linux     6.18, 6.1 mm/workingset.c: lru_gen_eviction lru_gen_refault
 */
import { folioPages } from '../folio.ts';
import { lruvecOf } from '../memcg.ts';
import { PG_workingset } from '../page_flags.ts';
import type { Workingset } from '../parts.ts';
import { EVICTION_SPAN, packShadow, Shadow } from '../reclaim/workingset.ts';
import type { Pfn } from '../units.ts';
import { MOST_REFS } from './folio_gens.ts';
import { lruType } from './lru_gen.ts';
import type { MultiGen } from './multi_gen.ts';

/** Two bits of uses. */
const USES = MOST_REFS + 1;
const SEQS: number = EVICTION_SPAN / USES;

export function newGenWorkingset(multiGen: MultiGen): Workingset {
  return new GenWorkingset(multiGen);
}

class GenWorkingset implements Workingset {
  private readonly multiGen: MultiGen;
  private readonly shadow: Shadow = new Shadow();

  constructor(multiGen: MultiGen) {
    this.multiGen = multiGen;
  }

  /** The cgroup that reclaims does not matter: each has its own generations. */
  eviction(pfn: Pfn): number {
    const { machine, rules } = this.multiGen;
    const { frames } = machine;
    const lruvec = lruvecOf(machine, pfn);
    const lruGen = lruvec.lruGen!;
    const type = lruType(frames, pfn);
    const tier = rules.tier(rules.uses(this.multiGen, pfn), frames.has(pfn, PG_workingset));
    lruGen.control.countEviction(type, tier, folioPages(machine, pfn));
    const time = (lruGen.minSeq[type]! % SEQS) * USES + rules.shadowUses(this.multiGen, pfn);
    return packShadow(time, lruvec.memcg.id, lruvec.pgdat.nid, rules.shadowBit(this.multiGen, pfn));
  }

  refault(pfn: Pfn, shadow: number): void {
    const { machine, rules } = this.multiGen;
    const lruvec = lruvecOf(machine, pfn);
    const { memcg, nid, time, bit } = this.shadow.unpack(shadow);
    if (memcg !== lruvec.memcg.id || nid !== lruvec.pgdat.nid) return;
    rules.refault(this.multiGen, lruvec, pfn, Math.floor(time / USES), SEQS, time % USES, bit);
  }

  /** Nothing here measures distances. */
  activation(): void {}
}
