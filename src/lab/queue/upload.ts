/**
 * A recording that travels through Redis, when a worker can read it in no other way.
 *
 *     revmap:recording:HASH:want    a worker waits for it                              expires
 *     revmap:recording:HASH:busy    somebody is uploading it                           expires
 *     revmap:recording:HASH:sweeps  who has it and lives: a time for each sweep        expires
 *     revmap:recording:HASH:0 …     its gzipped content, a MiB each                    expire
 *     revmap:recording:HASH         how many pieces, how many bytes; written last      expires
 *
 * Owns      these keys.
 * Promises  1. Nothing is uploaded that nobody wants, and it is uploaded once for all sweeps of the same recording.
 *           2. The last sweep takes it away again; if it cannot, it expires.
 *           3. A download is complete and has the right hash, or it fails.
 */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Redis } from 'ioredis';
import type { Recording } from '../../trace/source.ts';
import { contentOf } from '../store/key.ts';
import { PREFIX } from './connection.ts';

const PIECE_BYTES = 1 << 20;
const KEPT_SECONDS = 3600;
const LOOK_MS = 500;
/** A sweep that was not heard of for so long is gone. */
const LIVES_SECONDS = 60;
/** A worker asks for so long, as long as nobody uploads. */
const PATIENCE_MS = 30_000;
export const MOST_BYTES = 4 * 2 ** 30;

interface Uploaded {
  pieces: number;
  bytes: number;
}

function keyOf(hash: string, part?: string | number): string {
  return `${PREFIX}:recording:${hash}${part === undefined ? '' : `:${part}`}`;
}

/** The side of a sweep: gives the recording to whoever wants it, until it is closed. */
export class Uploader {
  private readonly redis: Redis;
  private readonly recording: Recording;
  private readonly hash: string;
  private readonly name = randomBytes(8).toString('hex');
  private readonly onNote: (note: string) => void;
  private closed = false;
  private wake: () => void = () => {};
  private readonly loop: Promise<void>;

  constructor(redis: Redis, recording: Recording, hash: string, onNote: (note: string) => void) {
    this.redis = redis;
    this.recording = recording;
    this.hash = hash;
    this.onNote = onNote;
    this.loop = this.watch();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.wake();
    await this.loop;
  }

  private async watch(): Promise<void> {
    const { redis, hash } = this;
    const sweeps = keyOf(hash, 'sweeps');
    let uploaded: Uploaded | null = null;
    while (!this.closed) {
      try {
        const now = Math.floor(Date.now() / 1000);
        await redis.zadd(sweeps, now, this.name);
        await redis.expire(sweeps, KEPT_SECONDS);
        uploaded = parseUploaded(await redis.get(keyOf(hash)));
        if (uploaded !== null) await this.refresh(uploaded);
        else if ((await redis.exists(keyOf(hash, 'want'))) === 1) uploaded = await this.upload();
      } catch (error) {
        if (!this.closed) this.onNote(`the recording was not uploaded: ${(error as Error).message}`);
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        if (this.closed) resolve();
        else setTimeout(resolve, LOOK_MS).unref();
      });
    }
    await this.leave();
  }

  private async upload(): Promise<Uploaded | null> {
    const { redis, hash } = this;
    const busy = keyOf(hash, 'busy');
    if ((await redis.set(busy, this.name, 'EX', LIVES_SECONDS, 'NX')) === null) return null;
    let pieces = 0;
    let bytes = 0;
    const packed = Readable.from(copies(contentOf(this.recording))).pipe(
      createGzip({ level: 1, chunkSize: PIECE_BYTES }),
    );
    for await (const piece of packed) {
      if (this.closed) return null;
      await redis.set(keyOf(hash, pieces), piece as Buffer, 'EX', KEPT_SECONDS);
      await redis.expire(busy, LIVES_SECONDS);
      pieces += 1;
      bytes += (piece as Buffer).length;
    }
    const uploaded: Uploaded = { pieces, bytes };
    await redis.set(keyOf(hash), JSON.stringify(uploaded), 'EX', KEPT_SECONDS);
    await redis.del(busy, keyOf(hash, 'want'));
    return uploaded;
  }

  /** What is used does not expire. */
  private async refresh({ pieces }: Uploaded): Promise<void> {
    const { redis, hash } = this;
    if ((await redis.ttl(keyOf(hash))) > KEPT_SECONDS / 2) return;
    const pipeline = redis.pipeline().expire(keyOf(hash), KEPT_SECONDS);
    for (let i = 0; i < pieces; i++) pipeline.expire(keyOf(hash, i), KEPT_SECONDS);
    await pipeline.exec();
  }

  private async leave(): Promise<void> {
    const { redis, hash } = this;
    try {
      const sweeps = keyOf(hash, 'sweeps');
      await redis.zrem(sweeps, this.name);
      await redis.zremrangebyscore(sweeps, 0, Math.floor(Date.now() / 1000) - LIVES_SECONDS);
      if ((await redis.zcard(sweeps)) > 0) return;
      const uploaded = parseUploaded(await redis.get(keyOf(hash)));
      const pieces = Array.from({ length: uploaded?.pieces ?? 0 }, (_, i) => keyOf(hash, i));
      await redis.del(keyOf(hash), keyOf(hash, 'busy'), keyOf(hash, 'want'), ...pieces);
    } catch {
      // It expires.
    }
  }
}

/** contentOf uses its piece again. */
function* copies(pieces: Iterable<Uint8Array>): Generator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

/** The side of a worker: the gzipped content, once somebody has uploaded it. */
export async function* download(redis: Redis, hash: string): AsyncGenerator<Uint8Array> {
  const uploaded = await waitFor(redis, hash);
  let bytes = 0;
  for (let i = 0; i < uploaded.pieces; i++) {
    const piece = await redis.getBuffer(keyOf(hash, i));
    bytes += piece?.length ?? 0;
    if (piece === null || bytes > uploaded.bytes) {
      await redis.del(keyOf(hash));
      throw new Error(`recording ${hash.slice(0, 16)}: a part of the upload is gone`);
    }
    yield piece;
  }
}

async function waitFor(redis: Redis, hash: string): Promise<Uploaded> {
  for (let waited = 0; waited < PATIENCE_MS; ) {
    const uploaded = parseUploaded(await redis.get(keyOf(hash)));
    if (uploaded !== null) return uploaded;
    await redis.set(keyOf(hash, 'want'), '1', 'EX', LIVES_SECONDS);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if ((await redis.exists(keyOf(hash, 'busy'))) === 0) waited += LOOK_MS;
  }
  throw new Error(`recording ${hash.slice(0, 16)}: it cannot be read here, and no sweep uploads it`);
}

function parseUploaded(text: string | null): Uploaded | null {
  if (text === null) return null;
  const match = /^\{"pieces":(\d{1,7}),"bytes":(\d{1,13})\}$/.exec(text);
  if (match === null) return null;
  const uploaded = { pieces: Number(match[1]), bytes: Number(match[2]) };
  return uploaded.bytes <= MOST_BYTES && uploaded.pieces <= uploaded.bytes ? uploaded : null;
}
