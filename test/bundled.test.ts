/**
 * What takes too long as single modules runs bundled, as the product does: `npm run bench -- accuracy random` prints the figures.
 */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { GENERATIONS } from '../src/mm/generations/index.ts';

function bench(name: string): string {
  const { status, stdout, stderr } = spawnSync('node', ['scripts/bench.mjs', name], { encoding: 'utf8' });
  expect(stderr).not.toMatch(/Error/);
  expect(status).toBe(0);
  return stdout;
}

test('recorded programs swap and scan as they did on Linux 6.1, at every measured limit', () => {
  const [, within, all] = /^(\d+) of (\d+) within$/m.exec(bench('accuracy')) ?? [];
  expect(Number(all)).toBeGreaterThan(80);
  expect(within).toBe(all);
}, 600_000);

test('random programs: every promise holds after every step, every token is read back, the same seed gives the same machine', () => {
  expect(bench('random').match(/every promise held/g)).toHaveLength(GENERATIONS.length);
}, 600_000);
