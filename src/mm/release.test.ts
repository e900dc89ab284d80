import { expect, test } from 'vitest';
import { isSince } from './release.ts';

test('releases are compared number by number', () => {
  expect(isSince('2.6.24', '2.6.23')).toBe(true);
  expect(isSince('2.6.24', '2.6.26')).toBe(false);
  expect(isSince('6.1', '4.15')).toBe(true);
  expect(isSince('3.16', '3.16')).toBe(true);
  expect(isSince('6.1', '6.11')).toBe(false);
});
