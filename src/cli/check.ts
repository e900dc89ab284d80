/** `revmap check PATH…`: does the engine do what a kernel did? Memory programs against the recordings beside them. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { type CheckResult, checkLine, checkProgram } from '../lab/check/check.ts';
import { InputError } from '../mm/bug.ts';
import { GENERATIONS } from '../mm/generations/index.ts';
import { kernelOf } from './arguments.ts';
import { plural, print, printJson } from './output.ts';

export function addCheck(program: Command): void {
  program
    .command('check')
    .description('run memory programs (.mmp) and compare with what a real kernel did (.rec beside them)')
    .argument('<path...>', 'programs, or folders of them')
    .option('--kernel <version>', 'compare with the recordings of this kernel only', kernelOf)
    .option('--json', 'the comparison as JSON')
    .action((paths: string[], flags: { kernel?: string; json?: boolean }) => {
      const kernels = flags.kernel === undefined ? GENERATIONS.map((g) => g.version) : [flags.kernel];
      const results = programsIn(paths).flatMap((file) => checkFile(file, kernels));
      if (results.length === 0)
        throw new InputError(paths.join(' '), 0, 'no program here has a recording (NAME.6.18.rec)');
      const equal = results.filter((result) => result.first === null).length;
      if (flags.json === true) {
        printJson({ programs: results.length, equal, results: results.map(jsonOf) });
      } else {
        for (const result of results) print(checkLine(result));
        print(`${equal} of ${plural(results.length, 'comparison')} equal`);
      }
      if (equal < results.length) process.exitCode = 1;
    });
}

function jsonOf({ byField, ...result }: CheckResult): object {
  return { ...result, byField: Object.fromEntries(byField) };
}

function programsIn(paths: string[]): string[] {
  return paths.flatMap((path) => {
    if (!existsSync(path)) throw new InputError(path, 0, 'no such file or folder');
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path)
      .filter((name) => name.endsWith('.mmp'))
      .sort()
      .map((name) => join(path, name));
  });
}

function checkFile(file: string, kernels: readonly string[]): CheckResult[] {
  const results: CheckResult[] = [];
  for (const kernel of kernels) {
    const recording = file.replace(/(\.mmp)?$/, `.${kernel}.rec`);
    if (!existsSync(recording)) continue;
    const names = { program: basename(file), recording: basename(recording) };
    results.push(checkProgram(readFileSync(file, 'utf8'), readFileSync(recording, 'utf8'), kernel, names));
  }
  return results;
}
