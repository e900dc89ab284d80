/**
 * The program in C that runs what is measured (oracle/guest), and how one talks with it.
 *
 * Owns      the protocol, which oracle/guest/guest.h describes.
 * Promises  One question is under way at a time; an answer is whole, or the error says what the other side said last.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { InputError } from '../mm/bug.ts';
import { cacheFolder } from './kernel.ts';

export interface Question {
  /** null: no limit. */
  limitBytes: number | null;
  swap: 'zram' | 'disk' | 'keep';
  swapBytes: number;
  mglru: boolean;
  swappiness: number;
  pageCluster: number;
  timeoutSeconds: number;
}

export interface Answer {
  status: number;
  /** By the guest's names: v.pswpin, m.pgscan, e.max, peak (bytes), ms, minflt, … */
  counts: ReadonlyMap<string, number>;
  /** What the program said on standard error, if it failed. */
  stderr: string[];
}

export function questionLine(q: Question): string {
  const limit = Math.floor((q.limitBytes ?? 0) / 1024);
  const swapKib = Math.floor(q.swapBytes / 1024);
  return `run ${limit} ${q.swap} ${swapKib} ${q.mglru ? 'y' : 'n'} ${q.swappiness} ${q.pageCluster} ${q.timeoutSeconds}\n`;
}

/** The other side, once it is ready. */
export class Guest {
  private readonly input: Writable;
  private readonly lines: AsyncIterator<string>;
  private readonly lastWords: () => string;

  /** `lastWords`: what explains an end that nobody asked for. */
  constructor(input: Writable, output: Readable, lastWords: () => string) {
    this.input = input;
    this.lines = linesOf(output);
    this.lastWords = lastWords;
    input.on('error', () => {});
  }

  async ready(): Promise<void> {
    while ((await this.line()) !== 'ready');
  }

  async ask(question: Question): Promise<Answer> {
    this.input.write(questionLine(question));
    const counts = new Map<string, number>();
    const stderr: string[] = [];
    for (let line = await this.line(); line !== 'end'; line = await this.line()) {
      const space = line.indexOf(' ');
      const name = line.slice(0, space);
      const value = line.slice(space + 1);
      if (name === 'failed') throw new InputError('revmap measure', 0, value);
      if (name === 'stderr') stderr.push(value);
      else counts.set(name, Number(value));
    }
    return { status: counts.get('status') ?? Number.NaN, counts, stderr };
  }

  private async line(): Promise<string> {
    const { done, value } = await this.lines.next();
    if (done === true) throw new InputError('revmap measure', 0, `the machine ended: ${this.lastWords()}`);
    return value;
  }
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** The strings as the guest reads them: folder; number of arguments, arguments; number of variables, variables. */
export function programFile(cwd: string, command: readonly string[], environment: NodeJS.ProcessEnv): Buffer {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const strings = [cwd, command.length, ...command, variables.length, ...variables];
  return Buffer.from(strings.map((each) => `${each}\0`).join(''));
}

const FLAGS = ['-O1', '-static', '-fno-stack-protector'];

/** The guest, compiled anew when its sources changed. */
export function compiledGuest(): string {
  const folder = sources();
  const files = readdirSync(folder)
    .filter((name) => /\.[ch]$/.test(name))
    .sort()
    .map((name) => join(folder, name));
  const compiler = process.env['CC'] ?? 'cc';
  const hash = createHash('sha256').update(compiler);
  for (const file of files) hash.update(readFileSync(file));
  const guest = join(cacheFolder(), `guest-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(guest)) return guest;
  mkdirSync(cacheFolder(), { recursive: true });
  const fresh = `${guest}.${process.pid}`;
  const units = files.filter((file) => file.endsWith('.c'));
  const { error, status, stderr } = spawnSync(compiler, [...FLAGS, '-o', fresh, ...units], { encoding: 'utf8' });
  if (error !== undefined) throw new InputError(compiler, 0, 'a C compiler is needed (package gcc)');
  if (status !== 0) throw new InputError(folder, 0, `does not compile (package libc6-dev?): ${stderr.split('\n')[0]}`);
  renameSync(fresh, guest);
  return guest;
}

/** oracle/guest of this installation, from the sources as from the bundle. */
function sources(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const found = join(folder, 'oracle', 'guest');
    if (existsSync(join(found, 'guest.h'))) return found;
    if (folder === dirname(folder)) throw new Error('oracle/guest is not part of this installation');
  }
}
