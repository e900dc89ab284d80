/** The command as a user meets it: what stands on stdout, what on stderr, how it exits. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeReady } from '../../scripts/setup.mjs';
import { GENERATIONS } from '../mm/generations/index.ts';

const root = join(import.meta.dirname, '../..');
const zipf = join(root, 'examples', 'zipf.rvm.gz');
const folder = mkdtempSync(join(tmpdir(), 'revmap-cli-'));
const cli = join(root, 'dist', 'cli.js');

beforeAll(() => makeReady());
afterAll(() => rmSync(folder, { recursive: true }));

function revmap(args: string[], input?: Uint8Array) {
  const env = { ...process.env, NO_COLOR: '1', XDG_CACHE_HOME: join(folder, 'cache') };
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

describe('run --trace-out', () => {
  test('writes the file and prints the same result', () => {
    const args = ['run', zipf, '--limit', '24M', '--json', ...small];
    const traced = revmap([...args, '--trace-out', 'zipf.txt', '--trace-events', 'vmscan:*memcg*']);
    expect(traced).toMatchObject({ status: 0, stderr: '' });
    const { seconds: _, ...result } = JSON.parse(traced.stdout);
    const { seconds: __, ...untraced } = JSON.parse(revmap(args).stdout);
    expect(result).toEqual(untraced);
    const lines = readFileSync(join(folder, 'zipf.txt'), 'utf8').split('\n');
    expect(lines[0]).toBe('# tracer: nop');
    expect(lines[12]).toMatch(
      /^ +wl-1000 +\[000\] \.{5} +0\.\d{6}: mm_vmscan_memcg_reclaim_begin: order=0 gfp_flags=\w+$/,
    );
  });

  for (const { why, args, status, says } of [
    {
      why: 'a name that tells no form',
      args: ['--trace-out', 'refused.json'],
      status: 2,
      says: /'refused\.json' tells no form/,
    },
    {
      why: 'no such event',
      args: ['--trace-out', 'refused.txt', '--trace-events', 'x'],
      status: 2,
      says: /'x' names no event/,
    },
    { why: 'no step', args: ['--trace-out', 'refused.txt', '--trace-to', '-1'], status: 2, says: /A whole number/ },
    {
      why: 'a policy has no tracepoints',
      args: ['--trace-out', 'refused.txt', '--policy', 'lru'],
      status: 2,
      says: /needs a kernel/,
    },
    { why: 'a folder that is not there', args: ['--trace-out', 'no/refused.txt'], status: 1, says: /ENOENT/ },
    { why: 'no file', args: ['--trace-out', '/dev/null', '--trace-format', 'dat'], status: 1, says: /not a file/ },
  ]) {
    test(`refused: ${why}`, () => {
      const result = revmap(['run', zipf, ...args, ...small]);
      expect([result.status, result.stdout]).toEqual([status, '']);
      expect(result.stderr).toMatch(says);
      expect(result.stderr.trimEnd().split('\n').length).toBe(1);
      expect(readdirSync(folder).filter((name) => name.startsWith('refused.'))).toEqual([]);
    });
  }
});

test('run --policy: a policy instead of a kernel, by name or out of a file, and the list of them', () => {
  const run = revmap(['run', zipf, '--policy', 'clock', '--limit', '24M', '--json']);
  expect(run.stderr).toBe('');
  expect(JSON.parse(run.stdout)).toMatchObject({
    policy: 'CLOCK',
    limit_bytes: 24 * 2 ** 20,
    capacity: 6144,
    accesses: 685919,
    hits: 670071,
    misses: 15848,
    cold_misses: 8259,
    evictions: 9704,
    scans: 26720,
  });
  const text = revmap(['run', zipf, '--policy', 'OPT', '--limit', '24M']).stdout;
  expect(text).toContain('zipf under OPT, limit 24.0 MiB: 6,144 pages; it uses 8,259 pages, and');
  expect(text).toMatch(/ dirty evictions +\d/);
  expect(revmap(['run', '--policy', 'list']).stdout).toMatch(/^kernel +sees accessed bits .*\nLRU +sees accesses /);

  const mine = join(folder, 'mine.mjs');
  const start = '() => ({ hit() {}, miss() {} })';
  writeFileSync(mine, `export default { name: 'mine', about: '', sees: 'accesses', start: ${start} };`);
  const broken = revmap(['run', zipf, '--policy', mine, '--limit', '24M']);
  expect(broken.status).toBe(1);
  expect(broken.stderr).toMatch(
    /^revmap: \S+mine[.]mjs: policy mine, access \d+: evicts nothing, but 6144 pages fill memory\n$/,
  );

  for (const args of [['run', zipf, '--policy', 'nobody'], ['run']]) expect(revmap(args).status).toBe(2);
});

test('sweep: curve, table, advice, and a report where it was asked for', () => {
  const { status, stdout, stderr } = revmap(['sweep', zipf, '--limits', '34M,20M', '--report', 'r/x.html', ...small]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('┤');
  expect(stdout.replace(/\s+/g, ' ')).toMatch(
    /zipf runs in 32\.\d MiB as it does without a limit, \d+ % of its peak; in 31\.\d MiB it thrashes/,
  );
  expect(stdout).toContain('report: r/x.html');
  expect(readFileSync(join(folder, 'r/x.html'), 'utf8')).toContain('What a limit costs');
});

test('sweep: workers give what one thread gives', () => {
  const json = (workers: string) =>
    revmap(['sweep', zipf, '--limits', '2', '--json', '--fresh', '--workers', workers, ...small]).stdout;
  expect(json('2')).toBe(json('0'));
});

test('curve: the same numbers as text, JSON and CSV; a sample says how far off it is', () => {
  const { status, stdout, stderr } = revmap(['curve', zipf, '--json', '--points', '4']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const curve = JSON.parse(stdout);
  expect(curve).toMatchObject({ accesses: 685919, pages: 8259, cold_misses: 8259, sample: null });
  const [first, , , last] = curve.points;
  expect(first).toMatchObject({ pages: 2065, bytes: 2065 * 4096 });
  expect(first.opt_misses).toBeLessThan(first.lru_misses);
  expect(last).toMatchObject({ pages: 8259, lru_misses: 8259, opt_misses: 8259 });
  const { stdout: csv } = revmap(['curve', zipf, '--csv', '--points', '4']);
  expect(csv.split('\n')[1]).toBe(
    [2065, 2065 * 4096, first.lru_misses, first.lru_miss_ratio, first.opt_misses, first.opt_miss_ratio].join(','),
  );
  const sampled = revmap(['curve', zipf, '--sample', '0.01', '--no-opt']);
  expect(sampled.stdout).toMatch(/LRU from 4,\d\d\d of them \(rate 0\.496, seed 0\), the miss ratio ±0\.00\d\d/);
  expect(revmap(['curve', zipf, '--sample', '2'])).toMatchObject({ status: 2, stdout: '' });
});

test('compare: JSON with the names that were promised', () => {
  const { status, stdout, stderr } = revmap(['compare', zipf, '--limit', '24M', '--json', ...small]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ recording: 'zipf', events: 685919, limits: [24 * 2 ** 20] });
  expect(result.kernels).toEqual(result.runs.map((run: { kernel: string }) => run.kernel));
  expect(result.runs.map((run: { family: string }) => run.family)).toEqual([
    'linux-2.4',
    'linux-2.6',
    'linux-3',
    'linux-6',
  ]);
  const promised =
    'minor_faults major_faults swapped_in swapped_out read_again scanned_per_reclaimed ram_bytes peak_bytes';
  for (const run of result.runs) {
    for (const name of promised.split(' ')) expect(run[name], `${run.kernel} ${name}`).toEqual(expect.any(Number));
    expect(Object.keys(run.work)).toContain('ptes_visited');
    expect(run.cost.seconds).toBeGreaterThan(0);
  }
  expect(result.runs[0].refaults_anon).toBeNull();
  expect(result.runs[3].refaults_anon).toEqual(expect.any(Number));
  const [{ firsts }] = result.partings;
  expect(Object.keys(firsts)).toContain('swapped_out');
  expect(firsts.swapped_out[result.kernels[3]]).toMatchObject({ event: expect.any(Number), page: expect.any(String) });
  expect(result.prices.access).toBe(1);
});

test('compare: a table, a picture and the partings in a pipe; a page where it was asked for', () => {
  const args = ['compare', zipf, '--kernels', 'linux-6,6.1', '--limits', '32M,24M', '--report', 'c/x.html', ...small];
  const { status, stdout, stderr } = revmap(args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('zipf on 2 kernels, 685,919 page events');
  expect(stdout).toContain('a 6.18   b 6.1   * both');
  expect(stdout).toMatch(/^ limit 24\.0 MiB +6\.18 +6\.1 $/m);
  expect(stdout).toMatch(/^ made of +memory\.max +memory\.max $/m);
  expect(stdout).toMatch(/^ scanned per reclaimed +[\d.]+ +[\d.]+ $/m);
  expect(stdout).toMatch(/first time that a page is swapped out\n {4}6\.18 +at [\d,]+ \(\d+ %\)/);
  expect(stdout).toContain('report: c/x.html');
  expect(stdout).not.toContain('\x1b');
  expect(readFileSync(join(folder, 'c/x.html'), 'utf8')).toContain('<h2>Where they part ways</h2>');
});

test('compare: workers give what one thread gives', () => {
  const asked = ['compare', zipf, '--kernels', '6.18,2.4.19', '--limits', '28M', '--json', ...small];
  const json = (workers: string) =>
    JSON.parse(revmap([...asked, '--workers', workers]).stdout, (key, value) => (key === 'seconds' ? 0 : value));
  expect(json('2')).toEqual(json('0'));
});

test('the help names the kernels and the prices', () => {
  const { status, stdout } = revmap(['compare', '--help']);
  expect(status).toBe(0);
  for (const name of ['2.4.18', '2.6.26', '3.16', '6.18', 'linux-2.4', 'memory.max', 'mem='])
    expect(stdout).toContain(name);
  expect(stdout).toMatch(/page-table entry visited +10 ns/);
  expect(revmap(['run', '--help']).stdout).toContain('2.4.19');
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

const corpus = join(root, 'oracle', 'corpus');

/** A copy of a program of the corpus with a recording, changed on the way. */
function copyOf(name: string, to: string, change: (recording: string) => string = (text) => text): void {
  mkdirSync(dirname(join(folder, to)), { recursive: true });
  writeFileSync(join(folder, `${to}.mmp`), readFileSync(join(corpus, `${name}.mmp`)));
  writeFileSync(join(folder, `${to}.rec`), change(readFileSync(join(corpus, `${name}.6.18.rec`), 'utf8')));
}

test('check: JSON with the names that were promised; 0 only if all are equal', () => {
  copyOf('07-swap', 'all/good');
  copyOf('07-swap', 'all/sub/bad', (text) =>
    text.replace(
      '"op":5,"proc":2,"call":"2 load(0x100000000000)","ret":1',
      '"op":5,"proc":2,"call":"2 load(0x100000000000)","ret":0',
    ),
  );
  const good = { program: 'good.mmp', recording: 'good.rec', equal: true, calls: 9, first_difference: null };
  const { status, stdout } = revmap(['check', 'all', '--json']);
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    programs: 2,
    equal: 1,
    calls: 18,
    calls_before_first_difference: 13,
    results: [
      good,
      {
        program: 'sub/bad.mmp',
        recording: 'sub/bad.rec',
        equal: false,
        calls: 9,
        first_difference: {
          op: 5,
          call: '2 load(0x100000000000)',
          where: 'call',
          field: 'ret',
          kernel: '0',
          engine: '1',
        },
      },
    ],
  });
  const one = revmap(['check', 'all/good.mmp', '--json', '--kernel', '6.18']);
  expect(one.status).toBe(0);
  expect(JSON.parse(one.stdout)).toMatchObject({
    programs: 1,
    equal: 1,
    calls: 9,
    calls_before_first_difference: 9,
    results: [good],
  });
});

test('check: text says what is equal, and draws what differs', () => {
  copyOf('03-cow-tree', 'text/cow', (text) => text.replace('|anon_exclusive', ''));
  copyOf('07-swap', 'text/swap');
  const { status, stdout } = revmap(['check', 'text']);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^cow\.mmp on 6\.18: differs at call \d of 12: process 1, page \d \(0x1\w+\), flags$/m);
  expect(stdout).toMatch(/^ {2}> anon_exclusive +- +- +yes$/m);
  expect(stdout).toMatch(/^swap\.mmp on 6\.18: equal \(9 calls, \d+ fields\)$/m);
  expect(stdout).toMatch(/^1 of 2 comparisons equal; \d+ of 21 calls before the first difference$/m);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
});

test("check --record: the engine's own recordings, which it is equal to", () => {
  const program = join(corpus, '05-shared-anon-fork.mmp');
  expect(revmap(['check', program, '--record', 'one', '--kernel', '6.1']).status).toBe(0);
  expect(revmap(['check', program, '--record', 'both']).status).toBe(0);
  expect(readdirSync(join(folder, 'one'))).toEqual(['05-shared-anon-fork.rec']);
  const versions = GENERATIONS.map((g) => `05-shared-anon-fork.${g.version}.rec`);
  expect(readdirSync(join(folder, 'both')).sort()).toEqual(versions.sort());
  const [header, ...lines] = readFileSync(join(folder, 'one', '05-shared-anon-fork.rec'), 'utf8').split('\n');
  expect(header).toContain('"kernel":"6.1"');
  // Of this program the engine's differs from the kernel's in the header only.
  expect(lines).toEqual(readFileSync(join(corpus, '05-shared-anon-fork.6.1.rec'), 'utf8').split('\n').slice(1));
});

test('check: many programs come in their order, up to the first that is damaged', () => {
  for (let i = 100; i < 300; i++) copyOf('07-swap', `many/p${i}`);
  const names = (stdout: string): string[] => [...stdout.matchAll(/^(p\d+)\.mmp on 6\.18: equal/gm)].map((m) => m[1]!);
  const all = revmap(['check', 'many']);
  expect({ status: all.status, stderr: all.stderr }).toEqual({ status: 0, stderr: '' });
  expect(names(all.stdout)).toEqual(Array.from({ length: 200 }, (_, i) => `p${100 + i}`));
  expect(all.stdout).toMatch(/^200 of 200 comparisons equal; 1,800 of 1,800 calls before the first difference$/m);
  copyOf('07-swap', 'many/p250', (text) => text.slice(0, 40));
  const some = revmap(['check', 'many']);
  expect(some).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^revmap: many\/p250\.rec:1: no JSON: .*\n$/),
  });
  expect(names(some.stdout)).toHaveLength(150);
});

test('check: what is damaged is named with its line', () => {
  copyOf('07-swap', 'cut/a', (text) => text.slice(0, 3000));
  expect(revmap(['check', 'cut'])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^revmap: cut\/a\.rec:\d+: no JSON: .*\n$/),
  });
  writeFileSync(join(folder, 'cut', 'a.mmp'), '%mmp 1\n1 mmap(0x1000\n');
  expect(revmap(['check', 'cut'])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^revmap: cut\/a\.mmp:2: /),
  });
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
  { why: 'a bad kernel among good ones', args: ['compare', zipf, '--kernels', '6.1,5.4'], status: 2, said: "'5.4'" },
  {
    why: 'a limit and limits',
    args: ['compare', zipf, '--limit', '9M', '--limits', '8'],
    status: 2,
    said: '--limit and --limits say the same in two ways',
  },
  { why: 'a bad limit to compare', args: ['compare', zipf, '--limits', '9M..'], status: 2, said: 'is no range' },
  { why: 'bad limits', args: ['sweep', zipf, '--limits', '9M..'], status: 2, said: "'9M..' is no range" },
  { why: 'no program', args: ['check', 'none.mmp'], status: 1, said: 'revmap: none.mmp: no such file or folder\n' },
  {
    why: 'no recording of this kernel',
    args: ['check', 'all/good.mmp', '--kernel', '6.1'],
    status: 1,
    said: 'revmap: all/good.mmp: no recording of 6.1 lies beside it (good.6.1.rec)\n',
  },
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
