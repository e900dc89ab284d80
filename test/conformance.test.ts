/**
 * The engine does what real kernels did: every memory program of the corpus against its recordings.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type CheckResult, checkLine, checkProgram } from '../src/lab/check/check.ts';

const corpus = fileURLToPath(new URL('../oracle/corpus/', import.meta.url));
const programs = readdirSync(corpus).filter((name) => name.endsWith('.mmp'));

function check(program: string, kernel: string): CheckResult {
  const recording = program.replace(/mmp$/, `${kernel}.rec`);
  const text = (name: string): string => readFileSync(corpus + name, 'utf8');
  return checkProgram(text(program), text(recording), kernel, { program, recording });
}

test('the corpus is there', () => expect(programs).toHaveLength(8));

for (const kernel of ['6.18', '6.1']) {
  for (const program of programs) {
    test(`${program} on ${kernel}`, () => {
      const result = check(program, kernel);
      expect(result.equal, checkLine(result)).toBe(true);
      expect(result.equalFields).toBeGreaterThan(400);
    });
  }
}

test('the same program gives the same recording twice', () => {
  const once = check(programs.at(-1)!, '6.18');
  expect(check(programs.at(-1)!, '6.18')).toEqual(once);
});
