import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeName, encodeName } from './text.ts';

test('a name of any bytes survives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect([...encodeName(decodeName(bytes))]).toEqual([...bytes]);
    }),
    { numRuns: 2000 },
  );
});

for (const { why, bytes, want } of [
  { why: 'text is text', bytes: [0x61, 0xc3, 0xa4], want: 'aä' },
  { why: 'a byte that is no UTF-8 is escaped alone', bytes: [0x61, 0xff, 0x62], want: 'a\udcffb' },
  { why: 'a character cut short is escaped byte by byte', bytes: [0xe2, 0x82], want: '\udce2\udc82' },
  { why: 'an encoded surrogate is no character', bytes: [0xed, 0xb2, 0x80], want: '\udced\udcb2\udc80' },
  { why: 'a byte order mark is part of a name', bytes: [0xef, 0xbb, 0xbf, 0x61], want: '\ufeffa' },
  { why: 'four bytes are one character', bytes: [0xf0, 0x9f, 0x98, 0x80], want: '😀' },
])
  test(`decodeName: ${why}`, () => expect(decodeName(Uint8Array.from(bytes))).toBe(want));
