import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { expect, test } from 'vitest';
import { procWorld } from '../../test/host/proc_world.ts';
import { Machine } from '../mm/machine.ts';
import { MM_SWAPENTS } from '../mm/mm.ts';
import type { Pfn } from '../mm/units.ts';
import { System } from '../syscalls/system.ts';
import { CLONE_FILES, CLONE_VM, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../syscalls/uapi.ts';
import { pagetypeinfo } from './pagetypeinfo.ts';
import { processes } from './process.ts';
import { osrelease, sysctlVm } from './system_files.ts';
import { type ProcNode, procTree } from './tree.ts';

function treeOf(machine: Machine): Map<string, ProcNode> {
  return new Map([...procTree(machine)].map((node) => [node.path, node]));
}

function textOf(tree: ReadonlyMap<string, ProcNode>, path: string): string {
  const node = tree.get(path);
  return node?.kind === 'text' ? node.text : `no ${path}`;
}

/** Files of process 1, and of the machine, without what is in directories. */
function namesOf(tree: ReadonlyMap<string, ProcNode>, under: string): string {
  return [...tree.keys()]
    .filter(
      (path) =>
        path.startsWith(under) && !path.slice(under.length).includes('/') && !/^\d/.test(path.slice(under.length)),
    )
    .map((path) => path.slice(under.length))
    .sort()
    .join(' ');
}

for (const { kernel, host, process } of [
  {
    kernel: '2.4.19',
    host: 'cpuinfo filesystems loadavg meminfo mounts self slabinfo stat swaps sys uptime version',
    process: 'cmdline cwd fd maps root stat statm status',
  },
  {
    kernel: '2.6.24',
    host: 'buddyinfo cpuinfo filesystems loadavg meminfo mounts pagetypeinfo self slabinfo stat swaps sys uptime version vmstat zoneinfo',
    process: 'cmdline cwd fd limits maps oom_adj oom_score root smaps stat statm status task wchan',
  },
  {
    kernel: '2.6.26',
    host: 'buddyinfo cpuinfo filesystems kpagecount kpageflags loadavg meminfo mounts pagetypeinfo self slabinfo stat swaps sys uptime version vmstat zoneinfo',
    process: 'cmdline cwd fd limits maps oom_adj oom_score pagemap root smaps stat statm status task wchan',
  },
  {
    kernel: '3.16',
    host: 'buddyinfo cgroups cpuinfo filesystems kpagecount kpageflags loadavg meminfo mounts pagetypeinfo self slabinfo stat swaps sys uptime version vmstat zoneinfo',
    process:
      'cgroup cmdline comm cwd fd limits maps oom_adj oom_score oom_score_adj pagemap root smaps stat statm status task wchan',
  },
  {
    kernel: '6.18',
    host: 'buddyinfo cgroups cpuinfo filesystems kpagecgroup kpagecount kpageflags loadavg meminfo mounts pagetypeinfo self slabinfo stat swaps sys uptime version vmstat zoneinfo',
    process:
      'cgroup cmdline comm cwd fd limits map_files maps oom_adj oom_score oom_score_adj pagemap root smaps smaps_rollup stat statm status task wchan',
  },
])
  test(`${kernel}: a machine has the files of its kernel`, () => {
    const tree = treeOf(procWorld(kernel).machine);
    expect(namesOf(tree, '')).toBe(host);
    expect(namesOf(tree, '1/')).toBe(process);
  });

test('a directory comes before what is in it, and each path once', () => {
  const seen = new Set(['']);
  for (const { path } of procTree(procWorld('6.18').machine)) {
    expect(seen.has(path.slice(0, Math.max(0, path.lastIndexOf('/'))))).toBe(true);
    expect(seen.has(path)).toBe(false);
    seen.add(path);
  }
});

for (const { kernel, fields } of [
  { kernel: '2.4.19', fields: 39 },
  { kernel: '2.6.24', fields: 44 },
  { kernel: '2.6.26', fields: 44 },
  { kernel: '3.16', fields: 52 },
  { kernel: '6.18', fields: 52 },
])
  test(`${kernel}: stat has ${fields} fields, behind a name that holds parentheses and a newline`, () => {
    const { machine, root } = procWorld(kernel);
    const stat = textOf(treeOf(machine), '1/stat');
    const behind = stat
      .slice(stat.lastIndexOf(')') + 2)
      .trimEnd()
      .split(' ');
    expect(stat.startsWith('1 (a) R 7 (b\nc) R 0 1 1 0 -1 ')).toBe(true);
    expect(behind.length + 2).toBe(fields);
    // vsize and rss are fields 23 and 24.
    expect(behind.slice(20, 22).map(Number)).toEqual([root.mm.totalVm * 4096, root.mm.rssPages]);
    expect(textOf(treeOf(machine), '1/status')).toMatch(
      /^Name:\ta\) R 7 \(b\\nc\nUmask|^Name:\ta\) R 7 \(b\\nc\nState/,
    );
  });

test('status agrees with the machine, line by line', () => {
  for (const kernel of ['6.18', '6.1', '3.16']) {
    const { machine, root } = procWorld(kernel);
    const { mm } = root;
    const status = textOf(treeOf(machine), '1/status');
    const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
    expect([kb('VmSize'), kb('VmRSS'), kb('VmSwap')]).toEqual(
      [mm.totalVm, mm.rssPages, mm.rss[MM_SWAPENTS]!].map((n) => n * 4),
    );
    expect(kb('VmHWM')).toBeGreaterThanOrEqual(kb('VmRSS'));
    if (kernel !== '3.16') expect(kb('RssAnon') + kb('RssFile') + kb('RssShmem')).toBe(kb('VmRSS'));
    expect(textOf(treeOf(machine), '1/statm').split(' ').slice(0, 2).map(Number)).toEqual([mm.totalVm, mm.rssPages]);
  }
});

/** Names of a file's lines. */
function lineNames(text: string): string[] {
  return [...text.matchAll(/^(\w+):/gm)].map(([, name]) => name!);
}

// What depends on how a kernel was built: seccomp, shadow stacks, the CPU.
const BUILT = /^(Seccomp|Speculation|x86_Thread)/;

test.skipIf(!release().startsWith('6.18.'))('6.18: status and limits have the lines of the kernel under us', () => {
  const tree = treeOf(procWorld('6.18').machine);
  const common = (text: string): string[] => lineNames(text).filter((name) => !BUILT.test(name));
  expect(common(textOf(tree, '1/status'))).toEqual(common(readFileSync('/proc/self/status', 'latin1')));
  const limits = (text: string): string[] => text.split('\n').map((line) => `${line.slice(0, 25)}${line.slice(67)}`);
  expect(limits(textOf(tree, '1/limits'))).toEqual(limits(readFileSync('/proc/self/limits', 'latin1')));
});

test('threads stand under their process, and count for it', () => {
  const machine = new Machine({ kernel: '6.18', ramBytes: 32 * 2 ** 20 });
  const system = new System(machine);
  const p = system.newProcess(machine.rootMemcg, 'main');
  const at = system.mmap(p, 0, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const thread = system.fork(p, CLONE_VM | CLONE_FILES);
  if (typeof thread === 'number') throw new Error(`clone: ${thread}`);
  thread.task.comm = 'worker';
  const child = system.fork(thread);
  if (typeof child === 'number') throw new Error(`fork: ${child}`);
  system.store(p, at, 1);
  system.store(thread, at + 4096, 1);
  expect(processes(machine).map(({ threads }) => threads.map(({ pid }) => pid))).toEqual([[1, 2], [3]]);
  const tree = treeOf(machine);
  expect(namesOf(tree, '1/task/1/')).toBe('cgroup comm maps oom_adj oom_score oom_score_adj stat statm status wchan');
  expect(tree.has('2')).toBe(false);
  expect(textOf(tree, '1/status')).toContain('\nThreads:\t2\n');
  expect(textOf(tree, '1/task/2/status')).toContain('Tgid:\t1\nNgid:\t0\nPid:\t2\nPPid:\t0\n');
  // minflt is field 10: of the whole process, and of one thread.
  const minFlt = (path: string): number => Number(textOf(tree, path).split(' ')[9]);
  expect([minFlt('1/stat'), minFlt('1/task/1/stat'), minFlt('1/task/2/stat')]).toEqual([2, 1, 1]);
  // A thread's child is its process's.
  expect(textOf(tree, '3/status')).toContain('\nPPid:\t1\n');
});

test('an orphan is the first process’s, and a process without parents has none', () => {
  const machine = new Machine({ kernel: '6.18', ramBytes: 32 * 2 ** 20 });
  const system = new System(machine);
  const p = system.newProcess();
  const child = system.fork(p);
  if (typeof child === 'number') throw new Error(`fork: ${child}`);
  const grandchild = system.fork(child);
  if (typeof grandchild === 'number') throw new Error(`fork: ${grandchild}`);
  system.exit(child);
  expect(textOf(treeOf(machine), '3/stat').split(' ').slice(3, 6)).toEqual(['1', '1', '1']);
  system.exit(p);
  expect(textOf(treeOf(machine), '3/stat').split(' ').slice(3, 6)).toEqual(['0', '3', '3']);
  expect(treeOf(machine).get('self')).toMatchObject({ target: '3' });
});

test('a machine without processes has its files, and no self', () => {
  const tree = treeOf(new Machine({ kernel: '6.18', ramBytes: 32 * 2 ** 20, cpus: 2 }));
  expect(tree.has('self')).toBe(false);
  expect(textOf(tree, 'stat')).toMatch(
    /^cpu {2}0 0 0 0 0 0 0 0 0 0\ncpu0 .*\ncpu1 .*\nintr 0\nctxt 0\nbtime 0\nprocesses 0\n/,
  );
  expect(textOf(tree, 'uptime')).toBe('0.00 0.00\n');
  expect(textOf(tree, 'loadavg')).toBe('0.00 0.00 0.00 0/0 0\n');
});

for (const [kernel, want] of [
  ['2.4.19', '2.4.19'],
  ['3.16', '3.16.0'],
  ['6.18', '6.18.0'],
] as const)
  test(`${kernel} calls itself ${want}`, () => {
    expect(osrelease(new Machine({ kernel, ramBytes: 32 * 2 ** 20 }))).toBe(want);
  });

test('sys/vm has what was set, and what the kernel worked out', () => {
  const set = new Machine({ kernel: '6.18', ramBytes: 64 * 2 ** 20, sysctl: { minFreeKbytes: 3000, swappiness: 7 } });
  expect([sysctlVm(set).get('min_free_kbytes'), sysctlVm(set).get('swappiness')]).toEqual(['3000', '7']);
  const machine = new Machine({ kernel: '6.18', ramBytes: 64 * 2 ** 20 });
  const shown = Number(sysctlVm(machine).get('min_free_kbytes'));
  expect(shown).toBe(machine.zones.reduce((sum, zone) => sum + zone.wmarkMin * 4, 0));
  expect([...sysctlVm(new Machine({ kernel: '2.4.19', ramBytes: 32 * 2 ** 20 })).keys()]).toContain('kswapd');
});

for (const kernel of ['6.18', '3.16', '2.6.24'])
  test(`${kernel}: pagetypeinfo adds up to buddyinfo, and to the pageblocks`, () => {
    const { machine } = procWorld(kernel);
    const text = pagetypeinfo(machine);
    for (const zone of machine.zones) {
      const rows = [...text.matchAll(new RegExp(`^Node +0, zone +${zone.name}, type +\\w+ (.*)$`, 'gm'))];
      const sums = rows
        .map(([, row]) => row!.trim().split(/\s+/).map(Number))
        .reduce((sum, row) => sum.map((n, i) => n + row[i]!));
      const line = textOf(treeOf(machine), 'buddyinfo')
        .split('\n')
        .find((row) => row.includes(`zone ${zone.name.padStart(8)}`))!;
      expect(sums).toEqual(
        line
          .slice(line.indexOf(zone.name) + zone.name.length)
          .trim()
          .split(/\s+/)
          .map(Number),
      );
      const blocks = new RegExp(`^Node 0, zone +${zone.name} ([ \\d]+)$`, 'm').exec(text)![1]!;
      const order = Number(/^Page block order: (\d+)/.exec(text)![1]);
      const total = blocks
        .trim()
        .split(/\s+/)
        .reduce((sum, n) => sum + Number(n), 0);
      const first = Math.floor(zone.startPfn / 2 ** order);
      expect(total).toBe(Math.ceil((zone.startPfn + zone.spannedPages) / 2 ** order) - first);
    }
  });

test('looking changes no entry, no frame and no counter', () => {
  const { machine } = procWorld('6.18');
  const { pageTables, frames } = machine;
  const look = (): void => {
    for (const node of procTree(machine)) if (node.kind === 'words') for (const block of node.blocks()) void block;
  };
  const state = (): unknown => [
    pageTables.bits.slice(),
    pageTables.value.slice(),
    Array.from({ length: frames.frames }, (_, pfn) => frames.allFlags(pfn as Pfn)),
    machine.events.slice(),
    machine.clock.now,
  ];
  const before = state();
  look();
  expect(state()).toEqual(before);
  // But for what walks of tables remember, which a second look leaves as it is.
  const hash = machine.stateHash();
  look();
  expect(machine.stateHash()).toBe(hash);
});
