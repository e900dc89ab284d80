/**
 * How long the program would take, and with what: the machine's clock, split by the counters and the prices of mm/costs.ts.
 *
 * Promises  The parts add up to the clock. What the prices do not explain is the wait for disks.
 */
import { ACCESS_NS, FAULT_NS, SCAN_NS, ZRAM_IN_NS, ZRAM_OUT_NS } from '../mm/costs.ts';
import type { TimeEstimate } from './result.ts';

/** `clockNs`: what passed on the clock; `accesses`: how many the program made. */
export function estimateTime(
  counters: Record<string, number>,
  clockNs: number,
  accesses: number,
  swapDevice: string,
): TimeEstimate {
  const count = (name: string) => counters[name] ?? 0;
  const zram = swapDevice === 'zram' ? count('pswpin') * ZRAM_IN_NS + count('pswpout') * ZRAM_OUT_NS : 0;
  const seconds = {
    accesses: (accesses * ACCESS_NS) / 1e9,
    faults: (count('pgfault') * FAULT_NS) / 1e9,
    swap: zram / 1e9,
    reclaim: ((count('pgscan_anon') + count('pgscan_file')) * SCAN_NS) / 1e9,
  };
  const known = seconds.accesses + seconds.faults + seconds.swap + seconds.reclaim;
  return { seconds: clockNs / 1e9, ...seconds, disk: Math.max(0, clockNs / 1e9 - known) };
}
