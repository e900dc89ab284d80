import { expect, test } from 'vitest';
import { Space } from '../../test/space.ts';
import { filemapWrite } from './filemap.ts';
import { dirtyLimits, freerun } from './flusher.ts';
import { pauseNs, posRatio } from './flusher_3.ts';

for (const { why, dirty, want } of [
  { why: 'at the setpoint the disk sets the rate', dirty: 175, want: 1 },
  { why: 'where the free run ends, nearly twice that', dirty: 150, want: 1.889 },
  { why: 'half way to the limit, an eighth less', dirty: 188, want: 0.875 },
  { why: 'at the limit nothing', dirty: 200, want: 0 },
  { why: 'beyond it nothing', dirty: 300, want: 0 },
  { why: 'never more than twice', dirty: 0, want: 2 },
]) {
  test(`rate of dirtying: ${why}`, () => {
    // Free run up to 150, setpoint 175.
    expect(posRatio({ thresh: 200, bgThresh: 100, avail: 1000, dirty })).toBeCloseTo(want, 2);
  });
}

test('a pause is what the pages take at that rate, 200 ms at most', () => {
  expect(pauseNs(32, 1, 4000)).toBe(128_000);
  expect(pauseNs(32, 0.5, 4000)).toBe(256_000);
  expect(pauseNs(32, 0, 4000)).toBe(200_000_000);
});

test('a task that writes without end settles between the free run and the limit', () => {
  const s = new Space({ kernel: '3.16', disk: { pageNs: 400_000 } });
  const file = s.file('disk', 4000);
  const { machine } = s;
  let most = 0;
  for (let page = 0; page < 3000; page++) {
    filemapWrite(machine, file, (page % 2000) * 4096, 4096, { page: () => machine.newToken() });
    const limits = dirtyLimits(machine);
    if (page > 1500) most = Math.max(most, limits.dirty - limits.thresh);
  }
  expect(most).toBeLessThanOrEqual(32);
  const limits = dirtyLimits(machine);
  expect(limits.dirty).toBeGreaterThan(freerun(limits) / 2);
});
