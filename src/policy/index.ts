/** The policies that are built in, and how to run one. */
import { lru } from './lru.ts';
import type { Policy } from './policy.ts';

export { PolicyError } from './memory.ts';
export type { AccessedBitPolicy, AccessPolicy, BitMemory, FuturePolicy, Memory, Policy } from './policy.ts';
export { type PolicyResult, simulate } from './simulate.ts';
export type { PageStream } from './stream.ts';

export const POLICIES: readonly Policy[] = [lru];

/** By name: `LRU`, `s3-fifo`. Undefined if there is none. */
export function policyNamed(name: string): Policy | undefined {
  const wanted = name.toLowerCase();
  return POLICIES.find((policy) => policy.name.toLowerCase() === wanted);
}
