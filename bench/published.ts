/**
 * Published numbers of Linux's memory manager, got again by running the engine: `npm run bench:published`.
 *
 * With --write the page docs/published.md is written, with --check it is compared; --only=word runs the numbers whose name has the word.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ALL_NUMBERS } from './published/all.ts';
import { type Figure, isExact, type PublishedNumber } from './published/number.ts';
import { pageOf, type Result } from './published/page.ts';

const PAGE = fileURLToPath(new URL('../docs/published.md', import.meta.url));

const args = process.argv.slice(2);
const words = args.filter((arg) => arg.startsWith('--only=')).map((arg) => arg.slice('--only='.length).toLowerCase());
const results: Result[] = [];
for (const number of ALL_NUMBERS) {
  if (words.length > 0 && !words.some((word) => number.name.toLowerCase().includes(word))) continue;
  const started = performance.now();
  const figures = number.run();
  tell(number, figures, (performance.now() - started) / 1000);
  results.push({ number, figures });
}
const exact = results.filter(({ figures }) => isExact(figures)).length;
console.log(`${exact} of ${results.length} numbers exact`);
if (words.length === 0) {
  const page = pageOf(results);
  if (args.includes('--write')) {
    writeFileSync(PAGE, page);
  } else if (args.includes('--check') && readFileSync(PAGE, 'utf8') !== page) {
    console.error('docs/published.md does not say what the engine says: npm run bench:published -- --write');
    process.exitCode = 1;
  }
}

function tell({ name, source, date }: PublishedNumber, figures: readonly Figure[], seconds: number): void {
  console.log(`\n${name} (${source.replace(/\]\(.*?\)/, '').replace('[', '')}, ${date}; ${seconds.toFixed(1)} s)`);
  const width = Math.max(...figures.map(({ what }) => what.length));
  const published = Math.max(...figures.map((figure) => figure.published.length));
  const engine = Math.max(...figures.map((figure) => figure.engine.length));
  for (const figure of figures) {
    const cells = [figure.what.padEnd(width), figure.published.padStart(published), figure.engine.padStart(engine)];
    console.log(`  ${cells.join('  ')}  ${figure.verdict}`);
  }
}
