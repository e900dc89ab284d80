/**
 * Replays on several workers of a browser.
 *
 * Promises  1. Each worker is given the recording once.
 *           2. A worker that dies takes its run with it: the sweep ends with the reason.
 */
import * as Comlink from 'comlink';
import type { Run } from '../../src/lab/configuration_run.ts';
import type { RunResult } from '../../src/lab/result.ts';
import type { Replayer } from '../../src/lab/sweep_on.ts';
import type { Material, Replaying } from './replay_worker.ts';

const MOST_WORKERS = 8;
/** Of the recording, in all workers together. */
const MOST_BYTES = 2 ** 30;

interface Member {
  readonly worker: Worker;
  readonly remote: Comlink.Remote<Replaying>;
}

interface Job {
  readonly run: Run;
  readonly onShare: (share: number) => void;
  readonly done: (result: RunResult) => void;
  readonly failed: (error: Error) => void;
}

export class ReplayPool implements Replayer {
  private readonly material: Material;
  private readonly most: number;
  private readonly members: Member[] = [];
  private readonly idle: Member[] = [];
  private readonly waiting: Job[] = [];

  constructor(material: Material) {
    this.material = material;
    const bytes = Math.max(1, material.recording.bytes?.length ?? 0);
    this.most = Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency, Math.floor(MOST_BYTES / bytes)));
  }

  run(run: Run, onShare: (share: number) => void): Promise<{ result: RunResult; stored: boolean }> {
    return new Promise((resolve, reject) => {
      const done = (result: RunResult) => resolve({ result, stored: false });
      this.waiting.push({ run, onShare, done, failed: reject });
      this.next();
    });
  }

  close(): void {
    for (const { worker } of this.members) worker.terminate();
  }

  private next(): void {
    if (this.waiting.length === 0) return;
    const member = this.idle.pop() ?? (this.members.length < this.most ? this.start() : null);
    if (member === null) return;
    void this.replay(member, this.waiting.shift()!);
  }

  private start(): Member {
    const worker = new Worker(new URL('./replay_worker.ts', import.meta.url), { type: 'module', name: 'replay' });
    const member = { worker, remote: Comlink.wrap<Replaying>(worker) };
    this.members.push(member);
    void member.remote.take(this.material);
    return member;
  }

  private async replay(member: Member, { run, onShare, done, failed }: Job): Promise<void> {
    const died = (event: ErrorEvent) => failed(new Error(`a worker has ended: ${event.message}`));
    member.worker.addEventListener('error', died);
    try {
      const { seconds: _, ...result } = await member.remote.run(run, Comlink.proxy(onShare));
      done(result);
    } catch (error) {
      failed(error as Error);
    }
    member.worker.removeEventListener('error', died);
    this.idle.push(member);
    this.next();
  }
}
