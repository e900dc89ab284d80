/**
 * Out of memory in 2.6: who must die.
 *
 *   points = total_vm + half of each child's with another mm, and 1
 *            / isqrt(seconds of CPU time / 8) / isqrt(isqrt(seconds alive / 1024)), where that is not 0
 *            * 2 when nice, / 4 for root, / 4 with raw I/O, / 8 for other nodes' memory; shifted by oomkilladj, never at -17
 *
 *   The worst task is chosen, of equals the oldest; but first one of its children dies, if it has an address space of its own.
 *   Good at: sparing daemons that have run for long. Bad at: mappings that were never touched count as much as memory.
 *
 * Owns      the choice of a victim, and its end.
 * Promises  Nobody is killed while an earlier victim still holds memory: the caller waits for that one.
 * Linux     2.6.24 mm/oom_kill.c: badness select_bad_process oom_kill_process oom_kill_task out_of_memory; 2.6.26: badness
 *
 * DIFFERS: tasks here have no CPU time, nice value or capabilities; badness() takes them, the choice leaves them out. A victim's
 *          memory is taken at once, in Linux when it has run to its end. With nobody left Linux panics; here the allocation fails.
 */
import type { Gfp } from './gfp.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import type { Task } from './task.ts';
import { intSqrt } from './units.ts';
import { OOM_KILL } from './vmstat.ts';
import { reapMm } from './zap.ts';

/** Never to be killed. */
export const OOM_DISABLE = -17;
const OOM_ADJUST_MAX = 15;

/** What badness looks at. */
export interface OomTerms {
  /** Pages of all mappings. */
  totalVm: number;
  /** The same of each child with another address space. */
  children: readonly number[];
  /** It runs swapoff. */
  swapoff?: boolean;
  cpuSeconds?: number;
  aliveSeconds?: number;
  niceAboveZero?: boolean;
  /** CAP_SYS_ADMIN, uid 0 (2.6.24) or CAP_SYS_RESOURCE (2.6.26). */
  privileged?: boolean;
  rawIo?: boolean;
  /** Its memory is on other nodes than the one that is short. */
  elsewhere?: boolean;
  oomkilladj?: number;
}

export function badness(terms: OomTerms): number {
  if (terms.swapoff === true) return Number.POSITIVE_INFINITY;
  let points = terms.totalVm;
  for (const pages of terms.children) points += Math.floor(pages / 2) + 1;
  points = dividedBy(points, intSqrt(Math.floor((terms.cpuSeconds ?? 0) / 8)));
  points = dividedBy(points, intSqrt(intSqrt(Math.floor((terms.aliveSeconds ?? 0) / 1024))));
  if (terms.niceAboveZero === true) points *= 2;
  if (terms.privileged === true) points = Math.floor(points / 4);
  if (terms.rawIo === true) points = Math.floor(points / 4);
  if (terms.elsewhere === true) points = Math.floor(points / 8);
  const adj = terms.oomkilladj ?? 0;
  if (adj > 0) return Math.max(points, 1) * 2 ** adj;
  return Math.floor(points / 2 ** -adj);
}

function dividedBy(points: number, by: number): number {
  return by === 0 ? points : Math.floor(points / by);
}

/** oom_score_adj, of later kernels, in the measure of these: -17 to 15. */
export function oomkilladjOf(task: Task): number {
  return Math.min(OOM_ADJUST_MAX, Math.trunc((task.oomScoreAdj * 17) / 1000));
}

export function taskBadness(machine: Machine, task: Task): number {
  const { mm } = task;
  if (mm === null) return 0;
  const children: number[] = [];
  for (const child of machine.tasks) {
    if (child.parent === task && child.mm !== null && child.mm !== mm) children.push(child.mm.totalVm);
  }
  return badness({ totalVm: mm.totalVm, children, swapoff: task.swapoff, oomkilladj: oomkilladjOf(task) });
}

/** The machine has no page left. True if it makes sense to try again. */
export function outOfMemory_2_6(machine: Machine, _gfp: Gfp, _order: number): boolean {
  let chosen: Task | null = null;
  let most = 0;
  for (const task of machine.tasks) {
    const { mm } = task;
    // Nothing more comes from one that was emptied already.
    if (mm === null || mm.oomSkip) continue;
    if (task.oomVictim) {
      reap(machine, mm);
      return true;
    }
    if (oomkilladjOf(task) === OOM_DISABLE) continue;
    const points = taskBadness(machine, task);
    if (chosen !== null && points <= most) continue;
    chosen = task;
    most = points;
  }
  return chosen !== null && oomKillProcess(machine, chosen);
}

/** A child first. */
function oomKillProcess(machine: Machine, task: Task): boolean {
  for (const child of machine.tasks) {
    if (child.parent !== task || child.mm === task.mm) continue;
    if (oomKillTask(machine, child)) return true;
  }
  return oomKillTask(machine, task);
}

/** With everybody who shares its address space; not if one of them must not die. */
function oomKillTask(machine: Machine, victim: Task): boolean {
  const { mm } = victim;
  if (mm === null || mm.oomSkip) return false;
  for (const task of machine.tasks) if (task.mm === mm && oomkilladjOf(task) === OOM_DISABLE) return false;
  machine.events[OOM_KILL]! += 1;
  victim.oomVictim = true;
  for (const task of machine.tasks) if (task.mm === mm) task.killed = true;
  if (machine.trace.on) machine.trace.emit(machine.clock.now, 'oom_kill', victim.pid);
  reap(machine, mm);
  return true;
}

/** Who runs is in the middle of using its memory, and gives it back itself in a moment. */
function reap(machine: Machine, mm: Mm): void {
  if (mm === machine.current.mm) return;
  reapMm(machine, mm);
  mm.oomSkip = true;
}
