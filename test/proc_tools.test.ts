/**
 * Debian's own tools, in the place of whose /proc an export is mounted, print what the machine says of itself.
 * They run in a mount namespace of their own, which takes root; where that is not, the tests are skipped and say so.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeProc } from '../src/host/export/proc_write.ts';
import type { Machine } from '../src/mm/machine.ts';
import { MM_SWAPENTS } from '../src/mm/mm.ts';
import { buddyinfo } from '../src/proc/buddyinfo.ts';
import { meminfo } from '../src/proc/meminfo.ts';
import { type ProcProcess, processes } from '../src/proc/process.ts';
import { gatherSmaps } from '../src/proc/smaps.ts';
import { procTree } from '../src/proc/tree.ts';
import { vmstat } from '../src/proc/vmstat.ts';
import { procWorld } from './host/proc_world.ts';

/** `-p -f`: the tool is process 1, so that what ps asks about itself is there. */
const IN_PLACE = 'mount --bind "$1" /proc && shift && exec "$@"';
const UNSHARE = ['-m', '-p', '-f', 'sh', '-c', IN_PLACE, 'sh'];

/** Why a tool cannot be run on an export, or null. */
function whyNot(tool: string): string | null {
  if (process.geteuid?.() !== 0) return 'needs root';
  if (!(process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, tool))))
    return `there is no ${tool} here`;
  return spawnSync('unshare', ['-m', '-p', '-f', 'true']).status === 0 ? null : 'no mount namespaces here';
}

const withoutTools = whyNot('free') ?? whyNot('pmap') ?? whyNot('ps');
const withoutSmem = existsSync('/usr/bin/smem') ? null : 'there is no smem here';

function named(name: string, missing: string | null): string {
  return missing === null ? name : `${name} (skipped: ${missing})`;
}

const room = mkdtempSync(join(tmpdir(), 'revmap-tools-'));
afterAll(() => rmSync(room, { recursive: true, force: true }));

interface Exported {
  readonly machine: Machine;
  readonly place: string;
  readonly all: readonly ProcProcess[];
}

const known = new Map<string, Exported>();

function exported(kernel: string): Exported {
  let found = known.get(kernel);
  if (found === undefined) {
    const { machine } = procWorld(kernel);
    found = { machine, place: join(room, kernel, 'proc'), all: processes(machine) };
    writeProc(procTree(machine), found.place);
    known.set(kernel, found);
  }
  return found;
}

function run(place: string, ...tool: string[]): string {
  const { stdout, stderr, status } = spawnSync('unshare', [...UNSHARE, place, ...tool], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

/** `Name: 12 kB` and `name 12`. */
function numbersOf(text: string): Map<string, number> {
  return new Map([...text.matchAll(/^(\S+?):?\s+(\d+)(?: kB)?$/gm)].map(([, name, n]) => [name!, Number(n)]));
}

function numbers(line: string): number[] {
  return [...line.matchAll(/(?<=\s)\d+(?=\s|$)/g)].map(([n]) => Number(n));
}

const KERNELS = ['6.18', '6.1', '3.16', '2.6.26', '2.6.24', '2.4.19'];

for (const kernel of KERNELS) {
  test.skipIf(withoutTools !== null)(named(`${kernel}: free`, withoutTools), () => {
    const { machine, place } = exported(kernel);
    const of = numbersOf(meminfo(machine));
    const get = (name: string): number => of.get(name) ?? 0;
    const [, mem = '', swap = ''] = run(place, 'free', '-k', '-w').split('\n');
    const [total, used, free, shared, buffers, cache, available] = numbers(mem);
    expect([total, free, shared, buffers, cache]).toEqual([
      get('MemTotal'),
      get('MemFree'),
      // 2.4 has none; its MemShared has been 0 since long before.
      get('Shmem'),
      get('Buffers'),
      get('Cached') + get('SReclaimable'),
    ]);
    if (of.has('MemAvailable')) {
      expect(available).toBe(get('MemAvailable'));
      expect(used).toBe(get('MemTotal') - get('MemAvailable'));
    }
    expect(numbers(swap)).toEqual([get('SwapTotal'), get('SwapTotal') - get('SwapFree'), get('SwapFree')]);
    expect(get('SwapFree')).toBeLessThan(get('SwapTotal'));
  });

  test.skipIf(withoutTools !== null)(named(`${kernel}: ps and pmap`, withoutTools), () => {
    const { place, all } = exported(kernel);
    const rows = run(place, 'ps', '-e', '-o', 'pid=,ppid=,nlwp=,rss=,vsz=,comm=').trim().split('\n');
    const found = rows.map((row) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s(.*)$/.exec(row)!.slice(1));
    const said = all.map(({ leader, threads }) => {
      const mm = leader.mm!;
      return [leader.pid, leader.parent?.pid ?? 0, threads.length, mm.rssPages * 4, mm.totalVm * 4, 'a) R 7 (b?c'].map(
        String,
      );
    });
    expect(found.sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual(said);
    for (const { leader } of all) {
      const mm = leader.mm!;
      const last = run(place, 'pmap', String(leader.pid)).trim().split('\n').at(-1)!;
      expect(last.trim()).toMatch(new RegExp(`^total +${mm.totalVm * 4}K$`));
    }
  });
}

for (const kernel of ['6.18', '6.1', '3.16', '2.6.26']) {
  test.skipIf(withoutTools !== null)(named(`${kernel}: pmap -x shows Rss and what is dirty`, withoutTools), () => {
    const { machine, place, all } = exported(kernel);
    for (const { leader } of all) {
      const lines = run(place, 'pmap', '-x', String(leader.pid)).trim().split('\n');
      const [kbytes, rss, dirty] = numbers(lines.at(-1)!);
      const sum = { rss: 0, dirty: 0 };
      for (const vma of leader.mm!.vmas) {
        const stats = gatherSmaps(machine, vma);
        sum.rss += stats.resident / 1024;
        sum.dirty += (stats.sharedDirty + stats.privateDirty) / 1024;
      }
      expect(kbytes).toBe(leader.mm!.totalVm * 4);
      // 2.6 counts the zero page, and dirty is what its entry says.
      if (kernel !== '2.6.26') expect([rss, dirty]).toEqual([sum.rss, sum.dirty]);
      else expect(rss).toBe(leader.mm!.rssPages * 4);
    }
  });
}

for (const kernel of ['6.18', '6.1', '3.16', '2.6.26', '2.6.24']) {
  test.skipIf(withoutTools !== null)(named(`${kernel}: vmstat`, withoutTools), () => {
    const { machine, place } = exported(kernel);
    const mem = numbersOf(meminfo(machine));
    const events = numbersOf(vmstat(machine));
    const said = new Map(
      run(place, 'vmstat', '-s')
        .split('\n')
        .map((line) => /^\s*(\d+) (.*)$/.exec(line))
        .filter((match) => match !== null)
        .map(([, n, name]) => [name!, Number(n)]),
    );
    for (const [name, value] of [
      ['K total memory', mem.get('MemTotal')],
      ['K active memory', mem.get('Active')],
      ['K inactive memory', mem.get('Inactive')],
      ['K free memory', mem.get('MemFree')],
      ['K buffer memory', mem.get('Buffers')],
      ['K total swap', mem.get('SwapTotal')],
      ['K free swap', mem.get('SwapFree')],
      ['K paged in', events.get('pgpgin')],
      ['K paged out', events.get('pgpgout')],
      ['pages swapped in', events.get('pswpin')],
      ['pages swapped out', events.get('pswpout')],
      ['forks', machine.tasks.length],
    ] as const)
      expect([name, said.get(name)]).toEqual([name, value]);
    expect(events.get('pswpout')).toBeGreaterThan(0);
    const header = run(place, 'vmstat').split('\n');
    const columns = header[1]!.trim().split(/\s+/);
    const row = header[2]!.trim().split(/\s+/).map(Number);
    expect(row[columns.indexOf('free')]).toBe(mem.get('MemFree'));
    expect(row[columns.indexOf('swpd')]).toBe(mem.get('SwapTotal')! - mem.get('SwapFree')!);
  });
}

test.skipIf(withoutTools !== null)(named('6.18: pmap -X shows Pss, top RES, slabtop objects', withoutTools), () => {
  const { machine, place, all } = exported('6.18');
  const top = run(place, 'top', '-b', '-n1', '-w', '200').split('\n');
  for (const { leader } of all) {
    const mm = leader.mm!;
    const lines = run(place, 'pmap', '-X', String(leader.pid)).split('\n');
    const columns = lines[1]!.trim().split(/\s+/);
    const totals = lines.find((line) => line.trimEnd().endsWith(' KB'))!;
    // Before the sums stand the columns that have none: address, permissions, offset, device, inode.
    const value = (name: string): number => numbers(totals)[columns.indexOf(name) - 5]!;
    const sum = { pss: 0, swap: 0 };
    for (const vma of mm.vmas) {
      const stats = gatherSmaps(machine, vma);
      sum.pss += Math.floor(stats.pss / 4096 / 1024);
      sum.swap += stats.swap / 1024;
    }
    expect([value('Rss'), value('Pss'), value('Swap')]).toEqual([mm.rssPages * 4, sum.pss, sum.swap]);
    const row = top
      .find((line) => line.trim().startsWith(`${leader.pid} `))!
      .trim()
      .split(/\s+/);
    expect(row.slice(4, 6).map(Number)).toEqual([mm.totalVm * 4, mm.rssPages * 4]);
  }
  const slabs = run(place, 'slabtop', '-o').split('\n');
  const vmas = machine.slab.caches.vm_area_struct;
  const row = slabs.find((line) => line.trimEnd().endsWith(' vm_area_struct'))!;
  expect(numbers(` ${row}`).slice(0, 2)).toEqual([vmas.room, vmas.active]);
});

test('6.18: buddyinfo in the files is that of the zones', () => {
  const { machine, place } = exported('6.18');
  const text = spawnSync('cat', [join(place, 'buddyinfo')], { encoding: 'utf8' }).stdout;
  expect(text).toBe(buddyinfo(machine));
});

for (const kernel of ['6.18', '6.1', '3.16', '2.6.26']) {
  test.skipIf(withoutSmem !== null)(named(`${kernel}: smem --source`, withoutSmem), () => {
    const { machine, place, all } = exported(kernel);
    const smem = (...args: string[]): string[] => {
      const { stdout, stderr, status } = spawnSync('smem', ['--source', join(place, '..'), '-H', ...args], {
        encoding: 'utf8',
      });
      expect([stderr, status]).toEqual(['', 0]);
      return stdout.trim().split('\n');
    };
    const found = smem('-c', 'pid uss pss rss swap', '-s', 'pid').map((row) => row.trim().split(/\s+/).map(Number));
    expect(found.map(([pid]) => pid)).toEqual(all.map(({ leader }) => leader.pid));
    const totals = [0, 0, 0];
    all.forEach(({ leader }, i) => {
      const [, uss = 0, pss = 0, rss = 0, swap = 0] = found[i]!;
      const said = { uss: 0, pss: 0, rss: 0, swap: 0 };
      for (const vma of leader.mm!.vmas) {
        const stats = gatherSmaps(machine, vma);
        said.uss += (stats.privateClean + stats.privateDirty) / 1024;
        said.pss += Math.floor(stats.pss / 4096 / 1024);
        said.rss += stats.resident / 1024;
        said.swap += stats.swap / 1024;
      }
      expect({ uss, swap }).toEqual({ uss: said.uss, swap: said.swap });
      // 2.6 counts the zero page as resident.
      if (kernel !== '2.6.26') expect({ pss, rss }).toEqual({ pss: said.pss, rss: said.rss });
      if (kernel !== '6.18') expect(swap).toBe(leader.mm!.rss[MM_SWAPENTS]! * 4);
      totals[0]! += swap;
      totals[1]! += uss;
      totals[2]! += pss;
    });
    const [user] = smem('-u', '-c', 'count swap uss pss');
    expect(user!.trim().split(/\s+/).map(Number)).toEqual([all.length, ...totals]);
    const maps = smem('-m', '-c', 'pids pss map', '-s', 'map').map((row) => row.trim().split(/\s+/));
    expect(maps.find(([, , name]) => name === '/lib/gone')?.[0]).toBe(String(all.length));
    const mem = numbersOf(meminfo(machine));
    const free = smem('-w', '-c', 'area used').find((row) => row.startsWith('free memory'))!;
    expect(numbers(free)).toEqual([mem.get('MemFree')]);
  });
}
