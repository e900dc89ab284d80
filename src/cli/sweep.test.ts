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

for (const signal of ['SIGKILL', 'SIGINT'] as const) {
  test(`sweep: ended by ${signal}, the same command goes on from there`, async () => {
    const out = join(folder, signal);
    const args = ['sweep', zipf, '--limits', '40', '--limits-only', '--workers', '2', '--json', '--out', out];
    const { status, stderr } = await endedInTheMiddle(out, args, signal);
    if (signal === 'SIGINT') {
      expect(status).toBe(130);
      expect(stderr).toMatch(
        /^revmap: interrupted: \d+ of 41 replays are done; they are kept in .*SIGINT; the same command/,
      );
      expect(stderr.trimEnd().split('\n').length).toBe(1);
    }
    const kept = entries(out).map((name) => ({ name, time: statSync(join(out, name)).mtimeMs }));
    expect(kept.length).toBeLessThan(41);
    const again = revmap(args);
    expect({ status: again.status, stderr: again.stderr }).toEqual({ status: 0, stderr: '' });
    for (const { name, time } of kept) expect(statSync(join(out, name)).mtimeMs).toBe(time);
    expect(entries(out).length).toBe(41);
    const elsewhere = revmap([...args.slice(0, -1), join(folder, `${signal}-whole`)]);
    expect(again.stdout).toBe(elsewhere.stdout);
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
    why: 'a report of a grid',
    args: ['--kernel', '6.1,6.18', '--report'],
    status: 2,
    said: '--report is about one configuration',
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
