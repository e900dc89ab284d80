import { expect, test } from 'vitest';
import { Rate } from './limits.ts';

test('so many at once, then at a steady pace, and never more than at the beginning', () => {
  const rate = new Rate(10, 3, 0);
  const taken = (...times: number[]) => times.map((ms) => rate.take(ms));
  expect(taken(0, 0, 0, 0)).toEqual([true, true, true, false]);
  expect(taken(99, 100, 101, 200)).toEqual([false, true, false, true]);
  expect(taken(60_000, 60_000, 60_000, 60_000)).toEqual([true, true, true, false]);
});
