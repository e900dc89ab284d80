/**
 * Random programs on tiny machines: every promise after every step, every token read back, the same machine twice.
 * REVMAP_SEEDS=2000 runs so many seeds (default 60) on each kernel, REVMAP_FIRST_SEED says where to begin,
 * REVMAP_KERNELS=2.6.24,2.6.26 which kernels.
 */
import { stateHash } from '../src/mm/snapshot.ts';
import { RandomProgram } from '../test/random_machine.ts';

const seeds = Number(process.env['REVMAP_SEEDS'] ?? 60);
const first = Number(process.env['REVMAP_FIRST_SEED'] ?? 1);
const kernels = process.env['REVMAP_KERNELS']?.split(',') ?? ['6.18', '6.1'];
const STEPS = 200;

/** Throws with the seed that repeats it. */
function run(seed: number, kernel: string, verified: boolean): RandomProgram {
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

for (const kernel of kernels) {
  const started = performance.now();
  let hashes = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const program = run(seed, kernel, true);
    if (seed % 10 === 0) {
      const hash = stateHash(program.machine);
      const again = stateHash(run(seed, kernel, false).machine);
      if (hash !== again) throw new Error(`seed ${seed}, kernel ${kernel}: hash ${hash}, and ${again} the second time`);
      hashes += 1;
    }
    program.end();
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `${kernel}: ${seeds} seeds x ${STEPS} steps, every promise held after each, every token read back; ` +
      `${hashes} of ${hashes} ran twice to the same hash (${seconds} s)`,
  );
}
