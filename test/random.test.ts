import { expect, test } from 'vitest';
import { stateHash } from '../src/mm/snapshot.ts';
import { RandomProgram } from './random_machine.ts';

/** `REVMAP_SEEDS=2000 npm test -- test/random` runs more; a failure prints the seed that repeats it. */
const seeds = Number(process.env['REVMAP_SEEDS'] ?? 60);
const first = Number(process.env['REVMAP_FIRST_SEED'] ?? 1);
const STEPS = 200;

function run(seed: number, kernel: string): RandomProgram {
  const program = new RandomProgram(seed, kernel);
  for (let step = 0; step < STEPS; step++) {
    try {
      program.step();
    } catch (error) {
      throw new Error(
        `seed ${seed}, step ${step}, kernel ${kernel}: ${(error as Error).message}\n${program.log.slice(-6).join('\n')}`,
        {
          cause: error,
        },
      );
    }
    const broken = program.verify();
    if (broken.length > 0) {
      throw new Error(
        `seed ${seed}, step ${step}, kernel ${kernel}:\n${broken.slice(0, 8).join('\n')}\n${program.log.slice(-6).join('\n')}`,
      );
    }
  }
  try {
    program.checkContents();
  } catch (error) {
    throw new Error(`seed ${seed}, at the end, kernel ${kernel}: ${(error as Error).message}`, { cause: error });
  }
  return program;
}

for (const kernel of ['6.18', '6.1']) {
  test(`${kernel}: every promise holds after each of ${STEPS} steps, and every token is read back, for ${seeds} seeds`, () => {
    for (let seed = first; seed < first + seeds; seed++) run(seed, kernel).end();
  }, 3_600_000);
}

test('the same seed gives the same machine, to the bit', () => {
  for (const seed of [1, 2, 3]) expect(stateHash(run(seed, '6.18').machine)).toBe(stateHash(run(seed, '6.18').machine));
});
