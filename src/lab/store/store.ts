/**
 * Results on disk: each once, under its key.
 *
 *     DIR/1f/1f0c…e2.json    {"revmap_result": 1, "key": …, "engine": …, "recording": …, "configuration": …, "limit_bytes": …,
 *                             "seconds": 1.93, "sha256": of the text of the result, "result": {…}}
 *     DIR/runs-77ab….parquet the rows of a finished sweep (parquet.ts)
 *
 * Owns      the folder of results.
 * Promises  1. A file is there whole or not at all: it is written under a private name and renamed.
 *           2. What is read is what was written: an entry that is cut off, damaged, or belongs to something else is not used;
 *              whoever asks learns why, and its next result replaces it.
 *           3. Several sweeps may use the folder at once. Two that make the same result write the same bytes, but for `seconds`.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { InputError } from '../../mm/bug.ts';
import type { RunResult } from '../result.ts';
import { type Identity, keyOf, sha256 } from './key.ts';

export const ENTRY_VERSION = 1;
/** An entry has some 10 KB. */
const MOST_BYTES = 1 << 22;

export interface Entry {
  key: string;
  identity: Identity;
  /** Wall time of its replay. */
  seconds: number;
  result: RunResult;
}

/** In XDG's cache folder: what is there can be made again. */
export function cacheFolder(name: 'results' | 'recordings'): string {
  const cache = process.env['XDG_CACHE_HOME'];
  return join(cache?.startsWith('/') ? cache : join(homedir(), '.cache'), 'revmap', name);
}

export class ResultStore {
  readonly folder: string;

  /** Throws an InputError if the folder cannot be made or written to. */
  constructor(folder: string) {
    this.folder = folder;
    try {
      mkdirSync(folder, { recursive: true });
      const probe = join(folder, privateName());
      writeFileSync(probe, '');
      rmSync(probe);
    } catch (error) {
      throw new InputError(folder, 0, `results cannot be kept here (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  /** The entry, null if there is none, or why the one that is there is not used. */
  get(identity: Identity): Entry | string | null {
    const key = keyOf(identity);
    const path = this.pathOf(key);
    const text = readSmall(path);
    if (text === null) return null;
    const entry = typeof text === 'string' ? parseEntry(text, identity, key) : text.reason;
    return typeof entry === 'string' ? `${path}: ${entry}` : entry;
  }

  put(identity: Identity, result: RunResult, seconds: number): void {
    const key = keyOf(identity);
    const { engine, recording, configuration, policySha256, limitBytes } = identity;
    const whole = {
      revmap_result: ENTRY_VERSION,
      key,
      engine,
      recording,
      configuration,
      policy_sha256: policySha256,
      limit_bytes: limitBytes,
      seconds,
      sha256: sha256(JSON.stringify(result)),
      result,
    };
    this.write(join(key.slice(0, 2), `${key}.json`), `${JSON.stringify(whole)}\n`);
  }

  /** `name` is relative to the folder. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    const half = join(dirname(path), privateName());
    try {
      writeFileSync(half, content);
      renameSync(half, path);
    } catch (error) {
      rmSync(half, { force: true });
      throw error;
    }
    return path;
  }

  private pathOf(key: string): string {
    return join(this.folder, key.slice(0, 2), `${key}.json`);
  }
}

function privateName(): string {
  return `.new-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** null: no such file. */
function readSmall(path: string): string | { reason: string } | null {
  let fd = -1;
  try {
    fd = openSync(path, 'r');
    const bytes = Buffer.alloc(Math.min(MOST_BYTES, fstatSync(fd).size) + 1);
    let length = 0;
    for (let n = 1; n > 0 && length < bytes.length; length += n)
      n = readSync(fd, bytes, length, bytes.length - length, null);
    return length > MOST_BYTES ? { reason: `longer than ${MOST_BYTES} bytes` } : bytes.toString('utf8', 0, length);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? null : { reason: `cannot be read (${code})` };
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}

/** The entry, or what is wrong with it. */
function parseEntry(text: string, identity: Identity, key: string): Entry | string {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    return 'not whole';
  }
  if (typeof whole !== 'object' || whole === null) return 'no entry of a result';
  const fields = whole as Record<string, unknown>;
  if (fields['revmap_result'] !== ENTRY_VERSION) return 'no entry of this version';
  if (fields['key'] !== key) return 'of another run';
  const { seconds, result } = fields;
  if (typeof seconds !== 'number' || typeof result !== 'object' || result === null) return 'a field is missing';
  if (fields['sha256'] !== sha256(JSON.stringify(result))) return 'its checksum differs';
  return { key, identity, seconds, result: result as RunResult };
}
