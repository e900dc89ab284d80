/**
 * One recording under many limits, on as many workers as there are CPUs.
 *
 * Owns      the pool: who replays what, what happens when a worker fails.
 * Promises  1. The result does not depend on how many workers there were, nor on who finished first.
 *           2. The recording is in memory once; workers share it.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Recording } from '../trace/source.ts';
import type { Survey } from '../trace/survey.ts';
import { adviseOn } from './advice.ts';
import { type Limits, limitsBelow, type MachineOptions } from './options.ts';
import type { RunResult, SweepResult } from './result.ts';
import { runRecording } from './run.ts';

export interface SweepOptions extends MachineOptions {
  limits: Limits;
  /** At most so many at once; 0 replays in this thread. Default: one per CPU. */
  workers?: number;
  onProgress?: (progress: SweepProgress) => void;
}

export interface SweepProgress {
  /** Runs that are done, and how many there are. */
  done: number;
  of: number;
  /** Share of all the work, 0 to 1. */
  share: number;
}

/** What a worker is given when it starts, what it is asked, what it answers. */
export interface WorkerData {
  recording: Recording;
  survey: Survey;
  options: MachineOptions;
}
export interface WorkerTask {
  id: number;
  limitBytes: number | null;
}
export type WorkerAnswer = { id: number; share: number } | { id: number; result: RunResult };

export async function sweepRecording(
  recording: Recording,
  survey: Survey,
  options: SweepOptions,
): Promise<SweepResult> {
  const pool = poolFor(recording, survey, options);
  try {
    const of = 1 + ('count' in options.limits ? options.limits.count : options.limits.bytes.length);
    const shares = new Array<number>(of).fill(0);
    const report = (i: number, share: number) => {
      shares[i] = share;
      const sum = shares.reduce((a, b) => a + b, 0);
      options.onProgress?.({ done: shares.filter((s) => s === 1).length, of, share: sum / of });
    };
    const start = async (i: number, limitBytes: number | null): Promise<RunResult> => {
      const result = await pool.run(limitBytes, (share) => report(i, Math.min(share, 0.999)));
      report(i, 1);
      return result;
    };
    const first = start(0, null);
    // Limits that are shares of the peak have to wait for it; others run beside it.
    const limits =
      'count' in options.limits ? limitsBelow((await first).peak_bytes, options.limits.count) : options.limits.bytes;
    const [unlimited, ...runs] = await Promise.all([first, ...limits.map((bytes, i) => start(i + 1, bytes))]);
    return {
      recording: recording.header.name,
      command: recording.header.command,
      kernel: unlimited.kernel,
      options: machineOptionsOf(options),
      unlimited,
      runs,
      advice: adviseOn(unlimited, runs),
    };
  } finally {
    await pool.close();
  }
}

function machineOptionsOf(options: MachineOptions): MachineOptions {
  const { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster } = options;
  return { kernel, ramBytes, swapBytes, swapDevice, swappiness, pageCluster };
}

interface Pool {
  run(limitBytes: number | null, onShare: (share: number) => void): Promise<RunResult>;
  close(): Promise<void>;
}

function poolFor(recording: Recording, survey: Survey, options: SweepOptions): Pool {
  const script = new URL('./worker.js', import.meta.url);
  const wanted = options.workers ?? availableParallelism();
  // From the sources there is no bundled worker beside us: one after the other, then.
  if (wanted === 0 || !existsSync(script)) return inThisThread(recording, survey, options);
  return new WorkerPool(script, { recording, survey, options: machineOptionsOf(options) }, wanted);
}

function inThisThread(recording: Recording, survey: Survey, options: MachineOptions): Pool {
  return {
    run: async (limitBytes, onShare) =>
      runRecording(recording, survey, { ...machineOptionsOf(options), limitBytes }, onShare),
    close: async () => {},
  };
}

interface Job extends WorkerTask {
  onShare: (share: number) => void;
  resolve: (result: RunResult) => void;
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

  run(limitBytes: number | null, onShare: (share: number) => void): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ id: this.nextId++, limitBytes, onShare, resolve, reject });
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
    worker.postMessage({ id: job.id, limitBytes: job.limitBytes } satisfies WorkerTask);
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
