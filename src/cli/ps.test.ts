/** `revmap ps` as a user meets it: the tables by themselves, on hosts that are written down, and the command on this host. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { makeReady } from '../../scripts/setup.mjs';
import { LRU, type MadeUpHost, madeUpHost } from '../../test/host/made_up.ts';
import { cgroupCosts } from '../host/cost/cgroups.ts';
import { ProcessCosts } from '../host/cost/ps.ts';
import { describeCgroups, describeProcess, describeProcesses, describeTree } from './ps_text.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const env = { ...process.env, NO_COLOR: '1' };

beforeAll(() => makeReady());

const run = (pages: number, from: number) => Array.from({ length: pages }, (_, i) => from + i);
const ESCAPES = 'evil\x1b[31m\nname \udcff';
const HOST: MadeUpHost = {
  frames: 40_000,
  flags: Object.fromEntries(run(300, 500).map((pfn) => [pfn, LRU])),
  cgroups: [{ inode: 1, path: '/', texts: new Map() }],
  texts: { swaps: 'Filename Type Size Used Priority\n/swap file 4000 400 -2\n' },
  processes: [
    { pid: 1, comm: 'init', areas: [{ at: 0, pages: run(100, 1000) }] },
    {
      pid: 4194303,
      parentPid: 1,
      comm: ESCAPES,
      cgroup: `/a ${ESCAPES}`,
      areas: [
        { at: 0, pages: [...run(30_000, 1050), 'slot 1'] },
        { at: 99_000, pages: run(300, 500), file: { path: '/lib' } },
      ],
    },
    {
      pid: 7,
      parentPid: 4194303,
      comm: 'a name of sixty characters that no narrow line has room for…',
      sharesMmWith: 1,
    },
    { pid: 8, parentPid: 7, comm: 'hidden', status: new Map([['VmRSS', 4000]]) },
  ],
};

/** The numbers of a column in a drawn table, the sum last. */
function column(text: string, head: string): number[] {
  const [first, ...rest] = text.split('\n');
  const end = first!.indexOf(head) + head.length;
  const numbers: number[] = [];
  for (const line of rest) {
    if (line === '' || line.startsWith('and ')) break;
    const cell = /[\d,–]+$/.exec(line.slice(0, end))?.[0];
    numbers.push(cell === undefined || cell === '–' ? 0 : Number(cell.replaceAll(',', '')));
  }
  return numbers;
}

for (const width of [80, 120, 200]) {
  test(`ps: a line of ${width} columns holds every table, and sums are sums`, () => {
    const costs = new ProcessCosts(madeUpHost(HOST));
    const answer = costs.answer();
    const processes = describeProcesses(answer, answer.processes, width);
    const tree = describeTree(answer, costs.tree(), new Map(costs.rows.map((row) => [row.pid, row])), width);
    const groups = cgroupCosts(costs);
    const cgroups = describeCgroups(groups, groups.cgroups, width);
    const one = describeProcess(costs.rows[1]!, costs.sharers(4194303, 5), width);
    for (const text of [processes, tree, cgroups, one]) {
      for (const raw of ['\x1b', '\udcff']) expect(text).not.toContain(raw);
      for (const line of text.split('\n').filter((each) => !each.startsWith('smaps'))) {
        expect([...line].length, line).toBeLessThanOrEqual(Math.max(width, text === one ? 110 : 0));
      }
    }
    for (const head of ['rss', 'pss', 'uss', 'swap', 'freed']) {
      const numbers = column(processes, head);
      expect(numbers.length).toBe(5);
      expect(
        numbers.slice(0, -1).reduce((a, b) => a + b, 0),
        head,
      ).toBe(numbers.at(-1));
    }
    const rows = processes.split('\n');
    expect(rows[0]).toMatch(/^ +pid +rss +pss +uss +swap +freed .*command$/);
    expect(rows[0]!.includes('stays')).toBe(width > 80);
    expect(processes).toContain('(memory of 1) ');
    expect(tree).toContain('evil?[31m?name');
  });
}

test('ps: what is not known is no zero', () => {
  const costs = new ProcessCosts(madeUpHost(HOST));
  const answer = costs.answer();
  const hidden = describeProcesses(answer, answer.processes, 80)
    .split('\n')
    .find((line) => line.endsWith('hidden'));
  expect(hidden).toMatch(/^ +8 +4,000 +– +– +– +– +– /);
  expect(describeProcesses(answer, answer.processes, 80)).toContain('the pages of 1 process could not be read');
});

function revmap(args: string[], uid?: number) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'ps', ...args], {
    encoding: 'utf8',
    env,
    maxBuffer: 2 ** 28,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return { status, stdout, stderr };
}

test('ps: JSON of this process', () => {
  const { status, stdout } = revmap(['--json']);
  expect(status).toBe(0);
  const answer = JSON.parse(stdout);
  const own = answer.processes.find((row: { pid: number }) => row.pid === process.pid);
  expect(own).toMatchObject({ parent_pid: process.ppid, uid: process.getuid!() });
  expect(own.rss_bytes).toBeGreaterThan(2 ** 20);
  expect(own.pss_bytes).toBeGreaterThan(2 ** 20);
  expect(own.pss_bytes).toBeLessThanOrEqual(own.rss_bytes);
  expect(own.exit.freed_bytes).toBeGreaterThan(0);
  const sorted = answer.processes.map(
    (row: { pss_bytes: number | null; rss_bytes: number }) => row.pss_bytes ?? row.rss_bytes,
  );
  expect(sorted).toEqual([...sorted].sort((a, b) => b - a));
});

test('ps: one process, a tree, cgroups, the largest', () => {
  expect(revmap(['--pid', String(process.pid)]).stdout).toContain('If it exited now:');
  expect(revmap(['--tree']).stdout).toContain('tree pss');
  expect(revmap(['--by', 'cgroup', '--sort', 'rss']).stdout).toContain('charged');
  expect(revmap(['--top', '1', '--sort', 'pid', '--commands']).stdout).toMatch(/\n +1 /);
  // Four looks at the whole host, on a machine that may be busy with other things.
}, 300_000);

for (const { why, args, status, says } of [
  {
    why: 'a column that is none',
    args: ['--sort', 'size'],
    status: 2,
    says: /^revmap: option '--sort <column>' argument 'size' is invalid\. Allowed/,
  },
  {
    why: 'a column of another table',
    args: ['--by', 'cgroup', '--sort', 'ref'],
    status: 2,
    says: /Allowed choices are pss/,
  },
  { why: 'no number of rows', args: ['--top', '0'], status: 2, says: /^revmap: / },
  { why: 'a pid and a tree', args: ['--pid', '1', '--tree'], status: 2, says: /cannot be used with/ },
  { why: 'a process that is not there', args: ['--pid', '4194304'], status: 1, says: /there is no process 4194304/ },
  {
    why: 'a cgroup that is not there',
    args: ['--cgroup', '/no such'],
    status: 1,
    says: /there is no cgroup \/no such/,
  },
  { why: 'seconds that are none', args: ['--watch', 'x'], status: 2, says: /^revmap: / },
])
  test(`ps: refused in one line: ${why}`, () => {
    const found = revmap(args);
    expect(found.status).toBe(status);
    expect(found.stdout).toBe('');
    expect(found.stderr).toMatch(says);
    expect(found.stderr.trimEnd().split('\n').length).toBe(1);
  });

const notRoot = process.getuid?.() === 0 ? null : 'needs root, to be somebody else';
test.skipIf(notRoot !== null)(
  `ps: without root, what the kernel shows everybody${notRoot === null ? '' : ` (skipped: ${notRoot})`}`,
  () => {
    const nobody = 65534;
    const { status, stdout } = revmap(['--json'], nobody);
    expect(status).toBe(0);
    const { processes, total, missing } = JSON.parse(stdout);
    const other = processes.find((row: { pid: number }) => row.pid === process.pid);
    expect(other).toMatchObject({ source: 'kernel', pss_bytes: null, uss_bytes: null, exit: null, kernel: null });
    expect(other.rss_bytes).toBeGreaterThan(0);
    const own = processes.find((row: { uid: number; exit: unknown }) => row.uid === nobody && row.exit !== null);
    expect(own.pss_bytes).toBeGreaterThan(0);
    expect(own.exit.freed_bytes).toBeGreaterThan(0);
    expect(own.exit.freed_swap_bytes).toBeNull();
    expect(total.mapped_bytes).toBeNull();
    expect(missing.map(({ what }: { what: string }) => what)).toContain('kpageflags');
    expect(revmap([], nobody).stdout).toContain('could not be read');
  },
);

function watching(args: string[]): { child: ChildProcess; text: () => string } {
  const child = spawn(process.execPath, [cli, 'ps', '--watch', '0.1', '--top', '3', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  return { child, text: () => text };
}

test('ps --watch: whole blocks in a pipe, until SIGINT', async () => {
  const { child, text } = watching([]);
  while ((text().match(/command/g) ?? []).length < 2) await once(child.stdout!, 'data');
  child.kill('SIGINT');
  const [status, signal] = await once(child, 'exit');
  expect([status, signal]).toEqual([0, null]);
  expect(text()).not.toContain('\x1b');
  expect(text()).toMatch(/^\d\d:\d\d:\d\d\n +pid /);
});

test('ps --watch --json: a line for each, and a reader that goes ends it', async () => {
  const { child, text } = watching(['--json']);
  while (!text().includes('\n')) await once(child.stdout!, 'data');
  child.stdout!.destroy();
  const [status] = await once(child, 'exit');
  expect(status).toBe(0);
  expect(JSON.parse(text().split('\n')[0]!).processes.length).toBe(3);
});
