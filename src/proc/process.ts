/**
 * Who runs on a machine, as /proc shows it: processes, their threads, and each one's stat, status, statm, limits, oom_score.
 *
 * Owns      which task is a thread of which. The text of stat and status: task_text.ts.
 * Promises  Only looks. Every task of the machine stands under exactly one process.
 * Linux     6.18, 3.16 fs/proc/array.c: proc_pid_status do_task_stat; fs/proc/task_mmu.c: task_mem task_statm;
 *           fs/proc/base.c: proc_pid_limits proc_oom_score; mm/oom_kill.c: oom_badness
 *
 * DIFFERS: tasks that share an address space are threads of the oldest of them. Linux asks for CLONE_THREAD, which is not kept; who
 *          cloned with CLONE_VM alone would see two processes there. 2.4 shows each task as a process in both.
 * DIFFERS: sessions and process groups are not modelled: a process stands in that of its oldest ancestor.
 */

import type { Machine } from '../mm/machine.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, type Mm } from '../mm/mm.ts';
import { oomBadness } from '../mm/oom.ts';
import { taskBadness } from '../mm/oom_2_6.ts';
import { oomBadness_3 } from '../mm/oom_3.ts';
import { isSince } from '../mm/release.ts';
import type { Task } from '../mm/task.ts';
import { PAGE_SIZE, vpnOf } from '../mm/units.ts';
import { statm_2_4, status_2_4 } from './linux_2_4.ts';
import { statm_2_6, vmLines_2_6 } from './linux_2_6.ts';
import { type StatMemory, statText, statusText, type TaskFacts } from './task_text.ts';

const NS_PER_TICK = 10_000_000;
/** RLIMIT_NOFILE, soft and hard. */
const NOFILE: readonly [string, string] = ['1024', '4096'];

/** A process: its first task, and all of them. */
export interface ProcProcess {
  readonly leader: Task;
  readonly threads: readonly Task[];
}

/** In the order of their making. */
export function processes(machine: Machine): ProcProcess[] {
  const found: { leader: Task; threads: Task[] }[] = [];
  const byMm = new Map<Mm, { threads: Task[] }>();
  const apart = !isSince(machine.generation.version, '2.5.0');
  for (const task of machine.tasks) {
    const known = task.mm === null || apart ? undefined : byMm.get(task.mm);
    if (known !== undefined) {
      known.threads.push(task);
      continue;
    }
    const process = { leader: task, threads: [task] };
    if (task.mm !== null) byMm.set(task.mm, process);
    found.push(process);
  }
  return found;
}

/** `task` is the leader or another thread of `process`; the leader's counts are those of all. */
function factsOf(machine: Machine, process: ProcProcess, task: Task, whole: boolean): TaskFacts {
  const { leader, threads } = process;
  const counted = whole ? threads : [task];
  const sum = (of: (t: Task) => number): number => counted.reduce((total, t) => total + of(t), 0);
  return {
    pid: task.pid,
    tgid: leader.pid,
    parentPid: parentOf(machine, leader)?.pid ?? 0,
    session: ancestorOf(machine, leader).pid,
    comm: task.comm,
    state: 'R',
    uid: 0,
    threads: threads.length,
    nice: task.nice,
    isKernelThread: task.mm === null,
    startTicks: Math.floor(task.startNs / NS_PER_TICK),
    cpuTicks: Math.floor(sum((t) => t.cpuNs) / NS_PER_TICK),
    minFlt: sum((t) => t.minFlt),
    majFlt: sum((t) => t.majFlt),
    cpus: machine.config.cpus ?? 1,
  };
}

/** The process that forked it, while that lives; then the first one, as an orphan is init's. */
function parentOf(machine: Machine, task: Task): Task | null {
  const { parent } = task;
  if (parent === null) return null;
  const first = machine.tasks[0] ?? null;
  if (!machine.tasks.includes(parent)) return first === task ? null : first;
  return machine.tasks.find((other) => other.mm === parent.mm && other.mm !== null) ?? parent;
}

function ancestorOf(machine: Machine, task: Task): Task {
  const parent = parentOf(machine, task);
  return parent === null || parent === task ? task : ancestorOf(machine, parent);
}

/** /proc/PID/stat of a whole process, or of one thread as /proc/PID/task/TID/stat has it. */
export function taskStat(machine: Machine, process: ProcProcess, task: Task, whole = true): string {
  const { mm } = task;
  return statText(machine.generation.version, factsOf(machine, process, task, whole), mm && statMemory(mm));
}

function statMemory(mm: Mm): StatMemory {
  const { startCode, endCode, startStack, startData, endData, startBrk, argStart, argEnd, envStart, envEnd } = mm;
  return {
    vsizeBytes: mm.totalVm * PAGE_SIZE,
    rssPages: mm.rssPages,
    startCode,
    endCode,
    startStack,
    startData,
    endData,
    startBrk,
    argStart,
    argEnd,
    envStart,
    envEnd,
  };
}

/** /proc/PID/status, or of one thread. */
export function taskStatus(machine: Machine, process: ProcProcess, task: Task): string {
  const { version } = machine.generation;
  if (!isSince(version, '2.5.0')) return status_2_4(task);
  const memory = task.mm === null ? null : vmLines(version, task.mm);
  return statusText(version, factsOf(machine, process, task, false), memory);
}

/** VmPeak to VmSwap, in kB. */
function vmLines(version: string, mm: Mm): [name: string, kib: number][] {
  if (!isSince(version, '3.16')) return vmLines_2_6(mm);
  const is6 = isSince(version, '4.5');
  const text = Math.min(textPages(mm), is6 ? mm.execVm : Number.POSITIVE_INFINITY);
  // Tables of all levels but the top count since 4.15.
  const tables = is6 ? Math.max(0, mm.pageTables.tables - 2) : mm.nrPtes;
  const split: [string, number][] = [
    ['RssAnon', mm.rss[MM_ANONPAGES]!],
    ['RssFile', mm.rss[MM_FILEPAGES]!],
    ['RssShmem', mm.rss[MM_SHMEMPAGES]!],
  ];
  const pages: [string, number][] = [
    ['VmPeak', Math.max(mm.hiwaterVm, mm.totalVm)],
    ['VmSize', mm.totalVm],
    ['VmLck', mm.lockedVm],
    ['VmPin', mm.pinnedVm],
    ['VmHWM', Math.max(mm.hiwaterRss, mm.rssPages)],
    ['VmRSS', mm.rssPages],
    ...(is6 ? split : []),
    ['VmData', is6 ? mm.dataVm : mm.totalVm - mm.sharedVm - mm.stackVm],
    ['VmStk', mm.stackVm],
    ['VmExe', text],
    ['VmLib', mm.execVm - text],
    ['VmPTE', tables],
    ['VmSwap', mm.rss[MM_SWAPENTS]!],
    ...(is6 ? [['HugetlbPages', 0] as [string, number]] : []),
  ];
  return pages.map(([name, n]) => [name, n * 4]);
}

function textPages(mm: Mm): number {
  return Math.ceil(mm.endCode / PAGE_SIZE) - vpnOf(mm.startCode);
}

/** /proc/PID/statm: size, resident, shared, text, library, data and stack, dirty; in pages. */
export function taskStatm(machine: Machine, mm: Mm): string {
  const { version } = machine.generation;
  if (!isSince(version, '2.5.0')) return statm_2_4(machine, mm);
  if (!isSince(version, '3.16')) return statm_2_6(mm);
  const shared = mm.rss[MM_FILEPAGES]! + mm.rss[MM_SHMEMPAGES]!;
  const data = isSince(version, '4.5') ? mm.dataVm + mm.stackVm : mm.totalVm - mm.sharedVm;
  return `${mm.totalVm} ${mm.rssPages} ${shared} ${textPages(mm)} 0 ${data} 0\n`;
}

/** /proc/PID/limits: the four that are modelled, and what a login gets for the rest. */
export function taskLimits(mm: Mm): string {
  const number = (limit: number): string => (Number.isFinite(limit) ? String(limit) : 'unlimited');
  const rows: [name: string, soft: string, hard: string, unit: string][] = [
    ['Max cpu time', 'unlimited', 'unlimited', 'seconds'],
    ['Max file size', 'unlimited', 'unlimited', 'bytes'],
    ['Max data size', number(mm.rlimitData), 'unlimited', 'bytes'],
    ['Max stack size', number(mm.rlimitStack), 'unlimited', 'bytes'],
    ['Max core file size', '0', 'unlimited', 'bytes'],
    ['Max resident set', 'unlimited', 'unlimited', 'bytes'],
    ['Max processes', 'unlimited', 'unlimited', 'processes'],
    ['Max open files', ...NOFILE, 'files'],
    ['Max locked memory', number(mm.rlimitMemlock), 'unlimited', 'bytes'],
    ['Max address space', number(mm.rlimitAs), 'unlimited', 'bytes'],
    ['Max file locks', 'unlimited', 'unlimited', 'locks'],
    ['Max pending signals', 'unlimited', 'unlimited', 'signals'],
    ['Max msgqueue size', '819200', '819200', 'bytes'],
    ['Max nice priority', '0', '0', ''],
    ['Max realtime priority', '0', '0', ''],
    ['Max realtime timeout', 'unlimited', 'unlimited', 'us'],
  ];
  const line = (name: string, soft: string, hard: string, unit: string): string =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${unit === '' ? '' : unit.padEnd(10)}\n`;
  return line('Limit', 'Soft Limit', 'Hard Limit', 'Units') + rows.map((row) => line(...row)).join('');
}

/** /proc/PID/oom_score (2.6.11): how much the OOM killer would like it, in the measure of its kernel. */
export function oomScore(machine: Machine, task: Task): number {
  const { version } = machine.generation;
  if (!isSince(version, '2.6.36')) return taskBadness(machine, task);
  const total = machine.totalPages + machine.swap.totalSwapPages;
  if (!isSince(version, '5.9')) return Math.floor((oomBadness_3(task, total) * 1000) / total);
  // In thousandths of all memory and swap, moved up by 1000 so that it is not negative, of which two thirds are shown.
  const points = oomBadness(task, total);
  return Number.isFinite(points) ? Math.floor(((1000 + Math.trunc((points * 1000) / total)) * 2) / 3) : 0;
}
