/**
 * What only a 2.6 machine has beside its parts.
 *
 * Owns      the threads of pdflush, and the swap token.
 * Promises  There is one for each machine of 2.6: state_2_6 is asked for no other.
 */
import { Pdflush } from './flusher_2_6.ts';
import type { Machine } from './machine.ts';
import type { GenerationState } from './parts.ts';
import { SwapToken } from './swap/swap_token.ts';

export class State_2_6 implements GenerationState {
  readonly pdflush: Pdflush;
  readonly swapToken: SwapToken = new SwapToken();

  constructor(machine: Machine) {
    this.pdflush = new Pdflush(machine);
  }

  verify(_machine: Machine): string[] {
    const { threads, nrThreads } = this.pdflush;
    const busy = threads.slice(nrThreads).filter((thread) => thread.work !== 0).length;
    return busy === 0 ? [] : [`${busy} threads of pdflush work and do not exist`];
  }
}

export function newState_2_6(machine: Machine): GenerationState {
  return new State_2_6(machine);
}

export function state_2_6(machine: Machine): State_2_6 {
  return machine.state as State_2_6;
}
