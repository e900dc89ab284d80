/** One random program from its seed to its end, every promise held after every step. */
import { RandomProgram } from './random_machine.ts';

export const STEPS = 200;

/** Throws, with the seed that repeats it, when a promise is broken or a load gives what nobody stored. */
export function runRandom(seed: number, kernel: string, verified = true): RandomProgram {
  const program = new RandomProgram(seed, kernel);
  let step = 0;
  try {
    for (; step < STEPS; step++) {
      program.step();
      const broken = verified ? program.verify() : [];
      if (broken.length > 0) throw new Error(broken.slice(0, 8).join('\n'));
    }
    program.checkContents();
  } catch (error) {
    const last = program.log.slice(-6).join('\n');
    throw new Error(`seed ${seed}, step ${step}, kernel ${kernel}: ${(error as Error).message}\n${last}`, {
      cause: error,
    });
  }
  return program;
}
