/**
 * Runs a policy over a stream and counts.
 *
 * Promises  1. hits + misses = accesses; misses - evictions is what lies in memory at the end.
 *           2. Whatever goes wrong in a policy ends as PolicyError with the number of the access, counted from 0.
 */
import { PageMemory, PolicyError } from './memory.ts';
import { NextUses } from './opt.ts';
import type { AccessedBitPolicy, AccessPolicy, FuturePolicy, Policy, SeesAccesses, SeesFaults } from './policy.ts';
import type { PageStream } from './stream.ts';

export interface PolicyResult {
  policy: string;
  accesses: number;
  hits: number;
  misses: number;
  /** Misses of pages that were never in memory before: no policy avoids them. */
  coldMisses: number;
  evictions: number;
  /** Evictions of pages that were stored to since they came in. */
  dirtyEvictions: number;
  /** Tests of accessed bits; 0 for a policy that sees every access. */
  scans: number;
}

/** `capacityPages` is 1 or more. */
export function simulate(stream: PageStream, policy: Policy, capacityPages: number): PolicyResult {
  const memory = new PageMemory(stream.pages, capacityPages);
  const clock = { now: 0 };
  try {
    if (policy.sees === 'accesses') showAccesses(stream, memory, policy, clock);
    else if (policy.sees === 'accessed bits') showFaults(stream, memory, policy, clock);
    else showFuture(stream, memory, policy, clock);
  } catch (error) {
    throw blame(policy, clock.now, error);
  }
  return {
    policy: policy.name,
    accesses: stream.accesses,
    hits: stream.accesses - memory.misses,
    misses: memory.misses,
    coldMisses: memory.coldMisses,
    evictions: memory.evictions,
    dirtyEvictions: memory.dirtyEvictions,
    scans: memory.scans,
  };
}

/** How many accesses have gone by. It lags within a batch, unless something was thrown. */
interface Clock {
  now: number;
}

function showAccesses(stream: PageStream, memory: PageMemory, policy: AccessPolicy, clock: Clock): void {
  const deciding = policy.start(memory);
  stream.forEach((ids, writes, count) => {
    let i = 0;
    try {
      for (; i < count; i++) showAccess(memory, deciding, ids[i]!, writes[i]!);
    } finally {
      clock.now += i;
    }
  });
}

function showAccess(memory: PageMemory, deciding: SeesAccesses, page: number, write: number): void {
  if (memory.access(page, write)) {
    deciding.hit(page);
  } else {
    deciding.miss(page);
    memory.enter(page, write);
  }
}

function showFaults(stream: PageStream, memory: PageMemory, policy: AccessedBitPolicy, clock: Clock): void {
  const deciding = policy.start(memory);
  stream.forEach((ids, writes, count) => {
    let i = 0;
    try {
      for (; i < count; i++) {
        if (!memory.access(ids[i]!, writes[i]!)) showFault(memory, deciding, ids[i]!, writes[i]!);
      }
    } finally {
      clock.now += i;
    }
  });
}

function showFault(memory: PageMemory, deciding: SeesFaults, page: number, write: number): void {
  deciding.fault(page);
  memory.enter(page, write);
}

function showFuture(stream: PageStream, memory: PageMemory, policy: FuturePolicy, clock: Clock): void {
  const uses = NextUses.of(stream);
  if (uses === null) throw new PolicyError(`cannot hold the future of ${stream.accesses} accesses`);
  const { next } = uses;
  const deciding = policy.start(memory, stream.accesses);
  stream.forEach((ids, writes, count) => {
    const started = clock.now;
    for (let i = 0; i < count; i++, clock.now++) {
      const page = ids[i]!;
      const now = started + i;
      if (memory.access(page, writes[i]!)) {
        deciding.hit(page, now, next[now]!);
      } else {
        deciding.miss(page, now, next[now]!);
        memory.enter(page, writes[i]!);
      }
    }
  });
}

function blame(policy: Policy, access: number, error: unknown): PolicyError {
  const reason = error instanceof PolicyError ? error.message : `throws ${error}`;
  return new PolicyError(`policy ${policy.name}, access ${access}: ${reason}`, { cause: error });
}
