/**
 * The recorder that runs inside QEMU: C in `recorder/`, compiled when it is first needed.
 *
 * Promises  1. It is compiled once for each state of its sources, into the user's cache; a second revmap that does so at the same time
 *              does no harm.
 *           2. What is missing is named with Debian's package.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { RecordError } from './error.ts';
import { findProgram } from './programs.ts';

const FLAGS = ['-O2', '-std=gnu11', '-fPIC', '-shared', '-fvisibility=hidden', '-pthread'];

/** Path of the shared object. */
export function compiledPlugin(): string {
  const folder = sources();
  const files = readdirSync(folder)
    .filter((name) => /\.[ch]$/.test(name))
    .sort();
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const name of files) hash.update(readFileSync(join(folder, name)));
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'revmap');
  const plugin = join(cache, `recorder-${hash.digest('hex').slice(0, 16)}.so`);
  if (existsSync(plugin)) return plugin;
  const compiler = process.env['CC'] ?? 'cc';
  if (findProgram(compiler) === null) {
    throw new RecordError(`no C compiler (${compiler}) to build the recorder with; Debian has it in the package gcc`);
  }
  mkdirSync(cache, { recursive: true });
  const fresh = `${plugin}.${process.pid}`;
  const units = files.filter((name) => name.endsWith('.c')).map((name) => join(folder, name));
  const { status, stderr } = spawnSync(compiler, [...FLAGS, '-o', fresh, ...units], { encoding: 'utf8' });
  if (status !== 0) {
    rmSync(fresh, { force: true });
    throw new RecordError(`the recorder does not compile (Debian: gcc and libc6-dev):\n${stderr.trimEnd()}`);
  }
  renameSync(fresh, plugin);
  return plugin;
}

/** `recorder` of this installation, from the sources as from the bundle. */
function sources(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const found = join(folder, 'recorder');
    if (existsSync(join(found, 'recorder.h'))) return found;
    if (folder === dirname(folder)) throw new Error('recorder/ is not part of this installation');
  }
}
