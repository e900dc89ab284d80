/**
 * The engine does what the kernel under us does, now: every fifth program of the corpus, and 12 s of random ones.
 * Where this machine does not allow it, the tests are skipped, and their names say why.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { whatIsMissing } from '../src/lab/check/live.ts';
import { GENERATIONS } from '../src/mm/generations/index.ts';

const corpus = fileURLToPath(new URL('../oracle/corpus/', import.meta.url));
const SECONDS = 12;

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

/**
 * The programs in `folder` that differ each time. On a busy machine a disk may be later than in the recording, and another part of the
 * kernel (DAMON, say) may look at young bits beside us; what is wrong is wrong each time.
 */
function differing(folder: string, names: readonly string[]): string[] {
  let differ = [...names];
  for (let tries = 0; tries < 3 && differ.length > 0; tries++) {
    const { compared, results, failed } = liveCheck(differ.map((name) => join(folder, name)));
    expect(failed).toEqual([]);
    expect(compared).toBe(differ.length);
    differ = results.filter(({ equal }) => !equal).map(({ program }) => basename(program));
  }
  return differ;
}

interface FuzzJson {
  programs: number;
  found: { program: string }[];
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
  const some = programs.filter((_, i) => i % 5 === 0);
  expect(differing(corpus, some)).toEqual([]);
});

test.skipIf(missing !== null)(
  `random programs on this kernel, for 20 s${skipped}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'revmap-live-'));
    const args = ['--live', '--json', '--seconds', String(SECONDS), '--seed', '1', '--out', folder];
    const { stdout, stderr } = revmap('fuzz', ...args);
    const summary: FuzzJson = JSON.parse(stdout);
    expect(summary.programs, stderr).toBeGreaterThan(0);
    const names = summary.found.map(({ program }) => basename(program));
    const differ = differing(folder, names);
    // A failing program stays for whoever looks into it.
    if (differ.length === 0) rmSync(folder, { recursive: true });
    expect(differ.map((name) => join(folder, name))).toEqual([]);
  },
  600_000,
);
