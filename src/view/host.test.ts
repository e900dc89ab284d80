/** What the page says of a host, against what the commands print of the same snapshot. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReady } from '../../scripts/setup.mjs';
import { diffSnapshots } from '../host/diff/diff.ts';
import { readSnapshotFile, writeSnapshotFile } from '../host/file/snapshot_store.ts';
import { snapshotOfMachine } from '../host/of_machine.ts';
import type { HostSnapshot } from '../host/snapshot.ts';
import { MACHINE_CHOICE } from './choice.ts';
import { hostQueries } from './host.ts';
import { begin, open } from './open.ts';
import { queryNamed } from './queries.ts';
import { Session } from './session.ts';
import { HostSubject, type MachineSubject } from './subject.ts';

const { hostFacts, hostPs, hostCgroups, hostSharers, hostFiles, hostFile, hostMemory } = hostQueries;
const cli = join(import.meta.dirname, '../../dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'revmap-view-host-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => makeReady());

const PROGRAM = `%mmp 1
%file lib 32 disk cached
%file other 8 disk cached
1 open("lib", O_RDWR) = 3
1 open("other", O_RDWR) = 4
1 mmap(0x100000000000, 131072, PROT_READ, MAP_SHARED|MAP_FIXED, 3, 0)
1 mmap(0x100000100000, 65536, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 mmap(0x100000200000, 32768, PROT_READ, MAP_SHARED|MAP_FIXED, 4, 0)
1 load(0x100000000000, 131072)
1 store(0x100000100000, 65536, 1)
1 fork() = 2
2 load(0x100000000000, 65536)
2 load(0x100000200000, 8192)
2 store(0x100000100000, 16384, 2)
2 fork() = 3
3 load(0x100000000000, 65536)
3 exit_group(0)
`;
const ALL = 99;

async function machineAt(kernel: string, step: number): Promise<MachineSubject> {
  const bytes = new TextEncoder().encode(PROGRAM);
  const subject = begin(await open({ name: 'program.mmp', bytes }), { ...MACHINE_CHOICE, kernel }) as MachineSubject;
  subject.timeline.seek(step);
  return subject;
}

const snapshotAt = async (kernel: string, step: number): Promise<HostSnapshot> =>
  snapshotOfMachine((await machineAt(kernel, step)).machine);

function printed(command: readonly string[], file: string): Record<string, unknown> {
  const { stdout, stderr, status } = spawnSync(process.execPath, [cli, ...command, '--json', '--from', file]);
  expect(status, String(stderr)).toBe(0);
  return JSON.parse(String(stdout));
}

const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
const byName = (rows: unknown): unknown[] =>
  (rows as { pid?: number; path?: string }[]).sort(
    (a, b) => (a.pid ?? 0) - (b.pid ?? 0) || ((a.path ?? '') < (b.path ?? '') ? -1 : 1),
  );

for (const kernel of ['6.18', '3.16', '2.6.24', '2.4.19']) {
  test(`processes and cgroups cost what revmap ps --json --from says: ${kernel}`, async () => {
    const file = join(folder, `${kernel}.rvs`);
    await writeSnapshotFile(file, await snapshotAt(kernel, 13));
    const subject = new HostSubject(await readSnapshotFile(file));
    const want = printed(['ps'], file);
    const have = plain(hostPs(subject));
    expect({ ...have, processes: byName(have.processes) }).toEqual({ ...want, processes: byName(want['processes']) });
    expect(have.processes.length).toBe(3);
    const { missing: _, ...cgroups } = printed(['ps', '--by', 'cgroup'], file);
    const ours = plain(hostCgroups(subject));
    expect({ ...ours, cgroups: byName(ours.cgroups) }).toEqual({ ...cgroups, cgroups: byName(cgroups['cgroups']) });
  });

  test(`memory by use adds up to what was counted for MemTotal: ${kernel}`, async () => {
    const memory = hostMemory(new HostSubject(await snapshotAt(kernel, 13)))!;
    const row = memory.meminfo!.find(({ fields }) => fields[0] === 'MemTotal')!;
    expect(memory.sum).toBe(row.counted);
    expect(memory.memTotal).toBe(row.kernel);
    expect(memory.uses.find(({ kind }) => kind === 'anon')!.frames).toBe(20);
  });
}

test('the file that saves most by being shared comes first, with who maps which part', async () => {
  const subject = new HostSubject(await snapshotAt('6.18', ALL));
  const { rows, total } = hostFiles(subject)!;
  expect(total).toBe(rows.length);
  // Of 32 pages two processes map 16 both, the third has gone.
  expect(rows[0]).toMatchObject({ path: '/lib', mappers: 2, mappedPages: 32, savedPages: 16, cachedPages: 32 });
  const { ranges, left, processes } = hostFile(subject, rows[0]!.file)!;
  expect(left).toBe(0);
  expect(processes).toBe(2);
  expect(ranges.map(({ pages, mappers }) => [pages, mappers.length])).toEqual([
    [16, 2],
    [16, 1],
  ]);
  expect(hostFile(subject, 999)).toBe(null);
});

test('with whom a process shares, by what, and in which region', async () => {
  const subject = new HostSubject(await snapshotAt('6.18', ALL));
  const [parent] = subject.snapshot.processes.filter(({ comm }) => comm !== '').slice(-2);
  const answer = hostSharers(subject, parent!.pid)!;
  expect(answer.with.map(({ by }) => by)).toEqual([{ fork: 12 * 4096, file: 16 * 4096, 'shared memory': 0, ksm: 0 }]);
  expect(answer.with[0]!.regions.length).toBe(2);
  expect(hostSharers(subject, 4_000_000)).toBe(null);
});

test('a second snapshot is compared with the one that was open before', async () => {
  const session = new Session();
  const [a, b] = [join(folder, 'a.rvs'), join(folder, 'b.rvs')];
  await writeSnapshotFile(a, await snapshotAt('6.18', 7));
  await writeSnapshotFile(b, await snapshotAt('6.18', ALL));
  const openFile = (name: string) => session.open({ name, bytes: readFileSync(name) }, MACHINE_CHOICE);
  await openFile(a);
  expect(session.ask('hostChanges')).toBe(null);
  expect(session.ask('hostFacts')!.beforeAtMs).toBe(null);
  await openFile(b);
  const changes = session.ask('hostChanges')!;
  const want = diffSnapshots(await readSnapshotFile(a), await readSnapshotFile(b));
  expect(changes.processes).toEqual(want.processes);
  expect(changes.meminfo).toEqual(want.meminfo);
  expect(changes.processes.filter(({ change }) => change === 'came').length).toBe(1);
  // What is in between is forgotten: one snapshot is kept, not all of them.
  await openFile(b);
  expect(session.ask('hostChanges')!.processes).toEqual([]);
});

test('of a machine nothing is said', async () => {
  const subject = await machineAt('6.18', ALL);
  expect(hostFacts(subject)).toBe(null);
  expect(hostPs(subject)).toBe(null);
  expect(queryNamed.hostMemory(subject)).toBe(null);
});
