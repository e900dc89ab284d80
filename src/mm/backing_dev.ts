/**
 * Disks that have more to write than they should: who must not wait for them passes on, and who can waits.
 *
 * Owns      nothing: BlockDevice counts the requests that are under way.
 * Linux     2.6.24 mm/backing-dev.c: congestion_wait; include/linux/backing-dev.h: bdi_write_congested;
 *           block/ll_rw_blk.c: blk_queue_congestion_threshold
 */
import type { BlockDevice } from './block.ts';
import type { Machine } from './machine.ts';

/** Requests that a queue holds (nr_requests), and how many of them mean that it is congested. */
const NR_REQUESTS = 128;
export const CONGESTED_REQUESTS: number = NR_REQUESTS - NR_REQUESTS / 8 + 1;

/** null is memory: never. */
export function bdiWriteCongested(device: BlockDevice | null): boolean {
  return device !== null && device.writesPending >= CONGESTED_REQUESTS;
}

/** Lets time pass, `ns` at most, until a queue that is congested is so no more. */
export function congestionWait(machine: Machine, device: BlockDevice | null, ns: number): void {
  const until = machine.clock.now + ns;
  if (!bdiWriteCongested(device)) {
    machine.runUntil(until);
    return;
  }
  while (bdiWriteCongested(device) && machine.clock.nextAt <= until) machine.runUntil(machine.clock.nextAt);
  if (bdiWriteCongested(device)) machine.runUntil(until);
}
