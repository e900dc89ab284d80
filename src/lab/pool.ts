/**
 * Replays on as many threads as there are CPUs.
 *
 * Owns      the pool: who replays what, and what happens when a thread dies.
 * Promises  1. A result does not depend on how many threads there were.
 *           2. A recording is in memory once; threads share it.
 *           3. A thread that dies is replaced, and what it did is done again, once. Then the error says which run it was.
 *           4. An error that the replay itself found (a wrong option, a broken promise) is not tried again.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { type Run, runConfiguration, runName } from './configuration_run.ts';
import type { TimedResult } from './result.ts';

/** What is replayed: the same object for the same recording, so that a thread is sent it once. */
export interface Material {
  recording: Recording;
  survey: Survey;
}

/** What a thread is asked, and what it answers. `material`: only if it is another than in its last task. */
export interface WorkerTask {
  run: Run;
  material: Material | null;
}
export type WorkerAnswer =
  | { share: number }
  | { result: TimedResult }
  | { error: { name: string; message: string; stack: string | undefined } };

export interface Pool {
  run(material: Material, run: Run, onShare: (share: number) => void): Promise<TimedResult>;
  /** What is under way is given up. */
  close(): Promise<void>;
}

/** `workers`: at most so many at once; 0 replays in this thread. Default: one per CPU. */
export function poolOf(workers: number | undefined): Pool {
  const script = new URL('./worker.js', import.meta.url);
  const wanted = workers ?? availableParallelism();
  // From the sources there is no bundled worker beside us: one after the other, then.
  if (wanted === 0 || !existsSync(script)) return new ThisThread();
  return new WorkerPool(script, wanted);
}

class ThisThread implements Pool {
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;

  run({ recording, survey }: Material, run: Run, onShare: (share: number) => void): Promise<TimedResult> {
    const turn = this.last.then(async () => {
      // Signals are heard between two replays.
      await new Promise(setImmediate);
      if (this.closed) throw new PoolClosed();
      return runConfiguration(recording, survey, run, onShare);
    });
    this.last = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** The pool was closed before the run was done. */
export class PoolClosed extends Error {}

interface Job {
  material: Material;
  run: Run;
  deaths: number;
  onShare: (share: number) => void;
  resolve: (result: TimedResult) => void;
  reject: (error: unknown) => void;
}

interface Thread {
  worker: Worker;
  job: Job | null;
  material: Material | null;
}

export class WorkerPool implements Pool {
  private readonly script: URL;
  private readonly most: number;
  private readonly threads: Set<Thread> = new Set();
  private readonly waiting: Job[] = [];
  private closed = false;

  constructor(script: URL, most: number) {
    this.script = script;
    this.most = most;
  }

  run(material: Material, run: Run, onShare: (share: number) => void): Promise<TimedResult> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ material, run, deaths: 0, onShare, resolve, reject });
      this.startNext();
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    const left = [...this.waiting.splice(0), ...[...this.threads].flatMap((thread) => thread.job ?? [])];
    await Promise.all([...this.threads].map(({ worker }) => worker.terminate()));
    for (const job of left) job.reject(new PoolClosed());
  }

  private startNext(): void {
    const job = this.waiting[0];
    if (job === undefined || this.closed) return;
    const thread = this.idleFor(job.material) ?? (this.threads.size < this.most ? this.start() : null);
    if (thread === null) return;
    this.waiting.shift();
    thread.job = job;
    const known = thread.material === job.material;
    thread.material = job.material;
    thread.worker.postMessage({ run: job.run, material: known ? null : job.material } satisfies WorkerTask);
  }

  /** One that knows the recording, if there is one. */
  private idleFor(material: Material): Thread | null {
    const idle = [...this.threads].filter((thread) => thread.job === null);
    return idle.find((thread) => thread.material === material) ?? idle[0] ?? null;
  }

  private start(): Thread {
    const thread: Thread = { worker: new Worker(this.script), job: null, material: null };
    this.threads.add(thread);
    let reason = '';
    thread.worker.on('message', (answer: WorkerAnswer) => this.answered(thread, answer));
    thread.worker.on('error', (error) => {
      reason = error.message;
    });
    // Comes after 'error', and alone if the thread ended itself.
    thread.worker.on('exit', (code) => this.died(thread, reason === '' ? `exit code ${code}` : reason));
    return thread;
  }

  private answered(thread: Thread, answer: WorkerAnswer): void {
    const { job } = thread;
    if (job === null) return;
    if ('share' in answer) {
      job.onShare(answer.share);
      return;
    }
    thread.job = null;
    if ('result' in answer) job.resolve(answer.result);
    else job.reject(rebuilt(answer.error, job.run));
    this.startNext();
  }

  private died(thread: Thread, reason: string): void {
    this.threads.delete(thread);
    const { job } = thread;
    if (this.closed) return;
    if (job !== null) {
      job.deaths += 1;
      if (job.deaths === 1) this.waiting.unshift(job);
      else job.reject(new Error(`${runName(job.run)}: its worker died twice (${reason})`));
    }
    this.startNext();
  }
}

/** What the user can mend stays as it is; what is our fault says in which run it went wrong. */
function rebuilt(
  { name, message, stack }: { name: string; message: string; stack: string | undefined },
  run: Run,
): Error {
  const users = name === 'InputError' || name === 'RecordingError';
  const error = new Error(users ? message : `${runName(run)}: ${message}`);
  error.name = name;
  if (stack !== undefined) error.stack = users ? stack : `${runName(run)}: ${stack}`;
  return error;
}
