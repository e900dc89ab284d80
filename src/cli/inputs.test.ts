/** Other tools' files as a user meets them: run, sweep, convert and info of them, and what is said when they are wrong. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReady } from '../../scripts/setup.mjs';
import { infoOf } from '../lab/info/info.ts';
import { openBytes } from '../trace/source.ts';
import { describeInfo } from './info.ts';

const root = join(import.meta.dirname, '../..');
const samples = join(root, 'test/inputs');
const folder = mkdtempSync(join(tmpdir(), 'revmap-cli-inputs-'));
const cli = join(root, 'dist', 'cli.js');
const small = ['--ram', '64M', '--swap', '64M'];

beforeAll(() => makeReady());
afterAll(() => rmSync(folder, { recursive: true }));

function revmap(args: string[], input?: string | Uint8Array) {
  const env = { ...process.env, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
    input,
  });
  return { status, stdout, stderr };
}

/** 3,000 pages in turn, three times: each is used again after 2,999 others. */
const circle = Array.from({ length: 9000 }, (_, i) => `${i},${i % 3000},512`).join('\n');

test('run and sweep take a cache trace, packed or not, from a file or a pipe', () => {
  writeFileSync(join(folder, 'circle.csv.gz'), gzipSync(`time,id,size\n${circle}\n`));
  const { status, stdout, stderr } = revmap(['run', 'circle.csv.gz', '--limit', '8M', '--json', ...small]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const run = JSON.parse(stdout);
  // LRU would read every page three times; Linux keeps some.
  expect(run.counters.workingset_refault_file).toBeGreaterThan(500);
  expect(run).toMatchObject({
    raw_accesses: 9000,
    syscalls: 9003,
    syscalls_different: 0,
    unseen_pages: 0,
    processes: 1,
  });
  const piped = JSON.parse(
    revmap(['run', '-', '--format', 'csv:id=2,size=3', '--limit', '8M', '--json', ...small], circle).stdout,
  );
  expect(piped.counters).toEqual(run.counters);
  const sweep = revmap(['sweep', 'circle.csv.gz', '--limits', '16M,8M', ...small]);
  expect(sweep).toMatchObject({ status: 0, stderr: '' });
  expect(sweep.stdout).toContain('circle.csv.gz');
  expect(sweep.stdout).toMatch(/^ ?16\.0 MiB /m);
});

test('run says what an input does not show', () => {
  const { stdout } = revmap(['run', join(samples, 'strace-f.txt'), ...small]);
  expect(stdout).toContain(
    'not in this recording:\n  strace sees system calls only: no access to memory is in this recording',
  );
});

test('convert: lackey to a recording and back; info counts the same in all three', () => {
  const log = join(samples, 'lackey-d.txt');
  const made = revmap(['convert', log, 'tiny.rvm.gz']);
  expect(made).toMatchObject({ status: 0, stdout: '' });
  expect(made.stderr).toMatch(/^revmap: tiny\.rvm\.gz: [\d.]+ (?:B|KiB), read as lackey\n/);
  expect(revmap(['convert', 'tiny.rvm.gz', 'tiny.lackey.gz']).status).toBe(0);
  const of = (file: string) => {
    const { pages, syscalls_by_name, command, processes } = JSON.parse(revmap(['info', file, '--json']).stdout);
    return { pages, syscalls_by_name, command, calls: processes.map((p: { syscalls: number }) => p.syscalls) };
  };
  expect(of('tiny.rvm.gz')).toEqual(of(log));
  expect(of('tiny.lackey.gz')).toEqual(of(log));
});

test('convert: pages as a cache trace that we read again; next accesses are right', () => {
  writeFileSync(join(folder, 'ids'), '7\n8\n7\n9\n8\n7\n');
  const csv = revmap(['convert', 'ids', '-', '--to', 'csv', '--format', 'txt']);
  expect(csv.stdout).toBe(
    'time,id,size,op\n0,0,4096,read\n0,1,4096,read\n0,0,4096,read\n0,2,4096,read\n0,1,4096,read\n0,0,4096,read\n',
  );
  expect(revmap(['convert', 'ids', '-', '--to', 'txt']).stdout).toBe('0\n1\n0\n2\n1\n0\n');
  expect(revmap(['convert', 'ids', 'ids.oracleGeneral.bin']).status).toBe(0);
  const bytes = readFileSync(join(folder, 'ids.oracleGeneral.bin'));
  expect(Array.from({ length: 6 }, (_, i) => Number(bytes.readBigInt64LE(24 * i + 16)))).toEqual([3, 5, 6, -1, -1, -1]);
  expect(JSON.parse(revmap(['info', 'ids.oracleGeneral.bin', '--json']).stdout).pages.total).toBe(3);
});

test('convert: a slow reader gets all of it, and one who has had enough no complaint', () => {
  const zipf = join(root, 'examples/zipf.rvm.gz');
  const piped = (reader: string) => {
    const script = `set -o pipefail; "$0" "$1" convert "$2" - --to txt | ${reader}`;
    return spawnSync('bash', ['-c', script, process.execPath, cli, zipf], { encoding: 'utf8' });
  };
  const slow = piped('(sleep 2; wc -l)');
  expect({ status: slow.status, lines: Number(slow.stdout) > 600_000 }).toEqual({ status: 0, lines: true });
  expect(piped('head -1')).toMatchObject({ status: 0, stdout: '0\n', stderr: '' });
});

test('convert: the old file stays until the new one is whole, and nothing else is left', () => {
  const target = join(folder, 'kept.rvm.gz');
  writeFileSync(target, 'old');
  const wrong = revmap(['convert', '-', 'kept.rvm.gz', '--format', 'txt'], '1\n2\n-3\n');
  expect(wrong).toMatchObject({ status: 1, stdout: '' });
  expect(wrong.stderr).toBe(
    "revmap: standard input: line 3: '-3' is no object id: a number from 0 to 2**64 - 1 expected\n",
  );
  expect(readFileSync(target, 'utf8')).toBe('old');
  expect(revmap(['convert', '-', 'kept.rvm.gz', '--format', 'txt'], '1\n2\n').status).toBe(0);
  expect(statSync(target).size).toBeGreaterThan(100);
  expect(readdirSync(folder).filter((name) => /part|new/.test(name))).toEqual([]);
});

test('questions that are wrong are said in one line', () => {
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'some.txt'), '1\n');
  writeFileSync(join(folder, 'esc\x1b[31m'), 'hello\n');
  revmap(['convert', 'some.txt', 'some.rvm.gz']);
  for (const { args, status, want } of [
    { args: ['convert', 'some.txt', 'sub'], status: 1, want: 'revmap: sub: is a folder' },
    { args: ['convert', 'some.txt', 'some.txt'], status: 1, want: 'revmap: some.txt: is the input itself' },
    {
      args: ['convert', 'some.txt', '-'],
      status: 1,
      want: 'revmap: -: a recording begins with what is known at its end: it needs a file',
    },
    {
      args: ['convert', 'some.rvm.gz', 'other.rvm.gz'],
      status: 1,
      want: 'revmap: some.rvm.gz: is a recording already; --to says what it shall become',
    },
    { args: ['convert', 'some.txt', 'none/x.rvm.gz'], status: 1, want: 'revmap: ENOENT: no such file or directory' },
    { args: ['convert', 'none', 'x.csv'], status: 1, want: 'revmap: none: no such file' },
    { args: ['run', 'some.txt', '--format', 'pcap'], status: 2, want: 'revmap: option ' },
    { args: ['info', 'sub'], status: 1, want: 'revmap: sub: is a folder' },
    { args: ['info', 'esc\x1b[31m'], status: 1, want: 'revmap: esc?[31m: line 1: not a recording' },
  ]) {
    const found = revmap(args);
    expect({ status: found.status, stdout: found.stdout }, args.join(' ')).toEqual({ status, stdout: '' });
    expect(found.stderr.startsWith(want), found.stderr).toBe(true);
    expect(found.stderr.trim().split('\n').length, found.stderr).toBe(1);
  }
});

test('info: fits in a narrow terminal, and lets no name reach it raw', async () => {
  const log = readFileSync(join(samples, 'lackey-d.txt'), 'utf8').replaceAll('/etc/passwd', '/etc/\x1b[31mred\x07');
  const info = infoOf(await openBytes(Buffer.from(log), 'x'));
  expect(info.mappings.some((m) => m.name.includes('\x1b'))).toBe(true);
  for (const width of [20, 40, 69, 80, 200]) {
    const text = describeInfo(info, width);
    expect(text).not.toContain('\x1b');
    expect(text).not.toContain('\x07');
    const rows = text.split('\n').filter((line) => line.includes('│'));
    expect(rows.length).toBeGreaterThan(3);
    for (const row of rows) expect(row.length, row).toBeLessThanOrEqual(Math.max(width, 24));
  }
  expect(describeInfo(info, 40)).not.toContain('│ [stack]');
  expect(describeInfo(info, 100)).toContain('│ [stack]');
});
