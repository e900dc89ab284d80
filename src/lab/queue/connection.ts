/**
 * A Redis server, through BullMQ and ioredis. Both are optional packages: they are loaded when a queue is named.
 *
 * Promises  1. A server that is not there, or says no, is one line at once; one that goes away later is waited for.
 *           2. User and password in the URL are given to the server, and are in no message.
 */
import type { Redis } from 'ioredis';
import { InputError } from '../../mm/bug.ts';

export type BullMq = typeof import('bullmq');

export interface Connection {
  bullmq: BullMq;
  redis: Redis;
  /** Without user and password. */
  shown: string;
}

/** All our keys begin with it. */
export const PREFIX = 'revmap';
/** For the first answer. */
const PATIENCE_MS = 10_000;
const MOST_WAIT_MS = 5_000;

/** `redis://user:password@host:port/3`. `onNote` hears of a connection that was lost. */
export async function connectQueue(url: string, onNote: (note: string) => void): Promise<Connection> {
  const shown = shownUrl(url);
  const { bullmq, RedisClient } = await loadPackages();
  const first = new RedisClient(url, {
    lazyConnect: true,
    connectTimeout: PATIENCE_MS,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  let lastError = '';
  first.on('error', (error: Error) => {
    lastError = error.message;
  });
  try {
    await first.connect();
    await first.ping();
  } catch (error) {
    throw new InputError(shown, 0, lastError || (error as Error).message);
  } finally {
    first.disconnect();
  }
  const redis = new RedisClient(url, {
    maxRetriesPerRequest: null, // as BullMQ wants it: wait for the server
    retryStrategy: (times) => Math.min(100 * 2 ** times, MOST_WAIT_MS),
  });
  let lost = false;
  redis.on('error', (error: Error) => {
    if (!lost) onNote(`${shown}: ${error.message}; waiting for it`);
    lost = true;
  });
  redis.on('ready', () => {
    lost = false;
  });
  return { bullmq, redis, shown };
}

/** That the server is away is said once, by the connection. */
export function noteUnlessLost(error: Error, onNote: (note: string) => void): void {
  if (!('errno' in error) && !/connection/i.test(error.message)) onNote(`queue: ${error.message}`);
}

function shownUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new InputError('--queue', 0, 'a queue is redis://HOST:PORT, or rediss:// for TLS');
  }
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}

async function loadPackages(): Promise<{ bullmq: BullMq; RedisClient: typeof Redis }> {
  try {
    return { bullmq: await import('bullmq'), RedisClient: (await import('ioredis')).Redis };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new InputError(
      '--queue',
      0,
      'the optional packages bullmq and ioredis are not installed; npm install bullmq ioredis',
    );
  }
}
