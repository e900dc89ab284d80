/** The engine does what a real kernel did: the programs of `oracle/measured`, as `npm run bench:accuracy` prints them. */
import { expect, test } from 'vitest';
import { isFigure, measuredPrograms } from '../bench/accuracy/measured.ts';
import { formatMode } from '../src/trace/truth.ts';

test('swap traffic of the classic LRU is within the rule everywhere, and most of all counters are', async () => {
  const outside: string[] = [];
  let within = 0;
  let all = 0;
  for await (const { name, points } of measuredPrograms()) {
    for (const { mode, limitBytes, verdicts } of points.filter(isFigure)) {
      for (const verdict of verdicts) {
        all += 1;
        if (verdict.within) within += 1;
        else if (!mode.mglru && verdict.name.startsWith('pswp')) {
          outside.push(`${name} ${formatMode(mode, true)} ${limitBytes}: ${verdict.name} ${verdict.predicted}`);
        }
      }
    }
  }
  expect(outside).toEqual([]);
  expect(all).toBeGreaterThan(200);
  expect(within / all).toBeGreaterThan(0.88);
});
