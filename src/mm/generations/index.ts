/**
 * The kernels that a machine can run, by name.
 */
import { InputError } from '../bug.ts';
import type { Generation } from '../parts.ts';
import { linux_2_4_18, linux_2_4_19 } from './linux_2_4.ts';
import { linux_2_5_59 } from './linux_2_5.ts';
import { linux_2_6_24, linux_2_6_26 } from './linux_2_6.ts';
import { linux_3_16 } from './linux_3.ts';
import { linux_6_1, linux_6_18 } from './linux_6.ts';

/** Newest first, and so the newest of each family before its elders. */
export const GENERATIONS: readonly Generation[] = [
  linux_6_18,
  linux_6_1,
  linux_3_16,
  linux_2_6_26,
  linux_2_6_24,
  linux_2_5_59,
  linux_2_4_19,
  linux_2_4_18,
];

/** `6.1`, or `linux-6` for the newest of its family. Throws InputError for an unknown name. */
export function generationNamed(name: string): Generation {
  const found = GENERATIONS.find((g) => g.version === name || g.family === name);
  if (found !== undefined) return found;
  const families = new Set(GENERATIONS.map((g) => g.family));
  const known = [...GENERATIONS.map((g) => g.version), ...families].join(', ');
  throw new InputError('--kernel', 0, `unknown kernel '${name}' (known: ${known})`);
}
