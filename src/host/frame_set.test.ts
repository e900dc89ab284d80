import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameSet } from './frame_set.ts';

test('FrameSet: members, order and places, the same as counted in a sorted list', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(199)), (frames) => {
      const set = new FrameSet(200);
      for (const pfn of frames) set.add(pfn);
      const sorted = [...frames].sort((a, b) => a - b);
      const seen: number[] = [];
      set.each((pfn) => seen.push(pfn));
      expect(seen).toEqual(sorted);
      expect(set.rank()).toBe(sorted.length);
      expect(sorted.map((pfn) => set.placeOf(pfn))).toEqual(sorted.map((_, place) => place));
      for (let pfn = 0; pfn < 200; pfn++) expect(set.has(pfn)).toBe(frames.includes(pfn));
    }),
  );
});

test('FrameSet: all of it, and more after the places were given', () => {
  const set = new FrameSet(64);
  expect(set.rank()).toBe(0);
  for (let pfn = 63; pfn >= 0; pfn--) set.add(pfn);
  expect(set.rank()).toBe(64);
  expect([0, 31, 32, 63].map((pfn) => set.placeOf(pfn))).toEqual([0, 31, 32, 63]);
});
