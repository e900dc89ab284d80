/** Readers of foreign data: every input of the corpus is read or refused in one line, and so are some ten thousand new ones. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeReady } from '../scripts/setup.mjs';
import { corpusOf } from './fuzz_readers/corpus.ts';
import { judge } from './fuzz_readers/judge.ts';
import { targetsIn } from './fuzz_readers/targets/index.ts';

const root = join(import.meta.dirname, '..');
/** `npm run fuzz:readers` goes on from there, for as long as it is let. */
const EXECUTIONS = 80_000;

const targets = targetsIn(root);
afterAll(() => {
  for (const target of targets) target.end?.();
});

for (const target of targets) {
  const { name } = target;
  const corpus = corpusOf(root, name);
  test(`${name}: ${corpus.length} inputs that were worth keeping`, async () => {
    for (const { why, bytes } of corpus) expect(await judge(target, bytes), `${why}: ${bytes.length} bytes`).toBeNull();
  });
}

test('the loop finds nothing', { timeout: 900_000 }, async () => {
  await makeReady();
  const script = join(root, 'scripts/fuzz_readers.mjs');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, '--executions', String(EXECUTIONS), '--seed', '1'],
    { encoding: 'utf8' },
  );
  process.stdout.write(stdout);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
