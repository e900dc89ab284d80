/**
 * `npm run check`: everything a change needs, one line per step. What a step printed is shown when it failed.
 * `npm run check -- lint arrows` takes those steps only.
 */
import { spawn } from 'node:child_process';
import { installPackages, requireNode, root } from './setup.mjs';

/** In this order: what is quick first, and what runs the bundle after the build. */
const steps = [
  { name: 'types', run: 'types', means: 'TypeScript at its strictest' },
  { name: 'mm', run: 'types:mm', means: 'the engine without Node and without a browser' },
  { name: 'lint', run: 'lint', means: 'rules and format' },
  { name: 'arrows', run: 'arrows', means: 'which room imports which' },
  { name: 'dead', run: 'dead', means: 'files, exports and packages nobody uses' },
  { name: 'build', run: 'build', means: 'the bundles and their declarations' },
  { name: 'coverage', run: 'docs:coverage', args: ['--check'], means: 'docs/coverage.md says what the files say' },
  {
    name: 'conformance',
    run: 'docs:conformance',
    args: ['--check'],
    means: 'docs/conformance.md says what the corpus says',
  },
  {
    name: 'differences',
    run: 'docs:differences',
    args: ['--check'],
    means: 'what older kernels show otherwise is explained, and docs/differences.md says it',
  },
  { name: 'docs', run: 'docs:check', means: 'every command and example in the docs' },
  { name: 'tests', run: 'test', means: 'the tests' },
];

requireNode();
installPackages();
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`revmap: no step ${unknown.join(', ')}; there are: ${steps.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

for (const { name, run, means, args = [] } of steps) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const started = performance.now();
  const { passed, said } = await npmRun(run, args);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const result = name === 'tests' ? said.trimEnd().split('\n').at(-1) : means;
  console.log(`${passed ? 'ok  ' : 'FAIL'}  ${name.padEnd(11)}${seconds.padStart(6)} s  ${result}`);
  if (passed) continue;
  console.log(said.trimEnd());
  process.exitCode = 1;
}

/** @param {string} script @param {string[]} args @returns {Promise<{ passed: boolean, said: string }>} */
function npmRun(script, args) {
  return new Promise((resolve, reject) => {
    const npm = spawn('npm', ['run', '--silent', script, '--', ...args], { cwd: root });
    let said = '';
    for (const stream of [npm.stderr, npm.stdout]) {
      stream.on('data', (chunk) => {
        said += chunk;
      });
    }
    npm.on('error', reject);
    npm.on('close', (code) => resolve({ passed: code === 0, said }));
  });
}
