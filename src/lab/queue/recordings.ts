/**
 * The recordings that a worker has at hand: a few in memory, more in a folder, by hash.
 *
 *     job ──► in memory? ──► in the folder? ──► its path, if it can be read here ──► its URL ──► an upload
 *                            CACHE/HASH.rvm.gz ◄──────────────────────────────────────┴────────────┘
 *
 * Owns      the worker's folder of recordings.
 * Promises  1. A recording that is used has the hash of the job, wherever it came from.
 *           2. The folder does not grow beyond FOLDER_BYTES: what was not used for the longest time goes.
 */
import { createWriteStream, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Redis } from 'ioredis';
import { closeRecording, openRecording, type Recording } from '../../trace/source.ts';
import { surveyRecording } from '../../trace/survey.ts';
import type { Material } from '../pool.ts';
import { recordingHash } from '../store/key.ts';
import type { Sources } from './job.ts';
import { download, MOST_BYTES } from './upload.ts';

const FOLDER_BYTES = 16 * 2 ** 30;
const IN_MEMORY = 3;
/** A server that says nothing for so long is given up. */
const SILENT_MS = 60_000;

interface Held {
  material: Promise<Material>;
  users: number;
}

export class Recordings {
  private readonly folder: string;
  private readonly redis: Redis;
  private readonly onNote: (note: string) => void;
  /** By hash; the one used last is the last. */
  private readonly held: Map<string, Held> = new Map();

  constructor(folder: string, redis: Redis, onNote: (note: string) => void) {
    this.folder = folder;
    this.redis = redis;
    this.onNote = onNote;
    mkdirSync(folder, { recursive: true });
  }

  /** The recording stays open while `use` runs. */
  async with<T>(hash: string, sources: Sources, use: (material: Material) => Promise<T>): Promise<T> {
    const held = this.held.get(hash) ?? { material: this.open(hash, sources), users: 0 };
    this.held.delete(hash);
    this.held.set(hash, held);
    held.users += 1;
    try {
      return await use(await held.material);
    } catch (error) {
      // One that could not be had is asked for again.
      if (
        await held.material.then(
          () => false,
          () => true,
        )
      )
        this.held.delete(hash);
      throw error;
    } finally {
      held.users -= 1;
      await this.letGo();
    }
  }

  private async letGo(): Promise<void> {
    for (const [hash, held] of this.held) {
      if (this.held.size <= IN_MEMORY) return;
      if (held.users > 0) continue;
      this.held.delete(hash);
      closeRecording((await held.material).recording);
    }
  }

  private async open(hash: string, { path, url }: Sources): Promise<Material> {
    const kept = join(this.folder, `${hash}.rvm.gz`);
    const recording =
      (await this.tryOpen(kept, hash)) ??
      (path === null ? null : await this.tryOpen(path, hash)) ??
      (url === null ? null : await this.fetched(url, kept, hash)) ??
      (await this.fetchedFrom(download(this.redis, hash), kept, hash));
    return { recording, survey: surveyRecording(recording) };
  }

  /** null: not there, or another one. */
  private async tryOpen(path: string, hash: string): Promise<Recording | null> {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return null;
    let recording: Recording;
    try {
      recording = await openRecording(path);
    } catch (error) {
      this.onNote(`${(error as Error).message}; it is taken from elsewhere`);
      return null;
    }
    if (recordingHash(recording) === hash) return recording;
    closeRecording(recording);
    this.onNote(`${path}: another recording than the sweep's (${hash.slice(0, 16)}); it is taken from elsewhere`);
    return null;
  }

  private async fetched(url: string, kept: string, hash: string): Promise<Recording | null> {
    try {
      return await this.fetchedFrom(body(url), kept, hash);
    } catch (error) {
      this.onNote(`${shownUrl(url)}: ${(error as Error).message}; it is taken from elsewhere`);
      return null;
    }
  }

  /** Into the folder, and from there. */
  private async fetchedFrom(bytes: AsyncIterable<Uint8Array>, kept: string, hash: string): Promise<Recording> {
    const half = `${kept}.${process.pid}-${Math.random().toString(36).slice(2)}`;
    try {
      await pipeline(bytes, createWriteStream(half, { mode: 0o600 }));
      renameSync(half, kept);
    } finally {
      rmSync(half, { force: true });
    }
    const recording = await this.tryOpen(kept, hash);
    if (recording === null) {
      rmSync(kept, { force: true });
      throw new Error('what came is another recording');
    }
    this.tidy(kept);
    return recording;
  }

  private tidy(used: string): void {
    const now = new Date();
    utimesSync(used, now, now);
    const files = readdirSync(this.folder).map((name) => {
      const path = join(this.folder, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      return { path, bytes: stat?.size ?? 0, time: stat?.mtimeMs ?? 0 };
    });
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of files.sort((a, b) => a.time - b.time)) {
      if (bytes <= FOLDER_BYTES || file.path === used) return;
      rmSync(file.path, { force: true });
      bytes -= file.bytes;
    }
  }
}

/** What a server answers, of at most MOST_BYTES. */
async function* body(url: string): AsyncGenerator<Uint8Array> {
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), SILENT_MS);
  try {
    const { protocol, username, password } = new URL(url);
    if (protocol !== 'http:' && protocol !== 'https:') throw new Error('no http or https');
    const headers: Record<string, string> = {};
    if (username !== '' || password !== '') {
      const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
      headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    const plain = Object.assign(new URL(url), { username: '', password: '' });
    const response = await fetch(plain, { headers, signal: controller.signal });
    if (!response.ok || response.body === null) throw new Error(`the server answers ${response.status}`);
    let bytes = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), SILENT_MS);
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`);
      yield chunk;
    }
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

function shownUrl(url: string): string {
  return Object.assign(new URL(url), { username: '', password: '', search: '' }).href;
}
