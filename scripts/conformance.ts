/**
 * `npm run docs:conformance`: writes docs/conformance.md from the corpus: which test of LTP and of the kernel is restated by
 * which program, which is not and why, and whether the engine agrees with each kernel. With --check it writes nothing, and
 * fails if the page is old.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkProgram } from '../src/lab/check/check.ts';
import { root } from './setup.mjs';

const corpus = join(root, 'oracle', 'corpus');
const KERNELS = ['6.18', '6.1'];
const SUITES: readonly [name: string, title: string, where: string][] = [
  ['ltp', 'LTP', 'the Linux Test Project, 2026-08: testcases/kernel/syscalls and mem'],
  ['selftests', "The kernel's selftests", 'tools/testing/selftests/mm of Linux 6.18; FILE.TEST'],
  ['vma', "The kernel's user-space VMA tests", 'tools/testing/vma of Linux 6.18'],
];

interface Restated {
  readonly suite: string;
  readonly test: string;
  readonly note: string;
}

interface Program {
  readonly name: string;
  readonly title: string;
  readonly restates: readonly Restated[];
  /** By kernel: equal, different, or not recorded. */
  readonly state: ReadonlyMap<string, string>;
}

/** `# restates ltp/mmap01: a note` in the head of a program. */
export function restatedBy(text: string): Restated[] {
  return [...text.matchAll(/^# restates (\w+)\/([^:\s]+)(?:: *(.*))?$/gm)].map(
    ([, suite = '', test = '', note = '']) => ({
      suite,
      test,
      note,
    }),
  );
}

function programOf(file: string): Program {
  const text = readFileSync(join(corpus, file), 'utf8');
  const state = new Map(KERNELS.map((kernel) => [kernel, stateOf(file, text, kernel)]));
  const title = /^%title (.*)$/m.exec(text)?.[1] ?? '';
  return { name: file.replace(/\.mmp$/, ''), title, restates: restatedBy(text), state };
}

function stateOf(file: string, text: string, kernel: string): string {
  const recording = file.replace(/mmp$/, `${kernel}.rec`);
  if (!existsSync(join(corpus, recording))) return 'not recorded';
  const result = checkProgram(text, readFileSync(join(corpus, recording), 'utf8'), kernel, {
    program: file,
    recording,
  });
  return result.equal ? 'equal' : 'differs';
}

/** Tests that no program restates: suite, test and why, separated by tabs. */
function notRestated(): { suite: string; test: string; why: string }[] {
  return readFileSync(join(corpus, 'not-restated.tsv'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [suite = '', test = '', why = ''] = line.split('\t');
      return { suite, test, why };
    })
    .sort((a, b) => compareTexts(a.test, b.test));
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function link(program: Program): string {
  return `[${program.name}](../oracle/corpus/${program.name}.mmp)`;
}

function inTable(text: string): string {
  return text.replaceAll('|', '\\|');
}

function suiteRows(suite: string, programs: readonly Program[]): string[] {
  const byTest = new Map<string, string[]>();
  for (const program of programs) {
    for (const { suite: of, test, note } of program.restates) {
      if (of !== suite) continue;
      const entry = `${link(program)}${note === '' ? '' : `: ${inTable(note)}`}`;
      byTest.set(test, [...(byTest.get(test) ?? []), entry]);
    }
  }
  return [...byTest]
    .sort(([a], [b]) => compareTexts(a, b))
    .map(([test, entries]) => `| ${test} | ${entries.join('<br>')} |`);
}

function pageOf(programs: readonly Program[]): string {
  const left = notRestated();
  const states = KERNELS.map((kernel) => {
    const count = (state: string): number => programs.filter((p) => p.state.get(kernel) === state).length;
    return `| ${kernel} | ${count('equal')} | ${count('differs')} | ${count('not recorded')} |`;
  });
  const differing = programs.flatMap((p) =>
    KERNELS.filter((kernel) => p.state.get(kernel) === 'differs').map(
      (kernel) => `- ${link(p)} on ${kernel}: ${p.title}`,
    ),
  );
  const suites = SUITES.map(([suite, title, where]) => {
    const rows = suiteRows(suite, programs);
    const missing = left.filter((row) => row.suite === suite);
    return `## ${title}

From ${where}. ${rows.length} tests are restated, wholly or in part; ${missing.length} are not.

| test | programs |
| --- | --- |
${rows.join('\n')}

| not restated | why |
| --- | --- |
${missing.map(({ test, why }) => `| ${test} | ${inTable(why)} |`).join('\n')}
`;
  });
  const own = programs.filter((p) => p.restates.length === 0);
  return `# Which tests of the kernel are restated here, and does the engine pass them?

Written by \`npm run docs:conformance\` from oracle/corpus; do not edit it. A program is equal on a kernel if everything that the
kernel showed of it was shown by the engine too (rules: [FORMAT.md](../oracle/corpus/FORMAT.md), section 5).

| kernel | equal | differ | not recorded |
| --- | --- | --- | --- |
${states.join('\n')}

${differing.length === 0 ? 'No program differs.' : differing.join('\n')}

${suites.join('\n')}
## Programs of our own

| program | what it shows |
| --- | --- |
${own.map((p) => `| ${link(p)} | ${inTable(p.title)} |`).join('\n')}
`;
}

function main(): void {
  const files = readdirSync(corpus).filter((name) => name.endsWith('.mmp'));
  const page = pageOf(files.sort().map(programOf));
  const path = join(root, 'docs', 'conformance.md');
  if (!process.argv.includes('--check')) {
    writeFileSync(path, page);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== page) {
    console.error('docs/conformance.md is older than the corpus or the engine: npm run docs:conformance');
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) main();
