/**
 * How long `revmap check` takes for 1,000 programs, on one thread: the corpus, from the start again until there are so many, each
 * program on every kernel that it was recorded on. Reading the files, parsing, running and comparing are in it.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CheckResult, checkLine, checkRun } from '../src/lab/check/check.ts';
import { type ProgramFile, programsIn, RecordingFinder } from '../src/lab/check/files.ts';
import { runMmp } from '../src/lab/check/run_mmp.ts';
import { parseMmp } from '../src/syscalls/mmp.ts';

const PROGRAMS = 1000;

const finder = new RecordingFinder();

function check({ path, name }: ProgramFile): CheckResult[] {
  const program = parseMmp(readFileSync(path, 'utf8'), path);
  return finder
    .beside(path, undefined)
    .map(({ recording, kernel, path: recorded }) =>
      checkRun(program, recording, runMmp(program, kernel), { program: name, recording: recorded }),
    );
}

const corpus = programsIn([fileURLToPath(new URL('../oracle/corpus', import.meta.url))]);
const recorded = corpus.filter(({ path }) => finder.beside(path, undefined).length > 0);
const results: CheckResult[] = [];
const times: { readonly name: string; readonly ms: number }[] = [];
const started = performance.now();
for (let i = 0; i < PROGRAMS; i++) {
  const file = recorded[i % recorded.length]!;
  const begun = performance.now();
  results.push(...check(file));
  times.push({ name: file.name, ms: performance.now() - begun });
}
const seconds = (performance.now() - started) / 1000;

times.sort((a, b) => a.ms - b.ms);
const slowest = times.at(-1)!;
const calls = results.reduce((sum, result) => sum + result.calls, 0);
const different = results.filter((result) => !result.equal);
console.log(`${PROGRAMS} programs (${recorded.length} different ones), ${results.length} comparisons, ${calls} calls`);
console.log(`${seconds.toFixed(1)} s on one thread, ${(calls / seconds / 1000).toFixed(1)} thousand calls/s`);
console.log(
  `a program: median ${times[PROGRAMS >> 1]!.ms.toFixed(1)} ms, slowest ${slowest.ms.toFixed(0)} ms (${slowest.name})`,
);
console.log(`${results.length - different.length} of ${results.length} equal`);
for (const line of new Set(different.map(checkLine))) console.log(line);
