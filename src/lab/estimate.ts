/**
 * How long the program would take, and with what: the machine's clock, split by the counters and the prices of mm/costs.ts.
 *
 * Promises  The parts add up to the clock. What the machine did not spend on work, beside the accesses, it waited for disks.
 */
import { ACCESS_NS, FAULT_NS, ZRAM_IN_NS, ZRAM_OUT_NS } from '../mm/costs.ts';
import type { Counters } from './counters.ts';
import type { TimeEstimate } from './result.ts';

/** What passed on the clock, what of it was work, and how many accesses the program made. */
export interface Times {
  readonly clockNs: number;
  readonly spentNs: number;
  readonly accesses: number;
}

export function estimateTime(counters: Counters, times: Times, swapDevice: string): TimeEstimate {
  const count = (name: string) => counters[name] ?? 0;
  const accesses = times.accesses * ACCESS_NS;
  const faults = Math.min(times.spentNs, count('pgfault') * FAULT_NS);
  const zram = swapDevice === 'zram' ? count('pswpin') * ZRAM_IN_NS + count('pswpout') * ZRAM_OUT_NS : 0;
  const swap = Math.min(times.spentNs - faults, zram);
  return {
    seconds: times.clockNs / 1e9,
    accesses: accesses / 1e9,
    faults: faults / 1e9,
    swap: swap / 1e9,
    reclaim: (times.spentNs - faults - swap) / 1e9,
    disk: Math.max(0, times.clockNs - accesses - times.spentNs) / 1e9,
  };
}
