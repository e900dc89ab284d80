/**
 * The machine that a recording or a program is to run on, as a page chooses it.
 *
 * Promises  It brings nothing of the engine with it: the page asks before its worker is there.
 */
import { MACHINE_DEFAULTS } from '../lab/options.ts';
import type { RunOptions } from '../lab/run.ts';

/** A limit of null is none. */
export interface MachineChoice extends RunOptions {
  /** Memory programs: other memory than that of the machine on which programs are recorded; null: that. */
  readonly programRamBytes: number | null;
}

export const MACHINE_CHOICE: MachineChoice = { ...MACHINE_DEFAULTS, limitBytes: null, programRamBytes: null };

/** Newest first: the recipes of mm/generations, by name. */
export const KERNELS = [
  { version: '6.18', hasMglru: true },
  { version: '6.1', hasMglru: true },
  { version: '3.16', hasMglru: false },
  { version: '2.6.26', hasMglru: false },
  { version: '2.6.24', hasMglru: false },
  { version: '2.5.59', hasMglru: false },
  { version: '2.4.19', hasMglru: false },
  { version: '2.4.18', hasMglru: false },
] as const;
