import { expect, test } from 'vitest';
import { gapText } from './words.ts';

for (const { pages, want } of [
  { pages: 1, want: '4 KiB' },
  { pages: 240, want: '960 KiB' },
  { pages: 384, want: '1.5 MiB' },
  { pages: 2 ** 35 - 5000, want: '128 TiB' },
  // Below vsyscall.
  { pages: 2 ** 52 - 2 ** 35, want: '16 EiB' },
]) {
  test(`a gap of ${pages} pages is ${want}`, () => expect(gapText(pages)).toBe(want));
}
