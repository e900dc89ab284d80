/**
 * Whose page tables are loaded: a kernel thread has no address space, and borrows that of whoever ran before it.
 *
 *     task A ──► kswapd ──► task B          mm of A:  mmUsers 1, mmCount 1 → 2 → 1
 *     active_mm  A's        B's             kswapd:   mm null, activeMm A's → null
 *
 * Owns      Task.activeMm and Mm.mmCount.
 * Promises  1. mmCount is 1 for all users of the address space together, and 1 for each borrower.
 *           2. The last user takes VMAs and pages along; the object and its top page table stay until the last borrower left.
 * Linux     3.16 kernel/sched/core.c: context_switch finish_task_switch; kernel/fork.c: mmdrop __mmdrop; kernel/exit.c: exit_mm
 *
 * DIFFERS: only with `lazyMm`: 6.x does the same, but nothing that it shows depends on it.
 */
import { bugOn } from './bug.ts';
import type { Machine } from './machine.ts';
import type { Mm } from './mm.ts';
import type { Task } from './task.ts';

/** The CPU goes from `prev` to `next`. */
export function contextSwitch(machine: Machine, prev: Task, next: Task): void {
  const loaded = prev.activeMm ?? machine.initMm;
  if (next.mm === null) {
    next.activeMm = loaded;
    loaded.mmCount += 1;
  } else {
    next.activeMm = next.mm;
  }
  if (prev.mm !== null) return;
  prev.activeMm = null;
  mmdrop(machine, loaded);
}

/** The task on the CPU gives its address space up, and runs on in it like a kernel thread (exit_mm). */
export function exitMm(machine: Machine, task: Task): void {
  const { mm } = task;
  if (mm !== null && machine.generation.switches.lazyMm && machine.current === task) mm.mmCount += 1;
  else task.activeMm = null;
  task.mm = null;
}

/** exec: the task goes on in `mm`; whoever has the old one must put it. */
export function execMmap(machine: Machine, task: Task, mm: Mm): void {
  task.mm = mm;
  if (machine.current === task) task.activeMm = mm;
}

/** One holder less; the last one frees the object. */
export function mmdrop(machine: Machine, mm: Mm): void {
  mm.mmCount -= 1;
  bugOn(mm === machine.initMm && mm.mmCount === 0, 'init_mm stays', mm.id);
  if (mm.mmCount > 0) return;
  machine.pageTables.freeRoot(machine, mm);
  machine.slab.free(machine, 'mm_struct', mm.memcg);
  machine.mms.splice(machine.mms.indexOf(mm), 1);
}
