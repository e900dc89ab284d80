/**
 * This host at a moment, whenever the page asks.
 *
 * Promises  1. One is taken at a time, and none within KEPT_MS of the last: who asks meanwhile gets that one.
 *           2. What the page gets is the bytes of a snapshot file (`revmap snapshot -o` writes the same): no contents of pages, no
 *              environments, no command lines.
 *           3. Without `frames`, no number of a frame is in it (frame_numbers.ts).
 */
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { encodeSnapshot } from '../host/file/snapshot_file.ts';
import type { LiveHost } from '../host/live_host.ts';
import { isMapped } from '../host/snapshot.ts';
import { withoutFrameNumbers } from './frame_numbers.ts';

export const KEPT_MS = 1000;
/** As of snapshot files. */
const LEVEL = 4;

export class LiveSnapshots {
  readonly frames: boolean;
  private readonly host: LiveHost;
  /** The last one, or the one that is being taken. */
  private last: Promise<Buffer> | null = null;

  constructor(host: LiveHost, frames: boolean) {
    this.host = host;
    this.frames = frames;
  }

  bytes(): Promise<Buffer> {
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

  private async take(): Promise<Buffer> {
    const { host, frames } = this;
    const snapshot = host.snapshot({ frames: frames ? 'all' : 'none' });
    const { files, cache, missing } = await host.cachedFiles(snapshot);
    const whole = { ...snapshot, files, cache, missing: [...snapshot.missing, ...missing] };
    const parts = encodeSnapshot(frames ? whole : withoutFrameNumbers(whole));
    const packed: Uint8Array[] = [];
    for await (const piece of Readable.from(parts).pipe(createGzip({ level: LEVEL }))) packed.push(piece);
    return Buffer.concat(packed);
  }
}

/** Asked of the kernel, by our own pages: capabilities of a container would promise what they do not hold. */
export function canReadFrameNumbers(host: LiveHost): boolean {
  const { entries } = host.snapshot({ pids: [process.pid], frames: 'none', rollups: false });
  return entries.bits.subarray(0, entries.count).some(isMapped);
}
