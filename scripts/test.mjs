/**
 * `npm test`: sets up, runs vitest, and ends with one line that a person and a script both read:
 *
 *     412 passed, 0 failed, 3 skipped
 *
 * Promises  1. That line is the last one on stdout, whatever a test or vitest printed.
 *           2. It exits with 0 only if a test ran and none failed. A file that does not load counts as one failure.
 *
 * `npm test -- zone -t watermark` takes what `vitest run` takes.
 */
import { installPrograms, makeReady } from './setup.mjs';

await makeReady();
installPrograms();
const { parseCLI, startVitest } = await import('vitest/node');
const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)]);
const vitest = await startVitest('test', filter, { ...options, watch: false });

const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
for (const file of vitest.state.getTestModules()) {
  for (const test of file.children.allTests()) count[test.result().state] += 1;
  const brokenHooks = [...file.children.allSuites()].filter((suite) => suite.errors().length > 0).length;
  count.failed += brokenHooks + (file.errors().length > 0 ? 1 : 0);
}
count.failed += count.pending + vitest.state.getUnhandledErrors().length;
await vitest.close();

if (count.failed > 0 || count.passed === 0) process.exitCode = 1;
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
