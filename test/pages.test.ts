/** What the scripts read out of our pages and headers: examples to run, kernel functions, remarks. */
import assert from 'node:assert/strict';
import { test } from 'vitest';
import { factsOf, remarksOf } from '../scripts/coverage.ts';
import { examplesOf } from '../scripts/examples.ts';
import { titlesOf, titleWith } from '../scripts/titles.ts';

const page = `# A page

\`\`\`sh
npx revmap ps
ls
bin/revmap run a.gz \\
  --limit 64M
\`\`\`

<!-- not run: it needs root -->
\`\`\`sh
bin/revmap who
\`\`\`

\`\`\`ts
not.run();
\`\`\`

<!-- example: library -->

\`\`\`ts
run();
\`\`\`
`;

test('examples: commands in sh blocks and marked ts blocks, with the line they stand in', () => {
  assert.deepEqual(examplesOf('a.md', page), [
    { file: 'a.md', line: 4, kind: 'sh', name: '', text: 'npx revmap ps' },
    { file: 'a.md', line: 6, kind: 'sh', name: '', text: 'bin/revmap run a.gz \\\n  --limit 64M' },
    { file: 'a.md', line: 22, kind: 'ts', name: 'library', text: 'run();\n' },
  ]);
});

const code = `/**
 * Who maps a page.
 *
 * Owns      AnonVma. See mm/ksm.c: nothing.
 * Linux     2.6.34, 3.16 mm/rmap.c: anon_vma_prepare unlink_anon_vmas (not the slab),
 *           page_referenced(); include/linux/rmap.h
 *           6.18 mm/rmap.c: folio_referenced
 * Before    anon_vma_list.ts (mm/old.c: gone)
 */
// DIFFERS: no per-CPU batches,
// a page reaches its list at once.
export const a = 1; // not a remark

  /** SINCE 3.7: the tree was a list before. */
`;

test('coverage: the Linux lines of a header, versions and files and names', () => {
  assert.deepEqual(
    factsOf(code).map(({ version, source, name }) => [version, source, name].join(' ')),
    [
      '2.6.34, 3.16 mm/rmap.c anon_vma_prepare',
      '2.6.34, 3.16 mm/rmap.c unlink_anon_vmas',
      '2.6.34, 3.16 mm/rmap.c page_referenced',
      '2.6.34, 3.16 include/linux/rmap.h ',
      '6.18 mm/rmap.c folio_referenced',
    ],
  );
});

test('coverage: remarks go on over the comment lines below them', () => {
  assert.deepEqual(remarksOf(code), [
    { kind: 'DIFFERS', line: 10, text: 'no per-CPU batches, a page reaches its list at once.' },
    { kind: 'SINCE', line: 14, text: '3.7: the tree was a list before.' },
  ]);
});

const tests = titlesOf(
  'a.test.ts',
  `
describe('a chain', () => {
  test.each([1, 2])('it\\'s %d long', () => {});
  for (const { row, why } of [{ row: 'tag bit', why: 'the lowest' }]) test(\`[2.6 \${row}] \${why} bit\`, () => {});
  test(
    "on a line of its own",
    () => contest('not a title'),
  );
  test(title, () => {});
});
`,
);

test('titles: the first arguments of test and describe, whatever the quotes', () => {
  assert.deepEqual(tests.titles, ['a chain', "it's %d long", `[2.6 \${row}] \${why} bit`, 'on a line of its own']);
});

for (const { why, wanted, found } of [
  { why: 'a part of it', wanted: 'line of', found: 'on a line of its own' },
  { why: 'what fills a placeholder stands in the file', wanted: '[2.6 tag bit]', found: '[2.6 tag bit]' },
  {
    why: 'and so does what fills the next',
    wanted: '[2.6 tag bit] the lowest bit',
    found: '[2.6 tag bit] the lowest bit',
  },
  { why: 'nothing in the file fills it so', wanted: '[2.6 rmap]', found: null },
  { why: 'no title has it', wanted: 'not a title', found: null },
]) {
  test(`titles: ${why}`, () => assert.equal(titleWith(tests, wanted), found));
}
