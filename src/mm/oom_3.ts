/**
 * Out of memory in 3.16: who must die.
 *
 * Owns      the choice of a victim. Its end is oom.ts's.
 * Promises  1. Nobody is killed while an earlier victim still has its memory: the search ends at once, and the caller waits.
 *           2. The child that is worst, with memory of its own, dies in its parent's place.
 *           3. Who is killed or about to end already is let through.
 * Linux     3.16 mm/oom_kill.c: oom_badness oom_scan_process_thread select_bad_process oom_kill_process out_of_memory;
 *           mm/memcontrol.c: mem_cgroup_out_of_memory mem_cgroup_get_limit
 *
 *    badness = resident pages + page tables + swapped pages + oom_score_adj * (all pages / 1000), at least 1; 0 may not be killed
 *
 * DIFFERS: there is no reaper in 3.16, and a victim frees its memory when it runs; here it does so at once, as the one CPU could
 *          not wait for it. A process of root (CAP_SYS_ADMIN) is not told from others, and gets no 3 % off. With nobody left to
 *          kill the kernel panics; here the allocation fails.
 */
import { __GFP_FS, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { isDescendant, type MemCgroup, memcgEvent } from './memcg.ts';
import { MM_SWAPENTS } from './mm.ts';
import type { Task } from './task.ts';
import { OOM_KILL } from './vmstat.ts';
import { reapMm } from './zap.ts';

const OOM_SCORE_ADJ_MIN = -1000;

/** The machine has no page left. True if it makes sense to try again. */
export function outOfMemory_3(machine: Machine, gfp: Gfp, _order: number): boolean {
  // Who must not enter a file system could not reclaim what others can: they will.
  if ((gfp & __GFP_FS) === 0 && !machine.current.killed) return true;
  return kill(machine, null, machine.totalPages + machine.swap.totalSwapPages);
}

/** The cgroup is full and could not be reclaimed. True if somebody was or is being killed. */
export function memCgroupOutOfMemory_3(machine: Machine, memcg: MemCgroup): boolean {
  return kill(machine, memcg, memCgroupGetLimit(machine, memcg));
}

function kill(machine: Machine, memcg: MemCgroup | null, totalPages: number): boolean {
  const { current } = machine;
  if (current.killed && current.mm !== null) {
    markVictim(machine, current);
    return true;
  }
  let worst: Task | null = null;
  let most = 0;
  for (const task of machine.tasks) {
    if (memcg !== null && !isDescendant(task.memcg, memcg)) continue;
    if (task.oomVictim && task.mm !== null && !task.mm.oomSkip) {
      // It could not be freed while it ran; now it does not, and nobody must wait for it for ever.
      release(machine, task);
      return true;
    }
    const points = oomBadness_3(task, totalPages);
    if (points === 0 || points <= most) continue;
    worst = task;
    most = points;
  }
  if (worst === null) return false;
  killProcess(machine, sacrificed(machine, worst, totalPages));
  return true;
}

/** How much killing the task would bring; 0 if it must not, or would bring nothing. */
export function oomBadness_3(task: Task, totalPages: number): number {
  const { mm } = task;
  if (mm === null || mm.oomSkip || task.oomScoreAdj === OOM_SCORE_ADJ_MIN) return 0;
  const pages = mm.rssPages + mm.pageTables.tables + mm.rss[MM_SWAPENTS]!;
  return Math.max(1, pages + task.oomScoreAdj * Math.floor(totalPages / 1000));
}

/** The worst child with an address space of its own, if any may be killed: its parent's work is not lost. */
function sacrificed(machine: Machine, parent: Task, totalPages: number): Task {
  let victim = parent;
  let most = 0;
  for (const child of machine.tasks) {
    if (child.parent !== parent || child.mm === parent.mm) continue;
    const points = oomBadness_3(child, totalPages);
    if (points <= most) continue;
    victim = child;
    most = points;
  }
  return victim;
}

function killProcess(machine: Machine, victim: Task): void {
  const { mm } = victim;
  if (mm === null) return;
  machine.events[OOM_KILL]! += 1;
  memcgEvent(mm.memcg, 'oomKill');
  for (const task of machine.tasks) {
    if (task.mm === mm && task.oomScoreAdj !== OOM_SCORE_ADJ_MIN) task.killed = true;
  }
  victim.killed = true;
  markVictim(machine, victim);
  release(machine, victim);
}

/** It may use the reserves from now on (TIF_MEMDIE). */
function markVictim(machine: Machine, victim: Task): void {
  if (victim.oomVictim) return;
  victim.oomVictim = true;
  if (machine.trace.on) machine.trace.emit(machine.clock.now, 'oom_kill', victim.pid);
}

/** What the victim would do when it ran: its memory goes. Who runs is in the middle of using it. */
function release(machine: Machine, victim: Task): void {
  const { mm } = victim;
  if (mm === null || mm.oomSkip || mm === machine.current.mm) return;
  reapMm(machine, mm);
  mm.oomSkip = true;
}

/** Memory and swap that the cgroup may have at most, in pages; where it must not swap, memory alone. */
function memCgroupGetLimit(machine: Machine, memcg: MemCgroup): number {
  const swappiness = memcg.parent === null ? machine.sysctl.swappiness : memcg.swappiness;
  let limit = Math.min(memcg.memory.max, machine.totalPages);
  if (swappiness > 0) limit = Math.min(limit + machine.swap.totalSwapPages, memcg.memsw.max);
  return Math.max(1, limit);
}
