/**
 * The side of a sweep: runs go into the queue, results come back.
 *
 * Promises  1. A job is in the queue once, whichever sweeps want it; its name is the result's key.
 *           2. A result that was missed is looked for: every job is asked after from time to time, and one that is gone is put in again.
 *           3. When a sweep ends early, its waiting jobs are taken out. Who else wants one puts it in again.
 */
import type { Job, Queue, QueueEvents } from 'bullmq';
import { InputError } from '../../mm/bug.ts';
import type { Recording } from '../../trace/source.ts';
import { type Run, runName } from '../configuration_run.ts';
import { PoolClosed } from '../pool.ts';
import type { Identities, Outcome, Runner } from '../runner.ts';
import { engineVersion, type Identity, keyOf } from '../store/key.ts';
import { type Connection, connectQueue, noteUnlessLost } from './connection.ts';
import {
  ATTEMPTS,
  BACKOFF_MS,
  JOB_NAME,
  type JobData,
  KEPT_SECONDS,
  queueName,
  queueOptions,
  type Sources,
  unpackAnswer,
} from './job.ts';
import { Uploader } from './upload.ts';

export interface QueueWork {
  /** redis://… */
  url: string;
  sources: Sources;
  /** Results that are in the queue from before do not count. */
  fresh: boolean;
  onNote: (note: string) => void;
}

const ASK_MS = 3000;
/** So many jobs are asked after at once. */
const ASK_JOBS = 256;
/** The sweep says so if nobody works for so long. */
const ALONE_MS = 5000;

interface Waiting {
  run: Run;
  data: JobData;
  onShare: (share: number) => void;
  resolve: (outcome: Outcome) => void;
  reject: (error: Error) => void;
  outcome: Promise<Outcome>;
}

function promiseOf<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

type RunQueue = Queue<JobData, string>;

interface Server {
  connection: Connection;
  queue: RunQueue;
  events: QueueEvents;
  disconnect: () => void;
}

/** `recording` is what the runs are about; `identities` name them. */
export async function queueRunner(recording: Recording, identities: Identities, work: QueueWork): Promise<Runner> {
  const connection = await connectQueue(work.url, work.onNote);
  const queue: RunQueue = new connection.bullmq.Queue(queueName(), { ...queueOptions, connection: connection.redis });
  // Listening takes a connection of its own.
  const listener = connection.redis.duplicate();
  listener.on('error', () => {});
  const events = new connection.bullmq.QueueEvents(queueName(), { ...queueOptions, connection: listener });
  const disconnect = (): void => {
    listener.disconnect();
    connection.redis.disconnect();
  };
  const runner = new QueueRunner({ connection, queue, events, disconnect }, recording, identities, work);
  await events.waitUntilReady();
  return runner;
}

class QueueRunner implements Runner {
  private readonly server: Server;
  private readonly queue: RunQueue;
  private readonly identities: Identities;
  private readonly work: QueueWork;
  private readonly uploader: Uploader;
  private readonly started = Date.now();
  /** By key; the one that was asked after longest ago is the first. */
  private readonly waiting: Map<string, Waiting> = new Map();
  private readonly timer: NodeJS.Timeout;
  private asking: Promise<void> = Promise.resolve();
  private saidAlone = false;
  private closed = false;

  constructor(server: Server, recording: Recording, identities: Identities, work: QueueWork) {
    const { connection, queue, events } = server;
    this.server = server;
    this.queue = queue;
    this.identities = identities;
    this.work = work;
    this.uploader = new Uploader(connection.redis, recording, identities.recording, work.onNote);
    queue.on('error', (error) => noteUnlessLost(error, work.onNote));
    events.on('error', (error) => noteUnlessLost(error, work.onNote));
    events.on('completed', ({ jobId, returnvalue }) => this.done(jobId, returnvalue));
    events.on('failed', ({ jobId, failedReason }) => this.failed(jobId, failedReason));
    events.on('progress', ({ jobId, data }) => {
      if (typeof data === 'number') this.waiting.get(jobId)?.onShare(data);
    });
    this.timer = setInterval(() => {
      this.asking = this.asking.then(() => this.askAfter()).catch(() => {});
    }, ASK_MS);
  }

  async run(run: Run, onShare: (share: number) => void): Promise<Outcome> {
    const identity: Identity = await this.identities.of(run);
    const key = keyOf(identity);
    const { sources, fresh } = this.work;
    const data: JobData = { key, identity, sources, fresh };
    if (this.closed) throw new PoolClosed();
    const known = this.waiting.get(key);
    if (known !== undefined) return known.outcome;
    const { promise, resolve, reject } = promiseOf<Outcome>();
    promise.catch(() => {}); // whoever awaits it hears of it
    this.waiting.set(key, { run, data, onShare, resolve, reject, outcome: promise });
    await this.put(data);
    return promise;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.timer);
    const left = [...this.waiting.entries()];
    this.waiting.clear();
    for (const [, { reject }] of left) reject(new PoolClosed());
    await this.asking;
    // One that is being made is locked, and stays.
    await Promise.all(left.map(([key]) => this.queue.remove(key).catch(() => 0)));
    await this.uploader.close();
    await this.server.events.close();
    await this.queue.close();
    this.server.disconnect();
  }

  /** Does nothing if the job is there. */
  private async put(data: JobData): Promise<void> {
    await this.queue.add(JOB_NAME, data, {
      jobId: data.key,
      attempts: ATTEMPTS,
      backoff: { type: 'exponential', delay: BACKOFF_MS },
      removeOnComplete: { age: KEPT_SECONDS },
      removeOnFail: { age: KEPT_SECONDS },
      stackTraceLimit: 1,
    });
    await this.lookAt(data.key);
  }

  /** What was there before we came told nobody. */
  private async lookAt(key: string): Promise<void> {
    const waiting = this.waiting.get(key);
    if (waiting === undefined) return;
    const job: Job<JobData, string> | undefined = await this.queue.getJob(key);
    if (job === undefined) {
      await this.put(waiting.data);
      return;
    }
    if (job.finishedOn === undefined || job.finishedOn === null) return;
    const old = job.finishedOn < this.started;
    if (typeof job.returnvalue === 'string' && !(old && this.work.fresh)) this.done(key, job.returnvalue);
    else if (!old) this.failed(key, job.failedReason ?? '');
    else {
      await job.remove().catch(() => {});
      await this.put(waiting.data);
    }
  }

  private async askAfter(): Promise<void> {
    const keys = [...this.waiting.keys()].slice(0, ASK_JOBS);
    for (const key of keys) {
      // To the end of the line.
      const waiting = this.waiting.get(key);
      if (waiting === undefined) continue;
      this.waiting.delete(key);
      this.waiting.set(key, waiting);
    }
    await Promise.all(keys.map((key) => this.lookAt(key)));
    if (this.saidAlone || keys.length === 0 || Date.now() - this.started < ALONE_MS) return;
    if ((await this.queue.getWorkersCount()) > 0) return;
    this.saidAlone = true;
    this.work.onNote(
      `no worker of this revmap (${engineVersion()}) is at ${this.server.connection.shown}; waiting for one`,
    );
  }

  private done(key: string, returned: unknown): void {
    const waiting = this.waiting.get(key);
    if (waiting === undefined) return;
    this.waiting.delete(key);
    const answer = unpackAnswer(returned);
    if (answer !== null) waiting.resolve({ ...answer, stored: false });
    else waiting.reject(new InputError('queue', 0, `${runName(waiting.run)}: a worker returned what is no result`));
  }

  private failed(key: string, reason: string): void {
    const waiting = this.waiting.get(key);
    if (waiting === undefined) return;
    this.waiting.delete(key);
    waiting.reject(new InputError('queue', 0, `${runName(waiting.run)}: ${reason}`));
  }
}
