/**
 * Programs of this machine: where they are, and whether a recorder can start them.
 *
 * Owns      the search along PATH, and what of a file's first bytes matters.
 * Promises  A command that cannot be recorded is refused before anything is made: one line that says why.
 */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { RecordError } from './error.ts';

/** As many scripts may be run by scripts, and their first line is so long: what Linux allows, too. */
const SCRIPTS = 5;
const HEAD_BYTES = 256;
const EM_X86_64 = 62;
const ELF_CLASS_64 = 2;

/** The file of a program as a shell would find it; null if there is none. */
export function findProgram(name: string): string | null {
  if (name.includes('/')) return isExecutable(name) ? name : null;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && isExecutable(path)) return path;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export interface Command {
  /** The ELF file, what it is called, and its arguments behind that. */
  file: string;
  argv0: string;
  args: string[];
}

/** What execve would make of a command: a script becomes an argument of its interpreter. */
export function resolveCommand(words: readonly string[]): Command {
  const name = words[0] ?? '';
  const found = findProgram(name);
  if (found === null) {
    throw new RecordError(
      `${name}: ${name.includes('/') && existsSync(name) ? 'is not executable' : 'no such program'}`,
    );
  }
  let file = found;
  let argv0 = name;
  let args = words.slice(1);
  for (let depth = 0; depth <= SCRIPTS; depth++) {
    const head = headOf(file);
    const script = /^#![ \t]*([^ \t\n]+)[ \t]*([^\n]*?)[ \t]*(?:\n|$)/.exec(head.toString('latin1'));
    if (script === null) {
      refuseForeign(file, head);
      return { file, argv0, args };
    }
    args = [...(script[2] === '' ? [] : [script[2]!]), file, ...args];
    file = argv0 = script[1]!;
    if (!isExecutable(file)) throw new RecordError(`${name}: its interpreter ${file} is no program`);
  }
  throw new RecordError(`${name}: a script of a script of a script; ${SCRIPTS} are the most`);
}

function headOf(file: string): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const fd = openSync(file, 'r');
  const got = readSync(fd, head);
  closeSync(fd);
  return head.subarray(0, got);
}

function refuseForeign(file: string, head: Buffer): void {
  if (head.length < 20 || head.toString('latin1', 0, 4) !== '\x7fELF') {
    throw new RecordError(`${file}: neither an ELF program nor a script with '#!'`);
  }
  if (head[4] === ELF_CLASS_64 && head[5] === 1 && head.readUInt16LE(18) === EM_X86_64) return;
  throw new RecordError(`${file}: a program for another architecture; x86-64 is the one that can be recorded`);
}

/** Runs with the rights of its owner, which a recorded program does not get. */
export function isSetuid(file: string): boolean {
  const { mode, uid } = statSync(file);
  return (mode & 0o4000) !== 0 && uid !== process.getuid?.();
}
