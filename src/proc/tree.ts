/**
 * The whole /proc of a machine, file by file.
 *
 * Owns      which files a release has, their modes, and where in pagemap and kpage* each word stands. What is in them: the other
 *           files of this room.
 * Promises  1. A directory comes before what is in it.
 *           2. Big files come in blocks, made when they are asked for; where no block is, the file is zero.
 *           3. Only looks.
 * Linux     6.18, 3.16, 2.6.24 fs/proc/base.c: tgid_base_stuff tid_base_stuff; fs/proc/page.c; 2.4.19 fs/proc/base.c: base_stuff
 *
 * DIFFERS: cmdline is the program's path alone: what stands on the stack of a process is not kept.
 * DIFFERS: before 4.2 pagemap has a page's shift where nothing is mapped, too; here only in page tables that exist.
 * DIFFERS: kpagecgroup has the cgroup's number; Linux that of its directory's inode, which a machine has none of.
 */
import type { Inode } from '../mm/fs.ts';
import type { Machine } from '../mm/machine.ts';
import type { Mm } from '../mm/mm.ts';
import { oomkilladjOf } from '../mm/oom_2_6.ts';
import { isSince } from '../mm/release.ts';
import type { Task } from '../mm/task.ts';
import { addrOf, PAGE_SIZE, type Pfn, type Vpn } from '../mm/units.ts';
import { buddyinfo } from './buddyinfo.ts';
import { kpageCgroup, kpageCount, kpageFile, kpageFlags } from './kpage.ts';
import { slabinfo_2_4 } from './linux_2_4.ts';
import { kpageFlagsFaithful } from './linux_2_6.ts';
import { slabinfo_2_6 } from './linux_2_6_stat.ts';
import { maps } from './maps.ts';
import { meminfo } from './meminfo.ts';
import { pagemap } from './pagemap.ts';
import { pagetypeinfo } from './pagetypeinfo.ts';
import { oomScore, type ProcProcess, processes, taskLimits, taskStat, taskStatm, taskStatus } from './process.ts';
import { smaps, smapsRollup } from './smaps.ts';
import { swaps } from './swaps.ts';
import {
  cgroups,
  cpuinfo,
  filesystems,
  loadavg,
  mounts,
  statFile,
  sysctlKernel,
  sysctlVm,
  taskCgroup,
  uptime,
  versionText,
} from './system_files.ts';
import { vmstat } from './vmstat.ts';
import { zoneinfo } from './zoneinfo.ts';

/** Words from `first` on. */
export interface WordBlock {
  readonly first: number;
  readonly words: BigUint64Array;
}

/** A file of /proc. Paths are below it: `1/maps`. Bytes of names that are no UTF-8 are lone surrogates, as everywhere. */
export type ProcNode =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number; readonly uid: number }
  | {
      readonly kind: 'text';
      readonly path: string;
      readonly mode: number;
      readonly uid: number;
      readonly text: string;
    }
  | { readonly kind: 'link'; readonly path: string; readonly uid: number; readonly target: string }
  | {
      readonly kind: 'words';
      readonly path: string;
      readonly mode: number;
      readonly uid: number;
      /** Length of the file, in words of eight bytes. */
      readonly length: number;
      blocks(): Iterable<WordBlock>;
    };

const FOR_ALL = 0o444;
const FOR_OWNER = 0o400;
const SETTING = 0o644;
const FRAMES_AT_ONCE = 65536;
const PAGES_PER_TABLE = 512;

export function* procTree(machine: Machine): Generator<ProcNode> {
  const all = processes(machine);
  for (const [since, name, mode, text] of FILES) {
    if (isSince(machine.generation.version, since)) yield textNode(name, mode, text(machine));
  }
  if (machine.generation.cgroups) yield textNode('cgroups', FOR_ALL, cgroups(machine));
  yield* frameFiles(machine);
  yield directory('sys');
  for (const [folder, files] of [
    ['sys/kernel', sysctlKernel(machine)],
    ['sys/vm', sysctlVm(machine)],
  ] as const) {
    yield directory(folder);
    for (const [name, text] of files) yield textNode(`${folder}/${name}`, SETTING, `${text}\n`);
  }
  for (const process of all) yield* processFiles(machine, process);
  // Whoever reads the files is no process of this machine; tools that ask for themselves meet the first one.
  if (all[0] !== undefined) yield link('self', String(all[0].leader.pid));
}

/** In every process's place; the release that brought it, and its mode. */
const FILES: readonly (readonly [since: string, name: string, mode: number, text: (machine: Machine) => string])[] = [
  ['2.5.35', 'buddyinfo', FOR_ALL, buddyinfo],
  ['2.4', 'cpuinfo', FOR_ALL, cpuinfo],
  ['2.4', 'filesystems', FOR_ALL, filesystems],
  ['2.4', 'loadavg', FOR_ALL, loadavg],
  ['2.4', 'meminfo', FOR_ALL, meminfo],
  ['2.4', 'mounts', FOR_ALL, mounts],
  ['2.6.24', 'pagetypeinfo', FOR_OWNER, pagetypeinfo],
  ['2.4', 'slabinfo', FOR_OWNER, slabinfo],
  ['2.4', 'stat', FOR_ALL, statFile],
  ['2.4', 'swaps', FOR_ALL, swaps],
  ['2.4', 'uptime', FOR_ALL, uptime],
  ['2.4', 'version', FOR_ALL, versionText],
  ['2.5.38', 'vmstat', FOR_ALL, vmstat],
  ['2.6.13', 'zoneinfo', FOR_ALL, zoneinfo],
];

function slabinfo(machine: Machine): string {
  return isSince(machine.generation.version, '2.5.0') ? slabinfo_2_6(machine) : slabinfo_2_4(machine);
}

function* frameFiles(machine: Machine): Generator<ProcNode> {
  const { version } = machine.generation;
  if (!isSince(version, '2.6.25')) return;
  yield frameFile(machine, 'kpagecount', kpageCount);
  // 2.6.26 has a form of its own, with its bug.
  yield frameFile(machine, 'kpageflags', isSince(version, '2.6.27') ? kpageFlags : kpageFlagsFaithful);
  if (isSince(version, '4.3')) yield frameFile(machine, 'kpagecgroup', kpageCgroup);
}

function frameFile(machine: Machine, name: string, word: (machine: Machine, pfn: Pfn) => number): ProcNode {
  const length = machine.frames.frames;
  function* blocks(): Generator<WordBlock> {
    for (let first = 0; first < length; first += FRAMES_AT_ONCE) {
      yield { first, words: kpageFile(machine, word, first as Pfn, FRAMES_AT_ONCE) };
    }
  }
  return { kind: 'words', path: name, mode: FOR_OWNER, uid: 0, length, blocks };
}

// a process

function* processFiles(machine: Machine, process: ProcProcess): Generator<ProcNode> {
  const { version } = machine.generation;
  const { leader, threads } = process;
  const at = String(leader.pid);
  yield directory(at);
  yield* taskFiles(machine, process, leader, at, true);
  yield textNode(`${at}/cmdline`, FOR_ALL, `${programOf(leader) ?? leader.comm}\0`);
  yield link(`${at}/cwd`, '/');
  yield link(`${at}/root`, '/');
  const program = programOf(leader);
  if (program !== null) yield link(`${at}/exe`, program);
  yield directory(`${at}/fd`, 0o700);
  if (leader.mm !== null) yield* memoryFiles(machine, leader, leader.mm, at);
  if (isSince(version, '2.6.24') && leader.mm !== null) yield textNode(`${at}/limits`, FOR_ALL, taskLimits(leader.mm));
  if (!isSince(version, '2.6.0')) return;
  yield directory(`${at}/task`);
  for (const task of threads) {
    yield directory(`${at}/task/${task.pid}`);
    yield* taskFiles(machine, process, task, `${at}/task/${task.pid}`, false);
  }
}

/** What a process has, and each of its threads. */
function* taskFiles(
  machine: Machine,
  process: ProcProcess,
  task: Task,
  at: string,
  whole: boolean,
): Generator<ProcNode> {
  const { version } = machine.generation;
  yield textNode(`${at}/stat`, FOR_ALL, taskStat(machine, process, task, whole));
  yield textNode(`${at}/status`, FOR_ALL, taskStatus(machine, process, task));
  if (task.mm !== null) {
    yield textNode(`${at}/statm`, FOR_ALL, taskStatm(machine, task.mm));
    yield textNode(`${at}/maps`, FOR_ALL, maps(machine, task.mm));
  }
  if (isSince(version, '2.6.33')) yield textNode(`${at}/comm`, SETTING, `${task.comm}\n`);
  if (isSince(version, '2.6.0')) yield textNode(`${at}/wchan`, FOR_ALL, '0');
  if (isSince(version, '2.6.11')) {
    yield textNode(`${at}/oom_adj`, SETTING, `${oomkilladjOf(task)}\n`);
    yield textNode(`${at}/oom_score`, FOR_ALL, `${oomScore(machine, task)}\n`);
  }
  if (isSince(version, '2.6.36')) yield textNode(`${at}/oom_score_adj`, SETTING, `${task.oomScoreAdj}\n`);
  if (machine.generation.cgroups) yield textNode(`${at}/cgroup`, FOR_ALL, taskCgroup(task.memcg));
}

function* memoryFiles(machine: Machine, task: Task, mm: Mm, at: string): Generator<ProcNode> {
  const { version } = machine.generation;
  if (isSince(version, '2.6.14')) yield textNode(`${at}/smaps`, FOR_ALL, smaps(machine, mm));
  if (isSince(version, '4.14')) yield textNode(`${at}/smaps_rollup`, FOR_ALL, smapsRollup(machine, mm));
  if (isSince(version, '2.6.25')) yield pagemapFile(machine, mm, `${at}/pagemap`);
  if (!isSince(version, '4.3') || task.mm === null) return;
  yield directory(`${at}/map_files`, 0o700);
  for (const vma of mm.vmas) {
    if (vma.vmFile === null) continue;
    const range = `${addrOf(vma.vmStart).toString(16)}-${addrOf(vma.vmEnd).toString(16)}`;
    yield link(`${at}/map_files/${range}`, pathOf(vma.vmFile.inode));
  }
}

/** A word for each page of user space: 256 GiB, of which only page tables that exist are there. */
function pagemapFile(machine: Machine, mm: Mm, path: string): ProcNode {
  const length = Math.floor(mm.taskSize / PAGE_SIZE);
  function* blocks(): Generator<WordBlock> {
    const { pageTables } = machine;
    const end = length as Vpn;
    let at = pageTables.nextTable(mm.pageTables, 0 as Vpn, end);
    while (at < end) {
      const pages = Math.min(PAGES_PER_TABLE, end - at);
      yield { first: at, words: pagemap(machine, mm, at, pages) };
      at = pageTables.nextTable(mm.pageTables, (at + pages) as Vpn, end);
    }
  }
  return { kind: 'words', path, mode: FOR_OWNER, uid: 0, length, blocks };
}

/** The path of what it executes. */
function programOf(task: Task): string | null {
  const inode = task.mm?.exeFile?.inode;
  return inode === undefined ? null : pathOf(inode);
}

function pathOf(inode: Inode): string {
  const path = inode.name.startsWith('/') ? inode.name : `/${inode.name}`;
  return inode.nlink === 0 ? `${path} (deleted)` : path;
}

// nodes

function directory(path: string, mode = 0o755): ProcNode {
  return { kind: 'directory', path, mode, uid: 0 };
}

function textNode(path: string, mode: number, text: string): ProcNode {
  return { kind: 'text', path, mode, uid: 0, text };
}

function link(path: string, target: string): ProcNode {
  return { kind: 'link', path, uid: 0, target };
}
