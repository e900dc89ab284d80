/**
 * `revmap check PATH…`: does the engine do what a kernel did? Memory programs against the recordings beside them, or against
 * what the kernel here does now.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type BatchOptions, checkFiles } from '../lab/check/batch.ts';
import { type CheckResult, checkLine } from '../lab/check/check.ts';
import { type ProgramFile, programsIn } from '../lab/check/files.ts';
import { recordLive } from '../lab/check/live.ts';
import { InputError } from '../mm/bug.ts';
import { kernelOf } from './arguments.ts';
import { grouped, plural, print, printJson } from './output.ts';

interface CheckFlags extends BatchOptions {
  json?: boolean;
  live?: boolean;
  keep?: string;
}

/** A program that could not be recorded here, and why. */
interface Unrecorded {
  readonly program: string;
  readonly why: string;
}

const HELP = `
A program and a recording of it make a comparison: x.mmp with x.6.18.rec, x.6.1.rec or x.rec;
the first line of a recording says which kernel it speaks for. A program with two recordings
counts twice. The exit code is 0 only if all are equal.

--record writes what the engine did: with --kernel as DIR/x.rec, without it for every kernel that
the engine has: DIR/x.6.18.rec, DIR/x.6.1.rec, DIR/x.3.16.rec … A program needs no recording for that.

--live runs each program on the kernel of this machine first, with the runner of oracle/runner (C,
compiled when it is first needed), and compares with that. It needs root, a C compiler and a folder
on ext4 (TMPDIR or /var/tmp), and says of each program that it skips why. It puts back what it sets:
no swap area, file or setting stays. Recorded programs speak for the engine's generation only if this
kernel is a 6.18 or a 6.1.`;

export function addCheck(program: Command): void {
  program
    .command('check')
    .description('run memory programs (.mmp) and compare with what a real kernel did (.rec beside them)')
    .argument('<path...>', 'programs, or folders of them')
    .option('--kernel <version>', 'compare with the recordings of this kernel only', kernelOf)
    .option('--json', 'the comparison as JSON')
    .option('--record <dir>', "write the engine's own recording of each program")
    .option('--live', 'compare with the kernel of this machine, now (root)')
    .option('--keep <dir>', 'with --live: keep programs and recordings in this folder')
    .addHelpText('after', HELP)
    .action((paths: string[], flags: CheckFlags) =>
      flags.live === true ? checkLive(paths, flags) : checkPaths(paths, flags),
    );
}

async function checkLive(paths: string[], flags: CheckFlags): Promise<void> {
  const folder = flags.keep ?? mkdtempSync(join(tmpdir(), 'revmap-live-'));
  try {
    const { files, skipped, failed } = await recordLive(programsIn(paths), folder);
    const results = files.length === 0 ? [] : (await checkAll(files, flags)).results;
    if (failed.length > 0) process.exitCode = 1;
    if (flags.json === true) {
      printJson({ ...summaryOf(results), skipped, failed });
      return;
    }
    for (const text of unrecordedTexts('failed', failed)) print(text);
    for (const text of unrecordedTexts('skipped', skipped)) print(text);
    print(summaryText(results, 0));
  } finally {
    if (flags.keep === undefined) rmSync(folder, { recursive: true });
  }
}

/** One line for each reason: it may be the same for all. */
function unrecordedTexts(verdict: string, programs: readonly Unrecorded[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { program, why } of programs) byReason.set(why, [...(byReason.get(why) ?? []), program]);
  return [...byReason].map(([why, names]) => {
    const who = names.length === 1 ? names[0] : plural(names.length, 'program');
    return `${verdict} ${who}: ${why}`;
  });
}

async function checkPaths(paths: string[], flags: CheckFlags): Promise<void> {
  const { results, alone } = await checkAll(programsIn(paths), flags);
  if (results.length === 0 && flags.record === undefined) {
    const wanted = flags.kernel === undefined ? '' : ` of ${flags.kernel}`;
    throw new InputError(paths.join(' '), 0, `no program here has a recording${wanted} beside it (NAME.6.18.rec)`);
  }
  if (flags.json === true) printJson(summaryOf(results));
  else print(summaryText(results, alone));
}

/** Prints each result as it comes, unless JSON is asked for; sets the exit code. `alone`: programs without a recording. */
async function checkAll(
  files: readonly ProgramFile[],
  flags: CheckFlags,
): Promise<{ results: CheckResult[]; alone: number }> {
  const results: CheckResult[] = [];
  let alone = 0;
  await checkFiles(files, flags, (outcome) => {
    results.push(...outcome.results);
    if (outcome.results.length === 0) alone += 1;
    if (flags.json !== true) for (const result of outcome.results) print(resultText(result));
    for (const problem of outcome.unrecorded) process.stderr.write(`revmap: ${problem}\n`);
    if (outcome.unrecorded.length > 0) process.exitCode = 1;
  });
  if (results.some((result) => !result.equal)) process.exitCode = 1;
  return { results, alone };
}

function resultText(result: CheckResult): string {
  return result.equal ? checkLine(result) : `${checkLine(result)}\n\n${result.picture.replace(/^(?=.)/gm, '  ')}\n`;
}

function summaryOf(results: readonly CheckResult[]): object {
  return {
    programs: results.length,
    equal: results.filter((result) => result.equal).length,
    calls: sum(results, (result) => result.calls),
    calls_before_first_difference: sum(results, (result) => result.callsBefore),
    results: results.map(({ program, recording, equal, calls, first }) => {
      return { program, recording, equal, calls, first_difference: first };
    }),
  };
}

function summaryText(results: readonly CheckResult[], alone: number): string {
  const equal = results.filter((result) => result.equal).length;
  const calls = sum(results, (result) => result.calls);
  const before = sum(results, (result) => result.callsBefore);
  const lines = [
    `${grouped(equal)} of ${plural(results.length, 'comparison')} equal; ${grouped(before)} of ${plural(calls, 'call')} before the first difference`,
  ];
  if (alone > 0) lines.push(`${plural(alone, 'program')} without a recording`);
  return lines.join('\n');
}

function sum(results: readonly CheckResult[], of: (result: CheckResult) => number): number {
  return results.reduce((total, result) => total + of(result), 0);
}
