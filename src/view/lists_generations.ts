/**
 * The multi-generational LRU for people: generations with their births and sizes, tiers, and what the controller would say now.
 *
 * Promises  The controller is asked on a copy: asking it fills its own fields.
 * Linux     6.18 mm/vmscan.c: lru_gen_seq_show read_ctrl_pos positive_ctrl_err get_type_to_scan get_tier_idx
 * Read      docs/mglru.md
 */
import type { Lruvec } from '../mm/lruvec.ts';
import type { Machine } from '../mm/machine.ts';
import { LruGen, MAX_NR_GENS } from '../mm/mglru/lru_gen.ts';
import { MAX_NR_TIERS, MIN_LRU_BATCH, RefaultControl } from '../mm/mglru/refault_control.ts';
import { swappinessOf } from '../mm/mglru/swappiness.ts';
import type { Rule, RuleLine } from './lists_rule.ts';

export interface GenerationRow {
  readonly seq: number;
  /** Since it was opened. */
  readonly ageNs: number;
  /** Pages that say they are in it; null: of this type it is gone. */
  readonly anon: number | null;
  readonly file: number | null;
  /** One of the two youngest: shown as active, and never evicted. */
  readonly active: boolean;
}

/** Of the oldest generation, and of those before it (averages). In pages. */
export interface TierRow {
  readonly type: 'anon' | 'file';
  readonly tier: number;
  readonly refaulted: number;
  readonly evicted: number;
  readonly protected: number;
  readonly averageRefaulted: number;
  readonly averageTotal: number;
  /** Eviction of this type would protect the tier now. */
  readonly isProtected: boolean;
}

export interface Generations {
  readonly rows: readonly GenerationRow[];
  readonly tiers: readonly TierRow[];
  /** Walks over page tables so far: entries and tables looked at, and what they found. */
  readonly walks: {
    readonly entries: number;
    readonly young: number;
    readonly tables: number;
    /** Tables that went into the Bloom filter. */
    readonly added: number;
    /** Address spaces of the cgroup, and of those the ones that the last walk knew. */
    readonly mms: number;
    readonly known: number;
  };
}

const TYPES = ['anon', 'file'] as const;

export function generationsOf(machine: Machine, lruvec: Lruvec): Generations | null {
  const { lruGen } = lruvec;
  const { multiGen } = machine;
  if (lruGen === null || multiGen === null) return null;
  const rows: GenerationRow[] = [];
  const first = Math.min(lruGen.minSeq[0]!, lruGen.minSeq[1]!);
  for (let seq = first; seq <= lruGen.maxSeq; seq++) {
    const size = (type: number): number | null => (seq < lruGen.minSeq[type]! ? null : lruGen.size(seq, type));
    rows.push({
      seq,
      ageNs: machine.clock.now - lruGen.timestamps[seq % MAX_NR_GENS]!,
      anon: size(0),
      file: size(1),
      active: lruGen.isActive(seq % MAX_NR_GENS),
    });
  }
  const { control, mmState } = lruGen;
  const { last } = asked(machine, lruvec);
  const tiers = TYPES.flatMap((type, at) =>
    [...Array(MAX_NR_TIERS).keys()].map((tier) => {
      const n = at * MAX_NR_TIERS + tier;
      return {
        type,
        tier,
        refaulted: control.refaulted[n]!,
        evicted: control.evicted[n]!,
        protected: control.protected_[n]!,
        averageRefaulted: control.averageRefaulted[n]!,
        averageTotal: control.averageTotal[n]!,
        isProtected: tier > last[at]!,
      };
    }),
  );
  const mms = multiGen.mmLists.of(lruvec.memcg).length;
  return { rows, tiers, walks: { ...mmState.walked, mms, known: mmState.known } };
}

export function generationRule(machine: Machine, lruvec: Lruvec): Rule {
  const lruGen = lruvec.lruGen!;
  const { swappiness, type, last, exhausted } = asked(machine, lruvec);
  const chosen = TYPES[type]!;
  const { control } = lruGen;
  const lines: RuleLine[] = [
    { name: 'swappiness', formula: '0 if less than a batch of swap is left', value: String(swappiness) },
    {
      name: 'type to evict',
      formula: `refaulted / evicted, anon × ${swappiness} against file × ${200 - swappiness}: ${part(control, 0)}, ${part(control, 1)} (fewer than ${MIN_LRU_BATCH} refaults are noise)`,
      value: chosen,
    },
    {
      name: 'last tier that goes',
      formula: 'tiers above it come back too often, and are protected',
      value: `${last[type]} of ${MAX_NR_TIERS - 1}`,
    },
    {
      name: 'oldest generation',
      formula: `min_seq anon ${lruGen.minSeq[0]}, file ${lruGen.minSeq[1]}; max_seq ${lruGen.maxSeq}`,
      value: exhausted ? 'too few generations: aged before it is evicted' : 'evicted next, from its tail',
    },
  ];
  return {
    says: 'Aging opens a youngest generation and puts into it what the page tables say was used; eviction empties the oldest.',
    functions: 'try_to_inc_max_seq, isolate_folios, get_type_to_scan, get_tier_idx',
    lines,
    scan: null,
  };
}

interface Asked {
  swappiness: number;
  type: number;
  /** The last tier that may be evicted, by type. */
  last: [number, number];
  exhausted: boolean;
}

/** What eviction would do first. */
function asked(machine: Machine, lruvec: Lruvec): Asked {
  const { rules } = machine.multiGen!;
  const lruGen = withOwnControl(lruvec.lruGen!);
  const swappiness = swappinessOf(machine, lruvec);
  const type = rules.chooseType(lruGen, swappiness);
  const tier = (of: number): number => rules.lastTier(lruGen, of, swappiness, of === type);
  return { swappiness, type, last: [tier(0), tier(1)], exhausted: rules.isExhausted(lruGen, swappiness) };
}

function withOwnControl(lruGen: LruGen): LruGen {
  const control = new RefaultControl();
  const { refaulted, evicted, protected_, averageRefaulted, averageTotal } = lruGen.control;
  control.refaulted.set(refaulted);
  control.evicted.set(evicted);
  control.protected_.set(protected_);
  control.averageRefaulted.set(averageRefaulted);
  control.averageTotal.set(averageTotal);
  return Object.assign(Object.create(LruGen.prototype) as LruGen, lruGen, { control });
}

function part(
  { refaulted, evicted, protected_, averageRefaulted, averageTotal }: RefaultControl,
  type: number,
): string {
  let back = 0;
  let gone = 0;
  for (let at = type * MAX_NR_TIERS; at < (type + 1) * MAX_NR_TIERS; at++) {
    back += averageRefaulted[at]! + refaulted[at]!;
    gone += averageTotal[at]! + protected_[at]! + evicted[at]!;
  }
  return `${TYPES[type]} ${back} of ${gone}`;
}
