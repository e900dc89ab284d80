/**
 * The kernels that a machine can run, by name.
 */
import { InputError } from '../bug.ts';
import type { Generation } from '../parts.ts';
import { linux_6_1, linux_6_18 } from './linux_6.ts';

/** Newest of each family first. */
export const GENERATIONS: readonly Generation[] = [linux_6_18, linux_6_1];

/** `6.1`, or `linux-6` for the newest of its family. Throws InputError for an unknown name. */
export function generationNamed(name: string): Generation {
  const found = GENERATIONS.find((g) => g.version === name || g.family === name);
  if (found !== undefined) return found;
  const known = GENERATIONS.map((g) => g.version).join(', ');
  throw new InputError('--kernel', 0, `unknown kernel '${name}' (known: ${known}, linux-6)`);
}
