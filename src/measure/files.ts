/**
 * Which files a command needs in another machine: its program, the interpreter of a script, shared libraries, and what it
 * opens or asks for when it runs here.
 *
 * Promises  1. Every path exists here; symbolic links come with what they lead to; none twice.
 *           2. What the program made while it was watched is not one of them.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { InputError } from '../mm/bug.ts';

/** ld.so and the C library read them in every program. */
const USUAL = ['/etc/ld.so.cache', '/etc/nsswitch.conf', '/etc/passwd', '/etc/group', '/etc/localtime'];
/** What the kernel shows is there in every machine. */
const OF_THE_KERNEL = /^\/(proc|sys|dev)(\/|$)/;

export interface CommandFiles {
  /** The program as the shell would find it. */
  program: string;
  /** Files, folders (empty ones) and symbolic links; parents before children. */
  paths: string[];
  /** Why the command's own files may be missing, or null. */
  doubt: string | null;
}

export function filesOf(
  command: readonly string[],
  cwd: string,
  environment: NodeJS.ProcessEnv,
  extra: readonly string[],
): CommandFiles {
  const program = which(command[0] ?? '', cwd, environment['PATH'] ?? '/usr/bin:/bin');
  const found = new Paths();
  for (const path of USUAL) found.add(path);
  found.add(cwd, false);
  for (const path of extra) {
    if (!existsSync(resolve(cwd, path))) throw new InputError('--with', 0, `${path}: no such file`);
    found.add(resolve(cwd, path));
  }
  for (let file: string | null = program; file !== null; file = interpreterOf(file)) {
    found.add(file);
    for (const library of librariesOf(file)) found.add(library);
  }
  const { touched, doubt } = watched(command, cwd, environment);
  for (const path of touched) found.add(path, false);
  return { program, paths: found.list, doubt };
}

/** As execvp looks for it. */
function which(name: string, cwd: string, path: string): string {
  const candidates = name.includes('/')
    ? [resolve(cwd, name)]
    : path.split(delimiter).map((folder) => join(folder, name));
  for (const candidate of candidates) {
    try {
      if (!statSync(candidate).isFile()) continue;
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {}
  }
  throw new InputError(name, 0, 'no such program');
}

/** Of a script: the program behind `#!`. */
function interpreterOf(file: string): string | null {
  const start = readFileSync(file).subarray(0, 256).toString('latin1');
  return /^#! *(\/[^ \n]+)/.exec(start)?.[1] ?? null;
}

function librariesOf(file: string): string[] {
  const { stdout } = spawnSync('ldd', [file], { encoding: 'utf8' });
  return [...(stdout ?? '').matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map((match) => match[1]!);
}

/** Runs the command here under strace: every path that it hands to the kernel. */
function watched(
  command: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): { touched: string[]; doubt: string | null } {
  const started = Date.now();
  const { error, status, stderr } = spawnSync(
    'strace',
    ['-f', '-qq', '-s', '4096', '-e', 'trace=%file', '-e', 'signal=none', '--', ...command],
    { cwd, env, encoding: 'utf8', maxBuffer: 2 ** 30, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (error !== undefined)
    return { touched: [], doubt: 'strace is not installed: name the files that it reads with --with' };
  const touched = new Set([...stderr.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => resolve(cwd, match[1]!)));
  const old = [...touched].filter((path) => existsSync(path) && statSync(path).birthtimeMs < started);
  return { touched: old, doubt: status === 0 ? null : `the command ended with status ${status} here` };
}

/** Paths in the order in which they must be made. */
class Paths {
  readonly list: string[] = [];
  private readonly seen = new Set<string>();

  /** `deep`: a folder with all that is in it. */
  add(path: string, deep = true): void {
    if (path === '/' || OF_THE_KERNEL.test(path) || this.seen.has(path)) return;
    let stat: ReturnType<typeof lstatSync>;
    try {
      stat = lstatSync(path);
    } catch {
      return;
    }
    const parent = dirname(path);
    this.add(parent, false);
    // Below a link to a folder there is nothing to be made: it is made where the link leads.
    const real = this.throughLinks(path);
    if (real !== path) {
      this.add(real, deep);
      return;
    }
    if (this.seen.has(path)) return;
    if (!(stat.isFile() || stat.isDirectory() || stat.isSymbolicLink())) return;
    if (!stat.isDirectory() || deep) this.seen.add(path);
    if (!this.list.includes(path)) this.list.push(path);
    if (stat.isSymbolicLink()) this.add(resolve(parent, readlinkSync(path)), deep);
    else if (stat.isDirectory() && deep) for (const name of readdirSync(path)) this.add(join(path, name));
  }

  /** The path with the links among its parents resolved. */
  private throughLinks(path: string): string {
    const parent = dirname(path);
    if (parent === '/') return path;
    const real = this.throughLinks(parent);
    const target = lstatSync(real).isSymbolicLink() ? resolve(dirname(real), readlinkSync(real)) : real;
    return join(target, path.slice(parent.length + 1));
  }
}
