/**
 * `revmap ps`: what each process, or each cgroup, really costs.
 *
 * Promises  `--watch` ends on SIGINT with exit code 0 and a whole last block; on a terminal it redraws, in a pipe it appends.
 */
import { stripVTControlCharacters } from 'node:util';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CgroupCost, cgroupCosts } from '../host/cost/cgroups.ts';
import { type ProcessCost, ProcessCosts, type PsTreeNode } from '../host/cost/ps.ts';
import { wantsSmaps } from '../host/cost/swap_shown.ts';
import type { TakeOptions } from '../host/read/take_options.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { InputError } from '../mm/bug.ts';
import { wholeNumber } from './arguments.ts';
import { addHostSource, type HostSourceFlags, hostFooter, hostSnapshot } from './host_source.ts';
import { columns, plural, print } from './output.ts';
import {
  cgroupText,
  describeCgroups,
  describeProcess,
  describeProcesses,
  describeTree,
  freedBytes,
  nameOf,
  staysBytes,
} from './ps_text.ts';

interface PsFlags extends HostSourceFlags {
  sort?: string;
  top?: number;
  pid?: number;
  cgroup?: string;
  by?: 'cgroup';
  tree?: boolean;
  watch?: number | true;
  commands?: boolean;
  json?: boolean;
}

/** What a column sorts by: numbers most first, names and pids from the beginning. */
type Key<T> = (row: T) => number | string | null;

const PROCESS_KEYS: Readonly<Record<string, Key<ProcessCost>>> = {
  pss: (row) => row.pss_bytes ?? row.rss_bytes,
  rss: (row) => row.rss_bytes,
  uss: (row) => row.uss_bytes,
  swap: (row) => row.swap_bytes,
  freed: freedBytes,
  cache: (row) => row.exit?.becomes_cache_bytes ?? null,
  stays: staysBytes,
  ref: (row) => row.referenced_bytes,
  most: (row) => row.shares_most_with?.bytes ?? null,
  pid: (row) => -row.pid,
  uid: (row) => -row.uid,
  command: nameOf,
  cgroup: (row) => row.cgroup,
};

const TREE_KEYS: Readonly<Record<string, Key<PsTreeNode>>> = {
  pss: (node) => node.sum_pss_bytes,
  rss: (node) => node.rss_bytes,
  uss: (node) => node.unique_bytes,
  swap: (node) => node.swap_bytes,
  freed: freedBytes,
  pid: (node) => -node.pid,
};

const CGROUP_KEYS: Readonly<Record<string, Key<CgroupCost>>> = {
  pss: (row) => row.sum_pss_bytes,
  rss: (row) => row.rss_bytes,
  uss: (row) => row.unique_bytes,
  swap: (row) => row.swap_bytes,
  freed: freedBytes,
  charged: (row) => row.charged_own_bytes,
  cache: (row) => row.charged?.cache_unmapped_bytes ?? null,
  limit: (row) => row.limit_bytes,
  processes: (row) => row.processes,
  cgroup: cgroupText,
};

const SHARERS = 10;
const WATCH_SECONDS = 2;
const NARROWEST = 40;

const HELP = `
rss, pss and uss are the kernel's own figures, to the kB. freed: what its exit would give back at once; cache: pages of files that
only it maps, which become cache; stays: what others hold too. docs/ps.md says where each figure comes from. Without root you see
your own processes, and of others what the kernel shows everybody.

  revmap ps --top 10 --sort freed      who would give back most
  revmap ps --pid 1234                 one process, and whom it shares with
  revmap ps --by cgroup                containers, pods and units
  revmap ps --watch 5 --top 20         every five seconds, until Ctrl-C`;

export function addPs(program: Command): void {
  const command = program
    .command('ps')
    .description('what each process, or each cgroup, really costs: RSS, PSS, USS, swap, what its exit would free')
    .option('--sort <column>', `by which column: ${Object.keys(PROCESS_KEYS).join(', ')}`, 'pss')
    .option('--top <n>', 'only so many rows', wholeNumber(1, 1_000_000))
    .addOption(
      new Option('--pid <pid>', 'one process, all figures')
        .argParser(wholeNumber(1, 2 ** 22))
        .conflicts(['tree', 'by', 'top', 'cgroup']),
    )
    .option('--cgroup <path>', 'only processes in this cgroup or below it: a path, a container id or a unit')
    .addOption(new Option('--by <group>', 'a row for each cgroup instead').choices(['cgroup']).conflicts('cgroup'))
    .addOption(new Option('--tree', 'the process tree, and what each subtree costs').conflicts(['by', 'top', 'cgroup']))
    .addOption(
      new Option('--watch [seconds]', `again and again, until Ctrl-C; ${WATCH_SECONDS} s without a number`)
        .argParser(seconds)
        .conflicts('from'),
    )
    .option('--commands', 'command lines instead of names')
    .option('--json', 'the answer as JSON; with --watch a line for each')
    .addHelpText('after', HELP);
  addHostSource(command).action(async (flags: PsFlags) => {
    checkSort(command, flags);
    if (flags.watch === undefined) print(describe(new ProcessCosts(await read(flags)), flags, columns(80)));
    else await watch(flags, flags.watch === true ? WATCH_SECONDS : flags.watch);
  });
}

function seconds(text: string): number {
  const n = /^\d{1,5}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(n >= 0.1 && n <= 86_400)) throw new InvalidArgumentError('Seconds, from 0.1 to 86400.');
  return n;
}

function checkSort(command: Command, { sort = 'pss', by, tree }: PsFlags): void {
  const keys = by === 'cgroup' ? CGROUP_KEYS : tree ? TREE_KEYS : PROCESS_KEYS;
  if (Object.hasOwn(keys, sort)) return;
  const allowed = Object.keys(keys).join(', ');
  command.error(`error: option '--sort <column>' argument '${sort}' is invalid. Allowed choices are ${allowed}.`, {
    code: 'commander.invalidArgument',
    exitCode: 2,
  });
}

async function read(flags: PsFlags, quiet = false): Promise<HostSnapshot> {
  const options: TakeOptions = { commands: flags.commands ?? false, ...(quiet ? { progress: () => {} } : {}) };
  const snapshot = await hostSnapshot(flags, options);
  // Which processes show one object's swapped pages tells only smaps, which costs a walk for each area.
  return flags.from === undefined && wantsSmaps(snapshot) ? hostSnapshot(flags, { ...options, smaps: true }) : snapshot;
}

/** Every so many seconds. Whoever presses Ctrl-C gets the block that is being made, whole, and then the shell. */
async function watch(flags: PsFlags, everySeconds: number): Promise<void> {
  const screen = process.stdout.isTTY && flags.json !== true;
  let wake = () => {};
  let ended = false;
  const end = () => {
    ended = true;
    wake();
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  try {
    while (!ended) {
      const text = block(await read(flags, screen), flags, screen);
      process.stdout.write(screen ? `\x1b[H\x1b[2J${text}\n` : `${text}\n`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000 * everySeconds);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        // Ctrl-C came while the host was read.
        setImmediate(() => ended && wake());
      });
    }
  } finally {
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  }
}

function block(snapshot: HostSnapshot, flags: PsFlags, screen: boolean): string {
  const costs = new ProcessCosts(snapshot);
  if (flags.json === true) return JSON.stringify(answerOf(costs, flags));
  const time = new Date(snapshot.takenAtMs).toLocaleTimeString('sv');
  const width = columns(80);
  const whole = `${time}\n${describe(costs, flags, width)}`;
  const rows = process.stdout.rows || 24;
  if (!screen || linesOf(whole, width) < rows) return whole;
  // What is said below a table is said of all: so the table gets shorter.
  const asked = flags.top ?? Number.POSITIVE_INFINITY;
  const below = linesOf(`${time}\n${describe(costs, { ...flags, top: 1 }, width)}`, width);
  const text = `${time}\n${describe(costs, { ...flags, top: Math.max(1, Math.min(asked, rows - below)) }, width)}`;
  return text
    .split('\n')
    .slice(0, rows - 1)
    .join('\n');
}

/** On a screen of so many columns. */
function linesOf(text: string, width: number): number {
  return text
    .split('\n')
    .reduce((lines, line) => lines + Math.max(1, Math.ceil(stripVTControlCharacters(line).length / width)), 0);
}

function describe(costs: ProcessCosts, flags: PsFlags, width: number): string {
  if (flags.json === true) return JSON.stringify(answerOf(costs, flags), null, 2);
  const line = Math.max(NARROWEST, width);
  return `${describeAnswer(costs, flags, line)}\n${hostFooter(costs.snapshot, line)}`.trimEnd();
}

function describeAnswer(costs: ProcessCosts, flags: PsFlags, width: number): string {
  if (flags.pid !== undefined) {
    return describeProcess(processOf(costs, flags.pid), costs.sharers(flags.pid, SHARERS), width);
  }
  if (flags.by === 'cgroup') {
    const answer = cgroupCosts(costs);
    return describeCgroups(answer, picked(answer.cgroups, CGROUP_KEYS, flags), width);
  }
  const answer = costs.answer(wanted(costs, flags.cgroup));
  if (flags.tree) {
    const rows = new Map(costs.rows.map((row) => [row.pid, row]));
    return describeTree(answer, sortedTree(costs.tree(), flags), rows, width);
  }
  return describeProcesses(answer, picked(answer.processes, PROCESS_KEYS, flags), width);
}

/** The same for programs: rows sorted, and cut off at `--top`. */
function answerOf(costs: ProcessCosts, flags: PsFlags): object {
  const { missing } = costs.snapshot;
  if (flags.pid !== undefined) {
    return { process: processOf(costs, flags.pid), shares_with: costs.sharers(flags.pid, SHARERS), missing };
  }
  if (flags.by === 'cgroup') {
    const { cgroups, total } = cgroupCosts(costs);
    return { cgroups: picked(cgroups, CGROUP_KEYS, flags), total, missing };
  }
  const answer = costs.answer(wanted(costs, flags.cgroup));
  const processes = flags.tree ? answer.processes : picked(answer.processes, PROCESS_KEYS, flags);
  return { ...answer, processes, ...(flags.tree ? { tree: sortedTree(costs.tree(), flags) } : {}) };
}

function processOf({ rows }: ProcessCosts, pid: number): ProcessCost {
  const row = rows.find((each) => each.pid === pid);
  if (row === undefined) throw new InputError('--pid', 0, `there is no process ${pid}`);
  return row;
}

/** Below a path; or in a cgroup that is called so (a container's short id, a unit). */
function wanted(costs: ProcessCosts, cgroup: string | undefined): (row: ProcessCost) => boolean {
  if (cgroup === undefined) return () => true;
  const rows = cgroupCosts(costs, true).cgroups;
  const named = rows.filter(({ name, pod }) => name === cgroup || pod === cgroup).map(({ path }) => path);
  const path = cgroup.length > 1 ? cgroup.replace(/\/+$/, '') : cgroup;
  const tops = rows.some((row) => row.path === path) ? [path] : named;
  if (tops.length === 0) {
    const near = rows.filter((row) => row.processes > 0).length;
    throw new InputError(
      '--cgroup',
      0,
      `there is no cgroup ${cgroup} (${plural(near, 'cgroup')} with processes: revmap ps --by cgroup)`,
    );
  }
  return (row) => tops.some((top) => row.cgroup === top || row.cgroup.startsWith(top === '/' ? '/' : `${top}/`));
}

function picked<T>(rows: readonly T[], keys: Readonly<Record<string, Key<T>>>, { sort = 'pss', top }: PsFlags): T[] {
  return sorted(rows, keys[sort]!).slice(0, top ?? rows.length);
}

function sortedTree(nodes: readonly PsTreeNode[], flags: PsFlags): PsTreeNode[] {
  return sorted(nodes, TREE_KEYS[flags.sort ?? 'pss']!).map((node) => ({
    ...node,
    children: sortedTree(node.children, flags),
  }));
}

/** What is not known comes last. */
function sorted<T>(rows: readonly T[], key: Key<T>): T[] {
  return [...rows].sort((left, right) => {
    const a = key(left);
    const b = key(right);
    if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0);
    if (typeof a === 'string' || typeof b === 'string')
      return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
    return b - a;
  });
}
