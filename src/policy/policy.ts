/**
 * What a policy is: who decides which page leaves when memory is full.
 *
 * Owns      the three kinds of policy by what they may see, and the face of the memory that they act on.
 * Promises  A policy of kind 'accessed bits' learns of an access that finds its page in memory by testAndClearAccessed()
 *           alone, and each such test is counted as a scan: that is all the hardware tells a kernel.
 * Read      docs/policies.md for an example of each kind, memory.ts and simulate.ts for the other side
 *
 *              kind             is told of                        may ask
 *     kernel   accessed bits    faults                            which pages were accessed since it last asked
 *     library  accesses         faults, and every access          (it has seen them all)
 *     bound    the future       both, and when the page is next   (nobody can, so it bounds all others)
 */

/** What `--policy` names, and what a file of the user's own exports as its default. */
export type Policy = AccessPolicy | AccessedBitPolicy | FuturePolicy;

interface Named {
  readonly name: string;
  /** One line for `--policy list`. */
  readonly about: string;
}

/** Sees every access. Simulators and databases do; for a kernel each would be a trap. */
export interface AccessPolicy extends Named {
  readonly sees: 'accesses';
  start(memory: Memory): SeesAccesses;
}

/** Sees faults and accessed bits, as a kernel does. */
export interface AccessedBitPolicy extends Named {
  readonly sees: 'accessed bits';
  start(memory: BitMemory): SeesFaults;
}

/** Sees every access, and when the page is accessed again. `accesses` is how many there will be. */
export interface FuturePolicy extends Named {
  readonly sees: 'the future';
  start(memory: Memory, accesses: number): SeesFuture;
}

export interface SeesAccesses {
  /** `page` was accessed and is in memory. */
  hit(page: number): void;
  /** `page` was accessed and is not in memory. It enters when this returns: if memory is full, evict someone first. */
  miss(page: number): void;
}

export interface SeesFaults {
  /** `page` was accessed and is not in memory. It enters when this returns: if memory is full, evict someone first. */
  fault(page: number): void;
}

/** `now` counts accesses from 0; `next` is when the same page is accessed again, NEVER if it is not. */
export interface SeesFuture {
  hit(page: number, now: number, next: number): void;
  miss(page: number, now: number, next: number): void;
}

/** Later than every access. */
export const NEVER = 2 ** 31 - 1;

/** Memory, as a policy sees it. */
export interface Memory {
  /** Pages are numbered 0 … pages-1, so a policy can keep what it knows of each in a typed array. */
  readonly pages: number;
  /** How many of them fit. */
  readonly capacity: number;
  /** Do as many pages as fit lie in memory? */
  readonly full: boolean;
  /** Takes `page` out. A page that is not in memory is the policy's mistake. */
  evict(page: number): void;
}

export interface BitMemory extends Memory {
  /**
   * Was `page` accessed since the last test, or else since it entered?
   *
   * DIFFERS: the access that brings a page in leaves the bit clear; Linux maps the page young. A policy that wants that
   * treats pages it has not tested yet as accessed.
   */
  testAndClearAccessed(page: number): boolean;
}
