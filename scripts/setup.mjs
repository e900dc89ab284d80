/**
 * Makes a clone ready to run: the right Node, the packages the lockfile names, a bundle no older than its sources.
 *
 * Promises  1. It runs before anything is installed: it imports nothing but Node and ready.mjs.
 *           2. What is already in place is left alone, so it may run before every command.
 *           3. It speaks on stderr only, one line for each thing it does. Output of revmap stays clean in a pipe.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleIsStale, installedPackages, root } from './ready.mjs';

export { root };

/** Everything `bin/revmap`, `npm start` and `npm test` need. */
export async function makeReady() {
  requireNode();
  installPackages();
  if (!bundleIsStale()) return;
  say('building');
  const { buildAll } = await import('./build.mjs');
  await buildAll().catch(() => {
    say('the bundle was not built'); // esbuild has said why
    process.exit(1);
  });
}

export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  say(`needs Node 20.19 or later, and this is ${process.versions.node}`);
  process.exit(1);
}

export function installPackages() {
  if (packagesAreInstalled()) return;
  say('installing packages (npm ci)');
  // Dev packages too, even where NODE_ENV says production: they build the bundle. stdout belongs to revmap.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  say(error === undefined ? `npm ci failed (exit ${status})` : `npm ci did not start: ${error.message}`);
  process.exit(1);
}

/**
 * Debian's packages that tests use: what has to be there, and what brings it.
 * @type {readonly (readonly [program: string, ...packages: string[]])[]}
 */
const PROGRAMS = [
  ['cc', 'gcc', 'libc6-dev'],
  ['qemu-x86_64', 'qemu-user'],
  ['valgrind', 'valgrind'],
  ['redis-server', 'redis-server'],
  ['strace', 'strace'],
  ['free', 'procps'],
  ['smem', 'smem'],
  ['trace-cmd', 'trace-cmd'],
  ['vmtouch', 'vmtouch'],
];

/** Programs and packages alike; one of them will do, the first costs the least. */
const BROWSERS = ['chromium-headless-shell', 'chromium'];

/** Where root may install them; without, the tests that need one are skipped and say so. */
export function installPrograms() {
  const missing = PROGRAMS.filter(([program]) => !isInPath(program)).flatMap(([, ...packages]) => packages);
  const hasBrowser = BROWSERS.some(isInPath);
  if (hasBrowser && missing.length === 0) return;
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return;
  apt('update', '-qq');
  if (missing.length > 0) install(missing);
  if (!hasBrowser) BROWSERS.some((browser) => install([browser]));
}

/** @param {string[]} packages */
function install(packages) {
  say(`installing ${packages.join(', ')} (apt-get)`);
  const isThere = apt('install', '-y', '-qq', '--no-install-recommends', ...packages);
  if (!isThere) say('not installed');
  return isThere;
}

/** @param {string[]} args */
function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  return spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env }).status === 0;
}

/** @param {string} program */
function isInPath(program) {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)));
}

/** npm keeps a copy of what it installed; it must hold every package of our lockfile, in the same version. */
function packagesAreInstalled() {
  if (!existsSync(installedPackages)) return false;
  const installed = packagesOf(installedPackages);
  for (const [path, wanted] of Object.entries(packagesOf(join(root, 'package-lock.json')))) {
    // '' is revmap itself; an optional package may belong to another operating system.
    if (path === '' || wanted.optional) continue;
    if (installed[path]?.version !== wanted.version) return false;
  }
  return true;
}

/**
 * @param {string} lockfile
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function packagesOf(lockfile) {
  return JSON.parse(readFileSync(lockfile, 'utf8')).packages;
}

/** @param {string} what */
function say(what) {
  process.stderr.write(`revmap: ${what}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  requireNode();
  installPackages();
}
