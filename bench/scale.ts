/**
 * What 10,000 recordings × 1,000 configurations cost: measured here in small, multiplied.
 *
 * Prints the figures of docs/scale.md: first what was measured, then the plan. Needs redis-server for the queue's part, and DuckDB for
 * the questions; without them these lines are left out.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONFIGURATION_DEFAULTS } from '../src/lab/grid.ts';
import { MACHINE_DEFAULTS } from '../src/lab/options.ts';
import { connectQueue } from '../src/lab/queue/connection.ts';
import { JOB_NAME, type JobData, packAnswer, queueName, queueOptions } from '../src/lab/queue/job.ts';
import type { RunResult } from '../src/lab/result.ts';
import { engineVersion, type Identity, keyOf, recordingHash } from '../src/lab/store/key.ts';
import { writeParquet } from '../src/lab/store/parquet.ts';
import { queryResults } from '../src/lab/store/query.ts';
import { ResultStore } from '../src/lab/store/store.ts';
import { sweepRecording } from '../src/lab/sweep.ts';
import { closeRecording, openRecording } from '../src/trace/source.ts';
import { surveyRecording } from '../src/trace/survey.ts';

const RECORDINGS = 10_000;
const CONFIGURATIONS = 1_000;
/** Of a recording, on average: the bundled one of sqlite3 has 14 million. */
const EVENTS = 50e6;
const ROWS = 1_000;
const JOBS = 1_000;
const LIMITS = 16;

const MiB = 2 ** 20;
const GiB = 2 ** 30;

function tell(what: string, value: string): void {
  console.log(`${what.padEnd(58)} ${value.padStart(16)}`);
}

interface Measured {
  eventsPerCpuSecond: number;
  surveyPerEventSeconds: number;
  packedPerEvent: number;
  entryBytes: number;
  entryOnDisk: number;
  rowBytes: number;
  job: { waitingBytes: number; doneBytes: number; cpuSeconds: number } | null;
}

const folder = mkdtempSync(join(tmpdir(), 'revmap-scale-'));
try {
  plan(await measure());
} finally {
  rmSync(folder, { recursive: true });
}

async function measure(): Promise<Measured> {
  const file = fileURLToPath(new URL('../examples/sqlite.rvm.gz', import.meta.url));
  const opening = process.cpuUsage();
  const recording = await openRecording(file);
  const survey = surveyRecording(recording);
  const opened = cpuSeconds(opening);
  const sweeping = process.cpuUsage();
  const work = { limits: { count: LIMITS }, limitsOnly: true, workers: 2 };
  const sweep = await sweepRecording(recording, survey, { ...MACHINE_DEFAULTS, ...work });
  const { events } = sweep.unlimited;
  const eventsPerCpuSecond = (events * (LIMITS + 1)) / cpuSeconds(sweeping);
  tell('page events replayed in a second on one core', `${(eventsPerCpuSecond / 1e6).toFixed(0)} M`);
  const packed = statSync(file).size;
  tell('a recording, gzipped, for a page event', `${(packed / events).toFixed(3)} bytes`);
  tell('opened and surveyed, for a million page events', `${((opened / events) * 1e9).toFixed(1)} ms`);

  const store = new ResultStore(join(folder, 'results'));
  const hash = recordingHash(recording);
  closeRecording(recording);
  const identities = Array.from({ length: ROWS }, (_, i) => identityOf(hash, i));
  for (const [i, identity] of identities.entries()) store.put(identity, resultFor(sweep.runs, i), 1);
  const entries = filesUnder(store.folder);
  const entryBytes = entries.reduce((sum, { size }) => sum + size, 0) / ROWS;
  const entryOnDisk = entries.reduce((sum, { blocks }) => sum + blocks * 512, 0) / ROWS;
  tell('a result in the store', `${(entryBytes / 1024).toFixed(1)} KiB`);
  const rowBytes = statSync(writeParquet(store, identities)).size / ROWS;
  tell(`a result as a row of Parquet, ${ROWS} in a file`, `${rowBytes.toFixed(0)} bytes`);
  await measureQuery(store, hash, sweep.runs);
  const job = await measureQueue(hash, sweep.runs);
  return {
    eventsPerCpuSecond,
    surveyPerEventSeconds: opened / events,
    packedPerEvent: packed / events,
    entryBytes,
    entryOnDisk,
    rowBytes,
    job,
  };
}

function identityOf(recording: string, i: number): Identity {
  const configuration = { ...CONFIGURATION_DEFAULTS, swappiness: i % 200 };
  return { engine: engineVersion(), recording, configuration, policySha256: '', limitBytes: (i + 1) * 65536 };
}

/** One of those that were made, under another limit. */
function resultFor(runs: readonly RunResult[], i: number): RunResult {
  return { ...runs[i % runs.length]!, limit_bytes: (i + 1) * 65536 };
}

function filesUnder(path: string): { size: number; blocks: number }[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(path, name)))
    .filter((stat) => stat.isFile());
}

/** A question to a hundred files of a thousand rows. */
async function measureQuery(store: ResultStore, hash: string, runs: readonly RunResult[]): Promise<void> {
  const many = new ResultStore(join(folder, 'many'));
  const identities = Array.from({ length: ROWS / 10 }, (_, i) => identityOf(hash, i));
  for (const [i, identity] of identities.entries()) many.put(identity, resultFor(runs, i), 1);
  for (let file = 0; file < 100; file++) writeParquet(many, identities.slice(0, ROWS / 10 - file));
  const files = readdirSync(many.folder).filter((name) => name.endsWith('.parquet')).length;
  const asking = process.cpuUsage();
  try {
    await queryResults(many.folder, 'SELECT swappiness, avg(pswpin), max(peak_bytes) FROM runs GROUP BY ALL');
    tell(`a question to ${files} files`, `${cpuSeconds(asking).toFixed(2)} s of CPU`);
    const one = process.cpuUsage();
    await queryResults(store.folder, 'SELECT swappiness, avg(pswpin), max(peak_bytes) FROM runs GROUP BY ALL');
    tell('a question to one file', `${cpuSeconds(one).toFixed(2)} s of CPU`);
  } catch (error) {
    console.log((error as Error).message);
  }
}

async function measureQueue(hash: string, runs: readonly RunResult[]): Promise<Measured['job']> {
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    console.log('redis-server is not installed: nothing of the queue was measured');
    return null;
  }
  const port = await freePort();
  const server = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', ''], {
    stdio: 'ignore',
  });
  try {
    return await measureJobs(server, `redis://127.0.0.1:${port}`, hash, runs);
  } finally {
    server.kill('SIGKILL');
  }
}

/** A thousand jobs put in, taken out and answered, by this process alone. */
async function measureJobs(
  server: ChildProcess,
  url: string,
  hash: string,
  runs: readonly RunResult[],
): Promise<NonNullable<Measured['job']>> {
  const { bullmq, redis } = await connected(url, server);
  const used = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  const queue = new bullmq.Queue<JobData, string>(queueName(), { ...queueOptions, connection: redis });
  const before = await used();
  const working = process.cpuUsage();
  for (let i = 0; i < JOBS; i++) {
    const identity = identityOf(hash, i);
    const sources = { path: '/srv/recordings/sqlite.rvm.gz', url: null };
    await queue.add(JOB_NAME, { key: keyOf(identity), identity, sources, fresh: false }, { jobId: keyOf(identity) });
  }
  const waitingBytes = ((await used()) - before) / JOBS;
  let answered = 0;
  const worker = new bullmq.Worker<JobData, string>(
    queueName(),
    async () => packAnswer(resultFor(runs, answered++), 1),
    { ...queueOptions, connection: redis },
  );
  await new Promise<void>((resolve) => {
    worker.on('completed', () => {
      if (answered === JOBS) resolve();
    });
  });
  await worker.close();
  const seconds = cpuSeconds(working);
  const doneBytes = ((await used()) - before) / JOBS;
  await queue.close();
  redis.disconnect();
  tell('Redis memory, for a job that waits', `${(waitingBytes / 1024).toFixed(1)} KiB`);
  tell('Redis memory, for a job with its result', `${(doneBytes / 1024).toFixed(1)} KiB`);
  tell('putting a job in, taking it out, answering it', `${((seconds / JOBS) * 1000).toFixed(2)} ms of CPU`);
  return { waitingBytes, doneBytes, cpuSeconds: seconds / JOBS };
}

/** The server needs a moment. */
async function connected(url: string, server: ChildProcess): ReturnType<typeof connectQueue> {
  for (;;) {
    try {
      return await connectQueue(url, console.error);
    } catch (error) {
      if (server.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

function plan(m: Measured): void {
  const runs = RECORDINGS * CONFIGURATIONS;
  const seconds = (runs * EVENTS) / m.eventsPerCpuSecond + RECORDINGS * EVENTS * m.surveyPerEventSeconds;
  const hours = seconds / 3600;
  console.log('');
  tell(
    `${RECORDINGS} recordings × ${CONFIGURATIONS} runs of ${EVENTS / 1e6} M events`,
    `${(runs / 1e6).toFixed(0)} M runs`,
  );
  tell('CPU', `${hours.toFixed(0)} core hours`);
  for (const cores of [2, 64, 1024]) tell(`  on ${cores} cores`, `${(hours / cores / 24).toFixed(1)} days`);
  const recording = EVENTS * m.packedPerEvent;
  tell('a recording, gzipped', `${(recording / MiB).toFixed(1)} MiB`);
  tell('all recordings', `${((RECORDINGS * recording) / GiB).toFixed(0)} GiB`);
  tell(
    'sent, if each of 16 machines reads each recording once',
    `${((16 * RECORDINGS * recording) / GiB).toFixed(0)} GiB`,
  );
  tell('entries of the store', `${((runs * m.entryBytes) / GiB).toFixed(0)} GiB`);
  tell('  on a disk with blocks of 4 KiB', `${((runs * m.entryOnDisk) / GiB).toFixed(0)} GiB`);
  tell('rows of Parquet', `${((runs * m.rowBytes) / GiB).toFixed(1)} GiB`);
  if (m.job === null) return;
  const sweeps = 8;
  const waiting = sweeps * CONFIGURATIONS * Math.max(m.job.waitingBytes, m.job.doneBytes);
  tell(`Redis, ${sweeps} sweeps of ${CONFIGURATIONS} runs at once`, `${(waiting / MiB).toFixed(0)} MiB`);
  tell(`  and their recordings, if they are uploaded`, `${((sweeps * recording) / MiB).toFixed(0)} MiB`);
  tell('CPU of the queue', `${((runs * m.job.cpuSeconds) / 3600).toFixed(1)} core hours`);
}
