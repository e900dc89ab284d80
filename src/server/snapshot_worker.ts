/**
 * The entry of a thread that takes one snapshot of this host.
 *
 * Promises  1. What it answers is a snapshot file (`revmap snapshot -o` writes the same): no contents of pages, no environments, no
 *              command lines.
 *           2. Without `frames`, no number of a frame is in it (frame_numbers.ts).
 */
import { Readable } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { createGzip } from 'node:zlib';
import { encodeSnapshot } from '../host/file/snapshot_file.ts';
import { LiveHost } from '../host/live_host.ts';
import { withoutFrameNumbers } from './frame_numbers.ts';
import type { SnapshotTask } from './live_snapshots.ts';

/** As of snapshot files. */
const LEVEL = 4;

parentPort?.postMessage(await take(workerData as SnapshotTask));

async function take({ host: options, frames }: SnapshotTask): Promise<Uint8Array> {
  const host = new LiveHost(options);
  const snapshot = host.snapshot({ frames: frames ? 'all' : 'none' });
  const { files, cache, missing } = await host.cachedFiles(snapshot);
  const whole = { ...snapshot, files, cache, missing: [...snapshot.missing, ...missing] };
  const parts = encodeSnapshot(frames ? whole : withoutFrameNumbers(whole));
  const packed: Uint8Array[] = [];
  for await (const piece of Readable.from(parts).pipe(createGzip({ level: LEVEL }))) packed.push(piece);
  return Buffer.concat(packed);
}
