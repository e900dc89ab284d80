/**
 * `npm run docs:differences`: writes docs/differences.md: what the programs of the corpus that 6.18 and 6.1 agree on show on older
 * kernels, and by which line of a kernel's description each difference is explained. With --check it writes nothing, and fails if
 * the page is old. Either way it fails if a difference is not explained. `--list KERNEL` prints what is not.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareRecordings } from '../src/lab/check/compare.ts';
import { differencesOf, type Observation } from '../src/lab/check/differences.ts';
import { type Explained, explain, type Rule } from '../src/lab/check/explain.ts';
import { parseRecording, type Recording } from '../src/lab/check/recording.ts';
import { RULES } from '../src/lab/check/rules.ts';
import { runMmp } from '../src/lab/check/run_mmp.ts';
import { generationNamed } from '../src/mm/generations/index.ts';
import { type MmpProgram, parseMmp } from '../src/syscalls/mmp.ts';
import { root } from './setup.mjs';

const corpus = join(root, 'oracle', 'corpus');
const KERNELS = ['2.4.19', '2.6.24', '2.6.26', '3.16'];

interface Told {
  readonly program: string;
  readonly explained: readonly Explained[];
  /** The engine failed. */
  readonly failure: string | null;
}

/** Programs that both kernels answer alike, and what the older of them recorded. */
function agreeing(): { program: MmpProgram; recording: Recording }[] {
  const files = readdirSync(corpus).filter((name) => name.endsWith('.mmp'));
  return files.sort().flatMap((file) => {
    const program = parseMmp(readFileSync(join(corpus, file), 'utf8'), file);
    const [old, recent] = ['6.1', '6.18'].map((kernel) => {
      const path = join(corpus, file.replace(/mmp$/, `${kernel}.rec`));
      return existsSync(path) ? parseRecording(readFileSync(path, 'utf8'), path) : null;
    });
    if (old == null || recent == null) return [];
    return compareRecordings(program, old, recent).equal ? [{ program, recording: old }] : [];
  });
}

function toldBy(kernel: string, program: MmpProgram, recording: Recording): Told {
  const run = runMmp(program, kernel);
  const observations = differencesOf(program, recording, run.recording);
  return {
    program: program.file.replace(/\.mmp$/, ''),
    explained: explain(observations, RULES, generationNamed(kernel), program, recording),
    failure: run.failure === null ? null : String(run.failure.error.stack),
  };
}

function lineOf(program: string, o: Observation): string {
  const where =
    o.kind === 'call' ? '' : o.kind === 'file' ? ` ${o.file}` : ` process ${o.proc} page ${o.page}+${o.pages}`;
  const region = o.vma === null ? '' : ` [${o.vma['perms']} ${o.vma['name']}]`;
  return `${program}: ${o.op} ${o.call.text} | ${o.kind}${where}${region} ${o.field}: ${o.newer} -> ${o.older}`;
}

function list(kernel: string, programs: readonly { program: MmpProgram; recording: Recording }[], only: string): void {
  const counts = new Map<string, { count: number; first: string[] }>();
  for (const { program, recording } of programs) {
    if (only !== '' && !program.file.includes(only)) continue;
    const told = toldBy(kernel, program, recording);
    if (told.failure !== null) console.log(`${told.program} FAILS: ${told.failure}`);
    for (const { observation: o, rule, follows } of told.explained) {
      if (only !== '')
        console.log(`${rule === null ? '????' : follows ? `-> ${rule.id}` : rule.id}: ${lineOf(told.program, o)}`);
      if (rule !== null) continue;
      const kind = `${o.kind} ${o.field} ${o.kind === 'call' ? o.call.name : ''} ${o.newer.length < 12 ? `${o.newer}->${o.older}` : ''}`;
      const entry = counts.get(kind) ?? { count: 0, first: [] };
      entry.count += 1;
      if (entry.first.length < 3) entry.first.push(lineOf(told.program, o));
      counts.set(kind, entry);
    }
  }
  for (const [kind, { count, first }] of [...counts].sort((a, b) => b[1].count - a[1].count)) {
    console.log(`${String(count).padStart(6)} ${kind}`);
    for (const line of first) console.log(`         ${line.slice(0, 330)}`);
  }
}

/** What a rule explained on one kernel. */
interface Tally {
  readonly rule: Rule;
  readonly programs: string[];
  here: number;
  following: number;
}

function talliesOf(told: readonly Told[]): Tally[] {
  const byRule = new Map<Rule, Tally>();
  for (const { program, explained } of told) {
    for (const { rule, follows } of explained) {
      if (rule === null) continue;
      const tally = byRule.get(rule) ?? { rule, programs: [], here: 0, following: 0 };
      byRule.set(rule, tally);
      if (follows) tally.following += 1;
      else tally.here += 1;
      if (tally.programs.at(-1) !== program) tally.programs.push(program);
    }
  }
  return RULES.flatMap((rule) => byRule.get(rule) ?? []);
}

function link(program: string): string {
  return `[${program}](../oracle/corpus/${program}.mmp)`;
}

function inTable(text: string): string {
  return text.replaceAll('|', '\\|');
}

function numberOf(rule: Rule): string {
  return `r${RULES.indexOf(rule) + 1}`;
}

function isUnexplained(told: Told): boolean {
  return told.failure !== null || told.explained.some(({ rule }) => rule === null);
}

function pageOf(programs: number, byKernel: ReadonlyMap<string, readonly Told[]>): string {
  const summary = [...byKernel].map(([kernel, told]) => {
    const equal = told.filter(({ explained, failure }) => explained.length === 0 && failure === null).length;
    const all = told.reduce((sum, { explained }) => sum + explained.length, 0);
    const left = told.reduce((sum, { explained }) => sum + explained.filter(({ rule }) => rule === null).length, 0);
    return `| ${kernel} | ${equal} | ${told.length - equal} | ${all} | ${left} |`;
  });
  const kernels = [...byKernel].map(([kernel, told]) => {
    const rows = talliesOf(told).map(({ rule, programs: names, here, following }) => {
      const some = names.slice(0, 3).map(link).join(', ');
      return `| ${numberOf(rule)} | ${rule.id} | ${rule.source} | ${inTable(rule.says)} | ${here} | ${following} | ${names.length}: ${some} |`;
    });
    return `## ${kernel}

| | rule | where | what is written there | differences | that follow | programs |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
  });
  const names = [...byKernel.values()][0]!.map(({ program }) => program);
  const programRows = names.map((program, i) => {
    const cells = [...byKernel.values()].map((told) => {
      const { explained, failure } = told[i]!;
      if (failure !== null) return 'fails';
      const numbers = new Set(explained.map(({ rule }) => (rule === null ? 'unexplained' : numberOf(rule))));
      return numbers.size === 0 ? 'equal' : [...numbers].join(' ');
    });
    return `| ${link(program)} | ${cells.join(' | ')} |`;
  });
  return `# What do older kernels show otherwise, and why?

Written by \`npm run docs:differences\`; do not edit it. ${programs} programs of the corpus are answered alike by Linux 6.1 and 6.18
(what a kernel shows, and how two recordings are compared: [FORMAT.md](../oracle/corpus/FORMAT.md)). Here each of them runs on the
older generations of the engine, and everything that they show otherwise than 6.1 is listed: every call, region, page, flag and
number, once where it begins. All generations are looked at with the eyes of 6.x (its kpageflags, pagemap and smaps), whatever the
kernel's own /proc shows. \`§\` is a section of what is written of the generation: [2.4](spec/linux-2.4.md), [2.6](spec/linux-2.6.md), [3.x](spec/linux-3.md). A difference that *follows*
is one at a place that a rule left otherwise: a range that was not populated, a page that was not split off.

| kernel | programs alike | programs that differ | differences | not explained |
| --- | --- | --- | --- | --- |
${summary.join('\n')}

${kernels.join('\n')}
## Every program

| program | ${[...byKernel.keys()].join(' | ')} |
| --- |${' --- |'.repeat(byKernel.size)}
${programRows.join('\n')}
`;
}

function main(): void {
  const programs = agreeing();
  const listed = process.argv.indexOf('--list');
  if (listed >= 0) {
    list(process.argv[listed + 1] ?? '', programs, process.argv[listed + 2] ?? '');
    return;
  }
  const byKernel = new Map(
    KERNELS.map((kernel) => [kernel, programs.map(({ program, recording }) => toldBy(kernel, program, recording))]),
  );
  const page = pageOf(programs.length, byKernel);
  const path = join(root, 'docs', 'differences.md');
  const left = [...byKernel].flatMap(([kernel, told]) =>
    told.filter(isUnexplained).map(({ program }) => `${program} on ${kernel}`),
  );
  if (left.length > 0) {
    console.error(
      `not explained: ${left.slice(0, 10).join(', ')}${left.length > 10 ? ` and ${left.length - 10} more` : ''}`,
    );
    console.error('npm run docs:differences -- --list KERNEL says what; a rule belongs into src/lab/check/rules*.ts');
    process.exitCode = 1;
  }
  if (!process.argv.includes('--check')) {
    writeFileSync(path, page);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== page) {
    console.error('docs/differences.md is older than the corpus, the engine or the rules: npm run docs:differences');
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) main();
