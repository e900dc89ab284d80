/**
 * Is a clone ready to run? Asked before every command, so it is cheap: the times of files, and nothing is read or parsed.
 *
 * Promises  1. Ready means: the bundle is no older than any of its sources, and packages were checked no earlier than the
 *              lockfile, or what npm installed, last changed.
 *           2. It imports nothing but Node's file system.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'dist', '.built');

/** What npm notes of what it installed. */
export const installedPackages = join(root, 'node_modules', '.package-lock.json');

/** What a bundle depends on, besides node_modules. */
const sources = ['src', 'package.json', 'package-lock.json', 'scripts/build.mjs'];

/** @returns {boolean} */
export function isReady() {
  // Packages are installed before the bundle is built: a bundle younger than both lists has seen them agree.
  return existsSync(installedPackages) && !bundleIsStale() && statSync(installedPackages).mtimeMs <= builtMs();
}

/** @returns {boolean} */
export function bundleIsStale() {
  if (!existsSync(stamp)) return true;
  const built = builtMs();
  return sources.some((source) => changedSince(built, join(root, source)));
}

function builtMs() {
  return statSync(stamp).mtimeMs;
}

/**
 * A folder's own time counts as well: it shows that a file was deleted. Tests are in no bundle.
 * @param {number} time
 * @param {string} path
 * @returns {boolean}
 */
function changedSince(time, path) {
  const info = statSync(path);
  if (info.mtimeMs > time) return true;
  if (!info.isDirectory()) return false;
  return readdirSync(path, { withFileTypes: true }).some(({ name }) => {
    if (name.endsWith('.test.ts') || name.endsWith('.md')) return false;
    return changedSince(time, `${path}/${name}`);
  });
}
