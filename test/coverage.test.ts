/** scripts/observables.ts has what the facts in docs/spec ask for: each row of their tables, each of their figures, and nothing else. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { OBSERVABLES } from '../scripts/observables.ts';

const SPECS = [
  { tag: '2.4', file: 'linux-2.4.md', table: 26, vectors: 24 },
  { tag: '2.6', file: 'linux-2.6.md', table: 29, vectors: 27 },
  { tag: '3.x', file: 'linux-3.md', table: 18, vectors: null },
  { tag: '6.x', file: 'linux-6.md', table: 17, vectors: null },
] as const;

/** The lines under `## <number>.`, up to the next heading. */
function section(file: string, number: number): string[] {
  const lines = readFileSync(new URL(`../docs/spec/${file}`, import.meta.url), 'utf8').split('\n');
  const from = lines.findIndex((line) => line.startsWith(`## ${number}. `)) + 1;
  const length = lines.slice(from).findIndex((line) => line.startsWith('## '));
  return lines.slice(from, length < 0 ? undefined : from + length);
}

/** First cells, without those of the heading and of the rule below it. */
function firstCells(lines: readonly string[]): string[] {
  const rows = lines.filter((line) => line.startsWith('|')).slice(2);
  return rows.map((row) => row.split('|')[1]!.trim());
}

function bullets(lines: readonly string[]): string[] {
  return lines.filter((line) => line.startsWith('- ')).map((line) => line.slice(2));
}

function observables(tag: string): (typeof OBSERVABLES)[number] {
  return OBSERVABLES.find((kernel) => kernel.tag === tag)!;
}

test('coverage: every kernel with a table is compared', () => {
  expect(OBSERVABLES.map(({ tag }) => tag)).toEqual(SPECS.map(({ tag }) => tag));
});

for (const { tag, file, table, vectors } of SPECS) {
  test(`coverage: the mechanisms of ${tag} are the rows of ${file} §${table}`, () => {
    const rows = firstCells(section(file, table));
    expect(rows.length).toBeGreaterThan(20);
    expect(observables(tag).rows).toEqual(rows);
  });

  test(`coverage: ${tag} gives a reason only for rows that it has, and one for each`, () => {
    const { rows, notBuilt = [] } = observables(tag);
    const named = notBuilt.map(([row]) => row);
    expect(rows.filter((row) => named.includes(row))).toEqual(named);
    expect(notBuilt.filter(([, reason]) => reason.length < 20)).toEqual([]);
  });

  if (vectors === null) continue;
  test(`coverage: the figures of ${tag} are those of ${file} §${vectors}, in their order`, () => {
    const figures = bullets(section(file, vectors)).map((line) => line.toLowerCase());
    const listed = observables(tag).vectors.map(([what]) => what.toLowerCase());
    // Each begins with the words by which it is listed.
    expect(figures.map((line, i) => line.slice(0, listed[i]?.length ?? 0))).toEqual(listed);
  });
}
