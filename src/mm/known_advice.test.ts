import { expect, test } from 'vitest';
import { knownAdvice } from './known_advice.ts';
import { MADV_DONTNEED, MADV_FREE, MADV_GUARD_INSTALL, MADV_HUGEPAGE, MADV_PAGEOUT, MADV_REMOVE } from './uapi.ts';

for (const { version, knows, knowsNot, count } of [
  { version: '2.4.18', knows: MADV_DONTNEED, knowsNot: MADV_REMOVE, count: 5 },
  { version: '2.6.26', knows: MADV_REMOVE, knowsNot: MADV_HUGEPAGE, count: 8 },
  { version: '3.16', knows: MADV_HUGEPAGE, knowsNot: MADV_FREE, count: 14 },
  { version: '6.1', knows: MADV_PAGEOUT, knowsNot: MADV_GUARD_INSTALL, count: 23 },
  { version: '6.18', knows: MADV_GUARD_INSTALL, knowsNot: 100, count: 25 },
]) {
  test(`${version} knows ${count} kinds of advice`, () => {
    const known = knownAdvice(version);
    expect(known.has(knows)).toBe(true);
    expect(known.has(knowsNot)).toBe(false);
    expect(known.size).toBe(count);
  });
}
