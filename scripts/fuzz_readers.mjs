/**
 * `npm run fuzz:readers`: gives readers of foreign data what nobody would write (test/fuzz_readers).
 * `npm run fuzz:readers -- --executions 10000000 --seed 7 --readers strace,mmp`
 *
 * Promises  An input that kills the loop, or with which it hangs, is kept in the folder for temporary files, and told.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages, requireNode, root } from './setup.mjs';

/** As test/fuzz_readers/main.ts writes it. */
const NAME_BYTES = 32;
/** Behind it a minute of shrinking, and a machine that is busy. */
const HANGS_MS = 120_000;

requireNode();
installPackages();
const { build } = await import('esbuild');
const { bundleOptions } = await import('./build.mjs');

// Beside dist, so that packages are found from there.
const outdir = mkdtempSync(join(root, 'dist', '.fuzz-'));
try {
  for (const [name, path] of Object.entries({ targets: 'targets/index', main: 'main' })) {
    const entryPoints = { [name]: `test/fuzz_readers/${path}.ts` };
    await build({ ...bundleOptions, entryPoints, outdir, sourcemap: false });
  }
  process.exitCode = await watched(outdir);
} finally {
  rmSync(outdir, { recursive: true });
}

/** @param {string} folder @returns {Promise<number>} the exit code */
async function watched(folder) {
  const last = join(folder, 'last');
  writeFileSync(last, '');
  const args = ['--max-old-space-size=1024', join(folder, 'main.js'), '--root', root, '--last', last];
  const child = spawn(process.execPath, [...args, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
  const watch = setInterval(() => {
    if (Date.now() - statSync(last).mtimeMs > HANGS_MS) child.kill('SIGKILL');
  }, 10_000);
  const status = await new Promise((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  clearInterval(watch);
  if (status === 0 || status === 1) return status;
  const bytes = readFileSync(last);
  const name = bytes.toString('utf8', 0, NAME_BYTES).replaceAll('\0', '');
  const input = bytes.subarray(NAME_BYTES + 4, NAME_BYTES + 4 + bytes.readUInt32LE(NAME_BYTES));
  const kept = join(tmpdir(), `revmap-fuzz-${process.pid}`);
  writeFileSync(kept, input);
  console.log(`FOUND ${name}: the process ended with ${status}: ${input.length} bytes in ${kept}`);
  return 1;
}
