/** `revmap snapshot` as a user meets it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReady } from '../../scripts/setup.mjs';
import { readSnapshotFile } from '../host/file/snapshot_store.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'revmap-snapshot-cli-'));
const sqlite = join(root, 'examples', 'sqlite.rvm.gz');
const machine = ['--ram', '64M', '--swap', '64M', '--limit', '8M'];

beforeAll(() => makeReady());
afterAll(() => rmSync(folder, { recursive: true }));

function revmap(args: string[]) {
  const env = { ...process.env, NO_COLOR: '1' };
  const cli = join(root, 'dist', 'cli.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { cwd: folder, env });
  return { status, stdout, said: stdout.toString(), stderr: stderr.toString() };
}

test('a simulated machine at a step, which other commands read', async () => {
  const made = revmap(['snapshot', sqlite, ...machine, '--kernel', '2.4.19', '--at', '2000', '-o', 'm.rvh.gz']);
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(made.said).toMatch(/^m\.rvh\.gz \(.* KiB, written in .* s\): a simulated machine, Linux 2\.4\.19, after /);
  expect(made.said).toContain(
    'computed: pagemap, kpageflags, kpagecount, smaps, smaps_rollup (Linux 2.4.19 has no such file)\n',
  );
  expect(statSync(join(folder, 'm.rvh.gz')).mode).toBe(0o100600);
  const snapshot = await readSnapshotFile(join(folder, 'm.rvh.gz'));
  expect(snapshot.processes.map(({ comm }) => comm)).toEqual(['sqlite3']);
  const ps = revmap(['ps', '--from', 'm.rvh.gz']);
  expect(ps).toMatchObject({ status: 0, stderr: '' });
  expect(ps.said).toContain('sqlite3');

  const info = revmap(['snapshot', '--from', 'm.rvh.gz', '--json']);
  expect(JSON.parse(info.said)).toMatchObject({
    ...{ file: 'm.rvh.gz', source: 'machine', processes: 1, redacted: false },
    entries: snapshot.entries.count,
    frames: snapshot.frames!.count,
  });

  const again = revmap(['snapshot', '--from', 'm.rvh.gz', '-o', 'm.rvh.gz']);
  expect(again).toMatchObject({ status: 1, said: '' });
  expect(again.stderr).toBe('revmap: m.rvh.gz: is there already (--force writes over it)\n');

  const redacted = revmap(['snapshot', '--from', 'm.rvh.gz', '--redact', '--salt', 'x', '-o', 'r.rvh.gz']);
  expect(redacted.said).toContain('names redacted');
  const names = (await readSnapshotFile(join(folder, 'r.rvh.gz'))).processes.map(({ comm }) => comm);
  expect(names[0]).toMatch(/^[0-9a-f]{12}$/);

  const piped = revmap(['snapshot', '--from', 'm.rvh.gz', '-o', '-']);
  writeFileSync(join(folder, 'p.rvh.gz'), piped.stdout);
  expect(await readSnapshotFile(join(folder, 'p.rvh.gz'))).toEqual(snapshot);
});

test('this host: only one process, as much of it as we may see', async () => {
  const pid = String(process.pid);
  const { status, stderr } = revmap(['snapshot', '--pid', pid, '--smaps', '--commands', '-o', 'live.rvh.gz']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const snapshot = await readSnapshotFile(join(folder, 'live.rvh.gz'));
  expect(snapshot.processes.map((p) => p.pid)).toEqual([process.pid]);
  expect(snapshot.processes[0]!.command!.length).toBeGreaterThan(0);
  expect(snapshot.vmas.count).toBeGreaterThan(10);
  expect(snapshot.smaps!.get('Rss')!.some((kB) => kB > 0)).toBe(true);
  expect(snapshot.cache).not.toBeUndefined();
});

for (const { why, args, status, said } of [
  { why: 'nowhere to write', args: [], status: 2, said: '-o FILE is missing: where to write the snapshot' },
  { why: 'two sources', args: [sqlite, '--from', 'x', '-o', 'y'], status: 2, said: 'a recording or --from, not both' },
  { why: 'a step of no machine', args: ['--at', '5', '-o', 'y'], status: 2, said: '--at is for a recording' },
  { why: 'a limit of no machine', args: ['--limit', '5M', '-o', 'y'], status: 2, said: '--limit is for a recording' },
  { why: 'a step that is none', args: [sqlite, '--at', 'x', '-o', 'y'], status: 2, said: "A whole number, or 'end'." },
  { why: 'a salt for nothing', args: ['--salt', 'x', '-o', 'y'], status: 2, said: '--salt is for --redact' },
  { why: 'a process that is not there', args: ['--pid', '4194304', '-o', 'y'], status: 1, said: 'no such process' },
  { why: 'a cgroup that is not there', args: ['--cgroup', '/no/such', '-o', 'y'], status: 1, said: 'no process is in' },
  { why: 'no such file', args: ['--from', 'none'], status: 1, said: 'none: no such file or folder' },
  { why: 'a file of another kind', args: ['--from', sqlite], status: 1, said: 'is no snapshot of a host' },
  { why: 'a folder that is not there', args: [sqlite, '-o', 'no/x'], status: 1, said: 'no/x: no such file or folder' },
]) {
  test(`refused in one line: ${why}`, () => {
    const refused = revmap(['snapshot', ...args]);
    expect(refused.status).toBe(status);
    expect(refused.said).toBe('');
    expect(refused.stderr).toMatch(/^revmap: [^\n]*\n$/);
    expect(refused.stderr).toContain(said);
    expect(existsSync(join(folder, 'y'))).toBe(false);
  });
}
