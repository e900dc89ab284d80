/**
 * /proc/PID/stat and status: who a task is, in numbers.
 *
 *   stat      2.4: 39 fields   2.6.24: 44   3.16 and later: 52; the same place means the same in all
 *   status    the lines that STATUS names, each with the release that brought it; the Vm lines stand in the middle
 *
 * Owns      the form of both files. The numbers come from a machine (process.ts) or from whoever knows them.
 * Promises  What is not modelled (signals, capabilities, terminals, context switches) is what the kernel prints for a task of
 *           root that nobody signals, traces or confines.
 * Linux     6.18, 3.16 fs/proc/array.c: do_task_stat proc_pid_status task_state task_sig task_cap task_seccomp
 *           task_cpus_allowed; fs/proc/task_mmu.c: task_mem task_statm; 2.6.24 fs/proc/array.c: do_task_stat;
 *           2.4.18 fs/proc/array.c: proc_pid_stat
 */
import { isSince } from '../mm/release.ts';

/** What stat and status say of one task, but for its memory. */
export interface TaskFacts {
  readonly pid: number;
  /** The process that it is a thread of: its own pid for the first one. */
  readonly tgid: number;
  readonly parentPid: number;
  /** Its session and process group, which are not modelled: whoever began it. */
  readonly session: number;
  readonly comm: string;
  /** R, S, D, T, Z … */
  readonly state: string;
  readonly uid: number;
  readonly threads: number;
  readonly nice: number;
  readonly isKernelThread: boolean;
  /** In ticks of 10 ms: since boot, and of the CPU. */
  readonly startTicks: number;
  readonly cpuTicks: number;
  readonly minFlt: number;
  readonly majFlt: number;
  readonly cpus: number;
}

/** The numbers of an address space in stat. Addresses that nobody knows are 0. */
export interface StatMemory {
  readonly vsizeBytes: number;
  readonly rssPages: number;
  readonly startCode: number;
  readonly endCode: number;
  readonly startStack: number;
  readonly startData: number;
  readonly endData: number;
  readonly startBrk: number;
  readonly argStart: number;
  readonly argEnd: number;
  readonly envStart: number;
  readonly envEnd: number;
}

const NO_MEMORY: StatMemory = {
  vsizeBytes: 0,
  rssPages: 0,
  startCode: 0,
  endCode: 0,
  startStack: 0,
  startData: 0,
  endData: 0,
  startBrk: 0,
  argStart: 0,
  argEnd: 0,
  envStart: 0,
  envEnd: 0,
};

/** RLIM_INFINITY, of 64 and of 32 bits. */
const NO_LIMIT = '18446744073709551615';
const NO_LIMIT_32 = '4294967295';
const SIGCHLD = 17;
const PF_KTHREAD = 0x200000;
/** Priority of nice 0; in 2.4, of a task with a new time slice. */
const PRIORITY = 20;
const PRIORITY_2_4 = 10;

/** /proc/PID/stat, or of one thread. */
export function statText(version: string, task: TaskFacts, memory: StatMemory | null): string {
  const mm = memory ?? NO_MEMORY;
  const is26 = isSince(version, '2.6.0');
  const fields: (number | string)[] = [task.pid, `(${task.comm})`, task.state, task.parentPid];
  // Process group, session; terminal and its group; flags.
  fields.push(task.session, task.session, 0, -1, task.isKernelThread ? PF_KTHREAD : 0);
  fields.push(task.minFlt, 0, task.majFlt, 0);
  // Time in user mode; in the kernel, and both of children that ended: the model does not tell them apart.
  fields.push(task.cpuTicks, 0, 0, 0);
  fields.push((is26 ? PRIORITY : PRIORITY_2_4) + task.nice, task.nice, is26 ? task.threads : 0, 0, task.startTicks);
  fields.push(mm.vsizeBytes, mm.rssPages, is26 ? NO_LIMIT : NO_LIMIT_32);
  fields.push(mm.startCode, mm.endCode, mm.startStack, 0, 0);
  // Signals pending, blocked, ignored, caught; where it waits; pages swapped, its own and of children: never counted.
  fields.push(0, 0, 0, 0, 0, 0, 0, SIGCHLD, 0);
  // Real-time priority and policy; time waited for block I/O, in guests, in guests of children.
  if (is26) fields.push(0, 0, 0, 0, 0);
  if (isSince(version, '3.5')) {
    fields.push(mm.startData, mm.endData, mm.startBrk, mm.argStart, mm.argEnd, mm.envStart, mm.envEnd, 0);
  }
  return `${fields.join(' ')}\n`;
}

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'disk sleep',
  T: 'stopped',
  t: 'tracing stop',
  Z: 'zombie',
  X: 'dead',
  I: 'idle',
};

const NO_SIGNALS = '0000000000000000';
const NO_CAPS = '0000000000000000';
/** All that the kernel knows: 41 of them in 6.x, 37 in 3.16, 33 (2.6.24: 31) before. */
function allCaps(version: string): string {
  if (isSince(version, '5.9')) return '000001ffffffffff';
  if (isSince(version, '3.16')) return '0000003fffffffff';
  return isSince(version, '2.6.25') ? 'ffffffffffffffff' : '00000000fffffeff';
}

/** A line of status: its name, the release that brought it, and what stands there. '' in place of a release: always. */
type StatusLine = readonly [name: string, since: string, value: (task: TaskFacts, version: string) => string | number];

const BEFORE_MEMORY: readonly StatusLine[] = [
  ['Name', '', (task) => escapedComm(task.comm)],
  ['Umask', '4.7', () => '0022'],
  ['State', '', (task) => `${task.state} (${STATES[task.state] ?? 'running'})`],
  ['Tgid', '', (task) => task.tgid],
  ['Ngid', '3.13', () => 0],
  ['Pid', '', (task) => task.pid],
  ['PPid', '', (task) => task.parentPid],
  ['TracerPid', '', () => 0],
  ['Uid', '', (task) => four(task.uid)],
  ['Gid', '', (task) => four(task.uid)],
  ['FDSize', '', () => 64],
  ['Groups', '', (_task, version) => (isSince(version, '4.10') ? ' ' : '')],
  ['NStgid', '4.1', (task) => task.tgid],
  ['NSpid', '4.1', (task) => task.pid],
  ['NSpgid', '4.1', (task) => task.session],
  ['NSsid', '4.1', (task) => task.session],
  ['Kthread', '6.11', (task) => Number(task.isKernelThread)],
];

const AFTER_MEMORY: readonly StatusLine[] = [
  ['Threads', '2.6.0', (task) => task.threads],
  ['SigQ', '2.6.13', () => '0/0'],
  ['SigPnd', '', () => NO_SIGNALS],
  ['ShdPnd', '2.6.0', () => NO_SIGNALS],
  ['SigBlk', '', () => NO_SIGNALS],
  ['SigIgn', '', () => NO_SIGNALS],
  ['SigCgt', '', () => NO_SIGNALS],
  ['CapInh', '', () => NO_CAPS],
  ['CapPrm', '', (task, version) => (task.uid === 0 ? allCaps(version) : NO_CAPS)],
  ['CapEff', '', (task, version) => (task.uid === 0 ? allCaps(version) : NO_CAPS)],
  ['CapBnd', '2.6.26', (_task, version) => allCaps(version)],
  ['CapAmb', '4.3', () => NO_CAPS],
  ['NoNewPrivs', '4.10', () => 0],
  ['Seccomp', '3.8', () => 0],
  ['Seccomp_filters', '5.9', () => 0],
  ['Speculation_Store_Bypass', '4.17', () => 'vulnerable'],
  ['SpeculationIndirectBranch', '5.13', () => 'always enabled'],
  ['Cpus_allowed', '2.6.24', ({ cpus }) => ((1n << BigInt(cpus)) - 1n).toString(16)],
  ['Cpus_allowed_list', '2.6.26', ({ cpus }) => (cpus === 1 ? '0' : `0-${cpus - 1}`)],
  ['Mems_allowed', '2.6.24', () => '00000000,00000001'],
  ['Mems_allowed_list', '2.6.26', () => '0'],
  ['voluntary_ctxt_switches', '2.6.23', () => 0],
  ['nonvoluntary_ctxt_switches', '2.6.23', () => 0],
];

/** Behind the Vm lines, if the task has memory. */
const WITH_MEMORY: readonly StatusLine[] = [
  ['CoreDumping', '4.15', () => 0],
  ['THP_enabled', '5.0', () => 1],
  ['untag_mask', '6.4', () => '0xffffffffffffffff'],
];

/** /proc/PID/status. `memory`: its Vm lines in kB, in order; null for a task without memory. */
export function statusText(
  version: string,
  task: TaskFacts,
  memory: readonly (readonly [name: string, kib: number])[] | null,
): string {
  let text = lines(BEFORE_MEMORY, version, task);
  if (memory !== null) {
    for (const [name, kib] of memory) text += `${name}:\t${String(kib).padStart(8)} kB\n`;
    text += lines(WITH_MEMORY, version, task);
  }
  return text + lines(AFTER_MEMORY, version, task);
}

function lines(table: readonly StatusLine[], version: string, task: TaskFacts): string {
  return table
    .filter(([, since]) => since === '' || isSince(version, since))
    .map(([name, , value]) => `${name}:\t${value(task, version)}\n`)
    .join('');
}

/** Real, effective, saved and that of file systems. */
function four(id: number): string {
  return [id, id, id, id].join('\t');
}

/** A line is one line, whatever the program calls itself. */
function escapedComm(comm: string): string {
  return comm.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
