import { crc32 as zlibs } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32 } from './crc32.ts';

test("crc32: zlib's, also piece by piece", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
      const want = zlibs(bytes);
      expect(crc32(bytes)).toBe(want);
      expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(want);
    }),
    { numRuns: 1000 },
  );
});
