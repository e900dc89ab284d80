/** Sweeps over grids, ended in the middle and begun again; questions to their results. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeReady } from '../../scripts/setup.mjs';

const root = join(import.meta.dirname, '../..');
const zipf = join(root, 'examples', 'zipf.rvm.gz');
const cli = join(root, 'dist', 'cli.js');
const folder = mkdtempSync(join(tmpdir(), 'revmap-sweep-'));
const env = { ...process.env, NO_COLOR: '1', XDG_CACHE_HOME: join(folder, 'cache') };

beforeAll(() => makeReady());
afterAll(() => rmSync(folder, { recursive: true }));

function revmap(args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
  });
  return { status, stdout, stderr };
}

function entries(out: string): string[] {
  return readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((name) => /^[^.].*\.json$/.test(name));
}

/** Starts a sweep, waits until some of its results are there, and ends it. */
async function endedInTheMiddle(out: string, args: string[], signal: NodeJS.Signals) {
  const child: ChildProcess = spawn(process.execPath, [cli, ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  for (let done = 0; done < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    try {
      done = entries(out).length;
    } catch {
      done = 0;
    }
  }
  child.kill(signal);
  return { status: await ended, stderr };
}

const manyLimits = (out: string) => [
  'sweep',
  zipf,
  '--limits',
  '16',
  '--limits-only',
  '--workers',
  '2',
  '--json',
  '--out',
  join(folder, out),
];

for (const signal of ['SIGKILL', 'SIGINT'] as const) {
  test(`sweep: ended by ${signal}, the same command goes on from there`, async () => {
    const out = join(folder, signal);
    const args = manyLimits(signal);
    const { status, stderr } = await endedInTheMiddle(out, args, signal);
    if (signal === 'SIGINT') {
      expect(status).toBe(130);
      expect(stderr).toMatch(
        /^revmap: interrupted: \d+ of 17 replays are done; they are kept in .*SIGINT; the same command/,
      );
      expect(stderr.trimEnd().split('\n').length).toBe(1);
    }
    const kept = entries(out).map((name) => ({ name, time: statSync(join(out, name)).mtimeMs }));
    expect(kept.length).toBeLessThan(17);
    const again = revmap(args);
    expect({ status: again.status, stderr: again.stderr }).toEqual({ status: 0, stderr: '' });
    for (const { name, time } of kept) expect(statSync(join(out, name)).mtimeMs).toBe(time);
    expect(entries(out).length).toBe(17);
    expect(again.stdout).toBe(revmap(manyLimits('whole')).stdout);
  });
}

test('sweep: two at once share a folder', async () => {
  const out = join(folder, 'shared');
  const args = ['sweep', zipf, '--limits', '6', '--workers', '1', '--json', '--out', out];
  const run = () =>
    new Promise<string>((resolve) => {
      const child = spawn(process.execPath, [cli, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
      let stdout = '';
      child.stdout.on('data', (text) => {
        stdout += text;
      });
      child.on('close', () => resolve(stdout));
    });
  const [one, other] = await Promise.all([run(), run()]);
  expect(one).toBe(other);
  expect(JSON.parse(one).runs.length).toBe(6);
  expect(readdirSync(out).filter((name) => name.endsWith('.parquet')).length).toBe(1);
  expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('sweep: a grid: a column for each machine, a curve each in JSON, a line for each run in CSV', () => {
  const grid = ['sweep', zipf, '--limits', '30M,20M', '--kernel', '3.16,6.1', '--mglru', 'off,on', '--swap', '0,64M'];
  const args = [...grid, '--policy', 'kernel,lru'];
  const { status, stdout, stderr } = revmap(args);
  expect(status).toBe(0);
  expect(stderr).toBe('revmap: skipped: MGLRU on Linux 3.16: it came with 6.1\n');
  expect(stdout).toContain('zipf on 7 configurations');
  expect(stdout).toContain('Linux 6.1, MGLRU, 64 MiB of swap');
  const json = JSON.parse(revmap([...args, '--json']).stdout);
  expect(Object.keys(json)).toEqual(['recording', 'command', 'curves', 'skipped']);
  const runs = json.curves.map((curve: { runs: { limit_bytes: number }[] }) =>
    curve.runs.map((run) => run.limit_bytes),
  );
  expect(runs).toEqual(Array(7).fill([30 * 2 ** 20, 20 * 2 ** 20]));
  expect(json.curves.at(-1).configuration.policy).toBe('LRU');
  expect(json.curves.at(-1).unlimited.counters.pgmajfault).toBe(0);
  expect(
    revmap([...args, '--csv'])
      .stdout.trimEnd()
      .split('\r\n').length,
  ).toBe(1 + 7 * 3);
});

test('query: what sweeps kept, as a table, CSV and JSON', () => {
  const sql = 'SELECT kernel, swap_bytes, limit_bytes FROM runs WHERE NOT mglru ORDER BY ALL LIMIT 2';
  revmap(['sweep', zipf, '--limits', '30M', '--limits-only', '--out', 'asked']);
  const ask = (...more: string[]) => revmap(['query', sql, '--results', 'asked', ...more]).stdout;
  expect(JSON.parse(ask('--json'))).toEqual([
    { kernel: '6.18', swap_bytes: 2 ** 29, limit_bytes: 30 * 2 ** 20 },
    { kernel: '6.18', swap_bytes: 2 ** 29, limit_bytes: null },
  ]);
  expect(ask('--csv')).toBe('kernel,swap_bytes,limit_bytes\r\n6.18,536870912,31457280\r\n6.18,536870912,\r\n');
  expect(ask()).toContain('31,457,280');
});

test('sweep: a policy of one’s own, out of a file and what it imports', () => {
  const mine = (victim: string) => {
    writeFileSync(join(folder, 'victim.ts'), `export const victim = (pages: number[]): number => ${victim};\n`);
    writeFileSync(
      join(folder, 'mine.ts'),
      `import { victim } from './victim.ts';
       export default {
         name: 'mine', about: 'a test', sees: 'accesses',
         start: (memory: { full: boolean; evict(page: number): void }) => {
           const pages: number[] = [];
           return { hit() {}, miss(page: number) {
             if (memory.full) { const at = victim(pages); memory.evict(pages[at]!); pages.splice(at, 1); }
             pages.push(page);
           } };
         },
       };\n`,
    );
    const { status, stderr, stdout } = revmap(['sweep', zipf, '--limits', '20M', '--policy', './mine.ts', '--csv']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout;
  };
  const first = mine('0');
  expect(mine('0')).toBe(first);
  expect(mine('pages.length - 1')).not.toBe(first);
});

for (const { why, args, status, said } of [
  {
    why: 'a bad value among good ones',
    args: ['--swappiness', '0,300'],
    status: 2,
    said: 'A whole number from 0 to 200',
  },
  { why: 'a device that is none', args: ['--swap-device', 'zram,ssd'], status: 2, said: 'zram or disk' },
  { why: 'a policy that is none', args: ['--policy', 'lru,nix'], status: 2, said: "There is no policy 'nix'" },
  {
    why: 'a policy file that is none',
    args: ['--policy', './none.ts'],
    status: 1,
    said: 'revmap: ./none.ts: cannot be read (ENOENT)\n',
  },
  { why: 'a grid of nothing', args: ['--kernel', '3.16', '--mglru'], status: 1, said: 'nothing is left of it' },
  {
    why: 'the truth about a grid',
    args: ['--kernel', '6.1,6.18', '--truth', 'none.tsv'],
    status: 2,
    said: '--truth is about one configuration',
  },
  { why: 'JSON and CSV', args: ['--json', '--csv'], status: 2, said: "'--csv' cannot be used with option '--json'" },
]) {
  test(`sweep: refused: ${why}`, () => {
    const result = revmap(['sweep', zipf, ...args]);
    expect(result.status).toBe(status);
    expect(result.stdout).toBe('');
    expect(result.stderr).toContain(said);
  });
}

test('sweep: where nothing can be kept, it is said, and the sweep goes on', () => {
  writeFileSync(join(folder, 'file'), '');
  const { status, stderr, stdout } = spawnSync(process.execPath, [cli, 'sweep', zipf, '--limits', '1'], {
    encoding: 'utf8',
    env: { ...env, XDG_CACHE_HOME: join(folder, 'file') },
  });
  expect(status).toBe(0);
  expect(stderr).toMatch(/^revmap: .*: results cannot be kept here \(ENOTDIR\)\n$/);
  expect(stdout).toContain('zipf');
  expect(revmap(['sweep', zipf, '--out', 'file/x']).status).toBe(1);
});

test('sweep: a damaged result is made again, and said', () => {
  const out = join(folder, 'damaged');
  const args = ['sweep', zipf, '--limits', '1', '--json', '--out', out];
  const whole = revmap(args).stdout;
  const [name] = entries(out);
  writeFileSync(join(out, name!), readFileSync(join(out, name!), 'utf8').slice(0, 500));
  const { stdout, stderr } = revmap(args);
  expect(stdout).toBe(whole);
  expect(stderr).toMatch(/^revmap: .*\.json: not whole; it is made again\n$/);
});

test('sweep: plots as files, caches beside the curve, what a real kernel did', () => {
  const truth = join(root, 'oracle', 'truth', 'zipf.truth.tsv');
  const args = ['sweep', zipf, '--kernel', '6.1', '--limits', '32M,24M', '--limits-only', '--out', 'told'];
  const more = ['--truth', truth, '--miss-ratio', '--svg', 'plots', '--report', 'told.html'];
  const { status, stdout } = revmap([...args, ...more]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/z-n-3 +pswpout +pgmajfault +pgscan/);
  expect(stdout.replace(/\s+/g, ' ')).toMatch(
    /of 2\d counts keep to it. Measured, the smallest limit is more than 29.9 MiB; none was predicted/,
  );
  expect(readdirSync(join(folder, 'plots')).sort()).toEqual(
    ['caches', 'pages', 'time', 'truth'].map((name) => `zipf-${name}.svg`),
  );
  const json = JSON.parse(revmap([...args, ...more, '--json']).stdout);
  expect(json.truth.points.length).toBeGreaterThan(4);
  expect(json.miss_ratio.points.at(-1).lru_misses).toBe(json.miss_ratio.cold_misses);
  expect(json).toMatchObject({ report: 'told.html', refined: [], alternatives: null, recorded: null });
  expect(json.uncertainty.length).toBeGreaterThan(3);
});

for (const { why, text, want } of [
  { why: 'empty', text: '', want: "line 1: no truth table: the first line has no column 'program'" },
  {
    why: 'not text',
    text: '\0\xff\0\n'.repeat(9),
    want: "line 1: no truth table: the first line has no column 'program'",
  },
  {
    why: 'a cell is no number',
    text: 'program\tmode\tlimit_kib\tstatus\tpswpin\na\tz-n-3\t4\t0\t1e9\n',
    want: "line 2: 'pswpin' is no number: '1e9'",
  },
  {
    why: 'a number beyond 2^53',
    text: `program\tmode\tlimit_kib\tstatus\tpswpin\na\tz-n-3\t4\t0\t${'9'.repeat(40)}\n`,
    want: "line 2: 'pswpin' is no number",
  },
  {
    why: 'a column called __proto__',
    text: 'program\tmode\tlimit_kib\tstatus\t__proto__\na\tv-n-3\t4\t0\tx\n',
    want: 'mode: this sweep is z-n-3, and the table has only v-n-3',
  },
]) {
  test(`sweep --truth: one line says what is wrong: ${why}`, () => {
    writeFileSync(join(folder, 'bad.tsv'), text);
    const { status, stdout, stderr } = revmap(['sweep', zipf, '--truth', 'bad.tsv']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n').length).toBe(1);
    expect(stderr).toContain(`revmap: bad.tsv: ${want}`);
  });
}

test('sweep --truth, --miss-ratio: about one machine', () => {
  for (const [flag, ...value] of [['--truth', 'x'], ['--miss-ratio']]) {
    const { status, stderr } = revmap(['sweep', zipf, '--kernel', '6.1,6.18', flag!, ...value]);
    expect(status).toBe(2);
    expect(stderr).toBe(`revmap: ${flag} is about one configuration, and this is a grid\n`);
  }
});
