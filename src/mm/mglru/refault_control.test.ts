import { describe, expect, test } from 'vitest';
import { ALL_TIERS, RefaultControl } from './refault_control.ts';

const ANON = 0;
const FILE = 1;

/** Refaulted and evicted pages of the first tiers of both types. */
function control(anon: [number, number], file: [number, number]): RefaultControl {
  const made = new RefaultControl();
  made.countRefault(ANON, 0, anon[0]);
  made.countEviction(ANON, 0, anon[1]);
  made.countRefault(FILE, 0, file[0]);
  made.countEviction(FILE, 0, file[1]);
  return made;
}

// Files may go if refaulted(file) x (total(anon) + 64) x 60 <= (refaulted(anon) + 1) x total(file) x 140.
describe('[6.x MGLRU] the controller, files against anonymous memory at swappiness 60', () => {
  for (const { why, anon, file, want } of [
    { why: 'nothing is known yet: files go', anon: [0, 0], file: [0, 0], want: true },
    { why: '63 refaults are noise', anon: [0, 0], file: [63, 63], want: true },
    { why: '64 of 64 are not', anon: [0, 0], file: [64, 64], want: false },
    { why: '64 of 1755: 245,760 > 245,700', anon: [0, 0], file: [64, 1755], want: false },
    { why: '64 of 1756: 245,760 <= 245,840', anon: [0, 0], file: [64, 1756], want: true },
    { why: 'anonymous pages come back, too: files are the lesser evil', anon: [45, 59], file: [745, 1128], want: true },
    { why: 'they do not: files are protected', anon: [2, 317], file: [124, 771], want: false },
  ] as const) {
    test(why, () => {
      const made = control([...anon], [...file]);
      expect(made.mayEvict(ANON, 0, 60, FILE, 0, 140)).toBe(want);
      // With one tier in use, all tiers say the same.
      expect(made.mayEvict(ANON, ALL_TIERS, 60, FILE, ALL_TIERS, 140)).toBe(want);
    });
  }
});

describe('[6.x MGLRU] tiers', () => {
  for (const { why, refaulted, want } of [
    { why: 'no tier comes back: all may go', refaulted: [0, 0, 0, 0], want: 3 },
    {
      why: 'the third comes back as often as the first: so many gains do not make up for',
      refaulted: [90, 0, 500, 0],
      want: 1,
    },
    { why: 'the second tier comes back most: only the first may go', refaulted: [10, 900, 0, 0], want: 0 },
    { why: 'the last is protected alone', refaulted: [10, 63, 63, 900], want: 2 },
  ]) {
    test(why, () => {
      const made = new RefaultControl();
      refaulted.forEach((pages, tier) => {
        made.countRefault(FILE, tier, pages);
        made.countEviction(FILE, tier, 1000);
      });
      expect(made.lastTier(FILE, 2, FILE, 3)).toBe(want);
    });
  }

  test('what was protected counts as if it had been evicted and had not come back', () => {
    const made = new RefaultControl();
    made.countRefault(FILE, 0, 100);
    made.countEviction(FILE, 0, 1000);
    made.countRefault(FILE, 1, 200);
    made.countEviction(FILE, 1, 200);
    expect(made.lastTier(FILE, 1, FILE, 2)).toBe(0);
    made.countProtected(FILE, 1, 2000);
    expect(made.lastTier(FILE, 1, FILE, 2)).toBe(3);
  });
});

test('[6.x MGLRU] a generation that is done counts half as much as the next one', () => {
  const made = control([100, 400], [3, 5]);
  made.countProtected(ANON, 0, 101);
  made.carryOver(ANON);
  expect([
    made.averageRefaulted[0],
    made.averageTotal[0],
    made.refaulted[0],
    made.evicted[0],
    made.protected_[0],
  ]).toEqual([50, 250, 0, 0, 0]);
  made.carryOver(ANON);
  expect([made.averageRefaulted[0], made.averageTotal[0]]).toEqual([25, 125]);
  // The other type is as it was.
  expect([made.refaulted[4], made.evicted[4]]).toEqual([3, 5]);
});
