/**
 * What a run costs, by a stated table.
 *
 * Owns      which count has which price (the prices themselves: mm/costs.ts).
 * Promises  The cost is the sum of its lines, and of the time that the machine waited: for its disk, or for the end of a congestion. Each line is a count of the
 *           run and a price, so whoever thinks a price wrong can take his own.
 */
import {
  ACCESS_NS,
  ANON_VMA_NS,
  CHAIN_NS,
  FAULT_NS,
  MM_WALK_NS,
  PAGE_SCAN_NS,
  PTE_VISIT_NS,
  VMA_VISIT_NS,
  ZRAM_IN_NS,
  ZRAM_OUT_NS,
} from '../mm/costs.ts';
import type { RunResult } from './result.ts';

export interface Price {
  readonly what: string;
  readonly part: Exclude<CostPart, 'waits'>;
  readonly ns: number;
  readonly count: (run: RunResult) => number;
}

export type CostPart = 'accesses' | 'faults' | 'swap' | 'scans' | 'searches' | 'waits';
export const COST_PARTS: readonly CostPart[] = ['accesses', 'faults', 'swap', 'scans', 'searches', 'waits'];

const onZram = (run: RunResult, name: string) => (run.machine.swap_device === 'zram' ? (run.counters[name] ?? 0) : 0);

export const PRICES: readonly Price[] = [
  { what: 'access', part: 'accesses', ns: ACCESS_NS, count: (run) => run.raw_accesses },
  { what: 'fault, its I/O aside', part: 'faults', ns: FAULT_NS, count: (run) => run.counters['pgfault'] ?? 0 },
  { what: 'page in from zram', part: 'swap', ns: ZRAM_IN_NS, count: (run) => onZram(run, 'pswpin') },
  { what: 'page out to zram', part: 'swap', ns: ZRAM_OUT_NS, count: (run) => onZram(run, 'pswpout') },
  { what: 'page scanned', part: 'scans', ns: PAGE_SCAN_NS, count: (run) => run.work.pages_scanned },
  { what: 'address space walked', part: 'searches', ns: MM_WALK_NS, count: (run) => run.work.mms_walked },
  { what: 'anon_vma met', part: 'searches', ns: ANON_VMA_NS, count: (run) => run.work.anon_vmas_met },
  { what: 'link met', part: 'searches', ns: CHAIN_NS, count: (run) => run.work.chains_met },
  { what: 'VMA visited', part: 'searches', ns: VMA_VISIT_NS, count: (run) => run.work.vmas_visited },
  { what: 'page-table entry visited', part: 'searches', ns: PTE_VISIT_NS, count: (run) => run.work.ptes_visited },
];

export interface Cost extends Record<CostPart, number> {
  /** All of it. */
  seconds: number;
}

/** In seconds, by part. */
export function costOf(run: RunResult): Cost {
  const cost: Cost = { seconds: 0, accesses: 0, faults: 0, swap: 0, scans: 0, searches: 0, waits: run.estimate.disk };
  for (const price of PRICES) cost[price.part] += (price.count(run) * price.ns) / 1e9;
  for (const part of COST_PARTS) cost.seconds += cost[part];
  return cost;
}
