/** What `npm run coverage` counts: every way that a program may take, and the program still does the same. */
import assert from 'node:assert/strict';
import { transformSync } from 'esbuild';
import { test } from 'vitest';
import { reasonsOf } from '../scripts/branches.mjs';
import { instrument } from '../scripts/instrument.mjs';

/** Runs the body of a function of `n` with marks, and gives its answer and the branches that it took. */
function takenBy(body: string, n: number): { answer: unknown; taken: string[] } {
  const { branches, text } = instrument('f.ts', `function f(n: number): unknown {\n${body}\n}`);
  const { code } = transformSync(text, { loader: 'ts' });
  const shared: { revmapBranches?: Record<string, Uint8Array> } = {};
  const answer: unknown = new Function('globalThis', 'n', `${code}\nreturn f(n);`)(shared, n);
  const marks = shared.revmapBranches!['f.ts']!;
  assert.equal(marks.length, branches.length);
  return { answer, taken: branches.filter((_, i) => marks[i] === 1).map(({ kind, text }) => `${kind} ${text}`) };
}

for (const { why, body, n, answer, taken } of [
  { why: 'an if', body: 'if (n > 1) return 1; return 2;', n: 2, answer: 1, taken: ['if n > 1'] },
  { why: 'an if without an else', body: 'if (n > 1) return 1; return 2;', n: 1, answer: 2, taken: ['else of n > 1'] },
  {
    why: 'the else of the nearest if',
    body: 'if (n > 1) if (n > 2) return 3; else return 2; return 1;',
    n: 2,
    answer: 2,
    taken: ['if n > 1', 'else of n > 2'],
  },
  {
    why: 'a chain of ifs',
    body: 'if (n > 2) return 3; else if (n > 1) { return 2; } else { return 1; }',
    n: 2,
    answer: 2,
    taken: ['else of n > 2', 'if n > 1'],
  },
  {
    why: 'both ways of ?:',
    body: 'return n > 1 ? (n > 2 ? 3 : 2) : 1;',
    n: 2,
    answer: 2,
    taken: ['? (n > 2 ? 3 : 2)', ': 2'],
  },
  {
    why: 'operands, those in parentheses too',
    body: 'return n > 1 && (n === 5 || n === 2 || n > 9);',
    n: 2,
    answer: true,
    taken: ['&& n > 1', '|| n === 5', '|| n === 2'],
  },
  { why: '?? with a value', body: 'return n ?? 5;', n: 0, answer: 0, taken: ['?? n'] },
  {
    why: 'cases, and those they fall into',
    body: 'switch (n) { case 1: case 2: return "few"; default: return "many"; }',
    n: 1,
    answer: 'few',
    taken: ['case 1', 'case 2'],
  },
  {
    why: 'the other case',
    body: 'switch (n) { case 1: return 1; default: return 9; }',
    n: 2,
    answer: 9,
    taken: ['default of n'],
  },
  { why: 'a default that is used', body: 'const g = (a = 7) => a;\nreturn g();', n: 0, answer: 7, taken: ['= 7'] },
  { why: 'a default that is not', body: 'const { a = 7 } = { a: n };\nreturn a;', n: 3, answer: 3, taken: [] },
  {
    why: 'a comment before a branch',
    body: 'if (n === 0)\n  // none\n  return "none";',
    n: 0,
    answer: 'none',
    taken: ['if n === 0'],
  },
]) {
  test(`branches: ${why}`, () => assert.deepEqual(takenBy(body, n), { answer, taken }));
}

test('branches: each line stands one further down', () => {
  const source = 'export function f(n: number): number {\n  // why\n  if (n > 1)\n    return 1;\n  return 2;\n}\n';
  const { branches, text } = instrument('f.ts', source);
  assert.deepEqual([...new Set(branches.map(({ line }) => line))], [3]);
  assert.equal(text.split('\n').length, 1 + source.split('\n').length);
  assert.equal(text.split('\n')[5], '  return 2;');
});

test('branches: a heading of the page is the reason of the items below it', () => {
  const page = '# A page\n\n## Never\n\n- a.ts: `if n > 1 || m`\n- b/c.ts: `? 1`\n\n## Later\n\n- a.ts: `case 2`\n';
  assert.deepEqual(
    [...reasonsOf(page)],
    [
      ['a.ts: if n > 1 || m', 'Never'],
      ['b/c.ts: ? 1', 'Never'],
      ['a.ts: case 2', 'Later'],
    ],
  );
});
