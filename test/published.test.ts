/** docs/published.md against the numbers themselves: what each is, and what the quick ones count now. The bench runs all of them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ALL_NUMBERS } from '../bench/published/all.ts';
import { section } from '../bench/published/page.ts';

const page = readFileSync(fileURLToPath(new URL('../docs/published.md', import.meta.url)), 'utf8');

for (const number of ALL_NUMBERS) {
  if (number.slow === true) {
    test(`${number.name}: the page says what is run, from where and when`, () => {
      for (const text of [number.source, number.date, number.how, number.remark ?? '']) expect(page).toContain(text);
    });
  } else {
    test(`${number.name}: the engine counts what the page says`, () => {
      const figures = number.run();
      expect(page).toContain(section({ number, figures }));
    });
  }
}
