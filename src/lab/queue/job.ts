/**
 * What a queue carries: a run to be made, and its result.
 *
 * Owns      the shape of a job, and the queue's name: it has the engine's version in it, so a worker of another revmap is never
 *           given a run.
 * Promises  What readJob accepts is whole. What is in a server was written by others.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Run } from '../configuration_run.ts';
import { CONFIGURATION_DEFAULTS, type Configuration } from '../grid.ts';
import type { RunResult } from '../result.ts';
import { engineVersion, type Identity, keyOf } from '../store/key.ts';
import { PREFIX } from './connection.ts';

/** Where a worker may find the recording; it is checked against the hash wherever it comes from. */
export interface Sources {
  /** A file that both can read. */
  path: string | null;
  /** http or https. */
  url: string | null;
}

export interface JobData {
  /** The job's name in the queue. */
  key: string;
  identity: Identity;
  sources: Sources;
  /** Whoever has the result makes it again. */
  fresh: boolean;
}

/** What a job returns: a result is written once more with each event about it, so it is packed. */
export function packAnswer(result: RunResult, seconds: number): string {
  return gzipSync(JSON.stringify({ result, seconds })).toString('base64');
}

/** null: no answer of a worker of ours. */
export function unpackAnswer(text: unknown): { result: RunResult; seconds: number } | null {
  try {
    const json = gunzipSync(Buffer.from(String(text), 'base64'), { maxOutputLength: ANSWER_BYTES }).toString();
    const answer: unknown = JSON.parse(json);
    if (!isRecord(answer) || !isRecord(answer['result']) || typeof answer['seconds'] !== 'number') return null;
    return { result: answer['result'] as unknown as RunResult, seconds: answer['seconds'] };
  } catch {
    return null;
  }
}

/** An answer has some 10 KB. */
const ANSWER_BYTES = 1 << 22;

export const JOB_NAME = 'run';

/** A run that fails for a reason which may pass is tried so often. */
export const ATTEMPTS = 4;
export const BACKOFF_MS = 1000;
/** Whoever waits for a result takes it at once. */
export const KEPT_SECONDS = 600;

export function queueName(): string {
  return `runs-${engineVersion()}`;
}

export const queueOptions = { prefix: PREFIX } as const;

export function runOf({ configuration, limitBytes }: Identity): Run {
  return { ...configuration, limitBytes };
}

/** The job, or what is wrong with it. */
export function readJob(data: unknown): JobData | string {
  if (!isRecord(data)) return 'a job without data';
  const { key, identity, sources, fresh } = data;
  if (typeof key !== 'string' || typeof fresh !== 'boolean') return 'a field is missing';
  if (!isRecord(identity) || !isRecord(sources)) return 'a field is missing';
  const { engine, recording, configuration, policySha256, limitBytes } = identity;
  if (engine !== engineVersion()) return `of engine ${engine}, and this is ${engineVersion()}`;
  if (typeof recording !== 'string' || !/^[0-9a-f]{64}$/.test(recording)) return 'no hash of a recording';
  if (typeof policySha256 !== 'string') return 'no hash of the policy';
  if (limitBytes !== null && !(typeof limitBytes === 'number' && limitBytes > 0)) return 'a limit that is none';
  const whole = configurationOf(configuration);
  if (whole === null) return 'a configuration that is none';
  const { path, url } = sources;
  if (!isTextOrNull(path) || !isTextOrNull(url)) return 'a source that is none';
  const checked: Identity = { engine, recording, configuration: whole, policySha256, limitBytes };
  if (key !== keyOf(checked)) return 'its key is of another run';
  return { key, identity: checked, sources: { path, url }, fresh };
}

function configurationOf(found: unknown): Configuration | null {
  if (!isRecord(found)) return null;
  const entries = Object.entries(CONFIGURATION_DEFAULTS).map(([option, like]) => {
    const value = Object.hasOwn(found, option) ? found[option] : undefined;
    const fits =
      typeof value === typeof like && (typeof value !== 'number' || (value >= 0 && Number.isSafeInteger(value)));
    return fits ? [option, value] : null;
  });
  if (entries.includes(null) || Object.keys(found).length !== entries.length) return null;
  return Object.fromEntries(entries as [string, unknown][]) as unknown as Configuration;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
