/**
 * Memory programs on the kernel that is running: the runner in C (oracle/runner), compiled when it is first needed.
 *
 * Promises  1. Every program gets a result: a recording, or why there is none.
 *           2. The runner puts back what it sets; an interrupt here reaches it, and it cleans up before it ends.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statfsSync } from 'node:fs';
import { homedir, release, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../../mm/bug.ts';
import type { ProgramFile } from './files.ts';

export interface LiveResult {
  readonly program: string;
  /** Path of the recording. */
  readonly recording: string | null;
  /** What this machine lacks. */
  readonly skipped: string | null;
  /** The runner broke off. */
  readonly failed: string | null;
}

export interface LiveRun {
  /** As uname says. */
  readonly kernel: string;
  readonly results: readonly LiveResult[];
}

/** Objects of the whole kernel, by the name of their cache. */
export interface ObjectCount {
  readonly program: string;
  readonly active: ReadonlyMap<string, number>;
}

const COMPILER_FLAGS = ['-O1', '-static', '-no-pie', '-fno-stack-protector'];
const EXT4_MAGIC = 0xef53;
/** So many programs a start: argument lists are limited. */
const BATCH = 500;

/** Records each program in `outDir` as NAME.rec. */
export async function runLive(files: readonly string[], outDir: string): Promise<LiveRun> {
  const { kernel, results } = await runnerSays(files, outDir, []);
  return { kernel, results };
}

/** The same, but at `snapshot` lines kernel objects are counted: one count for each line, in their order. */
export async function countLive(
  files: readonly string[],
  outDir: string,
): Promise<LiveRun & { readonly objects: readonly ObjectCount[] }> {
  const { kernel, results, stdout } = await runnerSays(files, outDir, ['-s']);
  return { kernel, results, objects: objectsOf(stdout) };
}

async function runnerSays(
  files: readonly string[],
  outDir: string,
  options: readonly string[],
): Promise<LiveRun & { readonly stdout: string }> {
  const kernel = release();
  const lacks = whatIsMissing();
  const diskDir = [outDir, tmpdir(), '/var/tmp', homedir()].find(isExt4);
  if (lacks !== null || diskDir === undefined) {
    const skipped = lacks ?? 'files of programs need a folder on ext4: set TMPDIR to one';
    const results = files.map((program) => ({ program, recording: null, skipped, failed: null }));
    return { kernel, results, stdout: '' };
  }
  const runner = compiledRunner();
  mkdirSync(outDir, { recursive: true });
  const results: LiveResult[] = [];
  let stdout = '';
  for (let i = 0; i < files.length; i += BATCH) {
    const batch = files.slice(i, i + BATCH);
    const said = await output(runner, ['-o', outDir, '-d', diskDir, ...options, ...batch]);
    results.push(...resultsOf(batch, outDir, said.stdout, said.stderr));
    stdout += said.stdout;
  }
  return { kernel, results, stdout };
}

/** What became of programs that were to be recorded: files to check, and which could not be and why. */
export interface LiveFiles {
  readonly files: readonly ProgramFile[];
  readonly skipped: readonly { program: string; why: string }[];
  readonly failed: readonly { program: string; why: string }[];
}

/** Copies of the programs in `folder`, each with a recording of this kernel beside it. */
export async function recordLive(programs: readonly ProgramFile[], folder: string): Promise<LiveFiles> {
  const byName = new Map(programs.map((file) => [basename(file.path), file]));
  for (const file of programs) {
    if (byName.get(basename(file.path)) !== file) throw new InputError(file.path, 0, 'a second program of this name');
  }
  mkdirSync(folder, { recursive: true });
  const { results } = await runLive(
    programs.map((file) => file.path),
    folder,
  );
  const named = results.map((result, i) => ({ ...result, file: programs[i]! }));
  const files = named.flatMap(({ recording, file }) => {
    if (recording === null) return [];
    const path = join(folder, basename(file.path));
    copyFileSync(file.path, path);
    return [{ ...file, path }];
  });
  const withWhy = (why: 'skipped' | 'failed'): { program: string; why: string }[] =>
    named.flatMap((each) => (each[why] === null ? [] : [{ program: each.file.name, why: each[why] }]));
  return { files, skipped: withWhy('skipped'), failed: withWhy('failed') };
}

/** Why no program at all can be recorded here, or null. */
export function whatIsMissing(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the runner is for Linux on x86-64';
  if (process.getuid?.() !== 0) return 'needs root: frames, their flags and swap are shown to root only';
  if (!existsSync('/proc/kpageflags')) return 'this kernel has no /proc/kpageflags';
  if (spawnSync(compiler(), ['--version']).status !== 0) return `needs a C compiler: ${compiler()} does not run`;
  return spawnSync(compiledRunner(), ['-p'], { encoding: 'utf8' }).stdout.trim() || null;
}

function isExt4(folder: string): boolean {
  try {
    return statfsSync(folder).type === EXT4_MAGIC;
  } catch {
    return false;
  }
}

function compiler(): string {
  return process.env['CC'] ?? 'cc';
}

/** The runner, compiled anew when its sources changed. */
export function compiledRunner(): string {
  const folder = sources();
  const files = readdirSync(folder)
    .filter((name) => /\.[ch]$/.test(name))
    .sort()
    .map((name) => join(folder, name));
  const hash = createHash('sha256').update(compiler());
  for (const file of files) hash.update(readFileSync(file));
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'revmap');
  const runner = join(cache, `runner-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(runner)) return runner;
  mkdirSync(cache, { recursive: true });
  const fresh = `${runner}.${process.pid}`;
  const units = files.filter((file) => file.endsWith('.c'));
  const { status, stderr } = spawnSync(compiler(), [...COMPILER_FLAGS, '-o', fresh, ...units], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the runner does not compile:\n${stderr}`);
  renameSync(fresh, runner);
  return runner;
}

/** oracle/runner of this installation, from the sources as from the bundle. */
function sources(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const found = join(folder, 'oracle', 'runner');
    if (existsSync(join(found, 'runner.h'))) return found;
    if (folder === dirname(folder)) throw new Error('oracle/runner is not part of this installation');
  }
}

function output(command: string, args: string[]): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', () => resolve({ stdout, stderr }));
  });
}

function resultsOf(files: readonly string[], outDir: string, stdout: string, stderr: string): LiveResult[] {
  const said = new Map(
    stdout.split('\n').map((line): [string, { verdict: string; why: string }] => {
      const [verdict = '', file = '', why = ''] = line.split('\t');
      return [file, { verdict, why }];
    }),
  );
  return files.map((program) => {
    const { verdict, why } = said.get(program) ?? { verdict: 'failed', why: 'the runner did not come to it' };
    const path = join(outDir, basename(program).replace(/\.[^.]*$/, '.rec'));
    return {
      program,
      recording: verdict === 'recorded' ? path : null,
      skipped: verdict === 'skipped' ? why : null,
      failed: verdict === 'failed' ? [why, stderr.trim()].filter(Boolean).join(': ') : null,
    };
  });
}

function objectsOf(stdout: string): ObjectCount[] {
  const lines = stdout.split('\n').map((line) => line.split('\t'));
  return lines.flatMap(([verdict, program = '', _call, ...counts]) => {
    if (verdict !== 'objects') return [];
    const pairs = counts.map((count) => count.split(' '));
    return [{ program, active: new Map(pairs.map(([name = '', active]) => [name, Number(active)])) }];
  });
}
