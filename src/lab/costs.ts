/**
 * How long a program would take: a price for each thing that the counters count.
 *
 * Owns      the table. It is an assumption about hardware, stated so that it can be argued with; counts are measured by the
 *           replay, times are not. Accesses and waits for the disk are on the machine's clock already.
 *
 *   what                       ns    why so many
 *   access                      1    about 3 cycles: most hit a cache
 *   fault without I/O         500    entry, a page cleared, charged and mapped; a quarter to a whole µs is usual on x86
 *   page from zram           3000    4 KiB unpacked at 1.5 to 2 GB/s, and the fault around it
 *   page to zram             6000    4 KiB packed at 0.7 to 1 GB/s
 *   page scanned by reclaim   200    isolated, looked up in the page tables, put back
 */
import type { TimeEstimate } from './result.ts';

export const ACCESS_NS = 1;
const FAULT_NS = 500;
const ZRAM_IN_NS = 3000;
const ZRAM_OUT_NS = 6000;
const SCAN_NS = 200;

/** `clockNs`: what the machine's clock says; `accesses`: how many of these nanoseconds are accesses. */
export function estimateTime(
  counters: Record<string, number>,
  clockNs: number,
  accesses: number,
  swapDevice: string,
): TimeEstimate {
  const count = (name: string) => counters[name] ?? 0;
  const seconds = {
    accesses: (accesses * ACCESS_NS) / 1e9,
    faults: (count('pgfault') * FAULT_NS) / 1e9,
    swap: swapDevice === 'zram' ? (count('pswpin') * ZRAM_IN_NS + count('pswpout') * ZRAM_OUT_NS) / 1e9 : 0,
    disk: Math.max(0, clockNs - accesses * ACCESS_NS) / 1e9,
    reclaim: (count('pgscan') * SCAN_NS) / 1e9,
  };
  return { seconds: Object.values(seconds).reduce((sum, s) => sum + s, 0), ...seconds };
}
