/** The command as a user meets it: what stands on stdout, what on stderr, how it exits. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReady } from '../../scripts/setup.mjs';

const root = join(import.meta.dirname, '../..');
const zipf = join(root, 'examples', 'zipf.rvm.gz');
const folder = mkdtempSync(join(tmpdir(), 'revmap-cli-'));
const cli = join(root, 'dist', 'cli.js');

beforeAll(() => makeReady());
afterAll(() => rmSync(folder, { recursive: true }));

function revmap(args: string[], input?: Uint8Array) {
  const env = { ...process.env, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
    input,
  });
  return { status, stdout, stderr };
}

const small = ['--ram', '64M', '--swap', '64M'];

test('run: JSON with the names that were promised', () => {
  const { status, stdout, stderr } = revmap(['run', zipf, '--kernel', '6.1', '--limit', '24M', '--json', ...small]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const run = JSON.parse(stdout);
  expect(run).toMatchObject({
    kernel: '6.1',
    limit_bytes: 24 * 2 ** 20,
    status: 'exited',
    peak_bytes: 24 * 2 ** 20,
    events: 685919,
  });
  expect(run.seconds).toBeGreaterThan(0);
  const promised =
    'pgfault pgmajfault pswpin pswpout pgscan pgsteal pgactivate pgdeactivate workingset_refault_anon workingset_refault_file workingset_activate_anon';
  for (const name of promised.split(' ')) expect(run.counters[name], name).toEqual(expect.any(Number));
});

test('run: text, from standard input, packed or not', () => {
  const packed = readFileSync(zipf);
  for (const input of [packed, gunzipSync(packed)]) {
    const { status, stdout } = revmap(['run', '-', '--kernel', 'linux-6', ...small], input);
    expect(status).toBe(0);
    expect(stdout).toContain('zipf on Linux 6.18, no limit (64.0 MiB of memory, 64.0 MiB of swap on zram)');
    expect(stdout).toMatch(/ pgfault +8,2\d\d/);
    expect(stdout).not.toContain('\x1b');
  }
});

test('sweep: curve, table, advice, and a report where it was asked for', () => {
  const { status, stdout, stderr } = revmap(['sweep', zipf, '--limits', '34M,20M', '--report', 'r/x.html', ...small]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('┤');
  expect(stdout).toMatch(/zipf fits in 34\.0 MiB; .*thrash/);
  expect(stdout).toContain('report: r/x.html');
  expect(readFileSync(join(folder, 'r/x.html'), 'utf8')).toContain('<h2>Advice</h2>');
});

test('sweep: workers give what one thread gives', () => {
  const json = (workers: string) => {
    const { stdout } = revmap(['sweep', zipf, '--limits', '3', '--json', '--workers', workers, ...small]);
    return JSON.parse(stdout, (key, value) => (key === 'seconds' && typeof value === 'number' ? 0 : value));
  };
  expect(json('2')).toEqual(json('0'));
});

test('who: a page of the program, as text and as JSON', () => {
  const args = ['who', zipf, '--page', '/bin/wl:0x1000', '--at', '1000', ...small];
  const { status, stdout } = revmap(args);
  expect(status).toBe(0);
  expect(stdout).toContain("inode '/bin/wl', its i_mmap tree");
  expect(stdout).toContain('address = 0x401000 + ((0x1 − 0x1) << 12) = 0x401000');
  const who = JSON.parse(revmap([...args, '--json']).stdout);
  expect(who).toMatchObject({ at: 1000, mapcount: 1, mapping: { kind: 'inode', name: '/bin/wl' } });
});

for (const { why, args, status, said } of [
  { why: 'no such file', args: ['run', 'none.rvm'], status: 1, said: 'revmap: none.rvm: no such file\n' },
  { why: 'not a recording', args: ['run', cli], status: 1, said: `revmap: ${cli}: line 1: not a recording` },
  {
    why: 'a page that is not there',
    args: ['who', zipf, '--page', '0x5000', '--at', '9'],
    status: 1,
    said: 'revmap: --page: nothing is mapped at 0x5000 (after 9 page events)\n',
  },
  {
    why: 'a bad size',
    args: ['run', zipf, '--limit', 'big'],
    status: 2,
    said: "revmap: option '--limit <size>' argument 'big' is invalid",
  },
  { why: 'a bad kernel', args: ['run', zipf, '--kernel', '5.4'], status: 2, said: "unknown kernel '5.4'" },
  { why: 'a bad number', args: ['run', zipf, '--swappiness', '300'], status: 2, said: 'A whole number from 0 to 200' },
  { why: 'bad limits', args: ['sweep', zipf, '--limits', '9M..'], status: 2, said: "'9M..' is no range" },
  { why: 'no page', args: ['who', zipf], status: 2, said: "required option '--page <page>'" },
  { why: 'an unknown option', args: ['run', zipf, '--fast'], status: 2, said: "unknown option '--fast'" },
  { why: 'an unknown command', args: ['fly'], status: 2, said: "unknown command 'fly'" },
]) {
  test(`refused: ${why}`, () => {
    const result = revmap(args);
    expect(result.status).toBe(status);
    expect(result.stdout).toBe('');
    expect(result.stderr).toContain(said);
    if (status === 1) expect(result.stderr.trimEnd().split('\n').length).toBe(1);
  });
}

test('a damaged recording is one line with its byte', () => {
  const plain = gunzipSync(readFileSync(zipf));
  writeFileSync(join(folder, 'cut.rvm'), plain.subarray(0, 100000));
  const { status, stderr } = revmap(['sweep', 'cut.rvm']);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^revmap: cut\.rvm: byte 100000: the file was cut off: 1531784 of 1631041 bytes of the bodies are missing\n$/,
  );
});

test('a reader that goes away is no failure', async () => {
  const child = spawn(process.execPath, [cli, 'run', zipf, '--json', ...small], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect({ status, said }).toEqual({ status: 0, said: '' });
});
