/**
 * `npm run docs:coverage`: writes docs/coverage.md. It begins with what the texts say that the project began with (scripts/seeds.ts)
 * and what each kernel must show (scripts/observables.ts), each with its file and tests; then comes what the files of src/ say
 * about themselves: the `Linux` lines of their headers, and their DIFFERS and SINCE remarks.
 *
 * With --check it writes nothing, and fails if the page is old. In both cases it fails if a point has no test, or a test that it names
 * or a file is not there.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { OBSERVABLES, type Observables } from './observables.ts';
import { type Point, SEEDS, type Seed } from './seeds.ts';
import { root } from './setup.mjs';
import { type Titles, titlesOf, titleWith } from './titles.ts';

interface Fact {
  /** `3.16` or `6.1, 6.18`; empty where the header names none. */
  version: string;
  /** `mm/rmap.c` */
  source: string;
  /** `anon_vma_prepare`; empty where the header names the file alone. */
  name: string;
}

interface Remark {
  kind: 'DIFFERS' | 'SINCE';
  line: number;
  text: string;
}

/** The words after `Linux` in a header: versions, a file of the kernel, a colon, names; and so on. */
export function factsOf(code: string): Fact[] {
  const found: Fact[] = [];
  let version = '';
  let source = '';
  let named = false; // after `mm/rmap.c:` come names; after `mm/rmap.c` alone comes whatever the author wished to say
  for (const word of linuxWords(code)) {
    const plain = word.replace(/(\(\))?[,;.:]*$/, '');
    if (/^\d+\.\d+(\.\d+)?$/.test(plain)) {
      version = source === '' && version !== '' ? `${version}, ${plain}` : plain;
      source = '';
    } else if (/^[\w/.-]+\.[chS]$/.test(plain)) {
      source = plain;
      named = word.endsWith(':');
      if (!named) found.push({ version, source, name: '' });
    } else if (named && /^[A-Za-z_]\w*$/.test(plain)) {
      found.push({ version, source, name: plain });
    }
  }
  return found;
}

/** The `Linux` part of the first doc comment, up to the next label, without remarks in brackets. */
function linuxWords(code: string): string[] {
  const header = /^\s*\/\*\*([\s\S]*?)\*\//.exec(code)?.[1] ?? '';
  const words: string[] = [];
  let inside = false;
  for (const line of header.split('\n').map((each) => each.replace(/^\s*\* ?/, ''))) {
    const label = /^([A-Z][a-z]+)\s{2,}(.*)$/.exec(line);
    if (label !== null || line.trim() === '') inside = label?.[1] === 'Linux';
    if (inside) words.push(label?.[2] ?? line);
  }
  const text = words.join(' ').replace(/\([^()]+\)/g, ' ');
  return text.split(/\s+/).filter((word) => word !== '');
}

/** A remark goes on over the comment lines below it. */
export function remarksOf(code: string): Remark[] {
  const found: Remark[] = [];
  const lines = code.split('\n');
  for (const [index, line] of lines.entries()) {
    const [, kind, first] = /^\s*(?:\/\/|\/?\*+) (DIFFERS|SINCE)\b:?\s*(.*)$/.exec(line) ?? [];
    if (kind === undefined || first === undefined) continue;
    let text = first;
    for (let next = index + 1; ; next++) {
      const more = /^\s*(?:\/\/|\*(?!\/)) (?!DIFFERS|SINCE)\s*(.*)$/.exec(lines[next] ?? '')?.[1];
      if (more === undefined || more === '') break;
      text += ` ${more}`;
    }
    found.push({ kind: kind as Remark['kind'], line: index + 1, text: text.replace(/\s*\*\/$/, '') });
  }
  return found;
}

/** Tests that a cell names. */
const SHOWN = 4;

/** What the page needs to know of the tests, and what it found missing. */
class Evidence {
  readonly missing: string[] = [];
  private readonly tests: readonly Titles[];

  constructor(tests: readonly Titles[]) {
    this.tests = tests;
  }

  /** Every test whose title has `wanted`, as links; `of` says who wants it, if there is none. */
  titled(wanted: string, of: string): string {
    const found = this.titledIfAny(wanted);
    if (found === '') this.missing.push(`${of}: no test has the title ${wanted}`);
    return found || '**missing**';
  }

  titledIfAny(wanted: string): string {
    const found = this.tests.flatMap((test) => {
      const title = titleWith(test, wanted);
      return title === null ? [] : [`${cell(title)} (${link(test.file)})`];
    });
    const more = found.length > SHOWN ? [`and ${found.length - SHOWN} more`] : [];
    return [...found.slice(0, SHOWN), ...more].join('<br>');
  }
}

/** Text for a cell of a table: no bar ends it, no bracket begins a link. */
function cell(text: string): string {
  return text.replace(/[|[\]<>*_]/g, (letter) => `\\${letter}`);
}

function pageOf(files: string[], tests: Map<string, string[]>, evidence: Evidence): string {
  const remarks: Record<Remark['kind'], string[]> = { DIFFERS: [], SINCE: [] };
  const rows: string[] = [];
  for (const file of files) {
    const code = readFileSync(join(root, file), 'utf8');
    const facts = factsOf(code);
    if (facts.length > 0) rows.push(fileRow(file, facts, tests.get(file) ?? []));
    for (const { kind, line, text } of remarksOf(code)) remarks[kind].push(`- ${link(file, line)} ${text}`);
  }
  return `# What of Linux is here, and where?

Written by \`npm run docs:coverage\` from the files themselves; do not edit it.

- [What the texts say that it began with](#what-do-the-texts-say-that-it-began-with): each point, its file, its tests
- [What each kernel must show](#what-must-each-kernel-show): each mechanism, its tests, or why it is not built
- [Which functions of Linux are where](#which-functions-of-linux-are-where)
- [Where we knowingly leave Linux](#where-do-we-knowingly-leave-linux), and [what changed between kernels](#what-changed-between-kernels)

## What do the texts say that it began with?

${SEEDS.map((seed) => seedTable(seed, evidence)).join('\n')}
## What must each kernel show?

${OBSERVABLES.map((kernel) => observablesTable(kernel, evidence)).join('\n')}
## Which functions of Linux are where?

| here | in Linux | tests that import it |
| --- | --- | --- |
${rows.join('\n')}

## Where do we knowingly leave Linux?

${remarks.DIFFERS.join('\n') || 'Nowhere yet.'}

## What changed between kernels?

${remarks.SINCE.join('\n') || 'Nothing noted yet.'}
`;
}

function seedTable({ title, kernel, points }: Seed, evidence: Evidence): string {
  return `### ${title}: ${kernel}

| it says | here | test |
| --- | --- | --- |
${points.map((point) => pointRow(title, point, evidence)).join('\n')}
`;
}

function pointRow(title: string, { what, file, tests, why }: Point, evidence: Evidence): string {
  const path = `src/${file}`;
  const of = `${title}: ${what}`;
  if (!existsSync(join(root, path))) evidence.missing.push(`${of}: no file ${path}`);
  if (tests.length === 0 && why === undefined) evidence.missing.push(`${of}: no test`);
  const found = tests.map((wanted) => evidence.titled(wanted, of));
  return `| ${what} | ${link(path)} | ${found.join('<br>') || why} |`;
}

function observablesTable({ tag, rows, notBuilt = [], vectors, stories }: Observables, evidence: Evidence): string {
  const reasons = new Map(notBuilt);
  const titles = [
    ...rows.map((row) => [row, `[${tag} ${row}]`]),
    ...vectors.map(([what, title]) => [`figures: ${what}`, title]),
    ...stories.map((story) => [`life of a page: ${story}`, `[${tag} story ${story}]`]),
  ];
  return `### Linux ${tag}

| mechanism | test |
| --- | --- |
${titles.map(([what, wanted]) => observableRow(what!, wanted!, reasons.get(what!), tag, evidence)).join('\n')}
`;
}

/** A row that is not built may have tests, for what there is of it. */
function observableRow(
  what: string,
  wanted: string,
  reason: string | undefined,
  tag: string,
  evidence: Evidence,
): string {
  const tests = reason === undefined ? evidence.titled(wanted, `Linux ${tag}`) : evidence.titledIfAny(wanted);
  const shown = [tests, ...(reason === undefined ? [] : [`not built: ${cell(reason)}`])].filter((part) => part !== '');
  return `| ${cell(what)} | ${shown.join('<br>')} |`;
}

/** One row for a file: `6.18 mm/rmap.c: anon_vma_fork anon_vma_clone`, and so on. */
function fileRow(file: string, facts: readonly Fact[], tests: readonly string[]): string {
  const names = new Map<string, string[]>();
  for (const { version, source, name } of facts) {
    const key = `${version} ${source}`.trim();
    names.set(key, [...(names.get(key) ?? []), ...(name === '' ? [] : [`\`${name}\``])]);
  }
  const sources = [...names].map(([key, all]) => (all.length === 0 ? key : `${key}: ${all.join(' ')}`));
  return `| ${link(file)} | ${sources.join('<br>')} | ${tests.map((test) => link(test)).join(' ') || 'none by name'} |`;
}

function link(file: string, line?: number): string {
  const name = file.replace(/^src\//, '');
  return line === undefined ? `[${name}](../${file})` : `[${name}:${line}](../${file}#L${line})`;
}

/** Which tests import a file, directly. */
function testsByFile(tests: string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const test of tests) {
    const code = readFileSync(join(root, test), 'utf8');
    const imports = [...code.matchAll(/\bfrom '(\.[^']+)'/g)].map(([, path = '']) => path);
    for (const path of new Set(imports)) {
      const file = resolve('/', dirname(test), path).slice(1);
      found.set(file, [...(found.get(file) ?? []), test]);
    }
  }
  return found;
}

function typescriptIn(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return paths.filter((path) => path.endsWith('.ts')).map((path) => `${folder}/${path}`);
}

function main(): void {
  const all = [...typescriptIn('src'), ...typescriptIn('test')].sort();
  const tests = all.filter((file) => file.endsWith('.test.ts'));
  const files = all.filter((file) => file.startsWith('src/') && !file.endsWith('.test.ts'));
  const path = join(root, 'docs', 'coverage.md');
  const evidence = new Evidence(tests.map((file) => titlesOf(file, readFileSync(join(root, file), 'utf8'))));
  const page = pageOf(files, testsByFile(tests), evidence);
  for (const line of evidence.missing) console.error(line);
  if (evidence.missing.length > 0) process.exitCode = 1;
  if (!process.argv.includes('--check')) {
    writeFileSync(path, page);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== page) {
    console.error('docs/coverage.md is older than the files it tells of: npm run docs:coverage');
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) main();
