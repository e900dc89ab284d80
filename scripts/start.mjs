/** `npm start`: sets up, then does the main job on a recording of a real program. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { makeReady, root } from './setup.mjs';

const mainJob = ['demo'];

await makeReady();
const args = process.argv.length > 2 ? process.argv.slice(2) : mainJob;
const { status } = spawnSync(process.execPath, [join(root, 'dist', 'cli.js'), ...args], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
