/**
 * Out of memory in 2.4: who must die, and not before it went on for a while.
 *
 *   reclaim failed … last call > 5 s ago ──► a new episode
 *                  < 1 s since its first, fewer than 10 calls, or somebody killed < 5 s ago ──► wait
 *                  else ──► kill
 *
 *    points = total_vm / √(CPU time in 10 s) / ⁴√(run time in 22 min)     nice: × 2; root: / 4; raw I/O: / 4
 *
 *    Good at: a process that has just begun and grows. Bad at: an old one that leaks, since age protects it; and memory that
 *    cannot be freed while swap has room: then nobody is killed and nothing goes on.
 *
 * Owns      the episode's clock, the choice of a victim, and its end.
 * Promises  1. Nobody is killed while swap has a free slot, within a second of the first failure, or twice in five seconds.
 *           2. What the victim had for itself is free when the call returns, unless it is who called: it is let through to its end.
 * Linux     2.4.20 mm/oom_kill.c: int_sqrt badness select_bad_process oom_kill_task oom_kill out_of_memory
 *
 * DIFFERS: a victim that does not run is reaped at once, in Linux it frees its memory when it runs next. With nobody left to kill
 *          Linux panics; here the allocation fails. A machine that cannot go on though swap has room stands still in Linux; here
 *          somebody is killed after ten seconds.
 */
import type { Machine } from './machine.ts';
import { reclaim_2_4 } from './reclaim/vmscan_2_4.ts';
import type { Task } from './task.ts';
import { OOM_KILL } from './vmstat.ts';
import { reapMm } from './zap.ts';

const HZ_NS = 1_000_000_000;
const NS_PER_TICK = 10_000_000;
/** SHIFT_HZ for HZ=100. */
const SHIFT_HZ = 7;
const STANDSTILL_NS = 10 * HZ_NS;

/** What out_of_memory remembers between calls, in nanoseconds of the machine's clock. */
export class OomClock {
  first = Number.NEGATIVE_INFINITY;
  last = Number.NEGATIVE_INFINITY;
  lastKill = Number.NEGATIVE_INFINITY;
  count = 0;
  /** Since when reclaim has failed without a success between, though swap has room. */
  standstillSince = Number.POSITIVE_INFINITY;
  /** The last call found nobody to kill. */
  nobodyLeft = false;

  /** Reclaim has brought something. */
  progress(): void {
    this.standstillSince = Number.POSITIVE_INFINITY;
  }
}

/** The kernel's root: right for powers of 4, and near enough else. */
export function intSqrt(x: number): number {
  let out = x;
  let rest = x;
  while (rest > 1) {
    rest >>>= 2;
    out >>>= 1;
    if (rest === 1) out -= out >>> 2;
  }
  return Math.max(out, 1);
}

/** How much the task deserves to die; 0: it has no memory. */
export function badness(task: Task, nowNs: number): number {
  if (task.mm === null) return 0;
  const cpuTicks = Math.floor(task.cpuNs / NS_PER_TICK);
  const runTicks = Math.floor((nowNs - task.startNs) / NS_PER_TICK);
  let points = task.mm.totalVm;
  points = Math.floor(points / intSqrt(Math.floor(cpuTicks / 2 ** (SHIFT_HZ + 3))));
  points = Math.floor(points / intSqrt(intSqrt(Math.floor(runTicks / 2 ** (SHIFT_HZ + 10)))));
  if (task.nice > 0) points *= 2;
  if (task.capSysAdmin) points = Math.floor(points / 4);
  if (task.capSysRawio) points = Math.floor(points / 4);
  return points;
}

/** Reclaim has failed at its last priority. True if somebody was killed. */
export function outOfMemory_2_4(machine: Machine, oom: OomClock): boolean {
  const { now } = machine.clock;
  if (machine.swap.nrSwapPages > 0) {
    if (now - oom.standstillSince < STANDSTILL_NS || oom.standstillSince === Number.POSITIVE_INFINITY) {
      oom.standstillSince = Math.min(oom.standstillSince, now);
      return false;
    }
    oom.standstillSince = now;
    return oomKill(machine, oom);
  }
  const sinceLast = now - oom.last;
  oom.last = now;
  if (sinceLast > 5 * HZ_NS) {
    oom.first = now;
    oom.count = 0;
    return false;
  }
  if (now - oom.first < HZ_NS) return false;
  oom.count += 1;
  if (oom.count < 10 || now - oom.lastKill < 5 * HZ_NS) return false;
  oom.lastKill = now;
  oom.first = now;
  oom.count = 0;
  return oomKill(machine, oom);
}

/** The worst, of equals the one met first; null: nobody has memory, or more than 0 points. */
export function selectBadProcess(machine: Machine): Task | null {
  let worst: Task | null = null;
  let most = 0;
  for (const task of machine.tasks) {
    if (task.pid === 0) continue;
    const points = badness(task, machine.clock.now);
    if (points <= most || task.mm!.oomSkip) continue;
    worst = task;
    most = points;
  }
  return worst;
}

function oomKill(machine: Machine, oom: OomClock): boolean {
  const victim = selectBadProcess(machine);
  oom.nobodyLeft = victim === null;
  if (victim === null) return false;
  const { mm } = victim;
  for (const task of machine.tasks) if (task.mm === mm) oomKillTask(machine, task);
  if (mm !== null && mm !== machine.current.mm) {
    reapMm(machine, mm);
    mm.oomSkip = true;
  }
  return true;
}

/** It may use all memory from now on (PF_MEMALLOC, PF_MEMDIE), and is told to end. */
function oomKillTask(machine: Machine, task: Task): void {
  machine.events[OOM_KILL]! += 1;
  task.oomVictim = true;
  task.oomSigterm = task.capSysRawio;
  task.killed = true;
  if (machine.trace.on) machine.trace.emit(machine.clock.now, 'oom_kill', task.pid);
}

/**
 * An allocation that may not fail goes on as long as somebody can be killed: reclaim has told out_of_memory itself.
 * False: nobody is left.
 */
export function oomSaysGoOn_2_4(machine: Machine): boolean {
  return !reclaim_2_4(machine).oom.nobodyLeft;
}
