/**
 * A policy by its name, or out of a file of the user's own: `--policy ./mine.ts`.
 *
 * Owns      what tells a name from a file: a file has a `/` or a `.` in it. The rules for the file: docs/policies.md.
 * Promises  1. A file that is no policy is an InputError with its path.
 *           2. The hash of a policy covers what its file imports from other files, too.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { BuildFailure } from 'esbuild';
import { InputError } from '../mm/bug.ts';
import { type Policy, policyNamed } from '../policy/index.ts';
import { sha256 } from './store/key.ts';

/** TypeScript needs esbuild to be read; plain modules may do without, if they import nothing. */
const PLAIN = /\.m?js$/;

export function isPolicyFile(policy: string): boolean {
  return /[./]/.test(policy);
}

/** Not for `kernel`. */
export async function policyOf(policy: string): Promise<Policy> {
  if (!isPolicyFile(policy)) {
    const known = policyNamed(policy);
    if (known !== undefined) return known;
    throw new InputError('--policy', 0, `there is no policy '${policy}'`);
  }
  const module = await moduleOf(policy, await bundleOf(policy));
  const made = module['default'];
  if (!isPolicy(made)) throw new InputError(policy, 0, 'its default export is no policy: name, about, sees, start');
  return made;
}

/** Of what the file is, with what it imports; '' for a name. */
export async function policySha256(policy: string): Promise<string> {
  return isPolicyFile(policy) ? sha256(await bundleOf(policy)) : '';
}

function isPolicy(made: unknown): made is Policy {
  if (typeof made !== 'object' || made === null) return false;
  const { name, sees, start } = made as Record<string, unknown>;
  const kinds: unknown[] = ['accesses', 'accessed bits', 'the future'];
  return typeof name === 'string' && kinds.includes(sees) && typeof start === 'function';
}

async function bundleOf(file: string): Promise<string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError(file, 0, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const esbuild = await loadEsbuild();
  if (esbuild === null) {
    if (PLAIN.test(file)) return text;
    throw new InputError(file, 0, 'TypeScript needs the package esbuild (npm install esbuild); a .mjs does not');
  }
  try {
    const { outputFiles } = await esbuild.build({
      stdin: { contents: text, resolveDir: dirname(resolve(file)), sourcefile: basename(file), loader: 'ts' },
      bundle: true,
      format: 'esm',
      platform: 'node',
      write: false,
      logLevel: 'silent',
    });
    return outputFiles[0]!.text;
  } catch (error) {
    const { text, location } = (error as BuildFailure).errors[0]!;
    const place = location === null || basename(location.file) === basename(file) ? file : location.file;
    throw new InputError(place, location?.line ?? 0, text);
  }
}

async function loadEsbuild(): Promise<typeof import('esbuild') | null> {
  try {
    return await import('esbuild');
  } catch {
    return null;
  }
}

async function moduleOf(file: string, code: string): Promise<Record<string, unknown>> {
  try {
    const url = `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    throw new InputError(file, 0, (error as Error).message);
  }
}
