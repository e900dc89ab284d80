import { expect, test } from 'vitest';
import { Clock } from './clock.ts';

/** The `a` of all that is due until `at`, in order, with the time at which each was taken. */
function due(clock: Clock, at: number): [number, number][] {
  const taken: [number, number][] = [];
  for (let event = clock.takeDue(at); event !== null; event = clock.takeDue(at)) taken.push([event.a, clock.now]);
  return taken;
}

for (const { why, at, until, want } of [
  { why: 'by time', at: [30, 10, 20], until: 30, want: [1, 2, 0] },
  {
    why: 'of equal time, in the order in which they were scheduled',
    at: [5, 5, 5, 5, 5, 5, 5],
    until: 5,
    want: [0, 1, 2, 3, 4, 5, 6],
  },
  { why: 'both', at: [7, 5, 7, 5], until: 9, want: [1, 3, 0, 2] },
  { why: 'not before their time', at: [7, 5, 9], until: 7, want: [1, 0] },
  { why: 'none', at: [], until: 100, want: [] },
]) {
  test(`events come ${why}`, () => {
    const clock = new Clock();
    for (const [i, t] of at.entries()) clock.schedule(t, 0, i, 0);
    expect(due(clock, until).map(([a]) => a)).toEqual(want);
  });
}

test('time moves to each event, never back, and not beyond the last', () => {
  const clock = new Clock();
  clock.schedule(10, 0, 1, 0);
  clock.schedule(3, 0, 2, 0);
  clock.spend(5);
  expect(due(clock, 100)).toEqual([
    [2, 5],
    [1, 10],
  ]);
  expect(clock.now).toBe(10);
});

test('when the next is due stands there all the time', () => {
  const clock = new Clock();
  const seen = [clock.nextAt];
  for (const at of [9, 4, 6]) {
    clock.schedule(at, 0, 0, 0);
    seen.push(clock.nextAt);
  }
  while (clock.takeDue(100) !== null) seen.push(clock.nextAt);
  const none = Number.POSITIVE_INFINITY;
  expect(seen).toEqual([none, 9, 4, 4, 6, 9, none]);
});

test('an event scheduled while events run takes its turn', () => {
  const clock = new Clock();
  clock.schedule(1, 0, 1, 0);
  clock.schedule(3, 0, 3, 0);
  expect(clock.takeDue(10)!.a).toBe(1);
  clock.schedule(2, 0, 2, 0);
  clock.schedule(3, 0, 4, 0);
  expect(due(clock, 10).map(([a]) => a)).toEqual([2, 3, 4]);
});

test('a thousand events come as a sorted list would have them', () => {
  const clock = new Clock();
  const all: { at: number; a: number }[] = [];
  let state = 1;
  for (let a = 0; a < 1000; a++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    all.push({ at: (state >>> 8) % 50, a });
    clock.schedule(all[a]!.at, 0, a, 0);
  }
  const want = all.toSorted((x, y) => x.at - y.at || x.a - y.a).map(({ a }) => a);
  expect(due(clock, 50).map(([a]) => a)).toEqual(want);
});
