/** What all commands print with. */
import { expect, test } from 'vitest';
import { columns } from './output.ts';

for (const { why, told, want } of [
  { why: 'a terminal', told: 132, want: 132 },
  { why: 'a pipe', told: undefined, want: 80 },
  { why: 'a serial console, which does not know', told: 0, want: 80 },
])
  test(`columns: ${why}`, () => expect(columns(80, told)).toBe(want));
