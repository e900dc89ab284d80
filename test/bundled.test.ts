/**
 * What takes too long as single modules runs bundled, as the product does: `npm run bench -- accuracy random` prints the figures.
 */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { GENERATIONS } from '../src/mm/generations/index.ts';

function bench(name: string, settings: Readonly<Record<string, string>> = {}): string {
  const env = { ...process.env, ...settings };
  const { status, stdout, stderr } = spawnSync('node', ['scripts/bench.mjs', name], { encoding: 'utf8', env });
  expect(stderr).not.toMatch(/Error/);
  expect(status).toBe(0);
  return stdout;
}

test('recorded programs swap and scan as they did on Linux 6.1, and settings are ranked as there', () => {
  const said = bench('accuracy');
  const shares = [...said.matchAll(/^(\d+) of (\d+) (within|ranked)/gm)].map(
    ([, part, all]) => Number(part) / Number(all),
  );
  const [figures = 0, smallest = 0, ranked = 0, earlier = 0] = shares;
  expect(figures).toBeGreaterThan(0.9);
  expect(smallest).toBe(1);
  expect(ranked).toBeGreaterThan(0.9);
  expect(earlier).toBeGreaterThan(0.98);
  // The classic LRU: swap traffic is within the rule everywhere.
  expect(said.match(/^ {2}z-n-3 .*pswp(in|out) [^ ]+ → \d+ !.*$/gm) ?? []).toEqual([]);
}, 600_000);

test('random programs: every promise holds after every step, every token is read back, the same seed gives the same machine', () => {
  // Those before are in random.test.ts.
  const settings = { REVMAP_FIRST_SEED: '9', REVMAP_SEEDS: '10' };
  expect(bench('random', settings).match(/every promise held/g)).toHaveLength(GENERATIONS.length);
}, 600_000);
