/**
 * How fast a task may dirty pages in 3.16: not by waiting for writes, but by a rate.
 *
 * Owns      the pause of whoever dirties too much. The limits, and who writes what when, are flusher.ts's: they are the same, but
 *           that a cgroup has no limits of its own.
 * Promises  1. Below the middle of the two limits nobody waits.
 *           2. Above it the pauses grow as the dirty pages do, up to 200 ms; at the limit nobody goes on before there are fewer.
 * Linux     3.16 mm/page-writeback.c: balance_dirty_pages bdi_position_ratio pos_ratio_polynom bdi_max_pause dirty_poll_interval
 * Before    2.6.24: whoever is above the limit writes pages himself
 *
 *   dirty pages     freerun        setpoint          limit           rate of the task = rate of the disk * pos_ratio
 *   pos_ratio          2       1 + x³  1                0            x = (setpoint − dirty) / (limit − setpoint)
 *
 * DIFFERS: the disk's rate is known, not measured; there is one disk, so its share is all, and its own queue does not count.
 */
import { dirtyLimits, flusher_6, freerun, nrDirty, pollInterval, wakeFlusherNow } from './flusher.ts';
import type { Machine } from './machine.ts';
import type { WritebackPart } from './parts.ts';
import type { DirtyLimits } from './writeback.ts';

const MAX_PAUSE_NS = 200_000_000;
/** Shorter pauses are not worth it: the task looks again after more pages. */
const MIN_PAUSE_NS = 4_000_000;
/** A task looks again after so many pages while the limits are exceeded (32 KiB). */
const EXCEEDED_PAUSE = 8;

export const flusher_3: WritebackPart = { ...flusher_6, balanceDirtyPages: balanceDirtyPages_3 };

/** The current task has dirtied a page. */
function balanceDirtyPages_3(machine: Machine): void {
  const { writeback, clock, current: task } = machine;
  const interval = writeback.dirtyExceeded ? Math.min(task.nrDirtiedPause, EXCEEDED_PAUSE) : task.nrDirtiedPause;
  if (task.nrDirtied < interval) return;
  for (;;) {
    const limits = dirtyLimits(machine);
    const free = limits.dirty <= freerun(limits);
    if (nrDirty(machine) > limits.bgThresh && (!free || !machine.sysctl.laptopMode)) wakeFlusherNow(machine);
    if (free) {
      task.nrDirtiedPause = pollInterval(limits);
      writeback.dirtyExceeded = false;
      break;
    }
    writeback.dirtyExceeded = limits.dirty > limits.thresh;
    const ratio = posRatio(limits);
    const pause = pauseNs(task.nrDirtied, ratio, machine.disk.pageNs);
    // Without a request under way or about to be made there will never be fewer.
    const stuck = machine.io.pending === 0 && !writeback.wokenNow;
    if (task.killed || stuck) break;
    if (pause < MIN_PAUSE_NS && ratio > 0) {
      task.nrDirtiedPause = Math.max(EXCEEDED_PAUSE, Math.ceil((MIN_PAUSE_NS * ratio) / machine.disk.pageNs));
      break;
    }
    machine.runUntil(clock.now + pause);
    if (ratio > 0) {
      task.nrDirtiedPause = EXCEEDED_PAUSE;
      break;
    }
  }
  task.nrDirtied = 0;
}

/** How much faster than the disk a task may dirty pages: 2 to 0. */
export function posRatio(limits: DirtyLimits): number {
  if (limits.dirty >= limits.thresh) return 0;
  const setpoint = Math.floor((freerun(limits) + limits.thresh) / 2);
  const x = (setpoint - limits.dirty) / (limits.thresh - setpoint + 1);
  return Math.min(2, Math.max(0, 1 + x ** 3));
}

/** How long so many pages take at that rate. */
export function pauseNs(pages: number, ratio: number, pageNs: number): number {
  return ratio === 0 ? MAX_PAUSE_NS : Math.min(MAX_PAUSE_NS, (pages * pageNs) / ratio);
}
