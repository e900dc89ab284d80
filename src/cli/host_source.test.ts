/** What stands under every answer about a host. */
import { expect, test } from 'vitest';
import { hostFooter } from './host_source.ts';

const NOT_SEEN = [
  { what: 'maps', why: 'EACCES', count: 124 },
  { what: 'smaps_rollup', why: 'EACCES', count: 124 },
  { what: 'frame numbers', why: 'EPERM', count: 3 },
  { what: 'kpageflags', why: 'EACCES', count: 1 },
];
const MOVED = { processesGone: 9, processesReread: 1, processesUnsteady: [], entriesStale: 14_644 };

for (const width of [40, 80, 200]) {
  test(`hostFooter: no line is wider than ${width}, and nothing is left out`, () => {
    const text = hostFooter({ missing: NOT_SEEN, changes: MOVED }, width);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
    expect(text.replaceAll('\n', ' ')).toBe(
      'not seen: maps of 124 (EACCES), smaps_rollup of 124 (EACCES), frame numbers of 3 (EPERM), kpageflags (EACCES) ' +
        'while we read: 9 processes ended, 1 process moved and was read again, 14,644 pages freed meanwhile ',
    );
  });
}

test('hostFooter: nothing to say is no line', () => {
  const still = { processesGone: 0, processesReread: 0, processesUnsteady: [], entriesStale: 0 };
  expect(hostFooter({ missing: [{ what: 'smaps', why: 'not asked for', count: 1 }], changes: still })).toBe('');
});
