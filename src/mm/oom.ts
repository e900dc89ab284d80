/**
 * Out of memory: who must die.
 *
 * Owns      the choice of a victim, and its end: killed, its private memory taken away.
 * Promises  1. Nobody is killed while an earlier victim still holds memory: the caller waits for that one.
 *           2. What the victim had for itself is free when the call returns, unless the victim is who called: then it is let
 *              through to its end.
 * Linux     6.18 mm/oom_kill.c: oom_badness oom_evaluate_task select_bad_process task_will_free_mem __oom_kill_process
 *           oom_kill_process out_of_memory; mm/memcontrol.c: mem_cgroup_out_of_memory mem_cgroup_get_oom_group
 *           mem_cgroup_get_max
 *
 * DIFFERS: the reaper runs at once, in Linux two seconds after a victim that did not make it itself. There is no init to be
 *          spared. With nobody left to kill the kernel panics; here the allocation fails.
 *
 *    badness = resident pages + swapped pages + page tables + oom_score_adj / 1000 of all memory that could have been used
 *
 *    The worst process dies; of equals the youngest. Good at: one process that leaks. Bad at: a big innocent one beside many
 *    small greedy ones.
 */
import { __GFP_FS, type Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import { isDescendant, type MemCgroup, memcgEvent } from './memcg.ts';
import { MM_SWAPENTS } from './mm.ts';
import type { Task } from './task.ts';
import { OOM_KILL } from './vmstat.ts';
import { reapMm } from './zap.ts';

const OOM_SCORE_ADJ_MIN = -1000;
const UNKILLABLE = Number.NEGATIVE_INFINITY;

/**
 * A charge of so many pages does not fit in `memcg`. True if somebody was or is being killed, or the block of pages that holds
 * them fits by now.
 */
export function memCgroupOutOfMemory(machine: Machine, memcg: MemCgroup, pages = 1): boolean {
  const block = 2 ** Math.ceil(Math.log2(pages));
  const fits =
    memcg.memory.usage + block <= memcg.memory.max && (!memcg.v1 || memcg.memsw.usage + block <= memcg.memsw.max);
  return fits || kill(machine, memcg);
}

/** The machine has no page left. True if it makes sense to try again. */
export function outOfMemory(machine: Machine, gfp: Gfp, _order: number): boolean {
  // Who must not enter a file system could not reclaim what others can: they will.
  if ((gfp & __GFP_FS) === 0 && !willFreeMemory(machine, machine.current)) return true;
  return kill(machine, null);
}

function kill(machine: Machine, memcg: MemCgroup | null): boolean {
  const current = machine.current;
  if (willFreeMemory(machine, current)) {
    markVictim(machine, current);
    return true;
  }
  const total = memcg === null ? machine.totalPages + machine.swap.totalSwapPages : memCgroupGetMax(machine, memcg);
  let worst: Task | null = null;
  let most = UNKILLABLE;
  for (const task of machine.tasks) {
    if (memcg !== null && !isDescendant(task.memcg, memcg)) continue;
    if (task.oomVictim && task.mm !== null && !task.mm.oomSkip) {
      // It could not be reaped while it ran; now somebody else does, who must not wait for it for ever.
      reap(machine, task);
      return true;
    }
    const points = oomBadness(task, total);
    if (points === UNKILLABLE || points < most) continue;
    worst = task;
    most = points;
  }
  if (worst === null) return false;
  if (willFreeMemory(machine, worst)) {
    markVictim(machine, worst);
    reap(machine, worst);
    return true;
  }
  const group = oomGroup(machine, worst, memcg);
  killProcess(machine, worst);
  if (group !== null) killGroup(machine, group);
  return true;
}

/** How much killing the task would bring; UNKILLABLE if it must not, or would bring nothing. `total` in pages. */
export function oomBadness(task: Task, total: number): number {
  const mm = task.mm;
  if (mm === null || task.oomScoreAdj === OOM_SCORE_ADJ_MIN || mm.oomSkip) return UNKILLABLE;
  const pages = mm.rssPages + mm.rss[MM_SWAPENTS]! + mm.pageTables.tables;
  return pages + task.oomScoreAdj * Math.floor(total / 1000);
}

/** Memory and swap that the cgroup may have at most, in pages. */
function memCgroupGetMax(machine: Machine, memcg: MemCgroup): number {
  const all = machine.totalPages + machine.swap.totalSwapPages;
  const memory = memcg.memory.max;
  if (memory >= all) return all;
  if (memcg.swappiness === 0) return memory;
  const swap = memcg.v1 ? memcg.memsw.max - memory : memcg.swap.max;
  return memory + Math.min(swap, machine.swap.totalSwapPages);
}

/** It is on its way out already, and so is everybody who shares its memory. */
function willFreeMemory(machine: Machine, task: Task): boolean {
  const mm = task.mm;
  if (mm === null || !task.killed || mm.oomSkip) return false;
  for (const other of machine.tasks) if (other.mm === mm && !other.killed) return false;
  return true;
}

/** The highest cgroup from the victim's up to the one that is full that wants to die as a whole; null if none does. */
function oomGroup(machine: Machine, victim: Task, domain: MemCgroup | null): MemCgroup | null {
  if (machine.rootMemcg.v1 || victim.memcg.parent === null) return null;
  let group: MemCgroup | null = null;
  for (let c: MemCgroup | null = victim.memcg; c !== null; c = c.parent) {
    if (c.oomGroup) group = c;
    if (c === domain) break;
  }
  return group;
}

/** The first victim counts twice, as in Linux: it is still there when its group's turn comes. */
function killGroup(machine: Machine, group: MemCgroup): void {
  memcgEvent(group, 'oomGroupKill');
  for (const task of machine.tasks) {
    if (isDescendant(task.memcg, group) && task.oomScoreAdj !== OOM_SCORE_ADJ_MIN) killProcess(machine, task);
  }
}

function killProcess(machine: Machine, victim: Task): void {
  const mm = victim.mm;
  if (mm === null) return;
  machine.events[OOM_KILL]! += 1;
  memcgEvent(mm.memcg, 'oomKill');
  victim.killed = true;
  markVictim(machine, victim);
  for (const task of machine.tasks) if (task.mm === mm) task.killed = true;
  reap(machine, victim);
}

function markVictim(machine: Machine, victim: Task): void {
  if (victim.oomVictim) return;
  victim.oomVictim = true;
  if (machine.trace.on) machine.trace.emit(machine.clock.now, 'oom_kill', victim.pid);
}

/** Who runs is in the middle of using its memory, and gives it back itself in a moment. */
function reap(machine: Machine, victim: Task): void {
  const mm = victim.mm;
  if (mm === null || mm.oomSkip || mm === machine.current.mm) return;
  reapMm(machine, mm);
  mm.oomSkip = true;
}
