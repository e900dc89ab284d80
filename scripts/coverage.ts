/**
 * `npm run docs:coverage`: writes docs/coverage.md from what the files of src/ say about themselves: the `Linux` lines
 * of their headers, and their DIFFERS and SINCE remarks. With --check it writes nothing, and fails if the page is old.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { root } from './setup.mjs';

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

function pageOf(files: string[], tests: Map<string, string[]>): string {
  const rows: string[] = [];
  const remarks: Record<Remark['kind'], string[]> = { DIFFERS: [], SINCE: [] };
  for (const file of files) {
    const code = readFileSync(join(root, file), 'utf8');
    const tested = (tests.get(file) ?? []).map(link).join(' ') || 'none by name';
    for (const { version, source, name } of factsOf(code)) {
      rows.push(`| ${name === '' ? 'the file' : `\`${name}\``} | ${version} ${source} | ${link(file)} | ${tested} |`);
    }
    for (const { kind, line, text } of remarksOf(code)) remarks[kind].push(`- ${link(file, line)} ${text}`);
  }
  return `# What of Linux is here, and where?

Written by \`npm run docs:coverage\` from the files themselves; do not edit it.

| in Linux | version and file | here | tests that import it |
| --- | --- | --- | --- |
${rows.sort().join('\n')}

## Where do we knowingly leave Linux?

${remarks.DIFFERS.join('\n') || 'Nowhere yet.'}

## What changed between kernels?

${remarks.SINCE.join('\n') || 'Nothing noted yet.'}
`;
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
  const page = pageOf(files, testsByFile(tests));
  if (!process.argv.includes('--check')) {
    writeFileSync(path, page);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== page) {
    console.error('docs/coverage.md is older than the files it tells of: npm run docs:coverage');
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) main();
