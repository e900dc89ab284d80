import { expect, test } from 'vitest';
import { PTE_DTLB, PTE_ITLB } from './page_table.ts';
import { Tlb } from './tlb.ts';
import type { Vpn } from './units.ts';

/** Slots are page numbers here. */
function made() {
  const tlb = new Tlb({ entries: 4, victims: 2, jumps: 64 });
  const bits = new Uint16Array(1024);
  return {
    bits,
    take: (page: number) => tlb.take(bits, page, page as Vpn),
    jump: (page: number) => tlb.jump(bits, page, page as Vpn),
    invalidate: (page: number) => tlb.invalidate(bits, page, page as Vpn),
    flush: (now = 0) => tlb.flush(bits, now),
    known: (bit: number) => [...bits.keys()].filter((page) => (bits[page]! & bit) !== 0),
  };
}

test('an entry makes room for another with the same low bits, and comes back from the victims', () => {
  const t = made();
  expect([0, 1, 4].map(t.take)).toEqual([false, false, false]);
  expect(t.known(PTE_DTLB)).toEqual([1, 4]);
  expect([t.take(4), t.take(0)]).toEqual([true, true]);
  expect(t.known(PTE_DTLB)).toEqual([0, 1]);
});

test('the victim that has waited longest goes', () => {
  const t = made();
  for (const page of [0, 4, 8, 12]) t.take(page);
  // 0 made room for 8: of two places for victims, 4 and 8 have them now.
  expect([t.take(0), t.take(8)]).toEqual([false, true]);
});

test('an entry that was changed is walked again, and lets go of the jumps of its class and of the one before', () => {
  const t = made();
  for (const page of [0, 4]) t.take(page);
  for (const page of [99, 100, 101, 200]) t.jump(page);
  t.invalidate(0);
  expect(t.take(0)).toBe(false);
  t.invalidate(100);
  expect(t.known(PTE_ITLB)).toEqual([101, 200]);
  // 164 is of the class of 101: (164 ^ 164 >> 6) and (101 ^ 101 >> 6) have the same low six bits.
  t.invalidate(166);
  expect(t.known(PTE_ITLB)).toEqual([200]);
});

test('a page of code makes its class its own', () => {
  const t = made();
  t.jump(1);
  t.jump(64);
  expect(t.known(PTE_ITLB)).toEqual([64]);
});

test('a flush takes everything', () => {
  const t = made();
  for (const page of [0, 1, 4]) t.take(page);
  t.jump(7);
  t.flush();
  expect([t.known(PTE_DTLB), t.known(PTE_ITLB)]).toEqual([[], []]);
  expect([0, 1, 4].map(t.take)).toEqual([false, false, false]);
});

/** Fills `used` places, flushes at `ms`; gives how many entries there are then. */
function sizeAfter(steps: readonly (readonly [used: number, ms: number])[]): number {
  const tlb = new Tlb({ entries: 256, victims: 8, jumps: 64 });
  const bits = new Uint16Array(2 ** 14);
  for (const [used, ms] of steps) {
    for (let page = 0; page < used; page++) tlb.take(bits, page, page as Vpn);
    tlb.flush(bits, ms * 1e6);
  }
  for (let page = 0; page < 2 ** 14; page++) tlb.take(bits, page, page as Vpn);
  return bits.filter((entry) => (entry & PTE_DTLB) !== 0).length;
}

for (const { why, steps, want } of [
  { why: 'as it begins', steps: [[100, 1]], want: 256 },
  { why: 'more than seven tenths were used', steps: [[180, 1]], want: 512 },
  {
    why: 'twice full',
    steps: [
      [256, 1],
      [512, 2],
    ],
    want: 1024,
  },
  { why: 'few were used, but not for long', steps: [[10, 5]], want: 256 },
  { why: 'few were used for long', steps: [[10, 7]], want: 64 },
  {
    why: 'few were used, once more of them',
    steps: [
      [100, 1],
      [10, 7],
    ],
    want: 256,
  },
  {
    why: 'it fits a power of two, but is nearly full',
    steps: [
      [512, 1],
      [512, 2],
      [120, 9],
      [120, 16],
    ],
    want: 256,
  },
] as const) {
  test(`how many entries: ${why}: ${want}`, () => expect(sizeAfter(steps)).toBe(want));
}
