/**
 * Replays of one recording on as many workers as there are CPUs.
 *
 * Owns      the pool: who replays what, what happens when a worker fails.
 * Promises  1. A result does not depend on how many workers there were.
 *           2. The recording is in memory once; workers share it.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import type { TimedResult } from './result.ts';
import { type RunOptions, runRecording } from './run.ts';

/** What a worker is given when it starts, what it is asked, what it answers. */
export interface WorkerData {
  recording: Recording;
  survey: Survey;
}
export interface WorkerTask {
  id: number;
  options: RunOptions;
}
export type WorkerAnswer = { id: number; share: number } | { id: number; result: TimedResult };

export interface Pool {
  run(options: RunOptions, onShare: (share: number) => void): Promise<TimedResult>;
  close(): Promise<void>;
}

/** `workers`: at most so many at once; 0 replays in this thread. Default: one per CPU. */
export function poolFor(recording: Recording, survey: Survey, workers: number | undefined): Pool {
  const script = new URL('./worker.js', import.meta.url);
  const wanted = workers ?? availableParallelism();
  // From the sources there is no bundled worker beside us: one after the other, then.
  if (wanted === 0 || !existsSync(script)) return inThisThread(recording, survey);
  return new WorkerPool(script, { recording, survey }, wanted);
}

function inThisThread(recording: Recording, survey: Survey): Pool {
  return {
    run: async (options, onShare) => runRecording(recording, survey, options, onShare),
    close: async () => {},
  };
}

/** How far many replays are. */
export interface Progress {
  /** Runs that are done, and how many there are. */
  done: number;
  of: number;
  /** Share of all the work, 0 to 1. */
  share: number;
}

/** Adds up the shares of `of` replays; returns what to call when one of them has come further. */
export function progressOf(of: number, tell: ((progress: Progress) => void) | undefined) {
  const shares = new Array<number>(of).fill(0);
  return (i: number, share: number): void => {
    shares[i] = share;
    const sum = shares.reduce((a, b) => a + b, 0);
    tell?.({ done: shares.filter((s) => s === 1).length, of, share: sum / of });
  };
}

interface Job extends WorkerTask {
  onShare: (share: number) => void;
  resolve: (result: TimedResult) => void;
  reject: (error: unknown) => void;
}

class WorkerPool implements Pool {
  private readonly script: URL;
  private readonly data: WorkerData;
  private readonly most: number;
  private readonly workers: Worker[] = [];
  private readonly idle: Worker[] = [];
  private readonly waiting: Job[] = [];
  private readonly running: Map<Worker, Job> = new Map();
  private nextId = 0;

  constructor(script: URL, data: WorkerData, most: number) {
    this.script = script;
    this.data = data;
    this.most = most;
  }

  run(options: RunOptions, onShare: (share: number) => void): Promise<TimedResult> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ id: this.nextId++, options, onShare, resolve, reject });
      this.startNext();
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private startNext(): void {
    const job = this.waiting[0];
    if (job === undefined) return;
    const worker = this.idle.pop() ?? (this.workers.length < this.most ? this.start() : undefined);
    if (worker === undefined) return;
    this.waiting.shift();
    this.running.set(worker, job);
    worker.postMessage({ id: job.id, options: job.options } satisfies WorkerTask);
  }

  private start(): Worker {
    const worker = new Worker(this.script, { workerData: this.data });
    this.workers.push(worker);
    worker.on('message', (answer: WorkerAnswer) => {
      const job = this.running.get(worker);
      if (job === undefined) return;
      if ('share' in answer) return job.onShare(answer.share);
      this.running.delete(worker);
      this.idle.push(worker);
      job.resolve(answer.result);
      this.startNext();
    });
    worker.on('error', (error) => {
      this.running.get(worker)?.reject(error);
      this.running.delete(worker);
    });
    return worker;
  }
}
