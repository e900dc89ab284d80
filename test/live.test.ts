/**
 * The engine does what the kernel under us does, now: every fifth program of the corpus, and a minute of random ones.
 * Where this machine does not allow it, the tests are skipped, and their names say why.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { whatIsMissing } from '../src/lab/check/live.ts';
import { GENERATIONS } from '../src/mm/generations/index.ts';

const corpus = fileURLToPath(new URL('../oracle/corpus/', import.meta.url));
const SECONDS = 60;

/** Why nothing can be compared here, or null. */
function reason(): string | null {
  const known = GENERATIONS.some(({ version }) => release().startsWith(`${version}.`));
  return known ? whatIsMissing() : `this kernel is ${release()}, which the engine is not`;
}

const missing = reason();
const skipped = missing === null ? '' : ` (skipped: ${missing})`;

function revmap(...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('node', ['bin/revmap', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return { status, said: stdout + stderr };
}

test.skipIf(missing !== null)(`the corpus on this kernel${skipped}`, () => {
  const programs = readdirSync(corpus).filter((name) => name.endsWith('.mmp'));
  const part = programs.filter((_, i) => i % 5 === 0).map((name) => corpus + name);
  const { status, said } = revmap('check', '--live', ...part);
  expect(said).toContain(`${part.length} of ${part.length} comparisons equal`);
  expect(status).toBe(0);
});

test.skipIf(missing !== null)(
  `a minute of random programs on this kernel${skipped}`,
  () => {
    const { status, said } = revmap('fuzz', '--live', '--seconds', String(SECONDS), '--seed', '1');
    expect(status, said).toBe(0);
  },
  600_000,
);
