/**
 * Replays on several workers of a browser (replay_worker.ts), each asked through its port.
 *
 * Promises  1. Each worker is given the recording once, and only as many as may hold it are.
 *           2. A run that fails fails alone: its worker makes the next one.
 */
import * as Comlink from 'comlink';
import type { Run } from '../../src/lab/configuration_run.ts';
import type { RunResult } from '../../src/lab/result.ts';
import type { Replayer } from '../../src/lab/sweep_on.ts';
import type { Material, Replaying } from './replay_worker.ts';

/** Of the recording, in all workers together. */
const MOST_BYTES = 2 ** 30;

interface Job {
  readonly run: Run;
  readonly onShare: (share: number) => void;
  readonly done: (result: RunResult) => void;
  readonly failed: (error: Error) => void;
}

export class ReplayPool implements Replayer {
  private readonly material: Material;
  /** Ports of workers that were not given the recording yet. */
  private readonly unused: MessagePort[];
  private readonly idle: Comlink.Remote<Replaying>[] = [];
  private readonly waiting: Job[] = [];

  constructor(material: Material, ports: readonly MessagePort[]) {
    this.material = material;
    const bytes = Math.max(1, material.recording.bytes?.length ?? 0);
    this.unused = ports.slice(0, Math.max(1, Math.floor(MOST_BYTES / bytes)));
  }

  run(run: Run, onShare: (share: number) => void): Promise<{ result: RunResult; stored: boolean }> {
    return new Promise((resolve, reject) => {
      const done = (result: RunResult) => resolve({ result, stored: false });
      this.waiting.push({ run, onShare, done, failed: reject });
      this.next();
    });
  }

  private next(): void {
    if (this.waiting.length === 0) return;
    const worker = this.idle.pop() ?? this.start();
    if (worker !== null) void this.replay(worker, this.waiting.shift()!);
  }

  private start(): Comlink.Remote<Replaying> | null {
    const port = this.unused.pop();
    if (port === undefined) return null;
    const worker = Comlink.wrap<Replaying>(port);
    void worker.take(this.material);
    return worker;
  }

  private async replay(worker: Comlink.Remote<Replaying>, { run, onShare, done, failed }: Job): Promise<void> {
    try {
      const { seconds: _, ...result } = await worker.run(run, Comlink.proxy(onShare));
      done(result);
    } catch (error) {
      failed(error as Error);
    }
    this.idle.push(worker);
    this.next();
  }
}
