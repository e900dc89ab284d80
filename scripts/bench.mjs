/**
 * `npm run bench`: runs bench/*.ts, each bundled as the product is and in a process of its own.
 * `npm run bench -- frames` runs bench/frames.ts only. Words behind a name that begin with `--` are for the bench.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeReady, root } from './setup.mjs';

// Packages, and the bundle: a bench that uses threads starts the worker in it.
await makeReady();
const { build } = await import('esbuild');
const { bundleOptions } = await import('./build.mjs');

const folder = join(root, 'bench');
const all = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.ts')) : [];
const names = all.map((name) => basename(name, '.ts')).sort();
const options = process.argv.slice(2).filter((word) => word.startsWith('--'));
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0 || names.length === 0) {
  console.error(`revmap: no bench ${unknown.join(', ')}; there are: ${names.join(', ') || 'none yet'}`);
  process.exit(2);
}

for (const name of wanted.length > 0 ? wanted : names) {
  // Beside dist, so that `../examples` means the same from bench/ and from there.
  const outfile = join(root, 'dist', `.bench-${name}-${process.pid}.js`);
  await build({ ...bundleOptions, entryPoints: [`bench/${name}.ts`], outfile, sourcemap: false });
  console.log(`bench/${name}.ts`);
  const { status } = spawnSync(process.execPath, ['--expose-gc', outfile, ...options], { cwd: root, stdio: 'inherit' });
  rmSync(outfile);
  if (status !== 0) process.exitCode = 1;
}
