/** Sweeps over a real Redis server, with workers that die: what comes back is what one machine gives. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createPort } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeReady } from '../../../scripts/setup.mjs';
import type { RunResult } from '../result.ts';
import { packAnswer, readJob, unpackAnswer } from './job.ts';

const root = join(import.meta.dirname, '../../..');
const zipf = join(root, 'examples', 'zipf.rvm.gz');
const cli = join(root, 'dist', 'cli.js');
const folder = mkdtempSync(join(tmpdir(), 'revmap-queue-'));
const PASSWORD = 'a-word-that-nobody-may-see';
const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
/** Said with each test that is skipped. */
const why = hasRedis ? '' : ' (skipped: redis-server is not installed)';
const onRedis = test.skipIf(!hasRedis);

let redisServer: ChildProcess;
let url = '';
const started: ChildProcess[] = [];
/** All that our processes wrote to stderr. */
let said = '';

beforeAll(async () => {
  await makeReady();
  if (!hasRedis) return;
  const port = await freePort();
  url = `redis://:${PASSWORD}@127.0.0.1:${port}`;
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--requirepass', PASSWORD];
  redisServer = spawn('redis-server', args, { stdio: 'ignore' });
  await until(async () => {
    const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
    redis.on('error', () => {});
    try {
      await redis.connect();
      return true;
    } catch {
      return false;
    } finally {
      redis.disconnect();
    }
  });
});

/** Nothing of the last test is left, even if it failed. */
beforeEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  if (!hasRedis) return;
  const redis = new Redis(url);
  await redis.flushall();
  redis.disconnect();
});

afterAll(async () => {
  for (const child of started) child.kill('SIGKILL');
  redisServer?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  expect(said).not.toContain(PASSWORD);
});

async function freePort(): Promise<number> {
  const server = createPort();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 20));
}

interface Running {
  child: ChildProcess;
  stdout: string;
  stderr: string;
  ended: Promise<number | null>;
}

/** In a folder of its own, which is its cache too. */
function start(name: string, args: string[], input: Buffer | null = null): Running {
  const cwd = mkdtempSync(join(folder, `${name}-`));
  const env = { ...process.env, NO_COLOR: '1', XDG_CACHE_HOME: join(cwd, 'cache') };
  const child = spawn(process.execPath, [cli, ...args], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  started.push(child);
  const running: Running = {
    child,
    stdout: '',
    stderr: '',
    ended: new Promise((resolve) => child.on('close', resolve)),
  };
  child.stdout.on('data', (text) => {
    running.stdout += text;
  });
  child.stderr.on('data', (text) => {
    running.stderr += text;
    said += text;
  });
  child.stdin.end(input ?? undefined);
  return running;
}

function worker(...more: string[]): Running {
  return start('worker', ['worker', '--queue', url, '--workers', '1', '--dead-after', '5', ...more]);
}

function sweep(limits: string, more: string[], file = zipf, input: Buffer | null = null): Running {
  return start('sweep', ['sweep', file, '--limits', limits, '--limits-only', '--json', ...more], input);
}

const overQueue = (limits: string, more: string[] = []) => sweep(limits, ['--queue', url, ...more]);

async function whole(running: Running): Promise<string> {
  const status = await running.ended;
  // Said while a new worker is on its way.
  const stderr = running.stderr.replace(/^revmap: no worker of this revmap .*\n/, '');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return running.stdout;
}

async function ended(...workers: Running[]): Promise<void> {
  for (const { child } of workers) child.kill('SIGTERM');
  for (const one of workers) expect(await one.ended).toBe(0);
}

const runsOf = (one: Running) => one.stderr.split('\n').filter((line) => / s$/.test(line)).length;

onRedis(
  `queue: a worker killed in the middle loses nothing; the results are the local ones, byte for byte${why}`,
  async () => {
    const first = worker();
    const swept = overQueue('6');
    await until(() => runsOf(first) >= 3);
    first.child.kill('SIGKILL');
    await first.ended;
    const redis = new Redis(url);
    const [active] = await redis.keys('revmap:runs-*:active');
    const underWay = active === undefined ? [] : await redis.lrange(active, 0, -1);
    expect(underWay.length).toBe(1);
    redis.disconnect();
    const second = worker();
    const stdout = await whole(swept);
    expect(JSON.parse(stdout).runs.length).toBe(6);
    expect(stdout).toBe(await whole(sweep('6', [])));
    // What the dead one had done was not done again.
    expect(runsOf(first) + runsOf(second)).toBe(7);
    await ended(second);
  },
);

onRedis(`queue: two sweeps and two workers share a queue, and what both want is made once${why}`, async () => {
  const workers = [worker(), worker()];
  const [one, other] = await Promise.all([whole(overQueue('34M,30M,26M,22M')), whole(overQueue('30M,26M,18M'))]);
  expect(runsOf(workers[0]!) + runsOf(workers[1]!)).toBe(6);
  const [, shared] = JSON.parse(one).runs;
  expect(JSON.parse(other).runs[0]).toEqual(shared);
  await ended(...workers);
});

onRedis(`queue: a recording without a path is uploaded for as long as it is wanted${why}`, async () => {
  const one = worker();
  const swept = sweep('2', ['--queue', url], '-', readFileSync(zipf));
  expect(await whole(swept)).toBe(await whole(sweep('2', [])));
  await ended(one);
  const redis = new Redis(url);
  expect(await redis.keys('revmap:recording:*')).toEqual([]);
  redis.disconnect();
});

onRedis(`queue: a recording from a URL: its hash is checked, its password not shown${why}`, async () => {
  let asked = 0;
  let give = readFileSync(zipf);
  const server: Server = createServer((request, response) => {
    asked += 1;
    const right = `Basic ${Buffer.from(`me:${PASSWORD}`).toString('base64')}`;
    response.writeHead(request.headers.authorization === right ? 200 : 401).end(give);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const at = `http://me:${PASSWORD}@127.0.0.1:${port}/zipf.rvm.gz`;
  const fromUrl = (limits: string) => sweep(limits, ['--queue', url, '--url', at], '-', readFileSync(zipf));

  const good = worker();
  expect(await whole(fromUrl('30M'))).toBe(await whole(sweep('30M', [])));
  expect(asked).toBe(1);
  await ended(good);

  give = readFileSync(join(root, 'examples', 'sqlite.rvm.gz'));
  const doubtful = worker();
  expect(await whole(fromUrl('20M'))).toBe(await whole(sweep('20M', [])));
  expect(doubtful.stderr).toContain('what came is another recording; it is taken from elsewhere');
  expect(doubtful.stderr).toContain(`http://127.0.0.1:${port}/zipf.rvm.gz: `);
  await ended(doubtful);
  server.close();
});

onRedis(`queue: a path with another content is not used${why}`, async () => {
  const path = join(folder, 'changing.rvm.gz');
  writeFileSync(path, readFileSync(zipf));
  const swept = sweep('1', ['--queue', url], path);
  const redis = new Redis(url);
  await until(async () => (await redis.keys('revmap:runs-*:wait')).length > 0);
  redis.disconnect();
  writeFileSync(path, readFileSync(join(root, 'examples', 'sqlite.rvm.gz')));
  const one = worker();
  expect(await whole(swept)).toBe(await whole(sweep('1', [])));
  expect(one.stderr).toContain(`${path}: another recording than the sweep's`);
  await ended(one);
});

onRedis(`queue: a sweep that was killed goes on with what its workers did meanwhile${why}`, async () => {
  const one = worker();
  const killed = overQueue('6');
  await until(() => runsOf(one) >= 2);
  killed.child.kill('SIGKILL');
  await killed.ended;
  await whole(overQueue('6'));
  expect(runsOf(one)).toBe(7);
  await ended(one);
});

onRedis(`queue: Ctrl-C takes the waiting runs out of the queue${why}`, async () => {
  const one = worker();
  const stopped = overQueue('12', ['--kernel', '6.1']);
  await until(() => runsOf(one) >= 2);
  stopped.child.kill('SIGINT');
  expect(await stopped.ended).toBe(130);
  expect(stopped.stderr).toMatch(/interrupted: \d+ of 13 replays are done; they are kept in/);
  const redis = new Redis(url);
  const [wait] = await redis.keys('revmap:runs-*:wait');
  expect(wait === undefined ? 0 : await redis.llen(wait)).toBe(0);
  redis.disconnect();
  await ended(one);
});

onRedis(`queue: a job that is none fails with its reason, and the worker goes on${why}`, async () => {
  const one = worker();
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  await until(async () => (await redis.keys('revmap:runs-*:meta')).length > 0);
  const name = (await redis.keys('revmap:runs-*:meta'))[0]!.split(':')[1]!;
  const queue = new Queue(name, { connection: redis, prefix: 'revmap' });
  for (const data of [{}, { key: 'x', identity: {}, sources: {}, fresh: false }, { ['__proto__']: 1 }]) {
    const job = await queue.add('run', data, { attempts: 3 });
    await until(async () => (await job.getState()) === 'failed');
  }
  await queue.close();
  redis.disconnect();
  expect(one.stderr).toContain('a run: job: a field is missing');
  await whole(overQueue('1'));
  await ended(one);
});

onRedis(`queue: a run that cannot be made ends the sweep with its reason${why}`, async () => {
  writeFileSync(
    join(folder, 'bad.mjs'),
    "export default { name: 'bad', about: '', sees: 'accesses', start: () => 7 };",
  );
  const one = worker();
  const swept = overQueue('1', ['--policy', join(folder, 'bad.mjs')]);
  expect(await swept.ended).toBe(1);
  expect(swept.stderr).toMatch(/^revmap: queue: .*bad\.mjs, no limit: /);
  await ended(one);
});

for (const { why, args, said } of [
  {
    why: 'no server',
    args: ['--queue', 'redis://u:secret@127.0.0.1:1/0'],
    said: 'redis://127.0.0.1:1/0: connect ECONNREFUSED',
  },
  { why: 'no URL', args: ['--queue', 'localhost'], said: 'a queue is redis://HOST:PORT' },
  { why: 'another protocol', args: ['--queue', 'http://u:secret@127.0.0.1'], said: 'a queue is redis://HOST:PORT' },
  {
    why: 'a bad URL for the recording',
    args: ['--queue', 'redis://x', '--url', 'file:///etc'],
    said: '--url: begins with http',
  },
]) {
  test(`queue: refused: ${why}`, async () => {
    const one = sweep('1', args);
    expect(await one.ended).toBe(1);
    expect(one.stderr.trimEnd().split('\n').length).toBe(1);
    expect(one.stderr).toContain(said);
    expect(one.stderr).not.toContain('secret');
  });
}

test('job: what others wrote is looked at before it is believed', () => {
  const proto = JSON.parse('{"key":"k","fresh":false,"sources":{},"identity":{"__proto__":{"engine":"x"}}}');
  expect(readJob(proto)).toMatch(/^of engine undefined/);
  for (const data of [null, 1, 'x', []]) expect(typeof readJob(data)).toBe('string');
  const result = { kernel: '6.1' } as unknown as RunResult;
  expect(unpackAnswer(packAnswer(result, 2))).toEqual({ result, seconds: 2 });
  const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20)).toString('base64');
  for (const answer of [null, '', 'x', bomb, gzipSync('{}').toString('base64')])
    expect(unpackAnswer(answer)).toBeNull();
});

test('queue: nothing is left of a sweep in its folder but results', () => {
  const left = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.new-'));
  expect(left).toEqual([]);
});
