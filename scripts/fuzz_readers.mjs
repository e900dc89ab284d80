/**
 * `npm run fuzz:readers`: gives readers of foreign data what nobody would write (test/fuzz_readers).
 * `npm run fuzz:readers -- --executions 10000000 --seed 7 --readers body,mmp`
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages, requireNode, root } from './setup.mjs';

requireNode();
installPackages();
const { build } = await import('esbuild');
const { bundleOptions } = await import('./build.mjs');

// Beside dist, so that packages are found from there.
const outdir = mkdtempSync(join(root, 'dist', '.fuzz-'));
try {
  for (const name of ['targets', 'main']) {
    await build({ ...bundleOptions, entryPoints: [`test/fuzz_readers/${name}.ts`], outdir, sourcemap: false });
  }
  const { status } = spawnSync(process.execPath, [join(outdir, 'main.js'), '--root', root, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(outdir, { recursive: true });
}
