/**
 * What only a machine of 2.4 has.
 *
 * Owns      the kmap pool, and what 2.4 keeps of cached pages.
 * Promises  There is one for each machine of 2.4: state_2_4 is asked for no other.
 */
import { Highmem_2_4 } from './highmem_2_4.ts';
import type { Machine } from './machine.ts';
import { PageCache_2_4 } from './page_cache_2_4.ts';
import type { GenerationState } from './parts.ts';

export class State_2_4 implements GenerationState {
  readonly highmem: Highmem_2_4;
  readonly pageCache: PageCache_2_4;
  /** The same, under the name that common code knows. */
  readonly pageHooks: PageCache_2_4;

  constructor(machine: Machine) {
    this.highmem = new Highmem_2_4(machine);
    this.pageCache = new PageCache_2_4(machine, this.highmem);
    this.pageHooks = this.pageCache;
    this.highmem.initEmergencyPool();
  }

  verify(_machine: Machine): string[] {
    return [...this.pageCache.verify(), ...this.highmem.verify()];
  }
}

export function newState_2_4(machine: Machine): GenerationState {
  return new State_2_4(machine);
}

/** Of a machine of 2.4. */
export function state_2_4(machine: Machine): State_2_4 {
  return machine.state as State_2_4;
}
