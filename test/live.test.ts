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

function revmap(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('node', ['bin/revmap', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
}

/** The programs that differ. */
function differing(programs: readonly string[]): string[] {
  const { compared, results, failed } = liveCheck(programs);
  expect(failed).toEqual([]);
  expect(compared).toBe(programs.length);
  return results.filter(({ equal }) => !equal).map(({ program }) => corpus + program);
}

interface LiveCheck {
  compared: number;
  results: { program: string; equal: boolean }[];
  failed: object[];
}

function liveCheck(programs: readonly string[]): LiveCheck {
  const { stdout } = revmap('check', '--live', '--json', ...programs);
  const { programs: compared, results, failed } = JSON.parse(stdout);
  return { compared, results, failed };
}

test.skipIf(missing !== null)(`the corpus on this kernel${skipped}`, () => {
  const programs = readdirSync(corpus).filter((name) => name.endsWith('.mmp'));
  let differ = programs.filter((_, i) => i % 5 === 0).map((name) => corpus + name);
  // On a busy machine a disk may be later than in the recording. What is wrong is wrong each time.
  for (let tries = 0; tries < 3 && differ.length > 0; tries++) differ = differing(differ);
  expect(differ).toEqual([]);
});

test.skipIf(missing !== null)(
  `a minute of random programs on this kernel${skipped}`,
  () => {
    const { status, stdout, stderr } = revmap('fuzz', '--live', '--seconds', String(SECONDS), '--seed', '1');
    expect(status, stdout + stderr).toBe(0);
  },
  600_000,
);
