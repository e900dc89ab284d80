/**
 * What our pages show and a reader may copy: the commands and the TypeScript in README.md and docs/.
 *
 *     ```sh
 *     npx revmap run …         a line that begins with `npx revmap` or `bin/revmap` is a command
 *     ```
 *
 *     <!-- example: library -->      makes the next ts block a program of that name
 *     <!-- not run: it needs root --> keeps the next block from being run, and says why
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Example {
  file: string;
  line: number;
  kind: 'sh' | 'ts';
  /** What the marker above a ts block calls it. */
  name: string;
  text: string;
}

/** A fence, and the marker that may stand above it with a blank line between. */
const block = /(?:^<!-- (example|not run): (.+) -->\n\n?)?^```(sh|ts)\n([\s\S]*?)^```$/gm;

export function examplesIn(root: string): Example[] {
  const docs = join(root, 'docs');
  const pages = existsSync(docs) ? readdirSync(docs, { recursive: true, encoding: 'utf8' }) : [];
  const files = [
    join(root, 'README.md'),
    ...pages.filter((page) => page.endsWith('.md')).map((page) => join(docs, page)),
  ];
  return files.sort().flatMap((file) => examplesOf(relative(root, file), readFileSync(file, 'utf8')));
}

export function examplesOf(file: string, page: string): Example[] {
  const found: Example[] = [];
  for (const { index, 0: whole, 1: marker, 2: words = '', 3: kind, 4: text = '' } of page.matchAll(block)) {
    if (marker === 'not run') continue;
    const line = page.slice(0, index + whole.indexOf('```')).split('\n').length + 1;
    if (kind === 'ts' && marker === 'example') found.push({ file, line, kind, name: words, text });
    if (kind === 'sh') found.push(...commandsOf(file, line, text));
  }
  return found;
}

/** One example per command; a line that ends in a backslash goes on in the next. */
function commandsOf(file: string, firstLine: number, text: string): Example[] {
  const found: Example[] = [];
  let line = firstLine;
  for (const command of text.split(/(?<!\\)\n/)) {
    const own = command.replace(/^\$ /, '');
    if (/^(npx|bin\/)\s?revmap\b/.test(own)) found.push({ file, line, kind: 'sh', name: '', text: own });
    line += command.split('\n').length;
  }
  return found;
}
