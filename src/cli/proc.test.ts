/** `revmap proc` as a user meets it. What the files hold: src/host/proc_export.test.ts, test/proc_tools.test.ts. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReady } from '../../scripts/setup.mjs';

const root = join(import.meta.dirname, '../..');
const zipf = join(root, 'examples', 'zipf.rvm.gz');
const forked = join(root, 'oracle', 'corpus', '05-shared-anon-fork.mmp');
const folder = mkdtempSync(join(tmpdir(), 'revmap-proc-cli-'));
const small = ['--ram', '64M', '--swap', '64M'];

beforeAll(() => makeReady());
afterAll(() => rmSync(folder, { recursive: true }));

function revmap(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'dist', 'cli.js'), 'proc', ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status, stdout, stderr };
}

const text = (...names: string[]): string => readFileSync(join(folder, ...names), 'utf8');

/** Links are not followed: cwd leads to the root of this computer. */
function pathsIn(place: string, under: string): string[] {
  return readdirSync(join(folder, place, under), { withFileTypes: true }).flatMap((entry) => {
    const path = join(under, entry.name);
    return entry.isDirectory() ? [path, ...pathsIn(place, path)] : [path];
  });
}

test('a recording, stopped at a step: what is written, in a line and as JSON', () => {
  const said = revmap(zipf, '--at', '100000', '--kernel', '6.1', '--limit', '16M', ...small, '--export', 'a/proc');
  expect(said).toMatchObject({ status: 0, stderr: '' });
  expect(said.stdout).toMatch(/^a\/proc: \/proc of Linux 6\.1, after 100,000 page events: 1 process, \d+ files\n$/);
  expect(text('a/proc/version')).toMatch(/^Linux version 6\.1\.0 /);
  expect(text('a/proc/1/cgroup')).toBe('0::/program\n');
  expect(Number(/^VmRSS:\s+(\d+) kB$/m.exec(text('a/proc/1/status'))![1])).toBeLessThanOrEqual(16384);
  const json = revmap(zipf, '--at', '5', ...small, '--export', 'b', '--json');
  expect(json).toMatchObject({ status: 0, stderr: '' });
  const { files, ...rest } = JSON.parse(json.stdout);
  expect(rest).toEqual({ directory: 'b', kernel: '6.18', at: { steps: 5, of: 'page event' }, missing: [] });
  for (const { path, kind, bytes } of files) {
    if (kind === 'text' || kind === 'words')
      expect([path, statSync(join(folder, 'b', path)).size]).toEqual([path, bytes]);
  }
  expect(new Set(pathsIn('b', ''))).toEqual(
    new Set(['.revmap-export', ...files.map(({ path }: { path: string }) => path)]),
  );
});

test('a memory program, to its end and to its first calls', () => {
  expect(revmap(forked, '--export', 'mmp')).toMatchObject({ status: 0, stderr: '' });
  expect(revmap(forked, '--export', 'one', '--at', '1').stdout).toContain('after 1 call: 1 process, ');
  expect(text('mmp/1/comm')).toBe('mmp\n');
  expect(existsSync(join(folder, 'mmp/2/maps'))).toBe(true);
});

test('a snapshot of a machine says the same, and what it does not have', () => {
  const options = ['--at', '100000', '--kernel', '6.1', '--limit', '16M', ...small];
  const made = spawnSync(
    process.execPath,
    [join(root, 'dist', 'cli.js'), 'snapshot', zipf, ...options, '-o', 'm.rvh.gz'],
    {
      cwd: folder,
    },
  );
  expect(made.status).toBe(0);
  expect(revmap('--from', 'm.rvh.gz', '--export', 'from')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(
      /^from: \/proc of Linux 6\.1\.0: 1 process, \d+ files\ncmdline: not in the snapshot: the name of the command\n$/,
    ),
    stderr: '',
  });
  expect(revmap(zipf, ...options, '--export', 'direct').status).toBe(0);
  for (const name of ['meminfo', 'vmstat', 'zoneinfo', 'swaps', '1/maps', '1/smaps_rollup', 'kpageflags', 'kpagecount'])
    expect([name, readFileSync(join(folder, 'from', name)).equals(readFileSync(join(folder, 'direct', name)))]).toEqual(
      [name, true],
    );
});

test('an earlier export is replaced if that is said, and nothing else is', () => {
  expect(revmap(forked, '--export', 'again').status).toBe(0);
  expect(revmap(forked, '--export', 'again')).toEqual({
    status: 1,
    stdout: '',
    stderr: 'revmap: again: holds an earlier export (--force replaces it)\n',
  });
  expect(revmap(forked, '--export', 'again', '--force', '--kernel', '2.4.19').status).toBe(0);
  expect(text('again/sys/kernel/osrelease')).toBe('2.4.19\n');
  mkdirSync(join(folder, 'mine'));
  writeFileSync(join(folder, 'mine', 'thesis'), '');
  expect(revmap(forked, '--export', 'mine', '--force').stderr).toBe(
    'revmap: mine: is not empty, and was not written by revmap proc\n',
  );
});

for (const { why, args, status, said } of [
  {
    why: 'no directory',
    args: [zipf],
    status: 2,
    said: "revmap: required option '--export <directory>' not specified\n",
  },
  {
    why: 'nothing to show',
    args: ['--export', 'x'],
    status: 2,
    said: 'revmap: a recording or memory program, or --from and a snapshot\n',
  },
  {
    why: 'two things to show',
    args: [zipf, '--from', 'x.snap', '--export', 'x'],
    status: 2,
    said: 'revmap: a recording or memory program, or --from and a snapshot\n',
  },
  {
    why: 'a kernel for a snapshot',
    args: ['--from', 'x.snap', '--kernel', '2.4.19', '--export', 'x'],
    status: 2,
    said: 'revmap: --kernel is for a recording\n',
  },
  {
    why: 'a step that is none',
    args: [zipf, '--at', '-1', '--export', 'x'],
    status: 2,
    said: "revmap: option '--at <step>' argument '-1' is invalid. A whole number, or 'end'.\n",
  },
  { why: 'no recording', args: ['none', '--export', 'x'], status: 1, said: 'revmap: none: no such file\n' },
  {
    why: 'the place where we are',
    args: [forked, '--export', '.', '--force'],
    status: 1,
    said: 'revmap: .: is the current directory; name one in it\n',
  },
  {
    why: 'no name',
    args: [forked, '--export', ''],
    status: 2,
    said: "revmap: option '--export <directory>' argument '' is invalid. A directory.\n",
  },
  {
    why: 'no place',
    args: [forked, '--export', '/dev/null/x'],
    status: 1,
    said: /^revmap: ENOTDIR: not a directory, lstat '\/dev\/null\/x'\n$/,
  },
])
  test(`refused: ${why}`, () => {
    const found = revmap(...args);
    expect({ status: found.status, stdout: found.stdout }).toEqual({ status, stdout: '' });
    expect(found.stderr).toMatch(said);
    expect(existsSync(join(folder, 'x'))).toBe(false);
  });
