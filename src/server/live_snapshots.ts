/**
 * This host at a moment, whenever the page asks.
 *
 * Owns      the thread in which one is taken (snapshot_worker.ts): reading /proc waits for the kernel, and this thread has others to
 *           answer. It ends with its snapshot, and with the server.
 * Promises  1. One is taken at a time, and none within KEPT_MS of the last: who asks meanwhile gets that one.
 *           2. A thread has no more rights than we have, and without `frames` no number of a frame leaves it.
 */
import { Worker } from 'node:worker_threads';
import type { LiveHost, LiveHostOptions } from '../host/live_host.ts';
import { isMapped } from '../host/snapshot.ts';

export const KEPT_MS = 1000;

/** What the thread is told. It answers with the bytes. */
export interface SnapshotTask {
  readonly host: LiveHostOptions;
  readonly frames: boolean;
}

/** Beside us, among the bundles as among the sources. */
const SCRIPT = new URL('./snapshot_worker.js', import.meta.url);

export class LiveSnapshots {
  readonly frames: boolean;
  private readonly host: LiveHostOptions;
  private readonly script: URL;
  /** The last one, or the one that is being taken. */
  private last: Promise<Uint8Array> | null = null;
  private worker: Worker | null = null;

  constructor(frames: boolean, host: LiveHostOptions = {}, script: URL = SCRIPT) {
    this.frames = frames;
    this.host = host;
    this.script = script;
  }

  bytes(): Promise<Uint8Array> {
    if (this.last !== null) return this.last;
    const taken = this.take();
    this.last = taken;
    const forget = () => {
      this.last = null;
    };
    // It is kept for a while behind its end; a failure is not kept at all.
    taken.then(() => setTimeout(forget, KEPT_MS).unref(), forget);
    return taken;
  }

  /** Who still waits for one is not told: his connection is closed, too. */
  async close(): Promise<void> {
    this.worker?.removeAllListeners('exit');
    await this.worker?.terminate();
  }

  private take(): Promise<Uint8Array> {
    const { host, frames } = this;
    const worker = new Worker(this.script, { workerData: { host, frames } satisfies SnapshotTask });
    this.worker = worker;
    return new Promise((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
      // Comes after these two, and alone if the thread ended itself.
      worker.on('exit', (code) => reject(new Error(`the thread of the snapshot ended with exit code ${code}`)));
    });
  }
}

/** Asked of the kernel, by our own pages: capabilities of a container would promise what they do not hold. */
export function canReadFrameNumbers(host: LiveHost): boolean {
  const { entries } = host.snapshot({ pids: [process.pid], frames: 'none', rollups: false });
  return entries.bits.subarray(0, entries.count).some(isMapped);
}
