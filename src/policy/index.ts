/** The policies that are built in, and how to run one. */
import { arc } from './arc.ts';
import { opt } from './belady.ts';
import { clock } from './clock.ts';
import { fifo } from './fifo.ts';
import { lfu } from './lfu.ts';
import { lirs } from './lirs.ts';
import { lru } from './lru.ts';
import { mru } from './mru.ts';
import type { Policy } from './policy.ts';
import { random } from './random.ts';
import { s3Fifo } from './s3_fifo.ts';
import { sieve } from './sieve.ts';
import { twoQ } from './two_q.ts';

export { PolicyError } from './memory.ts';
export type { AccessedBitPolicy, AccessPolicy, FuturePolicy, Policy } from './policy.ts';
export { type PolicyResult, simulate } from './simulate.ts';
export type { PageStream } from './stream.ts';

export const POLICIES: readonly Policy[] = [lru, fifo, mru, clock, lfu, twoQ, arc, lirs, s3Fifo, sieve, random, opt];

/** By name: `LRU`, `s3-fifo`, `S3FIFO`. Undefined if there is none. */
export function policyNamed(name: string): Policy | undefined {
  return POLICIES.find((policy) => plain(policy.name) === plain(name));
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll('-', '');
}
