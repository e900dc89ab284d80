/**
 * Is a clone ready to run? Asked before every command, so it is cheap: the times of files, whose names the last build has noted.
 *
 * Promises  1. Ready means: the bundle is no older than any of its sources, and packages were checked no earlier than the
 *              lockfile, or what npm installed, last changed.
 *           2. It imports nothing but Node's file system.
 */
// Where there is a choice, not by `import`: that would load all of node:stream with it.
const { existsSync, readFileSync, statSync } = process.getBuiltinModule?.('node:fs') ?? (await import('node:fs'));

export const root = decodeURIComponent(new URL('..', import.meta.url).pathname);

/** The time of the last build, and inside, what it read. A file that is new is read by none of these, or one of them changed. */
export const buildStamp = `${root}dist/.built`;

/** What npm notes of what it installed. */
export const installedPackages = `${root}node_modules/.package-lock.json`;

/** @returns {boolean} */
export function isReady() {
  // Packages are installed before the bundle is built: a bundle younger than both lists has seen them agree.
  return existsSync(installedPackages) && !bundleIsStale() && changedMs(installedPackages) <= changedMs(buildStamp);
}

/** @returns {boolean} */
export function bundleIsStale() {
  const built = changedMs(buildStamp);
  if (built === Infinity) return true;
  const sources = readFileSync(buildStamp, 'latin1').split('\n');
  return sources.length < 2 || sources.some((source) => changedMs(root + source) > built);
}

/**
 * What is gone has just changed.
 * @param {string} path
 */
function changedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
}
