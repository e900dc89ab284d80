/**
 * The command `measure`, whole: a boot of Debian's kernel, and this computer's kernel; nothing is left behind, also when it is killed.
 * Where this machine does not allow it, a test is skipped, and its name says why.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { hostCgroups } from '../src/measure/host.ts';
import { debianKernel } from '../src/measure/kernel.ts';
import { missingPackage } from '../src/measure/virtual.ts';
import { OUR_NAME } from '../src/measure/watchdog.ts';
import { parseTruth } from '../src/trace/truth.ts';

const folder = mkdtempSync(join(tmpdir(), 'measure-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
const root = fileURLToPath(new URL('..', import.meta.url));

function named(name: string, missing: string | null): string {
  return missing === null ? name : `${name} (skipped: ${missing})`;
}

/** Why no machine can be booted, or null. */
function noMachine(): string | null {
  const name = missingPackage();
  if (name !== null) return `no ${name}`;
  try {
    debianKernel(() => {});
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function noHost(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  return hostCgroups() === null ? 'no memory cgroups' : null;
}

/** What a measurement of `pid` may have left. */
function leftBy(pid: number): string[] {
  const places = [tmpdir(), ...(hostCgroups() === null ? [] : [hostCgroups()!.root])];
  const found = places.flatMap((place) => readdirSync(place).map((name) => join(place, name)));
  const swaps = readFileSync('/proc/swaps', 'utf8').split('\n');
  return [...found, ...swaps].filter((each) => each.includes(`${OUR_NAME}${pid}`));
}

/** Dirties 12 MiB, twice. */
const PROGRAM = [
  '/usr/bin/perl',
  '-e',
  '$x = "a" x 12582912; for (1..2) { substr($x, $_ * 4096, 1) = "x" for 0..3071 }',
];

const withoutMachine = noMachine();
test.skipIf(withoutMachine !== null)(named("one boot of Debian's kernel: a limit, and none", withoutMachine), () => {
  const file = join(folder, 'perl.truth.tsv');
  const args = ['bin/revmap', 'measure', '--repeat', '1', '--limits', '60%', '-o', file, '--json', '--', ...PROGRAM];
  const { status, stdout, stderr } = spawnSync('node', args, { cwd: root, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const rows = parseTruth(readFileSync(file, 'utf8'), file);
  expect(rows.map((row) => [row.status, row.limitBytes === null])).toEqual([
    [0, true],
    [0, false],
  ]);
  expect(rows[0]!.counts['pswpout']).toBe(0);
  expect(rows[1]!.counts['pswpout']).toBeGreaterThan(1000);
  expect(rows[1]!.counts['m.pgscan']).toBeGreaterThan(1000);
  expect(JSON.parse(stdout).points.length).toBe(2);
});

const withoutHost = noHost();
test.skipIf(withoutHost !== null)(named('on this kernel: what was made is gone', withoutHost), async () => {
  const args = [
    'bin/revmap',
    'measure',
    '--kernel',
    'host',
    '--repeat',
    '1',
    '--limits',
    '60%',
    '--swap',
    '64M',
    '--json',
  ];
  const child = spawn('node', [...args, '--', ...PROGRAM], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const [status] = await once(child, 'close');
  expect(status).toBe(0);
  expect(JSON.parse(said).rows.length).toBe(2);
  expect(leftBy(child.pid!)).toEqual([]);
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test.skipIf(withoutHost !== null)(
    named(`on this kernel, ended by ${signal}: what was made is gone`, withoutHost),
    async () => {
      const args = ['measure', '--kernel', 'host', '--repeat', '1', '--swap', '16M', '--swap-device', 'disk'];
      const child = spawn('node', ['bin/revmap', ...args, '--', 'sleep', '3'], { cwd: root, stdio: 'ignore' });
      const cgroup = join(hostCgroups()!.root, `${OUR_NAME}${child.pid}`, 'program');
      for (let tries = 0; !existsSync(cgroup) && tries < 1500; tries++) await setTimeout(20);
      expect(existsSync(cgroup)).toBe(true);
      child.kill(signal);
      for (let tries = 0; leftBy(child.pid!).length > 0 && tries < 500; tries++) await setTimeout(20);
      expect(leftBy(child.pid!)).toEqual([]);
    },
  );
}
