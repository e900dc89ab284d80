/**
 * Random programs on tiny machines of every kernel: every promise after every step, every token read back, the same machine twice.
 *
 * REVMAP_SEEDS=2000 runs so many seeds (default 60) on each kernel, REVMAP_FIRST_SEED says where to begin; --kernel=2.6.26 runs that one
 * (or several, with commas). The seeds are shared among as many processes as there are CPUs, or --jobs=1.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { GENERATIONS, generationNamed } from '../src/mm/generations/index.ts';
import { runRandom, STEPS } from '../test/random_run.ts';

/** What one process has to do, and what it says when it is done. */
interface Share {
  readonly kernel: string;
  readonly first: number;
  readonly seeds: number;
}
interface Outcome {
  readonly hashes: number;
  readonly failures: readonly string[];
}

const seeds = Number(process.env['REVMAP_SEEDS'] ?? 60);
const first = Number(process.env['REVMAP_FIRST_SEED'] ?? 1);
/** Seeds that a process takes at a time. */
const SHARE = 10;
/** One seed in so many runs twice. */
const TWICE = 10;

if (process.send === undefined) await main();
else process.on('message', (share: Share) => process.send!(runShare(share)));

async function main(): Promise<void> {
  const asked = option('kernel')
    ?.split(',')
    .map((name) => generationNamed(name).version);
  const kernels = asked ?? GENERATIONS.map(({ version }) => version);
  const jobs = Number(option('jobs') ?? availableParallelism());
  for (const kernel of kernels) {
    const started = performance.now();
    const { hashes, failures } = await runAll(kernel, jobs);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    if (failures.length > 0) process.exitCode = 1;
    for (const failure of failures.slice(0, 5)) console.log(failure);
    console.log(
      failures.length > 0
        ? `${kernel}: ${failures.length} of ${seeds} seeds broke a promise (${seconds} s)`
        : `${kernel}: ${seeds} seeds x ${STEPS} steps, every promise held after each, every token read back; ` +
            `${hashes} of ${hashes} ran twice to the same hash (${seconds} s)`,
    );
  }
}

function option(name: string): string | undefined {
  const found = process.argv.find((arg) => arg.startsWith(`--${name}=`));
  return found?.slice(name.length + 3);
}

/** All seeds of one kernel; each process gets its next share when it is done with one. */
function runAll(kernel: string, jobs: number): Promise<Outcome> {
  let next = first;
  let open = 0;
  let hashes = 0;
  const failures: string[] = [];
  return new Promise((resolve, reject) => {
    for (let job = 0; job < jobs; job++) {
      const worker = fork(process.argv[1]!);
      const give = (): void => {
        if (next < first + seeds) {
          worker.send({ kernel, first: next, seeds: Math.min(SHARE, first + seeds - next) } satisfies Share);
          next += SHARE;
          return;
        }
        open -= 1;
        worker.disconnect();
        if (open === 0) resolve({ hashes, failures });
      };
      open += 1;
      worker.on('message', (outcome: Outcome) => {
        hashes += outcome.hashes;
        failures.push(...outcome.failures);
        give();
      });
      worker.on('error', reject);
      worker.on('exit', (code) => {
        if (code !== 0) reject(new Error(`a process that ran ${kernel} ended with ${code}`));
      });
      give();
    }
  });
}

function runShare({ kernel, first: from, seeds: count }: Share): Outcome {
  const failures: string[] = [];
  let hashes = 0;
  for (let seed = from; seed < from + count; seed++) {
    try {
      const program = runRandom(seed, kernel);
      if (seed % TWICE === 0) {
        const hash = program.machine.stateHash();
        const again = runRandom(seed, kernel, false).machine.stateHash();
        if (hash !== again)
          throw new Error(`seed ${seed}, kernel ${kernel}: hash ${hash}, and ${again} the second time`);
        hashes += 1;
      }
      program.end();
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  return { hashes, failures };
}
