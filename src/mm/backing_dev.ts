/**
 * Disks that have more to write than they should: who must not wait for them passes on, and who can waits.
 *
 * Owns      nothing: BlockDevice counts the requests that are under way.
 * Promises  Nobody waits without end: a wait is over when its time is, congested or not.
 * Linux     2.6.24 mm/backing-dev.c: congestion_wait clear_bdi_congested; include/linux/backing-dev.h: bdi_write_congested;
 *           block/ll_rw_blk.c: blk_queue_congestion_threshold __freed_request
 */
import type { BlockDevice } from './block.ts';
import type { Machine } from './machine.ts';

/** Requests that a queue holds (nr_requests), and how many of them mean that it is congested. */
const NR_REQUESTS = 128;
export const CONGESTED_REQUESTS: number = NR_REQUESTS - NR_REQUESTS / 8 + 1;

/** Fewer than these, and a write that ends wakes who waits for the end of a congestion. */
const UNCONGESTED_REQUESTS = NR_REQUESTS - NR_REQUESTS / 8 - NR_REQUESTS / 16 - 1;

/** null is memory: never. */
export function bdiWriteCongested(device: BlockDevice | null): boolean {
  return device !== null && device.writesPending >= CONGESTED_REQUESTS;
}

/**
 * Lets time pass, `ns` at most, until a write ends and leaves the queue not too full. It need not have been congested; but where no
 * write is under way, as with swap in memory, nobody wakes who waits, and he waits for nothing.
 */
export function congestionWait(machine: Machine, device: BlockDevice | null, ns: number): void {
  const until = machine.clock.now + ns;
  if (device !== null) {
    while (machine.clock.nextAt <= until) {
      const ended = device.writesEnded;
      machine.runUntil(machine.clock.nextAt);
      if (device.writesEnded > ended && device.writesPending < UNCONGESTED_REQUESTS) return;
    }
  }
  machine.runUntil(until);
}
