/** Random programs on tiny machines of every kernel. `REVMAP_SEEDS=2000 npm run bench -- random` runs more of them. */
import { expect, test } from 'vitest';
import { GENERATIONS } from '../src/mm/generations/index.ts';
import { runRandom, STEPS } from './random_run.ts';

const seeds = Number(process.env['REVMAP_SEEDS'] ?? 8);
const first = Number(process.env['REVMAP_FIRST_SEED'] ?? 1);

for (const { version } of GENERATIONS) {
  test(`${version}: every promise holds after each of ${STEPS} steps, and every token is read back, for ${seeds} seeds`, () => {
    for (let seed = first; seed < first + seeds; seed++) runRandom(seed, version).end();
  }, 3_600_000);

  test(`${version}: the same seed gives the same machine, to the bit`, () => {
    const [once, twice] = [1, 2].map(() => runRandom(first, version, false).machine.stateHash());
    expect(once).toBe(twice);
  });
}

for (const { seed, version, why } of [
  { seed: 527, version: '3.16', why: 'a store that swaps in a merged page copies it, however few map it' },
  {
    seed: 2343,
    version: '3.16',
    why: 'a merged page that is back from swap has outlived the anon_vma of whoever was first',
  },
]) {
  test(`${version}: seed ${seed} once broke a promise: ${why}`, () => runRandom(seed, version).end());
}
