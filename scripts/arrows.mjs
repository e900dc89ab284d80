/**
 * `npm run arrows`: holds the table in .dependency-cruiser.cjs.
 *
 * Promises  It never passes on an empty look. Without a TypeScript it can use, dependency-cruiser finds no module and
 *           so no fault; here every source file must have been seen, and imports in them.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ from: string, to: string, rule: { name: string } }} Fault */

const FOLDERS = ['src', 'web'];
const depcruise = join('node_modules', '.bin', 'depcruise');
const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...FOLDERS];
const { stdout, stderr } = spawnSync(depcruise, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
if (stdout === '') throw new Error(`dependency-cruiser failed: ${stderr}`);
const { modules, summary } = JSON.parse(stdout);

const seen = new Set(modules.map((/** @type {{ source: string }} */ { source }) => source));
const files = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /[.]tsx?$/.test(path))
    .map((path) => `${folder}/${path}`),
);
const missed = files.filter((path) => !seen.has(path));
const blind = seen.size === 0 || missed.length > 0 || !(summary.totalDependenciesCruised > 0);

for (const path of missed) console.error(`${path}: not seen`);
for (const { from, to, rule } of /** @type {Fault[]} */ (summary.violations)) {
  console.error(`${from} -> ${to}: ${rule.name}`);
}
if (blind) console.error('dependency-cruiser did not see what it should, so its silence means nothing');
if (blind || summary.violations.length > 0) process.exitCode = 1;
console.log(`${files.length} files, ${summary.violations.length} arrows against the table`);
