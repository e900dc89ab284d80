/** What a user gets from the registry: the package, installed into an empty project, runs and has types. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { transformSync } from 'esbuild';
import { afterAll, beforeAll, test } from 'vitest';
import { examplesOf } from '../scripts/examples.ts';

const root = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
let project = '';
let packed = '';

/** An npm of its own: not the one that runs this test, whose settings name another folder. */
function run(command: string, args: string[], cwd = project): string {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_(registry|cache)$)/i.test(name)),
  );
  return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A copy: packing builds anew and sweeps away old pieces, which commands that other tests started may be about to load. */
function copyOfRoot(): string {
  const copy = join(project, 'revmap');
  const left = new Set(['node_modules', '.git', 'dist', 'reports', 'coverage']);
  cpSync(root, copy, { recursive: true, filter: (path) => !left.has(relative(root, path)) });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'revmap-pack-'));
  packed = copyOfRoot();
  run('npm', ['pack', '--silent', '--pack-destination', project], packed);
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }\n');
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./revmap-${manifest.version}.tgz`]);
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

test('pack: the command tells its version', () => {
  assert.equal(run('npx', ['--no-install', 'revmap', '--version']).trim(), manifest.version);
});

test('pack: the library example of the README runs, and its types are complete', () => {
  const page = readFileSync(join(root, 'README.md'), 'utf8');
  const example = examplesOf('README.md', page).find(({ name }) => name === 'library');
  assert.ok(example, 'README.md has a ts block under <!-- example: library -->');

  writeFileSync(join(project, 'example.ts'), example.text);
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--skipLibCheck', 'false'];
  const node = ['--target', 'ES2023', '--module', 'NodeNext', '--types', 'node'];
  const nodeTypes = ['--typeRoots', join(root, 'node_modules', '@types')];
  run(join(root, 'node_modules', '.bin', 'tsc'), [...strict, ...node, ...nodeTypes, 'example.ts']);

  writeFileSync(join(project, 'example.js'), transformSync(example.text, { loader: 'ts' }).code);
  run(process.execPath, ['example.js']);
});

test('pack: the engine alone can be imported, and is the one the library uses', () => {
  const program = `
    import * as all from 'revmap';
    import * as mm from 'revmap/mm';
    for (const name of Object.keys(mm)) if (name in all && all[name] !== mm[name]) throw new Error(name);
  `;
  run(process.execPath, ['--input-type=module', '--eval', program]);
});

test('pack: it brings what it needs and nothing of the workshop', () => {
  const [{ files }] = JSON.parse(run('npm', ['pack', '--silent', '--json', '--dry-run', '--ignore-scripts'], packed));
  const paths: string[] = files.map(({ path }: { path: string }) => path);
  for (const path of [
    'LICENSE',
    'README.md',
    'bin/revmap',
    'dist/cli.js',
    'dist/worker.js',
    'dist/check_worker.js',
    'dist/snapshot_worker.js',
    'dist/types/index.d.ts',
    'dist/web/index.html',
    'oracle/guest/guest.c',
    'oracle/runner/main.c',
    'recorder/recorder.c',
  ]) {
    assert.ok(paths.includes(path), path);
  }
  const odd = paths.filter(
    (path) =>
      !/^(bin|dist|examples|oracle\/(guest|runner)|recorder)\/|^(LICENSE|README\.md|CHANGELOG\.md|package\.json)$/.test(
        path,
      ),
  );
  assert.deepEqual([...odd, ...paths.filter((path) => /^dist\/\.|\.test\./.test(path))], []);
});
