/**
 * The side of a worker: takes runs out of the queue, makes them on its threads, gives the results back.
 *
 * Promises  1. A worker that dies loses nothing: whoever is left sees that its locks are not renewed, and its runs wait again.
 *           2. What was made once is in the worker's own store: asked again, it is given at once.
 *           3. A run that cannot be made fails with its reason; one that may go better another time is tried again, later and later.
 */
import type { Job, Worker } from 'bullmq';
import { InputError } from '../../mm/bug.ts';
import { runName } from '../configuration_run.ts';
import { policySha256 } from '../policy_file.ts';
import { type Material, type Pool, poolOf } from '../pool.ts';
import { type Outcome, outcomeOf } from '../runner.ts';
import type { Identity } from '../store/key.ts';
import type { ResultStore } from '../store/store.ts';
import { connectQueue, noteUnlessLost } from './connection.ts';
import { type JobData, packAnswer, queueName, queueOptions, readJob, runOf } from './job.ts';
import { Recordings } from './recordings.ts';

export interface WorkerOptions {
  url: string;
  /** So many runs at once. */
  threads: number;
  /** Where recordings that came from elsewhere are kept. */
  recordings: string;
  store: ResultStore | null;
  /** A worker that was not heard of for so long is dead, and its runs are given to others. */
  deadAfterSeconds: number;
  onNote: (note: string) => void;
  /** A run was made and its answer delivered, or it was given up. */
  onRun: (name: string, seconds: number, failed: string | null) => void;
}

export interface QueueWorker {
  /** Ends after the runs that are under way; `now` gives them back. */
  close(now: boolean): Promise<void>;
}

/** A run that takes its thread, or the whole worker, with it so often is not tried again. */
const MOST_DEATHS = 3;
const SHARE_MS = 1000;

export async function startWorker(options: WorkerOptions): Promise<QueueWorker> {
  const { bullmq, redis } = await connectQueue(options.url, options.onNote);
  const recordings = new Recordings(options.recordings, redis, options.onNote);
  const pool = poolOf(options.threads);
  const lockMs = options.deadAfterSeconds * 1000;
  /** Seconds of runs that were made here, until their answers are delivered. */
  const made = new Map<string, number>();
  const worker: Worker<JobData, string> = new bullmq.Worker<JobData, string>(
    queueName(),
    async (job) => {
      try {
        return await perform(job, pool, recordings, options, made);
      } catch (error) {
        // The user's mistake does not go away by trying again.
        const final = error instanceof Error && (error.name === 'InputError' || error.name === 'RecordingError');
        throw final ? new bullmq.UnrecoverableError(error.message) : error;
      }
    },
    {
      ...queueOptions,
      connection: redis,
      concurrency: Math.max(1, options.threads),
      lockDuration: lockMs,
      stalledInterval: Math.ceil(lockMs / 3), // Redis takes whole milliseconds
      maxStalledCount: MOST_DEATHS,
    },
  );
  worker.on('error', (error) => noteUnlessLost(error, options.onNote));
  worker.on('completed', (job) => {
    const seconds = made.get(job.data.key);
    if (seconds !== undefined) options.onRun(nameOf(job), seconds, null);
    made.delete(job.data.key);
  });
  worker.on('failed', (job, error) => options.onRun(nameOf(job), 0, error.message));
  await worker.waitUntilReady();
  return {
    async close(now) {
      if (now) await pool.close();
      await worker.close(now);
      await pool.close();
      redis.disconnect();
    },
  };
}

function nameOf(job: Job<JobData, string> | undefined): string {
  const data = readJob(job?.data);
  return typeof data === 'string' ? 'a run' : runName(runOf(data.identity));
}

async function perform(
  job: Job<JobData, string>,
  pool: Pool,
  recordings: Recordings,
  { store, onNote }: WorkerOptions,
  made: Map<string, number>,
): Promise<string> {
  const data = readJob(job.data);
  if (typeof data === 'string') throw new InputError('job', 0, data);
  const { identity, sources, fresh } = data;
  const known = fresh ? null : (store?.get(identity) ?? null);
  if (typeof known === 'string') onNote(`${known}; it is made again`);
  else if (known !== null) return packAnswer(known.result, known.seconds);
  await checkPolicy(identity);
  const share = shareTeller(job);
  const outcome = await recordings.with(identity.recording, sources, (material) =>
    make(pool, material, identity, share),
  );
  store?.put(identity, outcome.result, outcome.seconds);
  made.set(data.key, outcome.seconds);
  return packAnswer(outcome.result, outcome.seconds);
}

async function make(
  pool: Pool,
  material: Material,
  identity: Identity,
  onShare: (share: number) => void,
): Promise<Outcome> {
  return outcomeOf(await pool.run(material, runOf(identity), onShare));
}

/** A policy out of a file does not travel: the worker must have the same one. */
async function checkPolicy({ configuration: { policy }, policySha256: wanted }: Identity): Promise<void> {
  if ((await policySha256(policy)) !== wanted) throw new InputError(policy, 0, "another file than the sweep's");
}

/** At most one message a second. */
function shareTeller(job: Job<JobData, string>): (share: number) => void {
  let last = 0;
  return (share) => {
    const now = Date.now();
    if (now - last < SHARE_MS) return;
    last = now;
    job.updateProgress(share).catch(() => {});
  };
}
