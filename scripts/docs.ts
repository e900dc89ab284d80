/**
 * `npm run docs:check`: runs what the docs show (scripts/examples.ts says what that is), as a reader would: commands in
 * a folder that has our examples, programs in a project that has revmap installed, type-checked first.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { type Example, examplesIn } from './examples.ts';
import { makeReady, root } from './setup.mjs';

await makeReady();
const folder = mkdtempSync(join(tmpdir(), 'revmap-docs-'));
mkdirSync(join(folder, 'node_modules'));
symlinkSync(root, join(folder, 'node_modules', 'revmap'));
for (const name of ['bin', 'examples', 'docs', 'oracle']) symlinkSync(join(root, name), join(folder, name));
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');

const examples = examplesIn(root);
let failed = 0;
for (const example of examples) {
  const { status, said } = example.kind === 'sh' ? runCommand(example) : runProgram(example);
  if (status === 0) continue;
  failed += 1;
  console.error(`${example.file}:${example.line}: exit ${status}\n${example.text.trimEnd()}\n${said.trimEnd()}\n`);
}
rmSync(folder, { recursive: true });
console.log(`${examples.length - failed} of ${examples.length} examples in the docs work`);
if (failed > 0) process.exitCode = 1;

function runCommand({ text }: Example): { status: number | null; said: string } {
  return run('bash', ['-c', `set -euo pipefail\n${text.replace(/^npx revmap/, 'bin/revmap')}`]);
}

function runProgram({ name, text }: Example): { status: number | null; said: string } {
  writeFileSync(join(folder, `${name}.ts`), text);
  const strict = ['--strict', '--noEmit', '--target', 'ES2023', '--module', 'NodeNext', '--types', 'node'];
  const nodeTypes = ['--typeRoots', join(root, 'node_modules', '@types')];
  const types = run(join(root, 'node_modules', '.bin', 'tsc'), [...strict, ...nodeTypes, `${name}.ts`]);
  if (types.status !== 0) return types;
  writeFileSync(join(folder, `${name}.js`), transformSync(text, { loader: 'ts' }).code);
  return run(process.execPath, [`${name}.js`]);
}

function run(command: string, args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 300_000,
    maxBuffer: 2 ** 28,
  });
  return { status, said: error === undefined ? stdout + stderr : error.message };
}
